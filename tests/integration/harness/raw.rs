//! HTTP/1.1 as bytes: heads and bodies read without the help of a library that might be lenient.

use std::{fmt, io};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A request as a stub received it.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A response as it came.
#[derive(Clone)]
pub(crate) struct RawResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to the end that its framing promised.
    pub(crate) is_whole: bool,
}

/// How a message's body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Chunked,
    Length(usize),
    ToEnd,
}

/// A reader that keeps what it read too much.
pub(crate) struct Reader<R> {
    pub(crate) inner: R,
    pub(crate) buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, buffer: Vec::new() }
    }

    /// Reads more into the buffer; `false` at the end or a reset.
    pub(crate) async fn more(&mut self) -> bool {
        matches!(self.inner.read_buf(&mut self.buffer).await, Ok(1..))
    }

    /// Reads up to and including some bytes.
    pub(crate) async fn until(&mut self, needle: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(needle.len()).position(|each| each == needle) {
                return Some(self.buffer.drain(..at + needle.len()).collect());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Reads so many bytes.
    pub(crate) async fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            if !self.more().await {
                return None;
            }
        }
        Some(self.buffer.drain(..length).collect())
    }

    /// Reads one chunk of chunked coding; empty for the last one.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.until(b"\r\n").await?;
        let size = std::str::from_utf8(&line).ok()?.trim().split(';').next()?.to_owned();
        let size = usize::from_str_radix(&size, 16).ok()?;
        let data = self.exactly(size).await?;
        (self.exactly(2).await? == b"\r\n").then_some(data)
    }

    /// Reads a body into `into`; says whether it was whole.
    pub(crate) async fn body(&mut self, framing: Framing, into: &mut Vec<u8>) -> bool {
        match framing {
            Framing::Length(length) => {
                let body = self.exactly(length).await;
                let is_whole = body.is_some();
                into.extend(body.unwrap_or_else(|| std::mem::take(&mut self.buffer)));
                is_whole
            }
            Framing::Chunked => loop {
                match self.chunk().await {
                    Some(chunk) if chunk.is_empty() => return true,
                    Some(chunk) => into.extend(chunk),
                    None => return false,
                }
            },
            Framing::ToEnd => {
                while self.more().await {}
                into.append(&mut self.buffer);
                true
            }
        }
    }

    /// Reads a response to its end.
    pub(crate) async fn response(&mut self, to_method: &str) -> io::Result<RawResponse> {
        let mut response = self.response_head().await?;
        let framing = if to_method == "HEAD" { Framing::Length(0) } else { response.framing() };
        let mut body = Vec::new();
        response.is_whole = self.body(framing, &mut body).await;
        response.body = body;
        Ok(response)
    }

    /// Reads a response's head alone.
    pub(crate) async fn response_head(&mut self) -> io::Result<RawResponse> {
        let head = self.until(b"\r\n\r\n").await.ok_or(io::ErrorKind::UnexpectedEof)?;
        let (line, headers) = parse_head(&head);
        let status = line.split(' ').nth(1).and_then(|text| text.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status in {line}")))?;
        Ok(RawResponse { status, headers, body: Vec::new(), is_whole: false })
    }
}

/// The first line and the fields of a head.
pub(crate) fn parse_head(head: &[u8]) -> (String, Vec<(String, String)>) {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let fields = lines.filter_map(|line| line.split_once(':'));
    let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    (first, fields.collect())
}

/// How the body of a request with these fields is delimited.
pub(crate) fn request_framing(headers: &[(String, String)]) -> Framing {
    if header(headers, "transfer-encoding").is_some() {
        return Framing::Chunked;
    }
    let length = header(headers, "content-length").and_then(|text| text.parse().ok());
    Framing::Length(length.unwrap_or(0))
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(each, _)| each == name).map(|(_, value)| value.as_str())
}

impl Received {
    /// The first field of this (lower-case) name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The fields of a form in the body, decoded.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

impl RawResponse {
    /// The first field of this (lower-case) name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn framing(&self) -> Framing {
        if matches!(self.status, 100..=199 | 204 | 304) {
            return Framing::Length(0);
        }
        if self.header("transfer-encoding").is_some() {
            return Framing::Chunked;
        }
        let length = self.header("content-length").and_then(|text| text.parse().ok());
        length.map_or(Framing::ToEnd, Framing::Length)
    }
}

impl fmt::Debug for RawResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "HTTP {}", self.status)?;
        self.headers.iter().try_for_each(|(name, value)| writeln!(f, "{name}: {value}"))?;
        writeln!(f, "\n{}", self.text())
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.method, self.target)?;
        self.headers.iter().try_for_each(|(name, value)| writeln!(f, "{name}: {value}"))?;
        writeln!(f, "\n{}", self.text())
    }
}
