//! The venue's feed: market events become TotalView-ITCH 5.0 messages in MoldUDP64 packets on two multicast lines.

use std::net::{Ipv4Addr, SocketAddrV4};

use types::{Side, Symbol};
use wire::IntoBytes;
use wire::frame::UdpPath;
use wire::itch50::{self, event, state};
use wire::moldudp64::{END_OF_SESSION, Header, PacketBuilder};

use crate::market::{MarketEvent, Profile, SECOND, Stamped, TradingState, nanos};
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
            MarketEvent::State(to) => {
                let (to, reason) = match to {
                    TradingState::Trading => (state::TRADING, *b"    "),
                    TradingState::Paused => (state::PAUSED, *b"LUDP"),
                };
                let m = itch50::StockTradingAction::new(locate, 0, ts, symbol, to, b' ', reason);
                self.push(ts, m.as_bytes());
            }
            MarketEvent::Cross { qty, px, reopens, .. } => {
                let (price, match_no) = (self.price(instrument, px), self.next_match());
                let kind = if reopens { b'H' } else { b'O' };
                let m = itch50::CrossTrade::new(locate, 0, ts, qty.into(), symbol, price, match_no, kind);
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
        let arrives = self.midnight_unix_ns + ts + nanos(delay);
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

#[cfg(test)]
#[expect(clippy::wildcard_enum_match_arm, reason = "a test decides on what it is about")]
mod tests {
    use std::collections::HashMap;

    use wire::itch50::Msg;
    use wire::moldudp64::{self, PacketKind};

    use super::*;
    use crate::market::{Cast, Market, Slice};

    const MIDNIGHT: u64 = 1_778_040_000 * SECOND;
    const START: u64 = 39_600 * SECOND;

    fn profiles() -> Vec<Profile> {
        Profile::roster(2)
    }

    fn play(seconds: u64) -> Vec<Stamped> {
        let mut slice = Slice::default();
        for (i, profile) in (0..).zip(profiles()) {
            Market::new(i, profile, Cast::default(), 5, START)
                .run_until(START + seconds * SECOND, &mut slice);
        }
        slice.events.sort_by_key(|e| e.ts_ns);
        slice.events
    }

    fn drain(feed: &mut Feed) -> Vec<Packet> {
        let mut packets = Vec::new();
        feed.drain_before(u64::MAX, &mut packets);
        packets
    }

    fn messages(packets: &[Packet], line: Line) -> Vec<Vec<u8>> {
        let on_line = packets.iter().filter(|p| p.line == line);
        let parse = |p: &Packet| {
            let packet = moldudp64::Packet::parse(&p.payload).expect("a packet");
            packet.messages().map(|m| m.expect("a message").to_vec()).collect::<Vec<_>>()
        };
        on_line.flat_map(parse).collect()
    }

    /// Undoes the renumbering of orders, and the translation.
    #[derive(Default)]
    struct Decoder {
        locals: HashMap<u64, (u16, u64)>,
        rested: [u64; 2],
        matches: [u64; 2],
    }

    impl Decoder {
        fn join(&mut self, instrument: u16, global: u64) -> u64 {
            let local = &mut self.rested[usize::from(instrument)];
            *local += 1;
            assert!(self.locals.insert(global, (instrument, *local)).is_none(), "a reference is given once");
            *local
        }

        fn known(&self, instrument: u16, global: u64) -> u64 {
            let (of, local) = self.locals[&global];
            assert_eq!(of, instrument);
            local
        }

        fn next_match(&mut self, instrument: u16) -> u64 {
            self.matches[usize::from(instrument)] += 1;
            self.matches[usize::from(instrument)]
        }

        fn decode(&mut self, message: &[u8], ticks: &[u32]) -> Stamped {
            let msg = itch50::decode(message).expect("a message");
            let header = msg.header().expect("a known type");
            let instrument = header.locate.get() - 1;
            let px = |raw: u32| {
                let tick = ticks[usize::from(instrument)];
                assert_eq!(raw % tick, 0, "prices lie on ticks");
                i64::from(raw / tick)
            };
            let buy = |code| if code == itch50::side::BUY { Side::Bid } else { Side::Ask };
            let event = match msg {
                Msg::AddOrder(m) => MarketEvent::Add {
                    order: self.join(instrument, m.order_ref.get()),
                    side: buy(m.side),
                    qty: m.shares.get(),
                    px: px(m.price.raw()),
                    attributed: false,
                },
                Msg::AddOrderMpid(m) => MarketEvent::Add {
                    order: self.join(instrument, m.order_ref.get()),
                    side: buy(m.side),
                    qty: m.shares.get(),
                    px: px(m.price.raw()),
                    attributed: true,
                },
                Msg::OrderExecuted(m) => MarketEvent::Execute {
                    order: self.known(instrument, m.order_ref.get()),
                    qty: m.executed_shares.get(),
                    match_no: self.next_match(instrument),
                },
                Msg::OrderCancel(m) => MarketEvent::Reduce {
                    order: self.known(instrument, m.order_ref.get()),
                    qty: m.cancelled_shares.get(),
                },
                Msg::OrderDelete(m) => {
                    MarketEvent::Delete { order: self.known(instrument, m.order_ref.get()) }
                }
                Msg::OrderReplace(m) => MarketEvent::Replace {
                    old: self.known(instrument, m.original_order_ref.get()),
                    new: self.join(instrument, m.new_order_ref.get()),
                    qty: m.shares.get(),
                    px: px(m.price.raw()),
                },
                Msg::Trade(m) => MarketEvent::HiddenTrade {
                    side: Side::Bid,
                    qty: m.shares.get(),
                    px: px(m.price.raw()),
                    match_no: self.next_match(instrument),
                },
                other => panic!("unexpected {other}"),
            };
            Stamped { ts_ns: header.timestamp.ns(), instrument, event }
        }
    }

    #[test]
    fn what_was_published_decodes_back_to_the_same_sequence_on_both_lines() {
        let events = play(20);
        assert!(events.len() > 2_000);
        let mut feed = Feed::new(MIDNIGHT, &profiles(), &[], 5);
        feed.start_at(START);
        events.iter().for_each(|e| feed.publish(e));
        feed.flush();
        let packets = drain(&mut feed);
        assert!(
            packets.iter().any(|p| p.payload.len() > 100) && packets.iter().all(|p| p.payload.len() <= 1_472)
        );
        let ticks: Vec<_> = profiles().iter().map(|p| p.tick_1e4).collect();
        for line in [Line::A, Line::B] {
            let mut decoder = Decoder::default();
            let decoded: Vec<_> =
                messages(&packets, line).iter().map(|m| decoder.decode(m, &ticks)).collect();
            assert_eq!(decoded.len(), events.len());
            for (found, sent) in decoded.iter().zip(&events) {
                // The feed does not tell on which side a hidden order stood.
                let mut sent = *sent;
                if let MarketEvent::HiddenTrade { side, .. } = &mut sent.event {
                    *side = Side::Bid;
                }
                assert_eq!(*found, sent);
            }
        }
    }

    #[test]
    fn sequence_numbers_have_no_gap_and_idle_lines_send_heartbeats() {
        let mut feed = Feed::new(MIDNIGHT, &profiles(), &[], 5);
        feed.start_at(START);
        feed.open(START, true);
        feed.quiet_until(START + 5 * SECOND);
        feed.system(START + 8 * SECOND, event::END_OF_MARKET_HOURS);
        feed.flush();
        let packets = drain(&mut feed);
        let mut next = 1;
        let mut kinds = Vec::new();
        for packet in packets.iter().filter(|p| p.line == Line::A) {
            let mold = moldudp64::Packet::parse(&packet.payload).expect("a packet");
            assert_eq!(mold.sequence(), next);
            next = mold.next_sequence();
            kinds.push((mold.kind(), (packet.ts_ns - MIDNIGHT - START) / SECOND));
        }
        assert_eq!(next, 1 + 3 + 2 + 2 + 1, "O, S, Q, two R, two H, M");
        let heartbeats = (1..=8).map(|s| (PacketKind::Heartbeat, s));
        let wanted: Vec<_> = [(PacketKind::Messages, 0)]
            .into_iter()
            .chain(heartbeats)
            .chain([(PacketKind::Messages, 8)])
            .collect();
        assert_eq!(kinds, wanted);
    }

    #[test]
    fn a_loss_takes_its_packets_off_its_line_only() {
        let events = play(3);
        let loss = Loss { from_ns: START + SECOND, packets: 10, on_a: true, on_b: false };
        let run = |losses: &[Loss]| {
            let mut feed = Feed::new(MIDNIGHT, &profiles(), losses, 5);
            feed.start_at(START);
            events.iter().for_each(|e| feed.publish(e));
            feed.flush();
            drain(&mut feed)
        };
        let (whole, lossy) = (run(&[]), run(&[loss]));
        let on = |packets: &[Packet], line| packets.iter().filter(|p| p.line == line).count();
        assert_eq!(on(&lossy, Line::A) + 10, on(&whole, Line::A));
        assert_eq!(on(&lossy, Line::B), on(&whole, Line::B));
        let first_missing =
            whole.iter().find(|p| p.line == Line::A && !lossy.contains(p)).expect("one is lost");
        assert!(first_missing.ts_ns >= MIDNIGHT + START + SECOND);
    }
}
