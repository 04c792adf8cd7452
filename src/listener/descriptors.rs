//! How many connections the process has descriptors for.
//!
//! 1. The limit of open files is raised to what the process may have, at start.
//! 2. A client's connection may need a second one upstream, and some are the gateway's own: what
//!    `max_connections` asks for beyond that is turned away, so that descriptors never run out for
//!    the operators' listener, upstreams and authorization servers. It is said at start.
//!
//! The streams of an HTTP/2 connection may need more than one upstream; what cannot be opened then
//! is answered 502, and accepting waits.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{info, warn};

use super::balance::INBOX;

/// How the process divides its descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// Connections of clients that are served at once.
    pub connections: usize,
    /// Further connections that are told that there are too many, for each worker.
    pub turned_away: usize,
}

impl Descriptors {
    /// Raises the limit of open files as far as it may be, and divides it; warns when
    /// `max_connections` does not fit.
    pub fn claim(max_connections: usize, workers: usize) -> Self {
        let limit = raise();
        let divided = Self::divide(limit, workers);
        if divided.connections < max_connections {
            let needed =
                max_connections.saturating_mul(2) + OWN + (MAX_TURNED_AWAY + INBOX) * workers;
            warn!(
                open_files = limit,
                max_connections,
                served = divided.connections,
                "listen.limits.max_connections is more than the limit of open files has room for; \
                 raise that (ulimit -n, LimitNOFILE=) to {needed}, or lower it"
            );
        }
        divided
    }

    fn divide(limit: usize, workers: usize) -> Self {
        let workers = workers.max(1);
        let turned_away = (limit / 8 / workers).clamp(1, MAX_TURNED_AWAY);
        let handed_over = workers.saturating_mul(INBOX).min(limit / 8);
        let reserved = OWN + turned_away.saturating_mul(workers) + handed_over;
        let left = limit.saturating_sub(reserved);
        // One is always served, lest a limit nobody meant lock everybody out.
        Self { connections: (left / 2).max(1), turned_away }
    }
}

/// The limit of open files, as high as it may be.
fn raise() -> usize {
    let found = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: found.maximum, maximum: found.maximum };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => found.maximum,
        Err(error) => {
            info!(error = %error, "the limit of open files stays as it was");
            found.current
        }
    };
    // None is no limit.
    current.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

/// Listeners, runtimes, files, authorization servers and operators.
const OWN: usize = 128;

/// Connections of one worker beyond the limit that are answered at once.
const MAX_TURNED_AWAY: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_never_promised_twice() {
        for (limit, workers, connections, turned_away) in [
            (0, 1, 1, 1),
            (64, 2, 1, 4),
            (256, 1, 40, 32),
            (1024, 2, 368, 64),
            (1024, 64, 320, 2),
            (20_768, 2, 10_048, 256),
            (usize::MAX, 64, (usize::MAX - 128 - 64 * 272) / 2, 256),
        ] {
            let divided = Descriptors::divide(limit, workers);
            assert_eq!(divided, Descriptors { connections, turned_away }, "{limit} {workers}");
        }
    }

    #[test]
    fn limit_is_raised_to_what_may_be() {
        let hard = getrlimit(Resource::Nofile).maximum;
        let limit = raise();
        assert_eq!(getrlimit(Resource::Nofile).current, hard);
        assert_eq!(limit as u64, hard.unwrap_or(u64::MAX));
    }
}
