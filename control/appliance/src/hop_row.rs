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
    pub(crate) mean_ns: u64,
    pub(crate) p90_ns: u64,
    pub(crate) p9999_ns: u64,
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

/// Hops of which a part is measured: the receiver's, one poll in 16 of up to 64 packets.
const SAMPLED: [&str; 2] = ["nic_decode", "decode_ring"];

/// What the mark means, where there is one, and which hops are sampled.
pub(crate) fn footnotes(rows: &[HopRow]) -> Vec<&'static str> {
    let guessed = rows.iter().any(|row| is_guess(row.count, 10_000));
    let sampled = rows.iter().any(|row| SAMPLED.contains(&row.hop.as_str()));
    let notes = [
        (guessed, "* fewer than ten measurements lie beyond it: a hint, not a percentile"),
        (
            sampled,
            "nic_decode and decode_ring are sampled: one poll in 16, one packet in 1,024 when bursts are full",
        ),
    ];
    notes.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note).collect()
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
