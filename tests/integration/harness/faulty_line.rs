//! A line that does not do what lines should: a TCP proxy on loopback with faults.
//!
//! Bytes towards the server always pass; what comes back is delayed, broken into pieces, cut or
//! withheld, by the fault that is set when it comes.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What goes wrong on the way back.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Pieces of so many bytes, and so long before each.
    Slow(usize, Duration),
    /// A reset after so many bytes of the connection.
    Cut(usize),
    /// Nothing comes, and nobody says so.
    Partition,
}

/// A line to one server, until it is dropped.
pub(crate) struct FaultyLine {
    address: SocketAddr,
    fault: Arc<Mutex<Fault>>,
    stop: CancellationToken,
}

impl FaultyLine {
    /// A line without fault to this `host:port`.
    pub(crate) async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let fault = Arc::new(Mutex::new(Fault::None));
        let line = Self { address, fault: Arc::clone(&fault), stop: stop.clone() };
        let (server, tasks) = (server.to_owned(), TaskTracker::new());
        drop(tasks.clone().spawn(stop.clone().run_until_cancelled_owned(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, fault) = (server.clone(), Arc::clone(&fault));
                let relay = async move { drop(relay(client, &server, &fault).await) };
                drop(tasks.spawn(stop.clone().run_until_cancelled_owned(relay)));
            }
        })));
        line
    }

    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// The fault of what comes back from now on.
    pub(crate) fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }
}

impl Drop for FaultyLine {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn relay(client: TcpStream, server: &str, fault: &Mutex<Fault>) -> std::io::Result<()> {
    let server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let ((mut from_client, to_client), (from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let there = tokio::io::copy(&mut from_client, &mut to_server);
    tokio::select! {
        copied = there => drop(copied?),
        returned = back(from_server, to_client, fault) => returned?,
    }
    Ok(())
}

async fn back(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    fault: &Mutex<Fault>,
) -> std::io::Result<()> {
    let (mut buffer, mut passed) = ([0; 4096], 0);
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        let (bytes, fault) = (&buffer[..length], *fault.lock().unwrap());
        match fault {
            Fault::None => to.write_all(bytes).await?,
            Fault::Slow(size, pause) => {
                for piece in bytes.chunks(size) {
                    tokio::time::sleep(pause).await;
                    to.write_all(piece).await?;
                }
            }
            Fault::Cut(limit) => {
                let left = limit.saturating_sub(passed);
                to.write_all(&bytes[..left.min(length)]).await?;
                if left <= length {
                    // Both halves go away at once, and what is unread makes it a reset.
                    return Ok(());
                }
            }
            Fault::Partition => {}
        }
        passed += length;
    }
}
