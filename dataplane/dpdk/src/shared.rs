//! What a port and its queues hold in common.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::eal::Runtime;
use crate::mempool::Mempool;

/// What a port and its queues share. The last one to go stops and closes the port.
#[derive(Debug)]
pub(crate) struct PortShared {
    pub(crate) number: u16,
    pub(crate) started: AtomicBool,
    pub(crate) allmulticast: AtomicBool,
    pub(crate) promiscuous: AtomicBool,
    /// The device holds buffers of the pool until it is closed.
    _pool: Mempool,
    pub(crate) runtime: Arc<Runtime>,
}

impl PortShared {
    /// A configured port that did not start yet and receives into `pool`.
    pub(crate) fn new(number: u16, pool: Mempool, runtime: Arc<Runtime>) -> Self {
        Self {
            number,
            started: AtomicBool::new(false),
            allmulticast: AtomicBool::new(false),
            promiscuous: AtomicBool::new(false),
            _pool: pool,
            runtime,
        }
    }
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
