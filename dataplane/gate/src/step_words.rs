//! The fields of a step's words ([`crate::journal`]).

use types::{InstrumentId, Px, Qty, Side};

use crate::{
    ids::{AccountId, StrategyId},
    intent::{OrderEvent, OrderIntent, OrderType, TimeInForce},
};

/// Words of a step.
pub const STEP_WORDS: usize = 8;

pub(crate) const fn head(kind: u8, bytes: [u8; 3], high: u32) -> u64 {
    let [a, b, c] = bytes;
    (kind as u64) | (a as u64) << 8 | (b as u64) << 16 | (c as u64) << 24 | (high as u64) << 32
}

pub(crate) const fn low_high(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

pub(crate) fn who(strategy: StrategyId, account: AccountId, executed: u32) -> u64 {
    u64::from(strategy.0) | u64::from(account.0) << 16 | u64::from(executed) << 32
}

pub(crate) fn side_byte(side: Side) -> u8 {
    match side {
        Side::Bid => 0,
        Side::Ask => 1,
    }
}

/// An event's number, quantity and execution.
pub(crate) const fn event_parts(event: &OrderEvent) -> (u8, u32, u64) {
    match *event {
        OrderEvent::Accepted { .. } => (1, 0, 0),
        OrderEvent::Filled { qty, .. } => (2, qty.0, 0),
        OrderEvent::Executed { execution, qty, .. } => (3, qty.0, execution),
        OrderEvent::Busted { qty, .. } => (4, qty.0, 0),
        OrderEvent::Reduced { qty, .. } => (5, qty.0, 0),
        OrderEvent::Cancelled { .. } => (6, 0, 0),
        OrderEvent::Rejected { .. } => (7, 0, 0),
        OrderEvent::Replaced { .. } => (8, 0, 0),
        OrderEvent::ReplaceRejected { .. } => (9, 0, 0),
        OrderEvent::ExecutedAt { qty, execution, .. } => (10, qty.0, execution),
        OrderEvent::BustedExecution { qty, execution, .. } => (11, qty.0, execution),
        OrderEvent::ReducedTo { qty, .. } => (12, qty.0, 0),
    }
}

pub(crate) const fn event_of(
    number: u8,
    (id, execution): (u64, u64),
    qty: Qty,
    px: Px,
) -> Option<OrderEvent> {
    Some(match number {
        1 => OrderEvent::Accepted { id },
        2 => OrderEvent::Filled { id, qty },
        3 => OrderEvent::Executed { id, execution, qty },
        4 => OrderEvent::Busted { id, qty },
        5 => OrderEvent::Reduced { id, qty },
        6 => OrderEvent::Cancelled { id },
        7 => OrderEvent::Rejected { id },
        8 => OrderEvent::Replaced { id },
        9 => OrderEvent::ReplaceRejected { id },
        10 => OrderEvent::ExecutedAt { id, execution, qty, px },
        11 => OrderEvent::BustedExecution { id, execution, qty },
        12 => OrderEvent::ReducedTo { id, qty },
        _ => return None,
    })
}

/// A number in two words, the lower one first.
#[expect(clippy::cast_possible_truncation, reason = "the halves")]
pub(crate) const fn halves(n: i128) -> [u64; 2] {
    [n as u64, (n >> 64) as u64]
}

pub(crate) fn whole([low, high]: [u64; 2]) -> i128 {
    i128::from(high.cast_signed()) << 64 | i128::from(low)
}

/// The fields of a step's words.
#[derive(Clone, Copy)]
pub(crate) struct Fields {
    pub kind: u8,
    pub bytes: [u8; 3],
    pub high: u32,
    pub words: [u64; STEP_WORDS],
}

impl Fields {
    #[expect(clippy::cast_possible_truncation, reason = "the parts of a word")]
    pub(crate) const fn new(words: [u64; STEP_WORDS]) -> Self {
        let [w0, ..] = words;
        let bytes = [(w0 >> 8) as u8, (w0 >> 16) as u8, (w0 >> 24) as u8];
        Self { kind: w0 as u8, bytes, high: (w0 >> 32) as u32, words }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low half")]
    pub(crate) const fn instrument(&self) -> InstrumentId {
        InstrumentId(self.words[3] as u32)
    }

    pub(crate) const fn qty(&self) -> u32 {
        (self.words[3] >> 32) as u32
    }

    #[expect(clippy::cast_possible_truncation, reason = "its lowest quarter")]
    pub(crate) const fn strategy(&self) -> StrategyId {
        StrategyId(self.words[4] as u16)
    }

    #[expect(clippy::cast_possible_truncation, reason = "its second quarter")]
    pub(crate) const fn account(&self) -> AccountId {
        AccountId((self.words[4] >> 16) as u16)
    }

    pub(crate) const fn side(&self) -> Option<Side> {
        match self.bytes[0] {
            0 => Some(Side::Bid),
            1 => Some(Side::Ask),
            _ => None,
        }
    }

    pub(crate) fn order(&self) -> Option<OrderIntent> {
        let [_, order_type, tif] = self.bytes;
        let order_type = match order_type {
            1 => OrderType::Limit,
            2 => OrderType::Market,
            _ => return None,
        };
        let tif = match tif {
            1 => TimeInForce::Day,
            2 => TimeInForce::Ioc,
            3 => TimeInForce::Gtc,
            _ => return None,
        };
        Some(OrderIntent {
            cl_ord_id: self.words[1],
            px: Px(self.words[2].cast_signed()),
            instrument: self.instrument(),
            qty: Qty(self.qty()),
            strategy: self.strategy(),
            account: self.account(),
            side: self.side()?,
            order_type,
            tif,
        })
    }
}
