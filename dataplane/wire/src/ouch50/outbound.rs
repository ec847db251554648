//! What the host sends (section 3), all of it sequenced.

use core::fmt;

use zerocopy::IntoBytes;
use zerocopy::byteorder::big_endian::{U16, U32, U64};

use crate::error::WireError;
use crate::fields::Show;
use crate::protocol::{message_structs, protocol};

/// [`Accepted::order_state`] and [`Replaced::order_state`] of an order that was cancelled as soon as it was taken.
pub const DEAD: u8 = b'D';

/// The same of an order that works.
pub const LIVE: u8 = b'L';

message_structs! {
    /// "S", System Event (section 3.1): S start of day, E end of day.
    SystemEvent = b'S', 10 {
        /// When.
        @1 timestamp: U64 = u64,
        /// Which.
        @9 event_code: u8 = u8,
    }

    /// "A", Order Accepted (section 3.2).
    Accepted = b'A', 62 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 user_ref_num: U32 = u32,
        /// Side, as entered.
        @13 side: u8 = u8,
        /// Shares accepted.
        @14 quantity: U32 = u32,
        /// Symbol, as entered.
        @18 symbol: [u8; 8] = [u8; 8],
        /// Price accepted: as entered or better.
        @26 price: U64 = u64,
        /// Time in force accepted.
        @34 time_in_force: u8 = u8,
        /// Display accepted.
        @35 display: u8 = u8,
        /// The venue's number of the order.
        @36 order_ref_num: U64 = u64,
        /// Capacity.
        @44 capacity: u8 = u8,
        /// As entered.
        @45 intermarket_sweep: u8 = u8,
        /// As entered.
        @46 cross_type: u8 = u8,
        /// [`LIVE`] or [`DEAD`].
        @47 order_state: u8 = u8,
        /// As entered.
        @48 cl_ord_id: [u8; 14] = [u8; 14],
    }

    /// "U", Order Replaced (section 3.3).
    Replaced = b'U', 66 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order that was replaced.
        @9 orig_user_ref_num: U32 = u32,
        /// The replacement.
        @13 user_ref_num: U32 = u32,
        /// Side.
        @17 side: u8 = u8,
        /// Shares that can still trade.
        @18 quantity: U32 = u32,
        /// Symbol.
        @22 symbol: [u8; 8] = [u8; 8],
        /// Price accepted.
        @30 price: U64 = u64,
        /// Time in force accepted.
        @38 time_in_force: u8 = u8,
        /// Display accepted.
        @39 display: u8 = u8,
        /// The venue's number of the order.
        @40 order_ref_num: U64 = u64,
        /// Capacity.
        @48 capacity: u8 = u8,
        /// As entered.
        @49 intermarket_sweep: u8 = u8,
        /// As entered.
        @50 cross_type: u8 = u8,
        /// [`LIVE`] or [`DEAD`].
        @51 order_state: u8 = u8,
        /// As entered.
        @52 cl_ord_id: [u8; 14] = [u8; 14],
    }

    /// "C", Order Canceled (section 3.4): fewer shares, perhaps none.
    Canceled = b'C', 18 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 user_ref_num: U32 = u32,
        /// Shares taken off it just now.
        @13 quantity: U32 = u32,
        /// Why (appendix B).
        @17 reason: u8 = u8,
    }

    /// "D", AIQ Canceled (section 3.5): shares taken off so that the firm does not trade with itself. The AIQ strategy follows,
    /// one byte, as of 2023.
    AiqCanceled = b'D', 31 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 user_ref_num: U32 = u32,
        /// Shares taken off it just now.
        @13 decrement: U32 = u32,
        /// Always Q.
        @17 reason: u8 = u8,
        /// Shares that would have traded.
        @18 quantity_prevented: U32 = u32,
        /// At which price.
        @22 execution_price: U64 = u64,
        /// With which liquidity flag.
        @30 liquidity_flag: u8 = u8,
    }

    /// "E", Order Executed (section 3.6).
    Executed = b'E', 34 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 user_ref_num: U32 = u32,
        /// Shares that traded just now.
        @13 quantity: U32 = u32,
        /// At which price.
        @17 price: U64 = u64,
        /// Liquidity flag (appendix D).
        @25 liquidity_flag: u8 = u8,
        /// The trade: both sides of it have the same number.
        @26 match_number: U64 = u64,
    }

    /// "B", Broken Trade (section 3.7).
    BrokenTrade = b'B', 36 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 user_ref_num: U32 = u32,
        /// The trade.
        @13 match_number: U64 = u64,
        /// Why: E erroneous, C consent, S supervisory, X external.
        @21 reason: u8 = u8,
        /// The client's text.
        @22 cl_ord_id: [u8; 14] = [u8; 14],
    }

    /// "J", Rejected (section 3.8): the order, or the replacement, whose order stays as it is.
    Rejected = b'J', 29 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order, or the replacement.
        @9 user_ref_num: U32 = u32,
        /// Why (appendix C); see [`reason`](super::reason).
        @13 reason: U16 = u16,
        /// The client's text.
        @15 cl_ord_id: [u8; 14] = [u8; 14],
    }

    /// "P", Cancel Pending (section 3.9).
    CancelPending = b'P', 13 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 user_ref_num: U32 = u32,
    }

    /// "I", Cancel Reject (section 3.10).
    CancelReject = b'I', 13 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 user_ref_num: U32 = u32,
    }

    /// "T", Order Priority Update (section 3.11).
    PriorityUpdate = b'T', 30 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 user_ref_num: U32 = u32,
        /// Its price now.
        @13 price: U64 = u64,
        /// Its display now.
        @21 display: u8 = u8,
        /// The venue's number of it now.
        @22 order_ref_num: U64 = u64,
    }

    /// "M", Order Modified (section 3.12).
    Modified = b'M', 18 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 user_ref_num: U32 = u32,
        /// Its side now.
        @13 side: u8 = u8,
        /// Shares that can still trade.
        @14 quantity: U32 = u32,
    }

    /// "R", Order Restated (section 3.13): its display was renewed, or its displayed price. An appendage says what.
    Restated = b'R', 14 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The order.
        @9 user_ref_num: U32 = u32,
        /// R display, P displayed price.
        @13 reason: u8 = u8,
    }

    /// "X", Mass Cancel Response (section 3.14).
    MassCancelResponse = b'X', 25 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The request.
        @9 user_ref_num: U32 = u32,
        /// Whose orders.
        @13 firm: [u8; 4] = [u8; 4],
        /// Of which symbol; blank for all.
        @17 symbol: [u8; 8] = [u8; 8],
    }

    /// "G", Disable Order Entry Response (section 3.15).
    DisableResponse = b'G', 17 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The request.
        @9 user_ref_num: U32 = u32,
        /// Whose orders.
        @13 firm: [u8; 4] = [u8; 4],
    }

    /// "K", Enable Order Entry Response (section 3.16).
    EnableResponse = b'K', 17 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The request.
        @9 user_ref_num: U32 = u32,
        /// Whose orders.
        @13 firm: [u8; 4] = [u8; 4],
    }

    /// "Q", Account Query Response (section 3.17).
    AccountQueryResponse = b'Q', 13 {
        /// When.
        @1 timestamp: U64 = u64,
        /// The lowest number that can be used.
        @9 next_user_ref_num: U32 = u32,
    }
}

protocol! {
    /// Any message of the host, in place.
    enum;
    /// What follows the fixed fields is for [`options`](super::options).
    ///
    /// # Errors
    /// [`WireError::Truncated`] for an empty message, [`WireError::BadLength`] for a known type that is too short.
    decode by beginning;
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
    /// "B".
    BrokenTrade(BrokenTrade) = b'B',
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
    /// "R".
    Restated(Restated) = b'R',
    /// "X".
    MassCancelResponse(MassCancelResponse) = b'X',
    /// "G".
    DisableResponse(DisableResponse) = b'G',
    /// "K".
    EnableResponse(EnableResponse) = b'K',
    /// "Q".
    AccountQueryResponse(AccountQueryResponse) = b'Q',
}
