//! A stub authorization server: metadata, opaque tokens, introspection, userinfo, and every way to
//! fail.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use super::answer::Answer;
use super::{
    answer::say,
    jwt,
    raw::{Reader, Received, parse_head, request_framing},
    token::Token,
};

/// A server that runs until it is dropped.
pub(crate) struct StubAuthorizationServer {
    issuer: String,
    state: Arc<State>,
    stop: CancellationToken,
}

#[derive(Default)]
struct State {
    tokens: Mutex<HashMap<String, String>>,
    documents: Mutex<HashMap<String, Answer>>,
    instead: Mutex<Option<Answer>>,
    instead_for: Mutex<HashMap<String, Answer>>,
    authentication: Mutex<Option<Check>>,
    token_endpoint: Mutex<Option<Respond>>,
    received: Mutex<Vec<Received>>,
    minted: AtomicUsize,
    held: watch::Sender<bool>,
    issuer: String,
}

/// Judges how an introspection request authenticates.
type Check = Box<dyn Fn(&Received) -> bool + Send>;

/// Answers a token request.
type Respond = Box<dyn Fn(&Received) -> Answer + Send>;

impl StubAuthorizationServer {
    /// Starts on a free port; it publishes RFC 8414 metadata and expects `client_secret_basic` of
    /// `gatehouse` with `introspection-secret`.
    pub(crate) async fn start() -> Self {
        Self::start_at("").await
    }

    /// Starts with an issuer that ends with this path.
    pub(crate) async fn start_at(path: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}{path}", listener.local_addr().unwrap());
        Self::serve(listener, issuer, None)
    }

    /// Starts on a given port: late, or again.
    pub(crate) async fn start_on(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        Self::serve(listener, format!("http://127.0.0.1:{port}"), None)
    }

    /// Starts with TLS; the issuer's host is `localhost`.
    pub(crate) async fn start_tls(tls: TlsAcceptor) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        Self::serve(listener, issuer, Some(tls))
    }

    fn serve(listener: TcpListener, issuer: String, tls: Option<TlsAcceptor>) -> Self {
        let state = Arc::new(State { issuer: issuer.clone(), ..State::default() });
        let stop = CancellationToken::new();
        let server = Self { issuer, state: Arc::clone(&state), stop: stop.clone() };
        server.expect_client(|request| {
            let expected = BASE64_STANDARD.encode("gatehouse:introspection-secret");
            request.header("authorization") == Some(&*format!("Basic {expected}"))
        });
        let path = server.issuer.splitn(4, '/').nth(3).map_or(String::new(), |path| {
            format!("/{}", path.trim_end_matches('/')).trim_end_matches('/').to_owned()
        });
        server.publish(
            &format!("/.well-known/oauth-authorization-server{path}"),
            Answer::json(&server.metadata()),
        );
        let tasks = TaskTracker::new();
        drop(tasks.clone().spawn(stop.clone().run_until_cancelled_owned(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, tls) = (Arc::clone(&state), tls.clone());
                let connection = async move { accept(stream, tls, state).await };
                drop(tasks.spawn(stop.clone().run_until_cancelled_owned(connection)));
            }
        })));
        server
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(crate) fn port(&self) -> u16 {
        let authority = self.issuer.split('/').nth(2).unwrap();
        authority.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Its RFC 8414 document.
    pub(crate) fn metadata(&self) -> String {
        let issuer = &self.issuer;
        let base = issuer.trim_end_matches('/');
        format!(
            r#"{{"issuer":"{issuer}","authorization_endpoint":"{base}/authorize","token_endpoint":"{base}/token","introspection_endpoint":"{base}/introspect","userinfo_endpoint":"{base}/userinfo","response_types_supported":["code"]}}"#
        )
    }

    /// Publishes these public keys, and in its metadata where they are.
    pub(crate) fn publish_keys(&self, jwks: &[serde_json::Value]) {
        self.answer_keys_with(Answer::json(&jwt::key_set(jwks)));
        let base = self.issuer.trim_end_matches('/');
        let metadata = self.metadata();
        let members = metadata.strip_suffix('}').unwrap();
        let metadata = format!(r#"{members},"jwks_uri":"{base}{KEYS}"}}"#);
        let mut documents = lock(&self.state.documents);
        let places = documents.iter_mut().filter(|(path, _)| path.starts_with("/.well-known/"));
        places.for_each(|(_, answer)| *answer = Answer::json(&metadata));
    }

    /// Answers this where the keys are from now on: another set, or a failure.
    pub(crate) fn answer_keys_with(&self, answer: Answer) {
        let base = self.issuer.trim_end_matches('/');
        let path = base.splitn(4, '/').nth(3).map_or(String::new(), |path| format!("/{path}"));
        self.publish(&format!("{path}{KEYS}"), answer);
    }

    /// How often the keys were fetched.
    pub(crate) fn key_fetches(&self) -> usize {
        self.fetched().iter().filter(|target| target.ends_with(KEYS)).count()
    }

    /// Serves a document at a path.
    pub(crate) fn publish(&self, path: &str, answer: Answer) {
        lock(&self.state.documents).insert(path.to_owned(), answer);
    }

    /// Serves no document any more.
    pub(crate) fn unpublish_all(&self) {
        lock(&self.state.documents).clear();
    }

    /// Mints an opaque token with these claims.
    pub(crate) fn mint(&self, claims: &Token) -> String {
        let number = self.state.minted.fetch_add(1, Ordering::Relaxed);
        let token = format!("opaque-{}-{number}", self.port());
        self.know(&token, &claims.json());
        token
    }

    /// Answers this text for this token from now on.
    pub(crate) fn know(&self, token: &str, response: &str) {
        lock(&self.state.tokens).insert(token.to_owned(), response.to_owned());
    }

    /// Forgets a token: it is inactive.
    pub(crate) fn revoke(&self, token: &str) {
        lock(&self.state.tokens).remove(token);
    }

    /// Answers every introspection and userinfo request with this.
    pub(crate) fn answer_with(&self, answer: Answer) {
        *lock(&self.state.instead) = Some(answer);
    }

    /// Answers introspections of one token with this.
    pub(crate) fn answer_for(&self, token: &str, answer: Answer) {
        lock(&self.state.instead_for).insert(token.to_owned(), answer);
    }

    /// Tells the truth again.
    pub(crate) fn recover(&self) {
        *lock(&self.state.instead) = None;
        lock(&self.state.instead_for).clear();
    }

    /// Holds introspection and token answers back until [`release`](Self::release).
    pub(crate) fn hold(&self) {
        self.state.held.send_replace(true);
    }

    pub(crate) fn release(&self) {
        self.state.held.send_replace(false);
    }

    /// Replaces the check of how introspection requests authenticate.
    pub(crate) fn expect_client(&self, check: impl Fn(&Received) -> bool + Send + 'static) {
        *lock(&self.state.authentication) = Some(Box::new(check));
    }

    /// Answers token requests from now on.
    pub(crate) fn grant(&self, respond: impl Fn(&Received) -> Answer + Send + 'static) {
        *lock(&self.state.token_endpoint) = Some(Box::new(respond));
    }

    /// The token requests so far.
    pub(crate) fn token_requests(&self) -> Vec<Received> {
        let is_request = |request: &Received| request.target.ends_with("/token");
        self.received().into_iter().filter(is_request).collect()
    }

    /// Every request so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        lock(&self.state.received).clone()
    }

    /// The introspection requests so far.
    pub(crate) fn introspections(&self) -> Vec<Received> {
        let is_introspection = |request: &Received| request.target.ends_with("/introspect");
        self.received().into_iter().filter(is_introspection).collect()
    }

    /// The userinfo requests so far.
    pub(crate) fn userinfo_requests(&self) -> Vec<Received> {
        let is_userinfo = |request: &Received| request.target.ends_with("/userinfo");
        self.received().into_iter().filter(is_userinfo).collect()
    }

    /// How many introspection requests came so far.
    pub(crate) fn introspection_count(&self) -> usize {
        self.introspections().len()
    }

    /// The targets that were asked for with GET, in order.
    pub(crate) fn fetched(&self) -> Vec<String> {
        let gets = self.received().into_iter().filter(|request| request.method == "GET");
        gets.map(|request| request.target).collect()
    }
}

impl Drop for StubAuthorizationServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for StubAuthorizationServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.issuer)
    }
}

async fn accept(stream: TcpStream, tls: Option<TlsAcceptor>, state: Arc<State>) {
    match tls {
        None => converse(stream, &state).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                converse(stream, &state).await;
            }
        }
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(stream: S, state: &State) {
    let mut reader = Reader::new(stream);
    while let Some(request) = receive(&mut reader).await {
        lock(&state.received).push(request.clone());
        let is_introspection = request.target.ends_with("/introspect");
        let is_userinfo = request.target.ends_with("/userinfo");
        let is_token_request = request.target.ends_with("/token");
        if is_introspection || is_userinfo || is_token_request {
            let mut held = state.held.subscribe();
            let _ = held.wait_for(|held| !held).await;
        }
        let answer = if is_introspection {
            state.introspect(&request)
        } else if is_userinfo {
            state.tell_user(&request)
        } else if is_token_request {
            state.grant(&request)
        } else {
            state.find(&request)
        };
        if !say(&mut reader.inner, answer).await {
            return;
        }
    }
}

/// Reads a whole request.
async fn receive<R: AsyncRead + Unpin>(reader: &mut Reader<R>) -> Option<Received> {
    let head = reader.until(b"\r\n\r\n").await?;
    let (line, headers) = parse_head(&head);
    let mut body = Vec::new();
    if !reader.body(request_framing(&headers), &mut body).await {
        return None;
    }
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Received { method, target, headers, body })
}

impl State {
    fn find(&self, request: &Received) -> Answer {
        lock(&self.documents).get(&request.target).cloned().unwrap_or(Answer::status(404))
    }

    /// OpenID Connect Core 1.0 section 5.3: the claims behind the bearer token, or 401.
    fn tell_user(&self, request: &Received) -> Answer {
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if let Some(answer) = &*lock(&self.instead) {
            return answer.clone();
        }
        let known = token.and_then(|token| lock(&self.tokens).get(token).cloned());
        known.map_or(Answer::error(401, "invalid_token"), |claims| Answer::json(&claims))
    }

    fn grant(&self, request: &Received) -> Answer {
        let respond = lock(&self.token_endpoint);
        respond.as_ref().map_or_else(|| self.find(request), |respond| respond(request))
    }

    fn introspect(&self, request: &Received) -> Answer {
        let form = request.form();
        let token = form.iter().find(|(name, _)| name == "token");
        let token = token.map(|(_, value)| value.clone()).unwrap_or_default();
        if let Some(answer) = lock(&self.instead_for).get(&token) {
            return answer.clone();
        }
        if let Some(answer) = &*lock(&self.instead) {
            return answer.clone();
        }
        if lock(&self.authentication).as_ref().is_some_and(|check| !check(request)) {
            return Answer::error(401, "invalid_client");
        }
        let known = lock(&self.tokens).get(&token).cloned();
        Answer::json(known.as_deref().unwrap_or(r#"{"active":false}"#))
    }
}

/// Where the keys are, below the issuer.
const KEYS: &str = "/jwks";

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}
