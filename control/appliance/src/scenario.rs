//! `portcullis scenario`: simulated markets as files.

use crate::cli;
use crate::output::{say, tell};
use anyhow::{Context, Result};
use simulator::Options;

pub(crate) fn run(args: &cli::Scenario) -> Result<()> {
    let (Some(name), Some(out)) = (&args.name, &args.out) else {
        return list();
    };
    let options = Options { seed: args.seed, minutes: args.minutes, instruments: args.instruments };
    let simulation = simulator::Scenario::build(name, &options)?;
    tell(format_args!("simulating {name}, seed {} ...", simulation.seed()));
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
