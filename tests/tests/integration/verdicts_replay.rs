//! `portcullis verdicts replay` held against a replay of the market under the limits that it asks about.

use crate::tables::{column, replay, rows, scenario};
use std::collections::BTreeSet;
use tests::portcullis_ok;

#[test]
fn what_other_limits_would_have_refused_is_what_they_refuse() {
    let market = scenario("calm", &["--minutes", "3"]);
    let path = |name: &str| market.path().join(name).to_str().unwrap().to_owned();
    let (orders, config) = (path("orders.csv"), path("tighter.toml"));
    std::fs::write(&config, "[limits.default]\nmax_qty = { floor = 5, base = 30, cap = 60 }\n").unwrap();
    let run = |more: &[&str]| {
        let all = [&["--static", "--orders", &orders, "--write", "verdicts"], more].concat();
        replay(&market.path().join("calm.pcap"), &all)
    };
    let (then, now) = (run(&[]), run(&["--config", &config]));
    let of = |dir: &tempfile::TempDir, name: &str, value: &str| -> BTreeSet<String> {
        let at = column("verdicts.csv", name);
        let all = rows(dir.path(), "verdicts.csv").into_iter();
        all.filter(|row| row[at] == value).map(|row| row[1].clone()).collect()
    };
    let log = then.path().join("verdicts.csv");
    let said = portcullis_ok([
        "verdicts",
        "replay",
        log.to_str().unwrap(),
        "--config",
        &config,
        "-o",
        "csv",
        "-n",
        "1000",
    ]);
    let mut table = csv::Reader::from_reader(said.as_bytes());
    let at = table.headers().unwrap().iter().position(|name| name == "again").unwrap();
    let changed = table.records().map(|record| record.unwrap());
    let refused: BTreeSet<String> =
        changed.filter(|row| &row[at] == "refused").map(|row| row[1].to_owned()).collect();
    let passed_then = &of(&then, "decision", "accept") | &of(&then, "decision", "flag");
    let refused_now: BTreeSet<String> = &of(&now, "slug", "QTY_STATIC") & &passed_then;
    assert!(refused.len() > 10 && refused.len() < passed_then.len(), "{refused:?}");
    assert_eq!(refused, refused_now);
}
