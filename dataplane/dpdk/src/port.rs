//! A port: configured, started, and stopped when its last handle goes.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::eal::Runtime;
use crate::log::LogCapture;
use crate::rx::TimestampField;
use crate::{BURST_MAX, Eal, MacAddr, Mempool, RxQueue, TxQueue, errno_text, log_tail};

/// `RTE_ETH_RX_OFFLOAD_TIMESTAMP`.
const OFFLOAD_TIMESTAMP: u64 = 1 << 14;

/// Queues and descriptors of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortConfig {
    /// RX queues; one receiving thread each.
    pub rx_queues: u16,
    /// TX queues. `net_af_xdp` wants as many as RX queues.
    pub tx_queues: u16,
    /// Descriptors per RX queue: packets the device can hold while nobody polls. Rounded to what the device can do.
    pub rx_descriptors: u16,
    /// Descriptors per TX queue.
    pub tx_descriptors: u16,
    /// Ask for RX timestamps where the device offers them.
    pub timestamps: bool,
}

impl Default for PortConfig {
    /// One queue of 1,024 descriptors each way, with timestamps.
    fn default() -> Self {
        Self { rx_queues: 1, tx_queues: 1, rx_descriptors: 1024, tx_descriptors: 1024, timestamps: true }
    }
}

/// The step of configuring a port that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigureStep {
    /// `rte_eth_dev_info_get`
    Info,
    /// more queues wanted than the device has
    QueueLimit,
    /// `rte_eth_dev_configure`
    Configure,
    /// `rte_eth_dev_adjust_nb_rx_tx_desc`
    Descriptors,
    /// `rte_eth_rx_queue_setup`
    RxQueue,
    /// `rte_eth_tx_queue_setup`
    TxQueue,
    /// `rte_eth_macaddr_get`
    Mac,
}

impl ConfigureStep {
    const fn from_shim(step: u32) -> Self {
        match step {
            dpdk_sys::STEP_INFO => Self::Info,
            dpdk_sys::STEP_QUEUE_LIMIT => Self::QueueLimit,
            dpdk_sys::STEP_CONFIGURE => Self::Configure,
            dpdk_sys::STEP_DESCRIPTORS => Self::Descriptors,
            dpdk_sys::STEP_RX_QUEUE => Self::RxQueue,
            dpdk_sys::STEP_TX_QUEUE => Self::TxQueue,
            _ => Self::Mac,
        }
    }
}

impl fmt::Display for ConfigureStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "rte_eth_dev_info_get",
            Self::QueueLimit => "more queues wanted than the device has",
            Self::Configure => "rte_eth_dev_configure",
            Self::Descriptors => "rte_eth_dev_adjust_nb_rx_tx_desc",
            Self::RxQueue => "rte_eth_rx_queue_setup",
            Self::TxQueue => "rte_eth_tx_queue_setup",
            Self::Mac => "rte_eth_macaddr_get",
        })
    }
}

/// Why a port could not be brought up or asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// No port has that name.
    #[error("{device}: no such port (of {present} there are)")]
    NoSuchPort {
        /// The name asked for.
        device: String,
        /// Number of ports there are.
        present: u16,
    },
    /// The port is in use by this process already, or its driver failed to set up a queue before. Such a driver is not tried
    /// again, since what it left behind is unknown (`net_pcap` frees its ring twice).
    #[error("{device}: in use by this process, or refused by its driver before")]
    InUse {
        /// The port's name.
        device: String,
    },
    /// The pool has fewer buffers than the RX descriptors and one burst take.
    #[error(
        "{device}: a pool of {mbufs} buffers cannot feed {wanted} RX descriptors and a burst of {BURST_MAX}"
    )]
    PoolTooSmall {
        /// The port's name.
        device: String,
        /// Buffers in the pool.
        mbufs: u32,
        /// RX descriptors of all queues.
        wanted: u32,
    },
    /// The device refused the configuration.
    #[error("{device}: {step}: {}{}", errno_text(*rc), log_tail(log))]
    Configure {
        /// The port's name.
        device: String,
        /// The call that failed.
        step: ConfigureStep,
        /// Its result.
        rc: i32,
        /// What DPDK logged.
        log: String,
    },
    /// The device did not start.
    #[error("{device}: rte_eth_dev_start: {}{}", errno_text(*rc), log_tail(log))]
    Start {
        /// The port's name.
        device: String,
        /// The result.
        rc: i32,
        /// What DPDK logged.
        log: String,
    },
    /// An address that is not a multicast group.
    #[error("{0} is not a multicast group")]
    NotMulticast(Ipv4Addr),
    /// The device does not answer a question.
    #[error("{device}: {call}: {}", errno_text(*rc))]
    Query {
        /// The port's name.
        device: String,
        /// The call that failed.
        call: &'static str,
        /// Its result.
        rc: i32,
    },
}

/// What kind of clock stamps the packets of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RxClock {
    /// Packets carry no time.
    None,
    /// Unix time in microseconds: `net_pcap` before DPDK 26.07, whatever the file's resolution.
    UnixMicros,
    /// Unix time in nanoseconds: `net_pcap` from DPDK 26.07, `net_af_packet` from DPDK 24.11.
    UnixNanos,
    /// Ticks of the device's own clock, which only the device's profile can tell how to read.
    Device,
}

/// What a configured port says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortInfo {
    /// The name it was found by.
    pub device: String,
    /// DPDK's number of it.
    pub number: u16,
    /// Driver: `net_pcap`, `net_ice`, `mlx5_pci`.
    pub driver: String,
    /// NUMA socket, where it has one; pool and receiving core belong on the same.
    pub socket: Option<u32>,
    /// Its address.
    pub mac: MacAddr,
    /// Maximum transmission unit in bytes, 0 when the driver does not say.
    pub mtu: u16,
    /// Descriptors per RX queue as set up.
    pub rx_descriptors: u16,
    /// Descriptors per TX queue as set up.
    pub tx_descriptors: u16,
    /// RX queues the device could have.
    pub max_rx_queues: u16,
    /// Clock of its RX timestamps.
    pub rx_clock: RxClock,
}

/// State of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whether there is one.
    pub up: bool,
    /// Speed in Mbit/s, where known.
    pub speed_mbps: Option<u32>,
    /// Whether both directions work at once.
    pub full_duplex: bool,
}

/// The port's counters since it started.
///
/// What is missing in them proves nothing: the kernel-backed devices lose packets without counting. A feed's sequence numbers
/// are the truth about loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets the device dropped because its queue was full, where the driver counts that.
    pub rx_missed: u64,
    /// Packets received in error.
    pub rx_errors: u64,
    /// Times no buffer was left in the pool.
    pub rx_no_mbuf: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
}

/// How a port was made to receive multicast, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RxFilter {
    /// The groups' own addresses (`rte_eth_dev_set_mc_addr_list`).
    Groups,
    /// Every multicast frame (`rte_eth_allmulticast_enable`).
    AllMulticast,
    /// Every frame (`rte_eth_promiscuous_enable`).
    Promiscuous,
}

/// What [`Port::receive_groups`] asked for, and what the device answered: 0, a negated errno (-95: not supported), or `None`
/// where an earlier request held and this one was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RxModeReport {
    /// The request that held; `None`: the device supports none of them and receives what it receives.
    pub held: Option<RxFilter>,
    /// Result of `rte_eth_dev_set_mc_addr_list`.
    pub set_mc_addr_list: i32,
    /// Result of `rte_eth_allmulticast_enable`.
    pub allmulticast: Option<i32>,
    /// Result of `rte_eth_promiscuous_enable`.
    pub promiscuous: Option<i32>,
}

impl fmt::Display for RxModeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = match self.held {
            Some(RxFilter::Groups) => "the groups' addresses",
            Some(RxFilter::AllMulticast) => "all multicast",
            Some(RxFilter::Promiscuous) => "promiscuous mode",
            None => "no filter request",
        };
        let rc = |rc: Option<i32>| rc.map_or_else(|| "not asked".to_owned(), |rc| rc.to_string());
        write!(
            f,
            "{held} held (set_mc_addr_list {}, allmulticast {}, promiscuous {})",
            self.set_mc_addr_list,
            rc(self.allmulticast),
            rc(self.promiscuous)
        )
    }
}

/// State of a [`Port`] that has its queues and does not run yet.
#[derive(Debug)]
pub struct Configured {
    rx_queues: u16,
    tx_queues: u16,
    timestamps: TimestampField,
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

/// What a port and its queues share. The last one to go stops and closes the port.
#[derive(Debug)]
pub(crate) struct PortShared {
    pub(crate) number: u16,
    started: AtomicBool,
    allmulticast: AtomicBool,
    promiscuous: AtomicBool,
    /// The device holds buffers of the pool until it is closed.
    _pool: Mempool,
    runtime: Arc<Runtime>,
}

impl Drop for PortShared {
    fn drop(&mut self) {
        let mut claimed = self.runtime.control();
        // A kernel interface stays promiscuous after the process unless it is asked not to.
        if *self.promiscuous.get_mut() {
            // SAFETY: `rte_eth_promiscuous_disable` wants a valid port; this one is open until the close below.
            unsafe { dpdk_sys::pcl_promiscuous(self.number, 0) };
        }
        if *self.allmulticast.get_mut() {
            // SAFETY: as above, for `rte_eth_allmulticast_disable`.
            unsafe { dpdk_sys::pcl_allmulticast(self.number, 0) };
        }
        if *self.started.get_mut() {
            // SAFETY: `rte_eth_dev_stop` wants a valid port that nobody polls: every queue holds this value, and it is being
            // dropped, so that none is left.
            unsafe { dpdk_sys::pcl_port_stop(self.number) };
        }
        // SAFETY: `rte_eth_dev_close` wants a stopped port that is not used afterwards: it never ran or was stopped above,
        // and no handle to it is left.
        unsafe { dpdk_sys::pcl_port_close(self.number) };
        claimed.retain(|&port| port != self.number);
    }
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
        let capture = LogCapture::begin();
        let configured = configure(number, config, pool);
        let log = capture.finish();
        let raw =
            configured.map_err(|(step, rc)| PortError::Configure { device: device_name(), step, rc, log })?;
        claimed.push(number);
        drop(claimed);

        let (timestamps, rx_clock) =
            TimestampField::of_port(&driver_name(&raw), offers_timestamps(&raw, config));
        let info = PortInfo {
            device: device_name(),
            number,
            driver: driver_name(&raw),
            socket: u32::try_from(raw.socket).ok(),
            mac: MacAddr(raw.mac),
            mtu: raw.mtu,
            rx_descriptors: raw.rx_descriptors,
            tx_descriptors: raw.tx_descriptors,
            max_rx_queues: raw.max_rx_queues,
            rx_clock,
        };
        let shared = Arc::new(PortShared {
            number,
            started: AtomicBool::new(false),
            allmulticast: AtomicBool::new(false),
            promiscuous: AtomicBool::new(false),
            _pool: pool.clone(),
            runtime,
        });
        let state = Configured { rx_queues: config.rx_queues, tx_queues: config.tx_queues, timestamps };
        Ok(Self { shared, info, state, _not_sync: PhantomData })
    }

    /// Starts the port and hands out its queues.
    ///
    /// # Errors
    /// [`PortError::Start`]; the port is closed then.
    pub fn start(self) -> Result<StartedPort, PortError> {
        let Self { shared, info, state, .. } = self;
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

        let rx = (0..state.rx_queues)
            .map(|queue| RxQueue::new(Arc::clone(&shared), queue, state.timestamps, info.rx_clock))
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
            i32::from(config.timestamps),
            pool.as_ptr(),
            &raw mut info,
            &raw mut step,
        )
    };
    if rc == 0 { Ok(info) } else { Err((ConfigureStep::from_shim(step), rc)) }
}

fn driver_name(raw: &dpdk_sys::PortInfo) -> String {
    let end = raw.driver.iter().position(|&byte| byte == 0).unwrap_or(raw.driver.len());
    String::from_utf8_lossy(&raw.driver[..end]).into_owned()
}

fn offers_timestamps(raw: &dpdk_sys::PortInfo, config: PortConfig) -> bool {
    config.timestamps && raw.rx_offload_capa & OFFLOAD_TIMESTAMP != 0
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
    fn a_report_says_what_held_and_what_was_not_asked() {
        let report = RxModeReport {
            held: Some(RxFilter::AllMulticast),
            set_mc_addr_list: -95,
            allmulticast: Some(0),
            promiscuous: None,
        };
        assert_eq!(
            report.to_string(),
            "all multicast held (set_mc_addr_list -95, allmulticast 0, promiscuous not asked)"
        );
    }

    #[test]
    fn a_refusal_says_which_call_and_why() {
        let error = PortError::Configure {
            device: "net_pcap3".into(),
            step: ConfigureStep::RxQueue,
            rc: -22,
            log: "eth_rx_queue_setup(): Multiseg mbufs are not supported in infinite_rx mode.\n".into(),
        };
        assert_eq!(
            error.to_string(),
            "net_pcap3: rte_eth_rx_queue_setup: -22 (Invalid argument); DPDK said: eth_rx_queue_setup(): Multiseg mbufs \
             are not supported in infinite_rx mode."
        );
    }

    #[test]
    fn every_step_of_the_shim_has_its_name() {
        let names = [
            (dpdk_sys::STEP_INFO, "rte_eth_dev_info_get"),
            (dpdk_sys::STEP_QUEUE_LIMIT, "more queues wanted than the device has"),
            (dpdk_sys::STEP_CONFIGURE, "rte_eth_dev_configure"),
            (dpdk_sys::STEP_DESCRIPTORS, "rte_eth_dev_adjust_nb_rx_tx_desc"),
            (dpdk_sys::STEP_RX_QUEUE, "rte_eth_rx_queue_setup"),
            (dpdk_sys::STEP_TX_QUEUE, "rte_eth_tx_queue_setup"),
            (dpdk_sys::STEP_MAC, "rte_eth_macaddr_get"),
        ];
        for (step, name) in names {
            assert_eq!(ConfigureStep::from_shim(step).to_string(), name);
        }
    }
}
