//! `portcullis scenario`: simulated markets as files.

use crate::cli;
use crate::output::{say, tell};
use anyhow::{Context, Result};
use simulator::Options;

pub(crate) fn run(args: &cli::Scenario) -> Result<()> {
    let (Some(name), Some(out)) = (&args.name, &args.out) else {
        return list();
    };
    let options = Options {
        seed: args.seed,
        minutes: args.minutes,
        instruments: args.instruments,
        symbol: args.symbol,
        size_percent: args.size,
        at_s: args.at,
    };
    let simulation = simulator::Scenario::build(name, &options)?;
    tell(format_args!("simulating {name}, seed {} ...", simulation.seed()));
    if let Some(planted) = simulation.planted() {
        let since_midnight = planted.from_ns / 1_000_000_000;
        let (hour, minute, second) = (since_midnight / 3_600, since_midnight / 60 % 60, since_midnight % 60);
        say(format_args!(
            "planted: {} of {} at {hour:02}:{minute:02}:{second:02} for {} s, size {} %",
            planted.kind,
            planted.symbol,
            (planted.until_ns - planted.from_ns) / 1_000_000_000,
            planted.size_percent
        ))?;
    }
    let written = simulation.write(out).with_context(|| format!("scenario {name}"))?;
    for path in [&written.pcap, &written.orders, &written.truth, &written.manifest] {
        say(format_args!("{}", path.display()))?;
    }
    tell(format_args!(
        "{} packets, {} messages, {} orders",
        written.packets, written.messages, written.order_count
    ));
    Ok(())
}

fn list() -> Result<()> {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header([
        "scenario",
        "seconds",
        "what happens",
    ]);
    for info in simulator::scenarios() {
        table.add_row([info.name, &info.length_s.to_string(), info.description]);
    }
    say(format_args!("{table}"))
}
