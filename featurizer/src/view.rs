//! What readers see of a book.

use types::{BookLevel, BookState, InstrumentId, Px, Side, Symbol, TradingStatus};

use crate::far::FarLevel;
use crate::gaps::Channels;
use crate::ladder::{Cell, Cells, Head, Occupied, Quote, Row, TICKS, book_level};
use crate::levels::{LevelIndex, Merged};

/// Best bid and offer, as levels: what a book shows. Whether to believe them, and what orders are judged by, is [`types::TopOfBook`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bbo {
    /// Best bid, [`BookLevel::NONE`] when there is none.
    pub bid: BookLevel,
    /// Best offer, [`BookLevel::NONE`] when there is none.
    pub ask: BookLevel,
}

impl Bbo {
    /// No quotes.
    pub const NONE: Self = Self { bid: BookLevel::NONE, ask: BookLevel::NONE };

    /// As an instrument's row keeps them.
    #[inline]
    pub(crate) fn of([bid, ask]: [Quote; 2]) -> Self {
        Self { bid: bid.level(Side::Bid), ask: ask.level(Side::Ask) }
    }

    /// Whether both sides exist.
    #[must_use]
    pub const fn is_two_sided(&self) -> bool {
        self.bid.px.is_some() && self.ask.px.is_some()
    }

    /// Whether price or quantity differ (the number of orders alone is no change of a quote).
    #[must_use]
    pub fn differs(&self, other: &Self) -> bool {
        let differ = |a: &BookLevel, b: &BookLevel| (a.px != b.px) | (a.qty != b.qty);
        differ(&self.bid, &other.bid) | differ(&self.ask, &other.ask)
    }

    /// Mid price rounded down to 1e-9, [`Px::NONE`] unless both sides exist.
    #[must_use]
    pub const fn mid(&self) -> Px {
        if self.is_two_sided() { Px(i64::midpoint(self.bid.px.0, self.ask.px.0)) } else { Px::NONE }
    }
}

/// What is known of an instrument beside its levels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta {
    pub(crate) symbol: Option<Symbol>,
    pub(crate) state: BookState,
    /// What it is, the ends of its channels' sessions taken in.
    pub(crate) status: TradingStatus,
    /// What its venue said, while the session of a channel is over.
    pub(crate) beside_end: TradingStatus,
    /// Channels whose sessions are over.
    pub(crate) ended: Channels,
    /// Events of orders and levels it never saw, since it was last cleared.
    pub(crate) unknown_orders: u8,
    /// Channels that spoke of it, those of its orders' ordinary events among them.
    pub(crate) channels: Channels,
    /// Channels that lost messages since it was last cleared.
    pub(crate) debts: Channels,
}

/// Shared references to the tables, enough to read one book.
pub(crate) struct Parts<'a> {
    pub(crate) rows: &'a [Row],
    pub(crate) cells: &'a [Cells],
    pub(crate) arena: &'a [FarLevel],
    pub(crate) levels: &'a LevelIndex,
    pub(crate) metas: &'a [Meta],
}

impl<'a> Parts<'a> {
    #[inline]
    pub(crate) fn book(&self, i: usize) -> Book<'a> {
        let lines = [i * 2, i * 2 + 1];
        Book {
            instrument: InstrumentId(i as u32),
            row: &self.rows[i],
            cells: &self.cells[i],
            far: lines.map(|line| self.levels.far.levels(self.arena, line)),
            levels: self.levels,
            meta: &self.metas[i],
            bbo: Bbo::of(self.rows[i].head.quotes),
        }
    }
}

/// One instrument's book, to be read.
#[derive(Clone, Copy)]
pub struct Book<'a> {
    instrument: InstrumentId,
    row: &'a Row,
    cells: &'a Cells,
    far: [&'a [FarLevel]; 2],
    levels: &'a LevelIndex,
    meta: &'a Meta,
    bbo: Bbo,
}

impl std::fmt::Debug for Book<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Book")
            .field("instrument", &self.instrument)
            .field("state", &self.state())
            .field("bid", &self.best(Side::Bid))
            .field("ask", &self.best(Side::Ask))
            .finish_non_exhaustive()
    }
}

impl<'a> Book<'a> {
    /// The instrument.
    #[must_use]
    pub fn instrument(&self) -> InstrumentId {
        self.instrument
    }

    /// Its name, once defined.
    #[must_use]
    pub fn symbol(&self) -> Option<Symbol> {
        self.meta.symbol
    }

    /// Whether the book can be believed.
    #[must_use]
    pub fn state(&self) -> BookState {
        self.meta.state
    }

    /// Trading status as last heard.
    #[must_use]
    pub fn status(&self) -> TradingStatus {
        self.meta.status
    }

    /// Tick size at a price; at none, of the highest prices.
    #[must_use]
    pub fn tick_at(&self, px: Px) -> Px {
        self.levels.tick_at(self.instrument.index(), px)
    }

    /// Best bid and offer at the end of the last whole venue event.
    #[must_use]
    pub fn bbo(&self) -> &Bbo {
        &self.bbo
    }

    /// The best level now, also in the middle of a venue event; [`BookLevel::NONE`] when the side is empty.
    #[must_use]
    pub fn best(&self, side: Side) -> BookLevel {
        self.levels(side, 1).next().unwrap_or(BookLevel::NONE)
    }

    /// At most `n` levels, best first.
    #[inline]
    #[must_use]
    pub fn levels(&self, side: Side, n: usize) -> Levels<'a> {
        let s = side.index();
        let near = Near {
            head: &self.row.head,
            cells: &self.cells[s],
            s,
            occupied: Occupied::new(&self.row.bits[s]),
        };
        Levels { merged: Merged::new(near, self.far[s]), side, left: n }
    }

    /// Number of levels of a side.
    #[must_use]
    pub fn level_count(&self, side: Side) -> usize {
        let s = side.index();
        self.far[s].len() + self.row.bits[s].iter().map(|word| word.count_ones() as usize).sum::<usize>()
    }

    /// Shares of a side.
    #[must_use]
    pub fn shares(&self, side: Side) -> u64 {
        self.levels(side, usize::MAX).map(|level| level.qty).sum()
    }
}

/// The ladder's levels of one side, best first.
#[derive(Clone, Debug)]
struct Near<'a> {
    head: &'a Head,
    cells: &'a [Cell; TICKS],
    s: usize,
    occupied: Occupied<'a>,
}

impl Iterator for Near<'_> {
    type Item = FarLevel;

    #[inline]
    fn next(&mut self) -> Option<FarLevel> {
        let index = self.occupied.next()?;
        Some(FarLevel { key: self.head.key(self.s, index as i16), cell: self.cells[self.head.cell(index)] })
    }
}

/// Levels of one side, best first; made by [`Book::levels`].
#[derive(Clone, Debug)]
pub struct Levels<'a> {
    merged: Merged<'a, Near<'a>>,
    side: Side,
    left: usize,
}

impl Iterator for Levels<'_> {
    type Item = BookLevel;

    #[inline]
    fn next(&mut self) -> Option<BookLevel> {
        self.left = self.left.checked_sub(1)?;
        let level = self.merged.next()?;
        Some(book_level(self.side, level.key, level.cell))
    }
}
