//! The rules for operations: their form, what they prove, and the switches beside them.

mod proof;
mod rule_tests;
mod scopes;
mod switches;

use serde_json::json;

use super::{expect, route};
use crate::config::{
    settings::{
        Access, Condition, Demand, Expectation, FilterLists, ProtectedSettings, TestedCall,
        WhenDenied,
    },
    tests::read,
};

/// The smallest file with these tools.
fn tools(tools: &str) -> String {
    route(&format!("tools: {{{tools}}}"))
}

/// What the route of a text compiles to.
fn protected(text: &str) -> ProtectedSettings {
    match read(text).unwrap().settings.routes.remove(0).access {
        Access::Protected(protected) => *protected,
        Access::Public => panic!("not protected"),
    }
}

const PATH: &str = "routes.notes";

#[test]
fn rules_are_lists_of_scopes_or_objects() {
    let protected = protected(&tools(
        "a: [x, y], b: [], c: {}, 'd*': {required_scopes: [x], any_scope: [y, z], \
         claims: {department: ops, /team/id: [7, true, null]}, arguments: {format: '${NUMBER}'}, \
         when_denied: in_band}, e: {deny: true}",
    ));
    let demands: Vec<_> = protected
        .rules
        .tools
        .iter()
        .map(|rule| (rule.pattern.as_str(), rule.demand.clone()))
        .collect();
    let scope = |text: &str| crate::oauth::Scope::parse(text).unwrap();
    let condition = |name: &str, values| Condition { name: name.into(), values };
    let full = Demand {
        required_scopes: scope("x"),
        any_scope: scope("y z"),
        claims: vec![
            condition("department", vec![json!("ops")]),
            condition("/team/id", vec![json!(7), json!(true), json!(null)]),
        ],
        arguments: vec![condition("format", vec![json!(12)])],
        deny: false,
        when_denied: Some(WhenDenied::InBand),
    };
    let expected = [
        ("a", Demand { required_scopes: scope("x y"), ..Demand::default() }),
        ("b", Demand::default()),
        ("c", Demand::default()),
        ("d*", full),
        ("e", Demand { deny: true, ..Demand::default() }),
    ];
    assert_eq!(demands, expected);
}

#[test]
fn every_switch_reaches_the_settings() {
    let lines = "prompts: {p: [a]}\n    resources: {'file:///*': [b]}\n    methods: {ping: [c]}\n    \
                 unlisted_tools: deny\n    filter_lists: scopes\n    annotate_tools: true\n    \
                 anonymous_methods: ['tools/l*']\n    shadow: true\n    tools: {t: [d]}\n    \
                 tests: [{scope: a, claims: {x: 1}, call: t, arguments: {y: [2]}, expect: 403}, {method: ping, expect: allowed}]";
    let rules = protected(&route(lines)).rules;
    let names = [&rules.tools, &rules.prompts, &rules.resources, &rules.methods]
        .map(|rules| rules.iter().map(|rule| rule.pattern.as_str()).collect::<String>());
    assert_eq!(names, ["t", "p", "file:///*", "ping"]);
    assert_eq!(rules.unlisted_tools, Some(WhenDenied::Hide));
    assert!(rules.annotate_tools && rules.shadow);
    assert_eq!(rules.filter_lists, FilterLists::Scopes);
    assert_eq!(rules.anonymous_methods[0].as_str(), "tools/l*");
    let [first, second] = &rules.tests.tests[..] else { panic!("not two tests") };
    assert_eq!(first.scope.as_ref().unwrap().to_string(), "a");
    assert_eq!(json!(first.claims), json!({ "x": 1 }));
    assert_eq!(json!(first.arguments), json!({ "y": [2] }));
    assert_eq!(
        (&first.asked, first.expected),
        (&TestedCall::Tool("t".into()), Expectation::Forbidden)
    );
    assert_eq!((&second.scope, &second.arguments), (&None, &None));
    assert_eq!(
        (&second.asked, second.expected),
        (&TestedCall::Method("ping".into()), Expectation::Allowed)
    );
    assert_eq!(rules.tests.line("prompts", "p"), Some(12));
    let without = protected(&route("")).rules;
    assert!(!without.judge_operations());
    assert_eq!(without.filter_lists, FilterLists::Denied);
}

#[test]
fn forms_that_are_no_rule_are_refused() {
    let values = "a text, a number, true, false or null";
    expect(&[
        (
            tools("a: x"),
            "routes.notes.tools.a: expected a list of scopes, or keys such as `required_scopes`, found a text",
        ),
        (
            tools("a: "),
            "routes.notes.tools.a: expected a list of scopes, or keys such as `required_scopes`, found null",
        ),
        (route("tools: [a]"), "routes.notes.tools: expected keys with values, found a list"),
        (
            tools("a: ['x y']"),
            "routes.notes.tools.a[0]: a scope is printable ASCII without space, double quote or backslash (RFC 6749 section 3.3); expected one scope",
        ),
        (
            tools("a: {scopes: [x]}"),
            "routes.notes.tools.a.scopes: unknown key; known here: required_scopes, any_scope, claims, arguments, deny, when_denied",
        ),
        (
            tools("a: {any_scopes: [x]}"),
            "routes.notes.tools.a.any_scopes: unknown key; did you mean `any_scope`?",
        ),
        (
            tools("a: {claims: {c: {d: e}}}"),
            "routes.notes.tools.a.claims.c: expected a value or a list of values, found keys with values",
        ),
        (
            tools("a: {claims: {c: [[d]]}}"),
            &format!("routes.notes.tools.a.claims.c[0]: expected {values}, found a list"),
        ),
        (
            tools("a: {arguments: {c: }}"),
            "routes.notes.tools.a.arguments.c: no value; write [null] if null is meant",
        ),
        (
            tools("a: {claims: {c: '${MISSING}'}}"),
            "routes.notes.tools.a.claims.c: the environment variable MISSING is not set; set it, or write ${MISSING:-default}",
        ),
        (
            tools("a: {claims: {c: .inf}}"),
            "routes.notes.tools.a.claims.c: this number has no JSON form; quote it",
        ),
        (
            tools("a: {deny: 1, when_denied: hidden}"),
            "routes.notes.tools.a.deny: expected true or false, found a number\nroutes.notes.tools.a.when_denied: none of the known words; expected one of challenge, hide, in_band",
        ),
        (
            route("unlisted_tools: denied"),
            "routes.notes.unlisted_tools: none of the known words; expected one of allow, deny",
        ),
        (
            route("filter_lists: true"),
            "routes.notes.filter_lists: none of the known words; expected one of denied, scopes, off",
        ),
    ]);
}

#[test]
fn patterns_are_globs() {
    let wrong = |why: &str| format!("routes.notes.tools.?: no pattern: {why}");
    expect(&[
        (tools("'a[b-c]?*': [x], 'a\\*': [x]"), ""),
        (
            tools("'a[': [x]"),
            &wrong("has an unclosed or empty [...]; write \\[ for a bracket itself"),
        ),
        (tools("'a\\': [x]"), &wrong("ends in a backslash; write \\\\ for a backslash itself")),
        (tools("'': [x]"), &wrong("is empty")),
        (
            route("anonymous_methods: ['ping[']"),
            "routes.notes.anonymous_methods[0]: has an unclosed or empty [...]; write \\[ for a bracket itself; expected a pattern such as tools/list or completion/*",
        ),
    ]);
}

#[test]
fn public_routes_have_no_rules() {
    let public = "public_url: https://a.example\nroutes: {a: {path: /a, upstream: 'http://b', access: public, ";
    for (key, value) in [
        ("anonymous_methods", "[]"),
        ("tools", "{}"),
        ("prompts", "{}"),
        ("resources", "{}"),
        ("methods", "{}"),
        ("unlisted_tools", "allow"),
        ("filter_lists", "denied"),
        ("annotate_tools", "false"),
        ("shadow", "false"),
        ("tests", "[]"),
    ] {
        let refusal =
            format!("routes.a.{key}: has no meaning with `access: public`; drop one of the two");
        expect(&[(format!("{public}{key}: {value}}}}}\n"), &refusal)]);
    }
}
