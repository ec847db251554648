//! What a gateway is made of, and why there is none.

use crate::fix::dictionary::Version;
use crate::fix::gateway::AlertTags;
use crate::orders::PortError;
use crate::owner::Owner;
use crate::reconcile::{CopyError, CopyInSetup};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use types::Nanos;

/// How far SendingTime (52) may be from the gateway's clock.
pub(super) const SENDING_TIME_TOLERANCE: Nanos = Nanos(120_000_000_000);

/// Who speaks on a session: SenderCompID (49) of this side, and of the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompIds {
    /// The gateway's.
    pub ours: String,
    /// The firm's, or the venue's.
    pub theirs: String,
}

/// What a gateway is.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The version that both sides speak.
    pub version: Version,
    /// Where the firm connects to.
    pub listen: SocketAddr,
    /// Where the venue is.
    pub venue: SocketAddr,
    /// Whose orders they are.
    pub owner: Owner,
    /// Who speaks on the firm's session.
    pub firm_ids: CompIds,
    /// Who speaks on the venue's.
    pub venue_ids: CompIds,
    /// HeartBtInt (108) of the venue's session, in seconds; the firm chooses its own.
    pub heartbeat_s: u16,
    /// Whether each logon at the venue begins both directions at 1.
    pub reset_at_venue: bool,
    /// The tags that tell the firm how the gate saw an order.
    pub alerts: AlertTags,
    /// When the gateway cancels of its own accord.
    pub cancels: OwnCancels,
    /// Whether the venue takes one request to cancel everything (35=q), before each order is cancelled.
    pub mass_cancel: bool,
    /// Account (1) that the firm may write on an order.
    pub account: String,
    /// Tags from 5000 on that go to the venue as the firm writes them; an order with another is refused.
    pub user_tags: Vec<i32>,
    /// Where its sessions are kept.
    pub store_dir: PathBuf,
    /// Who is told beside the firm.
    pub drop_copy: Option<CopySetup>,
    /// Copies that come in, and who sends them.
    pub copy_in: Option<(CopyInSetup, CopySource)>,
}

/// Who sends copies, as execution reports over a session of FIX.
#[derive(Clone, Debug)]
pub struct CopySource {
    /// The version.
    pub version: Version,
    /// Which side connects.
    pub place: CopyPlace,
    /// Who speaks.
    pub ids: CompIds,
    /// HeartBtInt (108) where this side connects, in seconds.
    pub heartbeat_s: u16,
    /// Account (1) of the reports that are the gateway's; all where empty.
    pub accounts: Vec<String>,
}

/// Which side of a session of FIX connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyPlace {
    /// The sender does, to this address.
    Listen(SocketAddr),
    /// The gateway does.
    Connect(SocketAddr),
}

/// A party that is told of every execution report that the firm gets.
#[derive(Clone, Debug)]
pub struct CopySetup {
    /// Where it connects to.
    pub listen: SocketAddr,
    /// Who speaks on its session.
    pub ids: CompIds,
}

/// When a gateway cancels each open order of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnCancels {
    /// When the firm's connection ends.
    pub on_disconnect: bool,
    /// When a person's halt or trip covers it.
    pub on_halt: bool,
}

/// Why there is no gateway.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// The appliance did not take it in.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Copies that come in cannot be taken.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The system said no.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's reason.
        source: io::Error,
    },
}
