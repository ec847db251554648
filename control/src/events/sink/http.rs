//! As much of HTTP/1.1 (RFC 9112) as a POST takes: one request, one status line.

use crate::deadline::DeadlineStream;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::time::Duration;

/// Longest status line, in bytes.
const LINE_BYTES_MAX: usize = 1_024;

/// Where a POST goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Host and port.
    host: String,
    path: String,
}

impl Target {
    /// `http://HOST:PORT/PATH`, which the configuration has checked.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("http://")?;
        let (host, path) = rest.split_once('/').map_or((rest, String::new()), |(h, p)| (h, p.to_owned()));
        let host = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        Some(Self { host, path: format!("/{path}") })
    }

    /// Posts `body`; gives the status code of the answer.
    ///
    /// # Errors
    /// It cannot be reached, does not answer within `timeout` or answers something else than HTTP.
    pub(super) fn post(&self, body: &[u8], timeout: Duration) -> io::Result<u16> {
        let mut stream = DeadlineStream::connect(&self.host, timeout, LINE_BYTES_MAX)?;
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.path,
            self.host,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat())?;
        let mut line = Vec::new();
        BufReader::new(stream).read_until(b'\n', &mut line)?;
        status(&line).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "the answer is no HTTP"))
    }
}

/// The code of a status line.
fn status(line: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_whitespace();
    words.next().filter(|word| word.starts_with("HTTP/1."))?;
    words.next().filter(|code| code.len() == 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_and_answers() {
        let target = Target::parse("http://127.0.0.1:9093/api/alerts?x=1").unwrap();
        assert_eq!((target.host.as_str(), target.path.as_str()), ("127.0.0.1:9093", "/api/alerts?x=1"));
        assert_eq!(Target::parse("http://pager").unwrap().host, "pager:80");
        assert_eq!(Target::parse("https://pager/x"), None);
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n"), Some(204));
        for no in [&b"HTTP/2 200\r\n"[..], b"", b"HTTP/1.1\r\n", b"HTTP/1.1 2000 x", b"220 smtp\r\n", b"\xff"]
        {
            assert_eq!(status(no), None);
        }
    }
}
