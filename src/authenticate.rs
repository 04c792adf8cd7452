//! Authentication: from the credentials of a request to a [`VerifiedToken`].
//!
//! 1. Read one well-formed bearer token, see [`bearer`]. On a route that takes service accounts
//!    client credentials may stand in its place, and are exchanged for one; see `service_account`.
//! 2. Find the authorization server it belongs to, and what that says of it or remembers; which
//!    server hears of which token is decided in `assignment`.
//! 3. Judge that anew on every request: an access token, bound to no key, from an accepted issuer,
//!    for this resource (RFC 8707, RFC 9068 section 4), in time.
//!
//! A [`VerifiedToken`] exists only when all of it held; nothing else constructs one. Scopes are not
//! judged here: a token that expired and is short of scope has expired.

pub mod asker;
pub mod authorization_server;
pub mod background;
pub mod bearer;
pub mod claims;
pub mod client_authentication;
pub mod discovery;
pub mod introspection;
pub mod jwt;
pub mod key_set;
pub mod outbound;
pub mod provider;
pub mod service_account;
pub mod token_cache;
pub mod token_facts;
pub mod token_request;
pub mod userinfo;

mod assignment;
mod basic;
mod client_assertion;
mod judge;
#[cfg(test)]
#[expect(dead_code, reason = "other tests and benches use the rest")]
#[path = "../tests/integration/harness/jwt.rs"]
pub(crate) mod jwt_kit;
pub mod standing;

use std::sync::Arc;

use http::HeaderMap;
use serde_json::Value;

pub use self::judge::{InvalidToken, TokenFault, has_audience};
use self::{
    asker::Asker,
    authorization_server::{AuthorizationServer, Unavailable},
    basic::Credentials,
    bearer::CredentialsError,
    service_account::{AccountError, Wanted},
    token_facts::{Principal, TokenFacts},
};
use crate::{
    clock::Clock,
    config::settings::{AudienceMatch, AuthorizationServerSettings, ProtectedSettings},
    oauth::{BearerToken, ClientId, Issuer, Scope, Subject},
};

/// What one route asks of the tokens it takes.
#[derive(Debug)]
pub struct Authenticator {
    /// The servers whose tokens are taken, in the listed order; at least one.
    servers: Box<[Arc<AuthorizationServer>]>,
    /// `iss` values of all other configured servers.
    elsewhere: Box<[Box<str>]>,
    audiences: Vec<Box<str>>,
    audience_match: AudienceMatch,
    /// What is asked for on behalf of service accounts; nothing when there may be none.
    wanted: Option<Wanted>,
    route: Box<str>,
    clock: Arc<dyn Clock>,
}

/// Proof that a token is active, from an accepted issuer, for this resource and in time.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    identity: TokenIdentity,
    /// The token itself, for what stays open longer than the request.
    token: BearerToken,
}

/// Whose a token is, as its authorization server says; no proof of anything else.
#[derive(Clone, Debug)]
pub struct TokenIdentity {
    facts: Arc<TokenFacts>,
    server: Arc<AuthorizationServer>,
}

/// Why a request is not authenticated.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// No usable credentials came.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Client credentials yielded no token.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The token is not acceptable here.
    #[error(transparent)]
    Invalid(#[from] InvalidToken),
    /// Nobody can say.
    #[error("authorization server {name}: {cause}")]
    Unavailable {
        /// Which server could not be asked.
        name: Box<str>,
        /// Why.
        cause: Unavailable,
    },
}

impl Authenticator {
    /// An authenticator for one protected route, which takes tokens of `servers`, in this order, and
    /// knows of `configured` ones.
    pub fn new(
        route: &str,
        settings: &ProtectedSettings,
        servers: Vec<Arc<AuthorizationServer>>,
        configured: &[Arc<AuthorizationServerSettings>],
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            elsewhere: assignment::issuers_elsewhere(&servers, configured),
            servers: servers.into(),
            audiences: settings.audiences.clone(),
            audience_match: settings.audience_match,
            wanted: Wanted::new(settings),
            route: route.into(),
            clock,
        }
    }

    /// The authorization servers whose tokens are taken.
    pub fn authorization_servers(&self) -> &[Arc<AuthorizationServer>] {
        &self.servers
    }

    /// Turns the credentials of a request into proof, or says why not.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        asker: Asker<'_>,
    ) -> Result<VerifiedToken, AuthenticateError> {
        let Some(wanted) = &self.wanted else {
            return self.verify(bearer::read(headers, query)?, asker).await;
        };
        match basic::read(headers, query)? {
            Credentials::Basic(account) => self.authenticate_account(wanted, &account, asker).await,
            Credentials::Bearer(token) => self.verify(token, asker).await,
        }
    }

    async fn verify(
        &self,
        token: BearerToken,
        asker: Asker<'_>,
    ) -> Result<VerifiedToken, AuthenticateError> {
        let digest = token.digest();
        let identity = match self.recall(&digest) {
            Some(identity) => identity,
            // Boxed: the usual request, answered from memory, need not carry this future.
            None => Box::pin(self.learn(&token, digest, asker)).await,
        }?;
        match self.judge(&identity) {
            Ok(()) => Ok(VerifiedToken { identity, token }),
            Err(invalid) => Err(invalid.of(identity).into()),
        }
    }
}

impl VerifiedToken {
    /// Whose it is.
    pub fn identity(&self) -> &TokenIdentity {
        &self.identity
    }

    /// The token itself, for its authorization server and for nobody else.
    pub fn token(&self) -> &BearerToken {
        &self.token
    }

    /// The scopes it was granted.
    pub fn scope(&self) -> &Scope {
        &self.identity.facts.scope
    }

    /// A claim that some rule names.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.identity.facts.kept.iter().find(|(kept, _)| **kept == *name).map(|(_, value)| value)
    }

    /// Who acts.
    pub fn principal(&self) -> &Principal {
        &self.identity.facts.principal
    }
}

impl TokenIdentity {
    /// Everything that is known of it.
    pub fn facts(&self) -> &TokenFacts {
        &self.facts
    }

    /// The authorization server that said so.
    pub fn authorization_server(&self) -> &AuthorizationServer {
        &self.server
    }

    /// The issuer, as configured.
    pub fn issuer(&self) -> &Issuer {
        &self.server.settings().issuer
    }

    /// The subject, when the token names one.
    pub fn subject(&self) -> Option<&Subject> {
        self.facts.subject.as_ref()
    }

    /// The client it was issued to, when it names one.
    pub fn client_id(&self) -> Option<&ClientId> {
        self.facts.client_id.as_ref()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{sync::Arc, time::Duration};

    use super::{
        Authenticator, TokenIdentity, VerifiedToken,
        authorization_server::{AuthorizationServer, Means},
        background::Background,
        claims::Claims,
        introspection::Rules,
        outbound::Network,
        token_facts::{Evidence, TokenFacts},
    };
    use crate::clock::Clock;
    use crate::config::settings::{
        AccessTokens, AudienceMatch, AuthorizationServerSettings, ClaimNames, ClientAuthentication,
        IntrospectionSettings, JwtSettings,
    };
    use crate::metrics::Metrics;
    use crate::oauth::{BearerToken, SignatureAlgorithm};

    /// Tokens of one authorization server that nobody can reach.
    pub(crate) struct TestTokens {
        pub(crate) authenticator: Arc<Authenticator>,
        server: Arc<AuthorizationServer>,
    }

    impl TestTokens {
        pub(crate) fn new(
            settings: AuthorizationServerSettings,
            clock: &Arc<dyn Clock>,
            background: &Background,
        ) -> Self {
            let means = Means {
                clock: Arc::clone(clock),
                background: background.clone(),
                network: Network::Offline(None),
            };
            let metrics = Metrics::new().unwrap().authorization_server(&settings.name);
            let server =
                AuthorizationServer::start(Arc::new(settings), false, metrics, means, None)
                    .unwrap();
            let authenticator = Authenticator {
                servers: [Arc::clone(&server)].into(),
                elsewhere: [].into(),
                audiences: Vec::new(),
                audience_match: AudienceMatch::Off,
                wanted: None,
                route: "notes".into(),
                clock: Arc::clone(clock),
            };
            Self { authenticator: Arc::new(authenticator), server }
        }

        /// A token that was introspected, with these claims.
        pub(crate) fn verified(&self, token: &str, claims: &str) -> VerifiedToken {
            self.token(token, claims, Evidence::Introspection)
        }

        /// A token whose signature was verified, with these claims.
        pub(crate) fn signed(&self, token: &str, claims: &str) -> VerifiedToken {
            self.token(token, claims, Evidence::Signature)
        }

        fn token(&self, token: &str, claims: &str, evidence: Evidence) -> VerifiedToken {
            let token = BearerToken::parse(token.as_bytes()).unwrap();
            let claims = Claims::parse(claims.as_bytes()).unwrap();
            let rules = Rules::new(self.server.settings());
            let facts = TokenFacts::read(&claims, &rules, &token.digest()).unwrap();
            let facts = Arc::new(TokenFacts { evidence, ..facts });
            let identity = TokenIdentity { facts, server: Arc::clone(&self.server) };
            VerifiedToken { identity, token }
        }
    }

    pub(crate) fn settings(issuer: &str) -> AuthorizationServerSettings {
        AuthorizationServerSettings {
            name: "corp".into(),
            issuer: issuer.parse().unwrap(),
            metadata_url: None,
            metadata: serde_json::Map::new(),
            access_tokens: AccessTokens::Introspection,
            clock_skew: Duration::from_secs(30),
            client: ClientAuthentication::None { id: None },
            introspection: IntrospectionSettings {
                timeout: Duration::from_secs(1),
                sends_token_type_hint: false,
                accepted_issuers: Vec::new(),
                cache_ttl: Duration::from_mins(1),
                cache_negative_ttl: Duration::from_secs(10),
                cache_max_entries: 10,
                stale_if_error: Duration::ZERO,
            },
            jwt: JwtSettings {
                algorithms: SignatureAlgorithm::ALL.to_vec(),
                required_type: None,
                cache_max_entries: 10,
            },
            claims: ClaimNames {
                scope: vec!["scope".into()],
                subject: vec!["sub".into()],
                client_id: vec!["client_id".into()],
                kept: Vec::new(),
                scope_prefixes: Vec::new(),
            },
            tls_ca_pem: None,
            insecure_allow_http: false,
        }
    }
}
