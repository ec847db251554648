//! From a packet to events in the buffer: frame, line, session, arbitration, decoding. Nothing here knows where packets
//! come from or where events go.

mod report;
mod shared;
mod sink;

use std::net::{Ipv4Addr, SocketAddrV4};

use types::{ChannelWord, UnixNanos};
use wire::WireError;
use wire::frame::{LinkType, ipv4_destination, parse_udp, verify_checksums};

use super::candidates::{Candidates, GROUPS_MAX, KEPT_MAX, Kept, leave_out};
use super::lag::{Lag, late_after};
use super::lines::{Line, LineTable};
use super::silence::Silence;
use super::stamps::{HELD_MAX as STAMPS_HELD_MAX, StampGuard};
use super::vouched::Vouched;
use crate::arbiter::{Arbiter, Arrival, REQUESTS_MAX};
use crate::config::{ConfigError, FeedConfig};
use crate::decode::{Decoder, DecoderSetup, END_OF_INPUT, EventBuffer, FeedDecoder, HELD_MAX};
use crate::recovery::{Answer, Ask};
use crate::session::Head;
use crate::source::{BURST_MAX, Layer, Packet};
use crate::stats::{FeedStats, LeftOut};
use shared::{Core, midnight_of_file};
use sink::Sink;

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
/// them (a silence and its end, that it is late or no longer, a doubt and its end, two contradictions, a new session, a join in its middle, a hole, damage, the end).
const fn events_of(bytes: usize) -> usize {
    2 * (bytes / MESSAGE_BYTES_MIN) + 12
}

/// Everything between a packet and the event buffer.
#[derive(Debug)]
pub(super) struct Pipeline {
    lines: LineTable,
    arbiters: Vec<Arbiter>,
    stamps: StampGuard,
    /// Where the groups of the feed have to be learnt and none is yet.
    candidates: Option<Candidates>,
    /// Groups that were not.
    left_out: Vec<LeftOut>,
    /// Where nobody has looked at checksums before.
    vouched: Option<Vouched>,
    core: Core,
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
        // Packets that waited for others to tell when they came, or which session they are of, take the room of a largest packet each
        // time.
        let overshoot = events_of(overshoot_bytes) + (BURST_MAX + STAMPS_HELD_MAX + KEPT_MAX) * events_of(0);
        // Changes kept back until their venue event is over, which the packets before counted for.
        let held = config.channels.len().max(1) * HELD_MAX;
        let spare = decoder.directory().capacity().max(SPARE_MIN);
        let core = Core {
            transport,
            decoder,
            midnight: config.midnight,
            out: EventBuffer::with_spare(
                CHUNK + 4 * events_of(DATAGRAM_BYTES_MAX) + waiting + overshoot + held,
                spare,
            ),
            stats: FeedStats::default(),
            silence: Silence::new(config.silent_after, config.channels.len().max(1)),
            lag: Lag::new(late_after(config.silent_after), config.channels.len().max(1)),
            steered_ns: 0,
            raw_before: UnixNanos(0),
            raw_next: 1,
            arrived: UnixNanos(0),
            last_recv: UnixNanos(0),
            last_event: UnixNanos(0),
            turn: 0,
            parked: (0..config.channels.len().max(1)).map(|_| None).collect(),
            room: CHUNK + waiting,
            asks: Vec::with_capacity(config.channels.len().max(1) * REQUESTS_MAX),
            recovering: 0,
            begun: 0,
        };
        let vouched = verify.then(|| Vouched::new(config.channels.len().max(1)));
        let arbiters = (0..config.channels.len().max(1)).map(|_| Arbiter::new(config.arbiter)).collect();
        let lines = LineTable::new(&config.channels);
        let candidates = lines.can_learn().then(Candidates::default);
        let (stamps, left_out) = (StampGuard::new(), Vec::with_capacity(GROUPS_MAX));
        Ok(Self { lines, arbiters, stamps, candidates, left_out, vouched, core })
    }

    /// Takes one packet that arrived at `at`. The buffer must hold fewer than [`CHUNK`] events, or the packet belong to the
    /// overshoot.
    #[inline]
    pub(super) fn on_packet(&mut self, packet: &Packet<'_>, at: UnixNanos) {
        self.core.arrived = self.core.arrived.max(packet.ts);
        self.core.stats.packets += 1;
        self.core.stats.bytes += packet.bytes.len() as u64;
        let outcome = match packet.layer {
            Layer::Frame(link) => self.on_frame(link, packet, false, at),
            Layer::Condemned(link) => self.on_frame(link, packet, true, at),
            Layer::Message => {
                self.core.on_raw_message(packet);
                Ok(())
            }
        };
        if let Err(error) = outcome {
            self.core.stats.note_error(error, packet.offset);
        }
    }

    /// The clock that packets without a stamp are timed by has gone `steered_ns` more than the time that passed.
    #[inline]
    pub(super) const fn note_steering(&mut self, steered_ns: i64) {
        self.core.steered_ns = steered_ns;
    }

    /// Says of each channel that was heard whether it is silent or late, since the word may have been lost. The buffer must hold fewer than
    /// [`CHUNK`] events.
    #[cold]
    pub(super) fn say_again(&mut self, now: UnixNanos) {
        for channel in (0_u8..).take(self.arbiters.len()) {
            let words = self.core.silence.word(channel).into_iter().chain(self.core.lag.word(channel));
            words.for_each(|word| self.core.tell(channel, word, now));
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
        let mut stamps = std::mem::take(&mut self.stamps);
        stamps.take(packet, |held| self.on_packet(held, held.ts));
        self.stamps = stamps;
    }

    /// Takes the packets that wait for others to agree with their stamps, or on a session: none will come.
    pub(super) fn release_held(&mut self) {
        let mut stamps = std::mem::take(&mut self.stamps);
        stamps.release(|held| self.on_packet(held, held.ts));
        self.stamps = stamps;
        self.choose();
    }

    #[inline]
    fn on_frame(
        &mut self,
        link: LinkType,
        packet: &Packet<'_>,
        condemned: bool,
        at: UnixNanos,
    ) -> Result<(), WireError> {
        let datagram = match parse_udp(link, packet.bytes) {
            Ok(datagram) => datagram,
            Err(error) => return self.on_no_datagram(link, packet, condemned, error),
        };
        let group = SocketAddrV4::new(datagram.dst_addr, datagram.dst_port);
        let known = self.lines.find(group);
        if known.is_none() && !self.lines.can_learn() {
            self.on_other_group(link, packet, condemned, *group.ip());
            return Ok(());
        }
        if condemned || !self.is_vouched(known, link, packet.bytes) {
            self.note_condemned(known, condemned);
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
                self.note_bad(known);
                return Err(error.shifted(base));
            }
        };
        if head.is_unsequenced() {
            self.core.stats.heartbeats += 1;
            return Ok(());
        }
        let ts_recv = if packet.ts.0 == 0 { at } else { packet.ts };
        let arrival = Arrival { at, ts_recv, line: 0, offset: packet.offset + base };
        match known {
            Some(line) => self.arbitrate(line, &head, datagram.payload, arrival),
            None => self.on_stranger(group, &head, datagram.payload, arrival),
        }
        Ok(())
    }

    #[inline]
    fn arbitrate(&mut self, line: Line, head: &Head, payload: &[u8], arrival: Arrival) {
        let mut sink = Sink::of(&mut self.core, line.channel);
        let arrival = Arrival { line: line.line, ..arrival };
        self.arbiters[usize::from(line.channel)].on_packet(head, payload, arrival, &mut sink);
    }

    /// A packet that may be of the feed, of a group that is not known.
    #[cold]
    fn on_stranger(&mut self, group: SocketAddrV4, head: &Head, payload: &[u8], arrival: Arrival) {
        match &mut self.candidates {
            Some(candidates) => {
                if candidates.add(group, head, payload, arrival) {
                    self.choose();
                }
            }
            None => match self.learn(group, head) {
                Some(line) => self.arbitrate(line, head, payload, arrival),
                None => self.leave_out(group),
            },
        }
    }

    /// The session of the feed is the one that most packets agree on.
    #[cold]
    fn choose(&mut self) {
        let Some(mut candidates) = self.candidates.take() else { return };
        let (chosen, others) = candidates.choose();
        for Kept { group, head, arrival, payload } in chosen {
            match self.lines.find(group) {
                Some(line) => self.arbitrate(line, &head, &payload, arrival),
                None => self.on_stranger(group, &head, &payload, arrival),
            }
        }
        others.iter().for_each(|kept| self.leave_out(kept.group));
    }

    /// Counts a packet that may be of the feed, and is not of its session.
    #[cold]
    fn leave_out(&mut self, group: SocketAddrV4) {
        self.core.stats.other_traffic += 1;
        leave_out(&mut self.left_out, group);
    }

    /// A frame without a whole UDP datagram over IPv4. The port of a feed hears other hosts, too: what is none of the feed's is
    /// no damage.
    #[cold]
    fn on_no_datagram(
        &mut self,
        link: LinkType,
        packet: &Packet<'_>,
        condemned: bool,
        error: WireError,
    ) -> Result<(), WireError> {
        // Of a header that is condemned nothing is believed but whom it is for, since the switch let it through.
        let is_other = matches!(error, WireError::NotIpv4 { .. })
            || (matches!(error, WireError::NotUdp { .. }) && !condemned)
            || ipv4_destination(link, packet.bytes).is_some_and(|to| self.lines.is_elsewhere(to));
        if is_other {
            self.core.stats.note_foreign(error, packet.offset);
        } else if condemned {
            self.note_condemned(None, true);
        } else {
            return Err(error);
        }
        Ok(())
    }

    /// A datagram for a group and port of no line, and none is learnt. For the address of one, its port may be what is damaged: of a
    /// frame that is condemned nothing is believed but that address, since the switch let it through.
    fn on_other_group(&mut self, link: LinkType, packet: &Packet<'_>, condemned: bool, to: Ipv4Addr) {
        let is_damage =
            !self.lines.is_elsewhere(to) && (condemned || self.is_damaged(link, packet.bytes, to));
        if is_damage {
            self.note_condemned(None, true);
        } else {
            self.core.stats.other_traffic += 1;
        }
    }

    /// Whether a datagram for the address `to` has wrong checksums, where nobody looked at them before and a line of that address is known
    /// to set right ones.
    #[cold]
    fn is_damaged(&self, link: LinkType, frame: &[u8], to: Ipv4Addr) -> bool {
        let Some(vouched) = &self.vouched else { return false };
        self.lines.of_address(to).any(|line| vouched.sets_right_ones(line))
            && verify_checksums(link, frame).is_err()
    }

    /// Whether a packet is read as far as its checksums go, where nobody looked at them before.
    #[inline]
    fn is_vouched(&mut self, known: Option<Line>, link: LinkType, frame: &[u8]) -> bool {
        let Some(vouched) = &mut self.vouched else { return true };
        let is_right = verify_checksums(link, frame).is_ok();
        self.core.stats.bad_checksums += u64::from(!is_right);
        vouched.is_read(known, is_right)
    }

    /// A packet is not read because of its checksums; `found` where that was found before it came here.
    #[cold]
    fn note_condemned(&mut self, known: Option<Line>, found: bool) {
        self.core.stats.bad_checksums += u64::from(found);
        self.core.stats.condemned += 1;
        self.note_bad(known);
    }

    /// A packet of a known line cannot be read.
    #[cold]
    fn note_bad(&mut self, known: Option<Line>) {
        if let Some(Line { channel, line }) = known {
            self.arbiters[usize::from(channel)].note_bad(line);
        }
    }

    /// An unknown line is learnt when it carries the session that runs, or none runs yet: another session on another
    /// group is another channel, which has to be configured.
    #[cold]
    fn learn(&mut self, group: SocketAddrV4, head: &Head) -> Option<Line> {
        let fits = self.lines.can_learn() && self.arbiters[0].accepts(head.session);
        fits.then(|| self.lines.learn(group))
    }

    /// Gives up holes that have been open for too long, and says which channels are in doubt or have fallen silent.
    #[inline]
    pub(super) fn on_time(&mut self, now: UnixNanos) {
        for (channel, arbiter) in (0_u8..).zip(&mut self.arbiters) {
            if self.core.out.len() >= CHUNK {
                return;
            }
            if arbiter.is_timed() {
                arbiter.on_time(now, &mut Sink::of(&mut self.core, channel));
            }
            if let Some(from) = self.core.silence.check(channel, now) {
                self.core.tell(channel, ChannelWord::Silent, from);
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
        let mut sink = Sink::of(&mut self.core, answer.channel);
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

    /// Channels that recover, or of which a claim is in doubt.
    pub(super) fn recovering(&self) -> u8 {
        self.core.recovering
    }

    /// Ends one channel, giving up its holes; false when there is no such channel.
    pub(super) fn finish_channel(&mut self, channel: usize) -> bool {
        let Some(arbiter) = self.arbiters.get_mut(channel) else { return false };
        let channel = u8::try_from(channel).unwrap_or(u8::MAX);
        arbiter.finish(&mut Sink::of(&mut self.core, channel));
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

    /// The time a replay has reached: arrival of the last packet, or venue time where files carry no stamps.
    pub(super) fn replay_time(&self) -> UnixNanos {
        if self.core.raw_next > 1 { self.core.stats.last_ts() } else { self.core.arrived }
    }
}
