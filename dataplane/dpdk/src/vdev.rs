//! Virtual devices: what DPDK can receive from without a NIC of its own.

use std::fmt;
use std::path::{Path, PathBuf};

/// One `--vdev` argument: a device name and its options.
///
/// The name is the driver's name and a number, unique in the process, and names the port later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vdev {
    name: String,
    options: Vec<(String, String)>,
}

/// A device description that DPDK could not parse, found before DPDK is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VdevError {
    /// The name is empty or holds a character that DPDK's parser gives a meaning.
    #[error("device name {0:?}: letters, digits, '_', '-', '.' and ':' wanted")]
    Name(String),
    /// An option has no `key=value` form, or its value holds a comma, bracket or NUL, which the parser would split.
    #[error("device {device}: option {option:?} is not key=value free of ',', '[', ']' and NUL")]
    Option {
        /// The device.
        device: String,
        /// The option as given.
        option: String,
    },
}

impl Vdev {
    /// A device with no options: `net_null0`, `net_ring0`.
    ///
    /// # Errors
    /// [`VdevError::Name`] when the name is not one.
    pub fn new(name: impl Into<String>) -> Result<Self, VdevError> {
        let name = name.into();
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        if name.is_empty() || !name.chars().all(good) {
            return Err(VdevError::Name(name));
        }
        Ok(Self { name, options: Vec::new() })
    }

    /// Adds an option.
    ///
    /// # Errors
    /// [`VdevError::Option`] when key or value would not survive DPDK's parser.
    pub fn option(mut self, key: &str, value: impl Into<String>) -> Result<Self, VdevError> {
        let value = value.into();
        let key_ok = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !key_ok || value.is_empty() || value.contains([',', '[', ']', '\0']) {
            return Err(VdevError::Option { device: self.name, option: format!("{key}={value}") });
        }
        self.options.push((key.to_owned(), value));
        Ok(self)
    }

    /// Parses what follows `--vdev=`: `net_pcap0,rx_pcap=feed.pcap`.
    ///
    /// # Errors
    /// [`VdevError`] names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, VdevError> {
        let mut parts = text.split(',');
        let mut vdev = Self::new(parts.next().unwrap_or_default())?;
        for part in parts {
            let Some((key, value)) = part.split_once('=') else {
                return Err(VdevError::Option { device: vdev.name, option: part.to_owned() });
            };
            vdev = vdev.option(key, value)?;
        }
        Ok(vdev)
    }

    /// Number `n` of the devices that receive the packets of a capture file, once (`net_pcap`). After the last packet
    /// every receive is empty, for ever: who counted the file knows the end.
    ///
    /// # Errors
    /// [`VdevError::Option`] when the path holds a comma or a bracket, or is not UTF-8.
    pub fn pcap_file(n: u8, path: &Path) -> Result<Self, VdevError> {
        let name = format!("net_pcap{n}");
        match path.to_str() {
            Some(text) => Self { name, options: Vec::new() }.option("rx_pcap", text),
            None => Err(VdevError::Option { device: name, option: format!("rx_pcap={}", path.display()) }),
        }
    }

    /// Number `n` of the devices that receive from a kernel interface by packet socket (`net_af_packet`).
    ///
    /// # Errors
    /// [`VdevError::Option`] when the interface name cannot be one.
    pub fn af_packet(n: u8, interface: &str) -> Result<Self, VdevError> {
        Self { name: format!("net_af_packet{n}"), options: Vec::new() }.option("iface", interface)
    }

    /// Number `n` of the devices that receive from a kernel interface by XDP socket (`net_af_xdp`).
    ///
    /// # Errors
    /// [`VdevError::Option`] when the interface name cannot be one.
    pub fn af_xdp(n: u8, interface: &str) -> Result<Self, VdevError> {
        Self { name: format!("net_af_xdp{n}"), options: Vec::new() }.option("iface", interface)
    }

    /// The device's name, by which its port is found.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kernel interface it needs, if it names one.
    pub(crate) fn interface(&self) -> Option<&str> {
        self.value_of("iface")
    }

    /// The capture file it reads, if it names one.
    pub(crate) fn capture(&self) -> Option<PathBuf> {
        self.value_of("rx_pcap").map(PathBuf::from)
    }

    fn value_of(&self, key: &str) -> Option<&str> {
        self.options.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Vdev {
    /// The form `--vdev=` takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.options.iter().try_for_each(|(key, value)| write!(f, ",{key}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_parses_back() {
        for text in ["net_null0", "net_pcap1,rx_pcap=/data/a b.pcap,infinite_rx=1", "net_af_packet0,iface=v0"]
        {
            assert_eq!(Vdev::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Vdev::af_xdp(2, "eth0.7").unwrap().to_string(), "net_af_xdp2,iface=eth0.7");
    }

    #[test]
    fn what_the_parser_would_split_is_refused() {
        assert_eq!(Vdev::parse(""), Err(VdevError::Name(String::new())));
        assert!(matches!(Vdev::new("net null"), Err(VdevError::Name(_))));
        assert!(matches!(Vdev::parse("net_null0,size"), Err(VdevError::Option { .. })));
        assert!(matches!(Vdev::parse("net_null0,=4"), Err(VdevError::Option { .. })));
        assert!(matches!(Vdev::pcap_file(0, Path::new("a,b.pcap")), Err(VdevError::Option { .. })));
        let error = Vdev::af_packet(0, "").unwrap_err().to_string();
        assert!(error.contains("net_af_packet0") && error.contains("iface="), "{error}");
    }

    #[test]
    fn the_parts_that_can_be_checked_beforehand_are_found() {
        assert_eq!(Vdev::parse("net_af_xdp0,start_queue=1,iface=v0").unwrap().interface(), Some("v0"));
        let file = Vdev::pcap_file(0, Path::new("x.pcap")).unwrap();
        assert_eq!(file.capture(), Some(PathBuf::from("x.pcap")));
        assert_eq!(file.interface(), None);
    }
}
