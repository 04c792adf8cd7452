//! What a token of our own client shows, and what is said where there is none.

use serde_json::json;

use super::{Checked, SERVER, WELL_KNOWN, complete_metadata, parties};
use crate::harness::{
    NOTES, TASKS,
    authorization_server::{Answer, StubAuthorizationServer},
    json as parse,
    jwt::{SigningKey, key_set},
    process::file,
    token::Token,
};

const CLIENT: &str = "client: {id: gatehouse, secret: introspection-secret}";

#[tokio::test]
async fn audience_is_compared_as_the_route_compares_it() {
    for (aud, how, is_taken) in [
        ("account", "exact", false),
        ("account", "off", true),
        ("http://127.0.0.1:8080", "exact", false),
        ("http://127.0.0.1:8080", "prefix", true),
        ("client-1", "exact", false),
        ("client-1", "client_id", true),
    ] {
        let parties = parties().await;
        let token = parties.authorization_server.mint(&Token::new().audience(aud));
        let answer = format!(r#"{{"access_token":"{token}","token_type":"Bearer"}}"#);
        parties.authorization_server.publish("/token", Answer::json(&answer));
        let written = format!("audience_match: \"{how}\"\n    required_scopes");
        let checked = Checked::of(&parties.fill(&NOTES.replace("required_scopes", &written))).await;
        let verdict = if is_taken { "ok" } else { "warning" };
        assert_eq!(checked.one(SERVER, "resource")["verdict"], verdict, "{aud} by {how}");
    }
}

/// A server may know one resource and not another.
#[tokio::test]
async fn a_token_is_asked_for_with_the_resource_of_each_route() {
    for (second, verdict) in [("http://127.0.0.1:8080/tasks", "ok"), ("account", "warning")] {
        let parties = parties().await;
        let server = &parties.authorization_server;
        let minted = ["http://127.0.0.1:8080/notes", second]
            .map(|audience| server.mint(&Token::new().audience(audience)));
        server.grant(move |request| {
            let is_second = request.form().iter().any(|(_, value)| value.ends_with("/tasks"));
            let token = &minted[usize::from(is_second)];
            Answer::json(&format!(r#"{{"access_token":"{token}","token_type":"Bearer"}}"#))
        });
        let checked = Checked::of(&parties.fill(&format!("{NOTES}{TASKS}"))).await;
        let finding = checked.one(SERVER, "resource");
        assert_eq!(finding["verdict"], verdict, "{finding}");
        let is_named = finding["seen"].as_str().unwrap().contains("8080/tasks");
        assert_eq!(is_named, verdict == "warning", "{finding}");
    }
}

#[tokio::test]
async fn wrong_token_of_our_own_is_named_by_its_key() {
    let path = file("another-token\n");
    let client = format!("client: {{authentication: bearer, token_file: '{}'}}", path.display());
    for listed in [Some(json!(["Bearer", "client_secret_basic"])), None] {
        let parties = parties().await;
        let server = &parties.authorization_server;
        let mut document = parse(&complete_metadata(server));
        let methods = "introspection_endpoint_auth_methods_supported";
        match listed {
            Some(listed) => document[methods] = listed,
            None => drop(document.as_object_mut().unwrap().remove(methods)),
        }
        server.publish(WELL_KNOWN, Answer::json(&document.to_string()));
        let checked = Checked::of(&parties.fill(&NOTES.replace(CLIENT, &client))).await;
        let expected = ["we use bearer", "client", "compare the token in client.token_file"];
        checked.blames(SERVER, "introspection", "error", expected);
        assert!(!checked.said.out.contains("client.secret"), "{}", checked.said.out);
        assert!(!checked.said.out.contains("another-token"), "a token was printed");
    }
}

/// Nothing is introspected, and so no token of our own shows it.
#[tokio::test]
async fn known_product_that_ignores_resource_is_told_without_introspection() {
    let server = StubAuthorizationServer::start_at("/realms/main").await;
    server.publish_keys(&[SigningKey::generate("ES256").jwk()]);
    let yaml = NOTES
        .replace("ISSUER", server.issuer())
        .replace("UPSTREAM", "http://127.0.0.1:1")
        .replace(CLIENT, "access_tokens: jwt");
    let expected = ["does not put `resource` into aud", "issuer", "Keycloak: add an Audience"];
    Checked::of(&yaml).await.blames(SERVER, "resource", "warning", expected);
    let elsewhere = yaml.replace("required_scopes", "audiences: [files]\n    required_scopes");
    Checked::of(&elsewhere).await.is_fine(SERVER, "resource");
}

#[tokio::test]
async fn service_accounts_need_a_token_endpoint() {
    let parties = parties().await;
    let server = &parties.authorization_server;
    let mut document = parse(&complete_metadata(server));
    document["jwks_uri"] = format!("{}/keys", server.issuer()).into();
    server.publish("/keys", Answer::json(&key_set(&[SigningKey::generate("ES256").jwk()])));
    server.publish(WELL_KNOWN, Answer::json(&document.to_string()));
    let yaml = parties
        .fill(NOTES)
        .replace(CLIENT, "access_tokens: jwt")
        .replace("required_scopes", "basic_client_credentials: true\n    required_scopes");
    Checked::of(&yaml).await.is_fine(SERVER, "service_accounts");
    document.as_object_mut().unwrap().remove("token_endpoint");
    server.publish(WELL_KNOWN, Answer::json(&document.to_string()));
    let expected = ["there is no token_endpoint", "metadata.token_endpoint", "write the token"];
    Checked::of(&yaml).await.blames(SERVER, "service_accounts", "error", expected);
    let without = yaml.replace("basic_client_credentials: true", "basic_client_credentials: false");
    assert_eq!(Checked::of(&without).await.code, Some(0));
}
