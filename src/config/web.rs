//! The leaves that name places: URLs, web origins, hosts, route paths, names.

use std::str::FromStr;

use http::{HeaderValue, uri::Authority};
use url::Url;

use super::settings::{AllowedHost, AllowedOrigin};

/// An absolute `http:` or `https:` URL without user name, password or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HttpUrl(pub(super) Url);

impl FromStr for HttpUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        // URL parsers take `http:///x` for `http://x`.
        let has_host = rest.is_some_and(|rest| !rest.starts_with('/'));
        if !is_plain || !has_host {
            return Err("not an absolute http(s) URL");
        }
        let url = Url::parse(text).map_err(|_| "not an absolute http(s) URL")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a user name or password is not allowed in the URL");
        }
        if url.fragment().is_some() {
            return Err("a fragment (`#…`) is not allowed");
        }
        Ok(Self(url))
    }
}

/// The URL of an upstream: requests bring their own query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UpstreamUrl(pub(super) Url);

impl FromStr for UpstreamUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let HttpUrl(url) = text.parse()?;
        if url.query().is_some() {
            return Err("a query (`?…`) is not allowed: the client's own is passed on");
        }
        Ok(Self(url))
    }
}

impl FromStr for AllowedOrigin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "*" => return Ok(Self::Any),
            "null" => return Ok(Self::Exact(text.into())),
            _ => {}
        }
        let wrong = "not an origin as browsers send it: lower case, without path, trailing slash \
                     or the scheme's own port";
        let (scheme, rest) = text.split_once("://").ok_or(wrong)?;
        let is_visible = |byte: u8| byte.is_ascii_graphic() && !b"/\\?#@,\"".contains(&byte);
        if scheme.is_empty() || rest.is_empty() || !rest.bytes().all(is_visible) {
            return Err(wrong);
        }
        let (exact, is_any_port) = match text.strip_suffix(":*") {
            Some(exact) => (exact, true),
            None => (text, false),
        };
        if exact.contains('*') {
            return Err("`*` may stand alone or for the port");
        }
        let is_app_scheme = !matches!(scheme, "http" | "https");
        let is_as_sent = Url::parse(exact)
            .is_ok_and(|url| is_app_scheme || url.origin().ascii_serialization() == exact);
        match (is_as_sent, is_any_port) {
            (false, _) => Err(wrong),
            (true, true) if is_app_scheme => Err("only http and https origins have ports"),
            (true, true) if Url::parse(exact).is_ok_and(|url| url.port().is_some()) => Err(wrong),
            (true, true) => Ok(Self::AnyPort(exact.into())),
            (true, false) => Ok(Self::Exact(exact.into())),
        }
    }
}

impl FromStr for AllowedHost {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let wrong = "not a host name or address, with or without a port";
        if text.contains(['*', '@', '/', '%']) {
            return Err(wrong);
        }
        let authority: Authority = text.parse().map_err(|_| wrong)?;
        // A colon without digits behind it would otherwise pass for no port.
        let port = match text.strip_prefix(authority.host()) {
            Some("") => None,
            Some(rest) => {
                Some(rest.strip_prefix(':').and_then(|port| port.parse().ok()).ok_or(wrong)?)
            }
            None => return Err(wrong),
        };
        let host = url::Host::parse(authority.host()).map_err(|_| wrong)?;
        Ok(Self::Name { host: host.to_string().into(), port })
    }
}

/// The `Host` to send upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostHeader(pub(super) HeaderValue);

impl FromStr for HostHeader {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<AllowedHost>() {
            Ok(AllowedHost::Name { .. }) => {
                HeaderValue::from_str(text).map(Self).map_err(|_| "not a host name")
            }
            Ok(AllowedHost::Any) => Err("not a host name"),
            Err(why) => Err(why),
        }
    }
}

/// The path of a route: `/`, or segments without trailing slash.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RoutePath(pub(super) Box<str>);

impl FromStr for RoutePath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix('/').ok_or("does not begin with `/`")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.is_empty() {
            return if text == "/" {
                Ok(Self("/".into()))
            } else {
                Err("has an empty segment (`//`)")
            };
        }
        for segment in rest.split('/') {
            let is_allowed =
                |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte);
            if segment.is_empty() {
                return Err("has an empty segment (`//`)");
            }
            if matches!(segment, "." | "..") {
                return Err("has a `.` or `..` segment");
            }
            if segment.eq_ignore_ascii_case(".well-known") {
                return Err("`/.well-known/` belongs to the gateway's own documents");
            }
            if !segment.bytes().all(is_allowed) {
                return Err(
                    "has a character that no route path may have (`%`, `;`, `\\`, `?`, `#`, space, ...)",
                );
            }
        }
        Ok(Self(format!("/{rest}").into()))
    }
}

/// The name of a route or of an authorization server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(pub(super) Box<str>);

impl FromStr for Name {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_start = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_allowed = |byte: u8| is_start(byte) || byte == b'_' || byte == b'-';
        let is_name = text.len() <= 63
            && text.bytes().next().is_some_and(is_start)
            && text.bytes().all(is_allowed);
        if is_name {
            Ok(Self(text.into()))
        } else {
            Err(
                "a name is 1 to 63 lower-case letters, digits, `_` and `-`, beginning with a letter \
                 or digit",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_lower_case_with_or_without_port() {
        for (text, expected) in [
            ("A.Example", Some(("a.example", None))),
            ("a.example:8443", Some(("a.example", Some(8443)))),
            ("[::1]", Some(("[::1]", None))),
            ("[::1]:80", Some(("[::1]", Some(80)))),
            ("10.0.0.1:80", Some(("10.0.0.1", Some(80)))),
            ("a.example:", None),
            ("a.example:99999", None),
            ("*.example", None),
            ("u@a.example", None),
            ("a.example/x", None),
            ("::1", None),
            ("a b", None),
            ("", None),
        ] {
            let expected =
                expected.map(|(host, port)| AllowedHost::Name { host: host.into(), port });
            assert_eq!(text.parse::<AllowedHost>().ok(), expected, "{text}");
            assert_eq!(text.parse::<HostHeader>().is_ok(), expected.is_some(), "{text}");
        }
        assert_eq!("*".parse(), Ok(AllowedHost::Any));
        assert!("*".parse::<HostHeader>().is_err());
    }

    #[test]
    fn origins_are_as_browsers_send_them() {
        let exact = |text: &str| Some(AllowedOrigin::Exact(text.into()));
        for (text, expected) in [
            ("*", Some(AllowedOrigin::Any)),
            ("null", exact("null")),
            ("https://a.example", exact("https://a.example")),
            ("https://a.example:8443", exact("https://a.example:8443")),
            ("vscode-webview://1x", exact("vscode-webview://1x")),
            ("http://localhost:*", Some(AllowedOrigin::AnyPort("http://localhost".into()))),
            ("http://[::1]:*", Some(AllowedOrigin::AnyPort("http://[::1]".into()))),
            ("https://A.example", None),
            ("https://a.example/", None),
            ("https://a.example:443", None),
            ("https://*.example", None),
            ("https://u@a.example", None),
            ("http://localhost:80:*", None),
            ("app://x:*", None),
            ("a.example", None),
            ("https://", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<AllowedOrigin>().ok(), expected, "{text}");
        }
    }

    #[test]
    fn urls_are_absolute_and_carry_no_credentials() {
        for text in ["http://a", "https://a:1/b/c"] {
            assert!(text.parse::<UpstreamUrl>().is_ok(), "{text}");
        }
        for text in [
            "http:///a",
            "http:a",
            "//a",
            "ftp://a",
            "http://u@a",
            "http://a#",
            "http://a?",
            "http://a b",
            "http://a\\b",
            "http://",
        ] {
            assert!(text.parse::<UpstreamUrl>().is_err(), "{text}");
        }
    }
}
