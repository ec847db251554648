//! Order rates as a generic cell rate algorithm (ITU-T I.371, annex A): the token bucket that needs one word of state
//! and no division.
//!
//! The word is the *theoretical arrival time*: when the next order would be due if orders came exactly at the sustained
//! rate. An order conforms when it is not more than `(burst − 1)` intervals early; each accepted one moves the word an
//! interval on. So `burst` orders may come at once, and over any time `t` at most `burst + t / interval`.

use types::UnixNanos;

const SECOND_NS: u32 = 1_000_000_000;

/// The interval between orders at a sustained rate, rounded up, so that the rate is never exceeded.
pub(crate) const fn interval_ns(rate_per_s: u32) -> u32 {
    if rate_per_s == 0 { u32::MAX } else { SECOND_NS.div_ceil(rate_per_s) }
}

/// The rate of an interval, rounded to the nearest: exact for every rate up to [`crate::limits::RATE_MAX`].
pub(crate) const fn per_second(interval_ns: u32) -> u32 {
    match (SECOND_NS as u64 + interval_ns as u64 / 2).checked_div(interval_ns as u64) {
        Some(rate) => rate as u32,
        None => 0,
    }
}

/// How early an order may be: `burst − 1` intervals. A burst of zero is no legal one and counts as one.
#[inline(always)]
pub(crate) const fn early_max_ns(interval_ns: u32, burst: u32) -> u64 {
    (burst.saturating_sub(1) as u64).wrapping_mul(interval_ns as u64)
}

/// Whether one more order at `now` conforms.
#[inline(always)]
pub(crate) const fn conforms(due: UnixNanos, now: UnixNanos, early_max_ns: u64) -> bool {
    due.0 <= now.0 || due.0.wrapping_sub(now.0) <= early_max_ns
}

/// The word after an order at `now`.
#[inline(always)]
pub(crate) const fn after(due: UnixNanos, now: UnixNanos, interval_ns: u32) -> UnixNanos {
    let start = if due.0 > now.0 { due.0 } else { now.0 };
    UnixNanos(start.saturating_add(interval_ns as u64))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::limits::RATE_MAX;
    use proptest::prelude::*;

    #[test]
    fn every_legal_rate_survives_as_an_interval() {
        for rate in 1..=RATE_MAX {
            assert_eq!(per_second(interval_ns(rate)), rate);
        }
    }

    #[test]
    fn a_burst_passes_at_once_and_one_more_an_interval_later() {
        let (interval, burst, t0) = (interval_ns(300), 5, 1_000_000_000_000);
        let early_max = early_max_ns(interval, burst);
        let mut due = UnixNanos(0);
        for _ in 0..burst {
            assert!(conforms(due, UnixNanos(t0), early_max));
            due = after(due, UnixNanos(t0), interval);
        }
        assert!(!conforms(due, UnixNanos(t0), early_max));
        assert!(!conforms(due, UnixNanos(t0 + u64::from(interval) - 1), early_max));
        assert!(conforms(due, UnixNanos(t0 + u64::from(interval)), early_max));
    }

    #[test]
    fn without_a_rate_one_order_passes_in_four_seconds() {
        let due = after(UnixNanos(0), UnixNanos(5), interval_ns(0));
        assert!(!conforms(due, UnixNanos(6), early_max_ns(interval_ns(0), 1)));
        assert!(conforms(due, UnixNanos(6 + u64::from(u32::MAX)), early_max_ns(interval_ns(0), 1)));
    }

    proptest! {
        /// Against the definition, over every window of the history.
        #[test]
        fn no_window_holds_more_than_the_burst_and_the_rate_allow(
            rate in 1_u32..=2_000, burst in 1_u32..20, gaps in proptest::collection::vec(0_u64..5_000_000, 1..200),
        ) {
            let interval = interval_ns(rate);
            let (mut now, mut due) = (1_000_000_000_u64, UnixNanos(0));
            let mut accepted = std::vec::Vec::new();
            for gap in gaps {
                now += gap;
                if conforms(due, UnixNanos(now), early_max_ns(interval, burst)) {
                    due = after(due, UnixNanos(now), interval);
                    accepted.push(now);
                }
            }
            for (i, &from) in accepted.iter().enumerate() {
                for (n, &to) in accepted[i..].iter().enumerate() {
                    let allowed = u64::from(burst) + (to - from) / u64::from(interval);
                    prop_assert!((n as u64) < allowed, "{} orders in {} ns", n + 1, to - from);
                }
            }
        }
    }
}
