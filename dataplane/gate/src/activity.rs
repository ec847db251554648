//! What a strategy, and an account, did within a time: value and quantity let out, messages, cancels, trades.
//!
//! A time is cut into [`PARTS`]; each sum is kept in one part more, so that it looks back at least the time and at most an eighth
//! longer. An order that is more than a limit is therefore refused however it is split within the time: all of its parts are in
//! the sum when the one comes that is too much.
//!
//! A value is counted as it was when the order was let out, rounded up to 24 significant bits, so that it fits the step that is kept of
//! the order: whoever takes the steps counts the same, whatever rates are then.

use alloc::{boxed::Box, vec};

use types::{Nanos, UnixNanos};

use crate::{
    ids::{AccountId, StrategyId},
    intent::OrderIntent,
};

/// Parts of a time.
const PARTS: usize = 8;

/// What is counted.
pub(crate) const VALUE: usize = 0;
pub(crate) const QTY: usize = 1;
pub(crate) const MESSAGES: usize = 2;
pub(crate) const CANCELS: usize = 3;
pub(crate) const TRADES: usize = 4;
/// How many there are of them.
pub(crate) const KINDS: usize = 5;

/// What a strategy or an account may do within [`crate::GateConfig::window`], over all instruments; the largest number is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActivityLimits {
    /// Value let out, in millionths of the firm's currency.
    pub value_micros: u64,
    /// Quantity let out.
    pub qty: u64,
    /// Orders, replacements and cancels.
    pub messages: u64,
    /// Cancels. They always pass; orders do not, once there were so many.
    pub cancels: u64,
    /// Messages for each trade, and as many before the first.
    pub messages_per_trade: u64,
}

impl ActivityLimits {
    /// No limit.
    pub const NONE: Self = Self {
        value_micros: u64::MAX,
        qty: u64::MAX,
        messages: u64::MAX,
        cancels: u64::MAX,
        messages_per_trade: u64::MAX,
    };
}

/// A value in millionths, rounded up to 24 significant bits: a factor, and above it how many bits it is moved up by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoundedValue(pub u32);

const FACTOR_BITS: u32 = 24;

impl RoundedValue {
    /// The least one that is not below `micros`.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "24 bits")]
    pub fn above(micros: u128) -> Self {
        let shift = (u128::BITS - micros.leading_zeros()).saturating_sub(FACTOR_BITS);
        let factor = micros.div_ceil(1 << shift);
        // Rounding up may have made it a bit longer: a power of two.
        let (factor, shift) =
            if factor >> FACTOR_BITS == 0 { (factor, shift) } else { (factor >> 1, shift + 1) };
        Self(factor as u32 | shift << FACTOR_BITS)
    }

    /// In millionths; the largest number when it is more.
    #[must_use]
    pub fn micros(self) -> u64 {
        let (factor, shift) = (u128::from(self.0 & ((1 << FACTOR_BITS) - 1)), self.0 >> FACTOR_BITS);
        let value = factor.checked_shl(shift).filter(|value| value >> shift == factor);
        value.and_then(|value| u64::try_from(value).ok()).unwrap_or(if factor == 0 { 0 } else { u64::MAX })
    }
}

/// A sum over a time.
#[derive(Clone, Copy, Debug, Default)]
struct Sliding {
    /// The newest part anything was added to.
    newest: u64,
    sums: [u64; PARTS + 1],
    /// All of them.
    total: u128,
}

impl Sliding {
    fn place(part: u64) -> usize {
        usize::try_from(part % (PARTS as u64 + 1)).unwrap_or(0)
    }

    /// Adds to `part`; one that is over says nothing any more.
    fn add(&mut self, part: u64, more: u64) {
        if part > self.newest {
            let passed = (part - self.newest).min(PARTS as u64 + 1);
            (0..passed).for_each(|n| {
                if let Some(sum) = self.sums.get_mut(Self::place(part - n)) {
                    self.total = self.total.saturating_sub(core::mem::take(sum).into());
                }
            });
            self.newest = part;
        }
        if self.newest - part <= PARTS as u64
            && let Some(sum) = self.sums.get_mut(Self::place(part))
        {
            let before = core::mem::replace(sum, sum.saturating_add(more));
            self.total = self.total.saturating_add((*sum - before).into());
        }
    }

    /// The parts that count at `part`, each with its number.
    fn parts(&self, part: u64) -> impl Iterator<Item = (u64, u64)> {
        let oldest = part.max(self.newest).saturating_sub(PARTS as u64);
        (oldest..=self.newest).map(|n| (n, self.sums.get(Self::place(n)).copied().unwrap_or(0)))
    }

    #[inline]
    fn total(&self, part: u64) -> u64 {
        // Mostly the part is the one of the last order.
        let total = if part <= self.newest { self.total } else { self.total_later(part) };
        u64::try_from(total).unwrap_or(u64::MAX)
    }

    #[inline(never)]
    fn total_later(&self, part: u64) -> u128 {
        self.parts(part).map(|(_, sum)| u128::from(sum)).sum()
    }
}

/// What one strategy or account did.
#[derive(Clone, Copy, Debug, Default)]
struct Activity([Sliding; KINDS]);

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doer {
    /// A strategy.
    Strategy(StrategyId),
    /// An account.
    Account(AccountId),
}

/// What an order's strategy, or its account, would have done with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub limits: ActivityLimits,
    pub sums: [u64; KINDS],
}

impl Done {
    /// The limit on each kind, and what it is held against.
    pub(crate) fn pair(&self, kind: usize) -> (u64, u64) {
        let ActivityLimits { value_micros, qty, messages, cancels, messages_per_trade } = self.limits;
        let [sum_value, sum_qty, sum_messages, sum_cancels, trades] = self.sums;
        match kind {
            VALUE => (value_micros, sum_value),
            QTY => (qty, sum_qty),
            MESSAGES => (messages, sum_messages),
            CANCELS => (cancels, sum_cancels),
            _ => (messages_per_trade.saturating_mul(trades.max(1)), sum_messages),
        }
    }

    /// Whether there is more of a kind than there may be.
    pub(crate) fn exceeds(&self, kind: usize) -> bool {
        let (limit, sum) = self.pair(kind);
        sum > limit
    }
}

/// What all strategies and accounts did.
#[derive(Debug)]
pub(crate) struct Activities {
    /// It is kept.
    pub on: bool,
    part_ns: u64,
    /// When something was last counted: trades come without a time of their own.
    pub last: UnixNanos,
    strategies: Box<[Activity]>,
    accounts: Box<[Activity]>,
    strategy_limits: Box<[ActivityLimits]>,
    account_limits: Box<[ActivityLimits]>,
}

impl Activities {
    /// Nothing was done. A window of 0 keeps nothing.
    pub(crate) fn new(
        window: Nanos,
        (strategies, strategy_limits): (usize, &[ActivityLimits]),
        (accounts, account_limits): (usize, &[ActivityLimits]),
    ) -> Self {
        let on = window.0 != 0;
        let kept = |count: usize| vec![Activity::default(); if on { count } else { 0 }].into();
        Self {
            on,
            part_ns: window.0.div_ceil(PARTS as u64).max(1),
            last: UnixNanos(0),
            strategies: kept(strategies),
            accounts: kept(accounts),
            strategy_limits: strategy_limits.into(),
            account_limits: account_limits.into(),
        }
    }

    /// Bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.strategies)
            + size_of_val(&*self.accounts)
            + size_of_val(&*self.strategy_limits)
            + size_of_val(&*self.account_limits)
    }

    fn of_mut(&mut self, doer: Doer) -> Option<&mut Activity> {
        match doer {
            Doer::Strategy(strategy) => self.strategies.get_mut(usize::from(strategy.0)),
            Doer::Account(account) => self.accounts.get_mut(usize::from(account.0)),
        }
    }

    /// Adds what both an order's strategy and its account did at `at`.
    pub(crate) fn count(
        &mut self,
        strategy: StrategyId,
        account: AccountId,
        at: UnixNanos,
        more: [u64; KINDS],
    ) {
        self.last = self.last.max(at);
        let part = at.0 / self.part_ns;
        for doer in [Doer::Strategy(strategy), Doer::Account(account)] {
            let Some(activity) = self.of_mut(doer) else { continue };
            for (sliding, more) in activity.0.iter_mut().zip(more).filter(|(_, more)| *more != 0) {
                sliding.add(part, more);
            }
        }
    }

    /// What an order's strategy and its account would have done with `more` at `at`.
    pub(crate) fn with(&self, order: &OrderIntent, at: UnixNanos, more: [u64; KINDS]) -> [Done; 2] {
        let part = at.0 / self.part_ns;
        let done = |all: &[Activity], limits: &[ActivityLimits], number: u16| {
            let mut sums = more;
            for (sum, sliding) in
                sums.iter_mut().zip(all.get(usize::from(number)).iter().flat_map(|all| &all.0))
            {
                *sum = sum.saturating_add(sliding.total(part));
            }
            Done { limits: limits.get(usize::from(number)).copied().unwrap_or(ActivityLimits::NONE), sums }
        };
        [
            done(&self.strategies, &self.strategy_limits, order.strategy.0),
            done(&self.accounts, &self.account_limits, order.account.0),
        ]
    }

    /// Whether a new order with `more` may be too much of something.
    pub(crate) fn exceeds(&self, order: &OrderIntent, at: UnixNanos, more: [u64; KINDS]) -> bool {
        self.with(order, at, more).iter().any(|done| (0..KINDS).any(|kind| done.exceeds(kind)))
    }

    /// Everything that still counts: whose, which kind, when a part began, and its sum.
    pub(crate) fn kept(&self) -> impl Iterator<Item = (Doer, u8, UnixNanos, u64)> {
        let strategies = (0..).map(StrategyId).map(Doer::Strategy).zip(&self.strategies);
        let accounts = (0..).map(AccountId).map(Doer::Account).zip(&self.accounts);
        strategies.chain(accounts).flat_map(move |(doer, activity)| {
            (0..).zip(&activity.0).flat_map(move |(kind, sliding)| {
                let parts = sliding.parts(0).filter(|(_, sum)| *sum != 0);
                parts.map(move |(part, sum)| (doer, kind, UnixNanos(part.saturating_mul(self.part_ns)), sum))
            })
        })
    }

    /// Takes one of [`Activities::kept`] back.
    pub(crate) fn take(&mut self, doer: Doer, kind: u8, at: UnixNanos, sum: u64) {
        let part = at.0 / self.part_ns;
        if let Some(sliding) = self.of_mut(doer).and_then(|activity| activity.0.get_mut(usize::from(kind))) {
            sliding.add(part, sum);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn a_rounded_value_is_never_below_and_at_most_a_part_in_eight_million_above(micros: u64) {
            let rounded = RoundedValue::above(micros.into());
            prop_assert!(rounded.micros() >= micros);
            prop_assert!(u128::from(rounded.micros()) <= u128::from(micros) + (u128::from(micros) >> 23));
            prop_assert_eq!(RoundedValue::above(rounded.micros().into()).micros(), rounded.micros());
        }

        /// Against the list of everything: at least the time, at most an eighth more.
        #[test]
        fn a_sum_looks_back_at_least_the_time_and_at_most_an_eighth_longer(
            steps in proptest::collection::vec((0_u64..900, 0_u64..50), 1..80), part_ns in 1_u64..200,
        ) {
            let (mut sliding, mut now, mut all) = (Sliding::default(), 1_000, Vec::new());
            for (wait, more) in steps {
                now += wait;
                sliding.add(now / part_ns, more);
                all.push((now, more));
                let since = |span: u64| all.iter().filter(|(at, _)| at + span > now).map(|(_, more)| more).sum::<u64>();
                let total = sliding.total(now / part_ns);
                prop_assert!(total >= since(PARTS as u64 * part_ns) && total <= since((PARTS as u64 + 1) * part_ns));
            }
        }
    }

    #[test]
    fn values_beyond_64_bits_are_the_largest() {
        assert_eq!(RoundedValue::above(u128::MAX).micros(), u64::MAX);
        assert_eq!(RoundedValue::above(1 << 100).micros(), u64::MAX);
        assert_eq!((RoundedValue::above(0).micros(), RoundedValue(0xFF00_0000).micros()), (0, 0));
        assert_eq!(RoundedValue(u32::MAX).micros(), u64::MAX);
    }

    #[test]
    fn what_is_over_by_the_time_that_it_is_said_is_not_added() {
        let (mut sliding, newest) = (Sliding::default(), 1_000);
        sliding.add(newest, 5);
        sliding.add(newest - PARTS as u64 - 1, 7);
        assert_eq!(sliding.total(newest), 5);
        sliding.add(newest - PARTS as u64, 7);
        assert_eq!(sliding.total(newest), 12);
    }
}
