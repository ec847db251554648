//! A venue's re-request server: it sends again, over UDP, what it has sent before, to whoever asks for it by MoldUDP64.
//!
//! Like `order_entry` it runs on a socket and reads a clock. It knows what [`RerequestServer::record`] was given, which is what the
//! venue sent, whatever the lines then lost. It may lose answers, delay them, or lie.
//!
//! Source: MoldUDP64 1.00, "Request Packet": one downstream packet answers, with as many of the messages as fit.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use wire::moldudp64::{Packet, PacketBuilder};

use crate::random::Dice;

/// Bytes of one UDP payload at most: what an Ethernet frame of 1,500 carries.
const PAYLOAD_MAX: usize = 1_472;
/// How long the thread waits for a request before it looks whether an answer is due.
const TURN: Duration = Duration::from_millis(1);

/// How a server lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// It never answers.
    Silence,
    /// It answers of another session.
    Session,
    /// It answers with what was asked for under numbers that are further on.
    Sequence,
    /// It answers with bytes that are no packet.
    Garbage,
}

/// What goes wrong with a server.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RerequestFaults {
    /// Share of the answers that are lost, 0 to 1.
    pub loss: f64,
    /// How late answers are.
    pub delay: Duration,
    /// How it lies, if it does.
    pub lie: Option<Lie>,
    /// Seed of all chance.
    pub seed: u64,
}

/// What the venue has sent: a session, and its messages from number 1 on.
#[derive(Debug, Default)]
struct History {
    session: [u8; 10],
    messages: Vec<Vec<u8>>,
}

/// A server on a thread of its own. It stops with this.
#[derive(Debug)]
pub struct RerequestServer {
    address: SocketAddr,
    history: Arc<Mutex<History>>,
    requests: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl RerequestServer {
    /// Listens at `listen` (port 0 for any that is free), and answers from now on.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(listen: SocketAddr, faults: RerequestFaults) -> io::Result<Self> {
        let socket = UdpSocket::bind(listen)?;
        socket.set_read_timeout(Some(TURN))?;
        let address = socket.local_addr()?;
        let history = Arc::new(Mutex::new(History::default()));
        let (stop, requests) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut server = Server {
            socket,
            history: Arc::clone(&history),
            requests: Arc::clone(&requests),
            faults,
            dice: Dice::new(faults.seed, 79),
            due: Vec::new(),
        };
        let stopped = Arc::clone(&stop);
        let run = move || {
            while !stopped.load(Ordering::Relaxed) {
                server.turn();
            }
        };
        let thread = std::thread::Builder::new().name("rerequest".to_owned()).spawn(run)?;
        Ok(Self { address, history, requests, stop, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests it has had.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Takes note of a packet that the venue sent, once or on several lines.
    pub fn record(&self, payload: &[u8]) {
        let Ok(packet) = Packet::parse(payload) else { return };
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.session = packet.session();
        let known = history.messages.len() as u64;
        for (seq, message) in (packet.sequence()..).zip(packet.messages().map_while(Result::ok)) {
            if seq > known {
                history.messages.push(message.to_vec());
            }
        }
    }
}

impl Drop for RerequestServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed.
            let _ = thread.join();
        }
    }
}

/// The thread's part.
struct Server {
    socket: UdpSocket,
    history: Arc<Mutex<History>>,
    requests: Arc<AtomicU64>,
    faults: RerequestFaults,
    dice: Dice,
    due: Vec<(Instant, SocketAddr, Vec<u8>)>,
}

impl Server {
    /// Takes a request, if one comes, and sends the answers that are due.
    fn turn(&mut self) {
        let mut bytes = [0; PAYLOAD_MAX];
        if let Ok((len, from)) = self.socket.recv_from(&mut bytes) {
            self.requests.fetch_add(1, Ordering::Relaxed);
            let lost = self.dice.chance(self.faults.loss);
            if let Some(answer) = self.answer(&bytes[..len]).filter(|_| !lost) {
                self.due.push((Instant::now() + self.faults.delay, from, answer));
            }
        }
        let now = Instant::now();
        let socket = &self.socket;
        self.due.retain(|(at, to, answer)| {
            // Who has gone hears nothing.
            let _ = (*at <= now).then(|| socket.send_to(answer, to));
            *at > now
        });
    }

    fn answer(&self, request: &[u8]) -> Option<Vec<u8>> {
        let request = Packet::parse(request).ok()?;
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut session, mut first) = (history.session, request.sequence());
        let from = usize::try_from(first).ok()?.checked_sub(1)?;
        let wanted = history.messages.get(from..)?;
        match self.faults.lie {
            None => {}
            Some(Lie::Silence) => return None,
            Some(Lie::Session) => session = *b"ELSEWHERE ",
            Some(Lie::Sequence) => first += 1_000_000,
            Some(Lie::Garbage) => return Some(b"no packet of anybody's".to_vec()),
        }
        if request.session() != history.session || wanted.is_empty() {
            return None;
        }
        let mut buf = [0; PAYLOAD_MAX];
        let mut packet = PacketBuilder::new(&mut buf, session, first).ok()?;
        for message in wanted.iter().take(request.message_count().into()) {
            if !packet.push(message) {
                break;
            }
        }
        let len = packet.finish();
        Some(buf[..len].to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::IntoBytes;
    use wire::moldudp64::Header;

    const SESSION: [u8; 10] = *b"SESSION001";

    fn sent(first: u64, messages: &[&[u8]]) -> Vec<u8> {
        let mut buf = [0; PAYLOAD_MAX];
        let mut packet = PacketBuilder::new(&mut buf, SESSION, first).unwrap();
        messages.iter().for_each(|message| assert!(packet.push(message)));
        let len = packet.finish();
        buf[..len].to_vec()
    }

    /// What a server with these faults answers to a request for messages from `first` on; none within a while.
    fn ask(faults: RerequestFaults, session: [u8; 10], first: u64, count: u16) -> Option<Vec<u8>> {
        let server = RerequestServer::open("127.0.0.1:0".parse().unwrap(), faults).unwrap();
        server.record(&sent(1, &[b"one", b"two"]));
        server.record(&sent(1, &[b"one", b"two"]));
        server.record(&sent(3, &[&[b'x'; 900]]));
        server.record(&sent(4, &[&[b'y'; 900]]));
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        client.send_to(Header::new(session, first, count).as_bytes(), server.address()).unwrap();
        let mut bytes = [0; PAYLOAD_MAX];
        let answer = client.recv(&mut bytes).ok().map(|len| bytes[..len].to_vec());
        assert_eq!(server.requests(), 1);
        answer
    }

    #[test]
    fn it_sends_again_as_much_as_fits() {
        let none = RerequestFaults::default();
        assert_eq!(ask(none, SESSION, 1, 2), Some(sent(1, &[b"one", b"two"])));
        assert_eq!(ask(none, SESSION, 2, 9), Some(sent(2, &[b"two", &[b'x'; 900]])));
        assert_eq!(ask(none, SESSION, 5, 1), None, "that was never sent");
        assert_eq!(ask(none, *b"YESTERDAY ", 1, 1), None);
    }

    #[test]
    fn it_lies_as_it_is_told() {
        let with = |lie| RerequestFaults { lie: Some(lie), ..RerequestFaults::default() };
        assert_eq!(ask(with(Lie::Silence), SESSION, 1, 1), None);
        let head = |answer: Option<Vec<u8>>| {
            let answer = answer.expect("an answer");
            Packet::parse(&answer).map(|packet| (packet.session(), packet.sequence()))
        };
        assert_eq!(head(ask(with(Lie::Session), SESSION, 1, 1)), Ok((*b"ELSEWHERE ", 1)));
        assert_eq!(head(ask(with(Lie::Sequence), SESSION, 1, 1)), Ok((SESSION, 1_000_001)));
        let garbage = ask(with(Lie::Garbage), SESSION, 1, 1).expect("an answer");
        let packet = Packet::parse(&garbage).expect("long enough for a header");
        assert!(packet.messages().any(|message| message.is_err()), "no message of it is whole");
        let lost = RerequestFaults { loss: 1.0, ..RerequestFaults::default() };
        assert_eq!(ask(lost, SESSION, 1, 1), None);
    }
}
