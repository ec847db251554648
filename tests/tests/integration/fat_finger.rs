//! `policy.fat_finger.error_probability_max`: the shipped model's fat-finger network in the whole line, from packets to verdicts.

use crate::tables::{column, replay, rows, scenario};
use std::collections::HashMap;
use std::path::Path;
use tempfile::TempDir;

/// Number of the first order that is none of the desk's.
const ERRORS_FROM: u64 = 900_000_000;

/// Writes the desk's limit orders after the books' warm-up, each followed by a copy that is typed wrong: ten times the size in turn
/// with a price one and a half percent through the market.
fn with_errors(market: &Path) -> String {
    let mut reader = csv::Reader::from_path(market.join("orders.csv")).unwrap();
    let heading = reader.headers().unwrap().clone();
    let place = |name: &str| heading.iter().position(|column| column == name).unwrap();
    let [ts, id, side, qty, px] = ["ts_ns", "cl_ord_id", "side", "qty", "px"].map(place);
    let orders: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let time = |order: &csv::StringRecord| order[ts].parse::<u64>().unwrap();
    let first = time(&orders[0]);
    let file = market.join("typed.csv");
    let mut writer = csv::Writer::from_path(&file).unwrap();
    writer.write_record(&heading).unwrap();
    let limit_orders = orders.iter().filter(|order| !order[px].is_empty());
    for (n, order) in (0..).zip(limit_orders.filter(|order| time(order) > first + 30_000_000_000)) {
        writer.write_record(order).unwrap();
        let mut fields: Vec<String> = order.iter().map(str::to_owned).collect();
        fields[id] = (ERRORS_FROM + n).to_string();
        if n % 2 == 0 {
            fields[qty].push('0');
        } else {
            let away = if &order[side] == "buy" { 1.015 } else { 0.985 };
            fields[px] = format!("{:.2}", order[px].parse::<f64>().unwrap() * away);
        }
        writer.write_record(&fields).unwrap();
    }
    writer.flush().unwrap();
    file.to_str().unwrap().to_owned()
}

/// Replays the market with these orders and this bound; gives the slug of each order's verdict by its number.
fn verdicts(market: &Path, orders: &str, bound: f64) -> (TempDir, HashMap<u64, String>) {
    let config = market.join(format!("fat-finger-{bound}.toml"));
    // Wide enough in everything else that nothing but the fat-finger limit stops a typing error.
    let text = format!(
        "[policy.fat_finger]\nerror_probability_max = {bound:?}\n[limits.default]\n\
         max_qty = {{ floor = 10, base = 5000, cap = 5000 }}\n\
         max_notional = {{ floor = 10000, base = 900000000, cap = 900000000 }}\n"
    );
    std::fs::write(&config, text).unwrap();
    let args = ["--config", config.to_str().unwrap(), "--orders", orders, "--write", "fat-finger,verdicts"];
    let out = replay(&market.join("calm.pcap"), &args);
    let [id, slug] = ["cl_ord_id", "slug"].map(|name| column("verdicts.csv", name));
    let verdicts = rows(out.path(), "verdicts.csv");
    let by_order = verdicts.into_iter().map(|row| (row[id].parse().unwrap(), row[slug].clone())).collect();
    (out, by_order)
}

#[test]
fn typing_errors_are_stopped_and_the_desks_own_orders_are_not() {
    const SLUG: &str = "QTY_ERRMODEL";
    let market = scenario("calm", &["--seed", "901", "--minutes", "6"]);
    let orders = with_errors(market.path());
    let (without, free) = verdicts(market.path(), &orders, 0.0);
    assert!(free.values().all(|slug| slug != SLUG));
    assert!(rows(without.path(), "fat_finger.csv").is_empty());

    let (with, held) = verdicts(market.path(), &orders, 0.001);
    let (errors, own): (Vec<_>, Vec<_>) = held.iter().partition(|(id, _)| **id >= ERRORS_FROM);
    let stopped = |of: &[(&u64, &String)]| of.iter().filter(|(_, slug)| *slug == SLUG).count();
    assert!(errors.len() > 50, "{}", errors.len());
    let (caught, alarms) = (stopped(&errors), stopped(&own));
    assert!(caught * 10 >= errors.len() * 9, "{caught} of {} errors", errors.len());
    assert!(alarms * 50 <= own.len(), "{alarms} of {} orders of the desk", own.len());
    // A size never rises with the distance.
    let fat_finger = rows(with.path(), "fat_finger.csv");
    assert!(!fat_finger.is_empty());
    for row in fat_finger {
        let sizes: Vec<u32> = row[2..].iter().map(|size| size.parse().unwrap()).collect();
        assert!(sizes.len() == 16 && sizes.is_sorted_by(|near, far| near >= far), "{row:?}");
    }
}
