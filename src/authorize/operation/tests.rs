//! What messages ask for, which of them cannot be judged, and headers against bodies.

use super::*;

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    for (name, value) in fields {
        let name: http::HeaderName = name.parse().unwrap();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn body(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":{method:?},"params":{params}}}"#)
}

/// What a body names, as `kind name`.
fn named(method: &str, params: &str) -> Result<Vec<String>, OperationError> {
    let body = body(method, params);
    let operation = Operation::read(body.as_bytes(), &headers(&[]), true)?;
    let objects = operation.messages()[0].objects.iter();
    Ok(objects.map(|object| format!("{:?} {}", object.kind, object.name)).collect())
}

fn is_invalid<T: std::fmt::Debug>(read: &Result<T, OperationError>) -> bool {
    matches!(read, Err(OperationError::Message(MessageFault::Invalid(_))))
}

#[test]
fn f16_every_door_names_its_object() {
    let uri = r#"{"uri":"file:///a"}"#;
    for (method, params, expected) in [
        ("tools/call", r#"{"name":"a","arguments":{"name":"b"}}"#, "Tool a"),
        ("prompts/get", r#"{"name":"p"}"#, "Prompt p"),
        ("resources/read", uri, "Resource file:///a"),
        ("resources/subscribe", uri, "Resource file:///a"),
        ("resources/unsubscribe", uri, "Resource file:///a"),
        ("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"p"}}"#, "Prompt p"),
        ("completion/complete", r#"{"ref":{"type":"ref/resource","uri":"a:b"}}"#, "Resource a:b"),
        ("tasks/create", r#"{"name":"a"}"#, "Tool a"),
        ("tools/other", r#"{"name":"a"}"#, "Tool a"),
        (
            "subscriptions/listen",
            r#"{"notifications":{"resourceSubscriptions":["a:b"]}}"#,
            "Resource a:b",
        ),
    ] {
        assert_eq!(named(method, params).unwrap(), [expected], "{method} {params}");
    }
    for method in ["tools/list", "ping", "server/discover", "tasks/get", "vendor/x"] {
        assert!(named(method, "{}").unwrap().is_empty(), "{method}");
    }
}

#[test]
fn f17_missing_or_trimmable_names_are_refused() {
    for (method, params) in [
        ("tools/call", "{}"),
        ("tools/call", r#"{"uri":"x"}"#),
        ("tools/call", r#"{"name":""}"#),
        ("tools/call", r#"{"name":"delete\u0000"}"#),
        ("tools/call", r#"{"name":"delete "}"#),
        ("tools/call", r#"{"name":"\tdelete"}"#),
        ("tools/call", r#"{"name":"\ufeffdelete"}"#),
        ("tools/call", r#"{"name":"delete","uri":"x"}"#),
        ("resources/read", r#"{"name":"x"}"#),
        ("resources/read", r#"{"uri":"a:b","name":"x"}"#),
        ("prompts/get", "{}"),
        ("completion/complete", "{}"),
        ("completion/complete", r#"{"ref":{"type":"ref/tool","name":"x"}}"#),
        ("completion/complete", r#"{"ref":{"type":"ref/prompt","uri":"x"}}"#),
        ("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"x","uri":"y"}}"#),
    ] {
        assert!(is_invalid(&named(method, params)), "{method} {params}");
    }
}

#[test]
fn f15_methods_that_somebody_would_take_for_others_are_refused() {
    for method in [
        "",
        "tools/call ",
        " tools/call",
        "TOOLS/CALL",
        "Tools/call",
        "tools//call",
        "/tools/call",
        "tools/call/",
        "tools/call\u{0}",
        "tools/c\u{e4}ll",
        "Tasks/Result",
        "tasks/LIST",
        "tasks/Update",
    ] {
        let body = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": method}).to_string();
        let read = Operation::read(body.as_bytes(), &headers(&[]), false);
        assert!(is_invalid(&read), "{method:?}");
    }
}

#[test]
fn uris_that_somebody_would_rewrite_are_refused_where_resources_have_rules() {
    for uri in [
        "file:///a/../b",
        "file:///a/./b",
        "file:///%2e%2e/b",
        "file:///a%2fb",
        "file:///a%5cb",
        "file:///a\\b",
        "FILE:///a",
        "file:///%61",
        "file:///a%",
        "file:///a%zz",
        "file:///a b",
        "file:///a%00",
        "file:///a%25",
        "file:/a",
        "file:a",
        "file://localhost/a",
        "https:/h/a",
        "https:h/a",
        "https:///h/a",
        "https://H/a",
        "https://h:443/a",
        "https://h",
        "https://127.1/a",
        "https://@h/a",
        "Note://x",
        "note://x/\u{e9}",
        "note://x/%c3%a9",
        "note://x/a\"b",
        "https://HOST/a",
        "https://host",
        "https://host:443/a",
        "https://host/\u{e9}",
    ] {
        let params = serde_json::json!({ "uri": uri }).to_string();
        assert!(is_invalid(&named("resources/read", &params)), "{uri}");
        let body = body("resources/read", &params);
        assert!(Operation::read(body.as_bytes(), &headers(&[]), false).is_ok(), "{uri}");
    }
    for uri in [
        "file:///a/b..c",
        "note://x?q=%20",
        "a:%C3%A9",
        "urn:x:y",
        "https://h/a.b/c-d_e~",
        "file:///{a}",
        "note://{x}/b",
        "data:,x",
        "h/a",
        "note://X/Y",
        "https://h:8443/",
        "plain-name",
        "plain/\u{e9}",
    ] {
        let params = serde_json::json!({ "uri": uri }).to_string();
        assert!(named("resources/read", &params).is_ok(), "{uri}");
    }
}

#[test]
fn f10_f11_batches_are_for_their_revision_alone() {
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#;
    let read = |fields: &[(&str, &str)]| {
        Operation::read(batch.as_bytes(), &headers(fields), false).map(|read| read.is_batch())
    };
    assert_eq!(read(&[]), Ok(true));
    assert_eq!(read(&[("mcp-protocol-version", "2025-03-26")]), Ok(true));
    for version in ["2024-11-05", "2025-06-18", "2025-11-25", "x"] {
        assert!(is_invalid(&read(&[("mcp-protocol-version", version)])), "{version}");
    }
}

#[test]
fn f14_responses_come_from_clients_of_older_revisions_only() {
    let body = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    let read = |fields: &[(&str, &str)]| Operation::read(body.as_bytes(), &headers(fields), false);
    assert!(
        read(&[("mcp-protocol-version", "2025-11-25")]).unwrap().messages()[0].method.is_none()
    );
    assert!(read(&[("mcp-protocol-version", "2026-07-28")]).is_err());
}

#[test]
fn f28_f29_media_types_are_read_whole() {
    let read = |name: &str, value: &str| {
        let body = body("ping", "{}");
        Operation::read(body.as_bytes(), &headers(&[(name, value)]), false).map(drop)
    };
    for value in ["application/json", "APPLICATION/JSON", "application/json; charset=\"UTF-8\""] {
        assert!(read("content-type", value).is_ok(), "{value}");
    }
    for value in [
        "",
        "text/plain",
        "application/jsonx",
        "application/json;charset=utf-16",
        "multipart/form-data",
        "application/json, text/plain",
        "application/json; x",
    ] {
        let refused = read("content-type", value);
        assert!(matches!(refused, Err(OperationError::MediaType(_))), "{value}");
    }
    for coding in ["gzip", "br", "identity", ""] {
        let refused = read("content-encoding", coding);
        assert!(matches!(refused, Err(OperationError::MediaType(_))), "{coding}");
    }
    let body = body("ping", "{}");
    let refused = Operation::read(body.as_bytes(), &HeaderMap::new(), false);
    assert!(matches!(refused, Err(OperationError::MediaType(_))));
}

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
const MODERN: (&str, &str) = ("mcp-protocol-version", "2026-07-28");

/// Reads a modern call of the tool `delete` under these headers.
fn modern(fields: &[(&str, &str)]) -> Result<(), OperationError> {
    let body = body("tools/call", &format!(r#"{{"name":"delete",{META}}}"#));
    Operation::read(body.as_bytes(), &headers(fields), false).map(drop)
}

fn is_mismatch(read: &Result<(), OperationError>) -> bool {
    matches!(read, Err(OperationError::Header(_)))
}

#[test]
fn g01_g04_headers_say_what_the_body_says() {
    let method = ("mcp-method", "tools/call");
    for name in ["delete", " delete ", "=?base64?ZGVsZXRl?="] {
        assert_eq!(modern(&[MODERN, method, ("mcp-name", name)]), Ok(()), "{name}");
    }
    for fields in [
        [MODERN, ("mcp-method", "tools/list"), ("mcp-name", "delete")],
        [MODERN, ("mcp-method", "Tools/call"), ("mcp-name", "delete")],
        [MODERN, method, ("mcp-name", "read")],
        [MODERN, method, ("mcp-name", "DELETE")],
        [("mcp-protocol-version", "2025-11-25"), method, ("mcp-name", "delete")],
        // G03: one of them is missing.
        [MODERN, method, ("x-other", "x")],
        [MODERN, ("mcp-name", "delete"), ("x-other", "x")],
        [method, ("mcp-name", "delete"), ("x-other", "x")],
    ] {
        assert!(is_mismatch(&modern(&fields)), "{fields:?}");
    }
}

#[test]
fn g05_malformed_sentinels_are_refused() {
    for name in [
        "=?BASE64?ZGVsZXRl?=",
        "=?base64?ZGVsZXRl",
        "=?base64?ZGVsZXR?=",
        "=?base64?ZGVs ZXRl?=",
        "=?base64?ZGVs-_Rl?=",
        "=?base64?/w==?=",
        "=?base64??=",
        "=?base64?PT9iYXNlNjQ/WkdWc1pYUmw/PQ==?=",
    ] {
        let fields = [MODERN, ("mcp-method", "tools/call"), ("mcp-name", name)];
        assert!(is_mismatch(&modern(&fields)), "{name}");
    }
}

#[test]
fn g08_g09_older_clients_are_asked_for_nothing_but_the_truth() {
    let old = |fields: &[(&str, &str)]| {
        let body = body("tools/call", r#"{"name":"delete"}"#);
        Operation::read(body.as_bytes(), &headers(fields), false).map(drop)
    };
    let version = ("mcp-protocol-version", "2025-11-25");
    assert_eq!(old(&[]), Ok(()));
    assert_eq!(old(&[version]), Ok(()));
    assert_eq!(old(&[version, ("mcp-method", "tools/call"), ("mcp-name", "delete")]), Ok(()));
    assert!(is_mismatch(&old(&[version, ("mcp-method", "tools/list")])));
    assert!(is_mismatch(&old(&[("mcp-name", "read")])));
    // A body that names no revision contradicts none.
    assert_eq!(old(&[MODERN, ("mcp-method", "tools/call"), ("mcp-name", "delete")]), Ok(()));
}

/// The Tasks extension has clients send the task's id as `Mcp-Name`.
#[test]
fn g02_tasks_are_mirrored_by_their_id() {
    let read = |method: &str, params: &str, name: &str| {
        let body = body(method, &format!(r"{{{params}{META}}}"));
        let fields = [MODERN, ("mcp-method", method), ("mcp-name", name)];
        Operation::read(body.as_bytes(), &headers(&fields), false).map(drop)
    };
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        assert_eq!(read(method, r#""taskId":"t-1","#, "t-1"), Ok(()), "{method}");
        assert!(is_mismatch(&read(method, r#""taskId":"t-1","#, "t-2")), "{method}");
        assert!(is_mismatch(&read(method, "", "t-1")), "{method}");
    }
    assert!(is_mismatch(&read("tools/call", r#""name":"delete","taskId":"t-1","#, "t-1")));
    assert!(is_mismatch(&read("ping", r#""taskId":"t-1","#, "t-1")));
}

#[test]
fn f23_subscriptions_are_bounded() {
    let listen = |count: usize| {
        let uris = vec!["a:b"; count];
        let params = serde_json::json!({ "notifications": { "resourceSubscriptions": uris } });
        named("subscriptions/listen", &params.to_string()).map(|named| named.len())
    };
    assert_eq!(listen(1000), Ok(1000));
    assert!(is_invalid(&listen(1001)));
}

#[test]
fn headers_cannot_mirror_a_batch() {
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#;
    let fields = headers(&[("mcp-method", "ping")]);
    let read = Operation::read(batch.as_bytes(), &fields, false).map(drop);
    assert!(is_mismatch(&read));
}
