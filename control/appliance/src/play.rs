//! A simulated day, read as a replay reads it.

use crate::feeds::feed_config;
use crate::line::spec::Pace;
use crate::line::topology;
use anyhow::Result;
use control::config::Plan;
use dataplane::{FileOptions, ItchFraming};
use stage::WorkStatus;
use std::path::Path;
use types::{BookEvent, FeedKind, Nanos, UnixNanos};

/// Hands every event of the ITCH capture at `pcap` to `take`.
///
/// # Errors
/// A capture that cannot be read.
pub(crate) fn play(plan: &Plan, pcap: &Path, mut take: impl FnMut(&[BookEvent])) -> Result<()> {
    let line = (plan, Pace::Simulated { score_latency: Nanos(0) });
    let files = ([pcap.to_owned()], FileOptions { itch_framing: ItchFraming::LengthPrefixed });
    let config = feed_config(plan, FeedKind::Itch50);
    let (mut feed, mut events) = topology::receive_files(line, (&files.0, files.1), &config, None)?;
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
