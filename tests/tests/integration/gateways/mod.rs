//! A firm, `portcullis gateway` and a venue over TCP, under a running daemon with a live feed: whatever is cut, killed or started
//! anew, no order is lost, doubled or unaccounted, and firm, gateway, daemon and venue hold the same.

mod audit;
mod copies;
mod disk;
mod firm;
mod fix;
mod in_daemon;
mod kill;
mod killed;
mod mpids;
mod scripted;

use crate::daemon::{Daemon, ctl};
use crate::on_a_wire::{Appliance, Datagram, PATIENCE, StopOnDrop, datagrams, in_namespaces, send};
use crate::tables::scenario;
use firm::{Firm, SYMBOL};
use scripted::Connection;
use simulator::order_entry::{Behaviour, OrderVenue, OuchVersion, VenueFaults, VenueSetup, VenueTerms};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tests::programs;
use types::Side;
use wire::IntoBytes;
use wire::ouch42::inbound::{EnterOrder, ReplaceOrder};

const LISTEN: &str = "127.0.0.1:5101";
const VENUE: &str = "127.0.0.1:6101";

/// The client and the gateway of the configuration, with its passwords in `dir`.
fn config(dir: &Path, version: OuchVersion, on_disconnect: &str) -> String {
    let protocol = if version == OuchVersion::V50 { "ouch-5.0" } else { "ouch-4.2" };
    std::fs::write(dir.join("firm.pw"), "firmpw\n").unwrap();
    std::fs::write(dir.join("venue.pw"), "venuepw\n").unwrap();
    format!(
        "[client.c1]\nuser = \"root\"\nstrategies = [\"s\"]\naccounts = [\"a\"]\n\
         [[gateway]]\nname = \"g\"\nclient = \"c1\"\nprotocol = \"{protocol}\"\nlisten = \"{LISTEN}\"\nvenue = \"{VENUE}\"\n\
         strategy = \"s\"\naccount = \"a\"\non_disconnect = \"{on_disconnect}\"\n\
         [gateway.soup]\nfirm_username = \"desk1\"\nfirm_password_file = {:?}\nvenue_username = \"ACME01\"\n\
         venue_password_file = {:?}\n",
        dir.join("firm.pw"),
        dir.join("venue.pw")
    )
}

fn venue(version: OuchVersion, behaviour: Behaviour, faults: VenueFaults, seed: u64) -> OrderVenue {
    let terms = VenueTerms {
        version,
        username: "ACME01".to_owned(),
        password: "venuepw".to_owned(),
        session: *b"  20261130",
        behaviour,
        seed,
    };
    let setup = VenueSetup { terms, listen: VENUE.parse().unwrap(), faults };
    OrderVenue::open(setup).unwrap()
}

/// Everything on one host, and a market that is sent.
struct Host {
    appliance: Appliance,
    gateway: Daemon,
    firm: Firm,
    venue: OrderVenue,
    cents: i64,
    _passwords: tempfile::TempDir,
}

impl Host {
    fn start(
        version: OuchVersion,
        (on_disconnect, client, more): (&str, &str, &str),
        cents: i64,
        venue: OrderVenue,
    ) -> Self {
        let passwords = tempfile::tempdir().unwrap();
        let config = config(passwords.path(), version, on_disconnect);
        // Who has other strategies and accounts than one of each says so.
        let one_of_each = "strategies = [\"s\"]\naccounts = [\"a\"]\n";
        let config = if client.contains("strategies") { config.replace(one_of_each, "") } else { config };
        let config = config.replace("[[gateway]]", &format!("{client}[[gateway]]"));
        let appliance = Appliance::start(&format!("{config}{more}"));
        let gateway = start_gateway(&appliance);
        let mut firm = Firm::new(LISTEN.parse::<SocketAddr>().unwrap());
        firm.log = appliance.dir.path().join("gateway");
        firm.is_plain = version == OuchVersion::V42;
        Self { appliance, gateway, firm, venue, cents, _passwords: passwords }
    }

    /// Waits until the gate lets an order out that the venue takes.
    fn first_order(&mut self) -> u32 {
        let end = Instant::now() + PATIENCE;
        loop {
            self.firm.be_connected();
            let number = self.firm.enter(b'B', 10, self.cents - 100);
            let answer = self.firm.answered(number);
            if answer.0 == b'A' {
                return number;
            }
            assert!(Instant::now() < end, "no order passes: {answer:?}\n{}", self.told());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn kill_gateway(&mut self) {
        self.gateway.0.kill().unwrap();
        self.gateway.0.wait().unwrap();
        self.gateway = start_gateway(&self.appliance);
    }

    /// What the gateway told.
    fn told(&self) -> String {
        self.appliance.printed("gateway")
    }

    /// Compares what firm and venue hold, and then the rest.
    fn compare(mut self) {
        let end = Instant::now() + PATIENCE;
        loop {
            self.firm.be_connected();
            self.firm.hear(Duration::from_millis(20));
            let account = self.venue.account();
            let ours = account.positions.get(&SYMBOL).copied().unwrap_or_default();
            let is_settled = self.firm.unanswered.is_empty()
                && self.firm.open.len() == account.open.len()
                && self.firm.position == ours
                && self.untold() == 0;
            if is_settled {
                break;
            }
            let state = || {
                let firm = (&self.firm.unanswered, &self.firm.open, self.firm.position);
                format!("firm {firm:?}, untold {}\nvenue {account:?}\n{}", self.untold(), self.told())
            };
            assert!(Instant::now() < end, "firm and venue differ: {}", state());
        }
        self.compare_daemon();
    }

    /// How much of what the venue said the firm has not been told: each message once and in order; between them only rejects of orders
    /// that never came to it.
    fn untold(&self) -> usize {
        let stream = self.venue.stream();
        let mut expected = stream.iter().filter(|message| message[0] != b'Q').peekable();
        for message in &self.firm.stream {
            if expected.peek().is_some_and(|next| *next == message) {
                expected.next();
            } else {
                assert_eq!(message[0], b'J', "the firm was told what the venue did not say");
            }
        }
        expected.count()
    }

    /// Stops the gateway in order, and compares what daemon and venue hold.
    fn compare_daemon(mut self) {
        let told = self.told();
        terminate(&mut self.gateway, &told);
        println!("{}", self.told().lines().last().unwrap());
        let account = self.venue.account();
        let left: u32 = account.open.values().map(|order| order.left).sum();
        let position = account.positions.get(&SYMBOL).copied().unwrap_or_default();
        let held = holds(&self.appliance);
        let working: u64 = held.1 + held.2;
        assert_eq!((held.0, working), (position, u64::from(left)), "daemon and venue\n{}", self.told());
    }
}

/// Position, working buys and working sells as the daemon gives them to whoever attaches next.
fn holds(appliance: &Appliance) -> (i64, u64, u64) {
    holds_of(appliance, "c1", "s")
}

/// The same of another client.
fn holds_of(appliance: &Appliance, client: &str, strategy: &str) -> (i64, u64, u64) {
    let mut command = Command::new(programs().join("order-process"));
    command.arg(appliance.socket()).arg(client).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "position FUTX {strategy}").unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said: Vec<String> = lines.map(Result::unwrap).collect();
    child.wait().unwrap();
    let numbers: Vec<i64> = said[1].split(' ').map(|word| word.parse().unwrap()).collect();
    (numbers[0], numbers[1] as u64, numbers[2] as u64)
}

fn start_gateway(appliance: &Appliance) -> Daemon {
    start_named(appliance, "g")
}

/// The gateway of another name.
fn start_named(appliance: &Appliance, name: &str) -> Daemon {
    let dir = appliance.dir.path();
    let print = std::fs::File::options().append(true).create(true).open(dir.join("gateway")).unwrap();
    let mut command = Command::new(programs().join("portcullis"));
    command.args(["gateway", "--counters-s", "5", "--config"]).arg(dir.join("portcullis.toml")).arg(name);
    command.stdout(Stdio::from(print.try_clone().unwrap())).stderr(Stdio::from(print));
    Daemon(command.spawn().unwrap())
}

/// SIGTERM: it stops by itself, and well.
fn terminate(gateway: &mut Daemon, told: &str) {
    crate::on_a_wire::sh(&format!("kill -TERM {}", gateway.0.id()));
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = gateway.0.try_wait().unwrap() {
            assert!(status.success(), "{status}: {told}");
            return;
        }
        assert!(Instant::now() < end, "the gateway does not stop: {told}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A market, and a price at which somebody traded in it, in cents.
fn market() -> (Vec<Datagram>, i64) {
    let market = scenario("calm", &["--minutes", "14"]);
    let orders = std::fs::read_to_string(market.path().join("orders.csv")).unwrap();
    let px = orders.lines().filter(|line| line.contains(",FUTX,")).find_map(|line| line.split(',').nth(7));
    (datagrams(&market.path().join("calm.pcap")), px.unwrap().replace('.', "").parse().unwrap())
}

/// Runs `story` on a host while the market is sent, from its first message on: what is halted is said once.
fn on_a_market(version: OuchVersion, on_disconnect: &str, venue: OrderVenue, story: impl FnOnce(Host)) {
    on_a_market_with(version, (on_disconnect, "", ""), venue, story);
}

/// The same, with more of a client and of a configuration.
fn on_a_market_with(
    version: OuchVersion,
    config: (&str, &str, &str),
    venue: OrderVenue,
    story: impl FnOnce(Host),
) {
    let (datagrams, cents) = market();
    let host = Host::start(version, config, cents, venue);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| send(&datagrams, &stop));
        let _stop = StopOnDrop(&stop);
        story(host);
    });
}

#[test]
fn an_order_passes_the_gate_over_ouch_and_a_tripped_breaker_stops_the_next() {
    if !in_namespaces("gateways::an_order_passes_the_gate_over_ouch_and_a_tripped_breaker_stops_the_next") {
        return;
    }
    let venue = venue(OuchVersion::V50, Behaviour::default(), VenueFaults::default(), 1);
    on_a_market(OuchVersion::V50, "cancel\"\non_halt = \"keep", venue, |mut host| {
        let cents = host.cents;
        let first = host.first_order();
        // A partial execution, a replacement, a cancel down to a size, and what is left.
        host.venue.execute(key(first), 4, (cents as u64 - 100) * 100);
        let second = host.firm.replace(first, 30, cents - 101);
        assert_eq!(host.firm.answered(second).0, b'U');
        assert_eq!((host.firm.position, host.firm.open[&second]), (4, 26));
        host.firm.cancel(second, 14);
        host.appliance.wait_until("the order is reduced", || {
            host.firm.hear(Duration::from_millis(5));
            host.firm.open.get(&second) == Some(&10)
        });
        // A trade that is taken back moves the position, and leaves the books in doubt: growth is refused from then on.
        host.venue.bust_last(first, SYMBOL, Side::Bid, 4);
        host.appliance.wait_until("the trade is taken back", || {
            host.firm.hear(Duration::from_millis(5));
            host.firm.position == 0
        });
        let taken = host.venue.account().taken;
        let growth = host.firm.enter(b'B', 10, cents - 100);
        assert_eq!(host.firm.answered(growth), (b'J', 0x0020), "Risk: Aggregate Exposure Exceeded");
        // More than the officer lets out in one order: the protocol's own reject, and nothing at the venue.
        let large = host.firm.enter(b'B', 5_000, cents - 100);
        assert_eq!(host.firm.answered(large), (b'J', 0x0031), "Risk: Max Quantity Exceeded");
        let halted = ctl(&host.appliance.socket(), &["halt", "--reason", "drill"]);
        assert!(halted.status.success(), "{}", String::from_utf8_lossy(&halted.stderr));
        let stopped = host.firm.enter(b'B', 10, cents - 100);
        assert_eq!(host.firm.answered(stopped), (b'J', 0x0007), "Halted");
        assert_eq!(host.venue.account().taken, taken, "nothing was released");
        // A cancel passes while halted; the connection's end cancels the rest.
        assert_eq!(host.venue.account().open.len(), 1);
        host.firm.hang_up();
        host.appliance.wait_until("the firm's orders are cancelled", || host.venue.account().open.is_empty());
        host.compare();
    });
}

/// The firm may lose 50 a day.
const LOSSES: &str = "[firm.limits]\nmax_loss = 50\n";

#[test]
fn what_the_venue_says_an_order_traded_at_counts_into_the_days_loss() {
    if !in_namespaces("gateways::what_the_venue_says_an_order_traded_at_counts_into_the_days_loss") {
        return;
    }
    let venue = venue(OuchVersion::V50, Behaviour::default(), VenueFaults::default(), 1);
    on_a_market_with(OuchVersion::V50, ("keep", "", LOSSES), venue, |mut host| {
        let cents = host.cents;
        let first = host.first_order();
        // Below the market, as its limit says: no loss.
        host.venue.execute(key(first), 4, (cents as u64 - 100) * 100);
        let second = host.firm.enter(b'B', 10, cents - 100);
        assert_eq!(host.firm.answered(second).0, b'A', "{}", host.told());
        // A thousand a share above the market.
        host.venue.execute(key(second), 4, (cents as u64 + 100_000) * 100);
        host.appliance.wait_until("the firm is told", || {
            host.firm.hear(Duration::from_millis(5));
            host.firm.position == 8
        });
        let growth = host.firm.enter(b'B', 10, cents - 100);
        assert_eq!(host.firm.answered(growth), (b'J', 0x000F), "Other: LOSS_FIRM\n{}", host.told());
        let reducing = host.firm.enter(b'S', 2, cents + 100);
        assert_eq!(host.firm.answered(reducing).0, b'A', "{}", host.told());
        assert!(host.venue.account().open.len() == 3, "{:?}", host.venue.account());
        host.firm.hang_up();
        host.compare();
    });
}

fn key(number: u32) -> [u8; 14] {
    let mut key = [0; 14];
    key[..4].copy_from_slice(&number.to_be_bytes());
    key
}

/// A small chance of its own, so that a seed tells the whole story.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Orders, replacements and cancels, while the connection to the venue is cut at random bytes and everything is killed in turn.
fn through_everything(seed: u64, orders: u32) {
    let behaviour = Behaviour { reject: 0.05, fill: 0.3, fill_resting: 0.3, tell_twice: 0.1 };
    let faults = VenueFaults { cut_after_bytes: 3_000, late_ms: 3, segment_bytes: 7 };
    let version = OuchVersion::V50;
    on_a_market(version, "keep", venue(version, behaviour, faults, seed), |mut host| {
        let cents = host.cents;
        host.first_order();
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for at in 0..orders {
            host.firm.be_connected();
            host.firm.segment = 1 + dice.below(60) as usize;
            let known: Vec<u32> = host.firm.open.keys().copied().collect();
            let any = |dice: &mut Dice| known.get(dice.below(known.len().max(1) as u64) as usize).copied();
            let away = 20 + dice.below(40) as i64;
            match (dice.below(100), any(&mut dice)) {
                (0..=19, Some(number)) => {
                    host.firm.replace(number, 1 + dice.below(30) as u32, cents - away);
                }
                (20..=39, Some(number)) => host.firm.cancel(number, dice.below(8) as u32),
                (40..=69, _) => drop(host.firm.enter(b'B', 1 + dice.below(20) as u32, cents - away)),
                _ => drop(host.firm.enter(b'S', 1 + dice.below(20) as u32, cents + away)),
            }
            host.firm.hear(Duration::from_millis(dice.below(12)));
            match dice.below(200) {
                0..=2 => host.kill_gateway(),
                // Once, and late: this market says but once that it trades, so that no order passes after a new start.
                _ if at == orders * 3 / 4 => host.appliance.restart(),
                4..=7 => host.venue.hang_up(),
                8..=11 => host.firm.hang_up(),
                _ => {}
            }
        }
        let account = host.venue.account();
        println!(
            "seed {seed}: {} logins of the firm, {:?}",
            host.firm.logins,
            (account.taken, account.executions)
        );
        assert!(
            account.taken > u64::from(orders) / 8 && account.executions > 10,
            "{account:?}\n{}",
            host.told()
        );
        host.compare();
    });
}

#[test]
fn no_order_is_lost_or_doubled_whatever_is_killed_or_cut() {
    if !in_namespaces("gateways::no_order_is_lost_or_doubled_whatever_is_killed_or_cut") {
        return;
    }
    let seeds = if std::env::var_os("PORTCULLIS_TEST_IN_FULL").is_some() { 1..=20 } else { 1..=1 };
    for seed in seeds {
        through_everything(seed, 400);
    }
}

/// A token of OUCH 4.2.
fn token(name: &str) -> [u8; 14] {
    let mut token = [b' '; 14];
    token[..name.len()].copy_from_slice(name.as_bytes());
    token
}

#[test]
fn ouch_4_2_passes_the_same_gate() {
    if !in_namespaces("gateways::ouch_4_2_passes_the_same_gate") {
        return;
    }
    let version = OuchVersion::V42;
    let venue = venue(version, Behaviour::default(), VenueFaults::default(), 1);
    on_a_market(version, "cancel", venue, |mut host| {
        let price = (host.cents as u32 - 100) * 100;
        let enter = |name: &str, shares: u32| {
            EnterOrder::new(
                token(name),
                b'B',
                shares,
                SYMBOL,
                price,
                99_998,
                *b"FIRM",
                b'Y',
                b'P',
                b'N',
                0,
                b'N',
                b'N',
            )
        };
        // Waits for the next message of a type about a token, which stands at the same place in all of them.
        let heard = |host: &mut Host, kind: u8, name: &str| {
            let end = Instant::now() + PATIENCE;
            loop {
                host.firm.be_connected();
                host.firm.hear(Duration::from_millis(5));
                let is_it = |m: &&Vec<u8>| m[0] == kind && m[9..23] == token(name);
                if let Some(found) = host.firm.stream.iter().rev().find(is_it) {
                    return found.clone();
                }
                assert!(Instant::now() < end, "{} of {name} in vain: {}", char::from(kind), host.told());
            }
        };
        // Under another token each time, until the market is known.
        let first = (0..2_000).map(|n| format!("A{n}")).find(|name| {
            host.firm.be_connected();
            host.firm.write(enter(name, 10).as_bytes());
            host.firm.hear(Duration::from_millis(30));
            host.firm.stream.last().is_some_and(|m| m[0] == b'A' && m[9..23] == token(name))
        });
        let first = first.expect("an order passes");
        host.firm.write(enter(&first, 10).as_bytes());
        host.venue.execute(token(&first), 4, u64::from(price));
        assert_eq!(heard(&mut host, b'E', &first)[23..27], [0, 0, 0, 4]);
        let replace = ReplaceOrder::new(token(&first), token("R1"), 30, price - 100, 99_998, b'Y', b'N', 0);
        host.firm.write(replace.as_bytes());
        assert_eq!(heard(&mut host, b'U', "R1")[24..28], [0, 0, 0, 26]);
        host.firm.write(enter("LARGE", 5_000).as_bytes());
        assert_eq!(heard(&mut host, b'J', "LARGE").last(), Some(&b'Z'), "shares exceed the threshold");
        // Killed and started anew, it knows the order by what it kept; the firm's connection ended with it, so it is cancelled.
        host.kill_gateway();
        heard(&mut host, b'C', "R1");
        let account = host.venue.account();
        assert!(
            account.open.is_empty() && account.positions[&SYMBOL] == 4 && account.ignored == 0,
            "{account:?}"
        );
        host.compare_daemon();
    });
}

#[test]
fn an_answer_to_an_earlier_connections_question_is_not_believed() {
    if !in_namespaces("gateways::an_answer_to_an_earlier_connections_question_is_not_believed") {
        return;
    }
    let passwords = tempfile::tempdir().unwrap();
    let venue = TcpListener::bind(VENUE).unwrap();
    let appliance = Appliance::start(&config(passwords.path(), OuchVersion::V50, "keep"));
    let _gateway = start_gateway(&appliance);
    let mut firm = Firm::new(LISTEN.parse().unwrap());
    firm.log = appliance.dir.path().join("gateway");

    // The venue hears the question, and the connection is lost before the answer is out.
    let (mut first, sequence) = Connection::accept(&venue);
    assert_eq!(sequence, 1);
    first.hear_question();
    drop(first);
    // On the next one it begins with that answer. Whether it heard the new question by then nobody knows.
    let (mut second, sequence) = Connection::accept(&venue);
    assert_eq!(sequence, 1);
    second.hear_question();
    second.next_is(1);
    second.hear_question();
    assert!(second.is_quiet() && !firm.tries(), "the firm is let in upon an old answer");
    second.next_is(8);
    firm.be_connected();
    // What the venue gave before is used: the next number is what the gateway says it is.
    firm.last = 7;
    let number = firm.enter(b'B', 10, 100);
    assert_eq!(firm.answered(number).0, b'J', "the gate knows no such instrument");

    // One question of the second connection was never answered.
    drop(second);
    let (mut third, sequence) = Connection::accept(&venue);
    assert_eq!(sequence, 3);
    third.hear_question();
    third.next_is(8);
    third.hear_question();
    assert!(third.is_quiet(), "each question waits for the answer before it");
}
