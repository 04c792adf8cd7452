//! The same request to a running gateway and to `explain`: same status, same header fields.

use super::{configuration, explain};
use crate::harness::{NOTES, World, client::Call, json, process::Said, raw::RawResponse};

/// What both say, but for what a connection or a single request adds.
fn fields(response: &RawResponse) -> Vec<(String, String)> {
    let passing = ["x-request-id", "date", "content-length", "connection"];
    let lower = |(name, value): &(String, String)| (name.to_ascii_lowercase(), value.clone());
    let mut fields: Vec<_> = response.headers.iter().map(lower).collect();
    fields.retain(|(name, _)| !passing.contains(&&**name));
    fields.sort();
    fields
}

/// Sends a call, explains it, and compares.
async fn agree(world: &World, yaml: &str, call: Call, arguments: &[&str], reason: &str) {
    let response = call.send().await;
    let arguments = [arguments, &["--json"]].concat();
    let Said { code, out, err } = explain(&configuration(world, yaml), &arguments, None).await;
    assert_eq!(code, Some(0), "{arguments:?}: {err}{out}");
    let answer = json(&out);
    assert_eq!(answer["status"], response.status, "{arguments:?}: {answer:#}");
    assert_eq!(answer["reason"], reason, "{answer:#}");
    let challenge = answer["www_authenticate"].as_str();
    assert_eq!(challenge, response.header("www-authenticate"), "{arguments:?}");
    let pair = |pair: &serde_json::Value| {
        let text = |index: usize| pair[index].as_str().unwrap().to_owned();
        (text(0), text(1))
    };
    let mut explained: Vec<_> = answer["headers"].as_array().unwrap().iter().map(pair).collect();
    explained.sort();
    assert_eq!(explained, fields(&response), "{arguments:?}");
    let last = answer["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(last["ruling"], "refused", "{last}");
    assert_eq!(last["why"], answer["detail"]);
}

#[tokio::test]
async fn refused_heads() {
    let world = World::start().await;
    let gateway = &world.gateway;
    let url = |path: &str| gateway.url(path);
    let (foreign, port) = ("evil.example", gateway.port());
    let there = format!("http://{foreign}:{port}/notes");
    let rows: [(Call, Vec<&str>, &str); 7] = [
        (gateway.post("/notes/../x").body("{}"), vec!["--url", "/notes/../x"], "ambiguous_target"),
        (gateway.post("/nowhere").body("{}"), vec!["--url", "/nowhere"], "route_not_found"),
        (
            gateway.post("/notes").host(&format!("{foreign}:{port}")).body("{}"),
            vec!["--url", &there],
            "host_not_allowed",
        ),
        (
            gateway.post("/notes").header("Origin", "https://evil.example").body("{}"),
            vec!["--url", "/notes", "--header", "Origin: https://evil.example"],
            "origin_not_allowed",
        ),
        (
            gateway.request("PUT", "/notes"),
            vec!["--url", "/notes", "--http-method", "PUT"],
            "method_not_allowed",
        ),
        (
            gateway.get("/.well-known/nothing"),
            vec!["--url", "/.well-known/nothing", "--http-method", "GET"],
            "document_not_found",
        ),
        (
            gateway.post("/notes?access_token=x").body("{}"),
            vec!["--url", "/notes?access_token=x"],
            "invalid_request",
        ),
    ];
    for (call, arguments, reason) in rows {
        agree(&world, NOTES, call, &arguments, reason).await;
    }
    let absolute = url("/notes");
    agree(&world, NOTES, world.call(), &["--url", &absolute], "missing_token").await;
    let origin = "http://localhost:6274";
    let call = world.call().header("Origin", origin);
    let field = format!("Origin: {origin}");
    agree(&world, NOTES, call, &["--url", "/notes", "--header", &field], "missing_token").await;
    assert_eq!(world.upstream.bytes_received(), 0);
}

#[tokio::test]
async fn refused_tokens() {
    let world = World::start().await;
    let now = crate::harness::token::now();
    let claims = || world.claims();
    let rows = [
        (claims().scope("other"), "insufficient_scope"),
        (claims().audience("account"), "wrong_audience"),
        (claims().without("aud"), "wrong_audience"),
        (claims().with("exp", now - 10), "expired"),
        (claims().with("nbf", now + 600), "not_yet_valid"),
        (claims().with("iss", "https://other.example"), "wrong_issuer"),
        (claims().with("typ", "Refresh"), "wrong_token_type"),
        (claims().with("cnf", serde_json::json!({"jkt": "x"})), "bound_token"),
        (claims().with("active", false), "inactive"),
    ];
    for (claims, reason) in rows {
        let token = world.authorization_server.mint(&claims);
        let arguments = ["--url", "/notes", "--token", &token];
        agree(&world, NOTES, world.call().bearer(&token), &arguments, reason).await;
    }
    let call = world.authorized().header("Mcp-Session-Id", "forged");
    let token = world.token();
    let field = "Mcp-Session-Id: forged";
    let arguments = ["--url", "/notes", "--token", &token, "--header", field];
    agree(&world, NOTES, call, &arguments, "session_not_found").await;
    let call = world.call().header("Authorization", "Bearer a b");
    agree(&world, NOTES, call, &["--url", "/notes", "--token", "a b"], "invalid_request").await;
    assert_eq!(world.upstream.bytes_received(), 0);
}

#[tokio::test]
async fn answers_that_are_no_refusals() {
    let world = World::start().await;
    let yaml = configuration(&world, NOTES);
    for (method, path) in
        [("GET", "/.well-known/oauth-protected-resource/notes"), ("OPTIONS", "/notes")]
    {
        let response = world.gateway.request(method, path).send().await;
        let arguments = ["--url", path, "--http-method", method, "--json"];
        let Said { code, out, .. } = explain(&yaml, &arguments, None).await;
        let answer = json(&out);
        assert_eq!((code, &answer["decision"]), (Some(0), &"answered".into()), "{answer:#}");
        assert_eq!(answer["status"], response.status, "{answer:#}");
    }
    let public = NOTES.replace("    required_scopes: [notes.read]\n", "    access: public\n");
    let world = World::with(&public).await;
    let said = explain(&configuration(&world, &public), &["--url", "/notes", "--json"], None).await;
    assert_eq!(json(&said.out)["decision"], "allowed", "{said:?}");
}
