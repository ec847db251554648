//! What the gate would say of an order, with all that it breaks.

use crate::amount::Amount;
use serde::{Deserialize, Serialize};

/// One limit an order breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreachRow {
    /// Stable number.
    pub code: u16,
    /// Stable name.
    pub slug: String,
    /// For people, numbers filled in.
    pub sentence: String,
    /// The limit, in the unit of the code.
    pub limit: i64,
    /// What the order makes of it.
    pub value: i64,
    /// FIX tag 103.
    pub fix_ord_rej_reason: u16,
}

/// One limit and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueRow {
    /// Name of the limit.
    pub key: String,
    /// What it counts.
    pub unit: String,
    /// Its value.
    pub value: Amount,
}

/// What the gate says of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainReply {
    /// `accept`, `flag` or `reject`.
    pub decision: String,
    /// Every limit it breaks, in the order of decision.
    pub breaches: Vec<BreachRow>,
    /// Why an accepted order deserves a look.
    pub flags: Vec<String>,
    /// The instrument's tier.
    pub tier: String,
    /// The calibrated score behind the limits, six decimals.
    pub score: String,
    /// Whose limits were in force.
    pub source: String,
    /// The limits in force; empty when the order was refused before any was read.
    pub limits: Vec<ValueRow>,
}
