//! A change of an instrument's tier, as an event, and what drove it.

use control::events::Draft;
use control::names::SymbolName;
use control::protocol::{Driver, EventKind, Severity};
use control::stamp::Stamp;
use types::{Tier, UnixNanos};

/// What is told of a change to `tier`, which the market's time `ts_event` brought and which is heard of `now`.
pub(super) fn tier_event(
    symbol: SymbolName,
    tier: Tier,
    ts_event: UnixNanos,
    drivers: &[Driver],
    now: UnixNanos,
) -> Draft {
    let severity = match tier {
        Tier::Normal => Severity::Info,
        Tier::Elevated | Tier::High => Severity::Warning,
        Tier::Critical => Severity::Critical,
    };
    let said: Vec<String> = drivers.iter().map(ToString::to_string).collect();
    let why = if said.is_empty() { String::new() } else { format!(": {}", said.join("; ")) };
    let scope = format!("instrument:{symbol}");
    let draft = Draft::new(Stamp(now), severity, EventKind::Tier, &scope, &format!("tier {tier}{why}"));
    draft.by("model").with("tier", tier).with("ts_event", Stamp(ts_event))
}
