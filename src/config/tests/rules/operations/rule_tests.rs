//! The form of rule tests; what comes of them is tested where they are run.

use super::{expect, route};

#[test]
fn a_test_says_who_asks_for_what_and_what_should_come() {
    let test = |test: &str| route(&format!("tests: [{{{test}}}]"));
    let at = "routes.notes.tests[0]";
    let words = "200, 400, 401, 403, allowed, denied, hidden, in_band";
    expect(&[
        (test("scope: '', call: a, arguments: {x: {y: [1]}}, expect: '200'"), ""),
        (test("scope: a b, claims: {x: y}, resource: 'file:///a', expect: in_band"), ""),
        (test("scope: a, prompt: a, expect: hidden"), ""),
        (test("method: ping, expect: 401"), ""),
        (test("call: a"), &format!("{at}.expect: this key is required")),
        (
            test("call: a, expect: 404"),
            &format!("{at}.expect: nothing that can come of a request; expected one of {words}"),
        ),
        (
            test("call: a, expect: hiden"),
            &format!("{at}.expect: probably `hidden` is meant; expected one of {words}"),
        ),
        (
            test("call: a, expect: forwarded"),
            &format!("{at}.expect: nothing that can come of a request; expected one of {words}"),
        ),
        (
            test("expect: 200"),
            &format!("{at}: needs one of `call`, `prompt`, `resource` and `method`"),
        ),
        (
            test("call: a, resource: b, expect: 200"),
            &format!(
                "{at}.resource: a test asks for one thing: one of `call`, `prompt`, `resource` and `method`"
            ),
        ),
        (
            test("method: tools/call, expect: 200"),
            &format!("{at}.method: such a message names something; write `call` instead"),
        ),
        (
            test("scope: a, resource: b, arguments: {x: y}, expect: 200"),
            &format!("{at}.arguments: only tools and prompts are called with arguments; drop it"),
        ),
        (
            test("call: a, claims: {x: y}, expect: 200"),
            &format!(
                "{at}.claims: claims stand in a token; write its `scope` too (\"\" when it has none)"
            ),
        ),
        (
            test("scope: [a], tool: b, expect: 200"),
            &format!(
                "{at}: needs one of `call`, `prompt`, `resource` and `method`\n{at}.scope: expected scopes with spaces between them, found a list\n{at}.tool: unknown key; known here: scope, claims, call, prompt, resource, method, arguments, expect"
            ),
        ),
        (
            route("tests: {call: a, expect: 200}"),
            "routes.notes.tests: expected a list, found keys with values",
        ),
    ]);
}
