//! The overflow policy of the link from receiver to featurizer: drop, remember what was lost, and say so as soon as there
//! is room, before anything newer.

use types::{Action, BookEvent, EventFlags, GapCause, InstrumentId, Qty, SeqNo, UnixNanos};

use crate::ring::RingTx;

/// What one channel lost since its last announced gap.
#[derive(Clone, Copy, Debug)]
struct Lost {
    first: SeqNo,
    last: SeqNo,
    events: u64,
    ts_event: UnixNanos,
    ts_recv: UnixNanos,
}

/// What a [`GapTx`] went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GapStats {
    /// Gaps announced (one per channel and overflow).
    pub gaps: u64,
    /// Events given up, definitions that were sent later not among them.
    pub lost_events: u64,
    /// Definitions given up because more of them were lost than can be remembered.
    pub lost_defines: u64,
}

/// `DropAndMarkGap`: a producing end for [`BookEvent`]s that never waits.
///
/// Events that find no room are dropped; the channel's first and last lost sequence numbers and the count are kept, and a
/// [`Action::Gap`] with cause [`GapCause::RingFull`] goes out before any later event, so that the books of the channel
/// turn stale. Definitions ([`Action::Define`]) are the one thing no later event repeats: they are set aside and sent
/// again ahead of the gap.
#[derive(Debug)]
pub struct GapTx {
    tx: RingTx<BookEvent>,
    /// By channel.
    lost: Vec<Option<Lost>>,
    channels_with_loss: usize,
    defines: Vec<BookEvent>,
    stats: GapStats,
}

impl GapTx {
    /// Takes over a producing end; remembers at most `defines_max` lost definitions (the bound of the instrument
    /// directory is always enough).
    #[must_use]
    pub fn new(tx: RingTx<BookEvent>, defines_max: usize) -> Self {
        Self {
            tx,
            lost: vec![None; usize::from(u8::MAX) + 1],
            channels_with_loss: 0,
            defines: Vec::with_capacity(defines_max),
            stats: GapStats::default(),
        }
    }

    /// Pushes `events` in order and returns how many of them went in; the rest is remembered as lost.
    #[inline]
    pub fn send(&mut self, events: &[BookEvent]) -> usize {
        if self.has_pending() && !self.flush() {
            self.tx.note_dropped(events.len());
            self.remember(events);
            return 0;
        }
        let accepted = self.tx.send(events);
        if accepted < events.len() {
            self.remember(&events[accepted..]);
        }
        accepted
    }

    /// Announces pending losses if there is room now; returns whether none is left. For quiet moments, so that a gap is
    /// not held back until the next packet.
    #[cold]
    pub fn flush(&mut self) -> bool {
        let sent = self.tx.offer(&self.defines);
        self.defines.drain(..sent);
        if !self.defines.is_empty() {
            return false;
        }
        for (channel, slot) in self.lost.iter_mut().enumerate() {
            let Some(lost) = slot else { continue };
            if self.tx.offer(&[gap_event(channel, lost)]) == 0 {
                return false;
            }
            *slot = None;
            self.channels_with_loss -= 1;
            self.stats.gaps += 1;
        }
        true
    }

    /// Whether losses wait to be announced.
    #[inline]
    #[must_use]
    pub fn has_pending(&self) -> bool {
        self.channels_with_loss > 0 || !self.defines.is_empty()
    }

    /// What was lost so far.
    #[must_use]
    pub fn stats(&self) -> GapStats {
        self.stats
    }

    #[cold]
    fn remember(&mut self, events: &[BookEvent]) {
        for event in events {
            if event.action == Action::Define {
                self.remember_define(event);
            } else {
                self.remember_loss(event);
            }
        }
    }

    fn remember_define(&mut self, event: &BookEvent) {
        if self.defines.len() < self.defines.capacity() {
            self.defines.push(*event);
        } else {
            self.stats.lost_defines += 1;
            self.remember_loss(event);
        }
    }

    fn remember_loss(&mut self, event: &BookEvent) {
        self.stats.lost_events += 1;
        let slot = &mut self.lost[usize::from(event.channel)];
        match slot {
            Some(lost) => {
                lost.last = event.seq;
                lost.events += 1;
            }
            None => {
                let BookEvent { seq, ts_event, ts_recv, .. } = *event;
                *slot = Some(Lost { first: seq, last: seq, events: 1, ts_event, ts_recv });
                self.channels_with_loss += 1;
            }
        }
    }
}

/// The gap stands at the time of the first lost event: from there on the books are not to be believed.
fn gap_event(channel: usize, lost: &Lost) -> BookEvent {
    BookEvent {
        ts_event: lost.ts_event,
        ts_recv: lost.ts_recv,
        seq: lost.last,
        order_id: lost.first.0,
        aux: lost.events,
        qty: Qty(GapCause::RingFull as u32),
        instrument: InstrumentId::ALL,
        channel: u8::try_from(channel).unwrap_or(u8::MAX),
        action: Action::Gap,
        flags: EventFlags::LAST,
        ..BookEvent::EMPTY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{RingRx, ring};
    use proptest::prelude::*;

    fn event(seq: u64, channel: u8) -> BookEvent {
        BookEvent { seq: SeqNo(seq), channel, action: Action::OrderAdd, ..BookEvent::EMPTY }
    }

    fn pop_all(rx: &mut RingRx<BookEvent>) -> Vec<BookEvent> {
        let mut out = Vec::new();
        rx.drain(usize::MAX, |events| out.extend_from_slice(events));
        out
    }

    #[test]
    fn a_gap_comes_before_the_first_event_after_the_loss() {
        let (tx, mut rx) = ring(2);
        let mut tx = GapTx::new(tx, 4);
        assert_eq!(tx.send(&[event(1, 3), event(2, 3), event(3, 3), event(4, 3)]), 2);
        assert_eq!(tx.send(&[event(5, 3)]), 0);
        pop_all(&mut rx);
        assert_eq!(tx.send(&[event(6, 3)]), 1);
        let got = pop_all(&mut rx);
        assert_eq!((got[0].action, got[0].order_id, got[0].seq, got[0].aux), (Action::Gap, 3, SeqNo(5), 3));
        assert_eq!((got[0].qty, got[0].channel), (Qty(GapCause::RingFull as u32), 3));
        assert_eq!(got[1].seq, SeqNo(6));
        assert_eq!(tx.stats(), GapStats { gaps: 1, lost_events: 3, lost_defines: 0 });
    }

    #[test]
    fn every_channel_gets_its_own_gap() {
        let (tx, mut rx) = ring(2);
        let mut tx = GapTx::new(tx, 4);
        tx.send(&[event(1, 0), event(2, 0), event(3, 0), event(90, 1), event(91, 1)]);
        pop_all(&mut rx);
        assert!(tx.flush() && !tx.has_pending());
        let gaps: Vec<_> = pop_all(&mut rx).iter().map(|e| (e.channel, e.order_id, e.seq.0, e.aux)).collect();
        assert_eq!(gaps, [(0, 3, 3, 1), (1, 90, 91, 2)]);
    }

    #[test]
    fn a_definition_is_never_lost_within_the_bound() {
        let (tx, mut rx) = ring(1);
        let mut tx = GapTx::new(tx, 1);
        let define = |n| BookEvent { action: Action::Define, order_id: n, ..event(n, 0) };
        tx.send(&[event(1, 0), define(2), define(3)]);
        assert_eq!(pop_all(&mut rx).len(), 1);
        assert!(!tx.flush());
        assert_eq!(pop_all(&mut rx)[0], define(2));
        assert!(tx.flush());
        assert_eq!(pop_all(&mut rx)[0].order_id, 3);
        assert_eq!(tx.stats(), GapStats { gaps: 1, lost_events: 1, lost_defines: 1 });
    }

    proptest! {
        /// Whatever the consumer's pace: each event arrives or is counted in exactly one gap, and order holds.
        #[test]
        fn every_event_arrives_or_is_counted_once(depth in 1_usize..6, steps in prop::collection::vec((0_usize..8, 0_usize..8), 1..60)) {
            let (tx, mut rx) = ring(depth);
            let mut tx = GapTx::new(tx, 0);
            let mut sent = 0_u64;
            let mut got = Vec::new();
            for (push, pop) in steps {
                let events: Vec<_> = (0..push as u64).map(|i| event(sent + i + 1, 0)).collect();
                sent += push as u64;
                tx.send(&events);
                rx.drain(pop, |e| got.extend_from_slice(e));
            }
            while tx.has_pending() || !rx.is_empty() {
                rx.drain(depth, |e| got.extend_from_slice(e));
                tx.flush();
            }
            let mut next = 1;
            for e in got {
                if e.action == Action::Gap {
                    prop_assert_eq!((e.order_id, e.seq.0 - e.order_id + 1), (next, e.aux));
                    next = e.seq.0 + 1;
                } else {
                    prop_assert_eq!(e.seq.0, next);
                    next += 1;
                }
            }
            prop_assert_eq!(next, sent + 1);
        }
    }
}
