//! The firm: its orders at their time as OUCH 5.0, a cancel for each that has rested for long enough, and what it is told of them.

use super::answer::Answers;
use crate::line::order_file::RESTING_TIME;
use crate::orders::OrderRow;
use anyhow::{Context, Result, bail};
use egress::owner::Counted;
use egress::socket::{Closed, End};
use egress::soup::{ClientEvent, ClientSession, Fault, Login};
use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use types::{Px, Side, Symbol, UnixNanos};
use wire::IntoBytes;
use wire::ouch50::inbound::{CancelOrder, EnterOrder};
use wire::ouch50::outbound::{self, Msg};
use wire::ouch50::{MARKET_PRICE, OptionTag, QUANTITY_MAX};
use wire::soupbin::UNSEQUENCED;

/// Billionths in a price step of OUCH, four decimals.
const PRICE_STEP: i64 = 100_000;

/// Room for any packet of the firm's.
const PACKET_BYTES: usize = 96;

/// Who logs in at the gateway.
pub(super) const USERNAME: &str = "DESK01";
pub(super) const PASSWORD: &str = "firmpw";

/// What every order of a file counts to: strategies and accounts as they come, each with its MPID, of which the first is the session's own.
pub(super) fn counted(rows: &[OrderRow]) -> Result<Vec<Counted>> {
    let pairs: BTreeSet<(&str, &str)> = rows.iter().map(|row| (&*row.strategy, &*row.account)).collect();
    let named = |(strategy, account): (&str, &str)| {
        Ok(Counted {
            strategy: strategy.parse().with_context(|| format!("strategy {strategy:?}"))?,
            account: account.parse().with_context(|| format!("account {account:?}"))?,
        })
    };
    pairs.into_iter().map(named).collect()
}

/// The MPID of the owner in this place: blank is the session's own.
pub(super) fn mpid(place: usize) -> [u8; 4] {
    let digits = [place / 10 % 10, place % 10].map(|digit| b'0' + digit as u8);
    if place == 0 { [b' '; 4] } else { [b'F', b'M', digits[0], digits[1]] }
}

/// An order as it is sent.
#[derive(Clone, Debug)]
struct Ready {
    ts: UnixNanos,
    message: Vec<u8>,
    rests: bool,
    qty: u32,
}

impl Ready {
    /// Order number `number` of a file.
    fn of(row: &OrderRow, number: u32, mpid: [u8; 4]) -> Result<Self> {
        let at = || format!("order {}", row.cl_ord_id);
        let symbol = Symbol::new(&row.symbol).with_context(at)?;
        let exact = |px: Px| price_of(px).filter(|price| *price < MARKET_PRICE && px.0 % PRICE_STEP == 0);
        let price = if row.px.is_some() { exact(row.px) } else { Some(MARKET_PRICE) };
        let Some(price) = price.filter(|_| row.qty.0 <= QUANTITY_MAX) else {
            bail!("{}: found {} at {}, wanted what OUCH can say", at(), row.qty.0, row.px);
        };
        let mut text = [b' '; 14];
        text.iter_mut().zip(row.cl_ord_id.bytes()).for_each(|(to, from)| *to = from);
        let (side, tif) =
            (if row.side == Side::Bid { b'B' } else { b'S' }, if row.ioc { b'3' } else { b'0' });
        let order =
            EnterOrder::new(number, side, row.qty.0, symbol.0, price, tif, b'Y', b'P', b'N', b'N', text);
        let option = [&[5, OptionTag::FIRM.0][..], &mpid].concat();
        let options: &[u8] = if mpid == [b' '; 4] { &[] } else { &option };
        let length = (options.len() as u16).to_be_bytes();
        let message = [order.as_bytes(), &length, options].concat();
        Ok(Self { ts: row.ts, message, rests: !row.ioc, qty: row.qty.0 })
    }
}

/// An order that the firm will take back.
#[derive(Clone, Copy, Debug)]
struct Resting {
    number: u32,
    until: UnixNanos,
}

/// The firm.
pub(super) struct Firm {
    end: End,
    session: ClientSession,
    orders: Vec<Ready>,
    next: usize,
    resting: Vec<Resting>,
    answers: Answers,
}

impl Firm {
    /// Of the orders in `rows`, of these owners, over `stream`, where it logs in at `now`.
    pub(super) fn new(
        (rows, owners): (&Arc<[OrderRow]>, &[Counted]),
        stream: UnixStream,
        answers: Answers,
        now: UnixNanos,
    ) -> Result<Self> {
        let place = |row: &OrderRow| {
            let is = |owner: &Counted| {
                owner.strategy.as_str() == row.strategy && owner.account.as_str() == row.account
            };
            owners.iter().position(is).context("an order of nobody's")
        };
        let ready = |(number, row): (u32, &OrderRow)| Ready::of(row, number, mpid(place(row)?));
        let orders = (1..).zip(rows.iter()).map(ready).collect::<Result<_>>()?;
        let end = End::new(stream).context("the firm's connection")?;
        let session = ClientSession::new(now);
        let mut firm = Self { end, session, orders, next: 0, resting: Vec::new(), answers };
        let login = Login { username: USERNAME, password: PASSWORD, session: "", sequence: 1 };
        let room = firm.end.room(PACKET_BYTES).context("no room for a login")?;
        let bytes = firm.session.login(&login, room, now).context("no room for a login")?;
        firm.end.wrote(bytes);
        firm.flush()?;
        Ok(firm)
    }

    /// Whether the gateway has let it in.
    pub(super) const fn is_in(&self) -> bool {
        self.session.is_in()
    }

    /// When it does the next thing.
    pub(super) fn due(&self) -> Option<UnixNanos> {
        let cancel = self.resting.iter().map(|resting| resting.until).min();
        let order = self.orders.get(self.next).map(|order| order.ts);
        [cancel, order].into_iter().flatten().min()
    }

    /// Does the next thing, which is due at `now`: takes back what has rested for long enough, else sends an order.
    pub(super) fn act(&mut self, now: UnixNanos) -> Result<()> {
        if let Some(at) = self.resting.iter().position(|resting| resting.until <= now) {
            let Resting { number, .. } = self.resting.swap_remove(at);
            return self.send(CancelOrder::new(number, 0).as_bytes(), now);
        }
        let Some(order) = self.orders.get(self.next).cloned() else { return Ok(()) };
        self.next += 1;
        self.send(&order.message, now)
    }

    fn send(&mut self, message: &[u8], now: UnixNanos) -> Result<()> {
        let room = self.end.room(PACKET_BYTES).context("the gateway does not read")?;
        let bytes = self.session.send(UNSEQUENCED, message, room, now).context("a message too long")?;
        self.end.wrote(bytes);
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        self.end.flush().map_err(ended)?;
        Ok(())
    }

    /// Says that it lives, where it has said nothing for long.
    pub(super) fn keep_alive(&mut self, now: UnixNanos) -> Result<()> {
        if let Some(heartbeat) = self.session.due(now).map_err(faulty)? {
            let room = self.end.room(PACKET_BYTES).context("the gateway does not read")?;
            let bytes = self.session.send(heartbeat, &[], room, now).unwrap_or_default();
            self.end.wrote(bytes);
            self.flush()?;
        }
        Ok(())
    }

    /// Takes what the gateway says; whether there was anything.
    pub(super) fn hear(&mut self, now: UnixNanos) -> Result<bool> {
        let mut heard = self.end.fill().map_err(ended)? > 0;
        while let Some((event, used)) = self.session.take(self.end.input(), now).map_err(faulty)? {
            heard = true;
            let message = match event {
                ClientEvent::Message { message, .. } => message.to_vec(),
                ClientEvent::Refused(reason) => {
                    bail!("the gateway refuses the firm's login: {}", char::from(reason))
                }
                ClientEvent::Ended => bail!("the gateway has ended the session"),
                ClientEvent::LoggedIn { .. } | ClientEvent::Nothing => Vec::new(),
            };
            self.end.consume(used);
            if !message.is_empty() {
                self.take(&message, now)?;
            }
        }
        Ok(heard)
    }

    fn take(&mut self, message: &[u8], now: UnixNanos) -> Result<()> {
        let mut told = self.answers.told();
        let orders = told.answers.len();
        let of = |number: u32| {
            let place = (number as usize).checked_sub(1).filter(|place| *place < orders);
            place.with_context(|| format!("an answer to order {number}, which was never sent"))
        };
        match outbound::decode(message)
            .map_err(|error| anyhow::anyhow!("an answer that cannot be read: {error:?}"))?
        {
            Msg::Accepted(m) => {
                let (number, at) = (m.user_ref_num.get(), of(m.user_ref_num.get())?);
                told.answers[at].is_accepted = true;
                if self.orders.get(at).is_some_and(|order| order.rests) {
                    self.resting.push(Resting { number, until: now.plus(RESTING_TIME) });
                }
            }
            Msg::Executed(m) => {
                let (number, qty) = (m.user_ref_num.get(), m.quantity.get());
                let at = of(number)?;
                let answer = &mut told.answers[at];
                answer.filled += qty;
                answer.paid += i128::from(m.price.get()) * i128::from(PRICE_STEP) * i128::from(qty);
                let left = self.orders.get(at).is_none_or(|order| order.qty > answer.filled);
                self.resting.retain(|resting| resting.number != number || left);
            }
            Msg::Canceled(m) => {
                let at = of(m.user_ref_num.get())?;
                told.answers[at].cancelled += m.quantity.get();
            }
            Msg::Rejected(m) => {
                let at = of(m.user_ref_num.get())?;
                told.answers[at].rejected = Some(m.reason.get());
            }
            Msg::SystemEvent(_)
            | Msg::Replaced(_)
            | Msg::AiqCanceled(_)
            | Msg::BrokenTrade(_)
            | Msg::CancelPending(_)
            | Msg::CancelReject(_)
            | Msg::PriorityUpdate(_)
            | Msg::Modified(_)
            | Msg::Restated(_)
            | Msg::MassCancelResponse(_)
            | Msg::DisableResponse(_)
            | Msg::EnableResponse(_)
            | Msg::AccountQueryResponse(_)
            | Msg::Other(_) => bail!(
                "found message {:?}, wanted an answer to an order",
                message.first().map(|b| char::from(*b))
            ),
        }
        Ok(())
    }
}

/// A connection that nobody should end.
fn ended(closed: Closed) -> anyhow::Error {
    anyhow::anyhow!("the connection of the firm: {closed}")
}

/// A session that nobody should break.
fn faulty(fault: Fault) -> anyhow::Error {
    anyhow::anyhow!("the session of the firm: {fault}")
}

/// A price as the venue is told it; none where there is none.
pub(super) fn price_of(px: Px) -> Option<u64> {
    u64::try_from(px.0 / PRICE_STEP).ok().filter(|_| px.is_some())
}
