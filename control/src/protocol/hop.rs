//! How long the hops of the line take, as `status` shows it.

use serde::{Deserialize, Serialize};

/// How long one hop of the line takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HopStatus {
    /// Its name, as in `latency.hlog`.
    pub hop: String,
    /// Values.
    pub count: u64,
    /// Nanoseconds: the median.
    pub p50_ns: u64,
    /// 9 in 10.
    pub p90_ns: u64,
    /// 99 in 100.
    pub p99_ns: u64,
    /// 999 in 1,000.
    pub p999_ns: u64,
    /// All.
    pub max_ns: u64,
}
