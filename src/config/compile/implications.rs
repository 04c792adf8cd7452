//! `scope_implies`: which scopes stand for which others.
//!
//! 1. A circle is an error where it closes.
//! 2. A broader scope that helps nobody, since no route demands it or what it implies, is a warning.

use std::collections::{HashMap, HashSet};

use crate::{
    config::{
        file::ConfigFile,
        problem::Report,
        reader::{Field, Placed},
    },
    oauth::{Implications, Scope, ScopeToken},
};

/// A broader scope, a narrower one, and where that is said.
type Edge<'f> = (&'f ScopeToken, &'f Placed<ScopeToken>);

/// Follows all implications; nothing when there is a problem with them.
pub(super) fn implications(file: &ConfigFile, report: &mut Report<'_>) -> Option<Implications> {
    let mut direct: Vec<(ScopeToken, &[Placed<ScopeToken>])> = Vec::new();
    let entries = &file.scope_implies.value()?.0;
    for (key, field) in entries {
        match key.value.parse::<ScopeToken>() {
            Ok(broader) => direct.push((broader, field.value().map_or(&[], Vec::as_slice))),
            Err(why) => report.error(&key.place, format!("{why}; expected one scope")),
        }
        if field.value().is_some_and(Vec::is_empty) {
            report.warning(&key.place, "implies nothing; drop it, or list narrower scopes");
        }
    }
    let mut kept: Vec<Edge<'_>> = Vec::new();
    let mut has_circle = false;
    for edge in direct.iter().flat_map(|(broader, all)| all.iter().map(move |one| (broader, one))) {
        let circle = report_circle(edge, &kept, report);
        has_circle |= circle;
        if !circle {
            kept.push(edge);
        }
    }
    let is_read =
        direct.len() == entries.len() && entries.iter().all(|(_, field)| field.value().is_some());
    if has_circle || !is_read {
        return None;
    }
    report_unused(file, &kept, report);
    let mut all: HashMap<&ScopeToken, Scope> = HashMap::new();
    for (broader, narrower) in kept {
        all.entry(broader).or_default().insert(narrower.value.clone());
    }
    Implications::new(all.iter().map(|(broader, narrower)| (*broader, narrower))).ok()
}

fn report_circle(
    (broader, narrower): Edge<'_>,
    kept: &[Edge<'_>],
    report: &mut Report<'_>,
) -> bool {
    if narrower.value == *broader {
        report.error(&narrower.place, "a scope stands for itself without being told; drop it");
        return true;
    }
    let is_circle = reachable(&narrower.value, kept).contains(broader);
    if is_circle {
        let message = "implies, over one step or more, the scope that implies it here: scopes in \
                       a circle are one and the same; drop one of them";
        report.error(&narrower.place, message);
    }
    is_circle
}

/// A scope and all that it implies.
fn reachable<'f>(start: &'f ScopeToken, edges: &[Edge<'f>]) -> HashSet<&'f ScopeToken> {
    let mut seen = HashSet::from([start]);
    let mut waiting = vec![start];
    while let Some(scope) = waiting.pop() {
        for (_, narrower) in edges.iter().filter(|(broader, _)| *broader == scope) {
            if seen.insert(&narrower.value) {
                waiting.push(&narrower.value);
            }
        }
    }
    seen
}

fn report_unused(file: &ConfigFile, edges: &[Edge<'_>], report: &mut Report<'_>) {
    let Some(demanded) = demanded(file) else { return };
    for (broader, narrower) in edges {
        if reachable(&narrower.value, edges).is_disjoint(&demanded) {
            let message = if demanded.contains(broader) {
                "no route demands this scope or one that it implies, so that implying it helps \
                 nobody"
            } else {
                "no route demands this scope or one that it implies, so that the broader one \
                 opens nothing by it"
            };
            report.warning(&narrower.place, message);
        }
    }
}

/// Every scope that some route demands; nothing when not all of them could be read.
fn demanded(file: &ConfigFile) -> Option<HashSet<&ScopeToken>> {
    let mut demanded = HashSet::new();
    for (_, route) in &file.routes.value()?.0 {
        let route = route.value()?;
        demanded.extend(route.required_scopes.value()?.iter().map(|scope| &scope.value));
        for rules in [&route.tools, &route.prompts, &route.resources, &route.methods] {
            for rule in rules.value()?.0.iter().map(|(_, rule)| rule).map(Field::value) {
                let rule = rule?;
                let any = rule.rest.any_scope.value()?;
                let scopes = rule.required_scopes()?.iter().chain(any);
                demanded.extend(scopes.map(|scope| &scope.value));
            }
        }
    }
    Some(demanded)
}
