//! The alerts: what is the matter and what was, until a person has taken note.

use super::journal::SEQ_MAX;
use crate::protocol::{
    Acknowledged, AlertChoice, AlertRow, AlertsPage, Effect, Event, EventKind, Severity, Silence,
};
use crate::stamp::Stamp;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Alerts of one kind at once; one more stands for all beyond them.
const PER_KIND_MAX: usize = 256;

/// Silences at once.
const SILENCES_MAX: usize = 256;

/// Rows of one answer: of at most 2,000 bytes each, they stay under the largest message.
const ROWS_MAX: usize = 400;

/// The scope of the alert that stands for those for which there is no room.
const OTHERS: &str = "others";

/// A silence in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Silenced {
    kind: EventKind,
    scope: Option<String>,
    until: Stamp,
    by: String,
}

impl Silenced {
    fn covers(&self, kind: EventKind, scope: &str, now: Stamp) -> bool {
        self.until > now && self.kind == kind && self.scope.as_ref().is_none_or(|wanted| wanted == scope)
    }
}

/// Everything about alerts that outlives the process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AlertBook {
    /// The newest event that it has heard of.
    pub(super) heard: u64,
    /// The newest alert's number.
    newest: u64,
    alerts: Vec<AlertRow>,
    silences: Vec<Silenced>,
    /// Whether it says something else than its file.
    #[serde(skip)]
    pub(super) changed: bool,
}

impl AlertBook {
    /// Takes an event.
    pub(super) fn hear(&mut self, event: &Event) {
        let raises = event.severity >= Severity::Warning;
        match event.kind.effect() {
            Effect::None => {}
            Effect::Level if !raises => self.end(event),
            Effect::Level => self.raise(event),
            Effect::Once if raises => self.raise(event),
            Effect::Once => {}
        }
    }

    fn place(&self, kind: EventKind, scope: &str) -> Option<usize> {
        self.alerts.iter().position(|alert| alert.kind == kind && alert.scope == scope)
    }

    fn raise(&mut self, event: &Event) {
        self.changed = true;
        let Event { at, severity, kind, ref scope, ref text, count, .. } = *event;
        let of_kind = || self.alerts.iter().filter(|alert| alert.kind == kind).count();
        let is_new = self.place(kind, scope).is_none();
        let scope = if is_new && of_kind() >= PER_KIND_MAX { OTHERS } else { scope.as_str() };
        if let Some(place) = self.place(kind, scope) {
            let alert = &mut self.alerts[place];
            // Worse than what somebody has taken note of, or again after its end: nobody has taken note of that.
            if severity > alert.severity || alert.ended.is_some() {
                alert.acknowledged = None;
            }
            alert.severity = alert.severity.max(severity);
            (alert.last, alert.ended) = (at, None);
            alert.count = alert.count.saturating_add(count);
            text.clone_into(&mut alert.text);
            return;
        }
        self.newest += 1;
        self.alerts.push(AlertRow {
            id: self.newest,
            kind,
            scope: scope.to_owned(),
            severity,
            since: at,
            last: at,
            count,
            text: text.clone(),
            ended: None,
            acknowledged: None,
            silenced: false,
        });
    }

    fn end(&mut self, event: &Event) {
        let Some(place) = self.place(event.kind, &event.scope) else { return };
        self.changed = true;
        let alert = &mut self.alerts[place];
        (alert.last, alert.ended) = (event.at, Some(event.at));
        event.text.clone_into(&mut alert.text);
        if alert.acknowledged.is_some() {
            self.alerts.remove(place);
        }
    }

    /// Ends what lasts by the book and not by what is: `lasts` says of a kind and scope whether it does.
    pub(super) fn outdated(&self, lasts: impl Fn(EventKind, &str) -> bool) -> Vec<(EventKind, String)> {
        let level = |alert: &&AlertRow| {
            alert.ended.is_none() && alert.kind.effect() == Effect::Level && alert.scope != OTHERS
        };
        let ended = self.alerts.iter().filter(level).filter(|alert| !lasts(alert.kind, &alert.scope));
        ended.map(|alert| (alert.kind, alert.scope.clone())).collect()
    }

    /// Takes note of some for `by`. Gives how many; those that only a person ends, and those that are over, go.
    ///
    /// # Errors
    /// The first number that is no alert's; nothing is changed then.
    pub(super) fn acknowledge(&mut self, choice: &AlertChoice, note: &Acknowledged) -> Result<usize, u64> {
        let chosen = |alert: &AlertRow| match choice {
            AlertChoice::All => true,
            AlertChoice::Ids(ids) => ids.contains(&alert.id),
        };
        if let AlertChoice::Ids(ids) = choice
            && let Some(unknown) = ids.iter().find(|id| !self.alerts.iter().any(|alert| alert.id == **id))
        {
            return Err(*unknown);
        }
        let mut count = 0;
        self.alerts.retain_mut(|alert| {
            if !chosen(alert) || alert.acknowledged.is_some() {
                return true;
            }
            count += 1;
            alert.acknowledged = Some(note.clone());
            let stands_for_others = alert.scope == OTHERS;
            alert.ended.is_none() && alert.kind.effect() == Effect::Level && !stands_for_others
        });
        self.changed |= count > 0;
        Ok(count)
    }

    /// Whether its numbers can be counted on from.
    pub(super) fn is_countable(&self) -> bool {
        self.heard <= SEQ_MAX && self.newest <= SEQ_MAX && self.alerts.iter().all(|alert| alert.id <= SEQ_MAX)
    }

    /// The numbers of all.
    pub(super) fn ids(&self) -> BTreeSet<u64> {
        self.alerts.iter().map(|alert| alert.id).collect()
    }

    /// Silences some, or speaks of them again. Whether there was room for it.
    pub(super) fn silence(&mut self, silence: &Silence, by: &str, now: Stamp) -> bool {
        let Silence { kind, scope, minutes } = silence;
        self.silences.retain(|old| old.until > now && !(old.kind == *kind && old.scope == *scope));
        self.changed = true;
        if *minutes == 0 {
            return true;
        }
        let until = now.0.plus(types::Nanos(u64::from(*minutes) * 60_000_000_000));
        let by = by.to_owned();
        let room = self.silences.len() < SILENCES_MAX;
        if room {
            self.silences.push(Silenced { kind: *kind, scope: scope.clone(), until: Stamp(until), by });
        }
        room
    }

    /// Whether a person does not want to be told of it now.
    pub(super) fn is_silenced(&self, kind: EventKind, scope: &str, now: Stamp) -> bool {
        self.silences.iter().any(|silence| silence.covers(kind, scope, now))
    }

    /// What is the matter, the worst and newest first.
    pub(super) fn page(&self, now: Stamp) -> AlertsPage {
        let mut rows = self.alerts.clone();
        for row in &mut rows {
            row.silenced = self.is_silenced(row.kind, &row.scope, now);
        }
        let done = |row: &AlertRow| row.acknowledged.is_some() || row.ended.is_some();
        rows.sort_by_key(|row| (done(row), Reverse(row.severity), Reverse(row.since), row.id));
        let more = rows.len().saturating_sub(ROWS_MAX) as u64;
        rows.truncate(ROWS_MAX);
        AlertsPage { rows, more }
    }

    /// How many there are, and of how many nobody has taken note.
    pub(super) fn counts(&self) -> (u64, u64) {
        let unnoted = self.alerts.iter().filter(|alert| alert.acknowledged.is_none()).count();
        (self.alerts.len() as u64, unnoted as u64)
    }

    /// Every kind and scope of which an alert lasts.
    pub(super) fn lasting_scopes(&self) -> BTreeSet<(EventKind, String)> {
        let lasting = self.alerts.iter().filter(|alert| alert.ended.is_none());
        lasting.map(|alert| (alert.kind, alert.scope.clone())).collect()
    }

    /// Alerts that last, by severity, for the metrics.
    pub(super) fn lasting(&self) -> BTreeMap<(EventKind, Severity), u64> {
        let mut counts = BTreeMap::new();
        for alert in self.alerts.iter().filter(|alert| alert.ended.is_none()) {
            *counts.entry((alert.kind, alert.severity)).or_default() += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::draft::Draft;
    use types::UnixNanos;

    fn at(s: u64) -> Stamp {
        Stamp(UnixNanos(s * 1_000_000_000))
    }

    fn hear(book: &mut AlertBook, s: u64, severity: Severity, kind: EventKind, scope: &str) {
        book.hear(&Draft::new(at(s), severity, kind, scope, "text").numbered(s));
    }

    fn note() -> Acknowledged {
        Acknowledged { by: "anna".to_owned(), at: at(99), reason: "seen".to_owned() }
    }

    #[test]
    fn the_same_again_is_one_alert_that_counts() {
        let mut book = AlertBook::default();
        (1..=9).for_each(|s| hear(&mut book, s, Severity::Warning, EventKind::Line, "line:x/0/A"));
        hear(&mut book, 10, Severity::Warning, EventKind::Line, "line:x/0/B");
        let rows = book.page(at(20)).rows;
        assert_eq!(rows.iter().map(|row| row.count).collect::<Vec<_>>(), [1, 9]);
        assert_eq!((rows[1].since, rows[1].last), (at(1), at(9)));
    }

    #[test]
    fn an_end_is_shown_until_a_person_has_taken_note() {
        let mut book = AlertBook::default();
        hear(&mut book, 1, Severity::Critical, EventKind::Feed, "feed:x");
        hear(&mut book, 2, Severity::Notice, EventKind::Feed, "feed:x");
        assert_eq!(book.page(at(3)).rows[0].ended, Some(at(2)));
        assert_eq!(book.acknowledge(&AlertChoice::All, &note()), Ok(1));
        assert_eq!(book.counts(), (0, 0));
    }

    #[test]
    fn what_is_noted_stays_as_long_as_it_lasts_and_is_open_again_when_it_gets_worse_or_comes_again() {
        let mut book = AlertBook::default();
        hear(&mut book, 1, Severity::Warning, EventKind::Tier, "instrument:A");
        assert_eq!(book.acknowledge(&AlertChoice::Ids(vec![1]), &note()), Ok(1));
        assert_eq!(book.acknowledge(&AlertChoice::Ids(vec![1]), &note()), Ok(0), "once");
        hear(&mut book, 2, Severity::Warning, EventKind::Tier, "instrument:A");
        assert_eq!(book.counts(), (1, 0));
        hear(&mut book, 3, Severity::Critical, EventKind::Tier, "instrument:A");
        assert_eq!(book.counts(), (1, 1));
        assert_eq!(book.acknowledge(&AlertChoice::Ids(vec![1]), &note()), Ok(1));
        hear(&mut book, 4, Severity::Info, EventKind::Tier, "instrument:A");
        assert_eq!(book.counts(), (0, 0), "noted and over");
        hear(&mut book, 5, Severity::Warning, EventKind::Tier, "instrument:A");
        assert_eq!(book.page(at(6)).rows[0].id, 2, "a number is never used again");
    }

    #[test]
    fn losses_end_by_a_person_alone_and_an_unknown_number_changes_nothing() {
        let mut book = AlertBook::default();
        hear(&mut book, 1, Severity::Warning, EventKind::Gap, "feed:x");
        hear(&mut book, 2, Severity::Info, EventKind::Gap, "feed:x");
        assert_eq!(book.page(at(3)).rows[0].ended, None);
        assert_eq!(book.acknowledge(&AlertChoice::Ids(vec![1, 7]), &note()), Err(7));
        assert_eq!(book.counts(), (1, 1));
        assert_eq!(book.acknowledge(&AlertChoice::Ids(vec![1]), &note()), Ok(1));
        assert_eq!(book.counts(), (0, 0));
    }

    #[test]
    fn a_storm_fills_no_memory() {
        let mut book = AlertBook::default();
        for n in 0..10_000 {
            hear(&mut book, n, Severity::Warning, EventKind::Tier, &format!("instrument:S{n}"));
        }
        hear(&mut book, 10_000, Severity::Critical, EventKind::Halt, "firm");
        assert_eq!(book.counts().0, PER_KIND_MAX as u64 + 2);
        let rows = book.page(at(20_000)).rows;
        assert_eq!(rows[0].kind, EventKind::Halt, "the worst first");
        let others = rows.iter().find(|row| row.scope == OTHERS).unwrap();
        assert_eq!(others.count, 10_000 - PER_KIND_MAX as u64);
        assert_eq!(book.acknowledge(&AlertChoice::Ids(vec![others.id]), &note()), Ok(1));
        assert!(!book.page(at(20_000)).rows.iter().any(|row| row.scope == OTHERS));
    }

    #[test]
    fn silences_end_by_time_or_by_word_and_are_bounded() {
        let mut book = AlertBook::default();
        let of = |scope: Option<&str>, minutes| Silence {
            kind: EventKind::Line,
            scope: scope.map(str::to_owned),
            minutes,
        };
        assert!(book.silence(&of(Some("a"), 1), "anna", at(0)));
        let silent = |book: &AlertBook, s, scope: &str| book.is_silenced(EventKind::Line, scope, at(s));
        assert!(silent(&book, 59, "a") && !silent(&book, 60, "a") && !silent(&book, 1, "b"));
        assert!(book.silence(&of(None, 1), "anna", at(0)) && silent(&book, 1, "b"));
        assert!(book.silence(&of(None, 0), "anna", at(0)) && !silent(&book, 1, "b"));
        assert!((0..300).any(|n| !book.silence(&of(Some(&n.to_string()), 1), "anna", at(0))), "bounded");
        assert!(book.silence(&of(Some("late"), 1), "anna", at(61)), "those that are over make room");
    }

    #[test]
    fn what_lasts_no_more_at_a_start_is_named() {
        let mut book = AlertBook::default();
        hear(&mut book, 1, Severity::Critical, EventKind::Halt, "firm");
        hear(&mut book, 2, Severity::Warning, EventKind::Gap, "feed:x");
        hear(&mut book, 3, Severity::Warning, EventKind::Line, "line:x/0/A");
        let outdated = book.outdated(|kind, _| kind == EventKind::Line);
        assert_eq!(outdated, [(EventKind::Halt, "firm".to_owned())]);
    }
}
