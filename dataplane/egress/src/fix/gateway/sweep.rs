//! One reason to cancel orders: which ones, and when the next round is due.

use crate::halt::Halted;
use crate::owner::OwnerIndex;
use types::{InstrumentId, Nanos, UnixNanos};

/// How often, and how far apart, an order is cancelled on one connection: a replacement of it may be under way.
const ROUNDS: u32 = 5;
const PAUSE: Nanos = Nanos(500_000_000);

/// Orders that are to be cancelled, until none of them is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sweep {
    pub(super) covers: Halted,
    /// Orders numbered below this, and their replacements under way: who comes back later keeps what it sends then.
    before: u64,
    /// Rounds that are left on this connection, and when the next one is due.
    left: u32,
    at: UnixNanos,
    /// Whether the first round is one mass cancel.
    pub(super) mass: bool,
}

impl Sweep {
    /// Of orders numbered below `before` that `covers` covers, due at once.
    pub(super) const fn new(covers: Halted, before: u64, mass: bool) -> Self {
        Self { covers, before, left: ROUNDS, at: UnixNanos(0), mass }
    }

    /// All rounds are to be made again, the first one at once.
    pub(super) const fn begin(&mut self) {
        (self.left, self.at) = (ROUNDS, UnixNanos(0));
    }

    /// A round is made at `now`.
    pub(super) fn go_round(&mut self, now: UnixNanos) {
        (self.left, self.at, self.mass) = (self.left.saturating_sub(1), now.plus(PAUSE), false);
    }

    /// Whether the order `id` in `instrument` is one of them.
    pub(super) fn has(&self, id: u64, instrument: InstrumentId) -> bool {
        id < self.before && self.covers.covers(instrument, OwnerIndex::default())
    }

    /// Whether its first round is still to be made.
    pub(super) fn is_first(&self) -> bool {
        self.left == ROUNDS
    }

    pub(super) fn is_due(&self, now: UnixNanos) -> bool {
        // A clock that was set back does not put it off.
        self.left > 0 && (now >= self.at || self.at.since(now) > PAUSE)
    }
}
