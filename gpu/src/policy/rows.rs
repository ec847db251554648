//! The limits of one instrument and class: the officer's envelope, and what is published inside it.

use gate::{Effective, Envelope, LimitCause, Overlay, RiskLimits, effective_limits};
use types::{Nanos, Qty, Tier, UnixNanos};

use super::config::WidenConfig;

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

    /// Nobody saw the last `unseen` of the time up to the next grid point: it is no calm time.
    pub(crate) fn skip(&mut self, unseen: Nanos) {
        self.calm_since = self.calm_since.map(|since| UnixNanos(since.0.saturating_add(unseen.0)));
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
        let is_still = moved == LimitCause::Slippage && limits == self.limits;
        let cause = if is_still { LimitCause::Renew } else { moved };
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

    /// Ends the dynamic limits; gives what holds from now on: the officer's base, and what was published last where that is
    /// tighter, as the gate has it. The next publication is a first one again.
    pub(crate) fn revoke(&mut self) -> Effective {
        let base = self.envelope.base();
        let last = self.published.take().map(|_| self.limits.limits().tighter(base));
        self.envelope_changed = false;
        self.envelope.clamp(&last.unwrap_or(*base))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

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
    fn time_that_nobody_watched_widens_nothing() {
        let config = WidenConfig { enabled: true, ..WidenConfig::default() };
        let second = |s: u64| UnixNanos(s * 1_000_000_000);
        let mut widening = Widening::default();
        widening.skip(Nanos(5));
        assert_eq!(widening.step(&config, second(0), true), 0);
        let calm = config.calm_ns / 1_000_000_000;
        widening.skip(Nanos(config.calm_ns));
        assert_eq!(widening.step(&config, second(calm), true), 0, "nobody saw it");
        assert_eq!(widening.step(&config, second(2 * calm - 1), true), 0);
        assert_eq!(widening.step(&config, second(2 * calm), true), 1);
    }

    #[test]
    fn an_officers_change_shows_at_the_next_publication() {
        let mut row = Row::new(&envelope());
        row.publish(&Overlay::DEFAULT, Tier::Elevated, 0, None);
        let base = RiskLimits { max_qty: Qty(300), ..BASE };
        row.set_envelope(&Envelope::new(*envelope().floor(), base, base).unwrap());
        let (limits, cause) = row.publish(&Overlay::DEFAULT, Tier::Elevated, 0, None);
        assert_eq!((limits.limits().max_qty, cause), (Qty(150), LimitCause::Officer));
        assert_eq!(row.revoke().limits().max_qty, Qty(150), "what was tightened stays");
        assert_eq!(row.revoke().limits().max_qty, Qty(300), "there is nothing to take back any more");
        assert_eq!(row.publish(&Overlay::DEFAULT, Tier::Elevated, 0, None).1, LimitCause::Boot);
    }
}
