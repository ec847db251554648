//! What the kept stream of a session says became of its orders.

use super::dialect::{Dialect, SessionKey};
use super::words::{Report, Token};
use crate::store::{Kind, Record};
use std::collections::{HashMap, HashSet};

/// What a kept stream tells.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Orders that may still trade: their token, what is left, and what the chain has executed.
    pub(super) orders: HashMap<u64, (Token, u32, u32)>,
    pub(super) last_number: u32,
    pub(super) asked: u64,
    pub(super) answered: u64,
    pub(super) executions: HashMap<u64, u32>,
    pub(super) used: HashSet<u64>,
    /// Orders that the gateway itself told the firm were rejected.
    pub(super) released: HashSet<u64>,
}

impl Told {
    pub(super) fn take(&mut self, dialect: Dialect, key: SessionKey, record: &Record<'_>) {
        if record.kind == Kind::Asked {
            self.asked += 1;
            return;
        }
        let Some((report, _)) = dialect.report(record.message) else { return };
        let id = |token| dialect.id(key, token);
        match report {
            Report::Accepted { token, qty, dead, .. } => {
                self.leave(id(token), token, if dead { 0 } else { qty }, 0);
            }
            Report::Replaced { of, token, left, dead, .. } => {
                let executed = self.orders.remove(&id(of)).map_or(0, |known| known.2);
                self.leave(id(token), token, if dead { 0 } else { left }, executed);
            }
            Report::Reduced { token, by } => {
                let (left, executed) = self.of(id(token));
                self.leave(id(token), token, left.saturating_sub(by), executed);
            }
            Report::Executed { token, qty, match_number, .. } => {
                // Told a second time, it changes nothing.
                if self.executions.insert(key.execution(match_number, token), qty).is_some() {
                    return;
                }
                let (left, executed) = self.of(id(token));
                self.leave(id(token), token, left.saturating_sub(qty), executed.saturating_add(qty));
            }
            Report::Left { token, left } => self.leave(id(token), token, left, self.of(id(token)).1),
            Report::Rejected { token } => {
                if record.venue_sequence == 0 {
                    self.released.insert(id(token));
                }
                self.leave(id(token), token, 0, 0);
            }
            Report::Next(_) => self.answered += 1,
            Report::Broken { .. } | Report::Other => {}
        }
    }

    /// Whether the stream says that an order is done, or was replaced.
    pub(super) fn is_done(&self, id: u64) -> bool {
        self.used.contains(&id) && !self.orders.contains_key(&id)
    }

    /// What is left of an order, and what its chain has executed.
    fn of(&self, id: u64) -> (u32, u32) {
        self.orders.get(&id).map_or((0, 0), |known| (known.1, known.2))
    }

    fn leave(&mut self, id: u64, token: Token, left: u32, executed: u32) {
        self.last_number = self.last_number.max(token.number());
        self.used.insert(id);
        if left == 0 {
            self.orders.remove(&id);
        } else {
            self.orders.insert(id, (token, left, executed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::IntoBytes;
    use wire::ouch50::outbound::{Accepted, Canceled, LIVE, Rejected};

    /// An order that the stream says is done is not one that the venue has not answered: its replacement, which may never be answered, would
    /// wait for it for ever. What the gateway itself told the firm is apart from what the venue rejected.
    #[test]
    fn what_is_done_and_what_never_came_are_told_apart_from_what_is_open() {
        let key = SessionKey::of(b"  20261130");
        let mut told = Told::default();
        let accepted = |number: u32| {
            let (symbol, text) = (*b"FUTX    ", [b' '; 14]);
            Accepted::new(1, number, b'B', 10, symbol, 100, b'0', b'Y', 7, b'P', b'N', b'N', LIVE, text)
        };
        let rejected = |number: u32| Rejected::new(1, number, 2, [b' '; 14]);
        let mut take = |venue_sequence: u64, message: &[u8]| {
            told.take(Dialect::V50, key, &Record { kind: Kind::ForFirm, venue_sequence, message });
        };
        take(1, &[accepted(1).as_bytes(), &[0, 0]].concat());
        take(2, &[accepted(2).as_bytes(), &[0, 0]].concat());
        take(3, Canceled::new(1, 1, 10, b'U').as_bytes());
        take(4, rejected(3).as_bytes());
        take(0, rejected(4).as_bytes());
        let id = |number| Dialect::V50.id(key, Token::of_number(number));
        assert_eq!([1, 2, 3, 4, 5].map(|number| told.is_done(id(number))), [true, false, true, true, false]);
        assert_eq!([3, 4].map(|number| told.released.contains(&id(number))), [false, true]);
        assert_eq!(told.orders.keys().copied().collect::<Vec<_>>(), [id(2)]);
        assert_eq!(told.last_number, 4);
    }
}
