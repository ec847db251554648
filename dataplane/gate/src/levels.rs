//! What a strategy, an account, a desk, a trader and the firm could hold over all instruments, in money: gross, net, and in one
//! instrument; what that requires of their credit; and what they may lose within a day.
//!
//! **Worst case.** With position `p`, working buys `b` and working sells `s`, fills in any order leave an instrument's position
//! between `p − s` and `p + b`. Gross counts the larger size of the two ends, net the upper ends against a limit on what is bought
//! and the lower ends against one on what is sold. No subset of the fills, in any order, leads past what was counted, at the same marks.
//!
//! **What closes.** An order that can only reduce what the level itself holds of the instrument adds to neither gross nor the part of
//! the instrument, and passes both, and a loss. To the net it may add, since closing one of two legs leaves the other: the net is held
//! to its limit by itself, and an order on the side that the net does not lie on passes it.
//!
//! **Marks.** Everything is valued at the reference price, whatever its age; where there is none, at the settlement
//! price; an instrument that may trade below zero at no less than it is worth at least. The reference of a book that is not live
//! counts only beside a settlement price, the larger of the two; for a profit, the worse. What an order adds to its instrument counts at
//! its own price where that is dearer. What cannot be valued is not small: growth is refused. So it is where more instruments are held
//! than a level may be summed over.
//!
//! **Credit.** What gross counts of each instrument, times its margin multiplier in force, rounded up ([`crate::margin`]). The multiplier is a
//! limit of the instrument that the model tightens by tier, so a credit is used up by danger as well as by orders; only growth is refused.
//!
//! **Kept sums.** Where marks may be a time old ([`crate::GateConfig::mark_age_max`]), each level keeps what every instrument came to
//! and the sums of that ([`crate::sums`]); the order's own instrument is taken out and put in again as it is at this moment. Else, and
//! where what is kept is older, all is summed anew.

use alloc::{boxed::Box, vec};

use types::{InstrumentId, Nanos, UnixNanos};

use crate::{
    exposure::Cell,
    ids::{AccountId, StrategyId},
    margin::{Margin, Required},
    sums::{Part, Sums},
    tally::Tally,
};

/// What a strategy, an account or a group may hold over all instruments, in millionths of the firm's currency; the largest number is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExposureLimits {
    /// Of all positions, bought or sold, with every working order filled that enlarges them.
    pub gross_micros: u64,
    /// Of positions bought less those sold, either way, likewise.
    pub net_micros: u64,
    /// Of the position in any one instrument, likewise.
    pub instrument_micros: u64,
    /// Of the margin required: what gross counts of each instrument times its [`crate::RiskLimits::margin_bps`] in force.
    pub credit_micros: u64,
}

impl ExposureLimits {
    /// No limit.
    pub const NONE: Self = Self {
        gross_micros: u64::MAX,
        net_micros: u64::MAX,
        instrument_micros: u64::MAX,
        credit_micros: u64::MAX,
    };

    /// Whether there is a credit.
    pub(crate) const fn has_credit(&self) -> bool {
        self.credit_micros != u64::MAX
    }
}

/// What kind of group strategies belong to. A strategy has at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum GroupKind {
    /// A desk.
    Desk = 0,
    /// Whoever answers for the strategy.
    Trader = 1,
    /// All there are.
    Firm = 2,
}

/// How many kinds there are.
pub const GROUP_KINDS: usize = 3;

/// Strategies that are limited together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// What it is.
    pub kind: GroupKind,
    /// What it may hold over all instruments.
    pub limits: ExposureLimits,
    /// What it may lose within a day, in millionths of the firm's currency; the largest number is no limit.
    pub loss_micros: u64,
}

/// A set of instruments.
#[derive(Debug)]
pub(crate) struct Busy {
    /// The first `len` are.
    list: Box<[u32]>,
    len: usize,
    /// Where in the list each instrument stands, plus one; 0 for not at all.
    place: Box<[u32]>,
}

impl Busy {
    fn new(instruments: usize) -> Self {
        Self { list: vec![0; instruments].into(), len: 0, place: vec![0; instruments].into() }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The n-th.
    pub(crate) fn get(&self, n: usize) -> Option<u32> {
        self.list.get(n).copied().filter(|_| n < self.len)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.list.iter().take(self.len).copied()
    }

    #[expect(clippy::cast_possible_truncation, reason = "as many instruments as fit 32 bits")]
    pub(crate) fn set(&mut self, instrument: u32, busy: bool) {
        let Some(place) = self.place.get_mut(instrument as usize) else { return };
        match (busy, *place) {
            (true, 0) => {
                if let Some(free) = self.list.get_mut(self.len) {
                    *free = instrument;
                    self.len = self.len.wrapping_add(1);
                    *place = self.len as u32;
                }
            }
            (false, at) if at != 0 => {
                *place = 0;
                self.len = self.len.saturating_sub(1);
                let Some(&last) = self.list.get(self.len) else { return };
                if last != instrument
                    && let (Some(hole), Some(moved)) =
                        (self.list.get_mut(at as usize - 1), self.place.get_mut(last as usize))
                {
                    (*hole, *moved) = (last, at);
                }
            }
            _ => {}
        }
    }
}

/// The levels of an order: its strategy, its account, and its strategy's desk, trader and firm.
pub(crate) const STRATEGY: usize = 0;
pub(crate) const ACCOUNT: usize = 1;
pub(crate) const DESK: usize = 2;
pub(crate) const TRADER: usize = 3;
pub(crate) const FIRM: usize = 4;
pub(crate) const LEVELS: usize = 2 + GROUP_KINDS;

/// Where a level is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Strategy(StrategyId),
    Account(AccountId),
    Group(u16),
}

/// A level that has limits.
#[derive(Debug)]
pub(crate) struct Level {
    pub limits: ExposureLimits,
    /// See [`GroupConfig::loss_micros`].
    pub loss_micros: u64,
    /// Those that are held, have orders, or were traded today where that counts.
    pub busy: Busy,
    /// What each instrument came to when it was last valued.
    parts: Box<[Part]>,
    pub sums: Sums,
    /// What each instrument required of the credit when it was last valued.
    margins: Box<[Margin]>,
    pub required: Required,
}

impl Level {
    fn new(limits: ExposureLimits, loss_micros: u64, instruments: usize, keeps: bool) -> Option<Self> {
        let limited = limits != ExposureLimits::NONE || loss_micros != u64::MAX;
        let kept = |wanted: bool| if keeps && wanted { instruments } else { 0 };
        let parts = vec![Part::default(); kept(true)].into();
        let margins = vec![Margin::NOTHING; kept(limits.has_credit())].into();
        let (busy, sums, required) = (Busy::new(instruments), Sums::default(), Required::default());
        limited.then_some(Self { limits, loss_micros, busy, parts, sums, margins, required })
    }

    /// Holds it to other limits. What had none gets none, and what had one keeps one, so that what is counted stays the same.
    pub(crate) const fn hold_to(&mut self, limits: ExposureLimits, loss_micros: u64) {
        const fn other(held: u64, wanted: u64) -> u64 {
            match (held, wanted) {
                (u64::MAX, _) => u64::MAX,
                (_, u64::MAX) => u64::MAX - 1,
                (_, wanted) => wanted,
            }
        }
        let ExposureLimits { gross_micros, net_micros, instrument_micros, credit_micros } = self.limits;
        self.limits = ExposureLimits {
            gross_micros: other(gross_micros, limits.gross_micros),
            net_micros: other(net_micros, limits.net_micros),
            instrument_micros: other(instrument_micros, limits.instrument_micros),
            credit_micros: other(credit_micros, limits.credit_micros),
        };
        self.loss_micros = other(self.loss_micros, loss_micros);
    }

    pub(crate) const fn counts_loss(&self) -> bool {
        self.loss_micros != u64::MAX
    }

    pub(crate) fn part(&self, instrument: InstrumentId) -> Part {
        self.parts.get(instrument.index()).copied().unwrap_or_default()
    }

    /// What it requires of the credit.
    pub(crate) fn margin(&self, instrument: InstrumentId) -> Margin {
        self.margins.get(instrument.index()).copied().unwrap_or(Margin::NOTHING)
    }

    /// An instrument comes to `part` from now on.
    pub(crate) fn put(&mut self, instrument: InstrumentId, part: Part) {
        if let Some(place) = self.parts.get_mut(instrument.index()) {
            self.sums = self.sums.minus(place).plus(&part);
            *place = part;
        }
    }

    /// It requires `margin` of the credit from now on.
    pub(crate) fn put_margin(&mut self, instrument: InstrumentId, margin: Margin) {
        if let Some(place) = self.margins.get_mut(instrument.index()) {
            self.required = self.required.minus(*place).plus(margin);
            *place = margin;
        }
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.busy.list)
            + size_of_val(&*self.busy.place)
            + size_of_val(&*self.parts)
            + size_of_val(&*self.margins)
    }
}

/// Strategies that are limited together, and what they hold and traded.
#[derive(Debug)]
struct Group {
    level: Option<Level>,
    cells: Box<[Cell]>,
    tallies: Box<[Tally]>,
}

/// The limits of levels, by number; of those beyond a list none.
#[derive(Clone, Copy)]
pub(crate) struct LevelLimits<'a> {
    pub strategies: (&'a [ExposureLimits], &'a [u64]),
    pub accounts: (&'a [ExposureLimits], &'a [u64]),
    pub groups: &'a [GroupConfig],
    pub strategy_groups: &'a [[Option<u16>; GROUP_KINDS]],
}

/// The levels that have limits.
#[derive(Debug)]
pub(crate) struct Levels {
    /// There is one.
    pub on: bool,
    /// One has a credit: only then is anybody asked for margin multipliers.
    pub credits: bool,
    strategies: Box<[Option<Level>]>,
    accounts: Box<[Option<Level>]>,
    groups: Box<[Group]>,
    /// By strategy and [`GroupKind`].
    groups_of: Box<[[Option<u16>; GROUP_KINDS]]>,
    /// Most instruments that one is summed over.
    pub summed_max: usize,
    /// How old what is kept may be; 0 where nothing is.
    mark_age_max: Nanos,
    /// When everything was valued; none before, and when a day has begun since.
    valued: Option<UnixNanos>,
}

impl Levels {
    /// Nothing is held.
    pub(crate) fn new(
        limits: LevelLimits<'_>,
        instruments: usize,
        (summed_max, mark_age_max): (u32, Nanos),
    ) -> Self {
        let keeps = mark_age_max.0 != 0;
        let levels = |(exposure, loss): (&[ExposureLimits], &[u64])| {
            let level = |n: usize| {
                let exposure = exposure.get(n).copied().unwrap_or(ExposureLimits::NONE);
                Level::new(exposure, loss.get(n).copied().unwrap_or(u64::MAX), instruments, keeps)
            };
            (0..exposure.len().max(loss.len())).map(level).collect::<Box<[_]>>()
        };
        let group = |config: &GroupConfig| {
            let level = Level::new(config.limits, config.loss_micros, instruments, keeps);
            let cells = if level.is_some() { instruments } else { 0 };
            let tallies = if level.as_ref().is_some_and(Level::counts_loss) { instruments } else { 0 };
            Group { level, cells: vec![Cell::FLAT; cells].into(), tallies: vec![Tally::NONE; tallies].into() }
        };
        let (strategies, accounts) = (levels(limits.strategies), levels(limits.accounts));
        let groups: Box<[_]> = limits.groups.iter().map(group).collect();
        let all = strategies.iter().chain(&accounts).chain(groups.iter().map(|group| &group.level)).flatten();
        Self {
            on: all.clone().next().is_some(),
            credits: all.clone().any(|level| level.limits.has_credit()),
            strategies,
            accounts,
            groups,
            groups_of: limits.strategy_groups.into(),
            summed_max: summed_max as usize,
            mark_age_max,
            valued: None,
        }
    }

    /// Bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        let behind = |level: &Option<Level>| level.as_ref().map_or(0, Level::bytes);
        let level = |level: &Option<Level>| size_of_val(level) + behind(level);
        let lists = |g: &Group| size_of_val(&*g.cells) + size_of_val(&*g.tallies);
        let group = |g: &Group| size_of_val(g) + behind(&g.level) + lists(g);
        self.strategies.iter().chain(&self.accounts).map(level).sum::<usize>()
            + self.groups.iter().map(group).sum::<usize>()
            + size_of_val(&*self.groups_of)
    }

    fn groups_of(&self, strategy: StrategyId) -> [Option<u16>; GROUP_KINDS] {
        self.groups_of.get(usize::from(strategy.0)).copied().unwrap_or_default()
    }

    /// The levels of an order.
    pub(crate) fn places(&self, strategy: StrategyId, account: AccountId) -> [Option<Place>; LEVELS] {
        let [desk, trader, firm] = self.groups_of(strategy).map(|group| group.map(Place::Group));
        [Some(Place::Strategy(strategy)), Some(Place::Account(account)), desk, trader, firm]
    }

    /// All there are that have limits.
    pub(crate) fn all(&self) -> impl Iterator<Item = Place> + use<> {
        let count = |all: usize| u16::try_from(all).unwrap_or(u16::MAX);
        let strategies = (0..count(self.strategies.len())).map(|n| Place::Strategy(StrategyId(n)));
        let accounts = (0..count(self.accounts.len())).map(|n| Place::Account(AccountId(n)));
        strategies.chain(accounts).chain((0..count(self.groups.len())).map(Place::Group))
    }

    pub(crate) fn level(&self, place: Place) -> Option<&Level> {
        match place {
            Place::Strategy(strategy) => self.strategies.get(usize::from(strategy.0))?.as_ref(),
            Place::Account(account) => self.accounts.get(usize::from(account.0))?.as_ref(),
            Place::Group(group) => self.groups.get(usize::from(group))?.level.as_ref(),
        }
    }

    pub(crate) fn level_mut(&mut self, place: Place) -> Option<&mut Level> {
        match place {
            Place::Strategy(strategy) => self.strategies.get_mut(usize::from(strategy.0))?.as_mut(),
            Place::Account(account) => self.accounts.get_mut(usize::from(account.0))?.as_mut(),
            Place::Group(group) => self.groups.get_mut(usize::from(group))?.level.as_mut(),
        }
    }

    /// What a group holds and has working in an instrument.
    pub(crate) fn cell(&self, group: u16, instrument: InstrumentId) -> Cell {
        let group = self.groups.get(usize::from(group));
        group.and_then(|group| group.cells.get(instrument.index())).copied().unwrap_or(Cell::FLAT)
    }

    /// What it traded of it on `day`.
    pub(crate) fn tally(&self, group: u16, instrument: InstrumentId, day: u32) -> Tally {
        let group = self.groups.get(usize::from(group));
        group.and_then(|group| group.tallies.get(instrument.index())).copied().unwrap_or(Tally::NONE).on(day)
    }

    /// The cells of the groups of a strategy in an instrument.
    pub(crate) fn cells_mut(
        &mut self,
        strategy: StrategyId,
        instrument: InstrumentId,
        mut change: impl FnMut(&mut Cell),
    ) {
        for group in self.groups_of(strategy).into_iter().flatten() {
            let group = self.groups.get_mut(usize::from(group));
            if let Some(cell) = group.and_then(|group| group.cells.get_mut(instrument.index())) {
                change(cell);
            }
        }
    }

    /// The tallies of the groups of a strategy in an instrument.
    pub(crate) fn tallies_mut(
        &mut self,
        strategy: StrategyId,
        instrument: InstrumentId,
        mut change: impl FnMut(&mut Tally),
    ) {
        for group in self.groups_of(strategy).into_iter().flatten() {
            let group = self.groups.get_mut(usize::from(group));
            if let Some(tally) = group.and_then(|group| group.tallies.get_mut(instrument.index())) {
                change(tally);
            }
        }
    }

    /// Whether sums are kept.
    pub(crate) const fn keeps(&self) -> bool {
        self.mark_age_max.0 != 0
    }

    /// When everything was valued that is kept; none where nothing that is kept counts.
    pub(crate) const fn valued(&self) -> Option<UnixNanos> {
        self.valued
    }

    /// Whether what is kept is young enough at `now`.
    pub(crate) fn is_young(&self, now: UnixNanos) -> bool {
        self.valued.is_some_and(|valued| now.0.abs_diff(valued.0) <= self.mark_age_max.0) && self.keeps()
    }

    /// Whether half of the time is over for which what is kept counts.
    pub(crate) fn is_due(&self, now: UnixNanos) -> bool {
        let valued = self.valued.is_some_and(|valued| now.0.abs_diff(valued.0) <= self.mark_age_max.0 / 2);
        self.keeps() && !valued
    }

    /// Everything is valued as of `now`; none: nothing that is kept counts any more.
    pub(crate) const fn set_valued(&mut self, now: Option<UnixNanos>) {
        self.valued = now;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn busy_instruments_are_those_of_a_set(ops in proptest::collection::vec((0_u32..8, any::<bool>()), 0..200)) {
            let (mut busy, mut set) = (Busy::new(8), BTreeSet::new());
            for (instrument, is_busy) in ops {
                busy.set(instrument, is_busy);
                if is_busy { set.insert(instrument) } else { set.remove(&instrument) };
                prop_assert_eq!(busy.iter().collect::<BTreeSet<_>>(), set.clone());
                prop_assert_eq!(busy.len, set.len());
            }
        }
    }
}
