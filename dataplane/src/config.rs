//! What a receiver is told: which feed, which groups, which bounds.

use std::net::SocketAddrV4;

use types::{FeedKind, Nanos, UnixNanos};

use crate::arbiter::{ArbiterConfig, LINES_MAX};
use crate::decode::{CHANNELS_MAX, INSTRUMENTS_MAX, TickSizes};
use crate::source::BURST_MAX;

/// One channel: one sequence of messages, sent on several lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelConfig {
    /// Multicast group and port of each line, A first.
    pub lines: Vec<SocketAddrV4>,
}

/// When the venue's day begins, for protocols that count time from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Midnight {
    /// The New York midnight before the first packet of each session; 0 for raw files, which carry no date.
    #[default]
    FromCapture,
    /// This one.
    At(UnixNanos),
}

/// What a receiver listens to, and its bounds.
#[derive(Clone, Debug)]
pub struct FeedConfig {
    /// The feed.
    pub kind: FeedKind,
    /// Its channels; none means that all traffic of the feed is one channel, whose lines are learnt.
    pub channels: Vec<ChannelConfig>,
    /// Bounds of arbitration, per channel.
    pub arbiter: ArbiterConfig,
    /// How long a channel may be silent: its books are doubted then, until it is heard again.
    pub silent_after: Nanos,
    /// The venue's day.
    pub midnight: Midnight,
    /// Instruments that may be defined.
    pub instruments_max: usize,
    /// Their tick sizes.
    pub ticks: TickSizes,
    /// Packets read in one poll, at most [`BURST_MAX`]. A replay that must interleave orders with packets reads one.
    pub burst_max: usize,
}

/// Heartbeats of a venue that may be missing in a row before its line counts as silent.
const HEARTBEATS_MISSING: u32 = 3;

/// How long a line of `kind` may be silent, where the configuration does not say.
fn silent_after(kind: FeedKind) -> Nanos {
    let seconds = kind.heartbeat_s().map_or(u32::MAX, |heartbeat_s| HEARTBEATS_MISSING * heartbeat_s);
    Nanos(u64::from(seconds) * 1_000_000_000)
}

impl FeedConfig {
    /// The feed with default bounds, all traffic one channel.
    #[must_use]
    pub fn new(kind: FeedKind) -> Self {
        Self {
            kind,
            channels: Vec::new(),
            arbiter: ArbiterConfig::default(),
            silent_after: silent_after(kind),
            midnight: Midnight::default(),
            instruments_max: INSTRUMENTS_MAX,
            ticks: kind.tick_table().into(),
            burst_max: BURST_MAX,
        }
    }

    /// Checks what types cannot.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for the first thing that is wrong.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.channels.len() > CHANNELS_MAX {
            return Err(ConfigError::Channels { found: self.channels.len() });
        }
        if self.arbiter.recovery.is_some() && !self.kind.has_requests() {
            return Err(ConfigError::NoRecovery { kind: self.kind });
        }
        let mut seen = Vec::new();
        for (channel, config) in self.channels.iter().enumerate() {
            let lines = config.lines.len();
            if lines == 0 || lines > LINES_MAX {
                return Err(ConfigError::Lines { channel, found: lines });
            }
            for &line in &config.lines {
                if seen.contains(&line) {
                    return Err(ConfigError::Twice { line });
                }
                seen.push(line);
            }
        }
        Ok(())
    }
}

/// Why a feed cannot be received as configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Too many channels.
    #[error("found {found} channels, wanted at most {CHANNELS_MAX} in one receiver")]
    Channels {
        /// How many there are.
        found: usize,
    },
    /// A channel without lines, or with too many.
    #[error("channel {channel}: found {found} lines, wanted 1 to {LINES_MAX}")]
    Lines {
        /// Index of the channel.
        channel: usize,
        /// How many lines it has.
        found: usize,
    },
    /// A line that belongs to two channels, or to one twice.
    #[error("found group {line} twice, wanted each group and port on one line of one channel")]
    Twice {
        /// The group and port.
        line: SocketAddrV4,
    },
    /// The feed's transport has no servers to ask again.
    #[error("found servers to ask again for feed {kind}, wanted none: only MoldUDP64 has requests")]
    NoRecovery {
        /// The feed.
        kind: FeedKind,
    },
    /// The feed has no packets to receive.
    #[error("found feed {kind} for a packet source, wanted one that comes in packets")]
    NoPackets {
        /// The feed.
        kind: FeedKind,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arbiter::RecoveryConfig;
    use std::net::Ipv4Addr;
    use types::Nanos;

    #[test]
    fn impossible_channels_are_refused() {
        let line = |n| SocketAddrV4::new(Ipv4Addr::new(233, 54, 12, n), 26_477);
        let with = |channels: Vec<Vec<SocketAddrV4>>| {
            let channels = channels.into_iter().map(|lines| ChannelConfig { lines }).collect();
            FeedConfig { channels, ..FeedConfig::new(FeedKind::Itch50) }.validate()
        };
        assert_eq!(with(vec![]), Ok(()));
        assert_eq!(with(vec![vec![line(1), line(2)], vec![line(3)]]), Ok(()));
        assert_eq!(with(vec![vec![line(1)], vec![]]), Err(ConfigError::Lines { channel: 1, found: 0 }));
        assert_eq!(with(vec![vec![line(1)], vec![line(1)]]), Err(ConfigError::Twice { line: line(1) }));
        assert_eq!(with(vec![vec![line(1)]; 65]), Err(ConfigError::Channels { found: 65 }));
    }

    #[test]
    fn only_a_transport_with_requests_recovers() {
        let recovery = RecoveryConfig {
            servers: 1,
            request_messages: 100,
            answer_within: Nanos(1),
            tries_max: 1,
            give_up_after: Nanos(1),
            missing_max: 1,
        };
        let of = |kind| {
            let mut config = FeedConfig::new(kind);
            config.arbiter.recovery = Some(recovery);
            config.validate()
        };
        assert_eq!(of(FeedKind::Itch50), Ok(()));
        assert_eq!(of(FeedKind::Deep), Err(ConfigError::NoRecovery { kind: FeedKind::Deep }));
    }
}
