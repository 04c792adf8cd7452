//! `scope_implies`, and the scopes of rules beside those that are required and offered.

use super::{super::top, PATH, expect, protected, route, tools};

fn implies(implies: &str, rules: &str) -> String {
    let text = tools(rules);
    format!("scope_implies: {{{implies}}}\n{text}")
}

#[test]
fn implications_are_followed_to_their_end() {
    let found = protected(&implies("a: [b, c], c: [d]", "t: [b, d]")).implications;
    let broader = |scope: &str| {
        let broader: Vec<_> =
            found.broader(&scope.parse().unwrap()).iter().map(ToString::to_string).collect();
        broader.join(" ")
    };
    assert_eq!(["a", "b", "c", "d"].map(broader), ["", "a", "a", "a c"]);
}

#[test]
fn circles_are_refused_where_they_close() {
    let circle = "implies, over one step or more, the scope that implies it here: scopes in a circle are one and the same; drop one of them";
    expect(&[
        (implies("a: [b], b: [c]", "t: [c]"), ""),
        (
            implies("a: [a]", "t: [a]"),
            "scope_implies.a[0]: a scope stands for itself without being told; drop it",
        ),
        (implies("a: [b], b: [a]", "t: [a]"), &format!("scope_implies.b[0]: {circle}")),
        (
            implies("a: [b], b: [x, c], c: [d, a], x: [y], y: [x]", "t: [a]"),
            &format!("scope_implies.c[1]: {circle}\nscope_implies.y[0]: {circle}"),
        ),
    ]);
    let place = super::super::problems("scope_implies:\n  a: [b]\n  b: [c, a]\nroutes: {}\n");
    assert!(place.contains("g.yaml:3:10: scope_implies.b[1]: implies"), "{place}");
}

#[test]
fn implications_are_of_scopes_that_somebody_demands() {
    let unused = "no route demands this scope or one that it implies";
    expect(&[
        (top("scope_implies: {notes.write: [notes.read]}"), ""),
        (top("scope_implies: {a: [b], b: [notes.read]}"), ""),
        (
            top("scope_implies: {a: [b], b: [c]}"),
            &format!(
                "scope_implies.a[0]: warning: {unused}, so that the broader one opens nothing by it\nscope_implies.b[0]: warning: {unused}, so that the broader one opens nothing by it"
            ),
        ),
        (
            top("scope_implies: {notes.read: [b]}"),
            &format!(
                "scope_implies.notes.read[0]: warning: {unused}, so that implying it helps nobody"
            ),
        ),
        (
            top("scope_implies: {a: []}"),
            "scope_implies.a: warning: implies nothing; drop it, or list narrower scopes",
        ),
        (
            top("scope_implies: {'a b': [notes.read]}"),
            "scope_implies.?: a scope is printable ASCII without space, double quote or backslash (RFC 6749 section 3.3); expected one scope",
        ),
        (top("scope_implies: {a: notes.read}"), "scope_implies.a: expected a list, found a text"),
    ]);
}

#[test]
fn alternatives_are_no_demands_of_what_is_required_anyway() {
    let needless = "warning: whoever has the required scopes has this one too, so that `any_scope` demands nothing; drop this alternative, or `any_scope`";
    expect(&[
        (tools("t: {required_scopes: [x], any_scope: [y, z]}"), ""),
        (
            tools("t: {any_scope: [y, notes.read]}"),
            &format!("{PATH}.tools.t.any_scope[1]: {needless}"),
        ),
        (
            tools("t: {required_scopes: [x], any_scope: [x, y]}"),
            &format!("{PATH}.tools.t.any_scope[0]: {needless}"),
        ),
        (
            implies("x: [y]", "t: {required_scopes: [x], any_scope: [z, y]}"),
            &format!("{PATH}.tools.t.any_scope[1]: {needless}"),
        ),
        (
            tools("t: [offline_access]"),
            &format!(
                "{PATH}.tools.t[0]: `offline_access` asks for a refresh token and is no scope of a resource; drop it"
            ),
        ),
    ]);
}

#[test]
fn what_rules_demand_is_offered_and_what_is_offered_is_demanded() {
    let offered = |offered: &str, rules: &str| {
        route(&format!("scopes_supported: [{offered}]\n    tools: {{{rules}}}"))
    };
    let missing = "warning: demanded here, but neither this scope nor one that implies it is in `scopes_supported`: clients that ask for what is published never get in";
    let none = "warning: none of these is in `scopes_supported`: clients that ask for what is published never get in";
    expect(&[
        (offered("notes.read, x, y", "t: [x], u: {any_scope: [y, z]}"), ""),
        (offered("notes.read", "t: [x]"), &format!("{PATH}.tools.t[0]: {missing}")),
        (
            offered("notes.read", "t: {required_scopes: [x], any_scope: [y, z]}"),
            &format!(
                "{PATH}.tools.t.required_scopes[0]: {missing}\n{PATH}.tools.t.any_scope[0]: {none}"
            ),
        ),
        (
            offered("notes.read, w", "t: [notes.read]"),
            &format!(
                "{PATH}.scopes_supported[1]: warning: no rule of this route can require this scope"
            ),
        ),
        (format!("scope_implies: {{w: [notes.read]}}\n{}", route("scopes_supported: [w]")), ""),
        // A broader scope opens what the narrower one does.
        (format!("scope_implies: {{w: [x]}}\n{}", offered("notes.read, w", "t: [x]")), ""),
    ]);
}
