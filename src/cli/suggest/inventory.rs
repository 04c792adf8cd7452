//! What an upstream lists: tools with their hints, prompts, resources.
//!
//! 1. An item without a usable name is left out, and counted.
//! 2. What no message through the gateway can name, and what no pattern can, is such an item.
//! 3. Nothing is listed twice.

use serde_json::Value;

use crate::{
    cli::line::conversation::{Broken, Conversation},
    config::glob::Glob,
    jsonrpc::{plain, uri},
};

/// All that an upstream lists.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    pub(super) tools: Vec<Tool>,
    pub(super) prompts: Vec<Item>,
    /// Resources, then templates.
    pub(super) resources: Vec<Item>,
    /// How many items could not be named.
    pub(super) unusable: usize,
}

/// A tool, and how its server describes what it does.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) item: Item,
    pub(super) hints: Hints,
}

/// Something that a rule can name.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Its name or URI, or what stands for all that a template makes.
    pub(super) name: String,
    /// The pattern for it.
    pub(super) glob: Glob,
    pub(super) is_template: bool,
}

/// `annotations` of a tool (MCP, `ToolAnnotations`), as far as they are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hints {
    pub(super) read_only: Option<bool>,
    pub(super) destructive: Option<bool>,
    pub(super) idempotent: Option<bool>,
    pub(super) open_world: Option<bool>,
}

impl Inventory {
    /// Asks for all lists.
    pub(super) async fn ask(conversation: &mut Conversation) -> Result<Self, Broken> {
        let mut inventory = Self::default();
        for tool in conversation.list("tools/list", "tools").await? {
            let hints = Hints::of(&tool);
            let item = inventory.item(&tool, "name", false);
            inventory.tools.extend(item.map(|item| Tool { item, hints }));
        }
        inventory.tools = once(inventory.tools, |tool| &tool.item);
        for prompt in conversation.list("prompts/list", "prompts").await? {
            let item = inventory.item(&prompt, "name", false);
            inventory.prompts.extend(item);
        }
        inventory.prompts = once(inventory.prompts, |item| item);
        for (method, items, key) in [
            ("resources/list", "resources", "uri"),
            ("resources/templates/list", "resourceTemplates", "uriTemplate"),
        ] {
            for resource in conversation.list(method, items).await? {
                let item = inventory.item(&resource, key, key == "uriTemplate");
                inventory.resources.extend(item);
            }
        }
        inventory.resources = once(inventory.resources, |item| item);
        Ok(inventory)
    }

    fn item(&mut self, listed: &Value, key: &str, is_template: bool) -> Option<Item> {
        let item = listed.get(key).and_then(Value::as_str).and_then(|name| {
            let glob = if is_template { glob_of_template(name) } else { literal(name) };
            // A gateway refuses other names: somebody would trim or rewrite them.
            let is_plain =
                plain::is_plain_name(name) && (!key.starts_with("uri") || uri::is_plain(name));
            let glob = glob.parse().ok().filter(|_| is_plain)?;
            Some(Item { name: name.to_owned(), glob, is_template })
        });
        self.unusable += usize::from(item.is_none());
        item
    }
}

impl Hints {
    fn of(tool: &Value) -> Self {
        let hint = |name: &str| tool.pointer(&format!("/annotations/{name}"))?.as_bool();
        Self {
            read_only: hint("readOnlyHint"),
            destructive: hint("destructiveHint"),
            idempotent: hint("idempotentHint"),
            open_world: hint("openWorldHint"),
        }
    }
}

/// The first of each pattern.
fn once<T>(mut items: Vec<T>, item: impl Fn(&T) -> &Item) -> Vec<T> {
    let mut seen = std::collections::HashSet::new();
    items.retain(|each| seen.insert(item(each).glob.as_str().to_owned()));
    items
}

/// A glob that matches this name and no other.
pub(super) fn literal(name: &str) -> String {
    let mut glob = String::with_capacity(name.len());
    for character in name.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            glob.push('\\');
        }
        glob.push(character);
    }
    glob
}

/// A glob for all that a URI template (RFC 6570) makes: `*` for each expression.
fn glob_of_template(template: &str) -> String {
    let mut glob = String::new();
    let mut rest = template;
    while let Some((before, expression)) = rest.split_once('{') {
        let Some((_, behind)) = expression.split_once('}') else { break };
        glob.push_str(&literal(before));
        if !glob.ends_with('*') || glob.ends_with(r"\*") {
            glob.push('*');
        }
        rest = behind;
    }
    glob + &literal(rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_match_themselves_alone() {
        for name in ["a*b", "a?", "[x]", r"back\slash", "plain", "ü n", "!"] {
            let glob: Glob = literal(name).parse().unwrap();
            assert_eq!(glob.exact().as_deref(), Some(name));
        }
    }

    #[test]
    fn templates_become_globs() {
        for (template, glob) in [
            ("file:///{path}", "file:///*"),
            ("db://{table}/{id}{?x}", "db://*/*"),
            ("x*://{a}", r"x\*://*"),
            (r"x\*{a}", r"x\\\**"),
            ("open{brace", "open{brace"),
        ] {
            assert_eq!(glob_of_template(template), glob, "{template}");
        }
    }

    #[test]
    fn what_cannot_be_named_is_counted() {
        let mut inventory = Inventory::default();
        for name in [json!(""), json!("a\nb"), json!(" a"), json!(7), json!("x".repeat(600))] {
            assert!(inventory.item(&json!({ "name": name }), "name", false).is_none());
        }
        assert!(inventory.item(&json!({ "name": "a" }), "name", false).is_some());
        assert_eq!(inventory.unusable, 5);
    }
}
