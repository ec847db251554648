//! What the machine's memory costs: the floor under everything that looks things up in large tables.

use std::io;

use memmap2::{Advice, MmapMut, MmapOptions};

use crate::gate_rig::Chance;

/// Bytes of the region: the order slots' size, larger than any private cache.
const BYTES: usize = 64 << 20;
/// Bytes of a cache line.
const LINE: usize = 64;
/// Size of a huge page.
const HUGE: usize = 2 << 20;

/// 64 MiB in huge pages where the kernel gives them, every line of which names another: a walk over all of them in an order
/// that no prefetcher guesses.
#[derive(Debug)]
pub struct Region {
    map: MmapMut,
    offset: usize,
    at: u32,
    chance: Chance,
}

impl Region {
    /// Takes and fills the memory.
    ///
    /// # Errors
    /// When there is none.
    pub fn new() -> io::Result<Self> {
        let mut map = MmapOptions::new().len(BYTES + HUGE).map_anon()?;
        // A kernel without huge pages refuses; the floor is then that of ordinary pages, as the tables' is.
        let _ = map.advise(Advice::HugePage);
        let offset = map.as_ptr().addr().next_multiple_of(HUGE) - map.as_ptr().addr();
        let lines = (BYTES / LINE) as u32;
        let (mut order, mut chance): (Vec<u32>, _) = ((0..lines).collect(), Chance::new(3));
        // Sattolo's shuffle: one cycle through all lines.
        for i in (1..lines).rev() {
            order.swap(i as usize, chance.below(i) as usize);
        }
        let region = &mut map[offset..offset + BYTES];
        for (line, next) in region.chunks_exact_mut(LINE).zip(order) {
            line[..4].copy_from_slice(&next.to_le_bytes());
        }
        Ok(Self { map, offset, at: 0, chance })
    }

    #[inline(always)]
    fn load(&self, line: u32) -> u32 {
        let start = self.offset + line as usize * LINE;
        self.map[start..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
    }

    /// So many loads, each of which has to wait for the one before; returns where the walk stands.
    pub fn dependent(&mut self, loads: usize) -> u64 {
        let mut at = self.at;
        for _ in 0..loads {
            at = self.load(at);
        }
        self.at = at;
        at.into()
    }

    /// So many loads from lines chosen by chance, none of which waits for another; returns their sum.
    pub fn independent(&mut self, loads: usize) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..loads {
            let line = self.chance.below((BYTES / LINE) as u32);
            sum = sum.wrapping_add(self.load(line).into());
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_visits_every_line_once() {
        let mut region = Region::new().unwrap();
        let lines = BYTES / LINE;
        let mut seen = vec![false; lines];
        for _ in 0..lines {
            let at = region.dependent(1) as usize;
            assert!(!std::mem::replace(&mut seen[at], true));
        }
        assert!(region.independent(1_000) > 0);
    }
}
