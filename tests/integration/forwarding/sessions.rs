//! `Mcp-Session-Id` values: sealed on their way out, opened for their own principal and route.

use crate::harness::{
    NOTES, Parties, World, assert_answered,
    gateway::TestGateway,
    gateway::port_is_free,
    raw::RawResponse,
    upstream::{RESULT, Reply},
};

const KEY: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY";
const OLD_KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE";

/// Answers `initialize` with a session, as servers do, and everything else as usual.
fn give_sessions(world: &World, session: &'static str) {
    world.upstream.answer(move |request| {
        if request.text().contains("initialize") {
            let headers = [("Content-Type", "application/json"), ("Mcp-Session-Id", session)];
            Reply::with(200, &headers, RESULT)
        } else {
            Reply::json(RESULT)
        }
    });
}

async fn initialize(world: &World, token: &str) -> String {
    let call = world.gateway.post("/notes").bearer(token);
    let response = call.body(r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#).send().await;
    assert_answered(&response);
    response.header("mcp-session-id").expect("a session").to_owned()
}

async fn ask(world: &World, path: &str, token: &str, session: &str) -> RawResponse {
    let call = world.gateway.post(path).bearer(token).header("Mcp-Session-Id", session);
    call.body(crate::harness::PING).send().await
}

/// The session that the upstream saw last.
fn last_session(world: &World) -> Option<String> {
    let request = world.upstream.requests().pop().unwrap();
    request.header("mcp-session-id").map(ToOwned::to_owned)
}

#[tokio::test]
async fn session_is_sealed_and_the_upstream_sees_its_own() {
    let world = World::start().await;
    give_sessions(&world, "upstream-session-1");
    let token = world.token();
    let session = initialize(&world, &token).await;
    assert!(!session.contains("upstream"), "{session}");
    assert!(session.bytes().all(|byte| byte.is_ascii_graphic()));
    assert_answered(&ask(&world, "/notes", &token, &session).await);
    assert_eq!(last_session(&world).as_deref(), Some("upstream-session-1"));
    assert_eq!(initialize(&world, &token).await, session, "the same session, the same reference");
    let renewed = world.token();
    assert_answered(&ask(&world, "/notes", &renewed, &session).await);
    for method in ["GET", "DELETE"] {
        let call = world.gateway.request(method, "/notes").bearer(&token);
        assert_answered(&call.header("Mcp-Session-Id", &session).send().await);
        assert_eq!(last_session(&world).as_deref(), Some("upstream-session-1"));
    }
}

#[tokio::test]
async fn session_of_another_principal_is_exactly_an_unknown_one() {
    let world = World::start().await;
    give_sessions(&world, "s1");
    let session = initialize(&world, &world.token()).await;
    let seen = world.upstream.bytes_received();
    let plain = |response: RawResponse| {
        let id = response.header("x-request-id").unwrap().to_owned();
        let mut headers = response.headers.clone();
        headers.retain(|(name, _)| name != "date");
        format!("{} {headers:?} {}", response.status, response.text()).replace(&id, "ID")
    };
    for other in [
        world.claims().subject("bob"),
        world.claims().with("client_id", "client-2"),
        world.claims().without("sub"),
        world.claims().without("client_id"),
        world.claims().without("sub").without("client_id"),
    ] {
        let other = world.authorization_server.mint(&other);
        let foreign = plain(ask(&world, "/notes", &other, &session).await);
        let unknown = plain(ask(&world, "/notes", &other, "unknown").await);
        assert_eq!(foreign, unknown);
        assert!(foreign.starts_with("404"), "{foreign}");
    }
    assert_eq!(world.upstream.bytes_received(), seen, "the upstream heard of none of them");
}

#[tokio::test]
async fn token_without_subject_and_client_is_its_own_principal() {
    let world = World::start().await;
    give_sessions(&world, "s1");
    let claims = world.claims().without("sub").without("client_id");
    let (one, other) =
        (world.authorization_server.mint(&claims), world.authorization_server.mint(&claims));
    let session = initialize(&world, &one).await;
    assert_answered(&ask(&world, "/notes", &one, &session).await);
    assert_eq!(ask(&world, "/notes", &other, &session).await.status, 404);
}

#[tokio::test]
async fn session_is_of_one_route() {
    let yaml = format!(
        "{NOTES}  other:\n    path: /other\n    upstream: UPSTREAM\n    audiences: [GATEWAY/notes]\n    required_scopes: []\n"
    );
    let world = World::with(&yaml).await;
    give_sessions(&world, "s1");
    let token = world.token();
    let session = initialize(&world, &token).await;
    assert_eq!(ask(&world, "/other", &token, &session).await.status, 404);
    assert_answered(&ask(&world, "/notes", &token, &session).await);
}

#[tokio::test]
async fn forged_or_altered_session_is_unknown() {
    let world = World::start().await;
    give_sessions(&world, "s1");
    let token = world.token();
    let session = initialize(&world, &token).await;
    let seen = world.upstream.bytes_received();
    let swapped = session.chars().rev().collect::<String>();
    for forged in [
        "s1",
        "x",
        &session[1..],
        &session[..session.len() - 1],
        &format!("{session}A"),
        &format!("{session}="),
        &swapped,
        &session.to_uppercase(),
        &"A".repeat(session.len()),
    ] {
        assert_eq!(ask(&world, "/notes", &token, forged).await.status, 404, "{forged}");
    }
    assert_eq!(world.upstream.bytes_received(), seen);
}

/// Starts a gateway again on the same port, with other keys.
async fn restarted(world: World, sessions: &str) -> World {
    let World { gateway, authorization_server, upstream } = world;
    let port = gateway.port();
    gateway.shut_down().await;
    port_is_free(port).await;
    let parties = Parties { authorization_server, upstream };
    let yaml = parties.fill(&format!("{sessions}\n{NOTES}"));
    let gateway = TestGateway::prepare(&yaml).port(port).start();
    gateway.ready().await;
    World {
        gateway,
        authorization_server: parties.authorization_server,
        upstream: parties.upstream,
    }
}

#[tokio::test]
async fn session_survives_a_restart_and_a_change_of_keys() {
    let sessions = format!("sessions: {{keys: [{OLD_KEY}]}}");
    let world = World::with(&format!("{sessions}\n{NOTES}")).await;
    give_sessions(&world, "s1");
    let token = world.token();
    let session = initialize(&world, &token).await;
    let world = restarted(world, &sessions).await;
    assert_answered(&ask(&world, "/notes", &token, &session).await);
    assert_eq!(last_session(&world).as_deref(), Some("s1"));
    let world = restarted(world, &format!("sessions: {{keys: [{KEY}, {OLD_KEY}]}}")).await;
    assert_answered(&ask(&world, "/notes", &token, &session).await);
    assert_ne!(initialize(&world, &token).await, session, "sealed with the newest key");
    let world = restarted(world, &format!("sessions: {{keys: [{KEY}]}}")).await;
    assert_eq!(ask(&world, "/notes", &token, &session).await.status, 404);
}

#[tokio::test]
async fn session_does_not_survive_a_restart_without_keys() {
    let world = World::start().await;
    give_sessions(&world, "s1");
    let token = world.token();
    let session = initialize(&world, &token).await;
    let world = restarted(world, "").await;
    assert_eq!(ask(&world, "/notes", &token, &session).await.status, 404);
}

#[tokio::test]
async fn request_of_the_revision_without_sessions_has_none() {
    let world = World::start().await;
    let call = world
        .authorized()
        .header("MCP-Protocol-Version", "2026-07-28")
        .header("Mcp-Session-Id", "anything");
    assert_answered(&call.send().await);
    assert_eq!(last_session(&world), None);
    let call = world.authorized().header("MCP-Protocol-Version", "2025-11-25");
    assert_eq!(call.header("Mcp-Session-Id", "anything").send().await.status, 404);
}

#[tokio::test]
async fn unusable_session_of_an_upstream_is_a_bad_gateway() {
    let world = World::start().await;
    let long = "x".repeat(2000);
    for headers in [
        vec![("Mcp-Session-Id", "")],
        vec![("Mcp-Session-Id", "a b")],
        vec![("Mcp-Session-Id", "é")],
        vec![("Mcp-Session-Id", &*long)],
        vec![("Mcp-Session-Id", "a"), ("Mcp-Session-Id", "b")],
    ] {
        world.upstream.next(Reply::with(200, &headers, RESULT));
        let response = world.authorized().send().await;
        assert_eq!(response.status, 502, "{headers:?}");
        assert_eq!(response.header("mcp-session-id"), None);
    }
}

#[tokio::test]
async fn session_of_a_public_route_is_sealed_too() {
    let world = World::with(
        "authorization_servers: {}\nroutes: {open: {path: /open, upstream: UPSTREAM, access: public}}\n",
    )
    .await;
    give_sessions(&world, "upstreams-own-session");
    let post = || world.gateway.post("/open");
    let session = post().body("initialize").send().await;
    let session = session.header("mcp-session-id").unwrap().to_owned();
    assert!(!session.contains("upstreams-own-session"));
    let call = post().header("Mcp-Session-Id", &session).body("{}");
    assert_answered(&call.send().await);
    assert_eq!(last_session(&world).as_deref(), Some("upstreams-own-session"));
    let call = post().header("Mcp-Session-Id", "upstreams-own-session").body("{}");
    assert_eq!(call.send().await.status, 404);
}
