//! Names the shared library by its ABI version, so that a program which was linked with one is never run with another.

/// Where the version stands.
const LAYOUT: &str = "src/layout.rs";

fn main() {
    println!("cargo:rerun-if-changed={LAYOUT}");
    let text = std::fs::read_to_string(LAYOUT).expect("the layout");
    let (_, rest) =
        text.split_once("pub const PORTCULLIS_GATE_ABI_VERSION: u32 = ").expect("the ABI version");
    let version: u32 = rest.split(';').next().and_then(|number| number.parse().ok()).expect("a number");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libportcullis_gate.so.{version}");
}
