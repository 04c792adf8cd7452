//! Several authorization servers on one route: which of them hears of a token, and which decides.

use std::{sync::Arc, time::Duration};

use gatehouse::clock::ManualClock;
use serde_json::json;

use super::{TWO, Two, jws};
use crate::harness::{
    PING, Parties, World, assert_answered,
    authorization_server::{Answer, StubAuthorizationServer},
    clock::eventually_heard,
    gateway::{TestGateway, free_port},
    json as parsed,
    token::{Token, now},
};

const NOT_VALID: &str = "The access token is not valid";

#[tokio::test]
async fn opaque_token_is_asked_about_in_the_listed_order_until_one_knows_it() {
    let two = Two::start().await;
    let (of_corp, of_partner) = (two.world.token(), two.of_partner());
    assert_answered(&two.call(&of_corp).await);
    assert_eq!(two.asked(), (1, 0), "the first knew it");
    assert_answered(&two.call(&of_partner).await);
    assert_eq!(two.asked(), (2, 1), "the first did not");
    for _ in 0..3 {
        assert_answered(&two.call(&of_corp).await);
        assert_answered(&two.call(&of_partner).await);
    }
    assert_eq!(two.asked(), (2, 1), "both remember");
}

#[tokio::test]
async fn order_of_the_route_decides_not_that_of_the_file() {
    let two = Two::with(&TWO.replace("[corp, partner]", "[partner, corp]")).await;
    assert_answered(&two.call(&two.of_partner()).await);
    assert_eq!(two.asked(), (0, 1));
}

#[tokio::test]
async fn token_that_nobody_knows_is_invalid_and_that_is_remembered() {
    let two = Two::start().await;
    for _ in 0..3 {
        two.world.assert_invalid_token(&two.call("nobodys").await, NOT_VALID);
    }
    assert_eq!(two.asked(), (1, 1));
    let negative = |server| {
        format!(
            r#"gatehouse_token_cache_lookups_total{{authorization_server="{server}",result="negative_hit"}}"#
        )
    };
    for server in ["corp", "partner"] {
        two.world.gateway.counts(&negative(server), 2.0).await;
    }
}

#[tokio::test]
async fn first_that_says_active_decides_even_when_its_word_is_not_good_enough() {
    let two = Two::start().await;
    two.partner.know("shared", &two.world.claims().json());
    let expired = two.world.claims().with("exp", now() - 1);
    two.corp().know("shared", &expired.json());
    two.world.assert_invalid_token(&two.call("shared").await, "The access token expired");
    assert_eq!(two.asked(), (1, 0), "the second must not overrule the first");
}

#[tokio::test]
async fn dead_server_does_not_make_the_tokens_of_another_invalid() {
    for answer in [Answer::status(500), Answer::Close, Answer::status(401), Answer::json("{}")] {
        let two = Two::start().await;
        two.corp().answer_with(answer.clone());
        two.world.assert_unavailable(&two.call("nobodys").await);
        assert_eq!(two.asked(), (1, 1), "{answer:?}");
        let token = two.of_partner();
        for _ in 0..3 {
            assert_answered(&two.call(&token).await);
        }
        assert_eq!(two.asked(), (2, 2), "what is remembered costs no question");
    }
}

#[tokio::test]
async fn dead_last_server_is_unavailable_only_to_tokens_that_nobody_else_knows() {
    let two = Two::start().await;
    two.partner.answer_with(Answer::status(500));
    two.world.assert_unavailable(&two.call("nobodys").await);
    two.world.assert_unavailable(&two.call("nobodys").await);
    assert_eq!(two.asked(), (1, 2), "a failure is not remembered, an answer is");
    assert_answered(&two.call(&two.world.token()).await);
}

#[tokio::test]
async fn what_a_later_server_said_is_enough_while_it_is_remembered() {
    let clock = Arc::new(ManualClock::new());
    let partner = StubAuthorizationServer::start().await;
    let parties = Parties::start().await;
    let yaml = parties.fill(&TWO.replace("PARTNER", partner.issuer()));
    let gateway = TestGateway::prepare(&yaml).clock(&clock).start();
    gateway.ready().await;
    let Parties { authorization_server, upstream } = parties;
    let two = Two { world: World { gateway, authorization_server, upstream }, partner };
    let token = two.of_partner();
    assert_answered(&two.call(&token).await);
    // The first server's "inactive" is forgotten after 10 seconds, and it dies.
    clock.advance(Duration::from_secs(11));
    two.corp().answer_with(Answer::status(500));
    assert_answered(&two.call(&token).await);
    assert_eq!(two.asked(), (1, 1));
    clock.advance(Duration::from_secs(50));
    assert_answered(&two.call(&token).await);
    assert_eq!(two.asked(), (2, 2), "both in their order, once more");
}

#[tokio::test]
async fn server_that_was_never_found_does_not_stand_in_the_way_of_another() {
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let partner = StubAuthorizationServer::start().await;
    let parties = Parties::start().await;
    let yaml = TWO.replace("ISSUER", &nobody).replace("PARTNER", partner.issuer());
    let gateway = TestGateway::start(&parties.fill(&yaml));
    eventually_heard("only the dead server is missing", async || {
        let text = gateway.operate("/readyz").await.text();
        let is_so = text.contains("authorization server corp") && !text.contains("partner");
        if is_so { Ok(()) } else { Err(text) }
    })
    .await;
    let claims = Token::new().audience(&gateway.url("/notes")).scope("notes.read");
    let token = partner.mint(&claims);
    let response = gateway.post("/notes").bearer(&token).body(PING).send().await;
    assert_answered(&response);
    let response = gateway.post("/notes").bearer("x").body(PING).send().await;
    assert_eq!(response.status, 503);
}

#[tokio::test]
async fn jws_is_asked_about_at_the_server_that_it_names_and_nowhere_else() {
    let two = Two::start().await;
    let of_partner = jws(two.partner.issuer());
    two.partner.know(&of_partner, &two.world.claims().json());
    assert_answered(&two.call(&of_partner).await);
    assert_eq!(two.asked(), (0, 1));
    let of_corp = jws(two.corp().issuer());
    two.partner.know(&of_corp, &two.world.claims().json());
    for _ in 0..3 {
        let response = two.call(&of_corp).await;
        assert_eq!(response.status, 401, "the server that it names does not know it");
    }
    assert_eq!(two.asked(), (1, 1));
    for (result, count) in [("miss", 1.0), ("negative_hit", 2.0), ("coalesced", 0.0)] {
        let series = format!(
            r#"gatehouse_token_cache_lookups_total{{authorization_server="corp",result="{result}"}}"#
        );
        two.world.gateway.counts(&series, count).await;
    }
}

#[tokio::test]
async fn jws_whose_server_is_down_is_not_asked_about_elsewhere() {
    let two = Two::start().await;
    let token = jws(two.corp().issuer());
    two.partner.know(&token, &two.world.claims().json());
    two.corp().answer_with(Answer::status(500));
    two.world.assert_unavailable(&two.call(&token).await);
    assert_eq!(two.asked(), (1, 0));
}

#[tokio::test]
async fn jws_of_a_server_that_the_route_does_not_list_is_refused_unasked() {
    let mut other = TWO.to_owned();
    other.push_str("  files:\n    path: /files\n    upstream: UPSTREAM\n");
    other.push_str("    authorization_servers: [partner]\n    required_scopes: []\n");
    let two = Two::with(&other.replacen("[corp, partner]", "[corp]", 1)).await;
    let token = jws(two.partner.issuer());
    for server in [two.corp(), &two.partner] {
        server.know(&token, &two.world.claims().json());
    }
    for _ in 0..2 {
        two.world.assert_invalid_token(&two.call(&token).await, NOT_VALID);
    }
    assert_eq!(two.asked(), (0, 0));
    let denied =
        r#"gatehouse_auth_decisions_total{outcome="denied",reason="wrong_issuer",route="notes"}"#;
    two.world.gateway.counts(denied, 2.0).await;
}

#[tokio::test]
async fn accepted_issuer_names_its_server_too() {
    let yaml = TWO.replacen(
        "issuer: PARTNER\n",
        "issuer: PARTNER\n    introspection: {accepted_issuers: ['https://alias.example']}\n",
        1,
    );
    let two = Two::with(&yaml).await;
    let token = jws("https://alias.example");
    two.partner.know(&token, &two.world.claims().with("iss", "https://alias.example").json());
    assert_answered(&two.call(&token).await);
    assert_eq!(two.asked(), (0, 1));
}

#[tokio::test]
async fn jws_of_an_issuer_that_nobody_knows_is_opaque_to_servers_that_introspect() {
    let two = Two::start().await;
    let token = jws("http://internal.example:8080");
    two.partner.know(&token, &two.world.claims().json());
    assert_answered(&two.call(&token).await);
    assert_eq!(two.asked(), (1, 1));
    // What the server itself answers as issuer is judged as ever.
    let token = format!("{}x", jws("http://internal.example:8080"));
    let claims = two.world.claims().with("iss", "http://internal.example:8080");
    two.corp().know(&token, &claims.json());
    assert_eq!(two.call(&token).await.status, 401);
    assert_eq!(two.asked(), (2, 1));
}

#[tokio::test]
async fn metadata_lists_all_issuers_byte_for_byte_in_the_routes_order() {
    let two = Two::with(&TWO.replace("[corp, partner]", "[partner, corp]")).await;
    let text = two.world.gateway.get("/.well-known/oauth-protected-resource/notes").send().await;
    let document = parsed(&text.text());
    let expected = json!([two.partner.issuer(), two.corp().issuer()]);
    assert_eq!(document["authorization_servers"], expected);
}

#[tokio::test]
async fn answers_are_counted_for_each_server() {
    let two = Two::start().await;
    assert_answered(&two.call(&two.of_partner()).await);
    for (server, outcome) in [("corp", "inactive"), ("partner", "active")] {
        let series = format!(
            r#"gatehouse_introspection_requests_total{{authorization_server="{server}",outcome="{outcome}"}}"#
        );
        two.world.gateway.counts(&series, 1.0).await;
    }
}
