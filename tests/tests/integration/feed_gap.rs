//! Lost packets: what one line lost the other brings, what both lost is a gap, and from a gap on no book is scored.

use crate::tables::{column, replay, rows, scenario};

#[test]
fn a_gap_is_counted_once_and_ends_the_scores() {
    let market = scenario("feed-gap", &[]);
    let out = replay(&market.path().join("feed-gap.pcap"), &["--write", "scores,limits"]);
    let text = std::fs::read_to_string(out.path().join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    let count = |key: &str| summary[key].as_u64().unwrap();
    assert_eq!(count("gaps"), 1);
    assert!(count("missing") > 0 && count("duplicates") > 0 && count("stale_events") > 0);
    let last_score = rows(out.path(), "scores.csv").last().map(|r| r[0].parse::<u64>().unwrap()).unwrap();
    // Both lines lose packets 100 s into the scenario, which goes on for more than a minute.
    assert!(count("last_ts_ns") - last_score > 30_000_000_000, "scores went on after the gap");
    let (cause, symbol) = (column("limits.csv", "cause"), column("limits.csv", "symbol"));
    let limits = rows(out.path(), "limits.csv");
    let revoked =
        |name: &str| limits.iter().rfind(|r| r[symbol] == name).is_some_and(|r| r[cause] == "revoke");
    let symbols: std::collections::BTreeSet<_> = limits.iter().map(|r| r[symbol].clone()).collect();
    assert!(!symbols.is_empty());
    for name in symbols {
        assert!(revoked(&name), "{name}: the model's limits outlived the gap");
    }
}
