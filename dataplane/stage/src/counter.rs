//! Single-writer counters: the owner stores, anybody reads, nobody locks.
//!
//! A stage's counters lie together, since one thread writes them all, and apart from everybody else's, so that counting
//! never moves a cache line between cores until somebody reads it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Words of padding before and after a block: a cache line, doubled for the adjacent-line prefetcher.
const PAD: usize = 16;

/// Makes the counters called `names` and returns the handle that reads them all and one writing cell for each, in order.
///
/// ```
/// let (reader, [packets, errors]) = stage::counters("receiver", ["packets", "errors"]);
/// packets.add(3);
/// assert_eq!(reader.iter().collect::<Vec<_>>(), [("packets", 3), ("errors", 0)]);
/// # let _ = errors;
/// ```
#[must_use]
pub fn counters<const N: usize>(
    set: &'static str,
    names: [&'static str; N],
) -> (CounterReader, [CounterCell; N]) {
    let words: Arc<[AtomicU64]> = (0..N + 2 * PAD).map(|_| AtomicU64::new(0)).collect();
    let cells = std::array::from_fn(|i| CounterCell { words: Arc::clone(&words), index: PAD + i });
    (CounterReader { set, names: Arc::from(names.as_slice()), words }, cells)
}

/// The writing end of one counter. There is one per counter, which is why a plain load and store suffice.
#[derive(Debug)]
pub struct CounterCell {
    words: Arc<[AtomicU64]>,
    index: usize,
}

impl CounterCell {
    /// Adds `n`, wrapping after 2^64.
    #[inline]
    pub fn add(&self, n: u64) {
        self.set(self.get().wrapping_add(n));
    }

    /// Replaces the value: for gauges, and for stages that count in plain integers and publish now and then.
    #[inline]
    pub fn set(&self, value: u64) {
        self.words[self.index].store(value, Ordering::Relaxed);
    }

    /// The value as the writer left it.
    #[inline]
    #[must_use]
    pub fn get(&self) -> u64 {
        self.words[self.index].load(Ordering::Relaxed)
    }
}

/// Reads a set of counters from any thread. Values of one set may be from slightly different moments.
#[derive(Clone, Debug)]
pub struct CounterReader {
    set: &'static str,
    names: Arc<[&'static str]>,
    words: Arc<[AtomicU64]>,
}

impl CounterReader {
    /// Name of the set.
    #[must_use]
    pub fn set_name(&self) -> &'static str {
        self.set
    }

    /// Value of the counter with this position; zero beyond the end.
    #[must_use]
    pub fn get(&self, index: usize) -> u64 {
        if index >= self.len() {
            return 0;
        }
        self.words[PAD + index].load(Ordering::Relaxed)
    }

    /// How many counters the set has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len() - 2 * PAD
    }

    /// Whether the set has no counter.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names and values, in the order of construction.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.names.iter().enumerate().map(|(i, &name)| (name, self.get(i)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_on_another_thread_sees_what_the_writer_counted() {
        let (reader, [a, b]) = counters("test", ["a", "b"]);
        a.add(2);
        a.add(3);
        b.set(u64::MAX);
        b.add(1);
        let seen = std::thread::spawn(move || reader.iter().collect::<Vec<_>>()).join().unwrap();
        assert_eq!(seen, [("a", 5), ("b", 0)]);
    }

    #[test]
    fn an_index_beyond_the_set_reads_zero() {
        let (reader, [a]) = counters("test", ["a"]);
        a.add(7);
        assert_eq!((reader.get(0), reader.get(1), reader.len()), (7, 0, 1));
    }
}
