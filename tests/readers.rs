//! Whatever our reader of messages accepts, every other reader reads alike.
//!
//! 1. The seeds, and 20,000 messages made of them, always the same ones; the fuzz target `message`
//!    goes on from there, and `tests/readers/check` asks the real readers of Python and Node.
//! 2. The models are no straw men: each of them is seen to disagree where it should.

#[path = "readers/models.rs"]
mod models;
#[path = "readers/mutations.rs"]
mod mutations;

use std::{collections::BTreeSet, fs, path::Path};

use gatehouse::jsonrpc::scanner::{Fault, Scanner};
use models::{Pick, Reading, Tree, disagreement, ours, trees};
use mutations::{Chance, mutated};

/// The seeds, by name.
fn seeds() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/seeds");
    let mut seeds: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    seeds.sort();
    seeds
}

#[test]
fn seeds_are_refused_or_read_alike() {
    let accepted: BTreeSet<String> = seeds()
        .into_iter()
        .filter(|(name, body)| {
            assert_eq!(disagreement(body.as_bytes()), None, "{name}");
            ours(body.as_bytes()).is_ok()
        })
        .map(|(name, _)| name)
        .collect();
    let expected = [
        "batch",
        "call",
        "call_modern",
        "completion",
        "completion_prompt",
        "deep",
        "error",
        "escapes",
        "listen",
        "non_ascii",
        "notification",
        "numbers",
        "prompt",
        "read",
        "response",
    ];
    assert_eq!(accepted, expected.map(str::to_owned).into());
}

#[test]
fn messages_made_by_chance_are_refused_or_read_alike() {
    let seeds: Vec<String> = seeds().into_iter().map(|(_, body)| body).collect();
    let mut chance = Chance(2026);
    let (mut accepted, mut ambiguous, mut refused) = (0, 0, 0);
    for _ in 0..20_000 {
        let body = mutated(&seeds, &mut chance);
        let text = String::from_utf8_lossy(&body);
        if let Some(why) = disagreement(&body) {
            panic!("{why}\n{text}");
        }
        scan(&body);
        match ours(&body) {
            Ok(_) => accepted += 1,
            Err(_) if is_ambiguous(&body) => ambiguous += 1,
            Err(_) => refused += 1,
        }
    }
    // Enough of each kind, or nothing was proven.
    assert!(
        accepted > 1000 && ambiguous > 4000 && refused > 1000,
        "{accepted} {ambiguous} {refused}"
    );
}

/// Whether the models disagree among themselves.
fn is_ambiguous(body: &[u8]) -> bool {
    let Some(trees) = trees(body) else { return false };
    trees.iter().any(|tree| {
        let mut readings = models::models().map(|model| model.read(tree));
        let first = readings.next();
        readings.any(|reading| Some(reading) != first)
    })
}

/// What the scanner takes for JSON is JSON, and the other way round, as far as its depth goes.
fn scan(body: &[u8]) {
    let Ok(text) = std::str::from_utf8(body) else { return };
    let mut scanner = Scanner::new(text);
    let ended = scanner.skip_value().and_then(|()| scanner.end());
    match (ended, serde_json::from_str::<Tree>(text)) {
        (Ok(()), Err(error)) => assert!(error.to_string().contains("out of range"), "{text}"),
        (Err(Fault::Cut | Fault::Syntax), Ok(_)) => panic!("JSON, but not for us: {text}"),
        (Ok(()), Ok(_)) | (Err(_), _) => {}
    }
}

#[test]
fn models_differ_where_real_readers_do() {
    let read = |body: &str, matches, pick| {
        let tree = trees(body.as_bytes()).unwrap().remove(0);
        let Reading { name, .. } = models::Model { matches, pick }.read(&tree);
        name.unwrap_or_default()
    };
    let body = |member: &str| format!(r#"{{"params":{{"name":"a",{member}:"b"}}}}"#);
    for (matches, member) in [
        (models::Match::Exact, r#""name""#),
        (models::Match::Exact, r#""n\u0061me""#),
        (models::Match::Folded, r#""NAME""#),
        (models::Match::Trimmed, r#""name\u0000""#),
        (models::Match::Trimmed, r#"" name""#),
        (models::Match::CutAtNul, r#""name\u0000x""#),
        (models::Match::Stripped, "\"na\u{200b}me\""),
        (models::Match::AnyStyle, r#""_name""#),
    ] {
        let body = body(member);
        assert_eq!(read(&body, matches, Pick::First), "a", "{matches:?} {member}");
        assert_eq!(read(&body, matches, Pick::Last), "b", "{matches:?} {member}");
    }
    let inherited = r#"{"params":{"__proto__":{"name":"b"}}}"#;
    assert_eq!(read(inherited, models::Match::Inherited, Pick::Last), "b");
    assert_eq!(read(inherited, models::Match::Exact, Pick::Last), "");
    assert_eq!(models::MATCHES.len() * models::PICKS.len(), models::models().count());
}
