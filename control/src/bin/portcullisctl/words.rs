//! Numbers and times as people say them.

use crate::sheet::thousands;
use control::stamp::Stamp;

/// A span as people say it.
pub(crate) fn span(from: Stamp, to: Stamp) -> String {
    let seconds = to.0.since(from.0).0 / 1_000_000_000;
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, m) => format!("{m} min"),
        (0, h, m) => format!("{h} h {m} min"),
        (d, h, _) => format!("{d} d {h} h"),
    }
}

/// A count, its thousands apart.
pub(crate) fn n(count: u64) -> String {
    thousands(&count.to_string())
}

/// How long ago, or that it never was.
pub(crate) fn ago(at: Option<Stamp>, now: Stamp) -> String {
    at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", span(at, now)))
}
