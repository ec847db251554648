//! A disk that is full: an OUCH gateway lets no order out, cuts nobody off, keeps no cancel back, and counts what the venue says; when there
//! is room again, everything is kept and told.

use super::{Host, key, on_a_market, venue};
use crate::on_a_wire::{in_namespaces, sh};
use serde_json::Value;
use simulator::order_entry::{Behaviour, OuchVersion, VenueFaults};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// Takes all the room that is left.
fn fill(dir: &Path) {
    let mut file = File::options().create(true).append(true).open(dir.join("filler")).unwrap();
    for bytes in [4_096, 512, 1] {
        while file.write_all(&vec![0; bytes]).is_ok() {}
    }
}

/// Position and open orders as the daemon has them.
fn held(host: &Host) -> (i64, usize) {
    let position = host.appliance.ask(&["positions"], "positions")["rows"][0]["position"].as_i64();
    let orders = host.appliance.ask(&["orders"], "orders")["rows"].take();
    (position.unwrap_or(0), orders.as_array().map_or(0, Vec::len))
}

/// The last line of counters says this of one.
fn counted(host: &Host, name: &str) -> u64 {
    let told = host.told();
    let line = told.lines().rfind(|line| line.contains("ring_lost=")).unwrap_or_default().to_owned();
    let word = line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    word.map_or(0, |count| count.parse().unwrap())
}

#[test]
fn a_full_disk_keeps_no_cancel_back_and_loses_nothing() {
    if !in_namespaces("gateways::disk::a_full_disk_keeps_no_cancel_back_and_loses_nothing") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let small = place.path().join("small");
    std::fs::create_dir(&small).unwrap();
    sh(&format!("mount -t tmpfs -o size=256k,mode=700 none {}", small.display()));
    let venue = venue(OuchVersion::V50, Behaviour::default(), VenueFaults::default(), 1);
    let config = format!("keep\"\nstore_dir = \"{}", small.display());
    on_a_market(OuchVersion::V50, &config, venue, |mut host| {
        let (cents, px) = (host.cents, (host.cents as u64 - 100) * 100);
        let first = host.first_order();
        let second = host.firm.enter(b'B', 10, cents - 101);
        assert_eq!(host.firm.answered(second).0, b'A', "{}", host.told());
        fill(&small);
        // The last page of the stream has room yet: refusals take it.
        for _ in 0..100 {
            host.firm.enter(b'B', 5_000, cents - 100);
        }
        host.appliance.wait_until("it says so", || host.told().contains("the stream cannot be written"));
        host.firm.hear(Duration::from_millis(300));
        let told_before = host.firm.stream.len();
        // It trades, is taken off in part, and trades again: all of it is at the gate, and the firm is told nothing that a kill could take back.
        host.venue.execute(key(first), 4, px);
        host.firm.cancel(second, 6);
        host.venue.execute(key(second), 1, px);
        host.appliance.wait_until("the daemon knows what traded", || held(&host) == (5, 2));
        host.firm.hear(Duration::from_millis(300));
        assert_eq!(host.firm.stream.len(), told_before, "the firm is told what is not kept");
        // No order leaves; the firm stays, and its cancel comes to the venue.
        let taken = host.venue.account().taken;
        let refused = host.firm.enter(b'B', 10, cents - 102);
        host.firm.hear(Duration::from_millis(300));
        assert_eq!(
            (host.venue.account().taken, host.firm.answer_to(refused)),
            (taken, None),
            "{}",
            host.told()
        );
        host.firm.cancel(first, 0);
        host.appliance.wait_until("the cancel is at the venue", || host.venue.account().open.len() == 1);
        sh(&format!("kill -USR1 {}", host.gateway.0.id()));
        host.appliance.wait_until("it counts", || counted(&host, "venue_unkept") >= 4);
        let logins = host.firm.logins;
        // Killed and started anew while it still is: the venue says again what was not kept, and it counts once.
        host.kill_gateway();
        host.appliance.wait_until("it knows again", || held(&host) == (5, 1));
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(held(&host), (5, 1), "{}", host.told());
        let account = host.venue.account();
        assert_eq!(account.open.values().map(|order| order.left).sum::<u32>(), 5, "{account:?}");
        let working = host.appliance.ask(&["positions"], "positions")["rows"][0]["working_buy"].take();
        assert_eq!(working, Value::from(5), "what is taken off twice is taken off once");
        // There is room again.
        std::fs::remove_file(small.join("filler")).unwrap();
        host.appliance
            .wait_until("it is written again", || host.told().contains("the stream is written again"));
        // It hears that the gateway was killed, and comes again.
        host.firm.hear(Duration::from_millis(200));
        host.firm.be_connected();
        assert_eq!(host.firm.logins, logins + 1, "nobody was cut off but by the kill");
        host.first_order();
        host.firm.hang_up();
        host.compare();
    });
}
