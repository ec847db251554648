//! `portcullis`: the appliance. Runs the line from packet to verdict live, replays it, and makes what it needs:
//! scenarios, models, reports.
//!
//! This crate composes; it holds no logic that a stage could hold. Start reading at [`line::topology`].

#![forbid(unsafe_code)]
// `eprintln!` and `println!` panic where nobody reads; `output` has what does not.
#![warn(clippy::print_stderr, clippy::print_stdout)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

mod again;
mod answers;
mod backtest;
mod cli;
mod demo;
#[cfg(feature = "dpdk")]
mod dpdk_source;
mod feeds;
mod gateway;
mod hist;
mod hop_diff;
mod hop_row;
mod igmp_frame;
mod judged;
mod latency;
mod line;
mod markout;
#[cfg(feature = "dpdk")]
mod multicast;
mod named;
mod order_path;
mod orders;
mod output;
mod play;
mod policy;
mod replay;
mod report;
mod row;
mod run;
mod scenario;
mod scorer;
mod sniff;
mod stopped;
mod summary;
mod svg;
mod tables;
mod train;
mod verdicts;

use clap::Parser;
use control::cause::one_line;
use simulator::SimulatorError;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = cli::Cli::parse();
    let outcome = match args.command {
        cli::Command::Demo(args) => demo::run(&args),
        cli::Command::Run(args) => run::run(&args),
        cli::Command::Init(args) => run::init(&args),
        cli::Command::Gateway(args) => gateway::run(&args),
        cli::Command::Replay(args) => replay::run(&args),
        cli::Command::Scenario(args) => scenario::run(&args),
        cli::Command::Backtest(args) => backtest::run(&args),
        cli::Command::Train(cli::Train::Vae(args)) => train::vae(&args),
        cli::Command::Train(cli::Train::Channels(args)) => train::channels(&args),
        cli::Command::Train(cli::Train::Slippage(args)) => train::slippage(&args),
        cli::Command::Train(cli::Train::FatFinger(args)) => train::fat_finger::run(&args),
        cli::Command::Hist(args) => hist::run(&args),
        cli::Command::Verdicts(args) => verdicts::run(&args),
        cli::Command::Feeds(args) => sniff::feeds(&args),
        cli::Command::Sniff(args) => sniff::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads has seen enough: nothing went wrong.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::tell(format_args!("portcullis: {}", one_line(error.as_ref())));
            ExitCode::from(exit_code(&error))
        }
    }
}

/// 2 for a configuration or arguments that make no sense, as for a command line that cannot be read; 3 where another start ends the same way until a person has
/// done something; else 1. The daemon's unit does not start it again after 2 and 3.
fn exit_code(error: &anyhow::Error) -> u8 {
    let of_the_story = |error: &SimulatorError| !matches!(error, SimulatorError::Io { .. });
    let is_usage = error.is::<control::config::ConfigErrors>()
        || error.is::<cli::WrongUsage>()
        || error.downcast_ref().is_some_and(of_the_story);
    if is_usage {
        return 2;
    }
    match error.downcast_ref::<control::controller::OpenError>() {
        Some(error) if error.needs_a_person() => 3,
        _ => 1,
    }
}
