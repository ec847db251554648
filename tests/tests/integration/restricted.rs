//! The restricted list under an order process that runs: a reload reaches it, a bad file changes nothing for it, and a daemon that
//! was killed comes back under the file, or not at all.

use crate::daemon::ctl;
use crate::on_a_wire::{Appliance, StopOnDrop, datagrams, in_namespaces, send};
use crate::order_process::{CLIENT, Process, is_refused, rests, traded_cents};
use crate::tables::scenario;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use tests::programs;

fn reload(appliance: &Appliance) -> (bool, String) {
    let output = ctl(&appliance.socket(), &["lists", "reload", "--reason", "list 7"]);
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// What `portcullis run --check` says.
fn checked(appliance: &Appliance) -> (bool, String) {
    let config = appliance.dir.path().join("portcullis.toml");
    let mut check = Command::new(programs().join("portcullis"));
    let output = check.args(["run", "--check", "--config"]).arg(config).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn lists(file: &Path, lines: &str) {
    std::fs::write(file, format!("symbol,account,side\n{lines}")).unwrap();
}

#[test]
fn a_list_reaches_a_process_that_runs_and_outlives_the_daemon() {
    if !in_namespaces("restricted::a_list_reaches_a_process_that_runs_and_outlives_the_daemon") {
        return;
    }
    let (market, elsewhere) = (scenario("calm", &["--minutes", "14"]), tempfile::tempdir().unwrap());
    let datagrams = datagrams(&market.path().join("calm.pcap"));
    let px = traded_cents(market.path());
    let file = elsewhere.path().join("list.csv");
    lists(&file, "");
    let named = format!("[restricted]\nfile = {:?}\n", file.display().to_string());
    let mut appliance = Appliance::start(&format!("{CLIENT}{named}"));
    let (datagrams, stops) = (&datagrams, &[const { AtomicBool::new(false) }; 2]);
    std::thread::scope(|scope| {
        let _stop = stops.each_ref().map(StopOnDrop);
        let feed = |n: usize| scope.spawn(move || send(datagrams, &stops[n]));
        let first = feed(0);
        let mut process = Process::start(&appliance.socket(), &[]);
        appliance.wait_until("the feed names FUTX", || process.ask("known FUTX") == "true");
        rests(&mut process, 1, px);
        lists(&file, "FUTX,a,sell\n");
        assert!(reload(&appliance).0);
        rests(&mut process, 2, px);
        lists(&file, "FUTX,a,\n");
        let (done, said) = reload(&appliance);
        assert!(done && said.contains("1 added, 1 removed"), "{said}");
        is_refused(&mut process, "RESTRICTED", px);
        // What rests can be taken back.
        assert_eq!(process.ask("cancelled 1"), "Done");
        lists(&file, "FUTX,b,\n");
        let (done, said) = reload(&appliance);
        assert!(
            !done && said.contains(":2: account: found \"b\", wanted the name of a declared account"),
            "{said}"
        );
        is_refused(&mut process, "RESTRICTED", px);
        assert!(!checked(&appliance).0, "a start would fail");
        lists(&file, "FUTX,a,\n");
        stops[0].store(true, Ordering::Relaxed);
        first.join().unwrap();
        appliance.restart();
        let _second = feed(1);
        process.kill();
        let mut process = Process::start(&appliance.socket(), &[]);
        is_refused(&mut process, "RESTRICTED", px);
        lists(&file, "");
        assert!(reload(&appliance).0);
        rests(&mut process, 3, px);
        process.kill();
    });
    std::fs::remove_file(&file).unwrap();
    let (done, said) = checked(&appliance);
    assert!(!done && said.contains("list.csv: cannot be read"), "{said}");
}
