//! Books and features as the configuration has them.

use anyhow::{Context, Result};
use control::config::{FeedShare, Plan};
use featurizer::{BookLimits, Featurizer, FeaturizerConfig, OnFull};

/// Books and features of `plan` for a feed that has `share` of them; `on_full` says what becomes of a vector that finds no room.
///
/// # Errors
/// Tables that cannot be had.
pub(crate) fn featurizer(plan: &Plan, share: FeedShare, on_full: OnFull) -> Result<Featurizer> {
    let mut featurizer = Featurizer::new(&FeaturizerConfig {
        books: BookLimits {
            instruments: share.instruments as usize,
            ..BookLimits::for_orders(share.orders as usize)
        },
        on_full,
        walk: plan.policy.slippage.is_on(),
        ..FeaturizerConfig::default()
    })
    .context("cannot build the books")?;
    featurizer.set_tick_tables(plan.ticks.tables.clone().into());
    Ok(featurizer)
}
