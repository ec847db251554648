//! The daemon's input: a port on DPDK or a capture, and what its thread does beside receiving.

use super::port::PortView;
use super::recovery::{self, Sockets, WINDOW_PACKETS, recovery_config};
use super::report::Report;
use crate::line::ends::{AnyFeed, Received};
use crate::line::health::LastMoved;
use crate::line::link::RingView;
use crate::line::spec::Pace;
use crate::line::topology::{self, Measured};
use anyhow::Result;
use control::config::{Feed as FeedPlan, FeedSource, Plan};
use dataplane::arbiter::Start;
use dataplane::recovery::RecoveryEnds;
use dataplane::{ChannelConfig, FeedConfig, FileOptions};
use stage::{Stage, Work};
use std::net::SocketAddrV4;
use types::{Nanos, UnixNanos};

#[cfg(feature = "dpdk")]
pub(super) use crate::dpdk_source::Ports;

/// The ports of all feeds: none, in a build without DPDK.
#[cfg(not(feature = "dpdk"))]
#[derive(Default)]
pub(super) struct Ports;

/// What the receiver's thread does before its first poll.
pub(super) type ThreadStart = Box<dyn FnOnce() -> Result<(), String> + Send>;

/// What a port wants done now and then by the thread that polls it.
pub(super) trait PortChores: Send {
    /// Called with each housekeeping.
    fn keep(&mut self, now: UnixNanos);

    /// Called once, when the thread has ended; says what there was to do.
    fn close(&mut self, now: UnixNanos) -> String;
}

/// An input, not running.
pub(super) struct OpenedFeed {
    pub(super) received: Received,
    pub(super) thread_start: ThreadStart,
    pub(super) chores: Option<Box<dyn PortChores>>,
    pub(super) recovery: Option<Sockets>,
    /// The port itself, for who asks how it is.
    pub(super) port: Option<PortView>,
    /// Rings of its own.
    pub(super) rings: Vec<RingView>,
}

/// Opens what the configuration names.
///
/// # Errors
/// A port or file that cannot be had, or groups that cannot be joined.
pub(super) fn open_feed(
    plan: &Plan,
    feed: &FeedPlan,
    ports: &mut Ports,
    (latency, clock): Measured<'_>,
    report: &mut Report,
) -> Result<OpenedFeed> {
    let config = receiver_config(plan, feed);
    let measured = (latency, clock);
    match &feed.source {
        FeedSource::File(path) => {
            let files = ([path.clone()], FileOptions::default());
            let received =
                topology::receive_files((plan, Pace::Live), (&files.0, files.1), &config, Some(measured))?;
            Ok(OpenedFeed {
                received,
                thread_start: Box::new(|| Ok(())),
                chores: None,
                recovery: None,
                port: None,
                rings: Vec::new(),
            })
        }
        FeedSource::Vdev(_) | FeedSource::Pci(_) => {
            let (mut sockets, ends) = recovery::open(plan, feed)?.unzip();
            let mut opened = open_port((plan, feed), ports, &config, (measured, ends), report)?;
            opened.rings.extend(sockets.iter_mut().flat_map(|sockets| std::mem::take(&mut sockets.rings)));
            Ok(OpenedFeed { recovery: sockets, ..opened })
        }
    }
}

/// After how long a silence the books of a channel of `feed` are doubted, and the feed is stale: as configured, or as in a replay.
pub(super) fn silent_after(feed: &FeedPlan) -> Nanos {
    let configured = |ms: u32| Nanos(u64::from(ms) * 1_000_000);
    feed.stale_after_ms.map_or_else(|| FeedConfig::new(feed.kind).silent_after, configured)
}

/// What the receiver of `feed` is told.
pub(super) fn receiver_config(plan: &Plan, feed: &FeedPlan) -> FeedConfig {
    let line = |group: &control::config::Group| SocketAddrV4::new(group.ip(), group.port());
    let channel = |(index, a): (usize, &control::config::Group)| ChannelConfig {
        lines: std::iter::once(a).chain(feed.line_b.get(index)).map(line).collect(),
    };
    let mut config = crate::feeds::feed_config_of(plan, feed);
    config.channels = feed.line_a.iter().enumerate().map(channel).collect();
    config.arbiter.jump_max = feed.jump_max.into();
    config.arbiter.confirm_packets = feed.confirm_packets;
    config.silent_after = silent_after(feed);
    config.arbiter.recovery = recovery_config(feed);
    if config.arbiter.recovery.is_some() {
        // What comes after a hole waits until that is filled, and a join in mid-session is a hole from the beginning.
        config.arbiter.slots = WINDOW_PACKETS;
        config.arbiter.start = Start::At(1);
    }
    config
}

/// A port on DPDK.
#[cfg(feature = "dpdk")]
fn open_port(
    (plan, feed): (&Plan, &FeedPlan),
    ports: &mut Ports,
    config: &FeedConfig,
    (measured, recovery): (Measured<'_>, Option<RecoveryEnds>),
    report: &mut Report,
) -> Result<OpenedFeed> {
    let igmp = topology::igmp_ring(plan);
    let links = crate::line::link::Links::of(plan, Pace::Live);
    let aside = links.igmp.shown(super::of_feed::named("IGMP frames", plan, feed), igmp.1.counters());
    let port = ports.open(plan, feed, igmp)?;
    report.warnings.extend(port.warnings);
    report.groups.extend(port.groups);
    let live = dataplane::Live { stamp: measured.1.clone(), recovery };
    let line = (plan, Pace::Live);
    let received = topology::receive_packets(line, port.source, config, Some(measured), Some(live))?;
    let eal = port.eal;
    Ok(OpenedFeed {
        received,
        thread_start: Box::new(move || crate::dpdk_source::register_thread(&eal)),
        chores: port.member.map(|member| Box::new(member) as Box<dyn PortChores>),
        recovery: None,
        port: Some(PortView::new(port.device, Box::new(move || port.gauge.read()))),
        rings: vec![aside],
    })
}

/// Without DPDK in the build there is no port to open.
#[cfg(not(feature = "dpdk"))]
fn open_port(
    (_plan, feed): (&Plan, &FeedPlan),
    _ports: &mut Ports,
    _config: &FeedConfig,
    _line: (Measured<'_>, Option<RecoveryEnds>),
    _report: &mut Report,
) -> Result<OpenedFeed> {
    anyhow::bail!(
        "feed {}: this build has no DPDK (built with --no-default-features), wanted source \"file:PATH\"",
        feed.name
    )
}

#[cfg(feature = "dpdk")]
impl PortChores for crate::multicast::Member {
    fn keep(&mut self, now: UnixNanos) {
        Self::keep(self, now);
    }

    fn close(&mut self, now: UnixNanos) -> String {
        self.leave(now)
    }
}

/// The receiver on its own thread.
pub(super) struct LiveFeed {
    pub(super) feed: AnyFeed,
    pub(super) chores: Option<Box<dyn PortChores>>,
    /// When the last message came.
    pub(super) heard: LastMoved,
}

impl Stage for LiveFeed {
    fn name(&self) -> &'static str {
        self.feed.name()
    }

    fn poll(&mut self, now: UnixNanos) -> Work {
        self.feed.poll(now)
    }

    fn housekeep(&mut self, now: UnixNanos) {
        self.feed.housekeep(now);
        self.heard.look(now);
        if let Some(chores) = &mut self.chores {
            chores.keep(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use control::config::load;

    #[test]
    fn a_feed_is_believed_as_the_configuration_says() {
        let of = |keys: &str| {
            let feed = format!("feed=[{{ name = \"a\", kind = \"itch50\", source = \"file:x\"{keys} }}]");
            let plan = load(&[], &[feed]).unwrap();
            let arbiter = receiver_config(&plan, &plan.feeds[0]).arbiter;
            (arbiter.jump_max, arbiter.confirm_packets)
        };
        let by_itself = FeedConfig::new(types::FeedKind::Itch50).arbiter;
        assert_eq!(of(""), (by_itself.jump_max, by_itself.confirm_packets), "the documented defaults");
        assert_eq!(of(", jump_max = 5000, confirm_packets = 7"), (5_000, 7));
    }

    #[test]
    fn a_quiet_venue_is_silent_after_three_of_its_heartbeats() {
        let of = |kind: &str, keys: &str| {
            let feed = format!("feed=[{{ name = \"a\", kind = \"{kind}\", source = \"net_null0\"{keys} }}]");
            let plan = load(&[], &[feed]).unwrap();
            assert_eq!(receiver_config(&plan, &plan.feeds[0]).silent_after, silent_after(&plan.feeds[0]));
            silent_after(&plan.feeds[0])
        };
        assert_eq!([of("itch50", ""), of("pitch", "")], [Nanos(3 * Nanos::SECOND.0); 2]);
        assert_eq!(of("mdp3", ""), Nanos(90 * Nanos::SECOND.0), "CME sends one in half a minute");
        assert_eq!(of("mdp3", ", stale_after_ms = 1500"), Nanos(1_500 * Nanos::MILLI.0));
    }

    #[test]
    fn with_a_server_a_join_is_a_hole_from_the_beginning() {
        let of = |keys: &str| {
            let feed = format!("feed=[{{ name = \"a\", kind = \"itch50\", source = \"net_null0\"{keys} }}]");
            let plan = load(&[], &[feed]).unwrap();
            receiver_config(&plan, &plan.feeds[0]).arbiter
        };
        assert_eq!((of("").start, of("").recovery), (Start::Anywhere, None));
        let arbiter = of(", recovery = [\"udp:10.30.0.1:26500\"], recovery_messages = 5");
        assert_eq!((arbiter.start, arbiter.slots), (Start::At(1), WINDOW_PACKETS));
        assert_eq!(arbiter.recovery.map(|recovery| (recovery.servers, recovery.missing_max)), Some((1, 5)));
    }
}
