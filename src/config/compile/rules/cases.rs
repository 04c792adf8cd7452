//! `tests` of a route: each says who asks for what, and what should come of it.

use serde_json::{Map, Value};

use crate::config::{
    file::{Route, RuleTest as TestFile},
    problem::{Place, Report},
    reader::{Entries, Field, Json, Placed},
    settings::{RuleTest, TestedCall},
    values::Text,
};

/// Reads the tests; nothing when one of them is faulty.
pub(super) fn tests(route: &Route, report: &mut Report<'_>) -> Option<Vec<RuleTest>> {
    let tests = route.tests.value()?;
    let tests: Vec<_> = tests.iter().map(|test| case(test, report)).collect();
    tests.into_iter().collect()
}

fn case(test: &Placed<TestFile>, report: &mut Report<'_>) -> Option<RuleTest> {
    let file = &test.value;
    let asked = asked(test, report);
    if let (Some(arguments), Some(asked)) = (written(&file.arguments), &asked)
        && matches!(asked, TestedCall::Method(_) | TestedCall::Resource(_))
    {
        report.error(arguments, "only tools and prompts are called with arguments; drop it");
    }
    let granted = file.scope.value()?;
    if let (Some(claims), None) = (written(&file.claims), granted) {
        let message = "claims stand in a token; write its `scope` too (\"\" when it has none)";
        report.error(claims, message);
    }
    Some(RuleTest {
        place: report.key_place(&test.place),
        scope: granted.as_ref().map(|granted| granted.0.clone()),
        claims: members(&file.claims)?,
        asked: asked?,
        arguments: match written(&file.arguments) {
            Some(_) => Some(members(&file.arguments)?),
            None => None,
        },
        expected: *file.expect.value()?,
    })
}

/// Makes of a name what is asked for.
type Way = fn(Box<str>) -> TestedCall;

/// The one thing that is asked for.
fn asked(test: &Placed<TestFile>, report: &mut Report<'_>) -> Option<TestedCall> {
    let file = &test.value;
    let ways: [(&Field<Option<Text>>, Way); 4] = [
        (&file.call, TestedCall::Tool),
        (&file.prompt, TestedCall::Prompt),
        (&file.resource, TestedCall::Resource),
        (&file.method, TestedCall::Method),
    ];
    if ways.iter().any(|(field, _)| field.placed().is_none()) {
        return None;
    }
    let mut given = ways.into_iter().filter_map(|(field, way)| {
        field.given().map(|(Text(name), place)| (way(name.clone()), place))
    });
    let Some((asked, place)) = given.next() else {
        report.error(&test.place, "needs one of `call`, `prompt`, `resource` and `method`");
        return None;
    };
    if let Some((_, other)) = given.next() {
        let message = "a test asks for one thing: one of `call`, `prompt`, `resource` and `method`";
        report.error(other, message);
        return None;
    }
    if let TestedCall::Method(method) = &asked
        && let Some((_, key)) = NAMING.iter().find(|(naming, _)| **naming == **method)
    {
        report.error(place, format!("such a message names something; write `{key}` instead"));
        return None;
    }
    Some(asked)
}

fn written(field: &Field<Entries<Json>>) -> Option<&Place> {
    field.placed().filter(|placed| !placed.value.0.is_empty()).map(|placed| &placed.place)
}

fn members(field: &Field<Entries<Json>>) -> Option<Map<String, Value>> {
    let member = |(name, value): &(Placed<Box<str>>, Field<Json>)| {
        Some((name.value.to_string(), value.value()?.0.clone()))
    };
    field.value()?.0.iter().map(member).collect()
}

/// Methods that name an object, and how a test asks for that.
const NAMING: [(&str, &str); 6] = [
    ("completion/complete", "prompt` or `resource"),
    ("prompts/get", "prompt"),
    ("resources/read", "resource"),
    ("resources/subscribe", "resource"),
    ("resources/unsubscribe", "resource"),
    ("tools/call", "call"),
];
