//! How many connections the process has descriptors for.
//!
//! 1. The limit of open files is raised to what the process may have, at start; where that is too
//!    little to start with, it is said before anything else fails for it.
//! 2. A client's connection may need a second one upstream, and some are the gateway's own: what
//!    `max_connections` asks for beyond that is turned away, so that descriptors never run out for
//!    the operators' listener, upstreams and authorization servers. It is said at start.
//!
//! The streams of an HTTP/2 connection may need more than one upstream; what cannot be opened then
//! is answered 502, and accepting waits.

use std::fs;

use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use thiserror::Error;
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

/// The process may not have as many files open as it takes to serve anybody.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "the limit of open files is {limit}, {taken} of them taken at start, and at least {least} are \
     needed: raise it (ulimit -n, LimitNOFILE=)"
)]
pub struct TooFewDescriptors {
    limit: usize,
    taken: usize,
    least: usize,
}

impl Descriptors {
    /// Raises the limit of open files as far as it may be.
    ///
    /// # Errors
    ///
    /// When that is too little to start with. What lacks a descriptor later may say something
    /// else: a folder of certificates that cannot be opened looks empty.
    pub fn suffice(workers: usize) -> Result<(), TooFewDescriptors> {
        let limit = raise();
        Self::at_least(limit, taken(limit), workers)
    }

    fn at_least(limit: usize, taken: usize, workers: usize) -> Result<(), TooFewDescriptors> {
        let own = LEAST.saturating_add(workers.saturating_mul(LEAST_PER_WORKER));
        let least = taken.saturating_add(own);
        if limit < least { Err(TooFewDescriptors { limit, taken, least }) } else { Ok(()) }
    }

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

/// How many there are already; whoever starts the process may leave it some.
fn taken(limit: usize) -> usize {
    match fs::read_dir("/proc/self/fd") {
        // The folder itself among them.
        Ok(open) => open.count().saturating_sub(1),
        Err(error) if error.raw_os_error() == Some(Errno::MFILE.raw_os_error()) => limit,
        Err(_) => STANDARD,
    }
}

/// Input, output and errors.
const STANDARD: usize = 3;

/// Listeners, runtimes, files, authorization servers and operators.
const OWN: usize = 128;

/// What a start takes: with two workers about 25, these and theirs.
const LEAST: usize = 24;

/// A listener, what a runtime waits with, and a connection.
const LEAST_PER_WORKER: usize = 8;

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
    fn too_few_are_said_with_how_many_it_takes() {
        assert_eq!(Descriptors::at_least(43, 3, 2), Ok(()));
        assert_eq!(Descriptors::at_least(usize::MAX, 3, usize::MAX), Ok(()));
        let told = Descriptors::at_least(60, 21, 2).unwrap_err().to_string();
        assert_eq!(
            told,
            "the limit of open files is 60, 21 of them taken at start, and at least 61 are needed: \
             raise it (ulimit -n, LimitNOFILE=)"
        );
    }

    #[test]
    fn those_taken_are_counted() {
        let before = taken(0);
        assert!(before >= STANDARD);
        let _held: Vec<_> = (0..100).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        // Other tests of the process open and close some at the same time.
        assert!(taken(0) >= 100);
    }

    #[test]
    fn limit_is_raised_to_what_may_be() {
        let hard = getrlimit(Resource::Nofile).maximum;
        let limit = raise();
        assert_eq!(getrlimit(Resource::Nofile).current, hard);
        assert_eq!(limit as u64, hard.unwrap_or(u64::MAX));
    }
}
