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
fn turn(street: &mut Street) -> Option<usize> {
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
        assert_eq!(turn(&mut street), None, "in force, and not latched yet");
        street.order("d", 1, 10, "100.00");
        assert!(has(street.at_firm.last().expect("a reject"), &["35=8", "11=d", "39=8"]));
        street.gateway.desk.gate.set_breaker(BreakerKey::Firm, BreakerState::Tripped, 7);
        assert_eq!(turn(&mut street), Some(2));
        assert_eq!(cancelled(&street), ["a", "b"], "what is open, and nothing that is done or was refused");
        assert_eq!(turn(&mut street), None);
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
        assert_eq!(street.gateway.desk.counts().halt_cancels, 2);
    });
}

#[test]
fn a_trip_of_an_instrument_cancels_and_orders_after_a_reset_are_left_alone() {
    on_each_version(|_, mut street, _| {
        street.order("a", 1, 100, "100.00");
        let instrument = BreakerKey::Instrument(InstrumentId(0));
        street.gateway.desk.gate.set_breaker(instrument, BreakerState::Tripped, 3);
        assert_eq!(turn(&mut street), Some(1));
        street.gateway.desk.gate.set_breaker(instrument, BreakerState::Open, 3);
        street.order("b", 1, 100, "100.00");
        street.now = street.now.plus(Nanos(600_000_000));
        assert_eq!(turn(&mut street), None);
        assert_eq!(cancelled(&street), ["a", "a"], "the venue has not said what became of it");
    });
}

#[test]
fn a_venue_that_is_away_gets_the_cancels_when_it_is_back() {
    on_each_version(|_, mut street, _| {
        street.order("a", 1, 100, "100.00");
        street.cut(false);
        street.gateway.desk.gate.set_breaker(BreakerKey::Firm, BreakerState::Tripped, 7);
        assert_eq!(turn(&mut street), Some(1));
        assert_eq!(cancelled(&street), Vec::<String>::new());
        street.connect_venue();
        street.carry();
        turn(&mut street);
        assert_eq!(cancelled(&street), ["a"]);
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
