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
    /// Messages this line skipped, whether or not another line had them.
    pub missing: u64,
    /// Damaged packets.
    pub bad: u64,
    /// When it was last heard; the stamp of its last packet.
    pub last_heard: UnixNanos,
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
    /// By line.
    pub lines: [LineStats; LINES_MAX],
}
