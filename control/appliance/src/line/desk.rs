//! A gate with the orders that go through it: judged in their order, answered by the market, counted, and logged.

use super::gate_tables::{CLASS, Readers, since};
use super::notes::{BookNote, Defined, VerdictRecord};
use super::order_route::OrderRoute;
use super::order_source::{Arrival, OrderSource};
use super::outlet::Outlet;
use gate::{Decision, Explanation, Gate, OrderIntent, limits_in_force};
use stage::{CounterCell, HopHistogram};
use std::time::Instant;
use types::{InstrumentId, UnixNanos};

/// What a desk counts, in this order.
pub(crate) const COUNTERS: [&str; 3] = ["accepted", "flagged", "rejected"];

/// One gate and its orders.
pub(crate) struct Desk {
    pub(crate) gate: Gate,
    pub(crate) readers: Readers,
    /// None until somebody trades here.
    pub(crate) source: Option<Box<dyn OrderSource>>,
    /// The way of orders that pass the gate of a thread of their own.
    pub(crate) route: Option<Box<dyn OrderRoute>>,
    pub(crate) log: Outlet<VerdictRecord>,
    pub(crate) counters: [CounterCell; COUNTERS.len()],
    pub(crate) decision: Option<HopHistogram>,
}

impl Desk {
    /// An instrument got its number.
    pub(crate) fn define(&mut self, defined: Defined) {
        if let Some(source) = &mut self.source {
            source.define(defined);
        }
    }

    /// Judges every order that is due before `until`, and books what the market answers; gives how many of both there were.
    pub(crate) fn work(&mut self, until: UnixNanos) -> u32 {
        let mut worked = 0;
        if let Some(mut route) = self.route.take() {
            worked += route.work(until, &mut |record| self.note(record));
            self.route = Some(route);
        }
        while let Some(arrival) = self.source.as_mut().and_then(|source| source.next(until)) {
            worked += 1;
            match arrival {
                Arrival::Answer(event) => _ = self.gate.settle(event),
                Arrival::Order { ts, tag, intent } => self.judge(ts, tag, &intent),
            }
        }
        worked
    }

    fn judge(&mut self, ts: UnixNanos, tag: u32, intent: &OrderIntent) {
        let start = Instant::now();
        let (verdict, reservation) = self.gate.reserve(intent, ts);
        let check = since(start);
        self.note(VerdictRecord { ts, tag, verdict, check });
        if let Some(source) = &mut self.source {
            source.judged(&verdict, reservation.is_some(), &self.readers.references);
        }
    }

    /// Measures, counts and logs what was said of an order.
    fn note(&mut self, record: VerdictRecord) {
        if let Some(decision) = &mut self.decision {
            decision.record(record.check);
        }
        let [accepted, flagged, rejected] = &self.counters;
        match record.verdict.decision {
            Decision::Accept => accepted.add(1),
            Decision::Flag => flagged.add(1),
            Decision::Reject => rejected.add(1),
        }
        self.log.push(record);
    }

    /// What the books say has become true: whoever carries orders past the market hears it.
    pub(crate) fn hear(&mut self, note: &BookNote) {
        if let Some(route) = &mut self.route {
            route.hear(note);
        }
    }

    /// Prices moved, at `now`.
    pub(crate) fn market_moved(&mut self, now: UnixNanos) {
        if let Some(source) = &mut self.source {
            source.market_moved(now, &self.readers.references);
        }
    }

    /// What the gate would say of an order, every breach of it; nothing is reserved.
    pub(crate) fn explain(&self, intent: &OrderIntent, now: UnixNanos) -> Explanation {
        self.gate.explain(intent, now)
    }

    /// The largest order that could pass now, for screens.
    pub(crate) fn max_qty(&self, instrument: InstrumentId, now: UnixNanos) -> u32 {
        let Readers { statics, dynamics, .. } = &self.readers;
        limits_in_force(statics, dynamics.as_ref(), instrument, CLASS, now)
            .map_or(0, |held| held.limits.max_qty.0)
    }
}
