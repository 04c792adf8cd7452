//! Bounded waiting, in place of sleeping.

use std::{future::Future, time::Duration};

/// Waits for something to hold, looking again and again; panics with what was last seen.
pub(crate) async fn eventually<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    eventually_heard(what, async || look()).await
}

/// As [`eventually`], where looking means asking somebody.
pub(crate) async fn eventually_heard<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        match look().await {
            Ok(found) => return found,
            Err(seen) => last = seen,
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("{what}: still {last} after {ATTEMPTS} looks");
}

/// Waits for a peer, with a bound.
#[track_caller]
pub(crate) fn within<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    let place = std::panic::Location::caller();
    async move {
        let in_time = tokio::time::timeout(BOUND, future).await;
        in_time.unwrap_or_else(|_| panic!("{place}: {what} took more than {BOUND:?}"))
    }
}

/// The bound of every wait on a peer.
pub(crate) const BOUND: Duration = Duration::from_secs(20);
const ATTEMPTS: u32 = 2000;
const PAUSE: Duration = Duration::from_millis(5);
