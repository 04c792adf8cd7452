//! What the present configuration says about what an upstream lists.
//!
//! 1. An item is covered when a pattern of its kind matches it; a template when one matches all
//!    that it makes, as far as that is sure.
//! 2. What a token could use is judged by the gateway's own stages, as `explain` does; a tool is
//!    called without arguments.

use std::io::{self, Write};

use bytes::Bytes;
use serde_json::json;

use super::{
    inventory::{Inventory, Item},
    print::{counted, scalar},
};
use crate::{
    config::settings::{Rule, RuleSettings},
    gateway::rehearsal::{Rehearsal, Ruling},
    oauth::{Scope, ScopeToken},
};

/// Names what no rule covers; `None` for a route without rules.
pub(super) fn uncovered(
    inventory: &Inventory,
    rules: Option<&RuleSettings>,
    route: &str,
    err: &mut dyn Write,
) -> io::Result<()> {
    let none = RuleSettings::default();
    let rules = rules.unwrap_or(&none);
    let tools = inventory.tools.iter().map(|tool| &tool.item);
    let bare = [
        ("tools", bare(tools, &rules.tools)),
        ("prompts", bare(inventory.prompts.iter(), &rules.prompts)),
        ("resources", bare(inventory.resources.iter(), &rules.resources)),
    ];
    if bare.iter().all(|(_, names)| names.is_empty()) {
        return writeln!(err, "routes.{route}: the present rules cover all that is listed");
    }
    for (key, names) in bare.iter().filter(|(_, names)| !names.is_empty()) {
        let names: Vec<String> = names.iter().map(|name| scalar(name)).collect();
        writeln!(err, "routes.{route}.{key}: no rule covers {}", names.join(", "))?;
    }
    if rules.unlisted_tools.is_some() {
        writeln!(err, "routes.{route}.unlisted_tools: denies the tools that no rule covers")?;
    }
    Ok(())
}

fn bare<'a>(items: impl Iterator<Item = &'a Item>, rules: &[Rule]) -> Vec<&'a str> {
    let is_covered = |item: &Item| {
        rules.iter().any(|rule| {
            if item.is_template {
                rule.pattern.covers(&item.glob)
            } else {
                rule.pattern.matches(&item.name)
            }
        })
    };
    items.filter(|item| !is_covered(item)).map(|item| item.name.as_str()).collect()
}

/// One use of one item.
pub(super) struct Use<'a> {
    name: &'a str,
    key: &'static str,
    pub(super) body: Bytes,
}

/// Every use that a token could make of what is listed; templates are no resources yet.
pub(super) fn uses(inventory: &Inventory) -> Vec<Use<'_>> {
    let tools = inventory.tools.iter().map(|tool| ("tools", "tools/call", "name", &tool.item));
    let prompts = inventory.prompts.iter().map(|item| ("prompts", "prompts/get", "name", item));
    let resources = inventory.resources.iter().filter(|item| !item.is_template);
    let resources = resources.map(|item| ("resources", "resources/read", "uri", item));
    let used = tools.chain(prompts).chain(resources);
    used.map(|(key, method, parameter, item)| {
        let name = item.name.as_str();
        let params = json!({ parameter: name });
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        Use { name, key, body: message.to_string().into() }
    })
    .collect()
}

/// Says what a token could use; `false` when that is not known.
pub(super) fn print(
    uses: &[Use<'_>],
    rehearsals: &[Rehearsal],
    out: &mut dyn Write,
) -> io::Result<bool> {
    let facts = rehearsals.iter().find_map(|each| each.token.as_ref());
    let unknown = rehearsals.iter().find_map(|each| match each.steps.last().map(|it| &it.ruling) {
        Some(Ruling::Unknown(why)) => Some(why),
        Some(Ruling::Passed | Ruling::Refused(_)) | None => None,
    });
    if let Some(why) = unknown {
        writeln!(out, "# What the token could use is not known: {}", one_line(why))?;
        return Ok(false);
    }
    let granted = facts.map_or_else(|| "none".to_owned(), |it| texts(&it.facts().scope));
    let number = counted(uses.len(), "item");
    writeln!(out, "# The token, whose scopes are {granted}, by the present rules, of {number}:")?;
    for (used, rehearsal) in uses.iter().zip(rehearsals) {
        let (name, key) = (scalar(used.name), used.key);
        let verdict = match (&rehearsal.answer, rehearsal.steps.last().map(|it| &it.ruling)) {
            (None, _) => "may".to_owned(),
            (Some(_), Some(Ruling::Refused(why))) => format!("may not: {}", one_line(why)),
            (Some(_), Some(Ruling::Passed | Ruling::Unknown(_)) | None) => "may not".to_owned(),
        };
        writeln!(out, "#   {key} {name}: {verdict}")?;
    }
    Ok(true)
}

fn texts(scope: &Scope) -> String {
    let texts: Vec<&str> = scope.iter().map(ScopeToken::as_str).collect();
    format!("[{}]", texts.join(", "))
}

/// A comment ends with its line.
fn one_line(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}
