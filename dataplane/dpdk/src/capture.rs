//! How many packets a capture file holds: the only way to know that `net_pcap` has delivered them all.
//!
//! After the last packet of a file a `net_pcap` port receives nothing, for ever, and says nothing (an event for it exists
//! from DPDK 26.07 on). A reader therefore counts the file first and stops when it has received as many:
//!
//! ```no_run
//! # fn read(path: &std::path::Path, queue: &mut dpdk::RxQueue) -> Result<(), dpdk::capture::CaptureError> {
//! let mut left = dpdk::capture::count_packets(path)?.packets;
//! while left > 0 {
//!     let burst = queue.rx_burst();
//!     left -= burst.len() as u64;
//! }
//! # Ok(()) }
//! ```
//!
//! The pool must have a buffer for every packet asked for, since `net_pcap` drops the packet it has no buffer for
//! ([`crate::Stats::rx_no_mbuf`]) and such a loop would then not end: 64 buffers, and 1.5 times the cache for each
//! registered thread.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

/// Longest record or block libpcap reads: 16 MiB (`sf-pcapng.c`); a longer one is damage.
const LONGEST: u32 = 16 << 20;

/// Why a capture could not be counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The file could not be read.
    #[error("cannot read capture {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The first four bytes are no capture's.
    #[error("{}: neither pcap nor pcapng (it begins with {magic:#010x})", path.display())]
    Magic {
        /// The file.
        path: PathBuf,
        /// What it begins with, read little-endian.
        magic: u32,
    },
    /// A record's length is impossible.
    #[error("{}: record {record} at byte {offset} claims {length} bytes", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// Number of the record, from 0; in pcapng, of the block.
        record: u64,
        /// Where it begins.
        offset: u64,
        /// The length it claims.
        length: u32,
    },
}

/// What a capture file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Whole packets.
    pub packets: u64,
    /// Where a record begins that the end of the file cuts short, if one does.
    pub cut_at: Option<u64>,
}

/// Counts the packets of a pcap or pcapng file, of either byte order. A last record that is cut short does not count:
/// libpcap does not deliver it.
///
/// # Errors
/// [`CaptureError`].
pub fn count_packets(path: &Path) -> Result<Counted, CaptureError> {
    let read = |source| CaptureError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(read)?;
    let mut file = Placed { inner: BufReader::with_capacity(1 << 16, file), offset: 0 };
    let Some(magic) = file.take_array::<4>().map_err(read)? else {
        return Err(CaptureError::Magic { path: path.to_owned(), magic: 0 });
    };
    let counted = match magic {
        [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => count_pcap(&mut file, u32::from_le_bytes),
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => count_pcap(&mut file, u32::from_be_bytes),
        [0x0a, 0x0d, 0x0d, 0x0a] => count_pcapng(&mut file),
        other => return Err(CaptureError::Magic { path: path.to_owned(), magic: u32::from_le_bytes(other) }),
    };
    counted.map_err(|fault| match fault {
        Fault::Read(source) => read(source),
        Fault::Length { record, offset, length } => {
            CaptureError::Length { path: path.to_owned(), record, offset, length }
        }
    })
}

enum Fault {
    Read(io::Error),
    Length { record: u64, offset: u64, length: u32 },
}

impl From<io::Error> for Fault {
    fn from(source: io::Error) -> Self {
        Self::Read(source)
    }
}

type Word = fn([u8; 4]) -> u32;

/// After the magic number: the rest of the 24-byte file header, then records of a 16-byte header and their bytes.
fn count_pcap(file: &mut Placed, word: Word) -> Result<Counted, Fault> {
    if !file.skip(20)? {
        return Ok(Counted { packets: 0, cut_at: Some(0) });
    }
    for record in 0.. {
        let offset = file.offset;
        let Some([_, _, _, _, _, _, _, _, a, b, c, d, ..]) = file.take_array::<16>()? else {
            return Ok(Counted { packets: record, cut_at: file.cut_since(offset)? });
        };
        let length = word([a, b, c, d]);
        if length > LONGEST {
            return Err(Fault::Length { record, offset, length });
        }
        if !file.skip(u64::from(length))? {
            return Ok(Counted { packets: record, cut_at: Some(offset) });
        }
    }
    unreachable!("a file has fewer than 2^64 records")
}

/// After the first block's type: blocks of type, total length, body, total length. A section header sets the byte order.
fn count_pcapng(file: &mut Placed) -> Result<Counted, Fault> {
    const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
    let (mut packets, mut word, mut kind) = (0, u32::from_le_bytes as Word, SECTION);
    for record in 0.. {
        let offset = file.offset - 4;
        let cut = Ok(Counted { packets, cut_at: Some(offset) });
        let Some(total) = file.take_array::<4>()? else { return cut };
        let mut taken = 8;
        if kind == SECTION {
            let Some(order) = file.take_array::<4>()? else { return cut };
            word = if order == [0x1a, 0x2b, 0x3c, 0x4d] { u32::from_be_bytes } else { u32::from_le_bytes };
            taken = 12;
        }
        let length = word(total);
        if length < taken + 4 || length > LONGEST {
            return Err(Fault::Length { record, offset, length });
        }
        if !file.skip(u64::from(length - taken))? {
            return cut;
        }
        // 2: packet (obsolete), 3: simple packet, 6: enhanced packet.
        packets += u64::from(matches!(word(kind), 2 | 3 | 6));
        let end = file.offset;
        let Some(next) = file.take_array::<4>()? else {
            return Ok(Counted { packets, cut_at: file.cut_since(end)? });
        };
        kind = next;
    }
    unreachable!("a file has fewer than 2^64 blocks")
}

/// A reader that knows where it is and tells an end from a failure.
struct Placed {
    inner: BufReader<File>,
    offset: u64,
}

impl Placed {
    /// The next `N` bytes, or `None` when the file ends before that.
    fn take_array<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        let mut bytes = [0; N];
        match self.inner.read_exact(&mut bytes) {
            Ok(()) => {
                self.offset += N as u64;
                Ok(Some(bytes))
            }
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Where a record began that the file does not end with; none when it ends right at `offset`. For a reader that found
    /// fewer bytes there than it wanted.
    fn cut_since(&mut self, offset: u64) -> io::Result<Option<u64>> {
        let whole = self.inner.stream_position()?;
        Ok((whole > offset).then_some(offset))
    }

    /// Passes over `bytes`; `false` when the file ends before that.
    fn skip(&mut self, bytes: u64) -> io::Result<bool> {
        let passed = io::copy(&mut self.inner.by_ref().take(bytes), &mut io::sink())?;
        self.offset += passed;
        Ok(passed == bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(bytes: &[u8]) -> Result<Counted, CaptureError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.pcap");
        std::fs::write(&path, bytes).unwrap();
        count_packets(&path)
    }

    fn count(bytes: &[u8]) -> Result<u64, CaptureError> {
        counted(bytes).map(|c| c.packets)
    }

    fn pcap(magic: u32, order: fn(u32) -> [u8; 4], lengths: &[u32]) -> Vec<u8> {
        let mut file = order(magic).to_vec();
        file.extend([0; 20]);
        for &length in lengths {
            file.extend([0; 8]);
            file.extend(order(length));
            file.extend(order(1500));
            file.resize(file.len() + length as usize, 0xee);
        }
        file
    }

    #[test]
    fn pcap_of_both_orders_and_resolutions() {
        for magic in [0xa1b2_c3d4, 0xa1b2_3c4d] {
            assert_eq!(count(&pcap(magic, u32::to_le_bytes, &[60, 0, 9000])).unwrap(), 3);
            assert_eq!(count(&pcap(magic, u32::to_be_bytes, &[60])).unwrap(), 1);
        }
        assert_eq!(count(&pcap(0xa1b2_c3d4, u32::to_le_bytes, &[])).unwrap(), 0);
    }

    #[test]
    fn a_cut_record_does_not_count() {
        let mut file = pcap(0xa1b2_c3d4, u32::to_le_bytes, &[60, 60]);
        let whole = |packets, cut_at| Counted { packets, cut_at };
        assert_eq!(counted(&file).unwrap(), whole(2, None));
        file.pop();
        assert_eq!(counted(&file).unwrap(), whole(1, Some(24 + 16 + 60)));
        file.truncate(24 + 16 + 60 + 15);
        assert_eq!(counted(&file).unwrap(), whole(1, Some(24 + 16 + 60)));
        file.truncate(24 + 16 + 60);
        assert_eq!(counted(&file).unwrap(), whole(1, None));
        file.truncate(10);
        assert_eq!(counted(&file).unwrap(), whole(0, Some(0)));
    }

    #[test]
    fn what_is_no_capture_is_named() {
        assert!(matches!(
            count(b"PK\x03\x04 and so on").unwrap_err(),
            CaptureError::Magic { magic: 0x0403_4b50, .. }
        ));
        assert!(matches!(count(b"").unwrap_err(), CaptureError::Magic { magic: 0, .. }));
        assert!(matches!(count_packets(Path::new("/nonexistent")), Err(CaptureError::Read { .. })));
        let mut damaged = pcap(0xa1b2_c3d4, u32::to_le_bytes, &[60]);
        damaged.extend([0xff; 16]);
        let error = count(&damaged).unwrap_err();
        assert!(
            matches!(error, CaptureError::Length { record: 1, offset: 100, length: u32::MAX, .. }),
            "{error}"
        );
    }

    #[test]
    fn pcapng_counts_packet_blocks_of_every_section() {
        let block = |kind: u32, body: &[u8], order: fn(u32) -> [u8; 4]| {
            let length = order(12 + body.len() as u32);
            [&order(kind), &length, body, &length].concat()
        };
        let section = |order: fn(u32) -> [u8; 4]| {
            let body = [order(0x1a2b_3c4d).as_slice(), &[0; 12]].concat();
            block(0x0a0d_0d0a, &body, order)
        };
        let (le, be) = (u32::to_le_bytes as fn(u32) -> [u8; 4], u32::to_be_bytes as fn(u32) -> [u8; 4]);
        let mut file =
            [section(le), block(1, &[0; 8], le), block(6, &[0; 84], le), block(3, &[0; 64], le)].concat();
        file.extend([section(be), block(6, &[0; 24], be), block(5, &[0; 12], be)].concat());
        assert_eq!(count(&file).unwrap(), 3);
        file.extend(block(6, &[0; 24], be));
        assert_eq!(counted(&file).unwrap(), Counted { packets: 4, cut_at: None });
        file.truncate(file.len() - 1);
        assert_eq!(count(&file).unwrap(), 3);
        file.extend([&[0], be(6).as_slice(), &be(7)].concat());
        assert!(matches!(count(&file), Err(CaptureError::Length { length: 7, .. })));
    }
}
