//! The limits that an answer of the gate names, to be held against those of before.

use serde_json::Value;
use std::collections::BTreeMap;

/// Limits that are tighter when they are larger.
const LARGER_IS_TIGHTER: [&str; 2] = ["passive_min_ticks", "margin_bps"];

/// Each limit in force by its name.
pub(super) struct Limits(BTreeMap<String, f64>);

impl Limits {
    /// Those of an answer; none when the order was refused before any was read.
    pub(super) fn of(explained: &Value) -> Option<Self> {
        let rows = explained["limits"].as_array().filter(|rows| !rows.is_empty())?;
        let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
        let limit = |row: &Value| {
            let value = number(&row["value"]).unwrap_or_else(|| panic!("no number: {row}"));
            (row["key"].as_str().expect("a name").to_owned(), value)
        };
        Some(Self(rows.iter().map(limit).collect()))
    }

    /// The limits that let out more than those `before`, or that are none any more.
    pub(super) fn wider_than(&self, before: &Self) -> Vec<&str> {
        assert_eq!(self.0.len(), before.0.len(), "each limit there was");
        let wider = |(name, now): &(&String, &f64)| {
            let was = before.0[name.as_str()];
            if LARGER_IS_TIGHTER.contains(&name.as_str()) { **now < was } else { **now > was }
        };
        self.0.iter().filter(wider).map(|(name, _)| name.as_str()).collect()
    }
}
