//! The gateway's own cancels: what a halt, a trip or a firm that has gone leaves open.

use super::desk::{Street, has, ids, on_each_version, text};
use crate::fix::dictionary::Version;
use gate::{BreakerKey, BreakerState};
use types::{InstrumentId, Nanos};

/// The cancels that the venue got.
fn cancelled(street: &Street) -> Vec<String> {
    let cancels: Vec<_> = street.at_venue.iter().filter(|message| has(message, &["35=F"])).cloned().collect();
    let mut ids = ids(&cancels, "41=");
    ids.sort_unstable();
    ids
}

/// What `Serving::turn` does of it.
fn turn(street: &mut Street) -> bool {
    let found = street.gateway.desk.obey_halts(street.now);
    street.gateway.send_sweeps(street.now).expect("room");
    street.carry();
    found
}

#[test]
fn a_halt_cancels_each_open_order_once_it_is_latched_and_fills_meanwhile_count() {
    on_each_version(|_, mut street, _| {
        street.order("a", 1, 100, "100.00");
        street.order("b", 2, 50, "100.10");
        street.order("c", 1, 30, "99.90");
        street.report("c", "e0", "4", "39=4|151=0|14=0|6=0");
        let door = &mut street.gateway.desk.gate;
        door.set_breaker(BreakerKey::Firm, BreakerState::Tripped, 0);
        assert!(!turn(&mut street), "in force, and not latched yet");
        street.order("d", 1, 10, "100.00");
        assert!(has(street.at_firm.last().expect("a reject"), &["35=8", "11=d", "39=8"]));
        street.gateway.desk.gate.set_breaker(BreakerKey::Firm, BreakerState::Tripped, 7);
        assert!(turn(&mut street));
        assert_eq!(cancelled(&street), ["a", "b"], "what is open, and nothing that is done or was refused");
        assert!(!turn(&mut street));
        assert_eq!(cancelled(&street).len(), 2, "each once, until it had time to be answered");
        // The venue fills one of them meanwhile.
        street.report("a", "e1", "F", "39=2|32=100|31=100|151=0|14=100|6=100");
        assert_eq!(street.gateway.desk.gate.held(), (100, 0, 50));
        street.now = street.now.plus(Nanos(600_000_000));
        turn(&mut street);
        assert_eq!(cancelled(&street), ["a", "b", "b"], "what is still open is cancelled again");
        let own = ids(&street.at_venue[street.at_venue.len() - 1..], "11=").remove(0);
        street.report(&own, "e2", "4", "41=b|39=4|151=0|14=0|6=0");
        assert_eq!(street.gateway.desk.gate.held(), (100, 0, 0));
        assert_eq!(street.gateway.desk.counts().own_cancels, 3);
    });
}

#[test]
fn a_trip_of_an_instrument_cancels_and_orders_after_a_reset_are_left_alone() {
    on_each_version(|_, mut street, _| {
        street.order("a", 1, 100, "100.00");
        let instrument = BreakerKey::Instrument(InstrumentId(0));
        street.gateway.desk.gate.set_breaker(instrument, BreakerState::Tripped, 3);
        assert!(turn(&mut street));
        street.gateway.desk.gate.set_breaker(instrument, BreakerState::Open, 3);
        street.order("b", 1, 100, "100.00");
        street.now = street.now.plus(Nanos(600_000_000));
        assert!(!turn(&mut street));
        assert_eq!(cancelled(&street), ["a", "a"], "the venue has not said what became of it");
    });
}

#[test]
fn a_venue_that_is_away_gets_the_cancels_when_it_is_back() {
    on_each_version(|_, mut street, _| {
        street.order("a", 1, 100, "100.00");
        street.cut(false);
        street.gateway.desk.gate.set_breaker(BreakerKey::Firm, BreakerState::Tripped, 7);
        assert!(turn(&mut street));
        assert_eq!(cancelled(&street), Vec::<String>::new());
        street.connect_venue();
        street.carry();
        turn(&mut street);
        assert_eq!(cancelled(&street), ["a"]);
    });
}

/// No thread has the orders any more, and nobody says what is halted: they are cancelled by the book, and again while nothing is heard.
#[test]
fn a_port_that_is_attached_to_nobody_cancels_what_it_knows() {
    on_each_version(|_, mut street, _| {
        street.order("a", 1, 100, "100.00");
        street.order("b", 2, 50, "100.10");
        street.report("b", "e0", "4", "39=4|151=0|14=0|6=0");
        street.gateway.desk.gate.is_detached = true;
        assert!(!turn(&mut street));
        street.gateway.desk.gate.is_lost = true;
        assert!(turn(&mut street));
        assert_eq!(cancelled(&street), ["a"]);
        assert!(!turn(&mut street));
        street.now = street.now.plus(Nanos(600_000_000));
        turn(&mut street);
        assert_eq!(cancelled(&street), ["a", "a"], "nobody knows that it is done");
        street.gateway.desk.gate.is_detached = false;
        street.report("a", "e1", "4", "39=4|151=0|14=0|6=0");
        street.now = street.now.plus(Nanos(600_000_000));
        turn(&mut street);
        assert_eq!(cancelled(&street).len(), 2);
    });
}

/// The venue comes back after the resume: what the firm sends before the sweep's turn comes is not what the halt was about.
#[test]
fn a_late_mass_cancel_leaves_alone_what_came_after_the_halt() {
    on_each_version(|version, mut street, _| {
        if version == Version::Fix42 {
            return;
        }
        street.gateway.desk.takes_mass_cancel = true;
        street.order("a", 1, 100, "100.00");
        street.cut(false);
        street.gateway.desk.gate.set_breaker(BreakerKey::Firm, BreakerState::Tripped, 7);
        assert!(turn(&mut street));
        street.gateway.desk.gate.set_breaker(BreakerKey::Firm, BreakerState::Open, 7);
        street.connect_venue();
        street.carry();
        street.order("new", 1, 10, "100.00");
        turn(&mut street);
        assert!(!street.at_venue.iter().any(|message| has(message, &["35=q"])));
        assert_eq!(cancelled(&street), ["a"]);
    });
}

/// Both directions begin at 1 again: a mass cancel that was kept for the venue is gone with its number.
#[test]
fn a_mass_cancel_that_a_reset_took_away_is_made_by_name() {
    on_each_version(|version, mut street, folder| {
        if version == Version::Fix42 {
            return;
        }
        for killed in [false, true] {
            let at = street.at_venue.len();
            for id in ["a", "b"] {
                street.order(&format!("{id}{killed}"), 1, 10, "100.00");
            }
            street.firm_sends(b"q", &format!("11=m{killed}|530=7|60=20261202-00:00:00"));
            street.carry();
            street.order(&format!("later{killed}"), 1, 10, "100.00");
            street.cut(false);
            if killed {
                street = street.kill(folder);
            } else {
                street.connect_venue();
                street.carry();
            }
            // As `Serving` does where the logon has begun both directions anew.
            street.gateway.desk.cancel_again();
            street.order(&format!("new{killed}"), 1, 10, "100.00");
            turn(&mut street);
            let cancels = street.at_venue[at..].iter().filter(|message| has(message, &["35=F"]));
            let mut named = ids(&cancels.cloned().collect::<Vec<_>>(), "41=");
            named.sort();
            assert_eq!(named, [format!("a{killed}"), format!("b{killed}")], "{version:?}");
            let answered = format!("37=V1|11=m{killed}|530=7|531=7");
            for id in ["a", "b", "later", "new"] {
                street.report(
                    &format!("{id}{killed}"),
                    &format!("e{id}{killed}"),
                    "4",
                    "39=4|151=0|14=0|6=0",
                );
            }
            street.venue_sends(b"r", &answered);
            street.carry();
            street.gateway.desk.cancel_again();
            street.now = street.now.plus(Nanos(3_000_000_000));
            assert!(!turn(&mut street) && cancelled(&street).len() == if killed { 4 } else { 2 });
        }
    });
}

#[test]
fn a_venue_that_takes_one_request_for_all_gets_it_first() {
    on_each_version(|version, mut street, _| {
        if version == Version::Fix42 {
            return;
        }
        street.gateway.desk.takes_mass_cancel = true;
        street.order("a", 1, 100, "100.00");
        street.order("b", 1, 100, "100.00");
        street.gateway.desk.gate.set_breaker(BreakerKey::Firm, BreakerState::Tripped, 7);
        turn(&mut street);
        let request = street.at_venue.last().expect("a request").clone();
        assert!(has(&request, &["35=q", "530=7"]), "{}", text(&request));
        let own = ids(&[request], "11=").remove(0);
        let told = street.at_firm.len();
        street.venue_sends(b"r", &format!("37=V1|11={own}|530=7|531=7"));
        street.carry();
        assert_eq!(street.at_firm.len(), told, "the firm did not ask for it");
        street.report("a", "e1", "4", "39=4|151=0|14=0|6=0");
        assert!(has(street.at_firm.last().expect("an end"), &["35=8", "11=a", "39=4"]));
        // One that the venue left open is cancelled by its name.
        street.now = street.now.plus(Nanos(600_000_000));
        turn(&mut street);
        assert_eq!(cancelled(&street), ["b"]);
    });
}

#[test]
fn a_firm_that_is_back_before_its_cancels_went_out_loses_the_orders_of_before_alone() {
    on_each_version(|_, mut street, _| {
        street.order("a", 1, 100, "100.00");
        street.cut(true);
        street.cut(false);
        street.gateway.desk.sweep_all();
        turn(&mut street);
        street.connect_firm();
        street.carry();
        street.connect_venue();
        street.carry();
        street.order("b", 1, 100, "100.00");
        turn(&mut street);
        assert_eq!(cancelled(&street), ["a"]);
    });
}

/// The firm's order comes to the gateway, and the connection to the venue is cut before it goes on.
fn order_that_is_not_delivered(street: &mut Street, id: &str) {
    let order = format!("11={id}|21=1|55=AAPL|54=1|38=100|40=2|44=100.00|59=0|60=20261202-00:00:00");
    street.firm_sends(b"D", &order);
    street.deliver_to_gateway();
    street.cut(false);
}

#[test]
fn an_order_that_a_halt_keeps_back_or_that_is_old_is_not_sent_when_the_venue_asks_again() {
    on_each_version(|version, mut street, _| {
        for (id, halted) in [("a", true), ("b", false)] {
            order_that_is_not_delivered(&mut street, id);
            assert_eq!(street.gateway.desk.gate.held(), (0, 100, 0), "nobody knows what became of it");
            let state = if halted { BreakerState::Tripped } else { BreakerState::Open };
            street.gateway.desk.gate.set_breaker(BreakerKey::Firm, state, 7);
            if !halted {
                street.now = street.now.plus(Nanos(60_000_000_000));
            }
            street.connect_venue();
            street.carry();
            street.gateway.send_sweeps(street.now).expect("room");
            street.carry();
            assert!(!street.at_venue.iter().any(|message| has(message, &["35=D"])), "{version:?} {id}");
            let request = street.at_venue.last().expect("a question").clone();
            assert!(has(&request, &["35=F", &format!("41={id}")]), "{}", text(&request));
            // The venue never had it.
            let own = ids(&[request], "11=").remove(0);
            street.venue_sends(b"9", &format!("37=NONE|11={own}|41={id}|39=8|434=1|102=1"));
            street.carry();
            assert_eq!(street.gateway.desk.gate.held(), (0, 0, 0));
            let told = street.at_firm.last().expect("an end");
            assert!(has(told, &["35=8", &format!("11={id}"), "39=8"]), "{}", text(told));
            street.gateway.desk.gate.set_breaker(BreakerKey::Firm, BreakerState::Open, 7);
        }
        // One that is neither is sent.
        order_that_is_not_delivered(&mut street, "c");
        street.connect_venue();
        street.carry();
        assert!(has(street.at_venue.last().expect("the order"), &["35=D", "11=c", "43=Y"]));
    });
}

#[test]
fn a_cancel_that_comes_while_the_venue_logs_on_goes_out_with_the_logon() {
    on_each_version(|_, mut street, _| {
        street.order("a", 1, 100, "100.00");
        street.cut(false);
        street.connect_venue();
        street.firm_sends(b"F", "11=x|41=a|55=AAPL|54=1|38=100|60=20261202-00:00:00");
        street.deliver_to_gateway();
        street.carry();
        assert!(has(street.at_venue.last().expect("a cancel"), &["35=F", "11=x", "41=a"]));
    });
}

#[test]
fn cancels_that_a_reset_has_lost_are_sent_again() {
    on_each_version(|_, mut street, _| {
        street.order("a", 1, 100, "100.00");
        street.order("b", 1, 100, "100.00");
        // The venue has said no to this one.
        street.firm_sends(b"F", "11=y|41=b|55=AAPL|54=1|38=100|60=20261202-00:00:00");
        street.carry();
        street.venue_sends(b"9", "37=V1|11=y|41=b|39=0|434=1|102=0");
        street.carry();
        street.cut(false);
        street.firm_sends(b"F", "11=x|41=a|55=AAPL|54=1|38=100|60=20261202-00:00:00");
        street.carry();
        street.connect_venue();
        street.carry();
        assert_eq!(cancelled(&street), ["a", "b"]);
        street.gateway.desk.cancel_again();
        turn(&mut street);
        assert_eq!(cancelled(&street), ["a", "a", "b"], "what the venue has refused to cancel stays");
    });
}

#[test]
fn what_nobody_reads_does_not_pass_unless_it_is_named() {
    on_each_version(|version, mut street, _| {
        street.gateway.desk.account = Some("ACME".to_owned());
        street.gateway.desk.user_tags = Some(vec![9_001]);
        let order = "21=1|55=AAPL|54=1|38=100|40=2|44=100.00|59=0|60=20261202-00:00:00";
        for (id, more, reason) in [("a", "1=OTHER", "15"), ("b", "9002=1", "11")] {
            street.firm_sends(b"D", &format!("11={id}|{more}|{order}"));
            street.carry();
            let told = street.at_firm.last().expect("a reject");
            let reason = if version == Version::Fix42 { "0" } else { reason };
            assert!(has(told, &["35=8", "39=8", &format!("103={reason}")]), "{}", text(told));
        }
        assert!(street.at_venue.is_empty());
        street.firm_sends(b"D", &format!("11=c|1=ACME|{order}|8011=x|9001=mine"));
        street.carry();
        assert!(has(&street.at_venue[0], &["11=c", "1=ACME", "9001=mine"]), "{}", text(&street.at_venue[0]));
        // The venue goes by the ClOrdID that was judged.
        street.firm_sends(b"G", &format!("11=d|41=c|37=V9|{order}"));
        street.carry();
        let replacement = street.at_venue.last().expect("a replacement");
        assert!(
            has(replacement, &["35=G", "41=c"]) && !text(replacement).contains("|37="),
            "{}",
            text(replacement)
        );
    });
}
