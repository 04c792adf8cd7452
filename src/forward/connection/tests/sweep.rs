//! What becomes of connections that wait.

use super::*;

const DONE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// An upstream that closes is left within a second or so, without any further request.
#[tokio::test]
async fn connection_that_its_upstream_closed_is_closed() {
    for something in ["", "x"] {
        let line = Line::new().await;
        let (_, mut stream) = line.answered(&Method::POST, DONE).await;
        assert_eq!(line.tasks.len(), 1, "somebody looks after it");
        stream.write_all(something.as_bytes()).await.unwrap();
        if something.is_empty() {
            stream.shutdown().await.unwrap();
        }
        gone(&mut stream).await;
        eventually(|| line.pool.idle() == 0 && line.tasks.is_empty()).await;
        // Whoever comes next is looked after again.
        let (_, _stream) = line.answered(&Method::POST, DONE).await;
        assert_eq!((line.pool.idle(), line.tasks.len()), (1, 1));
    }
}

#[tokio::test]
async fn connection_that_is_too_old_is_closed() {
    let line = Line::new().await;
    let (_, mut stream) = line.answered(&Method::POST, DONE).await;
    let (_, mut other) = {
        // A second one beside it, which goes on.
        let held = line.send(empty(&Method::POST));
        let serve = async {
            request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n").await.unwrap();
        };
        let (held, ()) = tokio::join!(held, serve);
        let other = line.answered(&Method::POST, DONE).await;
        stream.write_all(b"x").await.unwrap();
        read(held.unwrap()).await;
        other
    };
    assert_eq!((line.pool.idle(), line.tasks.len()), (2, 1));
    line.clock.advance(Duration::from_secs(4));
    gone(&mut stream).await;
    gone(&mut other).await;
    eventually(|| line.tasks.is_empty()).await;
}

/// A pool that a reload has replaced goes with its last request.
#[tokio::test]
async fn pool_that_is_dropped_closes_its_connections() {
    let line = Line::new().await;
    let (_, mut stream) = line.answered(&Method::POST, DONE).await;
    assert_eq!(Arc::strong_count(&line.pool), 1);
    let Line { pool, tasks, .. } = line;
    drop(pool);
    gone(&mut stream).await;
    eventually(|| tasks.is_empty()).await;
}
