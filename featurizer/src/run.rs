//! One call of the featurizer: events in, books, quotes and features on.

use types::{Action, BookEvent, EventFlags, InstrumentId, Side, TopOfBook};

use crate::ahead::AHEAD_MAX;
use crate::apply::{Applied, BooksMut, Conditions, Effect};
use crate::coming::Coming;
use crate::config::OnFull;
use crate::features::GRID_NS;
use crate::grid::Grid;
use crate::prints::Broken;
use crate::sinks::{FeatureSink, Observer, TopOfBookSink};
use crate::view::Bbo;

/// Instruments closed after each block of events.
pub(crate) const CLOSE_STEP: usize = 32;

/// One call of [`crate::Featurizer::apply`].
pub(crate) struct Run<'a, 's, S> {
    pub(crate) books: BooksMut<'a>,
    pub(crate) grid: &'a mut Grid,
    pub(crate) sink: &'s mut S,
}

impl<S: FeatureSink + TopOfBookSink + Observer> Run<'_, '_, S> {
    /// Applies events in order and returns how many were consumed.
    pub(crate) fn apply(&mut self, events: &[BookEvent]) -> usize {
        let mut consumed = 0;
        self.grid.flush(self.sink);
        for chunk in events.chunks(self.grid.lookahead.clamp(1, AHEAD_MAX)) {
            if let [alone] = chunk {
                if !self.apply_alone(alone) {
                    return consumed;
                }
                consumed += 1;
            } else {
                let ahead = self.books.look_ahead(chunk);
                self.grid.engine.prefetch(chunk);
                for coming in ahead.iter() {
                    if !self.reach(coming.event()) {
                        return consumed;
                    }
                    self.step(coming);
                    consumed += 1;
                }
            }
            self.grid.close_some(&self.books, CLOSE_STEP);
            self.grid.flush(self.sink);
        }
        consumed
    }

    /// The same for one event, without asking for what it is about to use. False when it has to wait for the sink.
    #[inline(never)]
    fn apply_alone(&mut self, event: &BookEvent) -> bool {
        let reached = self.reach(event);
        if reached {
            self.step(self.books.alone(event));
        }
        reached
    }

    /// Closes every grid point before the event. False when that has to wait for the sink.
    #[inline]
    fn reach(&mut self, event: &BookEvent) -> bool {
        // Within the running step, which is open on the left: neither late nor later.
        let into_step = event.ts_event.0.wrapping_sub(self.grid.step_start).wrapping_sub(1);
        into_step < GRID_NS || self.reach_other(event.ts_event.0)
    }

    #[cold]
    #[inline(never)]
    fn reach_other(&mut self, ts: u64) -> bool {
        if self.grid.number.is_some_and(|number| ts <= number * GRID_NS) {
            self.grid.counters.late_events += u64::from(ts != 0);
            return true;
        }
        self.reach_later(ts)
    }

    fn reach_later(&mut self, ts: u64) -> bool {
        if ts == 0 {
            // An event without a time of its own (a definition from the configuration) moves no grid.
            return true;
        }
        let wanted = ts.div_ceil(GRID_NS).min(u64::MAX / GRID_NS);
        let Some(mut number) = self.grid.number else {
            self.grid.set_number(wanted);
            return true;
        };
        while number < wanted {
            self.grid.close_some(&self.books, usize::MAX);
            if !self.grid.flush(self.sink) && self.grid.on_full == OnFull::Wait {
                return false;
            }
            if self.grid.touched.is_empty() && self.grid.active.is_empty() {
                number = wanted;
            } else {
                self.grid.begin_close(number);
                number += 1;
            }
            self.grid.set_number(number);
        }
        if self.grid.on_full == OnFull::Wait {
            self.grid.close_some(&self.books, usize::MAX);
            self.grid.flush(self.sink);
        }
        true
    }

    #[inline]
    fn step(&mut self, coming: Coming<'_>) {
        let event = coming.event();
        let instrument = event.instrument;
        let i = instrument.index();
        if self.grid.closing.is_some() {
            self.close_before(event);
        }
        let ordinary = event.action as u8 <= Action::Trade as u8 && !self.books.is_doubtful(instrument);
        let applied = self.books.apply_coming(coming);
        if !ordinary || applied.effect > Effect::Changed {
            self.after_rare(event);
        }
        if i >= self.grid.vectors.len() {
            return;
        }
        self.grid.touched.insert(i);
        self.grid.engine.count(i, event, &applied);
        if matches!(event.action, Action::OrderExecute | Action::Trade) && applied.effect != Effect::Unknown {
            self.after_trade(event, &applied);
        }
        if applied.effect.changes_levels() && event.flags.has(EventFlags::LAST) {
            self.refresh_quote(event);
        }
        if self.grid.engine.is_watched(i, event.ts_event)
            && let Some(book) = self.books.book(instrument)
        {
            self.grid.engine.observe(i, &book);
        }
        if S::ACTIVE
            && let Some(book) = self.books.book(instrument)
        {
            self.sink.on_event_applied(event, &book, applied.effect);
        }
    }

    /// Makes the vectors of the last grid point that the event would change.
    fn close_before(&mut self, event: &BookEvent) {
        let i = event.instrument.index();
        if i < self.grid.vectors.len() {
            if self.grid.pending.contains(i) {
                self.grid.close_one(i, &self.books);
            }
        } else if event.action != Action::Time {
            self.grid.close_some(&self.books, usize::MAX);
        }
    }

    /// Reads the best quotes after a whole venue event.
    #[inline]
    fn refresh_quote(&mut self, event: &BookEvent) {
        let Some(before) = self.books.refresh_quote(event.instrument) else { return };
        let i = event.instrument.index();
        if event.action != Action::Clear {
            self.grid.engine.on_quote(i, event, &before, &self.books.bbo(event.instrument));
        }
        self.grid.note_changed(i);
        if S::ACTIVE
            && let Some(book) = self.books.book(event.instrument)
        {
            self.sink.on_bbo(event, &book);
        }
    }

    fn after_trade(&mut self, event: &BookEvent, applied: &Applied) {
        let i = event.instrument.index();
        if !event.flags.has(EventFlags::NON_PRINTABLE) && applied.px.is_some() {
            self.grid.prints[i].push(event.aux, applied.px, event.ts_event);
            self.grid.note_changed(i);
        }
        if event.flags.has(EventFlags::CROSS) || applied.qty == 0 {
            return;
        }
        let before = self.books.bbo(event.instrument);
        if let Some(side) = resting_side(event, applied, &before) {
            self.grid.catch_up_to_now(i);
            self.grid.engine.on_trade(i, event.ts_event, applied, side, &before);
        }
    }

    /// Everything that is not plain order flow on a live book: states and statuses may have changed.
    #[cold]
    fn after_rare(&mut self, event: &BookEvent) {
        let i = event.instrument.index();
        if let Some(other) = self.books.doubted_too() {
            let other = other.index();
            // Its vector of the last grid point is of the book that was believed then.
            if self.grid.closing.is_some() && self.grid.pending.contains(other) {
                self.grid.close_one(other, &self.books);
            }
            self.books.doubt_other();
            self.grid.touched.insert(other);
            self.after_rare_of(other, event);
        }
        if i < self.grid.vectors.len() {
            if event.action == Action::TradeBreak {
                self.take_back(i, event.aux);
            }
            self.after_rare_of(i, event);
        } else if event.instrument == InstrumentId::ALL && event.action != Action::Time {
            if event.action == Action::Clear {
                self.restart_day(event);
            }
            for i in 0..self.books.used() {
                if event.action == Action::Channel && !self.books.is_of(i, event.channel) {
                    continue;
                }
                self.grid.touched.insert(i);
                self.after_rare_of(i, event);
            }
        }
    }

    /// The venue broke a trade: the one before it is the last again.
    fn take_back(&mut self, i: usize, trade: u64) {
        let counters = &mut self.grid.counters;
        counters.trade_breaks += 1;
        match self.grid.prints[i].take_back(trade) {
            Broken::Last => counters.lasts_taken_back += 1,
            Broken::Earlier | Broken::Unknown => {}
        }
    }

    fn after_rare_of(&mut self, i: usize, event: &BookEvent) {
        self.grid.note_changed(i);
        let instrument = InstrumentId(i as u32);
        let cleared = event.action == Action::Clear;
        let live = self.books.book(instrument).is_some_and(|book| book.state().is_live());
        if cleared || !live {
            self.grid.engine.restart(i);
        }
        if event.instrument == instrument {
            return;
        }
        let vanished = cleared && self.books.refresh_quote(instrument).is_some();
        if S::ACTIVE
            && let Some(book) = self.books.book(instrument)
        {
            if vanished {
                self.sink.on_bbo(event, &book);
            } else {
                self.sink.on_doubt(event, &book);
            }
        }
    }

    /// A clear of everything that lies in the past starts another day: a replay of several files, a simulator's next run.
    fn restart_day(&mut self, event: &BookEvent) {
        let ts = event.ts_event.0;
        let past = self.grid.number.is_some_and(|n| ts != 0 && ts.saturating_add(10 * GRID_NS) < n * GRID_NS);
        if past {
            self.grid.restart();
            self.grid.set_number(ts.div_ceil(GRID_NS));
        }
    }

    /// Tells the top of every book that changed in this chunk.
    pub(crate) fn publish_tops(&mut self) {
        let grid = &mut *self.grid;
        for n in 0..grid.changed_list.len() {
            let i = grid.changed_list[n] as usize;
            grid.changed.remove(i);
            let instrument = InstrumentId(i as u32);
            let Some(Conditions { tick, tick_table, state, status }) = self.books.conditions(instrument)
            else {
                continue;
            };
            let Bbo { bid, ask } = self.books.bbo(instrument);
            let (print, ts) = (grid.prints[i].last(), grid.engine.last_event(i));
            let (last, last_ts) = (print.px, print.ts);
            let (bid, bid_qty, ask, ask_qty) = (bid.px, bid.qty, ask.px, ask.qty);
            let top =
                TopOfBook { bid, bid_qty, ask, ask_qty, last, last_ts, tick, tick_table, ts, state, status };
            self.sink.top(instrument, &top);
        }
        grid.changed_list.clear();
    }
}

/// Side of the order a trade met: as the feed says, else by its price against the quotes before it.
fn resting_side(event: &BookEvent, applied: &Applied, before: &Bbo) -> Option<Side> {
    if event.action != Action::Trade || !event.flags.has(EventFlags::SIDELESS) {
        return Some(applied.side);
    }
    if before.bid.px.is_some() && applied.px <= before.bid.px {
        Some(Side::Bid)
    } else if before.ask.px.is_some() && applied.px.is_some() && applied.px >= before.ask.px {
        Some(Side::Ask)
    } else {
        None
    }
}
