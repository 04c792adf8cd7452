//! Gatehouse: an authenticating reverse proxy in front of unmodified MCP servers.
//!
//! An MCP server behind it needs no code for OAuth: Gatehouse publishes the protected resource
//! metadata (RFC 9728), asks the authorization server what a token is worth (RFC 7662), refuses
//! what it must with the exact challenge (RFC 6750, RFC 9728 section 5.1) and forwards the rest byte
//! for byte. [`authorize::rule_tests::load`] and [`app::App::start`] are the way in.
//!
//! # The flow of a request
//!
//! ```text
//!  socket -> listener -> Gateway::handle                        one look at the InForce, one Arc<Snapshot>
//!
//!  admit(head, finding)              -> Target       | Inadmissible -------------------------+
//!  Router::route(head, target)       -> Destination  | RouteError ---------------------------+
//!             a public document or a preflight is answered here; a resource goes on          |
//!  Authenticator::authenticate(..)   -> VerifiedToken, in a Caller | AuthenticateError ------+
//!  Upstream::open_session(..)        -> what a sealed reference stands for | UnknownSession -+
//!  RequestBody::read(body, limits)   -> RequestBody and a Glance at it | BodyError ----------+
//!  AccessPolicy::authorize(caller, operation) -> Permit | AuthorizeError --------------------+
//!  Upstream::forward(permit, ..)     -> Response     | ForwardError -------------------------+
//!                                       |                                                    |
//!                                       v                                                    v
//!                          streamed to the client          Rejection::into_response(challenge, id)
//! ```
//!
//! Each stage takes the proof that the stage before made: without a [`authorize::Caller`] there is
//! no [`authorize::Permit`], without a permit nothing is forwarded, and nothing else can construct
//! one. Stages know no HTTP statuses; [`rejection`] alone turns their errors into responses.
//!
//! # The map
//!
//! A module uses modules of lower rows only, and in the rows marked `>` only those to its right as
//! well. `tests/layering.rs` holds the code to it.
//!
//! ```text
//! 7  main  >  cli
//! 6  demo  >  app
//! 5  listener   admin   reload
//! 4  gateway
//! 3  rejection   snapshot
//! 2  router  >  resource  >  forward  >  authorize  >  authenticate  >  admission  >  limits
//! 1  traces  >  config  >  logging  >  metrics
//! 0  oauth   jsonrpc   clock   http1
//! ```
//!
//! | module | its job |
//! |---|---|
//! | `main` | the binary: a few lines over the library |
//! | [`cli`] | the commands, one file each, and their exit status |
//! | [`demo`] | the whole story in one process: authorization server, MCP server, gateway, tour |
//! | [`app`] | binds, serves and drains: the one door for the binary and for tests |
//! | [`listener`] | accepts connections; serves HTTP/1 strictly, and HTTP/2 by hyper |
//! | [`admin`] | liveness, readiness, metrics and the status page, on an address of their own |
//! | [`reload`] | watches the configuration; replaces the snapshot in force, or keeps it |
//! | [`gateway`] | the pipeline above; one log line and one count per request; its rehearsal for `explain` |
//! | [`rejection`] | the closed table from a stage's error to status, challenge and JSON-RPC body |
//! | [`snapshot`] | settings compiled into what a request needs; immutable |
//! | [`router`] | host, path, origin and method to a route, a public document or a preflight |
//! | [`resource`] | what the stages need of one route; the metadata documents, rendered once |
//! | [`forward`] | a permitted request goes upstream, the response streams back; seals sessions, filters lists |
//! | [`authorize`] | scopes: may this caller do this operation here? |
//! | [`authenticate`] | bearer token to verified token: assignment, discovery, introspection, JWTs, caches, verdict |
//! | [`admission`] | the strict check of a parsed head; what is ambiguous is refused |
//! | [`limits`] | what one peer may take of what all share: connections, requests, bytes, rates |
//! | [`traces`] | spans of sampled requests, and their way to an OpenTelemetry collector |
//! | [`config`] | YAML to settings that cannot be wrong; all problems at once, with their places |
//! | [`logging`] | where log lines go, and in which form; the audit stream |
//! | [`metrics`] | every series there is |
//! | [`oauth`] | the vocabulary of all stages: issuer, scope, identifiers, secrets |
//! | [`jsonrpc`] | a bounded glance at a request, and the errors we write |
//! | [`clock`] | where time comes from, so that tests can set it |
//! | [`http1`] | framing and fields of HTTP/1, for both ends of the gateway |
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice
    )
)]

pub mod admin;
pub mod admission;
pub mod app;
pub mod authenticate;
pub mod authorize;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod forward;
pub mod gateway;
pub mod http1;
pub mod jsonrpc;
pub mod limits;
pub mod listener;
pub mod logging;
pub mod metrics;
pub mod oauth;
pub mod rejection;
pub mod reload;
pub mod resource;
pub mod router;
pub mod snapshot;
pub mod traces;
