//! Who may do what, and in which order record, latch and effect happen.

use crate::desk::{Desk, START, Site, changed, clock_of, person, plan_in};
use control::audit::{VerifyOptions, verify};
use control::backend::Backend;
use control::limits::LimitKey;
use control::names::Scope;
use control::protocol::{
    Changed, Command, HoldingsFilter, LatchHealth, LimitChange, LimitDiff, OrderQuery, OrderSide, Reason,
    Refusal, RefusalKind, Reply, StatusReply, TierCell, Tif, TripMode,
};
use control::roles::Role;
use control::{Controller, config};
use gate::BreakerState;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use types::Tier;

fn reason() -> Reason {
    "because".parse().unwrap()
}

fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

fn halt() -> Command {
    Command::Halt { reason: Some(reason()), ticket: None }
}

fn resume() -> Command {
    Command::Resume { reason: reason(), ticket: None }
}

fn trip(text: &str) -> Command {
    Command::BreakerTrip { scope: scope(text), mode: TripMode::Tripped, reason: reason(), ticket: None }
}

fn reset(text: &str) -> Command {
    Command::BreakerReset { scope: scope(text), reason: reason(), ticket: None }
}

fn tier_reset(symbol: &str) -> Command {
    Command::TierReset { symbol: symbol.parse().unwrap(), reason: reason(), ticket: None }
}

fn set(symbol: &str, changes: &[(LimitKey, &str)]) -> Command {
    let changes = changes.iter().map(|(key, value)| LimitChange { key: *key, value: value.parse().unwrap() });
    let symbol = symbol.parse().unwrap();
    Command::LimitsSet { symbol, changes: changes.collect(), dry_run: false, reason: reason(), ticket: None }
}

fn explain(symbol: &str, qty: u32) -> Command {
    let (strategy, account) = ("mm1".parse().unwrap(), "ACME".parse().unwrap());
    let (symbol, px) = (symbol.parse().unwrap(), Some("100.01".parse().unwrap()));
    Command::GateExplain {
        order: OrderQuery { symbol, side: OrderSide::Buy, qty, px, strategy, account, tif: Tif::Day },
    }
}

fn refused(outcome: Result<Reply, Refusal>) -> Refusal {
    outcome.expect_err("refused")
}

fn status(site: &Site) -> StatusReply {
    match site.ask(Role::Viewer, Command::Status) {
        Ok(Reply::Status(status)) => *status,
        other => panic!("{other:?}"),
    }
}

fn diffs(outcome: Result<Reply, Refusal>) -> Vec<LimitDiff> {
    match outcome {
        Ok(Reply::LimitsChanged(diffs)) => diffs,
        other => panic!("{other:?}"),
    }
}

fn max_qty(site: &Site) -> u64 {
    let view = &site.desk.instruments(Some("ZVZZT".parse().unwrap()))[0];
    u64::from(view.effective.max_qty.0)
}

#[test]
fn the_matrix_of_roles_and_commands_is_as_documented() {
    // none, viewer, trader, risk_officer, risk_admin
    let roles =
        [None, Some(Role::Viewer), Some(Role::Trader), Some(Role::RiskOfficer), Some(Role::RiskAdmin)];
    let table = [
        (Command::Status, "-++++"),
        (Command::LimitsShow { symbol: None, after: None }, "-++++"),
        (Command::BreakerList { after: None }, "-++++"),
        (Command::TierShow { symbol: None, after: None }, "-++++"),
        (Command::TierMap { after: None }, "-++++"),
        (explain("ZVZZT", 100), "-++++"),
        (Command::AuditTail { count: 1 }, "-++++"),
        (Command::AuditVerify, "-++++"),
        (Command::Positions { filter: HoldingsFilter::default() }, "-++++"),
        (Command::Orders { filter: HoldingsFilter::default() }, "-++++"),
        (Command::Sessions { client: None }, "-++++"),
        (trip("strategy:mm1"), "--+++"),
        (halt(), "--+++"),
        (set("ZVZZT", &[(LimitKey::MaxQty, "400")]), "---++"),
        (reset("strategy:mm1"), "---++"),
        (resume(), "---++"),
        (tier_reset("ZVZZT"), "---++"),
        (Command::ListsReload { dry_run: true, reason: reason(), ticket: None }, "---++"),
        (Command::LevelsShow { scopes: vec![Scope::Firm] }, "-++++"),
    ];
    let site = Site::new(&[]);
    for (command, row) in table {
        for (role, cell) in roles.iter().zip(row.chars()) {
            let outcome = site.controller.execute(&person(*role), command.clone());
            let denied = matches!(&outcome, Err(refusal) if refusal.kind == RefusalKind::Denied);
            assert_eq!(denied, cell == '-', "{role:?} {command:?}: {outcome:?}");
        }
    }
}

#[test]
fn who_is_refused_a_change_is_told_why_and_recorded() {
    let site = Site::new(&[]);
    let refusal = refused(site.controller.execute(&person(None), halt()));
    assert_eq!(
        refusal.message,
        "halt needs role trader; alice (uid 1001) has no role: see [roles] in the configuration"
    );
    let refusal = refused(site.ask(Role::Trader, resume()));
    assert!(refusal.message.contains("resume needs role risk_officer; alice (uid 1001) has role trader"));
    assert_eq!(status(&site).halt, None);
    let records = site.records();
    let results: Vec<_> =
        records.iter().map(|r| (r["action"].as_str(), r["result"].as_str().unwrap())).collect();
    assert_eq!(results.len(), 4, "{results:?}");
    assert!(results[2].0 == Some("halt") && results[2].1.starts_with("refused: halt needs role trader"));
    assert!(results[3].0 == Some("resume") && results[3].1.starts_with("refused: "));
    assert_eq!(
        (records[3]["reason"].as_str(), records[2]["reason"].as_str()),
        (Some("because"), Some("because"))
    );
    let looked = refused(site.controller.execute(&person(None), Command::Status));
    assert_eq!(looked.kind, RefusalKind::Denied);
    assert_eq!(site.records().len(), 4, "looking is refused without a record");
}

#[test]
fn a_halt_refuses_every_order_until_it_is_resumed() {
    let site = Site::new(&[]);
    let decision = |site: &Site| match site.ask(Role::Viewer, explain("ZVZZT", 100)) {
        Ok(Reply::Explain(reply)) => {
            (reply.decision, reply.breaches.into_iter().map(|b| b.slug).collect::<Vec<_>>())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(decision(&site), ("accept".to_owned(), vec![]));
    let first = changed(site.ask(Role::Trader, halt()));
    assert!(first.changed && first.message.starts_with("HALTED: every order is refused"));
    assert_eq!(decision(&site), ("reject".to_owned(), vec!["HALTED_FIRM".to_owned()]));
    let again = changed(site.ask(Role::RiskOfficer, halt()));
    assert!(
        !again.changed && again.episode == first.episode && again.message.contains("already halted since")
    );
    let ended = changed(site.ask(Role::RiskOfficer, resume()));
    assert_eq!(ended.episode, first.episode);
    assert_eq!(decision(&site).0, "accept");
    assert!(!changed(site.ask(Role::RiskOfficer, resume())).changed, "resuming twice is no error");
}

#[test]
fn tightening_takes_effect_before_the_disk_and_is_on_disk_before_the_answer() {
    let site = Site::new(&[]);
    let (latch, limits) = (site.state_dir().join("latch.sealed"), site.state_dir().join("limits.sealed"));
    let audited = |site: &Site, action: &str| site.records().last().unwrap()["action"] == action;
    let (before, seen) = (latch.clone(), std::sync::Mutex::new(Vec::<String>::new()));
    *site.desk.witness.write().unwrap() = Some(Box::new(move |call| {
        let latched = fs::read_to_string(&before).unwrap();
        // A word is written twice: in force before the latch, and, for whom the cancels wait for, latched.
        let mut seen = seen.lock().unwrap();
        let is_latched = seen.iter().any(|before| before == call);
        seen.push(call.to_owned());
        match call {
            "firm tripped" => assert_eq!(latched.contains("\"halt\": {"), is_latched, "{latched}"),
            "strategy:mm1 tripped" => assert_eq!(latched.contains("strategy:mm1"), is_latched, "{latched}"),
            "ZVZZT max_qty 50" => assert!(!fs::read_to_string(&limits).unwrap().contains("ZVZZT")),
            other => panic!("{other}"),
        }
    }));
    changed(site.ask(Role::Trader, halt()));
    assert!(fs::read_to_string(&latch).unwrap().contains("\"halt\": {") && audited(&site, "halt"));
    changed(site.ask(Role::Trader, trip("strategy:mm1")));
    assert!(fs::read_to_string(&latch).unwrap().contains("strategy:mm1") && audited(&site, "breaker.trip"));
    diffs(site.ask(Role::RiskOfficer, set("ZVZZT", &[(LimitKey::MaxQty, "50")])));
    let written = fs::read_to_string(site.state_dir().join("limits.sealed")).unwrap();
    assert!(written.contains("50") && audited(&site, "limits.set"));
    assert_eq!(site.desk.calls().len(), 7, "the restore at start, and two trips and a limit, each twice");
}

#[test]
fn the_answer_to_a_halt_says_when_the_gate_stopped_and_when_the_disk_had_it() {
    let site = Site::new(&[]);
    let times = |changed: Changed| (changed.effective_after_us, changed.durable_after_us);
    for command in [halt(), trip("strategy:mm1")] {
        let (Some(effective), Some(durable)) = times(changed(site.ask(Role::Trader, command))) else {
            panic!("a tightening without its times");
        };
        assert!(0 < effective && effective < durable, "{effective} us, {durable} us");
    }
    assert_eq!(times(changed(site.ask(Role::RiskOfficer, resume()))), (None, None));
}

/// Another command, a reset of `strategy:mm1`, is in the middle of its work and holds the lock of all changes; the word that
/// `command` sets is there all the same before that command goes on, and it is answered after it is latched.
fn takes_effect_before_another_goes_on(site: &Site, command: Command, word: &str) -> Changed {
    let patience = std::time::Duration::from_secs(20);
    changed(site.ask(Role::Trader, trip("strategy:mm1")));
    let (inside, wait) = (std::sync::mpsc::channel(), std::sync::mpsc::channel::<()>());
    let (told, go) = (std::sync::Mutex::new(inside.0), std::sync::Mutex::new(wait.1));
    *site.desk.witness.write().unwrap() = Some(Box::new(move |call| {
        if call == "strategy:mm1 open" {
            told.lock().unwrap().send(()).unwrap();
            // Should the word never come, the test ends by its own assertion.
            let _ = go.lock().unwrap().recv_timeout(2 * patience);
        }
    }));
    let answered = std::thread::scope(|scope| {
        let slow = scope.spawn(|| changed(site.ask(Role::RiskOfficer, reset("strategy:mm1"))));
        inside.1.recv().unwrap();
        // The reset is inside the gate and has the lock. The word is opened behind the control plane's back, to see the
        // tightening close it.
        site.desk.force_open(word);
        let tightening = scope.spawn(|| changed(site.ask(Role::Trader, command)));
        let deadline = std::time::Instant::now() + patience;
        while site.desk.state(word) != BreakerState::Tripped {
            assert!(std::time::Instant::now() < deadline, "{word} waits for the reset");
            std::thread::yield_now();
        }
        assert!(!tightening.is_finished(), "it is not answered before it is latched");
        wait.0.send(()).unwrap();
        slow.join().unwrap();
        tightening.join().unwrap()
    });
    *site.desk.witness.write().unwrap() = None;
    assert!(answered.effective_after_us < answered.durable_after_us, "{answered:?}");
    assert_eq!(site.desk.state(word), BreakerState::Tripped);
    answered
}

/// The halt's word is there, and a resume that is under way does not open it.
#[test]
fn a_halt_does_not_wait_for_another_command_and_is_not_opened_by_it() {
    let site = Site::new(&[]);
    changed(site.ask(Role::Trader, halt()));
    takes_effect_before_another_goes_on(&site, halt(), "firm");
    assert!(status(&site).halt.is_some());
}

#[test]
fn an_officers_trip_takes_effect_before_it_queues_behind_other_commands() {
    let site = Site::new(&[]);
    for word in ["instrument:ZVZZT", "account:ACME", "firm"] {
        let answered = takes_effect_before_another_goes_on(&site, trip(word), word);
        assert!(answered.changed, "{word} was armed");
    }
}

#[test]
fn loosening_is_in_the_audit_log_before_it_takes_effect() {
    let site = Site::new(&[]);
    changed(site.ask(Role::Trader, halt()));
    changed(site.ask(Role::Trader, trip("instrument:ZVZZT")));
    let log = site.state_dir().join("audit/audit-000001.jsonl");
    *site.desk.witness.write().unwrap() = Some(Box::new(move |call| {
        let text = fs::read_to_string(&log).unwrap();
        let last = text.lines().last().unwrap();
        let action = match call {
            "firm open" => "\"action\":\"resume\"",
            "instrument:ZVZZT open" => "\"action\":\"breaker.reset\"",
            "ZVZZT max_qty 900" => "\"action\":\"limits.set\"",
            other => panic!("{other}"),
        };
        assert!(last.contains(action) && last.contains("\"result\":\"authorised\""), "{call}: {last}");
    }));
    changed(site.ask(Role::RiskOfficer, resume()));
    changed(site.ask(Role::RiskOfficer, reset("instrument:ZVZZT")));
    diffs(site.ask(Role::RiskOfficer, set("ZVZZT", &[(LimitKey::MaxQty, "900")])));
    assert_eq!(max_qty(&site), 900);
}

#[test]
fn when_the_latch_cannot_be_written_tightening_works_and_says_so_and_loosening_does_not() {
    let site = Site::new(&[]);
    changed(site.ask(Role::Trader, trip("account:ACME")));
    // A directory in the place of the temporary file: writing fails for every user, root too.
    fs::create_dir(site.state_dir().join("latch.new")).unwrap();
    let refusal = refused(site.ask(Role::Trader, halt()));
    assert_eq!(refusal.kind, RefusalKind::Failed);
    assert!(refusal.message.starts_with("halted, BUT IT WILL NOT SURVIVE A RESTART"), "{}", refusal.message);
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped, "in force all the same");
    let refusal = refused(site.ask(Role::RiskOfficer, reset("account:ACME")));
    assert!(
        refusal.message.starts_with("nothing was changed: state cannot be written"),
        "{}",
        refusal.message
    );
    assert_eq!(site.desk.state("account:ACME"), BreakerState::Tripped);
    let refusal = refused(site.ask(Role::RiskOfficer, resume()));
    assert!(refusal.message.starts_with("nothing was changed"), "{}", refusal.message);
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped);
    assert!(status(&site).halt.is_some());
    let last = site.records().pop().unwrap();
    assert!(last["result"].as_str().unwrap().starts_with("failed: nothing was changed"), "{last}");
}

#[test]
fn when_the_audit_log_cannot_be_written_tightening_works_and_loosening_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut plan = plan_in(dir.path(), &[]);
    // Every record begins a segment, so that a directory in the next one's place makes the write fail.
    plan.audit.segment_mib = 0;
    let site = Site::of(dir, plan);
    changed(site.ask(Role::Trader, trip("instrument:ZVZZT")));
    let next = status(&site).audit.records + 2;
    fs::create_dir(site.state_dir().join(format!("audit/audit-{next:06}.jsonl"))).unwrap();
    let refusal = refused(site.ask(Role::Trader, halt()));
    assert!(refusal.message.starts_with("halted, BUT it is not in the audit log"), "{}", refusal.message);
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped);
    for command in [resume(), reset("instrument:ZVZZT"), set("ZVZZT", &[(LimitKey::MaxQty, "600")])] {
        let refusal = refused(site.ask(Role::RiskOfficer, command));
        assert!(
            refusal.message.starts_with("nothing was changed: the audit log cannot be written"),
            "{}",
            refusal.message
        );
    }
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped);
    assert_eq!(site.desk.state("instrument:ZVZZT"), BreakerState::Tripped);
    assert_eq!(max_qty(&site), 500);
}

#[test]
fn when_the_gate_does_not_take_it_state_goes_back_and_the_record_says_so() {
    let site = Site::new(&[]);
    changed(site.ask(Role::Trader, trip("strategy:mm1")));
    site.desk.broken.store(true, Ordering::Relaxed);
    let refusal = refused(site.ask(Role::RiskOfficer, reset("strategy:mm1")));
    assert_eq!(refusal.message, "nothing was changed: the gate did not take it: the gate is gone");
    let refusal = refused(site.ask(Role::RiskOfficer, set("ZVZZT", &[(LimitKey::MaxQty, "900")])));
    assert!(refusal.message.starts_with("nothing was changed"), "{}", refusal.message);
    let refusal = refused(site.ask(Role::Trader, halt()));
    assert!(
        refusal.message.starts_with("the halt is latched, BUT the gate did not take it: the gate is gone"),
        "{}",
        refusal.message
    );
    let site = site.restart(&[]);
    assert_eq!(
        site.desk.state("strategy:mm1"),
        BreakerState::Tripped,
        "the reset was taken back on disk too"
    );
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped, "the halt was not");
    assert_eq!(max_qty(&site), 500);
}

#[test]
fn latches_and_limits_hold_again_after_a_restart() {
    let site = Site::new(&[]);
    changed(site.ask(Role::Trader, trip("account:ACME")));
    changed(site.ask(Role::Trader, halt()));
    diffs(
        site.ask(Role::RiskOfficer, set("ZVZZT", &[(LimitKey::MaxQty, "50"), (LimitKey::CollarBps, "300")])),
    );
    let episode = status(&site).halt.unwrap().episode;
    let site = site.restart(&[]);
    assert_eq!(site.desk.calls(), ["account:ACME tripped", "firm tripped", "ZVZZT max_qty 50"]);
    assert_eq!(status(&site).halt.unwrap().episode, episode);
    assert_eq!(
        (site.desk.state("account:ACME"), site.desk.state("firm")),
        (BreakerState::Tripped, BreakerState::Tripped)
    );
    assert_eq!(site.desk.state("strategy:mm1"), BreakerState::Open);
    assert_eq!(max_qty(&site), 50);
    let view = &site.desk.instruments(Some("ZVZZT".parse().unwrap()))[0];
    assert_eq!(view.effective.collar_bps, 200, "a restart takes the tighter of officer and configuration");
    assert!(site.controller.warnings()[0].starts_with("halted since "), "{:?}", site.controller.warnings());
}

#[test]
fn a_start_can_be_made_to_wait_for_a_person() {
    let site = Site::new(&["instance.start_halted=true"]);
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped);
    assert_eq!(status(&site).halt.unwrap().cause, "boot");
    changed(site.ask(Role::RiskOfficer, resume()));
    assert_eq!(site.desk.state("firm"), BreakerState::Open);
}

#[test]
fn a_damaged_latch_halts_and_a_risk_admin_ends_it() {
    let site = Site::new(&[]);
    changed(site.ask(Role::Trader, trip("strategy:mm1")));
    let latch = site.state_dir().join("latch.sealed");
    let mut bytes = fs::read(&latch).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&latch, &bytes).unwrap();
    let site = site.restart(&[]);
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped);
    assert!(
        matches!(status(&site).latch, LatchHealth::Damaged(why) if why.contains("header and content disagree"))
    );
    assert!(site.controller.warnings()[0].contains("a risk_admin ends this with `portcullisctl resume`"));
    assert_eq!(fs::read(&latch).unwrap(), bytes, "nothing is overwritten before a person decides");
    let refusal = refused(site.ask(Role::RiskOfficer, resume()));
    assert_eq!(refusal.kind, RefusalKind::Denied);
    assert!(refusal.message.contains("only a risk_admin may end it"), "{}", refusal.message);
    changed(site.ask(Role::RiskAdmin, resume()));
    assert_eq!(status(&site).latch, LatchHealth::Ok);
    assert_eq!(site.desk.state("firm"), BreakerState::Open);
    let kept = fs::read_dir(site.state_dir()).unwrap().filter_map(Result::ok);
    let kept: Vec<_> = kept.filter(|e| e.file_name().to_string_lossy().contains(".damaged-")).collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(fs::read(kept[0].path()).unwrap(), bytes, "the evidence is kept");
    let site = site.restart(&[]);
    assert_eq!(status(&site).halt, None, "and it is over");
}

#[test]
fn a_halt_for_damage_survives_another_trip_and_another_restart() {
    let site = Site::new(&[]);
    fs::write(site.state_dir().join("latch.sealed"), "").unwrap();
    let site = site.restart(&[]);
    changed(site.ask(Role::Trader, trip("strategy:mm1")));
    let site = site.restart(&[]);
    assert_eq!(refused(site.ask(Role::RiskOfficer, resume())).kind, RefusalKind::Denied);
    fs::remove_file(site.state_dir().join("latch.sealed")).unwrap();
    let site = site.restart(&[]);
    let found = status(&site).halt.unwrap();
    assert!(found.cause == "latch" && found.reason.contains("latch.sealed is missing"), "{found:?}");
}

#[test]
fn damaged_limits_halt_too_even_over_an_officers_halt() {
    let site = Site::new(&[]);
    diffs(site.ask(Role::RiskOfficer, set("ZVZZT", &[(LimitKey::MaxQty, "50")])));
    changed(site.ask(Role::Trader, halt()));
    fs::write(site.state_dir().join("limits.sealed"), "x").unwrap();
    let site = site.restart(&[]);
    assert_eq!(refused(site.ask(Role::RiskOfficer, resume())).kind, RefusalKind::Denied);
    changed(site.ask(Role::RiskAdmin, resume()));
    let site = site.restart(&[]);
    assert_eq!(status(&site).halt, None, "the damaged limits were set aside");
}

#[test]
fn limits_move_at_once_and_never_past_the_cap() {
    let site = Site::new(&[]);
    let tighter =
        diffs(site.ask(
            Role::RiskOfficer,
            set("ZVZZT", &[(LimitKey::MaxQty, "50"), (LimitKey::PassiveMinTicks, "3")]),
        ));
    let words: Vec<_> = tighter
        .iter()
        .map(|d| (d.key.as_str(), d.before.to_string(), d.after.to_string(), d.direction.as_str()))
        .collect();
    assert_eq!(
        words,
        [
            ("max_qty", "500".to_owned(), "50".to_owned(), "tighter"),
            ("passive_min_ticks", "1".to_owned(), "3".to_owned(), "tighter")
        ]
    );
    assert_eq!(max_qty(&site), 50);
    let refusal = refused(
        site.ask(Role::RiskAdmin, set("ZVZZT", &[(LimitKey::MaxQty, "1001"), (LimitKey::CollarBps, "100")])),
    );
    assert_eq!(refusal.kind, RefusalKind::Policy);
    assert!(
        refusal.message.contains("max_qty 1001 of ZVZZT is looser than the approved cap of 1000 shares"),
        "{}",
        refusal.message
    );
    let view = &site.desk.instruments(Some("ZVZZT".parse().unwrap()))[0];
    assert_eq!(view.effective.collar_bps, 200, "all of it or none");
    assert_eq!(
        diffs(site.ask(Role::RiskOfficer, set("ZVZZT", &[(LimitKey::MaxQty, "1000")])))[0].direction,
        "looser"
    );
    assert_eq!(max_qty(&site), 1000);
    for bad in ["0", "1.5", "4294967296"] {
        let refusal = refused(site.ask(Role::RiskOfficer, set("ZVZZT", &[(LimitKey::MaxQty, bad)])));
        assert_eq!(refusal.kind, RefusalKind::BadRequest, "{bad}");
    }
    let twice = set("ZVZZT", &[(LimitKey::MaxQty, "5"), (LimitKey::MaxQty, "900")]);
    assert_eq!(refused(site.ask(Role::RiskOfficer, twice)).kind, RefusalKind::BadRequest);
}

#[test]
fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let site = Site::new(&[]);
    let Command::LimitsSet { symbol, changes, reason, ticket, .. } =
        set("ZVZZT", &[(LimitKey::MaxQty, "50")])
    else {
        unreachable!("made above")
    };
    let command = Command::LimitsSet { symbol, changes, dry_run: true, reason, ticket };
    assert_eq!(diffs(site.ask(Role::RiskOfficer, command))[0].direction, "tighter");
    assert_eq!((max_qty(&site), site.records().len()), (500, 2));
}

#[test]
fn limits_show_names_the_envelope_the_live_value_and_who_set_it() {
    let site = Site::new(&[]);
    diffs(site.ask(Role::RiskOfficer, set("ZVZZT", &[(LimitKey::MaxNotional, "100000.50")])));
    site.desk.set_tier("ZVZZT", Tier::High);
    let Ok(Reply::Limits(page)) =
        site.ask(Role::Viewer, Command::LimitsShow { symbol: Some("ZVZZT".parse().unwrap()), after: None })
    else {
        panic!("limits")
    };
    assert_eq!((page.rows.len(), page.next, page.warn_bps), (8, None, 8_750));
    let row = |key: &str| page.rows.iter().find(|row| row.key == key).unwrap();
    let qty = row("max_qty");
    assert_eq!(
        [qty.floor, qty.base, qty.cap, qty.effective].map(|a| a.to_string()),
        ["10", "500", "1000", "50"]
    );
    assert_eq!((qty.tier.as_str(), qty.source.as_str(), qty.set_by.as_str()), ("high", "dynamic", ""));
    let value = row("max_notional");
    assert_eq!((value.base.to_string(), value.set_by.as_str()), ("100000.50".to_owned(), "alice"));
    assert_eq!(value.cap.to_string(), "500000", "the cap shown is the approved one");
    let all =
        site.ask(Role::Viewer, Command::LimitsShow { symbol: None, after: Some("AAPL".parse().unwrap()) });
    assert!(
        matches!(all, Ok(Reply::Limits(page)) if page.rows.len() == 16),
        "the instruments after the first"
    );
}

#[test]
fn an_order_is_flagged_above_the_share_of_a_limit_that_is_configured() {
    let flagged = |site: &Site, qty| {
        let order = OrderQuery {
            symbol: "ZVZZT".parse().unwrap(),
            side: OrderSide::Buy,
            qty,
            px: Some("100.00".parse().unwrap()),
            strategy: "mm1".parse().unwrap(),
            account: "ACME".parse().unwrap(),
            tif: Tif::Day,
        };
        let Ok(Reply::Explain(explained)) = site.ask(Role::Viewer, Command::GateExplain { order }) else {
            panic!("an explanation")
        };
        explained.flags.contains(&"near_limit".to_owned())
    };
    // Of 500.
    let [usual, half] = [Site::new(&[]), Site::new(&["limits.warn_at=0.5"])];
    assert_eq!([438, 439].map(|qty| flagged(&usual, qty)), [false, true]);
    assert_eq!([250, 251].map(|qty| flagged(&half, qty)), [false, true]);
    for share in ["0.49", "1.01", "0.87505", "87.5"] {
        let error = config::load(&[], &[format!("limits.warn_at={share}")]).unwrap_err().to_string();
        let wanted =
            format!("limits.warn_at: found {share}, wanted a share from 0.5 to 1, by ten-thousandths");
        assert!(error.contains(&wanted), "{error}");
    }
}

#[test]
fn what_the_model_tripped_a_person_ends_with_tier_reset_alone() {
    let site = Site::new(&[]);
    site.desk.set_tier("ZVZZT", Tier::Critical);
    let symbol = "ZVZZT".parse().unwrap();
    let trip_by_model = |detail: &str| site.controller.trip_by_model(&[(symbol, detail.to_owned())]).unwrap();
    assert_eq!(trip_by_model("score 0.981; spread, cancel ratio"), 1);
    assert_eq!(trip_by_model("score 0.985"), 0);
    assert_eq!(site.records().len(), 3, "init, start and one trip: repetition leaves no records");
    assert_eq!(site.desk.state("instrument:ZVZZT"), BreakerState::Tripped);
    changed(site.ask(Role::Trader, trip("instrument:ZVZZT")));

    let ended = changed(site.ask(Role::RiskOfficer, reset("instrument:ZVZZT")));
    assert!(ended.message.ends_with("; still tripped by model"), "{}", ended.message);
    let refusal = refused(site.ask(Role::RiskOfficer, reset("instrument:ZVZZT")));
    assert!(refusal.message.contains("`portcullisctl tier reset ZVZZT` ends"), "{}", refusal.message);

    let site = site.restart(&[]);
    assert_eq!(site.desk.state("instrument:ZVZZT"), BreakerState::Tripped, "Critical survives a restart");
    changed(site.ask(Role::RiskOfficer, tier_reset("ZVZZT")));
    assert_eq!(site.desk.state("instrument:ZVZZT"), BreakerState::Open);
    assert!(site.desk.calls().contains(&"ZVZZT tier reset".to_owned()));
    assert_eq!(refused(site.ask(Role::RiskOfficer, tier_reset("ZVZZT"))).kind, RefusalKind::NotFound);
}

#[test]
fn a_person_takes_back_what_the_model_tightened_without_a_trip() {
    for tier in [Tier::Elevated, Tier::High] {
        let site = Site::new(&[]);
        site.desk.set_tier("ZVZZT", tier);
        assert_eq!(refused(site.ask(Role::Trader, tier_reset("ZVZZT"))).kind, RefusalKind::Denied);
        let done = changed(site.ask(Role::RiskOfficer, tier_reset("ZVZZT")));
        assert_eq!(done.message, "instrument:ZVZZT reset (the model's word is taken back)");
        assert!(site.desk.calls().contains(&"ZVZZT tier reset".to_owned()));
        let again = refused(site.ask(Role::RiskOfficer, tier_reset("ZVZZT")));
        assert_eq!(again.message, "nothing to reset in ZVZZT: it is in no tier above normal");
    }
}

#[test]
fn a_crash_of_the_whole_market_is_latched_at_once_and_listed_page_by_page() {
    let site = Site::new(&[]);
    // Most of these the gate does not know yet: they are latched all the same, and introduced when they appear.
    let trips: Vec<_> =
        (0..2_000).map(|i| (format!("S{i}").parse().unwrap(), "score 0.99 ".repeat(60))).collect();
    assert_eq!(site.controller.trip_by_model(&trips).unwrap(), 2_000);
    assert_eq!(site.controller.trip_by_model(&trips).unwrap(), 0);
    let (mut rows, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let reply = site.ask(Role::Viewer, Command::BreakerList { after }).unwrap();
        assert!(serde_json::to_vec(&reply).unwrap().len() < control::protocol::MESSAGE_BYTES_MAX / 2);
        let Reply::Breakers(page) = reply else { panic!("breakers") };
        rows.extend(page.rows);
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let scopes: std::collections::BTreeSet<_> = rows.iter().map(|row| row.scope.clone()).collect();
    assert_eq!((rows.len(), scopes.len(), pages), (2_000, 2_000, 7));
    assert!(rows.iter().all(|row| row.reason.chars().count() == 500), "a reason has bounds");
    let site = site.restart(&[]);
    assert_eq!(status(&site).breakers, 2_000);
    let proof = verify(&site.state_dir().join("audit"), &VerifyOptions::default()).unwrap();
    assert_eq!((proof.broken, proof.records), (None, 2_003));
}

#[test]
fn what_the_model_could_not_latch_is_tried_again() {
    let site = Site::new(&[]);
    let trips = [("ZVZZT".parse().unwrap(), "score 0.99".to_owned())];
    let blocked = site.state_dir().join("latch.new");
    fs::create_dir(&blocked).unwrap();
    let refusal = site.controller.trip_by_model(&trips).unwrap_err();
    assert!(refusal.message.contains("IT WILL NOT SURVIVE A RESTART"), "{}", refusal.message);
    assert_eq!(site.desk.state("instrument:ZVZZT"), BreakerState::Tripped);
    fs::remove_dir(&blocked).unwrap();
    assert!(site.controller.keep()[0].starts_with("halts and trips are on disk again"), "nobody trips anew");
    assert_eq!(site.controller.trip_by_model(&trips).unwrap(), 0, "nothing new");
    assert_eq!(site.restart(&[]).desk.state("instrument:ZVZZT"), BreakerState::Tripped);
}

#[test]
fn the_firms_breaker_and_the_halt_end_each_on_its_own() {
    let site = Site::new(&[]);
    changed(site.ask(Role::Trader, halt()));
    let refusal = refused(site.ask(Role::RiskOfficer, reset("firm")));
    assert!(
        refusal.message.contains("the firm is halted, which `portcullisctl resume` ends"),
        "{}",
        refusal.message
    );
    changed(site.ask(Role::Trader, trip("firm")));
    let ended = changed(site.ask(Role::RiskOfficer, resume()));
    assert!(ended.message.contains("1 tripped breaker stays tripped"), "{}", ended.message);
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped);
    changed(site.ask(Role::RiskOfficer, reset("firm")));
    assert_eq!(site.desk.state("firm"), BreakerState::Open);
}

#[test]
fn scopes_that_are_not_declared_are_refused_and_not_latched() {
    let site = Site::new(&[]);
    for (text, said) in [
        (
            "strategy:mm2",
            "strategy mm2 is not declared in the configuration ([strategy]), did you mean `mm1`?",
        ),
        ("account:ACNE", "account ACNE is not declared in the configuration ([account])"),
        ("desk:rates", "desk rates is not declared in the configuration ([desk])"),
    ] {
        let refusal = refused(site.ask(Role::Trader, trip(text)));
        assert_eq!((refusal.kind, refusal.message.as_str()), (RefusalKind::NotFound, said));
    }
    assert_eq!(status(&site).breakers, 0);
    let Command::GateExplain { order } = explain("ZVZZT", 1) else { unreachable!("made above") };
    // More names that nobody declared than the gate has numbers for accounts.
    for number in 0..65 {
        let order = OrderQuery { account: format!("ACNE{number}").parse().unwrap(), ..order.clone() };
        let refusal = refused(site.ask(Role::Viewer, Command::GateExplain { order }));
        assert_eq!(refusal.kind, RefusalKind::NotFound);
    }
    assert!(site.ask(Role::Viewer, Command::GateExplain { order }).is_ok(), "the declared name is known");
    changed(site.ask(Role::Trader, trip("account:ACME")));
    assert_eq!(site.desk.state("account:ACME"), BreakerState::Tripped);
}

#[test]
fn reduce_only_lets_reducing_orders_pass_and_is_told_apart() {
    let site = Site::new(&[]);
    let reduce = Command::BreakerTrip {
        scope: scope("account:ACME"),
        mode: TripMode::ReduceOnly,
        reason: reason(),
        ticket: None,
    };
    let answer = changed(site.ask(Role::Trader, reduce.clone()));
    assert!(answer.message.contains("only orders that reduce a position pass"));
    assert_eq!(site.desk.state("account:ACME"), BreakerState::ReduceOnly);
    changed(site.ask(Role::Trader, trip("account:ACME")));
    assert_eq!(site.desk.state("account:ACME"), BreakerState::Tripped);
    assert!(!changed(site.ask(Role::Trader, reduce)).changed, "a trader cannot loosen it this way");
    assert_eq!(site.desk.state("account:ACME"), BreakerState::Tripped);
}

#[test]
fn a_scope_that_appears_later_is_introduced_under_its_latch() {
    let site = Site::new(&[]);
    changed(site.ask(Role::Trader, trip("instrument:ZVZZT")));
    diffs(site.ask(Role::RiskOfficer, set("ZVZZT", &[(LimitKey::MaxQty, "50")])));
    site.controller.introduce(&scope("instrument:ZVZZT")).unwrap();
    let calls = site.desk.calls();
    assert_eq!(calls[calls.len() - 2..], ["ZVZZT max_qty 50", "instrument:ZVZZT tripped"]);
    assert!(site.controller.introduce(&scope("instrument:OTHER")).is_err(), "the gate has no row for it");
}

#[test]
fn every_change_leaves_one_record_with_who_what_why_and_what_came_of_it() {
    let site = Site::new(&[]);
    let ticket = || Some("INC-71".parse().unwrap());
    changed(
        site.ask(
            Role::Trader,
            Command::Halt { reason: Some("fat finger".parse().unwrap()), ticket: ticket() },
        ),
    );
    changed(
        site.ask(Role::RiskOfficer, Command::Resume { reason: "checked".parse().unwrap(), ticket: ticket() }),
    );
    diffs(site.ask(Role::RiskOfficer, set("ZVZZT", &[(LimitKey::MaxQty, "50")])));
    let records = site.records();
    let of = |i: usize, key: &str| records[i][key].clone();
    assert_eq!(records.len(), 5);
    assert_eq!(
        (of(0, "action"), of(1, "action"), of(1, "result")),
        ("init".into(), "start".into(), "done".into())
    );
    assert_eq!(of(1, "after")["config"].as_str().unwrap().len(), 64, "which configuration was started");
    let halted = &records[2];
    assert_eq!(
        (halted["action"].as_str(), halted["reason"].as_str(), halted["ticket"].as_str()),
        (Some("halt"), Some("fat finger"), Some("INC-71"))
    );
    assert_eq!(
        (halted["actor"]["uid"].as_u64(), halted["actor"]["user"].as_str(), halted["actor"]["role"].as_str()),
        (Some(1001), Some("alice"), Some("trader"))
    );
    assert_eq!((halted["before"].is_null(), halted["after"]["episode"].as_u64()), (true, Some(1)));
    assert!(halted["ts"].as_str().unwrap().starts_with("2026-11-21T14:30:22.00"), "{halted}");
    assert_eq!(
        (of(3, "action"), of(3, "result"), of(3, "after").is_null()),
        ("resume".into(), "authorised".into(), true)
    );
    assert_eq!(
        (of(4, "before")["max_qty"].as_u64(), of(4, "after")["max_qty"].as_u64()),
        (Some(500), Some(50))
    );
    let proof = verify(&site.state_dir().join("audit"), &VerifyOptions::default()).unwrap();
    assert_eq!((proof.broken, proof.records), (None, 5));
}

#[test]
fn two_appliances_cannot_share_a_state_directory() {
    let site = Site::new(&[]);
    let desk = Desk::new(&site.plan);
    let error =
        Controller::open(&site.plan, Arc::clone(&desk) as Arc<dyn Backend>, clock_of(&desk)).unwrap_err();
    assert!(error.to_string().contains("another appliance is running on it"), "{error}");
}

#[test]
fn an_audit_log_that_cannot_be_continued_stops_the_start_with_the_way_out() {
    let site = Site::new(&[]);
    changed(site.ask(Role::Trader, halt()));
    let log = site.state_dir().join("audit/audit-000001.jsonl");
    let text = fs::read_to_string(&log).unwrap().replace("alice", "mallo");
    fs::write(&log, text).unwrap();
    let Site { dir, plan, desk, controller } = site;
    drop(controller);
    let error = Controller::open(&plan, Arc::clone(&desk) as Arc<dyn Backend>, clock_of(&desk))
        .unwrap_err()
        .to_string();
    assert!(error.contains("audit-000001.jsonl:3: the line was changed"), "{error}");
    assert!(error.contains("move ") && error.contains("keep it as evidence, and start again"), "{error}");
    fs::rename(plan.instance.state_dir.join("audit"), dir.path().join("evidence")).unwrap();
    let site = Site::of(dir, plan);
    let halt = status(&site).halt.unwrap();
    assert!(halt.cause == "latch" && halt.reason.contains("audit is missing or empty"), "{halt:?}");
    changed(site.ask(Role::RiskAdmin, resume()));
}

#[test]
fn names_in_roles_that_the_host_does_not_know_are_warned_of() {
    let site = Site::new(&["roles.trader=[\"nobody-of-that-name\"]"]);
    assert_eq!(
        site.controller.warnings(),
        ["[roles] names nobody-of-that-name, which this host does not know: it gives nobody a role"]
    );
    assert_eq!(status(&site).started.0.0, START.0);
}

#[test]
fn the_tiers_of_all_are_those_that_are_shown_one_by_one() {
    let site = Site::new(&[]);
    site.desk.set_tier("AAPL", Tier::High);
    let cells = |after: Option<&str>| {
        let after = after.map(|symbol| symbol.parse().unwrap());
        match site.ask(Role::Viewer, Command::TierMap { after }) {
            Ok(Reply::TierMap(page)) => {
                assert_eq!(page.next, None, "three instruments are one page");
                page.cells
            }
            other => panic!("{other:?}"),
        }
    };
    let Ok(Reply::Tiers(shown)) = site.ask(Role::Viewer, Command::TierShow { symbol: None, after: None })
    else {
        panic!("no tiers")
    };
    let one_by_one: Vec<TierCell> =
        shown.rows.into_iter().map(|row| TierCell(row.symbol, row.tier, row.score, row.book)).collect();
    assert_eq!(one_by_one[0].1, "high", "{one_by_one:?}");
    assert_eq!(cells(None), one_by_one);
    assert_eq!(cells(Some("AAPL")), one_by_one[1..], "only those behind it");
    assert_eq!(cells(Some("ZVZZT")), []);
}

#[test]
fn limits_of_a_name_that_no_feed_has_are_set_with_the_question_whether_it_is_meant() {
    let site = Site::new(&[]);
    let asked = |symbol: &str, dry_run: bool| {
        let Command::LimitsSet { symbol, changes, reason, ticket, .. } =
            set(symbol, &[(LimitKey::MaxQty, "10")])
        else {
            unreachable!()
        };
        let command = Command::LimitsSet { symbol, changes, dry_run, reason, ticket };
        diffs(site.ask(Role::RiskOfficer, command)).remove(0)
    };
    let slip = "the feed has not named it yet, did you mean `ZVZZT`? It holds from when it does";
    for symbol in ["zvzzt", "ZVZZ", "ZVZTZ"] {
        assert_eq!([asked(symbol, true).note, asked(symbol, false).note], [slip; 2], "{symbol}");
    }
    let far = "the feed has not named it yet: is it spelled right? It holds from when it does";
    assert_eq!(asked("LATER", true).note, far);
    let named = asked("ZVZZT", false);
    assert_eq!(named.note, "");
    assert!(
        !serde_json::to_string(&named).unwrap().contains("note"),
        "it costs nothing where it says nothing"
    );
    let tripped = changed(site.ask(Role::RiskOfficer, trip("instrument:zvzzt")));
    assert!(tripped.message.ends_with(&format!("; {slip}")), "{}", tripped.message);
}
