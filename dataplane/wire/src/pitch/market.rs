//! The messages that states, auctions and instruments are told by.

use core::fmt;

use zerocopy::byteorder::little_endian::{U32, U64};

use super::define::messages;
use super::fields::LongPrice;
use crate::fields::{Flags, Show};

messages! {
    /// 0x2D, End of Session.
    EndOfSession = 0x2d, 5 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
    }

    /// 0x2E, Symbol Mapping: an option by its name in the feed and its name at the clearing house.
    SymbolMapping = 0x2e, 29 {
        /// Its name here.
        @1 feed_symbol: [u8; 6] = [u8; 6],
        /// Its name at the clearing house.
        @7 osi_symbol: [u8; 21] = [u8; 21],
        /// N normal, C closing only.
        @28 condition: u8 = u8,
    }

    /// 0x31, Trading Status.
    TradingStatus = 0x31, 17 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The instrument, padded with spaces.
        @5 symbol: [u8; 8] = [u8; 8],
        /// See [`status`](super::status).
        @13 status: u8 = u8,
        /// 0 no restriction of short sales, 1 one.
        @14 reg_sho: u8 = u8,
        /// Not used.
        @15 reserved: [u8; 2] = [u8; 2],
    }

    /// 0x95, Auction Update: what an auction would come to.
    AuctionUpdate = 0x95, 46 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The instrument, padded with spaces.
        @5 symbol: [u8; 8] = [u8; 8],
        /// O opening, C closing, H halt, I initial offering.
        @13 auction_type: u8 = u8,
        /// The price that the imbalance is computed at.
        @14 reference_price: LongPrice = i64,
        /// What would be bought at it.
        @22 buy_shares: U32 = u32,
        /// What would be sold at it.
        @26 sell_shares: U32 = u32,
        /// Where the auction would match now.
        @30 indicative_price: LongPrice = i64,
        /// Where the auction's own orders alone would.
        @38 auction_only_price: LongPrice = i64,
    }

    /// 0x96, Auction Summary: what an auction came to.
    AuctionSummary = 0x96, 26 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The instrument, padded with spaces.
        @5 symbol: [u8; 8] = [u8; 8],
        /// O opening, C closing, H halt, I initial offering.
        @13 auction_type: u8 = u8,
        /// The price.
        @14 price: LongPrice = i64,
        /// What traded.
        @22 shares: U32 = u32,
    }

    /// 0xD1, Auction Update of options.
    OptionsAuctionUpdate = 0xd1, 46 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The instrument, padded with spaces.
        @5 symbol: [u8; 8] = [u8; 8],
        /// O opening, G of the night session.
        @13 auction_type: u8 = u8,
        /// The price that the imbalance is computed at.
        @14 reference_price: LongPrice = i64,
        /// What would be bought at it.
        @22 buy_contracts: U32 = u32,
        /// What would be sold at it.
        @26 sell_contracts: U32 = u32,
        /// Where the auction would match now.
        @30 indicative_price: LongPrice = i64,
        /// Where the auction's own orders alone would.
        @38 auction_only_price: LongPrice = i64,
    }

    /// 0xD2, Width Update: how wide quotes of an underlying's options may be.
    WidthUpdate = 0xd2, 18 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The underlying, padded with spaces.
        @5 underlying: [u8; 8] = [u8; 8],
        /// Regular or fast.
        @13 width_type: u8 = u8,
        /// The multiplier.
        @14 multiplier: U32 = u32,
    }

    /// 0x98, Retail Price Improvement.
    RetailPriceImprovement = 0x98, 14 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The instrument, padded with spaces.
        @5 symbol: [u8; 8] = [u8; 8],
        /// B buy, S sell, A both, N none.
        @13 indicator: u8 = u8,
    }

    /// 0x9A, Complex Instrument Definition.
    ComplexDefinition = 0x9a, 24 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The instrument, padded with spaces.
        @5 symbol: [u8; 6] = [u8; 6],
        /// Its underlying.
        @11 underlying: [u8; 8] = [u8; 8],
        /// Its auctions.
        @19 kind: [u8; 4] = [u8; 4],
        /// Legs that follow.
        @23 legs: Flags = u8,
    }

    /// 0xAD, Auction Notification: an order is exposed.
    AuctionNotification = 0xad, 42 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The instrument, padded with spaces.
        @5 symbol: [u8; 6] = [u8; 6],
        /// The auction.
        @11 auction_id: U64 = u64,
        /// Which kind.
        @19 auction_type: u8 = u8,
        /// See [`side`](super::side).
        @20 side: u8 = u8,
        /// Its price.
        @21 price: LongPrice = i64,
        /// What is exposed.
        @29 contracts: U32 = u32,
        /// C customer, N not.
        @33 customer: u8 = u8,
        /// Whose it is.
        @34 participant: [u8; 4] = [u8; 4],
        /// When it ends, in nanoseconds since the last `Time`.
        @38 end_offset: U32 = u32,
    }

    /// 0xAE, Auction Cancel.
    AuctionCancel = 0xae, 13 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The auction.
        @5 auction_id: U64 = u64,
    }

    /// 0xAF, Auction Trade.
    AuctionTrade = 0xaf, 33 {
        /// Nanoseconds since the last `Time`.
        @1 offset: U32 = u32,
        /// The auction.
        @5 auction_id: U64 = u64,
        /// The execution's number of the day.
        @13 execution_id: U64 = u64,
        /// The price.
        @21 price: LongPrice = i64,
        /// What traded.
        @29 contracts: U32 = u32,
    }
}
