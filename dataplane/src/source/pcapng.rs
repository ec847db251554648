//! pcapng: sections of blocks, interfaces with link types and clocks of their own, either byte order.
//!
//! Section and interface blocks go through `pcap-parser`. Packet blocks are read in place, because the parser makes a
//! list of every packet's options, and a replay does not allocate per packet.

use pcap_parser::{InterfaceDescriptionBlock, OptionCode};
use pcap_parser::{
    parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le, parse_sectionheaderblock,
};
use types::UnixNanos;
use wire::frame::LinkType;

use super::error::Fault;
use super::packet::{Layer, Packet};
use super::pcap::link_type;
use super::window::{RECORD_BYTES_MAX, Window};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
/// Byte-order magic of a section, in the section's own order.
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Type, length, and the length again behind the body.
const BLOCK_OVERHEAD: usize = 12;
/// Interfaces a section may describe.
const INTERFACES_MAX: usize = 1_024;

/// Whether the bytes begin a pcapng file.
pub(super) fn is_pcapng(head: &[u8]) -> bool {
    head.starts_with(&SECTION_HEADER.to_le_bytes())
}

/// How an interface tells the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// 10^-n seconds.
    Decimal(u32),
    /// 2^-n seconds.
    Binary(u32),
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: u32,
    unit: Unit,
    offset_s: i64,
}

/// Where a packet block keeps what is asked of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    ts: UnixNanos,
    link: LinkType,
    data_at: usize,
    data_len: usize,
    block_len: usize,
}

/// Reader of one pcapng file.
pub(super) struct PcapNg {
    big_endian: bool,
    interfaces: Vec<Interface>,
    last_ts: UnixNanos,
    found: Option<Found>,
    delivered: bool,
    skipped_blocks: u64,
    skipped_packets: u64,
    /// Link type of the first packet that was skipped because of it.
    foreign_link: Option<u32>,
    /// Link type of the first interface, of any section, that is not Ethernet.
    not_ethernet: Option<u32>,
}

impl PcapNg {
    pub(super) fn begin() -> Self {
        let interfaces = Vec::with_capacity(INTERFACES_MAX);
        Self {
            big_endian: false,
            interfaces,
            last_ts: UnixNanos(0),
            found: None,
            delivered: false,
            skipped_blocks: 0,
            skipped_packets: 0,
            foreign_link: None,
            not_ethernet: None,
        }
    }

    /// Blocks that carry no packets, and were too long to look at.
    pub(super) fn skipped_blocks(&self) -> u64 {
        self.skipped_blocks
    }

    /// Packets of interfaces of another kind of network, and packets longer than any datagram.
    pub(super) fn skipped_packets(&self) -> u64 {
        self.skipped_packets
    }

    /// The first link type that an interface was described with so far and that is not Ethernet.
    pub(super) fn link_if_not_ethernet(&self) -> Option<String> {
        self.not_ethernet.map(|number| format!("an interface of link type {number}"))
    }

    /// Makes the next packet available in the window and returns it; `None` at the end of the file. Blocks that carry no
    /// packet are read or skipped on the way.
    pub(super) fn peek(&mut self, window: &mut Window) -> Result<Option<(UnixNanos, Found)>, Fault> {
        if let Some(found) = self.found {
            return Ok(Some((found.ts, found)));
        }
        while let Some(block_len) = self.next_block(window)? {
            if let Some(found) = self.read_block(window.data(), block_len)? {
                self.found = Some(found);
                self.delivered = true;
                self.last_ts = found.ts;
                return Ok(Some((found.ts, found)));
            }
            window.consume(block_len);
        }
        match self.foreign_link {
            Some(number) if !self.delivered => link_type(number).map(|_| None),
            _ => Ok(None),
        }
    }

    /// The packet that [`PcapNg::peek`] found, and how many bytes of the window its block takes.
    pub(super) fn packet<'w>(&mut self, window: &'w Window, found: Found) -> (Packet<'w>, usize) {
        self.found = None;
        let bytes = &window.data()[found.data_at..found.data_at + found.data_len];
        let offset = window.offset() + found.data_at as u64;
        (Packet { bytes, ts: found.ts, layer: Layer::Frame(found.link), offset }, found.block_len)
    }

    /// Brings a whole block into the window and returns its length. Blocks too long for the window are skipped, unless they
    /// describe what follows.
    fn next_block(&mut self, window: &mut Window) -> Result<Option<usize>, Fault> {
        let len = loop {
            if !window.require(BLOCK_OVERHEAD)? {
                return match window.data().len() {
                    0 => Ok(None),
                    n => Err(Fault::cut(
                        format!("the end of the file after {n} bytes"),
                        "a block of at least 12 bytes",
                    )),
                };
            }
            self.note_byte_order(window.data())?;
            let kind = self.u32_at(window.data(), 0);
            let len = usize::try_from(self.u32_at(window.data(), 4)).unwrap_or(usize::MAX);
            let describes = kind == SECTION_HEADER || kind == INTERFACE;
            if len < BLOCK_OVERHEAD || !len.is_multiple_of(4) || (describes && len > RECORD_BYTES_MAX) {
                let wanted = format!("a multiple of 4 between {BLOCK_OVERHEAD} and {RECORD_BYTES_MAX}");
                return Err(Fault::new(format!("block length {len}"), wanted));
            }
            if len <= RECORD_BYTES_MAX {
                break len;
            }
            if !window.skip(len as u64)? {
                return Err(Fault::cut("the end of the file within a block", format!("{len} bytes")));
            }
            match kind {
                OLD_PACKET | SIMPLE_PACKET | ENHANCED_PACKET => self.skipped_packets += 1,
                _ => self.skipped_blocks += 1,
            }
        };
        if !window.require(len)? {
            let got = window.data().len();
            return Err(Fault::cut(
                format!("the end of the file after {got} bytes of a block"),
                format!("{len} bytes"),
            ));
        }
        let again = self.u32_at(window.data(), len - 4);
        if again as usize != len {
            return Err(Fault::new(
                format!("block length {again} at the block's end"),
                format!("{len}, as at its start"),
            ));
        }
        Ok(Some(len))
    }

    /// A section header says in which byte order the section, itself included, is written.
    fn note_byte_order(&mut self, block: &[u8]) -> Result<(), Fault> {
        if u32::from_le_bytes(quad(block, 0)) != SECTION_HEADER {
            return Ok(());
        }
        let magic = quad(block, 8);
        self.big_endian = match u32::from_le_bytes(magic) {
            BYTE_ORDER_MAGIC => false,
            swapped if swapped.swap_bytes() == BYTE_ORDER_MAGIC => true,
            other => {
                return Err(Fault::new(
                    format!("byte-order magic 0x{other:08x}"),
                    "0x1a2b3c4d in either order",
                ));
            }
        };
        Ok(())
    }

    fn read_block(&mut self, data: &[u8], len: usize) -> Result<Option<Found>, Fault> {
        let block = &data[..len];
        match self.u32_at(block, 0) {
            SECTION_HEADER => self.read_section(block).map(|()| None),
            INTERFACE => self.read_interface(block).map(|()| None),
            ENHANCED_PACKET => self.read_packet(block, self.u32_at_checked(block, 8)?),
            OLD_PACKET => self.read_packet(block, self.old_interface(block)?),
            SIMPLE_PACKET => self.read_simple(block),
            _ => Ok(None),
        }
    }

    fn read_section(&mut self, block: &[u8]) -> Result<(), Fault> {
        self.interfaces.clear();
        match parse_sectionheaderblock(block) {
            Ok((_, section)) if section.major_version == 1 => Ok(()),
            Ok((_, section)) => {
                let found = format!("pcapng version {}.{}", section.major_version, section.minor_version);
                Err(Fault::new(found, "version 1"))
            }
            Err(_) => Err(Fault::new("a damaged section header", "a pcapng section header")),
        }
    }

    fn read_interface(&mut self, block: &[u8]) -> Result<(), Fault> {
        let parse = if self.big_endian {
            parse_interfacedescriptionblock_be
        } else {
            parse_interfacedescriptionblock_le
        };
        let Ok((_, description)) = parse(block) else {
            return Err(Fault::new("a damaged interface description", "an interface description block"));
        };
        if self.interfaces.len() == INTERFACES_MAX {
            return Err(Fault::new(format!("more than {INTERFACES_MAX} interfaces"), "fewer in one section"));
        }
        let described = interface(&description, self.big_endian)?;
        if LinkType::from_pcap(described.link) != Some(LinkType::Ethernet) {
            self.not_ethernet.get_or_insert(described.link);
        }
        self.interfaces.push(described);
        Ok(())
    }

    /// An enhanced (or old) packet block: interface, stamp in two halves, captured and original length, bytes.
    fn read_packet(&mut self, block: &[u8], interface: u32) -> Result<Option<Found>, Fault> {
        let data_at = 28;
        let described = self.interface(interface)?;
        let Some(link) = self.link_of(described) else { return Ok(None) };
        let ticks =
            u64::from(self.u32_at_checked(block, 12)?) << 32 | u64::from(self.u32_at_checked(block, 16)?);
        let captured = self.u32_at_checked(block, 20)? as usize;
        check_fits(block, data_at, captured)?;
        let (ts, block_len) = (described.stamp(ticks), block.len());
        Ok(Some(Found { ts, link, data_at, data_len: captured, block_len }))
    }

    /// A simple packet block has no stamp: time stands still.
    fn read_simple(&mut self, block: &[u8]) -> Result<Option<Found>, Fault> {
        let data_at = 12;
        let described = self.interface(0)?;
        let Some(link) = self.link_of(described) else { return Ok(None) };
        let original = self.u32_at_checked(block, 8)? as usize;
        let data_len = original.min(block.len().saturating_sub(BLOCK_OVERHEAD + 4));
        check_fits(block, data_at, data_len)?;
        Ok(Some(Found { ts: self.last_ts, link, data_at, data_len, block_len: block.len() }))
    }

    /// The link type of a packet's interface; none for another kind of network, whose packets are skipped.
    fn link_of(&mut self, interface: Interface) -> Option<LinkType> {
        let link = LinkType::from_pcap(interface.link);
        if link.is_none() {
            self.skipped_packets += 1;
            self.foreign_link = self.foreign_link.or(Some(interface.link));
        }
        link
    }

    fn interface(&self, index: u32) -> Result<Interface, Fault> {
        let known = self.interfaces.get(index as usize).copied();
        known.ok_or_else(|| {
            Fault::new(
                format!("a packet of interface {index}"),
                format!("one of the {} described", self.interfaces.len()),
            )
        })
    }

    fn old_interface(&self, block: &[u8]) -> Result<u32, Fault> {
        self.u32_at_checked(block, 8)?;
        let field = [block[8], block[9]];
        Ok(u32::from(if self.big_endian { u16::from_be_bytes(field) } else { u16::from_le_bytes(field) }))
    }

    fn u32_at(&self, bytes: &[u8], at: usize) -> u32 {
        if self.big_endian {
            u32::from_be_bytes(quad(bytes, at))
        } else {
            u32::from_le_bytes(quad(bytes, at))
        }
    }

    fn u32_at_checked(&self, block: &[u8], at: usize) -> Result<u32, Fault> {
        // The last four bytes repeat the length and belong to no field.
        check_fits(block, at, 4)?;
        Ok(self.u32_at(block, at))
    }
}

fn quad(bytes: &[u8], at: usize) -> [u8; 4] {
    [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]
}

fn check_fits(block: &[u8], at: usize, len: usize) -> Result<(), Fault> {
    if at.saturating_add(len).saturating_add(4) <= block.len() {
        return Ok(());
    }
    Err(Fault::new(
        format!("a block of {} bytes", block.len()),
        format!("room for {len} bytes at its offset {at}"),
    ))
}

/// What the description says, with the two options that `pcap-parser` 0.17 reads wrongly taken from its raw list: binary
/// resolutions are refused there, and the offset is taken for little-endian always.
fn interface(description: &InterfaceDescriptionBlock<'_>, big_endian: bool) -> Result<Interface, Fault> {
    let option = |code| description.options.iter().find(|o| o.code == code).map(|o| o.value.as_ref());
    let resolution = option(OptionCode::IfTsresol).and_then(|v| v.first()).copied().unwrap_or(6);
    let offset =
        option(OptionCode::IfTsoffset).and_then(|v| v.first_chunk::<8>()).copied().unwrap_or_default();
    let offset_s = if big_endian { i64::from_be_bytes(offset) } else { i64::from_le_bytes(offset) };
    let exponent = u32::from(resolution & 0x7f);
    let (unit, most) =
        if resolution & 0x80 == 0 { (Unit::Decimal(exponent), 18) } else { (Unit::Binary(exponent), 63) };
    if exponent > most {
        return Err(Fault::new(format!("clock resolution exponent {exponent}"), format!("at most {most}")));
    }
    Ok(Interface { link: description.linktype.0.cast_unsigned(), unit, offset_s })
}

impl Interface {
    fn stamp(self, ticks: u64) -> UnixNanos {
        let ticks = i128::from(ticks);
        let ns = match self.unit {
            Unit::Decimal(n) if n <= 9 => ticks * 10_i128.pow(9 - n),
            Unit::Decimal(n) => ticks / 10_i128.pow(n - 9),
            Unit::Binary(n) => (ticks * 1_000_000_000) >> n,
        };
        let shifted = ns + i128::from(self.offset_s) * 1_000_000_000;
        UnixNanos(u64::try_from(shifted.max(0)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_follow_the_interface_clock() {
        let at = |unit, offset_s, ticks| Interface { link: 1, unit, offset_s }.stamp(ticks).0;
        assert_eq!(at(Unit::Decimal(6), 0, 1_500_000_123_456), 1_500_000_123_456_000);
        assert_eq!(at(Unit::Decimal(9), 0, 77), 77);
        assert_eq!(at(Unit::Decimal(12), 0, 77_999), 77);
        assert_eq!(at(Unit::Binary(10), 0, 1_536), 1_500_000_000);
        assert_eq!(at(Unit::Decimal(0), -2, 5), 3_000_000_000);
        assert_eq!(at(Unit::Decimal(0), -9, 5), 0);
        assert_eq!(at(Unit::Decimal(0), 0, u64::MAX), u64::MAX);
    }
}
