//! Client credentials by HTTP Basic: exchanged once, judged like any other token, refused exactly.

mod exchange;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use gatehouse::clock::ManualClock;

use crate::harness::{
    NOTES, Parties, World, assert_answered, authorization_server::Answer, gateway::TestGateway,
    raw::RawResponse, refusal, token::Token,
};

const ID: &str = "robot é";
const SECRET: &str = "s3cret %+:ü";

/// A world whose route takes service accounts, and whose time stands still.
async fn world() -> (World, Arc<ManualClock>) {
    let line = "basic_client_credentials: true\n    required_scopes";
    let Parties { authorization_server, upstream } = Parties::start().await;
    let yaml = NOTES
        .replace("required_scopes", line)
        .replace("ISSUER", authorization_server.issuer())
        .replace("UPSTREAM", &upstream.url());
    let clock = Arc::new(ManualClock::new());
    let gateway = TestGateway::prepare(&yaml).clock(&clock).start();
    gateway.ready().await;
    let world = World { gateway, authorization_server, upstream };
    grant(&world, 3600);
    (world, clock)
}

/// The `Authorization` value of a pair, as clients write it.
fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

/// Grants tokens for the right secret: `granted-0`, `granted-1` and so on, each known for good.
fn grant(world: &World, life: u64) {
    grant_claims(world, life, &world.claims().subject("robot"));
}

fn grant_claims(world: &World, life: u64, claims: &Token) {
    for number in 0..5 {
        world.authorization_server.know(&format!("granted-{number}"), &claims.json());
    }
    // RFC 6749 section 2.3.1: form-encoded before they are joined.
    let pair = "robot+%C3%A9:s3cret+%25%2B%3A%C3%BC";
    let expected = format!("Basic {}", BASE64_STANDARD.encode(pair));
    let granted = AtomicUsize::new(0);
    world.authorization_server.grant(move |request| {
        if request.header("authorization") != Some(&*expected) {
            return Answer::error(401, "invalid_client");
        }
        let number = granted.fetch_add(1, Ordering::SeqCst);
        Answer::json(&format!(
            r#"{{"access_token":"granted-{number}","token_type":"Bearer","expires_in":{life}}}"#
        ))
    });
}

/// The right credentials.
fn right() -> String {
    basic(ID, SECRET)
}

async fn call(world: &World, authorization: &str) -> RawResponse {
    world.call().header("Authorization", authorization).send().await
}

fn asked(world: &World) -> usize {
    world.authorization_server.token_requests().len()
}

fn challenges(response: &RawResponse) -> Vec<&str> {
    let fields = response.headers.iter().filter(|(name, _)| name == "www-authenticate");
    fields.map(|(_, value)| value.as_str()).collect()
}

const BASIC: &str = r#"Basic realm="notes", charset="UTF-8""#;
const NOT_VALID: &str = "The access token is not valid";

#[tokio::test]
async fn account_is_exchanged_for_a_token_of_this_resource_and_forwarded_without_secret() {
    let (world, _clock) = world().await;
    assert_answered(&call(&world, &right()).await);
    let requests = world.authorization_server.token_requests();
    let [request] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(request.method, "POST");
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(request.header("accept"), Some("application/json"));
    let resource = world.gateway.url("/notes");
    let expected =
        [("grant_type", "client_credentials"), ("scope", "notes.read"), ("resource", &resource)];
    assert_eq!(request.form(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let introspections = world.authorization_server.introspections();
    assert_eq!(introspections[0].form()[0], ("token".to_owned(), "granted-0".to_owned()));
    let forwarded = world.upstream.only_request();
    assert_eq!(forwarded.header("authorization"), None);
    for secret in [&right()[6..], "granted-", "s3cret", "robot"] {
        assert!(!world.upstream.log().contains(secret), "{secret} went upstream");
    }
    assert_answered(&call(&world, &right()).await);
    assert_eq!((asked(&world), world.authorization_server.introspection_count()), (1, 1));
}

#[tokio::test]
async fn wrong_secret_is_an_invalid_token_and_both_schemes_are_offered() {
    let (world, _clock) = world().await;
    let response = call(&world, &basic("robot", "wrong")).await;
    world.assert_invalid_token(&response, NOT_VALID);
    let error = format!(r#", error="invalid_token", error_description="{NOT_VALID}""#);
    assert_eq!(challenges(&response), [&*world.challenge(&error), BASIC]);
    assert_eq!(asked(&world), 1);
    let reason =
        r#"gatehouse_auth_decisions_total{outcome="denied",reason="client_refused",route="notes"}"#;
    assert!((world.gateway.metric(reason).await - 1.0).abs() < 0.1);
}

#[tokio::test]
async fn no_credentials_are_challenged_with_both_schemes_and_no_error() {
    let (world, _clock) = world().await;
    for authorization in ["", "Basic", "Basic ", "Digest x", "Bearer"] {
        let response = call(&world, authorization).await;
        assert_eq!(response.status, 401, "{authorization}");
        assert_eq!(challenges(&response), [&*world.challenge(""), BASIC], "{authorization}");
    }
    assert_answered(&world.authorized().send().await);
    assert_eq!(asked(&world), 0);
}

#[tokio::test]
async fn bad_tokens_are_challenged_with_both_schemes_and_other_refusals_with_one() {
    let (world, _clock) = world().await;
    let response = world.call().bearer("unknown").send().await;
    world.assert_invalid_token(&response, NOT_VALID);
    assert_eq!(challenges(&response)[1..], [BASIC]);
    let poor = world.authorization_server.mint(&world.claims().scope("other"));
    let response = world.call().bearer(&poor).send().await;
    assert_eq!((response.status, challenges(&response).len()), (403, 1), "{response:?}");
}

#[tokio::test]
async fn malformed_credentials_are_an_invalid_request() {
    let (world, _clock) = world().await;
    let body = |description: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":-32001,"message":"Unauthorized","data":{{"error":"invalid_request","error_description":"{description}","resource_metadata":"GATEWAY/.well-known/oauth-protected-resource/notes","required_scopes":["notes.read"],"request_id":"ID"}}}}}}"#
        )
    };
    let challenge = |description: &str| {
        world.challenge(&format!(r#", error="invalid_request", error_description="{description}""#))
    };
    let malformed = "The Authorization header is malformed";
    for value in ["Basic !", "Basic YTpi YTpi", "Basic YTpiYw", "Basic  YTpi", "Basic OmI="] {
        let response = call(&world, value).await;
        world.assert_refused(&response, 400, Some(&challenge(malformed)), &body(malformed));
        assert_eq!(challenges(&response).len(), 1);
    }
    let repeated = "More than one Authorization header was sent";
    for second in [right(), "Bearer a".to_owned()] {
        let twice = world.call().header("Authorization", &right()).header("Authorization", &second);
        let response = twice.send().await;
        world.assert_refused(&response, 400, Some(&challenge(repeated)), &body(repeated));
    }
    let query = world.gateway.post("/notes?access_token=x").header("Authorization", &right());
    assert_eq!(query.send().await.status, 400);
    assert_eq!((asked(&world), world.upstream.bytes_received()), (0, 0));
}

#[tokio::test]
async fn route_that_takes_no_accounts_knows_no_basic() {
    let world = World::start().await;
    grant(&world, 3600);
    let response = call(&world, &right()).await;
    assert_eq!(response.status, 401);
    assert_eq!(challenges(&response), [world.challenge("")]);
    assert_eq!((asked(&world), world.upstream.bytes_received()), (0, 0));
}

#[tokio::test]
async fn token_of_an_account_is_judged_like_any_other() {
    let (world, clock) = world().await;
    grant_claims(&world, 3600, &world.claims().scope("other"));
    let response = call(&world, &right()).await;
    assert_eq!((response.status, challenges(&response).len()), (403, 1), "{response:?}");
    assert_eq!(world.upstream.bytes_received(), 0);
    drop((world, clock));
    let (world, _clock) = self::world().await;
    grant_claims(&world, 3600, &world.claims().audience("https://other.example"));
    let response = call(&world, &right()).await;
    world.assert_invalid_token(&response, "The access token was not issued for this resource");
}

#[tokio::test]
async fn failing_token_endpoint_is_no_fault_of_the_account() {
    let (world, _clock) = world().await;
    for answer in [
        Answer::Close,
        Answer::status(500),
        Answer::error(400, "invalid_request"),
        Answer::error(429, "slow_down"),
        Answer::Redirect(307, "/elsewhere".to_owned()),
        Answer::json(r#"{"access_token":"granted-0"}"#),
        Answer::json(r#"{"access_token":"granted-0","token_type":"DPoP"}"#),
        Answer::Raw(b"nonsense".to_vec()),
    ] {
        world.authorization_server.grant(move |_| answer.clone());
        world.assert_unavailable(&call(&world, &right()).await);
    }
    assert!(world.authorization_server.received().iter().all(|each| each.target != "/elsewhere"));
    grant(&world, 3600);
    assert_answered(&call(&world, &right()).await);
}

#[tokio::test]
async fn server_without_token_endpoint_is_said_to_lack_one() {
    let parties = Parties::start().await;
    let issuer = parties.authorization_server.issuer().to_owned();
    let place = "/.well-known/oauth-authorization-server";
    let metadata =
        format!(r#"{{"issuer":"{issuer}","introspection_endpoint":"{issuer}/introspect"}}"#);
    parties.authorization_server.publish(place, Answer::json(&metadata));
    let line = "basic_client_credentials: true\n    required_scopes";
    let world = parties.with(&NOTES.replace("required_scopes", line)).await;
    let body = refusal("1", -32000, "Authorization server unavailable");
    world.assert_refused(&call(&world, &right()).await, 503, None, &body);
    assert_eq!(asked(&world), 0);
}
