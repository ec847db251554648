//! Sending: for membership reports, tests and traffic. The product's line never sends.

use std::cell::Cell;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::mempool::Mempool;
use crate::rx::BURST_MAX;
use crate::shared::PortShared;

/// Bytes of an Ethernet header; no frame is shorter.
const ETHERNET_HEADER: usize = 14;

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TxError {
    /// The batch holds [`BURST_MAX`] frames already.
    #[error("the batch is full")]
    BatchFull,
    /// The pool has no buffer left.
    #[error("the pool has no buffer left")]
    PoolEmpty,
    /// The frame is shorter than an Ethernet header or longer than a buffer.
    #[error("a frame must have an Ethernet header and fit into one buffer")]
    FrameSize,
    /// The device's queue is full; the frame was dropped.
    #[error("the device takes no more frames")]
    QueueFull,
}

/// Frames waiting to be sent. It owns their buffers; what was not sent goes back to the pool when it is dropped.
#[derive(Debug)]
pub struct TxBatch {
    mbufs: [*mut dpdk_sys::Mbuf; BURST_MAX],
    len: usize,
    pool: Mempool,
}

// SAFETY: `Send` wants that the batch may be used and dropped on another thread. It alone owns the buffers it points to, and
// their pool takes them back from any thread.
unsafe impl Send for TxBatch {}

impl TxBatch {
    /// An empty batch that takes its buffers from `pool`.
    #[must_use]
    pub fn new(pool: &Mempool) -> Self {
        Self { mbufs: [std::ptr::null_mut(); BURST_MAX], len: 0, pool: pool.clone() }
    }

    /// Copies a frame, from the Ethernet header on and without checksum trailer, into a buffer of the pool.
    ///
    /// # Errors
    /// [`TxError`] but for `QueueFull`; the batch is as before.
    pub fn push(&mut self, frame: &[u8]) -> Result<(), TxError> {
        if self.len == BURST_MAX {
            return Err(TxError::BatchFull);
        }
        let size = u16::try_from(frame.len()).map_err(|_| TxError::FrameSize)?;
        if frame.len() < ETHERNET_HEADER {
            return Err(TxError::FrameSize);
        }
        // SAFETY: `rte_pktmbuf_alloc` wants a live pool, which `pool` keeps.
        let mbuf = unsafe { dpdk_sys::pcl_alloc(self.pool.as_ptr()) };
        if mbuf.is_null() {
            return Err(TxError::PoolEmpty);
        }
        // Owned from here on: whatever happens below, dropping the batch frees it.
        self.mbufs[self.len] = mbuf;
        self.len += 1;
        // SAFETY: `rte_pktmbuf_append` wants a live buffer that nobody else uses: it was just allocated.
        let room = unsafe { dpdk_sys::pcl_append(mbuf, size) };
        if room.is_null() {
            self.len -= 1;
            free(&mut self.mbufs[self.len..=self.len]);
            return Err(TxError::FrameSize);
        }
        copy_into(frame, room);
        Ok(())
    }

    /// Frames waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Gives all waiting frames back to the pool, unsent.
    pub fn clear(&mut self) {
        free(&mut self.mbufs[..self.len]);
        self.len = 0;
    }
}

impl Drop for TxBatch {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Copies a frame to where `rte_pktmbuf_append` made room for it.
fn copy_into(frame: &[u8], room: *mut c_void) {
    // SAFETY: copying wants `frame.len()` writable bytes at `room` that do not overlap `frame`: `rte_pktmbuf_append` returned
    // the address of that many bytes in a buffer just allocated, which no slice of the caller's can be.
    unsafe { std::ptr::copy_nonoverlapping(frame.as_ptr(), room.cast(), frame.len()) };
}

/// Gives buffers back to their pools; the caller owns them and forgets the pointers.
fn free(mbufs: &mut [*mut dpdk_sys::Mbuf]) {
    if !mbufs.is_empty() {
        // SAFETY: `rte_pktmbuf_free_bulk` wants pointers to buffers that the caller owns and does not use again: both callers
        // pass what their batch owns and shorten the batch by as many.
        unsafe { dpdk_sys::pcl_free_bulk(mbufs.as_mut_ptr(), mbufs.len() as u32) };
    }
}

/// One TX queue of a started port, used by one thread.
#[derive(Debug)]
pub struct TxQueue {
    port: u16,
    queue: u16,
    _shared: Arc<PortShared>,
    _not_sync: PhantomData<Cell<()>>,
}

impl TxQueue {
    pub(crate) fn new(shared: Arc<PortShared>, queue: u16) -> Self {
        Self { port: shared.number, queue, _shared: shared, _not_sync: PhantomData }
    }

    /// Sends the first frames of `batch`, as many as the device takes, and returns how many. The rest stays, in order.
    pub fn tx_burst(&mut self, batch: &mut TxBatch) -> usize {
        // SAFETY: `rte_eth_tx_burst` wants a started port and a queue of it, which this type is made for and `_shared` keeps
        // running; that no other thread uses the queue, which `&mut self` says; and `len` buffers, which the batch owns. It
        // owns the ones it reports as sent.
        let sent = unsafe {
            dpdk_sys::pcl_tx_burst(self.port, self.queue, batch.mbufs.as_mut_ptr(), batch.len as u16)
        };
        let sent = usize::from(sent).min(batch.len);
        batch.mbufs.copy_within(sent..batch.len, 0);
        batch.len -= sent;
        sent
    }

    /// Sends one frame, or drops it.
    ///
    /// # Errors
    /// [`TxError`] when it was dropped.
    pub fn send(&mut self, pool: &Mempool, frame: &[u8]) -> Result<(), TxError> {
        let mut batch = TxBatch::new(pool);
        batch.push(frame)?;
        if self.tx_burst(&mut batch) == 1 { Ok(()) } else { Err(TxError::QueueFull) }
    }
}
