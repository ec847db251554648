//! OUCH 4.2.

use super::reasons;
use super::words::{self, Cannot, Message, Order, Refusal, Report, Request, Token, Unfit};
use gate::TimeInForce;
use types::{Px, Symbol};
use wire::IntoBytes;
use wire::ouch42::inbound::{self, CancelOrder};
use wire::ouch42::outbound::{self, Rejected};
use wire::ouch42::{IMMEDIATE, MARKET_PRICE, SHARES_MAX, side};

/// [`outbound::Accepted::order_state`] of an order that was cancelled as soon as it was taken.
const DEAD: u8 = b'D';

fn price(raw: u32) -> Px {
    if raw < MARKET_PRICE { Px::from_1e4(raw.into()) } else { Px::NONE }
}

fn tif(seconds: u32) -> TimeInForce {
    if seconds == IMMEDIATE { TimeInForce::Ioc } else { TimeInForce::Day }
}

/// Blank: orders of this version have no text beside their token.
const NO_TEXT: [u8; 14] = [b' '; 14];

pub(super) fn request(message: &[u8]) -> Result<Request, Unfit> {
    use inbound::Msg;
    Ok(match inbound::decode(message).map_err(|_| Unfit::Malformed)? {
        Msg::EnterOrder(m) => {
            let (token, qty, side) = (Token(m.token), m.shares.get(), side(m.side));
            let why = if side.is_none() { Some(Cannot::Side) } else { unfit(qty, m.display) };
            if let Some(why) = why {
                return Err(Unfit::Order { token, text: NO_TEXT, why });
            }
            let (px, tif) = (price(m.price.raw()), tif(m.time_in_force.get()));
            let (mpid, symbol) = (m.firm, Some(Symbol(m.stock)));
            Request::Enter(Order { token, text: NO_TEXT, mpid, symbol, side, qty, px, tif })
        }
        Msg::ReplaceOrder(m) => {
            let (token, qty) = (Token(m.replacement_token), m.shares.get());
            if let Some(why) = unfit(qty, m.display) {
                return Err(Unfit::Order { token, text: NO_TEXT, why });
            }
            let (px, tif) = (price(m.price.raw()), tif(m.time_in_force.get()));
            let order =
                Order { token, text: NO_TEXT, mpid: [b' '; 4], symbol: None, side: None, qty, px, tif };
            Request::Replace { of: Token(m.existing_token), order }
        }
        Msg::CancelOrder(m) => Request::Cancel { token: Token(m.token), all: m.shares.get() == 0 },
        Msg::ModifyOrder(m) => {
            Request::Modify { token: Token(m.token), side: side(m.side), qty: m.shares.get() }
        }
        Msg::TradeNow(_) => Request::Harmless,
        Msg::Other(_) => return Err(Unfit::Malformed),
    })
}

/// What no gate can judge. The display says who pegs: M, W, m and n are midpoints of different kinds.
fn unfit(qty: u32, display: u8) -> Option<Cannot> {
    if b"MWmn".contains(&display) {
        return Some(Cannot::Peg);
    }
    (qty > SHARES_MAX).then_some(Cannot::Quantity)
}

/// What a message of the venue's says, and when it was made, in nanoseconds since midnight; none where it cannot be read.
pub(super) fn report(message: &[u8]) -> Option<(Report, u64)> {
    use outbound::Msg;
    Some(match outbound::decode(message).ok()? {
        Msg::Accepted(m) => {
            let (token, symbol, side) = (Token(m.token), Symbol(m.stock), side(m.side)?);
            let (qty, dead) = (m.shares.get(), m.order_state == DEAD);
            let px = price(m.price.raw());
            (Report::Accepted { token, symbol, side, qty, px, dead }, m.timestamp.get())
        }
        Msg::Replaced(m) => {
            let (of, token) = (Token(m.previous_token), Token(m.replacement_token));
            let (symbol, side) = (Symbol(m.stock), side(m.side)?);
            let (left, dead) = (m.shares.get(), m.order_state == DEAD);
            (Report::Replaced { of, token, symbol, side, left, dead }, m.timestamp.get())
        }
        Msg::Canceled(m) => {
            (Report::Reduced { token: Token(m.token), by: m.decrement.get() }, m.timestamp.get())
        }
        Msg::AiqCanceled(m) => {
            (Report::Reduced { token: Token(m.token), by: m.decrement.get() }, m.timestamp.get())
        }
        Msg::Executed(m) => {
            let (token, match_number) = (Token(m.token), m.match_number.get());
            let (qty, px) = (m.shares.get(), words::traded(price(m.price.raw())));
            (Report::Executed { token, qty, px, match_number }, m.timestamp.get())
        }
        Msg::ExecutedWithReference(m) => {
            let (token, match_number) = (Token(m.token), m.match_number.get());
            let (qty, px) = (m.shares.get(), words::traded(price(m.price.raw())));
            (Report::Executed { token, qty, px, match_number }, m.timestamp.get())
        }
        Msg::BrokenTrade(m) => {
            let (token, match_number) = (Token(m.token), m.match_number.get());
            (Report::Broken { token, match_number }, m.timestamp.get())
        }
        Msg::Rejected(m) => (Report::Rejected { token: Token(m.token) }, m.timestamp.get()),
        Msg::Modified(m) => (Report::Left { token: Token(m.token), left: m.shares.get() }, m.timestamp.get()),
        Msg::SystemEvent(m) => (Report::Other, m.timestamp.get()),
        Msg::TradeCorrection(m) => (Report::Other, m.timestamp.get()),
        Msg::CancelPending(m) => (Report::Other, m.timestamp.get()),
        Msg::CancelReject(m) => (Report::Other, m.timestamp.get()),
        Msg::PriorityUpdate(m) => (Report::Other, m.timestamp.get()),
        Msg::TradingNow(m) => (Report::Other, m.timestamp.get()),
        Msg::Other(_) => return None,
    })
}

pub(super) fn rejected(token: Token, refusal: Refusal, since_midnight: u64) -> Message {
    let message = Rejected::new(since_midnight, token.0, reasons::of_42(refusal));
    Message::new(&[message.as_bytes()])
}

pub(super) fn cancel(token: Token) -> Message {
    Message::new(&[CancelOrder::new(token.0, 0_u32).as_bytes()])
}
