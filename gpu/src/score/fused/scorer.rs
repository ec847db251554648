//! The scorer: batches cut into tiles, rows staged as they arrive, results by place.

use types::{FeatureVector, InstrumentId, Symbol};

use super::engine::{Engine, FusedError, Out};
use super::lanes::{Kernel, LANES, Simd, Work};
use super::prepare::FusedProfile;
use super::tile::{RowParts, Tile};
use crate::heads::{Head, PerHead};
use crate::inputs::Bindings;
use crate::model::{Model, RawScore};
use crate::network::Increments;
use crate::score::scorer::{Scorer, StagedScorer};

/// Scores rows sixteen at a time, or one at once. Staged rows are scored as soon as there are sixteen, so that at the end of a
/// batch fifteen are left at most. After construction it allocates nothing.
#[derive(Debug)]
pub struct FusedScorer {
    kernel: Kernel,
    profiles: Bindings<FusedProfile>,
    engine: Engine,
    /// Rows of a call of [`Scorer::score`].
    tile: Box<Tile>,
    staging: Staging,
}

/// A batch that is being collected, and the results of the last one.
#[derive(Debug)]
struct Staging {
    tile: Box<Tile>,
    results: Results,
    finished: Results,
}

/// The results of a batch, by place.
#[derive(Debug)]
struct Results {
    scores: Vec<Option<RawScore>>,
    /// As many of each head that the model has; read where there is a score.
    heads: PerHead<Vec<Increments>>,
}

impl Results {
    fn with_capacity(count: usize) -> Self {
        let heads = Head::ALL.map(|_| Vec::with_capacity(count));
        Self { scores: Vec::with_capacity(count), heads }
    }

    fn out(&mut self) -> Out<'_> {
        Out { scores: &mut self.scores, heads: self.heads.each_mut().map(Vec::as_mut_slice) }
    }
}

impl FusedScorer {
    /// A scorer of `model` for instruments numbered below `instrument_count_max`, on the best kernel of this processor.
    ///
    /// # Errors
    /// When the model's layers make no network, which no loaded model's do.
    pub fn new(model: &Model, instrument_count_max: usize) -> Result<Self, FusedError> {
        Self::with_kernel(model, instrument_count_max, Kernel::best())
    }

    /// The same on the kernel that is asked for.
    ///
    /// # Errors
    /// As [`FusedScorer::new`], and when this processor cannot run `kernel`.
    pub fn with_kernel(
        model: &Model,
        instrument_count_max: usize,
        kernel: Kernel,
    ) -> Result<Self, FusedError> {
        let engine = Engine::new(model, kernel)?;
        let profiles = Bindings::new(&model.profiles().map(|profile| profile.into()), instrument_count_max);
        let staging = Staging {
            tile: Box::new(Tile::new()),
            results: Results::with_capacity(instrument_count_max),
            finished: Results::with_capacity(instrument_count_max),
        };
        Ok(Self { kernel, profiles, engine, tile: Box::new(Tile::new()), staging })
    }

    /// [`StagedScorer::stage`] of the parts of a row.
    pub(crate) fn stage_parts(&mut self, place: usize, row: RowParts<'_>) {
        let Self { kernel, profiles, engine, staging: Staging { tile, results, .. }, .. } = self;
        if let Some(earlier) = results.scores.get_mut(place) {
            tile.forget(place);
            *earlier = None;
        } else if place == results.scores.len() && place < results.scores.capacity() {
            results.scores.push(None);
            for (says, _) in results.heads.iter_mut().zip(&engine.heads).filter(|(_, head)| head.is_some()) {
                says.push(Increments::default());
            }
        } else {
            return;
        }
        if let Some(profile) = profiles.of(row.instrument) {
            tile.take(place, row, profile);
        }
        if tile.count == LANES {
            kernel.dispatch(Flush { profiles, engine, tile, out: results.out() });
        }
    }

    /// [`Scorer::score`] of the parts of rows, `scores.len()` at most. Each of `heads` is as long, or empty.
    pub(crate) fn score_parts<'a>(
        &mut self,
        rows: impl Iterator<Item = RowParts<'a>>,
        scores: &mut [Option<RawScore>],
        heads: PerHead<&mut [Increments]>,
    ) {
        let Self { kernel, profiles, engine, tile, .. } = self;
        kernel.dispatch(Batch { profiles, engine, tile, rows, out: Out { scores, heads } });
    }
}

impl Scorer for FusedScorer {
    fn name(&self) -> &'static str {
        match self.kernel {
            Kernel::Avx512 => "fused-avx512",
            Kernel::Avx2 => "fused-avx2",
            Kernel::Portable => "fused-portable",
        }
    }

    fn define(&mut self, instrument: InstrumentId, symbol: Symbol) {
        self.profiles.define(instrument, symbol);
    }

    fn score(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]) {
        assert_eq!(rows.len(), out.len(), "one result per row");
        self.score_parts(rows.iter().map(RowParts::from), out, Head::ALL.map(|_| [].as_mut_slice()));
    }
}

impl StagedScorer for FusedScorer {
    fn stage(&mut self, place: usize, row: &FeatureVector) {
        self.stage_parts(place, RowParts::from(row));
    }

    fn start(&mut self) {
        let Self { kernel, profiles, engine, staging: Staging { tile, results, finished }, .. } = self;
        kernel.dispatch(Flush { profiles, engine, tile, out: results.out() });
        core::mem::swap(results, finished);
        results.scores.clear();
        results.heads.iter_mut().for_each(Vec::clear);
    }

    fn is_ready(&mut self) -> bool {
        true
    }

    fn result(&self, place: usize) -> Option<RawScore> {
        self.staging.finished.scores.get(place).copied().flatten()
    }

    fn head(&self, head: Head, place: usize) -> Option<Increments> {
        self.result(place).and_then(|_| self.staging.finished.heads[head as usize].get(place).copied())
    }
}

/// One call of [`Scorer::score`].
struct Batch<'a, I> {
    profiles: &'a Bindings<FusedProfile>,
    engine: &'a mut Engine,
    tile: &'a mut Tile,
    rows: I,
    out: Out<'a>,
}

impl<'a, I: Iterator<Item = RowParts<'a>>> Work for Batch<'_, I> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { profiles, engine, tile, rows, mut out } = self;
        for (place, row) in rows.enumerate().take(out.scores.len()) {
            out.scores[place] = None;
            if let Some(profile) = profiles.of(row.instrument) {
                tile.take(place, row, profile);
            }
            if tile.count == LANES {
                engine.flush(s, profiles, tile, &mut out);
            }
        }
        engine.flush(s, profiles, tile, &mut out);
    }
}

/// The end of a tile of staged rows.
struct Flush<'a> {
    profiles: &'a Bindings<FusedProfile>,
    engine: &'a mut Engine,
    tile: &'a mut Tile,
    out: Out<'a>,
}

impl Work for Flush<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        self.engine.flush(s, self.profiles, self.tile, &mut self.out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::Heads;
    use crate::heads::fat_finger::random_head as random_fat_finger;
    use crate::heads::slippage::random_head as random_slippage;
    use crate::score::reference::ReferenceScorer;
    use crate::synthetic::{Market, model};
    use types::{BookState, MODEL_FEATURE_COUNT, UnixNanos};

    /// Rows of an ordinary market, every fifth with holes, every ninth of a lost book.
    fn rows(count: u32) -> Vec<FeatureVector> {
        let mut market = Market::new("AAA", 1.0, 99);
        let row = |i: u32| {
            let row = market.row(u64::from(i), 0.3);
            let state = if i % 9 == 8 { BookState::Empty } else { BookState::Live };
            let mut vector = FeatureVector {
                ts: UnixNanos(1),
                instrument: InstrumentId(i % 3),
                valid: u64::from(if i % 5 == 4 { row.valid & 0x1b7f } else { row.valid }),
                book_state: state.to_u8(),
                ..FeatureVector::EMPTY
            };
            vector.values[..MODEL_FEATURE_COUNT].copy_from_slice(&row.values);
            vector
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn heads_say_the_same_on_every_kernel_and_in_double_precision() {
        let model = model().clone();
        let both = |heads: &mut Heads| {
            heads.slippage = Some(random_slippage(5));
            heads.fat_finger = Some(random_fat_finger(6));
        };
        let model = model.with_heads(both).unwrap();
        let mut reference = ReferenceScorer::new(&model, 64);
        let mut of_kernels = vec![];
        for kernel in Kernel::ALL.into_iter().filter(|kernel| kernel.is_available()) {
            let mut scorer = FusedScorer::with_kernel(&model, 64, kernel).unwrap();
            let mut all = vec![];
            // Whole tiles, tiles in part, and rows alone.
            for count in [1, 3, 4, 16, 19, 35] {
                let rows = rows(count);
                for i in 0..3 {
                    scorer.define(InstrumentId(i), Symbol::new("AAA").unwrap());
                    reference.define(InstrumentId(i), Symbol::new("AAA").unwrap());
                }
                rows.iter().enumerate().for_each(|(place, row)| scorer.stage(place, row));
                scorer.start();
                let asked = rows.iter().enumerate().flat_map(|row| Head::ALL.map(|head| (head, row)));
                for (head, (place, row)) in asked {
                    let (found, want) = (scorer.head(head, place), reference.increments(head, row));
                    assert_eq!(found.is_some(), want.is_some() && scorer.result(place).is_some());
                    for (found, want) in found.iter().flatten().zip(want.iter().flatten()) {
                        assert!((found - want).abs() <= 1e-5 * want.max(1.0), "{found} {want}");
                    }
                    all.push(found.map(|says| says.map(f32::to_bits)));
                }
            }
            assert!(all.iter().flatten().flatten().any(|bits| *bits != 0));
            of_kernels.push(all);
        }
        assert!(of_kernels.windows(2).all(|pair| pair[0] == pair[1]), "kernels differ");
        // The first row, alone and among two others, and what two heads say of it.
        let (alone, among) = (&of_kernels[0][..Head::ALL.len()], &of_kernels[0][Head::ALL.len()..]);
        assert_eq!(alone, &among[..Head::ALL.len()]);
        assert_ne!(alone[Head::Slippage as usize], alone[Head::FatFinger as usize]);
    }

    #[test]
    fn without_a_head_nothing_is_said() {
        let headed = model().clone().with_heads(|heads| heads.slippage = Some(random_slippage(5))).unwrap();
        let unasked = headed.asking(&[Head::FatFinger]);
        assert_eq!(unasked.id(), headed.id());
        let mut scorer = FusedScorer::new(&unasked, 4).unwrap();
        scorer.define(InstrumentId(0), Symbol::new("AAA").unwrap());
        scorer.stage(0, &rows(1)[0]);
        scorer.start();
        assert!(scorer.result(0).is_some() && Head::ALL.iter().all(|head| scorer.head(*head, 0).is_none()));
    }
}
