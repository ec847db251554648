//! The part of a market that all agents share: clock, event queue, book, public signals, and the log of what was
//! published.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use types::Side;

use super::event::{MarketEvent, Stamped, TradingState};
use super::profile::Profile;
use super::signals::Signals;
use super::time::{SECOND, nanos};
use crate::book::{Book, Fill, Owner, Resting};
use crate::random::Dice;

/// Who is to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wake {
    /// Maker n looks at its quotes as it regularly does.
    Maker(u8),
    /// Maker n reacts to what it just saw.
    MakerReaction(u8),
    /// The next unprovoked marketable order; false when only the pace is to be looked at again.
    Taker(bool),
    /// A marketable order provoked by an earlier one on this side.
    Follower(bool),
    /// The next sweep of several levels; false when only the pace is to be looked at again.
    Sweep(bool),
    /// The next limit order of the crowd; false when only the pace is to be looked at again.
    Noise(bool),
    /// The owner of a crowd order comes back to it.
    NoiseReturn(u64),
    /// Momentum follower n looks.
    Momentum(u8),
    /// Value trader n looks.
    Value(u8),
    /// The parent-order worker acts.
    Parent,
    /// The iceberg order is worked.
    Iceberg,
    /// The quote stuffer acts.
    Stuff,
    /// The firm's next order.
    Firm,
    /// The firm's market-making strategy bids.
    FirmQuote,
    /// The firm's planted order n.
    FirmPlanted(u8),
    /// Entry n of the scenario's script.
    Script(u8),
    /// Truth is sampled.
    Sample,
}

/// Shared state of one market.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) profile: Profile,
    pub(crate) book: Book,
    pub(crate) signals: Signals,
    pub(crate) dice: Dice,
    /// Time of the event being handled, nanoseconds since midnight.
    pub(crate) now: u64,
    pub(crate) instrument: u16,
    stamp: u64,
    queue: BinaryHeap<Reverse<(u64, u64, Wake)>>,
    scheduled: u64,
    match_no: u64,
    log: Vec<Stamped>,
    fills: Vec<Fill>,
    top: (Option<i64>, Option<i64>),
}

impl Core {
    pub(crate) fn new(instrument: u16, profile: Profile, seed: u64, start: u64) -> Self {
        let dice = Dice::new(seed, 16 + u64::from(instrument));
        let signals = Signals::new(&profile, seed, start);
        Self {
            profile,
            book: Book::default(),
            signals,
            dice,
            now: start,
            instrument,
            stamp: 0,
            queue: BinaryHeap::new(),
            scheduled: 0,
            match_no: 0,
            log: Vec::new(),
            fills: Vec::new(),
            top: (None, None),
        }
    }

    /// Wakes `who` after `wait` nanoseconds.
    pub(crate) fn wake_in(&mut self, wait: u64, who: Wake) {
        self.wake_at(self.now + wait, who);
    }

    /// Wakes `who` at `at`.
    pub(crate) fn wake_at(&mut self, at: u64, who: Wake) {
        self.scheduled += 1;
        self.queue.push(Reverse((at.max(self.now), self.scheduled, who)));
    }

    /// Schedules the next arrival of a Poisson process whose rate is `rate_hz` now: `who(true)` when it comes soon,
    /// else `who(false)` after a quarter second, to draw again at the rate of then (the process has no memory).
    pub(crate) fn arrive_at_rate(&mut self, rate_hz: f64, who: fn(bool) -> Wake) {
        let wait = nanos(self.dice.exponential(1.0 / rate_hz));
        let soon = wait < SECOND / 4;
        self.wake_in(wait.min(SECOND / 4), who(soon));
    }

    /// Advances to the next event before `end`.
    pub(crate) fn next_before(&mut self, end: u64) -> Option<Wake> {
        let Reverse((at, ..)) = self.queue.peek()?;
        if *at >= end {
            return None;
        }
        let Reverse((at, _, who)) = self.queue.pop()?;
        self.now = at;
        self.signals.advance(at);
        Some(who)
    }

    /// Mid price in ticks; the makers' value where a side is empty.
    #[expect(clippy::cast_precision_loss, reason = "prices in ticks fit")]
    pub(crate) fn mid(&self) -> f64 {
        match (self.book.best_bid(), self.book.best_ask()) {
            (Some(bid), Some(ask)) => (bid + ask) as f64 / 2.0,
            _ => self.signals.value(),
        }
    }

    /// Spread in ticks, where both sides exist.
    pub(crate) fn spread(&self) -> Option<i64> {
        Some(self.book.best_ask()? - self.book.best_bid()?)
    }

    /// Rests an order; `px` must not cross.
    pub(crate) fn post(&mut self, side: Side, px: i64, qty: u32, owner: Owner) -> u64 {
        let order = self.book.rest(Resting { side, px, qty, owner });
        let attributed = owner == Owner::Crowd && self.dice.chance(0.02);
        self.publish(MarketEvent::Add { order, side, qty, px, attributed });
        order
    }

    /// Cancels an order whole; `None` when it is gone already.
    pub(crate) fn cancel(&mut self, order: u64) -> Option<Resting> {
        let resting = self.book.delete(order)?;
        self.publish(MarketEvent::Delete { order });
        Some(resting)
    }

    /// Cancels `qty` of an order that has more than that.
    pub(crate) fn trim(&mut self, order: u64, qty: u32) {
        self.book.reduce(order, qty);
        self.publish(MarketEvent::Reduce { order, qty });
    }

    /// Replaces an order by one at `px` for `qty`, which must not cross. `None` when it is gone already.
    pub(crate) fn amend(&mut self, old: u64, px: i64, qty: u32) -> Option<u64> {
        let Resting { side, owner, .. } = self.book.delete(old)?;
        let new = self.book.rest(Resting { side, px, qty, owner });
        self.publish(MarketEvent::Replace { old, new, qty, px });
        Some(new)
    }

    /// An immediate-or-cancel order down (or up) to `limit`, which tells the makers something about value; returns what
    /// was filled.
    pub(crate) fn aggress(&mut self, side: Side, limit: Option<i64>, qty: u32) -> u32 {
        let (filled, last_px) = self.execute(side, limit, qty);
        if let Some(px) = last_px {
            self.signals.traded(side, filled);
            self.signals.learned(&self.profile, side, filled, px);
        }
        filled
    }

    /// As [`Core::aggress`], by someone who only acts on what the makers know already.
    pub(crate) fn snipe(&mut self, side: Side, limit: i64, qty: u32) -> u32 {
        let (filled, _) = self.execute(side, Some(limit), qty);
        self.signals.traded(side, filled);
        filled
    }

    /// Matches and publishes; returns what was filled, and the price of the last of it.
    fn execute(&mut self, side: Side, limit: Option<i64>, qty: u32) -> (u32, Option<i64>) {
        let before = self.fills.len();
        let left = self.book.take(side, limit, qty, &mut self.fills);
        let mut last_px = None;
        for i in before..self.fills.len() {
            let Fill { order, qty, resting } = self.fills[i];
            self.match_no += 1;
            last_px = Some(resting.px);
            self.publish(MarketEvent::Execute { order, qty, match_no: self.match_no });
        }
        (qty - left, last_px)
    }

    /// A trade inside the spread or at the touch against an order nobody saw.
    pub(crate) fn hidden_trade(&mut self, aggressor: Side, qty: u32) {
        let Some(px) = self.book.best(aggressor.opposite()) else { return };
        self.match_no += 1;
        self.publish(MarketEvent::HiddenTrade {
            side: aggressor.opposite(),
            qty,
            px,
            match_no: self.match_no,
        });
        self.signals.traded(aggressor, qty);
        self.signals.learned(&self.profile, aggressor, qty, px);
    }

    /// What the auction would do now.
    pub(crate) fn indicate(&mut self, paired: u32, imbalance: u32) {
        let px = self.auction_px();
        self.publish(MarketEvent::Indicative { paired, imbalance, px });
    }

    /// Whether the instrument trades from now on.
    pub(crate) fn say_state(&mut self, state: TradingState) {
        self.publish(MarketEvent::State(state));
    }

    /// The auction's print.
    pub(crate) fn cross(&mut self, qty: u32, reopens: bool) {
        self.match_no += 1;
        let px = self.auction_px();
        self.publish(MarketEvent::Cross { qty, px, match_no: self.match_no, reopens });
    }

    fn auction_px(&self) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "prices in ticks fit")]
        let px = self.mid().round() as i64;
        px
    }

    /// Fills since the last call, oldest first, for their owners.
    pub(crate) fn take_fills(&mut self) -> Vec<Fill> {
        std::mem::take(&mut self.fills)
    }

    /// Whether the best prices differ from those of the last call.
    pub(crate) fn top_changed(&mut self) -> bool {
        let top = (self.book.best_bid(), self.book.best_ask());
        let changed = top != self.top;
        self.top = top;
        if changed {
            let mid = self.mid();
            self.signals.mid_moved(mid);
        }
        changed
    }

    /// Takes the published events before `end` out of the log.
    pub(crate) fn drain_before(&mut self, end: u64, out: &mut Vec<Stamped>) {
        let keep_from = self.log.partition_point(|e| e.ts_ns < end);
        out.extend(self.log.drain(..keep_from));
    }

    /// Messages of one action follow each other within a microsecond, as a matching engine sends them.
    fn publish(&mut self, event: MarketEvent) {
        let gap = 180 + u64::from(self.dice.below(420));
        self.stamp = self.now.max(self.stamp + gap);
        self.log.push(Stamped { ts_ns: self.stamp, instrument: self.instrument, event });
    }
}
