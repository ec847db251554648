//! After construction, receiving allocates nothing: neither on ordinary packets, nor on holes, damage or full rings.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddrV4};

use dataplane::source::{Layer, Packet, SourceStatus};
use dataplane::{EventTx, Feed, FeedConfig, FeedKind, PacketSource, Receiver, SourceError};
use stage::{GapTx, HopHistogram, LosslessTx, RingRx, Stage, ring};
use types::{BookEvent, Nanos, UnixNanos};
use wire::IntoBytes;
use wire::frame::{LinkType, UdpPath};
use wire::itch50::{AddOrder, OrderDelete};
use wire::moldudp64::PacketBuilder;
use wire::pitch::{AddOrderLong, DeleteOrder as PitchDelete};

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
    /// Where the sequence number stands in a frame, and whether it is of four little-endian bytes instead of eight big-endian ones.
    seq_at: usize,
    is_short: bool,
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
            if self.is_short {
                let field = &mut frame[self.seq_at..self.seq_at + 4];
                let seq = u32::from_le_bytes(field.try_into().unwrap()) + self.per_round as u32;
                field.copy_from_slice(&seq.to_le_bytes());
            } else if let Some(field) = frame.get_mut(self.seq_at..self.seq_at + 8) {
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
    framed(port, &payload[..len])
}

fn framed(port: u16, payload: &[u8]) -> Vec<u8> {
    let group = SocketAddrV4::new(Ipv4Addr::new(233, 54, 12, 111), port);
    let mut frame = vec![0; 2_000];
    let path =
        UdpPath::multicast([2, 0, 0, 0, 0, 1], SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 1), group);
    let whole = path.write(&mut frame, payload).unwrap();
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
    Loop { frames: round(), seq_at: 42 + 10, is_short: false, next: 0, shift: 0, per_round: 100 }
}

/// A round of 100 packets of MDP 3.0: levels of ten instruments that come and go, orders behind them, a snapshot, one packet lost.
fn mdp3_round() -> Vec<Vec<u8>> {
    let message = |template: u16, root: &[u8], count: u8, stride: u8, entries: &[u8]| {
        let size = (10 + root.len() + 3 + entries.len()) as u16;
        let head = [size, root.len() as u16, template, 1, 9].map(u16::to_le_bytes).concat();
        [&head[..], root, &[stride, 0, count], entries].concat()
    };
    let packet = |seq: u64| {
        let instrument = (seq % 10) as u32;
        let entry = |action: u8, side: u8| {
            let price = (i64::from(instrument) + 100) * 1_000_000_000;
            let ids = [5_u32, instrument, 0, 1].map(u32::to_le_bytes).concat();
            [&price.to_le_bytes()[..], &ids, &[1, action, side, 0, 0, 0, 0, 0]].concat()
        };
        let action = if seq % 20 < 10 { 0 } else { 2 };
        let root = [&1_000_u64.to_le_bytes()[..], &[0x80, 0, 0]].concat();
        let book = message(46, &root, 2, 32, &[entry(action, b'0'), entry(action, b'1')].concat());
        let mut snapshot = vec![0; 59];
        (snapshot[8], snapshot[34]) = (instrument as u8, 17);
        let of_orders = message(47, &root, 0, 40, &[]);
        [
            &(seq as u32).to_le_bytes()[..],
            &1_000_u64.to_le_bytes(),
            &book,
            &of_orders,
            &message(52, &snapshot, 0, 22, &[]),
        ]
        .concat()
    };
    (1..=100)
        .filter(|seq| *seq != 50)
        .flat_map(|seq| [26_477, 26_478].map(|port| framed(port, &packet(seq))))
        .collect()
}

/// A round of 100 messages of PITCH: orders that come, change and go.
fn pitch_round() -> Vec<Vec<u8>> {
    let sized = |message: &[u8]| [&[message.len() as u8 + 1][..], message].concat();
    let unit = |n: u64| {
        let id = n % 40;
        let add = AddOrderLong::new(5, id, b'B', 100, *b"TEST  ", 10_000 + n as i64, 1);
        let messages = [sized(add.as_bytes()), sized(PitchDelete::new(6, id).as_bytes())].concat();
        let length = (8 + messages.len() as u16).to_le_bytes();
        [&length[..], &[2, 1], &(2 * n as u32 + 1).to_le_bytes(), &messages].concat()
    };
    (0..50).filter(|n| *n != 20).flat_map(|n| [26_477, 26_478].map(|port| framed(port, &unit(n)))).collect()
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
fn the_other_feeds_allocate_nothing_per_packet() {
    for (kind, frames, seq_at) in [
        (FeedKind::Mdp3, mdp3_round(), 42),
        (FeedKind::Mdp3Orders, mdp3_round(), 42),
        (FeedKind::Pitch, pitch_round(), 42 + 4),
    ] {
        let (tx, mut rx) = ring(512);
        let tx = EventTx::Replay(LosslessTx::new(tx));
        let source = Loop { frames, seq_at, is_short: true, next: 0, shift: 0, per_round: 100 };
        let mut receiver = Receiver::new("receiver", source, &FeedConfig::new(kind), tx).unwrap();
        assert_eq!(allocations(&mut receiver, &mut rx, usize::MAX), 0, "{kind}");
        let stats = receiver.stats();
        assert!(stats.messages > 50_000 && stats.duplicates > 0 && stats.gaps > 0, "{kind}: {stats:?}");
        assert_eq!((stats.errors_total(), stats.bad_fields), (0, 0), "{kind}");
    }
}

#[test]
fn a_live_line_that_loses_events_allocates_nothing() {
    let (tx, mut rx) = ring(64);
    let tx = EventTx::Live(GapTx::new(tx, 64));
    let (nic_decode, _nic_reader) = HopHistogram::new("nic-decode", UnixNanos(0), 2);
    let (decode_ring, _ring_reader) = HopHistogram::new("decode-ring", UnixNanos(0), 2);
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
    receiver.housekeep(UnixNanos(1));
    let counters = receiver.counters();
    let of = |wanted: &str| counters.iter().find(|(name, _)| *name == wanted).unwrap().1;
    assert!(of("ring_gaps") > 0 && of("lost_events") > 100_000, "{:?}", counters.iter().collect::<Vec<_>>());
}

#[test]
fn the_counter_counts() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(5)));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}
