//! The words of a verdict that no single check owns: what is decided, what deserves a look, whose limits held.

/// Whether an order may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Decision {
    /// It may.
    Accept = 0,
    /// It may, and somebody should look: see [`Flags`].
    Flag = 1,
    /// It may not.
    Reject = 2,
}

impl Decision {
    /// The word used in `verdicts.csv`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Flag => "flag",
            Self::Reject => "reject",
        }
    }
}

/// Why an accepted order deserves a look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Flags(pub(crate) u8);

impl Flags {
    /// The instrument's tier is Elevated or above.
    pub const TIER: Self = Self(1);
    /// Quantity, value or position is above the share of its limit that [`crate::GateConfig::warn`] says.
    pub const NEAR_LIMIT: Self = Self(1 << 1);
    /// A market order for more than the far touch shows: it was judged by the levels behind it.
    pub const WALKS_BOOK: Self = Self(1 << 2);
    /// The gate is in audit mode, and the order breaks what the verdict's reason says: it is let through, unless the decision is to
    /// refuse it.
    pub const AUDIT: Self = Self(1 << 3);
    /// None.
    pub const NONE: Self = Self(0);

    /// Whether all of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether none is set.
    #[inline]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What a gate does with what it finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GateMode {
    /// An order that breaks anything is refused.
    #[default]
    Enforce,
    /// It is let through, and what it breaks is said ([`Flags::AUDIT`], [`crate::Gate::audited`]). What a person commands still holds: halts,
    /// reduce-only and kills that were set by no model and no watchdog, breakers that cannot be read, and the daemon's silence.
    Audit,
}

/// Whose limits were in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LimitsSource {
    /// None were read: the order was refused before.
    #[default]
    None = 0,
    /// The model's, inside the officer's envelope.
    Dynamic = 1,
    /// The officer's base: the gate has no dynamic table.
    Static = 2,
    /// The officer's base: nothing was published for the row, or a person took it back.
    StaticEmpty = 3,
    /// The officer's base, and what the model had tightened: the lease of the dynamic record has ended, or has not begun.
    StaticLease = 4,
}

impl LimitsSource {
    /// The word used in reports; every static source begins with `static`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Dynamic => "dynamic",
            Self::Static => "static",
            Self::StaticEmpty => "static (nothing published)",
            Self::StaticLease => "static (lease ended)",
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn decisions_have_the_words_of_the_file() {
        let words = [Decision::Accept, Decision::Flag, Decision::Reject].map(Decision::as_str);
        assert_eq!(words, ["accept", "flag", "reject"]);
    }

    #[test]
    fn flags_are_there_when_all_of_them_are() {
        let two = Flags(Flags::TIER.0 | Flags::WALKS_BOOK.0);
        let has =
            [Flags::TIER, Flags::WALKS_BOOK, two, Flags::NEAR_LIMIT, Flags::NONE].map(|flags| two.has(flags));
        assert_eq!(has, [true, true, true, false, true]);
        assert!(!Flags::TIER.has(two) && Flags::NONE.is_empty() && !two.is_empty());
    }
}
