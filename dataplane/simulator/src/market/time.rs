//! Times in a market are nanoseconds since midnight; agents reckon in seconds.

/// One second in nanoseconds.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// Seconds as nanoseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "waits are small and not negative"
)]
pub(crate) fn nanos(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1e9) as u64
}

/// Nanoseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "a day of nanoseconds fits 53 bits")]
pub(crate) fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}
