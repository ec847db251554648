//! Checks of what the appliance tells, to whom, and what takes two people.

use super::check::{Checker, way};
use super::schema::Config;
use super::schema_ops::{FourEyes, Log, Metrics, Sinks};

/// What the appliance tells, to whom, and what takes two people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ops {
    /// What the daemon says, and its journal of events.
    pub log: Log,
    /// Where events go beside the daemon's log.
    pub sinks: Sinks,
    /// Where metrics are served.
    pub metrics: Metrics,
    /// What takes two people.
    pub four_eyes: FourEyes,
}

impl Config {
    /// What is said of it, by itself.
    pub(super) fn ops(&self) -> Ops {
        let (log, sinks) = (self.log.clone(), self.sink.clone());
        Ops { log, sinks, metrics: self.metrics.clone(), four_eyes: self.four_eyes.clone() }
    }
}

impl Checker<'_> {
    pub(super) fn ops(&mut self, config: &Config) {
        self.range("log.events_per_s", config.log.events_per_s, 1, 10_000);
        self.range("log.journal_mib", config.log.journal_mib, 1, 4_096);
        self.range("sink.webhook.timeout_ms", config.sink.webhook.timeout_ms, 10, 60_000);
        self.range("sink.redis.stream_max", config.sink.redis.stream_max, 100, 100_000_000);
        self.range("four_eyes.expire_minutes", config.four_eyes.expire_minutes, 1, 10_080);
        let url = &config.sink.webhook.url;
        let host = url.strip_prefix("http://").and_then(|rest| rest.split('/').next());
        let printable = url.len() <= 1_000 && url.bytes().all(|byte| byte.is_ascii_graphic());
        let fits = printable && host.is_some_and(|host| !host.is_empty());
        if !url.is_empty() && !fits {
            let wanted = "a URL of plain HTTP such as \"http://127.0.0.1:9095/portcullis\", or \"\" for none";
            self.refuse(&way("sink.webhook.url"), format!("{url:?}"), wanted);
        }
        let address = &config.sink.redis.address;
        let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if !address.is_empty() && port.is_none() {
            let wanted = "a host and port such as \"127.0.0.1:6379\", or \"\" for none";
            self.refuse(&way("sink.redis.address"), format!("{address:?}"), wanted);
        }
        let prefix = &config.sink.redis.prefix;
        if !(1..=64).contains(&prefix.len()) || !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
            let wanted = "1 to 64 printable characters without spaces";
            self.refuse(&way("sink.redis.prefix"), format!("{prefix:?}"), wanted);
        }
        let mut commands = config.four_eyes.commands.clone();
        commands.sort_unstable();
        commands.dedup();
        if commands.len() < config.four_eyes.commands.len() {
            self.refuse(&way("four_eyes.commands"), "one twice", "each at most once");
        }
    }
}
