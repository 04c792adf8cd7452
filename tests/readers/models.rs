//! How other programs read a JSON-RPC message: models of their readers, compared with ours.
//!
//! 1. A body is parsed by `serde_json` into a tree that keeps order and repeated members, so that
//!    nothing of our own scanner is in it.
//! 2. A model is a way to find a member in an object: which names it takes for the one it looks for,
//!    and which of several it believes.
//! 3. Whatever our reader accepts, every model reads as we do: method, name, URI, reference,
//!    revision, subscriptions, and whether there is an id.
//!
//! Python's `json` and Node's `JSON.parse` are the model `exact, last`; `check` beside this file
//! asks the real ones.

use std::{borrow::Cow, fmt};

use gatehouse::jsonrpc::{
    message::{Message, MessageFault, Messages},
    scanner::Text,
};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value whose objects keep every member.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
    String(String),
    /// A number or a word.
    Other,
}

/// What somebody reads in a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) has_id: bool,
    pub(crate) method: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) uri: Option<String>,
    /// `ref`: type, name and URI.
    pub(crate) reference: [Option<String>; 3],
    pub(crate) revision: Option<String>,
    pub(crate) subscriptions: Vec<String>,
}

/// Which of several members that match a reader believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pick {
    First,
    Last,
}

/// Which names a reader takes for the one it looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// The name itself: `serde_json`, Python, Node.
    Exact,
    /// Whatever is equal when case is folded: Go's `encoding/json`, .NET's relaxed options.
    Folded,
    /// Without spaces and control characters around it (GHSA-q382-vc8q-7jhj).
    Trimmed,
    /// Up to the first NUL, as a C string.
    CutAtNul,
    /// Without anything that is not seen, and with case folded.
    Stripped,
    /// In camel case or snake case: pydantic's `populate_by_name`.
    AnyStyle,
    /// Itself, or inherited from a member `__proto__`, once objects have been merged.
    Inherited,
}

pub(crate) const MATCHES: [Match; 7] = [
    Match::Exact,
    Match::Folded,
    Match::Trimmed,
    Match::CutAtNul,
    Match::Stripped,
    Match::AnyStyle,
    Match::Inherited,
];
pub(crate) const PICKS: [Pick; 2] = [Pick::First, Pick::Last];

/// A model of a reader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    pub(crate) matches: Match,
    pub(crate) pick: Pick,
}

/// All models.
pub(crate) fn models() -> impl Iterator<Item = Model> {
    MATCHES.into_iter().flat_map(|matches| PICKS.map(|pick| Model { matches, pick }))
}

impl Match {
    fn takes(self, found: &str, wanted: &str) -> bool {
        let is_junk = |it: char| it.is_whitespace() || it.is_control();
        match self {
            Self::Exact | Self::Inherited => found == wanted,
            Self::Folded => folded(found) == folded(wanted),
            Self::Trimmed => found.trim_matches(is_junk) == wanted,
            Self::CutAtNul => found.split('\0').next() == Some(wanted),
            Self::Stripped => {
                let is_seen = |it: &char| {
                    !is_junk(*it)
                        && !matches!(
                            it,
                            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
                        )
                };
                folded(&found.chars().filter(is_seen).collect::<String>()) == folded(wanted)
            }
            Self::AnyStyle => {
                let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
                plain(found) == plain(wanted)
            }
        }
    }
}

/// Simple case folding, as far as ASCII letters have partners: U+017F is s, U+212A is k.
fn folded(name: &str) -> String {
    let fold = |it: char| match it {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        it => it.to_ascii_lowercase(),
    };
    name.chars().map(fold).collect()
}

impl Model {
    /// What it reads in one message.
    pub(crate) fn read(self, message: &Tree) -> Reading {
        let params = self.member(message, "params");
        let of_params = |name: &str| params.and_then(|params| self.member(params, name));
        let text = |tree: Option<&Tree>| match tree {
            Some(Tree::String(text)) => Some(text.clone()),
            _ => None,
        };
        let reference = of_params("ref");
        let of_reference =
            |name| text(reference.and_then(|reference| self.member(reference, name)));
        let meta = of_params("_meta");
        let subscriptions = of_params("notifications")
            .and_then(|notifications| self.member(notifications, "resourceSubscriptions"));
        Reading {
            has_id: self.member(message, "id").is_some(),
            method: text(self.member(message, "method")),
            name: text(of_params("name")),
            uri: text(of_params("uri")),
            reference: ["type", "name", "uri"].map(of_reference),
            revision: text(meta.and_then(|meta| self.member(meta, REVISION))),
            subscriptions: match subscriptions {
                Some(Tree::Array(items)) => {
                    items.iter().filter_map(|item| text(Some(item))).collect()
                }
                _ => Vec::new(),
            },
        }
    }

    fn member<'t>(self, tree: &'t Tree, wanted: &str) -> Option<&'t Tree> {
        let Tree::Object(members) = tree else { return None };
        let mut found = members.iter().filter(|(name, _)| self.matches.takes(name, wanted));
        let found = match self.pick {
            Pick::First => found.next(),
            Pick::Last => found.next_back(),
        };
        let found = found.map(|(_, value)| value);
        if found.is_some() || self.matches != Match::Inherited {
            return found;
        }
        let parent = members.iter().find(|(name, _)| name == "__proto__");
        parent.and_then(|(_, parent)| self.member(parent, wanted))
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {:?}", self.matches, self.pick)
    }
}

/// What our reader reads.
pub(crate) fn ours(body: &[u8]) -> Result<Vec<Reading>, MessageFault> {
    let messages = Messages::read(body)?;
    Ok(messages.iter().map(our_reading).collect())
}

fn our_reading(message: &Message<'_>) -> Reading {
    let text = |text: &Option<Text<'_>>| text.as_ref().map(Text::value).map(Cow::into_owned);
    let params = &message.params;
    let reference = params.reference.clone().unwrap_or_default();
    Reading {
        has_id: message.id.is_some(),
        method: text(&message.method),
        name: text(&params.name),
        uri: text(&params.uri),
        reference: [&reference.kind, &reference.name, &reference.uri].map(text),
        revision: text(&params.protocol_version),
        subscriptions: params.subscriptions.iter().map(|it| it.value().into_owned()).collect(),
    }
}

/// The messages of a body, as trees; `None` when `serde_json` takes it for no JSON, or for numbers
/// that it cannot hold.
pub(crate) fn trees(body: &[u8]) -> Option<Vec<Tree>> {
    match serde_json::from_slice(body).ok()? {
        Tree::Array(messages) => Some(messages),
        message @ (Tree::Object(_) | Tree::Other | Tree::String(_)) => Some(vec![message]),
    }
}

/// The first model that reads a body, which we accept, in another way.
pub(crate) fn disagreement(body: &[u8]) -> Option<String> {
    let ours = ours(body).ok()?;
    let Some(trees) = trees(body) else {
        let error = serde_json::from_slice::<Tree>(body).err()?.to_string();
        // A reader that refuses reads nothing else.
        return (!error.contains("out of range")).then(|| format!("serde_json: {error}"));
    };
    models().find_map(|model| {
        let theirs: Vec<Reading> = trees.iter().map(|tree| model.read(tree)).collect();
        (theirs != ours).then(|| format!("{model}: {theirs:?}; we read {ours:?}"))
    })
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;

        impl<'de> Visitor<'de> for Whole {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
                Ok(Tree::Other)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
                Ok(Tree::Other)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
                Ok(Tree::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
                Ok(Tree::Other)
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Other)
            }

            fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
                Ok(Tree::String(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    all.push(item);
                }
                Ok(Tree::Array(all))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = members.next_entry()? {
                    all.push(member);
                }
                Ok(Tree::Object(all))
            }
        }

        deserializer.deserialize_any(Whole)
    }
}

const REVISION: &str = "io.modelcontextprotocol/protocolVersion";
