//! Bounds of the books, and what they occupy.

use std::io;

use types::Px;

use crate::fill::Fill;
use crate::ladder::TICK_MAX;
use crate::order_table::INSTRUMENTS_MAX;
use crate::pages::PageKind;

/// Bounds of the books; all memory is taken at construction.
#[derive(Clone, Copy, Debug)]
pub struct BookLimits {
    /// Instruments, at most 32,768. Each takes 8.25 KiB.
    pub instruments: usize,
    /// log2 of the order slots (16 bytes each), 4 to 30. An order that outlives a turn of the table moves to the side table; a
    /// turn is as many ids as there are slots (four times as many where ids come in steps of four).
    pub order_slots_log2: u32,
    /// Orders that may live beside their slots (24 bytes each, a third to be added for short probes): ids that collide,
    /// outlive a turn of the table, or have prices finer than 1e-4. As many as are live, where nothing is known of the ids.
    pub side_orders: usize,
    /// Levels outside the ladders of all books together (16 bytes each, handed out in blocks of 8 to 65,536).
    pub far_levels: usize,
    /// Tick of an instrument whose definition names none.
    pub default_tick: Px,
    /// Kind of pages asked for.
    pub pages: PageKind,
}

impl Default for BookLimits {
    /// A US equity day, as the appliance has it unless told otherwise: 16,384 instruments, 4 M live orders, 1 M far levels;
    /// about 700 MiB.
    fn default() -> Self {
        Self::for_orders(1 << 22)
    }
}

impl BookLimits {
    /// Room for `orders` live orders, whatever their ids: four to eight slots for each, so that few collide and a turn of the table is
    /// long, and a place beside them for every one.
    #[must_use]
    pub fn for_orders(orders: usize) -> Self {
        Self {
            instruments: 16_384,
            order_slots_log2: (orders.next_power_of_two().trailing_zeros() + 2).clamp(4, 30),
            side_orders: orders,
            far_levels: 1 << 20,
            default_tick: Px(10_000_000),
            pages: PageKind::Huge,
        }
    }

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
    pub(crate) fn check(&self) -> Result<(), BuildError> {
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
    /// How many of them lie in the tables of the books, for which huge pages may be asked.
    pub paged_bytes: usize,
    /// How many of those the kernel put into huge pages; `None` where it does not say.
    pub huge_bytes: Option<usize>,
    /// Whether huge pages were asked for: if so and `huge_bytes` is far below `paged_bytes`, the books run on ordinary pages,
    /// right but about a third slower.
    pub huge_wanted: bool,
}

impl MemoryReport {
    /// No table.
    pub const NOTHING: Self = Self { bytes: 0, paged_bytes: 0, huge_bytes: Some(0), huge_wanted: false };

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            paged_bytes: self.paged_bytes + other.paged_bytes,
            huge_bytes: self.huge_bytes.zip(other.huge_bytes).map(|(a, b)| a + b),
            huge_wanted: self.huge_wanted || other.huge_wanted,
        }
    }
}

/// How full the bounded tables are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupancy {
    /// Live orders.
    pub orders: usize,
    /// Instruments addressed so far.
    pub instruments: Fill,
    /// Orders in the side table.
    pub side_orders: Fill,
    /// Far levels in blocks handed out.
    pub far_levels: Fill,
    /// Ladder windows moved since construction.
    pub recentres: u64,
    /// Moves refused because the far arena was full.
    pub recentres_refused: u64,
}

impl Occupancy {
    /// Each table whose room is known and whose every moment was looked at.
    #[must_use]
    pub const fn fills(&self) -> [Fill; 3] {
        [self.instruments, self.side_orders, self.far_levels]
    }
}
