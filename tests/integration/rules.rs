//! What a token may do: rules for tools, prompts, resources and methods, over real sockets.
//!
//! The route has a tool for everybody, one for writers, one of two scopes, a hidden one, one that
//! answers in band, one that is denied, one with a claim and one with an argument.

mod anonymous;
mod batches;
mod refusals;
mod shadow;

use crate::harness::{NOTES, World, client::Call};

/// The rules of the route, below its other keys.
const RULES: &str = "
    tools:
      write_note: [notes.write]
      \"delete_*\": [notes.delete]
      delete_note: [notes.write]
      admin_panel: {required_scopes: [notes.admin], when_denied: hide}
      report: {required_scopes: [notes.report], when_denied: in_band}
      \"debug_*\": {deny: true}
      debug_shown: {deny: true, when_denied: challenge}
      payroll: {claims: {department: [hr]}}
      export: {any_scope: [notes.export, notes.admin], arguments: {format: [csv, json]}}
    prompts:
      secret: [notes.secret]
    resources:
      \"note://private/*\": [notes.private]
    methods:
      \"logging/*\": [notes.log]
";

/// A world with rules; `more` stands beside them in the route.
async fn world(more: &str) -> World {
    let implied = "scope_implies:\n  notes.root: [notes.write, notes.delete]\n";
    World::with(&format!("{implied}{}{RULES}{more}", NOTES.trim_end())).await
}

/// A request with this method and these parameters.
fn message(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

/// A call of a tool.
fn tool(name: &str) -> String {
    message("tools/call", &format!(r#"{{"name":"{name}","arguments":{{}}}}"#))
}

/// A POST of a body by a holder of these scopes.
fn post(world: &World, scope: &str, body: &str) -> Call {
    let token = world.authorization_server.mint(&world.claims().scope(scope));
    world.gateway.post("/notes").bearer(&token).body(body)
}
