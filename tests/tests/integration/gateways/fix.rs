//! QuickFIX as the firm and as the venue, `portcullis gateway` between them, under a running daemon with a live feed: connections are
//! cut at random bytes, and the gateway is killed again and again.

use super::{holds, market, start_gateway, terminate};
use crate::on_a_wire::{Appliance, StopOnDrop, in_namespaces, send};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const LISTEN: &str = "127.0.0.1:5102";
pub(super) const VENUE: &str = "127.0.0.1:6102";

/// Where the gateway copies what its firm is told, and where it takes copies from: its own, through both sessions, whatever is killed.
const COPIES: &str = "127.0.0.1:5202";

pub(super) fn config(protocol: &str) -> String {
    format!(
        "[client.c1]\nuser = \"root\"\nstrategies = [\"s\"]\naccounts = [\"a\"]\n\
         [[gateway]]\nname = \"g\"\nclient = \"c1\"\nprotocol = \"{protocol}\"\nlisten = \"{LISTEN}\"\nvenue = \"{VENUE}\"\n\
         strategy = \"s\"\naccount = \"a\"\non_disconnect = \"keep\"\n\
         [gateway.fix]\nfirm = \"FIRM\"\ngateway_to_firm = \"GATE\"\nvenue = \"VENUE\"\ngateway_to_venue = \"US\"\n\
         heartbeat_s = 5\nscore_tag = 8012\ntier_tag = 8013\n\
         [gateway.fix.drop_copy]\nlisten = \"{COPIES}\"\nreceiver = \"DC\"\ngateway_to_receiver = \"GATE\"\n\
         [gateway.copy_in]\nconnect = \"{COPIES}\"\nsender = \"GATE\"\ngateway_to_sender = \"DC\"\nheartbeat_s = 5\n"
    )
}

/// A Python with QuickFIX: `QUICKFIX_PYTHON`, or the one on the path.
pub(super) fn python() -> Option<PathBuf> {
    let python = std::env::var_os("QUICKFIX_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let status = Command::new(&python).args(["-c", "import quickfix"]).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success()).then_some(python)
}

/// QuickFIX as the firm and as the venue, about a price in cents: so many orders, and connections that are cut after about so many bytes.
pub(super) fn street(python: &Path, begin: &str, cents: i64, (orders, cut_bytes): (&str, &str)) -> Child {
    let prefix = Command::new(python).args(["-c", "import sys; print(sys.prefix)"]).output().unwrap();
    let dictionaries = format!("{}/share/quickfix", String::from_utf8_lossy(&prefix.stdout).trim());
    Command::new(python)
        .arg(tests::repository().join("scripts/fix-street.py"))
        .args(["--version", begin, "--gateway", LISTEN, "--venue-port", "6102", "--symbol", "FUTX"])
        .args(["--cents", &cents.to_string(), "--dictionaries", &dictionaries, "--orders", orders])
        .args(["--cut-bytes", cut_bytes, "--burst", "2", "--pause-ms", "25"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// One of the figures that it prints.
pub(super) fn figure(said: &str, name: &str) -> i64 {
    let (_, rest) = said.split_once(&format!("\"{name}\": ")).expect("a figure");
    rest.split([',', '}']).next().unwrap().parse().unwrap()
}

fn quickfix(protocol: &str, begin: &str) {
    let Some(python) = python() else {
        return tests::skip(tests::Need::QuickFix, "no QuickFIX (PyPI `quickfix`)");
    };
    let orders = std::env::var("QUICKFIX_ORDERS").unwrap_or_else(|_| "1500".to_owned());
    let (datagrams, cents) = market();
    drop(TcpListener::bind(VENUE).expect("the venue's port is free"));
    // The day begins with what the daemon must have heard.
    let appliance = Appliance::start(&config(protocol));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| send(&datagrams, &stop));
        let _stop = StopOnDrop(&stop);
        let mut gateway = start_gateway(&appliance);
        let mut street = street(&python, begin, cents, (&orders, "40000"));
        let mut kills = 0;
        while street.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1_700));
            if kills < 5 {
                kills += 1;
                gateway.0.kill().unwrap();
                gateway.0.wait().unwrap();
                gateway = start_gateway(&appliance);
            }
        }
        let output = street.wait_with_output().unwrap();
        let (said, told) = (String::from_utf8_lossy(&output.stdout), appliance.printed("gateway"));
        println!("{said}");
        assert!(output.status.success(), "{said}{}\n{told}", String::from_utf8_lossy(&output.stderr));
        terminate(&mut gateway, &told);
        let last = appliance
            .printed("gateway")
            .lines()
            .rfind(|line| line.contains("copies_matched="))
            .unwrap()
            .to_owned();
        assert!(
            !last.contains("copies_matched=0 ") && !told.contains("BREAK"),
            "copies and gate differ: {last}\n{told}"
        );
        let figure = |name: &str| figure(&said, name);
        assert!(figure("taken by the venue") > figure("orders") / 4, "{said}\n{told}");
        let (position, buys, sells) = holds(&appliance);
        let working = i64::try_from(buys + sells).unwrap();
        assert_eq!((position, working), (figure("position"), figure("working")), "daemon and venue\n{told}");
    });
}

#[test]
fn quickfix_on_both_sides_of_a_killed_gateway_fix_4_4() {
    if in_namespaces("gateways::fix::quickfix_on_both_sides_of_a_killed_gateway_fix_4_4") {
        quickfix("fix-4.4", "FIX.4.4");
    }
}

#[test]
fn quickfix_on_both_sides_of_a_killed_gateway_fixt_1_1() {
    if in_namespaces("gateways::fix::quickfix_on_both_sides_of_a_killed_gateway_fixt_1_1") {
        quickfix("fixt-1.1", "FIXT.1.1");
    }
}
