//! A test that does not run on some machines says so through `tests::skip`, which CI checks, and in no other way.

use super::source::rust_files;

#[test]
fn tests_are_skipped_in_one_way() {
    let word = ["skip", "ped: "].concat();
    for file in rust_files() {
        // A bench without a peer to compare with says so itself.
        let is_test = !file.ships() || file.production != file.code;
        if is_test && !file.path.starts_with("bench/") && file.path != "tests/src/skip.rs" {
            let says = file.text.lines().any(|line| line.contains(&word) && line.contains("print"));
            assert!(!says, "{} skips a test by itself", file.path);
        }
    }
}
