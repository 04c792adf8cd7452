//! Tricks with JSON-RPC bodies: a token that may use `read` tries to get `delete` past its rule, by
//! bytes that some server behind us would read otherwise than we do.

use crate::{
    harness::{NOTES, World, assert_answered, refusal},
    oracle::untouched,
};

const RULES: &str = "
    tools:
      delete: [notes.delete]
    unlisted_tools: allow
    resources:
      \"file:///private/*\": [notes.private]
";

async fn world() -> World {
    World::with(&format!("{}{RULES}", NOTES.trim_end())).await
}

/// Sends a body with a token that may not delete, and asserts 400 with this code.
async fn assert_unreadable(world: &World, body: &[u8], id: &str, code: i32) {
    let message = if code == -32700 { "Parse error" } else { "Invalid Request" };
    let response = world.authorized().body(body).send().await;
    let what = String::from_utf8_lossy(body);
    assert_eq!(response.status, 400, "{what}: {response:?}");
    let request_id = response.header("x-request-id").unwrap();
    let expected = refusal(id, code, message).replace("ID", request_id);
    assert_eq!(response.text(), expected, "{what}");
    assert_eq!(response.header("www-authenticate"), None, "{what}");
    untouched(world, &what);
}

fn call(members: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,{members}}}"#)
}

fn named(params: &str) -> String {
    call(&format!(r#""method":"tools/call","params":{{{params}}}"#))
}

#[tokio::test]
async fn f01_f02_f04_second_member_is_no_way_past_a_rule() {
    let world = world().await;
    for body in [
        call(r#""method":"ping","method":"tools/call","params":{"name":"delete"}"#),
        call(r#""method":"tools/call","params":{"name":"read"},"params":{"name":"delete"}"#),
        named(r#""name":"read","name":"delete""#),
        named(r#""name":"read","\u006eame":"delete""#),
        named(r#""name":"read","_meta":{},"_meta":{}"#),
        named(r#""name":"read","arguments":{},"arguments":{}"#),
    ] {
        // What has a member twice at its top has no id that everybody agrees on.
        let id = if body.matches("method").count() == 2 || body.matches("params").count() == 2 {
            "null"
        } else {
            "1"
        };
        assert_unreadable(&world, body.as_bytes(), id, -32600).await;
    }
    assert_answered(&world.authorized().body(named(r#""name":"read""#)).send().await);
}

#[tokio::test]
async fn f03_escaped_names_are_judged_by_what_they_say() {
    let world = world().await;
    let body = r#"{"jsonrpc":"2.0","id":1,"\u006dethod":"tools\u002fcall","params":{"n\u0061me":"d\u0065lete"}}"#;
    let response = world.authorized().body(body).send().await;
    assert_eq!(response.status, 403, "{response:?}");
    let challenge = response.header("www-authenticate").unwrap();
    assert!(challenge.ends_with(r#"scope="notes.read notes.delete""#), "{challenge}");
    untouched(&world, body);
}

#[tokio::test]
async fn cve_2026_27896_ghsa_q382_vc8q_7jhj_look_alike_names_are_refused() {
    let world = world().await;
    for name in ["Name", "NAME", "nam\u{0435}", r"name\u0000", "name ", r"\ufeffname", "nam\u{17f}"]
    {
        let body = named(&format!(r#""name":"read","{name}":"delete""#));
        assert_unreadable(&world, body.as_bytes(), "1", -32600).await;
    }
    for name in ["Method", r"method\u0000", "param\u{17f}", "\u{212a}"] {
        let body = call(&format!(r#""method":"ping","{name}":"tools/call""#));
        assert_unreadable(&world, body.as_bytes(), "1", -32600).await;
    }
}

#[tokio::test]
async fn f09_f13_f19_f20_what_is_no_one_request_is_refused() {
    let world = world().await;
    let good = named(r#""name":"delete""#);
    for (body, id, code) in [
        (r#"["2.0","tools/call",{"name":"delete"},1]"#.to_owned(), "null", -32600),
        ("[]".to_owned(), "null", -32600),
        (format!("[[{good}]]"), "null", -32600),
        (call(r#""method":"tools/call","params":{"name":"delete"},"result":{}"#), "1", -32600),
        (call(r#""params":{"name":"delete"}"#), "1", -32600),
        (call(r#""method":"tools/call","params":["delete",{}]"#), "1", -32600),
        (format!("{good} {good}"), "null", -32700),
        (format!("{good}\n{good}"), "null", -32700),
        (format!("{good}\0"), "null", -32700),
        (format!("// c\n{good}"), "null", -32700),
        (format!("\u{feff}{good}"), "null", -32700),
        (String::new(), "null", -32700),
    ] {
        assert_unreadable(&world, body.as_bytes(), id, code).await;
    }
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_unreadable(&world, &utf16, "null", -32700).await;
    assert_unreadable(
        &world,
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xc0\xae\"}",
        "null",
        -32700,
    )
    .await;
}

#[tokio::test]
async fn f12_notification_is_judged_like_a_request() {
    let world = world().await;
    let body = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"delete"}}"#;
    let response = world.authorized().body(body).send().await;
    assert_eq!(response.status, 403, "{response:?}");
    untouched(&world, body);
}

#[tokio::test]
async fn f14_response_to_the_server_passes_the_routes_rule_in_older_revisions_only() {
    let world = world().await;
    let body = r#"{"jsonrpc":"2.0","id":7,"result":{}}"#;
    let modern = world.authorized().header("MCP-Protocol-Version", "2026-07-28").body(body);
    let response = modern.send().await;
    assert_eq!(response.status, 400, "{response:?}");
    untouched(&world, body);
    assert_answered(&world.authorized().body(body).send().await);
}

#[tokio::test]
async fn f15_f17_names_that_somebody_would_trim_or_fold_are_refused() {
    let world = world().await;
    for method in
        ["tools/call ", "TOOLS/CALL", "tools//call", r"tools/call\u0000", r"\u0009tools/call"]
    {
        let body = call(&format!(r#""method":"{method}","params":{{"name":"delete"}}"#));
        assert_unreadable(&world, body.as_bytes(), "1", -32600).await;
    }
    for name in [r#""delete\u0000""#, r#""delete ""#, r#"" delete""#, r#""""#, "7", "null", "[]"] {
        let body = named(&format!(r#""name":{name}"#));
        assert_unreadable(&world, body.as_bytes(), "1", -32600).await;
    }
    for uri in [
        "file:///open/../private/x",
        "file:///%70rivate/x",
        "FILE:///private/x",
        "file:///open/..%2fprivate/x",
    ] {
        let body = call(&format!(r#""method":"resources/read","params":{{"uri":"{uri}"}}"#));
        assert_unreadable(&world, body.as_bytes(), "1", -32600).await;
    }
}

#[tokio::test]
async fn f18_name_within_the_arguments_counts_for_nothing() {
    let world = world().await;
    let body = named(r#""arguments":{"name":"read"},"name":"delete""#);
    let response = world.authorized().body(&*body).send().await;
    assert_eq!(response.status, 403, "{response:?}");
    untouched(&world, &body);
}

/// Models with aliases take an argument by more than one name.
#[tokio::test]
async fn aliases_of_an_argument_are_no_way_past_its_condition() {
    let rules = "    tools: {export: {arguments: {out_fmt: [csv], toDir: [a]}}, open: []}\n";
    let world = World::with(&format!("{NOTES}{rules}")).await;
    let call = |tool: &str, others: &str| {
        named(&format!(r#""name":"{tool}","arguments":{{"out_fmt":"csv","toDir":"a"{others}}}"#))
    };
    for other in [
        "outFmt",
        "OutFmt",
        "out-fmt",
        "outfmt",
        "OUT_FMT",
        "out fmt",
        r"out_fmt\u0000",
        "to_dir",
        "to-dir",
        "todir",
        r"to_d\u0131r",
        r"t\u006f_dir",
    ] {
        let body = call("export", &format!(r#","{other}":"xml""#));
        let response = world.authorized().body(&*body).send().await;
        world.assert_refused(&response, 403, None, &refusal("1", -32001, "Forbidden"));
    }
    let plain = call("export", r#","out":"x","fmt":1,"to_dirs":2,"_out_fmt":3"#);
    assert_answered(&world.authorized().body(plain).send().await);
    let of_another_tool = call("open", r#","outFmt":"xml""#);
    assert_answered(&world.authorized().body(of_another_tool).send().await);
}

/// S06 of JSON: what it costs is linear in its length, and that is bounded.
#[tokio::test]
async fn f22_f23_deep_and_long_bodies_cost_little() {
    let world = world().await;
    for depth in [65, 1000, 100_000] {
        let body = named(&format!(r#""name":"read","arguments":{}"#, "[".repeat(depth)));
        let code = -32600;
        assert_unreadable(&world, body.as_bytes(), "null", code).await;
    }
    let many: Vec<String> = (0..50_000).map(|n| format!("\"k{n}\":{n}")).collect();
    let body = named(&format!(r#""name":"delete",{}"#, many.join(",")));
    assert_eq!(world.authorized().body(&*body).send().await.status, 403);
    untouched(&world, "many keys");
    let digits = named(&format!(r#""name":"delete","arguments":{}"#, "9".repeat(100_000)));
    assert_eq!(world.authorized().body(digits).send().await.status, 403);
    untouched(&world, "digits");
}

#[tokio::test]
async fn f24_f25_ids_and_versions_are_what_json_rpc_says() {
    let world = world().await;
    for (id, echoed) in [
        ("1.5", "1.5"),
        ("1e2", "1e2"),
        ("null", "null"),
        ("true", "null"),
        ("{}", "null"),
        ("[]", "null"),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        assert_unreadable(&world, body.as_bytes(), echoed, -32600).await;
    }
    for version in [r#""1.0""#, "2.0", "null"] {
        let body = format!(r#"{{"jsonrpc":{version},"id":1,"method":"ping"}}"#);
        assert_unreadable(&world, body.as_bytes(), "1", -32600).await;
    }
    let long = "123456789012345678901234567890";
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":{long},"method":"tools/call","params":{{"name":"delete"}}}}"#
    );
    let response = world.authorized().body(body).send().await;
    assert!(response.text().starts_with(&format!(r#"{{"jsonrpc":"2.0","id":{long},"#)));
}

#[tokio::test]
async fn f28_f29_f30_other_media_types_are_refused() {
    let world = world().await;
    let body = named(r#""name":"delete""#);
    for (name, value) in [
        ("Content-Encoding", "gzip"),
        ("Content-Encoding", "identity"),
        ("Content-Type", "text/plain"),
        ("Content-Type", "application/jsonx"),
        ("Content-Type", "application/json; charset=utf-16"),
        ("Content-Type", "multipart/form-data"),
    ] {
        let mut call = world.authorized().body(&*body);
        if name == "Content-Type" {
            call = call.without("Content-Type");
        }
        let response = call.header(name, value).send().await;
        world.assert_refused(&response, 415, None, &refusal("1", -32600, "Unsupported Media Type"));
    }
    let response = world.authorized().body(&*body).without("Content-Type").send().await;
    assert_eq!(response.status, 415);
    let response =
        world.authorized().body(&*body).header("Content-Type", "text/plain").send().await;
    assert_eq!(response.status, 400, "two of them");
    untouched(&world, "media types");
}
