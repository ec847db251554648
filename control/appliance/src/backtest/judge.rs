//! Thresholds from calm days, lead times from days with a crash, and what the tiers did on both.

use super::day::{CRASHED, Day, Row};
use super::rules::{FlowScale, Rule, numbers};
use gpu::Model;
use serde::Serialize;
use types::{Nanos, Symbol, Tier, UnixNanos};

/// A trading day, in seconds.
const TRADING_DAY_S: f64 = 6.5 * 3_600.0;

/// Alarms closer than this are one.
const ALARM_GAP: Nanos = Nanos(60 * Nanos::SECOND.0);

/// When the simulated crash begins, after the first row of its day: 14:28:30 to 14:30:00.
const CRASH_AFTER: Nanos = Nanos(90 * Nanos::SECOND.0);

/// The move that everybody sees.
const MOVE: f64 = 0.005;

/// What one rule did.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RuleResult {
    pub(super) rule: &'static str,
    pub(super) threshold: f64,
    /// Alarms on the calm days at that threshold.
    pub(super) calm_alarms: usize,
    /// Seconds from the alarm to the move; of crashes without an alarm before it, none.
    pub(super) leads_s: Vec<Option<f64>>,
    pub(super) median_lead_s: Option<f64>,
    /// Share of the crashes with an alarm before the move.
    pub(super) recall: f64,
}

/// What the tiers did on days with a crash.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TierResult {
    pub(super) tier: String,
    /// Crashes in which it was reached before the move.
    pub(super) before_move: usize,
    pub(super) crashes: usize,
    pub(super) median_lead_s: Option<f64>,
    /// How often it was entered on calm days, all instruments together, and by instrument and trading day.
    pub(super) calm_entries: u64,
    pub(super) calm_entries_per_instrument_day: f64,
}

/// Everything that came out.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Judged {
    pub(super) model: String,
    pub(super) symbol: &'static str,
    pub(super) crash_seeds: Vec<u64>,
    pub(super) calm_seeds: Vec<u64>,
    /// Trading days of one instrument on the calm days, and of all.
    pub(super) calm_days: f64,
    pub(super) calm_instrument_days: f64,
    pub(super) alarms_per_day: f64,
    /// Seconds from the crash's start to a move of 0.5 %.
    pub(super) median_move_s: Option<f64>,
    pub(super) rules: Vec<RuleResult>,
    pub(super) tiers: Vec<TierResult>,
    /// Share of the calm scores that the flow channel made.
    pub(super) calm_flow_share: f64,
}

/// Judges `model` by its days.
pub(super) fn judge(model: &Model, calm: &[Day], crashes: &[Day], alarms_per_day: f64) -> Judged {
    let symbol = Symbol::new(CRASHED).unwrap_or(Symbol(*b"        "));
    let days = |day: &Day| day.seconds / TRADING_DAY_S;
    let instrument_days = calm.iter().map(|day| days(day) * day.instruments as f64).sum::<f64>();
    let calm_days: f64 = calm.iter().map(days).sum();
    let scale = FlowScale::of(calm.iter().flat_map(|day| &day.rows));
    let numbers = |rule, day: &Day| numbers(rule, &day.rows, scale, model, symbol);
    let moves: Vec<Option<Move>> = crashes.iter().map(|day| Move::of(&day.rows)).collect();
    let allowed = (alarms_per_day * calm_days) as usize;
    let rule = |rule: Rule| {
        let threshold = threshold(calm, |day| numbers(rule, day), allowed);
        let alarm = |day: &Day| alarms(&day.rows, &numbers(rule, day), threshold).len();
        let calm_alarms = calm.iter().map(alarm).sum();
        let leads: Vec<_> = crashes
            .iter()
            .zip(&moves)
            .map(|(day, moved)| {
                let moved = (*moved)?;
                let (first, _) = day
                    .rows
                    .iter()
                    .zip(numbers(rule, day))
                    .find(|(row, number)| row.ts > moved.begins && *number > threshold)?;
                moved.lead_s(first.ts)
            })
            .collect();
        let (median_lead_s, recall) = (median(&leads), share(&leads));
        RuleResult { rule: rule.name(), threshold, calm_alarms, leads_s: leads, median_lead_s, recall }
    };
    let rules = Rule::ALL.map(rule).to_vec();
    let scores = calm.iter().map(|day| day.scores).sum::<u64>().max(1);
    let calm_flow_share = calm.iter().map(|day| day.by_flow).sum::<u64>() as f64 / scores as f64;
    let move_s: Vec<Option<f64>> = moves.iter().map(|m| m.map(|m| seconds(m.at.since(m.begins)))).collect();
    Judged {
        model: model.id().to_owned(),
        symbol: CRASHED,
        crash_seeds: crashes.iter().map(|day| day.seed).collect(),
        calm_seeds: calm.iter().map(|day| day.seed).collect(),
        calm_days,
        calm_instrument_days: instrument_days,
        alarms_per_day,
        median_move_s: median(&move_s),
        rules,
        tiers: tiers(calm, crashes, &moves, instrument_days),
        calm_flow_share,
    }
}

fn seconds(span: Nanos) -> f64 {
    span.0 as f64 / 1e9
}

/// When a crash begins, and when everybody sees it.
#[derive(Clone, Copy, Debug)]
struct Move {
    begins: UnixNanos,
    at: UnixNanos,
}

impl Move {
    fn of(rows: &[Row]) -> Option<Self> {
        let begins = rows.first()?.ts.plus(CRASH_AFTER);
        let before = rows.iter().take_while(|row| row.ts <= begins).last()?.mid.0 as f64;
        let moved = |row: &&Row| row.ts > begins && (row.mid.0 as f64 / before - 1.0).abs() >= MOVE;
        let at = rows.iter().find(moved)?.ts;
        Some(Self { begins, at })
    }

    /// Seconds from `alarm` to the move, when it came before.
    fn lead_s(self, alarm: UnixNanos) -> Option<f64> {
        (alarm < self.at).then(|| seconds(self.at.since(alarm)))
    }
}

/// The rows at which a new alarm begins.
fn alarms(rows: &[Row], numbers: &[f64], threshold: f64) -> Vec<UnixNanos> {
    let mut last: Option<UnixNanos> = None;
    let mut found = Vec::new();
    for (row, _) in rows.iter().zip(numbers).filter(|(_, number)| **number > threshold) {
        if last.is_none_or(|last| row.ts.since(last) > ALARM_GAP) {
            found.push(row.ts);
        }
        last = Some(row.ts);
    }
    found
}

/// The smallest number of those that occurred on calm days above which no more than `allowed` alarms begin.
fn threshold(calm: &[Day], numbers: impl Fn(&Day) -> Vec<f64>, allowed: usize) -> f64 {
    let days: Vec<Vec<f64>> = calm.iter().map(numbers).collect();
    let mut candidates: Vec<f64> = days.iter().flatten().copied().collect();
    candidates.sort_by(f64::total_cmp);
    candidates.dedup();
    let begun = |threshold: f64| -> usize {
        calm.iter().zip(&days).map(|(day, numbers)| alarms(&day.rows, numbers, threshold).len()).sum()
    };
    // Fewer alarms begin the higher the threshold, but where two of them become one by growing: what counts is the last crossing.
    let at = candidates.len().saturating_sub(1);
    let from = candidates.len().saturating_sub(CANDIDATES_MAX);
    let mut chosen = candidates.get(at).copied().unwrap_or(f64::INFINITY);
    for candidate in candidates[from..].iter().rev() {
        if begun(*candidate) > allowed {
            break;
        }
        chosen = *candidate;
    }
    chosen
}

/// Largest numbers that are tried as thresholds: more do not belong to a few alarms a day.
const CANDIDATES_MAX: usize = 4_000;

fn median(values: &[Option<f64>]) -> Option<f64> {
    // What was missed is later than everything.
    let mut sorted: Vec<f64> = values.iter().map(|v| v.unwrap_or(f64::NEG_INFINITY)).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let of = match sorted.len() {
        0 => return None,
        n if n % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    };
    of.is_finite().then_some(of)
}

fn share(values: &[Option<f64>]) -> f64 {
    values.iter().flatten().count() as f64 / values.len().max(1) as f64
}

fn tiers(calm: &[Day], crashes: &[Day], moves: &[Option<Move>], instrument_days: f64) -> Vec<TierResult> {
    let result = |(tier, entered): (Tier, u64)| {
        let lead = |(day, moved): (&Day, &Option<Move>)| {
            let moved = (*moved)?;
            // A tier that holds when the crash begins is no answer to it, but for an instrument that never leaves it.
            let reached = day.tiers.iter().find(|c| c.ts > moved.begins && c.from < tier && c.to >= tier)?;
            moved.lead_s(reached.ts)
        };
        let leads: Vec<_> = crashes.iter().zip(moves).map(lead).collect();
        let rate = entered as f64 / instrument_days.max(f64::MIN_POSITIVE);
        TierResult {
            tier: tier.to_string(),
            before_move: leads.iter().flatten().count(),
            crashes: leads.len(),
            median_lead_s: median(&leads),
            calm_entries: entered,
            calm_entries_per_instrument_day: rate,
        }
    };
    let sum = |of: fn(&Day) -> u64| calm.iter().map(of).sum::<u64>();
    [
        (Tier::Elevated, sum(|day| day.entered.elevated)),
        (Tier::High, sum(|day| day.entered.high)),
        (Tier::Critical, sum(|day| day.entered.critical)),
    ]
    .map(result)
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{MODEL_FEATURE_COUNT, Px};

    fn rows(mids: &[i64]) -> Vec<Row> {
        let row = |(i, mid): (u64, &i64)| Row {
            ts: UnixNanos(i * Nanos::SECOND.0),
            mid: Px(*mid),
            values: [0.0; MODEL_FEATURE_COUNT],
            valid: 0,
            excess: 0.0,
            score: None,
            joint: None,
        };
        (0..).zip(mids).map(row).collect()
    }

    #[test]
    fn the_move_is_measured_from_the_beginning_of_the_crash() {
        let mut mids = vec![10_000; 100];
        mids.extend([9_990, 9_951, 9_950, 9_900]);
        // The price of the 90th second counts, whatever came before.
        mids[10] = 20_000;
        let found = Move::of(&rows(&mids)).unwrap();
        assert_eq!(found.at.0 / Nanos::SECOND.0, 102);
        assert_eq!(found.lead_s(UnixNanos(100 * Nanos::SECOND.0)), Some(2.0));
        assert_eq!(found.lead_s(UnixNanos(102 * Nanos::SECOND.0)), None, "with the move is not before it");
        assert!(Move::of(&rows(&[10_000; 200])).is_none());
    }

    #[test]
    fn a_threshold_allows_as_many_alarms_as_it_is_told() {
        let day = Day {
            seed: 1,
            rows: rows(&[10_000; 1_000]),
            tiers: Vec::new(),
            entered: super::super::day::Entered::default(),
            instruments: 1,
            seconds: 1_000.0,
            by_flow: 0,
            scores: 0,
        };
        let mut numbers = vec![0.0; 1_000];
        // Three alarms, one of them of two rows half a minute apart.
        for (at, number) in [(100, 5.0), (130, 7.0), (400, 6.0), (800, 3.0)] {
            numbers[at] = number;
        }
        let of = |allowed| threshold(std::slice::from_ref(&day), |_| numbers.clone(), allowed);
        assert_eq!([of(0), of(1), of(2), of(3)], [7.0, 6.0, 3.0, 0.0]);
        assert_eq!(alarms(&day.rows, &numbers, 3.0).len(), 2);
    }

    #[test]
    fn what_was_missed_counts_as_late() {
        assert_eq!(median(&[Some(1.0), None, Some(3.0)]), Some(1.0));
        assert_eq!(median(&[None, None, Some(3.0)]), None);
        assert_eq!(median(&[Some(1.0), Some(3.0)]), Some(2.0));
        assert!((share(&[Some(1.0), None]) - 0.5).abs() < 1e-12);
    }
}
