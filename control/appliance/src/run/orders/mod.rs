//! Order processes: who is attached, what they did, and what they held, so that neither their end nor the daemon's loses it.
//!
//! A process writes records into its ring. The daemon takes them out, appends them to the process's journal and follows them in
//! a gate of its own; a process that attaches gets the steps that bring its gate there. The ring lies in memory and outlives
//! both; the journal is the state directory's.

mod journal;
mod mirror;
#[cfg(test)]
mod tests;

use crate::line::gate_tables::{STRATEGY, SharedMemory, config_of, grant_rules};
use crate::tables::VerdictRow;
use anyhow::{Context, Result, bail};
use attach::record::{Entry, Record};
use attach::ring::RingReader;
use control::config::{Client, OnDaemonLoss, Plan};
use control::names::Name;
use control::protocol::{Grant, GrantShape};
use gate::{AccountId, Decision, GateConfig, OrderIntent, Step, StrategyId, Verdict};
use journal::{Block, Journal};
use mirror::{Mirror, Numbering};
use rustix::fs::{MemfdFlags, memfd_create};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use types::{InstrumentId, Nanos, Symbol};

/// How long the daemon may say nothing before an order process halts that is to. It says so every few milliseconds.
const SILENCE_MAX: Nanos = Nanos(1_000_000_000);

/// What an order process's orders came to, and what of its records was lost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) accepted: u64,
    pub(super) flagged: u64,
    pub(super) rejected: u64,
    /// Records that found the ring full.
    pub(super) lost: u64,
    /// Records that were none.
    pub(super) damaged: u64,
    /// Refused orders that are in no log, since the ring was half full.
    pub(super) unlogged: u64,
}

/// One order process.
struct Process {
    client: Client,
    ring: RingReader,
    journal: Journal,
    mirror: Mirror,
    counts: Counts,
    /// The connection of the process that is attached.
    lifeline: Option<UnixStream>,
    /// Its ring was written over.
    broken: bool,
    /// Why its records cannot be taken, as it was last told.
    failing: Option<String>,
}

/// Records that one process may have taken at a time: the housekeeping that takes them has other things to do.
const DRAIN_MAX: u64 = 1_024;

/// All of them.
pub(super) struct Orders {
    plan: Plan,
    /// Clients whose books cannot be read, and why.
    unreadable: BTreeMap<Name, String>,
    shared: SharedMemory,
    grant: Grant,
    processes: BTreeMap<Name, Process>,
    /// For the verdict log.
    lines: Vec<String>,
}

/// Numbers of strategies and accounts, as the tables have them.
pub(super) struct ScopeNumbers<'a> {
    pub(super) strategies: &'a BTreeMap<Name, StrategyId>,
    pub(super) accounts: &'a BTreeMap<Name, AccountId>,
}

/// Where the rings lie.
fn ring_dir(plan: &Plan) -> PathBuf {
    if plan.orders.ring_dir.as_os_str().is_empty() {
        plan.instance.socket.with_file_name("orders")
    } else {
        plan.orders.ring_dir.clone()
    }
}

/// A directory that is the daemon's alone: made, or found to be so.
fn own_dir(path: &Path) -> Result<()> {
    let told = || format!("cannot make {}", path.display());
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error).with_context(told),
        Ok(()) | Err(_) => {}
    }
    let found = fs::symlink_metadata(path).with_context(told)?;
    let ours = rustix::process::geteuid().as_raw();
    if !found.is_dir() || found.uid() != ours || found.mode() & 0o077 != 0 {
        bail!(
            "{}: found mode {:o} of user {}, wanted a directory of mode 700 of the daemon's own: name one that nobody else uses",
            path.display(),
            found.mode() & 0o7777,
            found.uid()
        );
    }
    Ok(())
}

/// A number that no ring before this one had.
fn fresh_identity() -> u128 {
    let seed = format!("{:?}{:?}", std::time::SystemTime::now(), std::time::Instant::now());
    let hash = blake3::hash(format!("{seed}{}", std::process::id()).as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    u128::from_le_bytes(bytes)
}

/// Opens the ring at `path`, or makes one. What is there and is none is set aside.
fn open_ring(plan: &Plan, path: &Path) -> Result<(RingReader, Option<String>)> {
    let told = || format!("cannot make the ring {}", path.display());
    let open = || RingReader::open(path, plan.orders.ring_records as usize, fresh_identity());
    match open() {
        Ok(ring) => Ok((ring, None)),
        Err(error) => {
            fs::rename(path, path.with_extension("bad")).with_context(told)?;
            Ok((open().with_context(told)?, Some(format!("{}: {error}: set aside", path.display()))))
        }
    }
}

impl Process {
    /// Opens the ring and the journal of one client. Gives what is to be told.
    fn open(
        plan: &Plan,
        name: &Name,
        client: &Client,
        config: &GateConfig<'_>,
    ) -> Result<(Self, Vec<String>)> {
        let path = plan.instance.state_dir.join("orders").join(format!("{name}.journal"));
        let mut known: (BTreeSet<Name>, BTreeSet<Name>) =
            (client.strategies.iter().cloned().collect(), client.accounts.iter().cloned().collect());
        let (_, cut) = Journal::open(&path, |block| match block {
            Block::Strategy(_, name) => _ = known.0.insert(name.clone()),
            Block::Account(_, name) => _ = known.1.insert(name.clone()),
            Block::Record(_) | Block::Ring(_) | Block::Lost(_) | Block::Clean => {}
        })?;
        let strategies = vec![STRATEGY; known.0.len()];
        let accounts = u16::try_from(known.1.len()).context("more accounts than a gate can have")?;
        let config = GateConfig { strategies: &strategies, accounts, ..*config };
        let mut mirror = Mirror::new(&config, plan.book.instruments as usize)?;
        mirror.know(&known.0, &known.1);
        let (journal, _) = Journal::open(&path, |block| mirror.take(block))?;
        let (ring, aside) = open_ring(plan, &ring_dir(plan).join(format!("{name}.ring")))?;
        let (client, counts) = (client.clone(), Counts::default());
        let mut process =
            Self { client, ring, journal, mirror, counts, lifeline: None, broken: false, failing: None };
        let doubt = cut.as_ref().is_some_and(|cut| cut.doubt);
        process
            .take_up_ring(doubt)
            .with_context(|| format!("the journal {} cannot be written", path.display()))?;
        Ok((process, cut.map(|cut| cut.told).into_iter().chain(aside).collect()))
    }

    /// Goes on where the journal left the ring. A ring that it does not know says nothing of what another one held.
    fn take_up_ring(&mut self, doubt: bool) -> io::Result<()> {
        let identity = self.ring.identity();
        let same = self.journal.ring == Some(identity);
        let first = self.journal.ring.is_none() && self.ring.is_unused()?;
        let sound = !doubt && (same || first || self.journal.is_clean && self.ring.is_unused()?);
        let ring = (!same).then_some(Block::Ring(identity));
        let lost = self.journal.lost;
        let blocks: Vec<_> =
            ring.into_iter().chain((!sound).then_some(Block::Lost(if same { lost } else { 0 }))).collect();
        self.append(&blocks)?;
        self.ring.start_after(self.journal.number)
    }

    /// Writes blocks into the journal, and follows them.
    fn append(&mut self, blocks: &[Block]) -> io::Result<()> {
        self.journal.append(blocks)?;
        blocks.iter().for_each(|block| self.mirror.take(block));
        Ok(())
    }

    /// Takes what waits in the ring, up to a bound; gives the lines for the verdict log, and how many records are left.
    fn drain(&mut self, lines: &mut Vec<String>) -> io::Result<u64> {
        if self.broken {
            return Ok(0);
        }
        let Self { ring, journal, mirror, counts, .. } = self;
        let drained = ring.drain(DRAIN_MAX, |records, damaged| {
            let mut blocks: Vec<Block> = records.iter().map(|record| Block::Record(*record)).collect();
            if damaged > 0 {
                blocks.push(Block::Lost(journal.lost));
            }
            journal.append(&blocks)?;
            blocks.iter().for_each(|block| mirror.take(block));
            counts.damaged = counts.damaged.saturating_add(damaged);
            for record in records {
                lines.extend(line_of(record, mirror, counts));
            }
            Ok(())
        })?;
        // What follows a record that is none may be anything: it is not read, and the next process gets another ring.
        self.broken = drained.damaged > 0;
        self.counts.unlogged = drained.unlogged;
        let lost = drained.lost.saturating_sub(self.journal.lost);
        if lost > 0 {
            self.append(&[Block::Lost(drained.lost)])?;
            self.counts.lost = self.counts.lost.saturating_add(lost);
        }
        Ok(drained.left)
    }

    /// Puts a new ring in the place of one that was written over.
    fn replace_ring(&mut self, plan: &Plan, name: &Name) -> Result<()> {
        let path = ring_dir(plan).join(format!("{name}.ring"));
        fs::rename(&path, path.with_extension("bad")).with_context(|| path.display().to_string())?;
        self.ring = open_ring(plan, &path)?.0;
        self.broken = false;
        self.take_up_ring(true).context("its journal cannot be written")
    }

    fn is_attached(&mut self) -> bool {
        let alive = self.lifeline.as_ref().is_some_and(|stream| !hung_up(stream));
        if !alive {
            self.lifeline = None;
        }
        alive
    }
}

/// Whether the other end of a connection is gone.
fn hung_up(stream: &UnixStream) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut ends = [PollFd::new(stream, PollFlags::RDHUP)];
    let polled = poll(&mut ends, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    polled.is_err() || ends[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::RDHUP)
}

/// The row of the verdict log; none of a record that is no order's. Counts it.
fn line_of(record: &Record, mirror: &Mirror, counts: &mut Counts) -> Option<String> {
    let (order, verdict, check) = judged(&record.entry)?;
    *match verdict.decision {
        Decision::Accept => &mut counts.accepted,
        Decision::Flag => &mut counts.flagged,
        Decision::Reject => &mut counts.rejected,
    } += 1;
    let strategy =
        mirror.strategy(order.strategy).map_or_else(|| order.strategy.0.to_string(), Name::to_string);
    let account = mirror.account(order.account).map_or_else(|| order.account.0.to_string(), Name::to_string);
    let symbol = record.symbol.map_or_else(|| order.instrument.0.to_string(), |symbol| symbol.to_string());
    let row = VerdictRow {
        ts: record.at,
        cl_ord_id: &order.cl_ord_id.to_string(),
        account: &account,
        strategy: &strategy,
        symbol: &symbol,
        side: order.side,
        qty: order.qty,
        px: order.px,
        verdict: &verdict,
        check,
    };
    Some(row.to_string())
}

fn judged(entry: &Entry) -> Option<(OrderIntent, Verdict, Nanos)> {
    match *entry {
        Entry::Refused { order, verdict, check } => Some((order, verdict, check)),
        Entry::Sent { step: Step::Sent(sent) | Step::Replaced { sent, .. }, verdict, check } => {
            Some((sent.order, verdict, check))
        }
        Entry::Sent { .. } | Entry::Step(_) => None,
    }
}

impl Orders {
    /// Opens what every client of `plan` left behind. Gives what is to be told.
    ///
    /// # Errors
    /// A ring or a journal that cannot be opened.
    pub(super) fn open(plan: &Plan, shared: SharedMemory) -> Result<(Self, Vec<String>)> {
        let journals = plan.instance.state_dir.join("orders");
        own_dir(&journals)?;
        own_dir(&ring_dir(plan))?;
        let config = config_of(plan, 1, &[]);
        let (mut processes, mut unreadable) = (BTreeMap::new(), BTreeMap::new());
        let mut said = undeclared(plan, &journals)?;
        for (name, client) in &plan.clients {
            match Process::open(plan, name, client, &config) {
                Ok((process, told)) => {
                    said.extend(told.iter().map(|what| format!("warning: {name}: {what}")));
                    let open = process.mirror.open_order_count();
                    if open > 0 {
                        said.push(format!("{name}: {open} open order(s) from before"));
                    }
                    processes.insert(name.clone(), process);
                }
                // Everybody else goes on.
                Err(error) => {
                    said.push(format!("warning: {name} cannot attach: {error:#}"));
                    unreadable.insert(name.clone(), format!("{error:#}"));
                }
            }
        }
        let (grant, plan, lines) = (grant_of(plan, &shared), plan.clone(), Vec::new());
        Ok((Self { plan, unreadable, shared, grant, processes, lines }, said))
    }

    /// Says of every process that is gone that it left nothing behind.
    pub(super) fn close(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        for (name, process) in &mut self.processes {
            let gone = !process.broken && matches!(process.ring.grant(), Ok(Some(_)));
            if gone && let Err(error) = process.journal.end() {
                said.push(format!("warning: {name}: {error}"));
            }
        }
        said
    }

    /// An instrument got its number.
    pub(super) fn define(&self, instrument: InstrumentId, symbol: Symbol) {
        self.shared.names.define(instrument, symbol);
    }

    /// How every process stands, for `status`.
    pub(super) fn standings(&self) -> impl Iterator<Item = (String, BTreeMap<String, u64>)> {
        self.processes.iter().map(|(name, process)| {
            let Counts { accepted, flagged, rejected, lost, damaged, unlogged } = process.counts;
            let all = [
                ("attached", process.lifeline.is_some().into()),
                ("open_orders", process.mirror.open_order_count() as u64),
                ("accepted", accepted),
                ("flagged", flagged),
                ("rejected", rejected),
                ("lost_records", lost),
                ("damaged_records", damaged),
                ("unlogged_refusals", unlogged),
            ];
            let all = all.map(|(counter, value)| (counter.to_owned(), value));
            (format!("order process {name}"), all.into())
        })
    }

    /// What every process's orders came to.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&Name, Counts)> {
        self.processes.iter().map(|(name, process)| (name, process.counts))
    }

    /// Takes what the processes wrote: lines for the verdict log, and what is to be told.
    pub(super) fn drain(&mut self) -> (Vec<String>, Vec<String>) {
        let (mut lines, mut said) = (core::mem::take(&mut self.lines), Vec::new());
        for (name, process) in &mut self.processes {
            let before = (process.counts.lost, process.counts.damaged);
            let failed = process.drain(&mut lines).err().map(|error| error.to_string());
            let after = (process.counts.lost, process.counts.damaged);
            if before != after {
                said.push(format!(
                    "warning: {name}: {} record(s) are lost and {} damaged: its positions are in doubt until they are set",
                    after.0, after.1
                ));
            }
            if failed != process.failing {
                said.push(match &failed {
                    Some(why) => format!("warning: {name}: its records wait in their ring: {why}"),
                    None => format!("{name}: its records are taken again"),
                });
                process.failing = failed;
            }
            if process.lifeline.is_some() && !process.is_attached() {
                let open = process.mirror.open_order_count();
                said.push(format!(
                    "{name} is gone; {open} open order(s) count until it is back and says what became of them"
                ));
            }
        }
        (lines, said)
    }

    /// What a process is given that attaches as `name`, and lives as long as `lifeline`.
    ///
    /// # Errors
    /// In a sentence, why it cannot attach now.
    pub(super) fn attach(
        &mut self,
        name: &Name,
        lifeline: UnixStream,
        numbers: &ScopeNumbers<'_>,
        instrument: &dyn Fn(Symbol) -> Option<InstrumentId>,
    ) -> Result<(Grant, Vec<OwnedFd>), String> {
        if let Some(why) = self.unreadable.get(name) {
            return Err(why.clone());
        }
        let process = self.processes.get_mut(name).ok_or("it is not declared")?;
        let told = |error: io::Error| error.to_string();
        if process.broken {
            process.replace_ring(&self.plan, name).map_err(|error| format!("{error:#}"))?;
        }
        let Some(ring) = process.ring.grant().map_err(told)? else {
            return Err("a process that is attached as it still runs".to_owned());
        };
        // Nobody else writes from here on.
        if process.drain(&mut self.lines).map_err(told)? > 0 || process.broken {
            return Err("its last records are still being taken: try again".to_owned());
        }
        let own = |names: &[Name], all: &BTreeMap<Name, u16>| -> BTreeMap<Name, u16> {
            names.iter().filter_map(|name| all.get(name).map(|number| (name.clone(), *number))).collect()
        };
        let all = (
            numbers.strategies.iter().map(|(name, id)| (name.clone(), id.0)).collect(),
            numbers.accounts.iter().map(|(name, id)| (name.clone(), id.0)).collect(),
        );
        let strategies = own(&process.client.strategies, &all.0);
        let accounts = own(&process.client.accounts, &all.1);
        let numbering = Numbering {
            instrument,
            strategy: &|name| strategies.get(name).copied().map(StrategyId),
            account: &|name| accounts.get(name).copied().map(AccountId),
        };
        let steps = process.mirror.checkpoint(&numbering).map_err(|missing| {
            format!("it holds positions or open orders in what has no number now: {missing}")
        })?;
        let blocks: Vec<Block> = strategies
            .iter()
            .map(|(name, number)| Block::Strategy(*number, name.clone()))
            .chain(accounts.iter().map(|(name, number)| Block::Account(*number, name.clone())))
            .collect();
        process.append(&blocks).map_err(told)?;
        let memory = self.shared.memory.try_clone().map_err(told)?;
        let descriptors = vec![memory, ring.into(), file_of(&steps).map_err(told)?];
        process.lifeline = Some(lifeline);
        let mut grant = Grant { strategies, accounts, ..self.grant.clone() };
        grant.rules.daemon_age_max_ns = match process.client.on_daemon_loss {
            OnDaemonLoss::Halt => SILENCE_MAX.0,
            OnDaemonLoss::Static => 0,
        };
        Ok((grant, descriptors))
    }
}

/// Journals that belong to no client: what they hold counts nowhere.
fn undeclared(plan: &Plan, journals: &Path) -> Result<Vec<String>> {
    let mut said = Vec::new();
    for entry in fs::read_dir(journals).with_context(|| journals.display().to_string())? {
        let path = entry.with_context(|| journals.display().to_string())?.path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let declared = name.parse::<Name>().is_ok_and(|name| plan.clients.contains_key(&name));
        if path.extension().is_some_and(|ending| ending == "journal") && !declared {
            said.push(format!(
                "warning: {} is no declared client\'s: what it holds counts into no limit",
                path.display()
            ));
        }
    }
    Ok(said)
}

/// Steps in memory that another process can read.
fn file_of(steps: &[Step]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("portcullis-steps", MemfdFlags::CLOEXEC)?);
    let bytes: Vec<u8> = steps.iter().flat_map(Step::pack).flat_map(u64::to_le_bytes).collect();
    file.write_all(&bytes)?;
    Ok(file.into())
}

/// What every process is given alike.
fn grant_of(plan: &Plan, shared: &SharedMemory) -> Grant {
    let shape = shared.shape;
    let small = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    Grant {
        build: env!("CARGO_PKG_VERSION").to_owned(),
        layout: shared.layout,
        shape: GrantShape {
            instruments: plan.book.instruments,
            classes: small(shape.classes),
            accounts: shape.accounts,
            strategies: shape.strategies,
            dynamics: shape.dynamics,
            surfaces: shape.surfaces,
        },
        rules: grant_rules(plan),
        strategies: BTreeMap::new(),
        accounts: BTreeMap::new(),
    }
}
