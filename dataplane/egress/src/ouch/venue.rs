//! The venue's side: the login, what is asked of it, and the cancels that are the gateway's own.

use super::counters::Count;
use super::gateway::Gateway;
use super::sides::{Copied, Round, count_of_venue};
use super::words::{Refusal, Token};
use crate::socket::{End, Stream};
use crate::soup::{ClientEvent, ClientSession, Fault, Login};
use crate::store::Kind;
use gate::OrderEvent;
use types::UnixNanos;
use wire::soupbin::{HEADER_LEN, LOGOUT, NO_SUCH_SESSION};

/// Packets of the venue's that are looked at in one turn.
const PACKETS_A_TURN: usize = 256;

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
        let has_room = self.can_hold_more();
        let Some((end, session)) = &mut self.venue.conn else { return false };
        if !has_room {
            // What it says waits in the socket; what is sent to it does not.
            session.is_not_read(now);
            self.flush_to_venue();
            return false;
        }
        let filled = end.fill();
        let mut busy = false;
        for _ in 0..PACKETS_A_TURN {
            match self.next_of_venue(now) {
                Ok(Some(heard)) => {
                    busy = true;
                    self.hear(heard, now);
                    if !self.can_hold_more() {
                        break;
                    }
                }
                Ok(None) => break,
                Err(fault) => {
                    self.said.push(format!("the connection to the venue is ended: {fault}"));
                    self.lose_venue(Some(fault), now);
                    return true;
                }
            }
        }
        let flushed = self.venue.conn.as_mut().map_or(Ok(0), |(end, _)| end.flush());
        if (filled.is_err() && !busy) || flushed.is_err() {
            if let Err(closed) = filled.and(flushed) {
                self.said.push(format!("the venue's connection has ended: {closed}"));
            }
            self.lose_venue(None, now);
        }
        busy
    }

    /// Whether another message of the venue's could be kept, if only in memory.
    fn can_hold_more(&self) -> bool {
        self.session.as_ref().is_none_or(|session| session.store.can_hold(false))
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
        // While it stops it still has cancels to bring.
        let is_over = self.is_stopping() && self.book.len() == 0;
        self.drain(now);
        self.send_cancels(now);
        // Where there was no room for the question.
        if !self.venue.is_ready && self.setup.dialect.has_numbers() {
            self.ask(now);
        }
        if let Some((_, session)) = self.venue.conn.as_mut().filter(|_| !self.port.is_attached()) {
            // What the venue says waits in the socket until somebody can take note of it.
            session.is_not_read(now);
        }
        match &mut self.venue.conn {
            None if now >= self.venue.retry_at && !is_over => {
                if let Some(stream) = self.venue.connector.as_mut().and_then(|connector| connector.poll(now))
                {
                    self.connected(stream, now);
                }
            }
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
                    self.said.push(format!("the connection to the venue is ended: {fault}"));
                    self.lose_venue(Some(fault), now);
                }
            },
        }
    }

    /// Logs in over a new connection.
    pub(super) fn connected(&mut self, stream: impl Into<Stream>, now: UnixNanos) {
        let Ok(mut end) = End::new(stream) else { return self.venue.lose(now) };
        end.reset_on_drop(true);
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
        if sequence > wanted {
            self.be_at_odds(&format!("the venue goes on with message {sequence}, wanted {wanted}"));
            return self.lose_venue(None, now);
        }
        for (_, held) in self.book.iter_mut() {
            held.cancel_sent = false;
        }
        self.venue.owes_cancels = true;
        if self.setup.dialect.has_numbers() {
            self.ask(now);
        } else {
            self.doubt_unanswered();
            self.venue.be_ready();
        }
        // What was asked for when the connection was lost is asked for again.
        self.send_cancels(now);
        self.drain(now);
    }

    /// Sends what waits for the venue.
    fn drain(&mut self, now: UnixNanos) {
        while let Some(message) = self.venue.waiting.front().copied() {
            if !self.send_to_venue(message.bytes(), now) {
                return;
            }
            self.venue.waiting.pop_front();
            self.counters.add(Count::Cancels);
        }
    }

    /// Asks for the next number: whatever was sent before is answered before that is, or never will be.
    pub(super) fn ask(&mut self, now: UnixNanos) {
        let is_in = self.venue.conn.as_ref().is_some_and(|(_, session)| session.is_in());
        // A question that is not kept may be answered after a kill, by what is then taken for the answer to a later one.
        let may = is_in && self.venue.round.is_none() && self.is_kept();
        let Some(session) = self.session.as_ref().filter(|_| may) else { return };
        let need = session.asked.saturating_sub(session.answered) + 1;
        if self.send_question(now) {
            self.venue.round = Some(Round { mark: self.sent, need });
        }
    }

    fn send_question(&mut self, now: UnixNanos) -> bool {
        let Some(query) = self.setup.dialect.query() else { return false };
        // Kept first: an answer that comes after a kill is then known for one of an earlier question.
        self.keep(Kind::Asked, 0, &[]);
        if !self.is_kept() {
            return false;
        }
        if let Some(session) = &mut self.session {
            session.asked += 1;
        }
        self.sent += 1;
        self.send_to_venue(query.bytes(), now)
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
        if !self.venue.owes_cancels || !self.venue.conn.as_ref().is_some_and(|(_, session)| session.is_in()) {
            return;
        }
        let due = self.book.iter_mut().filter(|(_, held)| held.cancelling && !held.cancel_sent);
        let wanted: Vec<(u64, Token)> = due.map(|(id, held)| (*id, held.token)).collect();
        // All of them in one piece, as far as there is room.
        let sent = wanted.iter().take_while(|(id, token)| {
            let is_written = self.write_to_venue(dialect.cancel(*token).bytes(), now);
            if is_written && let Some(held) = self.book.get_mut(*id) {
                held.cancel_sent = true;
            }
            is_written
        });
        let count = sent.count();
        self.counters.add_all(Count::OwnCancels, count as u64);
        self.flush_to_venue();
        self.venue.owes_cancels = count < wanted.len();
    }

    /// The venue answered which number is next.
    pub(super) fn take_next(&mut self, next: u32, now: UnixNanos) {
        if let Some(session) = &mut self.session {
            session.answered += 1;
        }
        // Without a round it answers an earlier connection's question.
        let Some(round) = self.venue.round.as_mut() else { return };
        round.need -= 1;
        if round.need > 0 {
            if !self.is_kept() {
                // The round begins anew when the disk takes its questions.
                self.venue.round = None;
            } else if !self.send_question(now) {
                self.lose_venue(None, now);
            }
            return;
        }
        let mark = round.mark;
        self.venue.round = None;
        for id in self.book.unanswered(mark) {
            let Some(held) = self.book.get(id) else { continue };
            let never_came = held.token.number() >= next;
            // Its order was done when it came. Where the order lives, an answer is still to come.
            let is_ignored = held.replaces != 0 && self.book.get(held.replaces).is_none();
            if never_came || is_ignored {
                self.release(id, if is_ignored { Refusal::TooLate } else { Refusal::VenueAway });
            }
        }
        self.last_number = self.last_number.max(next.saturating_sub(1));
        self.venue.be_ready();
        if self.book.has_orphans() {
            self.ask(now);
        }
    }

    /// The session is over for good.
    fn end_session(&mut self, now: UnixNanos) {
        if !self.venue.conn.as_ref().is_some_and(|(_, session)| session.is_in()) {
            return self.lose_venue(None, now);
        }
        let ids: Vec<u64> = self.book.iter_mut().map(|(id, _)| *id).collect();
        for id in ids {
            self.settle(OrderEvent::Cancelled { id });
        }
        self.book.clear();
        self.venue.any_session = true;
        self.lose_venue(None, now);
    }

    /// Leaves both sides.
    pub(super) fn leave_both(&mut self, now: UnixNanos) {
        if let Some((end, session)) = &mut self.venue.conn {
            end.reset_on_drop(false);
            let room = end.room(HEADER_LEN);
            if let Some(bytes) = room.and_then(|room| session.send(LOGOUT, &[], room, now)) {
                end.wrote(bytes);
            }
            end.flush().ok();
        }
        self.venue.conn = None;
        self.firm.conn = None;
        self.firm.candidates.clear();
    }
}
