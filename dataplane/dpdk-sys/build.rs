//! Compiles `csrc/shim.c` against the system's libdpdk and links the few shared libraries that it calls.
//!
//! `pkg-config` is run here, not through the crate of that name, which drops `-include rte_config.h` and `-march=corei7`;
//! without either the inline functions of the headers are compiled for another machine than the library was.

use std::process::Command;

/// Oldest release: 22.11 is Debian 12's, 24.11 is Debian 13's.
const OLDEST: (u32, u32) = (22, 11);

/// Since this release the log is a library of its own.
const LOG_APART: (u32, u32) = (23, 11);

/// What the shim calls directly. Drivers are loaded by EAL from the directory libdpdk was built with.
const LIBRARIES: [&str; 4] = ["rte_ethdev", "rte_mbuf", "rte_mempool", "rte_eal"];

fn main() {
    println!("cargo::rerun-if-changed=csrc/shim.c");
    println!("cargo::rerun-if-changed=build.rs");
    for variable in ["PKG_CONFIG", "PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    // The message fails the build; a failing exit status would bury it under everything printed above.
    if let Err(why) = build() {
        println!(
            "cargo::error={why}: apt-get install libdpdk-dev pkg-config, or build with --no-default-features"
        );
    }
}

fn build() -> Result<(), String> {
    let version = pkg_config(&["--modversion"])?.join("");
    let Some(release) = release(&version).filter(|&found| found >= OLDEST) else {
        return Err(format!("libdpdk {version} found, {}.{} or newer wanted", OLDEST.0, OLDEST.1));
    };
    println!("cargo::metadata=version={version}");

    let mut shim = cc::Build::new();
    // The shim is the data path's only C code, so it is optimised whatever the Rust profile says.
    shim.file("csrc/shim.c").opt_level(3).std("gnu11").warnings(true).extra_warnings(true);
    for flag in pkg_config(&["--cflags"])? {
        shim.flag(flag);
    }
    shim.try_compile("portcullis_dpdk")
        .map_err(|e| format!("the C compiler cannot build csrc/shim.c ({e})"))?;

    for flag in pkg_config(&["--libs-only-L"])? {
        println!("cargo::rustc-link-search=native={}", flag.trim_start_matches("-L"));
    }
    for library in LIBRARIES.iter().chain((release >= LOG_APART).then_some(&"rte_log")) {
        println!("cargo::rustc-link-lib=dylib={library}");
    }
    Ok(())
}

/// `22.11.11` as `(22, 11)`.
fn release(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn pkg_config(arguments: &[&str]) -> Result<Vec<String>, String> {
    let program = std::env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".to_owned());
    let output = Command::new(&program)
        .args(arguments)
        .arg("libdpdk")
        .output()
        .map_err(|e| format!("cannot run {program} ({e})"))?;
    if !output.status.success() {
        return Err("libdpdk not found by pkg-config".to_owned());
    }
    let text = String::from_utf8(output.stdout).map_err(|e| format!("{program} wrote no UTF-8 ({e})"))?;
    Ok(text.split_whitespace().map(str::to_owned).collect())
}
