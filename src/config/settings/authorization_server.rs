//! What an entry of `authorization_servers` compiles to.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};
use url::Url;

use crate::oauth::{
    AssertionKey, BearerToken, ClientId, Issuer, PrivateKeyPem, Secret, SignatureAlgorithm,
};

/// One entry of `authorization_servers`.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthorizationServerSettings {
    /// The key under `authorization_servers`: metrics label and log field.
    pub name: Box<str>,
    /// The issuer, byte for byte as configured.
    pub issuer: Issuer,
    /// Where its metadata is, when not where discovery looks.
    pub metadata_url: Option<Url>,
    /// Fields that replace or complete the discovered document.
    pub metadata: Map<String, Value>,
    /// How its access tokens are judged.
    pub access_tokens: AccessTokens,
    /// For `exp` of JWTs and for `nbf` and `iat` of every token.
    pub clock_skew: Duration,
    /// How we authenticate at the introspection endpoint.
    pub client: ClientAuthentication,
    /// `introspection`.
    pub introspection: IntrospectionSettings,
    /// `jwt`: how tokens that are JWTs are verified.
    pub jwt: JwtSettings,
    /// `claims`: where to read what.
    pub claims: ClaimNames,
    /// `tls.ca`: PEM bundle that replaces the platform's trust, already read.
    pub tls_ca_pem: Option<Arc<[u8]>>,
    /// Whether `http:` is allowed beyond loopback.
    pub insecure_allow_http: bool,
}

/// `access_tokens`: how the access tokens of a server are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessTokens {
    /// A JWS that names the server is verified here, all else is introspected.
    Auto,
    /// Introspected (RFC 7662).
    Introspection,
    /// Verified here, by the server's key set.
    Jwt,
    /// Shown to the userinfo endpoint (OpenID Connect Core 1.0 section 5.3).
    Userinfo,
}

impl AccessTokens {
    /// Whether tokens are asked about at the server.
    pub fn are_asked_about(self) -> bool {
        matches!(self, Self::Auto | Self::Introspection | Self::Userinfo)
    }

    /// Whether tokens are introspected.
    pub fn are_introspected(self) -> bool {
        matches!(self, Self::Auto | Self::Introspection)
    }

    /// Whether tokens are verified here.
    pub fn are_verified_here(self) -> bool {
        matches!(self, Self::Auto | Self::Jwt)
    }

    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Introspection => "introspection",
            Self::Jwt => "jwt",
            Self::Userinfo => "userinfo",
        }
    }
}

/// `client`: how the gateway authenticates at the introspection endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// HTTP Basic with form-encoded credentials (RFC 6749 section 2.3.1).
    ClientSecretBasic {
        /// Our client identifier.
        id: ClientId,
        /// Our client secret.
        secret: Secret,
    },
    /// A fixed bearer token in the `Authorization` header (RFC 7662 section 2.1); the identifier is
    /// sent in the form when there is one.
    Bearer {
        /// Our client identifier.
        id: Option<ClientId>,
        /// The token.
        token: BearerToken,
    },
    /// An assertion signed with our secret, HS256 (RFC 7523 section 2.2, OpenID Connect Core
    /// section 9).
    ClientSecretJwt {
        /// Our client identifier.
        id: ClientId,
        /// Our client secret, of at least 32 bytes.
        secret: Secret,
        /// Whom assertions are meant for.
        audience: AssertionAudience,
    },
    /// Credentials in the form body (RFC 6749 section 2.3.1).
    ClientSecretPost {
        /// Our client identifier.
        id: ClientId,
        /// Our client secret.
        secret: Secret,
    },
    /// No authentication; the identifier is sent in the form when there is one.
    None {
        /// Our client identifier.
        id: Option<ClientId>,
    },
    /// An assertion signed with our private key (RFC 7523 section 2.2, OpenID Connect Core
    /// section 9).
    PrivateKeyJwt {
        /// Our client identifier.
        id: ClientId,
        /// The key; its public half is published.
        key: Arc<AssertionKey>,
        /// Whom assertions are meant for.
        audience: AssertionAudience,
    },
    /// A certificate shown in the TLS handshake (RFC 8705 section 2); the identifier is sent in the
    /// form.
    TlsClientAuth {
        /// Our client identifier.
        id: ClientId,
        /// The certificate chain and its key.
        identity: TlsIdentity,
    },
}

/// `client.assertion_audience`: `aud` of our assertions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssertionAudience {
    /// The URL of the endpoint that the assertion is sent to.
    Endpoint,
    /// The issuer identifier.
    Issuer,
}

/// A certificate chain and its private key, which is known to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsIdentity {
    /// PEM certificates, the client's own first.
    pub certificates: Arc<[u8]>,
    /// The PEM file with the private key.
    pub private_key: PrivateKeyPem,
}

impl ClientAuthentication {
    /// The method's name (RFC 7591 section 2).
    pub fn method(&self) -> &'static str {
        match self {
            Self::Bearer { .. } => "bearer",
            Self::ClientSecretBasic { .. } => "client_secret_basic",
            Self::ClientSecretJwt { .. } => "client_secret_jwt",
            Self::ClientSecretPost { .. } => "client_secret_post",
            Self::None { .. } => "none",
            Self::PrivateKeyJwt { .. } => "private_key_jwt",
            Self::TlsClientAuth { .. } => "tls_client_auth",
        }
    }

    /// Whether the connection shows a certificate of ours.
    pub fn shows_certificate(&self) -> bool {
        matches!(self, Self::TlsClientAuth { .. })
    }
}

/// `introspection` (RFC 7662).
#[derive(Clone, Debug, PartialEq)]
pub struct IntrospectionSettings {
    /// For the whole call.
    pub timeout: Duration,
    /// Whether `token_type_hint=access_token` is sent (RFC 7662 section 2.1).
    pub sends_token_type_hint: bool,
    /// `iss` values accepted besides the issuer's own.
    pub accepted_issuers: Vec<Box<str>>,
    /// How long an active answer is believed, at most until `exp`.
    pub cache_ttl: Duration,
    /// How long an inactive answer is believed.
    pub cache_negative_ttl: Duration,
    /// Active answers remembered; inactive ones are bounded apart by the same number.
    pub cache_max_entries: u64,
    /// How long past its TTL an active answer may serve while the server fails; zero: not at all.
    pub stale_if_error: Duration,
}

/// `jwt` (RFC 7519, RFC 9068).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtSettings {
    /// What a token may be signed with.
    pub algorithms: Vec<SignatureAlgorithm>,
    /// The `typ` that every token must have, when one is insisted on.
    pub required_type: Option<RequiredTokenType>,
    /// Verified tokens remembered.
    pub cache_max_entries: u64,
}

/// `jwt.required_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequiredTokenType {
    /// `at+jwt` (RFC 9068 section 2.1).
    AtJwt,
}

/// `claims`: names tried in order; the first present wins. One that begins with `/` is a JSON
/// pointer (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    /// Where granted scopes are.
    pub scope: Vec<Box<str>>,
    /// Where the subject is.
    pub subject: Vec<Box<str>>,
    /// Where the client identifier is.
    pub client_id: Vec<Box<str>>,
    /// Further claims that rules of routes name: kept with what is known of a token.
    pub kept: Vec<Box<str>>,
    /// Prefixes with and without which a granted scope counts.
    pub scope_prefixes: Vec<Box<str>>,
}
