//! Price levels that the ladder does not reach: far from the touch, or off the tick grid.
//!
//! Each (instrument, side) has one sorted array, best level last, so that changes near the touch move little memory. The
//! arrays are blocks of a buddy-allocated arena of fixed size: they double and halve without the heap, and the bound is known
//! at boot.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::fill::Fill;
use crate::ladder::Cell;

/// One level: its key (price, mirrored for asks so that better is greater) and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(crate) struct FarLevel {
    pub(crate) key: i64,
    pub(crate) cell: Cell,
}

/// Levels in the smallest block.
const BLOCK: usize = 8;
/// Sizes of blocks: 8 … 65,536 levels.
const ORDERS: usize = 14;
/// Most far levels one side of one book can have.
pub(crate) const FAR_MAX: usize = BLOCK << (ORDERS - 1);
const NONE: u32 = u32::MAX;
/// Marks a block number that does not start a free block.
const NOT_FREE: u8 = u8::MAX;

/// The arena, or one side's share of it, has no room left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Which blocks are free: one list per size, linked through a table beside the arena.
#[derive(Debug)]
struct Buddy {
    heads: [u32; ORDERS],
    /// Size of the free block that starts here, or [`NOT_FREE`].
    free: Box<[u8]>,
    links: Box<[[u32; 2]]>,
    free_blocks: usize,
    /// The fewest that ever were free.
    free_blocks_min: usize,
}

impl Buddy {
    fn new(blocks: usize) -> Self {
        let mut buddy = Self {
            heads: [NONE; ORDERS],
            free: vec![NOT_FREE; blocks].into_boxed_slice(),
            links: vec![[NONE; 2]; blocks].into_boxed_slice(),
            free_blocks: 0,
            free_blocks_min: blocks,
        };
        buddy.reset();
        buddy
    }

    /// Everything free again, in blocks as large as fit.
    fn reset(&mut self) {
        self.heads = [NONE; ORDERS];
        self.free.fill(NOT_FREE);
        self.free_blocks = 0;
        let mut at = 0;
        while at < self.free.len() {
            let aligned = if at == 0 { ORDERS - 1 } else { (at.trailing_zeros() as usize).min(ORDERS - 1) };
            let order = aligned.min((self.free.len() - at).ilog2() as usize);
            self.push(at as u32, order);
            at += 1 << order;
        }
    }

    fn push(&mut self, at: u32, order: usize) {
        let next = self.heads[order];
        self.links[at as usize] = [NONE, next];
        if next != NONE {
            self.links[next as usize][0] = at;
        }
        self.heads[order] = at;
        self.free[at as usize] = order as u8;
        self.free_blocks += 1 << order;
    }

    fn unlink(&mut self, at: u32, order: usize) {
        let [previous, next] = self.links[at as usize];
        if previous == NONE {
            self.heads[order] = next;
        } else {
            self.links[previous as usize][1] = next;
        }
        if next != NONE {
            self.links[next as usize][0] = previous;
        }
        self.free[at as usize] = NOT_FREE;
        self.free_blocks -= 1 << order;
    }

    fn take(&mut self, order: usize) -> Option<u32> {
        let mut found = (order..ORDERS).find(|o| self.heads[*o] != NONE)?;
        let at = self.heads[found];
        self.unlink(at, found);
        while found > order {
            found -= 1;
            self.push(at + (1 << found), found);
        }
        self.free_blocks_min = self.free_blocks_min.min(self.free_blocks);
        Some(at)
    }

    fn give(&mut self, mut at: u32, mut order: usize) {
        while order + 1 < ORDERS {
            let buddy = at ^ (1 << order);
            if self.free.get(buddy as usize).copied() != Some(order as u8) {
                break;
            }
            self.unlink(buddy, order);
            at = at.min(buddy);
            order += 1;
        }
        self.push(at, order);
    }
}

/// Where one side's levels are.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// First small block; [`NONE`]: the side has no block.
    at: u32,
    len: u32,
    order: u8,
}

impl Block {
    const EMPTY: Self = Self { at: NONE, len: 0, order: 0 };
}

/// All far levels of all books; the levels themselves lie in an arena the caller lends.
#[derive(Debug)]
pub(crate) struct FarIndex {
    blocks: Box<[Block]>,
    buddy: Buddy,
}

impl FarIndex {
    /// For `sides` sides (two per instrument) over an arena of `levels` levels.
    pub(crate) fn new(sides: usize, levels: usize) -> Self {
        Self {
            blocks: vec![Block::EMPTY; sides].into_boxed_slice(),
            buddy: Buddy::new((levels / BLOCK).max(1)),
        }
    }

    /// Levels an arena needs for at least `levels`.
    pub(crate) fn arena_len(levels: usize) -> usize {
        levels.max(BLOCK).next_multiple_of(BLOCK)
    }

    /// Bytes beside the arena.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.blocks) + size_of_val(&*self.buddy.free) + size_of_val(&*self.buddy.links)
    }

    /// Levels whose blocks are taken.
    pub(crate) fn fill(&self) -> Fill {
        let Buddy { free, free_blocks, free_blocks_min, .. } = &self.buddy;
        let taken = |free_blocks: usize| ((free.len() - free_blocks) * BLOCK) as u64;
        let [used, high_water, room] = [taken(*free_blocks), taken(*free_blocks_min), taken(0)];
        Fill { table: "far levels", used, high_water, room }
    }

    /// The levels of a side, worst first.
    #[inline]
    pub(crate) fn levels<'a>(&self, arena: &'a [FarLevel], side: usize) -> &'a [FarLevel] {
        let block = self.blocks[side];
        if block.at == NONE {
            return &[];
        }
        let start = block.at as usize * BLOCK;
        &arena[start..start + block.len as usize]
    }

    #[inline]
    fn levels_mut<'a>(&self, arena: &'a mut [FarLevel], side: usize) -> &'a mut [FarLevel] {
        let block = self.blocks[side];
        if block.at == NONE {
            return &mut [];
        }
        let start = block.at as usize * BLOCK;
        &mut arena[start..start + block.len as usize]
    }

    /// The level with this key, to be changed in place.
    #[inline]
    pub(crate) fn get_mut<'a>(
        &self,
        arena: &'a mut [FarLevel],
        side: usize,
        key: i64,
    ) -> Option<&'a mut Cell> {
        let levels = self.levels_mut(arena, side);
        let at = levels.binary_search_by_key(&key, |level| level.key).ok()?;
        Some(&mut levels[at].cell)
    }

    /// Adds a level that does not exist yet.
    pub(crate) fn insert(
        &mut self,
        arena: &mut [FarLevel],
        side: usize,
        level: FarLevel,
    ) -> Result<(), Full> {
        let len = self.blocks[side].len as usize;
        self.reserve(arena, side, len + 1)?;
        self.blocks[side].len += 1;
        let levels = self.levels_mut(arena, side);
        let at = levels[..len].partition_point(|l| l.key < level.key);
        levels.copy_within(at..len, at + 1);
        levels[at] = level;
        Ok(())
    }

    pub(crate) fn remove(&mut self, arena: &mut [FarLevel], side: usize, key: i64) {
        let levels = self.levels_mut(arena, side);
        let Ok(at) = levels.binary_search_by_key(&key, |level| level.key) else { return };
        levels.copy_within(at + 1.., at);
        self.blocks[side].len -= 1;
        self.shrink(arena, side);
    }

    /// Makes room for `len` levels; on `Err` nothing has changed.
    fn reserve(&mut self, arena: &mut [FarLevel], side: usize, len: usize) -> Result<(), Full> {
        let block = self.blocks[side];
        if block.at != NONE && len <= BLOCK << block.order {
            return Ok(());
        }
        if len > FAR_MAX {
            return Err(Full);
        }
        self.resize(arena, side, (len.div_ceil(BLOCK)).next_power_of_two().ilog2() as usize)
    }

    fn resize(&mut self, arena: &mut [FarLevel], side: usize, order: usize) -> Result<(), Full> {
        let old = self.blocks[side];
        let at = self.buddy.take(order).ok_or(Full)?;
        if old.at != NONE {
            let start = old.at as usize * BLOCK;
            arena.copy_within(start..start + old.len as usize, at as usize * BLOCK);
            self.buddy.give(old.at, usize::from(old.order));
        }
        self.blocks[side] = Block { at, len: old.len, order: order as u8 };
        Ok(())
    }

    /// Gives memory back when less than a quarter is used, so that growing and shrinking cannot alternate.
    fn shrink(&mut self, arena: &mut [FarLevel], side: usize) {
        let block = self.blocks[side];
        if block.len == 0 {
            self.clear(side);
        } else if block.order > 0 && (block.len as usize) * 4 <= BLOCK << block.order {
            // Taking the smaller block can fail in a full arena; the larger one then stays.
            let _ = self.resize(arena, side, usize::from(block.order) - 1);
        }
    }

    /// Forgets the levels of a side.
    pub(crate) fn clear(&mut self, side: usize) {
        let block = self.blocks[side];
        if block.at != NONE {
            self.buddy.give(block.at, usize::from(block.order));
            self.blocks[side] = Block::EMPTY;
        }
    }

    /// Replaces the levels of a side by `levels` (ascending keys); on `Err` nothing has changed.
    pub(crate) fn replace(
        &mut self,
        arena: &mut [FarLevel],
        side: usize,
        levels: impl Iterator<Item = FarLevel>,
        len: usize,
    ) -> Result<(), Full> {
        if len == 0 {
            self.clear(side);
            return Ok(());
        }
        self.reserve(arena, side, len)?;
        self.blocks[side].len = len as u32;
        for (slot, level) in self.levels_mut(arena, side).iter_mut().zip(levels) {
            *slot = level;
        }
        self.shrink(arena, side);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn level(key: i64) -> FarLevel {
        FarLevel { key, cell: Cell::of(1, 1) }
    }

    #[test]
    fn an_arena_of_any_size_is_handed_out_whole_and_merges_back() {
        for blocks in [1, 3, 64, 1_000, (1 << ORDERS) + 5] {
            let mut buddy = Buddy::new(blocks);
            for _ in 0..2 {
                let mut taken = Vec::new();
                while let Some(at) = buddy.take(0) {
                    taken.push(at);
                }
                assert_eq!(taken.len(), blocks);
                assert_eq!(buddy.free_blocks, 0);
                // Give back in an order that is not the one of taking.
                taken.sort_by_key(|at| at.wrapping_mul(2_654_435_761));
                taken.into_iter().for_each(|at| buddy.give(at, 0));
                assert_eq!(buddy.free_blocks, blocks);
            }
            let largest = (blocks.ilog2() as usize).min(ORDERS - 1);
            assert!(buddy.take(largest).is_some(), "{blocks} blocks did not merge back");
        }
    }

    #[test]
    fn sides_grow_shrink_and_refuse_without_losing_a_level() {
        let capacity = 64 * BLOCK;
        let mut arena = vec![FarLevel::default(); capacity];
        let mut far = FarIndex::new(4, capacity);
        let mut oracle: [BTreeMap<i64, Cell>; 4] = Default::default();
        let mut state = 7_u64;
        let mut next = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        let (mut refused, mut most) = (0, 0);
        for step in 0..40_000 {
            let side = next(4) as usize;
            let key = next(400) as i64 - 200;
            let grow = (step / 5_000) % 2 == 0;
            let known = oracle[side].contains_key(&key);
            assert_eq!(far.get_mut(&mut arena, side, key).is_some(), known);
            if known && (!grow || next(4) == 0) {
                far.remove(&mut arena, side, key);
                oracle[side].remove(&key);
            } else if !known && (grow || next(4) == 0) {
                match far.insert(&mut arena, side, level(key)) {
                    Ok(()) => drop(oracle[side].insert(key, level(key).cell)),
                    Err(Full) => refused += 1,
                }
            }
            most = most.max(far.fill().used);
            let found: Vec<i64> = far.levels(&arena, side).iter().map(|l| l.key).collect();
            assert_eq!(found, oracle[side].keys().copied().collect::<Vec<_>>());
        }
        assert!(refused > 0, "the arena was never full");
        (0..4).for_each(|side| far.clear(side));
        let Fill { used, high_water, room, .. } = far.fill();
        assert_eq!((used, room), (0, capacity as u64));
        assert!(
            (most..=room).contains(&high_water),
            "{high_water}: a side that grows has both its blocks for a moment"
        );
    }
}
