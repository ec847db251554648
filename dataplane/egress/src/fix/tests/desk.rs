//! The gateway between a firm and a venue that are sessions too, with a real gate, and everything cut where it can be.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test decides on what it is about")]

use super::sessions::{START, config};
use crate::fix::dictionary::Version;
use crate::fix::frame::{Framed, frame};
use crate::fix::gateway::{AlertTags, Gatekeeper, Judgement, Relay};
use crate::fix::message::Message;
use crate::fix::session::{Core, Role, SendError, Session};
use crate::fix::store::{Cause, Store};
use crate::fix::write::Writer;
use crate::halt::{HaltWatch, Halted};
use crate::orders::Wanted;
use gate::{
    AccountId, ActivityLimits, Breaker, BreakerCause, BreakerKey, BreakerState, BreakerTable, BreakerWriter,
    ClassId, Envelope, Gate, GateConfig, GateTables, OpenOrder, OrderEvent, OrderIntent, OrderType,
    Permission, RefTable, RefWriter, RiskLimits, Settlement, StaticTable, StaticTerms, StrategyConfig,
    StrategyId,
};
use std::path::Path;
use types::{
    BookState, InstrumentId, Nanos, Px, Qty, Symbol, TickTableId, TopOfBook, TradingStatus, UnixNanos,
};

const LIMITS: RiskLimits = RiskLimits {
    max_qty: Qty(1_000),
    max_notional_micros: 1_000_000_000_000,
    collar_bps: 500,
    passive_min_ticks: 1,
    max_pos_long: 1 << 40,
    max_pos_short: 1 << 40,
    order_rate_per_s: 20_000,
    order_burst: 60_000,
    margin_bps: 10_000,
};

fn top(now: UnixNanos) -> TopOfBook {
    TopOfBook {
        bid: Px(100_000_000_000),
        bid_qty: 1_000,
        ask: Px(100_020_000_000),
        ask_qty: 1_000,
        last: Px(100_010_000_000),
        last_ts: now,
        tick: Px(10_000_000),
        tick_table: TickTableId::US_EQUITY,
        ts: now,
        state: BookState::Live,
        status: TradingStatus::Trading,
    }
}

/// A gate of one instrument, `AAPL` at 100.00 to 100.02, and one strategy.
pub(super) struct Door {
    gate: Gate,
    quotes: RefWriter,
    breakers: BreakerWriter,
    halts: HaltWatch,
    told: Vec<OrderEvent>,
    /// As a port whose daemon has gone, or that none takes in: no thread has its orders.
    pub(super) is_lost: bool,
    pub(super) is_detached: bool,
}

impl Door {
    pub(super) fn new() -> Self {
        Self::held_to(ActivityLimits::NONE)
    }

    /// The same, where the strategy is held to `activity` within an hour.
    fn held_to(activity: ActivityLimits) -> Self {
        let strategies =
            [StrategyConfig { class: ClassId(0), order_rate_per_s: 1_000_000, order_burst: 1_000_000 }];
        let (mut rows, statics) = StaticTable::create(1, 1).expect("rows");
        let (mut quotes, references) = RefTable::create(1).expect("references");
        let (mut breaker, breakers) = BreakerTable::create(1, 1, 1).expect("breakers");
        breaker.set_unset(Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 });
        let envelope = Envelope::fixed(LIMITS).expect("an envelope");
        let terms = StaticTerms { lot: Qty(1), permission: Permission::Granted, version: 1 };
        rows.publish(InstrumentId(0), ClassId(0), &envelope, &terms, START).expect("a row");
        quotes.publish(InstrumentId(0), &top(START)).expect("a quote");
        let config = GateConfig {
            strategies: &strategies,
            ref_age_max: Nanos(u64::MAX / 4),
            open_orders_max: 1 << 16,
            window: Nanos(3_600 * Nanos::SECOND.0),
            strategy_activity: &[activity],
            ..GateConfig::DEFAULT
        };
        let tables = GateTables { statics, dynamics: None, fat_finger: None, references, breakers };
        let gate = Gate::new(&config, tables).expect("a gate");
        let mut halts = HaltWatch::new(&[(StrategyId(0), AccountId(0))]);
        halts.watch(InstrumentId(0));
        Self { gate, quotes, breakers: breaker, halts, told: Vec::new(), is_lost: false, is_detached: false }
    }

    /// Closes, or opens, a scope as an officer does, latched where it has an episode.
    pub(super) fn set_breaker(&mut self, key: BreakerKey, state: BreakerState, episode: u16) {
        self.breakers.set(key, Breaker { state, cause: BreakerCause::Officer, episode }).expect("a scope");
    }

    /// Lets the market be of the time `now`.
    pub(super) fn trade_at(&mut self, now: UnixNanos) {
        self.quotes.publish(InstrumentId(0), &top(now)).expect("a quote");
    }

    fn intent(wanted: &Wanted) -> OrderIntent {
        OrderIntent {
            cl_ord_id: wanted.id,
            px: wanted.px,
            instrument: wanted.instrument,
            qty: wanted.qty,
            strategy: StrategyId(0),
            account: AccountId(0),
            side: wanted.side,
            order_type: if wanted.px == Px::NONE { OrderType::Market } else { OrderType::Limit },
            tif: wanted.tif,
        }
    }

    /// Position, working buys, working sells.
    pub(super) fn held(&self) -> (i64, u64, u64) {
        let held = self.gate.exposure(InstrumentId(0), StrategyId(0)).expect("a cell");
        (held.position, held.working_buy, held.working_sell)
    }
}

impl Gatekeeper for Door {
    fn instrument(&mut self, symbol: Symbol) -> InstrumentId {
        if symbol == Symbol::new("AAPL").expect("a symbol") { InstrumentId(0) } else { InstrumentId::ALL }
    }

    fn reserve(&mut self, wanted: &Wanted, now: UnixNanos) -> Judgement {
        let (verdict, reservation) = self.gate.reserve(&Self::intent(wanted), now);
        Judgement { verdict, is_reserved: reservation.is_some() }
    }

    fn replace(&mut self, replaced: u64, wanted: &Wanted, now: UnixNanos) -> Judgement {
        let (verdict, reservation) = self.gate.replace(replaced, &Self::intent(wanted), now);
        Judgement { verdict, is_reserved: reservation.is_some() }
    }

    fn settle(&mut self, event: OrderEvent, _now: UnixNanos) -> Settlement {
        self.told.push(event);
        self.gate.settle(event)
    }

    fn cancel(&mut self, id: u64, now: UnixNanos) {
        self.gate.cancel(id, now);
    }

    fn open_orders(&self) -> Vec<OpenOrder> {
        self.gate.open_orders().filter(|_| !self.is_detached).collect()
    }

    fn halted(&mut self, now: UnixNanos) -> Option<Halted> {
        self.halts.look(|key| self.gate.breaker(key), self.is_lost, now)
    }

    fn is_open(&self, id: u64) -> bool {
        !self.is_detached && self.gate.is_open(id)
    }

    fn is_closed(&mut self, _: Symbol) -> bool {
        self.gate.breaker(BreakerKey::Firm).is_none_or(|breaker| breaker.state != BreakerState::Open)
    }

    fn leaves(&self, id: u64) -> Option<u32> {
        self.gate.open_orders().find(|order| order.id == id).map(|order| order.leaves.0)
    }

    fn is_ready(&self) -> bool {
        !self.is_detached
    }

    fn look_after(&mut self) -> Option<String> {
        None
    }
}

pub(super) const ALERTS: AlertTags = AlertTags { alert: 8011, score: Some(8012), tier: Some(8013) };

/// A firm, the gateway, and a venue, on one clock.
pub(super) struct Street {
    firm: Session,
    pub(super) gateway: Relay<Door>,
    venue: Session,
    pub(super) now: UnixNanos,
    version: Version,
    /// Application messages as the firm and the venue took them.
    pub(super) at_firm: Vec<Vec<u8>>,
    pub(super) at_venue: Vec<Vec<u8>>,
}

pub(super) fn far(version: Version, role: Role, ids: (&str, &str), path: &Path) -> Session {
    let store = Store::open(path, |_, _| {}).expect("a store");
    let mut config = config(version, role, ids);
    config.user_fields = true;
    config.judge_bodies = false;
    Session::new(config, store)
}

fn open(version: Version, folder: &Path, gate: Door, now: UnixNanos) -> Relay<Door> {
    let firm = config(version, Role::Acceptor, ("GATE", "FIRM"));
    let mut venue = config(version, Role::Initiator, ("US", "VENUE"));
    venue.judge_bodies = false;
    Relay::open(folder, firm, venue, ALERTS, gate, now).expect("a gateway")
}

impl Street {
    pub(super) fn new(version: Version, folder: &Path) -> Self {
        let mut street = Self {
            firm: far(version, Role::Initiator, ("FIRM", "GATE"), &folder.join("far-firm")),
            gateway: open(version, folder, Door::new(), START),
            venue: far(version, Role::Acceptor, ("VENUE", "US"), &folder.join("far-venue")),
            now: START,
            version,
            at_firm: Vec::new(),
            at_venue: Vec::new(),
        };
        street.connect_firm();
        street.connect_venue();
        street.carry();
        street
    }

    pub(super) fn connect_firm(&mut self) {
        self.gateway.firm.connected(self.now);
        self.firm.connected(self.now);
    }

    /// The firm's next logon begins both directions at 1, on a store of its own.
    pub(super) fn firm_resets(&mut self, folder: &Path) {
        let mut config = config(self.version, Role::Initiator, ("FIRM", "GATE"));
        (config.user_fields, config.judge_bodies, config.reset_on_logon) = (true, false, true);
        let store = Store::open(&folder.join("far-firm-anew"), |_, _| {}).expect("a store");
        self.firm = Session::new(config, store);
    }

    pub(super) fn connect_venue(&mut self) {
        self.gateway.venue.connected(self.now);
        self.venue.connected(self.now);
    }

    /// The connection to the firm, or to the venue, is cut; what is on its way is gone.
    pub(super) fn cut(&mut self, firm: bool) {
        if firm {
            self.firm.disconnected();
            self.gateway.firm.disconnected();
        } else {
            self.venue.disconnected();
            self.gateway.venue.disconnected();
        }
    }

    /// The gateway's process is killed and started anew; the gate is another process's and lives on.
    pub(super) fn kill(self, folder: &Path) -> Self {
        self.kill_after(folder, || {})
    }

    /// As [`Street::kill`]; `disk` puts the files back to where they were a moment before.
    fn kill_after(self, folder: &Path, disk: impl FnOnce()) -> Self {
        let Self { mut firm, gateway, mut venue, now, version, at_firm, at_venue } = self;
        let Relay { firm: ours, venue: theirs, desk } = gateway;
        drop((ours, theirs));
        disk();
        firm.disconnected();
        venue.disconnected();
        let gateway = open(version, folder, desk.gate, now);
        let mut street = Self { firm, gateway, venue, now, version, at_firm, at_venue };
        // The venue first: an order that comes before it is there is refused.
        street.connect_venue();
        street.carry();
        street.connect_firm();
        street.carry();
        street
    }

    /// Carries everything until nothing moves any more.
    pub(super) fn carry(&mut self) {
        while self.carry_some(usize::MAX) {}
    }

    /// Carries at most `bytes` in each direction of each connection; whether anything moved.
    fn carry_some(&mut self, bytes: usize) -> bool {
        self.now = self.now.plus(Nanos(1_000_000));
        let now = self.now;
        let cut = |session: &mut Session| {
            let taken = session.waiting().len().min(bytes);
            let bytes = session.waiting()[..taken].to_vec();
            session.taken(taken);
            bytes
        };
        let (up, down) = (cut(&mut self.firm), cut(&mut self.venue));
        self.gateway.receive_from_firm(&up, now);
        self.gateway.receive_from_venue(&down, now);
        let (to_firm, to_venue) = (cut(&mut self.gateway.firm), cut(&mut self.gateway.venue));
        let note = |list: &mut Vec<Vec<u8>>, message: &Message<'_>| -> Result<(), SendError> {
            list.push(
                message
                    .fields()
                    .flat_map(|f| format!("{}={}|", f.tag, String::from_utf8_lossy(f.value)).into_bytes())
                    .collect(),
            );
            Ok(())
        };
        let (at_firm, at_venue) = (&mut self.at_firm, &mut self.at_venue);
        self.firm.receive(&to_firm, now, &mut |message: &Message<'_>, _: &mut Core, _: UnixNanos| {
            note(at_firm, message)
        });
        self.venue.receive(&to_venue, now, &mut |message: &Message<'_>, _: &mut Core, _: UnixNanos| {
            note(at_venue, message)
        });
        self.gateway.tick(now);
        [up, down, to_firm, to_venue].iter().any(|bytes| !bytes.is_empty())
    }

    /// What the firm has sent comes to the gateway, and no further.
    pub(super) fn deliver_to_gateway(&mut self) {
        let bytes = self.firm.waiting().to_vec();
        self.firm.taken(bytes.len());
        self.gateway.receive_from_firm(&bytes, self.now);
    }

    pub(super) fn firm_sends(&mut self, kind: &[u8], fields: &str) {
        send(&mut self.firm.core, kind, fields, self.now);
    }

    pub(super) fn venue_sends(&mut self, kind: &[u8], fields: &str) {
        send(&mut self.venue.core, kind, fields, self.now);
    }

    pub(super) fn order(&mut self, id: &str, side: u8, qty: u32, px: &str) {
        let fields =
            format!("11={id}|21=1|55=AAPL|54={side}|38={qty}|40=2|44={px}|59=0|60=20261202-00:00:00");
        self.firm_sends(b"D", &fields);
        self.carry();
    }

    /// An execution report about `id`.
    pub(super) fn report(&mut self, id: &str, exec_id: &str, what: &str, rest: &str) {
        let trans = if self.version == Version::Fix42 { "20=0|" } else { "" };
        let what = match (self.version, what) {
            (Version::Fix42, "F") => "2",
            (_, what) => what,
        };
        self.venue_sends(b"8", &format!("37=V1|11={id}|17={exec_id}|{trans}150={what}|55=AAPL|54=1|{rest}"));
        self.carry();
    }
}

fn send(core: &mut Core, kind: &[u8], fields: &str, now: UnixNanos) {
    let fill = |writer: &mut Writer| {
        for field in fields.split('|').filter(|field| !field.is_empty()) {
            let (tag, value) = field.split_once('=').expect("tag=value");
            writer.text(tag.parse().expect("a tag"), value.as_bytes());
        }
    };
    core.send(kind, Cause::default(), now, fill).expect("a store");
}

pub(super) fn text(message: &[u8]) -> &str {
    std::str::from_utf8(message).expect("text")
}

pub(super) fn has(message: &[u8], fields: &[&str]) -> bool {
    let message = format!("|{}", text(message));
    fields.iter().all(|field| message.contains(&format!("|{field}|")))
}

const VERSIONS: [Version; 3] = [Version::Fix42, Version::Fix44, Version::Fixt11];

pub(super) fn on_each_version(mut test: impl FnMut(Version, Street, &Path)) {
    for version in VERSIONS {
        let folder = tempfile::tempdir().expect("a folder");
        test(version, Street::new(version, folder.path()), folder.path());
    }
}

#[test]
fn an_order_passes_fills_and_is_counted() {
    on_each_version(|version, mut street, _| {
        street.firm_sends(
            b"D",
            "11=a|21=1|55=AAPL|54=1|38=100|40=2|44=100.00|59=0|60=20261202-00:00:00|8011=RiskAlert_Normal|9001=mine",
        );
        street.carry();
        assert_eq!(
            street.at_venue.len(),
            1,
            "{version:?} {:?}",
            street.at_firm.first().map(|m| text(m).to_owned())
        );
        assert!(has(&street.at_venue[0], &["11=a", "38=100", "44=100.00", "49=US", "56=VENUE"]));
        assert!(!text(&street.at_venue[0]).contains("8011="), "alert tags stay inside");
        assert_eq!(street.gateway.desk.gate.held(), (0, 100, 0));
        street.report("a", "e0", "0", "39=0|151=100|14=0|6=0");
        street.report("a", "e1", "F", "39=1|32=40|31=100|151=60|14=40|6=100");
        assert_eq!(street.gateway.desk.gate.held(), (40, 60, 0));
        assert!(has(
            &street.at_firm[1],
            &["11=a", "17=e1", "32=40", "8011=RiskAlert_Normal", "8012=0.000000", "8013=0"]
        ));
        // The same execution again, under a new number.
        street.report("a", "e1", "F", "39=1|32=40|31=100|151=60|14=40|6=100");
        assert_eq!(street.gateway.desk.gate.held(), (40, 60, 0), "an execution counts once");
        street.report("a", "e2", "4", "39=4|151=0|14=40|6=100");
        assert_eq!(street.gateway.desk.gate.held(), (40, 0, 0));
        assert_eq!(street.at_firm.len(), 4);
    });
}

#[test]
fn an_execution_counts_at_the_price_of_the_venue_and_without_one_at_the_orders() {
    on_each_version(|version, mut street, _| {
        street.order("a", 1, 100, "100.00");
        let prices = ["99.9975", "-0.25", "0", "dear", ""];
        for (at, price) in prices.into_iter().enumerate() {
            let px = if price.is_empty() { String::new() } else { format!("31={price}|") };
            street.report("a", &format!("e{at}"), "F", &format!("39=1|32=10|{px}151=50|14=50|6=100"));
        }
        let told: Vec<Option<Px>> = street
            .gateway
            .desk
            .gate
            .told
            .iter()
            .filter_map(|event| match event {
                OrderEvent::ExecutedAt { qty: Qty(10), px, .. } => Some(Some(*px)),
                OrderEvent::Executed { qty: Qty(10), .. } => Some(None),
                _ => None,
            })
            .collect();
        let wanted = [Some(Px(99_997_500_000)), Some(Px(-250_000_000)), None, None, None];
        assert_eq!(told, wanted, "{version:?}");
        assert_eq!(street.gateway.desk.counts().executions, 5);
    });
}

/// A disk that takes nothing keeps no cancel back, and lets no order out; nobody is cut off, and with room again nothing is missing.
#[test]
fn a_full_disk_stops_orders_and_no_cancel() {
    on_each_version(|version, mut street, folder| {
        street.order("a", 1, 100, "100.00");
        street.order("b", 1, 100, "100.00");
        street.report("a", "e0", "0", "39=0|151=100|14=0|6=0");
        street.gateway.firm.core.set_room(0);
        street.gateway.venue.core.set_room(0);
        street.order("c", 1, 100, "100.00");
        assert!(has(street.at_firm.last().expect("told"), &["11=c", "39=8"]), "{version:?}");
        assert_eq!((street.at_venue.len(), street.gateway.desk.gate.held().1), (2, 200));
        street.firm_sends(b"F", "11=x|41=a|55=AAPL|54=1|60=20261202-00:00:00");
        street.carry();
        assert!(has(street.at_venue.last().expect("sent"), &["35=F", "11=x", "41=a"]), "{version:?}");
        // The gateway's own, in one piece.
        street.gateway.desk.sweep_all();
        street.gateway.send_sweeps(street.now).expect("sent");
        street.carry();
        assert!(has(street.at_venue.last().expect("sent"), &["35=F", "41=b"]) || street.at_venue.len() == 5);
        street.report("a", "e1", "4", "39=4|151=0|14=0|6=0");
        street.report("b", "e2", "4", "39=4|151=0|14=0|6=0");
        assert_eq!(street.gateway.desk.gate.held(), (0, 0, 0));
        assert!(has(street.at_firm.last().expect("told"), &["11=b", "39=4"]), "{version:?}");
        let unkept = (street.gateway.firm.core.unkept(), street.gateway.venue.core.unkept());
        assert!(unkept.0 >= 3 && unkept.1 >= 3, "{unkept:?}");
        street.gateway.firm.core.set_room(1 << 20);
        street.gateway.venue.core.set_room(1 << 20);
        street.order("d", 1, 100, "100.00");
        street.report("d", "e3", "0", "39=0|151=100|14=0|6=0");
        let before = (street.gateway.firm.core.next_out(), street.gateway.venue.core.next_out());
        assert_eq!(street.gateway.firm.core.unkept() + street.gateway.venue.core.unkept(), 0);
        let street = street.kill(folder);
        let after = (street.gateway.firm.core.next_out(), street.gateway.venue.core.next_out());
        assert!(after.0 > before.0 && after.1 > before.1, "the numbers go on: {before:?} {after:?}");
        assert_eq!(street.gateway.desk.gate.held(), (0, 100, 0));
    });
}

#[test]
fn what_the_gate_refuses_never_reaches_the_venue() {
    on_each_version(|version, mut street, _| {
        street.order("big", 1, 2_000, "100.00");
        street.order("far", 1, 100, "200.00");
        street.firm_sends(b"D", "11=sym|21=1|55=NONESUCH|54=1|38=100|40=2|44=100.00|60=20261202-00:00:00");
        street.firm_sends(b"D", "11=stop|21=1|55=AAPL|54=1|38=100|40=3|99=100.00|60=20261202-00:00:00");
        street.firm_sends(b"D", "11=half|21=1|55=AAPL|54=1|38=100.5|40=2|44=100.00|60=20261202-00:00:00");
        street.firm_sends(b"D", "11=call|21=1|55=AAPL|54=1|38=1|40=2|44=100.00|201=1|60=20261202-00:00:00");
        street.carry();
        assert!(street.at_venue.is_empty());
        assert_eq!(street.gateway.desk.gate.held(), (0, 0, 0));
        let reasons = match version {
            Version::Fix42 => ["3", "0", "1", "0", "0", "0"],
            Version::Fix44 => ["3", "99", "1", "11", "13", "11"],
            Version::Fixt11 => ["3", "16", "1", "11", "13", "11"],
        };
        assert_eq!(street.at_firm.len(), 6);
        for (message, reason) in street.at_firm.iter().zip(reasons) {
            let reason = format!("103={reason}");
            assert!(has(message, &["35=8", "150=8", "39=8", &reason, "151=0"]), "{}", text(message));
            assert_eq!(text(message).contains("|1328="), version == Version::Fixt11);
        }
        assert!(
            text(&street.at_firm[0]).contains("|58=QTY_STATIC: The quantity 2000"),
            "{}",
            text(&street.at_firm[0])
        );
    });
}

#[test]
fn replaces_and_cancels_follow_the_order() {
    on_each_version(|_, mut street, _| {
        street.order("a", 1, 100, "100.00");
        let replace = |id, original, qty| {
            format!("11={id}|41={original}|21=1|55=AAPL|54=1|38={qty}|40=2|44=100.00|60=20261202-00:00:00")
        };
        street.firm_sends(b"G", &replace("b", "a", 150));
        street.carry();
        assert_eq!(street.gateway.desk.gate.held(), (0, 150, 0), "the larger one counts");
        street.venue_sends(b"9", "37=V1|11=b|41=a|39=0|434=2|102=0");
        street.carry();
        assert_eq!(street.gateway.desk.gate.held(), (0, 100, 0), "the replacement was refused");
        street.firm_sends(b"G", &replace("c", "a", 50));
        street.carry();
        street.report("c", "e1", "5", "41=a|39=5|151=50|14=0|6=0");
        assert_eq!(street.gateway.desk.gate.held(), (0, 50, 0));
        street.firm_sends(b"G", &replace("d", "nosuch", 50));
        street.firm_sends(b"G", &replace("e", "c", 5_000));
        street.carry();
        let refused = &street.at_firm[street.at_firm.len() - 2..];
        assert!(
            has(&refused[0], &["35=9", "11=d", "41=nosuch", "434=2", "102=1", "39=8"]),
            "{}",
            text(&refused[0])
        );
        assert!(has(&refused[1], &["35=9", "11=e", "41=c", "434=2"]), "{}", text(&refused[1]));
        street.firm_sends(b"F", "11=x|41=c|55=AAPL|54=1|38=50|60=20261202-00:00:00");
        street.carry();
        street.report("x", "e2", "4", "41=c|39=4|151=0|14=0|6=0");
        assert_eq!(street.gateway.desk.gate.held(), (0, 0, 0));
    });
}

#[test]
fn a_reject_of_an_order_that_the_venue_has_gives_nothing_back() {
    on_each_version(|_, mut street, _| {
        street.order("a", 1, 100, "100.00");
        // The first copy works; a second one, sent again, is refused as a duplicate.
        street.report("a", "e1", "8", "39=8|103=6|151=0|14=0|6=0");
        assert_eq!(street.gateway.desk.gate.held(), (0, 100, 0));
        street.report("a", "e2", "0", "39=0|151=100|14=0|6=0");
        street.report("a", "e3", "8", "39=8|103=99|151=0|14=0|6=0");
        assert_eq!(street.gateway.desk.gate.held(), (0, 100, 0));
        assert_eq!(street.gateway.desk.counts().unbooked, 2);
    });
}

#[test]
fn what_cannot_be_counted_puts_the_position_in_doubt() {
    let untold = ["17=e1|39=1|31=100|151=60|14=40|6=100", "39=1|32=40|31=100|151=60|14=40|6=100"];
    for rest in untold {
        on_each_version(|version, mut street, _| {
            street.order("a", 1, 100, "100.00");
            let what = if version == Version::Fix42 { "20=0|150=1" } else { "150=F" };
            street.venue_sends(b"8", &format!("37=V1|11=a|{what}|55=AAPL|54=1|{rest}"));
            street.carry();
            let held =
                street.gateway.desk.gate.gate.exposure(InstrumentId(0), StrategyId(0)).expect("a cell");
            assert!(held.in_doubt && held.position == 0, "{rest}");
        });
    }
}

#[test]
fn numbers_of_executions_begin_anew_each_day_and_a_correction_counts_once() {
    on_each_version(|_, mut street, _| {
        street.order("a", 1, 100, "100.00");
        for day in ["20261202", "20261203"] {
            let fill = format!("39=1|32=40|31=100|151=60|14=40|6=100|60={day}-10:00:00");
            street.report("a", "e1", "F", &fill);
            street.report("a", "e1", "F", &fill);
        }
        assert_eq!(street.gateway.desk.gate.held(), (80, 20, 0));
        for _ in 0..2 {
            let bust = "19=e1|20=1|150=H|39=1|32=40|31=100|151=100|14=0|6=0|60=20261203-10:00:00";
            street.venue_sends(b"8", &format!("37=V1|11=a|17=e9|55=AAPL|54=1|{bust}"));
            street.carry();
        }
        assert_eq!(street.gateway.desk.gate.held().0, 40);
    });
}

#[test]
fn what_the_gate_would_not_see_is_refused_and_a_possible_copy_is_passed_on_as_one() {
    on_each_version(|_, mut street, _| {
        let order = "21=1|55=AAPL|54=1|38=100|40=2|60=20261202-00:00:00";
        for (id, more) in [
            ("PC-0-1", "44=100.00"),
            ("px", "44=9223372036.854775807"),
            ("fut", "44=100.00|167=FUT"),
            ("eur", "44=100.00|15=EUR"),
            ("trigger", "44=100.00|1102=2"),
            ("stay", "44=100.00|18=9"),
        ] {
            let before = street.at_firm.len();
            street.firm_sends(b"D", &format!("11={id}|{order}|{more}"));
            street.carry();
            assert!(street.at_venue.is_empty() && street.at_firm.len() > before, "{id}");
        }
        street.firm_sends(b"D", &format!("97=Y|11=a|{order}|44=100.00"));
        street.carry();
        assert!(has(street.at_venue.last().expect("the order"), &["35=D", "97=Y", "11=a"]));
    });
}

#[test]
fn cancels_pass_and_count() {
    on_each_version(|_, mut street, _| {
        street.gateway.desk.gate = Door::held_to(ActivityLimits { cancels: 1, ..ActivityLimits::NONE });
        for (order, cancel) in [("a", "x"), ("b", "y")] {
            street.order(order, 1, 100, "100.00");
            street.firm_sends(b"F", &format!("11={cancel}|41={order}|55=AAPL|54=1|60=20261202-00:00:00"));
            street.carry();
        }
        street.order("c", 1, 100, "100.00");
        assert_eq!(ids(&street.at_venue, "11="), ["a", "x", "b", "y"]);
        let told = text(street.at_firm.last().expect("a refusal"));
        assert!(told.contains("|58=CANCELS_STRATEGY: "), "{told}");
    });
}

#[test]
fn corrections_and_busts_move_the_position_and_raise_doubt() {
    on_each_version(|version, mut street, _| {
        street.order("a", 1, 100, "100.00");
        street.report("a", "e1", "F", "39=1|32=40|31=100|151=60|14=40|6=100");
        if version == Version::Fix42 {
            street.venue_sends(
                b"8",
                "37=V1|11=a|17=e2|19=e1|20=2|150=2|39=1|32=30|31=100|55=AAPL|54=1|151=70|14=30|6=100",
            );
        } else {
            street.venue_sends(
                b"8",
                "37=V1|11=a|17=e2|19=e1|150=G|39=1|32=30|31=100|55=AAPL|54=1|151=70|14=30|6=100",
            );
        }
        street.carry();
        assert_eq!(street.gateway.desk.gate.held().0, 30);
        if version == Version::Fix42 {
            street.venue_sends(
                b"8",
                "37=V1|11=a|17=e3|19=e2|20=1|150=2|39=0|32=30|55=AAPL|54=1|151=70|14=0|6=0",
            );
        } else {
            street.venue_sends(b"8", "37=V1|11=a|17=e3|19=e2|150=H|39=0|55=AAPL|54=1|151=70|14=0|6=0");
        }
        street.carry();
        assert_eq!(street.gateway.desk.gate.held().0, 0);
        street.order("b", 1, 100, "100.00");
        assert!(text(street.at_firm.last().expect("an answer")).contains("UNRECONCILED"));
    });
}

#[test]
fn what_cannot_be_sent_to_a_venue_that_is_away_is_refused_and_cancels_wait() {
    on_each_version(|_, mut street, _| {
        street.order("a", 1, 100, "100.00");
        street.cut(false);
        street.order("b", 1, 100, "100.00");
        assert!(has(&street.at_firm[0], &["35=8", "11=b", "39=8"]));
        assert_eq!(
            street.gateway.desk.gate.held(),
            (0, 100, 0),
            "an order whose fate is unknown stays counted"
        );
        street.firm_sends(b"F", "11=x|41=a|55=AAPL|54=1|38=100|60=20261202-00:00:00");
        street.carry();
        street.connect_venue();
        street.carry();
        assert!(has(street.at_venue.last().expect("the cancel"), &["35=F", "11=x", "41=a", "43=Y"]));
    });
}

#[test]
fn a_message_the_venue_takes_for_none_gives_the_order_back() {
    on_each_version(|_, mut street, _| {
        street.order("a", 1, 100, "100.00");
        let seq = text(&street.at_venue[0])
            .split('|')
            .find_map(|f| f.strip_prefix("34="))
            .expect("a number")
            .to_owned();
        street.venue_sends(b"j", &format!("45={seq}|372=D|380=3|58=no orders here"));
        street.carry();
        assert_eq!(street.gateway.desk.gate.held(), (0, 0, 0));
        assert!(
            has(&street.at_firm[0], &["35=8", "11=a", "39=8", "58=no orders here"]),
            "{}",
            text(&street.at_firm[0])
        );
    });
}

#[test]
fn a_copy_that_the_venue_refuses_does_not_release_the_order_it_took() {
    on_each_version(|_, mut street, _| {
        street.order("a", 1, 100, "100.00");
        let number =
            |message: &[u8]| text(message).split('|').find_map(|f| f.strip_prefix("34=")).unwrap().to_owned();
        let refused = format!("45={}|372=D|380=3|58=no", number(&street.at_venue[0]));
        street.report("a", "e0", "0", "39=0|151=100|14=0|6=0");
        street.venue_sends(b"j", &refused);
        street.carry();
        assert_eq!(street.gateway.desk.gate.held(), (0, 100, 0), "the venue had taken it");
        // One that was sent again, of which the venue said nothing.
        let fields = "11=b|21=1|55=AAPL|54=1|38=10|40=2|44=100.00|59=0|60=20261202-00:00:00";
        street.firm_sends(b"D", fields);
        let bytes = street.firm.waiting().to_vec();
        street.firm.taken(bytes.len());
        street.gateway.receive_from_firm(&bytes, street.now);
        street.cut(false);
        street.connect_venue();
        street.carry();
        let last = street.at_venue.last().expect("the order").clone();
        assert!(has(&last, &["35=D", "11=b", "43=Y"]), "{}", text(&last));
        street.venue_sends(b"j", &format!("45={}|372=D|380=3|58=no", number(&last)));
        street.carry();
        assert_eq!(street.gateway.desk.gate.held(), (0, 110, 0), "it may have taken the first copy");
        assert_eq!(street.gateway.desk.counts().unbooked, 2);
    });
}

#[test]
fn a_killed_gateway_takes_up_every_order() {
    on_each_version(|_, mut street, folder| {
        street.order("a", 1, 100, "100.00");
        street.report("a", "e1", "F", "39=1|32=40|31=100|151=60|14=40|6=100");
        // The venue answers while the gateway is dead.
        street.firm_sends(b"D", "11=b|21=1|55=AAPL|54=1|38=10|40=2|44=100.00|59=0|60=20261202-00:00:00");
        street.cut(true);
        street.cut(false);
        street.venue_sends(
            b"8",
            "37=V1|11=a|17=e2|20=0|150=F|39=2|32=60|31=100|55=AAPL|54=1|151=0|14=100|6=100",
        );
        let mut street = street.kill(folder);
        street.carry();
        let (position, working, _) = street.gateway.desk.gate.held();
        if street.version != Version::Fix42 {
            assert_eq!(position, 100);
            assert_eq!(working, 10, "the order that was on its way came after all");
        }
        street.firm_sends(b"D", "11=a|21=1|55=AAPL|54=1|38=10|40=2|44=100.00|59=0|60=20261202-00:00:00");
        street.carry();
        assert!(
            text(street.at_firm.last().expect("an answer")).contains("DUPLICATE"),
            "ids are known after the kill"
        );
        let e2 = street.at_firm.iter().filter(|message| has(message, &["17=e2"])).count();
        assert_eq!(e2, 1, "the firm hears of the fill once");
    });
}

/// The end comes after what led to an answer was kept with it, and before it was noted as read.
#[test]
fn what_was_answered_before_a_crash_is_not_taken_again() {
    on_each_version(|version, mut street, folder| {
        street.order("a", 1, 100, "100.00");
        street.order("big", 1, 2_000, "100.00");
        street.report("a", "e1", "F", "39=1|32=40|31=100|151=60|14=40|6=100");
        let (at_firm, at_venue) = (street.at_firm.len(), street.at_venue.len());
        let forget = |name: &str| {
            let mut store = Store::open(&folder.join(name), |_, _| {}).expect("a store");
            assert!(store.next_in() > 2);
            store.set_next_in(2).expect("room");
        };
        let street =
            street.kill_after(folder, || ["firm.fixlog", "venue.fixlog"].into_iter().for_each(forget));
        assert_eq!((street.at_firm.len(), street.at_venue.len()), (at_firm, at_venue), "{version:?}");
        assert_eq!(street.gateway.desk.gate.held(), (40, 60, 0));
        assert_eq!((street.gateway.firm.counts().gaps, street.gateway.venue.counts().gaps), (0, 0));
    });
}

/// The end comes after the gate let an order out, and before it was kept.
#[test]
fn an_order_that_was_let_out_and_never_sent_is_given_back() {
    on_each_version(|_, mut street, folder| {
        street.order("a", 1, 100, "100.00");
        let venue_file = folder.join("venue.fixlog");
        let kept = std::fs::metadata(&venue_file).expect("a file").len();
        let fields = "11=b|21=1|55=AAPL|54=1|38=100|40=2|44=100.00|59=0|60=20261202-00:00:00";
        street.firm_sends(b"D", fields);
        let bytes = street.firm.waiting().to_vec();
        street.firm.taken(bytes.len());
        street.gateway.receive_from_firm(&bytes, street.now);
        assert_eq!(street.gateway.desk.gate.held(), (0, 200, 0));
        let street = street.kill_after(folder, || {
            let file = std::fs::File::options().write(true).open(&venue_file).expect("a file");
            file.set_len(kept).expect("cut");
            let mut store = Store::open(&folder.join("firm.fixlog"), |_, _| {}).expect("a store");
            store.set_next_in(3).expect("room");
        });
        // The firm was asked for it again: it counts once.
        assert_eq!(street.gateway.desk.gate.held(), (0, 200, 0));
        assert_eq!(ids(&street.at_venue, "11="), ["a", "b"]);
    });
}

/// Every message that is cut off anywhere arrives once, in both directions, whatever the cuts.
#[test]
fn cuts_at_any_byte_lose_and_double_nothing() {
    use rand_like::Random;
    for version in VERSIONS {
        for seed in 1..40 {
            let folder = tempfile::tempdir().expect("a folder");
            let mut random = Random(seed);
            let mut street = Street::new(version, folder.path());
            for order in 0..40 {
                let id = format!("o{order}");
                let fields =
                    format!("11={id}|21=1|55=AAPL|54=1|38=100|40=2|44=100.00|59=0|60=20261202-00:00:00");
                street.firm_sends(b"D", &fields);
                for _ in 0..random.below(6) {
                    street.carry_some(random.below(120) as usize);
                }
                let known = street.at_venue.len();
                let trans = if version == Version::Fix42 { "20=0|150=2" } else { "150=F" };
                if known > 0 {
                    let filled = text(&street.at_venue[random.below(known as u64) as usize]);
                    let id = filled.split('|').find_map(|f| f.strip_prefix("11=")).expect("an id").to_owned();
                    street.venue_sends(
                        b"8",
                        &format!(
                            "37=V|11={id}|17=x{order}|{trans}|39=1|32=1|31=100|55=AAPL|54=1|151=1|14=1|6=1"
                        ),
                    );
                }
                match random.below(8) {
                    0 => {
                        street.cut(true);
                        street.connect_firm();
                    }
                    1 => {
                        street.cut(false);
                        street.connect_venue();
                    }
                    2 => street = street.kill(folder.path()),
                    _ => {}
                }
            }
            street.carry();
            for _ in 0..3 {
                street.now = street.now.plus(Nanos(21_000_000_000));
                street.carry();
            }
            let at_venue: Vec<_> = ids(&street.at_venue, "11=");
            let refused = ids(&street.at_firm, "11=").len() - ids_with(&street.at_firm, "17=x").len();
            assert_eq!(at_venue.len() + refused, 40, "{version:?}, seed {seed}: every order has one fate");
            let fills = ids_with(&street.at_firm, "17=x");
            let mut once = fills.clone();
            once.sort();
            once.dedup();
            assert_eq!(once.len(), fills.len(), "{version:?}, seed {seed}: each fill is told once");
            let (position, working, _) = street.gateway.desk.gate.held();
            assert_eq!(position, i64::try_from(fills.len()).expect("few"), "{version:?}, seed {seed}");
            assert_eq!(working, at_venue.len() as u64 * 100 - fills.len() as u64, "{version:?}, seed {seed}");
        }
    }
}

pub(super) fn ids(messages: &[Vec<u8>], prefix: &str) -> Vec<String> {
    messages
        .iter()
        .filter_map(|m| text(m).split('|').find_map(|f| f.strip_prefix(prefix)).map(ToOwned::to_owned))
        .collect()
}

fn ids_with(messages: &[Vec<u8>], prefix: &str) -> Vec<String> {
    ids(messages, prefix)
}

mod rand_like {
    /// xorshift64* (Vigna 2016).
    pub(super) struct Random(pub(super) u64);

    impl Random {
        pub(super) fn below(&mut self, n: u64) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
        }
    }
}

#[test]
fn a_message_of_another_kind_is_refused_by_name() {
    on_each_version(|_, mut street, _| {
        street.firm_sends(b"R", "131=q|146=0");
        street.carry();
        assert!(has(&street.at_firm[0], &["35=j", "372=R", "380=3"]));
        assert!(street.at_venue.is_empty());
        let Framed::Partial = frame(street.gateway.firm.waiting()) else { panic!("nothing waits") };
    });
}

#[test]
fn the_orders_of_a_firm_that_is_gone_are_cancelled_and_told_under_their_own_ids() {
    on_each_version(|_, mut street, _| {
        street.order("a", 1, 100, "100.00");
        street.order("b", 2, 50, "100.10");
        street.report("b", "e0", "F", "39=2|32=50|31=100|151=0|14=50|6=100");
        street.cut(true);
        street.gateway.desk.sweep_all();
        street.gateway.send_sweeps(street.now).expect("room");
        street.carry();
        let cancels: Vec<_> = street.at_venue.iter().filter(|message| has(message, &["35=F"])).collect();
        assert_eq!(cancels.len(), 1, "what is filled is not cancelled");
        assert!(has(cancels[0], &["41=a", "55=AAPL", "54=1", "38=100"]), "{}", text(cancels[0]));
        let own = ids(&[cancels[0].clone()], "11=").remove(0);
        street.report(&own, "e1", "4", "41=a|39=4|151=0|14=0|6=0");
        assert_eq!(street.gateway.desk.gate.held(), (-50, 0, 0));
        street.connect_firm();
        street.carry();
        let told = street.at_firm.last().expect("the end of the order");
        assert!(has(told, &["35=8", "11=a", "39=4"]) && !text(told).contains(&own), "{}", text(told));
    });
}

#[test]
fn orders_that_may_have_been_sent_before_are_not_sent_twice_and_old_ones_not_at_all() {
    on_each_version(|_, mut street, _| {
        street.order("a", 1, 100, "100.00");
        let order = "21=1|55=AAPL|54=1|38=100|40=2|44=100.00|59=0|60=20261202-00:00:00";
        street.firm_sends(b"D", &format!("97=Y|11=a|{order}"));
        street.firm_sends(b"D", &format!("97=Y|11=b|{order}"));
        street.carry();
        assert_eq!(ids(&street.at_venue, "11="), ["a", "b"]);
        // Sent into a connection that is gone, and asked for a minute later.
        street.cut(true);
        street.firm_sends(b"D", &format!("11=c|{order}"));
        street.now = street.now.plus(Nanos(60_000_000_000));
        street.cut(false);
        street.connect_venue();
        street.carry();
        street.connect_firm();
        street.carry();
        let told = street.at_firm.last().expect("a refusal");
        assert!(has(told, &["35=8", "11=c", "39=8", "103=8"]), "{}", text(told));
        assert_eq!(street.at_venue.len(), 2);
    });
}

#[test]
fn a_gateway_that_stops_lets_no_order_out() {
    on_each_version(|_, mut street, _| {
        street.gateway.desk.stop();
        street.order("a", 1, 100, "100.00");
        assert!(street.at_venue.is_empty());
        assert!(has(&street.at_firm[0], &["35=8", "11=a", "39=8", "58=the gateway stops"]));
    });
}

#[test]
fn an_order_that_grew_or_shrank_at_the_venue_is_seen() {
    on_each_version(|_, mut street, _| {
        street.order("a", 1, 100, "100.00");
        street.report("a", "e0", "D", "39=0|38=60|151=60|14=0|6=0");
        assert_eq!(street.gateway.desk.gate.held(), (0, 60, 0));
        street.report("a", "e0", "D", "39=0|38=60|151=60|14=0|6=0");
        assert_eq!(street.gateway.desk.gate.held(), (0, 60, 0), "said twice, done once");
        street.report("a", "e1", "D", "39=0|38=80|151=80|14=0|6=0");
        assert_eq!(street.gateway.desk.counts().unbooked, 1, "somebody must look");
        // A fill of an order that nobody knows puts everything in doubt.
        street.report("nosuch", "e2", "F", "39=2|32=5|31=100|151=0|14=5|6=100");
        street.order("b", 1, 100, "100.00");
        assert!(text(street.at_firm.last().expect("an answer")).contains("UNRECONCILED"));
    });
}
