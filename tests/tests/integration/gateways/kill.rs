//! Halts and trips with orders open: each is cancelled at the venue, whoever dies meanwhile, and the appliance says what became of it.

use super::{Host, key, on_a_market, on_a_market_with, venue};
use crate::daemon::{ctl, said};
use crate::on_a_wire::in_namespaces;
use serde_json::Value;
use simulator::order_entry::{Behaviour, OuchVersion, VenueFaults};
use std::time::Duration;

/// Orders that rest, so many of them.
fn rest(host: &mut Host, orders: i64) -> Vec<u32> {
    let mut all = vec![host.first_order()];
    for away in 1..orders {
        let number = host.firm.enter(b'B', 10, host.cents - 100 - away);
        assert_eq!(host.firm.answered(number).0, b'A', "{}", host.told());
        all.push(number);
    }
    all
}

/// Closes something, and waits for what becomes of orders: the row of the gateway's client.
fn close(host: &Host, command: &[&str]) -> Value {
    let mut changed = host.appliance.ask(command, "changed");
    assert_eq!(changed["changed"], true, "{changed}");
    changed["halts"][0].take()
}

#[test]
fn a_halt_cancels_what_is_open_and_says_what_became_of_it() {
    if !in_namespaces("gateways::kill::a_halt_cancels_what_is_open_and_says_what_became_of_it") {
        return;
    }
    let faults = VenueFaults { late_ms: 20, ..VenueFaults::default() };
    let venue = venue(OuchVersion::V50, Behaviour::default(), faults, 1);
    on_a_market(OuchVersion::V50, "keep", venue, |mut host| {
        let orders = rest(&mut host, 5);
        host.venue.execute(key(orders[0]), 4, (host.cents as u64 - 100) * 100);
        host.appliance.wait_until("it trades", || {
            host.firm.hear(Duration::from_millis(5));
            host.firm.position == 4
        });
        let row = close(&host, &["halt", "--reason", "drill", "--wait-s", "20"]);
        assert!(host.venue.account().open.is_empty(), "{row}\n{}", host.told());
        let counts = ["cancelled", "filled", "open"].map(|name| row[name].as_u64().unwrap());
        assert_eq!((row["client"].as_str(), counts), (Some("c1"), [5, 0, 0]), "{row}");
        assert!(row["last_after_us"].as_u64().unwrap() > 0, "{row}");
        let status = said(&ctl(&host.appliance.socket(), &["status"]));
        assert!(
            status.contains("5 cancelled, 0 filled in full, 0 traded meanwhile, none is open"),
            "{status}"
        );
        // What comes after the resume is no business of the halt's.
        let resumed = ctl(&host.appliance.socket(), &["resume", "--reason", "drill", "--yes"]);
        assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
        let later = host.firm.enter(b'B', 10, host.cents - 110);
        assert_eq!(host.firm.answered(later).0, b'A', "{}", host.told());
        assert!(host.appliance.ask(&["status"], "status")["halts"].as_array().unwrap().is_empty());
        let trip = ["breaker", "trip", "instrument:FUTX", "--reason", "drill", "--wait-s", "20"];
        let row = close(&host, &trip);
        assert_eq!((row["cancelled"].as_u64(), row["open"].as_u64()), (Some(1), Some(0)), "{row}");
        assert!(host.told().contains("halt_cancels=") || host.told().contains("5 open orders are cancelled"));
        host.compare();
    });
}

#[test]
fn a_halt_cancels_with_the_daemon_dead_and_the_venue_away() {
    if !in_namespaces("gateways::kill::a_halt_cancels_with_the_daemon_dead_and_the_venue_away") {
        return;
    }
    let venue = venue(OuchVersion::V50, Behaviour::default(), VenueFaults::default(), 1);
    on_a_market(OuchVersion::V50, "keep", venue, |mut host| {
        rest(&mut host, 3);
        host.venue.hang_up();
        let halted = ctl(&host.appliance.socket(), &["halt", "--reason", "drill", "--wait-s", "0"]);
        host.appliance.daemon.0.kill().unwrap();
        host.appliance.daemon.0.wait().unwrap();
        assert!(halted.status.success(), "{}", String::from_utf8_lossy(&halted.stderr));
        host.appliance.wait_until("all is cancelled", || host.venue.account().open.is_empty());
        host.appliance.restart();
        host.appliance.wait_until("the daemon knows", || {
            host.appliance.ask(&["orders"], "orders")["rows"].as_array().unwrap().is_empty()
        });
        host.compare();
    });
}

#[test]
fn a_daemon_that_is_lost_halts_a_client_that_is_not_to_go_on_without_it() {
    if !in_namespaces("gateways::kill::a_daemon_that_is_lost_halts_a_client_that_is_not_to_go_on_without_it")
    {
        return;
    }
    let venue = venue(OuchVersion::V50, Behaviour::default(), VenueFaults::default(), 1);
    on_a_market(OuchVersion::V50, "keep", venue, |mut host| {
        rest(&mut host, 3);
        host.appliance.daemon.0.kill().unwrap();
        host.appliance.daemon.0.wait().unwrap();
        host.appliance.wait_until("all is cancelled", || host.venue.account().open.is_empty());
        let growth = host.firm.enter(b'B', 10, host.cents - 100);
        assert_eq!(host.firm.answered(growth).0, b'J', "{}", host.told());
        host.appliance.restart();
        host.appliance.wait_until("the daemon knows", || {
            host.appliance.ask(&["orders"], "orders")["rows"].as_array().unwrap().is_empty()
        });
        host.compare();
    });
}

/// It goes on without a daemon, but not beside one that will not tell it of a halt.
#[test]
fn a_daemon_that_does_not_take_the_client_in_any_more_halts_its_gateway() {
    if !in_namespaces("gateways::kill::a_daemon_that_does_not_take_the_client_in_any_more_halts_its_gateway")
    {
        return;
    }
    let venue = venue(OuchVersion::V50, Behaviour::default(), VenueFaults::default(), 1);
    let client = "on_daemon_loss = \"static\"\n";
    on_a_market_with(OuchVersion::V50, ("keep", client, ""), venue, |mut host| {
        rest(&mut host, 3);
        host.appliance.daemon.0.kill().unwrap();
        host.appliance.daemon.0.wait().unwrap();
        std::thread::sleep(Duration::from_millis(2_500));
        assert_eq!(host.venue.account().open.len(), 3, "it goes on: {}", host.told());
        let path = host.appliance.dir.path().join("portcullis.toml");
        let declared = std::fs::read_to_string(&path).unwrap();
        let at = declared.find("[client.c1]").unwrap();
        std::fs::write(
            &path,
            format!(
                "{}[client.c2]\nuser = \"root\"\nstrategies = [\"s\"]\naccounts = [\"a\"]\n",
                &declared[..at]
            ),
        )
        .unwrap();
        host.appliance.restart();
        host.appliance.wait_until("all is cancelled", || host.venue.account().open.is_empty());
        assert!(host.told().contains("3 open orders are cancelled"), "{}", host.told());
    });
}

#[test]
fn a_gateway_that_is_to_keep_orders_keeps_them() {
    if !in_namespaces("gateways::kill::a_gateway_that_is_to_keep_orders_keeps_them") {
        return;
    }
    let venue = venue(OuchVersion::V50, Behaviour::default(), VenueFaults::default(), 1);
    on_a_market(OuchVersion::V50, "keep\"\non_halt = \"keep", venue, |mut host| {
        rest(&mut host, 2);
        let row = close(&host, &["halt", "--reason", "drill", "--wait-s", "1"]);
        let counts = ["cancelled", "filled", "open"].map(|name| row[name].as_u64().unwrap());
        assert_eq!((counts, host.venue.account().open.len()), ([0, 0, 2], 2), "{row}");
        let status = said(&ctl(&host.appliance.socket(), &["status"]));
        assert!(status.contains("2 STILL OPEN"), "{status}");
        // The firm's own cancel passes.
        for number in host.firm.open.keys().copied().collect::<Vec<_>>() {
            host.firm.cancel(number, 0);
        }
        host.appliance.wait_until("the firm cancels", || {
            host.firm.hear(Duration::from_millis(5));
            host.venue.account().open.is_empty()
        });
        host.compare();
    });
}
