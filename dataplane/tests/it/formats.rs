//! The same packets in every file format give the same events; damaged files say where and what.

use std::io::{Cursor, Write};

use dataplane::{EventTx, FeedConfig, FeedKind, FileOptions, FileSource, SourceError, open_files};
use stage::{LosslessTx, ring};
use types::{Action, BookEvent};

use crate::common::{Replay, drive, replay_source};
use crate::wirekit::{Endian, LINES, SESSION, add, adds, frame, mold, pcap, pcapng};

/// 2024-03-11, 09:30 in New York.
const OPEN_NS: u64 = 1_710_163_800_000_000_000;

fn packets() -> Vec<(u64, Vec<u8>)> {
    (0..200).map(|n| (OPEN_NS + n * 7_000, frame(LINES[0], &adds(n * 3 + 1, 3)))).collect()
}

fn read(name: &str, bytes: Vec<u8>) -> Result<Replay, SourceError> {
    let source = FileSource::from_reader(name, Box::new(Cursor::new(bytes)), FileOptions::default())?;
    Ok(replay_source(source, &FeedConfig::new(FeedKind::Itch50), 100))
}

fn events(bytes: Vec<u8>) -> Vec<BookEvent> {
    let got = read("file", bytes).unwrap();
    assert!(got.error.is_none(), "{}", got.error_text());
    got.events
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_format_gives_the_same_events() {
    let packets = packets();
    let reference = events(pcap(Endian::Little, true, &packets));
    // One definition, then an order per message; ITCH time counts from the midnight of the first packet's day.
    assert_eq!(reference.len(), 601);
    assert_eq!(reference[1].ts_event.0, OPEN_NS - 34_200_000_000_000 + 1_001);
    assert_eq!((reference[600].ts_recv.0, reference[600].seq.0), (OPEN_NS + 199 * 7_000, 600));
    for file in [
        pcap(Endian::Big, true, &packets),
        pcap(Endian::Little, false, &packets),
        pcap(Endian::Big, false, &packets),
        pcapng(Endian::Little, &packets),
        pcapng(Endian::Big, &packets),
    ] {
        assert!(events(file) == reference);
    }
}

#[test]
fn compression_is_seen_through() {
    let plain = pcap(Endian::Little, true, &packets());
    let reference = events(plain.clone());
    assert!(events(gzip(&plain)) == reference);
    assert!(events(zstd::encode_all(&plain[..], 3).unwrap()) == reference);
    // Two members in one gzip file, as parallel compressors write them.
    let (head, tail) = plain.split_at(10_000);
    assert!(events([gzip(head), gzip(tail)].concat()) == reference);
}

#[test]
fn a_raw_file_is_read_with_and_without_its_end_marker() {
    let mut file: Vec<u8> = (1..=50).flat_map(|n| [&[0, 36][..], &add(n)].concat()).collect();
    let plain = read("raw", file.clone()).unwrap();
    assert!(plain.error.is_none());
    assert_eq!((plain.stats.messages, plain.stats.first_seq, plain.stats.last_seq), (50, 1, 50));
    // Without a capture there is no date and no arrival: both times are the message's own.
    assert_eq!((plain.events[1].ts_event.0, plain.events[1].ts_recv.0), (1_001, 1_001));
    file.extend([0, 0]);
    assert!(read("raw", file).unwrap().events == plain.events);
}

fn open(paths: &[&std::path::Path], kind: FeedKind) -> Result<Replay, String> {
    let paths: Vec<_> = paths.iter().map(|p| p.to_path_buf()).collect();
    let (tx, mut rx) = ring(64);
    let tx = EventTx::Replay(LosslessTx::new(tx));
    let mut feed = open_files("receiver", &paths, &FeedConfig::new(kind), FileOptions::default(), tx, None)
        .map_err(|e| e.to_string())?;
    Ok(drive(&mut *feed, &mut rx))
}

#[test]
fn captures_of_two_lines_are_merged_by_their_stamps() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.pcap"), folder.path().join("b.pcapng"));
    // Line A lacks packets 50 to 59 and line B runs 20 µs behind and lacks 55 to 64: five are lost on both.
    let line = |group, late, lost: std::ops::Range<u64>| -> Vec<_> {
        let sent = (0..200).filter(|n| !lost.contains(n));
        sent.map(|n| (OPEN_NS + n * 7_000 + late, frame(group, &adds(n * 3 + 1, 3)))).collect()
    };
    std::fs::write(&a, pcap(Endian::Little, true, &line(LINES[0], 0, 50..60))).unwrap();
    std::fs::write(&b, pcapng(Endian::Big, &line(LINES[1], 20_000, 55..65))).unwrap();
    let got = open(&[&a, &b], FeedKind::Itch50).unwrap();
    assert!(got.error.is_none(), "{}", got.error_text());
    let stats = &got.stats;
    assert_eq!((stats.packets, stats.messages), (380, 585));
    assert_eq!((stats.gaps, stats.missing, stats.duplicates, stats.late), (1, 15, 555, 0));
    let gap = got.events.iter().find(|e| e.action == Action::Gap).unwrap();
    assert_eq!((gap.order_id, gap.aux), (166, 15));
}

#[test]
fn files_without_stamps_come_in_the_order_given() {
    let folder = tempfile::tempdir().unwrap();
    let part = |name: &str, numbers: std::ops::Range<u64>| {
        let path = folder.path().join(name);
        let bytes: Vec<u8> = numbers.flat_map(|n| [&[0, 36][..], &add(n)].concat()).collect();
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let (first, second) = (part("z.itch", 1..4), part("a.itch", 4..7));
    let got = open(&[&first, &second], FeedKind::Itch50).unwrap();
    let orders: Vec<_> = got.events.iter().skip(1).map(|e| (e.seq.0, e.order_id)).collect();
    assert_eq!(orders, [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6)]);
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zip");
    std::fs::write(&path, b"PK\x03\x04 and so on").unwrap();
    let why = |paths: &[&std::path::Path], kind| open(paths, kind).err().unwrap();
    assert!(why(&[&path], FeedKind::Itch50).contains("LOBSTER samples are read as feed lobster"));
    assert_eq!(why(&[&path, &path], FeedKind::Lobster), "found 2 LOBSTER archives, wanted one");
    let raw = folder.path().join("day.itch");
    std::fs::write(&raw, [&[0, 36][..], &add(1)].concat()).unwrap();
    for kind in [FeedKind::Deep, FeedKind::Tops] {
        let wanted = format!("wanted a capture of {kind}");
        let text = why(&[&raw], kind);
        assert!(
            text.contains("day.itch: found length-prefixed ITCH 5.0") && text.contains(&wanted),
            "{text}"
        );
    }
    // The same messages in packets of a capture, whatever it is named.
    let capture = folder.path().join("deep.pcap");
    std::fs::write(&capture, pcap(Endian::Little, true, &packets())).unwrap();
    for kind in [FeedKind::Deep, FeedKind::Tops] {
        let got = open(&[&capture], kind).unwrap();
        assert!(got.events.is_empty() && got.error.is_some(), "{kind}: {:?}", got.stats);
        let text = got.error_text();
        assert!(text.contains("deep.pcap") && text.contains(&kind.to_string()), "{kind}: {text}");
    }
    assert!(why(&[], FeedKind::Deep).contains("found 0 input files, wanted 1 to 64"));
    assert!(why(&[&folder.path().join("none.pcap")], FeedKind::Deep).contains("none.pcap: cannot be opened"));
}

/// What reading `bytes` says in the end, be it at once or after some packets; a cut is said and is no error.
fn complaint(bytes: Vec<u8>) -> String {
    match read("cut.pcap", bytes) {
        Err(refused) => refused.to_string(),
        Ok(got) => {
            assert!(got.error.is_none() || got.stats.source.cut.is_none());
            got.stats.source.cut.clone().unwrap_or_else(|| got.error_text())
        }
    }
}

#[test]
fn what_was_whole_before_a_cut_is_read() {
    let good = pcap(Endian::Little, true, &packets());
    let reference = events(good.clone());
    let record = 16 + packets()[0].1.len();
    for cut in [record - 1, 10, 1] {
        let got = read("cut", good[..24 + 100 * record + cut].to_vec()).unwrap();
        assert!(got.error.is_none() && got.stats.source.cut.is_some(), "{cut}");
        assert!(got.events == reference[..301], "{cut}");
    }
    let whole = read("whole", good[..24 + 100 * record].to_vec()).unwrap();
    assert_eq!((whole.stats.source.cut, whole.stats.messages), (None, 300));
    // The other of two files is read on.
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.pcap"), folder.path().join("b.pcap"));
    std::fs::write(&a, &good[..24 + 100 * record + 5]).unwrap();
    std::fs::write(&b, &good).unwrap();
    let got = open(&[&a, &b], FeedKind::Itch50).unwrap();
    assert_eq!((got.stats.messages, got.stats.duplicates), (600, 300));
    assert!(got.stats.source.cut.unwrap().contains("a.pcap"));
}

/// A datagram of another protocol on another group, before the first of the feed.
fn foreign(n: u64) -> (u64, Vec<u8>) {
    (OPEN_NS - 20_000 + n, frame("10.1.1.1:53".parse().unwrap(), b"hello dns"))
}

#[test]
fn packets_of_others_come_first_and_are_counted() {
    let mut all: Vec<_> = (0..20_000).map(foreign).collect();
    all.extend(packets());
    let got = read("mixed", pcap(Endian::Little, true, &all)).unwrap();
    assert!(got.error.is_none(), "{}", got.error_text());
    assert_eq!((got.stats.other_traffic, got.stats.messages, got.stats.errors_total()), (20_000, 600, 0));
    let only: Vec<_> = (0..5_000).map(foreign).collect();
    let text = complaint(pcap(Endian::Little, true, &only));
    assert!(text.contains("5000 packets, none of them of this feed (truncated"), "{text}");
}

#[test]
fn one_packet_of_another_session_does_not_choose_the_feed() {
    let group = "233.54.12.9:26477".parse().unwrap();
    let stray = |n: u64| (OPEN_NS - 20_000 + n, frame(group, &mold(*b"OTHER00001", 7 + n, &[b"x".to_vec()])));
    let reference = events(pcap(Endian::Little, true, &packets()));
    let mut all = vec![stray(0), stray(1)];
    all.extend(packets());
    let got = read("mixed", pcap(Endian::Little, true, &all)).unwrap();
    assert!(got.events == reference);
    assert_eq!((got.stats.messages, got.stats.other_traffic, got.stats.lines.len()), (600, 2, 1));
    assert_eq!(
        got.stats.left_out.iter().map(|left| (left.group, left.packets)).collect::<Vec<_>>(),
        [(group, 2)]
    );
    // What is there is all that can tell.
    let got = read("short", pcap(Endian::Little, true, &packets()[..1])).unwrap();
    assert_eq!(got.stats.sessions, 1);
}

#[test]
fn blocks_and_interfaces_that_are_not_ours_are_skipped_and_counted() {
    let good = pcapng(Endian::Little, &packets());
    let reference = events(good.clone());
    let first_packet = good.windows(4).position(|w| w == [6, 0, 0, 0]).unwrap();
    let block = |kind: u32, body: &[u8]| {
        let len = (body.len() as u32 + 12).to_le_bytes();
        [&kind.to_le_bytes()[..], &len, body, &len].concat()
    };
    // An interface of Bluetooth, a packet of it, a block of 300 kB and a packet of 400 kB.
    let bluetooth = block(1, &[187, 0, 0, 0, 0, 0, 4, 0]);
    let of_interface = |interface: u32, bytes: &[u8]| {
        let len = bytes.len() as u32;
        let words: Vec<u8> = [interface, 0, 0, len, len].iter().flat_map(|w| w.to_le_bytes()).collect();
        block(6, &[&words[..], bytes].concat())
    };
    let foreign = of_interface(2, &[1; 40]);
    let [large, jumbo] = [block(0x0bad, &[7; 300_000]), of_interface(1, &[0; 400_000])];
    let parts = [&good[..first_packet], &bluetooth, &large, &foreign, &jumbo, &good[first_packet..]];
    let got = read("mixed", parts.concat()).unwrap();
    assert!(got.error.is_none() && got.events == reference, "{}", got.error_text());
    assert_eq!((got.stats.source.skipped_blocks, got.stats.source.skipped_packets), (1, 2));
    // Nothing but packets of other networks is another kind of capture.
    let none = [&good[..first_packet], &bluetooth, &foreign].concat();
    assert!(complaint(none).contains("found link type 187"));
}

#[test]
fn one_wrong_stamp_moves_no_clock() {
    let mut wrong = packets();
    wrong[50].0 += 10_000_000_000;
    let mut right = packets();
    right[50].0 = right[49].0;
    let [wrong, right] = [wrong, right].map(|p| read("x", pcap(Endian::Little, true, &p)).unwrap());
    assert!(wrong.events == right.events);
    assert_eq!((wrong.stats.stamp_outliers, right.stats.stamp_outliers), (1, 0));
}

#[test]
fn wrong_first_stamps_and_several_in_a_row_move_no_clock() {
    let year = 365 * 86_400_000_000_000;
    for wrong in [0..1, 0..3, 50..53] {
        let mut packets = packets();
        let right = if wrong.start == 0 { packets[wrong.end].0 } else { packets[wrong.start - 1].0 };
        packets[wrong.clone()].iter_mut().for_each(|packet| packet.0 += year);
        let got = read("x", pcap(Endian::Little, true, &packets)).unwrap();
        packets[wrong.clone()].iter_mut().for_each(|packet| packet.0 = right);
        let wanted = read("x", pcap(Endian::Little, true, &packets)).unwrap();
        assert!(got.events == wanted.events, "{wrong:?}");
        assert_eq!((got.stats.stamp_outliers, wanted.stats.stamp_outliers), (wrong.len() as u64, 0));
    }
}

#[test]
fn one_wrong_venue_time_is_not_followed() {
    let add_at = |seq: u64, ns| wire::itch50::AddOrder::new(7, 0, ns, seq, b'B', 100, *b"TEST    ", 10_000);
    let day = 34_200_000_000_000;
    let message = |seq: u64| {
        let ns = if seq == 3 { (1 << 48) - 1 } else { day + seq };
        wire::IntoBytes::as_bytes(&add_at(seq, ns)).to_vec()
    };
    let packet = |seq| (OPEN_NS + seq * 1_000, frame(LINES[0], &mold(SESSION, seq, &[message(seq)])));
    let got = read("x", pcap(Endian::Little, true, &(1..=5).map(packet).collect::<Vec<_>>())).unwrap();
    let times: Vec<_> = got.events.iter().skip(1).map(|e| e.ts_event.0 - OPEN_NS).collect();
    assert_eq!(times, [1, 2, 2, 4, 5]);
    assert_eq!((got.stats.event_time_outliers(), got.stats.last_ts().0), (1, OPEN_NS + 5));
}

#[test]
fn one_venue_time_a_little_ahead_is_not_followed_until_another_agrees() {
    let day = 34_200_000_000_000;
    let message = |seq: u64, ahead: u64| {
        let add = wire::itch50::AddOrder::new(
            7,
            0,
            day + seq * 1_000 + ahead,
            seq,
            b'B',
            100,
            *b"TEST    ",
            10_000,
        );
        wire::IntoBytes::as_bytes(&add).to_vec()
    };
    let packet =
        |(seq, ahead)| (OPEN_NS + seq * 1_000, frame(LINES[0], &mold(SESSION, seq, &[message(seq, ahead)])));
    let times = |ahead: [u64; 5]| {
        let packets: Vec<_> = (1..).zip(ahead).map(packet).collect();
        let got = read("x", pcap(Endian::Little, true, &packets)).unwrap();
        let times: Vec<_> = got.events.iter().skip(1).map(|e| (e.ts_event.0 - OPEN_NS) / 1_000).collect();
        (times, got.stats.event_time_outliers())
    };
    for ahead in [200_000_000, 1_000_000_000, 9_900_000_000] {
        assert_eq!(times([0, 0, ahead, 0, 0]), (vec![1, 2, 2, 4, 5], 1), "{ahead}");
        let moved = ahead / 1_000;
        assert_eq!(times([0, 0, ahead, ahead, ahead]), (vec![1, 2, 2, moved + 4, moved + 5], 1), "{ahead}");
    }
}

#[test]
fn a_time_in_a_raw_file_waits_for_the_next_message_to_agree() {
    const HOUR: u64 = 3_600_000_000_000;
    let times = |hours: [u64; 5]| {
        let message = |(seq, hour): (u64, u64)| {
            let add =
                wire::itch50::AddOrder::new(7, 0, hour * HOUR + seq, seq, b'B', 100, *b"TEST    ", 10_000);
            let bytes = wire::IntoBytes::as_bytes(&add).to_vec();
            [&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat()
        };
        let got = read("x.itch", (1..).zip(hours).flat_map(message).collect()).unwrap();
        let hours: Vec<_> = got.events.iter().skip(1).map(|e| e.ts_event.0 / HOUR).collect();
        (hours, got.stats.event_time_outliers(), got.stats.stamp_outliers)
    };
    assert_eq!(times([9, 9, 20, 9, 9]), (vec![9, 9, 9, 9, 9], 1, 0), "a mistake");
    assert_eq!(times([9, 9, 3, 9, 9]), (vec![9, 9, 9, 9, 9], 1, 0), "one behind");
    assert_eq!(times([9, 9, 78, 9, 9]), (vec![9, 9, 9, 9, 9], 1, 0), "no time of a day");
    assert_eq!(times([9, 9, 20, 20, 20]), (vec![9, 9, 20, 20, 20], 0, 0), "a silence");
    assert_eq!(times([22, 23, 0, 1, 2]), (vec![22, 23, 24, 25, 26], 0, 0), "over midnight");
}

#[test]
fn checksums_of_captures_are_looked_at() {
    let mut damaged = packets();
    let last = damaged[7].1.len() - 1;
    damaged[7].1[last] ^= 1;
    let got = read("x", pcap(Endian::Little, true, &damaged)).unwrap();
    assert_eq!((got.stats.bad_checksums, got.stats.messages), (1, 597), "counted, and not read");
    assert_eq!((got.stats.gaps, got.stats.missing, got.stats.lines[0].stats.bad), (1, 3, 1));
    // Where every one is wrong, somebody rewrote the capture.
    let mut rewritten = packets();
    rewritten.iter_mut().for_each(|(_, frame)| frame[40] ^= 1);
    let got = read("x", pcap(Endian::Little, true, &rewritten)).unwrap();
    assert_eq!((got.stats.bad_checksums, got.stats.messages), (200, 600), "counted, and read");
}

#[test]
fn damage_is_located() {
    let good = pcap(Endian::Little, true, &packets());
    let record = 16 + packets()[0].1.len();
    // The second packet is cut in its middle.
    let cut = complaint(good[..24 + record + 100].to_vec());
    let wanted = format!("offset {}: found the end of the file after 84 bytes of a packet", 24 + record);
    assert!(cut.starts_with("cut.pcap: ") && cut.contains(&wanted), "{cut}");
    let header = complaint(good[..10].to_vec());
    assert!(header.contains("wanted a pcap file header of 24 bytes"), "{header}");
    let mut huge = good.clone();
    huge[24 + 8..24 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(complaint(huge).contains("offset 24: found a record of 4294967295 bytes"));
    let mut wifi = good.clone();
    wifi[20] = 105;
    assert!(complaint(wifi).contains("found link type 105"));
    assert!(complaint(b"# just some notes".to_vec()).contains("found bytes 23 20 6a 75"));
    let mut torn = gzip(&good);
    torn.truncate(torn.len() / 2);
    assert!(complaint(torn).contains("cut.pcap: cannot be read on at offset"));
}

#[test]
fn damaged_pcapng_is_located() {
    let good = pcapng(Endian::Little, &packets()[..2]);
    assert!(complaint(good[..good.len() - 3].to_vec()).contains("found the end of the file after"));
    let mut odd = good.clone();
    odd[28 + 4] = 21;
    assert!(complaint(odd).contains("offset 28: found block length 21"), "length is a multiple of four");
    let mut version = good.clone();
    version[12] = 7;
    assert!(complaint(version).contains("found pcapng version 7.0, wanted version 1"));
    let mut orphan = good.clone();
    let packet = good.windows(4).position(|w| w == [6, 0, 0, 0]).unwrap();
    orphan[packet + 8] = 2;
    assert!(complaint(orphan).contains("found a packet of interface 2, wanted one of the 2 described"));
    let mut long = good.clone();
    long[packet + 20..packet + 24].copy_from_slice(&100_000_u32.to_le_bytes());
    assert!(complaint(long).contains("room for 100000 bytes"));
}

#[test]
fn no_bytes_make_the_readers_panic() {
    // Every file with one byte changed, at a stride through it: an error or other events, but an end.
    for good in [pcap(Endian::Little, true, &packets()[..4]), pcapng(Endian::Big, &packets()[..4])] {
        for at in (0..good.len()).step_by(3) {
            for bit in [0x01, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] ^= bit;
                let _ = read("mutant", bad);
            }
        }
    }
}
