//! OUCH 5.0.

use super::reasons;
use super::words::{self, Cannot, Message, Order, Refusal, Report, Request, Token, Unfit};
use gate::TimeInForce;
use types::{Px, Symbol};
use wire::IntoBytes;
use wire::ouch50::inbound::{self, AccountQuery, CancelOrder, EnterOrder, ReplaceOrder};
use wire::ouch50::outbound::{self, AccountQueryResponse, DEAD, Rejected};
use wire::ouch50::{MARKET_PRICE, OptionTag, Options, QUANTITY_MAX, options, side};

/// Bytes of each option's value (appendix A).
const fn length_of(tag: OptionTag) -> Option<usize> {
    match tag.0 {
        1 | 9 | 23 => Some(8),
        2 | 3 | 5 | 7 | 11 | 13..=15 | 22 | 26 => Some(4),
        24 => Some(2),
        4 | 6 | 10 | 12 | 16..=18 | 25 | 27 | 28 => Some(1),
        _ => None,
    }
}

/// Numbers with which an order trades at a price of the venue's making; 0 is none.
const PEGS: [OptionTag; 3] =
    [OptionTag::PEG_OFFSET, OptionTag::DISCRETION_PRICE, OptionTag::DISCRETION_PEG_OFFSET];

/// Kinds of prices; limit and blank are none of the venue's making.
const PRICE_TYPES: [OptionTag; 2] = [OptionTag::PRICE_TYPE, OptionTag::DISCRETION_PRICE_TYPE];

/// A price of four decimals; none for a market order, and for one beyond what any price here can be.
fn price(raw: u64) -> Px {
    match i64::try_from(raw) {
        Ok(raw_1e4) if raw < MARKET_PRICE => Px::from_1e4(raw_1e4),
        _ => Px::NONE,
    }
}

fn tif(code: u8) -> TimeInForce {
    if code == b'3' { TimeInForce::Ioc } else { TimeInForce::Day }
}

/// The options behind `fixed` bytes of `message`.
fn tail(message: &[u8], fixed: usize) -> Result<Options<'_>, Unfit> {
    options(message.get(fixed..).unwrap_or_default(), true).map_err(|_| Unfit::Malformed)
}

/// What no gate can judge.
fn unfit(options: &Options<'_>, qty: u32) -> Option<Cannot> {
    let mut seen = 0_u32;
    for (tag, value) in options.clone() {
        let bit = 1_u32.checked_shl(tag.0.into()).unwrap_or_default();
        if length_of(tag) != Some(value.len()) || seen & bit != 0 {
            return Some(Cannot::Option);
        }
        seen |= bit;
    }
    if options.get(OptionTag::USER_REF_IDX).is_some_and(|value| value != [0]) {
        return Some(Cannot::Channel);
    }
    let is_set = |tag: &OptionTag| options.get(*tag).is_some_and(|value| value.iter().any(|byte| *byte != 0));
    let is_pegged = |tag: &OptionTag| options.get(*tag).is_some_and(|value| value != b"L" && value != b" ");
    if PEGS.iter().any(is_set) || PRICE_TYPES.iter().any(is_pegged) {
        return Some(Cannot::Peg);
    }
    (qty > QUANTITY_MAX).then_some(Cannot::Quantity)
}

/// The MPID that an order is entered for; blank where it says none.
fn mpid(options: &Options<'_>) -> [u8; 4] {
    let said = options.get(OptionTag::FIRM).and_then(|value| <[u8; 4]>::try_from(value).ok());
    said.unwrap_or([b' '; 4])
}

fn enter(message: &[u8], enter: &EnterOrder) -> Result<Request, Unfit> {
    let options = tail(message, EnterOrder::LEN)?;
    let order = Order {
        token: Token::of_number(enter.user_ref_num.get()),
        text: enter.cl_ord_id,
        mpid: mpid(&options),
        symbol: Some(Symbol(enter.symbol)),
        side: side(enter.side),
        qty: enter.quantity.get(),
        px: price(enter.price.get()),
        tif: tif(enter.time_in_force),
    };
    let no_side = order.side.is_none().then_some(Cannot::Side);
    match unfit(&options, order.qty).or(no_side) {
        Some(why) => Err(Unfit::Order { token: order.token, text: order.text, why }),
        None => Ok(Request::Enter(order)),
    }
}

fn replace(message: &[u8], replace: &ReplaceOrder) -> Result<Request, Unfit> {
    let options = tail(message, ReplaceOrder::LEN)?;
    let said = options.get(OptionTag::SIDE).and_then(|value| value.first()).copied();
    let order = Order {
        token: Token::of_number(replace.user_ref_num.get()),
        text: replace.cl_ord_id,
        mpid: [b' '; 4],
        symbol: None,
        side: said.and_then(side),
        qty: replace.quantity.get(),
        px: price(replace.price.get()),
        tif: tif(replace.time_in_force),
    };
    let no_side = (said.is_some() && order.side.is_none()).then_some(Cannot::Side);
    match unfit(&options, order.qty).or(no_side) {
        Some(why) => Err(Unfit::Order { token: order.token, text: order.text, why }),
        None => Ok(Request::Replace { of: Token::of_number(replace.orig_user_ref_num.get()), order }),
    }
}

pub(super) fn request(message: &[u8]) -> Result<Request, Unfit> {
    use inbound::Msg;
    let numbered = |fixed: usize, number: u32| {
        tail(message, fixed)?;
        Ok(Request::Numbered(Token::of_number(number)))
    };
    match inbound::decode(message).map_err(|_| Unfit::Malformed)? {
        Msg::EnterOrder(order) => enter(message, order),
        Msg::ReplaceOrder(order) => replace(message, order),
        Msg::CancelOrder(cancel) => {
            let token = Token::of_number(cancel.user_ref_num.get());
            Ok(Request::Cancel { token, all: cancel.quantity.get() == 0 })
        }
        Msg::ModifyOrder(m) => {
            let token = Token::of_number(m.user_ref_num.get());
            Ok(Request::Modify { token, side: side(m.side), qty: m.quantity.get() })
        }
        Msg::MassCancel(mass) => numbered(inbound::MassCancel::LEN, mass.user_ref_num.get()),
        Msg::DisableOrderEntry(entry) => numbered(inbound::DisableOrderEntry::LEN, entry.user_ref_num.get()),
        Msg::EnableOrderEntry(entry) => numbered(inbound::EnableOrderEntry::LEN, entry.user_ref_num.get()),
        Msg::AccountQuery(_) => Ok(Request::Query),
        Msg::Other(_) => Err(Unfit::Malformed),
    }
}

/// What a message of the venue's says, and when it was made, in nanoseconds since midnight; none where it cannot be read.
pub(super) fn report(message: &[u8]) -> Option<(Report, u64)> {
    use outbound::Msg;
    let number = Token::of_number;
    Some(match outbound::decode(message).ok()? {
        Msg::Accepted(m) => {
            let (token, symbol, side) = (number(m.user_ref_num.get()), Symbol(m.symbol), side(m.side)?);
            let (qty, dead) = (m.quantity.get(), m.order_state == DEAD);
            let px = price(m.price.get());
            (Report::Accepted { token, symbol, side, qty, px, dead }, m.timestamp.get())
        }
        Msg::Replaced(m) => {
            let (of, token) = (number(m.orig_user_ref_num.get()), number(m.user_ref_num.get()));
            let (symbol, side) = (Symbol(m.symbol), side(m.side)?);
            let (left, dead) = (m.quantity.get(), m.order_state == DEAD);
            (Report::Replaced { of, token, symbol, side, left, dead }, m.timestamp.get())
        }
        Msg::Canceled(m) => {
            (Report::Reduced { token: number(m.user_ref_num.get()), by: m.quantity.get() }, m.timestamp.get())
        }
        Msg::AiqCanceled(m) => (
            Report::Reduced { token: number(m.user_ref_num.get()), by: m.decrement.get() },
            m.timestamp.get(),
        ),
        Msg::Executed(m) => {
            let (token, match_number) = (number(m.user_ref_num.get()), m.match_number.get());
            let (qty, px) = (m.quantity.get(), words::traded(price(m.price.get())));
            (Report::Executed { token, qty, px, match_number }, m.timestamp.get())
        }
        Msg::BrokenTrade(m) => {
            let (token, match_number) = (number(m.user_ref_num.get()), m.match_number.get());
            (Report::Broken { token, match_number }, m.timestamp.get())
        }
        Msg::Rejected(m) => (Report::Rejected { token: number(m.user_ref_num.get()) }, m.timestamp.get()),
        Msg::Modified(m) => {
            (Report::Left { token: number(m.user_ref_num.get()), left: m.quantity.get() }, m.timestamp.get())
        }
        Msg::AccountQueryResponse(m) => (Report::Next(m.next_user_ref_num.get()), m.timestamp.get()),
        Msg::SystemEvent(m) => (Report::Other, m.timestamp.get()),
        Msg::CancelPending(m) => (Report::Other, m.timestamp.get()),
        Msg::CancelReject(m) => (Report::Other, m.timestamp.get()),
        Msg::PriorityUpdate(m) => (Report::Other, m.timestamp.get()),
        Msg::Restated(m) => (Report::Other, m.timestamp.get()),
        Msg::MassCancelResponse(m) => (Report::Other, m.timestamp.get()),
        Msg::DisableResponse(m) => (Report::Other, m.timestamp.get()),
        Msg::EnableResponse(m) => (Report::Other, m.timestamp.get()),
        Msg::Other(_) => return None,
    })
}

pub(super) fn rejected(token: Token, text: [u8; 14], refusal: Refusal, since_midnight: u64) -> Message {
    let message = Rejected::new(since_midnight, token.number(), reasons::of_50(refusal), text);
    Message::new(&[message.as_bytes()])
}

pub(super) fn cancel(token: Token) -> Message {
    Message::new(&[CancelOrder::new(token.number(), 0_u32).as_bytes()])
}

pub(super) fn query() -> Message {
    Message::new(&[AccountQuery::new().as_bytes()])
}

pub(super) fn next(number: u32, since_midnight: u64) -> Message {
    Message::new(&[AccountQueryResponse::new(since_midnight, number).as_bytes()])
}
