//! Which response heads of an upstream may pass.
//!
//! 1. 401 and redirects would send a client elsewhere, with its token or for another; 101 would open
//!    a tunnel.
//! 2. Framing is one thing or it is refused (RFC 9112 section 6.3).
//! 3. In the answer to a GET, and where it may never end by itself, what is an event stream must say
//!    so in one way only and not be encoded: its endpoints are rewritten, and it ends between events.

use http::{HeaderMap, Response, StatusCode, header};

use super::{ForwardError, connection::UpstreamBody};

/// Refuses what must not pass.
///
/// `is_stream`: it answers a GET; `is_listening`: it may never end by itself.
pub(super) fn check(
    response: &Response<UpstreamBody>,
    is_stream: bool,
    is_listening: bool,
) -> Result<(), ForwardError> {
    let status = response.status();
    let headers = response.headers();
    if status == StatusCode::UNAUTHORIZED {
        return Err(ForwardError::Refused(
            "401: it asks for a token itself; its own authentication must accept the gateway",
        ));
    }
    if status.is_redirection() {
        return Err(ForwardError::Refused("a redirect: name the URL it redirects to as upstream"));
    }
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(ForwardError::Refused("101"));
    }
    // RFC 9112 section 6.3: two framings, or codings that nobody decodes here, are an attack
    // or a broken server; trust neither.
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_framed_once = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => {
            coding.as_bytes().eq_ignore_ascii_case(b"chunked")
                && !headers.contains_key(header::CONTENT_LENGTH)
        }
        (Some(_), Some(_)) => false,
    };
    if !is_framed_once {
        return Err(ForwardError::Refused("with ambiguous framing"));
    }
    let is_read = is_stream || is_listening;
    // A client might take for a stream what we did not, and then believe its endpoints, or keep it.
    if is_read && !has_plain_type(headers) {
        return Err(ForwardError::Refused("with an ambiguous Content-Type"));
    }
    if is_read && is_event_stream(headers) && headers.contains_key(header::CONTENT_ENCODING) {
        return Err(ForwardError::Refused("with an encoded event stream that nobody asked for"));
    }
    Ok(())
}

/// Whether a content type is the one it seems to be: event streams are told apart by it.
fn has_plain_type(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (first, others) = (values.next(), values.next().is_some());
    let names_events = first.is_some_and(|value| {
        let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        text.contains("event-stream")
    });
    !others && (!names_events || is_event_stream(headers))
}

/// Whether the content type is that of server-sent events.
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    let essence = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.as_bytes().split(|byte| *byte == b';').next());
    essence.is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(b"text/event-stream"))
}
