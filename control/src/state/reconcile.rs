//! The latch file against the audit log, both ways. Each is written without the other (a tightening latches first and records
//! then, a loosening the other way round), so a crash between the two explains a difference of one step; any other difference
//! means that one of them was lost, cut, or put back from an older copy. What either says is tripped stays tripped.

use super::latch::{Cause, Entry, LatchFile};
use super::reconcile_tiers::StandingTiers;
use crate::audit::Event;
use crate::names::Scope;
use crate::stamp::Stamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What the record of a tightening says that could not be written.
pub(crate) const NOT_LASTING: &str = "WILL NOT SURVIVE A RESTART";

/// One trip or halt as the log has it.
#[derive(Clone, Debug)]
struct Logged {
    entry: Entry,
    seq: u64,
    /// Whether it was latched when it was recorded.
    lasting: bool,
}

/// What stands tripped at the end of the log.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    halt: Option<Logged>,
    breakers: BTreeMap<Scope, BTreeMap<Cause, Logged>>,
    /// The highest episode any record names.
    highest: u64,
    /// Episodes that were ended.
    ended: BTreeSet<u64>,
    /// Where the log begins: earlier segments may be kept elsewhere.
    first: Option<(u64, Stamp)>,
}

fn entry_of(value: &Value) -> Option<Entry> {
    serde_json::from_value(value.clone()).ok()
}

fn entries_of(value: &Value) -> Vec<Entry> {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

impl Standing {
    /// Takes the next record.
    pub(crate) fn take(&mut self, event: &Event) {
        self.first.get_or_insert((event.seq, event.ts));
        if event.result.starts_with("refused") {
            return;
        }
        let failed = event.result.starts_with("failed");
        let lasting = !event.result.contains(NOT_LASTING);
        match event.action.as_str() {
            // What a start found or made is in force, and in the file or waiting for a person there.
            "start" => self.halt = self.logged(event, entry_of(&event.after["halt"]), false),
            "halt" => self.halt = self.logged(event, entry_of(&event.after), lasting),
            "resume" if failed => self.halt = self.logged(event, entry_of(&event.before), true),
            "resume" => {
                self.ended.extend(entry_of(&event.before).map(|entry| entry.episode));
                self.halt = None;
            }
            "breaker.trip" | "latch.found" => self.set_scope(event, &event.after, lasting),
            "breaker.reset" | "tier.reset" if failed => self.set_scope(event, &event.before, true),
            "breaker.reset" | "tier.reset" => {
                self.ended.extend(entries_of(&event.before).iter().map(|entry| entry.episode));
                self.set_scope(event, &event.after, true);
            }
            "latch.write" if !failed => self.all_lasting(),
            // `init` and whatever later versions add move no latch that this one knows of.
            _ => {}
        }
    }

    fn logged(&mut self, event: &Event, entry: Option<Entry>, lasting: bool) -> Option<Logged> {
        let entry = entry?;
        self.highest = self.highest.max(entry.episode);
        self.ended.remove(&entry.episode);
        let before = self.halt.as_ref().filter(|before| before.entry.episode == entry.episode);
        let lasting = lasting || before.is_some_and(|before| before.lasting);
        Some(Logged { entry, seq: event.seq, lasting })
    }

    fn set_scope(&mut self, event: &Event, entries: &Value, lasting: bool) {
        let Ok(scope) = event.target.parse::<Scope>() else { return };
        let before = self.breakers.remove(&scope).unwrap_or_default();
        let mut now = BTreeMap::new();
        for entry in entries_of(entries) {
            self.highest = self.highest.max(entry.episode);
            self.ended.remove(&entry.episode);
            let known = before.get(&entry.cause).filter(|known| known.entry.episode == entry.episode);
            let lasting = lasting || known.is_some_and(|known| known.lasting);
            now.insert(entry.cause, Logged { entry, seq: event.seq, lasting });
        }
        if !now.is_empty() {
            self.breakers.insert(scope, now);
        }
    }

    fn all_lasting(&mut self) {
        let breakers = self.breakers.values_mut().flat_map(BTreeMap::values_mut);
        breakers.chain(self.halt.as_mut()).for_each(|logged| logged.lasting = true);
    }

    /// How an entry of the file that the log does not have as standing comes about.
    fn explain(&self, entry: &Entry) -> Unlogged {
        let before_the_log = self.first.is_some_and(|(seq, at)| seq > 1 && entry.since < at);
        if entry.episode > self.highest {
            Unlogged::Later
        } else if self.ended.contains(&entry.episode) {
            Unlogged::Ended
        } else if before_the_log {
            Unlogged::Archived
        } else {
            Unlogged::Unknown
        }
    }
}

/// What an entry of the file is that does not stand in the log.
enum Unlogged {
    /// The process ended between latch and record.
    Later,
    /// The process ended between the record of its end and the latch.
    Ended,
    /// Its record is in a segment that is kept elsewhere.
    Archived,
    /// The log was cut off, rewritten or put back from an older copy.
    Unknown,
}

/// What came of the comparison.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Differences that no crash explains: a reason to halt.
    pub(crate) damage: Vec<String>,
    /// Differences that a crash or a full disk explains, for the daemon's log.
    pub(crate) notes: Vec<String>,
    /// Scopes whose entries have to be recorded, so that the log knows of them again.
    pub(crate) found: BTreeSet<Scope>,
    /// What the log knows of tiers.
    pub(crate) tiers: StandingTiers,
}

/// Compares both and latches what the log alone says is tripped. A file that was not found whole lacks everything, which is a
/// reason to halt already: no entry of it is one more.
pub(crate) fn reconcile(file: &mut LatchFile, log: &Standing, whole: bool) -> Comparison {
    let mut out = Comparison::default();
    let standing: BTreeMap<(Scope, Cause), Entry> =
        file.entries().map(|(scope, entry)| ((scope.clone(), entry.cause), entry.clone())).collect();
    for (scope, logged) in log.breakers.iter().flat_map(|(s, causes)| causes.values().map(move |l| (s, l))) {
        let in_file = standing.get(&(scope.clone(), logged.entry.cause)).map_or(0, |entry| entry.episode);
        if in_file < logged.entry.episode {
            missing(&mut out, &scope.to_string(), logged, whole);
            file.restore(scope, logged.entry.clone());
        }
    }
    for ((scope, cause), entry) in &standing {
        let logged = log.breakers.get(scope).and_then(|causes| causes.get(cause));
        if logged.is_none_or(|logged| logged.entry.episode < entry.episode) {
            out.found.extend(
                unlogged(&mut out.damage, &mut out.notes, &scope.to_string(), entry, log)
                    .then(|| scope.clone()),
            );
        }
    }
    compare_halts(file, log, whole, &mut out);
    out
}

fn compare_halts(file: &mut LatchFile, log: &Standing, whole: bool, out: &mut Comparison) {
    let halt = file.halt().cloned();
    if let Some(logged) = &log.halt
        && halt.as_ref().is_none_or(|halt| halt.episode < logged.entry.episode)
    {
        missing(out, "the halt", logged, whole);
        file.restore_halt(logged.entry.clone());
    }
    if let Some(halt) = &halt
        && log.halt.as_ref().is_none_or(|logged| logged.entry.episode < halt.episode)
    {
        // The start's own record names the halt that stands.
        unlogged(&mut out.damage, &mut out.notes, "the halt", halt, log);
    }
}

/// Says of an entry of the log that the file lacks it.
fn missing(out: &mut Comparison, what: &str, logged: &Logged, whole: bool) {
    let Logged { entry, seq, lasting } = logged;
    let text = format!("{what} (episode {}, record {seq} of the audit log)", entry.episode);
    match (lasting, whole) {
        (true, true) => out.damage.push(format!("the latch file lacks {text}: it is older than the log")),
        (true, false) => out.notes.push(format!("restored from the audit log: {text}")),
        (false, _) => out
            .notes
            .push(format!("could not be latched before the stop, restored from the audit log: {text}")),
    }
}

/// Says of an entry of the file that the log does not have it standing; whether a record of it is due.
fn unlogged(
    damage: &mut Vec<String>,
    notes: &mut Vec<String>,
    what: &str,
    entry: &Entry,
    log: &Standing,
) -> bool {
    let text = format!("{what} (episode {}, by {}, {})", entry.episode, entry.by, entry.since);
    match log.explain(entry) {
        Unlogged::Later => notes.push(format!("latched and not recorded before the stop: {text}; it stands")),
        Unlogged::Ended => notes.push(format!("about to be ended when the process stopped: {text}; it stands")),
        Unlogged::Archived => return false,
        Unlogged::Unknown => damage.push(format!(
            "the audit log does not know {text} of the latch file: it was cut off, rewritten or put back from a copy"
        )),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Actor;
    use crate::protocol::TripMode;
    use serde_json::json;
    use types::UnixNanos;

    fn entry(episode: u64, cause: Cause) -> Entry {
        let (by, reason, ticket) = ("alice".to_owned(), "why".to_owned(), String::new());
        Entry {
            episode,
            mode: TripMode::Tripped,
            cause,
            since: Stamp(UnixNanos(episode)),
            by,
            reason,
            ticket,
        }
    }

    fn event(seq: u64, action: &str, target: &str, before: Value, after: Value, result: &str) -> Event {
        let (action, target, result) = (action.to_owned(), target.to_owned(), result.to_owned());
        let actor = Actor { uid: 1, gid: 1, pid: 1, user: "alice".to_owned(), role: None };
        Event { seq, ts: Stamp(UnixNanos(seq)), actor, action, target, before, after, result }
    }

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    fn trip(seq: u64, at: &str, episode: u64, result: &str) -> Event {
        event(seq, "breaker.trip", at, json!([]), json!([entry(episode, Cause::Officer)]), result)
    }

    fn reset(seq: u64, at: &str, episode: u64, result: &str) -> Event {
        event(seq, "breaker.reset", at, json!([entry(episode, Cause::Officer)]), json!([]), result)
    }

    fn log(events: &[Event]) -> Standing {
        let mut standing = Standing::default();
        events.iter().for_each(|event| standing.take(event));
        standing
    }

    fn file(standing: &[(&str, u64)]) -> (tempfile::TempDir, LatchFile) {
        let dir = tempfile::tempdir().unwrap();
        let (mut file, _) = LatchFile::open(dir.path(), None);
        standing.iter().for_each(|(at, episode)| file.restore(&scope(at), entry(*episode, Cause::Officer)));
        (dir, file)
    }

    const A: &str = "account:ACME";

    #[test]
    fn agreement_is_no_news() {
        let (_dir, mut file) = file(&[(A, 1)]);
        let events = [
            trip(2, A, 1, "done"),
            trip(3, "strategy:mm1", 2, "done"),
            reset(4, "strategy:mm1", 2, "authorised"),
        ];
        let out = reconcile(&mut file, &log(&events), true);
        assert!(out.damage.is_empty() && out.notes.is_empty() && out.found.is_empty(), "{out:?}");
    }

    #[test]
    fn what_the_file_lacks_is_tripped_again_and_halts_unless_it_was_never_written() {
        let (_dir, mut latches) = file(&[]);
        let out = reconcile(&mut latches, &log(&[trip(2, A, 1, "done")]), true);
        assert!(out.damage[0].contains("the latch file lacks account:ACME (episode 1, record 2"), "{out:?}");
        assert_eq!(latches.of(&scope(A)).len(), 1);
        for (result, events) in [(format!("failed: {NOT_LASTING}: disk full"), 0), ("done".to_owned(), 1)] {
            let (_dir, mut latches) = file(&[]);
            let out = reconcile(&mut latches, &log(&[trip(2, A, 1, &result)]), true);
            assert_eq!(out.damage.len(), events, "{out:?}");
            assert_eq!(latches.of(&scope(A)).len(), 1, "tripped again either way");
        }
        let (_dir, mut latches) = file(&[]);
        let written = event(3, "latch.write", "firm", Value::Null, Value::Null, "done");
        let failed = trip(2, A, 1, &format!("failed: {NOT_LASTING}"));
        assert_eq!(
            reconcile(&mut latches, &log(&[failed, written]), true).damage.len(),
            1,
            "it had been written since"
        );
        let (_dir, mut latches) = file(&[]);
        let out = reconcile(&mut latches, &log(&[trip(2, A, 1, "done")]), false);
        assert!(
            out.damage.is_empty() && out.notes.len() == 1,
            "a file that is gone has its own reason: {out:?}"
        );
    }

    #[test]
    fn a_latch_that_was_on_disk_once_stays_so_beside_one_that_was_not() {
        let failed = format!("failed: {NOT_LASTING}");
        let both = json!([entry(1, Cause::Officer), entry(2, Cause::Model)]);
        let second = event(3, "breaker.trip", A, json!([]), both, &failed);
        let (_dir, mut latches) = file(&[]);
        let out = reconcile(&mut latches, &log(&[trip(2, A, 1, "done"), second]), true);
        assert_eq!((out.damage.len(), out.notes.len()), (1, 1), "{out:?}");
        // A write that failed brought nothing to disk.
        let unwritten = event(3, "latch.write", "firm", Value::Null, Value::Null, "failed: disk full");
        let (_dir, mut latches) = file(&[]);
        let out = reconcile(&mut latches, &log(&[trip(2, A, 1, &failed), unwritten]), true);
        assert_eq!((out.damage.len(), out.notes.len()), (0, 1), "{out:?}");
    }

    #[test]
    fn the_file_may_be_one_episode_ahead_and_was_cut_off_where_the_log_begins_no_later() {
        let said = |in_file, events: &[Event]| {
            let (_dir, mut latches) = file(&[(A, in_file)]);
            let out = reconcile(&mut latches, &log(events), true);
            assert_eq!(out.damage.len() + out.notes.len(), 1, "{out:?}");
            out.damage.into_iter().chain(out.notes).next().unwrap()
        };
        assert!(said(5, &[trip(2, A, 3, "done")]).contains("latched and not recorded"));
        let ended = [trip(2, A, 5, "done"), reset(3, A, 5, "authorised")];
        assert!(said(5, &ended).contains("about to be ended"), "the newest of all");
        // The first record of all, and one of the moment of the latch.
        for (seq, at) in [(1, 100), (103, 3)] {
            let first = Event { seq, ts: Stamp(UnixNanos(at)), ..trip(2, "strategy:mm1", 6, "done") };
            let (_dir, mut latches) = file(&[(A, 3), ("strategy:mm1", 6)]);
            let out = reconcile(&mut latches, &log(&[first]), true);
            assert!(out.damage[0].contains("does not know"), "{out:?}");
        }
    }

    #[test]
    fn what_the_log_does_not_know_stands_and_halts_unless_a_crash_explains_it() {
        let known = [trip(2, A, 5, "done"), reset(3, A, 5, "authorised"), trip(4, "strategy:mm1", 6, "done")];
        for (episode, damage, note) in
            [(7, 0, "latched and not recorded"), (5, 0, "about to be ended"), (3, 1, "does not know")]
        {
            let (_dir, mut latches) = file(&[(A, episode), ("strategy:mm1", 6)]);
            let out = reconcile(&mut latches, &log(&known), true);
            assert_eq!(out.damage.len(), damage, "{episode}: {out:?}");
            let said = out.damage.iter().chain(&out.notes).next().unwrap();
            assert!(said.contains(note), "{said}");
            assert_eq!(latches.of(&scope(A)).len(), 1, "it stands");
            assert_eq!(out.found, BTreeSet::from([scope(A)]));
        }
        let (_dir, mut latches) = file(&[(A, 3), ("strategy:mm1", 6)]);
        let later: Vec<Event> =
            known.into_iter().map(|event| Event { seq: event.seq + 100, ..event }).collect();
        let later: Vec<Event> =
            later.into_iter().map(|e| Event { ts: Stamp(UnixNanos(e.seq)), ..e }).collect();
        assert!(
            reconcile(&mut latches, &log(&later), true).damage.is_empty(),
            "older segments are kept elsewhere"
        );
    }

    #[test]
    fn a_reset_that_failed_and_a_refusal_ended_nothing() {
        let (_dir, mut latches) = file(&[(A, 1)]);
        let refused = event(4, "breaker.trip", "strategy:mm1", Value::Null, Value::Null, "refused: no role");
        let events =
            [trip(2, A, 1, "done"), reset(3, A, 1, "authorised"), reset(3, A, 1, "failed: disk"), refused];
        let out = reconcile(&mut latches, &log(&events), true);
        assert!(out.damage.is_empty() && out.notes.is_empty(), "{out:?}");
    }

    #[test]
    fn a_halt_of_another_episode_is_told_and_the_one_that_stands_stands() {
        let halt = |seq, episode| {
            event(seq, "halt", "firm", Value::Null, json!(entry(episode, Cause::Officer)), "done")
        };
        for (in_file, in_log, damage, notes) in [(1, 5, 1, 0), (5, 5, 0, 0), (5, 1, 0, 1)] {
            let (_dir, mut latches) = file(&[]);
            latches.restore_halt(entry(in_file, Cause::Officer));
            let out = reconcile(&mut latches, &log(&[halt(2, in_log)]), true);
            assert_eq!((out.damage.len(), out.notes.len()), (damage, notes), "{in_file} {in_log}: {out:?}");
            assert_eq!(latches.halt().unwrap().episode, in_file);
        }
    }

    #[test]
    fn a_halt_that_a_start_found_is_known_and_was_on_disk_if_it_was_before() {
        let halted = || json!(entry(1, Cause::Officer));
        let start = |seq| event(seq, "start", "firm", Value::Null, json!({ "halt": halted() }), "done");
        let halt = event(2, "halt", "firm", Value::Null, halted(), "done");
        for (events, damage) in [(vec![start(2)], 0), (vec![halt, start(3)], 1)] {
            let (_dir, mut latches) = file(&[]);
            let out = reconcile(&mut latches, &log(&events), true);
            assert_eq!((out.damage.len(), out.notes.len()), (damage, 1 - damage), "{out:?}");
            assert_eq!(latches.halt().unwrap().episode, 1);
        }
    }

    #[test]
    fn halts_are_compared_too() {
        let halted = |episode| json!(entry(episode, Cause::Officer));
        let halt = || event(2, "halt", "firm", Value::Null, halted(1), "done");
        let (_dir, mut latches) = file(&[]);
        let out = reconcile(&mut latches, &log(&[halt()]), true);
        assert!(out.damage[0].contains("lacks the halt (episode 1"), "{out:?}");
        assert_eq!(latches.halt().unwrap().episode, 1);
        let resume = || event(3, "resume", "firm", halted(1), Value::Null, "authorised");
        let (_dir, mut latches) = file(&[]);
        assert!(reconcile(&mut latches, &log(&[halt(), resume()]), true).damage.is_empty());
        assert!(latches.halt().is_none());
        // A resume that could not be written ended nothing.
        let failed = event(4, "resume", "firm", halted(1), Value::Null, "failed: disk full");
        let (_dir, mut latches) = file(&[]);
        let out = reconcile(&mut latches, &log(&[halt(), resume(), failed]), true);
        assert!(out.damage[0].contains("lacks the halt (episode 1"), "{out:?}");
        assert_eq!(latches.halt().unwrap().episode, 1);
    }
}
