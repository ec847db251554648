//! The rules that a model has to beat: each makes one number of a day's rows, and speaks when it is above a threshold.

use super::day::Row;
use gpu::{Model, Profile};
use types::{FeatureId, Nanos, Symbol, UnixNanos};

/// A rule by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// The product: all channels together.
    Product,
    /// The same of an instrument that the model has never seen.
    Stranger,
    /// The autoencoder alone.
    Joint,
    /// The excess of order flow as the vector has it, in the instrument's own recent flow.
    Excess,
    /// Page's cumulative sum of the standardised flow of 100 ms, both sides, with an allowance of half a deviation.
    Cusum,
    /// The mean flow of five seconds, either way.
    FlowMean,
    /// How far the mid has moved in ten seconds, either way.
    MidMove,
    /// The spread.
    Spread,
    /// The same of the spread over the depth at the touch, in logarithms, to the harmful side.
    Illiquidity,
    /// The same of the volatility of a second.
    Volatility,
    /// The sum of the squared deviations of all features from the model's profile.
    SquaredDeviations,
}

impl Rule {
    pub(super) const ALL: [Self; 11] = [
        Self::Product,
        Self::Stranger,
        Self::Joint,
        Self::Excess,
        Self::Cusum,
        Self::FlowMean,
        Self::MidMove,
        Self::Spread,
        Self::Illiquidity,
        Self::Volatility,
        Self::SquaredDeviations,
    ];

    /// Whether it needs no model.
    pub(super) const fn is_simple(self) -> bool {
        !matches!(self, Self::Product | Self::Stranger | Self::Joint)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Product => "product, all channels",
            Self::Stranger => "product, instrument unseen",
            Self::Joint => "product, autoencoder alone",
            Self::Excess => "selling_excess, buying_excess",
            Self::Cusum => "CUSUM of ofi_100ms, k = 0.5",
            Self::FlowMean => "ofi_100ms, mean of 5 s",
            Self::MidMove => "mid move in 10 s",
            Self::Spread => "spread_bps",
            Self::Illiquidity => "CUSUM of spread over depth, k = 0.5",
            Self::Volatility => "CUSUM of rv_1s, k = 0.5",
            Self::SquaredDeviations => "sum of squared deviations",
        }
    }
}

/// Mean and standard deviation of one number of the rows on the calm days.
#[derive(Clone, Copy, Debug)]
struct Scale {
    mean: f64,
    deviation: f64,
}

/// By what the rules that add up are scaled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scales {
    flow: Scale,
    illiquidity: Scale,
    volatility: Scale,
}

fn valid(row: &Row, feature: FeatureId) -> Option<f64> {
    let i = feature as usize;
    (row.valid >> i & 1 == 1).then(|| row.values[i])
}

fn flow(row: &Row) -> f64 {
    valid(row, FeatureId::Ofi100Ms).unwrap_or(0.0)
}

/// What a unit costs to trade at once, in logarithms: wider and thinner alike.
fn illiquidity(row: &Row) -> Option<f64> {
    Some(valid(row, FeatureId::SpreadBps)?.max(1e-3).ln() - valid(row, FeatureId::TopDepth)?)
}

fn volatility(row: &Row) -> Option<f64> {
    Some((valid(row, FeatureId::Rv1S)? + 1.0).ln())
}

impl Scale {
    fn of(numbers: impl Iterator<Item = f64> + Clone) -> Self {
        let n = numbers.clone().count().max(1) as f64;
        let mean = numbers.clone().sum::<f64>() / n;
        let variance = numbers.map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        Self { mean, deviation: variance.sqrt().max(1e-9) }
    }
}

impl Scales {
    pub(super) fn of<'a>(calm: impl Iterator<Item = &'a Row> + Clone) -> Self {
        Self {
            flow: Scale::of(calm.clone().map(flow)),
            illiquidity: Scale::of(calm.clone().filter_map(illiquidity)),
            volatility: Scale::of(calm.filter_map(volatility)),
        }
    }
}

/// What `rule` makes of a day's rows, one number each.
pub(super) fn numbers(rule: Rule, rows: &[Row], scales: Scales, model: &Model, symbol: Symbol) -> Vec<f64> {
    let of_score = |score: Option<f32>| f64::from(score.unwrap_or(0.0));
    match rule {
        Rule::Product => rows.iter().map(|row| of_score(row.score)).collect(),
        Rule::Stranger => rows.iter().map(|row| of_score(row.stranger)).collect(),
        Rule::Joint => rows.iter().map(|row| of_score(row.joint)).collect(),
        Rule::Excess => rows.iter().map(|row| row.excess).collect(),
        Rule::Cusum => cusum(rows, scales.flow),
        Rule::FlowMean => {
            let sums = windowed(rows, Nanos(5_000_000_000), |rows| rows.iter().map(flow).sum::<f64>());
            sums.into_iter().map(|sum| (sum / 50.0).abs()).collect()
        }
        Rule::MidMove => windowed(rows, Nanos(10_000_000_000), mid_move_bps),
        Rule::Spread => rows.iter().map(|row| row.values[FeatureId::SpreadBps as usize]).collect(),
        Rule::Illiquidity => added_up(rows, scales.illiquidity, illiquidity),
        Rule::Volatility => added_up(rows, scales.volatility, volatility),
        Rule::SquaredDeviations => {
            let profile = model.profiles().of(symbol);
            rows.iter().map(|row| squared_deviations(profile, row)).collect()
        }
    }
}

fn squared_deviations(profile: &Profile, row: &Row) -> f64 {
    profile.normalise(&row.values, row.valid).x[..row.values.len()].iter().map(|x| f64::from(x * x)).sum()
}

fn mid_move_bps(rows: &[Row]) -> f64 {
    match rows {
        [first, .., last] => ((last.mid.0 - first.mid.0) as f64 / first.mid.0 as f64 * 1e4).abs(),
        _ => 0.0,
    }
}

fn cusum(rows: &[Row], scale: Scale) -> Vec<f64> {
    let (mut selling, mut buying) = (0.0_f64, 0.0_f64);
    let step = |row: &Row| {
        let deviation = (flow(row) - scale.mean) / scale.deviation;
        selling = (selling - deviation - 0.5).max(0.0);
        buying = (buying + deviation - 0.5).max(0.0);
        selling.max(buying)
    };
    rows.iter().map(step).collect()
}

/// Page's cumulative sum to the upper side, with an allowance of half a deviation; where there is no number, the sum stays.
fn added_up(rows: &[Row], scale: Scale, of: fn(&Row) -> Option<f64>) -> Vec<f64> {
    let mut sum = 0.0_f64;
    let step = |row: &Row| {
        if let Some(number) = of(row) {
            sum = (sum + (number - scale.mean) / scale.deviation - 0.5).max(0.0);
        }
        sum
    };
    rows.iter().map(step).collect()
}

/// `of` the rows of the last `span` before each row, itself included.
fn windowed(rows: &[Row], span: Nanos, of: impl Fn(&[Row]) -> f64) -> Vec<f64> {
    let mut from = 0;
    let at = |(i, row): (usize, &Row)| {
        let begin = UnixNanos(row.ts.0.saturating_sub(span.0));
        while rows[from].ts < begin {
            from += 1;
        }
        of(&rows[from..=i])
    };
    rows.iter().enumerate().map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{MODEL_FEATURE_COUNT, Px};

    fn row(second: u64, spread_bps: f64) -> Row {
        let mut values = [0.0; MODEL_FEATURE_COUNT];
        (values[FeatureId::SpreadBps as usize], values[FeatureId::TopDepth as usize]) = (spread_bps, 5.0);
        let ts = UnixNanos(second * 1_000_000_000);
        Row { ts, mid: Px(1), values, valid: 0x1fff, excess: 0.0, score: None, joint: None, stranger: None }
    }

    #[test]
    fn a_sum_grows_to_the_harmful_side_alone() {
        let calm: Vec<Row> = (0..100).map(|i| row(i, if i % 2 == 0 { 1.0 } else { 4.0 })).collect();
        let scale = Scales::of(calm.iter()).illiquidity;
        // ln 1 and ln 4, less 5 each: the mean is ln 2 - 5, the deviation ln 2.
        assert!((scale.mean + 4.307).abs() < 1e-3 && (scale.deviation - 0.693).abs() < 1e-3, "{scale:?}");
        let made = added_up(&[row(0, 8.0), row(1, 8.0), row(2, 0.1)], scale, illiquidity);
        assert!((made[0] - 1.5).abs() < 1e-9 && (made[1] - 3.0).abs() < 1e-9 && made[2] == 0.0, "{made:?}");
        let unknown = Row { valid: 0, ..row(2, 8.0) };
        assert_eq!(added_up(&[row(0, 8.0), unknown], scale, illiquidity)[1], made[0]);
    }
}
