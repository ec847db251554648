//! The latency files: every hop of the line is there, and the tools read them.

use crate::tables::{replay, scenario};
use tests::portcullis_ok;

#[test]
fn a_replay_leaves_every_hop_for_the_histogram_tools() {
    let market = scenario("calm", &["--minutes", "1"]);
    let orders = market.path().join("orders.csv");
    let out = replay(&market.path().join("calm.pcap"), &["--orders", orders.to_str().unwrap()]);
    let log = out.path().join("latency.hlog");
    let shown = portcullis_ok(["hist", "show", log.to_str().unwrap(), "-o", "json"]);
    let hops: Vec<serde_json::Value> = serde_json::from_str(&shown).unwrap();
    let names: Vec<_> = hops.iter().map(|h| h["hop"].as_str().unwrap()).collect();
    for hop in ["nic_decode", "decode_ring", "book_features", "score", "publish", "gate"] {
        assert!(names.contains(&hop), "{hop} is missing from {names:?}");
    }
    assert!(
        hops.iter().all(|h| h["count"].as_u64().unwrap() > 0 && h["max_ns"].as_u64() >= h["p50_ns"].as_u64())
    );
    let plots = out.path().join("plots");
    portcullis_ok(["hist", "plot", log.to_str().unwrap(), "--out", plots.to_str().unwrap()]);
    let gate = std::fs::read_to_string(plots.join("gate.hgrm")).unwrap();
    assert!(gate.contains("TotalCount") && gate.contains("#[Mean"));
    assert!(std::fs::read_to_string(plots.join("latency.svg")).unwrap().starts_with("<svg"));
}
