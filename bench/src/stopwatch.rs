//! Timing one operation alone with the CPU's time-stamp counter.

use quanta::Clock;

/// Empty brackets timed to learn what the clock itself costs.
const EMPTY_BRACKETS: usize = 200_000;

/// A clock for single operations of a few nanoseconds, and what it costs.
///
/// `barrier` is called on both sides of each reading of the counter and has to keep the processor from moving work across
/// it (`lfence` on x86-64); without one, an out-of-order processor reads the counter before the operation is done.
#[derive(Clone, Debug)]
pub struct Stopwatch<B> {
    clock: Clock,
    barrier: B,
    /// Nanoseconds in 2^32 ticks.
    ns_per_4g_ticks: u64,
    cost: Cost,
}

/// What a bracket with nothing in it shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Least ticks.
    pub min: u64,
    /// Median ticks: what is taken off every measurement.
    pub median: u64,
    /// 99.9 % of the empty brackets took no more ticks than this.
    pub p999: u64,
    /// Mean ticks of the brackets below `p999`.
    pub mean_hundredths: u64,
    /// Ticks between two values that back-to-back readings can show: a finer difference cannot be seen.
    pub step: u64,
}

impl<B: Fn()> Stopwatch<B> {
    /// Measures the clock's own cost.
    #[must_use]
    pub fn calibrate(barrier: B) -> Self {
        let clock = Clock::new();
        let ns_per_4g_ticks = clock.delta_as_nanos(0, 1 << 32);
        let mut watch = Self { clock, barrier, ns_per_4g_ticks, cost: Cost::default() };
        let mut empty: Vec<u64> = (0..EMPTY_BRACKETS).map(|_| watch.bracket(|| ()).0).collect();
        empty.sort_unstable();
        let at = |share: f64| empty[(share * (EMPTY_BRACKETS - 1) as f64) as usize];
        let p999 = at(0.999);
        let usual = &empty[..empty.partition_point(|&ticks| ticks <= p999)];
        watch.cost = Cost {
            min: empty[0],
            median: at(0.5),
            p999,
            mean_hundredths: usual.iter().sum::<u64>() * 100 / usual.len() as u64,
            step: watch.step(),
        };
        watch
    }

    /// How far the counter advances between two different readings, at least.
    fn step(&self) -> u64 {
        let (mut first, mut last, mut changes) = (self.clock.raw(), 0, 0_u64);
        let mut seen = first;
        for _ in 0..EMPTY_BRACKETS {
            last = self.clock.raw();
            changes += u64::from(last != seen);
            seen = last;
        }
        first = last.saturating_sub(first);
        first / changes.max(1)
    }

    /// Runs `operation` alone and returns the ticks between the two readings, cost of the clock included.
    #[inline(always)]
    pub fn bracket<R>(&self, operation: impl FnOnce() -> R) -> (u64, R) {
        (self.barrier)();
        let start = self.clock.raw();
        (self.barrier)();
        let result = operation();
        (self.barrier)();
        let end = self.clock.raw();
        (self.barrier)();
        (end.wrapping_sub(start), result)
    }

    /// Nanoseconds, rounded.
    #[inline]
    #[must_use]
    pub fn ns(&self, ticks: u64) -> u64 {
        let scaled = u128::from(ticks) * u128::from(self.ns_per_4g_ticks) + (1 << 31);
        u64::try_from(scaled >> 32).unwrap_or(u64::MAX)
    }

    /// Nanoseconds of a bracket without the clock's own cost; zero when the bracket was shorter than an empty one.
    #[inline]
    #[must_use]
    pub fn net_ns(&self, ticks: u64) -> u64 {
        self.ns(ticks.saturating_sub(self.cost.median))
    }

    /// What an empty bracket shows.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// The sentence about the clock that goes beside every result.
    #[must_use]
    pub fn describe(&self) -> String {
        let Cost { min, median, p999, mean_hundredths, step } = self.cost;
        let ghz = (1_u64 << 32) as f64 / self.ns_per_4g_ticks as f64;
        format!(
            "clock: TSC at {ghz:.3} GHz between barriers; an empty bracket takes {median} ticks ({} ns) at the median, \
             taken off every value (least {min}, mean {}.{:02}, p99.9 {p999}); readings advance in steps of {step} ticks \
             ({} ns), so single values are no finer",
            self.ns(median),
            mean_hundredths / 100,
            mean_hundredths % 100,
            self.ns(step),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_bracket_is_nothing_and_a_pause_is_its_length() {
        let watch = Stopwatch::calibrate(|| ());
        assert_eq!(watch.net_ns(watch.cost().median), 0);
        assert!(watch.cost().min <= watch.cost().median && watch.cost().median <= watch.cost().p999);
        let (ticks, ()) = watch.bracket(|| std::thread::sleep(std::time::Duration::from_millis(5)));
        assert!((5_000_000..500_000_000).contains(&watch.net_ns(ticks)), "{}", watch.net_ns(ticks));
        assert!(watch.describe().contains("GHz"));
    }
}
