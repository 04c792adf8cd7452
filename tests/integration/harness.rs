//! The world of a test: a real gateway between a stub authorization server and a stub upstream.
//!
//! 1. Everything is real but the other parties: real sockets on loopback, the same
//!    [`App`](gatehouse::app::App) as `main`, started from the text of a configuration.
//! 2. Nothing waits without a bound, and nothing sleeps for its own sake: see [`eventually`].
//! 3. A refusal is checked by [`World::assert_refused`]: status and challenge, body, and that the
//!    upstream saw nothing.
//!
//! Both test binaries include this file by path, so its modules name theirs; what one of them does
//! not use is expected where it declares the module.

#[path = "harness/answer.rs"]
pub(crate) mod answer;
#[path = "harness/authorization_server.rs"]
pub(crate) mod authorization_server;
#[path = "harness/client.rs"]
pub(crate) mod client;
#[path = "harness/clock.rs"]
pub(crate) mod clock;
#[path = "harness/collector.rs"]
pub(crate) mod collector;
#[path = "harness/faulty_line.rs"]
pub(crate) mod faulty_line;
#[path = "harness/gateway.rs"]
pub(crate) mod gateway;
#[path = "harness/jwt.rs"]
pub(crate) mod jwt;
#[path = "harness/process.rs"]
pub(crate) mod process;
#[path = "harness/raw.rs"]
pub(crate) mod raw;
#[path = "harness/running.rs"]
pub(crate) mod running;
#[path = "harness/tls.rs"]
pub(crate) mod tls;
#[path = "harness/token.rs"]
pub(crate) mod token;
#[path = "harness/upstream.rs"]
pub(crate) mod upstream;

use gatehouse::reload::Outcome;
use serde_json::Value;

use self::{
    authorization_server::StubAuthorizationServer, client::Call, gateway::TestGateway,
    raw::RawResponse, token::Token, upstream::StubUpstream,
};

/// A gateway with one authorization server and one upstream.
pub(crate) struct World {
    pub(crate) gateway: TestGateway,
    pub(crate) authorization_server: StubAuthorizationServer,
    pub(crate) upstream: StubUpstream,
}

/// The other parties, before there is a gateway.
pub(crate) struct Parties {
    pub(crate) authorization_server: StubAuthorizationServer,
    pub(crate) upstream: StubUpstream,
}

impl Parties {
    pub(crate) async fn start() -> Self {
        Self {
            authorization_server: StubAuthorizationServer::start().await,
            upstream: StubUpstream::start().await,
        }
    }

    /// Fills `ISSUER` and `UPSTREAM` in; `GATEWAY` is filled in by [`TestGateway`].
    pub(crate) fn fill(&self, yaml: &str) -> String {
        yaml.replace("ISSUER", self.authorization_server.issuer())
            .replace("UPSTREAM", &self.upstream.url())
    }

    /// A world whose gateway knows its authorization server already.
    pub(crate) async fn with(self, yaml: &str) -> World {
        let gateway = TestGateway::start(&self.fill(yaml));
        gateway.ready().await;
        let Self { authorization_server, upstream } = self;
        World { gateway, authorization_server, upstream }
    }
}

impl World {
    /// A world with one route, `notes`, that requires the scope `notes.read`.
    pub(crate) async fn start() -> Self {
        Self::with(NOTES).await
    }

    /// A world with this configuration; see [`Parties::fill`].
    pub(crate) async fn with(yaml: &str) -> Self {
        Parties::start().await.with(yaml).await
    }

    /// The world of [`World::start`] with some text replaced.
    pub(crate) async fn but(from: &str, to: &str) -> Self {
        assert!(NOTES.contains(from), "{from} is not in the configuration");
        Self::with(&NOTES.replace(from, to)).await
    }

    /// Puts another configuration in force; see [`Parties::fill`].
    pub(crate) fn reload(&self, yaml: &str) -> Outcome {
        self.gateway.reload(&self.fill(yaml))
    }

    /// Fills `ISSUER` and `UPSTREAM` in.
    pub(crate) fn fill(&self, yaml: &str) -> String {
        yaml.replace("ISSUER", self.authorization_server.issuer())
            .replace("UPSTREAM", &self.upstream.url())
    }

    /// A token for the route `notes` with the scope `notes.read`.
    pub(crate) fn token(&self) -> String {
        self.authorization_server.mint(&self.claims())
    }

    /// The claims of such a token.
    pub(crate) fn claims(&self) -> Token {
        Token::new().audience(&self.gateway.url("/notes")).scope("notes.read")
    }

    /// A POST to `notes` with a small JSON-RPC request.
    pub(crate) fn call(&self) -> Call {
        self.gateway.post("/notes").body(PING)
    }

    /// A call with an acceptable token.
    pub(crate) fn authorized(&self) -> Call {
        self.call().bearer(&self.token())
    }

    /// The challenge that `notes` answers with; `error` is empty or `, error="..."` and so on.
    pub(crate) fn challenge(&self, error: &str) -> String {
        let metadata = self.gateway.url("/.well-known/oauth-protected-resource/notes");
        format!(
            "Bearer realm=\"notes\", resource_metadata=\"{metadata}\"{error}, scope=\"notes.read\""
        )
    }

    /// Asserts a refusal: status and exact challenge, exact body, and an untouched upstream.
    ///
    /// In the body `GATEWAY` stands for our public URL and `ID` for the request's id, which must
    /// be the one in the head.
    #[track_caller]
    pub(crate) fn assert_refused(
        &self,
        response: &RawResponse,
        status: u16,
        challenge: Option<&str>,
        body: &str,
    ) {
        assert_eq!(response.status, status, "{response:?}");
        let challenge = challenge.map(|text| text.replace("GATEWAY", self.gateway.origin()));
        assert_eq!(response.header("www-authenticate"), challenge.as_deref(), "{response:?}");
        let request_id = response.header("x-request-id").expect("a request id");
        let found = response.text().replace(self.gateway.origin(), "GATEWAY");
        let found =
            found.replace(&format!(r#""request_id":"{request_id}""#), r#""request_id":"ID""#);
        assert_eq!(found, body);
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(
            response.header("retry-after").is_some(),
            matches!(status, 429 | 503),
            "{response:?}"
        );
        assert_eq!(response.header("allow").is_some(), status == 405, "{response:?}");
        assert_eq!(response.header("access-control-expose-headers"), Some(EXPOSED));
        assert_eq!(self.upstream.bytes_received(), 0, "{:?}", self.upstream.log());
    }

    /// Asserts the 401 of a token that is not acceptable; the body's `id` is 1.
    #[track_caller]
    pub(crate) fn assert_invalid_token(&self, response: &RawResponse, description: &str) {
        let error = format!(r#", error="invalid_token", error_description="{description}""#);
        let body = UNAUTHORIZED.replace(
            "DATA",
            &format!(
                r#""error":"invalid_token","error_description":"{description}","resource_metadata":"#
            ),
        );
        self.assert_refused(response, 401, Some(&self.challenge(&error)), &body);
    }

    /// Asserts the 503 of an authorization server that could not be asked; the `id` is 1.
    #[track_caller]
    pub(crate) fn assert_unavailable(&self, response: &RawResponse) {
        let body = refusal("1", -32000, "Authorization server unavailable");
        self.assert_refused(response, 503, None, &body);
    }
}

/// Asserts that a response is the stub upstream's usual answer.
#[track_caller]
pub(crate) fn assert_answered(response: &RawResponse) {
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.text(), upstream::RESULT);
}

/// The body of a refusal without challenge; `ID` stands for the request's id.
pub(crate) fn refusal(id: &str, code: i32, message: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"{message}","data":{{"request_id":"ID"}}}}}}"#
    )
}

/// The value behind a JSON text.
#[track_caller]
pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The usual configuration: one route.
pub(crate) const NOTES: &str = "\
authorization_servers:
  corp:
    issuer: ISSUER
    client: {id: gatehouse, secret: introspection-secret}
routes:
  notes:
    path: /notes
    upstream: UPSTREAM
    required_scopes: [notes.read]
";

/// A second route, to be put after the usual configuration.
pub(crate) const TASKS: &str = "  tasks:
    path: /tasks
    upstream: UPSTREAM
    required_scopes: [notes.read]
";

/// A small JSON-RPC request.
pub(crate) const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// What every response exposes to pages.
pub(crate) const EXPOSED: &str =
    "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, DPoP-Nonce, Retry-After, X-Request-Id";

const UNAUTHORIZED: &str = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"Unauthorized","data":{DATA"GATEWAY/.well-known/oauth-protected-resource/notes","required_scopes":["notes.read"],"request_id":"ID"}}}"#;
