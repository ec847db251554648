//! A row of the reference table ([`crate::reference`]) as the gate reads it.
//!
//! ```text
//! word 0  bid:64 (0: none)      1  ask:64 (0: none)     2  twice the reference:64 (0: none)     3  ts_ns:64
//!      4  tick reciprocal:64    5  tick table:8 at 56 | feed:4 at 52 | status:4 at 48 | book state:8 at 40 | tick:40
//!      6  the prices about which nothing more is to be asked ([`crate::window`])
//!      7  ask_qty:32 at 32 | bid_qty:32 (saturated)     8  when the last trade happened that is the reference:64 (0: it is none)
//!      9  mean reference of the period:64 (0: none)
//! ```
//!
//! The first seven words are one cache line, and all that an ordinary limit order reads. Tick and reciprocal are those of the
//! prices about the reference.

use types::{BookState, FeedIndex, TickTableId, TradingStatus, UnixNanos};

use crate::{divide::Divisor, ladder::TICK_MAX, price::is_shifted, window::Window};

/// Words of a row.
pub(crate) const REF_WORDS: usize = 10;

/// Those of its first cache line.
pub(crate) const HOT_WORDS: usize = 7;

/// Where word 5 has the trading status, four bits wide.
pub(crate) const STATUS_AT: u32 = 48;

/// Where it has the feed, as wide.
pub(crate) const FEED_AT: u32 = 52;

/// A row as the gate reads it. Prices are positive, or 0 when there is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quote {
    pub bid: u64,
    pub ask: u64,
    pub twice_ref: u64,
    pub ts: UnixNanos,
    /// About the reference.
    pub tick: Divisor,
    /// [`TickTableId`].
    pub tick_table: u8,
    /// [`BookState::to_u8`].
    pub state: u8,
    /// [`TradingStatus`] as a number.
    pub status: u8,
    /// Whose heartbeat keeps it.
    pub feed: FeedIndex,
    /// There is a reference price that does not age by itself, and a tick; both, and the collar over the period, say nothing
    /// against these prices.
    pub window: Window,
    /// Its prices, and those of orders, may be zero or negative. Rows do not say it: the instrument's terms do.
    pub signed: bool,
    pub rest: Rest,
}

/// The words of a row that an ordinary order does not read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest {
    pub bid_qty: u32,
    pub ask_qty: u32,
    /// When the last trade happened that is the reference; 0 when it is none.
    pub last_ts: UnixNanos,
    /// 0 when there is none.
    pub period_mean: u64,
}

impl Rest {
    pub(crate) const NOTHING: Self = Self { bid_qty: 0, ask_qty: 0, last_ts: UnixNanos(0), period_mean: 0 };
}

/// Whether a word is none, or one of an instrument whose prices may, or may not, be zero or negative.
const fn fits(word: u64, signed: bool) -> bool {
    word == 0 || is_shifted(word) == signed
}

impl Quote {
    /// What is judged by when nothing could be read.
    pub(crate) const NOTHING: Self = Self {
        bid: 0,
        ask: 0,
        twice_ref: 0,
        ts: UnixNanos(0),
        tick: Divisor::NONE,
        tick_table: TickTableId::NONE.0,
        state: BookState::Empty.to_u8(),
        status: TradingStatus::Unknown as u8,
        feed: FeedIndex::FIRST,
        window: Window::NONE,
        signed: false,
        rest: Rest::NOTHING,
    };

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the fields' widths in the layout")]
    pub(crate) const fn unpack_hot(words: [u64; HOT_WORDS]) -> Self {
        let [bid, ask, twice_ref, ts, reciprocal, w5, window] = words;
        Self {
            bid,
            ask,
            twice_ref,
            ts: UnixNanos(ts),
            tick: Divisor::from_parts(w5 & TICK_MAX, reciprocal),
            tick_table: (w5 >> 56) as u8,
            state: (w5 >> 40) as u8,
            status: (w5 >> STATUS_AT) as u8 & 0xf,
            feed: FeedIndex::from_low_bits(w5 >> FEED_AT),
            window: Window::from_word(window),
            signed: false,
            rest: Rest::NOTHING,
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the fields' widths in the layout")]
    pub(crate) const fn unpack(words: [u64; REF_WORDS]) -> Self {
        let [w0, w1, w2, w3, w4, w5, w6, qtys, last_ts, period_mean] = words;
        let rest = Rest {
            bid_qty: qtys as u32,
            ask_qty: (qtys >> 32) as u32,
            last_ts: UnixNanos(last_ts),
            period_mean,
        };
        Self { rest, ..Self::unpack_hot([w0, w1, w2, w3, w4, w5, w6]) }
    }

    /// The row as one of an instrument whose prices may, or may not, be zero or negative; none when it was written while they might
    /// not, or might.
    pub(crate) fn of_sign(self, signed: bool) -> Option<Self> {
        let fits = self.prices_fit(signed) && fits(self.rest.period_mean, signed);
        fits.then_some(Self { signed, ..self })
    }

    /// Whether its prices are of an instrument whose prices may, or may not, be zero or negative. Without prices it is of both.
    pub(crate) const fn prices_fit(&self, signed: bool) -> bool {
        fits(self.bid, signed) && fits(self.ask, signed) && fits(self.twice_ref >> 1, signed)
    }

    /// The price of the other side that an order is valued at as well: a sell may yield the bid, which is more than it asks for. What a
    /// buy costs is no more than its price, unless that may be below zero: then it may be paid the ask, which is farther from zero.
    #[inline(always)]
    pub(crate) const fn valued_from(&self, buys: bool) -> u64 {
        match (buys, self.signed) {
            (false, _) => self.bid,
            (true, true) => self.ask,
            (true, false) => 0,
        }
    }

    /// How old the last trade is that is the reference, one of the future as old as it is early; 0 when it is none.
    pub(crate) const fn last_age_ns(&self, now: UnixNanos) -> u64 {
        let last_ts = self.rest.last_ts.0;
        if last_ts == 0 { 0 } else { now.0.abs_diff(last_ts) }
    }
}
