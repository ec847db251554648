//! What may be held, lost and done at each level of the firm.

use crate::amount::Amount;
use crate::names::Scope;
use serde::{Deserialize, Serialize};

/// One limit at one level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelRow {
    /// The key in the level's `limits` table.
    pub limit: String,
    /// `currency` (the firm's), `shares`, `messages`, `cancels` or `messages_per_trade`.
    pub unit: String,
    /// The level.
    pub scope: Scope,
    /// What it may.
    pub value: Amount,
    /// No other level that was asked for has a lower one under this key.
    pub lowest: bool,
}
