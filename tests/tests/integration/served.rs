//! The daemon as a service: what its service manager hears, that its unit fits the program, and that names which nobody declared use up no
//! room.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::daemon::{Daemon, configure, ctl, said, signal};
use crate::tables::scenario;
use tests::{portcullis, programs, repository};

/// What the manager hears next, line by line.
fn heard(manager: &UnixDatagram) -> String {
    let mut message = [0; 4_096];
    let length = manager.recv(&mut message).expect("a word within half a minute");
    String::from_utf8(message[..length].to_vec()).unwrap()
}

fn says(message: &str, word: &str) -> bool {
    message.lines().any(|line| line == word)
}

#[test]
fn the_service_manager_hears_from_the_daemon_that_it_is_ready_lives_and_stops() {
    let market = scenario("calm", &["--minutes", "1"]);
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control.sock");
    let config = configure(dir.path(), &market.path().join("calm.pcap"));
    let manager = UnixDatagram::bind(dir.path().join("notify")).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut command = Command::new(programs().join("portcullis"));
    command.args(["run", "--config", &config]).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("NOTIFY_SOCKET", dir.path().join("notify")).env("WATCHDOG_USEC", "400000");
    let mut daemon = Daemon(command.spawn().expect("the daemon starts"));
    let first = heard(&manager);
    assert!(says(&first, "READY=1"), "{first}");
    assert!(ctl(&socket, &["status"]).status.success(), "ready is said when it answers");
    for _ in 0..3 {
        let alive = heard(&manager);
        assert!(says(&alive, "WATCHDOG=1"), "{alive}");
    }
    signal(&daemon, "TERM");
    let end = Instant::now() + Duration::from_secs(30);
    while !says(&heard(&manager), "STOPPING=1") {
        assert!(Instant::now() < end, "it lives on and says nothing of its end");
    }
    assert_eq!(daemon.0.wait().unwrap().code(), Some(0));
}

/// The settings of a unit, in their order; a key may come more than once.
fn settings(unit: &str) -> Vec<(&str, &str)> {
    let lines = unit.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).collect()
}

/// How `portcullis run` ends on a state directory and configuration that `harm` has changed.
fn exit_code(market: &Path, harm: impl FnOnce(&Path)) -> i32 {
    let dir = tempfile::tempdir().unwrap();
    let config = configure(dir.path(), market);
    harm(dir.path());
    portcullis(["run", "--config", &config]).status.code().expect("an exit of its own")
}

#[test]
fn the_unit_fits_the_program_and_the_groups_that_are_made() {
    let unit = std::fs::read_to_string(repository().join("nic-config/systemd/portcullis.service")).unwrap();
    let settings = settings(&unit);
    let the = |key: &str| {
        let mut values = settings.iter().filter(|(found, _)| *found == key).map(|(_, value)| *value);
        let value = values.next().unwrap_or_else(|| panic!("the unit says nothing of {key}"));
        assert!(values.next().is_none(), "{key} twice");
        value
    };
    // Whoever may connect is in one group, devices belong to another, and both are made.
    let (control, vfio) = (the("Group"), the("SupplementaryGroups"));
    assert_ne!(control, vfio);
    let users = std::fs::read_to_string(repository().join("nic-config/sysusers.d/portcullis.conf")).unwrap();
    for group in [control, vfio] {
        assert!(users.lines().any(|line| line.starts_with(&format!("g {group} "))), "{group}: {users}");
    }
    let udev = std::fs::read_dir(repository().join("nic-config/udev")).unwrap();
    let rules: String = udev.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    assert!(rules.contains(&format!("GROUP=\"{vfio}\"")) && !rules.contains(control), "{rules}");
    // The disk of the latches comes first and goes last.
    let state = format!("/var/lib/{}", the("StateDirectory"));
    assert!(the("RequiresMountsFor").split(' ').any(|path| path == state), "{state}");
    assert_eq!((the("Type"), the("NotifyAccess"), the("Restart")), ("notify", "main", "on-failure"));
    assert!(the("WatchdogSec").parse::<u32>().is_ok_and(|seconds| (1..=300).contains(&seconds)));
    // What another start cannot change is not tried again, and everything else is.
    let given_up: Vec<i32> =
        the("RestartPreventExitStatus").split(' ').map(|code| code.parse().unwrap()).collect();
    let market = scenario("calm", &["--minutes", "1"]);
    let pcap = market.path().join("calm.pcap");
    let wrong_key = |dir: &Path| {
        let config = dir.join("portcullis.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(config, format!("{text}\n[placement]\nreciever_cpu = 1\n")).unwrap();
    };
    let exposed = |dir: &Path| {
        std::fs::set_permissions(dir.join("state"), std::fs::Permissions::from_mode(0o777)).unwrap();
    };
    let no_key = |dir: &Path| std::fs::remove_file(dir.join("state/audit.key")).unwrap();
    let no_feed = |_: &Path| std::fs::remove_file(&pcap).unwrap();
    let for_good = [exit_code(&pcap, wrong_key), exit_code(&pcap, exposed), exit_code(&pcap, no_key)];
    assert_eq!(for_good, [2, 3, 3]);
    let mut codes = for_good.to_vec();
    codes.dedup();
    assert_eq!(given_up, codes, "the unit gives up on these alone");
    let may_come = exit_code(&pcap, no_feed);
    assert!(
        may_come != 0 && !given_up.contains(&may_come),
        "{may_come}: tried again until the feed is there"
    );
}

#[test]
fn the_desks_unit_fits_its_program_and_its_user_can_look_and_nothing_else() {
    let read = |path: &str| std::fs::read_to_string(repository().join(path)).unwrap();
    let unit = read("nic-config/systemd/portcullis-rest.service");
    let settings = settings(&unit);
    let the = |key: &str| settings.iter().find(|(found, _)| *found == key).expect(key).1;
    let users = read("nic-config/sysusers.d/portcullis.conf");
    let (user, group) = (the("User"), the("Group"));
    assert!(users.lines().any(|line| line.starts_with(&format!("u {user} "))), "{users}");
    assert!(users.lines().any(|line| line == format!("m {user} {group}")), "{users}");
    let daemon = read("nic-config/systemd/portcullis.service");
    assert!(daemon.contains(&format!("\nGroup={group}\n")) && !daemon.contains(&format!("\nUser={user}\n")));
    // It takes the unit's command line, and gives up on one that makes no sense, as the unit expects.
    let start = the("ExecStart").strip_prefix("/usr/bin/portcullis-rest").expect("this program");
    let exit = |more: &[&str]| {
        let arguments = start.split_whitespace().chain(more.iter().copied());
        let run =
            Command::new(programs().join("portcullis-rest")).args(arguments).stdin(Stdio::null()).output();
        run.unwrap().status.code()
    };
    assert_eq!(exit(&["--version"]), Some(0));
    assert_eq!(exit(&["--every", "0"]), Some(2));
    assert_eq!(the("RestartPreventExitStatus"), "2");
}

#[test]
fn names_that_nobody_declared_use_up_no_room() {
    let market = scenario("calm", &["--minutes", "1"]);
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control.sock");
    let config = configure(dir.path(), &market.path().join("calm.pcap"));
    let _daemon = Daemon::start(&config, &socket);
    let explain = |strategy: &str, account: &str| {
        let order = ["gate", "explain", "--symbol", "FUTX", "--side", "buy", "--qty", "1", "--px", "1"];
        ctl(&socket, &[&order[..], &["--strategy", strategy, "--account", account, "-o", "json"]].concat())
    };
    // The gate has room for 64 of each.
    for number in 0..65 {
        let name = format!("nobody{number}");
        let (strategy, account) = if number % 2 == 0 { (name.as_str(), "a") } else { ("s", name.as_str()) };
        let refused = explain(strategy, account);
        assert!(!refused.status.success(), "{name}: {}", said(&refused));
    }
    let known = explain("s", "a");
    assert!(known.status.success(), "{}", String::from_utf8_lossy(&known.stderr));
    let explained: serde_json::Value = serde_json::from_str(&said(&known)).unwrap();
    let slugs = explained["explain"]["breaches"].as_array().unwrap().iter();
    assert!(
        !slugs.clone().any(|breach| breach["slug"].as_str().unwrap().starts_with("UNKNOWN")),
        "{explained}"
    );
}
