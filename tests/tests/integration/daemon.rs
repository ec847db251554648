//! The daemon and portcullisctl, as built: what an officer does survives kill -9, and refusals have their exit codes.

use crate::tables::scenario;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tests::{portcullis, programs};

/// A daemon's configuration in `dir`, on a state directory that was made ready; the feed is the capture.
pub(crate) fn configure(dir: &Path, pcap: &Path) -> String {
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
    pub(crate) fn start(config: &str, socket: &Path) -> Self {
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

/// A daemon whose stderr goes to a file, or to nobody: a pipe whose reader is gone.
pub(crate) fn start_told(config: &str, stderr: Stdio) -> Daemon {
    let mut command = Command::new(programs().join("portcullis"));
    command.args(["run", "--config", config]).stdout(Stdio::null()).stderr(stderr);
    Daemon(command.spawn().expect("the daemon starts"))
}

/// Waits until `is_so`, for at most half a minute.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A daemon on a directory of its own, killed before that goes: fields drop in this order.
pub(crate) struct Started {
    pub(crate) daemon: Daemon,
    pub(crate) dir: tempfile::TempDir,
}

/// What `start` gave, as soon as `is_so` of it. A file may be over before its instruments are introduced: then the model says nothing for
/// the rest of that run, so it is ended and another one is started, each waited for twice as long as the one before.
pub(crate) fn start_until<T>(what: &str, start: impl Fn() -> T, is_so: impl Fn(&T) -> bool) -> T {
    for seconds in [2, 4, 8, 16, 32] {
        let started = start();
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            if is_so(&started) {
                return started;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    panic!("{what}");
}

/// The CPUs that a thread may run on, as the kernel lists them in the status of `task`.
fn cpus_of(task: &Path) -> String {
    let status = std::fs::read_to_string(task.join("status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.unwrap_or_default().trim().to_owned()
}

#[test]
fn the_desk_runs_on_its_cpu_and_the_table_of_the_start_says_so() {
    let market = scenario("calm", &["--minutes", "1"]);
    let dir = tempfile::tempdir().unwrap();
    let config = configure(dir.path(), &market.path().join("calm.pcap"));
    let ours = cpus_of(Path::new("/proc/self"));
    let cpu = ours.rsplit([',', '-']).next().expect("a CPU").to_owned();
    let text = std::fs::read_to_string(&config).unwrap();
    let placed = text.replace("[[feed]]", &format!("[placement]\ndesk_cpu = {cpu}\n[[feed]]"));
    std::fs::write(&config, placed).unwrap();
    let table = said(&portcullis(["run", "--config", &config, "--check"]));
    let row = |stage: &str| table.lines().find(|line| line.trim_start().starts_with(stage)).expect("its row");
    let cpu_of = |stage: &str| row(stage).split_whitespace().nth(1).expect("its CPU").to_owned();
    assert_eq!((cpu_of("desk"), cpu_of("scorer")), (cpu.clone(), "any".to_owned()), "{table}");
    let daemon = Daemon::start(&config, &dir.path().join("control.sock"));
    let tasks =
        std::fs::read_dir(format!("/proc/{}/task", daemon.0.id())).unwrap().map(|task| task.unwrap().path());
    let threads: Vec<(String, String)> = tasks
        .map(|task| {
            (std::fs::read_to_string(task.join("comm")).unwrap_or_default().trim().to_owned(), cpus_of(&task))
        })
        .collect();
    let of = |stage: &str| threads.iter().find(|(name, _)| name == stage).map(|(_, cpus)| cpus.as_str());
    assert_eq!((of("desk"), of("scorer")), (Some(cpu.as_str()), Some(ours.as_str())), "{threads:?}");
}

pub(crate) fn signal(daemon: &Daemon, name: &str) {
    let pid = daemon.0.id().to_string();
    assert!(Command::new("kill").args(["-s", name, &pid]).status().expect("kill").success());
}

#[test]
fn a_hangup_does_not_end_the_daemon() {
    let market = scenario("calm", &["--minutes", "1"]);
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control.sock");
    let config = configure(dir.path(), &market.path().join("calm.pcap"));
    let log = dir.path().join("stderr");
    let mut daemon = start_told(&config, std::fs::File::create(&log).unwrap().into());
    until("the daemon answers", || ctl(&socket, &["status"]).status.success());
    for times in 1..=2 {
        signal(&daemon, "HUP");
        let told = || std::fs::read_to_string(&log).unwrap().matches("SIGHUP: the configuration").count();
        until("it says so", || daemon.0.try_wait().unwrap().is_some() || told() == times);
        assert!(daemon.0.try_wait().unwrap().is_none(), "SIGHUP ended it");
    }
    until("every stage's counters are in the status", || {
        let status: serde_json::Value =
            serde_json::from_str(&said(&ctl(&socket, &["status", "-o", "json"]))).expect("JSON");
        let counters = &status["status"]["counters"];
        let moved = |stage: &str, name: &str| counters[stage][name].as_u64().is_some_and(|count| count > 0);
        moved("receiver sim", "packets") && moved("featurizer", "events") && counters["scorer"].is_object()
    });
    signal(&daemon, "TERM");
    assert_eq!(daemon.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_log_that_nobody_reads_any_more_does_not_end_the_daemon() {
    let market = scenario("calm", &["--minutes", "1"]);
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control.sock");
    let config = configure(dir.path(), &market.path().join("calm.pcap"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut daemon = start_told(&config, writer.into());
    until("the daemon answers", || {
        assert!(daemon.0.try_wait().unwrap().is_none(), "it ended");
        ctl(&socket, &["status"]).status.success()
    });
    signal(&daemon, "HUP");
    std::thread::sleep(Duration::from_millis(200));
    assert!(ctl(&socket, &["status"]).status.success());
    signal(&daemon, "TERM");
    assert_eq!(daemon.0.wait().unwrap().code(), Some(0));
}

/// How a start ends, whatever way: its exit code and complaint, or that it answers, and whether halted.
fn outcome_of_a_start(config: &str, socket: &Path, log: &Path) -> String {
    let mut daemon = start_told(config, std::fs::File::create(log).unwrap().into());
    loop {
        if let Some(status) = daemon.0.try_wait().unwrap() {
            return format!(
                "exit {:?}: {}",
                status.code(),
                complaint(&std::fs::read_to_string(log).unwrap())
            );
        }
        let answer = ctl(socket, &["status"]);
        if answer.status.success() {
            signal(&daemon, "TERM");
            daemon.0.wait().unwrap();
            return if said(&answer).contains("HALTED") { "halted" } else { "runs" }.to_owned();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What the last line complains of; making a directory where a file is fails with other words than writing there.
fn complaint(stderr: &str) -> &str {
    let line = stderr.lines().find_map(|line| line.strip_prefix("portcullis: ")).unwrap_or("");
    line.split_once(": ").map_or(line, |(what, _)| what)
}

/// The same of `--check`.
fn outcome_of_a_check(config: &str) -> String {
    let output = portcullis(["run", "--check", "--config", config]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) if stderr.contains("a start would come up halted") => "halted".to_owned(),
        Some(0) => "runs".to_owned(),
        code => format!("exit {code:?}: {}", complaint(&stderr)),
    }
}

/// Somebody else has it: a start would fail, and a check says so. It may be the daemon that runs, so that is no failure.
#[test]
fn a_check_tries_the_port_of_the_metrics() {
    let market = scenario("calm", &["--minutes", "1"]);
    let dir = tempfile::tempdir().unwrap();
    let config = configure(dir.path(), &market.path().join("calm.pcap"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("[[feed]]", &format!("[metrics]\nlisten = \"{address}\"\n[[feed]]"));
    std::fs::write(&config, text).unwrap();
    let said = |arguments: &[&str]| {
        let output = portcullis([&["run", "--config", config.as_str()], arguments].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, told) = said(&["--check"]);
    let wanted = format!("metrics.listen {address}: ");
    assert!(
        code == Some(0) && told.contains(&wanted) && told.contains("a start now would fail"),
        "{code:?}: {told}"
    );
    let (code, told) = said(&[]);
    assert!(code == Some(1) && told.contains(&wanted), "{code:?}: {told}");
    drop(taken);
    let (code, told) = said(&["--check"]);
    assert!(code == Some(0) && !told.contains(&wanted), "{code:?}: {told}");
}

/// Whatever is wrong with a machine, `--check` ends as a start does that comes after it.
#[test]
fn a_check_ends_as_a_start_does() {
    type Break = fn(&Path);
    let replace = |from: &'static str, to: &'static str| {
        move |dir: &Path| {
            let config = dir.join("portcullis.toml");
            let text = std::fs::read_to_string(&config).unwrap();
            assert!(text.contains(from), "{text}");
            std::fs::write(&config, text.replace(from, to)).unwrap();
        }
    };
    let files: [(&str, Break); 9] = [
        ("runs", |_| ()),
        ("exit", |dir| std::fs::write(dir.join("control.sock"), "notes").unwrap()),
        ("exit", |dir| std::fs::create_dir(dir.join("state/verdicts.csv")).unwrap()),
        ("exit", |dir| {
            std::fs::remove_dir_all(dir.join("state")).unwrap();
            std::fs::write(dir.join("state"), "").unwrap();
        }),
        ("exit", |dir| {
            std::fs::remove_file(dir.join("state/lock")).unwrap();
            std::fs::create_dir(dir.join("state/lock")).unwrap();
        }),
        ("exit", |dir| {
            std::fs::remove_dir_all(dir.join("state/audit")).unwrap();
            std::fs::write(dir.join("state/audit"), "").unwrap();
        }),
        ("exit", |dir| std::fs::remove_file(dir.join("state/audit.key")).unwrap()),
        ("halted", |dir| std::fs::remove_file(dir.join("state/latch.sealed")).unwrap()),
        ("halted", |dir| std::fs::remove_dir_all(dir.join("state")).unwrap()),
    ];
    let feed = "[[feed]]";
    let keys = [
        ("exit", replace("calm.pcap", "none.pcap")),
        ("exit", replace(feed, "[scorer]\nmodel_dir = \"/none\"\n[[feed]]")),
        ("exit", replace(feed, "[placement]\nreceiver_cpu = 1023\n[[feed]]")),
        ("exit", replace(feed, "[placement]\nscorer_cpu = 1023\n[[feed]]")),
        ("exit", replace(feed, "[placement]\ndesk_cpu = 1023\n[[feed]]")),
        ("exit", replace(feed, "[placement]\nhousekeeping_cpus = \"1023\"\n[[feed]]")),
        ("exit", replace("control.sock", "none/control.sock")),
    ];
    let market = scenario("calm", &["--minutes", "1"]);
    let breaks = files.iter().map(|(wanted, harm)| (*wanted, harm as &dyn Fn(&Path)));
    let breaks = breaks.chain(keys.iter().map(|(wanted, harm)| (*wanted, harm as &dyn Fn(&Path))));
    for (number, (wanted, harm)) in breaks.enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let config = configure(dir.path(), &market.path().join("calm.pcap"));
        harm(dir.path());
        let checked = outcome_of_a_check(&config);
        let started =
            outcome_of_a_start(&config, &dir.path().join("control.sock"), &dir.path().join("stderr"));
        assert!(started.starts_with(wanted), "break {number}: {started}");
        assert_eq!(checked, started, "break {number}");
    }
}
