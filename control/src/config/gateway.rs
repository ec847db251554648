//! `[[gateway]]`: what carries the firm's orders to a venue, as written.

use super::net::CpuChoice;
use crate::names::Name;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What a gateway speaks on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum GatewayProtocol {
    /// OUCH 5.0 over SoupBinTCP.
    #[serde(rename = "ouch-5.0")]
    Ouch50,
    /// OUCH 4.2 over SoupBinTCP.
    #[serde(rename = "ouch-4.2")]
    Ouch42,
    /// FIX 4.2.
    #[serde(rename = "fix-4.2")]
    Fix42,
    /// FIX 4.4.
    #[serde(rename = "fix-4.4")]
    Fix44,
    /// FIX 5.0 SP2 over FIXT 1.1.
    #[serde(rename = "fixt-1.1")]
    Fixt11,
}

impl GatewayProtocol {
    /// Whether it is one of FIX's.
    #[must_use]
    pub const fn is_fix(self) -> bool {
        matches!(self, Self::Fix42 | Self::Fix44 | Self::Fixt11)
    }
}

/// What becomes of the firm's orders when its connection ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDisconnect {
    /// Each that is open is cancelled.
    #[default]
    Cancel,
    /// They stay.
    Keep,
}

/// What becomes of the open orders that a person's halt or trip covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnHalt {
    /// Each is cancelled. The default: an order that nobody is allowed to send any more is not left to trade either.
    #[default]
    Cancel,
    /// They stay, for a person to decide about; the firm can cancel them.
    Keep,
}

/// `[gateway.soup]`: who logs in where over SoupBinTCP.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewaySoup {
    /// The user name that the firm logs in with.
    pub firm_username: String,
    /// The file with the firm's password.
    pub firm_password_file: PathBuf,
    /// The user name that the gateway logs in with at the venue.
    pub venue_username: String,
    /// The file with its password.
    pub venue_password_file: PathBuf,
}

/// `[[gateway.mpid]]`: what the orders count to that are entered for another MPID than the session's own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayMpid {
    /// The MPID, as orders have it.
    pub id: String,
    /// The strategy that they count to.
    pub strategy: Name,
    /// The account that they count to.
    pub account: Name,
}

/// `[gateway.fix]`: who speaks on both sessions of FIX, and what the firm is told beside the venue's words.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayFix {
    /// The firm's CompID on its session.
    pub firm: String,
    /// The gateway's there.
    pub gateway_to_firm: String,
    /// The venue's CompID on its session.
    pub venue: String,
    /// The gateway's there.
    pub gateway_to_venue: String,
    /// HeartBtInt (108) of the venue's session, in seconds.
    #[serde(default = "heartbeat_s")]
    pub heartbeat_s: u16,
    /// Whether each logon at the venue begins both directions at 1.
    #[serde(default)]
    pub reset_at_venue: bool,
    /// Whether the venue takes one request to cancel everything (35=q), sent before each order is cancelled by its name.
    #[serde(default)]
    pub mass_cancel: bool,
    /// Account (1) that the firm may write on an order; empty for the gateway's account.
    #[serde(default)]
    pub account: String,
    /// Tags from 5000 on that go to the venue as the firm writes them; an order with another one is refused.
    #[serde(default)]
    pub user_tags: Vec<u16>,
    /// The tag of `RiskAlert_*`.
    #[serde(default = "alert_tag")]
    pub alert_tag: u16,
    /// The tag of the score; 0 for none.
    #[serde(default)]
    pub score_tag: u16,
    /// The tag of the tier; 0 for none.
    #[serde(default)]
    pub tier_tag: u16,
    /// Who gets a copy of each execution report of the firm's.
    #[serde(default)]
    pub drop_copy: Option<GatewayDropCopy>,
}

/// `[gateway.fix.drop_copy]`: a party that is told what the firm is told of its orders.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayDropCopy {
    /// Where it connects to.
    pub listen: SocketAddr,
    /// Its CompID.
    pub receiver: String,
    /// The gateway's there.
    pub gateway_to_receiver: String,
}

/// `[gateway.copy_in]`: what the venue, or who clears, says that the gateway's orders did, to be compared with what the gate knows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayCopyIn {
    /// Where the sender connects to (FIX); this or `connect`.
    #[serde(default)]
    pub listen: Option<SocketAddr>,
    /// Where the gateway connects to.
    #[serde(default)]
    pub connect: Option<SocketAddr>,
    /// The sender's CompID (FIX).
    #[serde(default)]
    pub sender: String,
    /// The gateway's there.
    #[serde(default)]
    pub gateway_to_sender: String,
    /// HeartBtInt (108) where the gateway connects (FIX), in seconds.
    #[serde(default = "heartbeat_s")]
    pub heartbeat_s: u16,
    /// Account (1) of the reports that are the gateway's (FIX); all where empty.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// The user name at the port for copies (OUCH).
    #[serde(default)]
    pub username: String,
    /// The file with its password.
    #[serde(default)]
    pub password_file: PathBuf,
    /// How long what one side says waits for the other, in milliseconds.
    #[serde(default = "grace_ms")]
    pub grace_ms: u32,
    /// How long copies may stay away before that is an alert, in seconds.
    #[serde(default = "down_s")]
    pub down_s: u32,
}

const fn grace_ms() -> u32 {
    3_000
}

const fn down_s() -> u32 {
    10
}

const fn heartbeat_s() -> u16 {
    30
}

const fn alert_tag() -> u16 {
    8_011
}

/// One `[[gateway]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Its name on the command line.
    pub name: Name,
    /// The `[client.NAME]` whose order thread it is.
    pub client: Name,
    /// What it speaks.
    pub protocol: GatewayProtocol,
    /// Where the firm connects to.
    pub listen: SocketAddr,
    /// Where the venue is.
    pub venue: SocketAddr,
    /// The strategy that its orders count to.
    pub strategy: Name,
    /// The account that its orders count to.
    pub account: Name,
    /// What those count to that are entered for another MPID (OUCH).
    #[serde(default)]
    pub mpid: Vec<GatewayMpid>,
    /// Its CPU; without one it sleeps while there is nothing to do.
    #[serde(default = "any_cpu")]
    pub cpu: CpuChoice,
    /// Whether the daemon runs it, on a thread of its own, instead of a process.
    #[serde(default)]
    pub in_daemon: bool,
    /// What becomes of the firm's orders when its connection ends.
    #[serde(default)]
    pub on_disconnect: OnDisconnect,
    /// What becomes of the open orders that a person's halt or trip covers.
    #[serde(default)]
    pub on_halt: OnHalt,
    /// Where its streams are kept; empty for `gateways/NAME` in the state directory.
    #[serde(default)]
    pub store_dir: PathBuf,
    /// SoupBinTCP's part.
    #[serde(default)]
    pub soup: Option<GatewaySoup>,
    /// FIX's part.
    #[serde(default)]
    pub fix: Option<GatewayFix>,
    /// Drop copies that come in.
    #[serde(default)]
    pub copy_in: Option<GatewayCopyIn>,
}

const fn any_cpu() -> CpuChoice {
    CpuChoice::Any
}
