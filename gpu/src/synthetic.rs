//! Made-up markets for tests: calm rows with a few hidden factors, curved like real features, and stress.

use std::sync::OnceLock;

use gpu_fit::random::{Purpose, Random};
use types::{MODEL_FEATURE_COUNT, Symbol, UnixNanos};

use crate::inputs::FeatureRow;
use crate::model::{Model, TrainConfig};
use crate::train::{TrainDevice, train_vae};

/// All valid bits.
pub(crate) const ALL_VALID: u16 = (1 << MODEL_FEATURE_COUNT) - 1;

/// First grid point of every synthetic day.
pub(crate) const DAY_NS: u64 = 1_700_000_000_000_000_000;

/// Spacing of the rows.
pub(crate) const GRID_NS: u64 = 100_000_000;

/// A market whose state moves slowly around its mean.
pub(crate) struct Market {
    random: Random,
    symbol: Symbol,
    /// Usual spread, in bps.
    spread_bps: f64,
    activity: f64,
    liquidity: f64,
    pressure: f64,
    slow: f64,
}

impl Market {
    pub(crate) fn new(name: &str, spread_bps: f64, seed: u64) -> Self {
        let (random, symbol) = (Random::new(seed, Purpose::Init), Symbol::new(name).unwrap());
        Self { random, symbol, spread_bps, activity: 0.0, liquidity: 0.0, pressure: 0.0, slow: 0.0 }
    }

    fn walk(&mut self) {
        let mut step =
            |x: &mut f64, keep: f64| *x = keep * *x + (1.0 - keep * keep).sqrt() * self.random.normal();
        step(&mut self.activity, 0.9);
        step(&mut self.liquidity, 0.95);
        step(&mut self.pressure, 0.8);
        step(&mut self.slow, 0.99);
    }

    fn values(&mut self, stress: f64) -> [f64; MODEL_FEATURE_COUNT] {
        let mut noise = |size: f64| size * self.random.normal();
        let (a, l) = (self.activity + 4.0 * stress, self.liquidity - 5.0 * stress);
        let p = self.pressure - 6.0 * stress;
        let imbalance = (0.7 * p + noise(0.2)).tanh();
        [
            self.spread_bps * (1.0 + 0.3 * (a - l + noise(0.5)).exp()),
            imbalance,
            0.5 + 0.3 * (0.6 * p + noise(0.15)).tanh(),
            0.5 + 0.25 * (0.5 * p + noise(0.15)).tanh(),
            0.4 * p + noise(0.4),
            1.5 * p + noise(0.5),
            0.3 * imbalance + noise(0.03),
            2.0 * (0.5 * a + noise(0.2)).exp(),
            12.0 * (0.4 * self.slow + 0.8 * stress * 4.0 + noise(0.05)).exp(),
            0.12 / (1.0 + (3.0 * stress - 0.3 * a + noise(0.2)).exp()),
            0.5 + 0.2 * (0.4 * a + noise(0.3)).tanh(),
            7.0 + 0.5 * l + noise(0.1),
            0.7 + 0.15 * (0.5 * l + noise(0.3)).tanh(),
        ]
    }

    /// The row of grid point `index`; `stress` 0 is calm, 1 a crash.
    pub(crate) fn row(&mut self, index: u64, stress: f64) -> FeatureRow {
        self.walk();
        let mut valid = ALL_VALID;
        // Now and then there was no large trade to recover from.
        if self.random.uniform() < 0.1 {
            valid &= !(1 << 12);
        }
        let ts = UnixNanos(DAY_NS + index * GRID_NS);
        FeatureRow { ts, symbol: self.symbol, valid, values: self.values(stress) }
    }
}

/// Calm rows of three symbols, `count` each.
pub(crate) fn calm(count: u64, seed: u64) -> Vec<FeatureRow> {
    let mut rows = Vec::new();
    for (i, (name, spread)) in [("AAA", 1.0), ("BBB", 4.0), ("CCC", 9.0)].into_iter().enumerate() {
        let mut market = Market::new(name, spread, seed + 100 * i as u64);
        rows.extend((0..count).map(|index| market.row(index, 0.0)));
    }
    rows
}

/// Settings under which a test trains in about a second.
pub(crate) fn quick() -> TrainConfig {
    TrainConfig {
        epoch_count_max: 12,
        profile_rows_min: 1_000,
        embargo_ns: 1_000_000_000,
        ..TrainConfig::default()
    }
}

/// A model trained once for all tests of a run.
pub(crate) fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| {
        train_vae(&TrainDevice::Cpu, &quick(), &calm(4_000, 1), &mut |_| ()).expect("calm rows train")
    })
}
