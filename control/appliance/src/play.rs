//! A simulated day, read as a replay reads it.

use crate::feeds::feed_config;
use crate::line::spec::Pace;
use crate::line::topology;
use anyhow::Result;
use control::config::Plan;
use dataplane::{FileOptions, ItchFraming, open_files};
use stage::WorkStatus;
use std::path::Path;
use types::{BookEvent, FeedKind, Nanos, UnixNanos};

/// Hands every event of the ITCH capture at `pcap` to `take`. Returns how long the capture is.
///
/// # Errors
/// A capture that cannot be read.
pub(crate) fn play(plan: &Plan, pcap: &Path, mut take: impl FnMut(&[BookEvent])) -> Result<Nanos> {
    let (tx, mut events) = topology::event_ring(plan, Pace::Simulated { score_latency: Nanos(0) }, true);
    let options = FileOptions { itch_framing: ItchFraming::LengthPrefixed };
    let config = feed_config(plan, FeedKind::Itch50);
    let mut feed = open_files("receiver", &[pcap.to_owned()], &config, options, tx, None)?;
    let (mut first, mut now) = (None, UnixNanos(0));
    loop {
        let work = feed.poll(now);
        now = feed.replay_time();
        first = first.or(Some(now).filter(|at| at.0 > 0));
        events.drain(usize::MAX, &mut take);
        if work.status == WorkStatus::Done {
            break;
        }
    }
    match feed.take_error() {
        Some(error) => Err(error.into()),
        None => Ok(now.since(first.unwrap_or(now))),
    }
}
