//! Sessions: a reference is of one principal, one route and one upstream, and never a credential.

use crate::{
    harness::{
        NOTES, PING, World, assert_answered,
        client::Call,
        raw::RawResponse,
        token::{Token, now},
        upstream::{Feed, RESULT, Reply},
    },
    oracle::{Challenge, refused},
};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#;

/// A world whose upstream answers `initialize` with a session; with a second route.
async fn world() -> World {
    let other = "  other:\n    path: /other\n    upstream: UPSTREAM\n    audiences: [GATEWAY/notes]\n    required_scopes: []\n";
    let world = World::with(&format!("{NOTES}{other}")).await;
    world.upstream.answer(|request| {
        if request.text().contains("initialize") {
            let headers = [("Content-Type", "application/json"), ("Mcp-Session-Id", "canary-1")];
            Reply::with(200, &headers, RESULT)
        } else {
            Reply::json(RESULT)
        }
    });
    world
}

async fn initialize(world: &World, token: &str) -> String {
    let response = world.gateway.post("/notes").bearer(token).body(INITIALIZE).send().await;
    assert_answered(&response);
    let session = response.header("mcp-session-id").expect("a session").to_owned();
    assert!(!session.contains("canary"), "{session}");
    session
}

/// A response without what differs between any two.
fn plain(response: &RawResponse) -> String {
    let id = response.header("x-request-id").unwrap().to_owned();
    let headers = response.headers.iter().filter(|(name, _)| name != "date").collect::<Vec<_>>();
    format!("{} {headers:?} {}", response.status, response.text()).replace(&id, "ID")
}

/// POST, GET and DELETE with this token and session.
fn calls(world: &World, path: &str, token: &str, session: &str) -> [Call; 3] {
    let post = world.gateway.post(path).body(PING);
    let calls = [post, world.gateway.get(path), world.gateway.request("DELETE", path)];
    calls.map(|call| call.bearer(token).header("Mcp-Session-Id", session))
}

/// Asserts that a session is exactly an unknown one here, and that the upstream hears nothing.
async fn assert_unknown(world: &World, path: &str, token: &str, session: &str, what: &str) {
    let seen = world.upstream.bytes_received();
    let unknown = calls(world, path, token, "unknown");
    for (call, unknown) in calls(world, path, token, session).into_iter().zip(unknown) {
        let (response, unknown) = (call.send().await, unknown.send().await);
        assert_eq!(response.status, 404, "{what}: {response:?}");
        assert_eq!(response.header("www-authenticate"), None, "{what}");
        assert_eq!(plain(&response), plain(&unknown), "{what}: one can be told from the other");
    }
    assert_eq!(world.upstream.bytes_received(), seen, "{what}");
}

/// K01, K02: a session is of issuer, subject and client together.
#[tokio::test]
async fn cve_2026_52869_session_of_another_principal() {
    let world = world().await;
    let session = initialize(&world, &world.token()).await;
    for (what, claims) in [
        ("another subject", world.claims().subject("bob")),
        ("the subject in another case", world.claims().subject("Alice")),
        ("a longer subject", world.claims().subject("alice ")),
        ("another client", world.claims().with("client_id", "client-2")),
        ("no client", world.claims().without("client_id")),
        ("no subject", world.claims().without("sub")),
        ("nobody", world.claims().without("sub").without("client_id")),
        (
            "subject and client swapped",
            world.claims().subject("client-1").with("client_id", "alice"),
        ),
        (
            "subject and client run together",
            world.claims().subject("alicec").with("client_id", "lient-1"),
        ),
    ] {
        let token = world.authorization_server.mint(&claims);
        assert_unknown(&world, "/notes", &token, &session, what).await;
    }
    for call in calls(&world, "/notes", &world.token(), &session) {
        assert_answered(&call.send().await);
    }
}

/// K03, K04: the session goes on with a renewed token; what that may do is judged by itself.
#[tokio::test]
async fn session_goes_on_with_a_renewed_token_of_the_same_principal() {
    let world = world().await;
    let session = initialize(&world, &world.token()).await;
    let renewed = world.authorization_server.mint(&world.claims().scope("notes.read more"));
    for call in calls(&world, "/notes", &renewed, &session) {
        assert_answered(&call.send().await);
        let request = world.upstream.requests().pop().unwrap();
        assert_eq!(request.header("mcp-session-id"), Some("canary-1"));
    }
    let seen = world.upstream.bytes_received();
    let poor = world.authorization_server.mint(&world.claims().scope("other"));
    for call in calls(&world, "/notes", &poor, &session) {
        assert_eq!(call.send().await.status, 403);
    }
    assert_eq!(world.upstream.bytes_received(), seen);
}

/// K05: a session opened on one route opens nothing on another, to the same upstream or not.
#[tokio::test]
async fn ghsa_mvgg_jvj2_4frq_session_of_another_route() {
    let world = world().await;
    let token = world.token();
    let session = initialize(&world, &token).await;
    assert_unknown(&world, "/other", &token, &session, "the other route").await;
}

/// K06: a session that the client makes up binds nothing.
#[tokio::test]
async fn session_that_the_client_made_up() {
    let world = world().await;
    let token = world.token();
    for session in ["canary-1", "mine", "00000000-0000-0000-0000-000000000000"] {
        let call = world.gateway.post("/notes").bearer(&token).header("Mcp-Session-Id", session);
        let response = call.body(INITIALIZE).send().await;
        refused(&world, session, &response, 404, Challenge::Without);
        assert_unknown(&world, "/notes", &token, session, session).await;
    }
}

/// K07: one field, of one visible value.
#[tokio::test]
async fn mcp_gateway_registry_1357_odd_session_fields() {
    let world = World::start().await;
    let long = "a".repeat(9000);
    for (value, status) in [
        ("a, b", 404),
        ("a,b", 404),
        ("../x", 404),
        ("a?x=1", 404),
        ("a&session_id=b", 404),
        ("a%0a", 404),
        ("a b", 404),
        ("", 404),
        (&long, 404),
        ("a\u{e9}", 400),
        ("a\tb", 400),
    ] {
        let response = world.authorized().header("Mcp-Session-Id", value).send().await;
        let what = value.chars().take(30).collect::<String>();
        refused(&world, &what, &response, status, Challenge::Without);
    }
    for pair in [["a", "a"], ["a", "b"]] {
        let call = world.authorized().header("Mcp-Session-Id", pair[0]);
        let response = call.header("mcp-session-id", pair[1]).send().await;
        refused(&world, "two", &response, 400, Challenge::Without);
    }
    for name in ["Mcp_Session_Id", "mcp_session-id", "Mcp.Session.Id"] {
        assert_answered(&world.authorized().header(name, "canary").send().await);
        assert!(!world.upstream.log().contains("canary"), "{name}");
    }
    let in_query = world.gateway.post("/notes?mcp-session-id=x").bearer(&world.token());
    assert_answered(&in_query.body(PING).send().await);
    assert_eq!(world.upstream.requests().pop().unwrap().header("mcp-session-id"), None);
}

/// Opens an HTTP+SSE stream with this token and returns the path that the client was given.
async fn endpoint(world: &World, token: &str) -> (Feed, crate::harness::client::RawClient, String) {
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let mut client = world.gateway.get("/notes").bearer(token).open().await;
    assert_eq!(client.head().await.status, 200);
    feed.chunk("event: endpoint\ndata: /messages?sessionId=canary-2\n\n");
    let event = String::from_utf8(client.chunk().await.unwrap()).unwrap();
    let path = event.trim_end().rsplit("data: ").next().unwrap().to_owned();
    assert!(!event.contains("canary"), "{event}");
    (feed, client, path)
}

/// K08: the message endpoint of HTTP+SSE is behind the same door as everything else.
#[tokio::test]
async fn memwal_491_message_endpoint_of_somebody_else() {
    let world = world().await;
    let token = world.token();
    let (_feed, _client, path) = endpoint(&world, &token).await;
    let seen = world.upstream.bytes_received();
    let bob = world.authorization_server.mint(&world.claims().subject("bob"));
    let poor = world.authorization_server.mint(&world.claims().scope("other"));
    let expired = world.authorization_server.mint(&world.claims().with("exp", now() - 1));
    let other = path.replace("/notes/", "/other/");
    for (path, token, status) in [
        (path.clone(), "", 401),
        (path.clone(), "unknown", 401),
        (path.clone(), &*expired, 401),
        (path.clone(), &poor, 403),
        (path.clone(), &bob, 404),
        (other, &token, 404),
        (format!("{path}?sessionId=canary-2"), &token, 404),
        (format!("{path}?sessionId=a&sessionId=b"), &token, 404),
        (format!("{path}/"), &token, 404),
        ("/messages?sessionId=canary-2".to_owned(), &token, 404),
        ("/notes/messages?sessionId=canary-2".to_owned(), &token, 404),
        ("/messages".to_owned(), &token, 404),
    ] {
        let call = world.gateway.post(&path).body(PING);
        let call = if token.is_empty() { call } else { call.bearer(token) };
        let response = call.send().await;
        assert_eq!(response.status, status, "{path} {token}");
        let is_challenged = response.header("www-authenticate").is_some();
        assert_eq!(is_challenged, matches!(status, 401 | 403), "{path} {token}");
        assert_eq!(world.upstream.bytes_received(), seen, "{path} {token}");
    }
    assert_answered(&world.gateway.post(&path).bearer(&token).body(PING).send().await);
    assert_eq!(world.upstream.requests().pop().unwrap().target, "/messages?sessionId=canary-2");
}

/// K15: the two kinds of reference are not each other.
#[tokio::test]
async fn session_is_no_endpoint_and_an_endpoint_is_no_session() {
    let world = world().await;
    let token = world.token();
    let session = initialize(&world, &token).await;
    let (_feed, _client, path) = endpoint(&world, &token).await;
    let reference = path.trim_start_matches("/notes/").to_owned();
    assert_unknown(&world, "/notes", &token, &reference, "an endpoint as session").await;
    let seen = world.upstream.bytes_received();
    let call = world.gateway.post(&format!("/notes/{session}")).bearer(&token).body(PING);
    assert_eq!(call.send().await.status, 404);
    assert_eq!(world.upstream.bytes_received(), seen);
}

/// K11: a session is no credential.
#[tokio::test]
async fn session_without_a_good_token() {
    let world = world().await;
    let session = initialize(&world, &world.token()).await;
    let seen = world.upstream.bytes_received();
    let expired = world.authorization_server.mint(&world.claims().with("exp", now() - 1));
    for token in ["", "unknown", &expired] {
        for call in calls(&world, "/notes", token, &session) {
            let call = if token.is_empty() { call.without("authorization") } else { call };
            let response = call.send().await;
            assert_eq!(response.status, 401, "{token}");
            let challenge = response.header("www-authenticate").unwrap();
            assert_eq!(challenge.contains("error="), !token.is_empty(), "{challenge}");
        }
    }
    assert_eq!(world.upstream.bytes_received(), seen);
}

/// K12: what the upstream says of a session that it has ended passes.
#[tokio::test]
async fn upstream_that_has_ended_a_session() {
    let world = world().await;
    let token = world.token();
    let session = initialize(&world, &token).await;
    for call in calls(&world, "/notes", &token, &session) {
        world.upstream.next(Reply::with(404, &[], "{\"theirs\":1}"));
        let response = call.send().await;
        assert_eq!((response.status, &*response.text()), (404, "{\"theirs\":1}"));
    }
}

/// K15: no bit of a reference may change, and no part of it stands for the whole.
#[tokio::test]
async fn altered_references_are_unknown() {
    let world = world().await;
    let token = world.token();
    let session = initialize(&world, &token).await;
    let seen = world.upstream.bytes_received();
    let mut forged: Vec<String> = (0..session.len())
        .map(|at| {
            let mut bytes = session.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).unwrap()
        })
        .collect();
    forged.extend((1..session.len()).step_by(7).map(|end| session[..end].to_owned()));
    forged.extend([format!("{session}A"), format!("{session}="), format!("{session}.x")]);
    for forged in forged {
        let call = world.gateway.post("/notes").bearer(&token).body(PING);
        let response = call.header("Mcp-Session-Id", &forged).send().await;
        assert_eq!(response.status, 404, "{forged}");
        assert_eq!(world.upstream.bytes_received(), seen, "{forged}");
    }
}

/// K18: requests of one session at once, and its end among them.
#[tokio::test]
async fn concurrent_requests_of_one_session() {
    let world = world().await;
    let token = world.token();
    let session = initialize(&world, &token).await;
    let mut all = tokio::task::JoinSet::new();
    for n in 0..60 {
        let [post, get, delete] = calls(&world, "/notes", &token, &session);
        let call = match n % 6 {
            0 => delete,
            1 => get,
            _ => post,
        };
        all.spawn(async move { call.send().await.status });
    }
    assert!(all.join_all().await.iter().all(|status| *status == 200));
    let own = |request: &crate::harness::raw::Received| {
        request.text().contains("initialize")
            || request.header("mcp-session-id") == Some("canary-1")
    };
    assert!(world.upstream.requests().iter().all(own));
}

/// K19: principals never share an upstream session: each has what it was given.
#[tokio::test]
async fn sessions_of_two_principals_do_not_mix() {
    let world = world().await;
    let mut number = 0;
    world.upstream.answer(move |request| {
        number += 1;
        let session = format!("session-{number}");
        let given: &[(&str, &str)] = if request.text().contains("initialize") {
            &[("Mcp-Session-Id", &session)]
        } else {
            &[]
        };
        Reply::with(200, given, RESULT)
    });
    let alice = world.token();
    let bob = world.authorization_server.mint(&world.claims().subject("bob"));
    let (of_alice, of_bob) = (initialize(&world, &alice).await, initialize(&world, &bob).await);
    assert_ne!(of_alice, of_bob);
    for (token, session, expected) in
        [(&alice, &of_alice, "session-1"), (&bob, &of_bob, "session-2")]
    {
        for call in calls(&world, "/notes", token, session) {
            assert_answered(&call.send().await);
            let request = world.upstream.requests().pop().unwrap();
            assert_eq!(request.header("mcp-session-id"), Some(expected));
        }
    }
    assert_unknown(&world, "/notes", &alice, &of_bob, "bob's").await;
    assert_unknown(&world, "/notes", &bob, &of_alice, "alice's").await;
}

/// K02: tokens that name nobody are each their own principal.
#[tokio::test]
async fn tokens_without_subject_share_no_session() {
    let world = world().await;
    let nobody: Token = world.claims().without("sub").without("client_id");
    let (one, two) =
        (world.authorization_server.mint(&nobody), world.authorization_server.mint(&nobody));
    let session = initialize(&world, &one).await;
    assert_unknown(&world, "/notes", &two, &session, "another token of nobody").await;
}

/// K09: `Last-Event-ID` opens no session: the stream of another is behind its session.
#[tokio::test]
async fn last_event_id_of_somebody_elses_stream() {
    let world = world().await;
    let session = initialize(&world, &world.token()).await;
    let bob = world.authorization_server.mint(&world.claims().subject("bob"));
    let seen = world.upstream.bytes_received();
    let call = world.gateway.get("/notes").bearer(&bob).header("Mcp-Session-Id", &session);
    assert_eq!(call.header("Last-Event-ID", "canary").send().await.status, 404);
    let twice = world.gateway.get("/notes").bearer(&bob).header("Last-Event-ID", "a");
    assert_eq!(twice.header("Last-Event-ID", "b").send().await.status, 400);
    assert_eq!(world.upstream.bytes_received(), seen);
}
