//! The rules of a route for tools, prompts, resources and methods, compiled.
//!
//! 1. Every pattern that matches adds its demands to the route's own scopes; `deny` beats all.
//! 2. Exact names are found by hash, globs by their first character. A resource is found under every
//!    name that a server may take its URI for, and the rules for all of them add up.
//! 3. Of several unmet patterns the most specific decides how the refusal looks; an exact name is
//!    more specific than a glob, a longer prescription more than a shorter one.
//! 4. A claim or an argument meets its condition when it, or one element of an array, equals a
//!    listed value. What is not there meets nothing.
//!
//! It knows nothing of messages: it is asked about one object at a time.

mod table;

use std::borrow::Cow;

use serde_json::Value;

use self::table::Table;
use super::operation::{Object, ObjectKind};
use crate::{
    config::settings::{Condition, Demand, FilterLists, Rule, RuleSettings, WhenDenied},
    jsonrpc::{message, uri},
    oauth::{Implications, Scope},
};

/// Compiled rules.
#[derive(Debug)]
pub struct Rules {
    tools: Table,
    prompts: Table,
    resources: Table,
    methods: Table,
    settings: RuleSettings,
    implications: Implications,
}

/// What a caller brings that rules are about.
#[derive(Clone, Copy)]
pub struct Holder<'a> {
    /// The scopes granted to it.
    pub scope: &'a Scope,
    /// Reads one of its claims.
    pub claim: &'a dyn Fn(&str) -> Option<&'a Value>,
}

/// The arguments that an object is used with.
#[derive(Clone, Copy, Debug)]
pub enum Arguments<'a> {
    /// These, as JSON text, or none.
    Called(Option<&'a str>),
    /// It is only listed: there is no call yet.
    Listed,
}

/// What the rules say about one object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finding {
    /// The scopes that it demands, whether they are there or not, in the file's order.
    pub required_scopes: Scope,
    /// What is wrong, the worst of it.
    pub fault: Option<Fault>,
    /// The pattern that decides how the refusal looks.
    pub decided_by: Option<DecidedBy>,
}

/// What keeps a caller from an object, from what could be cured to what could not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Scopes are missing.
    Scopes,
    /// A claim of the token has no listed value.
    Claims,
    /// An argument of the call has no listed value.
    Arguments,
    /// Nobody may.
    Denied,
}

/// The rule that decides how a refusal looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidedBy {
    /// Its pattern as written; `None` for `unlisted_tools`.
    pub pattern: Option<Box<str>>,
    /// What the refusal looks like.
    pub when_denied: WhenDenied,
}

impl Rules {
    /// Compiles the rules of a route.
    pub fn new(settings: RuleSettings, implications: Implications) -> Self {
        Self {
            tools: Table::new(&settings.tools),
            prompts: Table::new(&settings.prompts),
            resources: Table::of_uris(&settings.resources),
            methods: Table::new(&settings.methods),
            settings,
            implications,
        }
    }

    /// What was compiled.
    pub fn settings(&self) -> &RuleSettings {
        &self.settings
    }

    /// Which scopes stand for which others.
    pub fn implications(&self) -> &Implications {
        &self.implications
    }

    /// Whether a method needs no token.
    pub fn is_anonymous(&self, method: &str) -> bool {
        self.settings.anonymous_methods.iter().any(|glob| glob.matches(method))
    }

    /// Judges one object.
    pub fn judge(
        &self,
        object: &Object<'_>,
        holder: Holder<'_>,
        arguments: Arguments<'_>,
    ) -> Finding {
        let (table, rules) = self.table(object.kind);
        let mut finding = Finding::default();
        let mut worst: Option<(&Rule, Fault)> = None;
        let matching = table.matching(rules, &names(object));
        for rule in &matching {
            rule.demand
                .required_scopes
                .iter()
                .chain(self.alternative(&rule.demand, holder.scope))
                .for_each(|scope| finding.required_scopes.insert(scope.clone()));
            let Some(fault) = self.fault(&rule.demand, holder, arguments) else { continue };
            finding.fault = finding.fault.max(Some(fault));
            let is_worse = worst.is_none_or(|(other, of_other)| {
                let is_denied = |fault| fault == Fault::Denied;
                (is_denied(fault), rule.pattern.specificity())
                    > (is_denied(of_other), other.pattern.specificity())
            });
            if is_worse {
                worst = Some((rule, fault));
            }
        }
        finding.decided_by = worst.map(|(rule, fault)| DecidedBy {
            pattern: Some(rule.pattern.as_str().into()),
            when_denied: rule.demand.when_denied.unwrap_or(match fault {
                Fault::Denied => WhenDenied::Hide,
                Fault::Arguments | Fault::Claims | Fault::Scopes => WhenDenied::Challenge,
            }),
        });
        let is_unlisted = matching.is_empty() && object.kind == ObjectKind::Tool;
        // Denied openly, unlisted tools would tell which are hidden: these look like them.
        let is_hidden = object.kind == ObjectKind::Tool
            && finding.decided_by.as_ref().is_some_and(|by| by.when_denied == WhenDenied::Hide);
        let look = self.settings.unlisted_tools;
        let look = look.filter(|look| is_unlisted || (is_hidden && *look != WhenDenied::Hide));
        if let Some(when_denied) = look {
            let decided_by = Some(DecidedBy { pattern: None, when_denied });
            let fault = Some(Fault::Denied);
            return Finding { fault, decided_by, ..Finding::default() };
        }
        finding
    }

    /// Whether nothing is wrong with one object: what [`Self::judge`] would find, without its words.
    pub fn permits(
        &self,
        object: &Object<'_>,
        holder: Holder<'_>,
        arguments: Arguments<'_>,
    ) -> bool {
        let (table, rules) = self.table(object.kind);
        let mut is_listed = false;
        for rule in table.indices(&names(object)).filter_map(|index| rules.get(index)) {
            is_listed = true;
            if self.fault(&rule.demand, holder, arguments).is_some() {
                return false;
            }
        }
        let is_unlisted = !is_listed && object.kind == ObjectKind::Tool;
        !(is_unlisted && self.settings.unlisted_tools.is_some())
    }

    /// Whether a list leaves an object out for this caller; `is_anonymous`: one without a token.
    pub fn hides(&self, object: &Object<'_>, holder: Holder<'_>, is_anonymous: bool) -> bool {
        // Nobody is let through to it, and it is not worth reading in all ways.
        if object.kind == ObjectKind::Resource && object.name.len() > uri::MAX_BYTES {
            return self.filter_lists(is_anonymous) != FilterLists::Off;
        }
        let finding = self.judge(object, holder, Arguments::Listed);
        let is_hidden = finding.decided_by.is_some_and(|by| by.when_denied == WhenDenied::Hide);
        match (self.filter_lists(is_anonymous), finding.fault) {
            (FilterLists::Off, _) | (_, None) => false,
            // What nobody is refused for stays in sight as well.
            (_, Some(Fault::Claims | Fault::Scopes)) if self.settings.shadow => false,
            // What a wider scope could open stays in sight, or nobody would ask for it.
            (_, Some(Fault::Denied | Fault::Claims))
            | (FilterLists::Scopes, Some(Fault::Scopes)) => true,
            (_, Some(Fault::Arguments | Fault::Scopes)) => is_hidden,
        }
    }

    /// Whether lists of objects of this kind leave anything out for anybody.
    pub fn filters(&self, kind: ObjectKind, is_anonymous: bool) -> bool {
        let filter_lists = self.filter_lists(is_anonymous);
        if filter_lists == FilterLists::Off {
            return false;
        }
        let hides = |rule: &Rule| {
            let demand = &rule.demand;
            let has_scopes = !demand.required_scopes.is_empty() || !demand.any_scope.is_empty();
            demand.deny
                || !demand.claims.is_empty()
                || demand.when_denied == Some(WhenDenied::Hide)
                || (filter_lists == FilterLists::Scopes && has_scopes)
        };
        let (_, rules) = self.table(kind);
        rules.iter().any(hides)
            || (kind == ObjectKind::Tool && self.settings.unlisted_tools.is_some())
    }

    /// A list without a token is always `denied`: nobody is logged in yet who could ask for more.
    fn filter_lists(&self, is_anonymous: bool) -> FilterLists {
        if is_anonymous { FilterLists::Denied } else { self.settings.filter_lists }
    }

    /// The scopes that an object demands of anybody.
    pub fn required_scopes(&self, object: &Object<'_>) -> Scope {
        let (table, rules) = self.table(object.kind);
        let none = Scope::default();
        let matching = table.matching(rules, &names(object));
        let scopes = matching.iter().flat_map(|rule| {
            rule.demand.required_scopes.iter().chain(self.alternative(&rule.demand, &none))
        });
        scopes.cloned().collect()
    }

    fn table(&self, kind: ObjectKind) -> (&Table, &[Rule]) {
        match kind {
            ObjectKind::Method => (&self.methods, &self.settings.methods),
            ObjectKind::Prompt => (&self.prompts, &self.settings.prompts),
            ObjectKind::Resource => (&self.resources, &self.settings.resources),
            ObjectKind::Tool => (&self.tools, &self.settings.tools),
        }
    }

    /// Of `any_scope` the one to name: the one that the caller has, or the first.
    fn alternative<'r>(
        &self,
        demand: &'r Demand,
        granted: &Scope,
    ) -> Option<&'r crate::oauth::ScopeToken> {
        let mut scopes = demand.any_scope.iter();
        let first = scopes.next()?;
        let held = demand.any_scope.iter().find(|scope| self.implications.grant(granted, scope));
        Some(held.unwrap_or(first))
    }

    fn fault(
        &self,
        demand: &Demand,
        holder: Holder<'_>,
        arguments: Arguments<'_>,
    ) -> Option<Fault> {
        let granted = holder.scope;
        if demand.deny {
            return Some(Fault::Denied);
        }
        if let Arguments::Called(arguments) = arguments
            && !demand.arguments.is_empty()
            && !meets_arguments(&demand.arguments, arguments)
        {
            return Some(Fault::Arguments);
        }
        let meets = |condition: &Condition| {
            (holder.claim)(&condition.name).is_some_and(|claim| condition.is_met_by(claim))
        };
        if !demand.claims.iter().all(meets) {
            return Some(Fault::Claims);
        }
        let has_any = demand.any_scope.is_empty()
            || demand.any_scope.iter().any(|scope| self.implications.grant(granted, scope));
        let has_all = self.implications.cover(granted, &demand.required_scopes);
        (!has_any || !has_all).then_some(Fault::Scopes)
    }
}

/// What a server may take an object's name for.
fn names<'o>(object: &'o Object<'_>) -> Cow<'o, [Cow<'o, str>]> {
    match object.kind {
        ObjectKind::Resource => uri::spellings(&object.name).into(),
        ObjectKind::Method | ObjectKind::Prompt | ObjectKind::Tool => {
            std::slice::from_ref(&object.name).into()
        }
    }
}

/// Whether the arguments of a call have listed values, each of them.
fn meets_arguments(conditions: &[Condition], arguments: Option<&str>) -> bool {
    let known: Vec<&str> = conditions.iter().map(|condition| &*condition.name).collect();
    // What cannot be read in one way only meets nothing.
    let Ok(Some(members)) = message::members(arguments.unwrap_or("{}"), &known) else {
        return false;
    };
    conditions.iter().all(|condition| {
        let value = members.get(&*condition.name);
        let value = value.and_then(|text| serde_json::from_str::<Value>(text).ok());
        // An argument is one value: an array with a listed element among others is another thing.
        value.is_some_and(|value| condition.values.contains(&value))
    })
}

impl Condition {
    /// Whether a claim, or one of its elements, equals a listed value.
    fn is_met_by(&self, claim: &Value) -> bool {
        match claim {
            Value::Array(elements) => elements.iter().any(|value| self.values.contains(value)),
            Value::Bool(_)
            | Value::Null
            | Value::Number(_)
            | Value::Object(_)
            | Value::String(_) => self.values.contains(claim),
        }
    }
}

#[cfg(test)]
mod tests;
