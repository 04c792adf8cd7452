//! What our scanner and our reader of messages make of texts: for `check`, beside this file.
//!
//! Each line of standard input is a JSON string that holds one text; each line of standard output is
//! what became of it: whether the scanner takes it for JSON (`null`: too deep to say), and the
//! readings of the messages, or `null` when they are refused.

#[path = "models.rs"]
#[expect(dead_code, reason = "the models are for the tests")]
mod models;

use std::io::{self, BufRead as _, Write as _};

use gatehouse::jsonrpc::scanner::{Fault, Scanner};
use models::Reading;
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        let mut scanner = Scanner::new(&text);
        let is_json = match scanner.skip_value().and_then(|()| scanner.end()) {
            Ok(()) => json!(true),
            Err(Fault::Cut | Fault::Syntax) => json!(false),
            Err(Fault::Depth) => Value::Null,
        };
        let messages = models::ours(text.as_bytes()).ok();
        let messages = messages.map(|all| all.into_iter().map(shown).collect::<Vec<_>>());
        writeln!(out, "{}", json!({"json": is_json, "messages": messages}))?;
    }
    Ok(())
}

fn shown(reading: Reading) -> Value {
    let Reading { has_id, method, name, uri, reference, revision, subscriptions } = reading;
    json!([has_id, method, name, uri, reference, revision, subscriptions])
}
