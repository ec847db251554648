//! The feature vector that goes from the books to the model, and the schema that both ends must agree on.

use crate::{BookState, InstrumentId, Px, UnixNanos};

/// Number of features in schema v1.
pub const FEATURE_COUNT: usize = 13;

/// Order sizes that a vector prices: eight for a buyer, then the same eight for a seller.
pub const WALK_COUNT: usize = 16;

/// Index of a feature in a [`FeatureVector`]. Append-only: captures and models store the position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "FEATURES documents each at its index")]
pub enum FeatureId {
    SpreadBps = 0,
    QueueImbalance = 1,
    BookPressure5 = 2,
    BookPressure10 = 3,
    Ofi100Ms = 4,
    Ofi1S = 5,
    MicropriceOffset = 6,
    Rv1S = 7,
    Rv1M = 8,
    TradeToOrder = 9,
    CancelRatio = 10,
    TopDepth = 11,
    Resilience = 12,
}

/// One column of the schema.
#[derive(Clone, Copy, Debug)]
pub struct FeatureDef {
    /// Column name.
    pub name: &'static str,
    /// Unit of the value.
    pub unit: &'static str,
    /// Length of the window it looks back over; 0 for a state of the book.
    pub window_ns: u64,
    /// What a risk officer reads in an alert.
    pub plain: &'static str,
}

const fn def(name: &'static str, unit: &'static str, window_ns: u64, plain: &'static str) -> FeatureDef {
    FeatureDef { name, unit, window_ns, plain }
}

const S: u64 = 1_000_000_000;

/// Schema v1, in [`FeatureId`] order. Definitions: DOMAIN.md 3 (spread 3.1, imbalance and pressure 3.2, order flow
/// imbalance 3.3, micro-price 3.4, resilience 3.5, volatility 3.6, activity 3.7).
pub const FEATURES: [FeatureDef; FEATURE_COUNT] = [
    def("spread_bps", "bps", 0, "bid-ask spread"),
    def("queue_imbalance", "signed share", 0, "imbalance of the best queues"),
    def("book_pressure_5", "share", 0, "book pressure, five levels"),
    def("book_pressure_10", "share", 0, "book pressure, ten levels"),
    def("ofi_100ms", "mean best depths", S / 10, "order flow imbalance, 100 ms"),
    def("ofi_1s", "mean best depths", S, "order flow imbalance, 1 s"),
    def("microprice_offset", "spreads", 0, "micro-price away from mid"),
    def("rv_1s", "bps", S, "realized volatility, 1 s"),
    def("rv_1m", "bps", 60 * S, "realized volatility, 1 min"),
    def("trade_to_order", "ratio", 10 * S, "trades per order message"),
    def("cancel_ratio", "ratio", 10 * S, "share of cancels in order messages"),
    def("top_depth", "ln quantity", 0, "depth at the touch"),
    def("resilience", "share", 30 * S, "depth recovered after a large trade"),
];

/// Identity of a schema: a model trained on one refuses vectors of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureSchema {
    /// FNV-1a over names, units and windows.
    pub hash: u64,
}

impl FeatureSchema {
    /// The schema of this build.
    pub const V1: Self = Self { hash: schema_hash() };
}

const fn fnv(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash
}

const fn schema_hash() -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut i = 0;
    while i < FEATURE_COUNT {
        hash = fnv(hash, FEATURES[i].name.as_bytes());
        hash = fnv(hash, b"|");
        hash = fnv(hash, FEATURES[i].unit.as_bytes());
        hash = fnv(hash, &FEATURES[i].window_ns.to_le_bytes());
        i += 1;
    }
    hash
}

/// The state of one instrument at one grid point. A value whose `valid` bit is off is 0 and means nothing: the
/// consumer imputes it, never reads it (DOMAIN.md 3). Append-only: what follows the thirteen features is no feature, and no
/// part of [`FeatureSchema`]; a model that does not know of it scores as it did.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub struct FeatureVector {
    /// Grid point (event time) the values hold at.
    pub ts: UnixNanos,
    /// Arrival stamp of the newest event in them.
    pub ts_recv: UnixNanos,
    /// Mid price, [`Px::NONE`] when a side is empty.
    pub mid: Px,
    /// The instrument, or [`InstrumentId::ALL`] in an end-of-grid marker.
    pub instrument: InstrumentId,
    /// Bit i: value i can be used.
    pub valid: u16,
    /// [`BookState::to_u8`] at the grid point.
    pub book_state: u8,
    /// 1 in the marker that ends a grid point: every changed vector of `ts` has been sent.
    pub grid_end: u8,
    /// Values in [`FeatureId`] order.
    pub values: [f64; FEATURE_COUNT],
    /// Milliseconds since each value's input last changed, saturated.
    pub age_ms: [u32; FEATURE_COUNT],
    /// What an order pays beyond the best price when it takes what the book shows at `ts`, in bps of the mid (DOMAIN.md 4.3,
    /// baseline C): 0.5, 1, 2, … 64 times the quantity at the touch, for a buyer, then for a seller. Never falling with size;
    /// infinite where the book does not hold the size, cannot be believed, or nobody asked for the walk.
    pub walk_bps: [f32; WALK_COUNT],
}

const _: () = assert!(size_of::<FeatureVector>() == 256, "four cache lines");
const _: () = assert!(FEATURE_COUNT <= 16, "valid is 16 bits");

impl FeatureVector {
    /// A vector with nothing known.
    pub const EMPTY: Self = Self {
        ts: UnixNanos(0),
        ts_recv: UnixNanos(0),
        mid: Px::NONE,
        instrument: InstrumentId::ALL,
        valid: 0,
        book_state: BookState::Empty.to_u8(),
        grid_end: 0,
        values: [0.0; FEATURE_COUNT],
        age_ms: [u32::MAX; FEATURE_COUNT],
        walk_bps: [f32::INFINITY; WALK_COUNT],
    };

    /// The marker that ends grid point `ts`.
    #[must_use]
    pub const fn end_of_grid(ts: UnixNanos) -> Self {
        Self { ts, grid_end: 1, ..Self::EMPTY }
    }

    /// The value of `id`, `None` when it is not valid.
    #[inline]
    #[must_use]
    pub fn get(&self, id: FeatureId) -> Option<f64> {
        let i = id as usize;
        (self.valid >> i & 1 == 1).then(|| self.values[i])
    }

    /// Sets the value of `id` and its valid bit; a value that is not finite is refused and leaves the bit off.
    #[inline]
    pub fn set(&mut self, id: FeatureId, value: f64) {
        let i = id as usize;
        if value.is_finite() {
            self.values[i] = value;
            self.valid |= 1 << i;
        } else {
            self.values[i] = 0.0;
            self.valid &= !(1 << i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_no_number_never_becomes_valid() {
        let mut v = FeatureVector::EMPTY;
        v.set(FeatureId::Rv1S, 3.0);
        assert_eq!(v.get(FeatureId::Rv1S), Some(3.0));
        v.set(FeatureId::Rv1S, f64::NAN);
        assert_eq!(v.get(FeatureId::Rv1S), None);
        assert_eq!(v.valid, 0);
    }

    #[test]
    fn no_walk_is_known_before_one_is_asked_for() {
        let marker = FeatureVector::end_of_grid(UnixNanos(7));
        for vector in [FeatureVector::EMPTY, marker] {
            assert!(vector.walk_bps.iter().all(|bps| *bps == f32::INFINITY));
        }
    }

    #[test]
    fn the_schema_hash_is_the_one_models_were_trained_on() {
        // A change here invalidates every saved model: append features, never edit one.
        // The number was computed apart from this code (FNV-1a in Python over the same columns).
        assert_eq!(FeatureSchema::V1.hash, 0x43e7_a910_454d_019b);
        assert_eq!(FEATURES[FeatureId::Resilience as usize].name, "resilience");
        assert_eq!(FEATURES.len(), FEATURE_COUNT);
    }
}
