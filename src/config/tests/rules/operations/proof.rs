//! Rules that contradict themselves or each other, or decide nothing.

use super::{PATH, expect, route, tools};

#[test]
fn a_rule_demands_what_it_can_demand() {
    let both = format!(
        "{PATH}.tools.a: `deny: true` keeps everybody out, whatever else the rule demands; drop one of the two"
    );
    let nothing =
        "the rule demands nothing and so denies nothing; write what it demands, or `deny: true`";
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
