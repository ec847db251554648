//! From tier to limits: what each tier does to the base, as exact ratios.

use types::Tier;

use crate::limits::{Effective, Envelope, PARAMETER_COUNT, Parameter};

/// An exact fraction, so that halving a limit halves it in every build and every replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    num: u32,
    den: u32,
}

impl Ratio {
    /// Changes nothing.
    pub const ONE: Self = Self { num: 1, den: 1 };

    /// `num / den`, or `None` when `den` is zero.
    #[must_use]
    pub const fn new(num: u32, den: u32) -> Option<Self> {
        if den == 0 { None } else { Some(Self { num, den }) }
    }

    /// Numerator.
    #[must_use]
    pub const fn num(self) -> u32 {
        self.num
    }

    /// Denominator.
    #[must_use]
    pub const fn den(self) -> u32 {
        self.den
    }

    /// `value` scaled, rounded towards the tight side of `parameter`; saturates at the ends of `i64`.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "saturated just before")]
    pub const fn scale(self, parameter: Parameter, value: i64) -> i64 {
        let product = value as i128 * self.num as i128;
        let den = self.den as i128;
        let scaled = if parameter.tightens_upward() {
            (product + den - 1).div_euclid(den)
        } else {
            product.div_euclid(den)
        };
        if scaled > i64::MAX as i128 { i64::MAX } else { scaled as i64 }
    }

    /// Whether scaling by `self` is at least as tight, in `parameter`, as scaling by `other`.
    const fn at_least_as_tight(self, parameter: Parameter, other: Self) -> bool {
        let (mine, theirs) = (self.num as u64 * other.den as u64, other.num as u64 * self.den as u64);
        if parameter.tightens_upward() { mine >= theirs } else { mine <= theirs }
    }
}

/// What one tier does to each limit of the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TierOverlay {
    ratios: [Ratio; PARAMETER_COUNT],
}

impl TierOverlay {
    /// The base itself.
    pub const BASE: Self = Self { ratios: [Ratio::ONE; PARAMETER_COUNT] };

    /// The same overlay with one ratio changed.
    #[must_use]
    pub const fn with(mut self, parameter: Parameter, ratio: Ratio) -> Self {
        self.ratios[parameter as usize] = ratio;
        self
    }

    /// The ratio of one parameter.
    #[must_use]
    pub const fn ratio(&self, parameter: Parameter) -> Ratio {
        self.ratios[parameter as usize]
    }
}

/// A higher tier that is looser than a lower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverlayError {
    /// The tier that is too loose.
    pub tier: Tier,
    /// In which limit.
    pub parameter: Parameter,
}

impl core::fmt::Display for OverlayError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "overlay {}: {} is looser than in the tier below", self.tier, self.parameter)
    }
}

impl core::error::Error for OverlayError {}

/// What each tier does to the base. Critical is not in it: there the floor holds in every limit, whatever the ratios.
///
/// Invariant: each tier is at least as tight as the one below it, in every limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Overlay {
    rows: [TierOverlay; 3],
}

impl Overlay {
    /// Elevated halves the order size; High takes it to a tenth, halves positions
    /// and the aggressive collar, triples the passive distance and raises the margin by half. "Max order" is the order's
    /// quantity; its value limit stays, since at any price the smaller quantity has the smaller value.
    pub const DEFAULT: Self = {
        let elevated = TierOverlay::BASE.with(Parameter::MaxQty, Ratio { num: 1, den: 2 });
        let high = TierOverlay::BASE
            .with(Parameter::MaxQty, Ratio { num: 1, den: 10 })
            .with(Parameter::MaxPosLong, Ratio { num: 1, den: 2 })
            .with(Parameter::MaxPosShort, Ratio { num: 1, den: 2 })
            .with(Parameter::Collar, Ratio { num: 1, den: 2 })
            .with(Parameter::PassiveMin, Ratio { num: 3, den: 1 })
            .with(Parameter::Margin, Ratio { num: 3, den: 2 });
        Self { rows: [TierOverlay::BASE, elevated, high] }
    };

    /// An overlay of these three rows. `normal` may be wider than the base: that is how limits open after a long calm.
    ///
    /// # Errors
    /// [`OverlayError`] when a tier is looser than the one below it.
    pub const fn new(
        normal: TierOverlay,
        elevated: TierOverlay,
        high: TierOverlay,
    ) -> Result<Self, OverlayError> {
        let rows = [normal, elevated, high];
        let mut t = 1;
        while t < rows.len() {
            let mut i = 0;
            while i < PARAMETER_COUNT {
                let parameter = Parameter::ALL[i];
                if !rows[t].ratios[i].at_least_as_tight(parameter, rows[t - 1].ratios[i]) {
                    return Err(OverlayError { tier: Tier::ALL[t], parameter });
                }
                i += 1;
            }
            t += 1;
        }
        Ok(Self { rows })
    }

    /// The row of one tier; `None` for Critical, where the floor holds.
    #[must_use]
    pub const fn row(&self, tier: Tier) -> Option<&TierOverlay> {
        match tier {
            Tier::Normal => Some(&self.rows[0]),
            Tier::Elevated => Some(&self.rows[1]),
            Tier::High => Some(&self.rows[2]),
            Tier::Critical => None,
        }
    }
}

impl Default for Overlay {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// `clamp(overlay(base), floor, cap)` per limit. Never outside the envelope; never looser in a higher tier; in Critical
/// the floor.
#[must_use]
pub const fn effective_limits(envelope: &Envelope, tier: Tier, overlay: &Overlay) -> Effective {
    let Some(row) = overlay.row(tier) else {
        return envelope.clamp(envelope.floor());
    };
    let mut limits = *envelope.base();
    let mut i = 0;
    while i < PARAMETER_COUNT {
        let p = Parameter::ALL[i];
        let value = envelope.clamp_one(p, row.ratio(p).scale(p, envelope.base().get(p)));
        // Inside [floor, cap], hence inside the bounds: the error cannot occur, and the base would be the answer.
        if let Ok(changed) = limits.with(p, value) {
            limits = changed;
        }
        i += 1;
    }
    envelope.clamp(&limits)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::limits::RiskLimits;
    use proptest::prelude::*;
    use types::Qty;

    const BASE: RiskLimits = RiskLimits {
        max_qty: Qty(500),
        max_notional_micros: 1_000_000_000_000,
        collar_bps: 501,
        passive_min_ticks: 2,
        max_pos_long: 5_001,
        max_pos_short: 5_000,
        order_rate_per_s: 100,
        order_burst: 20,
        margin_bps: 10_001,
    };

    /// An envelope wide enough to show what the overlay alone does.
    fn wide() -> Envelope {
        let (mut floor, mut cap) = (BASE, BASE);
        for p in Parameter::ALL {
            let (least, most) = p.bounds();
            let (tight, loose) = if p.tightens_upward() { (most, least) } else { (least, most) };
            floor = floor.with(p, tight).unwrap();
            cap = cap.with(p, loose).unwrap();
        }
        Envelope::new(floor, BASE, cap).unwrap()
    }

    #[test]
    fn a_ratio_keeps_its_parts() {
        let ratio = Ratio::new(3, 2).unwrap();
        assert_eq!((ratio.num(), ratio.den(), Ratio::new(3, 0)), (3, 2, None));
    }

    #[test]
    fn the_default_overlay_is_its_documented_table_rounded_to_the_tight_side() {
        let at = |tier| *effective_limits(&wide(), tier, &Overlay::DEFAULT).limits();
        assert_eq!(at(Tier::Normal), BASE);
        assert_eq!(at(Tier::Elevated), RiskLimits { max_qty: Qty(250), ..BASE });
        let high = RiskLimits {
            max_qty: Qty(50),
            collar_bps: 250,
            passive_min_ticks: 6,
            max_pos_long: 2_500,
            max_pos_short: 2_500,
            margin_bps: 15_002,
            ..BASE
        };
        assert_eq!(at(Tier::High), high);
        assert_eq!(at(Tier::Critical), *wide().floor());
    }

    #[test]
    fn an_overlay_that_loosens_in_a_higher_tier_is_refused_by_name() {
        let tenth = TierOverlay::BASE.with(Parameter::MaxQty, Ratio::new(1, 10).unwrap());
        let error = Overlay::new(TierOverlay::BASE, tenth, TierOverlay::BASE).unwrap_err();
        assert_eq!(error, OverlayError { tier: Tier::High, parameter: Parameter::MaxQty });
        let nearer = TierOverlay::BASE.with(Parameter::PassiveMin, Ratio::new(1, 2).unwrap());
        let error = Overlay::new(TierOverlay::BASE, nearer, nearer).unwrap_err();
        assert_eq!(error, OverlayError { tier: Tier::Elevated, parameter: Parameter::PassiveMin });
        let wider = TierOverlay::BASE.with(Parameter::MaxQty, Ratio::new(3, 2).unwrap());
        let calm = Overlay::new(wider, TierOverlay::BASE, tenth).unwrap();
        let cap = RiskLimits { max_qty: Qty(600), ..BASE };
        let envelope = Envelope::new(BASE, BASE, cap).unwrap();
        assert_eq!(effective_limits(&envelope, Tier::Normal, &calm).limits().max_qty, Qty(600));
    }

    fn any_ratio() -> impl Strategy<Value = Ratio> {
        (any::<u32>(), 1_u32..).prop_map(|(num, den)| Ratio::new(num, den).unwrap())
    }

    fn any_row() -> impl Strategy<Value = TierOverlay> {
        proptest::collection::vec(any_ratio(), PARAMETER_COUNT).prop_map(|ratios| {
            Parameter::ALL.into_iter().zip(ratios).fold(TierOverlay::BASE, |row, (p, r)| row.with(p, r))
        })
    }

    /// Three values per parameter, sorted from tight to loose.
    fn any_envelope() -> impl Strategy<Value = Envelope> {
        Parameter::ALL
            .map(|p| {
                let range = p.bounds().0..=p.bounds().1;
                (range.clone(), range.clone(), range)
            })
            .to_vec()
            .prop_map(|triples| {
                let mut sets = [BASE; 3];
                for (p, (a, b, c)) in Parameter::ALL.into_iter().zip(triples) {
                    let mut values = [a, b, c];
                    values.sort_unstable();
                    if p.tightens_upward() {
                        values.reverse();
                    }
                    for (set, value) in sets.iter_mut().zip(values) {
                        *set = set.with(p, value).unwrap();
                    }
                }
                Envelope::new(sets[0], sets[1], sets[2]).unwrap()
            })
    }

    /// A ratio ordered by its value.
    #[derive(PartialEq, Eq)]
    struct Exact(Ratio);

    impl Ord for Exact {
        fn cmp(&self, other: &Self) -> core::cmp::Ordering {
            let (a, b) = (self.0, other.0);
            (u64::from(a.num) * u64::from(b.den)).cmp(&(u64::from(b.num) * u64::from(a.den)))
        }
    }

    impl PartialOrd for Exact {
        fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }

    /// The looser row first, per parameter: three rows that make a legal overlay.
    fn ordered(mut rows: [TierOverlay; 3]) -> [TierOverlay; 3] {
        for p in Parameter::ALL {
            let mut ratios = rows.map(|row| row.ratio(p));
            ratios.sort_by_key(|r| core::cmp::Reverse(Exact(*r)));
            if p.tightens_upward() {
                ratios.reverse();
            }
            for (row, ratio) in rows.iter_mut().zip(ratios) {
                *row = row.with(p, ratio);
            }
        }
        rows
    }

    proptest! {
        #[test]
        fn effective_limits_stay_in_the_envelope_and_never_loosen_with_the_tier(
            envelope in any_envelope(), a in any_row(), b in any_row(), c in any_row(),
        ) {
            let [normal, elevated, high] = ordered([a, b, c]);
            let overlay = Overlay::new(normal, elevated, high).unwrap();
            let mut looser: Option<RiskLimits> = None;
            for tier in Tier::ALL {
                let limits = *effective_limits(&envelope, tier, &overlay).limits();
                prop_assert_eq!(limits.first_looser_than(envelope.cap()), None);
                prop_assert_eq!(envelope.floor().first_looser_than(&limits), None);
                if let Some(below) = looser {
                    prop_assert_eq!(limits.first_looser_than(&below), None);
                }
                looser = Some(limits);
            }
            prop_assert_eq!(looser, Some(*envelope.floor()));
        }

        #[test]
        fn a_ratio_rounds_towards_the_tight_side_by_less_than_one(
            num in 0_u32..1 << 22, den in 1_u32.., value in 0_i64..1 << 40,
        ) {
            let ratio = Ratio::new(num, den).unwrap();
            let exact = i128::from(value) * i128::from(num);
            let down = i128::from(ratio.scale(Parameter::MaxQty, value)) * i128::from(den);
            prop_assert!(down <= exact && exact - down < i128::from(den));
            let up = i128::from(ratio.scale(Parameter::PassiveMin, value)) * i128::from(den);
            prop_assert!(up >= exact && up - exact < i128::from(den));
        }

        #[test]
        fn any_proposal_is_held_inside_the_envelope(envelope in any_envelope(), other in any_envelope()) {
            for proposal in [other.floor(), other.base(), other.cap()] {
                let held = envelope.clamp(proposal);
                prop_assert_eq!(held.limits().first_looser_than(envelope.cap()), None);
                prop_assert_eq!(envelope.floor().first_looser_than(held.limits()), None);
            }
        }
    }
}
