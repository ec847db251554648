//! The tables of one gate in simulated time: what books and scorer say waits here until its moment has come, whichever thread
//! was faster, so that an order of time t is judged by exactly what was in force at t. At equal times a quote comes before a
//! limit, and both before an order.

use super::declared::Declared;
use super::desk::Desk;
use super::gate_tables::{CLASS, ModelTables, QuoteTable};
use super::gates::Tables;
use super::names::NameTable;
use super::notes::{BookNote, Defined, LimitNote, ModelNote};
use control::config::{LimitPlan, LocatePlan, Plan, RestrictedList};
use control::names::Name;
use gate::{
    Breaker, BreakerCause, BreakerKey, BreakerState, BreakerWriter, Permission, StaticTerms, StaticWriter,
};
use std::collections::VecDeque;
use types::UnixNanos;

/// The writing ends of a gate's tables, and what is to be written.
pub(crate) struct Schedule {
    quotes: QuoteTable,
    /// None when the gate does not listen to the model.
    pub(crate) model: Option<ModelTables>,
    statics: StaticWriter,
    declared: Declared,
    breakers: BreakerWriter,
    envelopes: LimitPlan,
    restricted: RestrictedList,
    locates: LocatePlan,
    names: NameTable,
    book_notes: VecDeque<BookNote>,
    model_notes: VecDeque<ModelNote>,
}

impl Schedule {
    /// Of the tables `set`, with the officer's limits of `plan`. Nothing is latched before the first order of a replay.
    pub(crate) fn new(set: Tables, plan: &Plan) -> Self {
        let Tables { quotes, model, statics, declared, mut breakers, names, .. } = set;
        breakers.set_unset(Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 });
        let (book_notes, model_notes) = (VecDeque::new(), VecDeque::new());
        let (envelopes, restricted) = (plan.limits.clone(), plan.restricted.list.clone());
        let locates = plan.locates.clone();
        Self {
            quotes,
            model,
            statics,
            declared,
            breakers,
            envelopes,
            restricted,
            locates,
            names,
            book_notes,
            model_notes,
        }
    }

    pub(crate) fn note_book(&mut self, note: BookNote) {
        self.book_notes.push_back(note);
    }

    pub(crate) fn note_model(&mut self, note: ModelNote) {
        if self.model.is_some() {
            self.model_notes.push_back(note);
        }
    }

    /// Works off everything up to and including the grid point `until`, whose notes have all been taken.
    pub(crate) fn advance(&mut self, until: UnixNanos, desk: &mut Desk) {
        loop {
            let note = self.next_note(until);
            let model = self.model_notes.front().map(ModelNote::effective);
            let Some(next) = [note, model].into_iter().flatten().min().filter(|&ts| ts <= until) else {
                break;
            };
            desk.work(next);
            if note == Some(next) {
                self.take_note(desk);
            } else {
                self.take_model_note();
            }
        }
        desk.work(until.plus(types::Nanos(1)));
    }

    /// Time of the next note before the end of grid point `until`. A note of a later time waits for it: an order in between
    /// must not see a quote from its future.
    fn next_note(&mut self, until: UnixNanos) -> Option<UnixNanos> {
        while let Some(BookNote::Grid(end)) = self.book_notes.front() {
            if *end >= until && until < UnixNanos(u64::MAX) {
                return None;
            }
            self.book_notes.pop_front();
        }
        self.book_notes.front().map(BookNote::at)
    }

    fn take_note(&mut self, desk: &mut Desk) {
        let note = self.book_notes.pop_front();
        note.iter().for_each(|note| desk.hear(note));
        match note {
            Some(BookNote::Define { defined, at }) => {
                self.define(defined, at);
                desk.define(defined);
            }
            Some(BookNote::Top { instrument, top }) => {
                self.quotes.top(instrument, &top);
                desk.market_moved(top.ts);
            }
            Some(BookNote::Depth { instrument, depth, .. }) => self.quotes.depth(instrument, &depth),
            Some(BookNote::Complete { complete, .. }) => self.quotes.complete(complete),
            Some(BookNote::Grid(_)) | None => {}
        }
    }

    /// An instrument got its number: the officer's limits for it take force.
    fn define(&mut self, defined: Defined, now: UnixNanos) {
        // What is not taken refuses orders with a reason of its own, which the replay's verdicts show.
        let _ = self.declared.define(defined);
        self.locate(defined);
        let lot = self.declared.lot(defined.symbol);
        let terms = StaticTerms { lot, permission: Permission::Granted, version: 1 };
        let envelope = self.envelopes.envelope(defined.symbol.into());
        // Of whom the file of orders has none there is nothing to refuse.
        let strategy = |name: &Name| Some(self.names.strategy(name.as_str()));
        let account = |name: &Name| Some(self.names.account(name.as_str()));
        let restriction = self.restricted.of(defined.symbol.into()).numbered(strategy, account);
        let _ = self.statics.restrict(defined.instrument, &restriction);
        // An instrument beyond the table stays unknown to the gate: its orders are refused.
        let _ = self.statics.publish(defined.instrument, CLASS, envelope, &terms, now);
    }

    /// What is located of an instrument that got its number, for each account of the file of orders.
    fn locate(&mut self, defined: Defined) {
        if !self.locates.is_on() {
            return;
        }
        let locates = self.locates.list.of(defined.symbol.into());
        for (name, account) in self.names.accounts() {
            let located = locates.of(name.parse().ok().as_ref());
            // As for its limits.
            let _ = self.statics.locate(defined.instrument, account, located);
        }
    }

    fn take_model_note(&mut self) {
        match (self.model_notes.pop_front(), &mut self.model) {
            (Some(ModelNote::Limits(note)), Some(model)) => {
                if let Some(number) = model.limits(&note) {
                    self.latch(&note, number);
                }
            }
            (Some(ModelNote::FatFinger(note)), Some(model)) => model.fat_finger(&note),
            (Some(ModelNote::Limits(_) | ModelNote::FatFinger(_) | ModelNote::Grid(_)) | None, _) => {}
        }
    }

    /// Control's part of a trip, which here has no disk to wait for.
    fn latch(&mut self, note: &LimitNote, number: u32) {
        let breaker = Breaker { state: BreakerState::Tripped, cause: BreakerCause::Model, episode: 1 };
        // An instrument beyond the tables has no breaker, and no order of it passes.
        let _ = self.breakers.set(BreakerKey::Instrument(note.instrument), breaker);
        let _ = self.breakers.take_trips(note.instrument, number);
    }
}
