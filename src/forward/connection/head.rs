//! The head of an upstream's response.
//!
//! 1. It is read as leniently as most clients do, and as a whole: 16 KiB and 100 fields at most.
//! 2. Interim responses are passed over, a few of them (RFC 9110 section 15.2); 101 is not one.
//! 3. What comes piece by piece is looked at once.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode};
use httparse::{Error, Header, ParserConfig, Response, Status};

use super::{error::ExchangeError, framing::Fields};
use crate::http1::{body::Framing, fields};

/// A final response's head.
#[derive(Debug)]
pub(in crate::forward) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// Whether the connection lasts longer than the response, should that be whole.
    pub(super) may_stay: bool,
}

/// Looks for a head in what has arrived.
#[derive(Debug)]
pub(in crate::forward) struct HeadReader {
    /// Whether the request was a HEAD, whose response has no body.
    is_bodiless: bool,
    /// Where fields are put.
    headers: HeaderMap,
    /// How many of the bytes are the empty lines that may come before a head.
    blank: usize,
    /// Up to where no head ends.
    searched: usize,
    interim: u8,
}

impl HeadReader {
    /// For the response to a request; `headers` is a map that is not needed any more.
    pub(in crate::forward) fn new(method: &Method, mut headers: HeaderMap) -> Self {
        headers.clear();
        let is_bodiless = *method == Method::HEAD;
        Self { is_bodiless, headers, blank: 0, searched: 0, interim: 0 }
    }

    /// Whether a part of a head was seen.
    pub(super) fn has_begun(&self, received: &BytesMut) -> bool {
        received.len() > self.blank
    }

    /// Takes the head off the front of what has arrived, when all of it is there.
    pub(super) fn read(&mut self, received: &mut BytesMut) -> Result<Option<Head>, ExchangeError> {
        loop {
            let is_first = self.searched == 0;
            let Some(end) = self.end(received) else {
                if received.len() >= MAX_HEAD_BYTES {
                    return Err(ExchangeError::TooLarge);
                }
                // Whoever speaks something else need not end a head, and is not waited for.
                if is_first && !received.is_empty() {
                    parse(received, |_| Ok(())).map_err(ExchangeError::Head)?;
                }
                return Ok(None);
            };
            if end > MAX_HEAD_BYTES {
                return Err(ExchangeError::TooLarge);
            }
            let head = self.take(&received.split_to(end).freeze())?;
            (self.blank, self.searched) = (0, 0);
            if head.is_some() {
                return Ok(head);
            }
            self.interim += 1;
            if self.interim > MAX_INTERIM {
                return Err(ExchangeError::Interim);
            }
        }
    }

    /// Where the head ends, as soon as it does.
    fn end(&mut self, received: &[u8]) -> Option<usize> {
        self.blank += blank(received.get(self.blank..)?);
        let mut at = self.searched.max(self.blank);
        while let Some(offset) = memchr::memchr(b'\n', received.get(at..)?) {
            at += offset + 1;
            match received.get(at..)? {
                [b'\n', ..] => return Some(at + 1),
                [b'\r', b'\n', ..] => return Some(at + 2),
                // The next byte decides.
                [] | [b'\r'] => {
                    self.searched = at - 1;
                    return None;
                }
                _ => {}
            }
        }
        self.searched = received.len();
        None
    }

    /// Understands a whole head; `None` for that of an interim response.
    fn take(&mut self, head: &Bytes) -> Result<Option<Head>, ExchangeError> {
        let mut framing = Fields::default();
        let mut headers = std::mem::take(&mut self.headers);
        let parsed = parse(head, |response| {
            headers.reserve(response.headers.len());
            for field in response.headers.iter() {
                if !framing.note(field.name.as_bytes(), field.value) {
                    append(&mut headers, field, head)?;
                }
            }
            if framing.is_contradictory() {
                // Whoever refuses that must see it.
                let lengths = response.headers.iter();
                let is_length = |name: &str| name.eq_ignore_ascii_case("content-length");
                for length in lengths.filter(|field| is_length(field.name)) {
                    append(&mut headers, length, head)?;
                }
            }
            Ok((response.code, response.version))
        });
        let parsed = parsed.map_err(ExchangeError::Head)?;
        let Some((Some(code), Some(version))) = parsed else {
            return Err(ExchangeError::Head(Error::NewLine));
        };
        let status = StatusCode::from_u16(code).map_err(|_| ExchangeError::Head(Error::Status))?;
        if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
            headers.clear();
            self.headers = headers;
            return Ok(None);
        }
        framing.version = version;
        let may_stay = framing.keeps_alive() && status != StatusCode::SWITCHING_PROTOCOLS;
        let framing = match status {
            StatusCode::SWITCHING_PROTOCOLS | StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => {
                Framing::Length(0)
            }
            _ if self.is_bodiless => Framing::Length(0),
            _ => framing.framing()?,
        };
        Ok(Some(Head { status, headers, framing, may_stay }))
    }
}

/// Parses a head; `None` when it goes on.
fn parse<T>(
    bytes: &[u8],
    read: impl FnOnce(&Response<'_, '_>) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = Response::new(&mut []);
    let config = ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut response, bytes, &mut fields)? {
        Status::Complete(_) => read(&response).map(Some),
        Status::Partial => Ok(None),
    }
}

fn append(headers: &mut HeaderMap, field: &Header<'_>, head: &Bytes) -> Result<(), Error> {
    let name = fields::name(field.name.as_bytes()).ok_or(Error::HeaderName)?;
    fields::append_named(headers, name, head.slice_ref(field.value)).ok_or(Error::HeaderValue)
}

/// How many of these bytes are empty lines.
fn blank(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let [b'\n', behind @ ..] | [b'\r', b'\n', behind @ ..] = rest {
        rest = behind;
    }
    bytes.len() - rest.len()
}

const MAX_FIELDS: usize = 100;
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// More than anybody sends, fewer than would keep us busy.
const MAX_INTERIM: u8 = 32;
