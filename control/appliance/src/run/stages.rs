//! What the live stages hand out: quotes and limits straight into the gate's tables, everything else over rings to the
//! cold thread.

use super::health::{Channels, LastMoved};
use featurizer::{Book, Effect, Observer, TopOfBookSink};
use gate::{ClassId, Envelope, LimitWriter, RefWriter, SurfaceWriter};
use gpu::{
    LimitSink, LimitUpdate, PolledScorer, ScoreObserver, ScoreRecord, StagedScorer, SurfaceUpdate, TierChange,
};
use stage::{HopHistogram, RingRx, RingTx, Stage, Work};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use types::{Action, BookEvent, InstrumentId, Nanos, Symbol, TopOfBook, UnixNanos};

/// The time of the running poll, for sinks that are called inside it. One writer: the stage that polls.
pub(super) type PollTime = Arc<AtomicU64>;

/// How often live histograms change hands.
const INTERVAL: Nanos = Nanos::SECOND;

/// An instrument the feed has just named.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defined {
    pub(super) instrument: InstrumentId,
    pub(super) symbol: Symbol,
}

/// What the cold thread tells the scorer.
#[derive(Clone, Copy, Debug)]
pub(super) enum ScorerCommand {
    Define { instrument: InstrumentId, symbol: Symbol },
    Envelope { instrument: InstrumentId, envelope: Envelope },
    Reset { instrument: InstrumentId },
}

/// What the scorer tells the cold thread.
#[derive(Clone, Copy, Debug)]
pub(super) enum ScorerNote {
    Tier { instrument: InstrumentId, at: UnixNanos, top3: [u8; 3] },
    Trip { instrument: InstrumentId, score: f64 },
}

impl ScorerNote {
    pub(super) const fn instrument(&self) -> InstrumentId {
        match self {
            Self::Tier { instrument, .. } | Self::Trip { instrument, .. } => *instrument,
        }
    }
}

/// Writes quotes into the gate's reference table, as of their arrival here: the gate judges their age by its own clock.
/// Quotes that have not changed stay right as long as every channel lives and none lacks anything, and no longer.
#[derive(Debug)]
pub(super) struct References {
    pub(super) writer: RefWriter,
    pub(super) now: PollTime,
    pub(super) channels: Channels,
}

impl TopOfBookSink for References {
    fn top(&mut self, instrument: InstrumentId, top: &TopOfBook) {
        let ts = UnixNanos(self.now.load(Ordering::Relaxed));
        // An instrument beyond the table has no reference, and so no order of it passes.
        let _ = self.writer.publish(instrument, &TopOfBook { ts, ..*top });
    }

    fn applied(&mut self, events: &[BookEvent], gap_open: bool) {
        let now = UnixNanos(self.now.load(Ordering::Relaxed));
        if let Some(complete) = self.channels.note(events, gap_open, now) {
            self.writer.heartbeat(complete);
        }
    }
}

/// Tells the cold thread of definitions. A definition that finds no room is offered by the feed again, or its
/// instrument stays refused.
#[derive(Debug)]
pub(super) struct Definitions(pub(super) RingTx<Defined>);

impl Observer for Definitions {
    fn on_event_applied(&mut self, event: &BookEvent, _book: &Book<'_>, _effect: Effect) {
        if event.action == Action::Define {
            self.0
                .send(&[Defined { instrument: event.instrument, symbol: Symbol::from_word(event.order_id) }]);
        }
    }
}

/// A stage that measures its polls per item and shares the time of the poll.
pub(super) struct Timed<S> {
    pub(super) stage: S,
    pub(super) now: PollTime,
    pub(super) clock: stage::LiveClock,
    pub(super) latency: HopHistogram,
    /// What the stage did last, for `status`.
    pub(super) moved: Option<LastMoved>,
}

impl<S: Stage> Stage for Timed<S> {
    fn name(&self) -> &'static str {
        self.stage.name()
    }

    fn poll(&mut self, now: UnixNanos) -> Work {
        use stage::Clock;
        self.now.store(now.0, Ordering::Relaxed);
        let work = self.stage.poll(now);
        if work.items > 0 {
            self.latency.record(Nanos(self.clock.now().since(now).0 / u64::from(work.items)));
        }
        work
    }

    fn housekeep(&mut self, now: UnixNanos) {
        self.stage.housekeep(now);
        self.latency.swap_after(now, INTERVAL);
        if let Some(moved) = &mut self.moved {
            moved.look(now);
        }
    }
}

/// Publishes limits, and says which breakers are to be tripped.
pub(super) struct Publisher {
    pub(super) writer: LimitWriter,
    pub(super) surfaces: Option<SurfaceWriter>,
    pub(super) notes: RingTx<ScorerNote>,
}

impl LimitSink for Publisher {
    fn surface(&mut self, update: &SurfaceUpdate, now: UnixNanos) {
        let SurfaceUpdate { instrument, sizes, lease, version, .. } = update;
        if let Some(surfaces) = &mut self.surfaces {
            // An instrument beyond the table is unknown to the gate: its orders are refused already.
            let _ = surfaces.publish(*instrument, sizes, *lease, *version, now);
        }
    }

    fn limit(&mut self, update: &LimitUpdate, now: UnixNanos) {
        if update.trip {
            let score = f64::from(update.score.micros()) / 1e6;
            self.notes.send(&[ScorerNote::Trip { instrument: update.instrument, score }]);
        }
        // A row beyond the table has no static limits either: its orders are refused already.
        let _ = update.publish(&mut self.writer, now);
    }
}

/// Says which instruments changed their tier.
pub(super) struct Tiers(pub(super) RingTx<ScorerNote>);

impl ScoreObserver for Tiers {
    fn tier_changed(&mut self, instrument: InstrumentId, change: &TierChange, record: Option<&ScoreRecord>) {
        let top3 = record.map_or([u8::MAX; 3], |r| r.top3);
        self.0.send(&[ScorerNote::Tier { instrument, at: change.ts, top3 }]);
    }
}

/// The scorer, which takes the cold thread's commands before it polls.
pub(super) struct CommandedScorer<S> {
    pub(super) scorer: PolledScorer<S, Publisher, Tiers>,
    pub(super) commands: RingRx<ScorerCommand>,
}

impl<S: StagedScorer> Stage for CommandedScorer<S> {
    fn name(&self) -> &'static str {
        "scorer"
    }

    fn poll(&mut self, now: UnixNanos) -> Work {
        let stage = self.scorer.stage_mut();
        self.commands.drain(64, |commands| {
            for command in commands {
                match command {
                    ScorerCommand::Define { instrument, symbol } => _ = stage.define(*instrument, *symbol),
                    ScorerCommand::Envelope { instrument, envelope } => {
                        _ = stage.set_envelope(*instrument, ClassId(0), envelope);
                    }
                    ScorerCommand::Reset { instrument } => _ = stage.reset(*instrument, now),
                }
            }
        });
        self.scorer.poll(now)
    }
}

#[cfg(test)]
mod tests {
    use super::super::health::FeedHealth;
    use super::*;
    use gate::{
        AccountId, Breaker, BreakerCause, BreakerState, BreakerTable, Gate, GateConfig, GateTables,
        OrderIntent, OrderType, Permission, RefTable, RejectReason, StaticTable, StaticTerms, StrategyConfig,
        StrategyId, TimeInForce,
    };
    use types::{BookState, Px, Qty, Side, TradingStatus};

    const fn at(seconds: u64) -> UnixNanos {
        UnixNanos(seconds * Nanos::SECOND.0)
    }

    /// What the live sink makes of a quote of the first second when, at 10 s, events come with a gap open or not: whether
    /// the gate finds it too old at 11 s.
    fn too_old(gap_open: bool, channels: usize) -> bool {
        let (writer, references) = RefTable::create(1).unwrap();
        let (mut statics, static_reader) = StaticTable::create(1, 1).unwrap();
        let (mut breakers, breaker_reader) = BreakerTable::create(1, 1, 1).unwrap();
        breakers.set_unset(Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 });
        let envelope = control::config::load(&[], &[]).unwrap().limits.default;
        let terms = StaticTerms { lot: Qty(1), permission: Permission::Granted, version: 1 };
        statics.publish(InstrumentId(0), ClassId(0), &envelope, &terms, at(1)).unwrap();
        let strategies = [StrategyConfig { class: ClassId(0), order_rate_per_s: 10, order_burst: 10 }];
        let config = GateConfig { strategies: &strategies, ..GateConfig::DEFAULT };
        let tables = GateTables {
            statics: static_reader,
            dynamics: None,
            surfaces: None,
            references,
            breakers: breaker_reader,
        };
        let gate = Gate::new(&config, tables).unwrap();

        let now = PollTime::default();
        let channels = Channels::new(channels, FeedHealth::default());
        let mut sink = References { writer, now: Arc::clone(&now), channels };
        let cents = |n: i64| Px(n * 10_000_000);
        now.store(at(1).0, Ordering::Relaxed);
        let top = TopOfBook {
            bid: cents(10_000),
            bid_qty: 100,
            ask: cents(10_001),
            ask_qty: 100,
            last: Px::NONE,
            tick: Px(10_000_000),
            ts: at(1),
            state: BookState::Live,
            status: TradingStatus::Trading,
        };
        sink.top(InstrumentId(0), &top);
        now.store(at(10).0, Ordering::Relaxed);
        sink.applied(&[BookEvent::EMPTY], gap_open);
        let order = OrderIntent {
            cl_ord_id: 1,
            px: cents(10_000),
            instrument: InstrumentId(0),
            qty: Qty(1),
            strategy: StrategyId(0),
            account: AccountId(0),
            side: Side::Bid,
            order_type: OrderType::Limit,
            tif: TimeInForce::Day,
        };
        let explained = gate.explain(&order, at(11));
        let reasons: Vec<_> = explained.breaches().map(|b| b.reason).collect();
        assert!(reasons.iter().all(|r| *r == RejectReason::RefStale), "{reasons:?}");
        !reasons.is_empty()
    }

    #[test]
    fn a_quote_ages_while_a_gap_is_open_or_a_channel_is_silent() {
        assert!(!too_old(false, 1), "the feed lives and lacks nothing: the unchanged quote is the quote");
        assert!(too_old(true, 1), "what was lost may have changed it");
        assert!(too_old(false, 2), "the other channel was never heard");
    }
}
