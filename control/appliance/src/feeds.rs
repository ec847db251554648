//! From the configuration's feeds to the receiver's.

use control::config::Book;
use dataplane::FeedConfig;
use dataplane::decode::TickSizes;
use types::{FeedKind, Px};

/// A feed of the configured instruments, all traffic one channel.
pub(crate) fn feed_config(book: &Book, kind: FeedKind) -> FeedConfig {
    let ticks: TickSizes = book
        .tick
        .iter()
        // Checked with the configuration: a thousand at most.
        .map(|(symbol, tick)| (symbol.symbol(), Px(tick.raw() as i64)))
        .collect();
    FeedConfig { instruments_max: book.instruments as usize, ticks, ..FeedConfig::new(kind) }
}
