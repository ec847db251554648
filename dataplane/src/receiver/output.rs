//! The two ways events leave a receiver: live, where a full ring costs events, and replay, where it costs time.

use stage::{GapStats, GapTx, LosslessTx};
use types::BookEvent;

/// Where a receiver's events go.
#[derive(Debug)]
pub enum EventTx {
    /// Never waits: what finds no room is dropped, and a gap event says so.
    Live(GapTx),
    /// Never drops: what finds no room is offered again at the next poll, and no packet is read until all is gone.
    Replay(LosslessTx<BookEvent>),
}

impl EventTx {
    /// Whether events may be dropped.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Live(_))
    }

    /// Hands over `events` and returns how many the caller is rid of: all of them when live.
    #[inline]
    pub(crate) fn push(&mut self, events: &[BookEvent]) -> usize {
        match self {
            Self::Live(tx) => {
                tx.send(events);
                events.len()
            }
            Self::Replay(tx) => tx.offer(events),
        }
    }

    /// Announces losses that wait for room.
    pub(crate) fn flush_gaps(&mut self) {
        if let Self::Live(tx) = self
            && tx.has_pending()
        {
            tx.flush();
        }
    }

    /// What a full ring cost so far; nothing in a replay.
    pub(crate) fn gap_stats(&self) -> GapStats {
        match self {
            Self::Live(tx) => tx.stats(),
            Self::Replay(_) => GapStats::default(),
        }
    }
}
