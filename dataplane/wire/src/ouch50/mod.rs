//! NASDAQ OUCH 5.0, order entry, both directions.
//!
//! Source: Nasdaq, "OUCH 5.0 Order Entry Specification", revision 1.04 of 2024-05-01, whose sections are cited; letters and
//! sizes agree with published captures of real sessions, and with the dissector of the Open Markets Initiative but for the
//! messages that came in 2023 (mass cancel, disable, enable, AIQ strategy), which it does not have. Numbers are big-endian,
//! prices have four implied decimals, timestamps are nanoseconds since midnight, Eastern Time.
//!
//! A message is its fixed fields and, behind them, an appendage of options ([`Options`]): a message struct holds the former, and
//! its length does not count the appendage's own length field.

pub mod inbound;
mod options;
pub mod outbound;

pub use crate::ouch_side::side;

pub use options::{OptionTag, Options, options};

/// Lowest price that is none: an order at it or above is a market order (section 1.2).
pub const MARKET_PRICE: u64 = 2_000_000_000;

/// The price that marks an order as a market order for a cross (section 1.2); also one that every version knows.
pub const MARKET_PRICE_CROSS: u64 = 0x7FFF_FFFF;

/// Shares of an order at most (section 2.1).
pub const QUANTITY_MAX: u32 = 999_999;

/// Reasons of [`outbound::Rejected`] (appendix C): those with which a risk check refuses.
pub mod reason {
    /// Quote unavailable.
    pub const QUOTE_UNAVAILABLE: u16 = 0x0001;
    /// Destination closed.
    pub const DESTINATION_CLOSED: u16 = 0x0002;
    /// Halted.
    pub const HALTED: u16 = 0x0007;
    /// Invalid side.
    pub const INVALID_SIDE: u16 = 0x0009;
    /// Processing error.
    pub const PROCESSING_ERROR: u16 = 0x000A;
    /// Firm not authorized.
    pub const FIRM_NOT_AUTHORIZED: u16 = 0x000C;
    /// Other.
    pub const OTHER: u16 = 0x000F;
    /// Pegging not allowed.
    pub const PEGGING_NOT_ALLOWED: u16 = 0x0011;
    /// Crossed market.
    pub const CROSSED_MARKET: u16 = 0x0012;
    /// Invalid quantity.
    pub const INVALID_QUANTITY: u16 = 0x0013;
    /// Replace not allowed.
    pub const REPLACE_NOT_ALLOWED: u16 = 0x0015;
    /// Invalid symbol.
    pub const INVALID_SYMBOL: u16 = 0x0017;
    /// Invalid price.
    pub const INVALID_PRICE: u16 = 0x001D;
    /// Risk: aggregate exposure exceeded.
    pub const AGGREGATE_EXPOSURE: u16 = 0x0020;
    /// Risk: market impact.
    pub const MARKET_IMPACT: u16 = 0x0021;
    /// Risk: restricted stock.
    pub const RESTRICTED_STOCK: u16 = 0x0022;
    /// Risk: fat finger.
    pub const FAT_FINGER: u16 = 0x0026;
    /// Risk: symbol message rate restriction.
    pub const SYMBOL_RATE: u16 = 0x0028;
    /// Risk: port message rate restriction.
    pub const PORT_RATE: u16 = 0x0029;
    /// Risk: duplicate message rate restriction.
    pub const DUPLICATE: u16 = 0x002A;
    /// Risk: single order notional exceeded.
    pub const ORDER_NOTIONAL: u16 = 0x0030;
    /// Risk: max quantity exceeded.
    pub const MAX_QUANTITY: u16 = 0x0031;
}
