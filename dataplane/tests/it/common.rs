//! What the tests share: a replay into memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dataplane::{
    EventTx, Feed, FeedConfig, FeedKind, FeedStats, FileOptions, FileSource, OpenError, Receiver,
    SourceError, open_files,
};
use stage::{LosslessTx, RingRx, WorkStatus, ring};
use types::{Action, BookEvent, GapCause, Symbol, UnixNanos};

/// The folder of real captures, when it is there.
pub(crate) fn real_data() -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    if path.is_dir() {
        return Some(path.to_path_buf());
    }
    tests::skip(tests::Need::RealData, "no real data");
    None
}

/// Everything a replay gave.
pub(crate) struct Replay {
    pub(crate) stats: FeedStats,
    pub(crate) events: Vec<BookEvent>,
    pub(crate) symbols: Vec<String>,
    pub(crate) error: Option<SourceError>,
}

impl Replay {
    pub(crate) fn count(&self, action: Action) -> usize {
        self.events.iter().filter(|e| e.action == action).count()
    }

    /// Messages by type as `A367 D167`, in the order of the type bytes.
    pub(crate) fn types(&self) -> String {
        let came = (0_u8..=255).zip(self.stats.by_type).filter(|(_, count)| *count > 0);
        came.map(|(name, count)| format!("{}{count}", char::from(name))).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn error_text(&self) -> String {
        self.error.as_ref().map(ToString::to_string).unwrap_or_default()
    }
}

/// Events but for the one that says that the feed was joined in mid-session: these tests are about what follows it.
pub(crate) fn without_join(mut events: Vec<BookEvent>) -> Vec<BookEvent> {
    events.retain(|e| e.action != Action::Gap || e.qty.0 != GapCause::MidSession as u32);
    events
}

/// Runs a feed to its end the way a replay does, through a ring of `depth`.
pub(crate) fn drive(feed: &mut (impl Feed + ?Sized), rx: &mut RingRx<BookEvent>) -> Replay {
    let mut now = UnixNanos(0);
    let mut events = Vec::new();
    loop {
        let work = feed.poll(now);
        now = now.max(feed.replay_time());
        rx.drain(usize::MAX, |chunk| events.extend_from_slice(chunk));
        if work.status == WorkStatus::Done {
            break;
        }
    }
    feed.housekeep(now);
    let stats = feed.stats();
    assert_eq!(stats.events, events.len() as u64, "every event is handed on once");
    let defined = events.iter().filter(|event| event.action == Action::Define);
    let symbols: BTreeMap<_, _> = defined
        .map(|define| (define.instrument, Symbol::from_word(define.order_id).as_str().to_owned()))
        .collect();
    let symbols = symbols.into_values().collect();
    Replay { stats, events: without_join(events), symbols, error: feed.take_error() }
}

/// Replays the files of an archive.
pub(crate) fn replay_archive(kind: FeedKind, paths: &[&Path]) -> Result<Replay, OpenError> {
    let (tx, mut rx) = ring(257);
    let tx = EventTx::Replay(LosslessTx::new(tx));
    let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
    let config = FeedConfig::new(kind);
    let mut feed = open_files("receiver", &paths, &config, FileOptions::default(), tx, None)?;
    Ok(drive(&mut *feed, &mut rx))
}

/// Replays a source through a ring of `depth` events.
pub(crate) fn replay_source(source: FileSource, config: &FeedConfig, depth: usize) -> Replay {
    let (tx, mut rx) = ring(depth);
    let tx = EventTx::Replay(LosslessTx::new(tx));
    let mut receiver = Receiver::new("receiver", source, config, tx).expect("the configuration is valid");
    drive(&mut receiver, &mut rx)
}

/// Replays a file with everything at its default.
pub(crate) fn replay(path: &Path, config: &FeedConfig) -> Result<Replay, SourceError> {
    let source = FileSource::open(path, FileOptions::default())?;
    Ok(replay_source(source, config, 4_096))
}
