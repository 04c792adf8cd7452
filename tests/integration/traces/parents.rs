//! Whose child a request is: of the span in `traceparent`, else of the one in `params._meta`.

use super::traced;
use crate::harness::{
    World, assert_answered,
    collector::{Collector, Exported, named},
    raw::Received,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const SENDER_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SENDER: &str = "b7ad6b7169203331";

fn traceparent() -> String {
    format!("00-{TRACE}-{PARENT}-01")
}

/// A message that names its sender's span, with odd spacing that must stay.
fn message(more: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0", "id":1,"method":"tools/call","params":{{"name":"x","_meta" :  {{"traceparent":"00-{SENDER_TRACE}-{SENDER}-01"{more}}},"arguments":{{}}}}}}"#
    )
}

/// Sends one call, and returns its span, that of its upstream, and what the upstream received.
async fn call(
    (world, collector): &(World, Collector),
    fields: &[(&str, &str)],
    body: &str,
) -> (Exported, Exported, Received) {
    let call =
        fields.iter().fold(world.authorized(), |call, (name, value)| call.header(name, value));
    assert_answered(&call.body(body).send().await);
    let spans = collector.requests(1).await;
    let received = world.upstream.only_request();
    assert_eq!(received.text(), body, "the bytes that were judged are the bytes that are sent");
    (named(&spans, "POST /notes").clone(), named(&spans, "upstream").clone(), received)
}

#[tokio::test]
async fn span_in_the_header_is_the_parent() {
    let world = traced("").await;
    let fields = [("traceparent", &*traceparent()), ("tracestate", "rojo=1,congo=2")];
    let (request, upstream, received) = call(&world, &fields, super::CALL).await;
    assert_eq!((&*request.trace_id, &*request.parent), (TRACE, PARENT));
    assert_eq!((request.flags, request.links.len()), (0x301, 0));
    assert_eq!(received.header("tracestate"), Some("rojo=1,congo=2"));
    let told = format!("00-{TRACE}-{}-01", upstream.id);
    assert_eq!(received.header("traceparent"), Some(&*told));
}

#[tokio::test]
async fn span_in_the_message_is_the_parent_where_no_header_is() {
    let world = traced("").await;
    let body = message(r#","tracestate":"rojo=1""#);
    // Without traceparent this means nothing.
    let (request, upstream, received) = call(&world, &[("tracestate", "congo=2")], &body).await;
    assert_eq!((&*request.trace_id, &*request.parent), (SENDER_TRACE, SENDER));
    assert_eq!((request.flags, request.links.len()), (0x301, 0));
    let told = format!("00-{SENDER_TRACE}-{}-01", upstream.id);
    assert_eq!(received.header("traceparent"), Some(&*told));
    assert_eq!(received.header("tracestate"), Some("rojo=1"));
}

#[tokio::test]
async fn span_in_the_message_is_linked_where_a_header_is() {
    let world = traced("").await;
    let body = message(r#","tracestate":"rojo=1""#);
    let (request, upstream, received) =
        call(&world, &[("traceparent", &traceparent())], &body).await;
    assert_eq!((&*request.trace_id, &*request.parent), (TRACE, PARENT));
    assert_eq!(request.links, [(SENDER_TRACE.to_owned(), SENDER.to_owned())]);
    let told = format!("00-{TRACE}-{}-01", upstream.id);
    assert_eq!(received.header("traceparent"), Some(&*told));
    assert_eq!(received.header("tracestate"), None);
}

#[tokio::test]
async fn what_is_no_trace_context_is_no_parent() {
    for (field, meta) in [
        ("00-0-0-01", r#"{"traceparent":"00-0-0-01"}"#),
        ("", r#"{"traceparent":"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"}"#),
        ("", r#"{"traceparent":7}"#),
        ("", "\"traceparent\""),
    ] {
        let world = traced("").await;
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"x","_meta":{meta}}}}}"#
        );
        let fields = [("traceparent", field)];
        let (request, _, received) =
            call(&world, &fields[usize::from(field.is_empty())..], &body).await;
        assert_eq!((&*request.parent, request.links.len()), ("", 0), "{meta}");
        assert!(received.header("traceparent").unwrap().contains(&request.trace_id));
    }
}

#[tokio::test]
async fn state_that_no_header_can_hold_is_left_out() {
    let world = traced("").await;
    let body = message(r#","tracestate":"a=b\r\nX-Injected: 1""#);
    let (request, _, received) = call(&world, &[], &body).await;
    assert_eq!(&*request.parent, SENDER);
    let found = (received.header("tracestate"), received.header("x-injected"));
    assert_eq!(found, (None, None));
}
