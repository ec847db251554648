//! The control plane of one appliance: who may do what, in which order state, effect and record happen.
//!
//! - **Tightening** (halt, trip, a lower limit): effect, then latch on disk, then audit record, then the answer. The gate
//!   does not wait for a disk; the answer does. When the disk fails, the effect stays, and the answer says that it will
//!   not survive a restart.
//! - **Loosening** (resume, reset, a higher limit): audit record on disk, then latch, then effect. When the disk fails,
//!   nothing happens.
//!
//! The appliance holds one [`Controller`] and shares it with the [`crate::server`]; all changes go through one lock, so
//! that their order in the audit log is the order in which they took effect. A halt alone does not wait for that lock:
//! while another command holds it for the disk's sake, the halt's word is set beside it (`firm`).

mod answer;
mod automatic;
mod change;
mod firm;
mod open;

pub use open::OpenError;

use crate::audit::{Actor, AuditLog, Entry};
use crate::backend::{Backend, BackendError};
use crate::names::Scope;
use crate::protocol::{Command, Refusal, RefusalKind, Reply};
use crate::roles::{Directory, Peer, Role, Roles};
use crate::stamp::Stamp;
use crate::state::{LatchFile, LimitBook};
use firm::FirmWord;
use gate::Breaker;
use serde_json::Value;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use types::UnixNanos;

/// Where the control plane's time comes from: the appliance's wall clock, or a test's.
pub type Clock = Arc<dyn Fn() -> UnixNanos + Send + Sync>;

/// The control plane of one appliance.
pub struct Controller {
    instance: String,
    build: String,
    roles: Roles,
    own_uid: u32,
    backend: Arc<dyn Backend>,
    clock: Clock,
    started: Stamp,
    warnings: Vec<String>,
    inner: Mutex<Inner>,
    firm: FirmWord,
    /// Held as long as the state directory is ours.
    _lock: File,
}

/// What changes, under one lock.
struct Inner {
    latch: LatchFile,
    limits: LimitBook,
    audit: AuditLog,
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Controller({})", self.instance)
    }
}

fn refuse<T>(kind: RefusalKind, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { kind, message: message.into() })
}

/// The least role that may use a command. `limits_set` and `resume` look further when they know more.
#[must_use]
pub const fn least_role(command: &Command) -> Role {
    match command {
        Command::Status
        | Command::LimitsShow { .. }
        | Command::BreakerList { .. }
        | Command::TierShow { .. }
        | Command::GateExplain { .. }
        | Command::AuditTail { .. }
        | Command::AuditVerify => Role::Viewer,
        Command::BreakerTrip { .. } | Command::Halt { .. } => Role::Trader,
        Command::LimitsSet { .. }
        | Command::BreakerReset { .. }
        | Command::Resume { .. }
        | Command::TierReset { .. } => Role::RiskOfficer,
    }
}

impl Controller {
    /// The person at the other end of a connection.
    #[must_use]
    pub fn actor(&self, peer: Peer) -> Actor {
        // Without the host's directory nobody but the daemon's own user and users by number have a role.
        let directory = Directory::of_host().unwrap_or_default();
        let role = self.roles.role_of(peer, self.own_uid, &directory);
        Actor { uid: peer.uid, gid: peer.gid, pid: peer.pid, user: directory.user_name(peer.uid), role }
    }

    /// Does what is asked, when `actor` may ask it.
    ///
    /// # Errors
    /// [`Refusal`]: not done, or (said in the message) done and not made to last.
    pub fn execute(&self, actor: &Actor, command: Command) -> Result<Reply, Refusal> {
        self.execute_received(actor, command, self.clock_now())
    }

    /// [`Controller::execute`] of a command that came in at `received`, from where the answer counts its times.
    ///
    /// # Errors
    /// As [`Controller::execute`].
    pub fn execute_received(
        &self,
        actor: &Actor,
        command: Command,
        received: UnixNanos,
    ) -> Result<Reply, Refusal> {
        self.authorise(actor, &command)?;
        match command {
            Command::Status => Ok(Reply::Status(Box::new(self.status()))),
            Command::LimitsShow { symbol, after } => self.limits_show(symbol, after),
            Command::BreakerList { after } => Ok(Reply::Breakers(self.breaker_list(after.as_ref()))),
            Command::TierShow { symbol, after } => self.tier_show(symbol, after),
            Command::GateExplain { order } => self.explain(&order),
            Command::AuditTail { count } => self.audit_tail(count),
            Command::AuditVerify => self.audit_verify(),
            Command::LimitsSet { symbol, changes, dry_run, reason, ticket } => {
                self.limits_set(actor, symbol, &changes, dry_run, change::Why::new(&reason, ticket.as_ref()))
            }
            Command::BreakerTrip { scope, mode, reason, ticket } => {
                let why = change::Why::new(&reason, ticket.as_ref());
                self.breaker_trip(actor, &scope, mode, why, received)
            }
            Command::BreakerReset { scope, reason, ticket } => {
                self.breaker_reset(actor, &scope, change::Why::new(&reason, ticket.as_ref()))
            }
            Command::Halt { reason, ticket } => {
                self.halt(actor, change::Why::optional(reason.as_ref(), ticket.as_ref()), received)
            }
            Command::Resume { reason, ticket } => {
                self.resume(actor, change::Why::new(&reason, ticket.as_ref()))
            }
            Command::TierReset { symbol, reason, ticket } => {
                self.tier_reset(actor, symbol, change::Why::new(&reason, ticket.as_ref()))
            }
        }
    }

    /// Puts a scope that has just come into being (an instrument that a feed defined, a strategy that registered) under
    /// what is latched and set for it. Call it after [`Backend::knows`] has begun to say yes and before the gate takes
    /// the first order of the scope; trips and this call exclude each other, so none falls in between.
    ///
    /// # Errors
    /// [`BackendError`], when the backend does not take it.
    pub fn introduce(&self, scope: &Scope) -> Result<(), BackendError> {
        let inner = self.lock();
        if let Scope::Instrument(symbol) = scope {
            self.backend.set_limits(*symbol, &inner.limits.envelope(*symbol))?;
        }
        self.set_breaker(scope, inner.latch.breaker(scope))
    }

    /// Writes one breaker word. The firm's goes past halts that wait for the lock: it is not opened under them.
    fn set_breaker(&self, scope: &Scope, breaker: Breaker) -> Result<(), BackendError> {
        match scope {
            Scope::Firm => self.firm.set(self.backend.as_ref(), breaker),
            _ => self.backend.set_breaker(scope, breaker),
        }
    }

    /// The lock of all changes for a halt. When another command has it and waits for the disk, the firm's word says
    /// halted before this waits for its turn; then what is ahead and since when comes with the lock.
    fn lock_halting(&self) -> (MutexGuard<'_, Inner>, Option<(firm::Ahead<'_>, Option<UnixNanos>)>) {
        match self.inner.try_lock() {
            Ok(inner) => (inner, None),
            Err(TryLockError::Poisoned(inner)) => (inner.into_inner(), None),
            Err(TryLockError::WouldBlock) => {
                let ahead = self.firm.halt_ahead(self.backend.as_ref());
                let effective = ahead.written.is_ok().then(|| self.clock_now());
                (self.lock(), Some((ahead, effective)))
            }
        }
    }

    /// What is odd about the configuration or the state, found at start and worth a line in the daemon's log.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The appliance's clock.
    pub(crate) fn clock_now(&self) -> UnixNanos {
        (self.clock)()
    }

    fn now(&self) -> Stamp {
        Stamp(self.clock_now())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in another command (debug builds; release aborts) leaves latches and chain as the disk has them.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn authorise(&self, actor: &Actor, command: &Command) -> Result<(), Refusal> {
        let wanted = least_role(command);
        if actor.role.is_some_and(|role| role >= wanted) {
            return Ok(());
        }
        let (action, target) = change::name_of(command);
        let found = actor.role.map_or_else(|| "no role".to_owned(), |role| format!("role {role}"));
        let message = format!(
            "{action} needs role {wanted}; {} (uid {}) has {found}: see [roles] in the configuration",
            actor.user, actor.uid
        );
        if wanted > Role::Viewer {
            self.audit_refusal(actor, action, target, &message);
        }
        refuse(RefusalKind::Denied, message)
    }

    /// Records that somebody was refused. What the disk says to that changes nothing: it stays refused.
    fn audit_refusal(&self, actor: &Actor, action: &'static str, target: String, why: &str) {
        let entry = Entry {
            action,
            target,
            before: Value::Null,
            after: Value::Null,
            reason: String::new(),
            ticket: String::new(),
            result: format!("refused: {why}"),
        };
        let now = self.now();
        drop(self.lock().audit.append(now, actor, &entry));
    }
}
