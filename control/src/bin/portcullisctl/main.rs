//! `portcullisctl`: the risk officer's command line. Everything it knows comes over the control socket, except the proof
//! of an audit log, which needs no daemon.

#![forbid(unsafe_code)]

mod cli;
mod run;
mod sheet;
mod show;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = cli::Cli::parse();
    match run::run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("portcullisctl: {error:#}");
            ExitCode::from(run::exit_code(&error))
        }
    }
}
