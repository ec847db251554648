//! What people ask of events and alerts.

use super::draft::Draft;
use super::log::{Cursor, EventLog, lock};
use crate::protocol::{
    Acknowledged, AlertChoice, AlertsPage, Event, EventKind, EventsPage, Severity, Silence,
};
use crate::stamp::Stamp;
use std::collections::BTreeMap;

/// Bytes of events in one answer, about: half of the largest message.
const PAGE_BYTES_MAX: usize = 1 << 19;

/// Why alerts are as they were.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unchanged {
    /// There is no alert of this number.
    NoSuch(u64),
    /// There are too many silences.
    TooMany,
    /// They cannot be kept.
    Unkept(String),
}

/// Conditions that last: kind and scope, with how bad and in which words.
pub(crate) type Lasting = BTreeMap<(EventKind, String), (Severity, String)>;

impl EventLog {
    /// Events after the `after`th, `most` at most.
    pub(crate) fn page(&self, after: u64, most: usize) -> EventsPage {
        let mut cursor = Cursor::at(after.saturating_add(1));
        let (mut rows, mut lost, mut bytes): (Vec<Event>, u64, usize) = (Vec::new(), 0, 0);
        while rows.len() < most && bytes < PAGE_BYTES_MAX {
            let batch = self.advance(&mut cursor, (most - rows.len()).min(64));
            if rows.is_empty() {
                lost += batch.lost;
            }
            if batch.events.is_empty() {
                break;
            }
            for event in batch.events {
                bytes += event.text.len() + 400;
                rows.push(event.as_ref().clone());
            }
        }
        EventsPage { rows, next: cursor.next - 1, lost }
    }

    /// The alerts.
    pub(crate) fn alerts(&self) -> AlertsPage {
        lock(&self.book).page(self.now())
    }

    /// Alerts that last, by kind and severity.
    pub(crate) fn lasting(&self) -> BTreeMap<(EventKind, Severity), u64> {
        lock(&self.book).lasting()
    }

    /// Notes that `by` has taken note of alerts; it is on disk when this returns. Gives of how many.
    ///
    /// # Errors
    /// [`Unchanged`].
    pub(crate) fn acknowledge(
        &self,
        choice: &AlertChoice,
        by: &str,
        reason: &str,
    ) -> Result<usize, Unchanged> {
        let note = Acknowledged { by: by.to_owned(), at: self.now(), reason: reason.to_owned() };
        let file = lock(&self.book_file);
        let mut kept = lock(&self.book).clone();
        let seen = kept.ids();
        let count = kept.acknowledge(choice, &note).map_err(Unchanged::NoSuch)?;
        // Nobody has the book meanwhile: what happens is told, and heard of in it.
        self.keep_book(&kept).map_err(|error| Unchanged::Unkept(error.to_string()))?;
        let mut book = lock(&self.book);
        // Of what has come since nobody has taken note, and what has ended for good needs no note.
        let chosen = match choice {
            AlertChoice::All => seen,
            AlertChoice::Ids(ids) => ids.iter().copied().collect(),
        };
        let chosen = AlertChoice::Ids(chosen.intersection(&book.ids()).copied().collect());
        let _ = book.acknowledge(&chosen, &note);
        book.changed = true;
        drop((book, file));
        Ok(count)
    }

    /// Silences events, or ends that; it is on disk when this returns.
    ///
    /// # Errors
    /// [`Unchanged`].
    pub(crate) fn silence(&self, silence: &Silence, by: &str) -> Result<(), Unchanged> {
        let now = self.now();
        let file = lock(&self.book_file);
        let mut kept = lock(&self.book).clone();
        if !kept.silence(silence, by, now) {
            return Err(Unchanged::TooMany);
        }
        self.keep_book(&kept).map_err(|error| Unchanged::Unkept(error.to_string()))?;
        let mut book = lock(&self.book);
        book.silence(silence, by, now);
        book.changed = true;
        drop((book, file));
        Ok(())
    }

    /// Ends the alerts of `kinds` that are not among what lasts: at a start the book knows of the run before it.
    pub(crate) fn end_others(&self, kinds: &[EventKind], lasting: &Lasting, at: Stamp) {
        let is_over =
            |kind, scope: &str| kinds.contains(&kind) && !lasting.contains_key(&(kind, scope.to_owned()));
        let over = lock(&self.book).outdated(|kind, scope| !is_over(kind, scope));
        for (kind, scope) in over {
            self.tell(Draft::new(at, Severity::Notice, kind, &scope, "over: it was found so at a start"));
        }
    }

    /// Raises what lasts and has no alert.
    pub(crate) fn raise_others(&self, lasting: &Lasting, at: Stamp) {
        let known = lock(&self.book).lasting_scopes();
        for ((kind, scope), (severity, text)) in lasting {
            if !known.contains(&(*kind, scope.clone())) {
                self.tell(Draft::new(at, *severity, *kind, scope, text));
            }
        }
    }
}
