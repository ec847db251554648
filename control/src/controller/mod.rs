//! The control plane of one appliance: who may do what, in which order state, effect and record happen.
//!
//! - **Tightening** (halt, trip, a lower limit): effect, then latch on disk, then audit record, then the answer. The gate
//!   does not wait for a disk; the answer does. When the disk fails, the effect stays, the answer says that it will
//!   not survive a restart, and the write is tried again until it works (`keep`).
//! - **Loosening** (resume, reset, a higher limit): audit record on disk, then latch, then effect. When the disk fails,
//!   nothing happens. Nor does it when whoever asked has given up waiting.
//!
//! The appliance holds one [`Controller`] and shares it with the [`crate::server`]; all changes go through one lock, so
//! that their order in the audit log is the order in which they took effect. Halts, trips and lower limits do not wait for that lock:
//! while another command holds it for the disk's sake, they are in force beside it (`ahead`, `limits_ahead`). Nor does whoever only
//! looks (`front`).

mod ahead;
mod alerts;
mod answer;
mod asked;
mod attach;
mod automatic;
mod books;
mod expose;
mod few;
mod front;
mod holdings;
mod inner;
mod keep;
mod levels;
mod limits;
mod limits_ahead;
mod lists;
mod lists_ahead;
mod loosen;
mod open;
mod passing;
mod plane;
mod proposals;
mod reconciled;
mod reconciliations;
mod refusals;
mod second;
mod shortfall;
mod system;
mod tiers;
mod tighten;
mod trail;
mod unnamed;
mod watch;

pub use asked::Asked;
pub use open::OpenError;
pub use plane::{Clock, Controller};
pub use watch::Watch;

use crate::audit::Actor;
use crate::backend::BackendError;
use crate::names::Scope;
use crate::protocol::{Command, Reason, Refusal, RefusalKind, Reply, Ticket};
use crate::roles::{Peer, Role, UserDatabase};
use limits::Setting;
use plane::refuse;
use serde_json::Value;
use shortfall::Why;

/// The least role that may use a command. `limits_set` and `resume` look further when they know more.
#[must_use]
pub const fn least_role(command: &Command) -> Role {
    match command {
        Command::Attach { .. } | Command::Reconciled { .. } => Role::Order,
        Command::Status
        | Command::LimitsShow { .. }
        | Command::BreakerList { .. }
        | Command::TierShow { .. }
        | Command::GateExplain { .. }
        | Command::AuditTail { .. }
        | Command::AuditVerify
        | Command::Positions { .. }
        | Command::Orders { .. }
        | Command::Sessions { .. }
        | Command::Events { .. }
        | Command::AlertsList
        | Command::ProposalsList
        | Command::TierMap { .. }
        | Command::LevelsShow { .. } => Role::Viewer,
        Command::BreakerTrip { .. } | Command::Halt { .. } | Command::AlertsAck { .. } => Role::Trader,
        Command::LimitsSet { .. }
        | Command::BreakerReset { .. }
        | Command::Resume { .. }
        | Command::TierReset { .. }
        | Command::PositionSet { .. }
        | Command::AlertsSilence { .. }
        | Command::ProposalApprove { .. }
        | Command::ProposalWithdraw { .. }
        | Command::ListsReload { .. } => Role::RiskOfficer,
    }
}

/// What an audit record calls a command, and what the command is aimed at.
fn name_of(command: &Command) -> (&'static str, String) {
    let firm = || "firm".to_owned();
    match command {
        Command::Status => ("status", firm()),
        Command::LimitsShow { .. } => ("limits.show", firm()),
        Command::LimitsSet { symbol, .. } => ("limits.set", symbol.to_string()),
        Command::BreakerList { .. } => ("breaker.list", firm()),
        Command::BreakerTrip { scope, .. } => ("breaker.trip", scope.to_string()),
        Command::BreakerReset { scope, .. } => ("breaker.reset", scope.to_string()),
        Command::Halt { .. } => ("halt", firm()),
        Command::Resume { .. } => ("resume", firm()),
        Command::TierShow { .. } => ("tier.show", firm()),
        Command::TierReset { symbol, .. } => ("tier.reset", symbol.to_string()),
        Command::GateExplain { order } => ("gate.explain", order.symbol.to_string()),
        Command::AuditTail { .. } => ("audit.tail", firm()),
        Command::AuditVerify => ("audit.verify", firm()),
        Command::Attach { client } => ("attach", client.to_string()),
        Command::Positions { .. } => ("positions", firm()),
        Command::Orders { .. } => ("orders", firm()),
        Command::Sessions { .. } => ("sessions", firm()),
        Command::PositionSet { setting, .. } => ("positions.set", setting.client.to_string()),
        Command::Events { .. } => ("events", firm()),
        Command::AlertsList => ("alerts.list", firm()),
        Command::AlertsAck { .. } => ("alerts.ack", firm()),
        Command::AlertsSilence { silence, .. } => ("alerts.silence", silence.kind.to_string()),
        Command::ProposalsList => ("proposals.list", firm()),
        Command::ProposalApprove { id, .. } => ("proposal.approve", id.to_string()),
        Command::ProposalWithdraw { id, .. } => ("proposal.withdraw", id.to_string()),
        Command::TierMap { .. } => ("tier.map", firm()),
        Command::ListsReload { .. } => ("lists.reload", lists::TARGET.to_owned()),
        Command::LevelsShow { .. } => ("levels.show", firm()),
        Command::Reconciled { standing } => ("reconciled", standing.gateway.to_string()),
    }
}

/// Why and under which ticket somebody asked, as far as they said so.
const fn why_of(command: &Command) -> (Option<&Reason>, Option<&Ticket>) {
    match command {
        Command::LimitsSet { reason, ticket, .. }
        | Command::BreakerTrip { reason, ticket, .. }
        | Command::BreakerReset { reason, ticket, .. }
        | Command::Resume { reason, ticket }
        | Command::TierReset { reason, ticket, .. }
        | Command::PositionSet { reason, ticket, .. }
        | Command::AlertsSilence { reason, ticket, .. }
        | Command::ProposalApprove { reason, ticket, .. }
        | Command::ProposalWithdraw { reason, ticket, .. }
        | Command::ListsReload { reason, ticket, .. } => (Some(reason), ticket.as_ref()),
        Command::Halt { reason, ticket } | Command::AlertsAck { reason, ticket, .. } => {
            (reason.as_ref(), ticket.as_ref())
        }
        Command::Status
        | Command::LimitsShow { .. }
        | Command::BreakerList { .. }
        | Command::TierShow { .. }
        | Command::GateExplain { .. }
        | Command::AuditTail { .. }
        | Command::AuditVerify
        | Command::Attach { .. }
        | Command::Positions { .. }
        | Command::Orders { .. }
        | Command::Sessions { .. }
        | Command::Events { .. }
        | Command::AlertsList
        | Command::ProposalsList
        | Command::TierMap { .. }
        | Command::LevelsShow { .. }
        | Command::Reconciled { .. } => (None, None),
    }
}

impl Controller {
    /// The person at the other end of a connection.
    #[must_use]
    pub fn actor(&self, peer: Peer) -> Actor {
        // Without the host's user database nobody but the daemon's own user and users by number have a role.
        let users = UserDatabase::of_host().unwrap_or_default();
        let role = self.roles.role_of(peer, self.own_uid, &users);
        Actor { uid: peer.uid, gid: peer.gid, pid: peer.pid, user: users.user_name(peer.uid), role }
    }

    /// Does what is asked, when `actor` may ask it, for somebody who waits for as long as it takes.
    ///
    /// # Errors
    /// [`Refusal`]: not done, or (said in the message) done and not made to last.
    pub fn execute(&self, actor: &Actor, command: Command) -> Result<Reply, Refusal> {
        self.execute_asked(actor, command, &Asked::at(self.clock_now()))
    }

    /// [`Controller::execute`] of a command that came in at some moment and whose sender may give up. What loosens is not done
    /// for somebody who has; what tightens is done all the same.
    ///
    /// # Errors
    /// As [`Controller::execute`].
    pub fn execute_asked(
        &self,
        actor: &Actor,
        command: Command,
        asked: &Asked<'_>,
    ) -> Result<Reply, Refusal> {
        self.authorise(actor, &command)?;
        #[expect(clippy::wildcard_enum_match_arm, reason = "`carry_out` decides on all the rest")]
        match command {
            Command::Events { after, count } => self.events_after(after, count),
            Command::AlertsList => self.alerts_list(),
            Command::AlertsAck { alerts, reason, ticket } => {
                self.alerts_ack(actor, &alerts, Why::optional(reason.as_ref(), ticket.as_ref()))
            }
            Command::AlertsSilence { silence, reason, ticket } => {
                self.alerts_silence(actor, &silence, Why::new(&reason, ticket.as_ref()))
            }
            Command::ProposalsList => Ok(self.proposals()),
            Command::ProposalApprove { id, reason, ticket } => {
                self.proposal_approve(actor, id, Why::new(&reason, ticket.as_ref()), asked)
            }
            Command::ProposalWithdraw { id, reason, ticket } => {
                self.proposal_withdraw(actor, id, Why::new(&reason, ticket.as_ref()))
            }
            command => self.carry_out_or_propose(actor, command, asked),
        }
    }

    /// Does what is asked of the limits, breakers, tiers and positions, or shows them.
    fn carry_out(&self, actor: &Actor, command: Command, asked: &Asked<'_>) -> Result<Reply, Refusal> {
        match command {
            Command::Status => Ok(Reply::Status(Box::new(self.status()))),
            Command::LimitsShow { symbol, after } => self.limits_show(symbol, after),
            Command::BreakerList { after } => Ok(Reply::Breakers(self.breaker_list(after.as_ref()))),
            Command::TierShow { symbol, after } => self.tier_show(symbol, after),
            Command::TierMap { after } => self.tier_map(after),
            Command::LevelsShow { scopes } => self.levels_show(&scopes),
            Command::GateExplain { order } => self.explain(&order),
            Command::AuditTail { count } => self.audit_tail(count),
            Command::AuditVerify => self.audit_verify(),
            Command::Positions { filter } => self.positions(&filter),
            Command::Orders { filter } => self.orders(&filter),
            Command::Sessions { client } => self.sessions(client.as_ref()),
            Command::PositionSet { setting, reason, ticket } => {
                self.position_set(actor, &setting, Why::new(&reason, ticket.as_ref()), asked)
            }
            Command::Attach { .. } => refuse(
                RefusalKind::BadRequest,
                "an order process attaches over a connection of its own".to_owned(),
            ),
            Command::Reconciled { standing } => self.reconciled(actor, *standing),
            Command::Events { .. }
            | Command::AlertsList
            | Command::AlertsAck { .. }
            | Command::AlertsSilence { .. }
            | Command::ProposalsList
            | Command::ProposalApprove { .. }
            | Command::ProposalWithdraw { .. } => {
                refuse(RefusalKind::BadRequest, "it cannot be proposed".to_owned())
            }
            Command::LimitsSet { symbol, changes, dry_run, reason, ticket } => {
                let why = Why::new(&reason, ticket.as_ref());
                self.limits_set(actor, &Setting { symbol, changes: &changes, dry_run, why }, asked)
            }
            Command::BreakerTrip { scope, mode, reason, ticket } => {
                let why = Why::new(&reason, ticket.as_ref());
                self.breaker_trip(actor, &scope, mode, why, asked.received)
            }
            Command::BreakerReset { scope, reason, ticket } => {
                self.breaker_reset(actor, &scope, Why::new(&reason, ticket.as_ref()), asked)
            }
            Command::Halt { reason, ticket } => {
                self.halt(actor, Why::optional(reason.as_ref(), ticket.as_ref()), asked.received)
            }
            Command::Resume { reason, ticket } => {
                self.resume(actor, Why::new(&reason, ticket.as_ref()), asked)
            }
            Command::TierReset { symbol, reason, ticket } => {
                self.tier_reset(actor, symbol, Why::new(&reason, ticket.as_ref()), asked)
            }
            Command::ListsReload { dry_run, reason, ticket } => {
                self.lists_reload(actor, dry_run, Why::new(&reason, ticket.as_ref()), asked)
            }
        }
    }

    /// Puts an instrument that a feed has just defined under what is latched and set for it. Call it after
    /// [`crate::backend::Backend::knows`] has begun to say yes and before the gate takes the first order of it; trips and this call exclude each
    /// other, so none falls in between.
    ///
    /// # Errors
    /// [`BackendError`], when the backend does not take it.
    pub fn introduce(&self, scope: &Scope) -> Result<(), BackendError> {
        let inner = self.lock();
        if let Scope::Instrument(symbol) = scope {
            // First: with its limits the gate begins to let orders of it pass.
            self.lists.introduce(self.backend.as_ref(), *symbol)?;
            self.limits_ahead.set(self.backend.as_ref(), *symbol, inner.limits.shared())?;
        }
        self.words.set(self.backend.as_ref(), scope, self.latched(&inner.latch, scope))
    }

    /// What is odd about the configuration or the state, found at start and worth a line in the daemon's log.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether a peer may be connected at all: who has no role may not. Refusing is counted and recorded like the refusal of a
    /// command, later: whoever lets connections in waits for no disk.
    ///
    /// # Errors
    /// [`Refusal`], with what to say to whoever has no role.
    pub fn admit(&self, actor: &Actor) -> Result<Role, Refusal> {
        let Some(role) = actor.role else {
            let message = format!(
                "{} (uid {}) has no role and is not served: see [roles] in the configuration",
                actor.user, actor.uid
            );
            let record =
                Why { reason: "", ticket: "" }.record("connect", "control", Value::Null, Value::Null);
            self.note_refusal(actor, record, &message);
            return refuse(RefusalKind::Denied, message);
        };
        Ok(role)
    }

    fn authorise(&self, actor: &Actor, command: &Command) -> Result<(), Refusal> {
        let wanted = least_role(command);
        if actor.role.is_some_and(|role| role >= wanted) {
            return Ok(());
        }
        let (action, target) = name_of(command);
        let found = actor.role.map_or_else(|| "no role".to_owned(), |role| format!("role {role}"));
        let message = format!(
            "{action} needs role {wanted}; {} (uid {}) has {found}: see [roles] in the configuration",
            actor.user, actor.uid
        );
        if wanted > Role::Viewer || wanted == Role::Order {
            let (reason, ticket) = why_of(command);
            let record = Why::optional(reason, ticket).record(action, target, Value::Null, Value::Null);
            self.note_refusal(actor, record, &message);
            if let Some(mut inner) = self.try_lock() {
                self.record_refused(&mut inner);
            }
        }
        refuse(RefusalKind::Denied, message)
    }
}
