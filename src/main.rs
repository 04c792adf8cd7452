//! The `gatehouse` binary: a few lines over the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    gatehouse::cli::run()
}
