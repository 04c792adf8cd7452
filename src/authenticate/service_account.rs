//! Service accounts: client credentials are exchanged for a token (RFC 6749 section 4.4), which is
//! then judged like any other.
//!
//! 1. Of several authorization servers on a route the first with a token endpoint is asked. While
//!    an earlier one's metadata is not known nobody is: a secret goes to one server alone.
//! 2. Asked for are the scopes that the route publishes and its resource (RFC 8707 section 2), with
//!    `client_secret_basic`; our own credentials are not involved. A server that grants all or
//!    nothing is asked once more, for the required scopes alone.
//! 3. A token obtained serves until shortly before it expires. One that is judged inactive or
//!    expired before that is exchanged anew, but not right after it was obtained.
//! 4. One exchange per account at a time; it outlives whoever asked first.
//! 5. A refusal is remembered for some seconds, and attempts with one client identifier are limited
//!    (`limits`); credentials that were good before are not held up by others' attempts.
//! 6. Everything is kept under a SHA-256 over what is asked for and both credentials, never under
//!    or with the secret.
//!
//! Whether the token suffices is not its business.

mod limits;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moka::sync::Cache;
use url::Url;

use self::limits::Limits;
use super::{
    AuthenticateError, Authenticator, VerifiedToken,
    asker::Asker,
    authorization_server::{AuthorizationServer, Unavailable},
    background::Background,
    basic::ServiceAccount,
    outbound::Outbound,
    token_cache::{Flight, Flights, Joined},
    token_request::{self, TokenRequestError},
};
use crate::{
    clock::Clock,
    config::settings::ProtectedSettings,
    limits::questions::Question,
    oauth::{BearerToken, ResourceIdentifier, Scope, ScopeToken, TokenDigest},
};

/// What a route asks of an authorization server for its service accounts.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) resource: ResourceIdentifier,
    pub(super) scope: Scope,
    /// What the route requires of every request.
    pub(super) least: Scope,
}

/// Why client credentials yielded no token.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AccountError {
    /// The authorization server refused them, with this error code.
    #[error(
        "the authorization server refused the client credentials ({0}): the id or secret is wrong, \
         or the client may not use client_secret_basic, the client_credentials grant, or these \
         scopes for this resource"
    )]
    Refused(&'static str),
    /// There were too many refusals of this client.
    #[error("too many wrong credentials came with this client id: it may try again in a moment")]
    TooManyAttempts,
}

/// The service accounts of one authorization server.
#[derive(Debug)]
pub(super) struct ServiceAccounts {
    outbound: Outbound,
    clock: Arc<dyn Clock>,
    background: Background,
    tokens: Cache<TokenDigest, Obtained>,
    refused: Cache<TokenDigest, (&'static str, Instant)>,
    /// Those whose server grants all or nothing, and not all.
    limited: Cache<TokenDigest, ()>,
    flights: Flights<Exchanged>,
    limits: Limits,
}

/// A token, and until when it serves. An entry that serves no more says still that the account's
/// credentials were good.
#[derive(Clone, Debug)]
struct Obtained {
    token: BearerToken,
    learnt: Instant,
    until: Instant,
}

/// An account, what is wanted for it, and where.
#[derive(Debug)]
struct Exchange {
    account: ServiceAccount,
    wanted: Wanted,
    endpoint: Url,
    digest: TokenDigest,
    /// Its source's turn to ask.
    turn: Option<Question>,
}

type Exchanged = Result<BearerToken, Failure>;

#[derive(Clone, Debug)]
enum Failure {
    Account(AccountError),
    Unavailable(Unavailable),
}

impl Wanted {
    /// What a route asks for, when it takes service accounts.
    pub(super) fn new(settings: &ProtectedSettings) -> Option<Self> {
        settings.basic_client_credentials.then(|| Self {
            resource: settings.resource.clone(),
            scope: settings
                .scopes_supported
                .iter()
                .filter(|scope| !is_of_users(scope))
                .cloned()
                .collect(),
            least: settings.required_scopes.clone(),
        })
    }

    /// The same with the required scopes alone, where that is less.
    fn at_least(&self) -> Option<Self> {
        let Self { resource, scope, least } = self;
        let fewer =
            || Self { resource: resource.clone(), scope: least.clone(), least: least.clone() };
        (scope != least).then(fewer)
    }

    /// Each part after its length: no two accounts share one.
    fn digest(&self, account: &ServiceAccount) -> TokenDigest {
        let scope = self.scope.to_string();
        let (id, secret) = (account.id.as_str(), account.secret.expose());
        let mut bytes = Vec::new();
        let least = self.least.to_string();
        for part in [self.resource.as_str(), &scope, &least, id, secret] {
            bytes.extend_from_slice(&part.len().to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        TokenDigest::of(&bytes)
    }
}

/// OpenID Connect Core sections 3.1.2.1 and 11: for clients that act for a user, and no scopes of a
/// resource.
fn is_of_users(scope: &ScopeToken) -> bool {
    matches!(scope.as_str(), "offline_access" | "openid")
}

impl Authenticator {
    /// Exchanges client credentials, and judges the token they yield.
    pub(super) async fn authenticate_account(
        &self,
        wanted: &Wanted,
        account: &ServiceAccount,
        asker: Asker<'_>,
    ) -> Result<VerifiedToken, AuthenticateError> {
        let server = self.server_of_accounts()?;
        let accounts = server.service_accounts();
        let digest = wanted.digest(account);
        let token = obtain(&server, wanted, (account, digest), asker).await?;
        match self.verify(token.clone(), asker).await {
            Err(AuthenticateError::Invalid(why))
                if why.fault().is_over() && accounts.gives_up(digest, &token) =>
            {
                let token = obtain(&server, wanted, (account, digest), asker).await?;
                self.verify(token, asker).await
            }
            judged => judged,
        }
    }

    /// The first listed server with a token endpoint.
    fn server_of_accounts(&self) -> Result<Arc<AuthorizationServer>, AuthenticateError> {
        for server in &self.servers {
            let Some(discovered) = server.discovered() else {
                let cause = server.not_ready().unwrap_or(Unavailable::NotYet);
                return Err(unavailable(server, cause));
            };
            if discovered.token_endpoint.is_some() {
                return Ok(Arc::clone(server));
            }
        }
        let names: Vec<_> = self.servers.iter().map(|server| &*server.settings().name).collect();
        let (name, cause) = (names.join(", ").into(), Unavailable::NoTokenEndpoint);
        Err(AuthenticateError::Unavailable { name, cause })
    }
}

async fn obtain(
    server: &Arc<AuthorizationServer>,
    wanted: &Wanted,
    (account, digest): (&ServiceAccount, TokenDigest),
    asker: Asker<'_>,
) -> Result<BearerToken, AuthenticateError> {
    let accounts = server.service_accounts();
    let exchanged = if let Some(exchanged) = accounts.look_up(&digest) {
        exchanged
    } else {
        let endpoint = server.discovered().and_then(|known| known.token_endpoint.clone());
        let endpoint = endpoint.ok_or_else(|| unavailable(server, Unavailable::NoTokenEndpoint))?;
        let turn = asker
            .question(&server.settings().name, server.settings().introspection.timeout / 2)
            .await;
        let turn = turn.map_err(|busy| unavailable(server, busy.into()))?;
        let (account, wanted) = (account.clone(), wanted.clone());
        // Boxed: the usual request, answered from memory, need not carry this future.
        Box::pin(accounts.obtain(Exchange { account, wanted, endpoint, digest, turn })).await
    };
    exchanged.map_err(|failure| match failure {
        Failure::Account(error) => error.into(),
        Failure::Unavailable(cause) => unavailable(server, cause),
    })
}

fn unavailable(server: &AuthorizationServer, cause: Unavailable) -> AuthenticateError {
    AuthenticateError::Unavailable { name: server.settings().name.clone(), cause }
}

impl ServiceAccounts {
    /// No accounts yet. What `outbound` connects with must say nothing of our own client.
    pub(super) fn new(
        outbound: Outbound,
        clock: Arc<dyn Clock>,
        background: Background,
    ) -> Arc<Self> {
        Arc::new(Self {
            outbound,
            clock,
            background,
            tokens: Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(LONGEST_LIFE).build(),
            limited: Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(LIMITED_FOR).build(),
            refused: Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(REFUSED_FOR).build(),
            flights: Flights::default(),
            limits: Limits::new(MAX_ENTRIES),
        })
    }

    /// Forgets the tokens of all accounts.
    pub(super) fn forget_tokens(&self) {
        self.flights.forget();
        self.tokens.invalidate_all();
    }

    fn look_up(&self, digest: &TokenDigest) -> Option<Exchanged> {
        let now = self.clock.instant();
        if let Some(obtained) = self.tokens.get(digest).filter(|obtained| now < obtained.until) {
            return Some(Ok(obtained.token));
        }
        let (code, learnt) = self.refused.get(digest)?;
        let is_fresh = now.saturating_duration_since(learnt) < REFUSED_FOR;
        is_fresh.then_some(Err(Failure::Account(AccountError::Refused(code))))
    }

    /// Gives a token up that turned out to be over; whether there is, or may be had, a newer one.
    fn gives_up(&self, digest: TokenDigest, token: &BearerToken) -> bool {
        let now = self.clock.instant();
        let Some(obtained) = self.tokens.get(&digest) else { return true };
        if obtained.token != *token || obtained.until <= now {
            return true;
        }
        // A server whose new tokens are never good is not asked for one after the other.
        if now.saturating_duration_since(obtained.learnt) < SETTLING {
            return false;
        }
        self.tokens.insert(digest, Obtained { until: now, ..obtained });
        true
    }

    async fn obtain(self: &Arc<Self>, exchange: Exchange) -> Exchanged {
        let digest = exchange.digest;
        let mut answer = match self.flights.join(digest, || self.look_up(&digest)) {
            Joined::Answered(exchanged) => return exchanged,
            Joined::Following(answer) => {
                // This one asks nothing.
                drop(exchange);
                answer
            }
            Joined::Leading(flight, answer) => {
                let is_proven = self.tokens.contains_key(&digest);
                let id = exchange.account.id.as_str();
                if !is_proven && !self.limits.take(id, self.clock.instant()) {
                    flight.land(Err(Failure::Account(AccountError::TooManyAttempts)));
                } else {
                    let task = Arc::clone(self).exchange(exchange, is_proven, flight);
                    self.background.spawn(task);
                }
                answer
            }
            Joined::Full => return Err(Failure::Unavailable(Unavailable::TooMany)),
        };
        let lost = || Err(Failure::Unavailable(Unavailable::Lost));
        match answer.wait_for(Option::is_some).await {
            Ok(exchanged) => exchanged.clone().unwrap_or_else(lost),
            Err(_) => lost(),
        }
    }

    async fn exchange(
        self: Arc<Self>,
        exchange: Exchange,
        is_proven: bool,
        flight: Flight<Exchanged>,
    ) {
        let Exchange { account, wanted, endpoint, digest, turn } = exchange;
        let learnt = self.clock.instant();
        let ask =
            async |wanted| token_request::send(&self.outbound, &endpoint, &account, wanted).await;
        let fewer = wanted.at_least();
        let knows_limits = self.limited.contains_key(&digest);
        let mut answer = ask(fewer.as_ref().filter(|_| knows_limits).unwrap_or(&wanted)).await;
        if let (Err(TokenRequestError::Refused(INVALID_SCOPE)), Some(fewer), false) =
            (&answer, &fewer, knows_limits)
        {
            self.limited.insert(digest, ());
            answer = ask(fewer).await;
        }
        if !is_proven && !matches!(answer, Err(TokenRequestError::Refused(_))) {
            self.limits.give_back(account.id.as_str(), self.clock.instant());
        }
        drop(turn);
        let exchanged = match answer {
            Ok(granted) => {
                let life = granted.expires_in.unwrap_or(UNKNOWN_LIFE).min(LONGEST_LIFE);
                let life = life.saturating_sub(MARGIN.min(life / 10)).max(SHORTEST_LIFE);
                // Whoever is given the rest meanwhile need not wait until it expires.
                let is_less = granted.scope.is_some_and(|granted| !granted.covers(&wanted.scope));
                let life = if is_less { life.min(LIFE_OF_LESS) } else { life };
                let token = granted.access_token;
                let obtained = Obtained { token: token.clone(), learnt, until: learnt + life };
                flight.remember(|| {
                    self.refused.invalidate(&digest);
                    self.tokens.insert(digest, obtained);
                });
                Ok(token)
            }
            Err(TokenRequestError::Refused(code)) => {
                flight.remember(|| {
                    self.tokens.invalidate(&digest);
                    self.refused.insert(digest, (code, self.clock.instant()));
                });
                Err(Failure::Account(AccountError::Refused(code)))
            }
            Err(error) => Err(Failure::Unavailable(Unavailable::TokenRequest(Arc::new(error)))),
        };
        flight.land(exchanged);
    }
}

/// Accounts remembered for each authorization server, good and refused ones each.
const MAX_ENTRIES: u64 = 10_000;
/// How long before its end a token serves no more, unless its life is short.
const MARGIN: Duration = Duration::from_secs(30);
const LONGEST_LIFE: Duration = Duration::from_hours(24);
const SHORTEST_LIFE: Duration = Duration::from_secs(1);
/// Where the answer does not say (RFC 6749 section 5.1 recommends it).
const UNKNOWN_LIFE: Duration = Duration::from_mins(1);
/// Where less was granted than asked for.
const LIFE_OF_LESS: Duration = Duration::from_mins(10);
/// How long a server that grants all or nothing is asked for little at once.
const LIMITED_FOR: Duration = Duration::from_hours(1);
/// RFC 6749 section 5.2.
const INVALID_SCOPE: &str = "invalid_scope";
const REFUSED_FOR: Duration = Duration::from_secs(10);
/// How old a token is at least before another is asked for in its place.
const SETTLING: Duration = Duration::from_secs(10);
