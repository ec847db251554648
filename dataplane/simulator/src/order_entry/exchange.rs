//! The venue itself: takes messages, makes answers, and keeps its account. No socket, no clock: time is an argument.

use super::account::{Account, OpenAtVenue};
use super::levels::Levels;
use super::speech::{Answered, Heard, Key, OuchVersion, key_of, number_of};
use crate::random::Dice;
use std::collections::{BTreeMap, BTreeSet};
use types::{Side, UnixNanos};
use wire::ouch50::{MARKET_PRICE, side};

/// A day of 24 hours.
const DAY_NS: u64 = 86_400_000_000_000;

/// What becomes of orders that do not meet the quote: shares of chance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Behaviour {
    /// An order is rejected, by a chance that its name has: venues of one seed reject the same orders, whatever else they are sent.
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
    seed: u64,
    dice: Dice,
    pub(super) account: Account,
    /// Everything it ever sent, in sequence.
    pub(super) stream: Vec<Vec<u8>>,
    markets: BTreeMap<[u8; 8], Levels>,
    /// The side's letter of each order, as entered.
    letters: BTreeMap<Key, u8>,
    used: BTreeSet<Key>,
    last_number: u32,
    match_number: u64,
    /// When it last heard something, in nanoseconds since midnight UTC.
    now_ns: u64,
}

impl Exchange {
    pub(super) fn new(version: OuchVersion, behaviour: Behaviour, seed: u64) -> Self {
        Self {
            version,
            behaviour,
            seed,
            dice: Dice::new(seed, 77),
            account: Account::default(),
            stream: Vec::new(),
            markets: BTreeMap::new(),
            letters: BTreeMap::new(),
            used: BTreeSet::new(),
            last_number: 0,
            match_number: 1_000,
            now_ns: 0,
        }
    }

    /// What it does from now on is of this time.
    pub(super) const fn pass_time(&mut self, now: UnixNanos) {
        self.now_ns = now.0 % DAY_NS;
    }

    /// Sets whom orders in a symbol meet from `now` on; what rests and crosses them trades.
    pub(super) fn show(&mut self, now: UnixNanos, symbol: [u8; 8], levels: Levels) {
        self.pass_time(now);
        self.markets.insert(symbol, levels);
        let crossing: Vec<Key> =
            self.account.open.iter().filter(|(_, o)| o.symbol == symbol).map(|(k, _)| *k).collect();
        for key in crossing {
            self.meet_market(key);
        }
    }

    /// Takes one message at `now`.
    pub(super) fn take(&mut self, now: UnixNanos, bytes: &[u8]) {
        self.pass_time(now);
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
        let (Some(side), false) = (side, self.rejects(key)) else {
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

    /// Whether the order of this name is rejected.
    fn rejects(&self, key: Key) -> bool {
        let name = key.iter().fold(0_u64, |name, byte| name.rotate_left(8) ^ u64::from(*byte));
        Dice::new(self.seed ^ name, 79).chance(self.behaviour.reject)
    }

    fn trade(&mut self, key: Key, immediate: bool) {
        self.meet_market(key);
        if self.dice.chance(self.behaviour.fill) {
            self.fill_some(key);
        }
        // A market order does not rest.
        let Some(order) = self.account.open.get(&key) else { return };
        if immediate || order.price >= MARKET_PRICE {
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
        if self.rejects(key) {
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

    /// Trades an order with those whom it meets, best first, as far as it crosses and they last.
    fn meet_market(&mut self, key: Key) {
        while let Some(order) = self.account.open.get(&key).copied() {
            let levels = self.markets.get_mut(&order.symbol);
            let traded = levels.and_then(|levels| levels.take(order.side, order.left, order.price));
            let Some((qty, price)) = traded else { return };
            self.trade_at(key, qty, price);
        }
    }

    fn fill_some(&mut self, key: Key) {
        let Some(order) = self.account.open.get(&key).copied() else { return };
        let qty = 1 + self.dice.below(order.left);
        self.trade_at(key, qty.min(order.left), order.price);
    }

    /// `qty` of an order trade at `now`.
    pub(super) fn execute(&mut self, now: UnixNanos, key: Key, qty: u32, price: u64) {
        self.pass_time(now);
        self.trade_at(key, qty, price);
    }

    fn trade_at(&mut self, key: Key, qty: u32, price: u64) {
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
    pub(super) fn bust_last(
        &mut self,
        now: UnixNanos,
        number: u32,
        (symbol, side, qty): ([u8; 8], Side, u32),
    ) {
        self.pass_time(now);
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
    const NOW: UnixNanos = UnixNanos(20_000 * DAY_NS + 7);

    fn enter(number: u32, side: u8, qty: u32, price: u64) -> Vec<u8> {
        enter_for(number, side, qty, price, b'0')
    }

    fn enter_for(number: u32, side: u8, qty: u32, price: u64, tif: u8) -> Vec<u8> {
        let text = [b' '; 14];
        let order = EnterOrder::new(number, side, qty, SYMBOL, price, tif, b'Y', b'P', b'N', b'N', text);
        [order.as_bytes(), &[0, 0]].concat()
    }

    fn types(exchange: &Exchange) -> String {
        exchange.stream.iter().map(|m| char::from(m[0])).collect()
    }

    /// Every execution of the stream: order, quantity, price, time.
    fn executions(exchange: &Exchange) -> Vec<(u32, u32, u64, u64)> {
        let executed = exchange.stream.iter().filter_map(|message| match outbound::decode(message) {
            Ok(Msg::Executed(m)) => {
                Some((m.user_ref_num.get(), m.quantity.get(), m.price.get(), m.timestamp.get()))
            }
            _ => None,
        });
        executed.collect()
    }

    #[test]
    fn orders_meet_the_quote_and_the_account_follows() {
        let mut exchange = Exchange::new(OuchVersion::V50, Behaviour::default(), 1);
        exchange.show(NOW, SYMBOL, Levels::quote(990_000, 1_000_000));
        exchange.take(NOW, &enter(1, b'B', 100, 1_000_000));
        exchange.take(NOW, &enter(2, b'S', 40, 1_010_000));
        exchange.take(NOW, &enter(2, b'S', 40, 1_010_000));
        assert_eq!((types(&exchange), exchange.account.ignored), ("AEA".to_owned(), 1));
        let replace = ReplaceOrder::new(2, 3, 60, 1_010_000, b'0', b'Y', b'N', [b' '; 14]);
        exchange.take(NOW, &[replace.as_bytes(), &[0, 0]].concat());
        exchange.show(UnixNanos(NOW.0 + 5), SYMBOL, Levels::quote(1_010_000, 1_020_000));
        exchange.take(NOW, CancelOrder::new(3, 0).as_bytes());
        assert_eq!((types(&exchange), exchange.account.ignored), ("AEAUE".to_owned(), 2));
        assert_eq!(exchange.account.positions[&SYMBOL], 100 - 60);
        assert!(exchange.account.open.is_empty());
        // Each at its own time, whatever moved the market.
        assert_eq!(executions(&exchange), [(1, 100, 1_000_000, 7), (3, 60, 1_010_000, 12)]);
    }

    #[test]
    fn an_order_walks_the_levels_to_its_limit_and_what_it_took_is_gone_until_they_are_shown_anew() {
        let levels = || Levels { bids: vec![(990_000, 30), (980_000, 50), (970_000, 500)], asks: Vec::new() };
        let mut exchange = Exchange::new(OuchVersion::V50, Behaviour::default(), 1);
        exchange.show(NOW, SYMBOL, levels());
        exchange.take(NOW, &enter_for(1, b'S', 100, 980_000, b'3'));
        assert_eq!(executions(&exchange), [(1, 30, 990_000, 7), (1, 50, 980_000, 7)]);
        assert_eq!(types(&exchange), "AEEC");
        // Two bids are gone; a market order takes what the third has, and does not rest.
        exchange.take(NOW, &enter(2, b'S', 600, MARKET_PRICE));
        assert_eq!(executions(&exchange)[2..], [(2, 500, 970_000, 7)]);
        assert!(exchange.account.open.is_empty() && types(&exchange).ends_with("AEC"));
        exchange.show(NOW, SYMBOL, levels());
        exchange.take(NOW, &enter(3, b'S', 10, 990_000));
        assert_eq!(executions(&exchange)[3..], [(3, 10, 990_000, 7)]);
    }

    #[test]
    fn venues_of_one_seed_reject_the_same_orders_whatever_else_they_are_sent() {
        let rejected = |numbers: &[u32]| {
            let behaviour = Behaviour { reject: 0.2, ..Behaviour::default() };
            let mut exchange = Exchange::new(OuchVersion::V50, behaviour, 3);
            numbers.iter().for_each(|n| exchange.take(NOW, &enter(*n, b'B', 10, 1_000_000)));
            let named = exchange.stream.iter().filter_map(|message| match outbound::decode(message) {
                Ok(Msg::Rejected(m)) => Some(m.user_ref_num.get()),
                _ => None,
            });
            named.collect::<Vec<_>>()
        };
        let (all, odd): (Vec<u32>, Vec<u32>) = ((1..=200).collect(), (1..=200).step_by(2).collect());
        let of_all = rejected(&all);
        assert!((20..60).contains(&of_all.len()), "{}", of_all.len());
        let expected: Vec<u32> = of_all.into_iter().filter(|n| n % 2 == 1).collect();
        assert_eq!(rejected(&odd), expected);
    }

    #[test]
    fn a_cancel_takes_off_what_is_beyond_the_intended_size() {
        let mut exchange = Exchange::new(OuchVersion::V50, Behaviour::default(), 1);
        exchange.take(NOW, &enter(1, b'B', 100, 1_000_000));
        exchange.execute(NOW, key_of(1), 30, 1_000_000);
        exchange.take(NOW, CancelOrder::new(1, 50).as_bytes());
        let Ok(Msg::Canceled(canceled)) = outbound::decode(exchange.stream.last().unwrap()) else { panic!() };
        assert_eq!(canceled.quantity.get(), 50);
        assert_eq!(exchange.account.open[&key_of(1)].left, 20);
        exchange.take(NOW, b"Q");
        let Ok(Msg::AccountQueryResponse(next)) = outbound::decode(exchange.stream.last().unwrap()) else {
            panic!()
        };
        assert_eq!(next.next_user_ref_num.get(), 2);
    }
}
