//! An entry of `authorization_servers` as written.

use crate::{
    config::{
        reader::{Entries, Json, Placed},
        settings::{AccessTokens, AssertionAudience, RequiredTokenType},
        values::{
            AuthenticationMethod, CertificateFile, Count, PrivateKeyFile, SecretFile, SecretText,
            Span, Switch, Text, TokenTypeHint,
        },
        web::HttpUrl,
    },
    oauth::{Issuer, ScopeToken, SignatureAlgorithm},
};

section! {
    /// A server that issues access tokens.
    AuthorizationServer {
        /// Its issuer identifier, byte for byte as its metadata has it.
        issuer: Issuer,
        /// Where its metadata is, when not at the well-known places of RFC 8414 and OpenID Connect.
        metadata_url: Option<HttpUrl> = null,
        /// Metadata fields that replace or complete the discovered document, or all of it.
        metadata: Entries<Json> = {},
        /// How its access tokens are judged: `introspection` when `client` is given, else `jwt`.
        access_tokens: Option<AccessTokens> = null,
        /// How far its clock may differ from ours.
        clock_skew: Span = "30s",
        /// How the gateway authenticates at the introspection endpoint.
        client: Option<Client> = null,
        /// Token introspection (RFC 7662).
        introspection: Introspection = {},
        /// Tokens that are JWTs.
        jwt: Jwt = {},
        /// Where to read what; the first name that is present wins.
        claims: Claims = {},
        /// TLS towards the server.
        tls: Tls = {},
        /// Allows `http:` beyond loopback. Tokens and secrets are then readable on the way.
        insecure_allow_http: Switch = false,
    }
}

section! {
    /// The gateway as a client of the authorization server.
    Client {
        /// The client identifier; optional when `authentication` is `none` or `bearer`.
        id: Option<Text> = null,
        /// The client secret.
        secret: Option<SecretText> = null,
        /// A file with the client secret.
        secret_file: Option<SecretFile> = null,
        /// A PEM file with the private key of `private_key_jwt` or `tls_client_auth`.
        private_key_file: Option<PrivateKeyFile> = null,
        /// A PEM file with the certificate of `tls_client_auth`, and what leads to its issuer.
        certificate_file: Option<CertificateFile> = null,
        /// A file with the token of `bearer`.
        token_file: Option<SecretFile> = null,
        /// The name that the server has for the key of `private_key_jwt`, where it gave it one
        /// itself; otherwise the key's thumbprint (RFC 7638) is its `kid`.
        key_id: Option<Text> = null,
        /// How the credentials are sent.
        authentication: AuthenticationMethod = "client_secret_basic",
        /// `aud` of the assertions of `client_secret_jwt` and `private_key_jwt`: the issuer, or,
        /// for a server that does not take it, the URL of the endpoint.
        assertion_audience: AssertionAudience = "issuer",
    }
}

section! {
    /// Token introspection.
    Introspection {
        /// Time for the whole call.
        timeout: Span = "5s",
        /// What the server is told of the tokens it is asked about, when it wants to know.
        token_type_hint: Option<TokenTypeHint> = null,
        /// `iss` values accepted in answers besides the issuer's own.
        accepted_issuers: Vec<Placed<Text>> = [],
        /// What is remembered of answers.
        cache: IntrospectionCache = {},
    }
}

section! {
    /// What is remembered of introspection answers.
    IntrospectionCache {
        /// How long an active answer is believed, at most until the token expires.
        ttl: Span = "60s",
        /// How long an inactive answer is believed.
        negative_ttl: Span = "10s",
        /// Answers remembered, active and inactive ones each.
        max_entries: Count = 100_000,
        /// How long past its ttl an active answer serves while the server fails; 0s: not at all.
        stale_if_error: Span = "0s",
    }
}

section! {
    /// Tokens that are JWTs.
    Jwt {
        /// What they may be signed with.
        algorithms: Vec<Placed<SignatureAlgorithm>> = [
            "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
        ],
        /// `at+jwt` insists on tokens typed as RFC 9068 has it.
        required_type: Option<RequiredTokenType> = null,
        /// What is remembered of verified tokens.
        cache: JwtCache = {},
    }
}

section! {
    /// What is remembered of verified tokens.
    JwtCache {
        /// Tokens remembered, each until it expires.
        max_entries: Count = 100_000,
    }
}

section! {
    /// Names of claims; one that begins with `/` is a JSON pointer (RFC 6901).
    Claims {
        /// Where granted scopes are.
        scope: Vec<Placed<Text>> = ["scope", "scp"],
        /// Where the subject is.
        subject: Vec<Placed<Text>> = ["sub"],
        /// Where the client identifier is.
        client_id: Vec<Placed<Text>> = ["client_id", "azp", "cid"],
        /// Prefixes with and without which a granted scope counts, such as `api://notes/`.
        scope_prefixes: Vec<Placed<ScopeToken>> = [],
    }
}

section! {
    /// TLS towards an authorization server or a collector.
    Tls {
        /// A file of PEM certificates trusted instead of the platform's.
        ca: Option<CertificateFile> = null,
    }
}
