//! Metrics for Prometheus, served over HTTP on the loopback: what `status -o json` reads, written another way. A scrape touches no stage.
//!
//! Each connection has a thread and a second at most, so that one who says nothing keeps nobody waiting. There are so many at once and no
//! more: of those, the one goes first that has been asking nothing for longest.

mod names;
mod render;
mod table;

pub(crate) use render::Reading;

use crate::deadline::DeadlineStream;
use render::render;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use table::Format;

/// How long one who scrapes may take to ask and to take the answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Longest request, in bytes.
const REQUEST_BYTES_MAX: usize = 8_192;

/// Connections at once.
const SEATS: usize = 16;

/// Where the readings come from.
pub(crate) type Source = Arc<dyn Fn() -> Reading + Send + Sync>;

/// The running listener. Dropping it ends it.
#[derive(Debug)]
pub struct MetricsServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MetricsServer {
    /// Serves what `source` reads at `address`.
    ///
    /// # Errors
    /// The address cannot be had, or a thread.
    pub(crate) fn start(address: SocketAddr, source: Source) -> io::Result<Self> {
        let listener = listen(address)?;
        let (address, stop) = (listener.local_addr()?, Arc::new(AtomicBool::new(false)));
        let theirs = Arc::clone(&stop);
        let seat_all = move || seat_all(&listener, &source, &theirs);
        let thread = thread::Builder::new().name("metrics".to_owned()).spawn(seat_all)?;
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes it; where that fails, the thread ends with the process.
        if TcpStream::connect_timeout(&self.address, TIMEOUT).is_ok() {
            drop(self.thread.take().map(JoinHandle::join));
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let said = |error: io::Error| io::Error::new(error.kind(), format!("metrics.listen {address}: {error}"));
    TcpListener::bind(address).map_err(said)
}

/// Tries `address` as a start would. What it returns speaks against a start now: a daemon that runs has the port.
///
/// # Errors
/// It cannot be had, whoever else runs.
pub fn check(address: SocketAddr) -> io::Result<Option<String>> {
    match listen(address) {
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Ok(Some(format!("{error}; a start now would fail")))
        }
        Err(error) => Err(error),
    }
}

/// A connection that is served.
struct Seat {
    stream: TcpStream,
    /// Its request is there.
    asked: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Seat {
    /// Serves `stream` on a thread of its own; without one, or without a descriptor to end it by, it is hung up on.
    fn take(stream: TcpStream, source: &Source) -> Option<Self> {
        let (theirs, asked, source) =
            (stream.try_clone().ok()?, Arc::new(AtomicBool::new(false)), Arc::clone(source));
        let has_asked = Arc::clone(&asked);
        let mut theirs = DeadlineStream::new(theirs, TIMEOUT, REQUEST_BYTES_MAX);
        let serve = move || {
            // Whoever asks badly or goes away harms nobody else.
            drop(serve(&mut theirs, &has_asked, &source));
            // The seat has the socket, too, until the next one comes.
            drop(theirs.stream().shutdown(Shutdown::Both));
        };
        let thread = thread::Builder::new().name("scrape".to_owned()).spawn(serve).ok()?;
        Some(Self { stream, asked, thread })
    }

    /// Hangs up. It waits for nobody: who is written to or read from then fails at once.
    fn end(self) {
        drop(self.stream.shutdown(Shutdown::Both));
        drop(self.thread.join());
    }
}

/// Lets in whoever comes, until it is told to stop.
fn seat_all(listener: &TcpListener, source: &Source, stop: &AtomicBool) {
    let mut seats: Vec<Seat> = Vec::with_capacity(SEATS);
    while !stop.load(Ordering::Relaxed) {
        let accepted = listener.accept();
        seats.retain(|seat| !seat.thread.is_finished());
        match accepted {
            // Who wakes this thread for its end says nothing.
            Ok(_) if stop.load(Ordering::Relaxed) => {}
            Ok((stream, _)) => {
                if seats.len() == SEATS {
                    // The first come is the first here; who has asked is nearly done.
                    let idle = seats.iter().position(|seat| !seat.asked.load(Ordering::Relaxed));
                    seats.remove(idle.unwrap_or(0)).end();
                }
                seats.extend(Seat::take(stream, source));
            }
            // Descriptors ran out: they may be there again.
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
    seats.into_iter().for_each(Seat::end);
}

/// The head of a request, as far as it came in time.
fn head_of(stream: &mut DeadlineStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut chunk = [0; 1_024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => head.extend_from_slice(&chunk[..n]),
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn serve(stream: &mut DeadlineStream, asked: &AtomicBool, source: &Source) -> io::Result<()> {
    let head = head_of(stream)?;
    asked.store(true, Ordering::Relaxed);
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let accept = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("accept").then(|| value.trim().to_owned())
    });
    let format = Format::accepted(accept.as_deref().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let (status, kind, body) = match (method, path) {
        ("GET" | "HEAD", "/metrics") => ("200 OK", format.content_type(), render(&source(), format)),
        ("GET" | "HEAD", _) => ("404 Not Found", "text/plain", "Metrics are at /metrics.\n".to_owned()),
        _ => ("405 Method Not Allowed", "text/plain", "Only GET is served here.\n".to_owned()),
    };
    let length = body.len();
    let body = if method == "HEAD" { String::new() } else { body };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes())?;
    stream.flush()
}
