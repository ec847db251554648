//! A daemon without a scorer: what the model of the one before it had tightened holds until a person takes it back.

use crate::line::gate_tables::ModelTables;
use crate::line::notes::{LimitNote, ScorerNote};
use gate::{Envelope, FixedScore, LimitCause, Overlay, Terms, effective_limits};
use gpu::TierCause;
use std::collections::BTreeMap;
use types::{InstrumentId, Nanos, Tier, UnixNanos};

/// What is known of an instrument.
#[derive(Clone, Copy, Debug)]
struct Held {
    envelope: Envelope,
    /// Normal holds nothing.
    tier: Tier,
}

/// Writes the model's tables in the scorer's place.
pub(super) struct Unscored {
    tables: ModelTables,
    overlay: Overlay,
    held: BTreeMap<InstrumentId, Held>,
    version: u32,
    notes: Vec<ScorerNote>,
}

impl Unscored {
    pub(super) const fn new(tables: ModelTables, overlay: Overlay) -> Self {
        Self { tables, overlay, held: BTreeMap::new(), version: 0, notes: Vec::new() }
    }

    /// The officer's limits of `instrument` are `envelope` from `now` on; a tier that is held follows them.
    pub(super) fn set_envelope(&mut self, instrument: InstrumentId, envelope: &Envelope, now: UnixNanos) {
        let tier = self.held.get(&instrument).map_or(Tier::Normal, |held| held.tier);
        self.held.insert(instrument, Held { envelope: *envelope, tier });
        self.publish(instrument, now);
    }

    /// Holds the limits of `tier` over those of the officer; false where the officer has none, which refuses all orders by itself.
    pub(super) fn begin_in(&mut self, instrument: InstrumentId, tier: Tier, now: UnixNanos) -> bool {
        let Some(held) = self.held.get_mut(&instrument) else { return false };
        held.tier = tier;
        self.publish(instrument, now);
        true
    }

    /// A person has taken the model's word back, in force already.
    pub(super) fn reset(&mut self, instrument: InstrumentId, now: UnixNanos) {
        let Some(held) = self.held.get_mut(&instrument).filter(|held| held.tier > Tier::Normal) else {
            return;
        };
        held.tier = Tier::Normal;
        let (tier, cause) = (Tier::Normal, TierCause::Reset);
        self.notes.push(ScorerNote::Tier { instrument, tier, at: now, cause, drivers: None });
    }

    /// What a scorer would have told.
    pub(super) fn take_notes(&mut self) -> Vec<ScorerNote> {
        std::mem::take(&mut self.notes)
    }

    /// As a scorer publishes what was kept over a restart: with a lease that is over, so that the tighter of it and of the officer's
    /// base holds.
    fn publish(&mut self, instrument: InstrumentId, now: UnixNanos) {
        let Some(Held { envelope, tier }) =
            self.held.get(&instrument).filter(|held| held.tier > Tier::Normal)
        else {
            return;
        };
        self.version = self.version.wrapping_add(1);
        let terms = Terms {
            tier: *tier,
            score: FixedScore::ZERO,
            lease: Nanos(0),
            version: self.version,
            cause: LimitCause::Boot,
        };
        let limits = effective_limits(envelope, *tier, &self.overlay);
        // Its breaker is latched by itself: this trips none.
        self.tables.limits(&LimitNote { effective: now, instrument, limits, terms, trip: false });
    }
}
