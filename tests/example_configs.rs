//! Every file in `config/` compiles without warnings, its rule tests pass, and the JSON Schema
//! agrees.

use std::{
    ffi::OsString,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use boon::{Compiler, Schemas};
use gatehouse::{
    authorize::rule_tests,
    config::{self, Environment, settings::Access},
};
use serde_json::Value;

/// Knows every variable and secret file that the examples name.
struct ExampleEnvironment;

impl Environment for ExampleEnvironment {
    fn variable(&self, name: &str) -> Option<OsString> {
        match name {
            "SESSION_KEY" => Some(KEY.into()),
            "INTROSPECTION_SECRET" | "NOTES_KEY" | "CALENDAR_KEY" => Some("example".into()),
            _ => None,
        }
    }

    fn read_file(&self, path: &Path, _limit: usize) -> io::Result<Vec<u8>> {
        if path.extension().is_some_and(|extension| extension == "yaml") {
            return fs::read(path);
        }
        match path.file_name().and_then(|name| name.to_str()) {
            Some("session-key") => Ok(format!("{KEY}\n").into()),
            Some("tls.crt" | "clients.pem") => Ok(certificate()),
            Some("key.pem" | "tls.key") => fs::read("tests/data/keys/p256-pkcs8.pem"),
            Some("collector" | "introspection" | "partner" | "notes-authorization") => {
                Ok(b"example\n".into())
            }
            _ => Err(ErrorKind::NotFound.into()),
        }
    }

    fn has_file(&self, path: &Path) -> bool {
        path.exists()
    }
}

/// A certificate for the key that stands in the repository.
fn certificate() -> Vec<u8> {
    let key = fs::read_to_string("tests/data/keys/p256-pkcs8.pem").unwrap();
    let params = rcgen::CertificateParams::new(["mcp.example.com".to_owned()]).unwrap();
    let key = rcgen::KeyPair::from_pem(&key).unwrap();
    params.self_signed(&key).unwrap().pem().into()
}

/// 32 letters in base64url; no key of anybody's.
const KEY: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY";

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(files.len() >= 10, "{files:?}");
    files
}

fn is_valid(document: &Value) -> Result<(), String> {
    let mut compiler = Compiler::new();
    compiler.add_resource("gatehouse.json", config::schema()).unwrap();
    let mut schemas = Schemas::new();
    let schema = compiler.compile("gatehouse.json", &mut schemas).unwrap();
    schemas.validate(document, schema).map_err(|why| why.to_string())
}

fn document(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

/// Examples that show a weak configuration, since the provider allows no better one, and what is
/// warned about there.
const WEAK: &[(&str, &str)] = &[
    ("github.yaml", "routes.notes.audience_match"),
    ("google.yaml", "routes.notes.audience_match"),
    ("google.yaml", "routes.notes.scopes_supported[0]"),
];

#[test]
fn every_example_compiles_and_only_weak_ones_are_warned_about() {
    for path in examples() {
        let expected: Vec<_> =
            WEAK.iter().filter(|(file, _)| path.ends_with(file)).map(|(_, place)| *place).collect();
        match rule_tests::load(&path, &ExampleEnvironment) {
            Ok(loaded) => {
                let warned: Vec<_> = loaded.warnings.iter().map(|warning| &*warning.path).collect();
                assert_eq!(warned, expected, "{}", path.display());
            }
            Err(problems) => {
                let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
                panic!("{}", lines.join("\n"));
            }
        }
    }
}

/// How many rule tests a text has, and which of them fail.
fn tested(text: &str) -> (usize, Vec<String>) {
    let loaded = config::parse("config/g.yaml", text, &ExampleEnvironment).unwrap();
    let rules = loaded.settings.routes.iter().map(|route| match &route.access {
        Access::Protected(protected) => protected.rules.tests.tests.len(),
        Access::Public => 0,
    });
    let number = rules.sum();
    let failures = rule_tests::run(&loaded.settings);
    (number, failures.into_iter().map(|problem| problem.message).collect())
}

#[test]
fn every_example_with_rules_tests_them() {
    let mut with_rules = 0;
    for path in examples() {
        let text = fs::read_to_string(&path).unwrap();
        if !text.contains("\n    tools:") {
            continue;
        }
        with_rules += 1;
        let (number, failures) = tested(&text);
        assert!(number >= 5, "{}: {number} tests", path.display());
        assert_eq!(failures, [""; 0], "{}", path.display());
        // Each of them is run: expecting what never comes fails them all.
        let lines = text.lines().map(|line| match line.split_once("expect: ") {
            Some((before, _)) if line.trim_start().starts_with("- {") => {
                format!("{before}expect: in_band}}")
            }
            _ => line.to_owned(),
        });
        let (_, failures) = tested(&lines.collect::<Vec<_>>().join("\n"));
        assert_eq!(failures.len(), number, "{}: {failures:?}", path.display());
    }
    assert!(with_rules >= 3, "{with_rules}");
}

#[test]
fn every_example_agrees_with_the_schema() {
    for path in examples() {
        let text = fs::read_to_string(&path).unwrap();
        is_valid(&document(&text)).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    }
}

#[test]
fn every_example_says_when_to_use_it() {
    for path in examples() {
        assert!(fs::read_to_string(&path).unwrap().starts_with("# "), "{}", path.display());
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let minimal =
        fs::read_to_string(examples().iter().find(|path| path.ends_with("minimal.yaml")).unwrap())
            .unwrap();
    for (from, to) in [
        ("upstream:", "upstrem:"),
        ("public_url: https://mcp.example.com\n", ""),
        ("[notes.read]", "null"),
        ("[notes.read]", "notes.read"),
        ("path: /notes", "path: notes"),
        ("path: /notes", "path: /notes\n    access: sometimes"),
        ("path: /notes", "path: /notes\n    forward_subpaths: 'yes'"),
        ("routes:", "listen: {drain_timeout: 30}\nroutes:"),
        ("routes:", "listen: {limits: {max_connections: -1}}\nroutes:"),
        ("id: gatehouse,", "id: [gatehouse],"),
        ("path: /notes", "path: /notes\n    tools: {a: x}"),
        ("path: /notes", "path: /notes\n    tools: {a: {claims: {c: {d: e}}}}"),
        ("path: /notes", "path: /notes\n    tools: {a: {any: [x]}}"),
        ("path: /notes", "path: /notes\n    prompts: {a: {when_denied: never}}"),
        ("path: /notes", "path: /notes\n    unlisted_tools: denied"),
        ("path: /notes", "path: /notes\n    tests: [{call: a, expect: 404}]"),
        ("path: /notes", "path: /notes\n    tests: [{call: a}]"),
        ("routes:", "scope_implies: {a: b}\nroutes:"),
    ] {
        let text = minimal.replace(from, to);
        assert_ne!(text, minimal, "{from}");
        assert!(is_valid(&document(&text)).is_err(), "schema accepts:\n{text}");
        let read = config::parse("g.yaml", &text, &ExampleEnvironment);
        assert!(read.is_err(), "reader accepts:\n{text}");
    }
}
