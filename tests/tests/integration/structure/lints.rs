//! What is added to an enum of ours is decided on everywhere: no `match` has an arm for all the rest. Clippy finds one in every crate whose
//! root asks for that, as long as nothing switches it off.

use std::collections::BTreeMap;

use super::modules::is_root;
use super::source::{SourceFile, rust_files};

const ASKED: &str = "#![warn(clippy::wildcard_enum_match_arm)]";

/// Where what ships has an arm for all the rest, and how many there are, each with its reason beside it: what an arm falls to decides on all
/// the rest itself, or the enum is other people's.
const EXCEPTIONS: &[(&str, usize)] = &[
    ("bench/src/line.rs", 1),
    ("control/src/bin/portcullisctl/run.rs", 1),
    ("control/src/client.rs", 1),
    ("control/src/controller/mod.rs", 1),
    ("dataplane/egress/src/ouch/reasons.rs", 2),
    ("dataplane/egress/src/store.rs", 1),
    ("dataplane/gate/src/verdict.rs", 1),
    ("dataplane/src/decode/itch.rs", 1),
    ("dataplane/src/decode/itch/plain.rs", 1),
    ("dataplane/src/lobster/archive.rs", 1),
    ("dataplane/src/source/itch.rs", 1),
    ("featurizer/src/capture.rs", 1),
    ("featurizer/src/slippage/file.rs", 1),
    ("gpu/cuda/src/device/driver.rs", 1),
];

/// Whether the root of a crate asks for the lint.
fn asks(root: &SourceFile) -> bool {
    root.code.lines().any(|line| line == ASKED)
}

/// How often `code` says `level` of the lint, or of a group that it is in.
fn said(code: &str, level: &str) -> usize {
    let lints = ["clippy::wildcard_enum_match_arm", "clippy::restriction", "clippy::all", "warnings"];
    let head = format!("{level}(");
    let lists = code.match_indices(&head).filter_map(|(at, head)| {
        let list = &code[at + head.len()..];
        list.split_once(')').map(|(list, _)| list)
    });
    lists.filter(|list| list.split(',').any(|lint| lints.contains(&lint.trim()))).count()
}

#[test]
fn every_library_and_program_decides_on_all_that_an_enum_may_be() {
    let files = rust_files();
    // What is fuzzed is no member of the workspace.
    let roots = files.iter().filter(|file| is_root(file) && file.package() != "tests/fuzz");
    let roots: Vec<&SourceFile> = roots.collect();
    assert!(roots.len() >= 23, "{} roots", roots.len());
    let silent: Vec<&str> = roots.iter().filter(|root| !asks(root)).map(|root| root.path.as_str()).collect();
    assert!(silent.is_empty(), "roots without {ASKED}: {silent:#?}");
}

#[test]
fn nothing_that_ships_switches_that_off_without_a_reason() {
    let files: Vec<SourceFile> = rust_files().into_iter().filter(SourceFile::ships).collect();
    let allowing: Vec<&str> = files
        .iter()
        .filter(|file| said(&file.production, "allow") > 0)
        .map(|file| file.path.as_str())
        .collect();
    assert!(allowing.is_empty(), "`expect` with a reason is checked, `allow` is not: {allowing:#?}");
    let expecting: BTreeMap<&str, usize> = files
        .iter()
        .map(|file| (file.path.as_str(), said(&file.production, "expect")))
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(expecting, EXCEPTIONS.iter().copied().collect(), "arms for all the rest");
}

#[test]
fn a_lint_that_is_asked_for_or_switched_off_is_seen() {
    let root = |text: &str| asks(&SourceFile::of_test("a/src/lib.rs", text));
    assert!(root("//! A crate.\n#![warn(clippy::wildcard_enum_match_arm)]\n"));
    assert!(!root("//! #![warn(clippy::wildcard_enum_match_arm)]\n#![warn(clippy::print_stdout)]"));
    assert!(!root("// #![warn(clippy::wildcard_enum_match_arm)]"), "a comment asks for nothing");
    let code = "#[expect(\n    clippy::wildcard_enum_match_arm,\n    reason = \n)] #[expect(dead_code)] #![allow(clippy::all, unused)]";
    assert_eq!((said(code, "expect"), said(code, "allow")), (1, 1));
}
