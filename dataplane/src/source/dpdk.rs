//! Packets from a DPDK receive queue: a live port, or a capture file through `net_pcap`.

use dpdk::RxQueue;
use dpdk::capture::Counted;
use types::UnixNanos;
use wire::WireError;
use wire::frame::{LinkType, verify_checksums};

use super::error::SourceError;
use super::packet::{BURST_MAX, Layer, Packet, PacketSource, SourceNotes, SourceStatus};

const _: () = assert!(dpdk::BURST_MAX <= BURST_MAX, "a burst of the driver is a burst here");

/// One receive queue.
///
/// Packets are read where the driver put them and go back to their pool when the burst is done; none leaves this type.
/// Those that lie in more than one buffer are skipped and counted ([`RxQueue::chained`]).
#[derive(Debug)]
pub struct DpdkSource {
    queue: RxQueue,
    name: String,
    packet_bytes: usize,
    /// Packets still to come from a capture file; `None` on a live port, which has no end.
    left: Option<u64>,
    /// Where the capture file ends within a record, if it does.
    cut: Option<String>,
    /// Stamps are of a recording.
    recorded: bool,
}

impl DpdkSource {
    /// A live port. `packet_bytes` is the room of a buffer of its pool (`Mempool::packet_bytes`).
    #[must_use]
    pub fn live(queue: RxQueue, name: impl Into<String>, packet_bytes: u16) -> Self {
        let packet_bytes = usize::from(packet_bytes);
        Self { queue, name: name.into(), packet_bytes, left: None, cut: None, recorded: false }
    }

    /// A port without an end that plays a recording: its stamps are kept for the events, and no latency is measured from
    /// them.
    #[must_use]
    pub fn recorded(self) -> Self {
        Self { recorded: true, ..self }
    }

    /// A `net_pcap` port that ends after the packets that were `counted` in its file, since the port itself never says that
    /// it is at the end of it.
    #[must_use]
    pub fn capture(queue: RxQueue, name: impl Into<String>, packet_bytes: u16, counted: &Counted) -> Self {
        let name = name.into();
        let cut = counted
            .cut_at
            .map(|at| format!("{name}: offset {at}: found the end of the file within a record"));
        Self { left: Some(counted.packets), cut, ..Self::live(queue, name, packet_bytes).recorded() }
    }

    /// The queue, for its counters.
    #[must_use]
    pub fn queue(&self) -> &RxQueue {
        &self.queue
    }
}

impl PacketSource for DpdkSource {
    /// Hands over one burst of the driver, whatever `max` is: its buffers cannot wait here.
    #[inline]
    fn next_burst(
        &mut self,
        _max: usize,
        mut sink: impl FnMut(Packet<'_>) -> bool,
    ) -> Result<SourceStatus, SourceError> {
        if self.left == Some(0) {
            return Ok(SourceStatus::End);
        }
        let burst = self.queue.rx_burst();
        for mbuf in &burst {
            let unseen = !self.recorded && !mbuf.is_checksum_seen();
            let is_bad = mbuf.has_bad_checksum() || (unseen && is_damaged(mbuf.data()));
            let link = LinkType::Ethernet;
            let layer = if is_bad { Layer::Condemned(link) } else { Layer::Frame(link) };
            let ts = mbuf.timestamp().unwrap_or(UnixNanos(0));
            sink(Packet { bytes: mbuf.data(), ts, layer, offset: 0 });
        }
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(burst.len() as u64);
        }
        Ok(SourceStatus::Open)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn stamps_arrival(&self) -> bool {
        !self.recorded
    }

    fn checksums_unseen(&self) -> bool {
        self.recorded
    }

    fn notes(&self) -> SourceNotes {
        let chained_packets = self.queue.chained();
        // Said at the end, as a reader of the file would.
        let cut = if self.left == Some(0) { self.cut.clone() } else { None };
        SourceNotes { chained_packets, cut, ..SourceNotes::default() }
    }

    fn overshoot_bytes(&self) -> usize {
        (BURST_MAX - 1) * self.packet_bytes
    }
}

/// Whether the packet's own checksums condemn it. What else is wrong with it is found where it is read.
fn is_damaged(frame: &[u8]) -> bool {
    matches!(
        verify_checksums(LinkType::Ethernet, frame),
        Err(WireError::BadIpChecksum { .. } | WireError::BadUdpChecksum { .. })
    )
}
