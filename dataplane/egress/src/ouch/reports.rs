//! What the venue's answers do to the gate, the book and the firm's stream.

use super::book::Held;
use super::counters::Count;
use super::gateway::Gateway;
use super::words::{Refusal, Report, Token};
use crate::orders::executed;
use crate::owner::OwnerIndex;
use crate::store::Kind;
use gate::{OrderEvent, Settlement};
use types::{Px, Qty, Side, Symbol, UnixNanos};

/// Midnights of time zones lie this far apart.
const QUARTER_NS: u64 = 900_000_000_000;

/// A trade, as the venue says it.
#[derive(Clone, Copy)]
pub(super) struct Traded {
    pub(super) qty: u32,
    pub(super) px: Px,
    pub(super) match_number: u64,
}

impl Gateway {
    /// One message of the venue's stream: the gate first, then the record, then the firm.
    pub(super) fn take_report(&mut self, sequence: u64, message: &[u8], now: UnixNanos) {
        if self.session.as_ref().is_some_and(|session| sequence < session.store.venue_next()) {
            return self.counters.add(Count::Older);
        }
        let Some((report, stamp)) = self.setup.dialect.report(message) else {
            self.counters.add(Count::Unreadable);
            self.be_at_odds(&format!("message {sequence} of the venue cannot be read"));
            return self.keep(Kind::ForFirm, sequence, message);
        };
        let midnight = self.clock.wall().0.saturating_sub(stamp);
        self.midnight = Some((midnight + QUARTER_NS / 2) / QUARTER_NS * QUARTER_NS);
        let kind = if matches!(report, Report::Next(_)) { Kind::Seen } else { Kind::ForFirm };
        self.take_note(&report, now);
        self.keep(kind, sequence, message);
        if let Report::Next(next) = report {
            self.take_next(next, now);
        }
    }

    fn take_note(&mut self, report: &Report, now: UnixNanos) {
        match *report {
            Report::Accepted { token, symbol, side, qty, dead, .. } => {
                let Some(id) = self.note_answer(token) else { return };
                let settled = self.settle(OrderEvent::Accepted { id });
                if self.book.get(id).is_none() {
                    let found = self.found(token, symbol, side, qty);
                    self.book.add(id, found);
                }
                if settled != Settlement::Working && !dead {
                    self.take_off(id, token);
                }
                if let Some(held) = self.book.get_mut(id) {
                    // Found again after a kill, it may have been told smaller by what came after this.
                    held.qty = held.qty.max(qty);
                }
                self.leave(id, qty, now);
                if dead {
                    self.leave(id, 0, now);
                }
            }
            Report::Replaced { of, token, symbol, side, left, dead } => {
                let (Some(id), Some(replaced)) = (self.note_answer(token), self.id(of)) else { return };
                let is_known = self.book.get(id).is_some();
                let settled = self.settle(OrderEvent::Replaced { id });
                if let Some(held) = self.book.replaced(replaced, id) {
                    held.qty = held.qty.max(left.saturating_add(held.executed));
                } else {
                    self.book.remove(replaced);
                    let found = self.found(token, symbol, side, left);
                    self.book.add(id, found);
                }
                // Told again after a kill, it changes nothing at the gate, which then holds it.
                if !is_known && !matches!(settled, Settlement::Working | Settlement::Done) && !dead {
                    self.take_off(id, token);
                }
                self.leave(id, if dead { 0 } else { left }, now);
            }
            Report::Reduced { token, by } => {
                let Some(id) = self.note_answer(token) else { return };
                match self.book.get(id).map(|held| held.leaves().saturating_sub(by)) {
                    Some(left) => self.leave(id, left, now),
                    None => {
                        self.settle(OrderEvent::Reduced { id, qty: Qty(by) });
                    }
                }
            }
            Report::Left { token, left } => {
                let Some(id) = self.note_answer(token) else { return };
                if self.book.get(id).is_some_and(|held| left > held.leaves()) {
                    self.take_off(id, token);
                }
                self.leave(id, left, now);
            }
            Report::Executed { token, qty, px, match_number } => {
                self.executed(token, Traded { qty, px, match_number }, now);
            }
            Report::Broken { token, match_number } => self.broken(token, match_number),
            Report::Rejected { token } => {
                let Some(id) = self.note_answer(token) else { return };
                self.counters.add(Count::VenueRejects);
                self.settle(OrderEvent::Rejected { id });
                self.book.remove(id);
            }
            Report::Next(_) | Report::Other => {}
        }
    }

    /// An order that the gate holds and that was sent before the gateway was started.
    fn found(&mut self, token: Token, symbol: Symbol, side: Side, qty: u32) -> Held {
        self.venue.owes_cancels = true;
        Held {
            token,
            text: [b' '; 14],
            owner: OwnerIndex::default(),
            instrument: self.port.instrument(symbol),
            side,
            qty,
            executed: 0,
            answered: true,
            cancelling: self.setup.cancel_on_disconnect,
            cancel_sent: false,
            replaces: 0,
            replacement: 0,
            sent: 0,
        }
    }

    /// The venue has an order that the gate has not, or has it larger: it is cancelled, and no other passes.
    fn take_off(&mut self, id: u64, token: Token) {
        self.counters.add(Count::Strange);
        if let Some(held) = self.book.get_mut(id) {
            (held.cancelling, held.cancel_sent) = (true, false);
            self.venue.owes_cancels = true;
        }
        let name = token.0.escape_ascii();
        self.be_at_odds(&format!("the venue has order {name}, which the gate has not or has smaller"));
    }

    /// The venue speaks of an order. Whatever was sent before it and is a replacement of what is done was ignored.
    fn note_answer(&mut self, token: Token) -> Option<u64> {
        let id = self.id(token)?;
        self.note_number(token);
        self.note_used(id);
        let first = self.book.get_mut(id).filter(|held| !held.answered).map(|held| {
            held.answered = true;
            held.sent
        });
        if let Some(sent) = first.filter(|_| self.book.has_orphans()) {
            for ignored in self.book.ignored(sent) {
                self.release(ignored, Refusal::TooLate);
            }
        }
        Some(id)
    }

    /// `left` shares of an order can still trade; it says so to the gate, where that is less than before.
    fn leave(&mut self, id: u64, left: u32, now: UnixNanos) {
        let Some(held) = self.book.get_mut(id) else {
            if left == 0 {
                self.settle(OrderEvent::Cancelled { id });
            }
            return;
        };
        held.qty = held.qty.saturating_sub(held.leaves().saturating_sub(left));
        if left == 0 {
            self.settle(OrderEvent::Cancelled { id });
            self.done(id, now);
            return;
        }
        // By the gate's own books: told again after a kill it is nothing new to the gate, which may know of what comes after it, too.
        let less = self.port.left(id).map_or(0, |counted| counted.saturating_sub(left));
        if less > 0 {
            self.settle(OrderEvent::Reduced { id, qty: Qty(less) });
        }
    }

    fn executed(&mut self, token: Token, traded: Traded, now: UnixNanos) {
        let Traded { qty, px, match_number } = traded;
        let (Some(id), Some(session)) = (self.note_answer(token), &mut self.session) else { return };
        let execution = session.key.execution(match_number, token);
        let is_new = session.executions.insert(execution, qty).is_none();
        let settled = self.settle(executed(id, execution, Qty(qty), px));
        self.tell_executed((id, execution), traded, false);
        self.counters.add(if settled == Settlement::Repeated { Count::Repeats } else { Count::Fills });
        // The gate may know it from before a kill; the book follows the stream.
        let Some(held) = self.book.get_mut(id).filter(|_| is_new) else { return };
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

    /// A trade is taken back: how many shares it was of was told when it was made.
    fn broken(&mut self, token: Token, match_number: u64) {
        let (Some(id), Some(session)) = (self.id(token), &self.session) else { return };
        self.counters.add(Count::Busts);
        let execution = session.key.execution(match_number, token);
        match session.executions.get(&execution).copied() {
            Some(qty) => {
                self.settle(OrderEvent::BustedExecution { id, execution, qty: Qty(qty) });
                self.tell_executed((id, execution), Traded { qty, px: Px::NONE, match_number }, true);
            }
            None => {
                self.be_at_odds(&format!("the venue takes back trade {match_number}, which it never told"));
            }
        }
    }

    /// An order never reached the venue, or a replacement was ignored: it counts no more, and the firm is told.
    pub(super) fn release(&mut self, id: u64, refusal: Refusal) {
        if let Some(held) = self.book.remove(id) {
            self.counters.add(Count::Released);
            // Kept first: whoever is killed in between finds an order that the stream says is done.
            self.reject(held.token, held.text, refusal);
        }
        self.settle(OrderEvent::Rejected { id });
    }

    pub(super) fn settle(&mut self, event: OrderEvent) -> Settlement {
        self.port.settle(event, self.clock.wall())
    }
}
