//! One order process: its ring, its journal, and the gate that follows it.

use super::breaks::Breaks;
use super::division::Standing;
use super::journal::{Block, Cut, Journal};
use super::mirror::Mirror;
use super::quotas::has_divided;
use crate::line::gate_tables::STRATEGY;
use crate::line::levels::groups_of;
use crate::line::topology::order_ring;
use crate::tables::VerdictRow;
use anyhow::{Context, Result};
use attach::record::Record;
use attach::ring::RingReader;
use control::config::{Client, Plan};
use control::names::Name;
use gate::{Decision, Flags, GateConfig};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use types::{Nanos, UnixNanos};

/// What an order process's orders came to, and what of its records was lost.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::run) struct Counts {
    pub(in crate::run) accepted: u64,
    pub(in crate::run) flagged: u64,
    pub(in crate::run) rejected: u64,
    /// Records that found the ring full.
    pub(in crate::run) lost: u64,
    /// Records that were none.
    pub(in crate::run) damaged: u64,
    /// Refused orders that are in no log, since the ring was half full.
    pub(in crate::run) unlogged: u64,
    /// Of the flagged, orders that would have been refused but for audit mode.
    pub(in crate::run) would_reject: u64,
    /// Orders that were let through above the share of a limit at which they are flagged.
    pub(in crate::run) near_limit: u64,
}

/// One order process.
pub(super) struct Process {
    pub(super) client: Client,
    pub(super) ring: RingReader,
    pub(super) journal: Journal,
    pub(super) mirror: Mirror,
    pub(super) counts: Counts,
    /// What the order of the next record breaks, in audit mode.
    breaks: Breaks,
    /// The process that is attached.
    lifeline: Option<Lifeline>,
    /// Its ring was written over.
    pub(super) broken: bool,
    /// Bytes at which the journal is summarised.
    pub(super) journal_max: u64,
    /// Why its records cannot be taken, as it was last told.
    pub(super) failing: Option<String>,
}

/// The connection of a process that is attached, and who it is.
struct Lifeline {
    stream: UnixStream,
    seat: Seat,
}

/// Who is attached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    pub(super) pid: i32,
    pub(super) uid: u32,
    pub(super) since: UnixNanos,
}

/// Bytes of a journal at which it is summarised: half a million orders and answers, read in a fraction of a second.
const JOURNAL_BYTES: u64 = 64 << 20;

/// Records that one process may have taken at a time: the housekeeping that takes them has other things to do.
const DRAIN_MAX: u64 = 1_024;

/// Where the rings lie.
pub(super) fn ring_dir(plan: &Plan) -> PathBuf {
    if plan.orders.ring_dir.as_os_str().is_empty() {
        plan.instance.socket.with_file_name("orders")
    } else {
        plan.orders.ring_dir.clone()
    }
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
    let open = || order_ring(plan, path, fresh_identity());
    match open() {
        Ok(ring) => Ok((ring, None)),
        Err(error) => {
            fs::rename(path, path.with_extension("bad")).with_context(told)?;
            Ok((open().with_context(told)?, Some(format!("{}: {error}: set aside", path.display()))))
        }
    }
}

/// Where the journals lie.
pub(super) fn journal_dir(plan: &Plan) -> PathBuf {
    plan.instance.state_dir.join("orders")
}

/// A journal as it was found.
pub(super) struct Followed {
    /// The gate that took all of it.
    pub(super) mirror: Mirror,
    pub(super) journal: Journal,
    /// What was wrong at its end.
    pub(super) cut: Option<Cut>,
    /// How far its times were ahead of now, in nanoseconds; the gate has them as of now.
    pub(super) ahead: u64,
}

/// The journal at `path`, with room for these strategies and accounts besides those it names, at `now`.
pub(super) fn follow(
    plan: &Plan,
    path: &Path,
    (strategies, accounts): (&[Name], &[Name]),
    (config, now): (&GateConfig<'_>, UnixNanos),
) -> Result<Followed> {
    let mut known: (BTreeSet<Name>, BTreeSet<Name>) =
        (strategies.iter().cloned().collect(), accounts.iter().cloned().collect());
    let (_, cut) = Journal::open(path, |block| match block {
        Block::Strategy(_, name) => _ = known.0.insert(name.clone()),
        Block::Account(_, name) => _ = known.1.insert(name.clone()),
        Block::Record(_) | Block::Ring(_) | Block::Lost(_) | Block::Clean | Block::Taken { .. } => {}
    })?;
    // A gate has at least one of each.
    let strategies = vec![STRATEGY; known.0.len().max(1)];
    let accounts = u16::try_from(known.1.len().max(1)).context("more accounts than a gate can have")?;
    let (scopes, groups, strategy_groups) =
        if has_divided(plan) { groups_of(plan, known.0.iter()) } else { Default::default() };
    // Whatever limits an account has now or gets later, what it holds is known then.
    let config = GateConfig {
        strategies: &strategies,
        accounts,
        account_positions: true,
        // So is what was traded today.
        profit: Some(plan.profit),
        // What it uses of limits that clients share is valued elsewhere: here is no price.
        groups: &groups,
        strategy_groups: &strategy_groups,
        mark_age_max: Nanos(0),
        ..*config
    };
    let begin = || {
        let mut mirror = Mirror::new(&config, plan.book.instruments as usize)?;
        mirror.know(&known.0, &known.1);
        mirror.groups.clone_from(&scopes);
        Ok::<_, anyhow::Error>(mirror)
    };
    let mut mirror = begin()?;
    let (journal, _) = Journal::open(path, |block| mirror.take(block))?;
    let (blocks, ahead) = mirror.rebased(journal.number, now);
    if ahead > 0 {
        mirror = begin()?;
        blocks.iter().for_each(|block| mirror.take(block));
    }
    Ok(Followed { mirror, journal, cut, ahead })
}

impl Process {
    /// Opens the ring and the journal of one client, of which it is known that it had one or that it is new. Gives what is to be told.
    pub(super) fn open(
        plan: &Plan,
        (name, client): (&Name, &Client),
        config: &GateConfig<'_>,
        (is_known, now): (bool, UnixNanos),
    ) -> Result<(Self, Vec<String>)> {
        let path = journal_dir(plan).join(format!("{name}.journal"));
        let scopes = (&client.strategies[..], &client.accounts[..]);
        let Followed { mirror, journal, cut, ahead } = follow(plan, &path, scopes, (config, now))?;
        let is_gone = is_known && journal.ring.is_none();
        let (ring, aside) = open_ring(plan, &ring_dir(plan).join(format!("{name}.ring")))?;
        let (client, counts) = (client.clone(), Counts::default());
        let mut process = Self {
            client,
            ring,
            journal,
            mirror,
            counts,
            breaks: Breaks::default(),
            lifeline: None,
            broken: false,
            journal_max: JOURNAL_BYTES,
            failing: None,
        };
        let doubt = is_gone || cut.as_ref().is_some_and(|cut| cut.doubt);
        process
            .begin(doubt, ahead)
            .with_context(|| format!("the journal {} cannot be written", path.display()))?;
        let gone = is_gone.then(|| {
            format!(
                "{}: missing or empty, and it was not: every position is in doubt until it is set",
                path.display()
            )
        });
        let wrong = (ahead > 0).then(|| {
            format!(
                "{}: times up to {:.3} s from now: a clock was wrong; they count as of now",
                path.display(),
                ahead as f64 / 1e9
            )
        });
        Ok((process, cut.map(|cut| cut.told).into_iter().chain(gone).chain(wrong).chain(aside).collect()))
    }

    /// What a start writes, on disk before anybody can attach.
    fn begin(&mut self, doubt: bool, ahead: u64) -> io::Result<()> {
        self.take_up_ring(doubt)?;
        if ahead > 0 {
            // Once: what is seen from now on is of a clock that is right.
            self.summarise()?;
        }
        self.journal.keep()?;
        self.journal.keep_name()
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

    /// Writes blocks into the journal before a process attaches. What says that all ended in order is over on disk before its first order:
    /// after a power loss nobody takes the orders that were not written yet for none.
    pub(super) fn append_before_orders(&mut self, blocks: &[Block]) -> io::Result<()> {
        let was_clean = self.journal.is_clean;
        let Journal { number, lost, .. } = self.journal;
        let taken = (was_clean && blocks.is_empty()).then_some(Block::Taken { number, lost });
        self.append(taken.as_slice())?;
        self.append(blocks)?;
        if self.journal.is_kept_clean() { self.journal.keep() } else { Ok(()) }
    }

    /// Writes blocks into the journal, and follows them.
    pub(super) fn append(&mut self, blocks: &[Block]) -> io::Result<()> {
        self.journal.append(blocks)?;
        blocks.iter().for_each(|block| self.mirror.take(block));
        Ok(())
    }

    /// Puts every position in doubt.
    pub(super) fn doubt(&mut self) -> io::Result<()> {
        self.append(&[Block::Lost(self.journal.lost)])
    }

    /// Takes what waits in the ring, up to a bound; gives the lines for the verdict log, and how many records are left.
    pub(super) fn drain(&mut self, lines: &mut Vec<String>) -> io::Result<u64> {
        if self.broken {
            return Ok(0);
        }
        let Self { ring, journal, mirror, counts, breaks, .. } = self;
        let drained = ring.drain(DRAIN_MAX, |records, damaged| {
            let logged = |record: &&Record| record.entry.is_for_the_log();
            let kept = records.iter().filter(|record| !logged(record));
            let mut blocks: Vec<Block> = kept.map(|record| Block::Record(*record)).collect();
            if let Some(last) = records.last().filter(logged) {
                blocks.push(Block::Taken { number: last.number, lost: journal.lost });
            }
            if damaged > 0 {
                blocks.push(Block::Lost(journal.lost));
            }
            journal.append(&blocks)?;
            blocks.iter().for_each(|block| mirror.take(block));
            counts.damaged = counts.damaged.saturating_add(damaged);
            for record in records {
                lines.extend(line_of(record, mirror, counts, breaks));
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
        if self.journal.len() > self.journal_max {
            self.summarise()?;
        }
        Ok(drained.left)
    }

    /// Takes everything that waits in the ring of a process that is gone; whether nothing is left, or may be.
    pub(super) fn drain_all(&mut self, lines: &mut Vec<String>) -> io::Result<bool> {
        // No more than a ring holds, since nobody writes.
        for _ in 0..=self.ring.capacity() / DRAIN_MAX {
            if self.drain(lines)? == 0 {
                return Ok(!self.broken);
            }
        }
        Ok(false)
    }

    /// Makes the journal as short as what it says.
    fn summarise(&mut self) -> io::Result<()> {
        let Self { journal, mirror, ring, .. } = self;
        let mut blocks = vec![Block::Ring(ring.identity())];
        blocks.extend(mirror.summary(journal.number));
        blocks.push(Block::Taken { number: journal.number, lost: journal.lost });
        journal.replace(&blocks)?;
        self.journal_max = JOURNAL_BYTES.max(self.journal.len().saturating_mul(2));
        Ok(())
    }

    /// Puts a new ring in the place of one that was written over.
    pub(super) fn replace_ring(&mut self, plan: &Plan, name: &Name) -> Result<()> {
        let path = ring_dir(plan).join(format!("{name}.ring"));
        fs::rename(&path, path.with_extension("bad")).with_context(|| path.display().to_string())?;
        self.ring = open_ring(plan, &path)?.0;
        self.broken = false;
        self.take_up_ring(true).context("its journal cannot be written")
    }

    /// Somebody is attached from now on, for as long as `stream` is.
    ///
    /// # Errors
    /// When the system does not say who.
    pub(super) fn take_seat(&mut self, stream: UnixStream, since: UnixNanos) -> io::Result<()> {
        let peer = rustix::net::sockopt::socket_peercred(&stream)?;
        let seat = Seat { pid: peer.pid.as_raw_nonzero().get(), uid: peer.uid.as_raw(), since };
        self.lifeline = Some(Lifeline { stream, seat });
        Ok(())
    }

    /// Who is attached.
    pub(super) fn seat(&self) -> Option<Seat> {
        self.lifeline.as_ref().map(|lifeline| lifeline.seat)
    }

    /// Whether somebody has its ring, or nobody knows.
    pub(super) fn may_run(&self) -> bool {
        !matches!(self.ring.grant(), Ok(Some(_)))
    }

    /// How it stands to its quotas. What it left open keeps them as they were.
    pub(super) fn standing(&self) -> Standing {
        if self.seat().is_some() {
            return Standing::Attached;
        }
        let waits = self.broken || self.failing.is_some() || self.ring.waiting().map_or(true, |n| n > 0);
        if self.may_run() || waits || self.mirror.open_order_count() > 0 || self.mirror.in_doubt() {
            Standing::Fixed
        } else {
            Standing::Away
        }
    }

    /// Gives the seat up when whoever had it is gone; whether that is so now.
    pub(super) fn has_left(&mut self) -> bool {
        let left = self.lifeline.as_ref().is_some_and(|lifeline| hung_up(&lifeline.stream));
        if left {
            self.lifeline = None;
        }
        left
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
fn line_of(record: &Record, mirror: &Mirror, counts: &mut Counts, breaks: &mut Breaks) -> Option<String> {
    breaks.take(record);
    let (order, verdict, check) = record.entry.judged()?;
    let others = breaks.of(order.cl_ord_id, &verdict);
    counts.would_reject += u64::from(verdict.would_reject());
    counts.near_limit += u64::from(verdict.accepted() && verdict.flags.has(Flags::NEAR_LIMIT));
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
        others: &others,
        check,
    };
    Some(row.to_string())
}
