//! Reading the restricted list anew: lines that come are in force at once and ahead of the lock, lines that go wait for the record.

use super::asked::Asked;
use super::few::few;
use super::lists_ahead::Ahead;
use super::loosen::{not_audited, not_taken};
use super::plane::{Controller, Inner, refuse};
use super::shortfall::{Shortfalls, Why};
use crate::audit::{Actor, Entry as Record};
use crate::config::{ConfigErrors, RestrictedList, RestrictedPlan, TwoPeople};
use crate::names::{Scope, SymbolName};
use crate::protocol::{Changed, Refusal, RefusalKind, Reply};
use serde_json::{Value, json};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Lines and names of each kind that a record or an answer has.
const FEW: usize = 20;

/// What a start says of the list in the audit log.
pub(super) fn word_of(plan: &RestrictedPlan) -> Value {
    if plan.file.as_os_str().is_empty() {
        return Value::Null;
    }
    json!({ "file": plan.file.display().to_string(), "digest": plan.list.digest(), "lines": plan.list.count() })
}

/// What one list makes of another.
struct Difference {
    added: Vec<String>,
    removed: Vec<String>,
}

impl Difference {
    fn of(before: &RestrictedList, after: &RestrictedList) -> Self {
        Self { added: after.beyond(before), removed: before.beyond(after) }
    }

    /// What of it is in force before whatever goes; nothing where nothing comes.
    fn done(&self) -> String {
        match self.added.len() {
            0 => String::new(),
            n => format!("{n} lines were added, which is tighter"),
        }
    }

    /// The record of a change from `before` to `after`, which came from `file`.
    fn record(&self, why: Why<'_>, file: &Path, before: &RestrictedList, after: &RestrictedList) -> Record {
        let was = json!({ "digest": before.digest(), "lines": before.count() });
        let is = json!({
            "file": file.display().to_string(),
            "digest": after.digest(),
            "lines": after.count(),
            "added": self.added.len(),
            "removed": self.removed.len(),
            "came": few(self.added.iter().cloned(), FEW, ""),
            "went": few(self.removed.iter().cloned(), FEW, ""),
        });
        why.record("lists.reload", "restricted", was, is)
    }
}

/// Brings a file that somebody has written to disk, and its name. Whoever is answered that a line is in force counts on it after a
/// power loss, too.
fn keep(file: &Path) -> io::Result<()> {
    File::open(file)?.sync_all()?;
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}

impl Controller {
    pub(super) fn lists_reload(
        &self,
        actor: &Actor,
        dry_run: bool,
        why: Why<'_>,
        asked: &Asked<'_>,
    ) -> Result<Reply, Refusal> {
        let Some(file) = self.lists.file() else {
            let message = "nothing was changed: the configuration names no list ([restricted] file)";
            return refuse(RefusalKind::BadRequest, message);
        };
        let ahead = self.lists.begin();
        let first = self.read_list(file);
        if dry_run {
            let before = self.lists.shown();
            let list = first?;
            let said = self.said(&Difference::of(&before, &list), &list);
            let message = format!("Nothing was changed; this would be: {said}");
            return Ok(Reply::Changed(Changed::new(message, 0, false, 0)));
        }
        let mut missing = Shortfalls::default();
        // In force before anybody else's disk is waited for, and whether or not somebody still waits for it.
        if let Ok(list) = &first {
            self.lists.go_ahead(self.backend.as_ref(), ahead, Arc::clone(list));
            let lost = "THE FILE MAY NOT SURVIVE A POWER LOSS, since it could not be brought to disk";
            missing.note(keep(file), lost);
        }
        let mut inner = self.lock();
        // Once more where somebody else read or set a list meanwhile: the last of all must be the newest.
        let read = if self.lists.is_newest(ahead) { first } else { self.read_list(file) };
        let list = match read {
            Ok(list) => list,
            Err(refusal) => {
                self.lists.forget(self.backend.as_ref(), ahead);
                let record = why.record("lists.reload", "restricted", Value::Null, Value::Null);
                self.record_refusal(&mut inner, actor, record, &refusal.message);
                return Err(refusal);
            }
        };
        self.set_list(&mut inner, actor, (why, file), (ahead, &list), missing, asked)
    }

    /// Sets `list`, which was read from `file`, for good: all of it that tightens, then the rest.
    fn set_list(
        &self,
        inner: &mut Inner,
        actor: &Actor,
        (why, file): (Why<'_>, &Path),
        (ahead, list): (Ahead, &Arc<RestrictedList>),
        mut missing: Shortfalls,
        asked: &Asked<'_>,
    ) -> Result<Reply, Refusal> {
        let before = self.lists.shown();
        let all = Difference::of(&before, list);
        let loosens = !list.covers(&before);
        let tighter = if loosens { Arc::new(list.and(&before)) } else { Arc::clone(list) };
        let taken = self.lists.set(self.backend.as_ref(), Arc::clone(&tighter), Some(ahead));
        missing.note(taken, "the gate did not take it");
        let mut seq = 0;
        if !loosens || !all.added.is_empty() {
            let record = Difference::of(&before, &tighter).record(why, file, &before, &tighter);
            let record = Record { result: missing.result(*tighter != *before), ..record };
            let written = inner.trail.append_or_owe(self.now(), actor, vec![record]);
            seq = missing.note(written, "it is not in the audit log").unwrap_or(0);
        }
        if loosens {
            let done = all.done();
            if let Some(second) = asked.second {
                second.done.replace(done.clone());
            }
            seq =
                self.loosen_list(inner, actor, (why, file), (&tighter, list), asked).map_err(|refusal| {
                    match done.as_str() {
                        "" => refusal,
                        done => {
                            Refusal { message: format!("{done}; the rest: {}", refusal.message), ..refusal }
                        }
                    }
                })?;
        }
        let changed = Changed::new(self.said(&all, list), 0, **list != *before, seq);
        missing.answer_once("the restricted list is read", Reply::Changed(changed))
    }

    /// Takes lines out: record, then effect. After a restart the file is what counts, so nothing else is to be kept.
    fn loosen_list(
        &self,
        inner: &mut Inner,
        actor: &Actor,
        (why, file): (Why<'_>, &Path),
        (before, list): (&Arc<RestrictedList>, &Arc<RestrictedList>),
        asked: &Asked<'_>,
    ) -> Result<u64, Refusal> {
        asked.still_wanted()?;
        let standing = json!({ "in_force": before.lines_digest(), "file": list.digest() });
        self.second_person(TwoPeople::Lists, asked, &standing)?;
        let record = Difference::of(before, list).record(why, file, before, list);
        let authorised = Record { result: "authorised".to_owned(), ..record.clone() };
        let seq = inner.trail.append(self.now(), actor, &authorised).map_err(|error| not_audited(&error))?;
        if let Err(refusal) = asked.still_wanted() {
            return Err(self.failed(inner, actor, record, refusal));
        }
        if let Err(error) = self.lists.set(self.backend.as_ref(), Arc::clone(list), None) {
            return Err(self.failed(inner, actor, record, not_taken(&error)));
        }
        Ok(seq)
    }

    fn read_list(&self, file: &Path) -> Result<Arc<RestrictedList>, Refusal> {
        let bad = |errors: ConfigErrors| {
            let said = few(errors.0.iter().map(ToString::to_string), FEW, "");
            Refusal {
                kind: RefusalKind::BadRequest,
                message: format!("nothing was changed: {}", said.join("; ")),
            }
        };
        RestrictedList::read(file, &self.scopes).map(Arc::new).map_err(bad)
    }

    /// What came of it, for people.
    fn said(&self, difference: &Difference, list: &RestrictedList) -> String {
        let Difference { added, removed } = difference;
        let unnamed: Vec<SymbolName> =
            list.symbols().filter(|symbol| !self.backend.knows(&Scope::Instrument(*symbol))).collect();
        let mut said = format!(
            "the restricted list has {} lines, {} added, {} removed (digest {})",
            list.count(),
            added.len(),
            removed.len(),
            list.digest()
        );
        if !unnamed.is_empty() {
            let names = few(unnamed.iter().map(ToString::to_string), FEW, "").join(", ");
            said.push_str(&format!(
                "; no feed has named {names} yet: spelled right? Their lines hold from when one does"
            ));
        }
        said
    }
}
