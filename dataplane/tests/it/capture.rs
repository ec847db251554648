//! How much of a capture DPDK's `net_pcap` is to give.

use std::path::Path;

use dataplane::SourceError;
use dataplane::source::CaptureCount;

use crate::wirekit::{self, ETHERNET, Endian, block, interface, pcap_of_link, section};

const LITTLE: Endian = Endian::Little;
/// Link types that no port has.
const WIFI: u16 = 105;
const RAW_IP: u16 = 101;

fn counted(bytes: &[u8]) -> Result<CaptureCount, SourceError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.pcap");
    std::fs::write(&path, bytes).unwrap();
    CaptureCount::of(&path)
}

fn refusal(bytes: &[u8]) -> String {
    counted(bytes).unwrap_err().to_string()
}

/// A pcap file of link type `link` with packets of these lengths.
fn pcap(link: u16, lengths: &[usize]) -> Vec<u8> {
    let packets: Vec<_> = lengths.iter().map(|length| (0, vec![0xee; *length])).collect();
    pcap_of_link(LITTLE, true, link, &packets)
}

fn ethernet() -> Vec<u8> {
    interface(LITTLE, ETHERNET, &[])
}

fn wifi() -> Vec<u8> {
    interface(LITTLE, WIFI, &[])
}

fn packet(interface: u32, length: usize) -> Vec<u8> {
    wirekit::packet(LITTLE, interface, 0, &vec![0xee; length], &[])
}

#[test]
fn what_is_whole_counts_up_to_a_cut_or_to_damage() {
    let mut file = pcap(ETHERNET, &[60, 60]);
    let whole = counted(&file).unwrap();
    assert_eq!((whole.packets, whole.notes.cut, whole.damage.is_none()), (2, None, true));
    file.pop();
    let cut = counted(&file).unwrap();
    assert_eq!((cut.packets, cut.damage.is_none()), (1, true));
    assert!(cut.notes.cut.unwrap().contains("offset 100: found the end of the file after 59 bytes"));
    let damaged = counted(&pcap(ETHERNET, &[60, 300_000, 60])).unwrap();
    assert_eq!((damaged.packets, damaged.notes.cut), (1, None));
    assert!(damaged.damage.unwrap().to_string().contains("offset 100: found a record of 300000 bytes"));
}

#[test]
fn what_libpcap_does_not_deliver_ends_the_count() {
    let good = [section(LITTLE), ethernet(), packet(0, 60)].concat();
    let long = [good.clone(), packet(0, 300_000), packet(0, 60)].concat();
    let counted_long = counted(&long).unwrap();
    let damage = counted_long.damage.unwrap().to_string();
    assert_eq!((counted_long.packets, counted_long.notes.skipped_packets), (1, 0));
    assert!(damage.contains(&format!("offset {}: found a packet of another kind", good.len())), "{damage}");
    // A block that carries no packet is passed over.
    let foreign = [good, block(LITTLE, 0x0bad, &vec![0; 300_000]), packet(0, 60)].concat();
    let counted = counted(&foreign).unwrap();
    assert_eq!((counted.packets, counted.notes.skipped_blocks, counted.damage.is_none()), (2, 1, true));
}

#[test]
fn what_net_pcap_gives_nothing_of_is_refused() {
    let with_wifi = [section(LITTLE), ethernet(), wifi(), packet(0, 60), packet(1, 60)].concat();
    assert!(refusal(&with_wifi).contains("found an interface of link type 105, wanted Ethernet"));
    assert!(refusal(&[section(LITTLE), wifi(), packet(0, 60)].concat()).contains("link type 105"));
    assert!(refusal(&pcap(RAW_IP, &[60])).contains("found a capture of link type RawIp, wanted Ethernet"));
    assert!(refusal(&[0x1f, 0x8b, 8, 0]).contains("found a gzip file, wanted a pcap or pcapng file"));
    assert!(refusal(b"").contains("found an empty file"));
    assert!(refusal(b"\x00\x0cS\x00").contains("found bytes 00 0c 53 00"));
    assert!(refusal(b"PK\x03\x04").contains("found a zip archive"));
    assert!(CaptureCount::of(Path::new("/dev/null")).unwrap_err().to_string().contains("no regular file"));
    let missing = CaptureCount::of(Path::new("/nonexistent")).unwrap_err();
    assert!(matches!(missing, SourceError::Open { .. }), "{missing}");
}
