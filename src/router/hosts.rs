//! Which hosts are ours, and which site each belongs to.
//!
//! 1. The authority of every public URL is ours; a default port may be named or left out.
//! 2. Bound to loopback, loopback's own names are ours with any port.
//! 3. Names from `listen.allowed_hosts` are ours; without a port they match any.
//! 4. A host that is one route's own public URL belongs to that site, every other to the first.
//!
//! Everything else is refused, so that a page cannot reach us under a name of its own (DNS
//! rebinding).

use std::{collections::HashMap, net::SocketAddr};

use crate::{admission::Authority, config::settings::AllowedHost, oauth::PublicOrigin};

/// The hosts that are served.
#[derive(Debug)]
pub struct Hosts {
    /// The first public origin's, which most requests name.
    usual: Option<Authority>,
    sites: HashMap<Authority, usize>,
    allowed: Vec<AllowedHost>,
    allows_loopback: bool,
}

impl Hosts {
    /// Hosts from the public origins, the first of which takes all hosts that are nobody's own.
    pub fn new(origins: &[&PublicOrigin], allowed: &[AllowedHost], address: SocketAddr) -> Self {
        let mut sites = HashMap::new();
        for (site, origin) in origins.iter().enumerate() {
            let default_port = if origin.is_https() { 443 } else { 80 };
            let Ok(authority) = Authority::parse(origin.authority().as_bytes()) else { continue };
            let named = authority.port().unwrap_or(default_port);
            if named == default_port {
                for text in [authority.host().to_owned(), format!("{}:{named}", authority.host())] {
                    if let Ok(authority) = Authority::parse(text.as_bytes()) {
                        sites.entry(authority).or_insert(site);
                    }
                }
            } else {
                sites.entry(authority).or_insert(site);
            }
        }
        Self {
            usual: origins.first().and_then(|o| Authority::parse(o.authority().as_bytes()).ok()),
            sites,
            allowed: allowed.to_vec(),
            allows_loopback: address.ip().to_canonical().is_loopback(),
        }
    }

    /// The one that most requests name.
    pub fn usual(&self) -> Option<&Authority> {
        self.usual.as_ref()
    }

    /// The site that a host belongs to, if it is ours.
    pub fn site(&self, authority: &Authority) -> Option<usize> {
        if self.usual.as_ref() == Some(authority) {
            return Some(0);
        }
        if let Some(site) = self.sites.get(authority) {
            return Some(*site);
        }
        let is_allowed = |allowed: &AllowedHost| match allowed {
            AllowedHost::Any => true,
            AllowedHost::Name { host, port } => {
                **host == *authority.host()
                    && port.is_none_or(|port| authority.port() == Some(port))
            }
        };
        let is_loopback = || matches!(authority.host(), "localhost" | "127.0.0.1" | "[::1]");
        let is_ours =
            (self.allows_loopback && is_loopback()) || self.allowed.iter().any(is_allowed);
        is_ours.then_some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(hosts: &Hosts, host: &str) -> Option<usize> {
        hosts.site(&Authority::parse(host.as_bytes()).unwrap())
    }

    #[test]
    fn hosts_are_matched_whole() {
        let global = "https://mcp.example".parse().unwrap();
        let own = "https://other.example:8443".parse().unwrap();
        let allowed = [
            AllowedHost::Name { host: "proxy.internal".into(), port: None },
            AllowedHost::Name { host: "pinned.internal".into(), port: Some(81) },
        ];
        let hosts = Hosts::new(&[&global, &own], &allowed, "0.0.0.0:80".parse().unwrap());
        for (host, expected) in [
            ("mcp.example", Some(0)),
            ("MCP.example:443", Some(0)),
            ("mcp.example:80", None),
            ("other.example:8443", Some(1)),
            ("other.example", None),
            ("proxy.internal:99", Some(0)),
            ("pinned.internal:81", Some(0)),
            ("pinned.internal", None),
            ("localhost", None),
            ("mcp.example.evil", None),
        ] {
            assert_eq!(site(&hosts, host), expected, "{host}");
        }
    }

    #[test]
    fn loopback_names_are_ours_when_bound_to_loopback() {
        let global = "https://mcp.example".parse().unwrap();
        let hosts = Hosts::new(&[&global], &[], "127.0.0.1:8080".parse().unwrap());
        for host in ["localhost:8080", "127.0.0.1:1", "[::1]:8080"] {
            assert_eq!(site(&hosts, host), Some(0), "{host}");
        }
        assert_eq!(site(&hosts, "localhost.evil"), None);
    }
}
