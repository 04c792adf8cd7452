//! What must hold of every refused request, whatever it tried.
//!
//! 1. The status, exactly.
//! 2. No challenge where none belongs; one challenge, from the configuration alone, where one does.
//! 3. Not one byte has reached the upstream: a right status with a byte upstream is a failure.
//! 4. Where framing is not trusted any more, the connection closes, and nothing that was sent
//!    behind the request is answered.

use crate::harness::{
    World, assert_answered,
    client::RawClient,
    clock::within,
    raw::{RawResponse, Reader},
};

/// The challenge that a refusal carries.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Challenge {
    /// None.
    Without,
    /// One without `error`: no credentials came.
    Plain,
    /// One with this `error`.
    Error(&'static str),
}

/// Asserts a refusal; `what` says which input it was.
#[track_caller]
pub(crate) fn refused(
    world: &World,
    what: &str,
    response: &RawResponse,
    status: u16,
    challenge: Challenge,
) {
    assert_eq!(response.status, status, "{what}: {response:?}");
    let challenges: Vec<&str> = response
        .headers
        .iter()
        .filter(|(name, _)| name == "www-authenticate")
        .map(|(_, value)| value.as_str())
        .collect();
    let start = match challenge {
        Challenge::Without => {
            assert!(challenges.is_empty(), "{what}: {challenges:?}");
            untouched(world, what);
            return;
        }
        Challenge::Plain => world.challenge(""),
        Challenge::Error(error) => {
            let plain = world.challenge("");
            let (start, _) = plain.split_once(", scope=").unwrap();
            format!("{start}, error=\"{error}\", error_description=\"")
        }
    };
    assert_eq!(challenges.len(), 1, "{what}: {challenges:?}");
    assert!(challenges[0].starts_with(&start), "{what}: {challenges:?} is not {start}");
    untouched(world, what);
}

/// Asserts that the upstream received nothing at all.
#[track_caller]
pub(crate) fn untouched(world: &World, what: &str) {
    assert_eq!(world.upstream.bytes_received(), 0, "{what}: {}", world.upstream.log());
    assert_eq!(world.upstream.connections(), 0, "{what}");
}

/// Asserts that a good request passes, as the first that the upstream hears of.
///
/// Without it a gateway that refuses everything would pass for a safe one.
pub(crate) async fn still_serves(world: &World) {
    untouched(world, "before a good request");
    assert_answered(&world.authorized().send().await);
    assert_eq!(world.upstream.only_request().target, "/mcp");
}

/// Sends these bytes and behind them, at once, a good request that must never be heard; returns
/// the only response.
pub(crate) async fn refused_and_closed(world: &World, what: &str, bytes: &[u8]) -> RawResponse {
    let smuggled = world.authorized().header("X-Smuggled", "yes").bytes();
    let mut client = RawClient::connect(world.gateway.address()).await;
    client.try_send([bytes, &smuggled].concat()).await;
    let all = rest(&mut client.reader).await;
    let mut reader = Reader::new(&*all);
    let response = within("a response", reader.response("POST")).await;
    let response = response.unwrap_or_else(|error| panic!("{what}: {error}"));
    let behind = String::from_utf8_lossy(&reader.buffer).into_owned();
    assert_eq!(behind, "", "{what}: something was answered behind {response:?}");
    assert!(!reader.more().await, "{what}: something was answered behind {response:?}");
    response
}

/// Everything that still comes, until the peer closes.
pub(crate) async fn rest<R: tokio::io::AsyncRead + Unpin>(reader: &mut Reader<R>) -> Vec<u8> {
    within("the connection's end", async { while reader.more().await {} }).await;
    std::mem::take(&mut reader.buffer)
}
