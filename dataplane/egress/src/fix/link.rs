//! One session over one TCP connection after the other, never waited for.

use crate::fix::session::Close;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;
use types::{Nanos, UnixNanos};

/// Bytes that are read at once.
const READ_BYTES: usize = 64 << 10;

/// How long what waits may take to be sent when a connection is to be closed.
const FLUSH_WAIT: Nanos = Nanos(1_000_000_000);

/// How long the other end may take to accept, and how long to wait before it is tried again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_PAUSE: Nanos = Nanos(200_000_000);

/// A connection, or none.
#[derive(Debug)]
pub(crate) struct Link {
    stream: Option<TcpStream>,
    buffer: Box<[u8]>,
    closing_since: Option<UnixNanos>,
}

impl Link {
    pub(crate) fn new() -> Self {
        Self { stream: None, buffer: vec![0; READ_BYTES].into(), closing_since: None }
    }

    pub(crate) const fn is_connected(&self) -> bool {
        self.stream.is_some()
    }

    /// Takes a connection over; packets leave at once.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn take(&mut self, stream: TcpStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        (self.stream, self.closing_since) = (Some(stream), None);
        Ok(())
    }

    /// What came, if anything did.
    ///
    /// # Errors
    /// [`Close::Lost`].
    pub(crate) fn read(&mut self) -> Result<&[u8], Close> {
        let Some(stream) = &mut self.stream else { return Ok(&[]) };
        match stream.read(&mut self.buffer) {
            Ok(0) => Err(Close::Lost),
            Ok(bytes) => Ok(&self.buffer[..bytes]),
            Err(error) if is_later(&error) => Ok(&[]),
            Err(_) => Err(Close::Lost),
        }
    }

    /// Sends of `waiting` what the system takes; how much that was.
    ///
    /// # Errors
    /// [`Close::Lost`].
    pub(crate) fn write(&mut self, waiting: &[u8]) -> Result<usize, Close> {
        let Some(stream) = self.stream.as_mut().filter(|_| !waiting.is_empty()) else { return Ok(0) };
        match stream.write(waiting) {
            Ok(bytes) => Ok(bytes),
            Err(error) if is_later(&error) => Ok(0),
            Err(_) => Err(Close::Lost),
        }
    }

    /// Whether a connection that is to be closed may be closed now: everything is sent, or has had its time.
    pub(crate) fn has_flushed(&mut self, waiting: &[u8], now: UnixNanos) -> bool {
        let since = *self.closing_since.insert(self.closing_since.unwrap_or(now).min(now));
        waiting.is_empty() || now.since(since) >= FLUSH_WAIT
    }

    /// Closes the connection; where it `resets`, nothing that still waits in this host can arrive later.
    pub(crate) fn close(&mut self, resets: bool) {
        // A system that will not do either has closed the connection already.
        match self.stream.take() {
            Some(stream) if resets => {
                rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).ok();
            }
            Some(stream) => drop(stream.shutdown(Shutdown::Both)),
            None => {}
        }
        self.closing_since = None;
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Connects to one address, again and again, on a thread beside the one that must not wait.
#[derive(Debug)]
pub(crate) struct Connector {
    to: SocketAddr,
    tried_at: Option<UnixNanos>,
    pending: Option<Receiver<io::Result<TcpStream>>>,
}

impl Connector {
    pub(crate) const fn new(to: SocketAddr) -> Self {
        Self { to, tried_at: None, pending: None }
    }

    /// A connection, once there is one; begins to make one where none is being made.
    pub(crate) fn poll(&mut self, now: UnixNanos) -> Option<TcpStream> {
        if let Some(pending) = &self.pending {
            return match pending.try_recv() {
                Err(TryRecvError::Empty) => None,
                answer => {
                    self.pending = None;
                    answer.ok().and_then(Result::ok)
                }
            };
        }
        if self.tried_at.is_some_and(|tried| now >= tried && now.since(tried) < CONNECT_PAUSE) {
            return None;
        }
        self.tried_at = Some(now);
        let (to, (give, take)) = (self.to, sync_channel(1));
        self.pending = Some(take);
        std::thread::spawn(move || {
            // The gateway may have ended meanwhile: then nobody takes it.
            let _ = give.send(TcpStream::connect_timeout(&to, CONNECT_TIMEOUT));
        });
        None
    }
}
