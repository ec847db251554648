//! The newest printable trades of an instrument, so that one that is broken leaves the one before it.

use types::{Px, UnixNanos};

/// Trades remembered. A break of an older one moves nothing: it is no longer the last.
const KEPT: usize = 8;

/// One printable trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Print {
    /// The venue's number of it, 0 where it has none.
    id: u64,
    /// Its price, [`Px::NONE`] where there is no trade.
    pub(crate) px: Px,
    /// When it happened, by the venue's clock.
    pub(crate) ts: UnixNanos,
}

impl Print {
    const NONE: Self = Self { id: 0, px: Px::NONE, ts: UnixNanos(0) };
}

/// What a break of a trade did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The last trade is another one, or none.
    Last,
    /// A remembered trade is gone that was not the last.
    Earlier,
    /// The trade is not remembered.
    Unknown,
}

/// The newest trades, in a ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prints {
    ring: [Print; KEPT],
    /// Place of the last trade.
    last: usize,
}

impl Prints {
    /// No trade yet.
    pub(crate) const NEW: Self = Self { ring: [Print::NONE; KEPT], last: 0 };

    /// The newest trade that stands.
    #[inline]
    pub(crate) fn last(&self) -> Print {
        self.ring[self.last % KEPT]
    }

    /// A trade happened.
    #[inline]
    pub(crate) fn push(&mut self, id: u64, px: Px, ts: UnixNanos) {
        self.last = (self.last + 1) % KEPT;
        self.ring[self.last] = Print { id, px, ts };
    }

    /// Takes a trade back.
    #[cold]
    pub(crate) fn take_back(&mut self, id: u64) -> Broken {
        let stands = |print: &Print| id != 0 && print.id == id && print.px.is_some();
        let Some(at) = self.ring.iter().position(stands) else { return Broken::Unknown };
        self.ring[at] = Print::NONE;
        if at != self.last {
            return Broken::Earlier;
        }
        // Back to the one before it; round once when none stands.
        for _ in 0..KEPT {
            self.last = (self.last + KEPT - 1) % KEPT;
            if self.last().px.is_some() {
                break;
            }
        }
        Broken::Last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn print(id: u64) -> Print {
        Print { id, px: Px(id.cast_signed() * 100), ts: UnixNanos(id * 10) }
    }

    fn after(ids: &[u64]) -> Prints {
        let mut prints = Prints::NEW;
        ids.iter().for_each(|id| prints.push(*id, print(*id).px, print(*id).ts));
        prints
    }

    #[test]
    fn a_break_leaves_the_newest_trade_that_stands() {
        let mut prints = after(&[1, 2, 3]);
        assert_eq!((prints.take_back(2), prints.last()), (Broken::Earlier, print(3)));
        assert_eq!((prints.take_back(3), prints.last()), (Broken::Last, print(1)));
        assert_eq!((prints.take_back(3), prints.last()), (Broken::Unknown, print(1)), "broken twice");
        assert_eq!((prints.take_back(1), prints.last()), (Broken::Last, Print::NONE));
        prints.push(4, print(4).px, print(4).ts);
        assert_eq!(prints.last(), print(4));
    }

    #[test]
    fn trades_without_a_number_cannot_be_taken_back() {
        let mut prints = after(&[0]);
        assert_eq!((prints.take_back(0), prints.last()), (Broken::Unknown, print(0)));
    }

    proptest! {
        /// Against a list of all trades that stand, of which the ring remembers the newest eight places.
        #[test]
        fn the_last_trade_is_the_newest_that_stands_or_none(steps in prop::collection::vec((any::<bool>(), 0_u64..6), 0..60)) {
            let (mut prints, mut stand, mut id) = (Prints::NEW, Vec::new(), 0);
            for (trades, back) in steps {
                if trades || id == 0 {
                    id += 1;
                    prints.push(id, print(id).px, print(id).ts);
                    stand.push(id);
                } else {
                    // A trade that was broken already is found nowhere.
                    let broken = id.saturating_sub(back).max(1);
                    let known = stand.iter().position(|of| *of == broken);
                    let said = prints.take_back(broken);
                    match known {
                        None => prop_assert_eq!(said, Broken::Unknown),
                        Some(at) => {
                            prop_assert_ne!(said, Broken::Unknown, "one of the newest six");
                            prop_assert_eq!(said == Broken::Last, at + 1 == stand.len());
                            stand.remove(at);
                        }
                    }
                }
                // A trade that was broken never comes back, and one that is remembered is never passed over.
                let last = prints.last();
                prop_assert!(last == Print::NONE || Some(&last.id) == stand.last(), "{:?} of {:?}", last, stand);
                if let Some(newest) = stand.last().filter(|newest| *newest + 7 > id) {
                    prop_assert_eq!(last, print(*newest));
                }
            }
        }
    }
}
