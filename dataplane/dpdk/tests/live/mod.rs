//! Real multicast, from a socket through the kernel into a DPDK port.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dpdk::{
    Eal, EalConfig, Mempool, MempoolConfig, Port, PortConfig, RxClock, RxModeReport, RxQueue,
    ThreadRegistration, Vdev,
};

use crate::common;

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 1, 1);
/// What the kernel's ring to a packet socket holds without loss (512 frames), with room to spare.
const DATAGRAMS: u32 = 256;
/// Far longer than anything here takes, so that a busy machine fails no test.
const PATIENCE: Duration = Duration::from_secs(10);
/// Ethernet, IPv4 and UDP headers.
const HEADERS: usize = 14 + 20 + 8;

/// Receives what a socket on `v1` sends to a group, over `vdev` on `v0`, and leaves the interface as it was. The driver
/// holds `held_by_driver` buffers meanwhile, and gives them back or not; the test's own are given back.
pub(crate) fn receives_multicast(vdev: Vdev, held_by_driver: u32) -> RxModeReport {
    common::veth_pair();
    let name = vdev.name().to_owned();
    let (config, warning) = EalConfig::for_this_host(128);
    if let Some(warning) = warning {
        println!("{warning}");
    }
    let eal = Eal::init(&config.vdev(vdev)).unwrap();
    let pool = Mempool::new(&eal, &MempoolConfig::new("live")).unwrap();
    let mut started = Port::configure(&eal, &name, PortConfig::default(), &pool).unwrap().start().unwrap();
    let report = started.port.receive_groups(&[GROUP]).unwrap();
    assert!(common::is_promiscuous("v0"));
    assert!(started.port.link().unwrap().up);

    let socket = UdpSocket::bind("10.9.0.2:0").unwrap();
    let frames = std::thread::scope(|scope| {
        let receiver = scope.spawn(|| {
            let _registration = ThreadRegistration::new(&eal).unwrap();
            let ours = |frame: &[u8]| frame.len() > HEADERS && frame[30..34] == GROUP.octets();
            common::receive(&mut started.rx[0], DATAGRAMS as usize, PATIENCE, ours)
        });
        for n in 0..DATAGRAMS {
            socket.send_to(&payload(n), (GROUP, 5000)).unwrap();
        }
        receiver.join().unwrap()
    });
    assert_eq!(frames.len(), DATAGRAMS as usize, "{:?}", started.port.stats());
    for (n, frame) in (0..).zip(&frames) {
        assert_eq!(frame[..6], [0x01, 0x00, 0x5e, 1, 1, 1]);
        assert_eq!(frame[HEADERS..], payload(n));
    }

    socket.send_to(b"once more", (GROUP, 5000)).unwrap();
    timestamp_is_of_its_clock(&started.port.info().driver, &mut started.rx[0]);
    assert_eq!(pool.in_use(), held_by_driver);
    drop(started);
    assert!(
        pool.in_use() <= held_by_driver,
        "{} buffers in use, {held_by_driver} before closing",
        pool.in_use()
    );
    assert!(!common::is_promiscuous("v0"), "an interface must not stay promiscuous");
    report
}

/// The kernel's time of arrival where the driver passes it on (`net_af_packet` from DPDK 24.11), none where it does not.
fn timestamp_is_of_its_clock(driver: &str, queue: &mut RxQueue) {
    let end = Instant::now() + PATIENCE;
    let stamp = loop {
        assert!(Instant::now() < end, "nothing came");
        if let Some(packet) = queue.rx_burst().iter().next() {
            break packet.timestamp();
        }
    };
    if driver == "net_af_packet" && dpdk::release() >= 2411 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        assert_eq!(queue.clock(), RxClock::UnixNanos);
        assert!(now - stamp.unwrap().0 < 60_000_000_000, "{stamp:?} at {now}");
    } else {
        assert_eq!((queue.clock(), stamp), (RxClock::None, None));
    }
}

fn payload(n: u32) -> Vec<u8> {
    [n.to_be_bytes().as_slice(), &vec![n as u8; n as usize * 4]].concat()
}
