//! What a halt or a trip asks of a gateway: when each open order in its scope is to be cancelled.
//!
//! The word in shared memory is all it takes, so a daemon that dies right after it changes nothing. The latch comes before the cancels:
//! a trip that is in force and not latched yet has no episode, and is waited for, a bounded time, since a full disk must not keep
//! orders at a venue.
//!
//! A daemon that has been silent for too long halts a client that is not to go on without it, and so does one that does not take its client in
//! any more: nobody could tell it of a halt.
//!
//! Trips of the model do not ask for it: it stops what would be sent, and a person decides about what rests. In audit mode, where nothing
//! but a person stops what would be sent, those of a watchdog do not either.

use crate::owner::OwnerIndex;
use gate::{AccountId, Breaker, BreakerCause, BreakerKey, BreakerState, StrategyId};
use types::{InstrumentId, Nanos, UnixNanos};

/// How long a trip in force is waited for to be latched. A disk takes some milliseconds.
const LATCH_WAIT: Nanos = Nanos(20_000_000);

/// Instruments whose breakers are looked at in one turn.
const INSTRUMENTS_A_TURN: usize = 64;

/// The orders that a halt or a trip covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halted {
    /// All of the gateway's: the firm is closed, or an account or a strategy that all of them count to.
    All,
    /// Those of some owners, a bit each: an account or a strategy of theirs is closed.
    Of(u64),
    /// Those in one instrument.
    In(InstrumentId),
}

impl Halted {
    /// Whether it covers an order in `instrument` that is of `owner`.
    #[must_use]
    pub(crate) fn covers(self, instrument: InstrumentId, owner: OwnerIndex) -> bool {
        match self {
            Self::All => true,
            Self::Of(owners) => owners & owner.bit() != 0,
            Self::In(closed) => closed == instrument,
        }
    }
}

/// How far one scope's trip has been followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Followed {
    /// Nothing is closed.
    Open,
    /// Closed, since this moment as far as is known here, and not latched yet.
    InForce(UnixNanos),
    /// The orders are to be cancelled, and whoever asks has been told.
    Told,
}

impl Followed {
    /// Takes note of what the breaker says; whether the orders are to be cancelled from now on.
    fn follow(&mut self, breaker: Option<Breaker>, audits: bool, now: UnixNanos) -> bool {
        let spares = |cause| match cause {
            BreakerCause::Model => true,
            BreakerCause::Watchdog => audits,
            BreakerCause::Boot | BreakerCause::Officer | BreakerCause::Latch => false,
        };
        let closed = |breaker: &Breaker| breaker.state == BreakerState::Tripped && !spares(breaker.cause);
        let Some(breaker) = breaker.filter(closed) else {
            *self = Self::Open;
            return false;
        };
        let since = match *self {
            Self::Told => return false,
            Self::InForce(since) => since,
            Self::Open => now,
        };
        // A clock that was set back does not put it off.
        let has_waited = now < since || now.since(since) >= LATCH_WAIT;
        let is_due = breaker.episode != 0 || has_waited;
        *self = if is_due { Self::Told } else { Self::InForce(since) };
        is_due
    }
}

/// Follows the breakers of one gateway's orders.
#[derive(Debug)]
pub(crate) struct HaltWatch {
    scopes: Vec<(BreakerKey, Halted, Followed)>,
    /// The client is in audit mode.
    audits: bool,
    /// Whether it was told that nobody says any more what is halted.
    told_of_loss: bool,
    /// Those that it has ever named an order in.
    instruments: Vec<(InstrumentId, Followed)>,
    next: usize,
}

impl HaltWatch {
    /// Of orders that are of these owners, in their order, and in the instruments named by [`HaltWatch::watch`]. What is closed already is
    /// told first.
    pub(crate) fn new(owners: &[(StrategyId, AccountId)]) -> Self {
        let mut scopes = vec![(BreakerKey::Firm, Halted::All, Followed::Open)];
        let keys = owners
            .iter()
            .flat_map(|(strategy, account)| [BreakerKey::Account(*account), BreakerKey::Strategy(*strategy)]);
        for key in keys {
            if !scopes.iter().any(|(known, ..)| *known == key) {
                scopes.push((key, covered(owners, key), Followed::Open));
            }
        }
        Self { scopes, audits: false, told_of_loss: false, instruments: Vec::new(), next: 0 }
    }

    /// The same for a client in audit mode, or for one that is not.
    #[must_use]
    pub(crate) fn auditing(self, audits: bool) -> Self {
        Self { audits, ..self }
    }

    /// There may be orders in `instrument` from now on. Walks the list of them: for the first order in each.
    pub(crate) fn watch(&mut self, instrument: InstrumentId) {
        if !self.instruments.iter().any(|(watched, _)| *watched == instrument) {
            self.instruments.push((instrument, Followed::Open));
        }
    }

    /// Orders that are to be cancelled from now on; each trip is told once, so ask until there is none. Where `is_lost`, nobody says any
    /// more what is halted, and everything is.
    pub(crate) fn look(
        &mut self,
        breaker: impl Fn(BreakerKey) -> Option<Breaker>,
        is_lost: bool,
        now: UnixNanos,
    ) -> Option<Halted> {
        if std::mem::replace(&mut self.told_of_loss, is_lost) != is_lost && is_lost {
            return Some(Halted::All);
        }
        for (key, halted, followed) in &mut self.scopes {
            if followed.follow(breaker(*key), self.audits, now) {
                return Some(*halted);
            }
        }
        for _ in 0..self.instruments.len().min(INSTRUMENTS_A_TURN) {
            self.next = if self.next + 1 < self.instruments.len() { self.next + 1 } else { 0 };
            let (instrument, followed) = self.instruments.get_mut(self.next)?;
            if followed.follow(breaker(BreakerKey::Instrument(*instrument)), self.audits, now) {
                return Some(Halted::In(*instrument));
            }
        }
        None
    }
}

/// The orders of these owners that the breaker of an account or of a strategy covers.
fn covered(owners: &[(StrategyId, AccountId)], key: BreakerKey) -> Halted {
    let is_of = |(strategy, account): &(StrategyId, AccountId)| {
        key == BreakerKey::Account(*account) || key == BreakerKey::Strategy(*strategy)
    };
    if owners.iter().all(is_of) {
        return Halted::All;
    }
    let places = owners.iter().zip(OwnerIndex::all()).filter(|(owner, _)| is_of(owner));
    Halted::Of(places.fold(0, |bits, (_, place)| bits | place.bit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    const OPEN: Breaker = Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 };
    const LATCHED: Breaker =
        Breaker { state: BreakerState::Tripped, cause: BreakerCause::Officer, episode: 7 };
    const MS: u64 = 1_000_000;

    fn watch() -> HaltWatch {
        let mut watch = HaltWatch::new(&[(StrategyId(3), AccountId(2))]);
        (0..100).map(InstrumentId).for_each(|instrument| watch.watch(instrument));
        watch
    }

    /// Everything that is told within two turns.
    fn told(watch: &mut HaltWatch, closed: &[(BreakerKey, Breaker)], at_ms: u64) -> Vec<Halted> {
        let closed: HashMap<_, _> = closed.iter().copied().collect();
        let read = |key| Some(closed.get(&key).copied().unwrap_or(OPEN));
        let now = UnixNanos(1_000 * MS + at_ms * MS);
        let mut all = Vec::new();
        for _ in 0..2 {
            while let Some(halted) = watch.look(read, false, now) {
                all.push(halted);
            }
        }
        all
    }

    #[test]
    fn a_watchdog_cancels_nothing_in_audit_mode_and_a_person_everything() {
        let of = |cause| [(BreakerKey::Strategy(StrategyId(3)), Breaker { cause, ..LATCHED })];
        let told_of = |audits, cause| told(&mut watch().auditing(audits), &of(cause), 1);
        assert_eq!(told_of(false, BreakerCause::Watchdog), [Halted::All]);
        assert_eq!(told_of(true, BreakerCause::Watchdog), []);
        for audits in [false, true] {
            assert_eq!(told_of(audits, BreakerCause::Model), []);
            for cause in [BreakerCause::Officer, BreakerCause::Latch, BreakerCause::Boot] {
                assert_eq!(told_of(audits, cause), [Halted::All], "{cause:?}");
            }
        }
    }

    #[test]
    fn a_latched_trip_of_each_scope_is_told_once_and_again_after_a_reset() {
        let seventy = InstrumentId(70);
        for (key, halted) in [
            (BreakerKey::Firm, Halted::All),
            (BreakerKey::Account(AccountId(2)), Halted::All),
            (BreakerKey::Strategy(StrategyId(3)), Halted::All),
            (BreakerKey::Instrument(seventy), Halted::In(seventy)),
        ] {
            let mut watch = watch();
            assert_eq!(told(&mut watch, &[], 0), []);
            assert_eq!(told(&mut watch, &[(key, LATCHED)], 1), [halted]);
            assert_eq!(told(&mut watch, &[(key, LATCHED)], 2), []);
            assert_eq!(told(&mut watch, &[], 3), []);
            assert_eq!(told(&mut watch, &[(key, LATCHED)], 4), [halted]);
        }
        let first = OwnerIndex::default();
        let covers = |instrument| Halted::In(seventy).covers(instrument, first);
        assert!(covers(seventy) && !covers(InstrumentId(71)));
    }

    #[test]
    fn a_trip_of_one_owner_covers_its_orders_and_no_others() {
        // Two strategies share an account, a third has one of its own.
        let owners = [1, 2, 3].map(|n| (StrategyId(n), AccountId(if n == 3 { 8 } else { 7 })));
        let places: Vec<OwnerIndex> = OwnerIndex::all().take(3).collect();
        for (key, covered) in [
            (BreakerKey::Strategy(StrategyId(2)), [false, true, false]),
            (BreakerKey::Account(AccountId(7)), [true, true, false]),
            (BreakerKey::Account(AccountId(8)), [false, false, true]),
            (BreakerKey::Firm, [true; 3]),
        ] {
            let told = told(&mut HaltWatch::new(&owners), &[(key, LATCHED)], 1);
            let [halted] = told[..] else { panic!("{key:?}: {told:?}") };
            let covers: Vec<bool> =
                places.iter().map(|place| halted.covers(InstrumentId(1), *place)).collect();
            assert_eq!(covers, covered, "{key:?}");
        }
    }

    #[test]
    fn the_latch_is_waited_for_and_no_longer_than_a_bound() {
        let in_force = Breaker { episode: 0, ..LATCHED };
        let mut watch = watch();
        assert_eq!(told(&mut watch, &[(BreakerKey::Firm, in_force)], 0), []);
        assert_eq!(told(&mut watch, &[(BreakerKey::Firm, in_force)], 19), []);
        assert_eq!(told(&mut watch, &[(BreakerKey::Firm, LATCHED)], 19), [Halted::All]);
        let mut watch = HaltWatch::new(&[(StrategyId(3), AccountId(2))]);
        assert_eq!(told(&mut watch, &[(BreakerKey::Firm, in_force)], 0), []);
        assert_eq!(told(&mut watch, &[(BreakerKey::Firm, in_force)], 20), [Halted::All]);
        // Told once: the latch that comes then is the same trip's.
        assert_eq!(told(&mut watch, &[(BreakerKey::Firm, LATCHED)], 21), []);
    }

    #[test]
    fn what_is_no_trip_of_a_person_or_another_scopes_cancels_nothing() {
        let mut watch = watch();
        for breaker in [
            Breaker { cause: BreakerCause::Model, ..LATCHED },
            Breaker { state: BreakerState::ReduceOnly, ..LATCHED },
        ] {
            assert_eq!(told(&mut watch, &[(BreakerKey::Instrument(InstrumentId(1)), breaker)], 0), []);
            assert_eq!(told(&mut watch, &[(BreakerKey::Firm, breaker)], 50), []);
        }
        let strange = [BreakerKey::Account(AccountId(1)), BreakerKey::Strategy(StrategyId(1))];
        assert_eq!(told(&mut watch, &strange.map(|key| (key, LATCHED)), 50), []);
        assert_eq!(
            watch.look(|_| None, false, UnixNanos(0)),
            None,
            "unreadable refuses orders, and cancels none"
        );
    }

    #[test]
    fn a_daemon_that_is_lost_halts_once_and_again_after_it_was_back() {
        let mut watch = watch();
        let mut look = |is_lost| watch.look(|_| Some(OPEN), is_lost, UnixNanos(5));
        assert_eq!(
            [false, true, true, false, true].map(&mut look),
            [None, Some(Halted::All), None, None, Some(Halted::All)]
        );
    }
}
