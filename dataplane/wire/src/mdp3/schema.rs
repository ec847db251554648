//! Every template by name, and the layouts of their blocks and groups as text, for printing: the fields in order, each with how
//! it is encoded. What a version before did not have stands at the end of its block, or behind `@` and the version it began in
//! where it took the place of padding.
//!
//! Encodings: `u8` to `u64`, `i8` to `i32`; `px` a mantissa of 1e-7 where the template is one of before schema 9, of 1e-9 else;
//! `d4` a 32-bit one of 1e-4; `c` a character; `sN` text of N bytes; `ns` nanoseconds since 1970; `date` days since 1970; `ym` a
//! maturity; `xN` N bytes of bits; `-N` N bytes of padding.

use super::groups::Dimension;
use super::groups::Dimension::{Eight, Short};

/// One repeating group: its name, what stands before its entries, and an entry's layout.
pub(super) type GroupLayout = (&'static str, Dimension, &'static str);

/// One template.
pub(super) struct Template {
    pub(super) id: u16,
    pub(super) name: &'static str,
    pub(super) block: &'static str,
    pub(super) groups: &'static [GroupLayout],
}

const REFRESH: &str = "transact_time:ns match_event_indicator:x1 -2";
const SNAPSHOT: &str = "last_msg_seq_num_processed:u32 tot_num_reports:u32 security_id:i32 rpt_seq:u32 transact_time:ns \
last_update_time:ns trade_date:date md_security_trading_status:u8 high_limit_price:px low_limit_price:px max_price_variation:px";
const SNAPSHOT_ORDERS: &str = "last_msg_seq_num_processed:u32 tot_num_reports:u32 security_id:i32 no_chunks:u32 \
current_chunk:u32 transact_time:ns";
const SNAPSHOT_TCP: &str = "transact_time:ns match_event_indicator:x1 security_id:i32 high_limit_price:px low_limit_price:px \
max_price_variation:px";

const ORDER: &str =
    "order_id:u64 md_order_priority:u64 md_display_qty:i32 reference_id:u8 order_update_action:u8 -2";
const ORDER_BOOK: &str = "order_id:u64 md_order_priority:u64 md_entry_px:px md_display_qty:i32 security_id:i32 \
md_update_action:u8 md_entry_type:c -6";
const SNAPSHOT_ORDER: &str =
    "order_id:u64 md_order_priority:u64 md_entry_px:px md_display_qty:i32 md_entry_type:c";
const SNAPSHOT_LONG: &str = "md_entry_px:px md_entry_size:u64 number_of_orders:i32 md_price_level:u8 \
open_close_settl_flag:u8 md_entry_type:c";

const BOOK_GROUPS: &[GroupLayout] = &[
    (
        "md_entries",
        Short,
        "md_entry_px:px md_entry_size:i32 security_id:i32 rpt_seq:u32 number_of_orders:i32 md_price_level:u8 \
md_update_action:u8 md_entry_type:c tradeable_size:i32@10 -1",
    ),
    ("order_id_entries", Eight, ORDER),
];
const BOOK_LONG_GROUPS: &[GroupLayout] = &[
    (
        "md_entries",
        Short,
        "md_entry_px:px md_entry_size:u64 security_id:i32 rpt_seq:u32 number_of_orders:i32 md_price_level:u8 \
md_update_action:u8 md_entry_type:c -1",
    ),
    ("order_id_entries", Eight, ORDER),
];
const DAILY: &[GroupLayout] = &[(
    "md_entries",
    Short,
    "md_entry_px:px md_entry_size:i32 security_id:i32 rpt_seq:u32 trading_reference_date:date settl_price_type:x1 \
md_update_action:u8 md_entry_type:c -7",
)];
const LIMITS: &[GroupLayout] = &[(
    "md_entries",
    Short,
    "high_limit_price:px low_limit_price:px max_price_variation:px security_id:i32 rpt_seq:u32",
)];
const SESSION: &[GroupLayout] = &[(
    "md_entries",
    Short,
    "md_entry_px:px security_id:i32 rpt_seq:u32 open_close_settl_flag:u8 md_update_action:u8 md_entry_type:c \
md_entry_size:i32@7 -1",
)];
const SESSION_LONG: &[GroupLayout] = &[(
    "md_entries",
    Short,
    "md_entry_px:px md_entry_size:u64 security_id:i32 rpt_seq:u32 open_close_settl_flag:u8 md_update_action:u8 \
md_entry_type:c -5",
)];
const TRADE_36: &[GroupLayout] = &[(
    "md_entries",
    Short,
    "md_entry_px:px md_entry_size:i32 security_id:i32 rpt_seq:u32 number_of_orders:i32 trade_id:u32 aggressor_side:u8 \
md_update_action:u8 -2",
)];
const TRADE_ORDERS: GroupLayout = ("order_id_entries", Eight, "order_id:u64 last_qty:i32 -4");
const TRADES: &[GroupLayout] = &[
    (
        "md_entries",
        Short,
        "md_entry_px:px md_entry_size:i32 security_id:i32 rpt_seq:u32 number_of_orders:i32 aggressor_side:u8 \
md_update_action:u8 md_trade_entry_id:u32@7 -2",
    ),
    TRADE_ORDERS,
];
const TRADES_LONG: &[GroupLayout] = &[
    (
        "md_entries",
        Short,
        "md_entry_px:px md_entry_size:u64 security_id:i32 rpt_seq:u32 number_of_orders:i32 md_trade_entry_id:u32 \
aggressor_side:u8 md_update_action:u8 -6",
    ),
    TRADE_ORDERS,
];
const VOLUME: &[GroupLayout] =
    &[("md_entries", Short, "md_entry_size:i32 security_id:i32 rpt_seq:u32 md_update_action:u8 -3")];
const VOLUME_LONG: &[GroupLayout] =
    &[("md_entries", Short, "md_entry_size:u64 security_id:i32 rpt_seq:u32 md_update_action:u8 -7")];
const LEVELS: &[GroupLayout] = &[(
    "md_entries",
    Short,
    "md_entry_px:px md_entry_size:i32 number_of_orders:i32 md_price_level:i8 trading_reference_date:date \
open_close_settl_flag:u8 settl_price_type:x1 md_entry_type:c",
)];
const LEVELS_TCP: &[GroupLayout] = &[(
    "md_entries",
    Short,
    "md_entry_px:px md_entry_size:i32 tradeable_size:i32 number_of_orders:i32 md_price_level:i8 open_close_settl_flag:u8 \
md_entry_type:c trading_reference_date:date settl_price_type:x1",
)];

const EVENTS: GroupLayout = ("events", Short, "event_type:u8 event_time:ns");
const FEED_TYPES: GroupLayout = ("md_feed_types", Short, "md_feed_type:s3 market_depth:i8");
const ATTRIBUTES: GroupLayout = ("inst_attrib", Short, "inst_attrib_value:x4");
const LOTS: GroupLayout = ("lot_type_rules", Short, "lot_type:i8 min_lot_size:d4");
const RELATED: GroupLayout = ("related_instruments", Short, "related_security_id:i32 related_symbol:s20");
const FUTURE_GROUPS: &[GroupLayout] = &[EVENTS, FEED_TYPES, ATTRIBUTES, LOTS];
const OPTION_GROUPS: &[GroupLayout] = &[
    EVENTS,
    FEED_TYPES,
    ATTRIBUTES,
    LOTS,
    ("underlyings", Short, "underlying_security_id:i32 underlying_symbol:s20"),
    RELATED,
];
const SPREAD_GROUPS: &[GroupLayout] = &[
    EVENTS,
    FEED_TYPES,
    ATTRIBUTES,
    LOTS,
    ("legs", Short, "leg_security_id:i32 leg_side:u8 leg_ratio_qty:i8 leg_price:px leg_option_delta:d4"),
];
const REPO_GROUPS: &[GroupLayout] = &[
    EVENTS,
    FEED_TYPES,
    ATTRIBUTES,
    LOTS,
    (
        "underlyings",
        Short,
        "underlying_symbol:s20 underlying_security_id:i32 underlying_security_alt_id:s12 \
underlying_security_alt_id_source:u8 underlying_financial_instrument_full_name:s35 underlying_security_type:s6 \
underlying_country_of_issue:s2 underlying_issuer:s25 underlying_max_life_time:u8 underlying_min_days_to_maturity:u16 \
underlying_instrument_guid:u64 underlying_maturity_date:date",
    ),
    ("related_instruments", Short, "related_security_id:i32 related_symbol:s20 related_instrument_guid:u64"),
    (
        "broken_dates",
        Short,
        "broken_date_guid:u64 broken_date_security_id:i32 broken_date_start:date broken_date_end:date",
    ),
];
const FX_GROUPS: &[GroupLayout] = &[
    EVENTS,
    FEED_TYPES,
    ATTRIBUTES,
    LOTS,
    ("trading_sessions", Short, "trade_date:date settl_date:date maturity_date:date security_alt_id:s12"),
];

/// What all definitions begin with.
macro_rules! definition {
    ($rest:literal) => {
        concat!(
            "match_event_indicator:x1 tot_num_reports:u32 security_update_action:c last_update_time:ns \
md_security_trading_status:u8 appl_id:i16 market_segment_id:u8 underlying_product:u8 security_exchange:s4 \
security_group:s6 asset:s6 symbol:s20 security_id:i32 security_type:s6 cfi_code:s6 ",
            $rest
        )
    };
}

const FUTURE: &str = definition!(
    "maturity_month_year:ym currency:s3 settl_currency:s3 match_algorithm:c min_trade_vol:u32 max_trade_vol:u32 \
min_price_increment:px display_factor:px main_fraction:u8 sub_fraction:u8 price_display_format:u8 unit_of_measure:s30 \
unit_of_measure_qty:px trading_reference_price:px settl_price_type:x1 open_interest_qty:i32 cleared_volume:i32 \
high_limit_price:px low_limit_price:px max_price_variation:px decay_quantity:i32 decay_start_date:date \
original_contract_size:i32 contract_multiplier:i32 contract_multiplier_unit:i8 flow_schedule_type:i8 \
min_price_increment_amount:px user_defined_instrument:c trading_reference_date:date instrument_guid:u64"
);
const OPTION: &str = definition!(
    "put_or_call:u8 maturity_month_year:ym currency:s3 strike_price:px strike_currency:s3 settl_currency:s3 min_cab_price:px \
match_algorithm:c min_trade_vol:u32 max_trade_vol:u32 min_price_increment:px min_price_increment_amount:px \
display_factor:px tick_rule:i8 main_fraction:u8 sub_fraction:u8 price_display_format:u8 unit_of_measure:s30 \
unit_of_measure_qty:px trading_reference_price:px settl_price_type:x1 cleared_volume:i32 open_interest_qty:i32 \
low_limit_price:px high_limit_price:px user_defined_instrument:c trading_reference_date:date instrument_guid:u64"
);
const SPREAD: &str = definition!(
    "maturity_month_year:ym currency:s3 security_sub_type:s5 user_defined_instrument:c match_algorithm:c min_trade_vol:u32 \
max_trade_vol:u32 min_price_increment:px display_factor:px price_display_format:u8 price_ratio:px tick_rule:i8 \
unit_of_measure:s30 trading_reference_price:px settl_price_type:x1 open_interest_qty:i32 cleared_volume:i32 \
high_limit_price:px low_limit_price:px max_price_variation:px main_fraction:u8 sub_fraction:u8 \
trading_reference_date:date price_quote_method:s5 risk_set:s6 market_set:s6 instrument_guid:u64 \
financial_instrument_full_name:s35"
);
const FIXED_INCOME: &str = definition!(
    "currency:s3 settl_currency:s3 match_algorithm:c min_trade_vol:u32 max_trade_vol:u32 min_price_increment:px \
display_factor:px main_fraction:u8 sub_fraction:u8 price_display_format:u8 unit_of_measure:s30 unit_of_measure_qty:px \
trading_reference_price:px trading_reference_date:date high_limit_price:px low_limit_price:px max_price_variation:px \
min_price_increment_amount:px issue_date:date dated_date:date maturity_date:date coupon_rate:px par_value:px \
coupon_frequency_unit:s3 coupon_frequency_period:u16 coupon_day_count:s20 country_of_issue:s2 issuer:s25 \
financial_instrument_full_name:s35 security_alt_id:s12 security_alt_id_source:u8 price_quote_method:s5 \
party_role_clearing_org:s5 user_defined_instrument:c risk_set:s6 market_set:s6 instrument_guid:u64"
);
const REPO: &str = definition!(
    "currency:s3 settl_currency:s3 match_algorithm:c min_trade_vol:u32 max_trade_vol:u32 min_price_increment:px \
display_factor:px unit_of_measure:s30 unit_of_measure_qty:px trading_reference_price:px trading_reference_date:date \
high_limit_price:px low_limit_price:px max_price_variation:px financial_instrument_full_name:s35 \
party_role_clearing_org:s5 start_date:date end_date:date termination_type:s8 repo_sub_type:u8 money_or_par:u8 \
max_no_of_substitutions:u8 price_quote_method:s5 user_defined_instrument:c risk_set:s6 market_set:s6 \
instrument_guid:u64 term_code:s20 broken_date_term_type:u8"
);
const FX: &str = definition!(
    "currency:s3 settl_currency:s3 price_quote_currency:s3 match_algorithm:c min_trade_vol:u32 max_trade_vol:u32 \
min_price_increment:px display_factor:px price_precision:u8 unit_of_measure:s30 unit_of_measure_qty:px \
high_limit_price:px low_limit_price:px max_price_variation:px user_defined_instrument:c \
financial_instrument_full_name:s35 fx_currency_symbol:s7 settl_type:s3 intervening_days:u16 fx_benchmark_rate_fix:s20 \
rate_source:s12 fix_rate_local_time:s8 fix_rate_local_time_zone:s20 min_quote_life:u32 max_price_discretion_offset:px \
instrument_guid:u64 maturity_month_year:ym settlement_locale:s8 alt_min_price_increment:px alt_min_quote_life:u32 \
alt_price_increment_constraint:px max_bid_ask_constraint:px"
);

/// Defines [`TEMPLATES`] and [`MESSAGE_TYPES`] from one list.
macro_rules! templates {
    ($( $id:literal $name:ident $block:expr, $groups:expr; )+) => {
        /// Every template, by number.
        pub(super) const TEMPLATES: &[Template] =
            &[ $( Template { id: $id, name: stringify!($name), block: $block, groups: $groups } ),+ ];

        /// Every template: its number as counters have it, a length of 0 since the message tells it, and its name.
        pub const MESSAGE_TYPES: &[(u8, u16, &str)] = &[ $( ($id, 0, stringify!($name)) ),+ ];
    };
}

templates! {
    4 ChannelReset "transact_time:ns match_event_indicator:x1", &[("md_entries", Short, "appl_id:i16")];
    12 AdminHeartbeat "", &[];
    15 AdminLogin "heart_bt_int:i8", &[];
    16 AdminLogout "text:s180", &[];
    27 InstrumentDefinitionFuture27 FUTURE, FUTURE_GROUPS;
    29 InstrumentDefinitionSpread29 SPREAD, SPREAD_GROUPS;
    30 SecurityStatus "transact_time:ns security_group:s6 asset:s6 security_id:i32 trade_date:date match_event_indicator:x1 \
security_trading_status:u8 halt_reason:u8 security_trading_event:u8", &[];
    32 IncrementalRefreshBook32 REFRESH, BOOK_GROUPS;
    33 IncrementalRefreshDailyStatistics33 REFRESH, DAILY;
    34 IncrementalRefreshLimitsBanding34 REFRESH, LIMITS;
    35 IncrementalRefreshSessionStatistics35 REFRESH, SESSION;
    36 IncrementalRefreshTrade36 REFRESH, TRADE_36;
    37 IncrementalRefreshVolume REFRESH, VOLUME;
    38 SnapshotFullRefresh38 SNAPSHOT, LEVELS;
    39 QuoteRequest "transact_time:ns quote_req_id:s23 match_event_indicator:x1 -3",
        &[("related_sym", Short, "symbol:s20 security_id:i32 order_qty:i32 quote_type:i8 side:i8 -2")];
    41 InstrumentDefinitionOption41 OPTION, OPTION_GROUPS;
    42 IncrementalRefreshTradeSummary42 REFRESH, TRADES;
    43 IncrementalRefreshOrderBook43 REFRESH, &[("md_entries", Short, ORDER_BOOK)];
    44 SnapshotFullRefreshOrderBook44 SNAPSHOT_ORDERS, &[("md_entries", Short, SNAPSHOT_ORDER)];
    46 IncrementalRefreshBook46 REFRESH, BOOK_GROUPS;
    47 IncrementalRefreshOrderBook47 REFRESH, &[("md_entries", Short, ORDER_BOOK)];
    48 IncrementalRefreshTradeSummary48 REFRESH, TRADES;
    49 IncrementalRefreshDailyStatistics49 REFRESH, DAILY;
    50 IncrementalRefreshLimitsBanding50 REFRESH, LIMITS;
    51 IncrementalRefreshSessionStatistics51 REFRESH, SESSION;
    52 SnapshotFullRefresh52 SNAPSHOT, LEVELS;
    53 SnapshotFullRefreshOrderBook53 SNAPSHOT_ORDERS, &[("md_entries", Short, SNAPSHOT_ORDER)];
    54 InstrumentDefinitionFuture54 FUTURE, FUTURE_GROUPS;
    55 InstrumentDefinitionOption55 OPTION, OPTION_GROUPS;
    56 InstrumentDefinitionSpread56 SPREAD, SPREAD_GROUPS;
    57 InstrumentDefinitionFixedIncome57 FIXED_INCOME, FUTURE_GROUPS;
    58 InstrumentDefinitionRepo58 REPO, REPO_GROUPS;
    59 SnapshotRefreshTopOrders59 "transact_time:ns match_event_indicator:x1 security_id:i32",
        &[("md_entries", Short, SNAPSHOT_ORDER)];
    60 SecurityStatusWorkup60 "transact_time:ns md_entry_px:px security_id:i32 match_event_indicator:x1 trade_date:date \
trade_link_id:u32 workup_trading_status:u8 halt_reason:u8 security_trading_event:u8",
        &[("orders", Short, "order_id:u64 side:u8 aggressor_indicator:u8")];
    61 SnapshotFullRefreshTcp61 SNAPSHOT_TCP, LEVELS_TCP;
    62 CollateralMarketValue62 REFRESH, &[("md_entries", Short, "underlying_security_alt_id:s12 \
underlying_security_alt_id_source:u8 collateral_market_price:px dirty_price:px underlying_instrument_guid:u64 \
md_stream_id:u8 -2")];
    63 InstrumentDefinitionFx63 FX, FX_GROUPS;
    64 IncrementalRefreshBookLongQty64 REFRESH, BOOK_LONG_GROUPS;
    65 IncrementalRefreshTradeSummaryLongQty65 REFRESH, TRADES_LONG;
    66 IncrementalRefreshVolumeLongQty66 REFRESH, VOLUME_LONG;
    67 IncrementalRefreshSessionStatisticsLongQty67 REFRESH, SESSION_LONG;
    68 SnapshotFullRefreshTcpLongQty68 SNAPSHOT_TCP, &[("md_entries", Short, SNAPSHOT_LONG)];
    69 SnapshotFullRefreshLongQty69 SNAPSHOT, &[("md_entries", Short, SNAPSHOT_LONG)];
}
