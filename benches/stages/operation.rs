//! Judging what a request asks for: a route with 20 rules against a route without any.
//!
//! What rules add to a call of 1 KB is the difference of the two: at most a microsecond.

use std::{hint::black_box, sync::Arc};

use bytes::Bytes;
use divan::Bencher;
use gatehouse::{
    admission::admit,
    authenticate::{background::Background, outbound::Network},
    authorize::{Caller, operation::Operation},
    clock::SystemClock,
    config::{self, ProcessEnvironment},
    jsonrpc::Glance,
    metrics::Metrics,
    resource::ProtectedResource,
    router::Destination,
    snapshot::{Snapshot, Surroundings},
};
use http::{HeaderMap, Request, header};
use serde_json::json;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::jwt::kit::{self, SigningKey};

const ISSUER: &str = "https://as.example";

/// Twenty rules: exact names and globs, scopes, alternatives, claims and arguments.
fn configuration() -> String {
    let exact: Vec<_> = (0..12).map(|n| format!("      tool_{n}: [notes.write]")).collect();
    let exact = exact.join("\n");
    format!(
        "public_url: https://mcp.example.com
authorization_servers:
  corp:
    issuer: {ISSUER}
    access_tokens: jwt
    metadata: {{jwks_uri: '{ISSUER}/jwks'}}
routes:
  plain: {{path: /plain, upstream: 'http://127.0.0.1:1', required_scopes: [notes.read]}}
  ruled:
    path: /ruled
    upstream: http://127.0.0.1:1
    required_scopes: [notes.read]
    tools:
{exact}
      list_notes: [notes.read]
      'list_*': [notes.read]
      'delete_*': [notes.write]
      'admin_*': {{required_scopes: [notes.admin], when_denied: hide}}
      '*_export': {{any_scope: [notes.write, notes.admin]}}
      'debug_*': {{deny: true}}
    prompts: {{'*': [notes.read]}}
    methods: {{'completion/*': [notes.read]}}
"
    )
}

/// Both routes, and somebody with a good token.
struct Bench {
    resources: [Arc<ProtectedResource>; 2],
    caller: Caller,
}

impl Bench {
    fn new() -> Self {
        let key = SigningKey::generate("EdDSA");
        let loaded = config::parse("bench.yaml", &configuration(), &ProcessEnvironment);
        let loaded = loaded.expect("a configuration");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let metrics = Metrics::new().expect("metrics");
        let around = Surroundings {
            limits: gatehouse::limits::Limits::new(&metrics),
            metrics,
            clock: Arc::new(SystemClock),
            background: Background::new(runtime.handle().clone(), tasks, stop),
            network: Network::Offline(Some(kit::key_set(&[key.jwk()]).into())),
            workers: 1,
            is_audited: false,
        };
        runtime.block_on(async {
            let snapshot = Snapshot::build(loaded.settings, &around).expect("a snapshot");
            while snapshot.authorization_servers.iter().any(|it| it.not_ready().is_some()) {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            let resources = ["/plain", "/ruled"].map(|path| resource(&snapshot, path));
            let authenticator = resources[0].authenticator.as_ref().expect("a protected route");
            let token = super::jwt::token_for(&key, "https://mcp.example.com/plain");
            let mut headers = HeaderMap::new();
            let value = format!("Bearer {token}").parse().expect("a field value");
            headers.insert(header::AUTHORIZATION, value);
            let token = authenticator
                .authenticate(&headers, None, gatehouse::authenticate::asker::Asker::UNCOUNTED)
                .await
                .expect("a good token");
            Self { resources, caller: Caller::from(token) }
        })
    }
}

fn resource(snapshot: &Snapshot, path: &str) -> Arc<ProtectedResource> {
    let request = Request::post(path).header(header::HOST, "mcp.example.com").body(());
    let (parts, ()) = request.expect("a request").into_parts();
    let target = admit(&parts, None, None).expect("a plain head");
    match snapshot.router.route(&parts.method, None, &target, true) {
        Ok(Destination::Resource(resource, _)) => Arc::clone(resource),
        other => panic!("no route: {other:?}"),
    }
}

fn body(tool: &str, length: usize) -> Bytes {
    let text = "x".repeat(length.saturating_sub(150));
    let message = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": tool,
            "arguments": {"title": "a", "text": text},
            "_meta": {"progressToken": 1},
        },
    });
    Bytes::from(message.to_string())
}

#[divan::bench(args = [1024, 65_536])]
fn judge_without_rules(bencher: Bencher<'_, '_>, length: usize) {
    let Bench { resources: [plain, _], caller } = Bench::new();
    let body = body("list_notes", length);
    bencher.bench_local(|| {
        let glance = Glance::at(black_box(&body));
        let operation = Operation::unread(&glance);
        plain.policy.authorize(caller.clone(), &operation).is_ok()
    });
}

#[divan::bench(args = [
    ("list_notes", 1024), ("tool_7", 1024), ("other", 1024), ("delete_note", 1024),
    ("list_notes", 65_536),
])]
fn judge_with_20_rules(bencher: Bencher<'_, '_>, (tool, length): (&str, usize)) {
    let Bench { resources: [_, ruled], caller } = Bench::new();
    let body = body(tool, length);
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, "application/json".parse().expect("a field value"));
    bencher.bench_local(|| {
        let glance = Glance::at(black_box(&body));
        let operation = Operation::read(&body, &headers, ruled.policy.judges_resources());
        let operation = operation.expect("a request");
        let is_permitted = ruled.policy.authorize(caller.clone(), &operation).is_ok();
        drop(glance);
        assert!(is_permitted);
    });
}
