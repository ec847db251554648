//! The budget stays true to the benches it names.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    step: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    name: String,
    #[serde(default)]
    unit: Option<String>,
    p50: u64,
    p999: Option<u64>,
    load: String,
    bench: String,
    row: String,
    gate: String,
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()
}

fn budget() -> Budget {
    toml::from_str(&read("budget.toml").expect("the budget")).expect("a budget")
}

#[test]
fn every_step_names_a_row_that_its_bench_has() {
    for step in budget().step.iter().filter(|step| step.bench != "latency.hlog") {
        let source = [format!("benches/{}.rs", step.bench), format!("tests/{}.rs", step.bench)];
        let source =
            source.iter().find_map(|path| read(path)).unwrap_or_else(|| panic!("no bench {}", step.bench));
        assert!(source.contains(&step.row), "{}: {} has no row {:?}", step.name, step.bench, step.row);
    }
}

#[test]
fn hops_are_those_the_product_records() {
    let hops: Vec<Step> = budget().step.into_iter().filter(|step| step.bench == "latency.hlog").collect();
    let source = read("../control/appliance/src/line/topology.rs").expect("where every stage is made");
    for hop in &hops {
        let name = format!("\"{}\"", hop.row);
        assert!(
            source.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(&name)),
            "{name}"
        );
    }
    assert!(!hops.is_empty());
}

#[test]
fn numbers_are_in_order_and_every_counted_function_exists() {
    let counted = read("instructions/benches/instructions.rs").expect("the instruction counts");
    let mut names = BTreeSet::new();
    for step in budget().step {
        assert!(names.insert(step.name.clone()), "{} stands twice", step.name);
        assert!(step.p999.is_none_or(|p999| p999 >= step.p50), "{}: p999 below p50", step.name);
        assert!(step.p50 > 0 || step.unit.is_some(), "{}: nothing takes no time", step.name);
        assert!(!step.load.is_empty());
        if let Some((_, rest)) = step.gate.split_once("instruction count of ") {
            let function = rest.split(',').next().unwrap_or_default();
            assert!(counted.contains(&format!("fn {function}(")), "{}: no count of {function}", step.name);
        }
    }
}
