//! Which DPDK this is.

/// Name and version of the DPDK library that is loaded: `DPDK 22.11.11`.
#[must_use]
pub fn version() -> &'static str {
    let text = dpdk_sys::pcl_version();
    // SAFETY: `CStr::from_ptr` wants a NUL-terminated string that stays unchanged; `rte_version` returns the address of a
    // static string of the library, which is never unloaded.
    let text = unsafe { std::ffi::CStr::from_ptr(text) };
    text.to_str().unwrap_or("DPDK (version is not UTF-8)")
}

/// Release the crate was built for, year * 100 + month: 2211 is DPDK 22.11.
#[must_use]
pub fn release() -> u32 {
    dpdk_sys::pcl_release()
}
