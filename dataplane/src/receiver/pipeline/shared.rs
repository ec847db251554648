//! What all channels of a pipeline share: the decoder, the buffer of events, and the time.

use types::{Action, BookEvent, ChannelWord, GapCause, InstrumentId, UnixNanos};

use crate::config::Midnight;
use crate::decode::{Damage, Decoder as _, EventBuffer, FeedDecoder, Place, gap_event};
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
    /// Arrival and venue time of the last packet with messages, to place in venue time what carries none.
    pub(super) last_recv: UnixNanos,
    pub(super) last_event: UnixNanos,
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

    /// What is to be said of the channel as a whole from an arrival time on.
    #[cold]
    pub(super) fn tell(&mut self, channel: u8, word: ChannelWord, at: UnixNanos) {
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
