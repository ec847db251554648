//! Order processes: who is attached, what they did, and what they held, so that neither their end nor the daemon's loses it.
//!
//! A process writes records into its ring. The daemon takes them out, appends them to the process's journal and follows them in
//! a gate of its own; a process that attaches gets the steps that bring its gate there. The ring lies in memory and outlives
//! both; the journal is the state directory's.

mod breaks;
mod closing;
mod division;
mod halt;
mod holdings;
mod journal;
mod mirror;
mod named;
mod process;
mod quotas;
mod rebased;
mod steps;
#[cfg(test)]
mod tests;

use crate::line::gate_tables::{STRATEGY, SharedMemory, config_of};
use crate::line::grant::{file_of, grant_for, grant_of};
use crate::line::levels::Levels;
use anyhow::{Context, Result, bail};
pub(super) use closing::ClosedScopes;
use control::KnownClients;
use control::backend::QuotaView;
use control::cause::one_line;
use control::config::{Client, ClientMode, OnDaemonLoss, Plan};
use control::names::{Name, Scope};
use control::protocol::Grant;
use division::Standing;
use gate::{AccountId, Gate, GateConfig, QUOTA_LIMITS, SelfMatch, StrategyId};
use journal::Block;
use mirror::Numbering;
pub(super) use process::Counts;
use process::{Process, follow, journal_dir, ring_dir};
use quotas::{Quotas, Used};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use types::{InstrumentId, Nanos, Symbol, UnixNanos};

/// How long the daemon may say nothing before an order process halts that is to. It says so every few milliseconds.
const SILENCE_MAX: Nanos = Nanos(1_000_000_000);

/// Why a client's books are its process's for now.
const RUNS: &str = "a process that is attached as it still runs";

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
    /// Of limits that several clients share; none where there is none.
    quotas: Option<Quotas>,
    /// What the line's prices are, for what clients use of them.
    prices: Option<Gate>,
    /// The numbers of instruments, by name.
    numbers: BTreeMap<Symbol, InstrumentId>,
    /// What is to be told with the next records.
    said: Vec<String>,
}

/// A gate over the line's tables that values what others hold. It judges nothing.
fn prices_of(plan: &Plan, shared: &SharedMemory) -> Result<Gate> {
    let strategies = vec![STRATEGY; shared.shape.strategies.into()];
    let levels = Levels::of(plan);
    let config = levels.within(config_of(plan, shared.shape.accounts, &strategies));
    let config = GateConfig { open_orders_max: 1, recent_orders: 1, self_match: SelfMatch::Off, ..config };
    Ok(Gate::new(&config, shared.tables.clone())?)
}

/// Numbers of strategies and accounts, as the tables have them.
pub(super) struct ScopeNumbers<'a> {
    pub(super) strategies: &'a BTreeMap<Name, StrategyId>,
    pub(super) accounts: &'a BTreeMap<Name, AccountId>,
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

impl Orders {
    /// Opens what every client of `plan` left behind, at `now`. Gives what is to be told.
    ///
    /// # Errors
    /// A ring or a journal that cannot be opened.
    pub(super) fn open(plan: &Plan, shared: SharedMemory, now: UnixNanos) -> Result<(Self, Vec<String>)> {
        // Before the journals' directory: where there is none, nobody has books.
        let is_first = !journal_dir(plan).try_exists()?;
        let (mut known, odd) = KnownClients::open(&plan.instance.state_dir, is_first, now)?;
        own_dir(&journal_dir(plan))?;
        own_dir(&ring_dir(plan))?;
        let config = config_of(plan, 1, &[]);
        let (mut processes, mut unreadable) = (BTreeMap::new(), BTreeMap::new());
        let (mut elsewhere, mut said) = undeclared(plan, (&config, now))?;
        said.extend(odd.map(|what| format!("warning: {what}: a client without a journal is in doubt")));
        for (name, client) in &plan.clients {
            let opened = Process::open(plan, (name, client), &config, (known.has(name), now));
            match opened {
                Ok((process, told)) => {
                    said.extend(told.iter().map(|what| format!("warning: {name}: {what}")));
                    let open = process.mirror.open_order_count();
                    if open > 0 {
                        said.push(format!("{name}: {open} open order(s) from before"));
                    }
                    let mine = |strategy: &Name| client.strategies.contains(strategy);
                    let others =
                        process.mirror.busy_strategies().into_iter().filter(|strategy| !mine(strategy));
                    elsewhere.extend(others.map(|strategy| (strategy, name.to_string())));
                    processes.insert(name.clone(), process);
                }
                // Everybody else goes on.
                Err(error) => {
                    let why = one_line(error.as_ref());
                    said.push(format!("warning: {name} cannot attach: {why}"));
                    unreadable.insert(name.clone(), why);
                }
            }
        }
        for (strategy, holder) in &elsewhere {
            for (name, process) in
                processes.iter_mut().filter(|(_, p)| p.client.strategies.contains(strategy))
            {
                process.doubt().with_context(|| format!("the journal of {name} cannot be written"))?;
                said.push(format!(
                    "warning: {name}: {holder} still holds positions or orders in {strategy}: all of {name}'s are in doubt"
                ));
            }
        }
        known
            .remember(processes.keys().chain(unreadable.keys()))
            .context("which clients have books cannot be written")?;
        let running = processes.iter().filter(|(_, process)| process.may_run()).map(|(name, _)| name);
        let runs: BTreeSet<Name> = running.chain(unreadable.keys()).cloned().collect();
        let (quotas, odd) = Quotas::new(plan, shared.quotas, journal_dir(plan).join("quotas"), &runs);
        said.extend(odd);
        let prices = quotas.is_some().then(|| prices_of(plan, &shared)).transpose()?;
        let (grant, plan, numbers) = (grant_of(plan, &shared), plan.clone(), BTreeMap::new());
        let (lines, told) = (Vec::new(), Vec::new());
        let mut orders =
            Self { plan, unreadable, shared, grant, processes, lines, quotas, prices, numbers, said: told };
        said.extend(orders.divide(now));
        Ok((orders, said))
    }

    /// Divides what clients share anew. What is given to one nobody else can use any more: the words of who gives are lower, and all that
    /// it said before it could see that is taken. Gives what is to be told.
    fn divide(&mut self, now: UnixNanos) -> Vec<String> {
        let Some(mut quotas) = self.quotas.take() else { return Vec::new() };
        for client in quotas.clients() {
            let standing = self.processes.get(&client).map_or(Standing::Fixed, Process::standing);
            quotas.note(&client, standing, |scope| self.used(&client, scope, now));
        }
        for client in quotas.lower(now) {
            let Some(process) = self.processes.get_mut(&client) else { continue };
            // Whatever it says after its words were published it says by them.
            if process.drain_all(&mut self.lines).is_ok_and(|is_whole| is_whole) {
                quotas.seen(&client, |scope| self.used(&client, scope, now));
            }
        }
        let said = quotas.raise(now);
        self.quotas = Some(quotas);
        said
    }

    /// What a client uses of the limits of a group; none when nobody knows.
    fn used(&self, client: &Name, scope: &Scope, now: UnixNanos) -> Used {
        let known = self.processes.get(client).filter(|process| !process.mirror.in_doubt());
        let of = known.zip(self.prices.as_ref());
        of.map_or([None; QUOTA_LIMITS], |(process, prices)| {
            process.mirror.used(scope, (prices, &self.numbers), now)
        })
    }

    /// What everybody may and does use of what clients share.
    pub(super) fn quotas(&self) -> Vec<QuotaView> {
        self.quotas.as_ref().map_or_else(Vec::new, Quotas::views)
    }

    /// Says of every process that is gone that it left nothing behind.
    pub(super) fn close(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        for (name, process) in &mut self.processes {
            // It is held until it is said: nobody writes meanwhile.
            let Ok(Some(_ring)) = process.ring.grant() else { continue };
            let ended = process.drain_all(&mut self.lines).and_then(|is_empty| {
                // What is broken, or waits, is no orderly end.
                if is_empty { process.journal.end() } else { Ok(()) }
            });
            if let Err(error) = ended {
                said.push(format!("warning: {name}: {error}"));
            }
        }
        said
    }

    /// An instrument got its number.
    pub(super) fn define(&mut self, instrument: InstrumentId, symbol: Symbol) {
        if let Some(before) = self.shared.names.get(instrument).filter(|before| *before != symbol) {
            self.numbers.remove(&before);
        }
        self.numbers.insert(symbol, instrument);
        self.shared.names.define(instrument, symbol);
    }

    /// How every process stands, for `status`.
    pub(super) fn standings(&self) -> impl Iterator<Item = (String, BTreeMap<String, u64>)> {
        self.processes.iter().map(|(name, process)| {
            let Counts { accepted, flagged, rejected, lost, damaged, unlogged, would_reject, near_limit } =
                process.counts;
            let all = [
                ("attached", process.seat().is_some().into()),
                ("open_orders", process.mirror.open_order_count() as u64),
                ("accepted", accepted),
                ("flagged", flagged),
                ("rejected", rejected),
                ("lost_records", lost),
                ("damaged_records", damaged),
                ("unlogged_refusals", unlogged),
                ("audit_mode", (process.client.mode == ClientMode::Audit).into()),
                ("would_reject", would_reject),
                ("near_limit", near_limit),
            ];
            let all = all.map(|(counter, value)| (counter.to_owned(), value));
            (format!("order process {name}"), all.into())
        })
    }

    /// What every process's orders came to.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&Name, Counts)> {
        self.processes.iter().map(|(name, process)| (name, process.counts))
    }

    /// Takes what the processes wrote: lines for the verdict log, and what is to be told. What persons have closed is `closed`.
    pub(super) fn drain(&mut self, closed: &ClosedScopes, now: UnixNanos) -> (Vec<String>, Vec<String>) {
        let mut said = core::mem::take(&mut self.said);
        if self.quotas.as_ref().is_some_and(|quotas| quotas.is_due(now)) {
            said.extend(self.divide(now));
        }
        let mut lines = core::mem::take(&mut self.lines);
        let closed = closed.get();
        for (name, process) in &mut self.processes {
            said.extend(process.close(name, &closed));
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
            if process.has_left() {
                let open = process.mirror.open_order_count();
                said.push(format!(
                    "{name} is gone; {open} open order(s) count until it is back and says what became of them"
                ));
            }
        }
        (lines, said)
    }

    /// Strategies that repeated executions have stopped and nobody has taken that over, with whose they are and how often.
    pub(super) fn stops(&self) -> Vec<(Name, Name, u32)> {
        let of = |(client, process): (&Name, &Process)| {
            let stops = process.mirror.stops();
            stops.into_iter().map(|(strategy, count)| (client.clone(), strategy, count)).collect::<Vec<_>>()
        };
        self.processes.iter().flat_map(of).collect()
    }

    /// Up to which number a strategy's stops are in its breaker.
    pub(super) fn taken_stops(&self, client: &Name, strategy: &Name) -> u32 {
        self.processes.get(client).map_or(0, |process| process.mirror.taken_stops(strategy))
    }

    /// Notes that a strategy's stops are in its breaker, up to a number.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub(super) fn take_stops(
        &mut self,
        (client, strategy): (&Name, &Name),
        count: u32,
        now: UnixNanos,
    ) -> io::Result<()> {
        let Some(process) = self.processes.get_mut(client) else { return Ok(()) };
        let block = process.mirror.stop_taken(strategy, count, (process.journal.number, now));
        process.append(block.as_slice())
    }

    /// A client whose process does not run, all that it said taken; and its ring, which nobody else has for as long as it is held.
    ///
    /// # Errors
    /// In a sentence, why not now.
    fn quiet(&mut self, name: &Name) -> Result<(&mut Process, File), String> {
        if let Some(why) = self.unreadable.get(name) {
            return Err(why.clone());
        }
        let process = self.processes.get_mut(name).ok_or("it is not declared")?;
        let told = |error: io::Error| error.to_string();
        if process.broken {
            process.replace_ring(&self.plan, name).map_err(|error| one_line(error.as_ref()))?;
        }
        let Some(ring) = process.ring.grant().map_err(told)? else {
            return Err(RUNS.to_owned());
        };
        // Nobody else writes from here on.
        if process.drain(&mut self.lines).map_err(told)? > 0 || process.broken {
            return Err("its last records are still being taken: try again".to_owned());
        }
        Ok((process, ring))
    }

    /// What a process is given that attaches as `name`, and lives as long as `lifeline`.
    ///
    /// # Errors
    /// In a sentence, why it cannot attach now.
    pub(super) fn attach(
        &mut self,
        name: &Name,
        (lifeline, now): (UnixStream, UnixNanos),
        numbers: &ScopeNumbers<'_>,
        instrument: &dyn Fn(Symbol) -> Option<InstrumentId>,
    ) -> Result<(Grant, Vec<OwnedFd>), String> {
        let told = |error: io::Error| error.to_string();
        let (shared, common) = (self.shared.memory.try_clone().map_err(told)?, self.grant.clone());
        let plan = self.plan.clone();
        let (process, ring) = self.quiet(name)?;
        let Client { strategies, accounts, .. } = &process.client;
        let strategy = |name: &Name| Some((name.clone(), numbers.strategies.get(name)?.0));
        let account = |name: &Name| Some((name.clone(), numbers.accounts.get(name)?.0));
        let strategies: BTreeMap<_, _> = strategies.iter().filter_map(strategy).collect();
        let accounts: BTreeMap<_, _> = accounts.iter().filter_map(account).collect();
        let numbering = Numbering {
            instrument,
            strategy: &|name| strategies.get(name).copied().map(StrategyId),
            account: &|name| accounts.get(name).copied().map(AccountId),
        };
        let steps = process.mirror.checkpoint(&numbering).map_err(|missing| {
            format!("it holds positions or open orders, or traded today, in what the feed or the configuration does not name now: {missing}")
        })?;
        let blocks: Vec<Block> = strategies
            .iter()
            .map(|(name, number)| Block::Strategy(*number, name.clone()))
            .chain(accounts.iter().map(|(name, number)| Block::Account(*number, name.clone())))
            .collect();
        process.append_before_orders(&blocks).map_err(told)?;
        let descriptors = vec![shared, ring.into(), file_of(&steps).map_err(told)?];
        process.take_seat(lifeline, now).map_err(told)?;
        let mut grant = grant_for(&plan, common, (strategies, accounts));
        grant.rules.daemon_age_max_ns = match process.client.on_daemon_loss {
            OnDaemonLoss::Halt => SILENCE_MAX.0,
            OnDaemonLoss::Static => 0,
        };
        grant.rules.audits = process.client.mode == ClientMode::Audit;
        grant.rules.levels.quotas = self.quotas.as_ref().and_then(|quotas| quotas.first_row(name));
        if grant.rules.levels.quotas.is_some() {
            // Before its first order, and not a period later.
            let said = self.divide(now);
            self.said.extend(said);
        }
        Ok((grant, descriptors))
    }
}

/// Strategies in which somebody else than their owner holds something, and who.
type HeldElsewhere = Vec<(Name, String)>;

/// Journals that belong to no client: what they hold counts nowhere. Gives the strategies that they hold something in, with
/// their names, and what is to be told.
fn undeclared(
    plan: &Plan,
    (config, now): (&GateConfig<'_>, UnixNanos),
) -> Result<(HeldElsewhere, Vec<String>)> {
    let (mut held, mut said) = (HeldElsewhere::new(), Vec::new());
    let dir = journal_dir(plan);
    for entry in fs::read_dir(&dir).with_context(|| dir.display().to_string())? {
        let path = entry.with_context(|| dir.display().to_string())?.path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let declared = name.parse::<Name>().is_ok_and(|name| plan.clients.contains_key(&name));
        if path.extension().is_none_or(|ending| ending != "journal") || declared {
            continue;
        }
        said.push(format!(
            "warning: {} is no declared client's: what it holds counts into no limit",
            path.display()
        ));
        match follow(plan, &path, (&[], &[]), (config, now)) {
            Ok(followed) => {
                held.extend(
                    followed.mirror.busy_strategies().into_iter().map(|strategy| (strategy, name.to_owned())),
                );
            }
            Err(error) => said.push(format!("warning: {}", one_line(error.as_ref()))),
        }
    }
    Ok((held, said))
}
