//! The results for people.

use super::judge::Judged;
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
