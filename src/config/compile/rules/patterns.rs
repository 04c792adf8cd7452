//! What each pattern says by itself, and beside its neighbours.
//!
//! Whether one pattern takes all that another takes is said only where it is sure.

use super::{PROMPTS, TOOLS, Written, WrittenRules};
use crate::config::{problem::Report, reader::Entries, values::Values};

/// Reports what a rule demands in vain or against itself.
pub(super) fn report_demand(rule: &Written<'_>, report: &mut Report<'_>) {
    let (demand, rest) = (&rule.demand, &rule.file.rest);
    let demands_something = !demand.required_scopes.is_empty()
        || !demand.any_scope.is_empty()
        || !demand.claims.is_empty()
        || !demand.arguments.is_empty();
    if demand.deny && demands_something {
        let message = "`deny: true` keeps everybody out, whatever else the rule demands; drop one \
                       of the two";
        report.error(rule.place, message);
    }
    if demand.when_denied.is_some()
        && !demand.deny
        && !demands_something
        && let Some(looks) = rest.when_denied.placed()
    {
        let message = "the rule demands nothing and so denies nothing; write what it demands, or \
                       `deny: true`";
        report.error(&looks.place, message);
    }
    if !demand.arguments.is_empty()
        && ![PROMPTS, TOOLS].contains(&rule.key)
        && let Some(arguments) = rest.arguments.placed()
    {
        let message = "only tools and prompts are called with arguments; drop it";
        report.error(&arguments.place, message);
    }
    for conditions in [&rest.claims, &rest.arguments].into_iter().filter_map(|field| field.value())
    {
        report_empty_conditions(conditions, report);
    }
    if rule.pattern.exact().is_some_and(|name| is_trimmed(&name)) {
        let message = "never matches: a name with spaces at its ends or control characters is \
                       refused before it is judged";
        report.error(rule.place, message);
    }
}

fn report_empty_conditions(conditions: &Entries<Values>, report: &mut Report<'_>) {
    for (name, values) in &conditions.0 {
        if name.value.is_empty() {
            report.error(&name.place, "needs the name of a claim or an argument");
        }
        if let Some(placed) = values.placed()
            && placed.value.0.is_empty()
        {
            report.error(&placed.place, "lists no value, so that nothing meets it; list one");
        }
    }
}

fn is_trimmed(name: &str) -> bool {
    name.trim() != name || name.chars().any(char::is_control)
}

/// Reports patterns that decide nothing because of others.
pub(super) fn report_dead(rules: &WrittenRules<'_>, report: &mut Report<'_>) {
    for (index, rule) in rules.all.iter().enumerate() {
        let others = || {
            let others = rules.all.iter().enumerate();
            others.filter(|(other, neighbour)| *other != index && neighbour.key == rule.key)
        };
        let is_alike = |other: &Written<'_>| {
            rule.pattern.covers(&other.pattern) && other.pattern.covers(&rule.pattern)
        };
        if let Some((_, twin)) = others().find(|(other, twin)| *other < index && is_alike(twin)) {
            let line = twin.place.line;
            let message = format!(
                "matches the same names as the pattern of line {line}, and both would add up; \
                 write one rule"
            );
            report.error(rule.place, message);
            continue;
        }
        let denying = |other: &Written<'_>| {
            other.demand.deny && other.pattern.covers(&rule.pattern) && !is_alike(other)
        };
        let Some((_, denying)) = others().find(|(_, other)| denying(other)) else { continue };
        let line = denying.place.line;
        if !rule.demand.deny {
            let message = format!(
                "never decides anything: the rule of line {line} denies all that it names, and \
                 `deny` beats every other rule; drop one of the two"
            );
            report.error(rule.place, message);
        } else if rule.look() == denying.look() {
            let message = format!("adds nothing: the rule of line {line} denies all this already");
            report.warning(rule.place, message);
        }
    }
}
