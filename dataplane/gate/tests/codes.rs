//! The committed page of reject codes is the one the enum generates.

#[test]
fn the_committed_page_of_codes_is_the_generated_one() {
    let committed = include_str!("../CODES.md");
    assert!(
        committed == gate::codes::markdown(),
        "CODES.md is stale: cargo run -p gate --example codes > dataplane/gate/CODES.md"
    );
}
