//! `listen`, `admin`, `telemetry` and `sessions` as written.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::Traces;
use crate::{
    config::{
        node::{Kind, Node},
        reader::{At, Placed, Read, Source},
        settings::{AllowedHost, AllowedOrigin},
        values::{
            Address, AuditPath, CertificateFile, Count, LogLevel, Named, Network, PrivateKeyFile,
            SecretFile, SecretText, ServerCertificateFile, Span, StandardOutput, Switch,
        },
    },
    logging::LogFormat,
};

section! {
    /// The public listener.
    Listen {
        /// The IP address and port that clients reach. `--listen` and `GATEHOUSE_LISTEN_ADDRESS` win
        /// over it; a change needs a restart.
        address: Address = "127.0.0.1:8080",
        /// TLS towards clients; without it the listener speaks plain HTTP/1.1 and HTTP/2. To begin
        /// or to stop using it needs a restart.
        tls: Option<ListenTls> = null,
        /// Networks whose `X-Forwarded-For`, `X-Forwarded-Proto` and `Forwarded` (RFC 7239) are
        /// believed. A request with `X-Forwarded-For` and `Forwarded` that name different clients
        /// is refused: have the proxy remove the one that it does not write.
        trusted_proxies: Vec<Placed<Network>> = [],
        /// Networks of load balancers that begin each connection with a PROXY header (version 1 or
        /// 2): the address it names becomes the peer's. A connection from them without a header is
        /// closed; from elsewhere none is read.
        proxy_protocol: Vec<Placed<Network>> = [],
        /// What one peer may cost.
        limits: Limits = {},
        /// How long SIGTERM waits for requests and streams before it cuts them; 0s to 1h.
        drain_timeout: Span = "30s",
        /// Web origins whose pages may call MCP routes, besides the public URLs' own and, when
        /// these are loopback, loopback origins of any port. A request with another `Origin` is
        /// refused with 403. `*` allows all, and warns.
        allowed_origins: Vec<Placed<AllowedOrigin>> = [],
        /// Host names served besides those of the public URLs and, when bound to loopback, its
        /// names; others are refused with 421. A name without port matches any port; `*` allows all
        /// of them, so that DNS rebinding is not noticed, and warns.
        allowed_hosts: Vec<Placed<AllowedHost>> = [],
    }
}

section! {
    /// TLS towards clients: versions 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN. The files are
    /// followed: what changes in them is put in force without a restart.
    ListenTls {
        /// A PEM file with the gateway's certificate first, then the intermediate ones that lead to
        /// its issuer. One that has ended is refused.
        certificate: ServerCertificateFile,
        /// A PEM file with the certificate's private key; one that every user of the machine may
        /// read warns.
        private_key: Named<PrivateKeyFile>,
        /// A PEM file with the authorities of clients' certificates. Clients are then asked for one,
        /// and one that does not verify ends the handshake; it identifies nobody to rules.
        client_ca: Option<Named<CertificateFile>> = null,
        /// Whether a client without a certificate is turned away; needs `client_ca`.
        require_client_certificate: Switch = false,
    }
}

section! {
    /// Bounds on what one peer may cost.
    Limits {
        /// Connections served at once, 1 to 1000000; more are answered 503 and closed.
        max_connections: Count = 10_000,
        /// Of these, from one source: an address, or an IPv6 network of 64 bits; more are answered
        /// 503. Behind a trusted proxy the source is the client it names, and the proxy's own
        /// connections are not counted. By default a quarter of `max_connections`, at least 100.
        max_connections_per_source: Option<Count> = null,
        /// Requests of one source that are being answered, open streams among them; more are
        /// answered 429. By default a quarter of `max_connections`, at least 100.
        max_requests_per_source: Option<Count> = null,
        /// Open streams of one source (a GET, or a subscription); more are answered 429. By default
        /// a quarter of `max_connections`, at least 100.
        max_streams_per_source: Option<Count> = null,
        /// Requests of one principal (issuer, subject and client) that are being answered, open
        /// streams among them; more are answered 429. By default an eighth of `max_connections`, at
        /// least 50.
        max_requests_per_principal: Option<Count> = null,
        /// Open streams of one principal; more are answered 429. By default an eighth of
        /// `max_connections`, at least 50.
        max_streams_per_principal: Option<Count> = null,
        /// Questions about unknown tokens of one source that an authorization server has yet to
        /// answer. More wait for their turn, for half of `introspection.timeout`, and are answered
        /// 429 when it does not come. All sources together may have 512 at each server.
        max_questions_per_source: Count = 128,
        /// Bytes of a whole request head.
        /// From 8192 to 1048576; a larger one is 431, and so is one with more than 100 fields.
        max_header_bytes: Count = 32_768,
        /// Bytes of a JSON-RPC request body, 1 to 1073741824; a larger one is 413. On routes with
        /// rules a body is held in memory as a whole.
        max_body_bytes: Count = 4_194_304,
        /// Bytes of bodies held in memory at once, in the whole process: requests that are read
        /// whole, and lists that are filtered; where there is no room the answer is 503. Those of
        /// one principal take half of it at most, unless it is one body alone.
        max_buffered_bytes: Count = 134_217_728,
        /// Time for a request head to arrive.
        /// From 1ms to 10m, a TLS handshake before it included. A connection that says nothing is
        /// closed, one that says half is answered 408.
        header_timeout: Span = "10s",
        /// Time for a request body to arrive; 1ms to 1h, then 408.
        body_timeout: Span = "30s",
        /// How long a connection is kept open between requests; 1ms to 24h.
        idle_timeout: Span = "75s",
    }
}

section! {
    /// The operators' listener.
    Admin {
        /// The IP address and port of `/livez`, `/readyz` and `/metrics`, without TLS and without a
        /// token: never publish it. On loopback it serves loopback Hosts only. `--admin` and
        /// `GATEHOUSE_ADMIN_ADDRESS` win over it; a change needs a restart.
        address: Address = "127.0.0.1:9464",
        /// The file with the bearer token that allows what changes something here: forgetting what
        /// is remembered of tokens (`POST /tokens/forget`). Without it there is no such path.
        token_file: Option<SecretFile> = null,
    }
}

section! {
    /// Logs.
    Telemetry {
        /// How log lines are written, to standard output.
        log: Log = {},
        /// Whether each request is logged, with one line at level info. Refusals too are then
        /// visible in the metrics alone when this is off.
        access_log: Switch = true,
        /// One line per decision, apart from the log: `stdout`, or an object that names a file.
        audit: Option<Audit> = null,
        /// OpenTelemetry traces.
        traces: Traces = {},
    }
}

/// `telemetry.audit`: `stdout`, or the object form.
#[derive(Debug)]
pub(in crate::config) struct Audit(pub(in crate::config) AuditObject);

impl Read for Audit {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        if matches!(at.node.kind, Kind::Mapping(_)) {
            return AuditObject::read(at, source).map(Self);
        }
        StandardOutput::read(at, source)?;
        let empty = Node { mark: at.node.mark, kind: Kind::Mapping(Vec::new()) };
        AuditObject::read(&At { node: &empty, ..at.clone() }, source).map(Self)
    }
}

impl JsonSchema for Audit {
    fn schema_name() -> Cow<'static, str> {
        "Audit".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let word = generator.subschema_for::<StandardOutput>();
        let object = generator.subschema_for::<AuditObject>();
        json_schema!({ "anyOf": [word, object] })
    }
}

section! {
    /// The audit stream: one JSON line per decision about a request.
    AuditObject {
        /// The file to append to, created for its owner alone and opened anew on SIGUSR1; standard
        /// output without one.
        file: Option<AuditPath> = null,
        /// Adds the client's address to each line.
        client_address: Switch = false,
    }
}

section! {
    /// How log lines are written.
    Log {
        /// `json`: one JSON object a line. `pretty`: a form for people. A change needs a restart.
        format: LogFormat = "json",
        /// The least severity that is written. A change needs a restart.
        level: LogLevel = "info",
    }
}

section! {
    /// Keys that seal session references; the same keys on every replica let any of them serve
    /// any session. Without keys, a random one per process.
    Sessions {
        /// Secrets of 32 random bytes or more in base64url, newest first: the first seals, all
        /// open. `openssl rand -base64 32 | tr '+/' '-_'` makes one. Best from a variable.
        keys: Vec<Placed<SecretText>> = [],
        /// The same, one file each; they follow `keys`. They are read again when they change.
        key_files: Vec<Placed<SecretFile>> = [],
    }
}
