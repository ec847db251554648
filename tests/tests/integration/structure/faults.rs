//! `tests/FAULTS.md` lists every fault found in the appliance, by kind, and the tests that keep it mended; `tests/THROUGH.md` what the
//! appliance does through faults, and the tests that saw it: they exist.

use std::collections::BTreeSet;
use std::fs;

use tests::repository;

use super::source::{SourceFile, rust_files, words};

/// The kinds of faults, by letter.
const KINDS: std::ops::RangeInclusive<char> = 'A'..='J';

/// What the page says of a fault that no test holds yet.
const OPEN: &str = "open";

/// The cells of each row of a page's tables, without the heads.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| Fault");
    page.lines()
        .filter(is_row)
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

/// The tests that a cell names: `package` `test`, with a comma between one and the next.
fn named(cell: &str) -> Vec<(&str, &str)> {
    cell.split(',')
        .map(|one| {
            let mut quoted = one.split('`').skip(1).step_by(2);
            let pair = quoted.next().zip(quoted.next());
            pair.unwrap_or_else(|| panic!("a package and a test, each between backticks, not {one}"))
        })
        .collect()
}

/// Panics unless each of the tests that a cell names is there.
fn exist(cell: &str, files: &[SourceFile], what: &str) {
    for (package, test) in named(cell) {
        let holds = files.iter().any(|file| file.package() == package && has_test(file, test));
        assert!(holds, "{package} has no test {test}, which holds: {what}");
    }
}

/// Whether `file` has a test of this name: a function with the attribute before it.
fn has_test(file: &SourceFile, name: &str) -> bool {
    words(&file.code).zip(words(&file.code).skip(1)).any(|((at, word), (_, next))| {
        // Other attributes may stand between, nothing else.
        let before = || {
            let lines = file.code[..at].lines().rev().map(str::trim).skip_while(|line| line.is_empty());
            lines.take_while(|line| line.starts_with('#') || line.is_empty()).any(|line| line == "#[test]")
        };
        word == "fn" && next == name && before()
    })
}

#[test]
fn every_fault_that_is_mended_is_held_by_a_test() {
    let page = fs::read_to_string(repository().join("tests/FAULTS.md")).expect("the page of faults");
    let files = rust_files();
    let mut kinds = BTreeSet::new();
    let mut open = 0_usize;
    for section in page.split("\n## ").skip(1) {
        let kind = section.chars().next().expect("a heading");
        kinds.insert(kind);
        let rows = rows(section);
        assert!(!rows.is_empty(), "kind {kind} has no fault");
        for row in rows {
            let [fault, held] = row[..] else { panic!("two cells, not {row:?}") };
            assert!(!fault.is_empty());
            if held == OPEN {
                open += 1;
                continue;
            }
            exist(held, &files, fault);
        }
    }
    assert!(kinds.iter().copied().eq(KINDS), "the kinds of the page: {kinds:?}");
    assert!(page.contains(&format!("\n{open} faults are open.\n")), "{open} faults of the page are open");
}

#[test]
fn what_the_appliance_does_through_a_fault_was_seen_by_a_test() {
    let page = fs::read_to_string(repository().join("tests/THROUGH.md"))
        .expect("the page of the appliance through faults");
    let files = rust_files();
    let rows = rows(&page);
    assert!(!rows.is_empty());
    for row in rows {
        let [fault, _before, _during, _after, held] = row[..] else { panic!("five cells, not {row:?}") };
        exist(held, &files, fault);
    }
}

#[test]
fn tests_and_rows_are_found() {
    let text = "#[test]\nfn a() {}\n\nproptest! {\n    #[test]\n    #[cfg(x)]\n    fn b(x in 0..3) {}\n}\nfn c() {}\n// #[test]\nfn d() {}";
    let file = SourceFile::of_test("x/src/a.rs", text);
    let found: Vec<bool> = ["a", "b", "c", "d", "e"].iter().map(|name| has_test(&file, name)).collect();
    assert_eq!(found, [true, true, false, false, false]);
    assert_eq!(named("`x/y` `a`, `z` `b`"), [("x/y", "a"), ("z", "b")]);
    assert_eq!(rows("| Fault | Held by |\n|---|---|\n| a | open |\n"), [vec!["a", "open"]]);
}
