use std::time::Duration;

use tokio::io::{AsyncWriteExt, duplex};

use super::*;

async fn opened(bytes: &'static [u8]) -> io::Result<(Protocol, Vec<u8>)> {
    let (mut client, server) = duplex(64);
    client.write_all(bytes).await?;
    let opening = read_preface(server, Instant::now() + Duration::from_millis(50)).await?;
    let protocol = opening.protocol;
    drop(client);
    let mut replayed = Vec::new();
    Replay::new(opening).read_to_end(&mut replayed).await?;
    Ok((protocol, replayed))
}

#[tokio::test]
async fn the_preface_tells_the_protocol_and_nothing_is_lost() {
    for (bytes, protocol) in [
        (&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0"[..], Protocol::Http2),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Protocol::Http2),
        (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", Protocol::Http1),
        (b"POST / HTTP/1.1\r\n", Protocol::Http1),
        (b"\r\n", Protocol::Http1),
    ] {
        assert_eq!(opened(bytes).await.expect("a protocol"), (protocol, bytes.to_vec()));
    }
}

#[tokio::test]
async fn e01_silence_and_a_partial_preface_time_out() {
    for bytes in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n"] {
        let error = opened(bytes).await.expect_err("no protocol");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}

#[tokio::test]
async fn e01_the_preface_deadline_is_not_moved_by_a_drip() {
    let (mut client, server) = duplex(64);
    let drip = async {
        for byte in HTTP_2_PREFACE {
            client.write_u8(*byte).await.expect("room");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let opening = read_preface(server, Instant::now() + Duration::from_millis(100));
    tokio::select! {
        () = drip => panic!("the deadline was moved"),
        opening = opening => {
            assert_eq!(opening.expect_err("no protocol").kind(), io::ErrorKind::TimedOut);
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_first_is_told_apart() {
    let (client, server) = duplex(64);
    drop(client);
    let opening = read_preface(server, Instant::now() + Duration::from_secs(5)).await;
    assert_eq!(opening.expect_err("no protocol").kind(), io::ErrorKind::UnexpectedEof);
}
