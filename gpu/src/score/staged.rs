//! Collects rows for a scorer that wants whole batches.

use types::{FeatureVector, InstrumentId, Symbol};

use super::scorer::{Scorer, StagedScorer};
use crate::heads::{Head, PerHead};
use crate::model::RawScore;
use crate::network::Increments;

/// Collects rows for a scorer that wants whole batches.
#[derive(Clone, Debug)]
pub struct Staged<S> {
    scorer: S,
    rows: Vec<FeatureVector>,
    results: Vec<Option<RawScore>>,
    heads: Vec<PerHead<Option<Increments>>>,
}

impl<S: Scorer> Staged<S> {
    /// Batches of at most `row_count_max` rows for `scorer`. Nothing is allocated afterwards but by `scorer`.
    #[must_use]
    pub fn new(scorer: S, row_count_max: usize) -> Self {
        Self {
            scorer,
            rows: Vec::with_capacity(row_count_max),
            results: Vec::with_capacity(row_count_max),
            heads: Vec::with_capacity(row_count_max),
        }
    }

    /// The scorer.
    pub const fn scorer(&self) -> &S {
        &self.scorer
    }
}

impl<S: Scorer> Scorer for Staged<S> {
    fn name(&self) -> &'static str {
        self.scorer.name()
    }

    fn define(&mut self, instrument: InstrumentId, symbol: Symbol) {
        self.scorer.define(instrument, symbol);
    }

    fn score(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]) {
        self.scorer.score(rows, out);
    }

    fn increments(&self, head: Head, row: &FeatureVector) -> Option<Increments> {
        self.scorer.increments(head, row)
    }

    fn failures(&self) -> u64 {
        self.scorer.failures()
    }
}

impl<S: Scorer> StagedScorer for Staged<S> {
    fn stage(&mut self, place: usize, row: &FeatureVector) {
        if let Some(taken) = self.rows.get_mut(place) {
            *taken = *row;
        } else if place == self.rows.len() && place < self.rows.capacity() {
            self.rows.push(*row);
        }
    }

    fn start(&mut self) {
        self.results.clear();
        self.results.resize(self.rows.len(), None);
        self.scorer.score(&self.rows, &mut self.results);
        let scored = self.rows.iter().zip(&self.results);
        self.heads.clear();
        self.heads.extend(scored.map(|(row, result)| {
            Head::ALL.map(|head| result.and_then(|_| self.scorer.increments(head, row)))
        }));
        self.rows.clear();
    }

    fn is_ready(&mut self) -> bool {
        true
    }

    fn result(&self, place: usize) -> Option<RawScore> {
        self.results.get(place).copied().flatten()
    }

    fn head(&self, head: Head, place: usize) -> Option<Increments> {
        self.heads.get(place).and_then(|says| says[head as usize])
    }
}
