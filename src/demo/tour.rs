//! The guided tour: every step of the story, really performed over HTTP and really checked.
//!
//! Rules:
//! 1. It knows the gateway's URL, two route names and a test user; all else it discovers as an MCP
//!    client does.
//! 2. Each step checks status, challenge and body; the first surprise ends the tour.
//! 3. It shows what it sends and gets in short form, and no secret in full.
//!
//! It starts nothing: it takes any gateway that has the demo's routes.

mod challenge;
mod exchange;
mod login;
mod mcp;
mod older_clients;
mod screen;
mod steps;

use std::io;

use serde_json::{Value, json};

pub(super) use self::exchange::http_client;
use self::exchange::{Answer, Call, read, send};
pub use self::screen::Screen;

/// Walks through the whole story against the gateway at this URL.
///
/// # Errors
///
/// The first step that did not go as it should; it has been shown on the screen already.
pub async fn tour(gateway: &str, user: TestUser, screen: Screen<'_>) -> Result<(), TourFailure> {
    let gateway = gateway.trim_end_matches('/').to_owned();
    let mut walk = Walk { gateway, http: http_client()?, screen, steps: 0, calls: 0 };
    let walked = steps::walk_through(&mut walk, user).await;
    if let Err(failure) = &walked {
        walk.screen.failure(&failure.to_string())?;
    }
    walked
}

/// Who logs in during the tour.
#[derive(Clone, Copy, Debug)]
pub struct TestUser {
    /// What is typed into the login form.
    pub name: &'static str,
    /// What is typed beside it.
    pub password: &'static str,
}

/// Why the tour ended early.
#[derive(Debug, thiserror::Error)]
pub enum TourFailure {
    /// A request could not be made or its answer not be read.
    #[error("no answer: {0}")]
    Http(#[from] reqwest::Error),
    /// The terminal is gone.
    #[error("the tour could not be written: {0}")]
    Output(#[from] io::Error),
    /// Nothing came in time.
    #[error("no answer came in time")]
    Silence,
    /// Something came that should not have, or the other way round.
    #[error("expected: {0}")]
    Unexpected(String),
}

/// The walker: where, how, and how far.
struct Walk<'a> {
    gateway: String,
    http: reqwest::Client,
    screen: Screen<'a>,
    steps: u32,
    calls: u32,
}

impl Walk<'_> {
    fn step(&mut self, title: &str) -> Result<(), TourFailure> {
        self.steps += 1;
        Ok(self.screen.heading(&format!("{}. {title}", self.steps))?)
    }

    /// Sends a request and shows both sides.
    async fn ask(&mut self, call: &Call) -> Result<Answer, TourFailure> {
        let answer = self.ask_unseen(call).await?;
        self.screen.exchange(call, &answer)?;
        Ok(answer)
    }

    /// The same in one line, once the like has been shown.
    async fn ask_briefly(&mut self, call: &Call) -> Result<Answer, TourFailure> {
        let answer = self.ask_unseen(call).await?;
        self.screen.brief_exchange(call, &answer)?;
        Ok(answer)
    }

    /// Sends a request; what to show of it is for the caller to decide.
    async fn ask_unseen(&self, call: &Call) -> Result<Answer, TourFailure> {
        read(send(&self.http, call).await?).await
    }

    /// An identifier that no earlier message of the tour had.
    fn next_id(&mut self) -> u32 {
        self.calls += 1;
        self.calls
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.gateway)
    }

    /// Where the route's protected resource metadata are published (RFC 9728 section 3.1).
    fn resource_metadata(&self, route: &str) -> String {
        self.url(&format!("/.well-known/oauth-protected-resource/{route}"))
    }

    /// The answer of a refusal: status, challenge and body, all of it as it must be.
    fn check_refusal(
        &self,
        answer: &Answer,
        id: u32,
        refusal: &Refusal,
    ) -> Result<(), TourFailure> {
        let status = if refusal.error == Some("insufficient_scope") { 403 } else { 401 };
        check(answer.status == status, format!("status {status}"))?;
        self.check_challenge(answer, refusal)?;
        let body = answer.json();
        let message = if status == 403 { "insufficient_scope" } else { "Unauthorized" };
        let scopes: Vec<&str> = refusal.scope.split(' ').collect();
        for (pointer, value) in [
            ("/jsonrpc", json!("2.0")),
            ("/id", json!(id)),
            ("/error/code", json!(-32001)),
            ("/error/message", json!(message)),
            ("/error/data/required_scopes", json!(scopes)),
            ("/error/data/resource_metadata", json!(self.resource_metadata(refusal.route))),
        ] {
            let is_right = body.pointer(pointer) == Some(&value);
            check(is_right, format!("{pointer} of the body to be {value}"))?;
        }
        let error = body.pointer("/error/data/error").and_then(Value::as_str);
        check(error == refusal.error, format!("error {:?} in the body", refusal.error))?;
        check(body.get("result").is_none(), "no result in a refusal")
    }

    fn check_challenge(&self, answer: &Answer, refusal: &Refusal) -> Result<(), TourFailure> {
        let header = answer.header("www-authenticate").unwrap_or_default();
        let expected = "one Bearer challenge";
        let parameters = challenge::parameters(header).ok_or_else(|| unexpected(expected))?;
        let metadata = self.resource_metadata(refusal.route);
        let mut wanted = vec![("realm", refusal.route), ("resource_metadata", metadata.as_str())];
        wanted.extend(refusal.error.map(|error| ("error", error)));
        // Its text is for people; that there is one is enough.
        let described = parameters.iter().find(|(name, _)| name == "error_description");
        if let (Some(_), Some((_, text))) = (refusal.error, described)
            && !text.is_empty()
        {
            wanted.push(("error_description", text));
        } else if refusal.error.is_some() {
            return Err(unexpected("an error_description in the challenge"));
        }
        wanted.push(("scope", refusal.scope));
        let is_right = parameters.iter().map(|(n, v)| (n.as_str(), v.as_str())).eq(wanted.clone());
        check(is_right, format!("the challenge to hold {wanted:?}"))
    }
}

/// What a refusal must say.
struct Refusal {
    route: &'static str,
    /// `None`: no credentials came, so there is nothing wrong with them.
    error: Option<&'static str>,
    scope: &'static str,
}

fn check(is_right: bool, expected: impl Into<String>) -> Result<(), TourFailure> {
    if is_right { Ok(()) } else { Err(unexpected(expected)) }
}

fn unexpected(expected: impl Into<String>) -> TourFailure {
    TourFailure::Unexpected(expected.into())
}
