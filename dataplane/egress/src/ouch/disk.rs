//! What is kept, and what waits in memory for a disk that takes nothing.

use super::counters::Count;
use super::gateway::Gateway;
use crate::store::Kind;
use types::UnixNanos;

impl Gateway {
    /// Writes what waits for a disk that was full, and says once that it is, and once that it is no more.
    pub(super) fn chores_of_disk(&mut self, now: UnixNanos) {
        let Some(session) = &mut self.session else { return };
        let is_full = !session.store.write_held();
        if is_full == self.is_disk_full {
            return;
        }
        self.is_disk_full = is_full;
        self.said.push(if is_full {
            "the stream cannot be written: cancels and answers pass, and wait in memory, orders are refused"
                .to_owned()
        } else {
            "the stream is written again".to_owned()
        });
        if !is_full && self.book.has_orphans() {
            self.ask(now);
        }
    }

    /// Whether what is said is kept: an order that the disk knows nothing of is not let out.
    pub(super) fn is_kept(&self) -> bool {
        self.session.as_ref().is_none_or(|session| session.store.is_kept())
    }

    /// Messages that the disk has not taken: of the firm's stream, and of the venue's.
    #[must_use]
    pub fn unkept(&self) -> [u64; 2] {
        self.session.as_ref().map_or([0; 2], |session| session.store.unkept())
    }

    /// Whether there is room for a refusal. What waits in memory for a full disk leaves room for what the venue says: an order beyond that is not
    /// looked at, and its name not used.
    pub(super) fn can_answer(&mut self) -> bool {
        let has_room = self.session.as_ref().is_none_or(|session| session.store.can_hold(true));
        if !has_room {
            self.counters.add(Count::Unanswered);
        }
        has_room
    }

    /// Keeps a message, in memory where the disk takes none; where that fails nothing passes from then on, since the firm could not be told.
    pub(super) fn keep(&mut self, kind: Kind, venue_sequence: u64, message: &[u8]) {
        let Some(session) = &mut self.session else { return };
        if let Err(error) = session.store.append(kind, venue_sequence, message) {
            self.be_at_odds(&format!("the stream cannot be kept ({error})"));
        }
    }
}
