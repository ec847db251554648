//! Classic pcap: one link type, records of seconds and micro- or nanoseconds, either byte order.

use pcap_parser::{LegacyPcapBlock, PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_header};
use types::UnixNanos;
use wire::frame::LinkType;

use super::error::Fault;
use super::packet::{Layer, Packet};
use super::window::{RECORD_BYTES_MAX, Window};

const FILE_HEADER_LEN: usize = 24;
const RECORD_HEADER_LEN: usize = 16;

/// Reader of one pcap file, its header read.
pub(super) struct Pcap {
    link: LinkType,
    big_endian: bool,
    nanoseconds: bool,
}

/// Whether the bytes begin a pcap file.
pub(super) fn is_pcap(head: &[u8]) -> bool {
    matches!(
        head.first_chunk::<4>(),
        Some(
            [0xd4, 0xc3, 0xb2, 0xa1]
                | [0xa1, 0xb2, 0xc3, 0xd4]
                | [0x4d, 0x3c, 0xb2, 0xa1]
                | [0xa1, 0xb2, 0x3c, 0x4d]
        )
    )
}

/// The link type with this number, if we read it.
pub(super) fn link_type(number: u32) -> Result<LinkType, Fault> {
    LinkType::from_pcap(number).ok_or_else(|| {
        Fault::new(
            format!("link type {number}"),
            "Ethernet (1), raw IP (101), Linux cooked (113, 276) or loopback (0): a capture of another kind of network",
        )
    })
}

impl Pcap {
    pub(super) fn begin(window: &mut Window) -> Result<Self, Fault> {
        if !window.require(FILE_HEADER_LEN)? {
            let found = format!("the end of the file after {} bytes", window.data().len());
            return Err(Fault::new(found, "a pcap file header of 24 bytes"));
        }
        let header = match parse_pcap_header(window.data()) {
            Ok((_, header)) => header,
            Err(_) => return Err(Fault::new("bytes that are no pcap file header", "a pcap file header")),
        };
        let (link, big_endian) = (link_of(&header)?, header.is_bigendian());
        let nanoseconds = header.is_nanosecond_precision();
        window.consume(FILE_HEADER_LEN);
        Ok(Self { link, big_endian, nanoseconds })
    }

    /// The file's link type, where it is not Ethernet.
    pub(super) fn link_if_not_ethernet(&self) -> Option<String> {
        (self.link != LinkType::Ethernet).then(|| format!("a capture of link type {:?}", self.link))
    }

    /// Makes the next record available in the window and returns its stamp and length; `None` at the end of the file.
    pub(super) fn peek(&self, window: &mut Window) -> Result<Option<(UnixNanos, usize)>, Fault> {
        if !window.require(RECORD_HEADER_LEN)? {
            return match window.data().len() {
                0 => Ok(None),
                n => Err(Fault::cut(
                    format!("the end of the file after {n} bytes"),
                    "a record header of 16 bytes",
                )),
            };
        }
        let captured = self.captured_len(window.data());
        if captured > RECORD_BYTES_MAX - RECORD_HEADER_LEN {
            let wanted =
                format!("at most {} captured bytes in a record", RECORD_BYTES_MAX - RECORD_HEADER_LEN);
            return Err(Fault::new(format!("a record of {captured} bytes"), wanted));
        }
        if !window.require(RECORD_HEADER_LEN + captured)? {
            let got = window.data().len() - RECORD_HEADER_LEN;
            return Err(Fault::cut(
                format!("the end of the file after {got} bytes of a packet"),
                format!("{captured} bytes"),
            ));
        }
        let record = self.record(window.data())?;
        Ok(Some((self.stamp(&record), captured)))
    }

    /// The record that [`Pcap::peek`] found, and how many bytes of the window it takes.
    pub(super) fn packet<'w>(
        &self,
        window: &'w Window,
        ts: UnixNanos,
        captured: usize,
    ) -> (Packet<'w>, usize) {
        let whole = RECORD_HEADER_LEN + captured;
        let bytes = &window.data()[RECORD_HEADER_LEN..whole];
        let offset = window.offset() + RECORD_HEADER_LEN as u64;
        (Packet { bytes, ts, layer: Layer::Frame(self.link), offset }, whole)
    }

    fn captured_len(&self, record: &[u8]) -> usize {
        let field = [record[8], record[9], record[10], record[11]];
        let len = if self.big_endian { u32::from_be_bytes(field) } else { u32::from_le_bytes(field) };
        usize::try_from(len).unwrap_or(usize::MAX)
    }

    fn record<'w>(&self, data: &'w [u8]) -> Result<LegacyPcapBlock<'w>, Fault> {
        let parse = if self.big_endian { parse_pcap_frame_be } else { parse_pcap_frame };
        match parse(data) {
            Ok((_, record)) => Ok(record),
            Err(_) => Err(Fault::new("bytes that are no pcap record", "a pcap record")),
        }
    }

    fn stamp(&self, record: &LegacyPcapBlock<'_>) -> UnixNanos {
        let unit = if self.nanoseconds { 1 } else { 1_000 };
        UnixNanos(u64::from(record.ts_sec) * 1_000_000_000 + u64::from(record.ts_usec) * unit)
    }
}

/// The lower 16 bits name the link type; the upper ones may tell the length of the frame check sequence.
fn link_of(header: &PcapHeader) -> Result<LinkType, Fault> {
    link_type(header.network.0.cast_unsigned() & 0xffff)
}
