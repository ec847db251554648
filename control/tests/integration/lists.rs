//! The restricted list: what is read at a start and by command, what a bad file changes, who must agree, and what a restart keeps.

use crate::desk::{Site, changed, person, plan_in, proposed};
use control::Controller;
use control::audit::Actor;
use control::backend::Backend as _;
use control::config::{self, RestrictedList};
use control::protocol::{Command, OrderQuery, OrderSide, RefusalKind, Tif};
use control::roles::Role;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

fn reload(dry_run: bool) -> Command {
    Command::ListsReload { dry_run, reason: "list 7".parse().unwrap(), ticket: None }
}

/// An appliance with `list`, and `set` besides.
fn site(list: &str, set: &[&str]) -> Site {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("list.csv");
    fs::write(&file, list).unwrap();
    let named = format!("restricted.file={:?}", file.display().to_string());
    let all: Vec<&str> = set.iter().copied().chain([named.as_str()]).collect();
    let plan = plan_in(dir.path(), &all);
    Site::of(dir, plan)
}

fn write(site: &Site, list: &str) {
    fs::write(site.dir.path().join("list.csv"), list).unwrap();
}

/// Whether an order of mm1 for ACME is refused by the list.
fn is_restricted(site: &Site, symbol: &str, side: OrderSide) -> bool {
    let order = OrderQuery {
        symbol: symbol.parse().unwrap(),
        side,
        qty: 100,
        px: Some("100.00".parse().unwrap()),
        strategy: "mm1".parse().unwrap(),
        account: "ACME".parse().unwrap(),
        tif: Tif::Day,
    };
    let explained = site.desk.explain(&order).unwrap();
    explained.breaches().any(|breach| breach.reason == gate::RejectReason::Restricted)
}

/// Of AAPL, BRK.A and ZVZZT, buys and sells: `x` where the list refuses.
fn shown(site: &Site) -> String {
    let symbols = ["AAPL", "BRK.A", "ZVZZT"];
    let sides = |symbol| [OrderSide::Buy, OrderSide::Sell].map(|side| (symbol, side));
    let mark = |(symbol, side)| if is_restricted(site, symbol, side) { 'x' } else { '.' };
    symbols.into_iter().flat_map(sides).map(mark).collect()
}

/// What the audit log says of reloads: its result, lines that came and lines that went.
fn records(site: &Site) -> Vec<(String, u64, u64)> {
    let of = |r: &serde_json::Value| {
        let count = |key: &str| r["after"][key].as_u64().unwrap_or(99);
        (r["result"].as_str().unwrap().to_owned(), count("added"), count("removed"))
    };
    site.records().iter().filter(|r| r["action"] == "lists.reload").map(of).collect()
}

#[test]
fn a_list_is_in_force_from_the_start_on_by_account_desk_strategy_and_side() {
    let site = site(
        "symbol,account,desk,strategy,side,reason\nAAPL,,,,,insider\nBRK.A,ACME,,,buy,\n# of Monday\nZVZZT,,md,,sell,\n",
        &[],
    );
    assert_eq!(shown(&site), "xxx..x");
    let start = site.records().into_iter().find(|r| r["action"] == "start").unwrap();
    let file = fs::read(site.dir.path().join("list.csv")).unwrap();
    let digest = blake3::hash(&file).to_hex().to_string();
    let said = &start["after"]["restricted"];
    assert_eq!((said["digest"].as_str(), said["lines"].as_u64()), (Some(digest.as_str()), Some(3)));
}

#[test]
fn a_reload_says_records_and_does_what_came_and_went() {
    let site = site("symbol,account\nAAPL,\n", &[]);
    write(&site, "symbol,strategy\nZVZZT,mm1\nNEWCO,\n");
    let would = changed(site.ask(Role::RiskOfficer, reload(true)));
    assert!(would.message.starts_with("Nothing was changed") && !would.changed, "{would:?}");
    assert_eq!((shown(&site).as_str(), records(&site).len()), ("xx....", 0));
    let done = changed(site.ask(Role::RiskOfficer, reload(false)));
    assert!(done.changed && done.message.contains("has 2 lines, 2 added, 1 removed"), "{}", done.message);
    assert!(done.message.contains("no feed has named NEWCO yet"), "{}", done.message);
    assert_eq!(shown(&site), "....xx");
    // What comes is in force before what goes, and each stands in the log.
    let two = [("done".to_owned(), 2, 0), ("authorised".to_owned(), 0, 1)];
    assert_eq!(records(&site), two);
    let again = changed(site.ask(Role::RiskOfficer, reload(false)));
    assert!(!again.changed, "{again:?}");
    assert_eq!(records(&site)[2], ("unchanged".to_owned(), 0, 0));
}

#[test]
fn what_is_only_said_otherwise_opens_nothing_and_waits_for_nobody() {
    let site = site("symbol,account\nAAPL,ACME\n", &["four_eyes.commands=[\"lists\"]"]);
    // Everybody covers the account: one line goes, and nothing opens.
    write(&site, "symbol,account\nAAPL,\n");
    let done = changed(site.ask(Role::RiskOfficer, reload(false)));
    assert!(done.message.contains("1 added, 1 removed"), "{}", done.message);
    assert_eq!(records(&site), [("done".to_owned(), 1, 1)]);
}

#[test]
fn a_bad_file_changes_nothing_and_says_where_what_was_found_and_what_was_wanted() {
    let site = site("symbol\nAAPL\n", &[]);
    let bad = [
        ("", "list.csv:1: found no line, wanted a header: symbol, and then any of account, desk"),
        ("sym\nZVZZT\n", "list.csv:1: found sym, wanted a header"),
        ("symbol,side,side\n", "list.csv:1: found symbol,side,side, wanted a header"),
        ("symbol\nZVZZT", "list.csv:2: found a last line without its end, wanted a line break at the end"),
        ("symbol\nTOOLONGNAME\n", "list.csv:2: symbol: found \"TOOLONGNAME\", wanted"),
        ("symbol,side\nZVZZT,both\n", "list.csv:2: side: found \"both\", wanted buy, sell or an empty cell"),
        ("symbol,side\nZVZZT\n", "list.csv:2: found 1 cells, wanted 2 without quotes"),
        (
            "symbol,account\nZVZZT,ACMI\n",
            "list.csv:2: account: found \"ACMI\", wanted the name of a declared account ([account.NAME])",
        ),
        ("symbol,desk\nZVZZT,mm1\n", "list.csv:2: desk: found \"mm1\", wanted the name of a declared desk"),
        (
            "symbol,account,strategy\nZVZZT,ACME,mm1\n",
            "list.csv:2: strategy: found \"mm1\", wanted at most one of account, desk and strategy",
        ),
        ("symbol,side\nZVZZT,buy\nZVZZT,buy\n", "list.csv:3: found ZVZZT buy again, wanted each line once"),
    ];
    for (text, wanted) in bad {
        write(&site, text);
        let refusal = site.ask(Role::RiskOfficer, reload(false)).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::BadRequest);
        assert!(refusal.message.starts_with("nothing was changed: "), "{}", refusal.message);
        assert!(refusal.message.contains(wanted), "{} in {}", wanted, refusal.message);
        assert_eq!(shown(&site), "xx....", "{text:?}");
    }
    fs::remove_file(site.dir.path().join("list.csv")).unwrap();
    let refusal = site.ask(Role::RiskOfficer, reload(false)).unwrap_err();
    assert!(refusal.message.contains("list.csv: cannot be read"), "{}", refusal.message);
    assert!(records(&site).iter().all(|(result, ..)| result.starts_with("refused")), "{:?}", records(&site));
    // And at a start: no appliance without its list.
    let named = format!("restricted.file={:?}", site.dir.path().join("list.csv").display().to_string());
    let error = config::load(&[], &[named]).unwrap_err().to_string();
    assert!(error.contains("list.csv: cannot be read"), "{error}");
}

#[test]
fn lines_go_only_for_somebody_who_waits_and_with_a_record() {
    let site = site("symbol\nAAPL\n", &[]);
    write(&site, "symbol\nZVZZT\n");
    let hung_up = || false;
    let asked = control::controller::Asked::by(gate_time(&site), None, &hung_up);
    let gone = site.controller.execute_asked(&person(Some(Role::RiskOfficer)), reload(false), &asked);
    let refusal = gone.unwrap_err();
    assert!(
        refusal.message.starts_with("1 lines were added, which is tighter; the rest: nothing"),
        "{refusal:?}"
    );
    assert_eq!((shown(&site).as_str(), refusal.kind), ("xx..xx", RefusalKind::Expired));
    // The gate does not take it: what was refused stays refused.
    site.desk.broken.store(true, Ordering::Relaxed);
    let refusal = site.ask(Role::RiskOfficer, reload(false)).unwrap_err();
    assert!(refusal.message.contains("the gate is gone"), "{}", refusal.message);
    site.desk.broken.store(false, Ordering::Relaxed);
    assert_eq!(shown(&site), "xx..xx");
    changed(site.ask(Role::RiskOfficer, reload(false)));
    assert_eq!(shown(&site), "....xx");
    assert_eq!(site.ask(Role::Trader, reload(false)).unwrap_err().kind, RefusalKind::Denied);
}

fn gate_time(site: &Site) -> types::UnixNanos {
    types::UnixNanos(site.desk.clock.load(Ordering::Relaxed))
}

#[test]
fn lines_that_go_wait_for_a_second_person_who_sees_the_same_file() {
    let site = site("symbol\nAAPL\n", &["four_eyes.commands=[\"lists\"]"]);
    write(&site, "symbol\nZVZZT\n");
    let row = proposed(site.ask(Role::RiskOfficer, reload(false)));
    assert_eq!(
        (row.action.as_str(), row.done.as_str()),
        ("lists.reload", "1 lines were added, which is tighter")
    );
    assert_eq!(shown(&site), "xx..xx", "what comes waits for nobody");
    let bob = Actor { uid: 1002, user: "bob".to_owned(), ..person(Some(Role::RiskOfficer)) };
    let approve = || Command::ProposalApprove { id: row.id, reason: "seen".parse().unwrap(), ticket: None };
    // Another file than the one that was proposed.
    write(&site, "symbol\nBRK.A\n");
    let refusal = site.controller.execute(&bob, approve()).unwrap_err();
    assert!(refusal.message.contains("is not so any more"), "{}", refusal.message);
    assert_eq!(shown(&site), "xxxxxx", "its lines are in force, and nothing went");
    write(&site, "symbol\nZVZZT\n");
    let refusal = site.controller.execute(&bob, approve()).unwrap_err();
    assert!(refusal.message.contains("is not so any more"), "more stands than did: {}", refusal.message);
    let row = proposed(site.ask(Role::RiskOfficer, reload(false)));
    let approve = Command::ProposalApprove { id: row.id, reason: "seen".parse().unwrap(), ticket: None };
    changed(site.controller.execute(&bob, approve));
    assert_eq!(shown(&site), "....xx");
}

#[test]
fn after_a_restart_the_file_is_what_counts() {
    let site = site("symbol\nAAPL\n", &[]);
    write(&site, "symbol,side\nAAPL,\nZVZZT,buy\n");
    changed(site.ask(Role::RiskOfficer, reload(false)));
    assert_eq!(shown(&site), "xx..x.");
    let named = format!("restricted.file={:?}", site.dir.path().join("list.csv").display().to_string());
    let site = site.restart(&[&named]);
    assert_eq!(shown(&site), "xx..x.");
    assert_eq!(Controller::check(&site.plan).unwrap().len(), 1, "in use, and nothing else");
}

#[test]
fn an_instrument_that_comes_later_comes_restricted() {
    let site = site("symbol\nAAPL\n", &[]);
    site.controller.introduce(&"instrument:AAPL".parse().unwrap()).unwrap();
    site.controller.introduce(&"instrument:ZVZZT".parse().unwrap()).unwrap();
    let calls = site.desk.calls();
    let at = |call: &str| calls.iter().rposition(|made| made == call);
    assert!(at("AAPL restricted") < at("AAPL max_qty 500"), "{calls:?}");
    assert_eq!(shown(&site), "xx....");
}

#[test]
fn without_a_list_there_is_nothing_to_reload() {
    let refusal = Site::new(&[]).ask(Role::RiskOfficer, reload(false)).unwrap_err();
    assert!(
        refusal.message.contains("names no list ([restricted] file, [locates] file)"),
        "{}",
        refusal.message
    );
}

#[test]
fn a_union_refuses_what_either_does_and_covering_is_the_order_of_lists() {
    let scopes = plan_in(Path::new("/x"), &["account.B={}"]).scopes;
    let dir = tempfile::tempdir().unwrap();
    let list = |lines: &[&str]| {
        let file = dir.path().join("list.csv");
        fs::write(&file, format!("symbol,account,strategy,side\n{}\n", lines.join("\n"))).unwrap();
        RestrictedList::read(&file, &scopes).unwrap()
    };
    let all = [
        "AAPL,,,",
        "AAPL,,,buy",
        "AAPL,ACME,,",
        "AAPL,B,,sell",
        "AAPL,,mm1,buy",
        "ZVZZT,ACME,,",
        "ZVZZT,,,sell",
    ];
    let refuses = |list: &RestrictedList| {
        let one = |symbol: &str, account: &str, side: types::Side| {
            let numbered = list.of(symbol.parse().unwrap()).numbered(
                |_| Some(gate::StrategyId(0)),
                |name| Some(gate::AccountId(u16::from(name.as_str() == "B"))),
            );
            let account = gate::AccountId(u16::from(account == "B"));
            let order = gate::OrderIntent {
                cl_ord_id: 1,
                px: types::Px(1),
                instrument: types::InstrumentId(0),
                qty: types::Qty(1),
                strategy: gate::StrategyId(0),
                account,
                side,
                order_type: gate::OrderType::Limit,
                tif: gate::TimeInForce::Day,
            };
            numbered.holds(&order)
        };
        let mut seen = Vec::new();
        for symbol in ["AAPL", "ZVZZT"] {
            for account in ["ACME", "B"] {
                seen.extend([types::Side::Bid, types::Side::Ask].map(|side| one(symbol, account, side)));
            }
        }
        seen
    };
    let subsets: Vec<RestrictedList> = (0_u32..128)
        .map(|bits| {
            let chosen: Vec<&str> = (0..7).filter(|n| bits >> n & 1 == 1).map(|n| all[n]).collect();
            list(&chosen)
        })
        .collect();
    for a in &subsets {
        for b in &subsets {
            let (both, of_a, of_b) = (refuses(&a.and(b)), refuses(a), refuses(b));
            let either: Vec<bool> = of_a.iter().zip(&of_b).map(|(a, b)| *a || *b).collect();
            assert_eq!(both, either);
            // What is called no loosening lets nothing more pass.
            let passes_more = of_a.iter().zip(&of_b).any(|(a, b)| !a && *b);
            assert!(!a.covers(b) || !passes_more, "{a:?} {b:?}");
            assert!(a.and(b).covers(a) && a.and(b).covers(b));
        }
    }
}

#[test]
fn a_list_that_the_gate_does_not_take_is_no_success() {
    let site = site("symbol\nAAPL\n", &[]);
    write(&site, "symbol\nAAPL\nZVZZT\n");
    site.desk.broken.store(true, Ordering::Relaxed);
    let refusal = site.ask(Role::RiskOfficer, reload(false)).unwrap_err();
    assert!(refusal.message.contains("BUT the gate did not take it"), "{}", refusal.message);
    assert!(records(&site)[0].0.starts_with("failed: "), "{:?}", records(&site));
    site.desk.broken.store(false, Ordering::Relaxed);
    changed(site.ask(Role::RiskOfficer, reload(false)));
    assert_eq!(shown(&site), "xx..xx", "asked for again, it is taken");
}

#[test]
fn a_file_that_hangs_keeps_nobody_else_from_anything() {
    let site = site("symbol\nAAPL\n", &[]);
    let file = site.dir.path().join("list.csv");
    fs::remove_file(&file).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| site.ask(Role::RiskOfficer, reload(false)));
        std::thread::sleep(std::time::Duration::from_millis(100));
        changed(site.ask(Role::Trader, Command::Halt { reason: None, ticket: None }));
        assert_eq!(site.desk.state("firm"), gate::BreakerState::Tripped);
        assert!(!waits.is_finished(), "it waits for its file");
        // Somebody writes nothing into it.
        drop(fs::File::options().write(true).open(&file).unwrap());
        let refusal = waits.join().unwrap().unwrap_err();
        assert!(refusal.message.contains("found no line"), "{}", refusal.message);
    });
    assert_eq!(shown(&site), "xx....");
}
