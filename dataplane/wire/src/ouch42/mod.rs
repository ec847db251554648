//! NASDAQ OUCH 4.2, order entry, both directions.
//!
//! Source: NASDAQ, "O*U*C*H Version 4.2", through two transcriptions that agree on letters, order and sizes: the Open Markets
//! Initiative's structs of 2019-07-08 and its dissector; the letters of reasons also as the dissector of Wireshark has them.
//! Numbers are big-endian, prices have four implied decimals, timestamps are nanoseconds since midnight, Eastern Time. An order is
//! named by its token, fourteen characters that the client chooses, unique for the day. Every message has one length.

pub mod inbound;
pub mod outbound;

pub use crate::ouch_side::side;

/// The price that marks a market order ("Data Types").
pub const MARKET_PRICE: u32 = 2_000_000_000;

/// The price that marks a market order for a cross ("Data Types").
pub const MARKET_PRICE_CROSS: u32 = 0x7FFF_FFFF;

/// Shares of an order at most.
pub const SHARES_MAX: u32 = 999_999;

/// [`inbound::EnterOrder::time_in_force`] of an order that does not rest.
pub const IMMEDIATE: u32 = 0;

/// The same of an order that works while the market is open.
pub const MARKET_HOURS: u32 = 99_998;

/// Reasons of [`outbound::Rejected`]: those with which a risk check refuses.
pub mod reason {
    /// Halted.
    pub const HALTED: u8 = b'H';
    /// Shares exceed the configured threshold.
    pub const SHARES: u8 = b'Z';
    /// Invalid stock.
    pub const INVALID_STOCK: u8 = b'S';
    /// The venue is closed.
    pub const CLOSED: u8 = b'C';
    /// Firm not authorized.
    pub const NOT_AUTHORIZED: u8 = b'L';
    /// Invalid price.
    pub const INVALID_PRICE: u8 = b'X';
    /// Other.
    pub const OTHER: u8 = b'O';
    /// Restricted symbol list.
    pub const RESTRICTED: u8 = b'c';
    /// Shares limit exceeded.
    pub const SHARES_LIMIT: u8 = b'm';
    /// Dollar value limit exceeded.
    pub const VALUE_LIMIT: u8 = b'n';
}
