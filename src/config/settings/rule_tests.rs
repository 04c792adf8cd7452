//! `tests` of a route: what its operator expects of its rules.
//!
//! They are only written down here; they are run where rules are judged.

use std::fmt;

use serde_json::{Map, Value};

use crate::{config::places::KeyPlace, oauth::Scope};

/// The rule tests of a route, and what their failures name.
#[derive(Clone, Debug, Default)]
pub struct RuleTests {
    /// In the file's order.
    pub tests: Vec<RuleTest>,
    /// Where the rules stand.
    pub lines: Vec<RuleLine>,
}

/// All are equal: a test changes nothing of what is in force, nor does the line that it stands in.
impl PartialEq for RuleTests {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Somebody asks for something, and this should come of it.
#[derive(Clone, Debug)]
pub struct RuleTest {
    /// Where it stands.
    pub place: KeyPlace,
    /// The scopes of the token; `None`: there is no token.
    pub scope: Option<Scope>,
    /// The claims of the token.
    pub claims: Map<String, Value>,
    /// What is asked for.
    pub asked: TestedCall,
    /// `arguments`, when there are any.
    pub arguments: Option<Map<String, Value>>,
    /// What should come of it.
    pub expected: Expectation,
}

/// What a rule test asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestedCall {
    /// `method`: a message that names nothing.
    Method(Box<str>),
    /// `prompt`: to get this prompt.
    Prompt(Box<str>),
    /// `resource`: to read this URI.
    Resource(Box<str>),
    /// `call`: to call this tool.
    Tool(Box<str>),
}

/// What comes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// `200`, `allowed`: it is forwarded.
    Allowed,
    /// `400`: nothing that could be judged.
    BadRequest,
    /// `denied`: refused for the rules or scopes, whatever that looks like.
    Denied,
    /// `403`: refused with this status.
    Forbidden,
    /// `hidden`: as if it did not exist.
    Hidden,
    /// `in_band`: a result that says so.
    InBand,
    /// `401`: a login is asked for.
    LoginNeeded,
}

/// Where a rule stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleLine {
    /// `tools`, `prompts`, `resources` or `methods`.
    pub key: &'static str,
    /// The pattern as written.
    pub pattern: Box<str>,
    /// Line, from 1.
    pub line: usize,
}

impl Expectation {
    /// How they are written, in the order in which they are offered.
    pub const WORDS: [(&str, Self); 8] = [
        ("200", Self::Allowed),
        ("400", Self::BadRequest),
        ("401", Self::LoginNeeded),
        ("403", Self::Forbidden),
        ("allowed", Self::Allowed),
        ("denied", Self::Denied),
        ("hidden", Self::Hidden),
        ("in_band", Self::InBand),
    ];

    /// Whether it holds when this came.
    pub fn is_met_by(self, came: Self) -> bool {
        let is_refusal = matches!(came, Self::Forbidden | Self::Hidden | Self::InBand);
        self == came || (self == Self::Denied && is_refusal)
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allowed => "200 (forwarded)",
            Self::BadRequest => "400 (nothing that can be judged)",
            Self::Denied => "denied",
            Self::Forbidden => "403",
            Self::Hidden => "hidden (as if it did not exist)",
            Self::InBand => "in_band (a result that says so)",
            Self::LoginNeeded => "401",
        })
    }
}

impl RuleTests {
    /// The line of a rule.
    pub fn line(&self, key: &str, pattern: &str) -> Option<usize> {
        let rule = self.lines.iter().find(|rule| rule.key == key && *rule.pattern == *pattern);
        rule.map(|rule| rule.line)
    }
}
