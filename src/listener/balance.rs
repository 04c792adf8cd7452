//! Evening out connections between workers.
//!
//! `SO_REUSEPORT` alone is uneven with few connections: the kernel picks by hash. A worker that
//! has more connections than the idlest one hands the socket over.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::mpsc::{Receiver, Sender, channel};

/// A connection on its way to another worker.
pub(super) type Handed = (std::net::TcpStream, SocketAddr);

/// One worker's view of all workers.
#[derive(Clone, Debug)]
pub struct Balance {
    index: usize,
    workers: Arc<[Member]>,
}

#[derive(Debug)]
struct Member {
    connections: AtomicUsize,
    inbox: Sender<Handed>,
}

/// A connection counted for one worker.
#[derive(Debug)]
pub(super) struct Counted {
    workers: Arc<[Member]>,
    index: usize,
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(member) = self.workers.get(self.index) {
            member.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Balance {
    /// Views for `workers` workers, each with its inbox.
    pub fn new(workers: usize) -> Vec<(Self, Receiver<Handed>)> {
        let (members, inboxes): (Vec<_>, Vec<_>) = (0..workers)
            .map(|_| {
                let (inbox, received) = channel(INBOX);
                (Member { connections: AtomicUsize::new(0), inbox }, received)
            })
            .unzip();
        let workers: Arc<[Member]> = members.into();
        let view = |(index, inbox)| (Self { index, workers: Arc::clone(&workers) }, inbox);
        inboxes.into_iter().enumerate().map(view).collect()
    }

    /// Counts a connection for this worker; `None` when the process has too many.
    pub(super) fn count(&self, max_connections: usize) -> Option<Counted> {
        let load = |member: &Member| member.connections.load(Ordering::Relaxed);
        if self.workers.iter().map(load).sum::<usize>() >= max_connections {
            return None;
        }
        self.workers.get(self.index)?.connections.fetch_add(1, Ordering::Relaxed);
        Some(Counted { workers: Arc::clone(&self.workers), index: self.index })
    }

    /// Hands a connection to an idler worker; gives it back when this one is idle enough.
    pub(super) fn hand_over(
        &self,
        stream: tokio::net::TcpStream,
        peer: SocketAddr,
    ) -> Option<(tokio::net::TcpStream, SocketAddr)> {
        let load = |member: &Member| member.connections.load(Ordering::Relaxed);
        let own = self.workers.get(self.index).map_or(0, load);
        let idlest = self.workers.iter().min_by_key(|member| load(member));
        let Some(idlest) = idlest.filter(|member| load(member) < own) else {
            return Some((stream, peer));
        };
        let Ok(permit) = idlest.inbox.try_reserve() else { return Some((stream, peer)) };
        // Leaves this worker's reactor; what fails to leave is closed, as a lost connection would.
        if let Ok(stream) = stream.into_std() {
            permit.send((stream, peer));
        }
        None
    }
}

/// Those who wait here are not counted yet, so they are few.
pub(super) const INBOX: usize = 16;
