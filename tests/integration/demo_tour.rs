//! The tour must not believe a gateway that does not do its work.
//!
//! Stand-ins play bad gateways in front of the demo's real servers; the tour has to fail, and at
//! the step where the flaw shows. Against the product it has to succeed.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use gatehouse::{
    app::App,
    clock::SystemClock,
    config::{self, ProcessEnvironment},
    demo::{self, DemoOptions, Parties, Ports, Screen, TEST_USER, TourFailure, tour},
};
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{body::Incoming, client, server, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

type Body = BoxBody<Bytes, hyper::Error>;

/// What is wrong with the stand-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    /// It challenges who comes without a token, and lets every token through.
    BelievesEveryToken,
    /// It publishes its documents and challenges well, and refuses every token.
    BelievesNoToken,
    /// It protects nothing, though it publishes its documents.
    LetsEverythingThrough,
    /// It refuses whatever comes, with a perfect challenge.
    RefusesEverything,
}

struct StandIn {
    flaw: Flaw,
    address: SocketAddr,
    issuer: String,
    mcp_server: SocketAddr,
    tracker: TaskTracker,
}

/// Runs the tour against a stand-in; returns its failure and the last heading on the screen.
async fn tour_against(flaw: Flaw) -> (TourFailure, String) {
    let parties = Parties::start(Ports::default(), Arc::new(SystemClock)).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stand_in = Arc::new(StandIn {
        flaw,
        address,
        issuer: parties.issuer().to_owned(),
        mcp_server: parties.mcp_server(),
        tracker: TaskTracker::new(),
    });
    let serving = serve(listener, Arc::clone(&stand_in));
    let mut screen = Vec::new();
    let url = format!("http://{address}");
    let touring = tour(&url, TEST_USER, Screen::new(&mut screen, false));
    let failure = tokio::select! {
        ended = touring => ended.expect_err("the tour believed a bad gateway"),
        () = serving => unreachable!("the stand-in serves until it is dropped"),
    };
    parties.stop().await;
    let screen = String::from_utf8(screen).unwrap();
    assert!(screen.contains("FAILED"), "{screen}");
    let is_heading = |line: &&str| line.starts_with(|first: char| first.is_ascii_digit());
    let heading = screen.lines().rfind(is_heading).unwrap_or_default().to_owned();
    (failure, heading)
}

async fn serve(listener: TcpListener, stand_in: Arc<StandIn>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let this = Arc::clone(&stand_in);
        stand_in.tracker.spawn(async move {
            let respond = service_fn(|request| {
                let this = Arc::clone(&this);
                async move { Ok::<_, Infallible>(this.respond(request).await) }
            });
            let connection = server::conn::http1::Builder::new();
            let _ended = connection.serve_connection(TokioIo::new(stream), respond).await;
        });
    }
}

impl StandIn {
    async fn respond(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let document = path.strip_prefix("/.well-known/oauth-protected-resource/");
        if let Some(route) = document
            && self.flaw != Flaw::RefusesEverything
        {
            return answer(StatusCode::OK, &self.metadata(route));
        }
        let has_token = request.headers().contains_key(header::AUTHORIZATION);
        let error = has_token.then_some("invalid_token");
        match self.flaw {
            Flaw::RefusesEverything | Flaw::BelievesNoToken => self.refuse(request, error).await,
            Flaw::BelievesEveryToken if !has_token => self.refuse(request, error).await,
            Flaw::BelievesEveryToken | Flaw::LetsEverythingThrough => self.forward(request).await,
        }
    }

    fn metadata(&self, route: &str) -> serde_json::Value {
        json!({
            "resource": format!("http://{}/{route}", self.address),
            "authorization_servers": [self.issuer],
            "scopes_supported": ["notes.read"],
        })
    }

    async fn refuse(&self, request: Request<Incoming>, error: Option<&str>) -> Response<Body> {
        // Everything but the other route is taken for `notes`.
        let is_other = request.uri().path() == "/notes-sse";
        let route = if is_other { "notes-sse" } else { "notes" };
        let bytes = request.into_body().collect().await.unwrap().to_bytes();
        let id = serde_json::from_slice::<serde_json::Value>(&bytes).map(|body| body["id"].clone());
        let metadata =
            format!("http://{}/.well-known/oauth-protected-resource/{route}", self.address);
        let mut details = json!({
            "required_scopes": ["notes.read"],
            "resource_metadata": metadata,
            "request_id": "1",
        });
        let middle = error.map_or(String::new(), |error| {
            details["error"] = json!(error);
            format!("error=\"{error}\", error_description=\"no\", ")
        });
        let error = json!({"code": -32001, "message": "Unauthorized", "data": details});
        let body = json!({"jsonrpc": "2.0", "id": id.unwrap_or_default(), "error": error});
        let mut response = answer(StatusCode::UNAUTHORIZED, &body);
        let challenge = format!(
            "Bearer realm=\"{route}\", resource_metadata=\"{metadata}\", {middle}scope=\"notes.read\""
        );
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge.parse().unwrap());
        response
    }

    async fn forward(&self, mut request: Request<Incoming>) -> Response<Body> {
        let target = match request.uri().path().strip_prefix("/notes-sse") {
            None => "/mcp".to_owned(),
            Some("") => "/sse".to_owned(),
            Some(session) => format!("/message?sessionId={}", &session[1..]),
        };
        *request.uri_mut() = target.parse::<Uri>().unwrap();
        let host = self.mcp_server.to_string().parse().unwrap();
        request.headers_mut().insert(header::HOST, host);
        let stream = TcpStream::connect(self.mcp_server).await.unwrap();
        let (mut sender, connection) =
            client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        self.tracker.spawn(async move {
            let _ended = connection.await;
        });
        sender.send_request(request).await.unwrap().map(|body| {
            body.map_frame(|frame| {
                frame.map_data(|bytes| {
                    let text = String::from_utf8(bytes.to_vec()).unwrap();
                    Bytes::from(text.replace("/message?sessionId=", "/notes-sse/"))
                })
            })
            .boxed()
        })
    }
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let body = Full::from(body.to_string()).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

#[tokio::test]
async fn a_gateway_that_lets_everything_through_fails_at_the_first_step() {
    let (failure, heading) = tour_against(Flaw::LetsEverythingThrough).await;
    assert!(heading.starts_with("1. "), "{heading}: {failure}");
    assert!(failure.to_string().contains("status 401"), "{failure}");
}

#[tokio::test]
async fn a_gateway_that_refuses_everything_fails_at_the_metadata() {
    let (failure, heading) = tour_against(Flaw::RefusesEverything).await;
    assert!(heading.starts_with("2. "), "{heading}: {failure}");
    assert!(failure.to_string().contains("status 200"), "{failure}");
}

#[tokio::test]
async fn a_gateway_that_refuses_every_token_fails_at_the_allowed_call() {
    let (failure, heading) = tour_against(Flaw::BelievesNoToken).await;
    assert!(heading.contains("goes through"), "{heading}: {failure}");
    assert!(failure.to_string().contains("status 200"), "{failure}");
}

#[tokio::test]
async fn a_gateway_that_believes_every_token_fails_where_more_scope_is_needed() {
    let (failure, heading) = tour_against(Flaw::BelievesEveryToken).await;
    assert!(heading.contains("needs more scope"), "{heading}: {failure}");
    assert!(failure.to_string().contains("status 403"), "{failure}");
}

/// Runs the tour against the product, with a change to its configuration.
async fn tour_with_configuration(change: impl Fn(String) -> String) -> Result<String, String> {
    let parties = Parties::start(Ports::default(), Arc::new(SystemClock)).await.unwrap();
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let text = change(parties.configuration(address));
    let loaded = config::parse("demo.yaml", &text, &ProcessEnvironment).unwrap();
    let app = App::start_with_workers(loaded.settings, Arc::new(SystemClock), 1).unwrap();
    let mut screen = Vec::new();
    let url = format!("http://{}", app.listen_address());
    let toured = tour(&url, TEST_USER, Screen::new(&mut screen, false)).await;
    app.shutdown().await;
    parties.stop().await;
    let screen = String::from_utf8(screen).unwrap();
    let is_heading = |line: &&str| line.starts_with(|first: char| first.is_ascii_digit());
    let heading = screen.lines().rfind(is_heading).unwrap_or_default();
    toured.map(|()| screen.clone()).map_err(|failure| format!("{heading}: {failure}"))
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} in {text}");
    text.replacen(from, to, 1)
}

#[tokio::test]
async fn the_demo_ends_well_and_shows_no_token() {
    let mut screen = Vec::new();
    let options = DemoOptions { once: true, has_colour: false };
    demo::run(options, &mut screen).await.unwrap();
    let screen = String::from_utf8(screen).unwrap();
    assert_eq!(screen.matches("   ok: ").count(), 12, "{screen}");
    assert!(!screen.contains("FAILED") && !screen.contains('\x1b'), "{screen}");
    assert!(screen.contains("NOT FOR PRODUCTION"), "{screen}");
    for line in screen.lines().filter(|line| line.contains("Authorization: Bearer ")) {
        assert!(line.ends_with('…'), "{line}");
    }
}

#[tokio::test]
async fn the_tour_succeeds_against_the_product() {
    let screen = tour_with_configuration(|text| text).await.unwrap();
    assert!(screen.contains("insufficient_scope"), "{screen}");
}

#[tokio::test]
async fn a_gateway_that_ignores_the_audience_fails_at_the_foreign_token() {
    let change = |text: String| {
        replaced(&text, "path: /notes\n", "path: /notes\n    audience_match: \"off\"\n")
    };
    let failure = tour_with_configuration(change).await.unwrap_err();
    assert!(failure.contains("does not open /notes"), "{failure}");
}

#[tokio::test]
async fn a_gateway_that_asks_for_less_scope_fails_where_more_is_needed() {
    let change = |text: String| replaced(&text, "[notes.write]", "[notes.read]");
    let failure = tour_with_configuration(change).await.unwrap_err();
    assert!(failure.contains("needs more scope"), "{failure}");
}

#[tokio::test]
async fn a_gateway_whose_rule_is_missing_fails_where_more_is_needed() {
    let change = |text: String| {
        replaced(&text, "    tools:\n      delete_note: [notes.write]  # besides\n", "")
    };
    let failure = tour_with_configuration(change).await.unwrap_err();
    assert!(failure.contains("needs more scope"), "{failure}");
    assert!(failure.contains("status 403"), "{failure}");
}

#[tokio::test]
async fn a_gateway_that_demands_the_wider_scope_of_everything_fails_at_the_challenge() {
    let change = |text: String| {
        replaced(
            &text,
            "required_scopes: [notes.read]",
            "required_scopes: [notes.read, notes.write]",
        )
    };
    let failure = tour_with_configuration(change).await.unwrap_err();
    assert!(failure.starts_with("1. "), "{failure}");
}

#[tokio::test]
async fn a_gateway_that_hides_what_a_wider_scope_would_open_fails() {
    let change = |text: String| {
        replaced(&text, "[notes.write]", "{required_scopes: [notes.write], when_denied: hide}")
    };
    let failure = tour_with_configuration(change).await.unwrap_err();
    let is_seen = failure.contains("sees every tool") || failure.contains("needs more scope");
    assert!(is_seen, "{failure}");
}

#[tokio::test]
async fn a_gateway_that_never_asks_again_fails_at_the_revoked_token() {
    let change = |text: String| replaced(&text, "{ttl: 1s,", "{ttl: 1h,");
    let failure = tour_with_configuration(change).await.unwrap_err();
    assert!(failure.contains("A revoked token is refused"), "{failure}");
}
