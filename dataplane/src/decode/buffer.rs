//! Events on their way to the ring: a buffer that never grows.

use types::BookEvent;

/// A fixed buffer of events, filled by a decoder and emptied into a ring.
#[derive(Debug)]
pub struct EventBuffer {
    events: Vec<BookEvent>,
    /// Events at the front that the ring has taken.
    sent: usize,
}

impl EventBuffer {
    /// Room for `capacity` events.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { events: Vec::with_capacity(capacity), sent: 0 }
    }

    /// Appends one event.
    ///
    /// # Panics
    ///
    /// When the buffer is full. Its owner sizes it for the largest packet and empties it before the next one, so this is
    /// a mistake in the program.
    #[inline]
    pub fn push(&mut self, event: BookEvent) {
        assert!(
            self.events.len() < self.events.capacity(),
            "the event buffer was sized for the largest packet"
        );
        self.events.push(event);
    }

    /// Events that wait.
    #[inline]
    #[must_use]
    pub fn pending(&self) -> &[BookEvent] {
        &self.events[self.sent..]
    }

    /// The same, for the last stamp before they go.
    #[inline]
    #[must_use]
    pub fn pending_mut(&mut self) -> &mut [BookEvent] {
        &mut self.events[self.sent..]
    }

    /// The ring took `n` more.
    #[inline]
    pub fn advance(&mut self, n: usize) {
        self.sent += n;
        if self.sent >= self.events.len() {
            self.events.clear();
            self.sent = 0;
        }
    }

    /// Whether nothing waits.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Events in the buffer, taken ones included.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Events it has room for in all.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.events.capacity()
    }
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
    #[should_panic(expected = "sized for the largest packet")]
    fn it_never_grows() {
        let mut buffer = EventBuffer::new(1);
        (0..=buffer.capacity()).for_each(|_| buffer.push(BookEvent::EMPTY));
    }
}
