//! What a message asks for: a method, and the tool, prompt or resource it names.
//!
//! 1. The method decides which parameter names an object; a message that lacks it, or names two, is
//!    no request that could be judged.
//! 2. A method that differs from a known one only by case, and a name that some reader would trim,
//!    are refused: an upstream might take them for what a rule forbids.
//! 3. Where resources have rules, a URI must be in the one form that nobody rewrites.
//! 4. Batches exist in revision 2025-03-26 and where no revision is named.
//!
//! It decides nothing about who may do it.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};

use super::{
    mirror::{self, HeaderMismatch},
    refusal::Named,
};
use crate::{
    admission::mcp,
    jsonrpc::{
        Glance,
        message::{Message, MessageFault, MessageKind, Messages},
        plain,
        scanner::Text,
        uri,
    },
};

/// What a body asks for.
#[derive(Clone, Debug, Default)]
pub struct Operation<'a> {
    messages: Vec<Asked<'a>>,
    is_batch: bool,
    /// What a glance showed, where nothing more was read.
    glance: Option<&'a Glance>,
    /// Whether the client looks for the answer on another stream.
    is_answered_elsewhere: bool,
}

/// What one message asks for.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// Which kind of message it is.
    pub kind: MessageKind,
    /// Its `id` as written.
    pub id: Option<&'a str>,
    /// Its method; a response has none.
    pub method: Option<Cow<'a, str>>,
    /// What it names; `subscriptions/listen` may name several.
    pub objects: Vec<Object<'a>>,
    /// `params.arguments` as written.
    pub arguments: Option<&'a str>,
}

/// A tool, prompt or resource that a message names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object<'a> {
    /// Which of the three.
    pub kind: ObjectKind,
    /// Its name or URI.
    pub name: Cow<'a, str>,
}

/// What kind of object a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A method itself.
    Method,
    /// `prompts`
    Prompt,
    /// `resources`, by URI.
    Resource,
    /// `tools`
    Tool,
}

/// Why a body cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// A header says something else than the body.
    #[error(transparent)]
    Header(#[from] HeaderMismatch),
    /// It is not JSON, or no request.
    #[error(transparent)]
    Message(#[from] MessageFault),
    /// Its media type is not `application/json` in UTF-8, or it is encoded.
    #[error("{0}")]
    MediaType(&'static str),
}

impl<'a> Operation<'a> {
    /// Reads what a POST asks for; `judges_resources` says whether resources have rules.
    pub fn read(
        body: &'a [u8],
        headers: &HeaderMap,
        judges_resources: bool,
    ) -> Result<Self, OperationError> {
        check_media_type(headers)?;
        let messages = Messages::read(body)?;
        let is_batch = match &messages {
            Messages::Batch(_) => true,
            Messages::One(_) => false,
        };
        if is_batch && !may_batch(headers) {
            return Err(invalid("this revision has no batches").into());
        }
        let mut asked = Vec::with_capacity(1);
        for message in messages.iter() {
            mirror::check(headers, message, is_batch)?;
            asked.push(Asked::read(message, headers, judges_resources)?);
        }
        Ok(Self { messages: asked, is_batch, ..Self::default() })
    }

    /// What is not read: a stream to be opened, a session to be ended, or the body of a request on
    /// a route without rules, of which a glance shows something.
    pub fn unread(glance: &'a Glance) -> Self {
        Self { glance: Some(glance), ..Self::default() }
    }

    /// The client looks for the answer on another stream (HTTP+SSE): none can be given in this
    /// response.
    #[must_use]
    pub fn answered_elsewhere(self) -> Self {
        Self { is_answered_elsewhere: true, ..self }
    }

    /// What its messages ask for.
    pub fn messages(&self) -> &[Asked<'a>] {
        &self.messages
    }

    /// Whether it came as an array.
    pub fn is_batch(&self) -> bool {
        self.is_batch
    }

    /// Whether an answer of our own, in the place of the upstream's, would be understood.
    pub(super) fn can_be_answered_otherwise(&self) -> bool {
        !self.is_answered_elsewhere && self.single_request().is_some()
    }

    /// What a refusal of all of it would be about.
    pub(super) fn named(&self) -> Option<Named> {
        if let Some(glance) = self.glance {
            return named_at_a_glance(glance);
        }
        let [asked] = self.messages.as_slice() else { return None };
        let method = || {
            let name = asked.method.clone()?;
            Some(Named::of(&Object { kind: ObjectKind::Method, name }))
        };
        asked.objects.first().map(Named::of).or_else(method)
    }

    /// The one request it is, if it is one: neither a batch nor a notification.
    pub fn single_request(&self) -> Option<&Asked<'a>> {
        match (self.is_batch, self.messages.as_slice()) {
            (false, [asked]) if asked.kind == MessageKind::Request => Some(asked),
            _ => None,
        }
    }
}

impl<'a> Asked<'a> {
    /// Everything that rules may be about: the method first, then what it names. A response asks
    /// for nothing.
    pub(super) fn judged_objects(&self) -> impl Iterator<Item = Object<'_>> {
        let method = self.method.iter().map(|name| (ObjectKind::Method, name));
        let objects = self.objects.iter().map(|object| (object.kind, &object.name));
        method.chain(objects).map(|(kind, name)| Object { kind, name: Cow::Borrowed(&**name) })
    }

    fn read(
        message: &Message<'a>,
        headers: &HeaderMap,
        judges_resources: bool,
    ) -> Result<Self, MessageFault> {
        let method = message.method.as_ref().map(Text::value);
        let objects = match &method {
            Some(method) => {
                if let Some(why) = plain::method_fault(method) {
                    return Err(invalid(why));
                }
                objects(method, message)?
            }
            // Revision 2026-07-28: the server asks nothing of the client.
            None if mirror::is_modern(headers) => {
                return Err(invalid("this revision has no responses from clients"));
            }
            None => Vec::new(),
        };
        objects.iter().try_for_each(|object| object.check(judges_resources))?;
        let arguments = message.params.arguments;
        Ok(Self { kind: message.kind, id: message.id, method, objects, arguments })
    }
}

impl Object<'_> {
    fn check(&self, judges_resources: bool) -> Result<(), MessageFault> {
        if !plain::is_plain_name(&self.name) {
            return Err(invalid("an empty name, or one that somebody would trim"));
        }
        if self.kind == ObjectKind::Resource && judges_resources && !uri::is_plain(&self.name) {
            return Err(invalid("a resource URI that somebody would rewrite"));
        }
        Ok(())
    }
}

fn named_at_a_glance(glance: &Glance) -> Option<Named> {
    let method = glance.method()?;
    let kind = match method {
        "tools/call" => ObjectKind::Tool,
        "prompts/get" => ObjectKind::Prompt,
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => ObjectKind::Resource,
        _ => return Some(Named { kind: ObjectKind::Method, name: method.into() }),
    };
    glance.name().map(|name| Named { kind, name: name.into() })
}

/// What a message of this method names.
fn objects<'a>(method: &str, message: &Message<'a>) -> Result<Vec<Object<'a>>, MessageFault> {
    let params = &message.params;
    let (name, uri) = (params.name.as_ref(), params.uri.as_ref());
    let object =
        |kind, text: Option<&Text<'a>>| text.map(|text| Object { kind, name: text.value() });
    let group = method.split_once('/').map(|(group, _)| group);
    let named = match group {
        Some("tools") => object(ObjectKind::Tool, name),
        Some("prompts") => object(ObjectKind::Prompt, name),
        Some("resources") => object(ObjectKind::Resource, uri),
        Some("tasks") => object(ObjectKind::Tool, name).or(object(ObjectKind::Resource, uri)),
        Some("completion") => return completion(message).map(|object| vec![object]),
        _ => None,
    };
    // Subscribing to nothing is for the server to refuse: in revision 2026-07-28 it says that there
    // is no such method, whatever the parameters.
    let must_name = matches!(method, "tools/call" | "prompts/get" | "resources/read");
    if must_name && named.is_none() {
        return Err(invalid("the parameter that names its object is missing"));
    }
    if named.is_some() && name.is_some() && uri.is_some() {
        return Err(invalid("both params.name and params.uri"));
    }
    let named_bytes: usize = params.subscriptions.iter().map(|uri| uri.value().len()).sum();
    if named_bytes > MAX_SUBSCRIBED_BYTES {
        return Err(invalid("more than 64 KiB of URIs to subscribe to"));
    }
    let subscribed = params.subscriptions.iter();
    let subscribed = subscribed.map(|uri| Object { kind: ObjectKind::Resource, name: uri.value() });
    Ok(named.into_iter().chain(subscribed).collect())
}

fn completion<'a>(message: &Message<'a>) -> Result<Object<'a>, MessageFault> {
    let wrong = || invalid("params.ref names neither a prompt nor a resource");
    let reference = message.params.reference.as_ref().ok_or_else(wrong)?;
    let kind = reference.kind.as_ref().ok_or_else(wrong)?;
    let (kind, name) = match (kind.value().as_ref(), &reference.name, &reference.uri) {
        ("ref/prompt", Some(name), None) => (ObjectKind::Prompt, name),
        ("ref/resource", None, Some(uri)) => (ObjectKind::Resource, uri),
        _ => return Err(wrong()),
    };
    Ok(Object { kind, name: name.value() })
}

/// Whether every reader takes a body for the same JSON text; without a type it is for the server to
/// say.
pub fn is_plain_json(headers: &HeaderMap) -> bool {
    let has_none = !headers.contains_key(http::header::CONTENT_TYPE)
        && !headers.contains_key(http::header::CONTENT_ENCODING);
    has_none || check_media_type(headers).is_ok()
}

/// Every one of them is read in several ways.
const MAX_SUBSCRIBED_BYTES: usize = 64 * 1024;

/// RFC 9110 section 8.3: one field, `application/json`, no other charset than UTF-8, no coding.
fn check_media_type(headers: &HeaderMap) -> Result<(), OperationError> {
    let media_type = |why| Err(OperationError::MediaType(why));
    if headers.contains_key(http::header::CONTENT_ENCODING) {
        return media_type("the body has a Content-Encoding; send it as it is");
    }
    let value = headers.get(http::header::CONTENT_TYPE).map(HeaderValue::to_str);
    let Some(Ok(value)) = value else {
        return media_type("Content-Type is missing; it must be application/json");
    };
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    if !essence.eq_ignore_ascii_case("application/json") {
        return media_type("Content-Type is not application/json");
    }
    let is_utf8 = |parameter: &str| {
        let Some((name, value)) = parameter.split_once('=') else { return false };
        name.trim().eq_ignore_ascii_case("charset")
            && value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    };
    if parts.all(is_utf8) {
        Ok(())
    } else {
        media_type("Content-Type has another charset than UTF-8")
    }
}

fn may_batch(headers: &HeaderMap) -> bool {
    headers.get(mcp::PROTOCOL_VERSION).is_none_or(|version| version == "2025-03-26")
}

fn invalid(why: &'static str) -> MessageFault {
    MessageFault::Invalid(why)
}

#[cfg(test)]
mod tests;
