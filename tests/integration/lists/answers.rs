//! Lists that come as one JSON text.

use super::{SEEN, TOOLS, asking, list, world};
use crate::harness::{json, upstream::Reply};

#[tokio::test]
async fn what_is_hidden_is_cut_out_and_nothing_else_changes() {
    let world = world().await;
    world.upstream.answer(|_| Reply::json(TOOLS));
    let response = list(&world, "tools/list").send().await;
    assert_eq!((response.status, &*response.text()), (200, SEEN));
    assert_eq!(response.header("content-length"), Some(&*SEEN.len().to_string()));
    assert_eq!(response.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn every_list_is_filtered_by_the_rules_of_its_kind() {
    let world = world().await;
    for (method, sent, seen) in [
        (
            "prompts/list",
            r#""prompts":[{"name":"debug_x"},{"name":"a"}]"#,
            r#""prompts":[{"name":"a"}]"#,
        ),
        (
            "resources/list",
            r#""resources":[{"name":"debug_x","uri":"file:///a"},{"name":"b","uri":"file:///secret/b"}]"#,
            r#""resources":[{"name":"debug_x","uri":"file:///a"}]"#,
        ),
        (
            "resources/templates/list",
            r#""resourceTemplates":[{"uriTemplate":"file:///secret/{x}"},{"uriTemplate":"file:///{x}"}]"#,
            r#""resourceTemplates":[{"uriTemplate":"file:///{x}"}]"#,
        ),
    ] {
        let result = |list: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{{list}}}}}"#);
        world.upstream.next(Reply::json(&result(sent)));
        assert_eq!(list(&world, method).send().await.text(), result(seen), "{method}");
    }
}

#[tokio::test]
async fn pages_are_filtered_one_by_one_and_keep_their_cursors() {
    let world = world().await;
    world.upstream.answer(|request| {
        let is_second = String::from_utf8_lossy(&request.body).contains("debug_cursor");
        Reply::json(if is_second {
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"debug_b"}]}}"#
        } else {
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"debug_a"},{"name":"a"}],"nextCursor":"debug_cursor"}}"#
        })
    });
    let first = json(&list(&world, "tools/list").send().await.text());
    assert_eq!(first["result"]["tools"], json(r#"[{"name":"a"}]"#));
    let cursor = first["result"]["nextCursor"].as_str().unwrap();
    let next = asking("tools/list")
        .replace(r#""tools/list""#, &format!(r#""tools/list","params":{{"cursor":"{cursor}"}}"#));
    let second = list(&world, "tools/list").body(next).send().await;
    assert_eq!(second.text(), r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#);
}

#[tokio::test]
async fn lists_of_a_batch_are_filtered_each() {
    let world = world().await;
    let result = |id: u8, list: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{list}}}"#);
    let answers = |tools: &str, prompts: &str| {
        format!("[{},{} , {}]", result(3, "{}"), result(1, tools), result(2, prompts))
    };
    world.upstream.next(Reply::json(&answers(
        r#"{"tools":[{"name":"a"},{"name":"debug_a"}]}"#,
        r#"{"prompts":[{"name":"debug_a"}]}"#,
    )));
    let asked = ["tools/list", "prompts/list", "ping"].iter().zip(1..);
    let asked = asked.map(|(method, id)| asking(method).replace(":1,", &format!(":{id},")));
    let batch = format!("[{}]", asked.collect::<Vec<_>>().join(","));
    let call = list(&world, "").body(batch).header("MCP-Protocol-Version", "2025-03-26");
    let expected = answers(r#"{"tools":[{"name":"a"}]}"#, r#"{"prompts":[]}"#);
    assert_eq!(call.send().await.text(), expected);
}

#[tokio::test]
async fn long_lists_are_filtered_whole() {
    let world = world().await;
    let tool = |number: usize| {
        let name = if usize::is_multiple_of(number, 2) { "debug" } else { "read" };
        format!(r#"{{"name":"{name}_{number}","description":"{}"}}"#, "é".repeat(500))
    };
    let tools = |numbers: &[usize]| {
        let tools: Vec<_> = numbers.iter().map(|number| tool(*number)).collect();
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{}]}}}}"#, tools.join(","))
    };
    let all: Vec<_> = (0..500).collect();
    let seen: Vec<_> = all.iter().copied().filter(|number| number % 2 == 1).collect();
    world.upstream.next(Reply::json(&tools(&all)));
    assert_eq!(list(&world, "tools/list").send().await.text(), tools(&seen));
}

#[tokio::test]
async fn caches_are_told_that_a_filtered_list_is_its_readers_alone() {
    let world = world().await;
    let fields = [
        ("Content-Type", "application/json"),
        ("Cache-Control", "public, max-age=300"),
        ("ETag", "\"1\""),
        ("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT"),
        ("Expires", "Wed, 21 Oct 2037 07:28:00 GMT"),
        ("Content-Digest", "sha-256=:x:"),
    ];
    world.upstream.next(Reply::with(200, &fields, TOOLS));
    let call = list(&world, "tools/list")
        .header("Accept-Encoding", "gzip, br")
        .header("If-None-Match", "\"1\"")
        .header("Range", "bytes=0-10");
    let response = call.send().await;
    assert_eq!((response.status, &*response.text()), (200, SEEN));
    assert_eq!(response.header("cache-control"), Some("private, no-store"));
    for name in ["etag", "last-modified", "expires", "content-digest"] {
        assert_eq!(response.header(name), None, "{name}");
    }
    let request = world.upstream.only_request();
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert_eq!((request.header("if-none-match"), request.header("range")), (None, None));
}

#[tokio::test]
async fn hints_of_the_protocol_are_those_of_a_filtered_list() {
    let world = world().await;
    let list_of = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","tools":[],"ttlMs":86400000,"cacheScope":"public"}}"#;
    world.upstream.answer(move |_| Reply::json(list_of));
    let result = json(&list(&world, "tools/list").send().await.text());
    assert_eq!(result["result"]["cacheScope"], "private");
    let left = result["result"]["ttlMs"].as_u64().unwrap();
    assert!((3_500_000..=3_600_000).contains(&left), "{left}");
    // Of the prompts nothing was asked, of a call's result nothing is a list.
    let call = list(&world, "tools/call")
        .body(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_note"}}"#);
    assert_eq!(call.send().await.text(), list_of);
}

#[tokio::test]
async fn answers_to_other_methods_pass_as_they_are() {
    let world = world().await;
    let fields = [
        ("Content-Type", "application/json"),
        ("Content-Encoding", "gzip"),
        ("Cache-Control", "max-age=5"),
        ("ETag", "\"1\""),
    ];
    world.upstream.next(Reply::with(200, &fields, "not really"));
    let call = list(&world, "ping").header("Accept-Encoding", "gzip");
    let response = call.send().await;
    assert_eq!((response.status, &*response.text()), (200, "not really"));
    for (name, value) in &fields {
        assert_eq!(response.header(&name.to_ascii_lowercase()), Some(*value));
    }
    assert_eq!(world.upstream.only_request().header("accept-encoding"), Some("gzip"));
}

/// Nobody may answer a notification; a server that takes a missing `id` for none does.
#[tokio::test]
async fn list_that_answers_a_notification_is_filtered_as_well() {
    let world = world().await;
    world.upstream.answer(|_| Reply::json(TOOLS));
    let notification = r#"{"jsonrpc":"2.0","method":"tools/list"}"#;
    let response = list(&world, "").body(notification).send().await;
    assert_eq!((response.status, &*response.text()), (200, SEEN));
}
