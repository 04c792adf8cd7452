//! What trusted proxies say of a request's way: `X-Forwarded-For`, `X-Forwarded-Proto` and
//! `Forwarded` (RFC 7239).
//!
//! 1. Nobody else is asked: of a peer that is no trusted proxy none of these fields is read.
//! 2. Who the client is, is read from the right: each entry was written by the hop behind it, so the
//!    first that is no trusted proxy is the client, and what stands to its left is its own word.
//! 3. An entry that names no address (`unknown`, `_hidden`, or something unreadable in
//!    `X-Forwarded-For`) ends the walk: the address of the hop that wrote it stands.
//! 4. `Forwarded` is read by the grammar of section 4, all of it; what breaks it is refused.
//! 5. Proxies usually write one of the two and pass the other on as a client sent it. When both are
//!    there they must name the same client, and the same scheme where both name one; otherwise
//!    nobody can tell which is the proxy's, and the request is refused.
//!
//! It does not read `by` and `host`: what the gateway is called is configured.

mod node;
mod pairs;

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use ipnet::IpNet;

use self::node::Node;
use super::Inadmissible;

/// A request's way here, as the trusted proxies on it tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The client: the right-most address that is no trusted proxy's.
    pub client: IpAddr,
    /// The hops before the peer, in the form of `X-Forwarded-For`.
    pub chain: Option<String>,
    /// `http` or `https`: what the client spoke to the first of them.
    pub scheme: Option<HeaderValue>,
}

/// Reads the way of a request from this peer; nothing when the peer is no trusted proxy.
pub fn read(
    headers: &HeaderMap,
    peer: IpAddr,
    trusted: &[IpNet],
) -> Result<Option<Box<Way>>, Inadmissible> {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(&peer) {
        return Ok(None);
    }
    let listed = listed(headers, peer, &is_trusted)?;
    let elements = elements(headers)?;
    if elements.is_empty() {
        return Ok(Some(Box::new(listed)));
    }
    let told = told(&elements, peer, &is_trusted);
    if listed.chain.is_some() && listed.client != told.client {
        return Err(Inadmissible::Field(TWO_CLIENTS));
    }
    if let (Some(one), Some(other)) = (&listed.scheme, &told.scheme)
        && one != other
    {
        return Err(Inadmissible::Field(TWO_SCHEMES));
    }
    Ok(Some(Box::new(Way {
        client: told.client,
        chain: listed.chain.or(told.chain),
        scheme: told.scheme.or(listed.scheme),
    })))
}

/// What the `X-Forwarded-` fields say.
fn listed(
    headers: &HeaderMap,
    peer: IpAddr,
    is_trusted: &impl Fn(&IpAddr) -> bool,
) -> Result<Way, Inadmissible> {
    let chain = lines(headers, &X_FORWARDED_FOR, "x-forwarded-for")?;
    let entries = chain.as_deref().unwrap_or_default().rsplit(',').map(listed_address);
    let (client, _) = walk(peer, entries, is_trusted);
    let mut schemes = headers.get_all(&X_FORWARDED_PROTO).iter();
    // Of several nobody can say whose is whose.
    let scheme = schemes.next().filter(|_| schemes.next().is_none());
    let scheme = scheme.and_then(|scheme| scheme.to_str().ok()).and_then(known_scheme);
    Ok(Way { client, chain, scheme })
}

/// What `Forwarded` says.
fn told(elements: &[Element], peer: IpAddr, is_trusted: &impl Fn(&IpAddr) -> bool) -> Way {
    let entries = elements.iter().rev().map(|element| element.node.address());
    let (client, hops) = walk(peer, entries, is_trusted);
    // The last one looked at was still written by a trusted proxy.
    let last = elements.iter().rev().nth(hops.saturating_sub(1));
    let chain: Vec<String> = elements.iter().map(|element| element.node.to_string()).collect();
    let scheme = last.and_then(|element| element.scheme.clone());
    Way { client, chain: Some(chain.join(", ")), scheme }
}

/// The client, and how many entries were looked at.
fn walk(
    peer: IpAddr,
    entries: impl Iterator<Item = Option<IpAddr>>,
    is_trusted: impl Fn(&IpAddr) -> bool,
) -> (IpAddr, usize) {
    let (mut client, mut looked_at) = (peer, 0);
    for entry in entries {
        looked_at += 1;
        let Some(address) = entry else { break };
        client = address.to_canonical();
        if !is_trusted(&client) {
            break;
        }
    }
    (client, looked_at)
}

/// An entry of `X-Forwarded-For`, with a port or without.
fn listed_address(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let with_port = || entry.parse::<SocketAddr>().map(|address| address.ip()).ok();
    let bracketed = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().map(IpAddr::V6).ok();
    entry.parse().ok().or_else(with_port).or_else(bracketed)
}

/// One hop of `Forwarded`.
#[derive(Debug)]
struct Element {
    /// `for`; unknown when absent.
    node: Node,
    scheme: Option<HeaderValue>,
}

fn elements(headers: &HeaderMap) -> Result<Vec<Element>, Inadmissible> {
    let Some(text) = lines(headers, &header::FORWARDED, "forwarded")? else {
        return Ok(Vec::new());
    };
    parse(&text).ok_or(Inadmissible::Field("forwarded"))
}

/// All elements of a `Forwarded` field (RFC 7239 section 4).
fn parse(text: &str) -> Option<Vec<Element>> {
    let mut elements = Vec::new();
    for element in pairs::elements(text) {
        let (mut node, mut scheme) = (None, None);
        for (name, value) in element? {
            if name.eq_ignore_ascii_case("for") {
                node = Some(Node::parse(value)?);
            } else if name.eq_ignore_ascii_case("proto") {
                scheme = Some(is_scheme(value).then_some(value)?);
            }
        }
        let scheme = scheme.and_then(known_scheme);
        elements.push(Element { node: node.unwrap_or(Node::Unknown), scheme });
    }
    Some(elements)
}

/// RFC 3986 section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn known_scheme(scheme: &str) -> Option<HeaderValue> {
    let known = ["http", "https"].into_iter().find(|known| scheme.eq_ignore_ascii_case(known));
    known.map(HeaderValue::from_static)
}

/// All lines of a field as one.
fn lines(
    headers: &HeaderMap,
    field: &HeaderName,
    name: &'static str,
) -> Result<Option<String>, Inadmissible> {
    let lines: Result<Vec<&str>, _> =
        headers.get_all(field).iter().map(HeaderValue::to_str).collect();
    let lines = lines.map_err(|_| Inadmissible::Field(name))?;
    Ok((!lines.is_empty()).then(|| lines.join(", ")))
}

/// `X-Forwarded-For`.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// `X-Forwarded-Proto`.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

const TWO_CLIENTS: &str = "Forwarded and X-Forwarded-For name different clients; have the proxy \
    remove the one that it does not write";
const TWO_SCHEMES: &str = "Forwarded and X-Forwarded-Proto name different schemes; have the proxy \
    remove the one that it does not write";

#[cfg(test)]
mod tests;
