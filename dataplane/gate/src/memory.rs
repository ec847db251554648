//! Where tables lie: rows of atomic words that stay where they are for the rest of the process.
//!
//! A table is the same in the memory of one process and in a mapping that several share; whoever makes it says which, by the
//! [`Memory`] it is made in. Readers and writers then hold plain references to rows, so that an order pays neither a count nor a
//! check of whose memory it is. What it costs: tables are made once, at boot, and are never given back.

use alloc::{boxed::Box, vec::Vec};

use crate::sync::{AtomicU32, AtomicU64};

/// Memory that has no room for the rows asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// Bytes asked for.
    pub wanted: usize,
    /// Bytes there were.
    pub found: usize,
}

impl core::fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} bytes for a table, found room for {}", self.wanted, self.found)
    }
}

impl core::error::Error for OutOfMemory {}

mod sealed {
    /// What only this crate's rows are.
    pub trait Sealed {}
}

pub(crate) use sealed::Sealed;

/// Atomic words in a fixed order (`repr(C)`), of which all zero is a row that was never written. Only this crate's rows are: a
/// [`Memory`] may take zeroed bytes for them.
pub trait Row: Sealed + Default + Sync + 'static {}

impl Sealed for AtomicU64 {}
impl Row for AtomicU64 {}
impl Sealed for AtomicU32 {}
impl Row for AtomicU32 {}

/// Somewhere to put tables. Asked for the same rows in the same order, every memory of one layout gives the same places.
pub trait Memory {
    /// `count` rows that nobody has written and nobody else is given.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    fn rows<R: Row>(&mut self, count: usize) -> Result<&'static [R], OutOfMemory>;

    /// One such row.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    fn row<R: Row>(&mut self) -> Result<&'static R, OutOfMemory> {
        let rows = self.rows(1)?;
        rows.first().ok_or(OutOfMemory { wanted: size_of::<R>(), found: 0 })
    }
}

/// Memory of this process alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Private;

impl Memory for Private {
    fn rows<R: Row>(&mut self, count: usize) -> Result<&'static [R], OutOfMemory> {
        let rows: Vec<R> = (0..count).map(|_| R::default()).collect();
        Ok(Box::leak(rows.into_boxed_slice()))
    }
}
