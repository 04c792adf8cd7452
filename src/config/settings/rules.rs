//! What a route's rules compile to: who may use which tool, prompt, resource and method.

use serde_json::Value;

use super::RuleTests;
use crate::{config::glob::Glob, oauth::Scope};

/// The rules of a route for operations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleSettings {
    /// `tools`, in the file's order.
    pub tools: Vec<Rule>,
    /// `prompts`, in the file's order.
    pub prompts: Vec<Rule>,
    /// `resources`: over URIs, in the file's order.
    pub resources: Vec<Rule>,
    /// `methods`, in the file's order.
    pub methods: Vec<Rule>,
    /// What a refusal of tools that no pattern names looks like, when they are denied.
    pub unlisted_tools: Option<WhenDenied>,
    /// Methods that need no token.
    pub anonymous_methods: Vec<Glob>,
    /// What lists leave out.
    pub filter_lists: FilterLists,
    /// Whether lists say which scopes a tool needs.
    pub annotate_tools: bool,
    /// Whether a want of scopes is logged and not refused.
    pub shadow: bool,
    /// What the operator expects of them.
    pub tests: RuleTests,
}

/// A pattern and what it demands.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The names it is for.
    pub pattern: Glob,
    /// What it demands of an operation with such a name.
    pub demand: Demand,
}

/// What a rule demands; all of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demand {
    /// All of these scopes.
    pub required_scopes: Scope,
    /// One of these scopes, when there are any.
    pub any_scope: Scope,
    /// Claims of the token with one of these values each.
    pub claims: Vec<Condition>,
    /// Arguments of the call with one of these values each.
    pub arguments: Vec<Condition>,
    /// That nobody does it.
    pub deny: bool,
    /// What a refusal looks like; the default depends on its cause.
    pub when_denied: Option<WhenDenied>,
}

/// A claim or an argument, and the values it may have.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The name of a claim or a JSON pointer to it; the name of an argument.
    pub name: Box<str>,
    /// One of these.
    pub values: Vec<Value>,
}

/// `when_denied`: what a refusal looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenDenied {
    /// 403, with a challenge where scopes would help.
    Challenge,
    /// As if it did not exist.
    Hide,
    /// A result that says so, for clients that need HTTP 200.
    InBand,
}

/// `filter_lists`: what lists leave out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilterLists {
    /// What no scope could open to this token.
    #[default]
    Denied,
    /// Nothing.
    Off,
    /// Also what this token lacks scopes for.
    Scopes,
}

impl RuleSettings {
    /// The claims that rules name.
    pub fn claims(&self) -> impl Iterator<Item = &str> {
        let rules = [&self.tools, &self.prompts, &self.resources, &self.methods];
        let conditions = rules.into_iter().flatten().flat_map(|rule| &rule.demand.claims);
        conditions.map(|condition| &*condition.name)
    }

    /// Whether operations must be understood at all: otherwise bodies pass as they are.
    pub fn judge_operations(&self) -> bool {
        let rules = [&self.tools, &self.prompts, &self.resources, &self.methods];
        rules.iter().any(|rules| !rules.is_empty())
            || self.unlisted_tools.is_some()
            || !self.anonymous_methods.is_empty()
    }
}
