//! A gateway that the daemon runs itself: the code of `portcullis gateway`, on a thread of its own.

use super::firm::Firm;
use super::{LISTEN, VENUE, config, key, market, terminate, venue};
use crate::on_a_wire::{Appliance, Datagram, PATIENCE, StopOnDrop, in_namespaces, send, spawn};
use simulator::order_entry::{Behaviour, OrderVenue, OuchVersion, VenueFaults};
use std::net::TcpListener;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tests::portcullis;

/// A daemon with its gateway, a venue, a firm with an order that rests there, and the number of that order.
struct Host {
    appliance: Appliance,
    firm: Firm,
    venue: OrderVenue,
    order: u32,
    _passwords: tempfile::TempDir,
}

/// Runs `story` once the firm has an order at the venue, while the market is sent.
fn with_an_open_order(story: impl FnOnce(Host)) {
    let venue = venue(OuchVersion::V50, Behaviour::default(), VenueFaults::default(), 1);
    let (datagrams, cents): (Vec<Datagram>, i64) = market();
    let passwords = tempfile::tempdir().unwrap();
    let text = config(passwords.path(), OuchVersion::V50, "cancel");
    let appliance = Appliance::start(&text.replace("on_disconnect", "in_daemon = true\non_disconnect"));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| send(&datagrams, &stop));
        let _stop = StopOnDrop(&stop);
        let mut firm = Firm::new(LISTEN.parse().unwrap());
        firm.log = appliance.dir.path().join("stderr");
        let end = Instant::now() + PATIENCE;
        let order = loop {
            firm.be_connected();
            let number = firm.enter(b'B', 10, cents - 100);
            let answer = firm.answered(number);
            if answer.0 == b'A' {
                break number;
            }
            assert!(Instant::now() < end, "no order passes: {answer:?}\n{}", appliance.printed("stderr"));
            std::thread::sleep(Duration::from_millis(50));
        };
        story(Host { appliance, firm, venue, order, _passwords: passwords });
    });
}

impl Host {
    /// Waits until the firm has heard that its order is cancelled, and nothing is held anywhere.
    fn hears_the_cancel(&mut self) {
        let Self { appliance, firm, venue, order, .. } = self;
        appliance.wait_until("the firm hears that its order is cancelled", || {
            firm.be_connected();
            firm.hear(Duration::from_millis(10));
            !firm.open.contains_key(order)
        });
        assert!(venue.account().open.is_empty(), "{:?}", venue.account());
        let held = || appliance.ask(&["orders"], "orders");
        appliance
            .wait_until("the daemon holds no order", || held()["rows"].as_array().is_some_and(Vec::is_empty));
    }
}

#[test]
fn it_is_placed_shown_and_finds_its_order_again_after_kill_9() {
    if !in_namespaces("gateways::in_daemon::it_is_placed_shown_and_finds_its_order_again_after_kill_9") {
        return;
    }
    with_an_open_order(|mut host| {
        let placed = host.appliance.printed("stdout");
        let row = placed.lines().find(|line| line.contains("gateway g")).expect("a row of the placement");
        assert!(row.contains(" any ") && row.contains(&format!("orders at {LISTEN} for {VENUE}")), "{row}");
        host.appliance.wait_until("status shows the gateway and its order", || {
            let counters = host.appliance.ask(&["status"], "status")["counters"]["gateway g"].take();
            (counters["running"].as_u64(), counters["open_orders"].as_u64()) == (Some(1), Some(1))
        });
        // Nobody runs it twice.
        let config = host.appliance.dir.path().join("portcullis.toml");
        let second = portcullis(["gateway", "--config", config.to_str().unwrap(), "g"]);
        let said = String::from_utf8_lossy(&second.stderr);
        assert_eq!((second.status.code(), said.contains("in_daemon")), (Some(2), true), "{said}");
        // The firm's connection ended with the daemon: its order is found again, and cancelled.
        assert!(host.venue.account().open.contains_key(&key(host.order)));
        host.appliance.restart();
        host.hears_the_cancel();
    });
}

/// Its port is taken, so that it ends whenever it is opened: a person hears of it, and again when it runs.
#[test]
fn one_that_cannot_be_opened_is_an_alert_and_stands_in_status_until_it_runs() {
    if !in_namespaces(
        "gateways::in_daemon::one_that_cannot_be_opened_is_an_alert_and_stands_in_status_until_it_runs",
    ) {
        return;
    }
    let taken = TcpListener::bind(LISTEN).expect("its port");
    let passwords = tempfile::tempdir().unwrap();
    let text = config(passwords.path(), OuchVersion::V50, "cancel");
    let appliance = Appliance::start(&text.replace("on_disconnect", "in_daemon = true\non_disconnect"));
    let alert = |state: &str| {
        let page = appliance.ask(&["alerts", "list"], "alerts");
        let rows = page["rows"].as_array().cloned().unwrap_or_default();
        let is_it = |row: &serde_json::Value| row["kind"] == "gateway" && row["scope"] == "gateway:g";
        rows.iter().any(|row| is_it(row) && row["ended"].is_null() == (state == "lasts"))
    };
    let down = || appliance.ask(&["status"], "status")["gateways"][0]["down"].take();
    appliance.wait_until("somebody is told that it does not run", || alert("lasts"));
    let why = down()["why"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("in use"), "{why}");
    drop(taken);
    appliance.wait_until("it runs", || down().is_null());
    appliance.wait_until("and that is told", || alert("over"));
}

#[test]
fn a_stop_of_the_daemon_cancels_its_orders_first() {
    if !in_namespaces("gateways::in_daemon::a_stop_of_the_daemon_cancels_its_orders_first") {
        return;
    }
    with_an_open_order(|mut host| {
        let told = host.appliance.printed("stderr");
        terminate(&mut host.appliance.daemon, &told);
        assert!(host.venue.account().open.is_empty(), "{:?}", host.venue.account());
        let told = host.appliance.printed("stderr");
        assert!(told.contains("gateway g: open=0 ring_lost=0"), "{told}");
        host.appliance.daemon = spawn(host.appliance.dir.path(), &[]);
        host.appliance.wait_until_it_answers();
        host.hears_the_cancel();
    });
}
