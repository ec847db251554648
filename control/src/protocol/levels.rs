//! What may be held, lost and done at each level of the firm.

use crate::amount::Amount;
use crate::names::{Name, Scope};
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
    /// How it is divided among clients that share it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<ClientQuota>,
}

/// One client's part of a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientQuota {
    /// Whose it is.
    pub client: Name,
    /// What it may use.
    pub quota: Amount,
    /// What it uses, with every working order filled that adds to it; none when nobody knows.
    pub used: Option<Amount>,
}
