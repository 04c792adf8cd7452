//! What of a route's objects one caller gets to see in lists.
//!
//! 1. It holds whatever the rules ask about the caller, and no token: a stream may keep it.
//! 2. A resource template is judged by its own text and by what stands before its first variable:
//!    hidden when a rule hides either as if it were a URI. What a template expands to cannot be
//!    known; reading it is judged on its own.
//! 3. What is told of a tool's needs is what a refused call of it would name: the route's scopes,
//!    then those of its method and its own.

use std::{borrow::Cow, sync::Arc};

use serde_json::Value;

use super::{
    Demands,
    operation::{Object, ObjectKind},
    rules::{Holder, Rules},
};
use crate::oauth::Scope;

/// What one caller sees.
#[derive(Debug)]
pub struct Sight {
    demands: Arc<Demands>,
    /// The claims that rules are about, as far as the caller has them.
    claims: Vec<(Box<str>, Value)>,
    /// The scopes that it was granted; `None` without a token.
    scope: Option<Scope>,
    none: Scope,
}

impl Sight {
    /// What the holder of a token sees, or with `None` whoever has none.
    pub fn new(demands: Arc<Demands>, holder: Option<Holder<'_>>) -> Self {
        let settings = demands.rules().settings();
        let rules = [&settings.tools, &settings.prompts, &settings.resources];
        let conditions = rules.into_iter().flatten().flat_map(|rule| &rule.demand.claims);
        let mut claims: Vec<(Box<str>, Value)> = Vec::new();
        for name in conditions.map(|condition| &condition.name) {
            let is_known = claims.iter().any(|(known, _)| known == name);
            let claim = holder.and_then(|holder| (holder.claim)(name));
            claims.extend(claim.filter(|_| !is_known).map(|claim| (name.clone(), claim.clone())));
        }
        let scope = holder.map(|holder| holder.scope.clone());
        Self { demands, claims, scope, none: Scope::default() }
    }

    /// Whether anything of this kind is hidden from anybody.
    pub fn filters(&self, kind: ObjectKind) -> bool {
        self.rules().filters(kind, self.is_anonymous())
    }

    /// Whether lists say which scopes a tool needs.
    pub fn annotates_tools(&self) -> bool {
        self.rules().settings().annotate_tools
    }

    /// Whether a list leaves an object out.
    pub fn hides(&self, kind: ObjectKind, name: &str) -> bool {
        let claim = |name: &str| {
            self.claims.iter().find_map(|(known, value)| (**known == *name).then_some(value))
        };
        let scope = self.scope.as_ref().unwrap_or(&self.none);
        let object = Object { kind, name: Cow::Borrowed(name) };
        self.rules().hides(&object, Holder { scope, claim: &claim }, self.is_anonymous())
    }

    /// Whether a list leaves a resource template out.
    pub fn hides_template(&self, template: &str) -> bool {
        let literal = template.split('{').next().unwrap_or_default();
        self.hides(ObjectKind::Resource, template)
            || (!literal.is_empty() && self.hides(ObjectKind::Resource, literal))
    }

    /// The scopes that calling a tool needs; `None` when it needs no token.
    pub fn needed_scopes(&self, tool: &str) -> Option<Scope> {
        const CALL: Object<'_> =
            Object { kind: ObjectKind::Method, name: Cow::Borrowed("tools/call") };
        let rules = self.rules();
        let object = Object { kind: ObjectKind::Tool, name: Cow::Borrowed(tool) };
        let (method, own) = (rules.required_scopes(&CALL), rules.required_scopes(&object));
        if rules.is_anonymous(&CALL.name) && method.is_empty() && own.is_empty() {
            return None;
        }
        let route = self.demands.required_scopes();
        Some(route.iter().chain(method.iter()).chain(own.iter()).cloned().collect())
    }

    fn rules(&self) -> &Rules {
        self.demands.rules()
    }

    fn is_anonymous(&self) -> bool {
        self.scope.is_none()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        config::settings::{Condition, Demand, Rule, RuleSettings},
        oauth::Implications,
    };

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    fn rule(pattern: &str, demand: Demand) -> Rule {
        Rule { pattern: pattern.parse().unwrap(), demand }
    }

    fn needs(scopes: &str) -> Demand {
        Demand { required_scopes: scope(scopes), ..Demand::default() }
    }

    fn demands(settings: RuleSettings) -> Arc<Demands> {
        Arc::new(Demands::new(scope("read"), Rules::new(settings, Implications::default())))
    }

    #[test]
    fn claims_are_kept_as_far_as_rules_ask_for_them() {
        let condition = Condition { name: "team".into(), values: vec![json!("ops")] };
        let team = Demand { claims: vec![condition], ..Demand::default() };
        let tools = vec![rule("a", team.clone()), rule("b", team)];
        let demands = demands(RuleSettings { tools, ..RuleSettings::default() });
        let sees = |value: Option<Value>| {
            let claim = |name: &str| value.as_ref().filter(|_| name == "team");
            let granted = scope("read");
            let holder = Holder { scope: &granted, claim: &claim };
            let sight = Sight::new(Arc::clone(&demands), Some(holder));
            assert!(sight.claims.len() <= 1);
            !sight.hides(ObjectKind::Tool, "a") && !sight.hides(ObjectKind::Tool, "b")
        };
        assert!(sees(Some(json!(["dev", "ops"]))));
        assert!(!sees(Some(json!("dev"))) && !sees(None));
        assert!(Sight::new(demands, None).hides(ObjectKind::Tool, "a"));
    }

    #[test]
    fn template_is_hidden_by_its_text_or_by_what_stands_before_its_variables() {
        let deny = Demand { deny: true, ..Demand::default() };
        let patterns = ["file:///secret/*", "db://prod", "*.key"];
        let resources = patterns.map(|pattern| rule(pattern, deny.clone())).to_vec();
        let settings = RuleSettings { resources, ..RuleSettings::default() };
        let sight = Sight::new(demands(settings), None);
        for hidden in ["file:///secret/{name}", "db://prod{?q}", "{+path}.key", "db://prod"] {
            assert!(sight.hides_template(hidden), "{hidden}");
        }
        for shown in ["file:///{+path}", "db://{name}", "db://prod2{?q}", "{x}", ""] {
            assert!(!sight.hides_template(shown), "{shown}");
        }
    }

    #[test]
    fn needs_are_those_of_the_route_the_method_and_the_tool() {
        let mut settings = RuleSettings {
            tools: vec![rule("delete_*", needs("delete read"))],
            methods: vec![rule("tools/*", needs("call"))],
            ..RuleSettings::default()
        };
        let sight = Sight::new(demands(settings.clone()), None);
        let needed = |sight: &Sight, tool| sight.needed_scopes(tool).map(|scope| scope.to_string());
        assert_eq!(needed(&sight, "delete_note").as_deref(), Some("read call delete"));
        assert_eq!(needed(&sight, "other").as_deref(), Some("read call"));
        settings.methods.clear();
        settings.anonymous_methods = vec!["tools/call".parse().unwrap()];
        let sight = Sight::new(demands(settings), None);
        assert_eq!(needed(&sight, "other"), None);
        assert_eq!(needed(&sight, "delete_note").as_deref(), Some("read delete"));
    }
}
