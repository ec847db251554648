//! A gateway whose client is in audit mode: the venue gets what it would get if nothing were limited, and the appliance says what was
//! broken.

use super::{Firm, LISTEN, VENUE, config, market, scripted::Connection, start_gateway, terminate};
use crate::daemon::{ctl, said};
use crate::on_a_wire::{Appliance, StopOnDrop, in_namespaces, send};
use simulator::order_entry::OuchVersion;
use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use tests::programs;

/// What a venue got, packet by packet, of orders that are all within `wide` limits and beyond tight ones; then `look` sees the
/// appliance, with the firm and the price of the orders.
fn at_the_venue(
    client: &str,
    limits: &str,
    look: impl FnOnce(&Appliance, &mut Firm, i64),
) -> Vec<(u8, Vec<u8>)> {
    let (datagrams, cents) = market();
    let passwords = tempfile::tempdir().unwrap();
    let venue = TcpListener::bind(VENUE).unwrap();
    let declared = config(passwords.path(), OuchVersion::V50, "keep\"\non_halt = \"keep");
    let declared = declared.replace("[[gateway]]", &format!("{client}[[gateway]]"));
    let appliance = Appliance::start(&format!("{declared}{limits}"));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| send(&datagrams, &stop));
        let _stop = StopOnDrop(&stop);
        let px = format!("{}.{:02}", (cents - 100) / 100, (cents - 100) % 100);
        let one = ["gate", "explain", "--symbol", "FUTX", "--side", "buy", "--qty", "1", "--px", &px];
        let one = [&one[..], &["--strategy", "s", "--account", "a"]].concat();
        appliance.wait_until("one share could be bought", || {
            let output = ctl(&appliance.socket(), &[&one[..], &["-o", "json"]].concat());
            let said = said(&output);
            output.status.success() && said.contains("\"accepted\": true")
                || said.contains("\"decision\": \"accept\"")
        });
        // It waits for the venue's answer for so long only.
        let mut gateway = start_gateway(&appliance);
        let (mut connection, _) = Connection::accept(&venue);
        connection.hear_question();
        connection.next_is(1);
        let mut firm = Firm::new(LISTEN.parse().unwrap());
        firm.log = appliance.dir.path().join("gateway");
        firm.be_connected();
        let orders = [
            (b'B', 10, cents - 100),
            (b'S', 20, cents + 100),
            (b'B', 700, cents - 120),
            (b'B', 1, cents - 100),
        ];
        let mut got = Vec::new();
        for (side, qty, px) in orders {
            firm.enter(side, qty, px);
            got.push(connection.read());
        }
        firm.replace(1, 40, cents - 101);
        got.push(connection.read());
        firm.cancel(2, 0);
        got.push(connection.read());
        look(&appliance, &mut firm, cents);
        assert!(connection.is_quiet(), "and nothing else");
        drop(connection);
        let told = appliance.printed("gateway");
        terminate(&mut gateway, &told);
        got
    })
}

const VALUE: &str = "max_notional = { floor = 1, base = 10000000, cap = 10000000 }\n";
const LIMITS: &str = "[scorer]\nenabled = false\n[limits.default]\n";

#[test]
fn the_venue_gets_in_audit_mode_what_it_would_get_without_limits() {
    if !in_namespaces("gateways::audit::the_venue_gets_in_audit_mode_what_it_would_get_without_limits") {
        return;
    }
    let wide = format!("{LIMITS}max_qty = {{ floor = 1, base = 100000, cap = 100000 }}\n{VALUE}");
    let enforced = at_the_venue("", &wide, |appliance, _, _| {
        let status = said(&ctl(&appliance.socket(), &["status"]));
        assert!(
            !status.contains("AUDIT MODE") && !appliance.printed("gateway").contains("AUDIT MODE"),
            "{status}"
        );
        assert!(!appliance.printed("stderr").contains("audit mode"));
    });
    let tight = format!(
        "{LIMITS}max_qty = {{ floor = 1, base = 1, cap = 1 }}\nmax_pos_long = {{ floor = 0, base = 5, cap = 5 }}\n{VALUE}"
    );
    let audited = at_the_venue("mode = \"audit\"\n", &tight, |appliance, firm, cents| {
        loud(appliance);
        // A person's word holds, and reaches neither venue nor books.
        let halted = ctl(&appliance.socket(), &["halt", "--reason", "drill", "--wait-s", "0"]);
        assert!(halted.status.success(), "{}", String::from_utf8_lossy(&halted.stderr));
        let stopped = firm.enter(b'B', 1, cents - 100);
        assert_eq!(firm.answered(stopped), (b'J', 0x0007), "Halted");
    });
    assert_eq!(audited.len(), 6);
    assert_eq!(audited, enforced);
}

/// What is said of a client in audit mode, and of its orders.
fn loud(appliance: &Appliance) {
    let broken = "client c1 is in audit mode: no limit stops its orders, only halts of a person";
    assert!(appliance.printed("stderr").contains(broken), "{}", appliance.printed("stderr"));
    assert!(appliance.printed("gateway").contains("AUDIT MODE"), "{}", appliance.printed("gateway"));
    let status = said(&ctl(&appliance.socket(), &["status"]));
    assert!(status.contains("AUDIT MODE") && status.contains("no limit stops an order of c1"), "{status}");
    assert_eq!(appliance.ask(&["status"], "status")["audit_mode"][0], "c1");
    let start = said(&ctl(&appliance.socket(), &["audit", "tail", "-o", "json"]));
    assert!(start.contains(broken), "the record of the start: {start}");
    let alerts = || said(&ctl(&appliance.socket(), &["alerts", "list"]));
    appliance.wait_until("it is an alert", || alerts().contains("client.audit_mode"));
    appliance.wait_until("its orders are one, too", || alerts().contains("client.would_reject"));
    let session = || appliance.ask(&["sessions"], "sessions")["rows"][0].take();
    appliance.wait_until("they are counted", || session()["would_reject"] == 5);
    assert_eq!((session()["mode"].as_str(), session()["flagged"].as_u64()), (Some("audit"), Some(5)));

    let log = appliance.dir.path().join("state/verdicts.csv");
    let verdicts = |args: &[&str]| {
        let mut command = Command::new(programs().join("portcullis"));
        let output = command.args(["verdicts", args[0]]).arg(&log).args(&args[1..]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        said(&output)
    };
    let rows = verdicts(&["show", "--decision", "would-reject", "-o", "csv"]);
    let found: Vec<[&str; 3]> = rows
        .lines()
        .skip(1)
        .map(|row| row.split(',').collect::<Vec<_>>())
        .map(|row| [row[6], row[9], row[10]])
        .collect();
    assert_eq!(
        found,
        [
            ["10", "700 1100", "QTY_STATIC POS_LONG"],
            ["20", "700", "QTY_STATIC"],
            ["700", "700 1100", "QTY_STATIC POS_LONG"],
            ["1", "1100", "POS_LONG"],
            ["40", "700 1100", "QTY_STATIC POS_LONG"],
        ]
    );
    let stats = verdicts(&["stats", "-o", "csv"]);
    assert!(stats.contains("decision,would reject,5") && stats.contains("reason,POS_LONG,4"), "{stats}");
    assert_eq!(verdicts(&["show", "--reason", "POS_LONG", "-o", "csv"]).lines().count(), 5);

    let mut check = Command::new(programs().join("portcullis"));
    let checked =
        check.args(["run", "--check", "--config"]).arg(appliance.dir.path().join("portcullis.toml")).output();
    let checked = checked.unwrap();
    assert!(
        String::from_utf8_lossy(&checked.stdout).contains(broken)
            || String::from_utf8_lossy(&checked.stderr).contains(broken)
    );
}
