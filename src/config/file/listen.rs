//! `listen`, `admin`, `telemetry` and `sessions` as written.

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
        /// The IP address and port that clients reach. `--listen` and `GATEHOUSE_LISTEN_ADDRESS` win
        /// over it; a change needs a restart.
        address: Address = "127.0.0.1:8080",
        /// TLS towards clients; without it the listener speaks plain HTTP/1.1 and HTTP/2. To begin
        /// or to stop using it needs a restart.
        tls: Option<ListenTls> = null,
        /// Networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
        trusted_proxies: Vec<Placed<Network>> = [],
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
        /// Bytes of a whole request head.
        /// From 8192 to 1048576; a larger one is 431, and so is one with more than 100 fields.
        max_header_bytes: Count = 32_768,
        /// Bytes of a JSON-RPC request body, 1 to 1073741824; a larger one is 413. On routes with
        /// rules a body is held in memory as a whole.
        max_body_bytes: Count = 4_194_304,
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
    }
    later ["token_file"]
}

section! {
    /// Logs.
    Telemetry {
        /// How log lines are written, to standard output.
        log: Log = {},
        /// Whether each request is logged, with one line at level info. Refusals too are then
        /// visible in the metrics alone when this is off.
        access_log: Switch = true,
    }
    later ["traces"]
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
