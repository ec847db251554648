//! Where `unsafe` may stand.

use super::crates::metadata;
use super::source::{rust_files, words};

/// Crates that may hold `unsafe` in the files named here, and in how many places it is let in: the scorer's vector
/// instructions; the memory that order processes share; pointers from C; the opening of the CUDA scorer's library, and that library itself.
const EXCEPTIONS: &[(&str, &str, usize, &[&str])] = &[
    ("gpu", "gpu/src", 1, &["score/fused/lanes.rs"]),
    ("attach", "dataplane/attach/src", 1, &["mapping.rs"]),
    ("gate-ffi", "dataplane/gate-ffi/src", 1, &["abi.rs", "abi/pointers.rs"]),
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
            "device/text.rs",
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

#[test]
fn the_named_files_hold_unsafe_and_no_others() {
    let all = rust_files();
    for (_, folder, places, files) in EXCEPTIONS {
        let mut attributes = 0;
        for file in &all {
            let Some(within) = file.path.strip_prefix(&format!("{folder}/")) else { continue };
            let holds = |words: &str| file.code.matches(words).count();
            attributes += holds("allow(unsafe_code") + holds("expect(unsafe_code");
            let is_unsafe = words(&file.code).any(|(_, word)| word == "unsafe");
            assert_eq!(is_unsafe, files.contains(&within), "unsafe in {}", file.path);
        }
        assert_eq!(attributes, *places, "attributes that let unsafe code in, {folder}");
    }
}
