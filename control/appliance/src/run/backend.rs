//! What the control plane sees of the running line, and how it moves it: through the gate's single-writer tables and a
//! ring of commands to the scorer, never through the order path.

use super::health::{FeedHealth, Moment, feed_state};
use super::stages::{ScorerCommand, ScorerNote};
use anyhow::Result;
use control::backend::{Backend, BackendError, InstrumentView, Snapshot};
use control::config::DeclaredScopes;
use control::names::{Name, Scope, SymbolName};
use control::protocol::{FeedStatus, OrderQuery, ScorerStatus};
use gate::{
    AccountId, Breaker, BreakerCause, BreakerState, BreakerWriter, ClassId, Envelope, Explanation, Gate,
    LimitReader, LimitsSource, OrderIntent, OrderType, Permission, RefReader, StaticReader, StaticTerms,
    StaticWriter, StrategyId, limits_in_force,
};
use stage::{Clock, CounterReader, LiveClock, RingTx};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use types::{BookState, FEATURES, InstrumentId, Nanos, Px, Qty, Symbol, UnixNanos};

/// Strategies and accounts that can be named; their breakers exist from the start.
pub(super) const NAMES_MAX: u16 = 64;

const CLASS: ClassId = ClassId(0);

/// One feed as its stages show it.
pub(super) struct FeedView {
    pub(super) name: String,
    pub(super) counters: CounterReader,
    pub(super) ended: AtomicBool,
    /// When the last message came.
    pub(super) last: Moment,
    pub(super) health: FeedHealth,
    /// Silence after which it is stale.
    pub(super) stale_after: Nanos,
}

/// The scorer as its stage shows it.
pub(super) struct ScorerView {
    pub(super) name: &'static str,
    pub(super) counters: CounterReader,
    /// When the last score was made.
    pub(super) last: Moment,
}

/// What the cold thread knows of one instrument.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    tier_since: Option<UnixNanos>,
    top3: Option<[u8; 3]>,
}

/// Tables with one writer: this one.
pub(super) struct Writers {
    pub(super) statics: StaticWriter,
    pub(super) breakers: BreakerWriter,
    pub(super) commands: RingTx<ScorerCommand>,
}

/// Tables that are read.
pub(super) struct Readers {
    pub(super) statics: StaticReader,
    pub(super) dynamics: LimitReader,
    pub(super) references: RefReader,
}

/// Names and their numbers: instruments as the feed defines them, accounts and strategies as declared.
#[derive(Default)]
struct Directory {
    instruments: BTreeMap<Symbol, InstrumentId>,
    symbols: BTreeMap<InstrumentId, Symbol>,
    known: BTreeMap<InstrumentId, Known>,
    strategies: BTreeMap<Name, StrategyId>,
    accounts: BTreeMap<Name, AccountId>,
}

/// The running line as the control plane's backend. All of it is on cold threads, so plain locks serve.
pub(super) struct LiveBackend {
    pub(super) clock: LiveClock,
    pub(super) feeds: Vec<FeedView>,
    pub(super) scorer: Option<ScorerView>,
    pub(super) model: String,
    pub(super) readers: Readers,
    writers: Mutex<Writers>,
    gate: Mutex<Gate>,
    directory: Mutex<Directory>,
    version: AtomicU32,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked left the tables as its last whole call did; the control plane must go on.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(what: impl ToString) -> BackendError {
    BackendError::Failed { what: what.to_string() }
}

/// Numbers for declared names, in their order.
fn numbered<'a, I>(names: impl Iterator<Item = &'a Name>, id: fn(u16) -> I) -> BTreeMap<Name, I> {
    // The configuration allows no more than there are numbers.
    names.zip(0..NAMES_MAX).map(|(name, number)| (name.clone(), id(number))).collect()
}

impl LiveBackend {
    pub(super) fn new(
        clock: LiveClock,
        feeds: Vec<FeedView>,
        scorer: Option<ScorerView>,
        model: String,
        readers: Readers,
        writers: Writers,
        gate: Gate,
        scopes: &DeclaredScopes,
    ) -> Self {
        let directory = Directory {
            strategies: numbered(scopes.strategies.keys(), StrategyId),
            accounts: numbered(scopes.accounts.iter(), AccountId),
            ..Directory::default()
        };
        Self {
            clock,
            feeds,
            scorer,
            model,
            readers,
            writers: Mutex::new(writers),
            gate: Mutex::new(gate),
            directory: Mutex::new(directory),
            version: AtomicU32::new(0),
        }
    }

    /// Opens every breaker that nothing latched has closed.
    pub(super) fn open_unlatched(&self) {
        lock(&self.writers).breakers.set_unset(Breaker {
            state: BreakerState::Open,
            cause: BreakerCause::Boot,
            episode: 0,
        });
    }

    /// An instrument got its number.
    pub(super) fn define(&self, instrument: InstrumentId, symbol: Symbol) {
        let mut directory = lock(&self.directory);
        directory.instruments.insert(symbol, instrument);
        directory.symbols.insert(instrument, symbol);
        drop(directory);
        lock(&self.writers).commands.send(&[ScorerCommand::Define { instrument, symbol }]);
    }

    /// Remembers what the scorer said; gives the instrument's name.
    pub(super) fn note(&self, note: &ScorerNote) -> Option<SymbolName> {
        let mut directory = lock(&self.directory);
        if let ScorerNote::Tier { instrument, at, top3, .. } = note {
            directory.known.insert(*instrument, Known { tier_since: Some(*at), top3: Some(*top3) });
        }
        directory.symbols.get(&note.instrument()).map(|s| (*s).into())
    }

    fn instrument(&self, symbol: SymbolName) -> Option<InstrumentId> {
        lock(&self.directory).instruments.get(&symbol.symbol()).copied()
    }

    fn unknown(symbol: SymbolName) -> BackendError {
        BackendError::Unknown { what: format!("instrument {symbol}") }
    }

    fn strategy(&self, name: &Name) -> Result<StrategyId, BackendError> {
        let known = lock(&self.directory).strategies.get(name).copied();
        known.ok_or_else(|| BackendError::Unknown { what: format!("strategy {name}") })
    }

    fn account(&self, name: &Name) -> Result<AccountId, BackendError> {
        let known = lock(&self.directory).accounts.get(name).copied();
        known.ok_or_else(|| BackendError::Unknown { what: format!("account {name}") })
    }

    fn scope(&self, scope: &Scope) -> Result<gate::BreakerKey, BackendError> {
        Ok(match scope {
            Scope::Firm => gate::BreakerKey::Firm,
            Scope::Desk(name) => {
                return Err(BackendError::Unknown { what: format!("a breaker of desk {name}") });
            }
            Scope::Account(name) => gate::BreakerKey::Account(self.account(name)?),
            Scope::Strategy(name) => gate::BreakerKey::Strategy(self.strategy(name)?),
            Scope::Instrument(symbol) => {
                gate::BreakerKey::Instrument(self.instrument(*symbol).ok_or_else(|| Self::unknown(*symbol))?)
            }
        })
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
        let held_to = limits_in_force(statics, Some(dynamics), instrument, CLASS, now)?;
        let modelled = matches!(held_to.source, LimitsSource::Dynamic | LimitsSource::StaticLease);
        let book = references.read(instrument).map_or(BookState::Empty, |top| top.state);
        let drivers = known.top3.into_iter().flatten().filter_map(|id| FEATURES.get(usize::from(id)));
        Some(InstrumentView {
            symbol: symbol.into(),
            effective: held_to.limits,
            source: held_to.source,
            tier: held_to.tier,
            score: modelled.then_some(held_to.score),
            tier_since: known.tier_since,
            book,
            drivers: drivers.map(|feature| feature.name.to_owned()).collect(),
        })
    }
}

impl Backend for LiveBackend {
    fn snapshot(&self) -> Snapshot {
        let value = |counters: &CounterReader, name: &str| {
            counters.iter().find(|(n, _)| *n == name).map_or(0, |(_, v)| v)
        };
        let feed = |feed: &FeedView| {
            let messages = value(&feed.counters, "messages");
            let ended = feed.ended.load(Ordering::Relaxed);
            let state = feed_state(ended, messages, &feed.health, feed.stale_after, self.clock.now());
            FeedStatus {
                name: feed.name.clone(),
                state: state.to_owned(),
                messages,
                gaps: value(&feed.counters, "gaps"),
                missing: value(&feed.counters, "missing"),
                last: feed.last.stamp(),
                late: value(&feed.counters, "late"),
                errors: value(&feed.counters, "errors"),
                dropped: value(&feed.counters, "dropped"),
                outliers: value(&feed.counters, "outliers"),
                lost_events: value(&feed.counters, "lost_events"),
            }
        };
        let scorer = ScorerStatus {
            backend: self.scorer.as_ref().map_or("off", |scorer| scorer.name).to_owned(),
            model: self.model.clone(),
            last: self.scorer.as_ref().and_then(|scorer| scorer.last.stamp()),
            scored: self.scorer.as_ref().map_or(0, |scorer| value(&scorer.counters, "scored")),
        };
        Snapshot { feeds: self.feeds.iter().map(feed).collect(), scorer, orders: None }
    }

    fn instruments(&self, symbol: Option<SymbolName>) -> Vec<InstrumentView> {
        let now = self.clock.now();
        let directory = lock(&self.directory);
        let wanted = directory.instruments.iter().filter(|(s, _)| symbol.is_none_or(|w| w.symbol() == **s));
        let known = |id: &InstrumentId| directory.known.get(id).copied().unwrap_or_default();
        wanted.filter_map(|(s, id)| self.view(*s, *id, known(id), now)).collect()
    }

    fn knows(&self, scope: &Scope) -> bool {
        self.scope(scope).is_ok()
    }

    fn set_breaker(&self, scope: &Scope, breaker: Breaker) -> Result<(), BackendError> {
        let scope = self.scope(scope)?;
        lock(&self.writers).breakers.set(scope, breaker).map_err(failed)
    }

    fn set_limits(&self, symbol: SymbolName, envelope: &Envelope) -> Result<(), BackendError> {
        let instrument = self.instrument(symbol).ok_or_else(|| Self::unknown(symbol))?;
        let version = self.version.fetch_add(1, Ordering::Relaxed) + 1;
        let terms = StaticTerms { lot: Qty(1), permission: Permission::Granted, version };
        let mut writers = lock(&self.writers);
        writers.statics.publish(instrument, CLASS, envelope, &terms, self.clock.now()).map_err(failed)?;
        let sent = writers.commands.send(&[ScorerCommand::Envelope { instrument, envelope: *envelope }]);
        // The static row holds already; only the model's own limits wait for the scorer.
        if sent == 1 || self.scorer.is_none() {
            Ok(())
        } else {
            Err(failed("the scorer does not take commands"))
        }
    }

    fn reset_tier(&self, symbol: SymbolName) -> Result<(), BackendError> {
        let instrument = self.instrument(symbol).ok_or_else(|| Self::unknown(symbol))?;
        let mut writers = lock(&self.writers);
        // In force at once, with the scorer dead as well; one that lives says the new tier with its next word.
        writers.statics.forget(instrument, CLASS, self.clock.now()).map_err(failed)?;
        let sent = writers.commands.send(&[ScorerCommand::Reset { instrument }]);
        if sent == 1 { Ok(()) } else { Err(failed("the scorer does not take commands")) }
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
        Ok(lock(&self.gate).explain(&intent, self.clock.now()))
    }
}
