//! The daemon's verdict log: verdicts.csv in the state directory, with a replay's columns, appended to over restarts.

use super::backend::LiveBackend;
use crate::line::notes::VerdictRecord;
use crate::tables::{VERDICTS_HEADING, VerdictRow};
use anyhow::{Context, Result};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

/// An open verdict log. What order processes and gateways did comes from their own rings ([`VerdictFile::append`]); the desk's ring stays
/// empty for as long as nobody trades through it.
pub(super) struct VerdictFile {
    file: File,
    /// Verdicts that found their ring full, as it was last told.
    dropped: u64,
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
        Ok(Self { file, dropped: 0 })
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

    /// Writes `records`; `dropped` is how many found their ring full since start. A disk that is full loses records, is told, and
    /// ends nothing. Gives what is to be told.
    pub(super) fn write(
        &mut self,
        backend: &LiveBackend,
        records: &[VerdictRecord],
        dropped: u64,
    ) -> Vec<String> {
        let lines = records.iter().map(|record| {
            let [account, strategy, symbol] = backend.names_of(record);
            let row = VerdictRow {
                ts: record.ts,
                cl_ord_id: &record.intent.cl_ord_id.to_string(),
                account: &account,
                strategy: &strategy,
                symbol: &symbol,
                side: record.intent.side,
                qty: record.intent.qty,
                px: record.intent.px,
                verdict: &record.verdict,
                check: record.check,
            };
            row.to_string()
        });
        let lines: Vec<_> = lines.collect();
        backend.pulse.verdicts(&lines);
        let mut said: Vec<_> = self.append(&lines).into_iter().collect();
        if core::mem::replace(&mut self.dropped, dropped) < dropped {
            said.push(format!(
                "warning: {dropped} verdict(s) since start are not in the log: link.verdict_records is too small"
            ));
        }
        said
    }

    /// Appends rows. Gives what is to be told when the disk refuses them.
    pub(super) fn append(&mut self, lines: &[String]) -> Option<String> {
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let refused = self.file.write_all(text.as_bytes()).err();
        refused.map(|error| format!("warning: {} verdict(s) are not in the log: {error}", lines.len()))
    }
}
