//! What the running appliance does for the control plane. The appliance implements it; everything that has to outlive
//! the process (latches, officers' limits, audit) is done around it, in this crate.

use crate::config::{Locates, Restricted};
use crate::names::{Name, Scope, SymbolName};
use crate::protocol::{
    Driver, FeedStatus, GatewayStatus, Grant, HaltRow, HoldingsFilter, HopStatus, LoadStatus, OrderCounts,
    OrderQuery, OrderRow, PositionRow, PositionSetting, ScorerStatus, SessionRow, SettlementMissing,
    StageCounters,
};
use gate::{Breaker, Envelope, Explanation, Exposure, FixedScore, LimitsSource, RiskLimits};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use types::{BookState, Tier, TradingStatus, UnixNanos};

/// Why the appliance could not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// No such instrument, account or strategy.
    #[error("{what} is not known to this appliance")]
    Unknown {
        /// What was named.
        what: String,
    },
    /// It was tried.
    #[error("{what}")]
    Failed {
        /// What happened, in lower case, without a full stop.
        what: String,
    },
}

/// Counters and states at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Feeds, in the order of the configuration.
    pub feeds: Vec<FeedStatus>,
    /// The scorer.
    pub scorer: ScorerStatus,
    /// Orders since start; none where no order desk counts them.
    pub orders: Option<OrderCounts>,
    /// What became of open orders in the scopes that persons have closed, in order of client.
    pub halts: Vec<HaltRow>,
    /// The daemon's own gateways, in the order of the configuration.
    pub gateways: Vec<GatewayStatus>,
    /// Settlement prices that the firm's day does not begin with.
    pub settlement_missing: Option<SettlementMissing>,
    /// Everything that the stages count.
    pub counters: StageCounters,
    /// Verdicts by the number of their reason, 0 for none.
    pub verdicts: BTreeMap<u16, u64>,
    /// How long each hop of the line takes.
    pub hops: Vec<HopStatus>,
    /// How busy the line is and how full.
    pub load: LoadStatus,
}

/// One instrument at one moment.
#[derive(Clone, Debug)]
pub struct InstrumentView {
    /// Its name.
    pub symbol: SymbolName,
    /// What the gate enforces now.
    pub effective: RiskLimits,
    /// Whose word that is.
    pub source: LimitsSource,
    /// Its tier; Normal while the officers' limits hold alone.
    pub tier: Tier,
    /// Its newest score.
    pub score: Option<FixedScore>,
    /// Since when the tier holds.
    pub tier_since: Option<UnixNanos>,
    /// Its book.
    pub book: BookState,
    /// Its feed, where the appliance has several; else empty.
    pub feed: String,
    /// Whether its venue trades it.
    pub trading: TradingStatus,
    /// Whether there is a price that orders can be held to.
    pub has_reference: bool,
    /// Features that drove the score when the tier last changed, the strongest first.
    pub drivers: Vec<Driver>,
}

/// One client's session, its user by number.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// Everything but the user's name.
    pub session: SessionRow,
    /// The user of the process that is attached.
    pub uid: Option<u32>,
}

/// What a client may use of a limit that several share, and what it uses, in millionths of the firm's currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaView {
    /// Whose quota it is.
    pub client: Name,
    /// Whose limit.
    pub scope: Scope,
    /// The key in the level's `limits` table.
    pub limit: &'static str,
    /// The most that it may use.
    pub quota: u64,
    /// What it uses at worst; none when nobody knows.
    pub used: Option<u64>,
}

/// The running appliance, as the control plane sees and moves it.
///
/// Calls come from connection threads, one change at a time (the caller holds the control plane's lock), reads at any
/// time. None may block for longer than a person would wait; none may touch the order path but through the gate's
/// single-writer tables.
pub trait Backend: Send + Sync {
    /// Counters and states.
    fn snapshot(&self) -> Snapshot;

    /// One instrument, or all, in ascending order of name. An unknown one is an empty list.
    fn instruments(&self, symbol: Option<SymbolName>) -> Vec<InstrumentView>;

    /// Whether the scope has a breaker word. `Firm` always does; a desk never, its strategies have.
    fn knows(&self, scope: &Scope) -> bool;

    /// Writes one breaker word. Called with the strictest of everything latched for the scope (halt included for
    /// [`Scope::Firm`]); at start for every latched scope before the first order. For a scope that does not exist yet
    /// it is an error, and the appliance asks [`crate::Controller::introduce`] when the scope appears.
    ///
    /// # Errors
    /// [`BackendError`].
    fn set_breaker(&self, scope: &Scope, breaker: Breaker) -> Result<(), BackendError>;

    /// Puts an officer's envelope in force for one instrument, all strategy classes.
    ///
    /// # Errors
    /// [`BackendError`].
    fn set_limits(&self, symbol: SymbolName, envelope: &Envelope) -> Result<(), BackendError>;

    /// Refuses the orders of whom `restricted` says in one instrument, and of nobody else by the restricted list.
    ///
    /// # Errors
    /// [`BackendError`].
    fn restrict(&self, symbol: SymbolName, restricted: &Restricted) -> Result<(), BackendError>;

    /// Holds the sells of each account in one instrument to what is located for it, where sells are held to that.
    ///
    /// # Errors
    /// [`BackendError`].
    fn locate(&self, symbol: SymbolName, locates: &Locates) -> Result<(), BackendError>;

    /// Takes back the model's word about one instrument: at once, with the scorer dead as well; one that lives goes on a tier below.
    ///
    /// # Errors
    /// [`BackendError`].
    fn reset_tier(&self, symbol: SymbolName) -> Result<(), BackendError>;

    /// What the gate would say of the order now, every breach; nothing is reserved.
    ///
    /// # Errors
    /// [`BackendError`], also for names the gate has no number for.
    fn explain(&self, order: &OrderQuery) -> Result<Explanation, BackendError>;

    /// Gives the order process `client`, which lives as long as `lifeline`, its tables, its ring and its steps.
    ///
    /// # Errors
    /// [`BackendError`], also when it is attached already.
    fn attach(&self, client: &Name, lifeline: UnixStream) -> Result<(Grant, Vec<OwnedFd>), BackendError> {
        drop(lifeline);
        Err(BackendError::Failed { what: format!("no order process is served here, and so not {client}") })
    }

    /// What order processes hold, have working or doubt, in order of client, strategy and instrument.
    fn positions(&self, filter: &HoldingsFilter) -> Vec<PositionRow>;

    /// Their open orders, in order of client and id.
    fn orders(&self, filter: &HoldingsFilter) -> Vec<OrderRow>;

    /// How they are connected, in order of client.
    fn sessions(&self) -> Vec<SessionView>;

    /// How limits that several clients share are divided, in order of scope, limit and client.
    fn quotas(&self) -> Vec<QuotaView> {
        Vec::new()
    }

    /// What stands in the books where `setting` would write. Changes nothing.
    ///
    /// # Errors
    /// [`BackendError`], when it may not be set now, and why.
    fn position(&self, setting: &PositionSetting) -> Result<Exposure, BackendError>;

    /// Sets a position in the books of a client that is not attached, to last before this returns.
    ///
    /// # Errors
    /// [`BackendError`]; nothing was changed.
    fn set_position(&self, setting: &PositionSetting) -> Result<(), BackendError>;
}
