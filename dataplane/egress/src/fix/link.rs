//! One session over one TCP connection after the other, never waited for.

use crate::fix::session::{Close, Session};
use crate::socket::{Closed, End};
use std::io;
use std::net::TcpStream;
use types::{Nanos, UnixNanos};

/// How long what waits may take to be sent when a connection is to be closed.
const FLUSH_WAIT: Nanos = Nanos(1_000_000_000);

/// A connection, or none. What waits to be sent is the session's own, which knows what of it may be cut.
#[derive(Debug, Default)]
pub(crate) struct Link {
    end: Option<End>,
    closing_since: Option<UnixNanos>,
}

impl Link {
    pub(crate) const fn is_connected(&self) -> bool {
        self.end.is_some()
    }

    /// Takes a connection over; packets leave at once.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn take(&mut self, stream: TcpStream) -> io::Result<()> {
        (self.end, self.closing_since) = (Some(End::new(stream)?), None);
        Ok(())
    }

    /// What came since the last call, if anything did.
    ///
    /// # Errors
    /// [`Close::Lost`].
    pub(crate) fn read(&mut self) -> Result<&[u8], Close> {
        let Some(end) = &mut self.end else { return Ok(&[]) };
        end.consume(end.input().len());
        end.fill().map_err(lost)?;
        Ok(end.input())
    }

    /// Sends of `waiting` what the system takes; how much that was.
    ///
    /// # Errors
    /// [`Close::Lost`].
    pub(crate) fn write(&mut self, waiting: &[u8]) -> Result<usize, Close> {
        self.end.as_mut().map_or(Ok(0), |end| end.send(waiting).map_err(lost))
    }

    /// Sends what waits of `session`.
    ///
    /// # Errors
    /// Why the connection is to be closed now.
    pub(crate) fn flush(&mut self, session: &mut Session, now: UnixNanos) -> Result<(), Close> {
        let sent = self.write(session.waiting())?;
        session.taken(sent);
        match session.closing() {
            Some(why) if self.has_flushed(session.waiting(), now) => Err(why),
            _ => Ok(()),
        }
    }

    /// Whether a connection that is to be closed may be closed now: everything is sent, or has had its time.
    fn has_flushed(&mut self, waiting: &[u8], now: UnixNanos) -> bool {
        let since = *self.closing_since.insert(self.closing_since.unwrap_or(now).min(now));
        waiting.is_empty() || now.since(since) >= FLUSH_WAIT
    }

    /// Closes the connection; where it `resets`, nothing that still waits in this host can arrive later.
    pub(crate) fn close(&mut self, resets: bool) {
        match self.end.take() {
            Some(end) if resets => end.reset_on_drop(true),
            Some(end) => end.shut_down(),
            None => {}
        }
        self.closing_since = None;
    }
}

/// However the other side went, its session is not over.
const fn lost(_: Closed) -> Close {
    Close::Lost
}
