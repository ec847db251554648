//! The messages that orders and trades are told by.

use core::fmt;

use zerocopy::byteorder::little_endian::{U16, U32, U64};

use super::define::messages;
use super::fields::{LongPrice, ShortPrice};
use crate::fields::{Flags, Show};

messages! {
    /// 0x20, Time: seconds that the offsets of the messages behind it count from.
    Time = 0x20, 5 {
        /// Seconds since midnight, Eastern Time.
        @1 seconds: U32 = u32,
    }

    /// 0x97, Unit Clear: every order of the unit is gone.
    UnitClear = 0x97, 5 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
    }

    /// 0xBC, Transaction Begin: the messages up to the end are one event.
    TransactionBegin = 0xbc, 5 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
    }

    /// 0xBD, Transaction End.
    TransactionEnd = 0xbd, 5 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
    }

    /// 0x21, Add Order (long): an order is displayed.
    AddOrderLong = 0x21, 33 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The order's number of the day.
        @5 order_id: U64 = u64,
        /// See [`side`](super::side).
        @13 side: u8 = u8,
        /// What it displays.
        @14 quantity: U32 = u32,
        /// The instrument, padded with spaces.
        @18 symbol: [u8; 6] = [u8; 6],
        /// Its limit.
        @24 price: LongPrice = i64,
        /// Whether it is displayed, in bit 0.
        @32 flags: Flags = u8,
    }

    /// 0x22, Add Order (short).
    AddOrderShort = 0x22, 25 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The order's number of the day.
        @5 order_id: U64 = u64,
        /// See [`side`](super::side).
        @13 side: u8 = u8,
        /// What it displays.
        @14 quantity: U16 = u16,
        /// The instrument, padded with spaces.
        @16 symbol: [u8; 6] = [u8; 6],
        /// Its limit.
        @22 price: ShortPrice = u16,
        /// Whether it is displayed, in bit 0.
        @24 flags: Flags = u8,
    }

    /// 0x2F, Add Order (expanded).
    AddOrderExpanded = 0x2f, 39 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The order's number of the day.
        @5 order_id: U64 = u64,
        /// See [`side`](super::side).
        @13 side: u8 = u8,
        /// What it displays.
        @14 quantity: U32 = u32,
        /// The instrument, padded with spaces.
        @18 symbol: [u8; 8] = [u8; 8],
        /// Its limit.
        @26 price: LongPrice = i64,
        /// Whether it is displayed, in bit 0.
        @34 flags: Flags = u8,
        /// Whose it is, where it is attributed.
        @35 participant: [u8; 4] = [u8; 4],
    }

    /// 0x23, Order Executed: at its own price.
    OrderExecuted = 0x23, 25 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The order.
        @5 order_id: U64 = u64,
        /// What traded.
        @13 executed: U32 = u32,
        /// The execution's number of the day.
        @17 execution_id: U64 = u64,
    }

    /// 0x24, Order Executed at Price/Size.
    OrderExecutedAtPrice = 0x24, 37 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The order.
        @5 order_id: U64 = u64,
        /// What traded.
        @13 executed: U32 = u32,
        /// What the order displays afterwards.
        @17 remaining: U32 = u32,
        /// The execution's number of the day.
        @21 execution_id: U64 = u64,
        /// The price it traded at.
        @29 price: LongPrice = i64,
    }

    /// 0x25, Reduce Size (long).
    ReduceSizeLong = 0x25, 17 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The order.
        @5 order_id: U64 = u64,
        /// What is cancelled.
        @13 cancelled: U32 = u32,
    }

    /// 0x26, Reduce Size (short).
    ReduceSizeShort = 0x26, 15 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The order.
        @5 order_id: U64 = u64,
        /// What is cancelled.
        @13 cancelled: U16 = u16,
    }

    /// 0x27, Modify Order (long).
    ModifyOrderLong = 0x27, 25 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The order.
        @5 order_id: U64 = u64,
        /// What it displays from now on.
        @13 quantity: U32 = u32,
        /// Its limit from now on.
        @17 price: LongPrice = i64,
    }

    /// 0x28, Modify Order (short).
    ModifyOrderShort = 0x28, 17 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The order.
        @5 order_id: U64 = u64,
        /// What it displays from now on.
        @13 quantity: U16 = u16,
        /// Its limit from now on.
        @15 price: ShortPrice = u16,
    }

    /// 0x29, Delete Order.
    DeleteOrder = 0x29, 13 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The order.
        @5 order_id: U64 = u64,
    }

    /// 0x2A, Trade (long): of an order that was not displayed.
    TradeLong = 0x2a, 40 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The order.
        @5 order_id: U64 = u64,
        /// The order's side; see [`side`](super::side).
        @13 side: u8 = u8,
        /// What traded.
        @14 quantity: U32 = u32,
        /// The instrument, padded with spaces.
        @18 symbol: [u8; 6] = [u8; 6],
        /// The price.
        @24 price: LongPrice = i64,
        /// The execution's number of the day.
        @32 execution_id: U64 = u64,
    }

    /// 0x2B, Trade (short).
    TradeShort = 0x2b, 32 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The order.
        @5 order_id: U64 = u64,
        /// The order's side; see [`side`](super::side).
        @13 side: u8 = u8,
        /// What traded.
        @14 quantity: U16 = u16,
        /// The instrument, padded with spaces.
        @16 symbol: [u8; 6] = [u8; 6],
        /// The price.
        @22 price: ShortPrice = u16,
        /// The execution's number of the day.
        @24 execution_id: U64 = u64,
    }

    /// 0x30, Trade (expanded).
    TradeExpanded = 0x30, 42 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The order.
        @5 order_id: U64 = u64,
        /// The order's side; see [`side`](super::side).
        @13 side: u8 = u8,
        /// What traded.
        @14 quantity: U32 = u32,
        /// The instrument, padded with spaces.
        @18 symbol: [u8; 8] = [u8; 8],
        /// The price.
        @26 price: LongPrice = i64,
        /// The execution's number of the day.
        @34 execution_id: U64 = u64,
    }

    /// 0x2C, Trade Break: an execution never was.
    TradeBreak = 0x2c, 13 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The execution.
        @5 execution_id: U64 = u64,
    }
}
