//! How well orders and errors are told apart, beside a static size cap: recall at a rate of false alarms, by kind of error,
//! area under the precision-recall curve, and reliability.

use super::dataset::{Case, Part, Sample, counts};
use super::inject::TypingError;
use crate::heads::fat_finger::{
    FatFingerHoldout, FatFingerLaw, FatFingerModel, FatFingerRate, FatFingerReport, FatFingerStratum,
    logistic,
};

/// Rates of false alarms at which recall is told, as far as there are orders to tell them by.
const FALSE_ALARM_RATES: [f64; 3] = [1e-2, 1e-3, 1e-4];

/// Bins of the reliability, of equal width.
const RELIABILITY_BINS: usize = 10;

/// Log-odds of an error of each case, as injected: without the prior.
pub(super) fn scores(head: &FatFingerModel, samples: &[Sample], cases: &[Case]) -> Vec<f64> {
    let law_of = |sample: &Sample| FatFingerLaw { prior: 1.0, ..head.law_of(sample.order.symbol) };
    #[expect(clippy::cast_possible_truncation, reason = "as every backend gives them")]
    let boundaries =
        |sample: &Sample| law_of(sample).boundaries(&head.increments(&sample.market.input).map(|r| r as f32));
    let boundaries: Vec<_> = samples.iter().map(boundaries).collect();
    let score = |case: &Case| {
        // Increments that are NaN count as an error.
        let law = FatFingerLaw { prior: 1.0, ..head.law };
        boundaries[case.sample].map_or(f64::INFINITY, |b| law.log_odds(b[case.bucket], case.size))
    };
    cases.iter().map(score).collect()
}

/// Mean logistic loss.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
pub(super) fn mean_loss(scores: &[f64], cases: &[Case]) -> f64 {
    let loss = |(z, case): (&f64, &Case)| {
        // ln(1 + e^z) for an order, ln(1 + e^-z) for an error.
        let wrong = if case.error.is_some() { -z } else { *z };
        wrong.max(0.0) + (-wrong.abs()).exp().ln_1p()
    };
    scores.iter().zip(cases).map(loss).sum::<f64>() / cases.len().max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn share(part: usize, all: usize) -> f64 {
    part as f64 / all.max(1) as f64
}

/// The smallest score that at most `rate` of the orders lie above.
fn threshold(scores: &[f64], cases: &[Case], rate: f64) -> f64 {
    let of_orders = scores.iter().zip(cases).filter(|(_, case)| case.error.is_none());
    let mut scores: Vec<f64> = of_orders.map(|(score, _)| *score).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank"
    )]
    let allowed = (scores.len() as f64 * rate) as usize;
    scores.get(allowed).copied().unwrap_or(f64::NEG_INFINITY)
}

/// Share of the cases that `which` picks whose score lies above `threshold`.
fn found(scores: &[f64], cases: &[Case], threshold: f64, which: impl Fn(&Case) -> bool) -> f64 {
    let picked = || scores.iter().zip(cases).filter(|(_, case)| which(case));
    share(picked().filter(|(score, _)| **score > threshold).count(), picked().count())
}

/// Area under the precision-recall curve by steps (average precision), orders and errors weighing the same in all. Cases of
/// one score are found together.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn pr_auc(scores: &[f64], cases: &[Case]) -> f64 {
    let mut ranked: Vec<(f64, bool)> =
        scores.iter().zip(cases).map(|(score, case)| (*score, case.error.is_some())).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (orders, errors) = counts(cases);
    let (mut recall, mut false_alarms, mut area) = (0.0, 0.0, 0.0);
    for tied in ranked.chunk_by(|a, b| a.0 == b.0) {
        let hits = tied.iter().filter(|(_, is_error)| *is_error).count();
        let gained = hits as f64 / errors.max(1) as f64;
        recall += gained;
        false_alarms += (tied.len() - hits) as f64 / orders.max(1) as f64;
        if recall > 0.0 {
            area += gained * recall / (recall + false_alarms);
        }
    }
    area
}

/// Expected calibration error of the log-odds `scores`.
fn ece(scores: &[f64], cases: &[Case]) -> f64 {
    let mut bins = [(0.0, 0_usize, 0_usize); RELIABILITY_BINS];
    for (score, case) in scores.iter().zip(cases) {
        let p = logistic(*score);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a bin"
        )]
        let bin = ((p * RELIABILITY_BINS as f64) as usize).min(RELIABILITY_BINS - 1);
        let (sum, errors, all) = &mut bins[bin];
        (*sum, *errors, *all) = (*sum + p, *errors + usize::from(case.error.is_some()), *all + 1);
    }
    let distance = |(sum, errors, all): &(f64, usize, usize)| {
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
        let (errors, all) = (*errors as f64, (*all).max(1) as f64);
        share(1, cases.len()) * all * (sum / all - errors / all).abs()
    };
    bins.iter().map(distance).sum()
}

/// Scores of one set under both.
struct Scored<'a> {
    cases: &'a [Case],
    head: Vec<f64>,
    cap: Vec<f64>,
}

impl<'a> Scored<'a> {
    fn new(head: &FatFingerModel, Part { samples, cases }: Part<'a>) -> Self {
        let cap = cases.iter().map(|case| f64::from(case.qty.0)).collect();
        Self { cases, head: scores(head, samples, cases), cap }
    }
}

/// The head and the cap on `unseen`; thresholds are chosen on `known`.
pub(super) fn holdout(head: &FatFingerModel, known: Part<'_>, unseen: Part<'_>) -> FatFingerHoldout {
    let (orders, errors) = counts(unseen.cases);
    let (known, unseen) = (Scored::new(head, known), Scored::new(head, unseen));
    let cases = unseen.cases;
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let told = |rate: &f64| orders as f64 * rate >= 1.0;
    let (mut rates, mut thresholds) = (Vec::new(), Vec::new());
    for rate in FALSE_ALARM_RATES.into_iter().filter(told) {
        let limit = threshold(&known.head, known.cases, rate);
        let cap = threshold(&known.cap, known.cases, rate);
        let is_order = |case: &Case| case.error.is_none();
        let is_error = |case: &Case| case.error.is_some();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a quantity of 32 bits")]
        let cap_qty = cap as u32;
        rates.push(FatFingerRate {
            rate,
            theta: logistic(limit + head.law.prior.ln()),
            cap_qty,
            false_alarms: found(&unseen.head, cases, limit, is_order),
            false_alarms_cap: found(&unseen.cap, cases, cap, is_order),
            recall: found(&unseen.head, cases, limit, is_error),
            recall_cap: found(&unseen.cap, cases, cap, is_error),
        });
        thresholds.push((limit, cap));
    }
    let stratum = |kind: TypingError| {
        let is_kind = |case: &Case| case.error == Some(kind);
        FatFingerStratum {
            error: kind.name().to_owned(),
            count: cases.iter().filter(|case| is_kind(case)).count() as u64,
            recall: thresholds.iter().map(|(limit, _)| found(&unseen.head, cases, *limit, is_kind)).collect(),
            recall_cap: thresholds.iter().map(|(_, cap)| found(&unseen.cap, cases, *cap, is_kind)).collect(),
        }
    };
    FatFingerHoldout {
        orders,
        errors,
        pr_auc: pr_auc(&unseen.head, cases),
        pr_auc_cap: pr_auc(&unseen.cap, cases),
        ece: ece(&unseen.head, cases),
        rates,
        strata: TypingError::ALL.map(stratum).into(),
    }
}

impl FatFingerReport {
    /// Why the head is not to be used, if so: a static size cap tells errors as well or better, or the holdout has more
    /// false alarms than chance explains.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let holdout = &self.holdout;
        if holdout.rates.is_empty() {
            return Some(format!(
                "false alarms: found {} orders in the holdout, wanted at least 100 to measure a rate",
                holdout.orders
            ));
        }
        // Also refused when either is NaN.
        let above = |found: f64, wanted: f64| found > wanted;
        if !above(holdout.pr_auc, holdout.pr_auc_cap) {
            return Some(format!(
                "area under the precision-recall curve: found {:.4} on the holdout, wanted more than the size cap's {:.4}",
                holdout.pr_auc, holdout.pr_auc_cap
            ));
        }
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
        let orders = holdout.orders as f64;
        for at in &holdout.rates {
            if !above(at.recall, at.recall_cap) {
                return Some(format!(
                    "recall at {} false alarms: found {:.2} % on the holdout, wanted more than the size cap's {:.2} %",
                    at.rate,
                    at.recall * 100.0,
                    at.recall_cap * 100.0
                ));
            }
            // Twice the rate for markets that differ, and three standard deviations of the count.
            let most = 2.0 * at.rate + 3.0 * (at.rate / orders).sqrt();
            if at.false_alarms > most {
                return Some(format!(
                    "false alarms at {}: found {:.3} % of the holdout's orders, wanted at most {:.3} %",
                    at.rate,
                    at.false_alarms * 100.0,
                    most * 100.0
                ));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Qty;

    fn cases(errors: &[bool]) -> Vec<Case> {
        let error = |is_error: &bool| is_error.then_some(TypingError::Times10);
        errors
            .iter()
            .map(|e| Case { sample: 0, size: 0.0, bucket: 0, qty: Qty(1), error: error(e) })
            .collect()
    }

    #[test]
    fn a_threshold_lets_no_more_orders_above_than_asked() {
        let all = cases(&[false, false, false, false, true]);
        let scores = [1.0, 4.0, 3.0, 2.0, 9.0];
        assert_eq!(threshold(&scores, &all, 0.25), 3.0);
        assert_eq!(threshold(&scores, &all, 0.24), 4.0);
        assert_eq!(threshold(&[2.0; 5], &all, 0.5), 2.0, "of equal scores none lies above");
        assert_eq!(found(&scores, &all, 3.0, |case| case.error.is_none()), 0.25);
        assert_eq!(found(&scores, &all, 3.0, |case| case.error.is_some()), 1.0);
    }

    #[test]
    fn the_area_is_the_hand_worked_one() {
        // Found in turn: an error, an order, an error. Recall 1/2 at precision 1; recall 1 at (1) / (1 + 1/1).
        let all = cases(&[true, false, true]);
        assert!((pr_auc(&[3.0, 2.0, 1.0], &all) - (0.5 + 0.5 * 0.5)).abs() < 1e-12);
        assert!((pr_auc(&[3.0, 1.0, 2.0], &all) - 1.0).abs() < 1e-12);
        assert!((pr_auc(&[1.0; 3], &all) - 0.5).abs() < 1e-12, "a score that says nothing");
    }

    #[test]
    fn reliability_is_the_mean_distance_over_bins() {
        // Four cases told 50 %, of which one is an error; one told 99.99 % that is one.
        let all = cases(&[true, false, false, false, true]);
        let sure = logistic(10.0);
        let wanted = (4.0 * (0.5 - 0.25) + (1.0 - sure)) / 5.0;
        assert!((ece(&[0.0, 0.0, 0.0, 0.0, 10.0], &all) - wanted).abs() < 1e-12);
    }

    #[test]
    fn the_loss_is_the_logarithm_of_what_was_given_to_the_truth() {
        let all = cases(&[true, false]);
        let wanted = -(logistic(2.0).ln() + (1.0 - logistic(-3.0)).ln()) / 2.0;
        assert!((mean_loss(&[2.0, -3.0], &all) - wanted).abs() < 1e-12);
        assert!(mean_loss(&[900.0, -900.0], &all).abs() < 1e-12, "no overflow");
        assert!((mean_loss(&[-900.0, -900.0], &all) - 450.0).abs() < 1e-9);
    }
}
