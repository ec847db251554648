//! One instrument at one grid point: from what its vector brought to its tier, its bounds and its limits.

use gate::{ClassId, FixedScore, LimitCause};
use types::{InstrumentId, Nanos, Tier, UnixNanos};

use super::counters::Count;
use super::instrument::Outcome;
use super::record::{ScoreObserver, ScoreRecord};
use super::state::{Pending, ScorerStage};
use crate::model::{BESIDE_COUNT, Channel, RawScore};
use crate::policy::channels::{Said, Word, combine};
use crate::policy::tier::TierConfig;
use crate::policy::update::{FatFingerUpdate, LimitSink, LimitUpdate};
use crate::score::StagedScorer;

/// A vector that lags its grid point by more than this many grid steps is no picture of the present.
const LAG_GRID_MAX: u64 = 3;

impl<S: StagedScorer, K: LimitSink, O: ScoreObserver> ScorerStage<S, K, O> {
    /// One instrument at grid point `ts`.
    pub(super) fn step(&mut self, instrument: InstrumentId, ts: UnixNanos, now: UnixNanos) {
        let known = &mut self.instruments[instrument.index()];
        let outcome = match core::mem::take(&mut known.scored_place).checked_sub(1) {
            Some(place) => self.outcome(place as usize, ts),
            // An earlier batch of this grid point has brought it.
            None if known.stepped == Some(ts) => return,
            None => Outcome::Held,
        };
        let known = &mut self.instruments[instrument.index()];
        let change = known.step(&self.policy, ts, outcome);
        if let (Outcome::Scored { .. }, Some(last)) = (outcome, known.last.as_mut()) {
            last.tier = known.machine.tier();
            self.observer.scored(last);
        }
        if let Some(change) = &change {
            self.observer.tier_changed(instrument, change, known.last.as_ref());
        }
        let trip = change.is_some_and(|change| change.to == Tier::Critical);
        self.counter_cells[Count::Trips as usize].add(u64::from(trip));
        self.publish_fat_finger(instrument, ts, now);
        self.publish(instrument, ts, now, trip);
    }

    /// What the scored batch holds at `place`. A book that has only just become live counts as unscored: its windows are not
    /// full; so does a vector that lags the grid point.
    fn outcome(&mut self, place: usize, ts: UnixNanos) -> Outcome {
        let pending = self.scored[place];
        let Pending { ts: vector_ts, instrument, is_live, witnesses, book, .. } = pending;
        let newest = self.scored_newest[self.instruments[instrument.index()].feed.index()];
        let lags = newest.since(vector_ts) > Nanos(LAG_GRID_MAX * self.policy.grid_ns);
        self.counter_cells[Count::Late as usize].add(u64::from(lags));
        let known = &mut self.instruments[instrument.index()];
        if !is_live {
            known.live_since = None;
            self.count(Count::Unscored, 1);
            return Outcome::BookLost;
        }
        let live_since = *known.live_since.get_or_insert(ts);
        let warm = ts.since(live_since).0 >= self.policy.warmup_ns;
        let current = warm && !lags;
        if current {
            let scorer = &self.scorer;
            self.bounds.step(instrument, &book, |head| scorer.head(head, place));
        }
        let result = self.scorer.result(place);
        let Some(Said { channel, score, joint, agreed, is_whole, raw }) =
            self.said(&pending, result).filter(|_| current)
        else {
            self.count(Count::Unscored, 1);
            return Outcome::NoScore;
        };
        self.count(Count::Scored, 1);
        let full = pending.is_complete && ts.since(live_since).0 >= self.policy.critical_after_ns;
        // What a person alone takes back must be the autoencoder's own word, or that of two channels and of signs that need no model.
        let TierConfig { high, critical, .. } = &self.policy.tier;
        let is_own = self.profiles.has_own(instrument);
        let borne_out = is_own && agreed >= high.enter && witnesses.count() >= critical.witness_count;
        let may_trip = full && (joint >= critical.enter || borne_out);
        // Of a stranger the model cannot say that it is calm.
        let may_widen = is_whole && is_own;
        let record = ScoreRecord {
            ts,
            instrument,
            channel,
            raw: raw.raw,
            score,
            tier: Tier::Normal,
            top3: raw.top3,
            contributions: raw.contributions,
            values: raw.top3.map(|feature| pending.value(feature)),
            witnesses,
        };
        Outcome::Scored { record, may_trip, may_widen }
    }

    /// What the channels say of a vector, whose result the autoencoder's backend gives. Of an instrument that the model does not
    /// know the autoencoder's word means nothing, and is heard only where there is no other.
    fn said(&self, pending: &Pending, result: Option<RawScore>) -> Option<Said> {
        let instrument = pending.instrument;
        let words = self.words(pending);
        let joint_law = self.calibrations.of(instrument);
        let joint_law = joint_law.filter(|_| self.profiles.has_own(instrument) || words.is_none());
        let sides = self.sides.of(instrument);
        let harm = |raw| sides.map_or(raw, |sides| sides.harm_of(raw, |feature| pending.value(feature)));
        combine(joint_law.map(|law| (law, result.map(harm))), words)
    }

    /// What each channel beside the autoencoder reads of a vector, with its law; none of a model without them.
    fn words(&self, pending: &Pending) -> Option<[Word<'_>; BESIDE_COUNT]> {
        let laws = self.channel_laws.as_ref()?;
        // A table that knows one instrument knows it in every channel.
        let first = laws[0].of(pending.instrument)?;
        let word = |i: usize| {
            let (channel, law) = (Channel::BESIDE[i], laws[i].of(pending.instrument).unwrap_or(first));
            (channel, law, channel.reading(|id| pending.value(id as u8)))
        };
        Some(core::array::from_fn(word))
    }

    /// Publishes the sizes by price distance of `instrument`, also when its picture is lost: that must not loosen them.
    fn publish_fat_finger(&mut self, instrument: InstrumentId, ts: UnixNanos, now: UnixNanos) {
        let Some(sizes) = self.bounds.fat_finger(instrument) else { return };
        self.version = self.version.wrapping_add(1);
        let (lease, version) = (self.policy.lease(), self.version);
        self.sink.fat_finger(&FatFingerUpdate { ts, instrument, sizes, lease, version }, now);
    }

    /// Publishes every row of `instrument` for a tier that was kept, its lease over.
    pub(super) fn publish_kept(&mut self, instrument: InstrumentId, tier: Tier, now: UnixNanos) {
        for class in (0..self.class_count).map(ClassId) {
            let Some(row) = self.row_index(instrument, class).and_then(|i| self.rows[i].as_mut()) else {
                continue;
            };
            let (limits, cause) = row.publish(&self.overlays[0], tier, 0, None);
            self.version = self.version.wrapping_add(1);
            let update = LimitUpdate {
                ts: now,
                instrument,
                class,
                limits,
                tier,
                score: FixedScore::ZERO,
                lease: Nanos(0),
                cause,
                version: self.version,
                top3: Default::default(),
                trip: false,
            };
            self.counter_cells[Count::Updates as usize].add(1);
            self.sink.limit(&update, now);
        }
    }

    /// Publishes or revokes every row of `instrument`.
    fn publish(&mut self, instrument: InstrumentId, ts: UnixNanos, now: UnixNanos, trip: bool) {
        let known = &mut self.instruments[instrument.index()];
        let Some(last) = known.last else { return };
        let blind = known.is_blind(self.policy.tier.missing_count_max);
        let step = known.widen(&self.policy, ts);
        let size_bound = self.bounds.size(instrument);
        let classes = usize::from(self.class_count);
        let rows = &self.rows[instrument.index() * classes..][..classes];
        let bound = rows.iter().flatten().any(|row| row.binds(size_bound));
        let revoke = blind && known.limits_tier == Tier::Normal && !bound;
        let (tier, limits_tier) = (known.machine.tier(), known.limits_tier);
        // Said once for each tier: whoever asks the gate hears the tier that the scorer is in.
        let said = core::mem::replace(&mut known.revoked, revoke.then_some(tier));
        if said.is_some() && said == known.revoked {
            return;
        }
        let overlay = &self.overlays[usize::from(step).min(self.overlays.len() - 1)];
        let first = instrument.index() * usize::from(self.class_count);
        for class in 0..self.class_count {
            let Some(row) = &mut self.rows[first + usize::from(class)] else { continue };
            let (limits, cause) = if revoke {
                (row.revoke(), LimitCause::Revoke)
            } else {
                row.publish(overlay, limits_tier, step, size_bound)
            };
            self.version = self.version.wrapping_add(1);
            let update = LimitUpdate {
                ts,
                instrument,
                class: ClassId(class),
                limits,
                tier,
                // Calibrated scores lie in [0, 1]; were one not to, it would be shown as the worst.
                score: FixedScore::from_f64(f64::from(last.score)).unwrap_or(FixedScore::MAX),
                lease: if revoke { Nanos(0) } else { self.policy.lease() },
                cause,
                version: self.version,
                top3: last.top3,
                trip,
            };
            self.counter_cells[Count::Updates as usize].add(1);
            self.counter_cells[Count::Revocations as usize].add(u64::from(revoke));
            self.sink.limit(&update, now);
        }
    }
}
