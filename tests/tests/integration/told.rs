//! What the daemon, as built, tells of itself: the model's trip in its log, in a file and on the metrics page, within what RTS 6
//! allows; and alerts that outlive kill -9.

use crate::daemon::{Started, configure, ctl, said, signal, start_told, start_until, until};
use crate::tables::scenario;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

/// The answer to a command, as programs get it.
fn json(socket: &Path, command: &[&str]) -> Value {
    serde_json::from_str(&said(&ctl(socket, &[command, &["-o", "json"]].concat()))).unwrap_or_default()
}

/// The lines of a file of events.
fn events(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}

fn of<'a>(events: &'a [Value], kind: &str, scope: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["kind"] == kind && event["scope"] == scope).collect()
}

fn scrape(address: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(address) else { return String::new() };
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").expect("a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text
}

/// A daemon on a capture that tells a file, its log and a metrics page at `listen`.
fn start_with_sinks(pcap: &Path, listen: &str) -> Started {
    let dir = tempfile::tempdir().expect("a folder");
    let config = configure(dir.path(), pcap);
    let file = dir.path().join("events.jsonl");
    let ops =
        format!("[log]\nformat = \"json\"\n[sink.file]\npath = {file:?}\n[metrics]\nlisten = \"{listen}\"\n");
    let text = std::fs::read_to_string(&config).expect("a configuration");
    std::fs::write(&config, format!("{ops}{text}")).expect("a configuration");
    let log = std::fs::File::create(dir.path().join("stderr")).expect("a file");
    Started { daemon: start_told(&config, log.into()), dir }
}

#[test]
fn a_trip_by_the_model_is_told_at_once_everywhere_and_its_alert_survives_kill_9() {
    let market = scenario("flash-crash", &[]);
    let listen = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").to_string();
    let scope = "instrument:FUTX";
    let start = || start_with_sinks(&market.path().join("flash-crash.pcap"), &listen);
    let is_told =
        |at: &Started| !of(&events(&at.dir.path().join("events.jsonl")), "breaker", scope).is_empty();
    let Started { dir, daemon } = start_until("the model's trip is in the file", start, is_told);
    let path = |name: &str| dir.path().join(name);
    let (socket, file, log) = (path("control.sock"), path("events.jsonl"), path("stderr"));
    let config = path("portcullis.toml").to_str().expect("UTF-8").to_owned();
    let told = events(&file);
    let trip = of(&told, "breaker", scope)[0].clone();
    assert_eq!(
        (trip["cause"].as_str(), trip["severity"].as_str()),
        (Some("model"), Some("critical")),
        "{trip}"
    );
    let tiers = of(&told, "tier", scope);
    assert!(tiers.iter().any(|tier| tier["fields"]["tier"] == "critical"), "{tiers:?}");
    until("the daemon's log has it, a line of JSON an event", || {
        // Boot's own words stand before the first event.
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let lines = text.lines().filter(|line| line.starts_with('{'));
        let found: Vec<Value> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
        !of(&found, "breaker", scope).is_empty()
    });
    let metrics = scrape(&listen);
    for sample in
        ["portcullis_breakers_tripped 1\n", "portcullis_alerts{kind=\"breaker\",severity=\"critical\"} 1\n"]
    {
        assert!(metrics.contains(sample), "{sample} is not in\n{metrics}");
    }
    until("hops are measured", || scrape(&listen).contains("portcullis_hop_latency_seconds{hop=\""));
    let status = json(&socket, &["status"]);
    for sink in status["status"]["events"]["sinks"].as_array().expect("sinks") {
        println!(
            "event to {}: p50 {} us, p99 {} us, max {} us",
            sink["name"], sink["p50_us"], sink["p99_us"], sink["max_us"]
        );
        assert!(sink["p99_us"].as_u64() < Some(5_000_000) && sink["lost"] == 0, "RTS 6 Art. 16: {sink}");
    }
    let acked = ctl(&socket, &["alerts", "ack", "--all", "--reason", "seen"]);
    assert!(acked.status.success(), "{}", said(&acked));
    signal(&daemon, "KILL");
    drop(daemon);

    let _daemon = start_told(&config, std::process::Stdio::null());
    until("the alert is there and noted", || {
        let listed = json(&socket, &["alerts", "list"]);
        let rows = listed["alerts"]["rows"].as_array().cloned().unwrap_or_default();
        rows.iter()
            .any(|row| row["scope"] == scope && row["kind"] == "breaker" && !row["acknowledged"].is_null())
    });
    let seqs: Vec<u64> = events(&file).iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert!(
        seqs.windows(2).all(|pair| pair[1] >= pair[0].saturating_sub(256)),
        "a kill repeats a batch at most"
    );
    let distinct: std::collections::BTreeSet<u64> = seqs.iter().copied().collect();
    assert_eq!(distinct.len() as u64, *distinct.last().expect("events"), "and none is missing");
}
