//! The messages, field by field.

use core::fmt;

use zerocopy::IntoBytes;
use zerocopy::byteorder::big_endian::{U32, U64};

use super::define::messages;
use super::header::Header;
use crate::error::WireError;
use crate::fields::{Price4, Price8, Show, wire_struct};

/// Length of each type's messages, zero for an unknown type: one load for readers that know only the type.
const LEN_BY_TYPE: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < MESSAGE_TYPES.len() {
        let (message_type, len, _) = MESSAGE_TYPES[i];
        assert!(len > 0 && len < 256 && table[message_type as usize] == 0);
        table[message_type as usize] = len as u8;
        i += 1;
    }
    table
};

/// The length of a message of this type, for readers of streams whose length prefixes cannot be trusted; `None` for an
/// unknown type.
#[inline]
#[must_use]
pub const fn len_of(message_type: u8) -> Option<u16> {
    match LEN_BY_TYPE[message_type as usize] {
        0 => None,
        len => Some(len as u16),
    }
}

messages! {
    /// "S", System Event (section 1.1): the market or the feed enters another phase.
    SystemEvent = b'S', 12 {
        /// Which phase; see [`event`](super::event).
        @11 event_code: u8 = u8,
    }

    /// "R", Stock Directory (section 1.2.1): a security gets its locate number; sent for all before trading.
    StockDirectory = b'R', 39 {
        /// Symbol.
        @11 stock: [u8; 8] = [u8; 8],
        /// Listing market or NASDAQ tier: Q, G, S, N, A, P, Z, V, or space.
        @19 market_category: u8 = u8,
        /// Deficiency of the issuer: D, E, Q, S, G, H, J, K, C, N, or space.
        @20 financial_status: u8 = u8,
        /// Shares in a round lot.
        @21 round_lot_size: U32 = u32,
        /// Y when only round lots are accepted.
        @25 round_lots_only: u8 = u8,
        /// Class of the security; C is common stock.
        @26 issue_classification: u8 = u8,
        /// Subtype of the security; Z with a space is "not applicable".
        @27 issue_sub_type: [u8; 2] = [u8; 2],
        /// P for production, T for test.
        @29 authenticity: u8 = u8,
        /// Y when restricted under SEC rule 203(b)(3), N when not, space when unknown.
        @30 short_sale_threshold: u8 = u8,
        /// Y for a security set up for an initial offering.
        @31 ipo_flag: u8 = u8,
        /// Tier of the limit-up limit-down plan: 1, 2, or space.
        @32 luld_tier: u8 = u8,
        /// Y for an exchange-traded product.
        @33 etp_flag: u8 = u8,
        /// Leverage of an exchange-traded product, as an integer.
        @34 etp_leverage_factor: U32 = u32,
        /// Y for an inverse exchange-traded product.
        @38 inverse_indicator: u8 = u8,
    }

    /// "H", Stock Trading Action (section 1.2.2): a security is halted, paused, quoted or released.
    StockTradingAction = b'H', 25 {
        /// Symbol.
        @11 stock: [u8; 8] = [u8; 8],
        /// The state it is in now; see [`state`](super::state).
        @19 trading_state: u8 = u8,
        /// Not used.
        @20 reserved: u8 = u8,
        /// Reason code, padded with spaces.
        @21 reason: [u8; 4] = [u8; 4],
    }

    /// "Y", Reg SHO Short Sale Price Test Restricted Indicator (section 1.2.3).
    RegShoRestriction = b'Y', 20 {
        /// Symbol.
        @11 stock: [u8; 8] = [u8; 8],
        /// 0 no restriction, 1 in effect after an intraday drop, 2 still in effect.
        @19 action: u8 = u8,
    }

    /// "L", Market Participant Position (section 1.2.4): a market maker's standing in a security.
    MarketParticipantPosition = b'L', 26 {
        /// Participant.
        @11 mpid: [u8; 4] = [u8; 4],
        /// Symbol.
        @15 stock: [u8; 8] = [u8; 8],
        /// Y for a primary market maker.
        @23 primary_market_maker: u8 = u8,
        /// N normal, P passive, S syndicate, R pre-syndicate, L penalty.
        @24 market_maker_mode: u8 = u8,
        /// A active, E excused, W withdrawn, S suspended, D deleted.
        @25 participant_state: u8 = u8,
    }

    /// "V", Market-Wide Circuit Breaker Decline Level (section 1.2.5.1): the S&P 500 values of the day's three levels.
    MwcbDeclineLevel = b'V', 35 {
        /// Value of level 1.
        @11 level_1: Price8 = u64,
        /// Value of level 2.
        @19 level_2: Price8 = u64,
        /// Value of level 3.
        @27 level_3: Price8 = u64,
    }

    /// "W", Market-Wide Circuit Breaker Status (section 1.2.5.2): a level was breached.
    MwcbStatus = b'W', 12 {
        /// Which level: 1, 2 or 3.
        @11 breached_level: u8 = u8,
    }

    /// "K", Quoting Period Update (section 1.2.6): when quoting of a newly listed security begins.
    IpoQuotingPeriod = b'K', 28 {
        /// Symbol.
        @11 stock: [u8; 8] = [u8; 8],
        /// When quotation begins, in seconds since midnight.
        @19 release_time_s: U32 = u32,
        /// A anticipated, C cancelled or postponed.
        @23 release_qualifier: u8 = u8,
        /// The offering price.
        @24 ipo_price: Price4 = u32,
    }

    /// "J", Limit Up - Limit Down Auction Collar (section 1.2.7).
    LuldAuctionCollar = b'J', 35 {
        /// Symbol.
        @11 stock: [u8; 8] = [u8; 8],
        /// The price the collar is built on.
        @19 reference_price: Price4 = u32,
        /// Upper end.
        @23 upper_price: Price4 = u32,
        /// Lower end.
        @27 lower_price: Price4 = u32,
        /// How many times the reopening was extended.
        @31 extension: U32 = u32,
    }

    /// "h", Operational Halt (section 1.2.8): one market stopped trading a security by itself.
    OperationalHalt = b'h', 21 {
        /// Symbol.
        @11 stock: [u8; 8] = [u8; 8],
        /// Which market: Q NASDAQ, B BX, X PSX.
        @19 market_code: u8 = u8,
        /// H halted, T resumed.
        @20 action: u8 = u8,
    }

    /// "A", Add Order, no attribution (section 1.3.1): a displayed order joins the book.
    AddOrder = b'A', 36 {
        /// The order's number for the day.
        @11 order_ref: U64 = u64,
        /// See [`side`](super::side).
        @19 side: u8 = u8,
        /// Displayed shares.
        @20 shares: U32 = u32,
        /// Symbol.
        @24 stock: [u8; 8] = [u8; 8],
        /// Limit price.
        @32 price: Price4 = u32,
    }

    /// "F", Add Order with attribution (section 1.3.2): the same, and by whom.
    AddOrderMpid = b'F', 40 {
        /// The order's number for the day.
        @11 order_ref: U64 = u64,
        /// See [`side`](super::side).
        @19 side: u8 = u8,
        /// Displayed shares.
        @20 shares: U32 = u32,
        /// Symbol.
        @24 stock: [u8; 8] = [u8; 8],
        /// Limit price.
        @32 price: Price4 = u32,
        /// Market participant.
        @36 attribution: [u8; 4] = [u8; 4],
    }

    /// "E", Order Executed (section 1.4.1): shares of an order traded at its price.
    OrderExecuted = b'E', 31 {
        /// The order.
        @11 order_ref: U64 = u64,
        /// Shares that traded.
        @19 executed_shares: U32 = u32,
        /// The match's number for the day.
        @23 match_number: U64 = u64,
    }

    /// "C", Order Executed With Price (section 1.4.2): shares of an order traded at another price than its own.
    OrderExecutedWithPrice = b'C', 36 {
        /// The order.
        @11 order_ref: U64 = u64,
        /// Shares that traded.
        @19 executed_shares: U32 = u32,
        /// The match's number for the day.
        @23 match_number: U64 = u64,
        /// N when the trade is reported elsewhere too and must not count into volume, else Y.
        @31 printable: u8 = u8,
        /// The price of the trade.
        @32 execution_price: Price4 = u32,
    }

    /// "X", Order Cancel (section 1.4.3): part of an order is cancelled.
    OrderCancel = b'X', 23 {
        /// The order.
        @11 order_ref: U64 = u64,
        /// Shares taken away.
        @19 cancelled_shares: U32 = u32,
    }

    /// "D", Order Delete (section 1.4.4): an order leaves the book.
    OrderDelete = b'D', 19 {
        /// The order.
        @11 order_ref: U64 = u64,
    }

    /// "U", Order Replace (section 1.4.5): an order leaves and another takes its side, symbol and attribution.
    OrderReplace = b'U', 35 {
        /// The order that leaves.
        @11 original_order_ref: U64 = u64,
        /// The number of the new order.
        @19 new_order_ref: U64 = u64,
        /// Displayed shares of the new order.
        @27 shares: U32 = u32,
        /// Limit price of the new order.
        @31 price: Price4 = u32,
    }

    /// "P", Trade, non-cross (section 1.5.1): a match against an order the book does not show.
    Trade = b'P', 44 {
        /// Zero since 2010; a number before.
        @11 order_ref: U64 = u64,
        /// Side of the hidden order; B since 2014 whatever it was.
        @19 side: u8 = u8,
        /// Shares that traded.
        @20 shares: U32 = u32,
        /// Symbol.
        @24 stock: [u8; 8] = [u8; 8],
        /// The price of the trade.
        @32 price: Price4 = u32,
        /// The match's number for the day.
        @36 match_number: U64 = u64,
    }

    /// "Q", Cross Trade (section 1.5.2): the bulk print of an auction.
    CrossTrade = b'Q', 40 {
        /// Shares matched in the cross; may be zero.
        @11 shares: U64 = u64,
        /// Symbol.
        @19 stock: [u8; 8] = [u8; 8],
        /// The price of the cross.
        @27 cross_price: Price4 = u32,
        /// The match's number for the day.
        @31 match_number: U64 = u64,
        /// O opening, C closing, H offering or reopening, I intraday or post-close.
        @39 cross_type: u8 = u8,
    }

    /// "B", Broken Trade (section 1.5.3): an execution reported earlier is void; the book does not change.
    BrokenTrade = b'B', 19 {
        /// The match that is broken.
        @11 match_number: U64 = u64,
    }

    /// "I", Net Order Imbalance Indicator (section 1.6).
    Noii = b'I', 50 {
        /// Shares that would match at the reference price.
        @11 paired_shares: U64 = u64,
        /// Shares that would not.
        @19 imbalance_shares: U64 = u64,
        /// Side of the imbalance: B, S, N none, O too few orders, P paused.
        @27 imbalance_direction: u8 = u8,
        /// Symbol.
        @28 stock: [u8; 8] = [u8; 8],
        /// Clearing price of cross orders alone.
        @36 far_price: Price4 = u32,
        /// Clearing price of cross and continuous orders.
        @40 near_price: Price4 = u32,
        /// The price the indicator is computed at.
        @44 reference_price: Price4 = u32,
        /// O opening, C closing, H offering or reopening, A extended close.
        @48 cross_type: u8 = u8,
        /// How far the near price is from the reference price, as a code.
        @49 price_variation: u8 = u8,
    }

    /// "N", Retail Price Improvement Indicator (section 1.7).
    RetailInterest = b'N', 20 {
        /// Symbol.
        @11 stock: [u8; 8] = [u8; 8],
        /// Where retail price improvement is to be had: B buy side, S sell side, A both, N none.
        @19 interest_flag: u8 = u8,
    }

    /// "O", Direct Listing with Capital Raise Price Discovery (section 1.8).
    DirectListing = b'O', 48 {
        /// Symbol.
        @11 stock: [u8; 8] = [u8; 8],
        /// Y when the security is eligible for release, N when not.
        @19 open_eligibility: u8 = u8,
        /// Lowest price it may open at.
        @20 minimum_price: Price4 = u32,
        /// Highest price it may open at.
        @24 maximum_price: Price4 = u32,
        /// Reference price when the volatility test passed.
        @28 near_execution_price: Price4 = u32,
        /// When that price was set, as sent.
        @32 near_execution_time: U64 = u64,
        /// Lower end of the collar.
        @40 lower_collar: Price4 = u32,
        /// Upper end of the collar.
        @44 upper_collar: Price4 = u32,
    }
}

impl StockDirectory {
    /// The directory entry of an ordinary common stock (NASDAQ Global Select, no deficiency, not an exchange-traded
    /// product), marked as test data: what a simulated venue announces.
    #[must_use]
    pub fn common_stock(locate: u16, ns: u64, stock: [u8; 8], round_lot_size: u32) -> Self {
        Self {
            header: Header::new(Self::TYPE, locate, 0, ns),
            stock,
            market_category: b'Q',
            financial_status: b'N',
            round_lot_size: U32::new(round_lot_size),
            round_lots_only: b'N',
            issue_classification: b'C',
            issue_sub_type: *b"Z ",
            authenticity: b'T',
            short_sale_threshold: b'N',
            ipo_flag: b'N',
            luld_tier: b'1',
            etp_flag: b'N',
            etp_leverage_factor: U32::ZERO,
            inverse_indicator: b'N',
        }
    }
}
