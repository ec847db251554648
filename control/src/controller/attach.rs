//! Order processes that attach.

use super::plane::{Controller, refuse};
use super::shortfall::Why;
use crate::audit::Actor;
use crate::backend::BackendError;
use crate::names::Name;
use crate::protocol::{Grant, Refusal, RefusalKind};
use crate::roles::{Peer, UserDatabase};
use serde_json::Value;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

impl Controller {
    /// Gives the order process at the other end of `lifeline` what it needs. It is in the audit log before it is answered.
    ///
    /// # Errors
    /// [`Refusal`]: a client that is not declared, another's, or one that is attached already.
    pub fn attach(
        &self,
        peer: Peer,
        client: &Name,
        lifeline: UnixStream,
    ) -> Result<(Grant, Vec<OwnedFd>), Refusal> {
        let actor = self.actor(peer);
        let granted = self.may_attach(peer, &actor, client).and_then(|()| {
            self.backend.attach(client, lifeline).map_err(|error| {
                let kind = match error {
                    BackendError::Unknown { .. } => RefusalKind::NotFound,
                    BackendError::Failed { .. } => RefusalKind::Failed,
                };
                Refusal { kind, message: format!("{client} cannot attach: {error}") }
            })
        });
        let record =
            Why { reason: "", ticket: "" }.record("attach", client.to_string(), Value::Null, Value::Null);
        match &granted {
            Ok(_) => {
                // What was given cannot be taken back: a record that the disk refuses is owed.
                let _ = self.lock().trail.append_or_owe(self.now(), &actor, vec![record]);
            }
            Err(refusal) => self.note_refusal(&actor, record, &refusal.message),
        }
        granted
    }

    fn may_attach(&self, peer: Peer, actor: &Actor, client: &Name) -> Result<(), Refusal> {
        let Some(found) = self.clients.get(client) else {
            let message = format!("{client} is not declared: see [client] in the configuration");
            return refuse(RefusalKind::NotFound, message);
        };
        let users = UserDatabase::of_host().unwrap_or_default();
        if peer.uid == self.own_uid || users.covers(&found.user, peer) {
            return Ok(());
        }
        let message =
            format!("{client} is {}'s; {} (uid {}) may not attach as it", found.user, actor.user, actor.uid);
        refuse(RefusalKind::Denied, message)
    }
}
