//! Finds the rules of one kind that match any of an object's names.
//!
//! 1. Exact names are found by hash, globs by their first character.
//! 2. A pattern over URIs also matches in each of its own readings: `team%3Aops` in a rule is
//!    `team:ops` as well.

use std::{borrow::Cow, collections::HashMap};

use crate::{
    config::{glob::Glob, settings::Rule},
    jsonrpc::uri,
};

/// Finds the rules of one kind.
#[derive(Debug, Default)]
pub(super) struct Table {
    exact: HashMap<Box<str>, Vec<usize>>,
    /// Globs by the first character of what they match, each with its rule.
    globs: HashMap<char, Vec<(Glob, usize)>>,
    /// Globs over what may begin with anything.
    open_globs: Vec<(Glob, usize)>,
}

impl Table {
    /// Patterns over names.
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut table = Self::default();
        for (index, rule) in rules.iter().enumerate() {
            table.add(&rule.pattern, index);
        }
        table
    }

    /// Patterns over URIs.
    pub(super) fn of_uris(rules: &[Rule]) -> Self {
        let mut table = Self::default();
        for (index, rule) in rules.iter().enumerate() {
            let patterns = readings(&rule.pattern);
            for pattern in &patterns {
                table.add(pattern, index);
            }
            let names = patterns.iter().filter_map(Glob::exact);
            let files = names.filter(|name| name.starts_with("file:///"));
            for path in files.filter_map(|name| uri::file_path(&name)) {
                table.add_exact(path, index);
            }
        }
        table
    }

    fn add(&mut self, pattern: &Glob, index: usize) {
        match (pattern.exact(), pattern.first()) {
            (Some(name), _) => self.add_exact(name, index),
            (None, Some(first)) => {
                self.globs.entry(first).or_default().push((pattern.clone(), index));
            }
            (None, None) => self.open_globs.push((pattern.clone(), index)),
        }
    }

    fn add_exact(&mut self, name: String, index: usize) {
        self.exact.entry(name.into()).or_default().push(index);
    }

    /// In the file's order.
    pub(super) fn matching<'r>(&self, rules: &'r [Rule], names: &[Cow<'_, str>]) -> Vec<&'r Rule> {
        let mut found: Vec<usize> = self.indices(names).collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().filter_map(|index| rules.get(index)).collect()
    }

    /// In any order, and one perhaps for each name.
    pub(super) fn indices(&self, names: &[Cow<'_, str>]) -> impl Iterator<Item = usize> {
        names.iter().flat_map(|name| {
            let exact = self.exact.get(&**name).into_iter().flatten();
            let first = name.chars().next().and_then(|first| self.globs.get(&first));
            let globs = first.into_iter().flatten().chain(&self.open_globs);
            let matching = globs.filter(|(glob, _)| glob.matches(name)).map(|(_, index)| index);
            exact.chain(matching).copied()
        })
    }
}

/// A pattern over URIs, as written and in its other readings.
fn readings(pattern: &Glob) -> Vec<Glob> {
    let mut all = vec![pattern.clone()];
    for read in uri::READINGS {
        let new: Vec<Glob> = all
            .iter()
            .map(|glob| glob.rewritten(|text| read(text).unwrap_or_else(|| text.to_owned())))
            .collect();
        for glob in new {
            if !all.contains(&glob) {
                all.push(glob);
            }
        }
    }
    all
}
