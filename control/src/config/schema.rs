//! The configuration file as serde reads it: one struct per section, every key of `default.toml` and no other.

use super::gateway::Gateway;
use super::net::{CpuChoice, CpuList, FeedSource, Group, HostAddress, PciDevice, RecoveryServer, Vdev};
use super::schema_firm::{Firm, Fx, GroupLimits, Instrument, Instruments, ScopeLimits, TickOf, Tif};
use super::schema_ops::{FourEyes, Log, Metrics, Sinks};
use super::schema_policy::Policy;
use crate::amount::Amount;
use crate::limits::LimitKey;
use crate::names::{Name, SymbolName};
use crate::roles::{Principal, Roles};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::path::PathBuf;
use types::{FeedInput, FeedKind};

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) schema: u32,
    pub(crate) instance: Instance,
    pub(crate) eal: Eal,
    pub(crate) feed: Vec<Feed>,
    pub(crate) placement: Placement,
    pub(crate) link: Link,
    pub(crate) book: Book,
    pub(crate) gate: Gate,
    pub(crate) scorer: Scorer,
    pub(crate) policy: Policy,
    pub(crate) limits: Limits,
    pub(crate) roles: Roles,
    pub(crate) audit: Audit,
    pub(crate) account: BTreeMap<Name, Account>,
    pub(crate) strategy: BTreeMap<Name, Strategy>,
    pub(crate) desk: BTreeMap<Name, StrategyGroup>,
    pub(crate) trader: BTreeMap<Name, StrategyGroup>,
    pub(crate) client: BTreeMap<Name, Client>,
    pub(crate) gateway: Vec<Gateway>,
    pub(crate) orders: Orders,
    pub(crate) firm: Firm,
    pub(crate) instruments: Instruments,
    pub(crate) instrument: BTreeMap<SymbolName, Instrument>,
    pub(crate) fx: Fx,
    pub(crate) restricted: Restricted,
    pub(crate) locates: Locates,
    pub(crate) log: Log,
    pub(crate) sink: Sinks,
    pub(crate) metrics: Metrics,
    pub(crate) four_eyes: FourEyes,
}

/// What an order process does when the daemon is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDaemonLoss {
    /// It refuses every order.
    #[default]
    Halt,
    /// It goes on under what the tables say: the officers' limits, once the leases have ended.
    Static,
}

/// What becomes of an order that breaks a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientMode {
    /// It is refused.
    #[default]
    Enforce,
    /// It leaves, and what it breaks is said. What a person commands still holds.
    Audit,
}

impl ClientMode {
    /// The word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Audit => "audit",
        }
    }
}

/// One `[client.NAME]`: an order process, which is one thread that owns its strategies and accounts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Whose process it is.
    pub user: Principal,
    /// The strategies it trades, and nobody else.
    pub strategies: Vec<Name>,
    /// The accounts it trades for, and nobody else.
    pub accounts: Vec<Name>,
    /// What it does when the daemon is gone.
    #[serde(default)]
    pub on_daemon_loss: OnDaemonLoss,
    /// Whether its limits bind.
    #[serde(default)]
    pub mode: ClientMode,
}

/// `[orders]`: what order processes and the daemon share.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orders {
    /// Where the rings of order processes lie; empty for beside the control socket.
    pub ring_dir: PathBuf,
    /// Records of a ring, a power of two.
    pub ring_records: u32,
    /// How often limits that several clients share are divided anew.
    pub quota_ms: u32,
}

/// One `[account.NAME]`: that there is such an account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Account {
    #[serde(default)]
    pub(crate) limits: ScopeLimits,
}

/// One `[strategy.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Strategy {
    #[serde(default)]
    pub(crate) desk: Option<Name>,
    #[serde(default)]
    pub(crate) trader: Option<Name>,
    /// What its orders may have; left out, any.
    #[serde(default)]
    pub(crate) time_in_force: Option<Vec<Tif>>,
    #[serde(default)]
    pub(crate) limits: ScopeLimits,
}

/// One `[desk.NAME]` or `[trader.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StrategyGroup {
    #[serde(default)]
    pub(crate) limits: GroupLimits,
}

/// `[instance]`: what this appliance is called and where it keeps its state.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// Name in answers, alerts and the audit log.
    pub name: Name,
    /// Directory of latches, officers' limits and the audit log.
    pub state_dir: PathBuf,
    /// Path of the control socket.
    pub socket: PathBuf,
    /// Whether a start comes up halted.
    pub start_halted: bool,
}

/// Where DPDK takes packet memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EalMemory {
    /// Huge pages when enough are free, else ordinary pages and a warning.
    Auto,
    /// Huge pages of this process alone, or no start.
    InMemory,
    /// Ordinary pages.
    NoHuge,
}

/// `[eal]`: what DPDK is started with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eal {
    /// Where packet memory comes from.
    pub memory: EalMemory,
    /// MiB of it.
    pub memory_mib: u32,
    /// Virtual devices beyond those that feeds name.
    pub vdev: Vec<Vdev>,
    /// NICs, with driver options.
    pub pci: Vec<PciDevice>,
}

/// One `[[feed]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Name in metrics, alerts and `status`.
    pub name: Name,
    /// Its protocol, one that comes in packets.
    #[serde(deserialize_with = "packet_feed")]
    pub kind: FeedKind,
    /// Where its packets come from.
    pub source: FeedSource,
    /// Groups of the A line, one per channel; empty takes every UDP packet of the source.
    #[serde(default)]
    pub line_a: Vec<Group>,
    /// Groups of the B line in the same order, or none.
    #[serde(default)]
    pub line_b: Vec<Group>,
    /// How the port reports its membership of the groups.
    #[serde(default)]
    pub igmp: Igmp,
    /// Where the reports come from.
    #[serde(default)]
    pub igmp_address: HostAddress,
    /// The VLAN of the groups, 1 to 4094; none where frames are untagged.
    #[serde(default)]
    pub vlan: Option<u16>,
    /// The table of ticks of its instruments, by its name; none for the protocol's own.
    #[serde(default)]
    pub(crate) tick_table: Option<Name>,
    /// Silence in milliseconds after which the feed is stale; none for three heartbeats of its venue.
    #[serde(default)]
    pub stale_after_ms: Option<u32>,
    /// Messages that one packet may be out of sequence and still be believed by itself.
    #[serde(default = "jump_default")]
    pub jump_max: u32,
    /// Packets that must agree before another session, a larger jump or an end is believed.
    #[serde(default = "confirm_default")]
    pub confirm_packets: u32,
    /// Servers that are asked again for what no line brought; none where the venue has none.
    #[serde(default)]
    pub recovery: Vec<RecoveryServer>,
    /// How long nothing may be recovered, in milliseconds, before what is missing is given up.
    #[serde(default = "recovery_default")]
    pub recovery_ms: u32,
    /// Messages that may be missing at once and still be asked for.
    #[serde(default = "recovery_messages_default")]
    pub recovery_messages: u32,
    /// Where its receiver runs; none for `placement.receiver_cpu`.
    #[serde(default)]
    pub cpu: Option<CpuChoice>,
    /// How many of `book.instruments` are its; none for an equal part of what no feed asks for.
    #[serde(default)]
    pub instruments: Option<u32>,
    /// How many of `book.orders`, likewise.
    #[serde(default)]
    pub orders: Option<u32>,
    /// What its instruments have behind the symbol that the venue gives them; empty for nothing.
    #[serde(default)]
    pub suffix: String,
}

/// A feed by its name, if it comes in packets: an archive cannot be received.
fn packet_feed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FeedKind, D::Error> {
    let name = String::deserialize(deserializer)?;
    match name.parse::<FeedKind>() {
        Ok(kind) if kind.input() == FeedInput::Packets => Ok(kind),
        Ok(_) | Err(_) => Err(D::Error::unknown_variant(&name, FeedKind::PACKET_NAMES)),
    }
}

const fn jump_default() -> u32 {
    1_024
}

const fn confirm_default() -> u32 {
    3
}

const fn recovery_default() -> u32 {
    2_000
}

const fn recovery_messages_default() -> u32 {
    100_000
}

/// How a port reports that it wants multicast groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Igmp {
    /// Not at all: somebody else has joined.
    Off,
    /// Version 2 alone.
    V2,
    /// Version 3, and version 2 while a version 2 querier is heard.
    #[default]
    V3,
}

/// `[placement]`: which CPU runs what.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// The receiver's.
    pub receiver_cpu: CpuChoice,
    /// The featurizer's.
    pub featurizer_cpu: CpuChoice,
    /// The scorer's.
    pub scorer_cpu: CpuChoice,
    /// The order desk's.
    pub desk_cpu: CpuChoice,
    /// Where everything that may sleep runs; empty means anywhere.
    pub housekeeping_cpus: CpuList,
}

/// `[link]`: depths of the rings between stages, powers of two.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// `BookEvent`s from the receiver to the featurizer.
    pub receiver_featurizer_events: u32,
    /// `FeatureVector`s from the featurizer to the scorer.
    pub featurizer_scorer_vectors: u32,
}

/// `[book]`: sizes of the tables.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    /// Instruments.
    pub instruments: u32,
    /// Live orders in all books together.
    pub orders: u32,
    /// Tick sizes of instruments that do not have their feed's.
    pub(crate) tick: BTreeMap<SymbolName, TickOf>,
    /// Tables of tick sizes by price: from which price on, and the tick.
    pub(crate) tick_table: BTreeMap<Name, Vec<(Amount, Amount)>>,
}

/// Whose working orders an order must not trade with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfMatch {
    /// Nobody's.
    Off,
    /// Those of its own account.
    Account,
    /// Those of any account.
    Firm,
}

impl From<SelfMatch> for gate::SelfMatch {
    fn from(scope: SelfMatch) -> Self {
        match scope {
            SelfMatch::Off => Self::Off,
            SelfMatch::Account => Self::Account,
            SelfMatch::Firm => Self::Firm,
        }
    }
}

/// `[gate]`: checks beyond one strategy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Whether an account's position over all strategies is held to the position limit.
    pub account_positions: bool,
    /// Whose working orders an order must not trade with.
    pub self_match: SelfMatch,
    /// Within how many milliseconds an order that asks for the same as one before it is taken for one sent twice; 0 for never.
    pub repeat_ms: u32,
    /// Within how many seconds activity is counted.
    pub window_s: u32,
    /// How old marks of other instruments may be, in milliseconds; 0 for those of the moment.
    pub mark_age_ms: u32,
    /// At how many executed orders of one side in a row a strategy is stopped; 0 for none.
    pub repeat_executions: u32,
    /// Within how many seconds.
    pub repeat_executions_s: u32,
}

/// What computes scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScorerBackend {
    /// This machine's processors, by the fastest kernel they run.
    Cpu,
    /// This machine's processors, by the model's own definition in Candle.
    Candle,
    /// This machine's processors, in plain double precision.
    Reference,
    /// An NVIDIA GPU.
    Cuda,
}

/// `[scorer]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scorer {
    /// Whether a model moves limits at all.
    pub enabled: bool,
    /// Directory of the model; empty takes the built-in one.
    pub model_dir: PathBuf,
    /// What computes scores.
    pub backend: ScorerBackend,
    /// The library that drives an NVIDIA GPU.
    pub cuda_library: PathBuf,
    /// How long a published limit holds without renewal, in milliseconds.
    pub lease_ms: u32,
    /// Vectors that are scored without waiting for the rest of their grid point.
    pub batch_rows: u32,
    /// How long a vector waits at most for others to be scored with it, in microseconds.
    pub batch_wait_us: u32,
}

/// Floor, base and cap of one limit, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bounds {
    pub(crate) floor: Amount,
    pub(crate) base: Amount,
    pub(crate) cap: Amount,
}

/// `[limits]`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// The share of a limit above which an order is flagged.
    pub(crate) warn_at: f64,
    pub(crate) default: BTreeMap<LimitKey, Bounds>,
    pub(crate) symbol: BTreeMap<SymbolName, BTreeMap<LimitKey, Bounds>>,
}

/// `[restricted]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restricted {
    /// The restricted list; empty for none.
    pub(crate) file: PathBuf,
}

/// `[locates]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Locates {
    /// The list of locates; empty where nobody is held to them.
    pub(crate) file: PathBuf,
}

/// `[audit]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// MiB at which a new segment begins.
    pub segment_mib: u32,
    /// The key the records are sealed with; empty takes `audit.key` in the state directory.
    pub key_file: PathBuf,
    /// Where the head of the chain is noted now and then; empty for the daemon's log alone.
    pub anchor_file: PathBuf,
    /// After so many records.
    pub anchor_records: u32,
    /// And after so many minutes in which there was one.
    pub anchor_minutes: u32,
}
