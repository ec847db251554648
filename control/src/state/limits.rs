//! Officers' limits: the configuration's envelopes and, on top, what officers have set since, on disk.

use super::latch::{Found, Unwritten};
use super::sealed::{self, Seal, SealError};
use crate::amount::Amount;
use crate::audit::AuditKey;
use crate::config::LimitPlan;
use crate::limits::{LimitKey, LimitRange};
use crate::names::SymbolName;
use crate::stamp::Stamp;
use gate::{Envelope, Parameter};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const KIND: &str = "portcullis-limits";
const VERSION: u32 = 1;

/// One base limit as an officer last set it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetBy {
    pub(crate) value: Amount,
    pub(crate) by: String,
    pub(crate) at: Stamp,
}

type Changes = BTreeMap<SymbolName, BTreeMap<LimitKey, SetBy>>;

/// The limits in force on the officers' side; a copy costs nothing.
#[derive(Clone, Debug)]
pub(crate) struct LimitsInForce {
    configured: Arc<LimitPlan>,
    changes: Arc<Changes>,
}

impl LimitsInForce {
    /// Instruments whose limits an officer has set.
    pub(crate) fn changed_symbols(&self) -> impl Iterator<Item = SymbolName> {
        self.changes.keys().copied()
    }

    /// The same, each with the moment of the newest word.
    pub(crate) fn changed(&self) -> impl Iterator<Item = (SymbolName, Stamp)> {
        let newest = |keys: &BTreeMap<LimitKey, SetBy>| keys.values().map(|set| set.at).max();
        self.changes.iter().filter_map(move |(symbol, keys)| Some((*symbol, newest(keys)?)))
    }

    /// Whether the configuration names the instrument.
    pub(crate) fn names(&self, symbol: SymbolName) -> bool {
        self.configured.by_symbol.contains_key(&symbol)
    }

    /// Who last set one limit, when it was not the configuration.
    pub(crate) fn set_by(&self, symbol: SymbolName, key: LimitKey) -> Option<&SetBy> {
        self.changes.get(&symbol)?.get(&key)
    }

    /// What is approved for one instrument: configured floor and cap, and the base in force. A base tighter than the
    /// floor takes the floor with it, so that no clamp to the floor undoes an officer's tightening.
    pub(crate) fn approved(&self, symbol: SymbolName) -> Envelope {
        self.shaped(symbol, |_, _, cap| cap)
    }

    /// What the gate is given: as [`LimitBook::approved`], but a limit that an officer has set tighter than the
    /// configuration is also its own cap. The model cannot widen past an officer's word, and a limit published under the
    /// old one stops at it at once.
    pub(crate) fn envelope(&self, symbol: SymbolName) -> Envelope {
        let configured = *self.configured.envelope(symbol).base();
        self.shaped(symbol, |parameter, value, cap| {
            let tightened = !parameter.at_least_as_tight(configured.get(parameter), value);
            if tightened { value } else { cap }
        })
    }

    fn shaped(&self, symbol: SymbolName, cap_of: impl Fn(Parameter, i64, i64) -> i64) -> Envelope {
        let configured = self.configured.envelope(symbol);
        let (mut floor, mut base, mut cap) = (*configured.floor(), *configured.base(), *configured.cap());
        for (key, set) in self.changes.get(&symbol).into_iter().flatten() {
            let parameter = key.parameter();
            let Some(value) = key.to_gate(set.value).ok() else { continue };
            if !parameter.at_least_as_tight(floor.get(parameter), value) {
                floor = floor.with(parameter, value).unwrap_or(floor);
            }
            base = base.with(parameter, value).unwrap_or(base);
            cap = cap.with(parameter, cap_of(parameter, value, cap.get(parameter))).unwrap_or(cap);
        }
        // Every value was checked against the configured cap when it was set or read.
        Envelope::new(floor, base, cap).unwrap_or(*configured)
    }

    /// Whether `value` is one the gate can hold and, if so, whether it is within the cap.
    ///
    /// # Errors
    /// [`LimitRange`] when the gate cannot hold it.
    pub(crate) fn within_cap(
        &self,
        symbol: SymbolName,
        key: LimitKey,
        value: Amount,
    ) -> Result<bool, LimitRange> {
        let cap = self.configured.envelope(symbol).cap().get(key.parameter());
        key.to_gate(value).map(|v| key.parameter().at_least_as_tight(v, cap))
    }

    /// As these, with one base set on top where that is tighter.
    pub(crate) fn tightened(&self, symbol: SymbolName, key: LimitKey, value: Amount) -> Self {
        let mut with = self.clone();
        if with.is_tighter(symbol, key, value) {
            let set = SetBy { value, by: String::new(), at: Stamp::default() };
            Arc::make_mut(&mut with.changes).entry(symbol).or_default().insert(key, set);
        }
        with
    }

    /// Whether `value` is tighter than what is in force.
    pub(crate) fn is_tighter(&self, symbol: SymbolName, key: LimitKey, value: Amount) -> bool {
        let base = self.approved(symbol).base().get(key.parameter());
        key.to_gate(value).is_ok_and(|value| !key.parameter().at_least_as_tight(base, value))
    }
}

/// What officers have set, and its file.
#[derive(Debug)]
pub(crate) struct LimitBook {
    path: PathBuf,
    seal: Seal,
    in_force: LimitsInForce,
    /// Words of the file that the configuration was tighter than at the start. They are kept and do nothing: where the configuration
    /// is looser at a later start, they hold again.
    dormant: Changes,
    keep_damaged: bool,
    /// Why the file says something else than is in force, since when: the last write failed.
    unwritten: Option<Unwritten>,
}

impl Deref for LimitBook {
    type Target = LimitsInForce;

    fn deref(&self) -> &LimitsInForce {
        &self.in_force
    }
}

impl LimitBook {
    /// Reads what officers have set. A start never loosens: where the configuration is the tighter of the two it holds, and the
    /// officer's word waits. What was not found whole has nothing in it.
    pub(crate) fn open(dir: &Path, key: Option<&AuditKey>, configured: LimitPlan) -> (Self, Found) {
        let path = dir.join("limits.sealed");
        let seal = Seal { kind: KIND, version: VERSION, key: key.cloned() };
        let (changes, found): (Changes, _) = Found::of(sealed::read_json(&path, &seal, "limits"));
        let keep_damaged = matches!(found, Found::Damaged(_));
        let in_force = LimitsInForce { configured: Arc::new(configured), changes: Arc::default() };
        let mut book = Self { path, seal, in_force, dormant: Changes::new(), keep_damaged, unwritten: None };
        for (symbol, keys) in changes {
            keys.into_iter().for_each(|(key, set)| book.restore(symbol, key, set));
        }
        (book, found)
    }

    /// Takes a word of before the start: in force where it is no looser than what is.
    pub(crate) fn restore(&mut self, symbol: SymbolName, key: LimitKey, set: SetBy) {
        let base = self.approved(symbol).base().get(key.parameter());
        let holds = key.to_gate(set.value).is_ok_and(|v| key.parameter().at_least_as_tight(v, base));
        if holds {
            self.set(symbol, key, set);
        } else {
            self.dormant.entry(symbol).or_default().insert(key, set);
        }
    }

    /// Every word of the file, whether or not it holds.
    pub(crate) fn words(&self) -> impl Iterator<Item = (SymbolName, LimitKey, &SetBy)> {
        let all = self.changes.iter().chain(&self.dormant);
        all.flat_map(|(symbol, keys)| keys.iter().map(|(key, set)| (*symbol, *key, set)))
    }

    /// What is in force now, for whoever looks at it beside the lock.
    pub(crate) fn shared(&self) -> LimitsInForce {
        self.in_force.clone()
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`SealError`]; the file on disk is then as it was, and the write is owed ([`LimitBook::unwritten`]).
    pub(crate) fn persist(&mut self, now: Stamp) -> Result<(), SealError> {
        let written = self.write(now);
        match &written {
            Ok(()) => self.unwritten = None,
            Err(error) => self.owe(now, error),
        }
        written
    }

    /// Notes that the file does not say what is in force.
    pub(crate) fn owe(&mut self, now: Stamp, error: &SealError) {
        let since = self.unwritten.as_ref().map_or(now, |unwritten| unwritten.since);
        self.unwritten = Some(Unwritten { since, why: error.to_string() });
    }

    /// Why and since when the file does not say what is in force, because the last write failed.
    pub(crate) const fn unwritten(&self) -> Option<&Unwritten> {
        self.unwritten.as_ref()
    }

    fn write(&mut self, now: Stamp) -> Result<(), SealError> {
        let mut all = self.dormant.clone();
        for (symbol, keys) in &*self.changes {
            all.entry(*symbol).or_default().extend(keys.iter().map(|(key, set)| (*key, set.clone())));
        }
        let body =
            serde_json::to_vec_pretty(&all).map_err(|e| SealError::damaged(&self.path, e.to_string()))?;
        if self.keep_damaged {
            sealed::set_aside(&self.path, now.0.0)?;
            self.keep_damaged = false;
        }
        sealed::write(&self.path, &self.seal, &body)
    }

    /// Sets one base; the caller has checked it with [`LimitBook::within_cap`].
    pub(crate) fn set(&mut self, symbol: SymbolName, key: LimitKey, set: SetBy) {
        if let Some(keys) = self.dormant.get_mut(&symbol) {
            keys.remove(&key);
        }
        Arc::make_mut(&mut self.in_force.changes).entry(symbol).or_default().insert(key, set);
    }

    /// Copies what is set, to put it back when a change could not be written.
    pub(crate) fn checkpoint(&self) -> impl FnOnce(&mut Self) + use<> {
        let (in_force, dormant) = (self.in_force.clone(), self.dormant.clone());
        move |book| (book.in_force, book.dormant) = (in_force, dormant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use types::UnixNanos;

    const NOW: Stamp = Stamp(UnixNanos(1));

    fn plan(set: &[&str]) -> LimitPlan {
        config::load(&[], &set.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()).unwrap().limits
    }

    fn set(value: u64) -> SetBy {
        SetBy { value: Amount::whole(value), by: "alice".into(), at: NOW }
    }

    #[test]
    fn a_restart_never_loosens_against_either_word() {
        let dir = tempfile::tempdir().unwrap();
        let symbol: SymbolName = "ZVZZT".parse().unwrap();
        let (mut book, found) = LimitBook::open(dir.path(), None, plan(&[]));
        assert_eq!(found, Found::Missing);
        book.set(symbol, LimitKey::MaxQty, set(50));
        book.set(symbol, LimitKey::CollarBps, set(400));
        assert_eq!(book.envelope(symbol).base().collar_bps, 400, "raised while running");
        book.persist(NOW).unwrap();

        let (book, _) = LimitBook::open(dir.path(), None, plan(&[]));
        assert_eq!(book.envelope(symbol).base().max_qty.0, 50, "the officer's is tighter");
        assert_eq!(book.envelope(symbol).base().collar_bps, 200, "the configuration's is tighter");
        assert!(book.set_by(symbol, LimitKey::CollarBps).is_none());
        assert_eq!(book.set_by(symbol, LimitKey::MaxQty), Some(&set(50)));

        let tighter = plan(&["limits.default.max_qty={ floor = 1, base = 20, cap = 30 }"]);
        let (mut book, _) = LimitBook::open(dir.path(), None, tighter);
        assert_eq!(book.envelope(symbol).base().max_qty.0, 20);
        book.set(symbol, LimitKey::MarginBps, set(15_000));
        book.persist(NOW).unwrap();
        let (book, _) = LimitBook::open(dir.path(), None, plan(&[]));
        assert_eq!(book.envelope(symbol).base().max_qty.0, 50, "the officer's word waited");
    }

    #[test]
    fn a_base_under_the_floor_takes_the_floor_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let symbol: SymbolName = "ZVZZT".parse().unwrap();
        let (mut book, _) = LimitBook::open(dir.path(), None, plan(&[]));
        book.set(symbol, LimitKey::MaxQty, set(1));
        book.set(symbol, LimitKey::PassiveMinTicks, set(50));
        let envelope = book.approved(symbol);
        assert_eq!(
            (envelope.floor().max_qty.0, envelope.base().max_qty.0, envelope.cap().max_qty.0),
            (1, 1, 1000)
        );
        assert_eq!(envelope.floor().passive_min_ticks, 50);
        assert_eq!(envelope.floor().collar_bps, 20, "the other floors stay");
    }

    #[test]
    fn what_an_officer_tightened_the_model_cannot_widen() {
        let dir = tempfile::tempdir().unwrap();
        let symbol: SymbolName = "ZVZZT".parse().unwrap();
        let (mut book, _) = LimitBook::open(dir.path(), None, plan(&[]));
        book.set(symbol, LimitKey::MaxQty, set(50));
        book.set(symbol, LimitKey::MarginBps, set(15_000));
        book.set(symbol, LimitKey::CollarBps, set(300));
        let cap = *book.envelope(symbol).cap();
        assert_eq!((cap.max_qty.0, cap.margin_bps), (50, 15_000), "tightened: the word is the cap");
        assert_eq!(cap.collar_bps, 500, "loosened: the configured cap stays");
        assert_eq!(
            book.approved(symbol).cap().max_qty.0,
            1000,
            "which is also what the officer may go back to"
        );
    }

    #[test]
    fn a_write_that_failed_is_owed_until_one_works() {
        let dir = tempfile::tempdir().unwrap();
        let (mut book, _) = LimitBook::open(dir.path(), None, plan(&[]));
        let blocked = dir.path().join("limits.new");
        std::fs::create_dir(&blocked).unwrap();
        book.persist(NOW).unwrap_err();
        let later = Stamp(UnixNanos(6));
        book.persist(later).unwrap_err();
        let owed = book.unwritten().unwrap();
        assert!(owed.since == NOW && owed.why.contains("limits.new"), "{owed:?}");
        std::fs::remove_dir(&blocked).unwrap();
        book.persist(later).unwrap();
        assert_eq!(book.unwritten(), None);
    }

    #[test]
    fn a_damaged_file_is_reported_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("limits.sealed"), "x").unwrap();
        let (mut book, found) = LimitBook::open(dir.path(), None, plan(&[]));
        assert!(matches!(found, Found::Damaged(why) if why.contains("limits.sealed: found no header line")));
        book.persist(NOW).unwrap();
        assert_eq!(std::fs::read(dir.path().join("limits.sealed.damaged-1")).unwrap(), b"x");
    }

    #[test]
    fn an_instrument_is_named_where_the_configuration_has_limits_of_its_own_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let named = plan(&["limits.symbol.ZVZZT.max_qty={ floor = 1, base = 2, cap = 3 }"]);
        let (book, _) = LimitBook::open(dir.path(), None, named);
        assert_eq!(["ZVZZT", "ALFA"].map(|symbol| book.names(symbol.parse().unwrap())), [true, false]);
    }

    #[test]
    fn caps_are_judged_in_the_direction_of_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let symbol: SymbolName = "ZVZZT".parse().unwrap();
        let (book, _) = LimitBook::open(dir.path(), None, plan(&[]));
        let within = |key, value| book.within_cap(symbol, key, Amount::whole(value));
        assert_eq!(within(LimitKey::MaxQty, 1000), Ok(true));
        assert_eq!(within(LimitKey::MaxQty, 1001), Ok(false));
        assert_eq!(within(LimitKey::PassiveMinTicks, 65_535), Ok(true));
        assert_eq!(within(LimitKey::MarginBps, 10_000), Ok(true));
        assert!(within(LimitKey::MarginBps, 9_999).is_err(), "less than once is no margin");
        assert!(within(LimitKey::MaxQty, 0).is_err());
    }
}
