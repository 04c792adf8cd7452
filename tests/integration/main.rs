//! The gateway from the outside: a real one between a stub authorization server and a stub
//! upstream, one file per subject.

#[expect(dead_code, reason = "the other binary of tests uses the rest")]
mod harness;

mod check_online;
mod client_authentication;
mod demo_tour;
mod documents;
mod explain;
mod forwarding;
mod introspection;
mod key_sets;
mod lists;
mod operators;
mod rate_limits;
mod refusals;
mod reload;
mod rules;
mod service_accounts;
mod stream_ends;
mod suggest;
mod tls;
mod tokens;
mod traces;
