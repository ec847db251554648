//! The only place that reads a clock.
//!
//! Live stages share one [`TscClock`]: the CPU's time-stamp counter, scaled to nanoseconds since 1970 by a calibration of
//! our own against `CLOCK_REALTIME` (phase, rate) and `CLOCK_MONOTONIC_RAW` (the check that nobody stepped the former).
//! A cold thread calls [`TscCalibrator::keep`], which corrects once a second; the correction is slewed into the rate, so that
//! time never runs backwards, whatever is done to the system clock. A replay's driver says the time itself.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock};

use rustix::time::{ClockId, clock_gettime};
use types::{Nanos, UnixNanos};

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
/// A correction is spread over this time, where the slew allows it.
const SLEW_NS: i128 = 1_000_000_000;
/// The most an ordinary correction may change the rate, in parts per million.
const SLEW_PPM_MAX: i128 = 500;
/// An error beyond this is a step of the system clock: it is followed as well, faster, but slewed all the same.
const STEP_NS: u64 = 10_000_000;
/// The most the rate may change after a step: an hour is made up in ten. Leases and timeouts are off by as much meanwhile.
const STEP_SLEW_PPM_MAX: i128 = 100_000;
/// How far ahead a correction takes effect. No reader may have read a later moment by the old line when it does.
const LEAD_NS: u64 = 20_000_000;
/// What must be left of it when the correction is published; otherwise another moment is chosen.
const LEAD_NS_MIN: u64 = 10_000_000;
/// How often [`TscCalibrator::keep`] corrects.
const RECALIBRATION: Nanos = Nanos(1_000_000_000);
/// Tries for a reading of counter and clock that nothing interrupted.
const READING_TRIES: u32 = 16;

/// Unix time by counter: two straight lines that meet at `base`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Calibration {
    base_ticks: u64,
    base_unix_ns: u64,
    /// Nanoseconds per tick before the base, times 2^32.
    rate_before: u64,
    /// The same from the base on.
    rate: u64,
}

impl Calibration {
    #[inline]
    fn to_unix(self, ticks: u64) -> u64 {
        if ticks >= self.base_ticks {
            return self.base_unix_ns.saturating_add(scale(ticks - self.base_ticks, self.rate));
        }
        self.base_unix_ns.saturating_sub(scale_up(self.base_ticks - ticks, self.rate_before))
    }

    /// The line in force at `ticks`, as one that has no bend.
    fn rate_at(self, ticks: u64) -> u64 {
        if ticks >= self.base_ticks { self.rate } else { self.rate_before }
    }
}

/// Nanoseconds of so many ticks, rounded down.
#[inline]
fn scale(ticks: u64, rate: u64) -> u64 {
    let ns = (u128::from(ticks) * u128::from(rate)) >> RATE_SHIFT;
    u64::try_from(ns).unwrap_or(u64::MAX)
}

/// The same, rounded up: what lies before a base must not come out after it.
#[inline]
fn scale_up(ticks: u64, rate: u64) -> u64 {
    let ns = (u128::from(ticks) * u128::from(rate)).div_ceil(1 << RATE_SHIFT);
    u64::try_from(ns).unwrap_or(u64::MAX)
}

/// One calibration in atomic words.
#[derive(Debug, Default)]
struct Words([AtomicU64; 4]);

impl Words {
    #[inline]
    fn load(&self) -> Calibration {
        let [base_ticks, base_unix_ns, rate_before, rate] =
            self.0.each_ref().map(|word| word.load(Ordering::Relaxed));
        Calibration { base_ticks, base_unix_ns, rate_before, rate }
    }

    fn store(&self, c: Calibration) {
        let words = [c.base_ticks, c.base_unix_ns, c.rate_before, c.rate];
        for (word, value) in self.0.iter().zip(words) {
            word.store(value, Ordering::Relaxed);
        }
    }
}

/// The calibration in use, in two copies: one writer ([`TscCalibrator`]) fills the copy that nobody is sent to and then sends
/// readers there, so that a reader waits for no writer, not even for one that was preempted.
#[derive(Debug, Default)]
struct Shared {
    /// Its lowest bit says which copy holds.
    version: AtomicU64,
    copies: [Words; 2],
    /// Nanoseconds that the clock has gone more than the time that passed, as of the last correction.
    steered_ns: AtomicI64,
}

impl Shared {
    fn new(c: Calibration) -> Self {
        let shared = Self::default();
        shared.copies[0].store(c);
        shared
    }

    /// The calibration in force while `read` ran, and what it read. A second try is needed only when a correction was
    /// published meanwhile.
    #[inline]
    fn load_with<T>(&self, read: impl Fn() -> T) -> (Calibration, T) {
        loop {
            let version = self.version.load(Ordering::Acquire);
            let calibration = self.copies[usize::from(version & 1 == 1)].load();
            let value = read();
            fence(Ordering::Acquire);
            if self.version.load(Ordering::Relaxed) == version {
                return (calibration, value);
            }
        }
    }

    fn load(&self) -> Calibration {
        self.load_with(|| ()).0
    }

    fn store(&self, c: Calibration) {
        let version = self.version.load(Ordering::Relaxed);
        // Before the words change: a reader that still reads this copy must see a newer version afterwards.
        fence(Ordering::Release);
        self.copies[usize::from(version & 1 == 0)].store(c);
        self.version.store(version + 1, Ordering::Release);
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
        let start =
            Calibration { base_ticks: last.ticks, base_unix_ns: last.unix_ns, rate_before: rate, rate };
        let shared = Arc::new(Shared::new(start));
        let due = UnixNanos(last.unix_ns).plus(RECALIBRATION);
        let calibrator = TscCalibrator {
            counter: counter.clone(),
            shared: Arc::clone(&shared),
            previous: last,
            shown: last.unix_ns,
            due,
        };
        Ok((Self { counter, shared }, calibrator))
    }

    /// Nanoseconds that this clock has gone more than the time that passed, to follow a system clock that was set, as of the last
    /// correction.
    #[must_use]
    pub fn steered_ns(&self) -> i64 {
        self.shared.steered_ns.load(Ordering::Relaxed)
    }
}

impl Clock for TscClock {
    #[inline]
    fn now(&self) -> UnixNanos {
        let (calibration, ticks) = self.shared.load_with(|| self.counter.raw());
        UnixNanos(calibration.to_unix(ticks))
    }
}

/// What a recalibration found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recalibration {
    /// System clock minus ours, before the correction.
    pub error_ns: i64,
    /// Whether that is too much for a drift: somebody set the system clock. It is made up faster, and takes a while.
    pub stepped: bool,
}

/// Keeps a [`TscClock`] on the system's time. There is one per clock, on a cold thread.
#[derive(Debug)]
pub struct TscCalibrator {
    counter: quanta::Clock,
    shared: Arc<Shared>,
    previous: Reading,
    /// What the clock showed then.
    shown: u64,
    due: UnixNanos,
}

impl TscCalibrator {
    /// Corrects the clock when a second has passed since the last time; to be called more often than that.
    pub fn keep(&mut self) -> Option<Recalibration> {
        let now = UnixNanos(self.shared.load().to_unix(self.counter.raw()));
        if now < self.due {
            return None;
        }
        self.due = now.plus(RECALIBRATION);
        Some(self.recalibrate())
    }

    /// Measures rate and error since the last call and corrects the clock: the error is spread over the next second at no
    /// more than 500 ppm, or ten per cent when somebody set the system clock.
    ///
    /// The correction takes effect a little later, so that no reader has passed that moment by the old line when the new
    /// one is published: both lines are one until then.
    fn recalibrate(&mut self) -> Recalibration {
        let reading = read_together(&self.counter);
        loop {
            let current = self.shared.load();
            let lead = ticks_of(LEAD_NS, current.rate_at(reading.ticks));
            let base_ticks = self.counter.raw().saturating_add(lead).max(current.base_ticks);
            let (next, outcome) = correct(current, self.previous, reading, base_ticks);
            // Only a thread that was held up between here and there for the lead's other half could come too late.
            let least = ticks_of(LEAD_NS_MIN, next.rate_before);
            if base_ticks.saturating_sub(self.counter.raw()) >= least {
                self.shared.store(next);
                let shown = current.to_unix(reading.ticks);
                let steered = steered_ns(self.previous, reading, shown.saturating_sub(self.shown));
                self.shared.steered_ns.fetch_add(steered, Ordering::Relaxed);
                (self.previous, self.shown) = (reading, shown);
                return outcome;
            }
        }
    }
}

/// Ticks in so many nanoseconds.
fn ticks_of(ns: u64, rate: u64) -> u64 {
    let ticks = (u128::from(ns) << RATE_SHIFT) / u128::from(rate.max(1));
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// The calibration that follows `current` from `base_ticks` on, given two readings of the clocks.
fn correct(
    current: Calibration,
    previous: Reading,
    reading: Reading,
    base_ticks: u64,
) -> (Calibration, Recalibration) {
    let shown = current.to_unix(reading.ticks);
    let error = i128::from(reading.unix_ns) - i128::from(shown);
    let error_ns = i64::try_from(error).unwrap_or(if error < 0 { i64::MIN } else { i64::MAX });
    let measured = measured_rate(previous, reading).unwrap_or(current.rate);
    let stepped = error_ns.unsigned_abs() > STEP_NS;
    let ppm_max = if stepped { STEP_SLEW_PPM_MAX } else { SLEW_PPM_MAX };
    let bound = i128::from(measured) * ppm_max / 1_000_000;
    let slew = (i128::from(measured) * error / SLEW_NS).clamp(-bound, bound);
    let rate = u64::try_from(i128::from(measured) + slew).unwrap_or(measured);
    let rate_before = current.rate_at(base_ticks);
    let next = Calibration { base_ticks, base_unix_ns: current.to_unix(base_ticks), rate_before, rate };
    (next, Recalibration { error_ns, stepped })
}

/// How much more than the time that passed between two readings a clock has gone that went on by `shown_ns`.
fn steered_ns(previous: Reading, reading: Reading, shown_ns: u64) -> i64 {
    let ticks = reading.ticks.saturating_sub(previous.ticks);
    let passed = measured_rate(previous, reading).map_or(shown_ns, |rate| scale(ticks, rate));
    shown_ns.cast_signed().saturating_sub(passed.cast_signed())
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

fn os_steered_ns() -> i64 {
    static FIRST: OnceLock<i64> = OnceLock::new();
    let ahead = || read_ns(ClockId::Realtime).cast_signed() - read_ns(ClockId::MonotonicRaw).cast_signed();
    let now = ahead();
    now - *FIRST.get_or_init(|| now)
}

impl LiveClock {
    /// The best clock of this machine. With the counter comes its calibrator; without, the reason why not.
    pub fn best() -> (Self, Result<TscCalibrator, CalibrationError>) {
        match TscClock::calibrate() {
            Ok((clock, calibrator)) => (Self::Tsc(clock), Ok(calibrator)),
            Err(why) => (Self::Os(OsClock), Err(why)),
        }
    }

    /// As [`TscClock::steered_ns`]; of the system clock itself how much more than the raw one it has gone since this was first asked.
    #[inline]
    #[must_use]
    pub fn steered_ns(&self) -> i64 {
        match self {
            Self::Tsc(clock) => clock.steered_ns(),
            Self::Os(_) => os_steered_ns(),
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

    /// Readers on other threads see time go forward only, while the clock is corrected far more often than in service.
    #[test]
    fn the_counter_follows_the_system_clock_and_never_goes_back() {
        let (clock, mut calibrator) = match TscClock::calibrate() {
            Ok(pair) => pair,
            Err(why) => {
                ::tests::skip(::tests::Need::InvariantTsc, &why.to_string());
                return;
            }
        };
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let readers = [(); 2].map(|()| {
            let (clock, stop) = (clock.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut last = clock.now();
                while !stop.load(Ordering::Relaxed) {
                    let now = clock.now();
                    assert!(now >= last, "{now} after {last}");
                    last = now;
                }
            })
        });
        assert_eq!(calibrator.keep(), None, "a second has not passed");
        for _ in 0..10 {
            calibrator.due = UnixNanos(0);
            let found = calibrator.keep().unwrap();
            assert!(found.error_ns.unsigned_abs() < STEP_NS && !found.stepped, "{found:?}");
            std::thread::sleep(std::time::Duration::from_millis(25));
        }
        stop.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        assert!(clock.now().0.abs_diff(OsClock.now().0) < STEP_NS);
    }

    const GHZ_2: Calibration = Calibration {
        base_ticks: 1_000,
        base_unix_ns: 5_000,
        rate_before: 1 << (RATE_SHIFT - 1),
        rate: 1 << (RATE_SHIFT - 1),
    };

    const SECOND: u64 = 2_000_000_000;

    fn at(ticks: u64, unix_ns: u64, raw_ns: u64) -> Reading {
        Reading { ticks, unix_ns, raw_ns }
    }

    #[test]
    fn ticks_scale_on_both_sides_of_the_base() {
        assert_eq!(GHZ_2.to_unix(1_000 + 2_000_000_000), 5_000 + 1_000_000_000);
        assert_eq!((GHZ_2.to_unix(998), GHZ_2.to_unix(997)), (4_999, 4_998));
        // A year of ticks does not overflow.
        assert_eq!(GHZ_2.to_unix(1_000 + 2 * 31_536_000 * 1_000_000_000), 5_000 + 31_536_000 * 1_000_000_000);
        let faster = Calibration { rate: GHZ_2.rate * 2, ..GHZ_2 };
        assert_eq!((faster.to_unix(998), faster.to_unix(1_002)), (4_999, 5_002));
        assert_eq!((faster.rate_at(999), faster.rate_at(1_000)), (GHZ_2.rate, GHZ_2.rate * 2));
    }

    #[test]
    fn a_drift_is_made_up_within_a_second() {
        // One second later the system clock is 100 µs ahead of ours.
        let reading = at(1_000 + SECOND, 5_000 + 1_000_100_000, 1_000_000_000);
        let (next, found) = correct(GHZ_2, at(1_000, 5_000, 0), reading, 1_000 + SECOND);
        assert_eq!(found, Recalibration { error_ns: 100_000, stepped: false });
        assert_eq!(next.to_unix(1_000 + SECOND), 5_000 + 1_000_000_000, "continuous at the correction");
        let after = next.to_unix(1_000 + 2 * SECOND);
        let truth = 5_000 + 2 * 1_000_100_000;
        assert!(after.abs_diff(truth) < 100, "{after} {truth}");
    }

    /// Somebody sets the system clock an hour forward or back: ours follows at ten per cent, and never turns back.
    #[test]
    fn a_step_of_the_system_clock_is_slewed() {
        let hour = 3_600_000_000_000_i64;
        for step in [hour, -hour] {
            let start = 4 * hour as u64;
            let clock = Calibration { base_unix_ns: start, ..GHZ_2 };
            let unix_ns = (start + 1_000_000_000).saturating_add_signed(step);
            let reading = at(1_000 + SECOND, unix_ns, 1_000_000_000);
            let (next, found) = correct(clock, at(1_000, start, 0), reading, 1_000 + SECOND);
            assert!(found.stepped);
            assert_eq!(found.error_ns, step);
            let gained = next.to_unix(1_000 + 2 * SECOND) - clock.to_unix(1_000 + SECOND);
            assert_eq!(gained, if step > 0 { 1_100_000_000 - 1 } else { 900_000_000 });
            let later = at(1_000 + 2 * SECOND, unix_ns + 1_000_000_000, 2_000_000_000);
            let steered = steered_ns(reading, later, gained);
            assert_eq!(steered, if step > 0 { 100_000_000 - 1 } else { -100_000_000 });
            assert_eq!(steered_ns(at(1_000, start, 0), reading, 1_000_000_000), 0, "not yet");
        }
    }

    #[test]
    fn a_reader_never_sees_half_a_calibration() {
        let shared = Arc::new(Shared::default());
        let writer = Arc::clone(&shared);
        let handle = std::thread::spawn(move || {
            for n in 1..=50_000 {
                writer.store(Calibration {
                    base_ticks: n,
                    base_unix_ns: 2 * n,
                    rate_before: 3 * n,
                    rate: 4 * n,
                });
            }
        });
        while !handle.is_finished() {
            let c = shared.load();
            assert_eq!(
                (c.base_unix_ns, c.rate_before, c.rate),
                (2 * c.base_ticks, 3 * c.base_ticks, 4 * c.base_ticks)
            );
        }
        handle.join().unwrap();
    }

    proptest! {
        /// Whatever the system clock does, the new line begins where the old one is, and both go forward.
        #[test]
        fn no_correction_turns_time_back(
            error in -5_000_000_000_000_i64..5_000_000_000_000,
            elapsed_ms in 1_u64..10_000,
            lead in 0_u64..100_000_000,
            steps in prop::collection::vec(0_u64..50_000_000, 2..20),
        ) {
            let ticks = elapsed_ms * 2_000_000;
            let raw_ns = elapsed_ms * 1_000_000;
            let start = 10_000_000_000_000;
            let clock = Calibration { base_unix_ns: start, ..GHZ_2 };
            let reading = at(1_000 + ticks, (start + raw_ns).saturating_add_signed(error), raw_ns);
            let base = 1_000 + ticks + lead;
            let (next, found) = correct(clock, at(1_000, start, 0), reading, base);
            prop_assert_eq!(found.stepped, error.unsigned_abs() > STEP_NS);
            prop_assert_eq!(next.to_unix(base), clock.to_unix(base));
            // The old line before the correction takes effect, the new one from wherever a reader meets it.
            let mut now = 1_000 + ticks;
            let mut last = clock.to_unix(now);
            for step in steps {
                now += step;
                let shown = next.to_unix(now);
                prop_assert!(shown >= last.saturating_sub(u64::from(now < base)), "{} after {}", shown, last);
                last = shown.max(last);
                if now < base {
                    // Rounding aside, both lines are one.
                    prop_assert!(clock.to_unix(now).abs_diff(shown) <= 1);
                }
            }
        }
    }
}
