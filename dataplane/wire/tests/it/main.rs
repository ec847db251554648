//! The wire crate's tests: golden vectors, properties, mutated corpus, published captures.

mod capture;
mod corpus;
mod exercise;
mod frames;
mod golden_iex;
mod golden_itch;
mod golden_mdp3;
mod golden_ouch;
mod golden_pitch;
mod properties;
mod real_data;

/// Bytes from hexadecimal digits; spaces separate the fields for the reader.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    assert!(rest.is_empty(), "odd number of digits in {text:?}");
    let digit =
        |b: u8| char::from(b).to_digit(16).unwrap_or_else(|| panic!("no hexadecimal digit: {b}")) as u8;
    pairs.iter().map(|[hi, lo]| digit(*hi) << 4 | digit(*lo)).collect()
}

/// A symbol as the feeds pad it.
fn sym(name: &str) -> [u8; 8] {
    types::Symbol::new(name).unwrap().0
}
