//! The files of the chain: `audit-000001.jsonl`, `audit-000002.jsonl`, ...

use super::error::AuditError;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// One file of the log, by its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    pub(super) index: u32,
    pub(super) path: PathBuf,
}

/// The segment with this number.
pub(super) fn segment(dir: &Path, index: u32) -> Segment {
    Segment { index, path: dir.join(format!("audit-{index:06}.jsonl")) }
}

impl Segment {
    /// The file's name, as errors and answers give it.
    pub(super) fn name(&self) -> String {
        self.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
    }
}

/// The segments of a directory in order; none when there is no directory.
pub(super) fn list(dir: &Path) -> Result<Vec<Segment>, AuditError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(AuditError::io(dir, "cannot be listed")(e)),
    };
    let mut segments = Vec::new();
    for entry in entries {
        let name = entry.map_err(AuditError::io(dir, "cannot be listed"))?.file_name();
        let digits =
            name.to_str().and_then(|n| n.strip_prefix("audit-")).and_then(|n| n.strip_suffix(".jsonl"));
        let index = digits
            .filter(|d| d.len() == 6 && d.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|d| d.parse().ok());
        if let Some(index) = index {
            segments.push(segment(dir, index));
        }
    }
    segments.sort();
    Ok(segments)
}
