//! The tiers above Normal, on disk: a daemon that ends in a fragile market comes up in one.
//!
//! What is kept is no latch: living scores lead out of a tier as they always do, after its dwell. Where the file is missing or damaged
//! nobody knows which market the daemon ended in, and every instrument begins in High. Of the file and the audit log (`reconcile_tiers`) the
//! tighter holds for each instrument.

use super::latch::Found;
use super::reconcile_tiers::{CALM_EVERY, StandingTiers};
use super::sealed::{self, Seal, SealError};
use crate::audit::AuditKey;
use crate::names::SymbolName;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use types::{Tier, UnixNanos};

const KIND: &str = "portcullis-tiers";
const VERSION: u32 = 1;

/// The tier that an instrument begins in where none was kept whole.
const UNKNOWN: Tier = Tier::High;

/// Instruments that a warning names.
const FEW: usize = 5;

/// Tiers as they were said last.
#[derive(Clone, Debug)]
pub struct TierBook {
    path: PathBuf,
    seal: Seal,
    /// Those above Normal.
    tiers: BTreeMap<SymbolName, Tier>,
    /// What an instrument is in at least that begins.
    otherwise: Tier,
    keep_damaged: bool,
    changed: bool,
    /// What the audit log has, or is owed.
    log: StandingTiers,
    /// What it does not have yet: instruments, and what is said of all others.
    unlogged: (BTreeMap<SymbolName, Tier>, Option<Tier>),
    /// When it was last brought down to what is.
    calmed: Option<UnixNanos>,
}

impl TierBook {
    /// Reads the book in `dir`, sealed with `key`, and takes the tighter of it and `log`; gives what is to be said where it is not whole,
    /// or not the last.
    pub(crate) fn open(dir: &Path, key: Option<&AuditKey>, log: StandingTiers) -> (Self, Option<String>) {
        let path = dir.join("tiers.sealed");
        let seal = seal(key);
        let (mut tiers, found) = Found::of(read(&path, &seal));
        let why = match &found {
            Found::Whole if log.others().is_none() => Some(format!(
                "{}: the audit log that is here says nothing of tiers, so it may be an older one",
                path.display()
            )),
            Found::Whole => None,
            Found::Missing => Some(format!("{}: no such file", path.display())),
            Found::Damaged(why) => Some(why.clone()),
        };
        let lacks = tighten(&mut tiers, &log);
        let said = match why {
            Some(why) => {
                Some(format!("{why}; every instrument begins in tier {UNKNOWN}, until scores lead out of it"))
            }
            None => older(&path, &lacks),
        };
        let unsure = found != Found::Whole || log.others().is_none();
        let otherwise = log.others().unwrap_or_default().max(if unsure { UNKNOWN } else { Tier::Normal });
        let all = log.is_long_ago();
        let is_unlogged = |symbol: SymbolName, tier: Tier| all || tier > log.of_named(symbol);
        let rows = tiers.iter().filter(|(symbol, tier)| is_unlogged(**symbol, **tier));
        let rows = rows.map(|(symbol, tier)| (*symbol, *tier)).collect();
        let others = (all || log.others() != Some(otherwise)).then_some(otherwise);
        let keep_damaged = matches!(found, Found::Damaged(_));
        let changed = !lacks.is_empty();
        let unlogged = (rows, others);
        (Self { path, seal, tiers, otherwise, keep_damaged, changed, log, unlogged, calmed: None }, said)
    }

    /// An empty book in `dir`, on disk.
    ///
    /// # Errors
    /// [`SealError`].
    pub(crate) fn begin(dir: &Path, key: Option<&AuditKey>) -> Result<(), SealError> {
        sealed::write(&dir.join("tiers.sealed"), &seal(key), b"{}")
    }

    /// The tier that `symbol`, which the feed names for the first time since the start, begins in. It is kept from now on.
    pub fn begin_in(&mut self, symbol: SymbolName) -> Tier {
        let tier = self.tiers.get(&symbol).copied().unwrap_or_default().max(self.otherwise);
        self.note(symbol, tier);
        tier
    }

    /// Takes note of a change.
    pub fn note(&mut self, symbol: SymbolName, tier: Tier) {
        let before = match tier {
            Tier::Normal => self.tiers.remove(&symbol),
            Tier::Elevated | Tier::High | Tier::Critical => self.tiers.insert(symbol, tier),
        };
        self.changed |= before.unwrap_or(Tier::Normal) != tier;
        let logged = self.unlogged.0.get(&symbol).copied().unwrap_or_default().max(self.log.of_named(symbol));
        if tier > logged {
            self.unlogged.0.insert(symbol, tier);
        }
    }

    /// What an instrument begins in that the book does not name, and those that it does.
    pub(crate) fn begun(&self) -> (Tier, impl Iterator<Item = (SymbolName, Tier)>) {
        (self.otherwise, self.tiers.iter().map(|(symbol, tier)| (*symbol, *tier)))
    }

    /// The records that are due: what has risen, and from time to time, or where that is asked for, what has `fallen`.
    pub(crate) fn records_due(&mut self, now: UnixNanos, fallen: bool) -> Vec<Value> {
        let (rows, others) = std::mem::take(&mut self.unlogged);
        let mut records = self.log.say(&rows, others);
        let since = *self.calmed.get_or_insert(now);
        let is_time = now.since(since) >= CALM_EVERY;
        if is_time || fallen || now < since {
            self.calmed = Some(now);
            let (log, tiers) = (&self.log, &self.tiers);
            let left =
                log.named().map(|(symbol, _)| (symbol, tiers.get(&symbol).copied().unwrap_or_default()));
            let rows: BTreeMap<_, _> = left.filter(|(symbol, tier)| *tier != log.of_named(*symbol)).collect();
            // Who was not named until now begins in Normal, as it was before: the others have a word of their own by now.
            let others = is_time && log.others() != Some(Tier::Normal);
            records.extend(self.log.say(&rows, others.then_some(Tier::Normal)));
        }
        records
    }

    /// Brings what has changed to disk, if anything has.
    ///
    /// # Errors
    /// [`SealError`]; it is tried again with the next call.
    pub(crate) fn keep(&mut self, now: UnixNanos) -> Result<(), SealError> {
        if !self.changed {
            return Ok(());
        }
        if self.keep_damaged {
            sealed::set_aside(&self.path, now.0)?;
            self.keep_damaged = false;
        }
        let words: BTreeMap<SymbolName, &str> =
            self.tiers.iter().map(|(symbol, tier)| (*symbol, tier.as_str())).collect();
        let body =
            serde_json::to_vec(&words).map_err(|error| SealError::damaged(&self.path, error.to_string()))?;
        sealed::write(&self.path, &self.seal, &body)?;
        self.changed = false;
        Ok(())
    }
}

/// Raises each instrument to what the log has; those that the file had lower.
fn tighten(tiers: &mut BTreeMap<SymbolName, Tier>, log: &StandingTiers) -> Vec<String> {
    let mut lacks = Vec::new();
    for (symbol, tier) in log.named() {
        if tier > tiers.get(&symbol).copied().unwrap_or_default() {
            tiers.insert(symbol, tier);
            lacks.push(format!("{symbol} in {tier}"));
        }
    }
    lacks
}

/// What is said of a whole file that has less than the log.
fn older(path: &Path, lacks: &[String]) -> Option<String> {
    let more = match lacks.len().saturating_sub(FEW) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!lacks.is_empty()).then(|| {
        format!(
            "{}: it lacks {}{more}, which the audit log has: it is an older file, or the daemon ended within {} minutes of their \
             calm; they begin in the tier of the log, until scores lead out of it",
            path.display(),
            lacks.iter().take(FEW).cloned().collect::<Vec<_>>().join(", "),
            CALM_EVERY.0 / 60_000_000_000
        )
    })
}

fn seal(key: Option<&AuditKey>) -> Seal {
    Seal { kind: KIND, version: VERSION, key: key.cloned() }
}

fn read(path: &Path, seal: &Seal) -> Result<Option<BTreeMap<SymbolName, Tier>>, SealError> {
    let Some(words) = sealed::read_json::<BTreeMap<SymbolName, String>>(path, seal, "tiers")? else {
        return Ok(None);
    };
    let tier = |(symbol, word): (SymbolName, String)| {
        let tier = Tier::ALL.into_iter().find(|tier| tier.as_str() == word);
        let damaged = || SealError::damaged(path, format!("sealed, and {word:?} is no tier"));
        Ok((symbol, tier.ok_or_else(damaged)?))
    };
    words.into_iter().map(tier).collect::<Result<_, _>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(symbol: &str) -> SymbolName {
        symbol.parse().unwrap()
    }

    /// The book beside a log that knows of no tier, as `init` makes it.
    fn open(dir: &Path) -> (TierBook, Option<String>) {
        TierBook::open(dir, None, StandingTiers::after(&[]))
    }

    #[test]
    fn a_tier_outlives_the_process_and_normal_needs_no_word() {
        let dir = tempfile::tempdir().unwrap();
        TierBook::begin(dir.path(), None).unwrap();
        let (mut book, said) = open(dir.path());
        assert_eq!((book.begin_in(name("FUTX")), said), (Tier::Normal, None));
        book.note(name("FUTX"), Tier::High);
        book.note(name("BRVO"), Tier::Critical);
        book.note(name("ALFA"), Tier::Elevated);
        book.note(name("ALFA"), Tier::Normal);
        book.keep(UnixNanos(1)).unwrap();
        let (mut book, said) = open(dir.path());
        assert_eq!(said, None);
        let tiers = ["FUTX", "BRVO", "ALFA"].map(|symbol| book.begin_in(name(symbol)));
        assert_eq!(tiers, [Tier::High, Tier::Critical, Tier::Normal]);
        assert!(!book.changed, "nothing to write");
    }

    #[test]
    fn a_book_that_is_gone_or_damaged_has_everything_begin_in_high_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tiers.sealed");
        let (mut book, said) = open(dir.path());
        assert!(said.unwrap().contains("no such file"));
        assert_eq!(book.begin_in(name("FUTX")), Tier::High);
        book.keep(UnixNanos(1)).unwrap();
        // Killed before a score came: it is known, and what was not named is Normal, as it was.
        let (mut book, said) = open(dir.path());
        assert_eq!((book.begin_in(name("FUTX")), said), (Tier::High, None));

        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            std::fs::write(&path, bytes).unwrap();
            let (mut book, said) = open(dir.path());
            assert!(said.is_some(), "byte {at}");
            assert_eq!(book.begin_in(name("ALFA")), Tier::High);
        }
        let (mut book, _) = open(dir.path());
        book.note(name("ALFA"), Tier::Elevated);
        book.keep(UnixNanos(7)).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "what was damaged is kept");
        assert_eq!(open(dir.path()).1, None);
    }

    const AT: UnixNanos = UnixNanos(1_000);

    fn later(minutes: u64) -> UnixNanos {
        UnixNanos(AT.0 + minutes * 60_000_000_000)
    }

    /// An empty book and, made of it, one in which ALFA is High, with the file of before and what the log has.
    fn risen() -> (tempfile::TempDir, Vec<u8>, TierBook, Vec<Value>) {
        let dir = tempfile::tempdir().unwrap();
        TierBook::begin(dir.path(), None).unwrap();
        let older = std::fs::read(dir.path().join("tiers.sealed")).unwrap();
        let (mut book, _) = open(dir.path());
        assert_eq!(book.records_due(AT, false), Vec::<Value>::new(), "nothing is to be said");
        book.note(name("ALFA"), Tier::High);
        let records = book.records_due(AT, false);
        book.keep(AT).unwrap();
        (dir, older, book, records)
    }

    #[test]
    fn an_older_tiers_file_put_back_takes_no_instrument_out_of_its_tier() {
        let (dir, older, _, records) = risen();
        assert_eq!(records, [serde_json::json!({ "instruments": { "ALFA": "high" } })]);
        let log = || StandingTiers::after(&records);
        assert_eq!(TierBook::open(dir.path(), None, log()).1, None, "the newest file is no news");
        std::fs::write(dir.path().join("tiers.sealed"), older).unwrap();
        let (mut book, said) = TierBook::open(dir.path(), None, log());
        let said = said.unwrap();
        assert!(
            said.contains("it lacks ALFA in high, which the audit log has: it is an older file"),
            "{said}"
        );
        assert_eq!([book.begin_in(name("ALFA")), book.begin_in(name("BRVO"))], [Tier::High, Tier::Normal]);
        assert_eq!(book.records_due(AT, false), Vec::<Value>::new(), "the log has it");
        book.keep(AT).unwrap();
        assert_eq!(TierBook::open(dir.path(), None, log()).1, None, "and now the file");
    }

    #[test]
    fn a_tier_that_comes_and_goes_costs_a_record_for_each_height_and_one_for_its_calm() {
        let (dir, _, mut book, mut records) = risen();
        for minute in 0..500 {
            for tier in [Tier::Normal, Tier::Elevated, Tier::High, Tier::Normal, Tier::Critical, Tier::Normal]
            {
                book.note(name("ALFA"), tier);
                records.extend(book.records_due(later(minute / 60), false));
            }
        }
        assert_eq!(records.len(), 2, "High and Critical, in eight minutes: {records:?}");
        assert_eq!(StandingTiers::after(&records).of_named(name("ALFA")), Tier::Critical, "never below");
        records.extend(book.records_due(later(10), false));
        assert_eq!(records[2], serde_json::json!({ "instruments": { "ALFA": "normal" } }));
        assert_eq!(book.records_due(later(30), false), Vec::<Value>::new());
        book.keep(later(30)).unwrap();
        let (mut again, said) = TierBook::open(dir.path(), None, StandingTiers::after(&records));
        assert_eq!((again.begin_in(name("ALFA")), said), (Tier::Normal, None), "it was left");
        book.note(name("ALFA"), Tier::Elevated);
        assert_eq!(book.records_due(later(31), false).len(), 1, "and is entered anew");
    }

    #[test]
    fn a_daemon_that_ends_leaves_no_tier_in_the_log_that_was_left() {
        let (_dir, _, mut book, mut records) = risen();
        book.note(name("ALFA"), Tier::Elevated);
        records.extend(book.records_due(AT, true));
        assert_eq!(StandingTiers::after(&records).of_named(name("ALFA")), Tier::Elevated);
    }

    #[test]
    fn beside_a_log_that_says_nothing_of_tiers_every_instrument_begins_in_high_once() {
        let (dir, _, mut old, _) = risen();
        old.note(name("ALFA"), Tier::Elevated);
        old.keep(AT).unwrap();
        let (mut book, said) = TierBook::open(dir.path(), None, StandingTiers::default());
        assert!(said.unwrap().contains("the audit log that is here says nothing of tiers"));
        let begun = |book: &mut TierBook| ["ALFA", "BRVO"].map(|symbol| book.begin_in(name(symbol)));
        let mut records = book.records_due(AT, false);
        assert_eq!(records.last(), Some(&serde_json::json!({ "instruments": {}, "others": "high" })));
        // Killed before the feed named anything: nothing is known yet, and it was said.
        let (mut killed, said) = TierBook::open(dir.path(), None, StandingTiers::after(&records));
        assert_eq!((begun(&mut killed), said), ([Tier::High; 2], None));
        assert_eq!(begun(&mut book), [Tier::High; 2]);
        book.note(name("BRVO"), Tier::Normal);
        records.extend(book.records_due(later(10), false));
        book.keep(later(10)).unwrap();
        let (mut next, said) = TierBook::open(dir.path(), None, StandingTiers::after(&records));
        assert_eq!((begun(&mut next), said), ([Tier::High, Tier::Normal], None), "{records:?}");
    }

    #[test]
    fn a_market_of_tiers_fits_into_records_and_is_said_again_when_it_was_long_ago() {
        let (dir, _, mut book, _) = risen();
        let symbols: Vec<SymbolName> = (0..3_000).map(|n| name(&format!("Z{n:06}"))).collect();
        symbols.iter().for_each(|symbol| book.note(*symbol, Tier::High));
        let records = book.records_due(AT, false);
        assert!(records.len() == 3 && records.iter().all(|record| record.to_string().len() < 60_000));
        book.keep(AT).unwrap();
        let mut all = vec![serde_json::json!({ "instruments": { "ALFA": "high" } })];
        all.extend(records);
        all.extend(std::iter::repeat_n(serde_json::json!({}), 1_000));
        let (mut book, said) = TierBook::open(dir.path(), None, StandingTiers::after(&all));
        let again = book.records_due(AT, false);
        assert_eq!((again.len(), said), (5, None));
        assert_eq!(again[4], serde_json::json!({ "instruments": {}, "others": "normal" }));
    }
}
