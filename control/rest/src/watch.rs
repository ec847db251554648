//! The thread that asks the appliance how it is, again and again, and makes a [`Picture`] of each answer.

use crate::ask::Line;
use crate::doc::Doc;
use crate::history::History;
use crate::picture::{Instrument, Known, LISTS, Latency, Picture, changes};
use control::client::ClientError;
use control::names::Scope;
use control::protocol::{
    AlertsPage, BreakerRow, BreakersPage, Command, Event, ProposalRow, Reply, StatusReply, TierCell,
};
use serde::Serialize;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::watch::Sender;

/// Pages of breakers and of tiers that are asked for; what is beyond is said to be there and not shown.
const PAGES_MAX: usize = 16;

/// Events asked for at once; what came beyond within one period is asked for in the next.
const EVENTS_MAX: u32 = 1_000;

/// Why there is no picture.
#[derive(Debug)]
enum Failure {
    Client(ClientError),
    /// The appliance answered another question, or what is no JSON.
    Answer(String),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Answer(error.to_string())
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::Answer(what) => f.write_str(what),
        }
    }
}

/// What waits for a second person.
#[derive(Serialize)]
struct ProposalsPage {
    rows: Vec<ProposalRow>,
}

/// Looks at the appliance until the process ends.
pub(crate) struct Watcher {
    line: Line,
    every: Duration,
    known: Sender<Known>,
    history: Arc<Mutex<History>>,
    revision: u64,
    /// The last event that was seen; none before the first picture.
    newest: Option<u64>,
}

impl Watcher {
    pub(crate) fn new(
        socket: &Path,
        every: Duration,
        known: Sender<Known>,
        history: Arc<Mutex<History>>,
    ) -> Self {
        Self { line: Line::new(socket), every, known, history, revision: 0, newest: None }
    }

    /// Begins the thread.
    ///
    /// # Errors
    /// There is none for it.
    pub(crate) fn start(mut self) -> std::io::Result<()> {
        let turns = move || {
            loop {
                let begun = Instant::now();
                self.turn(begun);
                // No sooner than the next period, and for half of the time at most.
                thread::sleep(
                    self.every.saturating_sub(begun.elapsed()).max(begun.elapsed().min(self.every)),
                );
            }
        };
        thread::Builder::new().name("watch".to_owned()).spawn(turns).map(drop)
    }

    fn turn(&mut self, begun: Instant) {
        let before = self.known.borrow().picture.clone();
        let known = match self.look(begun, before.as_deref()) {
            Ok(picture) => Known { picture: Some(Arc::new(picture)), failure: None },
            Err(failure) => Known { picture: before, failure: Some(failure.to_string()) },
        };
        self.known.send_replace(known);
    }

    fn look(&mut self, taken: Instant, before: Option<&Picture>) -> Result<Picture, Failure> {
        let status = self.status()?;
        let instruments: Vec<Instrument> = self.tiers()?.into_iter().map(Instrument::from).collect();
        let same_daemon = before.filter(|before| before.status.started == status.started);
        if same_daemon.is_none() {
            self.newest = None;
        }
        let lists = self.lists(status.events.is_some())?;
        let (status_doc, latency) = (Doc::of(&status)?, Doc::of(&Latency { hops: &status.hops })?);
        // Last: what was read is not read again, and nothing behind it may fail.
        let events = self.events(&status)?;
        let at = status.now.to_string();
        let noted = instruments.iter().map(|row| (row.symbol, row.tier.as_str(), row.score));
        self.history.lock().unwrap_or_else(PoisonError::into_inner).note(&at, noted);
        self.revision += 1;
        Ok(Picture {
            revision: self.revision,
            taken,
            status_doc,
            latency,
            status,
            lists,
            changed: same_daemon.and_then(|before| changes(&before.instruments, &instruments)),
            instruments,
            events,
        })
    }

    fn status(&mut self) -> Result<StatusReply, Failure> {
        let Reply::Status(status) = self.line.call(&Command::Status)? else {
            return Err(unexpected("status"));
        };
        Ok(*status)
    }

    fn tiers(&mut self) -> Result<Vec<TierCell>, Failure> {
        let (mut cells, mut after) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let Reply::TierMap(page) = self.line.call(&Command::TierMap { after })? else {
                return Err(unexpected("tier_map"));
            };
            cells.extend(page.cells);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(cells)
    }

    /// What happened since the last look; at first nothing, since the journal has it.
    fn events(&mut self, status: &StatusReply) -> Result<Vec<Event>, Failure> {
        let Some(kept) = &status.events else { return Ok(Vec::new()) };
        let after = self.newest.unwrap_or(kept.newest);
        if after >= kept.newest {
            self.newest = Some(after);
            return Ok(Vec::new());
        }
        let Reply::Events(page) = self.line.call(&Command::Events { after, count: EVENTS_MAX })? else {
            return Err(unexpected("events"));
        };
        self.newest = Some(page.next);
        Ok(page.rows)
    }

    fn breakers(&mut self) -> Result<BreakersPage, Failure> {
        let (mut rows, mut after): (Vec<BreakerRow>, Option<Scope>) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let Reply::Breakers(page) = self.line.call(&Command::BreakerList { after })? else {
                return Err(unexpected("breaker_list"));
            };
            rows.extend(page.rows);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(BreakersPage { rows, next: after })
    }

    fn alerts(&mut self) -> Result<AlertsPage, Failure> {
        let Reply::Alerts(page) = self.line.call(&Command::AlertsList)? else {
            return Err(unexpected("alerts_list"));
        };
        Ok(page)
    }

    /// [`LISTS`], in their order.
    fn lists(&mut self, keeps_events: bool) -> Result<[Doc; LISTS.len()], Failure> {
        let alerts = if keeps_events { self.alerts()? } else { AlertsPage { rows: Vec::new(), more: 0 } };
        let breakers = self.breakers()?;
        let Reply::Proposals(rows) = self.line.call(&Command::ProposalsList)? else {
            return Err(unexpected("proposals_list"));
        };
        let Reply::Sessions(sessions) = self.line.call(&Command::Sessions { client: None })? else {
            return Err(unexpected("sessions"));
        };
        Ok([Doc::of(&alerts)?, Doc::of(&breakers)?, Doc::of(&ProposalsPage { rows })?, Doc::of(&sessions)?])
    }
}

fn unexpected(command: &str) -> Failure {
    Failure::Answer(format!("the appliance answered {command} with what is no answer to it"))
}
