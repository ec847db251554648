//! One session over one TCP connection after the other, never waited for.

use crate::fix::session::Close;
use crate::socket::is_later;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;
use types::{Nanos, UnixNanos};

/// Bytes that are read at once.
const READ_BYTES: usize = 64 << 10;

/// How long what waits may take to be sent when a connection is to be closed.
const FLUSH_WAIT: Nanos = Nanos(1_000_000_000);

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
