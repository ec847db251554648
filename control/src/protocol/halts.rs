//! What became of the orders that were open when a halt or a trip closed their scope.

use crate::names::{Name, Scope};
use crate::stamp::Stamp;
use serde::{Deserialize, Serialize};

/// One client's orders in one scope that a person has closed, as the appliance follows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaltRow {
    /// The client.
    pub client: Name,
    /// What was closed.
    pub scope: Scope,
    /// Since when.
    pub since: Stamp,
    /// Orders that were cancelled or rejected since.
    pub cancelled: u64,
    /// Orders that traded in full since.
    pub filled: u64,
    /// Shares, lots or contracts that traded since, of these and of others.
    pub filled_qty: u64,
    /// Orders that may still trade.
    pub open: u64,
    /// Microseconds from the closing to the last of the venue's answers; none before the first.
    pub last_after_us: Option<u64>,
}
