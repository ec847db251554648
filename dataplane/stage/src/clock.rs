//! The only place that reads a clock.
//!
//! Live stages share one [`TscClock`]: the CPU's time-stamp counter, scaled to nanoseconds since 1970 by a calibration of
//! our own against `CLOCK_REALTIME` (phase, rate) and `CLOCK_MONOTONIC_RAW` (the check that nobody stepped the former).
//! A cold thread recalibrates now and then; the correction is slewed into the rate, so that time never runs backwards
//! unless the system clock itself was stepped far. Replays share a [`SimClock`] that the driver sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use rustix::time::{ClockId, clock_gettime};
use types::UnixNanos;

/// Tells the time.
pub trait Clock {
    /// Nanoseconds since 1970 now.
    fn now(&self) -> UnixNanos;
}

fn read_ns(id: ClockId) -> u64 {
    let t = clock_gettime(id);
    let secs = u64::try_from(t.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(t.tv_nsec).unwrap_or(0);
    secs.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// `CLOCK_REALTIME` through the vDSO: 25 to 28 ns a reading, follows every step of the system clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsClock;

impl Clock for OsClock {
    fn now(&self) -> UnixNanos {
        UnixNanos(read_ns(ClockId::Realtime))
    }
}

/// The replay's clock: stands still until somebody sets it. Clones share the same hand.
#[derive(Clone, Debug, Default)]
pub struct SimClock {
    hand: Arc<AtomicU64>,
}

impl SimClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: UnixNanos) -> Self {
        Self { hand: Arc::new(AtomicU64::new(start.0)) }
    }

    /// Moves the hand to `to` unless it is already later: captures merge packets of several lines, and a simulated clock
    /// may stand still but never go back. Returns the time shown.
    pub fn advance_to(&self, to: UnixNanos) -> UnixNanos {
        let before = self.hand.fetch_max(to.0, Ordering::Relaxed);
        UnixNanos(before.max(to.0))
    }
}

impl Clock for SimClock {
    fn now(&self) -> UnixNanos {
        UnixNanos(self.hand.load(Ordering::Relaxed))
    }
}

/// Why the time-stamp counter cannot serve as a clock.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// The CPU does not promise a constant, never-stopping counter.
    #[error("the time-stamp counter is not a clock on this machine: /proc/cpuinfo lacks the flag `{flag}`")]
    FlagMissing {
        /// The flag that is missing.
        flag: &'static str,
    },
    /// `/proc/cpuinfo` cannot be read, so the promise cannot be checked.
    #[error("cannot read /proc/cpuinfo to check the time-stamp counter")]
    CpuInfo(#[source] std::io::Error),
    /// The counter did not advance, or advanced at a rate no counter has.
    #[error("the time-stamp counter advanced {ticks} ticks in {elapsed_ns} ns of CLOCK_MONOTONIC_RAW")]
    Rate {
        /// Ticks counted.
        ticks: u64,
        /// Nanoseconds in which they were counted.
        elapsed_ns: u64,
    },
}

/// Fraction bits of the rate: nanoseconds per tick, times 2^32.
const RATE_SHIFT: u32 = 32;
/// Length of the first calibration: 50 ns of reading error in 20 ms are 2.5 parts per million.
const FIRST_CALIBRATION_NS: u64 = 20_000_000;
/// A correction is spread over this time.
const SLEW_NS: i128 = 1_000_000_000;
/// The most a correction may change the rate, in parts per million.
const SLEW_PPM_MAX: i128 = 500;
/// An error beyond this is a step of the system clock and is followed at once.
const STEP_NS: u64 = 10_000_000;
/// Tries for a reading of counter and clock that nothing interrupted.
const READING_TRIES: u32 = 16;

/// `unix = base_unix + (ticks - base_ticks) * rate >> 32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Calibration {
    base_ticks: u64,
    base_unix_ns: u64,
    rate: u64,
}

impl Calibration {
    #[inline]
    fn to_unix(self, ticks: u64) -> u64 {
        // Another core's counter may read a little before the base: time then stands still.
        let elapsed = ticks.saturating_sub(self.base_ticks);
        let ns = (u128::from(elapsed) * u128::from(self.rate)) >> RATE_SHIFT;
        self.base_unix_ns.saturating_add(u64::try_from(ns).unwrap_or(u64::MAX))
    }
}

/// Calibration in use: a sequence lock over atomic words, one writer ([`TscCalibrator`]).
#[derive(Debug)]
struct Shared {
    version: AtomicU64,
    base_ticks: AtomicU64,
    base_unix_ns: AtomicU64,
    rate: AtomicU64,
}

impl Shared {
    fn new(c: Calibration) -> Self {
        Self {
            version: AtomicU64::new(0),
            base_ticks: AtomicU64::new(c.base_ticks),
            base_unix_ns: AtomicU64::new(c.base_unix_ns),
            rate: AtomicU64::new(c.rate),
        }
    }

    #[inline]
    fn load(&self) -> Calibration {
        loop {
            let before = self.version.load(Ordering::Acquire);
            let c = Calibration {
                base_ticks: self.base_ticks.load(Ordering::Relaxed),
                base_unix_ns: self.base_unix_ns.load(Ordering::Relaxed),
                rate: self.rate.load(Ordering::Relaxed),
            };
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == before {
                return c;
            }
            std::hint::spin_loop();
        }
    }

    fn store(&self, c: Calibration) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        self.base_ticks.store(c.base_ticks, Ordering::Relaxed);
        self.base_unix_ns.store(c.base_unix_ns, Ordering::Relaxed);
        self.rate.store(c.rate, Ordering::Relaxed);
        self.version.store(version + 2, Ordering::Release);
    }
}

/// One moment on three clocks.
#[derive(Clone, Copy, Debug)]
struct Reading {
    ticks: u64,
    unix_ns: u64,
    raw_ns: u64,
}

/// The counter and the clocks at (nearly) the same moment: the tightest of several brackets.
fn read_together(counter: &quanta::Clock) -> Reading {
    let mut best: Option<(u64, Reading)> = None;
    for _ in 0..READING_TRIES {
        let before = counter.raw();
        let unix_ns = read_ns(ClockId::Realtime);
        let raw_ns = read_ns(ClockId::MonotonicRaw);
        let width = counter.raw().saturating_sub(before);
        if best.is_none_or(|(narrowest, _)| width < narrowest) {
            best = Some((width, Reading { ticks: before + width / 2, unix_ns, raw_ns }));
        }
    }
    best.map_or(Reading { ticks: 0, unix_ns: 0, raw_ns: 0 }, |(_, reading)| reading)
}

fn rate_of(ns: u64, ticks: u64) -> Option<u64> {
    let rate = (u128::from(ns) << RATE_SHIFT).checked_div(u128::from(ticks))?;
    // Between 10 MHz and 100 GHz: anything else is not a time-stamp counter.
    let plausible = (1_u128 << RATE_SHIFT) / 100..=(1_u128 << RATE_SHIFT) * 100;
    if plausible.contains(&rate) { u64::try_from(rate).ok() } else { None }
}

/// The flag that keeps this CPU's counter from being a clock, if one is missing.
fn missing_flag(cpuinfo: &str) -> Option<&'static str> {
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags")).unwrap_or("");
    ["constant_tsc", "nonstop_tsc"].into_iter().find(|wanted| !flags.split_whitespace().any(|f| f == *wanted))
}

fn check_flags() -> Result<(), CalibrationError> {
    // Elsewhere (aarch64) the architecture itself promises a constant counter.
    if !cfg!(target_arch = "x86_64") {
        return Ok(());
    }
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").map_err(CalibrationError::CpuInfo)?;
    match missing_flag(&cpuinfo) {
        Some(flag) => Err(CalibrationError::FlagMissing { flag }),
        None => Ok(()),
    }
}

/// The CPU's time-stamp counter as a clock: 12 to 15 ns a reading, no system call. Clones share one calibration.
#[derive(Clone, Debug)]
pub struct TscClock {
    counter: quanta::Clock,
    shared: Arc<Shared>,
}

impl TscClock {
    /// Calibrates for about 20 ms and returns the clock and the one handle that may correct it.
    ///
    /// # Errors
    ///
    /// [`CalibrationError`] when the CPU does not promise a constant, never-stopping counter, or the counter does not
    /// behave like one.
    pub fn calibrate() -> Result<(Self, TscCalibrator), CalibrationError> {
        check_flags()?;
        let counter = quanta::Clock::new();
        let first = read_together(&counter);
        std::thread::sleep(std::time::Duration::from_nanos(FIRST_CALIBRATION_NS));
        let last = read_together(&counter);
        let ticks = last.ticks.saturating_sub(first.ticks);
        let elapsed_ns = last.raw_ns.saturating_sub(first.raw_ns);
        let rate = rate_of(elapsed_ns, ticks).ok_or(CalibrationError::Rate { ticks, elapsed_ns })?;
        let start = Calibration { base_ticks: last.ticks, base_unix_ns: last.unix_ns, rate };
        let shared = Arc::new(Shared::new(start));
        let calibrator =
            TscCalibrator { counter: counter.clone(), shared: Arc::clone(&shared), previous: last };
        Ok((Self { counter, shared }, calibrator))
    }
}

impl Clock for TscClock {
    #[inline]
    fn now(&self) -> UnixNanos {
        UnixNanos(self.shared.load().to_unix(self.counter.raw()))
    }
}

/// What a recalibration found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recalibration {
    /// System clock minus ours, before the correction.
    pub error_ns: i64,
    /// Whether the error was followed at once instead of slewed.
    pub stepped: bool,
}

/// Keeps a [`TscClock`] on the system's time. There is one per clock; a cold thread calls it once a second or so.
#[derive(Debug)]
pub struct TscCalibrator {
    counter: quanta::Clock,
    shared: Arc<Shared>,
    previous: Reading,
}

impl TscCalibrator {
    /// Measures rate and error since the last call and corrects the clock: an error below 10 ms is spread over the next
    /// second (at most 500 ppm), a larger one is a step of the system clock and is followed at once.
    pub fn recalibrate(&mut self) -> Recalibration {
        let reading = read_together(&self.counter);
        let (next, outcome) = correct(self.shared.load(), self.previous, reading);
        self.shared.store(next);
        self.previous = reading;
        outcome
    }
}

/// The calibration that follows `current`, given two readings of the clocks.
fn correct(current: Calibration, previous: Reading, reading: Reading) -> (Calibration, Recalibration) {
    let shown = current.to_unix(reading.ticks);
    let error = i128::from(reading.unix_ns) - i128::from(shown);
    let error_ns = i64::try_from(error).unwrap_or(if error < 0 { i64::MIN } else { i64::MAX });
    let rate = measured_rate(previous, reading).unwrap_or(current.rate);
    let stepped = error_ns.unsigned_abs() > STEP_NS;
    if stepped {
        let next = Calibration { base_ticks: reading.ticks, base_unix_ns: reading.unix_ns, rate };
        return (next, Recalibration { error_ns, stepped });
    }
    let bound = i128::from(rate) * SLEW_PPM_MAX / 1_000_000;
    let slew = (i128::from(rate) * error / SLEW_NS).clamp(-bound, bound);
    let rate = u64::try_from(i128::from(rate) + slew).unwrap_or(rate);
    (
        Calibration { base_ticks: reading.ticks, base_unix_ns: shown, rate },
        Recalibration { error_ns, stepped },
    )
}

/// The counter's rate since `previous` by the system clock, or by the raw one when the two disagree by more than 500 ppm,
/// that is, when the system clock was stepped in between.
fn measured_rate(previous: Reading, reading: Reading) -> Option<u64> {
    let ticks = reading.ticks.saturating_sub(previous.ticks);
    let raw = reading.raw_ns.saturating_sub(previous.raw_ns);
    let unix = reading.unix_ns.saturating_sub(previous.unix_ns);
    let tolerance = raw / 2_000;
    rate_of(if unix.abs_diff(raw) <= tolerance { unix } else { raw }, ticks)
}

/// The clock of a live process: the counter where it can be trusted, else the system call.
#[derive(Clone, Debug)]
pub enum LiveClock {
    /// Time-stamp counter.
    Tsc(TscClock),
    /// `CLOCK_REALTIME`.
    Os(OsClock),
}

impl LiveClock {
    /// The best clock of this machine. With the counter comes its calibrator; without, the reason why not.
    pub fn best() -> (Self, Result<TscCalibrator, CalibrationError>) {
        match TscClock::calibrate() {
            Ok((clock, calibrator)) => (Self::Tsc(clock), Ok(calibrator)),
            Err(why) => (Self::Os(OsClock), Err(why)),
        }
    }
}

impl Clock for LiveClock {
    #[inline]
    fn now(&self) -> UnixNanos {
        match self {
            Self::Tsc(clock) => clock.now(),
            Self::Os(clock) => clock.now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_missing_flag_is_named() {
        let line = |flags: &str| format!("processor\t: 0\nflags\t\t: fpu tsc {flags} sse2\n");
        assert_eq!(missing_flag(&line("constant_tsc nonstop_tsc")), None);
        assert_eq!(missing_flag(&line("constant_tsc")), Some("nonstop_tsc"));
        assert_eq!(missing_flag(&line("nonstop_tsc_s3 nonstop_tsc")), Some("constant_tsc"));
        assert_eq!(missing_flag(""), Some("constant_tsc"));
    }

    #[test]
    fn the_counter_agrees_with_the_system_clock() {
        let (clock, mut calibrator) = match TscClock::calibrate() {
            Ok(pair) => pair,
            Err(why) => {
                ::tests::skip(::tests::Need::InvariantTsc, &why.to_string());
                return;
            }
        };
        let before = clock.now();
        let found = calibrator.recalibrate();
        let after = clock.now();
        assert!(found.error_ns.unsigned_abs() < STEP_NS && !found.stepped, "{found:?}");
        assert!(after >= before);
        assert!(clock.now().0.abs_diff(OsClock.now().0) < STEP_NS);
    }

    #[test]
    fn a_simulated_clock_never_goes_back_and_is_shared() {
        let clock = SimClock::new(UnixNanos(10));
        let other = clock.clone();
        assert_eq!(other.advance_to(UnixNanos(30)), UnixNanos(30));
        assert_eq!(clock.advance_to(UnixNanos(20)), UnixNanos(30));
        assert_eq!(clock.now(), UnixNanos(30));
    }

    const GHZ_2: Calibration =
        Calibration { base_ticks: 1_000, base_unix_ns: 5_000, rate: 1 << (RATE_SHIFT - 1) };

    #[test]
    fn ticks_scale_and_stop_before_the_base() {
        assert_eq!(GHZ_2.to_unix(1_000 + 2_000_000_000), 5_000 + 1_000_000_000);
        assert_eq!(GHZ_2.to_unix(10), 5_000);
        // A year of ticks does not overflow.
        assert_eq!(GHZ_2.to_unix(1_000 + 2 * 31_536_000 * 1_000_000_000), 5_000 + 31_536_000 * 1_000_000_000);
    }

    #[test]
    fn a_small_error_is_slewed_away_and_a_large_one_followed() {
        let at = |ticks, unix_ns, raw_ns| Reading { ticks, unix_ns, raw_ns };
        let second = 2_000_000_000;
        // One second later the system clock is 100 µs ahead of ours.
        let (next, found) =
            correct(GHZ_2, at(1_000, 5_000, 0), at(1_000 + second, 5_000 + 1_000_100_000, 1_000_000_000));
        assert_eq!(found, Recalibration { error_ns: 100_000, stepped: false });
        assert_eq!(next.to_unix(1_000 + second), 5_000 + 1_000_000_000, "continuous at the correction");
        let after = next.to_unix(1_000 + 2 * second);
        let truth = 5_000 + 2 * 1_000_100_000;
        assert!(after.abs_diff(truth) < 100, "{after} {truth}");
        // The system clock jumps an hour: followed at once, at the raw clock's rate.
        let hour = 3_600_000_000_000;
        let (next, found) = correct(
            GHZ_2,
            at(1_000, 5_000, 0),
            at(1_000 + second, 5_000 + 1_000_000_000 + hour, 1_000_000_000),
        );
        assert!(found.stepped);
        assert_eq!(next.rate, GHZ_2.rate);
        assert_eq!(next.to_unix(1_000 + second), 5_000 + 1_000_000_000 + hour);
    }

    #[test]
    fn a_reader_never_sees_half_a_calibration() {
        let shared = Arc::new(Shared::new(Calibration { base_ticks: 0, base_unix_ns: 0, rate: 0 }));
        let writer = Arc::clone(&shared);
        let handle = std::thread::spawn(move || {
            for n in 1..=50_000 {
                writer.store(Calibration { base_ticks: n, base_unix_ns: 2 * n, rate: 3 * n });
            }
        });
        while !handle.is_finished() {
            let c = shared.load();
            assert_eq!((c.base_unix_ns, c.rate), (2 * c.base_ticks, 3 * c.base_ticks));
        }
        handle.join().unwrap();
    }

    proptest! {
        #[test]
        fn a_correction_below_the_step_never_turns_time_back(
            error in -9_000_000_i64..9_000_000, elapsed_ms in 1_u64..10_000, later in 0_u64..10_000_000_000
        ) {
            let ticks = elapsed_ms * 2_000_000;
            let raw_ns = elapsed_ms * 1_000_000;
            let unix_ns = (5_000_i64 + raw_ns as i64 + error).max(0) as u64;
            let (next, found) = correct(
                GHZ_2,
                Reading { ticks: 1_000, unix_ns: 5_000, raw_ns: 0 },
                Reading { ticks: 1_000 + ticks, unix_ns, raw_ns },
            );
            prop_assert!(!found.stepped);
            prop_assert!(next.to_unix(1_000 + ticks + later) >= GHZ_2.to_unix(1_000 + ticks));
        }
    }
}
