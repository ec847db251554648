//! Feeds and their lines in the answer to `status`.

use crate::stamp::Stamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedStatus {
    /// Name from the configuration.
    pub name: String,
    /// `live`, `silent`, `recovering`, `stale`, `late` or `ended`.
    pub state: String,
    /// Messages received.
    pub messages: u64,
    /// Gaps in the sequence.
    pub gaps: u64,
    /// Messages lost in them.
    pub missing: u64,
    /// Newest message.
    pub last: Option<Stamp>,
    /// Messages that came after they were given up.
    #[serde(default)]
    pub late: u64,
    /// Damaged packets and messages.
    #[serde(default)]
    pub errors: u64,
    /// Packets and messages that were not believed, or found no room: condemned by their own checksums, of other sessions, far out
    /// of sequence, with a field that no value of the protocol fits.
    #[serde(default)]
    pub dropped: u64,
    /// The same by cause; causes that did not occur are left out.
    #[serde(default)]
    pub dropped_by_cause: BTreeMap<String, u64>,
    /// Times a sequence began again within its session: the books are those of what came after.
    #[serde(default)]
    pub restarts: u64,
    /// Times the session of a channel was believed to be over: its instruments are closed.
    #[serde(default)]
    pub ends: u64,
    /// Of which channel last; none before the first.
    #[serde(default)]
    pub ended_channel: Option<u8>,
    /// Times that was taken back, since the session went on: the instruments are what they were beside it.
    #[serde(default)]
    pub ends_taken_back: u64,
    /// Of which channel last; none before the first.
    #[serde(default)]
    pub resumed_channel: Option<u8>,
    /// Locate numbers given to another stock within a session: both books are doubted.
    #[serde(default)]
    pub redefined_locates: u64,
    /// Times that were too far from those around them to be followed.
    #[serde(default)]
    pub outliers: u64,
    /// Channels that are late by their own stamps: their books are stale until they have caught up.
    #[serde(default)]
    pub late_channels: u64,
    /// Milliseconds that the last packet of the channel that lags most was behind the nearest that venue time and arrival came.
    #[serde(default)]
    pub lag_ms: u64,
    /// Events that found the ring to the books full.
    #[serde(default)]
    pub lost_events: u64,
    /// Those of them that named an instrument: nobody knows its number, and its orders are refused.
    #[serde(default)]
    pub lost_definitions: u64,
    /// Heartbeats that said nothing new.
    #[serde(default)]
    pub heartbeats: u64,
    /// Instruments that the feed named and the tables had no room for.
    #[serde(default)]
    pub instruments_beyond: u64,
    /// What servers were asked for again; none where no server is configured.
    #[serde(default)]
    pub recovery: Option<RecoveryStatus>,
    /// The port that it comes through; none where it comes from a file.
    #[serde(default)]
    pub port: Option<PortStatus>,
    /// Its lines, channel by channel, A first; those that are learnt from the traffic from when they are heard.
    #[serde(default)]
    pub lines: Vec<LineStatus>,
}

impl FeedStatus {
    /// How late it is, as part of a sentence behind a comma; empty where no channel is.
    #[must_use]
    pub fn lag_words(&self) -> String {
        let (seconds, tenths) = (self.lag_ms / 1_000, self.lag_ms / 100 % 10);
        match self.late_channels {
            0 => String::new(),
            1 => format!(", {seconds}.{tenths} s behind by its own stamps"),
            channels => {
                format!(", {channels} channels up to {seconds}.{tenths} s behind by their own stamps")
            }
        }
    }

    /// What was dropped, by cause, in brackets behind a space, with each count as `number` writes it; empty where nothing was.
    #[must_use]
    pub fn dropped_causes(&self, number: impl Fn(u64) -> String) -> String {
        let cause =
            |(cause, count): (&String, &u64)| format!("{} {}", number(*count), cause.replace('_', " "));
        let causes: Vec<_> = self.dropped_by_cause.iter().map(cause).collect();
        if causes.is_empty() { String::new() } else { format!(" ({})", causes.join(", ")) }
    }
}

/// A port: what it counts itself and how its link is, read once a second at most. A kernel interface loses packets without counting; the
/// sequence numbers of the feed are the truth about loss.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortStatus {
    /// Its name: a PCI address or a virtual device.
    pub device: String,
    /// Whether there is a link; none where the driver does not say.
    pub link_up: Option<bool>,
    /// The link's speed in Mbit/s, where it is known.
    pub speed_mbps: Option<u32>,
    /// Whether the link goes in both directions at once.
    pub full_duplex: bool,
    /// Packets received.
    pub packets: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Packets that it dropped because its queue was full.
    pub missed: u64,
    /// Packets received in error.
    pub errors: u64,
    /// Times there was no buffer for a packet.
    pub no_buffer: u64,
    /// Packets sent: the port's own IGMP.
    pub sent: u64,
    /// Packets that could not be sent.
    pub unsent: u64,
    /// Buffers that hold a packet or wait for one in the queue.
    pub buffers_used: u64,
    /// Buffers that there are.
    pub buffers: u64,
    /// Why it cannot be read now, and the counts are older; empty where it can.
    pub unreadable: String,
}

impl PortStatus {
    /// Packets that it lost, as far as it counts them.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.missed.saturating_add(self.errors).saturating_add(self.no_buffer)
    }
}

/// What a feed asked servers for again, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryStatus {
    /// Requests sent.
    pub requests: u64,
    /// Requests that no answer came to in time.
    pub unanswered: u64,
    /// Messages that servers brought.
    pub recovered: u64,
    /// Answers that were not believed: damaged, of another session, or of messages that were not missing.
    pub refused: u64,
    /// Holes that were given up all the same.
    pub failed: u64,
}

/// One line of a feed: one of the copies in which the venue sends a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineStatus {
    /// Its channel, from 0, in the order of the configuration.
    pub channel: u8,
    /// `A`, `B` and so on.
    pub line: char,
    /// Multicast group and port.
    pub group: String,
    /// Packets it brought.
    pub packets: u64,
    /// Messages in them.
    pub messages: u64,
    /// Messages it skipped, whether or not another line had them.
    pub missing: u64,
    /// Messages that another line had brought before it, or that were given up.
    pub late: u64,
    /// Damaged packets.
    pub damaged: u64,
    /// When it was last heard.
    pub last: Option<Stamp>,
    /// Since when it is silent, where that is longer than the feed may be; from the start, where it was never heard.
    pub dead_since: Option<Stamp>,
}
