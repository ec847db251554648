//! Hardware and network addresses in the syntaxes that operators already use.

use crate::names::deserialize_by_parsing;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::str::FromStr;

/// A CPU to pin a stage to, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(into = "String")]
pub enum CpuChoice {
    /// The scheduler decides.
    Any,
    /// This one, exclusively.
    Cpu(u16),
}

/// Largest CPU number accepted.
const CPU_MAX: u16 = 1023;

const CPU_WANTED: &str = "\"any\" or a CPU number from 0 to 1023";

impl CpuChoice {
    /// The CPU, if one was chosen.
    #[must_use]
    pub const fn cpu(self) -> Option<u16> {
        match self {
            Self::Any => None,
            Self::Cpu(cpu) => Some(cpu),
        }
    }
}

impl FromStr for CpuChoice {
    type Err = &'static str;

    fn from_str(s: &str) -> Result<Self, &'static str> {
        match (s, cpu_number(s)) {
            ("any", _) => Ok(Self::Any),
            (_, Some(cpu)) => Ok(Self::Cpu(cpu)),
            _ => Err(CPU_WANTED),
        }
    }
}

impl fmt::Display for CpuChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.pad("any"),
            Self::Cpu(cpu) => cpu.fmt(f),
        }
    }
}

impl From<CpuChoice> for String {
    fn from(choice: CpuChoice) -> Self {
        choice.to_string()
    }
}

fn cpu_number(s: &str) -> Option<u16> {
    let digits = !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    s.parse().ok().filter(|cpu| digits && *cpu <= CPU_MAX)
}

/// A set of CPUs in the kernel's list syntax (`0-1,4`); empty means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuList(Vec<u16>);

impl CpuList {
    /// The CPUs, ascending, each once.
    #[must_use]
    pub fn cpus(&self) -> &[u16] {
        &self.0
    }
}

impl FromStr for CpuList {
    type Err = &'static str;

    fn from_str(s: &str) -> Result<Self, &'static str> {
        const WANTED: &str = "a CPU list in the kernel's syntax, for example \"0-1,4\", CPUs from 0 to 1023";
        if s.trim().is_empty() {
            return Ok(Self::default());
        }
        let mut cpus = Vec::new();
        for part in s.trim().split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            match (cpu_number(first), cpu_number(last)) {
                (Some(first), Some(last)) if first <= last => cpus.extend(first..=last),
                _ => return Err(WANTED),
            }
        }
        cpus.sort_unstable();
        cpus.dedup();
        Ok(Self(cpus))
    }
}

impl fmt::Display for CpuList {
    /// The kernel's syntax, runs joined.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self.0.chunk_by(|a, b| a + 1 == *b).map(|run| match run {
            [one] => one.to_string(),
            [first, .., last] => format!("{first}-{last}"),
            [] => String::new(),
        });
        f.pad(&runs.collect::<Vec<_>>().join(","))
    }
}

/// A PCI address with its domain: `0000:3b:00.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PciAddress(String);

impl PciAddress {
    /// The address, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PciAddress {
    type Err = &'static str;

    fn from_str(s: &str) -> Result<Self, &'static str> {
        let pattern = b"hhhh:hh:hh.d";
        let fits = s.len() == pattern.len()
            && s.bytes().zip(pattern).all(|(b, p)| match p {
                b'h' => b.is_ascii_hexdigit(),
                b'd' => (b'0'..=b'7').contains(&b),
                other => b == *other,
            });
        if fits { Ok(Self(s.to_ascii_lowercase())) } else { Err("a PCI address such as \"0000:3b:00.0\"") }
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A NIC and, after a comma, its driver's options: `0000:81:00.0,rx_vec_en=1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PciDevice {
    address: PciAddress,
    options: String,
}

impl PciDevice {
    /// The address alone.
    #[must_use]
    pub const fn address(&self) -> &PciAddress {
        &self.address
    }
}

impl FromStr for PciDevice {
    type Err = &'static str;

    fn from_str(s: &str) -> Result<Self, &'static str> {
        const WANTED: &str =
            "a PCI address and driver options, such as \"0000:3b:00.0\" or \"0000:81:00.0,rx_vec_en=1\"";
        let (address, options) = s.split_once(',').unwrap_or((s, ""));
        let address = address.parse().map_err(|_| WANTED)?;
        let legal =
            |option: &str| option.split_once('=').is_some_and(|(k, v)| !k.is_empty() && !v.is_empty());
        let fits = s.len() <= 256 && !s.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control());
        if !fits || (s.contains(',') && !options.split(',').all(legal)) {
            return Err(WANTED);
        }
        Ok(Self { address, options: options.to_owned() })
    }
}

impl fmt::Display for PciDevice {
    /// As the EAL takes it after `-a`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comma = if self.options.is_empty() { "" } else { "," };
        f.pad(&format!("{}{comma}{}", self.address, self.options))
    }
}

/// A DPDK virtual device and its arguments: `net_pcap0,rx_pcap=day.pcap`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vdev(String);

impl Vdev {
    /// The text as the EAL takes it after `--vdev=`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The device's name: what stands before the first comma.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split(',').next().unwrap_or_default()
    }
}

impl FromStr for Vdev {
    type Err = &'static str;

    fn from_str(s: &str) -> Result<Self, &'static str> {
        let name = s.split(',').next().unwrap_or_default();
        let shape = name.strip_prefix("net_").is_some_and(|rest| {
            rest.ends_with(|c: char| c.is_ascii_digit())
                && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        });
        let clean = s.len() <= 512 && !s.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control());
        if shape && clean {
            Ok(Self(s.to_owned()))
        } else {
            Err(
                "a DPDK virtual device such as \"net_pcap0,rx_pcap=day.pcap\" or \"net_af_packet0,iface=eth1\"",
            )
        }
    }
}

impl fmt::Display for Vdev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Where a feed's packets come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedSource {
    /// A DPDK virtual device.
    Vdev(Vdev),
    /// A NIC that DPDK drives.
    Pci(PciAddress),
    /// A capture, read without DPDK.
    File(PathBuf),
}

impl FromStr for FeedSource {
    type Err = &'static str;

    fn from_str(s: &str) -> Result<Self, &'static str> {
        const WANTED: &str = "a virtual device (\"net_pcap0,rx_pcap=day.pcap\"), a PCI address (\"0000:3b:00.0\") or \"file:PATH\"";
        if let Some(path) = s.strip_prefix("file:") {
            return if path.is_empty() { Err(WANTED) } else { Ok(Self::File(path.into())) };
        }
        let pci = s.parse().map(Self::Pci);
        pci.or_else(|_| s.parse().map(Self::Vdev)).map_err(|_| WANTED)
    }
}

impl fmt::Display for FeedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vdev(vdev) => vdev.fmt(f),
            Self::Pci(pci) => pci.fmt(f),
            Self::File(path) => f.pad(&format!("file:{}", path.display())),
        }
    }
}

/// A multicast group and UDP port: `233.54.12.111:26477`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group(SocketAddrV4);

impl Group {
    /// The group's address.
    #[must_use]
    pub const fn ip(self) -> Ipv4Addr {
        *self.0.ip()
    }

    /// The UDP port.
    #[must_use]
    pub const fn port(self) -> u16 {
        self.0.port()
    }
}

impl FromStr for Group {
    type Err = &'static str;

    fn from_str(s: &str) -> Result<Self, &'static str> {
        let address: Option<SocketAddrV4> = s.parse().ok();
        match address {
            Some(at) if at.ip().is_multicast() && at.port() != 0 => Ok(Self(at)),
            _ => Err("a multicast group and port such as \"233.54.12.111:26477\""),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

/// An IPv4 address that one host can have, or 0.0.0.0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostAddress(Ipv4Addr);

impl HostAddress {
    /// The address.
    #[must_use]
    pub const fn ip(self) -> Ipv4Addr {
        self.0
    }
}

impl Default for HostAddress {
    fn default() -> Self {
        Self(Ipv4Addr::UNSPECIFIED)
    }
}

impl FromStr for HostAddress {
    type Err = &'static str;

    fn from_str(s: &str) -> Result<Self, &'static str> {
        let address: Option<Ipv4Addr> = s.parse().ok();
        match address {
            Some(at) if !at.is_multicast() && !at.is_broadcast() && !at.is_loopback() => Ok(Self(at)),
            _ => Err("an IPv4 address of one host such as \"10.20.0.9\", or \"0.0.0.0\" for none"),
        }
    }
}

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

/// A server that sends again what was lost, and how it is asked: `udp:10.30.0.1:26500`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryServer(SocketAddrV4);

impl RecoveryServer {
    /// Where it is asked.
    #[must_use]
    pub const fn address(self) -> SocketAddrV4 {
        self.0
    }
}

impl FromStr for RecoveryServer {
    type Err = &'static str;

    fn from_str(s: &str) -> Result<Self, &'static str> {
        let address: Option<SocketAddrV4> = s.strip_prefix("udp:").and_then(|rest| rest.parse().ok());
        let one_host = |ip: &Ipv4Addr| !ip.is_multicast() && !ip.is_broadcast() && !ip.is_unspecified();
        match address {
            Some(at) if at.port() != 0 && one_host(at.ip()) => Ok(Self(at)),
            _ => Err(
                "udp: and the IPv4 address and port of a re-request server, such as \"udp:10.30.0.1:26500\"",
            ),
        }
    }
}

impl fmt::Display for RecoveryServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("udp:{}", self.0))
    }
}

deserialize_by_parsing!(PciAddress, PciDevice, Vdev, FeedSource, Group, HostAddress, RecoveryServer);

/// CPUs may be written as bare numbers too: `receiver_cpu = 4` is what everybody tries first.
macro_rules! deserialize_text_or_number {
    ($($name:ty),*) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct TextOrNumber;
                impl serde::de::Visitor<'_> for TextOrNumber {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(<$name>::from_str("?").err().unwrap_or_default())
                    }

                    fn visit_str<E: serde::de::Error>(self, s: &str) -> Result<$name, E> {
                        s.parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(s), &self))
                    }

                    fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<$name, E> {
                        n.to_string().parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(n), &self))
                    }
                }
                deserializer.deserialize_any(TextOrNumber)
            }
        }
    )*};
}

deserialize_text_or_number!(CpuChoice, CpuList);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_read_and_print_like_the_kernels() {
        for (text, cpus, printed) in [
            ("", vec![], ""),
            ("3", vec![3], "3"),
            ("4-7,12", vec![4, 5, 6, 7, 12], "4-7,12"),
            ("2,1,0-1", vec![0, 1, 2], "0-2"),
        ] {
            let list: CpuList = text.parse().unwrap();
            assert_eq!(list.cpus(), cpus, "{text}");
            assert_eq!(list.to_string(), printed);
        }
        for bad in ["a", "1-", "-1", "3-1", "1,,2", "1024", "+1", "0-4294967295"] {
            assert!(bad.parse::<CpuList>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sources_are_told_apart_by_their_shape() {
        assert_eq!("0000:3B:00.0".parse::<FeedSource>().unwrap().to_string(), "0000:3b:00.0");
        let vdev: FeedSource = "net_af_packet0,iface=eth1".parse().unwrap();
        assert!(matches!(&vdev, FeedSource::Vdev(v) if v.name() == "net_af_packet0"));
        assert_eq!("file:day.pcap".parse::<FeedSource>(), Ok(FeedSource::File("day.pcap".into())));
        for bad in
            ["", "file:", "day.pcap", "3b:00.0", "0000:3b:00.8", "net_pcap", "net_pcap0, rx_pcap=a", "eth0"]
        {
            assert!(bad.parse::<FeedSource>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn pci_devices_keep_their_driver_options() {
        let device: PciDevice = "0000:81:00.0,rx_vec_en=1".parse().unwrap();
        assert_eq!(device.address().as_str(), "0000:81:00.0");
        assert_eq!(device.to_string(), "0000:81:00.0,rx_vec_en=1");
        for bad in ["81:00.0", "0000:81:00.0,", "0000:81:00.0,x", "0000:81:00.0,a=1 -b"] {
            assert!(bad.parse::<PciDevice>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_server_is_one_host_and_says_how_it_is_asked() {
        let server: RecoveryServer = "udp:10.30.0.1:26500".parse().unwrap();
        assert_eq!(server.to_string(), "udp:10.30.0.1:26500");
        for bad in [
            "10.30.0.1:26500",
            "tcp:10.30.0.1:26500",
            "udp:10.30.0.1",
            "udp:10.30.0.1:0",
            "udp:host:26500",
            "udp:233.54.12.111:26500",
            "udp:0.0.0.0:26500",
            "udp:[::1]:26500",
            "",
        ] {
            assert!(bad.parse::<RecoveryServer>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn reports_come_from_one_host_or_none() {
        assert_eq!("10.20.0.9".parse::<HostAddress>().unwrap().ip(), Ipv4Addr::new(10, 20, 0, 9));
        assert_eq!("0.0.0.0".parse(), Ok(HostAddress::default()));
        for bad in ["233.54.12.111", "255.255.255.255", "127.0.0.1", "10.20.0", "::1", ""] {
            assert!(bad.parse::<HostAddress>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn groups_are_multicast_and_have_a_port() {
        let group: Group = "233.54.12.111:26477".parse().unwrap();
        assert_eq!((group.ip(), group.port()), (Ipv4Addr::new(233, 54, 12, 111), 26477));
        for bad in ["10.0.0.1:26477", "233.54.12.111:0", "233.54.12.111", "233.54.12:1", "[ff02::1]:5"] {
            assert!(bad.parse::<Group>().is_err(), "{bad:?}");
        }
    }
}
