//! Which authorization server a token belongs to, and so which may hear of it.
//!
//! 1. A JWS belongs to the server it names in `iss`, on the word of nobody but itself: that server
//!    alone judges it, in its own way, and no other is asked whatever comes of it. A value of
//!    `introspection.accepted_issuers` names its server as well, but a server's own issuer comes first.
//! 2. A JWS that names a configured server which the route does not list is refused, and nobody is
//!    asked about it. That holds for routes with one server too.
//! 3. All else does not say whose it is: opaque tokens, JWEs, and JWSs without `iss` or with one that
//!    no configured server has. (Servers whose tokens are introspected may well issue JWSs with an
//!    issuer of their own, a host name behind a proxy for instance; to us they are opaque, and what
//!    the server answers as `iss` is judged.) The listed servers that can be asked are asked in the
//!    listed order, one after the other: naming them on the route is the consent. The first that
//!    says "active" decides, and no other is asked when its word is then not good enough here.
//!    A server that leaves questions unanswered is asked after the others. Nobody knows it: invalid. Nobody knows it and one could not answer: unavailable.
//! 4. Where nobody can be asked, such a token is refused by the check of a JWT that it is not.
//! 5. What is remembered comes first: a listed server's fresh "active" decides before anybody is
//!    asked, so that a dead server costs the tokens of another nothing. Nothing is ever remembered
//!    of a token at a server that was not to hear of it.
//!
//! Nothing in an unverified token is believed for any other purpose.

use std::sync::Arc;

use super::{
    AuthenticateError, Authenticator, InvalidToken, TokenIdentity,
    asker::Asker,
    authorization_server::{AuthorizationServer, Knowledge, Reason},
    jwt,
};
use crate::{
    config::settings::AuthorizationServerSettings,
    oauth::{BearerToken, TokenDigest},
};

/// Whose a token is, and whether it is active, or why it is not taken.
type Known = Result<TokenIdentity, AuthenticateError>;

/// Who may hear of a token.
enum Assignment<'a> {
    /// Nobody: it is another server's, or of one that we do not know.
    Elsewhere(Box<str>),
    /// The server it names, or the only one that can judge it.
    Named(&'a Arc<AuthorizationServer>, Reason),
    /// Whoever can be asked.
    Open,
}

impl Authenticator {
    /// What is known of a token without asking anybody; `None` when it must be found out.
    pub(super) fn recall(&self, digest: &TokenDigest) -> Option<Known> {
        let mut is_known_to_all = true;
        for server in &self.servers {
            match server.recall(digest) {
                Some(Knowledge::Active(facts)) => {
                    return Some(Ok(TokenIdentity { facts, server: Arc::clone(server) }));
                }
                Some(_) => {}
                None => is_known_to_all = false,
            }
        }
        is_known_to_all.then(|| Err(self.inactive()))
    }

    /// Finds out about a token.
    pub(super) async fn learn(
        &self,
        token: &BearerToken,
        digest: TokenDigest,
        asker: Asker<'_>,
    ) -> Known {
        match self.assign(token) {
            Assignment::Elsewhere(issuer) => {
                let is_configured = self.elsewhere.contains(&issuer);
                Err(InvalidToken::of_another_issuer(&issuer, &self.servers, is_configured).into())
            }
            Assignment::Named(server, reason) => {
                let found = find_out(server, (token, digest), reason, asker).await;
                conclude(server, found)
            }
            Assignment::Open => self.ask_around(token, digest, asker).await,
        }
    }

    async fn ask_around(
        &self,
        token: &BearerToken,
        digest: TokenDigest,
        asker: Asker<'_>,
    ) -> Known {
        let mut unavailable = None;
        let reason = match self.asked().count() {
            0 | 1 => Reason::NobodyElse,
            _ => Reason::OneOfSeveral,
        };
        // One that leaves questions unanswered comes last: the others' tokens need not wait for it.
        let is_silent = |server: &&Arc<AuthorizationServer>| server.is_silent();
        let prompt = self.asked().filter(|server| !is_silent(server));
        let in_turn: Vec<_> = prompt.chain(self.asked().filter(is_silent)).collect();
        for server in in_turn {
            let knowledge = find_out(server, (token, digest), reason, asker).await;
            match knowledge {
                Knowledge::Inactive => {}
                Knowledge::Unavailable(_) => {
                    unavailable.get_or_insert((server, knowledge));
                }
                Knowledge::Active(_) | Knowledge::Refused(_) => return conclude(server, knowledge),
            }
        }
        match unavailable {
            Some((server, knowledge)) => conclude(server, knowledge),
            None => Err(self.inactive()),
        }
    }

    fn assign(&self, token: &BearerToken) -> Assignment<'_> {
        let Some(issuer) = jwt::inspect(token.expose()).and_then(|jwt| jwt.issuer) else {
            return self.anybody();
        };
        let own =
            |server: &&Arc<AuthorizationServer>| server.settings().issuer.as_str() == &*issuer;
        if let Some(server) = self.servers.iter().find(own) {
            return Assignment::Named(server, Reason::NamedByIssuer);
        }
        let accepting = |server: &&Arc<AuthorizationServer>| {
            let accepted = &server.settings().introspection.accepted_issuers;
            server.is_asked() && accepted.contains(&issuer)
        };
        if let Some(server) = self.servers.iter().find(accepting) {
            return Assignment::Named(server, Reason::NobodyElse);
        }
        let nobody_is_asked = self.asked().next().is_none();
        if nobody_is_asked || self.elsewhere.contains(&issuer) {
            return Assignment::Elsewhere(issuer);
        }
        Assignment::Open
    }

    /// Where a token goes that names nobody.
    fn anybody(&self) -> Assignment<'_> {
        match self.servers.first() {
            Some(first) if self.asked().next().is_none() => {
                Assignment::Named(first, Reason::NobodyElse)
            }
            _ => Assignment::Open,
        }
    }

    fn inactive(&self) -> AuthenticateError {
        let asked: Vec<_> = self.asked().map(|server| &**server).collect();
        InvalidToken::inactive(&asked).into()
    }

    /// The servers that can be asked about any token, in the listed order.
    fn asked(&self) -> impl Iterator<Item = &Arc<AuthorizationServer>> {
        self.servers.iter().filter(|server| server.is_asked())
    }
}

/// What a server remembers of a token, which has been counted, or says now.
async fn find_out(
    server: &Arc<AuthorizationServer>,
    (token, digest): (&BearerToken, TokenDigest),
    reason: Reason,
    asker: Asker<'_>,
) -> Knowledge {
    match server.look_up(&digest) {
        Some(knowledge) => knowledge,
        None => server.learn(token, digest, reason, asker).await,
    }
}

fn conclude(server: &Arc<AuthorizationServer>, knowledge: Knowledge) -> Known {
    let name = &server.settings().name;
    match knowledge {
        Knowledge::Active(facts) => Ok(TokenIdentity { facts, server: Arc::clone(server) }),
        Knowledge::Inactive => Err(InvalidToken::inactive(&[server]).into()),
        Knowledge::Refused(fault) => Err(InvalidToken::from(&fault).into()),
        Knowledge::Unavailable(cause) => {
            Err(AuthenticateError::Unavailable { name: name.clone(), cause })
        }
    }
}

/// The `iss` values of the configured servers that a route does not list.
pub(super) fn issuers_elsewhere(
    listed: &[Arc<AuthorizationServer>],
    configured: &[Arc<AuthorizationServerSettings>],
) -> Box<[Box<str>]> {
    let is_listed = |name: &str| listed.iter().any(|server| *server.settings().name == *name);
    let others = configured.iter().filter(|server| !is_listed(&server.name));
    others
        .flat_map(|server| {
            let accepted = server.introspection.accepted_issuers.iter().map(AsRef::as_ref);
            accepted.chain([server.issuer.as_str()])
        })
        .map(Into::into)
        .collect()
}
