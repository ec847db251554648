//! Quotas: the part of a divided limit that one order thread may use, in words that the daemon alone writes.
//!
//! **Never more than the limit in sum.** The daemon gives room only when nobody else can use it any more: it lowers the giver's
//! word, publishes that ([`QuotaWriter::publish`]), and then reads how far the giver's ring is written. An order thread judges an
//! order, says it in its ring, and only then looks whether its words were published anew ([`QuotaFollower::has_moved`]); it sends
//! nothing before. Both have a full fence between what they write and what they read of the other. So of any order either the daemon
//! finds the record, and counts it, or the thread finds the lower quota, and takes the order back where it is above it. Nobody has
//! to answer: a thread that is idle, stopped or dead gives room as one that works.
//!
//! ```text
//!   order thread                           daemon
//!     judge by the words                     lower a word, publish
//!     say the order in the ring              fence
//!     fence                                  read the ring as far as it is written
//!     published since? judge again           give what is left to others
//!     send
//! ```
//!
//! **Leases.** What a thread has beyond its equal part it has only while the daemon renews it. The end of a lease gives nobody else
//! room: the thread may be between its look at the time and its ring.

use alloc::boxed::Box;

use types::{InstrumentId, UnixNanos};

use crate::{
    checks::RejectReason,
    gate::Gate,
    intent::OrderIntent,
    levels::{DESK, ExposureLimits, GROUP_KINDS, GroupConfig, Level, Place},
    margin::{Margin, Required},
    memory::{Row, Sealed},
    sums::Sums,
    sync::{AtomicU64, Ordering, fence},
    weight::UNITS_PER_MICRO,
};

/// Limits of a group that are divided: gross, net, in one instrument, credit, loss; in millionths of the firm's currency.
pub const QUOTA_LIMITS: usize = 5;

/// Rows that there are: each of 64 strategies is of one client, and has a desk and a trader; each of as many clients has a first row,
/// and the firm.
pub const QUOTA_ROWS: usize = 256;

/// A limit that is not divided: what the thread was given with its gate holds.
pub const UNDIVIDED: u64 = u64::MAX;

/// Words of a row: a cache line.
const ROW_WORDS: usize = 8;
/// In a client's first row: how often its words were published.
const GENERATION: usize = 0;
/// In the same: until when they hold.
const LEASE_END: usize = 1;

/// A row of a client's quotas: its first, or one for each of its groups. All zero is a quota of nothing.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct QuotaRow([AtomicU64; ROW_WORDS]);

impl QuotaRow {
    /// A row that nobody has written.
    #[must_use]
    pub fn new() -> Self {
        Self(core::array::from_fn(|_| AtomicU64::new(0)))
    }

    #[inline(always)]
    fn load(&self, at: usize, order: Ordering) -> u64 {
        self.0.get(at).map_or(0, |word| word.load(order))
    }

    fn store(&self, at: usize, value: u64, order: Ordering) {
        if let Some(word) = self.0.get(at) {
            word.store(value, order);
        }
    }
}

impl Default for QuotaRow {
    fn default() -> Self {
        Self::new()
    }
}

impl Sealed for QuotaRow {}
impl Row for QuotaRow {}

/// One client's rows.
#[derive(Clone, Copy, Debug)]
pub struct Quotas {
    first: &'static QuotaRow,
    groups: &'static [QuotaRow],
}

impl Quotas {
    /// Those of a client that has `groups`, whose first row is `first`; none where there are not as many.
    #[must_use]
    pub fn of(rows: &'static [QuotaRow], first: usize, groups: usize) -> Option<Self> {
        let (first, rest) = rows.get(first..)?.split_first()?;
        Some(Self { first, groups: rest.get(..groups)? })
    }

    #[inline(always)]
    fn generation(&self) -> u64 {
        self.first.load(GENERATION, Ordering::Acquire)
    }

    #[inline(always)]
    fn is_leased(&self, now: UnixNanos) -> bool {
        now.0 <= self.first.load(LEASE_END, Ordering::Relaxed)
    }

    /// What stands in a group's words now; nothing of one that is not there.
    #[must_use]
    pub fn get(&self, group: usize) -> [u64; QUOTA_LIMITS] {
        let row = self.groups.get(group);
        core::array::from_fn(|limit| row.map_or(0, |row| row.load(limit, Ordering::Relaxed)))
    }
}

/// Who writes a client's rows: the daemon, once.
#[derive(Debug)]
pub struct QuotaWriter(Quotas);

impl QuotaWriter {
    /// The writer of `quotas`. There is to be one.
    #[must_use]
    pub const fn new(quotas: Quotas) -> Self {
        Self(quotas)
    }

    /// What stands in a group's words.
    #[must_use]
    pub fn get(&self, group: usize) -> [u64; QUOTA_LIMITS] {
        self.0.get(group)
    }

    /// Writes a quota, to hold once it is published, or before.
    pub fn set(&mut self, group: usize, limit: usize, micros: u64) {
        if let Some(row) = self.0.groups.get(group).filter(|_| limit < QUOTA_LIMITS) {
            row.store(limit, micros, Ordering::Relaxed);
        }
    }

    /// Everything that was written holds: each order that the thread has not said in its ring when this returns is held to it.
    pub fn publish(&mut self) {
        let next = self.0.first.load(GENERATION, Ordering::Relaxed).wrapping_add(1);
        self.0.first.store(GENERATION, next, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// What stands in the words holds until `end`; what is above an equal part no longer.
    pub fn renew(&mut self, end: UnixNanos) {
        self.0.first.store(LEASE_END, end.0, Ordering::Relaxed);
    }
}

/// A thread's gate held to its quotas.
#[derive(Debug)]
pub struct QuotaFollower {
    quotas: Quotas,
    /// The equal parts, by group, and what is not divided.
    parts: Box<[GroupConfig]>,
    /// Of the words that the gate is held to.
    generation: u64,
    leased: bool,
}

impl QuotaFollower {
    /// Holds `gate`, whose groups are `parts` with the equal part of each limit, to `quotas` at `now` and from then on.
    #[must_use]
    pub fn new(quotas: Quotas, parts: &[GroupConfig], gate: &mut Gate, now: UnixNanos) -> Self {
        let mut follower = Self { quotas, parts: parts.into(), generation: 0, leased: false };
        follower.take_in(gate, now);
        follower
    }

    /// Before an order is judged at `now`: by the words that were published last.
    #[inline]
    pub fn follow(&mut self, gate: &mut Gate, now: UnixNanos) {
        if (self.quotas.generation() != self.generation) | (self.quotas.is_leased(now) != self.leased) {
            self.take_in(gate, now);
        }
    }

    /// After an order was said in the ring: whether other words were published than it was judged by. It is then to be judged by them
    /// ([`QuotaFollower::follow`], [`Gate::over_quota`]) before it is sent.
    #[inline]
    #[must_use]
    pub fn has_moved(&self) -> bool {
        fence(Ordering::SeqCst);
        self.quotas.generation() != self.generation
    }

    #[cold]
    #[inline(never)]
    fn take_in(&mut self, gate: &mut Gate, now: UnixNanos) {
        // The number first: words that are newer are published again.
        (self.generation, self.leased) = (self.quotas.generation(), self.quotas.is_leased(now));
        for (group, part) in (0..).zip(&self.parts) {
            let words = self.quotas.get(usize::from(group));
            let [gross_micros, net_micros, instrument_micros, credit_micros, loss_micros] =
                in_force(words, part.divisible(), self.leased);
            let limits = ExposureLimits { gross_micros, net_micros, instrument_micros, credit_micros };
            gate.set_group_limits(group, limits, loss_micros);
        }
    }
}

impl GroupConfig {
    /// Its limits in the order of its quotas.
    #[must_use]
    pub const fn divisible(&self) -> [u64; QUOTA_LIMITS] {
        in_order(self.limits, self.loss_micros)
    }
}

/// Limits in the order of their quotas.
const fn in_order(limits: ExposureLimits, loss_micros: u64) -> [u64; QUOTA_LIMITS] {
    let ExposureLimits { gross_micros, net_micros, instrument_micros, credit_micros } = limits;
    [gross_micros, net_micros, instrument_micros, credit_micros, loss_micros]
}

/// What holds of `words` where the equal parts are `parts`.
fn in_force(words: [u64; QUOTA_LIMITS], parts: [u64; QUOTA_LIMITS], leased: bool) -> [u64; QUOTA_LIMITS] {
    let mut held = parts;
    for (held, word) in held.iter_mut().zip(words) {
        *held = match word {
            UNDIVIDED => *held,
            word if leased => word,
            word => word.min(*held),
        };
    }
    held
}

/// Why an order is above a group's quota, by kind of group and [`QUOTA_LIMITS`].
const REASONS: [[RejectReason; QUOTA_LIMITS]; GROUP_KINDS] = {
    use RejectReason as R;
    [
        [R::GrossDesk, R::NetDesk, R::ConcentrationDesk, R::CreditDesk, R::LossDesk],
        [R::GrossTrader, R::NetTrader, R::ConcentrationTrader, R::CreditTrader, R::LossTrader],
        [R::GrossFirm, R::NetFirm, R::ConcentrationFirm, R::CreditFirm, R::LossFirm],
    ]
};

impl Gate {
    /// Holds a group to other limits from now on. What had no limit when the gate was made gets none, and what had one keeps one: what
    /// is counted stays the same.
    pub fn set_group_limits(&mut self, group: u16, limits: ExposureLimits, loss_micros: u64) {
        if let Some(level) = self.levels.level_mut(Place::Group(group)) {
            level.hold_to(limits, loss_micros);
        }
    }

    /// Whether `order`, which is reserved, is in a group that is above its limits with it, and which. One that can only reduce what the
    /// group holds of its instrument is within them, but for the net.
    #[cold]
    #[must_use]
    pub fn over_quota(&self, order: &OrderIntent, now: UnixNanos) -> Option<RejectReason> {
        let weights = self.weigh(order, 0, 0, now);
        let groups = weights.get(DESK..)?.iter().zip(REASONS);
        groups.into_iter().find_map(|(weight, reasons)| {
            let [gross, net, instrument] = weight.exceeded();
            let broken = [gross, net, instrument, weight.lacks_credit(), weight.has_lost()];
            broken.into_iter().zip(reasons).find_map(|(broken, reason)| broken.then_some(reason))
        })
    }

    /// What a group uses of each limit, in millionths rounded up: with every working order filled that enlarges it, as an order of it
    /// is judged. Valued at the prices of another gate, which has its instruments under other numbers. None where nobody knows.
    #[must_use]
    pub fn group_use(
        &self,
        group: u16,
        (prices, number): (&Self, &dyn Fn(InstrumentId) -> Option<InstrumentId>),
        now: UnixNanos,
    ) -> [Option<u64>; QUOTA_LIMITS] {
        let place = Place::Group(group);
        let Some(level) = self.levels.level(place) else { return [Some(0); QUOTA_LIMITS] };
        let day = self.tallies.day_at(now);
        let (mut sums, mut required, mut largest) = (Sums::default(), Required::default(), 0);
        for instrument in level.busy.iter().map(InstrumentId) {
            let Some(there) = number(instrument) else { return [None; QUOTA_LIMITS] };
            let (cell, valued) = (self.held(place, instrument), prices.valued_at(there, now));
            let part = self.part((place, level), (instrument, &cell), (&valued, day), None);
            sums = sums.plus(&part);
            required = required.plus(Margin::of(&part, valued.margin_bps));
            largest = part.gross.max(largest);
        }
        used(level, &sums, (&required, largest))
    }
}

/// What `sums` are of each limit; nothing of one that there is not.
fn used(level: &Level, sums: &Sums, (required, largest): (&Required, i128)) -> [Option<u64>; QUOTA_LIMITS] {
    let known = sums.unvalued == 0 && sums.beyond == 0;
    let [high, low] = sums.ends.map(crate::sums::Wide::clipped);
    let sized = |n: i128| n.max(0).unsigned_abs();
    let all = [
        (known, sized(sums.gross.clipped())),
        (known, sized(high.max(low.saturating_neg()))),
        (known, sized(largest)),
        (known && !required.is_unknown(), required.amount()),
        (sums.unknown == 0, sized(sums.profit.clipped().saturating_neg())),
    ];
    let limits = in_order(level.limits, level.loss_micros);
    core::array::from_fn(|limit| {
        let (known, amount) = all[limit];
        if limits[limit] == u64::MAX {
            return Some(0);
        }
        known.then(|| u64::try_from(amount.div_ceil(UNITS_PER_MICRO)).unwrap_or(u64::MAX))
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_lease_takes_back_what_was_widened_and_nothing_that_was_tightened() {
        let parts = [50, 50, 70, 80, u64::MAX];
        assert_eq!(in_force([90, 10, UNDIVIDED, 0, UNDIVIDED], parts, true), [90, 10, 70, 0, u64::MAX]);
        assert_eq!(in_force([90, 10, UNDIVIDED, 0, UNDIVIDED], parts, false), [50, 10, 70, 0, u64::MAX]);
    }

    #[test]
    fn a_client_has_its_own_rows_and_what_nobody_wrote_is_a_quota_of_nothing() {
        let rows: &'static [QuotaRow] =
            alloc::vec::Vec::leak((0..5).map(|_| QuotaRow::new()).collect::<alloc::vec::Vec<_>>());
        let (one, two) = (Quotas::of(rows, 0, 1).unwrap(), Quotas::of(rows, 2, 2).unwrap());
        assert!(Quotas::of(rows, 3, 2).is_none() && Quotas::of(rows, 5, 0).is_none());
        let mut writer = QuotaWriter::new(two);
        writer.set(1, 4, 7);
        writer.set(1, QUOTA_LIMITS, 9);
        writer.set(2, 0, 9);
        writer.renew(UnixNanos(3));
        assert_eq!(two.generation(), 0);
        writer.publish();
        assert_eq!((two.generation(), one.generation()), (1, 0));
        assert_eq!((two.get(0), two.get(1), two.get(2)), ([0; 5], [0, 0, 0, 0, 7], [0; 5]));
        assert_eq!(one.get(0), [0; 5]);
        assert!(two.is_leased(UnixNanos(3)) && !two.is_leased(UnixNanos(4)) && !one.is_leased(UnixNanos(1)));
    }
}

/// An order of 8 against a quota that is lowered from 10 to 5 meanwhile.
#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::{model, thread};
    use std::sync::Arc;

    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Slip {
        None,
        ThreadWithoutFence,
        DaemonWithoutFence,
        ThreadLooksFirst,
    }

    fn quotas() -> Quotas {
        Quotas::of(std::vec::Vec::leak(std::vec![QuotaRow::new(), QuotaRow::new()]), 0, 1).unwrap()
    }

    /// Whether the order is sent.
    fn order(quotas: Quotas, ring: &AtomicU64, slip: Slip) -> bool {
        let follower =
            QuotaFollower { quotas, parts: Box::new([]), generation: quotas.generation(), leased: true };
        if quotas.get(0)[0] < 8 {
            return false;
        }
        let early = slip == Slip::ThreadLooksFirst && follower.has_moved();
        ring.store(1, Ordering::Release);
        let moved = match slip {
            Slip::ThreadWithoutFence => quotas.generation() != follower.generation,
            Slip::ThreadLooksFirst => early,
            Slip::None | Slip::DaemonWithoutFence => follower.has_moved(),
        };
        !moved || quotas.get(0)[0] >= 8
    }

    /// Whether the order was found.
    fn lower(quotas: Quotas, ring: &AtomicU64, slip: Slip) -> bool {
        let mut writer = QuotaWriter::new(quotas);
        writer.set(0, 0, 5);
        if slip == Slip::DaemonWithoutFence {
            quotas.first.store(GENERATION, 2, Ordering::Release);
        } else {
            writer.publish();
        }
        ring.load(Ordering::Acquire) == 1
    }

    fn lowering(slip: Slip) {
        model(move || {
            let quotas = quotas();
            let mut writer = QuotaWriter::new(quotas);
            writer.set(0, 0, 10);
            writer.publish();
            let ring = Arc::new(AtomicU64::new(0));
            let sends = {
                let ring = Arc::clone(&ring);
                thread::spawn(move || order(quotas, &ring, slip))
            };
            let daemon = thread::spawn(move || lower(quotas, &ring, slip));
            let (sent, found) = (sends.join().unwrap(), daemon.join().unwrap());
            assert!(found || !sent, "sent by the higher quota, and not found");
        });
    }

    #[test]
    fn an_order_is_found_by_the_daemon_or_finds_the_lower_quota() {
        lowering(Slip::None);
    }

    #[test]
    #[should_panic(expected = "not found")]
    fn a_thread_without_a_fence_is_caught() {
        lowering(Slip::ThreadWithoutFence);
    }

    #[test]
    #[should_panic(expected = "not found")]
    fn a_daemon_without_a_fence_is_caught() {
        lowering(Slip::DaemonWithoutFence);
    }

    #[test]
    #[should_panic(expected = "not found")]
    fn a_thread_that_looks_before_it_says_the_order_is_caught() {
        lowering(Slip::ThreadLooksFirst);
    }
}
