//! Four eyes: what the configuration says takes two people is proposed by one and done by another, who may do it by role.
//!
//! A proposal is bound to what stood when it was made. It is on disk before it is answered, and gone from the disk before it is done:
//! a crash between the two opens nothing. Tightening is never proposed.

use super::asked::Asked;
use super::plane::{Controller, Inner, refuse};
use super::second::Second;
use super::shortfall::Why;
use super::system::system_actor;
use super::{least_role, name_of, why_of};
use crate::audit::{Actor, Entry as Record};
use crate::config::TwoPeople;
use crate::protocol::{
    Changed, Command, LimitChange, PositionSetting, ProposalRow, Reason, Refusal, RefusalKind, Reply, Ticket,
};
use crate::stamp::Stamp;
use crate::state::{OF_ONE_MAX, PROPOSALS_MAX, Proposal};
use serde_json::{Value, json};
use types::Nanos;

fn changed_since(id: u64) -> String {
    format!(
        "nothing was changed: what proposal {id} was made for is not so any more: withdraw it, look, and propose again"
    )
}

/// What a command would change, for people.
fn change_of(command: &Command) -> String {
    if let Command::LimitsSet { changes, .. } = command {
        let changes: Vec<String> =
            changes.iter().map(|change| format!("{}={}", change.key, change.value)).collect();
        return changes.join(" ");
    }
    if let Command::PositionSet { setting, .. } = command {
        let PositionSetting { strategy, account, symbol, position, .. } = setting;
        return format!("position={position} strategy={strategy} account={account} symbol={symbol}");
    }
    String::new()
}

impl Controller {
    /// Refuses a loosening that takes two people, unless a second one approves it and what it is done to, `before`, is what it was
    /// proposed for. Asked under the lock under which it is then done.
    pub(super) fn second_person(
        &self,
        kind: TwoPeople,
        asked: &Asked<'_>,
        before: &Value,
    ) -> Result<(), Refusal> {
        if let Some(Second { approved: Some(proposed), .. }) = asked.second {
            let stands = proposed == before;
            return if stands { Ok(()) } else { refuse(RefusalKind::Policy, changed_since(0)) };
        }
        if !self.four_eyes.commands.contains(&kind) {
            return Ok(());
        }
        if let Some(second) = asked.second {
            second.wanted.replace(Some(before.clone()));
        }
        refuse(RefusalKind::Policy, "nothing was changed: this takes two people ([four_eyes])".to_owned())
    }

    /// [`Controller::carry_out`], and where that takes a second person, a proposal.
    pub(super) fn carry_out_or_propose(
        &self,
        actor: &Actor,
        command: Command,
        asked: &Asked<'_>,
    ) -> Result<Reply, Refusal> {
        if self.four_eyes.commands.is_empty() {
            return self.carry_out(actor, command, asked);
        }
        let second = Second::default();
        let outcome = self.carry_out(actor, command.clone(), &Asked { second: Some(&second), ..*asked });
        match (outcome, second.wanted.take()) {
            (Err(_), Some(before)) => match self.tightening_half(&command) {
                Some((tighter, looser)) => self.tighten_and_propose(actor, tighter, looser, asked),
                None => {
                    let done = second.done.take();
                    let proposed = self.propose(actor, command, before, asked)?;
                    Ok(Reply::Proposed(ProposalRow { done, ..proposed }))
                }
            },
            (outcome, _) => outcome,
        }
    }

    /// The part of a set of limits that only tightens, and the rest, where it has both.
    fn tightening_half(&self, command: &Command) -> Option<(Command, Command)> {
        let Command::LimitsSet { symbol, changes, dry_run, reason, ticket } = command else { return None };
        let limits = self.shown().limits;
        let is_tighter = |change: &LimitChange| limits.is_tighter(*symbol, change.key, change.value);
        let (tighter, looser): (Vec<_>, Vec<_>) = changes.iter().copied().partition(is_tighter);
        let of = |changes| Command::LimitsSet {
            symbol: *symbol,
            changes,
            dry_run: *dry_run,
            reason: reason.clone(),
            ticket: ticket.clone(),
        };
        (!tighter.is_empty() && !looser.is_empty()).then(|| (of(tighter), of(looser)))
    }

    /// Sets the tighter half at once, which waits for nobody, and proposes the other.
    fn tighten_and_propose(
        &self,
        actor: &Actor,
        tighter: Command,
        looser: Command,
        asked: &Asked<'_>,
    ) -> Result<Reply, Refusal> {
        let done = change_of(&tighter);
        self.carry_out(actor, tighter, asked)?;
        match self.carry_out_or_propose(actor, looser, asked) {
            Ok(Reply::Proposed(row)) => Ok(Reply::Proposed(ProposalRow { done, ..row })),
            Err(refusal) => refuse(
                refusal.kind,
                format!("{done} is set, which is tighter; the rest: {}", refusal.message),
            ),
            other => other,
        }
    }

    fn propose(
        &self,
        actor: &Actor,
        command: Command,
        before: Value,
        asked: &Asked<'_>,
    ) -> Result<ProposalRow, Refusal> {
        let mut inner = self.lock();
        asked.still_wanted()?;
        let now = self.now();
        self.expire(&mut inner, now);
        let of_one = inner.proposals.waiting().iter().filter(|waiting| waiting.row.uid == actor.uid).count();
        if of_one >= OF_ONE_MAX || inner.proposals.waiting().len() >= PROPOSALS_MAX {
            let message = format!(
                "nothing was changed and nothing proposed: {of_one} proposals of yours wait, of at most {OF_ONE_MAX}, and {} in all, of at most {PROPOSALS_MAX}",
                inner.proposals.waiting().len()
            );
            return refuse(RefusalKind::Policy, message);
        }
        let (action, target) = name_of(&command);
        let (reason, ticket) = why_of(&command);
        let minutes = u64::from(self.four_eyes.expire_minutes);
        let row = ProposalRow {
            id: 0,
            action: action.to_owned(),
            target,
            change: change_of(&command),
            by: actor.user.clone(),
            uid: actor.uid,
            at: now,
            expires: Stamp(now.0.plus(Nanos(minutes * 60_000_000_000))),
            reason: reason.map_or("", Reason::as_str).to_owned(),
            ticket: ticket.map_or("", Ticket::as_str).to_owned(),
            done: String::new(),
        };
        let proposal = Proposal { row, command, before };
        let row =
            inner.dir.check().and_then(|()| inner.proposals.add(proposal)).map_err(|error| Refusal {
                kind: RefusalKind::Failed,
                message: format!("nothing was changed and nothing proposed: it cannot be written: {error}"),
            })?;
        let record = record_of("proposal.make", &row, Value::Null, json!(row), "done");
        // It opens nothing by itself: a record that the disk refuses is owed.
        drop(inner.trail.append_or_owe(now, actor, vec![record]));
        Ok(row)
    }

    pub(super) fn proposals(&self) -> Reply {
        let mut inner = self.lock();
        let now = self.now();
        self.expire(&mut inner, now);
        Reply::Proposals(inner.proposals.waiting().iter().map(|waiting| waiting.row.clone()).collect())
    }

    /// Takes away what nobody approved in time. A disk that refuses changes nothing about it: nobody can approve it any more.
    fn expire(&self, inner: &mut Inner, now: Stamp) {
        let over: Vec<ProposalRow> = inner
            .proposals
            .waiting()
            .iter()
            .filter(|waiting| waiting.row.expires <= now)
            .map(|waiting| waiting.row.clone())
            .collect();
        for row in over {
            if inner.proposals.take(row.id).is_ok() {
                let record = record_of("proposal.expire", &row, json!(row), Value::Null, "done");
                drop(inner.trail.append_or_owe(now, &system_actor(self.own_uid), vec![record]));
            }
        }
    }

    fn waiting(&self, inner: &mut Inner, id: u64) -> Result<Proposal, Refusal> {
        let now = self.now();
        self.expire(inner, now);
        let found = inner.proposals.waiting().iter().find(|waiting| waiting.row.id == id);
        let found = found.filter(|waiting| waiting.row.expires > now).cloned();
        found.ok_or_else(|| Refusal {
            kind: RefusalKind::NotFound,
            message: format!(
                "nothing was changed: no proposal {id} waits: it was approved, withdrawn or is void"
            ),
        })
    }

    pub(super) fn proposal_withdraw(&self, actor: &Actor, id: u64, why: Why<'_>) -> Result<Reply, Refusal> {
        let mut inner = self.lock();
        let proposal = self.waiting(&mut inner, id)?;
        inner.proposals.take(id).map_err(|error| Refusal {
            kind: RefusalKind::Failed,
            message: format!("the proposal still waits: it cannot be written: {error}"),
        })?;
        let target = target_of(&proposal.row);
        let record = why.record("proposal.withdraw", target, json!(proposal.row), Value::Null);
        let seq = inner.trail.append_or_owe(self.now(), actor, vec![record]).unwrap_or(0);
        let message = format!("proposal {id} of {} withdrawn", proposal.row.by);
        Ok(Reply::Changed(Changed::new(message, 0, true, seq)))
    }

    pub(super) fn proposal_approve(
        &self,
        actor: &Actor,
        id: u64,
        why: Why<'_>,
        asked: &Asked<'_>,
    ) -> Result<Reply, Refusal> {
        let mut inner = self.lock();
        asked.still_wanted()?;
        let proposal = self.waiting(&mut inner, id)?;
        let (row, wanted) = (proposal.row.clone(), least_role(&proposal.command));
        let record = why.record("proposal.approve", target_of(&row), json!(row), Value::Null);
        let refusal = if row.uid == actor.uid {
            Some(format!("nothing was changed: proposal {id} is your own, and takes another person"))
        } else if actor.role < Some(wanted) {
            Some(format!("nothing was changed: {} needs role {wanted}", row.action))
        } else {
            None
        };
        if let Some(message) = refusal {
            self.record_refusal(&mut inner, actor, record, &message);
            return refuse(RefusalKind::Denied, message);
        }
        let now = self.now();
        let record = Record { result: "authorised".to_owned(), ..record };
        inner.trail.append(now, actor, &record).map_err(|error| super::loosen::not_audited(&error))?;
        // From here on it cannot be approved a second time, whatever happens.
        if let Err(error) = inner.dir.check().and_then(|()| inner.proposals.take(id)) {
            return Err(self.failed(&mut inner, actor, record, super::loosen::not_latched(&error)));
        }
        drop(inner);
        let second = Second::approving(proposal.before.clone());
        let asked = Asked { second: Some(&second), ..*asked };
        let outcome = self.carry_out(actor, proposal.command.clone(), &asked);
        outcome.map_err(|refusal| self.not_done(actor, proposal, record, refusal))
    }

    /// Something approved was not done after all: it waits again.
    fn not_done(&self, actor: &Actor, proposal: Proposal, record: Record, mut refusal: Refusal) -> Refusal {
        let id = proposal.row.id;
        if refusal.kind == RefusalKind::Policy && refusal.message == changed_since(0) {
            refusal.message = changed_since(id);
        }
        let mut inner = self.lock();
        let waits = inner.proposals.put_back(proposal).is_ok();
        refusal.message.push_str(&match waits {
            true => format!("; proposal {id} waits as before"),
            false => format!("; proposal {id} could not be kept: propose it again"),
        });
        self.failed(&mut inner, actor, record, refusal)
    }
}

fn target_of(row: &ProposalRow) -> String {
    format!("proposal:{} {} {}", row.id, row.action, row.target)
}

fn record_of(action: &'static str, row: &ProposalRow, before: Value, after: Value, result: &str) -> Record {
    let (reason, ticket, result) = (row.reason.clone(), row.ticket.clone(), result.to_owned());
    Record { action, target: target_of(row), before, after, reason, ticket, result }
}
