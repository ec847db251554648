//! What C's pointers point to: read and written only where they are neither null nor misaligned, and then believed to be what the
//! header asks.

use crate::convert::Fault;
use crate::layout::{PORTCULLIS_GATE_OK, PORTCULLIS_GATE_TRUNCATED};
use crate::text::{TEXT_MAX, Text};
use core::ffi::c_char;
use std::fmt::Display;

/// The value that `from` points to.
///
/// # Safety
/// `from` is null, misaligned, or points to a `T` that nobody writes meanwhile.
#[inline]
pub(super) unsafe fn take<T: Copy>(from: *const T) -> Option<T> {
    let there = !from.is_null() && from.is_aligned();
    // SAFETY: it is neither null nor misaligned, and so, by this function's contract, points to a `T`.
    there.then(|| unsafe { from.read() })
}

/// Writes `value` where `to` points; false when that is nowhere.
///
/// # Safety
/// `to` is null, misaligned, or points to memory for a `T` that nobody else uses meanwhile.
#[inline]
pub(super) unsafe fn give<T: Copy>(to: *mut T, value: T) -> bool {
    let there = !to.is_null() && to.is_aligned();
    if there {
        // SAFETY: it is neither null nor misaligned, and so, by this function's contract, memory for a `T`.
        unsafe { to.write(value) };
    }
    there
}

/// The text at `from`; `None` where there is none, it has no end within [`TEXT_MAX`] bytes, or is not UTF-8.
///
/// # Safety
/// `from` is null or points to bytes that end with a zero and that nobody writes for as long as `'a`.
pub(super) unsafe fn text<'a>(from: *const c_char) -> Option<&'a str> {
    let from = from.cast::<u8>();
    // SAFETY: where one byte before was no zero, the next one still belongs to the text, by this function's contract.
    let byte = |at: usize| unsafe { from.wrapping_add(at).read() };
    let len = (0..=TEXT_MAX).filter(|_| !from.is_null()).find(|at| byte(*at) == 0)?;
    // SAFETY: these bytes have just been read, and stay as they are for `'a`, by this function's contract.
    let bytes = unsafe { core::slice::from_raw_parts(from, len) };
    core::str::from_utf8(bytes).ok()
}

/// Writes as much of `what` as fits `size` bytes at `to`, the zero included.
///
/// # Safety
/// `to` is null or points to `size` bytes that nobody else uses meanwhile.
pub(super) unsafe fn give_text(to: *mut c_char, size: usize, what: impl Display) {
    let text = Text::<512>::of(what);
    let Some(room) = size.checked_sub(1).filter(|_| !to.is_null()) else { return };
    let (text, to) = (text.with_zero(), to.cast::<u8>());
    let mut len = (text.len() - 1).min(room);
    // Cut between characters: where one goes on, its bytes begin with 10.
    while len > 0 && text.get(len).is_some_and(|byte| byte & 0xC0 == 0x80) {
        len -= 1;
    }
    // SAFETY: `len` is less than `size`, the bytes at `to`, and at most what `text` has, which lies on this stack.
    unsafe { core::ptr::copy_nonoverlapping(text.as_ptr(), to, len) };
    // SAFETY: the place behind them is the last of `size` at most.
    unsafe { to.wrapping_add(len).write(0) };
}

/// Where C has room for a list.
pub(super) struct Room<T> {
    /// Its places, and how many they are.
    pub(super) to: *mut T,
    pub(super) capacity: usize,
    /// For how many there are.
    pub(super) count: *mut usize,
}

impl<T: Copy> Room<T> {
    /// Says that there is nothing in the list; whether there is a place for one.
    ///
    /// # Safety
    /// As for [`give`]: `count` points to one number.
    pub(super) unsafe fn clear(&self) -> Result<(), Fault> {
        // SAFETY: by this function's contract.
        if !unsafe { give(self.count, 0) } {
            return Err(Fault::Pointer("count"));
        }
        let has_none = self.to.is_null() || !self.to.is_aligned();
        if self.capacity > 0 && has_none { Err(Fault::Pointer("buffer")) } else { Ok(()) }
    }

    /// Writes as many of `all` as there is room for, and how many there are. Gives the status.
    ///
    /// # Safety
    /// As for [`give`]: `to` points to `capacity` of them, `count` to one number.
    pub(super) unsafe fn list(&self, all: impl Iterator<Item = T>) -> i32 {
        let mut there = 0_usize;
        for value in all {
            if there < self.capacity {
                // SAFETY: `there` is less than the number that `to` points to.
                unsafe { give(self.to.wrapping_add(there), value) };
            }
            there += 1;
        }
        // SAFETY: by this function's contract.
        unsafe { give(self.count, there) };
        if there > self.capacity { PORTCULLIS_GATE_TRUNCATED } else { PORTCULLIS_GATE_OK }
    }
}
