//! The firm's side: logins, orders to the gate and on to the venue, and the stream that the firm is told.

use super::book::Held;
use super::counters::Count;
use super::gateway::{Gateway, side_of};
use super::sides::{CANDIDATES_MAX, Copied, FirmConn, WAITING_MAX};
use super::words::{Cannot, Message, Order, Refusal, Request, Token, Unfit};
use crate::orders::Wanted;
use crate::socket::End;
use crate::soup::{ServerEvent, padded};
use crate::store::{Kind, MESSAGE_BYTES_MAX};
use gate::{RejectReason, Reservation};
use std::io::ErrorKind;
use types::{Qty, UnixNanos};
use wire::soupbin::{LoginRequest, NO_SUCH_SESSION, NOT_AUTHORIZED, UNSEQUENCED};

/// Packets of the firm's that are looked at in one turn.
const PACKETS_A_TURN: usize = 64;

impl Gateway {
    /// Takes what the firm has sent, and tells it what there is to tell.
    pub(super) fn turn_firm(&mut self, now: UnixNanos) -> bool {
        let Some(conn) = &mut self.firm.conn else { return false };
        let filled = conn.end.fill();
        let mut busy = false;
        for _ in 0..PACKETS_A_TURN {
            match self.next_of_firm(now) {
                Some(message) => {
                    busy = true;
                    self.take_request(message.bytes(), now);
                }
                None => break,
            }
        }
        if filled.is_err() && !busy {
            self.lose_firm(Count::FirmEnds, now);
        }
        self.tell_firm(now) || busy
    }

    /// The next message of the firm's, where there is a whole one; ends the connection where it says so or does wrong.
    fn next_of_firm(&mut self, now: UnixNanos) -> Option<Copied> {
        loop {
            let FirmConn { end, session, .. } = self.firm.conn.as_mut()?;
            let (event, used) = match session.take(end.input(), now) {
                Ok(found) => found?,
                Err(fault) => {
                    self.said.push(format!("the firm's connection is ended: {fault}"));
                    self.lose_firm(Count::FirmFaults, now);
                    return None;
                }
            };
            let found = match event {
                ServerEvent::Message(message) => Some(Copied::of(message)),
                ServerEvent::Logout => {
                    self.lose_firm(Count::FirmEnds, now);
                    return None;
                }
                ServerEvent::Login(_) | ServerEvent::Nothing => None,
            };
            end.consume(used);
            if found.is_some() {
                return found;
            }
        }
    }

    /// Sends the firm what its stream has and it has not.
    pub(super) fn tell_firm(&mut self, now: UnixNanos) -> bool {
        let (Some(conn), Some(session)) = (&mut self.firm.conn, &self.session) else { return false };
        let mut message = [0; MESSAGE_BYTES_MAX];
        let mut told = false;
        while conn.session.next() <= session.store.count() {
            let length = match session.store.read(conn.session.next(), &mut message) {
                Ok(length) => length,
                Err(error) => {
                    self.said.push(format!("message {} cannot be read back: {error}", conn.session.next()));
                    self.lose_firm(Count::FirmFaults, now);
                    return told;
                }
            };
            let message = message.get(..length).unwrap_or_default();
            let Some(room) = conn.end.room(length + wire::soupbin::HEADER_LEN) else { break };
            let Some(bytes) = conn.session.message(message, room, now) else { break };
            conn.end.wrote(bytes);
            told = true;
        }
        match conn.flush(now) {
            Ok(false) => {}
            Ok(true) => {
                self.said.push("the firm is hung up on: it does not read what it is sent".to_owned());
                self.lose_firm(Count::FirmSlow, now);
            }
            Err(_) => self.lose_firm(Count::FirmEnds, now),
        }
        told
    }

    /// The firm's connection is over.
    fn lose_firm(&mut self, count: Count, now: UnixNanos) {
        if self.firm.conn.take().is_some() {
            self.counters.add(count);
            if self.setup.cancel_on_disconnect {
                self.cancel_all(now);
            }
        }
    }

    /// Heartbeats, silence, and who knocks.
    pub(super) fn chores_of_firm(&mut self, now: UnixNanos) {
        if let Some(conn) = &mut self.firm.conn {
            match conn.session.due(now) {
                Ok(None) => {}
                Ok(Some(heartbeat)) => {
                    let room = conn.end.room(wire::soupbin::HEADER_LEN);
                    if let Some(bytes) = room.and_then(|room| conn.session.send(heartbeat, &[], room, now)) {
                        conn.end.wrote(bytes);
                    }
                }
                Err(fault) => {
                    self.said.push(format!("the firm's connection is ended: {fault}"));
                    self.lose_firm(Count::FirmFaults, now);
                }
            }
        }
        self.take_candidates(now);
        let Some(listener) = &self.firm.listener else { return };
        match listener.accept() {
            Ok((stream, _)) => {
                if self.firm.candidates.len() >= CANDIDATES_MAX {
                    self.firm.candidates.pop_front();
                    self.counters.add(Count::FirmRefused);
                }
                self.firm.candidates.extend(End::new(stream).ok().map(|end| FirmConn::new(end, now)));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => self.said.once(format!("a connection cannot be taken: {error}")),
        }
    }

    /// Lets whoever has connected log in. Who logs in takes the place of who was in before.
    ///
    /// After a start nobody is let in before the venue has told what became of the orders before: an order that the firm sends
    /// again could else be answered twice.
    fn take_candidates(&mut self, now: UnixNanos) {
        for _ in 0..self.firm.candidates.len() {
            let Some(mut candidate) = self.firm.candidates.pop_front() else { return };
            if !self.venue.was_ready && candidate.session.due(now).is_ok() {
                self.firm.candidates.push_back(candidate);
                continue;
            }
            let is_over = candidate.end.fill().is_err() && candidate.end.input().is_empty();
            match candidate.session.take(candidate.end.input(), now) {
                Ok(Some((ServerEvent::Login(login), used))) if self.venue.was_ready => {
                    candidate.end.consume(used);
                    self.let_in(candidate, &login, now);
                }
                Ok(None) if !is_over && candidate.session.due(now).is_ok() => {
                    self.firm.candidates.push_back(candidate);
                }
                _ => self.counters.add(Count::FirmRefused),
            }
        }
    }

    fn let_in(&mut self, mut candidate: FirmConn, login: &LoginRequest, now: UnixNanos) {
        match self.admits(login) {
            Ok((name, sequence)) => {
                let room = candidate.end.room(64);
                let accepted = room.and_then(|room| candidate.session.accept(name, sequence, room, now));
                candidate.end.wrote(accepted.unwrap_or_default());
                // What it had sent by then is the firm's word.
                while let Some(message) = self.next_of_firm(now) {
                    self.take_request(message.bytes(), now);
                }
                if self.firm.conn.is_some() {
                    // Whoever was in before is gone, as if its connection had ended.
                    self.lose_firm(Count::FirmEnds, now);
                }
                self.firm.conn = Some(candidate);
                self.counters.add(Count::FirmLogins);
            }
            Err(reason) => {
                let room = candidate.end.room(64);
                let refused = room.and_then(|room| candidate.session.refuse(reason, room));
                candidate.end.wrote(refused.unwrap_or_default());
                candidate.end.flush().ok();
                self.counters.add(Count::FirmRefused);
            }
        }
    }

    /// The session and the number of the next message for who logs in so; else why not.
    fn admits(&self, login: &LoginRequest) -> Result<([u8; 10], u64), u8> {
        let logins = &self.setup.logins;
        let is_firm = login.username == padded::<6>(&logins.firm_username)
            && login.password == padded::<10>(&logins.firm_password);
        if !is_firm || self.is_stopping() {
            return Err(NOT_AUTHORIZED);
        }
        let session = self.session.as_ref().ok_or(NO_SUCH_SESSION)?;
        let asked = login.session.trim_ascii();
        if !asked.is_empty() && asked != session.name.trim_ascii() {
            return Err(NO_SUCH_SESSION);
        }
        let newest = session.store.count() + 1;
        match login.sequence.get() {
            None => Err(NOT_AUTHORIZED),
            Some(0) => Ok((session.name, newest)),
            Some(sequence) if sequence <= newest => Ok((session.name, sequence)),
            // What it asks for was never said: its session is another one.
            Some(_) => Err(NO_SUCH_SESSION),
        }
    }

    /// One message of the firm's.
    fn take_request(&mut self, bytes: &[u8], now: UnixNanos) {
        match self.setup.dialect.request(bytes) {
            Ok(Request::Enter(order)) => self.enter_order(&order, bytes, now),
            Ok(Request::Replace { of, order }) => self.replace_order(of, &order, bytes, now),
            Ok(Request::Cancel { token, all }) => {
                if let Some((id, held)) = self.id(token).and_then(|id| Some((id, self.book.get_mut(id)?))) {
                    self.port.cancel(id, self.clock.wall());
                    // It is sent here, and again after each login until it is answered.
                    held.cancelling |= all;
                    held.cancel_sent |= all;
                }
                self.pass_cancel(bytes, now);
            }
            Ok(Request::Modify { token, side, qty }) => {
                let held = self.id(token).and_then(|id| self.book.get(id));
                // A modification takes shares off or changes the kind of a sale: anything else would be an order.
                let is_one = held.is_none_or(|held| side == Some(held.side) && qty <= held.qty);
                if is_one {
                    self.pass_cancel(bytes, now);
                } else {
                    self.counters.add(Count::BadModifies);
                }
            }
            Ok(Request::Harmless) => self.pass_cancel(bytes, now),
            Ok(Request::Numbered(token)) => {
                if self.is_new(token) {
                    self.note_number(token);
                    self.pass_cancel(bytes, now);
                }
            }
            Ok(Request::Query) => {
                let next = self.last_number.saturating_add(1);
                if let Some(answer) = self.setup.dialect.next(next, self.since_midnight()) {
                    self.answer(&answer);
                }
            }
            Err(Unfit::Order { token, text, why }) => {
                self.counters.add(Count::OrdersIn);
                if !self.can_answer() {
                    return;
                }
                // Another channel's numbers are not this one's.
                if why == Cannot::Channel {
                    self.refuse(token, text, Refusal::Cannot(why));
                } else if self.is_new(token) {
                    self.note_number(token);
                    self.refuse(token, text, Refusal::Cannot(why));
                }
            }
            Err(Unfit::Malformed) => self.counters.add(Count::Malformed),
        }
    }

    /// The gate's number of an order of this session.
    pub(super) fn id(&self, token: Token) -> Option<u64> {
        self.session.as_ref().map(|session| self.setup.dialect.id(session.key, token))
    }

    /// Whether the name was never used. What was used before is taken for a message that was sent again, which both versions
    /// ignore: a reject would speak of the order that has the name.
    fn is_new(&mut self, token: Token) -> bool {
        let used = if self.setup.dialect.has_numbers() {
            token.number() <= self.last_number
        } else {
            let id = self.id(token);
            let was_told = |id: &u64| self.session.as_ref().is_some_and(|session| session.used.contains(id));
            id.is_some_and(|id| self.book.get(id).is_some() || was_told(&id))
        };
        if used {
            self.counters.add(Count::Again);
        }
        !used
    }

    /// Why no order passes now, whatever the gate says.
    fn closed(&self) -> Option<Refusal> {
        if self.is_stopping() || self.is_at_odds || self.book.is_full() || !self.is_kept() {
            return Some(Refusal::Closed);
        }
        // What waits for the venue goes first.
        (!self.venue.is_ready || !self.venue.waiting.is_empty()).then_some(Refusal::VenueAway)
    }

    fn enter_order(&mut self, order: &Order, bytes: &[u8], now: UnixNanos) {
        self.counters.add(Count::OrdersIn);
        if !self.can_answer() {
            return;
        }
        if !self.is_new(order.token) {
            return;
        }
        self.note_number(order.token);
        let (Some(id), None) = (self.id(order.token), self.closed()) else {
            let refusal = self.closed().unwrap_or(Refusal::VenueAway);
            return self.refuse(order.token, order.text, refusal);
        };
        let (Some(symbol), Some(side)) = (order.symbol, order.side) else { return };
        let Some(owner) = self.setup.owner_of(order.mpid) else {
            return self.refuse(order.token, order.text, Refusal::Cannot(Cannot::Mpid));
        };
        let instrument = self.port.instrument(symbol);
        let wanted =
            Wanted { id, owner, instrument, side, qty: Qty(order.qty), px: order.px, tif: order.tif };
        let held = self.held(order, &wanted, 0);
        match self.port.reserve(&wanted, self.clock.wall()) {
            Ok(reservation) => {
                if self.pass(id, held, reservation, bytes, now) {
                    self.tell_order(order, &wanted);
                }
            }
            Err(reason) => self.refuse_by_gate(order, reason),
        }
    }

    fn replace_order(&mut self, of: Token, order: &Order, bytes: &[u8], now: UnixNanos) {
        self.counters.add(Count::OrdersIn);
        if !self.can_answer() {
            return;
        }
        if !self.is_new(order.token) {
            return;
        }
        self.note_number(order.token);
        let (Some(id), Some(replaced), None) = (self.id(order.token), self.id(of), self.closed()) else {
            let refusal = self.closed().unwrap_or(Refusal::VenueAway);
            return self.refuse(order.token, order.text, refusal);
        };
        let Some(known) = self.book.get(replaced).copied() else {
            return self.refuse_by_gate(order, RejectReason::UnknownOrder);
        };
        let (owner, instrument, side) = (known.owner, known.instrument, side_of(order.side, &known));
        let wanted =
            Wanted { id, owner, instrument, side, qty: Qty(order.qty), px: order.px, tif: order.tif };
        let held = self.held(order, &wanted, replaced);
        match self.port.replace(replaced, &wanted, self.clock.wall()) {
            Ok(reservation) => {
                if self.pass(id, held, reservation, bytes, now) {
                    self.tell_order(order, &wanted);
                }
            }
            Err(reason) => self.refuse_by_gate(order, reason),
        }
    }

    /// The order as the book has it from its sending on.
    const fn held(&self, order: &Order, wanted: &Wanted, replaces: u64) -> Held {
        Held {
            token: order.token,
            text: order.text,
            owner: wanted.owner,
            instrument: wanted.instrument,
            side: wanted.side,
            qty: wanted.qty.0,
            executed: 0,
            answered: false,
            cancelling: false,
            cancel_sent: false,
            replaces,
            replacement: 0,
            sent: self.sent,
        }
    }

    /// Sends what the gate let out; gives it back where that fails. Whether it was sent.
    fn pass(&mut self, id: u64, held: Held, reservation: Reservation, bytes: &[u8], now: UnixNanos) -> bool {
        let is_sent = self.send_to_venue(bytes, now);
        if is_sent {
            self.sent += 1;
            self.book.add(id, held);
            self.counters.add(Count::Passed);
        } else {
            self.port.release(reservation, self.clock.wall());
            self.refuse(held.token, held.text, Refusal::VenueAway);
        }
        is_sent
    }

    fn refuse_by_gate(&mut self, order: &Order, reason: RejectReason) {
        // A token that closed recently is one that was sent again; numbers rise, so none of theirs is.
        if reason == RejectReason::Duplicate {
            return self.counters.add(Count::Again);
        }
        self.refuse(order.token, order.text, Refusal::Gate(reason));
    }

    /// Answers an order with the protocol's reject.
    pub(super) fn refuse(&mut self, token: Token, text: [u8; 14], refusal: Refusal) {
        let count = match refusal {
            Refusal::Gate(reason) => {
                self.counters.refuse(reason);
                Count::Refused
            }
            Refusal::Cannot(_) => Count::Unjudged,
            Refusal::VenueAway | Refusal::TooLate | Refusal::Closed => Count::Closed,
        };
        self.counters.add(count);
        self.reject(token, text, refusal);
    }

    /// The reject itself.
    pub(super) fn reject(&mut self, token: Token, text: [u8; 14], refusal: Refusal) {
        if let Some(id) = self.id(token) {
            self.note_used(id);
        }
        let message = self.setup.dialect.rejected(token, text, refusal, self.since_midnight());
        self.answer(&message);
    }

    /// A name of a version without numbers is used: another order cannot have it.
    pub(super) fn note_used(&mut self, id: u64) {
        if let Some(session) = self.session.as_mut().filter(|_| !self.setup.dialect.has_numbers()) {
            session.used.insert(id);
        }
    }

    /// Adds a message of the gateway's own to the firm's stream.
    fn answer(&mut self, message: &Message) {
        self.keep(Kind::ForFirm, 0, message.bytes());
    }

    /// Passes on what adds no risk: at once, or when the venue is back.
    fn pass_cancel(&mut self, bytes: &[u8], now: UnixNanos) {
        if self.venue.waiting.is_empty() && self.send_to_venue(bytes, now) {
            self.counters.add(Count::Cancels);
        } else if self.venue.waiting.len() < WAITING_MAX && bytes.len() <= 64 {
            self.venue.waiting.push_back(Message::new(&[bytes]));
        } else {
            self.counters.add(Count::CancelsLost);
        }
    }

    /// Cancels each order that may still trade. What cannot be sent is sent when the venue is back.
    pub(super) fn cancel_all(&mut self, now: UnixNanos) {
        for (_, held) in self.book.iter_mut() {
            held.cancelling = true;
        }
        self.venue.owes_cancels = true;
        self.send_cancels(now);
    }

    /// Sends a message to the venue; false where there is none, or no room.
    pub(super) fn send_to_venue(&mut self, message: &[u8], now: UnixNanos) -> bool {
        let written = self.write_to_venue(message, now);
        self.flush_to_venue();
        written
    }

    /// Sends what was written. What cannot leave now leaves with the next turn; a connection that is over is noticed there.
    pub(super) fn flush_to_venue(&mut self) {
        if let Some((end, _)) = &mut self.venue.conn {
            end.flush().ok();
        }
    }

    /// Writes a message to the venue, which leaves with the next [`Gateway::flush_to_venue`]; false where there is none, or no room.
    pub(super) fn write_to_venue(&mut self, message: &[u8], now: UnixNanos) -> bool {
        let Some((end, session)) = self.venue.conn.as_mut().filter(|(_, session)| session.is_in()) else {
            return false;
        };
        let written = end
            .room(message.len() + wire::soupbin::HEADER_LEN)
            .and_then(|room| session.send(UNSEQUENCED, message, room, now));
        let Some(bytes) = written else { return false };
        end.wrote(bytes);
        true
    }
}
