//! Tick sizes: by how much prices of an instrument may differ, at each price.

use crate::Px;

/// Prices from `from` on, up to the next step, are multiples of `tick`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickStep {
    /// The first price of the step.
    pub from: Px,
    /// The tick size.
    pub tick: Px,
}

/// Most steps of a [`TickTable`]: the annex of Commission Delegated Regulation (EU) 2017/588 (RTS 11) has 19 price ranges.
pub const TICK_STEPS_MAX: usize = 20;

/// The tick size at each price: a few steps, each from a price on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickTable {
    steps: [TickStep; TICK_STEPS_MAX],
    len: usize,
}

/// Why some steps are no [`TickTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickTableError {
    /// There is none, or more than [`TICK_STEPS_MAX`].
    Count,
    /// The first does not begin at 0.
    First,
    /// The step of this number, from 0, does not begin above the one before it.
    Order(usize),
    /// The tick of this step is not positive.
    Tick(usize),
    /// This step begins at a price that is no multiple of its own tick, or of the tick before it: no order could have the price.
    Edge(usize),
}

impl core::fmt::Display for TickTableError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Count => write!(f, "1 to {TICK_STEPS_MAX} steps"),
            Self::First => f.write_str("a first step from 0 on"),
            Self::Order(at) => write!(f, "step {} from a higher price on than the step before it", at + 1),
            Self::Tick(at) => write!(f, "a tick above 0 in step {}", at + 1),
            Self::Edge(at) => {
                write!(f, "step {} from a multiple of its tick and of the tick before it on", at + 1)
            }
        }
    }
}

impl core::error::Error for TickTableError {}

impl TickTable {
    /// US equities: hundredths of a cent below one dollar, cents from there on (Regulation NMS, 17 CFR 242.612).
    pub const US_EQUITY: Self = {
        let steps = [
            TickStep { from: Px(0), tick: Px(Px::SCALE / 10_000) },
            TickStep { from: Px(Px::SCALE), tick: Px(Px::SCALE / 100) },
        ];
        match Self::new(&steps) {
            Ok(table) => table,
            Err(_) => panic!("two steps in order"),
        }
    };

    /// Those that a build knows without a configuration: the first tables of every list, see [`TickTableId`].
    pub const BUILT_IN: [Self; 1] = [Self::US_EQUITY];

    /// The table of `steps`.
    ///
    /// # Errors
    /// [`TickTableError`].
    pub const fn new(steps: &[TickStep]) -> Result<Self, TickTableError> {
        if steps.is_empty() || steps.len() > TICK_STEPS_MAX {
            return Err(TickTableError::Count);
        }
        if steps[0].from.0 != 0 {
            return Err(TickTableError::First);
        }
        let mut all = [steps[0]; TICK_STEPS_MAX];
        let mut at = 0;
        while at < steps.len() {
            let step = steps[at];
            if step.tick.0 <= 0 || !step.tick.is_some() {
                return Err(TickTableError::Tick(at));
            }
            if at > 0 {
                if step.from.0 <= steps[at - 1].from.0 || !step.from.is_some() {
                    return Err(TickTableError::Order(at));
                }
                if step.from.0 % step.tick.0 != 0 || step.from.0 % steps[at - 1].tick.0 != 0 {
                    return Err(TickTableError::Edge(at));
                }
            }
            all[at] = step;
            at += 1;
        }
        Ok(Self { steps: all, len: steps.len() })
    }

    /// Its steps, lowest first.
    #[must_use]
    pub const fn steps(&self) -> &[TickStep] {
        self.steps.split_at(self.len).0
    }

    /// The tick at a price. A negative price has that of its distance from 0, and [`Px::NONE`] that of the highest prices.
    #[must_use]
    pub fn at(&self, px: Px) -> Px {
        let distance = px.0.saturating_abs();
        let reached = self.steps().iter().rev().find(|step| step.from.0 <= distance);
        reached.map_or(self.steps[0].tick, |step| step.tick)
    }

    /// The tick of the highest prices.
    #[must_use]
    pub const fn top(&self) -> Px {
        self.steps[self.len - 1].tick
    }
}

/// A [`TickTable`] by its number in a list that all stages share: [`TickTable::BUILT_IN`], then the configuration's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct TickTableId(pub u8);

impl TickTableId {
    /// None: the instrument has one tick at every price, which is told beside it.
    pub const NONE: Self = Self(0);
    /// [`TickTable::US_EQUITY`].
    pub const US_EQUITY: Self = Self(1);
    /// Most tables of a list.
    pub const COUNT_MAX: usize = u8::MAX as usize;

    /// The table's place in the list, `None` for none.
    #[inline]
    #[must_use]
    pub const fn index(self) -> Option<usize> {
        (self.0 as usize).checked_sub(1)
    }

    /// The table at a place of the list; [`TickTableId::NONE`] beyond [`TickTableId::COUNT_MAX`].
    #[must_use]
    pub const fn of(index: usize) -> Self {
        if index < Self::COUNT_MAX { Self(index as u8 + 1) } else { Self::NONE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::string::ToString;
    use std::vec::Vec;

    fn px(text: &str) -> Px {
        text.parse().unwrap()
    }

    fn steps(of: &[(&str, &str)]) -> Vec<TickStep> {
        of.iter().map(|(from, tick)| TickStep { from: px(from), tick: px(tick) }).collect()
    }

    /// The least liquid of the six bands of RTS 11, in its own order.
    const RTS_11: [(&str, &str); 19] = [
        ("0", "0.0005"),
        ("0.1", "0.001"),
        ("0.2", "0.002"),
        ("0.5", "0.005"),
        ("1", "0.01"),
        ("2", "0.02"),
        ("5", "0.05"),
        ("10", "0.1"),
        ("20", "0.2"),
        ("50", "0.5"),
        ("100", "1"),
        ("200", "2"),
        ("500", "5"),
        ("1000", "10"),
        ("2000", "20"),
        ("5000", "50"),
        ("10000", "100"),
        ("20000", "200"),
        ("50000", "500"),
    ];

    #[test]
    fn a_share_under_a_dollar_has_hundredths_of_a_cent_and_one_dollar_has_cents() {
        for (at, tick) in [
            ("0", "0.0001"),
            ("0.0001", "0.0001"),
            ("0.9999", "0.0001"),
            ("0.999999999", "0.0001"),
            ("1", "0.01"),
            ("1.0001", "0.01"),
            ("429000", "0.01"),
            ("-0.5", "0.0001"),
            ("-1", "0.01"),
        ] {
            assert_eq!(TickTable::US_EQUITY.at(px(at)), px(tick), "{at}");
        }
        assert_eq!((TickTable::US_EQUITY.at(Px::NONE), TickTable::US_EQUITY.top()), (px("0.01"), px("0.01")));
        assert_eq!(TickTable::US_EQUITY.at(Px(i64::MIN)), px("0.01"));
        let listed = TickTableId::US_EQUITY.index().map(|at| TickTable::BUILT_IN[at]);
        assert_eq!((listed, TickTableId::of(0)), (Some(TickTable::US_EQUITY), TickTableId::US_EQUITY));
    }

    #[test]
    fn the_european_regime_can_be_said() {
        let table = TickTable::new(&steps(&RTS_11)).unwrap();
        for (at, tick) in
            [("0.0995", "0.0005"), ("0.1", "0.001"), ("1.99", "0.01"), ("2", "0.02"), ("70000", "500")]
        {
            assert_eq!(table.at(px(at)), px(tick), "{at}");
        }
    }

    #[test]
    fn steps_that_are_no_table_are_refused() {
        for (bad, error, said) in [
            (&[][..], TickTableError::Count, "1 to 20 steps"),
            (&[("1", "0.01")][..], TickTableError::First, "a first step from 0 on"),
            (&[("0", "0")][..], TickTableError::Tick(0), "a tick above 0 in step 1"),
            (
                &[("0", "0.01"), ("0", "0.02")][..],
                TickTableError::Order(1),
                "step 2 from a higher price on than the step before it",
            ),
            (
                &[("0", "0.01"), ("1.005", "0.005")][..],
                TickTableError::Edge(1),
                "step 2 from a multiple of its tick and of the tick before it on",
            ),
            (
                &[("0", "0.01"), ("1.01", "0.02")][..],
                TickTableError::Edge(1),
                "step 2 from a multiple of its tick and of the tick before it on",
            ),
        ] {
            assert_eq!(TickTable::new(&steps(bad)), Err(error));
            assert_eq!(error.to_string(), said);
        }
        let many = [TickStep { from: Px(0), tick: Px(1) }; TICK_STEPS_MAX + 1];
        assert_eq!(TickTable::new(&many), Err(TickTableError::Count));
    }

    #[test]
    fn a_list_has_room_for_as_many_as_a_byte_numbers() {
        assert_eq!((TickTableId::of(254), TickTableId::of(255)), (TickTableId(255), TickTableId::NONE));
        assert_eq!((TickTableId::NONE.index(), TickTableId(255).index()), (None, Some(254)));
    }

    /// Against walking up the steps until one begins above the price: tables by seeded chance, every price up to their last edge.
    #[test]
    fn the_tick_is_that_of_the_last_step_that_begins_at_or_below_the_price() {
        let mut seed = 7_u64;
        let mut below = |n: u64| {
            // Knuth's MMIX generator.
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % n
        };
        for _ in 0..200 {
            // Every edge is a multiple of 100, every tick a power of ten up to that.
            let mut rows = Vec::new();
            let mut from = 0;
            for _ in 0..=below(TICK_STEPS_MAX as u64 - 1) {
                rows.push(TickStep { from: Px(from), tick: Px(10_i64.pow(below(3) as u32)) });
                from += (1 + below(5) as i64) * 100;
            }
            let table = TickTable::new(&rows).unwrap();
            assert_eq!((table.steps(), table.top()), (&rows[..], rows[rows.len() - 1].tick));
            for at in 0..=from {
                let mut wanted = rows[0].tick;
                for row in &rows {
                    if row.from.0 <= at {
                        wanted = row.tick;
                    }
                }
                assert_eq!((table.at(Px(at)), table.at(Px(-at))), (wanted, wanted), "{at} of {rows:?}");
            }
        }
    }
}
