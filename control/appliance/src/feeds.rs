//! From the configuration's feeds to the receiver's.

use crate::line::ends::Received;
use crate::line::spec::Pace;
use crate::line::topology::Measured;
use anyhow::Result;
use control::config::{Plan, TickChoice};
use dataplane::FeedConfig;
use dataplane::decode::{TickSize, TickSizes};
use std::path::Path;
use types::{FeedKind, Px, TickTableId};

/// A feed of the configured instruments, all traffic one channel.
pub(crate) fn feed_config(plan: &Plan, kind: FeedKind) -> FeedConfig {
    let of_table = |id: TickTableId| {
        let table = id.index().and_then(|at| plan.ticks.tables.get(at));
        table.map_or(TickSize::uniform(Px::NONE), |table| TickSize::of_table(id, table))
    };
    let named = plan.ticks.by_symbol.iter().map(|(symbol, choice)| match choice {
        TickChoice::Uniform(tick) => (*symbol, TickSize::uniform(*tick)),
        TickChoice::Table(id) => (*symbol, of_table(*id)),
    });
    let ticks = TickSizes::new(of_table(plan.ticks.of_feed(kind)), named);
    FeedConfig { instruments_max: plan.book.instruments as usize, ticks, ..FeedConfig::new(kind) }
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
