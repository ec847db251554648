//! The last change of each instrument in a venue event that is not over: only that one may say that the book can be read.
//!
//! Some venues tell one event in several messages, of several instruments, and say where it ends only at the end of the last. Until
//! then each instrument's latest change waits here; the end sends it off as the last of its book. An event whose end does not come
//! ends by itself, or its books would be read as they were before it for ever.

use types::{BookEvent, EventFlags, InstrumentId, Nanos, UnixNanos};

use super::buffer::EventBuffer;

/// Instruments of one event whose changes wait, on one channel. One more sends the oldest off as if its book were whole.
pub(crate) const HELD_MAX: usize = 32;

/// How long an event may take by the venue's clock. It takes microseconds: after as long as a point of the grid, its end is lost.
const EVENT_MAX: Nanos = Nanos(100_000_000);

/// The time at which nothing more can come.
pub(crate) const END_OF_INPUT: UnixNanos = UnixNanos(u64::MAX);

/// What waits, by channel.
#[derive(Debug)]
pub(super) struct Held {
    by_channel: Box<[Vec<Waiting>]>,
}

/// The last change of one instrument, and since when it was seen to wait, by the venue's clock; 0 before. Not since its own time: some
/// changes are told long after they happened.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    since: UnixNanos,
    event: BookEvent,
}

impl Held {
    /// Nothing waits on any of `channels`. All memory is taken here.
    pub(super) fn new(channels: usize) -> Self {
        Self { by_channel: (0..channels).map(|_| Vec::with_capacity(HELD_MAX)).collect() }
    }

    /// Takes a change of a book: the one before it of the same book is not the last.
    pub(super) fn hold(&mut self, event: BookEvent, out: &mut EventBuffer) {
        let Some(waiting) = self.by_channel.get_mut(usize::from(event.channel)) else {
            return out.push(event);
        };
        if let Some(before) = waiting.iter_mut().find(|before| before.event.instrument == event.instrument) {
            out.push(std::mem::replace(&mut before.event, event));
            return;
        }
        if waiting.len() == HELD_MAX {
            let oldest = waiting.remove(0);
            out.push(last(oldest.event));
        }
        waiting.push(Waiting { since: UnixNanos(0), event });
    }

    /// Keeps a copy of a change that went off and is not the last of its event, to be said again as its last should that not come.
    /// For changes that say all of what they change.
    pub(super) fn keep(&mut self, event: BookEvent, out: &mut EventBuffer) {
        let waiting = self.by_channel.get_mut(usize::from(event.channel));
        let of_it = |kept: &&mut Waiting| kept.event.instrument == event.instrument;
        match waiting.and_then(|waiting| waiting.iter_mut().find(of_it)) {
            Some(kept) => kept.event = event,
            None => self.hold(event, out),
        }
    }

    /// Drops the copy of a change: the last of its event went off.
    #[inline]
    pub(super) fn drop_kept(&mut self, channel: u8, instrument: InstrumentId) {
        if let Some(waiting) = self.by_channel.get_mut(usize::from(channel)) {
            waiting.retain(|kept| kept.event.instrument != instrument);
        }
    }

    /// Ends the event of a channel if it should be over by `now`, or the input is; true if it did.
    #[inline]
    pub(super) fn end_overdue(&mut self, channel: u8, now: UnixNanos, out: &mut EventBuffer) -> bool {
        let Some(waiting) = self.by_channel.get_mut(usize::from(channel)) else { return false };
        let Some(oldest) = waiting.first_mut() else { return false };
        if oldest.since.0 == 0 {
            oldest.since = now;
        }
        let overdue = now == END_OF_INPUT || now > oldest.since.plus(EVENT_MAX);
        if overdue {
            for Waiting { event, .. } in waiting.drain(..) {
                let ts_event = if now == END_OF_INPUT { event.ts_event } else { now };
                out.push(BookEvent { ts_event, ..last(event) });
            }
        }
        overdue
    }

    /// Sends off what waits of one instrument, before something else is said of it.
    #[cold]
    pub(super) fn release(&mut self, instrument: InstrumentId, out: &mut EventBuffer) {
        for waiting in &mut self.by_channel {
            if let Some(at) = waiting.iter().position(|kept| kept.event.instrument == instrument) {
                out.push(waiting.remove(at).event);
            }
        }
    }

    /// The event is over: every book it changed can be read.
    pub(super) fn end(&mut self, channel: u8, out: &mut EventBuffer) {
        let Some(waiting) = self.by_channel.get_mut(usize::from(channel)) else { return };
        waiting.drain(..).for_each(|kept| out.push(last(kept.event)));
    }

    /// Forgets what waits on a channel: its books are no more.
    pub(super) fn forget(&mut self, channel: u8) {
        if let Some(waiting) = self.by_channel.get_mut(usize::from(channel)) {
            waiting.clear();
        }
    }

    /// Forgets what waits on every channel: another session begins.
    pub(super) fn forget_all(&mut self) {
        self.by_channel.iter_mut().for_each(Vec::clear);
    }
}

fn last(event: BookEvent) -> BookEvent {
    BookEvent { flags: event.flags.with(EventFlags::LAST), ..event }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn change(instrument: u32, order_id: u64) -> BookEvent {
        BookEvent { instrument: InstrumentId(instrument), order_id, ..BookEvent::EMPTY }
    }

    proptest! {
        /// Changes of up to 40 instruments: each comes out once, those of an instrument in order, and between two ends exactly the
        /// last one of each instrument says so, unless there are more instruments than wait.
        #[test]
        fn only_the_last_change_of_a_book_says_so(events in prop::collection::vec(prop::collection::vec(0_u32..40, 0..60), 0..8)) {
            let (mut held, mut number) = (Held::new(2), 0);
            for instruments in events {
                let mut out = EventBuffer::new(100);
                for &instrument in &instruments {
                    number += 1;
                    held.hold(change(instrument, number), &mut out);
                }
                held.end(0, &mut out);
                prop_assert_eq!(out.len(), instruments.len());
                let mut distinct = instruments.clone();
                distinct.sort_unstable();
                distinct.dedup();
                for &instrument in &distinct {
                    let of_it: Vec<_> = out.pending().iter().filter(|e| e.instrument.0 == instrument).collect();
                    prop_assert!(of_it.windows(2).all(|pair| pair[0].order_id < pair[1].order_id));
                    let ends = of_it.iter().filter(|e| e.flags.has(EventFlags::LAST)).count();
                    prop_assert!(of_it.last().is_some_and(|e| e.flags.has(EventFlags::LAST)));
                    prop_assert!(ends == 1 || distinct.len() > HELD_MAX);
                }
            }
        }
    }

    #[test]
    fn an_event_whose_end_does_not_come_is_over_after_a_while() {
        let (mut held, mut out) = (Held::new(2), EventBuffer::new(10));
        let at = |ts| BookEvent { ts_event: UnixNanos(ts), ..change(1, ts) };
        assert!(!held.end_overdue(0, END_OF_INPUT, &mut out), "nothing waits");
        held.keep(at(1_000), &mut out);
        held.keep(at(2_000), &mut out);
        assert!(!held.end_overdue(0, UnixNanos(9_000), &mut out), "the clock begins");
        held.keep(at(2_500), &mut out);
        let due = UnixNanos(9_000 + EVENT_MAX.0);
        assert!(!held.end_overdue(0, due, &mut out) && !held.end_overdue(1, END_OF_INPUT, &mut out));
        let over = due.plus(Nanos(1));
        assert!(held.end_overdue(0, over, &mut out), "a later change gives it no more time");
        let seen: Vec<_> = out.pending().iter().map(|e| (e.order_id, e.flags, e.ts_event)).collect();
        assert_eq!(seen, [(2_500, EventFlags::LAST, over)], "the latest alone was kept");
        held.hold(at(3_000), &mut out);
        held.hold(at(4_000), &mut out);
        assert!(held.end_overdue(0, END_OF_INPUT, &mut out));
        let seen: Vec<_> = out.pending()[1..].iter().map(|e| (e.order_id, e.flags, e.ts_event.0)).collect();
        assert_eq!(seen, [(3_000, EventFlags::NONE, 3_000), (4_000, EventFlags::LAST, 4_000)]);
        held.keep(at(5_000), &mut out);
        held.drop_kept(0, InstrumentId(1));
        assert!(!held.end_overdue(0, END_OF_INPUT, &mut out));
    }

    #[test]
    fn what_waits_goes_before_what_is_said_next_and_no_channel_ends_another() {
        let (mut held, mut out) = (Held::new(2), EventBuffer::new(10));
        held.hold(change(1, 1), &mut out);
        held.hold(BookEvent { channel: 1, ..change(2, 2) }, &mut out);
        held.end(1, &mut out);
        held.release(InstrumentId(1), &mut out);
        held.release(InstrumentId(1), &mut out);
        let seen: Vec<_> = out.pending().iter().map(|e| (e.order_id, e.flags)).collect();
        assert_eq!(seen, [(2, EventFlags::LAST), (1, EventFlags::NONE)]);
        held.hold(change(1, 3), &mut out);
        held.forget(0);
        held.end(0, &mut out);
        assert_eq!(out.len(), 2);
    }
}
