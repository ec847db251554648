//! Which crate sees which, what reaches whom through other people's crates, and what stands at the top level.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use tests::repository;

pub(crate) fn metadata() -> Metadata {
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
    let mut command = MetadataCommand::new();
    command.manifest_path(repository().join("Cargo.toml"));
    command.other_options(fixed.iter().chain(options).map(ToString::to_string).collect::<Vec<_>>());
    // The compiler that cargo asks reads this process's input, whatever that is.
    let output = command.cargo_command().stdin(Stdio::null()).output().expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    MetadataCommand::parse(String::from_utf8(output.stdout).expect("UTF-8 output"))
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

/// What each crate sees of ours, and beyond that in its tests, benches and examples alone. A new edge is a decision: write it
/// into ARCHITECTURE.md, then here.
const EDGES: &[(&str, &[&str], &[&str])] = &[
    ("types", &[], &[]),
    ("wire", &["types"], &["tests"]),
    ("stage", &["types"], &["tests"]),
    ("gate", &["types"], &[]),
    ("dpdk-sys", &[], &[]),
    ("dpdk", &["dpdk-sys", "types"], &["tests"]),
    ("simulator", &["types", "wire"], &[]),
    ("dataplane", &["dpdk", "stage", "types", "wire"], &["tests"]),
    ("featurizer", &["stage", "types"], &[]),
    ("gpu-fit", &["types"], &[]),
    ("gpu-cuda", &["gpu-fit", "types"], &["tests"]),
    ("gpu", &["gate", "gpu-cuda", "gpu-fit", "stage", "types"], &[]),
    ("control", &["gate", "types"], &["tests"]),
    ("rest", &["control"], &["gate", "types"]),
    ("attach", &["control", "gate", "types"], &[]),
    ("gate-ffi", &["attach", "control", "gate", "types"], &["tests"]),
    ("egress", &["attach", "control", "gate", "types", "wire"], &["tests"]),
    (
        "appliance",
        &[
            "attach",
            "control",
            "dataplane",
            "dpdk",
            "egress",
            "featurizer",
            "gate",
            "gpu",
            "simulator",
            "stage",
            "types",
            "wire",
        ],
        &["tests"],
    ),
    (
        "bench",
        &["dataplane", "dpdk", "featurizer", "gate", "simulator", "stage", "types", "wire"],
        &["attach", "control", "egress", "gate-ffi", "gpu", "gpu-cuda"],
    ),
    (
        "bench-instructions",
        &["bench", "featurizer", "gate", "types", "wire"],
        &["attach", "control", "gate-ffi"],
    ),
    (
        "tests",
        &[],
        &[
            "control",
            "dataplane",
            "egress",
            "featurizer",
            "gate",
            "gpu",
            "simulator",
            "stage",
            "types",
            "wire",
        ],
    ),
];

#[test]
fn the_architecture_draws_the_edges_as_they_are() {
    let page = std::fs::read_to_string(repository().join("ARCHITECTURE.md")).expect("the page");
    let (_, after) = page.split_once("What each sees of ours").expect("the list's heading");
    let list = after.split("```").nth(1).expect("the list").trim_start_matches("text");
    let drawn: BTreeMap<&str, BTreeSet<&str>> = list
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .map(|(name, sees)| (name, sees.split(',').map(str::trim).filter(|name| *name != "none").collect()))
        .collect();
    let listed = EDGES.iter().map(|(name, sees, _)| (*name, sees.iter().copied().collect())).collect();
    assert_eq!(drawn, listed);
}

#[test]
fn crates_see_exactly_what_the_architecture_says() {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    let ours: BTreeSet<&str> = packages.iter().map(|p| p.name.as_str()).collect();
    let listed: BTreeSet<&str> = EDGES.iter().map(|(name, ..)| *name).collect();
    assert_eq!(ours, listed, "the crates of the workspace");
    for package in &packages {
        let of_kind = |kind: &dyn Fn(DependencyKind) -> bool| -> BTreeSet<&str> {
            let kept = package.dependencies.iter().filter(|d| kind(d.kind));
            kept.map(|d| d.name.as_str()).filter(|name| ours.contains(name)).collect()
        };
        let ships = of_kind(&|kind| kind != DependencyKind::Development);
        let tests = &of_kind(&|kind| kind == DependencyKind::Development) - &ships;
        let (name, expected, expected_of_tests) =
            EDGES.iter().find(|(name, ..)| *name == package.name.as_str()).expect("compared above");
        assert_eq!(ships, expected.iter().copied().collect(), "what {name} sees");
        assert_eq!(tests, expected_of_tests.iter().copied().collect(), "what the tests of {name} see");
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
fn only_the_desks_page_reaches_an_async_runtime() {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    for name in packages.iter().map(|package| package.name.as_str()).filter(|name| *name != "rest") {
        let seen = reachable(&metadata, name);
        for runtime in ["tokio", "async-std", "smol", "futures-executor"] {
            assert!(!seen.contains(runtime), "{name} reaches {runtime}");
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
