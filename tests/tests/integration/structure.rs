//! The shape of the workspace is a tested fact: which crate may see which, and where `unsafe` may stand.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use tests::repository;

fn metadata() -> Metadata {
    metadata_with(&["--all-features"])
}

/// The workspace as it is on this platform: what other platforms depend on is never downloaded by a build here. What an
/// optional feature depends on is not either, so that cargo may download it now.
fn metadata_with(options: &[&str]) -> Metadata {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("-vV").output().expect("rustc runs").stdout;
    let version = String::from_utf8(version).expect("UTF-8 output");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    let fixed = ["--locked", "--filter-platform", host];
    MetadataCommand::new()
        .manifest_path(repository().join("Cargo.toml"))
        .other_options(fixed.iter().chain(options).map(ToString::to_string).collect::<Vec<_>>())
        .exec()
        .expect("cargo metadata of this workspace")
}

/// Normal dependencies of each workspace member, by name.
fn edges(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    metadata
        .workspace_packages()
        .iter()
        .map(|package| {
            let normal = package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal);
            (package.name.to_string(), normal.map(|d| d.name.clone()).collect())
        })
        .collect()
}

/// Names of all packages reachable from `from` over normal dependencies.
fn reachable(metadata: &Metadata, from: &str) -> BTreeSet<String> {
    let resolve = metadata.resolve.as_ref().expect("a resolved graph");
    let name_of = |id| metadata[id].name.to_string();
    let mut todo: Vec<_> = metadata
        .workspace_packages()
        .iter()
        .filter(|p| p.name.as_str() == from)
        .map(|p| p.id.clone())
        .collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = todo.pop() {
        let node = resolve.nodes.iter().find(|n| n.id == id).expect("every id has a node");
        for dep in &node.deps {
            let normal = dep.dep_kinds.iter().any(|k| k.kind == DependencyKind::Normal);
            if normal && seen.insert(name_of(&dep.pkg)) {
                todo.push(dep.pkg.clone());
            }
        }
    }
    seen
}

/// What each crate may see of ours. A new edge is a decision: write it into ARCHITECTURE.md, then here.
const ALLOWED: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("wire", &["types"]),
    ("stage", &["types"]),
    ("gate", &["types"]),
    ("dpdk-sys", &[]),
    ("dpdk", &["dpdk-sys", "types"]),
    ("simulator", &["types", "wire"]),
    ("dataplane", &["types", "wire", "stage", "dpdk"]),
    ("featurizer", &["types", "stage"]),
    ("gpu-fit", &["types"]),
    ("gpu-cuda", &["types", "gpu-fit"]),
    ("gpu", &["types", "gate", "stage", "gpu-cuda", "gpu-fit"]),
    ("control", &["types", "gate"]),
];

#[test]
fn crates_see_only_what_the_architecture_allows() {
    let metadata = metadata();
    let edges = edges(&metadata);
    let ours: BTreeSet<&String> = edges.keys().collect();
    for (name, allowed) in ALLOWED {
        let seen = edges.get(*name).unwrap_or_else(|| panic!("no package {name}"));
        for dependency in seen.iter().filter(|d| ours.contains(d)) {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn the_gate_and_the_wire_stay_without_other_peoples_code() {
    let edges = edges(&metadata());
    let named = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    // loom is a dependency under cfg(loom) alone.
    assert_eq!(&edges["gate"] - &named(&["loom"]), named(&["types"]));
    assert_eq!(edges["wire"], named(&["types", "zerocopy"]));
    assert_eq!(edges["types"], named(&[]));
}

#[test]
fn the_control_plane_links_neither_feeds_nor_models() {
    let seen = reachable(&metadata(), "control");
    for banned in ["dataplane", "dpdk", "dpdk-sys", "gpu", "gpu-cuda", "gpu-fit", "candle-core"] {
        assert!(!seen.contains(banned), "control reaches {banned}");
    }
}

#[test]
fn no_stage_reaches_an_async_runtime() {
    let metadata = metadata();
    for stage_crate in ["stage", "dataplane", "featurizer", "gpu", "gate", "wire", "dpdk"] {
        let seen = reachable(&metadata, stage_crate);
        for runtime in ["tokio", "async-std", "smol", "futures-executor"] {
            assert!(!seen.contains(runtime), "{stage_crate} reaches {runtime}");
        }
    }
}

#[test]
fn no_build_links_cuda_unless_asked_to() {
    let metadata = metadata_with(&[]);
    for package in metadata.workspace_packages() {
        let seen = reachable(&metadata, package.name.as_str());
        for cuda in ["cudarc", "candle-kernels"] {
            assert!(!seen.contains(cuda), "{} reaches {cuda}", package.name);
        }
    }
}

/// Crates that may hold `unsafe` in the files named here, and in how many places it is let in: the scorer's vector
/// instructions; the opening of the CUDA scorer's library, and that library itself.
const EXCEPTIONS: &[(&str, &str, usize, &[&str])] = &[
    ("gpu", "gpu/src", 1, &["fused/lanes.rs"]),
    (
        "gpu-cuda",
        "gpu/cuda/src",
        3,
        &[
            // Types of C functions alone.
            "abi.rs",
            "loader.rs",
            "trainer.rs",
            "device/mod.rs",
            "device/memory.rs",
            "device/driver.rs",
            "device/timing.rs",
            "device/candle_path.rs",
            "device/train.rs",
            "device/fused_op.rs",
        ],
    ),
];

#[test]
fn unsafe_is_forbidden_outside_the_named_crates() {
    for package in metadata().workspace_packages() {
        if ["dpdk-sys", "dpdk"].contains(&package.name.as_str()) {
            continue;
        }
        // `forbid` cannot be lifted for one module, so the crate with an exception denies.
        let excepted = EXCEPTIONS.iter().any(|(name, ..)| *name == package.name.as_str());
        let lint = if excepted { "deny" } else { "forbid" };
        for target in package.targets.iter().filter(|t| t.is_lib() || t.is_bin()) {
            let source = std::fs::read_to_string(&target.src_path).expect("the target's root file");
            assert!(
                source.contains(&format!("#![{lint}(unsafe_code)]")),
                "{} does not {lint} unsafe code",
                target.src_path
            );
        }
    }
}

/// Every Rust file under `folder`.
fn rust_files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let mut found: Vec<_> =
        files.into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs")).collect();
    found.extend(folders.iter().flat_map(|folder| rust_files(folder)));
    found
}

#[test]
fn the_named_files_hold_unsafe_and_no_others() {
    for (_, folder, places, files) in EXCEPTIONS {
        let (folder, mut attributes) = (repository().join(folder), 0);
        for path in rust_files(&folder) {
            let source = std::fs::read_to_string(&path).expect("a source file");
            let code: Vec<&str> =
                source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            let holds = |word: &str| code.iter().filter(|line| line.contains(word)).count();
            attributes += holds("allow(unsafe_code") + holds("expect(unsafe_code");
            let words = code.iter().flat_map(|line| line.split(|c: char| !(c.is_alphanumeric() || c == '_')));
            let is_unsafe = words.into_iter().any(|word| word == "unsafe");
            let named = files.iter().any(|file| path == folder.join(file));
            assert_eq!(is_unsafe, named, "unsafe in {}", path.display());
        }
        assert_eq!(attributes, *places, "attributes that let unsafe code in, {}", folder.display());
    }
}

#[test]
fn the_top_level_holds_what_the_owner_fixed() {
    let fixed = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "LICENSE",
        "deny.toml",
        "rustfmt.toml",
        "dataplane",
        "featurizer",
        "gpu",
        "control",
        "nic-config",
        "bench",
        "tests",
        "scripts",
        "target",
        "out",
    ];
    for entry in std::fs::read_dir(repository()).expect("the repository") {
        let name = entry.expect("an entry").file_name().into_string().expect("a UTF-8 name");
        assert!(name.starts_with('.') || fixed.contains(&name.as_str()), "unexpected at top level: {name}");
    }
}
