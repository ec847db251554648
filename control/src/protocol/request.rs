//! Commands, and the texts that come with them.

use super::event::{AlertChoice, Silence};
use super::gateway::Reconciliation;
use super::selection::{HoldingsFilter, PositionSetting};
use crate::amount::Amount;
use crate::limits::LimitKey;
use crate::names::{Name, Scope, SymbolName, deserialize_by_parsing};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use types::{Px, Side};

/// The version this build speaks. Raised when an old request or answer would be misread.
pub const PROTOCOL_VERSION: u16 = 1;

/// Why somebody did something, in their words: 1 to 500 characters on one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Reason(String);

/// Why a text is not a [`Reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reason of 1 to 500 characters on one line")]
pub struct ParseReasonError;

impl FromStr for Reason {
    type Err = ParseReasonError;

    fn from_str(s: &str) -> Result<Self, ParseReasonError> {
        let s = s.trim();
        let fits = (1..=500).contains(&s.chars().count()) && !s.chars().any(char::is_control);
        if fits { Ok(Self(s.to_owned())) } else { Err(ParseReasonError) }
    }
}

impl Reason {
    /// What can be kept of any text, none of an empty one: a halt does not fail by what is said about it.
    #[must_use]
    pub fn of_halt(text: &str) -> Option<Self> {
        let printable: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let kept: String = printable.trim().chars().take(500).collect();
        Some(kept.trim_end().to_owned()).filter(|kept| !kept.is_empty()).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The number of a change in whatever system keeps them: 1 to 64 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Ticket(String);

/// Why a text is not a [`Ticket`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a ticket of 1 to 64 printable characters without spaces")]
pub struct ParseTicketError;

impl FromStr for Ticket {
    type Err = ParseTicketError;

    fn from_str(s: &str) -> Result<Self, ParseTicketError> {
        let fits = (1..=64).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(s.to_owned())) } else { Err(ParseTicketError) }
    }
}

impl Ticket {
    /// What can be kept of any text, none of an empty one.
    #[must_use]
    pub fn of_halt(text: &str) -> Option<Self> {
        let kept: String = text.chars().filter(char::is_ascii_graphic).take(64).collect();
        Some(kept).filter(|kept| !kept.is_empty()).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A price as people write it: `392.11`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price(pub Px);

impl FromStr for Price {
    type Err = types::ParsePxError;

    fn from_str(s: &str) -> Result<Self, types::ParsePxError> {
        s.parse().map(Self)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

deserialize_by_parsing!(Reason, Ticket, Price);

/// What an order wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderSide {
    /// Buy.
    Buy,
    /// Sell.
    Sell,
}

impl From<OrderSide> for Side {
    fn from(side: OrderSide) -> Self {
        match side {
            OrderSide::Buy => Self::Bid,
            OrderSide::Sell => Self::Ask,
        }
    }
}

/// How long an order works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tif {
    /// Until the session ends.
    Day,
    /// What can trade at once trades.
    Ioc,
    /// Until cancelled.
    Gtc,
}

impl From<Tif> for gate::TimeInForce {
    fn from(tif: Tif) -> Self {
        match tif {
            Tif::Day => Self::Day,
            Tif::Ioc => Self::Ioc,
            Tif::Gtc => Self::Gtc,
        }
    }
}

/// An order that nobody sends: what would the gate say?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderQuery {
    /// What to trade.
    pub symbol: SymbolName,
    /// Which way.
    pub side: OrderSide,
    /// How much.
    pub qty: u32,
    /// Limit price; none for a market order.
    pub px: Option<Price>,
    /// On whose initiative.
    pub strategy: Name,
    /// For whom.
    pub account: Name,
    /// How long it works.
    pub tif: Tif,
}

/// One limit's new base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitChange {
    /// Which limit.
    pub key: LimitKey,
    /// Its new value.
    pub value: Amount,
}

/// How far a trip closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TripMode {
    /// Orders that only reduce a position pass.
    ReduceOnly,
    /// No order passes.
    Tripped,
}

impl TripMode {
    /// The word used in files and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReduceOnly => "reduce_only",
            Self::Tripped => "tripped",
        }
    }
}

/// What can be asked for. Append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// How the appliance is.
    Status,
    /// Limits, static and live, a page of instruments at a time.
    LimitsShow {
        /// One instrument, or all.
        symbol: Option<SymbolName>,
        /// Only instruments after this one: the `next` of the page before.
        after: Option<SymbolName>,
    },
    /// Sets base limits of one instrument.
    LimitsSet {
        /// The instrument.
        symbol: SymbolName,
        /// What changes; applied together or not at all.
        changes: Vec<LimitChange>,
        /// Say what would change, and change nothing.
        dry_run: bool,
        /// Why.
        reason: Reason,
        /// Under which ticket.
        ticket: Option<Ticket>,
    },
    /// The halt and the breakers that are tripped, a page at a time.
    BreakerList {
        /// Only scopes after this one: the `next` of the page before.
        after: Option<Scope>,
    },
    /// Trips a breaker.
    BreakerTrip {
        /// What it covers.
        scope: Scope,
        /// How far it closes.
        mode: TripMode,
        /// Why.
        reason: Reason,
        /// Under which ticket.
        ticket: Option<Ticket>,
    },
    /// Arms a breaker again that a person tripped.
    BreakerReset {
        /// What it covers.
        scope: Scope,
        /// Why.
        reason: Reason,
        /// Under which ticket.
        ticket: Option<Ticket>,
    },
    /// Refuses every order of the firm, at once.
    Halt {
        /// Why; may be told later. Of a text that is no reason as much is kept as can be.
        #[serde(default, deserialize_with = "reason_of_halt")]
        reason: Option<Reason>,
        /// Under which ticket; likewise.
        #[serde(default, deserialize_with = "ticket_of_halt")]
        ticket: Option<Ticket>,
    },
    /// Ends a halt. Breakers stay as they are.
    Resume {
        /// Why.
        reason: Reason,
        /// Under which ticket.
        ticket: Option<Ticket>,
    },
    /// Tiers and scores, a page of instruments at a time.
    TierShow {
        /// One instrument, or all.
        symbol: Option<SymbolName>,
        /// Only instruments after this one.
        after: Option<SymbolName>,
    },
    /// Takes back the model's word about one instrument, a tier above Normal, and arms the breaker again that it tripped.
    TierReset {
        /// The instrument.
        symbol: SymbolName,
        /// Why.
        reason: Reason,
        /// Under which ticket.
        ticket: Option<Ticket>,
    },
    /// What the gate would say of an order, every breach.
    GateExplain {
        /// The order.
        order: OrderQuery,
    },
    /// The last records of the audit log.
    AuditTail {
        /// How many, at most 1,000.
        count: u32,
    },
    /// Proves the audit chain.
    AuditVerify,
    /// Gives an order process its tables. The connection stands for the process from then on: when it ends, so has the process.
    Attach {
        /// What the configuration calls the process.
        client: Name,
    },
    /// What order processes hold and have working.
    Positions {
        /// Whose, and in what.
        filter: HoldingsFilter,
    },
    /// Their open orders.
    Orders {
        /// Whose, and in what.
        filter: HoldingsFilter,
    },
    /// How they are connected.
    Sessions {
        /// One client, or all.
        client: Option<Name>,
    },
    /// Sets a position in the books of a client that is not attached, and ends its doubt.
    PositionSet {
        /// Which, and what it is.
        setting: PositionSetting,
        /// Why.
        reason: Reason,
        /// Under which ticket.
        ticket: Option<Ticket>,
    },
    /// What happened, oldest first.
    Events {
        /// Only events after this one; 0 for all that are kept.
        after: u64,
        /// How many, at most 1,000.
        count: u32,
    },
    /// What is the matter, and what was until somebody has taken note.
    AlertsList,
    /// Notes that somebody has taken note of alerts.
    AlertsAck {
        /// Of which.
        alerts: AlertChoice,
        /// With what words.
        reason: Option<Reason>,
        /// Under which ticket.
        ticket: Option<Ticket>,
    },
    /// Silences events for a time: they are kept and listed, and nobody is paged.
    AlertsSilence {
        /// Which, and for how long.
        silence: Silence,
        /// Why.
        reason: Reason,
        /// Under which ticket.
        ticket: Option<Ticket>,
    },
    /// What waits for a second person.
    ProposalsList,
    /// Does what somebody else has proposed.
    ProposalApprove {
        /// Which.
        id: u64,
        /// Why.
        reason: Reason,
        /// Under which ticket.
        ticket: Option<Ticket>,
    },
    /// Takes a proposal away.
    ProposalWithdraw {
        /// Which.
        id: u64,
        /// Why.
        reason: Reason,
        /// Under which ticket.
        ticket: Option<Ticket>,
    },
    /// The tiers of all instruments, thousands in one answer.
    TierMap {
        /// Only instruments after this one: the `next` of the page before.
        after: Option<SymbolName>,
    },
    /// Reads the restricted list and the locates anew.
    ListsReload {
        /// Say what would change, and change nothing.
        dry_run: bool,
        /// Why.
        reason: Reason,
        /// Under which ticket.
        ticket: Option<Ticket>,
    },
    /// What levels of the firm may hold, lose and do, and those above them.
    LevelsShow {
        /// Which: strategies, accounts, desks, traders or the firm.
        scopes: Vec<Scope>,
    },
    /// A gateway says how its drop copies agree with its gate. It replaces what it said before.
    Reconciled {
        /// How they do.
        standing: Box<Reconciliation>,
    },
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Request {
    /// The sender's [`PROTOCOL_VERSION`].
    pub version: u16,
    /// Chosen by the sender, repeated in the answer.
    pub id: u64,
    /// What is asked for.
    pub command: Command,
    /// How much longer the sender waits, in milliseconds, counted from when the request comes in: no clock that is set has a say in it.
    /// After it nothing is loosened any more; whatever tightens is done all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

fn reason_of_halt<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Reason>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|text| Reason::of_halt(&text)))
}

fn ticket_of_halt<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Ticket>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|text| Ticket::of_halt(&text)))
}

/// Why a message is not a request; `id` is the sender's where it could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadEnvelope {
    /// Another version.
    #[error("found protocol version {found}, wanted {PROTOCOL_VERSION}")]
    Version {
        /// The sender's number of this request.
        id: u64,
        /// The sender's version.
        found: u64,
    },
    /// Not a request at all.
    #[error("not a request: {cause}")]
    Malformed {
        /// The sender's number of this request, 0 when unknown.
        id: u64,
        /// Where and what.
        cause: String,
    },
}

/// Reads a request. The version is judged before the command, so that a newer client is told so instead of being told
/// that its command is unknown.
///
/// # Errors
/// [`BadEnvelope`].
pub fn parse_request(bytes: &[u8]) -> Result<Request, BadEnvelope> {
    #[derive(Deserialize)]
    struct Envelope {
        version: u64,
        id: u64,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Whole {
        version: u16,
        id: u64,
        command: Command,
        #[serde(default)]
        wait_ms: Option<u64>,
    }
    let envelope: Envelope = parse(bytes).map_err(|cause| BadEnvelope::Malformed { id: 0, cause })?;
    if envelope.version != u64::from(PROTOCOL_VERSION) {
        return Err(BadEnvelope::Version { id: envelope.id, found: envelope.version });
    }
    let whole: Whole = parse(bytes).map_err(|cause| BadEnvelope::Malformed { id: envelope.id, cause })?;
    let Whole { version, id, command, wait_ms } = whole;
    Ok(Request { version, id, command, wait_ms })
}

/// JSON, with the way to the fault in the error.
fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value =
        serde_path_to_error::deserialize(&mut json).map_err(|e| match e.path().to_string().as_str() {
            "." => e.inner().to_string(),
            path => format!("{path}: {}", e.inner()),
        })?;
    json.end().map_err(|e| e.to_string())?;
    Ok(value)
}
