//! Instruments that found no room.

use types::{GOLDEN, Symbol};

/// Counts names, each once, as long as there are no more than a bound of them.
#[derive(Clone, Debug)]
pub(super) struct Beyond {
    /// Open addressing with linear probing: the words of the names, zero for a free place. At most half full.
    words: Box<[u64]>,
    count: u64,
}

impl Beyond {
    /// Room for `capacity` names. All memory is taken here.
    pub(super) fn new(capacity: usize) -> Self {
        Self { words: vec![0; (2 * capacity).next_power_of_two()].into(), count: 0 }
    }

    /// Different names noted so far, at most the capacity.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    #[cold]
    pub(super) fn note(&mut self, symbol: Symbol) {
        let word = symbol.to_word();
        let mask = self.words.len() - 1;
        // Fibonacci hashing, its upper bits brought down.
        let mut at = usize::try_from(word.wrapping_mul(GOLDEN) >> 32).unwrap_or(0) & mask;
        while self.words[at] != 0 && self.words[at] != word {
            at = (at + 1) & mask;
        }
        let is_new = self.words[at] == 0 && word != 0;
        if is_new && self.count < self.words.len() as u64 / 2 {
            self.words[at] = word;
            self.count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_counts_once_and_no_more_than_there_is_room_for() {
        let mut beyond = Beyond::new(64);
        for round in 0..3 {
            for n in 0..100 {
                beyond.note(Symbol::new(&format!("S{n}")).expect("a name"));
            }
            assert_eq!(beyond.count(), 64, "round {round}");
        }
        let mut few = Beyond::new(64);
        ["A", "B", "A", "B", "A"].iter().for_each(|name| few.note(Symbol::new(name).expect("a name")));
        assert_eq!(few.count(), 2);
    }
}
