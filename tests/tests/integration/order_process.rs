//! An order process of its own under the running appliance: its positions and open orders outlive it, the daemon, and both.

use crate::daemon::ctl;
use crate::on_a_wire::{Appliance, PATIENCE, StopOnDrop, datagrams, in_namespaces, send};
use crate::tables::{column, rows, scenario};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tests::programs;

/// What the daemon is told of the process.
pub(crate) const CLIENT: &str = "[client.c1]\nuser = \"root\"\nstrategies = [\"s\"]\naccounts = [\"a\"]\n";

/// What it may do in a day.
const LIMITS: &str =
    "[strategy.s.limits]\nwindow_qty = 35\nmax_gross = \"1000000000\"\n[gate]\nwindow_s = 86400\n";

/// Another strategy of the client's, which may leave nothing at the venue over night.
const SHORT: &str = "[strategy.short]\ntime_in_force = [\"day\", \"ioc\"]\n";

/// `order-process`, and what it says.
pub(crate) struct Process {
    child: Child,
    stdin: ChildStdin,
    lines: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(socket: &Path, env: &[(&str, &OsStr)]) -> Self {
        Self::start_as(socket, "c1", env)
    }

    /// As another client than the first.
    pub(crate) fn start_as(socket: &Path, client: &str, env: &[(&str, &OsStr)]) -> Self {
        let mut command = Command::new(programs().join("order-process"));
        command
            .envs(env.iter().copied())
            .arg(socket)
            .arg(client)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut process = Self { child, stdin, lines: BufReader::new(stdout) };
        assert_eq!(process.hear(), "attached");
        process
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.hear()
    }

    /// Asks, and does not wait for what comes of it.
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
    }

    /// What it holds: position and working quantities, and open orders.
    fn holds(&mut self) -> (String, String) {
        (self.ask("position FUTX s"), self.ask("orders"))
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Asks until an order is let out that rests: the price is a cent lower each time.
pub(crate) fn rests(process: &mut Process, id: u64, from_cents: i64) {
    let end = Instant::now() + PATIENCE;
    let mut cents = from_cents;
    loop {
        let answer = process.ask(&format!("buy {id} FUTX 10 {}.{:02} s a", cents / 100, cents % 100));
        if answer.ends_with("true") {
            return;
        }
        assert!(Instant::now() < end, "waited in vain for an order to be let out: {answer}");
        std::thread::sleep(std::time::Duration::from_millis(50));
        cents = if cents < from_cents - 300 { from_cents } else { cents - 1 };
    }
}

/// A price at which somebody traded FUTX in the market of a scenario, in cents.
pub(crate) fn traded_cents(market: &Path) -> i64 {
    let orders = std::fs::read_to_string(market.join("orders.csv")).unwrap();
    let px = orders.lines().filter(|line| line.contains(",FUTX,")).find_map(|line| line.split(',').nth(7));
    px.unwrap().replace('.', "").parse().unwrap()
}

/// Asks until an order is refused for `slug` alone: the price is a cent lower each time, as for [`rests`].
pub(crate) fn is_refused(process: &mut Process, slug: &str, from_cents: i64) {
    let end = Instant::now() + PATIENCE;
    let mut cents = from_cents;
    loop {
        let answer = process.ask(&format!("buy 4 FUTX 10 {}.{:02} s a", cents / 100, cents % 100));
        if answer == format!("reject {slug} false") {
            return;
        }
        assert!(Instant::now() < end && !answer.ends_with("true"), "waited in vain for {slug}: {answer}");
        std::thread::sleep(std::time::Duration::from_millis(50));
        cents = if cents < from_cents - 300 { from_cents } else { cents - 1 };
    }
}

#[test]
fn positions_and_open_orders_outlive_the_process_the_daemon_and_both() {
    if !in_namespaces("order_process::positions_and_open_orders_outlive_the_process_the_daemon_and_both") {
        return;
    }
    let market = scenario("calm", &["--minutes", "14"]);
    let datagrams = datagrams(&market.path().join("calm.pcap"));
    let px = traded_cents(market.path());
    let client = CLIENT.replace("[\"s\"]", "[\"s\", \"short\"]");
    let mut appliance = Appliance::start(&format!("{client}{LIMITS}{SHORT}"));
    let socket = appliance.socket();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| send(&datagrams, &stop));
        // The scope waits for the sender, so it is told to stop whatever becomes of the checks.
        let _stop = StopOnDrop(&stop);
        let mut process = Process::start(&socket, &[]);
        trades(&appliance, &mut process, px);
        let mut process = process_dies(&appliance, process);
        // Thirty of thirty-five were sent: what was counted outlives the process as well.
        is_refused(&mut process, "ROLLING_QTY_STRATEGY", px);
        assert_eq!(process.ask("cancel 3"), "asked");
        daemon_dies(&mut appliance, &mut process, px);
        both_die(&mut appliance, process).kill();
        an_officer_sets_the_position(&appliance);
    });
    let stats =
        tests::portcullis_ok(["verdicts", "stats", log_of(&appliance).to_str().unwrap(), "-o", "csv"]);
    assert!(stats.contains("reason,DAEMON_LOST,1,"), "{stats}");
    let log = rows(&appliance.dir.path().join("state"), "verdicts.csv");
    let cell = |row: &[String], name| row[column("verdicts.csv", name)].clone();
    let let_out =
        log.iter().filter(|row| cell(row, "decision") != "reject").map(|row| cell(row, "cl_ord_id"));
    assert_eq!(
        let_out.collect::<Vec<_>>(),
        ["1", "2", "3"],
        "each order that was let out stands in the log once"
    );
    let tail = ctl(&socket, &["audit", "tail"]);
    assert!(String::from_utf8_lossy(&tail.stdout).contains("attach"), "who attached is in the audit log");
}

/// A loss of the firm's, and two executions of one side.
const LOSSES: &str =
    "[firm.limits]\nmax_loss = 50\n[gate]\nrepeat_executions = 2\nrepeat_executions_s = 3600\n";

#[test]
fn a_loss_and_a_stop_for_repeated_executions_outlive_process_and_daemon() {
    if !in_namespaces("order_process::a_loss_and_a_stop_for_repeated_executions_outlive_process_and_daemon") {
        return;
    }
    let market = scenario("calm", &["--minutes", "14"]);
    let datagrams = datagrams(&market.path().join("calm.pcap"));
    let px = traded_cents(market.path());
    let mut appliance = Appliance::start(&format!("{CLIENT}{LOSSES}"));
    let (datagrams, stops) = (&datagrams, &[const { AtomicBool::new(false) }; 3]);
    std::thread::scope(|scope| {
        let _stop = stops.each_ref().map(StopOnDrop);
        // A daemon that begins in mid-session does not know whether an instrument trades: each gets the day from its beginning.
        let feed = |n: usize| scope.spawn(move || send(datagrams, &stops[n]));
        let first = feed(0);
        let mut process = Process::start(&appliance.socket(), &[]);
        appliance.wait_until("the feed names FUTX", || process.ask("known FUTX") == "true");
        rests(&mut process, 1, px);
        rests(&mut process, 2, px);
        let told = format!("fill 1 10 71 {}.{:02}", px / 100, px % 100);
        assert_eq!(process.ask(&told), "Done");
        // A thousand a unit too dear.
        let told = format!("fill 2 10 72 {}.{:02}", px / 100 + 1_000, px % 100);
        assert_eq!(process.ask(&told), "Done");
        // In the gate at once, and in the strategy's breaker as soon as the daemon knows.
        is_refused(&mut process, "REDUCE_ONLY", px);
        let breaker = |appliance: &Appliance| {
            let shown = appliance.ask(&["breaker", "list"], "breakers");
            shown.as_array().unwrap().iter().any(|row| row["scope"] == "strategy:s")
        };
        assert!(breaker(&appliance));
        appliance.daemon.0.kill().unwrap();
        appliance.daemon.0.wait().unwrap();
        stops[0].store(true, Ordering::Relaxed);
        first.join().unwrap();
        appliance.restart();
        let second = feed(1);
        process.kill();
        let mut process = Process::start(&appliance.socket(), &[]);
        assert!(breaker(&appliance), "the stop is latched");
        is_refused(&mut process, "REDUCE_ONLY", px);
        let reset =
            ctl(&appliance.socket(), &["breaker", "reset", "strategy:s", "--reason", "looked at", "--yes"]);
        assert!(reset.status.success(), "{reset:?}");
        is_refused(&mut process, "LOSS_FIRM", px);
        process.kill();
        stops[1].store(true, Ordering::Relaxed);
        second.join().unwrap();
        appliance.restart();
        let _third = feed(2);
        let mut process = Process::start(&appliance.socket(), &[]);
        is_refused(&mut process, "LOSS_FIRM", px);
        assert!(!breaker(&appliance), "what a person has reset stays so");
        process.kill();
    });
}

/// A credit is used up by the margin multiplier as well as by orders; the officer raises it under a process that runs.
#[test]
fn an_account_has_as_much_credit_as_its_margin_leaves() {
    if !in_namespaces("order_process::an_account_has_as_much_credit_as_its_margin_leaves") {
        return;
    }
    let market = scenario("calm", &["--minutes", "14"]);
    let datagrams = datagrams(&market.path().join("calm.pcap"));
    let px = traded_cents(market.path());
    // Of 35 units: an order of ten is let out at twice the margin, two of them at once.
    let credit = format!("[account.a.limits]\ncredit = \"{}.{:02}\"\n", px * 35 / 100, px * 35 % 100);
    let appliance = Appliance::start(&format!("{CLIENT}{credit}"));
    let (socket, stop) = (appliance.socket(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| send(&datagrams, &stop));
        let _stop = StopOnDrop(&stop);
        let mut process = Process::start(&socket, &[]);
        appliance.wait_until("the feed names FUTX", || process.ask("known FUTX") == "true");
        rests(&mut process, 1, px);
        let set = ["limits", "set", "FUTX", "margin_bps=20000", "--reason", "the clearing house asks for it"];
        let done = ctl(&socket, &set);
        assert!(done.status.success(), "{done:?}");
        is_refused(&mut process, "CREDIT_ACCOUNT", px);
        let shown = appliance.ask(&["limits", "show", "FUTX"], "limits");
        let margin = shown.as_array().unwrap().iter().find(|row| row["key"] == "margin_bps").unwrap();
        assert!(margin["base"] == 20_000 && margin["effective"].as_u64() >= Some(20_000), "{margin}");
        let of_both = ["limits", "show", "--scope", "strategy:s", "--scope", "account:a"];
        let levels = appliance.ask(&of_both, "levels");
        let [credit] = &levels.as_array().unwrap()[..] else { panic!("{levels}") };
        for (key, value) in [("limit", "credit"), ("scope", "account:a"), ("unit", "currency")] {
            assert_eq!(credit[key], value, "{credit}");
        }
        let says = credit["value"].as_str().map_or_else(|| credit["value"].to_string(), str::to_owned);
        assert!(credit["lowest"] == true && says.starts_with(&(px * 35 / 100).to_string()), "{credit}");
        let nobody = ctl(&socket, &["limits", "show", "--scope", "account:aa"]);
        assert!(String::from_utf8_lossy(&nobody.stderr).contains("did you mean"), "{nobody:?}");
        let price = format!("{}.{:02}", px / 100, px % 100);
        let order = ["gate", "explain", "--symbol", "FUTX", "--side", "buy", "--qty", "20", "--px", &price];
        let explained = ctl(&socket, &[&order[..], &["--strategy", "s", "--account", "a"]].concat());
        let explained = String::from_utf8_lossy(&explained.stdout);
        assert!(explained.contains("1131  CREDIT_ACCOUNT"), "{explained}");
        // What was let out leaves room when it is taken back.
        assert_eq!(process.ask("cancelled 1"), "Done");
        rests(&mut process, 5, px);
        process.kill();
    });
}

fn trades(appliance: &Appliance, process: &mut Process, px: i64) {
    appliance.wait_until("the feed names FUTX", || process.ask("known FUTX") == "true");
    let another =
        Command::new(programs().join("order-process")).arg(appliance.socket()).arg("nobody").output();
    assert!(!another.unwrap().status.success(), "a client that is not declared");
    for id in 1..=3 {
        rests(process, id, px);
    }
    let price = format!("{}.{:02}", px / 100, px % 100);
    assert_eq!(process.ask(&format!("buy 9 FUTX 10 {price} short a gtc")), "reject TIF false");
    // More than every limit: refused for another reason, where any time in force will do.
    assert!(!process.ask(&format!("buy 9 FUTX 4000000000 {price} s a gtc")).contains("TIF"));
    assert!(!process.ask(&format!("buy 9 FUTX 4000000000 {price} short a")).contains("TIF"));
    assert_eq!(process.ask("fill 1 4 77"), "Working");
    assert_eq!(process.holds(), ("4 26 0".to_owned(), "1:6 2:10 3:10".to_owned()));
    people_see_what_it_holds(appliance, process);
}

/// What officers are shown is what the process holds; while it runs, its books are its own.
fn people_see_what_it_holds(appliance: &Appliance, process: &Process) {
    let mut shown = serde_json::Value::Null;
    appliance.wait_until("the fill is in the daemon's books", || {
        shown = appliance.ask(&["positions", "--client", "c1"], "positions")["rows"][0].take();
        shown["position"] == 4
    });
    assert_eq!((&shown["symbol"], &shown["account"]), (&"FUTX".into(), &"a".into()));
    assert_eq!((&shown["worst_long"], &shown["worst_short"]), (&30.into(), &4.into()));
    assert_eq!(shown["in_doubt"], false);
    let orders = appliance.ask(&["orders", "--symbol", "FUTX"], "orders");
    let open: Vec<_> = orders["rows"].as_array().unwrap().iter().map(|r| (&r["id"], &r["leaves"])).collect();
    assert_eq!(open, [(&1.into(), &6.into()), (&2.into(), &10.into()), (&3.into(), &10.into())]);
    assert!(orders["rows"].as_array().unwrap().iter().all(|row| row["since"].is_string()));
    let session = appliance.ask(&["sessions"], "sessions")["rows"][0].take();
    assert_eq!((&session["state"], &session["pid"]), (&"attached".into(), &process.child.id().into()));
    let set = ["positions", "set", "c1", "s", "a", "FUTX", "4", "--reason", "as the venue says"];
    let refused = ctl(&appliance.socket(), &set);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("c1's process runs"), "{refused:?}");
}

/// Ends the process; what the next one holds is what it held.
fn process_dies(appliance: &Appliance, mut process: Process) -> Process {
    let held = process.holds();
    appliance.wait_until("status shows the process", || {
        let shown = appliance.ask(&["status"], "status");
        let counters = &shown["counters"]["order process c1"];
        (&counters["attached"], &counters["open_orders"]) == (&1.into(), &3.into())
    });
    process.kill();
    let mut process = Process::start(&appliance.socket(), &[]);
    assert_eq!(process.holds(), held);
    assert_eq!(process.ask("fill 1 4 77"), "Repeated", "the execution was booked before");
    process
}

/// Ends the daemon. What the process says meanwhile waits in its ring, and nothing is let out that a halt could not reach.
fn daemon_dies(appliance: &mut Appliance, process: &mut Process, px: i64) {
    appliance.daemon.0.kill().unwrap();
    appliance.daemon.0.wait().unwrap();
    assert_eq!(process.ask("cancelled 2"), "Done");
    appliance.wait_until("the process misses the daemon", || process.ask("orphaned") == "true");
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    let refused = process.ask(&format!("buy 9 FUTX 10 {}.{:02} s a", px / 100, px % 100));
    assert_eq!(refused, "reject DAEMON_LOST false");
    appliance.restart();
    assert_eq!(process.ask("again"), "attached");
    assert_eq!(process.holds(), ("4 16 0".to_owned(), "1:6 3:10".to_owned()));
}

/// The daemon's verdict log.
fn log_of(appliance: &Appliance) -> std::path::PathBuf {
    appliance.dir.path().join("state/verdicts.csv")
}

/// The process is gone for good; what the venue says it held is set by a person, and the next one has it.
fn an_officer_sets_the_position(appliance: &Appliance) {
    let set = ["positions", "set", "c1", "s", "a", "FUTX", "-5", "--reason", "as the venue says"];
    appliance.wait_until("the process is gone", || ctl(&appliance.socket(), &set).status.success());
    let mut process = Process::start(&appliance.socket(), &[]);
    assert_eq!(process.holds(), ("-5 6 0".to_owned(), "1:6".to_owned()));
    process.kill();
}

/// Ends both, the daemon without having read the process's last word.
fn both_die(appliance: &mut Appliance, mut process: Process) -> Process {
    appliance.signal("STOP");
    assert_eq!(process.ask("fill 3 10 78"), "Done");
    process.kill();
    appliance.restart();
    let mut process = Process::start(&appliance.socket(), &[]);
    assert_eq!(process.holds(), ("14 6 0".to_owned(), "1:6".to_owned()));
    assert_eq!(process.ask("lost"), "0");
    process
}
