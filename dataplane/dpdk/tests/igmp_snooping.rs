//! Membership against a real switch: a kernel bridge that snoops, queries, and floods nothing to our port.

mod common;

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dpdk::igmp::{IgmpVersion, Membership, MembershipConfig};
use dpdk::{Eal, EalConfig, Mempool, MempoolConfig, Port, PortConfig, StartedPort, Vdev};
use types::UnixNanos;

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 1, 1);
/// Time after which the bridge forgets a member that does not answer; RFC 3376 says 260 s.
const MEMBERSHIP: Duration = Duration::from_secs(1);
/// Far longer than anything here takes, so that a busy machine fails no test.
const PATIENCE: Duration = Duration::from_secs(10);

/// A bridge whose intervals are a hundredth of the standard's (unit: 10 ms). The query response interval comes before the
/// querier, which waits for as long before it is believed. `p0` and `p1` are its ports, `v0` and `v1` their other ends.
const BRIDGE: &str = "
    ip link set lo up
    ip link add br0 type bridge mcast_snooping 1 mcast_query_response_interval 20
    ip link set br0 type bridge mcast_query_interval 40 mcast_startup_query_interval 20 \
        mcast_membership_interval 100 mcast_last_member_interval 10
    ip link set br0 type bridge mcast_querier 1
    ip link add v0 type veth peer name p0
    ip link add v1 type veth peer name p1
    for i in p0 p1; do ip link set $i master br0 up; done
    for i in v0 v1 br0; do ip link set $i up; done
    bridge link set dev p0 mcast_flood off
    ip addr add 10.9.0.2/24 dev v1
    ip route add 239.0.0.0/8 dev v1";

/// EAL starts once per process, so this is one test.
#[test]
fn igmp_snooping() {
    if !common::in_network_namespace("igmp_snooping", false) {
        return;
    }
    if !common::run("ip", &["link", "add", "br9", "type", "bridge"]) {
        tests::skip(tests::Need::KernelBridge, "the kernel has no bridge");
        return;
    }
    std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").ok();
    common::sh(BRIDGE);

    let eal = Eal::init(&EalConfig::no_huge(64).vdev(Vdev::af_packet(0, "v0").unwrap())).unwrap();
    let pool = Mempool::new(&eal, &MempoolConfig::new("igmp")).unwrap();
    let port =
        Port::configure(&eal, "net_af_packet0", PortConfig::default(), &pool).unwrap().start().unwrap();
    port.port.receive_groups(&[GROUP]).unwrap();

    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| send_until(&stop));
        // The scope waits for the sender, so it is told to stop whatever becomes of the checks.
        let _stop = StopOnDrop(&stop);
        let mut member = Member { port, pool, membership: None };
        for version in [IgmpVersion::V3, IgmpVersion::V2] {
            member.joins_stays_and_leaves(version);
        }
    });
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends to the group every two milliseconds.
fn send_until(stop: &AtomicBool) {
    let socket = UdpSocket::bind("10.9.0.2:0").unwrap();
    while !stop.load(Ordering::Relaxed) {
        socket.send_to(b"multicast", (GROUP, 5000)).unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn now() -> UnixNanos {
    UnixNanos(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64)
}

struct Member {
    port: StartedPort,
    pool: Mempool,
    membership: Option<Membership>,
}

impl Member {
    fn joins_stays_and_leaves(&mut self, version: IgmpVersion) {
        let number = if version == IgmpVersion::V2 { 2 } else { 3 };
        common::sh(&format!("ip link set br0 type bridge mcast_igmp_version {number}"));
        assert_eq!(self.packets(MEMBERSHIP / 4, usize::MAX), 0, "{version:?}: nothing comes unasked");

        let (mac, address) = (self.port.port.info().mac, Ipv4Addr::new(10, 9, 0, 9));
        let mut membership = Membership::new(MembershipConfig { mac, address, vlan: None, version });
        membership.join(GROUP, &[], now()).unwrap();
        self.membership = Some(membership);
        assert!(self.packets(PATIENCE, 1) > 0, "{version:?}: nothing comes after joining");
        assert!(common::sh("bridge mdb show").contains("port p0 grp 239.1.1.1"));

        // Long after the report of the join has lapsed, the answers to queries keep the group coming.
        self.packets(MEMBERSHIP * 2, usize::MAX);
        assert!(self.packets(PATIENCE, 1) > 0, "{version:?}: the membership lapsed");
        let counters = self.membership.as_ref().unwrap().counters();
        assert!(counters.queries >= 2 && counters.malformed == 0, "{version:?}: {counters:?}");

        self.membership.as_mut().unwrap().leave(GROUP, now()).unwrap();
        let end = Instant::now() + PATIENCE;
        while self.packets(MEMBERSHIP / 4, usize::MAX) > 0 {
            assert!(Instant::now() < end, "{version:?}: the group still comes after leaving");
        }
        assert!(!common::sh("bridge mdb show").contains("239.1.1.1"));
    }

    /// Does the member's work for `time`, or until `enough` packets of the group have come; returns how many came.
    fn packets(&mut self, time: Duration, enough: usize) -> usize {
        let end = Instant::now() + time;
        let mut packets = 0;
        while packets < enough && Instant::now() < end {
            let (tx, pool) = (&mut self.port.tx[0], &self.pool);
            if let Some(membership) = &mut self.membership {
                membership.poll(now(), |frame| tx.send(pool, frame).is_ok());
            }
            for packet in &self.port.rx[0].rx_burst() {
                let frame = packet.data();
                packets += usize::from(frame[23] == 17 && frame[30..34] == GROUP.octets());
                if let Some(membership) = &mut self.membership {
                    membership.on_frame(frame, now());
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        packets
    }
}
