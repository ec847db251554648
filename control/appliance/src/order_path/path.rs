//! Firm, gateway and venue in step: after each event all three go on until none of them has anything to do.

use super::answer::Answers;
use super::firm::{self, Firm, mpid};
use super::inside::{LetIn, let_in};
use super::street::{self, Street};
use crate::line::gate_tables::{SharedMemory, since};
use crate::line::names::NameTable;
use crate::line::notes::{BookNote, VerdictRecord};
use crate::line::order_route::{MakeRoute, OrderRoute};
use crate::orders::OrderRow;
use crate::output::tell;
use anyhow::{Context, Result, bail, ensure};
use attach::InstrumentNames;
use attach::ring::RingReader;
use control::cause::one_line;
use control::config::Plan;
use egress::orders::OrderPort;
use egress::ouch::{Dialect, Gateway, Logins, Setup};
use egress::owner::{Counted, Owner};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use types::{Nanos, UnixNanos};

/// Rounds after which firm, gateway and venue are at rest: an order takes five.
const ROUNDS_MAX: u32 = 1_000;

/// How often timers are looked after when nothing happens.
const TURN: Nanos = Nanos(100 * Nanos::MILLI.0);

/// Time in which all have logged in: the gateway looks after logins every millisecond.
const LOGIN: Nanos = Nanos(50 * Nanos::MILLI.0);

/// Makes the way of the orders in `rows` through a gateway of this name, which keeps its streams in a folder of that name below `dir`.
pub(crate) fn route(
    plan: &Plan,
    rows: &Arc<[OrderRow]>,
    (name, dir, seed): (&'static str, &Path, u64),
    answers: Answers,
) -> MakeRoute {
    let (plan, rows, dir) = (plan.clone(), Arc::clone(rows), dir.join(name));
    Box::new(move |shared| {
        let parts = Parts { plan, rows, name, dir, seed, answers };
        Ok(Box::new(OuchPath::new(parts, shared)?))
    })
}

/// What a way is made of.
struct Parts {
    plan: Plan,
    rows: Arc<[OrderRow]>,
    name: &'static str,
    dir: PathBuf,
    seed: u64,
    answers: Answers,
}

/// The whole way.
struct OuchPath {
    name: &'static str,
    firm: Firm,
    gateway: Gateway,
    street: Street,
    names: InstrumentNames,
    ring: RingReader,
    /// The appliance's end of the thread's connection.
    _lifeline: UnixStream,
    answers: Answers,
    turned_at: UnixNanos,
}

/// Files of a gateway that ran here before.
fn clear(dir: &Path) -> Result<()> {
    let told = || format!("cannot make the folder {}", dir.display());
    std::fs::create_dir_all(dir).with_context(told)?;
    for entry in std::fs::read_dir(dir).with_context(told)? {
        let path = entry.with_context(told)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(".stream") || ["session", "at-odds", "order.ring"].contains(&name) {
            std::fs::remove_file(&path).with_context(told)?;
        }
    }
    Ok(())
}

impl OuchPath {
    /// All of it, logged in by the time of the first order.
    fn new(parts: Parts, shared: &SharedMemory) -> Result<Self> {
        let Parts { plan, rows, name, dir, seed, answers } = parts;
        clear(&dir)?;
        let first = rows.first().context("no orders")?.ts;
        let now = UnixNanos(first.0.saturating_sub(LOGIN.0));
        let owners = firm::counted(&rows)?;
        let numbers = NameTable::of(&rows);
        let strategies = owners.iter().map(|owner| &owner.strategy);
        let accounts = owners.iter().map(|owner| &owner.account);
        let scopes = (
            strategies.map(|name| (name.clone(), numbers.strategy(name.as_str()).0)).collect(),
            accounts.map(|name| (name.clone(), numbers.account(name.as_str()).0)).collect(),
        );
        let LetIn { thread, ring, lifeline } = let_in((&plan, shared), scopes, &dir)?;
        let port = OrderPort::of(owner(&owners)?, thread)?;
        let pair = || UnixStream::pair().context("no connection within the process");
        let ((of_firm, to_firm), (to_venue, of_venue)) = (pair()?, pair()?);
        let street = Street::new(of_venue, seed, now)?;
        let gateway = Gateway::between(setup(&dir, owners.len()), port, (to_firm, to_venue), now)?;
        let firm = Firm::new((&rows, &owners), of_firm, answers.clone(), now)?;
        let (names, turned_at) = (shared.names, now);
        let mut path =
            Self { name, firm, gateway, street, names, ring, _lifeline: lifeline, answers, turned_at };
        path.log_in(now)?;
        Ok(path)
    }

    fn log_in(&mut self, begin: UnixNanos) -> Result<()> {
        for ms in 0..LOGIN.0 / Nanos::MILLI.0 {
            self.come_to_rest(begin.plus(Nanos(ms * Nanos::MILLI.0)))?;
            if self.firm.is_in() {
                return Ok(());
            }
        }
        bail!("the firm is not let in")
    }

    /// Everybody does what there is to do at `now`; how long the gateway's first turn took.
    fn come_to_rest(&mut self, now: UnixNanos) -> Result<Nanos> {
        self.turned_at = self.turned_at.max(now);
        let mut first = None;
        for _ in 0..ROUNDS_MAX {
            let start = Instant::now();
            let mut busy = self.gateway.turn(now);
            first.get_or_insert_with(|| since(start));
            busy |= self.street.turn(now)?;
            busy |= self.firm.hear(now)?;
            if !busy {
                self.gateway
                    .take_said()
                    .iter()
                    .for_each(|line| tell(format_args!("gateway {}: {line}", self.name)));
                return Ok(first.unwrap_or_default());
            }
        }
        bail!("firm, gateway and venue do not come to rest")
    }

    /// What the gate has said since the last call, in a turn of the gateway's that took `check`.
    fn verdicts(&mut self, check: Nanos, said: &mut dyn FnMut(VerdictRecord)) -> Result<()> {
        let drained = self.ring.drain(u64::MAX, |records, _| {
            for record in records {
                let Some((intent, verdict, _)) = record.entry.judged() else { continue };
                // The gateway's number of an order has the firm's in its lower half, which counts the rows from 1.
                let tag = ((intent.cl_ord_id & 0xffff_ffff) as u32).wrapping_sub(1);
                said(VerdictRecord { ts: record.at, tag, verdict, check });
            }
            Ok(())
        })?;
        ensure!(drained.damaged + drained.lost + drained.unlogged == 0, "records were lost: {drained:?}");
        Ok(())
    }

    fn carry(&mut self, until: UnixNanos, said: &mut dyn FnMut(VerdictRecord)) -> Result<u32> {
        let mut worked = 0;
        while let Some(due) = self.firm.due().filter(|due| *due < until) {
            self.firm.act(due)?;
            let check = self.come_to_rest(due)?;
            self.verdicts(check, said)?;
            worked += 1;
        }
        let is_end = until.0 >= u64::MAX - 1;
        if !is_end && until.since(self.turned_at) >= TURN {
            self.firm.keep_alive(until)?;
            self.come_to_rest(until)?;
            self.verdicts(Nanos(0), said)?;
        }
        Ok(worked)
    }

    fn take_note(&mut self, note: &BookNote) -> Result<()> {
        match *note {
            BookNote::Define { defined, .. } => {
                self.names.define(defined.instrument, defined.symbol);
                self.street.define(defined.instrument, defined.symbol);
            }
            BookNote::Depth { instrument, ref depth, .. } => self.street.publish(instrument, depth),
            BookNote::Top { instrument, top } => {
                if self.street.moved(instrument, top.ts) {
                    self.come_to_rest(top.ts)?;
                }
            }
            BookNote::Complete { .. } | BookNote::Grid(_) => {}
        }
        Ok(())
    }

    /// Keeps what went wrong, the first time; nothing is carried from then on.
    fn keep<T: Default>(&self, done: Result<T>) -> T {
        done.unwrap_or_else(|error| {
            self.answers.told().trouble.get_or_insert(format!(
                "gateway {}: {}",
                self.name,
                one_line(error.as_ref())
            ));
            T::default()
        })
    }

    fn is_in_trouble(&self) -> bool {
        self.answers.told().trouble.is_some()
    }
}

impl OrderRoute for OuchPath {
    fn hear(&mut self, note: &BookNote) {
        if !self.is_in_trouble() {
            let noted = self.take_note(note);
            self.keep(noted);
        }
    }

    fn work(&mut self, until: UnixNanos, said: &mut dyn FnMut(VerdictRecord)) -> u32 {
        if self.is_in_trouble() {
            return 0;
        }
        let carried = self.carry(until, said);
        self.keep(carried)
    }
}

/// Whose orders the gateway carries: those of the first are entered for no MPID.
fn owner(owners: &[Counted]) -> Result<Owner> {
    let (own, others) = owners.split_first().context("no orders")?;
    let client = "demo".parse()?;
    Ok(Owner { socket: PathBuf::new(), client, own: own.clone(), others: others.to_vec() })
}

fn setup(dir: &Path, owners: usize) -> Setup {
    Setup {
        dialect: Dialect::V50,
        mpids: (1..owners).map(mpid).collect(),
        logins: Logins {
            firm_username: firm::USERNAME.to_owned(),
            firm_password: firm::PASSWORD.to_owned(),
            venue_username: street::USERNAME.to_owned(),
            venue_password: street::PASSWORD.to_owned(),
        },
        cancel_on_disconnect: true,
        cancel_on_halt: true,
        store_dir: dir.to_owned(),
        copy_in: None,
    }
}
