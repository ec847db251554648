//! EAL with `net_af_packet`: multicast from the kernel's own stack over a veth pair.

mod common;
mod live;

use dpdk::{RxFilter, Vdev};

/// EAL starts once per process, so this is one test.
#[test]
fn live_af_packet() {
    if !common::in_network_namespace("live_af_packet", false) {
        return;
    }
    let report = live::receives_multicast(Vdev::af_packet(0, "v0").unwrap(), 0);
    // The driver knows neither group addresses nor allmulticast: promiscuous mode is what is left.
    assert_eq!((report.set_mc_addr_list, report.allmulticast), (-95, Some(-95)), "{report}");
    assert_eq!(report.held, Some(RxFilter::Promiscuous), "{report}");
}
