//! Who sees what.

use super::{RULES, TOOLS, asking, list, world};
use crate::harness::{NOTES, World, client::Call, json, upstream::Reply};

/// The names that come back.
async fn names(call: Call) -> Vec<String> {
    let response = call.send().await;
    assert_eq!(response.status, 200, "{response:?}");
    let list = json(&response.text());
    let tools = list["result"]["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

async fn world_with(key: &str) -> World {
    let world = World::with(&format!("{NOTES}{RULES}    {key}\n")).await;
    world.upstream.answer(|_| Reply::json(TOOLS));
    world
}

fn of(world: &World, token: &str) -> Call {
    world.gateway.post("/notes").bearer(token).body(asking("tools/list"))
}

#[tokio::test]
async fn claims_decide_what_scopes_cannot_open() {
    let world = world().await;
    world.upstream.answer(|_| Reply::json(TOOLS));
    let mint = |department: &str| {
        world.authorization_server.mint(&world.claims().with("department", department))
    };
    let ops = names(of(&world, &mint("ops"))).await;
    assert_eq!(ops, ["read_note", "write_note", "admin_reset"]);
    assert_eq!(names(of(&world, &mint("sales"))).await, ["read_note", "write_note"]);
}

#[tokio::test]
async fn scopes_decide_where_the_route_says_so() {
    let world = world_with("filter_lists: scopes").await;
    let mint = |scope: &str| world.authorization_server.mint(&world.claims().scope(scope));
    assert_eq!(names(of(&world, &mint("notes.read"))).await, ["read_note"]);
    let writer = names(of(&world, &mint("notes.read notes.write"))).await;
    assert_eq!(writer, ["read_note", "write_note"]);
}

#[tokio::test]
async fn nothing_is_left_out_where_filtering_is_off() {
    let world = world_with("filter_lists: \"off\"").await;
    let response = list(&world, "tools/list").send().await;
    assert_eq!(response.text(), TOOLS);
    assert_eq!(response.header("cache-control"), None);
}

#[tokio::test]
async fn lists_without_a_token_show_what_a_login_could_open() {
    for key in ["shadow: false", "filter_lists: scopes", "filter_lists: \"off\""] {
        let world = world_with(&format!("anonymous_methods: [tools/list]\n    {key}")).await;
        let anonymous = world.gateway.post("/notes").body(asking("tools/list"));
        assert_eq!(names(anonymous).await, ["read_note", "write_note"], "{key}");
    }
}

#[tokio::test]
async fn tools_say_what_they_need_where_the_route_says_so() {
    let world = world_with("annotate_tools: true").await;
    let list = json(&list(&world, "tools/list").send().await.text());
    let needs = |tool: &serde_json::Value| {
        assert_eq!(tool["securitySchemes"][0]["type"], "oauth2");
        assert_eq!(
            tool["securitySchemes"][0]["scopes"],
            tool["_meta"]["gatehouse/required_scopes"]
        );
        (tool["name"].clone(), tool["_meta"]["gatehouse/required_scopes"].clone())
    };
    let needed: Vec<_> = list["result"]["tools"].as_array().unwrap().iter().map(needs).collect();
    let expected = [
        ("read_note".into(), json(r#"["notes.read"]"#)),
        ("write_note".into(), json(r#"["notes.read","notes.write"]"#)),
    ];
    assert_eq!(needed, expected);
}

#[tokio::test]
async fn hidden_tools_cannot_be_called_either() {
    let world = world().await;
    let call = asking("tools/call")
        .replace(r#""tools/call""#, r#""tools/call","params":{"name":"debug_dump"}"#);
    let response = list(&world, "").body(call).send().await;
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(json(&response.text())["error"]["message"], "Unknown tool: debug_dump");
    assert_eq!(world.upstream.bytes_received(), 0);
}
