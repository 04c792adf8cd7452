//! `access_tokens: userinfo`: a server that can only say whose a token is.

use serde_json::json;

use super::{bare, server};
use crate::harness::{
    NOTES, Parties, World, assert_answered, authorization_server::Answer, gateway::TestGateway,
};

const NOT_VALID: &str = "The access token is not valid";

/// A route whose server is asked at its userinfo endpoint; no scope is required.
async fn world() -> World {
    let yaml = NOTES
        .replace("client: {id: gatehouse, secret: introspection-secret}", "access_tokens: userinfo")
        .replace("required_scopes: [notes.read]", "required_scopes: []\n    audience_match: off");
    World::with(&yaml).await
}

/// The 401 of the route without required scopes.
fn assert_invalid(world: &World, response: &crate::harness::raw::RawResponse) {
    let challenge = format!(
        "Bearer realm=\"notes\", resource_metadata=\"{}\", error=\"invalid_token\", error_description=\"{NOT_VALID}\"",
        world.gateway.url("/.well-known/oauth-protected-resource/notes"),
    );
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":-32001,"message":"Unauthorized","data":{{"error":"invalid_token","error_description":"{NOT_VALID}","resource_metadata":"GATEWAY/.well-known/oauth-protected-resource/notes","request_id":"ID"}}}}}}"#
    );
    world.assert_refused(response, 401, Some(&challenge), &body);
}

#[tokio::test]
async fn token_is_shown_once_and_remembered() {
    let world = world().await;
    let token = world.authorization_server.mint(&bare().without("active"));
    for _ in 0..3 {
        assert_answered(&world.call().bearer(&token).send().await);
    }
    let [request] = &world.authorization_server.userinfo_requests()[..] else { panic!("not one") };
    assert_eq!(request.method, "GET");
    assert_eq!(request.header("authorization"), Some(&*format!("Bearer {token}")));
    assert!(request.body.is_empty());
    assert_eq!(world.authorization_server.introspection_count(), 0);
}

#[tokio::test]
async fn questions_about_one_token_are_one_question() {
    let world = world().await;
    let token = world.authorization_server.mint(&bare());
    world.authorization_server.hold();
    let call = async || world.call().bearer(&token).send().await;
    let asked = async {
        world
            .gateway
            .counts(
                r#"gatehouse_token_cache_lookups_total{authorization_server="corp",result="coalesced"}"#,
                2.0,
            )
            .await;
        world.authorization_server.release();
    };
    let (first, second, third, ()) = tokio::join!(call(), call(), call(), asked);
    [first, second, third].iter().for_each(assert_answered);
    assert_eq!(world.authorization_server.userinfo_requests().len(), 1);
}

#[tokio::test]
async fn only_401_makes_a_token_invalid_and_is_remembered() {
    let world = world().await;
    for _ in 0..2 {
        assert_invalid(&world, &world.call().bearer("unknown").send().await);
    }
    assert_eq!(world.authorization_server.userinfo_requests().len(), 1);
}

/// RFC 6750 section 3.1: a token without `openid` never becomes acceptable by asking again.
#[tokio::test]
async fn token_that_lacks_the_endpoints_scope_is_invalid_and_that_is_remembered() {
    let world = world().await;
    let token = world.authorization_server.mint(&bare());
    world.authorization_server.answer_with(Answer::error(403, "insufficient_scope"));
    for _ in 0..3 {
        assert_invalid(&world, &world.call().bearer(&token).send().await);
    }
    assert_eq!(world.authorization_server.userinfo_requests().len(), 1);
}

#[tokio::test]
async fn whatever_else_is_answered_says_nothing_about_the_token() {
    let world = world().await;
    let token = world.authorization_server.mint(&bare());
    let http = |content_type, body: &str| Answer::Http {
        status: 200,
        content_type,
        body: body.as_bytes().to_vec(),
    };
    for answer in [
        Answer::status(400),
        Answer::status(403),
        Answer::status(404),
        Answer::status(500),
        Answer::Redirect(302, "/userinfo".to_owned()),
        http("application/jwt", "e30.e30.AA"),
        http("text/html", r#"{"sub":"alice"}"#),
        http("", r#"{"sub":"alice"}"#),
        Answer::json("{}"),
        Answer::json(r#"{"sub":""}"#),
        Answer::json(r#"{"sub":null,"active":true}"#),
        Answer::json(r#"{"sub":"alice","sub":"root"}"#),
        Answer::json(r#"["alice"]"#),
        Answer::Close,
    ] {
        world.authorization_server.answer_with(answer.clone());
        let before = world.authorization_server.userinfo_requests().len();
        world.assert_unavailable(&world.call().bearer(&token).send().await);
        let after = world.authorization_server.userinfo_requests().len();
        assert!(after > before, "{answer:?} must not be remembered");
    }
    world.authorization_server.recover();
    assert_answered(&world.call().bearer(&token).send().await);
}

#[tokio::test]
async fn no_scope_is_granted_unless_the_answer_has_one() {
    let world = server("access_tokens: userinfo", "audience_match: off").await;
    let token = world.authorization_server.mint(&bare());
    let response = world.call().bearer(&token).send().await;
    let description = "The access token lacks a scope that this needs";
    let error = format!(r#", error="insufficient_scope", error_description="{description}""#);
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":-32001,"message":"insufficient_scope","data":{{"error":"insufficient_scope","error_description":"{description}","resource_metadata":"GATEWAY/.well-known/oauth-protected-resource/notes","required_scopes":["notes.read"],"method":"ping","granted_scopes":[],"request_id":"ID"}}}}}}"#
    );
    world.assert_refused(&response, 403, Some(&world.challenge(&error)), &body);
    let token = world.authorization_server.mint(&bare().with("scp", json!(["notes.read"])));
    assert_answered(&world.call().bearer(&token).send().await);
}

#[tokio::test]
async fn expiry_that_the_answer_has_is_exact() {
    let world = world().await;
    let past = crate::harness::token::now() - 1;
    let token = world.authorization_server.mint(&bare().with("exp", past));
    assert_eq!(world.call().bearer(&token).send().await.status, 401);
}

#[tokio::test]
async fn server_without_the_endpoint_is_not_ready_and_says_why() {
    let parties = Parties::start().await;
    let server = &parties.authorization_server;
    let document = server.metadata().replace("userinfo_endpoint", "x_endpoint");
    server.publish("/.well-known/oauth-authorization-server", Answer::json(&document));
    let yaml = NOTES.replace(
        "client: {id: gatehouse, secret: introspection-secret}",
        "access_tokens: userinfo",
    );
    let gateway = TestGateway::start(&parties.fill(&format!("{yaml}    audience_match: off\n")));
    gateway.readiness(503, "set metadata.userinfo_endpoint of this authorization server").await;
}
