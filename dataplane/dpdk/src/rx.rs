//! Receiving: a queue, the burst it hands out, the packets in it.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;

use types::UnixNanos;

use crate::shared::PortShared;
use crate::version::release;

/// Most packets one receive returns. A multiple of what the vectorised drivers work in (4, 8, 32).
pub const BURST_MAX: usize = 64;

/// First release whose `net_pcap` stamps nanoseconds.
const PCAP_NANOS_SINCE: u32 = 2607;

/// `RTE_MBUF_F_RX_IP_CKSUM_MASK` and `_BAD`: two bits, of which one alone says bad or good.
const IP_CKSUM_MASK: u64 = 1 << 4 | 1 << 7;
const IP_CKSUM_BAD: u64 = 1 << 4;
/// `RTE_MBUF_F_RX_L4_CKSUM_MASK` and `_BAD`.
const L4_CKSUM_MASK: u64 = 1 << 3 | 1 << 8;
const L4_CKSUM_BAD: u64 = 1 << 3;

/// What kind of clock stamps the packets of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RxClock {
    /// Packets carry no time.
    None,
    /// Unix time in microseconds: `net_pcap` before DPDK 26.07, whatever the file's resolution.
    UnixMicros,
    /// Unix time in nanoseconds: `net_pcap` from DPDK 26.07, `net_af_packet` from DPDK 24.11.
    UnixNanos,
    /// Ticks of the device's own clock, which only the device's profile can tell how to read.
    Device,
}

/// Where a packet's timestamp lies: a field and a flag that drivers register at run time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimestampField {
    /// Bytes from the start of the mbuf; with the field's eight bytes inside it.
    offset: usize,
    /// Bit of `ol_flags` that says the field is set; 0 when there is no field.
    flag: u64,
}

impl TimestampField {
    /// The field of a port of `driver`, and the clock that fills it. `offloaded`: the device offers the timestamp offload
    /// and was asked for it. `net_pcap` stamps without offering.
    pub(crate) fn of_port(driver: &str, offloaded: bool) -> (Self, RxClock) {
        let clock = match driver {
            "net_pcap" if release() < PCAP_NANOS_SINCE => RxClock::UnixMicros,
            "net_pcap" => RxClock::UnixNanos,
            "net_af_packet" if offloaded => RxClock::UnixNanos,
            _ if offloaded => RxClock::Device,
            _ => return (Self::default(), RxClock::None),
        };
        let (mut offset, mut flag) = (0_u32, 0_u64);
        // SAFETY: `pcl_timestamp_lookup` wants EAL up, which the port that asks proves, and places for its two answers.
        let rc = unsafe { dpdk_sys::pcl_timestamp_lookup(&raw mut offset, &raw mut flag) };
        let offset = offset as usize;
        if rc != 0 || offset + size_of::<u64>() > size_of::<dpdk_sys::Mbuf>() {
            return (Self::default(), RxClock::None);
        }
        (Self { offset, flag }, clock)
    }
}

/// One RX queue of a started port, polled by one thread.
///
/// Two threads cannot poll it:
///
/// ```compile_fail
/// fn shared<T: Sync>() {}
/// shared::<dpdk::RxQueue>();
/// ```
///
/// Neither can a burst be forgotten over the next, nor a packet outlive its burst:
///
/// ```compile_fail
/// fn two(queue: &mut dpdk::RxQueue) -> usize {
///     let (a, b) = (queue.rx_burst(), queue.rx_burst());
///     a.len() + b.len()
/// }
/// ```
/// ```compile_fail
/// fn keep(queue: &mut dpdk::RxQueue) -> Option<&[u8]> {
///     queue.rx_burst().iter().next().map(|packet| packet.data())
/// }
/// ```
/// ```no_run
/// fn copy(queue: &mut dpdk::RxQueue) -> Option<Vec<u8>> {
///     queue.rx_burst().iter().next().map(|packet| packet.data().to_vec())
/// }
/// fn moved<T: Send>() {}
/// moved::<dpdk::RxQueue>();
/// ```
#[derive(Debug)]
pub struct RxQueue {
    /// What the last receive returned; beyond the burst's length, leftovers that nobody reads.
    mbufs: [*mut dpdk_sys::Mbuf; BURST_MAX],
    port: u16,
    queue: u16,
    timestamps: TimestampField,
    clock: RxClock,
    chained: Cell<u64>,
    _shared: Arc<PortShared>,
}

// SAFETY: `Send` wants that the queue may be used from another thread than the one that made it. A queue of DPDK belongs to no
// thread; it must only not be polled by two at once, and polling needs `&mut`. The pointers in `mbufs` are to buffers that this
// queue's burst alone owns, from a pool any thread may return them to. The queue is not `Sync` (`Cell`).
unsafe impl Send for RxQueue {}

impl RxQueue {
    pub(crate) fn new(
        shared: Arc<PortShared>,
        queue: u16,
        timestamps: TimestampField,
        clock: RxClock,
    ) -> Self {
        Self {
            mbufs: [std::ptr::null_mut(); BURST_MAX],
            port: shared.number,
            queue,
            timestamps,
            clock,
            chained: Cell::new(0),
            _shared: shared,
        }
    }

    /// Takes what has arrived, at most [`BURST_MAX`] packets; none is normal. The burst borrows the queue, so the packets go
    /// back to their pool before the next call.
    #[inline]
    pub fn rx_burst(&mut self) -> Burst<'_> {
        // SAFETY: `rte_eth_rx_burst` wants a started port and a queue of it, which this type is made for and `_shared` keeps
        // running; that no other thread polls the queue, which `&mut self` says; and room for as many pointers as are asked
        // for.
        let len = unsafe {
            dpdk_sys::pcl_rx_burst(self.port, self.queue, self.mbufs.as_mut_ptr(), BURST_MAX as u16)
        };
        Burst { len: usize::from(len).min(BURST_MAX), queue: self }
    }

    /// Packets that [`Burst::iter`] skipped because they lie in more than one buffer: longer than the pool's
    /// `packet_bytes`.
    #[must_use]
    pub fn chained(&self) -> u64 {
        self.chained.get()
    }

    /// What clock stamps this queue's packets.
    #[must_use]
    pub fn clock(&self) -> RxClock {
        self.clock
    }

    /// Number of the queue on its port.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.queue
    }
}

/// The packets of one receive. It owns their buffers and gives them back to the pool, in one go, when it is dropped; a burst
/// that is leaked (`mem::forget`) leaks its buffers and nothing worse.
#[derive(Debug)]
pub struct Burst<'q> {
    queue: &'q mut RxQueue,
    len: usize,
}

impl Burst<'_> {
    /// Packets received, those that [`Burst::iter`] skips included.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing had arrived.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The packets in order of arrival. One that lies in several buffers is skipped and counted ([`RxQueue::chained`]) each
    /// time it is passed.
    #[inline]
    #[must_use]
    pub fn iter(&self) -> BurstIter<'_> {
        self.first(self.len)
    }

    /// [`Burst::iter`] over the first `packets` alone.
    #[inline]
    #[must_use]
    pub fn first(&self, packets: usize) -> BurstIter<'_> {
        BurstIter { mbufs: self.queue.mbufs[..self.len.min(packets)].iter(), queue: self.queue }
    }
}

impl Drop for Burst<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: `rte_pktmbuf_free_bulk` wants `count` pointers to buffers that the caller owns and does not use again.
            // The first `len` were filled by the receive that made this burst, which owns them; every `MbufRef` borrows the
            // burst and is gone; the next receive overwrites the pointers.
            unsafe { dpdk_sys::pcl_free_bulk(self.queue.mbufs.as_mut_ptr(), self.len as u32) };
        }
    }
}

impl<'b> IntoIterator for &'b Burst<'_> {
    type Item = MbufRef<'b>;
    type IntoIter = BurstIter<'b>;

    #[inline]
    fn into_iter(self) -> BurstIter<'b> {
        self.iter()
    }
}

/// Iterator over the packets of a [`Burst`].
#[derive(Debug)]
pub struct BurstIter<'b> {
    mbufs: std::slice::Iter<'b, *mut dpdk_sys::Mbuf>,
    queue: &'b RxQueue,
}

impl<'b> Iterator for BurstIter<'b> {
    type Item = MbufRef<'b>;

    #[inline]
    fn next(&mut self) -> Option<MbufRef<'b>> {
        loop {
            let mbuf = NonNull::new(*self.mbufs.next()?)?;
            let packet = MbufRef {
                mbuf,
                timestamps: self.queue.timestamps,
                clock: self.queue.clock,
                _burst: PhantomData,
            };
            if packet.header().nb_segs == 1 {
                return Some(packet);
            }
            self.queue.chained.set(self.queue.chained.get() + 1);
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.mbufs.len()))
    }
}

/// One received packet, in one buffer, for as long as its burst lives.
#[derive(Clone, Copy, Debug)]
pub struct MbufRef<'b> {
    mbuf: NonNull<dpdk_sys::Mbuf>,
    timestamps: TimestampField,
    clock: RxClock,
    _burst: PhantomData<&'b dpdk_sys::Mbuf>,
}

impl<'b> MbufRef<'b> {
    /// The frame, from the Ethernet header on.
    #[inline]
    #[must_use]
    pub fn data(&self) -> &'b [u8] {
        let header = self.header();
        let start = header.buf_addr.wrapping_add(usize::from(header.data_off)).cast_const();
        // SAFETY: `from_raw_parts` wants `data_len` initialised bytes that nobody writes for `'b`. `rte_mbuf` documents
        // `[buf_addr + data_off, + data_len)` as the segment's data, inside the buffer; pool memory is mapped zeroed, so
        // every byte is initialised; the burst owns the buffer for at least `'b` and has no way to write it.
        unsafe { std::slice::from_raw_parts(start, usize::from(header.data_len)) }
    }

    /// When the packet was captured, if its port's clock is a Unix clock ([`RxClock::UnixMicros`], whose value is rounded
    /// down to the microsecond, or [`RxClock::UnixNanos`]).
    #[inline]
    #[must_use]
    pub fn timestamp(&self) -> Option<UnixNanos> {
        let scale = match self.clock {
            RxClock::UnixMicros => 1000,
            RxClock::UnixNanos => 1,
            RxClock::None | RxClock::Device => return None,
        };
        Some(UnixNanos(self.stamp()?.saturating_mul(scale)))
    }

    /// Whether the network card verified a checksum of the packet, IPv4's or UDP's, and found it wrong. A card that did not look
    /// says nothing.
    #[inline]
    #[must_use]
    pub fn has_bad_checksum(&self) -> bool {
        let flags = self.header().ol_flags;
        flags & IP_CKSUM_MASK == IP_CKSUM_BAD || flags & L4_CKSUM_MASK == L4_CKSUM_BAD
    }

    /// Whether the network card looked at UDP's checksum, or vouches for the data without one.
    #[inline]
    #[must_use]
    pub fn is_checksum_seen(&self) -> bool {
        self.header().ol_flags & L4_CKSUM_MASK != 0
    }

    #[inline]
    fn stamp(&self) -> Option<u64> {
        if self.header().ol_flags & self.timestamps.flag == 0 {
            return None;
        }
        let field = self.mbuf.as_ptr().cast::<u8>().wrapping_add(self.timestamps.offset).cast::<u64>();
        // SAFETY: reading wants eight initialised bytes at `field`, inside one allocation. `TimestampField::of_port` made sure
        // that offset and size end within the mbuf, whose 128 bytes are all pool memory; the flag says the driver wrote
        // the field.
        Some(unsafe { field.read_unaligned() })
    }

    #[inline]
    fn header(&self) -> &'b dpdk_sys::Mbuf {
        // SAFETY: a reference wants an aligned, initialised mbuf that nobody writes for `'b`. DPDK gave the pointer, and
        // mbufs are cache-line aligned; the offsets of the fields read here are asserted against the headers in `shim.c`;
        // the burst owns the mbuf for at least `'b`, and no driver writes one it has handed out.
        unsafe { self.mbuf.as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a packet with these offload flags says of its checksums: whether one is bad, and whether UDP's was looked at.
    fn said(ol_flags: u64) -> (bool, bool) {
        // SAFETY: integers and a pointer, of which all zero is a value.
        let mut mbuf: dpdk_sys::Mbuf = unsafe { std::mem::zeroed() };
        mbuf.ol_flags = ol_flags;
        let packet = MbufRef {
            mbuf: NonNull::from(&mut mbuf),
            timestamps: TimestampField::default(),
            clock: RxClock::None,
            _burst: PhantomData,
        };
        (packet.has_bad_checksum(), packet.is_checksum_seen())
    }

    /// The flags of `rte_mbuf_core.h`, whose values are part of DPDK's interface.
    #[test]
    fn what_a_card_says_of_checksums_is_read_from_its_flags() {
        let (l4_bad, ip_bad, ip_good, l4_good) = (1 << 3, 1 << 4, 1 << 7, 1 << 8);
        assert_eq!(said(0), (false, false), "it did not look");
        assert_eq!(said(ip_good | l4_good), (false, true));
        assert_eq!(said(ip_good | l4_bad), (true, true));
        assert_eq!(said(ip_bad | l4_good), (true, true));
        assert_eq!(said(ip_bad), (true, false), "of the header alone");
        assert_eq!(said(ip_good), (false, false), "UDP's was not looked at");
        // Both bits: not in the data, and vouched for.
        assert_eq!(said(l4_bad | l4_good), (false, true));
        assert_eq!(said(ip_bad | ip_good), (false, false));
        // Flags of something else.
        assert_eq!(said(!(l4_bad | l4_good | ip_bad | ip_good)), (false, false));
    }
}
