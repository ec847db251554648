//! What arbitration counts.

use types::UnixNanos;

use super::contract::LINES_MAX;

/// One line's share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineStats {
    /// Packets of the running or an earlier session.
    pub packets: u64,
    /// Messages in them.
    pub messages: u64,
    /// Messages this line was the first to bring.
    pub won: u64,
    /// Messages this line skipped, whether or not another line had them. What it brings later is taken off.
    pub missing: u64,
    /// Damaged packets.
    pub bad: u64,
    /// When it was last heard; the stamp of its last packet.
    pub last_heard: UnixNanos,
}

/// What recovery went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryStats {
    /// Requests sent.
    pub requests: u64,
    /// Requests that no answer came to in time.
    pub unanswered: u64,
    /// Messages delivered that a server brought.
    pub recovered: u64,
    /// Answers that were damaged.
    pub bad_answers: u64,
    /// Answers of another session.
    pub foreign_answers: u64,
    /// Answers with messages that were not missing, or that no line has shown to exist.
    pub unasked_answers: u64,
    /// Holes given up although servers were, or could have been, asked.
    pub failed: u64,
}

impl RecoveryStats {
    /// Takes the counts of another channel in.
    pub(crate) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.unanswered += other.unanswered;
        self.recovered += other.recovered;
        self.bad_answers += other.bad_answers;
        self.foreign_answers += other.foreign_answers;
        self.unasked_answers += other.unasked_answers;
        self.failed += other.failed;
    }

    /// Answers that were not believed.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.bad_answers + self.foreign_answers + self.unasked_answers
    }
}

/// What an [`Arbiter`](super::Arbiter) went through, all sessions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArbiterStats {
    /// Messages delivered.
    pub delivered: u64,
    /// Holes given up.
    pub gaps: u64,
    /// Messages in them.
    pub missing: u64,
    /// Messages that came again after they were delivered.
    pub duplicates: u64,
    /// Messages that came after they were given up; each copy counts.
    pub late: u64,
    /// Packets that had to wait for earlier ones.
    pub reordered: u64,
    /// Packets of claims that held for which there was no room while they were doubted.
    pub unkept: u64,
    /// Packets that said something else than what was delivered under the same numbers.
    pub contradicted: u64,
    /// Packets of a session that had been left.
    pub stale: u64,
    /// Packets with a sequence number that no session reaches.
    pub implausible: u64,
    /// Packets of sessions that nothing confirmed.
    pub stray_sessions: u64,
    /// Packets far ahead of the sequence, which went on without them.
    pub stray_jumps: u64,
    /// Packets far behind their own line, which went on without them.
    pub stray_restarts: u64,
    /// Ends of the session after which it went on.
    pub stray_ends: u64,
    /// Times a sequence began again within its session.
    pub restarts: u64,
    /// Sessions seen.
    pub sessions: u64,
    /// First sequence number of the first session, 0 before anything came.
    pub first_seq: u64,
    /// Last sequence number delivered or given up.
    pub last_seq: u64,
    /// What was asked for again, and what came of it.
    pub recovery: RecoveryStats,
    /// By line.
    pub lines: [LineStats; LINES_MAX],
}
