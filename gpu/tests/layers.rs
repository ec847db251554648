//! The layers of the crate, as `src/lib.rs` lists them: what each module sees of the others, exactly.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each module at the crate's root sees of the others. Whatever does not name `train` and `captures` here knows no
/// training: that is all that runs in the line.
const SEES: &[(&str, &[&str])] = &[
    ("inputs", &[]),
    ("network", &["inputs"]),
    ("heads", &["inputs", "network"]),
    ("model", &["heads", "inputs", "network"]),
    ("folder", &["model"]),
    ("score", &["heads", "inputs", "model", "network"]),
    ("policy", &["heads", "inputs", "model", "network", "score"]),
    ("captures", &["inputs", "model"]),
    ("train", &["captures", "heads", "inputs", "model", "network", "score"]),
];

/// Every Rust file below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The code of a file that ships: neither comments nor what is there for tests.
fn ships(path: &Path) -> String {
    if path.ends_with("tests.rs") {
        return String::new();
    }
    code_of(&fs::read_to_string(path).expect("a source file"))
}

fn code_of(text: &str) -> String {
    let ships = text.split("mod tests {").next().unwrap_or_default();
    ships.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The modules at the crate's root that `code`, which stands `depth` modules below the root, names.
fn sights(code: &str, depth: usize) -> BTreeSet<String> {
    let from_here = "super::".repeat(depth);
    let mut seen = BTreeSet::new();
    for way in ["crate::", from_here.as_str()] {
        for (at, _) in code.match_indices(way).filter(|_| !way.is_empty()) {
            let rest = &code[at + way.len()..];
            assert!(!rest.starts_with('{'), "one path each from the root: {way}{rest:.40}");
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            seen.insert(name);
        }
    }
    seen
}

/// How many modules a file of `src` stands below the root.
fn depth(within_source: &Path) -> usize {
    within_source.components().count() - usize::from(within_source.ends_with("mod.rs"))
}

#[test]
fn each_module_sees_what_the_layers_allow_and_what_runs_in_the_line_knows_no_training() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut judged = 0;
    for path in files(&source) {
        let within = path.strip_prefix(&source).expect("below it");
        let module = within.iter().next().expect("a name").to_string_lossy().replace(".rs", "");
        if ["lib", "synthetic"].contains(&module.as_str()) {
            continue;
        }
        judged += 1;
        let seen = sights(&ships(&path), depth(within));
        found.entry(module.clone()).or_default().extend(seen.into_iter().filter(|other| *other != module));
    }
    let wanted: BTreeMap<String, BTreeSet<String>> = SEES
        .iter()
        .map(|(module, sees)| ((*module).to_owned(), sees.iter().map(ToString::to_string).collect()))
        .collect();
    assert!(judged > 80, "{judged} files");
    assert_eq!(found, wanted);
}

/// The layers in a table's first column, from the top: each cell names one or several.
fn drawn(page: &str) -> Vec<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let names = rows.filter_map(|row| row.split_once(" | ")).flat_map(|(names, _)| names.split(','));
    names.map(|name| name.trim().trim_matches('`').to_owned()).collect()
}

#[test]
fn the_layers_are_those_that_the_crate_draws_and_each_sees_those_above_it_alone() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let drawn = drawn(&fs::read_to_string(source).expect("the root"));
    assert_eq!(drawn, SEES.iter().map(|(module, _)| *module).collect::<Vec<_>>());
    for (at, (module, sees)) in SEES.iter().enumerate() {
        let below: Vec<_> =
            sees.iter().filter(|other| !SEES[..at].iter().any(|(above, _)| above == *other)).collect();
        assert!(below.is_empty(), "{module} sees {below:?}, which stand below it");
        let knows_training = sees.iter().any(|other| ["captures", "train"].contains(other));
        assert!(!knows_training || *module == "train", "{module} knows training");
    }
    let trains = SEES.last().expect("a layer");
    assert!(trains.0 == "train" && !trains.1.contains(&"policy"), "training stands beside policy");
}

#[test]
fn training_stands_in_one_folder() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let elsewhere = |path: &PathBuf| {
        let within = path.strip_prefix(&source).expect("below it");
        within.iter().skip(1).any(|part| part == "train" || part == "train.rs")
    };
    assert_eq!(files(&source).into_iter().filter(elsewhere).collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[test]
fn a_model_and_what_it_is_made_of_touch_no_file() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let layers = ["model", "network", "inputs", "policy"].map(|layer| source.join(layer));
    let all: Vec<PathBuf> = layers.iter().flat_map(|layer| files(layer)).collect();
    assert!(all.len() > 25, "{} files", all.len());
    for path in all {
        let ships = ships(&path);
        let touches = ["std::fs", "File::", "fs::"].into_iter().find(|word| ships.contains(word));
        assert_eq!(touches, None, "{}", path.display());
    }
}

#[test]
fn a_sight_of_another_layer_is_found() {
    let seen = |text: &str, depth| sights(&code_of(text), depth).into_iter().collect::<Vec<_>>();
    assert_eq!(seen("use crate::train::head::fit;\nlet x = crate::model::law();", 2), ["model", "train"]);
    assert_eq!(seen("    let x = super::super::captures::sort;", 2), ["captures"]);
    assert_eq!(seen("use super::captures;", 2), [""; 0], "its own neighbour");
    assert_eq!(
        seen("// crate::train\nlet train = 1;\n#[cfg(test)]\nmod tests {\nuse crate::train::x;", 1),
        [""; 0]
    );
}
