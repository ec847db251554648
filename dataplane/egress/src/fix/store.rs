//! What one session must not forget: every message it sent, and the numbers that come next in both directions.

use crate::log::{Head, Log, Place};
use std::io;
use std::path::Path;

/// The most messages one store numbers: beyond, the session sends nothing.
const MESSAGES_MAX: usize = 1 << 24;

/// The most bytes of one store's file.
const BYTES_MAX: u64 = 16 << 30;

/// An application message: it is sent again when the peer asks for it.
const APPLICATION: u64 = 1;
/// A message of the session's own: it is skipped when the peer asks for it.
const ADMIN: u64 = 2;
/// Both directions begin at 1 again.
const RESET: u64 = 3;

/// Why a message is sent: what the gateway had read, and whom it concerns. Kept with the message, so that neither is known
/// without the other after a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    /// The message that led to it, in whatever numbering the user has; 0 for none.
    pub number: u64,
    /// The order it sends, by its number at the gate; 0 for none.
    pub order: u64,
}

/// The store of one session.
#[derive(Debug)]
pub struct Store {
    log: Log,
    /// Where each message lies that was sent since the last reset, from number 1; none for the session's own.
    sent: Vec<Option<Place>>,
    /// How often both directions began again.
    epoch: u64,
}

impl Store {
    /// Opens or makes the store in the file `path`, and hands what was sent to `each`, in order: its cause and its bytes.
    ///
    /// # Errors
    /// The system's; `InvalidData` when the file is another kind of file or damaged in the middle, `WouldBlock` when another process
    /// has it open.
    pub fn open(path: &Path, mut each: impl FnMut(Cause, &[u8])) -> io::Result<Self> {
        let mut sent = Vec::new();
        let (mut reset_at, mut epoch) = (None, 0);
        let mut log = Log::open(path, BYTES_MAX, |head, place, bytes| match head.kind {
            RESET => {
                sent.clear();
                reset_at = Some(head.number);
                epoch += 1;
            }
            kind => {
                sent.push((kind == APPLICATION).then_some(place));
                each(Cause { number: head.cause, order: head.id }, bytes);
            }
        })?;
        // A crash in the middle of a reset leaves the mark that was set before it.
        if reset_at.is_some_and(|turn| log.turn() <= turn) {
            log.set_mark(1)?;
        }
        Ok(Self { log, sent, epoch })
    }

    /// The number of the next message to send.
    pub const fn next_out(&self) -> u64 {
        self.sent.len() as u64 + 1
    }

    /// The number of the next message to come.
    pub fn next_in(&self) -> u64 {
        self.log.mark().max(1)
    }

    /// How often both directions began at 1 again: with a number of either direction, it names one message.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Keeps the number of the next message to come.
    ///
    /// # Errors
    /// The system's.
    pub fn set_next_in(&mut self, next: u64) -> io::Result<()> {
        self.log.set_mark(next)
    }

    /// Keeps a message under the next number, before it is sent.
    ///
    /// # Errors
    /// The system's, and `StorageFull`; the message must not be sent.
    pub fn keep(&mut self, bytes: &[u8], is_application: bool, cause: Cause) -> io::Result<()> {
        self.put(bytes, is_application, cause, Log::append)
    }

    /// As [`Store::keep`], of a message that is sent although the disk takes none: it waits in memory then, and is written before any that
    /// follows. A process that ends before has forgotten its number.
    ///
    /// # Errors
    /// As [`Store::keep`], where too much waits already.
    pub fn keep_or_hold(&mut self, bytes: &[u8], is_application: bool, cause: Cause) -> io::Result<()> {
        self.put(bytes, is_application, cause, Log::append_or_hold)
    }

    /// Appends a message under the next number by `append`; of one that is not the application's the number alone.
    fn put(
        &mut self,
        bytes: &[u8],
        is_application: bool,
        cause: Cause,
        append: fn(&mut Log, Head, &[u8]) -> io::Result<Place>,
    ) -> io::Result<()> {
        if self.sent.len() == MESSAGES_MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let (kind, bytes) = if is_application { (APPLICATION, bytes) } else { (ADMIN, &[][..]) };
        let head = Head { kind, number: self.next_out(), cause: cause.number, id: cause.order };
        let place = append(&mut self.log, head, bytes)?;
        self.sent.push(is_application.then_some(place));
        Ok(())
    }

    /// How many messages the disk has not taken.
    pub const fn held(&self) -> u64 {
        self.log.held()
    }

    /// From now on the disk takes `more` bytes.
    #[cfg(test)]
    pub(crate) const fn set_room(&mut self, more: u64) {
        self.log.set_room(more);
    }

    /// Messages that are kept from now on are written with one call of [`Store::write_batch`], and may be sent after it alone.
    pub fn begin_batch(&mut self) {
        self.log.begin_batch();
    }

    /// Writes them; as [`Store::keep_or_hold`] does where the disk takes none. Where that fails the next message has the number `next` again.
    ///
    /// # Errors
    /// The system's; none of them has been kept.
    pub fn write_batch(&mut self, next: u64) -> io::Result<()> {
        let written = self.log.write_batch(self.next_out() - next);
        if written.is_err() {
            self.sent.truncate(usize::try_from(next.saturating_sub(1)).unwrap_or(usize::MAX));
        }
        written
    }

    /// Reads the application message `number` into `bytes`; false when it is none.
    ///
    /// # Errors
    /// The system's.
    pub fn read(&self, number: u64, bytes: &mut Vec<u8>) -> io::Result<bool> {
        let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        match index.and_then(|index| self.sent.get(index)).copied().flatten() {
            Some(place) => self.log.read(place, bytes).map(|()| true),
            None => Ok(false),
        }
    }

    /// Begins both directions at 1 again. What was sent before stays in the file.
    ///
    /// # Errors
    /// The system's.
    pub fn reset(&mut self) -> io::Result<()> {
        self.log.append_or_hold(Head { kind: RESET, number: self.log.turn(), ..Head::default() }, &[])?;
        self.sent.clear();
        self.epoch += 1;
        self.log.set_mark(1)
    }
}
