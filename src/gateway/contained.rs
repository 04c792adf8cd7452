//! A panic while a request is served ends that request and nothing else.
//!
//! 1. It is answered 500 and counted; the place is in the log, by the hook of `gatehouse serve`.
//! 2. What the request had taken is given back as it is dropped. Locks that are shared hold numbers
//!    and maps that are whole at every moment, or are refused once poisoned.
//!
//! The goal is that none ever happens: nothing here may panic on purpose.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Poll,
};

use prometheus::IntCounter;

use crate::rejection::Rejection;

/// Does the work of one request; where it panics it is over and rejected.
pub(super) async fn contained<T>(
    mut work: Pin<&mut impl Future<Output = Result<T, Rejection>>>,
    panics: &IntCounter,
) -> Result<T, Rejection> {
    poll_fn(|cx| {
        // What panicked is never polled again, and what it borrowed is looked at no more than to
        // say how it ended.
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))).unwrap_or_else(|_| {
            panics.inc();
            Poll::Ready(Err(Rejection::Internal))
        })
    })
    .await
}
