//! Follows the books of a capture, and looks at them at the moments that matter.

use super::value::{MARKS, Mark, Markout, walk};
use crate::line::books::featurizer;
use crate::line::order_file::RESTING_TIME;
use crate::orders::OrderRow;
use crate::play::play;
use anyhow::Result;
use control::config::{FeedShare, Plan};
use featurizer::{Featurizer, OnFull};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;
use types::{BookEvent, Nanos, Px, Side, Symbol, UnixNanos};

/// How long after its fill an order is marked; the last mark is at a moment of its own.
const HORIZONS: [Nanos; MARKS - 1] =
    [Nanos(Nanos::SECOND.0), Nanos(10 * Nanos::SECOND.0), Nanos(60 * Nanos::SECOND.0)];

/// What the marks are called.
pub(crate) const MARK_NAMES: [&str; MARKS] = ["1 s", "10 s", "60 s", "10 min after the low"];

/// What each of `orders`, in order of time, would have come to in the market of `pcap`; marked 1, 10 and 60 s after its fill, and
/// at `last`. None where the instrument had no two sides to judge by.
///
/// # Errors
/// A capture that cannot be read.
pub(crate) fn measure(
    pcap: &Path,
    plan: &Plan,
    orders: &[&OrderRow],
    last: Option<UnixNanos>,
) -> Result<Vec<Option<Markout>>> {
    let mut books = featurizer(plan, FeedShare::all(&plan.book), OnFull::Wait)?;
    let mut watch = Watch::new(orders, last);
    play(plan, pcap, |events| watch.take(events, &mut books))?;
    Ok(watch.found)
}

/// Something to look at: when, of which order, and which mark; none: what becomes of the order.
type Moment = Reverse<(UnixNanos, usize, Option<usize>)>;

/// Orders on their way through a market.
struct Watch<'a> {
    orders: &'a [&'a OrderRow],
    last: Option<UnixNanos>,
    moments: BinaryHeap<Moment>,
    /// Orders that rest, and until when.
    resting: Vec<(usize, UnixNanos)>,
    found: Vec<Option<Markout>>,
    /// Event time, which does not run backwards.
    now: UnixNanos,
}

impl<'a> Watch<'a> {
    fn new(orders: &'a [&'a OrderRow], last: Option<UnixNanos>) -> Self {
        let moments = orders.iter().enumerate().map(|(order, row)| Reverse((row.ts, order, None))).collect();
        let found = vec![None; orders.len()];
        Self { orders, last, moments, resting: Vec::new(), found, now: UnixNanos(0) }
    }

    /// Applies `events`, stopping where something is to be looked at. What is due at a moment sees every event of that moment, and
    /// none that came later.
    fn take(&mut self, mut events: &[BookEvent], books: &mut Featurizer) {
        while let Some(first) = events.first() {
            let first = self.now.max(first.ts_event);
            self.look_before(first, books);
            let next = self.moments.peek().map_or(UnixNanos(u64::MAX), |Reverse((ts, ..))| *ts);
            // While orders rest, each quote may fill one.
            let until = if self.resting.is_empty() { next.max(first) } else { first };
            let step = events.iter().take_while(|event| event.ts_event <= until).count();
            let (step, rest) = events.split_at(step);
            books.apply(step, &mut ((), (), ()));
            self.now = step.iter().fold(self.now, |now, event| now.max(event.ts_event));
            events = rest;
            self.fill_resting(books);
        }
    }

    /// Looks at whatever was due before `ts`.
    fn look_before(&mut self, ts: UnixNanos, books: &Featurizer) {
        while let Some(Reverse((at, order, mark))) = self.moments.peek().copied().filter(|m| m.0.0 < ts) {
            self.moments.pop();
            let Some(view) = View::of(self.orders[order], books) else { continue };
            match mark {
                None => self.enter(order, at, &view),
                Some(mark) => {
                    if let Some(found) = &mut self.found[order] {
                        found.marks[mark] = Some(view.mark(found));
                    }
                }
            }
        }
    }

    /// An order comes to the market.
    fn enter(&mut self, order: usize, at: UnixNanos, view: &View<'_>) {
        let row = self.orders[order];
        if view.crosses(row) {
            self.filled(order, at, view.taken_by(row));
        } else if row.ioc {
            self.found[order] = Some(Markout::unfilled(row.side));
        } else {
            self.resting.push((order, at.plus(RESTING_TIME)));
        }
    }

    /// Takes back what has rested for long enough, and fills what the quote crosses.
    fn fill_resting(&mut self, books: &Featurizer) {
        let now = self.now;
        for (order, until) in std::mem::take(&mut self.resting) {
            let row = self.orders[order];
            let crossed = View::of(row, books).filter(|view| view.crosses(row));
            if until <= now {
                self.found[order] = Some(Markout::unfilled(row.side));
            } else if let Some(view) = crossed {
                self.filled(order, now, view.given_to(row));
            } else {
                self.resting.push((order, until));
            }
        }
    }

    fn filled(&mut self, order: usize, at: UnixNanos, found: Markout) {
        self.found[order] = Some(found);
        let marks = HORIZONS.iter().map(|horizon| Some(at.plus(*horizon))).chain([self.last]);
        for (mark, moment) in marks.enumerate() {
            self.moments
                .extend(moment.filter(|moment| *moment > at).map(|ts| Reverse((ts, order, Some(mark)))));
        }
    }
}

/// A book that can be believed and has two sides.
struct View<'a> {
    book: featurizer::Book<'a>,
    bid: Px,
    ask: Px,
}

impl<'a> View<'a> {
    fn of(row: &OrderRow, books: &'a Featurizer) -> Option<Self> {
        let book = books.book(books.find(Symbol::new(&row.symbol)?)?)?;
        let (bid, ask) = (book.best(Side::Bid).px, book.best(Side::Ask).px);
        let is_whole = book.state().is_live() && bid.is_some() && ask.is_some() && bid < ask;
        is_whole.then_some(Self { book, bid, ask })
    }

    const fn mid(&self) -> Px {
        Px(self.bid.0.midpoint(self.ask.0))
    }

    /// The price that an order of `side` meets first.
    const fn far(&self, side: Side) -> Px {
        match side {
            Side::Bid => self.ask,
            Side::Ask => self.bid,
        }
    }

    fn crosses(&self, row: &OrderRow) -> bool {
        let far = self.far(row.side);
        !row.px.is_some()
            || match row.side {
                Side::Bid => row.px >= far,
                Side::Ask => row.px <= far,
            }
    }

    /// An order that takes what the book holds.
    fn taken_by(&self, row: &OrderRow) -> Markout {
        let levels = self.book.levels(row.side.opposite(), usize::MAX);
        let (qty, paid) = walk(row.side, row.qty.0, row.px, levels);
        let (touch, mid) = (self.far(row.side), self.mid());
        Markout { side: row.side, qty, paid, touch, mid, marks: [None; MARKS] }
    }

    /// An order that rested and is filled at its own price.
    fn given_to(&self, row: &OrderRow) -> Markout {
        let qty = row.qty.0;
        let paid = i128::from(row.px.0) * i128::from(qty);
        Markout { side: row.side, qty, paid, touch: row.px, mid: self.mid(), marks: [None; MARKS] }
    }

    /// How `found` stands now.
    fn mark(&self, found: &Markout) -> Mark {
        let out = found.side.opposite();
        let (qty, exit) = walk(out, found.qty, Px::NONE, self.book.levels(found.side, usize::MAX));
        Mark { mid: self.mid(), exit: (qty == found.qty).then_some(exit) }
    }
}
