//! `/status`: what the gateway knows of itself, as a page and as JSON.

use std::{sync::Arc, time::Duration};

use gatehouse::{clock::ManualClock, reload::Outcome};
use serde_json::{Value, json};

use crate::harness::{
    NOTES, PING, Parties, TASKS, World, assert_answered,
    authorization_server::Answer,
    client::Call,
    clock::eventually,
    gateway::{TestGateway, free_port},
    json,
    jwt::SigningKey,
    token::Token,
};

async fn status(gateway: &TestGateway) -> Value {
    let response = gateway.operate("/status.json").await;
    assert_eq!(response.header("content-type"), Some("application/json"));
    json(&response.text())
}

const RULES: &str = "
    tools:
      write_note: [notes.write]
      debug: {deny: true}
    methods:
      \"logging/*\": [notes.log]
";

fn tool(name: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{name}"}}}}"#)
}

#[tokio::test]
async fn status_says_what_is_served_and_how_it_went() {
    let world = World::with(&format!("{}{RULES}", NOTES.trim_end())).await;
    let token = world.token();
    for _ in 0..2 {
        assert_answered(&world.call().bearer(&token).send().await);
    }
    assert_eq!(world.call().send().await.status, 401);
    let found = status(&world.gateway).await;
    assert_eq!(found["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&found["is_ready"], &found["reasons"]), (&json!(true), &json!([])));
    assert_eq!(found["configuration"]["generation"], 1);
    assert_eq!(found["configuration"]["last_reload"], Value::Null);
    assert_eq!(found["listeners"]["listen"], world.gateway.address().to_string());
    assert_eq!(found["listeners"]["admin"], world.gateway.admin().to_string());
    assert_eq!(
        (&found["listeners"]["tls"], &found["listeners"]["audit"]),
        (&json!(false), &Value::Null)
    );
    let route = &found["routes"][0];
    let expected = json!({
        "name": "notes",
        "resource": world.gateway.url("/notes"),
        "is_protected": true,
        "authorization_servers": ["corp"],
        "required_scopes": ["notes.read"],
        "rules": {"tools": 2, "prompts": 0, "resources": 0, "methods": 1},
        "is_shadowed": false,
        "allowed": 2,
        "denied": 1,
        "denied_by_reason": {"missing_token": 1},
        "would_deny": 0,
        "active_streams": 0,
        "upstream": {
            "url": world.upstream.url(),
            "idle_connections": route["upstream"]["idle_connections"],
            "requests": {"cancelled": 0, "error": 0, "refused": 0, "response": 2, "timeout": 0},
            "last_failure": null,
        },
    });
    assert_eq!(*route, expected);
    let server = &found["authorization_servers"][0];
    assert_eq!((&server["name"], &server["is_ready"]), (&json!("corp"), &json!(true)));
    assert_eq!(server["issuer"], world.authorization_server.issuer());
    assert!(server["endpoints"]["introspection"].as_str().unwrap().ends_with("/introspect"));
    assert_eq!(server["token_cache"]["entries"], 1);
    assert_eq!(
        (&server["token_cache"]["hits"], &server["questions"]["active"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn refusal_is_found_by_its_request_id_with_its_remedy() {
    let world = World::with(&format!("{}{RULES}", NOTES.trim_end())).await;
    let refused = world.authorized().body(tool("write_note")).send().await;
    assert_eq!(refused.status, 403);
    let id = refused.header("x-request-id").unwrap();
    let found = world.gateway.operate(&format!("/status.json?request_id={id}")).await;
    let asked = &json(&found.text())["asked"];
    assert_eq!(asked["request_id"], id);
    let refusal = &asked["refusal"];
    assert_eq!(
        *refusal,
        json!({
            "time": refusal["time"], "request_id": id, "route": "notes", "method": "POST",
            "rpc_method": "tools/call", "rpc_name": "write_note", "status": 403,
            "reason": "insufficient_scope", "detail": refusal["detail"],
            "remedy": "The client must ask its user for the scopes of the challenge; if it did, have the authorization server grant them.",
            "rule": "routes.notes.tools.write_note",
            "issuer": world.authorization_server.issuer(), "subject": "alice",
            "client_id": "client-1",
        })
    );
    assert!(refusal["detail"].as_str().unwrap().contains("this needs [notes.read notes.write]"));
    let page = world.gateway.operate(&format!("/status?request_id=%20{id}+")).await.text();
    let answer = page.split_once("id=\"found\"").unwrap().1.split_once("</section>").unwrap().0;
    for words in ["insufficient_scope", "Remedy", "scopes of the challenge", "alice"] {
        assert!(answer.contains(words), "{words}: {answer}");
    }
    let unknown = world.gateway.operate("/status.json?request_id=elsewhere").await;
    let asked = &json(&unknown.text())["asked"];
    assert_eq!(*asked, json!({"request_id": "elsewhere", "refusal": null}));
    assert!(
        json(&world.gateway.operate("/status.json?request_id=").await.text())
            .get("asked")
            .is_none()
    );
}

#[tokio::test]
async fn status_is_a_page_for_browsers_and_json_for_who_asks() {
    let world = World::start().await;
    let ask = |accept: &'static str, path: &str| {
        Call::new(world.gateway.admin(), "GET", path).header("Accept", accept)
    };
    let html = "text/html; charset=utf-8";
    for (accept, path, content_type) in [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "/status", html),
        ("*/*", "/status", html),
        ("text/html, application/json", "/status", html),
        ("application/json", "/status", "application/json"),
        ("text/plain, APPLICATION/JSON;q=1", "/status", "application/json"),
        ("text/html", "/status.json", "application/json"),
    ] {
        let response = ask(accept, path).send().await;
        assert_eq!((response.status, response.header("content-type")), (200, Some(content_type)));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        let policy = response.header("content-security-policy");
        assert_eq!(policy.is_some(), content_type == html);
    }
    for path in ["/status", "/status.json"] {
        assert_eq!(ask("*/*", path).host("evil.example").send().await.status, 421, "{path}");
        let post = Call::new(world.gateway.admin(), "POST", path).send().await;
        assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
    }
}

#[tokio::test]
async fn failures_of_upstreams_authorization_servers_and_configurations_are_told() {
    let parties = Parties::start().await;
    parties.authorization_server.unpublish_all();
    let gone = format!("http://127.0.0.1:{}/mcp", free_port());
    let open = format!("  open:\n    path: /open\n    access: public\n    upstream: {gone}\n");
    let yaml = parties.fill(&format!("{NOTES}{open}"));
    let gateway = TestGateway::start(&yaml);
    gateway.readiness(503, "404").await;
    assert_eq!(gateway.post("/open").body(PING).send().await.status, 502);
    let found = status(&gateway).await;
    assert_eq!(found["is_ready"], false);
    assert!(found["reasons"][0].as_str().unwrap().starts_with("authorization server corp: "));
    let server = &found["authorization_servers"][0];
    assert_eq!((&server["is_ready"], &server["endpoints"]), (&json!(false), &Value::Null));
    assert!(server["reason"].as_str().unwrap().contains("404"), "{server}");
    let failure = &found["routes"][1]["upstream"]["last_failure"];
    assert_eq!(failure["reason"], "upstream_unreachable");
    assert!(failure["detail"].as_str().unwrap().contains("cannot connect"), "{failure}");
    assert_eq!(gateway.reload(&yaml.replace("path: /open", "path: open")), Outcome::Rejected);
    let last = &status(&gateway).await["configuration"]["last_reload"];
    assert_eq!(
        (&last["outcome"], &last["detail"]),
        (&json!("rejected"), &json!("the file is wrong"))
    );
    assert_eq!(last["problems"][0]["path"], "routes.open.path");
    assert_eq!(gateway.reload(&(yaml + &parties.fill(TASKS))), Outcome::Applied);
    let configuration = &status(&gateway).await["configuration"];
    assert_eq!(configuration["generation"], 2);
    assert_eq!(configuration["last_reload"]["detail"], "routes added: tasks");
    let page = gateway.operate("/status").await.text();
    assert!(page.contains("<title>Gatehouse: not ready</title>"), "{page}");
}

/// P03, Q14: what an operator keeps secret is not shown, wherever it was written.
#[tokio::test]
async fn status_shows_neither_secrets_nor_queries() {
    let parties = Parties::start().await;
    parties.authorization_server.unpublish_all();
    let metadata = "metadata_url: ISSUER/metadata?key=query-canary\n    client:";
    let yaml = NOTES.replace("client:", metadata).replace("introspection-secret", "secret-canary");
    let headers = "upstream: {urls: [UPSTREAM], headers: {X-Api-Key: header-canary}}";
    let yaml = yaml.replace("upstream: UPSTREAM", headers);
    let gateway = TestGateway::start(&parties.fill(&yaml));
    gateway.readiness(503, "/metadata").await;
    let call = gateway.post("/notes?access_token=token-canary").bearer("token-canary").body(PING);
    assert_eq!(call.send().await.status, 400);
    let call = gateway.post("/notes").bearer("other-canary").body(PING);
    assert_eq!(call.send().await.status, 503);
    for path in ["/status", "/status.json"] {
        let text = gateway.operate(path).await.text();
        assert!(text.contains("authorization_server_unavailable"), "{text}");
        assert!(text.contains("/metadata"), "where it was looked for is told: {text}");
        assert!(!text.contains("canary"), "{text}");
    }
    assert!(!gateway.operate("/readyz").await.text().contains("canary"));
}

#[tokio::test]
async fn remedy_names_what_can_be_changed_and_what_is_fixed() {
    let world = World::with(NOTES).await;
    let long = format!("/notes?{}", "x".repeat(8 << 10));
    assert_eq!(world.gateway.post(&long).body(PING).send().await.status, 414);
    let fields = (0..101).fold(world.authorized(), |call, n| call.header(&format!("x-{n}"), "1"));
    assert_eq!(fields.send().await.status, 431);
    let large = world.authorized().header("x-large", &"x".repeat(40 << 10));
    assert_eq!(large.send().await.status, 431);
    let status = status(&world.gateway).await;
    let mut remedies: Vec<_> =
        status["refusals"].as_array().unwrap().iter().map(|each| &each["remedy"]).collect();
    remedies.sort_by_key(|remedy| remedy.as_str());
    assert_eq!(
        remedies,
        [
            "Send fewer or shorter header fields, or raise listen.limits.max_header_bytes.",
            "The client must send a URL of 8 KiB or less; this is fixed.",
            "The client, or a proxy before us, must send 100 header fields or fewer; this is fixed.",
        ]
    );
}

/// P05: what others wrote stays text.
#[tokio::test]
async fn names_from_requests_and_tokens_become_no_markup() {
    let world = World::with(&format!("{}{RULES}", NOTES.trim_end())).await;
    let hostile = "<script>alert(1)</script><img src=x>\u{202e}";
    let claims = world.claims().scope("none").subject(hostile);
    world.authorization_server.know("token", &claims.json());
    let call = world.call().bearer("token").body(tool(hostile));
    assert_eq!(call.send().await.status, 403);
    let path = "/status?request_id=%3Cscript%3E%22%3E%3Cimg%20src=x%3E";
    let page = world.gateway.operate(path).await.text();
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains('\u{202e}'));
    let escaped = r"&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x&gt;\u202e";
    assert_eq!(page.matches(escaped).count(), 2, "the tool and the subject: {page}");
    assert!(page.contains("value=\"&lt;script&gt;&quot;&gt;&lt;img src=x&gt;\""), "{page}");
}

#[tokio::test]
async fn key_set_is_told_with_its_age() {
    let clock = Arc::new(ManualClock::new());
    let parties = Parties::start().await;
    let key = SigningKey::generate("ES256").named("key-<1>");
    parties.authorization_server.publish_keys(&[key.jwk()]);
    let yaml = NOTES
        .replace("client: {id: gatehouse, secret: introspection-secret}", "access_tokens: jwt");
    let gateway = TestGateway::prepare(&parties.fill(&yaml)).clock(&clock).start();
    gateway.ready().await;
    clock.advance(Duration::from_secs(70));
    let keys = &status(&gateway).await["authorization_servers"][0]["key_set"];
    assert_eq!((&keys["count"], &keys["kids"]), (&json!(1), &json!(["key-<1>"])));
    assert_eq!((&keys["age_seconds"], &keys["last_failure"]), (&json!(70), &Value::Null));
    assert!(keys["next_fetch_seconds"].as_u64().is_some(), "{keys}");
    assert!(gateway.operate("/status").await.text().contains("confirmed 1 min 10 s ago"));
}

#[tokio::test]
async fn tokens_are_forgotten_for_who_shows_the_admin_token() {
    let parties = Parties::start().await;
    let yaml = format!("admin: {{token_file: /admin-token}}\n{}", parties.fill(NOTES));
    let gateway = TestGateway::prepare(&yaml).file("/admin-token", "admin-secret\n").start();
    gateway.ready().await;
    let claims = Token::new().audience(&gateway.url("/notes")).scope("notes.read");
    let token = parties.authorization_server.mint(&claims);
    let call = || gateway.post("/notes").bearer(&token).body(PING);
    for _ in 0..2 {
        assert_answered(&call().send().await);
    }
    assert_eq!(parties.authorization_server.introspection_count(), 1);
    let forget =
        |query: &str| Call::new(gateway.admin(), "POST", &format!("/tokens/forget{query}"));
    for wrong in ["", "admin-secre", "admin-secret2", "Admin-secret", " admin-secret"] {
        let refused = forget("").bearer(wrong).send().await;
        assert_eq!(refused.status, 401, "{wrong}");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"gatehouse admin\""));
    }
    assert_eq!(forget("").send().await.status, 401);
    let twice = forget("").bearer("admin-secret").bearer("admin-secret");
    assert_eq!(twice.send().await.status, 401);
    let get = Call::new(gateway.admin(), "GET", "/tokens/forget").bearer("admin-secret");
    assert_eq!((get.send().await.status, get.send().await.header("allow")), (405, Some("POST")));
    let other = forget("?authorization_server=elsewhere").bearer("admin-secret");
    assert_eq!(other.send().await.status, 404);
    assert_answered(&call().send().await);
    assert_eq!(parties.authorization_server.introspection_count(), 1, "nothing was forgotten");
    let foreign = forget("").bearer("admin-secret").host("evil.example");
    assert_eq!(foreign.send().await.status, 421);
    let done = forget("?authorization_server=corp").bearer("admin-secret").send().await;
    assert_eq!((done.status, &*done.text()), (200, "1 forgotten\n"));
    parties.authorization_server.revoke(&token);
    assert_eq!(call().send().await.status, 401, "it was asked about anew");
    let status = gateway.operate("/status.json").await.text();
    assert!(!status.contains("admin-secret"), "{status}");
    // Without the key there is no such path.
    let without = World::start().await;
    let call = Call::new(without.gateway.admin(), "POST", "/tokens/forget").bearer("admin-secret");
    assert_eq!(call.send().await.status, 404);
}

/// An answer that was true before the token was revoked is not remembered afterwards.
#[tokio::test]
async fn question_under_way_is_forgotten_too() {
    let parties = Parties::start().await;
    let yaml = format!("admin: {{token_file: /admin-token}}\n{}", parties.fill(NOTES));
    let gateway = TestGateway::prepare(&yaml).file("/admin-token", "admin-secret\n").start();
    gateway.ready().await;
    let claims = Token::new().audience(&gateway.url("/notes")).scope("notes.read");
    let token = parties.authorization_server.mint(&claims);
    let call = || gateway.post("/notes").bearer(&token).body(PING);
    parties.authorization_server.hold();
    let mut waiting = call().open().await;
    eventually("the question is put", || {
        match parties.authorization_server.introspection_count() {
            0 => Err("not yet".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    let forget = Call::new(gateway.admin(), "POST", "/tokens/forget").bearer("admin-secret");
    assert_eq!(forget.send().await.status, 200);
    parties.authorization_server.release();
    assert_answered(&waiting.response().await);
    assert_answered(&call().send().await);
    assert_eq!(parties.authorization_server.introspection_count(), 2, "asked about anew");
    assert_answered(&call().send().await);
    assert_eq!(parties.authorization_server.introspection_count(), 2, "remembered again");
}

#[tokio::test]
async fn flood_of_strangers_leaves_what_befell_somebody() {
    let world = World::start().await;
    let poor = world.authorization_server.mint(&world.claims().scope("other"));
    let refused = world.call().bearer(&poor).send().await;
    let id = refused.header("x-request-id").unwrap();
    for number in 0..150 {
        world.gateway.post(&format!("/nowhere-{number}")).body("x".repeat(2000)).send().await;
    }
    let response = world.gateway.operate(&format!("/status.json?request_id={id}")).await;
    let found = json(&response.text());
    assert_eq!(found["asked"]["refusal"]["reason"], "insufficient_scope");
    assert_eq!(found["refusals"].as_array().unwrap().len(), 101);
    world.authorization_server.answer_for("failing", Answer::status(500));
    assert_eq!(world.call().bearer("failing").send().await.status, 503);
    let newest = &status(&world.gateway).await["refusals"][0];
    assert_eq!(newest["reason"], "authorization_server_unavailable", "the newest first");
}
