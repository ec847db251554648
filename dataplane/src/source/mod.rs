//! Where packets come from: capture files, raw message files, standard input, and (feature `dpdk`) network ports.

mod capture;
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

use std::io::Read;

pub use capture::CaptureCount;
pub use error::SourceError;
pub use file::{FileOptions, FileSource};
pub use itch::ItchFraming;
pub use packet::{BURST_MAX, Layer, Packet, PacketSource, SourceNotes, SourceStatus};

/// The bytes of `reader`, unpacked where they are packed by gzip or zstd.
///
/// # Errors
///
/// What cannot be unpacked, of `file`.
pub(crate) fn unpacked_bytes(
    file: &str,
    reader: Box<dyn Read + Send>,
) -> Result<Box<dyn Read + Send>, SourceError> {
    detect::unpacked(reader).map(|(_, reader)| reader).map_err(|fault| fault.at(file, 0))
}
