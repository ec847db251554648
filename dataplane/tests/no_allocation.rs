//! After construction, receiving allocates nothing: neither on ordinary packets, nor on holes, damage or full rings.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddrV4};

use dataplane::source::{Layer, Packet, SourceStatus};
use dataplane::{EventTx, Feed, FeedConfig, FeedKind, PacketSource, Receiver, SourceError};
use stage::{GapTx, HopHistogram, LosslessTx, RingRx, ring};
use types::{BookEvent, Nanos, UnixNanos};
use wire::IntoBytes;
use wire::frame::{LinkType, UdpPath};
use wire::itch50::{AddOrder, OrderDelete};
use wire::moldudp64::PacketBuilder;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting what each thread asks of it.
struct Counting;

// SAFETY: `GlobalAlloc` wants what `System` gives: every call goes to it unchanged. The counter is a `Cell` without
// destructor, so counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps `alloc`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract, which is the same.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Gives the same frames again and again, each with its sequence numbers moved on.
struct Loop {
    frames: Vec<Vec<u8>>,
    /// Where the sequence number stands in a frame.
    seq_at: usize,
    next: usize,
    shift: u64,
    per_round: u64,
}

impl PacketSource for Loop {
    fn next_burst(
        &mut self,
        max: usize,
        mut sink: impl FnMut(Packet<'_>) -> bool,
    ) -> Result<SourceStatus, SourceError> {
        for _ in 0..max {
            let frame = &mut self.frames[self.next];
            let layer = Layer::Frame(LinkType::Ethernet);
            let go_on = sink(Packet { bytes: frame, ts: UnixNanos(1_000 + self.shift), layer, offset: 0 });
            if let Some(field) = frame.get_mut(self.seq_at..self.seq_at + 8) {
                let seq = u64::from_be_bytes(field.try_into().unwrap()) + self.per_round;
                field.copy_from_slice(&seq.to_be_bytes());
            }
            self.next += 1;
            if self.next == self.frames.len() {
                self.next = 0;
                self.shift += 100_000;
            }
            if !go_on {
                break;
            }
        }
        Ok(SourceStatus::Open)
    }

    fn name(&self) -> &str {
        "loop"
    }
}

fn frame(port: u16, seq: u64, messages: &[Vec<u8>]) -> Vec<u8> {
    let mut payload = [0; 1_400];
    let mut packet = PacketBuilder::new(&mut payload, *b"ALLOC00001", seq).unwrap();
    assert!(messages.iter().all(|m| packet.push(m)));
    let len = packet.finish();
    let group = SocketAddrV4::new(Ipv4Addr::new(233, 54, 12, 111), port);
    let mut frame = vec![0; 2_000];
    let path =
        UdpPath::multicast([2, 0, 0, 0, 0, 1], SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 1), group);
    let whole = path.write(&mut frame, &payload[..len]).unwrap();
    frame.truncate(whole);
    frame
}

/// A round of 100 messages on two lines: repeats, a packet out of order, one that is lost on both, damage, noise.
fn round() -> Vec<Vec<u8>> {
    let orders = |first: u64| -> Vec<Vec<u8>> {
        let add = |n: u64| AddOrder::new((n % 40) as u16, 0, n, n, b'B', 100, *b"TEST    ", 10_000);
        let delete = |n: u64| OrderDelete::new((n % 40) as u16, 0, n, n);
        (first..first + 5).flat_map(|n| [add(n).as_bytes().to_vec(), delete(n).as_bytes().to_vec()]).collect()
    };
    let (a, b) = (26_477, 26_478);
    let mut frames = Vec::new();
    for packet in 0..10 {
        let seq = packet * 10 + 1;
        match packet {
            3 => frames.push(frame(b, seq, &orders(seq))),
            5 => {}
            7 => {
                let mut damaged = orders(seq);
                damaged[4].truncate(20);
                frames.push(frame(a, seq, &damaged));
            }
            _ => frames.extend([frame(a, seq, &orders(seq)), frame(b, seq, &orders(seq))]),
        }
    }
    frames.swap(2, 4);
    frames.push(vec![0xff; 40]);
    frames.push(frame(a, 101, &[]));
    frames
}

fn source() -> Loop {
    Loop { frames: round(), seq_at: 42 + 10, next: 0, shift: 0, per_round: 100 }
}

/// Allocations of `polls` polls after `warm_up` of them.
fn allocations(receiver: &mut impl Feed, rx: &mut RingRx<BookEvent>, take: usize) -> u64 {
    let mut run = |polls: u64| {
        for n in 0..polls {
            receiver.poll(UnixNanos(n));
            receiver.housekeep(UnixNanos(n));
            rx.drain(take, |_| ());
        }
    };
    // The first polls define the instruments.
    run(10);
    let before = ALLOCATIONS.get();
    run(2_000);
    ALLOCATIONS.get() - before
}

#[test]
fn a_replay_allocates_nothing_per_packet() {
    let (tx, mut rx) = ring(512);
    let tx = EventTx::Replay(LosslessTx::new(tx));
    let mut receiver = Receiver::new("receiver", source(), &FeedConfig::new(FeedKind::Itch50), tx).unwrap();
    assert_eq!(allocations(&mut receiver, &mut rx, usize::MAX), 0);
    let stats = receiver.stats();
    assert!(
        stats.messages > 100_000 && stats.duplicates > 0 && stats.reordered > 0 && stats.gaps > 0,
        "{stats:?}"
    );
    assert!(stats.errors_total() > 0);
}

#[test]
fn a_live_line_that_loses_events_allocates_nothing() {
    let (tx, mut rx) = ring(64);
    let tx = EventTx::Live(GapTx::new(tx, 64));
    let (nic_decode, _nic_reader) = HopHistogram::new("nic-decode", UnixNanos(0));
    let (decode_ring, _ring_reader) = HopHistogram::new("decode-ring", UnixNanos(0));
    let hops = dataplane::ReceiverHops {
        clock: stage::LiveClock::Os(stage::OsClock),
        nic_decode,
        decode_ring,
        sample_every: 1,
        interval: Nanos(1_000),
    };
    let receiver = Receiver::new("receiver", source(), &FeedConfig::new(FeedKind::Itch50), tx).unwrap();
    let mut receiver = receiver.with_hops(hops);
    // The consumer takes less than what comes.
    assert_eq!(allocations(&mut receiver, &mut rx, 40), 0);
    let lost = receiver.output().gap_stats();
    assert!(lost.gaps > 0 && lost.lost_events > 100_000, "{lost:?}");
}

#[test]
fn the_counter_counts() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(5)));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}
