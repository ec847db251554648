//! From the configuration's feeds to the receiver's.

use anyhow::Result;
use control::config::{Plan, TickChoice};
use dataplane::decode::{TickSize, TickSizes};
use dataplane::{EventTx, Feed, FeedConfig, ReceiverHops};
use stage::LiveClock;
use std::path::Path;
use types::{FeedKind, Nanos, Px, TickTableId};

use crate::latency::Latency;

/// A receiver of any source.
pub(crate) type AnyFeed = Box<dyn Feed + Send>;

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

/// Measures every sixteenth burst: a stamp costs as much as a message. Live, intervals change hands as they pass; else they are
/// read once, at the end.
pub(crate) fn receiver_hops(latency: &mut Latency, clock: LiveClock, interval: Nanos) -> ReceiverHops {
    let (nic_decode, decode_ring) = (latency.hop("nic_decode"), latency.hop("decode_ring"));
    ReceiverHops { clock, nic_decode, decode_ring, sample_every: 16, interval }
}

/// A capture through DPDK's net_pcap driver.
#[cfg(feature = "dpdk")]
pub(crate) fn open_dpdk(
    path: &Path,
    config: &FeedConfig,
    tx: EventTx,
    hops: Option<ReceiverHops>,
) -> Result<AnyFeed> {
    let source = crate::dpdk_source::open_capture(path)?;
    Ok(dataplane::receive("receiver", source, config, tx, hops, None)?)
}

/// Without DPDK in the build there is no such driver, and plain file reading is not a stand-in for it.
#[cfg(not(feature = "dpdk"))]
pub(crate) fn open_dpdk(
    _path: &Path,
    _config: &FeedConfig,
    _tx: EventTx,
    _hops: Option<ReceiverHops>,
) -> Result<AnyFeed> {
    anyhow::bail!("this build has no DPDK (built with --no-default-features); use --source file")
}
