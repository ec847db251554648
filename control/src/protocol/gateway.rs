//! Gateways, as `status` shows them: the daemon's own, and those that reconcile drop copies.

use crate::names::Name;
use crate::stamp::Stamp;
use serde::{Deserialize, Serialize};

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Why it carries no orders, while it does not.
    pub down: Option<GatewayDown>,
}

/// A gateway that carries no orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayDown {
    /// Since when.
    pub since: Stamp,
    /// Why, as of the last attempt.
    pub why: String,
}

impl std::fmt::Display for GatewayDown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "it does not run since {:.3}: {}", self.since, self.why)
    }
}

/// How a gateway's drop copies agree with its gate: as the gateway says it, and as `status` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciliation {
    /// The gateway.
    pub gateway: Name,
    /// Whose it is.
    pub client: Name,
    /// Whether copies come.
    pub up: bool,
    /// Since when they do, or do not.
    pub since: Stamp,
    /// Orders and executions that were found to agree since the gateway began.
    pub matched: u64,
    /// What one side has said and the other has not yet.
    pub waiting: u64,
    /// Copies of other accounts.
    #[serde(default)]
    pub others: u64,
    /// What the gate did and the comparison was not told; it is told everything anew then.
    #[serde(default)]
    pub facts_lost: u64,
    /// What was found to differ since the gateway began: its orders are in doubt.
    pub breaks: u64,
    /// The last ones, and what each side says.
    #[serde(default)]
    pub last_breaks: Vec<String>,
    /// When the gateway said so; none where it has not since the daemon began.
    pub heard: Option<Stamp>,
}

/// A gateway that says nothing for so long is not heard of: it tells once a second.
const SILENCE_NS: u64 = 5_000_000_000;

impl Reconciliation {
    /// Of a gateway that nothing was heard of since the daemon began at `started`.
    #[must_use]
    pub const fn unheard(gateway: Name, client: Name, started: Stamp) -> Self {
        Self {
            gateway,
            client,
            up: false,
            since: started,
            matched: 0,
            waiting: 0,
            others: 0,
            facts_lost: 0,
            breaks: 0,
            last_breaks: Vec::new(),
            heard: None,
        }
    }

    /// Since when nothing is reconciled, and why, at `now`; none while it is.
    #[must_use]
    pub fn down(&self, now: Stamp) -> Option<(Stamp, &'static str)> {
        match self.heard {
            None => Some((self.since, "the gateway has not said anything since the start")),
            Some(heard) if now.0.since(heard.0).0 > SILENCE_NS => {
                Some((heard, "the gateway has not said anything"))
            }
            Some(_) if !self.up => Some((self.since, "no copies come")),
            Some(_) => None,
        }
    }
}
