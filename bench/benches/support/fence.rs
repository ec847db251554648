//! The barrier around the clock's readings, for benches that time single operations.

/// Waits until everything before it is done, and lets nothing after it begin (AMD64 Architecture Programmer's Manual
/// volume 3, LFENCE, with MSR `C001_1029` bit 1 set as Linux sets it; Intel SDM volume 2, LFENCE).
#[inline(always)]
pub(crate) fn fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: LFENCE is part of SSE2, which every x86-64 processor has; it touches neither memory nor registers.
    unsafe {
        std::arch::x86_64::_mm_lfence();
    }
    #[cfg(not(target_arch = "x86_64"))]
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}
