//! Which rule an operation rests on that may be done, for operators who ask.
//!
//! It is the most specific rule that would object if the caller brought nothing, or else the most
//! specific one that names the object at all. Nothing is decided here.

use super::{
    AccessPolicy,
    operation::{Asked, Object, ObjectKind, Operation},
    rules::{Arguments, Holder, Rules},
};
use crate::{config::settings::Rule, oauth::Scope};

impl AccessPolicy {
    /// The key of the rule for what an operation asks for, when there is one.
    pub fn rule(&self, operation: &Operation<'_>, route: &str) -> Option<String> {
        let demands = self.demands().filter(|demands| demands.judges_operations)?;
        let objects = operation.messages().iter().flat_map(Asked::judged_objects);
        // Objects come after their method, and say more.
        let rules = objects.filter_map(|object| {
            let pattern = pattern(&demands.rules, &object)?;
            Some(key(route, object.kind, &pattern))
        });
        rules.last()
    }
}

/// The key of a rule.
pub(super) fn key(route: &str, kind: ObjectKind, pattern: &str) -> String {
    let section = match kind {
        ObjectKind::Method => "methods",
        ObjectKind::Prompt => "prompts",
        ObjectKind::Resource => "resources",
        ObjectKind::Tool => "tools",
    };
    format!("routes.{route}.{section}.{pattern}")
}

fn pattern(rules: &Rules, object: &Object<'_>) -> Option<Box<str>> {
    let (nothing, no_claim) = (Scope::default(), |_: &str| None);
    let nobody = Holder { scope: &nothing, claim: &no_claim };
    let finding = rules.judge(object, nobody, Arguments::Called(None));
    let demanding = finding.decided_by.and_then(|by| by.pattern);
    demanding.or_else(|| {
        let settings = rules.settings();
        let rules: &[Rule] = match object.kind {
            ObjectKind::Method => &settings.methods,
            ObjectKind::Prompt => &settings.prompts,
            ObjectKind::Resource => &settings.resources,
            ObjectKind::Tool => &settings.tools,
        };
        let naming = rules.iter().filter(|rule| rule.pattern.matches(&object.name));
        let closest = naming.max_by_key(|rule| rule.pattern.specificity())?;
        Some(closest.pattern.as_str().into())
    })
}
