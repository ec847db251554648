//! What is called by its feed's name where an appliance has several.

use control::config::{Feed as FeedPlan, Plan};

/// A stage of `feed`, by the feed's name where the plan has several.
pub(super) fn named(stage: &str, plan: &Plan, feed: &FeedPlan) -> String {
    if plan.feeds.len() > 1 { format!("{stage} {}", feed.name) } else { stage.to_owned() }
}
