//! The rules of a route as written: what a pattern demands, and the tests of it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{
    config::{
        node::{Kind, Node},
        reader::{At, Entries, Json, Placed, Read, Source},
        settings::{Expectation, WhenDenied},
        values::{Granted, Switch, Text, UnlistedTools as Word, Values},
    },
    oauth::ScopeToken,
};

/// What a pattern demands: scopes alone, all required, or the object form.
#[derive(Debug)]
pub(in crate::config) struct Rule {
    /// The scopes, when they stand alone.
    pub(in crate::config) alone: Option<Vec<Placed<ScopeToken>>>,
    pub(in crate::config) rest: RuleObject,
}

impl Read for Rule {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        match &at.node.kind {
            Kind::Mapping(_) => RuleObject::read(at, source).map(|rest| Self { alone: None, rest }),
            Kind::Scalar { .. } => {
                at.wrong_type("a list of scopes, or keys such as `required_scopes`", source);
                None
            }
            Kind::Sequence(_) => {
                let alone = Some(Vec::<Placed<ScopeToken>>::read(at, source)?);
                let rest = Node { mark: at.node.mark, kind: Kind::Mapping(Vec::new()) };
                let rest = RuleObject::read(&At { node: &rest, ..at.clone() }, source)?;
                Some(Self { alone, rest })
            }
        }
    }
}

impl Rule {
    /// The scopes that are all required; nothing when they could not be read.
    pub(in crate::config) fn required_scopes(&self) -> Option<&[Placed<ScopeToken>]> {
        let written = self.alone.as_ref().or(self.rest.required_scopes.value());
        written.map(Vec::as_slice)
    }
}

impl JsonSchema for Rule {
    fn schema_name() -> Cow<'static, str> {
        "Rule".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let scopes = generator.subschema_for::<Vec<Placed<ScopeToken>>>();
        let object = generator.subschema_for::<RuleObject>();
        json_schema!({ "anyOf": [scopes, object] })
    }
}

section! {
    /// What a pattern demands of every operation with such a name; all of it.
    RuleObject {
        /// Scopes that are needed beyond the route's, all of them.
        required_scopes: Vec<Placed<ScopeToken>> = [],
        /// Scopes of which one is needed.
        any_scope: Vec<Placed<ScopeToken>> = [],
        /// Claims of the token (names or JSON pointers), each with the values it may have.
        claims: Entries<Values> = {},
        /// Arguments of the call, each with the values it may have; of tools and prompts. One that
        /// differs from them by case, underscores or hyphens alone (`outFmt`) is refused.
        arguments: Entries<Values> = {},
        /// Nobody may, whatever else matches and whatever the token has.
        deny: Switch = false,
        /// What a refusal looks like. `challenge` (default): 403 with the scopes to ask for. `hide`
        /// (default with `deny`): as if it did not exist, and lists leave it out. `in_band`: a result
        /// of the tool that says so; of tools alone.
        when_denied: Option<WhenDenied> = null,
    }
}

/// `unlisted_tools`: a word, or the object form.
#[derive(Debug)]
pub(in crate::config) struct UnlistedTools {
    /// The word, when it stands alone.
    alone: Option<Word>,
    pub(in crate::config) rest: UnlistedToolsObject,
}

section! {
    /// What becomes of tools that no pattern names.
    UnlistedToolsObject {
        /// Nobody may call them.
        deny: Switch = false,
        /// What a refusal looks like: `challenge` (403), `hide` (default: as if they did not exist) or
        /// `in_band`.
        when_denied: Option<WhenDenied> = null,
    }
}

impl UnlistedTools {
    /// What a refusal of them looks like, when they are denied.
    pub(in crate::config) fn denial(&self) -> Option<WhenDenied> {
        let is_denied = match self.alone {
            Some(word) => word == Word::Deny,
            None => self.rest.deny.value()?.0,
        };
        let look = self.rest.when_denied.value()?.unwrap_or(WhenDenied::Hide);
        is_denied.then_some(look)
    }
}

impl Read for UnlistedTools {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        if matches!(at.node.kind, Kind::Mapping(_)) {
            return UnlistedToolsObject::read(at, source).map(|rest| Self { alone: None, rest });
        }
        let alone = Some(Word::read(at, source)?);
        let rest = Node { mark: at.node.mark, kind: Kind::Mapping(Vec::new()) };
        let rest = UnlistedToolsObject::read(&At { node: &rest, ..at.clone() }, source)?;
        Some(Self { alone, rest })
    }
}

impl JsonSchema for UnlistedTools {
    fn schema_name() -> Cow<'static, str> {
        "UnlistedTools".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let word = generator.subschema_for::<Word>();
        let object = generator.subschema_for::<UnlistedToolsObject>();
        json_schema!({ "anyOf": [word, object] })
    }
}

section! {
    /// What should come of a request; a test that fails refuses the file.
    RuleTest {
        /// The scopes of the token, with spaces between them; absent: there is no token.
        scope: Option<Granted> = null,
        /// Claims of the token that rules look at.
        claims: Entries<Json> = {},
        /// The tool that is called.
        call: Option<Text> = null,
        /// The prompt that is asked for.
        prompt: Option<Text> = null,
        /// The URI that is read.
        resource: Option<Text> = null,
        /// A method that names nothing, such as `tools/list`.
        method: Option<Text> = null,
        /// Arguments of the call.
        arguments: Entries<Json> = {},
        /// What should come: `200` or `allowed`, `401`, `403`, `hidden`, `in_band`, `denied` (any
        /// refusal but 401), `400`.
        expect: Expectation,
    }
}
