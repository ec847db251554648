//! The seed's scenario: the order that a static limit lets through is stopped by the trained model, and calm markets are
//! left alone. Nothing of the timeline is planted but the seller and the order.

use crate::tables::{column, replay, rows, scenario};
use std::path::Path;

/// Midnight, New York, of the simulated day.
const MIDNIGHT_NS: u64 = 1_778_040_000_000_000_000;

/// A time of day in New York.
fn at(hour: u64, minute: u64, second: u64) -> u64 {
    MIDNIGHT_NS + ((hour * 60 + minute) * 60 + second) * 1_000_000_000
}

fn ts(row: &[String]) -> u64 {
    row[0].parse().unwrap()
}

fn demo_limits() -> String {
    tests::repository().join("control/appliance/src/demo.toml").to_str().unwrap().to_owned()
}

fn crash(dir: &Path, extra: &[&str]) -> tempfile::TempDir {
    let orders = dir.join("orders.csv");
    let limits = demo_limits();
    let mut args = vec![
        "--config",
        &limits,
        "--orders",
        orders.to_str().unwrap(),
        "--write",
        "bbo,scores,limits,verdicts",
    ];
    args.extend(extra);
    replay(&dir.join("flash-crash.pcap"), &args)
}

#[test]
fn the_200_lot_order_passes_the_static_gate_and_not_the_adaptive_one() {
    let market = scenario("flash-crash", &[]);
    let fixed = crash(market.path(), &["--static"]);
    let adaptive = crash(market.path(), &[]);
    let verdict = |dir: &Path| {
        let all = rows(dir, "verdicts.csv");
        let mut found = all.into_iter().filter(|r| ts(r) == at(14, 30, 28) && r[6] == "200");
        let row = found.next().expect("the 200-lot order");
        assert!(found.next().is_none());
        row
    };
    let [decision, slug] = ["decision", "slug"].map(|c| column("verdicts.csv", c));
    assert_eq!(verdict(fixed.path())[decision], "accept");
    assert_eq!(verdict(fixed.path())[slug], "");
    let stopped = verdict(adaptive.path());
    assert_eq!([&stopped[decision], &stopped[slug]], ["reject", "HALTED_INSTRUMENT"]);
    // The breaker came last: before it the live limit had been too small for the order, too.
    let [tier, max_qty] = ["tier", "max_qty"].map(|c| column("limits.csv", c));
    let limits = rows(adaptive.path(), "limits.csv");
    let small = limits.iter().find(|r| r[1] == "FUTX" && r[tier] == "high" && r[max_qty] == "50");
    assert!(ts(small.expect("50 lots under High")) < at(14, 30, 28));
}

#[test]
fn the_model_sees_the_crash_before_the_order_and_nothing_before_the_seller() {
    let market = scenario("flash-crash", &[]);
    let fixed = crash(market.path(), &["--static"]);
    let adaptive = crash(market.path(), &[]);
    let tier = column("scores.csv", "tier");
    let scores = rows(adaptive.path(), "scores.csv");
    assert!(scores.len() > 1_000);
    let first_high =
        scores.iter().find(|r| r[tier] == "high" && r[1] == "FUTX").map(|r| ts(r)).expect("tier high");
    assert!((at(14, 30, 3)..at(14, 30, 20)).contains(&first_high), "{first_high}");
    let early = scores.iter().filter(|r| ts(r) < at(14, 30, 0));
    assert!(early.clone().filter(|r| r[1] == "FUTX").all(|r| r[tier] == "normal"));
    // One Elevated among five other instruments is within the budget of a calm market; High is not.
    assert!(early.clone().all(|r| ["normal", "elevated"].contains(&r[tier].as_str())));
    // Nobody scores an instrument of a replay with static limits.
    let [judged, score] = ["tier", "score"].map(|name| column("verdicts.csv", name));
    let unscored = rows(fixed.path(), "verdicts.csv");
    assert!(!unscored.is_empty());
    assert!(unscored.iter().all(|r| r[judged] == "unknown" && r[score].is_empty()));
    let calm = |dir: &Path| {
        let decision = column("verdicts.csv", "decision");
        let early = rows(dir, "verdicts.csv").into_iter().filter(|r| ts(r) < at(14, 30, 0));
        early.map(|r| (r[1].clone(), r[decision].clone())).collect::<Vec<_>>()
    };
    assert!(!calm(fixed.path()).is_empty());
    assert_eq!(calm(fixed.path()), calm(adaptive.path()));
}

#[test]
fn the_market_falls_by_about_two_percent() {
    let market = scenario("flash-crash", &[]);
    let out =
        replay(&market.path().join("flash-crash.pcap"), &["--static", "--symbols", "FUTX", "--write", "bbo"]);
    let quotes = rows(out.path(), "bbo.csv");
    let mid_at = |moment: u64| {
        let row = quotes.iter().rfind(|r| ts(r) <= moment && !r[3].is_empty() && !r[5].is_empty()).unwrap();
        (row[3].parse::<f64>().unwrap() + row[5].parse::<f64>().unwrap()) / 2.0
    };
    let fall = 1.0 - mid_at(at(14, 30, 45)) / mid_at(at(14, 30, 0));
    assert!((0.017..0.025).contains(&fall), "fell {:.2} %", fall * 100.0);
}

#[test]
fn calm_markets_the_model_never_saw_are_left_alone() {
    let market = scenario("calm", &["--seed", "99", "--minutes", "5"]);
    let out = replay(&market.path().join("calm.pcap"), &["--write", "scores"]);
    let tier = column("scores.csv", "tier");
    let scores = rows(out.path(), "scores.csv");
    assert!(scores.len() > 10_000);
    let alarms: Vec<_> = scores.iter().filter(|r| ["high", "critical"].contains(&r[tier].as_str())).collect();
    assert!(alarms.is_empty(), "{:?}", alarms.first());
}
