//! What all channels of a pipeline share: the decoder, the buffer of events, and the time.

use types::{Action, BookEvent, ChannelWord, GapCause, InstrumentId, UnixNanos};

use crate::config::Midnight;
use crate::decode::{Damage, Decoder as _, EventBuffer, FeedDecoder, Place, gap_event};
use crate::event_time::EventTime;
use crate::receiver::lag::Lag;
use crate::receiver::raw_time::{DAY, raw_time};
use crate::receiver::silence::Silence;
use crate::recovery::Ask;
use crate::session::Transport;
use crate::source::{Layer, Packet};
use crate::stats::FeedStats;

/// When the day began of a file that carries no date.
pub(super) const fn midnight_of_file(midnight: Midnight) -> UnixNanos {
    match midnight {
        Midnight::At(midnight) => midnight,
        Midnight::FromCapture => UnixNanos(0),
    }
}

/// The venue's clock as a channel shows it.
#[derive(Debug)]
pub(super) struct ChannelTime {
    event_time: EventTime,
    last_recv: UnixNanos,
    last_event: UnixNanos,
}

/// What all channels share.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) transport: Transport,
    pub(super) decoder: FeedDecoder,
    pub(super) midnight: Midnight,
    pub(super) out: EventBuffer,
    pub(super) stats: FeedStats,
    pub(super) silence: Silence,
    pub(super) lag: Lag,
    /// What the clock of arrivals has gone more than the time that passed, where packets have no stamp of their own.
    pub(super) steered_ns: i64,
    /// The time of the last message of a raw file that was read, where none is believed yet.
    pub(super) raw_before: UnixNanos,
    /// Sequence number of the next message of a raw file.
    pub(super) raw_next: u64,
    /// Latest stamp of any packet that was believed.
    pub(super) arrived: UnixNanos,
    /// Arrival and venue time of the last packet with messages of the channel that has its turn, to place in venue time what carries none.
    pub(super) last_recv: UnixNanos,
    pub(super) last_event: UnixNanos,
    /// The channel of which those are, and the times in `stats`; and those of the others that had a turn.
    pub(super) turn: u8,
    pub(super) parked: Vec<Option<ChannelTime>>,
    /// Events in the buffer up to which packets that waited may go on.
    pub(super) room: usize,
    /// What servers are to be asked, bounded by the requests that each channel may have.
    pub(super) asks: Vec<Ask>,
    /// Channels that recover, and those of which a claim is in doubt.
    pub(super) recovering: u8,
    /// Channels that had a session, a bit each.
    pub(super) begun: u64,
}

impl Core {
    /// When a recorded packet arrived; a message of a raw file did when it says.
    #[inline]
    pub(super) fn recorded_at(&mut self, packet: &Packet<'_>) -> UnixNanos {
        match packet.layer {
            Layer::Frame(_) | Layer::Condemned(_) => packet.ts,
            Layer::Message => {
                let (midnight, believed) = (midnight_of_file(self.midnight), self.stats.last_ts());
                let before = if believed.0 == 0 { self.raw_before } else { believed };
                let ts = raw_time(packet.bytes, midnight, before);
                if ts.since(before.max(midnight)).0 < DAY {
                    self.raw_before = ts;
                }
                ts
            }
        }
    }

    /// A message without transport: its number is its place in the file, its arrival its own time, if those around it agree.
    #[inline]
    pub(super) fn on_raw_message(&mut self, packet: &Packet<'_>) {
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
    pub(super) fn note_damage(&mut self, message: &[u8], damage: Damage, place: &Place) {
        match damage {
            Damage::Field => self.stats.bad_fields += 1,
            Damage::Wire(error) => {
                let message_type = message.get(self.transport.type_at()).copied().unwrap_or(0);
                self.stats.note_timeless(message_type);
                self.stats.note_error(error, place.offset);
            }
        }
    }

    /// What follows is of `channel`: each has times of its own, so that one that lags says nothing of the others'.
    #[inline]
    pub(super) fn turn_to(&mut self, channel: u8) {
        if channel != self.turn {
            self.change_turn(channel);
        }
    }

    #[inline(never)]
    fn change_turn(&mut self, channel: u8) {
        let Some(coming) = self.parked.get_mut(usize::from(channel)).map(Option::take) else { return };
        let coming = coming.unwrap_or_else(|| ChannelTime {
            event_time: self.stats.event_time.follow(),
            last_recv: self.last_recv,
            last_event: self.last_event,
        });
        let leaving = ChannelTime {
            event_time: std::mem::replace(&mut self.stats.event_time, coming.event_time),
            last_recv: std::mem::replace(&mut self.last_recv, coming.last_recv),
            last_event: std::mem::replace(&mut self.last_event, coming.last_event),
        };
        self.parked[usize::from(self.turn)] = Some(leaving);
        self.turn = channel;
    }

    /// Adds the times of the channels that do not have their turn.
    pub(super) fn add_parked(&self, stats: &mut FeedStats) {
        let parked = self.parked.iter().flatten();
        parked.for_each(|channel| stats.event_time.take_in(&channel.event_time));
    }

    /// What is to be said of the channel as a whole from an arrival time on.
    #[cold]
    pub(super) fn tell(&mut self, channel: u8, word: ChannelWord, at: UnixNanos) {
        self.turn_to(channel);
        let place = Place { seq: 0, ts_recv: at, channel, offset: 0 };
        let event = place.event(self.venue_time(at), InstrumentId::ALL, Action::Channel);
        self.out.push(BookEvent { aux: word as u64, ..event });
    }

    /// Venue time at an arrival that does not tell it: the last event's, moved on by what passed since. Arrivals count in
    /// whole microseconds, which is all that DPDK's `net_pcap` keeps of a capture's stamps: the same capture must give the
    /// same grid points whichever way it is read.
    pub(super) fn venue_time(&self, ts_recv: UnixNanos) -> UnixNanos {
        let micros = |ts: UnixNanos| UnixNanos(ts.0 / 1_000 * 1_000);
        if self.last_event.0 == 0 {
            return micros(ts_recv);
        }
        self.last_event.plus(micros(ts_recv).since(micros(self.last_recv)))
    }
}
