//! The feature schema: one row per feature, in the order captures and models store them.
//!
//! A feature is appended with one row of the table below and its formula in `featurizer/src/features/formula.rs`. Its
//! column in captures, its place in vectors, its number and its name on screens come from the row; what was trained on
//! the rows before it goes on reading those ([`FeatureSchema::prefix`]).

use crate::hash::{FNV_BASIS, fnv1a};

/// Whose changes make a feature's value change: what its age is the age of ([`crate::FeatureVector::age_ms`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FeatureInput {
    /// Any event of the instrument.
    Event = 0,
    /// A change of the best quotes.
    Quote = 1,
    /// A change of the mid price.
    Mid = 2,
}

/// On which side of its usual value a feature speaks of danger. What lies on the other side is a quieter or more liquid market,
/// and raises no tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RiskDirection {
    /// The larger, the more dangerous.
    Up,
    /// The smaller, the more dangerous.
    Down,
    /// Whatever is unusual.
    Both,
}

/// Number of [`FeatureInput`]s.
pub(crate) const INPUT_COUNT: usize = 3;

/// One column of the schema.
#[derive(Clone, Copy, Debug)]
pub struct FeatureDef {
    /// Column name.
    pub name: &'static str,
    /// Unit of the value.
    pub unit: &'static str,
    /// Length of the window it looks back over; 0 for a state of the book.
    pub window_ns: u64,
    /// Whose age is the value's age.
    pub input: FeatureInput,
    /// Where it speaks of danger. No part of [`FeatureSchema`]: it changes no value.
    pub risk: RiskDirection,
    /// What a risk officer reads in an alert.
    pub plain: &'static str,
}

/// Makes the index, the table and their length from the rows.
macro_rules! schema {
    ($($id:ident: $name:literal, $unit:literal, $window_ns:expr, $input:ident, $risk:ident, $plain:literal;)+) => {
        /// Index of a feature in a [`crate::FeatureVector`]. Append-only: captures and models store the position.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum FeatureId {
            $(#[doc = $plain] $id,)+
        }

        /// Number of features in a vector.
        pub const FEATURE_COUNT: usize = [$(FeatureId::$id),+].len();

        /// The schema, in [`FeatureId`] order.
        pub const FEATURES: [FeatureDef; FEATURE_COUNT] = [$(FeatureDef {
            name: $name,
            unit: $unit,
            window_ns: $window_ns,
            input: FeatureInput::$input,
            risk: RiskDirection::$risk,
            plain: $plain,
        }),+];
    };
}

const S: u64 = 1_000_000_000;

// Append a row, never edit one: the hash of the rows before it names every model trained so far.
//
// index: column, unit, window in ns, whose age, where the danger lies, what an officer reads
schema! {
    SpreadBps: "spread_bps", "bps", 0, Quote, Up, "bid-ask spread";
    QueueImbalance: "queue_imbalance", "signed share", 0, Quote, Both, "imbalance of the best queues";
    BookPressure5: "book_pressure_5", "share", 0, Event, Both, "book pressure, five levels";
    BookPressure10: "book_pressure_10", "share", 0, Event, Both, "book pressure, ten levels";
    Ofi100Ms: "ofi_100ms", "mean best depths", S / 10, Quote, Both, "order flow imbalance, 100 ms";
    Ofi1S: "ofi_1s", "mean best depths", S, Quote, Both, "order flow imbalance, 1 s";
    MicropriceOffset: "microprice_offset", "spreads", 0, Quote, Both, "micro-price away from mid";
    Rv1S: "rv_1s", "bps", S, Mid, Up, "realized volatility, 1 s";
    Rv1M: "rv_1m", "bps", 60 * S, Mid, Up, "realized volatility, 1 min";
    TradeToOrder: "trade_to_order", "ratio", 10 * S, Event, Both, "trades per order message";
    CancelRatio: "cancel_ratio", "ratio", 10 * S, Event, Up, "share of cancels in order messages";
    TopDepth: "top_depth", "ln quantity", 0, Quote, Down, "depth at the touch";
    Resilience: "resilience", "share", 30 * S, Event, Down, "depth recovered after a large trade";
    FlowMean1S: "flow_mean_1s", "mean best depths", S, Quote, Both, "order flow per 100 ms, mean over 1 s";
    FlowMean5S: "flow_mean_5s", "mean best depths", 5 * S, Quote, Both, "order flow per 100 ms, mean over 5 s";
    FlowMean30S: "flow_mean_30s", "mean best depths", 30 * S, Quote, Both, "order flow per 100 ms, mean over 30 s";
    SellingExcess: "selling_excess", "deviations", 300 * S, Quote, Up, "selling beyond the usual";
    BuyingExcess: "buying_excess", "deviations", 300 * S, Quote, Up, "buying beyond the usual";
    SellingRun: "selling_run", "s", 300 * S, Quote, Up, "selling flow";
    BuyingRun: "buying_run", "s", 300 * S, Quote, Up, "buying flow";
    SellingCampaign: "selling_campaign", "deviations", 300 * S, Quote, Up, "selling campaign beyond the usual";
    BuyingCampaign: "buying_campaign", "deviations", 300 * S, Quote, Up, "buying campaign beyond the usual";
    SellingCampaignRun: "selling_campaign_run", "s", 300 * S, Quote, Up, "selling campaign";
    BuyingCampaignRun: "buying_campaign_run", "s", 300 * S, Quote, Up, "buying campaign";
    SpreadInUsual: "spread_in_usual", "times usual", 600 * S, Quote, Up, "bid-ask spread against its usual";
    DepthInUsual: "depth_in_usual", "times usual", 600 * S, Event, Down, "depth of the thinner side against its usual";
    OrdersInUsual: "orders_in_usual", "times usual", 600 * S, Event, Up, "order messages against their usual";
    Move10S: "move_10s", "usual moves", 10 * S, Mid, Both, "move of the mid over 10 s";
    Move2M: "move_2m", "usual moves", 120 * S, Mid, Both, "move of the mid over 2 min";
}

/// Features that the networks of this build read: the first of the schema. It does not grow with the schema, so that models
/// go on loading; a network that reads more has another shape, and weights of its own.
pub const MODEL_FEATURE_COUNT: usize = 13;

const _: () = assert!(MODEL_FEATURE_COUNT <= FEATURE_COUNT);

/// Identity of some rows: what was trained on one schema refuses vectors of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureSchema {
    /// FNV-1a (Fowler, Noll, Vo) over names, units and windows.
    pub hash: u64,
}

impl FeatureSchema {
    /// The schema of this build's vectors and captures.
    pub const CURRENT: Self = Self::of(&FEATURES);
    /// The schema of this build's models.
    pub const MODEL: Self = Self::prefix(MODEL_FEATURE_COUNT);

    /// The schema of `rows`.
    #[must_use]
    pub const fn of(rows: &[FeatureDef]) -> Self {
        let mut hash = FNV_BASIS;
        let mut i = 0;
        while i < rows.len() {
            hash = fnv1a(hash, rows[i].name.as_bytes());
            hash = fnv1a(hash, b"|");
            hash = fnv1a(hash, rows[i].unit.as_bytes());
            hash = fnv1a(hash, &rows[i].window_ns.to_le_bytes());
            i += 1;
        }
        Self { hash }
    }

    /// The schema of the first `count` rows (of all, when there are fewer): what this build was when it had no more. Rows are
    /// only ever appended, so whatever was trained on it reads the front of today's vectors.
    #[must_use]
    pub const fn prefix(count: usize) -> Self {
        let rows = FEATURES.split_at(if count < FEATURE_COUNT { count } else { FEATURE_COUNT });
        Self::of(rows.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Features of the first release.
    const FIRST: usize = 13;
    /// Their hash, computed apart from this code (FNV-1a in Python over the same columns).
    const FIRST_HASH: u64 = 0x43e7_a910_454d_019b;

    #[test]
    fn the_first_rows_are_those_that_models_were_trained_on() {
        assert_eq!(FeatureSchema::prefix(FIRST).hash, FIRST_HASH);
        assert_eq!(FeatureSchema::CURRENT, FeatureSchema::prefix(FEATURE_COUNT));
        assert_eq!(FeatureSchema::CURRENT, FeatureSchema::prefix(usize::MAX));
        assert_ne!(FeatureSchema::prefix(FIRST - 1).hash, FIRST_HASH);
        assert_eq!(FeatureId::Resilience as usize, FIRST - 1);
        assert_eq!(FEATURES[FeatureId::Resilience as usize].name, "resilience");
        assert_eq!(FeatureSchema::MODEL.hash, FIRST_HASH);
    }

    #[test]
    fn a_longer_table_keeps_the_hash_of_its_front_and_has_one_of_its_own() {
        let appended = FeatureDef { name: "appended", unit: "ticks", ..FEATURES[0] };
        let mut longer = [appended; FIRST + 1];
        longer[..FIRST].copy_from_slice(&FEATURES[..FIRST]);
        assert_eq!(FeatureSchema::of(&longer[..FIRST]).hash, FIRST_HASH);
        assert_ne!(FeatureSchema::of(&longer).hash, FIRST_HASH);
        longer.swap(FIRST - 1, FIRST);
        assert_ne!(FeatureSchema::of(&longer[..FIRST]).hash, FIRST_HASH, "inserted, not appended");
    }

    #[test]
    fn columns_have_names_of_their_own() {
        for (i, a) in FEATURES.iter().enumerate() {
            assert!(FEATURES[..i].iter().all(|b| b.name != a.name && b.plain != a.plain), "{}", a.name);
        }
    }
}
