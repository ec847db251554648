//! From the configuration's feeds to the receiver's.

use crate::line::ends::Received;
use crate::line::spec::Pace;
use crate::line::topology::Measured;
use anyhow::Result;
use control::config::{Feed as FeedPlan, Plan, TickChoice};
use dataplane::FeedConfig;
use dataplane::decode::{TickSize, TickSizes};
use std::path::Path;
use types::{FeedKind, Px, Symbol, TickTableId};

/// A feed of the configured instruments, all traffic one channel.
pub(crate) fn feed_config(plan: &Plan, kind: FeedKind) -> FeedConfig {
    let ticks = ticks_of(plan, plan.ticks.of_feed(kind), "");
    FeedConfig { instruments_max: plan.book.instruments as usize, ticks, ..FeedConfig::new(kind) }
}

/// The same of `feed`, one of the plan's, with what it has of the instruments, and their ticks by the names that they have here.
pub(crate) fn feed_config_of(plan: &Plan, feed: &FeedPlan) -> FeedConfig {
    let ticks = ticks_of(plan, plan.ticks.of_this_feed(feed), &feed.suffix);
    FeedConfig {
        instruments_max: plan.share_of(feed).instruments as usize,
        ticks,
        ..FeedConfig::new(feed.kind)
    }
}

/// The ticks of instruments whose feed puts `suffix` behind their symbols: by what the venue calls them.
fn ticks_of(plan: &Plan, others: TickTableId, suffix: &str) -> TickSizes {
    let of_table = |id: TickTableId| {
        let table = id.index().and_then(|at| plan.ticks.tables.get(at));
        table.map_or(TickSize::uniform(Px::NONE), |table| TickSize::of_table(id, table))
    };
    let named = plan.ticks.by_symbol.iter().filter_map(|(symbol, choice)| {
        let at_venue = symbol.as_str().strip_suffix(suffix).and_then(Symbol::new)?;
        Some(match choice {
            TickChoice::Uniform(tick) => (at_venue, TickSize::uniform(*tick)),
            TickChoice::Table(id) => (at_venue, of_table(*id)),
        })
    });
    TickSizes::new(of_table(others), named)
}

/// A capture through DPDK's net_pcap driver.
#[cfg(feature = "dpdk")]
pub(crate) fn receive_capture(
    line: (&Plan, Pace),
    path: &Path,
    config: &FeedConfig,
    measured: Option<Measured<'_>>,
) -> Result<Received> {
    let source = crate::dpdk_source::open_capture(path)?;
    crate::line::topology::receive_packets(line, source, config, measured, None)
}

/// Without DPDK in the build there is no such driver, and plain file reading is not a stand-in for it.
#[cfg(not(feature = "dpdk"))]
pub(crate) fn receive_capture(
    _line: (&Plan, Pace),
    _path: &Path,
    _config: &FeedConfig,
    _measured: Option<Measured<'_>>,
) -> Result<Received> {
    anyhow::bail!("this build has no DPDK (built with --no-default-features); use --source file")
}
