//! Tells the binary which revision it is built from, as `GATEHOUSE_REVISION`.
//!
//! 1. `GATEHOUSE_REVISION` of the environment wins: for builds without the repository, such as an
//!    image's.
//! 2. Otherwise it is the commit, with `-dirty` when what the binary is built from differs from it.
//! 3. Otherwise `unknown`: an archive of the source, which may lie in another repository, or no git.
//!
//! It runs again when one of these may have changed, not when tests or documents have. Without
//! optimisation a commit alone does not run it: a build of the same files keeps the name it had,
//! and tests need not be built again.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    say("rerun-if-env-changed", VARIABLE);
    let folder = Path::new(".");
    let is_release = env::var_os("PROFILE").is_some_and(|profile| profile == "release");
    let head = is_release.then(|| head_of(folder)).flatten();
    let watched = INPUTS.map(PathBuf::from).into_iter().chain(head);
    for path in watched.filter(|path| path.exists()) {
        say("rerun-if-changed", &path.to_string_lossy());
    }
    match env::var_os(VARIABLE).filter(|given| !given.is_empty()).map(OsString::into_string) {
        None => {
            let revision = revision(folder).unwrap_or_else(|| "unknown".to_owned());
            say("rustc-env", &format!("{VARIABLE}={revision}"));
        }
        Some(Ok(given)) if is_revision(&given) => {
            say("rustc-env", &format!("{VARIABLE}={given}"));
        }
        Some(_) => say("error", &format!("{VARIABLE} must be 1 to 64 of A-Z a-z 0-9 . _ -")),
    }
}

/// The commit of the repository whose root is this folder.
fn revision(folder: &Path) -> Option<String> {
    let commit = git(folder, &["rev-parse", "--verify", "HEAD"])?;
    let is_root = git(folder, &["rev-parse", "--show-prefix"])?.is_empty();
    if !is_root || !is_revision(&commit) {
        return None;
    }
    let status = ["--no-optional-locks", "status", "--porcelain", "--untracked-files=no", "--"];
    let changed = git(folder, &[&status[..], &INPUTS[..]].concat())?;
    Some(if changed.is_empty() { commit } else { format!("{commit}-dirty") })
}

/// What changes with every commit and checkout.
fn head_of(folder: &Path) -> Option<PathBuf> {
    let files = ["logs/HEAD", "HEAD"].into_iter();
    let path = |file| git(folder, &["rev-parse", "--git-path", file]);
    // It is relative to the folder, unless the repository is elsewhere.
    files.filter_map(path).map(|path| folder.join(path)).find(|path| path.exists())
}

fn is_revision(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
}

/// What git says; nothing when it fails.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.current_dir(folder).args(arguments);
    // A hook's variables would lead to its repository.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(name);
    }
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
}

fn say(instruction: &str, value: &str) {
    println!("cargo::{instruction}={value}");
}

const VARIABLE: &str = "GATEHOUSE_REVISION";
/// What the binary is built from.
const INPUTS: [&str; 4] = [".cargo", "Cargo.lock", "Cargo.toml", "src"];

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A repository with one commit, and that commit.
    fn repository(folder: &Path) -> String {
        for file in [".cargo/build.rs", "Cargo.lock", "Cargo.toml", "src/lib.rs", "tests/all.rs"] {
            fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
            fs::write(folder.join(file), "a").unwrap();
        }
        git(folder, &["init", "--quiet"]).unwrap();
        git(folder, &["add", "."]).unwrap();
        let identity = ["-c", "user.name=a", "-c", "user.email=a@a.example"];
        let commit = ["commit", "--quiet", "--no-verify", "--no-gpg-sign", "-m", "a"];
        git(folder, &[&identity[..], &commit[..]].concat()).unwrap();
        git(folder, &["rev-parse", "HEAD"]).unwrap()
    }

    #[test]
    fn revision_is_the_commit_and_says_when_it_was_changed() {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("revision");
        let _ = fs::remove_dir_all(&folder);
        let commit = repository(&folder);
        assert_eq!(commit.len(), 40);
        assert_eq!(revision(&folder), Some(commit.clone()));
        assert!(head_of(&folder).is_some_and(|path| path.ends_with("logs/HEAD")));
        // Neither is part of the binary.
        fs::write(folder.join("tests/all.rs"), "b").unwrap();
        fs::write(folder.join("gatehouse.yaml"), "b").unwrap();
        assert_eq!(revision(&folder), Some(commit.clone()));
        fs::write(folder.join("src/lib.rs"), "b").unwrap();
        assert_eq!(revision(&folder), Some(format!("{commit}-dirty")));
        // An archive of the source that was unpacked in somebody's repository.
        assert_eq!(revision(&folder.join("src")), None);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn revision_is_plain_text() {
        for (text, expected) in [
            ("1.2-rc_3", true),
            ("", false),
            ("a b", false),
            ("a\"", false),
            (&*"a".repeat(65), false),
        ] {
            assert_eq!(is_revision(text), expected, "{text}");
        }
    }
}
