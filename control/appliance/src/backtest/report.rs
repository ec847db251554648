//! The results for people.

use super::judge::{Judged, RuleResult, TierResult};
use comfy_table::{Table, presets};

fn table(heading: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(heading.to_vec());
    table
}

fn seconds(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |s| format!("{s:.1}"))
}

/// Both tables, with what they were made of.
pub(super) fn text(judged: &Judged) -> String {
    let Judged { model, symbol, calm_days, calm_instrument_days, alarms_per_day, .. } = judged;
    let crashes = judged.crash_seeds.len();
    let mut rules = table(&["rule", "threshold", "calm alarms", "median lead, s", "seen before the move"]);
    for rule in &judged.rules {
        rules.add_row([
            rule.rule.to_owned(),
            format!("{:.3}", rule.threshold),
            rule.calm_alarms.to_string(),
            seconds(rule.median_lead_s),
            format!("{:.0} %", 100.0 * rule.recall),
        ]);
    }
    let mut tiers =
        table(&["tier", "before the move", "median lead, s", "calm entries", "per instrument-day"]);
    for tier in &judged.tiers {
        tiers.add_row([
            tier.tier.clone(),
            format!("{} of {}", tier.before_move, tier.crashes),
            seconds(tier.median_lead_s),
            tier.calm_entries.to_string(),
            format!("{:.2}", tier.calm_entries_per_instrument_day),
        ]);
    }
    format!(
        "model {model}: {crashes} crashes of {symbol}, the move of 0.5 % {} s after the start; {calm_days:.2} calm trading days, \
{calm_instrument_days:.1} of all instruments\n\n\
Rules on {symbol}, at {alarms_per_day} alarms a calm day:\n{rules}\n\nTiers, false alarms of all instruments:\n{tiers}",
        seconds(judged.median_move_s)
    )
}

/// A median lead, with the share that was seen before the harm where that is not all.
fn lead(median: Option<f64>, recall: f64) -> String {
    let percent = (100.0 * recall).round();
    if percent < 100.0 { format!("{} ({percent:.0} %)", seconds(median)) } else { seconds(median) }
}

fn lead_of(rule: &RuleResult) -> String {
    lead(rule.median_lead_s, rule.recall)
}

fn lead_of_tier(tiers: &[TierResult], name: &str) -> String {
    let share = |t: &TierResult| t.before_move as f64 / t.crashes.max(1) as f64;
    tiers.iter().find(|t| t.tier == name).map_or_else(String::new, |t| lead(t.median_lead_s, share(t)))
}

/// One row a kind of crisis: what the product did beside the best rule without a model, as a table that a page can hold.
pub(super) fn kinds(judged: &[Judged]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "kind of crisis",
        "harm after, s (by a move)",
        "product",
        "unseen",
        "autoencoder alone",
        "best simple rule",
        "tier High",
        "High, unseen",
    ]);
    for one in judged {
        let of = |name: &str| one.rules.iter().find(|r| r.rule == name).map_or_else(String::new, lead_of);
        let worth = |rule: &RuleResult| rule.median_lead_s.unwrap_or(f64::NEG_INFINITY);
        let order = |a: &&RuleResult, b: &&RuleResult| {
            worth(a).total_cmp(&worth(b)).then(a.recall.total_cmp(&b.recall))
        };
        let best = one.rules.iter().filter(|rule| rule.is_simple).max_by(order);
        table.add_row([
            one.kind.to_owned(),
            format!("{} ({} of {})", seconds(one.median_move_s), one.moves, one.crash_seeds.len()),
            of("product, all channels"),
            of("product, instrument unseen"),
            of("product, autoencoder alone"),
            best.map_or_else(String::new, |rule| format!("{}: {}", rule.rule, lead_of(rule))),
            lead_of_tier(&one.tiers, "high"),
            lead_of_tier(&one.stranger_tiers, "high"),
        ]);
    }
    let Some(first) = judged.first() else { return String::new() };
    let calm = |tiers: &[TierResult]| {
        let entries = tiers.iter().map(|t| format!("{} {}", t.tier, t.calm_entries));
        entries.collect::<Vec<_>>().join(", ")
    };
    format!(
        "Median seconds from the alarm to the harm on {}, with the share that was seen before it where that is not all; every rule at {} \
alarms a calm day of it; model {}.\n\n{table}\n\nEntered on {:.1} calm instrument-days: {}; {} unseen: {}.",
        first.symbol,
        first.alarms_per_day,
        first.model,
        first.calm_instrument_days,
        calm(&first.tiers),
        first.symbol,
        calm(&first.stranger_tiers),
    )
}
