//! The build script tells the truth, and the binary says what it was told.

#[path = "../.cargo/build.rs"]
#[expect(dead_code, clippy::print_stdout, reason = "Cargo runs it; here its parts are tested")]
mod build;

use std::process::Command;

#[test]
fn version_has_the_revision() {
    let output = Command::new(env!("CARGO_BIN_EXE_gatehouse")).arg("--version").output().unwrap();
    let expected =
        format!("gatehouse {} ({})\n", env!("CARGO_PKG_VERSION"), gatehouse::app::REVISION);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    assert!(!gatehouse::app::REVISION.is_empty());
}
