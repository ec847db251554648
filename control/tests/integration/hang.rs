//! A disk that hangs, while a command is at it and has the lock of all changes: who may still stop, look, and be told.

use crate::desk::{Site, person};
use crate::events::{events, tell, until};
use control::client::Client;
use control::limits::LimitKey;
use control::protocol::{
    AlertRow, Command, EventKind, LimitChange, Refusal, Reply, Severity, StatusReply, TripMode, read_frame,
    write_frame,
};
use control::roles::Role;
use control::server::Server;
use gate::BreakerState;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::Arc;
use std::thread::{Scope, ScopedJoinHandle, sleep};
use std::time::{Duration, Instant};

/// A disk that hangs whenever `file` is to be written: its temporary file is a pipe that nobody reads.
struct Hanging(PathBuf);

impl Hanging {
    fn at(file: &Path) -> Self {
        let pipe = file.with_extension("new");
        assert!(Process::new("mkfifo").arg(&pipe).status().unwrap().success());
        Self(pipe)
    }

    /// The disk goes on; what was being written fails, and is written again.
    fn go_on(self) {
        let pipe = self.0;
        // Whoever waits for a reader has one.
        let mut reader = File::options().read(true).write(true).open(&pipe).unwrap();
        fs::remove_file(&pipe).unwrap();
        sleep(Duration::from_millis(200));
        drop(reader.read(&mut [0; 4_096]));
    }
}

fn set(symbol: &str, value: &str) -> Command {
    let changes = vec![LimitChange { key: LimitKey::MaxQty, value: value.parse().unwrap() }];
    let (symbol, reason) = (symbol.parse().unwrap(), "because".parse().unwrap());
    Command::LimitsSet { symbol, changes, dry_run: false, reason, ticket: None }
}

fn halt() -> Command {
    Command::Halt { reason: None, ticket: None }
}

fn status(site: &Site) -> StatusReply {
    match site.ask(Role::Viewer, Command::Status) {
        Ok(Reply::Status(status)) => *status,
        other => panic!("{other:?}"),
    }
}

/// A lower limit of AAPL, which waits for the disk and keeps the lock.
fn at_the_disk<'scope>(
    scope: &'scope Scope<'scope, '_>,
    site: &'scope Site,
) -> (Hanging, ScopedJoinHandle<'scope, Result<Reply, Refusal>>) {
    let disk = Hanging::at(&site.state_dir().join("limits.sealed"));
    let busy = scope.spawn(|| site.ask(Role::RiskOfficer, set("AAPL", "400")));
    until("the limit is in force", || {
        site.desk.calls().iter().any(|call| call == "AAPL max_qty 400").then_some(())
    });
    sleep(Duration::from_millis(100));
    (disk, busy)
}

#[test]
fn whoever_looks_waits_for_no_disk_and_hears_that_it_hangs() {
    let site = Site::new(&[]);
    std::thread::scope(|scope| {
        let (disk, busy) = at_the_disk(scope, &site);
        let begun = Instant::now();
        assert_eq!(status(&site).alarms, [] as [String; 0], "not yet");
        site.ask(Role::Viewer, Command::BreakerList { after: None }).unwrap();
        site.ask(Role::Viewer, Command::LimitsShow { symbol: None, after: None }).unwrap();
        site.ask(Role::Viewer, Command::AuditVerify).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        sleep(Duration::from_millis(2_100));
        let alarms = status(&site).alarms;
        assert!(alarms[0].starts_with("the disk takes nothing since 2026-11-21T14:30:22."), "{alarms:?}");
        disk.go_on();
        drop(busy.join().unwrap());
        assert!(!status(&site).alarms.iter().any(|alarm| alarm.starts_with("the disk takes nothing")));
    });
}

#[test]
fn a_lower_limit_is_in_force_before_other_peoples_disk_and_also_for_whoever_has_given_up() {
    let site = Site::new(&[]);
    let max_qty =
        |value: &str| site.desk.calls().last().is_some_and(|call| call == &format!("ZVZZT max_qty {value}"));
    std::thread::scope(|scope| {
        let (disk, busy) = at_the_disk(scope, &site);
        let lower = scope.spawn(|| site.ask(Role::RiskOfficer, set("ZVZZT", "300")));
        until("the lower limit is in force", || max_qty("300").then_some(()));
        let lowest = scope.spawn(|| {
            let gone = control::controller::Asked::by(crate::desk::START, Some(Duration::ZERO), &|| false);
            site.controller.execute_asked(&person(Some(Role::RiskOfficer)), set("ZVZZT", "200"), &gone)
        });
        until("the lowest, too", || max_qty("200").then_some(()));
        assert!(!lower.is_finished() && !lowest.is_finished(), "they are answered when they are on disk");
        disk.go_on();
        for waited in [busy, lower, lowest] {
            drop(waited.join().unwrap());
        }
    });
    let Ok(Reply::Limits(page)) =
        site.ask(Role::Viewer, Command::LimitsShow { symbol: Some("ZVZZT".parse().unwrap()), after: None })
    else {
        panic!("limits")
    };
    assert_eq!(page.rows[0].base.to_string(), "200", "it was set, although nobody waited");
    assert!(max_qty("200"), "{:?}", site.desk.calls());
}

#[test]
fn a_halt_has_a_seat_however_many_commands_of_its_user_wait_for_the_disk() {
    let site = Site::new(&[]);
    let server = Server::start(Arc::clone(&site.controller), &site.plan.instance.socket).unwrap();
    let socket = &site.plan.instance.socket;
    std::thread::scope(|scope| {
        let (disk, busy) = at_the_disk(scope, &site);
        let request = br#"{"version":1,"id":1,"command":{"resume":{"reason":"x","ticket":null}}}"#;
        let crowd: Vec<UnixStream> = (0..8)
            .map(|_| {
                let mut stream = UnixStream::connect(socket).unwrap();
                write_frame(&mut stream, request).unwrap();
                sleep(Duration::from_millis(20));
                stream
            })
            .collect();
        sleep(Duration::from_millis(200));
        let look =
            Client::connect(socket, Duration::from_secs(5)).unwrap().call(Command::Status).unwrap_err();
        assert!(look.to_string().contains("one is kept, for a halt or a trip"), "{look}");
        let halting = scope.spawn(|| Client::connect(socket, Duration::from_secs(20)).unwrap().call(halt()));
        until("the halt is in force", || (site.desk.state("firm") == BreakerState::Tripped).then_some(()));
        // Whoever hangs up makes room, although the command goes on.
        drop(crowd);
        let mut client = Client::connect(socket, Duration::from_secs(5)).unwrap();
        let Ok(Reply::Status(seen)) = client.call(Command::Status) else { panic!("status") };
        assert_eq!(
            seen.closed.as_deref(),
            Some("the firm's breaker is tripped"),
            "in force, not latched yet"
        );
        disk.go_on();
        drop(busy.join().unwrap());
        assert!(matches!(halting.join().unwrap(), Ok(Reply::Changed(_))));
    });
    server.stop();
}

/// Needs another user: one without a role connects while the disk hangs.
#[test]
fn a_connection_without_a_role_keeps_nobody_out_while_the_disk_hangs() {
    if !rustix::process::geteuid().is_root() {
        tests::skip(tests::Need::Root, "acting as another user needs root");
        return;
    }
    let site = Site::new(&[]);
    let socket = &site.plan.instance.socket;
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(site.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let server = Server::start(Arc::clone(&site.controller), socket).unwrap();
    fs::set_permissions(socket, fs::Permissions::from_mode(0o666)).unwrap();
    let program = site.dir.path().join("portcullisctl");
    fs::copy(env!("CARGO_BIN_EXE_portcullisctl"), &program).unwrap();
    std::thread::scope(|scope| {
        let (disk, busy) = at_the_disk(scope, &site);
        let begun = Instant::now();
        let mut stranger = Process::new(&program);
        {
            use std::os::unix::process::CommandExt;
            stranger.arg("--socket").arg(socket).arg("status").uid(63_000).gid(63_000);
        }
        let told = stranger.output().unwrap();
        assert!(String::from_utf8_lossy(&told.stderr).contains("has no role"), "{told:?}");
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        write_frame(&mut stream, br#"{"version":1,"id":1,"command":"status"}"#).unwrap();
        read_frame(&mut stream).expect("the next one is served");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        disk.go_on();
        drop(busy.join().unwrap());
    });
    let _watch = site.controller.watch().unwrap();
    assert_eq!(status(&site).refused.total, 1);
    server.stop();
}

#[test]
fn people_are_told_of_a_halt_that_waits_for_the_disk_and_of_the_disk() {
    let site = Site::new(&[]);
    let told = tell(&site);
    let alerts = || -> Vec<AlertRow> {
        match site.ask(Role::Viewer, Command::AlertsList) {
            Ok(Reply::Alerts(page)) => page.rows,
            other => panic!("{other:?}"),
        }
    };
    std::thread::scope(|scope| {
        // The alerts' own file hangs, too.
        let alerts_disk = Hanging::at(&site.state_dir().join("events/alerts.json"));
        let (disk, busy) = at_the_disk(scope, &site);
        let halting = scope.spawn(|| site.ask(Role::Trader, halt()));
        let begun = Instant::now();
        let of = |kind: EventKind| alerts().into_iter().find(|alert| alert.kind == kind);
        let halt = until("the halt is told", || of(EventKind::Halt));
        assert!(
            halt.text.contains("in force, and not on disk yet") && halt.severity == Severity::Critical,
            "{halt:?}"
        );
        let latch = until("the disk is told", || of(EventKind::Latch));
        assert!(latch.text.contains("the disk takes nothing since"), "{latch:?}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}: RTS 6 Art. 16", begun.elapsed());
        alerts_disk.go_on();
        disk.go_on();
        drop((busy.join().unwrap(), halting.join().unwrap()));
    });
    drop(told);
}

#[test]
fn a_trip_waits_for_no_disk_and_is_told_once() {
    let site = Site::new(&[]);
    let trip = Command::BreakerTrip {
        scope: "strategy:mm1".parse().unwrap(),
        mode: TripMode::Tripped,
        reason: "drill".parse().unwrap(),
        ticket: None,
    };
    let told = tell(&site);
    site.ask(Role::Trader, trip).unwrap();
    sleep(Duration::from_millis(1_500));
    let of_trip = events(&site).into_iter().filter(|event| event.kind == EventKind::Breaker).count();
    assert_eq!(of_trip, 1, "latched in time: no second one");
    drop(told);
}
