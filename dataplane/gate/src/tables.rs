//! All the tables of one gate, laid out together: in the memory of a process, or in a mapping that the process which writes
//! them shares with those that send orders.

use crate::{
    breaker::{BreakerReader, BreakerWriter},
    fat_finger::{FatFingerReader, FatFingerWriter},
    memory::Memory,
    reference::{RefReader, RefRules, RefWriter},
    table::{LimitReader, LimitWriter, StaticReader, StaticWriter},
    table_error::TableError,
    terms_writer::TermsWriter,
};

/// The tables a gate reads.
#[derive(Clone, Debug)]
pub struct GateTables {
    /// The officer's limits.
    pub statics: StaticReader,
    /// The model's limits; `None` runs on the officer's alone.
    pub dynamics: Option<LimitReader>,
    /// The fat-finger network's largest sizes; `None` runs without the check.
    pub fat_finger: Option<FatFingerReader>,
    /// Reference prices.
    pub references: RefReader,
    /// Breakers.
    pub breakers: BreakerReader,
}

/// The writing ends of the same tables, each for its one writer.
#[derive(Debug)]
pub struct TableWriters {
    /// Control's, of the officer's limits.
    pub statics: StaticWriter,
    /// The scorer's, clamped under the officer's caps.
    pub dynamics: Option<LimitWriter>,
    /// The scorer's, of sizes by price distance.
    pub fat_finger: Option<FatFingerWriter>,
    /// The book owner's.
    pub references: RefWriter,
    /// Control's, of what prices mean in money.
    pub terms: TermsWriter,
    /// Control's, with the scorer's word of trips in it.
    pub breakers: BreakerWriter,
}

/// How large the tables are, and which there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableShape {
    /// Instruments of every table.
    pub instruments: usize,
    /// Strategy classes of the limit tables.
    pub classes: usize,
    /// Accounts with a breaker.
    pub accounts: u16,
    /// Strategies with a breaker.
    pub strategies: u16,
    /// Whether there is a table of the model's limits.
    pub dynamics: bool,
    /// Whether there is one of sizes by price distance.
    pub fat_finger: bool,
    /// Whether sells are held to what is located for their accounts ([`StaticWriter::locate`]).
    pub locates: bool,
}

impl GateTables {
    /// Empty tables of `shape` in `memory`, and who writes them.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn create_in(
        memory: &mut impl Memory,
        shape: &TableShape,
        rules: &RefRules<'_>,
    ) -> Result<(TableWriters, Self), TableError> {
        let tables = Self::attach(memory, shape, rules)?;
        let Self { statics, dynamics, fat_finger, references, breakers } = &tables;
        let writers = TableWriters {
            statics: StaticWriter::of(statics),
            dynamics: dynamics.as_ref().map(|dynamics| LimitWriter::of(dynamics, Some(statics))),
            fat_finger: fat_finger.as_ref().map(|fat_finger| FatFingerWriter::of(fat_finger, statics)),
            references: RefWriter::of(references, rules),
            terms: TermsWriter::of(references),
            breakers: BreakerWriter::of(breakers),
        };
        Ok((writers, tables))
    }

    /// The tables of `shape` that somebody else writes in `memory`, whose rules are the same.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn attach(
        memory: &mut impl Memory,
        shape: &TableShape,
        rules: &RefRules<'_>,
    ) -> Result<Self, TableError> {
        let &TableShape { instruments, classes, accounts, strategies, dynamics, fat_finger, locates } = shape;
        let references = RefReader::lay_out(memory, instruments, rules)?;
        let statics =
            StaticReader::lay_out(memory, (instruments, classes), if locates { accounts } else { 0 })?;
        let breakers = BreakerReader::lay_out(memory, accounts, strategies, instruments)?;
        let limits = |memory: &mut _| LimitReader::lay_out(memory, instruments, classes);
        let dynamics = dynamics.then(|| limits(memory)).transpose()?;
        let fat_finger = fat_finger.then(|| FatFingerReader::lay_out(memory, instruments)).transpose()?;
        Ok(Self { statics, dynamics, fat_finger, references, breakers })
    }
}
