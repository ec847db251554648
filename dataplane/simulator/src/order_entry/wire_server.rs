//! The venue's socket: one thread, one client at a time, and what may go wrong between them.

use super::account::Account;
use super::conversation::{Conversation, Door};
use super::exchange::Exchange;
use super::levels::Levels;
use super::venue::VenueTerms;
use crate::random::Dice;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use types::{Side, UnixNanos};

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

/// A venue on TCP.
#[derive(Clone, Debug)]
pub struct VenueSetup {
    /// What it is.
    pub terms: VenueTerms,
    /// Where it listens; port 0 for any that is free.
    pub listen: SocketAddr,
    /// What goes wrong.
    pub faults: VenueFaults,
}

/// The system clock's time.
fn now() -> UnixNanos {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixNanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
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
        let exchange = Arc::new(Mutex::new(setup.terms.exchange()));
        let (stop, hang_up) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let mut server = Server {
            listener,
            exchange: Arc::clone(&exchange),
            stop: Arc::clone(&stop),
            hang_up: Arc::clone(&hang_up),
            dice: Dice::new(setup.terms.seed, 78),
            door: setup.terms.door(),
            faults: setup.faults,
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
        self.exchange().show(now(), symbol, Levels::quote(bid, ask));
    }

    /// `qty` of an open order trade at `price`.
    pub fn execute(&self, token: [u8; 14], qty: u32, price: u64) {
        self.exchange().execute(now(), token, qty, price);
    }

    /// Takes back the last trade there was: of OUCH 5.0's order `number`, of `qty`.
    pub fn bust_last(&self, number: u32, symbol: [u8; 8], side: Side, qty: u32) {
        self.exchange().bust_last(now(), number, (symbol, side, qty));
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
    conversation: Conversation,
    /// When the next message may leave.
    due: Option<Instant>,
    /// Bytes that may still pass, in and out.
    budget: Option<usize>,
}

struct Server {
    listener: TcpListener,
    door: Door,
    faults: VenueFaults,
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
        let budget = match self.faults.cut_after_bytes {
            0 => None,
            bytes => Some(60 + self.dice.below(2 * bytes) as usize),
        };
        self.client = Some(Client { stream, conversation: Conversation::new(now()), due: None, budget });
    }

    /// One round of reading, answering and writing; an error ends the connection.
    fn serve(&mut self, client: &mut Client) -> io::Result<()> {
        let mut bytes = [0; 4_096];
        let most = client.budget.unwrap_or(bytes.len()).clamp(1, bytes.len());
        let read = match client.stream.read(&mut bytes[..most]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                client.spend(read)?;
                read
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
            Err(error) => return Err(error),
        };
        let segment = self.faults.segment_bytes as usize;
        let mut exchange = self.exchange.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = client.conversation.hear(now(), &bytes[..read], (&mut exchange, &self.door));
        if let Err(hang_up) = heard {
            drop(exchange);
            client.write(segment)?;
            return Err(io::Error::other(hang_up));
        }
        let Client { conversation, due, .. } = client;
        conversation.speak(now(), &exchange, || is_due(due, self.faults.late_ms, &mut self.dice));
        drop(exchange);
        client.write(segment)
    }
}

/// Whether the next answer may leave, which waits for up to so many milliseconds.
fn is_due(due: &mut Option<Instant>, late_ms: u32, dice: &mut Dice) -> bool {
    if late_ms > 0 {
        let late = u64::from(dice.below(late_ms + 1));
        let at = *due.get_or_insert_with(|| Instant::now() + Duration::from_millis(late));
        if Instant::now() < at {
            return false;
        }
        *due = None;
    }
    true
}

impl Client {
    /// Takes bytes off what may still pass; an error when nothing may.
    fn spend(&mut self, bytes: usize) -> io::Result<()> {
        let Some(budget) = &mut self.budget else { return Ok(()) };
        *budget = budget.saturating_sub(bytes);
        if *budget == 0 { Err(ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }

    /// Writes what waits, in pieces.
    fn write(&mut self, segment: usize) -> io::Result<()> {
        let segment = if segment == 0 { usize::MAX } else { segment };
        while !self.conversation.output.is_empty() {
            let output = &mut self.conversation.output;
            let most = output.len().min(segment).min(self.budget.unwrap_or(usize::MAX).max(1));
            self.stream.write_all(&output[..most])?;
            output.drain(..most);
            self.spend(most)?;
        }
        Ok(())
    }
}
