//! The one call that a replay begins with.

use std::path::PathBuf;

use crate::config::{ConfigError, FeedConfig, FeedKind};
use crate::lobster::LobsterFeed;
use crate::receiver::{EventTx, Feed, Receiver, ReceiverHops};
use crate::source::{FileOptions, FileSource, SourceError};

/// Why inputs cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// An input.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Several LOBSTER archives: each is a whole day of one instrument.
    #[error("found {found} LOBSTER archives, wanted one")]
    OneArchive {
        /// How many there are.
        found: usize,
    },
}

/// Opens files (captures, raw message files, a LOBSTER archive; `-` is standard input) as the feed that `config` names.
///
/// # Errors
///
/// [`OpenError`] when an input cannot be opened, is no format we read, or does not fit the feed.
pub fn open_files(
    name: &'static str,
    paths: &[PathBuf],
    config: &FeedConfig,
    options: FileOptions,
    tx: EventTx,
    hops: Option<ReceiverHops>,
) -> Result<Box<dyn Feed + Send>, OpenError> {
    if config.kind == FeedKind::Lobster {
        let [path] = paths else { return Err(OpenError::OneArchive { found: paths.len() }) };
        return Ok(Box::new(LobsterFeed::open(name, path, config, tx)?));
    }
    let source = FileSource::open_all(paths, options)?;
    let receiver = Receiver::new(name, source, config, tx)?;
    Ok(Box::new(match hops {
        Some(hops) => receiver.with_hops(hops),
        None => receiver,
    }))
}
