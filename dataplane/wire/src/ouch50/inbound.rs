//! What a client sends (section 2). All may be sent again without harm.

use core::fmt;

use zerocopy::IntoBytes;
use zerocopy::byteorder::big_endian::{U32, U64};

use crate::error::WireError;
use crate::fields::Show;
use crate::protocol::{message_structs, protocol};

message_structs! {
    /// "O", Enter Order (section 2.1). An appendage follows.
    EnterOrder = b'O', 45 {
        /// The client's number of it: rises strictly over the day.
        @1 user_ref_num: U32 = u32,
        /// B buy, S sell, T sell short, E sell short exempt.
        @5 side: u8 = u8,
        /// Shares.
        @6 quantity: U32 = u32,
        /// Symbol.
        @10 symbol: [u8; 8] = [u8; 8],
        /// Price, or one that says market.
        @18 price: U64 = u64,
        /// 0 day, 3 immediate or cancel, 5 extended hours, 6 until its time, E after hours.
        @26 time_in_force: u8 = u8,
        /// Y visible, N hidden, A attributable.
        @27 display: u8 = u8,
        /// A agency, P principal, R riskless, O other.
        @28 capacity: u8 = u8,
        /// Y for an intermarket sweep order.
        @29 intermarket_sweep: u8 = u8,
        /// N continuous market, others for crosses.
        @30 cross_type: u8 = u8,
        /// The client's own text.
        @31 cl_ord_id: [u8; 14] = [u8; 14],
    }

    /// "U", Replace Order Request (section 2.2). An appendage follows.
    ReplaceOrder = b'U', 38 {
        /// The order that is replaced.
        @1 orig_user_ref_num: U32 = u32,
        /// The replacement's own number.
        @5 user_ref_num: U32 = u32,
        /// Shares of the whole chain, executed ones included.
        @9 quantity: U32 = u32,
        /// Price, or one that says market.
        @13 price: U64 = u64,
        /// As of [`EnterOrder`].
        @21 time_in_force: u8 = u8,
        /// As of [`EnterOrder`].
        @22 display: u8 = u8,
        /// As of [`EnterOrder`].
        @23 intermarket_sweep: u8 = u8,
        /// The client's own text for the replacement.
        @24 cl_ord_id: [u8; 14] = [u8; 14],
    }

    /// "X", Cancel Order Request (section 2.3).
    CancelOrder = b'X', 9 {
        /// The order.
        @1 user_ref_num: U32 = u32,
        /// The size that it shall have then, executed shares included; 0 cancels what is left.
        @5 quantity: U32 = u32,
    }

    /// "M", Modify Order Request (section 2.4): another kind of sale, or fewer shares.
    ModifyOrder = b'M', 10 {
        /// The order.
        @1 user_ref_num: U32 = u32,
        /// Its side from now on.
        @5 side: u8 = u8,
        /// As of [`CancelOrder`].
        @6 quantity: U32 = u32,
    }

    /// "C", Mass Cancel Request (section 2.5). An appendage follows.
    MassCancel = b'C', 17 {
        /// The request's own number.
        @1 user_ref_num: U32 = u32,
        /// Whose orders.
        @5 firm: [u8; 4] = [u8; 4],
        /// Of this symbol; blank for all.
        @9 symbol: [u8; 8] = [u8; 8],
    }

    /// "D", Disable Order Entry Request (section 2.6). An appendage follows.
    DisableOrderEntry = b'D', 9 {
        /// The request's own number.
        @1 user_ref_num: U32 = u32,
        /// Whose orders.
        @5 firm: [u8; 4] = [u8; 4],
    }

    /// "E", Enable Order Entry Request (section 2.7). An appendage follows.
    EnableOrderEntry = b'E', 9 {
        /// The request's own number.
        @1 user_ref_num: U32 = u32,
        /// Whose orders.
        @5 firm: [u8; 4] = [u8; 4],
    }

    /// "Q", Account Query Request (section 2.8): which `UserRefNum` is the next.
    AccountQuery = b'Q', 1 {}
}

protocol! {
    /// Any message of a client, in place.
    enum;
    /// What follows the fixed fields is for [`options`](super::options).
    ///
    /// # Errors
    /// [`WireError::Truncated`] for an empty message, [`WireError::BadLength`] for a known type that is too short.
    decode by beginning;
    /// "O".
    EnterOrder(EnterOrder) = b'O',
    /// "U".
    ReplaceOrder(ReplaceOrder) = b'U',
    /// "X".
    CancelOrder(CancelOrder) = b'X',
    /// "M".
    ModifyOrder(ModifyOrder) = b'M',
    /// "C".
    MassCancel(MassCancel) = b'C',
    /// "D".
    DisableOrderEntry(DisableOrderEntry) = b'D',
    /// "E".
    EnableOrderEntry(EnableOrderEntry) = b'E',
    /// "Q".
    AccountQuery(AccountQuery) = b'Q',
}
