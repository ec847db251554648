//! Between what crosses the boundary and the gate's own types. What comes in is checked value by value.

use crate::layout as c;
use core::fmt;
use gate::{
    AccountId, Decision, Exposure, Flags, LimitsSource, OpenOrder, OrderEvent, OrderIntent, OrderType,
    POSITION_MAX, Reservation, Settlement, StrategyId, TimeInForce, Unit, Verdict,
};
use types::{InstrumentId, Px, Qty, Side, Tier};

/// Why a call did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A pointer that is null or misaligned.
    Pointer(&'static str),
    /// A field that holds no value of its kind.
    Field {
        /// The field.
        name: &'static str,
        /// What it holds.
        found: i128,
        /// What it may hold.
        wanted: &'static str,
    },
    /// A text that cannot be a name.
    Text {
        /// The argument.
        name: &'static str,
        /// What it may be.
        wanted: &'static str,
    },
    /// Nothing has that name or number.
    NotFound(&'static str),
    /// The gate failed inside.
    Failed,
    /// The process is not the one that attached, but forked from it.
    Forked,
}

impl Fault {
    /// What the call returns.
    pub(crate) const fn status(self) -> i32 {
        match self {
            Self::Pointer(_) | Self::Field { .. } | Self::Text { .. } => c::PORTCULLIS_GATE_INVALID,
            Self::NotFound(_) => c::PORTCULLIS_GATE_NOT_FOUND,
            Self::Failed | Self::Forked => c::PORTCULLIS_GATE_FAILED,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pointer(name) => write!(f, "{name} is null or misaligned"),
            Self::Field { name, found, wanted } => write!(f, "{name} is {found}, wanted {wanted}"),
            Self::Text { name, wanted } => write!(f, "{name}: wanted {wanted}"),
            Self::NotFound(what) => f.write_str(what),
            Self::Failed => f.write_str(
                "the gate failed inside and takes no more: cancel what is open, detach, and attach again",
            ),
            Self::Forked => f.write_str(
                "this process was forked from the one that attached, and nothing was done: attach it as a client of its own",
            ),
        }
    }
}

const fn side(found: u8) -> Option<Side> {
    match found {
        c::PORTCULLIS_GATE_BUY => Some(Side::Bid),
        c::PORTCULLIS_GATE_SELL => Some(Side::Ask),
        _ => None,
    }
}

const fn order_type(found: u8) -> Option<OrderType> {
    match found {
        c::PORTCULLIS_GATE_LIMIT => Some(OrderType::Limit),
        c::PORTCULLIS_GATE_MARKET => Some(OrderType::Market),
        _ => None,
    }
}

const fn time_in_force(found: u8) -> Option<TimeInForce> {
    match found {
        c::PORTCULLIS_GATE_DAY => Some(TimeInForce::Day),
        c::PORTCULLIS_GATE_IOC => Some(TimeInForce::Ioc),
        c::PORTCULLIS_GATE_GTC => Some(TimeInForce::Gtc),
        _ => None,
    }
}

/// The order that C means; none when a field of it holds no value of its kind, which [`order_fault`] tells.
#[inline]
pub(crate) fn intent(order: &c::Order) -> Option<OrderIntent> {
    if order.reserved.iter().any(|byte| *byte != 0) {
        return None;
    }
    Some(OrderIntent {
        cl_ord_id: order.id,
        px: Px(order.price),
        instrument: InstrumentId(order.instrument),
        qty: Qty(order.quantity),
        strategy: StrategyId(order.strategy),
        account: AccountId(order.account),
        side: side(order.side)?,
        order_type: order_type(order.order_type)?,
        tif: time_in_force(order.time_in_force)?,
    })
}

/// What is wrong with an order that is none.
#[cold]
pub(crate) fn order_fault(order: &c::Order) -> Fault {
    let (name, found, wanted) = if side(order.side).is_none() {
        ("order.side", order.side, "1 (buy) or 2 (sell)")
    } else if order_type(order.order_type).is_none() {
        ("order.order_type", order.order_type, "1 (limit) or 2 (market)")
    } else if time_in_force(order.time_in_force).is_none() {
        ("order.time_in_force", order.time_in_force, "1 (day), 2 (IOC) or 3 (GTC)")
    } else {
        ("order.reserved", order.reserved.iter().fold(0, |all, byte| all | byte), "0")
    };
    Fault::Field { name, found: found.into(), wanted }
}

/// A field that has no meaning yet.
#[inline]
fn zero(name: &'static str, found: u64) -> Result<(), Fault> {
    if found == 0 { Ok(()) } else { Err(Fault::Field { name, found: found.into(), wanted: "0" }) }
}

/// A field that means something.
#[inline]
const fn not_zero(name: &'static str, found: u64, wanted: &'static str) -> Result<(), Fault> {
    if found == 0 { Err(Fault::Field { name, found: 0, wanted }) } else { Ok(()) }
}

/// Bytes that have no meaning yet.
#[inline]
fn zeros(name: &'static str, found: &[u8]) -> Result<(), Fault> {
    zero(name, found.iter().fold(0, |all, byte| all | u64::from(*byte)))
}

/// The event that C means.
#[inline]
pub(crate) fn event(event: c::Event) -> Result<OrderEvent, Fault> {
    let c::Event { id, execution, price, quantity, kind, reserved } = event;
    zeros("event.reserved", &reserved)?;
    not_zero("event.id", id, "an order's id, which is not 0")?;
    let qty = Qty(quantity);
    let (trades, event) = match kind {
        c::PORTCULLIS_GATE_ACCEPTED => (false, OrderEvent::Accepted { id }),
        c::PORTCULLIS_GATE_FILLED => (true, OrderEvent::Filled { id, qty }),
        c::PORTCULLIS_GATE_EXECUTED => (true, OrderEvent::Executed { id, execution, qty }),
        c::PORTCULLIS_GATE_EXECUTED_AT => {
            (true, OrderEvent::ExecutedAt { id, execution, qty, px: Px(price) })
        }
        c::PORTCULLIS_GATE_BUSTED if execution == 0 => (true, OrderEvent::Busted { id, qty }),
        c::PORTCULLIS_GATE_BUSTED => (true, OrderEvent::BustedExecution { id, execution, qty }),
        c::PORTCULLIS_GATE_REDUCED => (true, OrderEvent::Reduced { id, qty }),
        c::PORTCULLIS_GATE_REDUCED_TO => (true, OrderEvent::ReducedTo { id, qty }),
        c::PORTCULLIS_GATE_CANCELLED => (false, OrderEvent::Cancelled { id }),
        c::PORTCULLIS_GATE_REJECTED => (false, OrderEvent::Rejected { id }),
        c::PORTCULLIS_GATE_REPLACED => (false, OrderEvent::Replaced { id }),
        c::PORTCULLIS_GATE_REPLACE_REJECTED => (false, OrderEvent::ReplaceRejected { id }),
        kind => {
            let (found, wanted) =
                (kind.into(), "1 (accepted) to 10 (executed at a price), or 12 (reduced to)");
            return Err(Fault::Field { name: "event.kind", found, wanted });
        }
    };
    // A quantity where none belongs is a kind that was mistaken for another; none where one belongs is a field that was forgotten.
    if trades {
        not_zero("event.quantity", quantity.into(), "what was traded, taken off or left, which is not 0")?;
    } else {
        zero("event.quantity", quantity.into())?;
    }
    if matches!(kind, c::PORTCULLIS_GATE_EXECUTED | c::PORTCULLIS_GATE_EXECUTED_AT) {
        not_zero("event.execution", execution, "the venue's number, which is not 0")?;
    } else if kind != c::PORTCULLIS_GATE_BUSTED {
        zero("event.execution", execution)?;
    }
    let is_price = if kind == c::PORTCULLIS_GATE_EXECUTED_AT {
        price != 0 && price != c::PORTCULLIS_GATE_NO_PRICE
    } else {
        price == 0
    };
    if !is_price {
        let wanted = "the price of an event 10 (executed at a price), and 0 of any other";
        return Err(Fault::Field { name: "event.price", found: price.into(), wanted });
    }
    Ok(event)
}

/// The reservation that C gives back.
#[inline]
pub(crate) fn reservation(given: c::Reservation) -> Result<Reservation, Fault> {
    let c::Reservation { id, generation, replacement, reserved } = given;
    zeros("reservation.reserved", &reserved)?;
    let name = "reservation.replacement";
    let fault = Fault::Field { name, found: replacement.into(), wanted: "0 or 1" };
    if replacement > 1 { Err(fault) } else { Ok(Reservation::of_ticket((id, generation, replacement == 1))) }
}

/// The position that C sets.
pub(crate) fn position(position: i64) -> Result<i64, Fault> {
    let most = c::PORTCULLIS_GATE_POSITION_MAX;
    if (-most..=most).contains(&position) {
        return Ok(position);
    }
    Err(Fault::Field { name: "position", found: position.into(), wanted: "-2^60 to 2^60" })
}

impl From<&Reservation> for c::Reservation {
    #[inline]
    fn from(reservation: &Reservation) -> Self {
        let (id, generation, replacement) = reservation.ticket();
        Self { id, generation, replacement: replacement.into(), reserved: [0; 3] }
    }
}

impl c::Verdict {
    /// What stands there until the gate has said something: nobody takes a call that failed for an acceptance.
    pub(crate) const REFUSED: Self = Self {
        limit: 0,
        value: 0,
        score_micros: 0,
        version: 0,
        reason: 0,
        decision: c::PORTCULLIS_GATE_REJECT,
        tier: 0,
        source: 0,
        flags: 0,
        would_reject: 0,
        reserved: [0; 8],
    };
}

impl c::Exposure {
    /// What stands there until the gate has said something.
    pub(crate) const UNKNOWN: Self = Self {
        position: i64::MAX,
        working_buy: u64::MAX,
        working_sell: u64::MAX,
        in_doubt: 1,
        reserved: [0; 7],
    };
}

impl From<Verdict> for c::Verdict {
    #[inline]
    fn from(verdict: Verdict) -> Self {
        let (reason, would_reject) =
            if verdict.accepted() { (0, verdict.code()) } else { (verdict.code(), 0) };
        let flag = |flag, bit| if verdict.flags.has(flag) { bit } else { 0 };
        Self {
            limit: verdict.limit,
            value: verdict.value,
            score_micros: verdict.score.micros(),
            version: verdict.version,
            reason,
            decision: match verdict.decision {
                Decision::Accept => c::PORTCULLIS_GATE_ACCEPT,
                Decision::Flag => c::PORTCULLIS_GATE_FLAG,
                Decision::Reject => c::PORTCULLIS_GATE_REJECT,
            },
            tier: verdict.tier as u8,
            source: verdict.source as u8,
            flags: flag(Flags::TIER, c::PORTCULLIS_GATE_FLAG_TIER)
                | flag(Flags::NEAR_LIMIT, c::PORTCULLIS_GATE_FLAG_NEAR_LIMIT)
                | flag(Flags::WALKS_BOOK, c::PORTCULLIS_GATE_FLAG_WALKS_BOOK)
                | flag(Flags::AUDIT, c::PORTCULLIS_GATE_FLAG_AUDIT),
            would_reject,
            reserved: [0; 8],
        }
    }
}

/// The number of what an event did.
pub(crate) const fn settlement(settled: Settlement) -> u8 {
    match settled {
        Settlement::Working => c::PORTCULLIS_GATE_WORKING,
        Settlement::Done => c::PORTCULLIS_GATE_DONE,
        Settlement::LateFill => c::PORTCULLIS_GATE_LATE_FILL,
        Settlement::Ignored => c::PORTCULLIS_GATE_IGNORED,
        Settlement::Repeated => c::PORTCULLIS_GATE_REPEATED,
        Settlement::Overfill => c::PORTCULLIS_GATE_OVERFILL,
        Settlement::Misnamed => c::PORTCULLIS_GATE_MISNAMED,
        Settlement::Busted => c::PORTCULLIS_GATE_TRADE_BUSTED,
        Settlement::UnknownOrder => c::PORTCULLIS_GATE_UNKNOWN_ORDER,
        Settlement::Contradicted => c::PORTCULLIS_GATE_CONTRADICTED,
    }
}

impl From<Exposure> for c::Exposure {
    fn from(held: Exposure) -> Self {
        let Exposure { position, working_buy, working_sell, in_doubt } = held;
        Self { position, working_buy, working_sell, in_doubt: in_doubt.into(), reserved: [0; 7] }
    }
}

impl From<OpenOrder> for c::OpenOrder {
    fn from(order: OpenOrder) -> Self {
        Self {
            id: order.id,
            price: order.px.0,
            instrument: order.instrument.0,
            leaves: order.leaves.0,
            strategy: order.strategy.0,
            account: order.account.0,
            side: match order.side {
                Side::Bid => c::PORTCULLIS_GATE_BUY,
                Side::Ask => c::PORTCULLIS_GATE_SELL,
            },
            reserved: [0; 3],
        }
    }
}

impl From<&gate::Breach> for c::Breach {
    fn from(breach: &gate::Breach) -> Self {
        let gate::Breach { reason, limit, value } = *breach;
        let unit = match reason.unit() {
            Unit::None => c::PORTCULLIS_GATE_UNIT_NONE,
            Unit::Quantity => c::PORTCULLIS_GATE_UNIT_QUANTITY,
            Unit::MicroCurrency => c::PORTCULLIS_GATE_UNIT_MICRO_CURRENCY,
            Unit::Bps => c::PORTCULLIS_GATE_UNIT_BPS,
            Unit::Ticks => c::PORTCULLIS_GATE_UNIT_TICKS,
            Unit::Price => c::PORTCULLIS_GATE_UNIT_PRICE,
            Unit::Nanos => c::PORTCULLIS_GATE_UNIT_NANOS,
            Unit::Orders => c::PORTCULLIS_GATE_UNIT_ORDERS,
            Unit::OrdersPerSecond => c::PORTCULLIS_GATE_UNIT_ORDERS_PER_SECOND,
            Unit::Number => c::PORTCULLIS_GATE_UNIT_NUMBER,
        };
        Self { limit, value, reason: reason.code(), unit, reserved: [0; 5] }
    }
}

// Numbers that both sides of the boundary have are the same ones.
const _: () = {
    assert!(c::PORTCULLIS_GATE_NO_PRICE == Px::NONE.0);
    assert!(c::PORTCULLIS_GATE_LIMIT == OrderType::Limit as u8);
    assert!(c::PORTCULLIS_GATE_MARKET == OrderType::Market as u8);
    assert!(c::PORTCULLIS_GATE_DAY == TimeInForce::Day as u8);
    assert!(c::PORTCULLIS_GATE_IOC == TimeInForce::Ioc as u8);
    assert!(c::PORTCULLIS_GATE_GTC == TimeInForce::Gtc as u8);
    assert!(c::PORTCULLIS_GATE_TIER_NORMAL == Tier::Normal as u8);
    assert!(c::PORTCULLIS_GATE_TIER_ELEVATED == Tier::Elevated as u8);
    assert!(c::PORTCULLIS_GATE_TIER_HIGH == Tier::High as u8);
    assert!(c::PORTCULLIS_GATE_TIER_CRITICAL == Tier::Critical as u8);
    assert!(c::PORTCULLIS_GATE_SOURCE_NONE == LimitsSource::None as u8);
    assert!(c::PORTCULLIS_GATE_SOURCE_DYNAMIC == LimitsSource::Dynamic as u8);
    assert!(c::PORTCULLIS_GATE_SOURCE_STATIC == LimitsSource::Static as u8);
    assert!(c::PORTCULLIS_GATE_SOURCE_STATIC_EMPTY == LimitsSource::StaticEmpty as u8);
    assert!(c::PORTCULLIS_GATE_SOURCE_STATIC_LEASE == LimitsSource::StaticLease as u8);
    assert!(c::PORTCULLIS_GATE_POSITION_MAX == POSITION_MAX);
};

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: c::Order = c::Order {
        id: 1,
        price: 100,
        instrument: 2,
        quantity: 3,
        strategy: 4,
        account: 5,
        side: 1,
        order_type: 1,
        time_in_force: 1,
        reserved: [0; 9],
    };

    #[test]
    fn an_order_that_audit_mode_lets_out_has_no_reason_and_says_which_it_would_have_had() {
        let accepted = Verdict::unpack([0; gate::VERDICT_WORDS]).unwrap();
        // Decision in the third byte, flags in the sixth.
        let packed = |decision: u64| [500, 900, 0, 600 | decision << 16 | 8 << 40];
        let of = |words| c::Verdict::from(Verdict::unpack(words).unwrap());
        let (left, refused) = (of(packed(1)), of(packed(2)));
        assert_eq!((left.decision, left.reason, left.would_reject), (c::PORTCULLIS_GATE_FLAG, 0, 600));
        assert_eq!((left.limit, left.value, left.flags), (500, 900, c::PORTCULLIS_GATE_FLAG_AUDIT));
        assert_eq!(
            (refused.decision, refused.reason, refused.would_reject),
            (c::PORTCULLIS_GATE_REJECT, 600, 0)
        );
        assert_eq!(c::Verdict::from(accepted).would_reject, 0);
    }

    #[test]
    fn every_byte_of_an_order_is_a_value_or_a_fault() {
        let good = |order: c::Order| intent(&order).is_some();
        for byte in 0..=u8::MAX {
            assert_eq!(good(c::Order { side: byte, ..ORDER }), (1..=2).contains(&byte), "side {byte}");
            assert_eq!(good(c::Order { order_type: byte, ..ORDER }), (1..=2).contains(&byte), "type {byte}");
            assert_eq!(good(c::Order { time_in_force: byte, ..ORDER }), (1..=3).contains(&byte), "{byte}");
            for at in 0..9 {
                let mut order = ORDER;
                order.reserved[at] = byte;
                assert_eq!(good(order), byte == 0, "reserved {byte} at {at}");
            }
        }
        assert!(!good(c::Order::default()), "zeros are no order");
        let order = intent(&c::Order { side: 2, time_in_force: 2, ..ORDER }).unwrap();
        let wanted = OrderIntent {
            cl_ord_id: 1,
            px: Px(100),
            instrument: InstrumentId(2),
            qty: Qty(3),
            strategy: StrategyId(4),
            account: AccountId(5),
            side: Side::Ask,
            order_type: OrderType::Limit,
            tif: TimeInForce::Ioc,
        };
        assert_eq!(order, wanted);
    }

    #[test]
    fn events_are_told_apart_and_what_does_not_belong_to_one_is_a_fault() {
        let at = |kind, execution, quantity, price| {
            event(c::Event { id: 7, execution, price, quantity, kind, reserved: [0; 3] })
        };
        let of = |kind, execution, quantity| at(kind, execution, quantity, if kind == 10 { -6 } else { 0 });
        let (id, qty) = (7, Qty(9));
        for (kind, execution, quantity, wanted) in [
            (1, 0, 0, OrderEvent::Accepted { id }),
            (2, 0, 9, OrderEvent::Filled { id, qty }),
            (3, 8, 9, OrderEvent::Executed { id, execution: 8, qty }),
            (4, 0, 9, OrderEvent::Busted { id, qty }),
            (4, 8, 9, OrderEvent::BustedExecution { id, execution: 8, qty }),
            (5, 0, 9, OrderEvent::Reduced { id, qty }),
            (6, 0, 0, OrderEvent::Cancelled { id }),
            (7, 0, 0, OrderEvent::Rejected { id }),
            (8, 0, 0, OrderEvent::Replaced { id }),
            (9, 0, 0, OrderEvent::ReplaceRejected { id }),
            (10, 8, 9, OrderEvent::ExecutedAt { id, execution: 8, qty, px: Px(-6) }),
            (12, 0, 9, OrderEvent::ReducedTo { id, qty }),
        ] {
            assert_eq!(of(kind, execution, quantity), Ok(wanted));
            assert!(matches!(kind, 3 | 4 | 10) || of(kind, 8, quantity).is_err(), "{kind} has no execution");
            assert!(kind == 10 || at(kind, execution, quantity, -6).is_err(), "{kind} has no price");
            assert!(quantity == 9 || of(kind, execution, 9).is_err(), "{kind} has no quantity");
            assert!(quantity == 0 || of(kind, execution, 0).is_err(), "{kind} of nothing is none");
            let nobodys = c::Event { id: 0, execution, price: 0, quantity, kind, reserved: [0; 3] };
            assert!(event(nobodys).is_err(), "{kind} of no order");
        }
        assert!(of(3, 0, 9).is_err() && of(0, 0, 0).is_err() && of(11, 0, 0).is_err());
        assert!(of(10, 0, 9).is_err() && at(10, 8, 9, 0).is_err() && at(10, 8, 9, i64::MAX).is_err());
        let reserved = c::Event { id: 7, kind: 1, reserved: [0, 0, 1], ..c::Event::default() };
        assert!(event(reserved).is_err());
    }

    #[test]
    fn a_fault_says_what_was_found_and_wanted() {
        for (order, wanted) in [
            (c::Order { order_type: 0, ..ORDER }, "order.order_type is 0, wanted 1 (limit) or 2 (market)"),
            (
                c::Order { time_in_force: 4, ..ORDER },
                "order.time_in_force is 4, wanted 1 (day), 2 (IOC) or 3 (GTC)",
            ),
            (c::Order { reserved: [0, 0, 0, 0, 1, 0, 0, 0, 0], ..ORDER }, "order.reserved is 1, wanted 0"),
        ] {
            assert_eq!(order_fault(&order).to_string(), wanted);
        }
        let fault = order_fault(&c::Order { side: 9, ..ORDER });
        assert_eq!(fault.to_string(), "order.side is 9, wanted 1 (buy) or 2 (sell)");
        assert_eq!(fault.status(), c::PORTCULLIS_GATE_INVALID);
    }

    #[test]
    fn a_reservation_survives_its_numbers() {
        let given = c::Reservation { id: 3, generation: 4, replacement: 1, reserved: [0; 3] };
        let back = reservation(given).map(|held| c::Reservation::from(&held)).unwrap();
        assert_eq!((back.id, back.generation, back.replacement), (3, 4, 1));
        assert!(reservation(c::Reservation { replacement: 2, ..given }).is_err());
        assert!(reservation(c::Reservation { reserved: [1, 0, 0], ..given }).is_err());
    }

    #[test]
    fn settlements_have_numbers_of_their_own() {
        use Settlement as S;
        let all = [S::Working, S::Done, S::LateFill, S::Ignored, S::Repeated, S::Overfill, S::Misnamed];
        let numbers = all.into_iter().chain([S::Busted, S::UnknownOrder, S::Contradicted]).map(settlement);
        assert!(numbers.eq(1..=10));
    }
}
