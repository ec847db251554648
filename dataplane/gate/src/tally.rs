//! What was traded within the firm's day, and what came of it: profit and loss of every strategy and account.
//!
//! **The sum.** Of each instrument the day's money and quantity are kept: what sales brought less what purchases cost, in the
//! instrument's own currency, and how much more was bought than sold. At any moment the day's profit is that money, and what is
//! held, at the mark of the moment, less what was held at the day's beginning, at the settlement price. That is realised and
//! marked profit together, whatever fills are matched with whatever others. Fees of each unit traded are taken off.
//!
//! **The day** begins by the time of what the gate is told: an order that leaves, or [`crate::Gate::pass_time`], where a feed or the
//! appliance vouches for it. Nothing is written then: a tally of a day before counts as none, and what it had traded is what the new day
//! began with.
//!
//! **What a person sets** ([`crate::Gate::set_position`]) was traded by nobody: it counts from the settlement price, like what the
//! day began with.

use alloc::{boxed::Box, vec};

use types::{Nanos, Px, Side, UnixNanos};

use crate::{activity::Doer, exposure::POSITION_MAX, worth::TradeDate};

/// A day.
const DAY_NS: u64 = 86_400_000_000_000;

/// Of 1e-9 of the firm's currency, in doubled 1e-24.
const UNITS_PER_NANO: u128 = 2 * 1_000_000_000_000_000;

/// How profit and loss are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfitRules {
    /// When the firm's day begins, after midnight UTC: less than a day.
    pub day_start: Nanos,
    /// What trading a unit costs, in 1e-9 of the firm's currency.
    pub fee_nanos_per_unit: u64,
    /// How many days before the firm's day the trading day of a settlement price may lie: one, and weekends and holidays more.
    pub settlement_age_max_days: u32,
}

impl ProfitRules {
    /// Days from midnight to midnight UTC, without fees; settlement prices of the day before, or of before a long weekend.
    #[cfg(all(test, not(loom)))]
    pub(crate) const DEFAULT: Self =
        Self { day_start: Nanos(0), fee_nanos_per_unit: 0, settlement_age_max_days: 4 };

    /// The date of the firm's day at `at`: that of its middle, so that a day which begins in the evening has the next date.
    #[must_use]
    pub const fn trade_date(&self, at: UnixNanos) -> TradeDate {
        self.date_of(self.day_of(at))
    }

    /// Whether the firm's day at `at` begins with what settled on `date`: on one of the last days before it, and not on the day itself.
    #[must_use]
    pub const fn settles(&self, date: TradeDate, at: UnixNanos) -> bool {
        self.settles_on(date, self.day_of(at))
    }

    /// When the firm's day of `date` is over.
    #[must_use]
    pub const fn ends(&self, date: TradeDate) -> UnixNanos {
        let days = if self.day_start.0 >= DAY_NS / 2 { date.0 as u64 } else { date.0 as u64 + 1 };
        UnixNanos(days.saturating_mul(DAY_NS).saturating_add(self.day_start.0))
    }

    const fn date_of(&self, day: u32) -> TradeDate {
        // Day 2 begins within the first of January 1970.
        let begins = day.saturating_sub(2);
        TradeDate(if self.day_start.0 >= DAY_NS / 2 { begins.saturating_add(1) } else { begins })
    }

    const fn settles_on(&self, date: TradeDate, day: u32) -> bool {
        let age_days = self.date_of(day).0.saturating_sub(date.0);
        date.0 != TradeDate::NONE.0 && age_days != 0 && age_days <= self.settlement_age_max_days
    }

    /// The number of the day that `at` lies in; 0 is no day.
    const fn day_of(&self, at: UnixNanos) -> u32 {
        let since_a_start = at.0.saturating_add(DAY_NS.saturating_sub(self.day_start.0));
        (since_a_start / DAY_NS) as u32 + 1
    }

    /// What so many units cost, in doubled 1e-24.
    fn fees(&self, volume: u64) -> Option<i128> {
        let fee = u128::from(volume).checked_mul(self.fee_nanos_per_unit.into())?;
        i128::try_from(fee.checked_mul(UNITS_PER_NANO)?).ok()
    }
}

/// What was traded of one instrument within one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// What sales brought less what purchases cost, in 1e-9 of the instrument's currency, of one unit of the underlying a unit;
    /// [`Tally::UNKNOWN_CASH`] when nobody knows.
    pub cash: i128,
    /// Bought less sold.
    pub traded: i64,
    /// Bought and sold.
    pub volume: u64,
    /// 0 is none.
    pub day: u32,
}

impl Tally {
    pub(crate) const NONE: Self = Self { cash: 0, traded: 0, volume: 0, day: 0 };

    /// The cash of a day on which something was taken back of which nobody knows at what price it had counted: what comes to it nobody
    /// knows either, until the day is over.
    const UNKNOWN_CASH: i128 = i128::MIN;

    /// As it counts on `day`.
    pub(crate) const fn on(self, day: u32) -> Self {
        if self.day == day { self } else { Self { day, ..Self::NONE } }
    }

    /// Nothing was traded.
    pub(crate) const fn is_none(&self) -> bool {
        self.volume == 0
    }

    /// Whatever comes to it.
    fn add_cash(&mut self, cash: i128) {
        let known = self.cash != Self::UNKNOWN_CASH && cash != Self::UNKNOWN_CASH;
        self.cash = if known { self.cash.saturating_add(cash) } else { Self::UNKNOWN_CASH };
    }

    /// `qty` more was traded at `px`. `undone`: it was not, after all.
    fn trade(&mut self, side: Side, qty: u32, px: Px, undone: bool) {
        let (units, cost) = (i64::from(qty), i128::from(px.0).saturating_mul(qty.into()));
        let buys = (side == Side::Bid) != undone;
        let (units, cash) = if buys { (units, cost.saturating_neg()) } else { (-units, cost) };
        self.traded = self.traded.saturating_add(units).clamp(-POSITION_MAX, POSITION_MAX);
        self.add_cash(if px.is_some() { cash } else { Self::UNKNOWN_CASH });
        self.volume = self.volume.saturating_add(qty.into());
    }

    /// Adds what another one has, of the same day.
    fn add(&mut self, other: &Self) {
        self.add_cash(other.cash);
        self.traded = self.traded.saturating_add(other.traded).clamp(-POSITION_MAX, POSITION_MAX);
        self.volume = self.volume.saturating_add(other.volume);
    }
}

/// At what an instrument's profit is counted. Prices are doubled, in 1e-9.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProfitMark {
    /// Multiplier times rate, in 1e-15 of the firm's currency; none when nobody knows.
    pub factor: Option<u128>,
    /// For what is long, and for what is short: the worse of the marks that there are.
    pub twice: Option<[i64; 2]>,
    pub twice_settlement: Option<i64>,
}

impl ProfitMark {
    /// The day's profit, in doubled 1e-24, with `position` held now; none when nobody knows, or it does not fit, as of a cash that is
    /// not known.
    pub(crate) fn profit(&self, position: i64, tally: &Tally, rules: &ProfitRules) -> Option<i128> {
        let opened = i128::from(position) - i128::from(tally.traded);
        let mut sum = tally.cash.checked_mul(2)?;
        if position != 0 {
            let [long, short] = self.twice?;
            let mark = if position > 0 { long } else { short };
            sum = sum.checked_add(i128::from(position).checked_mul(mark.into())?)?;
        }
        if opened != 0 {
            sum = sum.checked_sub(opened.checked_mul(self.twice_settlement?.into())?)?;
        }
        let profit = match sum {
            0 => 0,
            sum => sum.checked_mul(i128::try_from(self.factor?).ok()?)?,
        };
        profit.checked_sub(rules.fees(tally.volume)?)
    }
}

/// A fill, or one that was taken back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trade {
    pub side: Side,
    pub qty: u32,
    pub px: Px,
    pub undone: bool,
}

/// The tallies of the day.
#[derive(Debug)]
pub(crate) struct Tallies {
    /// None where nothing is kept.
    pub rules: Option<ProfitRules>,
    /// The latest day there was.
    day: u32,
    /// By cell, as the gate's.
    strategies: Box<[Tally]>,
    /// By instrument and account.
    accounts: Box<[Tally]>,
}

impl Tallies {
    pub(crate) fn new(rules: Option<ProfitRules>, cells: usize, account_cells: usize) -> Self {
        let kept = |count: usize| vec![Tally::NONE; if rules.is_some() { count } else { 0 }].into();
        Self { rules, day: 0, strategies: kept(cells), accounts: kept(account_cells) }
    }

    /// Bytes they take.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.strategies) + size_of_val(&*self.accounts)
    }

    /// The day that counts at `now`: none before one that there was.
    pub(crate) fn day_at(&self, now: UnixNanos) -> u32 {
        self.rules.map_or(0, |rules| rules.day_of(now).max(self.day))
    }

    /// Whether `day` begins with what settled on `date`.
    pub(crate) fn settles(&self, date: TradeDate, day: u32) -> bool {
        self.rules.is_some_and(|rules| rules.settles_on(date, day))
    }

    /// It is `now`. Whether a day begins.
    pub(crate) fn pass_time(&mut self, now: UnixNanos) -> bool {
        let Some(rules) = self.rules else { return false };
        let day = rules.day_of(now).max(self.day);
        core::mem::replace(&mut self.day, day) != day
    }

    /// Of a strategy's cell.
    pub(crate) fn of_cell(&self, cell: usize, day: u32) -> Tally {
        self.strategies.get(cell).copied().unwrap_or(Tally::NONE).on(day)
    }

    /// Of an account's.
    pub(crate) fn of_account(&self, at: usize, day: u32) -> Tally {
        self.accounts.get(at).copied().unwrap_or(Tally::NONE).on(day)
    }

    /// Books a trade of a strategy's cell and an account's.
    pub(crate) fn trade(&mut self, cell: usize, account: usize, trade: &Trade) {
        let Trade { side, qty, px, undone } = *trade;
        for tally in [self.strategies.get_mut(cell), self.accounts.get_mut(account)].into_iter().flatten() {
            *tally = tally.on(self.day);
            tally.trade(side, qty, px, undone);
        }
    }

    /// The same in a tally beside them.
    pub(crate) fn trade_in(&self, tally: &mut Tally, trade: &Trade) {
        *tally = tally.on(self.day);
        tally.trade(trade.side, trade.qty, trade.px, trade.undone);
    }

    /// Adds to a tally beside them what was kept.
    pub(crate) fn take_in(&self, tally: &mut Tally, kept: &Tally) {
        *tally = tally.on(self.day);
        tally.add(kept);
    }

    /// Takes back what was kept of the day that is now; of one that is over it says nothing any more. What it added.
    pub(crate) fn take(&mut self, doer: Doer, at: usize, kept: Tally, when: UnixNanos) -> Option<Tally> {
        self.pass_time(when);
        if self.rules?.day_of(when) != self.day {
            return None;
        }
        let place = match doer {
            Doer::Strategy(_) => self.strategies.get_mut(at)?,
            Doer::Account(_) => self.accounts.get_mut(at)?,
        };
        let kept = Tally { day: self.day, ..kept };
        *place = place.on(self.day);
        place.add(&kept);
        Some(kept)
    }

    /// Everything that counts today: whether of an account, where, and what.
    pub(crate) fn kept(&self) -> impl Iterator<Item = (bool, usize, Tally)> {
        let today = |tally: &&Tally| tally.day == self.day && !tally.is_none();
        let of = move |all: &'_ [Tally], account: bool| {
            let found = all.iter().enumerate().filter(move |(_, tally)| today(tally));
            found.map(|(at, tally)| (account, at, *tally)).collect::<alloc::vec::Vec<_>>()
        };
        of(&self.strategies, false).into_iter().chain(of(&self.accounts, true))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{collections::VecDeque, vec::Vec};

    #[test]
    fn a_day_begins_when_the_firm_says() {
        let rules = ProfitRules { day_start: Nanos(22 * 3_600_000_000_000), ..ProfitRules::DEFAULT };
        let at = |hours: u64| UnixNanos(hours * 3_600_000_000_000);
        assert_eq!(rules.day_of(at(22)), rules.day_of(at(22 + 23)));
        assert_eq!(rules.day_of(UnixNanos(at(46).0 - 2)), rules.day_of(at(22)));
        assert_eq!(rules.day_of(at(46)), rules.day_of(at(22)) + 1);
        assert_eq!(rules.day_of(at(21)) + 1, rules.day_of(at(22)));
        assert!(ProfitRules::DEFAULT.day_of(UnixNanos(0)) > 0 && rules.day_of(UnixNanos(u64::MAX)) > 0);
        assert_eq!(
            ProfitRules::DEFAULT.day_of(UnixNanos(DAY_NS)),
            ProfitRules::DEFAULT.day_of(UnixNanos(0)) + 1
        );
    }

    #[test]
    fn a_day_ends_when_the_next_date_begins() {
        for hours in [0, 6, 11, 12, 22] {
            let rules = ProfitRules { day_start: Nanos(hours * 3_600_000_000_000), ..ProfitRules::DEFAULT };
            for date in [1, 20_784] {
                let ends = rules.ends(TradeDate(date));
                assert_eq!(rules.trade_date(UnixNanos(ends.0 - 1)), TradeDate(date), "{hours}");
                assert_eq!(rules.trade_date(ends), TradeDate(date + 1), "{hours}");
            }
            assert_eq!(rules.ends(TradeDate(u32::MAX)), UnixNanos(u64::MAX));
        }
    }

    #[test]
    fn a_cash_that_nobody_knows_is_known_by_nothing_that_comes_to_it() {
        let px = |text: &str| text.parse::<Px>().unwrap();
        for [first, second] in [[Px::NONE, px("100.00")], [px("100.00"), Px::NONE]] {
            let mut tally = Tally::NONE;
            tally.trade(Side::Ask, 3, first, false);
            tally.trade(Side::Ask, 4, second, false);
            assert_eq!((tally.cash, tally.traded, tally.volume), (Tally::UNKNOWN_CASH, -7, 7));
        }
    }

    /// Lots, oldest first: what people call realised, and what they call marked.
    #[derive(Default)]
    struct Lots {
        /// Signed quantity, price.
        open: VecDeque<(i128, i128)>,
        realised: i128,
    }

    impl Lots {
        fn trade(&mut self, mut qty: i128, px: i128) {
            while let Some((held, at)) = self.open.front_mut().filter(|(held, _)| (*held > 0) != (qty > 0)) {
                let closed = qty.abs().min(held.abs()) * qty.signum();
                self.realised += -closed * (px - *at);
                *held += closed;
                qty -= closed;
                if *held == 0 {
                    self.open.pop_front();
                }
                if qty == 0 {
                    return;
                }
            }
            self.open.push_back((qty, px));
        }

        fn marked(&self, mark: i128) -> i128 {
            self.open.iter().map(|(qty, at)| qty * (mark - at)).sum()
        }
    }

    proptest! {
        /// Realised by first in, first out, and marked, from a position that the day began with at its settlement price.
        #[test]
        fn a_profit_is_what_lots_realised_and_what_is_open_is_marked_at(
            opened in -500_i64..500,
            trades in proptest::collection::vec((any::<bool>(), 1_u32..300, -2_000_i64..20_000), 0..40),
            (mark, settlement) in (-3_000_i64..20_000, -3_000_i64..20_000),
            (factor, fee) in (1_u64..1 << 60, 0_u64..1_000_000),
        ) {
            let rules = ProfitRules { fee_nanos_per_unit: fee, ..ProfitRules::DEFAULT };
            let mut tallies = Tallies::new(Some(rules), 1, 1);
            tallies.pass_time(UnixNanos(1));
            let mut lots = Lots::default();
            if opened != 0 {
                lots.trade(opened.into(), settlement.into());
            }
            let (mut position, mut volume) = (opened, 0);
            for (buys, qty, px) in trades {
                let side = if buys { Side::Bid } else { Side::Ask };
                tallies.trade(0, 0, &Trade { side, qty, px: Px(px), undone: false });
                let signed = if buys { i64::from(qty) } else { -i64::from(qty) };
                position += signed;
                volume += i128::from(qty);
                lots.trade(signed.into(), px.into());
            }
            let mark_ = ProfitMark { factor: Some(factor.into()), twice: Some([2 * mark; 2]), twice_settlement: Some(2 * settlement) };
            let day = tallies.day_at(UnixNanos(1));
            let found = mark_.profit(position, &tallies.of_cell(0, day), &rules).unwrap();
            let wanted = 2 * i128::from(factor) * (lots.realised + lots.marked(mark.into()))
                - 2 * volume * i128::from(fee) * 1_000_000_000_000_000;
            prop_assert_eq!(found, wanted);
            prop_assert_eq!(tallies.of_account(0, day), tallies.of_cell(0, day));
            // The next day begins with what is held, at the settlement price.
            let later = tallies.of_cell(0, day + 1);
            prop_assert!(later.is_none());
            let next = mark_.profit(position, &later, &rules).unwrap();
            prop_assert_eq!(next, 2 * i128::from(factor) * i128::from(position) * i128::from(mark - settlement));
        }
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        let rules = ProfitRules::DEFAULT;
        let whole = ProfitMark { factor: Some(1), twice: Some([6, 8]), twice_settlement: Some(4) };
        let held = Tally { cash: -10, traded: 5, volume: 5, day: 1 };
        assert_eq!(whole.profit(5, &held, &rules), Some(10), "long at the lower mark");
        assert_eq!(
            whole.profit(-5, &Tally { cash: 10, traded: -5, ..held }, &rules),
            Some(-20),
            "short at the higher"
        );
        assert_eq!(whole.profit(7, &held, &rules), Some(-20 + 42 - 8), "two were held before");
        assert_eq!(ProfitMark { twice: None, ..whole }.profit(5, &held, &rules), None);
        assert_eq!(ProfitMark { twice_settlement: None, ..whole }.profit(5, &held, &rules), Some(10));
        assert_eq!(ProfitMark { twice_settlement: None, ..whole }.profit(6, &held, &rules), None);
        let flat = Tally { cash: -3, traded: 0, volume: 2, day: 1 };
        let nothing = ProfitMark { factor: None, twice: None, twice_settlement: None };
        assert_eq!(nothing.profit(0, &Tally::NONE, &rules), Some(0));
        assert_eq!(nothing.profit(0, &flat, &rules), None, "in a currency without a rate");
        assert_eq!(ProfitMark { twice: None, ..whole }.profit(0, &flat, &rules), Some(-6));
        let dear = Tally { cash: i128::MAX / 2, ..flat };
        assert_eq!(ProfitMark { factor: Some(3), ..whole }.profit(0, &dear, &rules), None, "it does not fit");
        let fees = ProfitRules { fee_nanos_per_unit: u64::MAX, ..rules };
        assert_eq!(whole.profit(0, &Tally { volume: u64::MAX, ..flat }, &fees), None);
        assert_eq!(
            whole.profit(0, &flat, &ProfitRules { fee_nanos_per_unit: 3, ..rules }),
            Some(-6 - 12_000_000_000_000_000)
        );
    }

    #[test]
    fn a_trade_that_is_taken_back_leaves_its_fee() {
        let mut tallies = Tallies::new(Some(ProfitRules::DEFAULT), 1, 1);
        for undone in [false, true] {
            tallies.trade(0, 0, &Trade { side: Side::Ask, qty: 7, px: Px(-3), undone });
        }
        let tally = tallies.of_cell(0, 0);
        assert_eq!((tally.cash, tally.traded, tally.volume), (0, 0, 14));
        assert!(Vec::from_iter(tallies.kept()).len() == 2);
    }
}
