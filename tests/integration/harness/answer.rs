//! What the stub authorization server answers, truthfully or not.

use tokio::io::{AsyncWrite, AsyncWriteExt as _};

/// What is answered in place of the truth.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Any status, content type (none when empty) and body.
    Http { status: u16, content_type: &'static str, body: Vec<u8> },
    /// A redirect.
    Redirect(u16, String),
    /// Exactly these bytes, and then the end of the connection.
    Raw(Vec<u8>),
    /// These bytes, and then nothing more while the connection stays.
    Stall(Vec<u8>),
    /// The end of the connection, without a byte.
    Close,
}

impl Answer {
    /// 200 with JSON.
    pub(crate) fn json(body: &str) -> Self {
        Self::Http { status: 200, content_type: "application/json", body: body.into() }
    }

    /// A status with an empty JSON object.
    pub(crate) fn status(status: u16) -> Self {
        Self::Http { status, content_type: "application/json", body: b"{}".to_vec() }
    }

    /// An OAuth error.
    pub(crate) fn error(status: u16, error: &str) -> Self {
        let body = format!(r#"{{"error":"{error}"}}"#).into_bytes();
        Self::Http { status, content_type: "application/json", body }
    }
}

/// Answers; `false` when the connection is over.
pub(super) async fn say<W: AsyncWrite + Unpin>(writer: &mut W, answer: Answer) -> bool {
    let (bytes, goes_on) = match answer {
        Answer::Http { status, content_type, body } => {
            let kind = match content_type {
                "" => String::new(),
                content_type => format!("Content-Type: {content_type}\r\n"),
            };
            let length = body.len();
            let head = format!("HTTP/1.1 {status} Said\r\n{kind}Content-Length: {length}\r\n\r\n");
            ([head.into_bytes(), body].concat(), true)
        }
        Answer::Redirect(status, location) => {
            let head = format!(
                "HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
            );
            (head.into_bytes(), true)
        }
        Answer::Raw(bytes) => (bytes, false),
        Answer::Stall(bytes) => {
            let _ = writer.write_all(&bytes).await;
            let _ = writer.flush().await;
            return std::future::pending().await;
        }
        Answer::Close => return false,
    };
    writer.write_all(&bytes).await.is_ok() && writer.flush().await.is_ok() && goes_on
}
