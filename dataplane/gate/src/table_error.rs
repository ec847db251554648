//! Why a table cannot be made, and what it does not have.

use types::InstrumentId;

use crate::{ids::ClassId, memory::OutOfMemory, slot::SlotFault};

/// Most rows of a table: two gigabytes of dynamic slots, far beyond any universe, and small enough that a row's index
/// cannot overflow.
pub const ROWS_MAX: usize = 1 << 24;

/// A table that cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableSizeError {
    /// Instruments asked for.
    pub instruments: usize,
    /// Classes (or other second dimension) asked for.
    pub classes: usize,
}

impl core::fmt::Display for TableSizeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { instruments, classes } = self;
        write!(f, "a table of {instruments} instruments by {classes} classes, must have 1 to {ROWS_MAX} rows")
    }
}

impl core::error::Error for TableSizeError {}

/// Why a table cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableError {
    /// Its size is none.
    Size(TableSizeError),
    /// There is no room for it.
    Memory(OutOfMemory),
}

impl From<TableSizeError> for TableError {
    fn from(error: TableSizeError) -> Self {
        Self::Size(error)
    }
}

impl From<OutOfMemory> for TableError {
    fn from(error: OutOfMemory) -> Self {
        Self::Memory(error)
    }
}

impl core::fmt::Display for TableError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Size(error) => error.fmt(f),
            Self::Memory(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for TableError {}

/// A row that the table does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownRow {
    /// The instrument asked for.
    pub instrument: InstrumentId,
    /// The class asked for.
    pub class: ClassId,
}

impl core::fmt::Display for UnknownRow {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "no limit row for instrument {}, class {}", self.instrument.0, self.class.0)
    }
}

impl core::error::Error for UnknownRow {}

/// Why a table gave no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFault {
    /// The table has no such row.
    UnknownRow,
    /// The row gave no record.
    Slot(SlotFault),
}
