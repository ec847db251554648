//! What crosses the boundary: numbers, and structs of fixed size in which every byte pattern is a value. Read by cbindgen, so
//! that comments here are the header's.

/// Version of this interface. It changes with the size, the place or the meaning of anything that is there.
pub const PORTCULLIS_GATE_ABI_VERSION: u32 = 2;
/// Grows with what is added under the same version: functions, and numbers of statuses that are not negative, reasons, units, tiers,
/// sources, flags and settlements. A program passes over the ones that it does not know; an order may be sent on
/// PORTCULLIS_GATE_OK alone, whatever they say. 1: PORTCULLIS_GATE_REDUCED_TO. 2: PORTCULLIS_GATE_FLAG_AUDIT, and would_reject in the
/// room that a verdict had.
pub const PORTCULLIS_GATE_ABI_MINOR: u32 = 2;

/// Status: done; of an order, it may be sent.
pub const PORTCULLIS_GATE_OK: i32 = 0;
/// Status: the gate refuses the order, which must not be sent. The verdict says why.
pub const PORTCULLIS_GATE_REFUSED: i32 = 1;
/// Status: done, but there is more than fits the buffer; the count says how much.
pub const PORTCULLIS_GATE_TRUNCATED: i32 = 2;
/// Status: done here, but the appliance could not be told, since it has not read for too long: its books are in doubt until the
/// position is set. See portcullis_gate_lost.
pub const PORTCULLIS_GATE_UNTOLD: i32 = 3;
/// Status: an argument is null, misaligned, or not a value of its kind. Nothing was done.
pub const PORTCULLIS_GATE_INVALID: i32 = -1;
/// Status: no such instrument, strategy, account or reason. Nothing was done.
pub const PORTCULLIS_GATE_NOT_FOUND: i32 = -2;
/// Status: the program was built for another version of this interface. Nothing was done.
pub const PORTCULLIS_GATE_ABI_MISMATCH: i32 = -3;
/// Status: the appliance cannot be attached to.
pub const PORTCULLIS_GATE_NOT_ATTACHED: i32 = -4;
/// Status: the gate failed inside, this time or before, and takes no more; the only one after which what was asked may have been done
/// or not. Keep the venue's answers, list the open orders, cancel them at the venue, detach and attach again: what is open then is
/// what the appliance knows of. Settle the answers that were kept. Also what a process gets that is forked from the one
/// that attached, and what a library gives that was built without unwinding: then nothing was done.
pub const PORTCULLIS_GATE_FAILED: i32 = -5;

/// The price of a market order.
pub const PORTCULLIS_GATE_NO_PRICE: i64 = 9_223_372_036_854_775_807;

/// Side: buys.
pub const PORTCULLIS_GATE_BUY: u8 = 1;
/// Side: sells.
pub const PORTCULLIS_GATE_SELL: u8 = 2;

/// Order type: at its price or better.
pub const PORTCULLIS_GATE_LIMIT: u8 = 1;
/// Order type: at any price; its price is PORTCULLIS_GATE_NO_PRICE.
pub const PORTCULLIS_GATE_MARKET: u8 = 2;

/// Time in force: until the session ends.
pub const PORTCULLIS_GATE_DAY: u8 = 1;
/// Time in force: what can trade at once trades, the rest is cancelled.
pub const PORTCULLIS_GATE_IOC: u8 = 2;
/// Time in force: until cancelled.
pub const PORTCULLIS_GATE_GTC: u8 = 3;

/// Decision: the order may be sent.
pub const PORTCULLIS_GATE_ACCEPT: u8 = 1;
/// Decision: it may be sent, and somebody should look; see the flags.
pub const PORTCULLIS_GATE_FLAG: u8 = 2;
/// Decision: it must not be sent.
pub const PORTCULLIS_GATE_REJECT: u8 = 3;

/// Flag: the instrument's tier is Elevated or above.
pub const PORTCULLIS_GATE_FLAG_TIER: u8 = 1;
/// Flag: quantity, value or position is above the configured share of its limit.
pub const PORTCULLIS_GATE_FLAG_NEAR_LIMIT: u8 = 2;
/// Flag: a market order for more than the far touch shows.
pub const PORTCULLIS_GATE_FLAG_WALKS_BOOK: u8 = 4;
/// Flag: the client is in audit mode, and the order breaks a limit. Where it may be sent all the same, would_reject says which, with its
/// limit and value.
pub const PORTCULLIS_GATE_FLAG_AUDIT: u8 = 8;

/// Event: the venue took the order.
pub const PORTCULLIS_GATE_ACCEPTED: u8 = 1;
/// Event: `quantity` more of it traded, at a venue that does not number its executions.
pub const PORTCULLIS_GATE_FILLED: u8 = 2;
/// Event: `quantity` more of it traded, in `execution`, which counts once however often it is said. The venue says no price: it counts
/// at the worst at which the order may have traded.
pub const PORTCULLIS_GATE_EXECUTED: u8 = 3;
/// Event: the venue took a trade of `quantity` back: that of `execution`, which is undone as it counted; 0 where the venue does not say
/// which, and then nobody knows what was lost today.
pub const PORTCULLIS_GATE_BUSTED: u8 = 4;
/// Event: the venue took `quantity` off the order. Told twice, it is taken off twice: who can say what the order has left says
/// PORTCULLIS_GATE_REDUCED_TO.
pub const PORTCULLIS_GATE_REDUCED: u8 = 5;
/// Event: the rest of the order is gone.
pub const PORTCULLIS_GATE_CANCELLED: u8 = 6;
/// Event: the venue refused the order, or it could not be sent.
pub const PORTCULLIS_GATE_REJECTED: u8 = 7;
/// Event: the venue made the replacement, whose id this is.
pub const PORTCULLIS_GATE_REPLACED: u8 = 8;
/// Event: the venue refused the replacement, whose id this is.
pub const PORTCULLIS_GATE_REPLACE_REJECTED: u8 = 9;
/// Event: as PORTCULLIS_GATE_EXECUTED, at `price`, which is what the day's loss is counted at.
pub const PORTCULLIS_GATE_EXECUTED_AT: u8 = 10;
/// Event: the venue made the order smaller; `quantity` is its whole quantity now, what was executed included (CumQty and LeavesQty of
/// FIX, together). It means the same however often it is told, before or after trades.
pub const PORTCULLIS_GATE_REDUCED_TO: u8 = 12;

/// Settlement: the order works on.
pub const PORTCULLIS_GATE_WORKING: u8 = 1;
/// Settlement: the order is done and counts no more.
pub const PORTCULLIS_GATE_DONE: u8 = 2;
/// Settlement: a fill of an order already done; the position moved.
pub const PORTCULLIS_GATE_LATE_FILL: u8 = 3;
/// Settlement: nothing changed; the order was done, or this cannot happen to it.
pub const PORTCULLIS_GATE_IGNORED: u8 = 4;
/// Settlement: an execution that was booked before; nothing changed.
pub const PORTCULLIS_GATE_REPEATED: u8 = 5;
/// Settlement: a fill for more than the order had left; the position moved by all of it and is in doubt.
pub const PORTCULLIS_GATE_OVERFILL: u8 = 6;
/// Settlement: a fill under the id of an order that has been replaced; it counts as the replacement's, and the position is in doubt.
pub const PORTCULLIS_GATE_MISNAMED: u8 = 7;
/// Settlement: a trade was taken back; the position moved by as much of it as had counted, and is in doubt.
pub const PORTCULLIS_GATE_TRADE_BUSTED: u8 = 8;
/// Settlement: no such order. When shares moved with it, every position is in doubt.
pub const PORTCULLIS_GATE_UNKNOWN_ORDER: u8 = 9;
/// Settlement: the venue says what cannot be; shares that moved count, and the position is in doubt.
pub const PORTCULLIS_GATE_CONTRADICTED: u8 = 10;

/// Tier: the model sees nothing unusual.
pub const PORTCULLIS_GATE_TIER_NORMAL: u8 = 0;
/// Tier: somebody should look.
pub const PORTCULLIS_GATE_TIER_ELEVATED: u8 = 1;
/// Tier: limits are tight.
pub const PORTCULLIS_GATE_TIER_HIGH: u8 = 2;
/// Tier: nothing passes, or what reduces a position alone.
pub const PORTCULLIS_GATE_TIER_CRITICAL: u8 = 3;

/// Whose limits held: nobody's, the order was refused before.
pub const PORTCULLIS_GATE_SOURCE_NONE: u8 = 0;
/// Whose limits held: the model's, inside the officer's.
pub const PORTCULLIS_GATE_SOURCE_DYNAMIC: u8 = 1;
/// Whose limits held: the officer's, there is no model.
pub const PORTCULLIS_GATE_SOURCE_STATIC: u8 = 2;
/// Whose limits held: the officer's, the model has published nothing.
pub const PORTCULLIS_GATE_SOURCE_STATIC_EMPTY: u8 = 3;
/// Whose limits held: the officer's, and what the model had tightened before its lease ended.
pub const PORTCULLIS_GATE_SOURCE_STATIC_LEASE: u8 = 4;

/// The largest position that can be set, either way: 2^60.
pub const PORTCULLIS_GATE_POSITION_MAX: i64 = 1_152_921_504_606_846_976;

/// Unit of a limit: the reason has no numbers.
pub const PORTCULLIS_GATE_UNIT_NONE: u8 = 0;
/// Unit of a limit: shares, lots or contracts.
pub const PORTCULLIS_GATE_UNIT_QUANTITY: u8 = 1;
/// Unit of a limit: millionths of the currency.
pub const PORTCULLIS_GATE_UNIT_MICRO_CURRENCY: u8 = 2;
/// Unit of a limit: basis points.
pub const PORTCULLIS_GATE_UNIT_BPS: u8 = 3;
/// Unit of a limit: ticks.
pub const PORTCULLIS_GATE_UNIT_TICKS: u8 = 4;
/// Unit of a limit: a price, in 1e-9 of the currency.
pub const PORTCULLIS_GATE_UNIT_PRICE: u8 = 5;
/// Unit of a limit: nanoseconds.
pub const PORTCULLIS_GATE_UNIT_NANOS: u8 = 6;
/// Unit of a limit: orders.
pub const PORTCULLIS_GATE_UNIT_ORDERS: u8 = 7;
/// Unit of a limit: orders per second.
pub const PORTCULLIS_GATE_UNIT_ORDERS_PER_SECOND: u8 = 8;
/// Unit of a limit: an index or a state's number.
pub const PORTCULLIS_GATE_UNIT_NUMBER: u8 = 9;

/// One order. A struct of zeros is none, and is refused.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Order {
    /// The client order id, unique for the day and not 0.
    pub id: u64,
    /// Price in 1e-9 of the currency; PORTCULLIS_GATE_NO_PRICE for a market order.
    pub price: i64,
    /// What portcullis_gate_instrument gave.
    pub instrument: u32,
    /// Shares, lots or contracts.
    pub quantity: u32,
    /// What portcullis_gate_strategy gave.
    pub strategy: u16,
    /// What portcullis_gate_account gave.
    pub account: u16,
    /// PORTCULLIS_GATE_BUY or PORTCULLIS_GATE_SELL.
    pub side: u8,
    /// PORTCULLIS_GATE_LIMIT or PORTCULLIS_GATE_MARKET.
    pub order_type: u8,
    /// PORTCULLIS_GATE_DAY, PORTCULLIS_GATE_IOC or PORTCULLIS_GATE_GTC.
    pub time_in_force: u8,
    /// 0.
    pub reserved: [u8; 9],
}

/// What the venue says happened to an order, or to a pending replacement of it.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Event {
    /// The order, not 0.
    pub id: u64,
    /// The venue's number of the execution, unique for the day and not 0; 0 for every event but PORTCULLIS_GATE_EXECUTED,
    /// PORTCULLIS_GATE_EXECUTED_AT and, where the venue says which, PORTCULLIS_GATE_BUSTED.
    pub execution: u64,
    /// At which price it traded, in 1e-9 of the currency; 0 for every event but PORTCULLIS_GATE_EXECUTED_AT. A trade at 0 is told by
    /// PORTCULLIS_GATE_EXECUTED, so that a price which was forgotten is no gift.
    pub price: i64,
    /// Of a trade or a reduction, not 0; 0 for any other event.
    pub quantity: u32,
    /// PORTCULLIS_GATE_ACCEPTED to PORTCULLIS_GATE_EXECUTED_AT, or PORTCULLIS_GATE_REDUCED_TO.
    pub kind: u8,
    /// 0.
    pub reserved: [u8; 3],
}

/// What the gate says of an order.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Verdict {
    /// The limit that was breached, in the reason's unit.
    pub limit: i64,
    /// What the order would have made of it.
    pub value: i64,
    /// The calibrated score behind the tier, in millionths; 0 when the model has no say.
    pub score_micros: u32,
    /// The version of the model's limits; 0 when the model has no say.
    pub version: u32,
    /// Why it was refused; 0 when it was not, or when the call failed.
    pub reason: u16,
    /// PORTCULLIS_GATE_ACCEPT, PORTCULLIS_GATE_FLAG or PORTCULLIS_GATE_REJECT, which is also what a call that failed leaves here.
    pub decision: u8,
    /// PORTCULLIS_GATE_TIER_NORMAL to PORTCULLIS_GATE_TIER_CRITICAL.
    pub tier: u8,
    /// Whose limits held: PORTCULLIS_GATE_SOURCE_NONE to PORTCULLIS_GATE_SOURCE_STATIC_LEASE.
    pub source: u8,
    /// Sum of PORTCULLIS_GATE_FLAG_ numbers.
    pub flags: u8,
    /// Why an order that may be sent would have been refused but for audit mode; else 0.
    pub would_reject: u16,
    /// Room for what may be added: says nothing yet.
    pub reserved: [u8; 8],
}

/// Proof that an order counts into every limit. To be given back with portcullis_gate_release when it could not be sent.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Reservation {
    /// The client order id; 0 is no reservation.
    pub id: u64,
    /// The gate's own.
    pub generation: u32,
    /// 1 for a replacement's.
    pub replacement: u8,
    /// 0.
    pub reserved: [u8; 3],
}

/// What a strategy holds and has working in an instrument.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Exposure {
    /// Filled; negative is short.
    pub position: i64,
    /// What working buys can still buy.
    pub working_buy: u64,
    /// What working sells can still sell.
    pub working_sell: u64,
    /// 1 when the books of gate and venue differ: only reducing orders pass until the position is set.
    pub in_doubt: u8,
    /// 0.
    pub reserved: [u8; 7],
}

/// One open order.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct OpenOrder {
    /// The client order id.
    pub id: u64,
    /// The price it was judged at, in 1e-9 of the currency.
    pub price: i64,
    /// The instrument.
    pub instrument: u32,
    /// What can still trade.
    pub leaves: u32,
    /// The strategy.
    pub strategy: u16,
    /// The account.
    pub account: u16,
    /// PORTCULLIS_GATE_BUY or PORTCULLIS_GATE_SELL.
    pub side: u8,
    /// 0.
    pub reserved: [u8; 3],
}

/// One limit that an order breaks.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Breach {
    /// The limit, in `unit`.
    pub limit: i64,
    /// What the order would have made of it.
    pub value: i64,
    /// The reason.
    pub reason: u16,
    /// PORTCULLIS_GATE_UNIT_NONE to PORTCULLIS_GATE_UNIT_NUMBER.
    pub unit: u8,
    /// 0.
    pub reserved: [u8; 5],
}

// What is laid out once is laid out for good: the other side has these numbers compiled in.
const _: () = {
    assert!(size_of::<Order>() == 40 && size_of::<Event>() == 32 && size_of::<Verdict>() == 40);
    assert!(size_of::<Reservation>() == 16 && size_of::<Exposure>() == 32);
    assert!(size_of::<OpenOrder>() == 32 && size_of::<Breach>() == 24);
};
