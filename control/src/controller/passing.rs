//! Whether any order at all can pass now.

use super::ahead::strictness;
use super::plane::Controller;
use crate::backend::{InstrumentView, Snapshot};
use crate::names::{Name, Scope};
use gate::BreakerState;
use types::{BookState, Tier, TradingStatus};

const NO_INSTRUMENT: &str =
    "every instrument is tripped, not traded by its venue, or without a live book and a reference price";

/// What can pass.
pub(super) enum Passing {
    /// There is an instrument, an account and a strategy in which an order can.
    Any,
    /// Only orders that reduce what is held.
    Reducing,
    /// None, and why.
    None(String),
}

/// How far the least closed of some breakers is closed: the first is its state, `Open` where there is nothing to be closed.
fn least(states: impl Iterator<Item = BreakerState>) -> BreakerState {
    states.min_by_key(|state| strictness(*state)).unwrap_or(BreakerState::Open)
}

impl Controller {
    /// What can pass, by the words that the gate reads: what is in force and waits for its latch is among them.
    pub(super) fn passing(&self, halted: bool, snapshot: &Snapshot, views: &[InstrumentView]) -> Passing {
        if halted {
            return Passing::None("the firm is halted".to_owned());
        }
        if views.is_empty() {
            return Passing::None("the feed has named no instrument yet".to_owned());
        }
        if snapshot.feeds.iter().all(|feed| feed.state != "live") {
            let states: Vec<String> =
                snapshot.feeds.iter().map(|feed| format!("feed {} is {}", feed.name, feed.state)).collect();
            return Passing::None(states.join(", "));
        }
        let of = |scope: Scope| self.words.state(&scope);
        let instrument = |view: &InstrumentView| {
            let unpriced = view.book != BookState::Live || !view.has_reference;
            let closed = unpriced || view.trading != TradingStatus::Trading || view.tier == Tier::Critical;
            if closed { BreakerState::Tripped } else { of(Scope::Instrument(view.symbol)) }
        };
        let names = |names: &mut dyn Iterator<Item = &Name>, scope: fn(Name) -> Scope| {
            least(names.map(|name| of(scope(name.clone()))))
        };
        let levels = [
            (of(Scope::Firm), "the firm's breaker is tripped"),
            (names(&mut self.scopes.accounts.iter(), Scope::Account), "every account is tripped"),
            (names(&mut self.scopes.strategies.keys(), Scope::Strategy), "every strategy is tripped"),
            (least(views.iter().map(instrument)), NO_INSTRUMENT),
        ];
        if let Some((_, why)) = levels.iter().find(|(state, _)| *state == BreakerState::Tripped) {
            return Passing::None((*why).to_owned());
        }
        if levels.iter().any(|(state, _)| *state == BreakerState::ReduceOnly) {
            return Passing::Reducing;
        }
        Passing::Any
    }
}
