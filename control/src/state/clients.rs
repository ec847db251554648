//! The clients whose books were ever begun, in a sealed file: one whose journal is gone is no new one.

use super::sealed::{self, Seal, SealError};
use crate::names::Name;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use types::UnixNanos;

/// Without a MAC: the journals beside it have none either, and the daemon's books come from them.
const SEAL: Seal = Seal { kind: "portcullis-clients", version: 1, key: None };

/// Clients that have books.
#[derive(Debug)]
pub struct KnownClients {
    path: PathBuf,
    /// None where nobody knows which: then every client is one of them.
    names: Option<BTreeSet<Name>>,
}

impl KnownClients {
    /// What the file in the state directory `dir` says, and what is wrong with it. It is begun where `is_first`, that is, where there
    /// never was a journal; missing beside journals, or damaged, it says nothing of who is new, and every client counts as known until
    /// its books were opened. What was damaged is kept aside, under the time.
    ///
    /// # Errors
    /// [`SealError`], when it cannot be begun.
    pub fn open(dir: &Path, is_first: bool, now: UnixNanos) -> Result<(Self, Option<String>), SealError> {
        let path = dir.join("clients.sealed");
        let (names, told) = match sealed::read_json(&path, &SEAL, "names") {
            Ok(Some(names)) => (Some(names), None),
            Ok(None) if is_first => {
                let mut begun = Self { path, names: Some(BTreeSet::new()) };
                begun.write(BTreeSet::new())?;
                return Ok((begun, None));
            }
            Ok(None) => (None, Some(format!("{}: found none beside the journals", path.display()))),
            Err(error) => {
                let _ = sealed::set_aside(&path, now.0);
                (None, Some(error.to_string()))
            }
        };
        Ok((Self { path, names }, told))
    }

    /// Whether a client had books before.
    #[must_use]
    pub fn has(&self, client: &Name) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(client))
    }

    /// The books of all of `clients` are there from now on: on disk before this returns. From then on the others are new.
    ///
    /// # Errors
    /// [`SealError`]; nothing has changed.
    pub fn remember<'a>(&mut self, clients: impl IntoIterator<Item = &'a Name>) -> Result<(), SealError> {
        let mut names = self.names.clone().unwrap_or_default();
        names.extend(clients.into_iter().cloned());
        if self.names.as_ref() == Some(&names) { Ok(()) } else { self.write(names) }
    }

    fn write(&mut self, names: BTreeSet<Name>) -> Result<(), SealError> {
        let body = serde_json::to_vec_pretty(&names)
            .map_err(|error| SealError::damaged(&self.path, error.to_string()))?;
        sealed::write(&self.path, &SEAL, &body)?;
        self.names = Some(names);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_had_books_is_known_after_a_restart_and_everybody_where_nobody_can_tell() {
        let dir = tempfile::tempdir().unwrap();
        let name = |text: &str| text.parse::<Name>().unwrap();
        let (a, b) = (name("a"), name("b"));
        let open = |is_first| KnownClients::open(dir.path(), is_first, UnixNanos(7)).unwrap();
        let (mut first, told) = open(true);
        assert_eq!((told, first.has(&a)), (None, false));
        first.remember([&a]).unwrap();
        let (known, told) = open(false);
        assert_eq!((told, known.has(&a), known.has(&b)), (None, true, false));
        let path = dir.path().join("clients.sealed");
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let (damaged, told) = open(false);
        assert!(told.unwrap().contains("disagree") && damaged.has(&a) && damaged.has(&b));
        assert!(dir.path().join("clients.sealed.damaged-7").exists() && !path.exists());
        let (mut missing, told) = open(false);
        assert!(told.unwrap().contains("found none beside the journals") && missing.has(&b));
        missing.remember([&a]).unwrap();
        assert!(!open(false).0.has(&b), "it says again who is new");
    }
}
