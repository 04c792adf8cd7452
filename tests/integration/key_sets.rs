//! Key sets over real HTTP: a verifier of its own before a stub authorization server.

use std::{ffi::OsString, io, path::Path, sync::Arc, time::Duration};

use gatehouse::{
    authenticate::{
        background::Background,
        jwt::{JwtVerifier, Verified},
        key_set::KeySetError,
        outbound::Outbound,
    },
    clock::SystemClock,
    config::{self, settings::AuthorizationServerSettings},
    metrics::Metrics,
    oauth::BearerToken,
};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::harness::{
    authorization_server::{Answer, StubAuthorizationServer},
    clock::{eventually, within},
    jwt::{SigningKey, key_set},
    token::Token,
};

/// A verifier and the authorization server whose tokens it verifies.
struct Party {
    server: StubAuthorizationServer,
    verifier: Arc<JwtVerifier>,
    metrics: Metrics,
    key: SigningKey,
}

/// Knows no variables and no files.
struct Nothing;

impl config::Environment for Nothing {
    fn variable(&self, _: &str) -> Option<OsString> {
        None
    }

    fn read_file(&self, _: &Path, _: usize) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn has_file(&self, _: &Path) -> bool {
        false
    }
}

fn settings(issuer: &str) -> Arc<AuthorizationServerSettings> {
    let yaml = format!(
        "public_url: https://mcp.example\nauthorization_servers: {{corp: {{issuer: '{issuer}', \
         client: {{authentication: none}}, introspection: {{timeout: 1s}}}}}}\n\
         routes: {{notes: {{path: /notes, upstream: 'http://127.0.0.1:9/mcp'}}}}\n"
    );
    let loaded = config::parse("g.yaml", &yaml, &Nothing).expect("a configuration");
    Arc::clone(&loaded.settings.authorization_servers[0])
}

impl Party {
    /// The server answers this where its keys are.
    async fn with(answer: impl FnOnce(&SigningKey) -> Answer) -> Self {
        let (server, key) = (StubAuthorizationServer::start().await, SigningKey::generate("ES256"));
        server.publish_keys(&[key.jwk()]);
        server.answer_keys_with(answer(&key));
        let metrics = Metrics::new().unwrap();
        let background =
            Background::new(Handle::current(), TaskTracker::new(), CancellationToken::new());
        let verifier = JwtVerifier::start(
            &settings(server.issuer()),
            Outbound::new(None, None, Duration::from_secs(1)).unwrap(),
            Arc::new(SystemClock),
            background,
            metrics.key_set("corp"),
        );
        verifier.set_jwks_uri(format!("{}/jwks", server.issuer()).parse().unwrap());
        Self { server, verifier, metrics, key }
    }

    fn token(&self) -> BearerToken {
        let mut claims: Value = serde_json::from_str(&Token::new().json()).unwrap();
        claims["iss"] = json!(self.server.issuer());
        BearerToken::parse(self.key.token(&claims).as_bytes()).unwrap()
    }

    async fn verify(&self) -> Verified {
        let token = self.token();
        within("a verdict", self.verifier.verify(&token, token.digest())).await
    }

    /// Waits for why there are no keys.
    async fn failure(&self) -> Arc<KeySetError> {
        eventually("a failure", || match self.verifier.not_ready() {
            Some(why) if !matches!(*why, KeySetError::NotYet) => Ok(why),
            other => Err(format!("{other:?}")),
        })
        .await
    }

    fn counts(&self, outcome: &str) -> bool {
        let text = String::from_utf8(self.metrics.render()).unwrap();
        let series = r#"gatehouse_jwks_refreshes_total{authorization_server="corp",outcome="#;
        let line = text.lines().find(|line| line.starts_with(&format!("{series}\"{outcome}\"")));
        !line.unwrap().ends_with(" 0")
    }
}

#[tokio::test]
async fn keys_are_fetched_once_and_verify_tokens() {
    let party = Party::with(|key| Answer::json(&key_set(&[key.jwk()]))).await;
    for _ in 0..5 {
        assert!(matches!(party.verify().await, Verified::Valid(_)));
    }
    assert!(party.verifier.not_ready().is_none());
    assert_eq!(party.server.key_fetches(), 1);
    let request = &party.server.received()[0];
    let accept = request.header("accept").unwrap();
    assert!(accept.contains("application/jwk-set+json"), "{accept}");
    assert_eq!(request.header("authorization"), None, "keys are public");
    assert!(party.counts("changed"));
}

#[tokio::test]
async fn metadata_says_where_the_keys_are() {
    let party = Party::with(|key| Answer::json(&key_set(&[key.jwk()]))).await;
    let url = format!("{}/.well-known/oauth-authorization-server", party.server.issuer());
    let outbound = Outbound::new(None, None, Duration::from_secs(1)).unwrap();
    let answer = outbound.fetch(&url.parse().unwrap()).await.unwrap();
    let metadata: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(metadata["jwks_uri"], format!("{}/jwks", party.server.issuer()));
}

#[tokio::test]
async fn any_media_type_will_do_for_a_key_set() {
    for content_type in ["application/jwk-set+json", "text/plain", ""] {
        let party = Party::with(|key| Answer::Http {
            status: 200,
            content_type,
            body: key_set(&[key.jwk()]).into(),
        })
        .await;
        assert!(matches!(party.verify().await, Verified::Valid(_)), "{content_type}");
    }
}

#[tokio::test]
async fn i29_answers_that_are_no_key_set_leave_nobody_able_to_say() {
    let other = StubAuthorizationServer::start().await;
    other.answer_keys_with(Answer::json(&key_set(&[SigningKey::generate("ES256").jwk()])));
    let large = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(300 * 1024));
    for (answer, outcome) in [
        (Answer::status(500), "error"),
        (Answer::status(404), "error"),
        (Answer::Redirect(302, format!("{}/jwks", other.issuer())), "error"),
        (Answer::json(&large), "error"),
        (Answer::json(r#"{"keys":[]}"#), "unusable"),
        (Answer::json("<html>"), "unusable"),
        (Answer::Close, "error"),
        (Answer::Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_vec()), "timeout"),
    ] {
        let party = Party::with(|_| answer.clone()).await;
        let why = party.failure().await;
        assert!(party.counts(outcome), "{answer:?}: {why}");
        let verdict = party.verify().await;
        assert!(matches!(verdict, Verified::Unavailable(_)), "{answer:?}: {verdict:?}");
        party.server.answer_keys_with(Answer::json(&key_set(&[party.key.jwk()])));
        // The next attempt comes by itself, soon.
        eventually("keys", || match party.verifier.not_ready() {
            None => Ok(()),
            Some(why) => Err(why.to_string()),
        })
        .await;
        assert!(matches!(party.verify().await, Verified::Valid(_)));
    }
    assert_eq!(other.received().len(), 0, "redirects are not followed");
}
