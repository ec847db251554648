//! The daemon's verdict log: verdicts.csv in the state directory, with a replay's columns, appended to over restarts. What it holds comes
//! from the rings of order processes and gateways (`orders.ring_records`): through the daemon's own desk nobody trades.

use crate::tables::VERDICTS_HEADING;
use anyhow::{Context, Result};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

/// An open verdict log.
pub(super) struct VerdictFile {
    file: File,
}

impl VerdictFile {
    /// Opens the log in `dir`, or begins it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn open(dir: &Path) -> Result<Self> {
        let path = dir.join("verdicts.csv");
        let told = || format!("cannot write {}", path.display());
        let mut file = OpenOptions::new().create(true).append(true).open(&path).with_context(told)?;
        if file.metadata().with_context(told)?.len() == 0 {
            writeln!(file, "{VERDICTS_HEADING}").with_context(told)?;
        }
        Ok(Self { file })
    }

    /// Tries whether the log in `dir` can be appended to, where there is one, and changes nothing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn check(dir: &Path) -> Result<()> {
        let path = dir.join("verdicts.csv");
        match OpenOptions::new().append(true).open(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot write {}", path.display()))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Appends rows. A disk that is full loses them and ends nothing. Gives what is to be told when it refuses them.
    pub(super) fn append(&mut self, lines: &[String]) -> Option<String> {
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let refused = self.file.write_all(text.as_bytes()).err();
        refused.map(|error| format!("warning: {} verdict(s) are not in the log: {error}", lines.len()))
    }
}
