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
    AuthorizeError, Demands,
    operation::{ObjectKind, Operation},
    rules::{Fault, Holder, Rules},
};
use crate::{
    authenticate::claims::Claims,
    config::{
        self, Environment, Loaded, Problem,
        settings::{
            Access, Expectation, ProtectedSettings, RuleTest, Settings, TestedCall, WhenDenied,
        },
    },
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
        let demands = Demands::new(protected.required_scopes.clone(), rules);
        let tested = Tested { settings: protected, demands };
        problems.extend(tests.iter().filter_map(|test| tested.failure(test)));
    }
    problems
}

/// A route whose rules are tested.
struct Tested<'s> {
    settings: &'s ProtectedSettings,
    demands: Demands,
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
            test.place.error(format!("rule test: expected {expected}, came {what}: {why}"))
        })
    }

    fn judge(&self, test: &RuleTest) -> Came {
        let body = message(test).to_string();
        let json = HeaderValue::from_static("application/json");
        let headers: HeaderMap = [(CONTENT_TYPE, json)].into_iter().collect();
        let judges_resources = !self.settings.rules.resources.is_empty();
        match Operation::read(body.as_bytes(), &headers, judges_resources) {
            Ok(operation) => self.judge_operation(&operation, test),
            Err(error) => Came { what: Expectation::BadRequest, why: error.to_string() },
        }
    }

    fn judge_operation(&self, operation: &Operation<'_>, test: &RuleTest) -> Came {
        let claims = Claims::from(test.claims.clone());
        let claim = |name: &str| claims.value(name);
        let judged = match &test.scope {
            Some(scope) => {
                let holder = Holder { scope, claim: &claim };
                self.demands.judge_holder(holder, operation).map_err(Box::new)
            }
            None => self.demands.judge_anonymous(operation),
        };
        match judged {
            Ok(()) => Came { what: Expectation::Allowed, why: "nothing is missing".to_owned() },
            Err(error) => Came { what: looks(&error), why: self.why(&error, operation) },
        }
    }

    fn why(&self, error: &AuthorizeError, operation: &Operation<'_>) -> String {
        let (fault, pattern) = match error {
            AuthorizeError::Denied { fault, pattern, .. }
            | AuthorizeError::InsufficientScope { fault, pattern, .. } => (fault, pattern),
            AuthorizeError::LoginNeeded if self.demands.needs_no_token(operation) => {
                return "there is no token, and a rule demands scopes or claims".to_owned();
            }
            AuthorizeError::LoginNeeded => {
                return "there is no token, and `anonymous_methods` does not name the method"
                    .to_owned();
            }
        };
        let what = match fault {
            Fault::Arguments => "an argument has no listed value",
            Fault::Claims => "a claim has no listed value",
            Fault::Denied => "nobody may",
            Fault::Scopes => "scopes are missing",
        };
        let key = match error.named().map(|named| named.kind) {
            Some(ObjectKind::Method) | None => "methods",
            Some(ObjectKind::Prompt) => "prompts",
            Some(ObjectKind::Resource) => "resources",
            Some(ObjectKind::Tool) => "tools",
        };
        match pattern {
            Some(pattern) => {
                let line = self.settings.rules.tests.line(key, pattern).unwrap_or_default();
                format!("{what}, by the rule of line {line}")
            }
            None if *fault == Fault::Denied => {
                "no pattern names the tool, and `unlisted_tools` is `deny`".to_owned()
            }
            None => format!("{what}, by `required_scopes` of the route"),
        }
    }
}

/// What a client sees of a refusal.
fn looks(error: &AuthorizeError) -> Expectation {
    match (error, error.when_denied()) {
        (AuthorizeError::LoginNeeded, _) => Expectation::LoginNeeded,
        (_, WhenDenied::Challenge) => Expectation::Forbidden,
        (_, WhenDenied::Hide) => Expectation::Hidden,
        (_, WhenDenied::InBand) => Expectation::InBand,
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
