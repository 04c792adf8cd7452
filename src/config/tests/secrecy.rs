//! Secrets are never shown, whatever is wrong around them; and nothing makes the reader panic.

use super::{MINIMAL, TestEnvironment, environment::CANARY};
use crate::config::parse;

const FULL: &str = include_str!("../../../config/full.yaml");

fn shown(text: &str) -> String {
    match parse("g.yaml", text, &TestEnvironment::default()) {
        Ok(loaded) => format!("{loaded:?}"),
        Err(problems) => {
            let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
            format!(
                "{problems:?}\n{}\n{}",
                lines.join("\n"),
                serde_json::to_string(&problems).unwrap()
            )
        }
    }
}

#[test]
fn debug_of_settings_shows_no_secret() {
    let key = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY";
    let text = MINIMAL.replace(
        "upstream: http://127.0.0.1:3001/mcp",
        "upstream: {urls: ['http://a'], headers: {X-A: '${INTROSPECTION_SECRET}', X-B: {file: secret}}}",
    );
    let shown = shown(&format!("{text}sessions: {{keys: [{key}]}}\n"));
    assert!(shown.starts_with("Loaded"), "{shown}");
    assert!(!shown.contains(CANARY) && !shown.contains(key), "{shown}");
}

#[test]
fn no_problem_quotes_what_was_written() {
    let secret = format!("secret: \"{CANARY}\"");
    let minimal = MINIMAL.replace("secret: \"${INTROSPECTION_SECRET}\"", &secret);
    for broken in [
        minimal.replace("secret: ", "secrets: "),
        minimal.replace("secret: ", "secret "),
        minimal.replace("secret: ", ""),
        minimal.replace(&secret, &format!("secret: [{CANARY}]")),
        minimal.replace(&secret, &format!("secret: {{{CANARY}: 1}}")),
        minimal.replace(&secret, &format!("secret: \"{CANARY}")),
        minimal.replace(&secret, &format!("secret: '${{{CANARY}}}'")),
        minimal.replace(&secret, &format!("secret: \"{CANARY}\\q\"")),
        minimal.replace(&secret, &format!("secret: *{CANARY}")),
        minimal.replace(&secret, &format!("secret: &{CANARY} x")),
        minimal.replace(&secret, &format!("secret: !{CANARY} x")),
        minimal.replace(&secret, &format!("{secret}, secret_file: {CANARY}")),
        minimal.replace("[notes.read]", &format!("['{CANARY} \"']")),
        minimal.replace("https://auth.example.com", CANARY),
        minimal.replace("/notes\n", &format!("/{CANARY}?\n")),
        minimal.replace("http://127.0.0.1:3001/mcp", &format!("http://u:{CANARY}@a")),
        minimal.replace(
            "http://127.0.0.1:3001/mcp",
            &format!("{{urls: [http://a], headers: {{X-A: '{CANARY}\u{1}'}}}}"),
        ),
        minimal.replace("path:", &format!("access: {CANARY}\n    path:")),
        minimal.replace("path:", &format!("tools: {{a: {CANARY}}}\n    path:")),
        minimal.replace("path:", &format!("tools: {{'{CANARY} [': [x]}}\n    path:")),
        minimal.replace("path:", &format!("tools: {{a: [' {CANARY}']}}\n    path:")),
        minimal.replace(
            "path:",
            &format!("tools: {{a: {{claims: {{b: {{{CANARY}: 1}}}}}}}}\n    path:"),
        ),
        minimal.replace("path:", &format!("filter_lists: {CANARY}\n    path:")),
        minimal.replace(
            "path:",
            &format!("tests: [{{method: {CANARY}, expect: {CANARY}}}]\n    path:"),
        ),
        minimal.replace("path:", &format!("authorization_servers: [{CANARY}]\n    path:")),
    ] {
        let shown = shown(&broken);
        assert!(!shown.starts_with("Loaded"), "accepted:\n{broken}");
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

/// A small generator of pseudo-random numbers (xorshift), so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

#[test]
fn garbage_is_refused_without_panic() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for (end, _) in FULL.char_indices().step_by(7) {
        shown(&FULL[..end]);
    }
    let characters: Vec<char> =
        "{}[]:,-?&*!|>'\"%@`#\n\t $x0\u{0}\u{85}\u{feff}é~<".chars().collect();
    for _ in 0..1500 {
        let length = numbers.below(60);
        let noise: String =
            (0..length).map(|_| characters[numbers.below(characters.len())]).collect();
        shown(&noise);
        let mut text: Vec<char> = FULL.chars().collect();
        for _ in 0..=numbers.below(3) {
            let at = numbers.below(text.len());
            text[at] = characters[numbers.below(characters.len())];
        }
        shown(&text.into_iter().collect::<String>());
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let too_long = format!("a: '{}'", "x".repeat(1024 * 1024));
    assert!(shown(&too_long).contains("longer than 1048576 bytes"));
    let deep = format!("a: {}1{}", "[".repeat(5000), "]".repeat(5000));
    assert!(!shown(&deep).starts_with("Loaded"));
    let wide = format!("a: [{}]", "1,".repeat(200_000));
    assert!(shown(&wide).contains("more or deeper values"));
}
