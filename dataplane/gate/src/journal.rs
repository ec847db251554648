//! What a gate did, step by step, as it is kept outside the process: a gate that is made again and takes the same steps
//! ([`crate::Gate::restore`]) holds the same positions, open orders, executions and rates.
//!
//! ```text
//! word 0  kind:8 | a:8 | b:8 | c:8 | high:32     a, b, c: side, type and time in force, or what an event is
//!      1  an order's id, an execution, a position, or how far below it
//!      2  a price, when the next order is due, or how far above
//!      3  instrument:32 | quantity:32
//!      4  strategy:16 | account:16 | executed, or an order's rounded value:32
//!      5  the price an order was judged at, or the other id of a replacement
//!      6  when
//!      7  the replaced order, or the price of a trade
//! ```
//!
//! The words are a file format: kinds are appended, never changed.

use types::{InstrumentId, Px, Qty, Side, UnixNanos};

use crate::{
    activity::{Doer, KINDS, RoundedValue},
    executions::Booked,
    ids::{AccountId, StrategyId},
    intent::{OrderEvent, OrderIntent},
    step_words::{Fields, STEP_WORDS, event_of, event_parts, halves, head, low_high, side_byte, who, whole},
};

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
    /// Where it is in its life: 0 open, 1 a replacement that waits for its answer, 2 closed, 3 never taken by the venue.
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
    /// How far a position that is in doubt may lie from where it is, by other readings of what the venue has said. Without it, as far as
    /// any.
    Astray {
        /// The instrument.
        instrument: InstrumentId,
        /// The strategy.
        strategy: StrategyId,
        /// How much lower it may be.
        below: u64,
        /// How much higher.
        above: u64,
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
    Execution {
        /// Its number.
        execution: u64,
        /// What it counted for.
        booked: Booked,
    },
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
    /// What a strategy or an account traded of an instrument within a day of the firm's.
    Tallied {
        /// Whose it is.
        doer: Doer,
        /// The instrument.
        instrument: InstrumentId,
        /// Bought less sold.
        traded: i64,
        /// What sales brought less what purchases cost, in 1e-9 of the instrument's currency.
        cash: i128,
        /// Bought and sold.
        volume: u64,
        /// A time of that day.
        at: UnixNanos,
    },
    /// The latest time that was told ([`crate::Gate::pass_time`]).
    Told(UnixNanos),
    /// Orders of one side that were executed one after the other.
    Streak {
        /// The instrument.
        instrument: InstrumentId,
        /// The strategy.
        strategy: StrategyId,
        /// The side.
        side: Side,
        /// The window of the last one, by its number.
        window: u64,
        /// How many in that window, and in the one before.
        counts: [u32; 2],
    },
    /// How often executions that were repeated have stopped a strategy.
    Stopped {
        /// The strategy.
        strategy: StrategyId,
        /// How often.
        count: u32,
    },
    /// Up to which of its stops a strategy's breaker says all: what the appliance did, which changes nothing in a gate.
    StopTaken {
        /// The strategy.
        strategy: StrategyId,
        /// Up to which.
        count: u32,
    },
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
const STRATEGY_TALLIED: u8 = 15;
const ACCOUNT_TALLIED: u8 = 16;
const TOLD: u8 = 17;
const STREAK: u8 = 18;
const STOPPED: u8 = 19;
const STOP_TAKEN: u8 = 20;
const ASTRAY: u8 = 21;

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

fn settled_words(event: &OrderEvent) -> [u64; STEP_WORDS] {
    let (number, qty, execution) = event_parts(event);
    let px = if let OrderEvent::ExecutedAt { px, .. } = event { px.0.cast_unsigned() } else { 0 };
    [head(SETTLED, [number, 0, 0], qty), event.id(), execution, 0, 0, 0, 0, px]
}

fn kept_words(kept: &KeptOrder) -> [u64; STEP_WORDS] {
    [
        head(ORDER, [side_byte(kept.side), kept.life, 0], kept.pending_qty),
        kept.id,
        kept.px,
        low_high(kept.instrument.0, kept.qty),
        who(kept.strategy, kept.account, kept.executed),
        kept.link,
        0,
        0,
    ]
}

fn stop_words(kind: u8, strategy: StrategyId, count: u32) -> [u64; STEP_WORDS] {
    [head(kind, [0; 3], count), 0, 0, 0, who(strategy, AccountId(0), 0), 0, 0, 0]
}

fn sent_of(fields: &Fields) -> Option<Sent> {
    let [.., w4, judged_px, at, _] = fields.words;
    let value = RoundedValue((w4 >> 32) as u32);
    Some(Sent { order: fields.order()?, judged_px, interval_ns: fields.high, value, at: UnixNanos(at) })
}

const fn did(doer: Doer, fields: &Fields) -> Option<Step> {
    let ([kind, ..], [_, sum, _, _, _, _, at, _]) = (fields.bytes, fields.words);
    if (kind as usize) < KINDS { Some(Step::Did { doer, kind, sum, at: UnixNanos(at) }) } else { None }
}

fn tallied(doer: Doer, fields: &Fields) -> Step {
    let [_, traded, low, _, _, high, at, volume] = fields.words;
    let (instrument, cash) = (fields.instrument(), whole([low, high]));
    Step::Tallied { doer, instrument, traded: traded.cast_signed(), cash, volume, at: UnixNanos(at) }
}

fn kept_of(fields: &Fields) -> Option<KeptOrder> {
    let [_, id, px, _, w4, link, ..] = fields.words;
    let life = fields.bytes[1];
    Some(KeptOrder {
        id,
        instrument: fields.instrument(),
        strategy: fields.strategy(),
        account: fields.account(),
        side: fields.side()?,
        life: if life > 3 { return None } else { life },
        px,
        link,
        qty: fields.qty(),
        executed: (w4 >> 32) as u32,
        pending_qty: fields.high,
    })
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
            Self::Settled(event) => settled_words(event),
            &Self::Positioned { instrument, strategy, account, position } => {
                let who = who(strategy, account, 0);
                [head(POSITIONED, [0; 3], 0), position.cast_unsigned(), 0, at(instrument), who, 0, 0, 0]
            }
            &Self::Holds { instrument, strategy, position, due } => {
                let who = who(strategy, nobody, 0);
                [head(HOLDS, [0; 3], 0), position.cast_unsigned(), due, at(instrument), who, 0, 0, 0]
            }
            &Self::Astray { instrument, strategy, below, above } => {
                [head(ASTRAY, [0; 3], 0), below, above, at(instrument), who(strategy, nobody, 0), 0, 0, 0]
            }
            &Self::AccountHolds { instrument, account, position } => {
                let who = who(none, account, 0);
                [head(ACCOUNT_HOLDS, [0; 3], 0), position.cast_unsigned(), 0, at(instrument), who, 0, 0, 0]
            }
            &Self::Due { strategy, due, at } => {
                [head(DUE, [0; 3], 0), 0, due.0, 0, who(strategy, nobody, 0), 0, at.0, 0]
            }
            Self::Order(kept) => kept_words(kept),
            &Self::Execution { execution, booked: Booked { px, order, qty, left } } => {
                let px = px.0.cast_unsigned();
                [head(EXECUTION, [1, 0, 0], left), execution, px, low_high(0, qty), 0, order, 0, 0]
            }
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
            &Self::Tallied { doer, instrument, traded, cash, volume, at: when } => {
                let (step, who) = match doer {
                    Doer::Strategy(strategy) => (STRATEGY_TALLIED, who(strategy, nobody, 0)),
                    Doer::Account(account) => (ACCOUNT_TALLIED, who(none, account, 0)),
                };
                let [low, high] = halves(cash);
                let traded = traded.cast_unsigned();
                [head(step, [0; 3], 0), traded, low, at(instrument), who, high, when.0, volume]
            }
            &Self::Told(at) => [head(TOLD, [0; 3], 0), 0, 0, 0, 0, 0, at.0, 0],
            &Self::Streak { instrument, strategy, side, window, counts: [last, before] } => {
                let head = head(STREAK, [side_byte(side), 0, 0], last);
                [head, window, before.into(), at(instrument), who(strategy, nobody, 0), 0, 0, 0]
            }
            &Self::Stopped { strategy, count } => stop_words(STOPPED, strategy, count),
            &Self::StopTaken { strategy, count } => stop_words(STOP_TAKEN, strategy, count),
        }
    }

    /// The step of `words`; `None` when they are none.
    #[must_use]
    pub fn unpack(words: [u64; STEP_WORDS]) -> Option<Self> {
        let fields = Fields::new(words);
        let [_, w1, w2, _, _, w5, at, replaced] = words;
        let (instrument, position) = (fields.instrument(), w1.cast_signed());
        let (strategy, account) = (fields.strategy(), fields.account());
        Some(match fields.kind {
            SENT => Self::Sent(sent_of(&fields)?),
            REPLACED => Self::Replaced { replaced, sent: sent_of(&fields)? },
            SETTLED => {
                let px = Px(replaced.cast_signed());
                Self::Settled(event_of(fields.bytes[0], (w1, w2), Qty(fields.high), px)?)
            }
            POSITIONED => Self::Positioned { instrument, strategy, account, position },
            HOLDS => Self::Holds { instrument, strategy, position, due: w2 },
            ASTRAY => Self::Astray { instrument, strategy, below: w1, above: w2 },
            ACCOUNT_HOLDS => Self::AccountHolds { instrument, account, position },
            DUE => Self::Due { strategy, due: UnixNanos(w2), at: UnixNanos(at) },
            ORDER => Self::Order(kept_of(&fields)?),
            EXECUTION => {
                // Before it was kept what one counted for, nothing was said of it.
                let px = Px(w2.cast_signed());
                let kept = Booked { px, order: w5, qty: fields.qty(), left: fields.high };
                let booked = if fields.bytes[0] == 0 { Booked::UNKNOWN } else { kept };
                Self::Execution { execution: w1, booked }
            }
            ASKED => Self::Asked { order: fields.order()?, at: UnixNanos(at) },
            CANCEL_SENT => Self::CancelSent { id: w1, at: UnixNanos(at) },
            STRATEGY_DID => did(Doer::Strategy(strategy), &fields)?,
            ACCOUNT_DID => did(Doer::Account(account), &fields)?,
            COUNTED => Self::Counted(UnixNanos(at)),
            STRATEGY_TALLIED => tallied(Doer::Strategy(strategy), &fields),
            ACCOUNT_TALLIED => tallied(Doer::Account(account), &fields),
            TOLD => Self::Told(UnixNanos(at)),
            STREAK => {
                let counts = [fields.high, u32::try_from(w2).ok()?];
                Self::Streak { instrument, strategy, side: fields.side()?, window: w1, counts }
            }
            STOPPED => Self::Stopped { strategy, count: fields.high },
            STOP_TAKEN => Self::StopTaken { strategy, count: fields.high },
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
            Self::Holds { instrument, strategy, .. }
            | Self::Astray { instrument, strategy, .. }
            | Self::Streak { instrument, strategy, .. }
            | Self::Tallied { instrument, doer: Doer::Strategy(strategy), .. } => {
                (Some(instrument), Some(strategy), None)
            }
            Self::AccountHolds { instrument, account, .. }
            | Self::Tallied { instrument, doer: Doer::Account(account), .. } => {
                (Some(instrument), None, Some(account))
            }
            Self::Due { strategy, .. }
            | Self::Stopped { strategy, .. }
            | Self::StopTaken { strategy, .. }
            | Self::Did { doer: Doer::Strategy(strategy), .. } => (None, Some(strategy), None),
            Self::Did { doer: Doer::Account(account), .. } => (None, None, Some(account)),
            Self::Settled(_)
            | Self::Execution { .. }
            | Self::CancelSent { .. }
            | Self::Counted(_)
            | Self::Told(_) => (None, None, None),
        }
    }
}
