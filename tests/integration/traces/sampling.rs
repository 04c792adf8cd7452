//! Which requests are recorded: the caller's decision where it counts, else the ratio.

use super::traced;
use crate::harness::{NOTES, World, assert_answered, collector::Collector};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn with_meta(flags: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"_meta":{{"traceparent":"00-{TRACE}-00f067aa0ba902b7-{flags}"}}}}}}"#
    )
}

/// How many requests a collector has heard of when one was served and the gateway is gone, and what
/// the upstream was told.
async fn recorded(
    settings: &str,
    trusted: &str,
    field: Option<&str>,
    body: Option<&str>,
) -> (usize, String) {
    let collector = Collector::start().await;
    let yaml =
        format!("listen: {{trusted_proxies: [{trusted}]}}\n{}{NOTES}", collector.section(settings));
    let world = World::with(&yaml).await;
    let mut call = world.authorized();
    if let Some(flags) = field {
        call = call.header("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-{flags}"));
    }
    if let Some(flags) = body {
        call = call.body(with_meta(flags));
    }
    assert_answered(&call.send().await);
    let told = world.upstream.only_request().header("traceparent").unwrap().to_owned();
    // What was recorded is sent before it ends, so that nothing comes later.
    world.gateway.shut_down().await;
    let spans = collector.spans();
    (spans.iter().filter(|span| span.kind == 2).count(), told)
}

#[tokio::test]
async fn decision_counts_of_those_alone_whose_it_is() {
    let (trusted, nobody) = ("'127.0.0.0/8'", "");
    let everybody = "everybody, sampling_ratio: ";
    for (ratio, proxies, field, body, expected) in [
        // Nobody's word counts: the ratio.
        ("trusted_proxies, sampling_ratio: 0", nobody, Some("01"), Some("01"), 0),
        ("trusted_proxies, sampling_ratio: 0.0", nobody, None, Some("01"), 0),
        ("trusted_proxies, sampling_ratio: 1", nobody, Some("00"), Some("00"), 1),
        ("trusted_proxies, sampling_ratio: 1.0", nobody, None, None, 1),
        // A trusted proxy's counts, not that of a message that it passes on.
        ("trusted_proxies, sampling_ratio: 0", trusted, Some("01"), None, 1),
        ("trusted_proxies, sampling_ratio: 1", trusted, Some("00"), None, 0),
        ("trusted_proxies, sampling_ratio: 0", trusted, None, Some("01"), 0),
        ("trusted_proxies, sampling_ratio: 1", trusted, None, Some("00"), 1),
        // Everybody's counts; the field's before the message's.
        (&format!("{everybody}0"), nobody, Some("01"), None, 1),
        (&format!("{everybody}0"), nobody, None, Some("01"), 1),
        (&format!("{everybody}1"), nobody, None, Some("00"), 0),
        (&format!("{everybody}0"), nobody, Some("00"), Some("01"), 0),
        (&format!("{everybody}0"), nobody, None, None, 0),
        (&format!("{everybody}1"), nobody, None, None, 1),
    ] {
        let settings = format!(", caller_decides: {ratio}");
        let (found, told) = recorded(&settings, proxies, field, body).await;
        let case = format!("{ratio}, {proxies}, {field:?}, {body:?}: {told}");
        assert_eq!(found, expected, "{case}");
        let flags = &told[53..];
        match field {
            // Not recorded: what came goes on as it came.
            Some(sent) if expected == 0 => {
                assert_eq!(told, format!("00-{TRACE}-00f067aa0ba902b7-{sent}"), "{case}");
            }
            _ => assert_eq!(flags == "01", expected == 1, "{case}"),
        }
    }
}

/// A trace id that every implementation's ratio would take: zeros where they look.
#[tokio::test]
async fn trace_id_cannot_be_chosen_so_that_it_is_recorded() {
    let (world, collector) = traced(", sampling_ratio: 0.01").await;
    let call = world.authorized();
    for number in 1..=200 {
        let field = format!("00-{number:016x}0000000000000001-00f067aa0ba902b7-01");
        assert_answered(&call.clone().header("traceparent", &field).send().await);
    }
    world.gateway.shut_down().await;
    let found = collector.spans().iter().filter(|span| span.kind == 2).count();
    assert!(found < 30, "{found} of 200 at a ratio of 0.01");
}

#[tokio::test]
async fn question_is_seen_also_where_only_the_message_has_it_recorded() {
    let (world, collector) = traced(", caller_decides: everybody, sampling_ratio: 0").await;
    assert_answered(&world.authorized().body(with_meta("01")).send().await);
    let spans = collector.requests(1).await;
    assert!(spans.iter().any(|span| span.name == "introspect"), "{spans:?}");
}
