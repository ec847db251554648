//! A seqlock over atomic words: one writer, any number of readers, nobody ever waits.
//!
//! The writer makes the sequence odd, writes the words, makes it even again. A reader that sees the same even number
//! before and after has read one record whole. Every word is an atomic, so a torn read is a *wrong value that is
//! noticed*, never undefined behaviour, and the crate needs no `unsafe`.
//!
//! The orderings are those of H.-J. Boehm, "Can seqlocks get along with programming language memory models?" (MSPC
//! 2012), figure 6. `tests/loom.rs` model-checks them, and shows that each one, weakened, is caught.
//!
//! A reader tries [`TRIES`] times and then says [`SlotFault::Torn`]: a writer that died in the middle of a record must
//! cost an order its verdict, not the order thread its liveness.

use core::marker::PhantomData;

use crate::{
    memory::{Row, Sealed},
    sync::{AtomicU64, Ordering, Word, fence, spin_loop, word},
};

/// Tries before a read is given up as torn. A record takes about 10 ns to write, a try about 3 ns to read: eight tries
/// outlast any writer that is still running. (The model checker explores every interleaving of every try, so there it is
/// one, and tests read twice.)
pub const TRIES: usize = if cfg!(loom) { 1 } else { 8 };

/// Why a slot gave no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotFault {
    /// Nothing was ever published in it.
    Empty,
    /// A record was being written during each of the [`TRIES`] tries, or its writer died in the middle.
    Torn,
}

/// The memory orderings of a seqlock, and of the pair of them in [`crate::twin`]. [`Sound`] is the only one the product uses;
/// the model checker substitutes weaker parts to prove that each is needed.
pub trait Protocol {
    /// The reader's first load of the sequence: no word may be read before it.
    const READ_BEGIN: Ordering = Ordering::Acquire;
    /// The fence between the reader's words and its second load of the sequence: no word may be read after it.
    const READ_END: Option<Ordering> = Some(Ordering::Acquire);
    /// The fence between the odd sequence and the writer's words: no word may be seen without the odd number.
    const WRITE_BEGIN: Option<Ordering> = Some(Ordering::Release);
    /// The store of the even sequence: it may not be seen without the words.
    const WRITE_END: Ordering = Ordering::Release;
    /// Whether the writer announces itself with an odd sequence at all.
    const MARKS: bool = true;
    /// Of a pair, the fence between the spare's record and the front's mark.
    const SPARE_FIRST: Option<Ordering> = Some(Ordering::Release);
}

/// The orderings of the paper.
#[derive(Debug)]
pub struct Sound;

impl Protocol for Sound {}

/// `N` words read and written as one. With `N = 7` it is one cache line, with `N` from 8 to 15 two, of which a reader of
/// the first seven words touches one.
#[repr(C, align(64))]
pub struct SeqSlot<const N: usize, P = Sound> {
    /// 0: never written. Odd: being written.
    seq: AtomicU64,
    words: [Word; N],
    protocol: PhantomData<P>,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<SeqSlot<7>>() == 64 && size_of::<SeqSlot<12>>() == 128);

impl<const N: usize, P: Protocol> SeqSlot<N, P> {
    /// A slot that holds nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { seq: AtomicU64::new(0), words: core::array::from_fn(word), protocol: PhantomData }
    }

    /// Publishes `words`. Only one thread may call this on one slot; the table's unique writer handle sees to it. Two
    /// writers would not be unsound, but could leave a mixed record under an even sequence.
    #[inline]
    pub fn write(&self, words: [u64; N]) {
        // A number left odd by a writer that died is marked already.
        let odd = self.seq.load(Ordering::Relaxed) | 1;
        if P::MARKS {
            self.seq.store(odd, Ordering::Relaxed);
        }
        if let Some(order) = P::WRITE_BEGIN {
            fence(order);
        }
        for (slot, word) in self.words.iter().zip(words) {
            slot.store(word, Ordering::Relaxed);
        }
        self.seq.store(odd.wrapping_add(1), P::WRITE_END);
    }

    /// The record, to the thread that writes; `None` before the first, and when a writer before this one died in it.
    pub(crate) fn own(&self) -> Option<[u64; N]> {
        let seq = self.seq.load(Ordering::Relaxed);
        let whole = seq != 0 && seq & 1 == 0;
        whole.then(|| self.words.each_ref().map(|word| word.load(Ordering::Relaxed)))
    }

    /// Whether nothing was ever written in it, not even in part.
    pub(crate) fn is_empty(&self) -> bool {
        self.seq.load(Ordering::Relaxed) == 0
    }

    /// Leaves the slot as a writer would that dies in the middle of a record.
    #[cfg(any(test, loom))]
    pub fn abandon(&self) {
        let seq = self.seq.load(Ordering::Relaxed);
        self.seq.store(seq | 1, Ordering::Release);
    }

    /// The first `M` words of the newest whole record.
    ///
    /// # Errors
    /// [`SlotFault::Empty`] before the first record, [`SlotFault::Torn`] after [`TRIES`] tries.
    #[inline(always)]
    pub fn read<const M: usize>(&self) -> Result<[u64; M], SlotFault> {
        match self.attempt::<M>() {
            Some(words) => Ok(words),
            None => self.read_again::<M>(),
        }
    }

    /// One try.
    #[inline(always)]
    pub(crate) fn attempt<const M: usize>(&self) -> Option<[u64; M]> {
        const { assert!(M <= N) };
        let before = self.seq.load(P::READ_BEGIN);
        let words = self.words.first_chunk::<M>()?.each_ref().map(|w| w.load(Ordering::Relaxed));
        if let Some(order) = P::READ_END {
            fence(order);
        }
        let after = self.seq.load(Ordering::Relaxed);
        // A number only grows: what it was later is not less, so that it is even where it is the same without its lowest bit.
        (after == before & !1 && before != 0).then_some(words)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn read_again<const M: usize>(&self) -> Result<[u64; M], SlotFault> {
        if self.is_empty() {
            return Err(SlotFault::Empty);
        }
        for _ in 1..TRIES {
            spin_loop();
            if let Some(words) = self.attempt::<M>() {
                return Ok(words);
            }
        }
        Err(SlotFault::Torn)
    }
}

impl<const N: usize> Sealed for SeqSlot<N> {}
impl<const N: usize> Row for SeqSlot<N> {}

impl<const N: usize, P: Protocol> Default for SeqSlot<N, P> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_empty_until_written_and_then_holds_the_newest_record() {
        let slot = SeqSlot::<7>::new();
        assert_eq!(slot.read::<7>(), Err(SlotFault::Empty));
        slot.write([1, 2, 3, 4, 5, 6, 7]);
        slot.write([9, 8, 7, 6, 5, 4, 3]);
        assert_eq!(slot.read::<7>(), Ok([9, 8, 7, 6, 5, 4, 3]));
        assert_eq!(slot.read::<2>(), Ok([9, 8]));
    }

    #[test]
    fn a_writer_that_died_in_the_middle_makes_the_slot_torn_not_the_reader_hang() {
        let slot = SeqSlot::<7>::new();
        slot.abandon();
        assert_eq!(slot.read::<7>(), Err(SlotFault::Torn));
        let slot = SeqSlot::<7>::new();
        slot.write([1; 7]);
        slot.abandon();
        assert_eq!(slot.read::<7>(), Err(SlotFault::Torn));
        slot.write([2; 7]);
        assert_eq!(slot.read::<7>(), Ok([2; 7]), "a writer after it is heard");
    }

    /// What the model checker shows for two words, on this machine for seven.
    #[test]
    fn records_stay_whole_while_a_writer_never_rests() {
        let slot = std::sync::Arc::new(SeqSlot::<7>::new());
        let writer = {
            let slot = std::sync::Arc::clone(&slot);
            std::thread::spawn(move || (1..=200_000_u64).for_each(|n| slot.write([n; 7])))
        };
        let mut newest = 0;
        while newest < 200_000 {
            if let Ok(words) = slot.read::<7>() {
                assert!(words.iter().all(|w| *w == words[0]), "torn: {words:?}");
                assert!(words[0] >= newest, "{} after {newest}", words[0]);
                newest = words[0];
            } else {
                std::thread::yield_now();
            }
        }
        writer.join().unwrap();
    }
}
