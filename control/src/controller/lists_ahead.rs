//! The restricted list and the locates in force. Lines that come are in force without waiting for a command that is at the disk, as lower limits are
//! ([`super::limits_ahead`]).

use crate::backend::{Backend, BackendError};
use crate::config::{ListFiles, ListSet, Locates, Plan, Restricted};
use crate::names::{Scope, SymbolName};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was last set under the lock of all changes, and what is ahead of it.
#[derive(Debug, Default)]
struct State {
    set: Arc<ListSet>,
    ahead: Vec<(u64, Arc<ListSet>)>,
    /// Grows with whatever anybody begins or sets.
    newest: u64,
    /// Sells are held to what is located.
    holds_to_locates: bool,
}

impl State {
    fn of(&self, symbol: SymbolName) -> (Restricted, Locates) {
        self.ahead.iter().fold(self.set.of(symbol), |(restricted, locates), (_, list)| {
            let (other, fewer) = list.of(symbol);
            (restricted.and(&other), locates.and(&fewer))
        })
    }

    /// Instruments that a list which comes or goes ahead is about: what it does not name may have something located by the one that is
    /// set.
    fn about(&self, list: &ListSet) -> BTreeSet<SymbolName> {
        list.symbols().into_iter().chain(self.set.symbols()).collect()
    }

    /// Has the gate say of `symbols` what is in force; all of them, whatever it says to one. An instrument that is not there
    /// gets its word when it comes.
    fn push(&self, backend: &dyn Backend, symbols: BTreeSet<SymbolName>) -> Result<(), BackendError> {
        let known = symbols.into_iter().filter(|symbol| backend.knows(&Scope::Instrument(*symbol)));
        known.map(|symbol| self.push_one(backend, symbol)).fold(Ok(()), Result::and)
    }

    fn push_one(&self, backend: &dyn Backend, symbol: SymbolName) -> Result<(), BackendError> {
        let (restricted, locates) = self.of(symbol);
        let taken = backend.restrict(symbol, &restricted);
        if self.holds_to_locates { taken.and(backend.locate(symbol, &locates)) } else { taken }
    }
}

/// The lists and their files. The lock is held while the gate takes a list, and never over a disk.
#[derive(Debug)]
pub(super) struct Lists {
    files: ListFiles,
    state: Mutex<State>,
}

/// A reading of the file, and the list that it put ahead of what is set. It is to be given back ([`Lists::set`], [`Lists::forget`]).
#[derive(Clone, Copy)]
pub(super) struct Ahead(u64);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The state is right after every statement; a panic elsewhere changes nothing about it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lists {
    pub(super) fn new(plan: &Plan) -> Self {
        let Plan { restricted, locates, profit, .. } = plan;
        let set = ListSet { restricted: restricted.list.clone(), locates: locates.list.clone() };
        let holds_to_locates = locates.is_on();
        let state = State { set: Arc::new(set), holds_to_locates, ..State::default() };
        Self { files: ListFiles::of(restricted, locates, *profit), state: Mutex::new(state) }
    }

    /// Where they lie.
    pub(super) const fn files(&self) -> &ListFiles {
        &self.files
    }

    /// What was last set.
    pub(super) fn shown(&self) -> Arc<ListSet> {
        Arc::clone(&lock(&self.state).set)
    }

    /// Puts the list of the start in force for whatever is there.
    pub(super) fn restore(&self, backend: &dyn Backend) -> Result<(), BackendError> {
        let state = lock(&self.state);
        state.push(backend, state.set.symbols())
    }

    /// Puts the list in force for an instrument that has just come, whatever was said under its number before.
    pub(super) fn introduce(&self, backend: &dyn Backend, symbol: SymbolName) -> Result<(), BackendError> {
        let state = lock(&self.state);
        state.push_one(backend, symbol)
    }

    /// Somebody begins to read the file.
    pub(super) fn begin(&self) -> Ahead {
        let mut state = lock(&self.state);
        state.newest += 1;
        Ahead(state.newest)
    }

    /// Whether nobody has begun to read or set anything since `ahead`: what it read is the newest that anybody has.
    pub(super) fn is_newest(&self, ahead: Ahead) -> bool {
        lock(&self.state).newest == ahead.0
    }

    /// Adds `list` at once to what is in force. Whether the gate took it is asked when it is set for good.
    pub(super) fn go_ahead(&self, backend: &dyn Backend, ahead: Ahead, list: Arc<ListSet>) {
        let mut state = lock(&self.state);
        state.ahead.push((ahead.0, Arc::clone(&list)));
        drop(state.push(backend, state.about(&list)));
    }

    /// Sets `list` for good, under what others have ahead.
    ///
    /// # Errors
    /// [`BackendError`]; what was in force before is put back as far as the gate takes it.
    pub(super) fn set(
        &self,
        backend: &dyn Backend,
        list: Arc<ListSet>,
        ahead: Option<Ahead>,
    ) -> Result<(), BackendError> {
        let mut state = lock(&self.state);
        let ahead = state.give_back(ahead);
        state.newest += 1;
        let before = std::mem::replace(&mut state.set, list);
        let named = [&before, &state.set].into_iter().chain(&ahead).flat_map(|list| list.symbols());
        let symbols: BTreeSet<SymbolName> = named.collect();
        let taken = state.push(backend, symbols.clone());
        if taken.is_err() && !state.set.covers(&before) {
            state.set = before;
            drop(state.push(backend, symbols));
        }
        taken
    }

    /// Takes back what was ahead and is not to be set.
    pub(super) fn forget(&self, backend: &dyn Backend, ahead: Ahead) {
        let mut state = lock(&self.state);
        let list = state.give_back(Some(ahead));
        let symbols = list.map(|list| state.about(&list)).unwrap_or_default();
        drop(state.push(backend, symbols));
    }
}

impl State {
    fn give_back(&mut self, ahead: Option<Ahead>) -> Option<Arc<ListSet>> {
        let Ahead(number) = ahead?;
        let at = self.ahead.iter().position(|(other, _)| *other == number)?;
        Some(self.ahead.remove(at).1)
    }
}
