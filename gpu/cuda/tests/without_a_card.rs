//! What a machine without a card hears: one line, and no more.

use std::path::{Path, PathBuf};

use gpu_cuda::abi::Mode;
use gpu_cuda::layout::{CardProfile, WEIGHT_COUNT};
use gpu_cuda::{LoadError, LoadedCard};

fn refusal(library: &Path) -> LoadError {
    let weights = vec![0.0; WEIGHT_COUNT];
    LoadedCard::open(library, Mode::Auto, &weights, &[CardProfile::default()], 64)
        .expect_err("this test is for machines without a card")
}

/// The library that cargo built beside this test, with the feature or without.
fn built() -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    test.with_file_name("libgpu_cuda.so")
}

#[test]
fn the_library_of_this_build_says_why_not() {
    let line = refusal(&built()).to_string();
    assert!(!line.contains('\n'), "{line}");
    // With the feature this runs against stubs of the driver: it is there, a device is not.
    let wanted = if cfg!(feature = "cuda") { "no CUDA device" } else { "portcullis_cuda_library" };
    assert!(line.contains(wanted), "{line}");
}

/// CUDA_LIBRARY names a library built by scripts/build-cuda.sh, whose driver is on this machine or not.
#[test]
fn a_library_without_its_driver_is_a_line_too() {
    let Some(library) = std::env::var_os("CUDA_LIBRARY") else {
        tests::skip(tests::Need::CudaLibrary, "CUDA_LIBRARY names no library");
        return;
    };
    let line = refusal(Path::new(&library)).to_string();
    println!("{line}");
    assert!(
        !line.contains('\n') && (line.contains("no CUDA device") || line.contains("libcuda.so.1")),
        "{line}"
    );
}
