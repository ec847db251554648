//! `portcullis-rest`: what a risk desk sees of a running appliance, over HTTP, read-only.
//!
//! A process of its own that knows no more than the control socket tells a viewer. **What it never does:** change anything; ask the
//! appliance once for each who asks here; show as what is what is no longer known to be. Whatever floods it ends here.
//!
//! Start reading at [`watch`], then [`picture`], [`routes`] and [`serve`].
#![forbid(unsafe_code)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

mod answer;
mod ask;
mod cli;
mod doc;
mod front;
mod history;
mod hosts;
mod instrument;
mod page;
mod patient;
mod picture;
mod problem;
mod query;
mod routes;
mod seats;
mod serve;
mod shared;
mod stream;
mod watch;

use anyhow::Context;
use clap::Parser;
use control::cause::one_line;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    match run(&cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("portcullis-rest: {}", one_line(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// Serves until SIGTERM or SIGINT. There is nothing to keep, so that both end it at once.
fn run(cli: &cli::Cli) -> anyhow::Result<()> {
    let history = Arc::default();
    let (sender, known) = tokio::sync::watch::channel(picture::Known::default());
    let asker = ask::Asker::start(cli.socket()).context("no thread for questions")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listen = cli.listen;
        let listener = TcpListener::bind(listen).await.with_context(|| format!("--listen {listen}"))?;
        let address = listener.local_addr()?;
        let hosts = hosts::Hosts::new(address, &cli.hosts);
        let watcher = watch::Watcher::new(&cli.socket(), cli.every(), sender, Arc::clone(&history));
        watcher.start().context("no thread that looks at the appliance")?;
        let shared = Arc::new(shared::Shared::new(known, asker, history, cli.every()));
        let router = front::guarded(routes::router(shared), Arc::new(hosts));
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        // Nobody who reads it is no reason to end.
        drop(writeln!(
            std::io::stdout(),
            "http://{address}/ shows the appliance at {}",
            cli.socket().display()
        ));
        tokio::select! {
            () = serve::serve(listener, router) => {}
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        Ok(())
    })
}
