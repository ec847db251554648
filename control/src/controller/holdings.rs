//! What order processes hold: shown to who looks, set by an officer when it is in doubt.

use super::asked::Asked;
use super::loosen::{not_audited, not_taken};
use super::plane::{Controller, refuse};
use super::shortfall::Why;
use crate::audit::{Actor, Entry as Record};
use crate::backend::BackendError;
use crate::config::{ClientMode, TwoPeople};
use crate::names::Name;
use crate::protocol::{
    Changed, HoldingsFilter, Listing, PositionSetting, Refusal, RefusalKind, Reply, SessionRow,
};
use crate::roles::UserDatabase;
use crate::suggest::did_you_mean;
use serde_json::json;

/// Rows of one answer: of at most 400 bytes each, they stay under the largest message.
const ROWS_MAX: usize = 2_000;

/// The first of `rows`, and how many more there are.
fn listing<T>(mut rows: Vec<T>) -> Listing<T> {
    let more = rows.len().saturating_sub(ROWS_MAX) as u64;
    rows.truncate(ROWS_MAX);
    Listing { rows, more }
}

impl Controller {
    /// Clients in audit mode.
    pub(super) fn audit_mode(&self) -> Vec<Name> {
        let audits = self.clients.iter().filter(|(_, client)| client.mode == ClientMode::Audit);
        audits.map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn positions(&self, filter: &HoldingsFilter) -> Result<Reply, Refusal> {
        self.declared(filter.client.as_ref())?;
        Ok(Reply::Positions(listing(self.backend.positions(filter))))
    }

    pub(super) fn orders(&self, filter: &HoldingsFilter) -> Result<Reply, Refusal> {
        self.declared(filter.client.as_ref())?;
        Ok(Reply::Orders(listing(self.backend.orders(filter))))
    }

    pub(super) fn sessions(&self, client: Option<&Name>) -> Result<Reply, Refusal> {
        self.declared(client)?;
        let users = UserDatabase::of_host().unwrap_or_default();
        let views = self.backend.sessions().into_iter();
        let shown = views.filter(|view| client.is_none_or(|wanted| view.session.client == *wanted));
        let named = shown.map(|view| SessionRow {
            user: view.uid.map_or_else(String::new, |uid| users.user_name(uid)),
            ..view.session
        });
        Ok(Reply::Sessions(listing(named.collect())))
    }

    fn declared(&self, client: Option<&Name>) -> Result<(), Refusal> {
        let Some(client) = client.filter(|client| !self.clients.contains_key(*client)) else { return Ok(()) };
        let known: Vec<&str> = self.clients.keys().map(Name::as_str).collect();
        let hint = did_you_mean(client.as_str(), &known);
        refuse(
            RefusalKind::NotFound,
            format!("client {client} is not declared in the configuration ([client]){hint}"),
        )
    }

    /// Sets a position that is in doubt. It may let orders pass again, and so is done like a loosening: the record first.
    pub(super) fn position_set(
        &self,
        actor: &Actor,
        setting: &PositionSetting,
        why: Why<'_>,
        asked: &Asked<'_>,
    ) -> Result<Reply, Refusal> {
        self.declared(Some(&setting.client))?;
        let mut inner = self.lock();
        asked.still_wanted()?;
        let PositionSetting { client, strategy, account, symbol, position } = setting;
        let target = format!("{client} {strategy} {account} {symbol}");
        let record = |before| why.record("positions.set", &target, before, json!({ "position": position }));
        let before = self.backend.position(setting).map_err(|error| {
            let kind = match error {
                BackendError::Unknown { .. } => RefusalKind::NotFound,
                BackendError::Failed { .. } => RefusalKind::Failed,
            };
            let message = format!("nothing was changed: {error}");
            self.record_refusal(&mut inner, actor, record(json!(null)), &message);
            Refusal { kind, message }
        })?;
        let record = record(json!({ "position": before.position, "in_doubt": before.in_doubt }));
        self.second_person(TwoPeople::Positions, asked, &record.before)?;
        let authorised = Record { result: "authorised".to_owned(), ..record.clone() };
        let audit_seq =
            inner.trail.append(self.now(), actor, &authorised).map_err(|error| not_audited(&error))?;
        if let Err(refusal) = asked.still_wanted() {
            return Err(self.failed(&mut inner, actor, record, refusal));
        }
        if let Err(error) = self.backend.set_position(setting) {
            return Err(self.failed(&mut inner, actor, record, not_taken(&error)));
        }
        let doubt = if before.in_doubt { ", which was in doubt" } else { "" };
        let message = format!(
            "{strategy} of {client} holds {position} {symbol} (account {account}; before: {}{doubt})",
            before.position
        );
        Ok(Reply::Changed(Changed::new(message, 0, true, audit_seq)))
    }
}
