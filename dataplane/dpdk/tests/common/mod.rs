//! What several tests need. Each test file is a program of its own and uses a part.
#![allow(dead_code, reason = "every test program compiles this module and uses a part of it")]

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use dpdk::{BURST_MAX, RxQueue};
use tests::{Need, skip};

/// Set in the process that runs inside the namespace.
const INSIDE: &str = "DPDK_TEST_IN_NAMESPACE";

/// A frame of `len` bytes that nothing else on a wire looks like: an experimental ethertype, then a pattern from `seed`.
pub(crate) fn frame(len: usize, seed: u32) -> Vec<u8> {
    let mut frame = vec![0x01, 0x00, 0x5e, 0x01, 0x01, 0x01, 0x02, 0, 0, 0, 0, 0x01, 0x88, 0xb5];
    frame.extend(seed.to_be_bytes());
    frame.extend(
        (frame.len()..len).map(|i| (i as u32).wrapping_mul(seed.wrapping_mul(2).wrapping_add(1)) as u8),
    );
    frame
}

/// One packet of a capture file: its time in the file's resolution, and its bytes.
pub(crate) struct Record {
    pub(crate) seconds: u32,
    pub(crate) fraction: u32,
    pub(crate) bytes: Vec<u8>,
}

/// Writes a pcap file; `magic` 0xa1b2c3d4 for microseconds, 0xa1b23c4d for nanoseconds.
pub(crate) fn write_pcap(path: &Path, magic: u32, records: &[Record]) {
    let mut file = Vec::new();
    for word in [magic, 4 << 16 | 2, 0, 0, 65535, 1] {
        file.extend(word.to_le_bytes());
    }
    for record in records {
        let len = record.bytes.len() as u32;
        for word in [record.seconds, record.fraction, len, len] {
            file.extend(word.to_le_bytes());
        }
        file.extend(&record.bytes);
    }
    std::fs::File::create(path).unwrap().write_all(&file).unwrap();
}

/// Receives until `wanted` frames that `keep` picks have come, or until `patience` has passed.
pub(crate) fn receive(
    queue: &mut RxQueue,
    wanted: usize,
    patience: Duration,
    keep: impl Fn(&[u8]) -> bool,
) -> Vec<Vec<u8>> {
    let end = Instant::now() + patience;
    let mut frames = Vec::with_capacity(wanted + BURST_MAX);
    while frames.len() < wanted && Instant::now() < end {
        frames.extend(queue.rx_burst().iter().map(|packet| packet.data().to_vec()).filter(|data| keep(data)));
    }
    frames
}

/// Whether the process runs in a user namespace of its own, where it is root over nothing but its network.
fn in_user_namespace() -> bool {
    std::fs::read_to_string("/proc/self/uid_map")
        .is_ok_and(|map| map.split_whitespace().last() != Some("4294967295"))
}

/// Runs the calling test, `name`, again as a process in a network namespace of its own, and tells whether this is that
/// process. The namespace ends with it. Where neither root nor user namespaces allow one, the test is skipped.
///
/// `root` demands namespace and capabilities of the real root, which XDP sockets do.
pub(crate) fn in_network_namespace(name: &str, root: bool) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let flags: &[&str] =
        match [["-n"].as_slice(), ["-Urn"].as_slice()].into_iter().find(|flags| may_unshare(flags)) {
            Some(flags) if !root || (flags == ["-n"] && !in_user_namespace()) => flags,
            Some(_) => {
                skip(Need::Root, "real root is needed, user namespaces do not do");
                return false;
            }
            None => {
                skip(Need::NetworkNamespace, "no network namespace permitted");
                return false;
            }
        };
    if !run("ip", &["-V"]) {
        skip(Need::Program("ip"), "no ip command (iproute2)");
        return false;
    }
    let status = Command::new("unshare")
        .args(flags)
        .arg(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .status()
        .unwrap();
    assert!(status.success(), "the test failed in its namespace, see above");
    false
}

fn may_unshare(flags: &[&str]) -> bool {
    run("unshare", &[flags, &["true"]].concat())
}

/// Whether a command runs and succeeds; what it says is not shown.
pub(crate) fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// Runs a command that must succeed, given as one line, and returns what it prints.
pub(crate) fn sh(line: &str) -> String {
    let output = Command::new("sh").args(["-ec", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Two interfaces that are one wire: `v0` for DPDK and `v1`, 10.9.0.2, for the kernel that sends to groups in 239/8. IPv6
/// is off, so that nothing else is on the wire.
pub(crate) fn veth_pair() {
    std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").ok();
    sh("ip link set lo up
        ip link add v0 type veth peer name v1
        ip link set v0 up
        ip link set v1 up
        ip addr add 10.9.0.2/24 dev v1
        ip route add 239.0.0.0/8 dev v1");
}

/// Whether an interface is promiscuous, by its flags or because somebody asked for it.
pub(crate) fn is_promiscuous(interface: &str) -> bool {
    let text = sh(&format!("ip -d link show {interface}"));
    text.contains("PROMISC") || !text.contains("promiscuity 0")
}
