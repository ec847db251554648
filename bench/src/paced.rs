//! A feed in memory that arrives by the clock, whether or not anybody keeps up: an open loop, so that a line that falls behind
//! shows it as latency and loss instead of slowing its own input down.

use std::sync::Arc;

use dataplane::source::{BURST_MAX, Layer, Packet, PacketSource, SourceError, SourceStatus};
use simulator::Line;
use stage::Clock;
use types::{Nanos, UnixNanos};
use wire::frame::LinkType;
use wire::framing::Frames;
use wire::moldudp64::PacketBuilder;

use crate::day::Day;
use crate::line::MIDNIGHT;

/// Messages of a packet: about 330 bytes of payload.
pub const MESSAGES: usize = 10;

/// When the first message of the day happens, ns since midnight ([`Day::retimed`]).
const OPEN_NS: u64 = 34_200_000_000_000;

/// Packets of a day, and when each is due.
#[derive(Debug)]
pub struct Recording {
    bytes: Vec<u8>,
    /// End of each packet in `bytes`, and when it is due, ns after the first.
    packets: Vec<(usize, u64)>,
    timeline: Timeline,
}

/// How event time maps onto the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// Event time of the first message that counts.
    event: UnixNanos,
    /// When it is due after the start.
    due: Nanos,
}

impl Timeline {
    /// When, by the clock, a feed that started at `start` has reached event time `ts`; none before the messages that count.
    #[must_use]
    pub fn due(&self, start: UnixNanos, ts: UnixNanos) -> Option<UnixNanos> {
        (ts > self.event).then(|| UnixNanos(start.0 + self.due.0 + ts.since(self.event).0))
    }
}

impl Recording {
    /// MoldUDP64 packets of ten messages. Messages come `gap_ns` apart, in event time and by the clock alike; those of the
    /// preload, which do not count, `preload_gap_ns` apart by the clock.
    ///
    /// # Panics
    /// When the day is no stream of messages, or its packets no packets.
    #[must_use]
    pub fn new(day: &Day, gap_ns: u64, preload_gap_ns: u64) -> Self {
        let day = day.retimed(gap_ns);
        let (mut bytes, mut packets, mut sequence) = (Vec::new(), Vec::new(), 1);
        let mut due_ns = 0;
        let preload = packetise(day.preload(), &mut sequence, |packet, messages| {
            due_ns += messages * preload_gap_ns;
            bytes.extend_from_slice(packet);
            packets.push((bytes.len(), due_ns));
        });
        // A packet goes when its last message has happened.
        let timeline =
            Timeline { event: UnixNanos(MIDNIGHT.0 + OPEN_NS + (preload - 1) * gap_ns), due: Nanos(due_ns) };
        for segment in 0..day.segments() {
            packetise(day.segment(segment), &mut sequence, |packet, messages| {
                due_ns += messages * gap_ns;
                bytes.extend_from_slice(packet);
                packets.push((bytes.len(), due_ns));
            });
        }
        Self { bytes, packets, timeline }
    }

    /// How its event time maps onto the clock.
    #[must_use]
    pub const fn timeline(&self) -> Timeline {
        self.timeline
    }

    /// How long it takes.
    #[must_use]
    pub fn length(&self) -> Nanos {
        Nanos(self.packets.last().map_or(0, |(_, due_ns)| *due_ns))
    }
}

/// Hands each packet of `messages` and the number of messages in it to `take`; gives how many messages there were.
///
/// # Panics
/// On messages that are not whole.
pub fn packetise(messages: &[u8], sequence: &mut u64, mut take: impl FnMut(&[u8], u64)) -> u64 {
    let path = Line::A.path();
    let mut frames = Frames::new(messages).map(|frame| frame.expect("whole messages")).peekable();
    let first = *sequence;
    while frames.peek().is_some() {
        let mut payload = [0; 1_472];
        let mut packet =
            PacketBuilder::new(&mut payload, simulator::SESSION, *sequence).expect("room for a header");
        let mut count = 0;
        for message in frames.by_ref().take(MESSAGES) {
            assert!(packet.push(message), "ten messages fit a datagram");
            count += 1;
        }
        let length = packet.finish();
        let mut frame = [0; 1_514];
        let length = path.write(&mut frame, &payload[..length]).expect("room for a frame");
        take(&frame[..length], count);
        *sequence += count;
    }
    *sequence - first
}

/// A recording as a source.
#[derive(Debug)]
pub struct Paced<C> {
    recording: Arc<Recording>,
    clock: C,
    start: UnixNanos,
    next: usize,
}

impl<C: Clock> Paced<C> {
    /// `recording` from `start` on by `clock`.
    #[must_use]
    pub const fn new(recording: Arc<Recording>, clock: C, start: UnixNanos) -> Self {
        Self { recording, clock, start, next: 0 }
    }
}

impl<C: Clock> PacketSource for Paced<C> {
    fn next_burst(
        &mut self,
        max: usize,
        mut sink: impl FnMut(Packet<'_>) -> bool,
    ) -> Result<SourceStatus, SourceError> {
        let (packets, now) = (&self.recording.packets, self.clock.now());
        for _ in 0..max.min(BURST_MAX) {
            let Some(&(end, due_ns)) = packets.get(self.next) else { return Ok(SourceStatus::End) };
            let due = UnixNanos(self.start.0 + due_ns);
            if due > now {
                break;
            }
            let begin = self.next.checked_sub(1).map_or(0, |last| packets[last].0);
            let bytes = &self.recording.bytes[begin..end];
            self.next += 1;
            if !sink(Packet { bytes, ts: due, layer: Layer::Frame(LinkType::Ethernet), offset: begin as u64 })
            {
                break;
            }
        }
        Ok(SourceStatus::Open)
    }

    fn name(&self) -> &str {
        "paced recording"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::{DayConfig, FULL};
    use std::cell::Cell;
    use std::rc::Rc;

    /// A clock that shows what the test sets.
    #[derive(Clone, Debug)]
    struct Hand(Rc<Cell<UnixNanos>>);

    impl Clock for Hand {
        fn now(&self) -> UnixNanos {
            self.0.get()
        }
    }

    const CONFIG: DayConfig = DayConfig { symbols: 20, preload_orders: 95, segments: 2, segment: 33, ..FULL };

    fn burst(source: &mut Paced<Hand>) -> (Vec<u64>, SourceStatus) {
        let mut due = vec![];
        let status = source.next_burst(3, |packet| {
            due.push(packet.ts.0);
            true
        });
        (due, status.unwrap())
    }

    #[test]
    fn packets_come_when_they_are_due_and_not_before() {
        let day = Day::generate(&CONFIG);
        let recording = Arc::new(Recording::new(&day, 100, 1_000));
        let preload = Frames::new(day.preload()).count() as u64;
        let timeline = recording.timeline();
        // Ten messages a packet, what is left at the end of a segment in one of its own.
        let preload_packets = preload.div_ceil(10);
        assert_eq!(recording.packets.len() as u64, preload_packets + 4 + 4);
        assert_eq!(recording.length(), Nanos(preload * 1_000 + 66 * 100));

        let start = UnixNanos(5_000_000);
        let clock = Hand(Rc::new(Cell::new(start)));
        let mut source = Paced::new(Arc::clone(&recording), clock.clone(), start);
        assert_eq!(burst(&mut source), (vec![], SourceStatus::Open));
        clock.0.set(UnixNanos(start.0 + 10_000));
        assert_eq!(burst(&mut source), (vec![start.0 + 10_000], SourceStatus::Open));
        clock.0.set(UnixNanos(start.0 + recording.length().0));
        let mut count = 1;
        loop {
            let (due, status) = burst(&mut source);
            count += due.len();
            if status == SourceStatus::End {
                break;
            }
        }
        assert_eq!(count, recording.packets.len());

        // The first message that counts happens when the preload is over.
        let first = UnixNanos(MIDNIGHT.0 + OPEN_NS + preload * 100);
        assert_eq!(timeline.due(start, first), Some(UnixNanos(start.0 + preload * 1_000 + 100)));
        assert_eq!(timeline.due(start, UnixNanos(first.0 - 100)), None);
    }
}
