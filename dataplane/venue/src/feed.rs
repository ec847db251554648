//! The venue's feed: market events become TotalView-ITCH 5.0 messages in MoldUDP64 packets on two multicast lines.

use std::net::{Ipv4Addr, SocketAddrV4};

use types::{Side, Symbol};
use wire::IntoBytes;
use wire::frame::UdpPath;
use wire::itch50::{self, event, state};
use wire::moldudp64::{END_OF_SESSION, Header, PacketBuilder};

use crate::market::{MarketEvent, Profile, SECOND, Stamped};
use crate::random::Dice;

/// One of the two lines that carry the same packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Line {
    /// The first.
    A,
    /// The second, by another path: a few microseconds later, at times more.
    B,
}

impl Line {
    /// Multicast group and port. Administratively scoped (RFC 2365), so that a capture replayed on a real network
    /// reaches nobody who listens to a real exchange.
    #[must_use]
    pub const fn group(self) -> SocketAddrV4 {
        match self {
            Self::A => SocketAddrV4::new(Ipv4Addr::new(239, 192, 12, 1), 26_477),
            Self::B => SocketAddrV4::new(Ipv4Addr::new(239, 192, 12, 2), 26_477),
        }
    }

    /// How frames of this line are addressed.
    #[must_use]
    pub const fn path(self) -> UdpPath {
        let last = match self {
            Self::A => 1,
            Self::B => 2,
        };
        let src = SocketAddrV4::new(Ipv4Addr::new(10, 192, 12, last), 26_400);
        UdpPath::multicast([0x02, 0, 0, 0, 0x0c, last], src, self.group())
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// One UDP payload on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When it arrives, Unix nanoseconds.
    pub ts_ns: u64,
    /// On which line.
    pub line: Line,
    /// The MoldUDP64 packet.
    pub payload: Vec<u8>,
}

impl Packet {
    /// The Ethernet frame around it.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        let path = self.line.path();
        let mut frame = vec![0; path.header_len() + self.payload.len()];
        path.write(&mut frame, &self.payload).expect("the buffer has the frame's size, below IPv4's limit");
        frame
    }
}

/// Name of the session in the MoldUDP64 header.
pub const SESSION: [u8; 10] = *b"PCSIM00001";

/// Bytes of one UDP payload at most: what an Ethernet frame of 1,500 carries.
const PAYLOAD_MAX: usize = 1_472;

/// Messages this close to the first of a packet travel with it.
const COALESCE_NS: u64 = 25_000;

/// A line that has been silent this long sends a heartbeat.
const HEARTBEAT_NS: u64 = SECOND;

/// Copies of the end-of-session packet; the line repeats it since a multicast packet may get lost.
const END_COPIES: u64 = 3;

/// Packets lost on the way, on one line or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The packets sent from this moment on, nanoseconds since midnight.
    pub from_ns: u64,
    /// How many packets.
    pub packets: u32,
    /// Lost on line A.
    pub on_a: bool,
    /// Lost on line B.
    pub on_b: bool,
}

/// Turns events into packets. Times go in as nanoseconds since midnight and come out as Unix nanoseconds.
#[derive(Debug)]
pub(crate) struct Feed {
    midnight_unix_ns: u64,
    stocks: Vec<(Symbol, u32)>,
    /// Global order reference by instrument and local reference: references grow over the whole venue.
    refs: Vec<Vec<u64>>,
    last_ref: u64,
    last_match: u64,
    sequence: u64,
    dice: Dice,
    pending: Pending,
    sent: Vec<Packet>,
    line_ready: [u64; 2],
    losses: Vec<(Loss, u32)>,
    last_sent: u64,
    /// Messages by ITCH type.
    pub(crate) messages: [u64; 256],
}

/// The packet being filled.
#[derive(Debug, Default)]
struct Pending {
    messages: Vec<Vec<u8>>,
    bytes: usize,
    first_ts: u64,
    last_ts: u64,
}

impl Feed {
    pub(crate) fn new(midnight_unix_ns: u64, profiles: &[Profile], losses: &[Loss], seed: u64) -> Self {
        Self {
            midnight_unix_ns,
            stocks: profiles.iter().map(|p| (p.symbol, p.tick_1e4)).collect(),
            refs: profiles.iter().map(|_| vec![0]).collect(),
            last_ref: 0,
            last_match: 0,
            sequence: 1,
            dice: Dice::new(seed, 2),
            pending: Pending::default(),
            sent: Vec::new(),
            line_ready: [0; 2],
            losses: losses.iter().map(|&loss| (loss, 0)).collect(),
            last_sent: 0,
            messages: [0; 256],
        }
    }

    /// Announces the session: system events, the directory, and that trading is on. `ts` is when it happens.
    pub(crate) fn open(&mut self, ts: u64, market_open: bool) {
        self.system(ts, event::START_OF_MESSAGES);
        for (locate, (symbol, _)) in (1..).zip(self.stocks.clone()) {
            self.push(ts, itch50::StockDirectory::common_stock(locate, ts, symbol.0, 1).as_bytes());
        }
        for (locate, (symbol, _)) in (1..).zip(self.stocks.clone()) {
            let action =
                itch50::StockTradingAction::new(locate, 0, ts, symbol.0, state::TRADING, b' ', *b"    ");
            self.push(ts, action.as_bytes());
        }
        self.system(ts, event::START_OF_SYSTEM_HOURS);
        if market_open {
            self.system(ts, event::START_OF_MARKET_HOURS);
        }
    }

    /// A system event message.
    pub(crate) fn system(&mut self, ts: u64, code: u8) {
        self.push(ts, itch50::SystemEvent::new(0, 0, ts, code).as_bytes());
    }

    /// One market event.
    pub(crate) fn publish(&mut self, stamped: &Stamped) {
        let (ts, instrument) = (stamped.ts_ns, stamped.instrument);
        let locate = instrument + 1;
        let symbol = self.stocks[usize::from(instrument)].0.0;
        match stamped.event {
            MarketEvent::Add { order, side, qty, px, attributed } => {
                let (order, price) = (self.new_ref(instrument, order), self.price(instrument, px));
                let side = side_code(side);
                if attributed {
                    let m =
                        itch50::AddOrderMpid::new(locate, 0, ts, order, side, qty, symbol, price, *b"SIMU");
                    self.push(ts, m.as_bytes());
                } else {
                    let m = itch50::AddOrder::new(locate, 0, ts, order, side, qty, symbol, price);
                    self.push(ts, m.as_bytes());
                }
            }
            MarketEvent::Execute { order, qty, .. } => {
                let (order, match_no) = (self.known_ref(instrument, order), self.next_match());
                self.push(ts, itch50::OrderExecuted::new(locate, 0, ts, order, qty, match_no).as_bytes());
            }
            MarketEvent::Reduce { order, qty } => {
                let order = self.known_ref(instrument, order);
                self.push(ts, itch50::OrderCancel::new(locate, 0, ts, order, qty).as_bytes());
            }
            MarketEvent::Delete { order } => {
                let order = self.known_ref(instrument, order);
                self.push(ts, itch50::OrderDelete::new(locate, 0, ts, order).as_bytes());
            }
            MarketEvent::Replace { old, new, qty, px } => {
                let old = self.known_ref(instrument, old);
                let (new, price) = (self.new_ref(instrument, new), self.price(instrument, px));
                self.push(ts, itch50::OrderReplace::new(locate, 0, ts, old, new, qty, price).as_bytes());
            }
            MarketEvent::HiddenTrade { qty, px, .. } => {
                let (price, match_no) = (self.price(instrument, px), self.next_match());
                // The side says nothing since 2014 and the reference since 2010 (section 1.5.1).
                let m = itch50::Trade::new(locate, 0, ts, 0, itch50::side::BUY, qty, symbol, price, match_no);
                self.push(ts, m.as_bytes());
            }
            MarketEvent::Indicative { paired, imbalance, px } => {
                let price = self.price(instrument, px);
                let (direction, variation) = (if imbalance == 0 { b'N' } else { b'B' }, b'L');
                let (paired, imbalance) = (paired.into(), imbalance.into());
                let m = itch50::Noii::new(
                    locate, 0, ts, paired, imbalance, direction, symbol, price, price, price, b'O', variation,
                );
                self.push(ts, m.as_bytes());
            }
            MarketEvent::Cross { qty, px, .. } => {
                let (price, match_no) = (self.price(instrument, px), self.next_match());
                let m = itch50::CrossTrade::new(locate, 0, ts, qty.into(), symbol, price, match_no, b'O');
                self.push(ts, m.as_bytes());
            }
        }
    }

    /// The market closes and the session ends.
    pub(crate) fn close(&mut self, ts: u64) {
        self.system(ts, event::END_OF_MARKET_HOURS);
        self.system(ts, event::END_OF_SYSTEM_HOURS);
        self.system(ts, event::END_OF_MESSAGES);
        self.flush();
        for i in 0..END_COPIES {
            self.control(ts + (i + 1) * HEARTBEAT_NS, END_OF_SESSION);
        }
    }

    /// Says that nothing before `now` is still to come: flushes what waits and sends the heartbeats that are due.
    pub(crate) fn quiet_until(&mut self, now: u64) {
        if self.pending.first_ts + COALESCE_NS < now {
            self.flush();
        }
        while self.last_sent + HEARTBEAT_NS <= now {
            self.control(self.last_sent + HEARTBEAT_NS, 0);
        }
    }

    /// When the line begins to live: heartbeats are due from here on.
    pub(crate) fn start_at(&mut self, ts: u64) {
        self.last_sent = ts;
    }

    /// Moves the packets that arrive before `end` (nanoseconds since midnight) into `out`, in order of arrival.
    pub(crate) fn drain_before(&mut self, end: u64, out: &mut Vec<Packet>) {
        let end = end.saturating_add(self.midnight_unix_ns);
        self.sent.sort_by_key(|p| (p.ts_ns, p.line));
        let ready = self.sent.partition_point(|p| p.ts_ns < end);
        out.extend(self.sent.drain(..ready));
    }

    fn price(&self, instrument: u16, ticks: i64) -> u32 {
        let tick = i64::from(self.stocks[usize::from(instrument)].1);
        u32::try_from(ticks * tick).expect("prices of the roster fit 32 bits of 1e-4")
    }

    fn new_ref(&mut self, instrument: u16, local: u64) -> u64 {
        self.last_ref += 1;
        let refs = &mut self.refs[usize::from(instrument)];
        assert_eq!(refs.len() as u64, local, "local references are dense and grow");
        refs.push(self.last_ref);
        self.last_ref
    }

    fn known_ref(&self, instrument: u16, local: u64) -> u64 {
        let index = usize::try_from(local).expect("references fit memory");
        self.refs[usize::from(instrument)][index]
    }

    fn next_match(&mut self) -> u64 {
        self.last_match += 1;
        self.last_match
    }

    fn push(&mut self, ts: u64, message: &[u8]) {
        let needed = message.len() + 2;
        let full = size_of::<Header>() + self.pending.bytes + needed > PAYLOAD_MAX;
        let late = ts > self.pending.first_ts + COALESCE_NS;
        if !self.pending.messages.is_empty() && (full || late) {
            self.flush();
        }
        if self.pending.messages.is_empty() {
            // Between two messages more than a heartbeat's time apart the line has shown that it lives.
            while self.last_sent + HEARTBEAT_NS <= ts {
                self.control(self.last_sent + HEARTBEAT_NS, 0);
            }
            self.pending.first_ts = ts;
        }
        self.messages[usize::from(message[0])] += 1;
        self.pending.messages.push(message.to_vec());
        self.pending.bytes += needed;
        self.pending.last_ts = ts;
    }

    fn flush(&mut self) {
        if self.pending.messages.is_empty() {
            return;
        }
        let mut buf = [0; PAYLOAD_MAX];
        let mut packet =
            PacketBuilder::new(&mut buf, SESSION, self.sequence).expect("the buffer holds a header");
        for message in &self.pending.messages {
            assert!(packet.push(message), "room was reckoned before");
        }
        self.sequence += u64::from(packet.count());
        let len = packet.finish();
        let ts = self.pending.last_ts;
        self.pending = Pending::default();
        self.send(ts, &buf[..len]);
    }

    /// A packet without messages: a heartbeat or the end.
    fn control(&mut self, ts: u64, count: u16) {
        let header = Header::new(SESSION, self.sequence, count);
        self.send(ts, header.as_bytes());
    }

    /// Puts a payload on both lines, each with its own delay, in order on each.
    fn send(&mut self, ts: u64, payload: &[u8]) {
        self.last_sent = self.last_sent.max(ts);
        for line in [Line::A, Line::B] {
            let ts_ns = self.arrival(line, ts);
            if !self.lost(line, ts) {
                self.sent.push(Packet { ts_ns, line, payload: payload.to_vec() });
            }
        }
    }

    /// When a packet sent at `ts` arrives on `line`: some microseconds, now and then many.
    fn arrival(&mut self, line: Line, ts: u64) -> u64 {
        let base = match line {
            Line::A => 4.0e-6,
            Line::B => 7.0e-6,
        };
        let stalled = self.dice.chance(0.002);
        let delay = self.dice.lognormal(base, 0.35) + if stalled { self.dice.range(2e-5, 4e-4) } else { 0.0 };
        let arrives = self.midnight_unix_ns + ts + crate::market::wait(delay);
        let ready = &mut self.line_ready[line.index()];
        *ready = arrives.max(*ready + 300);
        *ready
    }

    /// Whether a loss takes this packet off this line. Both lines are asked for each packet, B last.
    fn lost(&mut self, line: Line, ts: u64) -> bool {
        for (loss, taken) in &mut self.losses {
            if ts >= loss.from_ns && *taken < loss.packets {
                let hit = match line {
                    Line::A => loss.on_a,
                    Line::B => {
                        *taken += 1;
                        loss.on_b
                    }
                };
                return hit;
            }
        }
        false
    }
}

const fn side_code(side: Side) -> u8 {
    match side {
        Side::Bid => itch50::side::BUY,
        Side::Ask => itch50::side::SELL,
    }
}
