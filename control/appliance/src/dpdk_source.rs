//! Packet sources on DPDK: a capture through net_pcap, or what the configuration names.

use anyhow::{Context, Result};
use dataplane::source::DpdkSource;
use dpdk::{Eal, EalConfig, Mempool, MempoolConfig, Port, PortConfig, RxQueue, Vdev};
use std::path::Path;

/// MiB of packet memory for one port in replays and the demo; the pool below takes about 20.
const MEMORY_MIB: u32 = 128;

/// The capture at `path` through net_pcap. EAL starts once per process, so this can be called once.
///
/// # Errors
/// When the file is no capture, or DPDK cannot be started with it.
pub(crate) fn open_capture(path: &Path) -> Result<DpdkSource> {
    let packets = dpdk::capture::count_packets(path)?;
    let vdev = Vdev::pcap_file(0, path)?;
    let (config, warning) = EalConfig::for_this_host(MEMORY_MIB);
    if let Some(warning) = warning {
        eprintln!("warning: {warning}");
    }
    let eal = Eal::init(&config.vdev(vdev.clone())).context("cannot start DPDK")?;
    let pool = Mempool::new(&eal, &MempoolConfig::new("capture"))?;
    let queue = start(&eal, vdev.name(), &pool)?;
    Ok(DpdkSource::capture(queue, path.display().to_string(), pool.packet_bytes(), packets))
}

/// Starts the port called `device` and gives its one receive queue, which keeps the port and its pool alive.
pub(crate) fn start(eal: &Eal, device: &str, pool: &Mempool) -> Result<RxQueue> {
    let mut started = Port::configure(eal, device, PortConfig::default(), pool)?.start()?;
    started.rx.pop().with_context(|| format!("{device}: started without a receive queue"))
}
