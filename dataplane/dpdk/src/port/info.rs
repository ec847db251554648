//! What a port answers.

use std::fmt;

use crate::mac::MacAddr;
use crate::rx::RxClock;

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
    /// Clock of its RX timestamps; known once the port has started.
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

/// What [`crate::Port::receive_groups`] asked for, and what the device answered: 0, a negated errno (-95: not supported), or `None`
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
