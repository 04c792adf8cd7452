//! Methods and names that every reader takes for themselves: what requests are refused for, and
//! what a rule would wait for in vain.
//!
//! 1. A method is printable ASCII without empty segments, and differs from a known one by more than
//!    case.
//! 2. A name is not empty, and has nothing that some reader would trim.
//!
//! URIs have more forms; they are looked at in [`super::uri`].

/// Why a method could be taken for another, when it could.
pub fn method_fault(method: &str) -> Option<&'static str> {
    let is_plain = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_graphic());
    let has_empty_segment = method.split('/').any(str::is_empty);
    if !is_plain || has_empty_segment {
        return Some("a method that somebody would trim");
    }
    let is_other = known_method(method).is_some_and(|known| known != method);
    is_other.then_some("a method that differs from a known one only by case")
}

/// The known method that differs from this one at most by case.
pub fn known_method(method: &str) -> Option<&'static str> {
    METHODS.into_iter().find(|known| known.eq_ignore_ascii_case(method))
}

/// Whether a known method begins with this text, and whether in another case alone.
pub fn begins_known_methods(text: &str) -> (bool, bool) {
    let begins = |is_begun: fn(&str, &str) -> bool| {
        let beginnings = METHODS.into_iter().filter_map(|known| known.get(..text.len()));
        beginnings.into_iter().any(|beginning| is_begun(beginning, text))
    };
    let is_same = begins(|beginning, text| beginning == text);
    (is_same, !is_same && begins(str::eq_ignore_ascii_case))
}

/// Whether nobody would trim a name.
pub fn is_plain_name(name: &str) -> bool {
    // What some readers trim beside white space (ECMA-262, String.prototype.trim).
    let is_trimmed = |c: char| c.is_whitespace() || c == '\u{feff}';
    let is_bordered = name.starts_with(is_trimmed) || name.ends_with(is_trimmed);
    !name.is_empty() && !is_bordered && !name.chars().any(char::is_control)
}

/// Methods of all revisions.
const METHODS: [&str; 27] = [
    "completion/complete",
    "elicitation/create",
    "initialize",
    "logging/setLevel",
    "notifications/cancelled",
    "notifications/initialized",
    "notifications/progress",
    "notifications/roots/list_changed",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "roots/list",
    "sampling/createMessage",
    "server/discover",
    "subscriptions/listen",
    "tasks/cancel",
    "tasks/get",
    "tasks/list",
    "tasks/result",
    "tasks/update",
    "tools/call",
    "tools/list",
];
