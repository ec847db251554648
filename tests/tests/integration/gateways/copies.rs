//! Drop copies that come in: what the venue says over another login is compared with what the gate knows; what differs puts its orders in
//! doubt until a person has set the position.

use super::firm::SYMBOL;
use super::scripted::Connection;
use super::{Host, key, on_a_market, on_a_market_with, start_gateway, terminate, venue};
use crate::daemon::{ctl, said};
use crate::on_a_wire::in_namespaces;
use serde_json::Value;
use simulator::order_entry::{Behaviour, OuchVersion, VenueFaults};
use std::net::TcpListener;
use std::time::Duration;
use wire::IntoBytes;
use wire::ouch50::outbound::Executed;
use wire::soupbin::SEQUENCED;

const COPIES: &str = "127.0.0.1:6301";

/// In a gateway's table, behind its last key.
fn with_copies(dir: &std::path::Path, on_disconnect: &str) -> String {
    let password = dir.join("copies.pw");
    std::fs::write(&password, "copypw\n").unwrap();
    format!(
        "{on_disconnect}\"\n[gateway.copy_in]\nconnect = \"{COPIES}\"\npassword_file = {password:?}\n\
         grace_ms = 1500\ndown_s = 2\nusername = \"ACMEDC"
    )
}

/// The venue's port for copies: hands on what the venue said, or something else.
struct Copies {
    listener: TcpListener,
    connection: Option<Connection>,
    /// What the venue has said by then was looked at.
    seen: usize,
    /// How many were handed on.
    sent: u64,
}

impl Copies {
    fn listen() -> Self {
        Self { listener: TcpListener::bind(COPIES).unwrap(), connection: None, seen: 0, sent: 0 }
    }

    /// The next login, which goes on where the last one ended.
    fn accept(&mut self) {
        let (connection, sequence) = Connection::accept(&self.listener);
        assert_eq!(sequence, self.sent + 1, "it goes on behind the last copy that it has");
        self.connection = Some(connection);
    }

    fn send(&mut self, message: &[u8]) {
        self.connection.as_mut().unwrap().write(SEQUENCED, message);
        self.sent += 1;
    }

    /// Hands on what the venue has said since the last time, as far as `wanted`.
    fn hand_on(&mut self, host: &Host, wanted: impl Fn(&[u8]) -> bool) {
        let stream = host.venue.stream();
        for message in stream[self.seen..].iter().filter(|message| wanted(message)) {
            self.send(message);
        }
        self.seen = stream.len();
    }
}

/// How copies and gate agree, as `status` says.
fn standing(host: &Host) -> Value {
    host.appliance.ask(&["status"], "status")["reconciliations"][0].take()
}

fn breaks(host: &Host) -> u64 {
    standing(host)["breaks"].as_u64().unwrap()
}

/// Waits until everything that was said agrees.
fn agrees(host: &Host, matched: u64) {
    host.appliance.wait_until("copies and gate agree", || {
        let standing = standing(host);
        (&standing["up"], standing["matched"].as_u64(), standing["waiting"].as_u64())
            == (&true.into(), Some(matched), Some(0))
    });
    assert_eq!(breaks(host), 0, "{}", host.told());
}

/// Waits for the `count`th break, and says what each side said.
fn breaks_next(host: &Host, count: u64) -> String {
    host.appliance.wait_until("a break", || breaks(host) == count);
    let texts = standing(host)["last_breaks"].take();
    texts.as_array().unwrap().last().unwrap().as_str().unwrap().to_owned()
}

/// An order that adds is refused for the doubt.
fn is_in_doubt(host: &mut Host) -> bool {
    let number = host.firm.enter(b'B', 10, host.cents - 100);
    let answer = host.firm.answered(number);
    if answer.0 == b'A' {
        host.firm.cancel(number, 0);
    }
    answer == (b'J', 0x0020)
}

/// A person looks at the venue and sets the position, while the gateway is stopped.
fn a_person_sets_the_position(host: &mut Host, copies: &mut Copies) {
    let told = host.told();
    terminate(&mut host.gateway, &told);
    let position = host.venue.account().positions.get(&SYMBOL).copied().unwrap_or_default().to_string();
    let set = ["positions", "set", "c1", "s", "a", "FUTX", &position, "--reason", "as the venue says"];
    host.appliance.wait_until("the gateway is gone", || ctl(&host.appliance.socket(), &set).status.success());
    copies.connection = None;
    host.gateway = start_gateway(&host.appliance);
    copies.accept();
    host.first_order();
}

#[test]
fn copies_that_differ_put_their_orders_in_doubt_until_a_person_sets_the_position() {
    if !in_namespaces(
        "gateways::copies::copies_that_differ_put_their_orders_in_doubt_until_a_person_sets_the_position",
    ) {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let venue = venue(OuchVersion::V50, Behaviour::default(), VenueFaults::default(), 1);
    let mut copies = Copies::listen();
    let config = with_copies(place.path(), "keep");
    on_a_market_with(OuchVersion::V50, (&config, "", ""), venue, |mut host| {
        copies.accept();
        // Agreeing: the copies come later than the venue's own word, and one before it.
        let first = host.first_order();
        let px = (host.cents as u64 - 100) * 100;
        host.venue.execute(key(first), 4, px);
        host.appliance.wait_until("it trades", || {
            host.firm.hear(Duration::from_millis(5));
            host.firm.position == 4
        });
        copies.hand_on(&host, |_| true);
        agrees(&host, 2);
        // A missing one.
        host.venue.execute(key(first), 1, px);
        copies.hand_on(&host, |message| message[0] != b'E');
        let text = breaks_next(&host, 1);
        assert!(text.contains("the gate has 1 at") && text.ends_with("no copy says so"), "{text}");
        assert!(is_in_doubt(&mut host), "{}", host.told());
        host.appliance.wait_until("the alert", || {
            let alerts = said(&ctl(&host.appliance.socket(), &["alerts", "list"]));
            alerts.contains("reconciliation.break") && alerts.contains("no copy says so")
        });
        let status = said(&ctl(&host.appliance.socket(), &["status"]));
        assert!(status.contains("copies g") && status.contains("1 differ; the last: execution"), "{status}");
        a_person_sets_the_position(&mut host, &mut copies);
        // One that the gate never heard of.
        let extra = Executed::new(34_200_000_000_000, first, 2, px, b'A', 999_999);
        copies.send(extra.as_bytes());
        copies.hand_on(&host, |_| true);
        let text = breaks_next(&host, 1);
        assert!(
            text.starts_with("execution 999999 of order") && text.ends_with("the gate has none"),
            "{text}"
        );
        assert!(is_in_doubt(&mut host), "{}", host.told());
        a_person_sets_the_position(&mut host, &mut copies);
        // One that says another quantity: no grace is needed to see that.
        host.venue.execute(key(first), 1, px);
        let stream = host.venue.stream();
        let mut other = stream.iter().rev().find(|message| message[0] == b'E').unwrap().clone();
        other[16] = 3;
        copies.send(&other);
        copies.hand_on(&host, |message| message[0] != b'E');
        let text = breaks_next(&host, 1);
        assert!(text.contains("the copy says 3 at") && text.contains("the gate 1 at"), "{text}");
        assert!(is_in_doubt(&mut host), "{}", host.told());
        a_person_sets_the_position(&mut host, &mut copies);
        // What was compared is not compared again.
        std::thread::sleep(Duration::from_millis(2_500));
        assert_eq!(breaks(&host), 0, "{}", host.told());
        host.firm.hang_up();
        host.compare();
    });
}

/// Copies that do not come are an alert; when they come again from where they were, everything is compared, and nothing is late.
#[test]
fn copies_that_stay_away_are_an_alert_and_nothing_is_late_for_them() {
    if !in_namespaces("gateways::copies::copies_that_stay_away_are_an_alert_and_nothing_is_late_for_them") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let venue = venue(OuchVersion::V50, Behaviour::default(), VenueFaults::default(), 1);
    let mut copies = Copies::listen();
    let config = with_copies(place.path(), "keep");
    on_a_market(OuchVersion::V50, &config, venue, |mut host| {
        copies.accept();
        let first = host.first_order();
        copies.hand_on(&host, |_| true);
        agrees(&host, 1);
        copies.connection = None;
        let refuses = std::mem::replace(&mut copies.listener, TcpListener::bind("127.0.0.1:0").unwrap());
        drop(refuses);
        host.venue.execute(key(first), 4, (host.cents as u64 - 100) * 100);
        host.appliance.wait_until("nothing is reconciled", || {
            let alerts = said(&ctl(&host.appliance.socket(), &["alerts", "list"]));
            alerts.contains("reconciliation.down") && alerts.contains("no copies come")
        });
        let status = said(&ctl(&host.appliance.socket(), &["status"]));
        assert!(status.contains("NOTHING IS RECONCILED"), "{status}");
        assert_eq!(breaks(&host), 0, "{}", host.told());
        // The gateway is killed meanwhile, and knows afterwards what it had compared and what it had not.
        host.kill_gateway();
        copies.listener = TcpListener::bind(COPIES).unwrap();
        copies.accept();
        copies.hand_on(&host, |_| true);
        agrees(&host, 1);
        host.appliance.wait_until("the alert is over", || {
            let events = said(&ctl(&host.appliance.socket(), &["events", "--kind", "reconciliation.down"]));
            events.contains("drop copies come again")
        });
        assert!(!is_in_doubt(&mut host), "{}", host.told());
        host.firm.hang_up();
        host.compare();
    });
}
