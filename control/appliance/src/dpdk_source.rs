//! Packet sources on DPDK: a capture through net_pcap, or what the configuration names.

use crate::igmp_frame::IgmpRing;
use crate::multicast::{Member, PortSource, Wire, described, groups_of, join, plays_recording};
use crate::output::tell;
use anyhow::{Context, Result, bail};
use control::config::{EalMemory, Feed, FeedSource, Plan};
use control::protocol::PortStatus;
use dataplane::source::{CaptureCount, DpdkSource};
use dpdk::{Eal, EalConfig, Mempool, MempoolConfig, Port, PortConfig, Started, ThreadRegistration, Vdev};
use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

/// MiB of packet memory for one port in replays and the demo; the pool below takes about 20.
const MEMORY_MIB: u32 = 128;

/// The capture at `path` through net_pcap. EAL starts once per process, so this can be called once.
///
/// # Errors
/// When the file is no capture that DPDK reads, or DPDK cannot be started with it.
pub(crate) fn open_capture(path: &Path) -> Result<DpdkSource> {
    let counted = CaptureCount::of(path)?;
    let vdev = Vdev::pcap_file(0, path)?;
    let (config, warning) = EalConfig::for_this_host(MEMORY_MIB);
    if let Some(warning) = warning {
        tell(format_args!("warning: {warning}"));
    }
    let eal = Eal::init(&config.vdev(vdev.clone())).context("cannot start DPDK")?;
    let pool = Mempool::new(&eal, &MempoolConfig::new("capture"))?;
    let mut started = Port::configure(&eal, vdev.name(), PortConfig::default(), &pool)?.start()?;
    let queue = started.rx.pop().context("net_pcap started without a receive queue")?;
    Ok(DpdkSource::capture(queue, path.display().to_string(), pool.packet_bytes(), counted))
}

/// The ports of all feeds, over one EAL: it starts once per process, with the first.
#[derive(Default)]
pub(crate) struct Ports {
    eal: Option<Arc<Eal>>,
    /// How many were opened.
    opened: usize,
}

/// Starts EAL with every device of `plan`, and gives what the operator should know of it.
///
/// # Errors
/// When DPDK cannot be started.
fn start(plan: &Plan) -> Result<(Eal, Option<String>)> {
    let eal_plan = &plan.eal;
    let (mut config, warning) = match eal_plan.memory {
        EalMemory::Auto => EalConfig::for_this_host(eal_plan.memory_mib),
        EalMemory::InMemory => (EalConfig::in_memory(eal_plan.memory_mib), None),
        EalMemory::NoHuge => (EalConfig::no_huge(eal_plan.memory_mib), None),
    };
    for vdev in &eal_plan.vdev {
        config = config.vdev(Vdev::parse(vdev.as_str())?);
    }
    for device in &eal_plan.pci {
        config = config.allow_pci(device.to_string());
    }
    for feed in &plan.feeds {
        match &feed.source {
            FeedSource::Vdev(vdev) => config = config.vdev(Vdev::parse(vdev.as_str())?),
            FeedSource::Pci(pci) if eal_plan.pci.iter().all(|device| device.address() != pci) => {
                config = config.allow_pci(pci.as_str());
            }
            FeedSource::Pci(_) | FeedSource::File(_) => {}
        }
    }
    let eal = Eal::init(&config).context("cannot start DPDK")?;
    Ok((eal, warning.map(|warning| warning.to_string())))
}

impl Ports {
    /// The port that `feed` names, whose IGMP goes through the ring `igmp`, and what the operator should know of it.
    ///
    /// # Errors
    /// When DPDK cannot be started, or the port cannot.
    pub(crate) fn open(&mut self, plan: &Plan, feed: &Feed, igmp: IgmpRing) -> Result<LivePort> {
        let mut warnings = Vec::new();
        let eal = match &self.eal {
            Some(eal) => Arc::clone(eal),
            None => {
                let (eal, warning) = start(plan)?;
                warnings.extend(warning);
                Arc::clone(self.eal.insert(Arc::new(eal)))
            }
        };
        let pool = match self.opened {
            0 => "receiver".to_owned(),
            before => format!("receiver{before}"),
        };
        self.opened += 1;
        open_port((&eal, &pool), feed, igmp, warnings)
    }
}

/// The port of `feed`, whose packets lie in a pool of that name.
fn open_port(
    (eal, pool): (&Arc<Eal>, &str),
    feed: &Feed,
    igmp: IgmpRing,
    mut warnings: Vec<String>,
) -> Result<LivePort> {
    let device = match &feed.source {
        FeedSource::Vdev(vdev) => vdev.name().to_owned(),
        FeedSource::Pci(pci) => pci.as_str().to_owned(),
        FeedSource::File(path) => bail!("{} is a file, not a port", path.display()),
    };
    let pool = Mempool::new(eal, &MempoolConfig::new(pool))
        .context("no memory for a port's packets: each port takes about 20 MiB (eal.memory_mib)")?;
    let mut started = Port::configure(eal, &device, PortConfig::default(), &pool)?.start()?;
    let groups = groups_of(feed);
    let mut received_by = String::new();
    if groups.is_empty() {
        warnings.push(format!(
            "feed {} names no groups (line_a): none is joined, and what the port happens to get is received",
            feed.name
        ));
    } else {
        received_by = started.port.receive_groups(&groups)?.to_string();
    }
    let queue = started.rx.pop().with_context(|| format!("{device}: started without a receive queue"))?;
    let tx = started.tx.pop().with_context(|| format!("{device}: started without a transmit queue"))?;
    let mac = started.port.info().mac;
    let gauge = PortGauge { port: started.port, pool: pool.clone() };
    let source = DpdkSource::live(queue, device.clone(), pool.packet_bytes());
    let source = if plays_recording(&feed.source) { source.recorded() } else { source };
    let (source, member) = join(feed, source, Wire { tx, pool }, mac, igmp)?;
    let joined_by = described(feed, member.is_some());
    let row = |group: &Ipv4Addr| [group.to_string(), joined_by.clone(), received_by.clone()];
    let eal = Arc::clone(eal);
    Ok(LivePort { source, member, eal, warnings, groups: groups.iter().map(row).collect(), device, gauge })
}

/// A port that receives.
pub(crate) struct LivePort {
    pub(crate) source: PortSource,
    /// Keeps the groups joined; none where there is nothing to join.
    pub(crate) member: Option<Member>,
    /// For registering the thread that will poll.
    pub(crate) eal: Arc<Eal>,
    /// What the operator should know.
    pub(crate) warnings: Vec<String>,
    /// For the boot report: group, how it is joined, by which filter it is received.
    pub(crate) groups: Vec<[String; 3]>,
    /// Its name.
    pub(crate) device: String,
    /// For asking the port itself.
    pub(crate) gauge: PortGauge,
}

/// The port's handle, which is not its queues: what it counts and how its link is, for a thread that does not poll it.
pub(crate) struct PortGauge {
    port: Port<Started>,
    pool: Mempool,
}

impl PortGauge {
    /// What the port counts and how its link is.
    ///
    /// # Errors
    /// What DPDK says, where the driver counts nothing.
    pub(crate) fn read(&self) -> Result<PortStatus, String> {
        let stats = self.port.stats().map_err(|error| error.to_string())?;
        // A driver that says nothing of a link has none that could be down.
        let link = self.port.link().ok();
        Ok(PortStatus {
            device: self.port.info().device.clone(),
            link_up: link.map(|link| link.up),
            speed_mbps: link.and_then(|link| link.speed_mbps),
            full_duplex: link.is_none_or(|link| link.full_duplex),
            packets: stats.rx_packets,
            bytes: stats.rx_bytes,
            missed: stats.rx_missed,
            errors: stats.rx_errors,
            no_buffer: stats.rx_no_mbuf,
            sent: stats.tx_packets,
            unsent: stats.tx_errors,
            buffers_used: self.pool.in_use().into(),
            buffers: self.pool.capacity().into(),
            unreadable: String::new(),
        })
    }
}

thread_local! {
    /// The polling thread's registration, taken back when the thread ends.
    static REGISTRATION: RefCell<Option<ThreadRegistration>> = const { RefCell::new(None) };
}

/// Registers the calling thread with DPDK until it ends, which gives it a packet cache of its own: without one, each
/// packet costs about half as much again.
///
/// # Errors
/// What DPDK says.
pub(crate) fn register_thread(eal: &Eal) -> Result<(), String> {
    let registration = ThreadRegistration::new(eal).map_err(|e| e.to_string())?;
    REGISTRATION.set(Some(registration));
    Ok(())
}
