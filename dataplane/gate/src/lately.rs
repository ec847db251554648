//! What a publisher has said lately, so that a record from the future takes nothing back that was said before it.
//!
//! To a reader whose clock is behind the publisher's, the newest record and any number before it are of the future: none of them
//! is believed by itself, and the last one that was live may be any of those that they replaced. So the spare copy of a record
//! ([`crate::twin`]) is not the one before it alone, but the tightest of all that was replaced, until for [`KEPT`] the publisher has
//! loosened nothing. That time is the publisher's own, in which a leap of its clock and a silence are no longer than the lease
//! that was in force: neither makes anything old. What a clock that goes right is held to is not touched: that is the newest
//! record, and the spare copy counts only beside one from the future, or for a writer that died inside one.

use alloc::{boxed::Box, vec};

use types::Nanos;

use crate::lease::Lease;

/// For how long what was replaced counts at least.
const KEPT: Nanos = Lease::SPAN_MAX;

/// A record of limits.
pub(crate) trait Said: Copy {
    /// From when and for how long it holds.
    fn lease(&self) -> Lease;

    /// With whatever `older` allows less of.
    fn tightened_by(&self, older: &Self) -> Self;

    /// Whether `next` allows anything that it does not.
    fn loosened_by(&self, next: &Self) -> bool;
}

/// For each row, for how long no record has loosened anything, in nanoseconds: after [`KEPT`] of that whatever was replaced is no
/// looser than what is in force now, or was replaced before.
#[derive(Debug)]
pub(crate) struct Lately(Box<[u64]>);

impl Lately {
    pub(crate) fn new(rows: usize) -> Self {
        Self(vec![0; rows].into())
    }

    /// Bytes that it takes for `rows`.
    pub(crate) const fn bytes(rows: usize) -> usize {
        rows * size_of::<u64>()
    }

    /// What is kept beside the record `next` of a row, which replaces `front`, whose spare copy is `kept`.
    pub(crate) fn keep<R: Said>(&mut self, row: usize, kept: Option<R>, front: R, next: &R) -> R {
        let Some(since_ns) = self.0.get_mut(row) else { return front };
        let Some(kept) = kept else {
            *since_ns = 0;
            return front;
        };
        let kept = front.tightened_by(&kept);
        let passed_ns = next.lease().granted.0.saturating_sub(front.lease().granted.0);
        *since_ns = since_ns.saturating_add(passed_ns.min(front.lease().span.0));
        if front.loosened_by(next) {
            *since_ns = 0;
        }
        if *since_ns < KEPT.0 {
            return kept;
        }
        *since_ns = 0;
        front
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;
    use types::UnixNanos;

    /// Two numbers, of which less is tighter.
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Pair([u32; 2], Lease);

    impl Said for Pair {
        fn lease(&self) -> Lease {
            self.1
        }

        fn tightened_by(&self, older: &Self) -> Self {
            let least = |at: usize| self.0[at].min(older.0[at]);
            Self([least(0), least(1)], self.1)
        }

        fn loosened_by(&self, next: &Self) -> bool {
            (0..2).any(|at| self.0[at] < next.0[at])
        }
    }

    proptest! {
        /// Against the whole list: whatever was replaced within the time of the publisher's own is kept, whatever its clock read
        /// meanwhile; and what is never said again for as long goes.
        #[test]
        fn whatever_was_replaced_lately_is_kept_and_the_rest_goes(
            said in proptest::collection::vec((1_u32..6, 1_u32..6, prop_oneof![0_u64..40_000, 0..1_u64 << 40], any::<bool>()), 2..40),
        ) {
            let mut lately = Lately::new(1);
            // Each with the publisher's own time at which it was replaced, in nanoseconds.
            let mut replaced: Vec<(Pair, u64)> = Vec::new();
            let (mut front, mut spare, mut own_ns, mut now) = (None::<Pair>, None, 0, 1_u64 << 50);
            for (a, b, ms, back) in said {
                now = if back { now - 1_000_000_000 } else { now + ms * 1_000_000 };
                let next = Pair([a, b], Lease::new(UnixNanos(now), Nanos(30_000_000_000)));
                if let Some(before) = front {
                    let passed = now.saturating_sub(before.1.granted.0).min(30_000_000_000);
                    own_ns += passed;
                    replaced.push((before, own_ns));
                    spare = Some(lately.keep(0, spare, before, &next));
                }
                front = Some(next);
                let Some(Pair(kept, _)) = spare else { continue };
                for (pair, at) in &replaced {
                    let held = |n: usize| kept[n].min(next.0[n]) <= pair.0[n];
                    prop_assert!(own_ns - at >= KEPT.0 || held(0) && held(1), "{pair:?} in {kept:?}");
                }
                prop_assert!((0..2).all(|n| replaced.iter().any(|(pair, _)| pair.0[n] == kept[n])));
            }
            // What is said alone for twice the time is all that is left.
            for _ in 0..6 {
                let (before, granted) = (front.unwrap(), front.unwrap().1.granted.0 + 30_000_000_000);
                let next = Pair([6, 6], Lease::new(UnixNanos(granted), Nanos(30_000_000_000)));
                spare = Some(lately.keep(0, spare, before, &next));
                front = Some(next);
            }
            prop_assert_eq!(spare.map(|pair| pair.0), Some([6, 6]));
        }
    }

    #[test]
    fn what_was_replaced_goes_as_soon_as_nothing_was_loosened_for_the_whole_time() {
        let at = |size, ns| Pair([size, size], Lease::new(UnixNanos(ns), KEPT));
        for (passed_ns, kept) in [(KEPT.0 - 1, 1), (KEPT.0, 2)] {
            let mut lately = Lately::new(1);
            let spare = lately.keep(0, Some(at(1, 1)), at(2, 1), &at(2, 1 + passed_ns));
            assert_eq!(spare.0, [kept, kept]);
        }
    }
}
