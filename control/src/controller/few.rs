//! The first rows of what may be many, for answers and records that have an end.

/// The first `most` of `rows`, and behind them how many more there are, in the words of `rest`.
pub(super) fn few(mut rows: impl ExactSizeIterator<Item = String>, most: usize, rest: &str) -> Vec<String> {
    let mut shown: Vec<String> = rows.by_ref().take(most).collect();
    if rows.len() > 0 {
        shown.push(format!("and {} more{rest}", rows.len()));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted() {
        let rows = |count: usize| few((0..count).map(|n| n.to_string()), 2, " of it");
        assert_eq!(rows(0), [""; 0]);
        assert_eq!(rows(2), ["0", "1"]);
        assert_eq!(rows(5), ["0", "1", "and 3 more of it"]);
    }
}
