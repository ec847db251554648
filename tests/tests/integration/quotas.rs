//! Two order processes under one limit of the firm: what one does not use the other may, whatever dies, and never more in sum.

use crate::on_a_wire::{Appliance, PATIENCE, StopOnDrop, datagrams, in_namespaces, send};
use crate::order_process::{Process, rests, traded_cents};
use crate::tables::scenario;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// One firm, two clients.
const CLIENTS: &str = "[client.c1]\nuser = \"root\"\nstrategies = [\"s\"]\naccounts = [\"a\"]\n\
                       [client.c2]\nuser = \"root\"\nstrategies = [\"t\"]\naccounts = [\"b\"]\n\
                       [strategy.t]\n[account.b]\n[orders]\nquota_ms = 200\n";

/// Units that the firm may hold of FUTX.
const UNITS: i64 = 100;

/// What a client may use of the firm's gross, and what it does use, in currency.
fn quota(appliance: &Appliance, client: &str) -> (f64, f64) {
    let levels = appliance.ask(&["limits", "show", "--scope", "firm"], "levels");
    let number =
        |of: &Value| of.as_str().map_or_else(|| of.as_f64(), |text| text.replace(',', "").parse().ok());
    let quotas = levels[0]["quotas"].as_array().unwrap();
    let sum: f64 = quotas.iter().filter_map(|of| number(&of["quota"])).sum();
    assert!(sum <= number(&levels[0]["value"]).unwrap() + 0.001, "{levels}");
    let own = quotas.iter().find(|of| of["client"] == client).unwrap();
    (number(&own["quota"]).unwrap(), number(&own["used"]).unwrap_or(-1.0))
}

/// Lets orders of ten out, from number `first` on, until `units` work.
fn works(process: &mut Process, first: u64, units: u64, (strategy, account): (&str, &str), cents: i64) {
    for id in (first..).take(usize::try_from(units / 10).unwrap()) {
        let end = Instant::now() + PATIENCE;
        let px = format!("{}.{:02}", cents / 100, cents % 100);
        loop {
            let answer = process.ask(&format!("buy {id} FUTX 10 {px} {strategy} {account}"));
            if answer.ends_with("true") {
                break;
            }
            assert!(Instant::now() < end, "waited in vain for order {id}: {answer}");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
}

/// Whether an order of ten is refused because the firm would hold too much, and for nothing else.
fn is_full(process: &mut Process, id: u64, (strategy, account): (&str, &str), cents: i64) -> bool {
    let px = format!("{}.{:02}", cents / 100, cents % 100);
    let answer = process.ask(&format!("buy {id} FUTX 10 {px} {strategy} {account}"));
    assert!(!answer.ends_with("true"), "beyond the limit of the firm: {answer}");
    answer == "reject GROSS_FIRM false"
}

#[test]
fn a_busy_client_has_what_an_idle_one_leaves_and_a_dead_one_keeps_what_it_had() {
    if !in_namespaces("quotas::a_busy_client_has_what_an_idle_one_leaves_and_a_dead_one_keeps_what_it_had") {
        return;
    }
    let market = scenario("calm", &["--minutes", "14"]);
    let datagrams = datagrams(&market.path().join("calm.pcap"));
    let px = traded_cents(market.path());
    let limit = format!("[firm.limits]\nmax_gross = \"{}.{:02}\"\n", px * UNITS / 100, px * UNITS % 100);
    let mut appliance = Appliance::start(&format!("{CLIENTS}{limit}"));
    let socket = appliance.socket();
    let (datagrams, stops) = (&datagrams, &[const { AtomicBool::new(false) }; 2]);
    std::thread::scope(|scope| {
        let _stop = stops.each_ref().map(StopOnDrop);
        // Each daemon gets the day from its beginning.
        let feed = |n: usize| scope.spawn(move || send(datagrams, &stops[n]));
        let first = feed(0);
        let mut busy = Process::start(&socket, &[]);
        let mut idle = Process::start_as(&socket, "c2", &[]);
        appliance.wait_until("the feed names FUTX", || busy.ask("known FUTX") == "true");
        rests(&mut busy, 1, px);
        let cents = px - 300;
        let half = px as f64 / 100.0 * 50.0;
        grows_beyond_its_half(&appliance, &mut busy, &mut idle, (cents, half));
        // What a process that was killed had stays its own while its orders are open: another daemon counts them as this one does.
        busy.kill();
        appliance.wait_until("the daemon sees it gone", || {
            appliance.ask(&["sessions"], "sessions")["rows"][0]["state"] == "away"
        });
        std::thread::sleep(std::time::Duration::from_millis(1_000));
        assert!(is_full(&mut idle, 14, ("t", "b"), cents), "the dead one's room");
        let kept = quota(&appliance, "c1");
        assert!(kept.0 > half * 1.5 && kept.1 > half * 1.5, "{kept:?}");
        appliance.daemon.0.kill().unwrap();
        appliance.daemon.0.wait().unwrap();
        stops[0].store(true, Ordering::Relaxed);
        first.join().unwrap();
        assert_eq!(idle.ask("orphaned"), "true");
        appliance.restart();
        let _second = feed(1);
        assert_eq!(idle.ask("again"), "attached");
        appliance.wait_until("the other daemon lets nothing out either", || {
            let kept = quota(&appliance, "c1").0;
            assert!(kept > half * 1.5, "{kept}");
            is_full(&mut idle, 15, ("t", "b"), cents)
        });
        let mut busy = Process::start(&socket, &[]);
        for id in 1..=8 {
            assert_eq!(busy.ask(&format!("cancelled {id}")), "Done");
        }
        appliance.wait_until("what was cancelled is free for the other", || {
            quota(&appliance, "c2").0 > half * 0.99
        });
        busy.kill();
        idle.kill();
    });
}

fn grows_beyond_its_half(
    appliance: &Appliance,
    busy: &mut Process,
    idle: &mut Process,
    (cents, half): (i64, f64),
) {
    works(busy, 2, 70, ("s", "a"), cents);
    let mut seen = (0.0, 0.0);
    appliance.wait_until("the busy one has more than its half", || {
        seen = quota(appliance, "c1");
        seen.0 > half * 1.5 && seen.1 > half * 1.5
    });
    // The idle one has its floor, and no more than is left.
    let left = quota(appliance, "c2").0;
    assert!(left >= half * 0.099 && left < half / 2.0, "{left} of {half}");
    let own = idle.ask(&format!("buy 1 FUTX 4 {}.{:02} t b", cents / 100, cents % 100));
    assert!(own.ends_with("true"), "what is kept for it: {own}");
    appliance.wait_until("both are held to the firm's limit", || is_full(idle, 13, ("t", "b"), cents));
    let mut seen = (0.0, 0.0);
    appliance.wait_until("what it uses is shown", || {
        seen = quota(appliance, "c2");
        seen.1 > half * 0.07
    });
    assert!(seen.0 < half / 2.0, "{seen:?}");
}
