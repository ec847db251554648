//! What the stages of the line show of themselves, for `status`.

use super::feed_state::dead_since;
use super::port::PortView;
use crate::line::health::{FeedHealth, Moment};
use control::protocol::{LineStatus, RecoveryStatus};
use control::stamp::Stamp;
use dataplane::{LineCounts, LineReader};
use stage::CounterReader;
use std::sync::atomic::{AtomicBool, Ordering};
use types::{Nanos, UnixNanos};

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
    /// The port that it comes through.
    pub(super) port: Option<PortView>,
}

impl FeedView {
    /// What its servers were asked, where it has some.
    pub(super) fn recovery(&self) -> Option<RecoveryStatus> {
        let value = |name| self.counters.iter().find(|(n, _)| *n == name).map_or(0, |(_, v)| v);
        self.recovers.then(|| RecoveryStatus {
            requests: value("requests"),
            unanswered: value("unanswered"),
            recovered: value("recovered"),
            refused: value("refused_answers"),
            failed: value("not_recovered"),
        })
    }

    /// Its lines at `now`.
    pub(super) fn lines(&self, now: UnixNanos) -> Vec<LineStatus> {
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
