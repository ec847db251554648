//! Why an order is refused: a closed, append-only list. Numbers and slugs are stored in files and sent to counterparties,
//! so they never change meaning.

/// The unit of a verdict's limit and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// The reason has no numbers.
    None,
    /// Shares, lots or contracts.
    Quantity,
    /// Millionths of the currency.
    MicroCurrency,
    /// Basis points.
    Bps,
    /// Ticks.
    Ticks,
    /// A price, in 1e-9 of the currency.
    Price,
    /// Nanoseconds.
    Nanos,
    /// Orders.
    Orders,
    /// Orders per second.
    OrdersPerSecond,
    /// An index or state number.
    Number,
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $slug:literal, fix $fix:literal, $unit:ident,
       $sentence:literal, closed $closed:literal;)+) => {
        /// Why an order is refused, in the order in which the gate decides: when several hold, the first one is the
        /// verdict's, and [`crate::Gate::explain`] lists them all.
        ///
        /// Numbers are grouped by check (the first digits are the row of the check list) and are never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum RejectReason {
            $($(#[doc = $doc])+ $name = $code,)+
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
            pub const ALL: [Self; [$($code),+].len()] = [$(Self::$name),+];

            /// The reason with this number.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)+
                    _ => None,
                }
            }

            /// The stable name in files, on screens and in FIX tag 58.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)+ }
            }

            /// FIX tag 103, OrdRejReason (FIX 5.0 SP2). The finer codes of newer dictionaries are not used where an
            /// older counterparty would not know them, except 16, 18 and 19, which have no older equivalent.
            #[must_use]
            pub const fn fix_ord_rej_reason(self) -> u16 {
                match self { $(Self::$name => $fix,)+ }
            }

            /// The unit of the verdict's limit and value.
            #[must_use]
            pub const fn unit(self) -> Unit {
                match self { $(Self::$name => Unit::$unit,)+ }
            }

            /// One sentence for an officer; `{limit}` and `{value}` stand for the verdict's numbers.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)+ }
            }

            /// Which missing or unreadable input leads here, or `-` when only a real breach does.
            #[must_use]
            pub const fn fails_closed_on(self) -> &'static str {
                match self { $(Self::$name => $closed,)+ }
            }
        }
    };
}

reasons! {
    /// A breaker of the order holds no state.
    HaltUnreadable = 100, "HALT_UNREADABLE", fix 0, Number,
        "A breaker that covers this order cannot be read, so the order is treated as halted.",
        closed "a breaker word never set, damaged, or missing for a known scope";
    /// The firm's breaker is tripped.
    HaltedFirm = 101, "HALTED_FIRM", fix 0, Number,
        "All trading of the firm is halted.", closed "-";
    /// The account's breaker is tripped.
    HaltedAccount = 102, "HALTED_ACCOUNT", fix 0, Number,
        "Account {value} is halted.", closed "-";
    /// The strategy's breaker is tripped.
    HaltedStrategy = 103, "HALTED_STRATEGY", fix 0, Number,
        "Strategy {value} is halted.", closed "-";
    /// The instrument's breaker is tripped.
    HaltedInstrument = 104, "HALTED_INSTRUMENT", fix 0, Number,
        "Instrument {value} is halted.", closed "-";
    /// The model holds the instrument in Critical.
    TierCritical = 105, "TIER_CRITICAL", fix 0, Number,
        "The instrument is in tier Critical, which only a person ends; no order may add risk.",
        closed "a Critical record whose lease has ended: Critical outlives its lease";
    /// A breaker allows reducing orders only, and this one could add to or turn the position.
    ReduceOnly = 106, "REDUCE_ONLY", fix 0, Quantity,
        "Only reducing orders are allowed; this one is for {value}, and at most {limit} reduces the position.",
        closed "-";
    /// The time given is zero or lies before one already seen.
    ClockBad = 110, "CLOCK_BAD", fix 99, Nanos,
        "The clock reads {value}, earlier than {limit} already seen, so no lease or age can be trusted.",
        closed "a clock at zero or stepped back";

    /// No table has this instrument.
    UnknownInstrument = 200, "UNKNOWN_INSTRUMENT", fix 1, Number,
        "Instrument {value} is not one of the {limit} instruments of this gate.", closed "an unknown instrument";
    /// The configuration has no such strategy.
    UnknownStrategy = 201, "UNKNOWN_STRATEGY", fix 99, Number,
        "Strategy {value} is not one of the {limit} strategies of this gate.", closed "an unknown strategy";
    /// The configuration has no such account.
    UnknownAccount = 202, "UNKNOWN_ACCOUNT", fix 15, Number,
        "Account {value} is not one of the {limit} accounts of this gate.", closed "an unknown account";
    /// The class was never permitted to trade the instrument.
    NotPermitted = 203, "NOT_PERMITTED", fix 0, Number,
        "The strategy's class has no permission for this instrument.", closed "a permission never granted";
    /// The instrument is on the restricted list.
    Restricted = 204, "RESTRICTED", fix 0, Number,
        "The instrument is on the restricted list of the strategy's class.", closed "-";

    /// The order id is zero.
    BadField = 300, "BAD_FIELD", fix 99, None,
        "The order has no client order id.", closed "a missing order id";
    /// The quantity is zero.
    BadQty = 301, "BAD_QTY", fix 13, Quantity,
        "The order's quantity is zero.", closed "a missing quantity";
    /// The price of a limit order is missing, not positive or absurd, or a market order has one.
    BadPrice = 302, "BAD_PRICE", fix 99, Price,
        "The price {value} is none a limit order can have (above 0, at most {limit}), or a market order has a price.",
        closed "a missing price";
    /// The tick size of the instrument is not known.
    TickUnknown = 303, "TICK_UNKNOWN", fix 18, None,
        "The instrument's tick size is not known, so the price cannot be checked against it.",
        closed "no tick size";
    /// The price is no multiple of the tick.
    BadTick = 304, "BAD_TICK", fix 18, Price,
        "The price {value} is not a multiple of the tick {limit}.", closed "-";
    /// The quantity is no multiple of the lot.
    BadLot = 305, "BAD_LOT", fix 13, Quantity,
        "The quantity {value} is not a multiple of the lot {limit}.", closed "a lot of zero";

    /// The instrument is halted, paused or closed.
    MktState = 400, "MKT_STATE", fix 2, Number,
        "The venue does not trade the instrument now (state {value}; 2 halted, 3 paused, 4 closed).", closed "-";
    /// The trading state of the instrument is not known.
    MktStateUnknown = 401, "MKT_STATE_UNKNOWN", fix 2, None,
        "The venue's trading state of the instrument is not known.", closed "no trading state heard";

    /// The id is that of an open or a recent order.
    Duplicate = 500, "DUPLICATE", fix 6, None,
        "An order with this client order id is open or was so recently.", closed "-";
    /// The order to replace is not open.
    UnknownOrder = 501, "UNKNOWN_ORDER", fix 99, None,
        "The order to replace is not open.", closed "a replacement of an unknown order";
    /// A replacement may change quantity and price only.
    BadReplace = 502, "BAD_REPLACE", fix 99, None,
        "A replacement may change price and quantity only, not instrument, side, strategy or account.", closed "-";
    /// The order already has a replacement on its way.
    ReplacePending = 503, "REPLACE_PENDING", fix 99, None,
        "The order already has a replacement that the venue has not answered.", closed "-";
    /// The open-order table is full.
    TableFull = 510, "TABLE_FULL", fix 0, Orders,
        "The gate holds {value} open orders, its maximum ({limit}); it cannot track another one.",
        closed "a full open-order table";

    /// The officer has set no limits for the row.
    LimitsMissing = 600, "LIMITS_MISSING", fix 99, None,
        "No officer has set limits for this instrument and strategy class.", closed "no static limits";
    /// The officer's limits could not be read whole.
    LimitsTorn = 601, "LIMITS_TORN", fix 99, None,
        "The officer's limits for this row cannot be read whole.", closed "a torn static record";

    /// The quantity is above the officer's limit.
    QtyStatic = 700, "QTY_STATIC", fix 3, Quantity,
        "The quantity {value} is above the officer's limit of {limit}.", closed "-";
    /// The quantity is above the live limit.
    QtyDynamic = 701, "QTY_DYNAMIC", fix 3, Quantity,
        "The quantity {value} is above the live limit of {limit}.", closed "-";
    /// The quantity is above the largest that the error model finds likely to be meant at this price.
    QtyErrModel = 702, "QTY_ERRMODEL", fix 3, Quantity,
        "The quantity {value} is more than the {limit} that the error model finds likely to be meant at this price.", closed "-";
    /// Price times quantity is above the limit.
    Value = 800, "VALUE", fix 3, MicroCurrency,
        "The order's value {value} is above the limit of {limit}.", closed "-";

    /// There is no reference price.
    RefMissing = 900, "REF_MISSING", fix 19, None,
        "There is no reference price: the book is empty, one-sided without a trade, or crossed, or a market order has \
         no far side.",
        closed "no reference price, no far side for a market order";
    /// The reference price is too old, or its book is not to be believed.
    RefStale = 901, "REF_STALE", fix 19, Nanos,
        "The reference price is {value} old (limit {limit}), or its book has a gap.",
        closed "a stale reference, a feed gap, a book in recovery";
    /// The reference price could not be read whole.
    RefTorn = 902, "REF_TORN", fix 19, None,
        "The reference price cannot be read whole.", closed "a torn reference record";
    /// The price is too far from the reference.
    Collar = 903, "COLLAR", fix 16, Bps,
        "The price is {value} from the reference; the collar allows {limit}.", closed "-";
    /// The passive order is too near the opposite touch.
    PassiveBand = 1000, "PASSIVE_BAND", fix 16, Ticks,
        "The passive order is {value} from the opposite best price; at least {limit} is required.", closed "-";

    /// With every working buy filled, the long position would be above the limit.
    PosLong = 1100, "POS_LONG", fix 3, Quantity,
        "With every working buy filled the position could reach {value}, above the long limit of {limit}.", closed "-";
    /// With every working sell filled, the short position would be above the limit.
    PosShort = 1101, "POS_SHORT", fix 3, Quantity,
        "With every working sell filled the short position could reach {value}, above the short limit of {limit}.",
        closed "-";

    /// The strategy's order rate in the instrument is exhausted.
    Rate = 1400, "RATE", fix 3, OrdersPerSecond,
        "The strategy has used up its order rate in this instrument ({limit} sustained).", closed "-";
    /// The strategy's order rate over all instruments is exhausted.
    RateStrategy = 1401, "RATE_STRATEGY", fix 3, OrdersPerSecond,
        "The strategy has used up its order rate over all instruments ({limit} sustained).", closed "-";
}

/// How many reasons there are.
pub const REASON_COUNT: usize = RejectReason::ALL.len();

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

// A set of breaches is one word.
const _: () = assert!(REASON_COUNT <= 64);

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_and_slugs_are_unique_and_lead_back_to_their_reason() {
        let slugs: HashSet<_> = RejectReason::ALL.iter().map(|r| r.slug()).collect();
        assert_eq!(slugs.len(), REASON_COUNT);
        for reason in RejectReason::ALL {
            assert_eq!(RejectReason::from_code(reason.code()), Some(reason));
            assert!(reason.slug().bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{reason}");
        }
        assert_eq!(RejectReason::from_code(0), None);
    }

    #[test]
    fn bits_are_positions_in_the_order_of_decision() {
        for (i, reason) in RejectReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.bit() as usize, i);
        }
    }

    #[test]
    fn numbers_in_use_never_change() {
        let pinned = "100 101 102 103 104 105 106 110 200 201 202 203 204 300 301 302 303 304 305 400 401 500 501 502 \
                      503 510 600 601 700 701 702 800 900 901 902 903 1000 1100 1101 1400 1401";
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
