//! What `portcullisctl` and the daemon say to each other: frames of length-prefixed JSON, a versioned envelope, one
//! command and one answer per frame.
//!
//! Append-only within a version: commands and fields are added, never changed. Requests refuse unknown fields, since a
//! field that the daemon would ignore could be the one that mattered; answers may carry fields an older client passes
//! over.

mod attach;
mod driver;
mod event;
mod explain;
mod feed;
mod frame;
mod gateway;
mod halts;
mod holdings;
mod hop;
mod levels;
mod load;
mod proposal;
mod reply;
mod request;
mod selection;
mod settlement;
mod tier_map;
mod verified;

pub use attach::{GRANT_DESCRIPTORS, Grant, GrantGroup, GrantLevels, GrantMoney, GrantRules, GrantShape};
pub use driver::Driver;
pub(crate) use event::Effect;
pub use event::{
    Acknowledged, AlertChoice, AlertRow, AlertsPage, Event, EventKind, EventStatus, EventsPage, Severity,
    Silence, SinkStatus,
};
pub use explain::{BreachRow, ExplainReply, ValueRow};
pub use feed::{FeedStatus, LineStatus, PortStatus, RecoveryStatus};
pub use frame::{FrameError, MESSAGE_BYTES_MAX, read_frame, write_frame};
pub use gateway::{GatewayDown, GatewayStatus, Reconciliation};
pub use halts::HaltRow;
pub use holdings::{Listing, OrderRow, PositionRow, SessionRow};
pub use hop::HopStatus;
pub use levels::{ClientQuota, LevelRow};
pub use load::{LoadStatus, MemoryStatus, RingStatus, StageStatus, TableStatus};
pub use proposal::ProposalRow;
pub use reply::{
    AuditStatus, BookGroup, BreakerRow, BreakersPage, Changed, LatchHealth, LimitDiff, LimitRow, LimitsPage,
    OrderCounts, Outcome, Refusal, RefusalCounts, RefusalKind, Reply, Response, ScorerStatus, StageCounters,
    StatusReply, TierCounts, TierRow, TiersPage,
};
pub use request::{
    BadEnvelope, Command, LimitChange, OrderQuery, OrderSide, PROTOCOL_VERSION, ParseReasonError,
    ParseTicketError, Price, Reason, Request, Ticket, Tif, TripMode, parse_request,
};
pub use selection::{HoldingsFilter, PositionSetting};
pub use settlement::SettlementMissing;
pub(crate) use tier_map::TIER_MAP_ROWS;
pub use tier_map::{TierCell, TierMapPage};
pub use verified::{BrokenChain, VerifyReply};
