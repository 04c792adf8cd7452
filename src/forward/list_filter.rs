//! Filtering lists: what a caller may not see is cut out of the answers to `tools/list`,
//! `prompts/list`, `resources/list` and `resources/templates/list`.
//!
//! 1. A result is taken for a list by what it holds, whatever its `id` says: an array named
//!    `tools`, `prompts`, `resources` or `resourceTemplates`. An upstream may answer with the wrong
//!    `id`, twice, or on another stream than the one it was asked on.
//! 2. What was asked for by `id` must be such an array where it is there at all.
//! 3. Read strictly, or not passed at all: no member twice, none that looks like one of those read
//!    here, no item without name, nothing that says anything and is no message.
//! 4. Items that stay keep their bytes, and so does everything else but 5 and 7.
//! 5. A list that was filtered is `cacheScope: private`, and its `ttlMs` ends with the token (MCP
//!    2026-07-28, "Caching"). Both are changed where they are; `cacheScope` is added where the
//!    revision demands it or `ttlMs` allows caching.
//! 6. What comes on a stream is filtered for whoever asked with its `id`, see [`asked`].
//! 7. With `annotate_tools` each tool says which scopes it needs, in its `_meta` and as
//!    `securitySchemes` unless it has its own.
//!
//! Errors, notifications, requests and other results pass as they are. It decides about sight
//! alone: a call is judged by its own rule, listed or not.

pub mod asked;
pub mod events;

mod edits;
mod item;
pub(super) mod response;
mod walk;

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;

use self::{asked::AskedLists, walk::Walk};
use crate::{
    authorize::{
        Demands,
        operation::{Asked, ObjectKind, Operation},
        rules::Holder,
        sight::Sight,
    },
    clock::Clock,
    jsonrpc::{
        message::MessageFault,
        scanner::{Fault, Scanner},
    },
    limits::buffer::NoRoom,
};

/// Filters the lists of one exchange or stream.
#[derive(Clone, Debug)]
pub struct ListFilter {
    view: Arc<View>,
    asked: Arc<[(RequestId, ListKind)]>,
    /// Where others ask for what is answered here.
    elsewhere: Option<Arc<AskedLists>>,
}

/// What one caller gets to see.
#[derive(Debug)]
struct View {
    sight: Sight,
    /// When the caller's token expires, in seconds since the epoch.
    expires_at: Option<f64>,
    clock: Arc<dyn Clock>,
}

/// Who asks, as far as it matters to lists.
#[derive(Clone, Copy)]
pub struct Viewer<'a> {
    /// What the rules ask about the caller; `None` without a token.
    pub holder: Option<Holder<'a>>,
    /// When its token expires, in seconds since the epoch.
    pub expires_at: Option<f64>,
}

/// What a list holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ListKind {
    Prompts,
    Resources,
    Templates,
    Tools,
}

/// An `id`: equal when type and value are; numbers as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum RequestId {
    Number(Box<str>),
    Text(Box<str>),
}

/// Why a message that may hold a list cannot pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It is encoded, or its media type is none that can be read.
    #[error("a list that may not pass unread: {0}")]
    Form(&'static str),
    /// It cannot be read in one way only.
    #[error("a list that cannot be filtered: {0}")]
    Message(MessageFault),
    /// There is no memory left for it.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// It is larger than what is held in memory.
    #[error("a list that is longer than {MAX_LIST_BYTES} bytes")]
    TooLong,
}

impl From<Fault> for FilterError {
    fn from(fault: Fault) -> Self {
        Self::Message(fault.into())
    }
}

impl From<MessageFault> for FilterError {
    fn from(fault: MessageFault) -> Self {
        Self::Message(fault)
    }
}

impl ListFilter {
    /// The filter for the answer to a POST; `None` when nothing in it can need one.
    pub fn for_operation(
        demands: &Arc<Demands>,
        viewer: Viewer<'_>,
        operation: &Operation<'_>,
        clock: &Arc<dyn Clock>,
    ) -> Option<Self> {
        let messages = operation.messages();
        let kinds: Vec<_> = messages.iter().filter_map(listed_kind).collect();
        if kinds.is_empty() {
            return None;
        }
        let asked = messages.iter().filter_map(asked_list).collect();
        let filter = Self::new(demands, viewer, asked, clock);
        kinds.iter().any(|kind| filter.view.concerns(*kind)).then_some(filter)
    }

    /// The filter for a stream on which answers to any requests may come; `None` when the route
    /// needs none.
    pub fn for_stream(
        demands: &Arc<Demands>,
        viewer: Viewer<'_>,
        clock: &Arc<dyn Clock>,
    ) -> Option<Self> {
        let filter = Self::new(demands, viewer, Vec::new(), clock);
        let is_needed = ListKind::ALL.iter().any(|kind| filter.view.concerns(*kind));
        is_needed.then_some(filter)
    }

    /// Whether streams need a filter where these are the rules, for whoever shows a token.
    pub fn is_needed(demands: &Demands) -> bool {
        let rules = demands.rules();
        let filters = |kind: &ListKind| rules.filters(kind.object(), false);
        rules.settings().annotate_tools || ListKind::ALL.iter().any(filters)
    }

    fn new(
        demands: &Arc<Demands>,
        viewer: Viewer<'_>,
        asked: Vec<(RequestId, ListKind)>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let sight = Sight::new(Arc::clone(demands), viewer.holder);
        let (expires_at, clock) = (viewer.expires_at, Arc::clone(clock));
        let view = Arc::new(View { sight, expires_at, clock });
        Self { view, asked: asked.into(), elsewhere: None }
    }

    /// Others ask there for what is answered here.
    fn join(&mut self, elsewhere: Arc<AskedLists>) {
        elsewhere.open(self);
        self.elsewhere = Some(elsewhere);
    }

    /// What of a message, or of a batch of them, may be seen; `None` when it passes as it is.
    pub fn json(&self, message: &[u8]) -> Result<Option<Bytes>, FilterError> {
        let text = std::str::from_utf8(message).map_err(|_| MessageFault::NotUtf8)?;
        Walk::read(self, text)?.apply(text)
    }
}

impl View {
    /// Whether lists of this kind may have to be changed.
    fn concerns(&self, kind: ListKind) -> bool {
        self.sight.filters(kind.object()) || self.annotates(kind)
    }

    fn annotates(&self, kind: ListKind) -> bool {
        kind == ListKind::Tools && self.sight.annotates_tools()
    }

    fn hides(&self, kind: ListKind, name: &str) -> bool {
        match kind {
            ListKind::Templates => self.sight.hides_template(name),
            ListKind::Prompts | ListKind::Resources | ListKind::Tools => {
                self.sight.hides(kind.object(), name)
            }
        }
    }

    /// How long the token still lives, in milliseconds; `None` when it does not end.
    fn milliseconds_left(&self) -> Option<f64> {
        let left = self.expires_at? - self.clock.unix_seconds();
        Some((left * 1000.0).floor().max(0.0))
    }
}

/// Which list a message names: nobody may answer a notification, and some servers do.
fn listed_kind(asked: &Asked<'_>) -> Option<ListKind> {
    ListKind::of_method(asked.method.as_deref()?)
}

fn asked_list(asked: &Asked<'_>) -> Option<(RequestId, ListKind)> {
    Some((RequestId::read(asked.id?)?, listed_kind(asked)?))
}

impl ListKind {
    const ALL: [Self; 4] = [Self::Prompts, Self::Resources, Self::Templates, Self::Tools];

    fn of_method(method: &str) -> Option<Self> {
        match method {
            "prompts/list" => Some(Self::Prompts),
            "resources/list" => Some(Self::Resources),
            "resources/templates/list" => Some(Self::Templates),
            "tools/list" => Some(Self::Tools),
            _ => None,
        }
    }

    /// By the member of a result that holds such a list.
    fn of_member(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.member() == name)
    }

    fn member(self) -> &'static str {
        match self {
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
            Self::Tools => "tools",
        }
    }

    /// The member of an item that rules are about.
    fn key(self) -> &'static str {
        match self {
            Self::Prompts | Self::Tools => "name",
            Self::Resources => "uri",
            Self::Templates => "uriTemplate",
        }
    }

    fn object(self) -> ObjectKind {
        match self {
            Self::Prompts => ObjectKind::Prompt,
            Self::Resources | Self::Templates => ObjectKind::Resource,
            Self::Tools => ObjectKind::Tool,
        }
    }
}

impl RequestId {
    fn len(&self) -> usize {
        match self {
            Self::Number(text) | Self::Text(text) => text.len(),
        }
    }

    /// From JSON text; `None` when it is neither a string nor a number.
    fn read(raw: &str) -> Option<Self> {
        let text = raw.trim_ascii();
        if text.starts_with('"') {
            let text: Cow<'_, str> = Scanner::new(text).string().ok()?.value();
            return Some(Self::Text(text.into()));
        }
        let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        is_number.then(|| Self::Number(text.into()))
    }
}

/// How long a filtered answer may be that is no event stream.
pub const MAX_LIST_BYTES: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests;
