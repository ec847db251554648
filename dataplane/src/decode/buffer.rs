//! Events on their way to the ring: a buffer that never grows.

use types::BookEvent;

/// A fixed buffer of events, filled by a decoder and emptied into a ring.
#[derive(Debug)]
pub struct EventBuffer {
    events: Box<[BookEvent]>,
    /// Events in it, taken ones included.
    len: usize,
    /// Events at the front that the ring has taken.
    sent: usize,
    /// Room for events that no message's length bounds, in all and left.
    spare_max: usize,
    spare: usize,
}

impl EventBuffer {
    /// Room for `capacity` events.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self::with_spare(capacity, 0)
    }

    /// Room for `capacity` events, and for `spare` more that no message's length bounds.
    #[must_use]
    pub fn with_spare(capacity: usize, spare: usize) -> Self {
        let events = vec![BookEvent::EMPTY; capacity + spare].into_boxed_slice();
        Self { events, len: 0, sent: 0, spare_max: spare, spare }
    }

    /// Takes spare room for `events`, to be pushed; false when there is not so much until the buffer is empty again.
    pub(super) fn take_spare(&mut self, events: usize) -> bool {
        let left = self.spare.checked_sub(events);
        self.spare = left.unwrap_or(self.spare);
        left.is_some()
    }

    /// Appends an event that no message's length bounds; false when the spare room is used up.
    pub(super) fn push_spare(&mut self, event: BookEvent) -> bool {
        let fits = self.take_spare(1);
        if fits {
            self.push(event);
        }
        fits
    }

    /// Whether spare room was used since the buffer was last empty.
    #[inline]
    #[must_use]
    pub fn is_spare_used(&self) -> bool {
        self.spare != self.spare_max
    }

    /// Appends one event.
    ///
    /// # Panics
    ///
    /// When the buffer is full. Its owner sizes it for the largest packet and empties it before the next one, so this is
    /// a mistake in the program.
    #[inline]
    pub fn push(&mut self, event: BookEvent) {
        if !self.try_push(event) {
            too_small();
        }
    }

    /// Appends one event; false when the buffer is full.
    // Always: merged into whoever makes the event, its fields are written where they stay.
    #[inline(always)]
    pub(super) fn try_push(&mut self, event: BookEvent) -> bool {
        let Some(place) = self.events.get_mut(self.len) else { return false };
        *place = event;
        // It was less than the length of a slice: it cannot wrap.
        self.len = self.len.wrapping_add(1);
        true
    }

    /// Whether there is room for one more.
    #[inline(always)]
    pub(super) fn has_room(&self) -> bool {
        self.len < self.events.len()
    }

    /// Events that wait.
    #[inline]
    #[must_use]
    pub fn pending(&self) -> &[BookEvent] {
        &self.events[self.sent..self.len]
    }

    /// The same, for the last stamp before they go.
    #[inline]
    #[must_use]
    pub fn pending_mut(&mut self) -> &mut [BookEvent] {
        &mut self.events[self.sent..self.len]
    }

    /// The ring took `n` more.
    #[inline]
    pub fn advance(&mut self, n: usize) {
        self.sent += n;
        if self.sent >= self.len {
            self.len = 0;
            self.sent = 0;
            self.spare = self.spare_max;
        }
    }

    /// Whether nothing waits.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Events in the buffer, taken ones included.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Events it has room for in all.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.events.len()
    }
}

#[cold]
#[inline(never)]
fn too_small() -> ! {
    panic!("the event buffer was sized for the largest packet")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_gone_and_the_room_comes_back() {
        let mut buffer = EventBuffer::new(2);
        buffer.push(BookEvent::EMPTY);
        buffer.push(BookEvent { order_id: 2, ..BookEvent::EMPTY });
        buffer.advance(1);
        assert_eq!(buffer.pending()[0].order_id, 2);
        assert_eq!((buffer.pending().len(), buffer.len()), (1, 2));
        buffer.advance(1);
        assert!(buffer.is_empty());
        buffer.push(BookEvent::EMPTY);
        assert_eq!(buffer.pending().len(), 1);
    }

    #[test]
    fn the_spare_room_comes_back_with_the_rest() {
        let mut buffer = EventBuffer::with_spare(1, 2);
        assert!(buffer.take_spare(1) && buffer.push_spare(BookEvent::EMPTY));
        assert!(!buffer.take_spare(1) && !buffer.push_spare(BookEvent::EMPTY) && buffer.is_spare_used());
        buffer.advance(1);
        assert!(!buffer.is_spare_used());
        assert!(!buffer.take_spare(3) && buffer.take_spare(2));
    }

    #[test]
    #[should_panic(expected = "sized for the largest packet")]
    fn it_never_grows() {
        let mut buffer = EventBuffer::new(1);
        (0..=buffer.capacity()).for_each(|_| buffer.push(BookEvent::EMPTY));
    }
}
