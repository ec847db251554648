//! Audit mode: every order is judged by every check and let through whatever it breaks, but for what a person has commanded.
//!
//! What it lets through counts like any other order, since it will be at the venue. So an order that could not be counted is refused in
//! this mode too: one whose id, row or price the books have no place for would leave them wrong for all that come after it.

use crate::{
    assess::Findings,
    breaches::Breaches,
    breaker::{BreakerState, OrderBreakers},
    case::Case,
    checks::RejectReason as R,
    decision::{Decision, Flags, GateMode, LimitsSource},
    gate::Gate,
    price::price_word,
    verdict::{Breach, Verdict},
};

/// What the gate cannot follow.
const UNFOLLOWED: Breaches = Breaches::of(&[
    R::ClockBad,
    R::UnknownInstrument,
    R::UnknownStrategy,
    R::UnknownAccount,
    R::TermsMissing,
    R::BadField,
    R::BadQty,
    R::BadPrice,
    R::Duplicate,
    R::UnknownOrder,
    R::BadReplace,
    R::ReplacePending,
    R::TableFull,
]);

/// Nobody knows what is commanded.
const UNHEARD: Breaches = Breaches::of(&[R::HaltUnreadable, R::DaemonLost]);

/// What a person has closed, of these breaches.
fn commanded(case: &Case, found: Breaches) -> Breaches {
    let OrderBreakers { firm, account, strategy, instrument, .. } = case.inputs.breakers;
    let mut closed = Breaches::NONE;
    let words = [
        (firm, R::HaltedFirm),
        (account, R::HaltedAccount),
        (strategy, R::HaltedStrategy),
        (instrument, R::HaltedInstrument),
    ];
    for (word, trip) in words.into_iter().filter(|(word, _)| !word.is_automatic()) {
        closed.when(word.state() == Some(BreakerState::Tripped), trip);
        closed.when(word.state() == Some(BreakerState::ReduceOnly), R::ReduceOnly);
    }
    found.both(closed)
}

/// The price under which an order is kept that is let through, in its word; 0 where there is none.
pub(crate) fn kept_price(case: &Case) -> u64 {
    // A quote that is missing does not say of which kind prices are; the terms do.
    if case.facts.judged.market {
        case.facts.judged.px
    } else {
        price_word(case.order.px, case.inputs.worth.signed)
    }
}

/// What keeps an order from leaving in audit mode, too.
fn held(case: &Case, found: Breaches) -> Breaches {
    let held = found.both(UNFOLLOWED).or(found.both(UNHEARD)).or(commanded(case, found));
    if held == Breaches::NONE && kept_price(case) == 0 { found.lowest() } else { held }
}

impl R {
    /// Whether an order that breaks it is refused in audit mode since the gate could not follow it.
    #[must_use]
    pub const fn is_unfollowed(self) -> bool {
        UNFOLLOWED.has(self)
    }
}

impl Gate {
    /// What it does with what it finds.
    #[must_use]
    pub const fn mode(&self) -> GateMode {
        if self.audits { GateMode::Audit } else { GateMode::Enforce }
    }

    /// In audit mode, everything that the last order broke that broke anything ([`Flags::AUDIT`]), in the order of decision; what
    /// [`Gate::explain`] would have listed. Not for the path of orders that break nothing.
    pub fn audited(&self) -> impl Iterator<Item = R> {
        self.audited.iter()
    }

    /// The verdict that follows from `findings` in the gate's mode.
    #[inline(always)]
    pub(crate) fn conclude(&self, case: &Case, findings: &Findings) -> Verdict {
        let enforced = verdict(case, findings);
        if self.audits { Self::conclude_audit(case, findings, enforced) } else { enforced }
    }

    /// Apart, so that other gates pay one branch for it.
    #[cold]
    fn conclude_audit(case: &Case, findings: &Findings, enforced: Verdict) -> Verdict {
        if enforced.accepted() {
            return enforced;
        }
        let flags = Flags(findings.flags.0 | Flags::AUDIT.0);
        match held(case, findings.breaches).first() {
            Some(reason) => {
                let Breach { limit, value, .. } = Breach::of(reason, case);
                Verdict { limit, value, reason: Some(reason), flags, ..enforced }
            }
            None => Verdict { decision: Decision::Flag, flags, ..enforced },
        }
    }
}

/// The verdict that follows from `findings`.
#[inline(always)]
fn verdict(case: &Case, findings: &Findings) -> Verdict {
    let limits = &case.inputs.limits;
    let flags = findings.flags;
    let first = findings.breaches.first().map(|reason| Breach::of(reason, case));
    let decision = match first {
        Some(_) => Decision::Reject,
        None if flags.is_empty() => Decision::Accept,
        None => Decision::Flag,
    };
    Verdict {
        limit: first.map_or(0, |b| b.limit),
        value: first.map_or(0, |b| b.value),
        score: limits.score,
        version: limits.version,
        reason: first.map(|b| b.reason),
        decision,
        tier: limits.tier,
        source: limits.source,
        flags,
    }
}

/// The time between orders of the row, as the order counts into it: limits that could not be read have none.
pub(crate) fn counted_interval_ns(case: &Case) -> u32 {
    let limits = &case.inputs.limits;
    if matches!(limits.source, LimitsSource::None) { 0 } else { limits.bounds.order_interval_ns }
}
