//! Prices as rows hold them.

use types::Px;

/// Largest price the gate computes with: 5.7e8 units of currency, a thousand times the dearest share. It leaves every
/// sum and product below its width.
pub const PX_MAX: Px = Px(1 << 59);

/// A price as the row holds it: 0 when it is none.
#[expect(clippy::cast_sign_loss, reason = "positive")]
pub(crate) const fn price_word(px: Px) -> u64 {
    if px.0 > 0 && px.0 <= PX_MAX.0 { px.0 as u64 } else { 0 }
}

/// The inverse of [`price_word`].
#[expect(clippy::cast_possible_wrap, reason = "at most PX_MAX")]
pub(crate) const fn word_price(word: u64) -> Px {
    if word == 0 { Px::NONE } else { Px(word as i64) }
}
