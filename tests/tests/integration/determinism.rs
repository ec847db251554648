//! The same input gives the same bytes: run after run, on one thread or several, from a file or through DPDK.

use crate::tables::{replay, scenario};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tests::programs;

const TABLES: [&str; 6] =
    ["bbo.csv", "depth.csv", "features.parquet", "scores.csv", "limits.csv", "verdicts.csv"];

/// The summary without the figures that measure time.
fn summary(dir: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(dir.join("summary.json")).unwrap();
    let mut summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    let object = summary.as_object_mut().unwrap();
    assert!(object.remove("elapsed_s").is_some() && object.remove("messages_per_s").is_some());
    summary
}

#[test]
fn two_replays_pinned_stages_and_dpdk_all_give_the_same_tables() {
    let market = scenario("flash-crash", &[]);
    let orders = market.path().join("orders.csv");
    let run = |extra: &[&str]| {
        let mut args = vec![
            "--orders",
            orders.to_str().unwrap(),
            "--write",
            "bbo,depth,features,scores,limits,verdicts",
        ];
        args.extend(extra);
        replay(&market.path().join("flash-crash.pcap"), &args)
    };
    let first = run(&[]);
    for (what, other) in
        [("again", run(&[])), ("pinned", run(&["--pinned"])), ("dpdk", run(&["--source", "dpdk"]))]
    {
        for table in TABLES {
            let (a, b) = (tests::table_bytes(first.path(), table), tests::table_bytes(other.path(), table));
            assert!(a.iter().filter(|b| **b == b'\n').count() > 5, "{table} is nearly empty");
            assert!(a == b, "{table} differs: {what}");
        }
        assert_eq!(summary(first.path()), summary(other.path()), "summary: {what}");
    }
}

#[test]
fn a_pinned_replay_without_orders_ends() {
    let market = scenario("calm", &["--minutes", "1"]);
    let out = tempfile::tempdir().unwrap();
    for extra in [&["--static"][..], &[]] {
        let mut command = Command::new(programs().join("portcullis"));
        command.arg("replay").arg(market.path().join("calm.pcap")).args(["--feed", "itch50", "--pinned"]);
        command.arg("--out").arg(out.path()).args(extra).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(120);
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                child.kill().unwrap();
                panic!("the replay does not end");
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(status.success());
        assert!(summary(out.path())["messages"].as_u64().unwrap() > 1_000);
    }
}
