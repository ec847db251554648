//! From tier to limits: what is published, for how long, and why.

use gate::{
    ClassId, Effective, Envelope, FixedScore, LimitCause, LimitWriter, Overlay, RiskLimits, SizeSurface,
    Terms, UnknownRow, effective_limits,
};
use types::{FeatureId, FeatureVector, InstrumentId, Nanos, Qty, Tier, UnixNanos};

use super::config::{WidenConfig, WitnessConfig};
use crate::inputs::Profile;
use crate::model::TOP_COUNT;

/// Least usual volatility that a witness multiplies: in most calm seconds the mid does not move at all, and any multiple
/// of zero would make a single tick a witness.
const RV_USUAL_MIN_BPS: f64 = 1.0;

/// Signs of stress that need no model, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Witnesses(u8);

impl Witnesses {
    /// The spread is a multiple of the usual.
    pub const SPREAD: Self = Self(1);
    /// The touch holds a fraction of the usual.
    pub const DEPTH: Self = Self(1 << 1);
    /// One-second volatility is a multiple of the usual.
    pub const VOLATILITY: Self = Self(1 << 2);

    /// What `vector` shows against the calm `profile`. A feature that is not valid, or that the profile never saw, is
    /// no witness.
    #[must_use]
    pub fn of(config: &WitnessConfig, profile: &Profile, vector: &FeatureVector) -> Self {
        let value = |feature: FeatureId| {
            let known = profile.trained >> feature as usize & 1 == 1;
            vector.get(feature).filter(|v| known && v.is_finite())
        };
        let mut set = 0;
        let spread_max = config.spread_ratio * profile.usual(FeatureId::SpreadBps);
        if value(FeatureId::SpreadBps).is_some_and(|v| v > spread_max) {
            set |= Self::SPREAD.0;
        }
        // Depth is a logarithm: a ratio is a difference.
        let depth_min = profile.usual(FeatureId::TopDepth) + config.depth_ratio.ln();
        if value(FeatureId::TopDepth).is_some_and(|v| v < depth_min) {
            set |= Self::DEPTH.0;
        }
        let volatility_max = config.volatility_ratio * profile.usual(FeatureId::Rv1S).max(RV_USUAL_MIN_BPS);
        if value(FeatureId::Rv1S).is_some_and(|v| v > volatility_max) {
            set |= Self::VOLATILITY.0;
        }
        Self(set)
    }

    /// How many.
    #[inline]
    #[must_use]
    pub const fn count(self) -> u8 {
        self.0.count_ones() as u8
    }

    /// Whether all of `other` are in it.
    #[inline]
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One limit, ready for the gate's table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LimitUpdate {
    /// Grid point it follows from, in event time.
    pub ts: UnixNanos,
    /// Instrument.
    pub instrument: InstrumentId,
    /// Strategy class.
    pub class: ClassId,
    /// The limits; of a revocation, the officer's base, which holds from now on.
    pub limits: Effective,
    /// The tier of the instrument.
    pub tier: Tier,
    /// Its last calibrated score.
    pub score: FixedScore,
    /// For how long the limits hold; 0 revokes what was published before, so that the static set holds.
    pub lease: Nanos,
    /// Why; [`LimitCause::Revoke`] when the lease is zero.
    pub cause: LimitCause,
    /// The scorer's running number.
    pub version: u32,
    /// The features behind the last score.
    pub top3: [u8; TOP_COUNT],
    /// The instrument has just entered Critical: its breaker is to be tripped before anything else is done with this.
    pub trip: bool,
}

impl LimitUpdate {
    /// The word for `limits.csv`.
    #[must_use]
    pub const fn cause_str(&self) -> &'static str {
        self.cause.as_str()
    }

    /// What the gate stores beside the limits.
    #[inline]
    #[must_use]
    pub const fn terms(&self) -> Terms {
        Terms {
            tier: self.tier,
            score: self.score,
            lease: self.lease,
            version: self.version,
            cause: self.cause,
        }
    }

    /// Writes the limits into the gate's table, to hold from `now` on. A revocation is a record whose lease has ended.
    /// The breaker is not the table's: whoever calls this acts on [`LimitUpdate::trip`] first.
    ///
    /// # Errors
    /// A row that the table does not have.
    #[inline]
    pub fn publish(&self, writer: &mut LimitWriter, now: UnixNanos) -> Result<(), UnknownRow> {
        writer.publish(self.instrument, self.class, &self.limits, &self.terms(), now)
    }
}

/// The largest orders of one instrument by price distance, ready for the gate's table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SurfaceUpdate {
    /// Grid point it follows from, in event time.
    pub ts: UnixNanos,
    /// Instrument.
    pub instrument: InstrumentId,
    /// The sizes, never rising.
    pub sizes: SizeSurface,
    /// For how long they hold.
    pub lease: Nanos,
    /// The scorer's running number.
    pub version: u32,
}

/// Where updates go: live into the gate's table at once, in a replay into a queue that charges the latency.
pub trait LimitSink {
    /// Takes one update at time `now`.
    fn limit(&mut self, update: &LimitUpdate, now: UnixNanos);

    /// Takes the sizes by price distance of an instrument, where they are asked for.
    fn surface(&mut self, _update: &SurfaceUpdate, _now: UnixNanos) {}
}

impl<F: FnMut(&LimitUpdate, UnixNanos)> LimitSink for F {
    fn limit(&mut self, update: &LimitUpdate, now: UnixNanos) {
        self(update, now);
    }
}

/// How far limits have opened beyond the base, for one instrument.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Widening {
    calm_since: Option<UnixNanos>,
}

impl Widening {
    /// The step at `now`: none while not calm, then one after the first calm span and one more per step span.
    pub(crate) fn step(&mut self, config: &WidenConfig, now: UnixNanos, calm: bool) -> u8 {
        if !calm || !config.enabled {
            self.calm_since = None;
            return 0;
        }
        let span = now.since(*self.calm_since.get_or_insert(now)).0;
        let Some(beyond) = span.checked_sub(config.calm_ns) else { return 0 };
        let steps = 1 + beyond / config.step_ns.max(1);
        u8::try_from(steps).unwrap_or(u8::MAX).min(config.step_count_max)
    }
}

/// What limits follow from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Published {
    tier: Tier,
    /// Widening step.
    step: u8,
    /// Largest order by predicted slippage, where that counts.
    size_bound: Option<Qty>,
}

/// The limits of one (instrument, class): the officer's envelope and what was published inside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    envelope: Envelope,
    /// Tier, widening step and size bound of `limits`; none before the first publication.
    published: Option<Published>,
    limits: Effective,
    /// The officer changed the envelope since the last publication.
    envelope_changed: bool,
}

impl Row {
    pub(crate) fn new(envelope: &Envelope) -> Self {
        let limits = envelope.clamp(envelope.base());
        Self { envelope: *envelope, published: None, limits, envelope_changed: false }
    }

    /// Takes a new envelope; limits follow at the next publication.
    pub(crate) fn set_envelope(&mut self, envelope: &Envelope) {
        self.envelope = *envelope;
        self.envelope_changed = self.published.is_some();
    }

    /// The limits for `tier`, widened by `step`, with orders of at most `size_bound`, and why they are published.
    pub(crate) fn publish(
        &mut self,
        overlay: &Overlay,
        tier: Tier,
        step: u8,
        size_bound: Option<Qty>,
    ) -> (Effective, LimitCause) {
        let wanted = Published { tier, step, size_bound };
        let moved = match self.published {
            None => LimitCause::Boot,
            Some(_) if self.envelope_changed => LimitCause::Officer,
            Some(old) if tier > old.tier => LimitCause::Tighten,
            Some(old) if tier < old.tier => LimitCause::Relax,
            Some(old) if step > old.step => LimitCause::Widen,
            Some(old) if step < old.step => LimitCause::Tighten,
            Some(old) if old != wanted => LimitCause::Slippage,
            Some(_) => return (self.limits, LimitCause::Renew),
        };
        let limits = self.bounded(effective_limits(&self.envelope, tier, overlay), size_bound);
        // A bound that moves above what holds anyway changes nothing.
        let cause = match moved {
            LimitCause::Slippage if limits == self.limits => LimitCause::Renew,
            moved => moved,
        };
        (self.limits, self.published, self.envelope_changed) = (limits, Some(wanted), false);
        (limits, cause)
    }

    /// `limits` with orders of at most `size_bound`, inside the envelope.
    fn bounded(&self, limits: Effective, size_bound: Option<Qty>) -> Effective {
        match size_bound {
            Some(bound) if bound < limits.limits().max_qty => {
                self.envelope.clamp(&RiskLimits { max_qty: bound, ..*limits.limits() })
            }
            _ => limits,
        }
    }

    /// Whether orders are smaller than the officer's base has them for `size_bound`'s sake.
    pub(crate) fn binds(&self, size_bound: Option<Qty>) -> bool {
        size_bound.is_some_and(|bound| bound < self.envelope.base().max_qty)
    }

    /// Ends the dynamic limits; gives what holds from now on. The next publication is a first one again.
    pub(crate) fn revoke(&mut self) -> Effective {
        self.published = None;
        self.envelope_changed = false;
        self.envelope.clamp(self.envelope.base())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use gate::{LimitTable, SlotFault};
    use types::{BookState, FEATURE_COUNT};

    pub(crate) const BASE: RiskLimits = RiskLimits {
        max_qty: Qty(500),
        max_notional_micros: 1_000_000_000_000,
        collar_bps: 500,
        passive_min_ticks: 2,
        max_pos_long: 5_000,
        max_pos_short: 5_000,
        order_rate_per_s: 100,
        order_burst: 20,
        margin_bps: 10_000,
    };

    /// Base 500, floor 10, cap 600 in the order size.
    pub(crate) fn envelope() -> Envelope {
        let floor = RiskLimits {
            max_qty: Qty(10),
            collar_bps: 50,
            passive_min_ticks: 9,
            max_pos_long: 0,
            max_pos_short: 0,
            margin_bps: 30_000,
            ..BASE
        };
        let cap = RiskLimits { max_qty: Qty(600), ..BASE };
        Envelope::new(floor, BASE, cap).unwrap()
    }

    fn profile() -> Profile {
        // A spread of 2 bps, a depth of e^7, no movement in most seconds.
        let mut values = [0.0; FEATURE_COUNT];
        values[FeatureId::SpreadBps as usize] = 2.0;
        values[FeatureId::TopDepth as usize] = 7.0;
        let symbol = types::Symbol::new("A").unwrap();
        let row = crate::FeatureRow { ts: UnixNanos(0), symbol, valid: 0x1fff, values };
        crate::train::fit_profile([row; 100].iter(), None)
    }

    fn vector(spread_bps: f64, ln_depth: f64, rv_bps: f64) -> FeatureVector {
        let mut v = FeatureVector { book_state: BookState::Live.to_u8(), ..FeatureVector::EMPTY };
        v.set(FeatureId::SpreadBps, spread_bps);
        v.set(FeatureId::TopDepth, ln_depth);
        v.set(FeatureId::Rv1S, rv_bps);
        v
    }

    #[test]
    fn witnesses_compare_with_the_calm_profile() {
        let of = |v: &FeatureVector| Witnesses::of(&WitnessConfig::default(), &profile(), v);
        assert_eq!(of(&vector(5.9, 7.0, 5.0)), Witnesses::default());
        // A quarter of e^7 is e^(7 - 1.386); the usual volatility of 0 counts as 1 bp.
        let all = of(&vector(6.1, 5.6, 5.1));
        assert_eq!(all.count(), 3);
        assert!(of(&vector(6.1, 7.0, 0.0)).has(Witnesses::SPREAD));
        assert!(of(&vector(2.0, 5.6, 0.0)).has(Witnesses::DEPTH));
        assert!(of(&vector(2.0, 7.0, 5.1)).has(Witnesses::VOLATILITY));
        let mut nothing = vector(100.0, 0.0, 100.0);
        nothing.valid = 0;
        assert_eq!(of(&nothing).count(), 0);
        nothing.valid = 0x1fff;
        nothing.values = [f64::NAN; FEATURE_COUNT];
        assert_eq!(of(&nothing).count(), 0);
    }

    #[test]
    fn a_row_says_why_it_publishes_and_renews_the_same_values() {
        let mut row = Row::new(&envelope());
        let mut at = |tier, step: u8, overlay: &Overlay| {
            let (limits, cause) = row.publish(overlay, tier, step, None);
            (limits.limits().max_qty.0, cause)
        };
        let plain = Overlay::DEFAULT;
        assert_eq!(at(Tier::Normal, 0, &plain), (500, LimitCause::Boot));
        assert_eq!(at(Tier::Normal, 0, &plain), (500, LimitCause::Renew));
        assert_eq!(at(Tier::High, 0, &plain), (50, LimitCause::Tighten));
        assert_eq!(at(Tier::Elevated, 0, &plain), (250, LimitCause::Relax));
        assert_eq!(at(Tier::Critical, 0, &plain), (10, LimitCause::Tighten));
    }

    #[test]
    fn a_size_bound_only_ever_tightens_and_stays_in_the_envelope() {
        let mut row = Row::new(&envelope());
        let mut at = |tier, bound: u32| {
            let (limits, cause) = row.publish(&Overlay::DEFAULT, tier, 0, Some(Qty(bound)));
            let same = RiskLimits { max_qty: BASE.max_qty, ..*limits.limits() };
            assert!(tier != Tier::Normal || same == BASE, "nothing but the order size moves");
            (limits.limits().max_qty.0, cause)
        };
        assert_eq!(at(Tier::Normal, 900), (500, LimitCause::Boot));
        assert_eq!(at(Tier::Normal, 800), (500, LimitCause::Renew), "what does not bind is no news");
        assert_eq!(at(Tier::Normal, 120), (120, LimitCause::Slippage));
        assert_eq!(at(Tier::Normal, 120), (120, LimitCause::Renew));
        assert_eq!(at(Tier::Normal, 130), (130, LimitCause::Slippage));
        assert_eq!(at(Tier::High, 130), (50, LimitCause::Tighten));
        assert_eq!(at(Tier::High, 3), (10, LimitCause::Slippage), "not below the floor");
        assert_eq!(at(Tier::Normal, 900), (500, LimitCause::Relax));
        let row = Row::new(&envelope());
        assert_eq!([None, Some(Qty(499)), Some(Qty(500))].map(|b| row.binds(b)), [false, true, false]);
    }

    #[test]
    fn widening_is_slow_bounded_by_the_cap_and_gone_at_once() {
        let config = super::super::config::PolicyConfig {
            widen: WidenConfig { enabled: true, ..WidenConfig::default() },
            ..super::super::config::PolicyConfig::default()
        };
        let overlays = config.overlays().unwrap();
        let (mut widening, mut row) = (Widening::default(), Row::new(&envelope()));
        let mut qty_at = |second: u64, calm: bool| {
            let step = widening.step(&config.widen, UnixNanos(second * 1_000_000_000), calm);
            row.publish(&overlays[usize::from(step)], Tier::Normal, step, None).0.limits().max_qty.0
        };
        assert_eq!(qty_at(0, true), 500);
        assert_eq!(qty_at(599, true), 500);
        assert_eq!(qty_at(600, true), 525);
        assert_eq!(qty_at(659, true), 525);
        assert_eq!(qty_at(660, true), 550);
        // 10 steps would be 750: the cap holds.
        assert_eq!(qty_at(10_000, true), 600);
        assert_eq!(qty_at(10_001, false), 500);
        assert_eq!(qty_at(10_002, true), 500);
    }

    #[test]
    fn an_officers_change_shows_at_the_next_publication() {
        let mut row = Row::new(&envelope());
        row.publish(&Overlay::DEFAULT, Tier::Elevated, 0, None);
        let base = RiskLimits { max_qty: Qty(300), ..BASE };
        row.set_envelope(&Envelope::new(*envelope().floor(), base, base).unwrap());
        let (limits, cause) = row.publish(&Overlay::DEFAULT, Tier::Elevated, 0, None);
        assert_eq!((limits.limits().max_qty, cause), (Qty(150), LimitCause::Officer));
        assert_eq!(row.revoke().limits().max_qty, Qty(300));
        assert_eq!(row.publish(&Overlay::DEFAULT, Tier::Elevated, 0, None).1, LimitCause::Boot);
    }

    #[test]
    fn updates_reach_the_gates_table_and_a_revocation_ends_them() {
        let (mut writer, reader) = LimitTable::create(1, 1).unwrap();
        let update = LimitUpdate {
            ts: UnixNanos(5),
            instrument: InstrumentId(0),
            class: ClassId(0),
            limits: envelope().clamp(&BASE),
            tier: Tier::High,
            score: FixedScore::from_micros(350_000).unwrap(),
            lease: Nanos::SECOND,
            cause: LimitCause::Tighten,
            version: 3,
            top3: [0, 1, 2],
            trip: false,
        };
        let read = || reader.read(InstrumentId(0), ClassId(0));
        assert_eq!(read(), Err(gate::ReadFault::Slot(SlotFault::Empty)));
        update.publish(&mut writer, UnixNanos(10)).unwrap();
        let record = read().unwrap();
        assert!(record.lease.holds(UnixNanos(11)));
        assert_eq!((record.tier, record.version, record.limits), (Tier::High, 3, BASE));
        let revocation = LimitUpdate { lease: Nanos(0), cause: LimitCause::Revoke, ..update };
        assert!(revocation.lease == Nanos(0) && revocation.cause_str() == "revoke");
        revocation.publish(&mut writer, UnixNanos(20)).unwrap();
        let record = read().unwrap();
        assert!(!record.lease.holds(UnixNanos(20)) && record.cause == LimitCause::Revoke);
    }
}
