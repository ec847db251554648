//! `policy.slippage.limit_bps`: the shipped model's slippage network in the whole line, from packets to published limits.

use crate::tables::{column, replay, rows, scenario};
use std::path::Path;
use tempfile::TempDir;

const LIMITS: &str = "limits.csv";

/// Floor and base of the demo's order size.
const ENVELOPE: (u64, u64) = (10, 500);

/// Replays the crash with the demo's limits and this bound on slippage.
fn crash(market: &Path, limit_bps: u32) -> TempDir {
    let demo = std::fs::read_to_string(tests::repository().join("control/appliance/src/demo.toml")).unwrap();
    let config = market.join(format!("slippage-{limit_bps}.toml"));
    std::fs::write(&config, format!("{demo}\n[policy.slippage]\nlimit_bps = {limit_bps}\n")).unwrap();
    let args = ["--config", config.to_str().unwrap(), "--write", "scores,limits"];
    replay(&market.join("flash-crash.pcap"), &args)
}

/// The order sizes published because of predicted slippage.
fn sizes(dir: &Path) -> Vec<u64> {
    let [cause, max_qty] = ["cause", "max_qty"].map(|name| column(LIMITS, name));
    let bound = rows(dir, LIMITS).into_iter().filter(|row| row[cause] == "slippage");
    bound.map(|row| row[max_qty].parse().unwrap()).collect()
}

#[test]
fn orders_are_held_to_what_the_book_bears_within_the_envelope() {
    let market = scenario("flash-crash", &[]);
    let [off, narrow, wide] = [0, 2, 20].map(|limit_bps| crash(market.path(), limit_bps));
    assert!(sizes(off.path()).is_empty());
    let (narrow_sizes, wide_sizes) = (sizes(narrow.path()), sizes(wide.path()));
    for sizes in [&narrow_sizes, &wide_sizes] {
        assert!(sizes.iter().any(|size| *size < ENVELOPE.1), "orders are held down");
        assert!(sizes.iter().all(|size| (ENVELOPE.0..=ENVELOPE.1).contains(size)), "{sizes:?}");
    }
    let tight = |sizes: &[u64]| sizes.iter().filter(|size| **size < ENVELOPE.1 / 2).count();
    assert!(tight(&narrow_sizes) > 2 * tight(&wide_sizes), "a narrower limit holds more of them down");
    // The model's eye is on the market and not on what became of the limits.
    let scores = |dir: &TempDir| std::fs::read(dir.path().join("scores.csv")).unwrap();
    assert_eq!(scores(&off), scores(&narrow));
}
