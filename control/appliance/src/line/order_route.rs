//! Orders that pass the gate of an order thread beside the desk, on the desk's tables: a gateway's.

use super::gate_tables::SharedMemory;
use super::notes::{BookNote, VerdictRecord};
use anyhow::Result;
use types::UnixNanos;

/// What carries them.
pub(crate) trait OrderRoute: Send {
    /// Takes note of what the books say, when it has become true.
    fn hear(&mut self, note: &BookNote);

    /// Carries what is due before `until`, and says what the gate said of each order; how many events that was.
    fn work(&mut self, until: UnixNanos, said: &mut dyn FnMut(VerdictRecord)) -> u32;
}

/// Makes a route to a gate on these tables.
pub(crate) type MakeRoute = Box<dyn FnOnce(&SharedMemory) -> Result<Box<dyn OrderRoute>>>;
