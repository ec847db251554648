//! One end of a connection, never waited for: bounded buffers in both directions, counted.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;

/// Bytes that are read ahead at most: many packets of any protocol here.
const INPUT_BYTES: usize = 64 << 10;

/// Bytes that wait to be sent at most; beyond, whoever reads is too slow.
const OUTPUT_BYTES: usize = 256 << 10;

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The other side ended it in order.
    ByPeer,
    /// The system said so: a reset, a path that is gone.
    Broken(ErrorKind),
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByPeer => f.write_str("ended by the other side"),
            Self::Broken(kind) => write!(f, "broken: {kind}"),
        }
    }
}

/// What carries the bytes.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// A pair of sockets of this process: what is written at one end can be read at the other at once, in the same bytes each time.
    Pair(UnixStream),
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        Self::Pair(stream)
    }
}

impl Stream {
    fn never_wait(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true)),
            Self::Pair(stream) => stream.set_nonblocking(true),
        }
    }

    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(room),
            Self::Pair(stream) => stream.read(room),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Pair(stream) => stream.write(bytes),
        }
    }
}

/// A connection.
#[derive(Debug)]
pub struct End {
    stream: Stream,
    input: Box<[u8]>,
    input_from: usize,
    input_to: usize,
    output: Box<[u8]>,
    output_from: usize,
    output_to: usize,
}

impl End {
    /// Makes `stream` one that is never waited for, and whose packets leave at once.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(stream: impl Into<Stream>) -> io::Result<Self> {
        let stream = stream.into();
        stream.never_wait()?;
        Ok(Self {
            stream,
            input: vec![0; INPUT_BYTES].into(),
            input_from: 0,
            input_to: 0,
            output: vec![0; OUTPUT_BYTES].into(),
            output_from: 0,
            output_to: 0,
        })
    }

    /// Whether dropping this resets the connection, so that nothing that still waits in this host can arrive later.
    pub fn reset_on_drop(&self, resets: bool) {
        // A pair has nothing on its way.
        let Stream::Tcp(stream) = &self.stream else { return };
        let linger = resets.then_some(std::time::Duration::ZERO);
        // A system that will not has closed the connection already.
        rustix::net::sockopt::set_socket_linger(stream, linger).ok();
    }

    /// Reads what has come, as far as there is room, and says how many bytes.
    ///
    /// # Errors
    /// [`Closed`]; what was read before stands in [`End::input`].
    pub fn fill(&mut self) -> Result<usize, Closed> {
        if self.input_from > 0 {
            self.input.copy_within(self.input_from..self.input_to, 0);
            self.input_to -= self.input_from;
            self.input_from = 0;
        }
        let Some(room) = self.input.get_mut(self.input_to..).filter(|room| !room.is_empty()) else {
            return Ok(0);
        };
        match self.stream.read(room) {
            Ok(0) => Err(Closed::ByPeer),
            Ok(read) => {
                self.input_to += read;
                Ok(read)
            }
            Err(error) if is_later(&error) => Ok(0),
            Err(error) => Err(Closed::Broken(error.kind())),
        }
    }

    /// What was read and not yet consumed.
    #[must_use]
    pub fn input(&self) -> &[u8] {
        self.input.get(self.input_from..self.input_to).unwrap_or_default()
    }

    /// The first `bytes` of the input are done.
    pub fn consume(&mut self, bytes: usize) {
        self.input_from = self.input_from.saturating_add(bytes).min(self.input_to);
    }

    /// Room for what is to be sent next, `bytes` of it; none while too much waits.
    pub fn room(&mut self, bytes: usize) -> Option<&mut [u8]> {
        if self.output.len() - self.output_to < bytes && self.output_from > 0 {
            self.output.copy_within(self.output_from..self.output_to, 0);
            self.output_to -= self.output_from;
            self.output_from = 0;
        }
        self.output.get_mut(self.output_to..)?.get_mut(..bytes)
    }

    /// The first `bytes` of [`End::room`] were written, and are to be sent.
    pub fn wrote(&mut self, bytes: usize) {
        self.output_to = self.output_to.saturating_add(bytes).min(self.output.len());
    }

    /// Sends what the other side takes, and says how many bytes.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn flush(&mut self) -> Result<usize, Closed> {
        let Some(waiting) = self.output.get(self.output_from..self.output_to).filter(|w| !w.is_empty())
        else {
            return Ok(0);
        };
        let sent = write(&mut self.stream, waiting)?;
        self.output_from += sent;
        if self.output_from == self.output_to {
            (self.output_from, self.output_to) = (0, 0);
        }
        Ok(sent)
    }

    /// Sends of `bytes` what the other side takes now, and says how many: for a session that keeps what waits itself, and so has nothing in
    /// [`End::room`].
    ///
    /// # Errors
    /// [`Closed`].
    pub fn send(&mut self, bytes: &[u8]) -> Result<usize, Closed> {
        debug_assert_eq!(self.waiting(), 0, "what waits goes first");
        if bytes.is_empty() { Ok(0) } else { write(&mut self.stream, bytes) }
    }

    /// Ends the connection in both directions, in order.
    pub fn shut_down(&self) {
        // A system that will not has closed the connection already.
        match &self.stream {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Both).ok(),
            Stream::Pair(stream) => stream.shutdown(Shutdown::Both).ok(),
        };
    }

    /// Bytes that wait to be sent.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.output_to - self.output_from
    }
}

/// Writes what the system takes now.
fn write(stream: &mut Stream, bytes: &[u8]) -> Result<usize, Closed> {
    match stream.write(bytes) {
        Ok(sent) => Ok(sent),
        Err(error) if is_later(&error) => Ok(0),
        Err(error) => Err(Closed::Broken(error.kind())),
    }
}

/// Whether a socket that is not waited for has nothing now.
fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    fn pair() -> (End, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (End::new(listener.accept().unwrap().0).unwrap(), far)
    }

    /// Waits, for a second, until `f` gives something.
    fn soon<T>(mut f: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_secs(5);
        loop {
            if let Some(found) = f() {
                return found;
            }
            assert!(Instant::now() < end, "waited in vain");
        }
    }

    #[test]
    fn bytes_come_in_the_order_they_were_sent_whatever_is_consumed() {
        let (mut end, mut far) = pair();
        far.write_all(b"abcdef").unwrap();
        soon(|| (end.fill().unwrap() > 0 && end.input().len() == 6).then_some(()));
        end.consume(4);
        far.write_all(b"gh").unwrap();
        soon(|| {
            end.fill().unwrap();
            (end.input() == b"efgh").then_some(())
        });
        drop(far);
        assert_eq!(soon(|| end.fill().err()), Closed::ByPeer);
        assert_eq!(end.input(), b"efgh", "what came before the end is kept");
    }

    #[test]
    fn what_a_slow_reader_does_not_take_waits_up_to_the_bound() {
        let (mut end, far) = pair();
        let mut pushed = 0_usize;
        let refused = (0..1_000_000).find(|_| {
            let Some(room) = end.room(1_024) else { return true };
            room.fill(7);
            end.wrote(1_024);
            pushed += 1_024;
            end.flush().unwrap();
            false
        });
        assert!(refused.is_some() && end.waiting() > OUTPUT_BYTES - 1_024, "{} wait", end.waiting());
        // Once it reads again, everything comes.
        far.set_nonblocking(true).unwrap();
        let (mut far, mut got, mut bytes) = (far, 0, [0; 4_096]);
        soon(|| {
            end.flush().unwrap();
            while let Ok(read) = far.read(&mut bytes) {
                assert!(bytes[..read].iter().all(|byte| *byte == 7));
                got += read;
            }
            (got == pushed).then_some(())
        });
    }
}
