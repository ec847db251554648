//! What can go wrong with a port.

use std::fmt;
use std::net::Ipv4Addr;

use crate::log::{errno_text, log_tail};
use crate::rx::BURST_MAX;

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
    pub(super) const fn from_shim(step: u32) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

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
