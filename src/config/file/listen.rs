//! `listen`, `admin`, `telemetry` and `sessions` as written.

use super::Traces;
use crate::{
    config::{
        reader::Placed,
        settings::{AllowedHost, AllowedOrigin},
        values::{
            Address, CertificateFile, Count, LogLevel, Named, Network, PrivateKeyFile, SecretFile,
            SecretText, ServerCertificateFile, Span, Switch,
        },
    },
    logging::LogFormat,
};

section! {
    /// The public listener.
    Listen {
        /// The address to listen on.
        address: Address = "127.0.0.1:8080",
        /// TLS towards clients; without it the listener speaks plain HTTP/1.1 and HTTP/2.
        tls: Option<ListenTls> = null,
        /// Networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
        trusted_proxies: Vec<Placed<Network>> = [],
        /// What one peer may cost.
        limits: Limits = {},
        /// How long a graceful stop waits for requests and streams.
        drain_timeout: Span = "30s",
        /// Web origins whose pages may call MCP routes, besides the public URLs' own and, when
        /// these are loopback, loopback origins of any port. `*` allows all.
        allowed_origins: Vec<Placed<AllowedOrigin>> = [],
        /// Host names served besides those of the public URLs and, when bound to loopback, its
        /// names. A name without port matches any port; `*` allows all.
        allowed_hosts: Vec<Placed<AllowedHost>> = [],
    }
}

section! {
    /// TLS towards clients: versions 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN. The files are
    /// followed: what changes in them is put in force without a restart.
    ListenTls {
        /// A PEM file with the gateway's certificate, and what leads to its issuer.
        certificate: ServerCertificateFile,
        /// A PEM file with the certificate's private key.
        private_key: Named<PrivateKeyFile>,
        /// A PEM file with the authorities of clients' certificates; clients are asked for one.
        client_ca: Option<Named<CertificateFile>> = null,
        /// Whether a client must have one.
        require_client_certificate: Switch = false,
    }
}

section! {
    /// Bounds on what one peer may cost.
    Limits {
        /// Connections served at once; more are answered 503.
        max_connections: Count = 10_000,
        /// Bytes of a whole request head.
        max_header_bytes: Count = 32_768,
        /// Bytes of a JSON-RPC request body.
        max_body_bytes: Count = 4_194_304,
        /// Time for a request head to arrive.
        header_timeout: Span = "10s",
        /// Time for a request body to arrive.
        body_timeout: Span = "30s",
        /// How long a connection is kept between requests.
        idle_timeout: Span = "75s",
    }
}

section! {
    /// The operators' listener.
    Admin {
        /// The address to listen on; on loopback it serves loopback Hosts only.
        address: Address = "127.0.0.1:9464",
    }
    later ["token_file"]
}

section! {
    /// Logs.
    Telemetry {
        /// Log lines.
        log: Log = {},
        /// Whether each request is logged.
        access_log: Switch = true,
        /// OpenTelemetry traces.
        traces: Traces = {},
    }
}

section! {
    /// How log lines are written.
    Log {
        /// One JSON object a line, or a form for people.
        format: LogFormat = "json",
        /// The least severity that is written.
        level: LogLevel = "info",
    }
}

section! {
    /// Keys that seal session references; the same keys on every replica let any of them serve
    /// any session. Without keys, a random one per process.
    Sessions {
        /// Secrets of 32 random bytes or more in base64url, newest first.
        keys: Vec<Placed<SecretText>> = [],
        /// The same, one file each; they follow `keys`.
        key_files: Vec<Placed<SecretFile>> = [],
    }
}
