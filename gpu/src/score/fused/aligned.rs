//! Numbers in memory that begins where a cache line does.

use super::lanes::{LANES, Line};

/// Bytes in a cache line, and in the longest vector.
const LINE_BYTES: usize = 64;

/// A fixed number of [`Line`]s, zero at first. A vector that straddles two cache lines costs two loads; the allocator
/// promises sixteen bytes, so the lines start at the first boundary in a slightly larger allocation.
#[derive(Debug)]
pub(super) struct Aligned {
    floats: Box<[f32]>,
    start: usize,
    len: usize,
}

impl Aligned {
    pub(super) fn zeroed(lines: usize) -> Self {
        let len = lines * LANES;
        let floats = vec![0.0; len + LINE_BYTES / size_of::<f32>()].into_boxed_slice();
        // Beyond the slack only if the platform cannot tell; any place is right, some are faster.
        let start = floats.as_ptr().align_offset(LINE_BYTES).min(floats.len() - len);
        Self { floats, start, len }
    }

    #[inline(always)]
    pub(super) fn floats(&self) -> &[f32] {
        &self.floats[self.start..self.start + self.len]
    }

    #[inline(always)]
    pub(super) fn floats_mut(&mut self) -> &mut [f32] {
        &mut self.floats[self.start..self.start + self.len]
    }

    #[inline(always)]
    pub(super) fn lines(&self) -> &[Line] {
        self.floats().as_chunks().0
    }

    #[inline(always)]
    pub(super) fn lines_mut(&mut self) -> &mut [Line] {
        self.floats_mut().as_chunks_mut().0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_start_where_cache_lines_do() {
        for count in [0, 1, 7, 100] {
            let mut memory = Aligned::zeroed(count);
            assert_eq!((memory.lines().len(), memory.floats().len()), (count, 16 * count));
            assert!(count == 0 || memory.lines().as_ptr().addr().is_multiple_of(LINE_BYTES));
            memory.lines_mut().iter_mut().for_each(|line| line[15] = 1.0);
            assert!(memory.floats().iter().sum::<f32>() == f32::from(u8::try_from(count).unwrap()));
        }
    }
}
