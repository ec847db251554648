//! How far a position may lie from the gate's, by other readings of what the venue has said.
//!
//! Books that differ are in doubt, but not about everything: what was told of an order that nobody has, twice, of a trade that was
//! taken back, of more than there was, is so many shares in one direction or in either. By whatever reading of it, the position lies
//! between the gate's less `below` and the gate's more `above`. In doubt an order reduces only if it does so from both ends: a
//! sell from the lowest position there may be, a buy from the highest.

use types::Side;

/// No two positions that a gate can have are farther apart.
const FARTHEST: i64 = 1 << 61;

/// How far below and above the gate's position the true one may be. At most [`FARTHEST`] each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Astray {
    below: i64,
    above: i64,
}

impl Astray {
    /// What is in doubt moved no shares.
    pub(crate) const NOTHING: Self = Self { below: 0, above: 0 };
    /// Nobody knows how many shares moved.
    pub(crate) const ANYTHING: Self = Self { below: FARTHEST, above: FARTHEST };

    /// `qty` that the gate has not counted may have been traded on `side`.
    pub(crate) fn uncounted(side: Side, qty: u32) -> Self {
        match side {
            Side::Bid => Self { above: qty.into(), ..Self::NOTHING },
            Side::Ask => Self { below: qty.into(), ..Self::NOTHING },
        }
    }

    /// `qty` on `side` that the gate has counted may not have been traded.
    pub(crate) fn miscounted(side: Side, qty: u32) -> Self {
        let Self { below, above } = Self::uncounted(side, qty);
        Self { below: above, above: below }
    }

    /// `qty` may have been traded on either side.
    pub(crate) fn on_either_side(qty: u32) -> Self {
        Self { below: qty.into(), above: qty.into() }
    }

    /// Both, together.
    pub(crate) fn and(self, other: Self) -> Self {
        let sum = |a: i64, b: i64| a.saturating_add(b).min(FARTHEST);
        Self { below: sum(self.below, other.below), above: sum(self.above, other.above) }
    }

    /// How much farther on `side` than the gate's the position may be.
    pub(crate) const fn toward(&self, side: Side) -> i64 {
        match side {
            Side::Bid => self.above,
            Side::Ask => self.below,
        }
    }

    /// As it is kept.
    pub(crate) const fn parts(&self) -> [u64; 2] {
        [self.below.cast_unsigned(), self.above.cast_unsigned()]
    }

    /// Of its parts; of what are none, anything.
    pub(crate) fn of_parts(parts: [u64; 2]) -> Self {
        let [below, above] = parts.map(|part| i64::try_from(part).unwrap_or(FARTHEST).min(FARTHEST));
        Self { below, above }
    }
}
