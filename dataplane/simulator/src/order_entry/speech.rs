//! How the two versions of OUCH say what a venue hears and answers.

use wire::IntoBytes;
use wire::{ouch42, ouch50};

/// A version of OUCH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OuchVersion {
    /// 5.0.
    V50,
    /// 4.2.
    V42,
}

/// An order's name.
pub(super) type Key = [u8; 14];

/// What is heard.
#[derive(Clone, Copy, Debug)]
pub(super) enum Heard {
    Enter { key: Key, side: u8, qty: u32, symbol: [u8; 8], price: u64, immediate: bool },
    Replace { of: Key, key: Key, qty: u32, price: u64, immediate: bool },
    Cancel { key: Key, qty: u32 },
    MassCancel { key: Key, firm: [u8; 4], symbol: [u8; 8] },
    Query,
    Nothing,
}

/// An order in an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    pub(super) key: Key,
    pub(super) side: u8,
    pub(super) qty: u32,
    pub(super) symbol: [u8; 8],
    pub(super) price: u64,
    pub(super) reference: u64,
    pub(super) dead: bool,
}

pub(super) fn key_of(number: u32) -> Key {
    let mut key = [0; 14];
    key[..4].copy_from_slice(&number.to_be_bytes());
    key
}

pub(super) fn number_of(key: Key) -> u32 {
    u32::from_be_bytes([key[0], key[1], key[2], key[3]])
}

const TEXT: [u8; 14] = [b' '; 14];

/// A price of 4.2; what is too large for one is market.
fn narrow(price: u64) -> u32 {
    u32::try_from(price).unwrap_or(ouch42::MARKET_PRICE_CROSS)
}

impl OuchVersion {
    pub(super) fn hear(self, bytes: &[u8]) -> Option<Heard> {
        match self {
            Self::V50 => hear_50(bytes),
            Self::V42 => hear_42(bytes),
        }
    }

    pub(super) fn accepted(self, ns: u64, a: &Answered) -> Vec<u8> {
        let state = if a.dead { ouch50::outbound::DEAD } else { ouch50::outbound::LIVE };
        match self {
            Self::V50 => with_options(
                ouch50::outbound::Accepted::new(
                    ns,
                    number_of(a.key),
                    a.side,
                    a.qty,
                    a.symbol,
                    a.price,
                    b'0',
                    b'Y',
                    a.reference,
                    b'P',
                    b'N',
                    b'N',
                    state,
                    TEXT,
                )
                .as_bytes(),
            ),
            Self::V42 => ouch42::outbound::Accepted::new(
                ns,
                a.key,
                a.side,
                a.qty,
                a.symbol,
                narrow(a.price),
                ouch42::MARKET_HOURS,
                *b"FIRM",
                b'Y',
                a.reference,
                b'P',
                b'N',
                0,
                b'N',
                state,
                b' ',
            )
            .as_bytes()
            .to_vec(),
        }
    }

    pub(super) fn replaced(self, ns: u64, of: Key, a: &Answered) -> Vec<u8> {
        let state = if a.dead { ouch50::outbound::DEAD } else { ouch50::outbound::LIVE };
        match self {
            Self::V50 => with_options(
                ouch50::outbound::Replaced::new(
                    ns,
                    number_of(of),
                    number_of(a.key),
                    a.side,
                    a.qty,
                    a.symbol,
                    a.price,
                    b'0',
                    b'Y',
                    a.reference,
                    b'P',
                    b'N',
                    b'N',
                    state,
                    TEXT,
                )
                .as_bytes(),
            ),
            Self::V42 => ouch42::outbound::Replaced::new(
                ns,
                a.key,
                a.side,
                a.qty,
                a.symbol,
                narrow(a.price),
                ouch42::MARKET_HOURS,
                *b"FIRM",
                b'Y',
                a.reference,
                b'P',
                b'N',
                0,
                b'N',
                state,
                of,
                b' ',
            )
            .as_bytes()
            .to_vec(),
        }
    }

    pub(super) fn canceled(self, ns: u64, key: Key, by: u32, reason: u8) -> Vec<u8> {
        match self {
            Self::V50 => ouch50::outbound::Canceled::new(ns, number_of(key), by, reason).as_bytes().to_vec(),
            Self::V42 => ouch42::outbound::Canceled::new(ns, key, by, reason).as_bytes().to_vec(),
        }
    }

    pub(super) fn executed(self, ns: u64, key: Key, qty: u32, price: u64, match_number: u64) -> Vec<u8> {
        match self {
            Self::V50 => with_options(
                ouch50::outbound::Executed::new(ns, number_of(key), qty, price, b'A', match_number)
                    .as_bytes(),
            ),
            Self::V42 => ouch42::outbound::Executed::new(ns, key, qty, narrow(price), b'A', match_number)
                .as_bytes()
                .to_vec(),
        }
    }

    pub(super) fn broken(self, ns: u64, key: Key, match_number: u64) -> Vec<u8> {
        match self {
            Self::V50 => ouch50::outbound::BrokenTrade::new(ns, number_of(key), match_number, b'E', TEXT)
                .as_bytes()
                .to_vec(),
            Self::V42 => ouch42::outbound::BrokenTrade::new(ns, key, match_number, b'E').as_bytes().to_vec(),
        }
    }

    pub(super) fn rejected(self, ns: u64, key: Key) -> Vec<u8> {
        match self {
            Self::V50 => ouch50::outbound::Rejected::new(ns, number_of(key), ouch50::reason::OTHER, TEXT)
                .as_bytes()
                .to_vec(),
            Self::V42 => ouch42::outbound::Rejected::new(ns, key, ouch42::reason::OTHER).as_bytes().to_vec(),
        }
    }

    pub(super) fn mass_canceled(ns: u64, key: Key, firm: [u8; 4], symbol: [u8; 8]) -> Vec<u8> {
        with_options(ouch50::outbound::MassCancelResponse::new(ns, number_of(key), firm, symbol).as_bytes())
    }

    pub(super) fn next(ns: u64, number: u32) -> Vec<u8> {
        ouch50::outbound::AccountQueryResponse::new(ns, number).as_bytes().to_vec()
    }
}

/// A message and an appendage of no option.
fn with_options(message: &[u8]) -> Vec<u8> {
    [message, &[0, 0]].concat()
}

fn hear_50(bytes: &[u8]) -> Option<Heard> {
    use ouch50::inbound::Msg;
    Some(match ouch50::inbound::decode(bytes).ok()? {
        Msg::EnterOrder(m) => Heard::Enter {
            key: key_of(m.user_ref_num.get()),
            side: m.side,
            qty: m.quantity.get(),
            symbol: m.symbol,
            price: m.price.get(),
            immediate: m.time_in_force == b'3',
        },
        Msg::ReplaceOrder(m) => Heard::Replace {
            of: key_of(m.orig_user_ref_num.get()),
            key: key_of(m.user_ref_num.get()),
            qty: m.quantity.get(),
            price: m.price.get(),
            immediate: m.time_in_force == b'3',
        },
        Msg::CancelOrder(m) => Heard::Cancel { key: key_of(m.user_ref_num.get()), qty: m.quantity.get() },
        Msg::ModifyOrder(m) => Heard::Cancel { key: key_of(m.user_ref_num.get()), qty: m.quantity.get() },
        Msg::MassCancel(m) => {
            Heard::MassCancel { key: key_of(m.user_ref_num.get()), firm: m.firm, symbol: m.symbol }
        }
        Msg::AccountQuery(_) => Heard::Query,
        Msg::DisableOrderEntry(_) | Msg::EnableOrderEntry(_) => Heard::Nothing,
        Msg::Other(_) => return None,
    })
}

fn hear_42(bytes: &[u8]) -> Option<Heard> {
    use ouch42::inbound::Msg;
    Some(match ouch42::inbound::decode(bytes).ok()? {
        Msg::EnterOrder(m) => Heard::Enter {
            key: m.token,
            side: m.side,
            qty: m.shares.get(),
            symbol: m.stock,
            price: m.price.raw().into(),
            immediate: m.time_in_force.get() == ouch42::IMMEDIATE,
        },
        Msg::ReplaceOrder(m) => Heard::Replace {
            of: m.existing_token,
            key: m.replacement_token,
            qty: m.shares.get(),
            price: m.price.raw().into(),
            immediate: m.time_in_force.get() == ouch42::IMMEDIATE,
        },
        Msg::CancelOrder(m) => Heard::Cancel { key: m.token, qty: m.shares.get() },
        Msg::ModifyOrder(m) => Heard::Cancel { key: m.token, qty: m.shares.get() },
        Msg::TradeNow(_) => Heard::Nothing,
        Msg::Other(_) => return None,
    })
}
