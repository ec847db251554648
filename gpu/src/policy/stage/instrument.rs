//! One instrument: its tier, its picture of the market, and what a grid point brings it.

use types::{FeedIndex, Nanos, Tier, UnixNanos};

use super::record::ScoreRecord;
use crate::policy::config::PolicyConfig;
use crate::policy::rows::Widening;
use crate::policy::tier::{TierChange, TierMachine};

/// What a grid point brought for one instrument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Outcome {
    /// A score.
    Scored {
        record: ScoreRecord,
        /// It may lead to Critical.
        may_trip: bool,
        /// Its calm is known to be calm, so that limits may open in it.
        may_widen: bool,
    },
    /// No vector: nothing has changed since the last.
    Held,
    /// A vector of a live book that could not be scored.
    NoScore,
    /// A vector of a book that is not to be believed.
    BookLost,
}

/// What the stage knows of one instrument.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Instrument {
    pub(super) machine: TierMachine,
    pub(super) last: Option<ScoreRecord>,
    pub(super) widening: Widening,
    /// Whether the last score's calm is one in which limits may open.
    may_widen: bool,
    /// Place in the batch that is being collected, plus one; 0 when there is none.
    pub(super) place: u32,
    /// The same in the batch that is being scored.
    pub(super) scored_place: u32,
    /// Grid point of the last step.
    pub(super) stepped: Option<UnixNanos>,
    /// Grid points in a row without a score.
    missing_count: u8,
    /// The book is not live, as its last vector said.
    book_lost: bool,
    /// Grid point of the first vector since the book became live.
    pub(super) live_since: Option<UnixNanos>,
    /// The tier whose limits hold: the machine's while the picture is clear, frozen while it is lost.
    pub(super) limits_tier: Tier,
    /// The dynamic limits were revoked, in this tier, and not set again.
    pub(super) revoked: Option<Tier>,
    pub(super) defined: bool,
    /// Whose grid it is on.
    pub(super) feed: FeedIndex,
}

impl Instrument {
    /// Whether limits must do without scores.
    pub(super) fn is_blind(&self, missing_count_max: u8) -> bool {
        self.book_lost || self.missing_count >= missing_count_max
    }

    /// Takes what the grid point brought; gives the change of tier.
    pub(super) fn step(
        &mut self,
        policy: &PolicyConfig,
        ts: UnixNanos,
        outcome: Outcome,
    ) -> Option<TierChange> {
        // Limits that nobody renewed have ended: what is further apart was not watched, however far a venue's clock went.
        let before = self.stepped.replace(ts).unwrap_or(ts);
        let unseen = Nanos(ts.since(before).0.saturating_sub(policy.lease_ns));
        self.machine.skip(unseen);
        self.widening.skip(unseen);
        // Silence after a lost picture is no new picture.
        let is_lost = self.missing_count > 0 || self.book_lost;
        let seen = if matches!(outcome, Outcome::Held) && is_lost { Outcome::NoScore } else { outcome };
        let change = match seen {
            Outcome::Scored { record, may_trip, may_widen } => {
                self.may_widen = may_widen;
                (self.missing_count, self.book_lost, self.last) = (0, false, Some(record));
                let witness_count = record.witnesses.count();
                self.machine.on_score(&policy.tier, ts, record.score, witness_count, may_trip)
            }
            Outcome::Held => self.machine.on_hold(&policy.tier, ts),
            // Before the first score there is nothing to lose: the static limits hold, as they did.
            Outcome::NoScore | Outcome::BookLost if self.last.is_none() => None,
            Outcome::NoScore | Outcome::BookLost => {
                if seen == Outcome::BookLost {
                    self.machine.on_lost();
                }
                self.book_lost |= seen == Outcome::BookLost;
                self.missing_count = self.missing_count.saturating_add(1);
                let stale = self.missing_count == policy.tier.missing_count_max;
                if stale { self.machine.on_stale(ts) } else { None }
            }
        };
        if !self.is_blind(policy.tier.missing_count_max) {
            self.limits_tier = self.machine.tier();
        }
        change
    }

    /// The widening step at `ts`.
    pub(super) fn widen(&mut self, policy: &PolicyConfig, ts: UnixNanos) -> u8 {
        let calm = self.may_widen
            && self.limits_tier == Tier::Normal
            && !self.is_blind(policy.tier.missing_count_max)
            && self.machine.score().is_some_and(|score| score < policy.tier.elevated.leave);
        self.widening.step(&policy.widen, ts, calm)
    }
}
