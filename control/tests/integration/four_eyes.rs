//! Two people: who proposes, who approves, what is done to what, and what a restart keeps. The real controller, on real files.

use crate::desk::{Site, person, proposed};
use control::audit::Actor;
use control::protocol::{Command, LimitChange, PositionSetting, Refusal, RefusalKind, Reply, TripMode};
use control::roles::Role;
use gate::BreakerState;
use std::sync::atomic::Ordering;

const ALL: &str = "four_eyes.commands=[\"resume\", \"reset\", \"limits\", \"positions\"]";
const MM1: &str = "client.mm1={ user = \"uid:77\", strategies = [\"mm1\"], accounts = [\"ACME\"] }";

/// Somebody else than [`person`].
fn bob() -> Actor {
    Actor { uid: 1002, user: "bob".to_owned(), ..person(Some(Role::RiskOfficer)) }
}

fn alice() -> Actor {
    person(Some(Role::RiskOfficer))
}

fn halt() -> Command {
    Command::Halt { reason: None, ticket: None }
}

fn resume() -> Command {
    Command::Resume { reason: "algo stopped".parse().unwrap(), ticket: None }
}

fn trip(reason: &str) -> Command {
    Command::BreakerTrip {
        scope: "instrument:ZVZZT".parse().unwrap(),
        mode: TripMode::Tripped,
        reason: reason.parse().unwrap(),
        ticket: None,
    }
}

fn reset() -> Command {
    Command::BreakerReset {
        scope: "instrument:ZVZZT".parse().unwrap(),
        reason: "news out".parse().unwrap(),
        ticket: Some("CHG-1".parse().unwrap()),
    }
}

fn max_qty(value: &str) -> Command {
    Command::LimitsSet {
        symbol: "ZVZZT".parse().unwrap(),
        changes: vec![LimitChange { key: "max_qty".parse().unwrap(), value: value.parse().unwrap() }],
        dry_run: false,
        reason: "client order".parse().unwrap(),
        ticket: None,
    }
}

fn approve(id: u64) -> Command {
    Command::ProposalApprove { id, reason: "seen".parse().unwrap(), ticket: None }
}

fn withdraw(id: u64) -> Command {
    Command::ProposalWithdraw { id, reason: "not now".parse().unwrap(), ticket: None }
}

fn refused(outcome: Result<Reply, Refusal>) -> (RefusalKind, String) {
    outcome.map_err(|refusal| (refusal.kind, refusal.message)).unwrap_err()
}

fn waiting(site: &Site) -> Vec<u64> {
    match site.ask(Role::Viewer, Command::ProposalsList) {
        Ok(Reply::Proposals(rows)) => rows.iter().map(|row| row.id).collect(),
        other => panic!("{other:?}"),
    }
}

fn actions(site: &Site) -> Vec<(String, String, String)> {
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let records = site.records();
    records.iter().map(|r| (word(&r["actor"]["user"]), word(&r["action"]), word(&r["result"]))).collect()
}

#[test]
fn by_default_one_person_is_enough() {
    let site = Site::new(&[]);
    site.ask(Role::Trader, halt()).unwrap();
    assert!(matches!(site.ask(Role::RiskOfficer, resume()), Ok(Reply::Changed(_))));
}

#[test]
fn one_proposes_another_approves_and_both_stand_in_the_audit_log() {
    let site = Site::new(&[ALL]);
    site.ask(Role::Trader, halt()).unwrap();
    let row = proposed(site.controller.execute(&alice(), resume()));
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped, "nothing was opened");
    let (kind, said) = refused(site.controller.execute(&alice(), approve(row.id)));
    assert!(kind == RefusalKind::Denied && said.contains("takes another person"), "{said}");
    let trader = Actor { role: Some(Role::Trader), ..bob() };
    assert_eq!(refused(site.controller.execute(&trader, approve(row.id))).0, RefusalKind::Denied);
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped);
    assert!(matches!(site.controller.execute(&bob(), approve(row.id)), Ok(Reply::Changed(_))));
    assert_eq!(site.desk.state("firm"), BreakerState::Open);
    let said: Vec<_> = actions(&site).into_iter().filter(|(user, ..)| user != "portcullis").collect();
    let of = |user: &str, action: &str, result: &str| {
        said.iter().any(|(u, a, r)| (u.as_str(), a.as_str()) == (user, action) && r.starts_with(result))
    };
    assert!(of("alice", "proposal.make", "done") && of("bob", "proposal.approve", "authorised"), "{said:?}");
    assert!(of("bob", "resume", "authorised") && of("alice", "proposal.approve", "refused"), "{said:?}");
    assert_eq!(refused(site.controller.execute(&bob(), approve(row.id))).0, RefusalKind::NotFound, "once");
}

#[test]
fn tightening_asks_nobody_and_every_loosening_that_is_named_asks() {
    let site = Site::new(&[ALL, MM1]);
    let limits = |value: &str| site.controller.execute(&alice(), max_qty(value));
    assert!(matches!(limits("100"), Ok(Reply::LimitsChanged(_))), "tighter");
    assert_eq!(proposed(limits("200")).change, "max_qty=200");
    site.ask(Role::Trader, trip("news")).unwrap();
    assert_eq!(proposed(site.controller.execute(&alice(), reset())).action, "breaker.reset");
    site.controller.trip_by_model(&[("AAPL".parse().unwrap(), "score 0.98".to_owned())]).unwrap();
    let of_model = Command::TierReset {
        symbol: "AAPL".parse().unwrap(),
        reason: "iceberg done".parse().unwrap(),
        ticket: None,
    };
    assert_eq!(proposed(site.controller.execute(&alice(), of_model)).action, "tier.reset");
    let setting = PositionSetting {
        client: "mm1".parse().unwrap(),
        strategy: "mm1".parse().unwrap(),
        account: "ACME".parse().unwrap(),
        symbol: "ZVZZT".parse().unwrap(),
        position: 1_100,
    };
    let set = Command::PositionSet { setting, reason: "statement".parse().unwrap(), ticket: None };
    let id = proposed(site.controller.execute(&alice(), set)).id;
    assert!(matches!(site.controller.execute(&bob(), approve(id)), Ok(Reply::Changed(_))));
    assert_eq!(waiting(&site).len(), 3);
    // What would be refused to one person is not proposed.
    let (kind, said) = refused(limits("5000"));
    assert!(kind == RefusalKind::Policy && said.contains("approved cap"), "{said}");
    let other = Command::BreakerReset {
        scope: "strategy:mm1".parse().unwrap(),
        reason: "x".parse().unwrap(),
        ticket: None,
    };
    assert_eq!(refused(site.controller.execute(&alice(), other)).0, RefusalKind::NotFound);
    assert_eq!(waiting(&site).len(), 3);
}

#[test]
fn a_limit_that_was_changed_and_changed_back_is_not_widened_by_an_older_proposal() {
    let site = Site::new(&[ALL]);
    let old = proposed(site.controller.execute(&alice(), max_qty("800"))).id;
    site.controller.execute(&alice(), max_qty("5")).unwrap();
    let back = proposed(site.controller.execute(&alice(), max_qty("500"))).id;
    site.controller.execute(&bob(), approve(back)).unwrap();
    let (kind, said) = refused(site.controller.execute(&bob(), approve(old)));
    assert!(kind == RefusalKind::Policy && said.contains("is not so any more"), "{said}");
}

#[test]
fn the_tighter_half_of_a_mixed_set_waits_for_nobody() {
    let site = Site::new(&[ALL]);
    let Command::LimitsSet { symbol, mut changes, dry_run, reason, ticket } = max_qty("5") else { panic!() };
    changes.push(LimitChange { key: "collar_bps".parse().unwrap(), value: "400".parse().unwrap() });
    let mixed = Command::LimitsSet { symbol, changes, dry_run, reason, ticket };
    let row = proposed(site.controller.execute(&alice(), mixed));
    assert_eq!((row.change.as_str(), row.done.as_str()), ("collar_bps=400", "max_qty=5"));
    assert!(site.desk.calls().iter().any(|call| call == "ZVZZT max_qty 5"));
    assert!(matches!(site.controller.execute(&bob(), approve(row.id)), Ok(Reply::LimitsChanged(_))));
}

#[test]
fn only_what_is_named_takes_two() {
    let site = Site::new(&["four_eyes.commands=[\"resume\"]"]);
    site.ask(Role::Trader, trip("news")).unwrap();
    assert!(matches!(site.controller.execute(&alice(), reset()), Ok(Reply::Changed(_))));
}

#[test]
fn what_was_tripped_again_is_not_opened_by_an_older_proposal() {
    let site = Site::new(&[ALL]);
    site.ask(Role::Trader, trip("news")).unwrap();
    let stale = proposed(site.controller.execute(&alice(), reset())).id;
    let fresh = proposed(site.controller.execute(&bob(), reset())).id;
    assert!(matches!(site.controller.execute(&alice(), approve(fresh)), Ok(Reply::Changed(_))));
    site.ask(Role::Trader, trip("another reason")).unwrap();
    let (kind, said) = refused(site.controller.execute(&bob(), approve(stale)));
    assert!(
        kind == RefusalKind::Policy && said.contains(&format!("proposal {stale} was made for")),
        "{said}"
    );
    assert_eq!(site.desk.state("instrument:ZVZZT"), BreakerState::Tripped);
    assert_eq!(waiting(&site), [stale], "it waits as before");
    assert!(matches!(site.controller.execute(&alice(), withdraw(stale)), Ok(Reply::Changed(_))));
    assert_eq!(refused(site.controller.execute(&bob(), approve(stale))).0, RefusalKind::NotFound);
}

#[test]
fn a_proposal_outlives_a_restart_and_is_void_in_time() {
    let set = [ALL, "four_eyes.expire_minutes=2"];
    let site = Site::new(&set);
    site.ask(Role::Trader, halt()).unwrap();
    let first = proposed(site.controller.execute(&alice(), resume())).id;
    let site = site.restart(&set);
    assert_eq!(waiting(&site), [first]);
    let clock = &site.desk.clock;
    clock.fetch_add(119_000_000_000, Ordering::Relaxed);
    let second = proposed(site.controller.execute(&alice(), resume())).id;
    assert_eq!((waiting(&site), second), (vec![first, second], first + 1));
    clock.fetch_add(2_000_000_000, Ordering::Relaxed);
    assert_eq!(refused(site.controller.execute(&bob(), approve(first))).0, RefusalKind::NotFound);
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped);
    assert!(actions(&site).iter().any(|(_, action, _)| action == "proposal.expire"));
    assert!(matches!(site.controller.execute(&bob(), approve(second)), Ok(Reply::Changed(_))));
}

#[test]
fn a_damaged_file_opens_nothing_and_is_said() {
    let site = Site::new(&[ALL]);
    site.ask(Role::Trader, halt()).unwrap();
    let id = proposed(site.controller.execute(&alice(), resume())).id;
    let path = site.state_dir().join("proposals.sealed");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("1001", "1003")).unwrap();
    let site = site.restart(&[ALL]);
    assert!(site.controller.warnings().iter().any(|warning| warning.contains("are void")));
    assert_eq!(waiting(&site), Vec::<u64>::new());
    assert_eq!(refused(site.controller.execute(&bob(), approve(id))).0, RefusalKind::NotFound);
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped);
}

#[test]
fn what_fails_on_its_way_waits_as_before() {
    let site = Site::new(&[ALL]);
    site.ask(Role::Trader, halt()).unwrap();
    let id = proposed(site.controller.execute(&alice(), resume())).id;
    site.desk.broken.store(true, Ordering::Relaxed);
    let (_, said) = refused(site.controller.execute(&bob(), approve(id)));
    assert!(said.contains("waits as before"), "{said}");
    site.desk.broken.store(false, Ordering::Relaxed);
    assert!(matches!(site.controller.execute(&bob(), approve(id)), Ok(Reply::Changed(_))));
    assert_eq!(site.desk.state("firm"), BreakerState::Open);
}

#[test]
fn proposals_are_bounded() {
    let site = Site::new(&[ALL]);
    site.ask(Role::Trader, halt()).unwrap();
    for _ in 0..16 {
        proposed(site.controller.execute(&alice(), resume()));
    }
    assert_eq!(refused(site.controller.execute(&alice(), resume())).0, RefusalKind::Policy);
    for uid in 2_000..2_003 {
        for _ in 0..16 {
            proposed(site.controller.execute(&Actor { uid, ..bob() }, resume()));
        }
    }
    assert_eq!(refused(site.controller.execute(&Actor { uid: 9, ..bob() }, resume())).0, RefusalKind::Policy);
    assert_eq!(waiting(&site).len(), 64);
}
