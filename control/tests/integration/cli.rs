//! The real `portcullisctl` against a running control socket: what people see, and the exit codes scripts rely on.

use crate::desk::Site;
use control::protocol::{read_frame, write_frame};
use control::server::Server;
use serde_json::json;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use types::Tier;

pub(crate) struct Terminal {
    pub(crate) site: Site,
    _server: Server,
}

/// What a command left behind.
pub(crate) struct Left {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

fn left(output: Output) -> Left {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Left { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn ctl(socket: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullisctl"));
    command.arg("--socket").arg(socket).args(arguments).stdin(Stdio::null());
    command
}

impl Terminal {
    pub(crate) fn new(set: &[&str]) -> Self {
        let site = Site::new(set);
        let server = Server::start(Arc::clone(&site.controller), &site.plan.instance.socket).unwrap();
        Self { site, _server: server }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Left {
        left(ctl(&self.site.plan.instance.socket, arguments).output().unwrap())
    }

    pub(crate) fn type_in(&self, arguments: &[&str], typed: &str) -> Left {
        let mut command = ctl(&self.site.plan.instance.socket, arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        left(child.wait_with_output().unwrap())
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let found = self.run(&[arguments, &["-o", "json"]].concat());
        assert_eq!(found.code, 0, "{}", found.err);
        serde_json::from_str(&found.out).unwrap()
    }
}

/// What a program that goes on until it is interrupted left behind within ten seconds.
fn left_by_itself(mut command: Command) -> Left {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let by = Instant::now() + Duration::from_secs(10);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > by {
            child.kill().unwrap();
            panic!("it goes on: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    left(child.wait_with_output().unwrap())
}

/// A refusal that cannot change is not asked for again, and one that can, not at once.
#[test]
fn whoever_watches_or_follows_ends_where_the_answer_stays_no_and_pauses_where_it_may_not() {
    let asked_of = |answers: &'static [&'static str], arguments: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("control.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        std::thread::spawn(move || {
            for kind in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let outcome = json!({ "error": { "kind": kind, "message": kind } });
                let answer = json!({ "version": 1, "id": 0, "outcome": outcome }).to_string();
                write_frame(&mut stream, answer.as_bytes()).unwrap();
                drop(read_frame(&mut stream));
            }
        });
        let began = Instant::now();
        (left_by_itself(ctl(&socket, arguments)), began.elapsed())
    };
    let watch = ["status", "--watch"];
    let (found, _) = asked_of(&["denied", "denied", "denied"], &watch);
    assert_eq!((found.code, found.err.as_str()), (4, "portcullisctl: denied\n"));
    let (found, took) = asked_of(&["busy", "busy", "denied"], &watch);
    assert_eq!(found.code, 4, "{}", found.err);
    assert!(took >= Duration::from_secs(2), "a second after each: {took:?}");
    let (found, took) = asked_of(&["busy", "busy"], &watch);
    assert_eq!(found.code, 5, "{}: it has gone", found.err);
    assert!(took >= Duration::from_secs(2), "{took:?}");
}

#[test]
fn an_officers_day_from_status_to_resume() {
    let t = Terminal::new(&[]);
    let found = t.run(&["status"]);
    assert_eq!(found.code, 0, "{}", found.err);
    for part in [
        "state",
        "open: orders can pass",
        "48,201 accepted, 12 flagged, 377 rejected",
        "feed xnas-itch",
        "2 records, head ",
    ] {
        assert!(found.out.contains(part), "{part}\n{}", found.out);
    }

    let found = t.run(&["halt", "--reason", "fat finger on desk 3", "--ticket", "INC-71"]);
    assert_eq!((found.code, found.out.as_str()), (0, "HALTED: every order is refused (episode 1)\n"));
    assert!(t.run(&["status"]).out.contains("HALTED since 2026-11-21T14:30:22."));
    assert_eq!(t.json(&["status"])["status"]["halt"]["reason"], "fat finger on desk 3");

    let refused = t.type_in(&["resume", "--reason", "checked"], "yes\n");
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("firm halted since") && refused.err.contains("fat finger on desk 3"),
        "{}",
        refused.err
    );
    assert!(
        refused.err.contains("Type firm to go on:") && refused.err.contains("nothing was changed"),
        "{}",
        refused.err
    );
    assert_eq!(t.type_in(&["resume", "--reason", "checked"], "").code, 1, "no answer is no");
    let done = t.type_in(&["resume", "--reason", "checked"], "firm\n");
    assert_eq!((done.code, done.out.as_str()), (0, "resumed (episode 1 ended)\n"), "{}", done.err);
    assert_eq!(t.run(&["breaker", "list"]).out, "No breaker is tripped: all are armed.\n");
}

#[test]
fn what_is_not_on_disk_is_the_first_row_of_the_status() {
    let t = Terminal::new(&[]);
    let first = || {
        let found = t.run(&["status"]);
        assert_eq!(found.code, 0, "{}", found.err);
        let (heading, rows) = found.out.split_once('\n').unwrap();
        assert!(heading.starts_with("WHAT"), "{heading}");
        rows.lines().next().unwrap().to_owned()
    };
    let keep = || {
        t.site.desk.clock.fetch_add(1_000_000_000, std::sync::atomic::Ordering::Relaxed);
        t.site.controller.keep();
    };
    assert!(first().starts_with("instance"), "{}", first());
    // No new latch file can be written.
    let blocked = t.site.state_dir().join("latch.new");
    std::fs::create_dir(&blocked).unwrap();
    assert_ne!(t.run(&["halt", "--reason", "drill"]).code, 0);
    keep();
    let row = first();
    assert!(row.starts_with("ALARM") && row.contains("halts and trips are not on disk since"), "{row}");
    std::fs::remove_dir(&blocked).unwrap();
    keep();
    assert!(first().starts_with("instance"), "{}", first());
}

#[test]
fn breakers_are_tripped_listed_and_reset() {
    let t = Terminal::new(&[]);
    let found = t.run(&["breaker", "trip", "instrument:ZVZZT", "--reason", "news, \"pending\""]);
    assert_eq!(found.out, "instrument:ZVZZT tripped: every order in it is refused (episode 1)\n");
    let found = t.run(&["breaker", "trip", "account:ACME", "--reduce-only", "--reason", "margin call"]);
    assert!(found.out.contains("only orders that reduce a position pass"), "{}", found.out);
    let csv = t.run(&["breaker", "list", "-o", "csv"]).out;
    let rows: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(rows[0], "scope,state,cause,episode,since,by,reason,ticket");
    assert!(rows[2].starts_with("instrument:ZVZZT,tripped,officer,1,2026-11-21T14:30:22."), "{csv}");
    assert!(rows[2].ends_with(",\"news, \"\"pending\"\"\","), "{csv}");
    let rows = &t.json(&["breaker", "list"])["breakers"];
    assert_eq!(
        (rows[0]["scope"].as_str(), rows[0]["state"].as_str()),
        (Some("account:ACME"), Some("reduce_only"))
    );
    let found = t.run(&["breaker", "reset", "instrument:ZVZZT", "--reason", "news out", "--yes"]);
    assert_eq!((found.code, found.out.as_str()), (0, "instrument:ZVZZT reset (episode 1 ended)\n"));
    let found = t.run(&["breaker", "reset", "instrument:ZVZZT", "--reason", "news out", "--yes"]);
    assert_eq!(found.code, 1);
    assert!(
        found.err.contains("nothing to reset in instrument:ZVZZT: its breaker is not tripped"),
        "{}",
        found.err
    );
}

#[test]
fn a_breaker_is_armed_or_tripped_in_words_and_never_open() {
    let t = Terminal::new(&[]);
    let breakers = |t: &Terminal| {
        let status = t.run(&["status"]).out;
        let row = status.lines().find(|row| row.starts_with("breakers")).expect("a row of breakers");
        row.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(breakers(&t), "all armed");
    let tripped = t.run(&["breaker", "trip", "account:ACME", "--reason", "a drill"]);
    assert!(tripped.out.starts_with("account:ACME tripped: "), "{}", tripped.out);
    assert_eq!(breakers(&t), "1 tripped");
    let listed = t.run(&["breaker", "list"]).out;
    assert!(listed.contains("tripped") && !listed.contains("open") && !listed.contains("closed"), "{listed}");
}

#[test]
fn a_refused_command_keeps_the_reason_that_its_sender_gave() {
    let t = Terminal::new(&[]);
    let set = ["limits", "set", "ZVZZT", "max_qty=5000", "--reason", "client order", "--ticket", "CHG-7"];
    assert_eq!(t.run(&set).code, 4);
    let record = &t.json(&["audit", "tail", "-n", "1"])["records"][0];
    assert_eq!((record["reason"].as_str(), record["ticket"].as_str()), (Some("client order"), Some("CHG-7")));
    let result = record["result"].as_str().expect("a result");
    assert!(result.starts_with("refused: nothing was changed: max_qty 5000"), "{result}");
    let csv = t.run(&["audit", "tail", "-n", "1", "-o", "csv"]).out;
    assert!(csv.contains("client order") && csv.contains("looser than the approved cap"), "{csv}");
}

#[test]
fn a_critical_is_seen_explained_and_ended() {
    let t = Terminal::new(&[]);
    t.site.desk.set_tier("ZVZZT", Tier::Critical);
    t.site.controller.trip_by_model(&[("ZVZZT".parse().unwrap(), "score 0.981000".to_owned())]).unwrap();
    let found = t.run(&["tier", "show", "ZVZZT"]);
    assert!(found.out.contains("critical") && found.out.contains("0.981000"), "{}", found.out);
    let order = [
        "--symbol",
        "ZVZZT",
        "--side",
        "buy",
        "--qty",
        "200",
        "--px",
        "100.01",
        "--strategy",
        "mm1",
        "--account",
        "ACME",
    ];
    let explain = [&["gate", "explain"], &order[..]].concat();
    let found = t.run(&explain);
    assert_eq!(found.code, 0, "a rejected order is a good answer: {}", found.err);
    for part in [
        "HALTED_INSTRUMENT",
        "TIER_CRITICAL",
        "QTY_DYNAMIC",
        "The quantity 200 is above the live limit of 10.",
        "LIMIT IN FORCE",
    ] {
        assert!(found.out.contains(part), "{part}\n{}", found.out);
    }
    let json = t.json(&explain);
    assert_eq!(json["explain"]["decision"], "reject");
    assert_eq!(json["explain"]["breaches"][0]["code"], 104);
    let found = t.type_in(&["tier", "reset", "ZVZZT", "--reason", "iceberg done"], "instrument:ZVZZT\n");
    assert_eq!(found.code, 0, "{}", found.err);
    assert!(found.err.contains("score 0.981000"), "what tripped it is shown first: {}", found.err);
    assert_eq!(t.json(&explain)["explain"]["decision"], "accept");
}

#[test]
fn limits_are_shown_tried_and_set() {
    let t = Terminal::new(&[]);
    let csv = t.run(&["limits", "show", "ZVZZT", "-o", "csv"]).out;
    assert!(
        csv.contains("ZVZZT,max_notional,currency,10000,250000,500000,250000,dynamic,normal,,\r\n"),
        "{csv}"
    );
    let shown = t.run(&["limits", "show", "ZVZZT"]).out;
    assert!(shown.contains("250,000"), "grouped for people");
    assert!(shown.contains("An order above 87.5 % of a limit has the flag near_limit."), "{shown}");
    let set = ["limits", "set", "ZVZZT", "max_qty=100", "collar_bps=150", "--reason", "thin book"];
    let dry = t.run(&[&set[..], &["--dry-run"]].concat());
    assert!(
        dry.out.starts_with("Nothing was changed; this would be:\n") && dry.out.contains("tighter"),
        "{}",
        dry.out
    );
    assert_eq!(t.json(&["limits", "show", "ZVZZT"])["limits"][0]["base"], 500);
    assert_eq!(t.run(&set).code, 0);
    let rows = t.json(&["limits", "show", "ZVZZT"]);
    assert_eq!(
        (rows["limits"][0]["base"].as_u64(), rows["limits"][0]["effective"].as_u64()),
        (Some(100), Some(100))
    );
    let all = t.json(&["limits", "show"]);
    assert_eq!(all["limits"].as_array().unwrap().len(), 24, "eight enforced limits of three instruments");
}

#[test]
fn the_audit_log_is_read_and_proven_with_and_without_the_appliance() {
    let t = Terminal::new(&[]);
    t.run(&["halt", "--reason", "drill"]);
    t.run(&["resume", "--reason", "drill over", "--yes"]);
    let found = t.run(&["audit", "tail", "-n", "2"]);
    assert!(found.out.contains("authorised") && found.out.contains("drill over"), "{}", found.out);
    let records = t.json(&["audit", "tail", "-n", "2"]);
    assert_eq!(records["records"][0]["action"], "halt");
    let found = t.run(&["audit", "verify"]);
    assert_eq!(found.code, 0);
    assert!(found.out.starts_with("SOUND: 4 records in 1 segment, 2026-11-21T14:30:22."), "{}", found.out);
    for said in [
        "\nproven: a holder of the key wrote each record; none was changed, moved or taken out between\n",
        "\nnot proven: that none was cut off its end, since no head noted elsewhere was given\n",
    ] {
        assert!(found.out.contains(said), "{said}: {}", found.out);
    }

    let dir = t.site.state_dir().join("audit");
    let offline = ["audit", "verify", "--dir", dir.to_str().unwrap()];
    let nowhere = Path::new("/nonexistent/control.sock");
    assert_eq!(left(ctl(nowhere, &offline).output().unwrap()).code, 0, "no appliance is needed");
    let head = t.json(&["status"])["status"]["audit"]["head"].as_str().unwrap().to_owned();
    assert_eq!(t.run(&[&offline[..], &["--head", &head]].concat()).code, 0);
    let log = dir.join("audit-000001.jsonl");
    let text = std::fs::read_to_string(&log).unwrap().replacen("drill", "grill", 1);
    std::fs::write(&log, text).unwrap();
    let found = t.run(&offline);
    assert_eq!(found.code, 1);
    assert!(found.out.starts_with("BROKEN at audit-000001.jsonl line 3 (byte "), "{}", found.out);
    assert_eq!(t.run(&["audit", "verify"]).code, 1, "the appliance says so too");
}

#[test]
fn what_policy_forbids_exits_4() {
    let t = Terminal::new(&[]);
    let found = t.run(&["limits", "set", "ZVZZT", "max_qty=1001", "--reason", "more"]);
    assert_eq!(found.code, 4);
    assert!(found.err.starts_with("portcullisctl: nothing was changed: max_qty 1001 of ZVZZT is looser than the approved cap of 1000 shares"), "{}", found.err);
    assert_eq!(found.err.lines().count(), 1);
}

#[test]
fn who_has_no_role_exits_4_and_who_has_one_does_not() {
    if !rustix::process::geteuid().is_root() {
        tests::skip(tests::Need::Root, "acting as another user needs root");
        return;
    }
    let t = Terminal::new(&["roles.trader=[\"uid:65534\"]", "roles.viewer=[\"uid:65533\"]"]);
    let (dir, socket) = (t.site.dir.path(), &t.site.plan.instance.socket);
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o666)).unwrap();
    // Another user may not be able to see the build directory.
    let binary = dir.join("portcullisctl");
    std::fs::copy(env!("CARGO_BIN_EXE_portcullisctl"), &binary).unwrap();
    let act = |uid: u32, arguments: &[&str]| {
        let mut command = Command::new(&binary);
        left(command.arg("--socket").arg(socket).args(arguments).uid(uid).gid(uid).output().unwrap())
    };
    let found = act(65_532, &["status"]);
    assert_eq!(found.code, 4);
    assert!(found.err.contains("(uid 65532) has no role and is not served: see [roles]"), "{}", found.err);
    assert_eq!(act(65_533, &["status"]).code, 0);
    assert_eq!(act(65_533, &["halt"]).code, 4, "a viewer cannot halt");
    assert_eq!(act(65_534, &["halt", "--reason", "trader's call"]).code, 0, "a trader can");
    assert_eq!(act(65_534, &["resume", "--reason", "x", "--yes"]).code, 4, "and cannot resume");
    let by = t.site.records().into_iter().find(|r| r["action"] == "halt" && r["result"] == "done").unwrap();
    assert_eq!((by["actor"]["uid"].as_u64(), by["actor"]["role"].as_str()), (Some(65_534), Some("trader")));
}

#[test]
fn no_appliance_exits_5_with_one_line_that_names_the_socket_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control.sock");
    let found = left(ctl(&socket, &["status"]).output().unwrap());
    assert_eq!(found.code, 5);
    assert_eq!(found.err.lines().count(), 1);
    assert!(
        found.err.contains(socket.to_str().unwrap()) && found.err.contains("systemctl start portcullis"),
        "{}",
        found.err
    );
    drop(UnixListener::bind(&socket).unwrap());
    let found = left(ctl(&socket, &["halt"]).output().unwrap());
    assert_eq!(found.code, 5);
    assert!(found.err.contains("stopped without removing its socket"), "{}", found.err);
}

/// A daemon of one answer.
fn answering(socket: &Path, answer: &str) -> std::thread::JoinHandle<()> {
    let listener = UnixListener::bind(socket).unwrap();
    let answer = answer.to_owned();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_frame(&mut stream).unwrap();
        write_frame(&mut stream, answer.as_bytes()).unwrap();
    })
}

#[test]
fn another_version_exits_6_whichever_side_finds_out() {
    let dir = tempfile::tempdir().unwrap();
    for (name, answer, part) in [
        (
            "newer",
            r#"{"version":2,"id":1,"result":"of another shape"}"#,
            "speaks protocol version 2, this portcullisctl 1",
        ),
        (
            "stricter",
            r#"{"version":1,"id":1,"outcome":{"error":{"kind":"version_mismatch","message":"found protocol version 1, wanted 3"}}}"#,
            "wanted 3",
        ),
    ] {
        let socket = dir.path().join(name);
        let daemon = answering(&socket, answer);
        let found = left(ctl(&socket, &["status"]).output().unwrap());
        daemon.join().unwrap();
        assert_eq!(found.code, 6, "{}", found.err);
        assert!(found.err.contains(part), "{}", found.err);
    }
}

#[test]
fn a_daemon_that_dies_or_talks_nonsense_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("mute");
    let listener = UnixListener::bind(&socket).unwrap();
    let daemon = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let found = left(ctl(&socket, &["status"]).output().unwrap());
    daemon.join().unwrap();
    assert_eq!(found.code, 5, "{}", found.err);
    assert!(found.err.contains("did not answer"), "{}", found.err);
    let socket = dir.path().join("babble");
    let daemon = answering(&socket, r#"{"version":1,"id":1,"outcome":{"ok":{"weather":"fine"}}}"#);
    let found = left(ctl(&socket, &["status"]).output().unwrap());
    daemon.join().unwrap();
    assert_eq!(found.code, 1);
    assert!(found.err.contains("cannot read"), "{}", found.err);
}

#[test]
fn wrong_usage_exits_2_and_says_what_was_wanted() {
    let dir = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (&["resume"][..], "--reason"),
        (&["breaker", "trip", "book:x", "--reason", "x"], "wanted `firm`, `desk:NAME`, `account:NAME`"),
        (&["limits", "set", "ZVZZT", "max_qyt=5", "--reason", "x"], "did you mean `max_qty`?"),
        (&["limits", "set", "ZVZZT", "max_qty=0", "--reason", "x"], "wanted a whole number from 1"),
        (&["resume", "--reason", " "], "wanted a reason of 1 to 500 characters"),
        (&["audit", "tail", "-n", "0"], "1..=1000"),
        (&["halt", "--force"], "--force"),
    ] {
        let found = left(ctl(&dir.path().join("none"), arguments).output().unwrap());
        assert_eq!(found.code, 2, "{arguments:?}: {}", found.err);
        assert!(found.err.contains(part), "{arguments:?}: {}", found.err);
    }
}

#[test]
fn every_reject_code_of_the_gate_is_listed_offline() {
    let found = left(ctl(Path::new("/nonexistent"), &["gate", "codes", "-o", "csv"]).output().unwrap());
    assert_eq!(found.code, 0);
    assert_eq!(found.out.lines().count(), gate::REASON_COUNT + 1);
    for reason in gate::RejectReason::ALL {
        assert!(found.out.contains(&format!("{},{},", reason.code(), reason.slug())), "{reason}");
    }
}

#[test]
fn tables_carry_no_colour_into_files() {
    let t = Terminal::new(&[]);
    t.run(&["halt"]);
    let found = t.run(&["status"]);
    assert!(found.out.contains("HALTED") && !found.out.contains('\u{1b}'), "{:?}", found.out);
}

/// `-o json` gives one JSON document on stdout, whatever comes of it.
#[test]
fn errors_are_json_where_json_was_asked_for() {
    let t = Terminal::new(&[]);
    let parsed = |found: &Left| serde_json::from_str::<serde_json::Value>(&found.out).expect(&found.out);
    let nowhere = Path::new("/nonexistent/control.sock");
    for (found, kind, code) in [
        (t.run(&["breaker", "trip", "account:ACNE", "--reason", "x", "-o", "json"]), "not_found", 1),
        (t.run(&["limits", "set", "ZVZZT", "max_qty=9999", "--reason", "x", "--output=json"]), "policy", 4),
        (left(ctl(nowhere, &["status", "-o", "json"]).output().unwrap()), "unreachable", 5),
        (t.run(&["-o", "json", "teleport"]), "usage", 2),
    ] {
        let json = parsed(&found);
        assert_eq!((json["error"]["kind"].as_str(), found.code), (Some(kind), code), "{json}");
        assert_eq!(json["error"]["exit_code"].as_i64(), Some(code.into()));
        assert!(
            !found.err.is_empty() && !json["error"]["message"].as_str().unwrap().is_empty(),
            "people are told too"
        );
    }
    let found = t.run(&["breaker", "trip", "account:ACNE", "--reason", "x"]);
    assert!(
        found.out.is_empty() && found.err.starts_with("portcullisctl: account ACNE is not declared"),
        "{}",
        found.err
    );
}

#[test]
fn the_socket_is_the_arguments_then_the_environments_then_the_default() {
    let t = Terminal::new(&[]);
    let bare = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullisctl"));
        command.env_remove("PORTCULLIS_SOCKET").stdin(Stdio::null());
        command
    };
    let socket = &t.site.plan.instance.socket;
    let found = left(bare().arg("status").env("PORTCULLIS_SOCKET", socket).output().unwrap());
    assert_eq!(found.code, 0, "{}", found.err);
    let argument = ["--socket", "/nonexistent/x.sock", "status"];
    let found = left(bare().args(argument).env("PORTCULLIS_SOCKET", socket).output().unwrap());
    assert!(found.code == 5 && found.err.contains("/nonexistent/x.sock"), "{}", found.err);
    assert_eq!(found.err.matches("No such file").count(), 1, "a cause is said once: {}", found.err);
    let help = left(bare().arg("--help").output().unwrap()).out;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("$PORTCULLIS_SOCKET, else /run/portcullis/control.sock"), "{help}");
}

#[test]
fn a_halt_needs_no_words_and_bad_ones_do_not_stop_it() {
    for words in [&["--reason", ""][..], &["--reason", "a\nb", "--ticket", "INC 71"], &[]] {
        let t = Terminal::new(&[]);
        let found = t.run(&[&["halt"], words].concat());
        assert_eq!(
            (found.code, found.out.as_str()),
            (0, "HALTED: every order is refused (episode 1)\n"),
            "{words:?}"
        );
    }
}

/// A daemon that takes the connection and says nothing, and one whose queue is full: neither is waited for longer than asked.
#[test]
fn nobody_waits_longer_than_they_said() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("mute");
    let listener = UnixListener::bind(&socket).unwrap();
    let begun = std::time::Instant::now();
    let found = left(ctl(&socket, &["--timeout", "1", "halt"]).output().unwrap());
    assert_eq!(found.code, 5, "{}", found.err);
    assert!(found.err.contains("nothing came within the time limit"), "{}", found.err);
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
    drop(listener);
    let found = left(ctl(&socket, &["--timeout", "0", "halt"]).output().unwrap());
    assert_eq!(found.code, 2, "{}", found.err);
}

/// Another command is at the disk; the officer's resume waits behind it and is interrupted. It is not done when its turn comes.
#[test]
fn a_resume_whose_client_gave_up_does_not_open_the_firm() {
    let t = Terminal::new(&[]);
    t.run(&["breaker", "trip", "strategy:mm1", "--reason", "drill"]);
    t.run(&["halt", "--reason", "drill"]);
    let socket = &t.site.plan.instance.socket;
    let (inside, wait) = (std::sync::mpsc::channel(), std::sync::mpsc::channel::<()>());
    let (told, go) = (std::sync::Mutex::new(inside.0), std::sync::Mutex::new(wait.1));
    *t.site.desk.witness.write().unwrap() = Some(Box::new(move |call| {
        if call == "strategy:mm1 open" {
            told.lock().unwrap().send(()).unwrap();
            go.lock().unwrap().recv().unwrap();
        }
    }));
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| t.run(&["breaker", "reset", "strategy:mm1", "--reason", "over", "--yes"]));
        inside.1.recv().unwrap();
        let request = br#"{"version":1,"id":1,"command":{"resume":{"reason":"x","ticket":null}}}"#;
        let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
        write_frame(&mut stream, request).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(200));
        drop(stream);
        wait.0.send(()).unwrap();
        assert_eq!(slow.join().unwrap().code, 0);
    });
    assert!(t.run(&["status"]).out.contains("HALTED since"), "still");
    // One that is there, and was wanted before now.
    let late = r#"{"version":1,"id":1,"command":{"resume":{"reason":"x","ticket":null}},"wait_ms":0}"#;
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    write_frame(&mut stream, late.as_bytes()).unwrap();
    let answer = String::from_utf8(read_frame(&mut stream).unwrap()).unwrap();
    assert!(answer.contains("\"kind\":\"expired\"") && answer.contains("which are over"), "{answer}");
    assert!(t.run(&["status"]).out.contains("HALTED since"), "still");
}
