//! What the control plane sees of the running line, and how it moves it: through the gate's single-writer tables and a
//! ring of commands to the scorer, never through the order path.

use super::drivers::named;
use super::feed_state::value;
use super::gateways::GatewayViews;
use super::load::LoadView;
use super::orders::{ClosedScopes, Orders, ScopeNumbers};
use super::port::PortView;
use super::pulse::Pulse;
use super::unscored::Unscored;
use super::views::{FeedView, ScorerView};
use super::writers::Writers;
use crate::line::explain::Asker;
use crate::line::gate_tables::{CLASS, Readers, SharedMemory};
use crate::line::notes::{Defined, Drivers, ScorerCommand, ScorerNote};
use anyhow::Result;
use attach::DaemonClock;
use control::backend::{Backend, BackendError, InstrumentView, QuotaView, SessionView, Snapshot};
use control::config::{DeclaredScopes, Locates, Plan, Restricted};
use control::names::{Name, Scope, SymbolName};
use control::protocol::{
    Grant, HoldingsFilter, OrderCounts, OrderQuery, OrderRow, PositionRow, PositionSetting, ScorerStatus,
    StageCounters,
};
use gate::{
    AccountId, Breaker, BreakerKey, Envelope, Explanation, Exposure, LimitsSource, OrderIntent, OrderType,
    StrategyId, TermsError, limits_in_force,
};
use stage::{Clock, CounterReader, LiveClock};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use types::{BookState, InstrumentId, Px, Qty, Symbol, TradingStatus, UnixNanos};

/// Strategies and accounts that can be named; their breakers exist from the start.
pub(super) const NAMES_MAX: u16 = 64;

/// What the cold thread knows of one instrument.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    tier_since: Option<UnixNanos>,
    drivers: Option<Drivers>,
}

/// Names and their numbers: instruments as the feed defines them, accounts and strategies as declared.
#[derive(Default)]
pub(super) struct NamesInUse {
    pub(super) instruments: BTreeMap<Symbol, InstrumentId>,
    pub(super) symbols: BTreeMap<InstrumentId, Symbol>,
    /// Names that instruments were refused, as far as that was told.
    pub(super) refused: BTreeMap<InstrumentId, Symbol>,
    known: BTreeMap<InstrumentId, Known>,
    pub(super) strategies: BTreeMap<Name, StrategyId>,
    accounts: BTreeMap<Name, AccountId>,
}

/// The running line as the control plane's backend. All of it is on cold threads, so plain locks serve.
pub(super) struct LiveBackend {
    pub(super) clock: LiveClock,
    pub(super) feeds: Vec<FeedView>,
    pub(super) scorer: Option<ScorerView>,
    /// How busy the line is and how full.
    pub(super) load: LoadView,
    pub(super) model: String,
    pub(super) readers: Readers,
    /// What the desk counts.
    orders: CounterReader,
    pub(super) writers: Mutex<Writers>,
    /// None where a scorer writes the model's tables.
    pub(super) unscored: Mutex<Option<Unscored>>,
    asker: Mutex<Asker>,
    pub(super) names: Mutex<NamesInUse>,
    /// None where no order process is declared.
    pub(super) processes: Mutex<Option<Orders>>,
    /// The tables for them, until they are opened.
    shared: Mutex<Option<SharedMemory>>,
    /// The clock that they go by.
    said: Option<DaemonClock>,
    closed: ClosedScopes,
    /// Gateways that run in the daemon.
    pub(super) gateways: OnceLock<GatewayViews>,
    version: AtomicU32,
    /// What the cold thread adds up.
    pub(super) pulse: Pulse,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked left the tables as its last whole call did; the control plane must go on.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn failed(what: impl ToString) -> BackendError {
    BackendError::Failed { what: what.to_string() }
}

fn none_declared() -> BackendError {
    failed("no order process is declared")
}

/// Numbers for declared names, in their order.
fn numbered<'a, I>(names: impl Iterator<Item = &'a Name>, id: fn(u16) -> I) -> BTreeMap<Name, I> {
    // The configuration allows no more than there are numbers.
    names.zip(0..NAMES_MAX).map(|(name, number)| (name.clone(), id(number))).collect()
}

impl LiveBackend {
    pub(super) fn new(
        clock: LiveClock,
        (feeds, scorer, load, model): (Vec<FeedView>, Option<ScorerView>, LoadView, String),
        (readers, shared): (Readers, Option<SharedMemory>),
        orders: CounterReader,
        (writers, unscored): (Writers, Option<Unscored>),
        asker: Asker,
        scopes: &DeclaredScopes,
    ) -> Self {
        let names = NamesInUse {
            strategies: numbered(scopes.strategies.keys(), StrategyId),
            accounts: numbered(scopes.accounts.iter(), AccountId),
            ..NamesInUse::default()
        };
        Self {
            clock,
            feeds,
            scorer,
            load,
            model,
            readers,
            orders,
            writers: Mutex::new(writers),
            unscored: Mutex::new(unscored),
            asker: Mutex::new(asker),
            names: Mutex::new(names),
            processes: Mutex::new(None),
            said: shared.as_ref().map(|shared| shared.clock),
            shared: Mutex::new(shared),
            closed: ClosedScopes::default(),
            gateways: OnceLock::new(),
            version: AtomicU32::new(0),
            pulse: Pulse::default(),
        }
    }

    /// Opens every breaker that nothing latched has closed.
    pub(super) fn open_unlatched(&self) {
        lock(&self.writers).open_unlatched();
    }

    /// An instrument got its number. Gives why the gate did not take what is declared of it, where it did not.
    pub(super) fn define(&self, defined: Defined) -> Option<TermsError> {
        let refused = lock(&self.writers).declared.define(defined).err();
        let mut names = lock(&self.names);
        names.refused.remove(&defined.instrument);
        names.instruments.insert(defined.symbol, defined.instrument);
        let before = names.symbols.insert(defined.instrument, defined.symbol);
        // One number, one name: what is held under the one before must not be taken for this one's.
        if let Some(before) = before.filter(|before| *before != defined.symbol) {
            names.instruments.remove(&before);
        }
        drop(names);
        lock(&self.processes).iter_mut().for_each(|orders| orders.define(defined.instrument, defined.symbol));
        refused
    }

    /// Opens what order processes left behind, once. Gives what is to be told.
    ///
    /// # Errors
    /// A ring or a journal that cannot be opened.
    pub(super) fn open_orders(&self, plan: &Plan) -> Result<Vec<String>> {
        let Some(shared) = lock(&self.shared).take() else { return Ok(Vec::new()) };
        let (orders, said) = Orders::open(plan, shared, self.clock.now())?;
        *lock(&self.processes) = Some(orders);
        Ok(said)
    }

    /// Says to order processes that the daemon lives, and how late it is.
    pub(super) fn say_alive(&self) {
        if let Some(said) = &self.said {
            said.say(|| self.clock.now());
        }
        lock(&self.writers).breakers.alive(self.clock.now());
    }

    /// Lets go of the ports, once nobody polls them: an interface is left as it was found.
    pub(super) fn close_ports(&self) {
        self.feeds.iter().filter_map(|feed| feed.port.as_ref()).for_each(PortView::close);
    }

    /// The daemon ends in order.
    pub(super) fn close_orders(&self) -> Vec<String> {
        lock(&self.processes).as_mut().map_or_else(Vec::new, Orders::close)
    }

    /// Takes what order processes wrote: lines for the verdict log, and what is to be told.
    pub(super) fn drain_orders(&self) -> (Vec<String>, Vec<String>) {
        lock(&self.processes)
            .as_mut()
            .map_or_else(Default::default, |orders| orders.drain(&self.closed, self.clock.now()))
    }

    /// Remembers what the scorer said; gives the instrument's name.
    pub(super) fn note(&self, note: &ScorerNote) -> Option<SymbolName> {
        let mut names = lock(&self.names);
        if let ScorerNote::Tier { instrument, at, drivers, .. } = note {
            names.known.insert(*instrument, Known { tier_since: Some(*at), drivers: *drivers });
        }
        names.symbols.get(&note.instrument()).map(|s| (*s).into())
    }

    /// The model's trips of `instrument` up to `number` are in its breaker and latched.
    pub(super) fn take_trips(&self, instrument: InstrumentId, number: u32) {
        // An instrument beyond the table has no breaker, and no order of it passes.
        let _ = lock(&self.writers).breakers.take_trips(instrument, number);
    }

    /// The number of the model's last trip of `instrument`, while it has not been taken over.
    pub(super) fn untaken_trips(&self, instrument: InstrumentId) -> Option<u32> {
        lock(&self.writers).breakers.untaken_trips(instrument)
    }

    /// Every instrument with trips of the model that have not been taken over, and the number of the last.
    pub(super) fn all_untaken_trips(&self) -> Vec<(InstrumentId, SymbolName, u32)> {
        let names = lock(&self.names);
        let breakers = &lock(&self.writers).breakers;
        let untaken = |(id, symbol): (&InstrumentId, &Symbol)| {
            Some((*id, (*symbol).into(), breakers.untaken_trips(*id)?))
        };
        names.symbols.iter().filter_map(untaken).collect()
    }

    /// Everything that the stages count.
    fn counters(&self) -> StageCounters {
        let of = |counters: &CounterReader| {
            counters.iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>()
        };
        let feeds = self.feeds.iter().map(|feed| (format!("receiver {}", feed.name), of(&feed.counters)));
        let others = self.scorer.iter().map(|scorer| &scorer.counters).chain([self.load.booked()]);
        let stages = feeds.chain(others.map(|counters| (counters.set_name().to_owned(), of(counters))));
        let gateways = self.gateways.get().into_iter().flat_map(GatewayViews::standings);
        stages.chain(lock(&self.processes).iter().flat_map(Orders::standings)).chain(gateways).collect()
    }

    pub(super) fn instrument(&self, symbol: SymbolName) -> Option<InstrumentId> {
        lock(&self.names).instruments.get(&symbol.symbol()).copied()
    }

    fn unknown(symbol: SymbolName) -> BackendError {
        BackendError::Unknown { what: format!("instrument {symbol}") }
    }

    fn strategy(&self, name: &Name) -> Result<StrategyId, BackendError> {
        let known = lock(&self.names).strategies.get(name).copied();
        known.ok_or_else(|| BackendError::Unknown { what: format!("strategy {name}") })
    }

    fn account(&self, name: &Name) -> Result<AccountId, BackendError> {
        let known = lock(&self.names).accounts.get(name).copied();
        known.ok_or_else(|| BackendError::Unknown { what: format!("account {name}") })
    }

    fn scope(&self, scope: &Scope) -> Result<BreakerKey, BackendError> {
        Ok(match scope {
            Scope::Firm => BreakerKey::Firm,
            Scope::Desk(_) | Scope::Trader(_) => {
                return Err(BackendError::Unknown { what: format!("a breaker of {scope}") });
            }
            Scope::Account(name) => BreakerKey::Account(self.account(name)?),
            Scope::Strategy(name) => BreakerKey::Strategy(self.strategy(name)?),
            Scope::Instrument(symbol) => {
                BreakerKey::Instrument(self.instrument(*symbol).ok_or_else(|| Self::unknown(*symbol))?)
            }
        })
    }

    /// The feed of an instrument.
    pub(super) fn feed_of(&self, instrument: InstrumentId) -> Option<&FeedView> {
        self.feeds.iter().find(|feed| feed.instruments.contains(&instrument.0))
    }

    fn view(
        &self,
        symbol: Symbol,
        instrument: InstrumentId,
        known: Known,
        now: UnixNanos,
    ) -> Option<InstrumentView> {
        // What the gate itself would judge an order by, so that no screen says another tier or limit than a verdict.
        let Readers { statics, dynamics, references } = &self.readers;
        let held_to = limits_in_force(statics, dynamics.as_ref(), instrument, CLASS, now)?;
        let modelled = matches!(held_to.source, LimitsSource::Dynamic | LimitsSource::StaticLease);
        let top = references.read(instrument);
        let of_several = self.feed_of(instrument).filter(|_| self.feeds.len() > 1);
        Some(InstrumentView {
            symbol: symbol.into(),
            effective: held_to.limits,
            source: held_to.source,
            tier: held_to.tier,
            score: modelled.then_some(held_to.score),
            tier_since: known.tier_since,
            book: top.map_or(BookState::Empty, |top| top.state),
            feed: of_several.map_or_else(String::new, |feed| feed.name.clone()),
            trading: top.map_or(TradingStatus::Unknown, |top| top.status),
            has_reference: top.is_some_and(|top| top.px.is_some()),
            drivers: known.drivers.map_or_else(Vec::new, |drivers| named(&drivers)),
        })
    }
}

impl Backend for LiveBackend {
    fn snapshot(&self) -> Snapshot {
        let now = self.clock.now();
        let scorer = ScorerStatus {
            backend: self.scorer.as_ref().map_or("off", |scorer| scorer.name).to_owned(),
            model: self.model.clone(),
            last: self.scorer.as_ref().and_then(|scorer| scorer.last.stamp()),
            scored: self.scorer.as_ref().map_or(0, |scorer| value(&scorer.counters, "scored")),
            uncalibrated: self.scorer.as_ref().map_or(0, |scorer| value(&scorer.counters, "uncalibrated")),
        };
        let mut orders = OrderCounts {
            accepted: value(&self.orders, "accepted"),
            flagged: value(&self.orders, "flagged"),
            rejected: value(&self.orders, "rejected"),
        };
        let mut processes = 0;
        for (_, counts) in lock(&self.processes).iter().flat_map(Orders::counts) {
            processes += 1;
            orders.accepted += counts.accepted;
            orders.flagged += counts.flagged;
            orders.rejected += counts.rejected;
        }
        // Each lock is given back before the next is taken: an attach takes these two the other way round.
        let halts = lock(&self.processes).as_mut().map_or_else(Vec::new, |orders| orders.halts(&self.closed));
        let settlement_missing = lock(&self.writers).declared.settlement_missing(now);
        Snapshot {
            feeds: self.feeds.iter().map(|feed| feed.status(now)).collect(),
            scorer,
            // The desk itself judges only questions: without a process there are no orders to count.
            orders: (processes > 0).then_some(orders),
            halts,
            gateways: self.gateways.get().into_iter().flat_map(GatewayViews::states).collect(),
            settlement_missing,
            counters: self.counters(),
            verdicts: self.pulse.by_reason(),
            hops: self.pulse.by_hop(),
            load: self.load.status(),
        }
    }

    fn instruments(&self, symbol: Option<SymbolName>) -> Vec<InstrumentView> {
        let now = self.clock.now();
        let names = lock(&self.names);
        let wanted = names.instruments.iter().filter(|(s, _)| symbol.is_none_or(|w| w.symbol() == **s));
        let known = |id: &InstrumentId| names.known.get(id).copied().unwrap_or_default();
        wanted.filter_map(|(s, id)| self.view(*s, *id, known(id), now)).collect()
    }

    fn knows(&self, scope: &Scope) -> bool {
        self.scope(scope).is_ok()
    }

    fn set_breaker(&self, scope: &Scope, breaker: Breaker) -> Result<(), BackendError> {
        let key = self.scope(scope)?;
        lock(&self.writers).breakers.set(key, breaker).map_err(failed)?;
        self.closed.note(scope, breaker, self.clock.now());
        Ok(())
    }

    fn set_limits(&self, symbol: SymbolName, envelope: &Envelope) -> Result<(), BackendError> {
        let instrument = self.instrument(symbol).ok_or_else(|| Self::unknown(symbol))?;
        let version = self.version.fetch_add(1, Ordering::Relaxed) + 1;
        let (named, now) = ((instrument, symbol.symbol()), self.clock.now());
        let told = lock(&self.writers).set_limits(named, envelope, version, now).map_err(failed)?;
        if let Some(unscored) = &mut *lock(&self.unscored) {
            unscored.set_envelope(instrument, envelope, now);
        }
        // The static row holds already; only the model's own limits wait for the scorer.
        if told || self.scorer.is_none() { Ok(()) } else { Err(failed("the scorer does not take commands")) }
    }

    fn restrict(&self, symbol: SymbolName, restricted: &Restricted) -> Result<(), BackendError> {
        let instrument = self.instrument(symbol).ok_or_else(|| Self::unknown(symbol))?;
        let restriction = {
            let names = lock(&self.names);
            let strategy = |name: &Name| names.strategies.get(name).copied();
            restricted.numbered(strategy, |name| names.accounts.get(name).copied())
        };
        lock(&self.writers).statics.restrict(instrument, &restriction).map_err(failed)
    }

    fn locate(&self, symbol: SymbolName, locates: &Locates) -> Result<(), BackendError> {
        let instrument = self.instrument(symbol).ok_or_else(|| Self::unknown(symbol))?;
        let accounts = lock(&self.names).accounts.clone();
        let mut writers = lock(&self.writers);
        // All of them, whatever one says: each is lowered that can be.
        let each = |(name, account)| {
            writers.statics.locate(instrument, account, locates.of(Some(&name))).map_err(failed)
        };
        accounts.into_iter().map(each).fold(Ok(()), Result::and)
    }

    fn reset_tier(&self, symbol: SymbolName) -> Result<(), BackendError> {
        let instrument = self.instrument(symbol).ok_or_else(|| Self::unknown(symbol))?;
        let mut writers = lock(&self.writers);
        // In force at once, with the scorer dead as well; one that lives says the new tier with its next word.
        writers.statics.forget(instrument, CLASS, self.clock.now()).map_err(failed)?;
        // A scorer that takes no command is none that lives: the word is taken back all the same.
        _ = writers.commands.send(&[ScorerCommand::Reset { instrument }]);
        drop(writers);
        if let Some(unscored) = &mut *lock(&self.unscored) {
            unscored.reset(instrument, self.clock.now());
        }
        Ok(())
    }

    fn explain(&self, order: &OrderQuery) -> Result<Explanation, BackendError> {
        let intent = OrderIntent {
            // An id that no order of the day has: nothing is reserved under it.
            cl_ord_id: u64::MAX,
            px: order.px.map_or(Px::NONE, |p| p.0),
            instrument: self.instrument(order.symbol).ok_or_else(|| Self::unknown(order.symbol))?,
            qty: Qty(order.qty),
            strategy: self.strategy(&order.strategy)?,
            account: self.account(&order.account)?,
            side: order.side.into(),
            order_type: if order.px.is_some() { OrderType::Limit } else { OrderType::Market },
            tif: order.tif.into(),
        };
        lock(&self.asker).ask(&intent).ok_or_else(|| failed("the order desk does not answer"))
    }

    fn attach(&self, client: &Name, lifeline: UnixStream) -> Result<(Grant, Vec<OwnedFd>), BackendError> {
        // Copied: a halt of one scope wants the names while the disk is waited for here.
        let names = lock(&self.names);
        let (strategies, accounts) = (names.strategies.clone(), names.accounts.clone());
        let instruments = names.instruments.clone();
        drop(names);
        let numbers = ScopeNumbers { strategies: &strategies, accounts: &accounts };
        let instrument = |symbol: Symbol| instruments.get(&symbol).copied();
        let (mut processes, seat) = (lock(&self.processes), (lifeline, self.clock.now()));
        let orders = processes.as_mut().ok_or_else(none_declared)?;
        let given = orders.attach(client, seat, &numbers, &instrument).map_err(failed)?;
        // With the lock: a stop that is latched meanwhile counts, too.
        self.say_taken_stops(client, &given.0, orders);
        Ok(given)
    }

    fn positions(&self, filter: &HoldingsFilter) -> Vec<PositionRow> {
        lock(&self.processes).as_ref().map_or_else(Vec::new, |orders| orders.positions(filter))
    }

    fn orders(&self, filter: &HoldingsFilter) -> Vec<OrderRow> {
        lock(&self.processes).as_ref().map_or_else(Vec::new, |orders| orders.open_orders(filter))
    }

    fn quotas(&self) -> Vec<QuotaView> {
        lock(&self.processes).as_ref().map_or_else(Vec::new, Orders::quotas)
    }

    fn sessions(&self) -> Vec<SessionView> {
        lock(&self.processes).as_ref().map_or_else(Vec::new, Orders::sessions)
    }

    fn position(&self, setting: &PositionSetting) -> Result<Exposure, BackendError> {
        let mut processes = lock(&self.processes);
        processes.as_mut().ok_or_else(none_declared)?.position(setting).map_err(failed)
    }

    fn set_position(&self, setting: &PositionSetting) -> Result<(), BackendError> {
        let mut processes = lock(&self.processes);
        let orders = processes.as_mut().ok_or_else(none_declared)?;
        orders.set_position(setting, self.clock.now()).map_err(failed)
    }
}
