//! What the live stages hand out: quotes and limits straight into the gate's tables, everything else over rings to the
//! cold thread.

use featurizer::{Book, Effect, Observer, TopOfBook, TopOfBookSink};
use gate::{ClassId, Envelope, LimitWriter, RefWriter};
use gpu::{LimitSink, LimitUpdate, PolledScorer, ScoreObserver, ScoreRecord, Scorer, TierChange};
use stage::{HopHistogram, RingRx, RingTx, Stage, Work};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use types::{Action, BookEvent, InstrumentId, Nanos, Px, Symbol, UnixNanos};

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
#[derive(Debug)]
pub(super) struct References {
    pub(super) writer: RefWriter,
    pub(super) now: PollTime,
}

impl TopOfBookSink for References {
    fn top(&mut self, top: &TopOfBook) {
        let TopOfBook { instrument, bid, ask, last, tick, state, status, .. } = *top;
        let ts = UnixNanos(self.now.load(Ordering::Relaxed));
        let tick = if tick.is_some() { tick } else { Px(0) };
        let top = gate::TopOfBook {
            bid: bid.px,
            bid_qty: bid.qty,
            ask: ask.px,
            ask_qty: ask.qty,
            last,
            tick,
            ts,
            state,
            status,
        };
        // An instrument beyond the table has no reference, and so no order of it passes.
        let _ = self.writer.publish(instrument, &top);
        self.writer.heartbeat(ts);
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
    }
}

/// Publishes limits, and says which breakers are to be tripped.
pub(super) struct Publisher {
    pub(super) writer: LimitWriter,
    pub(super) notes: RingTx<ScorerNote>,
}

impl LimitSink for Publisher {
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

impl<S: Scorer> Stage for CommandedScorer<S> {
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
