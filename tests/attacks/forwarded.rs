//! Whom a request came from: what proxies say of it, and what others say in their name.

use crate::{
    harness::{NOTES, World, assert_answered},
    oracle::{Challenge, refused, still_serves},
};

async fn behind_a_proxy() -> World {
    World::with(&format!("listen: {{trusted_proxies: ['127.0.0.0/8']}}\n{NOTES}")).await
}

/// What the upstream is told: `X-Forwarded-For` and `-Proto`.
async fn told(world: &World, fields: &[(&str, &str)]) -> (String, String) {
    let call =
        fields.iter().fold(world.authorized(), |call, (name, value)| call.header(name, value));
    assert_answered(&call.send().await);
    let request = world.upstream.requests().pop().unwrap();
    assert_eq!(request.header("forwarded"), None);
    let field = |name| request.header(name).unwrap().to_owned();
    (field("x-forwarded-for"), field("x-forwarded-proto"))
}

/// N08: `Forwarded` of a trusted proxy is told to the upstream in the one form it knows.
#[tokio::test]
async fn forwarded_of_a_trusted_proxy() {
    let world = behind_a_proxy().await;
    for (value, chain, scheme) in [
        ("for=9.9.9.9;proto=https;host=evil.example", "9.9.9.9, 127.0.0.1", "https"),
        ("for=\"[2001:db8::1]:4711\"", "2001:db8::1, 127.0.0.1", "http"),
        ("for=8.8.8.8;proto=https, for=9.9.9.9", "8.8.8.8, 9.9.9.9, 127.0.0.1", "http"),
        ("for=unknown, for=\"_hidden\";proto=https", "unknown, _hidden, 127.0.0.1", "https"),
    ] {
        let expected = (chain.to_owned(), scheme.to_owned());
        assert_eq!(told(&world, &[("Forwarded", value)]).await, expected, "{value}");
        assert!(!world.upstream.log().contains("evil.example"));
    }
    let both = [("X-Forwarded-For", "9.9.9.9"), ("Forwarded", "for=9.9.9.9;proto=https")];
    assert_eq!(told(&world, &both).await, ("9.9.9.9, 127.0.0.1".into(), "https".into()));
}

/// N08: a proxy writes one of the fields and lets the other pass; which of them is the client's word
/// is not guessed.
#[tokio::test]
async fn cve_2026_40575_fields_that_contradict_each_other() {
    let world = behind_a_proxy().await;
    for fields in [
        [("X-Forwarded-For", "9.9.9.9"), ("Forwarded", "for=10.0.0.1")],
        [("X-Forwarded-For", "9.9.9.9"), ("Forwarded", "for=9.9.9.9, for=8.8.8.8")],
        [("X-Forwarded-For", "9.9.9.9"), ("Forwarded", "by=9.9.9.9")],
        [("X-Forwarded-Proto", "https"), ("Forwarded", "proto=http")],
        [("Forwarded", "for=9.9.9.9"), ("Forwarded", "for=9.9.9.9;for=8.8.8.8")],
        [("Forwarded", "for=9.9.9.9; proto=https"), ("X-Other", "1")],
        [("Forwarded", "for=2001:db8::1"), ("X-Other", "1")],
        [("Forwarded", "for=\"9.9.9.9"), ("X-Other", "1")],
    ] {
        let call =
            fields.iter().fold(world.authorized(), |call, (name, value)| call.header(name, value));
        refused(&world, &format!("{fields:?}"), &call.send().await, 400, Challenge::Without);
    }
    still_serves(&world).await;
    // Where nobody is trusted none of it is read.
    let world = World::start().await;
    let fields = [("X-Forwarded-For", "9.9.9.9"), ("Forwarded", "for=\"10.0.0.1")];
    assert_eq!(told(&world, &fields).await, ("127.0.0.1".into(), "http".into()));
}
