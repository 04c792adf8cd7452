//! `gatehouse healthcheck`: is the gateway of this configuration ready? For containers without a
//! shell.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use super::{DONE, FAILED};
use crate::config::Settings;

/// Asks `/readyz`; returns the exit status.
pub fn healthcheck(settings: &Settings, err: &mut dyn Write) -> u8 {
    let why = match ask(reachable(settings.admin.address)) {
        Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => return DONE,
        Ok(answer) => {
            let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            format!("not ready: {}", body.trim().replace('\n', "; "))
        }
        Err(error) => format!("cannot ask {}: {error}", settings.admin.address),
    };
    // Nowhere is left to report a failure to report.
    let _ = writeln!(err, "gatehouse: {why}");
    FAILED
}

/// An address bound to all interfaces is asked on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER_BYTES).read_to_string(&mut answer)?;
    Ok(answer)
}

const MAX_ANSWER_BYTES: u64 = 64 * 1024;
const TIMEOUT: Duration = Duration::from_secs(3);
