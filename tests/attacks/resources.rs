//! Tricks with the URIs of resources: a token that may read some of them tries to get others past
//! their rules, by spellings that servers take for the same resource.

use crate::{
    harness::{NOTES, World, assert_answered, refusal, upstream::Reply},
    oracle::{Challenge, refused, untouched},
};

const RULES: &str = r#"
    resources:
      "note://notes/team:ops": [notes.ops]
      "note://notes/pay(roll)": {deny: true, when_denied: challenge}
      "note://notes/a%3Ab": {deny: true, when_denied: challenge}
      "note://notes/star:*": {deny: true, when_denied: challenge}
      "note://notes\\?name=team%20ops": {deny: true, when_denied: challenge}
      "note://Boss/x": {deny: true, when_denied: challenge}
      "file:///dir/x": {deny: true, when_denied: challenge}
      "file:///secret": {deny: true, when_denied: challenge}
      "file:///C:/secret/*": {deny: true, when_denied: challenge}
"#;

async fn world(lines: &str) -> World {
    World::with(&format!("{}{RULES}{lines}", NOTES.trim_end())).await
}

fn message(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

/// Every way in which a message names a resource.
fn doors(uri: &str) -> Vec<String> {
    let named = format!(r#"{{"uri":"{uri}"}}"#);
    vec![
        message("resources/read", &named),
        message("resources/subscribe", &named),
        message("resources/unsubscribe", &named),
        message("tasks/run", &named),
        message(
            "completion/complete",
            &format!(r#"{{"ref":{{"type":"ref/resource","uri":"{uri}"}}}}"#),
        ),
        message(
            "subscriptions/listen",
            &format!(r#"{{"notifications":{{"resourceSubscriptions":["note://x/y","{uri}"]}}}}"#),
        ),
    ]
}

#[tokio::test]
async fn escapes_fragments_and_queries_are_no_way_past_a_rule() {
    let world = world("").await;
    for uri in [
        "note://notes/pay%28roll%29",
        "note://notes/pay(roll%29",
        "note://notes/pay(roll)#",
        "note://notes/pay%28roll)#a",
        "note://notes/pay(roll)%23a",
        "note://notes/a:b",
        "note://notes/star%3Ax",
        "note://notes?name=team+ops",
        "note://notes?name=team+ops#a",
        "note://boss/x",
        "note://BOSS/x",
        "file:///secret#",
        "file:///secret#a",
        "file:///secret?",
        "file:///secret?a",
        "file:///secret?a#b",
        "file:///secret#a?b",
        "file:///secret%3Fa",
        "file:///secret%23a",
        "file:///secret/",
        "file:///dir//x",
        "file://anything/secret",
        "file:///C%3A/secret/x",
        "file:///C%3A/secret/x%3Fy?z#w",
    ] {
        for body in doors(uri) {
            let response = world.authorized().body(&*body).send().await;
            refused(&world, &body, &response, 403, Challenge::Without);
            assert!(response.text().contains(r#""message":"Forbidden""#), "{body}");
        }
    }
    for uri in ["note://notes/team%3Aops", "note://notes/team:ops", "note://notes/team%3Aops#a"] {
        for body in doors(uri) {
            let response = world.authorized().body(&*body).send().await;
            assert_eq!(response.status, 403, "{body}");
            let challenge = response.header("www-authenticate").unwrap();
            assert!(challenge.ends_with(r#"scope="notes.read notes.ops""#), "{challenge}");
            untouched(&world, &body);
        }
    }
    let claims = world.claims().scope("notes.read notes.ops");
    let token = world.authorization_server.mint(&claims);
    for uri in ["note://notes/team%3Aops", "note://notes/team:ops", "note://notes/open%3Ax#a"] {
        let body = message("resources/read", &format!(r#"{{"uri":"{uri}"}}"#));
        let call = world.gateway.post("/notes").bearer(&token).body(body);
        assert_answered(&call.send().await);
    }
}

#[tokio::test]
async fn what_servers_read_in_several_ways_reaches_none_of_them() {
    let world = world("").await;
    for uri in [
        "note://notes/team%253Aops",
        "note://notes/pay%2528roll%2529",
        "note://notes/open%25",
        "file:///C|/secret/x",
        "file:///C%7C/secret/x",
        "file%3A///secret",
        "file://host/C:/secret/x",
        "file:////secret",
        "file://a@b/secret",
        "file:///x/..;a/secret",
        "note://notes/pay%28roll%29%20",
        "note://notes/%C0%AF",
    ] {
        for body in doors(uri) {
            let response = world.authorized().body(&*body).send().await;
            world.assert_refused(&response, 400, None, &refusal("1", -32600, "Invalid Request"));
        }
    }
}

#[tokio::test]
async fn lists_leave_out_every_spelling_of_what_is_denied() {
    let world = world("    filter_lists: scopes\n").await;
    let item = |uri: &str| format!(r#"{{"uri":"{uri}"}}"#);
    let hidden = [
        "note://notes/team%3aops",
        "note://notes/pay%28roll%29",
        "FILE:///secret",
        "file:///a/../secret#a",
        "file:///c%3A/../C%3A/secret/x",
    ];
    let items: Vec<String> =
        hidden.iter().chain(&["note://notes/open"]).map(|uri| item(uri)).collect();
    let list =
        |items: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"resources":[{items}]}}}}"#);
    world.upstream.next(Reply::json(&list(&items.join(","))));
    let response = world.authorized().body(message("resources/list", "{}")).send().await;
    assert_eq!(response.text(), list(&item("note://notes/open")));
}

/// What is read in several ways costs as often as much: it is bounded.
#[tokio::test]
async fn uris_that_cost_much_to_read_reach_nobody() {
    let world = world("    filter_lists: denied\n").await;
    let long = format!("note://notes/{}", "%3A".repeat(700));
    let user = "https://user@h.example/x";
    for uri in [&*long, user, "https://h.example./x", "https://h.example/x?"] {
        for body in doors(uri) {
            let response = world.authorized().body(&*body).send().await;
            refused(&world, &body, &response, 400, Challenge::Without);
        }
    }
    let some: Vec<_> = (0..100).map(|n| format!(r#""note://n/{n}{}""#, "a".repeat(1000))).collect();
    let many = format!(r#"{{"notifications":{{"resourceSubscriptions":[{}]}}}}"#, some.join(","));
    let body = message("subscriptions/listen", &many);
    let response = world.authorized().body(&*body).send().await;
    refused(&world, &body, &response, 400, Challenge::Without);
    // Nor is such a one seen in a list.
    let items =
        format!(r#"{{"uri":"{long}","name":"long"}},{{"uri":"note://notes/a","name":"short"}}"#);
    world.upstream.next(Reply::json(&format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"resources":[{items}]}}}}"#
    )));
    let list = message("resources/list", "{}");
    let shown = world.authorized().body(&*list).send().await.text();
    assert!(shown.contains("short") && !shown.contains("long"), "{shown}");
}
