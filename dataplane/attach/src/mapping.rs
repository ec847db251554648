//! Memory that two processes share, as rows of atomic words. The only file of this crate with `unsafe` in it.
//!
//! A mapping is never taken back: rows are handed out for the life of the process. Whatever another process writes into it
//! is a wrong value at worst, since rows are atomics of which every pattern is one; that the memory cannot vanish under a
//! reader is the business of whoever made the file (a sealed memfd here, see [`Mapping::seal`]).

use gate::{Memory, OutOfMemory, Row};
use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use types::{FNV_BASIS, fnv1a};

/// Rows begin at multiples of a cache line.
const LINE: usize = 64;

/// Shared memory, and how much of it has been handed out.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: *mut u8,
    len: usize,
    used: usize,
    layout: u64,
}

/// The file of a [`Mapping`] that is still being laid out.
#[derive(Debug)]
pub(crate) struct Unsealed(File);

/// What a size cannot be.
fn no_size(bytes: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{bytes} bytes of shared memory"))
}

impl Mapping {
    /// New zeroed memory of at most `bytes`, and the file that stands for it elsewhere.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn create(name: &str, bytes: usize) -> io::Result<(Self, Unsealed)> {
        let file = File::from(memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
        // Pages that are never touched cost nothing.
        file.set_len(u64::try_from(bytes).map_err(|_| no_size(bytes))?)?;
        Ok((Self::of(MmapOptions::new().len(bytes).map_raw(&file)?), Unsealed(file)))
    }

    /// Ends the handing out: what has been handed out is all there is from now on. The file can then neither shrink nor grow, and
    /// nobody maps it for writing but this process, which has.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn seal(self, file: Unsealed) -> io::Result<OwnedFd> {
        let Unsealed(file) = file;
        file.set_len(u64::try_from(self.used.max(1)).map_err(|_| no_size(self.used))?)?;
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::FUTURE_WRITE | SealFlags::SEAL;
        fcntl_add_seals(&file, seals)?;
        Ok(file.into())
    }

    /// The memory that somebody else made and writes, for reading.
    ///
    /// # Errors
    /// What the system says, and when the file could still be cut off under its readers.
    pub(crate) fn open(fd: &impl AsFd) -> io::Result<Self> {
        if !fcntl_get_seals(fd)?.contains(SealFlags::SHRINK) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "shared memory that may shrink"));
        }
        let file = File::from(fd.as_fd().try_clone_to_owned()?);
        // Populated: no order waits for a page.
        Ok(Self::of(MmapOptions::new().populate().map_raw_read_only(&file)?))
    }

    /// A file's bytes, for reading and writing, as far as it reaches now. Whoever shortens it ends this process.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn of_file(file: &File) -> io::Result<Self> {
        Ok(Self::of(MmapOptions::new().populate().map_raw(file)?))
    }

    fn of(map: MmapRaw) -> Self {
        let mapping = Self { start: map.as_mut_ptr(), len: map.len(), used: 0, layout: FNV_BASIS };
        std::mem::forget(map);
        mapping
    }

    /// A number that two processes have in common when they have asked for the same rows in the same order.
    #[must_use]
    pub(crate) const fn layout(&self) -> u64 {
        self.layout
    }
}

/// A word that is 1 in this process, and 0 in every one that is forked from it, by whatever call: the kernel wipes it there.
///
/// # Errors
/// What the system says.
pub(crate) fn word_of_this_process() -> io::Result<&'static AtomicU64> {
    let mut page = Mapping::of(MmapOptions::new().len(size_of::<u64>()).map_anon()?.into());
    // SAFETY: `start` begins a private mapping without a file, of at least `len` bytes, of which nothing has been handed out.
    let told = unsafe { libc::madvise(page.start.cast(), page.len, libc::MADV_WIPEONFORK) };
    if told != 0 {
        return Err(io::Error::last_os_error());
    }
    let word: &'static AtomicU64 = page.row().map_err(io::Error::other)?;
    word.store(1, Ordering::Relaxed);
    Ok(word)
}

fn mix(layout: u64, number: usize) -> u64 {
    fnv1a(layout, &(number as u64).to_le_bytes())
}

impl Memory for Mapping {
    fn rows<R: Row>(&mut self, count: usize) -> Result<&'static [R], OutOfMemory> {
        const { assert!(align_of::<R>() <= LINE) };
        let from = self.used.next_multiple_of(LINE);
        let wanted = count.saturating_mul(size_of::<R>());
        if from > self.len || wanted > self.len - from {
            return Err(OutOfMemory { wanted, found: self.len.saturating_sub(from) });
        }
        self.used = from + wanted;
        self.layout = [size_of::<R>(), align_of::<R>(), count].into_iter().fold(self.layout, mix);
        // SAFETY: `from` is at most `len`, the length of the one mapping that `start` begins.
        let start = unsafe { self.start.add(from) };
        // SAFETY: the bytes lie in the mapping, which is never unmapped, and are given out once. `start` is page-aligned and `from`
        // a multiple of 64, and so aligned for R, which is no more (asserted). A `Row` is, by its contract, atomic integers in
        // `repr(C)`: every byte pattern is one, and other processes may change it meanwhile. Where the mapping is read-only, readers
        // of the gate only load words of at most 64 bits, which the documentation of `std::sync::atomic` allows there.
        Ok(unsafe { core::slice::from_raw_parts(start.cast::<R>(), count) })
    }
}

// SAFETY: the pointer is that of a mapping of the whole process, and what it hands out is `Sync`.
unsafe impl Send for Mapping {}
