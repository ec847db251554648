//! Timing: one operation alone with the CPU's time-stamp counter, and batches by the CPU time of their thread.

use std::time::Duration;

use quanta::Clock;
use rustix::time::{ClockId, clock_gettime};

/// Time this thread has had a CPU so far. What other processes take away does not count, so that a busy machine shows in the
/// caches alone; a reading costs a system call and is for batches of a millisecond or more.
#[must_use]
pub fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let secs = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::from_secs(secs) + Duration::from_nanos(u64::try_from(now.tv_nsec).unwrap_or(0))
}

/// Runs `work` and returns the CPU time it took, in nanoseconds per item.
pub fn ns_per_item(items: usize, work: impl FnOnce()) -> f64 {
    let start = cpu_time();
    work();
    (cpu_time() - start).as_secs_f64() * 1e9 / items as f64
}

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
    /// Median ticks.
    pub median: u64,
    /// 99 % of the empty brackets took no more ticks than this.
    pub p99: u64,
    /// Mean ticks of the brackets up to `p99`, rounded: what is taken off every measurement. The counter may advance in coarse
    /// steps, between which only a mean can see.
    pub mean: u64,
    /// Ticks by which two readings as close as can be mostly differ: single values are no finer.
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
        let p99 = at(0.99);
        let usual = &empty[..empty.partition_point(|&ticks| ticks <= p99)];
        let mean = (usual.iter().sum::<u64>() + usual.len() as u64 / 2) / usual.len() as u64;
        watch.cost = Cost { min: empty[0], median: at(0.5), p99, mean, step: watch.step() };
        watch
    }

    /// By how much two different readings, as close as can be, mostly differ.
    fn step(&self) -> u64 {
        let pair = |_| (self.clock.raw(), self.clock.raw());
        let mut steps: Vec<u64> = (0..EMPTY_BRACKETS)
            .map(pair)
            .map(|(before, after)| after.wrapping_sub(before))
            .filter(|&step| step > 0)
            .collect();
        steps.sort_unstable();
        steps.get(steps.len() / 2).copied().unwrap_or(0)
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
        self.ns(ticks.saturating_sub(self.cost.mean))
    }

    /// The sentence about the clock that goes beside every result.
    #[must_use]
    pub fn describe(&self) -> String {
        let Cost { min, median, p99, mean, step } = self.cost;
        let ghz = (1_u64 << 32) as f64 / self.ns_per_4g_ticks as f64;
        format!(
            "clock: TSC at {ghz:.3} GHz between barriers; an empty bracket takes {mean} ticks ({} ns) on average, taken off \
             every value (least {min}, median {median}, p99 {p99}); readings advance in steps of {step} ticks ({} ns), so \
             single values are no finer",
            self.ns(mean),
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
        let Cost { min, median, p99, mean, step } = watch.cost;
        assert_eq!(watch.net_ns(mean), 0);
        assert!(min <= median && median <= p99 && (min..=p99).contains(&mean) && step > 0);
        let (ticks, ()) = watch.bracket(|| std::thread::sleep(std::time::Duration::from_millis(5)));
        assert!((5_000_000..500_000_000).contains(&watch.net_ns(ticks)), "{}", watch.net_ns(ticks));
        assert!(watch.describe().contains("GHz"));
    }

    #[test]
    fn sleeping_takes_no_cpu_time_and_working_does() {
        let asleep = ns_per_item(1, || std::thread::sleep(std::time::Duration::from_millis(50)));
        assert!(asleep < 25e6, "{asleep}");
        let working = ns_per_item(1, || {
            let start = cpu_time();
            while cpu_time() - start < Duration::from_millis(5) {}
        });
        assert!(working >= 5e6, "{working}");
    }
}
