//! The thread that reconciles: takes copies and facts, compares them, and tells the order thread and the daemon.

use super::CopyInSetup;
use super::ledger::{Break, Ledger, Outcome};
use super::tap::{DOUBTS_MAX, Fact, Shared, Tap, pair};
use super::words::Copied;
use control::client::Client;
use control::protocol::{Command, Reconciliation};
use control::stamp::Stamp;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant, SystemTime};
use types::{Nanos, UnixNanos};

/// Turns without anything to do are this far apart.
const PAUSE: Duration = Duration::from_millis(2);

/// Facts that are taken in one turn.
const FACTS_A_TURN: usize = 4_096;

/// How often the daemon is told, and how long it may take to answer.
const TELL_EVERY: Nanos = Nanos(1_000_000_000);
const TELL_TIMEOUT: Duration = Duration::from_secs(1);

/// Breaks that are told in words at a time, and characters of each.
const TEXTS_MAX: usize = 8;
const TEXT_CHARS_MAX: usize = 300;

/// Why no copies can be taken.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct CopyError {
    /// What was tried.
    pub what: String,
    /// The system's reason.
    pub source: io::Error,
}

/// Where copies come from.
pub(crate) trait Link: Send {
    /// Takes what has come of copies of the gate's session `session`: each is kept when it is added to `out`. Whether anything came.
    fn turn(&mut self, session: u64, now: UnixNanos, out: &mut Vec<Copied>) -> bool;
    /// Whether copies come now.
    fn is_up(&self) -> bool;
    /// Keeps that this was compared.
    fn compared(&mut self, key: u64);
    /// Copies that were not the gateway's.
    fn others(&self) -> u64;
    /// What a person should know.
    fn take_said(&mut self) -> Vec<String>;
}

/// Begins to take copies that come over `link`, on a thread of its own.
///
/// # Errors
/// [`CopyError`].
pub(crate) fn start(setup: &CopyInSetup, link: io::Result<impl Link + 'static>) -> Result<Tap, CopyError> {
    let failed = |what: &str| {
        let what = format!("copies that come in: {what}");
        move |source| CopyError { what, source }
    };
    let link = Box::new(link.map_err(failed("where they come from"))?);
    let (mut tap, (facts, doubts, shared)) = pair(DOUBTS_MAX);
    shared.wants_whole.store(true, Ordering::Relaxed);
    let engine = Engine::new(setup.clone(), link, facts, doubts, shared);
    let thread = std::thread::Builder::new()
        .name(format!("copy-{}", setup.gateway))
        .spawn(move || engine.run())
        .map_err(failed("no thread"))?;
    tap.thread = Some(thread);
    Ok(tap)
}

/// The thread's own.
struct Engine {
    setup: CopyInSetup,
    link: Box<dyn Link>,
    facts: Receiver<Fact>,
    doubts: SyncSender<u64>,
    shared: Arc<Shared>,
    ledger: Ledger,
    /// The venue's session, once the order thread has told.
    session: Option<u64>,
    /// What the gate knows by the time the copies begin is not told by them.
    takes_as_known: bool,
    /// Breaks that the order thread has not been told.
    untold: VecDeque<Break>,
    /// Those that it has, by how many were told before each, and that it has not put in doubt yet.
    told: VecDeque<(u64, u64)>,
    told_count: u64,
    breaks: u64,
    texts: VecDeque<String>,
    was_up: bool,
    since: Stamp,
    told_at: Option<UnixNanos>,
    copied: Vec<Copied>,
}

impl Engine {
    fn new(
        setup: CopyInSetup,
        link: Box<dyn Link>,
        facts: Receiver<Fact>,
        doubts: SyncSender<u64>,
        shared: Arc<Shared>,
    ) -> Self {
        let ledger = Ledger::new(setup.grace);
        Self {
            setup,
            link,
            facts,
            doubts,
            shared,
            ledger,
            session: None,
            takes_as_known: false,
            untold: VecDeque::new(),
            told: VecDeque::new(),
            told_count: 0,
            breaks: 0,
            texts: VecDeque::new(),
            was_up: false,
            since: Stamp(wall()),
            told_at: None,
            copied: Vec::new(),
        }
    }

    fn run(mut self) {
        let began = Instant::now();
        while !self.shared.stop.load(Ordering::Relaxed) {
            // Counted from the thread's begin: a clock that is set makes nobody late.
            let steady = UnixNanos(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
            if !self.turn(steady, wall()) {
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// One turn; whether anything came.
    fn turn(&mut self, steady: UnixNanos, now: UnixNanos) -> bool {
        let told = self.take_facts(steady);
        let copied = self.take_copies(steady, now);
        let is_gate_up = self.shared.is_gate_up.load(Ordering::Relaxed);
        let is_up = self.link.is_up() && self.session.is_some();
        self.ledger.connected(is_gate_up, is_up, steady);
        self.ledger.tick(steady);
        let has_broken = self.take_outcomes();
        self.put_in_doubt();
        if is_up != self.was_up {
            (self.was_up, self.since) = (is_up, Stamp(now));
        }
        self.link.take_said().into_iter().for_each(|line| self.shared.say(format!("copies: {line}")));
        let is_due = self.told_at.is_none_or(|at| steady.since(at) >= TELL_EVERY);
        if is_due || has_broken {
            self.told_at = Some(steady);
            self.tell_daemon();
        }
        told || copied
    }

    fn take_facts(&mut self, steady: UnixNanos) -> bool {
        for taken in 0..FACTS_A_TURN {
            match self.facts.try_recv() {
                Ok(Fact::Order(order)) => self.ledger.order_of_gate(order),
                Ok(Fact::Executed(execution)) => self.ledger.execution_of_gate(execution, steady),
                Ok(Fact::Whole(whole)) => {
                    self.session = Some(whole.session);
                    whole.orders.into_iter().for_each(|order| self.ledger.order_of_gate(order));
                    for execution in whole.executions {
                        if self.takes_as_known {
                            self.ledger.settle(execution.number);
                            self.link.compared(execution.number);
                        } else {
                            self.ledger.execution_of_gate(execution, steady);
                        }
                    }
                    self.takes_as_known = false;
                }
                Err(_) => return taken > 0,
            }
        }
        true
    }

    fn take_copies(&mut self, steady: UnixNanos, now: UnixNanos) -> bool {
        let Some(session) = self.session else { return false };
        let mut copied = std::mem::take(&mut self.copied);
        let came = self.link.turn(session, now, &mut copied);
        for said in copied.drain(..) {
            match said {
                Copied::Begin { is_new } => {
                    self.ledger.clear();
                    self.takes_as_known = is_new;
                    self.shared.wants_whole.store(true, Ordering::Relaxed);
                }
                Copied::Settled(key) => self.ledger.settle(key),
                Copied::Order(order) => self.ledger.order_of_copy(order, steady),
                Copied::Executed(execution) => self.ledger.execution_of_copy(execution, steady),
            }
            self.shared.copies.fetch_add(1, Ordering::Relaxed);
        }
        self.copied = copied;
        came
    }

    /// Whether there was a break.
    fn take_outcomes(&mut self) -> bool {
        let before = self.breaks;
        for outcome in self.ledger.take_outcomes() {
            match outcome {
                Outcome::Matched(key) => self.link.compared(key),
                Outcome::Broken(found) => {
                    self.breaks += 1;
                    self.shared.say(format!(
                        "BREAK, its orders are refused until a person has set the position: {}",
                        found.text
                    ));
                    self.texts.push_back(found.text.chars().take(TEXT_CHARS_MAX).collect());
                    if self.texts.len() > TEXTS_MAX {
                        self.texts.pop_front();
                    }
                    self.untold.push_back(found);
                }
            }
        }
        self.shared.matched.store(self.ledger.matched(), Ordering::Relaxed);
        self.shared.breaks.store(self.breaks, Ordering::Relaxed);
        self.breaks > before
    }

    /// Tells the order thread what is in doubt. It is kept as compared only when it stands at the gate: who is killed before finds it again.
    fn put_in_doubt(&mut self) {
        while let Some(found) = self.untold.front() {
            if self.doubts.try_send(found.id).is_err() {
                break;
            }
            self.told_count += 1;
            self.told.push_back((self.told_count, found.key));
            self.untold.pop_front();
        }
        let doubted = self.shared.doubted.load(Ordering::Acquire);
        while let Some((_, key)) = self.told.front().copied().filter(|(count, _)| *count <= doubted) {
            self.told.pop_front();
            self.link.compared(key);
        }
    }

    /// What is told is how it stands: a daemon that is away hears of it later.
    fn tell_daemon(&mut self) {
        let standing = Reconciliation {
            gateway: self.setup.gateway.clone(),
            client: self.setup.client.clone(),
            up: self.was_up,
            since: self.since,
            matched: self.ledger.matched(),
            waiting: self.ledger.waiting(),
            others: self.link.others(),
            facts_lost: self.shared.lost.load(Ordering::Relaxed),
            breaks: self.breaks,
            last_breaks: self.texts.iter().cloned().collect(),
            heard: None,
        };
        let told = Client::connect(&self.setup.socket, TELL_TIMEOUT)
            .and_then(|mut client| client.call(Command::Reconciled { standing: Box::new(standing) }));
        // It is told again in a second, and says itself when it hears nothing.
        drop(told);
    }
}

fn wall() -> UnixNanos {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixNanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
