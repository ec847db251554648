//! Weighs an order: what its strategy, its account and their groups would come to ([`crate::levels`]).

use types::{BookState, InstrumentId, Side, TradingStatus, UnixNanos};

use crate::{
    activity::{KINDS, RoundedValue},
    exposure::Cell,
    gate::Gate,
    ids::{AccountId, ClassId, StrategyId},
    in_force::in_force,
    intent::{OrderIntent, OrderType},
    judged::Judged,
    levels::{LEVELS, Level, Place},
    margin::{Margin, Required},
    price::sum_of_two,
    quote::Quote,
    slot::SlotFault,
    sums::{Growth, Part, Sums, Valued},
    tables::GateTables,
    tally::{ProfitMark, Tally},
    weight::Weight,
    worth::{Known, Worth},
};

/// When an order is weighed, and what its instrument is worth then.
struct Moment {
    now: UnixNanos,
    /// Of the firm's.
    day: u32,
    /// Sums that are kept count.
    fresh: bool,
    worth: Worth,
    valued: Valued,
}

impl Gate {
    /// Whether a quote says what its instrument is worth at `now`: its book is live, its feed is alive or it has changed lately, and
    /// where it is a trade's, that is not long ago. Nobody quotes what does not trade: its price is as old as its last change.
    fn is_current(&self, quote: &Quote, now: UnixNanos) -> bool {
        let references = &self.tables.references;
        let trades = quote.status == TradingStatus::Trading as u8;
        let heard = if trades { quote.ts.max(references.heartbeat_of(quote)) } else { quote.ts };
        quote.state == BookState::Live.to_u8()
            && now.0.abs_diff(heard.0) <= self.ref_age_max.0
            && quote.last_age_ns(now) <= references.held().last_age_max.0
    }

    /// What a unit of an instrument counts as at `now`.
    fn valued(&self, instrument: InstrumentId, worth: &Worth, now: UnixNanos) -> Valued {
        let day = self.tallies.day_at(now);
        let twice_settled = worth.settlement.wrapping_mul(2);
        // A close of another day says nothing of what was made or lost since this one began.
        let opens = worth.settlement != 0 && self.tallies.settles(worth.settlement_date, day);
        let settlement = opens.then(|| sum_of_two(twice_settled));
        let nothing = ProfitMark { factor: None, twice: None, twice_settlement: settlement };
        if worth.known != Known::Whole {
            return Valued { unit: None, profit: nothing, margin_bps: None };
        }
        let nothing = ProfitMark { factor: Some(worth.factor()), ..nothing };
        let quote = match self.tables.references.quote(instrument) {
            // One of the other kind says nothing, and one that cannot be read might say anything.
            Ok(quote) => quote.of_sign(worth.signed),
            Err(SlotFault::Empty) => Some(Quote::NOTHING),
            Err(SlotFault::Torn) => None,
        };
        let settled = (worth.settlement != 0).then(|| worth.doubled(twice_settled));
        let (unit, twice) = match quote {
            None => (None, None),
            Some(Quote { twice_ref: 0, .. }) => (settled, settlement.map(|settled| [settled; 2])),
            Some(quote) if self.is_current(&quote, now) => {
                (Some(worth.doubled(quote.twice_ref)), Some([sum_of_two(quote.twice_ref); 2]))
            }
            // A book in doubt, or an old price, does not make anything smaller, nor a profit larger, than what it settled at.
            Some(Quote { twice_ref, .. }) => {
                let mark = sum_of_two(twice_ref);
                let worse = settlement.map(|settled| [settled.min(mark), settled.max(mark)]);
                (settled.map(|settled| settled.max(worth.doubled(twice_ref))), worse)
            }
        };
        let margin_bps = if self.levels.credits { self.margin_bps(instrument, now) } else { None };
        Valued { unit, profit: ProfitMark { twice, ..nothing }, margin_bps }
    }

    /// The margin multiplier of an instrument, in basis points: the largest in force at `now` of any class, since positions are not told
    /// apart by class where accounts and groups hold them. None when no class has limits, or those of one cannot be read.
    #[cold]
    #[inline(never)]
    fn margin_bps(&self, instrument: InstrumentId, now: UnixNanos) -> Option<u32> {
        let GateTables { statics, dynamics, .. } = &self.tables;
        let mut largest = None;
        for class in (0..self.classes).filter_map(|n| u8::try_from(n).ok()).map(ClassId) {
            match in_force(statics, dynamics.as_ref(), instrument, class, now) {
                Ok(limits) => largest = largest.max(Some(limits.bounds.margin_bps)),
                Err(SlotFault::Empty) => {}
                Err(SlotFault::Torn) => return None,
            }
        }
        largest
    }

    /// The same at `now`.
    pub(crate) fn valued_at(&self, instrument: InstrumentId, now: UnixNanos) -> Valued {
        self.valued(instrument, &self.worth(instrument, now), now)
    }

    /// What the prices of an instrument mean in money.
    pub(crate) fn worth(&self, instrument: InstrumentId, now: UnixNanos) -> Worth {
        match &self.money {
            Some(rules) => self.tables.references.terms.worth(instrument, rules, now),
            None => Worth::PLAIN,
        }
    }

    /// What a level holds and has working in an instrument.
    pub(crate) fn held(&self, place: Place, instrument: InstrumentId) -> Cell {
        match place {
            Place::Strategy(strategy) => {
                let cell = self.cell_index(instrument, strategy).and_then(|at| self.cells.get(at));
                cell.copied().unwrap_or(Cell::FLAT)
            }
            Place::Account(account) => self.shared.held(instrument, account),
            Place::Group(group) => self.levels.cell(group, instrument),
        }
    }

    /// What it traded of it on `day`.
    fn tally(&self, place: Place, instrument: InstrumentId, day: u32) -> Tally {
        match place {
            Place::Strategy(strategy) => {
                let at = self.cell_index(instrument, strategy);
                at.map_or(Tally::NONE, |at| self.tallies.of_cell(at, day))
            }
            Place::Account(account) => self.tallies.of_account(self.shared.at(instrument, account), day),
            Place::Group(group) => self.levels.tally(group, instrument, day),
        }
    }

    /// What an instrument comes to in a level where `cell` is held, and what was traded of it on `day`; `own`: with an order.
    pub(crate) fn part(
        &self,
        (place, level): (Place, &Level),
        (instrument, cell): (InstrumentId, &Cell),
        (valued, day): (&Valued, u32),
        own: Option<Growth>,
    ) -> Part {
        let counted = if level.counts_loss() { self.tallies.rules.as_ref() } else { None };
        let tally = counted.map_or(Tally::NONE, |_| self.tally(place, instrument, day));
        Part::of(cell, counted.map(|rules| (&tally, rules)), valued, own)
    }

    /// What a level would come to with `growth` more of `order` working that trade at `at`.
    fn weigh_in(
        &self,
        place: Place,
        order: &OrderIntent,
        (growth, at): (u32, u64),
        moment: &Moment,
    ) -> Weight {
        let Some(level) = self.levels.level(place) else { return Weight::NONE };
        let (instrument, &Moment { now, day, fresh, .. }) = (order.instrument, moment);
        let mut cell = self.held(place, instrument);
        cell.rework(order.side, 0, growth);
        let worst = cell.worst(order.side, 0).max(0).unsigned_abs();
        let grown = Growth { side: order.side, qty: worst.min(growth.into()), unit: moment.worth.twice(at) };
        let own = self.part((place, level), (instrument, &cell), (&moment.valued, day), Some(grown));
        let part_of = |other| {
            if fresh {
                return level.part(other);
            }
            let (cell, valued) = (self.held(place, other), self.valued_at(other, now));
            self.part((place, level), (other, &cell), (&valued, day), None)
        };
        let others = || level.busy.iter().map(InstrumentId).filter(|other| *other != instrument);
        let held_max = self.levels.summed_max.saturating_sub(usize::from(own.held));
        let sums = if fresh {
            Some(level.sums.minus(&level.part(instrument))).filter(|sums| sums.held as usize <= held_max)
        } else {
            others().try_fold(Sums::default(), |sums, other| {
                Some(sums.plus(&part_of(other))).filter(|sums| sums.held as usize <= held_max)
            })
        };
        match sums {
            None => Weight::unknown(level, instrument, worst == 0),
            Some(sums) => {
                let order = (instrument, order.side, worst == 0);
                let find = |its: fn(&Part) -> bool| others().find(|other| its(&part_of(*other)));
                let weight = Weight::of(level, (&sums, &own), order, find);
                if !level.limits.has_credit() {
                    return weight;
                }
                let own = Margin::of(&own, moment.valued.margin_bps);
                let (required, unmargined) = self.required(place, (instrument, own), moment);
                weight.requiring(required, unmargined)
            }
        }
    }

    /// What a level requires of its credit where `own` is what the order's instrument does, and an instrument of which nobody knows.
    #[inline(never)]
    fn required(
        &self,
        place: Place,
        (instrument, own): (InstrumentId, Margin),
        &Moment { now, day, fresh, .. }: &Moment,
    ) -> (u128, Option<InstrumentId>) {
        let Some(level) = self.levels.level(place) else { return (0, None) };
        let margin_of = |other| {
            if fresh {
                return level.margin(other);
            }
            let (cell, valued) = (self.held(place, other), self.valued_at(other, now));
            Margin::of(&self.part((place, level), (other, &cell), (&valued, day), None), valued.margin_bps)
        };
        let others = || level.busy.iter().map(InstrumentId).filter(|other| *other != instrument);
        let beside = if fresh {
            level.required.minus(level.margin(instrument))
        } else {
            others().fold(Required::default(), |sum, other| sum.plus(margin_of(other)))
        };
        let all = beside.plus(own);
        let unknown = match own.is_unknown() {
            _ if !all.is_unknown() => None,
            true => Some(instrument),
            false => others().find(|other| margin_of(*other).is_unknown()).or(Some(instrument)),
        };
        (all.amount(), unknown)
    }

    /// What the order's levels would come to, if `growth` more of it worked that trade at `at`, in 1e-9 a unit.
    #[inline(never)]
    pub(crate) fn weigh(
        &self,
        order: &OrderIntent,
        growth: u32,
        at: u64,
        now: UnixNanos,
    ) -> [Weight; LEVELS] {
        let moment = self.moment(order.instrument, now);
        self.levels.places(order.strategy, order.account).map(|place| {
            place.map_or(Weight::NONE, |place| self.weigh_in(place, order, (growth, at), &moment))
        })
    }

    fn moment(&self, instrument: InstrumentId, now: UnixNanos) -> Moment {
        let worth = self.worth(instrument, now);
        let (valued, day) = (self.valued(instrument, &worth, now), self.tallies.day_at(now));
        Moment { now, day, fresh: self.is_fresh(now), worth, valued }
    }

    /// Whether a new order that is judged at `px` may weigh too much, or nearly. Not of an instrument that may trade below zero.
    #[inline(never)]
    pub(crate) fn weighs_much(&self, order: &OrderIntent, px: u64, now: UnixNanos) -> bool {
        let bad = |weight: &Weight| {
            weight.is_near(self.warn)
                || weight.unvalued().or(weight.unknown_profit()).is_some()
                || weight.has_lost()
        };
        let moment = self.moment(order.instrument, now);
        let places = self.levels.places(order.strategy, order.account);
        places.into_iter().flatten().any(|at| bad(&self.weigh_in(at, order, (order.qty.0, px), &moment)))
    }

    /// The position or the orders of a strategy, and of an account, in an instrument have changed.
    #[inline(never)]
    pub(crate) fn relist(&mut self, instrument: InstrumentId, strategy: StrategyId, account: AccountId) {
        // As of no time before that of what else is kept.
        let now = self.levels.valued().map_or(self.told, |valued| valued.max(self.told));
        let valued = self.levels.keeps().then(|| self.valued_at(instrument, now));
        for place in self.levels.places(strategy, account).into_iter().flatten() {
            self.relist_in(place, instrument, valued.as_ref(), now);
        }
    }

    fn relist_in(&mut self, place: Place, instrument: InstrumentId, valued: Option<&Valued>, now: UnixNanos) {
        let Some(level) = self.levels.level(place) else { return };
        let (cell, day) = (self.held(place, instrument), self.tallies.day_at(now));
        let traded = level.counts_loss() && !self.tally(place, instrument, day).is_none();
        let busy = !cell.is_flat() || traded;
        let valued = valued.filter(|_| busy);
        let part = valued.map(|valued| self.part((place, level), (instrument, &cell), (valued, day), None));
        if let Some(level) = self.levels.level_mut(place) {
            level.busy.set(instrument.0, busy);
            let part = part.unwrap_or_default();
            if level.limits.has_credit() {
                level.put_margin(instrument, Margin::of(&part, valued.and_then(|valued| valued.margin_bps)));
            }
            level.put(instrument, part);
        }
    }

    /// Values everything that is held as of `now`.
    #[cold]
    #[inline(never)]
    pub(crate) fn revalue(&mut self, now: UnixNanos) {
        let now = now.max(self.told);
        for place in self.levels.all() {
            let count = self.levels.level(place).map_or(0, |level| level.busy.len());
            // From the last one: what is not busy any more leaves the list, and the last one takes its place.
            for at in (0..count).rev() {
                let listed = self.levels.level(place).and_then(|level| level.busy.get(at));
                if let Some(instrument) = listed.map(InstrumentId) {
                    let valued = self.valued_at(instrument, now);
                    self.relist_in(place, instrument, Some(&valued), now);
                }
            }
        }
        self.levels.set_valued(Some(now));
    }

    /// Whether what is kept counts at `now`: it is young enough, and of the same day.
    fn is_fresh(&self, now: UnixNanos) -> bool {
        let same_day = |valued| self.tallies.day_at(valued) == self.tallies.day_at(now);
        self.levels.valued().is_some_and(|valued| self.levels.is_young(now) && same_day(valued))
    }

    /// Values everything anew where what is kept is too old to judge an order in `instrument` at `now` by. Its own reference vouches
    /// for the time as well, as it does where the order is let out.
    #[inline]
    pub(crate) fn refresh(&mut self, instrument: InstrumentId, now: UnixNanos) {
        if self.levels.on && self.levels.keeps() && !self.is_fresh(now) {
            let quote = self.tables.references.hot(instrument);
            let near = quote.is_ok_and(|quote| now.0.abs_diff(quote.ts.0) <= self.ref_age_max.0);
            if near || self.believed(now) == now {
                self.revalue(now);
            }
        }
    }

    /// `now`, where a feed or the appliance was heard of about that time, or it lies behind what was believed before; else the
    /// latest time that was believed. A clock that reads far ahead would else begin another day, and forget what was lost and done.
    fn believed(&self, now: UnixNanos) -> UnixNanos {
        let heard = [self.tables.references.heartbeat(), self.tables.breakers.heard()];
        let vouched = heard.into_iter().any(|at| now.0.abs_diff(at.0) <= self.ref_age_max.0);
        if vouched || now <= self.told { now } else { self.told }
    }

    /// It is `now`, or was later before.
    #[inline]
    pub(crate) fn see(&mut self, now: UnixNanos) {
        self.told = self.told.max(now);
        if self.tallies.pass_time(self.told) {
            self.levels.set_valued(None);
        }
    }

    /// Takes note of the time, between orders: a day of the firm's may begin with it, and what is held is valued while no order
    /// waits. What the venue says counts as of the latest time that was noted. The time that is noted: another than `now` where
    /// neither a feed nor the appliance was heard of about `now` (within the oldest reference that is believed). Whoever follows
    /// this gate's steps is to note the same times before them ([`Gate::follow_time`]).
    pub fn pass_time(&mut self, now: UnixNanos) -> UnixNanos {
        let at = self.believed(now);
        self.follow_time(at);
        at
    }

    /// Takes note of a time that the gate which is followed has noted.
    pub fn follow_time(&mut self, at: UnixNanos) {
        self.see(at);
        if self.levels.on && self.levels.is_due(at) {
            self.revalue(at);
        }
    }
}

impl Gate {
    /// What so much of an order that is judged at `px` counts for within the window: as it is valued by itself, a market order at the
    /// worst price that it reaches, a sell at the bid where that is higher. One of which nobody knows what it is worth counts for
    /// nothing, and is refused for it unless it only closes.
    #[inline(never)]
    pub(crate) fn value_of(&self, order: &OrderIntent, px: u64, qty: u32, now: UnixNanos) -> RoundedValue {
        let worth = self.worth(order.instrument, now);
        if worth.known != Known::Whole {
            return RoundedValue(0);
        }
        let references = &self.tables.references;
        let quote = match (order.order_type, order.side) {
            (OrderType::Market, _) => references.quote(order.instrument).ok(),
            // The touch that it meets adds nothing to its price.
            (OrderType::Limit, Side::Bid) if !worth.signed => None,
            (OrderType::Limit, _) => references.hot(order.instrument).ok(),
        };
        let quote = quote.and_then(|quote| quote.of_sign(worth.signed)).unwrap_or(Quote::NOTHING);
        let judged = Judged::of(order, &quote);
        let reached = if judged.market { self.walk(order, &judged).worst } else { 0 };
        let px = if reached == 0 { px } else { reached };
        let unit = worth.unit(px, quote.valued_from(judged.buys));
        let nanos = worth.money(u128::from(unit) * u128::from(qty));
        RoundedValue::above(nanos.div_ceil(1_000))
    }

    /// An order's share of each kind of activity.
    pub(crate) fn activity_of(value: RoundedValue, qty: u32) -> [u64; KINDS] {
        [value.micros(), qty.into(), 1, 0, 0]
    }

    /// Counts an order, or what a replacement adds.
    #[inline(never)]
    pub(crate) fn count_order(&mut self, order: &OrderIntent, value: RoundedValue, qty: u32, now: UnixNanos) {
        let more = Self::activity_of(value, qty);
        self.activities.count(order.strategy, order.account, now, more);
    }

    /// Whether a new order that is judged at `px` may be too much of something within the window.
    #[inline(never)]
    pub(crate) fn does_much(&self, order: &OrderIntent, px: u64, now: UnixNanos) -> bool {
        let more = Self::activity_of(self.value_of(order, px, order.qty.0, now), order.qty.0);
        self.activities.exceeds(order, now, more)
    }

    /// Notes that the venue is asked to take an order back. A cancel always passes; it counts as a message and as a cancel of the
    /// order's strategy and account, and may keep them from sending new orders. Whether it counted: it is then a
    /// [`crate::Step::CancelSent`]. It is to be one of the time that [`Gate::pass_time`] gave.
    pub fn cancel(&mut self, id: u64, now: UnixNanos) -> bool {
        let Some(entry) = self.orders.get(id).filter(|_| self.activities.on) else { return false };
        let (_, strategy) = self.cell_names(entry.cell as usize);
        self.activities.count(strategy, AccountId(entry.account), now, [0, 0, 1, 1, 0]);
        true
    }
}
