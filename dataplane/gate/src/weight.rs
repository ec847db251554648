//! What a level would come to with an order, held against what it may.

use types::{InstrumentId, Side};

use crate::{
    levels::{ExposureLimits, Level},
    sums::{Part, Sums},
    warn::WarnShare,
};

/// A millionth of the firm's currency in the units of the sums.
pub(crate) const UNITS_PER_MICRO: u128 = 2 * 1_000_000_000_000_000_000;

/// What a level of the order would come to with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight {
    pub limits: ExposureLimits,
    /// See [`crate::GroupConfig::loss_micros`].
    pub loss_micros: u64,
    gross: u128,
    /// On the order's side; 0 where the net is on the other.
    net: u128,
    instrument: u128,
    /// Lost today; 0 of a profit.
    lost: u128,
    /// Of the credit, where there is one.
    required: u128,
    /// An instrument that cannot be valued.
    unvalued: Option<InstrumentId>,
    /// One of which nobody knows what was made or lost with it.
    unknown: Option<InstrumentId>,
    /// One of which nobody knows what it requires.
    unmargined: Option<InstrumentId>,
    /// The order can only reduce what the level holds of its instrument.
    reduces: bool,
}

impl Weight {
    /// Of nothing.
    pub(crate) const NONE: Self = Self {
        limits: ExposureLimits::NONE,
        loss_micros: u64::MAX,
        gross: 0,
        net: 0,
        instrument: 0,
        lost: 0,
        required: 0,
        unvalued: None,
        unknown: None,
        unmargined: None,
        reduces: false,
    };

    /// Of a level that comes to `sums` beside the order's instrument and to `own` in it. `find` names an instrument of the others
    /// that has no value, or none of its profit.
    pub(crate) fn of(
        level: &Level,
        (sums, own): (&Sums, &Part),
        (instrument, side, reduces): (InstrumentId, Side, bool),
        find: impl Fn(fn(&Part) -> bool) -> Option<InstrumentId>,
    ) -> Self {
        let all = sums.plus(own);
        let [high, low] = all.ends.map(crate::sums::Wide::clipped);
        let net = if side == Side::Bid { high } else { low.saturating_neg() };
        let sized = |n: i128| n.max(0).unsigned_abs();
        let (gross, net) =
            if all.beyond == 0 { (sized(all.gross.clipped()), sized(net)) } else { (u128::MAX, u128::MAX) };
        let named = |count: u32, its: fn(&Part) -> bool| match count {
            0 => None,
            _ if its(own) => Some(instrument),
            _ => find(its).or(Some(instrument)),
        };
        Self {
            limits: level.limits,
            loss_micros: level.loss_micros,
            gross,
            net,
            instrument: if own.beyond { u128::MAX } else { sized(own.gross) },
            lost: sized(all.profit.clipped().saturating_neg()),
            unvalued: named(all.unvalued, |part| part.unvalued),
            unknown: if level.counts_loss() { named(all.unknown, |part| part.unknown) } else { None },
            reduces,
            ..Self::NONE
        }
    }

    /// The same of a level that requires so much of its credit; `unmargined`: an instrument of which nobody knows what it requires.
    pub(crate) const fn requiring(self, required: u128, unmargined: Option<InstrumentId>) -> Self {
        Self { required, unmargined, ..self }
    }

    /// Of a level that is not summed up, for the sake of `instrument`.
    pub(crate) const fn unknown(level: &Level, instrument: InstrumentId, reduces: bool) -> Self {
        let (limits, loss_micros, named) = (level.limits, level.loss_micros, Some(instrument));
        Self { limits, loss_micros, unvalued: named, unknown: named, reduces, ..Self::NONE }
    }

    /// An instrument that cannot be valued, for an order that enlarges what the level holds.
    pub(crate) fn unvalued(&self) -> Option<InstrumentId> {
        self.unvalued.filter(|_| !self.reduces && self.limits != ExposureLimits::NONE)
    }

    /// One of which nobody knows what was lost with it, likewise.
    pub(crate) fn unknown_profit(&self) -> Option<InstrumentId> {
        self.unknown.filter(|_| !self.reduces && self.loss_micros != u64::MAX)
    }

    /// One of which nobody knows what it requires, likewise.
    pub(crate) fn unknown_margin(&self) -> Option<InstrumentId> {
        self.unmargined.filter(|_| !self.reduces)
    }

    /// Whether more is required than the credit, and the order does not only reduce.
    pub(crate) const fn lacks_credit(&self) -> bool {
        let most = self.limits.credit_micros;
        most != u64::MAX && !self.reduces && self.required > most as u128 * UNITS_PER_MICRO
    }

    /// What is required, in millionths rounded up, as in [`Weight::micros`].
    pub(crate) const fn required_micros(&self) -> u128 {
        self.required.div_ceil(UNITS_PER_MICRO)
    }

    /// Whether so much was lost today that the level only reduces, and the order does not.
    pub(crate) const fn has_lost(&self) -> bool {
        let most = self.loss_micros;
        most != u64::MAX && !self.reduces && self.lost >= most as u128 * UNITS_PER_MICRO
    }

    /// What was lost today, in millionths rounded down, so that what is named is not more than it was.
    pub(crate) const fn lost_micros(&self) -> u128 {
        self.lost / UNITS_PER_MICRO
    }

    /// What an order that only reduces is held to: the net alone.
    fn held_to(&self, [gross, net, instrument]: [bool; 3]) -> [bool; 3] {
        [gross && !self.reduces, net, instrument && !self.reduces]
    }

    fn parts(&self) -> [(u128, u64); 3] {
        let Self { limits, gross, net, instrument, .. } = self;
        let ExposureLimits { gross_micros, net_micros, instrument_micros, .. } = *limits;
        [(*gross, gross_micros), (*net, net_micros), (*instrument, instrument_micros)]
    }

    /// Whether gross, net, and the instrument's part are more than they may be, and the order is held to them.
    pub(crate) fn exceeded(&self) -> [bool; 3] {
        let more = |(sum, most): (u128, u64)| most != u64::MAX && sum > u128::from(most) * UNITS_PER_MICRO;
        self.held_to(self.parts().map(more))
    }

    /// What gross, net, and the instrument's part are, in millionths rounded up, so that what is named is never within the limit.
    pub(crate) fn micros(&self) -> [u128; 3] {
        self.parts().map(|(sum, _)| sum.div_ceil(UNITS_PER_MICRO))
    }

    /// Whether one of them that the order is held to is near to what it may be.
    pub(crate) fn is_near(&self, warn: WarnShare) -> bool {
        let near = |(sum, most): (u128, u64)| {
            most != u64::MAX && sum > u128::from(warn.of_sum(most)) * UNITS_PER_MICRO
        };
        let lost = near((self.lost, self.loss_micros)) && !self.reduces;
        let short = self.limits.has_credit() && self.is_short(warn);
        self.held_to(self.parts().map(near)).contains(&true) || lost || short
    }

    /// Whether little is left of the credit, or nobody knows, and the order does not only reduce. Called, not inlined: levels without a
    /// credit pay one branch for it.
    #[inline(never)]
    fn is_short(&self, warn: WarnShare) -> bool {
        let near = self.required > u128::from(warn.of_sum(self.limits.credit_micros)) * UNITS_PER_MICRO;
        !self.reduces && (near || self.unmargined.is_some())
    }
}
