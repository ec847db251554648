//! Places that events are sent to, each by a thread of its own, at its own speed, from its own place in the log.
//!
//! A place that takes nothing is tried again and again, ever more seldom; what happens meanwhile waits in the journal. What the
//! journal no longer has by then is counted, and a mark stands where it is missing.

mod file;
mod http;
mod redis;
mod stderr;
mod webhook;

pub(super) use file::FileSink;
pub(super) use redis::{RedisSink, RedisTerms};
pub(super) use stderr::StderrSink;
pub(super) use webhook::WebhookSink;

use super::draft::Draft;
use super::log::{Batch, Cursor, EventLog, lock};
use crate::protocol::{Event, EventKind, Severity, SinkStatus};
use crate::stamp::Stamp;
use hdrhistogram::Histogram;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Events sent at once.
const BATCH_MAX: usize = 256;

/// How long until a place that failed is tried again, at first and at most.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MOST: Duration = Duration::from_secs(5);

/// How long one waits for news.
const TICK: Duration = Duration::from_millis(200);

/// How long the end of the daemon waits for a place to take what is left.
const LAST_WORDS: Duration = Duration::from_millis(1_000);

/// Why a place did not take a batch.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It may later.
    Later(io::Error),
    /// It never will: what it was sent is lost to it.
    Never(String),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Later(error)
    }
}

/// One place.
pub(super) trait Sink: Send {
    /// The newest event that it has, where the place itself knows.
    ///
    /// # Errors
    /// It cannot be reached.
    fn place(&mut self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    /// Sends events, all or none. `newest` is the last event that is done with by them, also of those that it does not want.
    ///
    /// # Errors
    /// [`Refusal`].
    fn send(&mut self, events: &[Arc<Event>], newest: u64) -> Result<(), Refusal>;
}

/// How a place is served.
pub(super) struct Terms {
    pub(super) name: &'static str,
    /// Events below it are not sent.
    pub(super) level: Severity,
    /// Events that a person has silenced are not sent.
    pub(super) spares: bool,
    /// Where its place in the journal is kept; none for one that begins with the daemon.
    pub(super) cursor: Option<PathBuf>,
    /// At first it gets all that the journal has, rather than what comes.
    pub(super) history: bool,
}

/// One place as it is served.
pub(super) struct Runner {
    log: Arc<EventLog>,
    terms: Terms,
    status: Arc<Mutex<SinkStatus>>,
    cursor: Cursor,
    /// The newest event that needs not be sent again.
    done: u64,
    /// Events that the place will never get and has no mark of yet.
    unmarked: u64,
    latency: Histogram<u64>,
    /// The place is known to be reached, and where it is in the journal.
    placed: bool,
    kept: (u64, Instant),
}

impl Runner {
    pub(super) fn new(log: Arc<EventLog>, terms: Terms) -> Self {
        let status = SinkStatus {
            name: terms.name.to_owned(),
            failing: String::new(),
            delivered: 0,
            retries: 0,
            lost: 0,
            waiting: 0,
            p50_us: 0,
            p99_us: 0,
            p999_us: 0,
            max_us: 0,
        };
        let status = Arc::new(Mutex::new(status));
        lock(&log.sinks).push(Arc::clone(&status));
        let newest = log.newest();
        let kept = terms.cursor.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
        let kept = kept
            .and_then(|text| text.trim().parse::<u64>().ok())
            .map(|seq| seq.min(newest).saturating_add(1));
        let next = kept.unwrap_or(if terms.history { 1 } else { newest + 1 });
        // A microsecond to an hour, two digits: what is beyond counts as an hour.
        let latency = Histogram::new_with_bounds(1, 3_600_000_000, 2).expect("fixed bounds that are legal");
        Self {
            log,
            terms,
            status,
            cursor: Cursor::at(next),
            done: next - 1,
            unmarked: 0,
            latency,
            placed: false,
            kept: (0, Instant::now()),
        }
    }

    /// Serves `sink` until the log ends.
    pub(super) fn run(mut self, mut sink: impl Sink) {
        let (mut held, mut pause) = (Vec::new(), RETRY_FIRST);
        let mut ending: Option<Instant> = None;
        loop {
            if self.log.done.load(Ordering::Acquire) {
                let since = *ending.get_or_insert_with(Instant::now);
                let nothing_left = held.is_empty() && self.cursor.next > self.log.newest();
                if nothing_left || since.elapsed() > LAST_WORDS {
                    self.keep_place(true);
                    return;
                }
            }
            match self.serve(&mut sink, &mut held) {
                Ok(()) => {
                    pause = RETRY_FIRST;
                    self.keep_place(false);
                    self.log.wait_beyond(self.cursor.next - 1, TICK);
                }
                Err(error) => {
                    self.failed(&error.to_string());
                    self.rest(if ending.is_some() { RETRY_FIRST } else { pause });
                    pause = (pause * 2).min(RETRY_MOST);
                }
            }
        }
    }

    /// Sends what there is, once.
    fn serve(&mut self, sink: &mut impl Sink, held: &mut Vec<Arc<Event>>) -> io::Result<()> {
        if !self.placed {
            if let Some(newest) = sink.place()? {
                // What claims to be ahead of everything there is has been written by somebody else.
                let newest = newest.min(self.log.newest());
                self.cursor = Cursor::at(newest.saturating_add(1));
                self.done = newest;
                held.clear();
            }
            self.placed = true;
        }
        if held.is_empty() {
            let batch = self.log.advance(&mut self.cursor, BATCH_MAX);
            let late = batch.late;
            *held = self.wanted(batch);
            return self.send(sink, held, late);
        }
        self.send(sink, held, true)
    }

    /// What the place wants of a batch, a mark for what is gone first.
    fn wanted(&mut self, batch: Batch) -> Vec<Arc<Event>> {
        self.unmarked += batch.lost;
        let mut events = Vec::new();
        if let (1.., Some(first)) = (self.unmarked, batch.events.first()) {
            let lost = self.unmarked;
            let text = format!(
                "{lost} events before this one are kept no more and did not reach {}",
                self.terms.name
            );
            let mark = Draft::new(first.at, Severity::Warning, EventKind::Lost, "sink", &text);
            let mark = mark.by(self.terms.name).with("lost", lost);
            events.push(Arc::new(mark.numbered(first.seq.saturating_sub(1))));
            lock(&self.status).lost += lost;
            self.unmarked = 0;
        }
        let Terms { level, spares, .. } = self.terms;
        events.extend(batch.events.into_iter().filter(|e| e.severity >= level && !(spares && e.silenced)));
        events
    }

    fn send(&mut self, sink: &mut impl Sink, held: &mut Vec<Arc<Event>>, late: bool) -> io::Result<()> {
        let newest = self.cursor.next - 1;
        if held.is_empty() {
            self.done = newest;
            return Ok(());
        }
        match sink.send(held, newest) {
            Ok(()) => self.took(held, late),
            Err(Refusal::Later(error)) => {
                // Whether it has them is not known: where the place itself knows, it is asked.
                self.placed = false;
                return Err(error);
            }
            Err(Refusal::Never(why)) => {
                lock(&self.status).lost += held.len() as u64;
                let text = format!("{} refuses {} events for good: {why}", self.terms.name, held.len());
                self.tell(Severity::Warning, &text);
            }
        }
        held.clear();
        self.done = newest;
        let waiting = self.log.newest().saturating_sub(newest);
        lock(&self.status).waiting = waiting;
        Ok(())
    }

    fn took(&mut self, events: &[Arc<Event>], late: bool) {
        let now = self.log.now();
        if !late {
            events.iter().for_each(|event| {
                self.latency.saturating_record(event.at.micros_until(now).max(1));
            });
        }
        let mut status = lock(&self.status);
        status.delivered += events.len() as u64;
        status.p50_us = self.latency.value_at_quantile(0.5);
        status.p99_us = self.latency.value_at_quantile(0.99);
        status.p999_us = self.latency.value_at_quantile(0.999);
        status.max_us = self.latency.max();
        drop(status);
        self.well();
    }

    fn failed(&self, why: &str) {
        let mut status = lock(&self.status);
        status.retries += 1;
        status.waiting = self.log.newest().saturating_sub(self.cursor.next.saturating_sub(1));
        let begins = status.failing.is_empty();
        why.clone_into(&mut status.failing);
        drop(status);
        if begins {
            self.tell(Severity::Warning, &format!("{} takes no events: {why}", self.terms.name));
        }
    }

    fn well(&self) {
        let was = std::mem::take(&mut lock(&self.status).failing);
        if !was.is_empty() {
            self.tell(Severity::Notice, &format!("{} takes events again", self.terms.name));
        }
    }

    fn tell(&self, severity: Severity, text: &str) {
        let scope = format!("sink:{}", self.terms.name);
        self.log.tell(Draft::new(self.log.now(), severity, EventKind::Sink, &scope, text));
    }

    /// Waits, but not beyond the end of the log.
    fn rest(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
            if self.log.done.load(Ordering::Acquire) && pause > RETRY_FIRST {
                return;
            }
        }
    }

    /// Keeps the place in the journal. One that is kept too early loses nothing; one that is lost brings some events again.
    fn keep_place(&mut self, last: bool) {
        let Some(path) = &self.terms.cursor else { return };
        let done = self.done;
        let (kept, at) = self.kept;
        if done != kept && (last || at.elapsed() > TICK) {
            drop(super::journal::replace(path, done.to_string().as_bytes()));
            self.kept = (done, Instant::now());
        }
    }
}

/// The line of an event for people: `2026-11-21T14:30:22.000Z WARNING feed feed:xnas: silent`.
fn line_for_people(event: &Event) -> String {
    let severity = event.severity.as_str().to_uppercase();
    let Event { at, kind, scope, text, .. } = event;
    format!("{} {severity} {kind} {scope}: {text}", Milliseconds(*at))
}

/// A moment to the millisecond.
struct Milliseconds(Stamp);

impl std::fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}
