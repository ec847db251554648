//! `portcullis gateway`: one gateway of the configuration, as a process of its own.

use crate::cli::{self, WrongUsage};
use crate::output::{say, tell};
use anyhow::{Context, Result, bail};
use control::client::Client;
use control::config::{Gateway as Declared, GatewayProtocol, GatewaySoup, OnDisconnect, Plan, load};
use egress::orders::Owner;
use egress::ouch::{Dialect, Gateway, GatewayError, Logins, Setup};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};
use types::UnixNanos;

/// Turns without work after which a gateway without a CPU of its own sleeps, and for how long.
const IDLE: (u32, Duration) = (2_000, Duration::from_micros(50));

/// The pause before a gateway that could not attach tries again.
const OPEN_AGAIN: Duration = Duration::from_millis(20);

/// How long a check waits for the venue and the daemon.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) fn run(args: &cli::Gateway) -> Result<()> {
    let files: Vec<PathBuf> = args.config.iter().cloned().collect();
    let plan = load(&files, &args.set)?;
    let declared = find(&plan, &args.name)?;
    let soup = declared.soup.as_ref().context("no [gateway.soup]")?;
    let setup = setup_of(&plan, declared, soup)?;
    if args.check {
        return check(&plan, declared, &setup);
    }
    if let Some(cpu) = declared.cpu.cpu() {
        stage::pin_housekeeping(&[cpu.into()])?;
    }
    let flag = |signal| {
        let flag = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal, Arc::clone(&flag)).context("cannot listen for signals")?;
        Ok::<_, anyhow::Error>(flag)
    };
    let (terminate, interrupt, print, hangup) =
        (flag(SIGTERM)?, flag(SIGINT)?, flag(SIGUSR1)?, flag(SIGHUP)?);
    let Some(mut gateway) = open(&setup, || is_told(&terminate) || is_told(&interrupt))? else {
        return Ok(());
    };
    say(format_args!("gateway {} listens on {}, venue {}", declared.name, declared.listen, declared.venue))?;
    let (mut printed, mut idle) = (Instant::now(), 0_u32);
    loop {
        let now = now();
        let busy = gateway.turn(now);
        gateway.take_said().iter().for_each(|line| tell(format_args!("gateway {}: {line}", declared.name)));
        let is_due = args.counters_s > 0 && printed.elapsed() >= Duration::from_secs(args.counters_s);
        if print.swap(false, Ordering::Relaxed) || is_due {
            printed = Instant::now();
            show_counters(declared, &gateway);
        }
        if hangup.swap(false, Ordering::Relaxed) {
            tell("SIGHUP: the configuration is read once, at start; nothing was changed");
        }
        if is_told(&terminate) || is_told(&interrupt) {
            gateway.stop(now);
        }
        if gateway.has_stopped(now) {
            break;
        }
        idle = if busy { 0 } else { idle.saturating_add(1) };
        if idle > IDLE.0 && declared.cpu.cpu().is_none() {
            std::thread::sleep(IDLE.1);
        }
    }
    show_counters(declared, &gateway);
    let (open, _) = gateway.open_and_lost();
    if open > 0 && declared.on_disconnect == OnDisconnect::Cancel {
        bail!("{open} orders are not known to be cancelled: the venue did not answer in time");
    }
    Ok(())
}

fn is_told(flag: &AtomicBool) -> bool {
    flag.load(Ordering::Relaxed)
}

/// Opens the gateway; waits for a daemon that is away, and for the process before this one to be gone. None when told to stop.
fn open(setup: &Setup, is_told_to_stop: impl Fn() -> bool) -> Result<Option<Gateway>> {
    let mut said = String::new();
    while !is_told_to_stop() {
        match Gateway::open(setup.clone()) {
            Ok(gateway) => return Ok(Some(gateway)),
            Err(GatewayError::Port(error)) if error.may_pass() => {
                let why = format!("waiting to be attached: {error}");
                if said != why {
                    tell(&why);
                    said = why;
                }
                std::thread::sleep(OPEN_AGAIN);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// The line of counters, on stderr like all that is told while it runs.
fn show_counters(declared: &Declared, gateway: &Gateway) {
    let (open, lost) = gateway.open_and_lost();
    let counters = gateway.counters();
    tell(format_args!("gateway {}: open={open} ring_lost={lost} {counters}", declared.name));
}

fn now() -> UnixNanos {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixNanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

fn find<'a>(plan: &'a Plan, name: &str) -> Result<&'a Declared> {
    let found = plan.gateways.iter().find(|gateway| gateway.name.as_str() == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = plan.gateways.iter().map(|gateway| gateway.name.as_str()).collect();
        let wanted = match names[..] {
            [] => "and the configuration declares none ([[gateway]])".to_owned(),
            _ => format!("wanted one of {}", names.join(", ")),
        };
        WrongUsage(format!("no gateway {name:?}, {wanted}")).into()
    })
}

fn setup_of(plan: &Plan, declared: &Declared, soup: &GatewaySoup) -> Result<Setup> {
    let store_dir = if declared.store_dir.as_os_str().is_empty() {
        plan.instance.state_dir.join("gateways").join(declared.name.as_str())
    } else {
        declared.store_dir.clone()
    };
    Ok(Setup {
        dialect: match declared.protocol {
            GatewayProtocol::Ouch50 => Dialect::V50,
            GatewayProtocol::Ouch42 => Dialect::V42,
        },
        listen: declared.listen,
        venue: declared.venue,
        owner: Owner {
            socket: plan.instance.socket.clone(),
            client: declared.client.clone(),
            strategy: declared.strategy.clone(),
            account: declared.account.clone(),
        },
        logins: Logins {
            firm_username: soup.firm_username.clone(),
            firm_password: password(&soup.firm_password_file)?,
            venue_username: soup.venue_username.clone(),
            venue_password: password(&soup.venue_password_file)?,
        },
        cancel_on_disconnect: declared.on_disconnect == OnDisconnect::Cancel,
        store_dir,
    })
}

/// The password in a file: its first line.
fn password(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the password file {} cannot be read", path.display()))?;
    let line = text.lines().next().unwrap_or_default().trim();
    let is_password = (1..=10).contains(&line.len()) && line.bytes().all(|b| b.is_ascii_alphanumeric());
    if !is_password {
        // What stands there is nobody's business.
        let found = format!("the password file {}: found {} characters", path.display(), line.len());
        return Err(WrongUsage(format!("{found}, wanted a line of 1 to 10 letters and digits")).into());
    }
    Ok(line.to_owned())
}

/// Says what the gateway would do, and tries what it needs.
fn check(plan: &Plan, declared: &Declared, setup: &Setup) -> Result<()> {
    let Declared { name, client, strategy, account, listen, venue, .. } = declared;
    let protocol = match setup.dialect {
        Dialect::V50 => "OUCH 5.0",
        Dialect::V42 => "OUCH 4.2",
    };
    let what = if setup.cancel_on_disconnect { "each open order is cancelled" } else { "orders stay" };
    say(format_args!("gateway {name}: {protocol} over SoupBinTCP"))?;
    say(format_args!("  orders     count to strategy {strategy} and account {account}, of client {client}"))?;
    say(format_args!(
        "  firm       {} connects to {listen}; when it goes, {what}",
        setup.logins.firm_username
    ))?;
    say(format_args!("  venue      {venue}, as {}", setup.logins.venue_username))?;
    say(format_args!("  streams    in {}", setup.store_dir.display()))?;
    TcpListener::bind(listen).with_context(|| format!("the port {listen} cannot be listened on"))?;
    Client::connect(&plan.instance.socket, CHECK_TIMEOUT)?;
    TcpStream::connect_timeout(venue, CHECK_TIMEOUT)
        .with_context(|| format!("the venue at {venue} cannot be reached"))?;
    say(format_args!("  the port is free, the appliance and the venue can be reached"))
}
