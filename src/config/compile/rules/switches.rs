//! The switches beside the rules: what is listed, shown, open to everybody or only watched.

use super::{METHODS, PROMPTS, RESOURCES, TOOLS, Written, WrittenRules, names};
use crate::config::{
    file::Route,
    glob::Glob,
    problem::{Place, Report},
    reader::{Field, Placed},
    settings::{FilterLists, WhenDenied},
    values::Switch,
};

/// Reports switches that do nothing, and those that weaken the route.
pub(super) fn report(route: &Route, rules: &WrittenRules<'_>, report: &mut Report<'_>) {
    if let Some(place) = switched_on(&route.shadow) {
        let message = "a token that lacks scopes is let through; what would be refused is only \
                       logged";
        report.warning(place, message);
    }
    if rules.is_complete {
        report_tools(route, rules, report);
        report_lists(route, rules, report);
    }
    for method in route.anonymous_methods.value().into_iter().flatten() {
        names::report_method(&method.value, &method.place, report);
        report_anonymous(method, rules, report);
    }
}

fn switched_on(field: &Field<Switch>) -> Option<&Place> {
    field.placed().filter(|switch| switch.value.0).map(|switch| &switch.place)
}

fn denied_unlisted(route: &Route) -> Option<(&Place, WhenDenied)> {
    let unlisted = route.unlisted_tools.placed()?;
    Some((&unlisted.place, unlisted.value.denial()?))
}

fn denies_unlisted(route: &Route) -> Option<&Place> {
    denied_unlisted(route).map(|(place, _)| place)
}

fn report_tools(route: &Route, rules: &WrittenRules<'_>, report: &mut Report<'_>) {
    let has_tools = rules.of(TOOLS).next().is_some();
    if let Some(place) = denies_unlisted(route) {
        if !has_tools {
            let message = "`tools` names no tool, so that every one is denied; name those that \
                           may be used";
            report.error(place, message);
        }
        let takes_all = |rule: &&Written<'_>| rule.pattern.as_str().chars().all(|c| c == '*');
        if let Some(rule) = rules.of(TOOLS).find(takes_all) {
            let line = rule.place.line;
            let message = format!("the pattern of line {line} names every tool: none is unlisted");
            report.error(place, message);
        }
    }
    if let Some(unlisted) = route.unlisted_tools.value()
        && unlisted.rest.deny.value().is_some_and(|deny| !deny.0)
        && let Some((_, place)) = unlisted.rest.when_denied.given()
    {
        report.error(
            place,
            "unlisted tools are not denied; write `deny: true` beside it, or drop it",
        );
    }
    if let Some(place) = switched_on(&route.annotate_tools)
        && !has_tools
    {
        report.error(place, "there is nothing to add without rules under `tools`; drop it");
    }
}

fn report_lists(route: &Route, rules: &WrittenRules<'_>, report: &mut Report<'_>) {
    let Some(filter) = route.filter_lists.placed() else { return };
    let listed = [TOOLS, PROMPTS, RESOURCES];
    let mut about_listed = rules.all.iter().filter(|rule| listed.contains(&rule.key));
    match filter.value {
        FilterLists::Denied => {}
        FilterLists::Off => {
            let hides = about_listed.find(|rule| rule.look() == WhenDenied::Hide);
            if let Some(rule) = hides {
                let line = rule.place.line;
                let message = format!("lists show what the rule of line {line} hides");
                report.warning(&filter.place, message);
            } else if denied_unlisted(route).is_some_and(|(_, look)| look == WhenDenied::Hide) {
                let message = "lists show the tools that `unlisted_tools: deny` hides";
                report.warning(&filter.place, message);
            }
        }
        FilterLists::Scopes => {
            if about_listed.next().is_none() && denies_unlisted(route).is_none() {
                let message = "there is nothing to leave out without rules under `tools`, \
                               `prompts` or `resources`; drop it";
                report.error(&filter.place, message);
            }
        }
    }
}

/// Reports what is open to everybody, and where a login is asked for all the same.
fn report_anonymous(method: &Placed<Glob>, rules: &WrittenRules<'_>, report: &mut Report<'_>) {
    let demands = |rule: &&Written<'_>| {
        !rule.demand.required_scopes.is_empty()
            || !rule.demand.any_scope.is_empty()
            || !rule.demand.claims.is_empty()
    };
    let meets = |rule: &&Written<'_>| {
        rule.pattern.covers(&method.value) || method.value.covers(&rule.pattern)
    };
    if let Some(rule) = rules.of(METHODS).filter(demands).find(meets) {
        let line = rule.place.line;
        let message = format!(
            "the rule of line {line} demands scopes or claims of it: whoever comes without a \
             token is asked to log in"
        );
        report.warning(&method.place, message);
    }
    for (name, key, what) in NAMING {
        if !method.value.matches(name) {
            continue;
        }
        let has_rules = rules.of(key).any(|rule| demands(&rule));
        let message = if has_rules {
            format!(
                "a login is asked for only where the rules of `{key}` demand scopes or claims; \
                 every other {what} is open to everybody"
            )
        } else {
            format!("every {what} is open to everybody")
        };
        report.warning(&method.place, message);
    }
}

/// Methods that use an object.
const NAMING: [(&str, &str, &str); 3] = [
    ("tools/call", TOOLS, "tool"),
    ("prompts/get", PROMPTS, "prompt"),
    ("resources/read", RESOURCES, "resource"),
];
