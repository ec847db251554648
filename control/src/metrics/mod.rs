//! Metrics for Prometheus, served over HTTP on the loopback: what `status -o json` reads, written another way. A scrape touches no stage.
//!
//! One thread answers one scrape after the other; each may take a second at most, and so may the next wait.

mod names;
mod render;
mod table;

pub(crate) use render::Reading;

use crate::deadline::DeadlineStream;
use render::render;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use table::Format;

/// How long one who scrapes may take to ask and to take the answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Longest request, in bytes.
const REQUEST_BYTES_MAX: usize = 8_192;

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
        let listener = TcpListener::bind(address)
            .map_err(|error| io::Error::new(error.kind(), format!("metrics.listen {address}: {error}")))?;
        let (address, stop) = (listener.local_addr()?, Arc::new(AtomicBool::new(false)));
        let theirs = Arc::clone(&stop);
        let answer_all = move || {
            while !theirs.load(Ordering::Relaxed) {
                match listener.accept() {
                    // Whoever asks badly or goes away harms nobody else. Who wakes this thread for its end says nothing.
                    Ok((stream, _)) if !theirs.load(Ordering::Relaxed) => drop(serve(stream, &source)),
                    Ok(_) => {}
                    // Descriptors ran out: they may be there again.
                    Err(_) => thread::sleep(Duration::from_millis(50)),
                }
            }
        };
        let thread = thread::Builder::new().name("metrics".to_owned()).spawn(answer_all)?;
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

fn serve(stream: TcpStream, source: &Source) -> io::Result<()> {
    let mut stream = DeadlineStream::new(stream, TIMEOUT, REQUEST_BYTES_MAX);
    let head = head_of(&mut stream)?;
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
