//! The queue and the draw; what is exported is tested from outside, in `tests/integration/traces`.

use super::*;
use crate::traces::span::{Kind, Span};

fn settings(ratio: f64) -> TracesSettings {
    TracesSettings {
        otlp_endpoint: url::Url::parse("http://127.0.0.1:9/v1/traces").unwrap(),
        headers: Vec::new(),
        ca: None,
        timeout: Duration::from_secs(1),
        service_name: "gatehouse".into(),
        sampling_ratio: ratio,
        caller_decides: CallerDecides::TrustedProxies,
    }
}

fn recorded(spans: usize) -> Recorded {
    let span = |id| Span {
        id,
        parent: None,
        link: None,
        name: "x".into(),
        kind: Kind::Internal,
        start: 1,
        end: 2,
        attributes: Vec::new(),
        is_error: false,
    };
    Recorded { trace_id: 1, spans: (1..).map(span).take(spans).collect() }
}

#[test]
fn what_the_queue_cannot_hold_is_lost_and_counted() {
    let metrics = Metrics::new().unwrap();
    let (tracer, exporter) = Tracer::new(&settings(1.0), &metrics).unwrap();
    let lost = metrics.trace_spans.with_label_values(&["queue_full"]);
    for _ in 0..MAX_WAITING {
        tracer.record(recorded(3));
    }
    assert_eq!(lost.get(), 0);
    for _ in 0..5 {
        tracer.record(recorded(3));
    }
    assert_eq!(lost.get(), 15);
    drop(exporter);
    // Nobody sends any more.
    tracer.record(recorded(2));
    assert_eq!(lost.get(), 17);
}

#[test]
fn ratio_takes_its_part_of_all_numbers() {
    let metrics = Metrics::new().unwrap();
    let drawn = |ratio, number| Tracer::new(&settings(ratio), &metrics).unwrap().0.draws(number);
    for (ratio, highest) in [(0.25, u64::MAX / 4), (0.5, u64::MAX / 2)] {
        assert!(drawn(ratio, 0) && drawn(ratio, highest - 1000));
        assert!(!drawn(ratio, highest + 1000) && !drawn(ratio, u64::MAX));
    }
    assert!(drawn(1.0, 0) && drawn(1.0, u64::MAX));
    assert!(!drawn(0.0, 0) && !drawn(0.0, u64::MAX));
}

#[tokio::test]
async fn flush_without_an_exporter_waits_for_nobody() {
    let (tracer, exporter) = Tracer::new(&settings(1.0), &Metrics::new().unwrap()).unwrap();
    drop(exporter);
    tracer.flush().await;
}
