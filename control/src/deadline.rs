//! A TCP stream that ends by itself: whoever is at the other end, and however slowly it trickles, one exchange takes as long as it was
//! given and brings as many bytes, and no more. A time limit on each read alone is none: a byte each time keeps it for ever.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// A stream within what an exchange may take.
#[derive(Debug)]
pub(crate) struct DeadlineStream {
    stream: TcpStream,
    until: Instant,
    /// Bytes that may still be read.
    left: usize,
}

impl DeadlineStream {
    /// `stream`, for one exchange of `within` and `bytes` to read.
    pub(crate) fn new(stream: TcpStream, within: Duration, bytes: usize) -> Self {
        Self { stream, until: Instant::now() + within, left: bytes }
    }

    /// Connects to the first address of `host`, which has a port, that takes it, and begins the first exchange.
    ///
    /// # Errors
    /// None takes it within `within`, for all of them together. How long a name takes to be looked up is the resolver's.
    pub(crate) fn connect(host: &str, within: Duration, bytes: usize) -> io::Result<Self> {
        let until = Instant::now() + within;
        let addresses: Vec<SocketAddr> = host.to_socket_addrs()?.collect();
        let mut last = io::Error::new(ErrorKind::NotFound, format!("{host}: no such host"));
        for address in addresses {
            match remaining(until).and_then(|left| TcpStream::connect_timeout(&address, left)) {
                Ok(stream) => return Ok(Self { stream, until, left: bytes }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Begins another exchange.
    pub(crate) fn renew(&mut self, within: Duration, bytes: usize) {
        self.until = Instant::now() + within;
        self.left = bytes;
    }

    /// The stream itself.
    pub(crate) const fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

fn remaining(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

impl Read for DeadlineStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::new(ErrorKind::InvalidData, "the answer is too long"));
        }
        self.stream.set_read_timeout(Some(remaining(self.until)?))?;
        let wanted = buf.len().min(self.left);
        let read = self.stream.read(&mut buf[..wanted])?;
        self.left -= read;
        Ok(read)
    }
}

impl Write for DeadlineStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(remaining(self.until)?))?;
        self.stream.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    const SHORT: Duration = Duration::from_millis(300);

    /// A stream to somebody who does `what` with the other end.
    fn with(what: impl FnOnce(TcpStream) + Send + 'static, bytes: usize) -> DeadlineStream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        thread::spawn(move || what(listener.accept().unwrap().0));
        DeadlineStream::connect(&host, SHORT, bytes).unwrap()
    }

    #[test]
    fn one_who_trickles_is_left_when_the_time_is_over() {
        let trickle = |mut to: TcpStream| {
            while to.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(10));
            }
        };
        let error = with(trickle, usize::MAX).read_to_end(&mut Vec::new()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock), "{error}");
    }

    #[test]
    fn one_who_reads_nothing_is_left_too() {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let mut to = with(move |held| drop((ended.recv(), held)), 0);
        let error = to.write_all(&vec![0; 64 << 20]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock), "{error}");
        drop(end);
    }

    #[test]
    fn an_answer_may_be_as_long_as_was_said_and_each_exchange_begins_anew() {
        let mut from = with(|mut to| drop(to.write_all(&[b'x'; 25])), 10);
        let mut read = [0; 10];
        from.read_exact(&mut read).unwrap();
        assert_eq!(from.read(&mut read).unwrap_err().kind(), ErrorKind::InvalidData);
        from.renew(SHORT, 15);
        from.read_exact(&mut read).unwrap();
        from.read_exact(&mut read[..5]).unwrap();
    }
}
