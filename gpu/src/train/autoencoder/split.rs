//! Rows split in time, and normalised.

use types::{FEATURES, MODEL_FEATURE_COUNT, Nanos};

use super::errors::TrainError;
use crate::captures::{drop_warmup, rank_of_last, sort};
use crate::inputs::{FeatureRow, Input, Profiles, VALID_MIN};
use crate::model::TrainConfig;

/// Rows in time order, split for fitting and for the report.
pub(super) struct Split {
    pub(super) fitting: Vec<FeatureRow>,
    pub(super) holdout: Vec<FeatureRow>,
}

pub(super) fn split(config: &TrainConfig, rows: &[FeatureRow]) -> Result<Split, TrainError> {
    let enough = |row: &&FeatureRow| {
        (0..MODEL_FEATURE_COUNT).filter(|&i| row.get(i).is_some()).count() >= VALID_MIN as usize
    };
    let mut rows: Vec<FeatureRow> = rows.iter().filter(enough).copied().collect();
    let wanted = config.rows_min.max(config.batch_size).max(200);
    if rows.len() < wanted {
        return Err(TrainError::TooFewRows {
            of: "with at least half of their features",
            found: rows.len(),
            wanted,
        });
    }
    sort(&mut rows);
    drop_warmup(&mut rows, config.warmup_ns);
    let rank = rank_of_last(rows.len(), config.holdout_share);
    let Some(cut) = rows.get(rank).map(|row| row.ts) else {
        return Ok(Split { fitting: rows, holdout: Vec::new() });
    };
    let clear = cut.plus(Nanos(config.embargo_ns));
    let holdout = rows.iter().filter(|row| row.ts >= clear).copied().collect();
    rows.retain(|row| row.ts < cut);
    if rows.len() < wanted / 2 {
        return Err(TrainError::TooFewRows {
            of: "before the holdout",
            found: rows.len(),
            wanted: wanted / 2,
        });
    }
    Ok(Split { fitting: rows, holdout })
}

/// Normalised rows that can be scored.
pub(super) fn inputs_of(profiles: &Profiles, rows: &[FeatureRow]) -> Vec<Input> {
    let of = |row: &FeatureRow| profiles.of(row.symbol).normalise(&row.values, row.valid);
    rows.iter().map(of).filter(Input::is_scorable).collect()
}

pub(super) fn check_features(profiles: &Profiles) -> Result<(), TrainError> {
    let trained = profiles.pooled.trained;
    if trained.count_ones() >= VALID_MIN {
        return Ok(());
    }
    let empty: Vec<&str> = FEATURES[..MODEL_FEATURE_COUNT]
        .iter()
        .enumerate()
        .filter(|(i, _)| trained >> i & 1 == 0)
        .map(|(_, f)| f.name)
        .collect();
    Err(TrainError::TooFewFeatures {
        found: trained.count_ones(),
        wanted: VALID_MIN,
        empty: empty.join(", "),
    })
}
