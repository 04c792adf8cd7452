//! What the authorization server remembers: clients, pending logins, codes and tokens.
//!
//! Rules:
//! 1. Everything is bounded and expires; when a table is full its oldest entry goes.
//! 2. Secrets that come back to us (codes, tokens) are kept as digests only.
//! 3. An authorization code works once and for a minute; its second use revokes what the first one
//!    gave (RFC 6749 section 4.1.2).
//! 4. A refresh token works once; its second use revokes the whole family (RFC 9700 section 4.14).
//! 5. Each operation is one critical section: no two callers can both redeem the same thing.
//!
//! It lives in memory and speaks no HTTP. Time is passed in, as whole seconds since the epoch.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{answer::OAuthError, bounded::Bounded, client::Client, pkce};
use crate::{
    demo::random::random_text,
    oauth::{ResourceIdentifier, Scope, TokenDigest},
};

/// What a user or a client was granted.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) client_id: String,
    /// The user; nobody for client credentials.
    pub(super) subject: Option<String>,
    pub(super) scope: Scope,
    /// Decides `aud`; without it a token has none (RFC 8707).
    pub(super) resource: Option<ResourceIdentifier>,
}

/// An authorization request that was found good and waits for its user.
#[derive(Clone, Debug)]
pub(super) struct PendingLogin {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) code_challenge: String,
    pub(super) scope: Scope,
    pub(super) resource: Option<ResourceIdentifier>,
}

/// What the client shows together with a code.
#[derive(Debug)]
pub(super) struct Redemption<'a> {
    pub(super) client: &'a Client,
    pub(super) redirect_uri: &'a str,
    pub(super) code_verifier: &'a str,
    pub(super) resource: Option<&'a ResourceIdentifier>,
}

/// What the client shows together with a refresh token.
#[derive(Debug)]
pub(super) struct Refresh<'a> {
    pub(super) client_id: &'a str,
    /// Fewer scopes than were granted; `None`: all of them.
    pub(super) scope: Option<Scope>,
    pub(super) resource: Option<&'a ResourceIdentifier>,
}

/// Tokens just issued.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) access_token: String,
    pub(super) refresh_token: Option<String>,
    pub(super) scope: Scope,
    pub(super) expires_in: u64,
}

/// What introspection tells of an access token in force.
#[derive(Clone, Debug)]
pub(super) struct AccessToken {
    pub(super) grant: Grant,
    pub(super) issued_at: u64,
    pub(super) expires_at: u64,
    family: Family,
}

/// Which attempt at a pending login this is.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) login: PendingLogin,
    pub(super) is_last: bool,
}

#[derive(Debug)]
struct Login {
    pending: PendingLogin,
    expires_at: u64,
    attempts: u8,
}

#[derive(Debug)]
struct Code {
    login: PendingLogin,
    subject: String,
    expires_at: u64,
    family: Family,
    is_used: bool,
}

#[derive(Debug)]
struct RefreshToken {
    grant: Grant,
    expires_at: u64,
    family: Family,
    is_used: bool,
}

/// The tokens that descend from one login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Family(u64);

#[derive(Clone, Copy, Debug)]
struct Lineage {
    family: Family,
    is_refreshable: bool,
}

/// See the module's description.
#[derive(Debug)]
pub(super) struct Storage {
    configured_clients: Vec<Client>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    clients: Bounded<String, Client>,
    logins: Bounded<TokenDigest, Login>,
    codes: Bounded<TokenDigest, Code>,
    access_tokens: Bounded<TokenDigest, AccessToken>,
    refresh_tokens: Bounded<TokenDigest, RefreshToken>,
    last_family: u64,
}

impl Storage {
    pub(super) fn new(configured_clients: Vec<Client>) -> Self {
        let state = State {
            clients: Bounded::new(MAX_CLIENTS),
            logins: Bounded::new(MAX_LOGINS),
            codes: Bounded::new(MAX_LOGINS),
            access_tokens: Bounded::new(MAX_TOKENS),
            refresh_tokens: Bounded::new(MAX_TOKENS),
            last_family: 0,
        };
        Self { configured_clients, state: Mutex::new(state) }
    }

    /// Remembers a client that registered itself.
    pub(super) fn register(&self, client: Client) {
        self.state().clients.insert(client.id.clone(), client);
    }

    pub(super) fn client(&self, id: &str) -> Option<Client> {
        let configured = self.configured_clients.iter().find(|client| client.id == id);
        configured.cloned().or_else(|| self.state().clients.get(&id.to_owned()).cloned())
    }

    /// Keeps an authorization request until its user has decided; returns its handle.
    pub(super) fn begin_login(
        &self,
        pending: PendingLogin,
        now: u64,
    ) -> Result<String, OAuthError> {
        let handle = random_text()?;
        let login = Login { pending, expires_at: now + LOGIN_SECONDS, attempts: 0 };
        self.state().logins.insert(digest(&handle), login);
        Ok(handle)
    }

    /// Counts one try at a pending login; `None` when there is none, or no longer.
    pub(super) fn attempt_login(&self, handle: &str, now: u64) -> Option<Attempt> {
        let mut state = self.state();
        let login = state.logins.get_mut(&digest(handle))?;
        login.attempts += 1;
        let is_last = login.attempts >= MAX_LOGIN_ATTEMPTS;
        let attempt = Attempt { login: login.pending.clone(), is_last };
        let is_expired = now >= login.expires_at;
        if is_last || is_expired {
            state.logins.remove(&digest(handle));
        }
        (!is_expired).then_some(attempt)
    }

    /// Ends a pending login without a code; whether it was still there.
    pub(super) fn end_login(&self, handle: &str) -> bool {
        self.state().logins.remove(&digest(handle)).is_some()
    }

    /// Issues the authorization code for a login that succeeded.
    pub(super) fn issue_code(
        &self,
        login: PendingLogin,
        subject: String,
        now: u64,
    ) -> Result<String, OAuthError> {
        let text = random_text()?;
        let mut state = self.state();
        let family = state.new_family();
        let expires_at = now + CODE_SECONDS;
        let code = Code { login, subject, expires_at, family, is_used: false };
        state.codes.insert(digest(&text), code);
        Ok(text)
    }

    /// Exchanges an authorization code for tokens (RFC 6749 section 4.1.3, RFC 7636 section 4.6).
    pub(super) fn redeem_code(
        &self,
        text: &str,
        redemption: &Redemption<'_>,
        now: u64,
    ) -> Result<Issued, OAuthError> {
        let mut state = self.state();
        let unknown = OAuthError::InvalidGrant("the code is unknown, used or expired");
        let code = state.codes.get_mut(&digest(text)).ok_or(unknown)?;
        if code.login.client_id != redemption.client.id {
            return Err(unknown);
        }
        let family = code.family;
        if code.is_used {
            state.revoke(family);
            return Err(unknown);
        }
        code.is_used = true;
        if now >= code.expires_at {
            return Err(unknown);
        }
        let login = &code.login;
        if login.redirect_uri != redemption.redirect_uri {
            return Err(OAuthError::InvalidGrant("redirect_uri differs from the request's"));
        }
        if !pkce::matches(&login.code_challenge, redemption.code_verifier) {
            return Err(OAuthError::InvalidGrant("code_verifier does not fit the code_challenge"));
        }
        if redemption.resource.is_some_and(|resource| login.resource.as_ref() != Some(resource)) {
            return Err(OAuthError::InvalidTarget);
        }
        let grant = Grant {
            client_id: login.client_id.clone(),
            subject: Some(code.subject.clone()),
            scope: login.scope.clone(),
            resource: login.resource.clone(),
        };
        let scope = grant.scope.clone();
        let lineage = Lineage { family, is_refreshable: redemption.client.may_refresh };
        state.issue(grant, scope, lineage, now)
    }

    /// Issues an access token to a client for itself (RFC 6749 section 4.4).
    pub(super) fn issue_to_client(&self, grant: Grant, now: u64) -> Result<Issued, OAuthError> {
        let mut state = self.state();
        let family = state.new_family();
        let scope = grant.scope.clone();
        state.issue(grant, scope, Lineage { family, is_refreshable: false }, now)
    }

    /// Exchanges a refresh token for new tokens (RFC 6749 section 6), which replaces it.
    pub(super) fn refresh(
        &self,
        text: &str,
        wanted: Refresh<'_>,
        now: u64,
    ) -> Result<Issued, OAuthError> {
        let mut state = self.state();
        let unknown = OAuthError::InvalidGrant("the refresh token is unknown, used or expired");
        let token = state.refresh_tokens.get_mut(&digest(text)).ok_or(unknown)?;
        if token.grant.client_id != wanted.client_id {
            return Err(unknown);
        }
        let family = token.family;
        if token.is_used {
            state.revoke(family);
            return Err(unknown);
        }
        if now >= token.expires_at {
            return Err(unknown);
        }
        // RFC 6749 section 6: never more than was granted.
        let scope = wanted.scope.unwrap_or_else(|| token.grant.scope.clone());
        if !token.grant.scope.covers(&scope) {
            return Err(OAuthError::InvalidScope);
        }
        if wanted.resource.is_some_and(|resource| token.grant.resource.as_ref() != Some(resource)) {
            return Err(OAuthError::InvalidTarget);
        }
        token.is_used = true;
        let grant = token.grant.clone();
        state.issue(grant, scope, Lineage { family, is_refreshable: true }, now)
    }

    /// The access token, when it is in force.
    pub(super) fn introspect(&self, text: &str, now: u64) -> Option<AccessToken> {
        let state = self.state();
        state.access_tokens.get(&digest(text)).filter(|token| now < token.expires_at).cloned()
    }

    /// Revokes a token of this client (RFC 7009); an unknown one is none to worry about.
    pub(super) fn revoke(&self, text: &str, client_id: &str) -> Result<(), OAuthError> {
        let mut state = self.state();
        let key = digest(text);
        let access = state.access_tokens.get(&key).map(|token| &token.grant);
        let refresh = state.refresh_tokens.get(&key).map(|token| (&token.grant, token.family));
        if let Some(grant) = access {
            if grant.client_id != client_id {
                return Err(OAuthError::UnauthorizedClient);
            }
            state.access_tokens.remove(&key);
        } else if let Some((grant, family)) = refresh {
            if grant.client_id != client_id {
                return Err(OAuthError::UnauthorizedClient);
            }
            // RFC 7009 section 2.1: with a refresh token goes what it stood for.
            state.revoke(family);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new_family(&mut self) -> Family {
        self.last_family += 1;
        Family(self.last_family)
    }

    fn issue(
        &mut self,
        grant: Grant,
        scope: Scope,
        Lineage { family, is_refreshable }: Lineage,
        now: u64,
    ) -> Result<Issued, OAuthError> {
        let access_token = random_text()?;
        let refresh_token = if is_refreshable { Some(random_text()?) } else { None };
        if let Some(text) = &refresh_token {
            let expires_at = now + REFRESH_TOKEN_SECONDS;
            let token = RefreshToken { grant: grant.clone(), expires_at, family, is_used: false };
            self.refresh_tokens.insert(digest(text), token);
        }
        let grant = Grant { scope: scope.clone(), ..grant };
        let expires_at = now + ACCESS_TOKEN_SECONDS;
        let token = AccessToken { grant, issued_at: now, expires_at, family };
        self.access_tokens.insert(digest(&access_token), token);
        Ok(Issued { access_token, refresh_token, scope, expires_in: ACCESS_TOKEN_SECONDS })
    }

    fn revoke(&mut self, family: Family) {
        self.access_tokens.retain(|token| token.family != family);
        self.refresh_tokens.retain(|token| token.family != family);
    }
}

fn digest(text: &str) -> TokenDigest {
    TokenDigest::of(text.as_bytes())
}

const MAX_CLIENTS: usize = 1_000;
const MAX_LOGINS: usize = 1_000;
const MAX_TOKENS: usize = 10_000;
const MAX_LOGIN_ATTEMPTS: u8 = 5;
const LOGIN_SECONDS: u64 = 600;
const CODE_SECONDS: u64 = 60;
const ACCESS_TOKEN_SECONDS: u64 = 600;
const REFRESH_TOKEN_SECONDS: u64 = 24 * 3600;
