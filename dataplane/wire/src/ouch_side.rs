//! The letter of an order's side, the same in OUCH 4.2 and 5.0.

use types::Side;

/// What an order of side `code` does: B buys; S sells, T sells short, E sells short and is exempt from the price test. None for any other
/// letter.
#[must_use]
pub const fn side(code: u8) -> Option<Side> {
    match code {
        b'B' => Some(Side::Bid),
        b'S' | b'T' | b'E' => Some(Side::Ask),
        _ => None,
    }
}
