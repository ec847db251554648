//! The file of limits against the audit log, as the latches are compared with it (`reconcile`): a tighter limit is written and then
//! recorded, a looser one the other way round. The tighter of the two holds; a file that is looser than what the log says was on disk is
//! older than the log, which is a reason to halt.

use super::latch::Found;
use super::limits::{LimitBook, SetBy};
use super::reconcile::NOT_LASTING;
use crate::amount::Amount;
use crate::audit::Event;
use crate::limits::LimitKey;
use crate::names::SymbolName;
use std::collections::BTreeMap;

/// What the record of a loosening says that was not done after all.
const NOT_DONE: &str = "failed: nothing was changed";

type Place = (SymbolName, LimitKey);

/// One limit as the log last has it.
#[derive(Clone, Debug)]
struct Logged {
    set: SetBy,
    seq: u64,
    /// Whether it was on disk when it was recorded.
    lasting: bool,
}

/// What stands set at the end of the log.
#[derive(Debug, Default)]
pub(crate) struct StandingLimits {
    set: BTreeMap<Place, Logged>,
    /// What the last record changed, as it stood before.
    undo: Vec<(Place, Option<Logged>)>,
}

impl StandingLimits {
    /// Takes the next record.
    pub(crate) fn take(&mut self, event: &Event) {
        match event.action.as_str() {
            "limits.write" if event.result == "done" => {
                self.set.values_mut().for_each(|logged| logged.lasting = true);
            }
            "limits.set" if event.result.starts_with(NOT_DONE) => {
                for (place, before) in std::mem::take(&mut self.undo) {
                    match before {
                        Some(before) => self.set.insert(place, before),
                        None => self.set.remove(&place),
                    };
                }
            }
            "limits.set" if !event.result.starts_with("refused") => self.changed(event),
            _ => {}
        }
    }

    fn changed(&mut self, event: &Event) {
        self.undo.clear();
        let Ok(symbol) = event.target.parse::<SymbolName>() else { return };
        let after: BTreeMap<LimitKey, Amount> =
            serde_json::from_value(event.after.clone()).unwrap_or_default();
        for (key, value) in after {
            let set = SetBy { value, by: event.actor.user.clone(), at: event.ts };
            let lasting = !event.result.contains(NOT_LASTING);
            let before = self.set.insert((symbol, key), Logged { set, seq: event.seq, lasting });
            self.undo.push(((symbol, key), before));
        }
    }
}

/// Sets what the log alone says is set, where that is tighter: what is a reason to halt, and what a crash or a full disk explains.
pub(crate) fn reconcile_limits(
    book: &mut LimitBook,
    log: &StandingLimits,
    found: &Found,
) -> (Vec<String>, Vec<String>) {
    let (mut damage, mut notes) = (Vec::new(), Vec::new());
    let words: BTreeMap<Place, SetBy> =
        book.words().map(|(symbol, key, set)| ((symbol, key), set.clone())).collect();
    for ((symbol, key), logged) in &log.set {
        let Logged { set, seq, lasting } = logged;
        if !book.is_tighter(*symbol, *key, set.value) {
            continue;
        }
        let what = format!("{key} {} of {symbol} (record {seq} of the audit log)", set.value);
        let in_file = words.get(&(*symbol, *key));
        match (in_file, found) {
            // A looser one is recorded before it is written: none is in the file that the log does not have.
            (Some(word), _) if word.at > set.at => damage.push(format!(
                "the limits file has {key} {} of {symbol}, which the audit log does not know, and which is looser: the log was cut off, \
                 rewritten or put back from a copy",
                word.value
            )),
            (_, Found::Whole) if *lasting => {
                damage.push(format!("the limits file lacks {what}: it is older than the log"));
            }
            (_, Found::Whole) => {
                notes.push(format!("could not be written before the stop, restored from the audit log: {what}"));
            }
            (_, Found::Missing | Found::Damaged(_)) => {
                notes.push(format!("restored from the audit log: {what}"));
            }
        }
        book.restore(*symbol, *key, set.clone());
    }
    (damage, notes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Actor;
    use crate::config;
    use crate::stamp::Stamp;
    use serde_json::{Value, json};
    use types::UnixNanos;

    fn event(seq: u64, before: Value, after: Value, result: &str) -> Event {
        let (action, target, result) = ("limits.set".to_owned(), "ZVZZT".to_owned(), result.to_owned());
        let actor = Actor { uid: 1, gid: 1, pid: 1, user: "alice".to_owned(), role: None };
        Event { seq, ts: Stamp(UnixNanos(seq)), actor, action, target, before, after, result }
    }

    fn set(seq: u64, value: u64, result: &str) -> Event {
        event(seq, json!({ "max_qty": 500 }), json!({ "max_qty": value }), result)
    }

    /// What comes of a file with `in_file` (value and time) against `events`: the base in force, how many reasons to halt, and notes.
    fn compared(in_file: Option<(u64, u64)>, events: &[Event]) -> (u32, usize, usize) {
        let (base, damage, notes) = told(in_file, events);
        (base, damage.len(), notes.len())
    }

    /// The same, with the reasons and notes themselves.
    fn told(in_file: Option<(u64, u64)>, events: &[Event]) -> (u32, Vec<String>, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let plan = config::load(&[], &[]).unwrap().limits;
        let (mut book, _) = LimitBook::open(dir.path(), None, plan);
        let symbol: SymbolName = "ZVZZT".parse().unwrap();
        if let Some((value, at)) = in_file {
            let set = SetBy { value: Amount::whole(value), by: "alice".into(), at: Stamp(UnixNanos(at)) };
            book.restore(symbol, LimitKey::MaxQty, set);
        }
        let mut log = StandingLimits::default();
        events.iter().for_each(|event| log.take(event));
        let (damage, notes) = reconcile_limits(&mut book, &log, &Found::Whole);
        (book.approved(symbol).base().max_qty.0, damage, notes)
    }

    #[test]
    fn the_tighter_of_log_and_file_holds_and_an_older_file_halts() {
        let failed = format!("failed: THEY {NOT_LASTING}: disk full");
        assert_eq!(compared(Some((5, 2)), &[set(2, 5, "done")]), (5, 0, 0), "they agree");
        assert_eq!(compared(None, &[set(2, 5, "done")]), (5, 1, 0), "an older file");
        assert_eq!(compared(Some((50, 2)), &[set(2, 50, "done"), set(3, 5, "done")]), (5, 1, 0));
        assert_eq!(compared(None, &[set(2, 5, &failed)]), (5, 0, 1), "which never was on disk");
        let written = |result: &str| Event { action: "limits.write".to_owned(), ..set(3, 0, result) };
        assert_eq!(compared(None, &[set(2, 5, &failed), written("done")]), (5, 1, 0), "and was, later");
        let unwritten = written("failed: disk full");
        assert_eq!(compared(None, &[set(2, 5, &failed), unwritten]), (5, 0, 1), "and was not");
    }

    #[test]
    fn a_loosening_that_was_cut_short_or_failed_leaves_the_tighter_one() {
        let tight = || set(2, 5, "done");
        assert_eq!(compared(Some((5, 2)), &[tight(), set(3, 50, "authorised")]), (5, 0, 0), "cut short");
        let undone = "failed: nothing was changed: disk full";
        let failed = [tight(), set(3, 50, "authorised"), set(3, 50, undone)];
        assert_eq!(compared(Some((5, 2)), &failed), (5, 0, 0));
        assert_eq!(compared(None, &failed), (5, 1, 0), "and what stood before it is what the log has");
        let refused = [tight(), set(3, 50, "refused: policy")];
        assert_eq!(compared(Some((5, 2)), &refused), (5, 0, 0));
        let refused = [set(2, 50, "done"), set(3, 5, "refused: policy")];
        assert_eq!(compared(Some((50, 2)), &refused), (50, 0, 0), "nor is a tighter one that was refused");
        assert_eq!(compared(Some((50, 3)), &[tight(), set(3, 50, "authorised")]), (50, 0, 0), "done");
    }

    #[test]
    fn a_looser_word_that_the_log_does_not_know_halts_and_does_not_hold() {
        for (at, said) in [(9, "does not know"), (3, "is older than the log"), (2, "is older than the log")] {
            let (base, damage, notes) = told(Some((50, at)), &[set(2, 50, "done"), set(3, 5, "done")]);
            assert_eq!((base, damage.len(), notes.len()), (5, 1, 0));
            assert!(damage[0].contains(said), "{at}: {damage:?}");
        }
        assert_eq!(
            compared(Some((5, 9)), &[set(2, 50, "done")]),
            (5, 0, 0),
            "a tighter one is what a crash leaves"
        );
    }
}
