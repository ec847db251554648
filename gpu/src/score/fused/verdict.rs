//! From a reconstruction to a score: the law of [`crate::ScoreLaw::score`], sixteen rows at once or one.

use super::lanes::{LANES, Line, Simd};
use crate::model::{RawScore, TOP_COUNT};

/// The most features that a word of usable bits holds.
pub(super) const FEATURES_MAX: usize = 32;

/// Sums and largest shares of sixteen rows.
#[derive(Debug)]
pub(super) struct Verdicts {
    /// Σ over usable features of the squared, scaled errors.
    pub(super) sum: Line,
    /// Largest squared, scaled errors, largest first.
    share: [Line; TOP_COUNT],
    /// Their features.
    feature: [Line; TOP_COUNT],
}

impl Verdicts {
    pub(super) const fn new() -> Self {
        Self { sum: [0.0; LANES], share: [[0.0; LANES]; TOP_COUNT], feature: [[0.0; LANES]; TOP_COUNT] }
    }

    /// Judges sixteen rows: `x` and `rebuilt` hold a line of rows per feature, `usable` a word of bits per row.
    #[inline(always)]
    pub(super) fn judge_tile<S: Simd>(
        &mut self,
        s: S,
        x: &[Line],
        rebuilt: &[Line],
        inverse_scale: &[f32],
        usable: &[u32; LANES],
    ) {
        let mut sum = s.splat(0.0);
        let (mut first, mut second, mut third) = (s.splat(-1.0), s.splat(-1.0), s.splat(-1.0));
        let (mut id1, mut id2, mut id3) = (s.splat(0.0), s.splat(0.0), s.splat(0.0));
        let mut id = 0.0;
        for (bit, ((x, rebuilt), scale)) in x.iter().zip(rebuilt).zip(inverse_scale).enumerate() {
            let scaled = s.mul(s.sub(s.load(x), s.load(rebuilt)), s.splat(*scale));
            let share = s.keep(s.mul(scaled, scaled), usable, 1 << bit);
            sum = s.add(sum, share);
            // A sorted list of three takes the share in behind its equals; each line is read before it changes.
            let number = s.splat(id);
            let below1 = s.select_greater(share, first, id1, number);
            let below2 = s.select_greater(share, second, id2, number);
            id3 = s.select_greater(share, third, below2, id3);
            id2 = s.select_greater(share, second, below1, id2);
            id1 = s.select_greater(share, first, number, id1);
            let out1 = s.min(share, first);
            first = s.max(share, first);
            let out2 = s.min(out1, second);
            second = s.max(out1, second);
            third = s.max(out2, third);
            id += 1.0;
        }
        s.store(sum, &mut self.sum);
        for (line, v) in self.share.iter_mut().zip([first, second, third]) {
            s.store(v, line);
        }
        for (line, v) in self.feature.iter_mut().zip([id1, id2, id3]) {
            s.store(v, line);
        }
    }

    /// The sums alone of sixteen rows, every feature usable.
    #[inline(always)]
    pub(super) fn sum_tile<S: Simd>(&mut self, s: S, x: &[Line], rebuilt: &[Line]) {
        let mut sum = s.splat(0.0);
        for (x, rebuilt) in x.iter().zip(rebuilt) {
            let error = s.sub(s.load(x), s.load(rebuilt));
            sum = s.add(sum, s.mul(error, error));
        }
        s.store(sum, &mut self.sum);
    }

    /// Judges one row, into lane 0: the same operations in the same order.
    #[inline(always)]
    pub(super) fn judge_row(&mut self, x: &[f32], rebuilt: &[f32], inverse_scale: &[f32], usable: u32) {
        let (mut sum, mut shares, mut ids) = (0.0_f32, [-1.0_f32; TOP_COUNT], [0.0_f32; TOP_COUNT]);
        let mut id = 0.0;
        for (bit, ((x, rebuilt), scale)) in x.iter().zip(rebuilt).zip(inverse_scale).enumerate() {
            let scaled = (x - rebuilt) * scale;
            let share = if usable >> bit & 1 == 1 { scaled * scaled } else { 0.0 };
            sum += share;
            let (mut share, mut number) = (share, id);
            for place in 0..TOP_COUNT {
                let (kept, kept_id) = (shares[place], ids[place]);
                let moves = share > kept;
                (shares[place], ids[place]) = if moves { (share, number) } else { (kept, kept_id) };
                (share, number) = if moves { (kept, kept_id) } else { (share, number) };
            }
            id += 1.0;
        }
        self.sum[0] = sum;
        for place in 0..TOP_COUNT {
            (self.share[place][0], self.feature[place][0]) = (shares[place], ids[place]);
        }
    }

    /// The score of the row in `lane`, `usable_count` of whose features are usable; `None` when it is not a number.
    #[inline(always)]
    pub(super) fn score(&self, lane: usize, usable_count: u32) -> Option<RawScore> {
        let sum = self.sum[lane];
        #[expect(clippy::cast_precision_loss, reason = "32 at most")]
        let raw = sum / usable_count.max(1) as f32;
        if !raw.is_finite() {
            return None;
        }
        let total = if sum > 0.0 { sum } else { 1.0 };
        let mut score = RawScore { raw, ..RawScore::default() };
        for place in 0..TOP_COUNT {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "feature numbers are small and exact"
            )]
            let id = self.feature[place][lane] as u8;
            score.top3[place] = id;
            score.contributions[place] = self.share[place][lane] / total;
        }
        Some(score)
    }
}
