//! Which file is read, what wins over it, and what a file that cannot be read is told.

use std::path::Path;

use super::{MINIMAL, TestEnvironment};
use crate::config::{Overrides, find, load, parse};

#[test]
fn the_file_is_asked_for_then_the_environments_then_the_usual() {
    let none = TestEnvironment::default();
    let path = |environment: &TestEnvironment| find(None, environment);
    assert_eq!(find(Some(Path::new("x.yaml")), &none), Path::new("x.yaml"));
    assert_eq!(path(&none), Path::new("gatehouse.yaml"));
    let system = none.with_file("/etc/gatehouse/gatehouse.yaml", b"");
    assert_eq!(path(&system), Path::new("/etc/gatehouse/gatehouse.yaml"));
    let both = system.with_file("gatehouse.yaml", b"");
    assert_eq!(path(&both), Path::new("gatehouse.yaml"));
    let named = both.with_variable("GATEHOUSE_CONFIG", "named.yaml");
    assert_eq!(path(&named), Path::new("named.yaml"));
    assert_eq!(find(Some(Path::new("x.yaml")), &named), Path::new("x.yaml"));
    assert_eq!(path(&named.with_variable("GATEHOUSE_CONFIG", "")), Path::new("gatehouse.yaml"));
}

#[test]
fn flags_win_over_the_environment_and_both_over_the_file() {
    let environment = TestEnvironment::default()
        .with_variable("GATEHOUSE_LISTEN_ADDRESS", "0.0.0.0:1")
        .with_variable("GATEHOUSE_ADMIN_ADDRESS", "0.0.0.0:2");
    let mut settings = parse("g.yaml", MINIMAL, &environment).unwrap().settings;
    assert_eq!(settings.listen.address.to_string(), "0.0.0.0:1");
    assert_eq!(settings.admin.address.to_string(), "0.0.0.0:2");
    let flags = Overrides { listen_address: "[::1]:3".parse().ok(), admin_address: None };
    flags.apply(&mut settings);
    assert_eq!(settings.listen.address.to_string(), "[::1]:3");
    assert_eq!(settings.admin.address.to_string(), "0.0.0.0:2");
}

#[test]
fn an_address_of_the_environment_is_checked() {
    let environment = TestEnvironment::default().with_variable("GATEHOUSE_ADMIN_ADDRESS", "all");
    let problems = parse("g.yaml", MINIMAL, &environment).unwrap_err();
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        ["GATEHOUSE_ADMIN_ADDRESS: not an IP address with a port such as 0.0.0.0:8080"]
    );
}

#[test]
fn a_file_that_cannot_be_read_is_one_problem() {
    let environment = TestEnvironment::default()
        .with_file("binary.yaml", b"a: \xff")
        .with_file("long.yaml", &vec![b'#'; 2 * 1024 * 1024]);
    for (path, expected) in [
        ("missing.yaml", "missing.yaml: the file cannot be read (no such file)"),
        ("binary.yaml", "binary.yaml: the file is not UTF-8 text"),
        ("long.yaml", "long.yaml: the file cannot be read (too large)"),
    ] {
        let problems = load(Path::new(path), &environment).unwrap_err();
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(lines, [expected]);
    }
}

#[test]
fn relative_paths_start_at_the_files_folder() {
    let text = MINIMAL.replace("secret: \"${INTROSPECTION_SECRET}\"", "secret_file: s/x");
    let environment = TestEnvironment::default().with_file("conf/s/x", b"y\n");
    assert!(parse("conf/g.yaml", &text, &environment).is_ok());
    assert!(parse("g.yaml", &text, &environment).is_err());
}

#[test]
fn a_place_counts_characters_and_points_at_value_or_key() {
    let text = format!("\u{feff}listen: {{address: \"é\", 'é': x}}\n{MINIMAL}");
    let problems = parse("g.yaml", &text, &TestEnvironment::default()).unwrap_err();
    let places: Vec<_> = problems.iter().map(|problem| (problem.line, problem.column)).collect();
    assert_eq!(places, [(1, 19), (1, 24)]);
}
