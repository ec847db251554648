//! A set of instruments, one bit each, that can be walked in ascending order while it changes.

#[derive(Debug)]
pub(crate) struct BitSet {
    words: Box<[u64]>,
}

impl BitSet {
    pub(crate) fn new(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)].into_boxed_slice() }
    }

    #[inline]
    pub(crate) fn insert(&mut self, i: usize) {
        self.words[i / 64] |= 1 << (i % 64);
    }

    #[inline]
    pub(crate) fn remove(&mut self, i: usize) {
        self.words[i / 64] &= !(1 << (i % 64));
    }

    #[inline]
    pub(crate) fn contains(&self, i: usize) -> bool {
        self.words[i / 64] >> (i % 64) & 1 == 1
    }

    /// Takes in another set of the same length.
    pub(crate) fn insert_all(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// Becomes what two sets of the same length have in common.
    pub(crate) fn assign_intersection(&mut self, a: &Self, b: &Self) {
        for (word, (a, b)) in self.words.iter_mut().zip(a.words.iter().zip(&b.words)) {
            *word = a & b;
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.words)
    }

    pub(crate) fn clear(&mut self) {
        self.words.fill(0);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(crate) fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The first member from `from` on.
    #[inline]
    pub(crate) fn next_from(&self, from: usize) -> Option<usize> {
        let mut word = from / 64;
        let mut bits = self.words.get(word)? & (u64::MAX << (from % 64));
        while bits == 0 {
            word += 1;
            bits = *self.words.get(word)?;
        }
        Some(word * 64 + bits.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_out_ascending_and_go_again() {
        let mut set = BitSet::new(200);
        for i in [199, 0, 63, 64, 130] {
            set.insert(i);
        }
        set.remove(63);
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(i) = set.next_from(from) {
            found.push(i);
            from = i + 1;
        }
        assert_eq!(found, [0, 64, 130, 199]);
        assert!(set.contains(130) && !set.contains(63) && set.len() == 4);
        assert_eq!(set.next_from(500), None);
        let mut other = BitSet::new(200);
        other.insert(1);
        other.insert_all(&set);
        assert!(other.len() == 5 && other.contains(1) && other.contains(199));
        other.remove(64);
        let mut both = BitSet::new(200);
        both.insert(77);
        both.assign_intersection(&set, &other);
        assert!(both.len() == 3 && both.contains(130) && !both.contains(64) && !both.contains(77));
        set.clear();
        assert!(set.is_empty());
    }
}
