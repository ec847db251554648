//! What a feed went through: every count of a replay's summary, and the same counts live.

use std::net::SocketAddrV4;

use types::UnixNanos;
use wire::WireError;

use crate::arbiter::{ArbiterStats, LineStats, RecoveryStats};
use crate::event_time::EventTime;
use crate::source::SourceNotes;

/// How often one kind of error happened, and where first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorCount {
    /// How often.
    pub count: u64,
    /// Offset of the first one in its file; in its packet on a live port.
    pub first_offset: u64,
    /// The first one.
    pub first: Option<WireError>,
}

/// Packets that were not believed, or came too late to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Of sessions that nothing confirmed.
    pub stray_sessions: u64,
    /// Far ahead of the sequence, which went on without them.
    pub stray_jumps: u64,
    /// Far behind their own line, which went on without them.
    pub stray_restarts: u64,
    /// Ends of the session after which it went on.
    pub stray_ends: u64,
    /// Of claims that held, without room while they were doubted.
    pub unkept: u64,
    /// Said something else than what was delivered under the same numbers; the books are doubted.
    pub contradicted: u64,
    /// Of a session that had been left.
    pub stale: u64,
    /// With a sequence number that no session reaches.
    pub implausible: u64,
}

impl Dropped {
    /// Each cause and its count.
    fn by_cause(&self) -> [(&'static str, u64); UNBELIEVED_CAUSES] {
        [
            ("stray_sessions", self.stray_sessions),
            ("stray_jumps", self.stray_jumps),
            ("stray_restarts", self.stray_restarts),
            ("stray_ends", self.stray_ends),
            ("unkept_packets", self.unkept),
            ("contradictions", self.contradicted),
            ("stale_sessions", self.stale),
            ("implausible_sequences", self.implausible),
        ]
    }
}

/// Causes for which packets are not believed.
const UNBELIEVED_CAUSES: usize = 8;
/// Causes for which packets and messages are dropped.
pub(crate) const DROP_CAUSES: usize = UNBELIEVED_CAUSES + 6;

/// A group whose packets may be of the feed, and are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The group and port.
    pub group: SocketAddrV4,
    /// How many packets.
    pub packets: u64,
}

/// What one line brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineReport {
    /// Its channel.
    pub channel: u8,
    /// Its number in the channel, A first.
    pub line: u8,
    /// Its group and port.
    pub group: SocketAddrV4,
    /// The counts.
    pub stats: LineStats,
}

/// Counts of one feed. Plain integers of one owner; copy them out to publish them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedStats {
    /// Packets read: frames of a capture, messages of a raw file, rows of a LOBSTER file.
    pub packets: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Frames that are no UDP over IPv4, and datagrams for a group and port of no channel, or of no feed that we know.
    pub other_traffic: u64,
    /// The first of them that is not of the feed's protocol: why, and where.
    pub first_foreign: Option<(u64, WireError)>,
    /// Heartbeats that said nothing new.
    pub heartbeats: u64,
    /// Messages delivered in sequence.
    pub messages: u64,
    /// The same by type byte.
    pub by_type: [u64; 256],
    /// Those among them whose type the protocol does not have.
    pub messages_unknown: u64,
    /// Messages dropped because the directory of instruments is full.
    pub directory_full: u64,
    /// Instruments that were named and found no room in it, as far as they can be told apart.
    pub instruments_beyond: u64,
    /// Messages with a field whose value the protocol does not have.
    pub bad_fields: u64,
    /// Messages that name another stock than their locate number stands for; dropped, and both books doubted.
    pub foreign_stocks: u64,
    /// Locate numbers given to another stock within a session; both books are doubted.
    pub redefined_locates: u64,
    /// First sequence number, 0 before anything came.
    pub first_seq: u64,
    /// Last sequence number delivered or given up.
    pub last_seq: u64,
    /// Holes in the sequence.
    pub gaps: u64,
    /// Messages in them.
    pub missing: u64,
    /// Messages that came again.
    pub duplicates: u64,
    /// Messages that came after they were given up.
    pub late: u64,
    /// Packets that waited for earlier ones.
    pub reordered: u64,
    /// Sessions seen.
    pub sessions: u64,
    /// Events handed on.
    pub events: u64,
    /// What the source left out.
    pub source: SourceNotes,
    /// Packets dropped, by cause. Messages that came late or twice, and damage, have counters of their own.
    pub dropped: Dropped,
    /// Times a sequence began again within its session.
    pub restarts: u64,
    /// Times the session of a channel was believed to be over.
    pub ends: u64,
    /// Of which channel last.
    pub ended_channel: u8,
    /// Times that was taken back, since the session went on.
    pub ends_taken_back: u64,
    /// Of which channel last.
    pub resumed_channel: u8,
    /// Packets with a checksum that does not add up. They are read only where a capture's line never had right ones.
    pub bad_checksums: u64,
    /// Those of them that were not read.
    pub condemned: u64,
    /// Packets whose capture stamp was far from those around it.
    pub stamp_outliers: u64,
    /// Times a channel became late by its own stamps.
    pub late_spells: u64,
    /// How far a packet was behind at most that was further behind than a channel may be.
    pub longest_lag_ns: u64,
    /// Levels of a LOBSTER book that came into view at the deepest level shown when a level of their side went.
    pub uncovered_levels: u64,
    /// Other differences to the LOBSTER order book file: a row is missing.
    pub corrected_levels: u64,
    /// Messages of LOBSTER and PITCH about orders that were never announced.
    pub unannounced_orders: u64,
    /// Orders that found no room where the decoder keeps which instrument each is of; their books are doubted.
    pub orders_beyond: u64,
    /// Updates of levels that are implied from other instruments, which no book shows.
    pub implied_levels: u64,
    /// What servers were asked for again, and what came of it.
    pub recovery: RecoveryStats,
    /// What each line brought.
    pub lines: Vec<LineReport>,
    /// Where groups are learnt: those that were not, although their packets may be of the feed.
    pub left_out: Vec<LeftOut>,
    /// Venue times, held against arrival.
    pub(crate) event_time: EventTime,
    errors: [ErrorCount; WireError::KINDS.len()],
}

impl Default for FeedStats {
    fn default() -> Self {
        Self {
            packets: 0,
            bytes: 0,
            other_traffic: 0,
            first_foreign: None,
            heartbeats: 0,
            messages: 0,
            by_type: [0; 256],
            messages_unknown: 0,
            directory_full: 0,
            instruments_beyond: 0,
            bad_fields: 0,
            foreign_stocks: 0,
            redefined_locates: 0,
            first_seq: 0,
            last_seq: 0,
            gaps: 0,
            missing: 0,
            duplicates: 0,
            late: 0,
            reordered: 0,
            sessions: 0,
            events: 0,
            source: SourceNotes::default(),
            dropped: Dropped::default(),
            restarts: 0,
            ends: 0,
            ended_channel: 0,
            ends_taken_back: 0,
            resumed_channel: 0,
            bad_checksums: 0,
            condemned: 0,
            stamp_outliers: 0,
            late_spells: 0,
            longest_lag_ns: 0,
            uncovered_levels: 0,
            corrected_levels: 0,
            unannounced_orders: 0,
            orders_beyond: 0,
            implied_levels: 0,
            recovery: RecoveryStats::default(),
            lines: Vec::new(),
            left_out: Vec::new(),
            event_time: EventTime::default(),
            errors: [ErrorCount::default(); WireError::KINDS.len()],
        }
    }
}

impl FeedStats {
    /// Counts `error`, which lies `base` bytes into the file.
    #[cold]
    pub fn note_error(&mut self, error: WireError, base: u64) {
        let slot = &mut self.errors[error.kind_index()];
        if slot.count == 0 {
            slot.first_offset = base.saturating_add(error.offset());
            slot.first = Some(error);
        }
        slot.count += 1;
    }

    /// Counts a frame that is none of the feed's: of another protocol, or for another group that cannot be read. `error` says
    /// why it is one, at `base` bytes into the file.
    #[cold]
    pub(crate) fn note_foreign(&mut self, error: WireError, base: u64) {
        self.other_traffic += 1;
        self.first_foreign.get_or_insert((base.saturating_add(error.offset()), error));
    }

    /// Counts one message of `message_type` that says it happened at `ts`, and gives the time to believe.
    #[inline]
    pub(crate) fn note_message(&mut self, message_type: u8, ts: UnixNanos) -> UnixNanos {
        self.count_message(message_type);
        self.event_time.believe(ts)
    }

    /// Counts one message of `message_type` at `ts` where that is believed at once; else false, and nothing is counted.
    #[inline(always)]
    pub(crate) fn note_plain(&mut self, message_type: u8, ts: UnixNanos) -> bool {
        let believed = self.event_time.believe_plain(ts);
        if believed {
            self.count_message(message_type);
        }
        believed
    }

    /// Counts one message of `message_type` whose time nobody knows: it happened at the time of the one before.
    #[cold]
    pub(crate) fn note_timeless(&mut self, message_type: u8) {
        self.count_message(message_type);
    }

    /// Wrapping: no feed sends 2^64 messages, and a check of it costs each of them eight instructions.
    #[inline(always)]
    fn count_message(&mut self, message_type: u8) {
        self.messages = self.messages.wrapping_add(1);
        let of_type = &mut self.by_type[usize::from(message_type)];
        *of_type = of_type.wrapping_add(1);
    }

    /// Venue time of the first message, 0 before anything came.
    #[must_use]
    pub const fn first_ts(&self) -> UnixNanos {
        self.event_time.first()
    }

    /// Venue time of the last message.
    #[must_use]
    pub const fn last_ts(&self) -> UnixNanos {
        self.event_time.last()
    }

    /// Venue times that were too far from their arrival to be followed.
    #[must_use]
    pub fn event_time_outliers(&self) -> u64 {
        self.event_time.outliers()
    }

    /// Kinds of errors that happened: slug and count.
    pub fn errors(&self) -> impl Iterator<Item = (&'static str, ErrorCount)> + '_ {
        WireError::KINDS.iter().copied().zip(self.errors).filter(|(_, e)| e.count > 0)
    }

    /// Every cause for which packets and messages were dropped, and how many. Damage has counts of its own
    /// ([`FeedStats::errors`]).
    #[must_use]
    pub fn dropped_by_cause(&self) -> [(&'static str, u64); DROP_CAUSES] {
        let mut causes = [("", 0); DROP_CAUSES];
        let (unbelieved, others) = causes.split_at_mut(UNBELIEVED_CAUSES);
        unbelieved.copy_from_slice(&self.dropped.by_cause());
        others.copy_from_slice(&[
            ("bad_checksums", self.condemned),
            ("chained_packets", self.source.chained_packets),
            ("bad_fields", self.bad_fields),
            ("foreign_stocks", self.foreign_stocks),
            ("orders_beyond", self.orders_beyond),
            ("directory_full", self.directory_full),
        ]);
        causes
    }

    /// Errors of all kinds.
    #[must_use]
    pub fn errors_total(&self) -> u64 {
        self.errors.iter().map(|e| e.count).sum()
    }

    /// Whether packets came and not one of them was of the feed: the input carries another protocol.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.packets > 0 && self.sessions == 0 && self.messages == 0
    }

    /// Takes over the counts of the channels' arbitration.
    pub(crate) fn take_sequence<'a>(&mut self, channels: impl Iterator<Item = &'a ArbiterStats>) {
        let zero = ArbiterStats::default();
        self.dropped = Dropped::default();
        self.restarts = 0;
        self.recovery = RecoveryStats::default();
        let mut dropped = |c: &ArbiterStats| {
            self.dropped.stray_sessions += c.stray_sessions;
            self.dropped.stray_jumps += c.stray_jumps;
            self.dropped.stray_restarts += c.stray_restarts;
            self.dropped.stray_ends += c.stray_ends;
            self.dropped.unkept += c.unkept;
            self.dropped.contradicted += c.contradicted;
            self.dropped.stale += c.stale;
            self.dropped.implausible += c.implausible;
            self.restarts += c.restarts;
            self.recovery.add(&c.recovery);
        };
        let total = channels.inspect(|c| dropped(c)).fold(zero, |sum, c| ArbiterStats {
            gaps: sum.gaps + c.gaps,
            missing: sum.missing + c.missing,
            duplicates: sum.duplicates + c.duplicates,
            late: sum.late + c.late,
            reordered: sum.reordered + c.reordered,
            sessions: sum.sessions + c.sessions,
            first_seq: if sum.sessions == 0 { c.first_seq } else { sum.first_seq },
            last_seq: sum.last_seq.max(c.last_seq),
            ..sum
        });
        self.gaps = total.gaps;
        self.missing = total.missing;
        self.duplicates = total.duplicates;
        self.late = total.late;
        self.reordered = total.reordered;
        self.sessions = total.sessions;
        self.first_seq = total.first_seq;
        self.last_seq = total.last_seq;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_of_a_kind_keeps_its_place() {
        let mut stats = FeedStats::default();
        stats.note_error(WireError::ZeroLength { offset: 20 }, 1_000);
        stats.note_error(WireError::ZeroLength { offset: 99 }, 5_000);
        let seen: Vec<_> = stats.errors().map(|(slug, e)| (slug, e.count, e.first_offset)).collect();
        assert_eq!(seen, [("zero_length", 2, 1_020)]);
        assert_eq!(stats.errors_total(), 2);
    }

    #[test]
    fn types_are_named_by_their_character() {
        let mut stats = FeedStats::default();
        stats.note_message(b'8', UnixNanos(5));
        stats.note_message(b'A', UnixNanos(6));
        stats.note_message(b'8', UnixNanos(7));
        assert_eq!([b'8', b'A', b'B'].map(|name| stats.by_type[usize::from(name)]), [2, 1, 0]);
        assert_eq!((stats.first_ts(), stats.last_ts()), (UnixNanos(5), UnixNanos(7)));
    }
}
