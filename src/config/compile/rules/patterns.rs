//! What each pattern says by itself, and beside its neighbours.
//!
//! Whether one pattern takes all that another takes is said only where it is sure.

use super::{METHODS, PROMPTS, RESOURCES, TOOLS, Written, WrittenRules};
use crate::config::{problem::Report, reader::Entries, settings::WhenDenied, values::Values};

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
    if demand.when_denied == Some(WhenDenied::InBand)
        && rule.key != TOOLS
        && let Some(looks) = rest.when_denied.placed()
    {
        let message = "`in_band` is for tools: only the result of a tool can say that it is none; \
                       write `challenge` or `hide`";
        report.error(&looks.place, message);
    }
    for conditions in [&rest.claims, &rest.arguments].into_iter().filter_map(|field| field.value())
    {
        report_empty_conditions(conditions, report);
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

/// Reports rules for what can only be named in messages that `methods` denies altogether.
pub(super) fn report_denied_methods(rules: &WrittenRules<'_>, report: &mut Report<'_>) {
    for (key, what, methods) in NAMING {
        let denying = |method: &str| {
            let mut denying = rules.of(METHODS).filter(|rule| rule.demand.deny);
            denying.find(|rule| rule.pattern.matches(method))
        };
        let denied: Option<Vec<_>> = methods.iter().map(|method| denying(method)).collect();
        let Some(first) = denied.as_deref().and_then(<[_]>::first) else { continue };
        let line = first.place.line;
        for rule in rules.of(key) {
            if !rule.demand.deny {
                let message = format!(
                    "never decides anything: `methods` denies every message that names a {what} \
                     (line {line}), and `deny` beats every other rule; drop one of the two"
                );
                report.error(rule.place, message);
            } else if rule.look() == first.look() {
                let message = format!(
                    "adds nothing: `methods` denies every message that names a {what} already \
                     (line {line})"
                );
                report.warning(rule.place, message);
            }
        }
    }
}

/// The messages that name or list what the rules of a kind are about.
const NAMING: [(&str, &str, &[&str]); 3] = [
    (TOOLS, "tool", &["tools/call", "tools/list"]),
    (PROMPTS, "prompt", &["prompts/get", "prompts/list", "completion/complete"]),
    (
        RESOURCES,
        "resource",
        &[
            "resources/read",
            "resources/list",
            "resources/templates/list",
            "resources/subscribe",
            "completion/complete",
            "subscriptions/listen",
        ],
    ),
];
