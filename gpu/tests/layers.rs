//! What runs in the line knows no training: outside the folders called `train`, and `captures`, no file names either of them.

use std::fs;
use std::path::{Path, PathBuf};

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

/// Whether a file trains, only passes names on, or is there for tests.
fn may_name_training(path: &Path) -> bool {
    let trains =
        path.components().any(|part| ["train", "captures"].map(AsRef::as_ref).contains(&part.as_os_str()));
    trains || ["mod.rs", "lib.rs", "synthetic.rs", "tests.rs"].iter().any(|name| path.ends_with(name))
}

/// The lines of a file that ship, without comments, that name a module of trainings.
fn sights(text: &str) -> Vec<&str> {
    let ships = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let names = |line: &&str| {
        let code = line.split("//").next().unwrap_or_default();
        let words: Vec<&str> = code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).collect();
        words.iter().flat_map(|path| path.split("::")).any(|part| ["train", "captures"].contains(&part))
            && code.contains("::")
    };
    ships.lines().filter(names).collect()
}

#[test]
fn what_runs_in_the_line_knows_no_training() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut judged, mut found) = (0, Vec::new());
    for path in files(&source).into_iter().filter(|path| !may_name_training(path)) {
        let text = fs::read_to_string(&path).expect("a source file");
        judged += 1;
        found.extend(sights(&text).into_iter().map(|line| format!("{}: {line}", path.display())));
    }
    assert!(judged > 40, "{judged} files");
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_model_and_what_it_is_made_of_touch_no_file() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let layers = ["model", "network", "inputs", "policy"].map(|layer| source.join(layer));
    let all: Vec<PathBuf> = layers.iter().flat_map(|layer| files(layer)).collect();
    assert!(all.len() > 25, "{} files", all.len());
    for path in all {
        let text = fs::read_to_string(&path).expect("a source file");
        let ships = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let touches = ["std::fs", "File::", "fs::"].into_iter().find(|word| ships.contains(word));
        assert_eq!(touches, None, "{}", path.display());
    }
}

#[test]
fn a_sight_of_training_is_found() {
    assert_eq!(sights("use crate::train::fit;\nuse crate::model::TrainConfig;"), ["use crate::train::fit;"]);
    assert_eq!(sights("    let x = super::captures::sort;"), ["    let x = super::captures::sort;"]);
    assert_eq!(
        sights(
            "// crate::train is not seen\nlet train = 1;\n#[cfg(test)]\nmod tests {\nuse crate::train::x;"
        ),
        Vec::<&str>::new()
    );
}
