//! A gateway of the configuration: `portcullis gateway` runs one as a process of its own, the daemon those that are its own on
//! threads, with the same code.

mod carrier;
mod copies;
mod fix;
mod ouch;

use crate::cli::{self, WrongUsage};
use crate::output::{say, tell};
use anyhow::{Context, Result, bail};
pub(crate) use carrier::Carrier;
use carrier::Parties;
use control::client::Client;
use control::config::{
    ClientMode, Gateway as Declared, GatewayMpid, GatewayProtocol, OnDisconnect, OnHalt, Plan, load,
};
use egress::fix::Version;
use egress::ouch::{Dialect, Network};
use egress::owner::{Counted, Owner};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
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
    let setup = Setup::of(&plan, declared)?;
    if args.check {
        return check(&plan, declared, &setup);
    }
    if declared.in_daemon {
        let what = "a gateway of the daemon's own (in_daemon = true): `portcullis run` runs it";
        return Err(WrongUsage(format!("gateway {}: found {what}", declared.name)).into());
    }
    let flag = |signal| {
        let flag = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal, Arc::clone(&flag)).context("cannot listen for signals")?;
        Ok::<_, anyhow::Error>(flag)
    };
    let (terminate, interrupt, print, hangup) =
        (flag(SIGTERM)?, flag(SIGINT)?, flag(SIGUSR1)?, flag(SIGHUP)?);
    let mut printed = Instant::now();
    carry_orders(declared, &setup, |gateway| {
        let is_due = args.counters_s > 0 && printed.elapsed() >= Duration::from_secs(args.counters_s);
        if let Some(gateway) = gateway
            && (print.swap(false, Ordering::Relaxed) || is_due)
        {
            printed = Instant::now();
            show_counters(declared, gateway);
        }
        if hangup.swap(false, Ordering::Relaxed) {
            tell("SIGHUP: the configuration is read once, at start; nothing was changed");
        }
        is_told(&terminate) || is_told(&interrupt)
    })
}

/// Opens a gateway on this thread, its CPU's where it has one, and carries orders until `is_told_to_stop`, which is asked all the
/// time: with the gateway, once it is open.
///
/// # Errors
/// Why it cannot be opened, and orders that are not known to be cancelled at its end.
pub(crate) fn carry_orders(
    declared: &Declared,
    setup: &Setup,
    mut is_told_to_stop: impl FnMut(Option<&dyn Carrier>) -> bool,
) -> Result<()> {
    if let Some(cpu) = declared.cpu.cpu() {
        stage::pin_housekeeping(&[cpu.into()])?;
    }
    let Some(mut gateway) = open(setup, || is_told_to_stop(None))? else {
        return Ok(());
    };
    // That nobody reads it is no reason to carry nothing.
    drop(say(format_args!(
        "gateway {} listens on {}, venue {}",
        declared.name, declared.listen, declared.venue
    )));
    if gateway.audits() {
        tell(format_args!(
            "gateway {}: AUDIT MODE: no limit stops an order, only halts of a person",
            declared.name
        ));
    }
    let mut idle = 0_u32;
    loop {
        let now = now();
        let busy = gateway.turn(now);
        gateway.take_said().iter().for_each(|line| tell(format_args!("gateway {}: {line}", declared.name)));
        if is_told_to_stop(Some(gateway.as_ref())) {
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
    show_counters(declared, gateway.as_ref());
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
fn open(setup: &Setup, mut is_told_to_stop: impl FnMut() -> bool) -> Result<Option<Box<dyn Carrier>>> {
    let mut said = String::new();
    while !is_told_to_stop() {
        match setup.open(now()) {
            Ok(gateway) => return Ok(Some(gateway)),
            Err(error) if may_pass(&error) => {
                let why = format!("waiting to be attached: {error}");
                if said != why {
                    tell(&why);
                    said = why;
                }
                std::thread::sleep(OPEN_AGAIN);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether waiting may help: the gateway could not attach, and may later.
fn may_pass(error: &anyhow::Error) -> bool {
    let of_ouch = error.downcast_ref().and_then(|error| {
        if let egress::ouch::GatewayError::Port(error) = error { Some(error) } else { None }
    });
    let of_fix = error.downcast_ref().and_then(|error| {
        if let egress::fix::GatewayError::Port(error) = error { Some(error) } else { None }
    });
    of_ouch.or(of_fix).is_some_and(egress::orders::PortError::may_pass)
}

/// What one of the protocols' gateways is made of.
pub(crate) enum Setup {
    Ouch(egress::ouch::Setup, Network),
    Fix(egress::fix::Setup),
}

impl Setup {
    /// What `declared` is made of; its passwords are read.
    ///
    /// # Errors
    /// What cannot be read.
    pub(crate) fn of(plan: &Plan, declared: &Declared) -> Result<Self> {
        let (store_dir, owner) = (store_dir(plan, declared), owner(plan, declared));
        let ouch = |dialect, owner, dir| {
            let network = Network { listen: declared.listen, venue: declared.venue, owner };
            let copy_in = copies::setup(plan, declared, PathBuf::clone(&dir), copies::over_soup)?;
            let setup = ouch::setup(declared, dialect, dir)?;
            anyhow::Ok(Self::Ouch(egress::ouch::Setup { copy_in, ..setup }, network))
        };
        let fix = |version, owner, dir| {
            let copy_in = copies::setup(plan, declared, PathBuf::clone(&dir), copies::over_fix(version))?;
            let setup = fix::setup(declared, version, owner, dir)?;
            anyhow::Ok(Self::Fix(egress::fix::Setup { copy_in, ..setup }))
        };
        match declared.protocol {
            GatewayProtocol::Ouch50 => ouch(Dialect::V50, owner, store_dir),
            GatewayProtocol::Ouch42 => ouch(Dialect::V42, owner, store_dir),
            GatewayProtocol::Fix42 => fix(Version::Fix42, owner, store_dir),
            GatewayProtocol::Fix44 => fix(Version::Fix44, owner, store_dir),
            GatewayProtocol::Fixt11 => fix(Version::Fixt11, owner, store_dir),
        }
    }

    fn open(&self, now: UnixNanos) -> Result<Box<dyn Carrier>> {
        Ok(match self {
            Self::Ouch(setup, network) => {
                Box::new(egress::ouch::Gateway::open(setup.clone(), network.clone())?)
            }
            Self::Fix(setup) => Box::new(egress::fix::Gateway::open(setup, now)?),
        })
    }

    fn parties(&self) -> Parties {
        match self {
            Self::Ouch(setup, _) => ouch::parties(setup),
            Self::Fix(setup) => fix::parties(setup),
        }
    }
}

/// The line of counters, on stderr like all that is told while it runs.
fn show_counters(declared: &Declared, gateway: &dyn Carrier) {
    let (open, lost) = gateway.open_and_lost();
    let counters = gateway.counted();
    tell(format_args!("gateway {}: open={open} ring_lost={lost} {counters}", declared.name));
}

/// The system clock's time, for what protocols say and wait for. Orders are judged by the daemon's clock, which their thread carries on:
/// a step of this one makes nothing younger and closes nothing ([`attach::DaemonClock`]).
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

/// Where a gateway keeps what outlives it.
fn store_dir(plan: &Plan, declared: &Declared) -> PathBuf {
    if declared.store_dir.as_os_str().is_empty() {
        plan.instance.state_dir.join("gateways").join(declared.name.as_str())
    } else {
        declared.store_dir.clone()
    }
}

/// Whose orders it carries.
fn owner(plan: &Plan, declared: &Declared) -> Owner {
    Owner {
        socket: plan.instance.socket.clone(),
        client: declared.client.clone(),
        own: Counted { strategy: declared.strategy.clone(), account: declared.account.clone() },
        others: declared.mpid.iter().map(counted).collect(),
    }
}

/// What is to be said of a gateway whose client is in audit mode.
fn audit_line(plan: &Plan, declared: &Declared) -> Option<String> {
    let client = plan.clients.get(&declared.client).filter(|client| client.mode == ClientMode::Audit);
    client.map(|_| format!("client {}: no limit stops an order, only halts of a person", declared.client))
}

fn counted(mpid: &GatewayMpid) -> Counted {
    Counted { strategy: mpid.strategy.clone(), account: mpid.account.clone() }
}

/// Says what the gateway would do, and tries what it needs.
fn check(plan: &Plan, declared: &Declared, setup: &Setup) -> Result<()> {
    let Declared { name, client, strategy, account, listen, venue, .. } = declared;
    let Parties { protocol, firm, at_venue } = setup.parties();
    let cancels = declared.on_disconnect == OnDisconnect::Cancel;
    let what = if cancels { "each open order is cancelled" } else { "orders stay" };
    say(format_args!("gateway {name}: {protocol}"))?;
    say(format_args!("  orders     count to strategy {strategy} and account {account}, of client {client}"))?;
    for GatewayMpid { id, strategy, account } in &declared.mpid {
        say(format_args!(
            "  {id}       to strategy {strategy} and account {account}, where an order is entered for that MPID"
        ))?;
    }
    if let Some(loud) = audit_line(plan, declared) {
        say(format_args!("  AUDIT MODE {loud}"))?;
    }
    say(format_args!("  firm       {firm} connects to {listen}; when it goes, {what}"))?;
    let halts = match declared.on_halt {
        OnHalt::Cancel => "each open order is cancelled",
        OnHalt::Keep => "open orders stay",
    };
    say(format_args!("  halt       refuses every order; {halts}"))?;
    say(format_args!("  venue      {venue}, as {at_venue}"))?;
    if let Some(copy) = declared.fix.as_ref().and_then(|fix| fix.drop_copy.as_ref()) {
        say(format_args!("  drop copy  {} connects to {}", copy.receiver, copy.listen))?;
        let taken = || format!("the port {} cannot be listened on", copy.listen);
        TcpListener::bind(copy.listen).with_context(taken)?;
    }
    copies::check(declared, CHECK_TIMEOUT)?;
    say(format_args!("  streams    in {}", store_dir(plan, declared).display()))?;
    TcpListener::bind(listen).with_context(|| format!("the port {listen} cannot be listened on"))?;
    Client::connect(&plan.instance.socket, CHECK_TIMEOUT)?;
    TcpStream::connect_timeout(venue, CHECK_TIMEOUT)
        .with_context(|| format!("the venue at {venue} cannot be reached"))?;
    say(format_args!("  the port is free, the appliance and the venue can be reached"))
}
