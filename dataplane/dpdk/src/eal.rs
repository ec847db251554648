//! EAL: started once, cleaned up when nobody needs it any more.

use std::ffi::{CString, c_char, c_int};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::EalConfig;
use crate::log::{LogCapture, errno_text, log_tail};
use crate::vdev::Vdev;

/// Set by the first start and never cleared: DPDK cannot be started twice in one process, not even after a failure that
/// left its buses half scanned.
static STARTED: AtomicBool = AtomicBool::new(false);

/// Why EAL, or one of its devices, could not be brought up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EalError {
    /// EAL was started before in this process.
    #[error("EAL was started before in this process; DPDK can be started once")]
    AlreadyStarted,
    /// A device wants a kernel interface that is not there.
    #[error("{device}: no interface {interface:?} in this network namespace (there are: {})", present.join(", "))]
    NoSuchInterface {
        /// The device.
        device: String,
        /// The interface it names.
        interface: String,
        /// The interfaces there are.
        present: Vec<String>,
    },
    /// A device wants a capture file that cannot be read.
    #[error("{device}: cannot read capture {}", path.display())]
    Capture {
        /// The device.
        device: String,
        /// The file it names.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The CPUs this thread may use could not be learnt.
    #[error("cannot read Cpus_allowed_list from /proc/thread-self/status")]
    CpuList(#[source] io::Error),
    /// An argument holds a NUL byte.
    #[error("EAL argument {0:?} holds a NUL byte")]
    Argument(String),
    /// `rte_eal_init` failed.
    #[error("rte_eal_init failed: {}{}", errno_text(*errno), log_tail(log))]
    Init {
        /// `rte_errno`.
        errno: i32,
        /// What DPDK logged.
        log: String,
    },
    /// EAL is up but the caller's CPU mask could not be put back.
    #[error("EAL pinned the calling thread and its CPU mask cannot be put back: {}", errno_text(*errno))]
    Affinity {
        /// The failing call's errno.
        errno: i32,
    },
    /// EAL is up but a device that was asked for gave no port.
    #[error(
        "{device}: no such port after EAL started; unknown driver, or the device refused its options{}",
        log_tail(log)
    )]
    NoPort {
        /// The device.
        device: String,
        /// What DPDK logged.
        log: String,
    },
    /// A device could not be attached to a running EAL.
    #[error("{device}: cannot be attached: {}{}", errno_text(*rc), log_tail(log))]
    Attach {
        /// The device.
        device: String,
        /// `rte_dev_probe`'s result.
        rc: i32,
        /// What DPDK logged.
        log: String,
    },
}

/// What all handles share. Dropping the last one cleans EAL up.
#[derive(Debug)]
pub(crate) struct Runtime {
    /// Ports in use. The lock also keeps configuration calls apart: DPDK's are not thread-safe for one device.
    claimed: Mutex<Vec<u16>>,
}

impl Runtime {
    /// The lock around every call that configures, starts, stops or closes a device.
    pub(crate) fn control(&self) -> MutexGuard<'_, Vec<u16>> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // SAFETY: `rte_eal_cleanup` wants EAL up and no DPDK call after it. A `Runtime` is made only by a successful start;
        // every handle that calls DPDK holds an `Arc` of it, and this is the last one; `STARTED` keeps a new one from
        // being made.
        unsafe { dpdk_sys::pcl_eal_cleanup() };
    }
}

/// DPDK's environment, up and running.
///
/// A value of this type is the proof that EAL started; ports, pools and thread registrations are made from it.
#[derive(Debug)]
pub struct Eal {
    runtime: Arc<Runtime>,
}

impl Eal {
    /// Starts EAL. The calling thread becomes its main lcore and keeps the CPU mask it had.
    ///
    /// What can be checked without DPDK is checked first (interfaces, capture files), so that these errors leave EAL
    /// unstarted and a corrected configuration may still be tried. DPDK's log of the start is not printed; its end is told with
    /// an error.
    ///
    /// # Errors
    /// [`EalError`]; after any but `NoSuchInterface`, `Capture`, `CpuList` and `Argument` this process cannot start EAL
    /// any more.
    pub fn init(config: &EalConfig) -> Result<Self, EalError> {
        config.vdevs().iter().try_for_each(check_prerequisites)?;
        let arguments = c_arguments(config.arguments(&allowed_cpus()?))?;
        if STARTED.swap(true, Ordering::AcqRel) {
            return Err(EalError::AlreadyStarted);
        }

        let capture = LogCapture::begin();
        let (rc, affinity_rc) = eal_init(arguments);
        let boot_log = capture.finish();
        if rc < 0 {
            return Err(EalError::Init { errno: dpdk_sys::pcl_errno(), log: boot_log });
        }
        let eal = Self { runtime: Arc::new(Runtime { claimed: Mutex::new(Vec::new()) }) };
        if affinity_rc != 0 {
            return Err(EalError::Affinity { errno: affinity_rc });
        }
        // A device that fails to probe does not fail the start, so each one is looked up.
        let names = config.vdevs().iter().map(Vdev::name).chain(config.pci_addresses());
        for name in names {
            if eal.port_number(name).is_none() {
                return Err(EalError::NoPort { device: name.to_owned(), log: boot_log });
            }
        }
        Ok(eal)
    }

    /// Attaches one more virtual device to the running EAL.
    ///
    /// # Errors
    /// `NoSuchInterface` and `Capture` before DPDK is asked, `Attach` when DPDK refuses.
    pub fn attach(&self, vdev: &Vdev) -> Result<(), EalError> {
        check_prerequisites(vdev)?;
        let text = vdev.to_string();
        let devargs = CString::new(text.as_str()).map_err(|_| EalError::Argument(text))?;
        let control = self.runtime.control();
        let capture = LogCapture::begin();
        // SAFETY: `rte_dev_probe` wants EAL up, which `self` proves, and a NUL-terminated string, which it copies.
        let rc = unsafe { dpdk_sys::pcl_device_probe(devargs.as_ptr()) };
        let log = capture.finish();
        drop(control);
        if rc < 0 {
            return Err(EalError::Attach { device: vdev.name().to_owned(), rc, log });
        }
        Ok(())
    }

    /// Number of ports there are, in use or not.
    #[must_use]
    pub fn port_count(&self) -> u16 {
        // SAFETY: `rte_eth_dev_count_avail` wants EAL up, which `self` proves.
        unsafe { dpdk_sys::pcl_port_count() }
    }

    /// The number of the port called `name` (`net_null0`, `0000:81:00.0`).
    pub(crate) fn port_number(&self, name: &str) -> Option<u16> {
        let name = CString::new(name).ok()?;
        let mut port = 0;
        // SAFETY: `rte_eth_dev_get_port_by_name` wants a NUL-terminated string and a place for a `u16`; both live across
        // the call.
        let rc = unsafe { dpdk_sys::pcl_port_by_name(name.as_ptr(), &raw mut port) };
        (rc == 0).then_some(port)
    }

    /// A share of what keeps EAL up.
    pub(crate) fn runtime(&self) -> Arc<Runtime> {
        Arc::clone(&self.runtime)
    }
}

/// Calls `rte_eal_init`; returns its result and that of putting the CPU mask back.
fn eal_init(arguments: Vec<CString>) -> (c_int, c_int) {
    let count = c_int::try_from(arguments.len()).expect("fewer arguments than a command line can hold");
    // EAL keeps pointers to its arguments, and getopt reorders the array: both are given away for good.
    let mut argv: Vec<*mut c_char> = arguments.into_iter().map(CString::into_raw).collect();
    argv.push(std::ptr::null_mut());
    let argv = argv.leak();
    let mut affinity_rc = 0;
    // SAFETY: `rte_eal_init` wants to be called once, before any other DPDK call, which `STARTED` ensures; `argc` writable
    // NUL-terminated strings and a terminating null pointer at `argv`, all alive as long as EAL is, which leaking them
    // ensures.
    let rc = unsafe { dpdk_sys::pcl_eal_init(count, argv.as_mut_ptr(), &raw mut affinity_rc) };
    (rc, affinity_rc)
}

fn c_arguments(arguments: Vec<String>) -> Result<Vec<CString>, EalError> {
    arguments
        .into_iter()
        .map(|text| CString::new(text.as_str()).map_err(|_| EalError::Argument(text)))
        .collect()
}

/// Looks for what a device needs from the host, since DPDK's own message for a missing one is a log line at best.
fn check_prerequisites(vdev: &Vdev) -> Result<(), EalError> {
    let device = || vdev.name().to_owned();
    if let Some(interface) = vdev.interface() {
        let present = interfaces();
        if !present.is_empty() && !present.iter().any(|name| name == interface) {
            return Err(EalError::NoSuchInterface {
                device: device(),
                interface: interface.to_owned(),
                present,
            });
        }
    }
    if let Some(path) = vdev.capture() {
        fs::File::open(&path).map_err(|source| EalError::Capture { device: device(), path, source })?;
    }
    Ok(())
}

/// Kernel interfaces of the calling thread's network namespace; none when the kernel does not say.
fn interfaces() -> Vec<String> {
    let table = fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default();
    table.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}

/// The CPUs the calling thread may use, as the kernel writes them: `0-3,7`.
fn allowed_cpus() -> Result<String, EalError> {
    let status = fs::read_to_string("/proc/thread-self/status").map_err(EalError::CpuList)?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.map(|cpus| cpus.trim().to_owned())
        .ok_or_else(|| EalError::CpuList(io::Error::new(io::ErrorKind::InvalidData, "the line is missing")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_is_read() {
        assert!(interfaces().iter().any(|name| name == "lo"), "{:?}", interfaces());
        assert!(allowed_cpus().unwrap().starts_with(|c: char| c.is_ascii_digit()));
    }

    #[test]
    fn what_is_missing_is_named_before_dpdk_is_asked() {
        let error = check_prerequisites(&Vdev::af_packet(0, "nope").unwrap()).unwrap_err().to_string();
        assert!(
            error.starts_with("net_af_packet0: no interface \"nope\"") && error.contains("lo"),
            "{error}"
        );
        let file = Vdev::pcap_file(3, "/nonexistent/feed.pcap".as_ref()).unwrap();
        let error = check_prerequisites(&file).unwrap_err();
        assert!(
            matches!(&error, EalError::Capture { source, .. } if source.kind() == io::ErrorKind::NotFound)
        );
        assert_eq!(error.to_string(), "net_pcap3: cannot read capture /nonexistent/feed.pcap");
    }

    #[test]
    fn errors_end_with_what_dpdk_logged() {
        let error = EalError::Init { errno: 22, log: "EAL: one\n\nEAL: two\n".into() };
        assert_eq!(
            error.to_string(),
            "rte_eal_init failed: 22 (Invalid argument); DPDK said: EAL: one | EAL: two"
        );
    }
}
