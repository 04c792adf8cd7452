//! JWTs against the whole gateway: forged, confused, out of time or not meant for this route.
//!
//! Every refusal is checked for status, exact challenge, exact body and an upstream that saw nothing;
//! every world serves a good token afterwards, since one that refuses all tokens passes for safe.

mod claims;
mod keys;
mod memory;
mod signatures;
mod time;

use std::{sync::Arc, time::Duration};

use gatehouse::clock::ManualClock;
use serde_json::{Value, json};

use crate::harness::{
    NOTES, Parties, World, assert_answered, gateway::TestGateway, jwt::SigningKey,
    raw::RawResponse, token::now,
};

const CLIENT: &str = "client: {id: gatehouse, secret: introspection-secret}";
const BOUND: &str = "The access token is bound to a key that was not shown";
const EXPIRED: &str = "The access token expired";
const NOT_VALID: &str = "The access token is not valid";
const WRONG_AUDIENCE: &str = "The access token was not issued for this resource";

/// A gateway that verifies the JWTs of one server, which has these public keys.
async fn world(keys: &[Value]) -> World {
    with("access_tokens: jwt", keys).await
}

/// The same with these lines in the server's section.
async fn with(lines: &str, keys: &[Value]) -> World {
    let parties = Parties::start().await;
    parties.authorization_server.publish_keys(keys);
    parties.with(&NOTES.replace(CLIENT, lines)).await
}

/// The same by a clock of its own.
async fn with_clock(clock: &Arc<ManualClock>, keys: &[Value]) -> World {
    let parties = Parties::start().await;
    parties.authorization_server.publish_keys(keys);
    let yaml = parties.fill(&NOTES.replace(CLIENT, "access_tokens: jwt"));
    let gateway = TestGateway::prepare(&yaml).clock(clock).start();
    gateway.ready().await;
    let Parties { authorization_server, upstream } = parties;
    World { gateway, authorization_server, upstream }
}

/// Claims that nothing is wrong with.
fn claims(world: &World) -> Value {
    json!({
        "iss": world.authorization_server.issuer(), "sub": "alice", "client_id": "client-1",
        "aud": world.gateway.url("/notes"), "scope": "notes.read", "jti": "1",
        "iat": now(), "exp": now() + 3600,
    })
}

/// The same but for these members; `null` removes one.
fn claims_but(world: &World, other: &Value) -> Value {
    let mut claims = claims(world);
    for (name, value) in other.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

async fn call(world: &World, token: &str) -> RawResponse {
    world.call().bearer(token).send().await
}

/// Each of these tokens is refused in these words, and a good one is served afterwards.
async fn all_refused(world: &World, key: &SigningKey, words: &str, tokens: &[(String, String)]) {
    each_refused(world, key, words, tokens, || {}).await;
}

/// The same after a while before each, so that its key has been looked for.
async fn all_refused_in_time(
    (world, clock): (&World, &ManualClock),
    key: &SigningKey,
    words: &str,
    tokens: &[(String, String)],
) {
    each_refused(world, key, words, tokens, || clock.advance(Duration::from_secs(30))).await;
}

async fn each_refused(
    world: &World,
    key: &SigningKey,
    words: &str,
    tokens: &[(String, String)],
    wait: impl Fn(),
) {
    for (what, token) in tokens {
        wait();
        let response = call(world, token).await;
        assert_eq!(response.status, 401, "{what}: {response:?}");
        world.assert_invalid_token(&response, words);
    }
    assert_eq!(world.authorization_server.introspection_count(), 0, "nobody is asked");
    assert_answered(&call(world, &key.token(&claims(world))).await);
    assert_eq!(world.upstream.requests().len(), 1);
}
