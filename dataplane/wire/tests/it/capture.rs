//! As much of pcap and pcapng as the published test captures use: little-endian, one interface.

use wire::frame::LinkType;

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The link type and the packets of a capture file.
pub(crate) fn packets(file: &[u8]) -> (LinkType, Vec<&[u8]>) {
    match u32_at(file, 0) {
        0xa1b2_c3d4 | 0xa1b2_3c4d => pcap(file),
        0x0a0d_0d0a => pcapng(file),
        magic => panic!("no capture file: magic 0x{magic:08x}"),
    }
}

fn pcap(file: &[u8]) -> (LinkType, Vec<&[u8]>) {
    let link = LinkType::from_pcap(u32_at(file, 20)).unwrap();
    let (mut at, mut out) = (24, Vec::new());
    while at < file.len() {
        let len = u32_at(file, at + 8) as usize;
        out.push(&file[at + 16..at + 16 + len]);
        at += 16 + len;
    }
    (link, out)
}

fn pcapng(file: &[u8]) -> (LinkType, Vec<&[u8]>) {
    let (mut at, mut out, mut link) = (0, Vec::new(), None);
    while at < file.len() {
        match u32_at(file, at) {
            1 => link = LinkType::from_pcap(u32_at(file, at + 8) & 0xffff),
            6 => out.push(&file[at + 28..][..u32_at(file, at + 20) as usize]),
            _ => {}
        }
        at += u32_at(file, at + 4) as usize;
    }
    (link.unwrap(), out)
}
