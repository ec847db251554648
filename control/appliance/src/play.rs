//! A simulated day, read as a replay reads it.

use crate::feeds::feed_config;
use crate::line::ends::Received;
use crate::line::spec::Pace;
use crate::line::topology;
use anyhow::Result;
use control::config::Plan;
use dataplane::{FileOptions, ItchFraming};
use stage::WorkStatus;
use std::path::Path;
use types::{BookEvent, FeedKind, Nanos, UnixNanos};

/// The time of a simulated day, in which a score takes none.
pub(crate) const PACE: Pace = Pace::Simulated { score_latency: Nanos(0) };

/// The receiver of the ITCH capture at `pcap`, and its events.
///
/// # Errors
/// A capture that cannot be opened.
pub(crate) fn open_day(plan: &Plan, pcap: &Path) -> Result<Received> {
    let options = FileOptions { itch_framing: ItchFraming::LengthPrefixed };
    let config = feed_config(plan, FeedKind::Itch50);
    topology::receive_files((plan, PACE), (&[pcap.to_owned()], options), &config, None)
}

/// Hands every event of the ITCH capture at `pcap` to `take`.
///
/// # Errors
/// A capture that cannot be read.
pub(crate) fn play(plan: &Plan, pcap: &Path, mut take: impl FnMut(&[BookEvent])) -> Result<()> {
    let (mut feed, mut events) = open_day(plan, pcap)?;
    let mut now = UnixNanos(0);
    loop {
        let work = feed.poll(now);
        now = feed.replay_time();
        events.drain(usize::MAX, &mut take);
        if work.status == WorkStatus::Done {
            break;
        }
    }
    match feed.take_error() {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}
