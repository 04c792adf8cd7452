//! The configuration file as it is written: its sections, keys and defaults.
//!
//! 1. One list of keys per section (`section!`) yields the type, the reader and the JSON Schema,
//!    so that none of them can know a key the others do not.
//! 2. A key without a default is required. `null` is a value only where it is the default.
//! 3. Keys of later versions are unknown here: nothing is accepted and ignored.
//!
//! Values are judged one by one; what they mean together is for `compile`.

/// Declares a section: documented keys with their types and defaults, and the keys of later
/// versions.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $name:ident {
            $( $(#[doc = $doc:literal])+ $key:ident: $type:ty $(= $default:tt)?, )+
        }
        $(later $later:tt)?
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub(in crate::config) struct $name {
            $(
                $(#[doc = $doc])+
                $(#[schemars(default, extend("default" = $default))])?
                pub(in crate::config) $key: $crate::config::reader::Field<$type>,
            )+
        }

        impl $crate::config::reader::Read for $name {
            fn read(
                at: &$crate::config::reader::At<'_>,
                source: &mut $crate::config::reader::Source<'_>,
            ) -> Option<Self> {
                let mut section = $crate::config::reader::Section::open(at, source)?;
                let read = Self { $( $key: section!(@take section, source, $key $(, $default)?), )+ };
                let later: &[&str] = section!(@later $($later)?);
                section.finish(later, source);
                Some(read)
            }
        }
    };
    (@later) => { &[] };
    (@later $later:tt) => { &$later };
    (@take $section:ident, $source:ident, $key:ident) => {
        $section.required(stringify!($key), $source)
    };
    (@take $section:ident, $source:ident, $key:ident, $default:tt) => {
        $section.optional(stringify!($key), &serde_json::json!($default), $source)
    };
}

mod authorization_server;
mod listen;
mod route;
mod rules;
mod traces;

pub(super) use authorization_server::{AuthorizationServer, Claims, Client, Introspection, Jwt};
pub(super) use listen::{Admin, Audit, Limits, Listen, ListenTls, Sessions, Telemetry};
pub(super) use route::{Header, Route, Upstream};
pub(super) use rules::{Rule, RuleTest, UnlistedTools};
pub(super) use traces::Traces;

use super::reader::{Entries, Placed};
use crate::oauth::{PublicOrigin, ScopeToken};

section! {
    /// The configuration of Gatehouse, an authenticating reverse proxy in front of MCP servers.
    ConfigFile {
        /// The origin under which clients reach the gateway, such as `https://mcp.example.com`.
        /// Every published URL derives from it, never from a request header.
        public_url: PublicOrigin,
        /// The public listener.
        listen: Listen = {},
        /// The operators' listener: health, metrics and status.
        admin: Admin = {},
        /// Logs and how they are written.
        telemetry: Telemetry = {},
        /// The servers that issue and introspect access tokens, by a name of your choice: it is the
        /// label of metrics, and routes refer to it. Not needed when all routes are public.
        authorization_servers: Entries<AuthorizationServer> = {},
        /// Scopes that stand for others: a broader one and the narrower ones it implies, and
        /// whatever those imply. Circles are an error.
        scope_implies: Entries<Vec<Placed<ScopeToken>>> = {},
        /// Keys that seal session references. Needed when several replicas serve, or when sessions
        /// should survive a restart.
        sessions: Sessions = {},
        /// What is served, by a name of your choice (`[a-z0-9][a-z0-9_-]{0,62}`): it is the label of
        /// metrics, a field of the log, and the realm of challenges. At least one.
        routes: Entries<Route>,
    }
    later ["signing"]
}
