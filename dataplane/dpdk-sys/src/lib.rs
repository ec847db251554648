//! The C side of the DPDK binding: `csrc/shim.c`, compiled against the system's libdpdk, and its declarations.
//!
//! For the `dpdk` crate alone; nothing here is safe to use. The shim exists because DPDK's data path is inline functions
//! of its headers, and because a hand-written flat API of thirty functions needs neither bindgen nor libclang.
//!
//! **Invariants.** The fields of [`Mbuf`] and the sizes of the three shared structs are asserted on both sides, so that a
//! libdpdk with another layout fails the build and not the packet. Only API common to DPDK 22.11 and 24.11 is called.
//!
//! A negative `c_int` result is a negated errno unless a function says otherwise.
#![no_std]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

use core::ffi::{c_char, c_int, c_void};
use core::mem::{offset_of, size_of};

/// A pool of packet buffers; only ever behind a pointer.
#[repr(C)]
pub struct Mempool {
    _opaque: [u8; 0],
}

/// The part of `struct rte_mbuf` a receiver reads. Only ever behind a pointer that DPDK gave.
#[repr(C, align(64))]
pub struct Mbuf {
    /// Start of the buffer, head room included.
    pub buf_addr: *mut u8,
    _iova: u64,
    /// Where the packet begins, in bytes from `buf_addr`.
    pub data_off: u16,
    _refcnt: u16,
    /// Number of chained buffers this packet is in.
    pub nb_segs: u16,
    /// Port it came from.
    pub port: u16,
    /// Offload flags, dynamic ones included.
    pub ol_flags: u64,
    _packet_type: u32,
    /// Bytes of the packet in all segments.
    pub pkt_len: u32,
    /// Bytes of the packet in this segment.
    pub data_len: u16,
    _rest: [u8; 86],
}

const _: () = {
    assert!(offset_of!(Mbuf, buf_addr) == 0);
    assert!(offset_of!(Mbuf, data_off) == 16);
    assert!(offset_of!(Mbuf, nb_segs) == 20);
    assert!(offset_of!(Mbuf, port) == 22);
    assert!(offset_of!(Mbuf, ol_flags) == 24);
    assert!(offset_of!(Mbuf, pkt_len) == 36);
    assert!(offset_of!(Mbuf, data_len) == 40);
    assert!(size_of::<Mbuf>() == 128);
};

/// What a configured port says about itself (`struct pcl_port_info`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct PortInfo {
    /// `RTE_ETH_RX_OFFLOAD_*` bits the device offers.
    pub rx_offload_capa: u64,
    /// NUMA socket, -1 when the device has none.
    pub socket: i32,
    /// RX queues the device has.
    pub max_rx_queues: u16,
    /// TX queues the device has.
    pub max_tx_queues: u16,
    /// Descriptors per RX queue as set up.
    pub rx_descriptors: u16,
    /// Descriptors per TX queue as set up.
    pub tx_descriptors: u16,
    /// Maximum transmission unit, bytes; 0 when the driver does not say.
    pub mtu: u16,
    /// The port's address.
    pub mac: [u8; 6],
    _padding: u32,
}

/// Link state (`struct pcl_link`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Link {
    /// Megabits per second; `u32::MAX` when unknown.
    pub speed_mbps: u32,
    /// 1: up.
    pub up: u8,
    /// 1: full duplex.
    pub full_duplex: u8,
    _padding: u16,
}

/// The port's counters (`struct pcl_stats`), named as in `struct rte_eth_stats`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// Packets received.
    pub ipackets: u64,
    /// Packets sent.
    pub opackets: u64,
    /// Bytes received.
    pub ibytes: u64,
    /// Bytes sent.
    pub obytes: u64,
    /// Packets the device dropped for want of room, where the driver counts that.
    pub imissed: u64,
    /// Packets received in error.
    pub ierrors: u64,
    /// Packets that could not be sent.
    pub oerrors: u64,
    /// Times no buffer was left to receive into.
    pub rx_nombuf: u64,
}

const _: () = assert!(size_of::<PortInfo>() == 32 && size_of::<Link>() == 8 && size_of::<Stats>() == 64);

// The calls of `pcl_port_configure`, in order; `step` says which one failed.
/// `rte_eth_dev_info_get`.
pub const STEP_INFO: u32 = 0;
/// More queues wanted than the device has.
pub const STEP_QUEUE_LIMIT: u32 = 1;
/// `rte_eth_dev_configure`.
pub const STEP_CONFIGURE: u32 = 2;
/// `rte_eth_dev_adjust_nb_rx_tx_desc`.
pub const STEP_DESCRIPTORS: u32 = 3;
/// `rte_eth_rx_queue_setup`.
pub const STEP_RX_QUEUE: u32 = 4;
/// `rte_eth_tx_queue_setup`.
pub const STEP_TX_QUEUE: u32 = 5;
/// `rte_eth_macaddr_get`.
pub const STEP_MAC: u32 = 6;

unsafe extern "C" {
    /// `rte_errno` of the calling thread.
    pub safe fn pcl_errno() -> c_int;
    /// Name and version of the library that is loaded: a static, NUL-terminated string.
    pub safe fn pcl_version() -> *const c_char;
    /// Release this was built for and, by its soname, runs with: year * 100 + month, 2211.
    pub safe fn pcl_release() -> u32;

    /// Sends DPDK's log to a buffer until [`pcl_log_end`]. One capture at a time: the caller keeps others out.
    pub fn pcl_log_begin() -> c_int;
    /// Ends a capture that began; copies at most `room` bytes of its end to `out` and returns how many.
    pub fn pcl_log_end(out: *mut c_char, room: usize) -> usize;

    /// `rte_eal_init`; puts the caller's CPU mask back. `argv` must live as long as the process. On -1 see [`pcl_errno`].
    pub fn pcl_eal_init(argc: c_int, argv: *mut *mut c_char, affinity_rc: *mut c_int) -> c_int;
    /// `rte_eal_cleanup`; no other function here may be called afterwards.
    pub fn pcl_eal_cleanup() -> c_int;
    /// `rte_thread_register`; EAL must be up and the thread unknown to it. On -1 see [`pcl_errno`].
    pub fn pcl_thread_register() -> c_int;
    /// `rte_thread_unregister` of the calling thread.
    pub fn pcl_thread_unregister();
    /// The calling thread's lcore, `u32::MAX` when DPDK does not know the thread.
    pub safe fn pcl_lcore_id() -> u32;

    /// `rte_dev_probe`: attaches a device after start-up.
    pub fn pcl_device_probe(devargs: *const c_char) -> c_int;
    /// `rte_eth_dev_get_port_by_name`.
    pub fn pcl_port_by_name(name: *const c_char, port: *mut u16) -> c_int;
    /// `rte_eth_dev_count_avail`.
    pub fn pcl_port_count() -> u16;

    /// `rte_pktmbuf_pool_create`; null on failure, then see [`pcl_errno`]. `socket` -1: any.
    pub fn pcl_pool_create(
        name: *const c_char,
        mbufs: u32,
        cache: u32,
        data_room: u16,
        socket: c_int,
    ) -> *mut Mempool;
    /// `rte_mempool_free`; every buffer must be back.
    pub fn pcl_pool_free(pool: *mut Mempool);
    /// `rte_mempool_in_use_count`: buffers not in the pool or in a thread's cache of it.
    pub fn pcl_pool_in_use(pool: *const Mempool) -> u32;

    /// The driver's name, NUL-terminated, in 32 bytes at `out`.
    pub fn pcl_port_driver(port: u16, out: *mut c_char) -> c_int;
    /// Configures a port and sets up all queues; `timestamps` not 0 asks for the RX timestamp offload where there is one; on failure `step` is one of the `STEP_` constants.
    pub fn pcl_port_configure(
        port: u16,
        rx_queues: u16,
        tx_queues: u16,
        rx_descriptors: u16,
        tx_descriptors: u16,
        timestamps: c_int,
        pool: *mut Mempool,
        out: *mut PortInfo,
        step: *mut u32,
    ) -> c_int;
    /// `rte_eth_dev_start`.
    pub fn pcl_port_start(port: u16) -> c_int;
    /// `rte_eth_dev_stop`.
    pub fn pcl_port_stop(port: u16) -> c_int;
    /// `rte_eth_dev_close`; the port number is free afterwards.
    pub fn pcl_port_close(port: u16) -> c_int;
    /// `rte_eth_dev_set_mc_addr_list`; `macs` holds `count` (at most 64) addresses of six bytes.
    pub fn pcl_set_mc_addr_list(port: u16, macs: *const u8, count: u32) -> c_int;
    /// `rte_eth_allmulticast_enable` or `_disable`.
    pub fn pcl_allmulticast(port: u16, on: c_int) -> c_int;
    /// `rte_eth_promiscuous_enable` or `_disable`.
    pub fn pcl_promiscuous(port: u16, on: c_int) -> c_int;
    /// `rte_eth_link_get_nowait`.
    pub fn pcl_port_link(port: u16, out: *mut Link) -> c_int;
    /// `rte_eth_stats_get`.
    pub fn pcl_port_stats(port: u16, out: *mut Stats) -> c_int;
    /// Where RX timestamps lie in an mbuf, and the `ol_flags` bit that says one is there; -ENOENT when no driver set them up.
    pub fn pcl_timestamp_lookup(offset: *mut u32, flag: *mut u64) -> c_int;

    /// `rte_eth_rx_burst`.
    pub fn pcl_rx_burst(port: u16, queue: u16, mbufs: *mut *mut Mbuf, room: u16) -> u16;
    /// `rte_eth_tx_burst`; takes ownership of as many as it returns.
    pub fn pcl_tx_burst(port: u16, queue: u16, mbufs: *mut *mut Mbuf, count: u16) -> u16;
    /// `rte_pktmbuf_free_bulk`.
    pub fn pcl_free_bulk(mbufs: *mut *mut Mbuf, count: u32);
    /// `rte_pktmbuf_alloc`; null when the pool is empty.
    pub fn pcl_alloc(pool: *mut Mempool) -> *mut Mbuf;
    /// `rte_pktmbuf_append`: the `size` new bytes at the packet's end, null when there is no room.
    pub fn pcl_append(mbuf: *mut Mbuf, size: u16) -> *mut c_void;
}
