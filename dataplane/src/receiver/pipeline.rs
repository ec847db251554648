//! From a packet to events in the buffer: frame, line, session, arbitration, decoding. Nothing here knows where packets
//! come from or where events go.

#![warn(clippy::wildcard_enum_match_arm)]

mod report;

use std::net::SocketAddrV4;

use types::{Action, BookEvent, GapCause, InstrumentId, UnixNanos};
use wire::WireError;
use wire::frame::{LinkType, parse_udp_on, verify_checksums};

use super::lines::{Line, LineTable};
use super::raw_time::raw_time;
use super::silence::{Break, Silence};
use super::stamps::{Stamp, StampGuard};
use super::vouched::Vouched;
use crate::arbiter::{Arbiter, Arrival, Deliver, Hole, REQUESTS_MAX, Request};
use crate::config::{ConfigError, FeedConfig, Midnight};
use crate::decode::{
    CHANNELS_MAX, Damage, Decoder, DecoderSetup, END_OF_INPUT, EventBuffer, FeedDecoder, HELD_MAX,
    InstrumentDirectory, Place, gap_event,
};
use crate::eastern::eastern_midnight_before;
use crate::recovery::{Answer, Ask};
use crate::session::{Head, SessionId, Transport};
use crate::source::{BURST_MAX, Layer, Packet};
use crate::stats::FeedStats;

/// Events collected before they are handed on.
pub(super) const CHUNK: usize = 1_024;
/// Bytes of the largest UDP payload over IPv4.
const DATAGRAM_BYTES_MAX: usize = 65_507;
/// Bytes of the shortest message that makes an event (a system event of IEX), its length included. No decoder makes more than
/// two events for as many bytes.
const MESSAGE_BYTES_MIN: usize = 12;

/// Packets whose events the buffer has room for when they go on after a hole; more of them go on with the next poll.
const GOING_ON_MAX: usize = 64;
/// Events that no message's length bounds and that there is always room for, however few instruments there may be.
const SPARE_MIN: usize = 256;

/// Most events a payload of `bytes` can make: two for each shortest message that fits, and what its arrival may reveal before
/// them (a silence and its end, a new session, a join in its middle, a hole, damage, the end).
const fn events_of(bytes: usize) -> usize {
    2 * (bytes / MESSAGE_BYTES_MIN) + 7
}

/// When the day began of a file that carries no date.
const fn midnight_of_file(midnight: Midnight) -> UnixNanos {
    match midnight {
        Midnight::At(midnight) => midnight,
        Midnight::FromCapture => UnixNanos(0),
    }
}

/// Everything between a packet and the event buffer.
#[derive(Debug)]
pub(super) struct Pipeline {
    lines: LineTable,
    arbiters: Vec<Arbiter>,
    stamps: StampGuard,
    /// Where nobody has looked at checksums before.
    vouched: Option<Vouched>,
    core: Core,
}

/// What all channels share.
#[derive(Debug)]
struct Core {
    transport: Transport,
    decoder: FeedDecoder,
    midnight: Midnight,
    out: EventBuffer,
    stats: FeedStats,
    silence: Silence,
    /// Sequence number of the next message of a raw file.
    raw_next: u64,
    /// Latest stamp of any packet that was believed.
    arrived: UnixNanos,
    /// Arrival and venue time of the last packet with messages, to place in venue time what carries none.
    last_recv: UnixNanos,
    last_event: UnixNanos,
    /// Events in the buffer up to which packets that waited may go on.
    room: usize,
    /// What servers are to be asked, bounded by the requests that each channel may have.
    asks: Vec<Ask>,
    /// Channels that recover.
    recovering: u8,
    /// Channels that had a session, a bit each.
    begun: u64,
}

impl Pipeline {
    /// A pipeline whose buffer has room for a chunk, the largest packet, all that waits for a hole to close, and
    /// `overshoot_bytes` in one burst. `verify`: checksums are looked at here.
    pub(super) fn new(
        config: &FeedConfig,
        overshoot_bytes: usize,
        verify: bool,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let midnight = midnight_of_file(config.midnight);
        let (instruments_max, ticks) = (config.instruments_max, config.ticks.clone());
        let decoder = FeedDecoder::new(config.kind, &DecoderSetup { midnight, instruments_max, ticks });
        let (Some(decoder), Some(transport)) = (decoder, FeedDecoder::transport(config.kind)) else {
            return Err(ConfigError::NoPackets { kind: config.kind });
        };
        let waiting = config.arbiter.slots.min(GOING_ON_MAX) * events_of(config.arbiter.slot_bytes);
        let overshoot = events_of(overshoot_bytes) + BURST_MAX * events_of(0);
        // Changes kept back until their venue event is over, which the packets before counted for.
        let held = config.channels.len().max(1) * HELD_MAX;
        let spare = decoder.directory().capacity().max(SPARE_MIN);
        let core = Core {
            transport,
            decoder,
            midnight: config.midnight,
            out: EventBuffer::with_spare(
                CHUNK + 2 * events_of(DATAGRAM_BYTES_MAX) + waiting + overshoot + held,
                spare,
            ),
            stats: FeedStats::default(),
            silence: Silence::new(config.silent_after, config.channels.len().max(1)),
            raw_next: 1,
            arrived: UnixNanos(0),
            last_recv: UnixNanos(0),
            last_event: UnixNanos(0),
            room: CHUNK + waiting,
            asks: Vec::with_capacity(config.channels.len().max(1) * REQUESTS_MAX),
            recovering: 0,
            begun: 0,
        };
        let vouched = verify.then(|| Vouched::new(config.channels.len().max(1)));
        let arbiters = (0..config.channels.len().max(1)).map(|_| Arbiter::new(config.arbiter)).collect();
        let lines = LineTable::new(&config.channels);
        Ok(Self { lines, arbiters, stamps: StampGuard::new(), vouched, core })
    }

    /// Takes one packet that arrived at `at`. The buffer must hold fewer than [`CHUNK`] events, or the packet belong to the
    /// overshoot.
    #[inline]
    pub(super) fn on_packet(&mut self, packet: &Packet<'_>, at: UnixNanos) {
        self.core.arrived = self.core.arrived.max(packet.ts);
        self.core.stats.packets += 1;
        self.core.stats.bytes += packet.bytes.len() as u64;
        let outcome = match packet.layer {
            Layer::Frame(link) => self.on_frame(link, packet, at),
            Layer::Message => {
                self.core.on_raw_message(packet);
                Ok(())
            }
        };
        if let Err(error) = outcome {
            self.core.stats.note_error(error, packet.offset);
        }
    }

    /// Takes one packet of a recording, which arrived when its stamp says, if those around it agree; `now` where it has none.
    #[inline]
    pub(super) fn on_recorded(&mut self, packet: &Packet<'_>, now: UnixNanos) {
        let packet = &Packet { ts: self.core.recorded_at(packet), ..*packet };
        if packet.ts.0 == 0 {
            self.on_packet(packet, now);
        } else if self.stamps.is_plain(packet.ts) {
            self.on_packet(packet, packet.ts);
        } else {
            self.on_odd_stamp(packet);
        }
    }

    #[cold]
    fn on_odd_stamp(&mut self, packet: &Packet<'_>) {
        self.release(Some(packet.ts));
        if let Stamp::At(ts) = self.stamps.judge(packet) {
            self.on_packet(&Packet { ts, ..*packet }, ts);
        }
    }

    /// Takes the packet that waits for another to agree with its stamp: none will come.
    pub(super) fn release_held(&mut self) {
        self.release(None);
    }

    fn release(&mut self, next: Option<UnixNanos>) {
        let mut stamps = std::mem::take(&mut self.stamps);
        stamps.release(next, |held| self.on_packet(held, held.ts));
        self.stamps = stamps;
    }

    #[inline]
    fn on_frame(&mut self, link: LinkType, packet: &Packet<'_>, at: UnixNanos) -> Result<(), WireError> {
        let datagram = parse_udp_on(link, packet.bytes)?;
        let group = SocketAddrV4::new(datagram.dst_addr, datagram.dst_port);
        let known = self.lines.find(group);
        if let Some(vouched) = &mut self.vouched {
            let is_right = verify_checksums(link, packet.bytes).is_ok();
            self.core.stats.bad_checksums += u64::from(!is_right);
            if !vouched.is_read(known, is_right) {
                if let Some(line) = known {
                    self.arbiters[usize::from(line.channel)].note_bad(line.line);
                }
                return Ok(());
            }
        }
        if known.is_none() && !self.lines.can_learn() {
            self.core.stats.other_traffic += 1;
            return Ok(());
        }
        let base = u64::from(datagram.payload_offset);
        let head = match self.core.transport.read(datagram.payload) {
            Ok(head) => head,
            Err(error) if known.is_none() => {
                self.core.stats.note_foreign(error.shifted(base), packet.offset);
                return Ok(());
            }
            Err(error) => {
                if let Some(line) = known {
                    self.arbiters[usize::from(line.channel)].note_bad(line.line);
                }
                return Err(error.shifted(base));
            }
        };
        if head.is_unsequenced() {
            self.core.stats.heartbeats += 1;
            return Ok(());
        }
        let Some(line) = known.or_else(|| self.learn(group, &head)) else {
            self.core.stats.other_traffic += 1;
            return Ok(());
        };
        let ts_recv = if packet.ts.0 == 0 { at } else { packet.ts };
        let arrival = Arrival { at, ts_recv, line: line.line, offset: packet.offset + base };
        let mut sink = Sink { core: &mut self.core, channel: line.channel };
        self.arbiters[usize::from(line.channel)].on_packet(&head, datagram.payload, arrival, &mut sink);
        Ok(())
    }

    /// An unknown line is learnt when it carries the session that runs, or none runs yet: another session on another
    /// group is another channel, which has to be configured.
    #[cold]
    fn learn(&mut self, group: SocketAddrV4, head: &Head) -> Option<Line> {
        let fits = self.arbiters[0].accepts(head.session);
        fits.then(|| self.lines.learn(group))
    }

    /// Gives up holes that have been open for too long, and says which channels have fallen silent.
    #[inline]
    pub(super) fn on_time(&mut self, now: UnixNanos) {
        for (channel, arbiter) in (0_u8..).zip(&mut self.arbiters) {
            if self.core.out.len() >= CHUNK {
                return;
            }
            if arbiter.is_waiting() {
                arbiter.on_time(now, &mut Sink { core: &mut self.core, channel });
            }
            if let Some(from) = self.core.silence.check(channel, now) {
                self.core.tell_silence(channel, from, false);
            }
        }
    }

    /// Takes what a server sent. The buffer must hold fewer than [`CHUNK`] events.
    #[cold]
    pub(super) fn on_answer(&mut self, answer: &Answer, now: UnixNanos) {
        let Some(arbiter) = self.arbiters.get_mut(usize::from(answer.channel)) else { return };
        let Ok(head) = self.core.transport.read(answer.bytes()) else {
            arbiter.note_bad_answer();
            return;
        };
        let arrival = Arrival { at: now, ts_recv: now, ..Arrival::default() };
        let mut sink = Sink { core: &mut self.core, channel: answer.channel };
        arbiter.on_answer(&head, answer.bytes(), answer.server, arrival, &mut sink);
    }

    /// What servers are to be asked.
    pub(super) fn asks(&self) -> &[Ask] {
        &self.core.asks
    }

    /// They are being asked.
    pub(super) fn note_asked(&mut self) {
        self.core.asks.clear();
    }

    /// Channels that recover.
    pub(super) fn recovering(&self) -> u8 {
        self.core.recovering
    }

    /// Ends one channel, giving up its holes; false when there is no such channel.
    pub(super) fn finish_channel(&mut self, channel: usize) -> bool {
        let Some(arbiter) = self.arbiters.get_mut(channel) else { return false };
        let channel = u8::try_from(channel).unwrap_or(u8::MAX);
        arbiter.finish(&mut Sink { core: &mut self.core, channel });
        self.core.decoder.end_overdue(channel, END_OF_INPUT, &mut self.core.out);
        true
    }

    pub(super) fn out(&mut self) -> &mut EventBuffer {
        &mut self.core.out
    }

    pub(super) fn note_sent(&mut self, events: usize) {
        self.core.out.advance(events);
        self.core.stats.events += events as u64;
    }

    pub(super) fn directory(&self) -> &InstrumentDirectory {
        self.core.decoder.directory()
    }

    /// The time a replay has reached: arrival of the last packet, or venue time where files carry no stamps.
    pub(super) fn replay_time(&self) -> UnixNanos {
        if self.core.raw_next > 1 { self.core.stats.last_ts() } else { self.core.arrived }
    }
}

impl Core {
    /// When a recorded packet arrived; a message of a raw file did when it says.
    #[inline]
    fn recorded_at(&self, packet: &Packet<'_>) -> UnixNanos {
        match packet.layer {
            Layer::Frame(_) => packet.ts,
            Layer::Message => raw_time(packet.bytes, midnight_of_file(self.midnight), self.stats.last_ts()),
        }
    }

    /// A message without transport: its number is its place in the file, its arrival its own time, if those around it agree.
    #[inline]
    fn on_raw_message(&mut self, packet: &Packet<'_>) {
        let place = Place { seq: self.raw_next, ts_recv: UnixNanos(0), channel: 0, offset: packet.offset };
        self.raw_next += 1;
        let before = self.out.pending().len();
        self.stats.event_time.stands_at(packet.ts);
        if let Err(damage) = self.decoder.decode(packet.bytes, &place, &mut self.out, &mut self.stats) {
            self.note_damage(packet.bytes, damage, &place);
            self.out.push(gap_event(&place, self.stats.last_ts(), place.seq, 1, GapCause::Malformed));
        }
        for event in &mut self.out.pending_mut()[before..] {
            event.ts_recv = event.ts_event;
        }
    }

    /// Counts a message that was not understood.
    #[cold]
    fn note_damage(&mut self, message: &[u8], damage: Damage, place: &Place) {
        match damage {
            Damage::Field => self.stats.bad_fields += 1,
            Damage::Wire(error) => {
                let message_type = message.get(self.transport.type_at()).copied().unwrap_or(0);
                self.stats.note_timeless(message_type);
                self.stats.note_error(error, place.offset);
            }
        }
    }

    /// The channel is silent from an arrival time on, or heard again.
    #[cold]
    fn tell_silence(&mut self, channel: u8, at: UnixNanos, heard: bool) {
        let place = Place { seq: 0, ts_recv: at, channel, offset: 0 };
        let event = place.event(self.venue_time(at), InstrumentId::ALL, Action::Silence);
        self.out.push(BookEvent { aux: u64::from(heard), ..event });
    }

    /// Venue time at an arrival that does not tell it: the last event's, moved on by what passed since. Arrivals count in
    /// whole microseconds, which is all that DPDK's `net_pcap` keeps of a capture's stamps: the same capture must give the
    /// same grid points whichever way it is read.
    fn venue_time(&self, ts_recv: UnixNanos) -> UnixNanos {
        let micros = |ts: UnixNanos| UnixNanos(ts.0 / 1_000 * 1_000);
        if self.last_event.0 == 0 {
            return micros(ts_recv);
        }
        self.last_event.plus(micros(ts_recv).since(micros(self.last_recv)))
    }
}

/// Receives what arbitration lets through, for one channel.
struct Sink<'a> {
    core: &'a mut Core,
    channel: u8,
}

impl Sink<'_> {
    fn place(&self, seq: u64, arrival: Arrival) -> Place {
        Place { seq, ts_recv: arrival.ts_recv, channel: self.channel, offset: arrival.offset }
    }

    /// The channel is heard.
    #[inline]
    fn hear(&mut self, arrival: Arrival) {
        let heard = self.core.silence.hear(self.channel, arrival.at);
        if heard != Break::default() {
            if let Some(from) = heard.silent_from {
                self.core.tell_silence(self.channel, from, false);
            }
            self.core.tell_silence(self.channel, arrival.ts_recv, true);
        }
    }

    /// Ends what should be over of the channel, which is at `now` by the venue's clock.
    #[inline]
    fn end_overdue(&mut self, now: UnixNanos) {
        self.core.decoder.end_overdue(self.channel, now, &mut self.core.out);
    }

    fn gap(&mut self, place: &Place, first: u64, count: u64, cause: GapCause) {
        let ts_event = self.core.venue_time(place.ts_recv);
        self.core.out.push(gap_event(place, ts_event, first, count, cause));
    }
}

impl Deliver for Sink<'_> {
    #[inline]
    fn packet(&mut self, head: &Head, payload: &[u8], skip: u16, arrival: Arrival) {
        let Some(messages) = self.core.transport.messages(payload) else { return };
        self.hear(arrival);
        let mut damaged = false;
        let shared = self.core.transport.numbers_packets();
        self.end_overdue(self.core.venue_time(arrival.ts_recv));
        self.core.stats.event_time.arrived(arrival.ts_recv);
        if shared {
            // Not every message says when it happened; each happened before its packet was sent.
            self.core.stats.event_time.believe(head.sent);
        }
        for (index, message) in messages.enumerate().skip(usize::from(skip)) {
            let seq = if shared { head.seq } else { head.seq + index as u64 };
            let place = self.place(seq, arrival);
            let (bytes, outcome) = match message {
                Ok(bytes) => {
                    let core = &mut *self.core;
                    (bytes, core.decoder.decode(bytes, &place, &mut core.out, &mut core.stats))
                }
                Err(error @ WireError::TrailingBytes { .. }) => {
                    self.core.stats.note_error(error, arrival.offset);
                    break;
                }
                Err(error) => (&[][..], Err(Damage::Wire(error))),
            };
            if let Err(damage) = outcome {
                let within = if bytes.is_empty() { 0 } else { offset_within(payload, bytes) };
                self.core.note_damage(bytes, damage, &Place { offset: arrival.offset + within, ..place });
                if !damaged {
                    // One gap per packet says it: whatever else is damaged, the books are stale already.
                    damaged = true;
                    self.gap(&place, seq, 0, GapCause::Malformed);
                }
            }
        }
        self.core.last_recv = self.core.last_recv.max(arrival.ts_recv);
        self.core.last_event = self.core.stats.event_time.clock();
    }

    #[cold]
    fn hole(&mut self, hole: Hole, arrival: Arrival) {
        self.hear(arrival);
        let place = self.place(hole.first + hole.count - 1, arrival);
        self.gap(&place, hole.first, hole.count, GapCause::Sequence);
    }

    fn heartbeat(&mut self, head: &Head, arrival: Arrival) {
        self.core.stats.heartbeats += 1;
        self.hear(arrival);
        let ts_event = if head.sent.0 == 0 {
            self.core.venue_time(arrival.ts_recv)
        } else {
            self.core.stats.event_time.arrived(arrival.ts_recv);
            self.core.stats.event_time.believe(head.sent)
        };
        self.end_overdue(ts_event);
        let place = self.place(head.seq.saturating_sub(1), arrival);
        self.core.out.push(place.event(ts_event, InstrumentId::ALL, Action::Time));
    }

    #[cold]
    fn session(&mut self, _session: SessionId, interrupted: bool, arrival: Arrival) {
        self.hear(arrival);
        self.core.decoder.begin_session(match self.core.midnight {
            Midnight::FromCapture => eastern_midnight_before(arrival.ts_recv),
            Midnight::At(midnight) => midnight,
        });
        let before = self.core.begun;
        self.core.begun |= 1 << (usize::from(self.channel) % CHANNELS_MAX);
        // Whether it had ended or not: its books are not those of this one, which begins with an order to empty them.
        if interrupted || before == self.core.begun {
            let place = self.place(0, arrival);
            self.gap(&place, 0, 0, GapCause::SessionChange);
        }
    }

    #[cold]
    fn end_of_session(&mut self, arrival: Arrival) {
        self.hear(arrival);
        self.core.silence.end(self.channel);
        let ts_event = self.core.venue_time(arrival.ts_recv);
        let place = self.place(0, arrival);
        self.core.out.push(place.event(ts_event, InstrumentId::ALL, Action::SessionEnd));
    }

    #[cold]
    fn request(&mut self, request: Request) {
        if self.core.asks.len() < self.core.asks.capacity() {
            self.core.asks.push(Ask { channel: self.channel, request });
        }
    }

    /// Books do not know their channel: all of them are old while any channel recovers.
    #[cold]
    fn recovering(&mut self, begins: bool, arrival: Arrival) {
        let before = self.core.recovering;
        self.core.recovering = if begins { before.saturating_add(1) } else { before.saturating_sub(1) };
        let cause = match (before, self.core.recovering) {
            (0, 1) => GapCause::Recovering,
            (1, 0) => GapCause::Recovered,
            _ => return,
        };
        let place = self.place(0, arrival);
        self.gap(&place, 0, 0, cause);
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.core.out.len() < self.core.room
    }
}

/// Where `part`, a slice of `whole`, begins in it.
fn offset_within(whole: &[u8], part: &[u8]) -> u64 {
    (part.as_ptr().addr().saturating_sub(whole.as_ptr().addr())) as u64
}
