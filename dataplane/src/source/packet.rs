//! One packet, and something packets can be read from.

use types::UnixNanos;
use wire::frame::LinkType;

use super::error::SourceError;

/// Most packets a source hands over in one burst.
pub const BURST_MAX: usize = 64;

/// What a packet's bytes begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// A frame of this link type.
    Frame(LinkType),
    /// The same, of which the network card, or the source in its place, found a checksum wrong. It is handed over to be counted
    /// where it belongs, and is not read.
    Condemned(LinkType),
    /// One message of the feed, without transport and so without a sequence number.
    Message,
}

/// One packet, valid for the duration of the callback.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The bytes as captured.
    pub bytes: &'a [u8],
    /// When it was captured or stamped by the NIC; zero when nobody did.
    pub ts: UnixNanos,
    /// What the bytes begin with.
    pub layer: Layer,
    /// Where the bytes stand in the (uncompressed) file, for messages about them; zero on live ports.
    pub offset: u64,
}

/// Whether a source has more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceStatus {
    /// At least one packet was handed over, or more may come.
    Open,
    /// The end of the input; nothing will come any more.
    End,
}

/// What a source left out, and whether it ended where it should not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceNotes {
    /// Blocks of a capture that carry no packets and are longer than any that does.
    pub skipped_blocks: u64,
    /// Packets of interfaces of another kind of network, and packets longer than any datagram.
    pub skipped_packets: u64,
    /// Packets that lie in several buffers of the driver.
    pub chained_packets: u64,
    /// Where the input ends within a record; everything before it was handed over.
    pub cut: Option<String>,
}

/// Something packets can be read from, without waiting.
pub trait PacketSource {
    /// Hands at most `max` packets to `sink`, in order of arrival; fewer when no more are there, or when `sink` returns
    /// false after a packet. A source that cannot stop in time says so by [`PacketSource::overshoot_bytes`].
    ///
    /// # Errors
    ///
    /// [`SourceError`] once the input cannot be read on. Packets before the damage have been handed over.
    fn next_burst(
        &mut self,
        max: usize,
        sink: impl FnMut(Packet<'_>) -> bool,
    ) -> Result<SourceStatus, SourceError>;

    /// What the source is called in messages: a path, `<stdin>`, a port.
    fn name(&self) -> &str;

    /// Whether packets' stamps say when they arrived here. False for a port that plays a recording: its stamps are of
    /// another day, and no latency is measured from them.
    fn stamps_arrival(&self) -> bool {
        true
    }

    /// Whether nobody looked at the packets' checksums before they are handed over, as a network card does.
    fn checksums_unseen(&self) -> bool {
        false
    }

    /// What was left out so far. Not for the hot path.
    fn notes(&self) -> SourceNotes {
        SourceNotes::default()
    }

    /// Most bytes handed over after `sink` said to stop.
    fn overshoot_bytes(&self) -> usize {
        0
    }
}
