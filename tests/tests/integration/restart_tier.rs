//! A daemon that is killed in a fragile market and starts again in one.

use crate::daemon::{Daemon, configure, ctl, start_told, start_until, until};
use crate::records::{Record, records};
use crate::tables::scenario;
use crate::through_faults::POLICY;
use serde_json::Value;
use std::path::Path;

/// The first seconds of a capture: the market is there, and no score can be yet.
fn begin_of(pcap: &Path) -> std::path::PathBuf {
    let bytes = std::fs::read(pcap).unwrap();
    let all = records(&bytes);
    let later = |record: &&Record| record.ts_ns >= all[0].ts_ns + 6_000_000_000;
    let at = all.iter().find(later).expect("more than the beginning").at;
    let to = pcap.with_file_name("begin.pcap");
    std::fs::write(&to, &bytes[..at]).unwrap();
    to
}

/// What the daemon answers; null while there is none.
fn ask(socket: &Path, args: &[&str]) -> Value {
    let output = ctl(socket, &[args, &["-o", "json"]].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

fn tier_of(socket: &Path) -> Value {
    ask(socket, &["tier", "show", "FUTX"])["tiers"][0]["tier"].clone()
}

/// The largest order that the gate takes of FUTX.
fn max_qty_of(socket: &Path) -> Option<Value> {
    let order = ["gate", "explain", "--symbol", "FUTX", "--side", "buy", "--qty", "51", "--px", "4985"];
    let explained = ask(socket, &[&order[..], &["--strategy", "s", "--account", "a"]].concat());
    let limits = explained["explain"]["limits"].as_array().cloned().unwrap_or_default();
    limits.iter().find(|limit| limit["key"] == "max_qty").map(|limit| limit["value"].clone())
}

#[test]
fn a_restart_leaves_no_tier_and_widens_no_limit() {
    let market = scenario("calm", &["--minutes", "1"]);
    let pcap = market.path().join("calm.pcap");
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control.sock");
    let config = configure(dir.path(), &pcap);
    let write = |pcap: &Path| {
        let text = std::fs::read_to_string(&config).unwrap();
        let feed = text.split("file:").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let text = text.replace(&feed, pcap.to_str().unwrap());
        std::fs::write(&config, text.split("[policy.").next().unwrap().to_owned() + POLICY).unwrap();
    };
    let (tier, max_qty) = (|| tier_of(&socket), || max_qty_of(&socket));
    let in_high = |what: &str| {
        let is_high = |_: &Daemon| tier() == "high" && max_qty() == Some(50.into());
        start_until(what, || Daemon::start(&config, &socket), is_high)
    };
    write(&pcap);
    let daemon = in_high("the model says High");
    until("it is on disk", || {
        let kept = std::fs::read_to_string(dir.path().join("state/tiers.sealed")).unwrap();
        kept.contains("\"FUTX\":\"high\"")
    });
    drop(daemon);

    write(&begin_of(&pcap));
    drop(in_high("it begins in High"));

    // A daemon without a scorer holds it until a person ends it, and the one after it knows that.
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text + "[scorer]\nenabled = false\n").unwrap();
    let daemon = in_high("it begins in High without a scorer");
    let reset = ["tier", "reset", "FUTX", "--yes", "--reason", "looked at it"];
    assert!(ctl(&socket, &reset).status.success());
    assert_eq!(max_qty(), Some(500.into()), "the officer's base holds");
    until("the end is on disk", || {
        let kept = std::fs::read_to_string(dir.path().join("state/tiers.sealed")).unwrap();
        !kept.contains("FUTX")
    });
    drop(daemon);
    let unscored = |_: &Daemon| tier() == "unknown" && max_qty() == Some(500.into());
    drop(start_until("nothing is held", || Daemon::start(&config, &socket), unscored));
    write(&begin_of(&pcap));

    // Nobody knows which tier it was in any more: in no lower one than High.
    std::fs::write(dir.path().join("state/tiers.sealed"), "x").unwrap();
    let daemon = in_high("it begins in High all the same");

    // Nothing is scored any more: a person ends what was kept, and every screen says so.
    until("a person took FUTX out of every tier", || !ctl(&socket, &reset).status.success());
    assert!(["unknown", "normal"].map(Value::from).contains(&tier()), "{}", tier());
    until("the officer's base holds", || max_qty() == Some(500.into()));
    drop(daemon);
}

#[test]
fn an_older_file_of_tiers_put_back_opens_nothing() {
    let market = scenario("calm", &["--minutes", "1"]);
    let pcap = market.path().join("calm.pcap");
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control.sock");
    let config = configure(dir.path(), &pcap);
    let with_policy = |text: String| text.split("[policy.").next().unwrap().to_owned() + POLICY;
    std::fs::write(&config, with_policy(std::fs::read_to_string(&config).unwrap())).unwrap();
    let file = dir.path().join("state/tiers.sealed");
    let older = std::fs::read(&file).unwrap();
    let is_high = || tier_of(&socket) == "high" && max_qty_of(&socket) == Some(50.into());
    let in_high = |what: &str| start_until(what, || Daemon::start(&config, &socket), |_| is_high());
    let daemon = in_high("the model says High");
    until("it is on disk", || std::fs::read_to_string(&file).unwrap().contains("\"FUTX\":\"high\""));
    drop(daemon);

    // The first seconds of the market: no score leads anywhere.
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace(pcap.to_str().unwrap(), begin_of(&pcap).to_str().unwrap())).unwrap();
    std::fs::write(&file, older).unwrap();
    let stderr = dir.path().join("stderr");
    let start = || start_told(&config, std::fs::File::create(&stderr).unwrap().into());
    let daemon = start_until("it begins in High all the same", start, |_| is_high());
    let said = std::fs::read_to_string(&stderr).unwrap();
    assert!(
        said.contains("it lacks ") && said.contains("which the audit log has: it is an older file"),
        "{said}"
    );
    assert!(said.contains("instrument:FUTX: tier high: as before the start"), "{said}");
    assert!(!said.contains("instrument:FUTX: over"), "{said}");
    drop(daemon);
}
