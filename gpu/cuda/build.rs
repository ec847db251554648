//! Compiles the kernels with the feature `cuda`; without it, does nothing.
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

/// Hopper, with its own instructions and without; and portable code for what comes after.
const TARGETS: [&str; 3] =
    ["arch=compute_90a,code=sm_90a", "arch=compute_90,code=sm_90", "arch=compute_90,code=compute_90"];

fn main() {
    println!("cargo:rerun-if-changed=kernels");
    println!("cargo:rerun-if-env-changed=NVCC_REAL");
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    let nvcc = env::var_os("NVCC_REAL").unwrap_or_else(|| "nvcc".into());
    let image = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("scorer.fatbin");
    // Without contraction: which products are fused is the source's to say, so that bits are the CPU's.
    let mut command = Command::new(&nvcc);
    command.args(["-O3", "-std=c++17", "-fmad=false", "-Xptxas", "-warn-spills", "-lineinfo", "-fatbin"]);
    for target in TARGETS {
        command.args(["-gencode", target]);
    }
    let status = command.arg("kernels/scorer.cu").arg("-o").arg(&image).status();
    let status =
        status.unwrap_or_else(|e| panic!("{}: {e}; scripts/build-cuda.sh fetches it", nvcc.display()));
    assert!(status.success(), "nvcc: {status}");
    assert!(fs::metadata(&image).is_ok_and(|m| m.len() > 0), "nvcc wrote nothing");
}
