//! How EAL is started: memory, devices, log.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::vdev::Vdev;

/// Where the packet buffers' memory comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Memory {
    /// Ordinary pages, `megabytes` of them. Runs anywhere, as anybody, any number at once; two to three times the cost
    /// per packet, since every buffer header then falls into the same set of the first-level cache.
    NoHuge {
        /// Megabytes taken at start.
        megabytes: u32,
    },
    /// Huge pages of this process alone, which the kernel takes back at exit; no hugetlbfs mount. Production.
    InMemory {
        /// Megabytes taken at start, by NUMA socket; `[512]` for one socket, `[0, 1024]` for the second of two.
        megabytes: Vec<u32>,
    },
    /// Huge pages in files of a hugetlbfs mount, shared with tools such as `dpdk-proc-info`. The files outlive a killed
    /// process.
    HugeTlbFs {
        /// Megabytes taken at start, by NUMA socket.
        megabytes: Vec<u32>,
        /// Prefix of the files' names; one per process.
        file_prefix: String,
    },
}

/// Free huge pages did not suffice, so ordinary pages are used; the text names the cost and the cure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HugepageWarning {
    /// Megabytes that were wanted.
    pub wanted_mb: u32,
    /// Megabytes of free huge pages that were found.
    pub free_mb: u64,
}

impl fmt::Display for HugepageWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pages = self.wanted_mb.div_ceil(2);
        write!(
            f,
            "{} MB of free huge pages found, {} MB wanted: running with --no-huge, which costs 2-3x per packet; to cure \
             it: sysctl vm.nr_hugepages={pages}",
            self.free_mb, self.wanted_mb
        )
    }
}

/// What `rte_eal_init` is told. Build one, then hand it to [`crate::Eal::init`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EalConfig {
    memory: Memory,
    vdevs: Vec<Vdev>,
    pci: Vec<String>,
}

impl EalConfig {
    /// A configuration with no device.
    #[must_use]
    pub const fn new(memory: Memory) -> Self {
        Self { memory, vdevs: Vec::new(), pci: Vec::new() }
    }

    /// `megabytes` of ordinary pages: tests and laptops.
    #[must_use]
    pub const fn no_huge(megabytes: u32) -> Self {
        Self::new(Memory::NoHuge { megabytes })
    }

    /// `megabytes` of huge pages of this process alone, on the first NUMA socket: production.
    #[must_use]
    pub fn in_memory(megabytes: u32) -> Self {
        Self::new(Memory::InMemory { megabytes: vec![megabytes] })
    }

    /// Huge pages when this host has `megabytes` of them free, ordinary pages and a warning when it has not.
    #[must_use]
    pub fn for_this_host(megabytes: u32) -> (Self, Option<HugepageWarning>) {
        Self::for_host(Path::new("/sys/kernel/mm/hugepages"), megabytes)
    }

    /// [`EalConfig::for_this_host`] with the directory of the kernel's hugepage counters as an argument.
    #[must_use]
    pub fn for_host(hugepages: &Path, megabytes: u32) -> (Self, Option<HugepageWarning>) {
        let free_mb = free_hugepages_mb(hugepages);
        if free_mb >= u64::from(megabytes) {
            return (Self::in_memory(megabytes), None);
        }
        (Self::no_huge(megabytes), Some(HugepageWarning { wanted_mb: megabytes, free_mb }))
    }

    /// Adds a virtual device.
    #[must_use]
    pub fn vdev(mut self, vdev: Vdev) -> Self {
        self.vdevs.push(vdev);
        self
    }

    /// Adds a PCI device by address and driver options: `0000:81:00.0`, `0000:81:00.0,rx_vec_en=1`. Without any, the PCI
    /// bus is left alone.
    #[must_use]
    pub fn allow_pci(mut self, device: impl Into<String>) -> Self {
        self.pci.push(device.into());
        self
    }

    /// Where the memory comes from.
    #[must_use]
    pub const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The virtual devices, in order.
    #[must_use]
    pub fn vdevs(&self) -> &[Vdev] {
        &self.vdevs
    }

    /// The PCI addresses, without driver options, in order.
    pub fn pci_addresses(&self) -> impl Iterator<Item = &str> {
        self.pci.iter().map(|device| device.split(',').next().unwrap_or(device))
    }

    /// The arguments for `rte_eal_init`, program name first, for a caller that may run on `cpus` (a list as in
    /// `/proc/self/status`: `0-3,7`): one lcore that floats over them, since this product places its threads itself.
    #[must_use]
    pub fn arguments(&self, cpus: &str) -> Vec<String> {
        let lcores = format!("0@({cpus})");
        let mut arguments: Vec<String> =
            vec!["portcullis".into(), "--lcores".into(), lcores, "--no-telemetry".into()];
        match &self.memory {
            // `--in-memory` is refused together with `--no-huge` before DPDK 25.11, so the shared files are turned off.
            Memory::NoHuge { megabytes } => {
                arguments.extend([
                    "--no-huge".into(),
                    "--no-shconf".into(),
                    "-m".into(),
                    megabytes.to_string(),
                ]);
            }
            Memory::InMemory { megabytes } => {
                arguments.extend(["--in-memory".into(), "--socket-mem".into(), comma_list(megabytes)]);
            }
            Memory::HugeTlbFs { megabytes, file_prefix } => {
                arguments.extend(["--file-prefix".into(), file_prefix.clone()]);
                arguments.extend(["--socket-mem".into(), comma_list(megabytes)]);
            }
        }
        if self.pci.is_empty() {
            arguments.push("--no-pci".into());
        }
        arguments.extend(self.pci.iter().flat_map(|device| ["-a".to_owned(), device.clone()]));
        arguments.extend(self.vdevs.iter().map(|vdev| format!("--vdev={vdev}")));
        arguments
    }
}

fn comma_list(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

/// Free huge pages of the size that has most, in megabytes: EAL's memory comes from pages of any size, but a pool wants one
/// kind.
fn free_hugepages_mb(directory: &Path) -> u64 {
    let Ok(sizes) = fs::read_dir(directory) else { return 0 };
    let free = |path: PathBuf| -> Option<u64> {
        let kilobytes: u64 =
            path.file_name()?.to_str()?.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
        let pages: u64 = fs::read_to_string(path.join("free_hugepages")).ok()?.trim().parse().ok()?;
        Some(pages.saturating_mul(kilobytes) / 1024)
    };
    sizes.flatten().filter_map(|entry| free(entry.path())).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(sizes: &[(&str, u64)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (size, free) in sizes {
            let directory = root.path().join(format!("hugepages-{size}"));
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("free_hugepages"), format!("{free}\n")).unwrap();
        }
        root
    }

    #[test]
    fn a_host_with_free_huge_pages_uses_them() {
        let root = host(&[("2048kB", 128), ("1048576kB", 0)]);
        let (config, warning) = EalConfig::for_host(root.path(), 256);
        assert_eq!(config.memory(), &Memory::InMemory { megabytes: vec![256] });
        assert_eq!(warning, None);
    }

    #[test]
    fn a_host_without_enough_falls_back_and_says_what_it_costs() {
        let root = host(&[("2048kB", 127)]);
        let (config, warning) = EalConfig::for_host(root.path(), 256);
        assert_eq!(config.memory(), &Memory::NoHuge { megabytes: 256 });
        let text = warning.unwrap().to_string();
        for part in ["254 MB", "256 MB", "--no-huge", "2-3x per packet", "vm.nr_hugepages=128"] {
            assert!(text.contains(part), "{text}");
        }
        let (config, warning) = EalConfig::for_host(Path::new("/nonexistent"), 64);
        assert_eq!(config.memory(), &Memory::NoHuge { megabytes: 64 });
        assert_eq!(warning.unwrap().free_mb, 0);
    }

    #[test]
    fn arguments_by_mode() {
        let vdev = Vdev::parse("net_null0,size=100").unwrap();
        let laptop = EalConfig::no_huge(64).vdev(vdev).arguments("0-1");
        assert_eq!(
            laptop.join(" "),
            "portcullis --lcores 0@(0-1) --no-telemetry --no-huge --no-shconf -m 64 --no-pci \
             --vdev=net_null0,size=100"
        );
        let memory = Memory::InMemory { megabytes: vec![0, 1024] };
        let nic = EalConfig::new(memory).allow_pci("0000:81:00.0,mprq_en=1");
        assert_eq!(
            nic.arguments("2,3").join(" "),
            "portcullis --lcores 0@(2,3) --no-telemetry --in-memory --socket-mem 0,1024 -a 0000:81:00.0,mprq_en=1"
        );
        assert_eq!(nic.pci_addresses().collect::<Vec<_>>(), ["0000:81:00.0"]);
        let memory = Memory::HugeTlbFs { megabytes: vec![512], file_prefix: "mdr1".into() };
        assert_eq!(
            EalConfig::new(memory).arguments("3").join(" "),
            "portcullis --lcores 0@(3) --no-telemetry --file-prefix mdr1 --socket-mem 512 --no-pci"
        );
    }
}
