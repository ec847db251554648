//! A set of reasons in one number.

use crate::checks::RejectReason;

/// A set of reasons, one bit each, in the order of decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Breaches(pub u128);

impl Breaches {
    pub(crate) const NONE: Self = Self(0);

    /// Adds `reason` when `broken`.
    #[inline(always)]
    pub(crate) const fn when(&mut self, broken: bool, reason: RejectReason) {
        self.0 |= (broken as u128) << reason.bit();
    }

    /// A set of these reasons.
    pub(crate) const fn of(reasons: &[RejectReason]) -> Self {
        let (mut all, mut rest) = (Self::NONE, reasons);
        while let [reason, others @ ..] = rest {
            all.when(true, *reason);
            rest = others;
        }
        all
    }

    /// What is in both.
    pub(crate) const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in either.
    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The reason that decides, alone.
    pub(crate) const fn lowest(self) -> Self {
        Self(self.0 & self.0.wrapping_neg())
    }

    /// Whether `reason` is in it.
    pub(crate) const fn has(self, reason: RejectReason) -> bool {
        self.0 >> reason.bit() & 1 != 0
    }

    /// The reasons in it, in the order of decision.
    pub(crate) fn iter(self) -> impl Iterator<Item = RejectReason> {
        RejectReason::ALL.into_iter().filter(move |reason| self.has(*reason))
    }

    /// The reason that decides.
    pub(crate) fn first(self) -> Option<RejectReason> {
        RejectReason::ALL.get(self.0.trailing_zeros() as usize).copied()
    }
}
