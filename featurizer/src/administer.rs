//! Applying events to the books: definitions, states and statuses.

use types::{
    Action, BookEvent, BookState, ChannelWord, EventFlags, GapCause, InstrumentId, StaleCause, Symbol,
    TickTableId,
};

use crate::apply::{Applied, BooksMut, Effect};
use crate::ladder::{TICK_MAX, flag};
use crate::view::Meta;

impl BooksMut<'_> {
    /// Sets a book's state, and the flag that keeps ordinary events on the short way.
    pub(crate) fn set_state(&mut self, i: usize, state: BookState) {
        let state = if state.is_live() { self.live_state(i) } else { state };
        if let BookState::Stale(cause) = state
            && self.metas[i].state != state
        {
            self.counters.stale_books[cause as usize - 1] += 1;
        }
        self.metas[i].state = state;
        let flags = &mut self.levels.rows[i].head.flags;
        *flags = if state.is_live() { *flags & !flag::NOT_LIVE } else { *flags | flag::NOT_LIVE };
    }

    /// What a book that lacks nothing is in: while the feed recovers, or its channel is overdue, it is not as new as it looks.
    fn live_state(&self, i: usize) -> BookState {
        if *self.recovering {
            return BookState::Recovering;
        }
        self.overdue.cause(self.metas[i].channels).map_or(BookState::Live, BookState::Stale)
    }

    /// Counts events of stale books, ends a recovery with the first event that is not of the snapshot, and doubts a book when
    /// the feed itself does.
    #[cold]
    pub(crate) fn note_doubt(&mut self, i: usize, event: &BookEvent) {
        // A book that was never addressed is not live, so this is where it is addressed first.
        *self.used = (*self.used).max(i + 1);
        self.metas[i].channels.add(event.channel);
        if event.flags.has(EventFlags::MAYBE_BAD_BOOK) && event.action != Action::Define && self.is_whole(i) {
            self.set_state(i, BookState::Stale(StaleCause::Gap));
        }
        let changes_book = event.action.changes_book();
        match self.metas[i].state {
            BookState::Stale(_) if changes_book => self.counters.stale_events += 1,
            BookState::Recovering
                if changes_book && !event.flags.has(EventFlags::SNAPSHOT) && !*self.recovering =>
            {
                self.set_state(i, BookState::Live);
            }
            BookState::Stale(_) | BookState::Recovering | BookState::Live | BookState::Empty => {}
        }
    }

    /// Whether a book is complete as far as the feed has told: live, or only old because the feed recovers or its channel is overdue.
    pub(crate) fn is_whole(&self, i: usize) -> bool {
        let state = self.metas[i].state;
        state.is_live() || is_overdue(state) || (state == BookState::Recovering && *self.recovering)
    }

    /// The feed asks for messages that are missing, or has them, or has given them up and said so.
    #[cold]
    fn recover(&mut self, begins: bool) {
        *self.recovering = begins;
        for i in 0..*self.used {
            if matches!(self.metas[i].state, BookState::Live | BookState::Recovering) {
                self.set_state(i, BookState::Live);
            }
        }
    }

    #[cold]
    pub(crate) fn administer(&mut self, i: usize, event: &BookEvent) -> Applied {
        self.metas[i].channels.add(event.channel);
        match event.action {
            Action::Define => self.define(i, event),
            Action::Clear => {
                self.clear_alone(i);
                if !event.flags.has(EventFlags::SNAPSHOT) {
                    self.gaps.begin_anew(event.channel);
                }
                self.set_state(i, state_after_clear(event));
                return Applied::nothing(Effect::Changed);
            }
            Action::Gap => {
                self.note_gap(event);
                self.set_state(i, BookState::Stale(stale_cause(event)));
            }
            Action::Status | Action::SessionEnd => self.note_status(i, event),
            Action::OrderAdd
            | Action::OrderReduce
            | Action::OrderExecute
            | Action::OrderDelete
            | Action::OrderReplace
            | Action::LevelSet
            | Action::Trade
            | Action::TradeBreak
            | Action::Channel
            | Action::Time => {}
        }
        Applied::nothing(Effect::Unchanged)
    }

    /// Takes every level of a book away, and with them what was said of orders that it did not know. Gives how many orders it
    /// had.
    fn clear_book(&mut self, i: usize) -> u64 {
        self.metas[i].unknown_orders = 0;
        self.gaps.settle(&mut self.metas[i].debts);
        self.levels.clear(i)
    }

    /// The same with its orders, those of the other books untouched.
    fn clear_alone(&mut self, i: usize) {
        let orders = self.clear_book(i);
        let owner = self.orders.clear_instrument(self.slots, i, orders as usize);
        self.levels.rows[i].head.owner = owner.to_bits();
    }

    fn define(&mut self, i: usize, event: &BookEvent) {
        let tick = if event.px.is_some() && (1..=TICK_MAX).contains(&event.px.0) {
            event.px.0
        } else {
            self.default_tick
        };
        let table = u8::try_from(event.qty.0).map_or(TickTableId::NONE, TickTableId);
        self.levels.index.define(i, tick, table);
        let meta = &mut self.metas[i];
        meta.symbol = Some(Symbol::from_word(event.order_id));
        let (state, introduced) = (meta.state, !event.flags.has(EventFlags::MAYBE_BAD_BOOK));
        if state == BookState::Empty {
            // After a gap nobody knows what of this book was in the messages lost.
            let whole = if introduced { BookState::Live } else { BookState::Stale(StaleCause::Joined) };
            let lost = self.gaps.cause(event.channel);
            if self.gaps.is_open(event.channel) {
                self.gaps.owe(&mut self.metas[i].debts, event.channel);
            }
            self.set_state(i, lost.map_or(whole, BookState::Stale));
        } else if !introduced && self.is_whole(i) {
            self.set_state(i, BookState::Stale(StaleCause::Joined));
        }
    }

    /// Counts what was lost. A join in mid-session, a number used twice, an order that was never added and a contradiction lose
    /// nothing.
    fn note_gap(&mut self, event: &BookEvent) {
        let whole =
            [GapCause::MidSession, GapCause::MixedLocate, GapCause::UnknownOrders, GapCause::Contradicted];
        let whole = whole.map(|cause| cause as u32);
        self.counters.gaps += u64::from(!whole.contains(&event.qty.0));
    }

    /// A channel is overdue, or no longer: its books were whole, and are then.
    fn note_channel(&mut self, event: &BookEvent) {
        self.overdue.take(event.channel, ChannelWord::from_u64(event.aux));
        for i in 0..*self.used {
            let Meta { channels, state, .. } = self.metas[i];
            if channels.has(event.channel) && (state.is_live() || is_overdue(state)) {
                self.set_state(i, BookState::Live);
            }
        }
    }

    /// Takes every book of a channel away; those of others keep their orders, and their doubts.
    fn clear_channel(&mut self, event: &BookEvent) -> Applied {
        self.gaps.close(event.channel);
        let of_channel = |meta: &Meta| meta.channels.has(event.channel);
        let used = 0..*self.used;
        let alone = self.metas[used.clone()].iter().all(|m| of_channel(m) || m.state == BookState::Empty);
        for i in used {
            if alone {
                self.clear_book(i);
            } else if of_channel(&self.metas[i]) {
                self.clear_alone(i);
            } else {
                continue;
            }
            if self.metas[i].state != BookState::Empty {
                self.set_state(i, state_after_clear(event));
            }
        }
        if alone {
            self.orders.clear(self.slots);
        }
        Applied::nothing(Effect::Changed)
    }

    /// An event addressed to every instrument, or to none the books have room for.
    #[cold]
    pub(crate) fn apply_to_all(&mut self, event: &BookEvent) -> Applied {
        if event.instrument != InstrumentId::ALL {
            return self.bad();
        }
        let used = 0..*self.used;
        match event.action {
            Action::Gap if event.qty.0 == GapCause::Recovering as u32 => {
                self.recover(true);
                Applied::nothing(Effect::Unchanged)
            }
            Action::Gap if event.qty.0 == GapCause::Recovered as u32 => {
                self.recover(false);
                Applied::nothing(Effect::Unchanged)
            }
            Action::Gap => {
                self.note_gap(event);
                // The word that a recovery is over may be what was lost. What holds of channels is said again.
                *self.recovering &= event.qty.0 != GapCause::RingFull as u32;
                self.forget_ends(event);
                self.gaps.open(event.channel, stale_cause(event));
                for i in used {
                    if self.metas[i].state != BookState::Empty {
                        self.set_state(i, BookState::Stale(stale_cause(event)));
                        let Meta { channels, debts, .. } = &mut self.metas[i];
                        if channels.has(event.channel) {
                            self.gaps.owe(debts, event.channel);
                        }
                    }
                }
                Applied::nothing(Effect::Unchanged)
            }
            Action::Clear => self.clear_channel(event),
            Action::Status | Action::SessionEnd => {
                self.note_status_of_all(event);
                Applied::nothing(Effect::Unchanged)
            }
            Action::Channel => {
                self.note_channel(event);
                Applied::nothing(Effect::Unchanged)
            }
            Action::Time | Action::Trade | Action::TradeBreak => Applied::nothing(Effect::Unchanged),
            Action::OrderAdd
            | Action::OrderReduce
            | Action::OrderExecute
            | Action::OrderDelete
            | Action::OrderReplace
            | Action::LevelSet
            | Action::Define => self.bad(),
        }
    }
}

/// Whether a book is stale only because its channel is overdue.
fn is_overdue(state: BookState) -> bool {
    matches!(state, BookState::Stale(StaleCause::Silent | StaleCause::Late))
}

fn state_after_clear(event: &BookEvent) -> BookState {
    if event.flags.has(EventFlags::SNAPSHOT) { BookState::Recovering } else { BookState::Live }
}

fn stale_cause(event: &BookEvent) -> StaleCause {
    let causes = [
        (GapCause::SessionChange, StaleCause::SessionChange),
        (GapCause::MidSession, StaleCause::Joined),
        (GapCause::MixedLocate, StaleCause::MixedLocate),
        (GapCause::UnknownOrders, StaleCause::UnknownOrders),
        (GapCause::Contradicted, StaleCause::Contradicted),
    ];
    causes.iter().find(|(gap, _)| *gap as u32 == event.qty.0).map_or(StaleCause::Gap, |&(_, stale)| stale)
}
