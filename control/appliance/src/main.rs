//! `portcullis`: the appliance. Runs the line from packet to verdict live, replays it, and makes what it needs:
//! scenarios, models, reports.
//!
//! This crate composes; it holds no logic that a stage could hold. Start reading at [`pipeline`].

#![forbid(unsafe_code)]

mod book_stage;
mod cli;
mod demo;
mod desk;
mod desk_stage;
#[cfg(feature = "dpdk")]
mod dpdk_source;
mod feeds;
mod hist;
mod latency;
#[cfg(feature = "dpdk")]
mod multicast;
mod orders;
mod output;
mod pipeline;
mod policy;
mod replay;
mod report;
mod run;
mod scenario;
mod score_stage;
mod scorer;
mod summary;
mod svg;
mod tables;
mod train;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = cli::Cli::parse();
    let outcome = match args.command {
        cli::Command::Demo(args) => demo::run(&args),
        cli::Command::Run(args) => run::run(&args),
        cli::Command::Replay(args) => replay::run(&args),
        cli::Command::Scenario(args) => scenario::run(&args),
        cli::Command::Train(cli::Train::Vae(args)) => train::vae(&args),
        cli::Command::Train(cli::Train::Slippage(args)) => train::slippage(&args),
        cli::Command::Train(cli::Train::Fatfinger(args)) => train::fatfinger::run(&args),
        cli::Command::Hist(args) => hist::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("portcullis: {}", one_line(&error));
            ExitCode::FAILURE
        }
    }
}

/// The chain of causes on one line, each said once (a cause often repeats in the text above it).
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(|c| c.to_string().replace('\n', " ")) {
        if !line.contains(&cause) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&cause);
        }
    }
    line
}
