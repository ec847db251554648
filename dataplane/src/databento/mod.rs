//! Databento's DBN files: what one of its data centres wrote down of a venue, as records of one schema.
//!
//! Source: the DBN specification (databento.com/docs/standards-and-conventions/databento-binary-encoding) and the crate `dbn`, which
//! reads the bytes and brings versions before 3 up to date. Several files are read one after the other, so that definitions
//! can come before what they define.
//!
//! - `mbo`: an order joins (`A`), is cancelled in part or whole (`C`), modified (`M`), or all go (`R`). A trade is told three times:
//!   as one of the aggressor (`T`), as a fill of each resting order (`F`), and as what the fill leaves of it (`C`, `M`). Here the fill
//!   is the execution, and what follows it changes no more than it left open; a trade without a fill moved no order. Books
//!   are live from a clear of theirs on; one whose first record is another was joined in mid-session.
//! - `mbp-1`, `mbp-10`: each record has the whole ladder, which becomes the levels that differ from the one before.
//!
//! No record says how an instrument trades but those of the schema `status`; without them it is taken to trade.

mod bytes;
mod instruments;
mod ladder;
mod orders;
mod reader;

pub(crate) use reader::DbnReader;
