//! The daemon as built, on a wire, taken through faults with every instrument in tier High: what its gate lets out before, during
//! and after each. `tests/THROUGH.md` has what was seen.
//!
//! The property: whatever goes wrong, nothing wider than the officer's base is let out, and nothing wider than the last live limit.

mod limits;
mod machine;
mod memory;
mod process;
mod strangers;
mod venue;

use crate::daemon::ctl;
use crate::on_a_wire::{Appliance, configured, datagrams, in_namespaces, init, sh, spawn};
use crate::order_process::CLIENT;
use crate::tables::scenario;
use limits::Limits;
use machine::Machine;
use memory::LimitsOf;
use process::Attached;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::fmt::{self, Display};
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};
use strangers::Strangers;
use tests::{Need, skip};
use venue::{Act, Venue, a_jump, an_end, another_session};

/// The officer's base of the largest order, and what tier High makes of it.
const BASE: u64 = 500;
const HIGH: u64 = 50;

/// Any score is High, for an hour, and none is Critical.
pub(crate) const POLICY: &str = "
[policy.elevated]
enter = 0.000002
leave = 0.000001
[policy.high]
enter = 0.000004
leave = 0.000003
leave_after_ms = 3600000
[policy.critical]
enter = 1.0
witnesses = 16
[limits.default]
max_qty = { floor = 10, base = 500, cap = 1000 }
max_notional = { floor = 10000, base = 50000000, cap = 50000000 }
";

/// Longer than leases, the feed's silence and the age of quotes are allowed to last.
const LONG: Duration = Duration::from_secs(8);

/// Whether the spans that are short in every run (a disk that is full, a process that stands still) last as long as the issue says.
fn in_full() -> bool {
    std::env::var_os("PORTCULLIS_TEST_IN_FULL").is_some()
}

/// What the gate lets out.
#[derive(Clone, PartialEq)]
struct Seen {
    /// The largest order.
    accepted: u64,
    /// The largest quantity of the limits that hold.
    limit: u64,
    /// What refuses the next larger one.
    slug: String,
}

impl Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}, then {}", self.accepted, self.limit, self.slug)
    }
}

/// A daemon that is taken through faults.
struct Through<'a> {
    appliance: &'a Appliance,
    test: &'a str,
    /// What no order may be larger than.
    bound: Cell<u64>,
    /// The last live limits: what no limit may be wider than. None until there are some.
    live: RefCell<Option<Limits>>,
    rows: RefCell<Vec<String>>,
}

impl<'a> Through<'a> {
    /// Waits until the model holds the instrument to tier High.
    fn begin(appliance: &'a Appliance, test: &'a str) -> Self {
        let through = Self {
            appliance,
            test,
            bound: Cell::new(BASE),
            live: RefCell::default(),
            rows: RefCell::default(),
        };
        appliance.wait_until("the book is live", || {
            let tiers = appliance.ask(&["tier", "show"], "tiers");
            let rows = tiers.as_array().unwrap();
            rows.iter().any(|row| row["symbol"] == "FUTX" && row["book"] == "live" && row["tier"] == "high")
        });
        appliance.wait_until("tier High holds", || through.seen().accepted == HIGH);
        through.bound.set(HIGH);
        let sold = through.explain("sell", HIGH);
        assert_ne!(sold["decision"], "reject", "a sell of as much is let out too: {sold}");
        through.live.replace(Some(Limits::of(&sold).expect("limits in force")));
        through
    }

    /// What the gate says to an order of `qty`: nothing wider than the officer's base and the last live limits, whatever is wrong.
    fn explain(&self, side: &str, qty: u64) -> Value {
        let (text, px) = (qty.to_string(), if side == "buy" { "4985" } else { "4990" });
        let order = ["gate", "explain", "--symbol", "FUTX", "--side", side, "--px", px, "--strategy", "s"];
        let explained =
            self.appliance.ask(&[&order[..], &["--account", "a", "--qty", &text]].concat(), "explain");
        let accepted = explained["decision"] != "reject";
        assert!(!accepted || qty <= self.bound.get(), "too wide: {explained}");
        if let (Some(live), Some(now)) = (&*self.live.borrow(), Limits::of(&explained)) {
            assert_eq!(now.wider_than(live), [""; 0], "{explained}");
        }
        explained
    }

    /// The largest order, by halving.
    fn seen(&self) -> Seen {
        let (mut accepted, mut refused) = (0, 2 * BASE + 1);
        // A sell is held to the same; what it is refused for may differ.
        self.explain("sell", self.bound.get() + 1);
        let mut last = self.explain("buy", refused);
        while refused - accepted > 1 {
            // Most often it is the model's limit, so that is tried before the halves are.
            let middle =
                if (accepted, refused) == (0, 2 * BASE + 1) { HIGH + 1 } else { accepted.midpoint(refused) };
            let explained = self.explain("buy", middle);
            if explained["decision"] == "reject" {
                (refused, last) = (middle, explained);
            } else {
                accepted = middle;
            }
        }
        let limits = last["limits"].as_array().unwrap();
        let limit =
            limits.iter().find(|limit| limit["key"] == "max_qty").map_or(0, |l| l["value"].as_u64().unwrap());
        let slugs =
            last["breaches"].as_array().unwrap().iter().map(|breach| breach["slug"].as_str().unwrap());
        // A book that is not to be believed may be empty or crossed besides, as it happens.
        let tells = |slug: &&str| slug.starts_with("HALTED") || *slug == "REF_STALE";
        let slug = slugs.clone().find(tells).or(slugs.clone().next()).unwrap().to_owned();
        Seen { accepted, limit, slug }
    }

    /// Looks again and again for `span`; what was seen last.
    fn watch(&self, span: Duration) -> Seen {
        let end = Instant::now() + span;
        loop {
            let seen = self.seen();
            if Instant::now() >= end {
                return seen;
            }
        }
    }

    /// Looks until what is seen is `accepted`, and once more: the books may have become others in the middle of a look.
    fn until(&self, accepted: u64) -> Seen {
        self.appliance.wait_until(&format!("{accepted} are let out"), || self.seen().accepted == accepted);
        self.seen()
    }

    /// The fault begins, lasts until what is to be seen is there, and ends.
    fn go(
        &self,
        fault: &str,
        begin: impl FnOnce(),
        during: impl FnOnce() -> Seen,
        end: impl FnOnce() -> Seen,
    ) {
        let before = self.seen();
        begin();
        let during = during();
        let after = end();
        self.note(fault, &before, &during, &after);
    }

    fn note(&self, fault: &str, before: &dyn Display, during: &dyn Display, after: &dyn Display) {
        let test = self.test;
        self.rows
            .borrow_mut()
            .push(format!("| {fault} | {before} | {during} | {after} | `tests` `{test}` |"));
    }

    /// What a process of its own was told, before, during and after.
    fn note_attached(&self, fault: &str, seen: [Option<String>; 3]) {
        let [before, during, after] = seen.map(Option::unwrap);
        self.note(&format!("{fault}: an order process"), &before, &during, &after);
    }

    /// What was seen is what the page says of this test.
    fn end(self) {
        let page = std::fs::read_to_string(tests::repository().join("tests/THROUGH.md")).unwrap();
        let said: Vec<_> = page.lines().filter(|line| line.contains(self.test)).collect();
        let rows = self.rows.into_inner();
        assert!(said == rows, "tests/THROUGH.md is not\n{}", rows.join("\n"));
    }

    /// A counter of the receiver.
    fn counted(&self, name: &str) -> u64 {
        self.appliance.ask(&["status"], "status")["counters"]["receiver sim"][name].as_u64().unwrap()
    }
}

/// A calm market, from its start.
fn market() -> Venue {
    let market = scenario("calm", &["--minutes", "5"]);
    Venue::open(datagrams(&market.path().join("calm.pcap")))
}

#[test]
fn the_daemon_through_the_faults_of_its_feed() {
    let test = "the_daemon_through_the_faults_of_its_feed";
    if !in_namespaces(&format!("through_faults::{test}")) {
        return;
    }
    let appliance = Appliance::start(POLICY);
    let venue = market();
    let through = Through::begin(&appliance, test);
    let a_while = || through.watch(Duration::from_secs(2));
    for (fault, cause, forge) in [
        ("One heartbeat of another session", "dropped_stray_sessions", another_session as fn(&_) -> _),
        ("One forged jump of the sequence", "dropped_stray_jumps", a_jump),
        ("One forged end of the session", "dropped_stray_ends", an_end),
    ] {
        let dropped = through.counted(cause);
        let counted = || appliance.wait_until("it is counted", || through.counted(cause) > dropped);
        through.go(
            fault,
            || venue.act(Act::Forge(forge)),
            || {
                counted();
                a_while()
            },
            a_while,
        );
    }
    let outliers = through.counted("outliers");
    let counted = || appliance.wait_until("it is counted", || through.counted("outliers") > outliers);
    through.go(
        "One venue time of 2^48 - 1 on both lines",
        || venue.act(Act::StampOutlier),
        || {
            counted();
            a_while()
        },
        a_while,
    );
    let alive = || {
        venue.act(Act::LineBDead(false));
        a_while()
    };
    through.go("One line dead", || venue.act(Act::LineBDead(true)), || through.watch(LONG), alive);
    let again = || {
        venue.act(Act::Silent(false));
        through.until(HIGH)
    };
    through.go("The feed silent", || venue.act(Act::Silent(true)), || through.watch(LONG), again);
    is_late(&through, &venue);
    stands_still(&through, &venue);
    through.end();
}

/// What comes is a minute old by its own stamps, and says so.
fn is_late(through: &Through<'_>, venue: &Venue) {
    let late = || {
        through.until(0);
        let feed = through.appliance.feed();
        assert_eq!(feed["state"], "late", "{feed}");
        assert!(feed["lag_ms"].as_u64().is_some_and(|ms| (59_000..62_000).contains(&ms)), "{feed}");
        through.watch(LONG)
    };
    let caught_up = || {
        venue.act(Act::Late(Duration::ZERO));
        through.until(HIGH)
    };
    let fault = "The feed late by 60 s, by its own stamps";
    through.go(fault, || venue.act(Act::Late(Duration::from_secs(60))), late, caught_up);
}

/// SIGSTOP for long enough that the port loses packets.
fn stands_still(through: &Through<'_>, venue: &Venue) {
    let before = through.seen();
    through.appliance.signal("STOP");
    if in_full() {
        std::thread::sleep(Duration::from_secs(30));
    } else {
        // What comes in half a minute, twice what the port has room for, comes at once.
        venue.act(Act::AtOnce(16_384));
        std::thread::sleep(Duration::from_secs(3));
    }
    let asked = ctl(&through.appliance.socket(), &["--timeout", "1", "status"]);
    assert_eq!(asked.status.code(), Some(5), "nobody answers");
    through.appliance.signal("CONT");
    through.until(0);
    through.note("SIGSTOP for 30 s", &before, &"no answer", &through.watch(Duration::from_secs(2)));
}

/// The clock is set back to where all was young, while nothing comes.
fn silent_and_set_back(through: &Through<'_>, attached: &Attached, machine: &Machine, venue: &Venue) {
    let before = attached.seen();
    venue.act(Act::Silent(true));
    through.until(0);
    attached.until_refused("REF_STALE");
    machine.set_clock(-3_600);
    let during = attached.seen();
    machine.set_clock(0);
    venue.act(Act::Silent(false));
    through.until(HIGH);
    let seen = [Some(before), Some(during), Some(attached.seen())];
    through.note_attached("The feed silent, and then the system clock set back by 1 h", seen);
}

#[test]
fn the_daemon_through_the_faults_of_its_clock_and_threads() {
    let test = "the_daemon_through_the_faults_of_its_clock_and_threads";
    let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    if !["constant_tsc", "nonstop_tsc"].iter().all(|flag| flags.contains(flag)) {
        skip(Need::InvariantTsc, "without it the daemon reads the system clock, which is followed at once");
        return;
    }
    if !in_namespaces(&format!("through_faults::{test}")) {
        return;
    }
    let dir = configured(&format!("[link]\nreceiver_featurizer_events = 4096\n{POLICY}{CLIENT}"));
    init(dir.path());
    let machine = Machine::new(dir.path());
    let daemon = spawn(dir.path(), &machine.env());
    let appliance = Appliance { daemon, dir };
    appliance.wait_until_it_answers();
    let venue = market();
    let through = Through::begin(&appliance, test);
    // Of the same machine, and so of the same clock.
    let attached = Attached::start(&appliance.socket(), &machine.env());
    for (fault, by_s) in
        [("The system clock set forward by 1 h", 3_600), ("The system clock set back by 1 h", -3_600)]
    {
        let before = attached.seen();
        let (during, after) = (Cell::new(None), Cell::new(None));
        let back = || {
            machine.set_clock(0);
            let seen = through.watch(Duration::from_secs(2));
            after.set(Some(attached.seen()));
            seen
        };
        let set = || {
            let seen = through.watch(Duration::from_secs(4));
            during.set(Some(attached.seen()));
            seen
        };
        through.go(fault, || machine.set_clock(by_s), set, back);
        through.note_attached(fault, [Some(before), during.take(), after.take()]);
    }
    silent_and_set_back(&through, &attached, &machine, &venue);
    assert!(appliance.printed("stderr").contains("the system clock was set by"), "the daemon saw it");
    let lives = || {
        machine.stand_still("");
        through.watch(Duration::from_secs(2))
    };
    let dead = || {
        let seen = through.watch(LONG);
        assert_eq!(through.explain("buy", 1)["source"], "static (lease ended)", "it says nothing any more");
        seen
    };
    through.go("The scorer dead", || machine.stand_still("scorer"), dead, lives);
    torn(&through, &machine);
    let overflow = || {
        machine.stand_still("featurizer");
        appliance.wait_until("events are lost", || through.counted("lost_events") > 0);
    };
    let goes_on = || {
        machine.stand_still("");
        through.watch(Duration::from_secs(3))
    };
    through.go("A ring between two stages full", overflow, || through.until(0), goes_on);
    drop(venue);
    through.end();
}

#[test]
fn the_daemon_through_the_faults_of_its_disk_and_clients() {
    let test = "the_daemon_through_the_faults_of_its_disk_and_clients";
    if !in_namespaces(&format!("through_faults::{test}")) {
        return;
    }
    let dir = configured(POLICY);
    let (state, disk) = (dir.path().join("state"), dir.path().join("disk"));
    sh(&format!(
        "mkdir -m 700 {0} {1}; mount -t tmpfs -o size=2m,mode=700 none {1}; mount --bind {1} {0}",
        state.display(),
        disk.display()
    ));
    init(dir.path());
    let daemon = spawn(dir.path(), &[]);
    let mut appliance = Appliance { daemon, dir };
    appliance.wait_until_it_answers();
    let venue = market();
    let through = Through::begin(&appliance, test);
    hostile_clients(&through);
    disk_full(&through, &disk);
    state_unmounted(&through, &state, &disk);
    let before = through.seen();
    std::fs::remove_file(state.join("latch.sealed")).unwrap();
    let during = through.watch(Duration::from_secs(2));
    let Through { live, rows, .. } = through;
    // A restart finds it gone.
    appliance.signal("TERM");
    assert!(appliance.daemon.0.wait().unwrap().success());
    appliance.daemon = spawn(appliance.dir.path(), &[]);
    appliance.wait_until_it_answers();
    // The tier survives it, and with it what High lets out.
    let through = Through { appliance: &appliance, test, bound: Cell::new(HIGH), live, rows };
    appliance.wait_until("the feed has named it", || {
        ctl(&appliance.socket(), &["limits", "show", "FUTX"]).status.success()
    });
    let halted = through.seen();
    through.note("The latch file removed, and a restart", &before, &during, &halted);
    let resumed = ctl(&appliance.socket(), &["resume", "--reason", "drill", "--yes"]);
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    let joined = through.watch(LONG);
    through.note("The feed joined in mid-session", &halted, &joined, &through.watch(Duration::from_secs(2)));
    drop(venue);
    through.end();
}

/// A record of limits left half written: again and again by a scorer that lives, and for good by one that is dead.
fn torn(through: &Through<'_>, machine: &Machine) {
    let record = LimitsOf::find(through.appliance.daemon.0.id(), "FUTX", HIGH);
    let tears = || {
        let end = Instant::now() + Duration::from_secs(3);
        loop {
            record.tear();
            let seen = through.seen();
            if Instant::now() >= end {
                return seen;
            }
        }
    };
    let healed = || {
        through.appliance.wait_until("the scorer has written it anew", || !record.is_torn());
        through.watch(Duration::from_secs(1))
    };
    through.go("A record torn", || record.tear(), tears, healed);
    let dies = || {
        machine.stand_still("scorer");
        // It sleeps within a second, and writes no more.
        std::thread::sleep(Duration::from_secs(1));
        record.tear();
    };
    let dead = || {
        let seen = through.watch(LONG);
        assert!(record.is_torn(), "nobody has written it anew");
        // What holds is the record before it, of this instrument: one less there is one less here.
        record.set_spare_qty(HIGH - 1);
        assert_eq!(through.seen().accepted, HIGH - 1);
        record.set_spare_qty(HIGH);
        seen
    };
    let lives = || {
        machine.stand_still("");
        healed()
    };
    through.go("The scorer dead inside a record", dies, dead, lives);
}

/// 64 connections: some say nothing, some half a request, some noise, and all stay; beside them users without a role, who ask without end.
/// A halt by an officer takes effect meanwhile.
fn hostile_clients(through: &Through<'_>) {
    let socket = through.appliance.socket();
    let clients = RefCell::new(Vec::new());
    let strangers = RefCell::new(None);
    let come = || {
        strangers.replace(Strangers::come(&socket));
        for number in 0..64_usize {
            let mut client = UnixStream::connect(&socket).unwrap();
            let says: &[u8] = [&b""[..], b"{\"vers", &[0xFF; 512], &[0, 0, 1, 0, b'{']][number % 4];
            // It may have been shown out already.
            drop(client.write_all(says));
            clients.borrow_mut().push(client);
        }
    };
    let stay = || {
        let seen = through.watch(Duration::from_secs(3));
        if strangers.borrow().is_some() {
            let refused = || through.appliance.ask(&["status"], "status")["refused"]["total"].as_u64();
            through.appliance.wait_until("strangers are refused", || refused() > Some(0));
        }
        let asked = Instant::now();
        assert!(ctl(&socket, &["halt", "--reason", "drill"]).status.success());
        // Starting the program that asks is most of it.
        assert!(asked.elapsed() < Duration::from_secs(5), "a halt took {:?}", asked.elapsed());
        assert_eq!(through.seen().slug, "HALTED_FIRM");
        assert!(ctl(&socket, &["resume", "--reason", "drill", "--yes"]).status.success());
        through.until(HIGH);
        seen
    };
    let leave = || {
        clients.borrow_mut().clear();
        strangers.take();
        through.watch(Duration::from_secs(1))
    };
    through.go("64 hostile clients", come, stay, leave);
}

/// Nothing can be written; a trip on top is in force and owed.
fn disk_full(through: &Through<'_>, disk: &Path) {
    let fill = disk.join("fill");
    let full = || {
        sh(&format!("head -c 8m /dev/zero > {} || true", fill.display()));
        let trip = ["breaker", "trip", "instrument:ALFA", "--reason", "drill"];
        assert!(!ctl(&through.appliance.socket(), &trip).status.success(), "it says that it cannot be kept");
    };
    let room = || {
        std::fs::remove_file(&fill).unwrap();
        let owed = || through.appliance.printed("stderr").contains("are on disk again");
        through.appliance.wait_until("what was owed is written", owed);
        through.watch(Duration::from_secs(1))
    };
    let span = if in_full() { 60 } else { 3 };
    through.go("The disk full for 60 s", full, || through.watch(Duration::from_secs(span)), room);
}

/// The state directory is gone, and comes back.
fn state_unmounted(through: &Through<'_>, state: &Path, disk: &Path) {
    let (state, disk) = (state.display(), disk.display());
    let latch = format!("{disk}/latch.sealed");
    let on_disk = || std::fs::read_to_string(&latch).unwrap().contains("THIN");
    let back = || {
        sh(&format!("mount --bind {disk} {state}"));
        through.appliance.wait_until("what was tripped meanwhile is on disk", on_disk);
        through.watch(Duration::from_secs(2))
    };
    let gone = || {
        sh(&format!("umount -l {state}"));
        let trip = ["breaker", "trip", "instrument:THIN", "--reason", "drill"];
        assert!(!ctl(&through.appliance.socket(), &trip).status.success(), "it says that it cannot be kept");
        assert!(!on_disk());
    };
    through.go(
        "The state directory unmounted and mounted again",
        gone,
        || through.watch(Duration::from_secs(2)),
        back,
    );
}
