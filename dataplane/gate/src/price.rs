//! Prices as rows hold them: a word that is 0 for none, and grows with the price.
//!
//! The word of a price is the price itself. An instrument that may trade at zero or below (a spread, oil in April 2020) has words
//! of its own, moved up by [`SHIFT`]: whatever compares prices, or takes one from another, then needs to know nothing of it, and
//! a word says by itself which of the two it is.

use types::Px;

/// Largest price the gate computes with: 5.7e8 units of currency, a thousand times the dearest share. It leaves every
/// sum and product below its width.
pub const PX_MAX: Px = Px(1 << 59);

/// Largest price, above zero or below, of an instrument that may trade at zero or below: 2.8e8 units of currency.
pub const SIGNED_PX_MAX: Px = Px(1 << 58);

/// By how much the words of such an instrument are moved up.
const SHIFT: u64 = 1 << 60;

// No word is both.
const _: () = assert!(SHIFT - SIGNED_PX_MAX.0 as u64 > PX_MAX.0 as u64);

/// A price as the row holds it: 0 when it is none. `signed`: of an instrument that may trade at zero or below.
#[expect(clippy::cast_sign_loss, reason = "positive")]
pub(crate) const fn price_word(px: Px, signed: bool) -> u64 {
    if signed {
        let none = px.0 < -SIGNED_PX_MAX.0 || px.0 > SIGNED_PX_MAX.0;
        return if none { 0 } else { SHIFT.wrapping_add_signed(px.0) };
    }
    if px.0 > 0 && px.0 <= PX_MAX.0 { px.0 as u64 } else { 0 }
}

/// The inverse of [`price_word`].
#[expect(clippy::cast_possible_wrap, reason = "at most PX_MAX")]
pub(crate) const fn word_price(word: u64) -> Px {
    match word {
        0 => Px::NONE,
        word if is_shifted(word) => Px(word.wrapping_sub(SHIFT) as i64),
        word => Px(word as i64),
    }
}

/// Whether a word is one of an instrument that may trade at zero or below.
pub(crate) const fn is_shifted(word: u64) -> bool {
    word > PX_MAX.0 as u64
}

/// How far a price is from zero; 0 of none.
pub(crate) const fn size(word: u64) -> u64 {
    if is_shifted(word) { word.abs_diff(SHIFT) } else { word }
}

/// The same of two prices' sum, such as a doubled price.
pub(crate) const fn size_of_two(sum: u64) -> u64 {
    if sum > 2 * PX_MAX.0 as u64 { sum.abs_diff(2 * SHIFT) } else { sum }
}

/// The sum of two prices, such as a doubled price, of the sum of their words.
#[expect(clippy::cast_possible_wrap, reason = "at most twice PX_MAX, or twice SIGNED_PX_MAX about SHIFT")]
pub(crate) const fn sum_of_two(sum: u64) -> i64 {
    if sum > 2 * PX_MAX.0 as u64 { sum.wrapping_sub(2 * SHIFT) as i64 } else { sum as i64 }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_its_word_read_back_and_words_stand_in_the_order_of_prices() {
        let most = SIGNED_PX_MAX.0;
        let prices = [-most, -37_630_000_000, -1, 0, 1, 20_000_000_000, most];
        let words = prices.map(|px| price_word(Px(px), true));
        assert!(words.is_sorted() && words.iter().all(|word| is_shifted(*word)));
        assert_eq!(words.map(|word| word_price(word).0), prices);
        assert_eq!(words.map(size), prices.map(i64::unsigned_abs));
        assert_eq!(words.map(|word| size_of_two(2 * word)), prices.map(|px| 2 * px.unsigned_abs()));
        let largest = 2 * PX_MAX.0.unsigned_abs();
        assert_eq!(
            [1, largest - 1, largest].map(size_of_two),
            [1, largest - 1, largest],
            "of positive prices"
        );
        assert_eq!(words.map(|word| sum_of_two(2 * word)), prices.map(|px| 2 * px));
        for none in [Px::NONE, Px(most + 1), Px(-most - 1), Px(i64::MAX)] {
            assert_eq!(price_word(none, true), 0);
        }
        for px in [1, 100_000_000_000, PX_MAX.0] {
            let word = price_word(Px(px), false);
            assert_eq!((word_price(word), size(word), size_of_two(2 * word)), (Px(px), word, 2 * word));
            assert_eq!(sum_of_two(2 * word), 2 * px);
        }
        for none in [Px::NONE, Px(0), Px(-1), Px(PX_MAX.0 + 1)] {
            assert_eq!(price_word(none, false), 0);
        }
        assert_eq!((word_price(0), size(0), size_of_two(0)), (Px::NONE, 0, 0));
    }
}
