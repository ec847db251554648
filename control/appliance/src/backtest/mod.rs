//! `portcullis backtest`: simulated days through the product's own stages, and what the model is worth on them beside simple rules
//! at the same rate of false alarms.

mod day;
mod judge;
mod report;
mod rules;

use crate::cli;
use crate::output::{say, tell};
use crate::scorer::load_model;
use anyhow::{Context, Result};
use control::config::{Plan, load};
use day::Day;
use gpu::Model;
use judge::{Judged, judge};
use std::ops::RangeInclusive;
use std::path::Path;

pub(crate) fn run(args: &cli::Backtest) -> Result<()> {
    let plan = load(&[], &[])?;
    let mut model = load_model(args.model.as_deref())?;
    for symbol in &args.without {
        model = model.without(*symbol);
    }
    let bar = indicatif::ProgressBar::new(count(&args.calm) + count(&args.crash));
    let style = indicatif::ProgressStyle::with_template("{bar:30} {pos}/{len} days, {eta} left, {msg}")?;
    bar.set_style(style);
    let play = |scenario: &'static str, seeds: &RangeInclusive<u64>, minutes: Option<u64>| {
        let of = |seed| {
            bar.set_message(format!("{scenario} {seed}"));
            let day = day_of(&plan, &model, &args.work, scenario, seed, minutes);
            bar.inc(1);
            day
        };
        seeds.clone().map(of).collect::<Result<Vec<Day>>>()
    };
    let calm = play("calm", &args.calm, Some(args.calm_minutes))?;
    let crashes = play("flash-crash", &args.crash, None)?;
    bar.finish_and_clear();
    let judged = judge(&model, &calm, &crashes, args.alarms_per_day);
    say(format_args!("{}", report::text(&judged)))?;
    if let Some(path) = &args.json {
        write_json(path, &judged)?;
    }
    Ok(())
}

fn count(seeds: &RangeInclusive<u64>) -> u64 {
    seeds.end() - seeds.start() + 1
}

/// Simulates one day into `dir`, plays it through the stages, and leaves nothing of it behind.
fn day_of(
    plan: &Plan,
    model: &Model,
    dir: &Path,
    scenario: &'static str,
    seed: u64,
    minutes: Option<u64>,
) -> Result<Day> {
    let options = simulator::Options { seed: Some(seed), minutes, ..simulator::Options::default() };
    let written = simulator::Scenario::build(scenario, &options)?.write(dir)?;
    let day = Day::play(plan, model, &written.pcap, seed);
    for path in [&written.pcap, &written.orders, &written.truth, &written.manifest] {
        std::fs::remove_file(path).with_context(|| path.display().to_string())?;
    }
    day.with_context(|| format!("{scenario}, seed {seed}"))
}

fn write_json(path: &Path, judged: &Judged) -> Result<()> {
    let text = serde_json::to_string_pretty(judged)? + "\n";
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    tell(format_args!("results in {}", path.display()));
    Ok(())
}
