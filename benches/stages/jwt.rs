//! JWTs: the first verification, and the look-up of one that was verified before.

#[expect(dead_code, reason = "tests use the rest")]
#[path = "../../tests/integration/harness/jwt.rs"]
pub(super) mod kit;

use std::{
    hint::black_box,
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::Arc,
    thread,
    time::Duration,
};

use divan::Bencher;
use gatehouse::{
    authenticate::{
        background::Background,
        jwt::{JwtVerifier, Verified},
        outbound::Outbound,
    },
    clock::{Clock, SystemClock},
    config::settings::{
        AccessTokens, AuthorizationServerSettings, ClaimNames, ClientAuthentication,
        IntrospectionSettings, JwtSettings,
    },
    metrics::Metrics,
    oauth::{BearerToken, SignatureAlgorithm},
};
use serde_json::{Map, json};
use tokio::runtime::Runtime;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::kit::SigningKey;

const ISSUER: &str = "https://as.example";

fn settings(cache_max_entries: u64) -> AuthorizationServerSettings {
    AuthorizationServerSettings {
        name: "corp".into(),
        issuer: ISSUER.parse().expect("an issuer"),
        metadata_url: None,
        metadata: Map::new(),
        access_tokens: AccessTokens::Jwt,
        clock_skew: Duration::from_secs(30),
        client: ClientAuthentication::None { id: None },
        introspection: IntrospectionSettings {
            timeout: Duration::from_secs(5),
            accepted_issuers: Vec::new(),
            sends_token_type_hint: false,
            cache_ttl: Duration::from_mins(1),
            cache_negative_ttl: Duration::from_secs(10),
            cache_max_entries: 1,
            stale_if_error: Duration::ZERO,
        },
        jwt: JwtSettings {
            algorithms: SignatureAlgorithm::ALL.to_vec(),
            required_type: None,
            cache_max_entries,
        },
        claims: ClaimNames {
            scope: vec!["scope".into()],
            subject: vec!["sub".into()],
            client_id: vec!["client_id".into()],
            kept: Vec::new(),
            scope_prefixes: Vec::new(),
        },
        tls_ca_pem: None,
        insecure_allow_http: false,
    }
}

/// Serves a key set on loopback until the process ends; returns its address.
fn serve(body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/jwks", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 4096]);
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            let _ = stream.write_all(head.as_bytes());
        }
    });
    url
}

/// A verifier that has fetched the key already.
fn verifier(key: &SigningKey, cache_max_entries: u64) -> (Runtime, Arc<JwtVerifier>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let background =
        Background::new(runtime.handle().clone(), TaskTracker::new(), CancellationToken::new());
    let verifier = JwtVerifier::start(
        &Arc::new(settings(cache_max_entries)),
        Outbound::new(None, None, Duration::from_secs(5)).expect("a client"),
        Arc::new(SystemClock),
        background,
        Metrics::new().expect("metrics").key_set("corp"),
    );
    verifier.set_jwks_uri(serve(kit::key_set(&[key.jwk()])).parse().expect("a URL"));
    runtime.block_on(async {
        while verifier.not_ready().is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    (runtime, verifier)
}

fn token(key: &SigningKey, number: usize) -> BearerToken {
    let token = numbered(key, "https://mcp.example.com/notes", number);
    BearerToken::parse(token.as_bytes()).expect("a token")
}

/// A good token for this resource.
pub(super) fn token_for(key: &SigningKey, audience: &str) -> String {
    numbered(key, audience, 0)
}

fn numbered(key: &SigningKey, audience: &str, number: usize) -> String {
    let now = SystemClock.unix_seconds().floor();
    key.token(&json!({
        "iss": ISSUER,
        "sub": "alice",
        "client_id": "client-1",
        "aud": audience,
        "scope": "notes.read notes.write",
        "iat": now,
        "exp": now + 3600.0,
        "jti": number,
    }))
}

#[divan::bench(args = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
    "RS512 (4096)",
])]
fn verify_jwt_first(bencher: Bencher<'_, '_>, algorithm: &'static str) {
    let key = match algorithm {
        "RS512 (4096)" => SigningKey::generate_rsa_4096("RS512"),
        algorithm => SigningKey::generate(algorithm),
    };
    // Nothing is remembered, so that every time is the first.
    let (runtime, verifier) = verifier(&key, 0);
    let token = token(&key, 0);
    let digest = token.digest();
    bencher.bench_local(|| {
        let verdict = runtime.block_on(verifier.verify(black_box(&token), digest));
        assert!(matches!(verdict, Verified::Valid(_)), "{verdict:?}");
    });
}

#[divan::bench]
fn recall_jwt(bencher: Bencher<'_, '_>) {
    let key = SigningKey::generate("EdDSA");
    let (runtime, verifier) = verifier(&key, 10_000);
    let digests: Vec<_> = (0..1000)
        .map(|number| {
            let token = token(&key, number);
            let digest = token.digest();
            runtime.block_on(verifier.verify(&token, digest));
            digest
        })
        .collect();
    let mut next = digests.iter().cycle();
    bencher.bench_local(|| next.next().and_then(|digest| verifier.recall(digest)));
}
