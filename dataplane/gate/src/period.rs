//! What the reference price of an instrument was over a period: the instant one follows a crash down, its mean over some
//! minutes does not. RTS 6 (Commission Delegated Regulation (EU) 2017/589), article 15(1)(a), wants price collars order by
//! order and over a specified period; the bands of the US equity markets (the National Market System Plan to Address
//! Extraordinary Market Volatility) lie about a mean of five minutes.
//!
//! The mean is that of [`SAMPLES`] samples: what the reference was at each whole [`SAMPLES`]th of a period, by the clock of
//! the quotes. A sample at which there was none is left out, and so is one at which the instrument did not trade: one that has not
//! traded for a whole period (at the open, after a halt) begins without a history. After a shorter halt the old prices count on, until a
//! period of new ones has taken their place: a halt of a moment must not open the collar.

use types::{Nanos, UnixNanos};

/// Samples of a period.
pub(crate) const SAMPLES: usize = 30;

/// How a collar over a period is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PeriodCollar {
    /// From sample to sample; 0 keeps no history.
    pub every_ns: u64,
    /// How much worse than the mean an order's price may be, in basis points.
    pub bps: u32,
}

impl PeriodCollar {
    /// Within `bps` of the mean over `period`; none when either is 0.
    pub(crate) fn new(period: Nanos, bps: u32) -> Self {
        let every_ns = if bps == 0 { 0 } else { period.0 / SAMPLES as u64 };
        Self { every_ns, bps }
    }

    /// After which a reference that has not changed is its own mean.
    pub(crate) const fn period_ns(self) -> u64 {
        self.every_ns.saturating_mul(SAMPLES as u64)
    }
}

/// The history of one instrument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct History {
    /// 0 where there was no reference.
    samples: [u64; SAMPLES],
    at: usize,
    /// Time of the next sample; 0 before the first publication.
    next: u64,
    /// The reference since the last publication, 0 for none.
    held: u64,
    /// The last reference that there was, 0 before any.
    last: u64,
    mean: u64,
    /// The lowest price of a sell, and the highest of a buy.
    allowed: (u64, u64),
    /// Its prices may be zero or negative.
    signed: bool,
}

impl History {
    /// None yet.
    pub(crate) const NEW: Self = Self {
        samples: [0; SAMPLES],
        at: 0,
        next: 0,
        held: 0,
        last: 0,
        mean: 0,
        allowed: (0, u64::MAX),
        signed: false,
    };

    /// Forgets what was, where prices may from now on be zero or negative, or may not any more: the words of the two have no mean.
    pub(crate) fn keep_kind(&mut self, signed: bool) {
        if self.signed != signed {
            *self = Self { signed, ..Self::NEW };
        }
    }

    /// From `ts` on the reference is `reference`, 0 for none, and there is none where the instrument does not trade.
    pub(crate) fn note(&mut self, ts: UnixNanos, reference: u64, trades: bool, collar: PeriodCollar) {
        if reference != 0 {
            self.last = reference;
        }
        if collar.every_ns == 0 {
            return;
        }
        if !trades && self.next == 0 {
            return;
        }
        // A clock that was set back would else take no sample for long.
        let set_back = ts.0.saturating_add(collar.every_ns.saturating_mul(2)) < self.next;
        if ts.0 >= self.next || set_back {
            self.pass(ts.0, set_back, collar);
        }
        self.held = if trades { reference } else { 0 };
    }

    #[cold]
    fn pass(&mut self, ts: u64, set_back: bool, collar: PeriodCollar) {
        let every_ns = collar.every_ns;
        if self.next == 0 || set_back {
            // What was sampled by the clock before stays: it is what the reference was.
            self.next = (ts / every_ns).saturating_add(1).saturating_mul(every_ns);
            return;
        }
        let count = (ts - self.next) / every_ns + 1;
        for _ in 0..count.min(SAMPLES as u64) {
            if let Some(sample) = self.samples.get_mut(self.at) {
                *sample = self.held;
            }
            self.at = (self.at + 1) % SAMPLES;
        }
        self.next = self.next.saturating_add(count.saturating_mul(every_ns));
        let known = self.samples.iter().filter(|sample| **sample != 0);
        let (sum, count) =
            known.fold((0_u128, 0_u128), |(sum, count), sample| (sum + u128::from(*sample), count + 1));
        self.mean = sum.checked_div(count).and_then(|mean| u64::try_from(mean).ok()).unwrap_or(0);
        self.allowed = allowed(self.mean, collar.bps);
    }

    /// The last reference that was noted, 0 before any.
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// The mean reference of the period, 0 when there is none.
    pub(crate) const fn mean(&self) -> u64 {
        self.mean
    }

    /// The lowest price of a sell, and the highest of a buy.
    pub(crate) const fn allowed(&self) -> (u64, u64) {
        self.allowed
    }
}

/// The lowest price of a sell and the highest of a buy within `bps` of `mean`; any price when there is no mean.
#[expect(clippy::cast_possible_truncation, reason = "at most twice 2^59")]
fn allowed(mean: u64, bps: u32) -> (u64, u64) {
    if mean == 0 {
        return (0, u64::MAX);
    }
    let off = u128::from(mean) * u128::from(bps.min(10_000));
    let most = (u128::from(mean) * 10_000 + off) / 10_000;
    let least = (u128::from(mean) * 10_000 - off).div_ceil(10_000);
    (least as u64, most as u64)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    const SECOND: u64 = 1_000_000_000;
    const COLLAR: PeriodCollar = PeriodCollar { every_ns: 10 * SECOND, bps: 1_000 };

    fn after(said: &[(u64, u64)]) -> History {
        let mut history = History::NEW;
        for (second, reference) in said {
            history.note(UnixNanos(second * SECOND), *reference, true, COLLAR);
        }
        history
    }

    #[test]
    fn without_a_sample_every_price_is_allowed() {
        let history = after(&[(1_001, 100), (1_009, 50)]);
        assert_eq!((history.mean(), history.allowed()), (0, (0, u64::MAX)));
    }

    #[test]
    fn a_sample_is_what_the_reference_was_at_its_moment() {
        // At 1,010 it was 100, at 1,020 and 1,030 80.
        let history = after(&[(1_001, 100), (1_010, 80), (1_030, 1)]);
        assert_eq!(history.mean(), (100 + 80 + 80) / 3);
        assert_eq!(history.allowed(), (78, 94), "78.3 and 94.6 at 10 % about 86, rounded to what is allowed");
    }

    #[test]
    fn the_mean_follows_a_fall_within_the_period_and_not_at_once() {
        let mut history = after(&[(1_001, 1_000), (1_301, 1_000)]);
        assert_eq!((history.mean(), history.allowed()), (1_000, (900, 1_100)));
        history.note(UnixNanos(1_302 * SECOND), 500, true, COLLAR);
        assert_eq!(history.mean(), 1_000);
        history.note(UnixNanos(1_452 * SECOND), 500, true, COLLAR);
        assert_eq!(history.mean(), 750, "half of the period later");
        history.note(UnixNanos(1_602 * SECOND), 500, true, COLLAR);
        assert_eq!(history.mean(), 500);
    }

    #[test]
    fn a_halt_and_a_missing_reference_leave_their_samples_out_and_a_period_of_them_forgets() {
        let mut history = after(&[(1_001, 100), (1_015, 0), (1_035, 70)]);
        assert_eq!(history.mean(), 100, "nothing at 1,020 and 1,030");
        let mut note = |second, reference, trades| {
            history.note(UnixNanos(second * SECOND), reference, trades, COLLAR);
            history.mean()
        };
        assert_eq!(note(1_036, 70, false), 100, "a halt of a moment");
        assert_eq!(note(1_037, 70, true), 100);
        assert_eq!(note(1_041, 70, false), (100 + 70) / 2);
        assert_eq!(note(1_100, 70, true), (100 + 70) / 2, "nothing while it did not trade");
        assert_eq!(note(1_111, 71, true), (100 + 70 + 70) / 3);
        assert_eq!(note(1_112, 71, false), (100 + 70 + 70) / 3);
        assert_eq!(note(1_411, 50, true), 0, "of 1,110 and before it nothing is left");
        assert_eq!(note(1_420, 50, true), 50);
    }

    #[test]
    fn a_clock_that_is_set_back_forgets_nothing() {
        let mut history = after(&[(5_001, 100), (5_011, 100)]);
        history.note(UnixNanos(1_001 * SECOND), 60, true, COLLAR);
        assert_eq!(history.mean(), 100);
        history.note(UnixNanos(1_011 * SECOND), 60, true, COLLAR);
        assert_eq!(history.mean(), 80, "and samples go on by the new one");
    }

    #[test]
    fn an_instrument_whose_prices_may_be_negative_from_now_on_begins_anew() {
        let mut history = after(&[(1_001, 100), (1_011, 100)]);
        let below = crate::price::price_word(types::Px(-5), true);
        history.keep_kind(true);
        history.note(UnixNanos(1_012 * SECOND), below, true, COLLAR);
        assert_eq!(history.mean(), 0);
        history.keep_kind(true);
        history.note(UnixNanos(1_031 * SECOND), below, true, COLLAR);
        assert_eq!(history.mean(), below);
    }

    #[test]
    fn a_collar_of_nothing_keeps_no_history() {
        for off in [PeriodCollar::new(Nanos(300 * SECOND), 0), PeriodCollar::new(Nanos(0), 100)] {
            let mut history = History::NEW;
            for second in 1..100 {
                history.note(UnixNanos(second * 10 * SECOND), 100, true, off);
            }
            assert_eq!(history.mean(), 0);
        }
        assert_eq!(PeriodCollar::new(Nanos(300 * SECOND), 1_000), COLLAR);
        assert_eq!(COLLAR.period_ns(), 300 * SECOND);
    }

    #[test]
    fn the_largest_prices_have_a_mean() {
        let most = crate::PX_MAX.0.unsigned_abs();
        let history = after(&[(1_001, most), (9_000, most)]);
        assert_eq!(history.mean(), most);
        assert_eq!(allowed(most, 20_000), (0, 2 * most));
    }

    proptest! {
        /// Against the list of everything that was published, asked for each sample's moment.
        #[test]
        fn the_mean_is_that_of_what_was_in_force_at_each_moment(
            steps in prop::collection::vec((1_u64..40, 0_u64..2_000, 0_u32..12), 1..80), bps in 0_u32..10_000,
        ) {
            let collar = PeriodCollar { bps, ..COLLAR };
            let (mut history, mut second) = (History::NEW, 7_003);
            // What was said since the instrument traded first.
            let mut said: Vec<(u64, u64)> = Vec::new();
            for (wait, reference, halts) in steps {
                second += wait;
                let trades = halts != 0;
                history.note(UnixNanos(second * SECOND), reference, trades, collar);
                if trades || !said.is_empty() {
                    said.push((second, if trades { reference } else { 0 }));
                }
                let first = said.first().map_or(u64::MAX, |(at, _)| *at);
                let newest = second / 10 * 10;
                let moments = (0..SAMPLES as u64).map(|n| newest - 10 * n).filter(|at| *at > first);
                let known: Vec<u64> = moments
                    .filter_map(|at| said.iter().rev().find(|(from, _)| *from < at).map(|(_, px)| *px))
                    .filter(|px| *px != 0)
                    .collect();
                let mean = known.iter().sum::<u64>().checked_div(known.len() as u64).unwrap_or(0);
                prop_assert_eq!(history.mean(), mean);
                let (least, most) = history.allowed();
                for px in [least, least.wrapping_sub(1), most, most.wrapping_add(1), mean, 1_000] {
                    let (low, high) = (u128::from(10_000 - bps), u128::from(10_000 + bps));
                    let wide = u128::from(px) * 10_000;
                    prop_assert_eq!(px >= least, mean == 0 || wide >= u128::from(mean) * low);
                    prop_assert_eq!(px <= most, mean == 0 || wide <= u128::from(mean) * high);
                }
            }
        }
    }

    #[test]
    fn a_clock_that_goes_back_by_two_samples_is_not_set_back() {
        // The next is due at 1,010.
        assert_eq!(after(&[(1_001, 100), (990, 100), (1_000, 100)]).mean(), 0, "none is taken twice");
        assert_eq!(after(&[(1_001, 100), (989, 100), (990, 100)]).mean(), 100);
    }
}
