//! What one feed has said so far, and where it stands.

use types::{Action, GapCause, InstrumentId, UnixNanos};
use wire::mdp3;

use super::securities::Securities;
use crate::decode::decoder::{Begin, CHANNELS_MAX, DecoderSetup, Emit, Heard, Place, gap_event};
use crate::decode::held::Held;
use crate::decode::spread;

/// Decoder of one MDP 3.0 feed; `ORDERS` says what its books are made of.
#[derive(Debug)]
pub struct Mdp3Decoder<const ORDERS: bool> {
    pub(super) securities: Securities,
    pub(super) held: Held,
    /// By channel: what was heard of its beginning, and its last packet.
    pub(super) channels: Box<[(Heard, u64)]>,
}

impl<const ORDERS: bool> Mdp3Decoder<ORDERS> {
    /// A decoder that knows no instrument yet. All its memory is taken here.
    #[must_use]
    pub fn new(setup: &DecoderSetup) -> Self {
        Self {
            securities: Securities::new(setup),
            held: Held::new(CHANNELS_MAX),
            channels: vec![(Heard::Nothing, 0); CHANNELS_MAX].into_boxed_slice(),
        }
    }

    /// Whether books of the channel are whole from their first update on: it was heard from its first packet.
    fn is_whole(&self, channel: u8) -> bool {
        let heard = self.channels.get(usize::from(channel));
        heard.is_some_and(|(heard, _)| *heard == Heard::FromTheStart)
    }

    /// The packet that the channel of an instrument's updates has come to; the furthest of all channels where it had none yet; 0
    /// before anything came.
    pub(super) fn shown(&mut self, instrument: InstrumentId) -> u64 {
        match self.securities.get(instrument).channel {
            Some(channel) => self.channels.get(usize::from(channel)).map_or(0, |(_, last)| *last),
            None => self.channels.iter().map(|(_, last)| *last).max().unwrap_or(0),
        }
    }

    /// The instrument of an update, which comes on the channel of its updates.
    #[inline]
    pub(super) fn updated(&mut self, m: &mut Emit<'_>, security_id: i32) -> Option<InstrumentId> {
        let instrument = self.securities.instrument(m, security_id)?;
        let channel = m.place().channel;
        if self.securities.get(instrument).channel != Some(channel) {
            let is_whole = self.is_whole(channel);
            self.securities.adopt(m, instrument, channel, is_whole);
        }
        Some(instrument)
    }

    /// Notes a packet's place. A channel begins with its first packet, and again whenever its numbers do.
    #[inline]
    pub(super) fn follow(&mut self, begin: &mut Begin<'_>) {
        let Place { seq, channel, .. } = *begin.place;
        let Some((_, last)) = self.channels.get_mut(usize::from(channel)) else { return };
        let before = std::mem::replace(last, seq);
        if before != 0 && seq >= before && (seq != 1 || before == 1) {
            return;
        }
        self.begin_channel(begin, before);
    }

    #[cold]
    fn begin_channel(&mut self, begin: &mut Begin<'_>, before: u64) {
        let Place { seq, channel, .. } = *begin.place;
        let heard = if seq == 1 { Heard::FromTheStart } else { Heard::FromTheMiddle };
        if let Some((known, _)) = self.channels.get_mut(usize::from(channel)) {
            *known = heard;
        }
        if before == 0 {
            return;
        }
        self.held.forget(channel);
        self.securities.restart(channel);
        let ts = begin.stats.last_ts();
        if seq == 1 {
            let clear = begin.place.event(ts, InstrumentId::ALL, Action::Clear);
            self.securities.spread.say_of_books(clear, channel, begin.out);
        }
        // Snapshots alone made these books, and count the packets that were before.
        self.securities.restart(spread::NOWHERE);
        let doubt = gap_event(begin.place, ts, 0, 0, GapCause::MidSession);
        self.securities.spread.say_of_books(doubt, spread::NOWHERE, begin.out);
    }

    /// The message is done; its indicator says whether the event is.
    #[inline]
    pub(super) fn end_message(&mut self, m: &mut Emit<'_>, match_event_indicator: u8) {
        if match_event_indicator & mdp3::END_OF_EVENT != 0 {
            let channel = m.place().channel;
            self.held.end(channel, m.out());
        }
    }
}

/// A message's time as events carry it.
#[inline(always)]
pub(super) fn ts(nanoseconds: u64) -> UnixNanos {
    UnixNanos(nanoseconds)
}
