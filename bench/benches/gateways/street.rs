//! A firm, something between, and a venue, each on a thread of its own over loopback.

use crate::desk::Desk;
use bench::gate_rig::{LIMITS, top};
use hdrhistogram::Histogram;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use types::UnixNanos;

/// Instruments of the appliance; orders are in the first one.
const INSTRUMENTS: u32 = 64;

/// Nobody waits longer than that for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a venue understood of what it read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// Order number so much, from 1.
    Order(u32),
    /// A cancel of one.
    Cancel,
    /// Of the session, or nothing that is counted.
    Other,
}

/// A protocol as firm and venue speak it.
pub(crate) trait Speech: Default + Send + 'static {
    /// What the firm logs in with.
    fn login(&mut self) -> Vec<u8>;

    /// Whether what came says that the firm is in.
    fn is_in(&self, heard: &[u8]) -> bool;

    /// Order `number` of the firm's.
    fn order(&mut self, number: u32) -> Vec<u8>;

    /// The venue: takes the first message of `input`, says how long it was and what, and appends its answer. Orders stay open where they
    /// `rest`, and are done at once otherwise.
    fn take(&mut self, input: &[u8], rest: bool, answer: &mut Vec<u8>) -> Option<(usize, Read)>;

    /// The gateway between `listen` and `venue`, under the appliance at `socket`, with its files in `dir`.
    fn gateway(socket: &Path, listen: SocketAddr, venue: SocketAddr, dir: &Path) -> Turns;
}

/// A row of a table: its name, and nanoseconds.
pub(crate) type Row = (String, Histogram<u64>);

/// One turn of a gateway; whether anything came.
pub(crate) type Turns = Box<dyn FnMut(UnixNanos) -> bool>;

/// The wall clock, as gateways take it.
pub(crate) fn now() -> UnixNanos {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    UnixNanos(u64::try_from(since.as_nanos()).expect("before 2554"))
}

/// What all threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    epoch: Instant,
    pub(crate) stop: AtomicBool,
    /// Orders and cancels that the venue has read.
    pub(crate) orders: AtomicU64,
    pub(crate) cancels: AtomicU64,
    /// When it read the last cancel.
    pub(crate) cancelled_at: AtomicU64,
}

impl Shared {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            epoch: Instant::now(),
            stop: AtomicBool::new(false),
            orders: AtomicU64::new(0),
            cancels: AtomicU64::new(0),
            cancelled_at: AtomicU64::new(0),
        })
    }

    /// Nanoseconds since the beginning.
    pub(crate) fn ns(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).expect("a short run")
    }

    pub(crate) fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// An address that is free.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port")
}

/// An appliance with the largest rate and burst that an officer can set: 60,000 orders at once, and 20,000 a second.
pub(crate) fn desk() -> Desk {
    let at = now();
    let quote = |instrument| top(instrument, at);
    Desk::open(INSTRUMENTS, LIMITS, quote, at, |grant| grant.rules.open_orders_max = 1 << 16, 1)
}

/// Takes what a gateway says to its appliance, until all stops.
pub(crate) fn drain(mut desk: Desk, shared: &Arc<Shared>) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        while !shared.stops() {
            desk.drain();
            std::thread::sleep(Duration::from_millis(1));
        }
    })
}

/// Runs a gateway in front of `venue` until all stops; where it listens.
pub(crate) fn run_gateway<S: Speech>(
    socket: &Path,
    venue: SocketAddr,
    shared: &Arc<Shared>,
) -> (SocketAddr, JoinHandle<()>) {
    let (listen, shared, socket) = (free_address(), Arc::clone(shared), socket.to_owned());
    let (opened, wait) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let dir = tempfile::tempdir().expect("a folder");
        let mut turn = S::gateway(&socket, listen, venue, dir.path());
        opened.send(()).expect("somebody waits");
        while !shared.stops() {
            turn(now());
        }
    });
    wait.recv().expect("the gateway is opened");
    (listen, thread)
}

/// Copies bytes between whoever connects and `venue` until all stops; where it listens.
pub(crate) fn run_relay(venue: SocketAddr, shared: &Arc<Shared>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (listen, shared) = (listener.local_addr().expect("a port"), Arc::clone(shared));
    let thread = std::thread::spawn(move || {
        let (near, _) = listener.accept().expect("a firm");
        let far = TcpStream::connect(venue).expect("a venue");
        let mut ends = [end(near), end(far)];
        let mut bytes = vec![0; 64 << 10];
        while !shared.stops() {
            for (from, to) in [(0, 1), (1, 0)] {
                let Some(read) = read_some(&mut ends[from], &mut bytes) else { return };
                write_whole(&mut ends[to], &bytes[..read], &shared);
            }
        }
    });
    (listen, thread)
}

/// A socket that nobody waits for, and whose packets leave at once.
fn end(stream: TcpStream) -> TcpStream {
    stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true)).expect("a socket");
    stream
}

/// What there is to read, which may be nothing; none at the end.
fn read_some(stream: &mut TcpStream, bytes: &mut [u8]) -> Option<usize> {
    match stream.read(bytes) {
        Ok(0) => None,
        Ok(read) => Some(read),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Some(0),
        Err(_) => None,
    }
}

/// Writes all of it, however long that takes.
fn write_whole(stream: &mut TcpStream, mut bytes: &[u8], shared: &Shared) {
    while !bytes.is_empty() && !shared.stops() {
        match stream.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(_) => return,
        }
    }
}

/// When each order was read, by its number.
pub(crate) type ReadAt = Arc<[AtomicU64]>;

/// A venue on `listener` that answers as `S` speaks, until all stops.
pub(crate) fn run_venue<S: Speech>(
    listener: TcpListener,
    rest: bool,
    shared: &Arc<Shared>,
    read_at: &ReadAt,
) -> JoinHandle<()> {
    let (shared, read_at) = (Arc::clone(shared), Arc::clone(read_at));
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody connects");
        let (mut stream, mut speech) = (end(stream), S::default());
        let (mut input, mut bytes, mut answer) = (Vec::new(), vec![0; 64 << 10], Vec::new());
        while !shared.stops() {
            let Some(read) = read_some(&mut stream, &mut bytes) else { break };
            let at = shared.ns();
            input.extend_from_slice(&bytes[..read]);
            let mut taken = 0;
            while let Some((length, what)) = speech.take(&input[taken..], rest, &mut answer) {
                taken += length;
                match what {
                    Read::Order(number) => {
                        if let Some(place) = read_at.get(number as usize) {
                            place.store(at, Ordering::Relaxed);
                        }
                        shared.orders.fetch_add(1, Ordering::Release);
                    }
                    Read::Cancel => {
                        shared.cancelled_at.store(at, Ordering::Relaxed);
                        shared.cancels.fetch_add(1, Ordering::Release);
                    }
                    Read::Other => {}
                }
            }
            input.drain(..taken);
            write_whole(&mut stream, &answer, &shared);
            answer.clear();
        }
    })
}

/// A firm that is logged in.
pub(crate) struct Firm<S> {
    stream: TcpStream,
    speech: S,
    bytes: Vec<u8>,
}

impl<S: Speech> Firm<S> {
    /// Logs in at `to`.
    pub(crate) fn log_in(to: SocketAddr) -> Self {
        let deadline = Instant::now() + PATIENCE;
        let mut speech = S::default();
        let stream = loop {
            match TcpStream::connect(to) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < deadline, "{to}: {error}"),
            }
        };
        let mut firm = Self { stream: end(stream), bytes: vec![0; 64 << 10], speech: S::default() };
        firm.stream.write_all(&speech.login()).expect("a socket");
        firm.speech = speech;
        let mut heard = Vec::new();
        while !firm.speech.is_in(&heard) {
            assert!(Instant::now() < deadline, "{to} lets nobody in: {}", heard.escape_ascii());
            let read = read_some(&mut firm.stream, &mut firm.bytes).expect("a connection that lasts");
            heard.extend_from_slice(&firm.bytes[..read]);
        }
        firm
    }

    /// The bytes of an order.
    pub(crate) fn order(&mut self, number: u32) -> Vec<u8> {
        self.speech.order(number)
    }

    /// Sends `bytes`; what comes meanwhile is read.
    pub(crate) fn send(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("the firm's connection: {error}"),
            }
            self.hear();
        }
    }

    /// Sends orders from `number` on, one after the other, until the venue has read one; the number of the next one.
    pub(crate) fn begin(&mut self, mut number: u32, shared: &Shared) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        while shared.orders.load(Ordering::Acquire) == 0 {
            assert!(Instant::now() < deadline, "no order passes");
            let order = self.order(number);
            self.send(&order);
            number += 1;
            let pause = Instant::now() + Duration::from_millis(50);
            while shared.orders.load(Ordering::Acquire) == 0 && Instant::now() < pause {
                self.hear();
            }
        }
        number
    }

    /// Reads what came, and forgets it.
    pub(crate) fn hear(&mut self) {
        read_some(&mut self.stream, &mut self.bytes).expect("a connection that lasts");
    }
}
