//! Makes a thread of the product known to DPDK.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::eal::{Eal, Runtime};
use crate::log::errno_text;

/// The thread could not be registered: ENOMEM (12) when all 128 lcores are taken, EINVAL (22) when a secondary process is
/// attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rte_thread_register: {}", errno_text(*errno))]
pub struct ThreadRegistrationError {
    /// `rte_errno`.
    pub errno: i32,
}

/// Keeps the calling thread registered with DPDK, which gives it a cache of every mempool and so takes a third off the
/// price of a buffer. Register after pinning. A queue may be polled without; it is only slower.
#[derive(Debug)]
pub struct ThreadRegistration {
    registered_here: bool,
    _runtime: Arc<Runtime>,
    /// Registration is of a thread, so the guard stays on it.
    _not_send: PhantomData<*const ()>,
}

impl ThreadRegistration {
    /// Registers the calling thread. A thread that DPDK knows already (the one that started EAL, or one registered before)
    /// keeps its number, and is left registered at the end.
    ///
    /// # Errors
    /// [`ThreadRegistrationError`] when DPDK has no number left.
    pub fn new(eal: &Eal) -> Result<Self, ThreadRegistrationError> {
        let known = dpdk_sys::pcl_lcore_id();
        let registered_here = known == u32::MAX;
        if registered_here {
            // SAFETY: `rte_thread_register` wants EAL up, which `eal` proves, and a thread that is not registered: a second
            // registration would lose the first number for good.
            let rc = unsafe { dpdk_sys::pcl_thread_register() };
            if rc < 0 {
                return Err(ThreadRegistrationError { errno: dpdk_sys::pcl_errno() });
            }
        }
        Ok(Self { registered_here, _runtime: eal.runtime(), _not_send: PhantomData })
    }
}

impl Drop for ThreadRegistration {
    fn drop(&mut self) {
        if self.registered_here {
            // SAFETY: `rte_thread_unregister` wants EAL up, which `_runtime` keeps, and to run on the registered thread,
            // which the guard cannot leave.
            unsafe { dpdk_sys::pcl_thread_unregister() };
        }
    }
}
