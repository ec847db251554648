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

#[test]
fn the_times_of_a_log_are_the_machines_and_not_the_markets() {
    let market = scenario("calm", &["--minutes", "1"]);
    let now = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    let before = now();
    let out = replay(&market.path().join("calm.pcap"), &[]);
    let log = std::fs::read_to_string(out.path().join("latency.hlog")).unwrap();
    let start = log.lines().find_map(|line| line.strip_prefix("#[StartTime: ")).expect("a start");
    let start: f64 = start.split(' ').next().unwrap().parse().unwrap();
    assert!((before - 0.01..=now()).contains(&start), "{start} is not when the replay ran");
    let mut intervals = 0;
    for line in log.lines().filter(|line| line.starts_with("Tag=")) {
        let fields: Vec<&str> = line.split(',').collect();
        let [offset, length] = [fields[1], fields[2]].map(|field| field.parse::<f64>().unwrap());
        assert!(offset >= 0.0 && length >= 0.0 && offset + length <= now() - before, "{}", fields[0]);
        intervals += 1;
    }
    assert!(intervals >= 4, "{intervals}");
}
