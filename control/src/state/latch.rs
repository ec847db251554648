//! Latches: the halt and every tripped breaker, with who, when and why, on disk before anybody is told of them.

use super::sealed::{self, SealError};
use crate::names::Scope;
use crate::protocol::{BreakerRow, TripMode};
use crate::stamp::Stamp;
use gate::{Breaker, BreakerCause, BreakerState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};

const KIND: &str = "portcullis-latch";
const VERSION: u32 = 1;

/// Who tripped it. One scope can be tripped by several at once; each is ended by its own command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cause {
    /// A person, over the control socket.
    Officer,
    /// The model, entering Critical.
    Model,
    /// A watchdog of the appliance.
    Watchdog,
    /// The configuration (`instance.start_halted`).
    Boot,
    /// This file or its neighbour was found damaged.
    Latch,
}

impl Cause {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Officer => "officer",
            Self::Model => "model",
            Self::Watchdog => "watchdog",
            Self::Boot => "boot",
            Self::Latch => "latch",
        }
    }

    const fn of_gate(self) -> BreakerCause {
        match self {
            Self::Officer => BreakerCause::Officer,
            Self::Model => BreakerCause::Model,
            Self::Watchdog => BreakerCause::Watchdog,
            Self::Boot => BreakerCause::Boot,
            Self::Latch => BreakerCause::Latch,
        }
    }
}

/// One trip or halt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) episode: u64,
    pub(crate) mode: TripMode,
    pub(crate) cause: Cause,
    pub(crate) since: Stamp,
    pub(crate) by: String,
    pub(crate) reason: String,
    pub(crate) ticket: String,
}

impl Entry {
    fn breaker(&self) -> Breaker {
        let state = match self.mode {
            TripMode::ReduceOnly => BreakerState::ReduceOnly,
            TripMode::Tripped => BreakerState::Tripped,
        };
        // The word has 16 bits for the episode; the file keeps all of it.
        let episode = (self.episode & 0xffff) as u16;
        Breaker { state, cause: self.cause.of_gate(), episode }
    }

    pub(crate) fn row(&self, scope: Option<Scope>) -> BreakerRow {
        BreakerRow {
            scope,
            state: self.mode.as_str().to_owned(),
            cause: self.cause.as_str().to_owned(),
            episode: self.episode,
            since: self.since,
            by: self.by.clone(),
            reason: self.reason.clone(),
            ticket: self.ticket.clone(),
        }
    }
}

/// The content of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Latches {
    /// Number of the last trip or halt; never reused.
    episode: u64,
    halt: Option<Entry>,
    /// By scope; one entry per cause.
    breakers: BTreeMap<Scope, Vec<Entry>>,
}

/// The latches and their file.
#[derive(Debug)]
pub(crate) struct LatchFile {
    path: PathBuf,
    latches: Latches,
    /// The file on disk cannot be believed and is to be kept when it is next replaced.
    keep_damaged: bool,
    /// The last write failed: the file says less than is latched.
    unwritten: bool,
}

impl LatchFile {
    /// Reads the latches. A file that cannot be believed, or that is gone although the audit log says it was there
    /// (`expected`), yields a halt with cause [`Cause::Latch`].
    pub(crate) fn open(dir: &Path, expected: bool, now: Stamp) -> Self {
        let path = dir.join("latch.sealed");
        let body = sealed::read(&path, KIND, VERSION);
        let parsed = body.and_then(|body| match body {
            Some(body) => serde_json::from_slice(&body)
                .map(Some)
                .map_err(|e| SealError::damaged(&path, format!("sealed, yet not latches: {e}"))),
            None => Ok(None),
        });
        let damage = match parsed {
            Ok(Some(latches)) => return Self { path, latches, keep_damaged: false, unwritten: false },
            Ok(None) if !expected => {
                return Self { path, latches: Latches::default(), keep_damaged: false, unwritten: false };
            }
            Ok(None) => format!("{}: missing, although the audit log holds earlier commands", path.display()),
            Err(error) => error.to_string(),
        };
        let mut file = Self { path, latches: Latches::default(), keep_damaged: true, unwritten: false };
        file.halt_for_damage(&damage, now);
        file
    }

    /// Halts because state on disk cannot be believed. Takes the place of a halt that stands: what a risk_admin must end
    /// is not to be hidden behind what an officer may.
    pub(crate) fn halt_for_damage(&mut self, damage: &str, now: Stamp) {
        self.latches.halt = None;
        // Starts over from the clock, so that episodes of the lost file are not used again.
        self.latches.episode = self.latches.episode.max(now.0.0 / 1_000_000_000);
        self.set_halt(Cause::Latch, now, "portcullis", damage, "");
    }

    /// Writes the file. Everything that tightens calls this once it is in force and before it is answered; everything
    /// that loosens, before it takes effect.
    ///
    /// # Errors
    /// [`SealError`]; the file on disk is then as it was.
    pub(crate) fn persist(&mut self, now: Stamp) -> Result<(), SealError> {
        self.unwritten = true;
        let body = serde_json::to_vec_pretty(&self.latches)
            .map_err(|e| SealError::damaged(&self.path, e.to_string()))?;
        if self.keep_damaged {
            sealed::set_aside(&self.path, now.0.0)?;
            self.keep_damaged = false;
        }
        sealed::write(&self.path, KIND, VERSION, &body)?;
        self.unwritten = false;
        Ok(())
    }

    /// Whether the file says less than is latched, because the last write failed.
    pub(crate) const fn unwritten(&self) -> bool {
        self.unwritten
    }

    /// The halt in force.
    pub(crate) const fn halt(&self) -> Option<&Entry> {
        self.latches.halt.as_ref()
    }

    /// Every tripped breaker, by scope.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Scope, &Entry)> {
        self.latches
            .breakers
            .iter()
            .flat_map(|(scope, entries)| entries.iter().map(move |entry| (scope, entry)))
    }

    /// Scopes with a tripped breaker after `after`, in order, each with everything that tripped it.
    pub(crate) fn scopes_after(&self, after: Option<&Scope>) -> impl Iterator<Item = (&Scope, &[Entry])> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.latches.breakers.range::<Scope, _>((from, Bound::Unbounded));
        range.map(|(scope, entries)| (scope, entries.as_slice()))
    }

    /// Everything that tripped one scope.
    pub(crate) fn of(&self, scope: &Scope) -> &[Entry] {
        self.latches.breakers.get(scope).map_or(&[], Vec::as_slice)
    }

    fn next_episode(&mut self) -> u64 {
        self.latches.episode = self.latches.episode.saturating_add(1);
        self.latches.episode
    }

    /// Halts, unless halted; returns the episode and whether anything changed.
    pub(crate) fn set_halt(
        &mut self,
        cause: Cause,
        since: Stamp,
        by: &str,
        reason: &str,
        ticket: &str,
    ) -> (u64, bool) {
        if let Some(halt) = &self.latches.halt {
            return (halt.episode, false);
        }
        let (episode, mode) = (self.next_episode(), TripMode::Tripped);
        let (by, reason, ticket) = (by.to_owned(), reason.to_owned(), ticket.to_owned());
        self.latches.halt = Some(Entry { episode, mode, cause, since, by, reason, ticket });
        (episode, true)
    }

    /// Ends the halt.
    pub(crate) fn clear_halt(&mut self) -> Option<Entry> {
        self.latches.halt.take()
    }

    /// Trips `scope`, unless it already is, by the same cause and at least as far; returns the episode and whether
    /// anything changed.
    pub(crate) fn trip(&mut self, scope: &Scope, mut entry: Entry) -> (u64, bool) {
        let episode = self.latches.episode.saturating_add(1);
        let entries = self.latches.breakers.entry(scope.clone()).or_default();
        entry.episode = episode;
        match entries.iter_mut().find(|standing| standing.cause == entry.cause) {
            Some(standing) if standing.mode >= entry.mode => return (standing.episode, false),
            Some(standing) => *standing = entry,
            None => entries.push(entry),
        }
        self.latches.episode = episode;
        (episode, true)
    }

    /// Ends what the given causes tripped in `scope`; returns what was ended.
    pub(crate) fn reset(&mut self, scope: &Scope, causes: &[Cause]) -> Vec<Entry> {
        let entries = self.latches.breakers.remove(scope).unwrap_or_default();
        let (ended, kept): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| causes.contains(&entry.cause));
        if !kept.is_empty() {
            self.latches.breakers.insert(scope.clone(), kept);
        }
        ended
    }

    /// What the gate's word for `scope` must say: the strictest of everything latched, the halt included for the firm.
    pub(crate) fn breaker(&self, scope: &Scope) -> Breaker {
        let halt = self.latches.halt.iter().filter(|_| *scope == Scope::Firm);
        let strictest = self.of(scope).iter().chain(halt).max_by_key(|e| (e.mode, e.episode));
        let open = Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 };
        strictest.map_or(open, Entry::breaker)
    }

    /// Copies the latches, to put them back when a change could not be written.
    pub(crate) fn checkpoint(&self) -> impl FnOnce(&mut Self) + use<> {
        let latches = self.latches.clone();
        move |file| file.latches = latches
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::UnixNanos;

    const NOW: Stamp = Stamp(UnixNanos(1_795_271_422_000_000_000));

    fn entry(cause: Cause, mode: TripMode) -> Entry {
        let (by, reason, ticket) = ("alice".to_owned(), "why".to_owned(), String::new());
        Entry { episode: 0, mode, cause, since: NOW, by, reason, ticket }
    }

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    #[test]
    fn latches_survive_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = LatchFile::open(dir.path(), false, NOW);
        assert_eq!(file.set_halt(Cause::Officer, NOW, "alice", "flash", "T-1"), (1, true));
        assert_eq!(file.trip(&scope("instrument:ZVZZT"), entry(Cause::Model, TripMode::Tripped)), (2, true));
        file.persist(NOW).unwrap();
        let again = LatchFile::open(dir.path(), true, NOW);
        assert_eq!(again.latches, file.latches);
        assert_eq!(again.breaker(&Scope::Firm).state, BreakerState::Tripped);
        assert_eq!(again.breaker(&scope("instrument:ZVZZT")).cause, BreakerCause::Model);
        assert_eq!(again.breaker(&scope("instrument:OTHER")).state, BreakerState::Open);
    }

    #[test]
    fn a_damaged_or_vanished_file_halts_and_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("latch.sealed"), "rubbish\n").unwrap();
        let mut file = LatchFile::open(dir.path(), false, NOW);
        assert_eq!(file.halt().unwrap().cause, Cause::Latch);
        assert!(file.halt().unwrap().reason.contains("header and content disagree"));
        assert_eq!(file.breaker(&Scope::Firm).state, BreakerState::Tripped);
        file.persist(NOW).unwrap();
        let kept = dir.path().join(format!("latch.sealed.damaged-{}", NOW.0.0));
        assert_eq!(std::fs::read(kept).unwrap(), b"rubbish\n");
        let again = LatchFile::open(dir.path(), false, NOW);
        assert_eq!(again.halt().unwrap().cause, Cause::Latch, "a second start is halted too");

        let empty = tempfile::tempdir().unwrap();
        let gone = LatchFile::open(empty.path(), true, NOW);
        assert!(gone.halt().unwrap().reason.contains("missing, although the audit log"));
        assert!(LatchFile::open(empty.path(), false, NOW).halt().is_none(), "a first start is not");
    }

    #[test]
    fn each_cause_is_ended_on_its_own_and_the_strictest_holds() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = LatchFile::open(dir.path(), false, NOW);
        let at = scope("instrument:ZVZZT");
        file.trip(&at, entry(Cause::Officer, TripMode::ReduceOnly));
        assert_eq!(file.breaker(&at).state, BreakerState::ReduceOnly);
        file.trip(&at, entry(Cause::Model, TripMode::Tripped));
        assert_eq!(file.breaker(&at).state, BreakerState::Tripped);
        assert_eq!(file.reset(&at, &[Cause::Model]).len(), 1);
        assert_eq!(file.breaker(&at).state, BreakerState::ReduceOnly);
        assert_eq!(file.reset(&at, &[Cause::Officer, Cause::Watchdog]).len(), 1);
        assert_eq!(file.breaker(&at).state, BreakerState::Open);
        assert!(file.reset(&at, &[Cause::Officer]).is_empty());
    }

    #[test]
    fn a_trip_never_loosens_one_that_stands() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = LatchFile::open(dir.path(), false, NOW);
        let at = scope("strategy:mm1");
        assert_eq!(file.trip(&at, entry(Cause::Officer, TripMode::ReduceOnly)), (1, true));
        assert_eq!(file.trip(&at, entry(Cause::Officer, TripMode::Tripped)), (2, true));
        assert_eq!(file.trip(&at, entry(Cause::Officer, TripMode::ReduceOnly)), (2, false));
        assert_eq!(file.breaker(&at).state, BreakerState::Tripped);
        assert_eq!(file.entries().count(), 1);
    }
}
