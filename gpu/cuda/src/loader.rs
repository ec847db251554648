//! Opens `libgpu_cuda.so` and drives it through [`crate::abi`].
#![deny(clippy::undocumented_unsafe_blocks)]

use core::ffi::c_char;
use core::mem::{MaybeUninit, offset_of};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use types::MODEL_FEATURE_COUNT;

use crate::abi::{ABI_VERSION, ENTRY, Engine, Library, Measure, Memory, Mode, Open, Status};
use crate::feeder::Card;
use crate::layout::{
    BUFFER_COUNT, CardProfile, HEAD_OUTPUTS, HEAD_WEIGHT_COUNT, HEADS_MAX, Job, Row, WEIGHT_COUNT, Why,
    head_count,
};

/// Why there is no card. One line each; the caller goes on with the CPU.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// No library, or one of the libraries that it needs (the driver's, cuBLAS, cuRAND).
    #[error("{}: {message}", path.display())]
    Library {
        /// The file.
        path: PathBuf,
        /// What the system's loader says.
        message: String,
    },
    /// The library speaks another version of the interface.
    #[error("{}: found interface version {found}, wanted {ABI_VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The library found no card that it can use.
    #[error("{}: {message}", path.display())]
    Card {
        /// The file.
        path: PathBuf,
        /// What it says.
        message: String,
    },
    /// More than the interface can name, or nothing at all.
    #[error(
        "found {instruments} instruments, {profiles} profiles and {weights} weights, wanted 1 to {INSTRUMENT_COUNT_MAX}, 1 to 65536 and {WEIGHT_COUNT} with {HEAD_WEIGHT_COUNT} for each of {HEADS_MAX} heads at most"
    )]
    Size {
        /// Instruments asked for.
        instruments: usize,
        /// Profiles given.
        profiles: usize,
        /// Weights given.
        weights: usize,
    },
}

/// Most instruments of a table: the largest universe, four times over.
const INSTRUMENT_COUNT_MAX: usize = 65_536;

/// Bytes of the library's messages.
pub(crate) const MESSAGE_BYTES: usize = 512;

/// An opened library. Dropped after the last card of it.
#[derive(Debug)]
pub(crate) struct Loaded {
    functions: Library,
    path: PathBuf,
    // Keeps the code mapped that `functions` names.
    _library: libloading::Library,
}

impl Loaded {
    pub(crate) fn open(path: &Path) -> Result<Self, LoadError> {
        let failed = |e: libloading::Error| {
            // What happened is the error's; why is its source's.
            let message = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
            // The system's loader repeats the path.
            let message =
                message.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&message).to_owned();
            LoadError::Library { path: path.to_owned(), message }
        };
        // SAFETY: the file is the one that the configuration names as ours; its initialisers are those of the Rust and CUDA
        // libraries, which may run at any time.
        let library = unsafe { libloading::Library::new(path) }.map_err(failed)?;
        // SAFETY: the symbol's name is ours alone, and its type the same in every version of the interface.
        let entry =
            unsafe { library.get::<unsafe extern "C" fn() -> *const Library>(ENTRY) }.map_err(failed)?;
        // SAFETY: it takes nothing and gives the address of a static or null.
        let functions = unsafe { entry() };
        let Some(functions) = NonNull::new(functions.cast_mut()) else {
            return Err(LoadError::Card { path: path.to_owned(), message: "no functions".to_owned() });
        };
        // SAFETY: `abi` and `size` stand first in every version; only that much is read before they are compared.
        let [found, size] = unsafe { functions.cast::<[u32; 2]>().read() };
        if found != ABI_VERSION {
            return Err(LoadError::Version { path: path.to_owned(), found });
        }
        // SAFETY: a static of the library, `size` bytes of this version's functions.
        let Some(functions) = (unsafe { copied(functions, size as usize) }) else {
            return Err(LoadError::Card {
                path: path.to_owned(),
                message: format!("{size} bytes of functions"),
            });
        };
        Ok(Self { functions, path: path.to_owned(), _library: library })
    }

    pub(crate) const fn functions(&self) -> &Library {
        &self.functions
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// The first `size` bytes of `functions`; what was appended after them is null. Nothing when even the first version's are not
/// all there.
///
/// # Safety
/// `size` bytes lie there, those of a [`Library`] or of a longer or shorter one of the same version.
unsafe fn copied(functions: NonNull<Library>, size: usize) -> Option<Library> {
    if size < offset_of!(Library, train) {
        return None;
    }
    let mut copy = MaybeUninit::<Library>::zeroed();
    let (from, to) = (functions.as_ptr().cast::<u8>(), copy.as_mut_ptr().cast::<u8>());
    // SAFETY: the caller's promise, and no more than the copy holds.
    unsafe { core::ptr::copy_nonoverlapping(from, to, size.min(size_of::<Library>())) };
    // SAFETY: all before `train` was copied, and for `train` a zero is none.
    Some(unsafe { copy.assume_init() })
}

/// A card behind the library, ready for batches.
#[derive(Debug)]
pub struct LoadedCard {
    engine: NonNull<Engine>,
    memory: Memory,
    capacity: usize,
    heads: usize,
    loaded: Arc<Loaded>,
}

// SAFETY: the library's functions may be called from any thread, one at a time for an engine; `&mut self` sees to that. The
// memory that the pointers name is the engine's alone and lives as long as it.
unsafe impl Send for LoadedCard {}

impl LoadedCard {
    /// Opens the library at `path`, a card through it, and takes the packed network (`weights`) and the profiles there.
    ///
    /// # Errors
    /// No library, no driver, no card, another version: one line that says which.
    pub fn open(
        path: &Path,
        mode: Mode,
        weights: &[f32],
        profiles: &[CardProfile],
        instrument_count: usize,
    ) -> Result<Self, LoadError> {
        let sound = (1..=INSTRUMENT_COUNT_MAX).contains(&instrument_count)
            && (1..=1 << 16).contains(&profiles.len())
            && head_count(weights.len()).is_some();
        let sizes =
            (u32::try_from(instrument_count), u32::try_from(profiles.len()), u32::try_from(weights.len()));
        let (Ok(instruments), Ok(profile_count), Ok(weight_count), true) = (sizes.0, sizes.1, sizes.2, sound)
        else {
            let (instruments, profiles, weights) = (instrument_count, profiles.len(), weights.len());
            return Err(LoadError::Size { instruments, profiles, weights });
        };
        let loaded = Arc::new(Loaded::open(path)?);
        #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
        let request = Open {
            size: size_of::<Open>() as u32,
            mode: mode as u32,
            instrument_count: instruments,
            profile_count,
            weight_count,
            feature_count: MODEL_FEATURE_COUNT as u32,
            weights: weights.as_ptr(),
            profiles: profiles.as_ptr(),
        };
        Self::open_engine(loaded, &request)
    }

    fn open_engine(loaded: Arc<Loaded>, request: &Open) -> Result<Self, LoadError> {
        let mut memory = Memory {
            rows: [core::ptr::null_mut(); BUFFER_COUNT],
            changed: [core::ptr::null_mut(); BUFFER_COUNT],
            raw: [core::ptr::null(); BUFFER_COUNT],
            why: [core::ptr::null(); BUFFER_COUNT],
            heads: [core::ptr::null(); BUFFER_COUNT],
            completed: core::ptr::null(),
            row_capacity: 0,
            mode: 0,
        };
        let mut message = [0; MESSAGE_BYTES];
        let length = u32::try_from(MESSAGE_BYTES).unwrap_or(0);
        // SAFETY: `request` names as many weights and profiles as it says, `memory` and `message` are ours to write, and the
        // function is one of this version of the interface.
        let engine =
            unsafe { (loaded.functions().open)(request, &raw mut memory, message.as_mut_ptr(), length) };
        let refused = |message: String| LoadError::Card { path: loaded.path.clone(), message };
        let Some(engine) = NonNull::new(engine) else {
            return Err(refused(text(&message)));
        };
        let capacity = memory.row_capacity as usize;
        let heads = head_count(request.weight_count as usize).unwrap_or(0);
        let card = Self { engine, memory, capacity, heads, loaded: Arc::clone(&loaded) };
        // Checked once here, so that nothing need be on the way of a batch; the card closes itself when dropped.
        if card.capacity < request.instrument_count as usize || !card.memory_is_whole() {
            return Err(refused("lent less memory than was asked for".to_owned()));
        }
        Ok(card)
    }

    fn memory_is_whole(&self) -> bool {
        let m = &self.memory;
        let there = m.rows.iter().all(|p| !p.is_null() && p.is_aligned())
            && m.changed.iter().all(|p| !p.is_null() && p.is_aligned())
            && m.raw.iter().all(|p| !p.is_null() && p.is_aligned())
            && m.why.iter().all(|p| !p.is_null() && p.is_aligned())
            && m.heads.iter().all(|p| self.heads == 0 || !p.is_null() && p.is_aligned());
        there && !m.completed.is_null() && m.completed.is_aligned()
    }

    /// How batches reach the kernels.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        Mode::from_code(self.memory.mode)
    }

    /// One line about the card and the library.
    #[must_use]
    pub fn describe(&mut self) -> String {
        let mut line = [0; MESSAGE_BYTES];
        let length = u32::try_from(MESSAGE_BYTES).unwrap_or(0);
        // SAFETY: the engine is open, and `line` is ours to write.
        unsafe { (self.loaded.functions().describe)(self.engine.as_ptr(), line.as_mut_ptr(), length) };
        text(&line)
    }

    /// Has the library take a sample of `measure` into each of `samples_ns`, with the rows of `job` as they are staged.
    ///
    /// # Errors
    /// What the library says.
    pub fn measure(&mut self, measure: Measure, job: &Job, samples_ns: &mut [u64]) -> Result<(), Status> {
        let count = u32::try_from(samples_ns.len()).unwrap_or(u32::MAX);
        let (engine, functions) = (self.engine.as_ptr(), self.loaded.functions());
        // SAFETY: the engine is open, `job` outlives the call, and `samples_ns` holds `count` numbers.
        let code =
            unsafe { (functions.measure)(engine, measure as u32, job, count, samples_ns.as_mut_ptr()) };
        match Status::from_code(code) {
            Status::Ok => Ok(()),
            status @ (Status::Busy
            | Status::DeviceLost
            | Status::OutOfMemory
            | Status::Kernel
            | Status::Unsupported) => Err(status),
        }
    }
}

/// The text up to the first zero.
pub(crate) fn text(bytes: &[c_char]) -> String {
    #[expect(clippy::cast_sign_loss, reason = "a byte is a byte")]
    let bytes: Vec<u8> = bytes.iter().take_while(|b| **b != 0).map(|b| *b as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Card for LoadedCard {
    fn row_capacity(&self) -> usize {
        self.capacity
    }

    fn staging(&mut self, buffer: usize) -> (&mut [Row], &mut [u32]) {
        let (rows, changed) = (self.memory.rows[buffer], self.memory.changed[buffer]);
        // SAFETY: `open` lent `capacity` rows there, zeroed, aligned and not null, until close; the card only reads them, and not
        // while they are filled: the feeder takes a buffer when its last batch is complete.
        let rows = unsafe { core::slice::from_raw_parts_mut(rows, self.capacity) };
        // SAFETY: likewise a bit for each of `capacity` instruments, in another allocation.
        let changed = unsafe { core::slice::from_raw_parts_mut(changed, self.capacity.div_ceil(32)) };
        (rows, changed)
    }

    fn submit(&mut self, job: &Job) -> Status {
        // SAFETY: the engine is open and `job` outlives the call.
        Status::from_code(unsafe { (self.loaded.functions().submit)(self.engine.as_ptr(), job) })
    }

    #[inline]
    fn completed(&self) -> u32 {
        // SAFETY: an aligned word that lives until close and that both sides write atomically.
        let word = unsafe { AtomicU32::from_ptr(self.memory.completed.cast_mut()) };
        word.load(Ordering::Acquire)
    }

    fn status(&mut self) -> Status {
        // SAFETY: the engine is open.
        Status::from_code(unsafe { (self.loaded.functions().status)(self.engine.as_ptr()) })
    }

    #[inline]
    fn result(&self, buffer: usize, place: usize) -> (f32, Why) {
        assert!(place < 2 * self.capacity, "a place of a staged row or an instrument");
        let (raw, why) = (self.memory.raw[buffer], self.memory.why[buffer]);
        // SAFETY: `open` lent twice `capacity` numbers there. Volatile: the card writes them; of a complete batch they stand
        // still, and of any other a number is a number whatever its bits.
        let raw = unsafe { raw.wrapping_add(place).read_volatile() };
        // SAFETY: likewise; every pattern of bits is a `Why`.
        let why = unsafe { why.wrapping_add(place).read_volatile() };
        (raw, why)
    }

    fn head_count(&self) -> usize {
        self.heads
    }

    fn head(&self, buffer: usize, place: usize, head: usize) -> [f32; HEAD_OUTPUTS] {
        assert!(place < 2 * self.capacity && head < self.heads, "a place and a head of this card");
        let first = self.memory.heads[buffer].wrapping_add((place * self.heads + head) * HEAD_OUTPUTS);
        core::array::from_fn(|i| {
            // SAFETY: `open` lent so many numbers for every place and head; volatile as in `result`.
            unsafe { first.wrapping_add(i).read_volatile() }
        })
    }
}

impl Drop for LoadedCard {
    fn drop(&mut self) {
        // SAFETY: the engine is open and nothing uses it or its memory after this.
        unsafe { (self.loaded.functions().close)(self.engine.as_ptr()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{FitRequest, FitResult};

    #[test]
    fn what_is_not_there_or_not_ours_is_said_in_one_line() {
        let (weights, profiles) = (vec![0.0; WEIGHT_COUNT], [CardProfile::default()]);
        let open =
            |path: &str| LoadedCard::open(Path::new(path), Mode::Auto, &weights, &profiles, 1).unwrap_err();
        let absent = open("/nowhere/libgpu_cuda.so").to_string();
        assert!(absent.starts_with("/nowhere/libgpu_cuda.so: cannot open shared object file"), "{absent}");
        // The C library is a library, but not ours.
        let other = open("libc.so.6").to_string();
        assert!(other.contains("portcullis_cuda_library") && !other.contains('\n'), "{other}");
    }

    /// A library's functions, none of which is called.
    fn functions() -> Library {
        unsafe extern "C" fn open(_: *const Open, _: *mut Memory, _: *mut c_char, _: u32) -> *mut Engine {
            core::ptr::null_mut()
        }
        unsafe extern "C" fn submit(_: *mut Engine, _: *const Job) -> i32 {
            0
        }
        unsafe extern "C" fn status(_: *mut Engine) -> i32 {
            0
        }
        unsafe extern "C" fn measure(_: *mut Engine, _: u32, _: *const Job, _: u32, _: *mut u64) -> i32 {
            0
        }
        unsafe extern "C" fn describe(_: *mut Engine, _: *mut c_char, _: u32) -> u32 {
            0
        }
        unsafe extern "C" fn close(_: *mut Engine) {}
        unsafe extern "C" fn train(_: *const FitRequest, _: *mut FitResult, _: *mut c_char, _: u32) -> i32 {
            0
        }
        let size = u32::try_from(size_of::<Library>()).unwrap();
        Library { abi: ABI_VERSION, size, open, submit, status, measure, describe, close, train: Some(train) }
    }

    #[test]
    fn a_library_from_before_training_is_taken_without_it() {
        let whole = functions();
        let taken = |size: usize| {
            // SAFETY: a whole library's functions lie there, of which `size` says how many are looked at.
            unsafe { copied(NonNull::from(&whole), size) }.map(|functions| functions.train.is_some())
        };
        assert_eq!(taken(size_of::<Library>()), Some(true));
        assert_eq!(taken(offset_of!(Library, train)), Some(false));
        assert_eq!(taken(offset_of!(Library, close)), None);
    }

    #[test]
    fn sizes_are_checked_before_anything_is_opened() {
        let profiles = [CardProfile::default()];
        let error = LoadedCard::open(Path::new("/nowhere"), Mode::Auto, &[0.0; 3], &profiles, 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "found 0 instruments, 1 profiles and 3 weights, wanted 1 to 65536, 1 to 65536 and 2712 with 1392 \
             for each of 4 heads at most"
        );
    }
}
