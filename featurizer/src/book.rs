//! The books: orders (L3) and levels (L2) of every instrument, and whether they can be believed.
//!
//! [`Books`] owns the tables; [`Books::lend`] resolves them to slices once per chunk of events, and [`BooksMut`] applies
//! events to them. Readers get a [`Book`].

use std::io;

use types::{
    Action, BookEvent, BookLevel, BookState, EventFlags, GapCause, InstrumentId, Px, Qty, Side, StaleCause,
    Symbol, TradingStatus,
};

use crate::far::{FarIndex, FarLevel};
use crate::ladder::{
    Bits, Cell, Cells, Head, NO_KEY, Occupied, PX_MAX, TICK_MAX, TICKS, book_level, flag, key_of,
};
use crate::levels::{Change, Full, LevelIndex, LevelsMut, Merged};
use crate::order_table::{INSTRUMENTS_MAX, OrderIndex, Owner, Slot};
use crate::pages::{PageBuf, PageKind, huge_bytes_of_process};

/// Bounds of the books; all memory is taken at construction.
#[derive(Clone, Copy, Debug)]
pub struct BookLimits {
    /// Instruments, at most 32,768. Each takes 8.3 KiB.
    pub instruments: usize,
    /// log2 of the order slots (16 bytes each), 4 to 30. An order that outlives a turn of the table moves to the side table; a
    /// turn is as many ids as there are slots (four times as many where ids come in steps of four).
    pub order_slots_log2: u32,
    /// Orders that may live beside their slots (24 bytes each, a third to be added for short probes): ids that collide,
    /// outlive a turn of the table, or have prices finer than 1e-4. As many as long-lived orders are expected.
    pub side_orders: usize,
    /// Levels outside the ladders of all books together (16 bytes each, handed out in blocks of 8 to 65,536).
    pub far_levels: usize,
    /// Tick of an instrument whose definition names none.
    pub default_tick: Px,
    /// Kind of pages asked for.
    pub pages: PageKind,
}

impl Default for BookLimits {
    /// A US equity day: 16,384 instruments, 8 M order slots, 1.5 M orders beside, 1 M far levels; about 350 MiB.
    fn default() -> Self {
        Self {
            instruments: 16_384,
            order_slots_log2: 23,
            side_orders: 3 << 19,
            far_levels: 1 << 20,
            default_tick: Px(10_000_000),
            pages: PageKind::Huge,
        }
    }
}

impl BookLimits {
    /// A handful of instruments for a short time, for tests and excerpts: 256 instruments, 64 K order slots; about 7 MiB.
    #[must_use]
    pub fn small() -> Self {
        Self {
            instruments: 256,
            order_slots_log2: 16,
            side_orders: 3 << 13,
            far_levels: 1 << 15,
            pages: PageKind::Ordinary,
            ..Self::default()
        }
    }
}

/// Why the books cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A bound is out of its range.
    #[error("{what} is {found}, wanted {wanted}")]
    Bound {
        /// The bound's name.
        what: &'static str,
        /// Its value.
        found: u64,
        /// Its range.
        wanted: &'static str,
    },
    /// The tables do not fit the machine.
    #[error("no memory for the book tables ({bytes} bytes): {source}")]
    Memory {
        /// Bytes asked for.
        bytes: usize,
        /// The system's answer.
        source: io::Error,
    },
}

impl BookLimits {
    fn check(&self) -> Result<(), BuildError> {
        let bound = |ok: bool, what, found: usize, wanted| {
            if ok { Ok(()) } else { Err(BuildError::Bound { what, found: found as u64, wanted }) }
        };
        bound(
            (1..=INSTRUMENTS_MAX).contains(&self.instruments),
            "instruments",
            self.instruments,
            "1 to 32768",
        )?;
        let log2 = self.order_slots_log2;
        bound((4..=30).contains(&log2), "order_slots_log2", log2 as usize, "4 to 30")?;
        bound(self.side_orders <= 1 << 28, "side_orders", self.side_orders, "at most 268435456")?;
        bound(self.far_levels <= 1 << 28, "far_levels", self.far_levels, "at most 268435456")?;
        let tick = self.default_tick.0;
        bound((1..=TICK_MAX).contains(&tick), "default_tick", tick.max(0) as usize, "1 to 2^50")
    }
}

/// What the books occupy, for the table printed at boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryReport {
    /// Bytes of all tables.
    pub bytes: usize,
    /// How many of them the kernel put into huge pages; `None` where it does not say.
    pub huge_bytes: Option<usize>,
    /// Whether huge pages were asked for: if so and `huge_bytes` is far below `bytes`, the books run on ordinary pages, right
    /// but about a third slower.
    pub huge_wanted: bool,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The book's levels changed.
    Changed,
    /// Nothing in the book changed (trade, status, definition, time).
    Unchanged,
    /// It named an order the book does not know: counted, otherwise ignored.
    Unknown,
    /// It could not be applied: out of bounds, or a table is full (the book is stale then).
    Refused,
}

/// What an event did, for whoever computes from the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// What became of it.
    pub effect: Effect,
    /// Side of the resting order or level.
    pub side: Side,
    /// Price of the resting order, level or trade; the execution's own price where it has one.
    pub px: Px,
    /// Quantity added, taken or traded; for a level, what it holds now.
    pub qty: u64,
    /// For a level: what it held before.
    pub before: u64,
}

impl Applied {
    const fn nothing(effect: Effect) -> Self {
        Self { effect, side: Side::Bid, px: Px::NONE, qty: 0, before: 0 }
    }
}

/// Best bid and offer.
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

    /// Whether both sides exist.
    #[must_use]
    pub const fn is_two_sided(&self) -> bool {
        self.bid.px.is_some() && self.ask.px.is_some()
    }

    /// Whether price or quantity differ (the number of orders alone is no change of a quote).
    #[must_use]
    pub fn differs(&self, other: &Self) -> bool {
        let quote = |b: &Self| (b.bid.px, b.bid.qty, b.ask.px, b.ask.qty);
        quote(self) != quote(other)
    }

    /// Mid price rounded down to 1e-9, [`Px::NONE`] unless both sides exist.
    #[must_use]
    pub const fn mid(&self) -> Px {
        if self.is_two_sided() { Px(i64::midpoint(self.bid.px.0, self.ask.px.0)) } else { Px::NONE }
    }
}

/// Counts since construction; every event that did not do what it says is in one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BookCounters {
    /// Events of orders the books do not know (captures that start in mid-session, orders lost in a gap).
    pub unknown_orders: u64,
    /// Orders added under an id that was live; the old order was removed first.
    pub duplicate_orders: u64,
    /// Reductions and executions of more than was left; the order was removed.
    pub over_reductions: u64,
    /// Orders and levels refused because a table was full; each made its book stale.
    pub table_full: u64,
    /// Events no book can hold: no price, a price beyond ±1.15e9, no quantity, an instrument out of range.
    pub bad_events: u64,
    /// Book-changing events applied to a stale book.
    pub stale_events: u64,
    /// Book-changing events after which the best bid was above the best offer.
    pub crossed_events: u64,
    /// Book-changing events after which best bid and best offer were equal.
    pub locked_events: u64,
    /// Takings from a level that held less: levels set and orders mixed in one book.
    pub missing_quantity: u64,
    /// Gaps heard.
    pub gaps: u64,
}

/// How full the bounded tables are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupancy {
    /// Live orders.
    pub orders: usize,
    /// Orders in the side table.
    pub side_orders: usize,
    /// Orders the side table can hold.
    pub side_orders_max: usize,
    /// Far levels in blocks handed out.
    pub far_levels: usize,
    /// Far levels the arena has.
    pub far_levels_max: usize,
    /// Ladder windows moved since construction.
    pub recentres: u64,
    /// Moves refused because the far arena was full.
    pub recentres_refused: u64,
}

/// What is known of an instrument beside its levels.
#[derive(Clone, Copy, Debug)]
struct Meta {
    symbol: Option<Symbol>,
    round_lot: u32,
    state: BookState,
    status: TradingStatus,
}

/// Every book's tables.
#[derive(Debug)]
pub struct Books {
    slots: PageBuf<Slot>,
    heads: PageBuf<Head>,
    bits: PageBuf<Bits>,
    cells: PageBuf<Cells>,
    arena: PageBuf<FarLevel>,
    rest: Rest,
    memory: MemoryReport,
}

/// The smaller tables.
#[derive(Debug)]
struct Rest {
    orders: OrderIndex,
    levels: LevelIndex,
    metas: Box<[Meta]>,
    bbos: Box<[Bbo]>,
    default_tick: i64,
    /// One more than the greatest instrument ever addressed: what "all" ranges over.
    used: usize,
    /// Messages of every instrument were lost and no clear has come since.
    gap_open: Option<StaleCause>,
    counters: BookCounters,
}

/// The books, lent for one chunk of events.
pub struct BooksMut<'a> {
    slots: &'a mut [Slot],
    levels: LevelsMut<'a>,
    orders: &'a mut OrderIndex,
    metas: &'a mut [Meta],
    bbos: &'a mut [Bbo],
    default_tick: i64,
    used: &'a mut usize,
    gap_open: &'a mut Option<StaleCause>,
    counters: &'a mut BookCounters,
}

impl Books {
    /// Takes and touches all memory.
    ///
    /// # Errors
    /// A bound out of its range, or a machine without the memory.
    pub fn new(limits: &BookLimits) -> Result<Self, BuildError> {
        limits.check()?;
        let n = limits.instruments;
        let huge_before = huge_bytes_of_process();
        let far = FarIndex::arena_len(limits.far_levels);
        let (slot_count, pages) = (1_usize << limits.order_slots_log2, limits.pages);
        let bytes = slot_count * size_of::<Slot>()
            + n * (size_of::<Head>() + size_of::<Bits>() + size_of::<Cells>())
            + far * size_of::<FarLevel>();
        let no_memory = |source| BuildError::Memory { bytes, source };
        let slots = PageBuf::zeroed(slot_count, pages).map_err(no_memory)?;
        let mut heads = PageBuf::<Head>::zeroed(n, pages).map_err(no_memory)?;
        let bits = PageBuf::zeroed(n, pages).map_err(no_memory)?;
        let cells = PageBuf::zeroed(n, pages).map_err(no_memory)?;
        let arena = PageBuf::zeroed(far, pages).map_err(no_memory)?;
        let huge_after = huge_bytes_of_process();

        let orders = OrderIndex::new(limits.order_slots_log2, limits.side_orders, n);
        for (i, head) in heads.as_mut_slice().iter_mut().enumerate() {
            *head = Head::new(orders.owner(i).to_bits(), limits.default_tick.0);
        }
        let unknown =
            Meta { symbol: None, round_lot: 0, state: BookState::Empty, status: TradingStatus::Unknown };
        let rest = Rest {
            orders,
            levels: LevelIndex::new(n, far, limits.default_tick.0),
            metas: vec![unknown; n].into_boxed_slice(),
            bbos: vec![Bbo::NONE; n].into_boxed_slice(),
            default_tick: limits.default_tick.0,
            used: 0,
            gap_open: None,
            counters: BookCounters::default(),
        };
        let small =
            rest.orders.bytes() + rest.levels.bytes() + size_of_val(&*rest.metas) + size_of_val(&*rest.bbos);
        let memory = MemoryReport {
            bytes: [slots.bytes(), heads.bytes(), bits.bytes(), cells.bytes(), arena.bytes(), small]
                .iter()
                .sum(),
            huge_bytes: huge_after.zip(huge_before).map(|(after, before)| after.saturating_sub(before)),
            huge_wanted: pages == PageKind::Huge,
        };
        Ok(Self { slots, heads, bits, cells, arena, rest, memory })
    }

    /// The tables as slices, to apply a chunk of events to.
    pub fn lend(&mut self) -> BooksMut<'_> {
        let Rest { orders, levels, metas, bbos, default_tick, used, gap_open, counters } = &mut self.rest;
        BooksMut {
            slots: self.slots.as_mut_slice(),
            levels: LevelsMut {
                heads: self.heads.as_mut_slice(),
                bits: self.bits.as_mut_slice(),
                cells: self.cells.as_mut_slice(),
                arena: self.arena.as_mut_slice(),
                index: levels,
            },
            orders,
            metas,
            bbos,
            default_tick: *default_tick,
            used,
            gap_open,
            counters,
        }
    }

    /// One book; `None` when the instrument is out of range.
    #[must_use]
    pub fn book(&self, instrument: InstrumentId) -> Option<Book<'_>> {
        let i = instrument.index();
        let parts = Parts {
            heads: self.heads.as_slice(),
            bits: self.bits.as_slice(),
            cells: self.cells.as_slice(),
            arena: self.arena.as_slice(),
            levels: &self.rest.levels,
            metas: &self.rest.metas,
            bbos: &self.rest.bbos,
        };
        (i < self.rest.metas.len()).then(|| parts.book(i))
    }

    /// Instruments addressed so far are those below this number.
    #[must_use]
    pub fn used(&self) -> usize {
        self.rest.used
    }

    /// Most instruments.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.rest.metas.len()
    }

    /// Counts since construction.
    #[must_use]
    pub fn counters(&self) -> BookCounters {
        self.rest.counters
    }

    /// How full the tables are.
    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        let (side_orders, side_orders_max) = self.rest.orders.side_occupancy();
        let (far_levels, far_levels_max) = self.rest.levels.far.occupancy();
        Occupancy {
            orders: self.rest.orders.live(),
            side_orders,
            side_orders_max,
            far_levels,
            far_levels_max,
            recentres: self.rest.levels.recentres,
            recentres_refused: self.rest.levels.recentres_refused,
        }
    }

    /// What the tables occupy.
    #[must_use]
    pub fn memory(&self) -> MemoryReport {
        self.memory
    }
}

/// Shared references to the tables, enough to read one book.
struct Parts<'a> {
    heads: &'a [Head],
    bits: &'a [Bits],
    cells: &'a [Cells],
    arena: &'a [FarLevel],
    levels: &'a LevelIndex,
    metas: &'a [Meta],
    bbos: &'a [Bbo],
}

impl<'a> Parts<'a> {
    #[inline]
    fn book(&self, i: usize) -> Book<'a> {
        let lines = [i * 2, i * 2 + 1];
        Book {
            instrument: InstrumentId(i as u32),
            head: &self.heads[i],
            bits: &self.bits[i],
            cells: &self.cells[i],
            far: lines.map(|line| self.levels.far.levels(self.arena, line)),
            tick: self.levels.ticks[i],
            meta: &self.metas[i],
            bbo: &self.bbos[i],
        }
    }
}

/// One instrument's book, to be read.
#[derive(Clone, Copy)]
pub struct Book<'a> {
    instrument: InstrumentId,
    head: &'a Head,
    bits: &'a Bits,
    cells: &'a Cells,
    far: [&'a [FarLevel]; 2],
    tick: i64,
    meta: &'a Meta,
    bbo: &'a Bbo,
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

    /// Tick size.
    #[must_use]
    pub fn tick(&self) -> Px {
        Px(self.tick)
    }

    /// Round lot in shares, 0 when unknown.
    #[must_use]
    pub fn round_lot(&self) -> u32 {
        self.meta.round_lot
    }

    /// Best bid and offer at the end of the last whole venue event.
    #[must_use]
    pub fn bbo(&self) -> &'a Bbo {
        self.bbo
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
        let near = Near { head: self.head, cells: &self.cells[s], s, occupied: Occupied::new(&self.bits[s]) };
        Levels { merged: Merged::new(near, self.far[s]), side, left: n }
    }

    /// Number of levels of a side.
    #[must_use]
    pub fn level_count(&self, side: Side) -> usize {
        let s = side.index();
        self.far[s].len() + self.bits[s].iter().map(|word| word.count_ones() as usize).sum::<usize>()
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
        Some(FarLevel { key: self.head.key(self.s, index as i16), cell: self.cells[index % TICKS] })
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

impl BooksMut<'_> {
    /// Applies one event to the book it names. Never fails: what cannot be done is counted, and makes the book stale where its
    /// levels would be wrong from then on.
    #[inline]
    pub fn apply(&mut self, event: &BookEvent) -> Applied {
        let i = event.instrument.index();
        if i >= self.metas.len() {
            return self.apply_to_all(event);
        }
        if self.levels.heads[i].flags & flag::NOT_LIVE != 0 || event.flags.has(EventFlags::MAYBE_BAD_BOOK) {
            self.note_doubt(i, event);
        }
        match event.action {
            Action::OrderAdd => self.order_add(i, event),
            Action::OrderReduce | Action::OrderExecute | Action::OrderDelete => self.order_take(i, event),
            Action::OrderReplace => self.order_replace(i, event),
            Action::LevelSet => self.level_set(i, event),
            Action::Trade => Applied {
                effect: Effect::Unchanged,
                side: event.side,
                px: event.px,
                qty: u64::from(event.qty.0),
                before: 0,
            },
            _ => self.administer(i, event),
        }
    }

    /// Reads the best bid and offer after a whole venue event. Returns what they were when they changed.
    ///
    /// Call it after each event with [`EventFlags::LAST`] whose effect was [`Effect::Changed`].
    #[inline]
    pub fn settle(&mut self, instrument: InstrumentId) -> Option<Bbo> {
        let i = instrument.index();
        let flags = self.levels.heads[i].flags;
        if flags & (flag::BBO | flag::CROSSED | flag::LOCKED) == 0 {
            return None;
        }
        self.settle_changed(i)
    }

    fn settle_changed(&mut self, i: usize) -> Option<Bbo> {
        let mut previous = None;
        let changed = self.levels.heads[i].flags & flag::BBO;
        if changed != 0 {
            let mut now = self.bbos[i];
            if changed & 1 != 0 {
                now.bid = self.best(i, Side::Bid);
            }
            if changed & 2 != 0 {
                now.ask = self.best(i, Side::Ask);
            }
            let head = &mut self.levels.heads[i];
            head.flags &= !(flag::BBO | flag::CROSSED | flag::LOCKED);
            if now.is_two_sided() && now.bid.px >= now.ask.px {
                head.flags |= if now.bid.px == now.ask.px { flag::LOCKED } else { flag::CROSSED };
            }
            let old = std::mem::replace(&mut self.bbos[i], now);
            previous = old.differs(&now).then_some(old);
        }
        let flags = self.levels.heads[i].flags;
        self.counters.crossed_events += u64::from(flags & flag::CROSSED != 0);
        self.counters.locked_events += u64::from(flags & flag::LOCKED != 0);
        previous
    }

    #[inline]
    fn best(&self, i: usize, side: Side) -> BookLevel {
        let (s, head) = (side.index(), &self.levels.heads[i]);
        let line = i * 2 + s;
        let best = head.best_key(s);
        if best == NO_KEY {
            return BookLevel::NONE;
        }
        let cell = if best == head.far_best[s] {
            let far = self.levels.index.far.levels(self.levels.arena, line);
            far.last().map_or(Cell::EMPTY, |level| level.cell)
        } else {
            self.levels.cells[i][s][head.best[s] as usize % TICKS]
        };
        book_level(side, best, cell)
    }

    /// One book, to be read between events.
    #[must_use]
    pub fn book(&self, instrument: InstrumentId) -> Option<Book<'_>> {
        let i = instrument.index();
        let parts = Parts {
            heads: self.levels.heads,
            bits: self.levels.bits,
            cells: self.levels.cells,
            arena: self.levels.arena,
            levels: self.levels.index,
            metas: self.metas,
            bbos: self.bbos,
        };
        (i < self.metas.len()).then(|| parts.book(i))
    }

    /// Best bid and offer at the end of the instrument's last whole venue event.
    #[inline]
    #[must_use]
    pub fn bbo(&self, instrument: InstrumentId) -> &Bbo {
        self.bbos.get(instrument.index()).unwrap_or(&Bbo::NONE)
    }

    /// Tick, state and status of one instrument; `None` when it is out of range.
    #[inline]
    #[must_use]
    pub fn conditions(&self, instrument: InstrumentId) -> Option<(Px, BookState, TradingStatus)> {
        let meta = self.metas.get(instrument.index())?;
        Some((Px(self.levels.index.ticks[instrument.index()]), meta.state, meta.status))
    }

    /// Whether the book is not live at the moment, or the instrument is no single one.
    #[inline]
    #[must_use]
    pub fn is_doubtful(&self, instrument: InstrumentId) -> bool {
        self.levels.heads.get(instrument.index()).is_none_or(|head| head.flags & flag::NOT_LIVE != 0)
    }

    /// Instruments addressed so far are those below this number.
    #[must_use]
    pub fn used(&self) -> usize {
        *self.used
    }

    /// Reads the lines that `events` will need, all of them before any is used, so that the misses overlap. Returns a number
    /// that depends on every line read; the caller keeps it alive (`black_box`) so that the reads stay.
    #[inline]
    #[must_use]
    pub fn touch(&self, events: &[BookEvent]) -> u64 {
        let mut seen = 0;
        for event in events {
            let slot = &self.slots[self.orders.slot_of(event.order_id)];
            seen ^= slot.word();
            if let Some(head) = self.levels.heads.get(event.instrument.index()) {
                seen ^= u64::from(head.owner);
                seen ^= self.bbos[event.instrument.index()].bid.qty;
            }
        }
        for event in events {
            let i = event.instrument.index();
            let Some(head) = self.levels.heads.get(i) else { continue };
            let (side, px) = match event.action {
                Action::OrderAdd | Action::LevelSet => (event.side, event.px.0),
                Action::OrderReduce | Action::OrderExecute | Action::OrderDelete | Action::OrderReplace => {
                    self.slots[self.orders.slot_of(event.order_id)].peek()
                }
                _ => continue,
            };
            let index = head.index(side.index(), key_of(side, px));
            if index < TICKS {
                seen ^= self.levels.cells[i][side.index()][index].qty();
                seen ^= self.levels.bits[i][side.index()][index / 64];
            }
        }
        seen
    }

    fn owner(&self, i: usize) -> Owner {
        Owner::from_bits(self.levels.heads[i].owner)
    }

    #[cold]
    fn bad(&mut self) -> Applied {
        self.counters.bad_events += 1;
        Applied::nothing(Effect::Refused)
    }

    #[cold]
    fn unknown(&mut self) -> Applied {
        self.counters.unknown_orders += 1;
        Applied::nothing(Effect::Unknown)
    }

    #[cold]
    #[inline(never)]
    fn table_full(&mut self, i: usize) -> Applied {
        self.counters.table_full += 1;
        self.set_state(i, BookState::Stale(StaleCause::TableFull));
        Applied::nothing(Effect::Refused)
    }

    fn set_state(&mut self, i: usize, state: BookState) {
        self.metas[i].state = state;
        let flags = &mut self.levels.heads[i].flags;
        *flags = if state.is_live() { *flags & !flag::NOT_LIVE } else { *flags | flag::NOT_LIVE };
    }

    /// Counts events of stale books, ends a recovery with the first event that is not of the snapshot, and doubts a book when
    /// the feed itself does.
    #[cold]
    fn note_doubt(&mut self, i: usize, event: &BookEvent) {
        // A book that was never addressed is not live, so this is where it is addressed first.
        *self.used = (*self.used).max(i + 1);
        if event.flags.has(EventFlags::MAYBE_BAD_BOOK) && self.metas[i].state.is_live() {
            self.set_state(i, BookState::Stale(StaleCause::Gap));
        }
        let changes_book = matches!(
            event.action,
            Action::OrderAdd
                | Action::OrderReduce
                | Action::OrderExecute
                | Action::OrderDelete
                | Action::OrderReplace
                | Action::LevelSet
        );
        match self.metas[i].state {
            BookState::Stale(_) if changes_book => self.counters.stale_events += 1,
            BookState::Recovering if changes_book && !event.flags.has(EventFlags::SNAPSHOT) => {
                self.set_state(i, BookState::Live);
            }
            _ => {}
        }
    }

    #[inline]
    fn order_add(&mut self, i: usize, event: &BookEvent) -> Applied {
        if !holds_price(event.px) || event.qty.0 == 0 {
            return self.bad();
        }
        self.insert(i, event.order_id, event.side, event.px, event.qty)
    }

    #[inline(always)]
    fn insert(&mut self, i: usize, id: u64, side: Side, px: Px, qty: Qty) -> Applied {
        let fresh = self.orders.insert_fresh(self.slots, id, self.owner(i), side, px.0, qty.0);
        if !fresh && !self.insert_unusual(i, id, side, px, qty) {
            return self.table_full(i);
        }
        if self.levels.edit(i, side, px.0, Change::Add(qty.0)).is_err() {
            return self.refuse_level(i, id);
        }
        Applied { effect: Effect::Changed, side, px, qty: u64::from(qty.0), before: 0 }
    }

    /// Stores an order whose slot is taken or cannot hold it. False when there is no room.
    #[cold]
    #[inline(never)]
    fn insert_unusual(&mut self, i: usize, id: u64, side: Side, px: Px, qty: Qty) -> bool {
        let owner = self.owner(i);
        if let Some(old) = self.orders.find(self.slots, id, owner) {
            self.counters.duplicate_orders += 1;
            self.orders.set_qty(self.slots, old.place, 0);
            self.take_from_level(i, old.side, old.px, old.qty, true);
        }
        self.orders.insert(self.slots, id, owner, side, px.0, qty.0).is_ok()
    }

    /// Takes back an order whose level could not be stored.
    #[cold]
    fn refuse_level(&mut self, i: usize, id: u64) -> Applied {
        if let Some(order) = self.orders.find(self.slots, id, self.owner(i)) {
            self.orders.set_qty(self.slots, order.place, 0);
        }
        self.table_full(i)
    }

    #[inline]
    fn order_take(&mut self, i: usize, event: &BookEvent) -> Applied {
        let Some(order) = self.orders.find(self.slots, event.order_id, self.owner(i)) else {
            return self.unknown();
        };
        let wanted = if event.action == Action::OrderDelete { order.qty } else { event.qty.0 };
        if wanted == 0 {
            return self.bad();
        }
        let (left, over) = order.qty.overflowing_sub(wanted);
        let (taken, left) = if over { self.over_reduction(order.qty) } else { (wanted, left) };
        self.orders.set_qty(self.slots, order.place, left);
        self.take_from_level(i, order.side, order.px, taken, left == 0);
        let px = if event.flags.has(EventFlags::HAS_PX) { event.px } else { Px(order.px) };
        Applied { effect: Effect::Changed, side: order.side, px, qty: u64::from(taken), before: 0 }
    }

    /// More was to go than the order had: all of it goes.
    #[cold]
    fn over_reduction(&mut self, open: u32) -> (u32, u32) {
        self.counters.over_reductions += 1;
        (open, 0)
    }

    #[inline]
    fn order_replace(&mut self, i: usize, event: &BookEvent) -> Applied {
        let Some(old) = self.orders.find(self.slots, event.order_id, self.owner(i)) else {
            return self.unknown();
        };
        self.orders.set_qty(self.slots, old.place, 0);
        self.take_from_level(i, old.side, old.px, old.qty, true);
        if !holds_price(event.px) || event.qty.0 == 0 {
            // The old order is gone all the same: the venue would not have sent this otherwise.
            self.counters.bad_events += 1;
            return Applied { effect: Effect::Changed, side: old.side, px: Px(old.px), qty: 0, before: 0 };
        }
        self.insert(i, event.aux, old.side, event.px, event.qty)
    }

    #[inline(always)]
    fn take_from_level(&mut self, i: usize, side: Side, px: i64, qty: u32, whole: bool) {
        // Taking only ever makes a level smaller: it cannot be refused.
        if let Ok(edited) = self.levels.edit(i, side, px, Change::Take(qty, whole))
            && edited.missing
        {
            self.counters.missing_quantity += 1;
        }
    }

    fn level_set(&mut self, i: usize, event: &BookEvent) -> Applied {
        if !holds_price(event.px) {
            return self.bad();
        }
        let qty = event.qty.0;
        match self.levels.edit(i, event.side, event.px.0, Change::Set(qty)) {
            Ok(edited) => Applied {
                effect: Effect::Changed,
                side: event.side,
                px: event.px,
                qty: u64::from(qty),
                before: edited.before.qty(),
            },
            Err(Full) => self.table_full(i),
        }
    }

    #[cold]
    fn administer(&mut self, i: usize, event: &BookEvent) -> Applied {
        match event.action {
            Action::Define => self.define(i, event),
            Action::Clear => {
                let orders = self.levels.clear(i);
                let owner = self.orders.clear_instrument(self.slots, i, orders as usize);
                self.levels.heads[i].owner = owner.to_bits();
                self.set_state(i, state_after_clear(event));
                return Applied::nothing(Effect::Changed);
            }
            Action::Gap => {
                self.counters.gaps += 1;
                self.set_state(i, BookState::Stale(stale_cause(event)));
            }
            Action::Status => self.metas[i].status = TradingStatus::from_u64(event.aux),
            Action::SessionEnd => self.metas[i].status = TradingStatus::Closed,
            _ => {}
        }
        Applied::nothing(Effect::Unchanged)
    }

    fn define(&mut self, i: usize, event: &BookEvent) {
        let tick = if event.px.is_some() && (1..=TICK_MAX).contains(&event.px.0) {
            event.px.0
        } else {
            self.default_tick
        };
        self.levels.index.ticks[i] = tick;
        let meta = &mut self.metas[i];
        meta.symbol = Some(Symbol::from_word(event.order_id));
        meta.round_lot = u32::try_from(event.aux).unwrap_or(0);
        if meta.state == BookState::Empty {
            // After a gap nobody knows what of this book was in the messages lost.
            let state = self.gap_open.map_or(BookState::Live, BookState::Stale);
            self.set_state(i, state);
        }
    }

    /// An event addressed to every instrument, or to none the books have room for.
    #[cold]
    fn apply_to_all(&mut self, event: &BookEvent) -> Applied {
        if event.instrument != InstrumentId::ALL {
            return self.bad();
        }
        let used = 0..*self.used;
        match event.action {
            Action::Gap => {
                self.counters.gaps += 1;
                *self.gap_open = Some(stale_cause(event));
                for i in used {
                    if self.metas[i].state != BookState::Empty {
                        self.set_state(i, BookState::Stale(stale_cause(event)));
                    }
                }
                Applied::nothing(Effect::Unchanged)
            }
            Action::Clear => {
                *self.gap_open = None;
                for i in used {
                    self.levels.clear(i);
                    if self.metas[i].state != BookState::Empty {
                        self.set_state(i, state_after_clear(event));
                    }
                }
                self.orders.clear(self.slots);
                Applied::nothing(Effect::Changed)
            }
            Action::Status | Action::SessionEnd => {
                let status = if event.action == Action::SessionEnd {
                    TradingStatus::Closed
                } else {
                    TradingStatus::from_u64(event.aux)
                };
                self.metas[used].iter_mut().for_each(|meta| meta.status = status);
                Applied::nothing(Effect::Unchanged)
            }
            Action::Time | Action::Trade | Action::TradeBreak => Applied::nothing(Effect::Unchanged),
            _ => self.bad(),
        }
    }
}

#[inline]
fn holds_price(px: Px) -> bool {
    (-PX_MAX..=PX_MAX).contains(&px.0)
}

fn state_after_clear(event: &BookEvent) -> BookState {
    if event.flags.has(EventFlags::SNAPSHOT) { BookState::Recovering } else { BookState::Live }
}

fn stale_cause(event: &BookEvent) -> StaleCause {
    if event.qty.0 == GapCause::SessionChange as u32 { StaleCause::SessionChange } else { StaleCause::Gap }
}
