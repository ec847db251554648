//! The last change of each instrument in a venue event that is not over: only that one may say that the book can be read.
//!
//! Some venues tell one event in several messages, of several instruments, and say where it ends only at the end of the last. Until
//! then each instrument's latest change waits here; the end sends it off as the last of its book.

use types::{BookEvent, EventFlags, InstrumentId};

use super::buffer::EventBuffer;

/// Instruments of one event whose changes wait, on one channel. One more sends the oldest off as if its book were whole.
pub(crate) const HELD_MAX: usize = 32;

/// What waits, by channel.
#[derive(Debug)]
pub(super) struct Held {
    by_channel: Box<[Vec<BookEvent>]>,
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
        if let Some(before) = waiting.iter_mut().find(|before| before.instrument == event.instrument) {
            out.push(std::mem::replace(before, event));
            return;
        }
        if waiting.len() == HELD_MAX {
            let oldest = waiting.remove(0);
            out.push(last(oldest));
        }
        waiting.push(event);
    }

    /// Sends off what waits of one instrument, before something else is said of it.
    #[cold]
    pub(super) fn release(&mut self, instrument: InstrumentId, out: &mut EventBuffer) {
        for waiting in &mut self.by_channel {
            if let Some(at) = waiting.iter().position(|event| event.instrument == instrument) {
                out.push(waiting.remove(at));
            }
        }
    }

    /// The event is over: every book it changed can be read.
    pub(super) fn end(&mut self, channel: u8, out: &mut EventBuffer) {
        let Some(waiting) = self.by_channel.get_mut(usize::from(channel)) else { return };
        waiting.drain(..).for_each(|event| out.push(last(event)));
    }

    /// Forgets what waits on a channel: its books are no more.
    pub(super) fn forget(&mut self, channel: u8) {
        if let Some(waiting) = self.by_channel.get_mut(usize::from(channel)) {
            waiting.clear();
        }
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
