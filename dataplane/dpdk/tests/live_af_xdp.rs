//! EAL with `net_af_xdp`: multicast from the kernel's own stack over a veth pair.

mod common;
mod live;

use dpdk::{RxFilter, Vdev};

/// EAL starts once per process, so this is one test.
#[test]
fn live_af_xdp() {
    if !xdp_sockets_exist() {
        tests::skip(tests::Need::XdpSockets, "the kernel has no XDP sockets");
        return;
    }
    if !common::in_network_namespace("live_af_xdp", true) {
        return;
    }
    // The driver fills the kernel's ring with 2,048 buffers of the pool, which it does not give back when it is closed.
    let report = live::receives_multicast(Vdev::af_xdp(0, "v0").unwrap(), 2048);
    assert_eq!((report.set_mc_addr_list, report.allmulticast), (-95, Some(-95)), "{report}");
    assert_eq!(report.held, Some(RxFilter::Promiscuous), "{report}");
}

fn xdp_sockets_exist() -> bool {
    let protocols = std::fs::read_to_string("/proc/net/protocols").unwrap_or_default();
    protocols.lines().any(|line| line.starts_with("XDP "))
}
