//! An appliance of a few lines in this process: real shared tables with everything in force, a ring, and a control socket on
//! which clients attach. What a whole one does is tested through the built programs, in the workspace's `tests`.

use attach::SharedTables;
use attach::ring::RingReader;
use control::protocol::{
    Command, Grant, GrantRules, GrantShape, Outcome, PROTOCOL_VERSION, Reply, Response, parse_request,
    read_frame,
};
use gate::{
    Breaker, BreakerCause, BreakerKey, BreakerState, ClassId, Envelope, FixedScore, LimitCause, Permission,
    RefRules, RiskLimits, StaticTerms, TableShape, Terms,
};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use types::{InstrumentId, Nanos, Symbol, TickTable, Tier, TopOfBook, UnixNanos};

/// Records of the ring.
pub(crate) const RECORDS: usize = 1 << 16;

/// The model is calm, and its word holds for an hour.
const LIVE: Terms = Terms {
    tier: Tier::Normal,
    score: FixedScore::ZERO,
    lease: Nanos(3_600_000_000_000),
    version: 1,
    cause: LimitCause::Renew,
};

/// The appliance: everything in it stays in force while it lives.
pub(crate) struct Desk {
    /// Where clients attach.
    pub(crate) socket: PathBuf,
    /// Its end of their ring.
    pub(crate) ring: RingReader,
    #[allow(dead_code, reason = "held for its memory, which clients read")]
    tables: SharedTables,
    _dir: tempfile::TempDir,
}

/// The name of an instrument.
pub(crate) fn symbol(instrument: u32) -> Symbol {
    Symbol::new(&format!("I{instrument}")).expect("a short name")
}

impl Desk {
    /// Serves `instruments`, each quoted as `quote` says from `now` on, one strategy `s` and one account `a`, all under `limits`.
    /// `attaches` is how many may attach, one after the other.
    pub(crate) fn open(
        instruments: u32,
        limits: RiskLimits,
        quote: impl Fn(u32) -> TopOfBook,
        now: UnixNanos,
        change: impl FnOnce(&mut Grant),
        attaches: usize,
    ) -> Self {
        let shape = TableShape {
            instruments: instruments as usize,
            classes: 1,
            accounts: 1,
            strategies: 1,
            dynamics: true,
            fat_finger: false,
            locates: false,
        };
        let ticks = [TickTable::US_EQUITY];
        let rules = RefRules { tick_tables: &ticks, ..RefRules::DEFAULT };
        let mut tables = SharedTables::create(&shape, &rules).expect("shared memory");
        let envelope = Envelope::fixed(limits).expect("limits within their bounds");
        let terms = StaticTerms { lot: types::Qty(1), permission: Permission::Granted, version: 1 };
        let open = Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 };
        tables.writers.breakers.set_unset(open);
        for i in 0..instruments {
            let id = InstrumentId(i);
            tables.names.define(id, symbol(i));
            tables.writers.statics.publish(id, ClassId(0), &envelope, &terms, now).expect("a row");
            tables.writers.references.publish(id, &quote(i)).expect("a row");
            let dynamics = tables.writers.dynamics.as_mut().expect("the model's table");
            dynamics.publish(id, ClassId(0), &envelope.clamp(&limits), &LIVE, now).expect("a row");
        }
        let dir = tempfile::tempdir().expect("a folder");
        let ring = RingReader::open(&dir.path().join("ring"), RECORDS, 1).expect("a ring");
        let mut grant = grant(&tables, instruments, &rules);
        change(&mut grant);
        let socket = dir.path().join("control.sock");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let memory = tables.memory.try_clone().expect("a descriptor");
        let again = RingReader::open(&dir.path().join("ring"), RECORDS, 1).expect("the same ring");
        std::thread::spawn(move || {
            // They stand for the processes as long as they are held.
            let mut lifelines = Vec::new();
            for _ in 0..attaches {
                let (stream, _) = listener.accept().expect("a client");
                lifelines.extend(answer(stream, &grant, &memory, &again));
            }
            std::thread::park();
        });
        Self { socket, ring, tables, _dir: dir }
    }

    /// Sets the firm's breaker.
    #[allow(dead_code, reason = "the bench of the gateways halts, others do not")]
    pub(crate) fn set_breaker(&mut self, breaker: Breaker) {
        self.tables.writers.breakers.set(BreakerKey::Firm, breaker).expect("the firm's breaker");
    }

    /// Says to clients that it is `now`, as an appliance does; where it is not said they go by the caller's time.
    #[allow(dead_code, reason = "one test is of the clock")]
    pub(crate) fn say_time(&self, now: UnixNanos) {
        self.tables.clock.say(|| now);
    }

    /// Takes what the client wrote; gives how many records that were.
    pub(crate) fn drain(&mut self) -> u64 {
        self.ring.drain(u64::MAX, |_, _| Ok(())).expect("a ring").taken
    }
}

fn grant(tables: &SharedTables, instruments: u32, rules: &RefRules<'_>) -> Grant {
    let steps = TickTable::US_EQUITY;
    let steps = steps.steps().iter().map(|step| (step.from.0, step.tick.0)).collect();
    Grant {
        build: env!("CARGO_PKG_VERSION").to_owned(),
        layout: tables.layout,
        shape: GrantShape {
            instruments,
            classes: 1,
            accounts: 1,
            strategies: 1,
            dynamics: true,
            fat_finger: false,
            locates: false,
        },
        rules: GrantRules {
            last_age_max_ns: rules.last_age_max.0,
            period_ns: rules.period.0,
            period_collar_bps: rules.period_collar_bps,
            tick_tables: vec![steps],
            ref_age_max_ns: Nanos::SECOND.0 * 3_600,
            critical_reduce_only: false,
            account_positions: false,
            self_match: "off".to_owned(),
            repeat_ms: 0,
            money: None,
            strategy_times_in_force: std::collections::BTreeMap::new(),
            levels: control::protocol::GrantLevels::default(),
            repeated_executions: None,
            strategy_limits: [].into(),
            account_limits: [].into(),
            window_ns: 0,
            strategy_activity: [].into(),
            account_activity: [].into(),
            warn_left: gate::WarnShare::DEFAULT.left(),
            audits: false,
            strategy_rate: (1_000_000_000, u32::MAX),
            open_orders_max: 4_096,
            recent_orders: 4_096,
            daemon_age_max_ns: 0,
        },
        strategies: [("s".parse().expect("a name"), 0)].into(),
        accounts: [("a".parse().expect("a name"), 0)].into(),
    }
}

/// Answers one request to attach; gives the connection.
fn answer(mut stream: UnixStream, grant: &Grant, memory: &OwnedFd, ring: &RingReader) -> Option<UnixStream> {
    let request = parse_request(&read_frame(&mut stream).ok()?).ok()?;
    assert!(matches!(request.command, Command::Attach { .. }), "{:?}", request.command);
    let file: OwnedFd = ring.grant().expect("a ring").expect("nobody else has it").into();
    let steps = memfd_create("steps", MemfdFlags::CLOEXEC).expect("memory");
    let outcome = Outcome::Ok(Reply::Attached(Box::new(grant.clone())));
    let body = serde_json::to_vec(&Response { version: PROTOCOL_VERSION, id: request.id, outcome });
    let body = body.expect("JSON");
    let length = u32::try_from(body.len()).expect("a short answer").to_le_bytes();
    let descriptors = [memory.as_fd(), file.as_fd(), steps.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let parts = [IoSlice::new(&length), IoSlice::new(&body)];
    let sent = sendmsg(&stream, &parts, &mut ancillary, SendFlags::NOSIGNAL).expect("a client that listens");
    assert_eq!(sent, length.len() + body.len());
    Some(stream)
}
