//! The time of order processes: the daemon's clock, carried on by a clock of the machine that nobody sets.
//!
//! The daemon says every few milliseconds how late it is, and how far that is ahead of `CLOCK_BOOTTIME`, which runs alike in every process
//! of the machine and goes on while it sleeps. Whoever reads both words knows the daemon's time without asking it: while it lives,
//! leases, quotes and orders are of one clock, whatever is done to the system's; when it is dead time goes on, leases end and quotes
//! grow old.

use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use types::UnixNanos;

/// How far a time that a caller gives may be after the daemon's last word to be taken for the daemon's time: it says one more often.
const FRESH_NS: u64 = 100_000_000;

/// How long reading two clocks may take for them to count as read at one moment.
const TOGETHER_NS: u64 = 100_000;

/// Tries for such a reading.
const TRIES: u32 = 16;

/// Within which time after a word of the daemon's a process attaches, by any clock that is the daemon's own.
const ATTACH_NS: u64 = 60_000_000_000;

/// Nanoseconds since the machine was started, asleep or not. Through the vDSO.
fn since_boot_ns() -> u64 {
    let t = clock_gettime(ClockId::Boottime);
    let part = |part: i64| u64::try_from(part).unwrap_or(0);
    part(t.tv_sec).saturating_mul(1_000_000_000).saturating_add(part(t.tv_nsec))
}

/// The words of the daemon's clock: its time when it last said it, and how far that is ahead of the time since boot. Zero before it
/// has.
#[derive(Clone, Copy, Debug)]
pub struct DaemonClock(&'static [AtomicU64; 2]);

impl DaemonClock {
    /// The clock whose words are the first of `words`.
    pub(crate) fn of(words: &'static [AtomicU64]) -> io::Result<Self> {
        words.first_chunk().map(Self).ok_or_else(|| io::Error::other("no room for a clock"))
    }

    /// How many words it has.
    pub(crate) const WORDS: usize = 2;

    /// Says how late it is; the daemon does, before anybody attaches and every few milliseconds from then on. `now` reads its clock,
    /// which never goes back. Where the thread was held up between two readings they are taken again, and where it is held up each time
    /// the words stay as they are.
    pub fn say(&self, now: impl Fn() -> UnixNanos) {
        let [at, ahead] = self.0;
        for attempt in 0..TRIES {
            let before = since_boot_ns();
            let now = now();
            let is_first = at.load(Ordering::Relaxed) == 0;
            if since_boot_ns().saturating_sub(before) <= TOGETHER_NS || is_first && attempt == TRIES - 1 {
                // Read before: a time that is too late by some microseconds makes nothing younger.
                ahead.store(now.0.wrapping_sub(before), Ordering::Relaxed);
                at.store(now.0, Ordering::Release);
                return;
            }
        }
    }

    /// The daemon's time, by its last word and the time since.
    fn read(&self, at: u64) -> UnixNanos {
        let [_, ahead] = self.0;
        UnixNanos(since_boot_ns().wrapping_add(ahead.load(Ordering::Relaxed)).max(at))
    }
}

/// The clock of one order thread. It never goes back.
#[derive(Debug)]
pub(crate) struct ThreadClock {
    daemon: DaemonClock,
    /// The latest time it gave.
    last: UnixNanos,
}

impl ThreadClock {
    /// # Errors
    /// When the time since boot is not the daemon's: a process in a time namespace of its own.
    pub(crate) fn new(daemon: DaemonClock) -> io::Result<Self> {
        let at = daemon.0[0].load(Ordering::Acquire);
        let ahead = daemon.0[1].load(Ordering::Relaxed);
        let now = since_boot_ns().wrapping_add(ahead);
        if at != 0 && !(at.saturating_sub(TOGETHER_NS)..at.saturating_add(ATTACH_NS)).contains(&now) {
            let what = format!(
                "found a time {} ns from the appliance's, wanted the same clocks: this process is in a time namespace of its own",
                now.wrapping_sub(at).cast_signed()
            );
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        }
        Ok(Self { daemon, last: UnixNanos(0) })
    }

    /// The time that an order is judged at which its sender has at `told`: that, where it may be the daemon's, and else the
    /// daemon's itself. So a caller whose clock was set is judged by the right one, and one that reads none may tell 0.
    #[inline]
    pub(crate) fn take(&mut self, told: UnixNanos) -> UnixNanos {
        self.last = self.look(told);
        self.last
    }

    /// The same without effect.
    #[inline]
    pub(crate) fn look(&self, told: UnixNanos) -> UnixNanos {
        let at = self.daemon.0[0].load(Ordering::Acquire);
        // A daemon that has not said its time is none that lets processes in: a test's, whose time is the caller's.
        let is_near = told.0.wrapping_sub(at) <= FRESH_NS || at == 0;
        let now = if is_near { told } else { self.daemon.read(at) };
        now.max(self.last)
    }

    /// What the daemon's clock says, for what was seen by another one; the end of time before it says anything.
    pub(crate) fn newest(&self) -> UnixNanos {
        let at = self.daemon.0[0].load(Ordering::Acquire);
        if at == 0 { UnixNanos(u64::MAX) } else { self.daemon.read(at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use types::Nanos;

    const S: u64 = 1_000_000_000;
    const HOUR: u64 = 3_600 * S;
    const NOW: UnixNanos = UnixNanos(1_700_000_000 * S);

    fn words() -> DaemonClock {
        DaemonClock::of(Box::leak(Box::new([AtomicU64::new(0), AtomicU64::new(0)]))).unwrap()
    }

    /// The daemon's clock, which says `now` at this moment, as it would say it.
    fn saying(daemon: DaemonClock, now: UnixNanos) {
        daemon.say(|| now);
    }

    #[test]
    fn a_clock_of_the_callers_that_was_set_is_not_believed_and_the_daemons_goes_on_without_it() {
        let daemon = words();
        saying(daemon, NOW);
        let mut clock = ThreadClock::new(daemon).unwrap();
        let near = NOW.plus(Nanos(FRESH_NS));
        assert_eq!((clock.take(NOW), clock.take(near)), (NOW, near), "the daemon's time");
        assert_eq!(clock.take(NOW), near, "it never goes back");
        for told in [0, NOW.0 - HOUR, NOW.0 + HOUR, NOW.0 - 1, u64::MAX] {
            let now = clock.take(UnixNanos(told));
            assert!((near.0..NOW.0 + 10 * S).contains(&now.0), "{told}: {now}");
        }
        // The daemon is dead: time goes on.
        let before = clock.look(UnixNanos(0));
        std::thread::sleep(std::time::Duration::from_millis(150));
        let after = clock.take(UnixNanos(0));
        assert!(after.since(before).0 >= 50_000_000, "{before} {after}");
        // It lives, and an hour has passed by its clock.
        saying(daemon, NOW.plus(Nanos(HOUR)));
        let later = clock.take(after);
        assert!((NOW.0 + HOUR..NOW.0 + HOUR + 10 * S).contains(&later.0), "{later}");
        assert!(clock.newest() >= later);
    }

    #[test]
    fn a_reading_that_was_held_up_is_taken_again_or_left() {
        let (daemon, count) = (words(), Cell::new(0));
        let slow = |always: bool| {
            let count = &count;
            move || {
                if always || count.replace(count.get() + 1) == 0 {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                NOW
            }
        };
        daemon.say(slow(false));
        assert!(count.get() > 1, "the first took too long");
        let ahead = || daemon.0[1].load(Ordering::Relaxed);
        let first = ahead();
        daemon.say(slow(true));
        assert_eq!(ahead(), first, "none was good enough");
        let fresh = words();
        fresh.say(slow(true));
        assert!(fresh.0[0].load(Ordering::Relaxed) != 0, "a first word there is");
    }

    #[test]
    fn a_process_whose_time_since_boot_is_another_is_refused() {
        let daemon = words();
        saying(daemon, NOW);
        for by in [HOUR, HOUR.wrapping_neg()] {
            let other = words();
            other.0[0].store(NOW.0, Ordering::Relaxed);
            other.0[1].store(daemon.0[1].load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
            let refused = ThreadClock::new(other).unwrap_err().to_string();
            assert!(refused.contains("time namespace"), "{refused}");
        }
        // Nobody says the time: it is the caller's.
        let mut alone = ThreadClock::new(words()).unwrap();
        assert_eq!((alone.take(NOW), alone.newest()), (NOW, UnixNanos(u64::MAX)));
    }
}
