//! What outlives the process: latches, officers' limits, tiers, proposals, quotas and which clients have books, each in a sealed file of the
//! state directory.

mod clients;
mod dir;
mod latch;
mod limits;
mod proposals;
mod quotas;
mod reconcile;
mod reconcile_limits;
mod reconcile_tiers;
mod sealed;
mod tiers;

pub use clients::KnownClients;
pub(crate) use dir::StateDir;
pub use dir::StateDirError;
pub(crate) use latch::{Cause, Entry, Found, LatchFile, Latches, Unwritten};
pub(crate) use limits::{LimitBook, LimitsInForce, SetBy};
pub(crate) use proposals::{OF_ONE_MAX, PROPOSALS_MAX, Proposal, ProposalBook};
pub use quotas::QuotaFile;
pub(crate) use reconcile::{Comparison, NOT_LASTING, Standing, reconcile};
pub(crate) use reconcile_limits::{StandingLimits, reconcile_limits};
pub(crate) use reconcile_tiers::StandingTiers;
pub use sealed::SealError;
pub use tiers::TierBook;
