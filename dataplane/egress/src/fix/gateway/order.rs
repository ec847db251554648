//! What an order message says, as far as the gate judges it.

use crate::fix::message::{Message, decimal};
use crate::fix::tags;
use gate::TimeInForce;
use types::{Px, Side, Symbol};

/// The fields of an order or a replacement; those that are missing or make no sense are none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Order<'a> {
    pub(super) client_id: &'a [u8],
    pub(super) original_id: &'a [u8],
    pub(super) symbol: &'a [u8],
    pub(super) side: &'a [u8],
    /// OrderQty (38) as it is written.
    pub(super) qty_text: &'a [u8],
    /// OrderQty (38), where it is a whole number below 2^32.
    pub(super) qty: Option<u32>,
    ord_type: &'a [u8],
    price: &'a [u8],
    time_in_force: &'a [u8],
    /// OrigSendingTime (122), where the message was sent before.
    pub(super) original_time: Option<&'a [u8]>,
    /// A field that the gate knows nothing of, and that changes what is traded, how much, or what a price means.
    is_foreign: bool,
    /// Whether the firm says that it may have sent this order under another number.
    pub(super) is_poss_resend: bool,
}

/// Currency (15), SymbolSfx (65), StopPx (99), CashOrderQty (152), OrderQty2 (192), ContractMultiplier (231), MaturityMonthYear (200), PutOrCall (201), StrikePrice (202), MaturityDay (205),
/// OptAttribute (206), PegDifference (211), DiscretionInst and -Offset (388, 389), PriceType (423), OrderPercent (516), MaturityDate
/// (541), CFICode (461), Price2 (640), PegMoveType to -Scope (835 to 840), DiscretionMoveType to -Price (841 to 846), TargetStrategy to
/// ParticipationRate (847 to 849), QtyType (854), StrategyParameter (957 to 960), PegPriceType and -SecurityID (1094 to 1099),
/// TriggerType to -TradingSessionSubID (1100 to 1114). SecurityID (48) is not among them: it names what Symbol (55) does, in another tongue.
const FOREIGN: [i32; 20] =
    [15, 65, 99, 152, 192, 200, 201, 202, 205, 206, 211, 231, 388, 389, 423, 461, 516, 541, 640, 854];
const FOREIGN_RANGES: [std::ops::RangeInclusive<i32>; 3] = [835..=849, 957..=960, 1_094..=1_114];

/// ExecInst (18) that lets the venue choose the price: pegs of every kind, those that stay on a side, and those that trail a stop.
const PRICED_BY_VENUE: &[u8] = b"09LMOPRTWUad";

/// SecurityType (167): any but common stock (CS) may have terms that the gate does not know.
const SECURITY_TYPE: i32 = 167;

/// Whether a field changes what is traded, how much, or what a price means.
fn is_foreign(tag: i32, value: &[u8]) -> bool {
    match tag {
        18 => value.iter().any(|byte| PRICED_BY_VENUE.contains(byte)),
        SECURITY_TYPE => value != b"CS",
        tag => FOREIGN.contains(&tag) || FOREIGN_RANGES.iter().any(|range| range.contains(&tag)),
    }
}

/// Why an order cannot be judged: OrdRejReason (103) and Text (58).
pub(super) type Unjudged = (u64, &'static str);

impl<'a> Order<'a> {
    pub(super) fn read(message: &Message<'a>) -> Self {
        let mut order = Self::default();
        for field in message.fields() {
            let value = field.value;
            match field.tag {
                tags::CL_ORD_ID => order.client_id = value,
                tags::ORIG_CL_ORD_ID => order.original_id = value,
                tags::SYMBOL => order.symbol = value,
                tags::SIDE => order.side = value,
                tags::ORDER_QTY => (order.qty_text, order.qty) = (value, whole(value)),
                tags::ORD_TYPE => order.ord_type = value,
                tags::PRICE => order.price = value,
                tags::TIME_IN_FORCE => order.time_in_force = value,
                tags::ORIG_SENDING_TIME => order.original_time = Some(value),
                tag if is_foreign(tag, value) => order.is_foreign = true,
                tags::POSS_RESEND => order.is_poss_resend = value == b"Y",
                _ => {}
            }
        }
        order
    }

    /// An order of which no more is known than this.
    pub(super) fn named(
        client_id: &'a [u8],
        original_id: &'a [u8],
        symbol: &'a [u8],
        side: &'a [u8],
    ) -> Self {
        Self { client_id, original_id, symbol, side, ..Self::default() }
    }

    /// Whether it outlives the day.
    pub(super) fn is_gtc(&self) -> bool {
        matches!(self.time_in_force, b"1" | b"6")
    }

    pub(super) fn gate_symbol(&self) -> Result<Symbol, Unjudged> {
        if self.is_foreign {
            return Err((11, "a field changes what is traded, how much, or what the price means"));
        }
        let symbol = std::str::from_utf8(self.symbol).ok().and_then(Symbol::new);
        symbol.ok_or((1, "Symbol (55) is not an instrument of the appliance"))
    }

    /// A sale that is short is a sale.
    pub(super) fn gate_side(&self) -> Result<Side, Unjudged> {
        match self.side {
            b"1" => Ok(Side::Bid),
            b"2" | b"5" | b"6" => Ok(Side::Ask),
            _ => Err((11, "Side (54) must be 1, 2, 5 or 6")),
        }
    }

    /// None for a market order.
    pub(super) fn gate_price(&self) -> Result<Px, Unjudged> {
        match (self.ord_type, decimal(self.price)) {
            (b"1", _) if self.price.is_empty() => Ok(Px::NONE),
            (b"1", _) => Err((11, "a market order has no Price (44)")),
            // The largest number there is means none.
            (b"2", Some(price)) if Px(price) != Px::NONE => Ok(Px(price)),
            (b"2", _) => Err((99, "Price (44) must be a decimal number with at most nine places")),
            _ => Err((11, "OrdType (40) must be 1 (market) or 2 (limit)")),
        }
    }

    pub(super) fn gate_qty(&self) -> Result<u32, Unjudged> {
        self.qty.ok_or((13, "OrderQty (38) must be a whole number below 2^32"))
    }

    pub(super) fn gate_tif(&self) -> Result<TimeInForce, Unjudged> {
        match self.time_in_force {
            b"" | b"0" | b"2" | b"5" | b"7" => Ok(TimeInForce::Day),
            b"1" | b"6" => Ok(TimeInForce::Gtc),
            b"3" | b"4" => Ok(TimeInForce::Ioc),
            _ => Err((11, "TimeInForce (59) must be 0 to 7")),
        }
    }
}

/// A quantity that is a whole number, whatever zeros follow its point.
pub(super) fn whole(text: &[u8]) -> Option<u32> {
    let nanos = decimal(text)?;
    (nanos % 1_000_000_000 == 0).then_some(nanos / 1_000_000_000).and_then(|units| u32::try_from(units).ok())
}

/// The value of ClOrdID (11), where there is one.
pub(super) fn client_id<'a>(message: &Message<'a>) -> &'a [u8] {
    message.get(tags::CL_ORD_ID).unwrap_or_default()
}
