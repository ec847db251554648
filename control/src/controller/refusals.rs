//! What was refused: counted always, recorded in the audit log at a bounded rate, so that nobody can fill the disk by being
//! refused.

use crate::audit::{Actor, Entry as Record};
use crate::protocol::RefusalCounts;
use crate::stamp::Stamp;
use std::collections::BTreeMap;
use types::UnixNanos;

const SECOND_NS: u64 = 1_000_000_000;

/// Records of one user at once, and how long until one more.
const USER: Rate = Rate { burst: 10, every_ns: 60 * SECOND_NS };

/// Records of all users at once, and how long until one more.
const ALL: Rate = Rate { burst: 60, every_ns: 10 * SECOND_NS };

/// Users whose rate is remembered; beyond them, the rate of all holds alone.
const USERS_MAX: usize = 1_024;

/// How often the number of unrecorded refusals is recorded.
const SUMMARY_NS: u64 = 600 * SECOND_NS;

/// Records that wait to be written; while a disk hangs for longer, refusals are counted alone.
const NOTED_MAX: usize = 256;

#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: u64,
    every_ns: u64,
}

/// A bucket that fills with time. Holds the moment at which it would have been empty: one number says both how much is in it
/// and since when.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    empty_at: u64,
}

impl Bucket {
    fn take(&mut self, rate: Rate, now: UnixNanos) -> bool {
        let oldest = now.0.saturating_sub(rate.burst * rate.every_ns);
        let from = self.empty_at.clamp(oldest, now.0);
        let enough = now.0 - from >= rate.every_ns;
        if enough {
            self.empty_at = from + rate.every_ns;
        }
        enough
    }
}

/// One refusal that is to be recorded.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) at: Stamp,
    pub(super) actor: Actor,
    pub(super) record: Record,
}

/// The refusals since the start.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    users: BTreeMap<u32, Bucket>,
    all: Bucket,
    counts: RefusalCounts,
    /// Unrecorded ones that no summary has named yet.
    unnamed: u64,
    summarised: Option<UnixNanos>,
    noted: Vec<Refused>,
}

impl Refusals {
    /// Counts one, of `uid`; whether it may be recorded, and there is room to note it.
    fn count(&mut self, uid: u32, now: Stamp) -> bool {
        self.counts.total += 1;
        let recorded = self.may_record(uid, now) && self.noted.len() < NOTED_MAX;
        if !recorded {
            self.counts.unrecorded += 1;
            self.unnamed += 1;
        }
        recorded
    }

    /// Counts one, and keeps its record until it is written where it may be recorded.
    pub(super) fn note(&mut self, refused: Refused) {
        if self.count(refused.actor.uid, refused.at) {
            self.noted.push(refused);
        }
    }

    /// Whether there are records to be written.
    pub(super) const fn has_noted(&self) -> bool {
        !self.noted.is_empty()
    }

    /// The records that are to be written now.
    pub(super) fn take_noted(&mut self) -> Vec<Refused> {
        std::mem::take(&mut self.noted)
    }

    /// Whether one more record that changes nothing may be written for `uid`.
    pub(super) fn may_record(&mut self, uid: u32, now: Stamp) -> bool {
        if self.users.len() >= USERS_MAX && !self.users.contains_key(&uid) {
            self.users.clear();
        }
        let of_user = self.users.entry(uid).or_default();
        let mut tried = *of_user;
        if tried.take(USER, now.0) && self.all.take(ALL, now.0) {
            *of_user = tried;
            return true;
        }
        false
    }

    /// How many there were.
    pub(super) const fn counts(&self) -> RefusalCounts {
        self.counts
    }

    /// How many are to be named in one record now; none, mostly.
    pub(super) fn summary(&mut self, now: Stamp) -> Option<u64> {
        let last = *self.summarised.get_or_insert(now.0);
        if self.unnamed == 0 || now.0.since(last).0 < SUMMARY_NS {
            return None;
        }
        self.summarised = Some(now.0);
        Some(std::mem::take(&mut self.unnamed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Stamp {
        Stamp(UnixNanos((1_000_000 + seconds) * SECOND_NS))
    }

    #[test]
    fn a_user_who_is_refused_without_end_writes_ten_records_and_one_a_minute() {
        let mut refusals = Refusals::default();
        let recorded = (0..5_000).filter(|_| refusals.count(7, at(0))).count();
        assert_eq!(recorded, 10);
        assert!(!refusals.count(7, at(59)) && refusals.count(7, at(60)) && !refusals.count(7, at(61)));
        assert_eq!(refusals.counts(), RefusalCounts { total: 5_003, unrecorded: 4_992 });
        let recorded = (0..100).filter(|_| refusals.count(7, at(100_000))).count();
        assert_eq!(recorded, 10, "a quiet day saves up ten and no more");
    }

    #[test]
    fn many_users_together_are_bounded_too_and_one_does_not_use_up_anothers() {
        let mut refusals = Refusals::default();
        assert!((0..10).all(|_| refusals.count(1, at(0))));
        assert!(!refusals.count(1, at(0)) && refusals.count(2, at(0)));
        let recorded = (0..10_000).filter(|uid| refusals.count(1_000 + uid, at(0))).count();
        assert_eq!(recorded, 60 - 11);
        assert!(refusals.count(3, at(10)) && !refusals.count(4, at(10)));
    }

    #[test]
    fn what_was_not_recorded_is_named_in_one_record_now_and_then() {
        let mut refusals = Refusals::default();
        assert_eq!(refusals.summary(at(0)), None);
        (0..30).for_each(|_| _ = refusals.count(7, at(1)));
        assert_eq!(refusals.summary(at(599)), None);
        assert_eq!(refusals.summary(at(600)), Some(20));
        assert_eq!(refusals.summary(at(5_000)), None, "named once");
    }
}
