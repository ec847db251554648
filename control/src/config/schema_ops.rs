//! The parts of the configuration file that say what the appliance tells, to whom, and what takes two people.

use super::listen::Listen;
use crate::protocol::Severity;
use serde::Deserialize;
use std::path::PathBuf;

/// How the daemon's log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// A line of JSON an event.
    Json,
}

/// `[log]`: what the daemon says on stderr, and its journal of events.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// For whom it is written.
    pub format: LogFormat,
    /// Events below it are not on stderr.
    pub level: Severity,
    /// Events of a kind and severity that are told in a second; one stands for all beyond them.
    pub events_per_s: u32,
    /// MiB that the journal takes.
    pub journal_mib: u32,
}

/// `[sink.file]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkFile {
    /// The file; empty for none.
    pub path: PathBuf,
    /// Events below it are not in it.
    pub level: Severity,
}

/// `[sink.webhook]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkWebhook {
    /// Where events are posted; empty for nowhere.
    pub url: String,
    /// Events below it are not posted.
    pub level: Severity,
    /// Milliseconds that an answer may take.
    pub timeout_ms: u32,
}

/// `[sink.redis]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkRedis {
    /// Host and port; empty for none.
    pub address: String,
    /// The file that holds the password; empty for none.
    pub password_file: PathBuf,
    /// What all keys begin with.
    pub prefix: String,
    /// Events that the stream keeps, about.
    pub stream_max: u32,
}

/// `[sink]`: where events go beside the daemon's log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sinks {
    /// A file.
    pub file: SinkFile,
    /// A receiver of POSTs.
    pub webhook: SinkWebhook,
    /// A mirror.
    pub redis: SinkRedis,
}

/// `[metrics]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Where they are served; none for nowhere.
    pub listen: Listen,
}

/// What may ask for a second person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TwoPeople {
    /// The end of a halt.
    Resume,
    /// Arming a breaker again, and ending a Critical.
    Reset,
    /// Looser limits.
    Limits,
    /// Setting a position.
    Positions,
    /// A restricted list or locates that let more pass.
    Lists,
}

/// `[four_eyes]`: what a second person must approve.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FourEyes {
    /// What takes two.
    pub commands: Vec<TwoPeople>,
    /// Minutes after which a proposal that nobody approved is void.
    pub expire_minutes: u32,
}
