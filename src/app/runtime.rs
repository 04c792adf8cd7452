//! The runtimes of workers and of what belongs to no request.

use std::{io, thread};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::mpsc,
};

/// Runs what belongs to no request on a thread of its own until `work` ends.
pub(super) fn run_background(
    runtime: OwnRuntime,
    here: mpsc::Sender<()>,
    work: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let background = thread::Builder::new().name("background".to_owned());
    background.spawn(move || {
        runtime.block_on(work);
        drop(runtime);
        drop(here);
    })?;
    Ok(())
}

/// A runtime that may be dropped anywhere, also where a start fails within another runtime.
pub(super) struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    pub(super) fn new() -> io::Result<Self> {
        let mut builder = Builder::new_current_thread();
        // Looking for events more often than that, while there is work, costs 3 to 8 % of the CPU
        // of a request; an idle runtime looks at once.
        builder.event_interval(TASKS_BETWEEN_LOOKS).global_queue_interval(TASKS_BETWEEN_LOOKS);
        builder.enable_io().enable_time().build().map(|own| Self(Some(own)))
    }

    pub(super) fn handle(&self) -> io::Result<&Handle> {
        self.0.as_ref().map(Runtime::handle).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn block_on(&self, work: impl Future<Output = ()>) {
        if let Some(runtime) = &self.0 {
            runtime.block_on(work);
        }
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Tasks run before sockets, timers and other threads are looked at; about a millisecond's work.
const TASKS_BETWEEN_LOOKS: u32 = 251;
