//! The scopes that rules name, beside those of the route and those that are offered.

use super::{Written, WrittenRules};
use crate::{
    config::{compile::route::Subject, file::Route, problem::Report, reader::Placed},
    oauth::{Implications, Scope, ScopeToken},
};

/// Reports an `any_scope` that is met by whoever meets the rest.
pub(super) fn report_needless_alternative(
    rule: &Written<'_>,
    subject: &Subject<'_>,
    report: &mut Report<'_>,
) {
    let Some(implications) = subject.implications else { return };
    let base = subject.route.required_scopes.value().into_iter().flatten();
    let required: Scope = base
        .map(|scope| scope.value.clone())
        .chain(rule.demand.required_scopes.iter().cloned())
        .collect();
    for alternative in rule.any_scope() {
        if implications.grant(&required, &alternative.value) {
            let message = "whoever has the required scopes has this one too, so that `any_scope` \
                           demands nothing; drop this alternative, or `any_scope`";
            report.warning(&alternative.place, message);
        }
    }
}

/// Reports a scope that no resource has.
pub(super) fn report_offline_access(rule: &Written<'_>, report: &mut Report<'_>) {
    for scope in rule.scopes().filter(|scope| scope.value.as_str() == "offline_access") {
        let message = "`offline_access` asks for a refresh token and is no scope of a resource; \
                       drop it";
        report.error(&scope.place, message);
    }
}

/// Compares what rules can demand with what `scopes_supported` offers, when it is written.
pub(in crate::config::compile) fn report_offers(
    route: &Route,
    implications: Option<&Implications>,
    rules: &WrittenRules<'_>,
    report: &mut Report<'_>,
) {
    let (Some(required), Some(Some(offered))) =
        (route.required_scopes.value(), route.scopes_supported.value())
    else {
        return;
    };
    let Some(implications) = implications else { return };
    let needed: Vec<&ScopeToken> = required
        .iter()
        .chain(rules.all.iter().flat_map(Written::scopes))
        .map(|scope| &scope.value)
        .collect();
    for scope in offered.iter().filter(|scope| scope.value.as_str() != "offline_access") {
        let only: Scope = [scope.value.clone()].into_iter().collect();
        let opens = |needed: &&ScopeToken| implications.grant(&only, needed);
        if rules.is_complete && !needed.iter().any(opens) {
            report.warning(&scope.place, "no rule of this route can require this scope");
        }
    }
    let offered: Scope = offered.iter().map(|scope| scope.value.clone()).collect();
    let is_offered = |scope: &Placed<ScopeToken>| implications.grant(&offered, &scope.value);
    for rule in &rules.all {
        let required = rule.file.required_scopes().unwrap_or_default();
        for scope in required.iter().filter(|scope| !is_offered(scope)) {
            let message = "demanded here, but neither this scope nor one that implies it is in \
                           `scopes_supported`: clients that ask for what is published never get in";
            report.warning(&scope.place, message);
        }
        let any = rule.any_scope();
        if let Some(first) = any.first()
            && !any.iter().any(is_offered)
        {
            let message = "none of these is in `scopes_supported`: clients that ask for what is \
                           published never get in";
            report.warning(&first.place, message);
        }
    }
}
