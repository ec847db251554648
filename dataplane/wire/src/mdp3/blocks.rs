//! The beginnings of the blocks and entries that books are made from. What a schema may append stands behind them.

use zerocopy::byteorder::little_endian::{I32, I64, U16, U32, U64};

use crate::fields::wire_struct;

wire_struct! {
    /// Root block of every incremental refresh (templates 32 to 37, 42, 43, 46 to 51, 64 to 67) and of the channel reset.
    Refresh, 9,
    common {
        /// When the event began, in nanoseconds since 1970.
        @0 transact_time: U64,
        /// Which parts of the event end here; see [`END_OF_EVENT`](super::END_OF_EVENT).
        @8 match_event_indicator: u8,
    }
}

wire_struct! {
    /// An entry of an incremental book refresh (templates 32, 46): one price level.
    BookEntry, 27,
    common {
        /// The price; none for a side that is deleted whole.
        @0 price: I64,
        /// Quantity at the price.
        @8 size: I32,
        /// The instrument.
        @12 security_id: I32,
        /// Number of this update of the instrument.
        @16 rpt_seq: U32,
        /// Orders at the price; none for an implied level.
        @20 orders: I32,
        /// Which level it is, from 1 for the best.
        @24 level: u8,
        /// What happens to it; see [`action`](super::action).
        @25 update_action: u8,
        /// Which side, and whether it is implied; see [`entry_type`](super::entry_type).
        @26 entry_type: u8,
    }
}

wire_struct! {
    /// [`BookEntry`] with a size of 64 bits (template 64).
    BookEntryLong, 31,
    common {
        /// The price; none for a side that is deleted whole.
        @0 price: I64,
        /// Quantity at the price.
        @8 size: U64,
        /// The instrument.
        @16 security_id: I32,
        /// Number of this update of the instrument.
        @20 rpt_seq: U32,
        /// Orders at the price; none for an implied level.
        @24 orders: I32,
        /// Which level it is, from 1 for the best.
        @28 level: u8,
        /// What happens to it; see [`action`](super::action).
        @29 update_action: u8,
        /// Which side, and whether it is implied; see [`entry_type`](super::entry_type).
        @30 entry_type: u8,
    }
}

wire_struct! {
    /// An order of an incremental book refresh (templates 32, 46, 64).
    OrderEntry, 22,
    common {
        /// The order.
        @0 order_id: U64,
        /// Its place in the queue: the lower comes first.
        @8 priority: U64,
        /// What it displays now.
        @16 display_qty: I32,
        /// Which entry of the message's first group has its price and instrument, from 1.
        @20 reference: u8,
        /// What happens to it; see [`action`](super::action).
        @21 update_action: u8,
    }
}

wire_struct! {
    /// An entry of an incremental order book refresh (templates 43, 47): one order, at whatever price.
    OrderBookEntry, 34,
    common {
        /// The order.
        @0 order_id: U64,
        /// Its place in the queue: the lower comes first.
        @8 priority: U64,
        /// Its price.
        @16 price: I64,
        /// What it displays now.
        @24 display_qty: I32,
        /// The instrument.
        @28 security_id: I32,
        /// What happens to it; see [`action`](super::action).
        @32 update_action: u8,
        /// Which side; see [`entry_type`](super::entry_type).
        @33 entry_type: u8,
    }
}

wire_struct! {
    /// An entry of a trade summary (templates 42, 48): a trade at one price.
    TradeEntry, 26,
    common {
        /// The price.
        @0 price: I64,
        /// Quantity that traded.
        @8 size: I32,
        /// The instrument.
        @12 security_id: I32,
        /// Number of this update of the instrument.
        @16 rpt_seq: U32,
        /// Orders that took part.
        @20 orders: I32,
        /// Who came; [`AGGRESSOR_BUYS`](super::AGGRESSOR_BUYS) and its like.
        @24 aggressor_side: u8,
        /// Whether it happened, or is corrected or taken back; see [`action`](super::action).
        @25 update_action: u8,
    }
}

wire_struct! {
    /// What a [`TradeEntry`] goes on with from schema 7 on.
    TradeEntryNumbered, 30,
    common {
        /// As in schemas before.
        @0 entry: TradeEntry,
        /// The trade's number.
        @26 trade_id: U32,
    }
}

wire_struct! {
    /// [`TradeEntry`] with a size of 64 bits (template 65).
    TradeEntryLong, 34,
    common {
        /// The price.
        @0 price: I64,
        /// Quantity that traded.
        @8 size: U64,
        /// The instrument.
        @16 security_id: I32,
        /// Number of this update of the instrument.
        @20 rpt_seq: U32,
        /// Orders that took part.
        @24 orders: I32,
        /// The trade's number.
        @28 trade_id: U32,
        /// Who came; [`AGGRESSOR_BUYS`](super::AGGRESSOR_BUYS) and its like.
        @32 aggressor_side: u8,
        /// Whether it happened, or is corrected or taken back; see [`action`](super::action).
        @33 update_action: u8,
    }
}

wire_struct! {
    /// An entry of the trades of schemas before 6 (template 36).
    Trade36Entry, 30,
    common {
        /// The price.
        @0 price: I64,
        /// Quantity that traded.
        @8 size: I32,
        /// The instrument.
        @12 security_id: I32,
        /// Number of this update of the instrument.
        @16 rpt_seq: U32,
        /// Orders that took part.
        @20 orders: I32,
        /// The trade's number.
        @24 trade_id: U32,
        /// Who came; [`AGGRESSOR_BUYS`](super::AGGRESSOR_BUYS) and its like.
        @28 aggressor_side: u8,
        /// Whether it happened, or is corrected or taken back; see [`action`](super::action).
        @29 update_action: u8,
    }
}

wire_struct! {
    /// An instrument and the number of its update, which an entry of any statistic has at a place of its own.
    Numbered, 8,
    common {
        /// The instrument.
        @0 security_id: I32,
        /// Number of this update of the instrument.
        @4 rpt_seq: U32,
    }
}

wire_struct! {
    /// Root block of a snapshot of price levels (templates 38, 52, 69).
    Snapshot, 59,
    common {
        /// The last packet of the incremental channel whose updates are in it.
        @0 last_sequence: U32,
        /// Snapshots in one round of the channel.
        @4 reports: U32,
        /// The instrument.
        @8 security_id: I32,
        /// The last update of the instrument that is in it.
        @12 rpt_seq: U32,
        /// When it was made, in nanoseconds since 1970.
        @16 transact_time: U64,
        /// When the instrument last changed, in nanoseconds since 1970.
        @24 last_update_time: U64,
        /// The trading day, in days since 1970.
        @32 trade_date: U16,
        /// Whether the instrument trades; see [`status`](super::status).
        @34 trading_status: u8,
        /// The highest price allowed.
        @35 high_limit: I64,
        /// The lowest price allowed.
        @43 low_limit: I64,
        /// How far prices may vary.
        @51 max_variation: I64,
    }
}

wire_struct! {
    /// An entry of a snapshot of price levels (templates 38, 52).
    SnapshotEntry, 22,
    common {
        /// The price.
        @0 price: I64,
        /// Quantity at the price.
        @8 size: I32,
        /// Orders at the price.
        @12 orders: I32,
        /// Which level it is, from 1 for the best.
        @16 level: u8,
        /// The day of a settlement.
        @17 reference_date: U16,
        /// Of an opening, close or settlement.
        @19 open_close: u8,
        /// Which settlement.
        @20 settl_price_type: u8,
        /// What it is; see [`entry_type`](super::entry_type).
        @21 entry_type: u8,
    }
}

wire_struct! {
    /// [`SnapshotEntry`] with a size of 64 bits (template 69).
    SnapshotEntryLong, 23,
    common {
        /// The price.
        @0 price: I64,
        /// Quantity at the price.
        @8 size: U64,
        /// Orders at the price.
        @16 orders: I32,
        /// Which level it is, from 1 for the best.
        @20 level: u8,
        /// Of an opening, close or settlement.
        @21 open_close: u8,
        /// What it is; see [`entry_type`](super::entry_type).
        @22 entry_type: u8,
    }
}

wire_struct! {
    /// Root block of a snapshot of orders (templates 44, 53).
    OrderSnapshot, 28,
    common {
        /// The last packet of the incremental channel whose updates are in it.
        @0 last_sequence: U32,
        /// Snapshots in one round of the channel.
        @4 reports: U32,
        /// The instrument.
        @8 security_id: I32,
        /// Messages that the instrument's snapshot is cut into.
        @12 chunks: U32,
        /// Which of them this is, from 1.
        @16 chunk: U32,
        /// When it was made, in nanoseconds since 1970.
        @20 transact_time: U64,
    }
}

wire_struct! {
    /// An entry of a snapshot of orders (templates 44, 53).
    OrderSnapshotEntry, 29,
    common {
        /// The order.
        @0 order_id: U64,
        /// Its place in the queue: the lower comes first.
        @8 priority: U64,
        /// Its price.
        @16 price: I64,
        /// What it displays.
        @24 display_qty: I32,
        /// Which side; see [`entry_type`](super::entry_type).
        @28 entry_type: u8,
    }
}

wire_struct! {
    /// Root block of a security status (template 30).
    SecurityStatus, 30,
    common {
        /// When it changed, in nanoseconds since 1970.
        @0 transact_time: U64,
        /// The group of instruments it is about.
        @8 group: [u8; 6],
        /// The product within the group; blank for all.
        @14 asset: [u8; 6],
        /// The instrument; none for the whole group.
        @20 security_id: I32,
        /// The trading day, in days since 1970.
        @24 trade_date: U16,
        /// Which parts of the event end here.
        @26 match_event_indicator: u8,
        /// What it is now; see [`status`](super::status).
        @27 trading_status: u8,
        /// Why it does not trade.
        @28 halt_reason: u8,
        /// What else happens.
        @29 event: u8,
    }
}

wire_struct! {
    /// What the root blocks of all instrument definitions begin with (templates 27, 29, 41, 54 to 58, 63).
    Definition, 71,
    common {
        /// Which parts of the event end here.
        @0 match_event_indicator: u8,
        /// Definitions in one round of the channel.
        @1 reports: U32,
        /// Whether the instrument is added, changed or deleted.
        @5 security_update_action: u8,
        /// When it was defined, in nanoseconds since 1970.
        @6 last_update_time: U64,
        /// Whether it trades; see [`status`](super::status).
        @14 trading_status: u8,
        /// The channel it is sent on.
        @15 channel: U16,
        /// The market segment.
        @17 market_segment: u8,
        /// The product complex.
        @18 underlying_product: u8,
        /// The exchange.
        @19 exchange: [u8; 4],
        /// The group that statuses name.
        @23 group: [u8; 6],
        /// The product.
        @29 asset: [u8; 6],
        /// Its name.
        @35 symbol: [u8; 20],
        /// Its number.
        @55 security_id: I32,
        /// Its kind.
        @59 security_type: [u8; 6],
        /// Its classification.
        @65 cfi_code: [u8; 6],
    }
}

wire_struct! {
    /// An entry of a definition's group of feed types.
    FeedType, 4,
    common {
        /// `GBX` for the book, `GBI` for the implied one.
        @0 feed_type: [u8; 3],
        /// How many levels it has.
        @3 depth: u8,
    }
}

impl Definition {
    /// Where a definition of `template` has its smallest price step (MinPriceIncrement) and its display factor, in its root
    /// block; `None` for a template that is no definition.
    #[inline]
    #[must_use]
    pub const fn price_fields(template: u16) -> Option<(usize, usize)> {
        use super::template as t;
        match template {
            t::FUTURE_27 | t::FUTURE_54 => Some((91, 99)),
            t::SPREAD_29 | t::SPREAD_56 => Some((94, 102)),
            t::OPTION_41 | t::OPTION_55 => Some((111, 127)),
            t::FIXED_INCOME_57 | t::REPO_58 => Some((86, 94)),
            t::FX_63 => Some((89, 97)),
            _ => None,
        }
    }
}
