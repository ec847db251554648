//! The daemon on a wire: multicast behind a switch that sends a group only to ports that report it, from the first packet to
//! a clean stop.

use crate::daemon::{ctl, said};
use crate::on_a_wire::{Appliance, PATIENCE, StopOnDrop, datagrams, in_namespaces, members, send};
use crate::tables::scenario;
use serde_json::Value;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Time after which the switch forgets a member that does not answer its queries; RFC 3376 says 260 s.
const MEMBERSHIP: Duration = Duration::from_secs(4);

/// Whose limits are in force, for every instrument and limit.
fn sources(appliance: &Appliance) -> Vec<String> {
    let rows = appliance.ask(&["limits", "show"], "limits");
    rows.as_array().unwrap().iter().map(|row| row["source"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn multicast_makes_books_scores_and_limits_and_silence_takes_them_back() {
    if !in_namespaces("live_multicast::multicast_makes_books_scores_and_limits_and_silence_takes_them_back") {
        return;
    }
    let market = scenario("calm", &["--minutes", "2"]);
    let datagrams = datagrams(&market.path().join("calm.pcap"));
    let mut appliance = Appliance::start("");
    boots_and_joins(&appliance);

    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| send(&datagrams, &stop));
        // The scope waits for the sender, so it is told to stop whatever becomes of the checks.
        let _stop = StopOnDrop(&stop);
        goes_live(&appliance);
    });
    goes_stale(&appliance);
    halts(&appliance);
    stops(&mut appliance);
}

fn boots_and_joins(appliance: &Appliance) {
    for group in ["239.192.12.1", "239.192.12.2"] {
        // The switch knows it from the report it saw on the wire.
        appliance.wait_until("the switch hears the report", || {
            members().contains(&format!("port p0 grp {group}"))
        });
        let boot = appliance.printed("stdout");
        let row = boot.lines().find(|line| line.contains(group)).expect("the boot report has the group");
        assert!(row.contains("IGMPv3 from 10.192.12.9"), "{row}");
    }
    let feed = appliance.feed();
    assert_eq!((&feed["state"], &feed["last"]), (&Value::from("silent"), &Value::Null), "{feed}");
}

fn goes_live(appliance: &Appliance) {
    appliance.wait_until("the books are live", || {
        let tiers = appliance.ask(&["tier", "show"], "tiers");
        let rows = tiers.as_array().unwrap();
        !rows.is_empty() && rows.iter().all(|row| row["book"] == "live")
    });
    appliance.wait_until("the model's limits are in force", || {
        sources(appliance).iter().any(|source| source == "dynamic")
    });
    // A port is read once a second.
    appliance.wait_until("the port's counters are read", || {
        appliance.ask(&["status"], "status")["feeds"][0]["port"]["packets"] != 0
    });
    let status = appliance.ask(&["status"], "status");
    assert!(status["scorer"]["scored"].as_u64().unwrap() > 0, "{status}");
    assert!(status["scorer"]["last"].is_string(), "{status}");
    let feed = &status["feeds"][0];
    assert_eq!((&feed["state"], &feed["gaps"]), (&Value::from("live"), &Value::from(0)), "{feed}");
    assert!(feed["messages"].as_u64().unwrap() > 0 && feed["last"].is_string(), "{feed}");
    says_how_busy_and_how_full_it_is(&status);
}

fn says_how_busy_and_how_full_it_is(status: &Value) {
    let port = &status["feeds"][0]["port"];
    let n = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("no number: {value}"));
    assert!(port["link_up"] == true && n(&port["packets"]) > 0 && n(&port["bytes"]) > 0, "{port}");
    assert!(n(&port["sent"]) > 0, "its IGMP: {port}");
    let load = &status["load"];
    let named = |list: &str, key: &str| -> Vec<String> {
        load[list].as_array().unwrap().iter().map(|row| row[key].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(named("stages", "stage"), ["receiver", "featurizer", "scorer", "desk"]);
    for stage in load["stages"].as_array().unwrap() {
        let [polls, busy, busy_ns] = ["polls", "busy_polls", "busy_ns"].map(|key| n(&stage[key]));
        assert!(polls >= busy && (busy == 0) == (busy_ns == 0), "{stage}");
        assert!(busy > 0 || stage["stage"] == "desk", "{stage}");
    }
    for ring in load["rings"].as_array().unwrap() {
        let [waiting, most, depth] = ["waiting", "high_water", "depth"].map(|key| n(&ring[key]));
        assert!(waiting <= depth && most <= depth && n(&ring["lost"]) == 0, "{ring}");
    }
    let rings = named("rings", "ring");
    for ring in [
        "events",
        "vectors",
        "names to control",
        "trips",
        "changes of tier",
        "changes of the card",
        "IGMP frames",
    ] {
        assert_eq!(rings.iter().filter(|name| *name == ring).count(), 1, "{ring}: {rings:?}");
    }
    let carried = |ring: usize| n(&load["rings"][ring]["carried"]);
    assert!(rings[0] == "events" && carried(0) > 0, "{load}");
    assert_eq!(named("tables", "table"), ["instruments", "orders", "side orders", "far levels"]);
    let orders = &load["tables"][1];
    assert!(n(&orders["high_water"]) > 0 && n(&orders["room"]) == 65_536, "{orders}");
    assert!(n(&load["memory"]["bytes"]) > 0, "{load}");
}

fn goes_stale(appliance: &Appliance) {
    appliance.wait_until("the feed is stale", || appliance.feed()["state"] == "stale");
    appliance.wait_until("the static limits hold", || {
        sources(appliance).iter().all(|source| source.starts_with("static"))
    });
    let last = |feed: &Value| feed["last"].as_str().map(str::to_owned);
    let before = last(&appliance.feed());
    // Long after the report of the joins has lapsed, the answers to queries keep the groups.
    std::thread::sleep(MEMBERSHIP * 2);
    assert!(members().contains("port p0 grp 239.192.12.1"), "the membership lapsed:\n{}", members());
    let feed = appliance.feed();
    assert_eq!((&feed["state"], last(&feed)), (&Value::from("stale"), before), "{feed}");
    let table = said(&ctl(&appliance.socket(), &["status"]));
    let row = table.lines().find(|line| line.starts_with("feed sim")).unwrap();
    assert!(row.contains("stale: ") && row.contains(" s ago"), "{row}");
}

fn halts(appliance: &Appliance) {
    let changed = appliance.ask(&["halt", "--reason", "drill"], "changed");
    let us = |key: &str| changed[key].as_u64().unwrap_or_else(|| panic!("no {key} in {changed}"));
    println!("halt: gate after {} us, disk after {} us", us("effective_after_us"), us("durable_after_us"));
    assert!(us("effective_after_us") < us("durable_after_us"), "{changed}");
}

fn stops(appliance: &mut Appliance) {
    appliance.signal("TERM");
    let end = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = appliance.daemon.0.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < end, "the daemon does not stop");
        std::thread::sleep(Duration::from_millis(20));
    };
    let printed = appliance.printed("stderr");
    assert!(status.success(), "{printed}");
    assert!(printed.contains("2 multicast group(s) left; IGMP: "), "{printed}");
    appliance.wait_until("the switch hears the leave", || !members().contains("port p0 grp 239.192.12."));
    let log = std::fs::read_to_string(appliance.dir.path().join("state/latency.hlog")).unwrap();
    for hop in ["nic_decode", "decode_ring", "book_features", "score"] {
        assert!(log.contains(&format!("Tag={hop},")), "{hop} is missing from latency.hlog");
    }
    assert!(!appliance.socket().exists());
}
