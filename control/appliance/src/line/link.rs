//! Every ring between two stages: how deep, of what, and what happens when it is full.

use super::explain::{Answer, Question};
use super::notes::{BookNote, Defined, ModelNote, ScorerCommand, ScorerNote, VerdictRecord};
use super::spec::Pace;
use crate::igmp_frame::IgmpFrame;
use attach::record::RECORD_BYTES;
use control::config::Plan;
use control::protocol::RingStatus;
use dataplane::arbiter::REQUESTS_MAX;
use dataplane::decode::CHANNELS_MAX;
use dataplane::recovery::{Answer as ServerAnswer, Ask};
use gpu::ScoreRecord;
use stage::{Interval, RingCounters};
use types::{BookEvent, FeatureVector};

/// Depth of the rings that carry words rather than events.
const WORDS_DEPTH: usize = 1 << 15;

/// Questions to a desk, and answers, that may wait. One is asked at a time.
const QUESTIONS_DEPTH: usize = 4;

/// Changes of a card's standing that wait to be told: each takes seconds to come about.
const CARD_CHANGES_DEPTH: usize = 64;

/// IGMP frames that wait for housekeeping, which comes every 100 µs. A switch sends a few a minute.
const IGMP_FRAMES_DEPTH: usize = 16;

/// Requests to recovery servers that wait for their socket: all that every channel may have under way.
const ASKS_DEPTH: usize = CHANNELS_MAX * REQUESTS_MAX;

/// Answers of recovery servers that wait for the receiver.
const ANSWERS_DEPTH: usize = 1_024;

/// Intervals of a hop's histogram that wait for the cold thread, and as many empty ones that wait for the stage.
const INTERVALS_DEPTH: usize = 2;

/// What happens to an item that finds its ring full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// Dropped and counted; the books it belongs to go stale.
    MarkGap,
    /// Stays where it is, and a newer one may take its place.
    StayDirty,
    /// The stage goes no further until there is room.
    Wait,
    /// Dropped and counted.
    Drop,
    /// Dropped and counted; it is asked for again.
    AskAgain,
    /// The sender is told.
    Refuse,
    /// Dropped and counted; what its sender holds is in doubt until a person has said what it is.
    Doubt,
    /// It grows where it is until there is room, and nothing is lost.
    GoOn,
}

impl WhenFull {
    /// For the boot report and for `status`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::MarkGap => "drop, count, mark a gap",
            Self::StayDirty => "stay dirty: later, not lost",
            Self::Wait => "wait",
            Self::Drop => "drop and count: orders never wait",
            Self::AskAgain => "drop, ask again",
            Self::Refuse => "refuse",
            Self::Doubt => "drop, count, doubt the positions",
            Self::GoOn => "go on: later, not lost",
        }
    }
}

/// One ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) depth: usize,
    pub(crate) item_bytes: usize,
    pub(crate) when_full: WhenFull,
}

/// A ring of a live line, for who asks how full it is.
pub(crate) struct RingView {
    name: String,
    when_full: WhenFull,
    counters: RingCounters,
}

impl Link {
    /// The ring that was made of it, by the name of what it carries.
    pub(crate) fn shown(&self, name: impl Into<String>, counters: RingCounters) -> RingView {
        RingView { name: name.into(), when_full: self.when_full, counters }
    }
}

impl RingView {
    /// What it has carried.
    pub(crate) fn status(&self) -> RingStatus {
        let Self { name, when_full, counters } = self;
        RingStatus {
            ring: name.clone(),
            depth: counters.depth() as u64,
            waiting: counters.waiting(),
            high_water: counters.high_water(),
            carried: counters.pushed(),
            full: counters.full(),
            lost: counters.dropped(),
            when_full: when_full.as_str().to_owned(),
        }
    }
}

/// Every ring of the line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    /// Events, receiver to featurizer; one ring for each feed.
    pub(crate) events: Link,
    /// Vectors, featurizer to scorer.
    pub(crate) vectors: Link,
    /// Names of instruments, featurizer to scorer and, live, to the desk; one ring each.
    pub(crate) names: Link,
    /// Names of instruments, featurizer to the cold thread.
    pub(crate) definitions: Link,
    /// Envelopes and resets, cold thread to scorer.
    pub(crate) commands: Link,
    /// Trips and changes of tier, scorer to the cold thread; one ring each.
    pub(crate) scorer_notes: Link,
    /// What the books say, featurizer to a desk of simulated time.
    pub(crate) book_notes: Link,
    /// What the model says, scorer to a desk of simulated time.
    pub(crate) model_notes: Link,
    /// Scores, scorer to who follows the line.
    pub(crate) scores: Link,
    /// Vectors, featurizer to a judge of the model.
    pub(crate) judged_vectors: Link,
    /// Verdicts, desk to the log; one ring for each of its gates that somebody trades through.
    pub(crate) verdicts: Link,
    /// The same of an order thread of its own, with all else that it does, to the appliance that follows it: a ring in shared memory.
    pub(crate) order_records: Link,
    /// Intervals of one hop's histogram, stage to the cold thread.
    pub(crate) histograms: Link,
    /// Questions, control to the desk.
    pub(crate) questions: Link,
    /// Its answers.
    pub(crate) answers: Link,
    /// Changes of a card's standing, scorer to the cold thread.
    pub(crate) card_changes: Link,
    /// IGMP frames, receiver to its own housekeeping.
    pub(crate) igmp: Link,
    /// Requests, receiver to the sockets of the recovery servers; no room without servers.
    pub(crate) asks: Link,
    /// What the servers sent.
    pub(crate) server_answers: Link,
}

impl Links {
    /// The rings of a line at `pace`.
    pub(crate) fn of(plan: &Plan, pace: Pace) -> Self {
        let live = pace == Pace::Live;
        const fn link<T>(depth: usize, when_full: WhenFull) -> Link {
            Link { depth, item_bytes: size_of::<T>(), when_full }
        }
        let of_pace = |at_live, simulated| if live { at_live } else { simulated };
        let (words, depths) = (WORDS_DEPTH, &plan.link);
        let records = plan.orders.ring_records as usize;
        let recovers = live && plan.feeds.iter().any(|feed| !feed.recovery.is_empty());
        let vectors = of_pace(WhenFull::StayDirty, WhenFull::Wait);
        Self {
            events: link::<BookEvent>(
                depths.receiver_featurizer_events as usize,
                of_pace(WhenFull::MarkGap, WhenFull::Wait),
            ),
            vectors: link::<FeatureVector>(depths.featurizer_scorer_vectors as usize, vectors),
            names: link::<Defined>(words, WhenFull::Wait),
            definitions: link::<Defined>(words, WhenFull::Drop),
            commands: link::<ScorerCommand>(words, WhenFull::Refuse),
            scorer_notes: link::<ScorerNote>(words, of_pace(WhenFull::Drop, WhenFull::Wait)),
            book_notes: link::<BookNote>(words, WhenFull::Wait),
            model_notes: link::<ModelNote>(words, WhenFull::Wait),
            scores: link::<ScoreRecord>(words, WhenFull::Wait),
            judged_vectors: link::<FeatureVector>(words, WhenFull::Wait),
            verdicts: link::<VerdictRecord>(records, of_pace(WhenFull::Drop, WhenFull::Wait)),
            order_records: Link { depth: records, item_bytes: RECORD_BYTES, when_full: WhenFull::Doubt },
            histograms: link::<Interval>(INTERVALS_DEPTH, WhenFull::GoOn),
            questions: link::<Question>(QUESTIONS_DEPTH, WhenFull::Refuse),
            answers: link::<Answer>(QUESTIONS_DEPTH, WhenFull::Refuse),
            card_changes: link::<gpu::CardChange>(CARD_CHANGES_DEPTH, WhenFull::Drop),
            igmp: link::<IgmpFrame>(IGMP_FRAMES_DEPTH, WhenFull::Drop),
            asks: link::<Ask>(if recovers { ASKS_DEPTH } else { 0 }, WhenFull::AskAgain),
            server_answers: link::<ServerAnswer>(
                if recovers { ANSWERS_DEPTH } else { 0 },
                WhenFull::AskAgain,
            ),
        }
    }

    /// Bytes of the rings of a live line with `feeds` receivers, of which `recovering` ask servers.
    pub(crate) fn live_bytes(&self, feeds: usize, recovering: usize) -> usize {
        let Self { events, vectors, names, definitions, commands, scorer_notes, .. } = self;
        let Self { questions, answers, card_changes, igmp, asks, server_answers, .. } = self;
        let of = |link: &Link| link.depth * link.item_bytes;
        let of_feeds = feeds.saturating_sub(1) * (of(events) + of(igmp))
            + recovering.saturating_sub(1) * (of(asks) + of(server_answers));
        let line = [events, vectors, names, names, definitions, commands, scorer_notes, scorer_notes];
        line.into_iter()
            .chain([questions, answers, card_changes, igmp, asks, server_answers])
            .map(of)
            .sum::<usize>()
            + of_feeds
    }
}
