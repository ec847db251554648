//! What the stages of the line show of themselves, for `status`.

use super::feed_state::{Counted, dead_since, ends, feed_state, value};
use super::port::PortView;
use crate::line::health::{FeedHealth, Moment};
use control::protocol::{FeedStatus, LineStatus, RecoveryStatus};
use control::stamp::Stamp;
use dataplane::{LineCounts, LineReader};
use stage::CounterReader;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use types::{Nanos, UnixNanos};

/// What a receiver dropped, by cause.
fn dropped_by_cause(counters: &CounterReader) -> BTreeMap<String, u64> {
    let causes = counters.iter().filter_map(|(name, count)| Some((name.strip_prefix("dropped_")?, count)));
    causes.filter(|(_, count)| *count > 0).map(|(cause, count)| (cause.to_owned(), count)).collect()
}

/// One feed as its stages show it.
pub(super) struct FeedView {
    pub(super) name: String,
    pub(super) counters: CounterReader,
    /// What each of its lines brought.
    pub(super) lines: Vec<LineReader>,
    /// When its stages began: a start may take longer than a feed may be silent.
    pub(super) started: Moment,
    pub(super) ended: AtomicBool,
    /// When the last message came.
    pub(super) last: Moment,
    pub(super) health: FeedHealth,
    /// Silence after which it is stale.
    pub(super) stale_after: Nanos,
    /// There are servers to ask again.
    pub(super) recovers: bool,
    /// Numbers of its instruments.
    pub(super) instruments: Range<u32>,
    /// The port that it comes through.
    pub(super) port: Option<PortView>,
}

impl FeedView {
    /// All of it, at `now`.
    pub(super) fn status(&self, now: UnixNanos) -> FeedStatus {
        let value = |name| value(&self.counters, name);
        let [(ends, ended_channel), (ends_taken_back, resumed_channel)] = ends(&self.counters);
        let counted = Counted {
            ended: self.ended.load(Ordering::Relaxed),
            messages: value("messages"),
            recovering: value("recovering") > 0,
            late: value("late_channels") > 0,
        };
        let state = feed_state(counted, &self.health, (self.started.get(), self.stale_after), now);
        FeedStatus {
            name: self.name.clone(),
            state: state.to_owned(),
            messages: counted.messages,
            gaps: value("gaps"),
            missing: value("missing"),
            last: self.last.stamp(),
            late: value("late"),
            errors: value("errors"),
            dropped: value("dropped"),
            dropped_by_cause: dropped_by_cause(&self.counters),
            restarts: value("restarts"),
            ends,
            ended_channel,
            ends_taken_back,
            resumed_channel,
            redefined_locates: value("redefined_locates"),
            outliers: value("outliers"),
            late_channels: value("late_channels"),
            lag_ms: value("lag_ns") / Nanos::MILLI.0,
            lost_events: value("lost_events"),
            lost_definitions: value("lost_definitions"),
            heartbeats: value("heartbeats"),
            instruments_beyond: value("instruments_beyond"),
            recovery: self.recovery(),
            port: self.port.as_ref().map(|port| port.status(now)),
            lines: self.lines(now),
        }
    }

    /// What its servers were asked, where it has some.
    fn recovery(&self) -> Option<RecoveryStatus> {
        let value = |name| value(&self.counters, name);
        self.recovers.then(|| RecoveryStatus {
            requests: value("requests"),
            unanswered: value("unanswered"),
            recovered: value("recovered"),
            refused: value("refused_answers"),
            failed: value("not_recovered"),
        })
    }

    /// Its lines at `now`.
    fn lines(&self, now: UnixNanos) -> Vec<LineStatus> {
        let ended = self.ended.load(Ordering::Relaxed);
        let status = |counts: LineCounts| LineStatus {
            channel: counts.channel,
            line: char::from(b'A'.saturating_add(counts.line)),
            group: counts.group.to_string(),
            packets: counts.packets,
            messages: counts.messages,
            missing: counts.missing,
            late: counts.late,
            damaged: counts.bad,
            last: Some(counts.heard).filter(|at| at.0 > 0).map(Stamp),
            dead_since: dead_since(ended, counts.heard.max(self.started.get()), self.stale_after, now)
                .map(Stamp),
        };
        self.lines.iter().filter_map(LineReader::read).map(status).collect()
    }
}

/// The scorer as its stage shows it.
pub(super) struct ScorerView {
    pub(super) name: &'static str,
    pub(super) counters: CounterReader,
    /// When the last score was made.
    pub(super) last: Moment,
}
