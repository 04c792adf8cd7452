//! Both transports, asked as the listener asks them.

use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::*;
use crate::demo::http_server::Service;

fn server() -> McpServer {
    McpServer::new(&Background::default())
}

fn request(method: Method, uri: &str, headers: &[(&str, &str)], body: &Value) -> Request<Bytes> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request
        .body(Bytes::from(if body.is_null() { String::new() } else { body.to_string() }))
        .unwrap()
}

async fn json_of(response: Response<Body>) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

fn legacy(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
}

fn modern(method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    legacy(method, &params)
}

const MODERN: (&str, &str) = ("mcp-protocol-version", "2026-07-28");

#[tokio::test]
async fn a_session_is_opened_used_and_deleted() {
    let server = server();
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}});
    let opened = server.answer(&request(Method::POST, "/mcp", &[], &legacy("initialize", &params)));
    let session = opened.headers()["mcp-session-id"].to_str().unwrap().to_owned();
    assert_eq!(json_of(opened).await["result"]["protocolVersion"], "2025-06-18");
    let call = legacy("tools/call", &json!({"name": "list_notes"}));
    let headers = [("mcp-session-id", session.as_str())];
    let answer = server.answer(&request(Method::POST, "/mcp", &headers, &call));
    assert_eq!(answer.status(), StatusCode::OK);
    let answer = json_of(answer).await;
    assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!(7), &json!(false)));
    assert!(answer["result"]["content"][0]["text"].as_str().unwrap().contains("Buy coffee"));
    let told = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let told = server.answer(&request(Method::POST, "/mcp", &headers, &told));
    assert_eq!(told.status(), StatusCode::ACCEPTED);
    let deleted = server.answer(&request(Method::DELETE, "/mcp", &headers, &Value::Null));
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    for (headers, status) in [(&headers[..], StatusCode::NOT_FOUND), (&[], StatusCode::BAD_REQUEST)]
    {
        assert_eq!(server.answer(&request(Method::POST, "/mcp", headers, &call)).status(), status);
        let stream = server.answer(&request(Method::GET, "/mcp", headers, &Value::Null));
        assert_eq!(stream.status(), status);
    }
}

#[tokio::test]
async fn a_stateless_request_needs_no_session_and_names_its_result_type() {
    let server = server();
    let discover = modern("server/discover", json!({}));
    let headers = [MODERN, ("mcp-method", "server/discover")];
    let answer = json_of(server.answer(&request(Method::POST, "/mcp", &headers, &discover))).await;
    assert_eq!(answer["result"]["resultType"], "complete");
    assert_eq!(answer["result"]["supportedVersions"][0], "2026-07-28");
    assert!(answer["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]["name"].is_string());
    let list = modern("tools/list", json!({}));
    let headers = [MODERN, ("mcp-method", "tools/list")];
    let answer = json_of(server.answer(&request(Method::POST, "/mcp", &headers, &list))).await;
    assert_eq!(answer["result"]["tools"][1]["name"], "list_notes");
    assert_eq!(answer["result"]["cacheScope"], "public");
}

#[tokio::test]
async fn headers_must_say_what_the_body_says() {
    let server = server();
    let call = modern("tools/call", json!({"name": "delete_note", "arguments": {"id": 1}}));
    for headers in [
        vec![MODERN, ("mcp-method", "tools/list"), ("mcp-name", "delete_note")],
        vec![MODERN, ("mcp-method", "tools/call"), ("mcp-name", "list_notes")],
        vec![MODERN, ("mcp-method", "tools/call")],
        vec![("mcp-method", "tools/call"), ("mcp-name", "delete_note")],
        vec![("mcp-protocol-version", "2025-11-25"), ("mcp-method", "tools/call")],
    ] {
        let answer = server.answer(&request(Method::POST, "/mcp", &headers, &call));
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{headers:?}");
        assert_eq!(json_of(answer).await["error"]["code"], -32020);
    }
    let encoded =
        [MODERN, ("mcp-method", "tools/call"), ("mcp-name", "=?base64?ZGVsZXRlX25vdGU=?=")];
    let answer = json_of(server.answer(&request(Method::POST, "/mcp", &encoded, &call))).await;
    assert_eq!(answer["result"]["content"][0]["text"], "Deleted note 1: Water the plants");
    let again = json_of(server.answer(&request(Method::POST, "/mcp", &encoded, &call))).await;
    assert_eq!(again["result"]["isError"], true);
}

#[tokio::test]
async fn what_is_not_understood_is_said_with_the_right_code() {
    let server = server();
    let mut unversioned = modern("tools/list", json!({}));
    unversioned["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("1900-01-01");
    let future = ("mcp-protocol-version", "1900-01-01");
    let cases = [
        (vec![future, ("mcp-method", "tools/list")], unversioned, 400, -32022),
        (vec![MODERN, ("mcp-method", "x")], modern("x", json!({})), 404, -32601),
        (vec![MODERN, ("mcp-method", "tools/list")], legacy("tools/list", &json!({})), 400, -32602),
        (vec![], json!([legacy("ping", &json!({}))]), 400, -32600),
        (vec![], json!({"jsonrpc": "2.0", "id": null, "method": "ping"}), 400, -32600),
        (vec![], Value::Null, 400, -32700),
    ];
    for (headers, body, status, code) in cases {
        let answer = server.answer(&request(Method::POST, "/mcp", &headers, &body));
        assert_eq!(answer.status().as_u16(), status, "{body}");
        assert_eq!(json_of(answer).await["error"]["code"], code, "{body}");
    }
    let ping = legacy("ping", &json!({}));
    let foreign = [("origin", "https://evil.example")];
    let answer = server.answer(&request(Method::POST, "/mcp", &foreign, &ping));
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_sse_connection_names_its_endpoint_and_carries_the_answers() {
    let server = server();
    let stream = server.answer(&request(Method::GET, "/sse", &[], &Value::Null));
    assert_eq!(stream.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut stream = stream.into_body();
    let mut next = async || {
        let frame = stream.frame().await.unwrap().unwrap().into_data().unwrap();
        String::from_utf8(frame.to_vec()).unwrap()
    };
    let first = next().await;
    let endpoint = first.strip_prefix("event: endpoint\ndata: ").unwrap().trim_end().to_owned();
    let call = legacy("tools/call", &json!({"name": "list_notes"}));
    let posted = server.answer(&request(Method::POST, &endpoint, &[], &call));
    assert_eq!(posted.status(), StatusCode::ACCEPTED);
    let message = next().await;
    assert!(message.starts_with("event: message\ndata: {") && message.contains("Buy coffee"));
    let unknown = server.answer(&request(Method::POST, "/message?sessionId=x", &[], &call));
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}
