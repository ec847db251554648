//! Pinned memory and the addresses that kernels take.

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use candle_core::cuda_backend::cudarc::driver::{CudaContext, DeviceRepr, DriverError, result, sys};

use crate::layout::{BUFFER_COUNT, CardProfile, Control, Job, Row, Why};

/// Host memory that the card reads and writes in place, at the same address; zeroed, freed when dropped.
#[derive(Debug)]
pub(super) struct Pinned<T> {
    at: NonNull<T>,
    count: usize,
    context: Arc<CudaContext>,
}

// SAFETY: plain memory, owned; whoever reads or writes it synchronises by the completion word.
unsafe impl<T: Send> Send for Pinned<T> {}

impl<T> Pinned<T> {
    /// `count` zeroed items; `T` is a type for which zeros are a value (all of the interface's are).
    pub(super) fn zeroed(context: &Arc<CudaContext>, count: usize) -> Result<Self, DriverError> {
        context.bind_to_thread()?;
        let bytes = count.max(1) * size_of::<T>();
        let flags = sys::CU_MEMHOSTALLOC_DEVICEMAP | sys::CU_MEMHOSTALLOC_PORTABLE;
        // SAFETY: a positive size; the memory is freed in `drop` alone.
        let at = unsafe { result::malloc_host(bytes, flags) }?;
        // SAFETY: `bytes` bytes were just given.
        unsafe { at.cast::<u8>().write_bytes(0, bytes) };
        let at = NonNull::new(at.cast()).ok_or(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY))?;
        Ok(Self { at, count, context: Arc::clone(context) })
    }

    pub(super) const fn as_ptr(&self) -> *mut T {
        self.at.as_ptr()
    }

    /// The items, for the copy engine to read.
    pub(super) const fn as_slice(&self) -> &[T] {
        // SAFETY: `count` items, zeroed or written since; no mutable slice is ever made of them on this side.
        unsafe { core::slice::from_raw_parts(self.at.as_ptr(), self.count) }
    }
}

impl<T> Drop for Pinned<T> {
    fn drop(&mut self) {
        // A context that is lost took its memory with it; there is nothing to do about an error here.
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: came from `malloc_host`; the driver drops its streams before its memory.
            let _ = unsafe { result::free_host(self.at.as_ptr().cast()) };
        }
    }
}

/// The words that host and card talk through.
#[derive(Debug)]
pub(super) struct Words(pub(super) Pinned<Control>);

impl Words {
    /// `at` is a word of this `Control`.
    fn word(&self, at: *mut u32) -> &AtomicU32 {
        // SAFETY: an aligned word of this pinned memory, written atomically by both sides as long as it lives.
        unsafe { AtomicU32::from_ptr(at) }
    }

    fn field(&self, offset: usize) -> &AtomicU32 {
        self.word(self.0.as_ptr().wrapping_byte_add(offset).cast())
    }

    pub(super) fn completed(&self) -> u32 {
        self.field(core::mem::offset_of!(Control, completed)).load(Ordering::Acquire)
    }

    pub(super) fn completed_at(&self) -> *const u32 {
        self.field(core::mem::offset_of!(Control, completed)).as_ptr()
    }

    pub(super) fn is_resident(&self) -> bool {
        self.field(core::mem::offset_of!(Control, resident)).load(Ordering::Acquire) != 0
    }

    pub(super) fn set_resident(&self) {
        self.field(core::mem::offset_of!(Control, resident)).store(1, Ordering::Release);
    }

    /// Writes a request; its sequence last, so that whoever sees it sees the rest.
    pub(super) fn request(&self, job: &Job) {
        let words = job.request();
        let first = core::mem::offset_of!(Control, request);
        for (i, word) in words.into_iter().enumerate().rev() {
            self.field(first + i * size_of::<u32>()).store(word, Ordering::Release);
        }
    }
}

/// Every address a kernel needs, as `interface.h` has it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Plan {
    pub(super) rows: [*const Row; BUFFER_COUNT],
    pub(super) changed: [*const u32; BUFFER_COUNT],
    pub(super) raw: [*mut f32; BUFFER_COUNT],
    pub(super) why: [*mut Why; BUFFER_COUNT],
    pub(super) heads: [*mut f32; BUFFER_COUNT],
    pub(super) table: sys::CUdeviceptr,
    pub(super) profiles: sys::CUdeviceptr,
    pub(super) weights: sys::CUdeviceptr,
    pub(super) control: *mut Control,
    pub(super) sync: sys::CUdeviceptr,
    pub(super) row_capacity: u32,
    pub(super) head_count: u32,
}
const _: () = assert!(size_of::<Plan>() == 16 * size_of::<usize>());

// SAFETY: `repr(C)`, the kernels' own struct, copied by value into their parameters.
unsafe impl DeviceRepr for Plan {}
// SAFETY: addresses; what lies there is the driver's, which is moved between threads with them.
unsafe impl Send for Plan {}
// SAFETY: as `Plan`.
unsafe impl DeviceRepr for Job {}
// SAFETY: `repr(C)` and plain numbers, copied byte for byte to the card.
unsafe impl DeviceRepr for CardProfile {}
