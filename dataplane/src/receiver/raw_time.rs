//! Where a message of a raw file stands in time.

use types::UnixNanos;
use wire::itch50::Header;

/// Nanoseconds of a day.
pub(super) const DAY: u64 = 86_400_000_000_000;

/// When a message of a raw ITCH file says that it was made, on the day on which that is nearest to `last`, the time of the message
/// before: midnight does not set the file back. The time is the one before where the message is too short to say it.
#[inline]
pub(super) fn raw_time(message: &[u8], midnight: UnixNanos, last: UnixNanos) -> UnixNanos {
    Header::of(message).map_or(last, |header| {
        let said = midnight.0.saturating_add(header.timestamp.ns());
        let days = last.0.saturating_add(DAY / 2).saturating_sub(said) / DAY;
        UnixNanos(said + days * DAY)
    })
}
