//! What single stages of a request cost, apart from hyper and the kernel.
//!
//! It prints and asserts nothing; `cargo bench --bench stages` takes some seconds. The whole path
//! against nginx is `benches/proxy.py`'s business.

#[path = "stages/jwt.rs"]
mod jwt;
#[path = "stages/lists.rs"]
mod lists;
#[path = "stages/operation.rs"]
mod operation;

use std::{hint::black_box, sync::Arc, time::Duration};

use bytes::Bytes;
use divan::Bencher;
use gatehouse::{
    admission::{Authority, admit},
    authenticate::{
        AuthenticateError, bearer,
        bearer::CredentialsError,
        token_cache::TokenCache,
        token_facts::{Evidence, Principal, TokenFacts},
    },
    clock::{Clock, SystemClock},
    config::settings::IntrospectionSettings,
    forward::{
        headers::{self, Forwarded},
        session::{Kind, Place, Sealer},
    },
    jsonrpc::Glance,
    oauth::{BearerToken, Scope, TokenDigest},
    rejection::Rejection,
    resource::ChallengeParameters,
};
use http::{HeaderMap, HeaderValue, Request, header, request::Parts};

fn main() {
    divan::Divan::from_args().max_time(Duration::from_secs(2)).main();
}

/// Lengths of an opaque token and of a JWT.
const TOKENS: [usize; 2] = [42, 891];

fn token(length: usize) -> String {
    "t".repeat(length)
}

fn head() -> Parts {
    let request = Request::post("/notes")
        .header(header::HOST, "mcp.example.com")
        .header(header::AUTHORIZATION, format!("Bearer {}", token(42)))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream")
        .header(header::CONTENT_LENGTH, "185")
        .header(header::USER_AGENT, "client/1.0")
        .header("mcp-protocol-version", "2025-11-25");
    request.body(()).expect("a well-formed head").into_parts().0
}

#[divan::bench]
fn admit_head(bencher: Bencher<'_, '_>) {
    let (parts, usual) = (head(), Authority::parse(b"mcp.example.com").ok());
    bencher.bench_local(|| admit(black_box(&parts), None, usual.as_ref()));
}

#[divan::bench(args = TOKENS)]
fn read_bearer_token(bencher: Bencher<'_, '_>, length: usize) {
    let mut parts = head();
    let value = format!("Bearer {}", token(length)).parse().expect("a field value");
    parts.headers.insert(header::AUTHORIZATION, value);
    bencher.bench_local(|| bearer::read(black_box(&parts.headers), None));
}

#[divan::bench(args = TOKENS)]
fn digest_token(bencher: Bencher<'_, '_>, length: usize) {
    let token = BearerToken::parse(token(length).as_bytes()).expect("a token");
    bencher.bench_local(|| black_box(&token).digest());
}

#[divan::bench]
fn look_up_token(bencher: Bencher<'_, '_>) {
    let cache = TokenCache::new(&IntrospectionSettings {
        timeout: Duration::from_secs(5),
        sends_token_type_hint: false,
        accepted_issuers: Vec::new(),
        cache_ttl: Duration::from_hours(1),
        cache_negative_ttl: Duration::from_secs(10),
        cache_max_entries: 10_000,
        stale_if_error: Duration::ZERO,
    });
    let now = SystemClock.instant();
    let digests: Vec<_> = (0..1000_u32).map(|n| TokenDigest::of(&n.to_be_bytes())).collect();
    for digest in &digests {
        cache.remember_active(*digest, Arc::new(facts()), now);
    }
    let mut next = digests.iter().cycle();
    bencher.bench_local(|| next.next().map(|digest| cache.look_up(digest, now)));
}

fn facts() -> TokenFacts {
    TokenFacts {
        foreign_issuer: None,
        subject: None,
        client_id: None,
        scope: Scope::default(),
        audience: Vec::new(),
        expires_at: None,
        not_before: None,
        issued_at: None,
        is_bound: false,
        other_type: None,
        kept: Vec::new(),
        is_surely_access: true,
        principal: Principal::ANONYMOUS,
        evidence: Evidence::Introspection,
    }
}

#[divan::bench(args = [185, 1024, 65_536])]
fn glance_at_body(bencher: Bencher<'_, '_>, length: usize) {
    let body = serde_json::json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "list_notes", "arguments": {"text": "x".repeat(length.max(101) - 101)}},
    });
    let body = Bytes::from(body.to_string());
    bencher.bench_local(|| Glance::at(black_box(&body)));
}

#[divan::bench]
fn fields_for_upstream(bencher: Bencher<'_, '_>) {
    let forwarded = Forwarded {
        is_secure: false,
        peer: HeaderValue::from_static("192.0.2.1"),
        way: None,
        request_id: HeaderValue::from_static("0123456789abcdef0123456789abcdef"),
        host: HeaderValue::from_static("mcp.example.com"),
        traceparent: HeaderValue::from_static(
            "00-0123456789abcdef0123456789abcdef-0123456789abcdef-00",
        ),
        span: None,
    };
    let host = HeaderValue::from_static("upstream:8080");
    bencher.with_inputs(|| (head().headers, forwarded.clone())).bench_local_values(
        |(fields, forwarded)| headers::for_upstream(fields, forwarded, &host, &[]),
    );
}

#[divan::bench]
fn fields_for_client(bencher: Bencher<'_, '_>) {
    let mut fields = HeaderMap::new();
    for (name, value) in [
        (header::SERVER, "upstream/1.0"),
        (header::DATE, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_LENGTH, "302"),
        (header::CONNECTION, "keep-alive"),
    ] {
        fields.insert(name, HeaderValue::from_static(value));
    }
    bencher.with_inputs(|| fields.clone()).bench_local_values(headers::for_client);
}

fn place() -> Place<'static> {
    Place {
        kind: Kind::Session,
        route: "notes",
        upstream: "http://127.0.0.1:8000/mcp",
        principal: &Principal::ANONYMOUS,
    }
}

const SESSION: &str = "1868a90c-9c4b-4f0e-a2c5-6a1c5a2f2b1d";

#[divan::bench]
fn seal_session(bencher: Bencher<'_, '_>) {
    let sealer = Sealer::new(&[]).expect("a key");
    bencher.bench_local(|| sealer.seal(place(), black_box(SESSION)));
}

#[divan::bench]
fn open_session(bencher: Bencher<'_, '_>) {
    let sealer = Sealer::new(&[]).expect("a key");
    let reference = sealer.seal(place(), SESSION).expect("a reference");
    bencher.bench_local(|| sealer.open(place(), black_box(&reference)));
}

#[divan::bench]
fn refuse_without_token(bencher: Bencher<'_, '_>) {
    let challenge = ChallengeParameters {
        realm: "notes".into(),
        resource_metadata: "https://mcp.example.com/.well-known/oauth-protected-resource/notes"
            .into(),
        required_scopes: Scope::parse("notes.read").expect("a scope"),
        offers_basic: false,
    };
    bencher
        .with_inputs(|| AuthenticateError::Credentials(CredentialsError::Missing).into())
        .bench_local_values(|rejection: Rejection| {
            rejection.into_response(Some(&challenge), Some("1"), "0123456789abcdef")
        });
}
