//! The rules section, in YAML that can be pasted under the route.
//!
//! 1. What a server says stands in keys, quoted where it must be, and nowhere else: a name cannot
//!    break out of its line.
//! 2. Everything else is a comment.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use super::{
    inventory::{Inventory, Item, Tool},
    scheme::{Class, Scheme},
};

/// What is to be printed.
pub(super) struct Proposal<'a> {
    pub(super) route: &'a str,
    pub(super) upstream: &'a str,
    pub(super) revision: &'a str,
    pub(super) inventory: &'a Inventory,
    pub(super) scheme: &'a Scheme,
    /// Whether the route takes tokens at all.
    pub(super) is_protected: bool,
}

impl Proposal<'_> {
    /// Prints it.
    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        self.head(out)?;
        if !self.inventory.tools.is_empty() {
            writeln!(out, "tools:")?;
            for class in Class::ALL {
                self.tools(class, out)?;
            }
            writeln!(out, "# Refuses tools that the server adds later until a rule names them:")?;
            writeln!(out, "# unlisted_tools: deny")?;
        }
        let read = flow(&[self.scheme.read()]);
        for (key, items) in
            [("prompts", &self.inventory.prompts), ("resources", &self.inventory.resources)]
        {
            if items.is_empty() {
                continue;
            }
            writeln!(out, "{key}:")?;
            let mut patterns: Vec<String> = items.iter().map(pattern).collect();
            if patterns.len() > MAX_ITEMS {
                writeln!(out, "  # one pattern for all below the same path: there are many")?;
                patterns = items.iter().map(folder).collect();
                patterns.sort();
                patterns.dedup();
            }
            for pattern in patterns {
                writeln!(out, "  {}: {read}", scalar(&pattern))?;
            }
        }
        self.foot(out)
    }

    fn head(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { route, upstream, revision, inventory, .. } = self;
        let tools = counted(inventory.tools.len(), "tool");
        let prompts = counted(inventory.prompts.len(), "prompt");
        let resources = counted(inventory.resources.len(), "resource");
        writeln!(out, "# Rules for routes.{route}, proposed from what its upstream lists:")?;
        writeln!(out, "# {upstream}, revision {revision}: {tools}, {prompts}, {resources}.")?;
        writeln!(
            out,
            "# Paste them under the route and read them through: hints are the server's"
        )?;
        writeln!(out, "# own word. Every scope comes on top of the route's required_scopes.")?;
        if !self.is_protected {
            writeln!(out, "# The route is `access: public` and takes no tokens: it needs an")?;
            writeln!(out, "# authorization server before rules mean anything.")?;
        }
        if inventory.unusable > 0 {
            let items = counted(inventory.unusable, "item");
            writeln!(out, "# Left out: {items} without a name that a request could have.")?;
        }
        Ok(())
    }

    fn tools(&self, class: Class, out: &mut dyn Write) -> io::Result<()> {
        let is_it = |tool: &&Tool| Class::of(tool.hints) == class;
        let tools: Vec<&Tool> = self.inventory.tools.iter().filter(is_it).collect();
        if tools.is_empty() {
            return Ok(());
        }
        writeln!(out, "  # {}", heading(class))?;
        for tool in tools {
            let scopes = flow(&self.scheme.scopes(tool.hints));
            let mut line = format!("  {}: {scopes}", scalar(&pattern(&tool.item)));
            if tool.hints.idempotent == Some(true) && class != Class::Reads {
                // Writing to a string does not fail.
                let _ = write!(line, "  # idempotentHint: repeating a call changes nothing more");
            }
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    fn foot(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "# At the top level of the file, so that broader scopes stand for narrower:"
        )?;
        writeln!(out, "# scope_implies:")?;
        for (broader, narrower) in self.scheme.implications() {
            writeln!(out, "#   {}: {}", scalar(&broader), flow(&[narrower]))?;
        }
        Ok(())
    }
}

fn heading(class: Class) -> &'static str {
    match class {
        Class::Reads => "only read (readOnlyHint)",
        Class::Changes => "change things and destroy none (destructiveHint: false)",
        Class::Destroys => "may destroy (readOnlyHint: false or destructiveHint: true)",
        Class::Unknown => {
            "without hints, which the specification takes for destructive: look at each"
        }
    }
}

fn pattern(item: &Item) -> String {
    item.glob.as_str().to_owned()
}

/// All that shares everything up to the last slash with an item.
fn folder(item: &Item) -> String {
    let pattern = item.glob.as_str();
    match pattern.rsplit_once('/') {
        Some((folder, _)) if !folder.is_empty() => format!("{folder}/*"),
        Some(_) | None => pattern.to_owned(),
    }
}

/// A flow sequence of scopes; `${` would be a variable.
fn flow(scopes: &[String]) -> String {
    let scopes: Vec<String> =
        scopes.iter().map(|scope| scalar(&scope.replace("${", "$${"))).collect();
    format!("[{}]", scopes.join(", "))
}

/// A YAML scalar: plain where nobody could take it for anything else, otherwise quoted.
pub(super) fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
        && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is_plain {
        return text.to_owned();
    }
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            // What is seen is shown; what is not seen is named.
            letter if letter.is_alphanumeric() => quoted.push(letter),
            other => {
                // Writing to a string does not fail.
                let _ = write!(quoted, "\\U{:08x}", u32::from(other));
            }
        }
    }
    quoted.push('"');
    quoted
}

pub(super) fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Words of YAML 1.1 and 1.2 that are no text.
const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
const MAX_ITEMS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_read_back_as_they_were() {
        for text in [
            "list_notes",
            "a.b-c",
            "yes",
            "No",
            "null",
            "1e3",
            "-x",
            "a: b",
            "a #b",
            "[x]",
            "*",
            "&a",
            "!x",
            "%",
            "@",
            "`",
            "a\"b",
            r"a\*b",
            "ü",
            "\u{200b}x",
            "\u{2028}",
            "x\u{feff}",
            "{a}",
            "file:///*",
            "~",
            "a,b",
            "?",
            "<<",
            "=",
            "0x1f",
            "👍",
        ] {
            let yaml = format!("{}: [{}]\n", scalar(text), scalar(text));
            let read: std::collections::BTreeMap<String, Vec<String>> =
                serde_yaml::from_str(&yaml).unwrap_or_else(|error| panic!("{yaml}{error}"));
            assert_eq!(read.get(text).map(Vec::as_slice), Some(&[text.to_owned()][..]), "{yaml}");
        }
    }

    #[test]
    fn scopes_are_no_variables() {
        assert_eq!(flow(&["a${b}".into(), "c.d".into()]), r#"["a$${b}", c.d]"#);
    }
}
