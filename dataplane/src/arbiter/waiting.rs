//! Early packets, in sequence, until what comes before them has come.

use std::collections::VecDeque;

use types::UnixNanos;

use super::contract::{Arrival, Hole};
use super::doubt::Slot;
use crate::session::Head;

/// What is asked of a packet that waits without looking at the packet.
#[derive(Clone, Copy, Debug)]
struct Early {
    seq: u64,
    next: u64,
    at: UnixNanos,
    index: usize,
}

/// A packet that is taken out; its memory is given back with [`Waiting::give_back`].
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) head: Head,
    pub(super) arrival: Arrival,
    pub(super) len: usize,
    pub(super) bytes: Box<[u8]>,
    index: usize,
}

/// The packets that wait.
#[derive(Debug)]
pub(super) struct Waiting {
    slots: Vec<Slot>,
    slot_bytes: usize,
    /// Slots in use, by sequence number.
    order: VecDeque<Early>,
    free: Vec<usize>,
}

impl Waiting {
    /// Nothing waits; at most `slots` packets of at most `slot_bytes` bytes will. All memory is taken here.
    pub(super) fn new(slots: usize, slot_bytes: usize) -> Self {
        Self {
            slots: (0..slots).map(|_| Slot::new(slot_bytes)).collect(),
            slot_bytes,
            order: VecDeque::with_capacity(slots),
            free: (0..slots).rev().collect(),
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    /// Whether a packet of so many bytes can ever wait.
    pub(super) fn fits(&self, bytes: usize) -> bool {
        !self.slots.is_empty() && bytes <= self.slot_bytes
    }

    /// Sequence number of the first packet, and how that arrived.
    pub(super) fn first(&self) -> Option<(u64, Arrival)> {
        self.order.front().map(|early| (early.seq, self.slots[early.index].arrival))
    }

    #[inline]
    pub(super) fn first_seq(&self) -> Option<u64> {
        self.order.front().map(|early| early.seq)
    }

    /// The sequence number that follows the last packet.
    pub(super) fn last_next(&self) -> Option<u64> {
        self.order.back().map(|early| early.next)
    }

    /// When the packet that waits longest arrived.
    pub(super) fn earliest(&self) -> Option<UnixNanos> {
        self.order.iter().map(|early| early.at).min()
    }

    /// What is missing from `next` on, up to the last packet.
    pub(super) fn missing(&self, next: u64) -> impl Iterator<Item = Hole> + '_ {
        let mut wanted = next;
        self.order.iter().filter_map(move |early| {
            let first = wanted;
            wanted = wanted.max(early.next);
            (early.seq > first).then(|| Hole { first, count: early.seq - first })
        })
    }

    /// Whether what waits already says what this early packet says.
    pub(super) fn has(&self, head: &Head) -> bool {
        if head.count == 0 {
            let last = self.order.back().map(|early| &self.slots[early.index].head);
            return last.is_some_and(|last| last.next_seq() >= head.seq && last.end >= head.end);
        }
        let from = self.order.partition_point(|early| early.seq < head.seq);
        let same = self.order.range(from..).take_while(|early| early.seq == head.seq);
        same.into_iter().any(|early| self.slots[early.index].head == *head)
    }

    /// Keeps a packet that fits; false when every slot is in use.
    pub(super) fn put(&mut self, head: &Head, payload: &[u8], arrival: Arrival) -> bool {
        let Some(index) = self.free.pop() else { return false };
        self.slots[index].fill(head, payload, arrival);
        let place = self.order.partition_point(|early| early.seq <= head.seq);
        self.order.insert(place, Early { seq: head.seq, next: head.next_seq(), at: arrival.at, index });
        true
    }

    /// Takes the first packet out if it begins at or before `next`.
    pub(super) fn take(&mut self, next: u64) -> Option<Taken> {
        let Early { index, .. } = self.order.pop_front_if(|early| early.seq <= next)?;
        let Slot { head, arrival, len, bytes } = &mut self.slots[index];
        Some(Taken { head: *head, arrival: *arrival, len: *len, bytes: std::mem::take(bytes), index })
    }

    /// Takes the memory of a packet back.
    pub(super) fn give_back(&mut self, taken: Taken) {
        self.slots[taken.index].bytes = taken.bytes;
        self.free.push(taken.index);
    }

    /// Forgets all that waits.
    pub(super) fn clear(&mut self) {
        self.free.extend(self.order.drain(..).map(|early| early.index));
    }
}
