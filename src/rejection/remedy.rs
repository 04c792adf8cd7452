//! What would cure a refusal, for operators: one sentence for each row of the table.
//!
//! Each function is one closed `match`; what is special to a request stands in the error itself.

use super::Rejection;
use crate::{
    admission::Inadmissible,
    authenticate::{
        AuthenticateError, TokenFault, authorization_server::Unavailable, bearer::CredentialsError,
        service_account::AccountError,
    },
    authorize::{AuthorizeError, operation::OperationError, rules::Fault},
    forward::{ForwardError, request_body::BodyError},
    jsonrpc::message::MessageFault,
    limits::Busy,
    router::RouteError,
};

impl Rejection {
    /// What would cure it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Authenticate(error) => of_authentication(error),
            Self::Authorize(error) => of_authorization(error),
            Self::Busy(busy) => of_limit(*busy),
            Self::Body(error) | Self::Forward(ForwardError::Body(error)) => of_body(*error),
            Self::DocumentUnavailable => SERVER_DOWN,
            Self::Forward(error) => of_forwarding(error),
            Self::Inadmissible(error) => of_head(*error),
            Self::Internal => "Report it, with the line of the log that names the place.",
            Self::Operation(error) => of_operation(error),
            Self::Overloaded => {
                "Raise listen.limits.max_connections, or add replicas; the client comes back by itself."
            }
            Self::RateLimited(_) => {
                "The client must wait as Retry-After says; or raise the route's rate_limit."
            }
            Self::Route(error) => of_route(error),
            Self::Session(_) => {
                "The client must begin a new session; sessions.keys lets sessions outlive restarts and \
                 work on every replica."
            }
        }
    }
}

fn of_authentication(error: &AuthenticateError) -> &'static str {
    match error {
        AuthenticateError::Account(AccountError::Refused(_)) => {
            "Check the service account's client id and secret at the authorization server."
        }
        AuthenticateError::Account(AccountError::TooManyAttempts) => {
            "Correct the service account's credentials; attempts with others are slowed down."
        }
        AuthenticateError::Credentials(CredentialsError::Missing) => {
            "None needed when the client comes back with a token: this challenge tells it where to \
             log in. If it never does, it does not follow RFC 9728."
        }
        AuthenticateError::Credentials(CredentialsError::BasicSyntax) => {
            "The client must send one header `Authorization: Basic`, with the base64 of id:secret."
        }
        AuthenticateError::Credentials(
            CredentialsError::InQuery | CredentialsError::Repeated | CredentialsError::Syntax,
        ) => "The client must send one header `Authorization: Bearer TOKEN`.",
        AuthenticateError::Invalid(token) => of_token(token.fault()),
        AuthenticateError::Unavailable { cause: Unavailable::Busy(busy), .. } => of_limit(*busy),
        AuthenticateError::Unavailable { cause, .. } if cause.is_one_key_of_many() => {
            "The client comes back by itself, and hears then what its token is worth; many of these \
             are a flood of forged tokens."
        }
        AuthenticateError::Unavailable { .. } => SERVER_DOWN,
    }
}

fn of_limit(busy: Busy) -> &'static str {
    match busy {
        Busy::ConnectionsOfSource
        | Busy::QuestionsOfSource
        | Busy::RequestsOfSource
        | Busy::StreamsOfSource => {
            "If many clients come from one address, list the proxy before them in \
             listen.trusted_proxies; or raise the limit, which is named in the detail."
        }
        Busy::RequestsOfPrincipal | Busy::StreamsOfPrincipal => {
            "Look why one client has so much open at once, or raise the limit, which is named in the \
             detail."
        }
    }
}

fn of_token(fault: TokenFault) -> &'static str {
    match fault {
        TokenFault::BadSignature | TokenFault::UnknownKey => {
            "The client must log in again; if all its tokens fail, compare the key set with the \
             authorization server's (`gatehouse check --online`)."
        }
        TokenFault::Bound => {
            "Have the authorization server issue tokens that are not bound to a key (DPoP, mTLS)."
        }
        TokenFault::Expired => {
            "The client must refresh its token; check its clock and this machine's."
        }
        TokenFault::Inactive => {
            "The client must log in again; if all its tokens fail, let our client introspect them \
             (`gatehouse check --online`)."
        }
        TokenFault::Malformed => {
            "The client must send an access token as the authorization server issued it; `gatehouse \
             explain` says what is wrong with one."
        }
        TokenFault::NotYetValid => "Set this machine's clock and the authorization server's alike.",
        TokenFault::OtherType => {
            "The client must send its access token, not its ID or refresh token; see also \
             jwt.required_type."
        }
        TokenFault::UnsupportedAlgorithm => {
            "Have tokens signed with an algorithm of jwt.algorithms, or add theirs to it."
        }
        TokenFault::WrongAudience => {
            "Have the authorization server put the resource into `aud`, or add what it puts there to \
             the route's audiences."
        }
        TokenFault::WrongIssuer => {
            "List the token's authorization server in the route's authorization_servers, or correct \
             its issuer."
        }
    }
}

fn of_authorization(error: &AuthorizeError) -> &'static str {
    match error {
        AuthorizeError::Denied { fault: Fault::Arguments, .. } => {
            "Call it with an argument that the rule lists, or change the rule's arguments."
        }
        AuthorizeError::Denied { pattern: None, .. } => {
            "None, if it is meant so; otherwise add a rule for it, or set unlisted_tools: allow."
        }
        AuthorizeError::Denied { .. } => "None, if it is meant so; otherwise change the rule.",
        AuthorizeError::InsufficientScope { fault: Fault::Claims, .. } => {
            "Have the authorization server put the claim into the token, or change the rule's claims."
        }
        AuthorizeError::InsufficientScope { .. } => {
            "The client must ask its user for the scopes of the challenge; if it did, have the \
             authorization server grant them."
        }
        AuthorizeError::LoginNeeded => {
            "None needed when the client comes back with a token; otherwise add the method to \
             anonymous_methods."
        }
    }
}

fn of_body(error: BodyError) -> &'static str {
    match error {
        BodyError::Broken => "The client, or a proxy before us, broke off; look there.",
        BodyError::NoRoom(_) => {
            "Raise listen.limits.max_buffered_bytes, or add replicas; the client comes back by itself."
        }
        BodyError::Timeout => "Mend the client's network, or raise listen.limits.body_timeout.",
        BodyError::TooLarge => "Send less at once, or raise listen.limits.max_body_bytes.",
    }
}

fn of_forwarding(error: &ForwardError) -> &'static str {
    match error {
        ForwardError::Body(error) => of_body(*error),
        ForwardError::List(_) => {
            "Have the MCP server answer with a list that can be read in one way only, or set \
             filter_lists: off."
        }
        ForwardError::Refused(_) => {
            "Correct the route's upstream URL or headers; `gatehouse check --online` asks it."
        }
        ForwardError::Send(_) => "Start the MCP server, or correct the route's upstream URL.",
        ForwardError::Timeout => {
            "Look why the MCP server is slow, or raise the upstream's response_timeout."
        }
    }
}

fn of_head(error: Inadmissible) -> &'static str {
    match error {
        Inadmissible::Field(_) | Inadmissible::Framing(_) | Inadmissible::Target(_) => {
            "The client, or a proxy before us, must send a request that everybody reads alike."
        }
        Inadmissible::HeadTimeout => {
            "Mend the client's network, or raise listen.limits.header_timeout."
        }
        Inadmissible::HeadTooLarge => {
            "Send fewer or shorter header fields, or raise listen.limits.max_header_bytes."
        }
        Inadmissible::TargetTooLong => {
            "The client must send a URL of 8 KiB or less; this is fixed."
        }
        Inadmissible::TooManyFields => {
            "The client, or a proxy before us, must send 100 header fields or fewer; this is fixed."
        }
    }
}

fn of_operation(error: &OperationError) -> &'static str {
    match error {
        OperationError::Header(_) => {
            "The client must send Mcp-Method, Mcp-Name and MCP-Protocol-Version as its body has them."
        }
        OperationError::MediaType(_) => {
            "The client must send application/json in UTF-8, not encoded."
        }
        OperationError::Message(
            MessageFault::Invalid(_) | MessageFault::NotJson(_) | MessageFault::NotUtf8,
        ) => "The client must send one JSON-RPC message that every parser reads alike.",
    }
}

fn of_route(error: &RouteError) -> &'static str {
    match error {
        RouteError::DocumentMethod | RouteError::DocumentNotFound => {
            "None needed: clients look in several places; those of the routes are in their challenges."
        }
        RouteError::Host(_) => {
            "Correct public_url or what the proxy before us sends as Host, or add the name to \
             listen.allowed_hosts."
        }
        RouteError::Method(..) | RouteError::UnexpectedBody(_) => {
            "The client must speak Streamable HTTP or HTTP+SSE."
        }
        RouteError::NotFound => "Correct the client's URL, or add a route with this path.",
        RouteError::Origin(_) => {
            "If this web application may call it, add its origin to listen.allowed_origins."
        }
    }
}

const SERVER_DOWN: &str = "Mend the authorization server or the way to it; `gatehouse check --online` \
    says what it answers. Clients come back by themselves.";
