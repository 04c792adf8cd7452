//! What a collector may not find: P02 for spans, and for the key that is shown to it.

use super::{CONFIGURATION, Process, provoke};
use crate::harness::{assert_answered, clock::eventually, collector::Collector, upstream::Reply};

/// P02: whatever a request held, no byte of it that is secret is exported; and the collector's own
/// key is in no log.
#[tokio::test]
async fn no_secret_is_exported() {
    let collector = Collector::start().await;
    let traces = format!(
        "telemetry: {{log: {{level: trace}}, traces: {{otlp_endpoint: '{}', headers: {{X-Key: collector-key-canary}}}}}}",
        collector.url()
    );
    let yaml = CONFIGURATION.replace("telemetry: {log: {level: trace}}", &traces);
    assert_ne!(yaml, CONFIGURATION);
    let gateway = Process::start_with("secrecy-traces", "", &yaml, &[]).await;
    let responses = provoke(&gateway).await;
    assert_answered(&responses[0]);
    gateway.parties.upstream.next(Reply::with(
        200,
        &[("Mcp-Session-Id", "upstream-session-canary")],
        "{}",
    ));
    let secret_argument = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"card":"argument-canary"},"_meta":{"baggage":"baggage-canary","token":"meta-canary"}}}"#;
    let call = gateway.post("/notes").bearer("token-good-canary").body(secret_argument);
    let call = call.header("Baggage", "a=baggage-canary").header("tracestate", "a=state-canary");
    let answer = call.send().await;
    let session = answer.header("mcp-session-id").unwrap().to_owned();
    let again = gateway.post("/notes").bearer("token-good-canary");
    assert_eq!(again.header("Mcp-Session-Id", &session).send().await.status, 200);
    eventually("the spans", || {
        let spans = collector.spans();
        let requests = spans.iter().filter(|span| span.kind == 2).count();
        // Heads that cannot be read are answered beneath the gateway.
        if requests >= 24 { Ok(()) } else { Err(format!("{requests} requests: {spans:?}")) }
    })
    .await;
    let bodies: Vec<u8> = collector.received().into_iter().flat_map(|one| one.body).collect();
    let exported = String::from_utf8_lossy(&bodies);
    assert!(exported.contains("gen_ai.tool.name") && exported.contains("pay"), "{exported}");
    for secret in ["canary", "introspection-secret", "sealing-key", "alice", &session] {
        assert!(!exported.contains(secret), "{secret} was exported");
    }
    assert_eq!(collector.received()[0].header("x-key"), Some("collector-key-canary"));
    let log = gateway.log();
    for secret in ["collector-key-canary", "argument-canary", "baggage-canary", &session] {
        assert!(!log.contains(secret), "{secret} is in {log}");
    }
}
