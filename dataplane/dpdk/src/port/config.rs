//! What a port is asked for.

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
    /// Which RX timestamps to ask for.
    pub timestamps: RxTimestamps,
}

/// Which RX timestamps a port is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RxTimestamps {
    /// None. Some come unasked: `net_pcap` stamps always before DPDK 26.07.
    Off,
    /// Those in Unix time, which cost nothing: of a capture file, and of the kernel's packet sockets.
    #[default]
    Unix,
    /// A NIC's own clock as well. It may cost the vectorised receive path (`net_ice`), and its ticks mean nothing without the
    /// NIC's profile.
    Any,
}

impl Default for PortConfig {
    /// One queue of 1,024 descriptors each way, timestamps in Unix time.
    fn default() -> Self {
        Self {
            rx_queues: 1,
            tx_queues: 1,
            rx_descriptors: 1024,
            tx_descriptors: 1024,
            timestamps: RxTimestamps::default(),
        }
    }
}
