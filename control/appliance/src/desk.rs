//! One gate with its tables and the firm's orders going through it, in event time: what a replay or the demo uses to say
//! what the gate would have done.
//!
//! Quotes, limit updates and orders reach a desk in any interleaving; [`Desk::advance`] works them off grid point by grid
//! point in order of time, so the verdicts do not depend on which thread was faster. At equal times a quote comes before a
//! limit, and both before an order.

use crate::book_stage::BookNote;
use crate::orders::OrderRow;
use anyhow::{Context, Result};
use control::config::{LimitPlan, Plan};
use gate::{
    AccountId, Breaker, BreakerCause, BreakerKey, BreakerState, BreakerTable, BreakerWriter, ClassId,
    Effective, Gate, GateConfig, GateTables, LimitTable, LimitWriter, OrderEvent, OrderIntent, OrderType,
    Permission, RefTable, RefWriter, SizeSurface, StaticTable, StaticTerms, StaticWriter, StrategyConfig,
    StrategyId, SurfaceTable, SurfaceWriter, Terms, TimeInForce, Verdict,
};
use stage::HopHistogram;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;
use types::{InstrumentId, Nanos, Px, Qty, Side, Symbol, TopOfBook, UnixNanos};

/// How long an order that rests is left in the market by the firm that sent it. Replays have no venue answers, so the
/// desk fills what crosses and takes back what does not.
const RESTING_TIME: Nanos = Nanos(5 * Nanos::SECOND.0);

/// Every strategy trades under one class of limits until the configuration knows classes.
const CLASS: ClassId = ClassId(0);

/// The model's word on one instrument, from `effective` on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitNote {
    pub(crate) effective: UnixNanos,
    pub(crate) instrument: InstrumentId,
    pub(crate) limits: Effective,
    pub(crate) terms: Terms,
    /// Critical: the instrument's breaker trips.
    pub(crate) trip: bool,
}

/// The model's word on the sizes of one instrument by price distance, from `effective` on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SurfaceNote {
    pub(crate) effective: UnixNanos,
    pub(crate) instrument: InstrumentId,
    pub(crate) sizes: SizeSurface,
    pub(crate) lease: Nanos,
    pub(crate) version: u32,
}

/// What the model says, in the order in which it takes effect.
#[derive(Clone, Copy, Debug)]
enum ModelNote {
    Limits(LimitNote),
    Surface(SurfaceNote),
}

impl ModelNote {
    const fn effective(&self) -> UnixNanos {
        match self {
            Self::Limits(note) => note.effective,
            Self::Surface(note) => note.effective,
        }
    }
}

/// What of the model a desk listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listens {
    /// Nothing: the officer's limits hold alone.
    Nothing,
    /// Its limits.
    Limits,
    /// Its sizes by price distance too.
    LimitsAndSurface,
}

impl Listens {
    /// To what the model says under `plan`.
    pub(crate) fn to_model(plan: &Plan) -> Self {
        if plan.policy.surface.is_on() { Self::LimitsAndSurface } else { Self::Limits }
    }
}

/// The best prices of one instrument from `top.ts` on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopNote {
    pub(crate) instrument: InstrumentId,
    pub(crate) top: TopOfBook,
}

/// One order and what the gate said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judgement {
    /// Index into the orders.
    pub(crate) order: usize,
    pub(crate) verdict: Verdict,
    pub(crate) check_ns: u64,
}

/// Who trades: names in the order of their numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    strategies: BTreeMap<String, StrategyId>,
    accounts: BTreeMap<String, AccountId>,
}

impl Directory {
    /// Numbers the strategies and accounts of `orders` in order of name, so that a replay numbers them as the last one.
    pub(crate) fn of(orders: &[OrderRow]) -> Self {
        let mut this = Self::default();
        for order in orders {
            this.strategies.insert(order.strategy.clone(), StrategyId(0));
            this.accounts.insert(order.account.clone(), AccountId(0));
        }
        (0..).zip(this.strategies.values_mut()).for_each(|(n, id)| *id = StrategyId(n));
        (0..).zip(this.accounts.values_mut()).for_each(|(n, id)| *id = AccountId(n));
        this
    }
}

/// An order of the firm that rests in the market.
#[derive(Clone, Copy, Debug)]
struct Resting {
    id: u64,
    instrument: InstrumentId,
    side: Side,
    px: Px,
    qty: Qty,
    until: UnixNanos,
}

/// A gate, its tables and its orders.
pub(crate) struct Desk {
    gate: Gate,
    statics: StaticWriter,
    dynamics: Option<LimitWriter>,
    surfaces: Option<SurfaceWriter>,
    references: RefWriter,
    breakers: BreakerWriter,
    directory: Directory,
    orders: Arc<[OrderRow]>,
    next_order: usize,
    symbols: BTreeMap<Symbol, InstrumentId>,
    tops: Vec<Option<TopOfBook>>,
    envelopes: LimitPlan,
    /// Quotes that do not change are not known to be right any more.
    gap_open: bool,
    book_notes: VecDeque<BookNote>,
    model_notes: VecDeque<ModelNote>,
    /// The limits in the dynamic table, by instrument.
    current: Vec<Option<LimitNote>>,
    resting: Vec<Resting>,
    judgements: Vec<Judgement>,
    latency: Option<(HopHistogram, HopHistogram)>,
}

impl Desk {
    /// A desk for up to `instruments` instruments.
    ///
    /// # Errors
    /// When the tables cannot be made in that size.
    pub(crate) fn new(
        orders: Arc<[OrderRow]>,
        envelopes: LimitPlan,
        instruments: usize,
        listens: Listens,
    ) -> Result<Self> {
        let directory = Directory::of(&orders);
        // A gate without strategies has nothing to check; one stands in where there are no orders.
        let strategies = vec![
            StrategyConfig { class: CLASS, order_rate_per_s: 1_000, order_burst: 1_000 };
            directory.strategies.len().max(1)
        ];
        let accounts =
            u16::try_from(directory.accounts.len().max(1)).context("too many accounts in the orders")?;
        let (statics, static_reader) = StaticTable::create(instruments, 1)?;
        let (references, ref_reader) = RefTable::create(instruments)?;
        let strategy_count = u16::try_from(strategies.len()).context("too many strategies in the orders")?;
        let (mut breakers, breaker_reader) = BreakerTable::create(accounts, strategy_count, instruments)?;
        breakers.set_unset(Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 });
        let adaptive = listens != Listens::Nothing;
        let dynamic = adaptive.then(|| LimitTable::create_within(&static_reader)).transpose()?;
        let (dynamics, dynamic_reader) = dynamic.map_or((None, None), |(w, r)| (Some(w), Some(r)));
        let sized = listens == Listens::LimitsAndSurface;
        let surface = sized.then(|| SurfaceTable::create(instruments)).transpose()?;
        let (surfaces, surface_reader) = surface.map_or((None, None), |(w, r)| (Some(w), Some(r)));
        let config = GateConfig { strategies: &strategies, accounts, ..GateConfig::DEFAULT };
        let tables = GateTables {
            statics: static_reader,
            dynamics: dynamic_reader,
            surfaces: surface_reader,
            references: ref_reader,
            breakers: breaker_reader,
        };
        Ok(Self {
            gate: Gate::new(&config, tables)?,
            statics,
            dynamics,
            surfaces,
            references,
            breakers,
            directory,
            orders,
            next_order: 0,
            symbols: BTreeMap::new(),
            tops: vec![None; instruments],
            envelopes,
            gap_open: false,
            book_notes: VecDeque::new(),
            model_notes: VecDeque::new(),
            current: vec![None; instruments],
            resting: Vec::new(),
            judgements: Vec::new(),
            latency: None,
        })
    }

    /// Records the time of each publication into the gate's table, and of each decision.
    pub(crate) fn measure(&mut self, publish: HopHistogram, decision: HopHistogram) {
        self.latency = Some((publish, decision));
    }

    /// Takes one note of the books; definitions, quotes and ends of grid points in the order in which they were sent.
    pub(crate) fn note_book(&mut self, note: BookNote) {
        self.book_notes.push_back(note);
    }

    pub(crate) fn note_limits(&mut self, note: LimitNote) {
        if self.dynamics.is_some() {
            self.model_notes.push_back(ModelNote::Limits(note));
        }
    }

    pub(crate) fn note_surface(&mut self, note: SurfaceNote) {
        if self.surfaces.is_some() {
            self.model_notes.push_back(ModelNote::Surface(note));
        }
    }

    /// Works off everything up to and including the grid point `until`, whose notes have all been taken.
    pub(crate) fn advance(&mut self, until: UnixNanos) -> Result<()> {
        loop {
            let note = self.next_note(until);
            let model = self.model_notes.front().map(ModelNote::effective);
            let order = self.orders.get(self.next_order).map(|o| o.ts);
            let Some(next) = [note, model, order].into_iter().flatten().min().filter(|&ts| ts <= until)
            else {
                break;
            };
            if note == Some(next) {
                self.take_note()?;
            } else if model == Some(next) {
                self.take_model_note()?;
            } else {
                self.judge_next();
            }
        }
        if until < UnixNanos(u64::MAX) && !self.gap_open {
            self.references.heartbeat(until);
        }
        Ok(())
    }

    /// Time of the next note before the end of grid point `until`. A note of a later time waits for it: an order in between
    /// must not see a quote from its future.
    fn next_note(&mut self, until: UnixNanos) -> Option<UnixNanos> {
        while let Some(BookNote::Grid(end)) = self.book_notes.front() {
            let reached = *end >= until;
            if reached && until < UnixNanos(u64::MAX) {
                return None;
            }
            self.book_notes.pop_front();
        }
        self.book_notes.front().map(BookNote::ts)
    }

    /// The largest order that could pass now, for screens: the model's while its lease holds, else the officer's.
    pub(crate) fn max_qty(&self, instrument: InstrumentId, now: UnixNanos) -> u32 {
        let live = |n: &&LimitNote| now < n.effective.plus(n.terms.lease);
        let dynamic = self.current.get(instrument.index()).and_then(Option::as_ref).filter(live);
        let symbol = self.symbols.iter().find(|(_, id)| **id == instrument).map(|(symbol, _)| *symbol);
        let fixed = || symbol.map_or(0, |s| self.envelopes.envelope(s.into()).base().max_qty.0);
        dynamic.map_or_else(fixed, |n| n.limits.limits().max_qty.0)
    }

    /// Everything that was said so far, and forgets it.
    pub(crate) fn take_judgements(&mut self) -> Vec<Judgement> {
        std::mem::take(&mut self.judgements)
    }

    /// Ends the run: works off what is left.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.advance(UnixNanos(u64::MAX))?;
        if let Some((publish, decision)) = &mut self.latency {
            publish.swap(UnixNanos(0));
            decision.swap(UnixNanos(0));
        }
        Ok(())
    }

    fn take_note(&mut self) -> Result<()> {
        match self.book_notes.pop_front() {
            Some(BookNote::Define { instrument, symbol, ts }) => self.define(instrument, symbol, ts),
            Some(BookNote::Top(note)) => {
                self.take_top(&note);
                Ok(())
            }
            Some(BookNote::Gap { open, .. }) => {
                self.gap_open = open;
                Ok(())
            }
            Some(BookNote::Grid(_)) | None => Ok(()),
        }
    }

    /// An instrument got its number: the officer's limits for it take force.
    fn define(&mut self, instrument: InstrumentId, symbol: Symbol, now: UnixNanos) -> Result<()> {
        self.symbols.insert(symbol, instrument);
        let terms = StaticTerms { lot: Qty(1), permission: Permission::Granted, version: 1 };
        self.statics.publish(instrument, CLASS, self.envelopes.envelope(symbol.into()), &terms, now)?;
        Ok(())
    }

    fn take_top(&mut self, note: &TopNote) {
        let TopNote { instrument, top } = *note;
        // An instrument beyond the table has no reference, and so no order of it passes.
        if self.references.publish(instrument, &top).is_ok() {
            self.tops[instrument.index()] = Some(top);
            self.fill_resting(instrument, &top);
        }
    }

    fn take_model_note(&mut self) -> Result<()> {
        match self.model_notes.pop_front() {
            Some(ModelNote::Limits(note)) => self.take_limits(note),
            Some(ModelNote::Surface(note)) => self.take_surface(&note),
            None => Ok(()),
        }
    }

    fn take_surface(&mut self, note: &SurfaceNote) -> Result<()> {
        let Some(surfaces) = &mut self.surfaces else { return Ok(()) };
        surfaces.publish(note.instrument, &note.sizes, note.lease, note.version, note.effective)?;
        Ok(())
    }

    fn take_limits(&mut self, note: LimitNote) -> Result<()> {
        let Some(dynamics) = &mut self.dynamics else { return Ok(()) };
        let start = Instant::now();
        dynamics.publish(note.instrument, CLASS, &note.limits, &note.terms, note.effective)?;
        if let Some((publish, _)) = &mut self.latency {
            publish.record(since(start));
        }
        if let Some(current) = self.current.get_mut(note.instrument.index()) {
            *current = Some(note);
        }
        if note.trip {
            let breaker = Breaker { state: BreakerState::Tripped, cause: BreakerCause::Model, episode: 1 };
            self.breakers.set(BreakerKey::Instrument(note.instrument), breaker)?;
        }
        Ok(())
    }

    fn judge_next(&mut self) {
        let index = self.next_order;
        self.next_order += 1;
        let orders = Arc::clone(&self.orders);
        let order = &orders[index];
        self.expire_resting(order.ts);
        let intent = self.intent(index, order);
        let start = Instant::now();
        let (verdict, reservation) = self.gate.reserve(&intent, order.ts);
        let check = since(start);
        if let Some((_, decision)) = &mut self.latency {
            decision.record(check);
        }
        self.judgements.push(Judgement { order: index, verdict, check_ns: check.0 });
        if reservation.is_some() {
            self.work(&intent, order);
        }
    }

    fn intent(&self, index: usize, order: &OrderRow) -> OrderIntent {
        let known = Symbol::new(&order.symbol).and_then(|s| self.symbols.get(&s));
        OrderIntent {
            cl_ord_id: index as u64 + 1,
            px: order.px,
            // A name nobody defined has no number; the gate refuses the number it cannot have.
            instrument: known.copied().unwrap_or(InstrumentId::ALL),
            qty: order.qty,
            strategy: self.directory.strategies[&order.strategy],
            account: self.directory.accounts[&order.account],
            side: order.side,
            order_type: if order.px.is_some() { OrderType::Limit } else { OrderType::Market },
            tif: if order.ioc { TimeInForce::Ioc } else { TimeInForce::Day },
        }
    }

    /// Plays the venue's part for an accepted order.
    fn work(&mut self, intent: &OrderIntent, order: &OrderRow) {
        let id = intent.cl_ord_id;
        let top = self.tops.get(intent.instrument.index()).copied().flatten();
        if top.is_some_and(|t| crosses(intent.side, intent.px, &t)) {
            self.gate.settle(OrderEvent::Filled { id, qty: intent.qty });
        } else if order.ioc {
            self.gate.settle(OrderEvent::Cancelled { id });
        } else {
            self.gate.settle(OrderEvent::Accepted { id });
            let OrderIntent { instrument, side, px, qty, .. } = *intent;
            self.resting.push(Resting { id, instrument, side, px, qty, until: order.ts.plus(RESTING_TIME) });
        }
    }

    fn fill_resting(&mut self, instrument: InstrumentId, top: &TopOfBook) {
        let gate = &mut self.gate;
        self.resting.retain(|r| {
            if r.until <= top.ts {
                gate.settle(OrderEvent::Cancelled { id: r.id });
                return false;
            }
            let filled = r.instrument == instrument && crosses(r.side, r.px, top);
            if filled {
                gate.settle(OrderEvent::Filled { id: r.id, qty: r.qty });
            }
            !filled
        });
    }

    fn expire_resting(&mut self, now: UnixNanos) {
        let gate = &mut self.gate;
        self.resting.retain(|r| {
            let expired = r.until <= now;
            if expired {
                gate.settle(OrderEvent::Cancelled { id: r.id });
            }
            !expired
        });
    }
}

fn since(start: Instant) -> Nanos {
    Nanos(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// Whether an order at `px` would trade at once; a market order does wherever there is someone to trade with.
fn crosses(side: Side, px: Px, top: &TopOfBook) -> bool {
    let far = match side {
        Side::Bid => top.ask,
        Side::Ask => top.bid,
    };
    far.is_some() && (!px.is_some() || (side == Side::Bid && px >= far) || (side == Side::Ask && px <= far))
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{BookState, TradingStatus};

    const fn at(seconds: u64) -> UnixNanos {
        UnixNanos(seconds * Nanos::SECOND.0)
    }

    /// The slug of a desk's verdict on an order at 11 s (none: accepted), when its quote is of the first second and
    /// `notes` follow.
    fn said_after(notes: &[BookNote]) -> &'static str {
        let px = |cents: i64| Px(cents * 10_000_000);
        let order = OrderRow {
            ts: at(11),
            cl_ord_id: "1".into(),
            account: "a".into(),
            strategy: "s".into(),
            symbol: "T".into(),
            side: Side::Bid,
            qty: Qty(1),
            px: px(10_000),
            ioc: false,
        };
        let limits = control::config::load(&[], &[]).unwrap().limits;
        let mut desk = Desk::new([order].into(), limits, 1, Listens::Nothing).unwrap();
        let (instrument, symbol) = (InstrumentId(0), Symbol::new("T").unwrap());
        let top = TopOfBook {
            bid: px(10_000),
            bid_qty: 100,
            ask: px(10_001),
            ask_qty: 100,
            last: Px::NONE,
            tick: px(1),
            ts: at(1),
            state: BookState::Live,
            status: TradingStatus::Trading,
        };
        desk.note_book(BookNote::Define { instrument, symbol, ts: at(1) });
        desk.note_book(BookNote::Top(TopNote { instrument, top }));
        notes.iter().for_each(|note| desk.note_book(*note));
        desk.advance(at(10)).unwrap();
        desk.advance(at(12)).unwrap();
        desk.take_judgements()[0].verdict.slug()
    }

    #[test]
    fn an_unchanged_quote_stays_right_only_while_no_gap_is_open() {
        let gap = |open, seconds| BookNote::Gap { open, ts: at(seconds) };
        assert_eq!(said_after(&[]), "");
        assert_eq!(said_after(&[gap(true, 2)]), "REF_STALE");
        assert_eq!(said_after(&[gap(true, 2), gap(false, 3)]), "");
    }
}
