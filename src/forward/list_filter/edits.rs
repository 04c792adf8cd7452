//! Changes to a text whose every other byte stays.

use std::{borrow::Cow, ops::Range};

use bytes::Bytes;

use super::FilterError;
use crate::jsonrpc::message::MessageFault;

/// Places of a text and what shall stand there; no two overlap.
#[derive(Debug, Default)]
pub(super) struct Edits(Vec<(Range<usize>, Cow<'static, str>)>);

impl Edits {
    /// Cuts something out.
    pub(super) fn cut(&mut self, place: Range<usize>) {
        self.0.push((place, Cow::Borrowed("")));
    }

    /// Puts something else in a place.
    pub(super) fn replace(&mut self, place: Range<usize>, text: impl Into<Cow<'static, str>>) {
        self.0.push((place, text.into()));
    }

    /// Puts something between two bytes.
    pub(super) fn insert(&mut self, at: usize, text: impl Into<Cow<'static, str>>) {
        self.replace(at..at, text);
    }

    /// The changed text; `None` when nothing changes.
    pub(super) fn apply(mut self, text: &str) -> Result<Option<Bytes>, FilterError> {
        // Members may come in any order, and what belongs together is noticed in yet another.
        self.0.sort_by_key(|(place, _)| (place.start, place.end));
        self.0.retain(|(place, new)| text.get(place.clone()) != Some(new));
        if self.0.is_empty() {
            return Ok(None);
        }
        let added: usize = self.0.iter().map(|(_, new)| new.len()).sum();
        let mut out = Vec::with_capacity(text.len() + added);
        let mut at = 0;
        for (place, new) in self.0 {
            out.extend_from_slice(text.get(at..place.start).ok_or(OVERLAP)?.as_bytes());
            out.extend_from_slice(new.as_bytes());
            at = place.end;
        }
        out.extend_from_slice(text.get(at..).ok_or(OVERLAP)?.as_bytes());
        Ok(Some(out.into()))
    }
}

/// Cannot be; and if it were, nothing would pass.
const OVERLAP: FilterError = FilterError::Message(MessageFault::Invalid("two changes overlap"));
