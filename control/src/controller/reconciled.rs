//! A gateway says how its drop copies agree with its gate, once a second.

use super::plane::{Controller, refuse};
use crate::audit::Actor;
use crate::config::Client;
use crate::protocol::{Reconciliation, Refusal, RefusalKind, Reply};
use crate::roles::{Peer, UserDatabase};

impl Controller {
    /// Takes note of how a gateway's copies agree with its gate, when it is the gateway that says so.
    pub(super) fn reconciled(&self, actor: &Actor, standing: Reconciliation) -> Result<Reply, Refusal> {
        let heard = self.now();
        let mut declared = self.reconciliations.lock();
        let Some(known) = declared.get_mut(&standing.gateway) else {
            let what = format!("no gateway {} takes drop copies: see [gateway.copy_in]", standing.gateway);
            return refuse(RefusalKind::NotFound, what);
        };
        let is_own =
            self.clients.get(&known.standing.client).is_some_and(|client| self.may_say(actor, client));
        if !is_own || known.standing.client != standing.client {
            let what =
                format!("{} (uid {}) is not the user of gateway {}", actor.user, actor.uid, standing.gateway);
            return refuse(RefusalKind::Denied, what);
        }
        known.standing = Reconciliation { heard: Some(heard), ..standing };
        Ok(Reply::Noted)
    }

    fn may_say(&self, actor: &Actor, client: &Client) -> bool {
        let peer = Peer { uid: actor.uid, gid: actor.gid, pid: actor.pid };
        let users = UserDatabase::of_host().unwrap_or_default();
        actor.uid == self.own_uid || users.covers(&client.user, peer)
    }
}
