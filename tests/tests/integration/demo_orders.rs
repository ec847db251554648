//! The way of the demo's orders: over OUCH through two gateways to the venue, each order accounted for, and in the same bytes each time.

use crate::pages::demo;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use tests::portcullis_ok;

fn summary(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("summary.json")).unwrap()).unwrap()
}

/// Quantities of the firm's orders, by their id.
fn quantities(folder: &Path) -> BTreeMap<String, u64> {
    let orders = std::fs::read_to_string(folder.join("orders.csv")).unwrap();
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        (fields[1].to_owned(), fields[6].parse().unwrap())
    };
    orders.lines().skip(1).map(row).collect()
}

#[test]
fn every_order_of_the_demo_is_accounted_for_at_the_venue() {
    let folder = demo().0.path().join("out/demo");
    let (summary, quantities) = (summary(&folder), quantities(&folder));
    let stopped = summary["stopped"].as_array().unwrap();
    let answered = summary["venue"]["orders"].as_array().unwrap();
    let mut rejected = BTreeMap::new();
    for gateway in ["static", "adaptive"] {
        let totals = &summary["venue"][gateway];
        let its: Vec<&Value> = answered.iter().filter(|order| order["gateway"] == gateway).collect();
        assert_eq!(totals["sent"].as_u64(), Some(its.len() as u64), "{totals}");
        for order in its {
            let id = order["cl_ord_id"].as_str().unwrap();
            let [filled, cancelled] = ["filled", "cancelled"].map(|key| order[key].as_u64().unwrap());
            let is_rejected = !order["rejected"].is_null();
            let left = if is_rejected { 0 } else { quantities[id] };
            assert_eq!(filled + cancelled, left, "traded, taken back or rejected, and nothing left: {order}");
            assert_eq!(order["average"].is_null(), filled == 0, "{order}");
            // The venue rejects an order for what it is, whichever gateway sends it.
            assert_eq!(*rejected.entry(id).or_insert(is_rejected), is_rejected, "{order}");
        }
        assert!(totals["lots"].as_u64() > Some(0) && totals["rejected"].as_u64() > Some(0), "{totals}");
        assert!(totals["cancelled_lots"].as_u64() > Some(0), "{totals}");
        let stream = std::fs::read_dir(folder.join("gateways").join(gateway)).unwrap();
        assert!(
            stream.filter_map(Result::ok).any(|file| file.path().extension().is_some_and(|e| e == "stream"))
        );
    }
    let readme = std::fs::read_to_string(tests::repository().join("README.md")).unwrap();
    let readme = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    for gateway in ["static", "adaptive"] {
        let [traded, lots] = ["traded", "lots"].map(|key| summary["venue"][gateway][key].as_u64().unwrap());
        let said = format!("of which {traded} traded {},{:03}", lots / 1_000, lots % 1_000);
        assert!(readme.contains(&said), "README.md does not say: {said}");
    }
    let sent = |gateway: &str| summary["venue"][gateway]["sent"].as_u64().unwrap() as usize;
    assert_eq!(sent("static"), sent("adaptive") + stopped.len(), "what the adaptive gate alone stopped");
}

/// What the demo says, but for how long things took, which the table of hops has.
fn story(said: &str) -> &str {
    said.split_once(" hop ").expect("a table of hops").0.trim_end_matches(['─', '\n'])
}

#[test]
fn the_same_seed_gives_the_same_orders_answers_and_streams() {
    let (folder, said) = demo();
    let first = folder.path().join("out/demo");
    let again = tempfile::tempdir().unwrap();
    let out = again.path().join("again");
    let said_again = portcullis_ok(["demo", "--headless", "--out", out.to_str().unwrap()]);
    assert_eq!(story(said), story(&said_again));
    let mut compared = vec!["summary.json".to_owned()];
    for gateway in ["static", "adaptive"] {
        for file in std::fs::read_dir(first.join("gateways").join(gateway)).unwrap() {
            compared.push(format!("gateways/{gateway}/{}", file.unwrap().file_name().to_str().unwrap()));
        }
    }
    assert_eq!(compared.len(), 5, "a session and a stream each: {compared:?}");
    for name in compared {
        let read = |folder: &Path| std::fs::read(folder.join(&name)).unwrap();
        assert_eq!(read(&first), read(&out), "{name}");
    }
}
