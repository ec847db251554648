//! What arbitration lets through, as events in the buffer.

use types::{Action, BookEvent, ChannelWord, EndWord, EventFlags, GapCause, InstrumentId, UnixNanos};
use wire::WireError;

use super::shared::Core;
use crate::arbiter::{Arrival, Deliver, Hole, Request, SERVER_LINE};
use crate::config::Midnight;
use crate::decode::{CHANNELS_MAX, Damage, Decoder as _, Place, gap_event};
use crate::eastern::eastern_midnight_before;
use crate::receiver::silence::Break;
use crate::recovery::Ask;
use crate::session::{Head, Messages, SessionId};

/// Receives what arbitration lets through, for one channel.
pub(super) struct Sink<'a> {
    pub(super) core: &'a mut Core,
    pub(super) channel: u8,
}

impl<'a> Sink<'a> {
    /// For what comes of `channel`, which has its turn now.
    #[inline]
    pub(super) fn of(core: &'a mut Core, channel: u8) -> Self {
        core.turn_to(channel);
        Self { core, channel }
    }

    fn place(&self, seq: u64, arrival: Arrival) -> Place {
        Place { seq, ts_recv: arrival.ts_recv, channel: self.channel, offset: arrival.offset }
    }

    /// The channel is heard.
    #[inline]
    fn hear(&mut self, arrival: Arrival) {
        let heard = self.core.silence.hear(self.channel, arrival.at);
        if heard != Break::default() {
            if let Some(from) = heard.silent_from {
                self.core.tell(self.channel, ChannelWord::Silent, from);
            }
            self.core.tell(self.channel, ChannelWord::Heard, arrival.ts_recv);
            self.core.lag.doubt(self.channel);
        }
    }

    /// Says when the channel becomes late by the stamps of what was just taken in, or no longer is. What a server was asked for is old
    /// by its nature.
    #[inline]
    fn note_lag(&mut self, before: usize, arrival: Arrival) {
        if arrival.line == SERVER_LINE {
            return;
        }
        // A stamp of a port's own is not by the clock that somebody may have set.
        let steered_ns = if arrival.ts_recv == arrival.at { self.core.steered_ns } else { 0 };
        let (channel, ts_recv) = (self.channel, arrival.ts_recv);
        let time = &self.core.stats.event_time;
        // Where packets have a time of sending, a backlog is sent now: how old it is say the messages that changed a book.
        let sends_now = self.core.transport.numbers_packets();
        let believed = if sends_now {
            let told = self.core.out.pending().get(before..).unwrap_or_default();
            told.iter()
                .rev()
                .find(|event| is_of_now(event))
                .and_then(|event| time.distance_of(event.ts_event))
        } else {
            time.distance()
        };
        let turn = match (time.unbelieved().filter(|_| !sends_now), believed) {
            (Some(distance), _) => {
                let turn = self.core.lag.note_unbelieved(channel, distance, steered_ns, ts_recv);
                if turn == Some(ChannelWord::InTime) {
                    // It is where it was before the lag, which its times were forgotten for: at once, and orders in between find it late.
                    let time = &mut self.core.stats.event_time;
                    self.core.last_event = time.step_to(distance);
                }
                turn
            }
            (None, Some(distance)) => self.core.lag.note(channel, distance, steered_ns, ts_recv),
            (None, None) => None,
        };
        if let Some(word) = turn {
            self.core.tell(channel, word, ts_recv);
        }
    }

    /// Ends what should be over of the channel, which is at `now` by the venue's clock.
    #[inline]
    fn end_overdue(&mut self, now: UnixNanos) {
        self.core.decoder.end_overdue(self.channel, now, &mut self.core.out);
    }

    /// The session of the channel is over, or that is taken back.
    fn end(&mut self, word: EndWord, arrival: Arrival) {
        let ts_event = self.core.venue_time(arrival.ts_recv);
        let event = self.place(0, arrival).event(ts_event, InstrumentId::ALL, Action::SessionEnd);
        self.core.out.push(BookEvent { aux: word as u64, ..event });
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
        let before = self.core.out.pending().len();
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
        self.note_lag(before, arrival);
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
    fn session(&mut self, _session: SessionId, _interrupted: bool, arrival: Arrival) {
        self.hear(arrival);
        self.core.decoder.begin_session(match self.core.midnight {
            Midnight::FromCapture => eastern_midnight_before(arrival.ts_recv),
            Midnight::At(midnight) => midnight,
        });
        let before = self.core.begun;
        self.core.begun |= 1 << (usize::from(self.channel) % CHANNELS_MAX);
        // Whether it had ended or not: its books are not those of this one, which begins with an order to empty them.
        if before == self.core.begun {
            let place = self.place(0, arrival);
            self.gap(&place, 0, 0, GapCause::SessionChange);
        }
    }

    #[cold]
    fn end_of_session(&mut self, arrival: Arrival) {
        self.hear(arrival);
        self.core.silence.end(self.channel);
        self.core.stats.ends += 1;
        self.core.stats.ended_channel = self.channel;
        self.end(EndWord::Channel, arrival);
    }

    #[cold]
    fn end_taken_back(&mut self, arrival: Arrival) {
        self.core.stats.ends_taken_back += 1;
        self.core.stats.resumed_channel = self.channel;
        self.end(EndWord::TakenBack, arrival);
    }

    #[cold]
    fn request(&mut self, request: Request) {
        if self.core.asks.len() < self.core.asks.capacity() {
            self.core.asks.push(Ask { channel: self.channel, request });
        }
    }

    /// Books do not know their channel: all of them are old while any channel recovers or is in doubt.
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

    #[cold]
    fn contradicted(&mut self, arrival: Arrival) {
        let place = self.place(0, arrival);
        self.gap(&place, 0, 0, GapCause::Contradicted);
    }

    fn messages<'p>(&self, payload: &'p [u8]) -> Option<Messages<'p>> {
        self.core.transport.messages(payload)
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.core.out.len() < self.core.room
    }
}

/// Whether an event's time is that of something that happened in the market as it is sent, and not of what a definition or a snapshot
/// repeats.
fn is_of_now(event: &BookEvent) -> bool {
    (event.action.changes_book() || event.action == Action::Trade) && !event.flags.has(EventFlags::SNAPSHOT)
}

/// Where `part`, a slice of `whole`, begins in it.
fn offset_within(whole: &[u8], part: &[u8]) -> u64 {
    (part.as_ptr().addr().saturating_sub(whole.as_ptr().addr())) as u64
}
