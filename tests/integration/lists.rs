//! Lists leave out what their reader may not use, whichever way they come.

mod answers;
mod joined;
mod readers;
mod streams;

use crate::harness::{NOTES, World, client::Call};

/// Rules that hide something of every kind.
const RULES: &str = r#"    tools:
      write_note: [notes.write]
      "admin_*": {required_scopes: [notes.admin], claims: {department: [ops]}}
      "debug_*": {deny: true}
    prompts: {"debug_*": {deny: true}}
    resources: {"file:///secret/*": {deny: true}}
"#;

/// A list of tools of which `notes.read` alone sees the first two.
const TOOLS: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"read_note", "x": 1.0},{"name":"write_note"},{"name":"admin_reset"} , {"name":"debug_dump"}]}}"#;
/// What `notes.read` alone sees of it.
const SEEN: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"read_note", "x": 1.0},{"name":"write_note"}]}}"#;

async fn world() -> World {
    World::with(&format!("{NOTES}{RULES}")).await
}

/// A request with this method.
fn asking(method: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#)
}

/// A request for a list, with a token that has `notes.read` alone.
fn list(world: &World, method: &str) -> Call {
    world.gateway.post("/notes").bearer(&world.token()).body(asking(method))
}
