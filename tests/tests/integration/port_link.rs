//! What the daemon says of its port: a link that goes away is a row of the status, an event and an alert, and ends when it is back.

use crate::daemon::{ctl, said};
use crate::on_a_wire::{Appliance, configured, in_namespaces, init, sh, spawn};
use serde_json::Value;

/// Alerts of ports.
fn alerts(appliance: &Appliance) -> Vec<Value> {
    let mut all = appliance.ask(&["alerts", "list"], "alerts");
    all["rows"].as_array_mut().unwrap().drain(..).filter(|alert| alert["kind"] == "port").collect()
}

fn row(appliance: &Appliance) -> String {
    let table = said(&ctl(&appliance.socket(), &["status"]));
    let row = table.lines().find(|line| line.starts_with("  port"));
    row.unwrap_or_else(|| panic!("no row of the port in\n{table}")).to_owned()
}

#[test]
fn a_link_that_goes_down_is_told_and_lasts_until_it_is_up() {
    if !in_namespaces("port_link::a_link_that_goes_down_is_told_and_lasts_until_it_is_up") {
        return;
    }
    let dir = configured("");
    let toml = dir.path().join("portcullis.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    // A kernel interface whose driver in DPDK says how its link is; that of packet sockets always says that it is up.
    let tapped = text.replace("net_af_packet0,iface=v0,framecnt=8192", "net_tap0");
    assert_ne!(text, tapped);
    std::fs::write(&toml, tapped).unwrap();
    init(dir.path());
    let appliance = Appliance { daemon: spawn(dir.path(), &[]), dir };
    appliance.wait_until_it_answers();
    let port = || appliance.feed()["port"].take();
    appliance.wait_until("the link is up", || port()["link_up"] == true);
    assert!(row(&appliance).contains("net_tap0: link up, "), "{}", row(&appliance));
    assert_eq!(port()["device"], "net_tap0");
    assert!(port()["buffers_used"].as_u64().unwrap() <= port()["buffers"].as_u64().unwrap(), "{}", port());
    assert!(alerts(&appliance).is_empty());

    sh("ip link set dtap0 down");
    appliance.wait_until("the link is down", || port()["link_up"] == false);
    assert!(row(&appliance).contains("LINK DOWN"), "{}", row(&appliance));
    appliance
        .wait_until("an alert lasts", || alerts(&appliance).iter().any(|alert| alert["ended"].is_null()));
    let [alert] = &alerts(&appliance)[..] else { panic!("one alert") };
    assert_eq!(
        (&alert["scope"], &alert["severity"]),
        (&"port:net_tap0".into(), &"critical".into()),
        "{alert}"
    );

    sh("ip link set dtap0 up");
    appliance.wait_until("the alert is over", || {
        alerts(&appliance).iter().all(|alert| alert["ended"].is_string())
    });
    assert_eq!(port()["link_up"], true);
}
