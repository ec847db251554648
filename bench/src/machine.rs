//! What a number means nothing without: the machine it was measured on, and how busy that was.

use std::fmt;
use std::fs;

/// What can be read about this machine without privileges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Processor's name.
    pub cpu: String,
    /// Family, model, stepping and microcode, as the kernel reports them.
    pub cpu_id: String,
    /// Processors online.
    pub cpus: usize,
    /// Kernel release.
    pub kernel: String,
    /// What the kernel's command line says of isolation, clocks and mitigations.
    pub boot: String,
    /// Frequency governor of the first processor.
    pub governor: String,
    /// Transparent huge pages: the mode in force.
    pub huge_pages: String,
    /// Whether a hypervisor is below us.
    pub virtual_machine: bool,
    /// One-, five- and fifteen-minute load average at the time of reading.
    pub load: String,
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn read_or_unknown(path: &str) -> String {
    read(path).unwrap_or_else(|| "unknown".to_owned())
}

/// The value behind `key` in the first processor's block of `/proc/cpuinfo`.
fn cpuinfo<'a>(text: &'a str, key: &str) -> &'a str {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(name, value)| (name.trim() == key).then(|| value.trim()))
        .unwrap_or("?")
}

/// The parameters of a kernel command line that change latencies.
fn boot(command_line: &str) -> String {
    let names = [
        "isolcpus",
        "nohz",
        "rcu_nocb",
        "irqaffinity",
        "mitigations",
        "idle",
        "tsc",
        "hugepages",
        "max_cstate",
        "nosmt",
    ];
    let telling = |word: &&str| {
        let name = word.split('=').next().unwrap_or_default();
        names.iter().any(|wanted| name.contains(wanted))
    };
    let found: Vec<&str> = command_line.split_whitespace().filter(telling).collect();
    if found.is_empty() { "nothing about latency".to_owned() } else { found.join(" ") }
}

/// The bracketed choice of a sysfs file such as `always [madvise] never`.
fn chosen(text: &str) -> &str {
    text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or(text, |(choice, _)| choice)
}

/// Binds this thread to the last CPU the process may use, or to the first, and says what became of it. Threads made later
/// inherit the binding.
#[must_use]
pub fn pin(last: bool) -> String {
    let cpus = core_affinity::get_core_ids().unwrap_or_default();
    match if last { cpus.last() } else { cpus.first() } {
        Some(cpu) if core_affinity::set_for_current(*cpu) => format!("pinned to CPU {}", cpu.id),
        _ => "not pinned".to_owned(),
    }
}

/// The load averages of this moment.
#[must_use]
pub fn load_average() -> String {
    let text = read_or_unknown("/proc/loadavg");
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

impl Fingerprint {
    /// Reads it.
    #[must_use]
    pub fn read() -> Self {
        let info = read_or_unknown("/proc/cpuinfo");
        let field = |key| cpuinfo(&info, key);
        let cpu_id = format!(
            "family {} model {} stepping {} microcode {}",
            field("cpu family"),
            field("model"),
            field("stepping"),
            field("microcode")
        );
        let thp = read_or_unknown("/sys/kernel/mm/transparent_hugepage/enabled");
        let free = read_or_unknown("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
        Self {
            cpu: field("model name").to_owned(),
            cpu_id,
            cpus: info.lines().filter(|line| line.starts_with("processor")).count(),
            kernel: read_or_unknown("/proc/sys/kernel/osrelease"),
            boot: boot(&read_or_unknown("/proc/cmdline")),
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
                .unwrap_or_else(|| "not exposed".to_owned()),
            huge_pages: format!("transparent {}, {free} reserved pages of 2 MiB free", chosen(&thp)),
            virtual_machine: info.contains(" hypervisor"),
            load: load_average(),
        }
    }

    /// The lines that go into the head of a result file.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let place = if self.virtual_machine { "virtual machine" } else { "bare metal" };
        vec![
            format!("cpu: {}, {} online, {place}", self.cpu, self.cpus),
            format!("cpu id: {}", self.cpu_id),
            format!("kernel: {}; boot: {}", self.kernel, self.boot),
            format!("governor: {}", self.governor),
            format!("huge pages: {}", self.huge_pages),
            format!("load average at start: {}", self.load),
        ]
    }

    /// The processor's name as part of a folder's name.
    #[must_use]
    pub fn slug(&self) -> String {
        let lower = self.cpu.to_lowercase();
        let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("-")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_texts_are_understood() {
        let text = "processor\t: 0\nmodel name\t: AMD EPYC 9R14\nmicrocode\t: 0xa1\nprocessor\t: 1\n";
        assert_eq!(cpuinfo(text, "model name"), "AMD EPYC 9R14");
        assert_eq!(cpuinfo(text, "stepping"), "?");
        assert_eq!(chosen("always [madvise] never"), "madvise");
        assert_eq!(chosen("unknown"), "unknown");
        assert_eq!(boot("quiet isolcpus=2,4 root=/dev/vda1 mitigations=off"), "isolcpus=2,4 mitigations=off");
        assert_eq!(boot("quiet"), "nothing about latency");
    }

    #[test]
    fn this_machine_has_a_processor_and_a_name_for_a_folder() {
        let fingerprint = Fingerprint::read();
        assert!(fingerprint.cpus > 0, "{fingerprint}");
        assert!(fingerprint.slug().chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
        assert_eq!(load_average().split(' ').count(), 3);
    }
}
