//! Positions, open orders and sessions of order processes: who sees them, how they read, and how an officer sets a position.

use crate::cli::Terminal;
use crate::desk::Site;
use control::protocol::{Command, HoldingsFilter, PositionSetting, Refusal, RefusalKind, Reply};
use control::roles::Role;
use std::sync::atomic::Ordering;

/// The client of [`crate::desk::Desk`], declared.
pub(crate) const CLIENT: &str =
    "client.mm1={ user = \"uid:0\", strategies = [\"mm1\"], accounts = [\"ACME\"] }";

fn setting(position: i64) -> PositionSetting {
    PositionSetting {
        client: "mm1".parse().unwrap(),
        strategy: "mm1".parse().unwrap(),
        account: "ACME".parse().unwrap(),
        symbol: "ZVZZT".parse().unwrap(),
        position,
    }
}

fn set(position: i64) -> Command {
    let reason = "as the venue says".parse().unwrap();
    Command::PositionSet { setting: setting(position), reason, ticket: None }
}

fn held(site: &Site) -> (i64, bool) {
    match site.ask(Role::Viewer, Command::Positions { filter: HoldingsFilter::default() }) {
        Ok(Reply::Positions(listing)) => {
            assert_eq!((listing.rows.len(), listing.more), (1, 0));
            (listing.rows[0].position, listing.rows[0].in_doubt)
        }
        other => panic!("{other:?}"),
    }
}

fn refused(outcome: Result<Reply, Refusal>) -> (RefusalKind, String) {
    let refusal = outcome.unwrap_err();
    (refusal.kind, refusal.message)
}

#[test]
fn an_officer_sets_a_position_once_it_is_in_the_audit_log() {
    let site = Site::new(&[CLIENT]);
    assert_eq!(held(&site), (1_200, true));
    let (kind, message) = refused(site.ask(Role::Trader, set(900)));
    assert_eq!(kind, RefusalKind::Denied);
    assert!(message.contains("positions.set needs role risk_officer"), "{message}");
    let Ok(Reply::Changed(changed)) = site.ask(Role::RiskOfficer, set(900)) else { panic!("it is done") };
    assert_eq!(
        changed.message,
        "mm1 of mm1 holds 900 ZVZZT (account ACME; before: 1200, which was in doubt)"
    );
    assert_eq!(held(&site), (900, false));
    let records = site.records();
    let last = records.last().unwrap();
    assert_eq!(
        (last["action"].as_str(), last["seq"].as_u64()),
        (Some("positions.set"), Some(changed.audit_seq))
    );
    assert_eq!(last["target"], "mm1 mm1 ACME ZVZZT");
    assert_eq!(last["before"], serde_json::json!({ "position": 1_200, "in_doubt": true }));
    assert_eq!((&last["after"]["position"], &last["reason"]), (&900.into(), &"as the venue says".into()));
}

#[test]
fn a_position_that_cannot_be_set_stays_and_the_record_says_why() {
    let site = Site::new(&[CLIENT]);
    site.desk.attached.store(true, Ordering::Relaxed);
    let (kind, message) = refused(site.ask(Role::RiskOfficer, set(900)));
    assert_eq!((kind, message.as_str()), (RefusalKind::Failed, "nothing was changed: mm1's process runs"));
    assert_eq!(site.records().last().unwrap()["result"], format!("refused: {message}"));
    site.desk.attached.store(false, Ordering::Relaxed);
    site.desk.broken.store(true, Ordering::Relaxed);
    let (_, message) = refused(site.ask(Role::RiskOfficer, set(900)));
    assert!(message.contains("the journal cannot be written"), "{message}");
    let result = site.records().last().unwrap()["result"].as_str().unwrap().to_owned();
    assert!(result.starts_with("failed: nothing was changed"), "{result}");
    assert_eq!(held(&site), (1_200, true));
    let other = PositionSetting { client: "mm2".parse().unwrap(), ..setting(1) };
    let reason = "a slip of the hand".parse().unwrap();
    let (kind, message) =
        refused(site.ask(Role::RiskOfficer, Command::PositionSet { setting: other, reason, ticket: None }));
    assert_eq!(kind, RefusalKind::NotFound);
    assert!(message.contains("client mm2 is not declared") && message.contains("mm1"), "{message}");
}

#[test]
fn what_processes_hold_reads_as_tables_and_as_json() {
    let t = Terminal::new(&[CLIENT]);
    let lines = |arguments: &[&str]| {
        let found = t.run(arguments);
        assert_eq!(found.code, 0, "{}", found.err);
        found
            .out
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        lines(&["positions"]),
        [
            "CLIENT STRATEGY ACCOUNT SYMBOL POSITION WORKING BUY WORKING SELL WORST LONG WORST SHORT STATE",
            "mm1 mm1 ACME ZVZZT 1,200 400 0 1,600 1,200 in doubt",
        ]
    );
    assert_eq!(lines(&["positions", "--symbol", "AAPL"]), ["Nothing is held, works or is in doubt."]);
    assert_eq!(
        lines(&["orders", "--client", "mm1"]),
        [
            "CLIENT ID STRATEGY ACCOUNT SYMBOL SIDE LEAVES PX SINCE REPLACEMENT",
            "mm1 71 mm1 ACME ZVZZT buy 200 99.99 2026-11-21T14:30:22.000Z 72",
            "mm1 73 mm1 ACME ZVZZT buy 200 99.99",
        ]
    );
    let sessions = lines(&["sessions"]);
    assert!(sessions[1].starts_with("mm1 process away 3/65536 2 1,200 1 17 0 0 0 in doubt"), "{sessions:?}");
    t.site.desk.attached.store(true, Ordering::Relaxed);
    let sessions = t.json(&["sessions"]);
    let row = &sessions["sessions"]["rows"][0];
    assert_eq!(
        (&row["state"], &row["pid"], &row["user"]),
        (&"attached".into(), &4_711.into(), &"root".into())
    );
    t.site.desk.attached.store(false, Ordering::Relaxed);
    let said = t.run(&["positions", "set", "mm1", "mm1", "ACME", "ZVZZT", "-300", "--reason", "venue"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("holds -300 ZVZZT"), "{}", said.out);
    let rows = t.json(&["positions"]);
    assert_eq!(rows["positions"]["rows"][0]["worst_short"], -300);
    assert_eq!(rows["positions"]["more"], 0);
    assert_eq!(t.run(&["orders", "--client", "mm9"]).code, 1);
}
