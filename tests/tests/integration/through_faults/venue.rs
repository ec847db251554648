//! The venue: a capture sent as it was, until something goes wrong.

use crate::on_a_wire::{Datagram, VENUE};
use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wire::moldudp64::{END_OF_SESSION, HEADER_LEN, HEARTBEAT, Header, Packet};
use wire::{FromBytes, IntoBytes};

/// Until when the market is sent faster than it was: the books have warmed up then.
const OPENING: Duration = Duration::from_secs(11);

/// How much faster; no event is then more than ten seconds ahead of its arrival.
const OPENING_SPEED: u32 = 4;

/// Where in a block the stamp of its message stands: behind its length, its type and two numbers.
const STAMP_AT: usize = 2 + 1 + 2 + 2;

/// The group of the B line.
const LINE_B: [u8; 4] = [239, 192, 12, 2];

/// What the venue is told.
pub(super) enum Act {
    /// Nothing is sent from now on, or what comes next is.
    Silent(bool),
    /// What comes from now on happened so long ago by its own stamps, as out of a full buffer.
    Late(Duration),
    /// The B line brings nothing any more, or does.
    LineBDead(bool),
    /// The next packet with messages says an impossible time in its first, on both lines.
    StampOutlier,
    /// Somebody else sends one datagram on the A line, made from the header of the last one.
    Forge(fn(&Header) -> Header),
    /// So many datagrams come without a pause.
    AtOnce(usize),
}

/// A heartbeat of a session that is not this one.
pub(super) fn another_session(_: &Header) -> Header {
    Header::new(*b"000000FAKE", 1, HEARTBEAT)
}

/// A heartbeat far ahead.
pub(super) fn a_jump(last: &Header) -> Header {
    Header::new(last.session, last.sequence.get() + 1_000_000, HEARTBEAT)
}

/// The end of this session, now.
pub(super) fn an_end(last: &Header) -> Header {
    Header::new(last.session, last.sequence.get() + u64::from(last.count.get()), END_OF_SESSION)
}

/// The venue on its thread. It stops with this.
pub(super) struct Venue {
    acts: Option<Sender<Act>>,
    thread: Option<JoinHandle<()>>,
}

impl Venue {
    pub(super) fn open(datagrams: Vec<Datagram>) -> Self {
        let (acts, told) = channel();
        let thread = std::thread::spawn(move || Sending::new(told).send(&datagrams));
        Self { acts: Some(acts), thread: Some(thread) }
    }

    pub(super) fn act(&self, act: Act) {
        self.acts.as_ref().expect("open").send(act).expect("the capture has ended");
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        self.acts = None;
        self.thread.take().map(JoinHandle::join);
    }
}

/// What the thread knows.
struct Sending {
    told: Receiver<Act>,
    socket: UdpSocket,
    silent: bool,
    /// Since when, and how long it was silent in all: its market stood still as long, and goes on with the times of now.
    silent_since: Option<Instant>,
    stood_still: Duration,
    late: Duration,
    /// By how much packets were moved whose copies are still to come, by number.
    moved: BTreeMap<u64, [u64; 2]>,
    line_b_dead: bool,
    /// Whether a stamp is to be wrong, and in the packet of which sequence number, once that is known.
    outlier: Option<Option<u64>>,
    at_once: usize,
    /// What somebody else sends next.
    forgery: Option<fn(&Header) -> Header>,
    /// The A line's last header.
    last: Option<Header>,
}

impl Sending {
    fn new(told: Receiver<Act>) -> Self {
        let socket = UdpSocket::bind(VENUE).unwrap();
        Self {
            told,
            socket,
            silent: false,
            silent_since: None,
            stood_still: Duration::ZERO,
            late: Duration::ZERO,
            moved: BTreeMap::new(),
            line_b_dead: false,
            outlier: None,
            at_once: 0,
            forgery: None,
            last: None,
        }
    }

    fn send(&mut self, datagrams: &[Datagram]) {
        let first = datagrams[0].ts_ns;
        let (mut due, mut before) = (Instant::now(), first);
        for Datagram { ts_ns, to, payload } in datagrams {
            let speed = if Duration::from_nanos(ts_ns - first) < OPENING { OPENING_SPEED } else { 1 };
            due += Duration::from_nanos(ts_ns - before) / speed;
            before = *ts_ns;
            if !self.wait(&mut due) {
                return;
            }
            let is_b = to.ip().octets() == LINE_B;
            if !is_b {
                self.last = Header::read_from_prefix(payload).ok().map(|(header, _)| header);
            }
            if is_b && self.line_b_dead {
                continue;
            }
            let mut payload = payload.clone();
            self.move_times(&mut payload);
            self.spoil(&mut payload);
            self.socket.send_to(&payload, to).unwrap();
            if let (Some(forge), Some(last)) = (self.forgery.take_if(|_| !is_b), &self.last) {
                self.socket.send_to(forge(last).as_bytes(), to).unwrap();
            }
        }
    }

    /// Waits until `due` and does what is told meanwhile; false when the venue closes.
    fn wait(&mut self, due: &mut Instant) -> bool {
        loop {
            if self.at_once > 0 {
                self.at_once -= 1;
                *due = Instant::now();
                return true;
            }
            let early = due.saturating_duration_since(Instant::now());
            let told = if self.silent {
                self.told.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                self.told.recv_timeout(early)
            };
            match told {
                Ok(act) => self.hear(act, due),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    fn hear(&mut self, act: Act, due: &mut Instant) {
        match act {
            Act::Silent(silent) => {
                self.silent = silent;
                *due = Instant::now();
                if silent {
                    self.silent_since = Some(*due);
                } else if let Some(since) = self.silent_since.take() {
                    self.stood_still += *due - since;
                }
            }
            Act::Late(late) => self.late = late,
            Act::LineBDead(dead) => self.line_b_dead = dead,
            Act::StampOutlier => self.outlier = Some(None),
            Act::Forge(forge) => self.forgery = Some(forge),
            Act::AtOnce(count) => self.at_once = count,
        }
    }

    /// Moves the time of every message on by how long the market stood still, and back by how late it is: a copy as the packet that
    /// came first.
    fn move_times(&mut self, payload: &mut [u8]) {
        let Ok(packet) = Packet::parse(payload) else { return };
        if packet.message_count() == 0 {
            return;
        }
        let now = [self.stood_still, self.late].map(|by| u64::try_from(by.as_nanos()).unwrap());
        let first = self.moved.remove(&packet.sequence());
        if first.is_none() {
            self.moved.insert(packet.sequence(), now);
        }
        let ([on, back], mut at) = (first.unwrap_or(now), HEADER_LEN);
        while let Some(length) = payload.get(at..at + 2).filter(|_| on != back) {
            let next = at + 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
            let stamp = &mut payload[at + STAMP_AT..at + STAMP_AT + 6];
            let ns = stamp.iter().fold(0, |ns, byte| ns << 8 | u64::from(*byte)) + on - back;
            stamp.copy_from_slice(&ns.to_be_bytes()[2..]);
            at = next;
        }
    }

    /// Makes the stamp of the first message 2^48 - 1, where it is told to.
    fn spoil(&mut self, payload: &mut [u8]) {
        let Ok(packet) = Packet::parse(payload) else { return };
        let Some(wanted) = &mut self.outlier else { return };
        if packet.message_count() > 0 && *wanted.get_or_insert(packet.sequence()) == packet.sequence() {
            let stamp = HEADER_LEN + STAMP_AT;
            payload[stamp..stamp + 6].fill(0xFF);
        }
    }
}
