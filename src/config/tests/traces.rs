//! `telemetry.traces`.

use std::time::Duration;

use super::{MINIMAL, TestEnvironment, environment::CANARY, problems, read};
use crate::config::{
    parse,
    settings::{CallerDecides, TracesSettings},
};

fn with(traces: &str) -> String {
    format!("{MINIMAL}telemetry:\n  traces: {traces}\n")
}

fn settings(traces: &str) -> Option<TracesSettings> {
    read(&with(traces)).unwrap().settings.telemetry.traces.map(|traces| *traces)
}

#[test]
fn without_a_collector_there_are_none() {
    assert!(read(MINIMAL).unwrap().settings.telemetry.traces.is_none());
    for off in ["{}", "{otlp_endpoint: null, sampling_ratio: 0.5}"] {
        assert_eq!((settings(off), problems(&with(off))), (None, String::new()), "{off}");
    }
}

#[test]
fn defaults_record_everything_and_believe_trusted_proxies() {
    let traces = settings("{otlp_endpoint: 'http://127.0.0.1:4318'}").unwrap();
    assert_eq!(traces.otlp_endpoint.as_str(), "http://127.0.0.1:4318/v1/traces");
    assert_eq!((traces.headers.len(), traces.ca), (0, None));
    assert_eq!((traces.timeout, &*traces.service_name), (Duration::from_secs(10), "gatehouse"));
    assert!(traces.sampling_ratio >= 1.0);
    assert_eq!(traces.caller_decides, CallerDecides::TrustedProxies);
}

#[test]
fn every_key_is_read_and_no_header_is_shown() {
    let environment = TestEnvironment::default().with_file("key", b"Bearer from-a-file\n");
    let yaml = with(
        "{otlp_endpoint: 'https://otel.example/otlp', timeout: 2s, service_name: edge, sampling_ratio: 0.25,
            caller_decides: everybody, headers: {Authorization: {file: key}, X-Team: '${INTROSPECTION_SECRET}'}}",
    );
    let loaded = parse("g.yaml", &yaml, &environment).unwrap();
    let shown = format!("{loaded:?}");
    assert!(!shown.contains("from-a-file") && !shown.contains(CANARY), "{shown}");
    let traces = loaded.settings.telemetry.traces.unwrap();
    assert_eq!(traces.headers[0].1, "Bearer from-a-file");
    assert_eq!(traces.headers[1].1, CANARY);
    assert_eq!((traces.timeout, &*traces.service_name), (Duration::from_secs(2), "edge"));
    assert!((traces.sampling_ratio - 0.25).abs() < f64::EPSILON);
    assert_eq!(traces.caller_decides, CallerDecides::Everybody);
}

#[test]
fn what_is_wrong_is_said_with_its_place_also_while_there_is_no_collector() {
    let text = with(
        "
    otlp_endpoint: collector:4318
    headers: {Content-Type: text/plain, X-A: \"a\\nb\"}
    tls: {ca: nowhere.pem}
    timeout: 0s
    service_name: ''
    sampling_ratio: 1.5
    caller_decides: nobody
    compression: gzip",
    );
    insta::assert_snapshot!(problems(&text), @r"
    g.yaml:14:20: telemetry.traces.otlp_endpoint: not an absolute http(s) URL; expected a URL such as https://auth.example.com/path
    g.yaml:15:15: telemetry.traces.headers.Content-Type: the gateway itself sets, checks or removes this header
    g.yaml:15:46: telemetry.traces.headers.X-A: not a header value: printable ASCII without line breaks, and without spaces at its ends
    g.yaml:16:15: telemetry.traces.tls.ca: the file cannot be read (no such file)
    g.yaml:17:14: telemetry.traces.timeout: must be from 1ms to 1m
    g.yaml:18:19: telemetry.traces.service_name: empty; expected a text
    g.yaml:19:21: telemetry.traces.sampling_ratio: must be from 0 to 1
    g.yaml:20:21: telemetry.traces.caller_decides: none of the known words; expected one of trusted_proxies, everybody
    g.yaml:21:5: telemetry.traces.compression: unknown key; known here: otlp_endpoint, headers, tls, timeout, service_name, sampling_ratio, caller_decides
    ");
    for number in [".nan", "-.inf", "99999999999999999999", "-0.1", "0x1"] {
        let said = problems(&with(&format!("{{sampling_ratio: {number}}}")));
        assert!(said.ends_with("sampling_ratio: must be from 0 to 1"), "{number}: {said}");
    }
    let text = with("{headers: {Host: x}, timeout: 2m, sampling_ratio: '0.5'}");
    insta::assert_snapshot!(problems(&text), @r"
    g.yaml:13:22: telemetry.traces.headers.Host: the gateway itself sets, checks or removes this header
    g.yaml:13:41: telemetry.traces.timeout: must be from 1ms to 1m
    g.yaml:13:61: telemetry.traces.sampling_ratio: expected a number from 0 to 1, found a text
    ");
}

#[test]
fn what_is_odd_is_warned_of() {
    let odd =
        "{otlp_endpoint: 'http://collector:4318', headers: {X-A: b}, caller_decides: everybody}";
    insta::assert_snapshot!(problems(&with(odd)), @r"
    g.yaml:13:27: telemetry.traces.otlp_endpoint: warning: what `headers` holds goes over the network unencrypted; use https
    g.yaml:13:87: telemetry.traces.caller_decides: warning: any caller can have all its requests recorded, whatever sampling_ratio says
    ");
    insta::assert_snapshot!(problems(&with("{sampling_ratio: 0.5}")), @"g.yaml:13:28: telemetry.traces.sampling_ratio: warning: nothing is recorded: `otlp_endpoint` names no collector");
    for ratio in ["0", "1", "0.0", "1.0", "1e-3"] {
        let fine = format!("{{otlp_endpoint: 'http://127.0.0.1:4318', sampling_ratio: {ratio}}}");
        assert_eq!(problems(&with(&fine)), "");
    }
}
