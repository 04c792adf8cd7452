//! An entry of `routes` as written, and its upstream.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Rule, RuleTest};
use crate::{
    config::{
        glob::Glob,
        node::{Kind, Node},
        reader::{At, Entries, Json, Placed, Read, Source},
        settings::{AudienceMatch, FilterLists, RateLimitBy},
        values::{AccessKind, Count, SecretFile, SecretText, Span, Switch, Text, UnlistedTools},
        web::{HostHeader, Name, RoutePath, UpstreamUrl},
    },
    oauth::{PublicOrigin, ResourceIdentifier, ScopeToken},
};

section! {
    /// One MCP server and who may use it.
    Route {
        /// The path clients use; a lone trailing slash is the same path.
        path: RoutePath,
        /// Forwards all below the path too. Whatever lives there is open to the route's scopes.
        forward_subpaths: Switch = false,
        /// The origin of this route, when not the global one; then the Host must match it.
        public_url: Option<PublicOrigin> = null,
        /// Where requests go: a URL, or an object with more to say.
        upstream: Upstream,
        /// Whether a token is required.
        access: AccessKind = "protected",
        /// The authorization servers whose tokens are taken, in the order in which they are asked
        /// about opaque ones; by default the only one.
        authorization_servers: Option<Vec<Placed<Name>>> = null,
        /// The resource identifier; by default the public URL and path without trailing slash.
        resource: Option<ResourceIdentifier> = null,
        /// Accepted `aud` values; by default the resource identifier.
        audiences: Vec<Placed<Text>> = [],
        /// How `aud` is compared.
        audience_match: AudienceMatch = "exact",
        /// Takes `Authorization: Basic` of service accounts: their client id and secret are
        /// exchanged for a token of theirs at the authorization server.
        basic_client_credentials: Switch = false,
        /// How many requests each caller may make in a time; by default as many as come.
        rate_limit: Option<RateLimit> = null,
        /// Scopes that every request needs, all of them; empty: any token for this resource.
        required_scopes: Vec<Placed<ScopeToken>> = [],
        /// Scopes that are published; by default the required ones.
        scopes_supported: Option<Vec<Placed<ScopeToken>>> = null,
        /// JSON-RPC methods that need no token, as patterns.
        anonymous_methods: Vec<Placed<Glob>> = [],
        /// What tools demand, by patterns over their names: scopes, all required, or an object.
        tools: Entries<Rule> = {},
        /// What prompts demand, by patterns over their names.
        prompts: Entries<Rule> = {},
        /// What resources demand, by patterns over their URIs.
        resources: Entries<Rule> = {},
        /// What methods demand, by patterns over their names.
        methods: Entries<Rule> = {},
        /// Tools that no pattern names: `allow` or `deny`.
        unlisted_tools: UnlistedTools = "allow",
        /// What lists leave out: what no scope could open (`denied`), also what the token lacks
        /// scopes for (`scopes`), or nothing (`off`).
        filter_lists: FilterLists = "denied",
        /// Adds to tools in lists the scopes they need.
        annotate_tools: Switch = false,
        /// Judges and logs, and refuses nothing for want of scopes.
        shadow: Switch = false,
        /// Rule tests, run whenever the file is read.
        tests: Vec<Placed<RuleTest>> = [],
        /// Further fields of the protected resource metadata (RFC 9728).
        metadata: Entries<Json> = {},
        /// Mirrors the authorization server's metadata at our origin for clients of 2025-03-26.
        legacy_metadata: Switch = false,
    }
    later ["require_bound_tokens", "acr_values", "max_auth_age"]
}

section! {
    /// How many requests a caller may make: `requests` in each `per`, evenly, and `burst` at once.
    /// More are answered 429 with the time to wait.
    RateLimit {
        /// Requests in each `per`.
        requests: Count,
        /// The time they are for.
        per: Span = "1s",
        /// How many may come at once after a pause; by default as many as `requests`.
        burst: Option<Count> = null,
        /// Who is limited: a subject, a client, or the address that requests come from (an IPv6
        /// network of 64 bits). By default the subject; on a public route the address. A token
        /// without subject or client counts for its principal, a request without token for its
        /// address.
        by: Option<RateLimitBy> = null,
    }
}

/// `upstream`: a URL alone, or the object form.
#[derive(Debug)]
pub(in crate::config) struct Upstream {
    /// The URL, when it stands alone.
    pub(in crate::config) alone: Option<Placed<UpstreamUrl>>,
    pub(in crate::config) rest: UpstreamObject,
}

impl Read for Upstream {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        if matches!(at.node.kind, Kind::Mapping(_)) {
            let rest = UpstreamObject::read(at, source)?;
            return Some(Self { alone: None, rest });
        }
        let value = UpstreamUrl::read(at, source)?;
        let alone = Placed { value, place: at.place(), is_written: true };
        let rest = Node { mark: at.node.mark, kind: Kind::Mapping(Vec::new()) };
        let rest = UpstreamObject::read(&At { node: &rest, ..at.clone() }, source)?;
        Some(Self { alone: Some(alone), rest })
    }
}

impl JsonSchema for Upstream {
    fn schema_name() -> Cow<'static, str> {
        "Upstream".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let url = generator.subschema_for::<UpstreamUrl>();
        let object = generator.subschema_for::<UpstreamObject>();
        json_schema!({ "anyOf": [url, object] })
    }
}

section! {
    /// Where and how requests are forwarded.
    UpstreamObject {
        /// The URL of the MCP server; exactly one.
        urls: Vec<Placed<UpstreamUrl>> = [],
        /// Headers set on every request, replacing a client's.
        headers: Entries<Header> = {},
        /// `Host` sent upstream, when not the URL's own authority.
        host: Option<HostHeader> = null,
        /// Time for the connection to be made.
        connect_timeout: Span = "5s",
        /// Time for the response head to arrive; streams have no total limit.
        response_timeout: Span = "300s",
    }
    later ["token", "exchange", "identity_headers", "assertion", "stream_idle_timeout", "tls"]
}

/// The value of a header, which may be a secret: a text, or the file that holds it.
#[derive(Debug)]
pub(in crate::config) enum Header {
    File(HeaderFile),
    Text(SecretText),
}

section! {
    /// A header whose value is in a file.
    HeaderFile {
        /// The file; a trailing line break is dropped.
        file: SecretFile,
    }
}

impl Read for Header {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        if matches!(at.node.kind, Kind::Mapping(_)) {
            HeaderFile::read(at, source).map(Self::File)
        } else {
            SecretText::read(at, source).map(Self::Text)
        }
    }
}

impl JsonSchema for Header {
    fn schema_name() -> Cow<'static, str> {
        "Header".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let text = generator.subschema_for::<SecretText>();
        let file = generator.subschema_for::<HeaderFile>();
        json_schema!({ "anyOf": [text, file] })
    }
}
