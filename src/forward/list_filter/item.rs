//! One item of a list, and what is added to a tool.

use std::{borrow::Cow, ops::Range};

use super::{
    FilterError, ListKind,
    edits::Edits,
    walk::{invalid, members, span},
};
use crate::{
    jsonrpc::scanner::{Kind, Scanner},
    oauth::{Scope, ScopeToken},
};

/// One item of a list.
pub(super) struct Item<'t> {
    /// What rules know it by.
    pub(super) key: Cow<'t, str>,
    meta: Option<Meta>,
    has_schemes: bool,
    /// Where its closing brace stands.
    close: usize,
}

/// `_meta` of an item that is annotated.
enum Meta {
    /// `null`, here.
    Null(Range<usize>),
    /// An object; the member that is ours, if it has one.
    Object { close: usize, is_empty: bool, ours: Option<Range<usize>> },
}

impl<'t> Item<'t> {
    /// Reads an item; `_meta` only where it is annotated.
    pub(super) fn read(
        scanner: &mut Scanner<'t>,
        kind: ListKind,
        is_annotated: bool,
    ) -> Result<Self, FilterError> {
        let known = [kind.key(), "_meta", "securitySchemes"];
        let (mut key, mut meta, mut has_schemes) = (None, None, false);
        members(scanner, &known, |scanner, name| {
            match name {
                "_meta" if is_annotated => meta = Some(Meta::read(scanner)?),
                "securitySchemes" => {
                    has_schemes = true;
                    scanner.skip_value()?;
                }
                name if name == kind.key() => {
                    if scanner.kind()? != Kind::String {
                        return invalid("the name of an item is no string");
                    }
                    key = Some(scanner.string()?.value());
                }
                _ => scanner.skip_value()?,
            }
            Ok(())
        })?;
        let Some(key) = key else { return invalid("an item of a list has no name") };
        Ok(Self { key, meta, has_schemes, close: scanner.position() - 1 })
    }

    /// Says which scopes a call of the tool needs.
    pub(super) fn annotate(&self, needed: &Scope, edits: &mut Edits) -> Result<(), FilterError> {
        let scopes: Vec<&str> = needed.iter().map(ScopeToken::as_str).collect();
        let Ok(scopes) = serde_json::to_string(&scopes) else {
            return invalid("scopes that cannot be written");
        };
        let ours = format!(r#""{REQUIRED_SCOPES}":{scopes}"#);
        // What the tool's own server says under our name is not ours.
        let is_silent = needed.is_empty();
        let mut added = String::new();
        match &self.meta {
            Some(Meta::Object { ours: Some(place), .. }) => {
                edits.replace(place.clone(), scopes.clone());
            }
            _ if is_silent => {}
            Some(Meta::Object { close, is_empty: true, .. }) => edits.insert(*close, ours),
            Some(Meta::Object { close, .. }) => edits.insert(*close, format!(",{ours}")),
            Some(Meta::Null(place)) => edits.replace(place.clone(), format!("{{{ours}}}")),
            None => added = format!(r#","_meta":{{{ours}}}"#),
        }
        if !self.has_schemes && !is_silent {
            for text in [r#","securitySchemes":[{"type":"oauth2","scopes":"#, &scopes, "}]"] {
                added.push_str(text);
            }
        }
        edits.insert(self.close, added);
        Ok(())
    }
}

impl Meta {
    fn read(scanner: &mut Scanner<'_>) -> Result<Self, FilterError> {
        if scanner.kind()? != Kind::Object {
            let start = scanner.position();
            if scanner.value()? != "null" {
                return invalid("_meta of a tool is no object");
            }
            return Ok(Self::Null(start..scanner.position()));
        }
        let (mut is_empty, mut ours) = (true, None);
        members(scanner, &[REQUIRED_SCOPES], |scanner, name| {
            is_empty = false;
            let place = span(scanner)?;
            if name == REQUIRED_SCOPES {
                ours = Some(place);
            }
            Ok(())
        })?;
        Ok(Self::Object { close: scanner.position() - 1, is_empty, ours })
    }
}

/// Says in a tool's `_meta` which scopes a call of it needs.
const REQUIRED_SCOPES: &str = "gatehouse/required_scopes";
