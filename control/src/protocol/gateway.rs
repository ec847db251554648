//! The daemon's own gateways, as `status` shows them.

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
