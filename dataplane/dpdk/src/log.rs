//! Captures DPDK's log during a call that may fail, so that the error can say what DPDK said.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of a captured log that are kept: its end.
const KEPT: usize = 8192;

/// The shim has one buffer, so one capture runs at a time.
static CAPTURE: Mutex<()> = Mutex::new(());

/// A running capture; ends when it is finished or dropped.
pub(crate) struct LogCapture {
    running: bool,
    _turn: MutexGuard<'static, ()>,
}

impl LogCapture {
    /// Starts a capture. When the stream cannot be made the log goes to the console as usual and the capture is empty.
    pub(crate) fn begin() -> Self {
        let turn = CAPTURE.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: `pcl_log_begin` wants no other capture at the same time; `turn` holds the lock that every capture takes,
        // and is given back only after the capture ended.
        let rc = unsafe { dpdk_sys::pcl_log_begin() };
        Self { running: rc == 0, _turn: turn }
    }

    /// Ends the capture and returns what was logged meanwhile, by any thread.
    pub(crate) fn finish(mut self) -> String {
        let mut text = vec![0_u8; KEPT];
        let used = self.end(&mut text);
        text.truncate(used);
        String::from_utf8_lossy(&text).into_owned()
    }

    fn end(&mut self, out: &mut [u8]) -> usize {
        if !std::mem::take(&mut self.running) {
            return 0;
        }
        // SAFETY: `pcl_log_end` wants a capture that began, which `running` said, and `out.len()` writable bytes at
        // `out`; a `u8` slice and `char` storage have the same layout.
        unsafe { dpdk_sys::pcl_log_end(out.as_mut_ptr().cast(), out.len()) }
    }
}

impl Drop for LogCapture {
    fn drop(&mut self) {
        self.end(&mut []);
    }
}

/// A DPDK result code, an errno with or without its sign, in words: `-95 (Operation not supported)`.
pub(crate) fn errno_text(rc: i32) -> String {
    let error = std::io::Error::from_raw_os_error(rc.saturating_abs());
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    format!("{rc} ({words})")
}

/// The log lines a failed call left behind, as the tail of an error message; empty when there were none.
pub(crate) fn log_tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = &lines[lines.len().saturating_sub(4)..];
    if tail.is_empty() { String::new() } else { format!("; DPDK said: {}", tail.join(" | ")) }
}
