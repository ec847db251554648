//! A mirror in Redis: every event in a stream, and the last word on each scope in a hash. Written behind, never read by the gate.
//!
//! The place in the journal stands in Redis itself, written in one transaction with the events up to it: a connection that ends
//! anywhere, or a Redis that comes back without what it had, takes nothing twice and misses nothing that the journal still has.

use super::{Refusal, Sink};
use crate::deadline::DeadlineStream;
use crate::protocol::Event;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long an exchange may take: what is asked and all that is answered.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes of all answers of an exchange: those to a whole batch are a tenth of it.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Answers within an answer.
const DEPTH_MAX: usize = 4;

/// An answer of Redis (RESP version 2).
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Text(Vec<u8>),
    Error(String),
    Number(i64),
    Nothing,
    Many(Vec<Answer>),
}

fn not_redis(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the answer is not Redis's: {what}"))
}

/// Reads one answer.
fn read_answer(from: &mut impl BufRead, depth: usize) -> io::Result<Answer> {
    let mut line = Vec::new();
    from.by_ref().take(4_096).read_until(b'\n', &mut line)?;
    let Some(line) = line.strip_suffix(b"\r\n") else {
        let cut = line.is_empty();
        return Err(if cut { ErrorKind::UnexpectedEof.into() } else { not_redis("a line without an end") });
    };
    let (kind, rest) = line.split_first().ok_or_else(|| not_redis("an empty line"))?;
    let text = || String::from_utf8_lossy(rest).into_owned();
    let number = || text().parse::<i64>().map_err(|_| not_redis("no number"));
    match kind {
        b'+' => Ok(Answer::Text(rest.to_vec())),
        b'-' => Ok(Answer::Error(text())),
        b':' => number().map(Answer::Number),
        b'$' => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Answer::Nothing) };
            if length > ANSWER_BYTES_MAX {
                return Err(not_redis("too long"));
            }
            let mut bytes = vec![0; length + 2];
            from.read_exact(&mut bytes)?;
            bytes.truncate(length);
            Ok(Answer::Text(bytes))
        }
        b'*' => {
            let Ok(count) = usize::try_from(number()?) else { return Ok(Answer::Nothing) };
            if count > 65_536 || depth >= DEPTH_MAX {
                return Err(not_redis("too long"));
            }
            (0..count).map(|_| read_answer(from, depth + 1)).collect::<io::Result<_>>().map(Answer::Many)
        }
        _ => Err(not_redis("of no known kind")),
    }
}

/// Adds one command to what is sent.
fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend(format!("${}\r\n", word.len()).as_bytes());
        out.extend(*word);
        out.extend(b"\r\n");
    }
}

/// A Redis.
pub(in crate::events) struct RedisSink {
    address: String,
    password_file: PathBuf,
    prefix: String,
    stream_max: u32,
    /// Which journal the place in Redis is of.
    journal: String,
    connection: Option<BufReader<DeadlineStream>>,
}

/// What a mirror needs.
pub(in crate::events) struct RedisTerms {
    pub(in crate::events) address: String,
    pub(in crate::events) password_file: PathBuf,
    /// What all keys begin with.
    pub(in crate::events) prefix: String,
    /// Events that the stream keeps, about.
    pub(in crate::events) stream_max: u32,
}

impl RedisSink {
    pub(in crate::events) fn new(terms: RedisTerms, journal: &str) -> Self {
        let RedisTerms { address, password_file, prefix, stream_max } = terms;
        let journal = journal.to_owned();
        Self { address, password_file, prefix, stream_max, journal, connection: None }
    }

    fn connect(&self) -> io::Result<BufReader<DeadlineStream>> {
        let connection = DeadlineStream::connect(&self.address, TIMEOUT, ANSWER_BYTES_MAX)?;
        connection.stream().set_nodelay(true)?;
        Ok(BufReader::new(connection))
    }

    /// Sends commands and reads as many answers; an error among them is one.
    fn ask(&mut self, commands: &[u8], answers: usize) -> io::Result<Vec<Answer>> {
        let connection = self.connection.as_mut().ok_or(ErrorKind::NotConnected)?;
        connection.get_mut().renew(TIMEOUT, ANSWER_BYTES_MAX);
        connection.get_mut().write_all(commands)?;
        let answers: Vec<Answer> =
            (0..answers).map(|_| read_answer(connection, 0)).collect::<io::Result<_>>()?;
        let errors = answers.iter().flat_map(|answer| match answer {
            Answer::Many(inner) => inner.iter().collect(),
            one @ (Answer::Text(_) | Answer::Error(_) | Answer::Number(_) | Answer::Nothing) => vec![one],
        });
        let error = errors.into_iter().find_map(|answer| match answer {
            Answer::Error(why) => Some(why.clone()),
            Answer::Text(_) | Answer::Number(_) | Answer::Nothing | Answer::Many(_) => None,
        });
        error.map_or(Ok(answers), |why| Err(io::Error::other(format!("Redis says {why}"))))
    }

    fn key(&self, rest: &str) -> String {
        format!("{}:{rest}", self.prefix)
    }

    /// One transaction: the events, the last word on their scopes, the place up to which they go. Gives it and its commands.
    fn transaction(&self, events: &[Arc<Event>], newest: u64) -> io::Result<(Vec<u8>, usize)> {
        let (mut out, mut count) = (Vec::new(), 2);
        command(&mut out, &[b"MULTI"]);
        let (stream, most) = (self.key("events"), self.stream_max.to_string());
        for event in events {
            let json = serde_json::to_vec(event.as_ref())?;
            let (seq, severity) = (event.seq.to_string(), event.severity.as_str());
            let words: [&[u8]; 16] = [
                b"XADD",
                stream.as_bytes(),
                b"MAXLEN",
                b"~",
                most.as_bytes(),
                b"*",
                b"seq",
                seq.as_bytes(),
                b"kind",
                event.kind.as_str().as_bytes(),
                b"severity",
                severity.as_bytes(),
                b"scope",
                event.scope.as_bytes(),
                b"event",
                &json,
            ];
            command(&mut out, &words);
            let state = self.key(&format!("state:{}", event.scope));
            let kind = event.kind.as_str();
            let at = event.at.to_string();
            let mut pairs = vec![(kind.to_owned(), event.text.clone())];
            pairs.push((format!("{kind}.severity"), severity.to_owned()));
            pairs.push((format!("{kind}.at"), at));
            pairs.push((format!("{kind}.seq"), seq.clone()));
            let fields = event.fields.iter();
            pairs.extend(fields.map(|(name, value)| (format!("{kind}.{name}"), value.clone())));
            let mut words: Vec<&[u8]> = vec![b"HSET", state.as_bytes()];
            words.extend(pairs.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]));
            command(&mut out, &words);
            count += 2;
        }
        let (place, seq) = (self.key("place"), newest.to_string());
        let words: [&[u8]; 6] =
            [b"HSET", place.as_bytes(), b"journal", self.journal.as_bytes(), b"seq", seq.as_bytes()];
        command(&mut out, &words);
        command(&mut out, &[b"EXEC"]);
        // MULTI, each queued command, EXEC.
        Ok((out, count + 1))
    }
}

impl Sink for RedisSink {
    fn place(&mut self) -> io::Result<Option<u64>> {
        self.connection = None;
        self.connection = Some(self.connect()?);
        if !self.password_file.as_os_str().is_empty() {
            let password = std::fs::read_to_string(&self.password_file)?;
            let mut out = Vec::new();
            command(&mut out, &[b"AUTH", password.trim_end_matches('\n').as_bytes()]);
            // An answer may quote what it was asked.
            self.ask(&out, 1).map_err(|error| io::Error::new(error.kind(), "AUTH was refused"))?;
        }
        let mut out = Vec::new();
        command(&mut out, &[b"HMGET", self.key("place").as_bytes(), b"journal", b"seq"]);
        let answers = self.ask(&out, 1)?;
        let [Answer::Many(pair)] = answers.as_slice() else { return Err(not_redis("no pair")) };
        let (journal, seq) = match pair.as_slice() {
            [Answer::Text(journal), Answer::Text(seq)] => (journal, seq),
            [_, Answer::Nothing] | [Answer::Nothing, _] => return Ok(Some(0)),
            _ => return Err(not_redis("no pair")),
        };
        let seq = std::str::from_utf8(seq).ok().and_then(|seq| seq.parse().ok());
        // Of another journal, or of none: all that there is.
        Ok(Some(seq.filter(|_| *journal == self.journal.as_bytes()).unwrap_or(0)))
    }

    fn send(&mut self, events: &[Arc<Event>], newest: u64) -> Result<(), Refusal> {
        if events.is_empty() {
            return Ok(());
        }
        let (commands, answers) = self.transaction(events, newest)?;
        let answers = self.ask(&commands, answers)?;
        match answers.last() {
            Some(Answer::Many(_)) => Ok(()),
            _ => Err(io::Error::other("Redis did not carry the transaction out").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn read(bytes: &[u8]) -> io::Result<Answer> {
        read_answer(&mut BufReader::new(bytes), 0)
    }

    #[test]
    fn answers_are_read_and_nothing_else_is() {
        assert_eq!(read(b"+OK\r\n").unwrap(), Answer::Text(b"OK".to_vec()));
        assert_eq!(read(b":-7\r\n").unwrap(), Answer::Number(-7));
        assert_eq!(read(b"$-1\r\n").unwrap(), Answer::Nothing);
        assert_eq!(read(b"*-1\r\n").unwrap(), Answer::Nothing);
        let pair = Answer::Many(vec![Answer::Text(b"a\r\n".to_vec()), Answer::Error("ERR no".to_owned())]);
        assert_eq!(read(b"*2\r\n$3\r\na\r\n\r\n-ERR no\r\n").unwrap(), pair);
        let deep = [&b"*1\r\n".repeat(9)[..], b"+x\r\n"].concat();
        let bad: [&[u8]; 9] = [
            b"",
            b"\r\n",
            b"+OK",
            b":x\r\n",
            b"$9\r\nabc",
            b"$99999999\r\n",
            b"*99999999\r\n",
            b"HTTP/1.1 200 OK\r\n",
            &deep,
        ];
        for bytes in bad {
            assert!(read(bytes).is_err(), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn answers_within_answers_are_no_longer_than_one() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answers = std::thread::spawn(move || {
            let (mut to, _) = listener.accept().unwrap();
            // 65,536 answers of 65,536 each.
            drop(to.write_all(b"*65536\r\n"));
            while to.write_all(b"*65536\r\n").and_then(|()| to.write_all(&b":1\r\n".repeat(65_536))).is_ok() {
            }
        });
        let terms =
            RedisTerms { address, password_file: PathBuf::new(), prefix: "risk".to_owned(), stream_max: 1 };
        let mut sink = RedisSink::new(terms, "journal");
        let error = sink.place().unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
        drop(sink);
        answers.join().unwrap();
    }

    #[test]
    fn a_command_says_the_length_of_each_word() {
        let mut out = Vec::new();
        command(&mut out, &[b"GET", b"a b\r\n"]);
        assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$5\r\na b\r\n\r\n");
    }
}
