//! The drop copy: what the firm is told of its orders is told to a second party too, over a session of its own.
//!
//! It follows the firm's session by what that has kept, and keeps with each copy the number of what it is a copy of: who is killed anywhere
//! copies each report once.

use crate::fix::dictionary::{self, Version};
use crate::fix::message::Message;
use crate::fix::session::{Config, Core, SendError, Session};
use crate::fix::store::{Cause, Store};
use crate::fix::tags;
use crate::fix::write::Writer;
use std::io;
use std::path::Path;
use types::UnixNanos;

/// Messages of the firm's that are looked at in one turn: who connects late has a day to catch up with.
const MESSAGES_A_TURN: usize = 64;

/// A message of the firm's session: how often that began anew, and the number since.
const fn cause_of(epoch: u64, number: u64) -> u64 {
    epoch << 48 | number
}

/// The session of whoever gets copies, and how far it follows the firm's.
#[derive(Debug)]
pub(crate) struct DropCopy {
    pub(crate) session: Session,
    version: Version,
    /// The message of the firm's session that is looked at next.
    epoch: u64,
    next: u64,
    copies: u64,
    too_long: u64,
    scratch: Vec<u8>,
}

impl DropCopy {
    /// Opens the session's store in the folder `dir`, and goes on behind the last copy that was kept.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn open(dir: &Path, config: Config) -> io::Result<Self> {
        let mut last = 0;
        let store = Store::open(&dir.join("drop.fixlog"), |cause, _| {
            last = if cause.number == 0 { last } else { cause.number };
        })?;
        let (epoch, number) = (last >> 48, last & ((1 << 48) - 1));
        let version = config.version;
        let session = Session::new(config, store);
        Ok(Self { session, version, epoch, next: number + 1, copies: 0, too_long: 0, scratch: Vec::new() })
    }

    /// Copies what the firm was told since the last call; whether all of it was looked at.
    ///
    /// # Errors
    /// A copy could not be kept; it is tried again.
    pub(crate) fn follow(&mut self, firm: &Core, now: UnixNanos) -> Result<bool, SendError> {
        if firm.epoch() != self.epoch {
            (self.epoch, self.next) = (firm.epoch(), 1);
        }
        // Another store is in the place of the one that was followed: a report is rather told twice than not at all.
        if self.next > firm.next_out() {
            self.next = 1;
        }
        for _ in 0..MESSAGES_A_TURN {
            if self.next >= firm.next_out() {
                return Ok(true);
            }
            let mut bytes = std::mem::take(&mut self.scratch);
            let read = firm.read_sent(self.next, &mut bytes);
            let copied = match (read, Message::parse(&bytes)) {
                (Err(error), _) => Err(error.into()),
                (Ok(true), Ok(message)) if message.kind() == b"8" => self.copy(&message, now),
                (Ok(_), _) => Ok(()),
            };
            self.scratch = bytes;
            match copied {
                Ok(()) => {}
                // It would be too long the next time too.
                Err(SendError::TooLong) => self.too_long += 1,
                Err(error) => return Err(error),
            }
            self.next += 1;
        }
        Ok(self.next >= firm.next_out())
    }

    /// Reports that were copied since the process began, and those that were too long to be.
    pub(crate) const fn copies(&self) -> [u64; 2] {
        [self.copies, self.too_long]
    }

    fn copy(&mut self, report: &Message<'_>, now: UnixNanos) -> Result<(), SendError> {
        let cause = Cause { number: cause_of(self.epoch, self.next), order: 0 };
        let has_indicator = self.version != Version::Fix42;
        self.session.core.send(b"8", cause, now, |writer| copy_body(report, has_indicator, writer))?;
        self.copies += 1;
        Ok(())
    }
}

/// The report's fields as the firm got them; later versions say that it is a copy (CopyMsgIndicator, 797).
fn copy_body(report: &Message<'_>, has_indicator: bool, writer: &mut Writer) {
    for field in report.fields() {
        let of_the_session = dictionary::is_header(field.tag) || dictionary::is_trailer(field.tag);
        if !of_the_session && field.tag != tags::COPY_MSG_INDICATOR {
            writer.text(field.tag, field.value);
        }
    }
    if has_indicator {
        writer.text(tags::COPY_MSG_INDICATOR, b"Y");
    }
}
