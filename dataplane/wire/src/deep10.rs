//! IEX DEEP 1.0, aggregated depth of book and last sale, all message types, both directions.
//!
//! Source: IEX DEEP Specification 1.08; its sections are named after the messages. Prices are signed integers with four
//! implied decimals, times are nanoseconds since 1970 in UTC, text is padded with spaces on the right, all integers are
//! little-endian. One-byte fields are ASCII codes as sent; [`event`], [`status`] and [`flags`] name those the book
//! depends on.

use core::fmt;

use zerocopy::IntoBytes;
use zerocopy::byteorder::little_endian::{U32, U64};

use crate::error::WireError;
use crate::fields::{Flags, Show, SignedPrice4, UnixTimestamp};
use crate::iex::iex_protocol;
use crate::protocol::message_structs;

/// Codes of [`SystemEvent::event`] ("System Event Message").
pub mod event {
    /// Start of messages: the session's first message.
    pub const START_OF_MESSAGES: u8 = b'O';
    /// Start of system hours: orders are accepted.
    pub const START_OF_SYSTEM_HOURS: u8 = b'S';
    /// Start of regular market hours.
    pub const START_OF_MARKET_HOURS: u8 = b'R';
    /// End of regular market hours.
    pub const END_OF_MARKET_HOURS: u8 = b'M';
    /// End of system hours: no orders are accepted any more.
    pub const END_OF_SYSTEM_HOURS: u8 = b'E';
    /// End of messages: the session's last message.
    pub const END_OF_MESSAGES: u8 = b'C';
}

/// Codes of [`TradingStatus::status`] ("Trading Status Message").
pub mod status {
    /// Halted on all markets.
    pub const HALTED: u8 = b'H';
    /// A halt released into an order acceptance period.
    pub const ORDER_ACCEPTANCE: u8 = b'O';
    /// Paused, orders accepted.
    pub const PAUSED: u8 = b'P';
    /// Trading.
    pub const TRADING: u8 = b'T';
}

/// Bits of the flag fields ("Appendix A: Flags").
pub mod flags {
    /// [`super::PriceLevelUpdate::event_flags`]: the book is whole again, this was the event's last update.
    pub const EVENT_COMPLETE: u8 = 0x01;
    /// [`super::SecurityDirectory::flags`]: a test security.
    pub const TEST_SECURITY: u8 = 0x80;
    /// [`super::SecurityDirectory::flags`]: an exchange-traded product.
    pub const ETP: u8 = 0x20;
    /// [`super::TradeReport::sale_conditions`]: outside regular market hours.
    pub const EXTENDED_HOURS: u8 = 0x40;
    /// [`super::TradeReport::sale_conditions`]: less than a round lot.
    pub const ODD_LOT: u8 = 0x20;
    /// [`super::TradeReport::sale_conditions`]: an auction's single price.
    pub const SINGLE_PRICE_CROSS: u8 = 0x08;
}

message_structs! {
    /// "S", System Event Message: the market or the feed enters another phase.
    SystemEvent = b'S', 10 {
        /// Which phase; see [`event`].
        @1 event: u8 = u8,
        /// When it happened.
        @2 timestamp: UnixTimestamp = u64,
    }

    /// "D", Security Directory Message: an IEX-listed security and its properties.
    SecurityDirectory = b'D', 31 {
        /// See [`flags`].
        @1 flags: Flags = u8,
        /// When it was set.
        @2 timestamp: UnixTimestamp = u64,
        /// Symbol.
        @10 symbol: [u8; 8] = [u8; 8],
        /// Shares in a round lot.
        @18 round_lot_size: U32 = u32,
        /// Previous official closing price, adjusted for corporate actions.
        @22 adjusted_poc_price: SignedPrice4 = i64,
        /// Tier of the limit-up limit-down plan: 0 none, 1, 2.
        @30 luld_tier: u8 = u8,
    }

    /// "H", Trading Status Message: a security is halted, paused or released.
    TradingStatus = b'H', 22 {
        /// The status it has now; see [`status`].
        @1 status: u8 = u8,
        /// When it changed.
        @2 timestamp: UnixTimestamp = u64,
        /// Symbol.
        @10 symbol: [u8; 8] = [u8; 8],
        /// Reason code, padded with spaces.
        @18 reason: [u8; 4] = [u8; 4],
    }

    /// "I", Retail Liquidity Indicator Message.
    RetailLiquidity = b'I', 18 {
        /// Where retail liquidity is to be had: A buy, B sell, C both, space none.
        @1 indicator: u8 = u8,
        /// When it changed.
        @2 timestamp: UnixTimestamp = u64,
        /// Symbol.
        @10 symbol: [u8; 8] = [u8; 8],
    }

    /// "O", Operational Halt Status Message: IEX alone stopped trading a security.
    OperationalHalt = b'O', 18 {
        /// O halted, N not halted.
        @1 status: u8 = u8,
        /// When it changed.
        @2 timestamp: UnixTimestamp = u64,
        /// Symbol.
        @10 symbol: [u8; 8] = [u8; 8],
    }

    /// "P", Short Sale Price Test Status Message.
    ShortSalePriceTest = b'P', 19 {
        /// 0 no restriction, 1 in effect.
        @1 status: u8 = u8,
        /// When it changed.
        @2 timestamp: UnixTimestamp = u64,
        /// Symbol.
        @10 symbol: [u8; 8] = [u8; 8],
        /// Why: space, A activated, C continued, D deactivated, N not available.
        @18 detail: u8 = u8,
    }

    /// "E", Security Event Message: a security's opening or closing process is complete.
    SecurityEvent = b'E', 18 {
        /// O opening complete, C closing complete.
        @1 event: u8 = u8,
        /// When it happened.
        @2 timestamp: UnixTimestamp = u64,
        /// Symbol.
        @10 symbol: [u8; 8] = [u8; 8],
    }

    /// "8" (buy side) and "5" (sell side), Price Level Update Message: the shares displayed at a price are now `size`.
    ///
    /// [`PriceLevelUpdate::new`] makes a buy-side update; [`PriceLevelUpdate::sell`] the other.
    PriceLevelUpdate = b'8', 30 {
        /// Whether more updates of the same event follow; see [`flags::EVENT_COMPLETE`].
        @1 event_flags: Flags = u8,
        /// When it happened.
        @2 timestamp: UnixTimestamp = u64,
        /// Symbol.
        @10 symbol: [u8; 8] = [u8; 8],
        /// Shares displayed at the price from now on; zero removes the level.
        @18 size: U32 = u32,
        /// The price.
        @22 price: SignedPrice4 = i64,
    }

    /// "T", Trade Report Message: a match on IEX.
    TradeReport = b'T', 38 {
        /// See [`flags`].
        @1 sale_conditions: Flags = u8,
        /// When it happened.
        @2 timestamp: UnixTimestamp = u64,
        /// Symbol.
        @10 symbol: [u8; 8] = [u8; 8],
        /// Shares that traded.
        @18 size: U32 = u32,
        /// The price of the trade.
        @22 price: SignedPrice4 = i64,
        /// The trade's number for the day.
        @30 trade_id: U64 = u64,
    }

    /// "X", Official Price Message: the official opening or closing price of an IEX-listed security.
    OfficialPrice = b'X', 26 {
        /// Q opening, M closing.
        @1 price_type: u8 = u8,
        /// When it was set.
        @2 timestamp: UnixTimestamp = u64,
        /// Symbol.
        @10 symbol: [u8; 8] = [u8; 8],
        /// The official price.
        @18 price: SignedPrice4 = i64,
    }

    /// "B", Trade Break Message: a trade reported earlier is void; the book does not change.
    TradeBreak = b'B', 38 {
        /// The sale conditions of the broken trade.
        @1 sale_conditions: Flags = u8,
        /// When it was broken.
        @2 timestamp: UnixTimestamp = u64,
        /// Symbol.
        @10 symbol: [u8; 8] = [u8; 8],
        /// Shares of the broken trade.
        @18 size: U32 = u32,
        /// Price of the broken trade.
        @22 price: SignedPrice4 = i64,
        /// Number of the broken trade.
        @30 trade_id: U64 = u64,
    }

    /// "A", Auction Information Message: the state of a coming auction in an IEX-listed security.
    AuctionInformation = b'A', 80 {
        /// O opening, C closing, I initial offering, H halt, V volatility.
        @1 auction_type: u8 = u8,
        /// When it was computed.
        @2 timestamp: UnixTimestamp = u64,
        /// Symbol.
        @10 symbol: [u8; 8] = [u8; 8],
        /// Shares that would match at the reference price.
        @18 paired_shares: U32 = u32,
        /// The price the imbalance is computed at.
        @22 reference_price: SignedPrice4 = i64,
        /// Clearing price of auction and continuous orders.
        @30 indicative_clearing_price: SignedPrice4 = i64,
        /// Shares that would not match at the reference price.
        @38 imbalance_shares: U32 = u32,
        /// B buy, S sell, N none.
        @42 imbalance_side: u8 = u8,
        /// How many times the auction was extended.
        @43 extension_number: u8 = u8,
        /// When the auction is to happen, in seconds since 1970.
        @44 scheduled_auction_time_s: U32 = u32,
        /// Clearing price of auction orders alone.
        @48 auction_book_clearing_price: SignedPrice4 = i64,
        /// The price the collar is built on.
        @56 collar_reference_price: SignedPrice4 = i64,
        /// Lower end of the collar.
        @64 lower_auction_collar: SignedPrice4 = i64,
        /// Upper end of the collar.
        @72 upper_auction_collar: SignedPrice4 = i64,
    }
}

impl PriceLevelUpdate {
    /// The type of a sell-side update.
    pub const TYPE_SELL: u8 = b'5';

    /// A sell-side update; the arguments of [`PriceLevelUpdate::new`].
    #[inline]
    #[must_use]
    pub fn sell(event_flags: u8, timestamp: u64, symbol: [u8; 8], size: u32, price: i64) -> Self {
        Self { message_type: Self::TYPE_SELL, ..Self::new(event_flags, timestamp, symbol, size, price) }
    }

    /// Whether the book is whole after this update; until then it may look crossed.
    #[inline]
    #[must_use]
    pub const fn is_event_complete(&self) -> bool {
        self.event_flags.0 & flags::EVENT_COMPLETE != 0
    }
}

iex_protocol! {
    "DEEP 1.0",
    /// "S".
    SystemEvent(SystemEvent) = b'S',
    /// "D".
    SecurityDirectory(SecurityDirectory) = b'D',
    /// "H".
    TradingStatus(TradingStatus) = b'H',
    /// "I".
    RetailLiquidity(RetailLiquidity) = b'I',
    /// "O".
    OperationalHalt(OperationalHalt) = b'O',
    /// "P".
    ShortSalePriceTest(ShortSalePriceTest) = b'P',
    /// "E".
    SecurityEvent(SecurityEvent) = b'E',
    /// "8", the buy side.
    PriceLevelBuy(PriceLevelUpdate) = b'8',
    /// "5", the sell side.
    PriceLevelSell(PriceLevelUpdate) = b'5',
    /// "T".
    TradeReport(TradeReport) = b'T',
    /// "X".
    OfficialPrice(OfficialPrice) = b'X',
    /// "B".
    TradeBreak(TradeBreak) = b'B',
    /// "A".
    AuctionInformation(AuctionInformation) = b'A',
}
