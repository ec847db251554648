//! The tables of every book: orders (L3) and levels (L2) of every instrument.
//!
//! [`Books`] owns the tables; [`Books::lend`] resolves them to slices once per chunk of events, and [`BooksMut`] applies
//! events to them. Readers get a [`Book`].

use std::sync::Arc;

use types::{BookState, InstrumentId, TickTable, TradingStatus};

use crate::apply::BooksMut;
use crate::counters::BookCounters;
use crate::far::{FarIndex, FarLevel};
use crate::fill::Fill;
use crate::gaps::{Channels, Gaps, Overdue};
use crate::ladder::{Cells, Row};
use crate::levels::{LevelIndex, LevelsMut};
use crate::limits::{BookLimits, BuildError, MemoryReport, Occupancy};
use crate::order_table::{OrderIndex, Slot};
use crate::pages::{PageBuf, PageKind, huge_bytes_of_process};
use crate::view::{Book, Meta, Parts};

/// Every book's tables.
#[derive(Debug)]
pub struct Books {
    slots: PageBuf<Slot>,
    rows: PageBuf<Row>,
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
    default_tick: i64,
    /// One more than the greatest instrument ever addressed: what "all" ranges over.
    used: usize,
    gaps: Gaps,
    /// Messages that are missing are being asked for.
    recovering: bool,
    overdue: Overdue,
    counters: BookCounters,
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
            + OrderIndex::side_bytes(limits.side_orders)
            + n * (size_of::<Row>() + size_of::<Cells>())
            + far * size_of::<FarLevel>();
        let no_memory = |source| BuildError::Memory { bytes, source };
        let slots = PageBuf::zeroed(slot_count, pages).map_err(no_memory)?;
        let mut rows = PageBuf::<Row>::zeroed(n, pages).map_err(no_memory)?;
        let cells = PageBuf::zeroed(n, pages).map_err(no_memory)?;
        let arena = PageBuf::zeroed(far, pages).map_err(no_memory)?;
        let orders =
            OrderIndex::new(limits.order_slots_log2, limits.side_orders, n, pages).map_err(no_memory)?;
        let huge_after = huge_bytes_of_process();
        for (i, row) in rows.as_mut_slice().iter_mut().enumerate() {
            *row = Row::new(i, orders.owner(i).to_bits(), limits.default_tick.0);
        }
        let unknown = Meta {
            symbol: None,
            state: BookState::Empty,
            status: TradingStatus::Unknown,
            beside_end: TradingStatus::Unknown,
            ended: Channels::default(),
            unknown_orders: 0,
            channels: Channels::default(),
            debts: Channels::default(),
        };
        let rest = Rest {
            orders,
            levels: LevelIndex::new(n, far, limits.default_tick.0),
            metas: vec![unknown; n].into_boxed_slice(),
            default_tick: limits.default_tick.0,
            used: 0,
            gaps: Gaps::NONE,
            recovering: false,
            overdue: Overdue::default(),
            counters: BookCounters::default(),
        };
        let small = rest.orders.bytes() + rest.levels.bytes() + size_of_val(&*rest.metas);
        let tables = [slots.bytes(), rows.bytes(), cells.bytes(), arena.bytes()].iter().sum::<usize>();
        let memory = MemoryReport {
            bytes: tables + small,
            paged_bytes: tables + OrderIndex::side_bytes(limits.side_orders),
            huge_bytes: huge_after.zip(huge_before).map(|(after, before)| after.saturating_sub(before)),
            huge_wanted: pages == PageKind::Huge,
        };
        Ok(Self { slots, rows, cells, arena, rest, memory })
    }

    /// The tables of ticks that definitions may name from now on; before, those of [`TickTable::BUILT_IN`].
    pub fn set_tick_tables(&mut self, tables: Arc<[TickTable]>) {
        self.rest.levels.set_tables(tables);
    }

    /// Whether a gap of all instruments of some channel is open, or being filled.
    pub fn gap_open(&self) -> bool {
        self.rest.gaps.any() || self.rest.recovering
    }

    /// The tables as slices, to apply a chunk of events to.
    pub fn lend(&mut self) -> BooksMut<'_> {
        let Rest { orders, levels, metas, default_tick, used, gaps, recovering, overdue, counters } =
            &mut self.rest;
        BooksMut {
            slots: self.slots.as_mut_slice(),
            levels: LevelsMut {
                rows: self.rows.as_mut_slice(),
                cells: self.cells.as_mut_slice(),
                arena: self.arena.as_mut_slice(),
                index: levels,
            },
            orders,
            metas,
            default_tick: *default_tick,
            used,
            gaps,
            recovering,
            overdue,
            counters,
            doubted_too: None,
        }
    }

    /// One book; `None` when the instrument is out of range.
    #[must_use]
    pub fn book(&self, instrument: InstrumentId) -> Option<Book<'_>> {
        let i = instrument.index();
        let parts = Parts {
            rows: self.rows.as_slice(),
            cells: self.cells.as_slice(),
            arena: self.arena.as_slice(),
            levels: &self.rest.levels,
            metas: &self.rest.metas,
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
        let [used, room] = [self.used(), self.capacity()].map(|count| count as u64);
        Occupancy {
            orders: self.rest.orders.live(),
            instruments: Fill { table: "instruments", used, high_water: used, room },
            side_orders: self.rest.orders.side_fill(),
            far_levels: self.rest.levels.far.fill(),
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
