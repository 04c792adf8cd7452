//! HTTP/1 as both ends of the gateway speak it: what a listener and a pool of connections share.
//!
//! 1. Bodies are framed by [`body`] on their way in and by [`encode`] on their way out.
//! 2. The body of a request comes to its reader by [`incoming`].
//! 3. What is to be sent waits in an [`outbox`], so that a head and a short body leave as one.
//! 4. [`fields`] turns well-formed field lines into a header map, and a header map into lines.
//!
//! Heads are judged where they arrive: a request strictly (`listener`), a response as servers are
//! used to write them (`forward`).

pub mod body;
pub mod encode;
pub mod fields;
pub mod incoming;
pub mod outbox;
pub mod syntax;
