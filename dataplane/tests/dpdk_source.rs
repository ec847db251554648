//! A capture through DPDK's `net_pcap` gives the events that reading the file gives.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};

use dataplane::source::{CaptureCount, DpdkSource, Layer};
use dataplane::{EventTx, Feed, FeedConfig, FeedKind, FileOptions, FileSource, PacketSource, Receiver};
use dpdk::{Eal, EalConfig, Mempool, MempoolConfig, Port, PortConfig, Vdev};
use stage::{LosslessTx, RingRx, Stage, WorkStatus, ring};
use types::{BookEvent, UnixNanos};
use wire::IntoBytes;
use wire::frame::{LinkType, UdpPath};
use wire::itch50::{AddOrder, OrderDelete};
use wire::moldudp64::PacketBuilder;

const PACKETS: u32 = 500;

/// A pcap file of MoldUDP64 packets with five messages each, stamped to the microsecond; packet 100 is missing.
fn write_capture(path: &Path) {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 65_535, 1_u32] {
        file.extend(word.to_le_bytes());
    }
    for n in (0..PACKETS).filter(|n| *n != 100) {
        let frame = frame(n);
        let len = u32::try_from(frame.len()).unwrap();
        for word in [1_577_716_200 + n / 1_000, n % 1_000 * 1_000, len, len] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    std::fs::write(path, file).unwrap();
}

fn frame(n: u32) -> Vec<u8> {
    let mut payload = [0; 1_400];
    let mut packet = PacketBuilder::new(&mut payload, *b"DPDK000001", u64::from(n) * 5 + 1).unwrap();
    for i in 0..4 {
        let id = u64::from(n) * 4 + i;
        let add = AddOrder::new(7, 0, id, id, b'B', 100, *b"TEST    ", 10_000);
        assert!(packet.push(add.as_bytes()));
    }
    assert!(packet.push(OrderDelete::new(7, 0, 9, u64::from(n) * 4).as_bytes()));
    let len = packet.finish();
    let source = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 26_000);
    let group = SocketAddrV4::new(Ipv4Addr::new(233, 54, 12, 111), 26_477);
    let mut frame = vec![0; 2_000];
    let path = UdpPath::multicast([2, 0, 0, 0, 0, 1], source, group);
    let whole = path.write(&mut frame, &payload[..len]).unwrap();
    frame.truncate(whole);
    frame
}

/// Blocks of a pcapng file: a section, and then of each kind and body.
fn pcapng(blocks: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &1_u32.to_le_bytes(), &[0xff; 8]].concat();
    let mut file = Vec::new();
    for (kind, body) in [(0x0a0d_0d0a, section)].iter().chain(blocks) {
        let length = u32::try_from(12 + body.len().next_multiple_of(4)).unwrap().to_le_bytes();
        file.extend([&kind.to_le_bytes()[..], &length, body].concat());
        file.resize(file.len().next_multiple_of(4), 0);
        file.extend(length);
    }
    file
}

/// The description of an interface of this link type.
fn interface(link: u32) -> (u32, Vec<u8>) {
    (1, [link.to_le_bytes(), 262_144_u32.to_le_bytes()].concat())
}

/// Frame `n` as a packet of the first interface.
fn packet(n: u32) -> (u32, Vec<u8>) {
    let frame = frame(n);
    let length = u32::try_from(frame.len()).unwrap();
    let head: Vec<u8> =
        [0, 367_341, n, length, length].iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
    (6, [head, frame].concat())
}

/// The capture at `itch` with the length of its record 300 overwritten.
fn with_length(itch: &Path, length: u32) -> Vec<u8> {
    let mut file = std::fs::read(itch).unwrap();
    let record = 16 + frame(0).len();
    let at = 24 + 300 * record + 8;
    file[at..at + 4].copy_from_slice(&length.to_le_bytes());
    // What the record claims is there.
    file.resize(file.len() + 400_000, 0);
    file
}

fn replay(source: impl PacketSource, kind: FeedKind) -> (Vec<BookEvent>, dataplane::FeedStats, String) {
    let (tx, mut rx): (_, RingRx<BookEvent>) = ring(64);
    let tx = EventTx::Replay(LosslessTx::new(tx));
    let mut receiver = Receiver::new("receiver", source, &FeedConfig::new(kind), tx).unwrap();
    let mut events = Vec::new();
    while receiver.poll(UnixNanos(0)).status != WorkStatus::Done {
        rx.drain(usize::MAX, |chunk| events.extend_from_slice(chunk));
    }
    rx.drain(usize::MAX, |chunk| events.extend_from_slice(chunk));
    let error = receiver.take_error().map(|error| error.to_string()).unwrap_or_default();
    (events, receiver.stats(), error)
}

/// The real capture unpacked, when it is there.
fn unpack_deep(to: &Path) -> bool {
    let packed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/iex/DEEP10_20231002_0734.pcap.gz");
    let Ok(file) = std::fs::File::open(packed) else {
        tests::skip(tests::Need::RealData, "no real data");
        return false;
    };
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    std::fs::write(to, bytes).unwrap();
    true
}

/// The same file with `count` packets damaged: a bit of a message, whose checksum then condemns the datagram.
fn damaged(path: &Path, count: usize) -> Vec<u8> {
    let mut file = std::fs::read(path).unwrap();
    let mut at = 24;
    for _ in 0..count {
        let length = u32::from_le_bytes(file[at + 8..at + 12].try_into().unwrap()) as usize;
        at += 16 + length;
        // The last byte of a packet.
        file[at - 1] ^= 1;
    }
    file
}

/// A live port without a card that looks at checksums: what is damaged is found here, dropped and counted.
fn damage_is_found_on_a_live_port(eal: &Eal, pool: &Mempool, device: &str, wanted: usize) {
    let mut started = Port::configure(eal, device, PortConfig::default(), pool).unwrap().start().unwrap();
    let mut source = DpdkSource::live(started.rx.remove(0), device, pool.packet_bytes());
    let mut whole = 0;
    let mut condemned = 0;
    while whole + condemned < PACKETS as usize - 1 {
        let status = source.next_burst(64, |packet| {
            let is_right = wire::frame::verify_checksums(LinkType::Ethernet, packet.bytes).is_ok();
            assert_eq!(packet.layer == Layer::Frame(LinkType::Ethernet), is_right);
            whole += usize::from(is_right);
            condemned += usize::from(!is_right);
            true
        });
        status.unwrap();
    }
    assert_eq!(condemned, wanted);
}

/// Captures that libpcap does not read to their end, or the reader of files here does not; beside each, the packets that come
/// before that through DPDK, and whether the file gives as many.
fn odd_captures(itch: &Path, folder: &Path) -> Vec<(PathBuf, u64, bool)> {
    let packets = |from: u32| (from..from + 5).map(packet);
    let foreign = [(0x0bad_0bad, vec![0; 20_000_000])];
    let late = [interface(105)];
    let big = [interface(1)].into_iter().chain(packets(0)).chain(foreign).chain(packets(5));
    let mixed = [interface(1)].into_iter().chain(packets(0)).chain(late).chain(packets(5));
    let long = [interface(1)].into_iter().chain(packets(0)).chain([(6, vec![0; 300_000])]).chain(packets(5));
    let mut cut = std::fs::read(itch).unwrap();
    cut.truncate(cut.len() - 1);
    let files = [
        ("overwritten.pcap", with_length(itch, u32::MAX), 300, true),
        ("long.pcap", with_length(itch, 300_000), 300, true),
        // libpcap reads this one, and no datagram is as long.
        ("longest.pcap", with_length(itch, 262_140), 300, true),
        ("cut.pcap", cut, 498, true),
        ("big.pcapng", pcapng(&big.collect::<Vec<_>>()), 5, false),
        ("mixed.pcapng", pcapng(&mixed.collect::<Vec<_>>()), 5, false),
        ("long.pcapng", pcapng(&long.collect::<Vec<_>>()), 5, false),
        ("none.pcap", std::fs::read(itch).unwrap()[..24].to_vec(), 0, true),
    ];
    let write = |(name, bytes, packets, same): (&str, Vec<u8>, _, _)| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        (path, packets, same)
    };
    files.into_iter().map(write).collect()
}

/// EAL starts once per process, so this is one test.
#[test]
fn dpdk_gives_what_the_file_gives() {
    let folder = tempfile::tempdir().unwrap();
    let (itch, deep) = (folder.path().join("itch.pcap"), folder.path().join("deep.pcap"));
    let spoiled = folder.path().join("damaged.pcap");
    write_capture(&itch);
    std::fs::write(&spoiled, damaged(&itch, 3)).unwrap();
    let with_deep = unpack_deep(&deep);
    let mut config = EalConfig::no_huge(128)
        .vdev(Vdev::pcap_file(0, &itch).unwrap())
        .vdev(Vdev::pcap_file(2, &spoiled).unwrap());
    if with_deep {
        config = config.vdev(Vdev::pcap_file(1, &deep).unwrap());
    }
    let odd = odd_captures(&itch, folder.path());
    for (n, (path, ..)) in (3..).zip(&odd) {
        config = config.vdev(Vdev::pcap_file(n, path).unwrap());
    }
    let eal = Eal::init(&config).unwrap();
    let pool = Mempool::new(&eal, &MempoolConfig { mbufs: 4_095, ..MempoolConfig::new("source") }).unwrap();
    let through_dpdk = |device: &str, path: &Path, kind| {
        let mut started =
            Port::configure(&eal, device, PortConfig::default(), &pool).unwrap().start().unwrap();
        let counted = CaptureCount::of(path).unwrap();
        let source = DpdkSource::capture(started.rx.remove(0), device, pool.packet_bytes(), counted);
        replay(source, kind)
    };
    let from_file = |path: &Path, kind| replay(FileSource::open(path, FileOptions::default()).unwrap(), kind);

    let (events, stats, error) = through_dpdk("net_pcap0", &itch, FeedKind::Itch50);
    let (wanted, wanted_stats, _) = from_file(&itch, FeedKind::Itch50);
    assert!(events == wanted && error.is_empty());
    assert_eq!((stats.packets, stats.messages, stats.gaps, stats.missing), (499, 2_495, 1, 5));
    assert_eq!(stats, wanted_stats);
    damage_is_found_on_a_live_port(&eal, &pool, "net_pcap2", 3);
    for (n, (path, packets, same)) in (3..).zip(&odd) {
        let (events, stats, error) = through_dpdk(&format!("net_pcap{n}"), path, FeedKind::Itch50);
        let (wanted, wanted_stats, wanted_error) = from_file(path, FeedKind::Itch50);
        let name = path.display();
        assert_eq!(stats.packets, *packets, "{name}: {error}");
        if *same {
            assert!(events == wanted, "{name}");
            assert_eq!((&stats, &error), (&wanted_stats, &wanted_error), "{name}");
        } else {
            assert!(wanted.starts_with(&events) && wanted_stats.packets == 10, "{name}");
            let at = 28 + 20 + 5 * (32 + frame(0).len().next_multiple_of(4));
            assert!(error.starts_with(&format!("{name}: offset {at}: found ")), "{error}");
        }
    }

    if with_deep {
        let (events, stats, _) = through_dpdk("net_pcap1", &deep, FeedKind::Deep);
        let (wanted, ..) = from_file(&deep, FeedKind::Deep);
        assert_eq!((stats.packets, stats.messages, stats.gaps), (5_000, 48_325, 0));
        // The port may stamp microseconds where the file has nanoseconds; nothing else differs.
        let without_arrival = |e: &BookEvent| BookEvent { ts_recv: UnixNanos(0), ..*e };
        assert!(events.iter().map(without_arrival).eq(wanted.iter().map(without_arrival)));
    }
    assert_eq!(pool.in_use(), 0);
}
