//! An entry of `routes` as written, and its upstream.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Rule, RuleTest, UnlistedTools};
use crate::{
    config::{
        glob::Glob,
        node::{Kind, Node},
        reader::{At, Entries, Json, Placed, Read, Source},
        settings::{AudienceMatch, FilterLists, RateLimitBy},
        values::{AccessKind, Count, SecretFile, SecretText, Span, Switch, Text},
        web::{HostHeader, Name, RoutePath, UpstreamUrl},
    },
    oauth::{PublicOrigin, ResourceIdentifier, ScopeToken},
};

section! {
    /// One MCP server and who may use it.
    Route {
        /// The path clients use; a lone trailing slash is the same path. Nothing else below it is
        /// served but what the gateway itself has there.
        path: RoutePath,
        /// Forwards all below the path too, appended to the upstream's; the longest matching route
        /// wins. Whatever lives there is open to the route's scopes, and sessions in paths and
        /// queries are bound to nobody: it warns.
        forward_subpaths: Switch = false,
        /// The origin of this route, when not the global one; then the `Host` must match it.
        public_url: Option<PublicOrigin> = null,
        /// Where requests go: a URL, or an object with more to say.
        upstream: Upstream,
        /// `protected`: every request needs a token, but for `anonymous_methods`. `public`: none
        /// does, none is looked at, and no metadata is published.
        access: AccessKind = "protected",
        /// The authorization servers whose tokens are taken, in the order in which they are asked
        /// about opaque ones; by default the only one. Each hears of the opaque tokens of those
        /// behind it.
        authorization_servers: Option<Vec<Placed<Name>>> = null,
        /// The resource identifier (RFC 8707), what clients ask tokens for; by default the public
        /// URL and path without trailing slash.
        resource: Option<ResourceIdentifier> = null,
        /// Accepted `aud` values, one of which a token must have; by default the resource
        /// identifier. Never list one that is in the tokens of every application.
        audiences: Vec<Placed<Text>> = [],
        /// How `aud` is compared. `exact`: byte for byte. `prefix`: an `aud` that is a whole-segment
        /// prefix of the resource also counts. `client_id`: `aud` holds the token's own client, and
        /// warns. `off`: not at all, so that any token of the server opens the route, and warns.
        audience_match: AudienceMatch = "exact",
        /// Takes `Authorization: Basic` of service accounts: their client id and secret are
        /// exchanged for a token of theirs at the first authorization server with a token endpoint.
        basic_client_credentials: Switch = false,
        /// How many requests each caller may make in a time; by default as many as come.
        rate_limit: Option<RateLimit> = null,
        /// Scopes that every request needs, all of them; empty: any token for this resource.
        required_scopes: Vec<Placed<ScopeToken>> = [],
        /// Scopes that the metadata publishes; by default the required ones. `offline_access` does
        /// not belong here.
        scopes_supported: Option<Vec<Placed<ScopeToken>>> = null,
        /// JSON-RPC methods that need no token, as patterns. A token that is shown must be good all
        /// the same.
        anonymous_methods: Vec<Placed<Glob>> = [],
        /// What tools demand, by patterns over their names: scopes, all required, or an object.
        tools: Entries<Rule> = {},
        /// What prompts demand, by patterns over their names, for getting and completing.
        prompts: Entries<Rule> = {},
        /// What resources demand, by patterns over their whole URIs, for reading, subscribing,
        /// unsubscribing and completing; escapes, fragments and the queries of files make no
        /// difference. `note:a` does not match `note:a?x`: write `note:a*` where the upstream takes a
        /// query.
        resources: Entries<Rule> = {},
        /// What JSON-RPC methods demand, by patterns over their names.
        methods: Entries<Rule> = {},
        /// Tools that no pattern names: `allow` (they need the route's scopes) or `deny`, or an object
        /// that also says what a refusal looks like.
        unlisted_tools: UnlistedTools = "allow",
        /// What lists leave out: what no scope could open (`denied`), also what the token lacks
        /// scopes for (`scopes`), or nothing (`off`).
        filter_lists: FilterLists = "denied",
        /// Adds to tools in lists the scopes they need, as `securitySchemes` and in `_meta`.
        annotate_tools: Switch = false,
        /// Judges and logs, and refuses nothing for want of scopes or claims: to try rules out. It warns;
        /// `deny` and bad tokens are refused all the same.
        shadow: Switch = false,
        /// Rule tests, run by `gatehouse check` and whenever the file is read: a failing one refuses
        /// the file.
        tests: Vec<Placed<RuleTest>> = [],
        /// Further fields of the protected resource metadata (RFC 9728), such as `resource_name`.
        metadata: Entries<Json> = {},
        /// Mirrors the authorization server's metadata at our origin for clients of 2025-03-26,
        /// which know no protected resource metadata.
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
        /// Headers set on every request, replacing a client's, in any spelling (`-` and `_` are
        /// alike). For credentials of the upstream, from a variable or a file.
        headers: Entries<Header> = {},
        /// `Host` sent upstream, when not the URL's own authority. Servers that check it against
        /// DNS rebinding want their own.
        host: Option<HostHeader> = null,
        /// Time for the connection to be made; 1ms to 5m, then 502.
        connect_timeout: Span = "5s",
        /// Time for the response head to arrive; 1ms to 24h, then 504. Streams have no total limit.
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
