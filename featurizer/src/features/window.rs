//! Sliding windows over the grid, for all instruments at once.
//!
//! A window is a ring of rows, a row holds one bucket of every instrument. All active instruments advance together, so a grid
//! step reads and writes a few rows from front to back, which is what a prefetcher likes. Sums are integers: what enters leaves
//! exactly, nothing drifts, and the order of adding does not matter.

/// Grid points per second.
pub(crate) const STEPS_PER_SECOND: usize = 10;
/// Grid points in the short volatility and order flow window (1 s).
pub(crate) const SHORT: usize = STEPS_PER_SECOND;
/// Grid points in the activity window (10 s).
pub(crate) const ACTIVITY: usize = 10 * STEPS_PER_SECOND;
/// Grid points in the long volatility window (1 min).
pub(crate) const LONG: usize = 60 * STEPS_PER_SECOND;
/// Grid points after its last event until every window of an instrument is empty and it is left alone.
pub(crate) const QUIET: u64 = LONG as u64 + 50;

/// A bucket without a return: nothing was observed.
const UNDEFINED: u64 = u64::MAX;
/// Fraction bits of a squared return in bps².
const FRACTION_BITS: u32 = 32;
/// Bound of a bucket's summed depth, so that ten of them fit 64 bits.
const DEPTH_MAX: u64 = 1 << 60;

/// Order messages of one bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Activity {
    /// Adds, cancels and modifies.
    pub(crate) orders: u32,
    /// Cancels among them.
    pub(crate) cancels: u32,
    pub(crate) trades: u32,
}

/// Best-quote states of one bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quotes {
    /// Order flow, the sum of e_n.
    pub(crate) flow: i64,
    /// Sum of best bid and best offer quantities over the states.
    pub(crate) depth: u64,
    /// States.
    pub(crate) count: u32,
}

/// What the windows of one instrument hold now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// Order messages, cancels and trades of the last 10 s.
    pub(crate) orders: u64,
    pub(crate) cancels: u64,
    pub(crate) trades: u64,
    /// Flow, depth and states of the last second.
    pub(crate) flow: i64,
    pub(crate) depth: u64,
    pub(crate) quotes: u64,
    /// Squared returns of the last second and the last minute, in 2^-32 bps².
    short: u128,
    long: u128,
    /// Returns observed in them.
    pub(crate) short_count: u16,
    pub(crate) long_count: u16,
}

impl Sums {
    /// Realized volatility of the last second in bps.
    pub(crate) fn volatility_short(&self) -> f64 {
        root_bps(self.short)
    }

    /// Realized volatility of the last minute in bps.
    pub(crate) fn volatility_long(&self) -> f64 {
        root_bps(self.long)
    }
}

#[expect(clippy::cast_precision_loss, reason = "statistics; the sum itself is exact")]
fn root_bps(sum: u128) -> f64 {
    // Nearly always the sum fits 64 bits, for which there is an instruction.
    let sum = u64::try_from(sum).map_or_else(|_| sum as f64, |small| small as f64);
    (sum / (1_u64 << FRACTION_BITS) as f64).sqrt()
}

/// A squared log return as the ring keeps it: bps² with 32 fraction bits, saturated at a return of a factor of 700.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a square, and the cast saturates"
)]
fn squared(log_return: f64) -> u64 {
    let bps = log_return * 1e4;
    ((bps * bps * (1_u64 << FRACTION_BITS) as f64) as u64).min(UNDEFINED - 1)
}

/// The rings.
#[derive(Debug)]
pub(crate) struct Windows {
    instruments: usize,
    activity: Box<[Activity]>,
    quotes: Box<[Quotes]>,
    returns: Box<[u64]>,
    sums: Box<[Sums]>,
}

/// The rows of one grid point, to be read and replaced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    activity: usize,
    quotes: usize,
    /// Row of the return that enters, which is the one that leaves the long window.
    returns: usize,
    /// Row of the return that leaves the short window.
    leaving: usize,
}

impl Windows {
    pub(crate) fn new(instruments: usize) -> Self {
        Self {
            instruments,
            activity: vec![Activity::default(); instruments * ACTIVITY].into_boxed_slice(),
            quotes: vec![Quotes::default(); instruments * SHORT].into_boxed_slice(),
            returns: vec![UNDEFINED; instruments * LONG].into_boxed_slice(),
            sums: vec![Sums::default(); instruments].into_boxed_slice(),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.activity)
            + size_of_val(&*self.quotes)
            + size_of_val(&*self.returns)
            + size_of_val(&*self.sums)
    }

    /// The rows of a grid point, numbered from any fixed origin.
    pub(crate) fn rows(&self, grid: u64) -> Rows {
        let row =
            |rows: usize, back: u64| (grid.wrapping_sub(back) % rows as u64) as usize * self.instruments;
        Rows {
            activity: row(ACTIVITY, 0),
            quotes: row(SHORT, 0),
            returns: row(LONG, 0),
            leaving: row(LONG, SHORT as u64),
        }
    }

    /// Moves the windows of one instrument on by one grid point. `log_return` is `None` when no mid was known at both ends. False
    /// when what entered is what left, so that no sum changed.
    pub(crate) fn push(
        &mut self,
        rows: Rows,
        i: usize,
        activity: Activity,
        quotes: Quotes,
        log_return: Option<f64>,
    ) -> bool {
        let quotes = Quotes { depth: quotes.depth.min(DEPTH_MAX), ..quotes };
        let entering = log_return.map_or(UNDEFINED, squared);
        let old_activity = std::mem::replace(&mut self.activity[rows.activity + i], activity);
        let old_quotes = std::mem::replace(&mut self.quotes[rows.quotes + i], quotes);
        // The short window is the newest part of the ring of the long one.
        let leaves_short = self.returns[rows.leaving + i];
        let leaves_long = std::mem::replace(&mut self.returns[rows.returns + i], entering);
        if (old_activity, old_quotes, leaves_short, leaves_long) == (activity, quotes, entering, entering) {
            return false;
        }
        let sums = &mut self.sums[i];
        let slide = |sum: &mut u64, new: u32, old: u32| *sum = *sum + u64::from(new) - u64::from(old);
        slide(&mut sums.orders, activity.orders, old_activity.orders);
        slide(&mut sums.cancels, activity.cancels, old_activity.cancels);
        slide(&mut sums.trades, activity.trades, old_activity.trades);
        slide(&mut sums.quotes, quotes.count, old_quotes.count);
        sums.flow = sums.flow.wrapping_add(quotes.flow).wrapping_sub(old_quotes.flow);
        sums.depth = sums.depth + quotes.depth - old_quotes.depth;
        add(&mut sums.short, &mut sums.short_count, entering);
        take(&mut sums.short, &mut sums.short_count, leaves_short);
        add(&mut sums.long, &mut sums.long_count, entering);
        take(&mut sums.long, &mut sums.long_count, leaves_long);
        true
    }

    /// Empties every window.
    pub(crate) fn reset(&mut self) {
        self.activity.fill(Activity::default());
        self.quotes.fill(Quotes::default());
        self.returns.fill(UNDEFINED);
        self.sums.fill(Sums::default());
    }

    /// What the windows of an instrument hold.
    pub(crate) fn sums(&self, i: usize) -> &Sums {
        &self.sums[i]
    }
}

fn add(sum: &mut u128, count: &mut u16, entry: u64) {
    if entry != UNDEFINED {
        *sum += u128::from(entry);
        *count += 1;
    }
}

fn take(sum: &mut u128, count: &mut u16, entry: u64) {
    if entry != UNDEFINED {
        *sum -= u128::from(entry);
        *count -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Realized volatility in basis points, the plain way: `1e4 sqrt(sum of squared returns)`.
    fn realized_volatility_bps(returns: &[f64]) -> f64 {
        returns.iter().map(|r| r * r).sum::<f64>().sqrt() * 1e4
    }

    fn arbitrary_step() -> impl Strategy<Value = (Activity, Quotes, Option<f64>)> {
        let activity = (0_u32..50, 0_u32..50, 0_u32..50).prop_map(|(orders, cancels, trades)| Activity {
            orders,
            cancels,
            trades,
        });
        let quotes = (-9_000_i64..9_000, 0_u64..100_000, 0_u32..20).prop_map(|(flow, depth, count)| Quotes {
            flow,
            depth,
            count,
        });
        (activity, quotes, prop::option::weighted(0.8, -0.02_f64..0.02))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn sliding_is_the_same_as_summing_from_scratch(
            steps in prop::collection::vec(arbitrary_step(), 1..1_500),
            origin in 0_u64..1_000_000,
        ) {
            let mut windows = Windows::new(2);
            for (n, (activity, quotes, r)) in steps.iter().enumerate() {
                let rows = windows.rows(origin + n as u64);
                windows.push(rows, 1, *activity, *quotes, *r);
                let last = |len: usize| &steps[(n + 1).saturating_sub(len)..=n];
                let sums = windows.sums(1);
                prop_assert_eq!(sums.orders, last(ACTIVITY).iter().map(|s| u64::from(s.0.orders)).sum::<u64>());
                prop_assert_eq!(sums.cancels, last(ACTIVITY).iter().map(|s| u64::from(s.0.cancels)).sum::<u64>());
                prop_assert_eq!(sums.trades, last(ACTIVITY).iter().map(|s| u64::from(s.0.trades)).sum::<u64>());
                prop_assert_eq!(sums.flow, last(SHORT).iter().map(|s| s.1.flow).sum::<i64>());
                prop_assert_eq!(sums.depth, last(SHORT).iter().map(|s| s.1.depth).sum::<u64>());
                let returns = |len| last(len).iter().filter_map(|s| s.2).collect::<Vec<f64>>();
                for (len, found, count) in [
                    (SHORT, sums.volatility_short(), sums.short_count),
                    (LONG, sums.volatility_long(), sums.long_count),
                ] {
                    let wanted = realized_volatility_bps(&returns(len));
                    prop_assert!((found - wanted).abs() <= 1e-6 * wanted.max(1e-3), "{} for {}", found, wanted);
                    prop_assert_eq!(usize::from(count), returns(len).len());
                }
                prop_assert_eq!(*windows.sums(0), Sums::default());
            }
        }
    }

    #[test]
    fn volatility_matches_the_golden_returns() {
        // Realized variance 1.0524e-4, computed apart from this code, with numpy.
        let r = [0.0010, -0.0005, 0.0008, -0.0012, 0.0100, -0.0007, 0.0003, -0.0009, 0.0006, -0.0004];
        let mut windows = Windows::new(1);
        for (n, r) in (0..).zip(r) {
            windows.push(windows.rows(n), 0, Activity::default(), Quotes::default(), Some(r));
        }
        let wanted = 1.0524e-4_f64.sqrt() * 1e4;
        for found in [windows.sums(0).volatility_short(), windows.sums(0).volatility_long()] {
            assert!((found - wanted).abs() < 1e-6, "{found} for {wanted}");
        }
    }

    #[test]
    fn a_return_beyond_reason_saturates_and_still_leaves_exactly() {
        let mut windows = Windows::new(1);
        for n in 0..2 * LONG as u64 {
            let r = if n == 5 { Some(1e9) } else { Some(0.0) };
            windows.push(windows.rows(n), 0, Activity::default(), Quotes::default(), r);
            assert!(windows.sums(0).volatility_long().is_finite());
        }
        assert_eq!(windows.sums(0).volatility_long(), 0.0);
        assert_eq!(usize::from(windows.sums(0).long_count), LONG);
    }
}
