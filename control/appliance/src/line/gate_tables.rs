//! The tables a gate reads, written the same way whoever calls: at once by the live stages, at its time by a replay's
//! schedule.

use super::declared::Declared;
use super::levels::Levels;
use super::notes::{FatFingerNote, LimitNote};
use anyhow::{Context, Result};
use attach::{DaemonClock, InstrumentNames, SharedTables};
use control::config::{Plan, ReferencePolicy};
use control::protocol::{GrantLevels, GrantMoney, GrantRules};
use gate::{
    BreakerWriter, ClassId, FatFingerReader, FatFingerWriter, Gate, GateConfig, GateTables, LimitReader,
    LimitWriter, Private, QuotaRow, RefReader, RefRules, RefWriter, RepeatedExecutions, SelfMatch,
    StaticReader, StaticWriter, StrategyConfig, TableShape, TableWriters, TripWriter,
};
use stage::HopHistogram;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::Instant;
use types::{Depth, FeedIndex, InstrumentId, Nanos, TickTable, TopOfBook, UnixNanos};

/// Every strategy trades under one class of limits until the configuration knows classes.
pub(crate) const CLASS: ClassId = ClassId(0);

/// What of the model a gate listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listens {
    /// Nothing: the officer's limits hold alone.
    Nothing,
    /// Its limits.
    Limits,
    /// Its sizes by price distance too.
    LimitsAndFatFinger,
}

impl Listens {
    /// To what the model says under `plan`.
    pub(crate) fn to_model(plan: &Plan) -> Self {
        if plan.policy.fat_finger.is_on() { Self::LimitsAndFatFinger } else { Self::Limits }
    }
}

/// Quotes, as of the moment at which the line took them in: the gate judges their age by the same clock. Quotes that have not
/// changed stay right as long as every channel lives and none lacks anything, and no longer.
pub(crate) struct QuoteTable(RefWriter);

impl QuoteTable {
    /// What is said from now on is of `feed`, and so is its life.
    pub(crate) fn of_feed(&mut self, feed: FeedIndex) {
        self.0.of_feed(feed);
    }

    pub(crate) fn top(&mut self, instrument: InstrumentId, top: &TopOfBook) {
        // An instrument beyond the table has no reference, and so no order of it passes.
        let _ = self.0.publish(instrument, top);
    }

    /// The levels behind the quote that is published next.
    pub(crate) fn depth(&mut self, instrument: InstrumentId, depth: &Depth) {
        // As for a quote.
        let _ = self.0.publish_depth(instrument, depth);
    }

    /// Every channel of the feed lived until `complete` and lacks nothing.
    pub(crate) fn complete(&mut self, complete: UnixNanos) {
        self.0.heartbeat(complete);
    }
}

/// The model's words. A trip stands in the breaker before anything else is said of it.
pub(crate) struct ModelTables {
    trips: TripWriter,
    limits: LimitWriter,
    fat_finger: Option<FatFingerWriter>,
    publish: Option<HopHistogram>,
}

impl ModelTables {
    /// Records the time of each publication from now on.
    pub(crate) fn measure(&mut self, publish: HopHistogram) {
        self.publish = Some(publish);
    }

    /// Ends the measuring.
    pub(crate) fn finish(&mut self, now: UnixNanos) {
        if let Some(publish) = &mut self.publish {
            publish.swap(now);
        }
    }

    /// Puts limits in force: the breaker first. Gives the number of a trip.
    pub(crate) fn limits(&mut self, note: &LimitNote) -> Option<u32> {
        let start = self.publish.is_some().then(Instant::now);
        // A row beyond the tables has no static limits either: its orders are refused already.
        let number = note.trip.then(|| self.trips.trip(note.instrument).ok()).flatten();
        let _ = self.limits.publish(note.instrument, CLASS, &note.limits, &note.terms, note.effective);
        if let (Some(publish), Some(start)) = (&mut self.publish, start) {
            publish.record(since(start));
        }
        number
    }

    pub(crate) fn fat_finger(&mut self, note: &FatFingerNote) {
        if let Some(fat_finger) = &mut self.fat_finger {
            // An instrument beyond the table is unknown to the gate: its orders are refused already.
            let _ =
                fat_finger.publish(note.instrument, &note.sizes, note.lease, note.version, note.effective);
        }
    }
}

/// What makes a reference price under `plan`, and how orders are held to it over time.
fn ref_rules(plan: &Plan) -> RefRules<'_> {
    let ReferencePolicy { mid_spread_max_bps, last_age_max_s, period_s, period_collar_bps } =
        plan.policy.reference;
    let seconds = |s: u32| Nanos(u64::from(s) * Nanos::SECOND.0);
    RefRules {
        mid_spread_max_bps,
        last_age_max: seconds(last_age_max_s),
        period: seconds(period_s),
        period_collar_bps,
        tick_tables: &plan.ticks.tables,
    }
}

/// What passed since `start`.
pub(crate) fn since(start: Instant) -> Nanos {
    Nanos(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// Ends of the tables for whoever reads them beside the gate.
#[derive(Clone)]
pub(crate) struct Readers {
    pub(crate) statics: StaticReader,
    /// None when the gate does not listen to the model.
    pub(crate) dynamics: Option<LimitReader>,
    pub(crate) references: RefReader,
}

/// What order processes are given of the tables.
pub(crate) struct SharedMemory {
    pub(crate) shape: TableShape,
    pub(crate) layout: u64,
    pub(crate) names: InstrumentNames,
    /// Where the daemon says its time to them.
    pub(crate) clock: DaemonClock,
    /// Where it says what each may use of limits that several share.
    pub(crate) quotas: &'static [QuotaRow],
    /// The gate's tables in it, for whoever values what they hold.
    pub(crate) tables: GateTables,
    pub(crate) memory: OwnedFd,
}

/// The rules that an order process builds its gate with: those of this one.
pub(crate) fn grant_rules(plan: &Plan) -> GrantRules {
    let (rules, config) = (ref_rules(plan), config_of(plan, 1, &[]));
    let steps = |table: &TickTable| table.steps().iter().map(|step| (step.from.0, step.tick.0)).collect();
    let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    GrantRules {
        last_age_max_ns: rules.last_age_max.0,
        period_ns: rules.period.0,
        period_collar_bps: rules.period_collar_bps,
        tick_tables: rules.tick_tables.iter().map(steps).collect(),
        ref_age_max_ns: config.ref_age_max.0,
        critical_reduce_only: config.critical_reduce_only,
        account_positions: config.account_positions,
        self_match: match config.self_match {
            SelfMatch::Off => "off",
            SelfMatch::Account => "account",
            SelfMatch::Firm => "firm",
        }
        .to_owned(),
        repeat_ms: plan.gate.repeat_ms,
        money: config.money.map(|rules| GrantMoney {
            rate_age_max_ns: rules.rate_age_max.0,
            undeclared_is_plain: rules.undeclared_is_plain,
        }),
        strategy_rate: (STRATEGY.order_rate_per_s, STRATEGY.order_burst),
        open_orders_max: small(config.open_orders_max),
        recent_orders: small(config.recent_orders),
        strategy_limits: BTreeMap::new(),
        account_limits: BTreeMap::new(),
        window_ns: config.window.0,
        strategy_activity: BTreeMap::new(),
        account_activity: BTreeMap::new(),
        strategy_times_in_force: BTreeMap::new(),
        levels: GrantLevels::default(),
        warn_left: config.warn.left(),
        audits: false,
        repeated_executions: config.repeated_executions.map(|rules| (rules.most, rules.window.0)),
        daemon_age_max_ns: 0,
    }
}

/// Every strategy's rate over all instruments.
pub(crate) const STRATEGY: StrategyConfig =
    StrategyConfig { class: CLASS, order_rate_per_s: 1_000, order_burst: 1_000 };

/// How large the tables of a gate are, and which there are.
fn table_shape(plan: &Plan, accounts: u16, strategies: u16, listens: Listens) -> TableShape {
    TableShape {
        instruments: plan.book.instruments as usize,
        classes: 1,
        accounts,
        strategies,
        dynamics: listens != Listens::Nothing,
        fat_finger: listens == Listens::LimitsAndFatFinger,
        locates: plan.locates.is_on(),
    }
}

/// At how many executions of one side a strategy is stopped.
fn repeated_executions(plan: &Plan) -> Option<RepeatedExecutions> {
    let control::config::Gate { repeat_executions: most, repeat_executions_s, .. } = plan.gate;
    let window = Nanos(u64::from(repeat_executions_s) * Nanos::SECOND.0);
    (most != 0).then_some(RepeatedExecutions { most, window })
}

/// What a gate is built with.
pub(crate) fn config_of<'a>(plan: &Plan, accounts: u16, strategies: &'a [StrategyConfig]) -> GateConfig<'a> {
    let control::config::Gate { account_positions, self_match, repeat_ms, window_s, .. } = plan.gate;
    let window_s = if plan.scopes.counts_activity() { window_s } else { 0 };
    GateConfig {
        strategies,
        accounts,
        account_positions,
        self_match: self_match.into(),
        repeat_window: Nanos(u64::from(repeat_ms) * 1_000_000),
        money: plan.instruments.money(),
        window: Nanos(u64::from(window_s) * Nanos::SECOND.0),
        profit: plan.scopes.counts_profit().then_some(plan.profit),
        mark_age_max: Nanos(u64::from(plan.gate.mark_age_ms) * 1_000_000),
        repeated_executions: repeated_executions(plan),
        warn: plan.warn.share,
        ..GateConfig::DEFAULT
    }
}

/// A gate and the writing ends of its tables.
pub(crate) struct GateSet {
    pub(crate) gate: Gate,
    pub(crate) quotes: QuoteTable,
    /// None when the gate does not listen to the model.
    pub(crate) model: Option<ModelTables>,
    pub(crate) statics: StaticWriter,
    pub(crate) declared: Declared,
    pub(crate) breakers: BreakerWriter,
    pub(crate) readers: Readers,
    /// Where order processes may read the tables.
    pub(crate) shared: Option<SharedMemory>,
    /// What it all takes, for the boot report.
    pub(crate) memory: Vec<(String, usize)>,
}

impl GateSet {
    /// A gate for the instruments of `plan`, every breaker unset; `shared`: over tables that order processes may read.
    ///
    /// # Errors
    /// When the tables cannot be made in that size.
    pub(crate) fn new(
        plan: &Plan,
        accounts: u16,
        strategies: u16,
        listens: Listens,
        shared: bool,
    ) -> Result<Self> {
        let shape = table_shape(plan, accounts, strategies, listens);
        let (writers, tables, shared) = if shared {
            let made = SharedTables::create(&shape, &ref_rules(plan));
            let SharedTables { writers, tables, names, clock, quotas, layout, memory } =
                made.context("the tables that order processes read cannot be made")?;
            let shared = SharedMemory { shape, layout, names, clock, quotas, tables: tables.clone(), memory };
            (writers, tables, Some(shared))
        } else {
            let (writers, tables) = GateTables::create_in(&mut Private, &shape, &ref_rules(plan))?;
            (writers, tables, None)
        };
        let TableWriters { statics, dynamics, fat_finger, references, terms, mut breakers } = writers;
        let mut bytes = sizes_of(&tables);
        let readers = Readers {
            statics: tables.statics.clone(),
            dynamics: tables.dynamics.clone(),
            references: tables.references.clone(),
        };
        let strategies = vec![STRATEGY; usize::from(strategies)];
        // Where order processes read the tables, strategies and accounts have the numbers of the configuration.
        let levels = if shared.is_some() { Levels::of(plan) } else { Levels::default() };
        let config = levels.within(config_of(plan, accounts, &strategies));
        let gate = Gate::new(&config, tables)?;
        bytes.push(("gate".to_owned(), gate.bytes()));
        let model = match dynamics {
            None => None,
            Some(limits) => {
                let trips = breakers.trip_writer().context("a new breaker table has its trips")?;
                Some(ModelTables { trips, limits, fat_finger, publish: None })
            }
        };
        Ok(Self {
            gate,
            quotes: QuoteTable(references),
            model,
            statics,
            declared: Declared::new(terms, plan),
            breakers,
            readers,
            shared,
            memory: bytes,
        })
    }
}

/// What each of `tables` takes, for the boot report.
fn sizes_of(tables: &GateTables) -> Vec<(String, usize)> {
    let GateTables { statics, dynamics, fat_finger, references, breakers } = tables;
    let fat_finger = fat_finger.as_ref().map(FatFingerReader::bytes);
    let limits = statics.bytes() + dynamics.as_ref().map_or(0, LimitReader::bytes);
    let rest = [
        ("reference prices", references.bytes()),
        ("limits, static and dynamic", limits),
        ("breakers", breakers.bytes()),
    ];
    let all = fat_finger.map(|bytes| ("order sizes by price distance", bytes)).into_iter().chain(rest);
    all.map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}
