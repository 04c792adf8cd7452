//! `gatehouse demo`: the whole story in one process.
//!
//! The story goes to standard output, warnings of the servers to standard error.

use std::io::{self, IsTerminal, Write};

use tokio::runtime::Builder;
use tracing::Level;

use super::{DONE, FAILED};
use crate::{
    demo::{self, DemoFailure, DemoOptions},
    logging::{self, LogFormat},
};

/// Runs the demo; returns the exit status.
pub fn demo(once: bool) -> u8 {
    let errors = io::stderr();
    let has_colour = errors.is_terminal();
    logging::start(LogFormat::Pretty, Level::WARN, errors, has_colour);
    let mut out = io::stdout();
    let options = DemoOptions { once, has_colour: out.is_terminal() };
    let ended = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DemoFailure::from)
        .and_then(|runtime| runtime.block_on(demo::run(options, &mut out)));
    match ended {
        Ok(()) => DONE,
        Err(failure) => {
            // Nowhere is left to report a failure to report.
            let _ = writeln!(io::stderr(), "gatehouse: {failure}");
            FAILED
        }
    }
}
