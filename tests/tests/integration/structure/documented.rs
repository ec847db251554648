//! What people and programs meet is explained where they look: configuration keys in the built-in file, and every public
//! type, message and field beside its definition, which the compiler's lint sees to as long as nothing switches it off.

use std::fs;

use tests::repository;

use super::crates::metadata;
use super::source::{rust_files, words};

/// Names of the fields in `code`: words before a colon that is no path's, in lines of a struct.
fn fields(code: &str) -> Vec<&str> {
    code.lines()
        .filter_map(|line| {
            let line = line.trim_start();
            let rest = ["pub(crate) ", "pub "].iter().find_map(|before| line.strip_prefix(before))?;
            let (name, behind) = rest.split_once(':')?;
            let is_field = !behind.starts_with(':') && words(name).count() == 1 && !name.contains('(');
            is_field.then_some(name)
        })
        .collect()
}

/// What `toml` sets, also where it does so behind a `#`: words before an equals sign, and the parts of a section's name.
fn set_in(toml: &str) -> Vec<String> {
    let of_line = |line: &'_ str| {
        let bare = line.trim_start_matches(['#', ' ']);
        let section = bare.strip_prefix('[').map(|name| name.trim_start_matches('['));
        let section = section.and_then(|name| name.split(']').next()).unwrap_or_default();
        section.split('.').map(str::to_owned).collect::<Vec<_>>()
    };
    let sections = toml.lines().flat_map(of_line);
    let assigned = words(toml).filter(|(at, word)| toml[at + word.len()..].trim_start().starts_with('='));
    assigned.map(|(_, word)| word.to_owned()).chain(sections).collect()
}

#[test]
fn every_key_of_the_configuration_stands_in_the_built_in_file() {
    let read = |path: &str| fs::read_to_string(repository().join(path)).expect("a file of the configuration");
    let built_in = read("control/src/config/default.toml");
    let schema = ["schema.rs", "schema_firm.rs", "gateway.rs", "schema_ops.rs", "schema_policy.rs"]
        .map(|file| read(&format!("control/src/config/{file}")))
        .concat();
    let keys = fields(&schema);
    assert!(keys.len() > 40, "the schema's fields are found: {keys:?}");
    let set = set_in(&built_in);
    let missing: Vec<&&str> = keys.iter().filter(|key| !set.iter().any(|word| word == **key)).collect();
    assert!(missing.is_empty(), "keys that the built-in file does not name: {missing:?}");
}

/// Where the lint is switched off, and where the documentation stands instead.
const DOCUMENTED_ELSEWHERE: &[(&str, &str)] = &[
    ("dataplane/wire/src/error.rs", "the fields of every error are described above the type"),
    ("dataplane/wire/src/itch50/define.rs", "each message is described at the struct of its name"),
    ("dataplane/wire/src/pitch/mod.rs", "each message is described at the struct of its name"),
];

#[test]
fn undocumented_items_are_errors_everywhere() {
    let read = |path: &std::path::Path| fs::read_to_string(path).expect("a text file");
    let manifest = read(&repository().join("Cargo.toml"));
    assert!(manifest.contains("[workspace.lints.rust]\nmissing_docs = \"warn\""));
    let checks = read(&repository().join("scripts/test.sh"));
    assert!(checks.contains("cargo clippy --workspace --all-targets --locked -- -D warnings"));
    for package in metadata().workspace_packages() {
        let manifest = read(package.manifest_path.as_std_path());
        assert!(manifest.contains("[lints]\nworkspace = true"), "{} has the workspace's lints", package.name);
    }
    let files = rust_files();
    let switch_off =
        |code: &str| ["allow(missing_docs", "expect(missing_docs"].iter().any(|off| code.contains(off));
    let off: Vec<&str> = files.iter().filter(|f| switch_off(&f.code)).map(|f| f.path.as_str()).collect();
    assert_eq!(off, DOCUMENTED_ELSEWHERE.iter().map(|(path, _)| *path).collect::<Vec<_>>());
}
