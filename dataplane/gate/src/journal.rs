//! What a gate did, step by step, as it is kept outside the process: a gate that is made again and takes the same steps
//! ([`crate::Gate::restore`]) holds the same positions, open orders, executions and rates.
//!
//! ```text
//! word 0  kind:8 | a:8 | b:8 | c:8 | high:32     a, b, c: side, type and time in force, or what an event is
//!      1  an order's id, an execution, or a position
//!      2  a price, or when the next order is due
//!      3  instrument:32 | quantity:32
//!      4  strategy:16 | account:16 | executed, or an order's rounded value:32
//!      5  the price an order was judged at, or the other id of a replacement
//!      6  when
//!      7  the replaced order
//! ```
//!
//! The words are a file format: kinds are appended, never changed.

use types::{InstrumentId, Px, Qty, Side, UnixNanos};

use crate::{
    activity::{Doer, KINDS, RoundedValue},
    ids::{AccountId, StrategyId},
    intent::{OrderEvent, OrderIntent, OrderType, TimeInForce},
};

/// Words of a step.
pub const STEP_WORDS: usize = 8;

/// An order that was let through, and what of its verdict counts afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The order.
    pub order: OrderIntent,
    /// The price it was judged at, in 1e-9.
    pub judged_px: u64,
    /// The interval of the rate it was held to, in nanoseconds.
    pub interval_ns: u32,
    /// What it counts for within the window, a replacement for what it adds; 0 where that is not counted.
    pub value: RoundedValue,
    /// When.
    pub at: UnixNanos,
}

/// One entry of the table of orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptOrder {
    /// Its id.
    pub id: u64,
    /// The instrument.
    pub instrument: InstrumentId,
    /// The strategy.
    pub strategy: StrategyId,
    /// The account.
    pub account: AccountId,
    /// What it does.
    pub side: Side,
    /// Where it is in its life: 0 open, 1 a replacement that waits for its answer, 2 closed.
    pub life: u8,
    /// The price it was judged at, in 1e-9.
    pub px: u64,
    /// The other id of a replacement, 0 when there is none.
    pub link: u64,
    /// Whole quantity.
    pub qty: u32,
    /// Executed so far.
    pub executed: u32,
    /// Whole quantity of the replacement under way, 0 when there is none.
    pub pending_qty: u32,
}

/// One step. The first four are what a gate did; the rest is the state that a checkpoint
/// ([`crate::Gate::checkpoint`]) says instead of every step that led to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A new order was let through.
    Sent(Sent),
    /// A replacement was let through.
    Replaced {
        /// The order it replaces.
        replaced: u64,
        /// What it asks for.
        sent: Sent,
    },
    /// The venue said something, or a reservation was given back.
    Settled(OrderEvent),
    /// A position was set.
    Positioned {
        /// The instrument.
        instrument: InstrumentId,
        /// The strategy.
        strategy: StrategyId,
        /// Whose position moved with it.
        account: AccountId,
        /// What the strategy holds from now on.
        position: i64,
    },
    /// What a strategy holds in an instrument.
    Holds {
        /// The instrument.
        instrument: InstrumentId,
        /// The strategy.
        strategy: StrategyId,
        /// How much.
        position: i64,
        /// When its next order is due; in the highest bit, whether books of gate and venue differ.
        due: u64,
    },
    /// What an account holds in an instrument.
    AccountHolds {
        /// The instrument.
        instrument: InstrumentId,
        /// The account.
        account: AccountId,
        /// How much.
        position: i64,
    },
    /// When the next order of a strategy is due.
    Due {
        /// The strategy.
        strategy: StrategyId,
        /// When.
        due: UnixNanos,
        /// The latest time that the gate has seen.
        at: UnixNanos,
    },
    /// An order that is open, or was lately.
    Order(KeptOrder),
    /// An execution that was booked.
    Execution(u64),
    /// An order that would be refused if it were asked for again; its id and time in force are not kept.
    Asked {
        /// What it asked for.
        order: OrderIntent,
        /// When.
        at: UnixNanos,
    },
    /// The venue was asked to take an order back.
    CancelSent {
        /// The order.
        id: u64,
        /// When.
        at: UnixNanos,
    },
    /// What a strategy or an account did within a part of the window.
    Did {
        /// Whose it is.
        doer: Doer,
        /// What: 0 value, in millionths, 1 quantity, 2 messages, 3 cancels, 4 trades.
        kind: u8,
        /// How much.
        sum: u64,
        /// When the part began.
        at: UnixNanos,
    },
    /// When activity was last counted.
    Counted(UnixNanos),
}

const SENT: u8 = 1;
const REPLACED: u8 = 2;
const SETTLED: u8 = 3;
const POSITIONED: u8 = 4;
const HOLDS: u8 = 5;
const ACCOUNT_HOLDS: u8 = 6;
const DUE: u8 = 7;
const ORDER: u8 = 8;
const EXECUTION: u8 = 9;
const ASKED: u8 = 10;
const CANCEL_SENT: u8 = 11;
const STRATEGY_DID: u8 = 12;
const ACCOUNT_DID: u8 = 13;
const COUNTED: u8 = 14;

const fn head(kind: u8, bytes: [u8; 3], high: u32) -> u64 {
    let [a, b, c] = bytes;
    (kind as u64) | (a as u64) << 8 | (b as u64) << 16 | (c as u64) << 24 | (high as u64) << 32
}

const fn low_high(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

fn who(strategy: StrategyId, account: AccountId, executed: u32) -> u64 {
    u64::from(strategy.0) | u64::from(account.0) << 16 | u64::from(executed) << 32
}

fn side_byte(side: Side) -> u8 {
    match side {
        Side::Bid => 0,
        Side::Ask => 1,
    }
}

/// The words of an order; 5 to 7 are the caller's.
fn order_words(kind: u8, order: &OrderIntent, interval_ns: u32) -> [u64; 5] {
    let bytes = [side_byte(order.side), order.order_type as u8, order.tif as u8];
    [
        head(kind, bytes, interval_ns),
        order.cl_ord_id,
        order.px.0.cast_unsigned(),
        low_high(order.instrument.0, order.qty.0),
        who(order.strategy, order.account, 0),
    ]
}

fn sent_words(kind: u8, sent: &Sent, replaced: u64) -> [u64; STEP_WORDS] {
    let [w0, w1, w2, w3, w4] = order_words(kind, &sent.order, sent.interval_ns);
    [w0, w1, w2, w3, w4 | u64::from(sent.value.0) << 32, sent.judged_px, sent.at.0, replaced]
}

/// An event's number, quantity and execution.
const fn event_parts(event: &OrderEvent) -> (u8, u32, u64) {
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
    }
}

const fn event_of(number: u8, id: u64, qty: Qty, execution: u64) -> Option<OrderEvent> {
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
        _ => return None,
    })
}

/// The fields of a step's words.
#[derive(Clone, Copy)]
struct Fields {
    kind: u8,
    bytes: [u8; 3],
    high: u32,
    words: [u64; STEP_WORDS],
}

impl Fields {
    #[expect(clippy::cast_possible_truncation, reason = "the parts of a word")]
    const fn new(words: [u64; STEP_WORDS]) -> Self {
        let [w0, ..] = words;
        let bytes = [(w0 >> 8) as u8, (w0 >> 16) as u8, (w0 >> 24) as u8];
        Self { kind: w0 as u8, bytes, high: (w0 >> 32) as u32, words }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low half")]
    const fn instrument(&self) -> InstrumentId {
        InstrumentId(self.words[3] as u32)
    }

    const fn qty(&self) -> u32 {
        (self.words[3] >> 32) as u32
    }

    #[expect(clippy::cast_possible_truncation, reason = "its lowest quarter")]
    const fn strategy(&self) -> StrategyId {
        StrategyId(self.words[4] as u16)
    }

    #[expect(clippy::cast_possible_truncation, reason = "its second quarter")]
    const fn account(&self) -> AccountId {
        AccountId((self.words[4] >> 16) as u16)
    }

    const fn side(&self) -> Option<Side> {
        match self.bytes[0] {
            0 => Some(Side::Bid),
            1 => Some(Side::Ask),
            _ => None,
        }
    }

    fn order(&self) -> Option<OrderIntent> {
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

    fn sent(&self) -> Option<Sent> {
        let [.., w4, judged_px, at, _] = self.words;
        let value = RoundedValue((w4 >> 32) as u32);
        Some(Sent { order: self.order()?, judged_px, interval_ns: self.high, value, at: UnixNanos(at) })
    }

    const fn did(&self, doer: Doer) -> Option<Step> {
        let ([kind, ..], [_, sum, _, _, _, _, at, _]) = (self.bytes, self.words);
        if (kind as usize) < KINDS { Some(Step::Did { doer, kind, sum, at: UnixNanos(at) }) } else { None }
    }

    fn kept(&self) -> Option<KeptOrder> {
        let [_, id, px, _, w4, link, ..] = self.words;
        let life = self.bytes[1];
        Some(KeptOrder {
            id,
            instrument: self.instrument(),
            strategy: self.strategy(),
            account: self.account(),
            side: self.side()?,
            life: if life > 2 { return None } else { life },
            px,
            link,
            qty: self.qty(),
            executed: (w4 >> 32) as u32,
            pending_qty: self.high,
        })
    }
}

impl Step {
    /// The step in words.
    #[must_use]
    pub fn pack(&self) -> [u64; STEP_WORDS] {
        let (none, nobody) = (StrategyId(0), AccountId(0));
        let at = |instrument: InstrumentId| low_high(instrument.0, 0);
        match self {
            Self::Sent(sent) => sent_words(SENT, sent, 0),
            Self::Replaced { replaced, sent } => sent_words(REPLACED, sent, *replaced),
            Self::Settled(event) => {
                let (number, qty, execution) = event_parts(event);
                [head(SETTLED, [number, 0, 0], qty), event.id(), execution, 0, 0, 0, 0, 0]
            }
            &Self::Positioned { instrument, strategy, account, position } => {
                let who = who(strategy, account, 0);
                [head(POSITIONED, [0; 3], 0), position.cast_unsigned(), 0, at(instrument), who, 0, 0, 0]
            }
            &Self::Holds { instrument, strategy, position, due } => {
                let who = who(strategy, nobody, 0);
                [head(HOLDS, [0; 3], 0), position.cast_unsigned(), due, at(instrument), who, 0, 0, 0]
            }
            &Self::AccountHolds { instrument, account, position } => {
                let who = who(none, account, 0);
                [head(ACCOUNT_HOLDS, [0; 3], 0), position.cast_unsigned(), 0, at(instrument), who, 0, 0, 0]
            }
            &Self::Due { strategy, due, at } => {
                [head(DUE, [0; 3], 0), 0, due.0, 0, who(strategy, nobody, 0), 0, at.0, 0]
            }
            Self::Order(kept) => [
                head(ORDER, [side_byte(kept.side), kept.life, 0], kept.pending_qty),
                kept.id,
                kept.px,
                low_high(kept.instrument.0, kept.qty),
                who(kept.strategy, kept.account, kept.executed),
                kept.link,
                0,
                0,
            ],
            &Self::Execution(execution) => [head(EXECUTION, [0; 3], 0), execution, 0, 0, 0, 0, 0, 0],
            Self::Asked { order, at } => {
                let [w0, w1, w2, w3, w4] = order_words(ASKED, order, 0);
                [w0, w1, w2, w3, w4, 0, at.0, 0]
            }
            &Self::CancelSent { id, at } => [head(CANCEL_SENT, [0; 3], 0), id, 0, 0, 0, 0, at.0, 0],
            &Self::Did { doer, kind, sum, at } => {
                let (step, who) = match doer {
                    Doer::Strategy(strategy) => (STRATEGY_DID, who(strategy, nobody, 0)),
                    Doer::Account(account) => (ACCOUNT_DID, who(none, account, 0)),
                };
                [head(step, [kind, 0, 0], 0), sum, 0, 0, who, 0, at.0, 0]
            }
            &Self::Counted(at) => [head(COUNTED, [0; 3], 0), 0, 0, 0, 0, 0, at.0, 0],
        }
    }

    /// The step of `words`; `None` when they are none.
    #[must_use]
    pub fn unpack(words: [u64; STEP_WORDS]) -> Option<Self> {
        let fields = Fields::new(words);
        let [_, w1, w2, _, _, _, at, replaced] = words;
        let (instrument, position) = (fields.instrument(), w1.cast_signed());
        let (strategy, account) = (fields.strategy(), fields.account());
        Some(match fields.kind {
            SENT => Self::Sent(fields.sent()?),
            REPLACED => Self::Replaced { replaced, sent: fields.sent()? },
            SETTLED => Self::Settled(event_of(fields.bytes[0], w1, Qty(fields.high), w2)?),
            POSITIONED => Self::Positioned { instrument, strategy, account, position },
            HOLDS => Self::Holds { instrument, strategy, position, due: w2 },
            ACCOUNT_HOLDS => Self::AccountHolds { instrument, account, position },
            DUE => Self::Due { strategy, due: UnixNanos(w2), at: UnixNanos(at) },
            ORDER => Self::Order(fields.kept()?),
            EXECUTION => Self::Execution(w1),
            ASKED => Self::Asked { order: fields.order()?, at: UnixNanos(at) },
            CANCEL_SENT => Self::CancelSent { id: w1, at: UnixNanos(at) },
            STRATEGY_DID => fields.did(Doer::Strategy(strategy))?,
            ACCOUNT_DID => fields.did(Doer::Account(account))?,
            COUNTED => Self::Counted(UnixNanos(at)),
            _ => return None,
        })
    }
    /// The instrument, the strategy and the account that the step names by their numbers: whoever lists them anew, in another
    /// order, gives the step the new ones.
    pub const fn names_mut(
        &mut self,
    ) -> (Option<&mut InstrumentId>, Option<&mut StrategyId>, Option<&mut AccountId>) {
        match self {
            Self::Sent(Sent { order, .. })
            | Self::Replaced { sent: Sent { order, .. }, .. }
            | Self::Asked { order, .. } => {
                (Some(&mut order.instrument), Some(&mut order.strategy), Some(&mut order.account))
            }
            Self::Order(KeptOrder { instrument, strategy, account, .. })
            | Self::Positioned { instrument, strategy, account, .. } => {
                (Some(instrument), Some(strategy), Some(account))
            }
            Self::Holds { instrument, strategy, .. } => (Some(instrument), Some(strategy), None),
            Self::AccountHolds { instrument, account, .. } => (Some(instrument), None, Some(account)),
            Self::Due { strategy, .. } | Self::Did { doer: Doer::Strategy(strategy), .. } => {
                (None, Some(strategy), None)
            }
            Self::Did { doer: Doer::Account(account), .. } => (None, None, Some(account)),
            Self::Settled(_) | Self::Execution(_) | Self::CancelSent { .. } | Self::Counted(_) => {
                (None, None, None)
            }
        }
    }
}
