//! The checks, in the order in which the gate decides. A check is a file in this folder and a row here; everything else
//! (codes, texts, `CODES.md`, what the fast path visits, what `explain` lists) follows from the two.

mod account;
mod activity;
mod clock;
mod collar;
mod credit;
mod fields;
mod halt;
mod identity;
mod known;
mod levels;
mod limits;
mod locate;
mod loss;
mod market;
mod near;
mod own;
mod passive;
mod position;
mod quantity;
mod rates;
mod reference;
mod repeated;
mod stopped;
mod tier;
mod value;
mod walk;

use core::ops::ControlFlow;

use crate::{
    case::{Case, Found},
    check::{Check, Needs, Notice, Unit},
    decision::Flags,
};

/// Who is told what the checks find.
pub(crate) trait Sink {
    /// It stops at whatever is worth a look, so that what is never broken without being so need not be asked.
    const STOPS_AT_NEAR: bool;
    /// `broken` says whether the order breaks the check behind `reason`.
    fn see(&mut self, broken: bool, reason: RejectReason) -> ControlFlow<()>;
    /// `worth` says whether somebody should look.
    fn flag(&mut self, worth: bool, flag: Flags) -> ControlFlow<()>;
}

macro_rules! checks {
    ($($(#[doc = $doc:literal])+ $name:ident in $file:ident;)+ notices $($notice:ident in $place:ident;)+) => {
        /// Why an order is refused, in the order in which the gate decides: when several hold, the first one is the
        /// verdict's, and [`crate::Gate::explain`] lists them all.
        ///
        /// A closed, append-only list: numbers are grouped by check and are never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum RejectReason {
            $($(#[doc = $doc])+ $name = <$file::$name as Check>::CODE,)+
        }

        /// The position of each reason in the order of decision.
        #[derive(Clone, Copy)]
        #[repr(u32)]
        enum Position {
            $($name,)+
        }

        impl RejectReason {
            /// The bit of the reason in a set of breaches: its position in [`RejectReason::ALL`].
            #[inline(always)]
            pub(crate) const fn bit(self) -> u32 {
                match self { $(Self::$name => Position::$name as u32,)+ }
            }

            /// Every reason, in the order in which the gate decides.
            pub const ALL: [Self; [$(stringify!($name)),+].len()] = [$(Self::$name),+];

            /// The stable name in files, on screens and in FIX tag 58.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$name => <$file::$name as Check>::SLUG,)+ }
            }

            /// FIX tag 103, OrdRejReason (FIX 5.0 SP2).
            #[must_use]
            pub const fn fix_ord_rej_reason(self) -> u16 {
                match self { $(Self::$name => <$file::$name as Check>::FIX,)+ }
            }

            /// The unit of the verdict's limit and value.
            #[must_use]
            pub const fn unit(self) -> Unit {
                match self { $(Self::$name => <$file::$name as Check>::UNIT,)+ }
            }

            /// One sentence for an officer; `{limit}` and `{value}` stand for the verdict's numbers.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => <$file::$name as Check>::SENTENCE,)+ }
            }

            /// Which missing or unreadable input leads here, or `-` when only a real breach does.
            #[must_use]
            pub const fn fails_closed_on(self) -> &'static str {
                match self { $(Self::$name => <$file::$name as Check>::FAILS_CLOSED_ON,)+ }
            }

            /// See [`Check::NEAR_BEFORE`].
            #[cfg(all(test, not(loom)))]
            pub(crate) const fn is_near_before(self) -> bool {
                match self { $(Self::$name => <$file::$name as Check>::NEAR_BEFORE,)+ }
            }

            /// The limit behind the reason, and what the order made of it.
            #[cold]
            pub(crate) fn numbers(self, case: &Case) -> (i64, i64) {
                match self { $(Self::$name => <$file::$name as Check>::numbers(case),)+ }
            }
        }

        /// Tells `sink` what every check finds, until it has heard enough. Expands to straight-line code.
        #[inline(always)]
        pub(crate) fn visit<S: Sink>(sink: &mut S, case: &Case) -> ControlFlow<()> {
            $(if !(S::STOPS_AT_NEAR && <$file::$name as Check>::NEAR_BEFORE) {
                sink.see(finds::<$file::$name>(case), RejectReason::$name)?;
            })+
            $(sink.flag(<$place::$notice as Notice>::worth(case), <$place::$notice as Notice>::FLAG)?;)+
            ControlFlow::Continue(())
        }
    };
}

checks! {
    /// A breaker of the order holds no state.
    HaltUnreadable in halt;
    /// The firm's breaker is tripped.
    HaltedFirm in halt;
    /// The account's breaker is tripped.
    HaltedAccount in halt;
    /// The strategy's breaker is tripped.
    HaltedStrategy in halt;
    /// The instrument's breaker is tripped.
    HaltedInstrument in halt;
    /// The model holds the instrument in Critical.
    TierCritical in tier;
    /// A breaker allows reducing orders only, and this one could add to or turn the position.
    ReduceOnly in halt;
    /// Whoever writes the breakers has said nothing for too long.
    DaemonLost in halt;
    /// The time given is zero or lies before one already seen.
    ClockBad in clock;
    /// No table has this instrument.
    UnknownInstrument in known;
    /// The configuration has no such strategy.
    UnknownStrategy in known;
    /// The configuration has no such account.
    UnknownAccount in known;
    /// The class was never permitted to trade the instrument.
    NotPermitted in known;
    /// The instrument is on the restricted list.
    Restricted in known;
    /// Nothing is known of the instrument.
    TermsMissing in known;
    /// The order id is zero.
    BadField in fields;
    /// The quantity is zero.
    BadQty in fields;
    /// The price of a limit order is missing, not positive or absurd, or a market order has one.
    BadPrice in fields;
    /// The tick size of the instrument is not known.
    TickUnknown in fields;
    /// The price is no multiple of the tick.
    BadTick in fields;
    /// The quantity is no multiple of the lot.
    BadLot in fields;
    /// The strategy may not use the order's time in force.
    NotInForce in fields;
    /// The instrument is halted, paused or closed.
    MktState in market;
    /// The trading state of the instrument is not known.
    MktStateUnknown in market;
    /// The id is that of an open or a recent order.
    Duplicate in identity;
    /// The order to replace is not open.
    UnknownOrder in identity;
    /// A replacement may change quantity and price only.
    BadReplace in identity;
    /// The order already has a replacement on its way.
    ReplacePending in identity;
    /// The same order was let through a moment ago under another id.
    Repeated in repeated;
    /// The open-order table is full.
    TableFull in identity;
    /// The officer has set no limits for the row.
    LimitsMissing in limits;
    /// The limits could not be read whole.
    LimitsTorn in limits;
    /// The quantity is above the officer's limit.
    QtyStatic in quantity;
    /// The quantity is above the live limit.
    QtyDynamic in quantity;
    /// The quantity is above the largest that the fat-finger network finds likely to be meant at this price.
    QtyFatFinger in quantity;
    /// The order's value in the firm's currency is above the limit.
    Value in value;
    /// There is no rate from the instrument's currency to the firm's.
    FxMissing in value;
    /// The rate from the instrument's currency to the firm's is too old.
    FxStale in value;
    /// There is no reference price.
    RefMissing in reference;
    /// The reference price is too old, or its book is not to be believed.
    RefStale in reference;
    /// The reference price could not be read whole.
    RefTorn in reference;
    /// The price is too far from the reference.
    Collar in collar;
    /// The price is too much worse than the mean reference of the last minutes.
    PeriodCollar in collar;
    /// The published book does not cover the market order.
    DepthShort in walk;
    /// The passive order is too near the opposite touch.
    PassiveBand in passive;
    /// With every working buy filled, the long position would be above the limit.
    PosLong in position;
    /// With every working sell filled, the short position would be above the limit.
    PosShort in position;
    /// The books of gate and venue differ.
    Unreconciled in position;
    /// With every working order of the side filled, the account's position over all strategies would be above the limit.
    AccountPos in account;
    /// With every working order filled, the strategy would hold more in all instruments than it may.
    GrossStrategy in levels;
    /// With every working order filled, the account would hold more in all instruments than it may.
    GrossAccount in levels;
    /// With every working order of the side filled, the strategy's net would be more than it may.
    NetStrategy in levels;
    /// With every working order of the side filled, the account's net would be more than it may.
    NetAccount in levels;
    /// With every working order filled, the strategy would hold more in the instrument than it may in any.
    ConcentrationStrategy in levels;
    /// With every working order filled, the account would hold more in the instrument than it may in any.
    ConcentrationAccount in levels;
    /// With every working order filled, the desk would hold more in all instruments than it may.
    GrossDesk in levels;
    /// With every working order filled, the trader would hold more in all instruments than it may.
    GrossTrader in levels;
    /// With every working order filled, the firm would hold more in all instruments than it may.
    GrossFirm in levels;
    /// With every working order of the side filled, the desk's net would be more than it may.
    NetDesk in levels;
    /// With every working order of the side filled, the trader's net would be more than it may.
    NetTrader in levels;
    /// With every working order of the side filled, the firm's net would be more than it may.
    NetFirm in levels;
    /// With every working order filled, the desk would hold more in the instrument than it may in any.
    ConcentrationDesk in levels;
    /// With every working order filled, the trader would hold more in the instrument than it may in any.
    ConcentrationTrader in levels;
    /// With every working order filled, the firm would hold more in the instrument than it may in any.
    ConcentrationFirm in levels;
    /// Something that is held cannot be valued.
    MarkMissing in levels;
    /// With every working order filled, the strategy would require more margin than its credit.
    CreditStrategy in credit;
    /// With every working order filled, the account would require more margin than its credit.
    CreditAccount in credit;
    /// With every working order filled, the desk would require more margin than its credit.
    CreditDesk in credit;
    /// With every working order filled, the trader would require more margin than their credit.
    CreditTrader in credit;
    /// With every working order filled, the firm would require more margin than its credit.
    CreditFirm in credit;
    /// Nobody knows what something that is held requires of a credit.
    MarginUnknown in credit;
    /// The strategy has lost as much today as it may.
    LossStrategy in loss;
    /// The account has lost as much today as it may.
    LossAccount in loss;
    /// The desk has lost as much today as it may.
    LossDesk in loss;
    /// The trader has lost as much today as it may.
    LossTrader in loss;
    /// The firm has lost as much today as it may.
    LossFirm in loss;
    /// Nobody knows what was lost today.
    LossUnknown in loss;
    /// The order would trade with an order of its own account.
    SelfMatched in own;
    /// The strategy's order rate in the instrument is exhausted.
    Rate in rates;
    /// The strategy's order rate over all instruments is exhausted.
    RateStrategy in rates;
    /// The strategy has let out too much value within the window.
    RollingValueStrategy in activity;
    /// The account has let out too much value within the window.
    RollingValueAccount in activity;
    /// The strategy has let out too large a quantity within the window.
    RollingQtyStrategy in activity;
    /// The account has let out too large a quantity within the window.
    RollingQtyAccount in activity;
    /// The strategy has sent too many messages within the window.
    MessagesStrategy in activity;
    /// The account has sent too many messages within the window.
    MessagesAccount in activity;
    /// The strategy has taken back too many orders within the window.
    CancelsStrategy in activity;
    /// The account has taken back too many orders within the window.
    CancelsAccount in activity;
    /// The strategy has sent too many messages for its trades within the window.
    OrderToTradeStrategy in activity;
    /// The account has sent too many messages for its trades within the window.
    OrderToTradeAccount in activity;
    /// The strategy's orders were executed on one side too often in a row.
    RepeatedExecutions in stopped;
    /// With every working sell filled, the account would be short of more than is located for it.
    Locate in locate;

    notices
    Stressed in tier;
    NearLimit in near;
    WalksBook in walk;
}

/// What `C` finds, when what it needs is there.
#[inline(always)]
fn finds<C: Check>(case: &Case) -> bool {
    let there = match C::NEEDS {
        Needs::Nothing => true,
        Needs::Limits => case.inputs.missing.limits == Found::Whole,
        Needs::Quote => case.inputs.missing.quote == Found::Whole,
    };
    there && C::broken(case)
}

/// How many reasons there are.
pub const REASON_COUNT: usize = RejectReason::ALL.len();

// A set of breaches is one number.
const _: () = assert!(REASON_COUNT <= 128);

impl RejectReason {
    /// The stable number.
    #[inline]
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }
}

impl core::fmt::Display for RejectReason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.slug())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn slugs_are_unique_upper_case_words() {
        let slugs: HashSet<_> = RejectReason::ALL.iter().map(|r| r.slug()).collect();
        assert_eq!(slugs.len(), REASON_COUNT);
        for reason in RejectReason::ALL {
            assert!(reason.slug().bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{reason}");
        }
    }

    #[test]
    fn bits_are_positions_in_the_order_of_decision() {
        for (i, reason) in RejectReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.bit() as usize, i);
        }
    }

    #[test]
    fn numbers_in_use_never_change() {
        let pinned = "100 101 102 103 104 105 106 107 110 200 201 202 203 204 205 300 301 302 303 304 305 306 400 401 500 501 502 \
                      503 504 510 600 601 700 701 702 800 801 802 900 901 902 903 905 904 1000 1100 1101 1102 1103 1110 1111 1112 1113 1114 1115 1120 1121 1122 \
                      1123 1124 1125 1126 1127 1128 1116 1130 1131 1132 1133 1134 1135 1300 1301 1302 1303 1304 1305 1200 \
                      1400 1401 1410 1411 1412 1413 1414 1415 1416 1417 1418 1419 1420 1500";
        let now: std::vec::Vec<_> = RejectReason::ALL.iter().map(|r| std::format!("{}", r.code())).collect();
        assert_eq!(now.join(" "), pinned);
    }

    #[test]
    fn a_sentence_names_numbers_only_when_the_reason_has_a_unit() {
        for reason in RejectReason::ALL {
            let named = reason.sentence().contains("{limit}") || reason.sentence().contains("{value}");
            assert!(!named || reason.unit() != Unit::None, "{reason}");
            assert!(reason.sentence().ends_with('.') && !reason.sentence().contains("  "), "{reason}");
        }
    }
}
