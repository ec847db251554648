//! Where a desk's orders come from: a file in a replay, a gateway when there is one.

use super::notes::Defined;
use gate::{OrderEvent, OrderIntent, RefReader, Verdict};
use types::UnixNanos;

/// What a source brings next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arrival {
    /// An order for the gate, with the source's own number of it.
    Order { ts: UnixNanos, tag: u32, intent: OrderIntent },
    /// What the market did with an order that was let through.
    Answer(OrderEvent),
}

/// Orders on their way to a gate, and what the market makes of them.
pub(crate) trait OrderSource: Send {
    /// An instrument got its number.
    fn define(&mut self, defined: Defined);

    /// What is due before `until`, in order of time; none when nothing is.
    fn next(&mut self, until: UnixNanos) -> Option<Arrival>;

    /// What the gate said of the last order of [`OrderSource::next`]; `sent`: it is on its way to the market, where prices stand
    /// as in `market`.
    fn judged(&mut self, verdict: &Verdict, sent: bool, market: &RefReader);

    /// Prices moved, at `now`.
    fn market_moved(&mut self, now: UnixNanos, market: &RefReader);
}
