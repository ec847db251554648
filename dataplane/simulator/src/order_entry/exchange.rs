//! The venue itself: takes messages, makes answers, and keeps its account. No socket, no clock.

use super::account::{Account, OpenAtVenue};
use super::speech::{Answered, Heard, Key, OuchVersion, key_of, number_of};
use crate::random::Dice;
use std::collections::{BTreeMap, BTreeSet};
use types::Side;
use wire::ouch50::side;

/// What becomes of orders that do not meet the quote: shares of chance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Behaviour {
    /// An order is rejected.
    pub reject: f64,
    /// An order trades at its own price, in part or whole, as soon as it is taken.
    pub fill: f64,
    /// Any message makes a resting order trade in part or whole.
    pub fill_resting: f64,
    /// An execution is told twice, under one match number.
    pub tell_twice: f64,
}

/// The venue.
#[derive(Debug)]
pub(super) struct Exchange {
    version: OuchVersion,
    behaviour: Behaviour,
    dice: Dice,
    pub(super) account: Account,
    /// Everything it ever sent, in sequence.
    pub(super) stream: Vec<Vec<u8>>,
    quotes: BTreeMap<[u8; 8], (u64, u64)>,
    /// The side's letter of each order, as entered.
    letters: BTreeMap<Key, u8>,
    used: BTreeSet<Key>,
    last_number: u32,
    match_number: u64,
    /// Nanoseconds since midnight.
    pub(super) now_ns: u64,
}

impl Exchange {
    pub(super) fn new(version: OuchVersion, behaviour: Behaviour, seed: u64) -> Self {
        Self {
            version,
            behaviour,
            dice: Dice::new(seed, 77),
            account: Account::default(),
            stream: Vec::new(),
            quotes: BTreeMap::new(),
            letters: BTreeMap::new(),
            used: BTreeSet::new(),
            last_number: 0,
            match_number: 1_000,
            now_ns: 0,
        }
    }

    /// Sets bid and offer of a symbol, in 1e-4; what rests and crosses them trades.
    pub(super) fn quote(&mut self, symbol: [u8; 8], bid: u64, ask: u64) {
        self.quotes.insert(symbol, (bid, ask));
        let crossing: Vec<Key> =
            self.account.open.iter().filter(|(_, o)| o.symbol == symbol).map(|(k, _)| *k).collect();
        for key in crossing {
            self.meet_quote(key);
        }
    }

    /// Takes one message.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        match self.version.hear(bytes) {
            None => self.account.malformed += 1,
            Some(Heard::Nothing) => {}
            Some(Heard::Enter { key, side, qty, symbol, price, immediate }) => {
                if self.uses(key) {
                    self.enter(key, side, qty, symbol, price, immediate);
                }
            }
            Some(Heard::Replace { of, key, qty, price, immediate }) => {
                self.replace(of, key, qty, price, immediate);
            }
            Some(Heard::Cancel { key, qty }) => self.cancel(key, qty),
            Some(Heard::MassCancel { key, firm, symbol }) => {
                if self.uses(key) {
                    self.stream.push(OuchVersion::mass_canceled(self.now_ns, key, firm, symbol));
                    let all = symbol == [b' '; 8];
                    let open = self.account.open.iter().filter(|(_, o)| all || o.symbol == symbol);
                    let keys: Vec<Key> = open.map(|(key, _)| *key).collect();
                    keys.into_iter().for_each(|key| self.cancel(key, 0));
                }
            }
            Some(Heard::Query) => self.stream.push(OuchVersion::next(self.now_ns, self.last_number + 1)),
        }
        if self.dice.chance(self.behaviour.fill_resting) {
            let resting = self.account.open.len();
            let at = self.dice.below(u32::try_from(resting.max(1)).unwrap_or(1)) as usize;
            if let Some(key) = self.account.open.keys().nth(at).copied() {
                self.fill_some(key);
            }
        }
    }

    /// Whether a name is new, and used from now on.
    fn uses(&mut self, key: Key) -> bool {
        let is_new = match self.version {
            OuchVersion::V50 => number_of(key) > self.last_number,
            OuchVersion::V42 => !self.used.contains(&key),
        };
        if !is_new {
            self.account.ignored += 1;
            return false;
        }
        self.used.insert(key);
        self.last_number = self.last_number.max(number_of(key));
        true
    }

    fn enter(&mut self, key: Key, letter: u8, qty: u32, symbol: [u8; 8], price: u64, immediate: bool) {
        self.account.taken += 1;
        let side = side(letter).filter(|_| qty > 0 && qty < 1_000_000);
        let (Some(side), false) = (side, self.dice.chance(self.behaviour.reject)) else {
            self.account.rejected += 1;
            self.stream.push(self.version.rejected(self.now_ns, key));
            return;
        };
        self.letters.insert(key, letter);
        let reference = self.stream.len() as u64 + 1;
        let answered = Answered { key, side: letter, qty, symbol, price, reference, dead: false };
        self.stream.push(self.version.accepted(self.now_ns, &answered));
        self.account.open.insert(key, OpenAtVenue { symbol, side, left: qty, executed: 0, price });
        self.trade(key, immediate);
    }

    fn trade(&mut self, key: Key, immediate: bool) {
        self.meet_quote(key);
        if self.dice.chance(self.behaviour.fill) {
            self.fill_some(key);
        }
        if immediate {
            self.cancel_for(key, 0, b'I');
        }
    }

    fn replace(&mut self, of: Key, key: Key, qty: u32, price: u64, immediate: bool) {
        let Some(order) = self.account.open.get(&of).copied() else {
            self.account.ignored += 1;
            return;
        };
        let is_new = match self.version {
            OuchVersion::V50 => number_of(key) > self.last_number,
            OuchVersion::V42 => !self.used.contains(&key),
        };
        if !is_new {
            self.account.ignored += 1;
            return;
        }
        self.account.taken += 1;
        if qty == 0 || qty > 999_999 {
            // What is invalid cancels the order, and uses no name.
            return self.cancel(of, 0);
        }
        self.uses(key);
        if self.dice.chance(self.behaviour.reject) {
            self.account.rejected += 1;
            self.stream.push(self.version.rejected(self.now_ns, key));
            return;
        }
        self.account.open.remove(&of);
        let letter = self.letters.get(&of).copied().unwrap_or(b'B');
        self.letters.insert(key, letter);
        let left = qty.saturating_sub(order.executed);
        let reference = self.stream.len() as u64 + 1;
        let (symbol, dead) = (order.symbol, left == 0);
        let answered = Answered { key, side: letter, qty: left, symbol, price, reference, dead };
        self.stream.push(self.version.replaced(self.now_ns, of, &answered));
        if !dead {
            self.account.open.insert(key, OpenAtVenue { left, price, ..order });
            self.trade(key, immediate);
        }
    }

    /// Cancels down to a whole size of `qty`, executed shares included.
    fn cancel(&mut self, key: Key, qty: u32) {
        self.cancel_for(key, qty, b'U');
    }

    fn cancel_for(&mut self, key: Key, qty: u32, reason: u8) {
        let Some(order) = self.account.open.get_mut(&key) else {
            self.account.ignored += 1;
            return;
        };
        let keep = qty.saturating_sub(order.executed).min(order.left);
        let by = order.left - keep;
        order.left = keep;
        if keep == 0 {
            self.account.open.remove(&key);
        }
        if by > 0 {
            self.stream.push(self.version.canceled(self.now_ns, key, by, reason));
        }
    }

    /// Trades an order with the quote, as far as it crosses.
    fn meet_quote(&mut self, key: Key) {
        let Some(order) = self.account.open.get(&key).copied() else { return };
        let Some((bid, ask)) = self.quotes.get(&order.symbol).copied() else { return };
        let (crosses, price) = match order.side {
            Side::Bid => (ask > 0 && order.price >= ask, ask),
            Side::Ask => (bid > 0 && order.price <= bid, bid),
        };
        if crosses {
            self.execute(key, order.left, price);
        }
    }

    fn fill_some(&mut self, key: Key) {
        let Some(order) = self.account.open.get(&key).copied() else { return };
        let qty = 1 + self.dice.below(order.left);
        self.execute(key, qty.min(order.left), order.price);
    }

    /// `qty` of an order trade.
    pub(super) fn execute(&mut self, key: Key, qty: u32, price: u64) {
        let Some(order) = self.account.open.get_mut(&key) else { return };
        let qty = qty.min(order.left);
        (order.left, order.executed) = (order.left - qty, order.executed + qty);
        let (symbol, side, left) = (order.symbol, order.side, order.left);
        if left == 0 {
            self.account.open.remove(&key);
        }
        self.match_number += 1;
        self.account.book(symbol, side, qty);
        let message = self.version.executed(self.now_ns, key, qty, price, self.match_number);
        if self.dice.chance(self.behaviour.tell_twice) {
            self.stream.push(message.clone());
        }
        self.stream.push(message);
    }

    /// Takes back the last trade of an order, which was of `qty`.
    pub(super) fn bust_last(&mut self, number: u32, symbol: [u8; 8], side: Side, qty: u32) {
        let back = match side {
            Side::Bid => Side::Ask,
            Side::Ask => Side::Bid,
        };
        self.account.book(symbol, back, qty);
        self.stream.push(self.version.broken(self.now_ns, key_of(number), self.match_number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::IntoBytes;
    use wire::ouch50::inbound::{CancelOrder, EnterOrder, ReplaceOrder};
    use wire::ouch50::outbound::{self, Msg};

    const SYMBOL: [u8; 8] = *b"ZVZZT   ";

    fn enter(number: u32, side: u8, qty: u32, price: u64) -> Vec<u8> {
        let text = [b' '; 14];
        let order = EnterOrder::new(number, side, qty, SYMBOL, price, b'0', b'Y', b'P', b'N', b'N', text);
        [order.as_bytes(), &[0, 0]].concat()
    }

    fn types(exchange: &Exchange) -> String {
        exchange.stream.iter().map(|m| char::from(m[0])).collect()
    }

    #[test]
    fn orders_meet_the_quote_and_the_account_follows() {
        let mut exchange = Exchange::new(OuchVersion::V50, Behaviour::default(), 1);
        exchange.quote(SYMBOL, 990_000, 1_000_000);
        exchange.take(&enter(1, b'B', 100, 1_000_000));
        exchange.take(&enter(2, b'S', 40, 1_010_000));
        exchange.take(&enter(2, b'S', 40, 1_010_000));
        assert_eq!((types(&exchange), exchange.account.ignored), ("AEA".to_owned(), 1));
        let replace = ReplaceOrder::new(2, 3, 60, 1_010_000, b'0', b'Y', b'N', [b' '; 14]);
        exchange.take(&[replace.as_bytes(), &[0, 0]].concat());
        exchange.quote(SYMBOL, 1_010_000, 1_020_000);
        exchange.take(CancelOrder::new(3, 0).as_bytes());
        assert_eq!((types(&exchange), exchange.account.ignored), ("AEAUE".to_owned(), 2));
        assert_eq!(exchange.account.positions[&SYMBOL], 100 - 60);
        assert!(exchange.account.open.is_empty());
    }

    #[test]
    fn a_cancel_takes_off_what_is_beyond_the_intended_size() {
        let mut exchange = Exchange::new(OuchVersion::V50, Behaviour::default(), 1);
        exchange.take(&enter(1, b'B', 100, 1_000_000));
        exchange.execute(key_of(1), 30, 1_000_000);
        exchange.take(CancelOrder::new(1, 50).as_bytes());
        let Ok(Msg::Canceled(canceled)) = outbound::decode(exchange.stream.last().unwrap()) else { panic!() };
        assert_eq!(canceled.quantity.get(), 50);
        assert_eq!(exchange.account.open[&key_of(1)].left, 20);
        exchange.take(b"Q");
        let Ok(Msg::AccountQueryResponse(next)) = outbound::decode(exchange.stream.last().unwrap()) else {
            panic!()
        };
        assert_eq!(next.next_user_ref_num.get(), 2);
    }
}
