//! Integration tests live in `tests/integration`; this library holds what they share: where the repository and the
//! real captures are, the built binaries, and, for the tests of every crate, how a test is skipped.

#![forbid(unsafe_code)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

mod page;
mod place;
mod skip;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

pub use page::{Block, blocks};
pub use place::repository;
pub use skip::{Need, skip};

/// Path of a real capture beside the repository, or `None`, the test being skipped, where the captures are not at hand (they
/// belong to exchanges and are never part of the repository).
#[must_use]
pub fn real_data(name: &str) -> Option<PathBuf> {
    let path = repository().join("../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    skip(Need::RealData, &format!("no real data ({name})"));
    None
}

/// A table that a replay wrote, byte for byte; of verdicts.csv without its last column, which measures time.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn table_bytes(dir: &Path, table: &str) -> Vec<u8> {
    let bytes = std::fs::read(dir.join(table)).expect("a table that was written");
    if table != "verdicts.csv" {
        return bytes;
    }
    let text = String::from_utf8(bytes).expect("CSV is text");
    let cut = |line: &str| line.rsplit_once(',').map(|(rest, _)| rest.to_owned()).expect("several columns");
    text.lines().map(cut).collect::<Vec<_>>().join("\n").into_bytes()
}

/// The directory with the programs and libraries, built once per test run in the profile the tests themselves use.
///
/// # Panics
/// When they do not build: nothing can be tested then.
pub fn programs() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // target/<profile>/deps/<this test>: the programs stand two up.
        let this = std::env::current_exe().expect("the test's own path");
        let target = this.parent().and_then(Path::parent).expect("a target directory").to_owned();
        let mut build = Command::new(env!("CARGO"));
        // The whole workspace, and a test in it: the features of shared dependencies are then those of `cargo test --workspace`,
        // whose artifacts serve here too.
        let selection = ["build", "--locked", "--workspace", "--lib", "--bins", "--test", "integration"];
        build.current_dir(repository()).args(selection);
        if target.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo runs").success(), "the programs do not build");
        target
    })
}

/// Runs `portcullis` with `args`.
///
/// # Panics
/// When it cannot be started.
pub fn portcullis<I, S>(args: I) -> Output
where
    I: IntoIterator<Item = S>,
    S: AsRef<std::ffi::OsStr>,
{
    Command::new(programs().join("portcullis")).args(args).output().expect("portcullis starts")
}

/// Runs `portcullis` and returns its stdout.
///
/// # Panics
/// When it fails; the message holds its stderr.
pub fn portcullis_ok<I, S>(args: I) -> String
where
    I: IntoIterator<Item = S>,
    S: AsRef<std::ffi::OsStr>,
{
    let output = portcullis(args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8 output")
}
