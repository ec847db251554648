//! A set of reasons in one word.

use crate::reason::RejectReason;

/// A set of reasons, one bit each, in the order of decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Breaches(pub u64);

impl Breaches {
    pub(crate) const NONE: Self = Self(0);

    #[inline(always)]
    pub(crate) const fn of(reason: RejectReason) -> Self {
        Self(1 << reason.bit())
    }

    pub(crate) const fn of_all(reasons: &[RejectReason]) -> Self {
        let (mut all, mut i) = (Self::NONE, 0);
        while i < reasons.len() {
            all.add(Self::of(reasons[i]));
            i += 1;
        }
        all
    }

    /// Adds `reason` when `broken`.
    #[inline(always)]
    pub(crate) const fn when(&mut self, broken: bool, reason: RejectReason) {
        self.0 |= (broken as u64) << reason.bit();
    }

    #[inline(always)]
    pub(crate) const fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(crate) const fn has(self, reason: RejectReason) -> bool {
        self.0 >> reason.bit() & 1 != 0
    }

    /// The reason that decides.
    pub(crate) fn first(self) -> Option<RejectReason> {
        RejectReason::ALL.get(self.0.trailing_zeros() as usize).copied()
    }
}
