//! The gateway from the outside: a real one between a stub authorization server and a stub
//! upstream, one file per subject.

#[expect(dead_code, reason = "the other binary of tests uses the rest")]
mod harness;

mod demo_tour;
mod documents;
mod forwarding;
mod introspection;
mod key_sets;
mod operators;
mod refusals;
mod tokens;
