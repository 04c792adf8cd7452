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
pub(super) fn contained<T>(
    mut work: Pin<&mut impl Future<Output = Result<T, Rejection>>>,
    panics: &IntCounter,
) -> impl Future<Output = Result<T, Rejection>> {
    poll_fn(move |cx| {
        // What panicked is never polled again, and what it borrowed is looked at no more than to
        // say how it ended. The result is put aside: it is large, and mostly there is none yet.
        let mut done = None;
        let polled = catch_unwind(AssertUnwindSafe(|| {
            if let Poll::Ready(result) = work.as_mut().poll(cx) {
                done = Some(result);
            }
        }));
        if polled.is_err() {
            panics.inc();
            done = Some(Err(Rejection::Internal));
        }
        done.map_or(Poll::Pending, Poll::Ready)
    })
}
