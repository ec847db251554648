//! What a port itself says while it runs: packets that it dropped unseen, and a link that goes away and comes back.

mod common;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use dpdk::{Eal, EalConfig, Mempool, MempoolConfig, Port, PortConfig, Started, Vdev};

/// Far longer than anything here takes, so that a busy machine fails no test.
const PATIENCE: Duration = Duration::from_secs(10);

/// Datagrams of [`BYTES`] each: several times what libpcap keeps for who does not read (2 MiB).
const DATAGRAMS: usize = 6_000;
const BYTES: usize = 1_400;

/// EAL starts once per process, so this is one test.
#[test]
fn live_port() {
    if !common::in_network_namespace("live_port", false) {
        return;
    }
    common::veth_pair();
    let vdevs = ["net_pcap0,iface=v0", "net_tap0"].map(|text| Vdev::parse(text).unwrap());
    let config = vdevs.iter().fold(EalConfig::no_huge(128), |config, vdev| config.vdev(vdev.clone()));
    let eal = Eal::init(&config).unwrap();
    let pool = Mempool::new(&eal, &MempoolConfig::new("port")).unwrap();
    let start = |vdev: &Vdev| {
        Port::configure(&eal, vdev.name(), PortConfig::default(), &pool).unwrap().start().unwrap()
    };
    let (pcap, tap) = (start(&vdevs[0]), start(&vdevs[1]));

    let socket = UdpSocket::bind("10.9.0.2:0").unwrap();
    let before = pcap.port.stats().unwrap();
    assert_eq!((before.rx_missed, before.rx_errors, before.rx_no_mbuf), (0, 0, 0), "{before:?}");
    for _ in 0..DATAGRAMS {
        socket.send_to(&[7; BYTES], "239.1.1.1:5000").unwrap();
    }
    let missed = || pcap.port.stats().unwrap().rx_missed;
    wait_until("what nobody polled for is counted as missed", || missed() > 0);
    assert!(missed() <= DATAGRAMS as u64, "{}", missed());

    let is_up = |port: &Port<Started>| port.link().unwrap().up;
    wait_until("an interface that is up has a link", || is_up(&tap.port));
    common::sh("ip link set dtap0 down");
    wait_until("one that is down has none", || !is_up(&tap.port));
    common::sh("ip link set dtap0 up");
    wait_until("and it comes back", || is_up(&tap.port));
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
