//! Dense instrument numbers, given in order of first definition.

use super::beyond::Beyond;
use types::{GOLDEN, InstrumentId, Symbol};

/// Instruments a feed may define, by default.
pub const INSTRUMENTS_MAX: usize = 16_384;

/// The instruments of one feed: number to symbol, and symbol to number for feeds that name instruments in every message.
#[derive(Clone, Debug)]
pub struct InstrumentDirectory {
    symbols: Vec<Symbol>,
    capacity: usize,
    /// Open addressing with linear probing: instrument number + 1, zero for a free place. At most half full.
    places: Vec<u32>,
    shift: u32,
    /// Those that found no room.
    beyond: Beyond,
}

impl InstrumentDirectory {
    /// A directory for at most `capacity` instruments. All its memory is allocated here.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, 1 << 24);
        let places = (2 * capacity).next_power_of_two();
        Self {
            symbols: Vec::with_capacity(capacity),
            capacity,
            places: vec![0; places],
            shift: 64 - places.trailing_zeros(),
            beyond: Beyond::new(capacity),
        }
    }

    /// Symbols by instrument number.
    #[cfg(test)]
    pub(crate) fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// The instrument's symbol.
    #[must_use]
    pub fn symbol(&self, instrument: InstrumentId) -> Option<Symbol> {
        self.symbols.get(instrument.index()).copied()
    }

    /// The instrument called `symbol`.
    #[inline]
    #[must_use]
    pub fn find(&self, symbol: Symbol) -> Option<InstrumentId> {
        let mask = self.places.len() - 1;
        let mut at = self.home(symbol);
        loop {
            let number = self.places[at].checked_sub(1)?;
            if self.symbols[number as usize] == symbol {
                return Some(InstrumentId(number));
            }
            at = (at + 1) & mask;
        }
    }

    /// Instruments defined.
    #[must_use]
    pub fn len(&self) -> usize {
        self.symbols.len()
    }

    /// Whether none is defined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// Instruments there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Instruments that were named and found no room: as many as there is room for, at most.
    #[must_use]
    pub fn beyond(&self) -> u64 {
        self.beyond.count()
    }

    /// The instrument called `symbol`: the one that has the name, else `unnamed` under its real name at last, else a new
    /// one; `None` when that finds no room.
    pub(crate) fn resolve(&mut self, symbol: Symbol, unnamed: Option<InstrumentId>) -> Option<InstrumentId> {
        if let Some(known) = self.find(symbol) {
            return Some(known);
        }
        match unnamed {
            Some(instrument) => {
                self.rename(instrument, symbol);
                Some(instrument)
            }
            None => self.add(symbol),
        }
    }

    /// Gives the next number to `symbol`; `None` when the directory is full.
    fn add(&mut self, symbol: Symbol) -> Option<InstrumentId> {
        if self.symbols.len() == self.capacity {
            self.beyond.note(symbol);
            return None;
        }
        let number = u32::try_from(self.symbols.len()).ok()?;
        self.symbols.push(symbol);
        self.enter(symbol, number);
        Some(InstrumentId(number))
    }

    /// Gives an instrument another name; the old one is forgotten.
    fn rename(&mut self, instrument: InstrumentId, symbol: Symbol) {
        let Some(place) = self.symbols.get_mut(instrument.index()) else { return };
        let old = std::mem::replace(place, symbol);
        self.leave(old, instrument.0);
        self.enter(symbol, instrument.0);
    }

    #[inline]
    fn home(&self, symbol: Symbol) -> usize {
        // Fibonacci hashing: the upper bits of the product depend on all bits of the word.
        let product = symbol.to_word().wrapping_mul(GOLDEN);
        usize::try_from(product >> self.shift).unwrap_or(0)
    }

    fn enter(&mut self, symbol: Symbol, number: u32) {
        let mask = self.places.len() - 1;
        let mut at = self.home(symbol);
        while self.places[at] != 0 {
            at = (at + 1) & mask;
        }
        self.places[at] = number + 1;
    }

    /// Takes a number out of the probe sequence of `symbol` and closes the hole behind it.
    fn leave(&mut self, symbol: Symbol, number: u32) {
        let mask = self.places.len() - 1;
        let mut at = self.home(symbol);
        while self.places[at] != number + 1 {
            if self.places[at] == 0 {
                return;
            }
            at = (at + 1) & mask;
        }
        self.places[at] = 0;
        let mut next = (at + 1) & mask;
        while self.places[next] != 0 {
            let moved = self.places[next] - 1;
            self.places[next] = 0;
            let name = self.symbols[moved as usize];
            self.enter(name, moved);
            next = (next + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(n: u32) -> Symbol {
        Symbol::new(&format!("S{n}")).unwrap()
    }

    #[test]
    fn numbers_are_dense_and_bounded() {
        let mut directory = InstrumentDirectory::new(3);
        let given: Vec<_> = [0, 1, 0, 2, 3].map(|n| directory.resolve(name(n), None).map(|i| i.0)).into();
        assert_eq!(given, [Some(0), Some(1), Some(0), Some(2), None]);
        assert_eq!(directory.beyond(), 1);
        assert_eq!(directory.find(name(2)), Some(InstrumentId(2)));
        assert_eq!(directory.find(name(3)), None);
        assert_eq!(directory.symbol(InstrumentId(1)), Some(name(1)));
    }

    proptest! {
        /// Names given and changed in any order: each current name finds its number, each former one nothing.
        #[test]
        fn every_name_finds_its_number(renames in prop::collection::vec((0_u32..200, 1_000_u32..1_400), 0..300)) {
            let mut directory = InstrumentDirectory::new(200);
            let mut oracle: Vec<Symbol> = (0..200).map(name).collect();
            oracle.iter().for_each(|&s| { directory.resolve(s, None).unwrap(); });
            let mut former = Vec::new();
            for (who, to) in renames {
                let resolved = directory.resolve(name(to), Some(InstrumentId(who))).unwrap();
                if !oracle.contains(&name(to)) {
                    former.push(std::mem::replace(&mut oracle[who as usize], name(to)));
                }
                prop_assert_eq!(oracle[resolved.index()], name(to));
            }
            for (n, &symbol) in oracle.iter().enumerate() {
                prop_assert_eq!(directory.find(symbol), Some(InstrumentId(n as u32)));
            }
            for symbol in former.iter().filter(|s| !oracle.contains(s)) {
                prop_assert_eq!(directory.find(*symbol), None);
            }
            prop_assert_eq!(directory.symbols(), &oracle[..]);
        }
    }
}
