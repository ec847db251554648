//! IEX TOPS 1.6, best displayed quotes and last sale, all message types, both directions.
//!
//! Source: IEX TOPS Specification 1.66. All messages but the quote have the layout they have in DEEP 1.0.

use core::fmt;

use zerocopy::IntoBytes;
use zerocopy::byteorder::little_endian::U32;

use crate::deep10::{
    AuctionInformation, OfficialPrice, OperationalHalt, RetailLiquidity, SecurityDirectory,
    ShortSalePriceTest, SystemEvent, TradeBreak, TradeReport, TradingStatus,
};
use crate::error::WireError;
use crate::fields::{Flags, Show, SignedPrice4, UnixTimestamp};
use crate::iex::iex_protocol;
use crate::protocol::message_structs;

/// Bits of [`QuoteUpdate::flags`] ("Appendix A: Flags").
pub mod flags {
    /// The security is halted, paused or not trading on IEX.
    pub const NOT_AVAILABLE: u8 = 0x80;
    /// Outside regular market hours.
    pub const EXTENDED_HOURS: u8 = 0x40;
}

message_structs! {
    /// "Q", Quote Update Message: the best bid and offer displayed on IEX.
    QuoteUpdate = b'Q', 42 {
        /// See [`flags`].
        @1 flags: Flags = u8,
        /// When it changed.
        @2 timestamp: UnixTimestamp = u64,
        /// Symbol.
        @10 symbol: [u8; 8] = [u8; 8],
        /// Shares at the best bid; zero for none.
        @18 bid_size: U32 = u32,
        /// The best bid; zero for none.
        @22 bid_price: SignedPrice4 = i64,
        /// The best offer; zero for none.
        @30 ask_price: SignedPrice4 = i64,
        /// Shares at the best offer; zero for none.
        @38 ask_size: U32 = u32,
    }
}

iex_protocol! {
    "TOPS 1.6",
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
    /// "Q".
    QuoteUpdate(QuoteUpdate) = b'Q',
    /// "T".
    TradeReport(TradeReport) = b'T',
    /// "X".
    OfficialPrice(OfficialPrice) = b'X',
    /// "B".
    TradeBreak(TradeBreak) = b'B',
    /// "A".
    AuctionInformation(AuctionInformation) = b'A',
}
