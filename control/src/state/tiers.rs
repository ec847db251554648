//! The tiers above Normal, on disk: a daemon that ends in a fragile market comes up in one.
//!
//! What is kept is no latch: living scores lead out of a tier as they always do, after its dwell. Where the file is missing or damaged
//! nobody knows which market the daemon ended in, and every instrument begins in High.

use super::latch::Found;
use super::sealed::{self, Seal, SealError};
use crate::audit::AuditKey;
use crate::names::SymbolName;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use types::{Tier, UnixNanos};

const KIND: &str = "portcullis-tiers";
const VERSION: u32 = 1;

/// The tier that an instrument begins in where none was kept whole.
const UNKNOWN: Tier = Tier::High;

/// Tiers as they were said last.
#[derive(Debug)]
pub struct TierBook {
    path: PathBuf,
    seal: Seal,
    /// Those above Normal.
    tiers: BTreeMap<SymbolName, Tier>,
    /// What an instrument is in of which the book says nothing.
    otherwise: Tier,
    keep_damaged: bool,
    changed: bool,
}

impl TierBook {
    /// Reads the book in `dir`, sealed with `key`; gives what is to be said of it where it is not whole.
    pub(crate) fn open(dir: &Path, key: Option<&AuditKey>) -> (Self, Option<String>) {
        let path = dir.join("tiers.sealed");
        let seal = seal(key);
        let (tiers, found) = Found::of(read(&path, &seal));
        let why = match &found {
            Found::Whole => None,
            Found::Missing => Some(format!("{}: no such file", path.display())),
            Found::Damaged(why) => Some(why.clone()),
        };
        let said = why.map(|why| {
            format!("{why}; every instrument begins in tier {UNKNOWN}, until scores lead out of it")
        });
        let otherwise = if said.is_some() { UNKNOWN } else { Tier::Normal };
        let keep_damaged = matches!(found, Found::Damaged(_));
        (Self { path, seal, tiers, otherwise, keep_damaged, changed: false }, said)
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
        let tier = self.tiers.get(&symbol).copied().unwrap_or(self.otherwise);
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
    }

    /// Brings what has changed to disk, if anything has.
    ///
    /// # Errors
    /// [`SealError`]; it is tried again with the next call.
    pub fn keep(&mut self, now: UnixNanos) -> Result<(), SealError> {
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

    #[test]
    fn a_tier_outlives_the_process_and_normal_needs_no_word() {
        let dir = tempfile::tempdir().unwrap();
        TierBook::begin(dir.path(), None).unwrap();
        let (mut book, said) = TierBook::open(dir.path(), None);
        assert_eq!((book.begin_in(name("FUTX")), said), (Tier::Normal, None));
        book.note(name("FUTX"), Tier::High);
        book.note(name("BRVO"), Tier::Critical);
        book.note(name("ALFA"), Tier::Elevated);
        book.note(name("ALFA"), Tier::Normal);
        book.keep(UnixNanos(1)).unwrap();
        let (mut book, said) = TierBook::open(dir.path(), None);
        assert_eq!(said, None);
        let tiers = ["FUTX", "BRVO", "ALFA"].map(|symbol| book.begin_in(name(symbol)));
        assert_eq!(tiers, [Tier::High, Tier::Critical, Tier::Normal]);
        assert!(!book.changed, "nothing to write");
    }

    #[test]
    fn a_book_that_is_gone_or_damaged_has_everything_begin_in_high_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tiers.sealed");
        let (mut book, said) = TierBook::open(dir.path(), None);
        assert!(said.unwrap().contains("no such file"));
        assert_eq!(book.begin_in(name("FUTX")), Tier::High);
        book.keep(UnixNanos(1)).unwrap();
        // Killed before a score came: it is known, and what was not named is Normal, as it was.
        let (mut book, said) = TierBook::open(dir.path(), None);
        assert_eq!((book.begin_in(name("FUTX")), said), (Tier::High, None));

        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            std::fs::write(&path, bytes).unwrap();
            let (mut book, said) = TierBook::open(dir.path(), None);
            assert!(said.is_some(), "byte {at}");
            assert_eq!(book.begin_in(name("ALFA")), Tier::High);
        }
        let (mut book, _) = TierBook::open(dir.path(), None);
        book.note(name("ALFA"), Tier::Elevated);
        book.keep(UnixNanos(7)).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "what was damaged is kept");
        assert_eq!(TierBook::open(dir.path(), None).1, None);
    }
}
