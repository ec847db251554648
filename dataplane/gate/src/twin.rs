//! Two copies of a record, so that one of them is whole at any time: a writer that dies in the middle of a record takes
//! nothing back that the record before had said.
//!
//! A publication copies the record there is into the *spare* slot, tightened by what was replaced before it where the table keeps
//! that (`crate::lately`), and then writes the new one into the *front* slot. A
//! reader reads the front slot; only when that is being written, or its writer died in it, does it read the spare. So the
//! common case costs the one cache line that a single slot would, and a writer that died cost whoever reads no more than
//! the newest record.
//!
//! Beside the orderings inside each slot (see [`crate::slot`]) there is one between the two: the spare is whole before the
//! front is marked (a release fence). A spare read from before that is found out by its own second load, which comes after
//! an acquire fence and so after the front was found torn. `tests/loom.rs` shows that a reader always gets a whole record,
//! never one older than it has had, and that without the fence it may.

use crate::{
    memory::{Row, Sealed},
    slot::{Protocol, SeqSlot, SlotFault, Sound},
    sync::fence,
};

/// Rounds in which both copies are tried. A writer that is alive leaves one of them alone for longer than a round takes.
const ROUNDS: usize = if cfg!(loom) { 2 } else { 8 };

/// `N` words of which the newest record or the one before is whole at any time.
#[repr(C)]
pub struct TwinSlot<const N: usize, P = Sound> {
    front: SeqSlot<N, P>,
    spare: SeqSlot<N, P>,
}

impl<const N: usize, P: Protocol> TwinSlot<N, P> {
    /// A slot that holds nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { front: SeqSlot::new(), spare: SeqSlot::new() }
    }

    /// Publishes `words`. Only one thread may call this on one slot; the table's unique writer handle sees to it.
    #[inline]
    pub fn write(&self, words: [u64; N]) {
        self.write_beside(self.front.own(), words);
    }

    /// The same, with `kept` in the spare slot, which is what stands for the record there is while the new one is not whole. None
    /// leaves the spare slot as it is: a front left torn by a writer before this one is not a record.
    #[inline]
    pub(crate) fn write_beside(&self, kept: Option<[u64; N]>, words: [u64; N]) {
        self.keep(kept);
        self.front.write(words);
    }

    #[inline]
    fn keep(&self, kept: Option<[u64; N]>) {
        if let Some(kept) = kept {
            self.spare.write(kept);
            if let Some(order) = P::SPARE_FIRST {
                fence(order);
            }
        }
    }

    /// Both, each to the thread that writes: the newest record, none where a writer before this one died in it, and what is kept
    /// beside it.
    pub(crate) fn own_both(&self) -> [Option<[u64; N]>; 2] {
        [self.front.own(), self.spare.own()]
    }

    /// The first `M` words of a whole record: the newest, unless that is being written for longer than any writer takes, or its writer
    /// died in it; then the one that is kept beside it.
    ///
    /// # Errors
    /// [`SlotFault::Empty`] before the first record is whole; [`SlotFault::Torn`] when a writer that never rests kept both
    /// copies from being read, which no writer of this house does.
    #[inline(always)]
    pub fn read<const M: usize>(&self) -> Result<[u64; M], SlotFault> {
        match self.front.attempt::<M>() {
            Some(words) => Ok(words),
            None => self.read_spare::<M>(),
        }
    }

    #[cold]
    #[inline(never)]
    fn read_spare<const M: usize>(&self) -> Result<[u64; M], SlotFault> {
        // A writer that is alive is done by then, and what is kept may be tighter than what it says.
        let found = self.front.read_again::<M>();
        if found != Err(SlotFault::Torn) {
            return found;
        }
        for _ in 0..ROUNDS {
            if let Some(words) = self.spare.attempt::<M>().or_else(|| self.front.attempt::<M>()) {
                return Ok(words);
            }
        }
        Err(if self.spare.is_empty() { SlotFault::Empty } else { SlotFault::Torn })
    }

    /// The first `M` words of what is kept beside the newest record; `None` beside the first.
    ///
    /// # Errors
    /// [`SlotFault::Torn`] when its writer died in it.
    pub(crate) fn read_previous<const M: usize>(&self) -> Result<Option<[u64; M]>, SlotFault> {
        match self.spare.read::<M>() {
            Ok(words) => Ok(Some(words)),
            Err(SlotFault::Empty) => Ok(None),
            Err(SlotFault::Torn) => Err(SlotFault::Torn),
        }
    }

    /// Leaves the slot as a writer would that dies in the middle of the newest record.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn abandon(&self) {
        self.keep(self.front.own());
        self.front.abandon();
    }

    /// Leaves the slot as a writer would that dies before it has touched the newest record.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn abandon_spare(&self) {
        self.spare.abandon();
    }
}

impl<const N: usize> Sealed for TwinSlot<N> {}
impl<const N: usize> Row for TwinSlot<N> {}

impl<const N: usize, P: Protocol> Default for TwinSlot<N, P> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_slot_is_empty_until_its_first_record_is_whole() {
        let slot = TwinSlot::<7>::new();
        assert_eq!(slot.read::<7>(), Err(SlotFault::Empty));
        assert_eq!(slot.own_both(), [None; 2]);
        slot.abandon();
        assert_eq!(slot.read::<7>(), Err(SlotFault::Empty), "died in the first record");
        slot.write([1; 7]);
        assert_eq!(slot.read::<7>(), Ok([1; 7]));
        assert_eq!(slot.read_previous::<7>(), Ok(None));
        slot.write([2; 7]);
        assert_eq!((slot.read::<7>(), slot.read_previous::<7>()), (Ok([2; 7]), Ok(Some([1; 7]))));
    }

    #[test]
    fn a_writer_that_died_anywhere_leaves_a_whole_record_and_one_after_it_goes_on() {
        let slot = TwinSlot::<7>::new();
        slot.write([1; 7]);
        slot.write([2; 7]);
        slot.abandon_spare();
        assert_eq!(slot.read::<7>(), Ok([2; 7]));
        slot.abandon();
        assert_eq!(slot.read::<7>(), Ok([2; 7]), "the record before the one that was never whole");
        assert_eq!(slot.own_both(), [None, Some([2; 7])]);
        slot.write([3; 7]);
        assert_eq!((slot.read::<7>(), slot.read_previous::<7>()), (Ok([3; 7]), Ok(Some([2; 7]))));
    }

    /// What the model checker shows for two words, on this machine for seven, and that no read is refused.
    #[test]
    fn every_read_gets_a_whole_record_while_a_writer_never_rests() {
        let slot = Arc::new(TwinSlot::<7>::new());
        slot.write([1; 7]);
        let writer = {
            let slot = Arc::clone(&slot);
            std::thread::spawn(move || (2..=200_000_u64).for_each(|n| slot.write([n; 7])))
        };
        let mut newest = 1;
        while newest < 200_000 {
            let Ok(words) = slot.read::<7>() else { continue };
            assert!(words.iter().all(|w| *w == words[0]), "torn: {words:?}");
            assert!(words[0] >= newest, "older: {} after {newest}", words[0]);
            newest = words[0];
        }
        writer.join().unwrap();
    }
}
