//! Tables in pages of 2 MiB: one huge page holds what 512 ordinary ones do, so that a random access to a table of a
//! hundred megabytes does not also miss the TLB (about a third of the book's time: `cargo run --release -p featurizer --example book_bench`).

use std::io;
use std::marker::PhantomData;

use memmap2::{Advice, MmapMut, MmapOptions};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Size of a huge page on the platforms we run on.
const HUGE: usize = 2 << 20;

/// Which pages a table asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PageKind {
    /// Transparent huge pages (`madvise`); ordinary pages where the kernel refuses.
    #[default]
    Huge,
    /// Ordinary pages, for small machines and for measuring the difference.
    Ordinary,
}

/// A zeroed, page-backed array that never moves and never grows. Every page is touched at construction: no fault happens
/// later.
pub(crate) struct PageBuf<T> {
    map: MmapMut,
    /// First byte of the array in the map: the next boundary of a huge page.
    offset: usize,
    bytes: usize,
    item: PhantomData<T>,
}

impl<T: FromBytes + IntoBytes + KnownLayout + Immutable> PageBuf<T> {
    /// `len` zeroed items.
    pub(crate) fn zeroed(len: usize, kind: PageKind) -> io::Result<Self> {
        let bytes =
            len.checked_mul(size_of::<T>()).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let whole = bytes
            .checked_next_multiple_of(HUGE)
            .and_then(|b| b.checked_add(HUGE))
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut map = MmapOptions::new().len(whole).map_anon()?;
        let address = map.as_ptr().addr();
        let offset = address.next_multiple_of(HUGE) - address;
        let advice = match kind {
            PageKind::Huge => Advice::HugePage,
            PageKind::Ordinary => Advice::NoHugePage,
        };
        // A kernel without transparent huge pages refuses both; ordinary pages serve then, and the memory report says so.
        let _ = map.advise(advice);
        if map.advise_range(Advice::PopulateWrite, offset, bytes.max(1)).is_err() {
            map[offset..offset + bytes].fill(0);
        }
        Ok(Self { map, offset, bytes, item: PhantomData })
    }

    /// Bytes the array occupies.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The items.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[T] {
        // A map starts on a page and `offset` on a huge page, and `bytes` is a multiple of the item: the cast cannot fail.
        <[T]>::ref_from_bytes(&self.map[self.offset..self.offset + self.bytes]).unwrap_or_default()
    }

    /// The items, to be changed.
    #[inline]
    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        <[T]>::mut_from_bytes(&mut self.map[self.offset..self.offset + self.bytes]).unwrap_or_default()
    }
}

impl<T> std::fmt::Debug for PageBuf<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageBuf").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// Bytes of this process that the kernel holds in huge pages now; `None` where it does not say.
pub(crate) fn huge_bytes_of_process() -> Option<usize> {
    parse_anon_huge(&std::fs::read_to_string("/proc/self/smaps_rollup").ok()?)
}

fn parse_anon_huge(rollup: &str) -> Option<usize> {
    let rest = rollup.lines().find_map(|line| line.strip_prefix("AnonHugePages:"))?;
    let kib: usize = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_starts_on_a_huge_page_zeroed_and_whole() {
        for kind in [PageKind::Huge, PageKind::Ordinary] {
            let mut buf = PageBuf::<[u64; 3]>::zeroed(1_000, kind).unwrap();
            assert_eq!(buf.as_slice().len(), 1_000);
            assert!(buf.as_slice().iter().all(|x| *x == [0; 3]));
            assert!(buf.as_slice().as_ptr().addr().is_multiple_of(HUGE));
            buf.as_mut_slice()[999] = [7, 8, 9];
            assert_eq!(buf.as_slice()[999], [7, 8, 9]);
            assert_eq!(buf.bytes(), 24_000);
        }
    }

    #[test]
    fn a_size_that_cannot_exist_is_refused() {
        assert!(PageBuf::<u64>::zeroed(usize::MAX / 4, PageKind::Ordinary).is_err());
    }

    #[test]
    fn the_kernels_account_is_read() {
        let text = "55e0-7ffd ---p 00000000 00:00 0 [rollup]\nRss: 4 kB\nAnonHugePages:   2048 kB\n";
        assert_eq!(parse_anon_huge(text), Some(2 << 20));
        assert_eq!(parse_anon_huge("Rss: 4 kB\n"), None);
    }
}
