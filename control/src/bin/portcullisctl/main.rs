//! `portcullisctl`: the risk officer's command line. Everything it knows comes over the control socket, except the proof
//! of an audit log, which needs no daemon.

#![forbid(unsafe_code)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

mod arguments;
mod cli;
mod cli_ops;
mod closing;
mod feeds;
mod halts;
mod holdings;
mod load;
mod ops;
mod proof;
mod pulse;
mod reach;
mod run;
mod sheet;
mod show;
mod words;

use clap::Parser;
use control::cause::one_line;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match cli::Cli::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    match run::run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let code = run::exit_code(&error);
            show::failure(arguments.output, &one_line(error.as_ref()), run::kind(&error), code);
            ExitCode::from(code)
        }
    }
}

/// Help and version go to stdout, what cannot be understood to stderr, exit code 2; as JSON too, where that was asked for.
fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && wants_json(std::env::args()) {
        show::failure(cli::Format::Json, error.render().to_string().trim_end(), "usage", 2);
        return ExitCode::from(2);
    }
    // A reader that has seen enough of the help is no failure.
    drop(error.print());
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}

/// Whether the arguments ask for JSON, for when they cannot be understood as a whole.
fn wants_json(arguments: impl Iterator<Item = String>) -> bool {
    let mut value_follows = false;
    for argument in arguments {
        let value = argument.strip_prefix("--output=").or_else(|| argument.strip_prefix("-o"));
        if (value_follows && argument == "json") || value == Some("json") {
            return true;
        }
        value_follows = argument == "-o" || argument == "--output";
    }
    false
}

#[cfg(test)]
mod tests {
    use super::wants_json;

    #[test]
    fn json_is_asked_for_in_every_spelling() {
        let asks = |line: &str| wants_json(line.split(' ').map(str::to_owned));
        for yes in ["ctl -o json x", "ctl x --output json", "ctl --output=json", "ctl -ojson"] {
            assert!(asks(yes), "{yes}");
        }
        for no in ["ctl json", "ctl -o csv json", "ctl --reason json", "ctl"] {
            assert!(!asks(no), "{no}");
        }
    }
}
