//! The venue's socket: one thread, one client at a time, and what may go wrong between them.

use super::account::Account;
use super::exchange::{Behaviour, Exchange};
use super::speech::OuchVersion;
use crate::random::Dice;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use types::Side;
use wire::soupbin::{
    self, LoginAccepted, LoginRejected, LoginRequest, NO_SUCH_SESSION, NOT_AUTHORIZED, Packet, SEQUENCED,
    SERVER_HEARTBEAT, UNSEQUENCED,
};
use wire::{FromBytes, IntoBytes};

/// What goes wrong, all by seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VenueFaults {
    /// The connection ends after about so many bytes in either direction, wherever that is in a packet; 0 for never.
    pub cut_after_bytes: u32,
    /// An answer waits for up to so many milliseconds.
    pub late_ms: u32,
    /// Answers leave in pieces of at most so many bytes; 0 for whole.
    pub segment_bytes: u32,
}

/// What a venue is.
#[derive(Clone, Debug)]
pub struct VenueSetup {
    /// What it speaks.
    pub version: OuchVersion,
    /// Where it listens; port 0 for any that is free.
    pub listen: SocketAddr,
    /// Who may log in.
    pub username: String,
    /// With which password.
    pub password: String,
    /// Its session.
    pub session: [u8; 10],
    /// What becomes of orders.
    pub behaviour: Behaviour,
    /// What goes wrong.
    pub faults: VenueFaults,
    /// Of all chance.
    pub seed: u64,
}

/// A venue on a thread of its own. It stops with this.
#[derive(Debug)]
pub struct OrderVenue {
    address: SocketAddr,
    exchange: Arc<Mutex<Exchange>>,
    stop: Arc<AtomicBool>,
    hang_up: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl OrderVenue {
    /// Listens, and takes orders from now on.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(setup: VenueSetup) -> io::Result<Self> {
        let listener = TcpListener::bind(setup.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let exchange = Arc::new(Mutex::new(Exchange::new(setup.version, setup.behaviour, setup.seed)));
        let (stop, hang_up) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let mut server = Server {
            listener,
            exchange: Arc::clone(&exchange),
            stop: Arc::clone(&stop),
            hang_up: Arc::clone(&hang_up),
            dice: Dice::new(setup.seed, 78),
            setup,
            client: None,
        };
        let thread = std::thread::Builder::new().name("venue".to_owned()).spawn(move || server.run())?;
        Ok(Self { address, exchange, stop, hang_up, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    fn exchange(&self) -> std::sync::MutexGuard<'_, Exchange> {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it knows.
    #[must_use]
    pub fn account(&self) -> Account {
        self.exchange().account.clone()
    }

    /// Everything it ever sent, in sequence.
    #[must_use]
    pub fn stream(&self) -> Vec<Vec<u8>> {
        self.exchange().stream.clone()
    }

    /// Sets bid and offer of a symbol, in 1e-4; what rests and crosses them trades.
    pub fn quote(&self, symbol: [u8; 8], bid: u64, ask: u64) {
        self.exchange().quote(symbol, bid, ask);
    }

    /// `qty` of an open order trade at `price`.
    pub fn execute(&self, token: [u8; 14], qty: u32, price: u64) {
        self.exchange().execute(token, qty, price);
    }

    /// Takes back the last trade there was: of OUCH 5.0's order `number`, of `qty`.
    pub fn bust_last(&self, number: u32, symbol: [u8; 8], side: Side, qty: u32) {
        self.exchange().bust_last(number, symbol, side, qty);
    }

    /// Ends the client's connection now.
    pub fn hang_up(&self) {
        self.hang_up.store(true, Ordering::Relaxed);
    }
}

impl Drop for OrderVenue {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

/// A connection.
struct Client {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Messages of the stream that were sent; none before the login.
    next: Option<usize>,
    /// When the next message may leave.
    due: Option<Instant>,
    sent_at: Instant,
    /// Bytes that may still pass, in and out.
    budget: Option<usize>,
}

struct Server {
    listener: TcpListener,
    setup: VenueSetup,
    exchange: Arc<Mutex<Exchange>>,
    stop: Arc<AtomicBool>,
    hang_up: Arc<AtomicBool>,
    dice: Dice,
    client: Option<Client>,
}

impl Server {
    fn run(&mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            if let Ok((stream, _)) = self.listener.accept() {
                self.connect(stream);
            }
            if self.hang_up.swap(false, Ordering::Relaxed) {
                self.client = None;
            }
            let Some(mut client) = self.client.take() else {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            };
            if self.serve(&mut client).is_ok() {
                self.client = Some(client);
            } else {
                client.stream.shutdown(Shutdown::Both).ok();
            }
        }
    }

    /// A new connection takes the place of the one before.
    fn connect(&mut self, stream: TcpStream) {
        let blocking = stream.set_nonblocking(false);
        let timed = stream.set_read_timeout(Some(Duration::from_micros(500)));
        if blocking.and(timed).and(stream.set_nodelay(true)).is_err() {
            return;
        }
        let budget = match self.setup.faults.cut_after_bytes {
            0 => None,
            bytes => Some(60 + self.dice.below(2 * bytes) as usize),
        };
        let (input, output) = (Vec::new(), Vec::new());
        self.client =
            Some(Client { stream, input, output, next: None, due: None, sent_at: Instant::now(), budget });
    }

    /// One round of reading, answering and writing; an error ends the connection.
    fn serve(&mut self, client: &mut Client) -> io::Result<()> {
        let mut bytes = [0; 4_096];
        let most = client.budget.unwrap_or(bytes.len()).clamp(1, bytes.len());
        match client.stream.read(&mut bytes[..most]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                client.spend(read)?;
                client.input.extend_from_slice(&bytes[..read]);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        while let Some((packet, used)) = Packet::parse(&client.input, 1_000).map_err(io::Error::other)? {
            let (packet_type, body) = (packet.packet_type(), packet.body().to_vec());
            client.input.drain(..used);
            self.take(client, packet_type, &body)?;
        }
        self.answer(client);
        client.write(self.setup.faults.segment_bytes as usize)
    }

    fn take(&mut self, client: &mut Client, packet_type: u8, body: &[u8]) -> io::Result<()> {
        match packet_type {
            LoginRequest::TYPE => {
                let login = LoginRequest::read_from_bytes(body).map_err(|_| ErrorKind::InvalidData)?;
                self.log_in(client, &login)
            }
            UNSEQUENCED if client.next.is_some() => {
                let mut exchange = self.exchange.lock().unwrap_or_else(PoisonError::into_inner);
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                exchange.now_ns = u64::try_from(since.as_nanos() % 86_400_000_000_000).unwrap_or_default();
                exchange.take(&body[1..]);
                Ok(())
            }
            soupbin::LOGOUT => Err(ErrorKind::ConnectionAborted.into()),
            _ => Ok(()),
        }
    }

    fn log_in(&self, client: &mut Client, login: &LoginRequest) -> io::Result<()> {
        let text = |field: &[u8]| String::from_utf8_lossy(field).trim().to_owned();
        let setup = &self.setup;
        let asked = text(&login.session);
        let refusal = if text(&login.username) != setup.username || text(&login.password) != setup.password {
            Some(NOT_AUTHORIZED)
        } else {
            (!asked.is_empty() && asked != text(&setup.session)).then_some(NO_SUCH_SESSION)
        };
        if let Some(reason) = refusal {
            client.packet(LoginRejected::TYPE, &[reason]);
            client.write(0)?;
            return Err(ErrorKind::PermissionDenied.into());
        }
        let known = self.exchange.lock().unwrap_or_else(PoisonError::into_inner).stream.len() as u64;
        let next = match login.sequence.get() {
            Some(0) | None => known + 1,
            Some(sequence) => sequence.min(known + 1),
        };
        client.next = usize::try_from(next - 1).ok();
        client.packet(LoginAccepted::TYPE, &LoginAccepted::new(setup.session, next).as_bytes()[1..]);
        Ok(())
    }

    /// Puts what is due of the stream into the client's buffer.
    fn answer(&mut self, client: &mut Client) {
        let Some(next) = client.next else { return };
        let exchange = self.exchange.lock().unwrap_or_else(PoisonError::into_inner);
        let mut at = next;
        while let Some(message) = exchange.stream.get(at) {
            if self.setup.faults.late_ms > 0 {
                let late = u64::from(self.dice.below(self.setup.faults.late_ms + 1));
                let due = *client.due.get_or_insert_with(|| Instant::now() + Duration::from_millis(late));
                if Instant::now() < due {
                    break;
                }
                client.due = None;
            }
            client.packet(SEQUENCED, message);
            at += 1;
        }
        client.next = Some(at);
        if client.sent_at.elapsed() > Duration::from_secs(1) {
            client.packet(SERVER_HEARTBEAT, &[]);
        }
    }
}

impl Client {
    fn packet(&mut self, packet_type: u8, payload: &[u8]) {
        let mut room = [0; 1_100];
        let bytes = soupbin::write(packet_type, payload, &mut room).unwrap_or_default();
        self.output.extend_from_slice(&room[..bytes]);
        self.sent_at = Instant::now();
    }

    /// Takes bytes off what may still pass; an error when nothing may.
    fn spend(&mut self, bytes: usize) -> io::Result<()> {
        let Some(budget) = &mut self.budget else { return Ok(()) };
        *budget = budget.saturating_sub(bytes);
        if *budget == 0 { Err(ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }

    /// Writes what waits, in pieces.
    fn write(&mut self, segment: usize) -> io::Result<()> {
        let segment = if segment == 0 { usize::MAX } else { segment };
        while !self.output.is_empty() {
            let most = self.output.len().min(segment).min(self.budget.unwrap_or(usize::MAX).max(1));
            self.stream.write_all(&self.output[..most])?;
            self.output.drain(..most);
            self.spend(most)?;
        }
        Ok(())
    }
}
