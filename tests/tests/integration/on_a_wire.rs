//! A daemon on a wire of its own: a network namespace with a switch between the venue and the appliance's port.

use crate::daemon::{Daemon, ctl, said};
use dataplane::source::{FileOptions, FileSource, PacketSource, SourceStatus};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs::File;
use std::net::{SocketAddrV4, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tests::{Need, programs, skip};
use wire::frame::{LinkType, parse_udp};

/// Set in the process that runs inside the namespace.
const INSIDE: &str = "PORTCULLIS_TEST_IN_NAMESPACE";

/// Far longer than anything here takes, so that a busy machine fails no test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A bridge that snoops, queries, and floods nothing to `p0`; its intervals are some hundredth of the standard's (unit:
/// 10 ms), and four queries in a row may go unanswered on a busy machine.
/// `v0`, behind `p0`, is the appliance's port; `v1` is the venue.
const NETWORK: &str = "
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

/// The venue's address in [`NETWORK`].
pub(crate) const VENUE: &str = "10.192.12.1:0";

fn runs(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

pub(crate) fn sh(line: &str) -> String {
    let output = Command::new("sh").args(["-ec", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the test called `name` again in namespaces of its own for the network and for mounts, and tells whether this is that
/// process; then the network is there. The namespaces end with it. Where none can be had, the test is skipped.
pub(crate) fn in_namespaces(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").ok();
        sh(NETWORK);
        return true;
    }
    let all = ["-nm", "-Urnm"];
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
    assert!(status.success(), "the test failed in its namespaces, see above");
    false
}

/// A datagram of a capture: when it was sent, to which group, what it carries.
pub(crate) struct Datagram {
    pub(crate) ts_ns: u64,
    pub(crate) to: SocketAddrV4,
    pub(crate) payload: Vec<u8>,
}

/// Every datagram of a capture.
pub(crate) fn datagrams(pcap: &Path) -> Vec<Datagram> {
    let mut source = FileSource::open(pcap, FileOptions::default()).unwrap();
    let mut all = Vec::new();
    loop {
        let status = source.next_burst(64, |packet| {
            let datagram = parse_udp(LinkType::Ethernet, packet.bytes).unwrap();
            let to = SocketAddrV4::new(datagram.dst_addr, datagram.dst_port);
            all.push(Datagram { ts_ns: packet.ts.0, to, payload: datagram.payload.to_vec() });
            true
        });
        if status.unwrap() == SourceStatus::End {
            return all;
        }
    }
}

/// How much faster than the market the capture is sent.
const SPEED: u32 = 4;

/// Sends the capture as it was, [`SPEED`] times as fast, until it ends or `stop` is set.
pub(crate) fn send(datagrams: &[Datagram], stop: &AtomicBool) {
    let socket = UdpSocket::bind(VENUE).unwrap();
    let (begin, first) = (Instant::now(), datagrams[0].ts_ns);
    for Datagram { ts_ns, to, payload } in datagrams {
        let due = Duration::from_nanos((ts_ns - first) / u64::from(SPEED));
        while let Some(early) = due.checked_sub(begin.elapsed()).filter(|d| !d.is_zero()) {
            std::thread::sleep(early.min(Duration::from_millis(1)));
        }
        if stop.load(Ordering::Relaxed) {
            return;
        }
        socket.send_to(payload, to).unwrap();
    }
}

/// Tells whoever sends to stop, whatever becomes of the checks.
pub(crate) struct StopOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A daemon on `v0`, and what it prints.
pub(crate) struct Appliance {
    pub(crate) daemon: Daemon,
    pub(crate) dir: tempfile::TempDir,
}

impl Appliance {
    /// Configures one with `more` than the least, and starts it on a state directory that `init` makes.
    pub(crate) fn start(more: &str) -> Self {
        let dir = configured(more);
        init(dir.path());
        let daemon = spawn(dir.path(), &[]);
        let appliance = Self { daemon, dir };
        appliance.wait_until_it_answers();
        appliance
    }

    pub(crate) fn wait_until_it_answers(&self) {
        self.wait_until("the daemon answers", || ctl(&self.socket(), &["status"]).status.success());
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

    pub(crate) fn feed(&self) -> Value {
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

    /// Ends the daemon as the power does, and starts it again.
    pub(crate) fn restart(&mut self) {
        self.daemon.0.kill().unwrap();
        self.daemon.0.wait().unwrap();
        self.daemon = spawn(self.dir.path(), &[]);
        self.wait_until_it_answers();
    }

    /// Sends the daemon a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        sh(&format!("kill -{name} {}", self.daemon.0.id()));
    }
}

/// A directory with the configuration of a daemon on `v0`: the least, and `more`.
pub(crate) fn configured(more: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    // The packet socket's ring holds two seconds, so that a machine busy with other tests loses nothing.
    let text = format!(
        "[instance]\nstate_dir = {state:?}\nsocket = {:?}\n[book]\ninstruments = 64\norders = 65536\n\
         [account.a]\n[strategy.s]\n\
         [eal]\nmemory = \"no_huge\"\nmemory_mib = {}\n\
         [[feed]]\nname = \"sim\"\nkind = \"itch50\"\nsource = \"net_af_packet0,iface=v0,framecnt=8192\"\n\
         line_a = [\"239.192.12.1:26477\"]\nline_b = [\"239.192.12.2:26477\"]\n\
         igmp_address = \"10.192.12.9\"\nstale_after_ms = 1000\n{more}",
        dir.path().join("control.sock"),
        // Each port more has packets of its own.
        96 + 32 * more.matches("[[feed]]").count(),
    );
    std::fs::write(dir.path().join("portcullis.toml"), text).unwrap();
    dir
}

/// Makes the state directory of the configuration in `dir`.
pub(crate) fn init(dir: &Path) {
    let mut init = Command::new(programs().join("portcullis"));
    let made =
        init.args(["init", "--config"]).arg(dir.join("portcullis.toml")).stdout(Stdio::null()).status();
    assert!(made.unwrap().success(), "the state directory is made");
}

/// Starts the daemon that is configured in `dir`, with more in its environment.
pub(crate) fn spawn(dir: &Path, env: &[(&str, &OsStr)]) -> Daemon {
    let append = |name: &str| File::options().append(true).create(true).open(dir.join(name));
    let print = |name: &str| Stdio::from(append(name).unwrap());
    let mut command = Command::new(programs().join("portcullis"));
    command.args(["run", "--config"]).arg(dir.join("portcullis.toml")).envs(env.iter().copied());
    command.stdout(print("stdout")).stderr(print("stderr"));
    Daemon(command.spawn().expect("the daemon starts"))
}

/// The groups that the switch has members of, and the ports.
pub(crate) fn members() -> String {
    sh("bridge mdb show")
}
