//! The one call that a replay begins with.

use std::path::PathBuf;

use types::FeedKind;

use crate::archive::{ArchiveFeed, OpenArchive};
use crate::config::{ConfigError, FeedConfig};
use crate::databento::DbnReader;
use crate::decode::{FeedDecoder, MessageFiles, message_types, type_code};
use crate::lobster::LobsterReader;
use crate::receiver::{EventTx, Feed, Receiver, ReceiverHops};
use crate::recovery::RecoveryEnds;
use crate::source::{FileOptions, FileSource, PacketSource, SourceError};
use stage::LiveClock;

/// A feed that comes in archives.
struct Archive {
    kind: FeedKind,
    open: OpenArchive,
    /// Every type of its rows: what it is counted by, and its name.
    types: &'static [(u8, &'static str)],
}

const ARCHIVES: [Archive; 2] = [
    Archive { kind: FeedKind::Lobster, open: LobsterReader::open, types: LobsterReader::TYPES },
    Archive { kind: FeedKind::Databento, open: DbnReader::open, types: DbnReader::TYPES },
];

fn archive(kind: FeedKind) -> Option<&'static Archive> {
    ARCHIVES.iter().find(|archive| archive.kind == kind)
}

/// Every type of message, or of row, that a feed has: what reports count it by, and its name.
#[must_use]
pub fn listed_types(kind: FeedKind) -> Vec<(String, &'static str)> {
    let of_packets = message_types(kind).iter().map(|(code, _, name)| (type_code(kind, *code), *name));
    let of_rows = archive(kind).map_or(&[][..], |archive| archive.types);
    of_packets.chain(of_rows.iter().map(|(code, name)| (type_code(kind, *code), *name))).collect()
}

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
    /// A file of bare messages, which only ITCH is published as.
    #[error("{file}: found length-prefixed ITCH 5.0 messages, wanted a capture of {kind}")]
    BareMessages {
        /// Path as given.
        file: String,
        /// The feed asked for.
        kind: FeedKind,
    },
}

/// Opens files (captures, raw message files, a vendor's archive; `-` is standard input) as the feed that `config` names.
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
    if let Some(archive) = archive(config.kind) {
        return Ok(Box::new(ArchiveFeed::new(name, (archive.open)(paths, config)?, config, tx)));
    }
    let source = FileSource::open_all(paths, options)?;
    if let Some(file) = source.message_file()
        && FeedDecoder::message_files(config.kind) == MessageFiles::No
    {
        return Err(OpenError::BareMessages { file: file.to_owned(), kind: config.kind });
    }
    Ok(receive(name, source, config, tx, hops, None)?)
}

/// What only a live receiver has.
#[derive(Debug)]
pub struct Live {
    /// Stamps each event with the time from its arrival to its push: a replay's events must not depend on a clock.
    pub stamp: LiveClock,
    /// The ways to the venue's servers, where `config` says how they are asked.
    pub recovery: Option<RecoveryEnds>,
}

/// Receives the feed that `config` names from `source`; `live` for a line that is one.
///
/// # Errors
///
/// [`ConfigError`] when the feed cannot be received so.
pub fn receive<S: PacketSource + Send + 'static>(
    name: &'static str,
    source: S,
    config: &FeedConfig,
    tx: EventTx,
    hops: Option<ReceiverHops>,
    live: Option<Live>,
) -> Result<Box<dyn Feed + Send>, ConfigError> {
    let mut receiver = Receiver::new(name, source, config, tx)?;
    if let Some(hops) = hops {
        receiver = receiver.with_hops(hops);
    }
    if let Some(Live { stamp, recovery }) = live {
        receiver = receiver.with_publish_stamps(stamp);
        if let Some(ends) = recovery {
            receiver = receiver.with_recovery(ends);
        }
    }
    Ok(Box::new(receiver))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use types::FeedInput;

    #[test]
    fn every_feed_of_archives_has_what_opens_them() {
        let archives = FeedKind::ALL.iter().filter(|kind| kind.input() == FeedInput::Archive);
        assert!(archives.eq(ARCHIVES.iter().map(|archive| &archive.kind)));
    }

    #[test]
    fn every_feed_lists_its_types_each_once() {
        for &kind in FeedKind::ALL {
            let listed = listed_types(kind);
            let codes: BTreeSet<&String> = listed.iter().map(|(code, _)| code).collect();
            assert!(!listed.is_empty() && codes.len() == listed.len(), "{kind}: {listed:?}");
        }
    }
}
