//! The request target: one canonical path, one authority, or nothing.
//!
//! 1. The path is refused when two readers could understand it differently: empty or dot segments,
//!    `;`, a backslash, characters that RFC 3986 section 3.3 does not allow raw, and escapes of
//!    slash, backslash, dot, percent sign, control bytes or non-ASCII.
//! 2. An absolute form (RFC 9112 section 3.2.2) must name the same authority as `Host`; over
//!    HTTP/2 `:authority` and `Host` must agree (RFC 9113 section 8.3.1), and one must be there.
//! 3. A scheme, where one is sent, is `http` or `https`.
//! 4. The authority is a host name or address with an optional port from 1 to 65535; no userinfo,
//!    no trailing dot, no zone.
//!
//! What was checked is what is matched and what is forwarded; nothing is normalised but the case
//! of the host.

use std::sync::Arc;

use http::{Version, header, request::Parts, uri::PathAndQuery};
use memchr::memchr;

use super::Inadmissible;

/// A request target that can be read in one way only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    authority: Authority,
    path_and_query: PathAndQuery,
}

impl Target {
    /// The host that the client addressed.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The path, beginning with a slash.
    pub fn path(&self) -> &str {
        self.path_and_query.path()
    }

    /// The query without its question mark.
    pub fn query(&self) -> Option<&str> {
        self.path_and_query.query()
    }

    /// `usual`: the authority that most requests name.
    pub(super) fn read(parts: &Parts, usual: Option<&Authority>) -> Result<Self, Inadmissible> {
        let refuse = |why| Err(Inadmissible::Target(why));
        let Some(path_and_query) = parts.uri.path_and_query() else {
            // The authority form of CONNECT (RFC 9112 section 3.2.3): we are no tunnel.
            return refuse("authority form");
        };
        if path_and_query.as_str().len() > MAX_TARGET_BYTES {
            return Err(Inadmissible::TargetTooLong);
        }
        let is_http =
            |scheme: &str| ["http", "https"].iter().any(|one| scheme.eq_ignore_ascii_case(one));
        if parts.uri.scheme_str().is_some_and(|scheme| !is_http(scheme)) {
            return refuse("scheme");
        }
        check_path(path_and_query.path()).map_err(Inadmissible::Target)?;
        if path_and_query.query().is_some_and(|query| !query.bytes().all(is_query_byte)) {
            return refuse("character in the query");
        }
        let authority = read_authority(parts, usual)?;
        Ok(Self { authority, path_and_query: path_and_query.clone() })
    }
}

fn read_authority(parts: &Parts, usual: Option<&Authority>) -> Result<Authority, Inadmissible> {
    let mismatch = Err(Inadmissible::Target("authority and Host differ"));
    let read = |bytes: &[u8]| match usual.filter(|usual| *usual.text.as_bytes() == *bytes) {
        Some(usual) => Ok(usual.clone()),
        None => Authority::parse(bytes),
    };
    let in_target = parts.uri.authority().map(|authority| read(authority.as_str().as_bytes()));
    let in_host = parts.headers.get(header::HOST).map(|host| read(host.as_bytes()));
    let (in_target, in_host) = (in_target.transpose()?, in_host.transpose()?);
    match (in_target, in_host) {
        (Some(target), Some(host)) if target == host => Ok(host),
        (Some(_), Some(_)) => mismatch,
        // RFC 9112 section 3.2: an HTTP/1.1 request has a Host even with an absolute form.
        (Some(_), None) if parts.version < Version::HTTP_2 => mismatch,
        (Some(authority), None) | (None, Some(authority)) => Ok(authority),
        (None, None) => Err(Inadmissible::Target("no authority")),
    }
}

fn check_path(path: &str) -> Result<(), &'static str> {
    let rest = path.strip_prefix('/').ok_or("not an absolute path")?;
    if is_plain(rest) {
        return Ok(());
    }
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        // A lone trailing slash is the router's to judge; any other empty segment is `//`.
        if segment.is_empty() && segments.peek().is_some() {
            return Err("empty path segment");
        }
        if matches!(segment, "." | "..") {
            return Err("dot segment");
        }
        check_segment(segment)?;
    }
    Ok(())
}

/// Whether there is nothing in a path that the checks of its segments are about, as in most paths.
fn is_plain(rest: &str) -> bool {
    let mut is_first = true;
    rest.bytes().all(|byte| {
        let is_plain = match byte {
            // At the beginning of a segment: an empty one, or perhaps one of dots.
            b'/' | b'.' => !is_first,
            b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => true,
            _ => false,
        };
        is_first = byte == b'/';
        is_plain
    })
}

fn check_segment(segment: &str) -> Result<(), &'static str> {
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = (digit(bytes.next()), digit(bytes.next()));
                let (Some(high), Some(low)) = (high, low) else {
                    return Err("bad percent escape");
                };
                if matches!(high * 16 + low, 0..=0x1f | 0x7f.. | 0x25 | 0x2e | 0x2f | 0x5c) {
                    return Err("percent escape of a character with a meaning");
                }
            }
            b';' => return Err("semicolon in the path"),
            b'\\' => return Err("backslash in the path"),
            byte if is_path_byte(byte) => {}
            _ => return Err("character in the path"),
        }
    }
    Ok(())
}

/// `pchar` of RFC 3986 section 3.3 without `;` and `%`.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}

/// Visible ASCII without what RFC 3986 calls delimiters of other parts or excludes.
fn is_query_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"<>\\^`#".contains(&byte)
}

const MAX_TARGET_BYTES: usize = 8 * 1024;

/// A host, in lower case, and a port when one was named.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authority {
    /// All of it, as its `Display`.
    text: Arc<str>,
    host_end: usize,
    port: Option<u16>,
}

impl Authority {
    /// Reads `host [ ":" port ]`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Inadmissible> {
        let refuse = Inadmissible::Target("authority syntax");
        let text = std::str::from_utf8(bytes).map_err(|_| refuse)?;
        let host_end = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, _) = rest.split_once(']').ok_or(refuse)?;
                address.parse::<std::net::Ipv6Addr>().map_err(|_| refuse)?;
                address.len() + "[]".len()
            }
            None => memchr(b':', bytes).unwrap_or(text.len()),
        };
        let (host, port) = text.split_at_checked(host_end).ok_or(refuse)?;
        let port = match port.strip_prefix(':') {
            Some(digits) => Some(parse_port(digits).ok_or(refuse)?),
            None if port.is_empty() => None,
            None => return Err(refuse),
        };
        if !host.starts_with('[') && !is_host_name(host) {
            return Err(refuse);
        }
        let mut text = host.to_ascii_lowercase();
        if let Some(port) = port {
            // Written anew: it may have begun with zeros.
            text.push(':');
            text.push_str(&port.to_string());
        }
        Ok(Self { text: text.into(), host_end, port })
    }

    /// The host; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        self.text.get(..self.host_end).unwrap_or_default()
    }

    /// The port, when one was named.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

impl std::fmt::Display for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

fn parse_port(digits: &str) -> Option<u16> {
    let plain = digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|port| plain && *port != 0)
}

/// Labels of letters, digits, `-` and `_` with single dots between them.
fn is_host_name(host: &str) -> bool {
    let mut is_label_empty = true;
    for byte in host.bytes() {
        match byte {
            b'.' if is_label_empty => return false,
            b'.' => is_label_empty = true,
            b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => is_label_empty = false,
            _ => return false,
        }
    }
    !is_label_empty && host.len() <= 253
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(version: Version, uri: &str, host: Option<&str>) -> Result<Target, Inadmissible> {
        let mut request = http::Request::builder().uri(uri).version(version);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        let read = Target::read(&parts, None);
        let usual = Authority::parse(b"gw").unwrap();
        assert_eq!(Target::read(&parts, Some(&usual)), read, "{uri} {host:?}");
        read
    }

    #[test]
    fn ambiguous_paths_are_refused() {
        for path in [
            "//mcp",
            "/mcp//x",
            "///",
            "/a/../mcp",
            "/mcp/..",
            "/./mcp",
            "/.",
            "/mcp/%2e%2e",
            "/.%2e/x",
            "/%252e",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a;x=1",
            "/pub;/../mcp",
            "/%zz",
            "/%4",
            "/%",
            "/%0d%0a",
            "/%00",
            "/%ff",
            "/%c3%a9",
            "/%7f",
            "/a\"b",
            "/a{b}",
            "/a|b",
            "/a^b",
            "/a`b",
        ] {
            // Some of them are no URI; then nothing reaches us.
            if path.parse::<http::Uri>().is_err() {
                continue;
            }
            let refused = read(Version::HTTP_11, path, Some("gw"));
            assert!(matches!(refused, Err(Inadmissible::Target(_))), "{path}: {refused:?}");
        }
    }

    #[test]
    fn plain_paths_and_queries_pass_unchanged() {
        for (target, path, query) in [
            ("/", "/", None),
            ("/mcp/", "/mcp/", None),
            ("/a-b_c~d.e/%20x?y=%2e%2e//&z", "/a-b_c~d.e/%20x", Some("y=%2e%2e//&z")),
            ("/...", "/...", None),
            ("/a.b/c.", "/a.b/c.", None),
        ] {
            let read = read(Version::HTTP_11, target, Some("gw")).unwrap();
            assert_eq!((read.path(), read.query()), (path, query));
        }
    }

    #[test]
    fn long_targets_are_refused() {
        let target = format!("/{}", "a".repeat(MAX_TARGET_BYTES));
        assert_eq!(read(Version::HTTP_11, &target, Some("gw")), Err(Inadmissible::TargetTooLong));
    }

    #[test]
    fn authority_must_be_one_and_agree() {
        let host = |version, uri, host| read(version, uri, host).map(|t| t.authority.to_string());
        let differ = Err(Inadmissible::Target("authority and Host differ"));
        assert_eq!(host(Version::HTTP_11, "/x", Some("GW:80")), Ok("gw:80".to_owned()));
        assert_eq!(host(Version::HTTP_11, "http://gw/x", Some("gw")), Ok("gw".to_owned()));
        assert_eq!(host(Version::HTTP_11, "http://evil/x", Some("gw")), differ);
        assert_eq!(host(Version::HTTP_11, "http://evil/x", None), differ);
        assert_eq!(host(Version::HTTP_2, "http://gw/x", None), Ok("gw".to_owned()));
        assert_eq!(host(Version::HTTP_2, "http://gw/x", Some("evil")), differ);
        assert!(host(Version::HTTP_2, "/x", None).is_err());
        assert!(host(Version::HTTP_11, "/x", None).is_err());
        assert!(host(Version::HTTP_11, "http://u:p@gw/x", Some("gw")).is_err());
    }

    #[test]
    fn scheme_is_one_of_ours() {
        for (uri, is_read) in [("http://gw/x", true), ("HTTPS://gw/x", true), ("ftp://gw/x", false)]
        {
            for version in [Version::HTTP_11, Version::HTTP_2] {
                assert_eq!(read(version, uri, Some("gw")).is_ok(), is_read, "{uri}");
            }
        }
    }

    #[test]
    fn authority_syntax_is_strict() {
        for bad in [
            "",
            "a b",
            "gw,evil",
            "gw:",
            "gw:0",
            "gw:65536",
            "gw:+80",
            "gw.",
            ".gw",
            "a..b",
            "u@gw",
            "gw:80:80",
            "[::1",
            "[::1]x",
            "[fe80::1%eth0]",
            "[gw]",
            "gw/x",
            "é",
        ] {
            assert!(Authority::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        for good in ["gw", "a-b.c_d:8080", "127.0.0.1:1", "[::1]", "[::1]:65535"] {
            assert_eq!(Authority::parse(good.as_bytes()).unwrap().to_string(), good);
        }
        let zeros = Authority::parse(b"GW:00080").unwrap();
        assert_eq!((zeros.host(), zeros.port()), ("gw", Some(80)));
        assert_eq!(zeros, Authority::parse(b"gw:80").unwrap());
    }
}
