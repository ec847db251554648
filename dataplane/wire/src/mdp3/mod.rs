//! CME MDP 3.0, market data of CME Globex: SBE messages in numbered packets, every template of schema versions 5 to 13.
//!
//! Source: CME Group Client Systems Wiki, "MDP 3.0 - Simple Binary Encoding", "MDP 3.0 - SBE Technical Headers" and the message
//! schemas of those versions; sizes, levels and prices agree with published captures. All integers are little-endian.
//!
//! A schema grows at the ends of blocks: how long a block or a group's entry is stands in the message, and what this code knows
//! of it is its beginning. Prices are mantissas: of 1e-9 in templates from [`template::BOOK_46`] on, of 1e-7 before
//! ([`Message::price_unit`]).

mod blocks;
mod groups;
mod packet;
mod schema;
mod show;

pub use blocks::*;
pub use groups::{Dimension, Entries, GroupSize, GroupSize8Byte, Groups, Layout};
pub use packet::{HEADER_LEN, Message, MessageHeader, Messages, Packet, PacketHeader, SCHEMA_ID};
pub use schema::MESSAGE_TYPES;

/// Numbers of the templates that a reader tells apart. Where two have the same blocks, the lower one is that of schemas before 9.
pub mod template {
    /// Channel Reset: every book of the channel is empty.
    pub const CHANNEL_RESET: u16 = 4;
    /// Administrative Heartbeat.
    pub const HEARTBEAT: u16 = 12;
    /// Instrument Definition Future.
    pub const FUTURE_27: u16 = 27;
    /// Instrument Definition Spread.
    pub const SPREAD_29: u16 = 29;
    /// Security Status.
    pub const SECURITY_STATUS: u16 = 30;
    /// Incremental Refresh Book.
    pub const BOOK_32: u16 = 32;
    /// Incremental Refresh Daily Statistics.
    pub const DAILY_STATISTICS_33: u16 = 33;
    /// Incremental Refresh Limits Banding.
    pub const LIMITS_BANDING_34: u16 = 34;
    /// Incremental Refresh Session Statistics.
    pub const SESSION_STATISTICS_35: u16 = 35;
    /// Incremental Refresh Trade, until schema 5.
    pub const TRADE_36: u16 = 36;
    /// Incremental Refresh Volume.
    pub const VOLUME: u16 = 37;
    /// Snapshot Full Refresh.
    pub const SNAPSHOT_38: u16 = 38;
    /// Instrument Definition Option.
    pub const OPTION_41: u16 = 41;
    /// Incremental Refresh Trade Summary.
    pub const TRADE_SUMMARY_42: u16 = 42;
    /// Incremental Refresh Order Book.
    pub const ORDER_BOOK_43: u16 = 43;
    /// Snapshot Full Refresh Order Book.
    pub const SNAPSHOT_ORDERS_44: u16 = 44;
    /// Incremental Refresh Book.
    pub const BOOK_46: u16 = 46;
    /// Incremental Refresh Order Book.
    pub const ORDER_BOOK_47: u16 = 47;
    /// Incremental Refresh Trade Summary.
    pub const TRADE_SUMMARY_48: u16 = 48;
    /// Incremental Refresh Daily Statistics.
    pub const DAILY_STATISTICS_49: u16 = 49;
    /// Incremental Refresh Limits Banding.
    pub const LIMITS_BANDING_50: u16 = 50;
    /// Incremental Refresh Session Statistics.
    pub const SESSION_STATISTICS_51: u16 = 51;
    /// Snapshot Full Refresh.
    pub const SNAPSHOT_52: u16 = 52;
    /// Snapshot Full Refresh Order Book.
    pub const SNAPSHOT_ORDERS_53: u16 = 53;
    /// Instrument Definition Future.
    pub const FUTURE_54: u16 = 54;
    /// Instrument Definition Option.
    pub const OPTION_55: u16 = 55;
    /// Instrument Definition Spread.
    pub const SPREAD_56: u16 = 56;
    /// Instrument Definition Fixed Income.
    pub const FIXED_INCOME_57: u16 = 57;
    /// Instrument Definition Repo.
    pub const REPO_58: u16 = 58;
    /// Instrument Definition FX.
    pub const FX_63: u16 = 63;
    /// Incremental Refresh Book, sizes of 64 bits.
    pub const BOOK_LONG_64: u16 = 64;
    /// Incremental Refresh Trade Summary, sizes of 64 bits.
    pub const TRADE_SUMMARY_LONG_65: u16 = 65;
    /// Incremental Refresh Volume, sizes of 64 bits.
    pub const VOLUME_LONG_66: u16 = 66;
    /// Incremental Refresh Session Statistics, sizes of 64 bits.
    pub const SESSION_STATISTICS_LONG_67: u16 = 67;
    /// Snapshot Full Refresh, sizes of 64 bits.
    pub const SNAPSHOT_LONG_69: u16 = 69;
}

/// Codes of `update_action` (MDUpdateAction, tag 279) and of `order_update_action` (tag 37708, the first three).
pub mod action {
    /// A new level or order.
    pub const NEW: u8 = 0;
    /// The level or order has other values.
    pub const CHANGE: u8 = 1;
    /// It is gone.
    pub const DELETE: u8 = 2;
    /// Every level of the side is gone.
    pub const DELETE_THRU: u8 = 3;
    /// Levels of the side are gone: from this one down or up to this one, which readers of the schema disagree on.
    pub const DELETE_FROM: u8 = 4;
    /// The level is replaced, price and all.
    pub const OVERLAY: u8 = 5;
}

/// Codes of `entry_type` (MDEntryType, tag 269) that books are made of.
pub mod entry_type {
    /// A bid.
    pub const BID: u8 = b'0';
    /// An offer.
    pub const OFFER: u8 = b'1';
    /// A bid implied from other instruments.
    pub const IMPLIED_BID: u8 = b'E';
    /// An offer implied from other instruments.
    pub const IMPLIED_OFFER: u8 = b'F';
    /// The book is empty.
    pub const BOOK_RESET: u8 = b'J';
    /// The best offer of a market of several books.
    pub const MARKET_BEST_OFFER: u8 = b'w';
    /// The best bid of a market of several books.
    pub const MARKET_BEST_BID: u8 = b'x';
}

/// Bit of `match_event_indicator` (tag 5799): this is the last message of the event, and the books are whole.
pub const END_OF_EVENT: u8 = 0x80;

/// Codes of `trading_status` (SecurityTradingStatus, tag 326; MDSecurityTradingStatus, tag 1682).
pub mod status {
    /// Halted.
    pub const HALTED: u8 = 2;
    /// Closed.
    pub const CLOSE: u8 = 4;
    /// New price indication: nothing matches.
    pub const NEW_PRICE_INDICATION: u8 = 15;
    /// Trading.
    pub const READY_TO_TRADE: u8 = 17;
    /// Not available for trading.
    pub const NOT_AVAILABLE: u8 = 18;
    /// Unknown or invalid.
    pub const UNKNOWN: u8 = 20;
    /// Before the opening: orders are taken, nothing matches.
    pub const PRE_OPEN: u8 = 21;
    /// Before a cross.
    pub const PRE_CROSS: u8 = 24;
    /// A cross.
    pub const CROSS: u8 = 25;
    /// After the close.
    pub const POST_CLOSE: u8 = 26;
    /// As before.
    pub const NO_CHANGE: u8 = 103;
    /// Says nothing.
    pub const NONE: u8 = 255;
}

/// Code of `aggressor_side` (tag 5797): the aggressor bought.
pub const AGGRESSOR_BUYS: u8 = 1;
/// Code of `aggressor_side` (tag 5797): the aggressor sold.
pub const AGGRESSOR_SELLS: u8 = 2;
/// Code of `security_update_action` (tag 980): the instrument is no more.
pub const DEFINITION_DELETED: u8 = b'D';

/// No price.
pub const PRICE_NULL: i64 = i64::MAX;
/// No number, of 32 bits with a sign.
pub const INT32_NULL: i32 = i32::MAX;
