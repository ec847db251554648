//! Reference prices: one seqlock row per instrument ([`crate::quote`]), written by whoever owns the books, and the levels behind
//! the touch in rows of their own ([`crate::depth`]).
//!
//! **What is the reference?** Decided once, when a row is published, not on every order: the mid, when both sides are
//! there, do not cross, and lie near enough to each other (the mid of stub quotes is no price); else the last trade,
//! when it lies inside the sides there are, near enough to one of them, and near enough to the reference before it: a print
//! between stub quotes, or at one, is a price that nobody stands behind. Where there was no reference before, the sides must
//! not be stubs; else none, and the gate refuses. It is stored doubled, so that the mid of an odd sum stays exact.
//! A last trade is one for [`RefRules::last_age_max`] only: the feed's life says that quotes are still right, not that anybody
//! would still trade there.
//!
//! **How old is a reference?** A quote that has not moved for an hour on a feed that is alive and gap-free *is* the
//! current quote; the same quote on a silent feed is not. So a reference is as old as the younger of the row's own time
//! stamp and the heartbeat of the row's feed, which the writer moves on while every channel of that feed is alive and
//! complete: each row says whose it is, and no feed vouches for another's quotes. A writer that never calls
//! [`RefWriter::heartbeat`] gets the strict rule: age since the last change.

use alloc::boxed::Box;

use types::{
    BookState, Depth, FEEDS_MAX, FeedIndex, InstrumentId, Nanos, Px, TickTable, TickTableId, TopOfBook,
    TradingStatus, UnixNanos,
};

use crate::{
    depth::{DEPTH_WORDS, DepthRow, Walk},
    divide::Divisor,
    ladder::{Band, Ladder, TICK_MAX, tick_of},
    memory::{Memory, Private, Row, Sealed},
    period::{History, PeriodCollar},
    price::{price_word, size, size_of_two, word_price},
    quote::{FEED_AT, HOT_WORDS, Quote, REF_WORDS, STATUS_AT},
    slot::{SeqSlot, SlotFault},
    sync::{AtomicU64, Ordering},
    table_error::{ROWS_MAX, TableError, TableSizeError},
    window::Window,
    worth::TermsRows,
};

/// A reference price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Judge {
    /// Twice the price, 0 when there is none.
    twice: u64,
    by_last: bool,
}

/// Quotes that are so many times as far apart as those whose mid is a reference are stubs.
const STUBS_APART: u64 = 10;

/// The reference price; see the module's documentation. Prices are words; `before` is the last reference, 0 where there was none;
/// basis points are of at least `least`.
fn judge((bid, ask, last): (u64, u64, u64), before: u64, spread_max_bps: u32, least: u64) -> Judge {
    // distance / mid <= bps / 10^4, where mid = (low + high) / 2.
    let within = |low: u64, high: u64, bps: u64| {
        let twice_mid = size_of_two(low + high).max(2 * least);
        u128::from(high - low) * 20_000 <= u128::from(twice_mid) * u128::from(bps)
    };
    let near = |low, high| within(low, high, spread_max_bps.into());
    if bid != 0 && ask != 0 && bid <= ask && near(bid, ask) {
        return Judge { twice: bid + ask, by_last: false };
    }
    let above = last >= bid && bid != 0;
    let below = last <= ask && ask != 0;
    let inside = last != 0 && (above || bid == 0) && (below || ask == 0);
    let follows = || match before {
        // Nothing was before it: what there is of a market must not be a pair of stubs.
        0 => bid == 0 || ask == 0 || within(bid, ask, STUBS_APART * u64::from(spread_max_bps)),
        before => near(last.min(before), last.max(before)),
    };
    let vouched = above && near(bid, last) || below && near(last, ask);
    let by_last = inside && vouched && follows();
    Judge { twice: if by_last { 2 * last } else { 0 }, by_last }
}

/// One row as people read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The reference price, rounded down to 1e-9; [`Px::NONE`] when there is none.
    pub px: Px,
    /// Best bid.
    pub bid: Px,
    /// Quantity at the best bid.
    pub bid_qty: u32,
    /// Best ask.
    pub ask: Px,
    /// Quantity at the best ask.
    pub ask_qty: u32,
    /// Tick size about the reference price, [`Px::NONE`] when it is not known.
    pub tick: Px,
    /// When it was known to be right.
    pub ts: UnixNanos,
    /// Whether the book can be believed.
    pub state: BookState,
    /// Whether the venue trades the instrument.
    pub status: TradingStatus,
}

/// Written often and read on every order: a line of its own for each feed.
#[derive(Debug, Default)]
#[repr(C, align(64))]
struct Heartbeat {
    of_feed: AtomicU64,
    /// Whichever feed's came last; in the first line alone.
    of_any: AtomicU64,
}

impl Sealed for Heartbeat {}
impl Row for Heartbeat {}

/// What makes a reference price, and how orders are held to it over time.
#[derive(Clone, Copy, Debug)]
pub struct RefRules<'a> {
    /// Widest spread whose mid is a reference price, in basis points of the mid.
    pub mid_spread_max_bps: u32,
    /// Oldest last trade that is one.
    pub last_age_max: Nanos,
    /// The period of the collar over a period; 0 is none.
    pub period: Nanos,
    /// How much worse than the period's mean reference an order's price may be, in basis points; 0 is no such collar.
    pub period_collar_bps: u32,
    /// The tables of ticks that quotes may name, by [`TickTableId`].
    pub tick_tables: &'a [TickTable],
}

impl RefRules<'_> {
    /// Mids up to a tenth wide, trades up to a minute old, ten percent about the mean of five minutes, and the tables every build
    /// knows.
    pub const DEFAULT: RefRules<'static> = RefRules {
        mid_spread_max_bps: 1_000,
        last_age_max: Nanos(60_000_000_000),
        period: Nanos(300_000_000_000),
        period_collar_bps: 1_000,
        tick_tables: &TickTable::BUILT_IN,
    };
}

/// What readers keep of the rules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub last_age_max: Nanos,
    pub period: PeriodCollar,
}

/// The reference table: makes its two ends.
#[derive(Debug)]
pub struct RefTable;

impl RefTable {
    /// A reference table under [`RefRules::DEFAULT`] with no price in it: every order is refused until the first.
    ///
    /// # Errors
    /// [`TableError`] when there is no instrument or more than [`ROWS_MAX`].
    pub fn create(instruments: usize) -> Result<(RefWriter, RefReader), TableError> {
        Self::create_under(instruments, &RefRules::DEFAULT)
    }

    /// The same under other rules.
    ///
    /// # Errors
    /// As for [`RefTable::create`].
    pub fn create_under(
        instruments: usize,
        rules: &RefRules<'_>,
    ) -> Result<(RefWriter, RefReader), TableError> {
        let reader = RefReader::lay_out(&mut Private, instruments, rules)?;
        Ok((RefWriter::of(&reader, rules), reader))
    }
}

/// An instrument the table does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownInstrument(pub InstrumentId);

impl core::fmt::Display for UnknownInstrument {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "no reference row for instrument {}", self.0.0)
    }
}

impl core::error::Error for UnknownInstrument {}

/// The book owner's end of the reference table. There is one.
pub struct RefWriter {
    rows: RefReader,
    histories: Box<[History]>,
    mid_spread_max_bps: u32,
    /// The last tick with its reciprocal: most instruments share one, and the reciprocal costs a division.
    tick: Divisor,
    /// Whose rows and heartbeat are written.
    feed: FeedIndex,
}

impl core::fmt::Debug for RefWriter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "RefWriter({} instruments)", self.rows.instruments())
    }
}

impl RefWriter {
    /// The writing end of a table that nobody writes yet.
    pub(crate) fn of(rows: &RefReader, rules: &RefRules<'_>) -> Self {
        Self {
            histories: rows.slots.iter().map(|_| History::NEW).collect(),
            rows: rows.clone(),
            mid_spread_max_bps: rules.mid_spread_max_bps,
            tick: Divisor::NONE,
            feed: FeedIndex::FIRST,
        }
    }

    /// What is published from now on, and the heartbeat, are of `feed`; before, of the first.
    #[inline]
    pub const fn of_feed(&mut self, feed: FeedIndex) {
        self.feed = feed;
    }

    /// Publishes one instrument's prices. Wait-free. Prices beyond [`crate::PX_MAX`] count as none, and those that are not positive,
    /// unless the instrument's may be ([`crate::InstrumentTerms`]); a tick below 2e-9 or above 1,099 counts as unknown.
    ///
    /// # Errors
    /// [`UnknownInstrument`].
    #[inline]
    pub fn publish(&mut self, instrument: InstrumentId, top: &TopOfBook) -> Result<(), UnknownInstrument> {
        let unknown = UnknownInstrument(instrument);
        let saturated = |qty: u64| qty.min(u32::MAX.into());
        let least = self.rows.terms.least(instrument);
        let signed = least != 0;
        // An empty book has no prices, whatever else is said of it.
        let (bid, ask, last) = match top.state {
            BookState::Empty => (0, 0, 0),
            BookState::Live | BookState::Stale(_) | BookState::Recovering => {
                (price_word(top.bid, signed), price_word(top.ask, signed), price_word(top.last, signed))
            }
        };
        let history = self.histories.get_mut(instrument.index()).ok_or(unknown)?;
        history.keep_kind(signed);
        let before = history.last();
        let Judge { twice, by_last } = judge((bid, ask, last), before, self.mid_spread_max_bps, least);
        let px = twice >> 1;
        let band = self.band(top, size(if twice == 0 { bid.max(ask) } else { px }));
        let history = self.histories.get_mut(instrument.index()).ok_or(unknown)?;
        // What a book is not sure of is no part of its history.
        let sampled = if top.state.is_live() { px } else { 0 };
        history.note(top.ts, sampled, top.status == TradingStatus::Trading, self.rows.held.period);
        let slot = self.rows.slots.get(instrument.index()).ok_or(unknown)?;
        slot.write([
            bid,
            ask,
            twice,
            top.ts.0,
            band.tick.reciprocal(),
            band.tick.divisor()
                | u64::from(top.state.to_u8()) << 40
                | u64::from(top.status as u8) << STATUS_AT
                | u64::from(self.feed.number()) << FEED_AT
                | u64::from(top.tick_table.0) << 56,
            if twice == 0 || by_last || signed { Window::NONE } else { window(band, history) }.word(),
            saturated(top.bid_qty) | saturated(top.ask_qty) << 32,
            // No time is no trade of long ago, and so none to judge by.
            if by_last { top.last_ts.0.max(1) } else { 0 },
            history.mean(),
        ]);
        Ok(())
    }

    /// The prices about `px` that have one tick.
    fn band(&mut self, top: &TopOfBook, px: u64) -> Band {
        if let Some(table) = top.tick_table.index() {
            return self.rows.ladders.get(table).map_or(Band::everywhere(Divisor::NONE), |l| l.band(px));
        }
        let tick = price_word(top.tick, false);
        if self.tick.divisor() != tick || tick > TICK_MAX {
            self.tick = tick_of(top.tick);
        }
        Band::everywhere(self.tick)
    }

    /// Publishes one instrument's levels, before the [`RefWriter::publish`] of the same moment. Without them a market order is
    /// let out for what the touch shows and no more. Wait-free.
    ///
    /// # Errors
    /// [`UnknownInstrument`].
    pub fn publish_depth(
        &mut self,
        instrument: InstrumentId,
        depth: &Depth,
    ) -> Result<(), UnknownInstrument> {
        let slot = self.rows.depths.get(instrument.index()).ok_or(UnknownInstrument(instrument))?;
        slot.write(DepthRow::pack(depth, self.rows.terms.least(instrument) != 0));
        Ok(())
    }

    /// Says that every channel of the feed was alive and complete at `now`, so that its quotes which have not changed
    /// are still right. Never call it for a channel that is silent, or with a gap open.
    #[inline]
    pub fn heartbeat(&mut self, now: UnixNanos) {
        let [first, ..] = self.rows.heartbeats;
        self.rows.heartbeats[self.feed.index()].of_feed.store(now.0, Ordering::Release);
        // A feed that is quiet by its own rules says an older time than another has said.
        first.of_any.store(now.0.max(first.of_any.load(Ordering::Relaxed)), Ordering::Release);
    }

    /// Leaves a row as a writer would that dies in the middle of a record.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn abandon(&mut self, instrument: InstrumentId) {
        self.rows.slots.get(instrument.index()).expect("a row").abandon();
    }
}

/// The prices to which a band's tick applies and that no collar over the period forbids.
fn window(band: Band, history: &History) -> Window {
    if band.tick == Divisor::NONE {
        return Window::NONE;
    }
    let (least, most) = history.allowed();
    Window::inside(band.from.max(least), band.to.min(most.saturating_add(1)))
}

/// A reader of the reference table.
#[derive(Clone)]
pub struct RefReader {
    slots: &'static [SeqSlot<REF_WORDS>],
    depths: &'static [SeqSlot<DEPTH_WORDS>],
    heartbeats: &'static [Heartbeat; FEEDS_MAX],
    pub(crate) terms: TermsRows,
    ladders: Box<[Ladder]>,
    held: Held,
}

impl core::fmt::Debug for RefReader {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "RefReader({} instruments)", self.slots.len())
    }
}

impl RefReader {
    /// A table with no price in it.
    pub(crate) fn lay_out(
        memory: &mut impl Memory,
        instruments: usize,
        rules: &RefRules<'_>,
    ) -> Result<Self, TableError> {
        if instruments == 0 || instruments > ROWS_MAX {
            return Err(TableSizeError { instruments, classes: 1 }.into());
        }
        let period = PeriodCollar::new(rules.period, rules.period_collar_bps);
        let (slots, depths) = (memory.rows(instruments)?, memory.rows(instruments)?);
        let heartbeats: &'static [Heartbeat] = memory.rows(FEEDS_MAX)?;
        Ok(Self {
            slots,
            depths,
            heartbeats: heartbeats.try_into().map_err(|_| TableSizeError { instruments, classes: 1 })?,
            terms: TermsRows::lay_out(memory, instruments)?,
            ladders: rules.tick_tables.iter().take(TickTableId::COUNT_MAX).map(Ladder::new).collect(),
            held: Held { last_age_max: rules.last_age_max, period },
        })
    }

    /// The newest prices of an instrument; `None` when there are none or they cannot be read whole.
    #[must_use]
    pub fn read(&self, instrument: InstrumentId) -> Option<Reference> {
        let quote = self.quote(instrument).ok()?;
        Some(Reference {
            px: word_price(quote.twice_ref / 2),
            bid: word_price(quote.bid),
            bid_qty: quote.rest.bid_qty,
            ask: word_price(quote.ask),
            ask_qty: quote.rest.ask_qty,
            tick: word_price(quote.tick.divisor()),
            ts: quote.ts,
            // A byte that is no state is a book that is not to be believed.
            state: BookState::from_u8(quote.state).unwrap_or(BookState::Recovering),
            status: TradingStatus::from_u64(quote.status.into()),
        })
    }

    /// The newest prices, without [`crate::quote::Rest`].
    #[inline(always)]
    pub(crate) fn hot(&self, instrument: InstrumentId) -> Result<Quote, SlotFault> {
        let slot = self.slots.get(instrument.index()).ok_or(SlotFault::Empty)?;
        slot.read::<HOT_WORDS>().map(Quote::unpack_hot)
    }

    pub(crate) fn quote(&self, instrument: InstrumentId) -> Result<Quote, SlotFault> {
        let slot = self.slots.get(instrument.index()).ok_or(SlotFault::Empty)?;
        slot.read::<REF_WORDS>().map(Quote::unpack)
    }

    /// The tick of an order's price, [`Divisor::NONE`] when it is not known.
    pub(crate) fn tick_at(&self, quote: &Quote, px: u64) -> Divisor {
        match TickTableId(quote.tick_table).index() {
            None => quote.tick,
            Some(table) => self.ladders.get(table).map_or(Divisor::NONE, |ladder| ladder.band(px).tick),
        }
    }

    /// The mean reference of the period at `now`; 0 when there is none, or the reference has not changed for so long that it is
    /// its own mean.
    pub(crate) const fn period_mean(&self, quote: &Quote, now: UnixNanos) -> u64 {
        if now.since(quote.ts).0 < self.held.period.period_ns() { quote.rest.period_mean } else { 0 }
    }

    /// The rules that orders are held to.
    #[inline(always)]
    pub(crate) const fn held(&self) -> Held {
        self.held
    }

    /// What an order would trade at that wants `qty` of a touch of `far_qty` at `far` and of what lies behind it.
    pub(crate) fn walk(
        &self,
        instrument: InstrumentId,
        buys: bool,
        qty: u32,
        far: u64,
        far_qty: u32,
    ) -> Walk {
        let row = self.depths.get(instrument.index()).and_then(|slot| slot.read::<DEPTH_WORDS>().ok());
        match row.map(DepthRow::new) {
            Some(row) => row.walk(buys, qty, far, far_qty),
            None => Walk::touch(qty, far, far_qty),
        }
    }

    /// When any feed was last known to be alive and complete: it says what time it is, and nothing of a quote.
    #[inline(always)]
    pub(crate) fn heartbeat(&self) -> UnixNanos {
        let [first, ..] = self.heartbeats;
        UnixNanos(first.of_any.load(Ordering::Relaxed))
    }

    /// When the feed that wrote `quote` was last known to be alive and complete.
    #[inline(always)]
    pub(crate) fn heartbeat_of(&self, quote: &Quote) -> UnixNanos {
        UnixNanos(self.heartbeats[quote.feed.index()].of_feed.load(Ordering::Relaxed))
    }

    /// How many instruments it has.
    #[must_use]
    pub fn instruments(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of its slots, of their writer's histories and of the tick tables, which both ends have, for the boot report.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(self.slots)
            + size_of_val(self.depths)
            + size_of_val(self.heartbeats)
            + self.terms.bytes()
            + self.slots.len() * size_of::<History>()
            + 2 * size_of_val(&*self.ladders)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::price::PX_MAX;
    use types::StaleCause;

    const CENT: Px = Px(10_000_000);

    fn top() -> TopOfBook {
        TopOfBook {
            bid: Px::from_1e4(1_000_000),
            bid_qty: 300,
            ask: Px::from_1e4(1_000_100),
            ask_qty: u64::from(u32::MAX) + 5,
            last: Px::from_1e4(1_000_050),
            last_ts: UnixNanos(77),
            tick: CENT,
            tick_table: TickTableId::NONE,
            ts: UnixNanos(77),
            state: BookState::Live,
            status: TradingStatus::Trading,
        }
    }

    #[test]
    fn a_row_is_read_as_written_with_quantities_saturated() {
        let (mut writer, reader) = RefTable::create(2).unwrap();
        let instrument = InstrumentId(1);
        assert_eq!(reader.read(instrument), None);
        writer.publish(instrument, &top()).unwrap();
        let read = reader.read(instrument).unwrap();
        assert_eq!((read.bid, read.bid_qty, read.ask, read.ask_qty), (top().bid, 300, top().ask, u32::MAX));
        assert_eq!((read.px, read.tick, read.ts), (Px::from_1e4(1_000_050), CENT, UnixNanos(77)));
        assert_eq!(writer.publish(InstrumentId(2), &top()), Err(UnknownInstrument(InstrumentId(2))));
    }

    #[test]
    fn about_zero_a_spread_is_measured_by_what_the_instrument_is_worth_at_least() {
        let least = 200_000_000;
        let spread = |half: i64| [-half, half].map(|px| price_word(Px(px), true));
        for (half, near) in [(1_000_000, true), (1_000_001, false)] {
            let [bid, ask] = spread(half);
            assert_eq!(judge((bid, ask, 0), 0, 100, least).twice != 0, near, "a hundredth of it");
        }
    }

    #[test]
    fn a_last_trade_beside_a_crossed_book_is_no_reference() {
        let (mut writer, reader) = RefTable::create(1).unwrap();
        let (bid, ask) = (Px::from_1e4(1_000_400), Px::from_1e4(1_000_200));
        for last in [999_900, 1_000_200, 1_000_300, 1_000_400, 1_000_500].map(Px::from_1e4) {
            writer.publish(InstrumentId(0), &TopOfBook { bid, ask, last, ..top() }).unwrap();
            assert_eq!(reader.read(InstrumentId(0)).unwrap().px, Px::NONE, "{last:?}");
        }
    }

    #[test]
    fn prices_and_ticks_that_are_none_read_as_none() {
        let (mut writer, reader) = RefTable::create(1).unwrap();
        for bad in [Px(0), Px(-1), Px::NONE, Px(PX_MAX.0 + 1), Px(i64::MIN)] {
            let sick = TopOfBook { bid: bad, ask: bad, last: bad, tick: bad, ..top() };
            writer.publish(InstrumentId(0), &sick).unwrap();
            let read = reader.read(InstrumentId(0)).unwrap();
            assert_eq!((read.bid, read.ask, read.px, read.tick), (Px::NONE, Px::NONE, Px::NONE, Px::NONE));
        }
        for (tick, known) in [(1, false), (2, true), (1 << 40, false), ((1 << 40) - 1, true)] {
            writer.publish(InstrumentId(0), &TopOfBook { tick: Px(tick), ..top() }).unwrap();
            assert_eq!(reader.read(InstrumentId(0)).unwrap().tick.is_some(), known, "{tick}");
        }
    }

    #[test]
    fn every_book_state_and_status_survives() {
        let (mut writer, reader) = RefTable::create(1).unwrap();
        for state in [
            BookState::Empty,
            BookState::Live,
            BookState::Recovering,
            BookState::Stale(StaleCause::Gap),
            BookState::Stale(StaleCause::TableFull),
            BookState::Stale(StaleCause::SessionChange),
        ] {
            for status in (0..=4).map(TradingStatus::from_u64) {
                writer.publish(InstrumentId(0), &TopOfBook { state, status, ..top() }).unwrap();
                let read = reader.read(InstrumentId(0)).unwrap();
                assert_eq!((read.state, read.status), (state, status));
                assert_eq!(read.px.is_some(), state != BookState::Empty);
            }
        }
    }

    #[test]
    fn the_reference_is_the_mid_then_a_last_trade_inside_then_nothing() {
        for (bid, ask, last, before, twice, why) in [
            (100, 103, 0, 0, 203, "the mid, exact although the sum is odd"),
            (100, 100, 0, 0, 200, "a locked book has a mid"),
            (100, 200, 105, 103, 210, "too wide a spread: the last trade inside, near the bid"),
            (100, 200, 190, 195, 380, "near the ask"),
            (100, 200, 150, 150, 0, "near neither: a print between stub quotes"),
            (100, 200, 250, 250, 0, "too wide, and the last trade outside"),
            (1, 0, 100, 100, 0, "one stub, and a trade far from it"),
            (0, 300, 100, 100, 0, "the other stub"),
            (100, 0, 110, 110, 220, "one side, the last trade near enough"),
            (100, 0, 111, 110, 0, "too far from it"),
            (100, 0, 100, 101, 200, "one side, the last trade at it"),
            (100, 0, 99, 100, 0, "one side, the last trade beyond it"),
            (0, 100, 100, 100, 200, "the other side"),
            (0, 100, 101, 100, 0, "the other side, beyond"),
            (0, 0, 100, 100, 0, "a trade without a book"),
            (103, 100, 101, 101, 0, "a crossed book"),
            (0, 0, 0, 100, 0, "nothing"),
            (1, 20_000_000, 1, 0, 0, "a print at a stub, and nothing before it"),
            (100, 300, 105, 0, 210, "nothing before it, and sides that are wide and no stubs"),
            (100, 301, 105, 0, 0, "stubs"),
            (100, 0, 105, 0, 210, "one side, and nothing before it"),
            (1, 20_000_000, 1, 100, 0, "the same after a market"),
            (1, 20_000_000, 20_000_000, 100, 0, "at the other stub"),
            (0, 20_000_000, 20_000_000, 100, 0, "at the only one"),
            (100, 200, 105, 94, 0, "too far from the reference before it"),
            (100, 200, 105, 95, 210, "near enough to it"),
        ] {
            let by_last = twice != 0 && twice == 2 * last;
            assert_eq!(judge((bid, ask, last), before, 1_000, 0), Judge { twice, by_last }, "{why}");
        }
        let twice = |bid, ask| judge((bid, ask, 0), 0, 1_000, 0).twice;
        assert_eq!(twice(9_500, 10_500), 20_000, "exactly at the widest");
        assert_eq!(twice(9_499, 10_501), 0, "just beyond");
    }
}
