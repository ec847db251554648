//! Thresholds from calm days, lead times from days with a crash, and what the tiers did on both.

use super::day::{Change, Day, Row, Span, Tiers};
use super::rules::{Rule, Scales, numbers};
use gpu::Model;
use serde::Serialize;
use std::collections::BTreeMap;
use types::{Nanos, Symbol, Tier, UnixNanos};

/// A trading day, in seconds.
const TRADING_DAY_S: f64 = 6.5 * 3_600.0;

/// Alarms closer than this are one.
const ALARM_GAP: Nanos = Nanos(60 * Nanos::SECOND.0);

/// The move that everybody sees.
const MOVE: f64 = 0.005;

/// What one rule did.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RuleResult {
    pub(super) rule: &'static str,
    #[serde(skip)]
    pub(super) is_simple: bool,
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

/// Everything that came out of days with one kind of crisis.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Judged {
    pub(super) kind: &'static str,
    pub(super) model: String,
    pub(super) symbol: String,
    pub(super) crash_seeds: Vec<u64>,
    pub(super) calm_seeds: Vec<u64>,
    /// Trading days of one instrument on the calm days, and of all.
    pub(super) calm_days: f64,
    pub(super) calm_instrument_days: f64,
    pub(super) alarms_per_day: f64,
    /// Seconds from the crisis's start to the harm: a move of 0.5 %, or the crisis's end where there is none before it.
    pub(super) median_move_s: Option<f64>,
    /// Crises with such a move.
    pub(super) moves: usize,
    pub(super) rules: Vec<RuleResult>,
    pub(super) tiers: Vec<TierResult>,
    /// The same, had the model never seen the instrument.
    pub(super) stranger_tiers: Vec<TierResult>,
    /// Share of the calm scores that each channel made, by its name.
    pub(super) calm_channel_shares: BTreeMap<&'static str, f64>,
}

/// A rule at the threshold that the calm days give it.
struct Set {
    rule: Rule,
    threshold: f64,
    calm_alarms: usize,
}

/// What the calm days say of `model`, against which any kind of crisis is judged.
pub(super) struct Bench<'a> {
    model: &'a Model,
    symbol: Symbol,
    calm: &'a [Day],
    alarms_per_day: f64,
    scales: Scales,
    sets: Vec<Set>,
}

fn days(day: &Day) -> f64 {
    day.seconds / TRADING_DAY_S
}

impl<'a> Bench<'a> {
    /// Of `symbol` on `calm` days.
    pub(super) fn new(model: &'a Model, symbol: Symbol, calm: &'a [Day], alarms_per_day: f64) -> Self {
        let scales = Scales::of(calm.iter().flat_map(|day| &day.rows));
        let allowed = (alarms_per_day * calm.iter().map(days).sum::<f64>()) as usize;
        let set = |rule: Rule| {
            let numbers = |day: &Day| numbers(rule, &day.rows, scales, model, symbol);
            let threshold = threshold(calm, numbers, allowed);
            let alarm = |day: &Day| alarms(&day.rows, &numbers(day), threshold).len();
            Set { rule, threshold, calm_alarms: calm.iter().map(alarm).sum() }
        };
        Self { model, symbol, calm, alarms_per_day, scales, sets: Rule::ALL.map(set).into() }
    }

    /// Judges it by days with a crisis of `kind`.
    pub(super) fn judge(&self, kind: &'static str, crises: &[Day]) -> Judged {
        let Self { model, symbol, calm, alarms_per_day, .. } = *self;
        let harms: Vec<Option<Harm>> = crises.iter().map(Harm::of).collect();
        let rules = self.sets.iter().map(|set| self.result(set, crises, &harms)).collect();
        let calm_instrument_days = calm.iter().map(|day| days(day) * day.instruments as f64).sum::<f64>();
        let after: Vec<Option<f64>> =
            harms.iter().map(|h| h.map(|h| seconds(h.at.since(h.begins)))).collect();
        let tiers_of = |of: fn(&Day) -> &Tiers| tiers(calm, crises, &harms, calm_instrument_days, of);
        Judged {
            kind,
            model: model.id().to_owned(),
            symbol: symbol.to_string(),
            crash_seeds: crises.iter().map(|day| day.seed).collect(),
            calm_seeds: calm.iter().map(|day| day.seed).collect(),
            calm_days: calm.iter().map(days).sum(),
            calm_instrument_days,
            alarms_per_day,
            median_move_s: median(&after),
            moves: harms.iter().flatten().filter(|harm| harm.is_move).count(),
            rules,
            tiers: tiers_of(|day| &day.tiers),
            stranger_tiers: tiers_of(|day| &day.stranger),
            calm_channel_shares: shares(calm),
        }
    }

    fn result(&self, set: &Set, crises: &[Day], harms: &[Option<Harm>]) -> RuleResult {
        let Set { rule, threshold, calm_alarms } = *set;
        let lead = |(day, harm): (&Day, &Option<Harm>)| {
            let harm = (*harm)?;
            let numbers = numbers(rule, &day.rows, self.scales, self.model, self.symbol);
            let mut rows = day.rows.iter().zip(numbers);
            let (first, _) = rows.find(|(row, number)| row.ts > harm.begins && *number > threshold)?;
            harm.lead_s(first.ts)
        };
        let leads_s: Vec<_> = crises.iter().zip(harms).map(lead).collect();
        let (median_lead_s, recall) = (median(&leads_s), share(&leads_s));
        let (rule, is_simple) = (rule.name(), rule.is_simple());
        RuleResult { rule, is_simple, threshold, calm_alarms, leads_s, median_lead_s, recall }
    }
}

/// Share of the scores that each channel made.
fn shares(days: &[Day]) -> BTreeMap<&'static str, f64> {
    let all = days.iter().flat_map(|day| day.scores.values()).sum::<u64>().max(1) as f64;
    let mut shares = BTreeMap::new();
    for (channel, count) in days.iter().flat_map(|day| &day.scores) {
        *shares.entry(*channel).or_default() += *count as f64 / all;
    }
    shares
}

fn seconds(span: Nanos) -> f64 {
    span.0 as f64 / 1e9
}

/// When a crisis begins, and when everybody sees it.
#[derive(Clone, Copy, Debug)]
struct Harm {
    begins: UnixNanos,
    at: UnixNanos,
    /// It is the move, and not the crisis's end.
    is_move: bool,
}

impl Harm {
    /// None where nothing is planted, or nothing was to be seen before.
    fn of(day: &Day) -> Option<Self> {
        let Span { from: begins, until } = day.span?;
        let before = day.rows.iter().take_while(|row| row.ts <= begins).last()?.mid.0 as f64;
        let moved = |row: &&Row| row.ts > begins && (row.mid.0 as f64 / before - 1.0).abs() >= MOVE;
        let at = day.rows.iter().find(moved).map(|row| row.ts).filter(|at| *at <= until);
        Some(Self { begins, at: at.unwrap_or(until), is_move: at.is_some() })
    }

    /// Seconds from `alarm` to the harm, when it came before.
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

fn tiers(
    calm: &[Day],
    crises: &[Day],
    harms: &[Option<Harm>],
    instrument_days: f64,
    of: fn(&Day) -> &Tiers,
) -> Vec<TierResult> {
    let result = |tier: Tier| {
        let lead = |(day, harm): (&Day, &Option<Harm>)| {
            let harm = (*harm)?;
            // A tier that holds when the crisis begins is no answer to it, but for an instrument that never leaves it.
            let rises = |c: &&Change| c.ts > harm.begins && c.from < tier && c.to >= tier;
            harm.lead_s(of(day).changes.iter().find(rises)?.ts)
        };
        let leads: Vec<_> = crises.iter().zip(harms).map(lead).collect();
        let entered = |day: &Day| match tier {
            Tier::Normal => 0,
            Tier::Elevated => of(day).entered.elevated,
            Tier::High => of(day).entered.high,
            Tier::Critical => of(day).entered.critical,
        };
        let entered: u64 = calm.iter().map(entered).sum();
        TierResult {
            tier: tier.to_string(),
            before_move: leads.iter().flatten().count(),
            crashes: leads.len(),
            median_lead_s: median(&leads),
            calm_entries: entered,
            calm_entries_per_instrument_day: entered as f64 / instrument_days.max(f64::MIN_POSITIVE),
        }
    };
    [Tier::Elevated, Tier::High, Tier::Critical].map(result).to_vec()
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
            stranger: None,
        };
        (0..).zip(mids).map(row).collect()
    }

    fn day(rows: Vec<Row>, span: Option<(u64, u64)>) -> Day {
        let at = |second: u64| UnixNanos(second * Nanos::SECOND.0);
        Day {
            seed: 1,
            rows,
            span: span.map(|(from, until)| Span { from: at(from), until: at(until) }),
            tiers: Tiers::default(),
            stranger: Tiers::default(),
            instruments: 1,
            seconds: 1_000.0,
            scores: BTreeMap::new(),
        }
    }

    #[test]
    fn the_move_is_measured_from_the_beginning_of_the_crisis() {
        let mut mids = vec![10_000; 100];
        mids.extend([9_990, 9_951, 9_950, 9_900]);
        // The price of the 90th second counts, whatever came before.
        mids[10] = 20_000;
        let found = Harm::of(&day(rows(&mids), Some((90, 200)))).unwrap();
        assert_eq!((found.at.0 / Nanos::SECOND.0, found.is_move), (102, true));
        assert_eq!(found.lead_s(UnixNanos(100 * Nanos::SECOND.0)), Some(2.0));
        assert_eq!(found.lead_s(UnixNanos(102 * Nanos::SECOND.0)), None, "with the move is not before it");
        // A crisis without a move before its end is to be seen before its end.
        for mids in [mids, vec![10_000; 200]] {
            let found = Harm::of(&day(rows(&mids), Some((90, 101)))).unwrap();
            assert_eq!((found.at.0 / Nanos::SECOND.0, found.is_move), (101, false));
        }
        assert!(Harm::of(&day(rows(&[10_000; 200]), None)).is_none());
    }

    #[test]
    fn a_threshold_allows_as_many_alarms_as_it_is_told() {
        let day = day(rows(&[10_000; 1_000]), None);
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
