//! The locates: what is read at a start and by command, what a bad file changes, what waits, and what a day's end takes back.

use crate::desk::{Site, changed, person, plan_in, proposed};
use control::audit::Actor;
use control::backend::Backend as _;
use control::config::{LocateList, Plan};
use control::protocol::{Command, OrderQuery, OrderSide, RefusalKind, Tif};
use control::roles::Role;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

fn reload(dry_run: bool) -> Command {
    Command::ListsReload { dry_run, reason: "lender's list".parse().unwrap(), ticket: None }
}

fn write(dir: &Path, lines: &str) {
    fs::write(dir.join("locates.csv"), format!("account,symbol,quantity,expiry\n{lines}")).unwrap();
}

fn named(dir: &Path) -> String {
    format!("locates.file={:?}", dir.join("locates.csv").display().to_string())
}

/// An appliance with the locates of `lines`, and `set` besides.
fn site(lines: &str, set: &[&str]) -> Site {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), lines);
    let named = named(dir.path());
    let all: Vec<&str> = set.iter().copied().chain([named.as_str()]).collect();
    let plan = plan_in(dir.path(), &all);
    Site::of(dir, plan)
}

/// How much ACME may be short of AAPL, BRK.A and ZVZZT.
fn located(site: &Site) -> [i64; 3] {
    ["AAPL", "BRK.A", "ZVZZT"].map(|symbol| {
        let order = OrderQuery {
            symbol: symbol.parse().unwrap(),
            side: OrderSide::Sell,
            qty: u32::MAX,
            px: Some("100.00".parse().unwrap()),
            strategy: "mm1".parse().unwrap(),
            account: "ACME".parse().unwrap(),
            tif: Tif::Day,
        };
        let explained = site.desk.explain(&order).unwrap();
        let refused = explained.breaches().find(|breach| breach.reason == gate::RejectReason::Locate);
        refused.expect("nobody has so much").limit
    })
}

/// What the audit log says of reloads: its result, and lines that came and went.
fn records(site: &Site) -> Vec<(String, Vec<String>, Vec<String>)> {
    let of = |r: &serde_json::Value| {
        let lines = |key: &str| {
            let lines = r["after"]["locates"][key].as_array().into_iter().flatten();
            lines.map(|line| line.as_str().unwrap().to_owned()).collect()
        };
        (r["result"].as_str().unwrap().to_owned(), lines("came"), lines("went"))
    };
    site.records().iter().filter(|r| r["action"] == "lists.reload").map(of).collect()
}

#[test]
fn locates_are_in_force_from_the_start_on_by_account_and_for_everyone() {
    let site = site("*,AAPL,200,\nACME,AAPL,50,\n*,ZVZZT,70,\n", &[]);
    assert_eq!(located(&site), [50, 0, 70]);
    let start = site.records().into_iter().find(|r| r["action"] == "start").unwrap();
    let digest = blake3::hash(&fs::read(site.dir.path().join("locates.csv")).unwrap()).to_hex().to_string();
    let said = &start["after"]["locates"];
    assert_eq!((said["digest"].as_str(), said["lines"].as_u64()), (Some(digest.as_str()), Some(3)));
    assert!(start["after"]["restricted"].is_null());
}

#[test]
fn what_is_lowered_is_in_force_before_what_is_raised_and_each_is_recorded() {
    let site = site("ACME,AAPL,50,\nACME,ZVZZT,70,\n", &[]);
    write(site.dir.path(), "ACME,AAPL,20,\nACME,BRK.A,30,\nACME,NEWCO,1,\n");
    let would = changed(site.ask(Role::RiskOfficer, reload(true)));
    assert!(would.message.starts_with("Nothing was changed") && !would.changed, "{would:?}");
    assert_eq!((located(&site), records(&site).len()), ([50, 0, 70], 0));
    let done = changed(site.ask(Role::RiskOfficer, reload(false)));
    assert!(
        done.changed && done.message.contains("the locates have 3 lines, 3 added, 2 removed"),
        "{done:?}"
    );
    assert!(done.message.contains("no feed has named NEWCO yet"), "{}", done.message);
    assert_eq!(located(&site), [20, 30, 0]);
    let lines = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
    let lowered = ("done".to_owned(), lines(&["ACME AAPL 20"]), lines(&["ACME AAPL 50", "ACME ZVZZT 70"]));
    let raised = ("authorised".to_owned(), lines(&["ACME BRK.A 30", "ACME NEWCO 1"]), lines(&[]));
    assert_eq!(records(&site), [lowered, raised]);
    assert!(!changed(site.ask(Role::RiskOfficer, reload(false))).changed);
}

#[test]
fn what_is_raised_waits_for_a_second_person_and_what_is_lowered_for_nobody() {
    let site = site("ACME,AAPL,50,\n", &["four_eyes.commands=[\"lists\"]"]);
    write(site.dir.path(), "ACME,AAPL,20,\n*,ZVZZT,70,\n");
    let row = proposed(site.ask(Role::RiskOfficer, reload(false)));
    assert_eq!(row.done, "what is located was lowered where it is less now");
    assert_eq!(located(&site), [20, 0, 0]);
    let bob = Actor { uid: 1002, user: "bob".to_owned(), ..person(Some(Role::RiskOfficer)) };
    let approve = |id| Command::ProposalApprove { id, reason: "seen".parse().unwrap(), ticket: None };
    // Another file than the one that was proposed.
    write(site.dir.path(), "ACME,AAPL,20,\n*,ZVZZT,700,\n");
    let refusal = site.controller.execute(&bob, approve(row.id)).unwrap_err();
    assert!(refusal.message.contains("is not so any more"), "{}", refusal.message);
    assert_eq!(located(&site), [20, 0, 0]);
    write(site.dir.path(), "ACME,AAPL,20,\n*,ZVZZT,70,\n");
    changed(site.controller.execute(&bob, approve(row.id)));
    assert_eq!(located(&site), [20, 0, 70]);
}

#[test]
fn a_bad_file_of_either_list_changes_nothing_and_says_where() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "ACME,AAPL,50,\n");
    let list = dir.path().join("list.csv");
    fs::write(&list, "symbol\n").unwrap();
    let restricted = format!("restricted.file={:?}", list.display().to_string());
    let plan = plan_in(dir.path(), &[&restricted, &named(dir.path())]);
    let site = Site::of(dir, plan);
    let bad = [
        ("ACMI,AAPL,1,\n", ":2: account: found \"ACMI\", wanted the name of a declared account"),
        (",AAPL,1,\n", ":2: account: found \"\", wanted the name of a declared account"),
        ("*,TOOLONGNAME,1,\n", ":2: symbol: found \"TOOLONGNAME\", wanted"),
        ("*,AAPL,,\n", ":2: quantity: found \"\", wanted a whole number from 0 to 4294967295"),
        ("*,AAPL,-1,\n", ":2: quantity: found \"-1\", wanted a whole number"),
        (
            "*,AAPL,1,27.11.2026\n",
            ":2: expiry: found \"27.11.2026\", wanted a trading day such as 2026-11-27",
        ),
        ("*,AAPL,1,\n*,AAPL,2,\n", ":3: found the account's second line for the symbol, wanted one"),
        ("*,AAPL,1\n", ":2: found 3 cells, wanted 4 without quotes"),
        ("*,AAPL,9,", ":2: found a last line without its end"),
    ];
    for (lines, wanted) in bad {
        write(site.dir.path(), lines);
        let refusal = site.ask(Role::RiskOfficer, reload(false)).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::BadRequest);
        assert!(refusal.message.starts_with("nothing was changed: "), "{}", refusal.message);
        let wanted = format!("locates.csv{wanted}");
        assert!(refusal.message.contains(&wanted), "{wanted} in {}", refusal.message);
        assert_eq!(located(&site), [50, 0, 0], "{lines:?}");
    }
    // Whole or not at all: of two files one of which is bad neither is read.
    fs::write(&list, "symbol\nAAPL").unwrap();
    write(site.dir.path(), "*,AAPL,10,\n");
    let refusal = site.ask(Role::RiskOfficer, reload(false)).unwrap_err();
    assert!(refusal.message.contains("list.csv:2: found a last line without its end"), "{}", refusal.message);
    assert_eq!(located(&site), [50, 0, 0]);
    fs::write(site.dir.path().join("locates.csv"), "symbol,account,quantity\n").unwrap();
    let refusal = site.ask(Role::RiskOfficer, reload(false)).unwrap_err();
    let header = "found symbol,account,quantity, wanted a header: account, symbol, quantity, and then any of expiry, reason";
    assert!(refusal.message.contains(header), "{}", refusal.message);
    // And at a start: no appliance without its list.
    fs::remove_file(site.dir.path().join("locates.csv")).unwrap();
    let error = control::config::load(&[], &[named(site.dir.path())]).unwrap_err().to_string();
    assert!(error.contains("locates.csv: cannot be read"), "{error}");
}

#[test]
fn a_locate_holds_on_its_last_trading_day_and_not_on_the_next() {
    let plan = |day_start: &str| plan_in(Path::new("/x"), &[&format!("firm.day_start={day_start:?}")]);
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "*,AAPL,1,2026-11-27\n*,ZVZZT,1,\n");
    let ends = |plan: &Plan| {
        let list = LocateList::read(&dir.path().join("locates.csv"), &plan.scopes, &plan.profit).unwrap();
        ["AAPL", "ZVZZT"].map(|symbol| {
            let until = list.of(symbol.parse().unwrap()).of(None).until;
            if until.0 == u64::MAX {
                "never".to_owned()
            } else {
                format!("{:.0}", control::stamp::Stamp(until))
            }
        })
    };
    assert_eq!(ends(&plan("00:00")), ["2026-11-28T00:00:00Z", "never"]);
    assert_eq!(ends(&plan("06:30")), ["2026-11-28T06:30:00Z", "never"]);
    // A day that begins in the evening has the next date.
    assert_eq!(ends(&plan("22:00")), ["2026-11-27T22:00:00Z", "never"]);
}

#[test]
fn an_instrument_that_comes_later_comes_with_its_locates_and_a_gate_that_does_not_take_them_is_no_success() {
    let site = site("ACME,AAPL,50,\n", &[]);
    site.controller.introduce(&"instrument:AAPL".parse().unwrap()).unwrap();
    let calls = site.desk.calls();
    let at = |call: &str| calls.iter().rposition(|made| made == call);
    assert!(at("AAPL located") < at("AAPL max_qty 500"), "{calls:?}");
    write(site.dir.path(), "ACME,AAPL,20,\n");
    site.desk.broken.store(true, Ordering::Relaxed);
    let refusal = site.ask(Role::RiskOfficer, reload(false)).unwrap_err();
    assert!(refusal.message.contains("BUT the gate did not take it"), "{}", refusal.message);
    site.desk.broken.store(false, Ordering::Relaxed);
    changed(site.ask(Role::RiskOfficer, reload(false)));
    assert_eq!(located(&site), [20, 0, 0]);
}

/// The order of lists, and their union, against what each account has.
#[test]
fn what_both_locate_is_no_more_than_either_does_and_covering_is_the_order_of_lists() {
    let plan = plan_in(Path::new("/x"), &["account.B={}"]);
    let dir = tempfile::tempdir().unwrap();
    let list = |lines: &[&str]| {
        write(dir.path(), &lines.iter().map(|line| format!("{line}\n")).collect::<String>());
        LocateList::read(&dir.path().join("locates.csv"), &plan.scopes, &plan.profit).unwrap()
    };
    let one_of: [&[&str]; 4] = [
        &["", "*,AAPL,5,", "*,AAPL,9,2026-11-27"],
        &["", "ACME,AAPL,0,", "ACME,AAPL,7,2026-11-28", "ACME,AAPL,9,2026-11-27"],
        &["", "B,AAPL,6,"],
        &["", "*,ZVZZT,1,"],
    ];
    let mut lists = vec![Vec::new()];
    for lines in one_of {
        let longer = |list: &Vec<&'static str>, line: &&'static str| [list.clone(), vec![*line]].concat();
        lists = lists.iter().flat_map(|list| lines.iter().map(move |line| longer(list, line))).collect();
    }
    let lists: Vec<LocateList> = lists
        .iter()
        .map(|lines| list(&lines.iter().copied().filter(|line| !line.is_empty()).collect::<Vec<_>>()))
        .collect();
    let seen = |list: &LocateList| {
        let mut seen = Vec::new();
        for symbol in ["AAPL", "ZVZZT"] {
            for account in [Some("ACME"), Some("B"), None] {
                let account = account.map(|name| name.parse().unwrap());
                let located = list.of(symbol.parse().unwrap()).of(account.as_ref());
                // At once, and after the end of the first date, and of the second.
                for day in [0, 20_785, 20_786] {
                    let holds = located.until.0 > day * 86_400_000_000_000;
                    seen.push(if holds { located.qty.0 } else { 0 });
                }
            }
        }
        seen
    };
    assert!(lists.len() == 48 && lists.iter().any(|list| seen(list)[0] != seen(list)[1]));
    for a in &lists {
        for b in &lists {
            let (both, of_a, of_b) = (a.and(b), seen(a), seen(b));
            let least: Vec<u32> = of_a.iter().zip(&of_b).map(|(a, b)| *a.min(b)).collect();
            assert!(seen(&both).iter().zip(&least).all(|(both, least)| both <= least), "{a:?} {b:?}");
            assert!(both.covers(a) && both.covers(b), "{a:?} {b:?}");
            // What is called no loosening locates nothing more.
            assert!(!a.covers(b) || of_a.iter().zip(&of_b).all(|(a, b)| a <= b), "{a:?} {b:?}");
        }
    }
}
