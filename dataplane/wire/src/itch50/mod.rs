//! NASDAQ TotalView-ITCH 5.0, all 23 message types, both directions.
//!
//! Section numbers are those of the TotalView-ITCH 5.0 specification. Prices are integers with four (or, for circuit
//! breaker levels, eight) implied decimals; timestamps are nanoseconds since midnight, Eastern Time; text is padded with
//! spaces on the right. One-byte fields are ASCII codes as sent: [`event`], [`state`] and [`side`] name those the book
//! depends on.

mod define;
mod header;
mod messages;

pub use header::Header;
pub use messages::*;

/// Codes of [`SystemEvent::event_code`] (section 1.1).
pub mod event {
    /// Start of messages: the day's first message.
    pub const START_OF_MESSAGES: u8 = b'O';
    /// Start of system hours: orders are accepted.
    pub const START_OF_SYSTEM_HOURS: u8 = b'S';
    /// Start of market hours.
    pub const START_OF_MARKET_HOURS: u8 = b'Q';
    /// End of market hours.
    pub const END_OF_MARKET_HOURS: u8 = b'M';
    /// End of system hours: no orders are accepted any more.
    pub const END_OF_SYSTEM_HOURS: u8 = b'E';
    /// End of messages: the day's last message.
    pub const END_OF_MESSAGES: u8 = b'C';
}

/// Codes of [`StockTradingAction::trading_state`] (section 1.2.2).
pub mod state {
    /// Halted on all markets.
    pub const HALTED: u8 = b'H';
    /// Paused on all markets.
    pub const PAUSED: u8 = b'P';
    /// Quotation only.
    pub const QUOTATION_ONLY: u8 = b'Q';
    /// Trading on NASDAQ.
    pub const TRADING: u8 = b'T';
}

/// Codes of the `side` fields (section 1.3).
pub mod side {
    /// A buy order.
    pub const BUY: u8 = b'B';
    /// A sell order.
    pub const SELL: u8 = b'S';
}
