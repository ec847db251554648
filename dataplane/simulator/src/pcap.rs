//! A capture file: classic pcap with nanosecond timestamps, Ethernet.
//!
//! Source: tcpdump.org "Libpcap File Format" (magic 0xa1b23c4d means nanoseconds).

use std::io::{self, Write};

/// Magic number of a capture whose fractions of a second are nanoseconds, in the writer's byte order.
pub const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;

/// Bytes of a frame that a capture keeps at most.
const SNAP_LEN: u32 = 65_535;

/// Link type of Ethernet.
const LINKTYPE_ETHERNET: u32 = 1;

/// Writes frames to a capture. Little-endian on every machine, so that the same scenario is the same bytes everywhere.
#[derive(Debug)]
pub struct PcapWriter<W> {
    out: W,
}

impl<W: Write> PcapWriter<W> {
    /// Begins a capture.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&MAGIC_NANOSECONDS.to_le_bytes())?;
        // Version 2.4, then time zone and accuracy, which are always zero.
        out.write_all(&2_u16.to_le_bytes())?;
        out.write_all(&4_u16.to_le_bytes())?;
        out.write_all(&[0; 8])?;
        out.write_all(&SNAP_LEN.to_le_bytes())?;
        out.write_all(&LINKTYPE_ETHERNET.to_le_bytes())?;
        Ok(Self { out })
    }

    /// Appends a frame captured at `ts_ns` (Unix nanoseconds).
    ///
    /// # Errors
    /// When the frame is longer than a capture holds, the time is beyond 2106, or `out` cannot be written.
    pub fn frame(&mut self, ts_ns: u64, frame: &[u8]) -> io::Result<()> {
        let too_large = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
        let len = u32::try_from(frame.len()).ok().filter(|&len| len <= SNAP_LEN);
        let len = len.ok_or_else(|| too_large("the frame is longer than 65,535 bytes"))?;
        let seconds =
            u32::try_from(ts_ns / 1_000_000_000).map_err(|_| too_large("the time is beyond 2106"))?;
        let fraction = (ts_ns % 1_000_000_000) as u32;
        for word in [seconds, fraction, len, len] {
            self.out.write_all(&word.to_le_bytes())?;
        }
        self.out.write_all(frame)
    }

    /// Flushes and gives the writer back.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_format() {
        let mut pcap = PcapWriter::new(Vec::new()).unwrap();
        pcap.frame(1_778_092_110_000_000_007, b"frame").unwrap();
        let bytes = pcap.finish().unwrap();
        let mut wanted = vec![0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0];
        wanted.extend([0; 8]);
        wanted.extend([0xff, 0xff, 0, 0, 1, 0, 0, 0]);
        wanted.extend(1_778_092_110_u32.to_le_bytes());
        wanted.extend([7, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0]);
        wanted.extend(b"frame");
        assert_eq!(bytes, wanted);
    }

    #[test]
    fn what_the_format_cannot_hold_is_refused() {
        let mut pcap = PcapWriter::new(Vec::new()).unwrap();
        assert!(pcap.frame(0, &[0; 65_536]).is_err());
        assert!(pcap.frame(u64::from(u32::MAX) * 1_000_000_000 + 1_000_000_000, b"x").is_err());
        assert_eq!(pcap.finish().unwrap().len(), 24, "nothing of a refused frame is written");
    }
}
