//! Rules about the tokens of a server, and about the servers of a route.

use super::{MINIMAL, client, expect, route, server};

/// The smallest file with a second server, `other`, and these servers named by its route.
fn two(names: &str) -> String {
    format!("{}    authorization_servers: {names}\n", second("https://o.example"))
}

/// The smallest file with a second server that has this issuer.
fn second(issuer: &str) -> String {
    let other =
        format!("  other: {{issuer: '{issuer}', client: {{authentication: none}}}}\nroutes:");
    MINIMAL.replace("routes:", &other)
}

#[test]
fn routes_name_their_authorization_servers() {
    let path = "routes.notes.authorization_servers";
    let same =
        format!("{}    authorization_servers: [corp, other]\n", second("https://auth.example.com"));
    expect(&[
        (
            second("https://o.example"),
            &format!("{path}: this key is required: name one or more of corp, other"),
        ),
        (two("[other, corp]"), ""),
        (
            two("[corp, other, corp]"),
            &format!("{path}[2]: this authorization server is listed already; drop one"),
        ),
        (
            two("[corp, othr]"),
            &format!("{path}[1]: no authorization server has this name; did you mean `other`?"),
        ),
        (
            two("[x, corp, y]"),
            &format!(
                "{path}[0]: no authorization server has this name; known: corp, other\n{path}[2]: no authorization server has this name; known: corp, other"
            ),
        ),
        (
            same,
            &format!(
                "{path}[1]: has the issuer of `corp`, so that a token could be either's; list one of them"
            ),
        ),
        (
            route("authorization_servers: [corb]"),
            &format!("{path}[0]: no authorization server has this name; did you mean `corp`?"),
        ),
        (
            route("authorization_servers: []"),
            &format!(
                "authorization_servers.corp: warning: no protected route uses this authorization server\n{path}: needs one authorization server (or `access: public`)"
            ),
        ),
        (
            format!("{}    legacy_metadata: true\n", two("[corp, other]")),
            "routes.notes.legacy_metadata: mirrors the metadata of one authorization server, and this route has several; list one, or drop this key",
        ),
        (format!("{}    legacy_metadata: false\n", two("[corp, other]")), ""),
    ]);
}

#[test]
fn no_server_speaks_for_another_configured_one() {
    let accepting = |issuer: &str| {
        let lines = format!("introspection: {{accepted_issuers: ['{issuer}']}}\n    client:");
        two("[corp, other]").replacen("client:", &lines, 1)
    };
    expect(&[
        (accepting("https://alias.example"), ""),
        (accepting("https://auth.example.com"), ""),
        (accepting("https://o.example/"), ""),
        (
            accepting("https://o.example"),
            "authorization_servers.corp.introspection.accepted_issuers[0]: is the issuer of `other`, whose tokens are judged by `other` alone; drop it, and list `other` on the routes that take its tokens",
        ),
    ]);
}

#[test]
fn kinds_of_tokens_have_what_they_need_and_no_more() {
    let corp = "authorization_servers.corp";
    let needs = "needs introspection, and that needs `client: {id, secret}` beside it, or `client: {authentication: none}` where the server asks for none";
    let without = |lines: &str| client(&format!("null\n    {lines}"));
    let off = |text: String| format!("{text}    audience_match: off\n");
    let free = |text: String| text.replace("[notes.read]", "[]");
    let weak = "routes.notes.audience_match: warning: tokens that were issued for other resources are accepted here too";
    expect(&[
        (without("access_tokens: jwt"), ""),
        (server("access_tokens: auto"), ""),
        (server("access_tokens: introspection"), ""),
        (without("access_tokens: auto"), &format!("{corp}.access_tokens: {needs}")),
        (without("access_tokens: introspection"), &format!("{corp}.access_tokens: {needs}")),
        (
            server("access_tokens: jwt"),
            &format!(
                "{corp}.client: warning: with `access_tokens: jwt` nothing is introspected and this client has no use; drop one of the two"
            ),
        ),
        (
            without("access_tokens: jwt\n    introspection: {timeout: 1s}"),
            &format!(
                "{corp}.introspection: has no meaning with `access_tokens: jwt`; drop one of the two"
            ),
        ),
        (
            without("introspection: {}"),
            &format!(
                "{corp}.introspection: has no meaning without `client`: tokens are then verified as JWTs; add the client, or drop this"
            ),
        ),
        (server("access_tokens: auto\n    jwt: {required_type: at+jwt}"), ""),
        (without("jwt: {algorithms: [ES256]}"), ""),
        (
            server("jwt: {}"),
            &format!(
                "{corp}.jwt: has no meaning with `access_tokens: introspection`, the default with a `client`: nothing is verified here; drop it, or write `access_tokens: auto` or `jwt`"
            ),
        ),
        (
            server("access_tokens: introspection\n    jwt: {}"),
            &format!(
                "{corp}.jwt: has no meaning with `access_tokens: introspection`: nothing is verified here; drop it, or write `access_tokens: auto` or `jwt`"
            ),
        ),
        (
            server("access_tokens: introspecton"),
            &format!(
                "{corp}.access_tokens: probably `introspection` is meant; expected one of introspection, jwt, userinfo, auto"
            ),
        ),
        (free(off(without("access_tokens: userinfo\n    introspection: {timeout: 1s}"))), weak),
        (
            free(without("access_tokens: userinfo")),
            "routes.notes.audience_match: authorization server corp is asked at its userinfo endpoint, which names no audience: write `audience_match: off` (any token of that server then opens this route), or have it introspect or issue JWTs",
        ),
    ]);
}

#[test]
fn userinfo_beside_another_server_needs_an_audience_switched_off_too() {
    let text =
        two("[corp, other]").replace("client: {authentication: none}", "access_tokens: userinfo");
    let places = |how: &str| {
        let text = format!("{text}    audience_match: {how}\n");
        super::super::problems(&text.replace("[notes.read]", "[]"))
    };
    let refusal = "authorization server other is asked at its userinfo endpoint";
    for how in ["exact", "prefix", "client_id"] {
        assert!(
            places(how).contains(&format!("g.yaml:14:21: routes.notes.audience_match: {refusal}")),
            "{}",
            places(how)
        );
    }
    assert!(!places("off").contains(refusal));
}

#[test]
fn scopes_that_a_userinfo_endpoint_hardly_tells_are_warned_about() {
    let of_server = |claims: &str| {
        let text = client(&format!("null\n    access_tokens: userinfo{claims}"));
        format!("{text}    audience_match: off\n")
    };
    let warning = "routes.notes.required_scopes[0]: warning: authorization server corp is asked at its userinfo endpoint, whose answers rarely have a scope";
    let said = |text: &str| super::super::problems(text);
    assert!(said(&of_server("")).contains(warning), "{}", said(&of_server("")));
    let none = of_server("").replace("required_scopes: [notes.read]", "required_scopes: []");
    for text in [none, of_server("\n    claims: {scope: [groups]}"), MINIMAL.to_owned()] {
        assert!(!said(&text).contains("rarely have a scope"), "{}", said(&text));
    }
}

#[test]
fn claims_are_named_plainly_or_by_pointer() {
    let path = "authorization_servers.corp.claims";
    let pointer = "begins with `/` but is no JSON pointer (RFC 6901): `~` is written `~0`, and a `/` within a name `~1`";
    expect(&[
        (server("claims: {scope: [/realm_access/roles, scope], subject: [/a~0b/c~1d]}"), ""),
        (server("claims: {scope: ['https://x.example/~roles']}"), ""),
        (server("claims: {scope: [scope, /a~b]}"), &format!("{path}.scope[1]: {pointer}")),
        (server("claims: {client_id: [/a~]}"), &format!("{path}.client_id[0]: {pointer}")),
        (server("claims: {scope_prefixes: ['api://notes/', 'x:']}"), ""),
        (
            server("claims: {scope_prefixes: ['a b']}"),
            &format!(
                "{path}.scope_prefixes[0]: a scope is printable ASCII without space, double quote or backslash (RFC 6749 section 3.3); expected one scope"
            ),
        ),
    ]);
}
