//! What the host sends, all of it sequenced.

use core::fmt;

use zerocopy::IntoBytes;
use zerocopy::byteorder::big_endian::{U32, U64};

use crate::error::WireError;
use crate::fields::{Price4, Show};
use crate::protocol::{message_structs, protocol};

message_structs! {
    /// "S", System Event: S start of day, E end of day.
    SystemEvent = b'S', 10 {
        /// When.
        @1 timestamp: U64 = u64,
        /// Which.
        @9 event_code: u8 = u8,
    }

    /// "A", Accepted.
    Accepted = b'A', 66 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 token: [u8; 14] = [u8; 14],
        /// Side, as entered.
        @23 side: u8 = u8,
        /// Shares accepted.
        @24 shares: U32 = u32,
        /// Symbol, as entered.
        @28 stock: [u8; 8] = [u8; 8],
        /// Price accepted: as entered or better.
        @36 price: Price4 = u32,
        /// Time in force accepted.
        @40 time_in_force: U32 = u32,
        /// Whose order.
        @44 firm: [u8; 4] = [u8; 4],
        /// Display accepted.
        @48 display: u8 = u8,
        /// The venue's number of the order.
        @49 order_ref_num: U64 = u64,
        /// Capacity.
        @57 capacity: u8 = u8,
        /// As entered.
        @58 intermarket_sweep: u8 = u8,
        /// As entered.
        @59 minimum_quantity: U32 = u32,
        /// As entered.
        @63 cross_type: u8 = u8,
        /// L live, D dead: cancelled as soon as it was taken.
        @64 order_state: u8 = u8,
        /// What it did to the best bid and offer.
        @65 bbo_weight: u8 = u8,
    }

    /// "U", Replaced.
    Replaced = b'U', 80 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The replacement.
        @9 replacement_token: [u8; 14] = [u8; 14],
        /// Side.
        @23 side: u8 = u8,
        /// Shares that can still trade.
        @24 shares: U32 = u32,
        /// Symbol.
        @28 stock: [u8; 8] = [u8; 8],
        /// Price accepted.
        @36 price: Price4 = u32,
        /// Time in force accepted.
        @40 time_in_force: U32 = u32,
        /// Whose order.
        @44 firm: [u8; 4] = [u8; 4],
        /// Display accepted.
        @48 display: u8 = u8,
        /// The venue's number of the order.
        @49 order_ref_num: U64 = u64,
        /// Capacity.
        @57 capacity: u8 = u8,
        /// As entered.
        @58 intermarket_sweep: u8 = u8,
        /// As entered.
        @59 minimum_quantity: U32 = u32,
        /// As entered.
        @63 cross_type: u8 = u8,
        /// As of [`Accepted`].
        @64 order_state: u8 = u8,
        /// The order that was replaced.
        @65 previous_token: [u8; 14] = [u8; 14],
        /// What it did to the best bid and offer.
        @79 bbo_weight: u8 = u8,
    }

    /// "C", Canceled: fewer shares, perhaps none.
    Canceled = b'C', 28 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 token: [u8; 14] = [u8; 14],
        /// Shares taken off it just now.
        @23 decrement: U32 = u32,
        /// Why.
        @27 reason: u8 = u8,
    }

    /// "D", AIQ Canceled: shares taken off so that the firm does not trade with itself.
    AiqCanceled = b'D', 37 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 token: [u8; 14] = [u8; 14],
        /// Shares taken off it just now.
        @23 decrement: U32 = u32,
        /// Always Q.
        @27 reason: u8 = u8,
        /// Shares that would have traded.
        @28 quantity_prevented: U32 = u32,
        /// At which price.
        @32 execution_price: Price4 = u32,
        /// With which liquidity flag.
        @36 liquidity_flag: u8 = u8,
    }

    /// "E", Executed.
    Executed = b'E', 40 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 token: [u8; 14] = [u8; 14],
        /// Shares that traded just now.
        @23 shares: U32 = u32,
        /// At which price.
        @27 price: Price4 = u32,
        /// Liquidity flag.
        @31 liquidity_flag: u8 = u8,
        /// The trade: both sides of it have the same number.
        @32 match_number: U64 = u64,
    }

    /// "G", Executed with Reference Price.
    ExecutedWithReference = b'G', 45 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 token: [u8; 14] = [u8; 14],
        /// Shares that traded just now.
        @23 shares: U32 = u32,
        /// At which price.
        @27 price: Price4 = u32,
        /// Liquidity flag.
        @31 liquidity_flag: u8 = u8,
        /// The trade.
        @32 match_number: U64 = u64,
        /// The price referred to.
        @40 reference_price: Price4 = u32,
        /// What kind of price that is.
        @44 reference_price_type: u8 = u8,
    }

    /// "B", Broken Trade.
    BrokenTrade = b'B', 32 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 token: [u8; 14] = [u8; 14],
        /// The trade.
        @23 match_number: U64 = u64,
        /// Why: E erroneous, C consent, S supervisory, X external.
        @31 reason: u8 = u8,
    }

    /// "F", Trade Correction: another price.
    TradeCorrection = b'F', 41 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 token: [u8; 14] = [u8; 14],
        /// Shares of the trade.
        @23 shares: U32 = u32,
        /// Its price now.
        @27 price: Price4 = u32,
        /// Liquidity flag.
        @31 liquidity_flag: u8 = u8,
        /// The trade.
        @32 match_number: U64 = u64,
        /// Why.
        @40 reason: u8 = u8,
    }

    /// "J", Rejected: the order, or the replacement, whose order stays as it is.
    Rejected = b'J', 24 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order, or the replacement.
        @9 token: [u8; 14] = [u8; 14],
        /// Why; see [`reason`](super::reason).
        @23 reason: u8 = u8,
    }

    /// "P", Cancel Pending.
    CancelPending = b'P', 23 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 token: [u8; 14] = [u8; 14],
    }

    /// "I", Cancel Reject.
    CancelReject = b'I', 23 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 token: [u8; 14] = [u8; 14],
    }

    /// "T", Order Priority Update.
    PriorityUpdate = b'T', 36 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 token: [u8; 14] = [u8; 14],
        /// Its price now.
        @23 price: Price4 = u32,
        /// Its display now.
        @27 display: u8 = u8,
        /// The venue's number of it now.
        @28 order_ref_num: U64 = u64,
    }

    /// "M", Order Modified.
    Modified = b'M', 28 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 token: [u8; 14] = [u8; 14],
        /// Its side now.
        @23 side: u8 = u8,
        /// Shares that can still trade.
        @24 shares: U32 = u32,
    }

    /// "N", Trade Now: the order takes liquidity.
    TradingNow = b'N', 23 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 token: [u8; 14] = [u8; 14],
    }
}

protocol! {
    /// Any message of the host, in place.
    enum;
    /// A known type has exactly the length of the specification.
    ///
    /// # Errors
    /// [`WireError::Truncated`] for an empty message, [`WireError::BadLength`] for a known type of another length.
    decode by exactly;
    /// "S".
    SystemEvent(SystemEvent) = b'S',
    /// "A".
    Accepted(Accepted) = b'A',
    /// "U".
    Replaced(Replaced) = b'U',
    /// "C".
    Canceled(Canceled) = b'C',
    /// "D".
    AiqCanceled(AiqCanceled) = b'D',
    /// "E".
    Executed(Executed) = b'E',
    /// "G".
    ExecutedWithReference(ExecutedWithReference) = b'G',
    /// "B".
    BrokenTrade(BrokenTrade) = b'B',
    /// "F".
    TradeCorrection(TradeCorrection) = b'F',
    /// "J".
    Rejected(Rejected) = b'J',
    /// "P".
    CancelPending(CancelPending) = b'P',
    /// "I".
    CancelReject(CancelReject) = b'I',
    /// "T".
    PriorityUpdate(PriorityUpdate) = b'T',
    /// "M".
    Modified(Modified) = b'M',
    /// "N".
    TradingNow(TradingNow) = b'N',
}
