//! The errors that are put into clean orders. Each makes an order larger or more aggressive: what
//! makes one smaller or rests farther away is no error that a size limit could stop.

use gpu_fit::random::Random;
use types::{Px, Qty, Side};

/// A kind of typing error, kept apart in every report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TypingError {
    /// The quantity ten times as large.
    Times10,
    /// The quantity a hundred times as large.
    Times100,
    /// The quantity a thousand times as large.
    Times1000,
    /// A digit too many somewhere in the quantity.
    ExtraDigit,
    /// Two neighbouring digits of the quantity swapped, the larger one to the front.
    TransposedDigits,
    /// The decimal point of the price one place off.
    PriceShift,
    /// The price 5 % off.
    PriceOff,
    /// The notional in the field of the quantity.
    NotionalAsQuantity,
}

impl TypingError {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 8] = [
        Self::Times10,
        Self::Times100,
        Self::Times1000,
        Self::ExtraDigit,
        Self::TransposedDigits,
        Self::PriceShift,
        Self::PriceOff,
        Self::NotionalAsQuantity,
    ];

    /// Name in reports and in the manifest.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Times10 => "size x10",
            Self::Times100 => "size x100",
            Self::Times1000 => "size x1000",
            Self::ExtraDigit => "extra digit",
            Self::TransposedDigits => "transposed digits",
            Self::PriceShift => "price decimal shift",
            Self::PriceOff => "price 5 % off",
            Self::NotionalAsQuantity => "notional as quantity",
        }
    }

    /// Quantity and price of the order with this error, `reference` being what a market order is worth; none when the order
    /// has no room for it (a market order has no price, equal digits swap to the same number) or the result no field.
    pub(super) fn inject(
        self,
        (side, qty, px): (Side, Qty, Px),
        reference: Px,
        random: &mut Random,
    ) -> Option<(Qty, Px)> {
        let times = |factor| qty.0.checked_mul(factor).map(|qty| (Qty(qty), px));
        match self {
            Self::Times10 => times(10),
            Self::Times100 => times(100),
            Self::Times1000 => times(1_000),
            Self::ExtraDigit => Some((Qty(extra_digit(qty.0, random)?), px)),
            Self::TransposedDigits => Some((Qty(transposed(qty.0, random)?), px)),
            Self::PriceShift => Some((qty, moved(side, px, (10, 1))?)),
            Self::PriceOff => Some((qty, moved(side, px, (105, 100))?)),
            Self::NotionalAsQuantity => {
                let px = if px.is_some() { px } else { reference };
                let notional = i128::from(qty.0) * i128::from(px.0) / i128::from(Px::SCALE);
                let typed = u32::try_from(notional).ok().filter(|typed| *typed > qty.0)?;
                Some((Qty(typed), px))
            }
        }
    }
}

/// A number below `bound`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a digit or its place")]
fn below(bound: usize, random: &mut Random) -> usize {
    ((random.uniform() * bound as f64) as usize).min(bound - 1)
}

fn digits(qty: u32) -> Vec<u8> {
    qty.to_string().into_bytes()
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn extra_digit(qty: u32, random: &mut Random) -> Option<u32> {
    let mut digits = digits(qty);
    let place = below(digits.len() + 1, random);
    // No number begins with a zero.
    let first = usize::from(place == 0);
    let digit = first + below(10 - first, random);
    digits.insert(place, b'0' + u8::try_from(digit).ok()?);
    number(&digits).filter(|typed| *typed > qty)
}

fn transposed(qty: u32, random: &mut Random) -> Option<u32> {
    let mut digits = digits(qty);
    let rising: Vec<usize> = (1..digits.len()).filter(|&i| digits[i - 1] < digits[i]).collect();
    if rising.is_empty() {
        return None;
    }
    let place = rising[below(rising.len(), random)];
    digits.swap(place - 1, place);
    number(&digits)
}

/// The price times (buyer) or divided by (seller) the ratio; none for a market order.
fn moved(side: Side, px: Px, (up, down): (i64, i64)) -> Option<Px> {
    let px = i128::from(px.is_some().then_some(px.0)?);
    let (up, down) = match side {
        Side::Bid => (i128::from(up), i128::from(down)),
        Side::Ask => (i128::from(down), i128::from(up)),
    };
    i64::try_from(px * up / down).ok().map(Px).filter(|px| px.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gpu_fit::random::Purpose;
    use proptest::prelude::*;

    const PX: Px = Px(50 * Px::SCALE);

    fn inject(kind: TypingError, side: Side, qty: u32, px: Px) -> Option<(u32, Px)> {
        let mut random = Random::new(1, Purpose::Inject);
        kind.inject((side, Qty(qty), px), PX, &mut random).map(|(qty, px)| (qty.0, px))
    }

    #[test]
    fn each_error_is_the_hand_worked_one() {
        let buy = |kind, qty| inject(kind, Side::Bid, qty, PX);
        assert_eq!(buy(TypingError::Times10, 35), Some((350, PX)));
        assert_eq!(buy(TypingError::Times100, 35), Some((3_500, PX)));
        assert_eq!(buy(TypingError::Times1000, 35), Some((35_000, PX)));
        assert_eq!(buy(TypingError::TransposedDigits, 35), Some((53, PX)));
        assert_eq!(buy(TypingError::TransposedDigits, 110), None, "neither swap makes it larger");
        assert_eq!(buy(TypingError::TransposedDigits, 109), Some((190, PX)));
        assert_eq!(buy(TypingError::PriceShift, 35), Some((35, Px(500 * Px::SCALE))));
        assert_eq!(buy(TypingError::PriceOff, 35), Some((35, Px(52_500_000_000))));
        assert_eq!(buy(TypingError::NotionalAsQuantity, 35), Some((1_750, PX)));
        let sell = |kind| inject(kind, Side::Ask, 35, PX);
        assert_eq!(sell(TypingError::PriceShift), Some((35, Px(5 * Px::SCALE))));
        assert_eq!(sell(TypingError::PriceOff), Some((35, Px(47_619_047_619))));
    }

    #[test]
    fn market_orders_have_no_price_to_get_wrong_and_what_no_field_holds_is_none() {
        let market = |kind| inject(kind, Side::Bid, 35, Px::NONE);
        assert_eq!((market(TypingError::PriceShift), market(TypingError::PriceOff)), (None, None));
        assert_eq!(market(TypingError::Times10), Some((350, Px::NONE)));
        assert_eq!(market(TypingError::NotionalAsQuantity), Some((1_750, PX)));
        let huge = |kind| inject(kind, Side::Bid, u32::MAX - 5, Px(i64::MAX - 9));
        assert!(
            TypingError::ALL
                .into_iter()
                .filter(|k| *k != TypingError::TransposedDigits)
                .all(|k| huge(k).is_none())
        );
        assert_eq!(inject(TypingError::NotionalAsQuantity, Side::Bid, 35, Px(5)), None);
    }

    proptest! {
        #[test]
        fn every_error_is_larger_or_more_aggressive(
            seed in any::<u64>(), qty in 1..10_000_000_u32, px in 1_000_000..1_000_000_000_000_000_i64, buys in any::<bool>(),
        ) {
            let side = if buys { Side::Bid } else { Side::Ask };
            let mut random = Random::new(seed, Purpose::Inject);
            for kind in TypingError::ALL {
                let Some((typed, at)) = kind.inject((side, Qty(qty), Px(px)), Px(px), &mut random) else { continue };
                let adverse = if buys { at.0 > px } else { at.0 < px };
                prop_assert!(typed.0 > qty && at == Px(px) || typed.0 == qty && adverse, "{:?} {:?} {:?}", kind, typed, at);
            }
        }

        #[test]
        fn an_extra_digit_leaves_the_others_in_place(seed in any::<u64>(), qty in 1..100_000_000_u32) {
            let typed = extra_digit(qty, &mut Random::new(seed, Purpose::Inject));
            let Some(typed) = typed else { return Ok(()) };
            let (typed, before) = (typed.to_string(), qty.to_string());
            prop_assert_eq!(typed.len(), before.len() + 1);
            let without = |i: usize| typed[..i].to_owned() + &typed[i + 1..];
            prop_assert!((0..typed.len()).any(|i| without(i) == before));
        }
    }
}
