//! A desk's orders with what the network saw when they came, split in time, and the cases that are fitted to: the orders
//! themselves, and the same orders with an error in them.

use std::collections::BTreeMap;

use gpu_fit::random::Random;
use types::{FeatureId, Px, Qty, Side, Symbol, UnixNanos};

use super::inject::TypingError;
use super::touches::TouchRow;
use crate::captures::{drop_warmup, quantile, sort};
use crate::heads::fat_finger::{FatFingerLaw, FatFingerOffset, FatFingerTrainConfig};
use crate::inputs::{FeatureRow, Input, Profiles};
use crate::train::head::{HeadTrainError, Split, split_in_time};

/// One order as the desk sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeskOrder {
    /// When.
    pub ts: UnixNanos,
    /// The instrument's name.
    pub symbol: Symbol,
    /// Buys ([`Side::Bid`]) or sells.
    pub side: Side,
    /// How many.
    pub qty: Qty,
    /// Limit; [`Px::NONE`] for a market order.
    pub px: Px,
}

/// Orders and the captures of the market they were sent into: a replay of one day, or of a part of it.
#[derive(Clone, Debug, Default)]
pub struct DeskSession {
    /// The orders, all taken as meant.
    pub orders: Vec<DeskOrder>,
    /// Features, in any order.
    pub features: Vec<FeatureRow>,
    /// Best prices at the same grid points, in any order.
    pub touches: Vec<TouchRow>,
}

/// An order with the market it came into.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Number of its day, and time.
    pub(super) key: (usize, UnixNanos),
    pub(super) order: DeskOrder,
    pub(super) market: Market,
}

/// An instrument at a grid point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Market {
    ts: UnixNanos,
    /// What the network sees.
    pub(super) input: Input,
    /// Logarithm to base 2 of the touch.
    log2_touch: f64,
    bid: Px,
    ask: Px,
}

/// What is scored: an order, as it was or with an error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Case {
    /// Position of the order among the samples.
    pub(super) sample: usize,
    /// Size in doublings of the touch.
    pub(super) size: f64,
    /// Price distance.
    pub(super) bucket: usize,
    pub(super) qty: Qty,
    /// The error; none for the order as it was.
    pub(super) error: Option<TypingError>,
}

/// Samples and what is made of them.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) samples: &'a [Sample],
    pub(super) cases: &'a [Case],
}

impl Market {
    /// How far `px` of an order of `side` lies through the opposite touch, in bps of the mid price.
    fn aggressiveness_bps(&self, side: Side, px: Px) -> f64 {
        if !px.is_some() {
            return 0.0;
        }
        let through = match side {
            Side::Bid => i128::from(px.0) - i128::from(self.ask.0),
            Side::Ask => i128::from(self.bid.0) - i128::from(px.0),
        };
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let bps = 2e4 * through as f64 / (i128::from(self.bid.0) + i128::from(self.ask.0)) as f64;
        bps
    }

    fn case(&self, sample: usize, (side, qty, px): (Side, Qty, Px), error: Option<TypingError>) -> Case {
        let size = f64::from(qty.0).log2() - self.log2_touch;
        Case { sample, size, bucket: FatFingerLaw::bucket(self.aggressiveness_bps(side, px)), qty, error }
    }
}

/// Markets of a session in time order: the grid points that are in both captures. A row that the network cannot score has no
/// input, and takes the place of the one before it all the same.
fn markets(
    config: &FatFingerTrainConfig,
    profiles: &Profiles,
    mut features: Vec<FeatureRow>,
    mut touches: Vec<TouchRow>,
) -> Vec<(UnixNanos, Symbol, Option<Market>)> {
    sort(&mut features);
    drop_warmup(&mut features, config.warmup_ns);
    touches.sort_by_key(|row| (row.ts, row.symbol));
    let mut touches = touches.iter().peekable();
    let market = |row: &FeatureRow| {
        let (ts, symbol) = (row.ts, row.symbol);
        while touches.next_if(|touch| (touch.ts, touch.symbol) < (ts, symbol)).is_some() {}
        let touch = touches.next_if(|touch| (touch.ts, touch.symbol) == (ts, symbol));
        let input = profiles.of(symbol).normalise(&row.values, row.valid);
        let depth = row.get(FeatureId::TopDepth as usize);
        let market = touch.zip(depth).filter(|_| input.is_scorable()).map(|(touch, depth)| Market {
            ts,
            input,
            log2_touch: depth / core::f64::consts::LN_2,
            bid: touch.bid,
            ask: touch.ask,
        });
        (ts, symbol, market)
    };
    features.iter().map(market).collect()
}

/// The orders of all sessions, each with the last market of its symbol at or before it, in time order.
pub(super) fn join(
    config: &FatFingerTrainConfig,
    profiles: &Profiles,
    mut sessions: Vec<DeskSession>,
) -> Vec<Sample> {
    let mut samples = Vec::new();
    sessions.sort_by_key(|session| session.orders.iter().map(|order| order.ts).min());
    for (day, DeskSession { mut orders, features, touches }) in sessions.into_iter().enumerate() {
        orders.sort_by_key(|order| (order.ts, order.symbol));
        let mut markets = markets(config, profiles, features, touches).into_iter().peekable();
        let mut latest: BTreeMap<Symbol, Option<Market>> = BTreeMap::new();
        for order in orders {
            while let Some((_, symbol, market)) = markets.next_if(|(ts, _, _)| *ts <= order.ts) {
                latest.insert(symbol, market);
            }
            let Some(Some(market)) = latest.get(&order.symbol) else { continue };
            if order.qty.0 > 0 && order.ts.since(market.ts).0 <= config.market_age_max_ns {
                samples.push(Sample { key: (day, order.ts), order, market: *market });
            }
        }
    }
    samples
}

/// Splits orders in time order.
pub(super) fn split(
    config: &FatFingerTrainConfig,
    samples: Vec<Sample>,
) -> Result<Split<Sample>, HeadTrainError> {
    split_in_time(&config.settings(), samples, "with a market in both captures", |s| s.key)
}

/// By how much the median order of each symbol is larger than that of all, both as multiples of the touch; none for a
/// symbol with fewer than `orders_min`.
pub(super) fn offsets(samples: &[Sample], orders_min: usize) -> Vec<(Symbol, FatFingerOffset)> {
    let mut sizes: BTreeMap<Symbol, Vec<f64>> = BTreeMap::new();
    for (case, sample) in orders(samples).iter().zip(samples) {
        sizes.entry(sample.order.symbol).or_default().push(case.size);
    }
    let median = |sizes: &mut [f64]| {
        sizes.sort_by(f64::total_cmp);
        quantile(sizes, 0.5)
    };
    let mut all: Vec<f64> = sizes.values().flatten().copied().collect();
    if all.is_empty() {
        return Vec::new();
    }
    let usual = median(&mut all);
    let of = |(symbol, mut sizes): (Symbol, Vec<f64>)| {
        let orders = sizes.len() as u64;
        let offset = || FatFingerOffset { doublings: median(&mut sizes) - usual, orders };
        (orders >= orders_min.max(1) as u64).then(offset).map(|offset| (symbol, offset))
    };
    sizes.into_iter().filter_map(of).collect()
}

/// Every order as it was.
pub(super) fn orders(samples: &[Sample]) -> Vec<Case> {
    let case = |(i, Sample { order, market, .. }): (usize, &Sample)| {
        market.case(i, (order.side, order.qty, order.px), None)
    };
    samples.iter().enumerate().map(case).collect()
}

/// Every order as it was, followed by the same order with each error that it has room for.
pub(super) fn cases(samples: &[Sample], random: &mut Random) -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, Sample { order, market, .. }) in samples.iter().enumerate() {
        let meant = (order.side, order.qty, order.px);
        cases.push(market.case(i, meant, None));
        let reference = if order.side == Side::Bid { market.ask } else { market.bid };
        for kind in TypingError::ALL {
            if let Some((qty, px)) = kind.inject(meant, reference, random) {
                cases.push(market.case(i, (order.side, qty, px), Some(kind)));
            }
        }
    }
    cases
}

/// Orders among `cases`, and errors.
pub(super) fn counts(cases: &[Case]) -> (u64, u64) {
    let errors = cases.iter().filter(|case| case.error.is_some()).count() as u64;
    (cases.len() as u64 - errors, errors)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::synthetic::{calm, model};
    use gpu_fit::random::Purpose;
    use types::Nanos;

    /// A desk in the three symbols of [`calm`]: one order a row, 100 to 800 of them, most passive or at the touch, and never
    /// more than a tenth of the touch. Prices are 100.00 at a spread of 2 bps.
    pub(crate) fn session(rows: u64, seed: u64) -> DeskSession {
        let features = calm(rows / 3, seed);
        let mut random = Random::new(seed, Purpose::Latent);
        let (bid, ask) = (Px(99_990_000_000), Px(100_010_000_000));
        let order = |row: &FeatureRow| {
            let touch = row.values[FeatureId::TopDepth as usize].exp();
            let side = if random.uniform() < 0.5 { Side::Bid } else { Side::Ask };
            let share = 0.02 * (4.0 * random.uniform()).exp2() / 3.2;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a quantity")]
            let qty = Qty((touch * share) as u32 + 1);
            let back = if random.uniform() < 0.3 { 0 } else { 20_000_000 };
            let px = match side {
                _ if random.uniform() < 0.1 => Px::NONE,
                Side::Bid => Px(ask.0 - back),
                Side::Ask => Px(bid.0 + back),
            };
            DeskOrder { ts: row.ts.plus(Nanos(1)), symbol: row.symbol, side, qty, px }
        };
        let orders = features.iter().map(order).collect();
        let touch = |row: &FeatureRow| TouchRow { ts: row.ts, symbol: row.symbol, bid, ask };
        let touches = features.iter().map(touch).collect();
        DeskSession { orders, features, touches }
    }

    fn config() -> FatFingerTrainConfig {
        FatFingerTrainConfig { embargo_ns: 1_000_000_000, orders_min: 100, ..FatFingerTrainConfig::default() }
    }

    #[test]
    fn an_order_meets_the_last_market_of_its_symbol_and_none_that_is_old_or_cannot_be_scored() {
        let mut day = session(900, 3);
        let (symbol, last) = (day.orders[0].symbol, day.features.iter().map(|row| row.ts).max().unwrap());
        let order = DeskOrder { symbol, ts: last, ..day.orders[0] };
        let at = |ns: u64| DeskOrder { ts: last.plus(Nanos(ns)), ..order };
        let age_max = config().market_age_max_ns;
        let other = DeskOrder { symbol: Symbol::new("ZZZ").unwrap(), ..order };
        day.orders = vec![at(0), at(age_max), at(age_max + 1), DeskOrder { qty: Qty(0), ..order }, other];
        let join = |day: &DeskSession| join(&config(), model().profiles(), vec![day.clone()]);
        let samples = join(&day);
        assert_eq!(samples.len(), 2);
        assert!(samples.iter().all(|s| s.market.ts == last));
        let row = day.features.iter_mut().find(|row| (row.ts, row.symbol) == (last, symbol)).unwrap();
        row.valid = 0;
        assert_eq!(join(&day).len(), 0, "the market before the last is not asked");
    }

    #[test]
    fn distance_and_size_are_the_hand_worked_ones() {
        let day = session(900, 3);
        let sample = join(&config(), model().profiles(), vec![day])[0];
        let market = Market { log2_touch: 10.0, ..sample.market };
        let case = |side, px| market.case(7, (side, Qty(256), Px(px)), None);
        // Mid 100: 1 bp is 0.01.
        assert_eq!(case(Side::Bid, 100_000_000_000).bucket, 0);
        assert_eq!(case(Side::Bid, 100_010_000_000).bucket, 1);
        assert_eq!(case(Side::Bid, 100_040_000_000).bucket, 4, "3 bps through");
        assert_eq!(case(Side::Ask, 99_990_000_000).bucket, 1);
        assert_eq!(case(Side::Ask, 94_990_000_000).bucket, 11, "500 bps through");
        let market_order = case(Side::Ask, Px::NONE.0);
        assert_eq!((market_order.bucket, market_order.size, market_order.sample), (1, -2.0, 7));
    }

    #[test]
    fn offsets_are_differences_of_medians_and_rare_symbols_have_none() {
        let day = session(900, 3);
        let mut samples = join(&config(), model().profiles(), vec![day]);
        samples.truncate(7);
        for (i, sample) in samples.iter_mut().enumerate() {
            sample.order.symbol = Symbol::new(["AAA", "AAA", "AAA", "BBB", "BBB", "BBB", "CCC"][i]).unwrap();
            sample.order.qty = Qty([1, 2, 4, 8, 16, 32, 64][i]);
            sample.market.log2_touch = 3.0;
        }
        // Sizes -3 to 3: the median of all is 0, AAA's -2, BBB's 1.
        let found: Vec<_> = offsets(&samples, 2)
            .into_iter()
            .map(|(s, o)| (s.as_str().to_owned(), o.doublings, o.orders))
            .collect();
        assert_eq!(found, [("AAA".to_owned(), -2.0, 3), ("BBB".to_owned(), 1.0, 3)]);
        assert_eq!(offsets(&[], 2).len(), 0);
    }

    #[test]
    fn days_at_the_same_hour_stay_apart_and_nothing_of_the_holdout_is_fitted_to() {
        let samples = join(&config(), model().profiles(), vec![session(900, 3), session(900, 4)]);
        assert!(samples.is_sorted_by_key(|s| s.key));
        assert_eq!(samples.last().unwrap().key.0, 1);
        let Split { fitting, calibration, holdout } = split(&config(), samples).unwrap();
        assert!(fitting.last().unwrap().key <= calibration[0].key);
        let last = calibration.last().unwrap().key;
        assert!(holdout[0].key.0 > last.0 || holdout[0].key.1 >= last.1.plus(Nanos(config().embargo_ns)));
    }

    #[test]
    fn errors_are_the_same_for_a_seed_and_every_kind_is_there() {
        let samples = join(&config(), model().profiles(), vec![session(900, 3)]);
        let cases = |seed| cases(&samples, &mut Random::new(seed, Purpose::Inject));
        assert_eq!(cases(1), cases(1));
        assert_ne!(cases(1), cases(2));
        let (orders, errors) = counts(&cases(1));
        assert_eq!(orders, samples.len() as u64);
        assert!(errors > 6 * orders);
        for kind in TypingError::ALL {
            assert!(cases(1).iter().any(|case| case.error == Some(kind)), "{kind:?}");
        }
    }
}
