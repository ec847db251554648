//! What the gate is asked: may this order leave, may it replace that one, and what is wrong with it.

use types::{Tier, UnixNanos};

use crate::{
    activity::RoundedValue,
    assess::{Findings, Pass, Room},
    audit::{counted_interval_ns, kept_price},
    case::{Case, Found, Inputs, Prior, Settings},
    decision::{Decision, Flags, LimitsSource},
    exposure::Cell,
    gate::{Gate, Reservation, Unvouched},
    intent::OrderIntent,
    journal::Sent,
    judged::Judged,
    orders::{Entry, Life},
    own_orders::{crosses, nowhere, opposite},
    rate,
    verdict::{Breach, Explanation, Verdict},
};

impl Gate {
    /// The verdict on a new order, without any effect.
    #[inline]
    #[must_use]
    pub fn check(&self, order: &OrderIntent, now: UnixNanos) -> Verdict {
        if self.apart {
            return self.check_apart(order, now);
        }
        self.check_by::<false>(order, now)
    }

    /// Apart, so that a gate without fat-finger limits, and with the usual share of a limit, pays one branch for them.
    #[inline(never)]
    fn check_apart(&self, order: &OrderIntent, now: UnixNanos) -> Verdict {
        self.check_by::<true>(order, now)
    }

    #[inline(always)]
    fn check_by<const APART: bool>(&self, order: &OrderIntent, now: UnixNanos) -> Verdict {
        match self.pass::<APART>(order, now) {
            Some(pass) => accept(&pass),
            None => self.check_all(order, now),
        }
    }

    #[cold]
    #[inline(never)]
    fn check_all(&self, order: &OrderIntent, now: UnixNanos) -> Verdict {
        if let Some(pass) = self.pass_at_market(order, now) {
            return accept(&pass);
        }
        let inputs = self.gather_new(order, now);
        let case = self.case(order, Prior::none(order), &inputs, now);
        self.conclude(&case, &Findings::of(&case))
    }

    /// The verdict on a new order and, when it may leave, its reservation: it counts into position, rates, open orders
    /// and duplicates from now on, before it is sent (RTS 6, article 15(2)).
    #[inline]
    pub fn reserve(&mut self, order: &OrderIntent, now: UnixNanos) -> (Verdict, Option<Reservation>) {
        self.refresh(order.instrument, now);
        if self.apart {
            return self.reserve_apart(order, now);
        }
        self.reserve_by::<false>(order, now)
    }

    #[inline(never)]
    fn reserve_apart(&mut self, order: &OrderIntent, now: UnixNanos) -> (Verdict, Option<Reservation>) {
        self.reserve_by::<true>(order, now)
    }

    #[inline(always)]
    fn reserve_by<const APART: bool>(
        &mut self,
        order: &OrderIntent,
        now: UnixNanos,
    ) -> (Verdict, Option<Reservation>) {
        match self.pass::<APART>(order, now) {
            Some(pass) => {
                (accept(&pass), self.commit(order, pass.room, pass.px, pass.order_interval_ns, now))
            }
            None => self.reserve_all(order, now),
        }
    }

    #[cold]
    #[inline(never)]
    fn reserve_all(&mut self, order: &OrderIntent, now: UnixNanos) -> (Verdict, Option<Reservation>) {
        self.clock = self.believed_clock();
        if let Some(pass) = self.pass_at_market(order, now) {
            return (accept(&pass), self.commit(order, pass.room, pass.px, pass.order_interval_ns, now));
        }
        let inputs = self.gather_new(order, now);
        let case = self.case(order, Prior::none(order), &inputs, now);
        let verdict = self.judge(&case);
        if !verdict.accepted() {
            self.see_time(&case);
            return (verdict, None);
        }
        let (px, interval_ns) = (kept_price(&case), counted_interval_ns(&case));
        let Some(room) = self.room_for(order, px) else { return (verdict, None) };
        let believed = self.clock;
        let reserved = self.commit(order, room, px, interval_ns, now);
        self.see_audited_time(&case, &verdict, believed);
        (verdict, reserved)
    }

    /// The verdict on an order, which is remembered where breaches are only said.
    fn judge(&mut self, case: &Case) -> Verdict {
        let findings = Findings::of(case);
        self.audited = findings.breaches;
        self.conclude(case, &findings)
    }

    /// An order that is let through in audit mode may have nothing that vouches for its time: it moves the clock, from what was `believed`
    /// before it, no farther than one that is refused.
    fn see_audited_time(&mut self, case: &Case, verdict: &Verdict, believed: UnixNanos) {
        if verdict.reason.is_some() {
            self.clock = believed;
            self.see_time(case);
        }
    }

    /// Counts a new order that was let through.
    #[inline(always)]
    fn commit(
        &mut self,
        order: &OrderIntent,
        room: Room,
        px: u64,
        interval_ns: u32,
        now: UnixNanos,
    ) -> Option<Reservation> {
        let value =
            if self.activities.on { self.value_of(order, px, order.qty.0, now) } else { RoundedValue(0) };
        self.commit_as(order, room, (px, interval_ns, value), now)
    }

    /// The same of one that is worth `value`.
    #[inline(always)]
    pub(crate) fn commit_as(
        &mut self,
        order: &OrderIntent,
        room: Room,
        (px, interval_ns, value): (u64, u32, RoundedValue),
        now: UnixNanos,
    ) -> Option<Reservation> {
        self.see(now);
        self.spend(order, room.cell, interval_ns, now)?.rework(order.side, 0, order.qty.0);
        if self.shared.on {
            if let Some(best) = room.nearest {
                // Own orders reach less far than was thought, and the next such order is spared the search.
                self.shared.own.shrink(order, best);
            }
            self.shared.send(order, px, now);
            if self.levels.on {
                let (side, qty) = (order.side, order.qty.0);
                self.levels.cells_mut(order.strategy, order.instrument, |cell| cell.rework(side, 0, qty));
                self.relist(order.instrument, order.strategy, order.account);
            }
            if self.activities.on {
                self.count_order(order, value, order.qty.0, now);
            }
        }
        let entry = entry_of(order, room.cell, px, Life::Open, 0);
        let generation = self.orders.insert_at(room.slot, order.cl_ord_id, entry);
        Some(Reservation {
            id: order.cl_ord_id,
            replacement: false,
            generation,
            judged_px: px,
            interval_ns,
            value,
        })
    }

    /// The verdict on replacing the open order `replaced` by `order` (a new id, a new price, a new whole quantity,
    /// executed part included) and, when it may leave, its reservation.
    ///
    /// Until the venue answers, either quantity may be in force, so the larger one counts. Quantity and position are
    /// checked on the growth alone, value when it grows, price always: a replacement that only reduces is never refused
    /// for a size that a live limit has since made too large. One that moves the price through the touch, or becomes a
    /// market order, is held to all of them like a new order. One replacement of an order may be under way at a time.
    pub fn replace(
        &mut self,
        replaced: u64,
        order: &OrderIntent,
        now: UnixNanos,
    ) -> (Verdict, Option<Reservation>) {
        self.refresh(order.instrument, now);
        self.clock = self.believed_clock();
        let held = self.orders.get(replaced).filter(|entry| entry.life == Life::Open);
        let mut inputs = self.gather(order, now);
        // It says itself that it is meant to be another order's.
        inputs.common.repeat_age = None;
        let at = self.cell_index(order.instrument, order.strategy);
        let prior = prior_of(held.as_ref(), order, at, &inputs);
        self.weigh_for(&mut inputs, order, prior.growth, now);
        let case = self.case(order, prior, &inputs, now);
        let verdict = self.judge(&case);
        let px = kept_price(&case);
        let (true, Some(entry)) = (verdict.accepted(), held) else {
            self.see_time(&case);
            return (verdict, None);
        };
        let (interval_ns, believed) = (counted_interval_ns(&case), self.clock);
        let value =
            if self.activities.on { self.value_of(order, px, prior.growth, now) } else { RoundedValue(0) };
        let sent = Sent { order: *order, judged_px: px, interval_ns, value, at: now };
        let reserved = self.commit_replacement(replaced, entry, &sent);
        self.see_audited_time(&case, &verdict, believed);
        (verdict, reserved)
    }

    /// Counts a replacement of the order of `entry` that was let through.
    pub(crate) fn commit_replacement(
        &mut self,
        replaced: u64,
        mut entry: Entry,
        sent: &Sent,
    ) -> Option<Reservation> {
        let Sent { order, judged_px, interval_ns, value, at: now } = *sent;
        self.see(now);
        let at = self.cell_index(order.instrument, order.strategy)?;
        self.spend(&order, at, interval_ns, now)?;
        let before = entry.leaves();
        (entry.pending_qty, entry.link) = (order.qty.0, order.cl_ord_id);
        self.rework(&entry, before, entry.leaves());
        if self.activities.on {
            self.count_order(&order, value, entry.leaves().saturating_sub(before), now);
        }
        self.shared.own.add(&order, judged_px);
        self.orders.put(replaced, entry);
        let entry = entry_of(&order, at, judged_px, Life::Pending, replaced);
        let generation = self.orders.insert(order.cl_ord_id, entry);
        Some(Reservation {
            id: order.cl_ord_id,
            replacement: true,
            generation,
            judged_px,
            interval_ns,
            value,
        })
    }

    /// Every breach of a new order and the limits in force, for the log and the officer. No effect.
    #[cold]
    #[must_use]
    pub fn explain(&self, order: &OrderIntent, now: UnixNanos) -> Explanation {
        let inputs = self.gather_new(order, now);
        let case = self.case(order, Prior::none(order), &inputs, now);
        let findings = Findings::of(&case);
        let limits = &inputs.limits;
        let read = limits.source != LimitsSource::None;
        let mut out =
            Explanation::new(self.conclude(&case, &findings), read.then(|| limits.bounds.to_limits()));
        for reason in findings.breaches.iter() {
            out.push(Breach::of(reason, &case));
        }
        out
    }

    /// The inputs of a new order.
    fn gather_new(&self, order: &OrderIntent, now: UnixNanos) -> Inputs {
        let mut inputs = self.gather(order, now);
        self.weigh_for(&mut inputs, order, order.qty.0, now);
        inputs
    }

    /// Weighs an order of which `growth` more would work.
    fn weigh_for(&self, inputs: &mut Inputs, order: &OrderIntent, growth: u32, now: UnixNanos) {
        if inputs.missing.limits == Found::NotSought {
            return;
        }
        if self.levels.on {
            let at = priced_at(order, inputs);
            inputs.common.weights = Some(self.weigh(order, growth, at, now));
        }
        if self.activities.on {
            let judged = Judged::of(order, &inputs.quote);
            let px = if judged.market { inputs.walk.worst } else { judged.px };
            let more = Self::activity_of(self.value_of(order, px, growth, now), growth);
            inputs.common.done = Some(self.activities.with(order, now, more));
        }
    }

    /// Where an order goes that is let out at `px`; none when there is no such place.
    pub(crate) fn room_for(&self, order: &OrderIntent, px: u64) -> Option<Room> {
        let cell = self.cell_index(order.instrument, order.strategy)?;
        let slot = self.orders.free_for(order.cl_ord_id)?;
        Some(Room { cell, slot, nearest: self.nearest_own(order, px) })
    }

    /// Spends the order's rates, remembers its time, and gives where its position is kept.
    #[inline(always)]
    fn spend(
        &mut self,
        order: &OrderIntent,
        cell: usize,
        interval_ns: u32,
        now: UnixNanos,
    ) -> Option<&mut Cell> {
        self.clock = now;
        let row = self.strategies.get_mut(usize::from(order.strategy.0))?;
        row.due = rate::after(row.due, now, row.order_interval_ns);
        let cell = self.cells.get_mut(cell)?;
        cell.spend(now, interval_ns);
        Some(cell)
    }

    /// What a new order that is judged at `px` and held to a position of `position_max` has for [`Room::nearest`]; none when a check
    /// beyond one strategy may find something in it. Called, not inlined: what it needs would push the other checks' numbers out
    /// of registers.
    #[inline(never)]
    pub(crate) fn clear_of_others<const APART: bool>(
        &self,
        order: &OrderIntent,
        px: u64,
        position_max: i64,
        now: UnixNanos,
    ) -> Option<Option<u64>> {
        if self.shared.exceeds(order, position_max) {
            return None;
        }
        let nearest = self.nearest_own(order, px);
        let concerned = nearest.is_some_and(|own| crosses(order.side, px, own))
            || self.shared.repeats.age(order, now).is_some()
            || self.shared.locates && self.sells_unlocated(order, now)
            || self.streaks.stops(order.strategy) != 0 && self.stop_holds(order, now)
            || self.levels.on && self.weighs_much(order, px, now)
            || self.activities.on && self.does_much(order, px, now)
            || self.money.as_ref().is_some_and(|rules| self.means_more::<APART>(order, px, rules, now));
        (!concerned).then_some(nearest)
    }

    /// The best price of the own orders of the other side, where an order judged at `px` gets as far as they were thought to reach.
    #[inline]
    fn nearest_own(&self, order: &OrderIntent, px: u64) -> Option<u64> {
        let best = || self.own_price(order).unwrap_or(nowhere(opposite(order.side)));
        self.shared.own.may_meet(order, px).then(best)
    }

    /// Remembers the time of a refused order. A reference price or a heartbeat of about that time vouches for it; without one a
    /// single reading is one that may be wrong, and of two in a row, the second later, the first is believed: what was too old by then
    /// gets no younger by a clock that is set back. A heartbeat that has moved on since takes that back
    /// ([`Gate::believed_clock`]), so that a clock that was wrong closes nothing for longer than the feed is away.
    fn see_time(&mut self, case: &Case) {
        let now = case.now;
        if case.facts.ref_age_ns <= self.ref_age_max.0 {
            self.clock = self.clock.max(now);
            self.unvouched.last = UnixNanos(0);
            return;
        }
        let last = self.unvouched.last;
        if now > last && last > self.clock {
            // Of several in a row, what was believed before the first of them.
            let from = if self.clock == self.unvouched.to { self.unvouched.from } else { self.clock };
            let heartbeat = self.tables.references.heartbeat();
            self.unvouched = Unvouched { last: now, from, to: last, heartbeat };
            self.clock = last;
        } else if now > self.clock {
            self.unvouched.last = now;
        }
    }

    /// The latest time that was seen: without what readings alone said that no reference vouched for, once the feeds have been alive
    /// and complete after it.
    #[inline]
    fn believed_clock(&self) -> UnixNanos {
        let Unvouched { from, to, heartbeat, .. } = self.unvouched;
        if self.clock == to && self.tables.references.heartbeat() > heartbeat { from } else { self.clock }
    }

    #[inline(always)]
    fn case<'a>(&self, order: &'a OrderIntent, prior: Prior, inputs: &'a Inputs, now: UnixNanos) -> Case<'a> {
        let settings = Settings { clock: self.believed_clock(), ..self.settings() };
        Case::new(order, prior, inputs, settings, now)
    }
}

/// The verdict on an order that the fast path let through: live limits, and no flag but the tier's.
#[inline(always)]
fn accept(pass: &Pass) -> Verdict {
    let &Pass { tier, score, version, .. } = pass;
    let stressed = tier as u8 >= Tier::Elevated as u8;
    let (decision, flags) =
        if stressed { (Decision::Flag, Flags::TIER) } else { (Decision::Accept, Flags::NONE) };
    Verdict {
        limit: 0,
        value: 0,
        score,
        version,
        reason: None,
        decision,
        tier,
        source: LimitsSource::Dynamic,
        flags,
    }
}

/// The entry of an order just let through.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "at most ROWS_MAX cells")]
fn entry_of(order: &OrderIntent, cell: usize, px: u64, life: Life, link: u64) -> Entry {
    Entry {
        px,
        link,
        qty: order.qty.0,
        executed: 0,
        pending_qty: 0,
        cell: cell as u32,
        generation: 0,
        account: order.account.0,
        side: order.side,
        life,
    }
}

/// What a unit of an order counts as that trades where it is judged: the most it may cost or yield.
fn priced_at(order: &OrderIntent, inputs: &Inputs) -> u64 {
    let judged = Judged::of(order, &inputs.quote);
    match (judged.priced, judged.market) {
        (false, _) => 0,
        (true, true) => inputs.worth.unit(judged.far, inputs.walk.worst),
        (true, false) => inputs.worth.unit(judged.px, inputs.valued_from),
    }
}

/// What a replacement of `held` by `order`, whose cell is `at`, already has, and what forbids it.
///
/// One that moves the price through the touch, or becomes a market order, trades at once what so far could only rest: it has
/// nothing but the position it already counts into.
fn prior_of(held: Option<&Entry>, order: &OrderIntent, at: Option<usize>, inputs: &Inputs) -> Prior {
    let (quote, worth) = (&inputs.quote, &inputs.worth);
    let Some(entry) = held else { return Prior { unknown: true, ..Prior::none(order) } };
    let after = Entry { pending_qty: order.qty.0, ..*entry }.leaves();
    let same =
        at == Some(entry.cell as usize) && entry.side == order.side && entry.account == order.account.0;
    let judged = Judged::of(order, quote);
    let (farther, crosses) = if judged.buys {
        (judged.px > entry.px, judged.far != 0 && judged.px >= judged.far)
    } else {
        (judged.px < entry.px, judged.px <= judged.far)
    };
    let anew = judged.market || farther && crosses;
    // As the new one is valued.
    let valued = worth.unit(entry.px, quote.valued_from(judged.buys));
    Prior {
        growth: after.saturating_sub(entry.leaves()),
        qty: if anew { 0 } else { entry.qty },
        value: if anew { 0 } else { worth.money(u128::from(valued) * u128::from(entry.qty)) },
        px: if anew { 0 } else { entry.px },
        anew,
        shrinks: order.qty.0 < entry.qty && !farther && !judged.market,
        unknown: false,
        foreign: !same,
        pending: entry.pending_qty != 0,
    }
}
