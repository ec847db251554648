//! Tests that cannot run on a machine say so where people and CI look, and CI believes them only when it is so.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::repository;

/// What a test needs that not every machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need<'a> {
    /// The captures of exchanges, beside the repository and never in it.
    RealData,
    /// The rights of root over the machine, not over a namespace alone.
    Root,
    /// A network namespace of the test's own, by root's right or a user namespace's.
    NetworkNamespace,
    /// Bridges in the kernel, which a network namespace shows.
    KernelBridge,
    /// XDP sockets in the kernel.
    XdpSockets,
    /// A host that has set no huge pages aside.
    NoHugePages,
    /// A time stamp counter of constant rate that never stops.
    InvariantTsc,
    /// The library of the CUDA scorer, which `CUDA_LIBRARY` names.
    CudaLibrary,
    /// A Python with QuickFIX, which `QUICKFIX_PYTHON` names (`scripts/quickfix.sh` makes one).
    QuickFix,
    /// A browser that renders a page without a screen.
    Browser,
    /// Redis (Debian: `redis-server`).
    Redis,
    /// Prometheus's checks of metrics and rules (Debian: `prometheus`).
    Promtool,
    /// A program that `scripts/setup.sh` installs or every Debian has.
    Program(&'a str),
}

impl Need<'_> {
    /// Whether this machine really is without it, found out in another way than the tests do.
    fn is_missing(self) -> bool {
        match self {
            Self::RealData => !repository().join("../shared/data").is_dir(),
            Self::Root => !is_root_of_the_machine(),
            Self::NetworkNamespace => !in_namespace("true"),
            Self::KernelBridge => !in_namespace("ip link add br9 type bridge"),
            Self::XdpSockets => !read("/proc/net/protocols").lines().any(|line| line.starts_with("XDP ")),
            Self::NoHugePages => !read("/proc/meminfo").contains("HugePages_Total:       0"),
            Self::InvariantTsc => {
                let flags = read("/proc/cpuinfo");
                !flags.contains("constant_tsc") || !flags.contains("nonstop_tsc")
            }
            Self::CudaLibrary => std::env::var_os("CUDA_LIBRARY").is_none(),
            Self::QuickFix => std::env::var_os("QUICKFIX_PYTHON").is_none(),
            Self::Browser => !Path::new("/usr/bin/chromium").exists(),
            Self::Redis => !Path::new("/usr/bin/redis-server").exists(),
            Self::Promtool => !Path::new("/usr/bin/promtool").exists(),
            Self::Program(_) => false,
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Root, and not in a user namespace that maps somebody else to root.
fn is_root_of_the_machine() -> bool {
    let status = read("/proc/self/status");
    let effective = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1));
    let whole_range = read("/proc/self/uid_map").split_whitespace().last() == Some("4294967295");
    effective == Some("0") && whole_range
}

/// Whether a line of shell succeeds in a network namespace of its own.
fn in_namespace(line: &str) -> bool {
    ["-n", "-Urn"].iter().any(|flags| {
        let output = Command::new("unshare").args([flags, "sh", "-ec", line]).output();
        output.is_ok_and(|output| output.status.success())
    })
}

/// Notes that the calling test does not run, since the machine is without what it needs: on its output, and for the last
/// lines of `scripts/test.sh`. The caller returns then.
///
/// # Panics
/// In CI (`CI=true`), when the machine has it: the test could have run.
pub fn skip(need: Need<'_>, why: &str) {
    let thread = std::thread::current();
    let line = format!("{}: {why}\n", thread.name().unwrap_or("a test"));
    print!("skipped: {line}");
    if std::env::var_os("CI").is_some_and(|ci| ci == "true") {
        assert!(need.is_missing(), "skipped in CI ({why}), but this machine has it: {need:?}");
    }
    if let Some(path) = list() {
        let file = OpenOptions::new().create(true).append(true).open(path);
        // One write, so that lines of several processes stay whole.
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the list of skipped tests is written");
    }
}

/// Where skipped tests are listed: `skipped-tests` in the target directory, as far as the test stands in one
/// (`target/PROFILE/deps/TEST`).
fn list() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    let deps = test.parent().filter(|folder| folder.ends_with("deps"))?;
    Some(deps.parent().and_then(Path::parent)?.join("skipped-tests"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_found_out_by_itself() {
        assert!(!Need::Program("ip").is_missing(), "what setup installs is never an excuse");
        let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        assert!(is_root || Need::Root.is_missing());
        assert_eq!(Need::CudaLibrary.is_missing(), std::env::var_os("CUDA_LIBRARY").is_none());
        assert!(in_namespace("true") || !in_namespace("ip link add br9 type bridge"));
        assert!(!in_namespace("false"));
    }

    #[test]
    fn the_list_stands_in_the_target_directory() {
        let list = list().unwrap();
        assert!(list.ends_with("skipped-tests") && list.parent().unwrap().join("CACHEDIR.TAG").exists());
    }
}
