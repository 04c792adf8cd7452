//! The confused deputy: a token goes to its authorization server and nowhere else, and no URL that
//! anybody sends is ever fetched.

use crate::{
    harness::{
        NOTES, PING, Parties, World, assert_answered,
        authorization_server::{Answer, StubAuthorizationServer},
        gateway::TestGateway,
        upstream::Feed,
    },
    oracle::{Challenge, refused, still_serves, untouched},
};

/// O01: the client's token never reaches an upstream, on any way there.
#[tokio::test]
async fn token_never_reaches_the_upstream() {
    let open = "  open:\n    path: /open\n    upstream: UPSTREAM\n    access: public\n";
    let below = "  below:\n    path: /below\n    forward_subpaths: true\n    upstream: UPSTREAM\n    audiences: [GATEWAY/notes]\n    required_scopes: []\n";
    let world = World::with(&format!("{NOTES}{open}{below}")).await;
    let token = world.token();
    for call in [
        world.gateway.post("/notes").body(PING),
        world.gateway.post("/notes/?a=b").body(PING),
        world.gateway.get("/notes"),
        world.gateway.request("DELETE", "/notes"),
        world.gateway.post("/open").body(PING),
        world.gateway.post("/below/x").body(PING),
    ] {
        assert_answered(&call.bearer(&token).send().await);
    }
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let mut client = world.gateway.get("/notes").bearer(&token).open().await;
    assert_eq!(client.head().await.status, 200);
    feed.chunk("event: endpoint\ndata: /messages\n\n");
    let event = String::from_utf8(client.chunk().await.unwrap()).unwrap();
    let path = event.trim_end().rsplit(' ').next().unwrap();
    assert_answered(&world.gateway.post(path).bearer(&token).body(PING).send().await);
    let log = world.upstream.log();
    assert!(!log.contains(&token), "{log}");
    assert!(!log.to_lowercase().contains("authorization"), "{log}");
}

/// O01: an upstream's own credential takes the place of the client's.
#[tokio::test]
async fn configured_credential_takes_the_tokens_place() {
    let upstream =
        "upstream: {urls: [UPSTREAM], headers: {Authorization: Bearer upstream-credential}}";
    let world = World::with(&NOTES.replace("upstream: UPSTREAM", upstream)).await;
    let token = world.token();
    assert_answered(&world.call().bearer(&token).send().await);
    let request = world.upstream.only_request();
    let sent: Vec<_> = request.headers.iter().filter(|(name, _)| name == "authorization").collect();
    assert_eq!(sent.len(), 1, "{request:?}");
    assert_eq!(sent[0].1, "Bearer upstream-credential");
    assert!(!world.upstream.log().contains(&token));
    let refusal = world.call().send().await;
    assert!(!format!("{refusal:?}").contains("upstream-credential"));
}

/// O02: cookies and other spellings of `Authorization` stay behind too.
#[tokio::test]
async fn token_in_cookies_and_lookalike_fields_stays_behind() {
    let world = World::start().await;
    for name in ["Cookie", "cookie", "Proxy-Authorization", "X-Forwarded-Authorization"] {
        let call = world.authorized().header(name, "a=canary; b=canary");
        assert_answered(&call.header(name, "c=canary").send().await);
        assert!(!world.upstream.log().contains("canary"), "{name}");
    }
}

/// O05, J07: a token of the same server for another resource opens nothing here.
#[tokio::test]
async fn token_for_another_resource_of_the_same_server() {
    let world = World::start().await;
    for aud in ["https://other.example/mcp", "https://mcp.example", "account", "gatehouse"] {
        let token = world.authorization_server.mint(&world.claims().audience(aud));
        let response = world.call().bearer(&token).send().await;
        refused(&world, aud, &response, 401, Challenge::Error("invalid_token"));
    }
    still_serves(&world).await;
}

/// O06: claims and bodies may hold URLs; none is fetched.
#[tokio::test]
async fn cve_2026_34476_url_from_a_token_or_request_is_never_fetched() {
    let world = World::start().await;
    let canary = StubAuthorizationServer::start().await;
    let url = canary.issuer();
    let plain = world.claims().with("client_id", url).subject(url).with("jku", url);
    let foreign = world.claims().with("iss", url);
    for (claims, status) in [(plain, 200), (foreign, 401)] {
        let token = world.authorization_server.mint(&claims);
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"uri":"{url}","resource":"{url}"}}}}"#
        );
        let call = world.gateway.post(&format!("/notes?resource={url}/x")).bearer(&token);
        let call = ["SW8-Url", "X-Upstream", "Destination", "X-Forwarded-Server", "Referer"]
            .iter()
            .fold(call, |call, name| call.header(name, url));
        assert_eq!(call.body(body).send().await.status, status);
    }
    assert!(canary.received().is_empty(), "{:?}", canary.received());
}

/// O07, L11: discovery follows no redirect and believes no document of another issuer.
#[tokio::test]
async fn discovery_is_not_led_astray() {
    let elsewhere = StubAuthorizationServer::start().await;
    let path = "/.well-known/oauth-authorization-server";
    for answer in [
        Answer::Redirect(302, format!("{}{path}", elsewhere.issuer())),
        Answer::Redirect(307, format!("{}{path}", elsewhere.issuer())),
        Answer::json(&elsewhere.metadata()),
    ] {
        let parties = Parties::start().await;
        parties.authorization_server.publish(path, answer.clone());
        let gateway = TestGateway::start(&parties.fill(NOTES));
        let Parties { authorization_server, upstream } = parties;
        let world = World { gateway, authorization_server, upstream };
        let asked = || {
            let fetched = world.authorization_server.fetched();
            if fetched.is_empty() { Err("nothing".to_owned()) } else { Ok(()) }
        };
        crate::harness::clock::eventually("discovery", asked).await;
        let response = world.authorized().send().await;
        refused(&world, &format!("{answer:?}"), &response, 503, Challenge::Without);
        assert_eq!(world.gateway.operate("/readyz").await.status, 503);
    }
    assert!(elsewhere.received().is_empty(), "{:?}", elsewhere.received());
}

/// O01, A08: what is refused has not been sent on in any part, nor asked about without need.
#[tokio::test]
async fn refused_request_reaches_nobody() {
    let world = World::start().await;
    let poor = world.authorization_server.mint(&world.claims().scope("other"));
    let long = vec![b' '; 3_000_000];
    for (what, call) in [
        ("no token, long body", world.call().body(long.clone())),
        ("bad token, long body", world.call().bearer("bad").body(long.clone())),
        ("poor token, long body", world.call().bearer(&poor).body(long)),
        ("poor token", world.call().bearer(&poor)),
    ] {
        let mut client = crate::harness::client::RawClient::connect(world.gateway.address()).await;
        client.try_send(call.bytes()).await;
        let response = client.response().await;
        assert!(matches!(response.status, 401 | 403), "{what}: {response:?}");
        assert!(response.header("www-authenticate").is_some(), "{what}");
        untouched(&world, what);
    }
    still_serves(&world).await;
}
