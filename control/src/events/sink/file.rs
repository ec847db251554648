//! Events as lines of JSON in a file of the operator's choice, which others may move away or cut (logrotate).

use super::{Refusal, Sink};
use crate::protocol::Event;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file.
pub(in crate::events) struct FileSink {
    path: PathBuf,
    open: Option<File>,
}

impl FileSink {
    pub(in crate::events) const fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// Whether a file of that name could be written, as far as can be told without making one.
    pub(in crate::events) fn check(path: &Path) -> std::io::Result<()> {
        match OpenOptions::new().append(true).open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                std::fs::read_dir(folder.unwrap_or(Path::new("."))).map(drop)
            }
            opened => opened.map(drop),
        }
    }

    /// The file that has the name now.
    fn file(&mut self) -> std::io::Result<&mut File> {
        let is_it = |file: &File| -> std::io::Result<bool> {
            let (ours, named) = (file.metadata()?, std::fs::metadata(&self.path)?);
            Ok((ours.dev(), ours.ino()) == (named.dev(), named.ino()))
        };
        if !self.open.as_ref().is_some_and(|file| is_it(file).unwrap_or(false)) {
            let file = OpenOptions::new().append(true).create(true).mode(0o640).open(&self.path)?;
            self.open = Some(file);
        }
        self.open.as_mut().ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

impl Sink for FileSink {
    fn send(&mut self, events: &[Arc<Event>], _newest: u64) -> Result<(), Refusal> {
        let mut lines = Vec::new();
        for event in events {
            serde_json::to_writer(&mut lines, event.as_ref()).map_err(std::io::Error::from)?;
            lines.push(b'\n');
        }
        if lines.is_empty() {
            return Ok(());
        }
        let file = self.file()?;
        let before = file.metadata()?.len();
        if let Err(error) = file.write_all(&lines) {
            // Half a line is no event.
            drop(file.set_len(before));
            return Err(error.into());
        }
        Ok(())
    }
}
