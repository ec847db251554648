//! What a feed went through: every count of a replay's summary, and the same counts live.

use types::UnixNanos;
use wire::WireError;

use crate::arbiter::ArbiterStats;

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

/// Counts of one feed. Plain integers of one owner; copy them out to publish them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedStats {
    /// Packets read: frames of a capture, messages of a raw file, rows of a LOBSTER file.
    pub packets: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Datagrams for a group and port of no channel.
    pub other_traffic: u64,
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
    /// Messages with a field whose value the protocol does not have.
    pub bad_fields: u64,
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
    /// Venue time of the first message, 0 before anything came.
    pub first_ts: UnixNanos,
    /// Venue time of the last message.
    pub last_ts: UnixNanos,
    /// Events handed on.
    pub events: u64,
    errors: [ErrorCount; WireError::KINDS.len()],
}

impl Default for FeedStats {
    fn default() -> Self {
        Self {
            packets: 0,
            bytes: 0,
            other_traffic: 0,
            heartbeats: 0,
            messages: 0,
            by_type: [0; 256],
            messages_unknown: 0,
            directory_full: 0,
            bad_fields: 0,
            first_seq: 0,
            last_seq: 0,
            gaps: 0,
            missing: 0,
            duplicates: 0,
            late: 0,
            reordered: 0,
            sessions: 0,
            first_ts: UnixNanos(0),
            last_ts: UnixNanos(0),
            events: 0,
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

    /// Counts one message of `message_type` at venue time `ts`.
    #[inline]
    pub(crate) fn note_message(&mut self, message_type: u8, ts: UnixNanos) {
        if self.first_ts.0 == 0 {
            self.first_ts = ts;
        }
        self.messages += 1;
        self.by_type[usize::from(message_type)] += 1;
        self.last_ts = ts;
    }

    /// Kinds of errors that happened: slug and count.
    pub fn errors(&self) -> impl Iterator<Item = (&'static str, ErrorCount)> + '_ {
        WireError::KINDS.iter().copied().zip(self.errors).filter(|(_, e)| e.count > 0)
    }

    /// Errors of all kinds.
    #[must_use]
    pub fn errors_total(&self) -> u64 {
        self.errors.iter().map(|e| e.count).sum()
    }

    /// Message types that came, by their name in the protocol (one character), and how often.
    pub fn messages_by_type(&self) -> impl Iterator<Item = (char, u64)> + '_ {
        (0_u8..=255).zip(self.by_type).filter(|&(_, n)| n > 0).map(|(byte, n)| (char::from(byte), n))
    }

    /// Whether packets came and not one of them was of the feed: the input carries another protocol.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.packets > 0 && self.sessions == 0 && self.messages == 0
    }

    /// Takes over the counts of the channels' arbitration.
    pub(crate) fn take_sequence<'a>(&mut self, channels: impl Iterator<Item = &'a ArbiterStats>) {
        let zero = ArbiterStats::default();
        let total = channels.fold(zero, |sum, c| ArbiterStats {
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
        assert_eq!(stats.messages_by_type().collect::<Vec<_>>(), [('8', 2), ('A', 1)]);
        assert_eq!((stats.first_ts, stats.last_ts), (UnixNanos(5), UnixNanos(7)));
    }
}
