//! The library with emulated cards, compiled once per test process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Path of the emulated library: the kernels themselves as C++, every thread of the card a fibre.
pub(crate) fn emulated_library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join(super::SOURCES);
        let library =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("emulated-{}.so", std::process::id()));
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "g++".to_owned());
        let output = Command::new(&compiler)
            .args(["-std=c++17", "-O2", "-march=native", "-ffp-contract=off", "-fno-strict-aliasing"])
            .args(["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-clobbered"])
            .args(["-fPIC", "-shared", "-pthread", "-fvisibility=hidden", "-o"])
            .arg(&library)
            .args([sources.join("fibres.cpp"), sources.join("library.cpp")])
            .output()
            .unwrap_or_else(|e| panic!("{compiler}: {e}"));
        assert!(output.status.success(), "{compiler}: {}", String::from_utf8_lossy(&output.stderr));
        library
    })
}
