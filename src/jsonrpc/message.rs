//! A JSON-RPC message read strictly, so that every server behind us reads the same in it.
//!
//! 1. One object, or an array of objects where the revision has batches; UTF-8; nothing behind it.
//! 2. In the envelope, in `params`, in `_meta` and in what names an object: no member twice, names
//!    of printable ASCII alone, and none that differs from a known one only by case, underscores or
//!    hyphens. Servers exist that fold case or strip control characters (CVE-2026-27896,
//!    GHSA-q382-vc8q-7jhj), or take `resource_subscriptions` for `resourceSubscriptions`; and none
//!    is `__proto__`.
//! 3. `jsonrpc` is `"2.0"`; `id` is a string or an integer and keeps its text; a message is a
//!    request, a notification or a response, never two of them.
//! 4. `params` is an object (MCP has no positional parameters).
//!
//! It does not judge what a message asks for, and leaves `arguments` as they are: whoever needs
//! them reads them with [`members`].

use std::{borrow::Cow, collections::HashMap, ops::Range};

use super::{
    names::Names,
    scanner::{Fault, Kind, Scanner, Text},
};

/// What a body holds.
#[derive(Clone, Debug)]
pub enum Messages<'a> {
    /// An array of messages, at least one.
    Batch(Vec<Message<'a>>),
    /// One message.
    One(Box<Message<'a>>),
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// Which of the three it is.
    pub kind: MessageKind,
    /// `id` as written; a notification has none.
    pub id: Option<&'a str>,
    /// Where `id` stands in the body.
    pub id_span: Option<Range<usize>>,
    /// `method`; a response has none.
    pub method: Option<Text<'a>>,
    /// What `params` hold.
    pub params: Params<'a>,
}

/// The three kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A method, and nobody waits for an answer.
    Notification,
    /// A method that is to be answered.
    Request,
    /// A result or an error: the answer to a request of the server's.
    Response,
}

/// The parameters that matter to a gateway.
#[derive(Clone, Debug, Default)]
pub struct Params<'a> {
    /// `name`, of a tool or prompt.
    pub name: Option<Text<'a>>,
    /// `uri`, of a resource.
    pub uri: Option<Text<'a>>,
    /// `taskId`.
    pub task_id: Option<Text<'a>>,
    /// `arguments`, as written: JSON text of any kind.
    pub arguments: Option<&'a str>,
    /// `ref`: what a completion is for.
    pub reference: Option<Reference<'a>>,
    /// `notifications.resourceSubscriptions`: the resources that `subscriptions/listen` names.
    pub subscriptions: Vec<Text<'a>>,
    /// `_meta["io.modelcontextprotocol/protocolVersion"]`.
    pub protocol_version: Option<Text<'a>>,
}

/// `ref` of `completion/complete`.
#[derive(Clone, Debug, Default)]
pub struct Reference<'a> {
    /// `type`: `ref/prompt` or `ref/resource`.
    pub kind: Option<Text<'a>>,
    /// `name` of a prompt.
    pub name: Option<Text<'a>>,
    /// `uri` of a resource or template.
    pub uri: Option<Text<'a>>,
}

/// Why a body is no message that everybody reads alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageFault {
    /// It is JSON, but no request, or one that can be read in two ways.
    #[error("{0}")]
    Invalid(&'static str),
    /// It is not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(Fault),
    /// It is not UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
}

impl From<Fault> for MessageFault {
    fn from(fault: Fault) -> Self {
        match fault {
            // Well-formed, but not for us.
            Fault::Depth => Self::Invalid("the body is nested too deeply"),
            Fault::Cut | Fault::Syntax => Self::NotJson(fault),
        }
    }
}

impl<'a> Messages<'a> {
    /// Reads a whole body.
    pub fn read(body: &'a [u8]) -> Result<Self, MessageFault> {
        let text = std::str::from_utf8(body).map_err(|_| MessageFault::NotUtf8)?;
        let mut scanner = Scanner::new(text);
        let messages = match scanner.kind()? {
            Kind::Object => Self::One(Box::new(Message::read(&mut scanner)?)),
            Kind::Array => Self::Batch(batch(&mut scanner)?),
            Kind::Number | Kind::String | Kind::Word => {
                scanner.skip_value()?;
                scanner.end()?;
                return Err(MessageFault::Invalid("the body is no object"));
            }
        };
        scanner.end()?;
        Ok(messages)
    }

    /// All messages, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Message<'a>> {
        match self {
            Self::Batch(messages) => messages.as_slice(),
            Self::One(message) => std::slice::from_ref(&**message),
        }
        .iter()
    }
}

fn batch<'a>(scanner: &mut Scanner<'a>) -> Result<Vec<Message<'a>>, MessageFault> {
    let mut messages = Vec::new();
    scanner.array(|scanner| {
        if scanner.kind()? != Kind::Object {
            return Err(MessageFault::Invalid("a batch holds something that is no object"));
        }
        if messages.len() >= MAX_BATCH {
            return Err(MessageFault::Invalid("a batch holds too many messages"));
        }
        messages.push(Message::read(scanner)?);
        Ok(())
    })?;
    // JSON-RPC 2.0 section 6: an empty array is no request.
    if messages.is_empty() {
        Err(MessageFault::Invalid("the batch is empty"))
    } else {
        Ok(messages)
    }
}

/// What the envelope said of itself.
#[derive(Default)]
struct Envelope {
    has_version: bool,
    has_answer: bool,
    has_params: bool,
}

impl<'a> Message<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Result<Self, MessageFault> {
        let mut envelope = Envelope::default();
        let mut message = Message {
            kind: MessageKind::Notification,
            id: None,
            id_span: None,
            method: None,
            params: Params::default(),
        };
        object(scanner, &ENVELOPE, |scanner, name| {
            match name {
                "jsonrpc" => {
                    let version = string(scanner, "jsonrpc is not \"2.0\"")?;
                    envelope.has_version = version.is("2.0");
                }
                "id" => (message.id, message.id_span) = id(scanner)?,
                "method" => message.method = Some(string(scanner, "method is no string")?),
                "params" => {
                    envelope.has_params = true;
                    message.params = Params::read(scanner)?;
                }
                "result" | "error" => {
                    // Both of them are one too many (JSON-RPC 2.0 section 5).
                    if std::mem::replace(&mut envelope.has_answer, true) {
                        return Err(MessageFault::Invalid("both result and error"));
                    }
                    scanner.skip_value()?;
                }
                _ => scanner.skip_value()?,
            }
            Ok(())
        })?;
        message.conclude(&envelope)
    }

    fn conclude(mut self, envelope: &Envelope) -> Result<Self, MessageFault> {
        let invalid = |why| Err(MessageFault::Invalid(why));
        if !envelope.has_version {
            return invalid("jsonrpc is not \"2.0\"");
        }
        self.kind = match (&self.method, envelope.has_answer, self.id) {
            (Some(_), true, _) => return invalid("both a method and an answer"),
            (None, false, _) => return invalid("neither a method nor an answer"),
            (None, true, None) => return invalid("an answer without id"),
            (None, true, Some(_)) if envelope.has_params => {
                return invalid("an answer with params");
            }
            (None, true, Some(_)) => MessageKind::Response,
            (Some(_), false, Some(_)) => MessageKind::Request,
            (Some(_), false, None) => MessageKind::Notification,
        };
        Ok(self)
    }
}

impl<'a> Params<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Result<Self, MessageFault> {
        let mut params = Self::default();
        if scanner.kind()? != Kind::Object {
            return Err(MessageFault::Invalid("params is no object"));
        }
        object(scanner, &PARAMS, |scanner, name| {
            match name {
                "name" => params.name = Some(string(scanner, "params.name is no string")?),
                "uri" => params.uri = Some(string(scanner, "params.uri is no string")?),
                "taskId" => params.task_id = Some(string(scanner, "params.taskId is no string")?),
                "arguments" => params.arguments = Some(scanner.value()?),
                "ref" => params.reference = Some(Reference::read(scanner)?),
                "notifications" if scanner.kind()? == Kind::Object => {
                    params.subscriptions = subscriptions(scanner)?;
                }
                "_meta" if scanner.kind()? == Kind::Object => {
                    params.protocol_version = protocol_version(scanner)?;
                }
                "_meta" => return Err(MessageFault::Invalid("params._meta is no object")),
                _ => scanner.skip_value()?,
            }
            Ok(())
        })?;
        Ok(params)
    }
}

impl<'a> Reference<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Result<Self, MessageFault> {
        let mut reference = Self::default();
        if scanner.kind()? != Kind::Object {
            return Err(MessageFault::Invalid("params.ref is no object"));
        }
        object(scanner, &REFERENCE, |scanner, name| {
            match name {
                "type" => reference.kind = Some(string(scanner, "params.ref.type is no string")?),
                "name" => reference.name = Some(string(scanner, "params.ref.name is no string")?),
                "uri" => reference.uri = Some(string(scanner, "params.ref.uri is no string")?),
                _ => scanner.skip_value()?,
            }
            Ok(())
        })?;
        Ok(reference)
    }
}

fn subscriptions<'a>(scanner: &mut Scanner<'a>) -> Result<Vec<Text<'a>>, MessageFault> {
    let mut uris = Vec::new();
    object(scanner, &NOTIFICATIONS, |scanner, name| {
        if name != "resourceSubscriptions" {
            return Ok(scanner.skip_value()?);
        }
        if scanner.kind()? != Kind::Array {
            return Err(MessageFault::Invalid("resourceSubscriptions is no array"));
        }
        scanner.array(|scanner| {
            if uris.len() >= MAX_SUBSCRIPTIONS {
                return Err(MessageFault::Invalid("too many resource subscriptions"));
            }
            uris.push(string(scanner, "a resource subscription is no string")?);
            Ok(())
        })
    })?;
    Ok(uris)
}

fn protocol_version<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Text<'a>>, MessageFault> {
    let mut version = None;
    object(scanner, &META, |scanner, name| {
        if name == PROTOCOL_VERSION {
            version = Some(string(scanner, "the protocol version is no string")?);
            return Ok(());
        }
        Ok(scanner.skip_value()?)
    })?;
    Ok(version)
}

/// The members of a JSON object by name, each as written; `None` when the text is no object.
///
/// # Errors
///
/// When a member stands there twice, or its name looks like another's.
pub fn members<'a>(
    text: &'a str,
    known: &[&str],
) -> Result<Option<HashMap<Cow<'a, str>, &'a str>>, MessageFault> {
    let mut scanner = Scanner::new(text);
    if scanner.kind()? != Kind::Object {
        return Ok(None);
    }
    let mut found = HashMap::new();
    let mut names = Names::new(known);
    scanner.object(|scanner, name| {
        let name = name.value();
        names.add(name.clone())?;
        found.insert(name, scanner.value()?);
        Ok::<_, MessageFault>(())
    })?;
    Ok(Some(found))
}

/// Reads an object whose members must not be mistaken for one another.
fn object<'a>(
    scanner: &mut Scanner<'a>,
    known: &[&str],
    mut member: impl FnMut(&mut Scanner<'a>, &str) -> Result<(), MessageFault>,
) -> Result<(), MessageFault> {
    let mut names = Names::new(known);
    scanner.object(|scanner, name| {
        let name = name.value();
        names.add_plain(name.clone())?;
        member(scanner, &name)
    })
}

fn string<'a>(scanner: &mut Scanner<'a>, why: &'static str) -> Result<Text<'a>, MessageFault> {
    if scanner.kind()? != Kind::String {
        return Err(MessageFault::Invalid(why));
    }
    Ok(scanner.string()?)
}

/// A string, or an integer written as one.
fn id<'a>(
    scanner: &mut Scanner<'a>,
) -> Result<(Option<&'a str>, Option<Range<usize>>), MessageFault> {
    let kind = scanner.kind()?;
    let start = scanner.position();
    let text = scanner.value()?;
    let is_integer = || text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    match kind {
        Kind::String => {}
        Kind::Number if is_integer() => {}
        Kind::Array | Kind::Number | Kind::Object | Kind::Word => {
            return Err(MessageFault::Invalid("id is neither a string nor an integer"));
        }
    }
    Ok((Some(text), Some(start..scanner.position())))
}

const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const ENVELOPE: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];
const PARAMS: [&str; 7] = ["name", "uri", "taskId", "arguments", "ref", "notifications", "_meta"];
const REFERENCE: [&str; 3] = ["type", "name", "uri"];
const NOTIFICATIONS: [&str; 1] = ["resourceSubscriptions"];
const META: [&str; 1] = [PROTOCOL_VERSION];
const MAX_BATCH: usize = 1000;
const MAX_SUBSCRIPTIONS: usize = 1000;

#[cfg(test)]
mod tests;
