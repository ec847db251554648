//! Asking the processor for a cache line before it is needed.

/// Asks for the cache line of `line`, without waiting for it. A hint: it changes no result, and does nothing on processors other
/// than `x86_64`.
#[inline(always)]
pub(crate) fn prefetch<T>(line: &T) {
    #[cfg(target_arch = "x86_64")]
    safe_arch::prefetch_t0(line);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}
