//! What the gate says of an order.

use core::fmt;

use types::{Px, Tier};

use crate::{
    case::Case,
    check::Unit,
    checks::{REASON_COUNT, RejectReason},
    decision::{Decision, Flags, LimitsSource},
    limits::RiskLimits,
    score::FixedScore,
};

/// The gate's answer on one order. Small and `Copy`: it goes into a ring on every order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The limit that was breached, in [`RejectReason::unit`]; 0 when nothing was.
    pub limit: i64,
    /// What the order would have made of it; 0 when nothing was breached.
    pub value: i64,
    /// The calibrated score behind the tier; 0 when the model has no say.
    pub score: FixedScore,
    /// The version of the dynamic record; 0 when the model has no say.
    pub version: u32,
    /// Why it was refused; under [`Flags::AUDIT`] it may be let through all the same, and this is why it would not have been.
    pub reason: Option<RejectReason>,
    /// Whether it may leave.
    pub decision: Decision,
    /// The instrument's tier: it outlives the lease of the limits.
    pub tier: Tier,
    /// Whose limits were in force.
    pub source: LimitsSource,
    /// Why somebody should look.
    pub flags: Flags,
}

const _: () = assert!(size_of::<Verdict>() == 32);

impl Verdict {
    /// Whether the order may leave.
    #[inline]
    #[must_use]
    pub const fn accepted(&self) -> bool {
        !matches!(self.decision, Decision::Reject)
    }

    /// Whether it was let through in audit mode, and would have been refused.
    #[inline]
    #[must_use]
    pub const fn would_reject(&self) -> bool {
        self.flags.has(Flags::AUDIT) && self.accepted()
    }

    /// The word of the verdict log for what was decided.
    #[must_use]
    pub const fn decided(&self) -> &'static str {
        if self.would_reject() { WOULD_REJECT } else { self.decision.as_str() }
    }

    /// What is to be added to the sentence of a refusal: of an order that audit mode would have let through, could it follow it.
    #[must_use]
    pub fn remark(&self) -> &'static str {
        let unfollowed = self.flags.has(Flags::AUDIT) && self.reason.is_some_and(RejectReason::is_unfollowed);
        if unfollowed && !self.accepted() {
            " Audit mode cannot follow such an order, and refuses it."
        } else {
            ""
        }
    }

    /// What it breaks first, none when nothing. In audit mode a refusal names what keeps it from leaving there.
    #[must_use]
    pub fn breach(&self) -> Option<Breach> {
        self.reason.map(|reason| Breach { reason, limit: self.limit, value: self.value })
    }

    /// The tier of the limits in force; `None` where nothing was published for the instrument and where the order was refused before
    /// its limits were read.
    #[must_use]
    pub const fn known_tier(&self) -> Option<Tier> {
        match (self.source, self.tier) {
            (LimitsSource::None | LimitsSource::Static | LimitsSource::StaticEmpty, Tier::Normal) => None,
            (_, tier) => Some(tier),
        }
    }

    /// The reason's number, 0 when there is none.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.reason.map_or(0, RejectReason::code)
    }

    /// The reason's slug, empty when there is none.
    #[must_use]
    pub fn slug(&self) -> &'static str {
        self.reason.map_or("", RejectReason::slug)
    }
}

/// The word for an order that was let through in audit mode and would have been refused.
pub const WOULD_REJECT: &str = "would reject";

/// Words of a verdict that is kept outside the process.
pub const VERDICT_WORDS: usize = 4;

impl Verdict {
    /// The verdict in words; a file format, as [`crate::Step::pack`].
    #[must_use]
    pub fn pack(&self) -> [u64; VERDICT_WORDS] {
        let small = u64::from(self.code())
            | (self.decision as u64) << 16
            | (self.tier as u64) << 24
            | (self.source as u64) << 32
            | u64::from(self.flags.0) << 40;
        let numbers = u64::from(self.score.micros()) | u64::from(self.version) << 32;
        [self.limit.cast_unsigned(), self.value.cast_unsigned(), numbers, small]
    }

    /// The verdict of `words`; `None` when they are none.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the parts of a word")]
    pub fn unpack(words: [u64; VERDICT_WORDS]) -> Option<Self> {
        let [limit, value, numbers, small] = words;
        let code = small as u16;
        let reason = match code {
            0 => None,
            code => Some(RejectReason::ALL.into_iter().find(|reason| reason.code() == code)?),
        };
        let decision = match (small >> 16) as u8 {
            0 => Decision::Accept,
            1 => Decision::Flag,
            2 => Decision::Reject,
            _ => return None,
        };
        let source = match (small >> 32) as u8 {
            0 => LimitsSource::None,
            1 => LimitsSource::Dynamic,
            2 => LimitsSource::Static,
            3 => LimitsSource::StaticEmpty,
            4 => LimitsSource::StaticLease,
            _ => return None,
        };
        Some(Self {
            limit: limit.cast_signed(),
            value: value.cast_signed(),
            score: FixedScore::from_micros(numbers as u32)?,
            version: (numbers >> 32) as u32,
            reason,
            decision,
            tier: Tier::from_u8((small >> 24) as u8)?,
            source,
            flags: Flags((small >> 40) as u8),
        })
    }
}

impl fmt::Display for Verdict {
    /// The text of FIX tag 58: slug, then the sentence with its numbers; `accept` or `flag` otherwise. Of an order that audit mode let
    /// through, `would reject` before them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.breach() {
            Some(breach) if self.accepted() => write!(f, "{WOULD_REJECT}: {breach}"),
            Some(breach) => write!(f, "{breach}{}", self.remark()),
            None => f.write_str(self.decision.as_str()),
        }
    }
}

/// One limit an order breaks, with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which.
    pub reason: RejectReason,
    /// The limit, in [`RejectReason::unit`].
    pub limit: i64,
    /// What the order would have made of it.
    pub value: i64,
}

impl Breach {
    /// What the order of `case` made of the limit behind `reason`.
    #[cold]
    pub(crate) fn of(reason: RejectReason, case: &Case) -> Self {
        let (limit, value) = reason.numbers(case);
        Self { reason, limit, value }
    }
}

impl Breach {
    /// The same for people: what is halted has the name that `instrument`, `strategy` and `account` are, in place of a number of ours.
    #[must_use]
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "no other check is of one name: a new one is not asked here"
    )]
    pub const fn named<'a>(&self, instrument: &'a str, strategy: &'a str, account: &'a str) -> Named<'a> {
        let name = match self.reason {
            RejectReason::HaltedInstrument => Some(instrument),
            RejectReason::HaltedStrategy => Some(strategy),
            RejectReason::HaltedAccount => Some(account),
            _ => None,
        };
        Named { breach: *self, name }
    }

    /// The sentence, with its numbers.
    fn sentence(&self, f: &mut fmt::Formatter<'_>, name: Option<&str>) -> fmt::Result {
        let mut rest = self.reason.sentence();
        while let Some((before, marked)) = rest.split_once('{') {
            f.write_str(before)?;
            let (which, after) = marked.split_once('}').unwrap_or((marked, ""));
            let number = if which == "limit" { self.limit } else { self.value };
            match name {
                Some(name) => f.write_str(name)?,
                None => fmt::Display::fmt(&WithUnit { number, unit: self.reason.unit() }, f)?,
            }
            rest = after;
        }
        f.write_str(rest)
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.reason.slug())?;
        self.sentence(f, None)
    }
}

/// A breach in words, without its slug: [`Breach::named`].
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    breach: Breach,
    name: Option<&'a str>,
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.breach.sentence(f, self.name)
    }
}

/// A number as an officer reads it.
struct WithUnit {
    number: i64,
    unit: Unit,
}

impl fmt::Display for WithUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.number;
        match self.unit {
            Unit::None | Unit::Quantity | Unit::Orders | Unit::Number => write!(f, "{n}"),
            // A micro is a thousand nanos: the price's own exact decimal.
            Unit::MicroCurrency => match n.checked_mul(1_000) {
                Some(nanos) => Px(nanos).fmt(f),
                None => write!(f, "{}", n / 1_000_000),
            },
            Unit::Bps => write!(f, "{n} bps"),
            Unit::Ticks => write!(f, "{n} ticks"),
            Unit::Price => Px(n).fmt(f),
            Unit::Nanos => span(f, n),
            Unit::OrdersPerSecond => write!(f, "{n}/s"),
        }
    }
}

/// A span of time as people say it: seconds with a tenth, below one milliseconds, below one of those microseconds.
fn span(f: &mut fmt::Formatter<'_>, nanos: i64) -> fmt::Result {
    match nanos.max(0) {
        0 => f.write_str("0 s"),
        n @ 1..1_000_000 => write!(f, "{} us", n / 1_000),
        n @ 1_000_000..1_000_000_000 => write!(f, "{} ms", n / 1_000_000),
        n => match (n / 1_000_000_000, n / 100_000_000 % 10) {
            (seconds, 0) => write!(f, "{seconds} s"),
            (seconds, tenths) => write!(f, "{seconds}.{tenths} s"),
        },
    }
}

/// Everything the gate can say of one order: all breaches, in the order of decision, and what they were judged by.
#[derive(Clone, Copy, Debug)]
pub struct Explanation {
    /// What [`crate::Gate::check`] would have said at the same moment.
    pub verdict: Verdict,
    /// The limits in force, when any were read.
    pub limits: Option<RiskLimits>,
    breaches: [Option<Breach>; REASON_COUNT],
    len: usize,
}

impl Explanation {
    pub(crate) const fn new(verdict: Verdict, limits: Option<RiskLimits>) -> Self {
        Self { verdict, limits, breaches: [None; REASON_COUNT], len: 0 }
    }

    /// Adds a breach; each reason is added at most once, so there is room.
    pub(crate) fn push(&mut self, breach: Breach) {
        if let Some(place) = self.breaches.get_mut(self.len) {
            *place = Some(breach);
            self.len += 1;
        }
    }

    /// The same where something before the gate refuses the order: `refusal` is the verdict, and its reason comes first.
    #[must_use]
    pub fn led_by(self, refusal: Verdict) -> Self {
        let mut led = Self::new(refusal, self.limits);
        let first = refusal.breach();
        let rest = self.breaches().copied().filter(|breach| Some(breach.reason) != refusal.reason);
        first.into_iter().chain(rest).for_each(|breach| led.push(breach));
        led
    }

    /// All breaches, in the order of decision; the first one is the verdict's, but of a refusal in audit mode.
    pub fn breaches(&self) -> impl Iterator<Item = &Breach> {
        self.breaches.iter().flatten()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_breach_reads_as_a_sentence_with_its_numbers_in_their_units() {
        for (reason, limit, value, text) in [
            (
                RejectReason::QtyDynamic,
                50,
                200,
                "QTY_DYNAMIC: The quantity 200 is above the live limit of 50.",
            ),
            (
                RejectReason::Value,
                1_000_000_000_000,
                1_250_000_500_000,
                "VALUE: The order's value 1250000.50 is above the limit of 1000000.00.",
            ),
            (
                RejectReason::Collar,
                500,
                731,
                "COLLAR: The price is 731 bps from the reference; the collar allows 500 bps.",
            ),
            (
                RejectReason::BadTick,
                10_000_000,
                100_005_000_000,
                "BAD_TICK: The price 100.005 is not a multiple of the tick 0.01.",
            ),
            (RejectReason::HaltedFirm, 0, 0, "HALTED_FIRM: All trading of the firm is halted."),
            (
                RejectReason::RefStale,
                5_000_000_000,
                8_123_456_789,
                "REF_STALE: The reference price is 8.1 s old (limit 5 s), or its book has a gap.",
            ),
        ] {
            assert_eq!(Breach { reason, limit, value }.to_string(), text);
        }
    }

    #[test]
    fn spans_are_said_as_people_say_them() {
        let cases = [
            (61_950_000_000, "61.9 s"),
            (5_000_000_000, "5 s"),
            (250_000_000, "250 ms"),
            (999_999, "999 us"),
            (0, "0 s"),
            (-1, "0 s"),
        ];
        for (number, text) in cases {
            assert_eq!(WithUnit { number, unit: Unit::Nanos }.to_string(), text);
        }
    }

    #[test]
    fn what_is_halted_is_said_by_its_name() {
        let said = |reason| Breach { reason, limit: 0, value: 7 }.named("ZVZZT", "mm1", "ACME").to_string();
        assert_eq!(said(RejectReason::HaltedInstrument), "Instrument ZVZZT is halted.");
        assert_eq!(said(RejectReason::HaltedStrategy), "Strategy mm1 is halted.");
        assert_eq!(said(RejectReason::HaltedAccount), "Account ACME is halted.");
        assert_eq!(said(RejectReason::HaltedFirm), "All trading of the firm is halted.");
    }

    #[test]
    fn the_tier_is_known_where_limits_of_the_model_were_read() {
        let known = |source, tier| Verdict { source, tier, ..Verdict::unpack([0; 4]).unwrap() }.known_tier();
        for source in [LimitsSource::None, LimitsSource::Static, LimitsSource::StaticEmpty] {
            assert_eq!(known(source, Tier::Normal), None, "{source:?}");
            assert_eq!(known(source, Tier::High), Some(Tier::High), "{source:?}: kept over a restart");
        }
        for source in [LimitsSource::Dynamic, LimitsSource::StaticLease] {
            assert_eq!(known(source, Tier::Normal), Some(Tier::Normal), "{source:?}");
        }
    }

    #[test]
    fn a_verdict_survives_its_words() {
        let accepted = Verdict {
            limit: 0,
            value: 0,
            score: FixedScore::from_micros(123_456).unwrap(),
            version: 7,
            reason: None,
            decision: Decision::Flag,
            tier: Tier::High,
            source: LimitsSource::StaticLease,
            flags: Flags::TIER,
        };
        assert_eq!(Verdict::unpack(accepted.pack()), Some(accepted));
        for reason in RejectReason::ALL {
            let refused = Verdict {
                limit: -1,
                value: i64::MAX,
                reason: Some(reason),
                decision: Decision::Reject,
                ..accepted
            };
            assert_eq!(Verdict::unpack(refused.pack()), Some(refused), "{reason}");
        }
        let [limit, value, numbers, small] = accepted.pack();
        for wrong in [small | 99, small | 3 << 16, small | 0xFF << 24, small | 7 << 32] {
            assert_eq!(Verdict::unpack([limit, value, numbers, wrong]), None, "{wrong:x}");
        }
    }

    #[test]
    fn a_value_beyond_the_price_type_still_prints() {
        let breach = Breach { reason: RejectReason::Value, limit: 1, value: i64::MAX };
        assert!(breach.to_string().contains("9223372036854 is above"), "{breach}");
    }
}
