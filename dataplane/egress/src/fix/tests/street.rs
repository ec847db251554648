//! QuickFIX as the firm and as the venue, over real sockets, with relays between that cut connections at random bytes.

use super::desk::{ALERTS, Door};
use super::sessions::config;
use crate::fix::dictionary::Version;
use crate::fix::gateway::Relay;
use crate::fix::serve::Serving;
use crate::fix::session::Role;
use crate::fix::setup::OwnCancels;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use types::UnixNanos;

fn clock() -> UnixNanos {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    UnixNanos(u64::try_from(since.as_nanos()).expect("before 2554"))
}

/// A Python with QuickFIX: `QUICKFIX_PYTHON`, or the one on the path.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("QUICKFIX_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let status = Command::new(&python).args(["-c", "import quickfix"]).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success()).then_some(python)
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Runs the street against a gateway, and compares what the gate counts at its end with what the venue did.
fn street(version: Version, begin: &str) {
    let Some(python) = python() else {
        return tests::skip(tests::Need::QuickFix, "no QuickFIX (PyPI `quickfix`)");
    };
    let folder = tempfile::tempdir().expect("a folder");
    let venue = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("a port");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let firm_at = listener.local_addr().expect("a port");
    let prefix =
        Command::new(&python).args(["-c", "import sys; print(sys.prefix)"]).output().expect("it runs");
    let dictionaries = format!("{}/share/quickfix", String::from_utf8_lossy(&prefix.stdout).trim());
    let mut firm_config = config(version, Role::Acceptor, ("GATE", "FIRM"));
    firm_config.heartbeat_s = 5;
    let mut venue_config = config(version, Role::Initiator, ("US", "VENUE"));
    (venue_config.judge_bodies, venue_config.heartbeat_s) = (false, 5);
    let mut door = Door::new();
    door.trade_at(clock());
    let relay = Relay::open(folder.path(), firm_config, venue_config, ALERTS, door, clock()).expect("stores");
    let cancels = OwnCancels { on_disconnect: false, on_halt: true };
    let mut gateway = Serving::new(relay, listener, venue, cancels).expect("a gateway");
    let stop = AtomicBool::new(false);
    let output = std::thread::scope(|scope| {
        let serving = scope.spawn(|| {
            while !gateway.has_stopped(clock()) {
                if stop.load(Ordering::Relaxed) {
                    gateway.stop(clock());
                }
                if !gateway.turn(clock()) {
                    std::thread::sleep(Duration::from_micros(50));
                }
            }
        });
        let output = Command::new(&python)
            .arg(tests::repository().join("scripts/fix-street.py"))
            .args(["--version", begin, "--gateway", &firm_at.to_string()])
            .args(["--venue-port", &venue.port().to_string(), "--dictionaries", &dictionaries])
            .args(["--orders", &number("QUICKFIX_ORDERS", 500).to_string()])
            .args(["--cut-bytes", &number("QUICKFIX_CUT_BYTES", 30_000).to_string()])
            .args(["--seed", &number("QUICKFIX_SEED", 1).to_string()])
            .output()
            .expect("it runs");
        stop.store(true, Ordering::Relaxed);
        serving.join().expect("the gateway ends");
        output
    });
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}{:?}", gateway.counters());
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let figure = |name: &str| {
        let (_, rest) = said.split_once(&format!("\"{name}\": ")).expect("a figure");
        rest.split([',', '}']).next().expect("a number").parse::<i64>().expect("a number")
    };
    let (position, buys, sells) = gateway.relay.desk.gate.held();
    assert_eq!(position, figure("position"));
    assert_eq!(i64::try_from(buys + sells).expect("few"), figure("working"));
}

#[test]
fn quickfix_on_both_sides_of_fix_4_2() {
    street(Version::Fix42, "FIX.4.2");
}

#[test]
fn quickfix_on_both_sides_of_fix_4_4() {
    street(Version::Fix44, "FIX.4.4");
}

#[test]
fn quickfix_on_both_sides_of_fix_5_0_sp2() {
    street(Version::Fixt11, "FIXT.1.1");
}
