//! Events and alerts from outside: what the real controller does becomes events, through the real `portcullisctl`, to a file and to a
//! server that answers, is away and comes back.

use crate::cli::Terminal;
use crate::desk::{Site, person, plan_in};
use control::controller::Watch;
use control::events::Events;
use control::protocol::{
    AlertChoice, AlertRow, Command, Event, EventKind, Reply, Severity, SinkStatus, TripMode,
};
use control::roles::Role;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use types::UnixNanos;

/// Everything that tells and is told, of one appliance. Ends before it.
pub(crate) struct Told {
    pub(crate) events: Events,
    _watch: Watch,
}

/// Has `site` tell what happens, by the machine's clock.
pub(crate) fn tell(site: &Site) -> Told {
    let now = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        UnixNanos(now.as_nanos() as u64)
    };
    let events = Events::open(&site.plan, Arc::new(now)).unwrap();
    site.controller.tell(events.log());
    Told { events, _watch: site.controller.watch().unwrap() }
}

/// Waits for at most half a minute.
pub(crate) fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn events(site: &Site) -> Vec<Event> {
    let (mut after, mut rows) = (0, Vec::new());
    loop {
        match site.ask(Role::Viewer, Command::Events { after, count: 1_000 }) {
            Ok(Reply::Events(page)) if page.rows.is_empty() => return rows,
            Ok(Reply::Events(page)) => {
                after = page.next;
                rows.extend(page.rows);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Whether everything that is looked for has been found, and nothing is on its way.
pub(crate) fn settled_events(site: &Site) -> bool {
    let newest = || events(site).last().map_or(0, |event| event.seq);
    let before = newest();
    std::thread::sleep(Duration::from_millis(300));
    let looked = events(site).iter().any(|event| event.kind == EventKind::Doubt);
    looked && newest() == before
}

/// The alerts, without the one about the position that is in doubt on this desk.
fn alerts(site: &Site) -> Vec<AlertRow> {
    match site.ask(Role::Viewer, Command::AlertsList) {
        Ok(Reply::Alerts(page)) => page.rows.into_iter().filter(|row| row.kind != EventKind::Doubt).collect(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn sink(site: &Site, name: &str) -> SinkStatus {
    let Ok(Reply::Status(status)) = site.ask(Role::Viewer, Command::Status) else { panic!() };
    status.events.unwrap().sinks.into_iter().find(|sink| sink.name == name).unwrap()
}

pub(crate) fn trip(site: &Site, symbol: &str, reason: &str) {
    let command = Command::BreakerTrip {
        scope: format!("instrument:{symbol}").parse().unwrap(),
        mode: TripMode::Tripped,
        reason: reason.parse().unwrap(),
        ticket: None,
    };
    site.ask(Role::Trader, command).unwrap();
}

fn reset(site: &Site, symbol: &str) {
    let scope = format!("instrument:{symbol}").parse().unwrap();
    let command = Command::BreakerReset { scope, reason: "over".parse().unwrap(), ticket: None };
    site.ask(Role::RiskOfficer, command).unwrap();
}

#[test]
fn trips_by_people_and_by_the_model_are_events_and_alerts_that_last_until_they_are_over() {
    let site = Site::new(&[]);
    let told = tell(&site);
    trip(&site, "ZVZZT", "news pending");
    site.controller.trip_by_model(&[("AAPL".parse().unwrap(), "tier critical".to_owned())]).unwrap();
    let found = until("both are told", || {
        let found: Vec<Event> =
            events(&site).into_iter().filter(|event| event.kind == EventKind::Breaker).collect();
        (found.len() == 2).then_some(found)
    });
    assert_eq!((found[0].cause.as_str(), found[0].severity), ("alice", Severity::Warning));
    assert_eq!((found[1].cause.as_str(), found[1].severity), ("model", Severity::Critical));
    assert_eq!(found[1].scope, "instrument:AAPL");
    until("both are alerts", || (alerts(&site).len() == 2).then_some(()));
    reset(&site, "ZVZZT");
    until("one is over", || alerts(&site).iter().any(|row| row.ended.is_some()).then_some(()));
    drop(told);

    // A restart keeps both, and knows what it finds latched.
    let site = site.restart(&[]);
    let told = tell(&site);
    let rows = until("the alerts are there", || Some(alerts(&site)).filter(|rows| rows.len() == 2));
    assert!(rows.iter().any(|row| row.scope == "instrument:AAPL" && row.ended.is_none()));
    let ack = Command::AlertsAck { alerts: AlertChoice::All, reason: None, ticket: None };
    assert!(site.ask(Role::Viewer, ack.clone()).is_err(), "a viewer looks");
    site.ask(Role::Trader, ack).unwrap();
    let rows = alerts(&site);
    assert_eq!(rows.len(), 1, "what is over and noted is gone");
    assert_eq!(rows[0].acknowledged.as_ref().unwrap().by, "alice");
    // As a kill leaves it: nothing is said at the end.
    std::mem::forget(told);
    let place = site.plan.instance.state_dir.clone();
    let kept = std::fs::read_to_string(place.join("events/alerts.json")).unwrap();
    assert!(kept.contains("\"by\":\"alice\""), "on disk before it was answered");
    assert!(site.records().iter().any(|record| record["action"] == "alerts.ack"));
}

#[test]
fn a_sink_that_hangs_does_not_keep_the_daemon_from_ending() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Nobody reads it: opening it for writing waits for as long.
    let site = Site::new(&[&format!("sink.file.path={pipe:?}")]);
    let told = tell(&site);
    trip(&site, "ZVZZT", "news pending");
    until("it is told", || events(&site).iter().any(|event| event.kind == EventKind::Breaker).then_some(()));
    let (ended, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        drop(told);
        let _ = ended.send(());
    });
    end.recv_timeout(Duration::from_secs(60)).expect("the end of the daemon comes");
    let kept = std::fs::read_dir(site.plan.instance.state_dir.join("events")).unwrap().count();
    assert!(kept > 0, "the journal has it");
}

#[test]
fn ten_thousand_tier_changes_in_a_second_hold_nobody_up_and_fill_nothing() {
    let site = Site::new(&[]);
    let told = tell(&site);
    let log = told.events.log();
    let started = Instant::now();
    let mut slowest = Duration::ZERO;
    for n in 0..10_000_u32 {
        let draft = control::events::Draft::new(
            control::stamp::Stamp(UnixNanos(1_795_271_422_000_000_000)),
            Severity::Warning,
            EventKind::Tier,
            &format!("instrument:S{n}"),
            "tier high",
        );
        log.tell(draft);
        if n % 1_000 == 0 {
            let asked = Instant::now();
            trip(&site, "ZVZZT", "in the storm");
            slowest = slowest.max(asked.elapsed());
        }
    }
    let took = started.elapsed();
    let found = until("the storm is told", || {
        let found: Vec<Event> =
            events(&site).into_iter().filter(|event| event.kind == EventKind::Tier).collect();
        let counted: u64 = found.iter().map(|event| event.count).sum();
        (counted == 10_000).then_some(found)
    });
    println!("10,000 events taken in {took:?}, {} told; the slowest trip {slowest:?}", found.len());
    // Fifty in each second that it lasted, and a summary of each.
    assert!(found.len() as u64 <= 51 * (took.as_secs() + 2), "{}", found.len());
    let page = alerts(&site);
    assert!(page.iter().filter(|row| row.kind == EventKind::Tier).count() <= 257);
    assert!(page.iter().any(|row| row.scope == "others"));
    assert!(page.iter().any(|row| row.scope == "instrument:ZVZZT"), "and what is not of it stands out");
}

/// What a server has been posted.
type Posted = Arc<Mutex<Vec<Event>>>;

/// A server of a few requests, each answered with `code`; ends when they are done.
fn server(listener: TcpListener, code: u16, posted: &Posted) -> std::thread::JoinHandle<()> {
    let posted = Arc::clone(posted);
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let mut reader = BufReader::new(stream);
            let (mut length, mut first, mut line) = (0, String::new(), String::new());
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                if first.is_empty() {
                    first = line.clone();
                }
                if let Some(value) = line.strip_prefix("Content-Length: ") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            if !first.starts_with("POST /portcullis HTTP/1.1") {
                return;
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let message: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(
                (message["version"].as_u64(), message["instance"].as_str()),
                (Some(1), Some("portcullis"))
            );
            if code < 300 {
                let events: Vec<Event> = serde_json::from_value(message["events"].clone()).unwrap();
                posted.lock().unwrap().extend(events);
            }
            write!(reader.get_mut(), "HTTP/1.1 {code} x\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    })
}

/// Ends a server that waits for a request.
fn end(address: SocketAddr, server: std::thread::JoinHandle<()>) {
    drop(std::net::TcpStream::connect(address).unwrap());
    server.join().unwrap();
}

#[test]
fn a_webhook_that_is_away_or_in_trouble_gets_what_it_missed_once_and_in_order() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let url = format!("sink.webhook.url=\"http://{address}/portcullis\"");
    let set = [url.as_str(), "sink.webhook.timeout_ms=1000"];
    let site = Site::new(&set);
    let posted: Posted = Arc::default();
    let first = server(listener, 200, &posted);
    let told = tell(&site);
    let reasons = |posted: &Posted| -> Vec<String> {
        let all = posted.lock().unwrap();
        let trips = all.iter().filter(|event| event.kind == EventKind::Breaker);
        trips.map(|event| event.fields["reason"].clone()).collect()
    };
    trip(&site, "ZVZZT", "one");
    until("it is posted", || (reasons(&posted) == ["one"]).then_some(()));
    let silence = Command::AlertsSilence {
        silence: control::protocol::Silence {
            kind: EventKind::Breaker,
            scope: Some("instrument:AAPL".to_owned()),
            minutes: 5,
        },
        reason: "a drill".parse().unwrap(),
        ticket: None,
    };
    assert!(site.ask(Role::Trader, silence.clone()).is_err(), "an officer silences");
    site.ask(Role::RiskOfficer, silence).unwrap();
    trip(&site, "AAPL", "silenced");
    end(address, first);

    // Away: nobody listens. Then in trouble: 503. Then well.
    trip(&site, "ZVZZT", "two");
    reset(&site, "ZVZZT");
    trip(&site, "ZVZZT", "three");
    until("it is tried", || (sink(&site, "webhook").retries > 0).then_some(()));
    let trouble = server(TcpListener::bind(address).unwrap(), 503, &posted);
    until("it is refused", || sink(&site, "webhook").failing.contains("503").then_some(()));
    end(address, trouble);
    drop(told);
    let site = site.restart(&set);
    let well = server(TcpListener::bind(address).unwrap(), 204, &posted);
    let told = tell(&site);
    until("it has all", || reasons(&posted).contains(&"three".to_owned()).then_some(()));
    // The second trip of what is tripped changed nothing, and is told all the same.
    assert_eq!(reasons(&posted), ["one", "two", "three"], "silenced ones are not posted, none comes twice");
    assert!(posted.lock().unwrap().iter().all(|event| event.severity >= Severity::Warning));
    assert!(events(&site).iter().any(|event| event.silenced && event.fields["reason"] == "silenced"));
    drop(told);
    end(address, well);
}

#[test]
fn a_webhook_that_refuses_for_good_loses_that_and_it_is_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let url = format!("sink.webhook.url=\"http://{address}/portcullis\"");
    let site = Site::new(&[&url]);
    let posted: Posted = Arc::default();
    let refusing = server(listener, 400, &posted);
    let told = tell(&site);
    trip(&site, "ZVZZT", "one");
    until("it is counted", || (sink(&site, "webhook").lost > 0).then_some(()));
    assert!(sink(&site, "webhook").failing.is_empty(), "and the next are tried");
    drop(told);
    end(address, refusing);
}

fn lines(path: &Path) -> Vec<Event> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_file_goes_on_over_restarts_and_under_its_name_when_it_is_moved_away() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let set = [format!("sink.file.path={path:?}")];
    let set: Vec<&str> = set.iter().map(String::as_str).collect();
    let site = Site::new(&set);
    let told = tell(&site);
    trip(&site, "ZVZZT", "one");
    let has = |path: &Path, reason: &str| {
        lines(path).iter().any(|event| event.fields.get("reason").is_some_and(|found| found == reason))
    };
    until("it is written", || has(&path, "one").then_some(()));
    let moved = dir.path().join("events.jsonl.1");
    std::fs::rename(&path, &moved).unwrap();
    trip(&site, "AAPL", "two");
    until("it is written anew", || has(&path, "two").then_some(()));
    assert!(!has(&moved, "two"));
    drop(told);
    let site = site.restart(&set);
    let told = tell(&site);
    trip(&site, "BRK.A", "three");
    until("it goes on", || has(&path, "three").then_some(()));
    drop(told);
    let mut all = lines(&moved);
    all.extend(lines(&path));
    let seqs: Vec<u64> = all.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "each once, in order, none missing");
    drop(site);
}

#[test]
fn an_officer_reads_follows_and_acknowledges_at_the_terminal() {
    let terminal = Terminal::new(&[]);
    let told = tell(&terminal.site);
    trip(&terminal.site, "ZVZZT", "news pending");
    until("it is told", || terminal.run(&["events"]).out.contains("news pending").then_some(()));
    let json = terminal.json(&["events", "--level", "warning", "--kind", "breaker"]);
    assert_eq!(json["events"].as_array().unwrap().len(), 1, "{json}");
    assert_eq!(json["events"][0]["scope"], "instrument:ZVZZT");
    let listed = terminal.json(&["alerts", "list"]);
    let id = listed["alerts"]["rows"][0]["id"].to_string();
    let acked = terminal.run(&["alerts", "ack", &id, "--reason", "seen"]);
    assert_eq!((acked.code, acked.out.as_str()), (0, "1 alert acknowledged\n"), "{}", acked.err);
    assert_eq!(terminal.run(&["alerts", "ack", "999"]).code, 1);
    assert_eq!(terminal.run(&["alerts", "ack"]).code, 2);
    let silenced =
        terminal.run(&["alerts", "silence", "line", "--scope", "line:x/0/B", "--reason", "replaced"]);
    assert_eq!(silenced.code, 0, "{}", silenced.err);
    assert_eq!(terminal.run(&["alerts", "silence", "lines", "--reason", "x"]).code, 2);

    let mut follower = std::process::Command::new(env!("CARGO_BIN_EXE_portcullisctl"))
        .arg("--socket")
        .arg(&terminal.site.plan.instance.socket)
        .args(["events", "--follow", "-n", "1", "-o", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(follower.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    trip(&terminal.site, "AAPL", "while followed");
    while !line.contains("while followed") {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "it ended");
    }
    assert_eq!(serde_json::from_str::<Event>(&line).unwrap().kind, EventKind::Breaker);
    follower.kill().unwrap();
    follower.wait().unwrap();
    drop(told);
}

#[test]
fn a_status_that_nobody_reads_any_more_ends_the_watch() {
    let terminal = Terminal::new(&[]);
    let mut watch = std::process::Command::new(env!("CARGO_BIN_EXE_portcullisctl"))
        .arg("--socket")
        .arg(&terminal.site.plan.instance.socket)
        .args(["status", "--watch"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(watch.stdout.take().unwrap());
    let (mut line, mut shown) = (String::new(), 0);
    while shown < 2 {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0);
        shown += u32::from(line.starts_with("state"));
    }
    drop(out);
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}

#[test]
fn completions_and_manual_pages_are_of_every_command() {
    let terminal = Terminal::new(&[]);
    for shell in ["bash", "zsh", "fish"] {
        let made = terminal.run(&["completions", shell]);
        assert!(made.code == 0 && made.out.contains("silence"), "{shell}");
    }
    let dir = tempfile::tempdir().unwrap();
    let made = terminal.run(&["man", "--out", dir.path().to_str().unwrap()]);
    assert_eq!(made.code, 0, "{}", made.err);
    for page in ["portcullisctl.1", "portcullisctl-alerts-ack.1", "portcullisctl-limits-set.1"] {
        let text = std::fs::read_to_string(dir.path().join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
}

#[test]
fn two_people_at_the_terminal() {
    let terminal = Terminal::new(&["four_eyes.commands=[\"resume\"]"]);
    terminal
        .site
        .controller
        .execute(&person(Some(Role::Trader)), Command::Halt { reason: None, ticket: None })
        .unwrap();
    let asked = terminal.run(&["resume", "--reason", "algo stopped", "--yes"]);
    assert_eq!(asked.code, 7, "it waits: {}{}", asked.out, asked.err);
    assert!(asked.out.contains("portcullisctl proposals approve 1"), "{}", asked.out);
    let own = terminal.run(&["proposals", "approve", "1", "--reason", "me", "--yes"]);
    assert!(own.code == 4 && own.err.contains("takes another person"), "{}", own.err);
    let listed = terminal.run(&["proposals", "list"]);
    assert!(listed.out.contains("resume") && listed.out.contains("algo stopped"), "{}", listed.out);
    assert!(terminal.json(&["status"])["status"]["halt"].is_object(), "nothing was opened");
    let typed = terminal.type_in(&["proposals", "approve", "1", "--reason", "me"], "yes\n");
    assert!(typed.code == 1 && typed.err.contains("proposal:1: resume firm, by "), "{}", typed.err);
    let gone = terminal.run(&["proposals", "withdraw", "1", "--reason", "it goes on"]);
    assert_eq!(gone.code, 0, "{}", gone.err);
    assert!(terminal.run(&["proposals", "list"]).out.contains("Nothing waits."));
}

#[test]
fn a_check_says_which_places_of_events_cannot_be_used_and_makes_none() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("events.jsonl");
    let check = |file: &Path, password: &Path| {
        let set = [
            format!("sink.file.path={file:?}"),
            "sink.redis.address=\"127.0.0.1:6379\"".to_owned(),
            format!("sink.redis.password_file={password:?}"),
        ];
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        Events::check(&plan_in(dir.path(), &set)).unwrap()
    };
    let password = dir.path().join("password");
    std::fs::write(&password, "secret").unwrap();
    assert_eq!(check(&file, &password), Vec::<String>::new());
    assert!(!file.exists(), "nothing is made");
    let nowhere = dir.path().join("gone/events.jsonl");
    let said = check(&nowhere, &dir.path().join("none"));
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("sink.file.path: ") && said[0].contains("gone/events.jsonl"), "{said:?}");
    assert!(said[1].starts_with("sink.redis.password_file: "), "{said:?}");
    assert_eq!(check(dir.path(), &password).len(), 1, "a folder is no file");
}
