//! Real captures give the counts that independent decoders found.

use crate::common::{Replay, real_data, replay, replay_source};
use dataplane::{FeedConfig, FeedKind, FileOptions, FileSource, ItchFraming};
use std::collections::BTreeMap;
use types::{Action, EventFlags, InstrumentId, Symbol};

fn get(kind: FeedKind, path: &str) -> Option<Replay> {
    let file = real_data()?.join(path);
    Some(replay(&file, &FeedConfig::new(kind)).expect("the file opens"))
}

#[test]
fn the_itch_snippet() {
    let Some(got) = get(FeedKind::Itch50, "itch/12302019_SNIPPET.NASDAQ_ITCH50") else { return };
    assert!(got.error.is_none(), "{}", got.error_text());
    let stats = &got.stats;
    assert_eq!(
        (stats.packets, stats.messages, stats.messages_unknown, stats.bytes),
        (1_000, 1_000, 0, 33_570)
    );
    assert_eq!(got.types(), "A367 C1 D167 E28 F193 I4 P4 Q4 S1 U225 X6");
    assert_eq!((stats.first_seq, stats.last_seq, stats.gaps, stats.errors_total()), (1, 1_000, 0, 0));
    // 09:30:00.000000230 to .002364611, Eastern.
    let open = (9 * 3_600 + 30 * 60) * 1_000_000_000;
    assert_eq!((stats.first_ts().0, stats.last_ts().0), (open + 230, open + 2_364_611));
    assert_eq!(got.count(Action::OrderAdd), 367 + 193);
    assert_eq!(got.count(Action::OrderExecute), 29);
    assert_eq!((got.count(Action::OrderReduce), got.count(Action::OrderDelete)), (6, 167));
    assert_eq!((got.count(Action::OrderReplace), got.count(Action::Gap)), (225, 0));
    assert_eq!(got.count(Action::Time), 1);
    // The file has no directory: each instrument is defined before its first event, and under its name at last.
    let mut defined = vec![false; got.symbols.len()];
    for event in got.events.iter().filter(|e| e.instrument != InstrumentId::ALL) {
        assert!(event.action == Action::Define || defined[event.instrument.index()]);
        defined[event.instrument.index()] = true;
    }
    assert!(defined.iter().all(|d| *d) && got.symbols.len() > 50);
}

#[test]
fn an_itch_file_cut_within_a_message() {
    let Some(got) = get(FeedKind::Itch50, "itch/first4096bytes.itch") else { return };
    assert_eq!((got.stats.messages, got.types().as_str()), (101, "H1 R98 S1 Y1"));
    assert!(got.error.is_none(), "{}", got.error_text());
    let text = got.stats.source.cut.clone().unwrap();
    assert!(
        text.contains("first4096bytes.itch: offset ") && text.contains("the end of the file after"),
        "{text}"
    );
    assert_eq!(got.count(Action::Define), 98);
}

#[test]
fn an_itch_file_without_lengths() {
    let Some(data) = real_data() else { return };
    let path = data.join("itch/RITCH_ex20101224.TEST_ITCH_50");
    let strict = replay(&path, &FeedConfig::new(FeedKind::Itch50)).unwrap();
    assert_eq!(strict.stats.messages, 0);
    assert!(
        strict.error_text().contains("offset 0: found a length prefix of zero"),
        "{}",
        strict.error_text()
    );

    let options = FileOptions { itch_framing: ItchFraming::TypeDriven };
    let source = FileSource::open(&path, options).unwrap();
    let lenient = replay_source(source, &FeedConfig::new(FeedKind::Itch50), 64);
    assert!(lenient.error.is_none(), "{}", lenient.error_text());
    assert_eq!(lenient.stats.messages, 12_012);
    assert_eq!(lenient.types(), "A4997 D1745 E198 F3 H3 P5000 R3 S6 U12 X45");
    assert_eq!((lenient.count(Action::OrderAdd), lenient.count(Action::Trade)), (5_000, 5_000));
    assert_eq!((lenient.count(Action::Clear), lenient.count(Action::SessionEnd)), (1, 1));
}

#[test]
fn the_deep_capture() {
    let Some(got) = get(FeedKind::Deep, "iex/DEEP10_20231002_0734.pcap.gz") else { return };
    assert!(got.error.is_none(), "{}", got.error_text());
    let stats = &got.stats;
    assert_eq!((stats.packets, stats.messages, stats.messages_unknown), (5_000, 48_325, 0));
    assert_eq!(got.types(), "51226 81526 D3 H11311 I11309 O11317 P11594 S2 T37");
    assert_eq!((stats.first_seq, stats.last_seq), (1, 48_325));
    assert_eq!((stats.gaps, stats.missing, stats.duplicates, stats.sessions), (0, 0, 0, 1));
    assert_eq!((stats.errors_total(), stats.bad_fields), (0, 0));
    assert_eq!(got.count(Action::LevelSet), 2_752);
    // A status a security, and the operational halts of fourteen.
    assert_eq!((got.count(Action::Trade), got.count(Action::Status)), (37, 11_311 + 14));
    let whole =
        got.events.iter().filter(|e| e.action == Action::LevelSet && e.flags.has(EventFlags::LAST)).count();
    assert!(whole > 0 && whole <= 2_752);
    let mut levels: Vec<_> =
        got.events.iter().filter(|e| e.action == Action::LevelSet).map(|e| e.instrument).collect();
    levels.sort_unstable();
    levels.dedup();
    assert_eq!(levels.len(), 207);
    assert!(got.symbols.contains(&"VOO".to_owned()));
    // 07:34:34 to 08:00:32, Eastern daylight time.
    let at = |h: u64, m: u64, s: u64| 1_696_219_200 + h * 3_600 + m * 60 + s;
    let (first, last) = (got.events[0].ts_recv.0 / 1_000_000_000, stats.last_ts().0 / 1_000_000_000);
    assert_eq!((first, last), (at(7, 34, 34), at(8, 0, 32)));
}

#[test]
fn the_tops_capture() {
    let Some(got) = get(FeedKind::Tops, "iex/TOPS16.pcapng.gz") else { return };
    assert!(got.error.is_none(), "{}", got.error_text());
    let stats = &got.stats;
    assert_eq!((stats.packets, stats.messages, stats.messages_unknown), (13_022, 57_674, 0));
    assert_eq!(got.types(), "A642 B3 D10 H7803 O7801 P7802 Q27217 S6 T6390");
    assert_eq!((stats.first_seq, stats.last_seq, stats.gaps, stats.missing), (1, 57_674, 0, 0));
    assert_eq!((got.count(Action::Clear), got.count(Action::SessionEnd)), (1, 1));
    assert_eq!((got.count(Action::Trade), got.count(Action::TradeBreak)), (6_390, 3));
    // 2017-07-10.
    assert_eq!(stats.first_ts().0 / 86_400_000_000_000, 17_357);
}

#[test]
fn a_tight_ring_changes_nothing() {
    let Some(data) = real_data() else { return };
    let path = data.join("iex/DEEP10_20231002_0734.pcap.gz");
    let config = FeedConfig::new(FeedKind::Deep);
    let wide = replay(&path, &config).unwrap();
    let tight = replay_source(FileSource::open(&path, FileOptions::default()).unwrap(), &config, 3);
    assert!(wide.events == tight.events);
    let one_by_one = FeedConfig { burst_max: 1, ..config };
    let single = replay(&path, &one_by_one).unwrap();
    assert!(wide.events == single.events);
    assert_eq!(wide.stats, single.stats);
}

#[test]
fn the_cme_capture_of_two_lines() {
    let Some(got) = get(FeedKind::Mdp3, "cme/Cme.Mdp3.Sbe.v8.1.pcap") else { return };
    assert!(got.error.is_none(), "{}", got.error_text());
    let stats = &got.stats;
    assert_eq!((stats.packets, stats.first_seq, stats.last_seq), (10_000, 17_347_815, 17_352_814));
    assert_eq!((stats.gaps, stats.missing, stats.duplicates, stats.sessions), (0, 0, 5_000, 1));
    assert_eq!((stats.errors_total(), stats.bad_fields, stats.messages_unknown), (0, 0, 0));
    let by_template: Vec<_> = (0..).zip(stats.by_type).filter(|(_, n)| *n > 0).collect::<Vec<(u16, u64)>>();
    assert_eq!(by_template, [(12, 6), (30, 99), (32, 4_898), (35, 179), (37, 57), (42, 60)]);
    assert_eq!(stats.lines.len(), 2);
    for line in &stats.lines {
        assert_eq!((line.stats.packets, line.stats.missing, line.stats.bad), (5_000, 0, 0));
    }
    // No definition is in it: instruments go by their numbers, and no update of any is missing.
    assert_eq!((got.symbols.len(), got.count(Action::Define), got.count(Action::Gap)), (39, 39, 0));
    assert!(got.symbols.contains(&"174969".to_owned()));
    // Three of the sixty summaries have two trades.
    assert_eq!((got.count(Action::Trade), got.count(Action::Time)), (63, 6));
    // Groups that nothing names as a member's hear no status.
    assert_eq!(got.count(Action::Status), 0);
    // 2016-09-27 21:46:13 to 22:00:30 UTC.
    assert_eq!(
        (stats.first_ts().0 / 1_000_000_000, stats.last_ts().0 / 1_000_000_000),
        (1_475_012_773, 1_475_013_630)
    );
}

/// Price and size of each level, by security and side.
type Positions = BTreeMap<(String, usize), Vec<Option<(i64, u32)>>>;

/// The positions of levels as the capture tells them, read by plain slicing, against the books that events make.
#[test]
fn the_books_of_the_cme_capture_are_its_levels_by_position() {
    let Some(got) = get(FeedKind::Mdp3, "cme/Cme.Mdp3.Sbe.v8.1.pcap") else { return };
    let path = real_data().expect("it was there").join("cme/Cme.Mdp3.Sbe.v8.1.pcap");
    let file = std::fs::read(path).expect("the capture");
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().expect("four bytes")) as usize;
    // Side, then ten places of price and size, by security.
    let mut positions = Positions::new();
    let mut at = 0;
    while at < file.len() {
        let (kind, length) = (word(&file[at..]), word(&file[at + 4..]));
        let block = &file[at..at + length];
        at += length;
        // An enhanced packet block with a frame to line A's port: Ethernet, IPv4 without options, UDP.
        if kind != 6 || block[28 + 36..28 + 38] != 14_320_u16.to_be_bytes() {
            continue;
        }
        let captured = word(&block[20..]);
        let mut rest = &block[28 + 42 + 12..28 + captured];
        while rest.len() > 10 {
            let size = usize::from(u16::from_le_bytes([rest[0], rest[1]]));
            let (message, after) = rest.split_at(size);
            rest = after;
            if message[4] == 32 {
                let entries = usize::from(message[23]);
                (0..entries).for_each(|n| place(&mut positions, &message[24 + 32 * n..][..32]));
            }
        }
    }
    let mut wanted: BTreeMap<(String, usize, i64), u32> = BTreeMap::new();
    for ((symbol, side), levels) in positions {
        wanted
            .extend(levels.into_iter().flatten().map(|(px, size)| ((symbol.clone(), side, px * 100), size)));
    }
    let mut book: BTreeMap<(String, usize, i64), u32> = BTreeMap::new();
    for e in got.events.iter().filter(|e| e.action == Action::LevelSet) {
        let key = (got.symbols[e.instrument.index()].clone(), e.side.index(), e.px.0);
        if e.qty.0 == 0 {
            book.remove(&key)
        } else {
            book.insert(key, e.qty.0)
        };
    }
    assert!(wanted.len() > 300, "{}", wanted.len());
    assert_eq!(book, wanted);
}

fn place(positions: &mut Positions, entry: &[u8]) {
    let price = i64::from_le_bytes(entry[..8].try_into().expect("a price"));
    let number = |at: usize| u32::from_le_bytes(entry[at..at + 4].try_into().expect("a number"));
    let side = usize::from(entry[26] - b'0');
    let levels = positions.entry((number(12).to_string(), side)).or_insert_with(|| vec![None; 10]);
    let at = usize::from(entry[24]) - 1;
    match entry[25] {
        0 => {
            levels.insert(at, Some((price, number(8))));
            levels.truncate(10);
        }
        1 => levels[at] = Some((price, number(8))),
        2 => {
            levels.remove(at);
            levels.push(None);
        }
        other => panic!("action {other} is not in the capture"),
    }
}

#[test]
fn the_vendor_vectors_of_cme_decode_whole() {
    let Some(data) = real_data() else { return };
    let mut files = 0;
    for folder in ["Mdp3.Sbe.v1.5", "Mdp3.Sbe.v1.8", "Mdp3.Sbe.v1.9"] {
        for entry in std::fs::read_dir(data.join("omi_vectors/Cme").join(folder)).unwrap().map(Result::unwrap)
        {
            let path = entry.path();
            for kind in [FeedKind::Mdp3, FeedKind::Mdp3Orders] {
                let got = replay(&path, &FeedConfig::new(kind)).unwrap();
                let at = format!(
                    "{}: {} {:?}",
                    path.display(),
                    got.error_text(),
                    got.stats.errors().collect::<Vec<_>>()
                );
                assert!(got.error.is_none() && got.stats.messages > 0, "{at}");
                assert_eq!(
                    (got.stats.errors_total(), got.stats.messages_unknown, got.stats.bad_fields),
                    (0, 0, 0),
                    "{at}"
                );
            }
            files += 1;
        }
    }
    assert_eq!(files, 10, "those of version 12 are of the feed over TCP");
}

#[test]
fn the_pitch_capture_begins_with_a_gap() {
    let Some(got) = get(FeedKind::Pitch, "cboe/mcastpitch_realtime_useq.pcap") else { return };
    assert!(got.error.is_none(), "{}", got.error_text());
    let stats = &got.stats;
    assert_eq!((stats.packets, stats.messages, stats.messages_unknown), (739, 40, 0));
    // Messages 1 and 2 were not captured; the line's heartbeats before say that they are the next.
    assert_eq!((stats.first_seq, stats.last_seq, stats.gaps, stats.missing), (1, 42, 1, 2));
    assert_eq!((stats.errors_total(), stats.bad_fields, stats.duplicates), (0, 0, 0));
    let by_type: Vec<_> = (0..).zip(stats.by_type).filter(|(_, n)| *n > 0).collect::<Vec<(u16, u64)>>();
    let wanted = [
        (0x20, 19),
        (0x21, 4),
        (0x22, 3),
        (0x23, 3),
        (0x26, 2),
        (0x27, 1),
        (0x28, 1),
        (0x29, 4),
        (0x2a, 2),
        (0x2b, 1),
    ];
    assert_eq!(by_type, wanted);
    // The line without a sequence is none of the feed.
    assert_eq!((stats.lines.len(), stats.lines[0].stats.packets), (1, 375));
    assert_eq!(
        (got.count(Action::Gap), got.count(Action::OrderAdd), got.count(Action::OrderExecute)),
        (1, 7, 3)
    );
    assert_eq!((got.count(Action::OrderReduce), got.count(Action::OrderReplace)), (2, 2));
    assert_eq!((got.count(Action::OrderDelete), got.count(Action::Trade)), (4, 3));
    assert_eq!((got.symbols.as_slice(), stats.unannounced_orders), (&["A".to_owned()][..], 0));
}

#[test]
fn the_vendor_vectors_of_pitch_decode_whole() {
    let Some(data) = real_data() else { return };
    let mut files = 0;
    for folder in ["Options.DepthOfBook.Pitch.v2.39.4", "Options.ComplexDepthOfBook.Pitch.v2.1.18"] {
        for entry in
            std::fs::read_dir(data.join("omi_vectors/Cboe").join(folder)).unwrap().map(Result::unwrap)
        {
            let path = entry.path();
            let got = replay(&path, &FeedConfig::new(FeedKind::Pitch)).unwrap();
            let at = format!(
                "{}: {} {:?}",
                path.display(),
                got.error_text(),
                got.stats.errors().collect::<Vec<_>>()
            );
            let is_heartbeat = path.to_string_lossy().contains("Heartbeat");
            assert!(is_heartbeat || (got.error.is_none() && got.stats.messages > 0), "{at}");
            assert_eq!(
                (got.stats.errors_total(), got.stats.messages_unknown, got.stats.bad_fields),
                (0, 0, 0),
                "{at}"
            );
            files += 1;
        }
    }
    assert_eq!(files, 14);
}

#[test]
fn two_captures_of_one_line_are_one_feed() {
    let Some(data) = real_data() else { return };
    let path = data.join("iex/DEEP10_20231002_0734.pcap.gz");
    let config = FeedConfig::new(FeedKind::Deep);
    let once = replay(&path, &config).unwrap();
    let source = FileSource::open_all(&[path.clone(), path], FileOptions::default()).unwrap();
    let twice = replay_source(source, &config, 4_096);
    assert_eq!((twice.stats.messages, twice.stats.duplicates, twice.stats.gaps), (48_325, 48_325, 0));
    let books =
        |r: &Replay| r.events.iter().filter(|e| e.action != Action::Time).copied().collect::<Vec<_>>();
    assert!(books(&once) == books(&twice));
}

#[test]
fn a_capture_of_another_protocol_is_named_as_such() {
    for (kind, path) in [
        (FeedKind::Itch50, "cme/Cme.Mdp3.Sbe.v8.1.pcap"),
        (FeedKind::Deep, "cme/Cme.Mdp3.Sbe.v8.1.pcap"),
        (FeedKind::Itch50, "iex/TOPS16.pcapng.gz"),
        (FeedKind::Deep, "iex/TOPS16.pcapng.gz"),
        (FeedKind::Itch50, "nyse/Nyse.ImbalancesFeed.v2.1.f.pcap"),
        (FeedKind::Itch50, "order_entry/bats_boe2_useq.pcap"),
        (FeedKind::Mdp3, "iex/TOPS16.pcapng.gz"),
        (FeedKind::Mdp3, "cboe/mcastpitch_realtime_useq.pcap"),
        (FeedKind::Mdp3, "nyse/Nyse.ImbalancesFeed.v2.1.f.pcap"),
        (FeedKind::Pitch, "cme/Cme.Mdp3.Sbe.v8.1.pcap"),
        (FeedKind::Pitch, "iex/TOPS16.pcapng.gz"),
        (FeedKind::Pitch, "nyse/Nyse.ImbalancesFeed.v2.1.f.pcap"),
    ] {
        let Some(got) = get(kind, path) else { return };
        let text = got.error_text();
        assert!(
            text.contains("none of them of this feed") && text.contains("another protocol"),
            "{path}: {text}"
        );
        assert_eq!((got.stats.messages, got.events.len()), (0, 0), "{path} as {kind}");
    }
}

#[test]
fn moldudp_packets_of_the_vendor_vectors() {
    let Some(data) = real_data() else { return };
    let mut packets = 0;
    for folder in ["Nasdaq.Equities.TotalView.Itch.v5.0", "Nasdaq.Equities.TotalView.Itch.v5.0.20230822"] {
        let folder = data.join("omi_vectors/Nasdaq").join(folder);
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.extension().is_none_or(|e| e != "pcap") {
                continue;
            }
            let got = replay(&path, &FeedConfig::new(FeedKind::Itch50)).unwrap();
            assert!(got.error.is_none(), "{}: {}", path.display(), got.error_text());
            assert_eq!((got.stats.errors_total(), got.stats.messages_unknown), (0, 0), "{}", path.display());
            assert!(got.stats.messages > 0 && got.stats.gaps == 0, "{}", path.display());
            packets += got.stats.packets;
        }
    }
    assert!(packets > 10, "{packets}");
}

#[test]
fn symbols_are_words_that_survive() {
    let Some(got) = get(FeedKind::Itch50, "itch/first4096bytes.itch") else { return };
    for (event, symbol) in got.events.iter().filter(|e| e.action == Action::Define).zip(&got.symbols) {
        assert_eq!(Symbol::from_word(event.order_id).as_str(), symbol);
    }
}
