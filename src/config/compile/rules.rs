//! The rules of a route for operations, and the proof that they mean something.
//!
//! 1. A rule that cannot be read takes no part in the proof: nothing is said that might be wrong.
//! 2. What can never decide anything, or contradicts itself, is an error: its operator believes in
//!    a protection that is not there, or in an access that nobody has.
//! 3. What weakens a route is a warning.

mod cases;
mod names;
mod patterns;
mod scopes;
mod switches;

use super::route::Subject;
use crate::{
    config::{
        file::{Route, Rule as RuleFile},
        glob::Glob,
        problem::{Place, Report},
        reader::{Entries, Field, Placed},
        settings::{Condition, Demand, Rule, RuleLine, RuleSettings, RuleTests, WhenDenied},
        values::Values,
    },
    oauth::{Scope, ScopeToken},
};

pub(super) use scopes::report_offers;

/// One pattern of the file.
pub(super) struct Written<'f> {
    /// `tools`, `prompts`, `resources` or `methods`.
    key: &'static str,
    pattern: Glob,
    place: &'f Place,
    file: &'f RuleFile,
    demand: Demand,
}

/// What could be read of a route's rules.
pub(super) struct WrittenRules<'f> {
    all: Vec<Written<'f>>,
    /// Whether that is all there is.
    is_complete: bool,
}

impl Written<'_> {
    /// What a refusal by this rule looks like when nobody may.
    fn look(&self) -> WhenDenied {
        let default = if self.demand.deny { WhenDenied::Hide } else { WhenDenied::Challenge };
        self.demand.when_denied.unwrap_or(default)
    }

    /// Every scope it names, with its place.
    fn scopes(&self) -> impl Iterator<Item = &Placed<ScopeToken>> {
        let required = self.file.required_scopes().unwrap_or_default();
        required.iter().chain(self.any_scope())
    }

    fn any_scope(&self) -> &[Placed<ScopeToken>] {
        self.file.rest.any_scope.value().map_or(&[], Vec::as_slice)
    }
}

impl<'f> WrittenRules<'f> {
    /// Reads the patterns of all four kinds.
    pub(super) fn read(route: &'f Route, report: &mut Report<'_>) -> Self {
        let mut rules = Self { all: Vec::new(), is_complete: true };
        for (key, field) in kinds(route) {
            let Some(entries) = field.value() else {
                rules.is_complete = false;
                continue;
            };
            for (name, rule) in &entries.0 {
                match written(key, name, rule, report) {
                    Some(written) => rules.all.push(written),
                    None => rules.is_complete = false,
                }
            }
        }
        rules
    }

    fn of(&self, key: &'static str) -> impl Iterator<Item = &Written<'f>> {
        self.all.iter().filter(move |rule| rule.key == key)
    }

    fn settings(&self, key: &'static str) -> Vec<Rule> {
        let rule = |rule: &Written<'_>| Rule {
            pattern: rule.pattern.clone(),
            demand: rule.demand.clone(),
        };
        self.of(key).map(rule).collect()
    }

    fn lines(&self) -> Vec<RuleLine> {
        let line = |rule: &Written<'_>| RuleLine {
            key: rule.key,
            pattern: rule.pattern.as_str().into(),
            line: rule.place.line,
        };
        self.all.iter().map(line).collect()
    }
}

/// Compiles and proves the rules of a route.
pub(super) fn rules(
    subject: &Subject<'_>,
    written: &WrittenRules<'_>,
    report: &mut Report<'_>,
) -> Option<RuleSettings> {
    let route = subject.route;
    for rule in &written.all {
        patterns::report_demand(rule, report);
        names::report(rule, report);
        scopes::report_needless_alternative(rule, subject, report);
        scopes::report_offline_access(rule, report);
    }
    patterns::report_dead(written, report);
    patterns::report_denied_methods(written, report);
    switches::report(route, written, report);
    let tests = cases::tests(route, report);
    let anonymous = route.anonymous_methods.value()?;
    let settings = RuleSettings {
        tools: written.settings(TOOLS),
        prompts: written.settings(PROMPTS),
        resources: written.settings(RESOURCES),
        methods: written.settings(METHODS),
        unlisted_tools: route.unlisted_tools.value()?.denial(),
        anonymous_methods: anonymous.iter().map(|glob| glob.value.clone()).collect(),
        filter_lists: *route.filter_lists.value()?,
        annotate_tools: route.annotate_tools.value()?.0,
        shadow: route.shadow.value()?.0,
        tests: RuleTests { tests: tests?, lines: written.lines() },
    };
    written.is_complete.then_some(settings)
}

fn kinds(route: &Route) -> [(&'static str, &Field<Entries<RuleFile>>); 4] {
    [
        (TOOLS, &route.tools),
        (PROMPTS, &route.prompts),
        (RESOURCES, &route.resources),
        (METHODS, &route.methods),
    ]
}

const METHODS: &str = "methods";
const PROMPTS: &str = "prompts";
const RESOURCES: &str = "resources";
const TOOLS: &str = "tools";

fn written<'f>(
    key: &'static str,
    name: &'f Placed<Box<str>>,
    rule: &'f Field<RuleFile>,
    report: &mut Report<'_>,
) -> Option<Written<'f>> {
    let pattern = name.value.parse::<Glob>();
    if let Err(why) = &pattern {
        report.error(&name.place, format!("no pattern: {why}"));
    }
    let file = rule.value()?;
    let demand = demand(file)?;
    Some(Written { key, pattern: pattern.ok()?, place: &name.place, file, demand })
}

fn demand(file: &RuleFile) -> Option<Demand> {
    let rest = &file.rest;
    Some(Demand {
        required_scopes: set(file.required_scopes()?),
        any_scope: set(rest.any_scope.value()?),
        claims: conditions(&rest.claims)?,
        arguments: conditions(&rest.arguments)?,
        deny: rest.deny.value()?.0,
        when_denied: *rest.when_denied.value()?,
    })
}

fn conditions(field: &Field<Entries<Values>>) -> Option<Vec<Condition>> {
    let condition = |(name, values): &(Placed<Box<str>>, Field<Values>)| {
        let Values(values) = values.value()?;
        Some(Condition { name: name.value.clone(), values: values.clone() })
    };
    field.value()?.0.iter().map(condition).collect()
}

fn set(scopes: &[Placed<ScopeToken>]) -> Scope {
    scopes.iter().map(|scope| scope.value.clone()).collect()
}
