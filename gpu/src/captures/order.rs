//! The order that trainings work in, the warm-up of each session, and ranks.

use std::collections::BTreeMap;

use crate::inputs::FeatureRow;

/// A symbol silent for this long begins a new session: captures of several days come in one training set.
const SESSION_GAP_NS: u64 = 600_000_000_000;

/// Sorts by time, then name, the one order training works in whatever order the files had.
pub(crate) fn sort(rows: &mut [FeatureRow]) {
    rows.sort_by_key(|row| (row.ts, row.symbol));
}

/// Drops the rows within `warmup_ns` of a symbol's first in each session; `rows` are in time order.
pub(crate) fn drop_warmup(rows: &mut Vec<FeatureRow>, warmup_ns: u64) {
    // Start of the session and last row, by symbol.
    let mut sessions = BTreeMap::new();
    rows.retain(|row| {
        let (start, last) = sessions.entry(row.symbol).or_insert((row.ts, row.ts));
        if row.ts.since(*last).0 > SESSION_GAP_NS {
            *start = row.ts;
        }
        *last = row.ts;
        row.ts.since(*start).0 >= warmup_ns
    });
}

/// The first rank of the last `share` of `len` rows in time order.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank"
)]
pub(crate) fn rank_of_last(len: usize, share: f64) -> usize {
    (len as f64 * (1.0 - share)) as usize
}

/// Value at rank `share` (0 to 1) of sorted values, interpolated; NaN never enters, `sorted` is not empty.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len() - 1;
    #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
    let position = share.clamp(0.0, 1.0) * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the slice by construction"
    )]
    let below = position as usize;
    let above = (below + 1).min(last);
    let fraction = position - position.floor();
    sorted[below] * (1.0 - fraction) + sorted[above] * fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{MODEL_FEATURE_COUNT, Symbol, UnixNanos};

    #[test]
    fn quantiles_interpolate_like_the_usual_definition() {
        // numpy.quantile([1, 2, 4, 8], [0, .25, .5, .9, 1]) = 1, 1.75, 3, 6.8, 8
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (share, want) in [(0.0, 1.0), (0.25, 1.75), (0.5, 3.0), (0.9, 6.8), (1.0, 8.0)] {
            assert!((quantile(&sorted, share) - want).abs() < 1e-12);
        }
    }

    #[test]
    fn every_session_begins_with_a_warm_up() {
        let row = |name: &str, second: u64| FeatureRow {
            ts: UnixNanos(second * 1_000_000_000),
            symbol: Symbol::new(name).unwrap(),
            valid: 0x1fff,
            values: [0.0; MODEL_FEATURE_COUNT],
        };
        let mut rows: Vec<FeatureRow> = [0, 5, 10, 400, 1_001, 1_006, 1_011].map(|s| row("A", s)).to_vec();
        rows.extend([8, 12, 18].map(|s| row("B", s)));
        sort(&mut rows);
        drop_warmup(&mut rows, 10_000_000_000);
        let kept: Vec<u64> = rows.iter().map(|r| r.ts.0 / 1_000_000_000).collect();
        assert_eq!(kept, [10, 18, 400, 1_011]);
    }
}
