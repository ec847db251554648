//! What a client sends. All may be sent again without harm.

use core::fmt;

use zerocopy::IntoBytes;
use zerocopy::byteorder::big_endian::U32;

use crate::error::WireError;
use crate::fields::{Price4, Show};
use crate::protocol::{message_structs, protocol};

message_structs! {
    /// "O", Enter Order.
    EnterOrder = b'O', 49 {
        /// The client's name of it, unique for the day.
        @1 token: [u8; 14] = [u8; 14],
        /// B buy, S sell, T sell short, E sell short exempt.
        @15 side: u8 = u8,
        /// Shares.
        @16 shares: U32 = u32,
        /// Symbol.
        @20 stock: [u8; 8] = [u8; 8],
        /// Price, or one that says market.
        @28 price: Price4 = u32,
        /// Seconds to live; [`IMMEDIATE`](super::IMMEDIATE) and numbers for hours have meanings of their own.
        @32 time_in_force: U32 = u32,
        /// Whose order; blank for the port's default.
        @36 firm: [u8; 4] = [u8; 4],
        /// How it is displayed; pegs among it (M, W, m, n).
        @40 display: u8 = u8,
        /// A agency, P principal, R riskless, O other.
        @41 capacity: u8 = u8,
        /// Y or y for an intermarket sweep order.
        @42 intermarket_sweep: u8 = u8,
        /// Shares that must trade at least.
        @43 minimum_quantity: U32 = u32,
        /// N continuous market, others for crosses.
        @47 cross_type: u8 = u8,
        /// R retail, N not, blank for the port's default.
        @48 customer_type: u8 = u8,
    }

    /// "U", Replace Order.
    ReplaceOrder = b'U', 47 {
        /// The order that is replaced.
        @1 existing_token: [u8; 14] = [u8; 14],
        /// The replacement's own name.
        @15 replacement_token: [u8; 14] = [u8; 14],
        /// Shares of the whole chain, executed ones included.
        @29 shares: U32 = u32,
        /// Price, or one that says market.
        @33 price: Price4 = u32,
        /// As of [`EnterOrder`].
        @37 time_in_force: U32 = u32,
        /// As of [`EnterOrder`].
        @41 display: u8 = u8,
        /// As of [`EnterOrder`].
        @42 intermarket_sweep: u8 = u8,
        /// As of [`EnterOrder`].
        @43 minimum_quantity: U32 = u32,
    }

    /// "X", Cancel Order.
    CancelOrder = b'X', 19 {
        /// The order.
        @1 token: [u8; 14] = [u8; 14],
        /// The size that it shall have then, executed shares included; 0 cancels what is left.
        @15 shares: U32 = u32,
    }

    /// "M", Modify Order: another kind of sale, or fewer shares.
    ModifyOrder = b'M', 20 {
        /// The order.
        @1 token: [u8; 14] = [u8; 14],
        /// Its side from now on.
        @15 side: u8 = u8,
        /// As of [`CancelOrder`].
        @16 shares: U32 = u32,
    }

    /// "N", Trade Now: a resting order takes liquidity.
    TradeNow = b'N', 15 {
        /// The order.
        @1 token: [u8; 14] = [u8; 14],
    }
}

protocol! {
    /// Any message of a client, in place.
    enum;
    /// A known type has exactly the length of the specification.
    ///
    /// # Errors
    /// [`WireError::Truncated`] for an empty message, [`WireError::BadLength`] for a known type of another length.
    decode by exactly;
    /// "O".
    EnterOrder(EnterOrder) = b'O',
    /// "U".
    ReplaceOrder(ReplaceOrder) = b'U',
    /// "X".
    CancelOrder(CancelOrder) = b'X',
    /// "M".
    ModifyOrder(ModifyOrder) = b'M',
    /// "N".
    TradeNow(TradeNow) = b'N',
}
