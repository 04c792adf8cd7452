//! The notes that the demo MCP server keeps, and its two tools.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

/// The notes, by number.
#[derive(Debug)]
pub(super) struct Notes(Mutex<BTreeMap<u64, &'static str>>);

impl Notes {
    pub(super) fn new() -> Self {
        Self(Mutex::new((1..).zip(FIRST_NOTES).collect()))
    }

    /// Runs a tool; `None` when there is no tool of that name.
    pub(super) fn call(&self, tool: &str, arguments: &Value) -> Option<Value> {
        match tool {
            "delete_note" => Some(self.delete(arguments)),
            "list_notes" => Some(self.list()),
            _ => None,
        }
    }

    fn list(&self) -> Value {
        let notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<String> = notes.iter().map(|(id, text)| format!("{id}: {text}")).collect();
        text_result(&lines.join("\n"), false)
    }

    fn delete(&self, arguments: &Value) -> Value {
        let Some(id) = arguments.get("id").and_then(Value::as_u64) else {
            return text_result("`id` must be the number of a note", true);
        };
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match notes.remove(&id) {
            Some(text) => text_result(&format!("Deleted note {id}: {text}"), false),
            None => text_result(&format!("There is no note {id}"), true),
        }
    }
}

/// The tools as `tools/list` shows them.
pub(super) fn tools() -> Value {
    json!([
        {
            "name": "delete_note",
            "title": "Delete a note",
            "description": "Deletes one note for good.",
            "inputSchema": {
                "type": "object",
                "properties": {"id": {"type": "integer", "description": "The note's number"}},
                "required": ["id"],
                "additionalProperties": false,
            },
            "annotations": {"destructiveHint": true, "readOnlyHint": false},
        },
        {
            "name": "list_notes",
            "title": "List the notes",
            "description": "Lists all notes, one a line, with their numbers.",
            "inputSchema": {"type": "object", "additionalProperties": false},
            "annotations": {"readOnlyHint": true},
        },
    ])
}

fn text_result(text: &str, is_error: bool) -> Value {
    json!({"content": [{"type": "text", "text": text}], "isError": is_error})
}

const FIRST_NOTES: [&str; 4] = [
    "Water the plants",
    "Buy coffee",
    "Write down what the gateway refused, and why",
    "Call Grandmother",
];
