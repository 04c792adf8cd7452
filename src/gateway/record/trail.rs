//! The audit line of a request: who asked for what on which route, and what was decided.
//!
//! 1. A request that a route decided about has one line, whatever became of it afterwards; one for
//!    which nothing was decided (a document, a preflight, no route, a client that left before) has
//!    none.
//! 2. Who it was comes from the token's issuer alone: the answer to an introspection, or claims whose
//!    signature was verified. Nothing that a request says of its sender is in the line.
//! 3. What was asked for is what was judged. Of a batch every operation is there, as far as
//!    [`MAX_OPERATIONS`] and [`MAX_NAMES_BYTES`] go, and how many there were.
//! 4. Never arguments, tokens, fields or bodies; of the URI of a resource no userinfo and no query.
//!
//! Where a route has no rules, bodies are not read strictly; one that says nothing in one way only
//! has no operation in its line, nor has one that is streamed: its end may say something else.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use serde::Serialize;

use super::{Record, short, short_to, shown};
use crate::{
    authenticate::TokenIdentity,
    authorize::{AuthorizeError, operation::Operation},
    clock::rfc3339,
    jsonrpc::{
        message::{Message, Messages},
        scanner::Text,
    },
    logging::audit::AuditStream,
    oauth::{Scope, ScopeToken},
    rejection::Rejection,
    resource::ProtectedResource,
    snapshot::Snapshot,
};

/// What an audit line has beside what is recorded anyway.
#[derive(Debug)]
pub(super) struct Trail {
    stream: Arc<AuditStream>,
    client: Option<IpAddr>,
    asked: Option<Asked>,
    required: Option<Scope>,
    decision: Option<&'static str>,
}

/// What a body asks for.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Asked {
    operations: Vec<One>,
    /// How many there are, listed or not.
    count: usize,
    names_bytes: usize,
    required: Option<Scope>,
}

/// One operation.
#[derive(Debug, Serialize)]
struct One {
    rpc_method: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rpc_name: Option<Box<str>>,
}

impl Trail {
    /// That of a request from this client; nothing when there is no audit stream.
    pub(super) fn begin(snapshot: &Snapshot, client: IpAddr) -> Option<Box<Self>> {
        let stream = Arc::clone(snapshot.annals.audit.as_ref()?);
        let settings = snapshot.settings.telemetry.audit.as_ref();
        let has_client = settings.is_some_and(|audit| audit.client_address);
        let client = has_client.then(|| client.to_canonical());
        Some(Box::new(Self { stream, client, asked: None, required: None, decision: None }))
    }

    pub(super) fn asked(&mut self, asked: Option<Asked>) {
        self.asked = asked;
    }

    /// The decision, unless there was one before: what was let through stays so, also if the
    /// upstream fails.
    pub(super) fn decided(&mut self, outcome: &'static str) {
        self.decision.get_or_insert(outcome);
    }

    pub(super) fn would_deny(&mut self, error: &AuthorizeError) {
        self.decision = Some("would_deny");
        self.needs(error);
    }

    pub(super) fn refused(&mut self, rejection: &Rejection, outcome: &'static str) {
        self.decided(outcome);
        if let Rejection::Authorize(error) = rejection {
            self.needs(error);
        }
    }

    fn needs(&mut self, error: &AuthorizeError) {
        if let AuthorizeError::InsufficientScope { required, .. } = error {
            self.required = Some(required.clone());
        }
    }

    /// Writes the line, when there is something to say.
    pub(super) fn write(&self, record: &Record<'_>, status: Option<u16>) {
        let (Some(outcome), Some(resource)) = (self.decision, &record.resource) else { return };
        let token = record.token.as_ref();
        let named = self.asked.as_ref().filter(|asked| !asked.operations.is_empty());
        let glanced = record.rpc_name();
        let (mut rpc_method, mut rpc_name) = match named.map(|asked| &*asked.operations) {
            Some([one]) => (Some(&*one.rpc_method), one.rpc_name.as_deref()),
            Some(_) => (None, None),
            None if self.asked.is_some() => (None, None),
            None => (record.glance.method(), glanced.as_deref()),
        };
        rpc_method = rpc_method.map(|text| short_to(text, MAX_NAME_BYTES));
        rpc_name = rpc_name.map(|text| short_to(text, MAX_NAME_BYTES));
        let several = named.filter(|asked| asked.count > 1);
        let required = self.required.as_ref();
        let required = required.or_else(|| self.asked.as_ref()?.required.as_ref());
        let line = Line {
            r#type: "audit",
            time: rfc3339(record.clock.unix_seconds()),
            request_id: record.request_id.to_str().unwrap_or_default(),
            route: &resource.name,
            config_generation: record.snapshot.annals.generation,
            outcome,
            reason: record.reason,
            rule: record.rule.as_deref(),
            status,
            issuer: token.map(|token| token.issuer().as_str()),
            subject: token.and_then(TokenIdentity::subject).map(|subject| short(subject.as_str())),
            client_id: token.and_then(TokenIdentity::client_id).map(|id| short(id.as_str())),
            method: record
                .is_method_known
                .then(|| short_to(record.method.as_str(), MAX_NAME_BYTES)),
            rpc_method,
            rpc_name,
            operations: several.map(|asked| &*asked.operations),
            operation_count: several.map(|asked| asked.count),
            required_scopes: required.map(|scope| scope.iter().map(ScopeToken::as_str).collect()),
            client_address: self.client,
        };
        if let Ok(line) = serde_json::to_vec(&line) {
            self.stream.write(line);
        }
    }
}

impl Asked {
    /// What was judged, or what a batch that nobody judges names.
    pub(in crate::gateway) fn of(
        resource: &ProtectedResource,
        operation: &Operation<'_>,
        body: &Bytes,
    ) -> Self {
        let mut asked =
            Self { required: resource.policy.required_scopes(operation), ..Self::default() };
        for message in operation.messages() {
            let Some(method) = &message.method else { continue };
            if message.objects.is_empty() {
                asked.add(method, None);
            }
            for object in &message.objects {
                asked.add(method, Some(&object.name));
            }
        }
        if operation.messages().is_empty() {
            // Read strictly, or not at all: what two readers may understand differently is not named.
            match Messages::read(body) {
                Ok(Messages::Batch(messages)) => {
                    for message in &messages {
                        asked.add_unjudged(message);
                    }
                }
                Ok(Messages::One(message)) => asked.add_unjudged(&message),
                Err(_) => {}
            }
        }
        asked
    }

    fn add_unjudged(&mut self, message: &Message<'_>) {
        let Some(method) = &message.method else { return };
        let name = message.params.name.as_ref().or(message.params.uri.as_ref());
        self.add(&method.value(), name.map(Text::value).as_deref());
    }

    fn add(&mut self, method: &str, name: Option<&str>) {
        self.count += 1;
        let cut = |text: &str| -> Box<str> { short_to(text, MAX_NAME_BYTES).into() };
        let (rpc_method, rpc_name) = (cut(method), name.map(|name| cut(&shown(method, name))));
        let bytes = rpc_method.len() + rpc_name.as_ref().map_or(0, |name| name.len());
        if self.operations.len() < MAX_OPERATIONS && self.names_bytes + bytes <= MAX_NAMES_BYTES {
            self.names_bytes += bytes;
            self.operations.push(One { rpc_method, rpc_name });
        }
    }
}

/// The line, in this order; what is not known is left out.
#[derive(Serialize)]
struct Line<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    request_id: &'a str,
    route: &'a str,
    config_generation: u64,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rpc_method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rpc_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operations: Option<&'a [One]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_count: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    required_scopes: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_address: Option<IpAddr>,
}

/// Of one name.
const MAX_NAME_BYTES: usize = 256;
/// Of all names in a line.
const MAX_NAMES_BYTES: usize = 4096;
/// In a line.
const MAX_OPERATIONS: usize = 50;
