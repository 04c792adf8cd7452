//! The rule tests of a configuration, run by what judges requests.
//!
//! 1. Each test becomes the message that a client would send; it is read and judged as one.
//! 2. A test that fails is an error at its place, with what came, and by which rule.
//! 3. `shadow` changes nothing here: tests are about what the rules say.
//!
//! [`load`] is how a configuration file is read; settings whose tests fail are in force nowhere.

use std::path::Path;

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use serde_json::{Map, Value, json};

use super::{
    operation::{Asked, Object, ObjectKind, Operation},
    rules::{Arguments, DecidedBy, Fault, Holder, Rules},
};
use crate::{
    authenticate::claims::Claims,
    config::{
        self, Environment, Loaded, Problem,
        settings::{
            Access, Expectation, ProtectedSettings, RuleTest, Settings, TestedCall, WhenDenied,
        },
    },
    oauth::Scope,
};

/// Reads a configuration file and runs its rule tests.
///
/// # Errors
///
/// All problems of the file, warnings included; at least one is an error.
pub fn load(path: &Path, environment: &dyn Environment) -> Result<Loaded, Vec<Problem>> {
    prove(config::load(path, environment)?)
}

/// Runs the rule tests of what was loaded.
///
/// # Errors
///
/// Those that fail, and the warnings of the file.
pub fn prove(loaded: Loaded) -> Result<Loaded, Vec<Problem>> {
    let mut problems = run(&loaded.settings);
    if problems.is_empty() {
        return Ok(loaded);
    }
    problems.extend(loaded.warnings);
    problems.sort_by_key(|problem| (problem.line, problem.column));
    Err(problems)
}

/// Runs all rule tests; the problems are those that fail.
pub fn run(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    for route in &settings.routes {
        let Access::Protected(protected) = &route.access else { continue };
        let tests = &protected.rules.tests.tests;
        if tests.is_empty() {
            continue;
        }
        let rules = Rules::new(protected.rules.clone(), protected.implications.clone());
        let tested = Tested { protected, rules };
        problems.extend(tests.iter().filter_map(|test| tested.failure(test)));
    }
    problems
}

/// A route whose rules are tested.
struct Tested<'s> {
    protected: &'s ProtectedSettings,
    rules: Rules,
}

/// What came of a test, and why.
struct Came {
    what: Expectation,
    why: String,
}

impl Tested<'_> {
    fn failure(&self, test: &RuleTest) -> Option<Problem> {
        let Came { what, why } = self.judge(test);
        let expected = test.expected;
        let is_met = expected.is_met_by(what);
        (!is_met).then(|| {
            test.origin.error(format!("rule test: expected {expected}, came {what}: {why}"))
        })
    }

    fn judge(&self, test: &RuleTest) -> Came {
        let body = message(test).to_string();
        let json = HeaderValue::from_static("application/json");
        let headers: HeaderMap = [(CONTENT_TYPE, json)].into_iter().collect();
        let judges_resources = !self.protected.rules.resources.is_empty();
        match Operation::read(body.as_bytes(), &headers, judges_resources) {
            Ok(operation) => self.judge_operation(&operation, test),
            Err(error) => Came { what: Expectation::BadRequest, why: error.to_string() },
        }
    }

    fn judge_operation(&self, operation: &Operation<'_>, test: &RuleTest) -> Came {
        let mut worst = None;
        let mut decided = None;
        if let Some(granted) = &test.scope {
            let needed = &self.protected.required_scopes;
            let has_scopes = self.protected.implications.cover(granted, needed);
            worst = (!has_scopes).then_some(Fault::Scopes);
        } else if !operation.messages().iter().all(|asked| self.needs_no_token(asked)) {
            let why = "there is no token, and `anonymous_methods` does not name the method";
            return Came { what: Expectation::LoginNeeded, why: why.to_owned() };
        }
        let none = Scope::default();
        let claims = Claims::from(test.claims.clone());
        let holder = Holder {
            scope: test.scope.as_ref().unwrap_or(&none),
            claim: &|name| claims.value(name),
        };
        for asked in operation.messages() {
            let method = asked.method.clone().unwrap_or_default();
            let method = Object { kind: ObjectKind::Method, name: method };
            for object in std::iter::once(&method).chain(&asked.objects) {
                let finding = self.rules.judge(object, holder, Arguments::Called(asked.arguments));
                // Objects come after their method, and say more.
                if finding.fault.is_some() && finding.fault >= worst {
                    decided = finding.decided_by.map(|by| (object.kind, by)).or(decided);
                }
                worst = worst.max(finding.fault);
            }
        }
        let Some(fault) = worst else {
            let why = "nothing is demanded that it lacks".to_owned();
            return Came { what: Expectation::Allowed, why };
        };
        let why = self.why(fault, decided.as_ref());
        let is_curable = matches!(fault, Fault::Claims | Fault::Scopes);
        let what = if test.scope.is_none() && is_curable {
            Expectation::LoginNeeded
        } else if operation.single_request().is_none() {
            Expectation::Forbidden
        } else {
            match decided.map_or(WhenDenied::Challenge, |(_, by)| by.when_denied) {
                WhenDenied::Challenge => Expectation::Forbidden,
                WhenDenied::Hide => Expectation::Hidden,
                WhenDenied::InBand => Expectation::InBand,
            }
        };
        Came { what, why }
    }

    fn needs_no_token(&self, asked: &Asked<'_>) -> bool {
        asked.method.as_ref().is_some_and(|method| self.rules.is_anonymous(method))
    }

    fn why(&self, fault: Fault, decided: Option<&(ObjectKind, DecidedBy)>) -> String {
        let what = match fault {
            Fault::Arguments => "an argument has no listed value",
            Fault::Claims => "a claim has no listed value",
            Fault::Denied => "nobody may",
            Fault::Scopes => "scopes are missing",
        };
        let Some((kind, by)) = decided else {
            return format!("{what}, by `required_scopes` of the route");
        };
        let Some(pattern) = &by.pattern else {
            return "no pattern names the tool, and `unlisted_tools` is `deny`".to_owned();
        };
        let key = match kind {
            ObjectKind::Method => "methods",
            ObjectKind::Prompt => "prompts",
            ObjectKind::Resource => "resources",
            ObjectKind::Tool => "tools",
        };
        let line = self.protected.rules.tests.line(key, pattern).unwrap_or_default();
        format!("{what}, by the rule of line {line}")
    }
}

/// The message that a client would send.
fn message(test: &RuleTest) -> Value {
    let (method, member) = match &test.asked {
        TestedCall::Method(method) => (&**method, None),
        TestedCall::Prompt(name) => ("prompts/get", Some(("name", name))),
        TestedCall::Resource(uri) => ("resources/read", Some(("uri", uri))),
        TestedCall::Tool(name) => ("tools/call", Some(("name", name))),
    };
    let mut params = Map::new();
    if let Some((key, name)) = member {
        params.insert(key.to_owned(), json!(name));
    }
    if let Some(arguments) = &test.arguments {
        params.insert("arguments".to_owned(), json!(arguments));
    }
    let mut message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
    if let (Some(members), false) = (message.as_object_mut(), method.starts_with("notifications/"))
    {
        members.insert("id".to_owned(), json!(1));
    }
    message
}

#[cfg(test)]
mod tests;
