//! Memory: bodies that are read whole take what there is room for, and no more.

use tokio::task::JoinSet;

use crate::harness::{
    NOTES, World, assert_answered,
    client::{Call, RawClient},
    clock::{eventually, eventually_heard, within},
    json,
    upstream::Reply,
};

const MIB: usize = 1024 * 1024;

/// A world with room for so many MiB, on a route that must understand what it forwards.
async fn with_room_for(mib: usize) -> World {
    let route = NOTES.replace("    path:", "    tools: {hidden: {deny: true}}\n    path:");
    let bytes = mib * MIB;
    World::with(&format!("listen: {{limits: {{max_buffered_bytes: {bytes}}}}}\n{route}")).await
}

/// A call of this size.
fn call_of(world: &World, bytes: usize) -> Call {
    const FRAME: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":""}}"#;
    let text = "x".repeat(bytes - FRAME.len());
    world.authorized().body(FRAME.replace(r#""x":"""#, &format!(r#""x":"{text}""#)))
}

/// Sends calls at once, each but for its last byte; yields those that were not cut off.
fn uploads<'a>(world: &World, calls: impl Iterator<Item = &'a Call>) -> JoinSet<Option<RawClient>> {
    let mut sending = JoinSet::new();
    for call in calls {
        let (address, bytes) = (world.gateway.address(), call.bytes());
        sending.spawn(async move {
            let mut client = RawClient::connect(address).await;
            let all_but_one = bytes.len() - 1;
            for part in bytes[..all_but_one].chunks(32 * 1024) {
                // Who is refused is not listened to any more.
                if !client.try_send(part).await {
                    return None;
                }
            }
            Some(client)
        });
    }
    sending
}

async fn buffered(world: &World) -> f64 {
    world.gateway.metric("gatehouse_buffered_bytes").await
}

const REFUSALS: &str = r#"gatehouse_limit_refusals_total{limit="no_room_to_buffer"}"#;

/// S04: many long uploads at once: together they take no more than the room there is; those that
/// find none are refused, the others and short calls are served.
#[tokio::test]
async fn uploads_at_once_take_no_more_than_the_room_there_is() {
    let world = with_room_for(8).await;
    // Of two principals: one alone takes half.
    let other = world.authorization_server.mint(&world.claims().subject("another"));
    let calls =
        [call_of(&world, MIB), call_of(&world, MIB).without("Authorization").bearer(&other)];
    let mut sending = uploads(&world, calls.iter().cycle().take(64));
    let mut clients = Vec::new();
    while let Some(client) = within("an upload", sending.join_next()).await {
        clients.extend(client.unwrap());
        let now = buffered(&world).await;
        assert!(now <= 8.0 * 1_048_576.0, "{now} bytes");
    }
    assert!(buffered(&world).await > 0.0);
    assert_eq!(world.upstream.bytes_received(), 0);
    assert!(world.gateway.metric(REFUSALS).await > 0.0);
    assert_answered(&call_of(&world, 4096).send().await);
    let mut answered = 0;
    for mut client in clients {
        client.try_send(b"}").await;
        if let Ok(response) = within("an answer", client.reader.response("POST")).await {
            answered += u32::from(response.status == 200);
        }
    }
    assert!(answered > 0);
    world.gateway.counts(REFUSALS, f64::from(64 - answered)).await;
    world.gateway.counts("gatehouse_buffered_bytes", 0.0).await;
}

/// S04: however much one token's bodies hold, another's find room.
#[tokio::test]
async fn bodies_of_one_principal_leave_room_for_others() {
    let world = with_room_for(8).await;
    let call = call_of(&world, MIB);
    let mut sending = uploads(&world, std::iter::repeat_n(&call, 32));
    let mut clients = Vec::new();
    while let Some(client) = within("an upload", sending.join_next()).await {
        clients.extend(client.unwrap());
    }
    // Whoever is not refused will hold a whole MiB, and four are all that one principal may hold.
    let refused =
        eventually_heard("most are refused", async || match world.gateway.metric(REFUSALS).await {
            refused if refused >= 28.0 => Ok(refused),
            refused => Err(format!("{refused} are")),
        })
        .await;
    let held = buffered(&world).await / 1_048_576.0;
    assert!(0.0 < held && held <= 4.0, "{refused} were refused, {held} MiB held");
    let other = world.authorization_server.mint(&world.claims().subject("another"));
    for _ in 0..3 {
        assert_answered(
            &call_of(&world, 3 * MIB).without("Authorization").bearer(&other).send().await,
        );
    }
    world.gateway.counts(REFUSALS, refused).await;
    drop(clients);
    world.gateway.counts("gatehouse_buffered_bytes", 0.0).await;
}

/// S04: what a refusal for want of room says, and that it leaves nothing behind.
#[tokio::test]
async fn body_without_room_is_refused_and_forgotten() {
    let world = with_room_for(1).await;
    for _ in 0..3 {
        let mut client = RawClient::connect(world.gateway.address()).await;
        let call = call_of(&world, 2 * MIB);
        client.try_send(call.bytes()).await;
        // The answer may be lost where it crosses the rest of the body.
        if let Ok(response) = within("an answer", client.reader.response("POST")).await {
            world.assert_refused(
                &response,
                503,
                None,
                &crate::harness::refusal("null", -32000, "Overloaded"),
            );
            assert_eq!(response.header("connection"), Some("close"));
        }
    }
    world.gateway.counts(REFUSALS, 3.0).await;
    world.gateway.counts("gatehouse_buffered_bytes", 0.0).await;
    assert_eq!(world.upstream.bytes_received(), 0);
    assert_answered(&call_of(&world, MIB / 2).send().await);
}

/// S04: what is announced takes no room.
#[tokio::test]
async fn announced_bodies_take_no_room() {
    let world = with_room_for(1).await;
    let mut held = Vec::new();
    for _ in 0..50 {
        let call = call_of(&world, MIB);
        let mut client = RawClient::connect(world.gateway.address()).await;
        client.send(call.head_bytes()).await;
        client.send(b"{").await;
        held.push(client);
    }
    assert_answered(&call_of(&world, MIB / 2).send().await);
    assert!(world.gateway.metric(REFUSALS).await < 0.1);
}

/// S04: long bodies that are passed on as they come need little room, however many there are.
#[tokio::test]
async fn streamed_bodies_give_their_room_back() {
    let limits = "listen: {limits: {max_buffered_bytes: 1048576}}\n";
    let world = World::with(&format!("{limits}{NOTES}")).await;
    for _ in 0..20 {
        assert_answered(&call_of(&world, 2 * MIB).send().await);
    }
    world.gateway.counts("gatehouse_buffered_bytes", 0.0).await;
}

/// S04, E09: lists that are filtered take room as well, and give it back.
#[tokio::test]
async fn lists_without_room_are_refused() {
    let world = with_room_for(2).await;
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let answer = |bytes: usize| {
        let text = "x".repeat(bytes);
        Reply::json(&format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{{"name":"hidden"}},{{"name":"seen","description":"{text}"}}]}}}}"#
        ))
    };
    for _ in 0..3 {
        world.upstream.next(answer(3 * MIB));
        let response = world.authorized().body(list).send().await;
        assert_eq!(response.status, 503, "{:?}", response.headers);
        let body = json(&response.text());
        assert_eq!((&body["id"], &body["error"]["message"]), (&1.into(), &"Overloaded".into()));
        world.gateway.counts("gatehouse_buffered_bytes", 0.0).await;
        world.upstream.next(answer(MIB / 2));
        let response = world.authorized().body(list).send().await;
        let tools = json(&response.text());
        let tools = tools["result"]["tools"].as_array().unwrap();
        assert_eq!((tools.len(), &tools[0]["name"]), (1, &"seen".into()));
        world.gateway.counts("gatehouse_buffered_bytes", 0.0).await;
    }
}

/// S04: a body that was sent takes no room while the upstream thinks about it.
#[tokio::test]
async fn body_that_was_sent_takes_no_room_any_more() {
    let world = with_room_for(8).await;
    world.upstream.next(Reply::Silence);
    let client = call_of(&world, MIB).open().await;
    eventually("the whole body arrives", || match world.upstream.bytes_received() {
        bytes if bytes > MIB => Ok(()),
        bytes => Err(format!("{bytes} bytes")),
    })
    .await;
    world.gateway.counts("gatehouse_buffered_bytes", 0.0).await;
    drop(client);
}
