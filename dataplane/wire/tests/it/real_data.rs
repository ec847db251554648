//! Published captures, when they are there: what an independent decoder counted must be what we count.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use wire::frame::{LinkType, parse_udp, verify_checksums};
use wire::framing::{Frames, Framing};
use wire::iex::{self, Segment};
use wire::moldudp64::Packet;
use wire::{WireError, deep10, itch50, tops16};

use crate::capture::packets;

type Counts = BTreeMap<char, usize>;

fn data(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")).join(path)
}

/// The file's bytes, or `None`, said aloud, when the data is not on this machine.
fn load(path: &str) -> Option<Vec<u8>> {
    match fs::read(data(path)) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            tests::skip(tests::Need::RealData, "no real data");
            None
        }
        Err(error) => panic!("{path}: {error}"),
    }
}

/// The same for a compressed file, through the system's gzip.
fn load_gz(path: &str) -> Option<Vec<u8>> {
    load(path)?;
    match Command::new("gzip").arg("-dc").arg(data(path)).output() {
        Ok(output) => {
            assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
            Some(output.stdout)
        }
        Err(error) => {
            tests::skip(tests::Need::Program("gzip"), &format!("no gzip ({error})"));
            None
        }
    }
}

/// `"A367 D167"` as counts.
fn counts(text: &str) -> Counts {
    let one = |word: &str| (word.chars().next().unwrap(), word[1..].parse().unwrap());
    text.split_whitespace().map(one).collect()
}

/// Counts ITCH messages by type until the end of the file or its first error.
fn count_itch(file: &[u8], framing: Framing) -> (Counts, Option<WireError>) {
    let mut counts = Counts::new();
    for item in Frames::with_framing(file, framing) {
        let message = match item {
            Ok(message) => message,
            Err(error) => return (counts, Some(error)),
        };
        let message = itch50::decode(message).unwrap();
        assert!(!matches!(message, itch50::Msg::Other(_)), "{message}");
        *counts.entry(char::from(message.type_byte())).or_default() += 1;
    }
    (counts, None)
}

#[test]
fn the_opening_milliseconds_of_a_nasdaq_day() {
    let Some(file) = load("itch/12302019_SNIPPET.NASDAQ_ITCH50") else { return };
    let (got, error) = count_itch(&file, Framing::Prefix);
    assert_eq!((got, error), (counts("A367 D167 F193 U225 E28 X6 C1 I4 P4 Q4 S1"), None));
    let times =
        Frames::new(&file).map(|m| itch50::decode(m.unwrap()).unwrap().header().unwrap().timestamp.ns());
    let (first, last) = times.fold((u64::MAX, 0), |(lo, hi), ns| (lo.min(ns), hi.max(ns)));
    assert_eq!((first, last), (34_200_000_000_230, 34_200_002_364_611));
}

#[test]
fn a_file_cut_in_the_middle_of_a_message() {
    let Some(file) = load("itch/first4096bytes.itch") else { return };
    let (got, error) = count_itch(&file, Framing::Prefix);
    assert_eq!(got, counts("S1 R98 H1 Y1"));
    let error = error.unwrap();
    let WireError::Truncated { offset, wanted, found } = error else { panic!("{error}") };
    assert_eq!(offset + u64::from(found), 4_096, "what was found reaches the end of the file");
    assert!(found < wanted && itch50::MESSAGE_TYPES.iter().any(|(_, len, _)| *len == wanted), "{error}");
}

#[test]
fn a_file_whose_lengths_are_all_zero() {
    let Some(file) = load("itch/RITCH_ex20101224.TEST_ITCH_50") else { return };
    assert_eq!(
        count_itch(&file, Framing::Prefix),
        (Counts::new(), Some(WireError::ZeroLength { offset: 0 }))
    );
    let (got, error) = count_itch(&file, Framing::Itch50Type);
    assert_eq!((got, error), (counts("S6 R3 H3 A4997 F3 E198 D1745 P5000 U12 X45"), None));
}

/// The capture files of a folder of vectors.
fn vectors(folder: &str) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(data(folder)) else {
        tests::skip(tests::Need::RealData, "no real data");
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        paths.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder}");
    files
}

#[test]
fn single_packets_of_totalview() {
    let wanted = [
        ("AddOrderNoMPID", 'A'),
        ("AddOrderNoMpidAttributionMessage", 'A'),
        ("AddOrderWithMPID", 'F'),
        ("CrossTrade", 'Q'),
        ("LULDAuctionCollar", 'J'),
        ("MarketParticipantPosition", 'L'),
        ("NetOrderImbalanceIndicator", 'I'),
        ("NonCrossTrade", 'P'),
        ("OrderCancel", 'X'),
        ("OrderDelete", 'D'),
        ("OrderExecuted", 'E'),
        ("OrderExecutedWithPrice", 'C'),
        ("OrderReplace", 'U'),
        ("RegSHORestriction", 'Y'),
        ("StockTradingAction", 'H'),
        ("SystemEvent", 'S'),
    ];
    for folder in ["Nasdaq.Equities.TotalView.Itch.v5.0", "Nasdaq.Equities.TotalView.Itch.v5.0.20230822"] {
        for (path, file) in vectors(&format!("omi_vectors/Nasdaq/{folder}")) {
            let mut seen = String::new();
            for frame in packets(&file).1 {
                let payload = parse_udp(packets(&file).0, frame).unwrap().payload;
                for message in Packet::parse(payload).unwrap().messages() {
                    let message = itch50::decode(message.unwrap()).unwrap();
                    assert!(
                        message.header().unwrap().timestamp.ns() < 86_400_000_000_000,
                        "{path}: {message}"
                    );
                    seen.push(message.type_byte().into());
                }
            }
            let name = Path::new(&path).file_stem().unwrap().to_str().unwrap().trim_end_matches("Message");
            let (_, kind) = wanted.iter().find(|(n, _)| n.trim_end_matches("Message") == name).unwrap();
            assert!(seen.contains(*kind), "{path} holds {seen}");
        }
    }
}

#[test]
fn single_packets_of_iex() {
    for (path, file) in vectors("omi_vectors/Iex/Deep.IexTp.v1.0") {
        let (link, frames) = packets(&file);
        for frame in frames {
            verify_checksums(link, frame).unwrap();
            let payload = parse_udp(link, frame).unwrap().payload;
            let segment = Segment::parse_as(payload, iex::PROTOCOL_DEEP_1_0).unwrap();
            let text: Vec<_> =
                segment.messages().map(|m| deep10::decode(m.unwrap()).unwrap().to_string()).collect();
            let wanted = match Path::new(&path).file_stem().unwrap().to_str().unwrap() {
                "Heartbeat" => "",
                "PriceLevelBuyUpdateMessage" => "symbol=V size=190 price=202.7700",
                _ => "symbol=UNH size=82 price=344.1400",
            };
            assert!(text.join("\n").ends_with(wanted), "{path}: {text:?}");
            assert_eq!(text.len(), usize::from(!wanted.is_empty()), "{path}");
        }
    }
}

#[test]
fn single_packets_of_tops() {
    let mut seen = String::new();
    for folder in ["omi_vectors/Iex/Tops.IexTp.v1.5", "omi_vectors/Iex/Tops.IexTp.v1.6"] {
        for (path, file) in vectors(folder) {
            seen.extend(count_tops(&file).unwrap_or_else(|e| panic!("{path}: {e}")).keys());
        }
    }
    for kind in if seen.is_empty() { "" } else { "AXOQDPSTH" }.chars() {
        assert!(seen.contains(kind), "no {kind} in {seen}");
    }
}

fn count_tops(file: &[u8]) -> Result<Counts, WireError> {
    count_iex(file, iex::PROTOCOL_TOPS_1_6, |m| tops16::decode(m).map(|m| (m.type_byte(), m.name())))
}

/// Counts a capture's messages by type, and asserts that sequence numbers and stream offsets leave no gap.
fn count_iex(
    file: &[u8],
    protocol: u16,
    decode: impl Fn(&[u8]) -> Result<(u8, &'static str), WireError>,
) -> Result<Counts, WireError> {
    let mut counts = Counts::new();
    let (link, frames) = packets(file);
    let mut expected = None;
    for frame in frames {
        let segment = Segment::parse_as(parse_udp(link, frame)?.payload, protocol)?;
        let position = (segment.sequence(), segment.header().stream_offset.get());
        assert_eq!(expected.unwrap_or(position), position);
        let next_offset = position.1 + u64::from(segment.header().payload_length.get());
        expected = Some((position.0 + u64::from(segment.message_count()), next_offset));
        for message in segment.messages() {
            let (message_type, name) = decode(message?)?;
            assert_ne!(name, "Unknown", "type {message_type}");
            *counts.entry(char::from(message_type)).or_default() += 1;
        }
    }
    Ok(counts)
}

#[test]
fn a_morning_of_deep() {
    let Some(file) = load_gz("iex/DEEP10_20231002_0734.pcap.gz") else { return };
    let got =
        count_iex(&file, iex::PROTOCOL_DEEP_1_0, |m| deep10::decode(m).map(|m| (m.type_byte(), m.name())));
    assert_eq!(got, Ok(counts("P11594 O11317 H11311 I11309 81526 51226 T37 D3 S2")));
    let (link, frames) = packets(&file);
    let first = Segment::parse(parse_udp(link, frames[0]).unwrap().payload).unwrap();
    assert_eq!((frames.len(), first.sequence(), first.header().stream_offset.get()), (5_000, 1, 0));
}

#[test]
fn a_whole_day_of_tops() {
    let Some(file) = load_gz("iex/TOPS16.pcapng.gz") else { return };
    assert_eq!(packets(&file).1.len(), 13_022);
    assert_eq!(count_tops(&file), Ok(counts("Q27217 H7803 P7802 O7801 T6390 A642 D10 S6 B3")));
}

/// Frames of another exchange's feed parse down to their UDP payload, on both lines.
#[test]
fn frames_of_a_dual_line_feed() {
    let Some(file) = load("cme/Cme.Mdp3.Sbe.v8.1.pcap") else { return };
    let (link, frames) = packets(&file);
    assert_eq!(link, LinkType::Ethernet);
    let mut lines = BTreeMap::new();
    for frame in frames {
        let udp = parse_udp(link, frame).unwrap();
        *lines.entry((udp.dst_addr.to_string(), udp.dst_port)).or_insert(0) += 1;
    }
    let wanted = [(("224.0.31.11".to_owned(), 14_320), 5_000), (("224.0.32.11".to_owned(), 15_320), 5_000)];
    assert_eq!(lines, BTreeMap::from(wanted));
}
