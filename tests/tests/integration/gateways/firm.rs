//! A firm that speaks OUCH 5.0 to a gateway: it sends again what was not answered, as the protocol lets it, and keeps its stream.

use egress::soup::{ClientEvent, ClientSession, Login};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime};
use types::UnixNanos;
use wire::IntoBytes;
use wire::ouch50::inbound::{CancelOrder, EnterOrder, ReplaceOrder};
use wire::ouch50::outbound::{self, DEAD, Msg};
use wire::soupbin::UNSEQUENCED;

pub(super) const SYMBOL: [u8; 8] = *b"FUTX    ";

fn now() -> UnixNanos {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    UnixNanos(since.as_nanos() as u64)
}

/// The firm.
pub(super) struct Firm {
    gateway: SocketAddr,
    conn: Option<(TcpStream, ClientSession, Vec<u8>)>,
    /// The whole stream it was told.
    pub(super) stream: Vec<Vec<u8>>,
    /// What it sent and has no answer to, by number.
    pub(super) unanswered: BTreeMap<u32, Vec<u8>>,
    /// Orders that it thinks may still trade: what is left.
    pub(super) open: BTreeMap<u32, u32>,
    pub(super) last: u32,
    pub(super) position: i64,
    sides: BTreeMap<u32, u8>,
    trades: BTreeMap<(u32, u64), u32>,
    pub(super) logins: u32,
    /// It only keeps its stream: what it says is OUCH 4.2, whose orders it follows itself.
    pub(super) is_plain: bool,
    /// The MPID that orders are entered for; none is the session's own.
    pub(super) mpid: Option<[u8; 4]>,
    /// What the gateway tells.
    pub(super) log: std::path::PathBuf,
    /// Bytes of a segment at most.
    pub(super) segment: usize,
}

impl Firm {
    pub(super) fn new(gateway: SocketAddr) -> Self {
        Self {
            gateway,
            conn: None,
            stream: Vec::new(),
            unanswered: BTreeMap::new(),
            open: BTreeMap::new(),
            last: 0,
            position: 0,
            sides: BTreeMap::new(),
            trades: BTreeMap::new(),
            logins: 0,
            is_plain: false,
            mpid: None,
            log: std::path::PathBuf::new(),
            segment: 1_000,
        }
    }

    /// Ends its connection, in the middle of whatever it is.
    pub(super) fn hang_up(&mut self) {
        self.conn = None;
    }

    /// Whether it is let in, when it tries for a moment.
    pub(super) fn tries(&mut self) -> bool {
        self.connect_for(Duration::from_millis(300)).is_some()
    }

    /// One try to connect and log in.
    fn connect(&mut self) -> Option<()> {
        self.connect_for(Duration::from_secs(3))
    }

    fn connect_for(&mut self, patience: Duration) -> Option<()> {
        let mut stream = TcpStream::connect(self.gateway).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(2))).ok()?;
        let mut session = ClientSession::new(now());
        let mut room = [0; 64];
        let sequence = self.stream.len() as u64 + 1;
        let login = Login { username: "desk1", password: "firmpw", session: "", sequence };
        let bytes = session.login(&login, &mut room, now())?;
        stream.write_all(&room[..bytes]).ok()?;
        self.conn = Some((stream, session, Vec::new()));
        let end = Instant::now() + patience;
        while self.conn.as_ref().is_some_and(|(_, session, _)| !session.is_in()) && Instant::now() < end {
            self.read();
        }
        if !self.conn.as_ref().is_some_and(|(_, session, _)| session.is_in()) {
            self.conn = None;
            return None;
        }
        self.logins += 1;
        // What was not answered may have been lost; what was not lost is ignored.
        self.hear(Duration::from_millis(20));
        for message in self.unanswered.values().cloned().collect::<Vec<_>>() {
            self.write(&message);
        }
        Some(())
    }

    /// Connects where it is not, for as long as that takes.
    pub(super) fn be_connected(&mut self) {
        let end = Instant::now() + crate::on_a_wire::PATIENCE;
        while self.conn.is_none() && self.connect().is_none() {
            assert!(
                Instant::now() < end,
                "the gateway lets nobody in: {}",
                std::fs::read_to_string(&self.log).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Takes what has come, for `span`.
    pub(super) fn hear(&mut self, span: Duration) {
        let end = Instant::now() + span;
        loop {
            self.read();
            if Instant::now() >= end || self.conn.is_none() {
                return;
            }
        }
    }

    fn read(&mut self) {
        let Some((stream, _, input)) = &mut self.conn else { return };
        let mut bytes = [0; 4_096];
        match stream.read(&mut bytes) {
            Ok(0) => self.conn = None,
            Ok(read) => input.extend_from_slice(&bytes[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => self.conn = None,
        }
        let Some((_, session, input)) = self.conn.as_mut() else { return };
        let mut told = Vec::new();
        let mut over = false;
        while let Some((event, used)) = session.take(input, now()).expect("the gateway keeps to the protocol")
        {
            match event {
                ClientEvent::Message { message, .. } => told.push(message.to_vec()),
                ClientEvent::Refused(_) | ClientEvent::Ended => over = true,
                ClientEvent::LoggedIn { .. } | ClientEvent::Nothing => {}
            }
            input.drain(..used);
        }
        let heartbeat = session.due(now()).ok().flatten();
        if over {
            self.conn = None;
        }
        for message in told {
            if !self.is_plain {
                self.note(&message);
            }
            self.stream.push(message);
        }
        if let Some(heartbeat) = heartbeat {
            self.packet(heartbeat, &[]);
        }
    }

    fn note(&mut self, message: &[u8]) {
        match outbound::decode(message).expect("a message of OUCH 5.0") {
            Msg::Accepted(m) => {
                let number = m.user_ref_num.get();
                assert!(self.unanswered.remove(&number).is_some(), "{number} is answered twice");
                self.sides.insert(number, m.side);
                if m.order_state != DEAD {
                    self.open.insert(number, m.quantity.get());
                }
            }
            Msg::Rejected(m) => {
                let number = m.user_ref_num.get();
                assert!(self.unanswered.remove(&number).is_some(), "{number} is answered twice");
            }
            Msg::Replaced(m) => {
                let (of, number) = (m.orig_user_ref_num.get(), m.user_ref_num.get());
                assert!(self.unanswered.remove(&number).is_some(), "{number} is answered twice");
                self.open.remove(&of);
                self.sides.insert(number, m.side);
                if m.order_state != DEAD {
                    self.open.insert(number, m.quantity.get());
                }
            }
            Msg::Canceled(m) => self.less(m.user_ref_num.get(), m.quantity.get()),
            Msg::Executed(m) => {
                let (number, qty) = (m.user_ref_num.get(), m.quantity.get());
                // A venue may say a trade twice.
                if self.trades.insert((number, m.match_number.get()), qty).is_some() {
                    return;
                }
                self.less(number, qty);
                self.position += self.signed(number, qty);
            }
            Msg::BrokenTrade(m) => {
                let number = m.user_ref_num.get();
                self.position -= self.signed(number, self.trades[&(number, m.match_number.get())]);
            }
            _ => {}
        }
    }

    /// What a trade of an order does to the position.
    fn signed(&self, number: u32, qty: u32) -> i64 {
        if self.sides[&number] == b'B' { i64::from(qty) } else { -i64::from(qty) }
    }

    fn less(&mut self, number: u32, by: u32) {
        let left = self.open.get(&number).map_or(0, |left| left - by);
        if left == 0 {
            self.open.remove(&number);
        } else {
            self.open.insert(number, left);
        }
    }

    /// Sends a packet in segments; what fails ends the connection.
    fn packet(&mut self, packet_type: u8, message: &[u8]) {
        let segment = self.segment;
        let Some((stream, session, _)) = &mut self.conn else { return };
        let mut room = [0; 200];
        let bytes = session.send(packet_type, message, &mut room, now()).unwrap();
        let sent = room[..bytes].chunks(segment).try_for_each(|part| stream.write_all(part));
        if sent.is_err() {
            self.conn = None;
        }
    }

    /// Sends a message.
    pub(super) fn write(&mut self, message: &[u8]) {
        self.packet(UNSEQUENCED, message);
    }

    /// Sends an order, and says its number.
    pub(super) fn enter(&mut self, side: u8, qty: u32, cents: i64) -> u32 {
        self.last += 1;
        let text = [b' '; 14];
        let order = EnterOrder::new(
            self.last,
            side,
            qty,
            SYMBOL,
            cents as u64 * 100,
            b'0',
            b'Y',
            b'P',
            b'N',
            b'N',
            text,
        );
        // The option Firm: five bytes, tag 2, the MPID.
        let option = self.mpid.map(|mpid| [&[5, 2], &mpid[..]].concat()).unwrap_or_default();
        let message = [order.as_bytes(), &[0, option.len() as u8], &option].concat();
        self.unanswered.insert(self.last, message.clone());
        self.write(&message);
        self.last
    }

    pub(super) fn replace(&mut self, of: u32, qty: u32, cents: i64) -> u32 {
        self.last += 1;
        let order = ReplaceOrder::new(of, self.last, qty, cents as u64 * 100, b'0', b'Y', b'N', [b' '; 14]);
        let message = [order.as_bytes(), &[0, 0]].concat();
        self.unanswered.insert(self.last, message.clone());
        self.write(&message);
        self.last
    }

    pub(super) fn cancel(&mut self, number: u32, qty: u32) {
        self.write(CancelOrder::new(number, qty).as_bytes());
    }

    /// The last answer to a number: its type, and the reason of a reject.
    pub(super) fn answer_to(&self, number: u32) -> Option<(u8, u16)> {
        self.stream.iter().rev().find_map(|message| match outbound::decode(message).ok()? {
            Msg::Accepted(m) if m.user_ref_num.get() == number => Some((b'A', 0)),
            Msg::Rejected(m) if m.user_ref_num.get() == number => Some((b'J', m.reason.get())),
            Msg::Replaced(m) if m.user_ref_num.get() == number => Some((b'U', 0)),
            _ => None,
        })
    }

    /// Waits until `number` is answered.
    pub(super) fn answered(&mut self, number: u32) -> (u8, u16) {
        let end = Instant::now() + crate::on_a_wire::PATIENCE;
        loop {
            self.be_connected();
            self.hear(Duration::from_millis(5));
            if let Some(answer) = self.answer_to(number) {
                return answer;
            }
            assert!(Instant::now() < end, "{number} is not answered");
        }
    }
}
