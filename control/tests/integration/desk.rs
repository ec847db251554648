//! A small appliance: a real gate over three instruments, driven through the same `Backend` as the real one.

use control::Controller;
use control::audit::Actor;
use control::backend::{Backend, BackendError, InstrumentView, SessionView, Snapshot};
use control::config::{self, Locates, Plan, Restricted};
use control::controller::Clock;
use control::names::{Name, Scope, SymbolName};
use control::protocol::{
    Changed, Command, Driver, FeedStatus, HoldingsFilter, LineStatus, LoadStatus, MemoryStatus, OrderCounts,
    OrderQuery, OrderRow, OrderSide, PortStatus, PositionRow, PositionSetting, Price, ProposalRow, Refusal,
    Reply, RingStatus, ScorerStatus, SessionRow, StageCounters, StageStatus, TableStatus,
};
use control::roles::Role;
use control::stamp::Stamp;
use gate::{
    AccountId, Breaker, BreakerCause, BreakerReader, BreakerState, BreakerTable, BreakerWriter, ClassId,
    Envelope, Explanation, FixedScore, Gate, GateConfig, GateTables, LimitCause, LimitTable, LimitWriter,
    OrderIntent, OrderType, Overlay, Permission, RefTable, StaticTable, StaticTerms, StaticWriter,
    StrategyConfig, StrategyId, Terms, effective_limits,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;
use types::{
    BookState, FEATURES, FeatureId, InstrumentId, Nanos, Px, Qty, TickTableId, Tier, TopOfBook,
    TradingStatus, UnixNanos,
};

/// 2026-11-21T14:30:22Z: the moment the demo's anomaly is seen.
pub(crate) const START: UnixNanos = UnixNanos(1_795_271_422_000_000_000);

pub(crate) const SYMBOLS: [&str; 3] = ["AAPL", "BRK.A", "ZVZZT"];

/// Looks at a change as it takes effect.
pub(crate) type Witness = Box<dyn Fn(&str) + Send + Sync>;

struct Machine {
    gate: Gate,
    statics: StaticWriter,
    dynamics: LimitWriter,
    breakers: BreakerWriter,
    tiers: [Tier; 3],
    envelopes: [Envelope; 3],
    /// Of all instruments: whether their venue trades them, and whether they have a reference price.
    market: (TradingStatus, bool),
    calls: Vec<String>,
}

/// The appliance.
pub(crate) struct Desk {
    machine: Mutex<Machine>,
    pub(crate) reader: BreakerReader,
    pub(crate) clock: Arc<AtomicU64>,
    /// Every change fails while this is set.
    pub(crate) broken: AtomicBool,
    pub(crate) witness: RwLock<Option<Witness>>,
    /// What mm1 holds in ZVZZT, in doubt at first; its process is attached while the second says so.
    held: Mutex<gate::Exposure>,
    pub(crate) attached: AtomicBool,
    /// Packets of the feed whose checksum is wrong, and times its sequence began again.
    pub(crate) condemned: AtomicU64,
    pub(crate) restarts: AtomicU64,
}

fn instrument(symbol: SymbolName) -> Option<InstrumentId> {
    let index = SYMBOLS.iter().position(|s| *s == symbol.to_string())?;
    Some(InstrumentId(u32::try_from(index).unwrap()))
}

fn gate_scope(scope: &Scope) -> Option<gate::BreakerKey> {
    match scope {
        Scope::Firm => Some(gate::BreakerKey::Firm),
        Scope::Desk(_) | Scope::Trader(_) => None,
        Scope::Account(name) => (name.as_str() == "ACME").then_some(gate::BreakerKey::Account(AccountId(0))),
        Scope::Strategy(name) => {
            (name.as_str() == "mm1").then_some(gate::BreakerKey::Strategy(StrategyId(0)))
        }
        Scope::Instrument(symbol) => instrument(*symbol).map(gate::BreakerKey::Instrument),
    }
}

impl Desk {
    pub(crate) fn new(plan: &Plan) -> Arc<Self> {
        let (statics, static_reader) =
            StaticTable::create_locating(3, 1, u16::from(plan.locates.is_on())).unwrap();
        let (dynamics, dynamic_reader) = LimitTable::create_within(&static_reader).unwrap();
        let (mut references, reference_reader) = RefTable::create(3).unwrap();
        let (breakers, reader) = BreakerTable::create(1, 1, 3).unwrap();
        let top = TopOfBook {
            bid: Px(100_000_000_000),
            bid_qty: 1_000,
            ask: Px(100_010_000_000),
            ask_qty: 1_000,
            last: Px::NONE,
            last_ts: UnixNanos(0),
            tick: Px(10_000_000),
            tick_table: TickTableId::US_EQUITY,
            ts: START,
            state: BookState::Live,
            status: TradingStatus::Trading,
        };
        for i in 0..3 {
            references.publish(InstrumentId(i), &top).unwrap();
        }
        let strategies = [StrategyConfig { class: ClassId(0), order_rate_per_s: 100, order_burst: 100 }];
        let config = GateConfig { strategies: &strategies, warn: plan.warn.share, ..GateConfig::DEFAULT };
        let tables = GateTables {
            statics: static_reader,
            dynamics: Some(dynamic_reader),
            fat_finger: None,
            references: reference_reader,
            breakers: reader.clone(),
        };
        let gate = Gate::new(&config, tables).unwrap();
        let envelopes = SYMBOLS.map(|s| *plan.limits.envelope(s.parse().unwrap()));
        let tiers = [Tier::Normal; 3];
        let market = (TradingStatus::Trading, true);
        let machine =
            Machine { gate, statics, dynamics, breakers, tiers, envelopes, market, calls: Vec::new() };
        let desk = Self {
            machine: Mutex::new(machine),
            reader,
            clock: Arc::new(AtomicU64::new(START.0)),
            broken: AtomicBool::new(false),
            witness: RwLock::new(None),
            held: Mutex::new(gate::Exposure {
                position: 1_200,
                working_buy: 400,
                working_sell: 0,
                in_doubt: true,
            }),
            attached: AtomicBool::new(false),
            condemned: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
        };
        for i in 0..3 {
            desk.publish(i);
        }
        Arc::new(desk)
    }

    fn publish(&self, index: usize) {
        let mut machine = self.machine.lock().unwrap();
        let Machine { statics, dynamics, tiers, envelopes, .. } = &mut *machine;
        let at = InstrumentId(u32::try_from(index).unwrap());
        let terms = StaticTerms { lot: Qty(1), permission: Permission::Granted, version: 1 };
        statics.publish(at, ClassId(0), &envelopes[index], &terms, START).unwrap();
        let tier = tiers[index];
        let score = FixedScore::from_micros(if tier == Tier::Normal { 13_000 } else { 981_000 }).unwrap();
        let terms = Terms { tier, score, lease: Nanos(60_000_000_000), version: 1, cause: LimitCause::Renew };
        let limits = effective_limits(&envelopes[index], tier, &Overlay::DEFAULT);
        dynamics.publish(at, ClassId(0), &limits, &terms, START).unwrap();
    }

    /// What the venue and the books say of every instrument.
    pub(crate) fn set_market(&self, trading: TradingStatus, has_reference: bool) {
        self.machine.lock().unwrap().market = (trading, has_reference);
    }

    /// What the appliance does when control has restored its latches: whatever has none is open.
    pub(crate) fn open_the_rest(&self) {
        let open = Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 };
        self.machine.lock().unwrap().breakers.set_unset(open);
    }

    /// Opens a breaker behind the control plane's back.
    pub(crate) fn force_open(&self, scope: &str) {
        let open = Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 };
        let scope = gate_scope(&scope.parse().unwrap()).unwrap();
        self.machine.lock().unwrap().breakers.set(scope, open).unwrap();
    }

    pub(crate) fn set_tier(&self, symbol: &str, tier: Tier) {
        let index = SYMBOLS.iter().position(|s| *s == symbol).unwrap();
        self.machine.lock().unwrap().tiers[index] = tier;
        self.publish(index);
    }

    /// Every change that took effect, in order.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.machine.lock().unwrap().calls.clone()
    }

    fn change(&self, call: String) -> Result<(), BackendError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(BackendError::Failed { what: "the gate is gone".to_owned() });
        }
        if let Some(witness) = &*self.witness.read().unwrap() {
            witness(&call);
        }
        self.machine.lock().unwrap().calls.push(call);
        Ok(())
    }

    /// The state the gate reads for a scope.
    pub(crate) fn state(&self, scope: &str) -> BreakerState {
        self.reader.get(gate_scope(&scope.parse().unwrap()).unwrap()).expect("set").state
    }
}

/// A line that brought every message of the feed, `late` of them after the other line.
fn line(line: char, group: &str, late: u64) -> LineStatus {
    LineStatus {
        channel: 0,
        line,
        group: group.to_owned(),
        packets: 310_204,
        messages: 1_234_567,
        missing: 0,
        late,
        damaged: 0,
        last: Some(Stamp(START)),
        dead_since: None,
    }
}

/// The port of both lines: it lost nothing.
fn port() -> PortStatus {
    PortStatus {
        device: "0000:3b:00.0".to_owned(),
        link_up: Some(true),
        speed_mbps: Some(25_000),
        full_duplex: true,
        packets: 620_408,
        bytes: 310_204_000,
        buffers_used: 1_024,
        buffers: 8_191,
        ..PortStatus::default()
    }
}

/// A line of which nothing was ever full.
fn load() -> LoadStatus {
    let stage = |stage: &str, busy_polls, poll_ns_max| StageStatus {
        stage: stage.to_owned(),
        polls: 90_000_000,
        busy_polls,
        items: 2 * busy_polls,
        busy_ns: 0,
        poll_ns_max,
        slow_polls: 0,
    };
    let ring = |ring: &str, depth, high_water| RingStatus {
        ring: ring.to_owned(),
        depth,
        high_water,
        carried: 1_234_567,
        when_full: "refuse".to_owned(),
        ..RingStatus::default()
    };
    let table =
        |table: &str, used, room| TableStatus { table: table.to_owned(), used, high_water: used, room };
    LoadStatus {
        stages: vec![stage("receiver", 310_204, 41_800), stage("featurizer", 290_112, 22_100)],
        rings: vec![ring(RingStatus::EVENTS, 65_536, 312), ring("vectors", 4_096, 3)],
        tables: vec![table("instruments", 3, 16_384), table("orders", 48_211, 4_194_304)],
        memory: MemoryStatus { bytes: 710 << 20, huge_bytes: Some(710 << 20), huge_wanted: true },
    }
}

fn driver(feature: FeatureId, value: f64) -> Driver {
    let row = &FEATURES[feature as usize];
    let [feature, name, unit] = [row.name, row.plain, row.unit].map(str::to_owned);
    Driver { feature, name, value: Some(value), unit }
}

impl Backend for Desk {
    fn snapshot(&self) -> Snapshot {
        let last = Some(Stamp(START));
        let feed = FeedStatus {
            name: "xnas-itch".to_owned(),
            state: "live".to_owned(),
            messages: 1_234_567,
            gaps: 0,
            missing: 0,
            last,
            late: 0,
            errors: 0,
            dropped: self.condemned.load(Ordering::Relaxed),
            dropped_by_cause: [("bad_checksums".to_owned(), self.condemned.load(Ordering::Relaxed))]
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .collect(),
            restarts: self.restarts.load(Ordering::Relaxed),
            ends: 0,
            ended_channel: None,
            ends_taken_back: 0,
            resumed_channel: None,
            redefined_locates: 0,
            outliers: 0,
            late_channels: 0,
            lag_ms: 0,
            lost_events: 0,
            lost_definitions: 0,
            heartbeats: 0,
            instruments_beyond: 0,
            recovery: None,
            port: Some(port()),
            lines: vec![
                line('A', "233.54.12.111:26477", 41_000),
                line('B', "233.49.196.111:26477", 1_193_567),
            ],
        };
        Snapshot {
            feeds: vec![feed],
            scorer: ScorerStatus {
                backend: "cpu".into(),
                model: "default-1".into(),
                last,
                scored: 7_410,
                uncalibrated: 0,
            },
            orders: Some(OrderCounts { accepted: 48_201, flagged: 12, rejected: 377 }),
            halts: Vec::new(),
            counters: StageCounters::default(),
            load: load(),
            ..Snapshot::default()
        }
    }

    fn instruments(&self, symbol: Option<SymbolName>) -> Vec<InstrumentView> {
        let machine = self.machine.lock().unwrap();
        let views = SYMBOLS.iter().enumerate().map(|(i, name)| InstrumentView {
            symbol: name.parse().unwrap(),
            effective: *effective_limits(&machine.envelopes[i], machine.tiers[i], &Overlay::DEFAULT).limits(),
            source: gate::LimitsSource::Dynamic,
            tier: machine.tiers[i],
            score: FixedScore::from_micros(if machine.tiers[i] == Tier::Normal { 13_000 } else { 981_000 }),
            tier_since: Some(START),
            book: BookState::Live,
            feed: String::new(),
            trading: machine.market.0,
            has_reference: machine.market.1,
            drivers: vec![driver(FeatureId::SpreadBps, 6.25), driver(FeatureId::CancelRatio, 0.94)],
        });
        views.filter(|view| symbol.is_none_or(|s| s == view.symbol)).collect()
    }

    fn knows(&self, scope: &Scope) -> bool {
        gate_scope(scope).is_some()
    }

    fn set_breaker(&self, scope: &Scope, breaker: Breaker) -> Result<(), BackendError> {
        let known = gate_scope(scope).ok_or_else(|| BackendError::Unknown { what: scope.to_string() })?;
        self.change(format!("{scope} {}", breaker.state.as_str()))?;
        self.machine.lock().unwrap().breakers.set(known, breaker).unwrap();
        Ok(())
    }

    fn set_limits(&self, symbol: SymbolName, envelope: &Envelope) -> Result<(), BackendError> {
        let at = instrument(symbol).ok_or_else(|| BackendError::Unknown { what: symbol.to_string() })?;
        self.change(format!("{symbol} max_qty {}", envelope.base().max_qty))?;
        self.machine.lock().unwrap().envelopes[at.index()] = *envelope;
        self.publish(at.index());
        Ok(())
    }

    fn restrict(&self, symbol: SymbolName, restricted: &Restricted) -> Result<(), BackendError> {
        let at = instrument(symbol).ok_or_else(|| BackendError::Unknown { what: symbol.to_string() })?;
        let strategy = |name: &Name| (name.as_str() == "mm1").then_some(StrategyId(0));
        let account = |name: &Name| (name.as_str() == "ACME").then_some(AccountId(0));
        self.change(format!("{symbol} restricted"))?;
        let restriction = restricted.numbered(strategy, account);
        self.machine.lock().unwrap().statics.restrict(at, &restriction).unwrap();
        Ok(())
    }

    fn locate(&self, symbol: SymbolName, locates: &Locates) -> Result<(), BackendError> {
        let at = instrument(symbol).ok_or_else(|| BackendError::Unknown { what: symbol.to_string() })?;
        self.change(format!("{symbol} located"))?;
        let located = locates.of("ACME".parse().ok().as_ref());
        self.machine.lock().unwrap().statics.locate(at, AccountId(0), located).unwrap();
        Ok(())
    }

    fn reset_tier(&self, symbol: SymbolName) -> Result<(), BackendError> {
        self.change(format!("{symbol} tier reset"))?;
        self.set_tier(&symbol.to_string(), Tier::Normal);
        Ok(())
    }

    fn explain(&self, order: &OrderQuery) -> Result<Explanation, BackendError> {
        let unknown = |what: String| BackendError::Unknown { what };
        let instrument =
            instrument(order.symbol).ok_or_else(|| unknown(format!("instrument {}", order.symbol)))?;
        if order.strategy.as_str() != "mm1" || order.account.as_str() != "ACME" {
            return Err(unknown(format!("strategy {} or account {}", order.strategy, order.account)));
        }
        let intent = OrderIntent {
            cl_ord_id: u64::MAX,
            px: order.px.map_or(Px::NONE, |price| price.0),
            instrument,
            qty: Qty(order.qty),
            strategy: StrategyId(0),
            account: AccountId(0),
            side: order.side.into(),
            order_type: if order.px.is_some() { OrderType::Limit } else { OrderType::Market },
            tif: order.tif.into(),
        };
        Ok(self.machine.lock().unwrap().gate.explain(&intent, START))
    }

    fn positions(&self, filter: &HoldingsFilter) -> Vec<PositionRow> {
        let gate::Exposure { position, working_buy, working_sell, in_doubt } = *self.held.lock().unwrap();
        let row = PositionRow {
            client: "mm1".parse().unwrap(),
            strategy: "mm1".parse().unwrap(),
            account: Some("ACME".parse().unwrap()),
            symbol: "ZVZZT".parse().unwrap(),
            position,
            working_buy,
            working_sell,
            worst_long: position + i64::try_from(working_buy).unwrap(),
            worst_short: position - i64::try_from(working_sell).unwrap(),
            in_doubt,
        };
        let shown = filter.shows(&row.client, &row.strategy, row.account.as_ref(), row.symbol);
        Some(row).filter(|_| shown).into_iter().collect()
    }

    fn orders(&self, filter: &HoldingsFilter) -> Vec<OrderRow> {
        let row = |id, since, replacement| OrderRow {
            client: "mm1".parse().unwrap(),
            id,
            strategy: "mm1".parse().unwrap(),
            account: "ACME".parse().unwrap(),
            symbol: "ZVZZT".parse().unwrap(),
            side: OrderSide::Buy,
            leaves: 200,
            px: Price(Px(99_990_000_000)),
            since,
            replacement,
        };
        let all = [row(71, Some(Stamp(START)), Some(72)), row(73, None, None)];
        all.into_iter().filter(|r| filter.shows(&r.client, &r.strategy, Some(&r.account), r.symbol)).collect()
    }

    fn sessions(&self) -> Vec<SessionView> {
        let attached = self.attached.load(Ordering::Relaxed);
        let session = SessionRow {
            client: "mm1".parse().unwrap(),
            kind: "process".to_owned(),
            state: if attached { "attached" } else { "away" }.to_owned(),
            pid: attached.then_some(4_711),
            user: String::new(),
            since: attached.then_some(Stamp(START)),
            ring_waiting: 3,
            ring_records: 65_536,
            open_orders: 2,
            accepted: 1_200,
            flagged: 1,
            rejected: 17,
            lost: 0,
            damaged: 0,
            unlogged: 0,
            mode: "enforce".to_owned(),
            would_reject: 0,
            near_limit: 0,
            in_doubt: self.held.lock().unwrap().in_doubt,
        };
        vec![SessionView { session, uid: attached.then_some(0) }]
    }

    fn position(&self, setting: &PositionSetting) -> Result<gate::Exposure, BackendError> {
        if self.attached.load(Ordering::Relaxed) {
            return Err(BackendError::Failed { what: format!("{}'s process runs", setting.client) });
        }
        Ok(*self.held.lock().unwrap())
    }

    fn set_position(&self, setting: &PositionSetting) -> Result<(), BackendError> {
        self.position(setting)?;
        if self.broken.load(Ordering::Relaxed) {
            return Err(BackendError::Failed { what: "the journal cannot be written".to_owned() });
        }
        let mut held = self.held.lock().unwrap();
        (held.position, held.in_doubt) = (setting.position, false);
        Ok(())
    }
}

/// An appliance, its control plane and its directories.
pub(crate) struct Site {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) plan: Plan,
    pub(crate) desk: Arc<Desk>,
    pub(crate) controller: Arc<Controller>,
}

/// A plan whose files lie in `dir`.
pub(crate) fn plan_in(dir: &Path, set: &[&str]) -> Plan {
    let toml = |path: PathBuf| format!("{:?}", path.display().to_string());
    let mut all = vec![
        format!("instance.state_dir={}", toml(dir.join("state"))),
        format!("instance.socket={}", toml(dir.join("control.sock"))),
        "account.ACME={}".to_owned(),
        "desk.md={}".to_owned(),
        "strategy.mm1={ desk = \"md\" }".to_owned(),
    ];
    all.extend(set.iter().map(|s| (*s).to_owned()));
    config::load(&[], &all).unwrap()
}

pub(crate) fn clock_of(desk: &Desk) -> Clock {
    let clock = Arc::clone(&desk.clock);
    Arc::new(move || UnixNanos(clock.fetch_add(1_000, Ordering::Relaxed)))
}

impl Site {
    pub(crate) fn new(set: &[&str]) -> Self {
        Self::start(tempfile::tempdir().unwrap(), set)
    }

    fn start(dir: tempfile::TempDir, set: &[&str]) -> Self {
        let plan = plan_in(dir.path(), set);
        Self::of(dir, plan)
    }

    /// An appliance on a directory that was used before or, when there is none, was made ready for it.
    pub(crate) fn of(dir: tempfile::TempDir, plan: Plan) -> Self {
        make_ready(&plan);
        Self::found(dir, plan)
    }

    /// An appliance on whatever is there.
    pub(crate) fn found(dir: tempfile::TempDir, plan: Plan) -> Self {
        Self::found_after(dir, plan, Duration::ZERO)
    }

    /// The same, so long after [`START`].
    pub(crate) fn found_after(dir: tempfile::TempDir, plan: Plan, after: Duration) -> Self {
        let desk = Desk::new(&plan);
        desk.clock.fetch_add(u64::try_from(after.as_nanos()).unwrap(), Ordering::Relaxed);
        let controller =
            Controller::open(&plan, Arc::clone(&desk) as Arc<dyn Backend>, clock_of(&desk)).unwrap();
        desk.open_the_rest();
        Self { dir, plan, desk, controller: Arc::new(controller) }
    }

    /// Stops the appliance; gives its directory and its plan.
    pub(crate) fn stop(self) -> (tempfile::TempDir, Plan) {
        let Self { dir, controller, plan, .. } = self;
        assert!(Arc::into_inner(controller).is_some(), "somebody still holds the controller");
        (dir, plan)
    }

    /// Stops the appliance and starts another one on the same directory.
    pub(crate) fn restart(self, set: &[&str]) -> Self {
        let Self { dir, controller, .. } = self;
        drop(controller);
        Self::start(dir, set)
    }

    /// The same, where the directory is not the site's own.
    pub(crate) fn restart_in(self, place: &Path) -> Self {
        let (dir, _) = self.stop();
        Self::found(dir, plan_in(place, &[]))
    }

    pub(crate) fn state_dir(&self) -> &Path {
        &self.plan.instance.state_dir
    }

    /// What a person of this role gets for a command.
    pub(crate) fn ask(&self, role: Role, command: Command) -> Result<Reply, Refusal> {
        self.controller.execute(&person(Some(role)), command)
    }

    /// The audit log's records, oldest first.
    pub(crate) fn records(&self) -> Vec<serde_json::Value> {
        match self.ask(Role::Viewer, Command::AuditTail { count: 1_000 }) {
            Ok(Reply::AuditRecords(records)) => records,
            other => panic!("{other:?}"),
        }
    }
}

/// `portcullis init`, where it has not been run.
pub(crate) fn make_ready(plan: &Plan) {
    if !plan.instance.state_dir.exists() {
        Controller::init(plan, Stamp(START)).unwrap();
    }
}

pub(crate) fn person(role: Option<Role>) -> Actor {
    Actor { uid: 1001, gid: 100, pid: 4242, user: "alice".to_owned(), role }
}

/// What a command changed.
pub(crate) fn changed(outcome: Result<Reply, Refusal>) -> Changed {
    match outcome {
        Ok(Reply::Changed(changed)) => changed,
        other => panic!("{other:?}"),
    }
}

/// What a command proposed.
pub(crate) fn proposed(outcome: Result<Reply, Refusal>) -> ProposalRow {
    match outcome {
        Ok(Reply::Proposed(row)) => row,
        other => panic!("{other:?}"),
    }
}
