//! What the copies say against what the gate knows. A pure table: times come in, breaks come out.
//!
//! Copy and own stream race, in either order: what one side alone has said waits for the other as long as the grace lasts, and only while
//! the other side is connected. What was compared once is not compared again, however often it is told.

use super::words::{Execution, Order, side_word};
use std::collections::{HashMap, HashSet, VecDeque};
use types::{Nanos, UnixNanos};

/// Orders of the gate's that are remembered at most: the oldest give way.
const ORDERS_MAX: usize = 1 << 18;

/// Orders and executions that are remembered as compared at most: the oldest give way.
const SETTLED_MAX: usize = 1 << 20;

/// What waits for the other side at most. What finds no room has had its time.
const WAITING_MAX: usize = 1 << 18;

/// A set, and a table, that forget the oldest.
#[derive(Debug)]
struct Settled {
    keys: HashSet<u64>,
    oldest: VecDeque<u64>,
}

impl Settled {
    fn insert(&mut self, key: u64) {
        if self.keys.insert(key) {
            self.oldest.push_back(key);
            if self.oldest.len() > SETTLED_MAX
                && let Some(oldest) = self.oldest.pop_front()
            {
                self.keys.remove(&oldest);
            }
        }
    }
}

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Both sides say the same of this.
    Matched(u64),
    /// They do not.
    Broken(Break),
}

/// Gate and venue differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Break {
    /// Of what.
    pub(super) key: u64,
    /// The order at the gate; 0 of one that it does not know.
    pub(super) id: u64,
    /// What each side says.
    pub(super) text: String,
}

/// Something that only the copies, or only the gate, have said.
#[derive(Clone, Copy, Debug)]
enum Alone {
    Order(u64),
    Execution(u64),
}

/// One side's connection.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    up_since: Option<UnixNanos>,
}

impl Side {
    fn note(&mut self, is_up: bool, now: UnixNanos) {
        self.up_since = if is_up { self.up_since.or(Some(now)) } else { None };
    }

    /// Whether what the other side said at `since` has waited for this one longer than `grace`.
    fn has_had(&self, grace: Nanos, since: UnixNanos, now: UnixNanos) -> bool {
        self.up_since.is_some_and(|up| now.since(up.max(since)) >= grace)
    }
}

/// The table.
#[derive(Debug)]
pub(super) struct Ledger {
    grace: Nanos,
    /// The gate's orders by name, and in the order in which it told them.
    orders: HashMap<u64, Order>,
    oldest: VecDeque<u64>,
    /// Orders of the copies that the gate has not told.
    claimed: HashMap<u64, Order>,
    copied: HashMap<u64, Execution>,
    /// Executions of the gate's that no copy has told.
    own: HashMap<u64, Execution>,
    settled: Settled,
    waits_for_gate: VecDeque<(UnixNanos, Alone)>,
    waits_for_copy: VecDeque<(UnixNanos, u64)>,
    gate: Side,
    copy: Side,
    matched: u64,
    out: Vec<Outcome>,
}

impl Ledger {
    pub(super) fn new(grace: Nanos) -> Self {
        Self {
            grace,
            orders: HashMap::new(),
            oldest: VecDeque::new(),
            claimed: HashMap::new(),
            copied: HashMap::new(),
            own: HashMap::new(),
            settled: Settled { keys: HashSet::new(), oldest: VecDeque::new() },
            waits_for_gate: VecDeque::new(),
            waits_for_copy: VecDeque::new(),
            gate: Side::default(),
            copy: Side::default(),
            matched: 0,
            out: Vec::new(),
        }
    }

    /// Another stream of copies, or another session of the gate's: nothing of before is compared with it.
    pub(super) fn clear(&mut self) {
        let (gate, copy, matched) = (self.gate, self.copy, self.matched);
        let out = std::mem::take(&mut self.out);
        *self = Self { gate, copy, matched, out, ..Self::new(self.grace) };
    }

    /// Whether each side is connected: nobody is late who cannot speak.
    pub(super) fn connected(&mut self, gate: bool, copy: bool, now: UnixNanos) {
        self.gate.note(gate, now);
        self.copy.note(copy, now);
    }

    /// This is compared, or is not to be.
    pub(super) fn settle(&mut self, key: u64) {
        self.settled.insert(key);
        self.own.remove(&key);
        self.copied.remove(&key);
        self.claimed.remove(&key);
    }

    /// The gate let an order out, or holds one.
    pub(super) fn order_of_gate(&mut self, order: Order) {
        let claimed = self.claimed.remove(&order.name);
        match self.orders.get_mut(&order.name) {
            Some(known) => known.terms = known.terms.or(order.terms),
            None => {
                self.orders.insert(order.name, order);
                self.oldest.push_back(order.name);
                if self.oldest.len() > ORDERS_MAX
                    && let Some(oldest) = self.oldest.pop_front()
                {
                    self.orders.remove(&oldest);
                }
            }
        }
        if let Some(claimed) = claimed {
            self.compare_orders(order, claimed);
        }
    }

    /// A copy says that the venue has an order.
    pub(super) fn order_of_copy(&mut self, order: Order, now: UnixNanos) {
        if self.settled.keys.contains(&order.name) || self.claimed.contains_key(&order.name) {
            return;
        }
        match self.orders.get(&order.name).copied() {
            Some(own) => self.compare_orders(own, order),
            None => {
                self.claimed.insert(order.name, order);
                if self.waits_for_gate.len() >= WAITING_MAX {
                    return self.give_up_order(order.name);
                }
                self.waits_for_gate.push_back((now, Alone::Order(order.name)));
            }
        }
    }

    /// The gate has booked an execution.
    pub(super) fn execution_of_gate(&mut self, own: Execution, now: UnixNanos) {
        if self.settled.keys.contains(&own.number) || self.own.contains_key(&own.number) {
            return;
        }
        if let Some(copied) = self.copied.remove(&own.number) {
            return self.compare_executions(own, copied);
        }
        self.own.insert(own.number, own);
        if self.waits_for_copy.len() >= WAITING_MAX {
            return self.give_up_own(own.number);
        }
        self.waits_for_copy.push_back((now, own.number));
    }

    /// A copy tells an execution.
    pub(super) fn execution_of_copy(&mut self, copied: Execution, now: UnixNanos) {
        if self.settled.keys.contains(&copied.number) || self.copied.contains_key(&copied.number) {
            return;
        }
        if let Some(own) = self.own.remove(&copied.number) {
            return self.compare_executions(own, copied);
        }
        self.copied.insert(copied.number, copied);
        if self.waits_for_gate.len() >= WAITING_MAX {
            return self.give_up_copied(copied.number);
        }
        self.waits_for_gate.push_back((now, Alone::Execution(copied.number)));
    }

    /// Gives up what has waited too long.
    pub(super) fn tick(&mut self, now: UnixNanos) {
        while let Some((since, alone)) = self.waits_for_gate.front().copied() {
            let is_over = match alone {
                Alone::Order(name) => !self.claimed.contains_key(&name),
                Alone::Execution(number) => !self.copied.contains_key(&number),
            };
            if !is_over && !self.gate.has_had(self.grace, since, now) {
                break;
            }
            self.waits_for_gate.pop_front();
            match alone {
                _ if is_over => {}
                Alone::Order(name) => self.give_up_order(name),
                Alone::Execution(number) => self.give_up_copied(number),
            }
        }
        while let Some((since, number)) = self.waits_for_copy.front().copied() {
            let is_over = !self.own.contains_key(&number);
            if !is_over && !self.copy.has_had(self.grace, since, now) {
                break;
            }
            self.waits_for_copy.pop_front();
            if !is_over {
                self.give_up_own(number);
            }
        }
    }

    /// What came of it since the last call.
    pub(super) fn take_outcomes(&mut self) -> Vec<Outcome> {
        std::mem::take(&mut self.out)
    }

    /// How many were found to agree.
    pub(super) const fn matched(&self) -> u64 {
        self.matched
    }

    /// What waits for the gate, and for the copies.
    pub(super) fn waiting(&self) -> u64 {
        (self.claimed.len() + self.copied.len() + self.own.len()) as u64
    }

    fn agree(&mut self, key: u64) {
        self.settle(key);
        self.matched += 1;
        self.out.push(Outcome::Matched(key));
    }

    fn differ(&mut self, key: u64, id: u64, text: String) {
        self.settle(key);
        self.out.push(Outcome::Broken(Break { key, id, text }));
    }

    fn compare_orders(&mut self, own: Order, copied: Order) {
        let differ = match (own.terms, copied.terms) {
            (Some(ours), Some(theirs)) => {
                let is_other_qty = ours.qty != 0 && theirs.qty != 0 && ours.qty != theirs.qty;
                let is_other_px = ours.px.is_some() && theirs.px.is_some() && ours.px != theirs.px;
                let is_other =
                    ours.symbol != theirs.symbol || ours.side != theirs.side || is_other_qty || is_other_px;
                is_other.then(|| format!("order {}: the copy says {theirs}, the gate {ours}", copied.label))
            }
            _ => None,
        };
        match differ {
            Some(text) => self.differ(own.name, own.id, text),
            None => self.agree(own.name),
        }
    }

    fn compare_executions(&mut self, own: Execution, copied: Execution) {
        let order = self.orders.get(&copied.order).copied();
        let own_side = order.and_then(|order| order.terms).map(|terms| terms.side);
        let sides = copied.side.zip(own.side.or(own_side)).filter(|(theirs, ours)| theirs != ours);
        // How much of a trade was taken back was told when it was made.
        let is_other_qty = !own.is_bust && own.qty != copied.qty;
        let is_other_px = !own.is_bust && own.px.is_some() && copied.px.is_some() && own.px != copied.px;
        if sides.is_none() && !is_other_qty && !is_other_px {
            return self.agree(own.number);
        }
        let words =
            |side: Option<types::Side>| side.map_or_else(String::new, |side| format!("{} ", side_word(side)));
        let (theirs, ours) = (words(sides.map(|sides| sides.0)), words(sides.map(|sides| sides.1)));
        let of = self.name_of(own.order);
        let text = format!(
            "{} {}{of}: the copy says {theirs}{copied}, the gate {ours}{own}",
            copied.what(),
            copied.label
        );
        self.differ(own.number, own.order, text);
    }

    fn give_up_order(&mut self, name: u64) {
        let Some(order) = self.claimed.get(&name).copied() else { return };
        let terms = order.terms.map_or_else(|| "an order".to_owned(), |terms| terms.to_string());
        self.differ(
            name,
            0,
            format!("order {}: the copy says {terms}, the gate knows no such order", order.label),
        );
    }

    fn give_up_copied(&mut self, number: u64) {
        let Some(copied) = self.copied.get(&number).copied() else { return };
        let order = self.orders.get(&copied.order).copied();
        let of = order.map_or_else(|| " of an order that the gate does not know".to_owned(), of);
        let text =
            format!("{} {}{of}: the copy says {copied}, the gate has none", copied.what(), copied.label);
        self.differ(number, order.map_or(0, |order| order.id), text);
    }

    fn give_up_own(&mut self, number: u64) {
        let Some(own) = self.own.get(&number).copied() else { return };
        let of = self.name_of(own.order);
        let text = format!("{} {}{of}: the gate has {own}, no copy says so", own.what(), own.label);
        self.differ(number, own.order, text);
    }

    /// Whose an execution is, in words: by the order's number at the gate.
    fn name_of(&self, id: u64) -> String {
        let order = self.orders.values().find(|order| order.id == id).copied();
        order.map_or_else(|| format!(" of order {id} at the gate"), of)
    }
}

fn of(order: Order) -> String {
    match order.terms {
        Some(terms) => format!(" of order {} ({terms})", order.label),
        None => format!(" of order {}", order.label),
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
