//! Which message led to which: what has been answered is not taken again.

use crate::fix::message::Message;
use crate::fix::session::Core;

/// Whose message led to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Firm = 0,
    Venue = 1,
}

/// One number for one message that was read: it is kept with what it led to, in the same record, so that after a crash what has
/// been answered is not taken again.
pub(super) fn cause_number(side: Peer, session: &Core, message: &Message<'_>) -> u64 {
    session.epoch() << 48 | message.seq().unwrap_or(0) << 1 | side as u64
}

/// The next message of `side` that has not led to anything, by the causes that were kept.
#[derive(Debug, Default)]
pub(super) struct Taken([(u64, u64); 2]);

impl Taken {
    pub(super) fn note(&mut self, number: u64) {
        let (epoch, seq, side) = (number >> 48, number >> 1 & ((1 << 47) - 1), number & 1);
        if let Some(last) = self.0.get_mut(usize::from(side == 1)).filter(|_| seq > 0) {
            *last = (*last).max((epoch, seq));
        }
    }

    pub(super) fn next(&self, side: Peer, epoch: u64) -> u64 {
        let (of_epoch, seq) = self.0[side as usize];
        if of_epoch == epoch { seq + 1 } else { 1 }
    }
}
