//! One order with everything it is judged by, read once: what every check sees.

use types::{Nanos, Tier, UnixNanos};

use crate::{
    breaker::OrderBreakers,
    decision::LimitsSource,
    depth::Walk,
    divide::Divisor,
    exposure::Cell,
    fat_finger,
    ids::ClassId,
    intent::{OrderIntent, TimesInForce},
    judged::Judged,
    quote::Quote,
    record::{Bounds, Permission},
    score::FixedScore,
    shared::Common,
    warn::WarnShare,
    worth::Worth,
};

/// A strategy as the order path needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StrategyRow {
    pub class: ClassId,
    pub times_in_force: TimesInForce,
    pub order_interval_ns: u32,
    /// See [`crate::rate`].
    pub early_max_ns: u64,
    /// See [`crate::rate`].
    pub due: UnixNanos,
}

impl StrategyRow {
    /// A strategy that may send nothing.
    pub(crate) const NONE: Self = Self {
        class: ClassId(0),
        times_in_force: TimesInForce::ANY,
        order_interval_ns: u32::MAX,
        early_max_ns: 0,
        due: UnixNanos(u64::MAX),
    };
}

/// The limits an order is held to, and whose they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InForce {
    pub bounds: Bounds,
    /// The officer's quantity limit: the cap under live dynamic limits, else the base.
    pub officer_qty: u32,
    pub lot: u32,
    pub permission: Permission,
    pub source: LimitsSource,
    pub tier: Tier,
    pub score: FixedScore,
    pub version: u32,
    /// The fat-finger network's largest size at the order's price distance; [`fat_finger::UNLIMITED`] without a live fat-finger limit.
    pub fat_finger_qty: u32,
}

impl InForce {
    /// No limits: nothing passes.
    pub(crate) const NONE: Self = Self {
        bounds: Bounds::NOTHING,
        officer_qty: 0,
        lot: 0,
        permission: Permission::Denied,
        source: LimitsSource::None,
        tier: Tier::Normal,
        score: FixedScore::ZERO,
        version: 0,
        fat_finger_qty: fat_finger::UNLIMITED,
    };
}

/// Whether an input was there to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Whole,
    Empty,
    Torn,
    /// Something it is found by is unknown, which is a reason of its own.
    NotSought,
}

/// What is missing of the inputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Missing {
    pub instrument: bool,
    pub strategy: bool,
    pub account: bool,
    pub limits: Found,
    pub quote: Found,
}

impl Missing {
    pub(crate) const NOTHING: Self = Self {
        instrument: false,
        strategy: false,
        account: false,
        limits: Found::Whole,
        quote: Found::Whole,
    };
}

/// Everything an order is judged by, read once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inputs {
    pub limits: InForce,
    pub quote: Quote,
    /// There is a reference price. The fast path has asked, and says so as a constant.
    pub referenced: bool,
    /// How old the last trade is that is the reference; 0 when it is none, which the fast path has seen to.
    pub last_age_ns: u64,
    /// The mean reference of the period; 0 when there is none, or it does not forbid the price, which the fast path has seen to.
    pub period_mean: u64,
    /// Of the order's price.
    pub tick: Divisor,
    /// The tick is known. The fast path has asked.
    pub ticked: bool,
    /// What a market order would trade at.
    pub walk: Walk,
    /// See [`Quote::valued_from`]. The fast path leaves a sell below the bid to the slow one, and says 0.
    pub valued_from: u64,
    /// What prices mean in money. The fast path leaves those that mean something else than they say to the slow one.
    pub worth: Worth,
    /// When the instrument's feed was last known to be alive and complete.
    pub heartbeat: UnixNanos,
    pub cell: Cell,
    pub strategy: StrategyRow,
    pub breakers: OrderBreakers,
    /// A breaker of the order is not open. The fast path has asked, and says so as a constant.
    pub halted: bool,
    /// When the next order of the cell is due.
    pub due: UnixNanos,
    /// The books of gate and venue differ. The fast path says no: there such a cell is never due.
    pub unreconciled: bool,
    /// In doubt, how much farther on the order's side the position may be than the cell has it. The fast path says 0.
    pub astray: i64,
    /// The id is that of an open or recent order.
    pub known: bool,
    pub common: Common,
    pub missing: Missing,
}

/// What a replacement already has: a new order has nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prior {
    /// How much more can trade if the order is let through.
    pub growth: u32,
    /// Whole quantity before.
    pub qty: u32,
    /// What it was worth before, in 1e-9 of the firm's currency.
    pub value: u128,
    /// Price before, 0 when there is none.
    pub px: u64,
    /// It would trade at once and did not before: it is held to everything like a new order.
    pub anew: bool,
    /// It only takes quantity off an order, at the same price or a less aggressive one.
    pub shrinks: bool,
    /// It replaces an order that is not open.
    pub unknown: bool,
    /// It would change more than price and quantity.
    pub foreign: bool,
    /// The order has a replacement on its way.
    pub pending: bool,
}

impl Prior {
    #[inline(always)]
    pub(crate) const fn none(order: &OrderIntent) -> Self {
        Self {
            growth: order.qty.0,
            qty: 0,
            value: 0,
            px: 0,
            anew: false,
            shrinks: false,
            unknown: false,
            foreign: false,
            pending: false,
        }
    }
}

/// What the checks need of the gate itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Above which share of a limit an order is near it.
    pub warn: WarnShare,
    /// The latest time seen.
    pub clock: UnixNanos,
    pub ref_age_max: Nanos,
    pub last_age_max: Nanos,
    pub rate_age_max: Nanos,
    pub period_collar_bps: u32,
    pub critical_reduce_only: bool,
    pub daemon_age_max_ns: u64,
    pub orders_open: usize,
    pub orders_max: usize,
    pub instruments: usize,
    pub strategies: usize,
    pub accounts: u16,
}

/// What several checks, and the numbers of a verdict, share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub judged: Judged,
    /// See [`Cell::worst`].
    pub worst: i64,
    /// What the passive distance is measured from: the far touch, or the reference when there is none.
    pub opposite: u64,
    /// From `opposite` to the price, positive while passive.
    pub gap: i64,
    /// What the order may cost or yield, in 1e-9 of the firm's currency: a market order by its walk; a sell limit at the bid when that
    /// is higher, and a buy where prices may be negative at the ask when that is farther from zero.
    pub value: u128,
    pub ref_age_ns: u64,
}

impl Facts {
    #[inline(always)]
    #[expect(clippy::cast_possible_wrap, reason = "judged only when positive and below 2^60")]
    fn of(order: &OrderIntent, prior: Prior, inputs: &Inputs, now: UnixNanos) -> Self {
        let quote = &inputs.quote;
        let mut judged = Judged::of(order, quote);
        let (worth, qty) = (&inputs.worth, u128::from(order.qty.0));
        let mut value = u128::from(worth.unit(judged.px, inputs.valued_from)) * qty;
        if judged.market {
            // By the worst price it reaches, not the first.
            (judged.px, value) = (inputs.walk.worst, inputs.walk.cost);
            if worth.signed {
                value = u128::from(worth.unit(judged.far, judged.px)) * qty;
            }
        }
        let value = worth.money(value);
        let opposite = if judged.far != 0 { judged.far } else { quote.twice_ref >> 1 };
        let above = judged.px.wrapping_sub(opposite) as i64;
        Self {
            judged,
            worst: inputs.cell.worst(order.side, prior.growth),
            opposite,
            gap: if judged.buys { above.wrapping_neg() } else { above },
            value,
            ref_age_ns: now.0.abs_diff(quote.ts.0.max(inputs.heartbeat.0)),
        }
    }
}

/// One order, what it is judged by, and what follows from both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    pub order: &'a OrderIntent,
    pub prior: Prior,
    pub inputs: &'a Inputs,
    pub facts: Facts,
    pub settings: Settings,
    pub now: UnixNanos,
}

impl<'a> Case<'a> {
    #[inline(always)]
    pub(crate) fn new(
        order: &'a OrderIntent,
        prior: Prior,
        inputs: &'a Inputs,
        settings: Settings,
        now: UnixNanos,
    ) -> Self {
        Self { order, prior, inputs, facts: Facts::of(order, prior, inputs, now), settings, now }
    }

    /// No fills of the side's working orders and this one can enlarge or turn the position, by any reading of what the venue has said.
    #[inline(always)]
    pub(crate) const fn reduces(&self) -> bool {
        self.worst_by_any_reading() <= 0
    }

    /// The worst case on the order's side where the position is as far on it as it may be; it is where the gate has it unless it is in
    /// doubt.
    #[inline(always)]
    pub(crate) const fn worst_by_any_reading(&self) -> i64 {
        self.facts.worst.wrapping_add(self.inputs.astray)
    }

    /// The largest quantity of which as much can be said.
    pub(crate) fn most_that_reduces(&self) -> i64 {
        i64::from(self.prior.growth).saturating_sub(self.worst_by_any_reading()).max(0)
    }

    /// It adds no risk: it can only reduce the position, or takes away from what works already.
    #[inline(always)]
    pub(crate) const fn adds_nothing(&self) -> bool {
        self.reduces() || self.prior.shrinks
    }

    /// Whether the position can become larger than before, or reach at once what it could only reach by resting.
    #[inline(always)]
    pub(crate) const fn positions(&self) -> bool {
        self.prior.growth != 0 || self.prior.anew
    }

    /// Whether more can trade than before.
    #[inline(always)]
    pub(crate) const fn grows(&self) -> bool {
        self.order.qty.0 > self.prior.qty
    }

    /// The largest position on the order's side.
    #[inline(always)]
    pub(crate) const fn position_max(&self) -> i64 {
        let bounds = &self.inputs.limits.bounds;
        if self.facts.judged.buys { bounds.max_pos_long } else { bounds.max_pos_short }
    }
}
