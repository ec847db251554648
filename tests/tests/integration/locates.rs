//! Locates under an order process that runs: a reload reaches it, a bad file changes nothing for it, and a daemon that was killed comes
//! back under the file.

use crate::daemon::ctl;
use crate::on_a_wire::{Appliance, PATIENCE, StopOnDrop, datagrams, in_namespaces, send};
use crate::order_process::{CLIENT, Process, traded_cents};
use crate::tables::scenario;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

fn reload(appliance: &Appliance) -> (bool, String) {
    let output = ctl(&appliance.socket(), &["lists", "reload", "--reason", "lender 3"]);
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn locates(file: &Path, lines: &str) {
    std::fs::write(file, format!("account,symbol,quantity\n{lines}")).unwrap();
}

/// Asks until a sell of ten is answered so: the price is a cent higher each time, since the market moves.
fn is_answered(process: &mut Process, id: u64, from_cents: i64, wanted: &str) {
    let end = Instant::now() + PATIENCE;
    let mut cents = from_cents;
    loop {
        let answer = process.ask(&format!("sell {id} FUTX 10 {}.{:02} s a", cents / 100, cents % 100));
        if answer.ends_with(wanted) {
            return;
        }
        assert!(Instant::now() < end && !answer.ends_with("true"), "waited in vain for {wanted}: {answer}");
        std::thread::sleep(std::time::Duration::from_millis(50));
        cents = if cents > from_cents + 300 { from_cents } else { cents + 1 };
    }
}

#[test]
fn locates_reach_a_process_that_runs_and_outlive_the_daemon() {
    if !in_namespaces("locates::locates_reach_a_process_that_runs_and_outlive_the_daemon") {
        return;
    }
    let (market, elsewhere) = (scenario("calm", &["--minutes", "14"]), tempfile::tempdir().unwrap());
    let datagrams = datagrams(&market.path().join("calm.pcap"));
    let px = traded_cents(market.path());
    let file = elsewhere.path().join("locates.csv");
    locates(&file, "a,FUTX,19\n");
    let named = format!("[locates]\nfile = {:?}\n", file.display().to_string());
    let mut appliance = Appliance::start(&format!("{CLIENT}{named}"));
    let (datagrams, stops) = (&datagrams, &[const { AtomicBool::new(false) }; 2]);
    let refused = "reject LOCATE false";
    std::thread::scope(|scope| {
        let _stop = stops.each_ref().map(StopOnDrop);
        let feed = |n: usize| scope.spawn(move || send(datagrams, &stops[n]));
        let first = feed(0);
        let mut process = Process::start(&appliance.socket(), &[]);
        appliance.wait_until("the feed names FUTX", || process.ask("known FUTX") == "true");
        is_answered(&mut process, 1, px, "true");
        // Ten of nineteen work.
        is_answered(&mut process, 2, px, refused);
        locates(&file, "*,FUTX,20\n");
        let (done, said) = reload(&appliance);
        assert!(done && said.contains("the locates have 1 lines, 1 added, 1 removed"), "{said}");
        is_answered(&mut process, 2, px, "true");
        is_answered(&mut process, 3, px, refused);
        // What works can be taken back, and makes room.
        assert_eq!(process.ask("cancelled 1"), "Done");
        is_answered(&mut process, 3, px, "true");
        locates(&file, "b,FUTX,100\n");
        let (done, said) = reload(&appliance);
        assert!(!done && said.contains(":2: account: found \"b\", wanted the name of a declared"), "{said}");
        is_answered(&mut process, 4, px, refused);
        locates(&file, "a,FUTX,9\n");
        stops[0].store(true, Ordering::Relaxed);
        first.join().unwrap();
        appliance.restart();
        let _second = feed(1);
        process.kill();
        let mut process = Process::start(&appliance.socket(), &[]);
        appliance.wait_until("the feed names FUTX again", || process.ask("known FUTX") == "true");
        is_answered(&mut process, 4, px, refused);
        locates(&file, "a,FUTX,30\n");
        assert!(reload(&appliance).0);
        is_answered(&mut process, 4, px, "true");
        process.kill();
    });
}
