//! Functions and files stay short enough to be read in one piece.

use std::collections::BTreeSet;
use std::ops::Range;

use super::pending::{self, only_pending};
use super::source::{SourceFile, closing, code_of, rust_files, words};

/// Lines of a function at most, from `fn` to its closing brace.
const FUNCTION_LINES: usize = 70;

/// Lines of the part of a file that is no test.
const FILE_LINES: usize = 500;

/// Name and extent, from `fn` to the closing brace, of each function in `code` that has a body.
fn functions(code: &str) -> Vec<(&str, Range<usize>)> {
    let mut found = Vec::new();
    let mut all = words(code).peekable();
    while let Some((at, word)) = all.next() {
        let Some(&(name_at, name)) = all.peek().filter(|_| word == "fn") else { continue };
        // `fn(` is a type.
        if !code[at + 2..name_at].trim().is_empty() {
            continue;
        }
        let mut depth = 0;
        for (behind, c) in code[at..].char_indices() {
            match c {
                '(' | '[' => depth += 1,
                ')' | ']' => depth -= 1,
                ';' if depth == 0 => break,
                '{' => {
                    let open = at + behind;
                    found.push((name, at..open + closing(&code[open..], '{', '}')));
                    break;
                }
                _ => {}
            }
        }
    }
    found
}

fn long_functions(file: &SourceFile) -> impl Iterator<Item = String> {
    functions(&file.code)
        .into_iter()
        .filter(|(_, extent)| file.code[extent.clone()].lines().count() > FUNCTION_LINES)
        .map(|(name, _)| format!("{} {name}", file.path))
}

#[test]
fn functions_have_at_most_70_lines() {
    let found: BTreeSet<String> = rust_files().iter().flat_map(long_functions).collect();
    only_pending("functions longer than 70 lines", &found, pending::LONG_FUNCTIONS);
}

#[test]
fn the_part_of_a_file_that_is_no_test_has_at_most_500_lines() {
    let files = rust_files();
    let long = files.iter().filter(|file| file.ships() && file.production_lines > FILE_LINES);
    let found: BTreeSet<String> = long.map(|file| file.path.clone()).collect();
    only_pending("files longer than 500 lines without their tests", &found, pending::LONG_FILES);
}

#[test]
fn functions_are_found_whole() {
    let text = "pub(crate) fn a<T>(x: [u8; 3]) -> fn(u8) where T: X {\n if true {}\n \"}\"\n}\ntrait T { fn b(&self); fn c() {} }";
    let code = code_of(text);
    let found: Vec<(&str, usize)> =
        functions(&code).into_iter().map(|(name, extent)| (name, code[extent].lines().count())).collect();
    assert_eq!(found, [("a", 4), ("c", 1)]);
}
