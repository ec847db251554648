//! Instruments that the model does not know, told of when there are more of them.

use super::views::ScorerView;

/// How many were told of.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    told: u64,
}

impl Strangers {
    /// What is to be told of those that `scorer` has met.
    pub(super) fn news(&mut self, scorer: Option<&ScorerView>) -> Option<String> {
        let (_, count) = scorer?.counters.iter().find(|(name, _)| *name == "uncalibrated")?;
        let is_news = count > std::mem::replace(&mut self.told, count);
        is_news.then(|| {
            format!(
                "warning: {count} instruments are uncalibrated: the model has no profile of them, and policy.uncalibrated holds"
            )
        })
    }
}
