//! What MCP clients read: what the server publishes, and no more than it tells.

use serde_json::{Value, json};

use super::{Checked, SERVER, WELL_KNOWN, complete_metadata, parties};
use crate::harness::{
    NOTES, Parties,
    authorization_server::{Answer, StubAuthorizationServer},
    json as parse,
    jwt::{SigningKey, key_set},
};

/// Parties whose authorization server publishes its document with these members instead.
async fn publishing(members: &[(&str, Value)]) -> Parties {
    let parties = parties().await;
    let server = &parties.authorization_server;
    let mut document = parse(&complete_metadata(server));
    for (name, value) in members {
        document[*name] = value.clone();
    }
    server.publish(WELL_KNOWN, Answer::json(&document.to_string()));
    parties
}

/// A configuration from `config/`, with this document in the place of the server's own, and every
/// other party on this machine.
fn shipped(name: &str, parties: &Parties) -> String {
    let file = |path: &str| std::fs::read_to_string(path).unwrap();
    let base = parties.authorization_server.issuer();
    let document = file(&format!("tests/data/providers/{name}/metadata.json"));
    parties.authorization_server.publish("/recorded", Answer::json(&document));
    let own = ["public_url:", "    metadata:", "      introspection_endpoint:"];
    let yaml = file(&format!("config/{name}.yaml"));
    let lines = yaml.lines().filter(|line| !own.iter().any(|each| line.starts_with(each)));
    let here = format!(
        "\n    metadata_url: {base}/recorded\n    metadata: {{introspection_endpoint: \
         '{base}/introspect', jwks_uri: '{base}/keys', token_endpoint: '{base}/token', \
         userinfo_endpoint: '{base}/userinfo'}}"
    );
    let lines = lines.map(|line| {
        let here = if line.starts_with("    issuer:") { &*here } else { "" };
        format!("{line}{here}")
    });
    let yaml = lines.collect::<Vec<_>>().join("\n") + "\n";
    yaml.replace("http://127.0.0.1:3001/mcp", &parties.upstream.url())
        .replace("${INTROSPECTION_SECRET}", "introspection-secret")
}

#[tokio::test]
async fn configurations_that_are_shipped_are_not_condemned() {
    let parties = parties().await;
    let server = &parties.authorization_server;
    server.expect_client(|_| true);
    server.publish("/keys", Answer::json(&key_set(&[SigningKey::generate("ES256").jwk()])));
    for (name, pkce) in [
        ("auth0", "ok"),
        ("casdoor", "ok"),
        ("entra-id", "warning"),
        ("github", "ok"),
        ("google", "ok"),
        ("keycloak", "ok"),
        ("okta", "ok"),
        ("ory-hydra", "ok"),
        ("zitadel", "ok"),
    ] {
        let checked = Checked::of(&shipped(name, &parties)).await;
        assert_eq!(checked.code, Some(0), "{name}: {:#?}", checked.findings);
        let verdict = |check: &str| {
            let found = checked.findings.iter().find(|finding| finding["check"] == check);
            found.map(|finding| finding["verdict"].as_str().unwrap())
        };
        assert_eq!(verdict("pkce"), Some(pkce), "{name}: {:#?}", checked.findings);
        assert_eq!(verdict("scopes"), Some("ok"), "{name}: {:#?}", checked.findings);
    }
}

/// What the configuration says of the server reaches clients of the gateway's own copy alone.
#[tokio::test]
async fn s256_is_looked_for_where_clients_look() {
    let parties = publishing(&[("code_challenge_methods_supported", Value::Null)]).await;
    let saying = "metadata: {code_challenge_methods_supported: [S256]}\n    client: {";
    let mirrored = "legacy_metadata: true\n    required_scopes";
    let yaml = parties.fill(NOTES);
    let missing = ["code_challenge_methods_supported is missing: MCP clients", "issuer", "S256"];
    Checked::of(&yaml).await.blames(SERVER, "pkce", "error", missing);
    let said = yaml.replace("client: {", saying);
    Checked::of(&said).await.blames(SERVER, "pkce", "error", missing);
    Checked::of(&said.replace("required_scopes", mirrored)).await.is_fine(SERVER, "pkce");
    let seen = "code_challenge_methods_supported is missing in the gateway's copy";
    let checked = Checked::of(&yaml.replace("required_scopes", mirrored)).await;
    checked.blames(SERVER, "pkce", "error", [seen, "metadata", "S256"]);
}

#[tokio::test]
async fn document_without_authorization_endpoint_tells_nothing_of_s256() {
    let parties = parties().await;
    let server = &parties.authorization_server;
    let mut document = parse(&complete_metadata(server));
    document.as_object_mut().unwrap().remove("authorization_endpoint");
    server.publish(WELL_KNOWN, Answer::json(&document.to_string()));
    let checked = Checked::of(&parties.fill(NOTES)).await;
    checked.is_fine(SERVER, "pkce");
    let seen = checked.one(SERVER, "pkce")["seen"].to_string();
    assert!(seen.contains("not told"), "{seen}");
}

#[tokio::test]
async fn scope_that_the_server_does_not_know() {
    let offered = json!(["openid", "notes.write"]);
    let parties = publishing(&[
        ("scopes_supported", offered),
        ("client_id_metadata_document_supported", false.into()),
    ])
    .await;
    let checked = Checked::of(&parties.fill(NOTES)).await;
    let expected = [r#"lacks ["notes.read"]"#, "issuer", "claims.scope"];
    checked.blames(SERVER, "scopes", "warning", expected);
}

#[tokio::test]
async fn server_whose_clients_cannot_register_themselves() {
    let server = StubAuthorizationServer::start().await;
    let yaml = NOTES.replace("ISSUER", server.issuer()).replace("UPSTREAM", "http://127.0.0.1:1");
    let expected = ["cannot register themselves", "issuer", "RFC 7591"];
    Checked::of(&yaml).await.blames(SERVER, "registration", "warning", expected);
}

#[tokio::test]
async fn scopes_are_compared_as_tokens_are_read() {
    for (offered, required, is_told) in [
        (json!(["openid", "email", "offline_access"]), "notes.read", false),
        (json!(["openid", "notes.read"]), "api://x/notes.read", true),
        (json!(["openid", "api://x/notes.read"]), "notes.read", true),
        (json!(["openid", "api://x/notes.read"]), "api://x/notes.read", true),
    ] {
        let parties = publishing(&[("scopes_supported", offered.clone())]).await;
        let yaml = parties
            .fill(NOTES)
            .replace("client: {", "claims: {scope_prefixes: ['api://x/']}\n    client: {")
            .replace("[notes.read]", &format!("['{required}']"));
        let checked = Checked::of(&yaml).await;
        checked.is_fine(SERVER, "scopes");
        let seen = checked.one(SERVER, "scopes")["seen"].to_string();
        assert_eq!(seen.contains("not told"), !is_told, "{offered}: {seen}");
    }
}
