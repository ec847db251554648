//! Events and alerts: what happened, how much it matters, and what is still the matter.

use crate::names::deserialize_by_parsing;
use crate::stamp::Stamp;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth keeping.
    Info,
    /// Worth reading.
    Notice,
    /// Somebody should look.
    Warning,
    /// Somebody must look now.
    Critical,
}

impl Severity {
    /// The word in files and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The level of syslog(3), which the journal takes from a line's prefix.
    #[must_use]
    pub(crate) const fn syslog(self) -> u8 {
        match self {
            Self::Info => 6,
            Self::Notice => 5,
            Self::Warning => 4,
            Self::Critical => 2,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What an event does to the alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    None,
    /// From warning on it raises the alert of its kind and scope, below it ends it.
    Level,
    /// From warning on it raises an alert that only a person ends.
    Once,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $slug:literal $effect:ident;)*) => {
        /// What an event is about. Append-only; an unknown kind reads as [`EventKind::Other`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventKind {
            $($(#[$doc])* $name,)*
        }

        impl EventKind {
            /// Every kind.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            /// The stable name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $slug,)*
                }
            }

            /// What it does to the alerts.
            pub(crate) const fn effect(self) -> Effect {
                match self {
                    $(Self::$name => Effect::$effect,)*
                }
            }
        }
    };
}

kinds! {
    /// The daemon came up or goes down.
    Daemon "daemon" None;
    /// What the daemon says of itself, in words alone.
    Said "said" Once;
    /// The firm is halted, or is no more.
    Halt "halt" Level;
    /// A breaker is tripped, by a person or by the model, or armed again.
    Breaker "breaker" Level;
    /// A person set limits.
    Limits "limits" None;
    /// A person set a position.
    Position "position" None;
    /// Another command that the audit log has.
    Command "command" None;
    /// A command was refused.
    Refused "refused" None;
    /// A command was done and is not whole, or was authorised and failed.
    Failed "failed" Once;
    /// A change waits for a second person, or waits no more.
    Proposal "proposal" None;
    /// An instrument entered another tier.
    Tier "tier" Level;
    /// A feed is live, silent, stale or ended.
    Feed "feed" Level;
    /// Messages of a feed are missing.
    Gap "feed.gap" Once;
    /// Events of a feed were dropped.
    FeedLoss "feed.loss" Once;
    /// Damaged, dropped or outlying packets and messages of a feed.
    FeedDamage "feed.damage" Once;
    /// Instruments that the tables have no room for.
    FeedBeyond "feed.beyond" Once;
    /// A line of a feed is dead, or heard again.
    Line "line" Level;
    /// A book is stale, or live again.
    Book "book" Level;
    /// Scores have ceased to come, or come again.
    Scorer "scorer" Level;
    /// An order process attached, went, or is unreadable.
    Client "client" Level;
    /// Records of an order process are lost or damaged.
    Records "client.records" Once;
    /// Positions of an order process are in doubt, or no more.
    Doubt "client.doubt" Level;
    /// State that is in force is not on disk, or is again.
    Latch "latch" Level;
    /// A place that events are sent to does not take them, or does again.
    Sink "sink" Level;
    /// Events are lost: a gap mark.
    Lost "lost" Once;
    /// A person took note of alerts, or silenced some.
    Alert "alert" None;
    /// A gateway of the daemon's own carries no orders, or does again.
    Gateway "gateway" Level;
    /// A gateway of the daemon's own ended by a fault, and is opened again.
    GatewayEnded "gateway.ended" Once;
    /// A sequence of a feed began again within its session.
    FeedRestart "feed.restart" Once;
    /// The session of a channel of a feed ended.
    SessionEnd "feed.end" None;
    /// The session of a channel of a feed goes on after it ended.
    EndTakenBack "feed.end_taken_back" Once;
    /// The link of a port is down, or up again.
    Port "port" Level;
    /// A port lost packets, as far as it counts them.
    PortLoss "port.loss" Once;
    /// A ring within the appliance was full, and what it was to carry is lost.
    RingLoss "ring.loss" Once;
    /// A gateway's drop copies and its gate differ: what each side says.
    ReconciliationBreak "reconciliation.break" Once;
    /// No drop copies come to a gateway that takes some, so that nothing is reconciled, or they come again.
    ReconciliationDown "reconciliation.down" Level;
    /// An order process is in audit mode, or no more: no limit stops its orders.
    AuditMode "client.audit_mode" Level;
    /// Orders left in audit mode that would have been refused.
    WouldReject "client.would_reject" Once;
    /// Orders were let through near a limit.
    NearLimit "client.near_limit" Once;
    /// A kind of a newer release.
    Other "other" None;
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a text is no [`EventKind`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a kind of event: {}", EventKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", "))]
pub struct ParseKindError;

impl FromStr for EventKind {
    type Err = ParseKindError;

    fn from_str(s: &str) -> Result<Self, ParseKindError> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == s).ok_or(ParseKindError)
    }
}

impl Serialize for EventKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

deserialize_by_parsing!(EventKind);

/// One event. The same line in the journal, in every sink and on the wire; fields are added, never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the journal, from 1, never used again.
    pub seq: u64,
    /// When it happened.
    pub at: Stamp,
    /// How much it matters.
    pub severity: Severity,
    /// What it is about.
    #[serde(deserialize_with = "kind_or_other")]
    pub kind: EventKind,
    /// What it concerns: a scope of a breaker, `feed:NAME`, `line:NAME/0/A`, `port:NAME`, `ring:NAME`, `client:NAME`,
    /// `gateway:NAME`, `sink:NAME`, `daemon`.
    pub scope: String,
    /// Who or what caused it: a person's name, `model`, `feed`, `disk`, `daemon`.
    pub cause: String,
    /// One line for people.
    pub text: String,
    /// Events of its kind that this one stands for, itself included.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u64,
    /// A person does not want to be told of it now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silenced: bool,
    /// What programs look for, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

const fn one() -> u64 {
    1
}

const fn is_one(count: &u64) -> bool {
    *count == 1
}

/// A journal or an answer of a newer release may have kinds that this one does not know.
fn kind_or_other<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<EventKind, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(text.parse().unwrap_or(EventKind::Other))
}

/// A page of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsPage {
    /// Oldest first.
    pub rows: Vec<Event>,
    /// What to ask after for the next page.
    pub next: u64,
    /// Events between what was asked after and the first of these that are kept no more.
    pub lost: u64,
}

/// Who took note of an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Who.
    pub by: String,
    /// When.
    pub at: Stamp,
    /// With what words.
    pub reason: String,
}

/// One alert: something that is the matter, or was and nobody has taken note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertRow {
    /// Its number, never used again.
    pub id: u64,
    /// What it is about.
    #[serde(deserialize_with = "kind_or_other")]
    pub kind: EventKind,
    /// What it concerns.
    pub scope: String,
    /// The worst it was.
    pub severity: Severity,
    /// Since when.
    pub since: Stamp,
    /// When it was last told of.
    pub last: Stamp,
    /// How often.
    pub count: u64,
    /// What was last said.
    pub text: String,
    /// When it ceased; none while it lasts.
    #[serde(default)]
    pub ended: Option<Stamp>,
    /// Who has taken note.
    #[serde(default)]
    pub acknowledged: Option<Acknowledged>,
    /// Whether its events are silenced now.
    #[serde(default)]
    pub silenced: bool,
}

/// Alerts, the worst first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertsPage {
    /// As many as an answer may hold.
    pub rows: Vec<AlertRow>,
    /// How many more there are.
    pub more: u64,
}

/// Which alerts a person takes note of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AlertChoice {
    /// Those with these numbers.
    Ids(Vec<u64>),
    /// All that there are now.
    All,
}

/// Of which events a person does not want to be told, until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// Their kind.
    pub kind: EventKind,
    /// Their scope; none for any.
    pub scope: Option<String>,
    /// For so many minutes; 0 ends it.
    pub minutes: u32,
}

/// A place that events are sent to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkStatus {
    /// `log`, `file`, `webhook` or `redis`.
    pub name: String,
    /// Why it takes nothing now; empty while it does.
    pub failing: String,
    /// Events it took.
    pub delivered: u64,
    /// Attempts that failed.
    pub retries: u64,
    /// Events that it will never get.
    pub lost: u64,
    /// Events that wait for it.
    pub waiting: u64,
    /// Microseconds from an event to its arrival there, of those that were told as they happened: median.
    pub p50_us: u64,
    /// The same, 99 in 100.
    pub p99_us: u64,
    /// The same, 999 in 1,000.
    pub p999_us: u64,
    /// The same, all.
    pub max_us: u64,
}

/// Events and alerts in the answer to `status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventStatus {
    /// The newest event.
    pub newest: u64,
    /// Events that found no room on their way to the journal, and are in no sink.
    pub lost: u64,
    /// Events that only a summary stands for, since there were too many of their kind.
    pub summarised: u64,
    /// Alerts that last or that nobody has taken note of.
    pub alerts: u64,
    /// Those of them that nobody has taken note of.
    pub unacknowledged: u64,
    /// Why the journal cannot be written; empty while it can.
    pub journal_failing: String,
    /// Where events go.
    pub sinks: Vec<SinkStatus>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::UnixNanos;

    fn event() -> Event {
        Event {
            seq: 7,
            at: Stamp(UnixNanos(1_795_271_422_000_000_000)),
            severity: Severity::Critical,
            kind: EventKind::Gap,
            scope: "feed:xnas".to_owned(),
            cause: "feed".to_owned(),
            text: "3 messages are missing".to_owned(),
            count: 1,
            silenced: false,
            fields: BTreeMap::from([("missing".to_owned(), "3".to_owned())]),
        }
    }

    #[test]
    fn the_line_of_an_event_is_pinned() {
        let line = r#"{"seq":7,"at":"2026-11-21T14:30:22.000000000Z","severity":"critical","kind":"feed.gap","scope":"feed:xnas","cause":"feed","text":"3 messages are missing","fields":{"missing":"3"}}"#;
        assert_eq!(serde_json::to_string(&event()).unwrap(), line);
        assert_eq!(serde_json::from_str::<Event>(line).unwrap(), event());
        let newer = line.replace("feed.gap", "feed.quantum").replace("\"seq\":7", "\"seq\":7,\"more\":1");
        assert_eq!(serde_json::from_str::<Event>(&newer).unwrap().kind, EventKind::Other);
    }

    #[test]
    fn kinds_have_one_name_each() {
        let names: std::collections::BTreeSet<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), EventKind::ALL.len());
        assert!(EventKind::ALL.iter().all(|kind| kind.as_str().parse() == Ok(*kind)));
        assert!("tires".parse::<EventKind>().unwrap_err().to_string().contains("tier"));
    }
}
