//! The daemon on a wire: multicast behind a switch that sends a group only to ports that report it, from the first packet to
//! a clean stop.

use crate::daemon::{Daemon, ctl, said};
use crate::tables::scenario;
use dataplane::source::{FileOptions, FileSource, PacketSource, SourceStatus};
use serde_json::Value;
use std::fs::File;
use std::net::{SocketAddrV4, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tests::{Need, programs, skip};
use wire::frame::{LinkType, parse_udp_on};

/// Set in the process that runs inside the namespace.
const INSIDE: &str = "PORTCULLIS_TEST_IN_NAMESPACE";

/// Far longer than anything here takes, so that a busy machine fails no test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How much faster than the market the capture is sent.
const SPEED: u32 = 4;

/// Time after which the switch forgets a member that does not answer its queries; RFC 3376 says 260 s.
const MEMBERSHIP: Duration = Duration::from_secs(4);

/// A bridge that snoops, queries, and floods nothing to `p0`; its intervals are some hundredth of the standard's (unit:
/// 10 ms), and four queries in a row may go unanswered on a busy machine.
/// `v0`, behind `p0`, is the appliance's port; `v1` is the venue.
pub(crate) const NETWORK: &str = "
    ip link set lo up
    ip link add br0 type bridge mcast_snooping 1 mcast_query_response_interval 20
    ip link set br0 type bridge mcast_query_interval 80 mcast_startup_query_interval 20 \
        mcast_membership_interval 400 mcast_last_member_interval 10
    ip link set br0 type bridge mcast_querier 1 mcast_igmp_version 3
    ip link add v0 type veth peer name p0
    ip link add v1 type veth peer name p1
    for i in p0 p1; do ip link set $i master br0 up; done
    for i in v0 v1 br0; do ip link set $i up; done
    bridge link set dev p0 mcast_flood off
    ip addr add 10.192.12.1/24 dev v1
    ip route add 239.0.0.0/8 dev v1";

fn runs(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

pub(crate) fn sh(line: &str) -> String {
    let output = Command::new("sh").args(["-ec", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the test called `name` again in a network namespace of its own, and tells whether this is that process. The
/// namespace ends with it. Where none can be had, the test is skipped.
pub(crate) fn in_network_namespace(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let all = ["-n", "-Urn"];
    let Some(flag) = all.into_iter().find(|flag| runs("unshare", &[flag, "true"])) else {
        skip(Need::NetworkNamespace, "no network namespace permitted (needs root or user namespaces)");
        return false;
    };
    let bridge = "ip link add br9 type bridge && bridge link show";
    if !runs("unshare", &[flag, "sh", "-ec", bridge]) {
        skip(Need::KernelBridge, "no bridge in the kernel, or no ip and bridge commands (iproute2)");
        return false;
    }
    programs();
    let status = Command::new("unshare")
        .arg(flag)
        // Not by its path: building the programs may have replaced the file.
        .arg(format!("/proc/{}/exe", std::process::id()))
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .status()
        .unwrap();
    assert!(status.success(), "the test failed in its namespace, see above");
    false
}

/// Every datagram of a capture: when, to which group, what.
pub(crate) fn datagrams(pcap: &Path) -> Vec<(u64, SocketAddrV4, Vec<u8>)> {
    let mut source = FileSource::open(pcap, FileOptions::default()).unwrap();
    let mut all = Vec::new();
    loop {
        let status = source.next_burst(64, |packet| {
            let datagram = parse_udp_on(LinkType::Ethernet, packet.bytes).unwrap();
            let to = SocketAddrV4::new(datagram.dst_addr, datagram.dst_port);
            all.push((packet.ts.0, to, datagram.payload.to_vec()));
            true
        });
        if status.unwrap() == SourceStatus::End {
            return all;
        }
    }
}

/// Sends the capture as it was, [`SPEED`] times as fast, until it ends or `stop` is set.
pub(crate) fn send(datagrams: &[(u64, SocketAddrV4, Vec<u8>)], stop: &AtomicBool) {
    let socket = UdpSocket::bind("10.192.12.1:0").unwrap();
    let (begin, first) = (Instant::now(), datagrams[0].0);
    for (ts, to, payload) in datagrams {
        let due = Duration::from_nanos((ts - first) / u64::from(SPEED));
        while let Some(early) = due.checked_sub(begin.elapsed()).filter(|d| !d.is_zero()) {
            std::thread::sleep(early.min(Duration::from_millis(1)));
        }
        if stop.load(Ordering::Relaxed) {
            return;
        }
        socket.send_to(payload, to).unwrap();
    }
}

/// A daemon on `v0`, and what it prints.
pub(crate) struct Appliance {
    pub(crate) daemon: Daemon,
    pub(crate) dir: tempfile::TempDir,
}

impl Appliance {
    /// Makes its state and starts it; `more` is configuration beside the feed's.
    pub(crate) fn start(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let config = dir.path().join("portcullis.toml");
        // The packet socket's ring holds two seconds, so that a machine busy with other tests loses nothing.
        let text = format!(
            "[instance]\nstate_dir = {state:?}\nsocket = {:?}\n[book]\ninstruments = 64\norders = 65536\n\
             [account.a]\n[strategy.s]\n\
             [eal]\nmemory = \"no_huge\"\nmemory_mib = 96\n\
             [[feed]]\nname = \"sim\"\nkind = \"itch50\"\nsource = \"net_af_packet0,iface=v0,framecnt=8192\"\n\
             line_a = [\"239.192.12.1:26477\"]\nline_b = [\"239.192.12.2:26477\"]\n\
             igmp_address = \"10.192.12.9\"\nstale_after_ms = 1000\n{more}",
            dir.path().join("control.sock"),
        );
        std::fs::write(&config, text).unwrap();
        let init =
            Command::new(programs().join("portcullis")).args(["init", "--config"]).arg(&config).status();
        assert!(init.unwrap().success(), "the state directory is made");
        let appliance = Self { daemon: Self::spawn(&dir), dir };
        appliance.answers();
        appliance
    }

    fn spawn(dir: &tempfile::TempDir) -> Daemon {
        let print = |name: &str| {
            Stdio::from(File::options().append(true).create(true).open(dir.path().join(name)).unwrap())
        };
        let mut command = Command::new(programs().join("portcullis"));
        command.args(["run", "--config"]).arg(dir.path().join("portcullis.toml"));
        command.stdout(print("stdout")).stderr(print("stderr"));
        Daemon(command.spawn().expect("the daemon starts"))
    }

    fn answers(&self) {
        self.wait_until("the daemon answers", || ctl(&self.socket(), &["status"]).status.success());
    }

    /// Ends the daemon as the power does, and starts it again.
    pub(crate) fn restart(&mut self) {
        self.daemon.0.kill().unwrap();
        self.daemon.0.wait().unwrap();
        self.daemon = Self::spawn(&self.dir);
        self.answers();
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("control.sock")
    }

    pub(crate) fn printed(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    /// The answer to a command, as programs read it.
    pub(crate) fn ask(&self, command: &[&str], what: &str) -> Value {
        let output = ctl(&self.socket(), &[command, &["-o", "json"]].concat());
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str::<Value>(&said(&output)).unwrap()[what].take()
    }

    fn feed(&self) -> Value {
        self.ask(&["status"], "status")["feeds"][0].take()
    }

    /// Waits, and says how the appliance is when that was in vain.
    pub(crate) fn wait_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds() {
            let state = || {
                let tables =
                    [["status"].as_slice(), &["tier", "show"]].map(|c| said(&ctl(&self.socket(), c)));
                format!("{}\n{}\n{}", tables.join("\n"), self.printed("stderr"), members())
            };
            assert!(Instant::now() < end, "waited in vain: {what}\n{}", state());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whose limits are in force, for every instrument and limit.
    fn sources(&self) -> Vec<String> {
        let rows = self.ask(&["limits", "show"], "limits");
        rows.as_array().unwrap().iter().map(|row| row["source"].as_str().unwrap().to_owned()).collect()
    }
}

/// The groups that the switch has members of, and the ports.
fn members() -> String {
    sh("bridge mdb show")
}

#[test]
fn multicast_makes_books_scores_and_limits_and_silence_takes_them_back() {
    if !in_network_namespace(
        "live_multicast::multicast_makes_books_scores_and_limits_and_silence_takes_them_back",
    ) {
        return;
    }
    std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").ok();
    sh(NETWORK);
    let market = scenario("calm", &["--minutes", "2"]);
    let datagrams = datagrams(&market.path().join("calm.pcap"));
    let mut appliance = Appliance::start("");
    boots_and_joins(&appliance);

    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| send(&datagrams, &stop));
        // The scope waits for the sender, so it is told to stop whatever becomes of the checks.
        let _stop = StopOnDrop(&stop);
        goes_live(&appliance);
    });
    goes_stale(&appliance);
    halts(&appliance);
    stops(&mut appliance);
}

pub(crate) struct StopOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn boots_and_joins(appliance: &Appliance) {
    for group in ["239.192.12.1", "239.192.12.2"] {
        // The switch knows it from the report it saw on the wire.
        appliance.wait_until("the switch hears the report", || {
            members().contains(&format!("port p0 grp {group}"))
        });
        let boot = appliance.printed("stdout");
        let row = boot.lines().find(|line| line.contains(group)).expect("the boot report has the group");
        assert!(row.contains("IGMPv3 from 10.192.12.9"), "{row}");
    }
    let feed = appliance.feed();
    assert_eq!((&feed["state"], &feed["last"]), (&Value::from("silent"), &Value::Null), "{feed}");
}

fn goes_live(appliance: &Appliance) {
    appliance.wait_until("the books are live", || {
        let tiers = appliance.ask(&["tier", "show"], "tiers");
        let rows = tiers.as_array().unwrap();
        !rows.is_empty() && rows.iter().all(|row| row["book"] == "live")
    });
    appliance.wait_until("the model's limits are in force", || {
        appliance.sources().iter().any(|source| source == "dynamic")
    });
    let status = appliance.ask(&["status"], "status");
    assert!(status["scorer"]["scored"].as_u64().unwrap() > 0, "{status}");
    assert!(status["scorer"]["last"].is_string(), "{status}");
    let feed = &status["feeds"][0];
    assert_eq!((&feed["state"], &feed["gaps"]), (&Value::from("live"), &Value::from(0)), "{feed}");
    assert!(feed["messages"].as_u64().unwrap() > 0 && feed["last"].is_string(), "{feed}");
}

fn goes_stale(appliance: &Appliance) {
    appliance.wait_until("the feed is stale", || appliance.feed()["state"] == "stale");
    appliance.wait_until("the static limits hold", || {
        appliance.sources().iter().all(|source| source.starts_with("static"))
    });
    let last = |feed: &Value| feed["last"].as_str().map(str::to_owned);
    let before = last(&appliance.feed());
    // Long after the report of the joins has lapsed, the answers to queries keep the groups.
    std::thread::sleep(MEMBERSHIP * 2);
    assert!(members().contains("port p0 grp 239.192.12.1"), "the membership lapsed:\n{}", members());
    let feed = appliance.feed();
    assert_eq!((&feed["state"], last(&feed)), (&Value::from("stale"), before), "{feed}");
    let table = said(&ctl(&appliance.socket(), &["status"]));
    let row = table.lines().find(|line| line.starts_with("feed sim")).unwrap();
    assert!(row.contains("stale: ") && row.contains(" s ago"), "{row}");
}

fn halts(appliance: &Appliance) {
    let changed = appliance.ask(&["halt", "--reason", "drill"], "changed");
    let us = |key: &str| changed[key].as_u64().unwrap_or_else(|| panic!("no {key} in {changed}"));
    println!("halt: gate after {} us, disk after {} us", us("effective_after_us"), us("durable_after_us"));
    assert!(us("effective_after_us") < us("durable_after_us"), "{changed}");
}

fn stops(appliance: &mut Appliance) {
    sh(&format!("kill -TERM {}", appliance.daemon.0.id()));
    let end = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = appliance.daemon.0.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < end, "the daemon does not stop");
        std::thread::sleep(Duration::from_millis(20));
    };
    let printed = appliance.printed("stderr");
    assert!(status.success(), "{printed}");
    assert!(printed.contains("2 multicast group(s) left; IGMP: "), "{printed}");
    appliance.wait_until("the switch hears the leave", || !members().contains("port p0 grp 239.192.12."));
    let log = std::fs::read_to_string(appliance.dir.path().join("state/latency.hlog")).unwrap();
    for hop in ["nic_decode", "decode_ring", "book_features", "score"] {
        assert!(log.contains(&format!("Tag={hop},")), "{hop} is missing from latency.hlog");
    }
    assert!(!appliance.socket().exists());
}
