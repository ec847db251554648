//! Latches against kill -9: a process that trips and resets as fast as it can is killed at a random moment, and what it
//! had been told was done is found done.

use crate::desk::{Desk, clock_of, make_ready, person, plan_in};
use control::Controller;
use control::backend::Backend;
use control::protocol::{Command, Reply};
use control::roles::Role;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Where the child finds its directory; without it the child's test does nothing, and nothing is claimed by it.
const DIR: &str = "CONTROL_TEST_KILLED_DIR";

fn open(dir: &Path) -> Controller {
    let plan = plan_in(dir, &[]);
    make_ready(&plan);
    let desk = Desk::new(&plan);
    Controller::open(&plan, Arc::clone(&desk) as Arc<dyn Backend>, clock_of(&desk)).unwrap()
}

fn halted(controller: &Controller) -> Option<u64> {
    match controller.execute(&person(Some(Role::Viewer)), Command::Status) {
        Ok(Reply::Status(status)) => status.halt.map(|halt| halt.episode),
        other => panic!("{other:?}"),
    }
}

/// The process that gets killed: run by the test below, never by itself.
#[test]
#[ignore = "the victim of latches_survive_kill_9_at_any_moment"]
fn victim() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let controller = open(Path::new(&dir));
    let mut out = std::io::stdout().lock();
    loop {
        let halt =
            controller.execute(&person(Some(Role::Trader)), Command::Halt { reason: None, ticket: None });
        let Ok(Reply::Changed(halt)) = halt else { panic!("{halt:?}") };
        writeln!(out, "halted {}", halt.episode).unwrap();
        let reason = "round and round".parse().unwrap();
        writeln!(out, "resuming {}", halt.episode).unwrap();
        let resume =
            controller.execute(&person(Some(Role::RiskOfficer)), Command::Resume { reason, ticket: None });
        let Ok(Reply::Changed(resume)) = resume else { panic!("{resume:?}") };
        writeln!(out, "resumed {}", resume.episode).unwrap();
    }
}

fn spawn_victim(dir: &Path) -> Child {
    Process::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "latch::victim", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn latches_survive_kill_9_at_any_moment() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..12_u64 {
        let mut child = spawn_victim(dir.path());
        let stdout = child.stdout.take().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                tell.send(line).unwrap();
            }
        });
        let step = |line: &str| {
            let (word, episode) = line.split_once(' ')?;
            matches!(word, "halted" | "resuming" | "resumed").then(|| (word.to_owned(), episode.parse().ok()))
        };
        let first = loop {
            let line = told.recv_timeout(Duration::from_secs(20)).expect("the victim runs");
            if let Some(first) = step(&line) {
                break first;
            }
        };
        std::thread::sleep(Duration::from_micros(700 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        reader.join().unwrap();
        let (word, episode): (String, Option<u64>) =
            told.try_iter().filter_map(|line| step(&line)).last().unwrap_or(first);
        let episode = episode.unwrap();

        let found = halted(&open(dir.path()));
        match word.as_str() {
            // Nothing was asked for after the halt.
            "halted" => assert_eq!(found, Some(episode), "round {round}"),
            // The resume may or may not have got to the disk.
            "resuming" => assert!(found.is_none_or(|e| e == episode), "round {round}: {found:?}"),
            // The next halt may or may not have got to the disk.
            _ => assert!(found.is_none_or(|e| e == episode + 1), "round {round}: {found:?}"),
        }
    }
}

#[test]
fn a_halt_before_kill_9_is_a_halt_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Process::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "latch::victim_that_halts", "--nocapture"])
        .env(DIR, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.into_iter().any(|line| line == "halted"), "the victim halted");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(halted(&open(dir.path())).is_some());
}

/// Halts, says so, waits for death.
#[test]
#[ignore = "the victim of a_halt_before_kill_9_is_a_halt_after_it"]
fn victim_that_halts() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let controller = open(Path::new(&dir));
    controller.execute(&person(Some(Role::Trader)), Command::Halt { reason: None, ticket: None }).unwrap();
    println!("\nhalted");
    std::thread::sleep(Duration::from_secs(60));
}
