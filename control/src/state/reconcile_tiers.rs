//! What the audit log knows of the tiers. A seal proves who wrote `tiers.sealed`, not that it is the last one: so what rises is in the log, too,
//! and an older file that is put back takes no instrument out of its tier.
//!
//! The log is never below the tiers themselves: a rise is recorded with the file, in one record for all that rose at once, and what has fallen
//! since is recorded every [`CALM_EVERY`] at most. An instrument that rises and falls all day costs three records in that time.

use crate::audit::Event;
use crate::names::SymbolName;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use types::{Nanos, Tier};

/// How often it is recorded that tiers were left. What a daemon that is killed forgets by it is a calm of this length at most.
pub(super) const CALM_EVERY: Nanos = Nanos(600_000_000_000);

/// Instruments in one record: a line of the log has an end.
const ROWS_MAX: usize = 1_000;

/// All is said again at a start when it was said so many records ago: older segments may be kept elsewhere.
const STATED_RECORDS: u64 = 1_000;

/// What one record says.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Words {
    #[serde(default)]
    instruments: BTreeMap<SymbolName, String>,
    /// Of every instrument that no record names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    others: Option<String>,
}

/// The tiers at the end of the log, none below the instrument's own.
#[derive(Clone, Debug, Default)]
pub(crate) struct StandingTiers {
    named: BTreeMap<SymbolName, Tier>,
    /// Of those that it does not name; None where it says nothing: it was written by a version that did not, or that part is elsewhere.
    others: Option<Tier>,
    /// The record that spoke of the others last, and the newest of all.
    stated: u64,
    newest: u64,
}

impl StandingTiers {
    /// Takes the next record.
    pub(crate) fn take(&mut self, event: &Event) {
        self.newest = event.seq;
        let said = match event.action.as_str() {
            "tiers" => &event.after,
            "init" => &event.after["tiers"],
            _ => return,
        };
        let Ok(Words { instruments, others }) = serde_json::from_value(said.clone()) else { return };
        self.named.extend(instruments.into_iter().map(|(symbol, word)| (symbol, tier_of(&word))));
        if let Some(word) = others {
            (self.others, self.stated) = (Some(tier_of(&word)), event.seq);
        }
    }

    /// What `init` says: no instrument was ever in a tier.
    pub(crate) fn none() -> Value {
        words(&[], Some(Tier::Normal))
    }

    pub(super) fn named(&self) -> impl Iterator<Item = (SymbolName, Tier)> {
        self.named.iter().map(|(symbol, tier)| (*symbol, *tier))
    }

    pub(super) fn of_named(&self, symbol: SymbolName) -> Tier {
        self.named.get(&symbol).copied().unwrap_or_default()
    }

    pub(super) const fn others(&self) -> Option<Tier> {
        self.others
    }

    /// Whether all is to be said again.
    pub(super) const fn is_long_ago(&self) -> bool {
        self.newest - self.stated >= STATED_RECORDS
    }

    /// Takes note of what goes into the log, and gives the records of it. What is said of the others comes last: with it the rest
    /// may have become looser.
    pub(super) fn say(&mut self, rows: &BTreeMap<SymbolName, Tier>, others: Option<Tier>) -> Vec<Value> {
        self.named.extend(rows);
        self.others = others.or(self.others);
        let rows: Vec<_> = rows.iter().map(|(symbol, tier)| (*symbol, *tier)).collect();
        let mut records: Vec<Value> = rows.chunks(ROWS_MAX).map(|rows| words(rows, None)).collect();
        records.extend(others.map(|tier| words(&[], Some(tier))));
        records
    }
}

fn words(rows: &[(SymbolName, Tier)], others: Option<Tier>) -> Value {
    let instruments = rows.iter().map(|(symbol, tier)| (*symbol, tier.to_string())).collect();
    serde_json::json!(Words { instruments, others: others.map(|tier| tier.to_string()) })
}

/// A word that this version does not know is of a later one, and taken for a tight one.
fn tier_of(word: &str) -> Tier {
    Tier::ALL.into_iter().find(|tier| tier.as_str() == word).unwrap_or(Tier::High)
}

#[cfg(test)]
impl StandingTiers {
    /// The log after `records`, the first of which is the one of `init`.
    pub(super) fn after(records: &[Value]) -> Self {
        use crate::{audit::Actor, stamp::Stamp};
        let mut standing = Self { others: Some(Tier::Normal), ..Self::default() };
        let actor = Actor { uid: 1, gid: 1, pid: 1, user: "portcullis".to_owned(), role: None };
        for (seq, after) in (2..).zip(records) {
            standing.take(&Event {
                seq,
                ts: Stamp(types::UnixNanos(seq)),
                actor: actor.clone(),
                action: "tiers".to_owned(),
                target: "firm".to_owned(),
                before: Value::Null,
                after: after.clone(),
                result: "done".to_owned(),
            });
        }
        standing
    }
}
