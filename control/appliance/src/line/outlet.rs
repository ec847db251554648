//! The producing end of a link, with the link's overflow rule.

use stage::{LosslessTx, RingTx};

/// Items on their way to another stage.
pub(crate) enum Outlet<T> {
    /// Never waits: what finds no room is lost and counted.
    Drop(RingTx<T>),
    /// Never loses: what finds no room waits here, and the stage goes no further until it is gone.
    Keep(Waiting<T>),
    /// Nobody listens.
    Closed,
}

/// What waits for room.
pub(crate) struct Waiting<T> {
    tx: LosslessTx<T>,
    items: Vec<T>,
    sent: usize,
}

impl<T: Copy> Outlet<T> {
    /// An end that drops.
    pub(crate) const fn dropping(tx: RingTx<T>) -> Self {
        Self::Drop(tx)
    }

    /// An end that keeps; room for `room` waiting items is taken now.
    pub(crate) fn keeping(tx: RingTx<T>, room: usize) -> Self {
        Self::Keep(Waiting { tx: LosslessTx::new(tx), items: Vec::with_capacity(room), sent: 0 })
    }

    /// Sends one item, or keeps it for [`Outlet::flush`].
    pub(crate) fn push(&mut self, item: T) {
        match self {
            Self::Drop(tx) => _ = tx.send(&[item]),
            Self::Keep(waiting) => waiting.items.push(item),
            Self::Closed => {}
        }
    }

    /// Sends what waits; true when nothing waits any more.
    pub(crate) fn flush(&mut self) -> bool {
        let Self::Keep(Waiting { tx, items, sent }) = self else { return true };
        if items.is_empty() {
            return true;
        }
        *sent += tx.offer(&items[*sent..]);
        let done = *sent == items.len();
        if done {
            items.clear();
            *sent = 0;
        }
        done
    }

    /// Tells the other end that nothing more comes.
    pub(crate) fn close(&mut self) {
        *self = Self::Closed;
    }

    /// Whether somebody listens.
    pub(crate) const fn is_open(&self) -> bool {
        !matches!(self, Self::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stage::ring;

    #[test]
    fn an_end_that_drops_counts_and_one_that_keeps_loses_nothing() {
        let (tx, mut rx) = ring::<u32>(2);
        let mut outlet = Outlet::dropping(tx);
        (0..5).for_each(|n| outlet.push(n));
        assert!(outlet.flush());
        assert_eq!(rx.counters().dropped(), 3);
        let mut out = [0; 8];
        assert_eq!((rx.recv(&mut out), out[0], out[1]), (2, 0, 1));

        let (tx, mut rx) = ring::<u32>(2);
        let mut outlet = Outlet::keeping(tx, 0);
        (0..5).for_each(|n| outlet.push(n));
        let mut got = Vec::new();
        while !outlet.flush() {
            let n = rx.recv(&mut out);
            got.extend_from_slice(&out[..n]);
        }
        let n = rx.recv(&mut out);
        got.extend_from_slice(&out[..n]);
        assert_eq!(got, [0, 1, 2, 3, 4]);
        outlet.close();
        assert!(rx.is_abandoned() && !outlet.is_open());
    }
}
