//! How much of a capture DPDK's `net_pcap` is to give.

use std::path::Path;

use dataplane::SourceError;
use dataplane::source::CaptureCount;

fn counted(bytes: &[u8]) -> Result<CaptureCount, SourceError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.pcap");
    std::fs::write(&path, bytes).unwrap();
    CaptureCount::of(&path)
}

fn refusal(bytes: &[u8]) -> String {
    counted(bytes).unwrap_err().to_string()
}

/// A little-endian pcap file of link type `link` with records of these lengths.
fn pcap(link: u32, lengths: &[u32]) -> Vec<u8> {
    let mut file: Vec<u8> =
        [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 65_535, link].iter().flat_map(|w| w.to_le_bytes()).collect();
    for &length in lengths {
        file.extend([0, 0, length, length].iter().flat_map(|w| w.to_le_bytes()));
        file.resize(file.len() + length as usize, 0xee);
    }
    file
}

/// A pcapng block of `kind`.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = (12 + body.len() as u32).to_le_bytes();
    [&kind.to_le_bytes()[..], &length, body, &length].concat()
}

fn interface(link: u8) -> Vec<u8> {
    block(1, &[link, 0, 0, 0, 0, 0, 0, 0])
}

fn packet(interface: u8, length: u32) -> Vec<u8> {
    let words = [interface.into(), 0, 0, length, length].map(u32::to_le_bytes).concat();
    block(6, &[words, vec![0xee; length as usize]].concat())
}

fn section() -> Vec<u8> {
    block(0x0a0d_0d0a, &[&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat())
}

#[test]
fn what_is_whole_counts_up_to_a_cut_or_to_damage() {
    let mut file = pcap(1, &[60, 60]);
    let whole = counted(&file).unwrap();
    assert_eq!((whole.packets, whole.notes.cut, whole.damage.is_none()), (2, None, true));
    file.pop();
    let cut = counted(&file).unwrap();
    assert_eq!((cut.packets, cut.damage.is_none()), (1, true));
    assert!(cut.notes.cut.unwrap().contains("offset 100: found the end of the file after 59 bytes"));
    let damaged = counted(&pcap(1, &[60, 300_000, 60])).unwrap();
    assert_eq!((damaged.packets, damaged.notes.cut), (1, None));
    assert!(damaged.damage.unwrap().to_string().contains("offset 100: found a record of 300000 bytes"));
}

#[test]
fn what_libpcap_does_not_deliver_ends_the_count() {
    let good = [section(), interface(1), packet(0, 60)].concat();
    let long = [good.clone(), packet(0, 300_000), packet(0, 60)].concat();
    let counted_long = counted(&long).unwrap();
    let damage = counted_long.damage.unwrap().to_string();
    assert_eq!((counted_long.packets, counted_long.notes.skipped_packets), (1, 0));
    assert!(damage.contains(&format!("offset {}: found a packet of another kind", good.len())), "{damage}");
    // A block that carries no packet is passed over.
    let foreign = [good, block(0x0bad, &vec![0; 300_000]), packet(0, 60)].concat();
    let counted = counted(&foreign).unwrap();
    assert_eq!((counted.packets, counted.notes.skipped_blocks, counted.damage.is_none()), (2, 1, true));
}

#[test]
fn what_net_pcap_gives_nothing_of_is_refused() {
    let wifi = [section(), interface(1), interface(105), packet(0, 60), packet(1, 60)].concat();
    assert!(refusal(&wifi).contains("found an interface of link type 105, wanted Ethernet"));
    assert!(refusal(&[section(), interface(105), packet(0, 60)].concat()).contains("link type 105"));
    assert!(refusal(&pcap(101, &[60])).contains("found a capture of link type RawIp, wanted Ethernet"));
    assert!(refusal(&[0x1f, 0x8b, 8, 0]).contains("found a gzip file, wanted a pcap or pcapng file"));
    assert!(refusal(b"").contains("found an empty file"));
    assert!(refusal(b"PK\x03\x04").contains("found bytes [50, 4b, 03, 04]"));
    assert!(CaptureCount::of(Path::new("/dev/null")).unwrap_err().to_string().contains("no regular file"));
    let missing = CaptureCount::of(Path::new("/nonexistent")).unwrap_err();
    assert!(matches!(missing, SourceError::Open { .. }), "{missing}");
}
