//! Lines of text for whoever is on the other side of the interface.

use core::ffi::c_char;

/// Writes `text`, cut to fit, with a zero behind it; gives the length without it.
///
/// # Safety
/// `size` bytes at `to` can be written.
pub(super) unsafe fn write_text(text: &str, to: *mut c_char, size: u32) -> u32 {
    let length = text.len().min((size as usize).saturating_sub(1));
    if to.is_null() || size == 0 {
        return 0;
    }
    // SAFETY: `length` is below `size`; a fresh text and the caller's buffer do not overlap.
    unsafe { core::ptr::copy_nonoverlapping(text.as_ptr().cast(), to, length) };
    // SAFETY: likewise, `length` is at most `size - 1`.
    unsafe { to.wrapping_add(length).write(0) };
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The first line of what a panic or an error says.
pub(super) fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or("").trim().to_owned()
}

/// The first line of what a panic says.
pub(super) fn panic_line(panic: &(dyn core::any::Any + Send)) -> String {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    one_line(text.unwrap_or("panic"))
}
