//! Packets from a DPDK receive queue: a live port, or a capture file through `net_pcap`.

use dpdk::RxQueue;
use types::UnixNanos;
use wire::WireError;
use wire::frame::{LinkType, verify_checksums};

use super::capture::CaptureCount;
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
    /// The capture file; `None` on a live port, which has no end.
    capture: Option<Capture>,
    /// Stamps are of a recording.
    recorded: bool,
}

/// A capture file on its way through a port.
#[derive(Debug)]
struct Capture {
    counted: CaptureCount,
    /// Packets still to come.
    left: u64,
    /// The driver filled less than a burst, as it does at the end of its file and at what libpcap does not read. Behind that it would
    /// go on wherever it stands, which nothing says is a record.
    is_stopped: bool,
}

impl Capture {
    /// After a receive of so many packets: how many of them count.
    #[inline]
    fn received(&mut self, packets: usize) -> usize {
        let counting = usize::try_from(self.left).unwrap_or(usize::MAX).min(packets);
        self.left -= counting as u64;
        self.is_stopped = packets < dpdk::BURST_MAX;
        counting
    }

    /// How it ended, once it has.
    #[inline]
    fn end(&mut self) -> Option<Result<SourceStatus, SourceError>> {
        if self.left == 0 {
            return Some(self.counted.damage.take().map_or(Ok(SourceStatus::End), Err));
        }
        if !self.is_stopped {
            return None;
        }
        let given = self.counted.packets - self.left;
        self.left = 0;
        // What reading the file found behind that is not said.
        (self.counted.damage, self.counted.notes) = (None, SourceNotes::default());
        Some(Err(self.counted.stopped_after(given)))
    }
}

impl DpdkSource {
    /// A live port. `packet_bytes` is the room of a buffer of its pool (`Mempool::packet_bytes`).
    #[must_use]
    pub fn live(queue: RxQueue, name: impl Into<String>, packet_bytes: u16) -> Self {
        let packet_bytes = usize::from(packet_bytes);
        Self { queue, name: name.into(), packet_bytes, capture: None, recorded: false }
    }

    /// A port without an end that plays a recording: its stamps are kept for the events, and no latency is measured from
    /// them.
    #[must_use]
    pub fn recorded(self) -> Self {
        Self { recorded: true, ..self }
    }

    /// A `net_pcap` port that ends as reading its file does, after the packets that were `counted` in it, since the port itself
    /// never says that it is at the end. Where it stops before that, that is an error.
    #[must_use]
    pub fn capture(
        queue: RxQueue,
        name: impl Into<String>,
        packet_bytes: u16,
        counted: CaptureCount,
    ) -> Self {
        let capture = Capture { left: counted.packets, counted, is_stopped: false };
        Self { capture: Some(capture), ..Self::live(queue, name, packet_bytes).recorded() }
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
        if let Some(end) = self.capture.as_mut().and_then(Capture::end) {
            return end;
        }
        let burst = self.queue.rx_burst();
        let counting = match &mut self.capture {
            Some(capture) => capture.received(burst.len()),
            None => burst.len(),
        };
        for mbuf in burst.first(counting) {
            let unseen = !self.recorded && !mbuf.is_checksum_seen();
            let is_bad = mbuf.has_bad_checksum() || (unseen && is_damaged(mbuf.data()));
            let link = LinkType::Ethernet;
            let layer = if is_bad { Layer::Condemned(link) } else { Layer::Frame(link) };
            let ts = mbuf.timestamp().unwrap_or(UnixNanos(0));
            sink(Packet { bytes: mbuf.data(), ts, layer, offset: 0 });
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
        let over = self.capture.as_ref().filter(|capture| capture.left == 0);
        let notes = over.map(|capture| capture.counted.notes.clone()).unwrap_or_default();
        SourceNotes { chained_packets, ..notes }
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
