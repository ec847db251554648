//! Reads everything an order is judged by, once, and says what is missing.

use types::{Side, UnixNanos};

use crate::{
    case::{Found, InForce, Inputs, Missing, StrategyRow},
    depth::Walk,
    divide::Divisor,
    doubt::Astray,
    exposure::Cell,
    fat_finger,
    gate::Gate,
    in_force::in_force,
    intent::OrderIntent,
    judged::Judged,
    quote::Quote,
    record::StaticRecord,
    shared::Common,
    slot::SlotFault,
    tables::GateTables,
    worth::Worth,
};

impl From<SlotFault> for Found {
    fn from(fault: SlotFault) -> Self {
        match fault {
            SlotFault::Empty => Self::Empty,
            SlotFault::Torn => Self::Torn,
        }
    }
}

impl Gate {
    /// The inputs of any order, and which of them are missing.
    #[inline(never)]
    pub(crate) fn gather(&self, order: &OrderIntent, now: UnixNanos) -> Inputs {
        let mut missing = Missing {
            instrument: order.instrument.index() >= self.instruments,
            strategy: usize::from(order.strategy.0) >= self.strategies.len(),
            account: order.account.0 >= self.accounts,
            ..Missing::NOTHING
        };
        if missing.instrument || missing.strategy || missing.account {
            return self.gather_unknown(order, missing, now);
        }
        let strategy =
            self.strategies.get(usize::from(order.strategy.0)).copied().unwrap_or(StrategyRow::NONE);
        let cell = self.cell_index(order.instrument, order.strategy).and_then(|at| self.cells.get(at));
        let cell = cell.copied().unwrap_or(Cell::FLAT);
        let GateTables { statics, dynamics, .. } = &self.tables;
        let mut limits = in_force(statics, dynamics.as_ref(), order.instrument, strategy.class, now)
            .unwrap_or_else(|fault| {
                missing.limits = fault.into();
                InForce::NONE
            });
        limits.permission = statics.permission_of(limits.permission, order);
        let quote = self.tables.references.quote(order.instrument).unwrap_or_else(|fault| {
            missing.quote = fault.into();
            Quote::NOTHING
        });
        let worth = self.worth(order.instrument, now);
        // A row from before the terms were known says nothing.
        let quote = quote.of_sign(worth.signed).unwrap_or_else(|| {
            missing.quote = Found::Empty;
            Quote::NOTHING
        });
        let judged = Judged::of(order, &quote);
        let Judged { buys, market, priced, px, .. } = judged;
        let tick = self.tables.references.tick_at(&quote, worth.distance(px));
        let walk = if market { self.walk(order, &judged) } else { Walk::NONE };
        limits.fat_finger_qty =
            self.fat_finger_qty(order, (&sized(&quote, &worth, order.side), walk.worst), now);
        let reached = if market { walk.worst } else { px };
        let common = self.common(order, if priced { reached } else { 0 }, now);
        let breakers = self.tables.breakers.of_order(order, now, self.daemon_age_max_ns);
        Inputs {
            limits,
            quote,
            referenced: quote.twice_ref != 0,
            last_age_ns: quote.last_age_ns(now),
            period_mean: self.tables.references.period_mean(&quote, now),
            tick,
            ticked: tick != Divisor::NONE,
            walk,
            valued_from: quote.valued_from(buys),
            worth,
            heartbeat: self.tables.references.heartbeat_of(&quote),
            cell,
            due: cell.due(),
            unreconciled: cell.in_doubt(),
            astray: if cell.in_doubt() { self.astray_toward(order) } else { 0 },
            strategy,
            known: self.orders.contains(order.cl_ord_id),
            common,
            halted: breakers.closed_bits() != 0,
            breakers,
            missing,
        }
    }

    /// The inputs of an order whose instrument, strategy or account is unknown: what covers it whoever sent it.
    fn gather_unknown(&self, order: &OrderIntent, missing: Missing, now: UnixNanos) -> Inputs {
        let breakers = self.tables.breakers.of_order(order, now, self.daemon_age_max_ns);
        // The unknown scopes have no breaker to be halted by.
        let breakers = breakers.firm_alone();
        Inputs {
            limits: InForce::NONE,
            quote: Quote::NOTHING,
            referenced: false,
            last_age_ns: 0,
            period_mean: 0,
            tick: Divisor::NONE,
            ticked: false,
            walk: Walk::NONE,
            valued_from: 0,
            worth: Worth::PLAIN,
            heartbeat: UnixNanos(0),
            cell: Cell::FLAT,
            due: UnixNanos(0),
            unreconciled: false,
            astray: 0,
            strategy: StrategyRow::NONE,
            known: self.orders.contains(order.cl_ord_id),
            common: Common::NOTHING,
            halted: breakers.closed_bits() != 0,
            breakers,
            missing: Missing { limits: Found::NotSought, quote: Found::NotSought, ..missing },
        }
    }

    /// How much farther on its side the position that an order moves may be than its cell has it.
    #[cold]
    fn astray_toward(&self, order: &OrderIntent) -> i64 {
        let place = self.cell_index(order.instrument, order.strategy).and_then(|at| self.astray.get(at));
        place.unwrap_or(&Astray::ANYTHING).toward(order.side)
    }

    /// What the checks beyond one strategy need, of an order that is judged at `px`, 0 when there is no price to judge it by.
    fn common(&self, order: &OrderIntent, px: u64, now: UnixNanos) -> Common {
        if !self.shared.on {
            return Common::NOTHING;
        }
        let meets = px != 0 && self.shared.own.may_meet(order, px);
        Common {
            account: self.shared.position(order),
            located: self.located(order, now),
            own_px: if meets { self.own_met(order, px) } else { 0 },
            repeat_age: self.shared.repeats.age(order, now),
            repeat_window: self.shared.repeats.window(),
            weights: None,
            done: None,
            stopped: self.is_stopped(order.strategy),
        }
    }

    /// What the account of a sell holds, and how much it may be short of; none of a buy, and where nobody is held to what is located.
    fn located(&self, order: &OrderIntent, now: UnixNanos) -> Option<(Cell, i64)> {
        if !self.shared.locates || order.side == Side::Bid {
            return None;
        }
        let located = self.tables.statics.located(order.instrument, order.account, now);
        Some((self.shared.held(order.instrument, order.account), located))
    }

    /// Whether a new sell would leave the account short of more than is located for it.
    #[inline(never)]
    pub(crate) fn sells_unlocated(&self, order: &OrderIntent, now: UnixNanos) -> bool {
        self.located(order, now)
            .is_some_and(|(account, located)| account.worst(order.side, order.qty.0) > located)
    }

    /// What a market order would trade at. What lies behind the touch is read for one that wants more than it shows.
    pub(crate) fn walk(&self, order: &OrderIntent, judged: &Judged) -> Walk {
        let (qty, &Judged { buys, far, far_qty, .. }) = (order.qty.0, judged);
        if qty <= far_qty {
            return Walk::touch(qty, far, far_qty);
        }
        self.tables.references.walk(order.instrument, buys, qty, far, far_qty)
    }

    /// The fat-finger network's largest size at the price distance of an order that reaches a price of the book.
    #[inline(always)]
    pub(crate) fn fat_finger_qty(&self, order: &OrderIntent, reaches: (&Quote, u64), now: UnixNanos) -> u32 {
        match &self.tables.fat_finger {
            None => fat_finger::UNLIMITED,
            Some(table) => table.size_for(order, reaches, now, || self.forget_before(order)),
        }
    }

    /// Until when a person has told the gate to forget the model's word on the order's row; what cannot be read forgets nothing.
    #[cold]
    fn forget_before(&self, order: &OrderIntent) -> UnixNanos {
        let statics = &self.tables.statics;
        let strategy = self.strategies.get(usize::from(order.strategy.0));
        let row = strategy.and_then(|strategy| statics.row(order.instrument, strategy.class));
        let words = row.and_then(|row| statics.read_row(row).ok());
        words.map_or(UnixNanos(0), |words| StaticRecord::unpack_officer(words).forget_before)
    }
}

/// The quote as sizes by price distance know it: an order of `side` meets one touch, and its distance is in parts of what the
/// instrument is worth.
fn sized(quote: &Quote, worth: &Worth, side: Side) -> Quote {
    if !worth.signed {
        return *quote;
    }
    let both = quote.bid != 0 && quote.ask != 0;
    let twice_mid = if both { quote.bid.wrapping_add(quote.ask) } else { quote.twice_ref };
    let (bid, ask) = if side == Side::Bid { (0, quote.ask) } else { (quote.bid, 0) };
    Quote { bid, ask, twice_ref: worth.twice_basis(twice_mid), ..*quote }
}
