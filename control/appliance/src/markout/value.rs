//! The money of it, exact: impact, which is known when the order leaves, told apart from what the market did next.

use std::fmt;
use std::iter::Sum;
use types::{BookLevel, Px, Side};

/// Moments at which an order is marked.
pub(crate) const MARKS: usize = 4;

/// Units of a hundredth of the currency.
const CENT: u128 = 10_000_000;

/// Money gained, in 1e-9 of the currency; below zero when lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Gain(pub(crate) i128);

impl Gain {
    /// As an exact decimal, for files.
    pub(crate) fn exact(self) -> String {
        let scale = u128::from(Px::SCALE.unsigned_abs());
        let (whole, frac) = (self.0.unsigned_abs() / scale, self.0.unsigned_abs() % scale);
        let digits = format!("{frac:09}");
        let kept = digits.trim_end_matches('0');
        let sign = if self.0 < 0 { "-" } else { "" };
        format!("{sign}{whole}.{kept:0<2}")
    }
}

impl fmt::Display for Gain {
    /// With its sign, to hundredths, halves away from zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = (self.0.unsigned_abs() + CENT / 2) / CENT;
        let sign = match self.0.signum() {
            _ if cents == 0 => "",
            -1 => "-",
            _ => "+",
        };
        f.pad(&format!("{sign}{}.{:02}", cents / 100, cents % 100))
    }
}

impl Sum for Gain {
    fn sum<I: Iterator<Item = Self>>(gains: I) -> Self {
        Self(gains.map(|gain| gain.0).sum())
    }
}

/// What an order of `side` for `qty` takes of `levels` of the other side, best first, down to `limit` ([`Px::NONE`]: at any price):
/// the quantity, and price times quantity in 1e-9.
pub(super) fn walk(side: Side, qty: u32, limit: Px, levels: impl Iterator<Item = BookLevel>) -> (u32, i128) {
    let (mut taken, mut paid) = (0_u32, 0_i128);
    for level in levels {
        let beyond = limit.is_some()
            && match side {
                Side::Bid => level.px > limit,
                Side::Ask => level.px < limit,
            };
        if beyond || taken == qty {
            break;
        }
        let here = u32::try_from(level.qty).unwrap_or(u32::MAX).min(qty - taken);
        taken += here;
        paid += i128::from(level.px.0) * i128::from(here);
    }
    (taken, paid)
}

/// A later moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The mid price.
    pub(crate) mid: Px,
    /// Price times quantity of the way out through the whole book; none where it does not hold so much.
    pub(crate) exit: Option<i128>,
}

/// An order that was filled, and how it stood later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Markout {
    /// Buys ([`Side::Bid`]) or sells.
    pub(crate) side: Side,
    /// What was filled; nothing where the market did not come.
    pub(crate) qty: u32,
    /// Price times quantity of it, in 1e-9.
    pub(crate) paid: i128,
    /// The price it met first: the far touch, or for one that rested its own limit.
    pub(crate) touch: Px,
    /// The mid price then.
    pub(crate) mid: Px,
    /// Later; none where the book had no two sides, or the capture was over.
    pub(crate) marks: [Option<Mark>; MARKS],
}

impl Markout {
    /// Of an order that found nobody to trade with.
    pub(crate) const fn unfilled(side: Side) -> Self {
        Self { side, qty: 0, paid: 0, touch: Px::NONE, mid: Px::NONE, marks: [None; MARKS] }
    }

    /// `amount` paid and received the other way round for a seller.
    const fn signed(&self, amount: i128) -> Gain {
        Gain(match self.side {
            Side::Bid => amount,
            Side::Ask => -amount,
        })
    }

    fn of_qty(&self, px: Px) -> i128 {
        i128::from(px.0) * i128::from(self.qty)
    }

    /// From the mid to the price it met first: half the spread, for one that crossed it.
    pub(crate) fn spread(&self) -> Gain {
        self.signed(self.of_qty(self.mid) - self.of_qty(self.touch))
    }

    /// From the price it met first to what it paid on average: the walk through the book.
    pub(crate) fn walk(&self) -> Gain {
        self.signed(self.of_qty(self.touch) - self.paid)
    }

    /// Both: known when the order leaves.
    pub(crate) fn impact(&self) -> Gain {
        Gain(self.spread().0 + self.walk().0)
    }

    /// What the market did until `mark`: known afterwards.
    pub(crate) fn moved(&self, mark: &Mark) -> Gain {
        self.signed(self.of_qty(mark.mid) - self.of_qty(self.mid))
    }

    /// Both together: marked at the mid.
    pub(crate) fn net(&self, mark: &Mark) -> Gain {
        Gain(self.impact().0 + self.moved(mark).0)
    }

    /// Closed out through the book at `mark`; none where it does not hold so much.
    pub(crate) fn closed(&self, mark: &Mark) -> Option<Gain> {
        Some(self.signed(mark.exit? - self.paid))
    }

    /// What a lot of it cost or brought on average, rounded towards zero; none of nothing.
    pub(crate) fn average(&self) -> Option<Px> {
        let average = self.paid.checked_div(self.qty.into())?;
        i64::try_from(average).ok().map(Px)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POINT: i64 = Px::SCALE;

    fn level(px: i64, qty: u64) -> BookLevel {
        BookLevel { px: Px(px), qty, order_count: 1 }
    }

    #[test]
    fn impact_and_what_the_market_did_are_told_apart() {
        // Sells 30 into bids of 10 at 99, 98, 97, the offer being 101: mid 100, touch 99, average 98.
        let bids = [99, 98, 97, 96].map(|px| level(px * POINT, 10));
        let (qty, paid) = walk(Side::Ask, 30, Px(97 * POINT), bids.into_iter());
        assert_eq!((qty, paid), (30, i128::from(POINT) * (990 + 980 + 970)));
        let sold = Markout {
            side: Side::Ask,
            qty,
            paid,
            touch: Px(99 * POINT),
            mid: Px(100 * POINT),
            marks: [None; MARKS],
        };
        let points = |gain: Gain| gain.0 / i128::from(POINT);
        assert_eq!((points(sold.spread()), points(sold.walk()), points(sold.impact())), (-30, -30, -60));
        assert_eq!(sold.average(), Some(Px(98 * POINT)));
        // The mid falls to 95: 150 for the seller, 90 with the impact; bought back at 96 it is 60.
        let mark = Mark { mid: Px(95 * POINT), exit: Some(i128::from(96 * POINT) * 30) };
        assert_eq!((points(sold.moved(&mark)), points(sold.net(&mark))), (150, 90));
        assert_eq!(sold.closed(&mark).map(points), Some(60));
        let none = Markout::unfilled(Side::Bid);
        assert_eq!((none.impact(), none.average()), (Gain(0), None));
    }

    #[test]
    fn a_walk_stops_at_the_limit_and_at_the_end_of_the_book() {
        let asks = [(100, 5), (101, 5), (103, 5)].map(|(px, qty)| level(px, qty));
        let at = |qty, limit| walk(Side::Bid, qty, limit, asks.into_iter());
        assert_eq!(at(3, Px(100)), (3, 300));
        assert_eq!(at(12, Px(102)), (10, 1_005));
        assert_eq!(at(100, Px::NONE), (15, 1_520));
        assert_eq!(at(5, Px(99)), (0, 0));
    }

    #[test]
    fn money_is_shown_to_hundredths_and_kept_exactly() {
        for (gain, shown, exact) in [
            (1_234_500_000_000, "+1234.50", "1234.50"),
            (-5_000_000, "-0.01", "-0.005"),
            (4_999_999, "0.00", "0.004999999"),
            (0, "0.00", "0.00"),
            (-120_000_000_000, "-120.00", "-120.00"),
        ] {
            assert_eq!((Gain(gain).to_string(), Gain(gain).exact()), (shown.to_owned(), exact.to_owned()));
        }
        assert_eq!(format!("{:>9}", Gain(0)), "     0.00");
    }

    proptest! {
        /// Lot by lot: each has a price of its own, and is worth what the mark says.
        #[test]
        fn every_part_agrees_with_lots_counted_one_by_one(
            buys in any::<bool>(),
            qty in 1_u32..80,
            steps in prop::collection::vec((1_i64..4, 1_u64..20), 1..12),
            limit in prop::option::of(0_i64..20),
            half_spread in 1_i64..5,
            mark in 900_i64..1_100,
        ) {
            let (side, sign) = if buys { (Side::Bid, 1) } else { (Side::Ask, -1) };
            let mid = 1_000_i64;
            let touch = mid + sign * half_spread;
            let mut px = touch - sign * steps[0].0;
            let levels: Vec<BookLevel> = steps.iter().map(|(step, qty)| {
                px += sign * step;
                level(px, *qty)
            }).collect();
            let limit = limit.map(|ticks| touch + sign * ticks);
            let lots: Vec<i64> = levels
                .iter()
                .flat_map(|l| std::iter::repeat_n(l.px.0, l.qty as usize))
                .filter(|px| limit.is_none_or(|limit| sign * px <= sign * limit))
                .take(qty as usize)
                .collect();
            let (taken, paid) = walk(side, qty, limit.map_or(Px::NONE, Px), levels.iter().copied());
            prop_assert_eq!(taken as usize, lots.len());
            let exit = i128::from(sign) * lots.iter().map(|_| i128::from(sign * mark)).sum::<i128>();
            let mark = Mark { mid: Px(mark), exit: Some(exit) };
            let marks = [Some(mark); MARKS];
            let found = Markout { side, qty: taken, paid, touch: Px(touch), mid: Px(mid), marks };
            let of_lots = |gain: &dyn Fn(i64) -> i64| Gain(lots.iter().map(|px| i128::from(gain(*px))).sum());
            prop_assert_eq!(found.spread(), of_lots(&|_| sign * (mid - touch)));
            prop_assert_eq!(found.walk(), of_lots(&|px| sign * (touch - px)));
            prop_assert_eq!(found.moved(&mark), of_lots(&|_| sign * (mark.mid.0 - mid)));
            prop_assert_eq!(found.net(&mark), of_lots(&|px| sign * (mark.mid.0 - px)));
            prop_assert_eq!(found.closed(&mark), Some(found.net(&mark)), "closed at the mid");
            prop_assert!(found.impact() <= Gain(0), "whoever crosses the spread pays");
        }
    }
}
