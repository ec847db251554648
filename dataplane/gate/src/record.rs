//! What one published limit says, and how it is packed into a slot's words.
//!
//! ```text
//! limits   word 0  collar_bps:16 at 32 | passive_min_ticks:16 at 48 | max_qty:32
//!               1  max_notional_micros:64
//!               2  order_burst:16 at 48 | max_pos_long:48
//!               3  margin_bps:16 at 48 | max_pos_short:48
//! dynamic  words 0-3 limits
//!               4  granted_ns:64
//!               5  order_interval_ns:30 at 34 | epoch:18 at 16 | lease_ms:16
//!               6  cause:8 at 56 | tier:4 at 52 | score:20 at 32 | version:32
//! static   words 0-3 the cap
//!               4  the cap's order_interval_ns:32 at 32 | lot:32
//!               5  permission:8 at 32 | version:32
//!               6-9 the base
//!              10  the base's order_interval_ns:32 at 32
//!              11  published_ns:64
//!              12  forget_before_ns:64
//! row word         epoch:18 at 40 | permission:8 at 32 | lot:32
//! ```
//!
//! A dynamic record fills one cache line. It carries the *epoch* of the static record under whose cap it was clamped, so
//! that an order under live dynamic limits need not read the static record, only the row's word: when the epochs agree,
//! the limits lie inside the officer's cap of this moment.

use types::{Nanos, Qty, Tier, UnixNanos};

use crate::{lately::Said, lease::Lease, limits::RiskLimits, rate, score::FixedScore};

/// Words of a dynamic record.
pub(crate) const DYNAMIC_WORDS: usize = 7;
/// Words of a static record.
pub(crate) const STATIC_WORDS: usize = 13;

const EPOCH_BITS: u32 = 18;
const EPOCH_MASK: u32 = (1 << EPOCH_BITS) - 1;

/// Where a dynamic record keeps its interval: at most a second, since no legal rate is below one a second.
const DYNAMIC_INTERVAL_AT: u32 = 16 + EPOCH_BITS;
const _: () = assert!(rate::interval_ns(1) < 1 << (u64::BITS - DYNAMIC_INTERVAL_AT));

const LOW_48: u64 = (1 << 48) - 1;

/// Why a limit was published. Append-only: the audit log stores the number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LimitCause {
    /// A number this build does not know.
    #[default]
    Unknown = 0,
    /// First limits after start.
    Boot = 1,
    /// Nothing changed; the lease was renewed.
    Renew = 2,
    /// A higher tier was entered.
    Tighten = 3,
    /// A lower tier was entered, one step.
    Relax = 4,
    /// The market has been calm long enough for limits wider than the base.
    Widen = 5,
    /// An officer changed the envelope or reset a tier.
    Officer = 6,
    /// The scorer took its word back: from here on the static limits hold. Its lease is zero.
    Revoke = 7,
    /// The predicted slippage of a large order changed, and the order size with it.
    Slippage = 8,
}

impl LimitCause {
    /// The cause with this number.
    #[must_use]
    pub const fn from_u8(n: u8) -> Self {
        match n {
            1 => Self::Boot,
            2 => Self::Renew,
            3 => Self::Tighten,
            4 => Self::Relax,
            5 => Self::Widen,
            6 => Self::Officer,
            7 => Self::Revoke,
            8 => Self::Slippage,
            _ => Self::Unknown,
        }
    }

    /// The word used in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Boot => "boot",
            Self::Renew => "renew",
            Self::Tighten => "tighten",
            Self::Relax => "relax",
            Self::Widen => "widen",
            Self::Officer => "officer",
            Self::Revoke => "revoke",
            Self::Slippage => "slippage",
        }
    }
}

/// Everything a publisher says beside the limits themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The tier the limits belong to.
    pub tier: Tier,
    /// The calibrated score behind it.
    pub score: FixedScore,
    /// For how long they hold.
    pub lease: Nanos,
    /// The publisher's running number, for the audit trail.
    pub version: u32,
    /// Why they were published.
    pub cause: LimitCause,
}

/// One record of the dynamic table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitRecord {
    /// The limits.
    pub limits: RiskLimits,
    /// The tier they belong to.
    pub tier: Tier,
    /// The calibrated score behind them.
    pub score: FixedScore,
    /// From when and for how long they hold.
    pub lease: Lease,
    /// The publisher's running number.
    pub version: u32,
    /// Why they were published.
    pub cause: LimitCause,
}

/// Whether a strategy class may trade an instrument at all. Append-only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Permission {
    /// Not granted.
    #[default]
    Denied = 0,
    /// Granted.
    Granted = 1,
    /// On the restricted list (SEC 15c3-5(c)(2)(ii)).
    Restricted = 2,
    /// Granted, and on the restricted list for whom the instrument's [`crate::Restriction`] says.
    Listed = 3,
}

impl Permission {
    const fn from_u8(n: u8) -> Self {
        match n {
            1 => Self::Granted,
            2 => Self::Restricted,
            3 => Self::Listed,
            _ => Self::Denied,
        }
    }
}

/// What an officer says of a row beside its envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticTerms {
    /// Orders must be multiples of this; 1 where odd lots are allowed. Zero divides nothing, so it refuses every order.
    pub lot: Qty,
    /// Whether the class may trade the instrument.
    pub permission: Permission,
    /// The officer's running number, for the audit trail.
    pub version: u32,
}

/// One record of the static table: the officer's word on one (instrument, strategy class).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticRecord {
    /// Hard bounds: no limit in force is ever wider, whatever the dynamic table says.
    pub cap: RiskLimits,
    /// What holds when no dynamic limit does.
    pub base: RiskLimits,
    /// Orders must be multiples of this; 1 where odd lots are allowed.
    pub lot: Qty,
    /// Whether the class may trade the instrument.
    pub permission: Permission,
    /// The officer's running number.
    pub version: u32,
    /// When it was published.
    pub published: UnixNanos,
    /// What the model granted up to here counts no more: a person has taken its word back.
    pub forget_before: UnixNanos,
}

#[expect(clippy::cast_sign_loss, reason = "limits are not negative; Parameter::bounds")]
const fn pack_limits(l: &RiskLimits) -> [u64; 4] {
    [
        l.max_qty.0 as u64 | (l.collar_bps as u64) << 32 | (l.passive_min_ticks as u64) << 48,
        l.max_notional_micros as u64,
        l.max_pos_long as u64 | (l.order_burst as u64) << 48,
        l.max_pos_short as u64 | (l.margin_bps as u64) << 48,
    ]
}

/// Limits as the gate compares them. The rate is an interval, so that no check divides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub max_qty: u32,
    pub max_notional_micros: u64,
    pub collar_bps: u32,
    pub passive_min_ticks: u32,
    pub max_pos_long: i64,
    pub max_pos_short: i64,
    pub order_interval_ns: u32,
    pub order_burst: u32,
    pub margin_bps: u32,
}

impl Bounds {
    /// Bounds that let nothing through: what is judged by when there are no limits.
    pub(crate) const NOTHING: Self = Self {
        max_qty: 0,
        max_notional_micros: 0,
        collar_bps: 0,
        passive_min_ticks: 0,
        max_pos_long: 0,
        max_pos_short: 0,
        order_interval_ns: u32::MAX,
        order_burst: 0,
        margin_bps: 0,
    };

    /// From the four packed words and the interval beside them.
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "the fields' widths in the layout"
    )]
    const fn unpack(words: [u64; 4], order_interval_ns: u32) -> Self {
        let [w0, w1, w2, w3] = words;
        Self {
            max_qty: w0 as u32,
            max_notional_micros: w1,
            collar_bps: (w0 >> 32) as u32 & 0xFFFF,
            passive_min_ticks: (w0 >> 48) as u32,
            max_pos_long: (w2 & LOW_48) as i64,
            max_pos_short: (w3 & LOW_48) as i64,
            order_interval_ns,
            order_burst: (w2 >> 48) as u32,
            margin_bps: (w3 >> 48) as u32,
        }
    }

    /// The tighter of the two, limit by limit: the officer's hard bounds hold whatever a dynamic record says.
    #[inline(always)]
    pub(crate) fn tighter(self, other: Self) -> Self {
        Self {
            max_qty: self.max_qty.min(other.max_qty),
            max_notional_micros: self.max_notional_micros.min(other.max_notional_micros),
            collar_bps: self.collar_bps.min(other.collar_bps),
            passive_min_ticks: self.passive_min_ticks.max(other.passive_min_ticks),
            max_pos_long: self.max_pos_long.min(other.max_pos_long),
            max_pos_short: self.max_pos_short.min(other.max_pos_short),
            order_interval_ns: self.order_interval_ns.max(other.order_interval_ns),
            order_burst: self.order_burst.min(other.order_burst),
            margin_bps: self.margin_bps.max(other.margin_bps),
        }
    }

    /// The limits as people read them.
    #[expect(clippy::cast_possible_wrap, reason = "packed from a non-negative i64")]
    pub(crate) const fn to_limits(self) -> RiskLimits {
        RiskLimits {
            max_qty: Qty(self.max_qty),
            max_notional_micros: self.max_notional_micros as i64,
            collar_bps: self.collar_bps,
            passive_min_ticks: self.passive_min_ticks,
            max_pos_long: self.max_pos_long,
            max_pos_short: self.max_pos_short,
            order_rate_per_s: rate::per_second(self.order_interval_ns),
            order_burst: self.order_burst,
            margin_bps: self.margin_bps,
        }
    }
}

/// What an order needs of a dynamic record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DynamicHot {
    pub bounds: Bounds,
    pub lease: Lease,
    pub tier: Tier,
    pub score: FixedScore,
    pub version: u32,
    /// Of the static record under whose cap the limits were clamped; 0 when they were not.
    pub epoch: u32,
}

impl LimitRecord {
    pub(crate) const fn pack(&self, epoch: u32) -> [u64; DYNAMIC_WORDS] {
        let [w0, w1, w2, w3] = pack_limits(&self.limits);
        [
            w0,
            w1,
            w2,
            w3,
            self.lease.granted.0,
            (self.lease.span.0 / 1_000_000)
                | (epoch as u64) << 16
                | (rate::interval_ns(self.limits.order_rate_per_s) as u64) << DYNAMIC_INTERVAL_AT,
            self.version as u64
                | (self.score.micros() as u64) << 32
                | (self.tier as u64) << 52
                | (self.cause as u64) << 56,
        ]
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the fields' widths in the layout")]
    pub(crate) const fn unpack_hot(words: [u64; DYNAMIC_WORDS]) -> DynamicHot {
        let [w0, w1, w2, w3, granted, w5, w6] = words;
        DynamicHot {
            bounds: Bounds::unpack([w0, w1, w2, w3], (w5 >> DYNAMIC_INTERVAL_AT) as u32),
            lease: Lease { granted: UnixNanos(granted), span: Nanos((w5 & 0xFFFF) * 1_000_000) },
            tier: tier_of(w6),
            score: FixedScore::from_word((w6 >> 32) as u32 & 0xF_FFFF),
            version: w6 as u32,
            epoch: (w5 >> 16) as u32 & EPOCH_MASK,
        }
    }

    pub(crate) const fn unpack(words: [u64; DYNAMIC_WORDS]) -> Self {
        let DynamicHot { bounds, lease, tier, score, version, epoch: _ } = Self::unpack_hot(words);
        let cause = LimitCause::from_u8((words[6] >> 56) as u8);
        Self { limits: bounds.to_limits(), tier, score, lease, version, cause }
    }
}

impl Said for LimitRecord {
    fn lease(&self) -> Lease {
        self.lease
    }

    fn tightened_by(&self, older: &Self) -> Self {
        let limits = self.limits.tighter(&older.limits);
        let worse = if older.tier > self.tier { older } else { self };
        let &Self { tier, score, version, cause, .. } = worse;
        Self { limits, tier, score, version, cause, lease: self.lease }
    }

    fn loosened_by(&self, next: &Self) -> bool {
        self.tier > next.tier || next.limits.first_looser_than(&self.limits).is_some()
    }
}

/// The tier's two meaningful bits, so that every pattern is a tier and none needs a branch.
#[inline(always)]
const fn tier_of(w6: u64) -> Tier {
    match (w6 >> 52) & 3 {
        0 => Tier::Normal,
        1 => Tier::Elevated,
        2 => Tier::High,
        _ => Tier::Critical,
    }
}

/// The word of a row: what an order under live dynamic limits needs of the static record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowWord(pub u64);

impl RowWord {
    /// The last epoch. A row that has come to it stays there, and no record is ever stamped with it: from then on every
    /// order of the row clamps for itself. An epoch that came round again could make a record look clamped that is not.
    const LAST_EPOCH: u32 = EPOCH_MASK;

    pub(crate) const fn new(epoch: u32, permission: Permission, lot: Qty) -> Self {
        Self((epoch as u64) << 40 | (permission as u64) << 32 | lot.0 as u64)
    }

    /// Changes with every publication of the row up to [`Self::LAST_EPOCH`]; 0 before the first.
    #[inline(always)]
    pub(crate) const fn epoch(self) -> u32 {
        (self.0 >> 40) as u32
    }

    /// The epoch to stamp on a record clamped under the cap of now; 0, which no order trusts, for the last one.
    pub(crate) const fn stamp(self) -> u32 {
        if self.epoch() == Self::LAST_EPOCH { 0 } else { self.epoch() }
    }

    /// Whether the row has come to `epoch` and lets every order through: what is denied, restricted or listed for some does not, nor what
    /// was never published, whose epoch is 0. One comparison of both fields, since a permission that is kept costs a check a register.
    #[inline(always)]
    pub(crate) const fn grants_at(self, epoch: u32) -> bool {
        (self.0 >> 32) as u32 == epoch << 8 | Permission::Granted as u32
    }

    #[cfg(all(test, not(loom)))]
    #[expect(clippy::cast_possible_truncation, reason = "the field's width in the layout")]
    const fn permission(self) -> Permission {
        Permission::from_u8((self.0 >> 32) as u8)
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the field's width in the layout")]
    pub(crate) const fn lot(self) -> u32 {
        self.0 as u32
    }

    /// The epoch of the next publication.
    pub(crate) const fn next_epoch(self) -> u32 {
        if self.epoch() == Self::LAST_EPOCH { Self::LAST_EPOCH } else { self.epoch() + 1 }
    }
}

/// A static record as the gate compares it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Officer {
    pub cap: Bounds,
    pub base: Bounds,
    pub lot: u32,
    pub permission: Permission,
    pub forget_before: UnixNanos,
}

impl StaticRecord {
    pub(crate) const fn pack(&self) -> [u64; STATIC_WORDS] {
        let [c0, c1, c2, c3] = pack_limits(&self.cap);
        let [b0, b1, b2, b3] = pack_limits(&self.base);
        [
            c0,
            c1,
            c2,
            c3,
            self.lot.0 as u64 | (rate::interval_ns(self.cap.order_rate_per_s) as u64) << 32,
            self.version as u64 | (self.permission as u64) << 32,
            b0,
            b1,
            b2,
            b3,
            (rate::interval_ns(self.base.order_rate_per_s) as u64) << 32,
            self.published.0,
            self.forget_before.0,
        ]
    }

    #[expect(clippy::cast_possible_truncation, reason = "the fields' widths in the layout")]
    pub(crate) const fn unpack_officer(words: [u64; STATIC_WORDS]) -> Officer {
        let [c0, c1, c2, c3, w4, w5, b0, b1, b2, b3, w10, _, forget_before] = words;
        Officer {
            cap: Bounds::unpack([c0, c1, c2, c3], (w4 >> 32) as u32),
            base: Bounds::unpack([b0, b1, b2, b3], (w10 >> 32) as u32),
            lot: w4 as u32,
            permission: Permission::from_u8((w5 >> 32) as u8),
            forget_before: UnixNanos(forget_before),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the field's width in the layout")]
    pub(crate) const fn unpack(words: [u64; STATIC_WORDS]) -> Self {
        let Officer { cap, base, lot, permission, forget_before } = Self::unpack_officer(words);
        Self {
            cap: cap.to_limits(),
            base: base.to_limits(),
            lot: Qty(lot),
            permission,
            version: words[5] as u32,
            published: UnixNanos(words[11]),
            forget_before,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::limits::Parameter;
    use proptest::prelude::*;

    fn any_limits() -> impl Strategy<Value = RiskLimits> {
        let zero = RiskLimits {
            max_qty: Qty(1),
            max_notional_micros: 1,
            collar_bps: 1,
            passive_min_ticks: 0,
            max_pos_long: 0,
            max_pos_short: 0,
            order_rate_per_s: 1,
            order_burst: 1,
            margin_bps: 10_000,
        };
        Parameter::ALL.map(|p| p.bounds().0..=p.bounds().1).to_vec().prop_map(move |values| {
            Parameter::ALL.into_iter().zip(values).fold(zero, |l, (p, v)| l.with(p, v).expect("in bounds"))
        })
    }

    fn any_tier() -> impl Strategy<Value = Tier> {
        (0_u8..4).prop_map(|n| Tier::from_u8(n).expect("four tiers"))
    }

    #[test]
    fn numbers_and_words_of_causes_are_pinned() {
        let words = [
            "unknown", "boot", "renew", "tighten", "relax", "widen", "officer", "revoke", "slippage",
            "unknown",
        ];
        for (number, word) in (0_u8..).zip(words) {
            let cause = LimitCause::from_u8(number);
            assert_eq!(cause.as_str(), word);
            assert_eq!(cause as u8, if word == "unknown" { 0 } else { number });
        }
    }

    proptest! {
        #[test]
        fn a_dynamic_record_survives_its_slot(
            limits in any_limits(), tier in any_tier(), score in 0_u32..=1_000_000, granted: u64,
            span in 0_u64..=Lease::SPAN_MAX.0, version: u32, cause in 0_u8..=8, epoch in 0..=EPOCH_MASK,
        ) {
            let record = LimitRecord {
                limits, tier, version,
                score: FixedScore::from_micros(score).expect("at most one"),
                lease: Lease::new(UnixNanos(granted), Nanos(span)),
                cause: LimitCause::from_u8(cause),
            };
            prop_assert_eq!(LimitRecord::unpack(record.pack(epoch)), record);
            prop_assert_eq!(LimitRecord::unpack_hot(record.pack(epoch)).epoch, epoch);
        }

        #[test]
        fn a_static_record_survives_its_slot(
            cap in any_limits(), base in any_limits(), lot in 1_u32.., permission in 0_u8..3, version: u32, at: u64, forget: u64,
        ) {
            let record = StaticRecord {
                cap, base, version,
                lot: Qty(lot),
                permission: Permission::from_u8(permission),
                published: UnixNanos(at),
                forget_before: UnixNanos(forget),
            };
            prop_assert_eq!(StaticRecord::unpack(record.pack()), record);
        }
    }

    #[test]
    fn a_row_word_gives_back_its_parts_and_its_epoch_never_comes_round() {
        let last = RowWord::new(EPOCH_MASK, Permission::Restricted, Qty(u32::MAX));
        assert_eq!(
            (last.epoch(), last.permission(), last.lot()),
            (EPOCH_MASK, Permission::Restricted, u32::MAX)
        );
        assert_eq!(
            (last.next_epoch(), last.stamp()),
            (EPOCH_MASK, 0),
            "nothing is stamped with the last one"
        );
        let before = RowWord::new(EPOCH_MASK - 1, Permission::Granted, Qty(1));
        assert_eq!((before.next_epoch(), before.stamp()), (EPOCH_MASK, EPOCH_MASK - 1));
        assert_eq!((RowWord(0).epoch(), RowWord(0).stamp(), RowWord(0).next_epoch()), (0, 0, 1));
    }

    /// The fast path asks for nothing else of a row's permission.
    #[test]
    fn a_row_word_grants_at_its_own_epoch_alone_and_to_everybody_or_not() {
        for (epoch, other) in [(1, 2), (EPOCH_MASK, EPOCH_MASK - 1), (EPOCH_MASK, 0), (256, 0), (1, 0)] {
            let word = |permission| RowWord::new(epoch, permission, Qty(u32::MAX));
            assert!(word(Permission::Granted).grants_at(epoch), "{epoch}");
            assert!(!word(Permission::Granted).grants_at(other), "{epoch} {other}");
            for permission in [Permission::Denied, Permission::Restricted, Permission::Listed] {
                assert!(!word(permission).grants_at(epoch), "{permission:?}");
            }
        }
        assert!(!RowWord(0).grants_at(0), "a row that was never written");
    }

    /// Of two with one tier the score and the number of the newer stand.
    #[test]
    fn a_record_is_loosened_by_a_larger_limit_and_by_a_lower_tier() {
        let of = |qty, tier, version| LimitRecord {
            limits: RiskLimits { max_qty: Qty(qty), ..crate::tests::LIVE },
            tier,
            score: FixedScore::from_f64(0.5).expect("a score"),
            lease: Lease::new(UnixNanos(1), Nanos::SECOND),
            version,
            cause: LimitCause::Renew,
        };
        let said = of(400, Tier::High, 2);
        for (next, loosened) in [
            (of(400, Tier::High, 3), false),
            (of(399, Tier::Critical, 3), false),
            (of(401, Tier::High, 3), true),
            (of(400, Tier::Elevated, 3), true),
        ] {
            assert_eq!(said.loosened_by(&next), loosened, "{next:?}");
        }
        let tightened = |older| {
            let LimitRecord { limits, tier, version, .. } = said.tightened_by(&older);
            (limits.max_qty.0, tier, version)
        };
        assert_eq!(tightened(of(300, Tier::High, 1)), (300, Tier::High, 2));
        assert_eq!(tightened(of(500, Tier::Critical, 1)), (400, Tier::Critical, 1));
    }
}
