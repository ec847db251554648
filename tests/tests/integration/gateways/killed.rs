//! Everything is killed (SIGKILL), again and again, one part at random: the daemon, the OUCH gateway, the FIX gateway with QuickFIX on both
//! sides, and an order process, with orders flowing through all three. No position is lost, no order unaccounted, and what a
//! strategy may send within its window is never exceeded, by the verdict log. `PORTCULLIS_KILLS` says how often (`tests/KILLS.md`).

use super::fix::{VENUE as FIX_VENUE, config as fix_config, python, street};
use super::{Dice, Host, OuchVersion, config, holds_of, market, start_named, terminate, venue};
use crate::on_a_wire::{Appliance, Datagram, in_namespaces, send};
use crate::order_process::Process;
use simulator::order_entry::{Behaviour, VenueFaults};
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a strategy may send in a window, and how long that is.
const WINDOW_QTY: u64 = 400;
const WINDOW_NS: u64 = 10_000_000_000;

/// The market as it is sent, from its beginning on each time that a daemon begins: it says but once that it trades.
struct Market {
    datagrams: Arc<Vec<Datagram>>,
    sender: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
    since: Instant,
}

impl Market {
    fn begin(&mut self) {
        self.end();
        let (stop, datagrams) = (Arc::new(AtomicBool::new(false)), Arc::clone(&self.datagrams));
        let theirs = Arc::clone(&stop);
        let thread = std::thread::spawn(move || send(&datagrams, &theirs));
        (self.sender, self.since) = (Some((stop, thread)), Instant::now());
    }

    fn end(&mut self) {
        let Some((stop, thread)) = self.sender.take() else { return };
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap();
    }

    /// Whether it will be over soon: a daemon that lives through its end would see a silence.
    fn is_old(&self) -> bool {
        self.since.elapsed() > Duration::from_secs(150)
    }
}

impl Drop for Market {
    fn drop(&mut self) {
        if let Some((stop, _)) = &self.sender {
            stop.store(true, Ordering::Relaxed);
        }
    }
}

/// The order process, and its venue, which is the test: what is under way when it is killed is asked about afterwards.
struct Own {
    process: Option<Process>,
    next: u64,
    position: i64,
    /// Side and what is left.
    open: BTreeMap<u64, (bool, u64)>,
    /// What was asked for without an answer: an order, or a fill of one.
    asked: Option<Asked>,
    filled: u64,
}

enum Asked {
    Order(u64, bool, u64),
    Fill(u64, u64, u64),
}

impl Own {
    fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("it runs")
    }

    /// One order or one fill; where `is_cut`, without waiting for what comes of it.
    fn act(&mut self, dice: &mut Dice, cents: i64, is_cut: bool) {
        let oldest = self.open.iter().next().map(|(id, (_, left))| (*id, *left));
        let (line, asked) = match oldest {
            Some((id, left)) if dice.below(2) == 0 => {
                let (qty, execution) = (1 + dice.below(left), 1_000_000 + self.filled);
                self.filled += 1;
                (format!("fill {id} {qty} {execution}"), Asked::Fill(id, qty, execution))
            }
            _ => {
                let (id, is_buy, qty) = (self.next, dice.below(2) == 0, 1 + dice.below(9));
                self.next += 1;
                let px = if is_buy { cents - 40 } else { cents + 40 } + dice.below(20) as i64 - 10;
                let side = if is_buy { "buy" } else { "sell" };
                let line = format!("{side} {id} FUTX {qty} {}.{:02} t b", px / 100, px % 100);
                (line, Asked::Order(id, is_buy, qty))
            }
        };
        if is_cut {
            self.process().say(&line);
            self.asked = Some(asked);
            return;
        }
        let answer = self.process().ask(&line);
        match asked {
            Asked::Order(id, is_buy, qty) if answer.ends_with("true") => {
                self.open.insert(id, (is_buy, qty));
            }
            Asked::Order(..) => {}
            Asked::Fill(id, qty, _) => {
                assert!(matches!(&*answer, "Working" | "Done"), "{answer}");
                self.fill(id, qty);
            }
        }
    }

    fn fill(&mut self, id: u64, qty: u64) {
        let (is_buy, left) = self.open[&id];
        self.position += if is_buy { qty as i64 } else { -(qty as i64) };
        self.open.remove(&id);
        if left > qty {
            self.open.insert(id, (is_buy, left - qty));
        }
    }

    fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// Starts it where it is not there, and finds out what became of what was under way.
    fn be_there(&mut self, appliance: &Appliance) {
        if self.process.is_some() {
            return;
        }
        self.process = Some(Process::start_as(&appliance.socket(), "c2", &[]));
        match self.asked.take() {
            Some(Asked::Order(id, is_buy, qty)) => {
                // What the gate has of it may have gone to the venue.
                let orders = self.process().ask("orders");
                if orders.split(' ').any(|order| order == format!("{id}:{qty}")) {
                    self.open.insert(id, (is_buy, qty));
                }
            }
            // The venue says it again: it counts once.
            Some(Asked::Fill(id, qty, execution)) => {
                let answer = self.process().ask(&format!("fill {id} {qty} {execution}"));
                assert!(matches!(&*answer, "Working" | "Done" | "Repeated"), "{answer}");
                self.fill(id, qty);
            }
            None => {}
        }
    }
}

/// Whether any window of a strategy's has more than it may.
fn check_windows(log: &str) -> [u64; 3] {
    let mut of: BTreeMap<&str, Vec<(u64, u64)>> = BTreeMap::new();
    let (mut accepted, mut refused) = (0, 0);
    for row in log.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let (at, strategy, qty) = (cells[0].parse().unwrap(), cells[3], cells[6].parse().unwrap());
        if cells[8] == "reject" {
            refused += u64::from(cells[9] == "1412");
        } else if strategy == "s" || strategy == "t" {
            of.entry(strategy).or_default().push((at, qty));
            accepted += 1;
        }
    }
    let mut most = 0;
    for sent in of.values_mut() {
        sent.sort_unstable();
        let (mut from, mut sum) = (0, 0);
        for (at, qty) in sent.iter() {
            sum += qty;
            while at - sent[from].0 > WINDOW_NS {
                sum -= sent[from].1;
                from += 1;
            }
            most = most.max(sum);
            assert!(sum <= WINDOW_QTY, "{sum} within {WINDOW_NS} ns");
        }
    }
    [accepted, refused, most]
}

/// What all of them are told.
fn declared(passwords: &std::path::Path) -> String {
    let limits = format!("window_qty = {WINDOW_QTY}\n");
    format!(
        "{}{}[client.c2]\nuser = \"root\"\nstrategies = [\"t\"]\naccounts = [\"b\"]\non_daemon_loss = \"static\"\n\
         [strategy.t]\n[strategy.u]\n[account.b]\n[account.d]\n[strategy.s.limits]\n{limits}[strategy.t.limits]\n{limits}\
         [gate]\nwindow_s = 10\n",
        config(passwords, OuchVersion::V50, "keep")
            .replace("user = \"root\"", "user = \"root\"\non_daemon_loss = \"static\""),
        fix_config("fix-4.4")
            .replace("client.c1", "client.c3")
            .replace("user = \"root\"", "user = \"root\"\non_daemon_loss = \"static\"")
            .replace("\"c1\"", "\"c3\"")
            .replace("\"g\"", "\"f\"")
            .replace("\"s\"", "\"u\"")
            .replace("\"a\"", "\"d\""),
    )
}

/// The FIX gateway, and QuickFIX on both of its sides.
type Fix = Option<(crate::daemon::Daemon, std::process::Child)>;

/// One part dies, and is started again.
fn strike(part: usize, host: &mut Host, own: &mut Own, fix: &mut Fix, market: &mut Market) {
    match part {
        0 => {
            market.end();
            host.appliance.restart();
            market.begin();
            // Who was attached to the one before attaches to this one.
            assert_eq!(own.process().ask("again"), "attached");
        }
        1 => {
            host.gateway.0.kill().unwrap();
            host.gateway.0.wait().unwrap();
            host.gateway = start_named(&host.appliance, "g");
        }
        2 => own.kill(),
        _ => {
            let (gateway, _) = fix.as_mut().expect("there is one");
            gateway.0.kill().unwrap();
            gateway.0.wait().unwrap();
            *gateway = start_named(&host.appliance, "f");
        }
    }
}

fn through_kills(seed: u64, kills: u64) {
    let quickfix = python();
    if quickfix.is_none() {
        tests::skip(tests::Need::QuickFix, "no QuickFIX (PyPI `quickfix`): without the FIX gateway");
    }
    let (datagrams, cents) = market();
    let passwords = tempfile::tempdir().unwrap();
    let text = declared(passwords.path());
    let appliance = Appliance::start(&text);
    let mut market = Market { datagrams: Arc::new(datagrams), sender: None, since: Instant::now() };
    market.begin();
    let gateway = start_named(&appliance, "g");
    let behaviour = Behaviour { reject: 0.05, fill: 0.3, fill_resting: 0.3, tell_twice: 0.1 };
    let venue =
        venue(OuchVersion::V50, behaviour, VenueFaults { late_ms: 2, ..VenueFaults::default() }, seed);
    let mut firm = super::Firm::new(super::LISTEN.parse::<SocketAddr>().unwrap());
    firm.log = appliance.dir.path().join("gateway");
    let mut host = Host { appliance, gateway, firm, venue, cents, _passwords: passwords };
    host.first_order();
    let mut own = Own { process: None, next: 1, position: 0, open: BTreeMap::new(), asked: None, filled: 0 };
    let mut fix = quickfix.as_ref().map(|python| {
        drop(TcpListener::bind(FIX_VENUE).expect("the venue's port is free"));
        let gateway = start_named(&host.appliance, "f");
        (gateway, street(python, "FIX.4.4", cents, (&(kills * 200).to_string(), "0")))
    });
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut killed = [0_u64; 4];
    for _ in 0..kills {
        let end = Instant::now() + Duration::from_millis(600 + dice.below(1_400));
        while Instant::now() < end {
            own.be_there(&host.appliance);
            own.act(&mut dice, cents, false);
            host.firm.be_connected();
            let known: Vec<u32> = host.firm.open.keys().copied().collect();
            match known.first() {
                Some(number) if known.len() > 20 || dice.below(3) == 0 => host.firm.cancel(*number, 0),
                _ => {
                    let (side, away) = if dice.below(2) == 0 { (b'B', -40) } else { (b'S', 40) };
                    host.firm.enter(side, 1 + dice.below(9) as u32, cents + away);
                }
            }
            host.firm.hear(Duration::from_millis(dice.below(20)));
        }
        // An order may be on its way in each of them.
        let part = if market.is_old() { 0 } else { dice.below(if fix.is_some() { 4 } else { 3 }) as usize };
        killed[part] += 1;
        own.act(&mut dice, cents, part == 2);
        strike(part, &mut host, &mut own, &mut fix, &mut market);
    }
    finish(host, own, fix, killed);
}

/// Compares what each side holds.
fn finish(
    host: Host,
    mut own: Own,
    fix: Option<(crate::daemon::Daemon, std::process::Child)>,
    killed: [u64; 4],
) {
    own.be_there(&host.appliance);
    let held = own.process().ask("position FUTX t");
    let working = |is_buy: bool| {
        own.open.values().filter(|(side, _)| *side == is_buy).map(|(_, left)| left).sum::<u64>()
    };
    assert_eq!(held, format!("{} {} {}", own.position, working(true), working(false)), "the order process");
    own.kill();
    let mut said = String::new();
    if let Some((mut gateway, street)) = fix {
        let output = street.wait_with_output().unwrap();
        said = String::from_utf8_lossy(&output.stdout).into_owned();
        let told = host.told();
        assert!(output.status.success(), "{said}{}\n{told}", String::from_utf8_lossy(&output.stderr));
        terminate(&mut gateway, &told);
        let figure = |name: &str| super::fix::figure(&said, name);
        let (position, buys, sells) = holds_of(&host.appliance, "c3", "u");
        let working = i64::try_from(buys + sells).unwrap();
        assert_eq!(
            (position, working),
            (figure("position"), figure("working")),
            "daemon and FIX venue\n{told}"
        );
        assert!(figure("taken by the venue") > figure("orders") / 20, "{said}\n{told}");
    }
    let log = host.appliance.dir.path().join("state/verdicts.csv");
    let account = host.venue.account();
    let [daemon, ouch, process, with_fix] = killed;
    println!(
        "kills: {daemon} of the daemon, {ouch} of the OUCH gateway, {with_fix} of the FIX gateway, {process} of the order process; \
         OUCH: {} orders taken, {} executions; process: {} orders asked for, {} executions; FIX: {said}",
        account.taken,
        account.executions,
        own.next - 1,
        own.filled
    );
    let [accepted, refused, most] = check_windows(&std::fs::read_to_string(log).unwrap());
    println!("window: {accepted} orders let out, {refused} refused for it, at most {most} of {WINDOW_QTY}");
    assert!(accepted > 0);
    host.compare();
}

#[test]
fn no_position_is_lost_and_no_order_unaccounted_whatever_is_killed() {
    if !in_namespaces("gateways::killed::no_position_is_lost_and_no_order_unaccounted_whatever_is_killed") {
        return;
    }
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    through_kills(number("PORTCULLIS_KILL_SEED", 1), number("PORTCULLIS_KILLS", 8));
}
