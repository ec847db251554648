//! The latency files: every hop of the line is there, and the tools read them.

use crate::tables::{replay, scenario};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use tests::{portcullis_ok, programs};

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

/// What `hist` says of a log that comes on its standard input.
fn of_stdin(log: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(programs().join("portcullis"));
    command.arg("hist").args(arguments).stdin(File::open(log).unwrap()).stderr(Stdio::inherit());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_log_on_standard_input_is_read_as_its_file_is_by_every_tool() {
    let market = scenario("calm", &["--minutes", "1"]);
    let out = replay(&market.path().join("calm.pcap"), &["--static"]);
    let log = out.path().join("latency.hlog");
    let path = log.to_str().unwrap();
    let show = |arguments: &[&str]| portcullis_ok([&["hist"], arguments].concat());
    let shown = show(&["show", path, "-o", "csv"]);
    let heading = shown.lines().next().unwrap();
    for column in ["mean_ns", "p90_ns", "p99_ns", "p99.99_ns"] {
        assert!(heading.split(',').any(|found| found == column), "{column}: {heading}");
    }
    assert_eq!(of_stdin(&log, &["show", "-", "-o", "csv"]), shown);
    let packed = out.path().join("latency.hlog.gz");
    assert!(Command::new("gzip").arg("-k").arg(&log).status().unwrap().success());
    assert_eq!(show(&["show", packed.to_str().unwrap(), "-o", "csv"]), shown);
    assert_eq!(of_stdin(&packed, &["show", "-", "-o", "csv"]), shown, "packed on standard input too");
    assert_eq!(of_stdin(&log, &["diff", "-", path, "-o", "csv"]), show(&["diff", path, path, "-o", "csv"]));
    // Twice the log has twice the measurements, and its maximum.
    let sum = out.path().join("sum.hlog");
    of_stdin(&log, &["merge", "-", path, "--out", sum.to_str().unwrap()]);
    let rows = |log: &str| -> Vec<serde_json::Value> {
        serde_json::from_str(&show(&["show", log, "-o", "json"])).unwrap()
    };
    for (once, twice) in rows(path).into_iter().zip(rows(sum.to_str().unwrap())) {
        assert_eq!((&once["hop"], &once["max_ns"]), (&twice["hop"], &twice["max_ns"]));
        assert_eq!(once["count"].as_u64().map(|count| 2 * count), twice["count"].as_u64());
    }
    let plots = out.path().join("plots");
    of_stdin(&log, &["plot", "-", "--out", plots.to_str().unwrap()]);
    assert!(plots.join("latency.svg").exists());
}
