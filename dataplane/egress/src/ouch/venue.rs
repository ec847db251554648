//! The venue's side: the login, and what its answers do to the gate, the book and the firm's stream.

use super::book::Held;
use super::counters::Count;
use super::gateway::Gateway;
use super::sides::{Copied, count_of_venue};
use super::words::{Refusal, Report, Token};
use crate::socket::End;
use crate::soup::{ClientEvent, ClientSession, Fault, Login};
use crate::store::Kind;
use gate::{OrderEvent, Settlement};
use std::net::TcpStream;
use std::time::Duration;
use types::{Qty, Side, Symbol, UnixNanos};
use wire::soupbin::{HEADER_LEN, LOGOUT, NO_SUCH_SESSION};

/// Packets of the venue's that are looked at in one turn.
const PACKETS_A_TURN: usize = 256;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);

/// Midnights of time zones lie this far apart.
const QUARTER_NS: u64 = 900_000_000_000;

/// What the venue did, out of its connection's buffer.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and a box would allocate for each message"
)]
enum Heard {
    LoggedIn([u8; 10], u64),
    Refused(u8),
    Message(u64, Copied),
    Ended,
}

impl Gateway {
    /// Takes what the venue has sent. Nothing is read while nobody could take note of it.
    pub(super) fn turn_venue(&mut self, now: UnixNanos) -> bool {
        if !self.port.is_attached() {
            return false;
        }
        let Some((end, _)) = &mut self.venue.conn else { return false };
        let filled = end.fill();
        let mut busy = false;
        for _ in 0..PACKETS_A_TURN {
            match self.next_of_venue(now) {
                Ok(Some(heard)) => {
                    busy = true;
                    self.hear(heard, now);
                }
                Ok(None) => break,
                Err(fault) => {
                    self.said.push(format!("the connection to the venue is ended: {fault:?}"));
                    self.lose_venue(Some(fault), now);
                    return true;
                }
            }
        }
        let flushed = self.venue.conn.as_mut().map_or(Ok(0), |(end, _)| end.flush());
        if (filled.is_err() && !busy) || flushed.is_err() {
            self.said.push(format!("the venue's connection has ended: {:?}", filled.and(flushed)));
            self.lose_venue(None, now);
        }
        busy
    }

    fn next_of_venue(&mut self, now: UnixNanos) -> Result<Option<Heard>, Fault> {
        loop {
            let Some((end, session)) = &mut self.venue.conn else { return Ok(None) };
            let Some((event, used)) = session.take(end.input(), now)? else { return Ok(None) };
            let heard = match event {
                ClientEvent::LoggedIn { session, sequence } => Some(Heard::LoggedIn(session, sequence)),
                ClientEvent::Refused(reason) => Some(Heard::Refused(reason)),
                ClientEvent::Message { sequence, message } => {
                    Some(Heard::Message(sequence, Copied::of(message)))
                }
                ClientEvent::Ended => Some(Heard::Ended),
                ClientEvent::Nothing => None,
            };
            end.consume(used);
            if heard.is_some() {
                return Ok(heard);
            }
        }
    }

    fn lose_venue(&mut self, fault: Option<Fault>, now: UnixNanos) {
        if self.venue.conn.is_some() {
            self.counters.add(count_of_venue(fault));
            self.venue.lose(now);
        }
    }

    /// Connects, logs in, and keeps the connection alive.
    pub(super) fn chores_of_venue(&mut self, now: UnixNanos) {
        let stopping = self.is_stopping();
        match &mut self.venue.conn {
            None if now >= self.venue.retry_at && !stopping => self.connect(now),
            None => {}
            Some((end, session)) => match session.due(now) {
                Ok(None) => {}
                Ok(Some(heartbeat)) => {
                    let room = end.room(HEADER_LEN);
                    if let Some(bytes) = room.and_then(|room| session.send(heartbeat, &[], room, now)) {
                        end.wrote(bytes);
                    }
                }
                Err(fault) => {
                    self.said.push(format!("the connection to the venue is ended: {fault:?}"));
                    self.lose_venue(Some(fault), now);
                }
            },
        }
    }

    fn connect(&mut self, now: UnixNanos) {
        let stream = TcpStream::connect_timeout(&self.setup.venue, CONNECT_TIMEOUT);
        let Ok(mut end) = stream.and_then(End::new) else { return self.venue.lose(now) };
        let mut client = ClientSession::new(now);
        let known = self.session.as_ref().filter(|_| !self.venue.any_session);
        let name =
            known.map(|session| String::from_utf8_lossy(&session.name).into_owned()).unwrap_or_default();
        let logins = &self.setup.logins;
        let login = Login {
            username: &logins.venue_username,
            password: &logins.venue_password,
            session: &name,
            sequence: known.map_or(1, |session| session.store.venue_next()),
        };
        if let Some(bytes) = end.room(64).and_then(|room| client.login(&login, room, now)) {
            end.wrote(bytes);
        }
        end.flush().ok();
        self.venue.conn = Some((end, client));
    }

    fn hear(&mut self, heard: Heard, now: UnixNanos) {
        match heard {
            Heard::LoggedIn(name, sequence) => self.logged_in(name, sequence, now),
            Heard::Refused(reason) => {
                // The session that is known may be over: the next login takes any.
                self.venue.any_session = reason == NO_SUCH_SESSION;
                self.said
                    .push(format!("the venue refuses the login: {}", char::from(reason).escape_default()));
                self.lose_venue(None, now);
            }
            Heard::Message(sequence, message) => self.take_report(sequence, message.bytes(), now),
            Heard::Ended => {
                self.said.push("the venue's session is over: whatever was open is done".to_owned());
                self.end_session(now);
            }
        }
    }

    fn logged_in(&mut self, name: [u8; 10], sequence: u64, now: UnixNanos) {
        self.counters.add(Count::VenueLogins);
        self.venue.found();
        self.venue.any_session = false;
        if self.session.as_ref().is_none_or(|session| session.name != name) {
            if let Err(error) = self.enter(name) {
                self.said.push(format!("the session cannot be kept: {error}"));
                return self.lose_venue(None, now);
            }
            // The firm is in a session that is over; it logs in to the new one.
            self.firm.conn = None;
        }
        let wanted = self.session.as_ref().map_or(1, |session| session.store.venue_next());
        if sequence != wanted {
            self.is_at_odds = true;
            self.said.push(format!(
                "the venue goes on with message {sequence}, wanted {wanted}: no order passes until a person has looked"
            ));
        }
        if !self.setup.dialect.has_numbers() {
            self.doubt_unanswered();
        }
        // What was asked for when the connection was lost is asked for again.
        self.send_cancels(now);
        while let Some(message) = self.venue.waiting.pop_front() {
            let passed = self.send_to_venue(message.bytes(), now);
            self.counters.add(if passed { Count::Cancels } else { Count::CancelsLost });
        }
        if self.setup.dialect.has_numbers() {
            self.ask(now);
        } else {
            self.venue.be_ready();
        }
    }

    /// Asks for the next number: whatever was sent before is answered before that is, or never will be.
    fn ask(&mut self, now: UnixNanos) {
        let Some(query) = self.setup.dialect.query() else { return };
        if self.venue.asked.is_none() && self.send_to_venue(query.bytes(), now) {
            self.sent += 1;
            self.venue.asked = Some(self.sent);
        }
    }

    /// A version without that question: orders without an answer are cancelled, and count until the venue speaks of them.
    fn doubt_unanswered(&mut self) {
        for id in self.book.unanswered(self.sent) {
            if let Some(held) = self.book.get_mut(id) {
                held.cancelling = true;
            }
        }
    }

    /// Sends a cancel for each order that is to be cancelled.
    pub(super) fn send_cancels(&mut self, now: UnixNanos) {
        let dialect = self.setup.dialect;
        let wanted: Vec<Token> =
            self.book.iter_mut().filter(|(_, held)| held.cancelling).map(|(_, held)| held.token).collect();
        for token in wanted {
            if self.send_to_venue(dialect.cancel(token).bytes(), now) {
                self.counters.add(Count::OwnCancels);
            }
        }
    }

    /// The venue answered which number is next.
    fn take_next(&mut self, next: u32, now: UnixNanos) {
        let Some(asked) = self.venue.asked.take() else { return };
        for id in self.book.unanswered(asked) {
            let Some(held) = self.book.get(id) else { continue };
            let never_came = held.token.number() >= next;
            let is_ignored = held.replaces != 0;
            if never_came || is_ignored {
                self.release(id, if is_ignored { Refusal::TooLate } else { Refusal::VenueAway }, now);
            }
        }
        self.last_number = self.last_number.max(next.saturating_sub(1));
        self.venue.be_ready();
    }

    /// An order never reached the venue, or a replacement was ignored: it counts no more, and the firm is told.
    fn release(&mut self, id: u64, refusal: Refusal, now: UnixNanos) {
        self.settle(OrderEvent::Rejected { id }, now);
        if let Some(held) = self.book.remove(id) {
            self.counters.add(Count::Released);
            self.reject(held.token, held.text, refusal, now);
        }
    }

    /// The session is over for good.
    fn end_session(&mut self, now: UnixNanos) {
        let ids: Vec<u64> = self.book.iter_mut().map(|(id, _)| *id).collect();
        for id in ids {
            self.settle(OrderEvent::Cancelled { id }, now);
        }
        self.book.clear();
        self.venue.any_session = true;
        self.lose_venue(None, now);
    }

    fn settle(&mut self, event: OrderEvent, now: UnixNanos) -> Settlement {
        self.port.settle(event, now)
    }

    /// One message of the venue's stream: the gate first, then the record, then the firm.
    fn take_report(&mut self, sequence: u64, message: &[u8], now: UnixNanos) {
        let Some((report, stamp)) = self.setup.dialect.report(message) else {
            self.is_at_odds = true;
            self.counters.add(Count::Unreadable);
            let what = "cannot be read: no order passes until a person has looked";
            self.said.push(format!("message {sequence} of the venue {what}"));
            return self.keep(Kind::ForFirm, sequence, message);
        };
        let midnight = now.0.saturating_sub(stamp);
        self.midnight = Some((midnight + QUARTER_NS / 2) / QUARTER_NS * QUARTER_NS);
        let kind = if matches!(report, Report::Next(_)) { Kind::Seen } else { Kind::ForFirm };
        self.take_note(&report, now);
        self.keep(kind, sequence, message);
        self.ahead.clear();
        if let Report::Next(next) = report {
            self.take_next(next, now);
        }
    }

    fn take_note(&mut self, report: &Report, now: UnixNanos) {
        match *report {
            Report::Accepted { token, symbol, side, qty, dead } => {
                let Some(id) = self.note_answer(token, now) else { return };
                let is_open = self.settle(OrderEvent::Accepted { id }, now) == Settlement::Working;
                if is_open && self.book.get(id).is_none() {
                    let found = self.found(token, symbol, side, qty);
                    self.book.add(id, found);
                }
                self.leave(id, qty, now);
                if dead {
                    self.leave(id, 0, now);
                }
            }
            Report::Replaced { of, token, left, dead, .. } => {
                let (Some(id), Some(replaced)) = (self.note_answer(token, now), self.id(of)) else { return };
                self.settle(OrderEvent::Replaced { id }, now);
                if let Some(held) = self.book.replaced(replaced, id) {
                    held.qty = held.qty.max(left.saturating_add(held.executed));
                }
                self.leave(id, if dead { 0 } else { left }, now);
            }
            Report::Reduced { token, by } => {
                let Some(id) = self.note_answer(token, now) else { return };
                let left = self.book.get(id).map_or(0, |held| held.leaves().saturating_sub(by));
                self.leave(id, left, now);
            }
            Report::Left { token, left } => {
                let Some(id) = self.note_answer(token, now) else { return };
                self.leave(id, left, now);
            }
            Report::Executed { token, qty, match_number } => self.executed(token, qty, match_number, now),
            Report::Broken { token, match_number } => self.broken(token, match_number, now),
            Report::Rejected { token } => {
                let Some(id) = self.note_answer(token, now) else { return };
                self.counters.add(Count::VenueRejects);
                self.settle(OrderEvent::Rejected { id }, now);
                self.book.remove(id);
            }
            Report::Next(_) | Report::Other => {}
        }
    }

    /// An order that the gate holds and that was sent before the gateway was started.
    fn found(&mut self, token: Token, symbol: Symbol, side: Side, qty: u32) -> Held {
        Held {
            token,
            text: [b' '; 14],
            instrument: self.port.instrument(symbol),
            side,
            qty,
            executed: 0,
            answered: true,
            cancelling: self.setup.cancel_on_disconnect,
            replaces: 0,
            replacement: 0,
            sent: 0,
        }
    }

    /// The venue speaks of an order. Whatever was sent before it and is a replacement of what is done was ignored.
    fn note_answer(&mut self, token: Token, now: UnixNanos) -> Option<u64> {
        let id = self.id(token)?;
        self.note_number(token);
        let first = self.book.get_mut(id).filter(|held| !held.answered).map(|held| {
            held.answered = true;
            held.sent
        });
        if let Some(sent) = first.filter(|_| self.book.has_orphans()) {
            for ignored in self.book.ignored(sent) {
                self.release(ignored, Refusal::TooLate, now);
            }
        }
        Some(id)
    }

    /// `left` shares of an order can still trade; it says so to the gate, where that is less than before.
    fn leave(&mut self, id: u64, left: u32, now: UnixNanos) {
        let Some(held) = self.book.get_mut(id) else {
            if left == 0 {
                self.settle(OrderEvent::Cancelled { id }, now);
            }
            return;
        };
        let less = held.leaves().saturating_sub(left);
        held.qty = held.qty.saturating_sub(less);
        if left == 0 {
            self.settle(OrderEvent::Cancelled { id }, now);
            self.done(id, now);
        } else if less > 0 && self.ahead.get(&id) != Some(&less) {
            // The gate may know of what was taken off before a kill: that it then knows already is what `ahead` says.
            self.settle(OrderEvent::Reduced { id, qty: Qty(less) }, now);
        }
    }

    fn executed(&mut self, token: Token, qty: u32, match_number: u64, now: UnixNanos) {
        let (Some(id), Some(key)) = (self.note_answer(token, now), self.session.as_ref().map(|s| s.key))
        else {
            return;
        };
        let execution = key.execution(match_number, token);
        let settled = self.settle(OrderEvent::Executed { id, execution, qty: Qty(qty) }, now);
        self.counters.add(if settled == Settlement::Repeated { Count::Repeats } else { Count::Fills });
        let Some(held) = self.book.get_mut(id) else { return };
        held.executed = held.executed.saturating_add(qty);
        if held.leaves() == 0 {
            self.done(id, now);
        }
    }

    /// An order is done. A replacement of it that is under way may never be answered, so the venue is asked.
    fn done(&mut self, id: u64, now: UnixNanos) {
        self.book.remove(id);
        if self.book.has_orphans() {
            self.ask(now);
        }
    }

    /// A trade is taken back: how much it was stands in the stream.
    fn broken(&mut self, token: Token, match_number: u64, now: UnixNanos) {
        let (Some(id), Some(session)) = (self.id(token), &self.session) else { return };
        let (dialect, mut qty) = (self.setup.dialect, None);
        let looked = session.store.look_through(|record| {
            if let Some((Report::Executed { token: of, qty: q, match_number: number }, _)) =
                dialect.report(record.message)
                && of == token
                && number == match_number
            {
                qty = Some(q);
            }
            qty.is_none()
        });
        self.counters.add(Count::Busts);
        match (looked, qty) {
            (Ok(()), Some(qty)) => {
                self.settle(OrderEvent::Busted { id, qty: Qty(qty) }, now);
            }
            _ => {
                self.is_at_odds = true;
                let what = "which the gateway was never told: no order passes until a person has looked";
                self.said.push(format!("the venue takes back trade {match_number}, {what}"));
            }
        }
    }

    /// Leaves both sides.
    pub(super) fn leave_both(&mut self, now: UnixNanos) {
        if let Some((end, session)) = &mut self.venue.conn {
            let room = end.room(HEADER_LEN);
            if let Some(bytes) = room.and_then(|room| session.send(LOGOUT, &[], room, now)) {
                end.wrote(bytes);
            }
            end.flush().ok();
        }
        self.venue.conn = None;
        self.firm.conn = None;
        self.firm.candidate = None;
    }
}
