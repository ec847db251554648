//! For how long a published limit holds.

use types::{Nanos, UnixNanos};

/// For how long a published limit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// From when.
    pub granted: UnixNanos,
    /// For how long, in whole milliseconds; [`Lease::SPAN_MAX`] at most.
    pub span: Nanos,
}

impl Lease {
    /// Longest lease: what 16 bits of milliseconds hold, 65.5 s. A lease is a heartbeat; limits that should hold for
    /// longer without a word from their publisher are static ones.
    pub const SPAN_MAX: Nanos = Nanos(u16::MAX as u64 * 1_000_000);
    /// How far the publisher's clock may run ahead of the reader's before a record counts as one from the future.
    pub const SKEW_MAX: Nanos = Nanos::MILLI;

    /// A lease that a slot can hold: cut to whole milliseconds and to [`Lease::SPAN_MAX`], towards the shorter.
    #[must_use]
    pub const fn new(granted: UnixNanos, span: Nanos) -> Self {
        let ns = if span.0 > Self::SPAN_MAX.0 { Self::SPAN_MAX.0 } else { span.0 };
        Self { granted, span: Nanos(ns - ns % 1_000_000) }
    }

    /// When it ends.
    #[inline]
    #[must_use]
    pub const fn end(self) -> UnixNanos {
        self.granted.plus(self.span)
    }

    /// Whether it was granted later than a clock skew ahead of `now`.
    #[must_use]
    pub const fn is_future(self, now: UnixNanos) -> bool {
        self.granted.0 > now.0.saturating_add(Self::SKEW_MAX.0)
    }

    /// Whether it holds at `now`: granted not later than a clock skew ahead, and not ended.
    #[inline]
    #[must_use]
    pub const fn holds(self, now: UnixNanos) -> bool {
        // Both ends in one comparison: a grant later than the skew wraps to an enormous age.
        now.0.wrapping_add(Self::SKEW_MAX.0).wrapping_sub(self.granted.0)
            < self.span.0.wrapping_add(Self::SKEW_MAX.0)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_lease_is_never_longer_than_granted_and_ends_when_it_says(granted in 0_u64..1 << 62, span: u64, at: u64) {
            let lease = Lease::new(UnixNanos(granted), Nanos(span));
            prop_assert!(lease.span.0 <= span);
            prop_assert!(!lease.holds(lease.end()));
            if at >= granted && at < lease.end().0 {
                prop_assert!(lease.holds(UnixNanos(at)));
            }
        }
    }

    #[test]
    fn a_record_from_the_future_does_not_hold() {
        let lease = Lease::new(UnixNanos(10_000_000_000), Nanos::SECOND);
        assert!(lease.holds(UnixNanos(10_000_000_000 - Lease::SKEW_MAX.0)));
        assert!(!lease.holds(UnixNanos(10_000_000_000 - Lease::SKEW_MAX.0 - 1)));
        assert!(lease.is_future(UnixNanos(10_000_000_000 - Lease::SKEW_MAX.0 - 1)));
        assert!(
            !lease.is_future(UnixNanos(10_000_000_000 - Lease::SKEW_MAX.0)) && !lease.is_future(lease.end())
        );
    }
}
