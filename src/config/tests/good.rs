//! What files that are right compile to.

use std::{path::Path, time::Duration};

use super::{MINIMAL, TestEnvironment, problems, read};
use crate::{
    config::{
        parse,
        settings::{
            Access, AccessTokens, AllowedHost, AllowedOrigin, AudienceMatch, AuditSettings,
            ClientAuthentication, ProtectedSettings,
        },
    },
    logging::LogFormat,
};

#[test]
fn the_smallest_file_fills_all_settings() {
    assert_eq!(problems(MINIMAL), "");
    let settings = read(MINIMAL).unwrap().settings;
    assert_eq!(settings.public_url.as_str(), "https://mcp.example.com");
    assert_eq!(settings.listen.address.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.listen.limits.max_body_bytes, 4_194_304);
    assert_eq!(settings.listen.limits.idle_timeout, Duration::from_secs(75));
    assert_eq!(settings.admin.address.to_string(), "127.0.0.1:9464");
    assert_eq!(settings.telemetry.log_format, LogFormat::Json);
    let server = &settings.authorization_servers[0];
    assert_eq!((&*server.name, server.issuer.as_str()), ("corp", "https://auth.example.com"));
    let ClientAuthentication::ClientSecretBasic { id, secret } = &server.client else { panic!() };
    assert_eq!((id.as_str(), secret.expose()), ("gatehouse", super::environment::CANARY));
    assert_eq!(server.access_tokens, AccessTokens::Introspection);
    assert_eq!(server.introspection.cache_ttl, Duration::from_mins(1));
    let route = &settings.routes[0];
    assert_eq!((&*route.name, &*route.path), ("notes", "/notes"));
    assert_eq!(route.upstream.url.as_str(), "http://127.0.0.1:3001/mcp");
    let Access::Protected(protected) = &route.access else { panic!() };
    assert_eq!(protected.authorization_servers, ["corp".into()]);
    assert_eq!(protected.resource.as_str(), "https://mcp.example.com/notes");
    assert_eq!(protected.audiences, ["https://mcp.example.com/notes".into()]);
    assert_eq!(protected.audience_match, AudienceMatch::Exact);
    assert_eq!(protected.required_scopes.to_string(), "notes.read");
    assert_eq!(protected.scopes_supported.to_string(), "notes.read");
}

/// The protected settings of the smallest file with another path and lines more in its route.
fn protected(path: &str, lines: &str) -> ProtectedSettings {
    let text = MINIMAL.replace("path: /notes", &format!("path: {path}\n    {lines}"));
    match read(&text).unwrap().settings.routes.remove(0).access {
        Access::Protected(protected) => *protected,
        Access::Public => panic!("not protected"),
    }
}

#[test]
fn the_resource_is_the_public_url_and_path_without_trailing_slash() {
    for (path, lines, resource, audiences) in [
        ("/notes/", "", "https://mcp.example.com/notes", vec!["https://mcp.example.com/notes"]),
        (
            "/",
            "",
            "https://mcp.example.com",
            vec!["https://mcp.example.com", "https://mcp.example.com/"],
        ),
        (
            "/",
            "resource: https://mcp.example.com/",
            "https://mcp.example.com/",
            vec!["https://mcp.example.com/", "https://mcp.example.com"],
        ),
        (
            "/a",
            "public_url: https://o.example/",
            "https://o.example/a",
            vec!["https://o.example/a"],
        ),
        ("/a", "audiences: [x, y]", "https://mcp.example.com/a", vec!["x", "y"]),
    ] {
        let found = protected(path, lines);
        assert_eq!(found.resource.as_str(), resource);
        assert_eq!(found.audiences.iter().map(|text| &**text).collect::<Vec<_>>(), audiences);
    }
}

#[test]
fn every_key_reaches_the_settings() {
    let key = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY";
    let environment = TestEnvironment::default()
        .with_variable("SESSION_KEY", key)
        .with_variable("NOTES_KEY", "n")
        .with_variable("SECRETS_DIR", "secrets")
        .with_file("secrets/partner", b"partner-secret\n")
        .with_file("secrets/session-key", key.as_bytes())
        .with_file("secrets/notes-authorization", b"Bearer x\n")
        .with_file("secrets/collector", b"Bearer y\n");
    let (certificate, key) = super::tls::pair();
    let environment = environment
        .with_file("secrets/tls.crt", certificate.as_bytes())
        .with_file("secrets/tls.key", key.as_bytes())
        .with_file("secrets/clients.pem", certificate.as_bytes());
    let full = include_str!("../../../config/full.yaml");
    let settings = parse("full.yaml", full, &environment).unwrap().settings;
    assert_eq!(settings.listen.trusted_proxies.len(), 1);
    assert_eq!(settings.listen.proxy_protocol, ["10.1.0.0/16".parse().unwrap()]);
    let tls = settings.listen.tls.unwrap();
    assert_eq!(tls.certificate, Path::new("secrets/tls.crt"));
    assert_eq!(tls.material.identity.private_key.expose(), key.as_bytes());
    assert_eq!(tls.material.client_ca.as_deref(), Some(certificate.as_bytes()));
    assert!(!tls.require_client_certificate);
    assert_eq!(
        settings.listen.allowed_origins,
        [
            AllowedOrigin::Exact("https://app.example.com".into()),
            AllowedOrigin::AnyPort("http://localhost".into()),
            AllowedOrigin::Exact("null".into()),
        ]
    );
    let host = AllowedHost::Name { host: "gateway.internal".into(), port: None };
    assert_eq!(settings.listen.allowed_hosts, [host]);
    assert_eq!(settings.session_keys.len(), 2);
    let audit = settings.telemetry.audit.unwrap();
    assert_eq!(audit.file.as_deref(), Some(Path::new("/var/log/gatehouse/audit.jsonl")));
    assert!(!audit.client_address);
    let ClientAuthentication::ClientSecretPost { secret, .. } =
        &settings.authorization_servers[1].client
    else {
        panic!("not client_secret_post")
    };
    assert_eq!(secret.expose(), "partner-secret");
    let [notes, files] = &settings.routes[..] else { panic!("not two routes") };
    let headers: Vec<_> = notes
        .upstream
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    assert_eq!(headers, [("x-api-key", &b"n"[..]), ("authorization", &b"Bearer x"[..])]);
    assert_eq!((notes.has_own_public_url, files.has_own_public_url), (false, true));
    assert_eq!(files.public_url.authority(), "files.example.com");
    let Access::Protected(files) = &files.access else { panic!("not protected") };
    assert_eq!(files.authorization_servers, ["partner".into(), "corp".into()]);
    let claims = &settings.authorization_servers[1].claims;
    assert_eq!(claims.scope, ["scope".into(), "/realm_access/roles".into()]);
    assert_eq!(claims.scope_prefixes, ["api://files/".into()]);
}

#[test]
fn audit_stream_is_off_or_goes_to_standard_output_or_to_a_file_beside_the_configuration() {
    let audit = |text: &str| {
        let yaml = format!("telemetry: {{audit: {text}}}\n{MINIMAL}");
        parse("/etc/g.yaml", &yaml, &TestEnvironment::default()).unwrap().settings.telemetry.audit
    };
    let to = |file: Option<&str>, client_address| {
        Some(AuditSettings { file: file.map(Into::into), client_address })
    };
    assert_eq!(audit("null"), None);
    for (text, settings) in [
        ("stdout", to(None, false)),
        ("{}", to(None, false)),
        ("{client_address: true}", to(None, true)),
        ("{file: audit.jsonl}", to(Some("/etc/audit.jsonl"), false)),
        ("{file: /var/log/a, client_address: true}", to(Some("/var/log/a"), true)),
    ] {
        assert_eq!(audit(text), settings, "{text}");
    }
}

#[test]
fn tokens_are_introspected_when_there_is_a_client_and_verified_otherwise() {
    for (lines, kind) in [
        ("client: {authentication: none}", AccessTokens::Introspection),
        ("client: {authentication: none}\n    access_tokens: auto", AccessTokens::Auto),
        ("client: null", AccessTokens::Jwt),
        ("access_tokens: null", AccessTokens::Jwt),
        ("access_tokens: jwt", AccessTokens::Jwt),
        ("access_tokens: userinfo", AccessTokens::Userinfo),
    ] {
        let client = "client: {id: gatehouse, secret: \"${INTROSPECTION_SECRET}\"}";
        let text = MINIMAL.replace(client, lines);
        let text = format!("{text}    audience_match: off\n");
        let settings = read(&text).unwrap().settings;
        assert_eq!(settings.authorization_servers[0].access_tokens, kind, "{lines}");
    }
}

#[test]
fn a_certificate_file_is_read_and_checked() {
    let text = MINIMAL.replace("    client:", "    tls: {ca: ca.pem}\n    client:");
    let with_file = |bytes: &[u8]| {
        let environment = TestEnvironment::default().with_file("ca.pem", bytes);
        parse("g.yaml", &text, &environment)
    };
    let pem = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap().cert.pem();
    let settings = with_file(pem.as_bytes()).unwrap().settings;
    assert_eq!(settings.authorization_servers[0].tls_ca_pem.as_deref(), Some(pem.as_bytes()));
    let damaged = pem.replace("MII", "M?I");
    for bytes in ["", "not PEM", &pem[..pem.len() - 30], &damaged] {
        let problems = with_file(bytes.as_bytes()).unwrap_err();
        assert_eq!(
            problems[0].to_string(),
            "g.yaml:6:15: authorization_servers.corp.tls.ca: the file holds no PEM certificate, or a damaged one"
        );
    }
}
