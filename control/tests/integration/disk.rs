//! Disks that are full, gone or changed behind the appliance's back, and what a start makes of them.

use crate::desk::{START, Site, make_ready, person, plan_in};
use crate::events::{events, settled_events, tell, until};
use control::Controller;
use control::audit::{VerifyOptions, verify};
use control::controller::{Asked, OpenError};
use control::events::Draft;
use control::limits::LimitKey;
use control::names::SymbolName;
use control::protocol::{
    Command, Event, EventKind, LimitChange, Reason, Refusal, RefusalKind, Reply, Severity, StatusReply,
    TripMode,
};
use control::roles::Role;
use control::stamp::Stamp;
use gate::BreakerState;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;
use types::{Tier, TradingStatus, UnixNanos};

fn reason() -> Reason {
    "because".parse().unwrap()
}

fn halt() -> Command {
    Command::Halt { reason: Some(reason()), ticket: None }
}

fn resume() -> Command {
    Command::Resume { reason: reason(), ticket: None }
}

fn trip(scope: &str) -> Command {
    let scope = scope.parse().unwrap();
    Command::BreakerTrip { scope, mode: TripMode::Tripped, reason: reason(), ticket: None }
}

fn reset(scope: &str) -> Command {
    Command::BreakerReset { scope: scope.parse().unwrap(), reason: reason(), ticket: None }
}

fn tier_reset(symbol: &str) -> Command {
    Command::TierReset { symbol: symbol.parse().unwrap(), reason: reason(), ticket: None }
}

fn status(site: &Site) -> StatusReply {
    match site.ask(Role::Viewer, Command::Status) {
        Ok(Reply::Status(status)) => *status,
        other => panic!("{other:?}"),
    }
}

fn halted_for(site: &Site) -> String {
    let halt = status(site).halt.expect("halted");
    assert_eq!(halt.cause, "latch", "{halt:?}");
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped);
    halt.reason
}

fn works(outcome: Result<Reply, Refusal>) {
    assert!(outcome.is_ok(), "{outcome:?}");
}

/// A second goes by on the appliance's clock.
fn a_second_later(site: &Site) {
    site.desk.clock.fetch_add(1_000_000_000, Ordering::Relaxed);
}

/// A real, tiny file system of its own, unmounted when this goes; none where mounting is not allowed.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(at);
        let mounted = mount.status().is_ok_and(|status| status.success());
        if !mounted {
            tests::skip(tests::Need::Root, "mounting a file system needs root");
        }
        mounted.then(|| Self(at.to_owned()))
    }

    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = fs::File::create(&path).unwrap();
        while std::io::Write::write_all(&mut file, &[0; 4_096]).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(std::process::Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[test]
fn on_a_full_disk_halts_and_trips_hold_are_alarmed_first_and_are_on_disk_as_soon_as_there_is_room() {
    let place = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&place.path().join("small")) else { return };
    let plan = plan_in(&place.path().join("small"), &[]);
    let site = Site::of(place, plan);
    works(site.ask(Role::Trader, trip("account:ACME")));
    let filler = disk.fill();
    // The last page of the log has room for a record or two.
    (0..10).for_each(|_| _ = site.ask(Role::RiskOfficer, reset("account:ACME")).unwrap_err());
    let refusal = site.ask(Role::Trader, halt()).unwrap_err();
    assert!(refusal.message.starts_with("halted, BUT IT WILL NOT SURVIVE A RESTART"), "{}", refusal.message);
    let trips = [("ZVZZT".parse().unwrap(), "score 0.99".to_owned())];
    site.controller.trip_by_model(&trips).unwrap_err();
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped);
    assert_eq!(site.desk.state("instrument:ZVZZT"), BreakerState::Tripped);
    for loosening in [resume(), reset("account:ACME")] {
        let refusal = site.ask(Role::RiskOfficer, loosening).unwrap_err();
        assert!(refusal.message.starts_with("nothing was changed"), "{}", refusal.message);
    }
    a_second_later(&site);
    site.controller.keep();
    let alarms = status(&site).alarms;
    assert!(
        alarms[0].starts_with("halts and trips are not on disk since 2026-11-21T14:30:22."),
        "{alarms:?}"
    );
    assert!(alarms[0].contains("No space left on device"), "{alarms:?}");
    assert!(alarms[1].starts_with("the audit log cannot be written since"), "{alarms:?}");

    fs::remove_file(filler).unwrap();
    a_second_later(&site);
    let said = site.controller.keep().join("\n");
    assert!(
        said.contains("halts and trips are on disk again") && said.contains("audit log can be written"),
        "{said}"
    );
    assert_eq!(status(&site).alarms, [] as [String; 0]);
    let records: Vec<(String, String)> = site
        .records()
        .iter()
        .map(|r| (r["action"].as_str().unwrap().to_owned(), r["result"].as_str().unwrap().to_owned()))
        .collect();
    let late = |action: &str| {
        let found = records.iter().find(|(a, result)| a == action && result.contains("recorded later"));
        found.unwrap_or_else(|| panic!("{action}: {records:?}"))
    };
    late("halt");
    late("breaker.trip");
    assert!(records.iter().any(|(action, _)| action == "latch.write"), "{records:?}");
    let proof = verify(&site.state_dir().join("audit"), &VerifyOptions::default()).unwrap();
    assert_eq!(proof.broken, None);
    let site = site.restart_in(&disk.0);
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped);
    assert_eq!(site.desk.state("instrument:ZVZZT"), BreakerState::Tripped);
    assert_eq!(status(&site).halt.unwrap().cause, "officer", "and nothing is taken for damaged");
    let (place, _) = site.stop();
    drop(disk);
    drop(place);
}

#[test]
fn a_trip_that_never_got_to_the_latch_file_is_restored_from_the_audit_log() {
    let site = Site::new(&[]);
    let blocked = site.state_dir().join("latch.new");
    fs::create_dir(&blocked).unwrap();
    let trips = [("ZVZZT".parse().unwrap(), "score 0.99".to_owned())];
    site.controller.trip_by_model(&trips).unwrap_err();
    site.ask(Role::Trader, halt()).unwrap_err();
    fs::remove_dir(&blocked).unwrap();
    // Nobody housekeeps: the daemon is killed here.
    let site = site.restart(&[]);
    assert_eq!(site.desk.state("instrument:ZVZZT"), BreakerState::Tripped);
    assert_eq!(status(&site).halt.unwrap().cause, "officer", "known, so no damage");
    let warnings = site.controller.warnings().join("\n");
    assert!(
        warnings.contains("could not be latched before the stop, restored from the audit log"),
        "{warnings}"
    );
}

#[test]
fn an_older_latch_file_put_back_halts_and_trips_again_what_the_log_knows() {
    let site = Site::new(&[]);
    let latch = site.state_dir().join("latch.sealed");
    let older = fs::read(&latch).unwrap();
    works(site.ask(Role::Trader, trip("strategy:mm1")));
    fs::write(&latch, older).unwrap();
    let site = site.restart(&[]);
    let why = halted_for(&site);
    assert!(why.contains("the latch file lacks strategy:mm1 (episode 1, record 3"), "{why}");
    assert_eq!(site.desk.state("strategy:mm1"), BreakerState::Tripped);
    assert_eq!(site.ask(Role::RiskOfficer, resume()).unwrap_err().kind, RefusalKind::Denied);
    works(site.ask(Role::RiskAdmin, resume()));
    assert_eq!(site.desk.state("strategy:mm1"), BreakerState::Tripped, "the trip itself stays");
    let site = site.restart(&[]);
    assert_eq!(status(&site).halt, None, "and it is over");
    assert_eq!(site.desk.state("strategy:mm1"), BreakerState::Tripped);
}

#[test]
fn an_audit_log_that_was_cut_off_halts() {
    let site = Site::new(&[]);
    works(site.ask(Role::Trader, trip("strategy:mm1")));
    works(site.ask(Role::Trader, trip("account:ACME")));
    let log = site.state_dir().join("audit/audit-000001.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.lines().take(2).map(|l| format!("{l}\n")).collect::<String>()).unwrap();
    let site = site.restart(&[]);
    let why = halted_for(&site);
    assert!(
        why.contains("the audit log has 2 records, and had 3 when the latches were written: it was cut off"),
        "{why}"
    );
    assert_eq!(site.desk.state("account:ACME"), BreakerState::Tripped, "what the latch file has stands");
}

#[test]
fn whatever_is_missing_of_the_state_a_start_comes_up_halted_until_an_admin_decides() {
    for (missing, said) in [
        ("", "holds no state: at first use run `portcullis init`, else see whether its disk is mounted"),
        ("latch.sealed", "latch.sealed is missing"),
        ("limits.sealed", "limits.sealed is missing"),
        ("audit", "audit is missing or empty, and the files beside it are not"),
    ] {
        let site = Site::new(&[]);
        works(site.ask(Role::Trader, trip("strategy:mm1")));
        let (dir, plan) = site.stop();
        let gone = plan.instance.state_dir.join(missing);
        if gone.is_dir() {
            fs::remove_dir_all(&gone).unwrap();
        } else {
            fs::remove_file(&gone).unwrap();
        }
        let found = Controller::check(&plan).unwrap().join("\n");
        assert!(found.contains("a start would come up halted") && found.contains(said), "{missing}: {found}");
        let site = Site::found(dir, plan);
        let why = halted_for(&site);
        assert!(why.contains(said), "{missing}: {why}");
        let (dir, plan) = site.stop();
        let site = Site::found(dir, plan);
        halted_for(&site);
        assert_eq!(site.ask(Role::RiskOfficer, resume()).unwrap_err().kind, RefusalKind::Denied, "{missing}");
        works(site.ask(Role::RiskAdmin, resume()));
        let (dir, plan) = site.stop();
        assert_eq!(status(&Site::found(dir, plan)).halt, None, "{missing}: decided once");
    }
}

fn set_max_qty(value: &str) -> Command {
    let changes = vec![LimitChange { key: LimitKey::MaxQty, value: value.parse().unwrap() }];
    Command::LimitsSet {
        symbol: "ZVZZT".parse().unwrap(),
        changes,
        dry_run: false,
        reason: reason(),
        ticket: None,
    }
}

fn base_of_max_qty(site: &Site) -> String {
    match site.ask(Role::Viewer, Command::LimitsShow { symbol: Some("ZVZZT".parse().unwrap()), after: None })
    {
        Ok(Reply::Limits(page)) => page.rows[0].base.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_older_limits_file_put_back_halts_and_the_tighter_limit_holds() {
    let site = Site::new(&[]);
    let file = site.state_dir().join("limits.sealed");
    let older = fs::read(&file).unwrap();
    works(site.ask(Role::RiskOfficer, set_max_qty("5")));
    fs::write(&file, older).unwrap();
    let site = site.restart(&[]);
    let why = halted_for(&site);
    assert!(
        why.contains("the limits file lacks max_qty 5 of ZVZZT (record 3 of the audit log): it is older"),
        "{why}"
    );
    assert_eq!(base_of_max_qty(&site), "5");
    assert!(site.desk.calls().iter().any(|call| call == "ZVZZT max_qty 5"));
    works(site.ask(Role::RiskAdmin, resume()));
    let site = site.restart(&[]);
    assert_eq!((status(&site).halt, base_of_max_qty(&site)), (None, "5".to_owned()), "and it is over");
}

#[test]
fn an_older_tiers_file_put_back_is_noticed_beside_the_audit_log_and_its_alert_stays() {
    let site = Site::new(&[]);
    let told = tell(&site);
    let file = site.state_dir().join("tiers.sealed");
    let older = fs::read(&file).unwrap();
    let symbol: SymbolName = "ZVZZT".parse().unwrap();
    let (mut book, said) = site.controller.tiers();
    assert_eq!((book.begin_in(symbol), said), (Tier::Normal, None));
    book.note(symbol, Tier::High);
    let now = START;
    site.controller.keep_tiers(&mut book, now, false).unwrap();
    site.controller.keep_tiers(&mut book, now, false).unwrap();
    let of_tiers = |site: &Site| site.records().iter().filter(|record| record["action"] == "tiers").count();
    assert_eq!(of_tiers(&site), 1, "one record for one rise");
    let text = "tier high: said by the model";
    let draft = Draft::new(Stamp(now), Severity::Warning, EventKind::Tier, "instrument:ZVZZT", text);
    told.events.log().tell(draft);
    let of_tier = |site: &Site| -> Vec<Event> {
        events(site).into_iter().filter(|event| event.kind == EventKind::Tier).collect()
    };
    until("the event is there", || (!of_tier(&site).is_empty()).then_some(()));
    drop((told, book));
    // Nobody settled anything: the daemon is killed here.
    fs::write(&file, older).unwrap();
    let (dir, plan) = site.stop();
    let warned = |said: &[String]| said.join("\n").contains("tiers.sealed: it lacks ZVZZT in high");
    assert!(warned(&Controller::check(&plan).unwrap()), "a check says what a start does");
    let site = Site::found(dir, plan);
    let told = tell(&site);
    let (mut book, said) = site.controller.tiers();
    assert!(warned(&[said.unwrap()]));
    assert_eq!(book.begin_in(symbol), Tier::High);
    until("everything is told", || settled_events(&site).then_some(()));
    let over = |event: &Event| event.text.contains("over: it was found so at a start");
    assert!(!of_tier(&site).iter().any(over), "its alert is not over");
    // Left in good order, it is over.
    book.note(symbol, Tier::Normal);
    site.controller.keep_tiers(&mut book, now, true).unwrap();
    drop(told);
    let site = site.restart(&[]);
    let _told = tell(&site);
    let (mut book, said) = site.controller.tiers();
    assert_eq!((book.begin_in(symbol), said), (Tier::Normal, None));
    until("its alert is over", || of_tier(&site).iter().any(over).then_some(()));
}

#[test]
fn a_limit_that_never_got_to_its_file_is_restored_from_the_audit_log() {
    let site = Site::new(&[]);
    let blocked = site.state_dir().join("limits.new");
    fs::create_dir(&blocked).unwrap();
    site.ask(Role::RiskOfficer, set_max_qty("5")).unwrap_err();
    fs::remove_dir(&blocked).unwrap();
    // Nobody housekeeps: the daemon is killed here.
    let site = site.restart(&[]);
    assert_eq!((status(&site).halt, base_of_max_qty(&site)), (None, "5".to_owned()), "known, so no damage");
    let warnings = site.controller.warnings().join("\n");
    assert!(
        warnings.contains("could not be written before the stop, restored from the audit log"),
        "{warnings}"
    );
    let site = site.restart(&[]);
    assert_eq!(base_of_max_qty(&site), "5");
    assert!(!site.controller.warnings().join("\n").contains("restored"), "it is in its file now");
}

#[test]
fn after_a_crash_of_the_whole_market_a_lost_latch_file_halts_and_loses_no_trip() {
    let site = Site::new(&[]);
    let trips: Vec<_> =
        (0..3_000).map(|n| (format!("Z{n:06}").parse().unwrap(), "score 0.99".repeat(40))).collect();
    site.controller.trip_by_model(&trips).unwrap();
    let (dir, plan) = site.stop();
    fs::remove_file(plan.instance.state_dir.join("latch.sealed")).unwrap();
    let said = Controller::check(&plan).unwrap().join("\n");
    assert!(said.contains("a start would come up halted"), "{said}");
    let site = Site::found(dir, plan);
    assert!(halted_for(&site).contains("latch.sealed is missing"));
    assert_eq!(status(&site).breakers, 3_000);
    let (dir, plan) = site.stop();
    let older = fs::read(plan.instance.state_dir.join("latch.sealed")).err();
    assert!(older.is_some(), "a missing file stays missing until a person has decided");
    let site = Site::found(dir, plan);
    works(site.ask(Role::RiskAdmin, resume()));
    let site = site.restart(&[]);
    assert_eq!((status(&site).halt, status(&site).breakers), (None, 3_000));
}

#[test]
fn an_older_latch_file_of_a_quiet_day_halts_in_a_few_words_however_much_it_lacks() {
    let site = Site::new(&[]);
    let latch = site.state_dir().join("latch.sealed");
    let older = fs::read(&latch).unwrap();
    let trips: Vec<_> =
        (0..900).map(|n| (format!("Z{n:06}").parse().unwrap(), "score 0.99".to_owned())).collect();
    site.controller.trip_by_model(&trips).unwrap();
    fs::write(&latch, older).unwrap();
    let site = site.restart(&[]);
    let why = halted_for(&site);
    assert!(why.len() < 4_000 && why.contains("and 895 more of the kind"), "{why}");
    assert_eq!(status(&site).breakers, 900);
}

/// Every line written anew without its MAC, by somebody who can write the directory and not read the key, `change`d on the way.
fn forged(log: &str, change: impl Fn(&str) -> String) -> String {
    let (mut prev, mut out) = (String::new(), String::new());
    for line in log.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let body = line[..line.len() - 148].replacen("{\"v\":2", "{\"v\":1", 1);
        let was = value["prev"].as_str().unwrap();
        let body = change(&if prev.is_empty() { body } else { body.replace(was, &prev) });
        prev = blake3::hash(body.as_bytes()).to_string();
        out.push_str(&format!("{body},\"hash\":\"{prev}\"}}\n"));
    }
    out
}

#[test]
fn who_can_write_the_state_and_not_read_the_key_opens_nothing() {
    let quiet = |body: &str| body.replace("\"action\":\"halt\"", "\"action\":\"audit.tail\"");
    let open = br#"{"episode":1,"audit_records":3,"halt":null,"breakers":{}}"#;
    let sealed =
        [format!("portcullis-latch 1 {} {}\n", open.len(), blake3::hash(open)).as_bytes(), open].concat();
    // The latch alone: it is not believed, and the log has the halt.
    let site = Site::new(&[]);
    works(site.ask(Role::Trader, halt()));
    fs::write(site.state_dir().join("latch.sealed"), &sealed).unwrap();
    let site = site.restart(&[]);
    assert!(halted_for(&site).contains("was not written with the key of the audit log"));
    // Both: the log is not gone on with.
    let site = Site::new(&[]);
    works(site.ask(Role::Trader, halt()));
    let (_dir, plan) = site.stop();
    let log = plan.instance.state_dir.join("audit/audit-000001.jsonl");
    fs::write(&log, forged(&fs::read_to_string(&log).unwrap(), quiet)).unwrap();
    fs::write(plan.instance.state_dir.join("latch.sealed"), &sealed).unwrap();
    let error = Controller::check(&plan).unwrap_err();
    assert!(error.needs_a_person() && error.to_string().contains("found a line without a MAC"), "{error}");
}

#[test]
fn a_word_changed_in_an_old_segment_is_found_at_a_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut plan = plan_in(dir.path(), &[]);
    // Every record begins a segment.
    plan.audit.segment_mib = 0;
    let site = Site::of(dir, plan);
    works(site.ask(Role::Trader, trip("account:ACME")));
    for _ in 0..4 {
        works(site.ask(Role::Trader, trip("strategy:mm1")));
        works(site.ask(Role::RiskOfficer, reset("strategy:mm1")));
    }
    let (_dir, plan) = site.stop();
    let files = fs::read_dir(plan.instance.state_dir.join("audit")).unwrap();
    let with_trip =
        |path: &PathBuf| fs::read_to_string(path).unwrap().contains("\"target\":\"account:ACME\"");
    let old = files.map(|file| file.unwrap().path()).find(with_trip).unwrap();
    let text = fs::read_to_string(&old).unwrap();
    fs::write(&old, text.replace("breaker.trip", "breaker.trap")).unwrap();
    let error = Controller::check(&plan).unwrap_err().to_string();
    let name = old.file_name().unwrap().to_str().unwrap();
    assert!(error.contains(&format!("{name}:1: the line was changed")), "{error}");
}

#[test]
fn a_start_on_a_full_disk_is_halted_and_recorded_as_soon_as_there_is_room() {
    let place = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&place.path().join("small")) else { return };
    let plan = plan_in(&place.path().join("small"), &[]);
    let site = Site::of(place, plan);
    works(site.ask(Role::Trader, trip("account:ACME")));
    let filler = disk.fill();
    (0..10).for_each(|_| _ = site.ask(Role::RiskOfficer, reset("account:ACME")).unwrap_err());
    let site = site.restart_in(&disk.0);
    let halt = status(&site).halt.expect("halted");
    assert!(halt.cause == "boot" && halt.reason.contains("could not be recorded"), "{halt:?}");
    assert_eq!(site.desk.state("account:ACME"), BreakerState::Tripped);
    assert!(status(&site).alarms.iter().any(|alarm| alarm.contains("cannot be written")));
    fs::remove_file(filler).unwrap();
    a_second_later(&site);
    site.controller.keep();
    assert_eq!(status(&site).alarms, [] as [String; 0]);
    assert!(site.records().iter().filter(|record| record["action"] == "start").count() == 2);
    works(site.ask(Role::RiskOfficer, resume()));
    let (place, _) = site.stop();
    drop((disk, place));
}

#[test]
fn init_is_for_a_directory_that_was_never_used() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan_in(dir.path(), &[]);
    make_ready(&plan);
    let error = Controller::init(&plan, Stamp(START)).unwrap_err();
    assert!(matches!(&error, OpenError::Used { path } if path.ends_with("latch.sealed")), "{error}");
    assert!(error.to_string().starts_with("nothing was made: "), "{error}");
    let site = Site::of(dir, plan);
    assert_eq!(status(&site).halt, None, "a first start after it is not halted");
    assert_eq!(site.records()[0]["action"], "init");
}

#[test]
fn a_state_directory_that_goes_away_loosens_nothing_and_one_that_comes_back_gets_what_it_missed() {
    let site = Site::new(&[]);
    works(site.ask(Role::Trader, trip("strategy:mm1")));
    let (state, aside) = (site.state_dir().to_owned(), site.dir.path().join("aside"));
    fs::rename(&state, &aside).unwrap();
    fs::create_dir(&state).unwrap();
    let refusal = site.ask(Role::RiskOfficer, reset("strategy:mm1")).unwrap_err();
    assert!(refusal.message.contains("no longer the one of that name"), "{}", refusal.message);
    assert_eq!(site.desk.state("strategy:mm1"), BreakerState::Tripped);
    site.ask(Role::Trader, halt()).unwrap_err();
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped);
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0, "nothing is written into another directory");
    assert!(status(&site).alarms[0].contains("no longer the directory that was taken at start"));
    fs::remove_dir(&state).unwrap();
    fs::rename(&aside, &state).unwrap();
    a_second_later(&site);
    site.controller.keep();
    assert_eq!(status(&site).alarms, [] as [String; 0]);
    let site = site.restart(&[]);
    assert_eq!(status(&site).halt.unwrap().cause, "officer");
    assert_eq!(site.desk.state("strategy:mm1"), BreakerState::Tripped);
}

#[test]
fn who_is_refused_without_end_does_not_fill_the_disk() {
    let site = Site::new(&[]);
    for _ in 0..2_000 {
        site.controller.execute(&person(None), halt()).unwrap_err();
    }
    let refused = status(&site).refused;
    assert_eq!((refused.total, refused.unrecorded), (2_000, 1_990));
    assert_eq!(site.records().len(), 2 + 10);
    site.controller.keep();
    site.desk.clock.fetch_add(601_000_000_000, Ordering::Relaxed);
    site.controller.keep();
    let last = site.records().pop().unwrap();
    assert_eq!(
        (last["action"].as_str(), last["after"]["unrecorded"].as_u64()),
        (Some("refusals"), Some(1_990))
    );
    for _ in 0..2_000 {
        works(site.ask(Role::Trader, halt()));
    }
    assert!(site.records().len() < 40, "nor who halts what is halted: {}", site.records().len());
}

#[test]
fn the_head_is_anchored_and_a_start_compares_the_chain_with_it() {
    let place = tempfile::tempdir().unwrap();
    let anchors = place.path().join("anchors");
    let set = format!("audit.anchor_file={:?}", anchors.display().to_string());
    let plan = plan_in(place.path(), &[&set, "audit.anchor_records=2"]);
    let site = Site::of(place, plan);
    let said = site.controller.keep();
    assert!(said[0].starts_with("audit: 2 records, head "), "{said:?}");
    works(site.ask(Role::Trader, trip("strategy:mm1")));
    works(site.ask(Role::Trader, trip("account:ACME")));
    a_second_later(&site);
    site.controller.keep();
    assert_eq!(fs::read_to_string(&anchors).unwrap().lines().count(), 3, "the first by `init`");
    match site.ask(Role::Viewer, Command::AuditVerify) {
        Ok(Reply::Verified(proof)) => assert!(proof.is_proven() && proof.anchored == Some(4), "{proof:?}"),
        other => panic!("{other:?}"),
    }
    // The holder of the key cuts off log and latch file together; the anchor tells.
    let (dir, plan) = site.stop();
    let state = plan.instance.state_dir.clone();
    fs::remove_dir_all(&state).unwrap();
    assert!(
        matches!(Controller::init(&plan, Stamp(START)), Err(OpenError::Used { path }) if path == anchors)
    );
    make_ready(&plan_in(dir.path(), &[]));
    let site = Site::found(dir, plan);
    let why = halted_for(&site);
    assert!(why.contains("anchor"), "{why}");
}

/// Whoever cuts the log off takes the anchors away, too: that they are gone is said, halts, and is never put right by the daemon itself.
#[test]
fn an_anchor_file_that_is_missing_halts_and_is_not_made_again_before_an_admin_decides() {
    let place = tempfile::tempdir().unwrap();
    let anchors = place.path().join("anchors");
    let set = format!("audit.anchor_file={:?}", anchors.display().to_string());
    let plan = plan_in(place.path(), &[]);
    let site = Site::of(place, plan);
    let proof = |site: &Site| match site.ask(Role::Viewer, Command::AuditVerify) {
        Ok(Reply::Verified(proof)) => proof,
        other => panic!("{other:?}"),
    };
    assert_eq!((proof(&site).is_proven(), proof(&site).unanchored), (true, None), "none is configured");
    let (place, _) = site.stop();
    let plan = plan_in(place.path(), &[&set]);
    let gone = |site: &Site| {
        let why = halted_for(site);
        assert!(why.contains("the anchors of the audit log are missing"), "{why}");
        site.controller.keep();
        assert!(!anchors.exists() || fs::read(&anchors).unwrap().is_empty(), "no daemon makes it by itself");
        let alarms = status(site).alarms;
        assert!(alarms.iter().any(|alarm| alarm.contains("is not anchored")), "{alarms:?}");
        let proof = proof(site);
        let unanchored = proof.unanchored.as_deref().unwrap_or_default();
        assert!(!proof.is_proven() && proof.broken.is_none() && unanchored.contains("anchors"), "{proof:?}");
    };
    let said = Controller::check(&plan).unwrap();
    assert!(said.iter().any(|said| said.contains("the anchors of the audit log are missing")), "{said:?}");
    let site = Site::found(place, plan);
    gone(&site);
    assert!(site.ask(Role::RiskOfficer, resume()).is_err(), "an officer may not");
    let site = site.restart(&[&set]);
    gone(&site);
    works(site.ask(Role::RiskAdmin, resume()));
    a_second_later(&site);
    site.controller.keep();
    assert_eq!(status(&site).alarms, [""; 0]);
    assert!(proof(&site).is_proven() && proof(&site).anchored.is_some());
    let site = site.restart(&[&set]);
    assert_eq!(status(&site).halt, None);
    // While it runs: its disk is unmounted.
    fs::remove_file(&anchors).unwrap();
    works(site.ask(Role::Trader, trip("strategy:mm1")));
    site.desk.clock.fetch_add(600_000_000_000, Ordering::Relaxed);
    site.controller.keep();
    assert!(!anchors.exists() && status(&site).alarms[0].contains("is not anchored"));
    fs::write(&anchors, "").unwrap();
    let site = site.restart(&[&set]);
    gone(&site);
}

#[test]
fn nothing_is_loosened_for_somebody_who_no_longer_waits() {
    let site = Site::new(&[]);
    works(site.ask(Role::Trader, halt()));
    works(site.ask(Role::Trader, trip("strategy:mm1")));
    site.controller.trip_by_model(&[("ZVZZT".parse().unwrap(), "score 0.99".to_owned())]).unwrap();
    let officer = person(Some(Role::RiskOfficer));
    let late = Asked::by(START, Some(Duration::ZERO), &|| true);
    let gone = Asked::by(START, None, &|| false);
    for (asked, said) in [(late, "which are over"), (gone, "has hung up")] {
        for command in [resume(), reset("strategy:mm1"), tier_reset("ZVZZT")] {
            let Err(refusal) = site.controller.execute_asked(&officer, command, &asked) else {
                panic!("done")
            };
            assert_eq!(refusal.kind, RefusalKind::Expired, "{refusal:?}");
            assert!(
                refusal.message.starts_with("nothing was changed") && refusal.message.contains(said),
                "{refusal:?}"
            );
        }
        works(site.controller.execute_asked(&person(Some(Role::Trader)), trip("account:ACME"), &asked));
    }
    for scope in ["firm", "strategy:mm1", "instrument:ZVZZT"] {
        assert_eq!(site.desk.state(scope), BreakerState::Tripped, "{scope}");
    }
    assert_eq!(site.desk.state("account:ACME"), BreakerState::Tripped, "tightening is done all the same");
    // For whoever waits, each is done.
    for command in [resume(), reset("strategy:mm1"), tier_reset("ZVZZT")] {
        works(site.controller.execute_asked(&officer, command, &Asked::by(START, None, &|| true)));
    }
}

/// Whoever set the appliance's clock meanwhile, a request is over when its sender's time is, and not before.
#[test]
fn how_long_somebody_waits_is_told_by_no_clock_that_can_be_set() {
    let site = Site::new(&[]);
    works(site.ask(Role::Trader, halt()));
    let officer = person(Some(Role::RiskOfficer));
    let asked = |wait| Asked::by(UnixNanos(site.desk.clock.load(Ordering::Relaxed)), Some(wait), &|| true);
    let late = asked(Duration::from_millis(50));
    std::thread::sleep(Duration::from_millis(60));
    site.desk.clock.fetch_sub(3_600_000_000_000, Ordering::Relaxed);
    let refusal = site.controller.execute_asked(&officer, resume(), &late).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Expired, "set back by an hour: {refusal:?}");
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped);
    let in_time = asked(Duration::from_secs(3_600));
    site.desk.clock.fetch_add(2 * 3_600_000_000_000, Ordering::Relaxed);
    works(site.controller.execute_asked(&officer, resume(), &in_time));
    assert_eq!(site.desk.state("firm"), BreakerState::Open, "set forward by two hours");
    // A tightening asks no clock at all.
    let late = asked(Duration::ZERO);
    works(site.controller.execute_asked(&person(Some(Role::Trader)), halt(), &late));
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped);
}

/// The officer gives up while the disk is busy: what was about to be opened is closed again, on disk too.
#[test]
fn who_hangs_up_in_the_middle_of_a_resume_leaves_the_firm_halted() {
    let site = Site::new(&[]);
    works(site.ask(Role::Trader, halt()));
    let asks = std::sync::atomic::AtomicU32::new(0);
    let waits = || asks.fetch_add(1, Ordering::Relaxed) == 0;
    let asked = Asked::by(START, None, &waits);
    let refusal =
        site.controller.execute_asked(&person(Some(Role::RiskOfficer)), resume(), &asked).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Expired, "{refusal:?}");
    assert_eq!(site.desk.state("firm"), BreakerState::Tripped);
    let last = site.records().pop().unwrap();
    assert_eq!(last["result"], "failed: nothing was changed: whoever asked has hung up");
    let site = site.restart(&[]);
    assert_eq!(status(&site).halt.unwrap().cause, "officer", "and no difference between log and latches");
}

#[test]
fn a_desk_is_tripped_through_its_strategies_and_an_instrument_before_the_feed_names_it() {
    let site = Site::new(&[]);
    works(site.ask(Role::Trader, trip("desk:md")));
    assert_eq!(site.desk.state("strategy:mm1"), BreakerState::Tripped);
    works(site.ask(Role::Trader, trip("strategy:mm1")));
    works(site.ask(Role::RiskOfficer, reset("desk:md")));
    assert_eq!(site.desk.state("strategy:mm1"), BreakerState::Tripped, "its own trip stands");
    works(site.ask(Role::RiskOfficer, reset("strategy:mm1")));
    assert_eq!(site.desk.state("strategy:mm1"), BreakerState::Open);
    match site.ask(Role::Trader, trip("instrument:LATER")) {
        Ok(Reply::Changed(changed)) => assert!(
            changed.message.ends_with(
                "; the feed has not named it yet: is it spelled right? It holds from when it does"
            ),
            "{}",
            changed.message
        ),
        other => panic!("{other:?}"),
    }
    assert_eq!(status(&site).breakers, 1);
    works(site.ask(Role::RiskOfficer, reset("instrument:LATER")));
    assert_eq!(status(&site).breakers, 0);
}

/// Each name stands in a file that is written whole with every trip.
#[test]
fn names_that_nobody_has_are_tripped_and_limited_to_a_bound_and_those_of_the_feed_always() {
    // In memory: a thousand trips wait for a disk three thousand times.
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let plan = plan_in(place.path(), &["limits.symbol.CONFIGD={}"]);
    let site = Site::of(place, plan);
    let lower = |symbol: &str| Command::LimitsSet {
        symbol: symbol.parse().unwrap(),
        changes: vec![LimitChange { key: LimitKey::MaxQty, value: "7".parse().unwrap() }],
        dry_run: false,
        reason: reason(),
        ticket: None,
    };
    let refused = |site: &Site, command: Command| {
        let refusal = site.ask(Role::RiskOfficer, command).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Policy, "{refusal:?}");
        assert!(refusal.message.starts_with("nothing was changed: no feed has named NOBODY"), "{refusal:?}");
    };
    works(site.ask(Role::RiskOfficer, lower("T0")));
    (1..1_024).for_each(|n| works(site.ask(Role::Trader, trip(&format!("instrument:T{n}")))));
    refused(&site, trip("instrument:NOBODY"));
    refused(&site, lower("NOBODY"));
    for standing in ["instrument:T0", "instrument:T7", "instrument:CONFIGD", "strategy:mm1", "firm"] {
        works(site.ask(Role::Trader, trip(standing)));
    }
    for symbol in crate::desk::SYMBOLS {
        works(site.ask(Role::Trader, trip(&format!("instrument:{symbol}"))));
        works(site.ask(Role::RiskOfficer, lower(symbol)));
    }
    works(site.ask(Role::RiskOfficer, reset("instrument:T7")));
    works(site.ask(Role::Trader, trip("instrument:ROOM")));
    refused(&site, trip("instrument:NOBODY"));
    let (dir, plan) = site.stop();
    let site = Site::found_after(dir, plan, Duration::from_secs(60));
    works(site.ask(Role::Trader, trip("instrument:NOBODY")));
}

#[test]
fn status_says_open_only_while_orders_can_pass() {
    let site = Site::new(&[]);
    assert_eq!(status(&site).closed, None);
    works(site.ask(Role::Trader, trip("firm")));
    assert_eq!(status(&site).closed.as_deref(), Some("the firm's breaker is tripped"));
    works(site.ask(Role::RiskOfficer, reset("firm")));
    for (only, why) in [
        ("account:ACME", "every account is tripped"),
        ("strategy:mm1", "every strategy is tripped"),
        ("desk:md", "every strategy is tripped"),
    ] {
        works(site.ask(Role::Trader, trip(only)));
        assert_eq!(status(&site).closed.as_deref(), Some(why), "{only}");
        works(site.ask(Role::RiskOfficer, reset(only)));
        assert_eq!(status(&site).closed, None, "{only}");
    }
    let reduce_only = Command::BreakerTrip {
        scope: "firm".parse().unwrap(),
        mode: TripMode::ReduceOnly,
        reason: reason(),
        ticket: None,
    };
    works(site.ask(Role::Trader, reduce_only));
    assert!(status(&site).reduce_only && status(&site).closed.is_none());
    works(site.ask(Role::RiskOfficer, reset("firm")));
    for symbol in crate::desk::SYMBOLS {
        works(site.ask(Role::Trader, trip(&format!("instrument:{symbol}"))));
    }
    let no_instrument = Some(
        "every instrument is tripped, not traded by its venue, or without a live book and a reference price",
    );
    assert_eq!(status(&site).closed.as_deref(), no_instrument);
    for symbol in crate::desk::SYMBOLS {
        works(site.ask(Role::RiskOfficer, reset(&format!("instrument:{symbol}"))));
    }
    assert_eq!(status(&site).closed, None);
    for (trading, has_reference) in
        [(TradingStatus::Halted, true), (TradingStatus::Unknown, true), (TradingStatus::Trading, false)]
    {
        site.desk.set_market(trading, has_reference);
        assert_eq!(status(&site).closed.as_deref(), no_instrument, "{trading:?}");
    }
    site.desk.set_market(TradingStatus::Trading, true);
    assert_eq!(status(&site).closed, None);
}
