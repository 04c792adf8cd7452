//! One test per rule about rules.

use serde_json::{Map, json};

use super::*;
use crate::oauth::ScopeToken;

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn rule(pattern: &str, demand: Demand) -> Rule {
    Rule { pattern: pattern.parse().unwrap(), demand }
}

fn needs(scopes: &str) -> Demand {
    Demand { required_scopes: scope(scopes), ..Demand::default() }
}

fn condition(name: &str, values: &[Value]) -> Vec<Condition> {
    vec![Condition { name: name.into(), values: values.to_vec() }]
}

fn rules(tools: Vec<Rule>) -> Rules {
    Rules::new(RuleSettings { tools, ..RuleSettings::default() }, Implications::default())
}

fn tool(name: &str) -> Object<'_> {
    Object { kind: ObjectKind::Tool, name: name.into() }
}

struct Caller {
    scope: Scope,
    claims: Map<String, Value>,
}

fn caller(scopes: &str) -> Caller {
    Caller { scope: scope(scopes), claims: Map::new() }
}

fn judged(rules: &Rules, caller: &Caller, name: &str, arguments: &str) -> Finding {
    let claim = |name: &str| caller.claims.get(name);
    let holder = Holder { scope: &caller.scope, claim: &claim };
    let (tool, arguments) = (tool(name), Arguments::Called(Some(arguments)));
    let finding = rules.judge(&tool, holder, arguments);
    // The short way comes to the same.
    assert_eq!(rules.permits(&tool, holder, arguments), finding.fault.is_none(), "{name}");
    finding
}

fn fault(rules: &Rules, scopes: &str, name: &str) -> Option<Fault> {
    judged(rules, &caller(scopes), name, "{}").fault
}

fn is_hidden(rules: &Rules, scopes: &str, name: &str, is_anonymous: bool) -> bool {
    let scope = scope(scopes);
    let holder = Holder { scope: &scope, claim: &|_| None };
    rules.hides(&tool(name), holder, is_anonymous)
}

#[test]
fn every_pattern_that_matches_adds_its_scopes_in_the_files_order() {
    let rules = rules(vec![
        rule("*_note", needs("write")),
        rule("delete_note", needs("delete write")),
        rule("read_*", needs("read")),
    ]);
    let finding = judged(&rules, &caller(""), "delete_note", "{}");
    assert_eq!(finding.required_scopes.to_string(), "write delete");
    assert_eq!(finding.fault, Some(Fault::Scopes));
    assert_eq!(fault(&rules, "write", "delete_note"), Some(Fault::Scopes));
    assert_eq!(fault(&rules, "write delete", "delete_note"), None);
    assert_eq!(judged(&rules, &caller(""), "other", "{}"), Finding::default());
}

#[test]
fn deny_beats_everything() {
    let deny = Demand { deny: true, ..Demand::default() };
    let rules = rules(vec![rule("debug_dump", needs("debug")), rule("debug_*", deny)]);
    let finding = judged(&rules, &caller("debug"), "debug_dump", "{}");
    assert_eq!(finding.fault, Some(Fault::Denied));
    let by = finding.decided_by.unwrap();
    assert_eq!((by.pattern.as_deref(), by.when_denied), (Some("debug_*"), WhenDenied::Hide));
}

#[test]
fn broader_scopes_stand_for_narrower_ones() {
    let admin: ScopeToken = "admin".parse().unwrap();
    let implications = Implications::new([(&admin, &scope("write"))]).unwrap();
    let any = Demand { any_scope: scope("export write"), ..Demand::default() };
    let tools = vec![rule("delete", needs("write")), rule("export", any)];
    let rules = Rules::new(RuleSettings { tools, ..RuleSettings::default() }, implications);
    for name in ["delete", "export"] {
        assert_eq!(fault(&rules, "admin", name), None, "{name}");
        assert_eq!(fault(&rules, "read", name), Some(Fault::Scopes), "{name}");
    }
}

#[test]
fn one_of_any_scope_is_enough_and_one_is_named() {
    let any = Demand { any_scope: scope("export admin"), ..Demand::default() };
    let rules = rules(vec![rule("export", any)]);
    assert_eq!(fault(&rules, "admin", "export"), None);
    assert_eq!(fault(&rules, "export", "export"), None);
    let named =
        |scopes| judged(&rules, &caller(scopes), "export", "{}").required_scopes.to_string();
    assert_eq!((named(""), named("admin")), ("export".to_owned(), "admin".to_owned()));
}

#[test]
fn claim_or_one_of_its_elements_has_a_listed_value() {
    let demand =
        Demand { claims: condition("department", &[json!("ops"), json!(7)]), ..Demand::default() };
    let rules = rules(vec![rule("x", demand)]);
    let fault = |claim: Option<Value>| {
        let claims = claim.map(|value| ("department".to_owned(), value)).into_iter().collect();
        judged(&rules, &Caller { claims, ..caller("") }, "x", "{}").fault
    };
    for claim in [json!("ops"), json!(["dev", "ops"]), json!(7), json!([7])] {
        assert_eq!(fault(Some(claim.clone())), None, "{claim}");
    }
    for claim in
        [json!("dev"), json!("OPS"), json!(["dev"]), json!([]), json!({"ops": 1}), json!("7")]
    {
        assert_eq!(fault(Some(claim.clone())), Some(Fault::Claims), "{claim}");
    }
    assert_eq!(fault(None), Some(Fault::Claims));
}

#[test]
fn argument_has_a_listed_value_whatever_is_tried() {
    let demand = Demand {
        arguments: condition("format", &[json!("csv"), json!("json")]),
        ..Demand::default()
    };
    let rules = rules(vec![rule("export", demand)]);
    let fault = |arguments: &str| judged(&rules, &caller(""), "export", arguments).fault;
    for arguments in [r#"{"format":"csv"}"#, r#"{"a":1, "form\u0061t" : "json"}"#] {
        assert_eq!(fault(arguments), None, "{arguments}");
    }
    for arguments in [
        "{}",
        r#"{"format":"xml"}"#,
        r#"{"format":["csv"]}"#,
        r#"{"format":null}"#,
        r#"{"format":"csv","format":"xml"}"#,
        r#"{"format":"csv","Format":"xml"}"#,
        r#"{"format":"csv","format\u0000":"xml"}"#,
        "[]",
        r#""format""#,
        "null",
    ] {
        assert_eq!(fault(arguments), Some(Fault::Arguments), "{arguments}");
    }
    let caller = caller("");
    let holder = Holder { scope: &caller.scope, claim: &|_| None };
    assert_eq!(
        rules.judge(&tool("export"), holder, Arguments::Called(None)).fault,
        Some(Fault::Arguments)
    );
    assert_eq!(rules.judge(&tool("export"), holder, Arguments::Listed).fault, None, "in a list");
}

#[test]
fn most_specific_unmet_pattern_decides_how_the_refusal_looks() {
    let with = |when_denied| Demand { when_denied: Some(when_denied), ..needs("admin") };
    let rules = rules(vec![
        rule("*", with(WhenDenied::Challenge)),
        rule("admin_delete", with(WhenDenied::InBand)),
        rule("admin_*", with(WhenDenied::Hide)),
    ]);
    let decided = |name| judged(&rules, &caller(""), name, "{}").decided_by.unwrap().when_denied;
    assert_eq!(decided("admin_delete"), WhenDenied::InBand);
    assert_eq!(decided("admin_other"), WhenDenied::Hide);
    assert_eq!(decided("other"), WhenDenied::Challenge);
}

#[test]
fn a_met_pattern_decides_nothing_about_a_refusal() {
    let hide = Demand { when_denied: Some(WhenDenied::Hide), ..needs("read") };
    let rules = rules(vec![rule("delete", hide), rule("*", needs("write"))]);
    let by = judged(&rules, &caller("read"), "delete", "{}").decided_by.unwrap();
    assert_eq!((by.pattern.as_deref(), by.when_denied), (Some("*"), WhenDenied::Challenge));
}

#[test]
fn unlisted_tools_can_be_denied_and_only_tools() {
    let settings = RuleSettings {
        tools: vec![rule("known_*", Demand::default())],
        unlisted_tools: Some(WhenDenied::Hide),
        ..RuleSettings::default()
    };
    let rules = Rules::new(settings, Implications::default());
    assert_eq!(fault(&rules, "", "known_x"), None);
    let finding = judged(&rules, &caller(""), "other", "{}");
    assert_eq!(finding.fault, Some(Fault::Denied));
    assert_eq!(finding.decided_by.unwrap().when_denied, WhenDenied::Hide);
    let holder = Holder { scope: &Scope::default(), claim: &|_| None };
    for kind in [ObjectKind::Prompt, ObjectKind::Resource, ObjectKind::Method] {
        let object = Object { kind, name: "other".into() };
        assert_eq!(rules.judge(&object, holder, Arguments::Listed).fault, None, "{kind:?}");
        assert!(rules.permits(&object, holder, Arguments::Listed), "{kind:?}");
    }
}

#[test]
fn lists_leave_out_what_the_setting_says() {
    let hide = Demand { when_denied: Some(WhenDenied::Hide), ..needs("admin") };
    let claims = Demand { claims: condition("team", &[json!("a")]), ..Demand::default() };
    let deny = Demand { deny: true, ..Demand::default() };
    let challenged_deny = Demand { when_denied: Some(WhenDenied::Challenge), ..deny.clone() };
    let tools = vec![
        rule("write", needs("write")),
        rule("hidden", hide),
        rule("team", claims),
        rule("debug", deny),
        rule("shown_deny", challenged_deny),
    ];
    let with = |filter_lists| {
        let settings =
            RuleSettings { tools: tools.clone(), filter_lists, ..RuleSettings::default() };
        Rules::new(settings, Implications::default())
    };
    let hidden = |rules: &Rules, is_anonymous| {
        let names = ["free", "write", "hidden", "team", "debug", "shown_deny"];
        names
            .into_iter()
            .filter(|name| is_hidden(rules, "", name, is_anonymous))
            .collect::<Vec<_>>()
    };
    let denied = ["hidden", "team", "debug", "shown_deny"];
    assert_eq!(hidden(&with(FilterLists::Denied), false), denied);
    assert_eq!(
        hidden(&with(FilterLists::Scopes), false),
        ["write", "hidden", "team", "debug", "shown_deny"]
    );
    assert_eq!(hidden(&with(FilterLists::Scopes), true), denied, "nobody is logged in yet");
    assert!(hidden(&with(FilterLists::Off), false).is_empty());
    assert_eq!(hidden(&with(FilterLists::Off), true), denied, "a list without a token is denied");
    let settings = RuleSettings {
        shadow: true,
        filter_lists: FilterLists::Scopes,
        tools: tools.clone(),
        ..RuleSettings::default()
    };
    let shadowed = Rules::new(settings, Implications::default());
    assert_eq!(hidden(&shadowed, false), ["debug", "shown_deny"], "what may be called is shown");
}

#[test]
fn rules_that_hide_nothing_filter_nothing() {
    let filters = |demand: Demand, filter_lists, is_anonymous| {
        let settings = RuleSettings {
            tools: vec![rule("a", demand)],
            filter_lists,
            ..RuleSettings::default()
        };
        let rules = Rules::new(settings, Implications::default());
        assert!(!rules.filters(ObjectKind::Prompt, is_anonymous));
        rules.filters(ObjectKind::Tool, is_anonymous)
    };
    let (denied, off, scopes) = (FilterLists::Denied, FilterLists::Off, FilterLists::Scopes);
    assert!(!filters(needs("write"), denied, false));
    assert!(filters(needs("write"), scopes, false));
    assert!(!filters(needs("write"), scopes, true));
    let deny = Demand { deny: true, ..Demand::default() };
    assert!(filters(deny.clone(), denied, false) && !filters(deny.clone(), off, false));
    assert!(filters(deny, off, true));
    let claims = condition("team", &[json!("ops")]);
    assert!(filters(Demand { claims, ..Demand::default() }, denied, false));
    let hide = Some(WhenDenied::Hide);
    assert!(filters(Demand { when_denied: hide, ..needs("write") }, denied, false));
    let unlisted =
        RuleSettings { unlisted_tools: Some(WhenDenied::Hide), ..RuleSettings::default() };
    let unlisted = Rules::new(unlisted, Implications::default());
    assert!(unlisted.filters(ObjectKind::Tool, false));
    assert!(!unlisted.filters(ObjectKind::Resource, false));
}

#[test]
fn anonymous_methods_are_globs() {
    let anonymous_methods = vec!["initialize".parse().unwrap(), "*/list".parse().unwrap()];
    let settings = RuleSettings { anonymous_methods, ..RuleSettings::default() };
    assert!(settings.judge_operations());
    let rules = Rules::new(settings, Implications::default());
    assert!(rules.is_anonymous("tools/list"));
    assert!(!rules.is_anonymous("tools/call"));
    assert!(!RuleSettings::default().judge_operations());
}
