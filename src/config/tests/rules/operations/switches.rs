//! What is listed, shown, open to everybody or only watched.

use super::{PATH, expect, route};

#[test]
fn unlisted_tools_are_denied_beside_listed_ones() {
    expect(&[
        (route("unlisted_tools: deny\n    tools: {a: []}"), ""),
        (
            route("unlisted_tools: deny"),
            &format!(
                "{PATH}.unlisted_tools: `tools` names no tool, so that every one is denied; name those that may be used"
            ),
        ),
        (route("unlisted_tools: {deny: true, when_denied: challenge}\n    tools: {a: []}"), ""),
        (route("unlisted_tools: {deny: true}\n    tools: {a: []}"), ""),
        (route("unlisted_tools: {deny: false}"), ""),
        (
            route("unlisted_tools: {when_denied: challenge}\n    tools: {a: []}"),
            &format!(
                "{PATH}.unlisted_tools.when_denied: unlisted tools are not denied; write `deny: true` beside it, or drop it"
            ),
        ),
        (
            route(
                "unlisted_tools: {deny: true, when_denied: challenge}\n    filter_lists: off\n    tools: {a: []}",
            ),
            "",
        ),
        (
            route("unlisted_tools: deny\n    tools:\n      '*': [x]"),
            &format!(
                "{PATH}.unlisted_tools: the pattern of line 14 names every tool: none is unlisted"
            ),
        ),
    ]);
}

#[test]
fn lists_are_filtered_and_annotated_where_there_are_rules() {
    expect(&[
        (route("annotate_tools: true\n    tools: {a: [x]}"), ""),
        (
            route("annotate_tools: true\n    prompts: {a: [x]}"),
            &format!(
                "{PATH}.annotate_tools: there is nothing to add without rules under `tools`; drop it"
            ),
        ),
        (route("filter_lists: scopes\n    tools: {a: [x]}"), ""),
        (route("filter_lists: denied"), ""),
        (
            route("filter_lists: scopes\n    methods: {a: [x]}"),
            &format!(
                "{PATH}.filter_lists: there is nothing to leave out without rules under `tools`, `prompts` or `resources`; drop it"
            ),
        ),
        (route("filter_lists: off\n    tools: {a: [x]}"), ""),
        (
            route("filter_lists: off\n    tools: {a: {deny: true}}"),
            &format!("{PATH}.filter_lists: warning: lists show what the rule of line 13 hides"),
        ),
        (
            route("filter_lists: off\n    prompts: {a: {claims: {x: y}, when_denied: hide}}"),
            &format!("{PATH}.filter_lists: warning: lists show what the rule of line 13 hides"),
        ),
        (route("filter_lists: off\n    tools: {a: {deny: true, when_denied: challenge}}"), ""),
        (
            route("filter_lists: off\n    unlisted_tools: deny\n    tools: {a: []}"),
            &format!(
                "{PATH}.filter_lists: warning: lists show the tools that `unlisted_tools: deny` hides"
            ),
        ),
    ]);
}

#[test]
fn a_shadowed_route_is_warned_of() {
    expect(&[
        (route("shadow: false"), ""),
        (
            route("shadow: true"),
            &format!(
                "{PATH}.shadow: warning: a token that lacks scopes is let through; what would be refused is only logged"
            ),
        ),
    ]);
}

#[test]
fn what_is_open_without_a_token_is_said() {
    let open = |what: &str| format!("warning: every {what} is open to everybody");
    let login = "warning: a login is asked for only where the rules of `tools` demand scopes or claims; every other tool is open to everybody";
    let anonymous =
        |methods: &str, more: &str| route(&format!("anonymous_methods: [{methods}]\n    {more}"));
    let at = format!("{PATH}.anonymous_methods");
    expect(&[
        (anonymous("initialize, ping, tools/list", "tools: {a: [x]}"), ""),
        (anonymous("tools/call", ""), &format!("{at}[0]: {}", open("tool"))),
        (anonymous("ping, 'tools/*'", "tools: {a: [x], b: []}"), &format!("{at}[1]: {login}")),
        (
            anonymous("prompts/get, resources/read", "tools: {a: [x]}"),
            &format!("{at}[0]: {}\n{at}[1]: {}", open("prompt"), open("resource")),
        ),
        (
            anonymous("completion/complete", "methods: {'completion/*': [x]}"),
            &format!(
                "{at}[0]: warning: the rule of line 13 demands scopes or claims of it: whoever comes without a token is asked to log in"
            ),
        ),
        (anonymous("ping", "methods: {'completion/*': [x], ping: {deny: true}}"), ""),
    ]);
}
