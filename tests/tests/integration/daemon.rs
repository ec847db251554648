//! The daemon and portcullisctl, as built: what an officer does survives kill -9, and refusals have their exit codes.

use crate::tables::scenario;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tests::{portcullis, programs};

fn configure(dir: &Path, pcap: &Path) -> String {
    let state = dir.join("state");
    let config = dir.join("portcullis.toml");
    let text = format!(
        "[instance]\nstate_dir = {state:?}\nsocket = {:?}\n[book]\ninstruments = 64\norders = 65536\n\
         [account.a]\n[strategy.s]\n\
         [[feed]]\nname = \"sim\"\nkind = \"itch50\"\nsource = \"file:{}\"\n",
        dir.join("control.sock"),
        pcap.display()
    );
    std::fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap().to_owned();
    let made = portcullis(["init", "--config", &config]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    config
}

/// A daemon that is killed when the test ends.
pub(crate) struct Daemon(pub(crate) Child);

impl Daemon {
    fn start(config: &str, socket: &Path) -> Self {
        let mut command = Command::new(programs().join("portcullis"));
        command.args(["run", "--config", config]).stdout(Stdio::null()).stderr(Stdio::null());
        let daemon = Self(command.spawn().expect("the daemon starts"));
        let deadline = Instant::now() + Duration::from_secs(30);
        while !ctl(socket, &["limits", "show", "FUTX"]).status.success() {
            assert!(Instant::now() < deadline, "the daemon does not know FUTX");
            std::thread::sleep(Duration::from_millis(50));
        }
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn ctl(socket: &Path, args: &[&str]) -> Output {
    Command::new(programs().join("portcullisctl")).arg("--socket").arg(socket).args(args).output().unwrap()
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn breakers_and_limits_survive_kill_9_and_the_audit_chain_stays_sound() {
    let market = scenario("calm", &["--minutes", "1"]);
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control.sock");
    let config = configure(dir.path(), &market.path().join("calm.pcap"));
    let daemon = Daemon::start(&config, &socket);
    assert!(ctl(&socket, &["breaker", "trip", "instrument:FUTX", "--reason", "drill"]).status.success());
    assert!(ctl(&socket, &["limits", "set", "FUTX", "max_qty=40", "--reason", "drill"]).status.success());
    let second = portcullis(["run", "--config", &config]);
    assert_eq!(second.status.code(), Some(1), "two daemons on one state directory");
    drop(daemon);

    let _daemon = Daemon::start(&config, &socket);
    assert!(said(&ctl(&socket, &["breaker", "list"])).contains("instrument:FUTX"));
    assert!(said(&ctl(&socket, &["limits", "show", "FUTX", "-o", "csv"])).contains("40"));
    let order =
        ["--symbol", "FUTX", "--side", "buy", "--qty", "1", "--px", "1", "--strategy", "s", "--account", "a"];
    let explained = ctl(&socket, &[&["gate", "explain"], &order[..]].concat());
    assert!(said(&explained).contains("HALTED_INSTRUMENT"), "{}", said(&explained));
    assert!(
        ctl(&socket, &["breaker", "reset", "instrument:FUTX", "--reason", "drill over", "--yes"])
            .status
            .success()
    );
    assert!(ctl(&socket, &["audit", "verify"]).status.success());
}

#[test]
fn a_daemon_that_is_not_there_is_exit_code_5() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(ctl(&dir.path().join("none.sock"), &["status"]).status.code(), Some(5));
}

#[test]
fn check_prints_the_placement_and_memory_tables_and_starts_nothing() {
    let market = scenario("calm", &["--minutes", "1"]);
    let dir = tempfile::tempdir().unwrap();
    let config = configure(dir.path(), &market.path().join("calm.pcap"));
    let output = portcullis(["run", "--check", "--config", &config]);
    assert!(output.status.success());
    let tables = String::from_utf8(output.stdout).unwrap();
    for word in ["receiver", "featurizer", "scorer", "books and features", "rings"] {
        assert!(tables.contains(word), "{word} is missing:\n{tables}");
    }
    assert!(!dir.path().join("control.sock").exists());
}

#[test]
fn a_card_that_is_not_there_leaves_the_cpu_and_says_so() {
    let market = scenario("calm", &["--minutes", "1"]);
    let dir = tempfile::tempdir().unwrap();
    let config = configure(dir.path(), &market.path().join("calm.pcap"));
    let card = ["--set", "scorer.backend=cuda", "--set", "scorer.cuda_library=none/libgpu_cuda.so"];
    let output = portcullis([["run", "--check", "--config", &config].as_slice(), &card].concat());
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    let line = said.lines().find(|l| l.contains("cuda")).expect("a warning");
    assert!(line.contains("none/libgpu_cuda.so") && line.contains("the CPU scores"), "{line}");
}

#[test]
fn an_interface_that_does_not_exist_is_one_clear_line() {
    let dir = tempfile::tempdir().unwrap();
    let config = configure(dir.path(), Path::new("unused"));
    let text = std::fs::read_to_string(&config).unwrap().replace("file:unused", "net_af_packet0,iface=nope0");
    std::fs::write(&config, text).unwrap();
    let output = portcullis(["run", "--config", &config]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let line = said.lines().find(|l| l.starts_with("portcullis: ")).expect("one line of complaint");
    assert!(line.contains("nope0"), "{line}");
}
