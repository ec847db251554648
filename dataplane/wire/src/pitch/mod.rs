//! Cboe Multicast PITCH 2.x, depth of book of Cboe's US exchanges: sequenced units of messages, and the packets by which gaps are
//! asked for and snapshots are spun.
//!
//! Source: Cboe, "US Equities/Options Multicast PITCH Specification" versions 2.20 to 2.41, sections 2 to 6; the messages agree with
//! published captures. All integers are little-endian. A message is its length, which counts itself, then its type: what is read
//! here begins with the type. Versions append fields at the ends of messages. Long prices have four implied decimals and short
//! ones two; times are nanoseconds since the last `Time`, whose seconds count from midnight, Eastern Time.

mod define;
mod fields;
mod market;
mod orders;
mod recovery;
mod unit;

use core::fmt;

use zerocopy::IntoBytes;

use crate::error::WireError;
use crate::fields::Show;
use crate::protocol::protocol;

pub use fields::{LongPrice, MessageType, ShortPrice};
pub use market::*;
pub use orders::*;
pub use recovery::*;
pub use unit::{HEADER_LEN, Messages, Unit, UnitHeader};

protocol! {
    /// Any message, in place.
    #[expect(missing_docs, reason = "each variant is described at the struct of its name")]
    enum;
    /// Versions append fields at the end of a message and add types: an unknown type is not an error, and bytes beyond the known fields
    /// are ignored.
    ///
    /// # Errors
    /// [`WireError::Truncated`] for an empty message, [`WireError::BadLength`] for a known type that is too short.
    decode by beginning;
    Time(Time) = 0x20,
    UnitClear(UnitClear) = 0x97,
    TransactionBegin(TransactionBegin) = 0xbc,
    TransactionEnd(TransactionEnd) = 0xbd,
    AddOrderLong(AddOrderLong) = 0x21,
    AddOrderShort(AddOrderShort) = 0x22,
    AddOrderExpanded(AddOrderExpanded) = 0x2f,
    OrderExecuted(OrderExecuted) = 0x23,
    OrderExecutedAtPrice(OrderExecutedAtPrice) = 0x24,
    ReduceSizeLong(ReduceSizeLong) = 0x25,
    ReduceSizeShort(ReduceSizeShort) = 0x26,
    ModifyOrderLong(ModifyOrderLong) = 0x27,
    ModifyOrderShort(ModifyOrderShort) = 0x28,
    DeleteOrder(DeleteOrder) = 0x29,
    TradeLong(TradeLong) = 0x2a,
    TradeShort(TradeShort) = 0x2b,
    TradeExpanded(TradeExpanded) = 0x30,
    TradeBreak(TradeBreak) = 0x2c,
    EndOfSession(EndOfSession) = 0x2d,
    SymbolMapping(SymbolMapping) = 0x2e,
    TradingStatus(TradingStatus) = 0x31,
    AuctionUpdate(AuctionUpdate) = 0x95,
    AuctionSummary(AuctionSummary) = 0x96,
    OptionsAuctionUpdate(OptionsAuctionUpdate) = 0xd1,
    WidthUpdate(WidthUpdate) = 0xd2,
    RetailPriceImprovement(RetailPriceImprovement) = 0x98,
    ComplexDefinition(ComplexDefinition) = 0x9a,
    AuctionNotification(AuctionNotification) = 0xad,
    AuctionCancel(AuctionCancel) = 0xae,
    AuctionTrade(AuctionTrade) = 0xaf,
    Login(Login) = 0x01,
    LoginResponse(LoginResponse) = 0x02,
    GapRequest(GapRequest) = 0x03,
    GapResponse(GapResponse) = 0x04,
    SpinImageAvailable(SpinImageAvailable) = 0x80,
    SpinRequest(SpinRequest) = 0x81,
    SpinResponse(SpinResponse) = 0x82,
    SpinFinished(SpinFinished) = 0x83,
}

/// Codes of the `side` fields.
pub mod side {
    /// A buy order.
    pub const BUY: u8 = b'B';
    /// A sell order.
    pub const SELL: u8 = b'S';
}

/// Codes of [`TradingStatus::status`].
pub mod status {
    /// Trading.
    pub const TRADING: u8 = b'T';
    /// Halted.
    pub const HALTED: u8 = b'H';
    /// Suspended by the exchange alone.
    pub const SUSPENDED: u8 = b'S';
    /// Orders are accepted, nothing trades.
    pub const ACCEPTING: u8 = b'A';
    /// Quotes alone are taken.
    pub const QUOTE_ONLY: u8 = b'Q';
    /// An opening rotation.
    pub const ROTATION: u8 = b'R';
}
