//! What order processes hold and have working, as the daemon follows them, and how they are connected.

use super::request::{OrderSide, Price};
use crate::names::{Name, SymbolName};
use crate::stamp::Stamp;
use serde::{Deserialize, Serialize};

/// Rows, as many as an answer may hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing<T> {
    /// In order of client, then strategy and instrument, or order id.
    pub rows: Vec<T>,
    /// How many more there are: a filter shows them.
    pub more: u64,
}

/// What a strategy of a client's holds and has working in an instrument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionRow {
    /// The client.
    pub client: Name,
    /// The strategy.
    pub strategy: Name,
    /// The account; none where the client has several, since a strategy's position is not kept by account.
    pub account: Option<Name>,
    /// The instrument.
    pub symbol: SymbolName,
    /// Filled; negative is short. In shares, lots or contracts, as everything below.
    pub position: i64,
    /// What working buys can still buy.
    pub working_buy: u64,
    /// What working sells can still sell.
    pub working_sell: u64,
    /// The position with every working buy filled and no sell.
    pub worst_long: i64,
    /// The position with every working sell filled and no buy.
    pub worst_short: i64,
    /// Whether the books of gate and venue may differ: only reducing orders pass until the position is set.
    pub in_doubt: bool,
}

/// One open order of a client's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// The client.
    pub client: Name,
    /// The client order id.
    pub id: u64,
    /// The strategy.
    pub strategy: Name,
    /// The account.
    pub account: Name,
    /// The instrument.
    pub symbol: SymbolName,
    /// Which way.
    pub side: OrderSide,
    /// What can still trade, in shares, lots or contracts.
    pub leaves: u32,
    /// The price it was judged at.
    pub px: Price,
    /// When it was let out; none where the books begin after it.
    pub since: Option<Stamp>,
    /// The id of a replacement that the venue has not answered.
    pub replacement: Option<u64>,
}

fn enforce() -> String {
    "enforce".to_owned()
}

/// How one client's order process is connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// The client.
    pub client: Name,
    /// What it is: `process`.
    pub kind: String,
    /// `attached`; `orphaned`: it runs, attached to a daemon before this one; `away`; or `unreadable`: its books cannot be read.
    pub state: String,
    /// The process that is attached.
    pub pid: Option<i32>,
    /// Whose it is; empty when none is.
    pub user: String,
    /// Since when.
    pub since: Option<Stamp>,
    /// Records that wait in its ring.
    pub ring_waiting: u64,
    /// Records that its ring has room for.
    pub ring_records: u64,
    /// Orders that are open.
    pub open_orders: u64,
    /// Orders since the daemon's start that were let out.
    pub accepted: u64,
    /// Of those, orders that somebody should look at, which are not among `accepted`.
    pub flagged: u64,
    /// Orders that were refused.
    pub rejected: u64,
    /// Records that found the ring full.
    pub lost: u64,
    /// Records that were none.
    pub damaged: u64,
    /// Refused orders that are in no log.
    pub unlogged: u64,
    /// Whether any of its positions is in doubt, or one that it may have yet.
    pub in_doubt: bool,
    /// `enforce`, or `audit`: orders that break a limit leave, and are said; `enforce` from a daemon that does not say.
    #[serde(default = "enforce")]
    pub mode: String,
    /// Of the flagged, orders that would have been refused but for audit mode.
    #[serde(default)]
    pub would_reject: u64,
    /// Orders that were let through near a limit (`limits.warn_at`).
    #[serde(default)]
    pub near_limit: u64,
}

impl SessionRow {
    /// Whether it is in audit mode.
    pub(crate) fn audits(&self) -> bool {
        self.mode == "audit"
    }
}
