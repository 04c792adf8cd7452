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
        /// Its issuer identifier, byte for byte as `issuer` in its metadata: a slash at the end
        /// matters. It is compared with the metadata, with `iss` of tokens and of introspection
        /// answers, and published. `https:`, but for loopback.
        issuer: Issuer,
        /// Where its metadata is, when not at the well-known places of RFC 8414 and OpenID Connect
        /// Discovery, which are tried in this order.
        metadata_url: Option<HttpUrl> = null,
        /// Metadata fields (`introspection_endpoint`, `jwks_uri`, ...) that replace or complete the
        /// discovered document. When they say all that is needed, nothing is discovered.
        metadata: Entries<Json> = {},
        /// How its access tokens are judged; by default `introspection` when `client` is given, else
        /// `jwt`. `introspection`: the server is asked about each. `jwt`: verified here by its key
        /// set, so that a revoked one works until it expires. `auto`: JWTs that name this issuer
        /// verified here, all others asked about. `userinfo`: shown to the userinfo endpoint, which
        /// names no audience.
        access_tokens: Option<AccessTokens> = null,
        /// How far its clock may differ from ours, for `exp` of JWTs and of streams, and for `nbf`
        /// and `iat` of every token; 0s to 10m. `exp` of an introspection answer is exact.
        clock_skew: Span = "30s",
        /// How the gateway authenticates at the introspection endpoint. Without it tokens must be
        /// JWTs.
        client: Option<Client> = null,
        /// Token introspection (RFC 7662).
        introspection: Introspection = {},
        /// Tokens that are JWTs.
        jwt: Jwt = {},
        /// Where to read what; the first name that is present wins.
        claims: Claims = {},
        /// TLS towards the server: metadata, key set, introspection, token and userinfo endpoint.
        tls: Tls = {},
        /// Allows `http:` beyond loopback, and warns: tokens and secrets are then readable on the
        /// way, and answers can be forged.
        insecure_allow_http: Switch = false,
    }
}

section! {
    /// The gateway as a client of the authorization server.
    Client {
        /// The client identifier; optional when `authentication` is `none` or `bearer`.
        id: Option<Text> = null,
        /// The client secret; best from a variable, or in `secret_file`. 32 bytes or more for
        /// `client_secret_jwt`.
        secret: Option<SecretText> = null,
        /// A file with the client secret; a trailing line break is dropped. It is read again when it
        /// changes.
        secret_file: Option<SecretFile> = null,
        /// A PEM file with the private key of `private_key_jwt` (RSA, P-256 or Ed25519; the public
        /// half is published at `/.well-known/jwks.json`) or `tls_client_auth`.
        private_key_file: Option<PrivateKeyFile> = null,
        /// A PEM file with the certificate of `tls_client_auth`, and what leads to its issuer.
        certificate_file: Option<CertificateFile> = null,
        /// A file with the token of `bearer`.
        token_file: Option<SecretFile> = null,
        /// The name that the server has for the key of `private_key_jwt`, where it gave it one
        /// itself; otherwise the key's thumbprint (RFC 7638) is its `kid`.
        key_id: Option<Text> = null,
        /// How the credentials are sent; never guessed. `client_secret_basic`, `client_secret_post`:
        /// the secret in a header, or in the form. `client_secret_jwt`, `private_key_jwt`: an
        /// assertion signed with it, or with the private key. `tls_client_auth`: the certificate.
        /// `bearer`: the token of `token_file`. `none`: nothing more than the `id`.
        authentication: AuthenticationMethod = "client_secret_basic",
        /// `aud` of the assertions of `client_secret_jwt` and `private_key_jwt`: the issuer, or,
        /// for a server that does not take it, the URL of the endpoint.
        assertion_audience: AssertionAudience = "issuer",
    }
}

section! {
    /// Token introspection.
    Introspection {
        /// Time for the whole call, 1ms to 1m; after it the request is answered 503, not 401.
        timeout: Span = "5s",
        /// What the server is told of the tokens it is asked about (`token_type_hint`), when it
        /// wants to know.
        token_type_hint: Option<TokenTypeHint> = null,
        /// `iss` values accepted in answers besides the issuer's own, such as one with a trailing
        /// slash.
        accepted_issuers: Vec<Placed<Text>> = [],
        /// What is remembered of answers, each by a digest of the whole token.
        cache: IntrospectionCache = {},
    }
}

section! {
    /// What is remembered of introspection answers.
    IntrospectionCache {
        /// How long an active answer is believed, at most until the token expires: a revoked token
        /// works that long. 0s to 24h; 0s asks about every request.
        ttl: Span = "60s",
        /// How long an inactive answer is believed: that long a token is refused that became active
        /// after it was first shown. 0s to 10m.
        negative_ttl: Span = "10s",
        /// Answers remembered, active and inactive ones each, 1 to 100000000; the least used go.
        max_entries: Count = 100_000,
        /// How long past its `ttl` an active answer serves while the server fails, at most until the
        /// token expires; 0s: not at all, and a request is then answered 503.
        stale_if_error: Span = "0s",
    }
}

section! {
    /// Tokens that are JWTs.
    Jwt {
        /// What they may be signed with. `none` and the HMAC algorithms cannot be allowed; each key
        /// verifies what fits its type alone.
        algorithms: Vec<Placed<SignatureAlgorithm>> = [
            "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
        ],
        /// `at+jwt` insists on tokens typed as RFC 9068 has it. Without it those of other types
        /// (ID tokens, refresh tokens) are refused where they can be told.
        required_type: Option<RequiredTokenType> = null,
        /// What is remembered of verified tokens.
        cache: JwtCache = {},
    }
}

section! {
    /// What is remembered of verified tokens.
    JwtCache {
        /// Tokens remembered, each until it expires or its key leaves the key set.
        max_entries: Count = 100_000,
    }
}

section! {
    /// Names of claims; one that begins with `/` is a JSON pointer (RFC 6901).
    Claims {
        /// Where granted scopes are: a text with spaces between them, or a list with one each.
        scope: Vec<Placed<Text>> = ["scope", "scp"],
        /// Where the subject is: who the user is, for the log, for sessions, and for streams.
        subject: Vec<Placed<Text>> = ["sub"],
        /// Where the client identifier is: with issuer and subject it makes the principal.
        client_id: Vec<Placed<Text>> = ["client_id", "azp", "cid"],
        /// Prefixes with and without which a granted scope counts, such as `api://notes/`.
        scope_prefixes: Vec<Placed<ScopeToken>> = [],
    }
}

section! {
    /// TLS towards an authorization server or a collector.
    Tls {
        /// A file of PEM certificates trusted instead of the platform's, for a private authority.
        ca: Option<CertificateFile> = null,
    }
}
