//! The rules that a model has to beat: each makes one number of a day's rows, and speaks when it is above a threshold.

use super::day::Row;
use gpu::{Model, Profile};
use types::{FeatureId, Nanos, Symbol, UnixNanos};

/// A rule by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// The product: all channels together.
    Product,
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
    /// The sum of the squared deviations of all features from the model's profile.
    SquaredDeviations,
}

impl Rule {
    pub(super) const ALL: [Self; 8] = [
        Self::Product,
        Self::Joint,
        Self::Excess,
        Self::Cusum,
        Self::FlowMean,
        Self::MidMove,
        Self::Spread,
        Self::SquaredDeviations,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Product => "product, all channels",
            Self::Joint => "product, autoencoder alone",
            Self::Excess => "selling_excess, buying_excess",
            Self::Cusum => "CUSUM of ofi_100ms, k = 0.5",
            Self::FlowMean => "ofi_100ms, mean of 5 s",
            Self::MidMove => "mid move in 10 s",
            Self::Spread => "spread_bps",
            Self::SquaredDeviations => "sum of squared deviations",
        }
    }
}

/// Mean and standard deviation of the flow of 100 ms on the calm days, by which the rules on it are scaled.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlowScale {
    mean: f64,
    deviation: f64,
}

fn flow(row: &Row) -> f64 {
    let i = FeatureId::Ofi100Ms as usize;
    if row.valid >> i & 1 == 1 { row.values[i] } else { 0.0 }
}

impl FlowScale {
    pub(super) fn of<'a>(calm: impl Iterator<Item = &'a Row> + Clone) -> Self {
        let n = calm.clone().count().max(1) as f64;
        let mean = calm.clone().map(flow).sum::<f64>() / n;
        let variance = calm.map(|row| (flow(row) - mean).powi(2)).sum::<f64>() / n;
        Self { mean, deviation: variance.sqrt().max(1e-9) }
    }
}

/// What `rule` makes of a day's rows, one number each.
pub(super) fn numbers(rule: Rule, rows: &[Row], scale: FlowScale, model: &Model, symbol: Symbol) -> Vec<f64> {
    let of_score = |score: Option<f32>| f64::from(score.unwrap_or(0.0));
    match rule {
        Rule::Product => rows.iter().map(|row| of_score(row.score)).collect(),
        Rule::Joint => rows.iter().map(|row| of_score(row.joint)).collect(),
        Rule::Excess => rows.iter().map(|row| row.excess).collect(),
        Rule::Cusum => cusum(rows, scale),
        Rule::FlowMean => {
            let sums = windowed(rows, Nanos(5_000_000_000), |rows| rows.iter().map(flow).sum::<f64>());
            sums.into_iter().map(|sum| (sum / 50.0).abs()).collect()
        }
        Rule::MidMove => windowed(rows, Nanos(10_000_000_000), mid_move_bps),
        Rule::Spread => rows.iter().map(|row| row.values[FeatureId::SpreadBps as usize]).collect(),
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

fn cusum(rows: &[Row], scale: FlowScale) -> Vec<f64> {
    let (mut selling, mut buying) = (0.0_f64, 0.0_f64);
    let step = |row: &Row| {
        let deviation = (flow(row) - scale.mean) / scale.deviation;
        selling = (selling - deviation - 0.5).max(0.0);
        buying = (buying + deviation - 0.5).max(0.0);
        selling.max(buying)
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
