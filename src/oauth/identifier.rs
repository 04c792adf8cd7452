//! Identifiers of the parties: issuers, protected resources, clients and subjects.

use std::{fmt, net::IpAddr};

use url::{Host, Url};

/// Whether a URL's host is this machine: a loopback address, or exactly `localhost`.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).to_canonical().is_loopback(),
        None => false,
    }
}

macro_rules! exact_url {
    ($(#[doc = $doc:literal])+ $name:ident) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The identifier exactly as configured.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidIdentifier;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let url = absolute_http_url(text)?;
                if url.query().is_some() {
                    return Err(InvalidIdentifier::Query);
                }
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

exact_url! {
    /// An authorization server's issuer identifier: an https URL without query or fragment
    /// (RFC 8414 section 2).
    ///
    /// Kept and compared byte for byte: a trailing slash more is another issuer.
    Issuer
}

exact_url! {
    /// A protected resource's identifier (RFC 9728 section 1.2, RFC 8707 section 2), kept and
    /// compared byte for byte.
    ///
    /// RFC 9728 leaves a query possible and advises against it; a resource of ours is an origin and
    /// a path.
    ResourceIdentifier
}

/// The origin under which clients know us: scheme and authority, no path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicOrigin {
    text: Box<str>,
    authority: Box<str>,
    is_https: bool,
    is_loopback: bool,
}

impl PublicOrigin {
    /// The origin without trailing slash, e.g. `https://mcp.example.com`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host and, when it is not the scheme's default, port.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether the scheme is `https`.
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        self.is_loopback
    }
}

impl std::str::FromStr for PublicOrigin {
    type Err = InvalidIdentifier;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = absolute_http_url(text)?;
        if url.path() != "/" || url.query().is_some() || text.ends_with("//") {
            return Err(InvalidIdentifier::Path);
        }
        let is_https = url.scheme() == "https";
        let is_loopback = is_loopback(&url);
        if !is_https && !is_loopback {
            return Err(InvalidIdentifier::Insecure);
        }
        let canonical = url.origin().ascii_serialization();
        let authority = canonical.split_once("://").map_or("", |(_, rest)| rest).into();
        Ok(Self { text: canonical.into(), authority, is_https, is_loopback })
    }
}

impl fmt::Display for PublicOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is no identifier of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdentifier {
    /// It has a fragment, which RFC 8414 and RFC 8707 exclude.
    #[error("a fragment (`#…`) is not allowed")]
    Fragment,
    /// `http:` on a host that is not this machine.
    #[error("must be https (http only on a loopback host)")]
    Insecure,
    /// It is no absolute `http:` or `https:` URL.
    #[error("not an absolute http(s) URL")]
    NotAUrl,
    /// It has a path or query where only an origin may stand.
    #[error("only scheme and authority may stand here, no path or query")]
    Path,
    /// It has a query.
    #[error("a query (`?…`) is not allowed")]
    Query,
    /// It has a user name or password.
    #[error("a user name or password is not allowed in the URL")]
    Userinfo,
}

fn absolute_http_url(text: &str) -> Result<Url, InvalidIdentifier> {
    let visible = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    if !text.bytes().all(visible) || !(text.starts_with("http://") || text.starts_with("https://"))
    {
        return Err(InvalidIdentifier::NotAUrl);
    }
    let url = Url::parse(text).map_err(|_| InvalidIdentifier::NotAUrl)?;
    // The URL standard forgives `https:///host`; nobody who compares strings does.
    if text.contains(":///") {
        return Err(InvalidIdentifier::NotAUrl);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidIdentifier::Userinfo);
    }
    if url.fragment().is_some() {
        return Err(InvalidIdentifier::Fragment);
    }
    Ok(url)
}

/// A client identifier (RFC 6749 section 2.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientId(Box<str>);

/// A subject, unique only together with its issuer (RFC 7519 section 4.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject(Box<str>);

macro_rules! opaque_text {
    ($name:ident) => {
        impl $name {
            /// Takes the text as the authorization server wrote it; `None` when it is empty.
            pub fn new(text: impl Into<Box<str>>) -> Option<Self> {
                let text = text.into();
                (!text.is_empty()).then_some(Self(text))
            }

            /// The text as the authorization server wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

opaque_text!(ClientId);
opaque_text!(Subject);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuer_keeps_its_bytes() {
        let issuer: Issuer = "https://auth.example.com/".parse().unwrap();
        assert_eq!(issuer.as_str(), "https://auth.example.com/");
        assert_ne!(issuer, "https://auth.example.com".parse().unwrap());
    }

    #[test]
    fn identifiers_refuse_what_the_rfcs_exclude() {
        let refused = [
            ("https://a.example/#x", InvalidIdentifier::Fragment),
            ("https://a.example/?x=1", InvalidIdentifier::Query),
            ("https://u@a.example/", InvalidIdentifier::Userinfo),
            ("ftp://a.example/", InvalidIdentifier::NotAUrl),
            ("a.example", InvalidIdentifier::NotAUrl),
            ("https:///a.example", InvalidIdentifier::NotAUrl),
            ("https://a.example/ x", InvalidIdentifier::NotAUrl),
        ];
        for (text, why) in refused {
            assert_eq!(text.parse::<Issuer>(), Err(why), "{text}");
            assert_eq!(text.parse::<ResourceIdentifier>(), Err(why), "{text}");
        }
    }

    #[test]
    fn public_origin_is_an_origin() {
        let origin: PublicOrigin = "https://MCP.example.com:443/".parse().unwrap();
        assert_eq!(origin.as_str(), "https://mcp.example.com");
        assert_eq!(origin.authority(), "mcp.example.com");
        for (text, why) in [
            ("https://a.example/x", InvalidIdentifier::Path),
            ("https://a.example//", InvalidIdentifier::Path),
            ("http://a.example", InvalidIdentifier::Insecure),
            ("http://localhost.evil.example", InvalidIdentifier::Insecure),
        ] {
            assert_eq!(text.parse::<PublicOrigin>(), Err(why), "{text}");
        }
        let local: PublicOrigin = "http://[::1]:8080".parse().unwrap();
        assert_eq!((local.authority(), local.is_loopback()), ("[::1]:8080", true));
    }
}
