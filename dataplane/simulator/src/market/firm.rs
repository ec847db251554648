//! The firm whose orders go through the gate: several small strategies that look at the simulated market and, in the
//! flash crash, the ones the gate must stop. Its orders do not reach the simulated book: the capture is what the market
//! was, and the gate is asked what it would have let through.

use types::Side;

use super::core::{Core, Wake};
use super::time::nanos;
use crate::random::Dice;

/// One order of the firm, as `orders.csv` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirmOrder {
    /// When it comes to the gate, nanoseconds since midnight.
    pub ts_ns: u64,
    /// Instrument of the simulation, from 0.
    pub instrument: u16,
    /// Which strategy sends it.
    pub strategy: Strategy,
    /// Buys ([`Side::Bid`]) or sells.
    pub side: Side,
    /// Lots.
    pub qty: u32,
    /// Limit in ticks of the instrument; none for a market order.
    pub px: Option<i64>,
    /// Whether it leaves what it cannot trade at once.
    pub immediate: bool,
    /// Whether the scenario planted it, and no behaviour produced it.
    pub planted: bool,
}

/// The firm's strategies, each with its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Quotes both sides.
    MarketMaker,
    /// Trades with the trend.
    Momentum,
    /// Trades one instrument against another.
    StatArb,
    /// Works customer orders.
    Execution,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::MarketMaker, Self::Momentum, Self::StatArb, Self::Execution];

    /// Name in `orders.csv`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MarketMaker => "market-maker",
            Self::Momentum => "momentum",
            Self::StatArb => "stat-arb",
            Self::Execution => "execution",
        }
    }

    /// Account in `orders.csv`.
    #[must_use]
    pub const fn account(self) -> &'static str {
        match self {
            Self::MarketMaker => "MM01",
            Self::Momentum | Self::StatArb => "PROP01",
            Self::Execution => "CLIENT07",
        }
    }
}

/// An order the scenario plants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlantedOrder {
    /// When, nanoseconds since midnight.
    pub at_ns: u64,
    /// Which strategy.
    pub strategy: Strategy,
    /// Buys or sells, at once.
    pub side: Side,
    /// Lots.
    pub qty: u32,
    /// How far its limit lies through the opposite touch, ticks. A market order of a size that the published levels do not
    /// cover is refused by any gate, static or not; this one says how far it would go.
    pub through_ticks: u16,
}

/// What the firm does in one instrument.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FirmPlan {
    /// Ordinary orders per minute.
    pub(crate) orders_per_min: f64,
    /// From when the ordinary orders come, nanoseconds since midnight.
    pub(crate) from_ns: u64,
    /// Until when they come; none for as long as the market is open.
    pub(crate) until_ns: Option<u64>,
    /// From when and until when the market-making strategy bids without pause, nanoseconds since midnight.
    pub(crate) bids: Option<(u64, u64)>,
    /// Planted orders.
    pub(crate) planted: Vec<PlantedOrder>,
}

/// The firm in one instrument.
#[derive(Debug)]
pub(crate) struct FirmTrader {
    plan: FirmPlan,
    /// Chance of its own: whatever the firm does, the market goes the same way.
    dice: Dice,
    /// Last quantity per side, never repeated at once: two equal orders in a row would be a duplicate, an error of
    /// its own.
    last_qty: [u32; 2],
    /// Lots bought less sold, taking every order as filled.
    net: i64,
}

impl FirmTrader {
    pub(crate) fn new(plan: FirmPlan, seed: u64, core: &mut Core) -> Self {
        let mut dice = Dice::new(seed, 0x2_0000 + u64::from(core.instrument));
        if plan.orders_per_min > 0.0 {
            let pause = dice.exponential(60.0 / plan.orders_per_min);
            core.wake_at(plan.from_ns + nanos(pause), Wake::Firm);
        }
        if let Some((from, _)) = plan.bids {
            core.wake_at(from, Wake::FirmQuote);
        }
        for (i, order) in (0..).zip(&plan.planted) {
            core.wake_at(order.at_ns, Wake::FirmPlanted(i));
        }
        Self { plan, dice, last_qty: [0; 2], net: 0 }
    }

    /// An ordinary order; schedules the next.
    pub(crate) fn trade(&mut self, core: &mut Core) -> Option<FirmOrder> {
        if self.plan.until_ns.is_some_and(|until| core.now >= until) {
            return None;
        }
        let pause = self.dice.exponential(60.0 / self.plan.orders_per_min);
        core.wake_in(nanos(pause), Wake::Firm);
        #[expect(clippy::cast_possible_truncation, reason = "four strategies")]
        let strategy = Strategy::ALL[self.dice.below(Strategy::ALL.len() as u32) as usize];
        // The firm is no investor: the more it holds, the likelier the next order brings it back.
        #[expect(clippy::cast_precision_loss, reason = "some thousand lots")]
        let lean = (self.net as f64 / 400.0).clamp(-1.0, 1.0);
        let side = if self.dice.chance(0.5 - 0.45 * lean) { Side::Bid } else { Side::Ask };
        let kind = self.dice.unit();
        let own = core.book.best(side)?;
        let far = core.book.best(side.opposite())?;
        let (px, immediate) = if kind < 0.15 {
            (None, true)
        } else if kind < 0.35 {
            (Some(far), true)
        } else {
            let back = i64::from(self.dice.below(4));
            (Some(if side == Side::Bid { own - back } else { own + back }), false)
        };
        Some(self.order(core, strategy, side, px, immediate))
    }

    /// A bid of the market-making strategy, which goes on bidding whatever happens; schedules the next.
    pub(crate) fn quote(&mut self, core: &mut Core) -> Option<FirmOrder> {
        let (_, until) = self.plan.bids?;
        let pause = self.dice.range(1.2, 2.8);
        if core.now + nanos(pause) < until {
            core.wake_in(nanos(pause), Wake::FirmQuote);
        }
        let px = core.book.best_bid()? - i64::from(self.dice.chance(0.3));
        Some(self.order(core, Strategy::MarketMaker, Side::Bid, Some(px), false))
    }

    /// Planted order number `i`.
    pub(crate) fn plant(&mut self, core: &Core, i: usize) -> FirmOrder {
        let PlantedOrder { strategy, side, qty, through_ticks, .. } = self.plan.planted[i];
        let through = if side == Side::Bid { i64::from(through_ticks) } else { -i64::from(through_ticks) };
        FirmOrder {
            ts_ns: core.now,
            instrument: core.instrument,
            strategy,
            side,
            qty,
            px: core.book.best(side.opposite()).map(|touch| touch + through),
            immediate: true,
            planted: true,
        }
    }

    fn order(
        &mut self,
        core: &mut Core,
        strategy: Strategy,
        side: Side,
        px: Option<i64>,
        immediate: bool,
    ) -> FirmOrder {
        let last = &mut self.last_qty[side.index()];
        let mut qty = 10 + self.dice.below(51);
        if qty == *last {
            qty = if qty == 60 { 10 } else { qty + 1 };
        }
        *last = qty;
        self.net += if side == Side::Bid { i64::from(qty) } else { -i64::from(qty) };
        let (ts_ns, instrument) = (core.now, core.instrument);
        FirmOrder { ts_ns, instrument, strategy, side, qty, px, immediate, planted: false }
    }
}
