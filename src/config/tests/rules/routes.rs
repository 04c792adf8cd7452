//! The rules of routes and their upstreams.

use super::{expect, route, upstream};
use crate::config::tests::MINIMAL;

#[test]
fn route_paths_are_plain() {
    let path = |path: &str| MINIMAL.replace("path: /notes", &format!("path: '{path}'"));
    let wrong = |why: &str| format!("routes.notes.path: {why}; expected a path such as /notes");
    expect(&[
        (path("/"), ""),
        (path("/notes/"), ""),
        (path("/a/b.c~d_e-f"), ""),
        (path("notes"), &wrong("does not begin with `/`")),
        (path("//"), &wrong("has an empty segment (`//`)")),
        (path("/a//b"), &wrong("has an empty segment (`//`)")),
        (path("/a/../b"), &wrong("has a `.` or `..` segment")),
        (
            path("/a/.Well-Known/b"),
            &wrong("`/.well-known/` belongs to the gateway's own documents"),
        ),
        (
            path("/a%2fb"),
            &wrong(
                "has a character that no route path may have (`%`, `;`, `\\`, `?`, `#`, space, ...)",
            ),
        ),
        (
            path("/a;b"),
            &wrong(
                "has a character that no route path may have (`%`, `;`, `\\`, `?`, `#`, space, ...)",
            ),
        ),
    ]);
}

#[test]
fn routes_are_named_and_told_apart() {
    let other = |path: &str, url: &str| {
        format!(
            "{MINIMAL}  other: {{path: {path}, upstream: 'http://a', required_scopes: [], public_url: {url}}}\n"
        )
    };
    expect(&[
        (other("/other", "null"), ""),
        (other("/notes", "https://other.example.com"), ""),
        (
            other("/notes/", "null"),
            "routes.other.path: the route of line 9 has this path and host already",
        ),
        (
            other("/notes", "https://mcp.example.com"),
            "routes.other.path: the route of line 9 has this path and host already",
        ),
        (
            MINIMAL.replace("  notes:", "  jwks.json:"),
            "routes.jwks.json: a name is 1 to 63 lower-case letters, digits, `_` and `-`, beginning with a letter or digit\nroutes.jwks.json: a route must not be named like a well-known document; rename it",
        ),
        (
            MINIMAL.replace("  notes:", "  openid-configuration:"),
            "routes.openid-configuration: a route must not be named like a well-known document; rename it",
        ),
        (
            "public_url: https://a.example\nroutes: {}\n".into(),
            "routes: no route: nothing would be served",
        ),
        (
            "public_url: https://a.example\nroutes: {a: {path: /a, required_scopes: [x], upstream: 'http://b'}}\n".into(),
            "routes.a: a protected route needs an authorization server: add one under `authorization_servers`",
        ),
    ]);
}

#[test]
fn what_weakens_a_route_is_warned_of_or_refused() {
    expect(&[
        (
            route("audience_match: off"),
            "routes.notes.audience_match: warning: tokens that were issued for other resources are accepted here too",
        ),
        (
            route("audience_match: client_id"),
            "routes.notes.audience_match: warning: tokens name their client, not this resource: a token for any other resource of the same client is accepted here too",
        ),
        (route("audience_match: prefix"), ""),
        (
            route("audience_match: client_id\n    audiences: [x]"),
            "routes.notes.audience_match: warning: tokens name their client, not this resource: a token for any other resource of the same client is accepted here too\nroutes.notes.audiences: not compared with `audience_match: off` or `client_id`; drop one of the two",
        ),
        (
            route("forward_subpaths: true"),
            "routes.notes.forward_subpaths: warning: whatever the upstream has below the path is open to the route's scopes, and sessions named in paths or queries are bound to nobody",
        ),
        (
            route("scopes_supported: [notes.read, offline_access, notes.write]"),
            "routes.notes.scopes_supported[1]: warning: `offline_access` is between client and authorization server; a resource should not publish it\nroutes.notes.scopes_supported[2]: warning: no rule of this route can require this scope",
        ),
        (
            route("scopes_supported: []"),
            "routes.notes.required_scopes[0]: warning: required, but not in `scopes_supported`: clients that ask for what is published never get in",
        ),
        (
            MINIMAL.replace("[notes.read]", "[offline_access]"),
            "routes.notes.required_scopes[0]: `offline_access` asks for a refresh token and is no scope of a resource; drop it",
        ),
        (MINIMAL.replace("[notes.read]", "[]"), ""),
        (
            MINIMAL.replace("[notes.read]", "null"),
            "routes.notes.required_scopes: expected a list, found null",
        ),
        (
            MINIMAL.replace("[notes.read]", "['a b']"),
            "routes.notes.required_scopes[0]: a scope is printable ASCII without space, double quote or backslash (RFC 6749 section 3.3); expected one scope",
        ),
        (
            route("resource: https://mcp.example.com/note"),
            "routes.notes.resource: warning: clients refuse a resource that is neither the URL they call nor a parent of it (RFC 9728 section 3.3)",
        ),
        (
            route("resource: https://MCP.example.com/notes"),
            "routes.notes.resource: warning: clients refuse a resource that is neither the URL they call nor a parent of it (RFC 9728 section 3.3)",
        ),
        (route("resource: https://mcp.example.com/"), ""),
        (
            MINIMAL.replace("    required_scopes: [notes.read]\n", ""),
            "routes.notes.required_scopes: warning: without it any token for this resource may do everything; write `required_scopes: []` if that is meant",
        ),
        (route("resource: https://mcp.example.com"), ""),
    ]);
}

#[test]
fn public_routes_say_nothing_about_tokens() {
    let public = "public_url: https://a.example\nroutes: {a: {path: /a, upstream: 'http://b', access: public}}\n";
    let with = |more: &str| public.replace("public}", &format!("public, {more}}}"));
    let refusal = "has no meaning with `access: public`; drop one of the two";
    expect(&[
        (public.into(), ""),
        (with("required_scopes: []"), &format!("routes.a.required_scopes: {refusal}")),
        (with("audiences: [x]"), &format!("routes.a.audiences: {refusal}")),
        (with("legacy_metadata: false"), &format!("routes.a.legacy_metadata: {refusal}")),
        (
            with("metadata: {x: 1}, resource: null"),
            &format!("routes.a.metadata: {refusal}\nroutes.a.resource: {refusal}"),
        ),
    ]);
}

#[test]
fn route_metadata_does_not_replace_what_the_gateway_says() {
    expect(&[
        (route("metadata: {resource_name: Notes, x: [1, {y: null}]}"), ""),
        (
            route("metadata: {resource: x}"),
            "routes.notes.metadata.resource: the gateway writes this field; see the route's `resource`",
        ),
        (
            route("metadata: {bearer_methods_supported: [query]}"),
            "routes.notes.metadata.bearer_methods_supported: the gateway writes this field; tokens are taken from the Authorization header only",
        ),
        (
            route("metadata: {x: null}"),
            "routes.notes.metadata.x: null is no metadata value; leave the field out",
        ),
        (
            route("metadata: {resource_tos_uri: x}"),
            "routes.notes.metadata.resource_tos_uri: must be an absolute http(s) URL (RFC 9728 section 2)",
        ),
        (
            route("metadata: {x: .inf}"),
            "routes.notes.metadata.x: this number has no JSON form; quote it",
        ),
    ]);
}

#[test]
fn upstreams_are_one_url_with_sensible_headers() {
    let headers =
        |headers: &str| upstream(&format!("{{urls: ['http://a/mcp'], headers: {headers}}}"));
    let path = "routes.notes.upstream";
    let wanted = "expected a URL such as http://127.0.0.1:3001/mcp";
    let reserved = "the gateway itself sets, checks or removes this header";
    expect(&[
        (upstream("{urls: ['https://a/mcp'], host: 'b:80', connect_timeout: 1s}"), ""),
        (
            upstream("http://u:p@a/"),
            &format!("{path}: a user name or password is not allowed in the URL; {wanted}"),
        ),
        (upstream("'http://a/#x'"), &format!("{path}: a fragment (`#…`) is not allowed; {wanted}")),
        (
            upstream("http://a/?x"),
            &format!(
                "{path}: a query (`?…`) is not allowed: the client's own is passed on; {wanted}"
            ),
        ),
        (upstream("unix:/x"), &format!("{path}: not an absolute http(s) URL; {wanted}")),
        (upstream("[http://a]"), &format!("{path}: {wanted}, found a list")),
        (upstream("{urls: []}"), &format!("{path}.urls: needs one URL")),
        (
            upstream("{urls: ['http://a'], host: 'a@b'}"),
            &format!(
                "{path}.host: not a host name or address, with or without a port; expected one such as notes.internal:3001"
            ),
        ),
        (
            upstream("{urls: ['http://a'], response_timeout: 0s}"),
            &format!("{path}.response_timeout: must be from 1ms to 24h"),
        ),
        (
            upstream("{urls: ['http://a'], token: forward}"),
            &format!("{path}.token: unknown key: this version does not support it yet"),
        ),
        (headers("{X-Api-Key: '${INTROSPECTION_SECRET}', Authorization: {file: secret}}"), ""),
        (headers("{HOST: x}"), &format!("{path}.headers.HOST: {reserved}")),
        (
            headers("{Transfer_Encoding: x}"),
            &format!("{path}.headers.Transfer_Encoding: {reserved}"),
        ),
        (headers("{X-Forwarded-For: x}"), &format!("{path}.headers.X-Forwarded-For: {reserved}")),
        (headers("{Mcp-Session-Id: x}"), &format!("{path}.headers.Mcp-Session-Id: {reserved}")),
        (
            headers("{X-A: x, x_a: y}"),
            &format!(
                "{path}.headers.x_a: this header is written twice (case, `-` and `_` are alike)"
            ),
        ),
        (headers("{'X A': x}"), &format!("{path}.headers.?: not a header name")),
        (
            headers("{X-A: {fil: x}}"),
            &format!(
                "{path}.headers.X-A.file: this key is required\n{path}.headers.X-A.fil: unknown key; did you mean `file`?"
            ),
        ),
    ]);
}
