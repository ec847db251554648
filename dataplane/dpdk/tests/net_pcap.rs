//! EAL with `net_pcap`: files are received verbatim, once, with their times.

mod common;

use std::path::{Path, PathBuf};

use dpdk::{Eal, EalConfig, EalError, Mempool, MempoolConfig, Port, PortConfig, RxClock, StartedPort, Vdev};
use types::UnixNanos;

const PACKETS: u32 = 1000;
/// One packet longer than a buffer: it is skipped and counted.
const LONG: u32 = 500;
const MICROS: u32 = 0xa1b2_c3d4;
const NANOS: u32 = 0xa1b2_3c4d;

fn record(n: u32, fraction: u32) -> common::Record {
    let len = if n == LONG { 4000 } else { 60 + (n as usize * 37) % 1455 };
    common::Record { seconds: 1_700_000_000 + n, fraction, bytes: common::frame(len, n) }
}

fn write(directory: &Path, name: &str, magic: u32, fraction: fn(u32) -> u32) -> PathBuf {
    let path = directory.join(name);
    let records: Vec<_> = (0..PACKETS).map(|n| record(n, fraction(n))).collect();
    common::write_pcap(&path, magic, &records);
    path
}

/// EAL starts once per process, so this is one test.
#[test]
fn net_pcap() {
    let directory = tempfile::tempdir().unwrap();
    let missing = Vdev::pcap_file(0, &directory.path().join("missing.pcap")).unwrap();
    let error = Eal::init(&EalConfig::no_huge(128).vdev(missing)).unwrap_err();
    assert!(matches!(error, EalError::Capture { .. }), "{error}");

    let micros = write(directory.path(), "micros.pcap", MICROS, |n| n * 999);
    let nanos = write(directory.path(), "nanos.pcap", NANOS, |n| n * 999_999);
    let short = directory.path().join("short.pcap");
    let records: Vec<_> = (0..LONG).map(|n| record(n, 0)).collect();
    common::write_pcap(&short, MICROS, &records);
    let config = EalConfig::no_huge(128)
        .vdev(Vdev::pcap_file(0, &micros).unwrap())
        .vdev(Vdev::pcap_file(1, &nanos).unwrap())
        .vdev(Vdev::pcap_file(2, &short).unwrap().option("infinite_rx", "1").unwrap());
    let eal = Eal::init(&config).unwrap();
    let pool = Mempool::new(&eal, &MempoolConfig { mbufs: 4095, ..MempoolConfig::new("pcap") }).unwrap();

    read_once(&eal, "net_pcap0", &micros, &pool, |n| u64::from(n * 999) * 1000);
    let rounded = if dpdk::release() < 2607 { 1000 } else { 1 };
    let nanos_of = move |n: u32| u64::from(n * 999_999) / rounded * rounded;
    read_once(&eal, "net_pcap1", &nanos, &pool, nanos_of);
    assert_eq!(pool.in_use(), 0);
    endless(&eal, &pool);
    not_a_capture(&eal, directory.path());
}

fn start(eal: &Eal, device: &str, pool: &Mempool) -> StartedPort {
    Port::configure(eal, device, PortConfig::default(), pool).unwrap().start().unwrap()
}

fn read_once(eal: &Eal, device: &str, path: &Path, pool: &Mempool, nanos: impl Fn(u32) -> u64) {
    let mut started = start(eal, device, pool);
    assert_eq!(started.port.info().driver, "net_pcap");
    assert_ne!(started.port.info().rx_clock, RxClock::None);
    let queue = &mut started.rx[0];
    let mut left = u64::from(PACKETS);

    let mut expected = (0..PACKETS).filter(|&n| n != LONG);
    while left > 0 {
        let burst = queue.rx_burst();
        assert!(!burst.is_empty(), "{left} packets of {} missing", path.display());
        left -= burst.len() as u64;
        for packet in &burst {
            let n = expected.next().unwrap();
            assert_eq!(packet.data(), record(n, 0).bytes);
            let time = UnixNanos((1_700_000_000 + u64::from(n)) * 1_000_000_000 + nanos(n));
            assert_eq!(packet.timestamp(), Some(time), "packet {n} of {}", path.display());
        }
    }
    assert_eq!(expected.next(), None);
    assert_eq!(queue.chained(), 1);
    assert!((0..100).all(|_| queue.rx_burst().is_empty()), "after the end nothing comes");
    assert_eq!(started.port.stats().unwrap().rx_packets, u64::from(PACKETS));
    let report = started.port.receive_groups(&["239.1.1.1".parse().unwrap()]).unwrap();
    assert_ne!(report.set_mc_addr_list, 0, "a file has no filter: {report}");
}

/// `infinite_rx` preloads the file into the pool, repeats it for ever, and stamps nothing.
fn endless(eal: &Eal, pool: &Mempool) {
    let mut started = start(eal, "net_pcap2", pool);
    let queue = &mut started.rx[0];
    let mut expected = (0..LONG).cycle();
    for _ in 0..100 {
        let burst = queue.rx_burst();
        assert_eq!(burst.len(), dpdk::BURST_MAX);
        for packet in &burst {
            assert_eq!(packet.data(), record(expected.next().unwrap(), 0).bytes);
            assert_eq!(packet.timestamp(), None);
        }
    }
}

fn not_a_capture(eal: &Eal, directory: &Path) {
    let path = directory.join("not-a.pcap");
    std::fs::write(&path, "PK").unwrap();
    let error = eal.attach(&Vdev::pcap_file(7, &path).unwrap()).unwrap_err();
    assert!(matches!(&error, EalError::Attach { device, .. } if device == "net_pcap7"), "{error}");
    assert!(error.to_string().contains("truncated dump file"), "libpcap's reason is part of it: {error}");
}
