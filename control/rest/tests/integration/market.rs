//! A real control plane, socket and all, over a market of any number of instruments whose tiers a test moves.

use control::Controller;
use control::backend::{Backend, BackendError, InstrumentView, SessionView, Snapshot};
use control::config::{self, Locates, Plan, Restricted};
use control::controller::Watch;
use control::events::Events;
use control::names::{Scope, SymbolName};
use control::protocol::{
    Driver, FeedStatus, GatewayDown, GatewayStatus, HaltRow, HoldingsFilter, HopStatus, LineStatus,
    LoadStatus, OrderCounts, OrderQuery, OrderRow, OrderSide, PortStatus, PositionRow, PositionSetting,
    Price, RecoveryStatus, RingStatus, ScorerStatus, SessionRow, SettlementMissing, StageStatus, TableStatus,
};
use control::server::Server;
use control::stamp::Stamp;
use gate::{Breaker, Envelope, Explanation, Exposure, FixedScore, LimitsSource, Overlay, effective_limits};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use types::{BookState, Px, StaleCause, Tier, TradingStatus, UnixNanos};

/// Names that a careless program trips over.
pub(crate) const ODD: [&str; 5] = ["\"\\<&'>\"", "BRK/A", "ZZ%2F#?", "ZZ;A?B=", "ZZ{x}"];

/// The instruments and their tiers.
pub(crate) struct Market {
    symbols: Vec<SymbolName>,
    tiers: Mutex<Vec<(Tier, Option<u32>)>>,
    envelope: Envelope,
}

fn now() -> UnixNanos {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    UnixNanos(u64::try_from(now.as_nanos()).unwrap())
}

impl Market {
    /// `count` instruments, [`ODD`] among them.
    fn new(plan: &Plan, count: usize) -> Self {
        let plain = (0..count.saturating_sub(ODD.len())).map(|n| format!("S{n:05}"));
        let odd = ODD.map(str::to_owned);
        let mut symbols: Vec<SymbolName> = plain.chain(odd).map(|name| name.parse().unwrap()).collect();
        symbols.sort();
        let tiers = Mutex::new(vec![(Tier::Normal, None); symbols.len()]);
        let envelope = *plan.limits.envelope(symbols[0]);
        Self { symbols, tiers, envelope }
    }

    /// The instruments, in order of name.
    pub(crate) fn symbols(&self) -> &[SymbolName] {
        &self.symbols
    }

    /// Moves the instrument at `place`; the score in millionths.
    pub(crate) fn set(&self, place: usize, tier: Tier, score: Option<u32>) {
        self.tiers.lock().unwrap()[place] = (tier, score);
    }

    fn view(&self, place: usize) -> InstrumentView {
        let (tier, score) = self.tiers.lock().unwrap()[place];
        let driver = |feature: &str, name: &str, value, unit: &str| Driver {
            feature: feature.to_owned(),
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
        };
        InstrumentView {
            symbol: self.symbols[place],
            effective: *effective_limits(&self.envelope, tier, &Overlay::DEFAULT).limits(),
            source: LimitsSource::Dynamic,
            tier,
            score: score.and_then(FixedScore::from_micros),
            tier_since: Some(UnixNanos(1_795_271_422_000_000_000)),
            book: if place % 50 == 7 { BookState::Stale(StaleCause::Gap) } else { BookState::Live },
            feed: String::new(),
            trading: TradingStatus::Trading,
            has_reference: true,
            drivers: vec![
                driver("spread_bps", "bid-ask spread", Some(6.25), "bps"),
                driver("cancel_ratio", "share of cancels", None, "1"),
            ],
        }
    }
}

fn feed() -> FeedStatus {
    let line = |line, dead_since| LineStatus {
        channel: 0,
        line,
        group: "233.54.12.111:26477".to_owned(),
        packets: 310_204,
        messages: 1_234_567,
        missing: 3,
        late: 41_000,
        damaged: 0,
        last: Some(Stamp(now())),
        dead_since,
    };
    FeedStatus {
        name: "xnas-itch".to_owned(),
        state: "live".to_owned(),
        messages: 1_234_567,
        gaps: 1,
        missing: 3,
        last: Some(Stamp(now())),
        late: 0,
        errors: 0,
        dropped: 0,
        dropped_by_cause: std::collections::BTreeMap::new(),
        restarts: 0,
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
        recovery: Some(RecoveryStatus::default()),
        port: Some(PortStatus { link_up: Some(false), speed_mbps: Some(25_000), ..PortStatus::default() }),
        lines: vec![line('A', None), line('B', Some(Stamp(now())))],
    }
}

impl Backend for Market {
    fn snapshot(&self) -> Snapshot {
        let hop = |hop: &str, p50_ns| HopStatus {
            hop: hop.to_owned(),
            count: 48_590,
            p50_ns,
            p90_ns: 2 * p50_ns,
            p99_ns: 4 * p50_ns,
            p999_ns: 9 * p50_ns,
            max_ns: 90 * p50_ns,
        };
        Snapshot {
            feeds: vec![feed()],
            scorer: ScorerStatus {
                backend: "cpu".to_owned(),
                model: "default-1".to_owned(),
                last: Some(Stamp(now())),
                scored: 7_410,
                uncalibrated: 3,
            },
            orders: Some(OrderCounts { accepted: 48_201, flagged: 12, rejected: 377 }),
            halts: vec![HaltRow {
                client: "mm1".parse().unwrap(),
                scope: Scope::Firm,
                since: Stamp(now()),
                cancelled: 40,
                filled: 1,
                filled_qty: 300,
                open: 2,
                last_after_us: Some(812),
            }],
            gateways: vec![
                GatewayStatus { name: "ouch".to_owned(), down: None },
                GatewayStatus {
                    name: "fix".to_owned(),
                    down: Some(GatewayDown { since: Stamp(now()), why: "port 9001 is taken".to_owned() }),
                },
            ],
            settlement_missing: SettlementMissing::of("2026-11-27".to_owned(), vec![self.symbols[0]]),
            counters: [("receiver".to_owned(), [("packets".to_owned(), 310_204)].into())].into(),
            verdicts: BTreeMap::from([(0, 48_201), (903, 300), (701, 77)]),
            hops: vec![hop("nic_to_ring", 310), hop("ring_to_book", 95), hop("gate", 180)],
            load: LoadStatus {
                stages: vec![StageStatus { stage: "receiver".to_owned(), ..StageStatus::default() }],
                rings: vec![RingStatus { ring: RingStatus::EVENTS.to_owned(), ..RingStatus::default() }],
                tables: vec![TableStatus { table: "orders".to_owned(), ..TableStatus::default() }],
                ..LoadStatus::default()
            },
        }
    }

    fn instruments(&self, symbol: Option<SymbolName>) -> Vec<InstrumentView> {
        match symbol {
            None => (0..self.symbols.len()).map(|place| self.view(place)).collect(),
            Some(symbol) => {
                self.symbols.binary_search(&symbol).map(|place| self.view(place)).into_iter().collect()
            }
        }
    }

    fn knows(&self, _: &Scope) -> bool {
        true
    }

    fn set_breaker(&self, _: &Scope, _: Breaker) -> Result<(), BackendError> {
        Ok(())
    }

    fn set_limits(&self, _: SymbolName, _: &Envelope) -> Result<(), BackendError> {
        Ok(())
    }

    fn restrict(&self, _: SymbolName, _: &Restricted) -> Result<(), BackendError> {
        Ok(())
    }

    fn locate(&self, _: SymbolName, _: &Locates) -> Result<(), BackendError> {
        Ok(())
    }

    fn reset_tier(&self, _: SymbolName) -> Result<(), BackendError> {
        Ok(())
    }

    fn explain(&self, order: &OrderQuery) -> Result<Explanation, BackendError> {
        Err(BackendError::Unknown { what: order.symbol.to_string() })
    }

    fn positions(&self, filter: &HoldingsFilter) -> Vec<PositionRow> {
        let row = |account: Option<&str>, position| PositionRow {
            client: "mm1".parse().unwrap(),
            strategy: "mm1".parse().unwrap(),
            account: account.map(|account| account.parse().unwrap()),
            symbol: self.symbols[0],
            position,
            working_buy: 400,
            working_sell: 0,
            worst_long: position + 400,
            worst_short: position,
            in_doubt: position < 0,
        };
        let shown =
            |row: &PositionRow| filter.shows(&row.client, &row.strategy, row.account.as_ref(), row.symbol);
        [row(None, 1_200), row(Some("ACME"), -300)].into_iter().filter(shown).collect()
    }

    fn orders(&self, filter: &HoldingsFilter) -> Vec<OrderRow> {
        let row = |id, since, replacement| OrderRow {
            client: "mm1".parse().unwrap(),
            id,
            strategy: "mm1".parse().unwrap(),
            account: "ACME".parse().unwrap(),
            symbol: self.symbols[0],
            side: OrderSide::Buy,
            leaves: 200,
            px: Price(Px(99_990_000_000)),
            since,
            replacement,
        };
        let all = [row(71, Some(Stamp(now())), Some(72)), row(73, None, None)];
        all.into_iter().filter(|r| filter.shows(&r.client, &r.strategy, Some(&r.account), r.symbol)).collect()
    }

    fn sessions(&self) -> Vec<SessionView> {
        let session = SessionRow {
            client: "mm1".parse().unwrap(),
            kind: "process".to_owned(),
            state: "attached".to_owned(),
            pid: Some(4_711),
            user: String::new(),
            since: Some(Stamp(now())),
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
            in_doubt: true,
        };
        vec![SessionView { session, uid: Some(0) }]
    }

    fn position(&self, _: &PositionSetting) -> Result<Exposure, BackendError> {
        Ok(Exposure { position: 0, working_buy: 0, working_sell: 0, in_doubt: false })
    }

    fn set_position(&self, _: &PositionSetting) -> Result<(), BackendError> {
        Ok(())
    }
}

/// An appliance, whose end is its drop.
pub(crate) struct Site {
    pub(crate) market: Arc<Market>,
    pub(crate) socket: PathBuf,
    // Ends in this order.
    _server: Server,
    _watch: Watch,
    _events: Events,
}

impl Site {
    /// An appliance of `count` instruments that keeps its state in `dir`.
    pub(crate) fn start(dir: &Path, count: usize) -> Self {
        let toml = |path: PathBuf| format!("{:?}", path.display().to_string());
        let socket = dir.join("control.sock");
        let set = [
            format!("instance.state_dir={}", toml(dir.join("state"))),
            format!("instance.socket={}", toml(socket.clone())),
            "account.ACME={}".to_owned(),
            "desk.md={}".to_owned(),
            "strategy.mm1={ desk = \"md\" }".to_owned(),
        ];
        let plan = config::load(&[], &set).unwrap();
        if !plan.instance.state_dir.exists() {
            Controller::init(&plan, Stamp(now())).unwrap();
        }
        let market = Arc::new(Market::new(&plan, count));
        let controller = Controller::open(&plan, Arc::clone(&market) as Arc<dyn Backend>, Arc::new(now));
        let controller = Arc::new(controller.unwrap());
        let events = Events::open(&plan, Arc::new(now)).unwrap();
        controller.tell(events.log());
        let watch = controller.watch().unwrap();
        let server = Server::start(controller, &plan.instance.socket).unwrap();
        Self { market, socket, _server: server, _watch: watch, _events: events }
    }
}
