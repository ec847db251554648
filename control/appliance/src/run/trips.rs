//! Trips by the model: in force from the moment the scorer makes them, latched here.
//!
//! The scorer writes a trip into the gate's word, then tells of it in a note with its score. A note that found its ring full is
//! lost, a trip is not: the words are looked through for trips of which no note came.

use super::backend::LiveBackend;
use control::controller::Controller;
use control::names::SymbolName;
use types::{InstrumentId, Nanos, UnixNanos};

/// How often the words are looked through. A note comes milliseconds after its trip, so whatever two looks in a row find has
/// none.
const LOOK_EVERY: Nanos = Nanos::SECOND;

/// A trip that is in force and not latched.
struct Trip {
    instrument: InstrumentId,
    symbol: SymbolName,
    /// The trip's in the gate's table.
    number: u32,
    why: String,
}

/// Trips by the model that are in force and not latched.
#[derive(Default)]
pub(super) struct Trips {
    waiting: Vec<Trip>,
    /// What was found not taken over when the words were last looked through.
    seen: Vec<InstrumentId>,
    looked: UnixNanos,
}

impl Trips {
    /// The scorer told of a trip.
    pub(super) fn note(&mut self, instrument: InstrumentId, number: u32, symbol: SymbolName, score: f64) {
        let why = format!("tier critical, score {score:.3}");
        self.waiting.push(Trip { instrument, symbol, number, why });
    }

    /// Looks, when it is time, for trips whose note was lost.
    pub(super) fn look_for_lost(&mut self, backend: &LiveBackend, now: UnixNanos) {
        if now >= self.looked && now.since(self.looked) < LOOK_EVERY {
            return;
        }
        self.looked = now;
        let untaken = backend.all_untaken_trips();
        for (instrument, symbol, number) in &untaken {
            let waits = self.waiting.iter().any(|trip| trip.instrument == *instrument);
            if !waits && self.seen.contains(instrument) {
                let why = "tier critical, the note of its score was lost".to_owned();
                self.waiting.push(Trip { instrument: *instrument, symbol: *symbol, number: *number, why });
            }
        }
        self.seen = untaken.into_iter().map(|(instrument, ..)| instrument).collect();
    }

    /// Latches them, and again at the next call where that fails: until then the model's own word holds. Gives what is to be told.
    pub(super) fn latch(&mut self, controller: &Controller, backend: &LiveBackend) -> Vec<String> {
        // A note that came after its trip was found without one must not trip again what a person has reset since.
        self.waiting.retain(|trip| backend.untaken_trips(trip.instrument).is_some());
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let wanted: Vec<_> = self.waiting.iter().map(|trip| (trip.symbol, trip.why.clone())).collect();
        match controller.trip_by_model(&wanted) {
            Ok(_) => {
                self.waiting.drain(..).for_each(|trip| backend.take_trips(trip.instrument, trip.number));
                Vec::new()
            }
            Err(refusal) => vec![format!("warning: a trip by the model is not latched: {}", refusal.message)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::backend::lock;
    use super::*;
    use crate::line::explain::Asker;
    use crate::line::gate_tables::{CLASS, GateSet, Listens};
    use crate::line::notes::{Defined, ScorerCommand, ScorerNote};
    use crate::line::outlet::Outlet;
    use crate::line::score_sink::{Effective, LimitOutlet, Limits};
    use crate::run::load::LoadView;
    use crate::run::writers::Writers;
    use control::audit::Actor;
    use control::backend::Backend;
    use control::config::{Plan, load};
    use control::names::Scope;
    use control::protocol::Command;
    use control::roles::Role;
    use control::stamp::Stamp;
    use featurizer::MemoryReport;
    use gate::{
        AccountId, FixedScore, Gate, LimitCause, OrderIntent, OrderType, Overlay, StrategyId, TimeInForce,
        effective_limits,
    };
    use gpu::{LimitSink, LimitUpdate};
    use stage::{LiveClock, OsClock, RingRx, counters, ring};
    use std::path::Path;
    use std::sync::{Arc, mpsc};
    use types::{FeedIndex, Px, Qty, Side, Symbol, Tier};

    const ID: InstrumentId = InstrumentId(3);
    const NOW: UnixNanos = UnixNanos(1_795_271_422_000_000_000);

    /// A start: the tables, the control plane over them, the scorer's sink with room for one note.
    struct Start {
        controller: Controller,
        backend: Arc<LiveBackend>,
        gate: Gate,
        sink: LimitOutlet,
        notes: RingRx<ScorerNote>,
        /// The scorer takes them.
        _commands: RingRx<ScorerCommand>,
    }

    impl Start {
        fn on(plan: &Plan) -> Self {
            let GateSet { gate, model, statics, declared, breakers, readers, .. } =
                GateSet::new(plan, 1, 1, Listens::Limits, false).unwrap();
            let (commands, taken) = ring(4);
            let none = || counters("none", ["none"]).0;
            let tables = MemoryReport { bytes: 0, paged_bytes: 0, huge_bytes: None, huge_wanted: false };
            let backend = Arc::new(LiveBackend::new(
                LiveClock::Os(OsClock),
                (Vec::new(), None, LoadView::new(Vec::new(), none(), 0, &tables), String::new()),
                (readers, None),
                none(),
                (Writers { statics, declared, breakers, commands }, None),
                Asker::new(ring(1).0, ring(1).1),
                &plan.scopes,
            ));
            let time: control::controller::Clock = Arc::new(|| NOW);
            let shared = Arc::clone(&backend) as Arc<dyn Backend>;
            let controller = Controller::open(plan, shared, time).unwrap();
            backend.open_unlatched();
            let defined = Defined {
                instrument: ID,
                symbol: Symbol::new("FUTX").unwrap(),
                feed: FeedIndex::FIRST,
                is_named: true,
            };
            assert_eq!(backend.define(defined), None);
            controller.introduce(&Scope::Instrument(symbol())).unwrap();
            let (trips, notes) = ring(1);
            let limits = Limits::Direct { tables: model.unwrap(), trips: Outlet::dropping(trips) };
            let sink = LimitOutlet { limits, effective: Effective::Now, files: None };
            Self { controller, backend, gate, sink, notes, _commands: taken }
        }

        /// The model takes the instrument to Critical.
        fn goes_critical(&mut self, plan: &Plan) {
            let update = LimitUpdate {
                ts: NOW,
                instrument: ID,
                class: CLASS,
                limits: effective_limits(plan.limits.envelope(symbol()), Tier::Critical, &Overlay::DEFAULT),
                tier: Tier::Critical,
                score: FixedScore::from_micros(990_000).unwrap(),
                lease: Nanos::SECOND,
                cause: LimitCause::Tighten,
                version: 1,
                top3: [0; 3],
                trip: true,
            };
            self.sink.limit(&update, NOW);
        }

        /// Whether the breaker of the instrument refuses an order.
        fn is_refused(&self) -> bool {
            let order = OrderIntent {
                cl_ord_id: 1,
                px: Px(100_000_000_000),
                instrument: ID,
                qty: Qty(1),
                strategy: StrategyId(0),
                account: AccountId(0),
                side: Side::Bid,
                order_type: OrderType::Limit,
                tif: TimeInForce::Day,
            };
            self.gate.check(&order, NOW).slug() == "HALTED_INSTRUMENT"
        }

        /// What housekeeping does about trips `after` the start.
        fn keep(&self, trips: &mut Trips, after: Nanos) {
            trips.look_for_lost(&self.backend, NOW.plus(after));
            assert_eq!(trips.latch(&self.controller, &self.backend), Vec::<String>::new());
        }

        /// An officer ends what the model tripped.
        fn reset(&self) {
            let role = Some(Role::RiskAdmin);
            let actor = Actor { uid: 0, gid: 0, pid: 0, user: "risk".to_owned(), role };
            let reason = "drill over".parse().unwrap();
            let reset = Command::TierReset { symbol: symbol(), reason, ticket: None };
            self.controller.execute(&actor, reset).unwrap();
        }
    }

    fn symbol() -> SymbolName {
        "FUTX".parse().unwrap()
    }

    /// An appliance that was never used.
    fn plan(dir: &Path) -> Plan {
        let set = ["book.instruments=16".to_owned(), format!("instance.state_dir={:?}", dir.join("state"))];
        let plan = load(&[], &set).unwrap();
        Controller::init(&plan, Stamp(NOW)).unwrap();
        plan
    }

    #[test]
    fn a_trip_whose_note_found_its_ring_full_is_latched_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan(dir.path());
        let mut start = Start::on(&plan);
        assert!(!start.is_refused());
        // The ring has room for one, and nobody reads it.
        start.goes_critical(&plan);
        start.goes_critical(&plan);
        let mut notes = Vec::new();
        start.notes.drain(usize::MAX, |new| notes.extend_from_slice(new));
        assert_eq!((notes.len(), start.notes.counters().dropped()), (1, 1));
        let ScorerNote::Trip { number: 1, score, .. } = notes[0] else { panic!("{:?}", notes[0]) };
        let mut trips = Trips::default();
        trips.note(ID, 1, symbol(), score);
        start.keep(&mut trips, Nanos(0));
        start.reset();
        assert!(start.is_refused(), "the trip that was not told of holds");

        start.keep(&mut trips, Nanos(LOOK_EVERY.0 - 1));
        assert_eq!(start.backend.untaken_trips(ID), Some(2), "its note may still come");
        start.keep(&mut trips, LOOK_EVERY);
        assert_eq!(start.backend.untaken_trips(ID), None, "latched and taken over");
        assert!(start.is_refused());
        // Its note was late and not lost: nothing is tripped anew.
        trips.note(ID, 2, symbol(), score);
        start.keep(&mut trips, LOOK_EVERY);
        drop(start);

        let again = Start::on(&plan);
        assert!(again.is_refused(), "a restart keeps it");
        again.reset();
        assert!(!again.is_refused());
    }

    #[test]
    fn a_note_that_comes_after_a_reset_of_its_trip_trips_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan(dir.path());
        let mut start = Start::on(&plan);
        start.goes_critical(&plan);
        let mut trips = Trips::default();
        start.keep(&mut trips, Nanos(0));
        start.keep(&mut trips, LOOK_EVERY);
        assert!(start.is_refused());
        start.reset();
        trips.note(ID, 1, symbol(), 0.99);
        start.keep(&mut trips, LOOK_EVERY);
        assert!(!start.is_refused());
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_end_the_looking() {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan(dir.path());
        let mut start = Start::on(&plan);
        let mut trips = Trips::default();
        trips.look_for_lost(&start.backend, NOW.plus(Nanos(3_600 * Nanos::SECOND.0)));
        start.goes_critical(&plan);
        start.keep(&mut trips, Nanos(0));
        start.keep(&mut trips, LOOK_EVERY);
        assert_eq!(start.backend.untaken_trips(ID), None);
    }

    /// An attach takes the order processes and then the tables' writers; whoever looks must hold neither while it waits for the other.
    #[test]
    fn a_look_at_the_appliance_and_an_attach_do_not_wait_for_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let start = Start::on(&plan(dir.path()));
        let (done, ended) = mpsc::channel();
        let (attaching, looking) = (Arc::clone(&start.backend), Arc::clone(&start.backend));
        let attached = done.clone();
        std::thread::spawn(move || {
            for _ in 0..100_000 {
                let _processes = lock(&attaching.processes);
                drop(lock(&attaching.writers));
            }
            attached.send(()).unwrap();
        });
        std::thread::spawn(move || {
            for _ in 0..5_000 {
                looking.snapshot();
            }
            done.send(()).unwrap();
        });
        for _ in 0..2 {
            ended.recv_timeout(std::time::Duration::from_secs(60)).expect("neither waits for the other");
        }
    }
}
