//! Answers. Numbers that a double would round are strings ([`Amount`], scores); moments are RFC 3339 in UTC.
use super::attach::Grant;
use super::driver::Driver;
use super::event::{AlertsPage, EventStatus, EventsPage};
use super::explain::ExplainReply;
use super::feed::FeedStatus;
use super::gateway::{GatewayStatus, Reconciliation};
use super::halts::HaltRow;
use super::holdings::{Listing, OrderRow, PositionRow, SessionRow};
use super::hop::HopStatus;
use super::levels::LevelRow;
use super::load::LoadStatus;
use super::proposal::ProposalRow;
use super::settlement::SettlementMissing;
use super::tier_map::TierMapPage;
use super::verified::VerifyReply;
use crate::amount::Amount;
use crate::names::{Name, Scope, SymbolName};
use crate::stamp::Stamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The daemon's protocol version.
    pub version: u16,
    /// The request's number.
    pub id: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Ok(Reply),
    /// It was not, or not wholly; the message says which.
    Error(Refusal),
}

/// Why not. Append-only; an unknown kind reads as [`RefusalKind::Failed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The request makes no sense.
    BadRequest,
    /// The sender's role does not allow it.
    Denied,
    /// The envelope or another rule forbids it to everybody.
    Policy,
    /// No such instrument, account, strategy or breaker.
    NotFound,
    /// Another protocol version.
    VersionMismatch,
    /// Too many connections.
    Busy,
    /// Whoever asked had given up waiting; nothing was changed.
    Expired,
    /// It was tried and failed.
    #[serde(other)]
    Failed,
}

impl RefusalKind {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Denied => "denied",
            Self::Policy => "policy",
            Self::NotFound => "not_found",
            Self::VersionMismatch => "version_mismatch",
            Self::Busy => "busy",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }

    /// `portcullisctl`'s exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::BadRequest => 2,
            Self::Denied | Self::Policy => 4,
            Self::Expired => 5,
            Self::VersionMismatch => 6,
            Self::NotFound | Self::Busy | Self::Failed => 1,
        }
    }
}

/// Why not, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What kind of no.
    pub kind: RefusalKind,
    /// One line: what was asked, what stands against it, what to do.
    pub message: String,
}

/// What was asked for. Append-only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To `status`.
    Status(Box<StatusReply>),
    /// To `limits_show`.
    Limits(LimitsPage),
    /// To `limits_set`.
    LimitsChanged(Vec<LimitDiff>),
    /// To `breaker_list`.
    Breakers(BreakersPage),
    /// To every other command that changes something.
    Changed(Changed),
    /// To `tier_show`.
    Tiers(TiersPage),
    /// To `gate_explain`.
    Explain(ExplainReply),
    /// To `audit_tail`: records as they stand in the log, oldest first.
    AuditRecords(Vec<serde_json::Value>),
    /// To `audit_verify`.
    Verified(VerifyReply),
    /// To `attach`, with its descriptors.
    Attached(Box<Grant>),
    /// To `positions`.
    Positions(Listing<PositionRow>),
    /// To `orders`.
    Orders(Listing<OrderRow>),
    /// To `sessions`.
    Sessions(Listing<SessionRow>),
    /// To `events`.
    Events(EventsPage),
    /// To `alerts_list`.
    Alerts(AlertsPage),
    /// To a command that waits for a second person now; nothing was changed.
    Proposed(ProposalRow),
    /// To `proposals_list`, oldest first.
    Proposals(Vec<ProposalRow>),
    /// To `tier_map`.
    TierMap(TierMapPage),
    /// To `levels_show`, limit by limit.
    Levels(Vec<LevelRow>),
    /// To `reconciled`.
    Noted,
}

/// How the latch file was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatchHealth {
    /// Read and believed.
    Ok,
    /// Damaged: everything is halted until a risk_admin resumes.
    Damaged(String),
}

/// The scorer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScorerStatus {
    /// `cpu`, `cuda` or `off`.
    pub backend: String,
    /// Version or digest of the model; empty when there is none.
    pub model: String,
    /// Newest score.
    pub last: Option<Stamp>,
    /// Vectors scored.
    pub scored: u64,
    /// Instruments that the model has no profile of: `policy.uncalibrated` says what holds for them.
    #[serde(default)]
    pub uncalibrated: u64,
}

/// What became of orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCounts {
    /// Accepted without a flag.
    pub accepted: u64,
    /// Accepted, and somebody should look.
    pub flagged: u64,
    /// Refused.
    pub rejected: u64,
}

/// Instruments per tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierCounts {
    /// Normal.
    pub normal: u32,
    /// Elevated.
    pub elevated: u32,
    /// High.
    pub high: u32,
    /// Critical.
    pub critical: u32,
    /// Never scored, or not lately.
    #[serde(default)]
    pub unknown: u32,
}

/// Books in one state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookGroup {
    /// The state in words: `live`, `empty`, or why it is not to be believed.
    pub state: String,
    /// How many.
    pub count: u32,
    /// Those that are not live, the first 200.
    #[serde(default)]
    pub symbols: Vec<SymbolName>,
}

/// The audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditStatus {
    /// Records in the chain.
    pub records: u64,
    /// Hash of the last one, which proves all before it.
    pub head: String,
}

/// How the appliance is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReply {
    /// Name from the configuration.
    pub instance: String,
    /// Version of the daemon.
    pub build: String,
    /// When it started.
    pub started: Stamp,
    /// Its clock.
    pub now: Stamp,
    /// The halt in force, if any.
    pub halt: Option<BreakerRow>,
    /// Breakers that are tripped.
    pub breakers: u32,
    /// How the latch file was found.
    pub latch: LatchHealth,
    /// Instruments per tier.
    pub tiers: TierCounts,
    /// Books by state, the live ones first.
    #[serde(default)]
    pub books: Vec<BookGroup>,
    /// Feeds.
    pub feeds: Vec<FeedStatus>,
    /// Scorer.
    pub scorer: ScorerStatus,
    /// Orders; none where no order desk counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders: Option<OrderCounts>,
    /// What became of the open orders in the scopes that persons have closed.
    #[serde(default)]
    pub halts: Vec<HaltRow>,
    /// The daemon's own gateways.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<GatewayStatus>,
    /// How drop copies that come in agree with the gates of their gateways.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reconciliations: Vec<Reconciliation>,
    /// Instruments whose settlement price is missing; by the name that messages gave it first.
    #[serde(rename = "unsettled", default, skip_serializing_if = "Option::is_none")]
    pub settlement_missing: Option<SettlementMissing>,
    /// Audit log.
    pub audit: AuditStatus,
    /// What must be looked at first: state that is in force and not on disk. Empty when all is well.
    #[serde(default)]
    pub alarms: Vec<String>,
    /// Why no order can pass now; none when orders can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
    /// Clients in audit mode, which no limit stops.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audit_mode: Vec<Name>,
    /// Only orders that reduce what is held can pass.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reduce_only: bool,
    /// Commands and connections refused since the start.
    #[serde(default)]
    pub refused: RefusalCounts,
    /// Every counter of receiver, featurizer and scorer.
    #[serde(default)]
    pub counters: StageCounters,
    /// Events, alerts and where they go; none where none are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<EventStatus>,
    /// Verdicts by the number of their reason, 0 for none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub verdicts: BTreeMap<u16, u64>,
    /// How long each hop of the line takes, since the start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<HopStatus>,
    /// How busy the line is and how full.
    #[serde(default)]
    pub load: LoadStatus,
}

/// Counters by stage, then by name.
pub type StageCounters = BTreeMap<String, BTreeMap<String, u64>>;

/// What was refused since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalCounts {
    /// Commands and connections in all.
    pub total: u64,
    /// Those that have no record of their own in the audit log, since there were too many.
    pub unrecorded: u64,
}

/// One limit of one instrument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitRow {
    /// The instrument.
    pub symbol: SymbolName,
    /// Name of the limit.
    pub key: String,
    /// What it counts.
    pub unit: String,
    /// The tightest the model may go.
    pub floor: Amount,
    /// What holds without the model.
    pub base: Amount,
    /// The loosest anyone may set.
    pub cap: Amount,
    /// What the gate enforces now.
    pub effective: Amount,
    /// Whose word that is: `dynamic` or one of the `static` kinds.
    pub source: String,
    /// The instrument's tier.
    pub tier: String,
    /// Who last set the base; empty when it is the configuration's.
    pub set_by: String,
    /// When.
    pub set_at: Option<Stamp>,
}

/// A page of limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsPage {
    /// In order of instrument, then of limit.
    pub rows: Vec<LimitRow>,
    /// Where the next page starts, when there is one.
    pub next: Option<SymbolName>,
    /// Above so many ten-thousandths of a limit an order is flagged; 0 from a daemon that does not say.
    #[serde(default)]
    pub warn_bps: u32,
}

/// One limit changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitDiff {
    /// The instrument.
    pub symbol: SymbolName,
    /// Name of the limit.
    pub key: String,
    /// What it counts.
    pub unit: String,
    /// The base before.
    pub before: Amount,
    /// The base now.
    pub after: Amount,
    /// `tighter`, `looser` or `same`.
    pub direction: String,
    /// That the feed has not named the instrument yet, and what may have been meant; empty when it has.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// One breaker that is tripped, or the halt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerRow {
    /// What it covers; `None` for the halt, which covers everything.
    pub scope: Option<Scope>,
    /// `tripped` or `reduce_only`.
    pub state: String,
    /// `officer`, `model`, `boot` or `latch` (state on disk that could not be believed).
    pub cause: String,
    /// Its running number.
    pub episode: u64,
    /// Since when.
    pub since: Stamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Under which ticket.
    pub ticket: String,
}

/// A page of breakers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakersPage {
    /// The halt first, when there is one, then breakers in order of scope.
    pub rows: Vec<BreakerRow>,
    /// Where the next page starts, when there is one.
    pub next: Option<Scope>,
}

/// What a change did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// One line for people.
    pub message: String,
    /// Number of the trip, halt or what was ended.
    pub episode: u64,
    /// False when things already were as asked.
    pub changed: bool,
    /// Sequence number of the audit record.
    pub audit_seq: u64,
    /// Of a halt or trip: microseconds from the command's arrival to the breaker word that the gate reads, rounded up.
    #[serde(default)]
    pub effective_after_us: Option<u64>,
    /// The same, to the latch and the audit record on disk; the answer leaves then.
    #[serde(default)]
    pub durable_after_us: Option<u64>,
    /// Of a halt or trip: what became of open orders within it. The answer leaves before that; whoever asked fills it in from `status`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub halts: Vec<HaltRow>,
}

impl Changed {
    /// A change whose times nobody asks for.
    #[must_use]
    pub const fn new(message: String, episode: u64, changed: bool, audit_seq: u64) -> Self {
        let halts = Vec::new();
        Self { message, episode, changed, audit_seq, effective_after_us: None, durable_after_us: None, halts }
    }
}

/// The tier of one instrument.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TierRow {
    /// The instrument.
    pub symbol: SymbolName,
    /// `normal`, `elevated`, `high`, `critical`, or `unknown` without a score.
    pub tier: String,
    /// Calibrated score, six decimals; empty when there is none.
    pub score: String,
    /// Since when the tier holds.
    pub since: Option<Stamp>,
    /// State of the book.
    pub book: String,
    /// Whose instrument it is, where the appliance has several feeds; else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub feed: String,
    /// Columns of the features that drove the score when the tier last changed, the strongest first.
    pub drivers: Vec<String>,
    /// The same with their values.
    #[serde(default)]
    pub driver_values: Vec<Driver>,
}

/// A page of tiers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TiersPage {
    /// In order of instrument.
    pub rows: Vec<TierRow>,
    /// Where the next page starts, when there is one.
    pub next: Option<SymbolName>,
}
