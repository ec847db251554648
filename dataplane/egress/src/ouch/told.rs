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
            Report::Executed { token, qty, match_number } => {
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
