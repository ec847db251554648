//! The sockets of the servers that send again what was lost: on a thread of their own, between the receiver's rings and the kernel.
//!
//! The thread moves datagrams and judges nothing: what an answer is worth is arbitration's to say. Each channel has a socket for each
//! server, so that an answer is of the channel that asked, and the kernel lets only the server's own datagrams through.

use super::cpus::housekeeping;
use super::of_feed::named;
use crate::line::link::{Links, RingView};
use crate::line::spec::Pace;
use crate::line::topology::recovery_rings;
use anyhow::{Context, Result};
use control::config::{Feed, Plan};
use dataplane::arbiter::RecoveryConfig;
use dataplane::recovery::{ANSWER_BYTES_MAX, Answer, Ask, RecoveryEnds};
use stage::{RingRx, RingTx};
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use types::Nanos;

/// How long the thread sleeps when there is nothing to move: what a recovered message waits at most on its way.
const NAP: Duration = Duration::from_micros(500);
/// Messages of one request: more than one datagram carries of the shortest, which is all that comes back.
const REQUEST_MESSAGES: u16 = 100;
/// How long an answer may take, to a server across a metropolitan network and back several times over.
const ANSWER_WITHIN: Nanos = Nanos(50_000_000);
/// Requests in a row that a server may leave unanswered.
const TRIES_MAX: u32 = 4;
/// Datagrams taken from one socket before the next one's turn.
const BURST: usize = 64;

/// Packets that may wait for a hole to be filled, on one channel.
pub(super) const WINDOW_PACKETS: usize = 4_096;

/// What arbitration of `feed` is told; none without servers.
pub(super) fn recovery_config(feed: &Feed) -> Option<RecoveryConfig> {
    let servers = u8::try_from(feed.recovery.len()).ok().filter(|servers| *servers > 0)?;
    Some(RecoveryConfig {
        servers,
        request_messages: REQUEST_MESSAGES,
        answer_within: ANSWER_WITHIN,
        tries_max: TRIES_MAX,
        give_up_after: Nanos(u64::from(feed.recovery_ms) * 1_000_000),
        missing_max: feed.recovery_messages.into(),
    })
}

/// One channel's socket to one server.
struct Way {
    channel: u8,
    server: u8,
    socket: UdpSocket,
}

/// The sockets and the cold ends of the rings, not running.
pub(super) struct Sockets {
    ways: Vec<Way>,
    asks: RingRx<Ask>,
    answers: RingTx<Answer>,
    cpus: Vec<usize>,
    /// Both rings, for who asks how full they are.
    pub(super) rings: Vec<RingView>,
}

/// The thread; it ends with this.
pub(super) struct RecoveryThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Opens the sockets of `feed`, and the rings; none without servers.
///
/// # Errors
/// A server that no route leads to.
pub(super) fn open(plan: &Plan, feed: &Feed) -> Result<Option<(Sockets, RecoveryEnds)>> {
    if feed.recovery.is_empty() {
        return Ok(None);
    }
    let mut ways = Vec::new();
    for channel in 0..u8::try_from(feed.line_a.len().max(1)).unwrap_or(u8::MAX) {
        for (server, address) in (0_u8..).zip(&feed.recovery) {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
                socket.connect(address.address())?;
                socket.set_nonblocking(true)?;
                Ok(socket)
            });
            let socket = socket
                .with_context(|| format!("feed {}: recovery server {address} cannot be asked", feed.name))?;
            ways.push(Way { channel, server, socket });
        }
    }
    let (asks, answers) = recovery_rings(plan);
    let links = Links::of(plan, Pace::Live);
    let rings = vec![
        links.asks.shown(named("requests to servers", plan, feed), asks.1.counters()),
        links.server_answers.shown(named("answers of servers", plan, feed), answers.0.counters()),
    ];
    let ends = RecoveryEnds { asks: asks.0, answers: answers.1 };
    Ok(Some((Sockets { ways, asks: asks.1, answers: answers.0, cpus: housekeeping(plan), rings }, ends)))
}

/// What the boot report says of the thread's input.
pub(super) fn described(feed: &Feed, links: &Links) -> Option<String> {
    let servers: Vec<String> = feed.recovery.iter().map(ToString::to_string).collect();
    (!servers.is_empty()).then(|| format!("{} requests to {}", links.asks.depth, servers.join(", ")))
}

impl Sockets {
    /// Gives them their thread.
    ///
    /// # Errors
    /// No thread can be had.
    pub(super) fn start(mut self) -> Result<RecoveryThread> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let run = move || {
            // Where it runs is the system's choice if this fails: the start has tried it for every thread that sleeps.
            let _ = stage::pin_housekeeping(&self.cpus);
            while !stopped.load(Ordering::Relaxed) {
                if !self.turn() {
                    std::thread::sleep(NAP);
                }
            }
        };
        let thread = std::thread::Builder::new().name("recovery".to_owned()).spawn(run);
        let thread = thread.context("cannot start the thread of the recovery servers")?;
        Ok(RecoveryThread { stop, thread: Some(thread) })
    }

    /// Moves what is there; whether there was something.
    fn turn(&mut self) -> bool {
        let Self { ways, asks, answers, .. } = self;
        let mut moved = asks.drain(BURST, |asks| {
            for ask in asks {
                let way = ways.iter().find(|w| (w.channel, w.server) == (ask.channel, ask.request.server));
                // What cannot be sent gets no answer, which is counted and asked again.
                let _ = way.map(|way| way.socket.send(&ask.packet()));
            }
        });
        // One byte more than an answer may have, so that a longer one shows.
        let mut bytes = [0; ANSWER_BYTES_MAX + 1];
        for way in ways {
            for _ in 0..BURST {
                // An error is that there is nothing, or what the network said of a request: no answer either way.
                let Ok(len) = way.socket.recv(&mut bytes) else { break };
                answers.send(&[Answer::new(way.channel, way.server, &bytes[..len])]);
                moved += 1;
            }
        }
        moved > 0
    }
}

impl Drop for RecoveryThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic has been printed, and nothing depends on the thread any more.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dataplane::arbiter::Request;
    use dataplane::session::SessionId;
    use std::time::Instant;
    use wire::moldudp64::{HEADER_LEN, Packet};

    fn plan(servers: &[&UdpSocket]) -> Plan {
        let servers: Vec<String> =
            servers.iter().map(|s| format!("\"udp:{}\"", s.local_addr().unwrap())).collect();
        let feed = format!(
            "feed=[{{ name = \"a\", kind = \"itch50\", source = \"net_null0\", recovery = [{}], recovery_ms = 700 }}]",
            servers.join(", ")
        );
        control::config::load(&[], &[feed]).unwrap()
    }

    fn within_patience<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(Instant::now() < end, "waited in vain: {what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn requests_go_to_their_server_and_its_answers_come_back() {
        let servers = [(); 2].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let plan = plan(&[&servers[0], &servers[1]]);
        let config = recovery_config(&plan.feeds[0]).unwrap();
        assert_eq!((config.servers, config.give_up_after), (2, Nanos(700_000_000)));
        let (sockets, mut ends) = open(&plan, &plan.feeds[0]).unwrap().unwrap();
        let thread = sockets.start().unwrap();
        let request = Request { session: SessionId(*b"SESSION001"), first: 7, count: 9, server: 1 };
        ends.asks.send(&[Ask { channel: 0, request }]);
        let mut bytes = [0; 100];
        let (len, from) = servers[1].recv_from(&mut bytes).unwrap();
        let asked = Packet::parse(&bytes[..len]).unwrap();
        assert_eq!((len, asked.session(), asked.sequence()), (HEADER_LEN, *b"SESSION001", 7));
        assert_eq!(asked.message_count(), 9);
        // A stranger's datagram is the kernel's to drop; one that is too long arrives cut.
        servers[0].send_to(b"stranger", from).unwrap();
        servers[1].send_to(b"answer", from).unwrap();
        servers[1].send_to(&[7; 4_000], from).unwrap();
        let mut heard = Vec::new();
        within_patience("two answers", || {
            ends.answers.drain(9, |answers| {
                heard.extend(answers.iter().map(|a| (a.channel, a.server, a.bytes().to_vec())));
            });
            (heard.len() == 2).then_some(())
        });
        assert_eq!(heard[0], (0, 1, b"answer".to_vec()));
        assert_eq!(heard[1].2.len(), ANSWER_BYTES_MAX);
        drop(thread);
        assert!(ends.asks.is_abandoned(), "the thread has ended");
    }

    #[test]
    fn a_feed_without_servers_has_no_thread() {
        let plan = plan(&[]);
        assert!(open(&plan, &plan.feeds[0]).unwrap().is_none());
        assert_eq!(recovery_config(&plan.feeds[0]), None);
    }
}
