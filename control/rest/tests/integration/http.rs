//! A client of HTTP/1.1 that sends what a test wants, also what no library would.

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long an answer may take on a busy host.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `portcullis-rest`.
pub(crate) struct Rest {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Rest {
    pub(crate) fn start(socket: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis-rest"));
        command.args(["--listen", "127.0.0.1:0", "--host", "risk.example.com", "--socket"]).arg(socket);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut said = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut said).expect("a line");
        let address = said.split(['/', ' ']).nth(2).and_then(|address| address.parse().ok());
        Self { child, address: address.unwrap_or_else(|| panic!("an address: {said:?}")) }
    }

    /// The answer to a GET of `path`.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    /// The answer to `method` on `path` with these header fields beside the host.
    pub(crate) fn ask(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let host = self.address.to_string();
        let fields = [&[("Host", host.as_str())], fields].concat();
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        self.raw(&format!("{method} {path} HTTP/1.1\r\n{fields}Connection: close\r\n\r\n"), method == "HEAD")
    }

    /// The answer to these bytes.
    pub(crate) fn raw(&self, bytes: &str, is_head: bool) -> Answer {
        let mut stream = self.connect();
        stream.write_all(bytes.as_bytes()).expect("it takes a request");
        let mut all = Vec::new();
        BufReader::new(stream).read_to_end(&mut all).expect("an answer");
        Answer::parse(&all, is_head)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        stream
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By name in lower case.
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn parse(all: &[u8], is_head: bool) -> Self {
        let end = all.windows(4).position(|end| end == b"\r\n\r\n").expect("a head");
        let head = std::str::from_utf8(&all[..end]).expect("ASCII");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
        let fields: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let body = all[end + 4..].to_vec();
        if let Some(length) = fields.get("content-length").filter(|_| !is_head && status != 304) {
            assert_eq!(length.parse(), Ok(body.len()), "{head}");
        }
        Self { status, fields, body }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// The stream, as a browser reads it.
pub(crate) struct Stream(BufReader<TcpStream>);

impl Stream {
    pub(crate) fn open(rest: &Rest) -> Self {
        let mut stream = rest.connect();
        write!(stream, "GET /v1/stream HTTP/1.1\r\nHost: {}\r\n\r\n", rest.address)
            .expect("it takes a request");
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        lines.read_line(&mut line).expect("a status");
        assert!(line.contains(" 200 "), "{line}");
        Self(lines)
    }

    /// The next event that has a name, with its data.
    pub(crate) fn next(&mut self) -> (String, Value) {
        let mut name = None;
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).expect("a line") > 0, "the stream ended");
            // Between events stand the heads of the transfer's chunks, which no field begins like.
            if let Some(word) = line.strip_prefix("event: ") {
                name = Some(word.trim_end().to_owned());
            } else if let (Some(data), Some(name)) = (line.strip_prefix("data: "), name.take()) {
                return (name, serde_json::from_str(data).expect("JSON"));
            }
        }
    }

    /// The data of the next event of that name that `is_so` holds of.
    pub(crate) fn until(&mut self, name: &str, mut is_so: impl FnMut(&Value) -> bool) -> Value {
        for _ in 0..1_000 {
            let (found, data) = self.next();
            if found == name && is_so(&data) {
                return data;
            }
        }
        panic!("no {name} among a thousand events");
    }
}
