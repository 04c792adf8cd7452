//! Where work that belongs to no request runs.

use std::future::Future;

use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A runtime apart from those that serve requests, with the tracker of its tasks.
#[derive(Clone, Debug)]
pub struct Background {
    handle: Handle,
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

impl Background {
    /// Tasks run on `handle`, are counted by `tracker` and end when `shutdown` is cancelled.
    pub fn new(handle: Handle, tracker: TaskTracker, shutdown: CancellationToken) -> Self {
        Self { handle, tracker, shutdown }
    }

    /// Runs a task until it ends or the gateway shuts down.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let shutdown = self.shutdown.clone();
        let task = async move {
            tokio::select! {
                () = task => {}
                () = shutdown.cancelled() => {}
            }
        };
        drop(self.tracker.spawn_on(task, &self.handle));
    }
}
