//! One row per rule of the file: what is written, and what is said to it.

mod clients;
mod operations;
mod routes;
mod tokens;

use super::{MINIMAL, problems};

/// The smallest file with lines more in its route.
fn route(lines: &str) -> String {
    format!("{MINIMAL}    {lines}\n")
}

/// The smallest file with lines more in its authorization server.
fn server(lines: &str) -> String {
    MINIMAL.replace("    client:", &format!("    {lines}\n    client:"))
}

/// The smallest file with another client.
fn client(client: &str) -> String {
    MINIMAL.replace("{id: gatehouse, secret: \"${INTROSPECTION_SECRET}\"}", client)
}

/// The smallest file with another upstream.
fn upstream(upstream: &str) -> String {
    MINIMAL.replace("http://127.0.0.1:3001/mcp", upstream)
}

/// The smallest file with lines more at its top.
fn top(lines: &str) -> String {
    format!("{lines}\n{MINIMAL}")
}

/// Checks that a text has exactly these problems, each named without its place.
fn expect(rows: &[(String, &str)]) {
    for (text, expected) in rows {
        let found = problems(text);
        let without_place =
            |line: &str| line.splitn(4, ':').nth(3).unwrap_or(line).trim_start().to_owned();
        let found: Vec<_> = found.lines().map(without_place).collect();
        assert_eq!(found.join("\n"), *expected, "of\n{text}");
    }
}

#[test]
fn public_url_is_an_origin() {
    let public = |url: &str| MINIMAL.replace("https://mcp.example.com", url);
    expect(&[
        (public("https://mcp.example.com/"), ""),
        (public("http://localhost:8080"), ""),
        (
            public("https://a.example/x"),
            "public_url: only scheme and authority may stand here, no path or query; expected an origin such as https://mcp.example.com",
        ),
        (
            public("http://a.example"),
            "public_url: must be https (http only on a loopback host); expected an origin such as https://mcp.example.com",
        ),
        (
            MINIMAL.replace("public_url", "puplic_url"),
            "public_url: this key is required\npuplic_url: unknown key; did you mean `public_url`?",
        ),
    ]);
}

#[test]
fn http_is_for_loopback_or_when_insecurity_is_asked_for() {
    let insecure =
        "must be https (http only on a loopback host, or with `insecure_allow_http: true`)";
    let issuer = |url: &str| MINIMAL.replace("https://auth.example.com", url);
    let allowed = "insecure_allow_http: true\n    metadata_url: http://a.example/m";
    expect(&[
        (issuer("http://127.0.0.1:4000"), ""),
        (issuer("http://[::1]:4000"), ""),
        (
            issuer("http://localhost.a.example"),
            &format!("authorization_servers.corp.issuer: {insecure}"),
        ),
        (
            server("metadata_url: http://a.example/m"),
            &format!("authorization_servers.corp.metadata_url: {insecure}"),
        ),
        (
            server("metadata: {introspection_endpoint: 'http://a.example/i'}"),
            &format!("authorization_servers.corp.metadata.introspection_endpoint: {insecure}"),
        ),
        (
            server("metadata: {jwks_uri: 'ftp://a.example/i'}"),
            "authorization_servers.corp.metadata.jwks_uri: must be an absolute http(s) URL (RFC 8414 section 2)",
        ),
        (
            server(allowed),
            "authorization_servers.corp.insecure_allow_http: warning: tokens and client secrets may travel unencrypted",
        ),
    ]);
}

#[test]
fn authorization_servers_are_consistent() {
    let unused = "  other: {issuer: 'https://o.example'}\nroutes:";
    expect(&[
        (
            server("metadata: {issuer: 'https://auth.example.com/'}"),
            "authorization_servers.corp.metadata.issuer: must be the `issuer` above, byte for byte; leave it out",
        ),
        (server("metadata: {issuer: 'https://auth.example.com'}"), ""),
        (server("clock_skew: 1h"), "authorization_servers.corp.clock_skew: must be from 0s to 10m"),
        (
            server("claims: {scope: []}"),
            "authorization_servers.corp.claims.scope: needs at least one claim name",
        ),
        (
            server("introspection: {timeout: 0s}"),
            "authorization_servers.corp.introspection.timeout: must be from 1ms to 1m",
        ),
        (
            server("introspection: {cache: {max_entries: 0}}"),
            "authorization_servers.corp.introspection.cache.max_entries: must be from 1 to 100000000",
        ),
        (
            MINIMAL.replace("  corp:", "  Corp:"),
            "authorization_servers.Corp: a name is 1 to 63 lower-case letters, digits, `_` and `-`, beginning with a letter or digit",
        ),
        (
            MINIMAL
                .replace("routes:", unused)
                .replace("    path:", "    authorization_servers: [corp]\n    path:"),
            "authorization_servers.other: warning: no protected route uses this authorization server",
        ),
    ]);
}

#[test]
fn jwt_algorithms_are_asymmetric_ones() {
    let path = "authorization_servers.corp.jwt";
    let known = "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA";
    let unknown = |index: usize| {
        format!("{path}.algorithms[{index}]: none of the known words; expected one of {known}")
    };
    expect(&[
        (server("access_tokens: auto\n    jwt: {}"), ""),
        (server("access_tokens: auto\n    jwt: {algorithms: [ES256], required_type: at+jwt}"), ""),
        (server("access_tokens: auto\n    jwt: {algorithms: [none]}"), &unknown(0)),
        (
            server("access_tokens: auto\n    jwt: {algorithms: []}"),
            &format!("{path}.algorithms: needs at least one algorithm, such as RS256"),
        ),
        (
            server("access_tokens: auto\n    jwt: {cache: {max_entries: 0}}"),
            &format!("{path}.cache.max_entries: must be from 1 to 100000000"),
        ),
        (
            server("access_tokens: auto\n    jwt: {required_type: JWT}"),
            &format!("{path}.required_type: none of the known words; expected one of at+jwt"),
        ),
    ]);
    let hmac = problems(&server("access_tokens: auto\n    jwt: {algorithms: [RS256, HS256]}"));
    assert!(hmac.contains(&format!("{path}.algorithms")) && hmac.contains(known), "{hmac}");
}

#[test]
fn listeners_are_bounded_and_apart() {
    let any = "listen: {allowed_origins: ['*', 'null', 'http://localhost:*', 'vscode-webview://x'], allowed_hosts: ['*', 'A.example:8443']}";
    let origin = "not an origin as browsers send it: lower case, without path, trailing slash or the scheme's own port; expected one such as https://app.example.com, http://localhost:*, null or *";
    expect(&[
        (
            top(
                "listen: {address: '[::]:8443', trusted_proxies: [10.1.2.3, 'fd00::/8'], drain_timeout: 0s}\nadmin: {address: '0.0.0.0:9464'}",
            ),
            "",
        ),
        (
            top("listen: {address: localhost:80}"),
            "listen.address: not an IP address with a port; expected one such as 127.0.0.1:8080 or [::1]:8080",
        ),
        (
            top("listen: {address: 127.0.0.1:9464}"),
            "listen.address: listen.address and admin.address are the same; each needs its own",
        ),
        (
            top("listen: {limits: {max_header_bytes: 100, body_timeout: 2h}}"),
            "listen.limits.max_header_bytes: must be from 8192 to 1048576\nlisten.limits.body_timeout: must be from 1ms to 1h",
        ),
        (
            top("listen: {limits: {max_connections: -1}}"),
            "listen.limits.max_connections: expected a plain whole number, zero or more, found a number",
        ),
        (
            top("listen: {trusted_proxies: ['::/0']}"),
            "listen.trusted_proxies[0]: a network of all addresses would let everybody say where a request comes from; expected an IP network such as 10.1.0.0/16",
        ),
        (
            top("listen: {allowed_origins: ['https://a.example/']}"),
            &format!("listen.allowed_origins[0]: {origin}"),
        ),
        (
            top("listen: {allowed_origins: ['https://a.example:443']}"),
            &format!("listen.allowed_origins[0]: {origin}"),
        ),
        (
            top("listen: {allowed_hosts: ['a.example:']}"),
            "listen.allowed_hosts[0]: not a host name or address, with or without a port; expected one such as mcp.example.com, mcp.example.com:8443 or *",
        ),
        (
            top(any),
            "listen.allowed_origins[0]: warning: pages of every web site may call MCP routes\nlisten.allowed_hosts[0]: warning: every Host is served, so DNS rebinding is not noticed",
        ),
        (top("listen: [1]"), "listen: expected keys with values, found a list"),
        (
            top("telemetry: {audit: file}"),
            "telemetry.audit: no such output; expected `stdout`, or an object such as {file: /var/log/gatehouse/audit.jsonl}",
        ),
        (
            top("telemetry: {audit: {file: /var/log/, client_address: 'yes'}}"),
            "telemetry.audit.file: a folder; name a file in it\ntelemetry.audit.client_address: expected true or false, found a text",
        ),
        (
            top("telemetry: {log: {level: informational}, access_log: 'true'}"),
            "telemetry.log.level: none of the known words; expected one of error, warn, info, debug, trace\ntelemetry.access_log: expected true or false, found a text",
        ),
    ]);
}

#[test]
fn numbers_are_what_every_reader_takes_them_for() {
    let count = |number: &str| top(&format!("listen: {{limits: {{max_connections: {number}}}}}"));
    for number in ["010", "0x10", "0o10", "1e3", "10.0", "1_000", "'10'", "ten", "null", "yes"] {
        let found = problems(&count(number));
        assert!(
            found.contains("max_connections: expected a plain whole number"),
            "{number}: {found}"
        );
    }
    expect(&[(count("10"), ""), (count("+10"), "")]);
}

#[test]
fn session_keys_are_long_enough() {
    let key = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY";
    let how = "`openssl rand -base64 32 | tr '+/' '-_'` makes a key";
    expect(&[
        (top(&format!("sessions: {{keys: [{key}, {key}=], key_files: [key]}}")), ""),
        (
            top("sessions: {keys: [QUJD]}"),
            &format!("sessions.keys[0]: shorter than 32 bytes; {how}"),
        ),
        (
            top("sessions: {keys: ['not base64!']}"),
            &format!("sessions.keys[0]: not base64url; {how}"),
        ),
        (
            top("sessions: {key_files: [secret]}"),
            &format!("sessions.key_files[0]: not base64url; {how}"),
        ),
    ]);
}

#[test]
fn variables_are_read_as_if_written_plain() {
    expect(&[
        (
            top(
                "listen: {limits: {max_connections: '${NUMBER}'}, drain_timeout: \"${MISSING:-5s}\"}",
            ),
            "",
        ),
        (route("resource: ${EMPTY}"), ""),
        (client("{id: '${NUMBER}', secret: '$${literal}'}"), ""),
        (
            client("{id: x, secret: '${EMPTY}'}"),
            "authorization_servers.corp.client.secret: this key, or `secret_file`, is required (unless `authentication: none`)",
        ),
        (
            client("{id: x, secret: '${MISSING}'}"),
            "authorization_servers.corp.client.secret: the environment variable MISSING is not set; set it, or write ${MISSING:-default}",
        ),
        (
            client("{id: x, secret: 'a${b'}"),
            "authorization_servers.corp.client.secret: `${` without `}`; write `$${` for a literal `${`",
        ),
    ]);
}

#[test]
fn yaml_is_read_strictly() {
    expect(&[
        (String::new(), "the file is empty"),
        ("# nothing\n".into(), "the file is empty"),
        ("[]".into(), "expected keys with values, found a list"),
        ("a: &x 1".into(), "a YAML anchor (`&name`): write the value out where it is used"),
        (
            "a: *x".into(),
            "a YAML alias (`*name`): write the value out; a text that begins with `*` needs quotes",
        ),
        (
            "a: !!str x".into(),
            "a YAML tag (`!name`) has no meaning here; a text that begins with `!` needs quotes",
        ),
        ("<<: {a: 1}".into(), "a YAML merge key (`<<`): write the keys out"),
        ("a: 1\n---\nb: 2".into(), "a second YAML document: only one may stand here"),
        ("? [a]\n: 1".into(), "a key must be a text"),
        (
            top("public_url: x"),
            "public_url: not an absolute http(s) URL; expected an origin such as https://mcp.example.com\npublic_url: this key is written twice; keep one",
        ),
    ]);
}
