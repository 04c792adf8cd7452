//! Noticing that a client has left while nobody reads from its connection.
//!
//! 1. Where the reader is waiting on the socket, the socket wakes it and nothing here runs.
//! 2. Where it is not (a request body nobody takes), the operating system is
//!    asked every half second.
//! 3. A client that closed its sending side counts as gone: a response to it would most often go
//!    nowhere, and HTTP gives no other sign.
//!
//! It cannot see an end that has not arrived: one behind more unread bytes than the operating
//! system takes in stays with the client's until somebody reads.

use std::{io, pin::Pin, task::Context, time::Duration};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::listener::transport::Transport;

/// The half-second look at a connection that is not being read.
#[derive(Debug, Default)]
pub(super) struct Departure {
    /// Made when first needed: most connections are read all the time.
    tick: Option<Pin<Box<Sleep>>>,
    is_armed: bool,
}

impl Departure {
    /// Sees to it that the task wakes for the next look, and looks when it is time.
    pub(super) fn watch<S: Transport>(
        &mut self,
        stream: &S,
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        loop {
            let tick = self.tick.get_or_insert_with(|| Box::pin(sleep_until(Instant::now())));
            if !self.is_armed {
                tick.as_mut().reset(Instant::now() + LOOK_EVERY);
                self.is_armed = true;
            }
            if tick.as_mut().poll(cx).is_pending() {
                return Ok(());
            }
            self.is_armed = false;
            if stream.is_read_closed() {
                return Err(io::Error::new(io::ErrorKind::ConnectionReset, "the client has left"));
            }
        }
    }
}

/// Twice in the second within which a departure must be noticed.
const LOOK_EVERY: Duration = Duration::from_millis(500);
