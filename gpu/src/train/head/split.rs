//! Rows split in time.

use types::{Nanos, UnixNanos};

use super::settings::{HeadTrainError, HeadTrainSettings};
use crate::captures::rank_of_last;

/// The calibration part and the holdout hold at least one row for this many that a training needs.
const ROWS_PER_PART_ROW: usize = 20;

/// Rows in time order. Between calibration and holdout lies the embargo.
#[derive(Debug)]
pub(crate) struct Split<S> {
    pub(crate) fitting: Vec<S>,
    pub(crate) calibration: Vec<S>,
    pub(crate) holdout: Vec<S>,
}

/// Splits `samples`, which are in the order of `key` (the number of the day, and the time) and all of those `joined`.
pub(crate) fn split_in_time<S: Copy>(
    settings: &HeadTrainSettings,
    mut samples: Vec<S>,
    joined: &'static str,
    key: impl Fn(&S) -> (usize, UnixNanos),
) -> Result<Split<S>, HeadTrainError> {
    let HeadTrainSettings { head, rows_min, holdout_share, calibration_share, .. } = *settings;
    let enough = |of, found: usize, wanted: usize| {
        let wanted = wanted.max(1);
        (found >= wanted).then_some(()).ok_or(HeadTrainError::TooFewRows { head, of, found, wanted })
    };
    enough(joined, samples.len(), rows_min)?;
    let (day, ts) = key(&samples[rank_of_last(samples.len(), holdout_share).min(samples.len() - 1)]);
    let clear = (day, ts.plus(Nanos(settings.embargo_ns)));
    let holdout: Vec<S> = samples.iter().filter(|s| key(s) >= clear).copied().collect();
    samples.retain(|s| key(s) < (day, ts));
    let calibration = samples.split_off(rank_of_last(samples.len(), calibration_share));
    let fitting = samples;
    for (of, part) in [
        ("to fit to", fitting.len()),
        ("to calibrate on", calibration.len()),
        ("after the embargo", holdout.len()),
    ] {
        enough(of, part, rows_min / ROWS_PER_PART_ROW)?;
    }
    Ok(Split { fitting, calibration, holdout })
}
