//! Rules that contradict themselves or each other, or decide nothing.

use super::{PATH, expect, route, tools};
use crate::config::tests::problems;

#[test]
fn a_rule_demands_what_it_can_demand() {
    let both = format!(
        "{PATH}.tools.a: `deny: true` keeps everybody out, whatever else the rule demands; drop one of the two"
    );
    let nothing =
        "the rule demands nothing and so denies nothing; write what it demands, or `deny: true`";
    let in_band = "`in_band` is for tools: only the result of a tool can say that it is none; write `challenge` or `hide`";
    let called = "only tools and prompts are called with arguments; drop it";
    expect(&[
        (tools("a: {deny: true, when_denied: challenge}"), ""),
        (tools("a: {deny: false}"), ""),
        (tools("a: {deny: true, required_scopes: [x]}"), &both),
        (tools("a: {deny: true, any_scope: [x]}"), &both),
        (tools("a: {deny: true, claims: {c: d}}"), &both),
        (tools("a: {deny: true, arguments: {c: d}}"), &both),
        (tools("a: {when_denied: hide}"), &format!("{PATH}.tools.a.when_denied: {nothing}")),
        (
            tools("a: {deny: false, when_denied: hide}"),
            &format!("{PATH}.tools.a.when_denied: {nothing}"),
        ),
        (route("prompts: {a: {arguments: {c: d}}}"), ""),
        (
            route("resources: {a: {arguments: {c: d}}}"),
            &format!("{PATH}.resources.a.arguments: {called}"),
        ),
        (
            route("methods: {a: {arguments: {c: d}}}"),
            &format!("{PATH}.methods.a.arguments: {called}"),
        ),
        (
            tools("a: {claims: {c: []}, arguments: {'': d}}"),
            &format!(
                "{PATH}.tools.a.claims.c: lists no value, so that nothing meets it; list one\n{PATH}.tools.a.arguments.?: needs the name of a claim or an argument"
            ),
        ),
        (tools("a: {deny: true, when_denied: in_band}"), ""),
        (
            route("prompts: {a: {deny: true, when_denied: in_band}}"),
            &format!("{PATH}.prompts.a.when_denied: {in_band}"),
        ),
        (
            route("resources: {a: {required_scopes: [x], when_denied: in_band}}"),
            &format!("{PATH}.resources.a.when_denied: {in_band}"),
        ),
        (
            route("methods: {a: {deny: true, when_denied: in_band}}"),
            &format!("{PATH}.methods.a.when_denied: {in_band}"),
        ),
        (
            tools("'a ': [x]"),
            &format!(
                "{PATH}.tools.?: never matches: a name with spaces at its ends or control characters is refused before it is judged"
            ),
        ),
    ]);
}

#[test]
fn patterns_that_match_the_same_names_are_one() {
    let twin = |path: &str| {
        format!(
            "{PATH}.{path}: matches the same names as the pattern of line 13, and both would add up; write one rule"
        )
    };
    let two = |first: &str, second: &str| {
        route(&format!("tools:\n      {first}: [x]\n      {second}: [y]"))
    };
    expect(&[
        (two("a*", "ab*"), ""),
        (two("a", "b"), ""),
        (two("'a*'", "'a**'"), &twin("tools.a**")),
        (two("a", "'[a]'"), ""),
        (two("a", "'\\a'"), &twin("tools.?")),
        (two("'*'", "'**'"), &twin("tools.**")),
        (two("'a?'", "'[a]?'"), ""),
        // The same pattern of another kind is another rule.
        (route("tools: {a: [x]}\n    prompts: {a: [x]}"), ""),
    ]);
}

#[test]
fn what_another_rule_denies_needs_no_rule() {
    let with = |rule: &str| route(&format!("tools:\n      debug_*: {{deny: true}}\n      {rule}"));
    let dead = "never decides anything: the rule of line 13 denies all that it names, and `deny` beats every other rule; drop one of the two";
    let again = "warning: adds nothing: the rule of line 13 denies all this already";
    expect(&[
        (with("debug_dump: [x]"), &format!("{PATH}.tools.debug_dump: {dead}")),
        (with("debug_d*: {claims: {a: b}}"), &format!("{PATH}.tools.debug_d*: {dead}")),
        (with("debug_d?*p: []"), &format!("{PATH}.tools.?: {dead}")),
        (with("debug_dump: {deny: true}"), &format!("{PATH}.tools.debug_dump: {again}")),
        (
            with("debug_dump: {deny: true, when_denied: hide}"),
            &format!("{PATH}.tools.debug_dump: {again}"),
        ),
        // The most specific rule decides how the refusal looks.
        (with("debug_dump: {deny: true, when_denied: challenge}"), ""),
        // Unsure, or only partly denied.
        (with("'*_dump': [x]"), ""),
        (with("'debug*': [x]"), ""),
        (with("'[d]ebug_x': [x]"), ""),
    ]);
    let later = "tools:\n      debug_dump: [x]\n      debug_*: {deny: true}";
    expect(&[(
        route(later),
        &format!("{PATH}.tools.debug_dump: {}", dead.replace("line 13", "line 14")),
    )]);
}

/// What a request is refused for before any rule is asked, no rule can be about.
#[test]
fn patterns_are_of_names_that_can_come() {
    let method = |pattern: &str, why: &str| {
        let line = format!("methods:\n      {pattern:?}: {{deny: true}}");
        let expected =
            format!("never matches: such a method is refused before it is judged; {why}");
        (route(&line), expected)
    };
    let plain = "methods are printable ASCII, without spaces and empty segments";
    let case = "known methods begin like this in another case";
    for (text, expected) in [
        method("Logging/setLevel", "write `logging/setLevel`"),
        method("logging/setlevel", "write `logging/setLevel`"),
        method("tools/", plain),
        method("/tools", plain),
        method("vendor call", plain),
        method("Tools/*", case),
        method("Logging/s*", case),
        method("vendor//*", plain),
    ] {
        assert_says(&text, &expected);
    }
    let text =
        route("methods: {'Vendor/*': {deny: true}, 'tools/*': [x], 'l*': [x], '*/list': [x]}");
    expect(&[(text, "")]);
    assert_says(
        &route("anonymous_methods: [Tools/List]"),
        "anonymous_methods[0]: never matches: such a method is refused before it is judged; write `tools/list`",
    );
}

#[test]
fn patterns_over_uris_are_plain() {
    let one = |pattern: &str| route(&format!("resources:\n      {pattern:?}: {{deny: true}}"));
    for (pattern, plain) in [
        ("https://Example.com/secret", "https://example.com/secret"),
        ("FILE:///x", "file:///x"),
        ("file:///a/../b", "file:///b"),
        ("file:///a%2ftop", "file:///a/top"),
        ("file:/a", "file:///a"),
    ] {
        let why = format!("such a URI is refused before it is judged; write the plain `{plain}`");
        assert_says(&one(pattern), &why);
    }
    for pattern in ["note://x/%25", "file:///C|/x", "note://x/%FF"] {
        assert_says(&one(pattern), "such a URI is refused before it is judged: write it without");
    }
    for (pattern, plain) in [
        ("https://Example.com/*", "https://example.com/"),
        ("https://Exam*", "https://exam"),
        ("FILE:*", "file:"),
        ("file:///a/../b/*", "file:///b/"),
        ("file:///a%2ftop*", "file:///a/top"),
        ("note://x/%c3%a9?", "note://x/%C3%A9"),
    ] {
        let why = format!(
            "such a URI is refused before it is judged; let the pattern begin with the plain `{plain}`"
        );
        assert_says(&one(pattern), &why);
    }
    for pattern in [
        "*",
        "note://x/team ops",
        "note://x/\u{e9}",
        "note://X/a:b",
        "note://notes/{name}",
        "file:*",
        "file:/*",
        "https://*",
        "https://h:44*",
        "note://x/%3*",
        "file:///a/.*",
        "https://h/\u{e9}*",
        "*/../*",
    ] {
        expect(&[(one(pattern), "")]);
    }
}

#[test]
fn what_methods_deny_altogether_needs_no_rule() {
    let beside = |methods: &str, rule: &str| route(&format!("methods: {methods}\n    {rule}"));
    let dead = |what: &str| {
        format!(
            "never decides anything: `methods` denies every message that names a {what} (line 12), and `deny` beats every other rule; drop one of the two"
        )
    };
    let all = "{'tools/*': {deny: true}}";
    assert_says(&beside(all, "tools: {a: [x]}"), &dead("tool"));
    assert_says(&beside("{'*': {deny: true}}", "prompts: {a: [x]}"), &dead("prompt"));
    assert_says(&beside("{'*': {deny: true}}", "resources: {a: [x]}"), &dead("resource"));
    assert_says(
        &beside(all, "tools: {a: {deny: true}}"),
        "warning: adds nothing: `methods` denies every message that names a tool already (line 12)",
    );
    expect(&[
        (beside(all, "tools: {a: {deny: true, when_denied: challenge}}"), ""),
        (beside("{tools/call: {deny: true}}", "tools: {a: {deny: true}}"), ""),
        (beside("{'prompts/*': {deny: true}}", "prompts: {a: [x]}"), ""),
        (beside("{'tools/*': [x]}", "tools: {a: [x]}"), ""),
    ]);
}

#[track_caller]
fn assert_says(text: &str, expected: &str) {
    let found = problems(text);
    assert!(found.lines().count() == 1 && found.contains(expected), "{found}\nof\n{text}");
}
