//! Prints the page of reject codes: `cargo run -p gate --example codes > dataplane/gate/CODES.md`.

fn main() {
    print!("{}", gate::codes::markdown());
}
