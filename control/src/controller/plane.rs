//! The controller's fields and the ways to them: the lock of all changes, the clock, the gate's breaker words, the disk.

use super::ahead::{Ahead, Words};
use super::front::{Front, Locked, Shown};
use super::limits_ahead::LimitsAhead;
use super::lists_ahead::Lists;
use super::reconciliations::Reconciliations;
use super::refusals::{Refusals, Refused};
use crate::audit::{Actor, Entry as Record};
use crate::backend::{Backend, BackendError};
use crate::config::{Client, DeclaredScopes, FourEyes};
use crate::events::EventLog;
use crate::names::{Name, Scope};
use crate::protocol::{Refusal, RefusalKind, TripMode};
use crate::roles::Roles;
use crate::stamp::Stamp;
use crate::state::{Latches, TierBook};
use crate::suggest::{did_you_mean, nearest_whatever_case};
use gate::Breaker;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use types::UnixNanos;

pub(super) use super::inner::Inner;

/// Where the control plane's time comes from: the appliance's wall clock, or a test's.
pub type Clock = Arc<dyn Fn() -> UnixNanos + Send + Sync>;

/// The control plane of one appliance.
pub struct Controller {
    pub(super) instance: String,
    pub(super) build: String,
    pub(super) roles: Roles,
    pub(super) scopes: DeclaredScopes,
    pub(super) clients: BTreeMap<Name, Client>,
    pub(super) own_uid: u32,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) clock: Clock,
    pub(super) started: Stamp,
    pub(super) warnings: Vec<String>,
    pub(super) front: Front,
    pub(super) refusals: Mutex<Refusals>,
    pub(super) words: Words,
    pub(super) limits_ahead: LimitsAhead,
    pub(super) lists: Lists,
    /// Above how many ten-thousandths of a limit an order is flagged.
    pub(super) warn_bps: u32,
    /// The tiers that instruments begin in, and what is to be said of them.
    pub(super) tiers: (TierBook, Option<String>),
    /// Where the head of the audit log is noted, when the configuration says.
    pub(super) anchor_path: Option<PathBuf>,
    /// What takes two people.
    pub(super) four_eyes: FourEyes,
    /// How drop copies agree with the gates of their gateways.
    pub(super) reconciliations: Reconciliations,
    /// Where it tells what happens.
    pub(super) events: OnceLock<Arc<EventLog>>,
}

/// Words that were set before anything was latched, and without waiting for the lock. Drop it once what is latched has been written,
/// too.
pub(super) struct WordsAhead {
    /// Since when all of them hold.
    pub(super) since: Option<UnixNanos>,
    _ahead: Vec<Ahead>,
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Controller({})", self.instance)
    }
}

pub(super) fn refuse<T>(kind: RefusalKind, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { kind, message: message.into() })
}

impl Controller {
    /// The appliance's clock.
    pub(crate) fn clock_now(&self) -> UnixNanos {
        (self.clock)()
    }

    pub(super) fn now(&self) -> Stamp {
        Stamp(self.clock_now())
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        self.front.lock(|| self.now())
    }

    pub(super) fn try_lock(&self) -> Option<Locked<'_>> {
        self.front.try_lock(|| self.now())
    }

    /// What stands, without waiting for a command that is at the disk.
    pub(super) fn shown(&self) -> Shown {
        self.front.shown()
    }

    /// The counts of refusals; nobody has them while the disk is waited for.
    pub(super) fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock, for a tightening of `scope`: its words say so first, without waiting for a command that waits for the disk. They have no
    /// episode before they are latched, by which gateways know that their cancels have to wait.
    pub(super) fn lock_tightening(
        &self,
        scope: &Scope,
        mode: TripMode,
        by: &str,
    ) -> (Locked<'_>, WordsAhead) {
        let ahead: Vec<Ahead> = self
            .words_of(scope)
            .iter()
            .filter(|word| self.backend.knows(word))
            .map(|word| self.words.go_ahead(self.backend.as_ref(), word, mode, by))
            .collect();
        let all = ahead.iter().all(|ahead| ahead.written.is_ok());
        let since = all.then(|| self.clock_now());
        (self.lock(), WordsAhead { since, _ahead: ahead })
    }

    /// The scopes whose words a trip of `scope` sets: a desk and a trader have none of their own, their strategies have.
    fn words_of(&self, scope: &Scope) -> Vec<Scope> {
        match scope {
            Scope::Desk(_) | Scope::Trader(_) => {
                self.scopes.strategies_of(scope).cloned().map(Scope::Strategy).collect()
            }
            Scope::Firm | Scope::Account(_) | Scope::Strategy(_) | Scope::Instrument(_) => {
                vec![scope.clone()]
            }
        }
    }

    /// What the gate's word for `scope` has to say, the trips of its desk and its trader included.
    pub(super) fn latched(&self, latches: &Latches, scope: &Scope) -> Breaker {
        let groups = match scope {
            Scope::Strategy(name) => self.scopes.groups_of(name),
            Scope::Firm | Scope::Desk(_) | Scope::Account(_) | Scope::Trader(_) | Scope::Instrument(_) => {
                [const { None }; 2]
            }
        };
        let covering: Vec<&Scope> = std::iter::once(scope).chain(groups.iter().flatten()).collect();
        latches.breaker(&covering)
    }

    /// Makes the gate's words for `scope` say what is latched. A scope that is not there has no word, and gets one when it
    /// comes.
    pub(super) fn push_breaker(&self, inner: &Inner, scope: &Scope) -> Result<(), BackendError> {
        for word in self.words_of(scope) {
            match self.words.set(self.backend.as_ref(), &word, self.latched(&inner.latch, &word)) {
                Err(BackendError::Unknown { .. }) if !self.backend.knows(&word) => {}
                outcome => outcome?,
            }
        }
        Ok(())
    }

    /// Whether there is such a scope: accounts, strategies and desks are declared, and an instrument may be named before the
    /// feed does.
    pub(super) fn known(&self, scope: &Scope) -> Result<(), Refusal> {
        let undeclared = |kind: &str, name: &Name, declared: Vec<&str>| {
            let hint = did_you_mean(name.as_str(), &declared);
            let message = format!("{kind} {name} is not declared in the configuration ([{kind}]){hint}");
            refuse(RefusalKind::NotFound, message)
        };
        let scopes = &self.scopes;
        match scope {
            Scope::Account(name) if !scopes.accounts.contains(name) => {
                undeclared("account", name, scopes.accounts.iter().map(Name::as_str).collect())
            }
            Scope::Strategy(name) if !scopes.strategies.contains_key(name) => {
                undeclared("strategy", name, scopes.strategies.keys().map(Name::as_str).collect())
            }
            Scope::Desk(name) if !scopes.desks.contains(name) => {
                undeclared("desk", name, scopes.desks.iter().map(Name::as_str).collect())
            }
            Scope::Trader(name) if !scopes.traders.contains(name) => {
                undeclared("trader", name, scopes.traders.iter().map(Name::as_str).collect())
            }
            Scope::Firm
            | Scope::Account(_)
            | Scope::Strategy(_)
            | Scope::Desk(_)
            | Scope::Trader(_)
            | Scope::Instrument(_) => Ok(()),
        }
    }

    /// Counts that somebody was refused, and notes a record of it with the reason they gave, as long as there are not too many. It
    /// is written later: who is refused makes nobody wait for a disk.
    pub(super) fn note_refusal(&self, actor: &Actor, record: Record, why: &str) {
        let record = Record { result: format!("refused: {why}"), ..record };
        self.refusals().note(Refused { at: self.now(), actor: actor.clone(), record });
    }

    /// [`Controller::note_refusal`] by whoever has the lock, and the record at once. What the disk says to that changes nothing: it
    /// stays refused.
    pub(super) fn record_refusal(&self, inner: &mut Inner, actor: &Actor, record: Record, why: &str) {
        self.note_refusal(actor, record, why);
        self.record_refused(inner);
    }

    /// Writes the records of refusals that are noted.
    pub(super) fn record_refused(&self, inner: &mut Inner) {
        let noted = self.refusals().take_noted();
        for Refused { at, actor, record } in noted {
            drop(inner.trail.append(at, &actor, &record));
        }
    }

    /// What an answer adds for an instrument that the feed has not named yet.
    pub(super) fn not_named_yet(&self, scope: &Scope) -> Option<String> {
        let Scope::Instrument(symbol) = scope else { return None };
        if self.backend.knows(scope) {
            return None;
        }
        let named: Vec<String> =
            self.backend.instruments(None).into_iter().map(|view| view.symbol.to_string()).collect();
        let asked = match nearest_whatever_case(&symbol.to_string(), &named) {
            Some(name) => format!(", did you mean `{name}`?"),
            None => ": is it spelled right?".to_owned(),
        };
        Some(format!("the feed has not named it yet{asked} It holds from when it does"))
    }
}
