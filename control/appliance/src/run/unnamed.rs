//! Instruments that cannot have the name that their feed gives them.

use super::backend::{LiveBackend, lock};
use crate::line::notes::Defined;
use gate::{Breaker, BreakerCause, BreakerKey, BreakerState};

/// Why an instrument has no name here.
pub(super) struct Unnamed {
    pub(super) why: String,
    /// It was not told of this name yet.
    pub(super) is_news: bool,
}

impl LiveBackend {
    /// Why an instrument cannot be named here, where it cannot: its symbol and its feed's suffix make no symbol together, or another
    /// feed has named one so. Orders of that name go on to be those of the feed that named it first, and whatever the instrument was
    /// called before is closed.
    pub(super) fn unnamed(&self, defined: &Defined) -> Option<Unnamed> {
        let Defined { symbol, instrument, is_named, .. } = *defined;
        let (mut names, feed) = (lock(&self.names), self.feed_of(instrument)?);
        let why = if is_named {
            let first = self.feed_of(*names.instruments.get(&symbol)?)?;
            (first.name != feed.name).then(|| {
                format!(
                    "feed {} names {symbol}, which feed {} has named already: orders of it are judged by the latter's book alone (give \
                     one of them a suffix)",
                    feed.name, first.name
                )
            })?
        } else {
            format!(
                "{symbol} of feed {} makes no symbol with the feed's suffix: no order of it passes",
                feed.name
            )
        };
        let is_news = names.refused.insert(instrument, symbol) != Some(symbol);
        if let Some(before) = names.symbols.remove(&instrument) {
            names.instruments.remove(&before);
            // An instrument beyond the table has no breaker, and no order of it passes.
            let closed = Breaker { state: BreakerState::Tripped, cause: BreakerCause::Boot, episode: 0 };
            let _ = lock(&self.writers).breakers.set(BreakerKey::Instrument(instrument), closed);
        }
        Some(Unnamed { why, is_news })
    }
}
