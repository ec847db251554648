//! A port: configured, started, and stopped when its last handle goes.

mod config;
mod error;
mod info;

use std::cell::Cell;
use std::marker::PhantomData;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::eal::Eal;
use crate::log::LogCapture;
use crate::mac::MacAddr;
use crate::mempool::Mempool;
use crate::rx::{BURST_MAX, RxClock, RxQueue, TimestampField};
use crate::shared::PortShared;
use crate::tx::TxQueue;

pub use config::{PortConfig, RxTimestamps};
pub use error::{ConfigureStep, PortError};
pub use info::{Link, PortInfo, RxFilter, RxModeReport, Stats};

/// `RTE_ETH_RX_OFFLOAD_TIMESTAMP`.
const OFFLOAD_TIMESTAMP: u64 = 1 << 14;

/// State of a [`Port`] that has its queues and does not run yet.
#[derive(Debug)]
pub struct Configured {
    rx_queues: u16,
    tx_queues: u16,
    /// The device offers RX timestamps and was asked for them.
    offloaded: bool,
}

/// State of a [`Port`] that runs.
#[derive(Debug)]
pub struct Started;

/// A port in state `S`: [`Configured`], then [`Started`].
///
/// It may move to another thread but not be shared: DPDK's control calls are not thread-safe for one device.
#[derive(Debug)]
pub struct Port<S> {
    shared: Arc<PortShared>,
    info: PortInfo,
    state: S,
    _not_sync: PhantomData<Cell<()>>,
}

/// A port that was started, and the queues it was started with.
#[derive(Debug)]
pub struct StartedPort {
    /// The port.
    pub port: Port<Started>,
    /// Its RX queues, by number.
    pub rx: Vec<RxQueue>,
    /// Its TX queues, by number.
    pub tx: Vec<TxQueue>,
}

impl<S> Port<S> {
    /// What the port says about itself.
    #[must_use]
    pub fn info(&self) -> &PortInfo {
        &self.info
    }

    /// State of the link now.
    ///
    /// # Errors
    /// [`PortError::Query`] when the driver does not say.
    pub fn link(&self) -> Result<Link, PortError> {
        let mut link = dpdk_sys::Link::default();
        // SAFETY: `rte_eth_link_get_nowait` wants a valid port, which `shared` keeps open, and a place for the answer.
        let rc = unsafe { dpdk_sys::pcl_port_link(self.shared.number, &raw mut link) };
        self.answered("rte_eth_link_get_nowait", rc)?;
        Ok(Link {
            up: link.up != 0,
            // 0 is RTE_ETH_SPEED_NUM_NONE, u32::MAX is RTE_ETH_SPEED_NUM_UNKNOWN.
            speed_mbps: (link.speed_mbps != 0 && link.speed_mbps != u32::MAX).then_some(link.speed_mbps),
            full_duplex: link.full_duplex != 0,
        })
    }

    /// The port's counters now. They may lag behind the thread that polls.
    ///
    /// # Errors
    /// [`PortError::Query`] when the driver has none.
    pub fn stats(&self) -> Result<Stats, PortError> {
        let mut stats = dpdk_sys::Stats::default();
        // SAFETY: `rte_eth_stats_get` wants a valid port, which `shared` keeps open, and a place for the answer.
        let rc = unsafe { dpdk_sys::pcl_port_stats(self.shared.number, &raw mut stats) };
        self.answered("rte_eth_stats_get", rc)?;
        Ok(Stats {
            rx_packets: stats.ipackets,
            rx_bytes: stats.ibytes,
            rx_missed: stats.imissed,
            rx_errors: stats.ierrors,
            rx_no_mbuf: stats.rx_nombuf,
            tx_packets: stats.opackets,
            tx_bytes: stats.obytes,
            tx_errors: stats.oerrors,
        })
    }

    fn answered(&self, call: &'static str, rc: i32) -> Result<(), PortError> {
        if rc == 0 { Ok(()) } else { Err(PortError::Query { device: self.info.device.clone(), call, rc }) }
    }
}

impl Port<Configured> {
    /// Configures the port called `device` (a vdev's name, a PCI address) to receive into `pool`.
    ///
    /// # Errors
    /// [`PortError`] but for `Start`.
    pub fn configure(eal: &Eal, device: &str, config: PortConfig, pool: &Mempool) -> Result<Self, PortError> {
        let device_name = || device.to_owned();
        let Some(number) = eal.port_number(device) else {
            return Err(PortError::NoSuchPort { device: device_name(), present: eal.port_count() });
        };
        let wanted = u32::from(config.rx_queues) * u32::from(config.rx_descriptors);
        if pool.capacity() < wanted + BURST_MAX as u32 {
            return Err(PortError::PoolTooSmall { device: device_name(), mbufs: pool.capacity(), wanted });
        }

        let runtime = eal.runtime();
        let mut claimed = runtime.control();
        if claimed.contains(&number) {
            return Err(PortError::InUse { device: device_name() });
        }
        let driver = driver_name(number).map_err(|rc| PortError::Query {
            device: device_name(),
            call: "rte_eth_dev_info_get",
            rc,
        })?;
        let ask = asks_for_timestamps(&driver, config.timestamps);
        let capture = LogCapture::begin();
        let configured = configure(number, config, ask, pool);
        let log = capture.finish();
        if !matches!(configured, Err((ConfigureStep::Info | ConfigureStep::QueueLimit, _))) {
            claimed.push(number);
        }
        let raw =
            configured.map_err(|(step, rc)| PortError::Configure { device: device_name(), step, rc, log })?;
        drop(claimed);

        let offloaded = ask && raw.rx_offload_capa & OFFLOAD_TIMESTAMP != 0;
        let info = port_info(device, number, driver, &raw);
        let shared = Arc::new(PortShared::new(number, pool.clone(), runtime));
        let state = Configured { rx_queues: config.rx_queues, tx_queues: config.tx_queues, offloaded };
        Ok(Self { shared, info, state, _not_sync: PhantomData })
    }

    /// Starts the port and hands out its queues.
    ///
    /// # Errors
    /// [`PortError::Start`]; the port is closed then.
    pub fn start(self) -> Result<StartedPort, PortError> {
        let Self { shared, mut info, state, .. } = self;
        let control = shared.runtime.control();
        let capture = LogCapture::begin();
        // SAFETY: `rte_eth_dev_start` wants a configured port with its queues set up: `Port<Configured>` is made by nothing
        // else, and is used up here.
        let rc = unsafe { dpdk_sys::pcl_port_start(shared.number) };
        let log = capture.finish();
        drop(control);
        if rc != 0 {
            return Err(PortError::Start { device: info.device, rc, log });
        }
        shared.started.store(true, Ordering::Relaxed);

        // Some drivers make room for timestamps when they are set up, some when they start.
        let (timestamps, rx_clock) = TimestampField::of_port(&info.driver, state.offloaded);
        info.rx_clock = rx_clock;
        let rx = (0..state.rx_queues)
            .map(|queue| RxQueue::new(Arc::clone(&shared), queue, timestamps, rx_clock))
            .collect();
        let tx = (0..state.tx_queues).map(|queue| TxQueue::new(Arc::clone(&shared), queue)).collect();
        let port = Port { shared, info, state: Started, _not_sync: PhantomData };
        Ok(StartedPort { port, rx, tx })
    }
}

impl Port<Started> {
    /// Makes the port receive frames to `groups`: by their addresses, or else all multicast, or else everything; the first
    /// request the device grants. 224.0.0.1 is added, for membership queries.
    ///
    /// A filter is not membership: a switch that snoops wants reports too, see [`crate::igmp`].
    ///
    /// # Errors
    /// [`PortError::NotMulticast`]. That no request was granted is no error, since devices without a filter (`net_pcap`)
    /// grant none; see [`RxModeReport::held`].
    pub fn receive_groups(&self, groups: &[Ipv4Addr]) -> Result<RxModeReport, PortError> {
        let macs = group_addresses(groups)?;
        let _control = self.shared.runtime.control();
        let number = self.shared.number;
        let count = u32::try_from(macs.len()).unwrap_or(u32::MAX);
        // SAFETY: `pcl_set_mc_addr_list` wants a valid port, which `shared` keeps open, and `count` addresses of six bytes,
        // which `MacAddr` is by `repr(transparent)`; it reads none when there are more than 64.
        let list_rc = unsafe { dpdk_sys::pcl_set_mc_addr_list(number, macs.as_ptr().cast(), count) };
        let mut report =
            RxModeReport { held: None, set_mc_addr_list: list_rc, allmulticast: None, promiscuous: None };
        if list_rc == 0 {
            report.held = Some(RxFilter::Groups);
            return Ok(report);
        }
        // SAFETY: `rte_eth_allmulticast_enable` wants a valid port, which `shared` keeps open.
        let all_rc = unsafe { dpdk_sys::pcl_allmulticast(number, 1) };
        report.allmulticast = Some(all_rc);
        if all_rc == 0 {
            self.shared.allmulticast.store(true, Ordering::Relaxed);
            report.held = Some(RxFilter::AllMulticast);
            return Ok(report);
        }
        // SAFETY: `rte_eth_promiscuous_enable` wants a valid port, which `shared` keeps open.
        let promiscuous_rc = unsafe { dpdk_sys::pcl_promiscuous(number, 1) };
        report.promiscuous = Some(promiscuous_rc);
        if promiscuous_rc == 0 {
            self.shared.promiscuous.store(true, Ordering::Relaxed);
            report.held = Some(RxFilter::Promiscuous);
        }
        Ok(report)
    }
}

/// Calls the shim; `Err` is the step that failed and its result.
fn configure(
    number: u16,
    config: PortConfig,
    timestamps: bool,
    pool: &Mempool,
) -> Result<dpdk_sys::PortInfo, (ConfigureStep, i32)> {
    let mut info = dpdk_sys::PortInfo::default();
    let mut step = 0;
    // SAFETY: `pcl_port_configure` wants a port that exists and is not in use, which the caller looked up and checked under
    // the control lock; a live pool, which `pool` is and which the port keeps from now on; and places for its answers.
    let rc = unsafe {
        dpdk_sys::pcl_port_configure(
            number,
            config.rx_queues,
            config.tx_queues,
            config.rx_descriptors,
            config.tx_descriptors,
            i32::from(timestamps),
            pool.as_ptr(),
            &raw mut info,
            &raw mut step,
        )
    };
    if rc == 0 { Ok(info) } else { Err((ConfigureStep::from_shim(step), rc)) }
}

fn port_info(device: &str, number: u16, driver: String, raw: &dpdk_sys::PortInfo) -> PortInfo {
    PortInfo {
        device: device.to_owned(),
        number,
        driver,
        socket: u32::try_from(raw.socket).ok(),
        mac: MacAddr(raw.mac),
        mtu: raw.mtu,
        rx_descriptors: raw.rx_descriptors,
        tx_descriptors: raw.tx_descriptors,
        max_rx_queues: raw.max_rx_queues,
        rx_clock: RxClock::None,
    }
}

/// The name of a port's driver; `Err` is the result of asking.
fn driver_name(number: u16) -> Result<String, i32> {
    let mut name = [0_u8; 32];
    // SAFETY: `pcl_port_driver` wants a port that exists, which the caller looked up, and 32 writable bytes; a `u8` array
    // and `char` storage have the same layout.
    let rc = unsafe { dpdk_sys::pcl_port_driver(number, name.as_mut_ptr().cast()) };
    if rc != 0 {
        return Err(rc);
    }
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    Ok(String::from_utf8_lossy(&name[..end]).into_owned())
}

fn asks_for_timestamps(driver: &str, wanted: RxTimestamps) -> bool {
    match wanted {
        RxTimestamps::Off => false,
        RxTimestamps::Unix => matches!(driver, "net_pcap" | "net_af_packet"),
        RxTimestamps::Any => true,
    }
}

/// The addresses of `groups` and of 224.0.0.1, each once.
fn group_addresses(groups: &[Ipv4Addr]) -> Result<Vec<MacAddr>, PortError> {
    let of = |&group: &Ipv4Addr| MacAddr::of_group(group).ok_or(PortError::NotMulticast(group));
    let mut macs = groups.iter().map(of).collect::<Result<Vec<_>, _>>()?;
    macs.push(MacAddr::ALL_HOSTS);
    macs.sort_unstable();
    macs.dedup();
    Ok(macs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_share_an_address_take_one_place() {
        let groups = ["239.1.1.1", "238.129.1.1", "233.54.12.111"].map(|g| g.parse().unwrap());
        let macs = group_addresses(&groups).unwrap();
        let text: Vec<String> = macs.iter().map(MacAddr::to_string).collect();
        assert_eq!(text, ["01:00:5e:00:00:01", "01:00:5e:01:01:01", "01:00:5e:36:0c:6f"]);
        let unicast = "10.1.1.1".parse().unwrap();
        assert_eq!(group_addresses(&[unicast]), Err(PortError::NotMulticast(unicast)));
    }

    #[test]
    fn a_nic_is_not_slowed_for_ticks_nobody_reads() {
        use RxTimestamps::{Any, Off, Unix};
        let asks = |driver, wanted| asks_for_timestamps(driver, wanted);
        assert!(asks("net_pcap", Unix) && asks("net_af_packet", Unix) && asks("net_ice", Any));
        assert!(!asks("net_ice", Unix) && !asks("mlx5_pci", Unix) && !asks("net_pcap", Off));
    }
}
