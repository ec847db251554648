//! Each order as the venue's stream has told it so far.

use super::words::Token;
use crate::owner::OwnerIndex;
use std::collections::HashMap;
use types::{InstrumentId, Side};

/// Orders that are held at most: more than any gate has open.
const ORDERS_MAX: usize = 1 << 17;

/// One order that may still trade, or a replacement that may still be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) token: Token,
    pub(super) text: [u8; 14],
    pub(super) owner: OwnerIndex,
    pub(super) instrument: InstrumentId,
    pub(super) side: Side,
    /// The whole quantity, executed part included.
    pub(super) qty: u32,
    pub(super) executed: u32,
    /// The venue has said something of it.
    pub(super) answered: bool,
    /// The firm, or the gateway, wants all of it cancelled.
    pub(super) cancelling: bool,
    /// And that was sent on this connection.
    pub(super) cancel_sent: bool,
    /// The order that it is to replace; 0 when it is no replacement, or has been made.
    pub(super) replaces: u64,
    /// The replacement under way; 0 when there is none.
    pub(super) replacement: u64,
    /// How many were sent to the venue before it.
    pub(super) sent: u64,
}

impl Held {
    pub(super) fn leaves(&self) -> u32 {
        self.qty.saturating_sub(self.executed)
    }
}

/// The orders.
#[derive(Debug)]
pub(super) struct Book {
    held: HashMap<u64, Held>,
    /// Replacements whose order is done: if they are not answered before a later message is, the venue has ignored them.
    orphans: Vec<u64>,
}

impl Book {
    /// All memory it ever uses.
    pub(super) fn new() -> Self {
        Self { held: HashMap::with_capacity(ORDERS_MAX), orphans: Vec::new() }
    }

    pub(super) fn is_full(&self) -> bool {
        self.held.len() >= ORDERS_MAX
    }

    pub(super) fn get(&self, id: u64) -> Option<&Held> {
        self.held.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Held> {
        self.held.get_mut(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn clear(&mut self) {
        self.held.clear();
        self.orphans.clear();
    }

    /// Adds an order; of a replacement, its order knows it from now on.
    pub(super) fn add(&mut self, id: u64, held: Held) {
        if let Some(order) = self.held.get_mut(&held.replaces) {
            order.replacement = id;
        }
        self.held.insert(id, held);
    }

    /// Removes an order that is done, or a replacement that is not made.
    pub(super) fn remove(&mut self, id: u64) -> Option<Held> {
        let held = self.held.remove(&id)?;
        if let Some(order) = self.held.get_mut(&held.replaces) {
            order.replacement = 0;
        }
        if held.replacement != 0 && self.held.contains_key(&held.replacement) {
            self.orphans.push(held.replacement);
        }
        self.orphans.retain(|orphan| *orphan != id);
        Some(held)
    }

    /// The replacement `id` of `of` was made: it goes on with what its order had executed. None, and nothing changes, where it is
    /// not known.
    pub(super) fn replaced(&mut self, of: u64, id: u64) -> Option<&mut Held> {
        if !self.held.contains_key(&id) {
            return None;
        }
        let executed = self.held.remove(&of).map_or(0, |order| order.executed);
        self.orphans.retain(|orphan| *orphan != id);
        let held = self.held.get_mut(&id)?;
        (held.executed, held.replaces, held.answered) = (executed, 0, true);
        Some(held)
    }

    /// Replacements whose order is done and that were sent before `sent`: not answered until now, they never will be.
    pub(super) fn ignored(&mut self, sent: u64) -> Vec<u64> {
        let held = &self.held;
        let before = |id: &u64| held.get(id).is_some_and(|h| !h.answered && h.sent < sent);
        self.orphans.iter().copied().filter(before).collect()
    }

    /// Whether replacements wait for their order's end to be known to the venue's answers.
    pub(super) fn has_orphans(&self) -> bool {
        !self.orphans.is_empty()
    }

    /// Orders and replacements sent before `sent` of which the venue has said nothing.
    pub(super) fn unanswered(&self, sent: u64) -> Vec<u64> {
        let ids = self.held.iter().filter(|(_, held)| !held.answered && held.sent < sent);
        ids.map(|(id, _)| *id).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&u64, &Held)> {
        self.held.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&u64, &mut Held)> {
        self.held.iter_mut()
    }
}
