//! Reading the restricted list and the locates anew: lines that come are in force at once and ahead of the lock, lines that go wait for the record.

use super::asked::Asked;
use super::few::few;
use super::lists_ahead::Ahead;
use super::loosen::{not_audited, not_taken};
use super::plane::{Controller, Inner, refuse};
use super::shortfall::{Shortfalls, Why};
use crate::audit::{Actor, Entry as Record};
use crate::config::{
    ConfigErrors, ListFiles, ListSet, LocateList, LocatePlan, RestrictedList, RestrictedPlan, TwoPeople,
};
use crate::names::{Scope, SymbolName};
use crate::protocol::{Changed, Refusal, RefusalKind, Reply};
use serde_json::{Value, json};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What the records of a reload are about.
pub(super) const TARGET: &str = "lists";

/// Lines and names of each kind that a record or an answer has.
const FEW: usize = 20;

/// What a start says of a list in the audit log.
fn word_of(file: &Path, digest: &str, lines: usize) -> Value {
    if file.as_os_str().is_empty() {
        return Value::Null;
    }
    json!({ "file": file.display().to_string(), "digest": digest, "lines": lines })
}

/// What it says of the restricted list.
pub(super) fn restricted_word(plan: &RestrictedPlan) -> Value {
    word_of(&plan.file, plan.list.digest(), plan.list.count())
}

/// What it says of the locates.
pub(super) fn locates_word(plan: &LocatePlan) -> Value {
    word_of(&plan.file, plan.list.digest(), plan.list.count())
}

/// What one list makes of another.
struct Difference {
    added: Vec<String>,
    removed: Vec<String>,
}

impl Difference {
    /// A list that came from `file` with the digests and lines of before and after, as a record has it.
    fn record(&self, file: &Path, was: (&str, usize), is: (&str, usize)) -> (Value, Value) {
        let was = json!({ "digest": was.0, "lines": was.1 });
        let is = json!({
            "file": file.display().to_string(),
            "digest": is.0,
            "lines": is.1,
            "added": self.added.len(),
            "removed": self.removed.len(),
            "came": few(self.added.iter().cloned(), FEW, ""),
            "went": few(self.removed.iter().cloned(), FEW, ""),
        });
        (was, is)
    }

    fn said(&self, list: &str, (digest, lines): (&str, usize)) -> String {
        let (added, removed) = (self.added.len(), self.removed.len());
        format!("{list} {lines} lines, {added} added, {removed} removed (digest {digest})")
    }
}

/// What the lists make of those before.
struct Differences {
    restricted: Difference,
    locates: Difference,
    /// Somebody has less located.
    lowers: bool,
}

impl Differences {
    fn of(before: &ListSet, after: &ListSet) -> Self {
        let restricted = Difference {
            added: after.restricted.beyond(&before.restricted),
            removed: before.restricted.beyond(&after.restricted),
        };
        let locates = Difference {
            added: after.locates.beyond(&before.locates),
            removed: before.locates.beyond(&after.locates),
        };
        Self { restricted, locates, lowers: !before.locates.covers(&after.locates) }
    }

    /// Whether something of it is in force before whatever loosens.
    fn tightens(&self) -> bool {
        self.lowers || !self.restricted.added.is_empty()
    }

    /// What that is; nothing where nothing tightens.
    fn done(&self) -> String {
        let added = match self.restricted.added.len() {
            0 => None,
            n => Some(format!("{n} lines were added, which is tighter")),
        };
        let lowered = self.lowers.then(|| "what is located was lowered where it is less now".to_owned());
        added.into_iter().chain(lowered).collect::<Vec<_>>().join("; ")
    }

    /// The record of a change from `before` to `after`, which came from `files`.
    fn record(&self, why: Why<'_>, files: &ListFiles, before: &ListSet, after: &ListSet) -> Record {
        let word = |list: &RestrictedList| (list.digest().to_owned(), list.count());
        let (mut was, mut is) = (json!({}), json!({}));
        if let Some(file) = files.restricted() {
            let (old, new) = (word(&before.restricted), word(&after.restricted));
            (was, is) = self.restricted.record(file, (&old.0, old.1), (&new.0, new.1));
        }
        if let Some(file) = files.locates() {
            let word = |list: &LocateList| (list.digest().to_owned(), list.count());
            let (old, new) = (word(&before.locates), word(&after.locates));
            let (old, new) = self.locates.record(file, (&old.0, old.1), (&new.0, new.1));
            (was["locates"], is["locates"]) = (old, new);
        }
        why.record("lists.reload", TARGET, was, is)
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
        let files = self.lists.files();
        if files.all().next().is_none() {
            let message =
                "nothing was changed: the configuration names no list ([restricted] file, [locates] file)";
            return refuse(RefusalKind::BadRequest, message);
        }
        let ahead = self.lists.begin();
        let first = self.read_lists(files);
        if dry_run {
            let before = self.lists.shown();
            let list = first?;
            let said = self.said(&Differences::of(&before, &list), &list);
            let message = format!("Nothing was changed; this would be: {said}");
            return Ok(Reply::Changed(Changed::new(message, 0, false, 0)));
        }
        let mut missing = Shortfalls::default();
        // In force before anybody else's disk is waited for, and whether or not somebody still waits for it.
        if let Ok(list) = &first {
            self.lists.go_ahead(self.backend.as_ref(), ahead, Arc::clone(list));
            let lost = "THE FILE MAY NOT SURVIVE A POWER LOSS, since it could not be brought to disk";
            for file in files.all() {
                missing.note(keep(file), lost);
            }
        }
        let mut inner = self.lock();
        // Once more where somebody else read or set a list meanwhile: the last of all must be the newest.
        let read = if self.lists.is_newest(ahead) { first } else { self.read_lists(files) };
        let list = match read {
            Ok(list) => list,
            Err(refusal) => {
                self.lists.forget(self.backend.as_ref(), ahead);
                let record = why.record("lists.reload", TARGET, Value::Null, Value::Null);
                self.record_refusal(&mut inner, actor, record, &refusal.message);
                return Err(refusal);
            }
        };
        self.set_list(&mut inner, actor, (why, files), (ahead, &list), missing, asked)
    }

    /// Sets `list`, which was read from `files`, for good: all of it that tightens, then the rest.
    fn set_list(
        &self,
        inner: &mut Inner,
        actor: &Actor,
        (why, files): (Why<'_>, &ListFiles),
        (ahead, list): (Ahead, &Arc<ListSet>),
        mut missing: Shortfalls,
        asked: &Asked<'_>,
    ) -> Result<Reply, Refusal> {
        let before = self.lists.shown();
        let all = Differences::of(&before, list);
        let loosens = !list.covers(&before);
        let tighter = if loosens { Arc::new(list.and(&before)) } else { Arc::clone(list) };
        let taken = self.lists.set(self.backend.as_ref(), Arc::clone(&tighter), Some(ahead));
        missing.note(taken, "the gate did not take it");
        let mut seq = 0;
        if !loosens || all.tightens() {
            let record = Differences::of(&before, &tighter).record(why, files, &before, &tighter);
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
                self.loosen_list(inner, actor, (why, files), (&tighter, list), asked).map_err(|refusal| {
                    match done.as_str() {
                        "" => refusal,
                        done => {
                            Refusal { message: format!("{done}; the rest: {}", refusal.message), ..refusal }
                        }
                    }
                })?;
        }
        let changed = Changed::new(self.said(&all, list), 0, **list != *before, seq);
        missing.answer_once("the lists are read", Reply::Changed(changed))
    }

    /// Takes lines out: record, then effect. After a restart the file is what counts, so nothing else is to be kept.
    fn loosen_list(
        &self,
        inner: &mut Inner,
        actor: &Actor,
        (why, files): (Why<'_>, &ListFiles),
        (before, list): (&Arc<ListSet>, &Arc<ListSet>),
        asked: &Asked<'_>,
    ) -> Result<u64, Refusal> {
        asked.still_wanted()?;
        let of = |in_force: String, file: &str| json!({ "in_force": in_force, "file": file });
        let standing = json!({
            "restricted": of(before.restricted.lines_digest(), list.restricted.digest()),
            "locates": of(before.locates.lines_digest(), list.locates.digest()),
        });
        self.second_person(TwoPeople::Lists, asked, &standing)?;
        let record = Differences::of(before, list).record(why, files, before, list);
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

    fn read_lists(&self, files: &ListFiles) -> Result<Arc<ListSet>, Refusal> {
        let bad = |errors: ConfigErrors| {
            let said = few(errors.0.iter().map(ToString::to_string), FEW, "");
            Refusal {
                kind: RefusalKind::BadRequest,
                message: format!("nothing was changed: {}", said.join("; ")),
            }
        };
        files.read(&self.scopes).map(Arc::new).map_err(bad)
    }

    /// What came of it, for people.
    fn said(&self, differences: &Differences, list: &ListSet) -> String {
        let Differences { restricted, locates, .. } = differences;
        let files = self.lists.files();
        let of_restricted = files.restricted().map(|_| {
            restricted.said("the restricted list has", (list.restricted.digest(), list.restricted.count()))
        });
        let of_locates = files
            .locates()
            .map(|_| locates.said("the locates have", (list.locates.digest(), list.locates.count())));
        let mut said = of_restricted.into_iter().chain(of_locates).collect::<Vec<_>>().join("; ");
        let symbols = list.symbols().into_iter();
        let unnamed: Vec<SymbolName> =
            symbols.filter(|symbol| !self.backend.knows(&Scope::Instrument(*symbol))).collect();
        if !unnamed.is_empty() {
            let names = few(unnamed.iter().map(ToString::to_string), FEW, "").join(", ");
            said.push_str(&format!(
                "; no feed has named {names} yet: spelled right? Their lines hold from when one does"
            ));
        }
        said
    }
}
