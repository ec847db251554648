//! One topology: a type that is a stage of the line is made in one file, so that whoever runs the line runs the same one.

use std::collections::{BTreeMap, BTreeSet};

use super::pending::{self, only_pending};
use super::source::{SourceFile, rust_files, words};

/// Types that implement `Stage` in what ships, each with the file of the implementation.
fn stage_types(files: &[SourceFile]) -> BTreeMap<&str, &str> {
    let mut found = BTreeMap::new();
    for file in files.iter().filter(|file| file.ships()) {
        let code = &file.production;
        for (at, _) in code.match_indices(" Stage for ") {
            let (_, name) = words(&code[at..]).nth(2).expect("a type behind `for`");
            found.insert(name, file.path.as_str());
        }
    }
    found
}

/// Whether `code` makes a `name`: by a function of the type, or by naming its fields.
fn makes(code: &str, name: &str) -> bool {
    words(code).filter(|(_, word)| *word == name).any(|(at, _)| {
        let before = code[..at].trim_end();
        let behind = code[at + name.len()..].trim_start();
        let call = |behind: &str| {
            let method =
                behind.strip_prefix("::").and_then(|rest| words(rest).next().filter(|(at, _)| *at == 0));
            // A variant or a constant begins with a capital.
            method.is_some_and(|(_, word)| word.starts_with(char::is_lowercase))
        };
        let generic = behind.strip_prefix("::<").map(|rest| &rest[rest.find('>').map_or(0, |at| at + 1)..]);
        let is_literal = behind.starts_with('{')
            && !["struct", "impl", "for", "enum", "->"].iter().any(|word| before.ends_with(word))
            && !before.ends_with('>');
        call(behind) || generic.is_some_and(call) || is_literal
    })
}

#[test]
fn a_stage_is_made_in_one_file() {
    let files = rust_files();
    let mut found = BTreeSet::new();
    for (name, home) in stage_types(&files) {
        let makers: Vec<&str> = files
            .iter()
            .filter(|file| file.ships() && file.package() != "bench")
            .filter(|file| makes(&file.production, name))
            .map(|file| file.path.as_str())
            .collect();
        println!("{name} of {home} is made in {}", makers.join(", "));
        if makers.len() > 1 {
            found.insert(name.to_owned());
        }
    }
    only_pending("stages made in more than one file (the output says where)", &found, pending::STAGES);
}

#[test]
fn what_makes_a_stage_is_told_from_what_names_it() {
    for made in ["A::new(1)", "A::<u8>::open()", "let a = A { b };", "Ok(A { b })"] {
        assert!(makes(made, "A"), "{made}");
    }
    for named in [
        "impl Stage for A {",
        "struct A {",
        "fn f() -> A {",
        "fn f(a: &A) {}",
        "A::MAX",
        "impl<T> A {",
        "Aa::new()",
    ] {
        assert!(!makes(named, "A"), "{named}");
    }
}
