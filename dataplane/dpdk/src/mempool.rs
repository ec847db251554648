//! Pools of packet buffers.

use std::ffi::CString;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::eal::{Eal, Runtime};
use crate::log::errno_text;

/// Bytes DPDK keeps free in front of each packet (`RTE_PKTMBUF_HEADROOM`).
const HEADROOM: u16 = 128;

/// How big a pool is, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MempoolConfig {
    /// Unique name, at most 25 bytes.
    pub name: String,
    /// Number of buffers; 2^n - 1 wastes least. Every RX and TX descriptor of the ports it feeds can hold one, each
    /// registered thread up to 1.5 times `cache`, and a burst 64.
    pub mbufs: u32,
    /// Buffers a registered thread keeps for itself: at most 512, and 1.5 times this at most `mbufs`.
    pub cache: u32,
    /// Bytes of a packet that fit into one buffer. Longer ones are chained, and skipped by [`crate::Burst`].
    pub packet_bytes: u16,
    /// NUMA socket to take the memory from; `None`: any.
    pub socket: Option<u32>,
}

impl MempoolConfig {
    /// 8,191 buffers of 2,048 bytes, on any socket: what a queue of 1,024 descriptors and a thread need, seven times over.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), mbufs: 8191, cache: 256, packet_bytes: 2048, socket: None }
    }
}

/// Why a pool could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MempoolError {
    /// The name holds a NUL byte, or no buffer can be that long, or no socket has that number.
    #[error("mempool {name:?}: name, packet size ({packet_bytes} bytes) or socket out of range")]
    Range {
        /// The pool's name.
        name: String,
        /// The packet size asked for.
        packet_bytes: u16,
    },
    /// `rte_pktmbuf_pool_create` failed: ENOMEM (12) for want of EAL memory, EEXIST (17) for a name in use, EINVAL (22)
    /// for a cache too big.
    #[error("mempool {name:?} of {mbufs} buffers: {}", errno_text(*errno))]
    Create {
        /// The pool's name.
        name: String,
        /// Buffers asked for.
        mbufs: u32,
        /// `rte_errno`.
        errno: i32,
    },
}

/// A pool of packet buffers; clones are handles of the same pool. It is freed when the last handle, and the last port that
/// receives into it, is gone.
#[derive(Clone, Debug)]
pub struct Mempool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pool: NonNull<dpdk_sys::Mempool>,
    mbufs: u32,
    packet_bytes: u16,
    _runtime: Arc<Runtime>,
}

// SAFETY: `Send` and `Sync` want the pool to be usable from any thread, also at once. `rte_mempool` is made for that: the
// pool's ring is multi-producer and multi-consumer (no flag asks for less), and the caches in front of it belong to one lcore,
// hence to one registered thread, each; an unregistered thread uses the ring alone. The other fields are plain data.
unsafe impl Send for Shared {}
// SAFETY: as for `Send` above; counting the free buffers from another thread reads counters that may be a moment old.
unsafe impl Sync for Shared {}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: `rte_mempool_in_use_count` wants a live pool; this is the only place that frees it.
        let in_use = unsafe { dpdk_sys::pcl_pool_in_use(self.pool.as_ptr()) };
        // A sent packet may still lie in another port's queue. Its buffer would then be returned to freed memory, so such a
        // pool stays. The count cannot be too small: nobody can take a buffer any more, and one on its way home counts as
        // taken until it has arrived.
        if in_use == 0 {
            // SAFETY: `rte_mempool_free` wants that nobody uses the pool or a buffer of it. No handle and no port that
            // receives into it is left (each holds the `Arc`), and no buffer is out, as was just checked.
            unsafe { dpdk_sys::pcl_pool_free(self.pool.as_ptr()) };
        }
    }
}

impl Mempool {
    /// Makes a pool.
    ///
    /// # Errors
    /// [`MempoolError`].
    pub fn new(eal: &Eal, config: &MempoolConfig) -> Result<Self, MempoolError> {
        let range = || MempoolError::Range { name: config.name.clone(), packet_bytes: config.packet_bytes };
        let name = CString::new(config.name.as_str()).map_err(|_| range())?;
        let data_room = config.packet_bytes.checked_add(HEADROOM).ok_or_else(range)?;
        let socket = match config.socket {
            Some(socket) => i32::try_from(socket).map_err(|_| range())?,
            None => -1,
        };
        let runtime = eal.runtime();
        // SAFETY: `rte_pktmbuf_pool_create` wants EAL up, which `eal` proves, and a NUL-terminated name, which it copies.
        let pool = unsafe {
            dpdk_sys::pcl_pool_create(name.as_ptr(), config.mbufs, config.cache, data_room, socket)
        };
        let create = || MempoolError::Create {
            name: config.name.clone(),
            mbufs: config.mbufs,
            errno: dpdk_sys::pcl_errno(),
        };
        let pool = NonNull::new(pool).ok_or_else(create)?;
        let shared =
            Shared { pool, mbufs: config.mbufs, packet_bytes: config.packet_bytes, _runtime: runtime };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Buffers that are neither in the pool nor in a thread's cache of it. Walks the caches: for tests and housekeeping.
    #[must_use]
    pub fn in_use(&self) -> u32 {
        // SAFETY: `rte_mempool_in_use_count` wants a live pool, which this handle keeps.
        unsafe { dpdk_sys::pcl_pool_in_use(self.as_ptr()) }
    }

    /// Number of buffers.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.shared.mbufs
    }

    /// Bytes of a packet that fit into one buffer.
    #[must_use]
    pub fn packet_bytes(&self) -> u16 {
        self.shared.packet_bytes
    }

    /// The pool, alive as long as this handle.
    pub(crate) fn as_ptr(&self) -> *mut dpdk_sys::Mempool {
        self.shared.pool.as_ptr()
    }
}
