//! Several strategies and accounts in one OUCH session, told apart by the MPID that an order is entered for.

use super::{Host, key, on_a_market_with, venue};
use crate::on_a_wire::in_namespaces;
use simulator::order_entry::{Behaviour, OuchVersion, VenueFaults};

/// What the daemon has open: strategy and account of each order.
fn open(host: &Host) -> Vec<(String, String)> {
    let orders = host.appliance.ask(&["orders"], "orders");
    let rows = orders["rows"].as_array().expect("rows");
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().expect("a name").to_owned();
    let mut all: Vec<_> = rows.iter().map(|row| (text(row, "strategy"), text(row, "account"))).collect();
    all.sort();
    all
}

#[test]
fn orders_count_to_what_their_mpid_says_and_a_trip_of_one_strategy_cancels_its_orders_alone() {
    if !in_namespaces(
        "gateways::mpids::orders_count_to_what_their_mpid_says_and_a_trip_of_one_strategy_cancels_its_orders_alone",
    ) {
        return;
    }
    let venue = venue(OuchVersion::V50, Behaviour::default(), VenueFaults::default(), 1);
    let client = "strategies = [\"s\", \"t\"]\naccounts = [\"a\", \"b\"]\n";
    let more =
        "[[gateway.mpid]]\nid = \"ACMT\"\nstrategy = \"t\"\naccount = \"b\"\n[strategy.t]\n[account.b]\n";
    on_a_market_with(OuchVersion::V50, ("keep", client, more), venue, |mut host| {
        let own = host.first_order();
        host.firm.mpid = Some(*b"ACMT");
        let other = host.firm.enter(b'B', 10, host.cents - 101);
        assert_eq!(host.firm.answered(other).0, b'A', "{}", host.told());
        // A replacement has no MPID: it counts to what its order does.
        let replaced = host.firm.replace(other, 12, host.cents - 102);
        assert_eq!(host.firm.answered(replaced).0, b'U', "{}", host.told());
        host.firm.mpid = Some(*b"ACMX");
        let nobodys = host.firm.enter(b'B', 10, host.cents - 101);
        assert_eq!(host.firm.answered(nobodys), (b'J', 0x000C), "Firm Not Authorized");
        host.firm.mpid = None;
        let pair = |strategy: &str, account: &str| (strategy.to_owned(), account.to_owned());
        let both = vec![pair("s", "a"), pair("t", "b")];
        host.appliance.wait_until("the daemon has both", || open(&host) == both);
        // Whose each is, a gateway that is started anew knows from its gate.
        host.kill_gateway();
        let third = host.first_order();
        let trip = ["breaker", "trip", "strategy:t", "--reason", "drill", "--wait-s", "20"];
        let changed = host.appliance.ask(&trip, "changed");
        assert_eq!(changed["halts"][0]["cancelled"], 1, "{changed}\n{}", host.told());
        let left: Vec<_> = host.venue.account().open.keys().copied().collect();
        assert_eq!(left, [key(own), key(third)], "{}", host.told());
        assert_eq!(open(&host), [pair("s", "a"), pair("s", "a")]);
        host.firm.mpid = Some(*b"ACMT");
        let tripped = host.firm.enter(b'B', 10, host.cents - 103);
        assert_eq!(host.firm.answered(tripped), (b'J', 0x0007), "Halted");
        host.firm.mpid = None;
        let passes = host.firm.enter(b'B', 10, host.cents - 103);
        assert_eq!(host.firm.answered(passes).0, b'A', "{}", host.told());
        host.compare();
    });
}
