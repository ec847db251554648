//! Where packets come from: capture files, raw message files, standard input, and (feature `dpdk`) network ports.

mod detect;
mod error;
mod file;
mod itch;
mod packet;
mod pcap;
mod pcapng;
mod window;

#[cfg(feature = "dpdk")]
mod dpdk;

#[cfg(feature = "dpdk")]
pub use dpdk::DpdkSource;

pub use error::SourceError;
pub use file::{FileOptions, FileSource};
pub use itch::ItchFraming;
pub use packet::{BURST_MAX, Layer, Packet, PacketSource, SourceNotes, SourceStatus};
