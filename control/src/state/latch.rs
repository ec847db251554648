//! Latches: the halt and every tripped breaker, with who, when and why, on disk before anybody is told of them.

use super::sealed::{self, Seal, SealError};
use crate::audit::AuditKey;
use crate::names::Scope;
use crate::protocol::{BreakerRow, TripMode};
use crate::stamp::Stamp;
use gate::{Breaker, BreakerCause, BreakerState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::{Bound, Deref};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const KIND: &str = "portcullis-latch";
const VERSION: u32 = 1;

/// Who tripped it. One scope can be tripped by several at once; each is ended by its own command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cause {
    /// A person, over the control socket.
    Officer,
    /// The model, entering Critical.
    Model,
    /// The configuration (`instance.start_halted`).
    Boot,
    /// State on disk was found damaged or missing, or at odds with the audit log.
    Latch,
    /// Executions that were repeated.
    Executions,
}

impl Cause {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Officer => "officer",
            Self::Model => "model",
            Self::Boot => "boot",
            Self::Latch => "latch",
            Self::Executions => "executions",
        }
    }

    const fn of_gate(self) -> BreakerCause {
        match self {
            Self::Officer => BreakerCause::Officer,
            Self::Model => BreakerCause::Model,
            Self::Boot => BreakerCause::Boot,
            Self::Latch => BreakerCause::Latch,
            Self::Executions => BreakerCause::Watchdog,
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

/// The content of the file: what is latched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Latches {
    /// Number of the last trip or halt; never reused.
    episode: u64,
    /// Records in the audit log when this was written: a log that has fewer was cut off.
    #[serde(default)]
    audit_records: u64,
    halt: Option<Entry>,
    /// By scope; one entry per cause.
    breakers: BTreeMap<Scope, Vec<Entry>>,
}

impl Latches {
    /// The halt in force.
    pub(crate) const fn halt(&self) -> Option<&Entry> {
        self.halt.as_ref()
    }

    /// Every tripped breaker, by scope.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Scope, &Entry)> {
        self.breakers.iter().flat_map(|(scope, entries)| entries.iter().map(move |entry| (scope, entry)))
    }

    /// Scopes with a tripped breaker after `after`, in order, each with everything that tripped it.
    pub(crate) fn scopes_after(&self, after: Option<&Scope>) -> impl Iterator<Item = (&Scope, &[Entry])> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.breakers.range::<Scope, _>((from, Bound::Unbounded));
        range.map(|(scope, entries)| (scope, entries.as_slice()))
    }

    /// Everything that tripped one scope.
    pub(crate) fn of(&self, scope: &Scope) -> &[Entry] {
        self.breakers.get(scope).map_or(&[], Vec::as_slice)
    }

    /// What the gate's word for a scope must say: the strictest of everything latched in `covering` (the scope itself and
    /// whatever covers it), the halt included for the firm.
    pub(crate) fn breaker(&self, covering: &[&Scope]) -> Breaker {
        let halt = self.halt.iter().filter(|_| covering.contains(&&Scope::Firm));
        let standing = covering.iter().flat_map(|scope| self.of(scope));
        // A person's before the model's: gateways cancel for the one and not for the other.
        let strictest = standing.chain(halt).max_by_key(|e| (e.mode, e.cause != Cause::Model, e.episode));
        let open = Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 };
        strictest.map_or(open, Entry::breaker)
    }
}

impl Deref for LatchFile {
    type Target = Latches;

    fn deref(&self) -> &Latches {
        &self.latches
    }
}

/// The latches and their file.
#[derive(Debug)]
pub(crate) struct LatchFile {
    path: PathBuf,
    seal: Seal,
    latches: Arc<Latches>,
    /// The file on disk cannot be believed and is to be kept when it is next replaced.
    keep_damaged: bool,
    /// Why the file says less than is latched: the last write failed.
    unwritten: Option<Unwritten>,
}

/// A write that failed and is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unwritten {
    /// Since when.
    pub(crate) since: Stamp,
    /// Why, of the last attempt.
    pub(crate) why: String,
}

/// How the file was found at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Whole.
    Whole,
    /// Not at all.
    Missing,
    /// Not as it was written.
    Damaged(String),
}

impl Found {
    /// What was read, nothing where it was not whole, and how the file was found.
    pub(super) fn of<T: Default>(read: Result<Option<T>, SealError>) -> (T, Self) {
        match read {
            Ok(Some(content)) => (content, Self::Whole),
            Ok(None) => (T::default(), Self::Missing),
            Err(error) => (T::default(), Self::Damaged(error.to_string())),
        }
    }
}

impl LatchFile {
    /// Reads the latches, and says how the file was found. What was not found whole has no latches in it; whether that is a
    /// reason to halt is for the caller to say.
    pub(crate) fn open(dir: &Path, key: Option<&AuditKey>) -> (Self, Found) {
        let path = dir.join("latch.sealed");
        let seal = Seal { kind: KIND, version: VERSION, key: key.cloned() };
        let (latches, found): (Latches, _) = Found::of(sealed::read_json(&path, &seal, "latches"));
        let keep_damaged = matches!(found, Found::Damaged(_));
        (Self { path, seal, latches: Arc::new(latches), keep_damaged, unwritten: None }, found)
    }

    /// Records that the audit log had when the file was written.
    pub(crate) fn audit_records(&self) -> u64 {
        self.latches.audit_records
    }

    /// What is latched now, for whoever looks at it beside the lock.
    pub(crate) fn shared(&self) -> Arc<Latches> {
        Arc::clone(&self.latches)
    }

    fn edit(&mut self) -> &mut Latches {
        Arc::make_mut(&mut self.latches)
    }

    /// Halts because state on disk cannot be believed. Takes the place of a halt that stands: what a risk_admin must end
    /// is not to be hidden behind what an officer may.
    pub(crate) fn halt_for_damage(&mut self, damage: &str, now: Stamp) {
        let latches = self.edit();
        latches.halt = None;
        // Starts over from the clock, so that episodes of the lost file are not used again.
        latches.episode = latches.episode.max(now.0.0 / 1_000_000_000);
        self.set_halt(Cause::Latch, now, "portcullis", damage, "");
    }

    /// Writes the file, `audit_records` being the length of the audit log. Everything that tightens calls this once it is in
    /// force and before it is answered; everything that loosens, before it takes effect.
    ///
    /// # Errors
    /// [`SealError`]; the file on disk is then as it was, and the write is owed ([`LatchFile::unwritten`]).
    pub(crate) fn persist(&mut self, now: Stamp, audit_records: u64) -> Result<(), SealError> {
        self.edit().audit_records = audit_records;
        let written = self.write(now);
        match &written {
            Ok(()) => self.unwritten = None,
            Err(error) => self.owe(now, error),
        }
        written
    }

    fn write(&mut self, now: Stamp) -> Result<(), SealError> {
        let body = serde_json::to_vec_pretty(&*self.latches)
            .map_err(|e| SealError::damaged(&self.path, e.to_string()))?;
        if self.keep_damaged {
            sealed::set_aside(&self.path, now.0.0)?;
            self.keep_damaged = false;
        }
        sealed::write(&self.path, &self.seal, &body)
    }

    /// Notes that the file says less than is latched.
    pub(crate) fn owe(&mut self, now: Stamp, error: &SealError) {
        let since = self.unwritten.as_ref().map_or(now, |unwritten| unwritten.since);
        self.unwritten = Some(Unwritten { since, why: error.to_string() });
    }

    /// Why and since when the file says less than is latched, because the last write failed.
    pub(crate) const fn unwritten(&self) -> Option<&Unwritten> {
        self.unwritten.as_ref()
    }

    /// Latches what another witness says was latched: entries of causes that stand there stay when they are newer.
    pub(crate) fn restore(&mut self, scope: &Scope, entry: Entry) {
        let latches = self.edit();
        latches.episode = latches.episode.max(entry.episode);
        let entries = latches.breakers.entry(scope.clone()).or_default();
        match entries.iter_mut().find(|standing| standing.cause == entry.cause) {
            Some(standing) if (standing.mode, standing.episode) >= (entry.mode, entry.episode) => {}
            Some(standing) => *standing = entry,
            None => entries.push(entry),
        }
    }

    /// The same for a halt.
    pub(crate) fn restore_halt(&mut self, entry: Entry) {
        let latches = self.edit();
        latches.episode = latches.episode.max(entry.episode);
        latches.halt.get_or_insert(entry);
    }

    fn next_episode(&mut self) -> u64 {
        let latches = self.edit();
        latches.episode = latches.episode.saturating_add(1);
        latches.episode
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
        self.edit().halt = Some(Entry { episode, mode, cause, since, by, reason, ticket });
        (episode, true)
    }

    /// Ends the halt.
    pub(crate) fn clear_halt(&mut self) -> Option<Entry> {
        self.edit().halt.take()
    }

    /// Trips `scope`, unless it already is, by the same cause and at least as far; returns the episode and whether
    /// anything changed.
    pub(crate) fn trip(&mut self, scope: &Scope, mut entry: Entry) -> (u64, bool) {
        let latches = self.edit();
        let episode = latches.episode.saturating_add(1);
        let entries = latches.breakers.entry(scope.clone()).or_default();
        entry.episode = episode;
        match entries.iter_mut().find(|standing| standing.cause == entry.cause) {
            Some(standing) if standing.mode >= entry.mode => return (standing.episode, false),
            Some(standing) => *standing = entry,
            None => entries.push(entry),
        }
        latches.episode = episode;
        (episode, true)
    }

    /// Ends what the given causes tripped in `scope`; returns what was ended.
    pub(crate) fn reset(&mut self, scope: &Scope, causes: &[Cause]) -> Vec<Entry> {
        let latches = self.edit();
        let entries = latches.breakers.remove(scope).unwrap_or_default();
        let (ended, kept): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| causes.contains(&entry.cause));
        if !kept.is_empty() {
            latches.breakers.insert(scope.clone(), kept);
        }
        ended
    }

    /// Copies the latches, to put them back when a change could not be written.
    pub(crate) fn checkpoint(&self) -> impl FnOnce(&mut Self) + use<> {
        let latches = self.shared();
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

    fn open(dir: &Path) -> LatchFile {
        LatchFile::open(dir, None).0
    }

    #[test]
    fn latches_survive_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = open(dir.path());
        assert_eq!(file.set_halt(Cause::Officer, NOW, "alice", "flash", "T-1"), (1, true));
        assert_eq!(file.trip(&scope("instrument:ZVZZT"), entry(Cause::Model, TripMode::Tripped)), (2, true));
        file.persist(NOW, 7).unwrap();
        let (again, found) = LatchFile::open(dir.path(), None);
        assert_eq!((&again.latches, found, again.audit_records()), (&file.latches, Found::Whole, 7));
        assert_eq!(again.breaker(&[&Scope::Firm]).state, BreakerState::Tripped);
        assert_eq!(again.breaker(&[&scope("instrument:ZVZZT")]).cause, BreakerCause::Model);
        assert_eq!(again.breaker(&[&scope("instrument:OTHER")]).state, BreakerState::Open);
    }

    #[test]
    fn a_persons_word_is_named_before_the_models() {
        let dir = tempfile::tempdir().unwrap();
        for causes in [[Cause::Officer, Cause::Model], [Cause::Model, Cause::Officer]] {
            let (mut file, at) = (open(dir.path()), scope("instrument:ZVZZT"));
            for cause in causes {
                assert!(file.trip(&at, entry(cause, TripMode::Tripped)).1);
            }
            assert_eq!(file.breaker(&[&at]).cause, BreakerCause::Officer, "{causes:?}");
        }
    }

    #[test]
    fn a_file_of_the_first_version_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let body = br#"{"episode":4,"halt":null,"breakers":{}}"#;
        sealed::write(
            &dir.path().join("latch.sealed"),
            &Seal { kind: KIND, version: VERSION, key: None },
            body,
        )
        .unwrap();
        let (file, found) = LatchFile::open(dir.path(), None);
        assert_eq!((file.latches.episode, file.audit_records(), found), (4, 0, Found::Whole));
    }

    #[test]
    fn a_damaged_or_vanished_file_is_told_from_a_whole_one_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(LatchFile::open(dir.path(), None).1, Found::Missing);
        std::fs::write(dir.path().join("latch.sealed"), "rubbish\n").unwrap();
        let (mut file, found) = LatchFile::open(dir.path(), None);
        let Found::Damaged(why) = found else { panic!("{found:?}") };
        assert!(why.contains("header and content disagree"), "{why}");
        file.halt_for_damage(&why, NOW);
        assert_eq!(file.breaker(&[&Scope::Firm]).state, BreakerState::Tripped);
        file.persist(NOW, 0).unwrap();
        let kept = dir.path().join(format!("latch.sealed.damaged-{}", NOW.0.0));
        assert_eq!(std::fs::read(kept).unwrap(), b"rubbish\n");
        assert_eq!(open(dir.path()).halt().unwrap().cause, Cause::Latch, "a second start is halted too");
    }

    #[test]
    fn a_write_that_failed_is_owed_until_one_works() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = open(dir.path());
        let blocked = dir.path().join("latch.new");
        std::fs::create_dir(&blocked).unwrap();
        file.persist(NOW, 1).unwrap_err();
        let later = Stamp(UnixNanos(NOW.0.0 + 5));
        file.persist(later, 1).unwrap_err();
        let owed = file.unwritten().unwrap();
        assert!(owed.since == NOW && owed.why.contains("latch.new"), "{owed:?}");
        std::fs::remove_dir(&blocked).unwrap();
        file.persist(later, 1).unwrap();
        assert_eq!(file.unwritten(), None);
    }

    #[test]
    fn each_cause_is_ended_on_its_own_and_the_strictest_holds() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = open(dir.path());
        let at = scope("instrument:ZVZZT");
        file.trip(&at, entry(Cause::Officer, TripMode::ReduceOnly));
        assert_eq!(file.breaker(&[&at]).state, BreakerState::ReduceOnly);
        file.trip(&at, entry(Cause::Model, TripMode::Tripped));
        assert_eq!(file.breaker(&[&at]).state, BreakerState::Tripped);
        assert_eq!(file.reset(&at, &[Cause::Model]).len(), 1);
        assert_eq!(file.breaker(&[&at]).state, BreakerState::ReduceOnly);
        assert_eq!(file.reset(&at, &[Cause::Officer]).len(), 1);
        assert_eq!(file.breaker(&[&at]).state, BreakerState::Open);
        assert!(file.reset(&at, &[Cause::Officer]).is_empty());
    }

    #[test]
    fn what_covers_a_scope_closes_it_too() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = open(dir.path());
        let (strategy, desk) = (scope("strategy:mm1"), scope("desk:md"));
        file.trip(&strategy, entry(Cause::Officer, TripMode::ReduceOnly));
        file.trip(&desk, entry(Cause::Officer, TripMode::Tripped));
        assert_eq!(file.breaker(&[&strategy]).state, BreakerState::ReduceOnly);
        assert_eq!(file.breaker(&[&strategy, &desk]).state, BreakerState::Tripped);
        file.reset(&desk, &[Cause::Officer]);
        assert_eq!(file.breaker(&[&strategy, &desk]).state, BreakerState::ReduceOnly);
    }

    #[test]
    fn the_word_of_a_breaker_has_the_low_bits_of_its_episode() {
        let latched = |episode| Entry { episode, ..entry(Cause::Officer, TripMode::Tripped) };
        assert_eq!(latched(7).breaker().episode, 7);
        assert_eq!(latched(0x5_1234).breaker().episode, 0x1234);
    }

    #[test]
    fn episodes_after_a_lost_file_go_on_from_the_seconds_of_the_clock() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = open(dir.path());
        file.halt_for_damage("gone", NOW);
        assert_eq!(file.halt().unwrap().episode, NOW.0.0 / 1_000_000_000 + 1);
    }

    #[test]
    fn another_witness_adds_what_is_missing_and_never_loosens() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = open(dir.path());
        let at = scope("strategy:mm1");
        let witnessed = |episode, mode| Entry { episode, ..entry(Cause::Officer, mode) };
        file.restore(&at, witnessed(5, TripMode::ReduceOnly));
        assert_eq!((file.of(&at)[0].episode, file.of(&at)[0].mode), (5, TripMode::ReduceOnly));
        // Older and as strict: nothing new. Newer, or stricter: what stands gives way.
        file.restore(&at, witnessed(4, TripMode::ReduceOnly));
        assert_eq!(file.of(&at)[0].episode, 5);
        file.restore(&at, witnessed(6, TripMode::ReduceOnly));
        assert_eq!(file.of(&at)[0].episode, 6);
        file.restore(&at, witnessed(3, TripMode::Tripped));
        assert_eq!((file.of(&at)[0].episode, file.of(&at)[0].mode), (3, TripMode::Tripped));
        file.restore(&at, witnessed(9, TripMode::ReduceOnly));
        assert_eq!(file.of(&at)[0].mode, TripMode::Tripped);
        // Another cause stands beside it, and no episode comes again.
        file.restore(&at, Entry { episode: 8, ..entry(Cause::Model, TripMode::ReduceOnly) });
        assert_eq!((file.of(&at).len(), file.of(&at)[0].mode), (2, TripMode::Tripped));
        assert_eq!(file.trip(&scope("desk:md"), entry(Cause::Officer, TripMode::Tripped)), (10, true));
    }

    #[test]
    fn a_trip_never_loosens_one_that_stands() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = open(dir.path());
        let at = scope("strategy:mm1");
        assert_eq!(file.trip(&at, entry(Cause::Officer, TripMode::ReduceOnly)), (1, true));
        assert_eq!(file.trip(&at, entry(Cause::Officer, TripMode::Tripped)), (2, true));
        assert_eq!(file.trip(&at, entry(Cause::Officer, TripMode::ReduceOnly)), (2, false));
        assert_eq!(file.breaker(&[&at]).state, BreakerState::Tripped);
        assert_eq!(file.entries().count(), 1);
    }
}
