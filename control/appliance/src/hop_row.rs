//! The latency of one hop as people read it.

/// Latency of one hop.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct HopRow {
    pub(crate) hop: String,
    pub(crate) count: u64,
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) p999_ns: u64,
    pub(crate) max_ns: u64,
}

/// Measurements beyond a percentile without which it is a guess.
const BEYOND_MIN: u64 = 10;

/// Whether so few of `count` measurements lie beyond the percentile that leaves one in `one_in` above it that it is marked.
const fn is_guess(count: u64, one_in: u64) -> bool {
    count < BEYOND_MIN * one_in
}

/// A percentile for people.
pub(crate) fn percentile(value_ns: u64, count: u64, one_in: u64) -> String {
    if is_guess(count, one_in) { format!("{value_ns}*") } else { value_ns.to_string() }
}

/// What the mark means, where there is one.
pub(crate) fn footnote(rows: &[HopRow]) -> Option<&'static str> {
    rows.iter()
        .any(|row| is_guess(row.count, 1_000))
        .then_some("* fewer than ten measurements lie beyond it: a hint, not a percentile")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_of_few_measurements_is_marked() {
        assert_eq!([percentile(7, 999, 100), percentile(7, 1_000, 100)], ["7*", "7"]);
        assert_eq!([percentile(7, 9_999, 1_000), percentile(7, 10_000, 1_000)], ["7*", "7"]);
    }
}
